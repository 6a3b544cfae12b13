/* formats/scan.h: looks at and copies many bytes a step: the inner loops of encoder and decoder.
 *
 * A step is SCAN_STEP bytes: one SSE2 register, or a 64-bit word on other machines (and with
 * -DSCAN_PORTABLE, for tests). Cells are short, so wider registers gain nothing: what counts is
 * that a cell below one step costs no loop either. `hits` has one bit a byte of the step, the first
 * byte lowest; scan_index gives the first hit's place and hits &= hits - 1 drops it. */
#ifndef FERRY_FORMATS_SCAN_H
#define FERRY_FORMATS_SCAN_H

#include "common/base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined __SSE2__ && !defined SCAN_PORTABLE
#define SCAN_SSE2 1
#include <emmintrin.h>
#define SCAN_STEP ((size_t)16)
#else
#define SCAN_SSE2 0
#define SCAN_STEP ((size_t)8)
#endif

#define SCAN_INLINE static inline __attribute__((always_inline))

/* Up to six bytes to stop at; unused ones repeat another. A constant, so that it folds away. */
struct scan_set {
    char a, b, c, d, e, f;
};

SCAN_INLINE uint64_t scan_load8(const char *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof v);
    return v;
}
SCAN_INLINE uint32_t scan_load4(const char *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

#if SCAN_SSE2

SCAN_INLINE uint64_t scan_hits(__m128i v, struct scan_set s)
{
    __m128i m = _mm_cmpeq_epi8(v, _mm_set1_epi8(s.a));

    m = _mm_or_si128(m, _mm_cmpeq_epi8(v, _mm_set1_epi8(s.b)));
    m = _mm_or_si128(m, _mm_cmpeq_epi8(v, _mm_set1_epi8(s.c)));
    m = _mm_or_si128(m, _mm_cmpeq_epi8(v, _mm_set1_epi8(s.d)));
    m = _mm_or_si128(m, _mm_cmpeq_epi8(v, _mm_set1_epi8(s.e)));
    m = _mm_or_si128(m, _mm_cmpeq_epi8(v, _mm_set1_epi8(s.f)));
    return (unsigned)_mm_movemask_epi8(m);
}
SCAN_INLINE __m128i scan_load(const char *p)
{
    __m128i v;

    memcpy(&v, p, sizeof v);
    return v;
}
/* Where the SCAN_STEP bytes at `p` are in the set. */
SCAN_INLINE uint64_t scan_any(const char *p, struct scan_set s)
{
    return scan_hits(scan_load(p), s);
}
/* The same for two words of 8 bytes. */
SCAN_INLINE uint64_t scan_any_pair8(uint64_t x, uint64_t y, struct scan_set s)
{
    return scan_hits(_mm_set_epi64x((long long)y, (long long)x), s);
}
SCAN_INLINE uint64_t scan_any_word(uint64_t x, struct scan_set s)
{
    return scan_hits(_mm_set_epi64x(0, (long long)x), s) & 0xff;
}
/* Where the SCAN_STEP bytes at `p` are no digits. */
SCAN_INLINE uint64_t scan_nondigits(const char *p)
{
    const __m128i v = _mm_sub_epi8(scan_load(p), _mm_set1_epi8('0'));
    const __m128i digits = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(9)), v);

    return (unsigned)_mm_movemask_epi8(digits) ^ 0xffffU;
}
SCAN_INLINE size_t scan_index(uint64_t hits)
{
    return (size_t)__builtin_ctzll(hits);
}

#else /* 64-bit words */

#define SCAN_ONES UINT64_C(0x0101010101010101)
#define SCAN_LOW7 UINT64_C(0x7f7f7f7f7f7f7f7f)

/* 0x80 in each byte of `v` that is zero; exact, so that bytes may be counted. */
SCAN_INLINE uint64_t scan_zeros(uint64_t v)
{
    return ~(((v & SCAN_LOW7) + SCAN_LOW7) | v | SCAN_LOW7);
}
SCAN_INLINE uint64_t scan_equal(uint64_t v, char c)
{
    return scan_zeros(v ^ SCAN_ONES * (unsigned char)c);
}
SCAN_INLINE uint64_t scan_any_word(uint64_t v, struct scan_set s)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    return scan_equal(v, s.a) | scan_equal(v, s.b) | scan_equal(v, s.c) | scan_equal(v, s.d) |
           scan_equal(v, s.e) | scan_equal(v, s.f);
}
SCAN_INLINE uint64_t scan_any(const char *p, struct scan_set s)
{
    return scan_any_word(scan_load8(p), s);
}
SCAN_INLINE uint64_t scan_nondigits(const char *p)
{
    uint64_t hits = 0;

    for (size_t i = 0; i < SCAN_STEP; i++)
        hits |= (uint64_t)(p[i] < '0' || p[i] > '9') << (8 * i + 7);
    return hits;
}
SCAN_INLINE size_t scan_index(uint64_t hits)
{
    return (size_t)__builtin_ctzll(hits) / 8;
}

#endif

SCAN_INLINE void scan_copy_step(char *to, const char *from)
{
    char step[SCAN_STEP]; /* one register: the two may overlap */

    memcpy(step, from, SCAN_STEP);
    memcpy(to, step, SCAN_STEP);
}

/* Copies exactly `len` bytes, up to SCAN_STEP; the two may overlap. */
SCAN_INLINE void scan_copy_short(char *to, const char *from, size_t len)
{
    if (len >= 8) {
        const uint64_t x = scan_load8(from);
        const uint64_t y = scan_load8(from + len - 8);

        memcpy(to, &x, 8);
        memcpy(to + len - 8, &y, 8);
    } else if (len >= 4) {
        const uint32_t x = scan_load4(from);
        const uint32_t y = scan_load4(from + len - 4);

        memcpy(to, &x, 4);
        memcpy(to + len - 4, &y, 4);
    } else if (len > 0) {
        const char x = from[0];
        const char y = from[len / 2];
        const char z = from[len - 1];

        to[0] = x;
        to[len / 2] = y;
        to[len - 1] = z;
    }
}

/* ---- escaping ---- */

/* Bytes of slack that scan_escape and scan_hex may write beyond what they return. */
#define SCAN_SLACK SCAN_STEP

/* letters[c]: what follows the backslash for byte c; 0: c stands for itself. */
SCAN_INLINE char *scan_escape_bytes(char *to, const char *from, size_t len, const char *letters)
{
    for (; len > 0; len--) {
        char c = *from++;
        const char letter = letters[(unsigned char)c];

        *to = '\\'; /* overwritten where nothing is to be escaped: no branch to guess */
        to += letter != 0;
        if (letter)
            c = letter;
        *to++ = c;
    }
    return to;
}

/* Below SCAN_STEP bytes: two overlapping loads see them all. */
SCAN_INLINE char *scan_escape_short(char *to, const char *from, size_t len, struct scan_set s,
                                    const char *letters)
{
#if SCAN_SSE2
    if (len >= 8) {
        const uint64_t x = scan_load8(from);
        const uint64_t y = scan_load8(from + len - 8);

        if (scan_any_pair8(x, y, s))
            return scan_escape_bytes(to, from, len, letters);
        memcpy(to, &x, 8);
        memcpy(to + len - 8, &y, 8);
        return to + len;
    }
#endif
    if (len >= 4) {
        const uint64_t x = scan_load4(from);
        const uint64_t y = scan_load4(from + len - 4);

        if (scan_any_word(x | y << 32, s))
            return scan_escape_bytes(to, from, len, letters);
        scan_copy_short(to, from, len);
        return to + len;
    }
    return scan_escape_bytes(to, from, len, letters);
}

/* Writes `len` bytes with those of the set escaped; `to` has room for 2 * len + SCAN_SLACK.
 * Returns the end of what was written. */
SCAN_INLINE char *scan_escape(char *to, const char *from, size_t len, struct scan_set s,
                              const char *letters)
{
    while (len >= SCAN_STEP) {
        const uint64_t hits = scan_any(from, s);
        size_t n;

        scan_copy_step(to, from);
        if (!hits) {
            to += SCAN_STEP;
            from += SCAN_STEP;
            len -= SCAN_STEP;
            continue;
        }
        n = scan_index(hits);
        to += n;
        *to++ = '\\';
        *to++ = letters[(unsigned char)from[n]];
        from += n + 1;
        len -= n + 1;
    }
    return scan_escape_short(to, from, len, s, letters);
}

/* How many of `len` bytes are in the set. */
SCAN_INLINE size_t scan_count(const char *from, size_t len, struct scan_set s, const char *letters)
{
    size_t count = 0;

    for (; len >= SCAN_STEP; from += SCAN_STEP, len -= SCAN_STEP)
        count += (size_t)__builtin_popcountll(scan_any(from, s));
    for (; len > 0; from++, len--)
        count += letters[(unsigned char)*from] != 0;
    return count;
}

/* ---- hex ---- */

/* Writes 2 * len digits; returns their end. */
SCAN_INLINE char *scan_hex(char *to, const char *from, size_t len)
{
#if SCAN_SSE2
    const __m128i low = _mm_set1_epi8(15);

    for (; len >= 16; from += 16, to += 32, len -= 16) {
        const __m128i v = scan_load(from);
        const __m128i hi = _mm_and_si128(_mm_srli_epi16(v, 4), low);
        const __m128i lo = _mm_and_si128(v, low);
        __m128i pair[2] = {_mm_unpacklo_epi8(hi, lo), _mm_unpackhi_epi8(hi, lo)};

        for (int i = 0; i < 2; i++) {
            const __m128i letter = _mm_cmpgt_epi8(pair[i], _mm_set1_epi8(9));
            const __m128i base = _mm_add_epi8(pair[i], _mm_set1_epi8('0'));

            pair[i] = _mm_add_epi8(base, _mm_and_si128(letter, _mm_set1_epi8('a' - '0' - 10)));
        }
        memcpy(to, pair, 32);
    }
#endif
    return bytes_to_hex(to, from, len);
}

/* ---- unescaping ---- */

/* What backslash and `c` stand for, in SQL and in CSV. */
SCAN_INLINE char scan_unescaped(char c)
{
    switch (c) {
    case '0':
        return '\0';
    case 'b':
        return '\b';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'Z':
        return '\x1a';
    default:
        return c;
    }
}

/* Takes the backslashes out of [from, end), and one of two quotes, in place or downwards.
 * With `wild`, \% and \_ keep their backslash, as MySQL's own string literals have it. SCAN_STEP
 * bytes behind `end` must be readable, and a backslash or a quote may not be the last byte. Returns
 * the end of what was written. */
SCAN_INLINE char *scan_unescape(char *to, const char *from, const char *end, char quote, bool wild)
{
    const struct scan_set s = {'\\', quote, quote, quote, quote, quote};

    while (from < end) {
        const uint64_t hits = scan_any(from, s);
        size_t n = hits ? scan_index(hits) : SCAN_STEP;

        if (n > (size_t)(end - from))
            n = (size_t)(end - from);
        if (n == SCAN_STEP) { /* clobbers only what was read */
            scan_copy_step(to, from);
            to += SCAN_STEP;
            from += SCAN_STEP;
            continue;
        }
        scan_copy_short(to, from, n);
        to += n;
        from += n;
        if (from >= end)
            break;
        if (*from == quote)
            *to++ = quote;
        else if (wild && (from[1] == '%' || from[1] == '_')) {
            *to++ = '\\';
            *to++ = from[1];
        } else
            *to++ = scan_unescaped(from[1]);
        from += 2;
    }
    return to;
}

/* ---- numbers ---- */

struct scan_number_bytes { /* bit i: byte i of the number */
    uint64_t points;
    uint64_t others; /* no digits: points too */
};

SCAN_INLINE struct scan_number_bytes scan_number_bytes_slow(const char *p, size_t len)
{
    struct scan_number_bytes b = {0, 0};

    for (size_t i = 0; i < len; i++) {
        b.points |= (uint64_t)(p[i] == '.') << i;
        b.others |= (uint64_t)(p[i] < '0' || p[i] > '9') << i;
    }
    return b;
}

#if SCAN_SSE2
/* Two overlapping halves of `half` bytes each stand behind each other in the register: puts their
 * bits back to where they belong. */
SCAN_INLINE uint64_t scan_unfold(__m128i v, size_t half, size_t len)
{
    const uint64_t bits = (unsigned)_mm_movemask_epi8(v);
    const uint64_t mask = (UINT64_C(1) << half) - 1;

    return (bits & mask) | (bits >> half & mask) << (len - half);
}
#endif

/* `len` up to SCAN_STEP. */
SCAN_INLINE struct scan_number_bytes scan_number_bytes(const char *p, size_t len)
{
#if SCAN_SSE2
    if (len >= 4) {
        const size_t half = len >= 8 ? 8 : 4;
        const __m128i v =
            half == 8 ? _mm_set_epi64x((long long)scan_load8(p + len - 8), (long long)scan_load8(p))
                      : _mm_set_epi64x(0, (long long)(scan_load4(p) |
                                                      (uint64_t)scan_load4(p + len - 4) << 32));
        const __m128i value = _mm_sub_epi8(v, _mm_set1_epi8('0'));
        const __m128i other =
            _mm_cmpgt_epi8(_mm_xor_si128(value, _mm_set1_epi8(-128)), _mm_set1_epi8(9 - 128));

        return (struct scan_number_bytes){
            .points = scan_unfold(_mm_cmpeq_epi8(v, _mm_set1_epi8('.')), half, len),
            .others = scan_unfold(other, half, len),
        };
    }
#endif
    return scan_number_bytes_slow(p, len);
}

struct scan_number {
    const char *end;   /* behind the number */
    unsigned digits;   /* before the exponent */
    unsigned fraction; /* digits behind the point */
    bool exponent;
    bool zero; /* no digit but 0 before the exponent */
};

SCAN_INLINE const char *scan_digits(const char *p, const char *end, bool *zero)
{
    for (; p < end && *p >= '0' && *p <= '9'; p++)
        *zero &= *p == '0';
    return p;
}

/* The number literal that begins at `p`: sign, digits with a point, exponent. False: there is none,
 * or its exponent lacks digits. */
static inline bool scan_number(const char *p, const char *end, struct scan_number *n)
{
    const char *start;
    bool ignored = false;

    *n = (struct scan_number){.zero = true};
    if (p < end && (*p == '-' || *p == '+'))
        p++;
    start = p;
    p = scan_digits(p, end, &n->zero);
    n->digits = (unsigned)(p - start);
    if (p < end && *p == '.') {
        start = ++p;
        p = scan_digits(p, end, &n->zero);
        n->fraction = (unsigned)(p - start);
        n->digits += n->fraction;
    }
    n->end = p;
    if (n->digits == 0)
        return false;
    if (p == end || (*p != 'e' && *p != 'E'))
        return true;
    p++;
    if (p < end && (*p == '-' || *p == '+'))
        p++;
    start = p;
    n->end = scan_digits(p, end, &ignored);
    n->exponent = true;
    return n->end > start;
}

#endif
