/* Names in a statement of DDL as the source has them: lower_case_table_names. */
#include "common/base/mem.h"
#include "common/mysql/ident.h"
#include "follower/follow_ddl.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

enum name_folding { NAMES_EXACT, NAMES_LOWER, NAMES_EITHER }; /* lower_case_table_names */

static const char *name_lower(struct arena *arena, const char *name)
{
    char *lower = xstrdup(name);
    const char *kept;

    for (char *c = lower; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    kept = arena_strdup(arena, lower);
    free(lower);
    return kept;
}

/* Where the source folds case, a statement may name a table in another one. */
static enum err_code name_fold(struct ddl_job *j, enum name_folding folding, const char **db,
                               const char **name, struct err *err)
{
    struct follow_run *run = j->run;

    if (!*name)
        return ERR_OK;
    if (folding == NAMES_LOWER) {
        *db = name_lower(j->plan.arena, *db);
        *name = name_lower(j->plan.arena, *name);
    }
    for (size_t i = 0; !tables_find(run, *db, *name) && i < run->table_count; i++) {
        const struct follow_table *t = run->tables[i];

        if (strcasecmp(t->db, *db) != 0 || strcasecmp(t->name, *name) != 0)
            continue;
        if (!run->source_conn)
            return err_set(err, ERR_FOLLOW_DDL, "whether '%s' is '%s' only the source could say",
                           *name, t->name);
        if (folding == NAMES_EITHER) {
            *db = arena_strdup(j->plan.arena, t->db);
            *name = arena_strdup(j->plan.arena, t->name);
        }
    }
    return ERR_OK;
}

/* The statement under the table's name as the source has it. */
static enum err_code create_fold(struct ddl_job *j, struct ddl_step *s, struct err *err)
{
    struct arena *arena = j->plan.arena;
    struct strbuf name = {0};
    struct strbuf text = {0};
    struct ddl_table t;
    struct ddl_text d;
    enum err_code rc = ddl_text_init(&d, s->text, &j->run->source, arena, err);

    if (!rc)
        rc = ddl_table_parse(&d, &t, err);
    if (!rc) {
        strbuf_add_table(&name, s->db, s->name);
        ddl_replace(&d, t.name, arena_strdup(arena, strbuf_str(&name)));
        ddl_write(&d, (struct ddl_span){0, d.count}, (struct ddl_target){.same_vendor = true},
                  &text);
        s->text = arena_strdup(arena, strbuf_str(&text));
    }
    strbuf_release(&name);
    strbuf_release(&text);
    return rc;
}

enum err_code job_names(struct ddl_job *j, struct err *err)
{
    enum name_folding folding = NAMES_EXACT;
    char *said = NULL;
    enum err_code rc = ERR_OK;

    if (j->run->source_conn)
        rc = conn_value(j->run->source_conn, "SELECT @@lower_case_table_names", &said, err);
    if (said && *said >= '0' && *said <= '2')
        folding = (enum name_folding)(*said - '0');
    free(said);
    for (size_t i = 0; !rc && i < j->plan.count; i++) {
        struct ddl_step *s = &j->plan.steps[i];

        rc = name_fold(j, folding, &s->db, &s->name, err);
        if (!rc)
            rc = name_fold(j, folding, &s->other_db, &s->other_name, err);
        if (!rc && folding == NAMES_LOWER && s->act == ACT_CREATE)
            rc = create_fold(j, s, err);
    }
    return rc;
}
