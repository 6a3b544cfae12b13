/* A dump that is still being written is loaded in rounds: everything that it has is loaded, then
 * its records are read again, until its end record is there. What a round leaves for later: tables
 * without a key that are not done (their files may be thrown away), and views.
 *
 * A table that the dump has started again (a void record) is started again here too: the state has
 * chunks of it that the dump does not have any more. While a round runs, files of such a table may
 * go away under it; then the records tell.
 *
 * The writer's lease tells whether somebody is at the dump. As long as there is, the load waits; if
 * there is nobody, for the time it was told. */
#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/store/lease.h"
#include "common/target/restart.h"
#include "formats/file_names.h"
#include "loader/load_inner.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_US ((uint64_t)1000000)
#define LOOK_US (SECOND_US / 4) /* for the next segment */
#define ROUND_US SECOND_US      /* the least between two rounds */
#define SAY_US (30 * SECOND_US) /* between two lines of what is waited for */
#define LISTING_TRIES 5         /* files of a voided table go away behind its record */
#define WHO_MAX 512             /* bytes; longer words are cut */

struct wait {
    struct load_run *run;
    uint64_t alone_us; /* since when nobody writes; 0: somebody does */
    uint64_t said_us;
};

static void wait_say(const struct wait *w, const struct lease_view *owner)
{
    char who[WHO_MAX];
    char *message;

    if (!owner->held)
        (void)snprintf(who, sizeof who, "nobody is writing it");
    else
        (void)snprintf(who, sizeof who, "its writer, process %" PRId64 " on %s, %s", owner->pid,
                       *owner->host ? owner->host : "an unknown host",
                       owner->gone ? "has ended without finishing" : "is at it");
    message = xasprintf("all that the dump in %s has so far is loaded; waiting for the rest: %s%s",
                        w->run->input->text, who,
                        w->alone_us ? "; say the dump command again to finish it" : "");
    log_event(w->alone_us ? LOG_WARN : LOG_INFO, "load.wait", F_STR("message", message));
    free(message);
}

/* Whether it is worth to wait on. ERR_DUMP_WAIT, ERR_INTERRUPTED. */
static enum err_code wait_look(struct wait *w, struct err *err)
{
    const struct load_run *run = w->run;
    struct lease_view owner = {0};
    const uint64_t now = clock_mono_us();
    bool alone;

    if (cancel_asked(run->cancel))
        return err_set(err, ERR_INTERRUPTED, "interrupted while waiting for the dump");
    if (lease_view_read(run->input, LOCK_FILE, &owner, err))
        return err->code;
    alone = !owner.held || owner.gone;
    if (alone != (w->alone_us != 0)) {
        w->alone_us = alone ? now : 0;
        w->said_us = 0;
    }
    if (now - w->said_us >= SAY_US || w->said_us == 0) {
        if (alone || w->said_us) /* with a writer there is nothing to say at first */
            wait_say(w, &owner);
        w->said_us = now;
    }
    if (!alone || now - w->alone_us < run->config->wait_us)
        return ERR_OK;
    return err_set(err, ERR_DUMP_WAIT,
                   "the dump in %s is not finished, and nobody has written to it for %" PRIu64
                   " s; all that it has is loaded",
                   run->input->text, run->config->wait_us / SECOND_US);
}

static bool wait_hurries(const struct load_run *run)
{
    return run->config->spool && spool_pressed(run->config->spool);
}

/* The writer waits for room, and that may be for what waits here: files of a table without a key
 * that is not done. Then they are loaded as they are; if the dump has to start the table again, so
 * has the load. Once for the same records. */
static bool wait_pressed(const struct wait *w)
{
    struct load_run *run = w->run;

    if (!wait_hurries(run) || !run->dump || run->eager_at == run->dump->segments)
        return false;
    run->eager = true;
    run->eager_at = run->dump->segments;
    return true;
}

/* Until the manifest has another segment than those that have been read. */
static enum err_code wait_segment(struct wait *w, struct err *err)
{
    const struct load_run *run = w->run;
    const uint64_t start_us = clock_mono_us();
    char path[64]; /* the folder, 20 digits and ".jsonl" */
    struct store_info info;

    (void)snprintf(path, sizeof path, MANIFEST_FOLDER "%06" PRIu64 ".jsonl",
                   run->dump ? run->dump->segments + 1 : 1);
    for (;;) {
        enum err_code rc = store_stat(run->input, path, &info, err);

        if (rc && rc != ERR_STORE_NOT_FOUND)
            return rc;
        if (!rc && (clock_mono_us() - start_us >= ROUND_US || wait_hurries(run)))
            return ERR_OK;
        err_clear(err);
        if (rc && wait_look(w, err))
            return err->code;
        if (rc && wait_pressed(w))
            return ERR_OK;
        if (!clock_sleep(LOOK_US, w->run->cancel))
            return err_set(err, ERR_INTERRUPTED, "interrupted while waiting for the dump");
    }
}

enum err_code unfinished_wait(struct load_run *run, struct err *err)
{
    struct wait w = {.run = run};

    run->eager = false;
    return wait_segment(&w, err);
}

/* What only looks needs a whole dump to look at. */
static bool waits(const struct load_run *run)
{
    return run->config->wait_us > 0 && !run->config->dry_run && !run->config->check_conflicts;
}

/* Somebody has just begun to write it: there are no records yet. */
static bool about_to_begin(struct load_run *run)
{
    struct lease_view owner = {0};
    struct err ignored = ERR_INIT;

    return waits(run) && lease_view_read(run->input, LOCK_FILE, &owner, &ignored) == ERR_OK &&
           owner.held && !owner.gone;
}

/* Files are removed: only of what was made for that. */
static enum err_code spool_check(const struct load_run *run, struct err *err)
{
    if (dump_is_spool(run->dump))
        return ERR_OK;
    return err_set(err, ERR_USAGE, "%s holds a dump that is no spool's: load it with ferry load",
                   run->input->text);
}

enum err_code unfinished_open(struct load_run *run, struct err *err)
{
    const bool allowed = waits(run);
    enum err_code rc;

    for (unsigned tries = 1;; tries++) {
        rc = dump_open(run->input, allowed, &run->dump, err);
        if ((rc == ERR_STORE_NOT_FOUND || rc == ERR_DUMP_INCOMPLETE) && about_to_begin(run)) {
            err_clear(err);
            rc = unfinished_wait(run, err);
            if (!rc)
                continue;
        }
        if (!rc && run->config->spool) /* what is not there is loaded, or missed when it is read */
            return spool_check(run, err);
        if (!rc)
            rc = dump_check_listing(run->dump, err);
        if (!rc || !run->dump || run->dump->complete || tries == LISTING_TRIES)
            return rc;
        if (!clock_sleep(SECOND_US, run->cancel))
            return rc;
        err_clear(err);
        dump_free(run->dump);
        run->dump = NULL;
    }
}

bool unfinished_ready(const struct load_run *run, const struct dump_table *t)
{
    return run->dump->complete || t->done || t->model.key_count > 0 || run->eager;
}

bool unfinished_voided(struct load_run *run, const struct err *failed)
{
    struct err ignored = ERR_INIT;
    struct dump *now = NULL;
    bool voided = false;

    if (run->dump->complete ||
        (failed->code != ERR_DUMP_FILE_MISSING && failed->code != ERR_CORRUPT))
        return false;
    if (dump_open(run->input, true, &now, &ignored) == ERR_OK)
        voided = now->voids > run->dump->voids;
    dump_free(now);
    return voided;
}

/* A copy's files go when they are loaded: where the target does not know of it, the load was
 * another one, or the target has lost it. */
enum err_code unfinished_missed(const struct load_run *run, struct err *err)
{
    if (run->config->spool && err->code == ERR_DUMP_FILE_MISSING)
        err->code = ERR_SPOOL_GONE;
    return err->code;
}

enum err_code unfinished_restart(struct load_run *run, const struct load_table *t, uint64_t rows,
                                 struct err *err)
{
    const struct dump_table *d = t->dump;

    if (rows > 0 && (!t->known || t->origin == TABLE_FOUND))
        return err_set(err, ERR_LOAD_STATE,
                       "%s: the dump has started this table again after %" PRIu64
                       " rows of it had been loaded into a table that was there before; take these "
                       "rows out of it, and say DELETE FROM `%s`.`chunk` WHERE job = %" PRIu64
                       " AND tbl = %u",
                       t->label, rows, run->state.schema, run->state.job, d->id);
    if (restart_fence(run->conn, &run->state, d->id, err))
        return err_wrap(err, "%s", t->label);
    if (rows > 0) {
        log_event(LOG_WARN, "load.restart", F_STR("table", t->label), F_U64("rows", rows),
                  F_STR("message", "the dump has started this table again: it is emptied, and "
                                   "loaded again"));
        if (restart_empty(run->conn, t->db, t->name, err))
            return err_wrap(err, "%s", t->label);
    }
    return restart_forget(run->conn, &run->state, d->id, err);
}

enum err_code unfinished_done(const struct load_run *run, const struct dump_chunk *c,
                              struct err *err)
{
    if (!run->config->spool)
        return ERR_OK;
    fault_point("load.spool.before-remove");
    return store_remove(run->input, c->path, err);
}
