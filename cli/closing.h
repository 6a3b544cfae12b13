/* cli/closing.h: the table that a command prints to stdout when it has done its work. */
#ifndef FERRY_CLI_CLOSING_H
#define FERRY_CLI_CLOSING_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct closing_row {
    const char *db, *name, *kind;
    uint64_t rows, bytes, files, worker_us;
};
struct closing_step {
    const char *name;
    uint64_t wall_us;
};
/* One line an object (the largest `CLOSING_ROWS` by bytes, then one line for the rest), the sum,
 * and each step's wall time. */
#define CLOSING_ROWS 40
void closing_print(const struct closing_row *rows, size_t count, const struct closing_step *steps,
                   size_t step_count);

/* With --progress json: {"closing": ...} as one line of standard error, behind the progress lines.
 * Takes the object. */
void closing_json(json_t *closing);
/* [{"table": "shop.t", "kind", "rows", "bytes", "files"}], new. */
json_t *closing_tables(const struct closing_row *rows, size_t count);
/* {"file", "offset", "gtid"}, new; null without a file. */
json_t *closing_place(const char *file, uint64_t offset, const char *gtids);

#endif
