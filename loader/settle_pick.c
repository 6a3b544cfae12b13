/* Which rows of a batch may be in the way at all? Only these are then put into the temporary table.
 *
 * Where every unique key of the target is over whole columns of integers, equality needs no
 * collation: the keys' values are asked for by IN, which costs a fraction of staging all rows, and
 * those that come back, or come twice in the batch, name the rows. Naming too many is harmless, as
 * the temporary table's joins decide. Naming too few, since a row was committed by others
 * meanwhile, is not: but then the server refuses the batch, and all of its rows are staged. */
#include "loader/settle.h"

#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/mysql/ident.h"

#include <ctype.h>
#include <stdlib.h>
#include <xxhash.h>

#define PIECE_ROWS 900U /* MariaDB makes a subquery of a list of 1,000 */
#define NO_ROW UINT32_MAX

struct pick {
    struct settle *s;
    const struct key *key;
    uint64_t *hash; /* by row */
    bool *whole;    /* by row: no part of the key is NULL */
    unsigned *slot; /* by hash: the first row with it; a power of two */
    size_t slots;
    struct strbuf text; /* scratch: a key's values */
};

bool pick_can(const struct load_table *t, const struct stage_plan *plan)
{
    if (plan->odd_key || plan->prefix_key || plan->key_count == 0)
        return false;
    for (unsigned k = 0; k < plan->key_count; k++)
        for (unsigned i = 0; i < plan->keys[k].key->part_count; i++) {
            enum column_type type = t->target->columns[plan->keys[k].key->parts[i].column].type;

            if (type < TYPE_TINYINT || type > TYPE_BIGINT)
                return false;
        }
    return true;
}

/* "-7" of "-007". false: not written as an integer. */
static bool add_integer(const char *cell, unsigned long len, struct strbuf *out)
{
    const char *end = cell + len;
    bool minus = len > 0 && *cell == '-';

    cell += minus;
    if (cell == end)
        return false;
    for (const char *p = cell; p < end; p++)
        if (!isdigit((unsigned char)*p))
            return false;
    while (cell + 1 < end && *cell == '0')
        cell++;
    strbuf_addstr(out, minus && *cell != '0' ? "-" : "");
    strbuf_add(out, cell, (size_t)(end - cell));
    return true;
}

static unsigned *pick_slot(const struct pick *p, uint64_t hash)
{
    size_t i = (size_t)hash & (p->slots - 1);

    while (p->slot[i] != NO_ROW && p->hash[p->slot[i]] != hash)
        i = (i + 1) & (p->slots - 1);
    return &p->slot[i];
}

static uint64_t text_hash(const struct pick *p)
{
    return XXH3_64bits(p->text.str, p->text.len);
}

/* Fills p->text with the key's values, as a row of literals; *whole false: one is NULL. ERR_OK and
 * *plain false: one is no integer. */
static void key_text(struct pick *p, const struct row *row, bool *whole, bool *plain)
{
    const struct load_table *t = p->s->w->table;

    strbuf_reset(&p->text);
    *whole = *plain = true;
    for (unsigned i = 0; i < p->key->part_count && *whole && *plain; i++) {
        const int cell = t->cell_of[p->key->parts[i].column];

        strbuf_addstr(&p->text, i ? "," : "");
        *whole = row->cell[cell] != NULL;
        *plain = !*whole || add_integer(row->cell[cell], row->len[cell], &p->text);
    }
}

/* Rows of one key's values twice in the batch are picked; *plain false: the batch is not for this.
 */
static enum err_code read_keys(struct pick *p, bool *plain, struct err *err)
{
    struct settle *s = p->s;
    struct batch_reader reader;
    enum err_code rc = ERR_OK;

    for (size_t i = 0; i < p->slots; i++)
        p->slot[i] = NO_ROW;
    batch_reader_init(&reader, &s->w->batch, s->w->table->dump->shape.count);
    for (unsigned i = 0; !rc && *plain && i < s->rows; i++) {
        struct row row;
        unsigned *slot;

        rc = batch_reader_row(&reader, i, &row, err);
        if (rc)
            break;
        key_text(p, &row, &p->whole[i], plain);
        if (!*plain || !p->whole[i])
            continue;
        p->hash[i] = text_hash(p);
        slot = pick_slot(p, p->hash[i]);
        if (*slot == NO_ROW)
            *slot = i;
        else
            s->picked[i] = s->picked[*slot] = true;
    }
    batch_reader_release(&reader);
    return rc;
}

/* A key's values that are there: all rows of the batch that have them are picked. */
static enum err_code found_row(void *ctx, const struct row *row, struct err *err)
{
    struct pick *p = ctx;
    const unsigned *slot;

    strbuf_reset(&p->text);
    for (unsigned i = 0; i < row->count; i++) {
        strbuf_addstr(&p->text, i ? "," : "");
        if (!row->cell[i] || !add_integer(row->cell[i], row->len[i], &p->text))
            return err_set(err, ERR_INTERNAL, "the value of an integer key cannot be read");
    }
    slot = pick_slot(p, text_hash(p));
    if (*slot != NO_ROW)
        p->s->picked[*slot] = true; /* others with the same values are picked already */
    return ERR_OK;
}

static void add_names(const struct pick *p, bool list, struct strbuf *sql)
{
    const struct table *target = p->s->w->table->target;

    strbuf_addstr(sql, list ? "(" : "");
    for (unsigned i = 0; i < p->key->part_count; i++) {
        strbuf_addstr(sql, i ? "," : "");
        strbuf_add_ident(sql, target->columns[p->key->parts[i].column].name);
    }
    strbuf_addstr(sql, list ? ")" : "");
}

/* "1" or "(1,2)" for IN; "(`a`=1 AND `b`=2)" where a server does not look up lists of several
 * parts. TiDB is faster without parentheses around one. */
static void add_values(const struct pick *p, const struct row *row, bool in, struct strbuf *sql)
{
    const struct load_table *t = p->s->w->table;
    const bool one = p->key->part_count == 1;

    strbuf_addstr(sql, one ? "" : "(");
    for (unsigned i = 0; i < p->key->part_count; i++) {
        const unsigned column = p->key->parts[i].column;
        const int cell = t->cell_of[column];

        strbuf_addstr(sql, i == 0 ? "" : in ? "," : " AND ");
        if (!in) {
            strbuf_add_ident(sql, t->target->columns[column].name);
            strbuf_addch(sql, '=');
        }
        (void)add_integer(row->cell[cell], row->len[cell], sql);
    }
    strbuf_addstr(sql, one ? "" : ")");
}

/* One statement, of at most PIECE_ROWS rows from *next on; *next: behind them. */
static enum err_code ask_piece(struct pick *p, struct batch_reader *reader, unsigned *next,
                               struct err *err)
{
    struct worker *w = p->s->w;
    const bool in = p->key->part_count == 1 || w->run->flavour.vendor == VENDOR_TIDB;
    unsigned rows = 0;

    strbuf_reset(&w->sql);
    strbuf_addstr(&w->sql, "SELECT ");
    add_names(p, false, &w->sql);
    strbuf_addstr(&w->sql, " FROM ");
    strbuf_add_table(&w->sql, w->table->target->db, w->table->target->name);
    strbuf_addstr(&w->sql, " WHERE ");
    if (in)
        add_names(p, p->key->part_count > 1, &w->sql);
    strbuf_addstr(&w->sql, in ? " IN (" : "(");
    for (; *next < p->s->rows && rows < PIECE_ROWS && w->sql.len < w->run->max_statement / 2;
         ++*next) {
        struct row row;

        if (!p->whole[*next])
            continue;
        if (batch_reader_row(reader, *next, &row, err))
            return err->code;
        strbuf_addstr(&w->sql, rows == 0 ? "" : in ? "," : " OR ");
        add_values(p, &row, in, &w->sql);
        rows++;
    }
    strbuf_addch(&w->sql, ')');
    return rows == 0 ? ERR_OK : conn_rows(w->conn, &w->sql, found_row, p, err);
}

static enum err_code ask(struct pick *p, struct err *err)
{
    struct batch_reader reader;
    unsigned next = 0;
    enum err_code rc = ERR_OK;

    batch_reader_init(&reader, &p->s->w->batch, p->s->w->table->dump->shape.count);
    while (!rc && next < p->s->rows)
        rc = ask_piece(p, &reader, &next, err);
    batch_reader_release(&reader);
    return rc;
}

static void pick_drop(struct settle *s)
{
    free(s->picked);
    s->picked = NULL;
}

static void pick_say(const struct settle *s)
{
    unsigned rows = 0;

    for (unsigned i = 0; i < s->rows; i++)
        rows += s->picked[i];
    log_event(LOG_DEBUG, "load.conflicts-picked", F_STR("table", s->w->table->label),
              F_U64("rows", rows));
    fault_point("load.conflicts-picked");
}

enum err_code settle_pick(struct settle *s, struct err *err)
{
    struct pick p = {.s = s, .slots = 64, .text.max = SIZE_MAX / 4};
    bool plain = true;
    enum err_code rc = ERR_OK;

    pick_drop(s);
    if (!s->plan->integer_keys || s->w->run->config->check_conflicts || s->w->crowded)
        return ERR_OK;
    while (p.slots < 2 * (size_t)s->rows)
        p.slots *= 2;
    s->picked = xcalloc(s->rows + 1, sizeof *s->picked);
    p.hash = xcalloc(s->rows + 1, sizeof *p.hash);
    p.whole = xcalloc(s->rows + 1, sizeof *p.whole);
    p.slot = xcalloc(p.slots, sizeof *p.slot);
    for (unsigned k = 0; !rc && plain && k < s->plan->key_count; k++) {
        p.key = s->plan->keys[k].key;
        rc = read_keys(&p, &plain, err);
        if (!rc && plain)
            rc = ask(&p, err);
    }
    if (rc || !plain)
        pick_drop(s);
    else
        pick_say(s);
    free(p.hash);
    free(p.whole);
    free(p.slot);
    strbuf_release(&p.text);
    return rc;
}

bool settle_picked(const struct settle *s, unsigned row)
{
    return !s->picked || s->picked[row];
}

bool settle_picked_none(const struct settle *s)
{
    for (unsigned i = 0; i < s->rows; i++)
        if (settle_picked(s, i))
            return false;
    return true;
}

bool settle_pick_all(struct settle *s)
{
    const bool some = s->picked != NULL;

    pick_drop(s);
    return some;
}
