#include "formats/file_names.h"

#include "common/base/bytes.h"
#include "common/base/mem.h"
#include "common/store/codec.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NAME_MAX_BYTES ((size_t)255) /* of one part of a path, on the usual file systems */
#define NUMBER_DIGITS 9

/* What stands between the names and ".sql". Longer ones come before those they end in. "-trigger"
 * without the s: mydumper's "-schema-triggers" would be taken for rows by TiDB Lightning. */
struct name_suffix {
    const char *text;
    enum file_kind kind;
    bool has_table, may_lack_table;
};
#define SEQUENCE_EXT "ddl"
static const struct name_suffix suffixes[] = {
    {"-schema-create", FILE_DATABASE, false, false},
    {"-schema-post", FILE_POST, false, false},
    {"-schema-view", FILE_VIEW, true, false},
    {"-schema-trigger", FILE_TRIGGERS, true, true},
    {"-schema-triggers", FILE_TRIGGERS, true, true},
    {"-schema-sequence", FILE_SEQUENCE, true, false},
    {"-schema", FILE_TABLE, true, false},
};
#define SUFFIX_COUNT (sizeof suffixes / sizeof suffixes[0])
#define LONGEST_SUFFIX "-schema-sequence.sql.zst"

static void percent_put(struct strbuf *out, unsigned char c)
{
    strbuf_addf(out, "%%%02X", (unsigned)c);
}

void file_name_escape(struct strbuf *out, const char *name)
{
    for (const char *at = name; *at; at++) {
        unsigned char c = (unsigned char)*at;

        if (c < 0x20 || strchr("%\"*./:<>?\\|", c) ||
            (c == '-' && strncasecmp(at + 1, "schema", 6) == 0))
            percent_put(out, c);
        else
            strbuf_addch(out, (char)c);
    }
}

static void names_put(struct strbuf *out, const char *db, const char *table)
{
    file_name_escape(out, db);
    if (!table)
        return;
    strbuf_addch(out, '.');
    file_name_escape(out, table);
}

void file_name_schema(struct strbuf *out, enum file_kind kind, const char *db, const char *table,
                      const char *compression_ext)
{
    const char *suffix = "";

    for (size_t i = 0; i < SUFFIX_COUNT; i++) {
        if (suffixes[i].kind != kind)
            continue;
        suffix = suffixes[i].text;
        break;
    }
    names_put(out, db, table);
    strbuf_addf(out, "%s.%s%s", suffix, kind == FILE_SEQUENCE ? SEQUENCE_EXT : "sql",
                compression_ext);
}

void file_name_data(struct strbuf *out, const char *db, const char *table, uint64_t number,
                    const char *ext, const char *compression_ext)
{
    names_put(out, db, table);
    strbuf_addf(out, ".%0*" PRIu64 ".%s%s", NUMBER_DIGITS, number, ext, compression_ext);
}

void file_name_segment(struct strbuf *out, uint64_t number)
{
    strbuf_addf(out, BINLOG_FOLDER "%06" PRIu64 ".binlog.zst", number);
}

void file_name_charset(struct strbuf *out, const char *charset)
{
    strbuf_addstr(out, BINLOG_FOLDER);
    strbuf_addstr(out, charset);
    strbuf_addstr(out, ".charset.zst");
}

enum err_code file_name_fits(const char *db, const char *table, struct err *err)
{
    struct strbuf name = {0};
    size_t len;

    names_put(&name, db, table);
    len = name.len + sizeof LONGEST_SUFFIX - 1;
    strbuf_release(&name);
    if (len <= NAME_MAX_BYTES)
        return ERR_OK;
    return err_set(err, ERR_LIMIT,
                   "the names of '%s%s%s' make a file name of %zu bytes, a file system takes %zu",
                   db, table ? "." : "", table ? table : "", len, NAME_MAX_BYTES);
}

/* "%2E" back to "."; a '%' without two hex digits stays, as TiDB Lightning reads it. NULL: nothing
 * is left, or a NUL byte comes out. */
static char *name_unescape(const char *text, size_t len)
{
    char *name = xmalloc(len + 1);
    size_t out = 0;
    bool bad = len == 0;

    for (size_t i = 0; i < len; i++) {
        int high = i + 2 < len ? bytes_hex_value(text[i + 1]) : -1;
        int low = i + 2 < len ? bytes_hex_value(text[i + 2]) : -1;

        if (text[i] != '%' || high < 0 || low < 0) {
            name[out++] = text[i];
            continue;
        }
        bad = bad || (high == 0 && low == 0);
        name[out++] = (char)(high << 4 | low);
        i += 2;
    }
    name[out] = '\0';
    if (!bad)
        return name;
    free(name);
    return NULL;
}

/* Cuts `ending` off. false: there is none. */
static bool ending_cut(const char *text, size_t *len, const char *ending)
{
    size_t size = strlen(ending);

    if (*len < size || memcmp(text + *len - size, ending, size) != 0)
        return false;
    *len -= size;
    return true;
}

/* "DB" or "DB.TABLE" of `len` bytes; false: neither, and nothing was set. */
static bool names_parse(const char *text, size_t len, bool has_table, struct file_name *out)
{
    const char *dot = memchr(text, '.', len);
    size_t db_len = dot ? (size_t)(dot - text) : len;
    char *db;
    char *table = NULL;

    if (has_table != (dot != NULL) || memchr(text, '/', len))
        return false;
    db = name_unescape(text, db_len);
    if (dot && !memchr(dot + 1, '.', len - db_len - 1))
        table = name_unescape(dot + 1, len - db_len - 1);
    if (!db || (has_table && !table)) {
        free(db);
        free(table);
        return false;
    }
    out->db = db;
    out->table = table;
    return true;
}

/* true: the name ends as a schema file's does; `out->kind` says whether its names are right. */
static bool schema_parse(const char *path, size_t len, struct file_name *out)
{
    for (size_t i = 0; i < SUFFIX_COUNT; i++) {
        const struct name_suffix *s = &suffixes[i];
        size_t rest = len;

        if (!ending_cut(path, &rest, s->text))
            continue;
        if (names_parse(path, rest, s->has_table, out) ||
            (s->may_lack_table && names_parse(path, rest, false, out)))
            out->kind = s->kind;
        return true;
    }
    return false;
}

/* Cuts ".000000001" off; without it the number is 0. */
static bool number_cut(const char *path, size_t *len, uint64_t *number)
{
    size_t start = *len;

    while (start > 0 && isdigit((unsigned char)path[start - 1]))
        start--;
    *number = 0;
    if (start == *len || start == 0 || path[start - 1] != '.' ||
        !memchr(path, '.', start - 1)) /* "db.123.sql": a table called 123 */
        return true;
    errno = 0;
    *number = strtoull(path + start, NULL, 10);
    *len = start - 1;
    return errno == 0;
}

static void dump_file_parse(const char *path, struct file_name *out)
{
    static const char *const extensions[] = {"sql", "csv", SEQUENCE_EXT};
    size_t len = strlen(path);

    (void)ending_cut(path, &len, codec_of_path(path)->extension);
    for (size_t i = 0; i < sizeof extensions / sizeof extensions[0]; i++) {
        size_t rest = len;

        if (!ending_cut(path, &rest, extensions[i]) || !ending_cut(path, &rest, "."))
            continue;
        if (i == 2) { /* of sequences only */
            if (ending_cut(path, &rest, "-schema-sequence") && names_parse(path, rest, true, out))
                out->kind = FILE_SEQUENCE;
            return;
        }
        if (!(i == 0 && schema_parse(path, rest, out)) && number_cut(path, &rest, &out->number) &&
            names_parse(path, rest, true, out))
            out->kind = FILE_DATA;
        out->extension = extensions[i];
        return;
    }
}

void file_name_parse(const char *path, struct file_name *out)
{
    memset(out, 0, sizeof *out);
    if (strcmp(path, METADATA_FILE) == 0)
        out->kind = FILE_METADATA;
    else if (strcmp(path, LOCK_FILE) == 0)
        out->kind = FILE_LOCK;
    else if (strncmp(path, MANIFEST_FOLDER, sizeof MANIFEST_FOLDER - 1) == 0)
        out->kind = FILE_MANIFEST;
    else if (strncmp(path, BINLOG_FOLDER, sizeof BINLOG_FOLDER - 1) == 0)
        out->kind = FILE_BINLOG;
    else
        dump_file_parse(path, out);
}

void file_name_release(struct file_name *n)
{
    free(n->db);
    free(n->table);
    memset(n, 0, sizeof *n);
}
