/* check/check_inner.h: what the files of the checks share; for them only. */
#ifndef FERRY_CHECK_CHECK_INNER_H
#define FERRY_CHECK_CHECK_INNER_H

#include "check/check.h"
#include "check/grants.h"

#include "common/base/mem.h"
#include "common/mysql/conn.h"
#include "common/mysql/filter.h"
#include "common/mysql/route.h"
#include "common/schema/convert.h"
#include "common/schema/model.h"
#include "common/target/table_limits.h"

enum side { SOURCE, TARGET, SIDES };

struct variable {
    char *name, *value; /* owned */
};

/* One server, and what is asked of it once for all items. */
struct check_side {
    const struct server_url *url; /* NULL: not given */
    const char *role;             /* "source" */
    struct conn *conn;            /* NULL: not reached, or lost */
    struct flavour flavour;       /* known once connected */
    bool was_open;
    struct err why; /* why there is no connection */
    struct variable *variables;
    size_t variable_count;
    struct grants *grants;
    char *current_role;    /* NULL: none, or the server has no roles */
    struct schema *schema; /* NULL: not read, `schema_why` says why */
    struct err schema_why;
    const struct table **folded; /* its tables in the order of their names without case */
    uint64_t bytes;              /* of all tables, as the server estimates */
    struct table_limits limits;
};

/* What the conversion for the target says, in the order of the tables. */
struct definition_note {
    enum change_severity severity;
    enum change_part part;
    const char *text; /* "shop.orders.note: was -> is: meaning" */
};
struct definitions {
    bool done;
    struct arena *arena;
    struct definition_note *notes;
    size_t count, room;
    size_t looked_at, left; /* objects; `left`: beyond max_definitions */
};

struct check {
    const struct check_config *config;
    struct check_side side[SIDES];
    struct filter *filter;
    struct route *route;
    struct definitions definitions;
};

/* An item's own faults become its outcome: what it could not see is a warning. */
typedef enum err_code check_fn(struct check *c, struct check_outcome *o, struct err *err);
enum check_needs { /* bits; without them the item is skipped, with the reason */
                   NEEDS_SOURCE = 1,
                   NEEDS_TARGET = 2,
                   NEEDS_OUTPUT = 4,
                   NEEDS_TABLES = 8,   /* the source's schema */
                   NEEDS_BINLOG = 16,  /* a source that is not TiDB */
                   NEEDS_LOGGING = 32, /* log_bin=ON */
                   NEEDS_TARGET_TIDB = 64,
                   NEEDS_TARGET_CLASSIC = 128
};
struct check_item {
    struct check_info info;
    unsigned needs;
    check_fn *fn;
};
extern const struct check_item check_items[];
extern const size_t check_item_count;

/* ---- outcomes (outcome.c) ---- */

/* Adds a sentence; the result becomes `r` where that is worse than what it was. */
void say(struct check_outcome *o, enum check_result r, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Adds an object to the list. */
void list(struct check_outcome *o, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Adds a line to what mends it. */
void mend(struct check_outcome *o, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The result of the item as a whole: there is nothing to look at. Returns ERR_OK. */
enum err_code skip(struct check_outcome *o, const char *fmt, ...) PRINTF_LIKE(2, 3);
enum mend_how { MEND_NOW, MEND_RESTART };
/* How the server's variable is set for good: by SQL, the option file, or a parameter group. */
void mend_variable(struct check_outcome *o, const struct flavour *f, const char *name,
                   const char *value, enum mend_how how);
/* "GRANT rights ON scope TO account;" */
void mend_grant(struct check_outcome *o, const struct check_side *s, const char *rights,
                const char *scope);
/* The same for everything in a database; only once connected. */
void mend_database(struct check_outcome *o, const struct check_side *s, const char *rights,
                   const char *db);

/* ---- facts (facts.c) ---- */

/* NULL: the server has no such variable. */
const char *variable(const struct check_side *s, const char *name);
bool variable_on(const struct check_side *s, const char *name);         /* ON, 1, YES, TRUE */
uint64_t variable_number(const struct check_side *s, const char *name); /* 0: none */
static inline bool for_follow(const struct check *c)
{
    return (c->config->stages & CHECK_FOLLOW) != 0;
}
static inline bool for_load(const struct check *c)
{
    return (c->config->stages & CHECK_LOAD) != 0;
}
MUST_CHECK enum err_code side_open(struct check_side *s, enum conn_profile profile,
                                   struct err *err);
/* Variables, grants, roles; what cannot be had stays empty. ERR only when the server is lost. */
MUST_CHECK enum err_code side_facts(struct check_side *s, struct err *err);
void side_release(struct check_side *s);
/* The first cell; *value NULL where the server refuses the question. ERR only when it is lost. */
MUST_CHECK enum err_code ask(struct check_side *s, const char *sql, char **value, struct err *err);
/* A heap string "db.name" for people. */
char *table_label(const struct table *t);
bool table_has_rows(const struct table *t); /* not a view or a sequence */
/* Sorts s->schema's tables by their names without ASCII case into s->folded. */
void side_fold(struct check_side *s);
/* As qsort's; over const struct table *. */
int folded_order(const void *a, const void *b);
/* Its table on the target; NULL: none, or it has not been read. */
const struct table *target_table(const struct check *c, const struct table *t);
/* Fills c->definitions once. */
MUST_CHECK enum err_code definitions_read(struct check *c, struct err *err);
/* The rights that the stages need of an account on a server of this flavour; NULL: unknown. */
void rights_needed(enum side side, unsigned stages, const struct flavour *f, struct strbuf *out);

/* ---- the items ---- */

check_fn check_source_connection, check_target_connection, check_source_version,
    check_target_version, check_same_server, check_source_tls, check_target_tls; /* servers.c */
check_fn check_source_connections, check_target_connections, check_packet, check_time_zone,
    check_sql_mode, check_clock, check_local_infile, check_target_writable, check_new_collation,
    check_output, check_long_queries; /* settings.c */
check_fn check_binlog_enable, check_binlog_format, check_binlog_row_image, check_binlog_row_value,
    check_binlog_db, check_log_replica, check_gtid, check_retention, check_server_id,
    check_server_id_clash, check_reader;    /* binlog.c */
check_fn check_position, check_binlog_read; /* binlog_proof.c */
check_fn check_cutover;                     /* cutover.c */
check_fn check_dump_privilege, check_lock_privilege, check_ddl_lock, check_process,
    check_replication_privilege, check_objects_privilege, check_xa, check_target_privilege,
    check_roles, check_definers; /* rights.c */
check_fn check_tables, check_engines, check_keyless, check_types, check_collations, check_text,
    check_generated, check_triggers, check_cascades, check_names, check_large_rows,
    check_online_ddl, check_versioned, check_require_key;              /* tables.c */
check_fn check_target_tables, check_target_triggers, check_collisions; /* target_tables.c */
check_fn check_def_columns, check_def_keys, check_def_foreign_keys, check_def_others,
    check_def_objects; /* definitions.c */

#endif
