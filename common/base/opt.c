/* The command line is read first, into a list: it may name the config file. Then the values are set
 * from the weakest place to the strongest: file, environment, command line. */
#include "common/base/opt_driver.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#define OPT_CONFIG_NAME "config" /* the option that names the config file */

struct opt_set {
    struct arena *arena; /* owns all strings and lists */
    struct opt_entry *entries;
    size_t count;
};

/* One option as it was said on the command line. */
struct opt_said {
    struct opt_entry *entry;
    const char *value; /* borrowed from argv; NULL: none (OPT_BOOL, OPT_COUNT) */
    bool negated;      /* --no-name */
};

struct opt_line {
    struct opt_set *set;
    char **argv;
    int argc;
    int next; /* index in argv of the argument that follows */
    struct opt_said *said;
    size_t count;
};

void opt_add_env_name(struct strbuf *out, const struct opt *opt)
{
    strbuf_addstr(out, "FERRY_");
    for (const char *c = opt->name; *c; c++) {
        char upper = '_';

        if (*c != '-')
            upper = (char)toupper((unsigned char)*c);
        strbuf_addch(out, upper);
    }
}

static struct opt_entry *opt_find(const struct opt_set *set, const char *name, size_t len)
{
    for (size_t i = 0; i < set->count; i++) {
        const char *have = set->entries[i].opt->name;

        if (strncmp(have, name, len) == 0 && have[len] == '\0')
            return &set->entries[i];
    }
    return NULL;
}

static struct opt_entry *opt_find_letter(const struct opt_set *set, char letter)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->entries[i].opt->letter == letter)
            return &set->entries[i];
    return NULL;
}

/* How many letters two names differ by, roughly: the lengths less twice their common ends. */
static size_t opt_distance(const char *a, size_t alen, const char *b, size_t blen)
{
    size_t head = 0;
    size_t tail = 0;

    while (head < alen && head < blen && a[head] == b[head])
        head++;
    while (tail < alen - head && tail < blen - head && a[alen - 1 - tail] == b[blen - 1 - tail])
        tail++;
    alen -= head + tail;
    blen -= head + tail;
    return alen > blen ? alen : blen;
}

/* `dashes` go before the names: "--" for the command line, "" for the file. */
static enum err_code opt_unknown(const struct opt_set *set, const char *name, size_t len,
                                 const char *dashes, struct err *err)
{
    const char *best = NULL;
    size_t least = 3; /* more letters than 2 are another word */

    for (size_t i = 0; i < set->count; i++) {
        const char *have = set->entries[i].opt->name;
        size_t distance = opt_distance(have, strlen(have), name, len);

        if (distance < least) {
            least = distance;
            best = have;
        }
    }
    if (best)
        return err_set(err, ERR_USAGE, "unknown option '%s%.*s'; did you mean '%s%s'?", dashes,
                       (int)len, name, dashes, best);
    return err_set(err, ERR_USAGE, "unknown option '%s%.*s'", dashes, (int)len, name);
}

static bool opt_takes_value(const struct opt *opt)
{
    return opt->kind != OPT_BOOL && opt->kind != OPT_COUNT;
}

/* A secret in argv would be seen by everybody who can list processes. */
static enum err_code opt_refuse_secret(const struct opt *opt, struct err *err)
{
    struct strbuf env = {0};

    opt_add_env_name(&env, opt);
    (void)err_set(err, ERR_USAGE,
                  "option '--%s' is not taken from the command line, where others can read it; "
                  "use the environment variable %s or the config file",
                  opt->name, strbuf_str(&env));
    strbuf_release(&env);
    return err->code;
}

static enum err_code opt_say(struct opt_line *line, struct opt_entry *entry, const char *value,
                             bool negated, struct err *err)
{
    if (entry->opt->secret)
        return opt_refuse_secret(entry->opt, err);
    if (!value && opt_takes_value(entry->opt)) {
        if (line->next >= line->argc)
            return err_set(err, ERR_USAGE, "option '--%s' needs a value", entry->opt->name);
        value = line->argv[line->next++];
    }
    line->said = xreallocarray(line->said, line->count + 1, sizeof *line->said);
    line->said[line->count++] =
        (struct opt_said){.entry = entry, .value = value, .negated = negated};
    return ERR_OK;
}

/* `arg` is behind the two dashes. */
static enum err_code opt_read_long(struct opt_line *line, const char *arg, struct err *err)
{
    size_t len = strcspn(arg, "=");
    const char *value = arg[len] ? arg + len + 1 : NULL;
    struct opt_entry *entry = opt_find(line->set, arg, len);

    if (entry)
        return opt_say(line, entry, value, false, err);
    if (len > 3 && strncmp(arg, "no-", 3) == 0)
        entry = opt_find(line->set, arg + 3, len - 3);
    if (!entry || entry->opt->kind != OPT_BOOL)
        return opt_unknown(line->set, arg, len, "--", err);
    if (value)
        return err_set(err, ERR_USAGE, "option '--%.*s' takes no value", (int)len, arg);
    return opt_say(line, entry, NULL, true, err);
}

/* `arg` is behind the dash: "v", "vv", "t4". */
static enum err_code opt_read_letters(struct opt_line *line, const char *arg, struct err *err)
{
    for (; *arg; arg++) {
        struct opt_entry *entry = opt_find_letter(line->set, *arg);
        bool rest;
        enum err_code rc;

        if (!entry) /* what follows the letter is not shown: it may be a password */
            return err_set(err, ERR_USAGE, "unknown option '-%c'", *arg);
        rest = opt_takes_value(entry->opt) && arg[1];
        rc = opt_say(line, entry, rest ? arg + 1 : NULL, false, err);
        if (rc || rest)
            return rc;
    }
    return ERR_OK;
}

/* Reads the command line into line->said and puts the positional arguments last. */
static enum err_code opt_read_argv(struct opt_line *line, int *args, struct err *err)
{
    char **positional = xcalloc((size_t)line->argc + 1, sizeof *positional);
    int options = 1; /* argv[0..options) is the name and the options */
    int count = 0;
    bool ended = false; /* "--" was seen */
    enum err_code rc = ERR_OK;

    line->next = 1;
    while (line->next < line->argc && !rc) {
        int first = line->next;
        char *arg = line->argv[line->next++];

        if (ended || arg[0] != '-' || !arg[1]) {
            positional[count++] = arg;
            continue;
        }
        ended = strcmp(arg, "--") == 0;
        if (!ended && arg[1] == '-')
            rc = opt_read_long(line, arg + 2, err);
        else if (!ended)
            rc = opt_read_letters(line, arg + 1, err);
        for (int i = first; i < line->next; i++) /* options <= first: overwrites nothing unread */
            line->argv[options++] = line->argv[i];
    }
    if (!rc) {
        for (int i = 0; i < count; i++)
            line->argv[options + i] = positional[i];
        line->argv[options + count] = NULL;
        *args = options;
    }
    free(positional);
    return rc;
}

static enum err_code opt_apply_said(struct opt_set *set, const struct opt_said *said,
                                    struct err *err)
{
    struct opt_entry *e = said->entry;
    const char *value = said->value;
    enum err_code rc;

    if (e->opt->kind == OPT_COUNT && !value) {
        unsigned *field = (unsigned *)(void *)(e->config + e->opt->field);

        if (e->from != OPT_FROM_ARGV) /* counts anew, not on top of the file's */
            *field = 0;
        e->from = OPT_FROM_ARGV;
        ++*field;
        return ERR_OK;
    }
    if (e->opt->kind == OPT_BOOL && !value)
        value = said->negated ? "false" : "true";
    rc = opt_value_set(e, OPT_FROM_ARGV, value, set->arena, err);
    return rc ? err_wrap(err, "option '--%s'", e->opt->name) : ERR_OK;
}

/* An empty variable counts as none; a list has one item a line. */
static enum err_code opt_apply_env(struct opt_set *set, struct opt_entry *e, struct err *err)
{
    struct strbuf name = {0};
    const char *value;
    enum err_code rc = ERR_OK;

    opt_add_env_name(&name, e->opt);
    value = getenv(strbuf_str(&name)); // NOLINT(concurrency-mt-unsafe): before any thread starts
    if (!value || !*value)
        goto out;
    if (e->opt->kind != OPT_LIST && e->opt->kind != OPT_TABLES) {
        rc = opt_value_set(e, OPT_FROM_ENV, value, set->arena, err);
        goto out;
    }
    while (*value && !rc) {
        size_t len = strcspn(value, "\n");

        if (len)
            rc = opt_value_set(e, OPT_FROM_ENV, arena_memdup(set->arena, value, len), set->arena,
                               err);
        value += len + (value[len] == '\n');
    }
out:
    if (rc)
        (void)err_wrap(err, "environment variable %s", strbuf_str(&name));
    strbuf_release(&name);
    return rc;
}

/* Cuts white space off both ends, in place. */
static char *opt_trim(char *text)
{
    size_t len;

    while (isspace((unsigned char)*text))
        text++;
    len = strlen(text);
    while (len > 0 && isspace((unsigned char)text[len - 1]))
        len--;
    text[len] = '\0';
    return text;
}

/* Where in the file a line stands. */
struct opt_section {
    bool mine;      /* its lines are for this command */
    char *table;    /* the pattern of a [table PATTERN]; NULL: another section */
    bool has_table; /* the command has options of single tables */
};

/* "key = value" in [table PATTERN] is key "PATTERN=value". */
static enum err_code opt_apply_table(struct opt_set *set, struct opt_entry *e, const char *table,
                                     const char *value, struct err *err)
{
    struct strbuf text = {0};
    enum err_code rc;

    if (e->opt->kind != OPT_TABLES)
        return err_set(err, ERR_USAGE, "not an option of single tables");
    if (!*value)
        return err_set(err, ERR_USAGE, "no value");
    strbuf_addf(&text, "%s=%s", table, value);
    rc = opt_value_set(e, OPT_FROM_FILE, strbuf_str(&text), set->arena, err);
    strbuf_release(&text);
    return rc;
}

/* "key = value"; double quotes around the value keep its white space. */
static enum err_code opt_apply_pair(struct opt_set *set, char *text, const char *table,
                                    struct err *err)
{
    char *equals = strchr(text, '=');
    struct opt_entry *e;
    char *key = text;
    char *value;
    size_t len;
    enum err_code rc;

    if (!equals)
        return err_set(err, ERR_USAGE, "not of the form 'key = value'");
    *equals = '\0';
    key = opt_trim(key);
    value = opt_trim(equals + 1);
    e = opt_find(set, key, strlen(key));
    if (!e)
        return opt_unknown(set, key, strlen(key), "", err);
    if (strcmp(key, OPT_CONFIG_NAME) == 0)
        return err_set(err, ERR_USAGE, "a config file cannot name another one");
    len = strlen(value);
    if (len >= 2 && value[0] == '"' && value[len - 1] == '"') {
        value[len - 1] = '\0';
        value++;
    }
    rc = table ? opt_apply_table(set, e, table, value, err)
               : opt_value_set(e, OPT_FROM_FILE, value, set->arena, err);
    return rc ? err_wrap(err, "'%s'", key) : ERR_OK;
}

/* A '=' in the pattern, outside of quoted names, would end it. */
static bool opt_pattern_fits(const char *pattern)
{
    bool quoted = false;
    bool dot = false;

    for (; *pattern; pattern++) {
        if (*pattern == '`')
            quoted = !quoted;
        else if (*pattern == '=' && !quoted)
            return false;
        dot |= *pattern == '.' && !quoted;
    }
    return dot && !quoted;
}

/* `name` is what stands between the brackets. */
static enum err_code opt_section_begin(struct opt_section *section, char *name, const char *command,
                                       struct err *err)
{
    size_t word = strcspn(name, " \t");
    char *rest = opt_trim(name + word);

    free(section->table);
    section->table = NULL;
    if (word != 5 || strncmp(name, "table", 5) != 0) {
        if (*rest)
            return err_set(err, ERR_USAGE, "[%s] is neither [COMMAND] nor [table DB.TABLE]", name);
        section->mine = strcmp(name, command) == 0;
        return ERR_OK;
    }
    if (!opt_pattern_fits(rest))
        return err_set(err, ERR_USAGE,
                       "[%s]: a pattern of tables is DB.TABLE, without '=' outside of `quotes`",
                       name);
    section->mine = section->has_table;
    section->table = xstrdup(rest);
    return ERR_OK;
}

/* Lines before the first [section] are for every command, those behind it for the one it names. */
static enum err_code opt_apply_line(struct opt_set *set, const char *command, char *text,
                                    struct opt_section *section, struct err *err)
{
    size_t len;

    text = opt_trim(text);
    len = strlen(text);
    if (!len || text[0] == '#' || text[0] == ';')
        return ERR_OK;
    if (text[0] == '[') {
        if (text[len - 1] != ']')
            return err_set(err, ERR_USAGE, "a section has no ']'");
        text[len - 1] = '\0';
        return opt_section_begin(section, opt_trim(text + 1), command, err);
    }
    return section->mine ? opt_apply_pair(set, text, section->table, err) : ERR_OK;
}

static enum err_code opt_apply_file(struct opt_set *set, const char *path, const char *command,
                                    struct err *err)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t cap = 0;
    unsigned number = 0;
    struct opt_section section = {.mine = true};
    enum err_code rc = ERR_OK;

    if (!file)
        return err_set_errno(err, ERR_USAGE, errno, "cannot open config file '%s'", path);
    for (size_t i = 0; i < set->count; i++)
        section.has_table |= set->entries[i].opt->kind == OPT_TABLES;
    errno = 0;
    while (!rc && getline(&text, &cap, file) >= 0) {
        number++;
        rc = opt_apply_line(set, command, text, &section, err);
        if (rc)
            (void)err_wrap(err, "config file '%s' line %u", path, number);
    }
    if (!rc && ferror(file))
        rc = err_set_errno(err, ERR_IO, errno, "cannot read config file '%s'", path);
    free(section.table);
    free(text);
    (void)fclose(file);
    return rc;
}

/* NULL: none was named. */
static const char *opt_config_path(const struct opt_line *line)
{
    const struct opt_entry *e = opt_find(line->set, OPT_CONFIG_NAME, strlen(OPT_CONFIG_NAME));
    const char *path;

    if (!e || e->opt->kind != OPT_STRING)
        return NULL;
    for (size_t i = line->count; i > 0; i--)
        if (line->said[i - 1].entry == e)
            return line->said[i - 1].value;
    path = getenv("FERRY_CONFIG"); // NOLINT(concurrency-mt-unsafe): before any thread starts
    return path && *path ? path : NULL;
}

static struct opt_set *opt_set_new(const struct opt_table *tables, size_t table_count)
{
    struct opt_set *set = xcalloc(1, sizeof *set);

    set->arena = arena_new();
    for (size_t t = 0; t < table_count; t++)
        for (const struct opt *o = tables[t].opts; o->kind != OPT_END; o++) {
            set->entries = xreallocarray(set->entries, set->count + 1, sizeof *set->entries);
            set->entries[set->count++] = (struct opt_entry){.opt = o, .config = tables[t].config};
        }
    return set;
}

// NOLINTNEXTLINE(readability-function-size): the command's main gives tables and argv apart
enum err_code opt_parse(struct opt_set **set, const struct opt_table *tables, size_t table_count,
                        int argc, char **argv, int *args, struct err *err)
{
    struct opt_line line = {.set = opt_set_new(tables, table_count), .argv = argv, .argc = argc};
    const char *path;
    enum err_code rc;

    rc = opt_read_argv(&line, args, err);
    if (rc)
        goto out;
    path = opt_config_path(&line);
    if (path)
        rc = opt_apply_file(line.set, path, argv[0], err);
    for (size_t i = 0; i < line.set->count && !rc; i++)
        rc = opt_apply_env(line.set, &line.set->entries[i], err);
    for (size_t i = 0; i < line.count && !rc; i++)
        rc = opt_apply_said(line.set, &line.said[i], err);
out:
    free(line.said);
    if (rc)
        opt_set_free(line.set);
    else
        *set = line.set;
    return rc;
}

bool opt_given(const struct opt_set *set, const char *name)
{
    const struct opt_entry *e = opt_find(set, name, strlen(name));

    return e && e->from != OPT_FROM_DEFAULT;
}

void opt_set_free(struct opt_set *set)
{
    if (!set)
        return;
    arena_free(set->arena);
    free(set->entries);
    free(set);
}

enum err_code opt_check_pair(const struct opt_table *tables, size_t table_count, const char *name,
                             const char *value, const struct opt **found, struct err *err)
{
    struct opt_set set = {.arena = arena_new()};
    struct opt_entry *e;
    enum err_code rc;

    for (size_t t = 0; t < table_count; t++)
        for (const struct opt *o = tables[t].opts; o->kind != OPT_END; o++) {
            set.entries = xreallocarray(set.entries, set.count + 1, sizeof *set.entries);
            set.entries[set.count++] = (struct opt_entry){.opt = o};
        }
    e = opt_find(&set, name, strlen(name));
    *found = e ? e->opt : NULL;
    if (!e) {
        rc = opt_unknown(&set, name, strlen(name), "", err);
    } else {
        e->config = xcalloc(1, e->opt->field + sizeof(struct opt_list)); /* the largest kind */
        rc = opt_value_set(e, OPT_FROM_FILE, value, set.arena, err);
        free(e->config);
    }
    free(set.entries);
    arena_free(set.arena);
    return rc;
}
