/* common/target/drift.h: rows of the target that were not as the source had them when it changed
 * them: one record for each, kept in the target beside the load's state (state.h).
 *
 *   drift (job, file, pos, gtid, row_no, part, kind, made, done, db_name, name, key_name,
 *          key_values, incoming, existing, expected, identical, differs, words, at,
 *          PK (job, file, pos, gtid, row_no, part))
 *
 * A record is written in the transaction that decides what becomes of the change, so there is
 * exactly one. Rows are JSON objects as in finding.h; values that are longer than
 * finding_value_limit are cut. */
#ifndef FERRY_TARGET_DRIFT_H
#define FERRY_TARGET_DRIFT_H

#include "common/target/finding.h"

enum drift_kind {
    DRIFT_MISSING, /* the row that was changed is not there */
    DRIFT_THERE,   /* a row has a key of the one that is to come */
    DRIFT_DIFFERS  /* the row that was changed is there, with other values */
};
enum drift_made { DRIFT_INSERT, DRIFT_UPDATE, DRIFT_DELETE }; /* what the source did */
enum drift_done {
    DRIFT_STOPPED,  /* nothing: the follower stops */
    DRIFT_LOGGED,   /* the change was left out */
    DRIFT_REPAIRED, /* the target is as the source was behind the change */
    DRIFT_REMOVED   /* likewise, and `existing`, another row than the change's, had to go for it:
                       the source may have one of its primary key */
};

struct drift { /* strings are borrowed; JSON where said */
    const char *file, *gtid;
    uint64_t pos;  /* the transaction, as it begins */
    uint64_t row;  /* the change in it, from 1 */
    unsigned part; /* of the change, from 0: an UPDATE may meet several rows */
    enum drift_kind kind;
    enum drift_made made;
    enum drift_done done;
    const char *db, *table;
    const char *key;        /* name; NULL: a table without one, or not known */
    const char *key_values; /* JSON object; NULL: likewise */
    const char *incoming;   /* JSON object: the row behind the change; NULL: deleted */
    const char *existing;   /* JSON object: the target's row; NULL: there is none, or not known */
    const char *expected;   /* JSON object: the row before the change; NULL: not looked at */
    bool identical;         /* existing and incoming */
    const char *differs;    /* JSON array of names; NULL: not known */
    const char *words;      /* the server's; NULL: none */
    const char *at;         /* when read: "2026-11-23T13:45:00Z" */
};

/* Makes the table where missing. */
MUST_CHECK enum err_code drift_create(struct conn *c, const struct state *s, struct err *err);
/* Appends the statement that writes the record, or ",(...)" to one that was begun so. */
void drift_sql(const struct state *s, const struct drift *d, struct strbuf *sql);
/* What stopped a run goes before the next one begins. *left: records that stay. */
MUST_CHECK enum err_code drift_forget(struct conn *c, const struct state *s, uint64_t *left,
                                      struct err *err);

/* How many records there are of the kind; 0 where the table is not there. */
MUST_CHECK enum err_code drift_count(struct conn *c, const struct state *s, enum drift_done done,
                                     uint64_t *count, struct err *err);

typedef enum err_code drift_fn(void *ctx, const struct drift *d, struct err *err);
/* The job's records in the order of the binlog, one after the other, each valid during the call.
 * None if the table is not there. */
MUST_CHECK enum err_code drift_each(struct conn *c, const struct state *s, drift_fn *fn, void *ctx,
                                    struct err *err);

/* One JSON object and a newline: schema table change drift done key key_values incoming existing
 * expected identical differs position gtid row time. */
void drift_json_line(const struct drift *d, struct strbuf *out);
/* For people. */
void drift_text_line(const struct drift *d, struct strbuf *out);
/* All records into a new file; CSV if its name ends in .csv, else JSON lines. The file is there
 * when it is whole. */
MUST_CHECK enum err_code drift_report(struct conn *c, const struct state *s, const char *path,
                                      uint64_t *count, struct err *err);

#endif
