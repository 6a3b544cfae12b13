/* Rows as JSON objects, and back. The reader is for what the writer made: numbers keep their text,
 * which no library's parser would give. */
#include "common/target/finding.h"

#include "common/base/bytes.h"

#include <inttypes.h>

#define ROW_BYTES ((size_t)1 << 20)
#define LIMIT_MAX ((size_t)64 << 10)
#define LIMIT_MIN ((size_t)256)

size_t finding_value_limit(unsigned columns)
{
    size_t limit = ROW_BYTES / (columns ? columns : 1);

    return limit > LIMIT_MAX ? LIMIT_MAX : limit < LIMIT_MIN ? LIMIT_MIN : limit;
}

/* Bytes of the UTF-8 character at `p`; 0: none. */
static size_t utf8_char(const unsigned char *p, size_t len)
{
    static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    unsigned value = n > 1 ? p[0] & (0x7fU >> n) : p[0];

    if (n == 0 || n > len || p[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (p[i] & 0x3fU);
    }
    if (n > 1 && (value < least[n] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000)))
        return 0;
    return n;
}

static bool is_utf8(const char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t n = utf8_char((const unsigned char *)text + i, len - i);

        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

void finding_json_string(const char *text, size_t len, struct strbuf *out)
{
    size_t from = 0;

    strbuf_addch(out, '"');
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f)
            continue;
        strbuf_add(out, text + from, i - from);
        from = i + 1;
        if (c == '"' || c == '\\')
            strbuf_addf(out, "\\%c", c);
        else if (c == '\n')
            strbuf_addstr(out, "\\n");
        else
            strbuf_addf(out, "\\u%04x", c);
    }
    strbuf_add(out, text + from, len - from);
    strbuf_addch(out, '"');
}

static size_t digits(const char *p, size_t len)
{
    size_t n = 0;

    while (n < len && p[n] >= '0' && p[n] <= '9')
        n++;
    return n;
}

/* Whether the text is a number by JSON's grammar; leading zeros are none of it. */
static bool is_json_number(const char *p, size_t len)
{
    size_t i = len > 0 && p[0] == '-';
    size_t n = digits(p + i, len - i);

    if (n == 0 || (n > 1 && p[i] == '0'))
        return false;
    i += n;
    if (i < len && p[i] == '.') {
        n = digits(p + i + 1, len - i - 1);
        if (n == 0)
            return false;
        i += 1 + n;
    }
    if (i < len && (p[i] == 'e' || p[i] == 'E')) {
        i++;
        i += i < len && (p[i] == '+' || p[i] == '-');
        n = digits(p + i, len - i);
        if (n == 0)
            return false;
        i += n;
    }
    return i == len;
}

static void json_hex(const char *cell, size_t len, struct strbuf *out)
{
    strbuf_addstr(out, "\"hex\":\"");
    strbuf_grow(out, 2 * len + 2);
    (void)bytes_to_hex(out->str + out->len, cell, len);
    out->len += 2 * len;
    out->str[out->len] = '\0';
    strbuf_addch(out, '"');
}

static void json_cut(bool text, const char *cell, size_t len, size_t limit, struct strbuf *out)
{
    size_t shown = limit;

    strbuf_addf(out, "{\"cut\":%zu,", len);
    while (text && shown > 0 && ((unsigned char)cell[shown] & 0xc0) == 0x80)
        shown--;
    if (text) {
        strbuf_addstr(out, "\"text\":");
        finding_json_string(cell, shown, out);
    } else {
        json_hex(cell, shown, out);
    }
    strbuf_addch(out, '}');
}

void finding_json_value(enum cell_form form, const char *cell, size_t len, size_t limit,
                        struct strbuf *out)
{
    bool text = form != CELL_BYTES && form != CELL_BIT;

    if (!cell) {
        strbuf_addstr(out, "null");
        return;
    }
    if (form == CELL_NUMBER && is_json_number(cell, len)) {
        strbuf_add(out, cell, len);
        return;
    }
    text = text && is_utf8(cell, len);
    if (limit && len > limit) {
        json_cut(text, cell, len, limit, out);
    } else if (text) {
        finding_json_string(cell, len, out);
    } else {
        strbuf_addch(out, '{');
        json_hex(cell, len, out);
        strbuf_addch(out, '}');
    }
}

/* ---- reading ---- */

/* The end of the JSON string that begins at `p`; NULL: none. */
static const char *string_end(const char *p)
{
    if (*p++ != '"')
        return NULL;
    for (; *p && *p != '"'; p++)
        if (*p == '\\' && !*++p)
            return NULL;
    return *p ? p + 1 : NULL;
}

static const char *value_end(const char *p)
{
    unsigned depth = 0;

    do {
        if (*p == '"') {
            p = string_end(p);
            if (!p)
                return NULL;
            continue;
        }
        if (*p == '{' || *p == '[')
            depth++;
        if (depth > 0 && (*p == '}' || *p == ']'))
            depth--;
        p++;
    } while (*p && (depth > 0 || (*p != ',' && *p != '}')));
    return depth == 0 && *p ? p : NULL;
}

/* What stands behind a backslash; returns the last byte of it. */
static const char *unescape(const char *p, const char *end, char *c)
{
    *c = *p;
    if (*p == 'n')
        *c = '\n';
    if (*p != 'u' || p + 4 >= end)
        return p;
    /* The writer makes them below 0x80 only. */
    *c = (char)(unsigned char)((unsigned)bytes_hex_value(p[3]) << 4 |
                               (unsigned)bytes_hex_value(p[4]));
    return p + 4;
}

void finding_json_unescape(const char *value, size_t len, struct strbuf *out)
{
    const char *end = value + len - 1;

    for (const char *p = value + 1; p < end; p++) {
        char c = *p;

        if (c == '\\')
            p = unescape(p + 1, end, &c);
        strbuf_addch(out, c);
    }
}

bool finding_json_next(const char *object, size_t *at, struct finding_member *m, bool *bad)
{
    const char *p = object + *at;
    const char *end;

    *bad = false;
    if (*p == '}')
        return false;
    if (*p == '{' && p[1] == '}' && *at == 0)
        return false;
    end = *p == (*at ? ',' : '{') ? string_end(p + 1) : NULL;
    if (end && *end == ':') {
        strbuf_reset(&m->name);
        finding_json_unescape(p + 1, (size_t)(end - p - 1), &m->name);
        m->value = end + 1;
        end = value_end(m->value);
        if (end) {
            m->value_len = (size_t)(end - m->value);
            *at = (size_t)(end - object);
            return true;
        }
    }
    *bad = true;
    return false;
}
