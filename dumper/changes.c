#include "dumper/changes.h"

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "dumper/skip.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct table_id {
    char *db, *name;
    uint64_t id; /* of all its partitions together */
};
struct table_ids { /* by database and name */
    struct table_id *list;
    size_t count, cap;
    bool read;
    bool spaces; /* ids of tablespaces that hold a table each */
};
struct changes {
    struct table_ids before;
    struct strbuf means; /* of the epoch */
    /* of the check under way */
    struct dump_run *run;
    struct strbuf why_not; /* means that are not at hand, and why */
    size_t found;
    char *first; /* message of the first table */
};

static void ids_release(struct table_ids *ids)
{
    for (size_t i = 0; i < ids->count; i++) {
        free(ids->list[i].db);
        free(ids->list[i].name);
    }
    free(ids->list);
    *ids = (struct table_ids){0};
}

struct changes *changes_new(void)
{
    return xcalloc(1, sizeof(struct changes));
}

void changes_free(struct changes *c)
{
    if (!c)
        return;
    ids_release(&c->before);
    strbuf_release(&c->means);
    strbuf_release(&c->why_not);
    free(c->first);
    free(c);
}

const char *dumper_changes_means(const struct dump_run *run)
{
    return run->changes->means.len ? strbuf_str(&run->changes->means) : NULL;
}

/* ---- table ids ---- */

static int ids_compare(const void *a, const void *b)
{
    const struct table_id *x = a;
    const struct table_id *y = b;
    int order = strcmp(x->db, y->db);

    return order ? order : strcmp(x->name, y->name);
}

static const struct table_id *ids_find(const struct table_ids *ids, const char *db,
                                       const char *name)
{
    const struct table_id key = {.db = (char *)(uintptr_t)db, .name = (char *)(uintptr_t)name};

    return ids->count ? bsearch(&key, ids->list, ids->count, sizeof(key), ids_compare) : NULL;
}

/* Several rows of one table are its partitions: their ids become one, in any order. */
static void ids_fold(struct table_ids *ids)
{
    size_t kept = 0;

    if (ids->count)
        qsort(ids->list, ids->count, sizeof(*ids->list), ids_compare);
    for (size_t i = 0; i < ids->count; i++) {
        struct table_id *last = kept ? &ids->list[kept - 1] : NULL;

        if (last && ids_compare(last, &ids->list[i]) == 0) {
            last->id += ids->list[i].id;
            free(ids->list[i].db);
            free(ids->list[i].name);
        } else {
            ids->list[kept++] = ids->list[i];
        }
    }
    ids->count = kept;
}

/* One part of a name as InnoDB has it, which is a file's: '@' and four hex digits are a character.
 * Some letters are '@' and two others: such names are left out. Stops at the '#' of a partition. */
static bool ids_decode(const char **at, struct strbuf *out)
{
    const char *s = *at;

    strbuf_reset(out);
    for (; *s && *s != '/' && *s != '#'; s++) {
        char hex[5] = {0};
        char *end;
        unsigned long c;

        if (*s != '@') {
            strbuf_addch(out, *s);
            continue;
        }
        memcpy(hex, s + 1, strnlen(s + 1, 4));
        c = strtoul(hex, &end, 16);
        if (end != hex + 4)
            return false;
        if (c < 0x80) {
            strbuf_addch(out, (char)c);
        } else if (c < 0x800) {
            strbuf_addch(out, (char)(0xc0 | c >> 6));
            strbuf_addch(out, (char)(0x80 | (c & 0x3f)));
        } else {
            strbuf_addch(out, (char)(0xe0 | c >> 12));
            strbuf_addch(out, (char)(0x80 | (c >> 6 & 0x3f)));
            strbuf_addch(out, (char)(0x80 | (c & 0x3f)));
        }
        s += 4;
    }
    *at = s;
    return true;
}

/* Which partition has which id matters, too: a hash of both. */
static uint64_t ids_mix(const char *text, uint64_t id)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return (h ^ id) * UINT64_C(0x9e3779b97f4a7c15);
}

/* Takes both names over. */
static void ids_add(struct table_ids *ids, struct strbuf *db, struct strbuf *name, uint64_t id)
{
    if (ids->count == ids->cap) {
        ids->cap = ids->cap ? ids->cap * 2 : 64;
        ids->list = xreallocarray(ids->list, ids->cap, sizeof(*ids->list));
    }
    ids->list[ids->count++] = (struct table_id){strbuf_detach(db), strbuf_detach(name), id};
}

/* "db/table" or "db/table#p#partition". */
static void ids_row(struct table_ids *ids, const struct dump_run *run, const char *name,
                    uint64_t id)
{
    struct strbuf db = {0};
    struct strbuf table = {0};
    const char *at = name;
    bool good = ids_decode(&at, &db) && *at == '/';

    if (good) {
        at++;
        good = ids_decode(&at, &table);
    }
    if (good && schema_find(run->plan.schema, strbuf_str(&db), strbuf_str(&table)))
        ids_add(ids, &db, &table, ids_mix(at, id));
    strbuf_release(&db);
    strbuf_release(&table);
}

/* As the dictionary has it, not a file's: "db/table", "db/table#p#partition". A name that holds a
 * mark of these itself is not found, or stands for a partition. */
static void ids_space_row(struct table_ids *ids, const struct dump_run *run, const char *name,
                          uint64_t id)
{
    const char *slash = strchr(name, '/');
    const char *end = slash ? strstr(slash, "#p#") : NULL;
    struct strbuf db = {0};
    struct strbuf table = {0};

    if (!slash)
        return;
    if (!end) /* MySQL 8.0.16 and before */
        end = strstr(slash, "#P#");
    if (!end)
        end = name + strlen(name);
    strbuf_add(&db, name, (size_t)(slash - name));
    strbuf_add(&table, slash + 1, (size_t)(end - slash - 1));
    if (schema_find(run->plan.schema, strbuf_str(&db), strbuf_str(&table)))
        ids_add(ids, &db, &table, ids_mix(end, id));
    strbuf_release(&db);
    strbuf_release(&table);
}

typedef void ids_row_fn(struct table_ids *ids, const struct dump_run *run, const char *name,
                        uint64_t id);

/* Without the right to see them: read false, and no error. */
static enum err_code ids_query(struct dump_run *run, const char *sql, ids_row_fn *add,
                               struct table_ids *ids, struct err *err)
{
    struct result *r = NULL;
    struct row row;
    bool more = true;
    enum err_code rc = conn_queryz(run->control, sql, &r, err);

    if (rc && conn_usable(run->control)) {
        err_clear(err);
        return ERR_OK;
    }
    while (!rc && more) {
        rc = result_next(r, &row, &more, err);
        if (!rc && more && row.cell[0] && row.cell[1])
            add(ids, run, row.cell[0], strtoull(row.cell[1], NULL, 10));
    }
    result_free(r);
    ids_fold(ids);
    ids->read = !rc && ids->count;
    return rc;
}

/* All tables that have ids are among them. */
static bool ids_complete(const struct table_ids *ids, const struct dump_run *run)
{
    for (size_t i = 0; i < run->plan.count; i++) {
        const struct table *t = run->plan.tables[i].table;

        if (t->engine && strcasecmp(t->engine, "InnoDB") == 0 && !ids_find(ids, t->db, t->name))
            return false;
    }
    return true;
}

/* MySQL 8 opens every table of the server to say its id, which takes seconds. Its dictionary has
 * the ids of tablespaces at hand: a table's own gets a new one whenever the table gets one. */
static enum err_code ids_read_spaces(struct dump_run *run, struct table_ids *ids, struct err *err)
{
    enum err_code rc =
        ids_query(run, "SELECT NAME, SPACE FROM information_schema.INNODB_TABLESPACES_BRIEF",
                  ids_space_row, ids, err);

    ids->spaces = ids->read;
    return rc;
}

static enum err_code ids_read(struct dump_run *run, struct table_ids *ids, struct err *err)
{
    return ids_query(run,
                     flavour_at_least(&run->flavour, VENDOR_MYSQL, 80000)
                         ? "SELECT NAME, TABLE_ID FROM information_schema.INNODB_TABLES"
                         : "SELECT NAME, TABLE_ID FROM information_schema.INNODB_SYS_TABLES",
                     ids_row, ids, err);
}

enum err_code dumper_changes_begin(struct dump_run *run, struct err *err)
{
    struct table_ids ids = {0};
    enum err_code rc = ERR_OK;

    if (flavour_at_least(&run->flavour, VENDOR_MYSQL, 80000))
        rc = ids_read_spaces(run, &ids, err);
    if (!rc && !(ids.read && ids_complete(&ids, run))) { /* tables in a common tablespace */
        ids_release(&ids);
        rc = ids_read(run, &ids, err);
    }
    if (rc) {
        ids_release(&ids);
        return rc;
    }
    ids_release(&run->changes->before);
    run->changes->before = ids;
    return ERR_OK;
}

/* ---- what was changed ---- */

/* Of the rows of this epoch; what others have read was looked at then. */
static bool changes_concern(const struct dump_run *run, const struct ledger_table *l)
{
    return l->recorded && l->is_table && !l->left_out && !l->was_left_out && !l->under_lock &&
           l->to == run->epoch;
}

static void changes_mark(struct changes *c, struct ledger_table *l, const char *why)
{
    struct strbuf text = {0};

    if (l->changed)
        return;
    l->changed = true;
    c->found++;
    strbuf_addf(&text, "'%s.%s' was altered, renamed or replaced while the dump read it (%s)",
                l->db, l->name, why);
    log_event(LOG_ERROR, "dump.table.changed", F_STR("db", l->db), F_STR("table", l->name),
              F_STR("cause", why),
              F_STR("message", "altered, renamed or replaced while the dump read it"));
    if (!c->first)
        c->first = strbuf_detach(&text);
    strbuf_release(&text);
}

static void changes_means(struct changes *c, const char *means)
{
    strbuf_addf(&c->means, "%s%s", c->means.len ? ", " : "", means);
}

static void changes_missing(struct changes *c, const char *means, const char *why)
{
    strbuf_addf(&c->why_not, "%s%s (%s)", c->why_not.len ? ", " : "", means, why);
}

static void changes_compare_ids(struct changes *c, const struct table_ids *now)
{
    const struct ledger *ledger = c->run->ledger;
    struct strbuf unseen = {0};
    size_t unseen_count = 0;

    for (size_t i = 0; i < ledger->table_count; i++) {
        struct ledger_table *l = ledger->tables[i];
        const struct table_id *before = ids_find(&c->before, l->db, l->name);
        const struct table_id *after = ids_find(now, l->db, l->name);

        if (!changes_concern(c->run, l))
            continue;
        if (before && (!after || after->id != before->id))
            changes_mark(c, l, "it has another table id");
        else if (!before && !unseen_count++)
            strbuf_add_name(&unseen, l->db, l->name);
    }
    changes_means(c, "table ids");
    if (unseen_count > 1)
        strbuf_addf(&unseen, " and %zu more", unseen_count - 1);
    if (unseen_count)
        changes_missing(c, "table ids of some", strbuf_str(&unseen));
    strbuf_release(&unseen);
}

static enum err_code changes_by_ids(struct changes *c, struct err *err)
{
    struct dump_run *run = c->run;
    struct table_ids now = {0};
    enum err_code rc = ERR_OK;

    if (c->before.spaces)
        rc = ids_read_spaces(run, &now, err);
    else if (c->before.read)
        rc = ids_read(run, &now, err);
    if (!rc && (!c->before.read || !now.read)) {
        changes_missing(c, "table ids", "they need the PROCESS privilege, and InnoDB");
    } else if (!rc) {
        changes_compare_ids(c, &now);
    }
    ids_release(&now);
    return rc;
}

static enum err_code changes_by_definition(struct changes *c, struct err *err)
{
    struct dump_run *run = c->run;
    enum err_code rc = ERR_OK;

    for (size_t i = 0; !rc && i < run->ledger->table_count && !dumper_stopped(run); i++) {
        struct ledger_table *l = run->ledger->tables[i];
        const struct table *t = schema_find(run->plan.schema, l->db, l->name);
        bool same = false;

        if (!changes_concern(run, l) || !l->sha256 || !t)
            continue;
        rc = dumper_same_definition(run, t, l->sha256, &same, err);
        if (!rc && !same)
            changes_mark(c, l, "it has another definition");
    }
    if (!rc)
        changes_means(c, "definitions");
    return rc;
}

static void changes_name(void *ctx, const char *db, const char *table, const char *where)
{
    struct changes *c = ctx;
    const struct ledger *ledger = c->run->ledger;

    for (size_t i = 0; i < ledger->table_count; i++) {
        struct ledger_table *l = ledger->tables[i];

        if (strcasecmp(l->db, db) == 0 && (!table || strcasecmp(l->name, table) == 0) &&
            changes_concern(c->run, l))
            changes_mark(c, l, where);
    }
}

static enum err_code changes_by_binlog(struct changes *c, struct err *err)
{
    const struct ledger *l = c->run->ledger;
    const struct epoch_record *e = l->epochs > 1 ? &l->last : &l->first;
    const struct position from = {e->log_file, e->log_pos, e->gtid};
    struct strbuf why = {0};
    bool read = false;
    enum err_code rc = dumper_binlog_ddl(c->run->control, &from, changes_name, c, &read, &why, err);

    if (!rc && read)
        changes_means(c, "binlog");
    else if (!rc)
        changes_missing(c, "binlog", strbuf_str(&why));
    strbuf_release(&why);
    return rc;
}

static enum err_code changes_look(struct changes *c, struct err *err)
{
    struct dump_run *run = c->run;
    const bool held = dumper_has_snapshots(run) && !run->lost.code;
    enum err_code rc = changes_by_ids(c, err);

    if (!rc)
        rc = changes_by_binlog(c, err);
    if (!rc && (!held || !c->before.read))
        rc = changes_by_definition(c, err);
    return rc;
}

/* ---- what is done about it ---- */

static enum err_code changes_void(struct changes *c, struct err *err)
{
    struct dump_run *run = c->run;
    /* without snapshots another epoch may always follow; with them only if nothing has moved */
    const bool leave = run->config->skip_tables && dumper_has_snapshots(run);
    enum err_code rc = ERR_OK;

    for (size_t i = 0; !rc && i < run->ledger->table_count; i++) {
        struct ledger_table *l = run->ledger->tables[i];

        if (!l->changed)
            continue;
        if (leave) {
            l->left_out = xstrdup(c->first);
            run->left_out++;
            rc = dumper_leave_table_out(run, l, err);
        } else {
            rc = dumper_table_void(run, l, err);
        }
    }
    if (rc || leave)
        return rc;
    rc = err_set(err, ERR_DUMP_TABLE, "%s", c->first);
    return c->found > 1 ? err_wrap(err, "and %zu other tables", c->found - 1) : rc;
}

static enum err_code changes_record(struct changes *c, struct err *err)
{
    struct dump_run *run = c->run;
    struct record r = {.kind = RECORD_CHECKED,
                       .u.checked = {.optional = true, .epoch = run->epoch}};
    enum err_code rc;

    if (!c->means.len)
        strbuf_addstr(&c->means, "nothing");
    if (c->why_not.len)
        strbuf_addf(&c->means, "; not by %s", strbuf_str(&c->why_not));
    r.u.checked.means = xstrdup(strbuf_str(&c->means));
    rc = manifest_append(run->manifest, &r, err);
    record_release(&r);
    if (!rc)
        rc = manifest_flush(run->manifest, err);
    run->ledger->checked = run->epoch;
    return rc;
}

enum err_code dumper_changes_end(struct dump_run *run, struct err *err)
{
    struct changes *c = run->changes;
    enum err_code rc = ERR_OK;

    if (run->ledger->checked == run->epoch || run->config->no_data)
        return ERR_OK;
    for (size_t i = 0; i < run->plan.locked; i++)
        run->plan.tables[i].ledger->under_lock = run->plan.tables[i].ledger->done;
    c->run = run;
    c->found = 0;
    free(c->first);
    c->first = NULL;
    strbuf_reset(&c->means);
    strbuf_reset(&c->why_not);
    if (!conn_usable(run->control)) {
        conn_close(run->control);
        run->control = NULL;
        rc = conn_open(run->source, CONN_SOURCE, "dump", &run->control, err);
    }
    if (!rc)
        rc = changes_look(c, err);
    if (!rc && c->found)
        rc = changes_void(c, err);
    if (!rc && !dumper_stopped(run))
        rc = changes_record(c, err);
    return rc;
}
