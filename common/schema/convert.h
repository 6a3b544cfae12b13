/* common/schema/convert.h: a definition of one server as another takes it, with every change named.
 *
 * Works on tokens: what needs no change is copied byte for byte. Nothing is asked of a server. The
 * result of a conversion belongs to its caller; no other state: any thread. */
#ifndef FERRY_SCHEMA_CONVERT_H
#define FERRY_SCHEMA_CONVERT_H

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/mysql/flavour.h"

#include <stdbool.h>
#include <stddef.h>

enum object_kind {
    OBJECT_DATABASE,
    OBJECT_TABLE,
    OBJECT_VIEW,
    OBJECT_SEQUENCE,
    OBJECT_TRIGGER,
    OBJECT_ROUTINE,
    OBJECT_EVENT
};

enum definer_policy {
    DEFINER_KEEP,
    DEFINER_STRIP,  /* the loading account becomes the definer */
    DEFINER_REPLACE /* by convert_params.definer */
};

/* How the collation of a key's column is chosen where TiDB has no equal one. */
enum key_collation {
    KEY_COLLATION_SAFE,   /* equal or finer: no two rows of the source collide (collation.h) */
    KEY_COLLATION_NEAREST /* as for other columns: comparisons stay as they were, rows can collide
                           */
};

struct convert_params {
    const struct flavour *source, *target;
    const char *database_collation; /* of the tables' database on the source, for definitions that
                                       name none; NULL: unknown */
    bool spatial_bytes; /* TiDB: spatial columns become LONGBLOB; else they are refused */
    bool split_indexes; /* non-unique indexes into `indexes` */
    enum key_collation key_collation;
    enum definer_policy definers;
    const char *definer;    /* SQL text, "`u`@`h`" */
    unsigned max_key_bytes; /* TiDB's max-index-length; 0: 3072 */
    unsigned max_keys;      /* TiDB's index-limit; 0: 64 */
    unsigned max_columns;   /* TiDB's table-column-count-limit; 0: 1017 */
};

enum change_severity {
    CHANGE_INFO,    /* written otherwise, means the same */
    CHANGE_WARNING, /* may behave otherwise in some cases */
    CHANGE_LOSS,    /* something is gone, or compares otherwise */
    CHANGE_REFUSED  /* the target cannot have it: the definition must not be run */
};
enum change_part {
    PART_OBJECT, /* the whole */
    PART_COLUMN,
    PART_KEY,
    PART_FOREIGN_KEY,
    PART_CHECK,
    PART_OPTION,
    PART_PARTITION,
    PART_EXPRESSION,
    PART_DEFINER
};
struct change {
    enum change_severity severity;
    enum change_part part;
    const char *name;    /* of the column, key, option...; "" for the whole object */
    const char *was;     /* SQL text; "" if nothing was */
    const char *is;      /* "" if nothing is */
    const char *meaning; /* one or more sentences for people, lower case, without full stop */
};

struct converted {
    struct arena *arena; /* owns everything below */
    const char *sql;     /* the definition to be run, without what follows; no ";" */
    const char
        *indexes; /* ALTER TABLE with all non-unique indexes that were split off; NULL: none */
    const char *
        *foreign_keys; /* ALTER TABLE ... ADD CONSTRAINT, one a foreign key; to be run last */
    size_t foreign_key_count;
    struct change *changes; /* in the order of the definition */
    size_t change_count;
    bool refused; /* at least one change is CHANGE_REFUSED */
};

/* Converts one statement, CREATE ... as the server shows it. ERR_FORMAT: the text cannot be
 * understood; `out` is then empty. Release `out` in any case. */
MUST_CHECK enum err_code convert_definition(const char *sql, enum object_kind kind,
                                            const struct convert_params *p, struct converted *out,
                                            struct err *err);
void converted_release(struct converted *out);

const char *change_severity_name(enum change_severity s); /* "info", "warning", "loss", "refused" */
const char *change_part_name(enum change_part p);         /* "column", "foreign key", ... */

#endif
