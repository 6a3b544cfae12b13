#include "cli/cutover_print.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const char *text(const json_t *o, const char *name)
{
    const char *value = json_string_value(json_object_get(o, name));

    return value ? value : "";
}

static long long whole(const json_t *o, const char *name)
{
    return (long long)json_integer_value(json_object_get(o, name));
}

static void print_place(const json_t *p)
{
    if (json_object_get(p, "tso"))
        (void)printf("TSO %lld\n", whole(p, "tso"));
    else
        (void)printf("%s:%lld%s%s\n", text(p, "file"), whole(p, "offset"),
                     *text(p, "gtid") ? ", GTID " : "", text(p, "gtid"));
}

static void print_counts(const json_t *proof)
{
    const json_t *tables = json_object_get(proof, "tables");
    size_t i;
    const json_t *t;

    if (json_array_size(tables) == 0)
        return;
    (void)printf("%-40s %16s %16s\n", "table", "rows on source", "rows on target");
    json_array_foreach(tables, i, t)(void) printf("%-40s %16lld %16lld\n", text(t, "target"),
                                                  whole(t, "source_rows"), whole(t, "target_rows"));
}

static void print_numbers(const json_t *proof)
{
    const json_t *numbers = json_object_get(proof, "numbers");
    size_t i;
    const json_t *n;

    if (json_array_size(numbers) == 0)
        return;
    (void)printf("%-40s %16s %16s\n", "next number of", "source", "target");
    json_array_foreach(numbers, i, n)(void)
        printf("%-40s %16lld %16lld\n", text(n, "target"), whole(n, "source_next"),
               whole(n, "target_next"));
}

static void print_proof(const json_t *proof, bool before)
{
    const json_t *source = json_object_get(proof, "source");
    const json_t *target = json_object_get(proof, "target");

    print_counts(proof);
    print_numbers(proof);
    (void)printf("the source is read-only (%s%s), at ", text(source, "read_only_by"),
                 json_is_true(json_object_get(source, "set_by_ferry")) ? ", set by ferry" : "");
    print_place(source);
    (void)printf(
        "the target has applied all up to there, and nothing is behind it: read before and "
        "after (GTID sets: %s)\n",
        text(json_object_get(proof, "applied"), "gtid_sets"));
    if (json_is_object(target)) {
        (void)fputs("writes on the target begin at its own ", stdout);
        print_place(target);
    }
    (void)printf("the cut-over is proven%s: read-only for %.1f s\n",
                 before ? " (by an earlier run; nothing has moved since)" : "",
                 json_real_value(json_object_get(proof, "read_only_seconds")));
}

void cutover_print(const struct follow_report *r, bool json, bool quiet)
{
    json_t *proof = r->cutover ? json_loads(r->cutover, 0, NULL) : NULL;

    if (json)
        (void)puts(proof ? r->cutover : "{\"proven\":false}");
    else if (proof && !quiet)
        print_proof(proof, r->cutover_before);
    json_decref(proof);
}
