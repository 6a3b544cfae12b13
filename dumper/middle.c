#include "dumper/middle.h"

#include "dumper/middle_text.h"

#include <arpa/inet.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Exact numbers of any length, as one row of decimal digits: DECIMAL(65,38) is the longest. */
#define DECIMAL_WHOLE 70
#define DECIMAL_SCALE_MAX 40
#define DECIMAL_DIGITS (DECIMAL_WHOLE + DECIMAL_SCALE_MAX)
struct decimal {
    unsigned char digit[DECIMAL_DIGITS]; /* most significant first; the number plus the bias */
};

static size_t decimal_scale(struct cell c)
{
    const char *dot = memchr(c.data, '.', c.len);

    return dot ? c.len - (size_t)(dot - c.data) - 1 : 0;
}

/* The bias is a 1 in front of all digits, so that negative numbers are positive too. */
static bool decimal_parse(struct cell c, size_t scale, struct decimal *d)
{
    const char *dot = memchr(c.data, '.', c.len);
    size_t sign = c.len && (c.data[0] == '-' || c.data[0] == '+');
    bool negative = sign && c.data[0] == '-';
    size_t whole = (dot ? (size_t)(dot - c.data) : c.len) - sign;
    size_t end = DECIMAL_WHOLE + scale;
    size_t to = DECIMAL_WHOLE - whole;
    int borrow = 0;

    if (!whole || whole >= DECIMAL_WHOLE)
        return false;
    memset(d->digit, 0, sizeof(d->digit));
    for (size_t i = sign; i < c.len; i++) {
        if (c.data + i == dot)
            continue;
        if (c.data[i] < '0' || c.data[i] > '9' || to >= end)
            return false;
        d->digit[to++] = (unsigned char)(c.data[i] - '0');
    }
    if (!negative) {
        d->digit[0] = 1;
        return true;
    }
    for (size_t i = end; i-- > 0;) { /* bias - number */
        int v = (i == 0 ? 1 : 0) - d->digit[i] - borrow;

        borrow = v < 0;
        d->digit[i] = (unsigned char)(v < 0 ? v + 10 : v);
    }
    return true;
}

/* Half of a + b, rounded up in the last digit, into `a`. */
static void decimal_average(struct decimal *a, const struct decimal *b, size_t end)
{
    int carry = 1;
    int rest = 0;

    for (size_t i = end; i-- > 0;) {
        int v = a->digit[i] + b->digit[i] + carry;

        carry = v / 10;
        a->digit[i] = (unsigned char)(v % 10);
    }
    for (size_t i = 0; i < end; i++) {
        int v = rest * 10 + a->digit[i];

        a->digit[i] = (unsigned char)(v / 2);
        rest = v % 2;
    }
}

static void decimal_print(struct decimal *d, size_t scale, struct strbuf *out)
{
    size_t end = DECIMAL_WHOLE + scale;
    size_t first = 0;

    if (d->digit[0]) {
        d->digit[0] = 0;
    } else { /* below the bias: negative */
        int borrow = 0;

        strbuf_addch(out, '-');
        for (size_t i = end; i-- > 0;) {
            int v = (i == 0 ? 1 : 0) - d->digit[i] - borrow;

            borrow = v < 0;
            d->digit[i] = (unsigned char)(v < 0 ? v + 10 : v);
        }
    }
    while (first + 1 < DECIMAL_WHOLE && !d->digit[first])
        first++;
    for (size_t i = first; i < end; i++) {
        if (i == DECIMAL_WHOLE)
            strbuf_addch(out, '.');
        strbuf_addch(out, (char)('0' + d->digit[i]));
    }
}

static bool decimal_middle(struct cell lo, struct cell hi, struct strbuf *out)
{
    size_t scale = decimal_scale(lo) > decimal_scale(hi) ? decimal_scale(lo) : decimal_scale(hi);
    struct decimal a;
    struct decimal b;

    if (scale > DECIMAL_SCALE_MAX || !decimal_parse(lo, scale, &a) || !decimal_parse(hi, scale, &b))
        return false;
    if (memcmp(a.digit, b.digit, DECIMAL_WHOLE + scale) == 0)
        return false;
    decimal_average(&a, &b, DECIMAL_WHOLE + scale);
    decimal_print(&a, scale, out);
    return true;
}

static bool double_parse(struct cell c, double *v)
{
    char text[64]; /* 17 digits and an exponent are far shorter */
    char *end;

    if (!c.len || c.len >= sizeof(text))
        return false;
    memcpy(text, c.data, c.len);
    text[c.len] = '\0';
    *v = strtod(text, &end);
    return !*end && isfinite(*v);
}

/* Ends of one sign that are so far from each other that values spread over powers of two are more
 * likely than values spread evenly. Less far, halving comes to any value in a few steps. */
#define DOUBLE_FAR 0x1p40

static bool double_far(double a, double b)
{
    return a < 0 ? b <= 0 && b * DOUBLE_FAR > a : a >= 0 && a * DOUBLE_FAR < b;
}

/* A number for each double, in their order: the bits, and those of negative ones the other way
 * round. Half way between two numbers is half way between the powers of two. */
static int64_t double_rank(double v)
{
    int64_t bits;

    if (v == 0)
        v = 0; /* of either sign */
    memcpy(&bits, &v, sizeof(bits));
    return bits < 0 ? INT64_MIN - bits : bits;
}

static double double_of_rank(int64_t rank)
{
    double v;

    if (rank < 0)
        rank = INT64_MIN - rank;
    memcpy(&v, &rank, sizeof(v));
    return v;
}

static bool double_middle(struct cell lo, struct cell hi, struct strbuf *out)
{
    double a = 0;
    double b = 0;
    double mid;

    if (!double_parse(lo, &a) || !double_parse(hi, &b) || !(a < b))
        return false;
    mid = a / 2 + b / 2;
    if (double_far(a, b))
        mid = double_of_rank(double_rank(a) / 2 + double_rank(b) / 2);
    if (!(mid > a && mid < b))
        mid = b;
    strbuf_addf(out, "%.17g", mid);
    return true;
}

/* Digits up to something else; false: none. */
static bool number_parse(struct cell *c, int64_t *v)
{
    size_t i = 0;

    for (*v = 0; i < c->len && i < 9 && c->data[i] >= '0' && c->data[i] <= '9'; i++)
        *v = *v * 10 + (c->data[i] - '0');
    c->data += i;
    c->len -= i;
    return i > 0;
}

static bool char_parse(struct cell *c, char want)
{
    if (!c->len || c->data[0] != want)
        return false;
    c->data++;
    c->len--;
    return true;
}

#define SECOND_US ((int64_t)1000000)
#define DAY_US (86400 * SECOND_US)

/* "HH:MM:SS[.ffffff]" to microseconds. */
static bool clock_parse(struct cell *c, int64_t *us)
{
    int64_t h = 0;
    int64_t m = 0;
    int64_t s = 0;
    int64_t fraction = 0;

    if (!number_parse(c, &h) || !char_parse(c, ':') || !number_parse(c, &m) ||
        !char_parse(c, ':') || !number_parse(c, &s))
        return false;
    if (char_parse(c, '.')) {
        size_t digits = c->len;

        if (digits > 6 || !number_parse(c, &fraction))
            return false;
        for (; digits < 6; digits++)
            fraction *= 10;
    }
    *us = ((h * 60 + m) * 60 + s) * SECOND_US + fraction;
    return true;
}

static void clock_print(int64_t us, unsigned fsp, struct strbuf *out)
{
    int64_t s = us / SECOND_US;
    char fraction[8];

    strbuf_addf(out, "%02lld:%02d:%02d", (long long)(s / 3600), (int)(s / 60 % 60), (int)(s % 60));
    if (!fsp)
        return;
    (void)snprintf(fraction, sizeof(fraction), "%06d", (int)(us % SECOND_US));
    strbuf_addch(out, '.');
    strbuf_add(out, fraction, fsp > 6 ? 6 : fsp);
}

/* Half way, rounded up to what the column's fractional digits can say. */
static int64_t temporal_average(int64_t a, int64_t b, unsigned fsp)
{
    int64_t unit = SECOND_US;
    int64_t mid = a + (b - a + 1) / 2;

    for (unsigned i = 0; i < fsp && i < 6; i++)
        unit /= 10;
    if (mid % unit > 0)
        mid += unit - mid % unit;
    return mid - mid % unit; /* a negative one was rounded up by the remainder's sign */
}

static bool time_parse(struct cell c, int64_t *us)
{
    bool negative = char_parse(&c, '-');

    if (!clock_parse(&c, us) || c.len)
        return false;
    if (negative)
        *us = -*us;
    return true;
}

static bool time_middle(struct cell lo, struct cell hi, unsigned fsp, struct strbuf *out)
{
    int64_t a = 0;
    int64_t b = 0;

    if (!time_parse(lo, &a) || !time_parse(hi, &b) || a >= b)
        return false;
    a = temporal_average(a, b, fsp);
    if (a < 0)
        strbuf_addch(out, '-');
    clock_print(a < 0 ? -a : a, fsp, out);
    return true;
}

/* A calendar in which each month has 31 days: its order is the dates' order, zero months and days
 * counting as the first. */
static bool date_parse(struct cell c, int64_t *us)
{
    int64_t y = 0;
    int64_t m = 0;
    int64_t d = 0;
    int64_t clock = 0;

    if (!number_parse(&c, &y) || !char_parse(&c, '-') || !number_parse(&c, &m) ||
        !char_parse(&c, '-') || !number_parse(&c, &d))
        return false;
    if (c.len && (!char_parse(&c, ' ') || !clock_parse(&c, &clock) || c.len))
        return false;
    *us = ((y * 12 + (m ? m - 1 : 0)) * 31 + (d ? d - 1 : 0)) * DAY_US + clock;
    return true;
}

static void date_print(int64_t us, const struct column *c, struct strbuf *out)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t day = us / DAY_US;
    int d = (int)(day % 31);
    int64_t month = day / 31;

    us %= DAY_US;
    if (c->type == TYPE_DATE && us) {
        d++;
        us = 0;
    }
    if (d >= days[month % 12]) { /* no such day (or a leap day, no loss): the next month's first */
        month++;
        d = 0;
        us = 0;
    }
    strbuf_addf(out, "%04d-%02d-%02d", (int)(month / 12), (int)(month % 12) + 1, d + 1);
    if (c->type == TYPE_DATE)
        return;
    strbuf_addch(out, ' ');
    clock_print(us, c->fsp, out);
}

static bool date_middle(const struct column *c, struct cell lo, struct cell hi, struct strbuf *out)
{
    int64_t a = 0;
    int64_t b = 0;

    if (!date_parse(lo, &a) || !date_parse(hi, &b) || a >= b)
        return false;
    date_print(temporal_average(a, b, c->fsp), c, out);
    return true;
}

/* MariaDB's UUID column orders versions 1 to 5 by their last group first. */
static const unsigned char uuid_order[16] = {10, 11, 12, 13, 14, 15, 8, 9, 6, 7, 4, 5, 0, 1, 2, 3};

static bool uuid_parse(struct cell c, unsigned char out[16])
{
    size_t n = 0;

    for (size_t i = 0; i < c.len; i++) {
        int v = bytes_hex_value(c.data[i]);

        if (c.data[i] == '-')
            continue;
        if (v < 0 || n >= 32)
            return false;
        if (n % 2 == 0)
            out[n / 2] = 0;
        out[n / 2] = (unsigned char)(out[n / 2] << 4 | v);
        n++;
    }
    return n == 32;
}

static bool uuid_middle(struct cell lo, struct cell hi, struct strbuf *out)
{
    unsigned char a[16] = {0};
    unsigned char b[16] = {0};
    unsigned char pa[16];
    unsigned char pb[16];
    struct strbuf mid = {0};
    bool swapped;

    if (!uuid_parse(lo, a) || !uuid_parse(hi, b))
        return false;
    swapped = a[6] < 0x60 && b[6] < 0x60;
    for (size_t i = 0; i < 16; i++) {
        pa[i] = a[swapped ? uuid_order[i] : i];
        pb[i] = b[swapped ? uuid_order[i] : i];
    }
    if (!bytes_middle((struct cell){(char *)pa, 16}, (struct cell){(char *)pb, 16}, &mid))
        return false;
    memset(pa, 0, sizeof(pa));
    memcpy(pa, strbuf_str(&mid), mid.len < 16 ? mid.len : 16);
    strbuf_release(&mid);
    for (size_t i = 0; i < 16; i++)
        a[swapped ? uuid_order[i] : i] = pa[i];
    if (swapped) { /* else it would be ordered as none of them */
        a[6] = (unsigned char)((a[6] & 0x0f) | 0x40);
        a[8] = (unsigned char)((a[8] & 0x3f) | 0x80);
    }
    for (size_t i = 0; i < 16; i++)
        strbuf_addf(out, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", (unsigned)a[i]);
    return true;
}

static bool inet_middle(int family, struct cell lo, struct cell hi, struct strbuf *out)
{
    size_t size = family == AF_INET ? 4 : 16;
    char text[INET6_ADDRSTRLEN] = "";
    unsigned char a[16] = {0};
    unsigned char b[16] = {0};
    struct strbuf mid = {0};

    if (lo.len >= sizeof(text) || hi.len >= sizeof(text))
        return false;
    memcpy(text, lo.data, lo.len);
    text[lo.len] = '\0';
    if (inet_pton(family, text, a) != 1)
        return false;
    memcpy(text, hi.data, hi.len);
    text[hi.len] = '\0';
    if (inet_pton(family, text, b) != 1)
        return false;
    if (!bytes_middle((struct cell){(char *)a, size}, (struct cell){(char *)b, size}, &mid))
        return false;
    memset(a, 0, sizeof(a));
    memcpy(a, strbuf_str(&mid), mid.len < size ? mid.len : size);
    strbuf_release(&mid);
    if (!inet_ntop(family, a, text, sizeof(text)))
        return false;
    strbuf_addstr(out, text);
    return true;
}

bool key_middle(const struct column *c, struct cell lo, struct cell hi, struct strbuf *out)
{
    strbuf_reset(out);
    switch ((int)c->type) { /* an int: not every type is listed */
    case TYPE_TINYINT:
    case TYPE_SMALLINT:
    case TYPE_MEDIUMINT:
    case TYPE_INT:
    case TYPE_BIGINT:
    case TYPE_DECIMAL:
    case TYPE_BIT:
    case TYPE_YEAR:
    case TYPE_ENUM:
    case TYPE_SET:
        return decimal_middle(lo, hi, out);
    case TYPE_FLOAT:
    case TYPE_DOUBLE:
        return double_middle(lo, hi, out);
    case TYPE_DATE:
    case TYPE_DATETIME:
    case TYPE_TIMESTAMP:
        return date_middle(c, lo, hi, out);
    case TYPE_TIME:
        return time_middle(lo, hi, c->fsp, out);
    case TYPE_UUID:
        return uuid_middle(lo, hi, out);
    case TYPE_INET4:
        return inet_middle(AF_INET, lo, hi, out);
    case TYPE_INET6:
        return inet_middle(AF_INET6, lo, hi, out);
    default:
        break;
    }
    return column_form(c) == CELL_TEXT ? text_middle(c, lo, hi, out) : bytes_middle(lo, hi, out);
}
