/* common/mysql/ident.h: the one place where names and values become SQL text. */
#ifndef FERRY_MYSQL_IDENT_H
#define FERRY_MYSQL_IDENT_H

#include "common/base/strbuf.h"

/* `name` with backquotes doubled. */
void strbuf_add_ident(struct strbuf *sb, const char *name);
/* `db`.`table` */
void strbuf_add_table(struct strbuf *sb, const char *db, const char *table);
/* 'text' for a UTF-8 session without NO_BACKSLASH_ESCAPES: \0 \n \r \Z \' \\ escaped. */
void strbuf_add_quoted(struct strbuf *sb, const char *text, size_t len);
static inline void strbuf_add_quotedz(struct strbuf *sb, const char *text)
{
    strbuf_add_quoted(sb, text, strlen(text));
}
/* x'6162'; the empty string is x''. */
void strbuf_add_hex_literal(struct strbuf *sb, const void *data, size_t len);
/* db.table for people: quoted with backquotes only where a name is not plain. */
void strbuf_add_name(struct strbuf *sb, const char *db, const char *table);

#endif
