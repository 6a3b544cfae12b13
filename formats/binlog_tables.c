#include "formats/binlog_tables.h"

#include "common/base/bytes.h"

#include <stdlib.h>

#define TABLES_MAX 4096U
#define BUCKETS 1024U

struct cached {
    struct cached *next;
    struct binlog_table *table;
    uint8_t *body; /* of the event, behind the header */
    size_t len;
    bool asked; /* `find` has answered: table->def says what */
};
struct table_cache {
    struct cached *buckets[BUCKETS];
    size_t count;
    struct cached *last; /* found; rows come in a row */
};

struct table_cache *table_cache_new(void)
{
    return xcalloc(1, sizeof(struct table_cache));
}

static void cached_free(struct cached *c)
{
    binlog_table_free(c->table);
    free(c->body);
    free(c);
}

static void cache_empty(struct table_cache *cache)
{
    for (unsigned i = 0; i < BUCKETS; i++)
        while (cache->buckets[i]) {
            struct cached *c = cache->buckets[i];

            cache->buckets[i] = c->next;
            cached_free(c);
        }
    cache->count = 0;
    cache->last = NULL;
}

void table_cache_free(struct table_cache *cache)
{
    if (!cache)
        return;
    cache_empty(cache);
    free(cache);
}

void table_cache_forget(struct table_cache *cache)
{
    cache_empty(cache);
}

void table_cache_trim(struct table_cache *cache)
{
    if (cache->count > TABLES_MAX)
        cache_empty(cache);
}

static struct cached **cache_place(struct table_cache *cache, uint64_t id)
{
    struct cached **p = &cache->buckets[id % BUCKETS];

    while (*p && (*p)->table->id != id)
        p = &(*p)->next;
    return p;
}

enum err_code table_cache_map(struct table_cache *cache, const uint8_t *data, size_t len,
                              const struct binlog_format *format, struct err *err)
{
    struct binlog_table *t = NULL;
    struct cached **place;
    struct cached *c;
    enum err_code rc;

    if (len > BINLOG_HEADER && cache->last && cache->last->len == len - BINLOG_HEADER &&
        memcmp(cache->last->body, data + BINLOG_HEADER, cache->last->len) == 0)
        return ERR_OK;
    rc = binlog_table_read(data, len, format, &t, err);
    if (rc)
        return rc;
    place = cache_place(cache, t->id);
    c = *place;
    if (c && c->len == len - BINLOG_HEADER && memcmp(c->body, data + BINLOG_HEADER, c->len) == 0) {
        binlog_table_free(t);
        cache->last = c;
        return ERR_OK;
    }
    if (c) { /* the server began to count anew */
        *place = c->next;
        cached_free(c);
        cache->count--;
    }
    c = xcalloc(1, sizeof(*c));
    c->table = t;
    c->len = len - BINLOG_HEADER;
    c->body = xmalloc(c->len);
    memcpy(c->body, data + BINLOG_HEADER, c->len);
    place = &cache->buckets[t->id % BUCKETS];
    c->next = *place;
    *place = c;
    cache->count++;
    cache->last = c;
    return ERR_OK;
}

const struct binlog_table *table_cache_peek(struct table_cache *cache, uint64_t id)
{
    const struct cached *c = cache->last;

    if (!c || c->table->id != id)
        c = *cache_place(cache, id);
    return c ? c->table : NULL;
}

/* One call for each event of rows. NOLINTNEXTLINE(readability-function-size) */
enum err_code table_cache_find(struct table_cache *cache, uint64_t id, binlog_find_fn *find,
                               void *find_ctx, struct charset_maps *maps,
                               const struct binlog_table **out, struct err *err)
{
    const struct table *def = NULL;
    struct cached *c = cache->last;
    enum err_code rc;

    if (!c || c->table->id != id)
        c = *cache_place(cache, id);
    if (!c)
        return err_set(err, ERR_BINLOG_EVENT,
                       "rows of table number %llu, of which no Table_map came",
                       (unsigned long long)id);
    cache->last = c;
    if (!c->asked) {
        rc = find(find_ctx, c->table->db, c->table->name, &def, err);
        if (!rc && def)
            rc = binlog_table_bind(c->table, def, maps, err);
        if (rc)
            return rc;
        c->asked = true;
    }
    *out = c->table->def ? c->table : NULL;
    return ERR_OK;
}
