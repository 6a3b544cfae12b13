#include "formats/metadata.h"

#include "common/base/clock.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STARTED "Started dump at: "
#define FINISHED "Finished dump at: "
#define HEADING "SHOW MASTER STATUS:"
#define HEADING_84 "SHOW BINARY LOG STATUS:" /* some Dumplings, of MySQL 8.4 */
#define AFTER "/* AFTER CONNECTION POOL ESTABLISHED */"

static void time_put(struct strbuf *out, const char *label, int64_t utc_us)
{
    char text[CLOCK_TEXT_MAX];

    clock_local_text(utc_us, text);
    strbuf_addf(out, "%s%s\n", label, text);
}

static void position_put(struct strbuf *out, const char *heading, const struct metadata_position *p)
{
    if (p->file)
        strbuf_addf(out, "%s\n\tLog: %s\n\tPos: %" PRIu64 "\n\tGTID:%s\n", heading, p->file,
                    p->offset, p->gtid ? p->gtid : "");
    strbuf_addch(out, '\n');
}

static void replica_put(struct strbuf *out, const struct metadata_replica *r, bool named)
{
    const char *const *text = r->text;

    if (!*text[REPLICA_HOST])
        return;
    strbuf_addstr(out, "SHOW SLAVE STATUS:\n");
    if (named)
        strbuf_addf(out, "\tConnection name: %s\n", text[REPLICA_NAME]);
    strbuf_addf(out, "\tHost: %s\n\tLog: %s\n\tPos: %s\n\tGTID:%s\n\n", text[REPLICA_HOST],
                text[REPLICA_FILE], text[REPLICA_POS], text[REPLICA_GTID]);
}

void metadata_format(const struct metadata *m, struct strbuf *out)
{
    time_put(out, STARTED, m->started_us);
    position_put(out, HEADING, &m->source);
    for (size_t i = 0; i < m->replica_count; i++)
        replica_put(out, &m->replicas[i], m->named_replicas);
    if (m->after.file)
        position_put(out, HEADING " " AFTER, &m->after);
    time_put(out, FINISHED, m->finished_us);
}

/* The text behind `label`; NULL: the line does not begin with it. */
static char *label_skip(char *line, const char *label)
{
    size_t len = strlen(label);

    return strncmp(line, label, len) == 0 ? line + len : NULL;
}

/* Cuts the line at `*next` off: NUL instead of its newline, *next behind it. NULL: the end. */
static char *line_take(char **next)
{
    char *line = *next;
    size_t len = strcspn(line, "\n");

    if (!*line)
        return NULL;
    *next = line + len + (line[len] ? 1 : 0);
    line[len] = '\0';
    if (len > 0 && line[len - 1] == '\r')
        line[len - 1] = '\0';
    return line;
}

bool metadata_time_parse(const char *text, int64_t *utc_us)
{
    static const char form[] = "dddd-dd-dd dd:dd:dd";
    int part[6] = {0};
    unsigned n = 0;
    struct tm tm = {.tm_isdst = -1};
    time_t seconds;

    for (size_t i = 0; i < sizeof form - 1; i++) {
        if (form[i] == 'd' && isdigit((unsigned char)text[i]))
            part[n] = part[n] * 10 + (text[i] - '0');
        else if (form[i] != 'd' && text[i] == form[i])
            n++;
        else
            return false;
    }
    tm.tm_year = part[0] - 1900;
    tm.tm_mon = part[1] - 1;
    tm.tm_mday = part[2];
    tm.tm_hour = part[3];
    tm.tm_min = part[4];
    tm.tm_sec = part[5];
    seconds = mktime(&tm);
    *utc_us = (int64_t)seconds * 1000000;
    return text[sizeof form - 1] == '\0' && seconds != (time_t)-1;
}

/* Moves a line of a GTID set that goes on to behind `gtid`, which lies before it. */
static void gtid_join(char *gtid, const char *line)
{
    memmove(gtid + strlen(gtid), line, strlen(line) + 1);
}

/* The lines behind a heading up to an empty one. A MySQL server breaks long GTID sets into lines.
 */
static enum err_code position_parse(char **next, struct metadata_position *p, struct err *err)
{
    char *gtid = NULL;
    bool has_pos = false;

    for (char *line = line_take(next); line && *line; line = line_take(next)) {
        char *file = label_skip(line, "\tLog: ");
        char *pos = label_skip(line, "\tPos: ");
        char *set = label_skip(line, "\tGTID:");
        char *end = NULL;

        if (file) {
            p->file = file;
        } else if (pos) {
            errno = 0;
            p->offset = strtoull(pos, &end, 10);
            if (errno || !isdigit((unsigned char)*pos) || *end)
                return err_set(err, ERR_FORMAT, "metadata: '%s' is not an offset", pos);
            has_pos = true;
        } else if (set) {
            gtid = *set == ' ' ? set + 1 : set;
        } else if (gtid && *line != '\t') {
            gtid_join(gtid, line);
        }
    }
    if (!p->file || !has_pos)
        return err_set(err, ERR_FORMAT, "metadata: a position without '%s'",
                       p->file ? "Pos" : "Log");
    p->gtid = gtid ? gtid : "";
    return ERR_OK;
}

/* The line that begins a block or stands alone; blocks that are not ours are left out. */
static enum err_code line_parse(char *line, char **next, struct metadata *m, bool *finished,
                                struct err *err)
{
    char *started = label_skip(line, STARTED);
    char *ended = label_skip(line, FINISHED);

    if (label_skip(line, HEADING) || label_skip(line, HEADING_84))
        return position_parse(next, strstr(line, AFTER) ? &m->after : &m->source, err);
    if (started && !metadata_time_parse(started, &m->started_us))
        return err_set(err, ERR_FORMAT, "metadata: '%s' is not a time", started);
    if (ended && !metadata_time_parse(ended, &m->finished_us))
        return err_set(err, ERR_FORMAT, "metadata: '%s' is not a time", ended);
    if (ended)
        *finished = true;
    return ERR_OK;
}

enum err_code metadata_parse(char *text, struct metadata *m, struct err *err)
{
    struct metadata read = {.source = {.gtid = ""}, .after = {.gtid = ""}};
    bool finished = false;
    char *next = text;

    for (char *line = line_take(&next); line; line = line_take(&next)) {
        enum err_code rc = line_parse(line, &next, &read, &finished, err);

        if (rc)
            return rc;
    }
    if (!finished)
        return err_set(err, ERR_FORMAT, "metadata: no line '" FINISHED "...'");
    *m = read;
    return ERR_OK;
}
