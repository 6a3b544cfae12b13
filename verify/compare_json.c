/* JSON in one spelling. MySQL sorts the names of an object by length, TiDB by bytes, MariaDB keeps
 * the text; TiDB prints 1.0 as 1. Numbers are equal when their values are: integers of 64 bits
 * exactly, all others as the doubles that the servers hold. */
#include "verify/compare_inner.h"

#include "common/base/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 256 /* the servers stop at 100 */

struct json_in {
    const char *at, *end;
    unsigned depth;
};
struct json_member {
    struct strbuf name, value;
};

static bool json_value(struct json_in *in, struct strbuf *out);

static void json_space(struct json_in *in)
{
    while (in->at < in->end && strchr(" \t\r\n", *in->at) && *in->at)
        in->at++;
}

static bool json_take(struct json_in *in, char c)
{
    json_space(in);
    if (in->at >= in->end || *in->at != c)
        return false;
    in->at++;
    return true;
}

static void json_add_utf8(unsigned c, struct strbuf *out)
{
    if (c < 0x80) {
        strbuf_addch(out, (char)c);
        return;
    }
    if (c < 0x800) {
        strbuf_addch(out, (char)(0xC0 | c >> 6));
    } else {
        if (c < 0x10000) {
            strbuf_addch(out, (char)(0xE0 | c >> 12));
        } else {
            strbuf_addch(out, (char)(0xF0 | c >> 18));
            strbuf_addch(out, (char)(0x80 | (c >> 12 & 0x3F)));
        }
        strbuf_addch(out, (char)(0x80 | (c >> 6 & 0x3F)));
    }
    strbuf_addch(out, (char)(0x80 | (c & 0x3F)));
}

/* Four hexadecimal digits at in->at. */
static bool json_unit(struct json_in *in, unsigned *unit)
{
    char digits[5] = "";
    char *end = NULL;

    if (in->end - in->at < 4)
        return false;
    memcpy(digits, in->at, 4);
    *unit = (unsigned)strtoul(digits, &end, 16);
    in->at += 4;
    return end == digits + 4;
}

/* Behind the backslash. */
static bool json_escape(struct json_in *in, struct strbuf *out)
{
    static const char *const from = "bfnrt";
    static const char *const to = "\b\f\n\r\t";
    const char c = *in->at++;
    const char *known = c ? strchr(from, c) : NULL;
    unsigned unit = 0;
    unsigned low = 0;

    if (c != 'u') {
        strbuf_addch(out, (char)(known ? to[known - from] : c));
        return true;
    }
    if (!json_unit(in, &unit))
        return false;
    if (unit >= 0xD800 && unit < 0xDC00 && in->end - in->at >= 6 && in->at[0] == '\\' &&
        in->at[1] == 'u') {
        in->at += 2;
        if (!json_unit(in, &low))
            return false;
        unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
    }
    json_add_utf8(unit, out);
    return true;
}

/* Without its quotes and escapes. */
static bool json_text(struct json_in *in, struct strbuf *out)
{
    if (!json_take(in, '"'))
        return false;
    while (in->at < in->end && *in->at != '"') {
        const char c = *in->at++;

        if (c != '\\')
            strbuf_addch(out, c);
        else if (in->at >= in->end || !json_escape(in, out))
            return false;
    }
    return json_take(in, '"');
}

/* The length in front makes the end plain, whatever the text holds. */
static void json_add_text(const struct strbuf *text, struct strbuf *out)
{
    strbuf_addf(out, "\"%zu:", text->len);
    strbuf_add(out, strbuf_str(text), text->len);
}

static bool json_number(struct json_in *in, struct strbuf *out)
{
    char text[400] = "";
    size_t len = 0;
    bool integer = true;
    double d;

    for (; in->at < in->end && *in->at && strchr("+-0123456789.eE", *in->at); in->at++) {
        if (len + 1 >= sizeof text)
            return false;
        integer = integer && !strchr(".eE", *in->at);
        text[len++] = *in->at;
    }
    if (!len)
        return false;
    errno = 0;
    if (integer && text[0] == '-') {
        int64_t n = strtoll(text, NULL, 10);

        if (!errno) {
            strbuf_addf(out, "%" PRId64, n);
            return true;
        }
    } else if (integer) {
        uint64_t n = strtoull(text, NULL, 10);

        if (!errno) {
            strbuf_addf(out, "%" PRIu64, n);
            return true;
        }
    }
    d = strtod(text, NULL);
    if (d == trunc(d) && fabs(d) < 9.2e18)
        strbuf_addf(out, "%" PRId64, (int64_t)d);
    else if (d == trunc(d) && d > 0 && d < 1.8e19)
        strbuf_addf(out, "%" PRIu64, (uint64_t)d);
    else
        strbuf_addf(out, "%.17g", d);
    return true;
}

static int json_member_compare(const void *a, const void *b)
{
    const struct json_member *x = a;
    const struct json_member *y = b;
    size_t len = x->name.len < y->name.len ? x->name.len : y->name.len;
    int order = memcmp(strbuf_str(&x->name), strbuf_str(&y->name), len);

    if (order)
        return order;
    return (x->name.len > y->name.len) - (x->name.len < y->name.len);
}

// NOLINTNEXTLINE(misc-no-recursion): at most DEPTH_MAX deep
static bool json_members(struct json_in *in, struct json_member **list, size_t *count)
{
    if (json_take(in, '}'))
        return true;
    do {
        struct json_member *m;

        *list = xreallocarray(*list, *count + 1, sizeof **list);
        m = &(*list)[(*count)++];
        *m = (struct json_member){0};
        if (!json_text(in, &m->name) || !json_take(in, ':') || !json_value(in, &m->value))
            return false;
    } while (json_take(in, ','));
    return json_take(in, '}');
}

// NOLINTNEXTLINE(misc-no-recursion): as above
static bool json_object(struct json_in *in, struct strbuf *out)
{
    struct json_member *list = NULL;
    size_t count = 0;
    bool good = json_members(in, &list, &count);

    if (good && count)
        qsort(list, count, sizeof *list, json_member_compare);
    strbuf_addch(out, '{');
    for (size_t i = 0; i < count; i++) {
        if (good) {
            json_add_text(&list[i].name, out);
            strbuf_add(out, strbuf_str(&list[i].value), list[i].value.len);
        }
        strbuf_release(&list[i].name);
        strbuf_release(&list[i].value);
    }
    strbuf_addch(out, '}');
    free(list);
    return good;
}

// NOLINTNEXTLINE(misc-no-recursion): as above
static bool json_array(struct json_in *in, struct strbuf *out)
{
    strbuf_addch(out, '[');
    if (!json_take(in, ']')) {
        do {
            if (!json_value(in, out))
                return false;
            strbuf_addch(out, ',');
        } while (json_take(in, ','));
        if (!json_take(in, ']'))
            return false;
    }
    strbuf_addch(out, ']');
    return true;
}

static bool json_word(struct json_in *in, struct strbuf *out)
{
    static const char *const words[] = {"null", "true", "false"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t len = strlen(words[i]);

        if ((size_t)(in->end - in->at) >= len && memcmp(in->at, words[i], len) == 0) {
            in->at += len;
            strbuf_add(out, words[i], len);
            return true;
        }
    }
    return json_number(in, out);
}

// NOLINTNEXTLINE(misc-no-recursion): at most DEPTH_MAX deep
static bool json_value(struct json_in *in, struct strbuf *out)
{
    struct strbuf text = {0};
    bool good;

    json_space(in);
    if (in->at >= in->end || ++in->depth > DEPTH_MAX)
        return false;
    if (*in->at == '"') {
        good = json_text(in, &text);
        json_add_text(&text, out);
        strbuf_release(&text);
    } else if (*in->at == '{') {
        in->at++;
        good = json_object(in, out);
    } else if (*in->at == '[') {
        in->at++;
        good = json_array(in, out);
    } else {
        good = json_word(in, out);
    }
    in->depth--;
    return good;
}

void json_normal(const char *text, size_t len, struct strbuf *out)
{
    struct json_in in = {text, text + len, 0};
    size_t before = out->len;
    bool good = json_value(&in, out);

    json_space(&in);
    if (good && in.at == in.end)
        return;
    strbuf_setlen(out, before);
    strbuf_add(out, text, len);
}
