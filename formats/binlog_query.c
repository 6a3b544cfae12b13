#include "formats/binlog_query.h"

#include "common/base/bytes.h"
#include "formats/binlog_rows.h"

#include <ctype.h>
#include <strings.h>

#define QUERY_FIXED 13U /* bytes behind the header: thread, time, lengths, error */
#define WORD_MAX 24

/* The place in a text. */
struct words {
    const char *at, *end;
};

static bool at_text(const struct words *w, const char *text)
{
    const size_t len = strlen(text);

    return (size_t)(w->end - w->at) >= len && memcmp(w->at, text, len) == 0;
}

static void skip_line(struct words *w)
{
    while (w->at < w->end && *w->at != '\n')
        w->at++;
}

static void skip_comment(struct words *w)
{
    while (w->at < w->end && !at_text(w, "*/"))
        w->at++;
    w->at += w->at < w->end ? 2 : 0;
}

/* To the next word. The content of a version comment counts. */
static void skip_space(struct words *w)
{
    while (w->at < w->end) {
        if (isspace((unsigned char)*w->at) || *w->at == '(' || *w->at == ';') {
            w->at++;
        } else if (*w->at == '#' || at_text(w, "-- ") || at_text(w, "--\n")) {
            skip_line(w);
        } else if (at_text(w, "/*!") || at_text(w, "/*M!")) {
            w->at += w->at[2] == '!' ? 3 : 4;
            while (w->at < w->end && isdigit((unsigned char)*w->at))
                w->at++;
        } else if (at_text(w, "/*")) {
            skip_comment(w);
        } else if (at_text(w, "*/")) {
            w->at += 2;
        } else {
            return;
        }
    }
}

/* In upper case; "" at the end, or where no letter is. */
static void next_word(struct words *w, char word[WORD_MAX])
{
    size_t n = 0;

    skip_space(w);
    while (w->at < w->end && (isalpha((unsigned char)*w->at) || *w->at == '_')) {
        if (n + 1 < WORD_MAX)
            word[n++] = (char)toupper((unsigned char)*w->at);
        w->at++;
    }
    word[n] = '\0';
}

static const struct statement_word {
    const char *first, *second; /* second NULL: any */
    enum binlog_statement_kind kind;
} statement_words[] = {
    {"BEGIN", NULL, STATEMENT_BEGIN},
    {"START", "TRANSACTION", STATEMENT_BEGIN},
    {"COMMIT", NULL, STATEMENT_COMMIT},
    {"ROLLBACK", "", STATEMENT_ROLLBACK},
    {"ROLLBACK", "WORK", STATEMENT_ROLLBACK},
    {"ROLLBACK", "TO", STATEMENT_ROLLBACK_TO},
    {"SAVEPOINT", NULL, STATEMENT_SAVEPOINT},
    {"RELEASE", "SAVEPOINT", STATEMENT_SAVEPOINT},
    {"XA", "START", STATEMENT_XA_START},
    {"XA", "BEGIN", STATEMENT_XA_START},
    {"XA", "END", STATEMENT_XA_END},
    {"XA", NULL, STATEMENT_XA_DECIDE},
    {"INSERT", NULL, STATEMENT_ROWS},
    {"REPLACE", NULL, STATEMENT_ROWS},
    {"UPDATE", NULL, STATEMENT_ROWS},
    {"DELETE", NULL, STATEMENT_ROWS},
    {"LOAD", NULL, STATEMENT_ROWS},
    {"IMPORT", NULL, STATEMENT_ROWS},
    {"WITH", NULL, STATEMENT_ROWS},
    {"CALL", NULL, STATEMENT_ROWS},
    {"DO", NULL, STATEMENT_ROWS},
    {"SELECT", NULL, STATEMENT_ROWS}, /* of a function that changes something */
    {"EXECUTE", NULL, STATEMENT_ROWS},
    {"CREATE", NULL, STATEMENT_DDL},
    {"ALTER", NULL, STATEMENT_DDL},
    {"DROP", NULL, STATEMENT_DDL},
    {"RENAME", NULL, STATEMENT_DDL},
    {"TRUNCATE", NULL, STATEMENT_DDL},
    {"GRANT", NULL, STATEMENT_ADMIN},
    {"REVOKE", NULL, STATEMENT_ADMIN},
    {"SET", NULL, STATEMENT_ADMIN},
    {"FLUSH", NULL, STATEMENT_ADMIN},
    {"RESET", NULL, STATEMENT_ADMIN},
    {"ANALYZE", NULL, STATEMENT_ADMIN},
    {"OPTIMIZE", NULL, STATEMENT_ADMIN},
    {"REPAIR", NULL, STATEMENT_ADMIN},
    {"CHECK", NULL, STATEMENT_ADMIN},
    {"INSTALL", NULL, STATEMENT_ADMIN},
    {"UNINSTALL", NULL, STATEMENT_ADMIN},
    {"PURGE", NULL, STATEMENT_ADMIN},
    {"KILL", NULL, STATEMENT_ADMIN},
};

enum binlog_statement_kind binlog_statement_kind(const char *text, size_t len)
{
    struct words w = {text, text + len};
    char first[WORD_MAX];
    char second[WORD_MAX];

    next_word(&w, first);
    if (!first[0])
        return w.at == w.end ? STATEMENT_EMPTY : STATEMENT_OTHER;
    next_word(&w, second);
    for (size_t i = 0; i < sizeof(statement_words) / sizeof(statement_words[0]); i++) {
        const struct statement_word *s = &statement_words[i];

        if (strcmp(s->first, first) == 0 && (!s->second || strcmp(s->second, second) == 0))
            return s->kind;
    }
    return STATEMENT_OTHER;
}

static enum err_code query_cut(struct err *err)
{
    return err_set(err, ERR_BINLOG_EVENT, "a Query event is cut or changed");
}

enum {
    VAR_FLAGS2 = 0,
    VAR_SQL_MODE = 1,
    VAR_CATALOG = 2,
    VAR_CHARSET = 4,
    VAR_TIME_ZONE = 5,
    VAR_CATALOG_NZ = 6,
    VAR_CHARSET_DB = 8,
    VAR_INVOKER = 11,
    VAR_UPDATED_DBS = 12
};

/* Bytes of those that have a fixed length; 0: others. */
static size_t variable_fixed(unsigned code)
{
    static const uint8_t sizes[256] = {[VAR_FLAGS2] = 4, [VAR_SQL_MODE] = 8,
                                       [3] = 4,          [VAR_CHARSET] = 6,
                                       [7] = 2,          [VAR_CHARSET_DB] = 2,
                                       [9] = 8,          [10] = 4,
                                       [13] = 3,         [16] = 1,
                                       [17] = 8,         [18] = 2,
                                       [19] = 1,         [20] = 1,
                                       [128] = 3,        [129] = 8,
                                       [130] = 2};

    return sizes[code & 0xff];
}

/* Bytes of one variable behind its code; 0: not known. */
static size_t variable_size(unsigned code, const uint8_t *at, size_t left)
{
    size_t size = variable_fixed(code);

    if (size || left == 0)
        return size;
    if (code == VAR_TIME_ZONE || code == VAR_CATALOG_NZ)
        return 1U + at[0];
    if (code == VAR_CATALOG)
        return 2U + at[0];
    if (code == VAR_INVOKER) {
        size = 1U + at[0];
        return size < left ? size + 1 + at[size] : 0;
    }
    if (code == VAR_UPDATED_DBS) {
        size = 1;
        for (unsigned i = at[0]; i > 0 && at[0] != 254; i--) { /* 254: too many to name */
            while (size < left && at[size])
                size++;
            size++;
        }
        return size;
    }
    return 0;
}

static void variable_take(unsigned code, const uint8_t *at, size_t size, struct binlog_statement *s)
{
    if (code == VAR_FLAGS2) {
        s->flags2 = bytes_le32(at);
    } else if (code == VAR_SQL_MODE) {
        s->sql_mode = bytes_le64(at);
    } else if (code == VAR_CHARSET) {
        s->client = bytes_le16(at);
        s->connection = bytes_le16(at + 2);
        s->server = bytes_le16(at + 4);
    } else if (code == VAR_CHARSET_DB) {
        s->database = bytes_le16(at);
    } else if (code == VAR_TIME_ZONE) {
        s->time_zone = (const char *)at + 1;
        s->time_zone_len = size - 1;
    }
}

enum err_code binlog_query_read(const uint8_t *data, size_t len, struct strbuf *unpacked,
                                struct binlog_statement *out, struct err *err)
{
    const uint8_t *const fixed = data + BINLOG_HEADER;
    struct binlog_statement s = {.db = NULL};
    const uint8_t *at;
    size_t status;
    enum err_code rc;

    if (len < BINLOG_HEADER + QUERY_FIXED + 1)
        return query_cut(err);
    s.thread_id = bytes_le32(fixed);
    s.db_len = fixed[8];
    s.error = bytes_le16(fixed + 9);
    status = bytes_le16(fixed + 11);
    if (len < BINLOG_HEADER + QUERY_FIXED + status + s.db_len + 1)
        return query_cut(err);
    at = fixed + QUERY_FIXED;
    s.db = (const char *)at + status;
    if (s.db[s.db_len] != '\0')
        return query_cut(err);
    while (status > 0) {
        const unsigned code = *at++;
        const size_t size = variable_size(code, at, --status);

        if (size == 0)
            break; /* what comes behind an unknown one cannot be told */
        if (size > status)
            return query_cut(err);
        variable_take(code, at, size, &s);
        at += size;
        status -= size;
    }
    s.text = s.db + s.db_len + 1;
    s.len = len - (size_t)((const uint8_t *)s.text - data);
    if (data[4] == EVENT_MARIADB_QUERY_COMPRESSED) {
        rc = binlog_uncompress((const uint8_t *)s.text, s.len, unpacked, err);
        if (rc)
            return rc;
        s.text = strbuf_str(unpacked);
        s.len = unpacked->len;
    }
    s.kind = binlog_statement_kind(s.text, s.len);
    *out = s;
    return ERR_OK;
}
