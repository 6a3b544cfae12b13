/* migrate/spec.h: what a JOB.ini says, read and looked through before anything is done. Whatever is
 * wrong with it is said with its line.
 *
 *   [job]      name, mode, spec, accepted, verify, retries, defaults-file
 *   [source] [target]   profile, or url, type, region, ssl-...; [target] also meta-schema
 *   [objects]  filter and rename (repeatable), case-sensitive
 *   [dump] [load] [follow] [verify]   the options of these commands by their long names
 *
 * Read-only once read: any thread. */
#ifndef FERRY_MIGRATE_SPEC_H
#define FERRY_MIGRATE_SPEC_H

#include "common/base/opt.h"
#include "migrate/endpoint.h"

enum job_mode { MODE_FULL, MODE_INCREMENTAL, MODE_BOTH };
enum job_size { SIZE_SMALL, SIZE_MEDIUM, SIZE_LARGE };
const char *job_mode_name(enum job_mode m);
const char *job_size_name(enum job_size s);

/* The commands whose options a job file may hold; the tables are the command line's. */
enum job_command { COMMAND_DUMP, COMMAND_LOAD, COMMAND_FOLLOW, COMMAND_VERIFY, COMMAND_COUNT };
struct job_commands {
    struct opt_table tables[COMMAND_COUNT][4]; /* unused ones have opts NULL */
};

struct job_pair {
    const char *key, *value;
    unsigned line;
};
struct job_pairs {
    struct job_pair *items;
    size_t count;
};

/* What a spec stands for (docs/job.md). */
struct job_preset {
    unsigned dump_threads, load_threads, follow_threads, verify_threads;
    const char *dump_rate, *load_rate; /* NULL: no limit */
    unsigned memory_mib;               /* an estimate of all processes of the job together */
};
const struct job_preset *job_preset(enum job_size s);

struct job_spec {
    struct ini ini; /* owns the texts */
    const char *name;
    enum job_mode mode;
    enum job_size size;
    bool verify, verify_said;
    unsigned retries;  /* in a row without getting any further */
    bool retries_said; /* else what follows waits for a server without end */
    const char *defaults_file, *meta_schema;
    struct endpoint source, target;
    struct profile source_profile, target_profile;
    char *source_url, *target_url; /* with the TLS files; heap */
    struct job_pairs filters, renames, accepted, options[COMMAND_COUNT];
    bool case_sensitive;
};
/* Fills a zeroed struct; on failure it is released. */
MUST_CHECK enum err_code spec_read(const char *path, const char *jobs_dir,
                                   const struct job_commands *commands, struct job_spec *spec,
                                   struct err *err);
void spec_release(struct job_spec *spec);
/* The last value of an option in [dump] ...; NULL: not said. */
const char *spec_option(const struct job_spec *spec, enum job_command command, const char *key);
bool spec_accepts(const struct job_spec *spec, const char *id);
/* "keys, xa" or "all": ERR_USAGE names what is no check's id. */
MUST_CHECK enum err_code accepted_check(const char *ids, struct err *err);
/* What may not change once a job has begun, as JSON-safe lines "key=value". */
void spec_shape(const struct job_spec *spec, struct strbuf *out);

#endif
