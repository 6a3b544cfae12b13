#include "cli/closing.h"

#include "common/base/mem.h"
#include "common/base/progress.h"
#include "common/mysql/ident.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int by_bytes(const void *a, const void *b)
{
    const struct closing_row *x = *(const struct closing_row *const *)a;
    const struct closing_row *y = *(const struct closing_row *const *)b;

    return (x->bytes < y->bytes) - (x->bytes > y->bytes);
}

static void row_print(const char *name, const struct closing_row *r)
{
    char size[SIZE_TEXT_MAX];

    size_text(r->bytes, size);
    (void)printf("%-40s %-8s %14" PRIu64 " %12s %8" PRIu64 " %9.2f\n", name, r->kind, r->rows, size,
                 r->files, (double)r->worker_us / 1e6);
}

static void rows_print(const struct closing_row *const *sorted, size_t count)
{
    struct closing_row rest = {.kind = ""};
    struct closing_row sum = {.kind = ""};
    struct strbuf name = {0};

    for (size_t i = 0; i < count; i++) {
        struct closing_row *into = i < CLOSING_ROWS ? NULL : &rest;

        sum.rows += sorted[i]->rows;
        sum.bytes += sorted[i]->bytes;
        sum.files += sorted[i]->files;
        sum.worker_us += sorted[i]->worker_us;
        if (into) {
            into->rows += sorted[i]->rows;
            into->bytes += sorted[i]->bytes;
            into->files += sorted[i]->files;
            into->worker_us += sorted[i]->worker_us;
            continue;
        }
        strbuf_reset(&name);
        strbuf_add_name(&name, sorted[i]->db, sorted[i]->name);
        row_print(strbuf_str(&name), sorted[i]);
    }
    if (count > CLOSING_ROWS) {
        strbuf_reset(&name);
        strbuf_addf(&name, "(%zu more)", count - CLOSING_ROWS);
        row_print(strbuf_str(&name), &rest);
    }
    row_print("total", &sum);
    strbuf_release(&name);
}

void closing_print(const struct closing_row *rows, size_t count, const struct closing_step *steps,
                   size_t step_count)
{
    const struct closing_row **sorted = xcalloc(count + 1, sizeof(*sorted));

    for (size_t i = 0; i < count; i++)
        sorted[i] = &rows[i];
    qsort(sorted, count, sizeof(*sorted), by_bytes);
    (void)printf("%-40s %-8s %14s %12s %8s %9s\n", "object", "kind", "rows", "bytes", "files",
                 "seconds");
    rows_print(sorted, count);
    free(sorted);
    for (size_t i = 0; i < step_count; i++)
        (void)printf("%s%s %.2f s", i ? ", " : "wall: ", steps[i].name,
                     (double)steps[i].wall_us / 1e6);
    (void)puts("");
}

/* Text of any bytes: what is no UTF-8 is left out. */
static void put_text(json_t *to, const char *key, const char *text)
{
    json_t *value = json_string(text ? text : "");

    (void)json_object_set_new(to, key, value ? value : json_string("?"));
}

static void put_number(json_t *to, const char *key, uint64_t value)
{
    (void)json_object_set_new(to, key, json_integer((json_int_t)value));
}

void closing_json(json_t *closing)
{
    json_t *all = json_object();
    char *text;

    (void)json_object_set_new(all, "closing", closing);
    text = json_dumps(all, JSON_COMPACT);
    if (text)
        (void)dprintf(STDERR_FILENO, "%s\n", text);
    free(text);
    json_decref(all);
}

json_t *closing_tables(const struct closing_row *rows, size_t count)
{
    json_t *tables = json_array();
    struct strbuf name = {0};

    for (size_t i = 0; i < count; i++) {
        json_t *t = json_object();

        strbuf_reset(&name);
        strbuf_add_name(&name, rows[i].db, rows[i].name);
        put_text(t, "table", strbuf_str(&name));
        put_text(t, "kind", rows[i].kind);
        put_number(t, "rows", rows[i].rows);
        put_number(t, "bytes", rows[i].bytes);
        put_number(t, "files", rows[i].files);
        (void)json_array_append_new(tables, t);
    }
    strbuf_release(&name);
    return tables;
}

json_t *closing_place(const char *file, uint64_t offset, const char *gtids)
{
    json_t *place = file ? json_object() : json_null();

    if (file) {
        put_text(place, "file", file);
        put_number(place, "offset", offset);
        put_text(place, "gtid", gtids);
    }
    return place;
}
