/* common/mysql/filter_glob.h: the wildcard patterns of the table filter, and names compared as
 * UTF-8 without a locale. */
#ifndef FERRY_MYSQL_FILTER_GLOB_H
#define FERRY_MYSQL_FILTER_GLOB_H

#include <stdbool.h>

/* One pattern taken from a rule: up to the first dot that is not escaped, or the end. */
struct glob_scan {
    const char *at; /* in: where it begins; out: the dot or the NUL */
    char *text;     /* out, heap: without escapes for a literal, with them for a pattern */
    bool literal;   /* out: no wildcard in it */
};
/* NULL, or what is wrong (a static string). `text` is to be freed in any case. */
const char *glob_scan(struct glob_scan *scan);

/* `*` any run, `?` one character, [a-z] and [!a-z] one character, `\` escapes. The pattern is one
 * that glob_scan has taken. `fold`: letters of either case are equal (ASCII, Latin, Greek and
 * Cyrillic ones). */
bool glob_match(const char *pattern, const char *name, bool fold);
bool utf8_equal(const char *a, const char *b, bool fold);

#endif
