/* formats/binlog_tables.h: the Table_map events that rows refer to, each read and bound once.
 *
 * A source repeats them for every statement; equal bytes are not read again. */
#ifndef FERRY_FORMATS_BINLOG_TABLES_H
#define FERRY_FORMATS_BINLOG_TABLES_H

#include "formats/binlog_reader.h"

struct table_cache;

struct table_cache *table_cache_new(void);
void table_cache_free(struct table_cache *cache); /* NULL is fine */
/* What was bound is bound anew when it is next needed. */
void table_cache_forget(struct table_cache *cache);
/* Between transactions: drops all when there are very many. */
void table_cache_trim(struct table_cache *cache);
/* Takes a Table_map event in. */
MUST_CHECK enum err_code table_cache_map(struct table_cache *cache, const uint8_t *data, size_t len,
                                         const struct binlog_format *format, struct err *err);
/* The table of an id as its Table_map says, not bound; NULL: there was none. */
const struct binlog_table *table_cache_peek(struct table_cache *cache, uint64_t id);
/* The table of an id, bound to what `find` gives; NULL where that is not wanted. Valid until the
 * next call of this or of forget. ERR_BINLOG_EVENT: there was no Table_map for it. */
MUST_CHECK enum err_code table_cache_find(struct table_cache *cache, uint64_t id,
                                          binlog_find_fn *find, void *find_ctx,
                                          struct charset_maps *maps, const struct binlog_table **,
                                          struct err *err);

#endif
