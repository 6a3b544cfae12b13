/* formats/file_names.h: the names of a dump's files, those that Dumpling and mydumper use, so that
 * TiDB Lightning, myloader and IMPORT INTO read the dump as it is: DB-schema-create.sql,
 * DB.TABLE-schema.sql, DB.VIEW-schema-view.sql, DB-schema-post.sql, DB.TABLE.000000001.sql|csv,
 * then ".zst" or ".gz". Sequences are DB.SEQ-schema-sequence.ddl, since Lightning would take
 * Dumpling's and mydumper's "-schema-sequence.sql" for rows; both are parsed. Triggers are
 * DB.TABLE-schema-trigger.sql, which Lightning leaves out (mydumper's "-schema-triggers" it would
 * take for rows; both are parsed). Escaped as Dumpling does: bytes 0x00-0x1f, % " * . / : < > ? \ |
 * and the
 * '-' of "-schema" become %XX (upper-case hex). */
#ifndef FERRY_FORMATS_FILE_NAMES_H
#define FERRY_FORMATS_FILE_NAMES_H

#include "common/base/strbuf.h"

#include <stdint.h>

#define MANIFEST_FOLDER "ferry.manifest/"
#define METADATA_FILE "metadata"
#define LOCK_FILE "ferry.lock"
#define BINLOG_FOLDER "ferry.binlog/"

enum file_kind {
    FILE_OTHER, /* not of a dump */
    FILE_DATABASE,
    FILE_TABLE,
    FILE_VIEW,
    FILE_POST,
    FILE_TRIGGERS,
    FILE_SEQUENCE,
    FILE_DATA,
    FILE_METADATA,
    FILE_MANIFEST,
    FILE_BINLOG, /* a segment of the source's binlog, or what its replay needs */
    FILE_LOCK
};
struct file_name { /* what a name says; strings are owned by the struct */
    enum file_kind kind;
    char *db, *table;      /* unescaped; NULL where there is none */
    uint64_t number;       /* FILE_DATA */
    const char *extension; /* "sql", "csv": static */
};

/* `kind` is one of FILE_DATABASE..FILE_SEQUENCE; `table` NULL where the kind has none. */
void file_name_schema(struct strbuf *out, enum file_kind kind, const char *db, const char *table,
                      const char *compression_ext);
/* `number` with at least 9 digits; `ext` "sql" or "csv". A name longer than 255 bytes (escaped
 * 64-character names can be) is what Dumpling would write; see file_name_fits. */
void file_name_data(struct strbuf *out, const char *db, const char *table, uint64_t number,
                    const char *ext, const char *compression_ext);
/* ERR_LIMIT names the table whose file names a file system would refuse. */
MUST_CHECK enum err_code file_name_fits(const char *db, const char *table, struct err *err);
/* Of a segment of the binlog, numbered from 1. */
void file_name_segment(struct strbuf *out, uint64_t number);
/* Of the map of a character set ("latin1") that the replay needs. */
void file_name_charset(struct strbuf *out, const char *charset);
void file_name_escape(struct strbuf *out, const char *name);
/* Never fails: FILE_OTHER, also for anything in a folder other than the manifest's and the
 * binlog's. */
void file_name_parse(const char *path, struct file_name *out);
void file_name_release(struct file_name *n);

#endif
