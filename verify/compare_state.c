#include "verify/compare_state.h"

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "formats/dump_read.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#define VERSION 1
#define SYNC_US ((uint64_t)1000000)
#define SHAPE_TEXT 17 /* 16 hex digits */

struct chunk_line { /* of a pair, not yet joined to what is known of it */
    struct bound lo, hi;
    uint64_t rows[SIDES];
    bool equal;
    struct chunk_line *next;
};

struct pair_line {
    struct pair *pair;
    char shape[SHAPE_TEXT]; /* of its columns and key, as they are compared */
    struct chunk_line *apart;
};

struct compare_state {
    pthread_mutex_t lock; /* guards what is below */
    FILE *file;
    const char *path;
    uint64_t synced_us;
    struct pair_line *lines; /* sorted by name; only `shape` is read after the file was */
    size_t count;
};

/* ---- names and shapes ---- */

static int line_order(const void *a, const void *b)
{
    const struct table *x = ((const struct pair_line *)a)->pair->table[SOURCE_SIDE];
    const struct table *y = ((const struct pair_line *)b)->pair->table[SOURCE_SIDE];
    int order = strcmp(x->db, y->db);

    return order ? order : strcmp(x->name, y->name);
}

static struct pair_line *line_find(const struct compare_state *s, const char *db, const char *name)
{
    size_t from = 0;
    size_t to = s->count;

    while (from < to) {
        const size_t middle = from + (to - from) / 2;
        const struct table *t = s->lines[middle].pair->table[SOURCE_SIDE];
        int order = strcmp(db, t->db);

        if (order == 0)
            order = strcmp(name, t->name);
        if (order == 0)
            return &s->lines[middle];
        if (order < 0)
            to = middle;
        else
            from = middle + 1;
    }
    return NULL;
}

static void line_shape(struct pair_line *l)
{
    struct strbuf text = {0};
    unsigned char bytes[8];

    for (int s = 0; s < SIDES; s++) {
        strbuf_addf(&text, "%s\n%s\n%s\n", l->pair->from[s], l->pair->digest[s],
                    l->pair->key[s] ? l->pair->bounds[s] : "");
    }
    bytes_put_be(bytes, XXH3_64bits(strbuf_str(&text), text.len), sizeof bytes);
    *bytes_to_hex(l->shape, bytes, sizeof bytes) = '\0';
    strbuf_release(&text);
}

static void lines_make(struct compare_state *s, struct compare *run)
{
    s->count = run->pair_count;
    s->lines = xcalloc(s->count + 1, sizeof *s->lines);
    for (size_t i = 0; i < s->count; i++) {
        s->lines[i].pair = &run->pairs[i];
        line_shape(&s->lines[i]);
    }
    if (s->count)
        qsort(s->lines, s->count, sizeof *s->lines, line_order);
}

/* ---- JSON ---- */

static json_t *json_list(const char *const *items, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_string(items[i]));
    return list;
}

static char *head_text(const struct compare *run)
{
    const struct compare_config *c = run->config;
    struct strbuf url[SIDES] = {{0}, {0}};
    json_t *head;
    char *text;

    for (int s = 0; s < SIDES; s++)
        server_url_text(run->url[s], &url[s]);
    head = json_pack(
        "{s:s, s:i, s:s, s:s, s:o, s:b, s:o, s:s}", "ferry", "verify", "version", VERSION, "source",
        strbuf_str(&url[SOURCE_SIDE]), "target", strbuf_str(&url[TARGET_SIDE]), "filter",
        json_list(c->filters, c->filter_count), "case_sensitive", c->case_sensitive, "rename",
        json_list(c->renames, c->rename_count), "checksum", c->strong ? "sha256" : "crc32");
    text = head ? json_dumps(head, JSON_COMPACT) : NULL;
    json_decref(head);
    strbuf_release(&url[SOURCE_SIDE]);
    strbuf_release(&url[TARGET_SIDE]);
    return text;
}

/* Each cell in hex: it may be any bytes. */
static json_t *bound_json(const struct bound *b)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < b->count; i++) {
        char *hex = xmalloc((size_t)b->len[i] * 2 + 1);

        *bytes_to_hex(hex, b->cell[i], b->len[i]) = '\0';
        json_array_append_new(list, json_string(hex));
        free(hex);
    }
    return list;
}

static bool cell_read(const char *hex, char **cell, unsigned long *len)
{
    const size_t digits = strlen(hex);

    *len = digits / 2;
    *cell = xcalloc(1, *len + 1);
    for (size_t i = 0; i < *len; i++) {
        int high = bytes_hex_value(hex[2 * i]);
        int low = bytes_hex_value(hex[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        (*cell)[i] = (char)(high << 4 | low);
    }
    return digits % 2 == 0;
}

/* As many cells as the key has, or none. */
static bool bound_read(const json_t *list, unsigned parts, struct bound *b)
{
    const size_t count = json_array_size(list);

    if (!json_is_array(list) || (count != 0 && count != parts))
        return false;
    if (count == 0)
        return true;
    b->cell = xcalloc(count, sizeof *b->cell);
    b->len = xcalloc(count, sizeof *b->len);
    for (; b->count < count; b->count++) {
        const char *hex = json_string_value(json_array_get(list, b->count));

        if (!hex || !cell_read(hex, &b->cell[b->count], &b->len[b->count])) {
            b->count += hex ? 1 : 0;
            return false;
        }
    }
    return true;
}

/* ---- what the file says ---- */

static void chunk_line_free(struct chunk_line *c)
{
    bound_release(&c->lo);
    bound_release(&c->hi);
    free(c);
}

static void chunk_count(struct compare *run, const struct chunk_line *c)
{
    run->report->rows += c->rows[SOURCE_SIDE];
    run->report->target_rows += c->rows[TARGET_SIDE];
    run->report->resumed += c->rows[SOURCE_SIDE];
    atomic_fetch_add(&run->progress->rows, c->rows[SOURCE_SIDE]);
    atomic_fetch_add(&run->progress->pieces, 1);
}

/* It was different when it was first compared, and has been compared again since. */
static bool chunk_again(struct compare *run, struct pair *p, const struct chunk_line *c)
{
    for (struct again **at = &p->again; *at; at = &(*at)->next) {
        struct again *again = *at;

        if (!dump_bound_equal(&again->lo, &c->lo) || !dump_bound_equal(&again->hi, &c->hi))
            continue;
        if (c->equal) {
            *at = again->next;
            again_free(again);
            chunk_count(run, c);
        }
        return true;
    }
    return false;
}

static bool chunk_joins(const struct pair *p, const struct chunk_line *c)
{
    return !p->given_out && dump_bound_equal(&p->lo, &c->lo);
}

static void chunk_join(struct compare *run, struct pair *p, const struct chunk_line *c)
{
    if (c->equal) {
        chunk_count(run, c);
    } else {
        struct again *again = xcalloc(1, sizeof *again);

        bound_copy(&again->lo, &c->lo);
        bound_copy(&again->hi, &c->hi);
        again->next = p->again;
        p->again = again;
    }
    bound_release(&p->lo);
    bound_copy(&p->lo, &c->hi);
    p->given_out = !c->hi.count;
}

/* Chunks come in the order in which they were done, which is nearly that of their bounds. */
static void line_take(struct compare *run, struct pair_line *l, struct chunk_line *c)
{
    struct pair *p = l->pair;

    if (chunk_again(run, p, c)) {
        chunk_line_free(c);
        return;
    }
    c->next = l->apart;
    l->apart = c;
    for (struct chunk_line **at = &l->apart; *at;) {
        struct chunk_line *next = *at;

        if (!chunk_joins(p, next)) {
            at = &next->next;
            continue;
        }
        *at = next->next;
        chunk_join(run, p, next);
        chunk_line_free(next);
        at = &l->apart;
    }
}

/* A line that says nothing of any use any more is passed over. */
static void state_line(struct compare_state *s, struct compare *run, const char *text, size_t len)
{
    json_t *line = json_loadb(text, len, 0, NULL);
    const char *db = json_string_value(json_object_get(line, "schema"));
    const char *name = json_string_value(json_object_get(line, "table"));
    const char *shape = json_string_value(json_object_get(line, "shape"));
    struct pair_line *l = db && name && shape ? line_find(s, db, name) : NULL;
    struct chunk_line *c;
    unsigned parts;

    if (!l || strcmp(l->shape, shape) != 0) {
        json_decref(line);
        return;
    }
    parts = l->pair->key[SOURCE_SIDE] ? l->pair->key[SOURCE_SIDE]->part_count : 0;
    c = xcalloc(1, sizeof *c);
    c->equal = json_is_true(json_object_get(line, "equal"));
    c->rows[SOURCE_SIDE] = (uint64_t)json_integer_value(json_object_get(line, "rows"));
    c->rows[TARGET_SIDE] = (uint64_t)json_integer_value(json_object_get(line, "target_rows"));
    if (bound_read(json_object_get(line, "lo"), parts, &c->lo) &&
        bound_read(json_object_get(line, "hi"), parts, &c->hi))
        line_take(run, l, c);
    else
        chunk_line_free(c);
    json_decref(line);
}

static enum err_code head_check(const struct compare *run, const char *text, size_t len,
                                struct err *err)
{
    const char *path = run->config->state;
    char *head = head_text(run);
    enum err_code rc = ERR_OK;

    if (!head || strlen(head) + 1 != len || memcmp(head, text, len - 1) != 0)
        rc = err_set(err, ERR_USAGE,
                     "'%s' is not the state of this comparison (other servers, filters, renames or "
                     "checksum): name another file with --state, or remove it",
                     path);
    free(head);
    return rc;
}

/* Reads whole lines; what a crash has left of one more is cut off. */
static enum err_code state_read(struct compare_state *s, struct compare *run, bool *begun,
                                struct err *err)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    off_t whole = 0;
    enum err_code rc = ERR_OK;

    while (!rc && (len = getline(&line, &cap, s->file)) > 0 && line[len - 1] == '\n') {
        if (whole == 0)
            rc = head_check(run, line, (size_t)len, err);
        else
            state_line(s, run, line, (size_t)len);
        whole += len;
    }
    free(line);
    *begun = whole > 0;
    if (!rc && !*begun && fseeko(s->file, 0, SEEK_END) == 0 && ftello(s->file) > 0)
        rc = err_set(err, ERR_USAGE, "'%s' is not the state of a comparison: name another file",
                     s->path);
    if (!rc &&
        (fflush(s->file) || ftruncate(fileno(s->file), whole) || fseeko(s->file, whole, SEEK_SET)))
        rc = err_set_errno(err, ERR_IO, errno, "reading '%s'", s->path);
    return rc;
}

/* ---- writing ---- */

static enum err_code state_put(struct compare_state *s, const char *text, bool sync,
                               struct err *err)
{
    if (!text)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (fprintf(s->file, "%s\n", text) < 0 ||
        (sync && (fflush(s->file) || fdatasync(fileno(s->file)))))
        return err_set_errno(err, ERR_IO, errno, "writing '%s'", s->path);
    if (sync)
        s->synced_us = clock_mono_us();
    return ERR_OK;
}

enum err_code compare_state_open(struct compare *run, struct compare_state **state, struct err *err)
{
    const char *path = run->config->state;
    struct compare_state *s;
    bool begun = false;
    enum err_code rc;

    *state = NULL;
    if (!path)
        return ERR_OK;
    s = xcalloc(1, sizeof *s);
    s->path = path;
    pthread_mutex_init(&s->lock, NULL);
    s->file = fopen(path, "a+");
    if (!s->file) {
        rc = err_set_errno(err, ERR_IO, errno, "opening '%s'", path);
    } else {
        rewind(s->file);
        lines_make(s, run);
        rc = state_read(s, run, &begun, err);
    }
    if (!rc && !begun) {
        char *head = head_text(run);

        rc = state_put(s, head, true, err);
        free(head);
    }
    for (size_t i = 0; i < s->count; i++)
        while (s->lines[i].apart) {
            struct chunk_line *c = s->lines[i].apart;

            s->lines[i].apart = c->next;
            chunk_line_free(c);
        }
    *state = s;
    return rc;
}

enum err_code compare_state_note(struct compare_state *s, const struct pair *p,
                                 const struct bound range[2], const struct sum *rows, bool equal,
                                 struct err *err)
{
    const struct table *t = p->table[SOURCE_SIDE];
    json_t *line;
    char *text;
    enum err_code rc;

    if (!s)
        return ERR_OK;
    line = json_pack("{s:s, s:s, s:s, s:o, s:o, s:I, s:I, s:b}", "schema", t->db, "table", t->name,
                     "shape", line_find(s, t->db, t->name)->shape, "lo", bound_json(&range[0]),
                     "hi", bound_json(&range[1]), "rows", (json_int_t)rows[SOURCE_SIDE].rows,
                     "target_rows", (json_int_t)rows[TARGET_SIDE].rows, "equal", equal);
    text = line ? json_dumps(line, JSON_COMPACT) : NULL;
    json_decref(line);
    pthread_mutex_lock(&s->lock);
    rc = state_put(s, text, clock_mono_us() - s->synced_us >= SYNC_US, err);
    pthread_mutex_unlock(&s->lock);
    free(text);
    return rc;
}

enum err_code compare_state_close(struct compare_state *s, bool finished, struct err *err)
{
    enum err_code rc = ERR_OK;

    if (!s)
        return ERR_OK;
    if (s->file && !finished && (fflush(s->file) || fdatasync(fileno(s->file))))
        rc = err_set_errno(err, ERR_IO, errno, "writing '%s'", s->path);
    if (s->file)
        (void)fclose(s->file);
    if (finished && unlink(s->path))
        rc = err_set_errno(err, ERR_IO, errno, "removing '%s'", s->path);
    pthread_mutex_destroy(&s->lock);
    free(s->lines);
    free(s);
    return rc;
}
