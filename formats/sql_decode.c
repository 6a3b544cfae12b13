/* SQL files: statements and comments around INSERTs, and their rows.
 *
 * Only SET, USE, LOCK, UNLOCK, BEGIN, START and COMMIT may stand between the INSERTs of a data
 * file; they are skipped, after a look at two settings that would give the rows another meaning:
 * a character set that is not UTF-8, and NO_BACKSLASH_ESCAPES. */
#include "formats/decoder_driver.h"

#define SQL_HEAD_KEPT ((size_t)64 << 10) /* bytes: longer ones are checked each time */

static bool sql_is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* ---- white space and comments ---- */

static const char *sql_find(const struct decoder *d, const char *p, const char *pair)
{
    for (; p < d->end; p++) {
        p = memchr(p, pair[0], (size_t)(d->end - p));
        if (!p)
            return NULL;
        if (p + 1 < d->end && p[1] == pair[1])
            return p;
    }
    return NULL;
}

/* A comment that a server executes. The pad makes the look ahead safe. */
static bool sql_is_executed(const char *p)
{
    return p[0] == '/' && p[1] == '*' && (p[2] == '!' || (p[2] == 'M' && p[3] == '!'));
}

/* Behind the comment at `p`; `p` itself: there is none; NULL: the buffer ends in it. */
static const char *sql_comment_skip(const struct decoder *d, const char *p)
{
    const char *end;

    if (*p == '#' ||
        (p[0] == '-' && p[1] == '-' && (p + 2 == d->end || (unsigned char)p[2] <= ' '))) {
        end = memchr(p, '\n', (size_t)(d->end - p));
        if (end)
            return end + 1;
        return d->eof ? d->end : NULL;
    }
    if (*p != '/' && *p != '-')
        return p;
    if (d->end - p < 4 && !d->eof) /* too early to say */
        return NULL;
    if (p[0] != '/' || p[1] != '*' || sql_is_executed(p))
        return p;
    end = sql_find(d, p + 2, "*/");
    return end ? end + 2 : NULL;
}

const char *sql_space_skip(struct decoder *d, const char *p)
{
    for (;;) {
        const char *behind;

        while (p < d->end && sql_is_space(*p))
            p++;
        if (p == d->end)
            return p;
        behind = sql_comment_skip(d, p);
        if (!behind)
            return NULL;
        if (behind == p)
            return p;
        p = behind;
    }
}

/* ---- what stands between INSERTs ---- */

/* Over a string or a quoted name; NULL: the buffer ends in it. */
static const char *sql_quoted_skip(const struct decoder *d, const char *p)
{
    const char quote = *p++;

    for (; p < d->end; p++) {
        if (*p == '\\' && quote != '`')
            p++;
        else if (*p == quote)
            return p + 1;
    }
    return NULL;
}

/* Behind the ';' of the statement at `p`; NULL: the buffer ends in it. */
static const char *sql_statement_end(struct decoder *d, const char *p)
{
    while (p && p < d->end && *p != ';') {
        if (*p == '\'' || *p == '"' || *p == '`') {
            p = sql_quoted_skip(d, p);
            continue;
        }
        if (*p == '#' || *p == '-' || *p == '/') {
            const char *behind = sql_comment_skip(d, p);

            p = behind == p ? p + 1 : behind;
            continue;
        }
        p++;
    }
    return p && p < d->end ? p + 1 : NULL;
}

/* Where `word` (in capitals) stands in [p, end), in either case; NULL: nowhere. */
static const char *sql_find_word(const char *p, const char *end, const char *word)
{
    const size_t len = strlen(word);

    for (bool inside = false; (size_t)(end - p) >= len; p++) {
        if (!inside && decoder_name_equal(word, p, len) &&
            (p + len == end || !decoder_word_byte(p[len])))
            return p;
        inside = decoder_word_byte(*p);
    }
    return NULL;
}

/* SET NAMES of another character set than UTF-8, or a mode that changes what strings mean. */
static const char *sql_setting_fault(const char *p, const char *end)
{
    static const char *const good[] = {"binary", "utf8", "utf8mb3", "utf8mb4", "ascii"};
    const char *name = sql_find_word(p, end, "NAMES");
    const char *name_end;

    if (sql_find_word(p, end, "NO_BACKSLASH_ESCAPES"))
        return "a file without backslash escapes cannot be read";
    if (!name)
        return NULL;
    for (name += 5; name < end && (sql_is_space(*name) || *name == '\'' || *name == '"'); name++)
        ;
    for (name_end = name; name_end < end && decoder_word_byte(*name_end); name_end++)
        ;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (decoder_name_equal(good[i], name, (size_t)(name_end - name)))
            return NULL;
    return "only files in UTF-8 can be read";
}

/* A statement that sets something, or a comment that a server executes: [pos, end). */
static enum scan_status sql_skip_setting(struct decoder *d, const char *end, struct err *err)
{
    const char *fault;

    if (!end) {
        d->inside = "a statement";
        return SCAN_STATUS_MORE;
    }
    fault = sql_setting_fault(d->pos, end);
    if (fault)
        return decoder_bad(d, d->pos, err, "%s", fault);
    d->pos = d->buf + (end - d->buf);
    return SCAN_STATUS_SKIPPED;
}

static enum scan_status sql_skip_executed(struct decoder *d, struct err *err)
{
    const char *word = d->pos + 3;
    const char *end = sql_find(d, word, "*/");
    size_t len = 0;

    if (!end)
        return sql_skip_setting(d, NULL, err);
    while (word < end && (sql_is_space(*word) || *word == '!' || (*word >= '0' && *word <= '9')))
        word++;
    while (word + len < end && decoder_word_byte(word[len]))
        len++;
    if (decoder_name_equal("insert", word, len) || decoder_name_equal("replace", word, len))
        return decoder_bad(d, word, err, "rows inside a comment cannot be read");
    return sql_skip_setting(d, end + 2, err);
}

/* ---- the head of an INSERT ---- */

/* Where in the head we are. Once `status` is not SCAN_STATUS_ROW, nothing more is looked at. */
struct sql_cursor {
    struct decoder *d;
    const char *p;
    enum scan_status status;
    struct err *err;
};

static bool cursor_space(struct sql_cursor *c)
{
    const char *p;

    if (c->status != SCAN_STATUS_ROW)
        return false;
    p = sql_space_skip(c->d, c->p);
    if (p && p < c->d->end) {
        c->p = p;
        return true;
    }
    c->status = SCAN_STATUS_MORE;
    return false;
}

/* Moves over white space and `byte`, if it is there. */
static bool cursor_take(struct sql_cursor *c, char byte)
{
    if (!cursor_space(c) || *c->p != byte)
        return false;
    c->p++;
    return true;
}

/* Moves over white space and `word`, if it is there. */
static bool cursor_word(struct sql_cursor *c, const char *word)
{
    const char *end;

    if (!cursor_space(c))
        return false;
    for (end = c->p; end < c->d->end && decoder_word_byte(*end); end++)
        ;
    if (end == c->d->end) {
        c->status = SCAN_STATUS_MORE;
        return false;
    }
    if (!decoder_name_equal(word, c->p, (size_t)(end - c->p)))
        return false;
    c->p = end;
    return true;
}

static void cursor_bad(struct sql_cursor *c, const char *expected)
{
    if (c->status == SCAN_STATUS_ROW)
        c->status = decoder_bad(c->d, c->p, c->err, "expected %s", expected);
}

/* A name, in backquotes or without, into d->name. */
static void cursor_name(struct sql_cursor *c)
{
    struct strbuf *name = &c->d->name;
    const char *end = c->d->end;

    strbuf_reset(name);
    if (cursor_take(c, '`')) {
        for (; c->p < end; c->p++) {
            if (*c->p == '`' && *++c->p != '`')
                break;
            if (c->p < end)
                strbuf_addch(name, *c->p);
        }
    } else if (c->status == SCAN_STATUS_ROW) {
        for (; c->p < end && decoder_word_byte(*c->p); c->p++)
            strbuf_addch(name, *c->p);
        if (name->len == 0)
            cursor_bad(c, "a name");
    }
    if (c->status == SCAN_STATUS_ROW && c->p >= end)
        c->status = SCAN_STATUS_MORE;
}

static void cursor_table(struct sql_cursor *c)
{
    const struct decoder *d = c->d;
    const char *start;

    if (!cursor_space(c))
        return;
    start = c->p;
    cursor_name(c);
    if (cursor_take(c, '.'))
        cursor_name(c);
    if (c->status == SCAN_STATUS_ROW && d->shape.table &&
        !decoder_name_equal(d->shape.table, strbuf_str(&d->name), d->name.len))
        c->status = decoder_bad(d, start, c->err, "expected an INSERT INTO '%s'", d->shape.table);
}

/* The names in parentheses must be the shape's. */
static void cursor_columns(struct sql_cursor *c)
{
    const struct row_shape *shape = &c->d->shape;
    const struct strbuf *name = &c->d->name;
    const char *start = c->p;
    unsigned i = 0;

    if (shape->count == 0 && cursor_take(c, ')'))
        return;
    for (; c->status == SCAN_STATUS_ROW; i++) {
        if (cursor_space(c))
            start = c->p;
        cursor_name(c);
        if (c->status != SCAN_STATUS_ROW)
            return;
        if (i >= shape->count) {
            c->status = decoder_bad(c->d, start, c->err,
                                    "column '%.64s' of the INSERT is one more than the table's %u",
                                    strbuf_str(name), shape->count);
            return;
        }
        if (!decoder_name_equal(shape->columns[i], strbuf_str(name), name->len)) {
            c->status =
                decoder_bad(c->d, start, c->err, "column %u of the INSERT is '%.64s', not '%s'",
                            i + 1, strbuf_str(name), shape->columns[i]);
            return;
        }
        if (!cursor_take(c, ','))
            break;
    }
    if (!cursor_take(c, ')'))
        cursor_bad(c, "',' or ')' behind a column");
    if (c->status == SCAN_STATUS_ROW && i + 1 != shape->count)
        c->status = decoder_bad(c->d, start, c->err,
                                "the INSERT has %u columns, without '%s'; the table has %u", i + 1,
                                shape->columns[i + 1], shape->count);
}

static void cursor_insert(struct sql_cursor *c)
{
    static const char *const modifiers[] = {"ignore", "low_priority", "high_priority", "delayed"};
    bool again = true;

    while (again) {
        again = false;
        for (size_t i = 0; i < sizeof modifiers / sizeof *modifiers; i++)
            again |= cursor_word(c, modifiers[i]);
    }
    (void)cursor_word(c, "into");
    cursor_table(c);
    if (cursor_take(c, '('))
        cursor_columns(c);
}

/* `p` is behind INSERT or REPLACE. */
static enum scan_status sql_insert(struct decoder *d, const char *p, struct err *err)
{
    struct sql_cursor c = {.d = d, .p = p, .status = SCAN_STATUS_ROW, .err = err};

    d->inside = "an INSERT statement";
    if (d->head.len > 0 && (size_t)(d->end - d->pos) >= d->head.len &&
        memcmp(d->pos, d->head.str, d->head.len) == 0) {
        d->pos += d->head.len;
        d->state = DECODER_SQL_FIRST_ROW;
        return SCAN_STATUS_SKIPPED;
    }
    cursor_insert(&c);
    if (cursor_word(&c, "values")) {
        strbuf_reset(&d->head);
        if ((size_t)(c.p - d->pos) <= SQL_HEAD_KEPT)
            strbuf_add(&d->head, d->pos, (size_t)(c.p - d->pos));
    } else if (!cursor_word(&c, "value"))
        cursor_bad(&c, "VALUES");
    if (c.status != SCAN_STATUS_ROW)
        return c.status;
    d->pos = d->buf + (c.p - d->buf);
    d->state = DECODER_SQL_FIRST_ROW;
    return SCAN_STATUS_SKIPPED;
}

static enum scan_status sql_outside(struct decoder *d, struct err *err)
{
    static const char *const skipped[] = {"set",   "lock",   "unlock", "start",
                                          "begin", "commit", "use"};
    const char *p = sql_space_skip(d, d->pos);
    const char *end;

    d->inside = "a comment";
    if (!p)
        return SCAN_STATUS_MORE;
    d->pos = d->buf + (p - d->buf);
    if (p == d->end)
        return d->eof ? SCAN_STATUS_END : SCAN_STATUS_MORE;
    if (*p == ';') {
        d->pos++;
        return SCAN_STATUS_SKIPPED;
    }
    if (sql_is_executed(p))
        return sql_skip_executed(d, err);
    for (end = p; end < d->end && decoder_word_byte(*end); end++)
        ;
    if (end == d->end && !d->eof)
        return SCAN_STATUS_MORE;
    if (decoder_name_equal("insert", p, (size_t)(end - p)) ||
        decoder_name_equal("replace", p, (size_t)(end - p)))
        return sql_insert(d, end, err);
    for (size_t i = 0; i < sizeof skipped / sizeof *skipped; i++)
        if (decoder_name_equal(skipped[i], p, (size_t)(end - p)))
            return sql_skip_setting(d, sql_statement_end(d, end), err);
    return decoder_bad(d, p, err, "expected INSERT, REPLACE or SET");
}

/* ---- rows ---- */

/* Over white space to what must follow `cells` cells of a row: a ',' that it moves over, or the
 * row's
 * ')'. NULL: *status says why. */
static const char *sql_behind_cell(struct decoder *d, const char *p, unsigned cells,
                                   enum scan_status *status, struct err *err)
{
    const bool last = cells == d->shape.count;

    p = sql_space_skip(d, p);
    *status = SCAN_STATUS_MORE;
    if (!p || p == d->end)
        return NULL;
    if (*p == (last ? ')' : ','))
        return p + !last;
    *status = decoder_bad(d, p, err, "expected '%s' behind cell %u of %u", last ? ")" : ",", cells,
                          d->shape.count);
    return NULL;
}

/* `p` is behind the '('. */
static enum scan_status sql_row(struct decoder *d, const char *p, struct err *err)
{
    const unsigned count = d->shape.count;
    enum scan_status status = SCAN_STATUS_MORE;

    d->todo_count = 0;
    d->inside = "a row";
    if (count == 0)
        p = sql_behind_cell(d, p, 0, &status, err);
    for (unsigned cell = 0; p && cell < count; cell++) {
        p = sql_cell_scan(d, p, cell, &status, err);
        if (!p)
            return status;
        if (*p == ',' && cell + 1 < count)
            p++;
        else if (*p != ')' || cell + 1 < count)
            p = sql_behind_cell(d, p, cell + 1, &status, err);
    }
    if (!p)
        return status;
    if ((d->strict_escapes && decoder_strict(d, err)) || sql_cells_finish(d, err))
        return SCAN_STATUS_BAD;
    d->pos = d->buf + (p + 1 - d->buf);
    d->state = DECODER_SQL_NEXT_ROW;
    return SCAN_STATUS_ROW;
}

/* To the '(' of a row, from `p`. */
static enum scan_status sql_row_open(struct decoder *d, const char *p, struct err *err)
{
    p = sql_space_skip(d, p);
    if (!p || p == d->end)
        return SCAN_STATUS_MORE;
    if (*p != '(')
        return decoder_bad(d, p, err, "expected '(' before a row");
    return sql_row(d, p + 1, err);
}

static enum scan_status sql_next_row(struct decoder *d, struct err *err)
{
    const char *p = d->pos;

    d->inside = "an INSERT statement";
    if (p[0] == ',' && p[1] == '\n' && p[2] == '(')
        return sql_row(d, p + 3, err);
    p = sql_space_skip(d, p);
    if (!p || p == d->end)
        return SCAN_STATUS_MORE;
    if (*p == ',')
        return sql_row_open(d, p + 1, err);
    if (*p != ';')
        return decoder_bad(d, p, err, "expected ',' or ';' behind a row");
    d->pos = d->buf + (p + 1 - d->buf);
    d->state = DECODER_SQL_OUTSIDE;
    return SCAN_STATUS_SKIPPED;
}

enum scan_status sql_scan(struct decoder *d, struct err *err)
{
    if (d->state == DECODER_SQL_NEXT_ROW)
        return sql_next_row(d, err);
    if (d->state == DECODER_SQL_FIRST_ROW) {
        d->inside = "an INSERT statement";
        return sql_row_open(d, d->pos, err);
    }
    return sql_outside(d, err);
}
