/* `metadata` as mydumper writes it and myloader reads it: a key file. Values are escaped as GLib's
 * reader undoes it: \s \n \t \r \\. */
#include "formats/metadata.h"

#include "common/base/clock.h"
#include "formats/file_names.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

static void value_put(struct strbuf *out, const char *key, const char *value)
{
    strbuf_addf(out, "%s = ", key);
    for (const char *at = value; *at; at++) {
        if (*at == ' ' && at == value)
            strbuf_addstr(out, "\\s");
        else if (*at == '\n')
            strbuf_addstr(out, "\\n");
        else if (*at == '\r')
            strbuf_addstr(out, "\\r");
        else if (*at == '\t')
            strbuf_addstr(out, "\\t");
        else if (*at == '\\')
            strbuf_addstr(out, "\\\\");
        else
            strbuf_addch(out, *at);
    }
    strbuf_addch(out, '\n');
}

static void time_put(struct strbuf *out, const char *label, int64_t utc_us)
{
    char text[CLOCK_TEXT_MAX];

    clock_local_text(utc_us, text);
    strbuf_addf(out, "# %s dump at: %s\n", label, text);
}

/* A key file's group ends at the first ']', and its name holds no control characters. */
static bool group_name(const char *name)
{
    for (; *name; name++)
        if (*name == '[' || *name == ']' || (unsigned char)*name < 0x20 || *name == 0x7f)
            return false;
    return true;
}

void metadata_ini_begin(const struct metadata *m, struct strbuf *out)
{
    time_put(out, "Started", m->started_us);
    strbuf_addstr(out, "[config]\nquote-character = BACKTICK\n\n");
    if (m->source.file) {
        strbuf_addstr(out, "[source]\n");
        strbuf_addf(out, "# executed_gtid_set = \"%s\"\n", m->source.gtid ? m->source.gtid : "");
        strbuf_addf(out, "# SOURCE_LOG_FILE = \"%s\"\n", m->source.file);
        strbuf_addf(out, "# SOURCE_LOG_POS = %" PRIu64 "\n\n", m->source.offset);
    }
    for (size_t i = 0; i < m->replica_count; i++) {
        const char *const *r = m->replicas[i].text;
        const char *name = group_name(r[REPLICA_NAME]) ? r[REPLICA_NAME] : "";

        strbuf_addf(out, "[replication%s%s]\n", *name ? "." : "", name);
        strbuf_addf(out, "# source_host = \"%s\"\n", r[REPLICA_HOST]);
        strbuf_addf(out, "# executed_gtid_set = \"%s\"\n", r[REPLICA_GTID]);
        strbuf_addf(out, "# SOURCE_LOG_FILE = \"%s\"\n", r[REPLICA_FILE]);
        strbuf_addf(out, "# SOURCE_LOG_POS = %s\n\n", r[REPLICA_POS]);
    }
}

void metadata_ini_table(const struct metadata_table *t, struct strbuf *out)
{
    struct strbuf db = {0};
    struct strbuf name = {0};

    file_name_escape(&db, t->db);
    file_name_escape(&name, t->name);
    if (group_name(strbuf_str(&db)) && group_name(strbuf_str(&name))) {
        strbuf_addf(out, "[`%s`.`%s`]\n", strbuf_str(&db), strbuf_str(&name));
        value_put(out, "real_table_name", t->name);
        strbuf_addf(out, "rows = %" PRIu64 "\n", t->rows);
        if (t->is_view)
            strbuf_addstr(out, "is_view = 1\n");
        if (t->is_sequence)
            strbuf_addstr(out, "is_sequence = 1\n");
        strbuf_addch(out, '\n');
    }
    strbuf_release(&db);
    strbuf_release(&name);
}

void metadata_ini_end(const struct metadata *m, struct strbuf *out)
{
    time_put(out, "Finished", m->finished_us);
}
