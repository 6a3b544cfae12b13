/* formats/manifest.h: which pieces of a dump are finished; makes it resumable. docs/format.md is
 * the contract of the bytes.
 *
 * ferry.manifest/NNNNNN.jsonl: segments, each one object that is written once and never changed. A
 * line is one JSON record whose last member is "crc": the CRC-32 (zlib's) of the line's bytes
 * before `,"crc"`. Records are appended in memory from any thread and become durable in groups:
 * after at most 1.5 s or 256 records, by the writer's own thread. A segment object is whole or
 * absent, so any bad line is an error.
 *
 * Records: dump, file (a schema file), epoch, table, span, chunk, table_done, void, left_out,
 * checked, segment (of the source's binlog), end.
 * A span is a range of a table's key that one worker reads in key order; a span record comes before
 * its chunks; a chunk's bounds are (lo, hi] in the key's order; splitting a span makes a new one
 * behind its parent. So the parts that are missing follow from the records alone, without comparing
 * keys. The dump record is the first of all; a table record may come again behind a void of its
 * table (the definition may have changed); a file record may come again for the same path (the last
 * one counts). */
#ifndef FERRY_FORMATS_MANIFEST_H
#define FERRY_FORMATS_MANIFEST_H

#include "common/schema/bound.h"
#include "common/store/digest.h"
#include "common/store/store.h"

#include <stdbool.h>
#include <stdint.h>

#define MANIFEST_VERSION 1
#define SEGMENT_DDL_TEXTS 3 /* each entry of segment_record.ddl */

struct dump_record {
    char uuid[37];
    unsigned version; /* of the format */
    char *ferry_version;
    char *source_version, *source_uuid, *source_host; /* NULL: not known */
    char *vendor;                                     /* "MySQL", "MariaDB", "TiDB" */
    char *format;                                     /* "sql", "csv" */
    char *compression;                                /* "zstd", "gzip", "none" */
    char *options; /* JSON object of what shapes the output, canonical (jansson's JSON_COMPACT |
                      JSON_SORT_KEYS): compared when a dump is continued */
    int64_t started_us;
};
struct epoch_record {
    unsigned epoch; /* from 1 */
    char *consistency;
    char *log_file; /* NULL: no binlog */
    uint64_t log_pos;
    char *gtid;
    char *boot;   /* when the server was started, when its status was flushed, how often RESET was
                     said;   NULL: not known */
    char *log_id; /* hash of the first events of log_file; NULL: not known */
    int64_t at_us;
    char **replica;         /* the source is a replica itself: 5 texts a channel, see metadata.h */
    unsigned replica_count; /* texts */
    uint64_t tables;        /* with rows, that the plan had, done ones too; 0: not known */
    uint64_t data_bytes;    /* of all of them, an estimate */
    uint64_t lock_us;       /* that writers were locked out; 0: not known when it was written */
    uint64_t log_created;   /* seconds: the time in the header of log_file's format description, as
                               the capture of the binlog has seen it; 0: not known */
    bool cascades_logged; /* what foreign keys' cascades change is in the binlog; false: it is not,
                             or not known */
};
struct column_record {
    char *name, *type_text, *charset, *collation;
    bool nullable, is_generated, invisible, auto_increment;
};
struct table_record {
    unsigned table; /* id within the dump, from 1 */
    unsigned epoch;
    char *db, *name;
    char *kind;        /* "table", "view", "sequence" */
    char *schema_file; /* path; NULL with --no-schemas */
    char *sha256;      /* hex of the CREATE statement's text */
    struct column_record *columns;
    unsigned column_count;
    char *key; /* name of the key chunks are cut by; NULL: none */
    char **key_columns;
    unsigned key_column_count;
    uint64_t data_bytes; /* estimate, for progress */
};
struct span_record {
    unsigned table, span, parent; /* span from 1 in each table; parent 0: the first */
    unsigned epoch;
    struct bound lo; /* exclusive begin */
};
struct chunk_record {
    unsigned table, span, epoch;
    uint64_t number;     /* of the file, unique in the table, from 1; 0 when rows == 0 */
    struct bound lo, hi; /* (lo, hi]; both open for a table without key */
    bool last;           /* the span ends with this chunk */
    char *path;          /* NULL when rows == 0: no file */
    uint64_t rows, raw_bytes;
    struct digest digest;
};
struct file_record { /* a schema file */
    char *path;
    struct digest digest;
};
struct void_record { /* all spans and chunks of the table so far do not count */
    unsigned table, epoch;
};
struct left_out_record { /* an object that could not be read, and that the dump does without */
    bool optional;       /* true: older readers pass over it */
    unsigned epoch;
    char *db, *name, *why;
};
struct checked_record { /* tables of the epoch were not altered while they were read */
    bool optional;      /* true: older readers pass over it */
    unsigned epoch;
    char *means; /* how that was looked for, for people */
};
struct table_done_record { /* sums over the table's chunks since its last void; all its spans have
                              ended */
    unsigned table;
    uint64_t rows, raw_bytes;
    uint64_t chunks;   /* those with a file */
    uint64_t from, to; /* the first and the last epoch of its chunks, those without rows too: the
                          bounds of a replay; 0: it has none, or an older ferry wrote it */
};
struct segment_record { /* a part of the source's binlog, formats/segments.h */
    uint64_t number;    /* from 1, without gaps, in the order of the binlog */
    char *path;
    char *log_file;         /* the events of one file of the binlog ... */
    uint64_t start, end;    /* ... from this offset up to that one */
    uint64_t log_created;   /* as in struct epoch_record; never 0 */
    char *gtid_from, *gtid; /* whole transactions before `start`, and before `end`; NULL: not
                               known */
    bool open;              /* it ends inside of a transaction, which the next one goes on with */
    uint64_t transactions;  /* that end in it; a statement of DDL is one */
    uint64_t time_from, time_to; /* of the first and the last event: seconds, UTC */
    char **ddl;                  /* what DDL in it names: 3 texts each, the offset behind the
                                    statement, database, table ("": all of the database) */
    unsigned ddl_count;          /* texts */
    uint64_t raw_bytes;
    struct digest digest;
};
struct end_record { /* nothing comes behind it */
    int64_t at_us;
    uint64_t tables; /* views and sequences too */
    uint64_t rows, raw_bytes;
    uint64_t files; /* file records, and chunks with a file */
};

enum record_kind {
    RECORD_DUMP,
    RECORD_FILE,
    RECORD_EPOCH,
    RECORD_TABLE,
    RECORD_SPAN,
    RECORD_CHUNK,
    RECORD_TABLE_DONE,
    RECORD_VOID,
    RECORD_LEFT_OUT,
    RECORD_CHECKED,
    RECORD_SEGMENT,
    RECORD_END
};
struct record {
    enum record_kind kind;
    union {
        struct dump_record dump;
        struct file_record file;
        struct epoch_record epoch;
        struct table_record table;
        struct span_record span;
        struct chunk_record chunk;
        struct table_done_record table_done;
        struct void_record voided;
        struct left_out_record left_out;
        struct checked_record checked;
        struct segment_record segment;
        struct end_record end;
    } u;
};
void record_release(struct record *r);
/* One line, the newline included. */
void record_format(const struct record *r, struct strbuf *out);
MUST_CHECK enum err_code record_parse(const char *line, size_t len, struct record *r,
                                      struct err *err);

/* Reads all records in order and hands each over (the callback owns and releases it). A missing
 * segment number is ERR_CORRUPT; a bad line is ERR_CORRUPT: "manifest segment '000001.jsonl' line
 * 2: checksum does not match". *last_segment: the highest number, 0 for none. */
typedef enum err_code manifest_read_fn(void *ctx, struct record *r, struct err *err);
MUST_CHECK enum err_code manifest_read(struct store *s, manifest_read_fn *fn, void *ctx,
                                       uint64_t *last_segment, struct err *err);

struct manifest; /* the writer */
/* Goes on behind segment `last_segment`. `failed` (may be NULL) is called once on the writer's
 * thread when a group could not be written. */
MUST_CHECK enum err_code manifest_open(struct store *s, uint64_t last_segment,
                                       void (*failed)(void *ctx), void *ctx, struct manifest **,
                                       struct err *err);
/* Appends a copy; durable after the next group commit. Call only after the sinks of
 * the files it speaks of are finished: the group's store_sync comes first. Any thread. Fails with
 * the first write error. */
MUST_CHECK enum err_code manifest_append(struct manifest *m, const struct record *r,
                                         struct err *err);
/* Returns when everything appended so far is durable. */
MUST_CHECK enum err_code manifest_flush(struct manifest *m, struct err *err);
/* Flushes, ends the thread, frees. NULL is fine. */
MUST_CHECK enum err_code manifest_close(struct manifest *m, struct err *err);

#endif
