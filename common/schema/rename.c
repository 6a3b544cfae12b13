/* Where a name of a table can stand. In a table's definition: behind TABLE and REFERENCES, and as
 * `db`.`name` anywhere, since columns are bare there. In a view: behind FROM and JOIN, and before a
 * column as `db`.`table`.`column`; servers print columns of tables in this or the form
 * `alias`.`column`, so two parts elsewhere are no table. */
#include "common/schema/rename.h"

#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "common/schema/ddl_text.h"

#include <string.h>
#include <strings.h>

struct renamer {
    struct ddl_text d;
    const struct rename_params *p;
};

struct name_at { /* one or two tokens that name a table */
    struct ddl_span span;
    const char *db, *table;       /* on the source */
    const char *to_db, *to_table; /* on the target */
    bool qualified, moved;
};

static bool name_here(const struct renamer *r, size_t i)
{
    return i < r->d.count && token_is_name(ddl_token(&r->d, i));
}

static bool dot_here(const struct renamer *r, size_t i)
{
    return i < r->d.count && ddl_is(&r->d, i, ".");
}

/* false: no name stands at token `i`. */
static bool name_read(const struct renamer *r, size_t i, struct name_at *n)
{
    if (!name_here(r, i))
        return false;
    n->qualified = dot_here(r, i + 1) && name_here(r, i + 2);
    n->db = n->qualified ? ddl_value(&r->d, i) : r->p->db;
    n->table = ddl_value(&r->d, n->qualified ? i + 2 : i);
    n->span = (struct ddl_span){i, i + (n->qualified ? 3 : 1)};
    route_table(r->p->route, n->db, n->table, &n->to_db, &n->to_table);
    n->moved = strcmp(n->db, n->to_db) != 0 || strcmp(n->table, n->to_table) != 0;
    return true;
}

static void name_replace(struct renamer *r, struct ddl_span span, const char *db, const char *table,
                         const char *alias)
{
    struct strbuf sb = {0};

    if (db && table)
        strbuf_add_table(&sb, db, table);
    else
        strbuf_add_ident(&sb, db ? db : table);
    if (alias) {
        strbuf_addstr(&sb, " AS ");
        strbuf_add_ident(&sb, alias);
    }
    ddl_replace(&r->d, span, arena_memdup(r->d.arena, strbuf_str(&sb), sb.len));
    strbuf_release(&sb);
}

/* The object's own name behind the word; it is always written with its database. */
static enum err_code name_own(struct renamer *r, const char *word, size_t *behind, struct err *err)
{
    struct name_at n;
    size_t i = 0;

    while (i < r->d.count && !ddl_is(&r->d, i, word))
        i++;
    i++;
    i += ddl_words(&r->d, i, "IF NOT EXISTS");
    if (!name_read(r, i, &n))
        return ddl_unexpected(&r->d, i, word, err);
    name_replace(r, n.span, n.to_db, n.to_table, NULL);
    *behind = n.span.end;
    return ERR_OK;
}

static enum err_code rename_table(struct renamer *r, const char *word, struct err *err)
{
    struct name_at n;
    size_t i = 0;

    if (name_own(r, word, &i, err))
        return err->code;
    for (; i < r->d.count; i++) {
        bool reference = ddl_is(&r->d, i, "REFERENCES");

        if (reference && name_read(r, i + 1, &n)) {
            name_replace(r, n.span, n.to_db, n.to_table, NULL);
            i = n.span.end - 1;
        } else if (!reference && name_read(r, i, &n) && n.qualified) {
            if (n.moved)
                name_replace(r, n.span, n.to_db, n.to_table, NULL);
            i = n.span.end - 1;
        }
    }
    return ERR_OK;
}

/* ---- views ---- */

/* FROM of TRIM(x FROM y) and the like. */
static bool from_of_function(const struct renamer *r, size_t from)
{
    static const char *const words[] = {"TRIM", "EXTRACT", "SUBSTRING", "SUBSTR", "MID"};
    size_t depth = 0;

    for (size_t i = from; i > 1; i--) {
        depth += ddl_is(&r->d, i - 1, ")");
        if (!ddl_is(&r->d, i - 1, "("))
            continue;
        if (depth > 0) {
            depth--;
            continue;
        }
        for (size_t w = 0; w < sizeof words / sizeof *words; w++)
            if (ddl_is(&r->d, i - 2, words[w]))
                return true;
        return false;
    }
    return false;
}

/* WITH `name` AS (SELECT: no table. */
static bool name_of_with(const struct renamer *r, const char *name)
{
    for (size_t i = 0; i + 3 < r->d.count; i++)
        if (name_here(r, i) && ddl_is(&r->d, i + 1, "AS") && ddl_is(&r->d, i + 2, "(") &&
            (ddl_is(&r->d, i + 3, "SELECT") || ddl_is(&r->d, i + 3, "WITH") ||
             ddl_is(&r->d, i + 3, "(")) &&
            strcasecmp(ddl_value(&r->d, i), name) == 0)
            return true;
    return false;
}

/* A table of a FROM at token `i`. Under another name it keeps its old one as an alias, so that its
 * columns are found. The token behind it is returned. */
static size_t rename_from(struct renamer *r, size_t i)
{
    struct name_at n;
    bool aliased;

    if (ddl_is(&r->d, i, "SELECT") || !name_read(r, i, &n))
        return i;
    aliased = ddl_is(&r->d, n.span.end, "AS") ||
              (n.span.end < r->d.count && ddl_token(&r->d, n.span.end)->kind == TOKEN_NAME);
    if (!n.moved || (!n.qualified && name_of_with(r, n.table)))
        return n.span.end;
    name_replace(r, n.span, n.to_db, n.to_table,
                 !aliased && strcmp(n.table, n.to_table) != 0 ? n.table : NULL);
    return n.span.end;
}

/* `db`.`table`.`column`: true if it is one. */
static bool rename_column(struct renamer *r, size_t i)
{
    struct name_at n;

    if (!name_read(r, i, &n) || !n.qualified || !dot_here(r, i + 3))
        return false;
    if (n.moved && strcmp(n.table, n.to_table) == 0)
        name_replace(r, n.span, n.to_db, n.to_table, NULL);
    else if (n.moved)
        name_replace(r, n.span, NULL, n.table, NULL); /* the alias */
    return true;
}

/* `db`.`function`( of a database that moves as a whole. */
static void rename_function(struct renamer *r, size_t i)
{
    const char *db, *to;

    if (!name_here(r, i) || !dot_here(r, i + 1) || !name_here(r, i + 2) ||
        !ddl_is(&r->d, i + 3, "("))
        return;
    db = ddl_value(&r->d, i);
    to = route_database(r->p->route, db);
    if (strcmp(db, to) != 0)
        name_replace(r, (struct ddl_span){i, i + 1}, to, NULL, NULL);
}

static enum err_code rename_view(struct renamer *r, struct err *err)
{
    size_t i = 0;

    if (name_own(r, "VIEW", &i, err))
        return err->code;
    while (i < r->d.count) {
        bool table = ddl_is(&r->d, i, "JOIN") || ddl_is(&r->d, i, "STRAIGHT_JOIN") ||
                     (ddl_is(&r->d, i, "FROM") && !from_of_function(r, i));

        if (table) {
            for (i++; ddl_is(&r->d, i, "("); i++)
                continue;
            i = rename_from(r, i);
        } else if (rename_column(r, i)) {
            i += 5;
        } else {
            rename_function(r, i);
            i += name_here(r, i) && dot_here(r, i + 1) ? 3 : 1;
        }
    }
    return ERR_OK;
}

static enum err_code rename_database(struct renamer *r, struct err *err)
{
    size_t i = 2 + ddl_words(&r->d, 2, "IF NOT EXISTS");

    if (!name_here(r, i))
        return ddl_unexpected(&r->d, i, "CREATE DATABASE", err);
    name_replace(r, (struct ddl_span){i, i + 1}, route_database(r->p->route, ddl_value(&r->d, i)),
                 NULL, NULL);
    return ERR_OK;
}

enum err_code rename_definition(const char *sql, const struct rename_params *p, struct strbuf *out,
                                struct err *err)
{
    const struct ddl_target target = {.vendor = p->flavour->vendor, .same_vendor = true};
    struct renamer r = {.p = p};
    struct arena *arena = arena_new();
    enum err_code rc = ddl_text_init(&r.d, sql, p->flavour, arena, err);

    if (!rc && p->kind == OBJECT_DATABASE)
        rc = rename_database(&r, err);
    else if (!rc && p->kind == OBJECT_VIEW)
        rc = rename_view(&r, err);
    else if (!rc)
        rc = rename_table(&r, p->kind == OBJECT_SEQUENCE ? "SEQUENCE" : "TABLE", err);
    if (!rc)
        ddl_write(&r.d, (struct ddl_span){0, r.d.count}, target, out);
    arena_free(arena);
    return rc;
}
