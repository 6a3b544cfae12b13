#include "dumper/middle_text.h"

#include "common/base/mem.h"

#include <stdint.h>
#include <stdlib.h>

#define WINDOW_MAX 8 /* characters or bytes looked at behind the common prefix */

bool bytes_middle(struct cell lo, struct cell hi, struct strbuf *out)
{
    size_t longest = lo.len > hi.len ? lo.len : hi.len;
    size_t p = 0;
    size_t n;
    uint64_t a = 0;
    uint64_t b = 0;

    while (p < lo.len && p < hi.len && lo.data[p] == hi.data[p])
        p++;
    n = longest - p < WINDOW_MAX ? longest - p : WINDOW_MAX;
    if (!n)
        return false;
    for (size_t i = p; i < p + n; i++) {
        a = a << 8 | (i < lo.len ? (unsigned char)lo.data[i] : 0);
        b = b << 8 | (i < hi.len ? (unsigned char)hi.data[i] : 0);
    }
    if (b > a)
        a += (b - a) / 2 + (b - a) % 2;
    else if (b < a) /* not in byte order, whatever the reason */
        return false;
    strbuf_add(out, lo.data, p);
    for (size_t i = n; i-- > 0;)
        strbuf_addch(out, (char)(a >> (8 * i) & 0xff));
    return true;
}

struct alphabet {
    uint64_t base;
    const char *digits; /* NULL: the printable characters, ' ' to '~' */
};
static const struct alphabet alphabets[] = {
    {10, "0123456789"}, {16, "0123456789abcdef"}, {16, "0123456789ABCDEF"}, {95, NULL}};

static int alphabet_value(const struct alphabet *a, char c)
{
    const char *at;

    if (!a->digits)
        return c >= ' ' && c <= '~' ? c - ' ' : -1;
    at = c ? strchr(a->digits, c) : NULL;
    return at ? (int)(at - a->digits) : -1;
}

static char alphabet_digit(const struct alphabet *a, uint64_t v)
{
    static const char printable[] =
        " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`"
        "abcdefghijklmnopqrstuvwxyz{|}~";
    const char *digits = a->digits ? a->digits : printable;

    return digits[v];
}

/* How many characters from `p` on are in the alphabet, in both (behind the end counts as in it). */
static size_t alphabet_reach(const struct alphabet *a, struct cell lo, struct cell hi, size_t p)
{
    size_t longest = lo.len > hi.len ? lo.len : hi.len;
    size_t n = 0;

    while (n < WINDOW_MAX && p + n < longest &&
           (p + n >= lo.len || alphabet_value(a, lo.data[p + n]) >= 0) &&
           (p + n >= hi.len || alphabet_value(a, hi.data[p + n]) >= 0))
        n++;
    return n;
}

static bool window_middle(const struct alphabet *a, struct cell lo, struct cell hi, size_t p,
                          size_t n, struct strbuf *out)
{
    char digits[WINDOW_MAX];
    uint64_t x = 0;
    uint64_t y = 0;

    for (size_t i = p; i < p + n; i++) { /* 95 to the 8th is below 2^63 */
        x = x * a->base + (i < lo.len ? (uint64_t)alphabet_value(a, lo.data[i]) : 0);
        y = y * a->base + (i < hi.len ? (uint64_t)alphabet_value(a, hi.data[i]) : 0);
    }
    if (y <= x)
        return false;
    x += (y - x) / 2 + (y - x) % 2;
    for (size_t i = n; i-- > 0; x /= a->base)
        digits[i] = alphabet_digit(a, x % a->base);
    strbuf_add(out, lo.data, p);
    strbuf_add(out, digits, n);
    return true;
}

/* The code point at `p`; 0: the end, or no UTF-8. */
static uint32_t utf8_decode(struct cell c, size_t p)
{
    unsigned char lead = p < c.len ? (unsigned char)c.data[p] : 0;
    size_t len = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    uint32_t v = len == 1 ? lead : lead & (0x7fU >> len);

    if (p + len > c.len)
        return 0;
    for (size_t i = 1; i < len; i++)
        v = v << 6 | ((unsigned char)c.data[p + i] & 0x3f);
    return v;
}

static void utf8_encode(uint32_t v, struct strbuf *out)
{
    if (v < 0x80) {
        strbuf_addch(out, (char)v);
        return;
    }
    if (v < 0x800) {
        strbuf_addch(out, (char)(0xc0 | v >> 6));
    } else if (v < 0x10000) {
        strbuf_addch(out, (char)(0xe0 | v >> 12));
        strbuf_addch(out, (char)(0x80 | (v >> 6 & 0x3f)));
    } else {
        strbuf_addch(out, (char)(0xf0 | v >> 18));
        strbuf_addch(out, (char)(0x80 | (v >> 12 & 0x3f)));
        strbuf_addch(out, (char)(0x80 | (v >> 6 & 0x3f)));
    }
    strbuf_addch(out, (char)(0x80 | (v & 0x3f)));
}

/* The character at `p`, which begins in both there or before. */
static bool code_point_middle(struct cell lo, struct cell hi, size_t p, struct strbuf *out)
{
    uint32_t a;
    uint32_t b;

    while (p > 0 && p < hi.len && ((unsigned char)hi.data[p] & 0xc0) == 0x80)
        p--;
    a = utf8_decode(lo, p);
    b = utf8_decode(hi, p);
    if (b <= a)
        return false;
    a += (b - a + 1) / 2;
    if (a >= 0xd800 && a < 0xe000) /* no characters there */
        a = 0xe000;
    strbuf_add(out, lo.data, p);
    utf8_encode(a, out);
    return true;
}

static bool prefix_middle(struct cell lo, struct cell hi, struct strbuf *out)
{
    size_t p = 0;

    while (p < lo.len && p < hi.len && lo.data[p] == hi.data[p])
        p++;
    for (size_t i = 0; i < sizeof(alphabets) / sizeof(alphabets[0]); i++) {
        size_t n = alphabet_reach(&alphabets[i], lo, hi, p);

        /* a short reach says little: a wider alphabet may reach further */
        if (n >= 3 || (n && !alphabets[i].digits) || (n && p + n == hi.len))
            return window_middle(&alphabets[i], lo, hi, p, n, out);
    }
    return code_point_middle(lo, hi, p, out);
}

/* A heap copy with ASCII letters in lower case. */
static char *text_fold(struct cell c)
{
    char *text = xmalloc(c.len + 1);

    memcpy(text, c.data, c.len);
    for (size_t i = 0; i < c.len; i++)
        if (text[i] >= 'A' && text[i] <= 'Z')
            text[i] = (char)(text[i] | 0x20);
    return text;
}

bool text_middle(const struct column *c, struct cell lo, struct cell hi, struct strbuf *out)
{
    char *a;
    char *b;
    bool found;

    if (!c->collation || !strstr(c->collation, "_ci"))
        return prefix_middle(lo, hi, out);
    a = text_fold(lo);
    b = text_fold(hi);
    found = prefix_middle((struct cell){a, lo.len}, (struct cell){b, hi.len}, out);
    free(a);
    free(b);
    return found;
}
