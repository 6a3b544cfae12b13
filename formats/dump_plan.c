/* The records of a manifest become tables, chunks and files. While records come, tables are found
 * by their number and hold their chunks in an array of their own; the arena takes what a chunk
 * points to, so that a million chunks cost few allocations. */
#include "formats/dump_plan.h"

#include "common/base/mem.h"
#include "formats/file_names.h"
#include "formats/segments.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Where the count of a table's voids stands in a chunk's id; the table's number is below it. */
#define VOIDS_SHIFT 56
#define VOIDS_MAX 255
#define TABLE_MAX ((1U << 24) - 1)

struct plan_span {
    struct dump_span s;
    unsigned behind; /* the span that follows in the key's order; 0: none */
    bool begun;      /* a chunk has come */
};
struct plan_table {
    struct dump_table t; /* owns t.chunks until finished */
    size_t chunk_cap;
    struct plan_span *spans; /* by number; since the last void */
    size_t span_count, span_cap, spans_ended;
    unsigned first_span; /* in the key's order; 0: none */
    unsigned voids;
    bool voided; /* and nothing has come since: a table record may replace the first */
};
struct plan_file {
    struct file_record f; /* in the arena */
    size_t order;
};
struct dump_plan {
    struct dump *dump;         /* borrowed */
    bool begun;                /* has its dump record */
    struct plan_table *tables; /* by number */
    size_t table_count, table_cap;
    struct plan_file *files;
    size_t file_count, file_cap, segment_cap;
};

struct dump_plan *dump_plan_new(struct dump *d)
{
    struct dump_plan *p = xcalloc(1, sizeof *p);

    p->dump = d;
    return p;
}

void dump_plan_free(struct dump_plan *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->table_count; i++) {
        free(p->tables[i].t.chunks);
        free(p->tables[i].spans);
    }
    free(p->tables);
    free(p->files);
    free(p);
}

/* Room for one more in an array of `count` things. */
static void *array_grow(void *array, size_t count, size_t *cap, size_t size)
{
    if (count < *cap)
        return array;
    *cap = *cap ? *cap + *cap / 2 + 1 : 4;
    return xreallocarray(array, *cap, size);
}

/* The index of table `id`, or where it would have to be. Numbers mostly come in rising order. */
static size_t table_find(const struct dump_plan *p, unsigned id, bool *found)
{
    size_t low = 0;
    size_t high = p->table_count;

    if (high > 0 && p->tables[high - 1].t.id < id)
        low = high;
    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (p->tables[mid].t.id < id)
            low = mid + 1;
        else
            high = mid;
    }
    *found = low < p->table_count && p->tables[low].t.id == id;
    return low;
}

/* NULL: not known, and the error says so. */
static struct plan_table *table_get(struct dump_plan *p, unsigned id, struct err *err)
{
    bool found;
    size_t at = table_find(p, id, &found);

    if (found)
        return &p->tables[at];
    (void)err_set(err, ERR_CORRUPT, "table %u is not known", id);
    return NULL;
}

static size_t span_find(const struct plan_table *t, unsigned span, bool *found)
{
    size_t low = 0;
    size_t high = t->span_count;

    if (high > 0 && t->spans[high - 1].s.span < span)
        low = high;
    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (t->spans[mid].s.span < span)
            low = mid + 1;
        else
            high = mid;
    }
    *found = low < t->span_count && t->spans[low].s.span == span;
    return low;
}

/* ---- one function a record kind; the record stays the caller's unless it is emptied ---- */

static enum err_code add_dump(struct dump_plan *p, struct record *r, struct err *err)
{
    if (p->begun)
        return err_set(err, ERR_CORRUPT, "a second dump record");
    p->begun = true;
    p->dump->info = r->u.dump;
    memset(&r->u.dump, 0, sizeof r->u.dump); /* taken over */
    return ERR_OK;
}

/* The last record of a path counts; dump_plan_finish looks for doubles. */
static enum err_code add_file(struct dump_plan *p, struct record *r, struct err *err)
{
    const struct file_record *from = &r->u.file;
    struct file_record f = *from;

    (void)err;
    f.path = arena_strdup(p->dump->arena, from->path);
    f.digest.blocks = NULL;
    if (from->digest.block_count)
        f.digest.blocks = (void *)arena_memdup(p->dump->arena, from->digest.blocks,
                                               from->digest.block_count * sizeof *f.digest.blocks);
    p->files = array_grow(p->files, p->file_count, &p->file_cap, sizeof *p->files);
    p->files[p->file_count] = (struct plan_file){.f = f, .order = p->file_count};
    p->file_count++;
    return ERR_OK;
}

static enum err_code add_epoch(struct dump_plan *p, struct record *r, struct err *err)
{
    struct dump *d = p->dump;

    if (r->u.epoch.epoch != d->epoch_count + 1)
        return err_set(err, ERR_CORRUPT, "epoch %u comes behind epoch %u", r->u.epoch.epoch,
                       d->epoch_count);
    d->epochs = xreallocarray(d->epochs, d->epoch_count + 1, sizeof *d->epochs);
    d->epochs[d->epoch_count++] = r->u.epoch;
    memset(&r->u.epoch, 0, sizeof r->u.epoch); /* taken over */
    return ERR_OK;
}

/* It is being read once more. */
static void left_out_again(struct dump_plan *p, struct plan_table *t)
{
    struct dump *d = p->dump;
    size_t kept = 0;

    t->t.left_out = false;
    for (size_t i = 0; i < d->left_out_count; i++) {
        struct left_out_record *l = &d->left_out[i];

        if (strcmp(l->db, t->t.db) == 0 && strcmp(l->name, t->t.name) == 0)
            record_release(&(struct record){.kind = RECORD_LEFT_OUT, .u.left_out = *l});
        else
            d->left_out[kept++] = *l;
    }
    d->left_out_count = kept;
}

static enum err_code add_table(struct dump_plan *p, struct record *r, struct err *err)
{
    const struct table_record *from = &r->u.table;
    bool found;
    size_t at = table_find(p, from->table, &found);

    if (found && !p->tables[at].voided)
        return err_set(err, ERR_CORRUPT, "a second record of table %u", from->table);
    if (from->table == 0)
        return err_set(err, ERR_CORRUPT, "a table of number 0");
    if (from->table > TABLE_MAX)
        return err_set(err, ERR_LIMIT, "table %u: ferry takes %u in a dump", from->table,
                       TABLE_MAX);
    if (!found) {
        p->tables = array_grow(p->tables, p->table_count, &p->table_cap, sizeof *p->tables);
        memmove(p->tables + at + 1, p->tables + at, (p->table_count - at) * sizeof *p->tables);
        p->tables[at] = (struct plan_table){.t.id = from->table};
        p->table_count++;
    }
    p->tables[at].voided = false;
    if (dump_table_fill(&p->tables[at].t, from, p->dump->arena, err))
        return err->code;
    left_out_again(p, &p->tables[at]);
    return ERR_OK;
}

/* One block: the cells' addresses, their lengths, their bytes. */
static void bound_store(struct bound *dst, const struct bound *src, struct arena *arena)
{
    size_t head = src->count * (sizeof *dst->cell + sizeof *dst->len);
    size_t size = head;
    char *at;

    *dst = (struct bound){.count = src->count};
    if (!src->count)
        return;
    for (unsigned i = 0; i < src->count; i++)
        size += src->len[i] + 1;
    dst->cell = arena_alloc(arena, size);
    dst->len = (unsigned long *)(void *)(dst->cell + src->count);
    at = (char *)(void *)dst->cell + head;
    for (unsigned i = 0; i < src->count; i++) {
        memcpy(at, src->cell[i], src->len[i] + 1); /* the NUL too */
        dst->cell[i] = at;
        dst->len[i] = src->len[i];
        at += src->len[i] + 1;
    }
}

bool dump_bound_equal(const struct bound *a, const struct bound *b)
{
    if (a->count != b->count)
        return false;
    for (unsigned i = 0; i < a->count; i++)
        if (a->len[i] != b->len[i] || memcmp(a->cell[i], b->cell[i], a->len[i]) != 0)
            return false;
    return true;
}

/* Where span `from` stands in the key's order: directly behind its parent. */
static enum err_code span_link(struct plan_table *t, const struct span_record *from,
                               unsigned *behind, struct err *err)
{
    struct plan_span *parent;
    bool found;
    size_t at;

    if (from->parent == 0) {
        if (t->first_span)
            return err_set(err, ERR_CORRUPT, "spans %u and %u of table %u are both its first",
                           t->first_span, from->span, from->table);
        t->first_span = from->span;
        *behind = 0;
        return ERR_OK;
    }
    at = span_find(t, from->parent, &found);
    if (!found)
        return err_set(err, ERR_CORRUPT, "span %u of table %u is not known", from->parent,
                       from->table);
    parent = &t->spans[at];
    *behind = parent->behind;
    parent->behind = from->span;
    return ERR_OK;
}

static enum err_code add_span(struct dump_plan *p, struct record *r, struct err *err)
{
    const struct span_record *from = &r->u.span;
    struct plan_table *t = table_get(p, from->table, err);
    unsigned behind = 0;
    bool found;
    size_t at;

    if (!t)
        return err->code;
    if (t->t.done)
        return err_set(err, ERR_CORRUPT, "a span of table %u, which is done", from->table);
    at = span_find(t, from->span, &found);
    if (found || from->span == 0)
        return err_set(err, ERR_CORRUPT, "a second span %u of table %u", from->span, from->table);
    if (span_link(t, from, &behind, err))
        return err->code;
    t->spans = array_grow(t->spans, t->span_count, &t->span_cap, sizeof *t->spans);
    memmove(t->spans + at + 1, t->spans + at, (t->span_count - at) * sizeof *t->spans);
    t->spans[at] = (struct plan_span){
        .s = {.span = from->span, .parent = from->parent, .epoch = from->epoch}, .behind = behind};
    bound_store(&t->spans[at].s.lo, &from->lo, p->dump->arena);
    t->spans[at].s.hi = t->spans[at].s.lo;
    t->span_count++;
    t->voided = false;
    return ERR_OK;
}

/* How far the span goes now; an end that is open can only be the last one's. */
static void span_advance(struct plan_table *t, struct plan_span *span,
                         const struct chunk_record *from, struct arena *arena)
{
    const bool open = span->begun && t->t.model.key_count && !span->s.hi.count;

    if (!span->s.apart && (open || !dump_bound_equal(&span->s.hi, &from->lo)))
        span->s.apart = from->path ? t->t.chunks[t->t.chunk_count - 1].path : t->t.name;
    span->begun = true;
    span->s.ended = from->last;
    if (from->rows)
        span->s.hi = t->t.chunks[t->t.chunk_count - 1].hi;
    else
        bound_store(&span->s.hi, &from->hi, arena);
}

/* Only chunks with rows are kept. */
static void chunk_keep(struct plan_table *t, const struct chunk_record *from, struct arena *arena)
{
    struct dump_chunk *c;
    size_t blocks = from->digest.block_count * sizeof *c->digest.blocks;

    t->t.chunks = array_grow(t->t.chunks, t->t.chunk_count, &t->chunk_cap, sizeof *t->t.chunks);
    c = &t->t.chunks[t->t.chunk_count++];
    *c = (struct dump_chunk){
        .number = from->number,
        .counted = true,
        .id = (uint64_t)t->voids << VOIDS_SHIFT | (uint64_t)from->table << 32 | from->number,
        .path = arena_strdup(arena, from->path),
        .rows = from->rows,
        .raw_bytes = from->raw_bytes,
        .epoch = from->epoch,
        .span = from->span,
        .digest = from->digest,
    };
    bound_store(&c->lo, &from->lo, arena);
    bound_store(&c->hi, &from->hi, arena);
    c->digest.blocks = (void *)arena_memdup(arena, from->digest.blocks, blocks);
    t->t.rows += c->rows;
    t->t.raw_bytes += c->raw_bytes;
}

static enum err_code add_chunk(struct dump_plan *p, struct record *r, struct err *err)
{
    const struct chunk_record *from = &r->u.chunk;
    struct plan_table *t = table_get(p, from->table, err);
    struct plan_span *span;
    bool found;
    size_t at;

    if (!t)
        return err->code;
    at = span_find(t, from->span, &found);
    if (!found)
        return err_set(err, ERR_CORRUPT, "span %u of table %u is not known", from->span,
                       from->table);
    span = &t->spans[at];
    if (span->s.ended || t->t.done)
        return err_set(err, ERR_CORRUPT, "a chunk of span %u of table %u, which has ended",
                       from->span, from->table);
    if (from->epoch == 0 || from->epoch > p->dump->epoch_count)
        return err_set(err, ERR_CORRUPT, "epoch %u is not known", from->epoch);
    if (from->number > UINT32_MAX)
        return err_set(err, ERR_CORRUPT, "chunk number %" PRIu64 " is too large", from->number);
    t->spans_ended += from->last ? 1 : 0;
    if (!t->t.from || from->epoch < t->t.from)
        t->t.from = from->epoch;
    if (from->epoch > t->t.to)
        t->t.to = from->epoch;
    if (from->rows)
        chunk_keep(t, from, p->dump->arena);
    span_advance(t, span, from, p->dump->arena);
    return ERR_OK;
}

static enum err_code sum_check(const char *what, uint64_t said, uint64_t found, struct err *err)
{
    if (said == found)
        return ERR_OK;
    return err_set(err, ERR_CORRUPT, "%" PRIu64 " %s are recorded as done, there are %" PRIu64,
                   said, what, found);
}

static enum err_code add_table_done(struct dump_plan *p, struct record *r, struct err *err)
{
    const struct table_done_record *done = &r->u.table_done;
    struct plan_table *t = table_get(p, done->table, err);
    enum err_code rc = ERR_OK;

    if (!t)
        return err->code;
    if (t->t.done)
        rc = err_set(err, ERR_CORRUPT, "it was done before");
    else if (t->spans_ended != t->span_count)
        rc = err_set(err, ERR_CORRUPT, "%zu of its %zu spans have not ended",
                     t->span_count - t->spans_ended, t->span_count);
    if (!rc)
        rc = sum_check("rows", done->rows, t->t.rows, err);
    if (!rc)
        rc = sum_check("raw bytes", done->raw_bytes, t->t.raw_bytes, err);
    if (!rc)
        rc = sum_check("files", done->chunks, t->t.chunk_count, err);
    if (!rc && done->from && (done->from != t->t.from || done->to != t->t.to))
        rc = err_set(err, ERR_CORRUPT,
                     "its chunks are recorded as of epochs %" PRIu64 " to %" PRIu64
                     ", they are of %u to %u",
                     done->from, done->to, t->t.from, t->t.to);
    if (rc)
        return err_wrap(err, "table '%s.%s'", t->t.db, t->t.name);
    t->t.done = true;
    t->voided = false;
    return ERR_OK;
}

static enum err_code add_void(struct dump_plan *p, struct record *r, struct err *err)
{
    struct plan_table *t = table_get(p, r->u.voided.table, err);

    if (!t)
        return err->code;
    if (++t->voids > VOIDS_MAX)
        return err_set(err, ERR_LIMIT, "table '%s.%s' was started again more than %d times",
                       t->t.db, t->t.name, VOIDS_MAX);
    p->dump->voids++;
    t->t.chunk_count = 0;
    t->t.rows = 0;
    t->t.raw_bytes = 0;
    t->t.from = t->t.to = 0;
    t->t.done = false;
    t->span_count = 0;
    t->spans_ended = 0;
    t->first_span = 0;
    t->voided = true;
    left_out_again(p, t);
    return ERR_OK;
}

/* Once a table: a dump that was continued may say it again. It counts unless a `void` or `table`
 * record of the table follows. */
static enum err_code add_left_out(struct dump_plan *p, struct record *r, struct err *err)
{
    struct dump *d = p->dump;

    (void)err;
    for (size_t i = 0; i < p->table_count; i++)
        if (strcmp(p->tables[i].t.db, r->u.left_out.db) == 0 &&
            strcmp(p->tables[i].t.name, r->u.left_out.name) == 0)
            p->tables[i].t.left_out = true;
    for (size_t i = 0; i < d->left_out_count; i++)
        if (strcmp(d->left_out[i].db, r->u.left_out.db) == 0 &&
            strcmp(d->left_out[i].name, r->u.left_out.name) == 0)
            return ERR_OK;
    d->left_out = xreallocarray(d->left_out, d->left_out_count + 1, sizeof *d->left_out);
    d->left_out[d->left_out_count++] = r->u.left_out;
    memset(&r->u.left_out, 0, sizeof r->u.left_out); /* taken over */
    return ERR_OK;
}

static enum err_code add_segment(struct dump_plan *p, struct record *r, struct err *err)
{
    struct dump *d = p->dump;
    const struct segment_record *last = d->binlog_count ? &d->binlog[d->binlog_count - 1] : NULL;
    enum err_code rc = segment_joins(last, &r->u.segment, err);

    if (rc)
        return rc;
    d->binlog = array_grow(d->binlog, d->binlog_count, &p->segment_cap, sizeof *d->binlog);
    d->binlog[d->binlog_count++] = r->u.segment;
    memset(&r->u.segment, 0, sizeof r->u.segment); /* taken over */
    return ERR_OK;
}

/* For the dumper alone. */
static enum err_code add_checked(struct dump_plan *p, struct record *r, struct err *err)
{
    (void)p;
    (void)r;
    (void)err;
    return ERR_OK;
}

static enum err_code add_end(struct dump_plan *p, struct record *r, struct err *err)
{
    (void)err;
    p->dump->end = r->u.end;
    p->dump->complete = true;
    return ERR_OK;
}

enum err_code dump_plan_add(void *plan, struct record *r, struct err *err)
{
    static enum err_code (*const add[])(struct dump_plan *, struct record *, struct err *) = {
        [RECORD_DUMP] = add_dump,
        [RECORD_FILE] = add_file,
        [RECORD_EPOCH] = add_epoch,
        [RECORD_TABLE] = add_table,
        [RECORD_SPAN] = add_span,
        [RECORD_CHUNK] = add_chunk,
        [RECORD_TABLE_DONE] = add_table_done,
        [RECORD_VOID] = add_void,
        [RECORD_LEFT_OUT] = add_left_out,
        [RECORD_CHECKED] = add_checked,
        [RECORD_SEGMENT] = add_segment,
        [RECORD_END] = add_end,
    };
    struct dump_plan *p = plan;
    enum err_code rc;

    if (!p->begun && r->kind != RECORD_DUMP)
        rc = err_set(err, ERR_CORRUPT, "the first record is no dump record");
    else if (p->dump->complete)
        rc = err_set(err, ERR_CORRUPT, "a record behind the end record");
    else
        rc = add[r->kind](p, r, err);
    record_release(r);
    return rc;
}

/* ---- when all have come ---- */

static int chunk_compare(const void *a, const void *b)
{
    const struct dump_chunk *x = a;
    const struct dump_chunk *y = b;

    return (x->number > y->number) - (x->number < y->number);
}

static int table_compare(const void *a, const void *b)
{
    const struct dump_table *x = a;
    const struct dump_table *y = b;
    int order = strcmp(x->db, y->db);

    return order ? order : strcmp(x->name, y->name);
}

static int file_compare(const void *a, const void *b)
{
    const struct plan_file *x = a;
    const struct plan_file *y = b;
    int order = strcmp(x->f.path, y->f.path);

    return order ? order : (x->order > y->order) - (x->order < y->order);
}

static int database_compare(const void *a, const void *b)
{
    const struct dump_database *x = a;
    const struct dump_database *y = b;

    return strcmp(x->name, y->name);
}

static enum err_code finish_chunks(struct dump_table *t, struct err *err)
{
    if (t->chunk_count)
        qsort(t->chunks, t->chunk_count, sizeof *t->chunks, chunk_compare);
    for (size_t i = 0; i < t->chunk_count; i++) {
        t->chunks[i].table = t;
        if (i > 0 && t->chunks[i].number == t->chunks[i - 1].number)
            return err_set(err, ERR_CORRUPT, "table '%s.%s' has two chunks of number %" PRIu64,
                           t->db, t->name, t->chunks[i].number);
    }
    return ERR_OK;
}

/* The spans in the key's order; all are there, as each was put behind one that was. */
static void finish_spans(struct dump_table *t, const struct plan_table *from)
{
    unsigned next = from->first_span;

    t->spans = xcalloc(from->span_count, sizeof *t->spans);
    while (next) {
        bool found;
        const struct plan_span *span = &from->spans[span_find(from, next, &found)];

        t->spans[t->span_count++] = span->s;
        next = span->behind;
    }
}

static enum err_code finish_tables(struct dump_plan *p, struct err *err)
{
    struct dump *d = p->dump;

    d->tables = xcalloc(p->table_count, sizeof *d->tables);
    for (size_t i = 0; i < p->table_count; i++) {
        d->tables[i] = p->tables[i].t;
        p->tables[i].t.chunks = NULL; /* the dump's now */
        finish_spans(&d->tables[i], &p->tables[i]);
        d->table_count++;
    }
    if (d->table_count)
        qsort(d->tables, d->table_count, sizeof *d->tables, table_compare);
    for (size_t i = 0; i < d->table_count; i++) {
        struct dump_table *t = &d->tables[i];
        enum err_code rc = finish_chunks(t, err);

        if (rc)
            return rc;
        if (i > 0 && table_compare(t - 1, t) == 0)
            return err_set(err, ERR_CORRUPT, "two tables are called '%s.%s'", t->db, t->name);
    }
    return ERR_OK;
}

static void finish_files(struct dump_plan *p)
{
    struct dump *d = p->dump;

    if (p->file_count)
        qsort(p->files, p->file_count, sizeof *p->files, file_compare);
    d->files = xcalloc(p->file_count, sizeof *d->files);
    for (size_t i = 0; i < p->file_count; i++)
        if (i + 1 == p->file_count || strcmp(p->files[i].f.path, p->files[i + 1].f.path) != 0)
            d->files[d->file_count++] = p->files[i].f;
}

/* Databases are known by their schema file, by their tables, or by both. */
static void finish_databases(struct dump *d)
{
    struct dump_database *list = xcalloc(d->file_count + d->table_count, sizeof *list);
    size_t count = 0;

    for (size_t i = 0; i < d->file_count; i++) {
        struct file_name name;

        file_name_parse(d->files[i].path, &name);
        if (name.kind == FILE_DATABASE)
            list[count++] = (struct dump_database){.name = arena_strdup(d->arena, name.db),
                                                   .schema_file = d->files[i].path};
        file_name_release(&name);
    }
    if (count)
        qsort(list, count, sizeof *list, database_compare);
    for (size_t i = 0, with_file = count; i < d->table_count; i++) {
        struct dump_database db = {.name = d->tables[i].db};

        if ((i == 0 || strcmp(d->tables[i - 1].db, db.name) != 0) &&
            (!with_file || !bsearch(&db, list, with_file, sizeof *list, database_compare)))
            list[count++] = db;
    }
    if (count)
        qsort(list, count, sizeof *list, database_compare);
    d->databases = list;
    d->database_count = count;
}

/* What the end record says against what has come. */
static enum err_code end_check(const struct dump_plan *p, struct err *err)
{
    const struct dump *d = p->dump;
    uint64_t rows = 0;
    uint64_t raw_bytes = 0;
    uint64_t files = p->file_count; /* each record, also where a later one has its path */
    enum err_code rc;

    if (!d->complete)
        return ERR_OK;
    for (size_t i = 0; i < d->table_count; i++) {
        rows += d->tables[i].rows;
        raw_bytes += d->tables[i].raw_bytes;
        files += d->tables[i].chunk_count;
    }
    for (size_t i = 0; i < p->table_count; i++)
        if ((p->tables[i].span_count || p->tables[i].voided) && !p->tables[i].t.done)
            return err_set(err, ERR_CORRUPT, "table '%s.%s' is not done, but the dump has ended",
                           p->tables[i].t.db, p->tables[i].t.name);
    rc = sum_check("tables", d->end.tables, d->table_count, err);
    if (!rc)
        rc = sum_check("rows", d->end.rows, rows, err);
    if (!rc)
        rc = sum_check("raw bytes", d->end.raw_bytes, raw_bytes, err);
    if (!rc)
        rc = sum_check("files", d->end.files, files, err);
    return rc ? err_wrap(err, "the end record") : ERR_OK;
}

enum err_code dump_plan_finish(struct dump_plan *p, struct err *err)
{
    enum err_code rc = finish_tables(p, err);

    if (rc)
        return rc;
    finish_files(p);
    finish_databases(p->dump);
    return end_check(p, err);
}
