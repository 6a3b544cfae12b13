/* common/schema/collation.h: character sets and collations of one server on another.
 *
 * The rule for TiDB, which has few of them:
 * 1. A collation that TiDB has stays; one whose equality TiDB has under another name becomes that.
 * 2. A column of a primary, unique or foreign key gets one that is equal or finer (it calls fewer
 *    values equal): rows that are distinct on the source stay distinct. Where the nearest one is
 *    coarser, this is the binary one.
 * 3. Any other column gets the nearest one: what ignored case still ignores it.
 * TiDB's latin1 is UTF-8 under another name, so all of latin1 becomes utf8mb4. Pure tables: any
 * thread. */
#ifndef FERRY_SCHEMA_COLLATION_H
#define FERRY_SCHEMA_COLLATION_H

#include "common/base/strbuf.h"
#include "common/mysql/flavour.h"

/* The target's equality against the source's. */
enum collation_relation {
    COLLATION_SAME,    /* the name stays */
    COLLATION_EQUAL,   /* another name */
    COLLATION_FINER,   /* calls fewer values equal */
    COLLATION_COARSER, /* calls more values equal: unique keys may collide */
    COLLATION_MIXED    /* both */
};

struct collation_map {
    char charset[16];
    char name[64];
    enum collation_relation relation;
    const char *merges;  /* examples "A=\xc3\x84" that are equal on the target only; "": none */
    const char *splits;  /* examples that are equal on the source only; "": none */
    bool spaces_count;   /* trailing spaces differ on the target, not on the source */
    bool spaces_fade;    /* trailing spaces differ on the source, not on the target */
    bool unknown;        /* no such collation is known: a guess by its name */
    char nearest[64];    /* the one that rule 2 passed over; "": none */
    const char *avoided; /* what that one would have called equal; "": only trailing spaces */
};

struct collation_wish {
    bool key;    /* equal or finer, rule 2 */
    bool narrow; /* at most three bytes a character where the source's character set allows it, so
                    that a long key fits */
};

/* What `collation` becomes on `target`. */
void collation_map(const char *collation, const struct flavour *target, struct collation_wish wish,
                   struct collation_map *out);
/* Appends what the map means for comparisons and uniqueness; nothing for the same name. */
void collation_explain(const struct collation_map *map, struct strbuf *out);
static inline bool collation_is_safe(const struct collation_map *map) /* for unique keys */
{
    return map->relation <= COLLATION_FINER;
}

/* The collation that a bare character set means on the server; NULL: unknown character set. */
const char *charset_default_collation(const char *charset, const struct flavour *server);
/* "latin1" of "latin1_swedish_ci"; "utf8mb3" for "utf8..."; "utf8mb4" for MariaDB's short names
 * ("uca1400_ai_ci"). */
void collation_charset(const char *collation, char charset[16]);
unsigned charset_max_bytes(const char *charset); /* of a character; 4 for unknown ones */
/* Whether a text of n bytes can take more than n bytes in UTF-8. */
bool charset_grows(const char *charset);
/* Whether the target knows the name after CHARACTER SET or as an introducer. */
bool charset_known(const char *charset, const struct flavour *target);

#endif
