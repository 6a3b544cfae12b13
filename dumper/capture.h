/* dumper/capture.h: --with-binlog: the source's binlog from the first epoch's position to the end
 * of the dump, as segments (formats/segments.h).
 *
 * One thread with a connection of its own streams the binlog into segments. It begins exactly at
 * the first epoch's position, and in a dump that is continued where the last durable segment ends,
 * so that nothing lies between; a segment that was not finished is read again. What a replay could
 * not repeat stops it by name while the source is still there: rows logged as statements, XA in two
 * phases, partial rows and JSON, a binlog that was purged or reset. The main thread's, but for
 * dumper_capture_error. Without --with-binlog all of it does nothing. */
#ifndef FERRY_DUMPER_CAPTURE_H
#define FERRY_DUMPER_CAPTURE_H

#include "dumper/run.h"

/* Before anything is locked: the source logs rows, whole, all of them, and lets us read them:
 * ERR_BINLOG_UNSUPPORTED, ERR_PRIVILEGE. */
MUST_CHECK enum err_code dumper_capture_prove(struct dump_run *run, struct err *err);
/* The global settings alone: ERR_BINLOG_UNSUPPORTED. */
MUST_CHECK enum err_code dumper_rows_logged(struct dump_run *run, struct err *err);
/* An event of rows has all columns of its table, if that is planned: ERR_BINLOG_UNSUPPORTED. */
struct binlog_table;
struct rows_images;
MUST_CHECK enum err_code dumper_rows_whole(const struct dump_run *run, const struct binlog_table *t,
                                           const struct rows_images *images, struct err *err);
/* Into run->cascades_logged. */
MUST_CHECK enum err_code dumper_cascades_logged(struct dump_run *run, struct err *err);
/* Writes the maps of the tables' character sets that the dump does not have yet. After the plan. */
MUST_CHECK enum err_code dumper_capture_charsets(struct dump_run *run, struct err *err);
/* Asks for the binlog, from run->position on if nothing was captured yet; sets run->log_created. It
 * is under way: nothing. ERR_BINLOG_PURGED: what would come next is gone. */
MUST_CHECK enum err_code dumper_capture_begin(struct dump_run *run, struct err *err);
/* Starts the thread, once the first epoch has its record; of a later one `begin` does it. */
MUST_CHECK enum err_code dumper_capture_go(struct dump_run *run, struct err *err);
/* Returns when all before `to` is captured. */
MUST_CHECK enum err_code dumper_capture_wait(struct dump_run *run, const struct position *to,
                                             struct err *err);
/* Captures up to the binlog's end as it is now, and ends. Everything is recorded then. */
MUST_CHECK enum err_code dumper_capture_end(struct dump_run *run, struct err *err);
/* Ends it where it is; it can be gone on with. */
void dumper_capture_stop(struct dump_run *run);
/* Why it has stopped by itself; ERR_OK: it has not. Any thread. */
MUST_CHECK enum err_code dumper_capture_error(struct dump_run *run, struct err *err);

/* What DDL in the captured binlog names, earlier runs' too: `table` "": all of the database.
 * Offsets are those behind the statements. */
typedef void capture_ddl_fn(void *ctx, const char *file, uint64_t offset, const char *db,
                            const char *table);
void dumper_capture_ddl(struct dump_run *run, capture_ddl_fn *fn, void *ctx);

#endif
