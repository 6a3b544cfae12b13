/* Texts from the state's rows, and into its statements. */
#include "common/target/target_inner.h"

#include "common/base/mem.h"
#include "common/mysql/ident.h"

char *state_cell_dup(const struct row *row, unsigned i)
{
    return row->cell[i] ? xstrndup(row->cell[i], row->len[i]) : NULL;
}

char *state_cell_str(const struct row *row, unsigned i)
{
    char *text = state_cell_dup(row, i);

    return text ? text : xstrdup("");
}

void state_add_text(struct strbuf *sql, const char *text)
{
    strbuf_add_quotedz(sql, text ? text : "");
}
