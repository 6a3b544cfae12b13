/* formats/segments.h: the source's binlog in a dump: written while it is captured, and read as the
 * source of a replay.
 *
 * ferry.binlog/NNNNNN.binlog.zst: each is, uncompressed, a binlog file of its own: the magic
 * number, the format description of the file that its events are from, and the events with offsets
 * [start, end) of that file byte for byte as the source sent them, checksums included. A segment
 * has events of one file; it ends between transactions, unless one is so large that it goes on in
 * the next segment (`open`). Segments follow each other without gap: the next one begins where the
 * last one ends, or at the beginning of the file that follows it. docs/format.md is the contract
 * of the bytes.
 *
 * With them the dump has what a replay needs of the source: the maps of the character sets that
 * its tables use (ferry.binlog/NAME.charset.zst, `file` records), whether cascades are logged (the
 * first epoch), vendor and version (the dump record). */
#ifndef FERRY_FORMATS_SEGMENTS_H
#define FERRY_FORMATS_SEGMENTS_H

#include "common/mysql/binlog_source.h"
#include "common/mysql/charset_map.h"
#include "formats/dump_read.h"

/* ---- reading ---- */

/* Where the captured binlog begins and ends; strings are the dump's. gtid NULL: not known. */
struct segments_place {
    const char *log_file;
    uint64_t log_pos;
    const char *gtid;
};
/* false: the dump has no captured binlog. The end is that of the last segment, or the beginning
 * where nothing was written meanwhile; it is between transactions in a complete dump. */
bool segments_range(const struct dump *d, struct segments_place *from, struct segments_place *to);
/* -1, 0, 1: which of two offsets in the files of one binlog comes first, by the files' numbers. */
int segments_compare(const char *file, uint64_t offset, const char *other, uint64_t other_offset);

/* The position behind which rows of the epoch (from 1) are of one state: its own, or, where its
 * chunks are each of another moment (consistency `binlog`), the captured binlog's end. */
struct segments_place segments_epoch_to(const struct dump *d, unsigned epoch);
/* Between which places a replay of the table's changes may meet rows that have them already: from
 * the first position on in a form that may meet them twice, exactly from the second on. false: the
 * table has no rows in the dump, or the dump no positions. */
bool segments_window(const struct dump *d, const struct dump_table *t, struct segments_place *from,
                     struct segments_place *to);

/* The segments cover all that a replay of the dump's tables needs: from the first epoch's position
 * to the last one's, and to a transaction's end (a complete dump). That they join up was looked at
 * when the records were read. ERR_CORRUPT. */
MUST_CHECK enum err_code segments_check(const struct dump *d, struct err *err);

/* The captured binlog as a source of events, from `at` on (file and offset, of an event or of the
 * end; NULL: from the beginning); a GTID set is ERR_USAGE. `d` is borrowed and must outlive it.
 * Can be reopened at any place that it holds: ERR_BINLOG_PURGED where it does not. After the last
 * event BINLOG_GOT_END. Each block is verified before its events are passed on, and each event's
 * checksum: ERR_CORRUPT, ERR_DUMP_FILE_MISSING, ERR_BINLOG_EVENT name the segment. Memory: a block,
 * and the largest event. */
MUST_CHECK enum err_code segments_open(const struct dump *d, const struct binlog_start *at,
                                       struct binlog_source **, struct err *err);
/* Reads one segment to its end: every block and event, the offsets, the SHA-256 of the whole. */
MUST_CHECK enum err_code segments_verify(const struct dump *d, const struct segment_record *segment,
                                         struct err *err);

/* The maps of character sets that lie in the dump; no server is asked. The caller's. */
MUST_CHECK enum err_code segments_charset_maps(const struct dump *d, struct charset_maps **,
                                               struct err *err);

/* ---- writing; one thread ---- */

struct segment_writer;
/* Begins segment `number` at `start` of `file`. `format` is the file's format description event,
 * whole, its checksum included; an event at offset 4 is it, and must not be added again. */
MUST_CHECK enum err_code segment_writer_open(struct store *s, uint64_t number, const char *file,
                                             uint64_t start, const struct strbuf *format,
                                             struct segment_writer **, struct err *err);
void segment_writer_free(struct segment_writer *w); /* unfinished: it never appears. NULL is fine */
/* The event that follows; it is of the segment's file and begins where the last one ended. Its
 * checksum must stand behind raw->data[0..len): raw->header.size bytes in all. */
MUST_CHECK enum err_code segment_writer_add(struct segment_writer *w, const struct binlog_raw *raw,
                                            struct err *err);
uint64_t segment_writer_end(const struct segment_writer *w);   /* offset behind the last event */
uint64_t segment_writer_bytes(const struct segment_writer *w); /* before compression */
/* Notes that DDL which ends at `offset` names a table; `table` "": all of the database. */
void segment_writer_ddl(struct segment_writer *w, uint64_t offset, const char *db,
                        const char *table);
void segment_writer_transaction(struct segment_writer *w); /* one more has ended */
/* The object is there with the next store_sync. *r: its record, of which the caller sets gtid_from,
 * gtid and open, and which the caller releases. */
MUST_CHECK enum err_code segment_writer_finish(struct segment_writer *w, struct segment_record *r,
                                               struct err *err);

/* Whether `next` may stand behind `last` (NULL: it is the first): ERR_CORRUPT says what is missing.
 * For the reader of the records. */
MUST_CHECK enum err_code segment_joins(const struct segment_record *last,
                                       const struct segment_record *next, struct err *err);

#endif
