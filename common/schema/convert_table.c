#include "common/schema/convert_inner.h"

/* CREATE TABLE ... SELECT, and OR REPLACE. */
static void convert_table_head(struct converter *c)
{
    struct ddl_text *d = &c->d;

    if (c->to == VENDOR_MARIADB)
        return;
    if (ddl_words(d, 1, "OR REPLACE"))
        convert_drop(c, (struct ddl_span){1, 3},
                     (struct convert_note){.severity = CHANGE_WARNING, .part = PART_OPTION},
                     "a table that is there already is not replaced");
    if (c->t.tail.end > c->t.tail.first && !ddl_is(d, c->t.tail.first, "LIKE") &&
        c->to == VENDOR_TIDB)
        convert_say(c, (struct convert_note){.severity = CHANGE_REFUSED},
                    "TiDB makes no tables from queries");
}

enum err_code convert_table(struct converter *c, struct err *err)
{
    enum err_code rc = ddl_table_parse(&c->d, &c->t, err);

    if (rc)
        return rc;
    convert_table_head(c);
    convert_table_collation(c);
    convert_columns_find(c);
    convert_keys_mark(c);
    convert_columns_map(c);
    convert_keys_fit(c);
    convert_columns(c);
    convert_keys(c);
    convert_constraints(c);
    convert_options(c, c->t.options, c->t.option_count);
    convert_partition(c);
    if (c->p->split_indexes)
        convert_indexes_split(c);
    convert_items_remove(c);
    return ERR_OK;
}
