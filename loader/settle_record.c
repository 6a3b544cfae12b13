/* Collisions and bad rows as records. */
#include "loader/settle.h"

#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "common/target/finding.h"
#include "common/target/report.h"

#include <inttypes.h>
#include <stdlib.h>

struct recording {
    struct settle *s;
    const struct settle_recording *how;
    struct finding_writer writer;
    struct batch_reader reader; /* rows that were never staged */
    const char **cell;          /* of one staged row */
    unsigned long *len;
    struct strbuf key_values, key_where, incoming, existing, differs, text;
    size_t limit;
};

static const struct column *dump_column(const struct load_table *t, unsigned i)
{
    return &t->dump->model.columns[t->dump->dumped[i]];
}

/* A staged row's cells, or the batch's own where it was not staged. */
static enum err_code recording_row(struct recording *g, unsigned i, struct row *row,
                                   struct err *err)
{
    const struct settle *s = g->s;
    size_t at = s->staged[i] - 1;

    if (s->staged[i] == 0)
        return batch_reader_row(&g->reader, i, row, err);
    for (unsigned k = 0; k < g->reader.columns; k++)
        g->cell[k] = settle_cell(s, &at, &g->len[k]);
    *row = (struct row){g->cell, g->len, g->reader.columns};
    return ERR_OK;
}

/* An ENUM's error value has no label: {"error":0}. */
static void add_value(const struct column *c, bool enum_error, const char *cell, size_t len,
                      size_t limit, struct strbuf *out)
{
    finding_json_string(c->name, strlen(c->name), out);
    strbuf_addch(out, ':');
    if (enum_error && cell && len == 0)
        strbuf_addstr(out, "{\"error\":0}");
    else
        finding_json_value(column_form(c), cell, len, limit, out);
}

static void json_dumped(const struct recording *g, const struct row *row, size_t limit,
                        struct strbuf *out)
{
    const struct load_table *t = g->s->w->table;

    strbuf_reset(out);
    strbuf_addch(out, '{');
    for (unsigned i = 0; i < row->count; i++) {
        strbuf_addstr(out, i ? "," : "");
        add_value(dump_column(t, i), t->enum_error && t->enum_error[i], row->cell[i], row->len[i],
                  limit, out);
    }
    strbuf_addch(out, '}');
}

static void json_existing(const struct recording *g, unsigned index, size_t limit,
                          struct strbuf *out)
{
    const struct settle *s = g->s;
    const struct load_table *t = s->w->table;
    size_t at = s->existing[index].cells;

    strbuf_reset(out);
    strbuf_addch(out, '{');
    for (unsigned i = 0; i < s->plan->existing_count; i++) {
        const struct column *c = &t->target->columns[s->plan->existing[i]];
        unsigned long len;
        const char *cell = settle_cell(s, &at, &len);

        strbuf_addstr(out, i ? "," : "");
        add_value(c, c->type == TYPE_ENUM && !column_enum_has_empty(c), cell, len, limit, out);
    }
    strbuf_addch(out, '}');
}

/* ---- which columns differ ---- */

/* The other row's cell of the dump's i-th column; false: it has none. */
static bool other_cell(const struct settle *s, struct holder h, unsigned i, const char **cell,
                       unsigned long *len)
{
    const struct load_table *t = s->w->table;
    size_t at;

    if (h.kind == HOLDER_ROW) {
        at = s->staged[h.index] - 1;
        for (unsigned k = 0; k <= i; k++)
            *cell = settle_cell(s, &at, len);
        return true;
    }
    at = s->existing[h.index].cells;
    for (unsigned k = 0; k < s->plan->existing_count; k++) {
        *cell = settle_cell(s, &at, len);
        if (t->cell_of[s->plan->existing[k]] == (int)i)
            return true;
    }
    return false;
}

static void json_differs(const struct recording *g, const struct collision *c,
                         const struct row *row, struct strbuf *out)
{
    strbuf_reset(out);
    strbuf_addch(out, '[');
    for (unsigned i = 0; !c->identical && i < row->count; i++) {
        const char *name = dump_column(g->s->w->table, i)->name;
        const char *cell = NULL;
        unsigned long len = 0;

        if (!other_cell(g->s, c->holder, i, &cell, &len))
            continue;
        if (row->cell[i] && cell ? row->len[i] == len && memcmp(row->cell[i], cell, len) == 0
                                 : !row->cell[i] && !cell)
            continue;
        strbuf_addstr(out, out->len > 1 ? "," : "");
        finding_json_string(name, strlen(name), out);
    }
    strbuf_addch(out, ']');
}

/* ---- the key ---- */

/* The number of a BIT's bytes. */
static void add_bit(const char *cell, unsigned long len, struct strbuf *out)
{
    uint64_t value = 0;

    for (unsigned long i = 0; i < len; i++)
        value = value << 8 | (unsigned char)cell[i];
    strbuf_addf(out, "%" PRIu64, value);
}

static void add_literal(const struct column *c, const char *cell, unsigned long len,
                        struct strbuf *out)
{
    switch (column_form(c)) {
    case CELL_NUMBER:
        strbuf_add(out, cell, len);
        /* Without an exponent it would be a DECIMAL. */
        if ((c->type == TYPE_FLOAT || c->type == TYPE_DOUBLE) && !memchr(cell, 'e', len))
            strbuf_addstr(out, "e0");
        break;
    case CELL_BIT:
        add_bit(cell, len, out);
        break;
    case CELL_BYTES:
        strbuf_add_hex_literal(out, cell, len);
        break;
    case CELL_TEXT:
    case CELL_JSON:
        strbuf_add_quoted(out, cell, len);
        break;
    }
}

/* "`a`=1 AND LEFT(`b`,10)=LEFT('x',10)": the key's columns are not NULL where it collides. */
static void key_where(const struct recording *g, const struct stage_key *k, const struct row *row,
                      struct strbuf *out)
{
    const struct load_table *t = g->s->w->table;

    strbuf_reset(out);
    for (unsigned i = 0; i < k->key->part_count; i++) {
        const struct key_part *part = &k->key->parts[i];
        const struct column *c = &t->target->columns[part->column];
        int cell = t->cell_of[part->column];

        strbuf_addstr(out, i ? " AND " : "");
        strbuf_addstr(out, part->prefix_len ? "LEFT(" : "");
        strbuf_add_ident(out, c->name);
        if (part->prefix_len)
            strbuf_addf(out, ",%u)=LEFT(", part->prefix_len);
        else
            strbuf_addch(out, '=');
        add_literal(c, row->cell[cell], row->len[cell], out);
        if (part->prefix_len)
            strbuf_addf(out, ",%u)", part->prefix_len);
    }
}

static void json_key(const struct recording *g, const struct stage_key *k, const struct row *row,
                     struct strbuf *out)
{
    const struct load_table *t = g->s->w->table;

    strbuf_reset(out);
    strbuf_addch(out, '{');
    for (unsigned i = 0; i < k->key->part_count; i++) {
        const struct column *c = &t->target->columns[k->key->parts[i].column];
        int cell = t->cell_of[k->key->parts[i].column];

        strbuf_addstr(out, i ? "," : "");
        add_value(c, false, row->cell[cell], row->len[cell], g->limit, out);
    }
    strbuf_addch(out, '}');
}

/* ---- for people ---- */

static void recording_say(struct recording *g, const struct finding *r, const struct stage_key *k,
                          const struct row *row)
{
    const struct load_table *t = g->s->w->table;
    struct refusals *list = &g->s->w->refusals;
    struct refusal say = {.db = xstrdup(r->db),
                          .table = xstrdup(r->table),
                          .key = r->key ? xstrdup(r->key) : NULL,
                          .file = xstrdup(r->file),
                          .row = r->row};
    struct strbuf text = {0};

    if (k)
        refusal_key_values(t->target, k->key, t->cell_of, row, &text);
    say.key_values = strbuf_detach(&text);
    if (r->words)
        strbuf_addstr(&text, r->words);
    else if (r->identical)
        strbuf_addstr(&text, "the existing row is identical");
    else
        strbuf_addf(&text, "differs in %s", r->differs ? r->differs : "");
    say.words = strbuf_detach(&text);
    if (g->how->first && g->how->first->code == ERR_OK) {
        refusal_text(&say, &text);
        (void)err_set(g->how->first, r->key ? ERR_LOAD_CONFLICT : ERR_LOAD_BAD_VALUE, "%s",
                      strbuf_str(&text));
        strbuf_release(&text);
    }
    report_hold(list, &say);
}

/* ---- records ---- */

static enum finding_done recording_done(const struct recording *g, bool bad)
{
    const struct load_config *config = g->s->w->run->config;

    if (g->how->stopped)
        return FINDING_STOPPED;
    if (config->check_conflicts)
        return FINDING_CHECKED;
    if (bad)
        return FINDING_SKIPPED;
    return table_on_conflict(g->s->w->run, g->s->w->table) == ON_CONFLICT_REPLACE ? FINDING_REPLACED
                                                                                  : FINDING_IGNORED;
}

static struct finding recording_start(const struct recording *g, unsigned row)
{
    const struct worker *w = g->s->w;

    return (struct finding){.chunk = w->chunk->id,
                            .row = w->batch.first_row + row + 1,
                            .db = w->table->target->db,
                            .table = w->table->target->name,
                            .file = w->chunk->path};
}

static enum err_code finding_collision(struct recording *g, const struct collision *c,
                                       struct err *err)
{
    const struct stage_key *k = &g->s->plan->keys[c->key];
    struct finding r = recording_start(g, c->row);
    const bool removed = recording_done(g, false) == FINDING_REPLACED;
    struct row row, other;

    /* The other row first: both use one array of cells. */
    if (c->holder.kind == HOLDER_ROW) {
        if (recording_row(g, c->holder.index, &other, err))
            return err->code;
        json_dumped(g, &other, removed ? 0 : g->limit, &g->existing);
    } else {
        json_existing(g, c->holder.index, removed ? 0 : g->limit, &g->existing);
    }
    if (recording_row(g, c->row, &row, err))
        return err->code;
    json_dumped(g, &row, g->limit, &g->incoming);
    json_differs(g, c, &row, &g->differs);
    json_key(g, k, &row, &g->key_values);
    if (removed)
        key_where(g, k, &row, &g->key_where);
    r.key_no = k->number;
    r.kind = FINDING_CONFLICT;
    r.done = recording_done(g, false);
    r.key = k->key->name;
    r.key_values = strbuf_str(&g->key_values);
    r.key_where = removed ? strbuf_str(&g->key_where) : NULL;
    r.incoming = strbuf_str(&g->incoming);
    r.existing = strbuf_str(&g->existing);
    r.existing_len = g->existing.len;
    r.identical = c->identical;
    r.differs = strbuf_str(&g->differs);
    recording_say(g, &r, k, &row);
    return finding_write(&g->writer, &r, err);
}

static enum err_code finding_bad(struct recording *g, const struct bad_row *bad, struct err *err)
{
    struct finding r = recording_start(g, bad->row);
    struct row row;

    if (batch_reader_row(&g->reader, bad->row, &row, err))
        return err->code;
    json_dumped(g, &row, g->limit, &g->incoming);
    r.key_no = FINDING_NO_KEY;
    r.kind = bad->key ? FINDING_CONFLICT : FINDING_BAD_VALUE;
    r.done = recording_done(g, bad->key == NULL);
    r.key = bad->key;
    r.incoming = strbuf_str(&g->incoming);
    r.words = bad->words;
    recording_say(g, &r, NULL, &row);
    return finding_write(&g->writer, &r, err);
}

static enum err_code recording_all(struct recording *g, struct err *err)
{
    const struct settle *s = g->s;
    /* What stops the load is said first. */
    const bool bad_first = table_on_conflict(s->w->run, s->w->table) != ON_CONFLICT_ERROR;

    for (size_t i = 0; bad_first && i < s->bad_count; i++)
        if (finding_bad(g, &s->bad[i], err))
            return err->code;
    /* Where rows are of several moments the replay decides: nothing is lost. */
    for (size_t i = 0; !s->w->table->several && i < s->collision_count; i++)
        if (s->collisions[i].holder.kind != HOLDER_UNKNOWN &&
            finding_collision(g, &s->collisions[i], err))
            return err->code;
    for (size_t i = 0; !bad_first && i < s->bad_count; i++)
        if (finding_bad(g, &s->bad[i], err))
            return err->code;
    return finding_flush(&g->writer, err);
}

enum err_code settle_record(struct settle *s, const struct settle_recording *how, struct err *err)
{
    struct recording g = {.s = s, .how = how};
    struct strbuf *const texts[] = {&g.key_values, &g.key_where, &g.incoming,
                                    &g.existing,   &g.differs,   &g.text};
    unsigned columns = s->w->table->dump->shape.count;
    enum err_code rc;

    report_drop(&s->w->refusals);
    if (s->collision_count + s->bad_count == 0)
        return ERR_OK;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        texts[i]->max = SIZE_MAX / 4;
    g.limit = finding_value_limit(columns);
    g.cell = xcalloc(columns + 1, sizeof *g.cell);
    g.len = xcalloc(columns + 1, sizeof *g.len);
    batch_reader_init(&g.reader, &s->w->batch, columns);
    finding_writer_init(&g.writer, s->w->conn, &s->w->run->state, s->w->run->max_statement);
    g.writer.load = how->load && s->w->run->flavour.vendor == VENDOR_TIDB;
    rc = recording_all(&g, err);
    finding_writer_release(&g.writer);
    batch_reader_release(&g.reader);
    free(g.cell);
    free(g.len);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        strbuf_release(texts[i]);
    return rc;
}
