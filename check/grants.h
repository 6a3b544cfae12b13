/* check/grants.h: what SHOW GRANTS says, as questions that can be answered.
 *
 * Understands the lines of MySQL 5.5 to 9, MariaDB, TiDB, RDS and Aurora: ALL PRIVILEGES, rights on
 * columns, dynamic rights, database names with wildcards, REVOKE lines (partial revokes), roles.
 * Filled by one thread, then read by any.
 *
 * What a line of a role says counts as the account's own: the lines must be those of roles that are
 * active. Rights of routines are kept out of the answers. */
#ifndef FERRY_CHECK_GRANTS_H
#define FERRY_CHECK_GRANTS_H

#include "common/base/err.h"
#include "common/base/strbuf.h"

#include <stdbool.h>

struct grants_rules {
    bool fold_names;    /* the server's names do not mind case (lower_case_table_names) */
    bool literal_names; /* '_' and '%' of a database's name are letters (partial_revokes=ON) */
};

struct grants;
struct grants *grants_new(struct grants_rules rules);
void grants_free(struct grants *g);
/* One line of SHOW GRANTS. ERR_FORMAT: it cannot be understood; `g` is as it was. */
MUST_CHECK enum err_code grants_add(struct grants *g, const char *line, size_t len,
                                    struct err *err);

/* `right` in capitals, as SHOW GRANTS writes it: "SELECT", "BACKUP_ADMIN". REPLICATION CLIENT and
 * BINLOG MONITOR stand for each other. A right that is granted globally and revoked for some
 * databases counts as global. */
bool grants_global(const struct grants *g, const char *right);
/* On everything in the database, whatever level it was granted at. */
bool grants_database(const struct grants *g, const char *db, const char *right);
bool grants_table(const struct grants *g, const char *db, const char *table, const char *right);
/* The name on which a right for this database is to be granted, so that it adds to what the account
 * has: a server looks at one name alone, the most exact that matches. The name as it stands between
 * backquotes, with wildcards escaped; `out` is emptied first. */
void grants_scope(const struct grants *g, const char *db, struct strbuf *out);
/* Roles that the account has, each as the server writes it without quotes, "app@%". */
size_t grants_role_count(const struct grants *g);
const char *grants_role(const struct grants *g, size_t i);
/* "'mover'@'10.%'": as the server knows the account; "" before a line was added. */
const char *grants_account(const struct grants *g);

#endif
