/* formats/metadata.h: the `metadata` file: in Dumpling's text form, which DM reads, or mydumper's
 * INI form, which myloader reads. No state: any thread. */
#ifndef FERRY_FORMATS_METADATA_H
#define FERRY_FORMATS_METADATA_H

#include "common/base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct metadata_position {
    const char *file; /* NULL: none */
    uint64_t offset;
    const char *gtid; /* "" when there is none */
};
enum metadata_replica_text {
    REPLICA_NAME, /* of the connection or channel; "" the default one */
    REPLICA_HOST,
    REPLICA_FILE,
    REPLICA_POS,
    REPLICA_GTID,
    METADATA_REPLICA_TEXTS
};
struct metadata_replica {    /* where the source, itself a replica, had got to in its own source */
    const char *const *text; /* METADATA_REPLICA_TEXTS */
};
struct metadata {
    int64_t started_us, finished_us; /* UTC microseconds; printed as local time, as Dumpling does */
    struct metadata_position source;
    struct metadata_position
        after; /* DM's second block, its exit from safe mode; file NULL: none */
    const struct metadata_replica *replicas;
    size_t replica_count;
    bool named_replicas; /* MariaDB: blocks have the connection's name */
};
struct metadata_table {
    const char *db, *name;
    uint64_t rows;
    bool is_view, is_sequence;
};
/* Byte for byte Dumpling's form. */
void metadata_format(const struct metadata *m, struct strbuf *out);
/* mydumper's form, in three parts; each appends. Tables whose names such a file cannot hold are
 * left out. */
void metadata_ini_begin(const struct metadata *m, struct strbuf *out);
void metadata_ini_table(const struct metadata_table *t, struct strbuf *out);
void metadata_ini_end(const struct metadata *m, struct strbuf *out);
/* Reads it back (also from Dumpling's own files; not the replicas); strings point into `text`,
 * which is changed. */
MUST_CHECK enum err_code metadata_parse(char *text, struct metadata *m, struct err *err);

/* "2020-11-10 10:40:19", local time. false: it is none, *utc_us may have been set. */
bool metadata_time_parse(const char *text, int64_t *utc_us);

#endif
