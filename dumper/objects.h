/* dumper/objects.h: triggers, routines and events; what of all definitions could not be read. On
 * the main thread, over the control connection. */
#ifndef FERRY_DUMPER_OBJECTS_H
#define FERRY_DUMPER_OBJECTS_H

#include "dumper/run.h"

/* The files of all databases; an object whose definition cannot be had is left out by name. */
MUST_CHECK enum err_code dumper_write_objects(struct dump_run *run, struct err *err);
/* The failure is of this one object, and the connection goes on: it is logged by name and counted,
 * and the error is cleared. Else the error stays. `kind` "view". */
MUST_CHECK enum err_code dumper_leave_out(struct dump_run *run, const char *kind, const char *db,
                                          const char *name, struct err *err);
/* Whether the view can be read: ERR_SQL with the server's words when what it looks at is gone. */
MUST_CHECK enum err_code dumper_check_view(struct dump_run *run, const struct table *t,
                                           struct err *err);

/* ---- sequence_file.c ---- */
/* Appends the statements that make the sequence, which `sql` creates, go on where it is now. */
MUST_CHECK enum err_code dumper_sequence_text(struct dump_run *run, const struct table *t,
                                              const char *sql, struct strbuf *text,
                                              struct err *err);

#endif
