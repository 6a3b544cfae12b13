/* formats/dump_read.h: the one reader of a dump, for loader, verify and follower: the plan of what
 * is in it, and its bytes, verified.
 *
 * Built from the manifest; voided chunks are gone from it. Everything is owned by the dump and
 * read-only after dump_open: any thread. */
#ifndef FERRY_FORMATS_DUMP_READ_H
#define FERRY_FORMATS_DUMP_READ_H

#include "common/schema/model.h"
#include "formats/manifest.h"
#include "formats/row_codec.h"

struct dump_table;
struct dump_chunk { /* an object with rows */
    const struct dump_table *table;
    uint64_t number; /* of the file in its table */
    uint64_t id; /* unique in the dump, voided chunks included, and rising in the table: voids of
                    the table << 56 | table id << 32 | number */
    const char *path;
    bool counted; /* rows and raw_bytes are recorded; else `rows` is 0, `raw_bytes` a guess, and the
                     digest holds nothing but the length */
    uint64_t rows, raw_bytes;
    unsigned epoch, span;
    struct bound lo, hi;
    struct digest digest;
};
/* A range of a table's key, from behind `lo` to the next span's `lo`, or to the table's end. */
struct dump_span {
    unsigned span, parent, epoch;
    struct bound lo;
    struct bound hi;   /* how far its chunks go, those without rows too; `lo` as long as there are
                          none */
    const char *apart; /* the first chunk that does not begin where the one before it ended, by its
                          path; NULL: none */
    bool ended;        /* its last chunk has come */
};
struct dump_table {
    unsigned id;
    const char *db, *name;
    enum table_kind kind;
    const char *schema_file; /* NULL: none */
    struct table
        model; /* columns as the dump's source had them (types parsed, keys: only the chunk key) */
    struct row_shape shape;    /* dumped columns */
    const unsigned *dumped;    /* shape index -> model column index */
    struct dump_chunk *chunks; /* by number */
    size_t chunk_count;
    struct dump_span *spans; /* in the key's order, as the records put them */
    size_t span_count;
    uint64_t rows, raw_bytes;
    unsigned from, to; /* the first and the last epoch of its chunks; 0: it has none */
    bool rows_said;    /* a dump of another tool that says how many: `rows`; its chunks do not */
    bool done;
    bool left_out; /* it could not be read: its rows are not in the dump, but its definition is */
};
struct dump_database {
    const char *name;
    const char *schema_file;
};

struct dump {
    struct store *store; /* borrowed */
    const char *foreign; /* "Dumpling", "mydumper": the tool that made it; NULL: ferry. Such a dump
                            is complete, has one epoch at most, no spans and no checksums */
    bool zone_unknown;   /* the time zone of TIMESTAMP values is nowhere written down */
    struct dump_record info;
    struct csv_dialect dialect; /* of CSV files */
    struct epoch_record *epochs;
    unsigned epoch_count;
    struct left_out_record *left_out; /* tables, by db and name once each */
    size_t left_out_count;
    struct dump_database *databases;
    size_t database_count;
    struct dump_table *tables; /* by database and name; views and sequences too */
    size_t table_count;
    struct file_record *files; /* schema files by path */
    size_t file_count;
    struct segment_record *binlog; /* captured, in order: formats/segments.h */
    size_t binlog_count;
    bool complete;     /* has its end record */
    uint64_t segments; /* of the manifest that have been read; 0: of another tool */
    uint64_t voids;    /* void records among them */
    struct end_record end;
    struct arena *arena;
};

/* ERR_STORE_NOT_FOUND (with a hint) when there is no manifest, ERR_DUMP_INCOMPLETE without an end
 * record unless `allow_incomplete`, ERR_CORRUPT. */
MUST_CHECK enum err_code dump_open(struct store *s, bool allow_incomplete, struct dump **,
                                   struct err *err);
void dump_free(struct dump *d);
/* The same bytes: no collation is asked, as all bounds are the server's own text. */
bool dump_bound_equal(const struct bound *a, const struct bound *b);

/* It lies in a spool: files have gone whose rows are loaded. */
bool dump_is_spool(const struct dump *d);

/* A schema file's verified and decompressed text. */
MUST_CHECK enum err_code dump_read_schema(const struct dump *d, const char *path,
                                          struct strbuf *out, struct err *err);
/* Rows of a chunk from raw offset `off` (a value of decoder_offset; 0: the start), `rows` before
 * it. Begins at the nearest zstd frame at or before it, verified. */
MUST_CHECK enum err_code dump_open_chunk(const struct dump *d, const struct dump_chunk *c,
                                         uint64_t off, uint64_t rows, struct decoder **,
                                         struct err *err);
/* Every file that the records name is there with its recorded length (a listing, no reading):
 * ERR_DUMP_FILE_MISSING, ERR_CORRUPT. */
MUST_CHECK enum err_code dump_check_listing(const struct dump *d, struct err *err);

#endif
