/* common/schema/expression.h: whether two texts are one expression.
 *
 * Servers print one expression in many ways. Its form has no brackets, quotes of names, letters'
 * case or character sets before strings; the order of operations is in it, as the servers' manuals
 * give it. An expression with anything else than names, literals, function calls and plain
 * operators keeps its brackets, so that two such may have two forms and still be one; two different
 * ones never have one form. Pure: any thread. */
#ifndef FERRY_SCHEMA_EXPRESSION_H
#define FERRY_SCHEMA_EXPRESSION_H

#include "common/schema/ddl_text.h"

/* Appends the form of the tokens. */
void expression_form(const struct ddl_text *d, struct ddl_span span, struct strbuf *out);

#endif
