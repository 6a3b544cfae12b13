/* What was asked for, as the state keeps it: loaders that share a load must have been told the
 * same, and people look at it. What changes only how fast it goes is not in it. */
#include "loader/load_inner.h"

#include "common/base/mem.h"

#include <jansson.h>

static const char *const conflict_words[] = {"error", "ignore", "replace"};
static const char *const exists_words[] = {"append", "stop", "truncate", "drop"};
static const char *const object_words[] = {"skip", "stop"};
static const char *const index_words[] = {"auto", "now", "after"};
static const char *const foreign_words[] = {"check", "add", "none"};

static void put(json_t *o, const char *name, const char *word)
{
    (void)json_object_set_new(o, name, word ? json_string(word) : json_null());
}

static void put_bool(json_t *o, const char *name, bool value)
{
    (void)json_object_set_new(o, name, json_boolean(value));
}

char *options_text(const struct load_config *c)
{
    json_t *o = json_object();
    json_t *filters = json_array();
    json_t *ignored = json_array();
    char *text;

    for (size_t i = 0; i < c->filter_count; i++)
        (void)json_array_append_new(filters, json_string(c->filters[i]));
    for (size_t i = 0; i < c->ignore_column_count; i++)
        (void)json_array_append_new(ignored, json_string(c->ignore_columns[i]));
    (void)json_object_set_new(o, "filter", filters);
    (void)json_object_set_new(o, "ignore-columns", ignored);
    put_bool(o, "case-sensitive", c->case_sensitive);
    put_bool(o, "no-schemas", c->no_schemas);
    put_bool(o, "no-data", c->no_data);
    put_bool(o, "no-views", c->no_views);
    put(o, "if-table-exists", exists_words[c->if_exists]);
    put(o, "on-conflict", conflict_words[c->on_conflict]);
    put(o, "identical", c->identical_ok ? "ok" : "conflict");
    put(o, "on-bad-value", c->skip_bad ? "skip" : "error");
    (void)json_object_set_new(o, "max-conflicts", json_integer((json_int_t)c->max_conflicts));
    put(o, "input-time-zone", c->input_time_zone);
    put(o, "input-binary", c->binary_raw ? "raw" : "auto");
    put(o, "spatial", c->spatial_bytes ? "bytes" : "refuse");
    put(o, "key-collation", c->key_collation_nearest ? "nearest" : "safe");
    put(o, "on-object-error", object_words[c->object_error]);
    put(o, "indexes", index_words[c->indexes]);
    put(o, "foreign-keys", foreign_words[c->foreign_keys]);
    put(o, "definer", c->strip_definers ? "strip" : "keep");
    put(o, "programs", c->programs_to_file ? "file" : "create");
    put_bool(o, "analyze", c->analyze);
    text = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    return text ? text : xstrdup("{}");
}
