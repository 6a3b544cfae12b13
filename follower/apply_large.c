/* A transaction of the source that was spilled: block by block from its file, in one transaction of
 * the target; or, above a size, in parts, each of which notes how many changes are done. Each row
 * event is true on the source at its time, so each prefix of them is a state that the target's
 * unique keys bear. */
#include "follower/apply_inner.h"

#include "common/base/fault.h"
#include "common/base/log.h"

#define PART_CHANGES 5000
#define BLOCK_BYTES ((size_t)256 << 10)
#define PART_BYTES ((uint64_t)8 << 20)

static bool part_is_of(const struct applied_part *p, const struct apply_unit *u)
{
    return p->file && strcmp(p->file, u->txns[0].file) == 0 && p->start == u->txns[0].start;
}

/* Byte and number of the first change that is not done. */
static enum err_code large_seek(struct apply_worker *w, const struct apply_unit *u, uint64_t done,
                                struct err *err)
{
    w->done = 0;
    w->done_at = 0;
    while (w->done < done) {
        size_t at = 0;

        if (spill_read(u->spill, w->done_at, BLOCK_BYTES, &w->block, err))
            return err->code;
        if (w->block.len == 0)
            return err_set(err, ERR_LOAD_STATE,
                           "%llu changes of the transaction were applied in parts, and it has "
                           "fewer",
                           (unsigned long long)done);
        for (; at < w->block.len && w->done < done; w->done++)
            at += apply_head(w->block.str + at).size;
        w->done_at += at;
    }
    return ERR_OK;
}

enum err_code large_again(struct apply_worker *w, const struct apply_unit *u, struct err *err)
{
    struct applied_part part = {0};
    enum err_code rc = applied_part_read(w->conn, &w->a->state, &part, err);

    if (!rc && part_is_of(&part, u)) {
        w->cut = true;
        rc = large_seek(w, u, part.done, err);
    }
    free(part.file);
    return rc;
}

static uint64_t block_count(const struct apply_worker *w)
{
    uint64_t changes = 0;

    for (size_t at = 0; at < w->block.len; changes++)
        at += apply_head(w->block.str + at).size;
    return changes;
}

static enum err_code block_write(struct apply_worker *w, bool careful, struct err *err)
{
    enum err_code rc = ERR_OK;

    merge_reset(&w->merge);
    for (size_t at = 0; !rc && at < w->block.len;) {
        const struct change_head h = apply_head(w->block.str + at);

        rc = merge_add(&w->merge, w->a->tables[h.table], w->block.str + at, err);
        at += h.size;
    }
    w->writer.careful = careful;
    if (!rc)
        rc = writer_rows(&w->writer, &w->merge, err);
    return rc ? rc : writer_flush(&w->writer, err);
}

static enum err_code part_end(struct apply_worker *w, const struct apply_unit *u, uint64_t at,
                              uint64_t done, struct err *err)
{
    const struct applied_part part = {(char *)(uintptr_t)u->txns[0].file, u->txns[0].start, done};
    enum err_code rc;

    applied_part_sql(&w->a->state, &part, writer_begin(&w->writer, WRITE_ANY, 0));
    rc = writer_flush(&w->writer, err);
    if (!rc)
        rc = unit_commit(w, err);
    if (rc)
        return rc;
    drift_kept(w);
    fault_point("follow.part");
    w->done = done;
    w->done_at = at;
    unit_begin(w, w->form == UNIT_CAREFUL ? UNIT_FAST : w->form);
    return ERR_OK;
}

enum err_code large_try(struct apply_worker *w, const struct apply_unit *u, struct err *err)
{
    static const struct applied_part none = {0};
    struct applier *a = w->a;
    const uint64_t look = w->careful_from; /* of the failure before this try */
    uint64_t at, done;
    enum err_code rc = ERR_OK;

    if (u->spill->bytes > a->config.atomic_bytes)
        w->cut = true;
    if (w->done == 0 && part_is_of(&a->part, u)) {
        w->cut = true;
        rc = large_seek(w, u, a->part.done, err);
        if (rc)
            return rc;
    }
    at = w->done_at;
    done = w->done;
    unit_begin(w, w->form);
    while (!rc) {
        rc = spill_read(u->spill, at, BLOCK_BYTES, &w->block, err);
        if (rc || w->block.len == 0)
            break;
        w->careful_from = at;
        if (w->form == UNIT_DRIFT)
            rc = drift_changes(w, u, &w->block, done, err);
        else
            rc = block_write(w, w->form == UNIT_CAREFUL && at == look, err);
        at += w->block.len;
        done += block_count(w);
        if (!rc && w->cut && (at - w->done_at >= PART_BYTES || done - w->done >= PART_CHANGES))
            rc = part_end(w, u, at, done, err);
    }
    if (rc)
        return rc;
    unit_mark(w, u);
    if (w->cut)
        applied_part_sql(&a->state, &none, writer_begin(&w->writer, WRITE_ANY, 0));
    rc = writer_flush(&w->writer, err);
    return rc ? rc : unit_commit(w, err);
}
