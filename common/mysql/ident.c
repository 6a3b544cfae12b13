#include "common/mysql/ident.h"

#include "common/base/bytes.h"

#include <stdbool.h>

void strbuf_add_ident(struct strbuf *sb, const char *name)
{
    const char *quote;

    strbuf_addch(sb, '`');
    while ((quote = strchr(name, '`')) != NULL) {
        strbuf_add(sb, name, (size_t)(quote - name));
        strbuf_add(sb, "``", 2);
        name = quote + 1;
    }
    strbuf_addstr(sb, name);
    strbuf_addch(sb, '`');
}

void strbuf_add_table(struct strbuf *sb, const char *db, const char *table)
{
    strbuf_add_ident(sb, db);
    strbuf_addch(sb, '.');
    strbuf_add_ident(sb, table);
}

/* The letter after the backslash; 0 when `c` stands for itself. */
static char ident_escape(char c)
{
    switch (c) {
    case '\0':
        return '0';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\x1a':
        return 'Z';
    case '\'':
    case '\\':
        return c;
    default:
        return 0;
    }
}

void strbuf_add_quoted(struct strbuf *sb, const char *text, size_t len)
{
    size_t start = 0;

    strbuf_addch(sb, '\'');
    for (size_t i = 0; i < len; i++) {
        const char letter = ident_escape(text[i]);

        if (!letter)
            continue;
        strbuf_add(sb, text + start, i - start);
        strbuf_addch(sb, '\\');
        strbuf_addch(sb, letter);
        start = i + 1;
    }
    strbuf_add(sb, text + start, len - start);
    strbuf_addch(sb, '\'');
}

void strbuf_add_hex_literal(struct strbuf *sb, const void *data, size_t len)
{
    size_t start;

    strbuf_add(sb, "x'", 2);
    start = sb->len;
    strbuf_grow(sb, 2 * len + 1);
    (void)bytes_to_hex(sb->str + start, data, len);
    sb->len = start + 2 * len;
    strbuf_addch(sb, '\'');
}

static bool ident_plain(const char *name)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_$";

    if (!*name)
        return false;
    for (; *name; name++)
        if ((unsigned char)*name < 0x80 && !strchr(plain, *name))
            return false;
    return true;
}

static void ident_add_readable(struct strbuf *sb, const char *name)
{
    if (ident_plain(name))
        strbuf_addstr(sb, name);
    else
        strbuf_add_ident(sb, name);
}

void strbuf_add_name(struct strbuf *sb, const char *db, const char *table)
{
    ident_add_readable(sb, db);
    strbuf_addch(sb, '.');
    ident_add_readable(sb, table);
}
