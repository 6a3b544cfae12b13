/* When state.json is written, and what becomes of a job whose folder takes no more.
 *
 * A job does not begin unless its state can be written. Later a full disk, or a folder that has
 * become read-only, does not end it: its stages keep their own progress elsewhere (the manifest,
 * the target), and a follower that is stopped falls behind. It says so, goes on, and tries again
 * each second; meanwhile readers see the last state and, by its age, that it is old (job_text.c).
 * For the last state of a run some room is kept in a file, and given up then: what the user has to
 * do must be readable. */
#include "migrate/runner.h"

#include "common/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WRITE_US ((uint64_t)1000000)
#define STILL_US ((uint64_t)10000000) /* written so often where nothing has changed */
#define SAY_US ((uint64_t)60000000)
#define ROOM_FILE "room"
#define ROOM_BYTES ((size_t)128 << 10)

/* Best effort: without it the last state may not fit, no more. */
static void room_take(const struct runner *r)
{
    char *text = xmalloc(ROOM_BYTES);
    struct err ignored = ERR_INIT;

    memset(text, '.', ROOM_BYTES);
    (void)!file_replace(r->run->home->dir, ROOM_FILE, text, ROOM_BYTES, &ignored);
    free(text);
}

static void room_give(const struct runner *r)
{
    char *path = home_path(r->run->home, ROOM_FILE);

    (void)unlink(path);
    free(path);
}

enum err_code keep_first(struct runner *r, struct err *err)
{
    r->written_us = clock_mono_us();
    if (job_record_write(r->run->home->dir, r->record, err))
        return err->code;
    r->dirty = false;
    room_take(r);
    return ERR_OK;
}

static void unwritten(struct runner *r, const struct err *err)
{
    const uint64_t now = clock_mono_us();

    if (r->unwritten_us && now - r->unwritten_us < SAY_US)
        return;
    r->unwritten_us = now;
    log_event(LOG_ERROR, "job.state", F_STR("error", err_info(err->code)->name),
              F_STR("message", err->msg),
              F_STR("detail", "the job goes on; ferry job status shows what was before"));
}

enum err_code keep(struct runner *r, bool now, struct err *err)
{
    const uint64_t passed = clock_mono_us() - r->written_us;
    struct err why = ERR_INIT;

    if (!now && passed < (r->dirty ? WRITE_US : STILL_US))
        return ERR_OK;
    r->written_us = clock_mono_us();
    if (job_record_write(r->run->home->dir, r->record, &why)) {
        if (!home_exists(r->run->home)) /* somebody has removed the folder */
            return err_set(err, why.code, "%s", why.msg);
        unwritten(r, &why);
        r->dirty = true;
        return ERR_OK;
    }
    if (r->unwritten_us) {
        log_event(LOG_INFO, "job.state.written", F_STR("message", "state.json is of now again"));
        room_take(r);
    }
    r->unwritten_us = 0;
    r->dirty = false;
    return ERR_OK;
}

enum err_code keep_last(struct runner *r, struct err *err)
{
    room_give(r);
    return job_record_write(r->run->home->dir, r->record, err);
}
