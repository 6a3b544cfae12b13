#include "dumper/ledger.h"

#include "common/base/mem.h"
#include "common/base/strbuf.h"
#include "tests/unit/cmocka_all.h"

#include <stdlib.h>

/* Records in a short form: "table 1 a", "span 2 of 1 at 50", "chunk 1 to 20", "last 1", "last 1 to
 * 50", "void", "done"; all of table 1. */
static struct bound bound_at(const char *cell)
{
    struct bound b = {0};

    if (!cell)
        return b;
    b.count = 1;
    b.cell = xcalloc(1, sizeof(*b.cell));
    b.len = xcalloc(1, sizeof(*b.len));
    b.cell[0] = xstrdup(cell);
    b.len[0] = strlen(cell);
    return b;
}

static enum err_code put(struct ledger *l, struct record r)
{
    struct err err = ERR_INIT;

    return ledger_apply(l, &r, &err);
}

static enum err_code put_dump(struct ledger *l)
{
    return put(l, (struct record){.kind = RECORD_DUMP, .u.dump = {.options = xstrdup("{}")}});
}

static enum err_code put_table(struct ledger *l, unsigned id, const char *name)
{
    return put(l, (struct record){.kind = RECORD_TABLE,
                                  .u.table = {.table = id,
                                              .db = xstrdup("d"),
                                              .name = xstrdup(name),
                                              .kind = xstrdup("table"),
                                              .key = xstrdup("PRIMARY")}});
}

static enum err_code put_span(struct ledger *l, unsigned span, unsigned parent, const char *lo)
{
    return put(l, (struct record){
                      .kind = RECORD_SPAN,
                      .u.span = {.table = 1, .span = span, .parent = parent, .lo = bound_at(lo)}});
}

static enum err_code put_chunk(struct ledger *l, unsigned span, uint64_t number, const char *hi,
                               bool last)
{
    return put(l, (struct record){.kind = RECORD_CHUNK,
                                  .u.chunk = {.epoch = 1,
                                              .table = 1,
                                              .span = span,
                                              .number = number,
                                              .hi = bound_at(hi),
                                              .last = last,
                                              .path = number ? xstrdup("p") : NULL,
                                              .rows = number ? 10 : 0,
                                              .raw_bytes = number ? 100 : 0,
                                              .digest = {.bytes = number * 7}}});
}

/* "1(-,20] 3(40,50] ..." */
static char *missing(const struct ledger_table *t)
{
    struct strbuf out = {0};
    struct part p;

    for (const struct ledger_span *s = ledger_part(t, NULL, &p); s; s = ledger_part(t, s, &p))
        strbuf_addf(&out, "%u(%s,%s] ", p.span, p.lo->count ? p.lo->cell[0] : "-",
                    p.hi->count ? p.hi->cell[0] : "-");
    return strbuf_detach(&out);
}

static void assert_missing(const struct ledger *l, const char *want)
{
    char *found = missing(l->tables[0]);

    assert_string_equal(found, want);
    free(found);
}

static struct ledger *begun(void)
{
    struct ledger *l = ledger_new();

    assert_int_equal(put_dump(l), ERR_OK);
    assert_int_equal(put_table(l, 1, "t"), ERR_OK);
    return l;
}

static void gaps_follow_from_the_records(void **state)
{
    struct ledger *l = begun();

    (void)state;
    assert_missing(l, "");
    assert_int_equal(put_span(l, 1, 0, NULL), ERR_OK);
    assert_missing(l, "1(-,-] ");
    assert_int_equal(put_chunk(l, 1, 1, "10", false), ERR_OK);
    assert_missing(l, "1(10,-] ");
    /* the rest of span 1 is cut at 90, then at 50, and span 2 at 95 */
    assert_int_equal(put_span(l, 2, 1, "90"), ERR_OK);
    assert_missing(l, "1(10,90] 2(90,-] ");
    assert_int_equal(put_span(l, 3, 1, "50"), ERR_OK);
    assert_int_equal(put_span(l, 4, 2, "95"), ERR_OK);
    assert_missing(l, "1(10,50] 3(50,90] 2(90,95] 4(95,-] ");
    assert_int_equal(put_chunk(l, 3, 2, "60", false), ERR_OK);
    assert_int_equal(put_chunk(l, 1, 3, "50", true), ERR_OK);
    assert_int_equal(put_chunk(l, 4, 0, NULL, true), ERR_OK);
    assert_missing(l, "3(60,90] 2(90,95] ");
    assert_int_equal(l->tables[0]->next_span, 5);
    assert_int_equal(l->tables[0]->next_number, 4);
    assert_int_equal(l->tables[0]->rows, 30);
    assert_int_equal(l->tables[0]->files, 3);
    ledger_free(l);
}

static void a_void_starts_again(void **state)
{
    struct ledger *l = begun();
    struct ledger_table *t = l->tables[0];

    (void)state;
    assert_int_equal(put_span(l, 1, 0, NULL), ERR_OK);
    assert_int_equal(put_chunk(l, 1, 1, NULL, false), ERR_OK);
    assert_int_equal(
        put(l, (struct record){.kind = RECORD_VOID, .u.voided = {.table = 1, .epoch = 2}}), ERR_OK);
    assert_missing(l, "");
    assert_int_equal(t->rows, 0);
    assert_int_equal(t->file_cap, 0);
    assert_int_equal(t->next_number, 2); /* no name is used twice */
    assert_int_equal(put_span(l, 2, 0, NULL), ERR_OK);
    assert_int_equal(put_chunk(l, 2, 2, NULL, true), ERR_OK);
    assert_int_equal(put(l, (struct record){.kind = RECORD_TABLE_DONE, .u.table_done.table = 1}),
                     ERR_OK);
    assert_true(t->done);
    assert_int_equal(t->file_bytes[0], FILE_ABSENT);
    assert_int_equal(t->file_bytes[1], 14);
    ledger_free(l);
}

static void left_out_until_it_is_read_again(void **state)
{
    static char text[] = "x";
    struct ledger *l = begun();
    struct ledger_table *t = l->tables[0];
    const struct record again = {.kind = RECORD_VOID, .u.voided = {.table = 1, .epoch = 2}};

    (void)state;
    for (int i = 0; i < 2; i++) /* said twice, counted once */
        assert_int_equal(put(l, (struct record){.kind = RECORD_LEFT_OUT,
                                                .u.left_out = {.optional = true,
                                                               .epoch = 1,
                                                               .db = xstrdup(t->db),
                                                               .name = xstrdup(t->name),
                                                               .why = xstrdup(text)}}),
                         ERR_OK);
    assert_int_equal(l->left_out, 1);
    assert_int_equal(put(l, again), ERR_OK);
    assert_int_equal(l->left_out, 0);
    assert_int_equal(put_span(l, 1, 0, NULL), ERR_OK);
    assert_int_equal(put_chunk(l, 1, 1, NULL, true), ERR_OK);
    assert_int_equal(t->from, 1);
    assert_int_equal(t->to, 1);
    ledger_free(l);
}

static void refuses_what_does_not_fit(void **state)
{
    struct ledger *l = ledger_new();

    (void)state;
    assert_int_equal(put_table(l, 1, "t"), ERR_CORRUPT); /* before the dump record */
    assert_int_equal(put_dump(l), ERR_OK);
    assert_int_equal(put_dump(l), ERR_CORRUPT);
    assert_int_equal(put_span(l, 1, 0, NULL), ERR_CORRUPT); /* of no table */
    assert_int_equal(put_table(l, 0, "t"), ERR_CORRUPT);
    assert_int_equal(put_table(l, 1, "t"), ERR_OK);
    assert_int_equal(put_table(l, 1, "other"), ERR_CORRUPT);
    assert_int_equal(put_chunk(l, 1, 1, NULL, true), ERR_CORRUPT); /* of no span */
    assert_int_equal(put_span(l, 2, 1, "5"), ERR_CORRUPT);         /* of no parent */
    assert_int_equal(put_span(l, 1, 0, NULL), ERR_OK);
    assert_int_equal(put_span(l, 2, 0, NULL), ERR_CORRUPT); /* a second first one */
    assert_int_equal(put_span(l, 3, 2, "5"), ERR_CORRUPT);
    assert_int_equal(put_chunk(l, 1, UINT64_MAX, "5", false), ERR_CORRUPT);
    assert_int_equal(put_chunk(l, 1, 1, NULL, true), ERR_OK);
    assert_int_equal(put_chunk(l, 1, 2, NULL, true), ERR_CORRUPT); /* behind the last */
    assert_int_equal(put(l, (struct record){.kind = RECORD_END}), ERR_OK);
    assert_int_equal(put_table(l, 2, "u"), ERR_CORRUPT); /* behind the end */
    ledger_free(l);
}

static void finds_tables_and_files(void **state)
{
    struct ledger *l = begun();
    char name[16];

    (void)state;
    for (unsigned i = 2; i <= 300; i++) {
        (void)snprintf(name, sizeof(name), "t%u", i * 7919 % 1000);
        assert_int_equal(put_table(l, i, name), ERR_OK);
        ledger_add_file(l, name, i);
    }
    ledger_add_file(l, "t919", 1);
    ledger_add_file(l, "t919", 5); /* the later one counts */
    assert_null(ledger_find_file(l, "t919"));
    ledger_sort(l);
    assert_int_equal(ledger_find_file(l, "t919")->bytes, 5);
    assert_null(ledger_find_file(l, "none"));
    assert_int_equal(ledger_find(l, "d", "t838")->id, 2);
    assert_null(ledger_find(l, "e", "t838"));
    assert_int_equal(ledger_add_table(l, "d", "new")->id, 301);
    ledger_sort(l);
    assert_int_equal(ledger_find(l, "d", "new")->next_span, 1);
    ledger_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gaps_follow_from_the_records),
        cmocka_unit_test(a_void_starts_again),
        cmocka_unit_test(left_out_until_it_is_read_again),
        cmocka_unit_test(refuses_what_does_not_fit),
        cmocka_unit_test(finds_tables_and_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
