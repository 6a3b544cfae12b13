#include "common/mysql/charset_map.h"

#include "common/base/bytes.h"
#include "common/base/mem.h"

#include <stdlib.h>
#include <strings.h>

enum map_kind { MAP_PLAIN, MAP_UCS2, MAP_UTF16, MAP_UTF16LE, MAP_UTF32, MAP_TREE };

/* One character's UTF-8; len 0: no character ends here. */
struct map_text {
    char bytes[4];
    uint8_t len;
};
/* What a byte means behind those before it. */
struct map_node {
    struct map_text text[256];
    struct map_node *next[256]; /* NULL: no longer sequence */
};
struct charset_map {
    struct charset_map *sibling;
    char *name;
    enum map_kind kind;
    bool ascii;   /* bytes below 0x80 are themselves */
    bool several; /* characters may have more than one byte */
    bool four;    /* gb18030: the supplementary planes are a formula */
    struct map_node *root;
};
struct charset_maps {
    struct conn *conn;
    struct charset_map *first;
};

/* Bytes of multi-byte sequences by place; 0, 0: no such place. */
struct map_range {
    const char *charset;
    uint8_t from[4], to[4];
};
static const struct map_range ranges[] = {
    {"big5", {0x81, 0x40}, {0xfe, 0xfe}},
    {"cp932", {0x81, 0x40}, {0xfc, 0xfc}},
    {"sjis", {0x81, 0x40}, {0xfc, 0xfc}},
    {"gbk", {0x81, 0x40}, {0xfe, 0xfe}},
    {"gb2312", {0xa1, 0xa1}, {0xf7, 0xfe}},
    {"euckr", {0x81, 0x41}, {0xfe, 0xfe}},
    {"ujis", {0x8e, 0xa1}, {0x8e, 0xfe}},
    {"ujis", {0xa1, 0xa1}, {0xfe, 0xfe}},
    {"ujis", {0x8f, 0xa1, 0xa1}, {0x8f, 0xfe, 0xfe}},
    {"eucjpms", {0x8e, 0xa1}, {0x8e, 0xfe}},
    {"eucjpms", {0xa1, 0xa1}, {0xfe, 0xfe}},
    {"eucjpms", {0x8f, 0xa1, 0xa1}, {0x8f, 0xfe, 0xfe}},
    {"gb18030", {0x81, 0x40}, {0xfe, 0xfe}},
    {"gb18030", {0x81, 0x30, 0x81, 0x30}, {0x84, 0x39, 0xfe, 0x39}},
};
#define RANGES (sizeof(ranges) / sizeof(ranges[0]))
#define GB18030_PLANES 0x90 /* first byte of U+10000 and above */

struct charset_maps *charset_maps_new(struct conn *c)
{
    struct charset_maps *maps = xcalloc(1, sizeof(*maps));

    maps->conn = c;
    return maps;
}

void charset_maps_ask(struct charset_maps *maps, struct conn *c)
{
    maps->conn = c;
}

static void node_free(struct map_node *n)
{
    if (!n)
        return;
    for (int a = 0; a < 256; a++) {
        struct map_node *second = n->next[a];

        for (int b = 0; second && b < 256; b++) {
            struct map_node *third = second->next[b];

            for (int c = 0; third && c < 256; c++)
                free(third->next[c]);
            free(third);
        }
        free(second);
    }
    free(n);
}

static void map_free(struct charset_map *map)
{
    node_free(map->root);
    free(map->name);
    free(map);
}

void charset_maps_free(struct charset_maps *maps)
{
    if (!maps)
        return;
    while (maps->first) {
        struct charset_map *map = maps->first;

        maps->first = map->sibling;
        map_free(map);
    }
    free(maps);
}

static bool map_known(const char *charset, enum map_kind *kind)
{
    static const struct {
        const char *name;
        enum map_kind kind;
    } known[] = {
        {"utf8mb4", MAP_PLAIN}, {"utf8mb3", MAP_PLAIN},   {"utf8", MAP_PLAIN},
        {"ascii", MAP_PLAIN},   {"binary", MAP_PLAIN},    {"ucs2", MAP_UCS2},
        {"utf16", MAP_UTF16},   {"utf16le", MAP_UTF16LE}, {"utf32", MAP_UTF32},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcasecmp(charset, known[i].name) == 0) {
            *kind = known[i].kind;
            return true;
        }
    return false;
}

/* A sequence of `len` bytes, and what the server makes of it. */
static void map_put(struct charset_map *map, const uint8_t *seq, unsigned len, const char *text,
                    size_t text_len)
{
    struct map_node *n = map->root;
    struct map_text *to;

    for (unsigned i = 0; i + 1 < len; i++) {
        if (!n->next[seq[i]])
            n->next[seq[i]] = xcalloc(1, sizeof(*n));
        n = n->next[seq[i]];
    }
    to = &n->text[seq[len - 1]];
    memcpy(to->bytes, text, text_len);
    to->len = (uint8_t)text_len;
}

/* MySQL answers NULL to bytes that are no text of the set, MariaDB '?' for each of them. */
static bool map_is_character(const struct charset_map *map, const uint8_t *seq, unsigned len,
                             const char *text, size_t text_len)
{
    const uint8_t first = text_len ? (uint8_t)*text : 0;
    const size_t one = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

    if (text_len != one) /* none; or two: a sequence of one byte and another */
        return false;
    return len > 1 || !map->several || *text != '?' || *seq == '?';
}

/* Asks for the sequences prefix+[from, to]: NULL for what is no character of the set. */
static enum err_code map_ask(struct charset_map *map, struct conn *c, uint8_t *seq, unsigned len,
                             const uint8_t range[2], struct err *err)
{
    struct strbuf sql = {0};
    struct result *r = NULL;
    struct row row;
    bool more = false;
    enum err_code rc;

    strbuf_addstr(&sql, "SELECT ");
    for (unsigned b = range[0]; b <= range[1]; b++) {
        seq[len - 1] = (uint8_t)b;
        strbuf_addstr(&sql, b > range[0] ? ",CONVERT(CONVERT(" : "CONVERT(CONVERT(");
        strbuf_addstr(&sql, "x'");
        for (unsigned i = 0; i < len; i++)
            strbuf_addf(&sql, "%02x", seq[i]);
        strbuf_addf(&sql, "' USING %s) USING utf8mb4)", map->name);
    }
    rc = conn_query(c, sql.str, sql.len, false, &r, err);
    if (!rc)
        rc = result_next(r, &row, &more, err);
    if (!rc && (!more || row.count != range[1] - range[0] + 1U))
        rc = err_set(err, ERR_SERVER_UNSUPPORTED, "the server does not tell its character map");
    for (unsigned i = 0; !rc && i < row.count; i++) {
        seq[len - 1] = (uint8_t)(range[0] + i);
        if (row.cell[i] && map_is_character(map, seq, len, row.cell[i], row.len[i]))
            map_put(map, seq, len, row.cell[i], row.len[i]);
    }
    result_free(r);
    strbuf_release(&sql);
    return rc;
}

/* All sequences of a range: one question for each value of the bytes before the last. */
static enum err_code map_ask_range(struct charset_map *map, struct conn *c,
                                   const struct map_range *range, struct err *err)
{
    unsigned len = 0;
    uint8_t seq[4];
    enum err_code rc = ERR_OK;

    while (len < 4 && range->to[len])
        len++;
    memcpy(seq, range->from, sizeof(seq));
    while (!rc) {
        const uint8_t last[2] = {range->from[len - 1], range->to[len - 1]};
        unsigned at = len - 1;

        rc = map_ask(map, c, seq, len, last, err);
        while (at > 0 && seq[at - 1] == range->to[at - 1]) {
            seq[at - 1] = range->from[at - 1];
            at--;
        }
        if (at == 0)
            break;
        seq[at - 1]++;
    }
    return rc;
}

/* What follows from the name and the single bytes. */
static void map_settle(struct charset_map *map)
{
    map->four = strcasecmp(map->name, "gb18030") == 0;
    map->ascii = true;
    for (unsigned b = 0; b < 0x80; b++) {
        const struct map_text *t = &map->root->text[b];

        map->ascii = map->ascii && t->len == 1 && (uint8_t)t->bytes[0] == b;
    }
}

static enum err_code map_load(struct charset_map *map, struct conn *c, struct err *err)
{
    static const uint8_t bytes[2] = {0, 255};
    uint8_t seq[4] = {0};
    enum err_code rc;

    map->root = xcalloc(1, sizeof(*map->root));
    for (size_t i = 0; i < RANGES; i++)
        map->several = map->several || strcasecmp(ranges[i].charset, map->name) == 0;
    rc = map_ask(map, c, seq, 1, bytes, err);
    for (size_t i = 0; !rc && i < RANGES; i++)
        if (strcasecmp(ranges[i].charset, map->name) == 0)
            rc = map_ask_range(map, c, &ranges[i], err);
    map_settle(map);
    return rc ? err_wrap(err, "character map of '%s'", map->name) : ERR_OK;
}

enum err_code charset_maps_find(struct charset_maps *maps, const char *charset,
                                const struct charset_map **out, struct err *err)
{
    struct charset_map *map;
    enum map_kind kind = MAP_TREE;
    enum err_code rc = ERR_OK;

    for (map = maps->first; map; map = map->sibling)
        if (strcmp(map->name, charset) == 0) {
            *out = map;
            return ERR_OK;
        }
    for (const char *p = charset; *p; p++)
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789_", *p))
            return err_set(err, ERR_BINLOG_UNSUPPORTED, "unknown character set '%s'", charset);
    if (!map_known(charset, &kind) && !maps->conn)
        return err_set(err, ERR_BINLOG_UNSUPPORTED,
                       "no map of character set '%s' is at hand, and no server to ask", charset);
    map = xcalloc(1, sizeof(*map));
    map->name = xstrdup(charset);
    map->kind = kind;
    if (kind == MAP_TREE)
        rc = map_load(map, maps->conn, err);
    if (rc) {
        map_free(map);
        return rc;
    }
    map->sibling = maps->first;
    maps->first = map;
    *out = map;
    return ERR_OK;
}

/* The characters below a node, whose bytes so far are seq[0..len). */
static void node_text(const struct map_node *n, uint8_t seq[4], unsigned len, struct strbuf *out)
{
    for (unsigned b = 0; b < 256; b++) {
        const struct map_text *t = &n->text[b];

        seq[len] = (uint8_t)b;
        for (unsigned i = 0; t->len && i <= len; i++)
            strbuf_addf(out, "%02x", seq[i]);
        for (unsigned i = 0; i < t->len; i++)
            strbuf_addf(out, i ? "%02x" : " %02x", (uint8_t)t->bytes[i]);
        if (t->len)
            strbuf_addch(out, '\n');
    }
}

/* And those of three and four bytes behind the first two. */
static void node_text_behind(const struct map_node *third, uint8_t seq[4], struct strbuf *out)
{
    node_text(third, seq, 2, out);
    for (unsigned c = 0; c < 256; c++) {
        seq[2] = (uint8_t)c;
        if (third->next[c])
            node_text(third->next[c], seq, 3, out);
    }
}

void charset_map_text(const struct charset_map *map, struct strbuf *out)
{
    uint8_t seq[4] = {0};

    strbuf_addf(out, "charset %s\n", map->name);
    if (!map->root)
        return;
    node_text(map->root, seq, 0, out);
    for (unsigned a = 0; a < 256; a++) {
        const struct map_node *second = map->root->next[a];

        seq[0] = (uint8_t)a;
        if (second)
            node_text(second, seq, 1, out);
        for (unsigned b = 0; second && b < 256; b++) {
            seq[1] = (uint8_t)b;
            if (second->next[b])
                node_text_behind(second->next[b], seq, out);
        }
    }
}

static bool hex_read(const char *hex, size_t digits, uint8_t *out)
{
    for (size_t i = 0; i < digits; i += 2) {
        const int high = bytes_hex_value(hex[i]);
        const int low = bytes_hex_value(hex[i + 1]);

        if (high < 0 || low < 0)
            return false;
        *out++ = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* "8140 e38080": 1 to 4 bytes each. */
static bool map_line(struct charset_map *map, const char *line, size_t len)
{
    const char *blank = memchr(line, ' ', len);
    const size_t from = blank ? (size_t)(blank - line) : 0;
    const size_t to = blank ? len - from - 1 : 0;
    uint8_t seq[4];
    uint8_t text[4];

    if (from < 2 || from > 8 || from % 2 || to < 2 || to > 8 || to % 2)
        return false;
    if (!hex_read(line, from, seq) || !hex_read(blank + 1, to, text))
        return false;
    map_put(map, seq, (unsigned)from / 2, (const char *)text, to / 2);
    return true;
}

enum err_code charset_maps_add(struct charset_maps *maps, const char *text, size_t len,
                               struct err *err)
{
    static const char head[] = "charset ";
    const char *const end = text + len;
    const char *newline = memchr(text, '\n', len);
    struct charset_map *map;
    enum map_kind kind = MAP_TREE;
    enum err_code rc = ERR_OK;

    if (!newline || strncmp(text, head, sizeof(head) - 1) != 0)
        return err_set(err, ERR_CORRUPT, "no map of a character set");
    map = xcalloc(1, sizeof(*map));
    map->name = xstrndup(text + sizeof(head) - 1, (size_t)(newline - text) - (sizeof(head) - 1));
    map->kind = map_known(map->name, &kind) ? kind : MAP_TREE;
    map->root = map->kind == MAP_TREE ? xcalloc(1, sizeof(*map->root)) : NULL;
    for (const char *line = newline + 1; !rc && line < end; line = newline + 1) {
        newline = memchr(line, '\n', (size_t)(end - line));
        if (!newline || !map->root || !map_line(map, line, (size_t)(newline - line)))
            rc = err_set(err, ERR_CORRUPT, "the map of '%s' is cut or changed", map->name);
        if (rc)
            break;
    }
    if (rc) {
        map_free(map);
        return rc;
    }
    if (map->root)
        map_settle(map);
    map->sibling = maps->first;
    maps->first = map;
    return ERR_OK;
}

bool charset_map_is_plain(const struct charset_map *map)
{
    return map->kind == MAP_PLAIN;
}

/* At most four bytes. */
static char *put_utf8(char *to, uint32_t c)
{
    if (c < 0x80) {
        *to++ = (char)c;
    } else if (c < 0x800) {
        *to++ = (char)(0xc0 | c >> 6);
        *to++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *to++ = (char)(0xe0 | c >> 12);
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
        *to++ = (char)(0x80 | (c & 0x3f));
    } else {
        *to++ = (char)(0xf0 | c >> 18);
        *to++ = (char)(0x80 | (c >> 12 & 0x3f));
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
        *to++ = (char)(0x80 | (c & 0x3f));
    }
    return to;
}

/* One character of a set of Unicode; 0 bytes: there is none. */
static unsigned wide_next(enum map_kind kind, const uint8_t *in, size_t left, uint32_t *c)
{
    const bool le = kind == MAP_UTF16LE;
    uint32_t low;

    if (kind == MAP_UTF32) {
        if (left < 4)
            return 0;
        *c = bytes_be32(in);
        return *c <= 0x10ffff ? 4 : 0;
    }
    if (left < 2)
        return 0;
    *c = le ? bytes_le16(in) : bytes_be16(in);
    if (kind == MAP_UCS2 || (*c & 0xf800) != 0xd800)
        return 2;
    if (left < 4 || *c >= 0xdc00)
        return 0;
    low = le ? bytes_le16(in + 2) : bytes_be16(in + 2);
    if ((low & 0xfc00) != 0xdc00)
        return 0;
    *c = 0x10000 + ((*c & 0x3ff) << 10 | (low & 0x3ff));
    return 4;
}

/* One character of a mapped set. */
static unsigned tree_next(const struct charset_map *map, const uint8_t *in, size_t left, char **to)
{
    const struct map_node *n = map->root;

    if (map->four && left >= 4 && in[0] >= GB18030_PLANES && in[0] <= 0xe3 && in[1] >= 0x30 &&
        in[1] <= 0x39) {
        const uint32_t c =
            (((uint32_t)(in[0] - GB18030_PLANES) * 10 + in[1] - 0x30U) * 126 + in[2] - 0x81U) * 10 +
            in[3] - 0x30U + 0x10000U;

        *to = put_utf8(*to, c);
        return c <= 0x10ffff ? 4 : 0;
    }
    for (unsigned len = 0; n && len < 4 && len < left; n = n->next[in[len++]]) {
        const struct map_text *t = &n->text[in[len]];

        if (t->len) {
            memcpy(*to, t->bytes, t->len);
            *to += t->len;
            return len + 1;
        }
    }
    return 0;
}

enum err_code charset_map_convert(const struct charset_map *map, const char *in, size_t len,
                                  struct strbuf *out, struct err *err)
{
    const uint8_t *from = (const uint8_t *)in;
    const uint8_t *const end = from + len;
    char *to;
    enum err_code rc;

    rc = strbuf_reserve(out, len * 4 + 4, err);
    if (rc)
        return rc;
    to = out->str + out->len;
    while (from < end) {
        uint32_t c = 0;
        unsigned took;

        if (map->kind == MAP_PLAIN || (map->ascii && *from < 0x80)) {
            *to++ = (char)*from++;
            continue;
        }
        if (map->kind == MAP_TREE) {
            took = tree_next(map, from, (size_t)(end - from), &to);
        } else {
            took = wide_next(map->kind, from, (size_t)(end - from), &c);
            to = put_utf8(to, c);
        }
        if (took == 0)
            return err_set(err, ERR_BINLOG_EVENT,
                           "byte %zu of a text of %zu is no character of '%s'",
                           (size_t)(from - (const uint8_t *)in), len, map->name);
        from += took;
    }
    out->len = (size_t)(to - out->str);
    *to = '\0';
    return ERR_OK;
}
