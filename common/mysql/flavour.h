/* common/mysql/flavour.h: what a server is: vendor first, then version. Found out once at connect.
 */
#ifndef FERRY_MYSQL_FLAVOUR_H
#define FERRY_MYSQL_FLAVOUR_H

#include "common/base/err.h"

#include <stdbool.h>

enum vendor { VENDOR_MYSQL, VENDOR_MARIADB, VENDOR_TIDB };
enum managed { MANAGED_NONE, MANAGED_RDS, MANAGED_AURORA };

struct flavour {
    enum vendor vendor;
    unsigned version; /* MMmmpp: 80036 is 8.0.36, 101106 MariaDB 10.11.6; TiDB's own version
                         (80400), not the one it imitates */
    enum managed managed;
    char text[96]; /* the server's own words, @@version and @@version_comment */
};

/* From VERSION() and @@version_comment: "8.0.11-TiDB-v8.4.0", "5.5.5-10.11.6-MariaDB-1", "9.7.4",
 * "5.6.10-aurora". ERR_SERVER_UNSUPPORTED for MySQL before 5.5, and for a text that cannot be
 * understood. */
MUST_CHECK enum err_code flavour_parse(const char *version, const char *comment, struct flavour *,
                                       struct err *err);
static inline bool flavour_at_least(const struct flavour *f, enum vendor vendor, unsigned version)
{
    return f->vendor == vendor && f->version >= version;
}
const char *vendor_name(enum vendor v); /* "MySQL", "MariaDB", "TiDB" */

#endif
