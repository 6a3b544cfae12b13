/* verify/verify.h: checks a dump offline, through dump_read: no server is asked.
 *
 * Every file that the manifest names is there, whole and unchanged (SHA-256 and block checksums),
 * its rows parse and are as many as recorded, its columns are the table's; the chunks of a table
 * cover its key space without gap or overlap; no file is there that no record names. Each fault is
 * named; the check goes on behind it. */
#ifndef FERRY_VERIFY_VERIFY_H
#define FERRY_VERIFY_VERIFY_H

#include "common/base/pool.h"
#include "common/base/progress.h"
#include "common/store/store.h"

#include <stdbool.h>
#include <stdint.h>

struct verify_config {
    unsigned threads;    /* files checked at once */
    unsigned max_faults; /* stop after so many; 0: 1000 */
};

struct verify_fault {
    char *path;  /* the file, or the table's name where it is not one file's fault */
    char *words; /* what is wrong */
};
struct verify_report {
    struct verify_fault *faults;
    size_t fault_count;
    uint64_t files, rows, raw_bytes, stored_bytes; /* that were found right */
    uint64_t tables;                               /* that are done; views and sequences too */
    bool complete;                                 /* has its end record */
    char *left_out;      /* lines that name what the dump does without; NULL: nothing */
    const char *foreign; /* the tool that made it, without checksums; static; NULL: ferry */
    char uuid[37];
};

/* ERR_CORRUPT when there are faults (they are in the report, by path) or when the manifest itself
 * is not whole; ERR_DUMP_INCOMPLETE for an unfinished dump, of which all that is recorded is
 * checked; ERR_INTERRUPTED. The report is to be released in every case. All threads are joined on
 * return. */
MUST_CHECK enum err_code verify_input(const struct verify_config *config, struct store *input,
                                      struct progress *progress, const struct cancel *cancel,
                                      struct verify_report *report, struct err *err);
void verify_report_release(struct verify_report *r);

#endif
