/* The metadata file of a dump: mydumper's key file in its versions ([source] with comments or keys,
 * [master] before), or the text that Dumpling writes and mydumper wrote once. */
#include "formats/foreign_inner.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define STARTED "# Started dump at: "
#define METADATA_MAX_BYTES ((size_t)256 << 20)

/* Cuts the line at `*at` off; NULL: none is left. */
static char *line_next(char **at)
{
    char *line = *at;
    char *end;

    if (!*line)
        return NULL;
    end = strchr(line, '\n');
    *at = end ? end + 1 : line + strlen(line);
    if (end)
        *end = '\0';
    end = line + strlen(line);
    if (end > line && end[-1] == '\r')
        end[-1] = '\0';
    return line;
}

/* "key = value", "# key = value", "key=value": the value without its quotes; NULL: another line. */
static char *value_of(char *line, const char *key)
{
    char *p = line;
    char *end;
    const size_t len = strlen(key);

    while (*p == '#' || *p == ' ')
        p++;
    if (strncasecmp(p, key, len) != 0)
        return NULL;
    for (p += len; *p == ' '; p++)
        ;
    if (*p++ != '=')
        return NULL;
    while (*p == ' ')
        p++;
    end = p + strlen(p);
    while (end > p && end[-1] == ' ')
        *--end = '\0';
    if ((*p == '"' || *p == '\'') && end > p + 1 && end[-1] == *p) {
        end[-1] = '\0';
        p++;
    }
    return p;
}

/* "[`db`.`table`]" becomes "db.table"; NULL: another group. */
static char *group_prefix(char *line, struct arena *arena)
{
    const size_t len = strlen(line);
    char *prefix, *to;
    unsigned dots = 0;

    if (len < 4 || line[0] != '[' || line[len - 1] != ']' || (line[1] != '`' && line[1] != '"'))
        return NULL;
    prefix = to = arena_alloc(arena, len);
    for (const char *p = line + 1; p < line + len - 1; p++) {
        if (*p == line[1]) { /* the mark between the names stands between two quotes */
            dots += p[1] == '.' && p[2] == line[1];
            continue;
        }
        *to++ = *p;
    }
    *to = '\0';
    return dots == 1 ? prefix : NULL;
}

static int group_compare(const void *a, const void *b)
{
    const struct foreign_group *x = a;
    const struct foreign_group *y = b;

    return strcmp(x->prefix, y->prefix);
}

static void group_add(struct foreign_metadata *m, const char *prefix)
{
    if (m->group_count == m->group_cap) {
        m->group_cap = m->group_cap ? 2 * m->group_cap : 64;
        m->groups = xreallocarray(m->groups, m->group_cap, sizeof *m->groups);
    }
    m->groups[m->group_count++] = (struct foreign_group){.prefix = prefix};
}

/* A number of nothing but digits. */
static bool number_of(const char *text, uint64_t *number)
{
    char *end = NULL;

    if (!isdigit((unsigned char)*text))
        return false;
    *number = strtoull(text, &end, 10);
    return *end == '\0';
}

/* The server breaks long sets of GTIDs into lines; the quote is closed on a later one. */
static void gtid_join(char *gtid, char **next)
{
    while (*gtid == '"' && !strchr(gtid + 1, '"')) {
        char *line = line_next(next);

        if (!line)
            break;
        while (*line == '#' || *line == ' ')
            line++;
        memmove(gtid + strlen(gtid), line, strlen(line) + 1);
    }
    if (*gtid == '"')
        memmove(gtid, gtid + 1, strlen(gtid));
    gtid[strcspn(gtid, "\"")] = '\0';
}

/* A line of [source] or [master]. */
static enum err_code position_line(char *line, char **next, struct metadata_position *p,
                                   struct err *err)
{
    static const char *const files[] = {"SOURCE_LOG_FILE", "File"};
    static const char *const offsets[] = {"SOURCE_LOG_POS", "Position"};
    static const char *const sets[] = {"executed_gtid_set"};
    char *v;

    for (size_t i = 0; i < 2; i++) {
        v = value_of(line, files[i]);
        if (v && *v)
            p->file = v;
        v = value_of(line, offsets[i]);
        if (v && *v && !number_of(v, &p->offset))
            return err_set(err, ERR_FORMAT, "metadata: '%s' is not an offset", v);
    }
    v = value_of(line, sets[0]);
    if (v) {
        gtid_join(v, next);
        p->gtid = v;
    }
    return ERR_OK;
}

/* A line of a table's group. */
static enum err_code table_line(char *line, struct foreign_group *g, struct err *err)
{
    const char *v = value_of(line, "rows");

    if (!v)
        return ERR_OK;
    if (!number_of(v, &g->rows))
        return err_set(err, ERR_FORMAT, "metadata: '%s' is not a number of rows", v);
    g->has_rows = true;
    return ERR_OK;
}

enum err_code foreign_metadata_ini(struct foreign_metadata *m, struct arena *arena, struct err *err)
{
    char *next = m->text.str;
    bool source = false, finished = false, in_table = false;

    m->m.source.gtid = "";
    for (char *line = line_next(&next); line; line = line_next(&next)) {
        if (strncmp(line, STARTED, sizeof STARTED - 1) == 0)
            (void)metadata_time_parse(line + sizeof STARTED - 1, &m->m.started_us);
        finished = finished || strncmp(line, "# Finished dump at:", 19) == 0;
        if (*line == '[') {
            const char *prefix = group_prefix(line, arena);

            source = strcmp(line, "[source]") == 0 || strcmp(line, "[master]") == 0;
            in_table = prefix != NULL;
            if (prefix)
                group_add(m, prefix);
            continue;
        }
        if (source && position_line(line, &next, &m->m.source, err))
            return err->code;
        if (in_table && *line != '#' && table_line(line, &m->groups[m->group_count - 1], err))
            return err->code;
    }
    if (m->group_count)
        qsort(m->groups, m->group_count, sizeof *m->groups, group_compare);
    if (!finished)
        return err_set(err, ERR_DUMP_INCOMPLETE,
                       "metadata has no line '# Finished dump at': mydumper did not finish");
    m->ini = true;
    return ERR_OK;
}

enum err_code foreign_metadata_read(struct dump *d, struct foreign_metadata *m, struct err *err)
{
    enum err_code rc = store_get(d->store, METADATA_FILE, &m->bytes, METADATA_MAX_BYTES, err);
    const char *text = strbuf_str(&m->bytes);

    if (rc)
        return rc;
    strbuf_add(&m->text, text, m->bytes.len + 1);
    if (strncmp(text, "[config]", 8) == 0 || strstr(text, "\n[config]") ||
        strstr(text, "\n[master]") || strstr(text, "\n[source]"))
        return foreign_metadata_ini(m, d->arena, err);
    rc = metadata_parse(m->text.str, &m->m, err);
    if (rc == ERR_FORMAT && !strstr(text, "Finished dump at:"))
        return err_set(err, ERR_DUMP_INCOMPLETE,
                       "metadata has no line 'Finished dump at': the dump was not finished");
    return rc;
}

void foreign_metadata_release(struct foreign_metadata *m)
{
    strbuf_release(&m->text);
    strbuf_release(&m->bytes);
    free(m->groups);
    *m = (struct foreign_metadata){0};
}
