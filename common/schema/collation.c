#include "common/schema/collation.h"

#include "common/schema/collation_rows.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define TIDB_UCA9 70400     /* utf8mb4_0900_ai_ci and utf8mb4_0900_bin */
#define TIDB_GBK 50400      /* gbk */
#define TIDB_GB18030 90000  /* gb18030 */
#define TIDB_UTF8MB3 80000  /* the names utf8mb3_..., of which older ones know utf8_... */
#define MYSQL_UCA9 80001    /* utf8mb4_0900_... */
#define MYSQL_UTF8MB3 80030 /* the names utf8mb3_... */
#define MARIADB_UTF8MB3 100600
#define MARIADB_UCA14 101000 /* uca1400_... */

struct charset {
    const char *name;
    unsigned max_bytes;
    bool beyond_bmp;   /* has characters that take four bytes in UTF-8 */
    bool grows;        /* text can take more bytes in UTF-8 */
    const char *usual; /* collation of the bare name, on MySQL and MariaDB */
};

static const struct charset charsets[] = {
    {"armscii8", 1, false, true, "armscii8_general_ci"},
    {"ascii", 1, false, false, "ascii_general_ci"},
    {"big5", 2, true, true, "big5_chinese_ci"},
    {"binary", 1, false, false, "binary"},
    {"cp1250", 1, false, true, "cp1250_general_ci"},
    {"cp1251", 1, false, true, "cp1251_general_ci"},
    {"cp1256", 1, false, true, "cp1256_general_ci"},
    {"cp1257", 1, false, true, "cp1257_general_ci"},
    {"cp850", 1, false, true, "cp850_general_ci"},
    {"cp852", 1, false, true, "cp852_general_ci"},
    {"cp866", 1, false, true, "cp866_general_ci"},
    {"cp932", 2, false, true, "cp932_japanese_ci"},
    {"dec8", 1, false, true, "dec8_swedish_ci"},
    {"eucjpms", 3, false, true, "eucjpms_japanese_ci"},
    {"euckr", 2, false, true, "euckr_korean_ci"},
    {"gb18030", 4, true, true, "gb18030_chinese_ci"},
    {"gb2312", 2, false, true, "gb2312_chinese_ci"},
    {"gbk", 2, false, true, "gbk_chinese_ci"},
    {"geostd8", 1, false, true, "geostd8_general_ci"},
    {"greek", 1, false, true, "greek_general_ci"},
    {"hebrew", 1, false, true, "hebrew_general_ci"},
    {"hp8", 1, false, true, "hp8_english_ci"},
    {"keybcs2", 1, false, true, "keybcs2_general_ci"},
    {"koi8r", 1, false, true, "koi8r_general_ci"},
    {"koi8u", 1, false, true, "koi8u_general_ci"},
    {"latin1", 1, false, true, "latin1_swedish_ci"},
    {"latin2", 1, false, true, "latin2_general_ci"},
    {"latin5", 1, false, true, "latin5_turkish_ci"},
    {"latin7", 1, false, true, "latin7_general_ci"},
    {"macce", 1, false, true, "macce_general_ci"},
    {"macroman", 1, false, true, "macroman_general_ci"},
    {"sjis", 2, false, true, "sjis_japanese_ci"},
    {"swe7", 1, false, true, "swe7_swedish_ci"},
    {"tis620", 1, false, true, "tis620_thai_ci"},
    {"ucs2", 2, false, true, "ucs2_general_ci"},
    {"ujis", 3, false, true, "ujis_japanese_ci"},
    {"utf16", 4, true, true, "utf16_general_ci"},
    {"utf16le", 4, true, true, "utf16le_general_ci"},
    {"utf32", 4, true, false, "utf32_general_ci"},
    {"utf8mb3", 3, false, false, "utf8mb3_general_ci"},
    {"utf8mb4", 4, true, false, "utf8mb4_general_ci"},
};

static const struct charset *charset_find(const char *name)
{
    if (strcasecmp(name, "utf8") == 0)
        name = "utf8mb3";
    for (size_t i = 0; i < sizeof charsets / sizeof *charsets; i++)
        if (strcasecmp(name, charsets[i].name) == 0)
            return &charsets[i];
    return NULL;
}

static bool charset_is_unicode(const char *name)
{
    return strncmp(name, "utf", 3) == 0 || strcmp(name, "ucs2") == 0;
}

unsigned charset_max_bytes(const char *charset)
{
    const struct charset *cs = charset_find(charset);

    return cs ? cs->max_bytes : 4;
}

bool charset_grows(const char *charset)
{
    const struct charset *cs = charset_find(charset);

    return !cs || cs->grows;
}

bool charset_known(const char *charset, const struct flavour *target)
{
    static const char *const always[] = {"utf8mb4", "utf8", "utf8mb3", "ascii", "binary", "latin1"};
    const struct charset *cs = charset_find(charset);

    if (target->vendor == VENDOR_MYSQL)
        return cs != NULL;
    if (target->vendor == VENDOR_MARIADB)
        return cs && strcmp(cs->name, "gb18030") != 0;
    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        if (strcasecmp(charset, always[i]) == 0)
            return true;
    if (strcasecmp(charset, "gbk") == 0)
        return target->version >= TIDB_GBK;
    return strcasecmp(charset, "gb18030") == 0 && target->version >= TIDB_GB18030;
}

const char *charset_default_collation(const char *charset, const struct flavour *server)
{
    static const char *const tidb[] = {"utf8mb4_bin", "utf8mb3_bin", "ascii_bin", "latin1_bin"};
    const struct charset *cs = charset_find(charset);

    if (!cs)
        return NULL;
    if (server->vendor == VENDOR_TIDB)
        for (size_t i = 0; i < sizeof tidb / sizeof *tidb; i++)
            if (strncmp(tidb[i], cs->name, strlen(cs->name)) == 0 &&
                tidb[i][strlen(cs->name)] == '_')
                return tidb[i];
    if (strcmp(cs->name, "utf8mb4") == 0) {
        if (flavour_at_least(server, VENDOR_MYSQL, MYSQL_UCA9))
            return "utf8mb4_0900_ai_ci";
        if (flavour_at_least(server, VENDOR_MARIADB, 110500))
            return "utf8mb4_uca1400_ai_ci";
    }
    return cs->usual;
}

void collation_charset(const char *collation, char charset[16])
{
    const size_t len = strcspn(collation, "_");
    const struct charset *cs;

    (void)snprintf(charset, 16, "%.*s", len < 15 ? (int)len : 15, collation);
    cs = charset_find(charset);
    if (cs || strncmp(collation, "uca1400_", 8) == 0)
        (void)snprintf(charset, 16, "%s", cs ? cs->name : "utf8mb4");
}

/* ---- the source's collation ---- */

struct collation_name {
    char charset[16];
    char rest[48]; /* lower case, behind the character set, without "nopad_" */
    bool no_pad;
};

static void collation_parse(const char *collation, struct collation_name *n)
{
    const size_t prefix = strncmp(collation, "uca1400_", 8) == 0 ? 0 : strcspn(collation, "_") + 1;
    char *nopad;

    collation_charset(collation, n->charset);
    (void)snprintf(n->rest, sizeof n->rest, "%s",
                   prefix <= strlen(collation) ? collation + prefix : "");
    for (char *c = n->rest; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    nopad = strstr(n->rest, "nopad_");
    n->no_pad = nopad || strstr(n->rest, "0900_");
    if (nopad)
        memmove(nopad, nopad + 6, strlen(nopad + 6) + 1);
}

static bool collation_ends(const char *name, const char *end)
{
    const size_t len = strlen(name);

    return len >= strlen(end) && strcmp(name + len - strlen(end), end) == 0;
}

static int collation_compare(const void *name, const void *row)
{
    return strcmp(name, ((const struct collation_row *)row)->name);
}

/* The measured row; for names that were not measured one that goes by the name's end. */
static struct collation_row collation_row_of(const struct collation_name *n, bool *unknown)
{
    struct collation_row row = {"", NEAREST_BIN, COLLATION_EQUAL, "", ""};
    const struct collation_row *found;
    char name[sizeof n->charset + sizeof n->rest];

    *unknown = false;
    if (strcmp(n->rest, "bin") == 0 || strcmp(n->rest, "0900_bin") == 0)
        return row;
    (void)snprintf(name, sizeof name, "%s%s%s", charset_is_unicode(n->charset) ? "" : n->charset,
                   charset_is_unicode(n->charset) ? "" : "_", n->rest);
    found = bsearch(name, collation_rows, collation_row_count, sizeof row, collation_compare);
    if (found)
        return *found;
    row.relation = COLLATION_MIXED;
    if (strstr(n->rest, "0900_") || strncmp(n->rest, "uca1400_", 8) == 0) {
        row.splits = "a character and its decomposed form";
        row.relation = COLLATION_FINER;
        if (collation_ends(n->rest, "_cs") || collation_ends(n->rest, "_ks"))
            return row;
        row.nearest = NEAREST_UCA9;
        row.relation = COLLATION_MIXED;
        row.splits = "some newer characters";
        row.merges =
            strstr(n->rest, "_as_") ? "A=Ä, E=É, O=Ö" : "letters that the language keeps apart";
        if (strcmp(n->rest, "uca1400_ai_ci") == 0)
            row.merges = "ا=آ=أ=إ, Й=Ѝ";
        return row;
    }
    *unknown = true;
    row.relation = COLLATION_FINER;
    row.splits = "whatever it ignores";
    return row;
}

/* ---- TiDB ---- */

static bool collation_on_tidb(const struct collation_name *n, const struct flavour *tidb)
{
    if (strcmp(n->charset, "binary") == 0)
        return true;
    if (n->no_pad && strncmp(n->rest, "0900_", 5) != 0)
        return false;
    if (strcmp(n->charset, "ascii") == 0)
        return strcmp(n->rest, "bin") == 0;
    if (strcmp(n->charset, "gbk") == 0 || strcmp(n->charset, "gb18030") == 0)
        return charset_known(n->charset, tidb) &&
               (strcmp(n->rest, "bin") == 0 || strcmp(n->rest, "chinese_ci") == 0);
    if (strcmp(n->charset, "utf8mb3") != 0 && strcmp(n->charset, "utf8mb4") != 0)
        return false;
    if (strcmp(n->rest, "0900_ai_ci") == 0 || strcmp(n->rest, "0900_bin") == 0)
        return tidb->version >= TIDB_UCA9;
    return strcmp(n->rest, "bin") == 0 || strcmp(n->rest, "general_ci") == 0 ||
           strcmp(n->rest, "unicode_ci") == 0;
}

static void collation_set(struct collation_map *out, const char *charset, const char *rest)
{
    (void)snprintf(out->charset, sizeof out->charset, "%s", charset);
    (void)snprintf(out->name, sizeof out->name, "%s_%s", charset, rest);
}

/* The binary one, which is finer than all; with trailing spaces as the source has them. */
static void collation_to_bin(const struct collation_name *n, const struct flavour *tidb,
                             const char *charset, struct collation_map *out)
{
    const bool counts = n->no_pad && tidb->version >= TIDB_UCA9;

    collation_set(out, counts ? "utf8mb4" : charset, counts ? "0900_bin" : "bin");
    out->spaces_fade = n->no_pad && !counts;
}

/* Adds what trailing spaces do to the relation of the characters. */
static void collation_pad(struct collation_map *out)
{
    if (out->spaces_fade)
        out->relation = out->relation <= COLLATION_EQUAL   ? COLLATION_COARSER
                        : out->relation == COLLATION_FINER ? COLLATION_MIXED
                                                           : out->relation;
    if (out->spaces_count)
        out->relation = out->relation <= COLLATION_EQUAL     ? COLLATION_FINER
                        : out->relation == COLLATION_COARSER ? COLLATION_MIXED
                                                             : out->relation;
}

static void collation_to_nearest(const struct collation_name *n, const struct flavour *tidb,
                                 const char *charset, struct collation_map *out)
{
    static const char *const rests[] = {[NEAREST_GENERAL] = "general_ci",
                                        [NEAREST_UNICODE] = "unicode_ci",
                                        [NEAREST_UCA9] = "0900_ai_ci",
                                        [NEAREST_BIN] = "bin"};
    struct collation_row row = collation_row_of(n, &out->unknown);

    out->relation = row.relation;
    out->merges = row.merges;
    out->splits = row.splits;
    if (row.nearest == NEAREST_BIN) {
        collation_to_bin(n, tidb, charset, out);
        return;
    }
    if (row.nearest == NEAREST_UCA9 && tidb->version < TIDB_UCA9) {
        row.nearest = NEAREST_UNICODE;
        out->relation = COLLATION_MIXED;
        out->merges = "all emoji";
        out->splits = "a letter and some of its newer forms";
    }
    collation_set(out, row.nearest == NEAREST_UCA9 ? "utf8mb4" : charset, rests[row.nearest]);
    out->spaces_fade = n->no_pad && row.nearest != NEAREST_UCA9;
    out->spaces_count = !n->no_pad && row.nearest == NEAREST_UCA9;
}

/* The name stays, but for what only some versions spell so, and for gbk_chinese_ci, in which TiDB
 * calls "[" and "\\" equal (measured: a fault of its table). */
static void collation_keep(const char *collation, const struct collation_name *n,
                           const struct flavour *tidb, struct collation_wish wish,
                           struct collation_map *out)
{
    (void)snprintf(out->charset, sizeof out->charset, "%s", n->charset);
    (void)snprintf(out->name, sizeof out->name, "%s", collation);
    if (strncmp(collation, "utf8mb3_", 8) == 0 && tidb->version < TIDB_UTF8MB3) {
        collation_set(out, "utf8", n->rest);
        out->relation = COLLATION_EQUAL;
    }
    if (strcmp(collation, "gbk_chinese_ci") != 0)
        return;
    out->relation = COLLATION_COARSER;
    out->merges = "[=\\";
    if (!wish.key)
        return;
    out->relation = COLLATION_FINER;
    memcpy(out->nearest, out->name, sizeof out->nearest);
    out->avoided = out->merges;
    out->merges = "";
    out->splits = "upper and lower case";
    collation_set(out, "gbk", "bin");
}

static void collation_to_tidb(const char *collation, const struct flavour *tidb,
                              struct collation_wish wish, struct collation_map *out)
{
    struct collation_name n;
    const struct charset *cs;
    const char *charset = "utf8mb4";

    collation_parse(collation, &n);
    if (collation_on_tidb(&n, tidb) && (!wish.narrow || strcmp(n.charset, "utf8mb4") != 0)) {
        collation_keep(collation, &n, tidb, wish, out);
        return;
    }
    cs = charset_find(n.charset);
    if (cs && !cs->beyond_bmp && (wish.narrow || strcmp(cs->name, "utf8mb3") == 0))
        charset = "utf8";
    collation_to_nearest(&n, tidb, charset, out);
    collation_pad(out);
    if (!wish.key || collation_is_safe(out))
        return;
    memcpy(out->nearest, out->name, sizeof out->nearest);
    out->avoided = out->merges;
    out->relation = COLLATION_FINER;
    out->merges = "";
    out->splits = "upper and lower case, letters with and without accents";
    out->spaces_count = false;
    collation_to_bin(&n, tidb, charset, out);
    collation_pad(out);
}

/* ---- MySQL and MariaDB for each other ---- */

/* MySQL's code of a language, MariaDB's name of it. */
static const char *const collation_languages[][2] = {
    {"cs", "czech"},     {"da", "danish"},        {"de_pb", "german2"}, {"eo", "esperanto"},
    {"es", "spanish"},   {"es_trad", "spanish2"}, {"et", "estonian"},   {"hr", "croatian"},
    {"hu", "hungarian"}, {"is", "icelandic"},     {"la", "roman"},      {"lt", "lithuanian"},
    {"lv", "latvian"},   {"nb", "danish"},        {"nn", "danish"},     {"pl", "polish"},
    {"ro", "romanian"},  {"sk", "slovak"},        {"sl", "slovenian"},  {"sv", "swedish"},
    {"tr", "turkish"},   {"vi", "vietnamese"},    {"bs", "croatian"},   {"sr_latn", "croatian"},
};

/* The other vendor's word for the language that `rest` begins with; "" for the root. `from`: 0
 * MySQL's, 1 MariaDB's. */
static const char *collation_language(const char *rest, size_t len, int from)
{
    for (size_t i = 0; i < sizeof collation_languages / sizeof *collation_languages; i++)
        if (strlen(collation_languages[i][from]) == len &&
            strncmp(collation_languages[i][from], rest, len) == 0)
            return collation_languages[i][1 - from];
    return "";
}

/* charset_[language_]middle_end */
static void collation_put(struct collation_map *out, const char *charset, const char *language,
                          const char *middle, const char *end)
{
    (void)snprintf(out->charset, sizeof out->charset, "%s", charset);
    (void)snprintf(out->name, sizeof out->name, "%s_%s%s%s%s", charset, language,
                   *language ? "_" : "", middle, end);
    out->relation = COLLATION_MIXED;
    out->merges = "some characters that another version of Unicode treats otherwise";
    out->splits = "some characters that another version of Unicode treats otherwise";
}

/* As collation_put, in MariaDB's order: uca1400_[language_]nopad_end */
static void collation_put_uca14(struct collation_map *out, const char *language, const char *end)
{
    char middle[48]; /* the longest language has ten letters */

    (void)snprintf(middle, sizeof middle, "uca1400_%s%snopad_", language, *language ? "_" : "");
    collation_put(out, "utf8mb4", "", middle, end);
}

static void collation_to_mariadb(const struct collation_name *n, const struct flavour *target,
                                 struct collation_map *out)
{
    const char *uca = strstr(n->rest, "0900_");

    if (strcmp(n->rest, "tolower_ci") == 0) {
        collation_set(out, n->charset, "general_ci");
        out->relation = COLLATION_COARSER;
        out->merges = "A=Ä, E=É, O=Ö";
    } else if (strcmp(n->charset, "gb18030") == 0) {
        collation_set(out, "utf8mb4", strcmp(n->rest, "bin") == 0 ? "bin" : "unicode_ci");
        out->relation = strcmp(n->rest, "bin") == 0 ? COLLATION_EQUAL : COLLATION_MIXED;
        out->merges = out->splits = strcmp(n->rest, "bin") == 0 ? "" : "some characters";
    } else if (uca && strcmp(uca, "0900_bin") == 0) {
        collation_set(out, "utf8mb4", "nopad_bin");
        out->relation = COLLATION_EQUAL;
    } else if (uca && target->version >= MARIADB_UCA14) {
        collation_put_uca14(
            out, collation_language(n->rest, uca > n->rest ? (size_t)(uca - n->rest - 1) : 0, 0),
            strncmp(uca + 5, "as_cs", 5) == 0 ? "as_cs" : uca + 5);
    } else if (uca) {
        collation_put(out, "utf8mb4", "", "",
                      strstr(uca, "_cs") ? "nopad_bin" : "unicode_520_nopad_ci");
    }
}

static void collation_to_mysql(const struct collation_name *n, const struct flavour *target,
                               struct collation_map *out)
{
    const char *language = n->rest + 8; /* behind "uca1400_" */
    const char *end;
    const bool uca9 = target->version >= MYSQL_UCA9 && strcmp(n->charset, "utf8mb4") == 0;

    if (strncmp(n->rest, "uca1400_", 8) == 0 && uca9) {
        end = language; /* "ai_ci", or "swedish_ai_ci" */
        if (strncmp(end, "ai_", 3) != 0 && strncmp(end, "as_", 3) != 0)
            end += strcspn(end, "_") + (strchr(end, '_') != NULL);
        language =
            end > language ? collation_language(language, (size_t)(end - language - 1), 1) : "";
        if (strcmp(end, "as_ci") == 0)
            language = ""; /* MySQL has it for the root only */
        collation_put(out, "utf8mb4", language, "0900_", strcmp(end, "ai_cs") == 0 ? "as_cs" : end);
    } else if (strncmp(n->rest, "uca1400_", 8) == 0 || strcmp(n->rest, "myanmar_ci") == 0 ||
               strcmp(n->rest, "thai_520_w2") == 0) {
        collation_put(out, n->charset, "", "", "unicode_520_ci");
        out->spaces_fade = n->no_pad;
    } else if (strcmp(n->rest, "croatian_mysql561_ci") == 0) {
        collation_set(out, n->charset, "croatian_ci");
        out->relation = COLLATION_EQUAL;
    } else if (n->no_pad && uca9 && strcmp(n->rest, "bin") == 0) {
        collation_set(out, n->charset, "0900_bin");
        out->relation = COLLATION_EQUAL;
    } else if (n->no_pad && strncmp(n->rest, "0900_", 5) != 0 && !strstr(n->rest, "_0900_")) {
        collation_set(out, n->charset, n->rest);
        out->relation = COLLATION_COARSER;
        out->spaces_fade = true;
    }
}

void collation_map(const char *collation, const struct flavour *target, struct collation_wish wish,
                   struct collation_map *out)
{
    struct collation_name n;
    const unsigned utf8mb3 = target->vendor == VENDOR_MYSQL ? MYSQL_UTF8MB3 : MARIADB_UTF8MB3;

    *out = (struct collation_map){.merges = "", .splits = "", .avoided = ""};
    if (target->vendor == VENDOR_TIDB) {
        collation_to_tidb(collation, target, wish, out);
        return;
    }
    collation_parse(collation, &n);
    (void)snprintf(out->charset, sizeof out->charset, "%s", n.charset);
    (void)snprintf(out->name, sizeof out->name, "%s", collation);
    if (target->vendor == VENDOR_MARIADB)
        collation_to_mariadb(&n, target, out);
    else
        collation_to_mysql(&n, target, out);
    if (strncmp(out->name, "utf8mb3_", 8) == 0 && target->version < utf8mb3) {
        memmove(out->name + 4, out->name + 7, strlen(out->name + 7) + 1);
        if (out->relation == COLLATION_SAME)
            out->relation = COLLATION_EQUAL;
    }
}

void collation_explain(const struct collation_map *map, struct strbuf *out)
{
    const size_t begin = out->len;

    if (map->relation == COLLATION_SAME)
        return;
    if (map->relation == COLLATION_EQUAL)
        strbuf_addstr(out, "the same values are equal");
    if (*map->merges)
        strbuf_addf(out, "equal from now on: %s", map->merges);
    if (*map->splits)
        strbuf_addf(out, "%sno longer equal: %s", out->len > begin ? "; " : "", map->splits);
    if (map->spaces_count)
        strbuf_addf(out, "%strailing spaces make a difference from now on",
                    out->len > begin ? "; " : "");
    if (map->spaces_fade)
        strbuf_addf(out, "%strailing spaces make no difference any more",
                    out->len > begin ? "; " : "");
    if (*map->nearest)
        strbuf_addf(out, "; the nearest, %s, would call equal what was not (%s)", map->nearest,
                    *map->avoided ? map->avoided : "trailing spaces");
    if (map->unknown)
        strbuf_addstr(out, "; the collation is not known, this is a guess by its name");
}
