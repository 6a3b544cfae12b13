#include "dumper/processes.h"

#include "common/base/mem.h"
#include "dumper/ddl_lock.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TEXT_BYTES 80 /* of a statement, in a message */
#define HOLDERS_MAX 4 /* that a message names */

static const char *process_cell(const struct result *r, const struct row *row, const char *name)
{
    for (unsigned i = 0; i < row->count; i++)
        if (strcasecmp(result_column_name(r, i), name) == 0)
            return row->cell[i] ? row->cell[i] : "";
    return "";
}

/* One line, at most TEXT_BYTES, cut between characters. */
static char *process_text(const char *info)
{
    struct strbuf out = {0};
    bool space = true;

    for (; *info; info++) {
        const bool blank = (unsigned char)*info <= ' ';

        if (out.len >= TEXT_BYTES && ((unsigned char)*info & 0xc0) != 0x80) {
            strbuf_addstr(&out, "...");
            break;
        }
        if (!blank || !space)
            strbuf_add(&out, blank ? " " : info, 1);
        space = blank;
    }
    return strbuf_detach(&out);
}

static bool process_is_ours(const struct dump_run *run, uint64_t id)
{
    if (id == conn_id(run->control) || id == dumper_ddl_session(run))
        return true;
    for (unsigned i = 0; run->workers && i < run->config->threads; i++)
        if (run->workers[i].conn && conn_id(run->workers[i].conn) == id)
            return true;
    for (size_t i = 0; i < run->held.count; i++)
        if (run->held.sessions[i] && conn_id(run->held.sessions[i]) == id)
            return true;
    return false;
}

static bool process_works(const char *user, const char *command)
{
    static const char *const commands[] = {"Query", "Execute", "Fetch", "Killed"};

    if (strcmp(user, "system user") == 0 || strcmp(user, "event_scheduler") == 0)
        return false;
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcasecmp(command, commands[i]) == 0)
            return true;
    return false;
}

enum err_code processes_read(struct dump_run *run, struct process_list *list, struct err *err)
{
    struct result *r = NULL;
    struct row row;
    bool more = true;
    enum err_code rc = conn_queryz(run->control, "SHOW PROCESSLIST", &r, err);

    while (!rc) {
        struct process p = {0};

        rc = result_next(r, &row, &more, err);
        if (rc || !more)
            break;
        p.id = strtoull(process_cell(r, &row, "Id"), NULL, 10);
        if (process_is_ours(run, p.id))
            continue;
        p.seconds = strtoull(process_cell(r, &row, "Time"), NULL, 10);
        if ((int64_t)p.seconds < 0) /* clocks that went back, and replication ahead of its source */
            p.seconds = 0;
        p.user = xstrdup(process_cell(r, &row, "User"));
        p.state = xstrdup(process_cell(r, &row, "State"));
        p.text = process_text(process_cell(r, &row, "Info"));
        p.working = process_works(p.user, process_cell(r, &row, "Command"));
        p.waiting = strncasecmp(p.state, "Waiting for", 11) == 0;
        list->items = xreallocarray(list->items, list->count + 1, sizeof(*list->items));
        list->items[list->count++] = p;
    }
    result_free(r);
    return rc;
}

void processes_release(struct process_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].user);
        free(list->items[i].state);
        free(list->items[i].text);
    }
    free(list->items);
    *list = (struct process_list){0};
}

bool processes_all_seen(struct dump_run *run)
{
    struct err err = ERR_INIT;
    struct result *r = NULL;
    enum err_code rc =
        conn_queryz(run->control, "SELECT 1 FROM information_schema.INNODB_TRX LIMIT 1", &r, &err);

    result_free(r);
    return rc != ERR_PRIVILEGE;
}

void process_name(const struct process *p, struct strbuf *out)
{
    strbuf_addf(out, "id %llu (%s, %llu s)", (unsigned long long)p->id, p->user,
                (unsigned long long)p->seconds);
    if (*p->text)
        strbuf_addf(out, ": %s", p->text);
}

/* Sessions that have a transaction with locks or changes, by their ids. */
static void processes_in_transaction(struct dump_run *run, const struct process_list *list,
                                     bool *in)
{
    struct err ignored = ERR_INIT;
    struct result *r = NULL;
    struct row row;
    bool more = true;

    if (conn_queryz(run->control,
                    "SELECT trx_mysql_thread_id FROM information_schema.INNODB_TRX"
                    " WHERE trx_rows_modified > 0 OR trx_rows_locked > 0",
                    &r, &ignored))
        return;
    while (!result_next(r, &row, &more, &ignored) && more)
        for (size_t i = 0; row.cell[0] && i < list->count; i++)
            if (list->items[i].id == strtoull(row.cell[0], NULL, 10))
                in[i] = true;
    result_free(r);
}

void processes_name_holders(struct dump_run *run, uint64_t seconds, struct strbuf *out)
{
    struct process_list list = {0};
    struct err ignored = ERR_INIT;
    unsigned named = 0;
    bool *in = NULL;

    if (!conn_usable(run->control) || processes_read(run, &list, &ignored)) {
        processes_release(&list);
        return;
    }
    in = xcalloc(list.count + 1, sizeof(*in));
    processes_in_transaction(run, &list, in);
    for (size_t i = 0; i < list.count && named < HOLDERS_MAX; i++) {
        const struct process *p = &list.items[i];
        const bool idle = !p->working && in[i];

        if (p->waiting || (!idle && (!p->working || p->seconds < seconds)))
            continue;
        strbuf_addstr(out, named++ ? "; " : "");
        process_name(p, out);
        strbuf_addstr(out, idle ? " idle in a transaction" : "");
    }
    free(in);
    processes_release(&list);
}
