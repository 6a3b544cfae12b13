#include "common/mysql/filter_glob.h"

#include "common/base/strbuf.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* One character, *text moved behind it. A byte that is no UTF-8 stands for itself, above Unicode's
 * range so that it equals no character. */
static uint32_t utf8_next(const char **text)
{
    const unsigned char *c = (const unsigned char *)*text;
    const unsigned extra = c[0] < 0xc2   ? 0
                           : c[0] < 0xe0 ? 1
                           : c[0] < 0xf0 ? 2
                           : c[0] < 0xf5 ? 3
                                         : 0;
    uint32_t point;

    (*text)++;
    if (c[0] < 0x80)
        return c[0];
    if (!extra)
        return 0x110000U + c[0];
    point = c[0] & (0x3fU >> extra);
    for (unsigned i = 1; i <= extra; i++) {
        if ((c[i] & 0xc0) != 0x80)
            return 0x110000U + c[0];
        point = point << 6 | (c[i] & 0x3fU);
    }
    *text += extra;
    return point;
}

/* Ranges of capital letters. step 1: the small letter is `add` further; step 2: capitals are every
 * second one, and the small letter follows. */
static const struct {
    uint32_t first, last, step, add;
} capitals[] = {
    {'A', 'Z', 1, 32},      {0xc0, 0xd6, 1, 32},     {0xd8, 0xde, 1, 32},   {0x100, 0x12e, 2, 1},
    {0x132, 0x136, 2, 1},   {0x139, 0x147, 2, 1},    {0x14a, 0x176, 2, 1},  {0x179, 0x17d, 2, 1},
    {0x391, 0x3a1, 1, 32},  {0x3a3, 0x3ab, 1, 32},   {0x410, 0x42f, 1, 32}, {0x400, 0x40f, 1, 80},
    {0x460, 0x480, 2, 1},   {0x48a, 0x4be, 2, 1},    {0x4d0, 0x52e, 2, 1},  {0x1e00, 0x1e94, 2, 1},
    {0x1ea0, 0x1efe, 2, 1}, {0xff21, 0xff3a, 1, 32},
};

static uint32_t utf8_fold(uint32_t point, bool fold)
{
    if (!fold)
        return point;
    for (size_t i = 0; i < sizeof(capitals) / sizeof(capitals[0]); i++)
        if (point >= capitals[i].first && point <= capitals[i].last &&
            (point - capitals[i].first) % capitals[i].step == 0)
            return point + capitals[i].add;
    return point;
}

bool utf8_equal(const char *a, const char *b, bool fold)
{
    if (!fold)
        return strcmp(a, b) == 0;
    while (*a && *b)
        if (utf8_fold(utf8_next(&a), true) != utf8_fold(utf8_next(&b), true))
            return false;
    return *a == *b;
}

static bool glob_alphanumeric(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Copies `[...]`, moving *at behind it. */
static const char *glob_scan_class(const char **at, struct strbuf *text)
{
    static const char fault[] = "a character class [...] is empty, not closed or holds a '['";
    const char *c = *at + 1;
    const char *first;

    if (*c == '!')
        c++;
    for (first = c; *c && *c != ']'; c++) {
        if (*c == '[')
            return fault;
        if (*c == '\\' && (!c[1] || glob_alphanumeric(*++c)))
            return "a letter or digit cannot be escaped";
    }
    if (!*c || c == first)
        return fault;
    strbuf_add(text, *at, (size_t)(c + 1 - *at));
    *at = c + 1;
    return NULL;
}

static const char *glob_scan_text(struct glob_scan *scan, struct strbuf *plain,
                                  struct strbuf *pattern)
{
    const char *c = scan->at;
    const char *fault = NULL;

    scan->literal = true;
    while (*c && *c != '.' && !fault) {
        if (*c == '\\') {
            if (!c[1] || glob_alphanumeric(c[1]))
                return "a letter, a digit or the end cannot be escaped";
            strbuf_add(pattern, c, 2);
            strbuf_addch(plain, c[1]);
            c += 2;
        } else if (*c == '[') {
            scan->literal = false;
            fault = glob_scan_class(&c, pattern);
        } else if (*c == '*' || *c == '?') {
            scan->literal = false;
            strbuf_addch(pattern, *c++);
        } else if (*c == '_' || *c == '$' || glob_alphanumeric(*c) || (unsigned char)*c >= 0x80) {
            strbuf_addch(pattern, *c);
            strbuf_addch(plain, *c++);
        } else {
            return "it holds a character that must be quoted or escaped (`a-b`.* or a\\-b.*)";
        }
    }
    if (!fault && c == scan->at)
        return "a name is missing; it must have the form db.table";
    scan->at = c;
    return fault;
}

const char *glob_scan(struct glob_scan *scan)
{
    struct strbuf plain = {0}, pattern = {0};
    const char *fault = glob_scan_text(scan, &plain, &pattern);

    scan->text = strbuf_detach(scan->literal ? &plain : &pattern);
    strbuf_release(&plain);
    strbuf_release(&pattern);
    return fault;
}

/* Whether the class at *pattern holds `point`; *pattern is moved behind the ']'. */
static bool glob_match_class(const char **pattern, uint32_t point, bool fold)
{
    const char *c = *pattern + 1;
    const bool negated = *c == '!';
    bool found = false;

    if (negated)
        c++;
    while (*c != ']') {
        uint32_t from, to;

        c += *c == '\\';
        from = to = utf8_fold(utf8_next(&c), fold);
        if (*c == '-' && c[1] != ']') {
            c++;
            c += *c == '\\';
            to = utf8_fold(utf8_next(&c), fold);
        }
        found = found || (point >= from && point <= to);
    }
    *pattern = c + 1;
    return found != negated;
}

/* One character of the name against the element at *pattern, which is no '*'. */
static bool glob_match_one(const char **pattern, const char **name, bool fold)
{
    const uint32_t point = utf8_fold(utf8_next(name), fold);

    if (**pattern == '?') {
        (*pattern)++;
        return true;
    }
    if (**pattern == '[')
        return glob_match_class(pattern, point, fold);
    *pattern += **pattern == '\\';
    return utf8_fold(utf8_next(pattern), fold) == point;
}

bool glob_match(const char *pattern, const char *name, bool fold)
{
    const char *star = NULL;  /* behind the last '*' seen */
    const char *tried = NULL; /* how much of the name that '*' has eaten */

    for (;;) {
        if (*pattern == '*') {
            star = ++pattern;
            tried = name;
        } else if (!*name && !*pattern) {
            return true;
        } else if (!*name || !*pattern || !glob_match_one(&pattern, &name, fold)) {
            if (!star || !*tried)
                return false;
            (void)utf8_next(&tried);
            pattern = star;
            name = tried;
        }
    }
}
