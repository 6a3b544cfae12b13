/* formats/dump_plan.h: builds a struct dump from the manifest's records, one after the other; for
 * dump_read.c only. What the records say is checked against each other. */
#ifndef FERRY_FORMATS_DUMP_PLAN_H
#define FERRY_FORMATS_DUMP_PLAN_H

#include "formats/dump_read.h"

struct dump_plan;
/* `d` (borrowed) has its arena and store; what is gathered goes into it. */
struct dump_plan *dump_plan_new(struct dump *d);
/* manifest_read_fn: takes `r` over. `plan` is a struct dump_plan. */
MUST_CHECK enum err_code dump_plan_add(void *plan, struct record *r, struct err *err);
/* After the last record: fills tables, databases and files of the dump. */
MUST_CHECK enum err_code dump_plan_finish(struct dump_plan *plan, struct err *err);
void dump_plan_free(struct dump_plan *plan);

/* The model, shape and names of `t` from the record; everything is put into the arena. Chunks stay
 * as they are. */
MUST_CHECK enum err_code dump_table_fill(struct dump_table *t, const struct table_record *r,
                                         struct arena *arena, struct err *err);
/* The shape of what is dumped, from the model. */
void dump_table_shape(struct dump_table *t, struct arena *arena);

#endif
