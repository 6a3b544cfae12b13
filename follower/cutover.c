/* The cut-over, step by step. follow_loop calls cutover_step between two transactions; nothing here
 * has a thread of its own but the counting.
 *
 *   follow until close -> the source read-only (waited for, or set) -> its position read: `at`
 *   -> the binlog read up to exactly there, all of it applied -> a second reading, some time later:
 *   unchanged? -> counts, numbers, the target's own position -> a third reading: unchanged?
 *   -> written down: proven
 *
 * A source that moves though it is read-only is followed on, which is said with the accounts that
 * may do so, and the proof begins again at the new place. So what is proven holds: between the
 * first and the third reading nothing was written on the source, and all before is in the target.
 *
 * What is done to the source is noted in the target first (CUTOVER_SET). A run that does not come
 * to the proof undoes it; after kill -9 the next run knows what to undo, or goes on to the proof.
 */
#include "follower/cutover.h"

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "follower/follow_inner.h"

#include <inttypes.h>
#include <stdlib.h>

#define NEAR_S 2                     /* behind: close enough to stop the writers */
#define LOOK_US ((uint64_t)300000)   /* between two looks at the source */
#define SAY_US ((uint64_t)30000000)  /* between two sayings of the same thing */
#define APART_US ((uint64_t)1000000) /* between the first reading of its place and the second */
#define TRY_US ((uint64_t)5000000)   /* in which writers go on, between two attempts */
#define OPEN_WAIT_US ((uint64_t)10000000) /* for transactions that cannot commit any more */

void cutover_release(struct cutover *c)
{
    cutover_record_release(&c->record);
    position_release(&c->at);
}

/* At once where it is another thing than the last, then now and then. `what` is static. */
static bool time_to_say(struct cutover *cut, const char *what)
{
    const uint64_t now = clock_mono_us();

    if (cut->said == what && now - cut->said_us < SAY_US)
        return false;
    cut->said = what;
    cut->said_us = now;
    return true;
}

static void say(struct cutover *cut, const char *message, const char *detail)
{
    if (time_to_say(cut, message))
        log_event(LOG_WARN, "follow.cutover", F_STR("message", message), F_STR("detail", detail));
}

/* ---- the record ---- */

static enum err_code record_read(struct follow_run *run, void *ctx, struct err *err)
{
    (void)ctx;
    cutover_record_release(&run->cut.record);
    return cutover_record_read(run->conn, &run->state, &run->cut.record, err);
}

static enum err_code record_write(struct follow_run *run, void *ctx, struct err *err)
{
    (void)ctx;
    return cutover_record_write(run->conn, &run->state, &run->cut.record, err);
}

static enum err_code record_set(struct follow_run *run, enum cutover_mark mark, const char *proof,
                                struct err *err)
{
    struct cutover_record *r = &run->cut.record;
    const struct position *at = &run->cut.at;

    r->mark = mark;
    free(r->file);
    free(r->gtids);
    free(r->proof);
    r->file = xstrdup(proof && at->file ? at->file : "");
    r->gtids = xstrdup(proof && at->gtid ? at->gtid : "");
    r->proof = xstrdup(proof ? proof : "");
    r->offset = proof ? at->offset : 0;
    return again_target(run, record_write, NULL, err);
}

/* ---- begin and end ---- */

/* The source is still where it was proven to be: said again there is nothing to do. */
static enum err_code start_proven(struct follow_run *run, struct err *err)
{
    const struct cutover_record *r = &run->cut.record;
    struct cut_look look;
    struct position now = {0};
    enum err_code rc = cut_look(run, &look, err);
    bool same;

    free(look.unfit);
    if (!rc)
        rc = position_read(run->source_conn, &now, err);
    if (rc)
        return rc;
    same = look.read_only && now.file && strcmp(now.file, r->file) == 0 && now.offset == r->offset;
    if (same) {
        run->report->cutover = xstrdup(r->proof);
        run->report->cutover_before = true;
        run->cut.proven = run->ended = true;
    } else {
        log_event(LOG_WARN, "follow.cutover",
                  F_STR("message", "a cut-over was proven before, but the source has moved since, "
                                   "or takes writes again: it begins anew"),
                  F_STR("file", r->file), F_U64("offset", r->offset));
    }
    position_release(&now);
    return ERR_OK;
}

enum err_code cutover_start(struct follow_run *run, struct err *err)
{
    struct cutover *cut = &run->cut;
    const bool wanted = run->config->cutover;

    if (!run->config->source)
        return ERR_OK;
    if (again_target(run, record_read, NULL, err))
        return err->code;
    if (cut->record.mark == CUTOVER_SET)
        log_event(LOG_WARN, "follow.cutover",
                  F_STR("message", wanted ? "an earlier run has made the source read-only and did "
                                            "not come to its end: this one goes on"
                                          : "a cut-over that was not completed has left the "
                                            "source read-only: go on with --cutover; this run "
                                            "gives it back when it ends"));
    else if (cut->record.mark != CUTOVER_NONE && !wanted)
        log_event(LOG_WARN, "follow.cutover",
                  F_STR("message", "a cut-over was proven before: if anything was written on the "
                                   "target since, what follows may meet it"),
                  F_STR("file", cut->record.file), F_U64("offset", cut->record.offset));
    else if (cut->record.mark != CUTOVER_NONE)
        return start_proven(run, err);
    return ERR_OK;
}

void cutover_end(struct follow_run *run)
{
    struct cutover *cut = &run->cut;
    struct err err = ERR_INIT;

    if (cut->record.mark != CUTOVER_SET)
        return;
    if (cut_undo(run, &err)) {
        log_event(LOG_ERROR, "follow.cutover",
                  F_STR("message", "the cut-over is not completed, and the source, which was made "
                                   "read-only for it, could not be given back: say SET GLOBAL "
                                   "read_only = OFF there"),
                  F_STR("cause", err.msg));
        return;
    }
    log_event(LOG_WARN, "follow.cutover",
              F_STR("message", "the cut-over is not completed: the source takes writes as before"));
    cut->record.mark = CUTOVER_NONE;
    if (start_again(run, &err) || record_write(run, NULL, &err))
        log_event(LOG_DEBUG, "follow.cutover", F_STR("message", err.msg));
}

/* ---- the source is to be read-only ---- */

static enum err_code wait_read_only(struct follow_run *run, const struct cut_look *look,
                                    struct err *err)
{
    struct cutover *cut = &run->cut;
    bool set = false;

    cut->at_known = false;
    cut->since_us = 0;
    if (!run->config->set_read_only) {
        say(cut,
            "the target has caught up; the source is to be made read-only now, which is waited "
            "for (or --set-read-only)",
            cut_advice(run));
        return ERR_OK;
    }
    if (cut->tried_us && clock_mono_us() - cut->tried_us < TRY_US)
        return ERR_OK;
    if (cut_set(run, look, &set, err))
        return err->code;
    cut->tried_us = clock_mono_us();
    if (set)
        log_event(LOG_INFO, "follow.cutover", F_STR("message", "the source was made read-only"),
                  F_STR("by", look->has_super ? "super_read_only" : "read_only"));
    cut->looked_us = 0; /* look at once */
    return ERR_OK;
}

/* ---- is everything here? ---- */

enum sets { SETS_DIFFER, SETS_WITHIN, SETS_EQUAL }; /* ours, and the source's */

static enum sets sets_compare(const struct follow_run *run, const struct gtid_set *ours,
                              const char *theirs)
{
    struct gtid_set *set = gtid_set_new(run->kind);
    struct err ignored = ERR_INIT;
    enum sets sets = SETS_DIFFER;

    if (!gtid_set_parse(set, theirs, &ignored) && gtid_set_covers(set, ours))
        sets = gtid_set_covers(ours, set) ? SETS_EQUAL : SETS_WITHIN;
    gtid_set_free(set);
    return sets;
}

/* The reader has read exactly up to `at`. By GTID alone where the files are another server's. */
static bool at_reached(const struct follow_run *run)
{
    const struct binlog_position here = binlog_reader_position(run->reader);
    const struct position *at = &run->cut.at;
    const bool sets = here.gtids && *at->gtid;

    if (run->by_gtid)
        return sets && sets_compare(run, here.gtids, at->gtid) == SETS_EQUAL;
    return here.file && strcmp(here.file, at->file) == 0 && here.offset == at->offset;
}

/* Begun at a file and offset whose set nobody knows, ours has only what came since. */
static bool begun_without_set(const struct follow_run *run)
{
    return !run->by_gtid && run->origin.file && (!run->origin.gtids || !*run->origin.gtids);
}

static bool at_sets_fit(const struct follow_run *run)
{
    const struct binlog_position here = binlog_reader_position(run->reader);
    enum sets sets = SETS_EQUAL;

    if (here.gtids && *run->cut.at.gtid)
        sets = sets_compare(run, here.gtids, run->cut.at.gtid);
    return sets == SETS_EQUAL || (sets == SETS_WITHIN && begun_without_set(run));
}

static void say_moved(struct follow_run *run, const struct position *now)
{
    struct cutover *cut = &run->cut;
    char *who = cut_privileged(run);

    cut->moved++;
    if (time_to_say(cut, "moved"))
        log_event(LOG_WARN, "follow.cutover",
                  F_STR("message", "the source is read-only, and yet something was written on it: "
                                   "followed on; end the sessions of accounts that may do so"),
                  F_STR("before", cut->at.file), F_U64("offset", cut->at.offset),
                  F_STR("now", now->file), F_U64("now_offset", now->offset),
                  F_STR("accounts", *who ? who : "(they cannot be seen: SELECT ON mysql.*)"));
    free(who);
}

/* Reads where the source is. *same: as at the reading before. */
static enum err_code read_at(struct follow_run *run, bool *same, struct err *err)
{
    struct cutover *cut = &run->cut;
    struct position now = {0};

    *same = false;
    if (again_source(run, err) || position_read(run->source_conn, &now, err))
        return err->code;
    if (!now.file)
        return err_set(err, ERR_FOLLOW_SOURCE, "the source writes no binlog any more");
    *same = cut->at_known && position_equal(&now, &cut->at);
    if (!*same) {
        if (cut->at_known)
            say_moved(run, &now);
        position_release(&cut->at);
        cut->at = now;
        cut->at_us = clock_mono_us();
        cut->at_known = true;
        return ERR_OK;
    }
    position_release(&now);
    return ERR_OK;
}

static void say_unseen(struct cutover *cut)
{
    if (cut->unseen_said || (!cut->xa_unseen && !cut->open_unseen))
        return;
    cut->unseen_said = true;
    if (cut->xa_unseen)
        log_event(LOG_WARN, "follow.cutover",
                  F_STR("message", "whether XA transactions are prepared on the source cannot be "
                                   "seen (on MySQL it needs XA_RECOVER_ADMIN): none is waited "
                                   "for, and what one holds is in no proof"));
    if (cut->open_unseen)
        log_event(LOG_WARN, "follow.cutover",
                  F_STR("message", "whether transactions are open on the source cannot be seen "
                                   "(it needs PROCESS): none is waited for"));
}

/* Transactions that are open: those of privileged accounts could still commit; prepared XA ones
 * will, and their rows are nowhere yet. */
static enum err_code none_open(struct follow_run *run, bool *none, struct err *err)
{
    struct cutover *cut = &run->cut;
    const uint64_t now = clock_mono_us();
    char *who = NULL;
    bool xa = false;

    if (cut_open(run, &xa, &who, err))
        return err->code;
    say_unseen(cut);
    *none = who == NULL;
    if (who && !cut->open_us)
        cut->open_us = now;
    if (xa) {
        say(cut, "XA transactions are prepared on the source: XA COMMIT or XA ROLLBACK them", who);
    } else if (who && now - cut->open_us < OPEN_WAIT_US) {
        say(cut, "transactions that have written are open on the source: waited for", who);
    } else if (who) {
        *none = true;
        say(cut,
            "transactions are open on the source that a read-only server does not let commit, "
            "unless the account may write in spite of it: not waited for any longer",
            who);
    }
    free(who);
    return ERR_OK;
}

/* ---- the proof ---- */

/* What is proven of the sets, owned. */
static char *sets_words(const struct follow_run *run)
{
    const struct binlog_position here = binlog_reader_position(run->reader);

    if (!here.gtids || !*run->cut.at.gtid)
        return xstrdup("not known");
    if (sets_compare(run, here.gtids, run->cut.at.gtid) == SETS_EQUAL)
        return xstrdup("equal");
    return xasprintf("within the source's: begun at %s:%" PRIu64, run->origin.file,
                     run->origin.offset);
}

static void proof_begin(const struct follow_run *run, const struct cut_look *look, json_t *proof)
{
    const struct cutover *cut = &run->cut;
    char *sets = sets_words(run);

    (void)json_object_set_new(proof, "proven", json_false());
    (void)json_object_set_new(proof, "source",
                              json_pack("{s:s,s:I,s:s,s:s,s:b,s:I}", "file", cut->at.file, "offset",
                                        (json_int_t)cut->at.offset, "gtid", cut->at.gtid,
                                        "read_only_by",
                                        look->super ? "super_read_only" : "read_only",
                                        "set_by_ferry", (int)(cut->record.mark == CUTOVER_SET),
                                        "writes_in_spite_of_it", (json_int_t)cut->moved));
    (void)json_object_set_new(proof, "applied",
                              json_pack("{s:s,s:I,s:s}", "file", run->by_gtid ? "" : cut->at.file,
                                        "offset", (json_int_t)(run->by_gtid ? 0 : cut->at.offset),
                                        "gtid_sets", sets));
    (void)json_object_set_new(proof, "xa_seen", json_boolean(!cut->xa_unseen));
    (void)json_object_set_new(proof, "transactions_seen", json_boolean(!cut->open_unseen));
    free(sets);
}

static enum err_code proof_done(struct follow_run *run, json_t *proof, struct err *err)
{
    struct cutover *cut = &run->cut;
    const bool ours = cut->record.mark == CUTOVER_SET;
    json_t *summary;
    char *text;
    enum err_code rc;

    (void)json_object_set_new(proof, "proven", json_true());
    (void)json_object_set_new(proof, "read_only_seconds",
                              json_real((double)(clock_mono_us() - cut->since_us) / 1e6));
    run->report->cutover = json_dumps(proof, JSON_COMPACT);
    summary = json_copy(proof); /* a row holds no list of 100,000 tables */
    (void)json_object_del(summary, "tables");
    (void)json_object_del(summary, "numbers");
    text = json_dumps(summary, JSON_COMPACT);
    json_decref(summary);
    rc = record_set(run, ours ? CUTOVER_KEPT : CUTOVER_PROVEN, text, err);
    free(text);
    if (rc && ours)
        cut->record.mark = CUTOVER_SET; /* to be undone */
    fault_point("follow.cutover.done");
    cut->proven = run->ended = rc == ERR_OK;
    return rc;
}

/* Counts that differ say nothing where the source moved while it was counted: it is followed on. */
static enum err_code refused_if_same(struct follow_run *run, struct err *err)
{
    struct err why = *err;
    bool same = false;

    err_clear(err);
    if (read_at(run, &same, err))
        return err->code;
    if (same)
        *err = why;
    return err->code;
}

/* Everything is applied up to `at`, which the source has not left since it was first read. */
static enum err_code cutover_prove(struct follow_run *run, const struct cut_look *look,
                                   struct err *err)
{
    struct cut_look again = {.unfit = NULL};
    json_t *proof = json_object();
    bool same = false;
    enum err_code rc;

    atomic_store(&run->progress->stage, "cut-over: counting");
    proof_begin(run, look, proof);
    fault_point("follow.cutover.drained");
    rc = cut_prove(run, proof, err);
    fault_point("follow.cutover.counted");
    if (!rc)
        rc = cut_look(run, &again, err);
    if (!rc)
        rc = read_at(run, &same, err);
    else if (rc == ERR_FOLLOW_CUTOVER)
        rc = refused_if_same(run, err);
    if (!rc && same && again.read_only && !again.unfit)
        rc = proof_done(run, proof, err);
    atomic_store(&run->progress->stage, "follow");
    free(again.unfit);
    json_decref(proof);
    return rc;
}

/* The source is read-only. */
static enum err_code cutover_close(struct follow_run *run, const struct cut_look *look,
                                   struct err *err)
{
    struct cutover *cut = &run->cut;
    const bool first = !cut->at_known;
    bool same = false;
    bool none = false;

    if (!cut->since_us)
        cut->since_us = clock_mono_us();
    if (first) {
        cut->open_us = 0;
        log_event(LOG_INFO, "follow.cutover", F_STR("message", "the source is read-only"));
        if (run->source.vendor == VENDOR_MYSQL && look->has_super && !look->super)
            log_event(LOG_WARN, "follow.cutover",
                      F_STR("message", "read_only without super_read_only: accounts with SUPER or "
                                       "CONNECTION_ADMIN may still write"));
    }
    if (none_open(run, &none, err) || !none)
        return err->code;
    if (read_at(run, &same, err) || !same || !at_reached(run))
        return err->code;
    if (!at_sets_fit(run)) {
        say(cut,
            "the target has applied all up to the source's place, and yet their GTID sets "
            "differ: not proven",
            cut->at.gtid);
        return ERR_OK;
    }
    if (clock_mono_us() - cut->at_us < APART_US)
        return ERR_OK;
    if (applier_drain(run->applier, err))
        return err->code;
    return cutover_prove(run, look, err);
}

static enum err_code cutover_timed_out(struct follow_run *run, struct err *err)
{
    const struct cutover *cut = &run->cut;
    const uint64_t most = run->config->cutover_us;

    if (!most || !cut->since_us || clock_mono_us() - cut->since_us < most)
        return ERR_OK;
    return err_set(err, ERR_FOLLOW_CUTOVER,
                   "the source has been read-only for %" PRIu64
                   " s (--cutover-timeout), and the cut-over is not proven",
                   (clock_mono_us() - cut->since_us) / 1000000);
}

enum err_code cutover_step(struct follow_run *run, bool at_end, int64_t behind_s, struct err *err)
{
    struct cutover *cut = &run->cut;
    const uint64_t now = clock_mono_us();
    struct cut_look look;
    enum err_code rc = ERR_OK;

    cut->near = cut->near || at_end || behind_s <= NEAR_S;
    if (!cut->near || (cut->looked_us && now - cut->looked_us < LOOK_US))
        return ERR_OK;
    if (cutover_timed_out(run, err) || cut_look(run, &look, err))
        return err->code;
    cut->looked_us = clock_mono_us();
    if (!look.read_only || (run->config->set_read_only && look.has_super && !look.super))
        rc = wait_read_only(run, &look, err);
    else if (look.unfit)
        say(cut, "the source's read_only proves nothing", look.unfit);
    else
        rc = cutover_close(run, &look, err);
    free(look.unfit);
    return rc;
}
