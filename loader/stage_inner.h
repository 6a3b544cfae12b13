/* loader/stage_inner.h: what stage.c and stage_prefix.c share. */
#ifndef FERRY_LOADER_STAGE_INNER_H
#define FERRY_LOADER_STAGE_INNER_H

#include "loader/stage.h"

#define STAGE_ROW_NUMBER "`ferry_row`"

/* The temporary table's name. */
void stage_add_name(struct strbuf *sb, const struct load_run *run);
/* Appends to w->sql what a hit's row consists of, up to FROM. */
void stage_add_wanted(struct worker *w, const struct stage_join *join);
/* Runs w->sql. */
MUST_CHECK enum err_code stage_query(struct worker *w, stage_row_fn *fn, void *ctx,
                                     struct err *err);

/* ---- stage_prefix.c ---- */
/* Whether the join is to be done by ranges of the key. */
bool stage_prefix_serves(const struct worker *w, const struct stage_join *join);
MUST_CHECK enum err_code stage_prefix_hits(struct worker *w, const struct stage_join *join,
                                           stage_row_fn *fn, void *ctx, struct err *err);
MUST_CHECK enum err_code stage_prefix_delete(struct worker *w, const struct stage_join *join,
                                             uint64_t *deleted, struct err *err);

#endif
