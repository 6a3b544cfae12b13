/* Columns in forms that are the same on every server.
 *
 * A row becomes one text for the servers to hash: its columns, each text and bytes with its length
 * behind it ('N' for NULL). One text that is never NULL stands in front, without a length. Read
 * from the right, the whole can be taken apart in one way only, what is left being that first text,
 * so two rows have one text only if they are equal. The binary separator makes the whole binary: no
 * collation has a say. What the servers print differently (FLOAT, DOUBLE, JSON, vectors) is
 * fetched and joined to the hash here. */
#include "verify/compare_inner.h"

#include "common/base/mem.h"
#include "common/mysql/ident.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define CRC_FACTOR "1566083941" /* odd; times any CRC32 below 2^63 */
#define PLAIN_TEXTS 8 /* of 64 KiB each, in a row's text; more are hashed one by one first */

static enum family column_family_of(const struct column *c)
{
    switch (c->type) {
    case TYPE_TINYINT:
    case TYPE_SMALLINT:
    case TYPE_MEDIUMINT:
    case TYPE_INT:
    case TYPE_BIGINT:
        return FAMILY_INTEGER;
    case TYPE_DECIMAL:
        return FAMILY_DECIMAL;
    case TYPE_FLOAT:
    case TYPE_DOUBLE:
        return FAMILY_REAL;
    case TYPE_BIT:
        return FAMILY_BIT;
    case TYPE_DATE:
        return FAMILY_DATE;
    case TYPE_TIME:
        return FAMILY_TIME;
    case TYPE_DATETIME:
    case TYPE_TIMESTAMP:
        return FAMILY_DATETIME;
    case TYPE_YEAR:
        return FAMILY_YEAR;
    case TYPE_CHAR:
    case TYPE_VARCHAR:
    case TYPE_TINYTEXT:
    case TYPE_TEXT:
    case TYPE_MEDIUMTEXT:
    case TYPE_LONGTEXT:
    case TYPE_ENUM:
    case TYPE_SET:
    case TYPE_UUID:
    case TYPE_INET4:
    case TYPE_INET6:
        return FAMILY_TEXT;
    case TYPE_BINARY:
    case TYPE_VARBINARY:
    case TYPE_TINYBLOB:
    case TYPE_BLOB:
    case TYPE_MEDIUMBLOB:
    case TYPE_LONGBLOB:
    case TYPE_GEOMETRY:
        return FAMILY_BYTES;
    case TYPE_JSON:
        return FAMILY_JSON;
    case TYPE_VECTOR:
        return FAMILY_VECTOR;
    case TYPE_OTHER:
    case TYPE_COUNT:
        break;
    }
    return FAMILY_NONE;
}

enum family column_family(const struct column *a, const struct column *b)
{
    enum family x = column_family_of(a);
    enum family y = column_family_of(b);

    if ((x == FAMILY_JSON && y == FAMILY_TEXT) || (x == FAMILY_TEXT && y == FAMILY_JSON))
        return FAMILY_JSON;
    return x == y ? x : FAMILY_NONE;
}

static bool column_is_long(const struct column *c)
{
    return c->type == TYPE_MEDIUMTEXT || c->type == TYPE_LONGTEXT || c->type == TYPE_MEDIUMBLOB ||
           c->type == TYPE_LONGBLOB || c->type == TYPE_GEOMETRY;
}

static bool column_is_large(const struct column *c)
{
    return c->type == TYPE_TEXT || c->type == TYPE_BLOB;
}

/* Zeros that make the fraction of a temporal value as long as the other side's. */
static void fraction_padded(const struct column *c, const struct column *other, struct strbuf *out)
{
    if (other->fsp <= c->fsp) {
        strbuf_add_ident(out, c->name);
        return;
    }
    strbuf_addstr(out, "CONCAT(");
    strbuf_add_ident(out, c->name);
    strbuf_addstr(out, c->fsp ? ",'" : ",'.");
    for (unsigned i = c->fsp; i < other->fsp; i++)
        strbuf_addch(out, '0');
    strbuf_addstr(out, "')");
}

/* The value as it is read; `bytes`: its text as UTF-8 bytes for a hash. */
static void column_expr(const struct pair_column *p, enum side s, bool bytes, struct strbuf *out)
{
    const struct column *c = p->side[s];
    const struct column *other = p->side[!s];
    const struct flavour any = {0};

    if (p->family == FAMILY_DECIMAL && c->scale < other->scale) {
        strbuf_addstr(out, "CAST(");
        strbuf_add_ident(out, c->name);
        strbuf_addf(out, " AS DECIMAL(65,%u))", other->scale);
    } else if (p->family == FAMILY_REAL) {
        strbuf_add_ident(out, c->name);
        strbuf_addstr(out, "*1e0");
    } else if (p->family == FAMILY_BIT || c->zerofill) {
        strbuf_add_ident(out, c->name);
        strbuf_addstr(out, "+0");
    } else if (p->family == FAMILY_TIME || p->family == FAMILY_DATETIME) {
        fraction_padded(c, other, out);
    } else if (p->family == FAMILY_TEXT && !c->charset) { /* UUID, INET */
        strbuf_addstr(out, "CAST(");
        strbuf_add_ident(out, c->name);
        strbuf_addstr(out, " AS CHAR)");
    } else if (p->family == FAMILY_TEXT && bytes && strncmp(c->charset, "utf8", 4) != 0) {
        strbuf_addstr(out, "CONVERT(");
        strbuf_add_ident(out, c->name);
        strbuf_addstr(out, " USING utf8mb4)");
    } else {
        column_select_expr(c, &any, out);
    }
}

static bool family_is_measured(enum family f)
{
    return f == FAMILY_TEXT || f == FAMILY_BYTES;
}

/* What a column is in the row's text, with ',' in front; `bare`: without its length. */
static void column_hash_args(const struct pair_column *p, enum side s, bool bare,
                             struct strbuf *out)
{
    struct strbuf value = {0};
    const struct column *c = p->side[s];

    column_expr(p, s, true, &value);
    strbuf_addch(out, ',');
    if (p->hashed) {
        strbuf_addf(out, "IFNULL(SHA2(%s,256),'N')", strbuf_str(&value));
    } else if (family_is_measured(p->family) && !bare) {
        strbuf_addf(out, p->nullable ? "%s,IFNULL(LENGTH(%s),'N')" : "%s,LENGTH(%s)",
                    strbuf_str(&value), strbuf_str(&value));
    } else if (p->nullable) {
        strbuf_addf(out, "IFNULL(%s,'N')", strbuf_str(&value));
    } else {
        strbuf_addstr(out, strbuf_str(&value));
    }
    /* the error value of an ENUM that has a label '' */
    if (c->type == TYPE_ENUM && p->side[!s]->type == TYPE_ENUM &&
        (column_enum_has_empty(c) || column_enum_has_empty(p->side[!s]))) {
        strbuf_addstr(out, ",IFNULL(");
        strbuf_add_ident(out, c->name);
        strbuf_addstr(out, "+0=0,'N')");
    }
    strbuf_release(&value);
}

static char *expression_keep(struct compare *run, struct strbuf *sb)
{
    char *text = arena_memdup(run->arena, strbuf_str(sb), sb->len);

    strbuf_release(sb);
    return text;
}

/* The column whose text needs no length; column_count: none. The same on both sides. */
static unsigned pair_bare_column(const struct pair *p)
{
    for (unsigned i = p->column_count; i-- > 0;)
        if (family_is_measured(p->columns[i].family) && !p->columns[i].nullable &&
            !p->columns[i].hashed)
            return i;
    return p->column_count;
}

/* Two rows' CRC32s alone would cancel out in an exclusive or when two values of one length are
 * swapped between them, or when both are changed in the same way: CRC32 is linear. Its product with
 * a number is not: of a billion pairs of such changes none cancelled out. SHA-256 would take as
 * long as all the rest. Of a multiset more bits are taken, since its rows are known by them alone.
 */
static void pair_hash(struct compare *run, struct pair *p, enum side s)
{
    const bool strong = run->config->strong || !p->key[SOURCE_SIDE];
    const unsigned bare = pair_bare_column(p);
    struct strbuf args = {0};
    struct strbuf sb = {0};

    if (bare < p->column_count)
        column_hash_args(&p->columns[bare], s, true, &args);
    for (unsigned i = 0; i < p->column_count; i++)
        if (i != bare && !family_is_fetched(p->columns[i].family))
            column_hash_args(&p->columns[i], s, false, &args);
    if (!args.len)
        strbuf_addstr(&sb, "0"); /* all of it is fetched */
    else if (strong)
        strbuf_addf(&sb, "CAST(CONV(LEFT(SHA2(CONCAT_WS(x'2C'%s),256),16),16,10) AS UNSIGNED)",
                    strbuf_str(&args));
    else
        strbuf_addf(&sb, "CRC32(CONCAT_WS(x'2C'%s))*" CRC_FACTOR, strbuf_str(&args));
    strbuf_release(&args);
    p->hash[s] = expression_keep(run, &sb);
}

static void pair_from(struct compare *run, struct pair *p, enum side s)
{
    struct strbuf sb = {0};

    strbuf_addstr(&sb, " FROM ");
    strbuf_add_table(&sb, p->table[s]->db, p->table[s]->name);
    if (p->key[s]) {
        strbuf_addstr(&sb, " FORCE INDEX (");
        strbuf_add_ident(&sb, p->key[s]->name);
        strbuf_addch(&sb, ')');
    }
    p->from[s] = expression_keep(run, &sb);
}

static void pair_side(struct compare *run, struct pair *p, enum side s)
{
    struct strbuf digest = {0};
    struct strbuf keys = {0};
    struct strbuf rows = {0};
    struct strbuf bounds = {0};

    pair_hash(run, p, s);
    pair_from(run, p, s);
    strbuf_addstr(&digest, p->hash[s]);
    for (unsigned i = 0; i < p->column_count; i++) {
        const struct pair_column *c = &p->columns[i];

        if (i)
            strbuf_addch(&rows, ',');
        column_expr(c, s, false, &rows);
        if (family_is_fetched(c->family)) {
            strbuf_addch(&digest, ',');
            column_expr(c, s, false, &digest);
        }
    }
    for (unsigned i = 0; p->key[s] && i < p->key[s]->part_count; i++) {
        column_expr(&p->columns[p->key_columns[i]], s, false, &keys);
        strbuf_addch(&keys, ',');
        if (i)
            strbuf_addch(&bounds, ',');
        key_select_expr(p->columns[p->key_columns[i]].side[s], &bounds);
    }
    strbuf_addstr(&keys, strbuf_str(&digest));
    p->digest[s] = expression_keep(run, &digest);
    p->keys[s] = expression_keep(run, &keys);
    p->rows[s] = expression_keep(run, &rows);
    p->bounds[s] = expression_keep(run, &bounds);
}

void pair_expressions(struct compare *run, struct pair *p)
{
    unsigned plain = 0;

    p->fetched = 0;
    for (unsigned i = 0; i < p->column_count; i++) {
        struct pair_column *c = &p->columns[i];

        c->nullable = c->side[SOURCE_SIDE]->nullable || c->side[TARGET_SIDE]->nullable;
        if (family_is_fetched(c->family)) {
            p->fetched++;
            continue;
        }
        if (column_is_long(c->side[SOURCE_SIDE]) || column_is_long(c->side[TARGET_SIDE]))
            c->hashed = true;
        else if (column_is_large(c->side[SOURCE_SIDE]) || column_is_large(c->side[TARGET_SIDE]))
            c->hashed = ++plain > PLAIN_TEXTS;
    }
    pair_side(run, p, SOURCE_SIDE);
    pair_side(run, p, TARGET_SIDE);
}

void cell_normal(enum family f, const char *cell, size_t len, struct strbuf *out)
{
    char text[512] = "";
    double d;

    if (f == FAMILY_JSON) {
        json_normal(cell, len, out);
    } else if (f == FAMILY_REAL && len < sizeof text) {
        memcpy(text, cell, len);
        d = strtod(text, NULL);
        strbuf_add(out, &d, sizeof d);
    } else {
        strbuf_add(out, cell, len);
    }
}

bool cells_equal(enum family f, const char *a, size_t a_len, const char *b, size_t b_len)
{
    struct strbuf x = {0};
    struct strbuf y = {0};
    bool equal;

    if (!a || !b)
        return a == b;
    if (a_len == b_len && memcmp(a, b, a_len) == 0)
        return true;
    if (f != FAMILY_REAL && f != FAMILY_JSON)
        return false;
    cell_normal(f, a, a_len, &x);
    cell_normal(f, b, b_len, &y);
    equal = x.len == y.len && memcmp(strbuf_str(&x), strbuf_str(&y), x.len) == 0;
    strbuf_release(&x);
    strbuf_release(&y);
    return equal;
}

void cell_literal(const struct pair_column *c, const char *cell, size_t len, struct strbuf *out)
{
    const struct column *to = c->side[TARGET_SIDE];
    bool bare = c->family == FAMILY_INTEGER || c->family == FAMILY_DECIMAL ||
                c->family == FAMILY_BIT || c->family == FAMILY_YEAR;

    if (!cell)
        strbuf_addstr(out, "NULL");
    else if (bare)
        strbuf_add(out, cell, len);
    else if (c->family == FAMILY_BYTES || (c->family == FAMILY_VECTOR && !to->charset))
        strbuf_add_hex_literal(out, cell, len);
    else if (to->type == TYPE_ENUM && !len && !column_enum_has_empty(to))
        strbuf_addch(out, '0'); /* its error value */
    else
        strbuf_add_quoted(out, cell, len); /* text too for FLOAT and DOUBLE: '-0' keeps its sign */
}

void cell_exactly(const struct pair_column *c, enum side s, const char *cell, size_t len,
                  struct strbuf *out)
{
    struct strbuf value = {0};

    column_expr(c, s, true, &value);
    if (!cell)
        strbuf_addf(out, "%s IS NULL", strbuf_str(&value));
    else if (c->family == FAMILY_BYTES)
        strbuf_addf(out, "%s=", strbuf_str(&value));
    else
        strbuf_addf(out, "CAST(CAST(%s AS CHAR) AS BINARY)=", strbuf_str(&value));
    if (cell)
        strbuf_add_hex_literal(out, cell, len);
    strbuf_release(&value);
}

uint64_t row_digest(const struct pair *p, const struct row *row, unsigned skip)
{
    struct strbuf text = {0};
    unsigned cell = skip;
    uint64_t digest;

    if (!p->fetched) /* the server's number is all there is */
        return row->cell[skip] ? strtoull(row->cell[skip], NULL, 10) : 0;
    strbuf_add(&text, row->cell[cell] ? row->cell[cell] : "N",
               row->cell[cell] ? row->len[cell] : 1);
    for (unsigned i = 0; i < p->column_count; i++) {
        const enum family f = p->columns[i].family;
        size_t before;

        if (!family_is_fetched(f))
            continue;
        cell++;
        before = text.len;
        if (row->cell[cell])
            cell_normal(f, row->cell[cell], row->len[cell], &text);
        strbuf_addf(&text, ",%s%zu;", row->cell[cell] ? "" : "N", text.len - before);
    }
    digest = XXH3_64bits(strbuf_str(&text), text.len);
    strbuf_release(&text);
    return digest;
}
