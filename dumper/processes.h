/* dumper/processes.h: what other sessions do on the source, as its process list tells. Main thread.
 *
 * From SHOW PROCESSLIST, whose columns are found by name: servers and forks add their own. Without
 * the right PROCESS it shows the account's own sessions alone. */
#ifndef FERRY_DUMPER_PROCESSES_H
#define FERRY_DUMPER_PROCESSES_H

#include "dumper/run.h"

struct process {
    uint64_t id;      /* for KILL */
    uint64_t seconds; /* in this command */
    char *user, *state;
    char *text;   /* of the statement, cut by the server and by us */
    bool working; /* in a statement of a client: not idle, no replication thread, no event scheduler
                   */
    bool waiting; /* itself for somebody's lock or flush */
};
struct process_list {
    struct process *items; /* without the dump's own connections */
    size_t count;
};
MUST_CHECK enum err_code processes_read(struct dump_run *run, struct process_list *list,
                                        struct err *err);
void processes_release(struct process_list *list);
/* Whether other accounts' sessions are seen: tried, not guessed from grants. */
bool processes_all_seen(struct dump_run *run);
/* "id 12 (app, 75 s): SELECT ..." */
void process_name(const struct process *p, struct strbuf *out);
/* Appends who may hold what the dump has waited `seconds` for in vain: statements that run for as
 * long, and sessions that are idle in a transaction with locks. Nothing when none is seen. */
void processes_name_holders(struct dump_run *run, uint64_t seconds, struct strbuf *out);

#endif
