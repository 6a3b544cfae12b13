/* common/mysql/gtid_set.h: sets of global transaction ids, of MySQL and of MariaDB.
 *
 * MySQL: "uuid:1-5:7, uuid:tag:1-3", a set of intervals for each uuid and tag. MariaDB: "0-1-57",
 * one position for each domain, all before it included. One thread at a time. */
#ifndef FERRY_MYSQL_GTID_SET_H
#define FERRY_MYSQL_GTID_SET_H

#include "common/base/err.h"
#include "common/base/strbuf.h"

#include <stdint.h>

#define GTID_UUID 16U    /* bytes */
#define GTID_TAG_MAX 32U /* bytes of a tag, without a NUL */

enum gtid_kind { GTID_NONE, GTID_MYSQL, GTID_MARIADB };

struct gtid {
    enum gtid_kind kind;
    /* MySQL */
    uint8_t uuid[GTID_UUID];
    char tag[GTID_TAG_MAX + 1]; /* "": none; lower case */
    uint64_t number;            /* MariaDB: the sequence number */
    /* MariaDB */
    uint32_t domain, server;
};

struct gtid_set;

struct gtid_set *gtid_set_new(enum gtid_kind kind); /* empty; kind is not GTID_NONE */
void gtid_set_free(struct gtid_set *set);           /* NULL is fine */
enum gtid_kind gtid_set_kind(const struct gtid_set *set);
/* Adds what `text` names; white space is passed over. ERR_USAGE says what cannot be understood;
 * then the set is as far as the text could be. */
MUST_CHECK enum err_code gtid_set_parse(struct gtid_set *set, const char *text, struct err *err);
/* Of the set's kind. MariaDB: the domain's new position, whatever the old one was. */
void gtid_set_add(struct gtid_set *set, const struct gtid *gtid);
/* MySQL: the closed interval [first, last] of the gtid's uuid and tag. */
void gtid_set_add_range(struct gtid_set *set, const struct gtid *gtid, uint64_t first,
                        uint64_t last);
/* MariaDB: whether the domain's position is at or behind the gtid's number. */
bool gtid_set_contains(const struct gtid_set *set, const struct gtid *gtid);
/* Whether all of `of`, a set of the same kind, is in the set. */
bool gtid_set_covers(const struct gtid_set *set, const struct gtid_set *of);
bool gtid_set_empty(const struct gtid_set *set);
/* Whether any member has a tag: servers before MySQL 8.3 do not know such sets. */
bool gtid_set_tagged(const struct gtid_set *set);
/* Appends the text form, sorted, as the server prints it, without line breaks. */
void gtid_set_text(const struct gtid_set *set, struct strbuf *out);
/* Appends "uuid:tag:7" or "0-1-57". */
void gtid_text(const struct gtid *gtid, struct strbuf *out);
/* MySQL: appends the form of COM_BINLOG_DUMP_GTID and Previous_gtids (of 8.3 and above where a
 * member has a tag). */
void gtid_set_encode(const struct gtid_set *set, struct strbuf *out);
/* MySQL: adds the members of an encoded set. ERR_BINLOG_EVENT: it is cut or has another form. */
MUST_CHECK enum err_code gtid_set_decode(struct gtid_set *set, const void *data, size_t len,
                                         struct err *err);

#endif
