/* formats/foreign_inner.h: what the files that read other tools' dumps share; foreign.h says what
 * they are for. Strings are the dump's arena's. */
#ifndef FERRY_FORMATS_FOREIGN_INNER_H
#define FERRY_FORMATS_FOREIGN_INNER_H

#include "common/base/mem.h"
#include "formats/dump_read.h"
#include "formats/file_names.h"
#include "formats/metadata.h"

enum foreign_kind {
    FOREIGN_OTHER, /* nothing that holds rows or definitions */
    FOREIGN_DATABASE,
    FOREIGN_TABLE,
    FOREIGN_VIEW,
    FOREIGN_SEQUENCE,
    FOREIGN_AFTER, /* triggers, routines, events */
    FOREIGN_ROWS,  /* .sql, .csv */
    FOREIGN_DAT    /* .dat: mydumper's LOAD_DATA and CSV, a .sql of the same name beside it */
};
struct foreign_file {
    const char *path;
    uint64_t bytes;
    enum foreign_kind kind;
    const char *prefix; /* "db.table" or "db" as the name has it, not unescaped */
    const char *base;   /* the name without its extensions */
    bool csv;           /* ".csv" */
};
struct foreign_list {
    struct foreign_file *files; /* by path; heap */
    size_t count, cap;
    bool metadata, partial; /* the file of that name, "metadata.partial" and the like */
    const char *shell;      /* "@.json": MySQL Shell made it */
    const char *single;     /* a lone .sql that is no dump's name: mysqldump's, perhaps */
    const char *parquet;
};
/* Everything in the store, told apart by names. */
MUST_CHECK enum err_code foreign_list_read(struct dump *d, struct foreign_list *l, struct err *err);
void foreign_list_release(struct foreign_list *l);

struct foreign_group { /* a table in mydumper's metadata */
    const char *prefix;
    uint64_t rows;
    bool has_rows;
};
struct foreign_metadata {
    bool ini;                     /* mydumper's; else the text form */
    struct metadata m;            /* of `text` */
    struct strbuf text;           /* owned */
    struct strbuf bytes;          /* as it is in the file; owned */
    struct foreign_group *groups; /* by prefix; heap */
    size_t group_count, group_cap;
};
MUST_CHECK enum err_code foreign_metadata_read(struct dump *d, struct foreign_metadata *m,
                                               struct err *err);
/* mydumper's form, text and bytes filled; for its test. */
MUST_CHECK enum err_code foreign_metadata_ini(struct foreign_metadata *m, struct arena *arena,
                                              struct err *err);
void foreign_metadata_release(struct foreign_metadata *m);

/* Kind, name, columns, shape of `t` from the text of its schema file (sequence tables of mydumper:
 * TABLE_OTHER); `t->schema_file` is for messages. */
MUST_CHECK enum err_code foreign_table_parse(struct dump_table *t, const struct strbuf *text,
                                             struct arena *arena, struct err *err);
/* The name that CREATE DATABASE gives. */
MUST_CHECK enum err_code foreign_database_parse(const struct strbuf *text, const char *path,
                                                struct arena *arena, const char **name,
                                                struct err *err);
/* What a LOAD DATA statement says of the .dat beside it: the dialect; its columns must be the
 * table's. */
MUST_CHECK enum err_code foreign_load_data_parse(const struct dump_table *t,
                                                 const struct strbuf *text, const char *path,
                                                 struct csv_dialect *dialect, struct err *err);

/* A file's text, decompressed; at most `max` bytes of it. */
MUST_CHECK enum err_code foreign_head_read(const struct dump *d, const char *path, size_t max,
                                           struct strbuf *out, struct err *err);

#endif
