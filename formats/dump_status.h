/* formats/dump_status.h: how far a dump is, from its manifest and its lock alone. Only reads: the
 * one who writes it is not disturbed, on whatever machine. What the writer has not yet made durable
 * (1.5 s, and the files it is writing) is not seen. */
#ifndef FERRY_FORMATS_DUMP_STATUS_H
#define FERRY_FORMATS_DUMP_STATUS_H

#include "common/store/lease.h"
#include "formats/dump_read.h"

enum dump_state { DUMP_RUNNING, DUMP_UNFINISHED, DUMP_FINISHED };
const char *dump_state_name(enum dump_state s); /* "running" */

struct dump_status {
    enum dump_state state;
    struct lease_view owner; /* of ferry.lock */
    char uuid[37];           /* "": nothing is recorded yet */
    unsigned epochs;
    int64_t started_us; /* the dump; 0: not known */
    int64_t since_us;   /* the last run's snapshot, or the end; 0: not known */
    uint64_t tables_done, tables_begun, tables_total; /* with rows; total 0: not known */
    uint64_t others;                                  /* views and sequences */
    uint64_t rows, raw_bytes, stored_bytes, files;
    double share; /* 0 to 1, of the plan's bytes; negative: not known */
};
/* ERR_STORE_NOT_FOUND: neither a manifest nor a lock. */
MUST_CHECK enum err_code dump_status_read(struct store *s, struct dump_status *out,
                                          struct err *err);
void dump_status_text(const struct dump_status *s, struct strbuf *out);
void dump_status_json(const struct dump_status *s, struct strbuf *out);

#endif
