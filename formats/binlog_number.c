#include "formats/binlog_number.h"

#include "common/base/bytes.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define DIGITS_GROUP 9 /* decimal digits in four bytes */
#define GCVT_POINT_MAX 15
#define GCVT_POINT_MIN (-14)

static const char digit_pairs[] = "0001020304050607080910111213141516171819"
                                  "2021222324252627282930313233343536373839"
                                  "4041424344454647484950515253545556575859"
                                  "6061626364656667686970717273747576777879"
                                  "8081828384858687888990919293949596979899";

char *number_u64(char *to, uint64_t v)
{
    char text[20];
    char *p = text + sizeof(text);
    size_t len;

    while (v >= 100) {
        p -= 2;
        memcpy(p, digit_pairs + v % 100 * 2, 2);
        v /= 100;
    }
    if (v >= 10) {
        p -= 2;
        memcpy(p, digit_pairs + v * 2, 2);
    } else {
        *--p = (char)('0' + v);
    }
    len = (size_t)(text + sizeof(text) - p);
    memcpy(to, p, len);
    return to + len;
}

char *number_i64(char *to, int64_t v)
{
    if (v >= 0)
        return number_u64(to, (uint64_t)v);
    *to++ = '-';
    return number_u64(to, 0 - (uint64_t)v);
}

char *number_padded(char *to, uint64_t v, unsigned width)
{
    char text[20];
    const size_t len = (size_t)(number_u64(text, v) - text);

    for (size_t i = len; i < width; i++)
        *to++ = '0';
    memcpy(to, text, len);
    return to + len;
}

/* Adds one to the last digit, where that is no carry. Whether it is then the number. */
static bool double_next_text(char *text, double v)
{
    char *last = strchr(text, 'e') - 1;
    bool same;

    if (*last == '9')
        return false;
    (*last)++;
    same = strtod(text, NULL) == v;
    if (!same)
        (*last)--;
    return same;
}

/* The significant digits of a finite, positive double, and where its point is: 0.DIGITS * 10^point.
 */
static size_t double_digits(double v, char digits[18], int *point)
{
    char text[32];
    size_t len = 0;
    /* Of a normal number 15 digits are kept by any text; a denormal one may have fewer. */
    int precision = v < DBL_MIN ? 0 : 14;

    for (;; precision++) {
        (void)snprintf(text, sizeof(text), "%.*e", precision, v);
        if (precision >= 16 || strtod(text, NULL) == v)
            break;
        /* Below a power of two neighbours are nearer than above: the next text may still be it. */
        if (precision == 15 && double_next_text(text, v))
            break;
    }
    for (const char *p = text; *p != 'e'; p++)
        if (*p != '.')
            digits[len++] = *p;
    *point = (int)strtol(strchr(text, 'e') + 1, NULL, 10) + 1;
    while (len > 1 && digits[len - 1] == '0')
        len--;
    return len;
}

static char *put(char *to, const char *text, size_t len)
{
    memcpy(to, text, len);
    return to + len;
}

static char *put_zeros(char *to, int count)
{
    for (; count > 0; count--)
        *to++ = '0';
    return to;
}

char *number_double(char *to, double v)
{
    char digits[18] = "";
    size_t len;
    int point = 0;

    if (signbit(v)) {
        *to++ = '-';
        v = -v;
    }
    if (v == 0)
        return put(to, "0", 1);
    len = double_digits(v, digits, &point);
    /* Measured: 17 digits of which the last is behind the point have no exponent either. */
    if ((point > GCVT_POINT_MAX && (size_t)point >= len) || point < GCVT_POINT_MIN) {
        *to++ = digits[0];
        if (len > 1) {
            *to++ = '.';
            to = put(to, digits + 1, len - 1);
        }
        *to++ = 'e';
        return number_i64(to, point - 1);
    }
    if (point <= 0) {
        to = put(to, "0.", 2);
        to = put_zeros(to, -point);
        return put(to, digits, len);
    }
    if ((size_t)point >= len) {
        to = put(to, digits, len);
        return put_zeros(to, point - (int)len);
    }
    to = put(to, digits, (size_t)point);
    *to++ = '.';
    return put(to, digits + point, len - (size_t)point);
}

static const uint8_t group_bytes[DIGITS_GROUP + 1] = {0, 1, 1, 2, 2, 3, 3, 4, 4, 4};

size_t decimal_bytes(unsigned precision, unsigned scale)
{
    unsigned whole;

    if (precision == 0 || precision > 81 || scale > precision || scale > 38)
        return 0;
    whole = precision - scale;
    return whole / DIGITS_GROUP * 4 + group_bytes[whole % DIGITS_GROUP] + scale / DIGITS_GROUP * 4 +
           group_bytes[scale % DIGITS_GROUP];
}

static bool group_read(const uint8_t **data, unsigned digits, uint32_t flip, bool first,
                       uint32_t *out)
{
    static const uint32_t limits[] = {1,      10,      100,      1000,      10000,
                                      100000, 1000000, 10000000, 100000000, 1000000000};
    const size_t len = group_bytes[digits];
    uint32_t v = 0;

    for (size_t i = 0; i < len; i++) {
        const uint8_t byte = (*data)[i];

        v = v << 8 | (first && i == 0 ? byte ^ 0x80U : byte);
    }
    if (flip)
        v ^= len == 4 ? UINT32_MAX : (UINT32_C(1) << 8 * len) - 1;
    *data += len;
    *out = v;
    return v < limits[digits];
}

/* Zeros in front are left out; a group behind another is written whole. */
char *decimal_text(char *to, const uint8_t *data, unsigned precision, unsigned scale)
{
    const uint32_t flip = !(data[0] & 0x80);
    const unsigned whole = precision - scale;
    char *const sign = to;
    bool first = true;
    bool zero = true;
    bool leading = true;
    uint32_t v = 0;

    *to++ = '-';
    for (unsigned left = whole; left > 0;) {
        const unsigned digits = left % DIGITS_GROUP ? left % DIGITS_GROUP : DIGITS_GROUP;

        if (!group_read(&data, digits, flip, first, &v))
            return NULL;
        first = false;
        left -= digits;
        if (!leading)
            to = number_padded(to, v, digits);
        else if (v)
            to = number_u64(to, v);
        leading = leading && v == 0;
    }
    zero = leading;
    if (leading)
        *to++ = '0';
    if (scale)
        *to++ = '.';
    for (unsigned left = scale; left > 0;) {
        const unsigned digits = left < DIGITS_GROUP ? left : DIGITS_GROUP;

        if (!group_read(&data, digits, flip, first, &v))
            return NULL;
        first = false;
        left -= digits;
        zero = zero && v == 0;
        to = number_padded(to, v, digits);
    }
    if (flip && !zero)
        return to;
    memmove(sign, sign + 1, (size_t)(to - sign - 1));
    return to - 1;
}

static char *two(char *to, uint64_t v)
{
    if (v > 99)
        return number_u64(to, v);
    return put(to, digit_pairs + v * 2, 2);
}

static char *date_text(char *to, uint64_t year, uint64_t month, uint64_t day)
{
    to = number_padded(to, year, 4);
    *to++ = '-';
    to = two(to, month);
    *to++ = '-';
    return two(to, day);
}

static char *clock_text(char *to, uint64_t hour, uint64_t minute, uint64_t second)
{
    to = two(to, hour);
    *to++ = ':';
    to = two(to, minute);
    *to++ = ':';
    return two(to, second);
}

char *time_fraction(char *to, uint32_t microseconds, unsigned fsp)
{
    char text[24];

    if (fsp == 0)
        return to;
    (void)number_padded(text, microseconds, 6);
    *to++ = '.';
    return put(to, text, fsp);
}

char *time_of_seconds(char *to, uint64_t seconds)
{
    /* Days to a date: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms". */
    const uint64_t z = seconds / 86400 + 719468;
    const uint64_t era = z / 146097;
    const uint64_t doe = z % 146097;
    const uint64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    const uint64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    const uint64_t mp = (5 * doy + 2) / 153;
    const uint64_t month = mp < 10 ? mp + 3 : mp - 9;
    const uint64_t rest = seconds % 86400;

    if (seconds == 0)
        return put(to, "0000-00-00 00:00:00", 19);
    to = date_text(to, yoe + era * 400 + (month <= 2), month, doy - (153 * mp + 2) / 5 + 1);
    *to++ = ' ';
    return clock_text(to, rest / 3600, rest / 60 % 60, rest % 60);
}

char *time_packed_time(char *to, int64_t packed, unsigned fsp)
{
    uint64_t v = (uint64_t)packed;
    uint64_t hms;

    if (packed < 0) {
        *to++ = '-';
        v = 0 - v;
    }
    hms = v >> 24;
    to = clock_text(to, hms >> 12 & 0x3ff, hms >> 6 & 63, hms & 63);
    return time_fraction(to, (uint32_t)(v & 0xffffff) % 1000000, fsp);
}

char *time_packed_date(char *to, int64_t packed)
{
    const uint64_t ymd = (uint64_t)packed >> 24 >> 17;
    const uint64_t ym = ymd >> 5;

    return date_text(to, ym / 13, ym % 13, ymd & 31);
}

char *time_packed_datetime(char *to, int64_t packed, unsigned fsp)
{
    const uint64_t hms = (uint64_t)packed >> 24 & 0x1ffff;

    to = time_packed_date(to, packed);
    *to++ = ' ';
    to = clock_text(to, hms >> 12, hms >> 6 & 63, hms & 63);
    return time_fraction(to, (uint32_t)((uint64_t)packed & 0xffffff) % 1000000, fsp);
}

char *time_date(char *to, uint32_t v)
{
    return date_text(to, v >> 9, v >> 5 & 15, v & 31);
}

char *time_old_time(char *to, int32_t v)
{
    uint32_t n = (uint32_t)v;

    if (v < 0) {
        *to++ = '-';
        n = 0 - n;
    }
    return clock_text(to, n / 10000, n / 100 % 100, n % 100);
}

char *time_old_datetime(char *to, uint64_t v)
{
    const uint64_t date = v / 1000000 % 100000000; /* what is above is not a date */
    const uint64_t time = v % 1000000;

    to = date_text(to, date / 10000, date / 100 % 100, date % 100);
    *to++ = ' ';
    return clock_text(to, time / 10000, time / 100 % 100, time % 100);
}
