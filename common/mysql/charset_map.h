/* common/mysql/charset_map.h: text of any character set of a server to UTF-8, as that server does
 * it.
 *
 * iconv's and other people's tables differ from the server's in a few characters, and a row from
 * the binlog must be the same bytes that a SELECT gives. So the map of a character set is asked of
 * the source once, character by character, and kept. Characters without a Unicode equal become '?',
 * as in a SELECT. The sets of Unicode itself need no map. One thread at a time while maps are
 * loaded; a map that was found is read-only. */
#ifndef FERRY_MYSQL_CHARSET_MAP_H
#define FERRY_MYSQL_CHARSET_MAP_H

#include "common/mysql/conn.h"

struct charset_map;
struct charset_maps;

/* `c` is asked for maps as they are needed, and stays the caller's; NULL: only sets without map. */
struct charset_maps *charset_maps_new(struct conn *c);
/* From now on another connection is asked: the one before was lost. */
void charset_maps_ask(struct charset_maps *maps, struct conn *c);
void charset_maps_free(struct charset_maps *maps);
/* The map of a character set ("cp1251"); valid as long as `maps`. ERR_BINLOG_UNSUPPORTED: it has
 * none and cannot be asked for; ERR_SQL: the server does not know the set. */
MUST_CHECK enum err_code charset_maps_find(struct charset_maps *maps, const char *charset,
                                           const struct charset_map **, struct err *err);
/* Appends the map as text, for charset_maps_add: a line "charset NAME", then a line for each
 * character, the set's bytes and those of UTF-8 in hex. Of sets of Unicode the first line only. */
void charset_map_text(const struct charset_map *map, struct strbuf *out);
/* Adds what charset_map_text has written: it is not asked for any more. ERR_CORRUPT. */
MUST_CHECK enum err_code charset_maps_add(struct charset_maps *maps, const char *text, size_t len,
                                          struct err *err);
/* Whether the bytes are UTF-8 as they are. */
bool charset_map_is_plain(const struct charset_map *map);
/* Appends `in` in UTF-8. ERR_BINLOG_EVENT: the bytes are not text of the set. */
MUST_CHECK enum err_code charset_map_convert(const struct charset_map *map, const char *in,
                                             size_t len, struct strbuf *out, struct err *err);

#endif
