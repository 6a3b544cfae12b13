/* formats/foreign.h: dumps that Dumpling and mydumper made, as a struct dump; for dump_read.c only.
 *
 * They have no manifest: files are told apart by their names, tables come from the CREATE TABLE
 * statements, and there are no checksums. Of a data file only its end is known to be right (a
 * statement that is cut off, a compressed stream that is cut off); of a table mydumper's metadata
 * says how many rows it has. The dump's UUID is made from the metadata and the names of all files,
 * so that a load goes on with the same dump; the files' sizes are for the load's state to compare.
 *
 * File names and metadata: as TiDB Lightning's router reads them, and mydumper's documentation. */
#ifndef FERRY_FORMATS_FOREIGN_H
#define FERRY_FORMATS_FOREIGN_H

#include "formats/dump_read.h"

/* `d` has its store and arena, and is filled. ERR_STORE_NOT_FOUND: it is not such a dump either;
 * ERR_DUMP_INCOMPLETE: it is not finished, or its records are gone; ERR_FORMAT, ERR_DUMP_VERSION:
 * what cannot be read, by name. */
MUST_CHECK enum err_code foreign_open(struct dump *d, struct err *err);
/* A schema file's text. */
MUST_CHECK enum err_code foreign_read_schema(const struct dump *d, const char *path, uint64_t bytes,
                                             struct strbuf *out, struct err *err);

#endif
