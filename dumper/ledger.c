#include "dumper/ledger.h"

#include "common/base/mem.h"
#include "formats/segments.h"

#include <stdlib.h>
#include <string.h>

#define TABLE_ID_MAX (1U << 24) /* far above any count of tables */
#define ID_MAX (1U << 31)       /* far above any count of spans or files of one table */

static void ledger_spans_free(struct ledger_table *t)
{
    while (t->spans) {
        struct ledger_span *s = t->spans;

        t->spans = s->next;
        bound_release(&s->lo);
        bound_release(&s->at);
        free(s);
    }
}

static void ledger_table_free(struct ledger_table *t)
{
    ledger_spans_free(t);
    free(t->db);
    free(t->name);
    free(t->schema_file);
    free(t->sha256);
    free(t->key);
    free(t->left_out);
    free(t->file_bytes);
    free(t);
}

struct ledger *ledger_new(void)
{
    return xcalloc(1, sizeof(struct ledger));
}

void ledger_free(struct ledger *s)
{
    if (!s)
        return;
    record_release(&(struct record){.kind = RECORD_DUMP, .u.dump = s->dump});
    record_release(&(struct record){.kind = RECORD_EPOCH, .u.epoch = s->first});
    record_release(&(struct record){.kind = RECORD_EPOCH, .u.epoch = s->last});
    for (size_t i = 0; i < s->table_count; i++)
        ledger_table_free(s->tables[i]);
    for (size_t i = 0; i < s->file_count; i++)
        free(s->files[i].path);
    for (size_t i = 0; i < s->segment_count; i++)
        record_release(&(struct record){.kind = RECORD_SEGMENT, .u.segment = s->segments[i]});
    free(s->segments);
    for (unsigned i = 0; i < s->epochs; i++)
        free(s->places[i].file);
    free(s->places);
    free(s->tables);
    free(s->by_id);
    free(s->files);
    free(s);
}

/* Gives the new table its place in both arrays. */
static struct ledger_table *ledger_insert(struct ledger *s, unsigned id, const char *db,
                                          const char *name)
{
    struct ledger_table *t = xcalloc(1, sizeof(*t));

    t->id = id;
    t->db = xstrdup(db);
    t->name = xstrdup(name);
    t->next_span = 1;
    t->next_number = 1;
    if ((s->table_count & (s->table_count + 1)) == 0) /* full at 0, 1, 3, 7, ... */
        s->tables = xreallocarray(s->tables, s->table_count * 2 + 1, sizeof(struct ledger_table *));
    s->tables[s->table_count++] = t;
    if (id > s->id_count) {
        size_t cap = (size_t)id * 2;

        s->by_id = xreallocarray(s->by_id, cap, sizeof(struct ledger_table *));
        memset(s->by_id + s->id_count, 0, (cap - s->id_count) * sizeof(struct ledger_table *));
        s->id_count = cap;
    }
    s->by_id[id - 1] = t;
    if (id > s->id_max)
        s->id_max = id;
    return t;
}

struct ledger_table *ledger_add_table(struct ledger *s, const char *db, const char *name)
{
    return ledger_insert(s, s->id_max + 1, db, name);
}

static struct ledger_table *ledger_by_id(const struct ledger *s, unsigned id)
{
    return id && id <= s->id_count ? s->by_id[id - 1] : NULL;
}

static void ledger_put_file(struct ledger *s, const char *path, uint64_t bytes)
{
    if (s->file_count == s->file_cap) {
        s->file_cap = s->file_cap ? s->file_cap * 2 : 64;
        s->files = xreallocarray(s->files, s->file_cap, sizeof(*s->files));
    }
    s->files[s->file_count++] = (struct ledger_file){.path = xstrdup(path), .bytes = bytes};
}

void ledger_add_file(struct ledger *s, const char *path, uint64_t bytes)
{
    s->file_records++;
    ledger_put_file(s, path, bytes);
}

enum err_code ledger_add_segment(struct ledger *s, struct segment_record *r, struct err *err)
{
    const struct segment_record *last =
        s->segment_count ? &s->segments[s->segment_count - 1] : NULL;
    enum err_code rc = segment_joins(last, r, err);

    if (rc)
        return rc;
    ledger_put_file(s, r->path, r->digest.bytes);
    if ((s->segment_count & (s->segment_count + 1)) == 0) /* full at 0, 1, 3, 7, ... */
        s->segments = xreallocarray(s->segments, s->segment_count * 2 + 1, sizeof(*s->segments));
    s->segments[s->segment_count++] = *r;
    *r = (struct segment_record){0};
    return ERR_OK;
}

void ledger_add_chunk(struct ledger_table *t, const struct chunk_record *r)
{
    if (!t->from || r->epoch < t->from)
        t->from = r->epoch;
    if (r->epoch > t->to)
        t->to = r->epoch;
    if (!r->path)
        return;
    t->rows += r->rows;
    t->raw_bytes += r->raw_bytes;
    t->stored_bytes += r->digest.bytes;
    t->files++;
    if (r->number > t->file_cap) {
        size_t cap = (size_t)r->number + t->file_cap + (t->file_cap ? 0 : 3);

        t->file_bytes = xreallocarray(t->file_bytes, cap, sizeof(*t->file_bytes));
        for (size_t i = t->file_cap; i < cap; i++)
            t->file_bytes[i] = FILE_ABSENT;
        t->file_cap = cap;
    }
    t->file_bytes[r->number - 1] = r->digest.bytes;
    if (r->number >= t->next_number)
        t->next_number = r->number + 1;
}

void ledger_void(struct ledger_table *t)
{
    ledger_spans_free(t);
    free(t->file_bytes);
    t->file_bytes = NULL;
    t->file_cap = 0;
    t->rows = t->raw_bytes = t->stored_bytes = t->files = 0;
    t->from = t->to = 0;
    t->done = false;
}

static enum err_code ledger_apply_table(struct ledger *s, struct table_record *r, struct err *err)
{
    struct ledger_table *t = ledger_by_id(s, r->table);

    if (!r->table || r->table > TABLE_ID_MAX)
        return err_set(err, ERR_CORRUPT, "the manifest has a table of number %u", r->table);
    if (!t)
        t = ledger_insert(s, r->table, r->db, r->name);
    if (strcmp(t->db, r->db) != 0 || strcmp(t->name, r->name) != 0)
        return err_set(err, ERR_CORRUPT, "the manifest gives number %u to '%s.%s' and '%s.%s'",
                       r->table, t->db, t->name, r->db, r->name);
    free(t->schema_file);
    free(t->sha256);
    free(t->key);
    t->schema_file = r->schema_file ? xstrdup(r->schema_file) : NULL;
    t->sha256 = r->sha256 ? xstrdup(r->sha256) : NULL;
    t->key = r->key ? xstrdup(r->key) : NULL;
    t->is_table = strcmp(r->kind, "table") == 0;
    t->is_view = strcmp(r->kind, "view") == 0;
    t->recorded = true;
    t->voided = false;
    return ERR_OK;
}

static enum err_code ledger_apply_span(struct ledger_table *t, const struct span_record *r,
                                       struct err *err)
{
    struct ledger_span **at = &t->spans;
    struct ledger_span *s;

    if (!r->span || r->span > ID_MAX || (r->parent == 0) != (t->spans == NULL))
        return err_set(err, ERR_CORRUPT, "the manifest has a span %u of '%s.%s' out of place",
                       r->span, t->db, t->name);
    if (r->parent) {
        while (*at && (*at)->id != r->parent)
            at = &(*at)->next;
        if (!*at)
            return err_set(err, ERR_CORRUPT, "the manifest has no span %u of '%s.%s'", r->parent,
                           t->db, t->name);
        at = &(*at)->next;
    }
    t->voided = false;
    s = xcalloc(1, sizeof(*s));
    s->id = r->span;
    bound_copy(&s->lo, &r->lo);
    s->next = *at;
    *at = s;
    if (r->span >= t->next_span)
        t->next_span = r->span + 1;
    return ERR_OK;
}

static enum err_code ledger_apply_chunk(struct ledger_table *t, const struct chunk_record *r,
                                        struct err *err)
{
    struct ledger_span *s = t->spans;

    while (s && s->id != r->span)
        s = s->next;
    if (!s || s->last)
        return err_set(err, ERR_CORRUPT,
                       "the manifest has a chunk of '%s.%s' out of place: span %u", t->db, t->name,
                       r->span);
    if (r->path && (!r->number || r->number > ID_MAX))
        return err_set(err, ERR_CORRUPT, "the manifest gives '%s' the number %llu", r->path,
                       (unsigned long long)r->number);
    bound_release(&s->at);
    bound_copy(&s->at, &r->hi);
    s->begun = true;
    s->last = r->last;
    ledger_add_chunk(t, r);
    return ERR_OK;
}

static void ledger_apply_epoch(struct ledger *s, struct record *r)
{
    s->places = xreallocarray(s->places, s->epochs + 1, sizeof(*s->places));
    s->places[s->epochs] =
        (struct ledger_place){r->u.epoch.log_file ? xstrdup(r->u.epoch.log_file) : NULL,
                              r->u.epoch.log_pos, strcmp(r->u.epoch.consistency, "binlog") == 0};
    if (s->epochs == 0) {
        s->first = r->u.epoch;
        r->u.epoch = (struct epoch_record){0};
    } else {
        record_release(&(struct record){.kind = RECORD_EPOCH, .u.epoch = s->last});
        s->last = r->u.epoch;
        r->u.epoch = (struct epoch_record){0};
    }
    s->epochs++;
}

/* One without a table record is tried again, and so is one that is not done. */
static void ledger_apply_left_out(struct ledger *s, const struct left_out_record *r)
{
    for (size_t i = 0; i < s->table_count; i++) {
        struct ledger_table *t = s->tables[i];

        if (strcmp(t->db, r->db) == 0 && strcmp(t->name, r->name) == 0) {
            s->left_out += !t->was_left_out;
            t->was_left_out = true;
        }
    }
}

/* It is being read once more. */
static void ledger_left_out_again(struct ledger *s, struct ledger_table *t)
{
    s->left_out -= t->was_left_out;
    t->was_left_out = false;
}

static enum err_code ledger_apply_other(struct ledger *s, struct record *r, unsigned id,
                                        struct err *err)
{
    struct ledger_table *t = ledger_by_id(s, id);

    if (!t)
        return err_set(err, ERR_CORRUPT, "the manifest speaks of table %u without its record", id);
    switch ((int)r->kind) { /* an int: the other kinds do not come here */
    case RECORD_SPAN:
        return ledger_apply_span(t, &r->u.span, err);
    case RECORD_CHUNK:
        return ledger_apply_chunk(t, &r->u.chunk, err);
    case RECORD_VOID:
        ledger_void(t);
        t->voided = true;
        ledger_left_out_again(s, t);
        return ERR_OK;
    default: /* RECORD_TABLE_DONE */
        t->done = true;
        t->voided = false;
        ledger_spans_free(t); /* nothing will be asked of them */
        return ERR_OK;
    }
}

enum err_code ledger_apply(struct ledger *s, struct record *r, struct err *err)
{
    enum err_code rc = ERR_OK;

    if ((r->kind == RECORD_DUMP) == s->begun || s->ended) {
        rc = err_set(err, ERR_CORRUPT, "the manifest's records are out of order");
        record_release(r);
        return rc;
    }
    switch (r->kind) {
    case RECORD_DUMP:
        s->dump = r->u.dump;
        r->u.dump = (struct dump_record){0};
        s->begun = true;
        break;
    case RECORD_FILE:
        ledger_add_file(s, r->u.file.path, r->u.file.digest.bytes);
        break;
    case RECORD_EPOCH:
        ledger_apply_epoch(s, r);
        break;
    case RECORD_TABLE:
        rc = ledger_apply_table(s, &r->u.table, err);
        break;
    case RECORD_SPAN:
        rc = ledger_apply_other(s, r, r->u.span.table, err);
        break;
    case RECORD_CHUNK:
        rc = ledger_apply_other(s, r, r->u.chunk.table, err);
        break;
    case RECORD_TABLE_DONE:
        rc = ledger_apply_other(s, r, r->u.table_done.table, err);
        break;
    case RECORD_VOID:
        rc = ledger_apply_other(s, r, r->u.voided.table, err);
        break;
    case RECORD_LEFT_OUT:
        ledger_apply_left_out(s, &r->u.left_out);
        break;
    case RECORD_CHECKED:
        s->checked = r->u.checked.epoch;
        break;
    case RECORD_SEGMENT:
        rc = ledger_add_segment(s, &r->u.segment, err);
        break;
    case RECORD_END:
        s->ended = true;
        break;
    }
    record_release(r);
    return rc;
}

static enum err_code ledger_take(void *ctx, struct record *r, struct err *err)
{
    return ledger_apply(ctx, r, err);
}

enum err_code ledger_read(struct ledger *s, struct store *store, struct err *err)
{
    enum err_code rc = manifest_read(store, ledger_take, s, &s->last_segment, err);

    if (rc)
        return rc;
    ledger_sort(s);
    return ERR_OK;
}

static int name_compare(const char *db, const char *name, const struct ledger_table *t)
{
    int order = strcmp(db, t->db);

    return order ? order : strcmp(name, t->name);
}

static int tables_compare(const void *a, const void *b)
{
    const struct ledger_table *x = *(struct ledger_table *const *)a;

    return name_compare(x->db, x->name, *(struct ledger_table *const *)b);
}

static int files_compare(const void *a, const void *b)
{
    const struct ledger_file *x = a;
    const struct ledger_file *y = b;
    int order = strcmp(x->path, y->path);

    return order ? order : (x->order > y->order) - (x->order < y->order);
}

/* Sorts by path; of several of one path the one that was added last stays. */
static void files_sort(struct ledger *s)
{
    size_t kept = 0;

    for (size_t i = 0; i < s->file_count; i++)
        s->files[i].order = i;
    if (s->file_count)
        qsort(s->files, s->file_count, sizeof(*s->files), files_compare);
    for (size_t i = 0; i < s->file_count; i++) {
        if (i + 1 < s->file_count && strcmp(s->files[i].path, s->files[i + 1].path) == 0)
            free(s->files[i].path);
        else
            s->files[kept++] = s->files[i];
    }
    s->file_count = kept;
    s->sorted_files = kept;
}

void ledger_sort(struct ledger *s)
{
    if (s->table_count)
        qsort(s->tables, s->table_count, sizeof(struct ledger_table *), tables_compare);
    files_sort(s);
}

struct ledger_table *ledger_find(const struct ledger *s, const char *db, const char *name)
{
    size_t lo = 0;
    size_t hi = s->table_count;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int order = name_compare(db, name, s->tables[mid]);

        if (order == 0)
            return s->tables[mid];
        if (order < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return NULL;
}

struct ledger_file *ledger_find_file(const struct ledger *s, const char *path)
{
    size_t lo = 0;
    size_t hi = s->sorted_files;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int order = strcmp(path, s->files[mid].path);

        if (order == 0)
            return &s->files[mid];
        if (order < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return NULL;
}

const struct ledger_span *ledger_part(const struct ledger_table *t, const struct ledger_span *after,
                                      struct part *part)
{
    static const struct bound open;
    const struct ledger_span *s = after ? after->next : t->spans;

    while (s && s->last)
        s = s->next;
    if (!s)
        return NULL;
    part->span = s->id;
    part->lo = s->begun ? &s->at : &s->lo;
    part->hi = s->next ? &s->next->lo : &open;
    return s;
}
