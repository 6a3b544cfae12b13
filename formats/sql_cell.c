/* One value of a VALUES list: the literals that ferry, Dumpling, mydumper and mysqldump write.
 * Anything that a server would have to compute is refused, except for what only names a character
 * set that needs no conversion. */
#include "formats/decoder_driver.h"

#define SQL_WORD_MAX 32 /* bytes of the longest keyword that is looked for, and more */

static const struct scan_set sql_single_stops = {'\'', '\\', '\\', '\\', '\\', '\\'};
static const struct scan_set sql_double_stops = {'"', '\\', '\\', '\\', '\\', '\\'};

/* Behind the word at `p`. */
static const char *sql_word_end(const struct decoder *d, const char *p)
{
    while (p < d->end && decoder_word_byte(*p))
        p++;
    return p;
}

static inline bool sql_is_letter(char c, char lower)
{
    return c == lower || c == lower - ('a' - 'A');
}

static const char *sql_more(enum scan_status *status)
{
    *status = SCAN_STATUS_MORE;
    return NULL;
}

static void sql_cell_set(struct decoder *d, unsigned cell, const char *start, const char *end)
{
    d->cell[cell] = start;
    d->len[cell] = (unsigned long)(end - start);
}

/* The first byte of the set, or something at or behind d->end. */
SCAN_INLINE const char *sql_find_stop(const struct decoder *d, const char *p, struct scan_set s)
{
    uint64_t hits = scan_any(p, s);

    while (!hits && p < d->end) {
        p += SCAN_STEP;
        if (p < d->end)
            hits = scan_any(p, s);
    }
    return hits ? p + scan_index(hits) : p;
}

/* `p` is behind the opening quote; gives what is behind the closing one. */
SCAN_INLINE const char *sql_string(struct decoder *d, const char *p, unsigned cell,
                                   struct scan_set s, enum scan_status *status)
{
    const char quote = s.a;
    const char *start = p;
    bool escaped = false;

    for (; p < d->end; p += 2) { /* 2: a backslash and its byte, or two quotes */
        p = sql_find_stop(d, p, s);
        if (p + 1 >= d->end) /* at a quote: a second one may follow */
            break;
        if (*p == quote && p[1] != quote) {
            sql_cell_set(d, cell, start, p);
            if (escaped)
                decoder_todo(d, cell, quote == '"' ? WORK_ESCAPED_DOUBLE : WORK_ESCAPED);
            return p + 1;
        }
        escaped = true;
    }
    d->inside = "a string of a row";
    return sql_more(status);
}

static const char *sql_double_string(struct decoder *d, const char *p, unsigned cell,
                                     enum scan_status *status)
{
    return sql_string(d, p, cell, sql_double_stops, status);
}

/* x'..', b'..', 0x.. and 0b..; the digits are looked at in sql_cells_finish. */
static const char *sql_digits(struct decoder *d, const char *p, unsigned cell,
                              enum scan_status *status, struct err *err)
{
    const bool quoted = p[1] == '\'';
    const bool hex = sql_is_letter(p[!quoted], 'x');
    const char *end;

    p += 2;
    if (quoted)
        end = memchr(p, '\'', (size_t)(d->end - p));
    else
        end = sql_word_end(d, p);
    if (!end || end == d->end)
        return sql_more(status);
    sql_cell_set(d, cell, p, end);
    if (quoted && hex && (end - p) % 2 != 0) {
        *status = decoder_bad(d, p, err, "an odd number of hex digits as cell %u", cell + 1);
        return NULL;
    }
    decoder_todo(d, cell, hex ? WORK_HEX : WORK_BITS);
    return end + quoted;
}

static const char *sql_plain_number(struct decoder *d, const char *p, unsigned cell,
                                    enum scan_status *status, struct err *err)
{
    struct scan_number n;
    const bool number = scan_number(p, d->end, &n);

    if (n.end == d->end)
        return sql_more(status);
    if (!number) {
        *status = decoder_bad(d, p, err, "expected a number as cell %u", cell + 1);
        return NULL;
    }
    sql_cell_set(d, cell, p, n.end);
    if (d->shape.forms[cell] == CELL_BIT)
        decoder_todo(d, cell, WORK_BIT_NUMBER);
    return n.end;
}

/* Literals in digits: hex, bits, numbers. */
static const char *sql_digit_literal(struct decoder *d, const char *p, unsigned cell,
                                     enum scan_status *status, struct err *err)
{
    const bool zero = p[0] == '0';
    const bool quoted = p[1] == '\'' && !zero;
    const char letter = p[!quoted];

    if (!(quoted || zero) || !(sql_is_letter(letter, 'x') || sql_is_letter(letter, 'b')))
        return sql_plain_number(d, p, cell, status, err);
    if (d->shape.forms[cell] == CELL_NUMBER) {
        *status = decoder_bad(d, p, err, "expected a number as cell %u, not hex digits or bits",
                              cell + 1);
        return NULL;
    }
    return sql_digits(d, p, cell, status, err);
}

static bool sql_charset_is_utf8(const char *name, size_t len)
{
    static const char *const names[] = {"utf8mb4", "binary", "utf8", "utf8mb3", "ascii"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (decoder_name_equal(names[i], name, len))
            return true;
    return false;
}

/* Over white space to a byte; NULL: more, or the wrong one. */
static const char *sql_expect(struct decoder *d, const char *p, const char *what,
                              enum scan_status *status, struct err *err)
{
    p = sql_space_skip(d, p);
    if (!p || p == d->end)
        return sql_more(status);
    if (*what && *p != *what) {
        *status = decoder_bad(d, p, err, "expected '%s'", what);
        return NULL;
    }
    return p + (*what != '\0');
}

/* A literal that has no word in front of it, white space before it. */
static const char *sql_literal(struct decoder *d, const char *p, unsigned cell,
                               enum scan_status *status, struct err *err)
{
    p = sql_expect(d, p, "", status, err);
    if (!p)
        return NULL;
    if (*p == '"')
        return sql_double_string(d, p + 1, cell, status);
    if (*p == '\'')
        return sql_string(d, p + 1, cell, sql_single_stops, status);
    if (p + 1 == d->end)
        return sql_more(status);
    if (*p == '0' || p[1] == '\'')
        return sql_digit_literal(d, p, cell, status, err);
    *status = decoder_bad(d, p, err, "expected a string as cell %u", cell + 1);
    return NULL;
}

/* A character set's name that needs no conversion; gives what is behind it. */
static const char *sql_charset(struct decoder *d, const char *p, enum scan_status *status,
                               struct err *err)
{
    const char *end = sql_word_end(d, p);

    if (end == d->end)
        return sql_more(status);
    if (sql_charset_is_utf8(p, (size_t)(end - p)))
        return end;
    *status = decoder_bad(d, p, err, "only text in UTF-8 and bytes can be read");
    return NULL;
}

/* ('..' USING utf8mb4) */
static const char *sql_convert(struct decoder *d, const char *p, unsigned cell,
                               enum scan_status *status, struct err *err)
{
    const char *end;

    p = sql_expect(d, p, "(", status, err);
    if (p)
        p = sql_literal(d, p, cell, status, err);
    if (p)
        p = sql_expect(d, p, "", status, err);
    if (!p)
        return NULL;
    end = sql_word_end(d, p);
    if (end == d->end)
        return sql_more(status);
    if (!decoder_name_equal("using", p, (size_t)(end - p))) {
        *status = decoder_bad(d, p, err, "expected USING");
        return NULL;
    }
    p = sql_expect(d, end, "", status, err);
    if (p)
        p = sql_charset(d, p, status, err);
    return p ? sql_expect(d, p, ")", status, err) : NULL;
}

/* NULL, TRUE, FALSE, CONVERT(..), _charset'..' */
static const char *sql_word(struct decoder *d, const char *p, unsigned cell,
                            enum scan_status *status, struct err *err)
{
    const char *end = sql_word_end(d, p);
    const size_t len = (size_t)(end - p);
    const bool bit = d->shape.forms[cell] == CELL_BIT;

    if (end == d->end && len <= SQL_WORD_MAX)
        return sql_more(status);
    if (decoder_name_equal("null", p, len)) {
        d->cell[cell] = NULL;
        d->len[cell] = 0;
        return end;
    }
    if (decoder_name_equal("true", p, len) || decoder_name_equal("false", p, len)) {
        const bool truth = len == 4;

        d->cell[cell] = bit ? (truth ? "\1" : "\0") : (truth ? "1" : "0");
        d->len[cell] = 1;
        return end;
    }
    if (decoder_name_equal("convert", p, len))
        return sql_convert(d, end, cell, status, err);
    if (*p == '_') {
        end = sql_charset(d, p + 1, status, err);
        return end ? sql_literal(d, end, cell, status, err) : NULL;
    }
    if (len <= 1 && *end == '\'')
        return sql_digit_literal(d, p, cell, status, err);
    *status = decoder_bad(d, p, err, "expected a value as cell %u", cell + 1);
    return NULL;
}

/* Everything that is rare. */
static const char *sql_other(struct decoder *d, const char *p, unsigned cell,
                             enum scan_status *status, struct err *err)
{
    p = sql_expect(d, p, "", status, err);
    if (!p)
        return NULL;
    if (*p == '"' || *p == '\'')
        return sql_literal(d, p, cell, status, err);
    if (*p == '-' || *p == '+' || *p == '.' || (*p >= '0' && *p <= '9')) {
        if (p + 1 == d->end)
            return sql_more(status);
        return sql_digit_literal(d, p, cell, status, err);
    }
    if (decoder_word_byte(*p))
        return sql_word(d, p, cell, status, err);
    *status = decoder_bad(d, p, err, "expected a value as cell %u", cell + 1);
    return NULL;
}

const char *sql_cell_scan(struct decoder *d, const char *p, unsigned cell, enum scan_status *status,
                          struct err *err)
{
    const char *digits = p + (*p == '-');
    uint64_t hits;

    if (*p == '\'')
        return sql_string(d, p + 1, cell, sql_single_stops, status);
    hits = scan_nondigits(digits);
    if (hits) {
        const char *end = digits + scan_index(hits);

        if (end > digits && (*end == ',' || *end == ')') && d->shape.forms[cell] != CELL_BIT) {
            sql_cell_set(d, cell, p, end);
            return end;
        }
    }
    if (p[0] == 'x' && p[1] == '\'' && d->shape.forms[cell] != CELL_NUMBER)
        return sql_digits(d, p, cell, status, err);
    if (memcmp(p, "NULL", 4) == 0 && (p[4] == ',' || p[4] == ')')) {
        d->cell[cell] = NULL;
        d->len[cell] = 0;
        return p + 4;
    }
    return sql_other(d, p, cell, status, err);
}

/* ---- from literals to values, in place ---- */

/* Above 15 for what is no hex digit. Without branches, which would be guessed wrongly. */
static inline unsigned sql_hex_value(char c)
{
    static const unsigned char values[256] = {
        ['0'] = 17, ['1'] = 18, ['2'] = 19, ['3'] = 20, ['4'] = 21, ['5'] = 22,
        ['6'] = 23, ['7'] = 24, ['8'] = 25, ['9'] = 26, ['a'] = 27, ['b'] = 28,
        ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32, ['A'] = 27, ['B'] = 28,
        ['C'] = 29, ['D'] = 30, ['E'] = 31, ['F'] = 32,
    };

    return (unsigned)values[(unsigned char)c] - 17; /* a zero of the table: far above 15 */
}

/* The first byte that is no digit, or NULL. Writes bytes from `text` on. */
static const char *sql_hex_decode(char *text, unsigned long *len)
{
    const char *from = text;
    const char *end = text + *len;
    char *to = text;

    if (*len % 2 != 0) { /* 0xabc is 0a bc */
        const unsigned lo = sql_hex_value(*from);

        if (lo > 15)
            return from;
        *to++ = (char)lo;
        from++;
    }
    for (; from < end; from += 2) {
        const unsigned hi = sql_hex_value(from[0]);
        const unsigned lo = sql_hex_value(from[1]);

        if ((hi | lo) > 15)
            return hi > 15 ? from : from + 1;
        *to++ = (char)(unsigned char)(hi << 4 | lo);
    }
    *len = (unsigned long)(to - text);
    return NULL;
}

static const char *sql_bits_decode(char *text, unsigned long *len)
{
    const char *from = text;
    const char *end = text + *len;
    unsigned left = (unsigned)((8 - *len % 8) % 8); /* zero bits in front */
    unsigned bits = 0;
    char *to = text;

    for (; from < end; from++) {
        if (*from != '0' && *from != '1')
            return from;
        bits = bits << 1 | (unsigned)(*from - '0');
        if (++left == 8) {
            *to++ = (char)(unsigned char)bits;
            left = 0;
            bits = 0;
        }
    }
    *len = (unsigned long)(to - text);
    return NULL;
}

/* A decimal number as big-endian bytes, without zero bytes in front but one at least: as many
 * as the number has digits, or fewer. */
static const char *sql_bit_number_decode(char *text, unsigned long *len)
{
    const char *end = text + *len;
    uint64_t value = 0;
    size_t bytes = 1;

    for (const char *p = text; p < end; p++) {
        const unsigned digit = (unsigned char)*p - (unsigned)'0';

        if (digit > 9 || value > (UINT64_MAX - digit) / 10)
            return p;
        value = value * 10 + digit;
    }
    while (bytes < 8 && value >> (8 * bytes) != 0)
        bytes++;
    bytes_put_be(text, value, bytes);
    *len = bytes;
    return NULL;
}

enum err_code sql_cells_finish(struct decoder *d, struct err *err)
{
    for (unsigned i = 0; i < d->todo_count; i++) {
        const unsigned cell = d->todo[i].cell;
        const enum cell_work work = d->todo[i].work;
        char *text = d->todo[i].text;
        unsigned long *len = &d->len[cell];
        const char *wrong = NULL;

        switch (work) {
        case WORK_ESCAPED:
            *len = (unsigned long)(scan_unescape(text, text, text + *len, '\'', true) - text);
            break;
        case WORK_ESCAPED_DOUBLE:
            *len = (unsigned long)(scan_unescape(text, text, text + *len, '"', true) - text);
            break;
        case WORK_HEX:
            wrong = sql_hex_decode(text, len);
            break;
        case WORK_BITS:
            wrong = sql_bits_decode(text, len);
            break;
        case WORK_BIT_NUMBER:
        default:
            wrong = sql_bit_number_decode(text, len);
            break;
        }
        if (wrong) {
            (void)decoder_bad(d, wrong, err, "cell %u is not a number of hex digits, bits or a BIT",
                              cell + 1);
            return err->code;
        }
    }
    return ERR_OK;
}
