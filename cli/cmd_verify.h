/* cli/cmd_verify.h: the half of `ferry verify` that compares two servers. */
#ifndef FERRY_CLI_CMD_VERIFY_H
#define FERRY_CLI_CMD_VERIFY_H

#include "cli/opt_common.h"

struct verify_servers_opts {
    const char *source, *target, *source_password, *target_password, *defaults_file;
    struct opt_list filters, renames;
    bool case_sensitive, programs;
    uint64_t chunk_rows, max_differences, settle_us;
    unsigned recheck;
    int checksum;
    const char *fix_sql, *report, *state, *source_throttle, *target_throttle;
    uint64_t rate_rows;
};
extern const struct opt verify_servers_table[];
extern const struct opt verify_opts_table[]; /* of both halves */

/* Prints what differs to stdout. The errors of compare_run. */
MUST_CHECK enum err_code verify_servers(const struct verify_servers_opts *o, unsigned threads,
                                        const struct general_opts *general,
                                        const struct cancel *cancel, struct err *err);

#endif
