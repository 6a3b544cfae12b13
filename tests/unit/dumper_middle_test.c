#include "dumper/middle.h"

#include "tests/unit/cmocka_all.h"

static const struct row {
    enum column_type type;
    unsigned char fsp;
    const char *collation;
    const char *lo, *hi, *want; /* want NULL: nothing can be told */
} rows[] = {
    /* exact numbers: of any size, half way, rounded up */
    {TYPE_INT, 0, NULL, "1", "10", "6"},
    {TYPE_INT, 0, NULL, "1", "2", "2"},
    {TYPE_INT, 0, NULL, "7", "7", NULL},
    {TYPE_INT, 0, NULL, "-10", "-1", "-5"},
    {TYPE_INT, 0, NULL, "-2", "-1", "-1"},
    {TYPE_INT, 0, NULL, "-1", "0", "0"},
    {TYPE_INT, 0, NULL, "-3", "3", "0"},
    {TYPE_INT, 0, NULL, "000009", "000012", "11"},
    {TYPE_BIGINT, 0, NULL, "-9223372036854775808", "9223372036854775807", "0"},
    {TYPE_BIGINT, 0, NULL, "1", "18446744073709551615", "9223372036854775808"},
    {TYPE_BIGINT, 0, NULL, "18446744073709551613", "18446744073709551615", "18446744073709551614"},
    {TYPE_BIGINT, 0, NULL, "9223372036854775807", "9223372036854775809", "9223372036854775808"},
    {TYPE_BIT, 0, NULL, "0", "1099511627775", "549755813888"},
    {TYPE_ENUM, 0, NULL, "1", "4", "3"},
    {TYPE_YEAR, 0, NULL, "1901", "2155", "2028"},
    {TYPE_DECIMAL, 0, NULL, "0.1", "0.2", "0.2"},
    {TYPE_DECIMAL, 0, NULL, "1.50", "2.50", "2.00"},
    {TYPE_DECIMAL, 0, NULL, "-0.05", "0.05", "0.00"},
    {TYPE_DECIMAL, 0, NULL, "-99999999999999999999999999999999999999999999999999999999999999999",
     "99999999999999999999999999999999999999999999999999999999999999999", "0"},
    {TYPE_DECIMAL, 0, NULL, "99999999999999999999999999999999999999999999999999999999999999997",
     "99999999999999999999999999999999999999999999999999999999999999999",
     "99999999999999999999999999999999999999999999999999999999999999998"},
    {TYPE_DECIMAL, 0, NULL, "-5.5", "-5.4", "-5.4"},
    {TYPE_INT, 0, NULL, "x", "2", NULL},
    {TYPE_INT, 0, NULL, "", "2", NULL},
    /* floating point */
    {TYPE_DOUBLE, 0, NULL, "1", "2", "1.5"},
    {TYPE_DOUBLE, 0, NULL, "-1e300", "1e300", "0"},
    {TYPE_DOUBLE, 0, NULL, "1.7e308", "1.79e308", "1.7450000000000001e+308"},
    {TYPE_DOUBLE, 0, NULL, "1", "1.0000000000000002", "1.0000000000000002"},
    {TYPE_DOUBLE, 0, NULL, "0.001", "999", "499.50049999999999"},
    {TYPE_DOUBLE, 0, NULL, "1e-300", "1e300", "0.95815188714699606"},
    {TYPE_DOUBLE, 0, NULL, "-1e300", "-1e-300", "-0.95815188714699606"},
    {TYPE_DOUBLE, 0, NULL, "-1e300", "0", "-0.00010660466887222749"},
    {TYPE_FLOAT, 0, NULL, "0", "3e38", "1.9008628970005284e-135"},
    {TYPE_FLOAT, 0, NULL, "2", "1", NULL},
    /* times */
    {TYPE_DATE, 0, NULL, "2024-01-01", "2024-01-03", "2024-01-02"},
    {TYPE_DATE, 0, NULL, "2024-01-01", "2024-01-02", "2024-01-02"},
    {TYPE_DATE, 0, NULL, "2024-02-28", "2024-03-01", "2024-03-01"},
    {TYPE_DATE, 0, NULL, "0000-00-00", "2000-01-01", "1000-01-01"},
    {TYPE_DATE, 0, NULL, "2020-00-00", "2020-03-01", "2020-02-01"},
    {TYPE_DATETIME, 0, NULL, "2024-01-01 00:00:00", "2024-01-01 00:00:01", "2024-01-01 00:00:01"},
    {TYPE_DATETIME, 3, NULL, "2024-01-01 00:00:00.000", "2024-01-01 00:00:00.003",
     "2024-01-01 00:00:00.002"},
    {TYPE_DATETIME, 6, NULL, "2024-12-31 23:59:59.999998", "2025-01-01 00:00:00.000000",
     "2024-12-31 23:59:59.999999"},
    {TYPE_TIMESTAMP, 0, NULL, "2024-04-30 12:00:00", "2024-05-01 12:00:00", "2024-05-01 00:00:00"},
    {TYPE_DATETIME, 0, NULL, "2024-01-01", "nonsense", NULL},
    {TYPE_TIME, 0, NULL, "-838:59:59", "838:59:59", "00:00:00"},
    {TYPE_TIME, 0, NULL, "-00:00:03", "-00:00:01", "-00:00:02"},
    {TYPE_TIME, 2, NULL, "-00:00:00.03", "-00:00:00.02", "-00:00:00.02"},
    {TYPE_TIME, 0, NULL, "10:00:00", "12:00:00", "11:00:00"},
    /* text, by the smallest alphabet */
    {TYPE_VARCHAR, 0, "utf8mb4_bin", "user000100", "user000300", "user000200"},
    {TYPE_VARCHAR, 0, "utf8mb4_bin", "00000000-aaaa", "ffffffff-bbbb", "80000000"},
    {TYPE_VARCHAR, 0, "utf8mb4_bin", "0A", "0C", "0B"},
    {TYPE_VARCHAR, 0, "utf8mb4_bin", "a", "c", "b"},
    {TYPE_VARCHAR, 0, "utf8mb4_general_ci", "ANNA", "ZOE", "n?ip"},
    {TYPE_VARCHAR, 0, "utf8mb4_bin", "same", "same", NULL},
    {TYPE_VARCHAR, 0, "utf8mb4_bin", "\xe4\xb8\x80", "\xe4\xb8\xad", "\xe4\xb8\x97"},
    {TYPE_VARCHAR, 0, "utf8mb4_bin", "z", "\xc3\xa4", "\xc2\xaf"},
    {TYPE_VARCHAR, 0, "utf8mb4_bin", "b", "a", NULL},
    /* bytes and what is stored as bytes */
    {TYPE_UUID, 0, NULL, "00000000-0000-7000-8000-000000000000",
     "ffffffff-0000-7000-8000-000000000000", "7fffffff-8000-7000-0000-000000000000"},
    {TYPE_INET4, 0, NULL, "10.0.0.0", "10.0.0.255", "10.0.0.128"},
    {TYPE_INET6, 0, NULL, "::", "ffff::", "7fff:8000::"},
    {TYPE_INET6, 0, NULL, "nonsense", "ffff::", NULL},
    {TYPE_JSON, 0, NULL, "1", "1", NULL},
};

static void finds_the_middle(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *r = &rows[i];
        const struct column c = {.name = "c",
                                 .type = r->type,
                                 .fsp = r->fsp,
                                 .collation = r->collation,
                                 .charset = r->collation ? "utf8mb4" : NULL};
        struct strbuf out = {0};
        bool found = key_middle(&c, (struct cell){r->lo, strlen(r->lo)},
                                (struct cell){r->hi, strlen(r->hi)}, &out);

        if (found != (r->want != NULL) || (found && strcmp(strbuf_str(&out), r->want) != 0))
            fail_msg("between '%s' and '%s': '%s', expected '%s'", r->lo, r->hi,
                     found ? strbuf_str(&out) : "(none)", r->want ? r->want : "(none)");
        strbuf_release(&out);
    }
}

static void bytes_with_zeros(void **state)
{
    const struct column c = {.name = "c", .type = TYPE_BINARY};
    struct strbuf out = {0};

    (void)state;
    assert_true(key_middle(&c, (struct cell){"a\0\0", 3}, (struct cell){"a\0\4", 3}, &out));
    assert_int_equal(out.len, 3);
    assert_memory_equal(strbuf_str(&out), "a\0\2", 3);
    assert_true(key_middle(&c, (struct cell){"", 0},
                           (struct cell){"\xff\xff\xff\xff\xff\xff\xff\xff"
                                         "\xff\xff",
                                         10},
                           &out));
    assert_int_equal(out.len, 8);
    assert_memory_equal(strbuf_str(&out), "\x80\0\0\0\0\0\0\0", 8);
    /* one apart within what is looked at: the upper one itself */
    assert_true(key_middle(&c, (struct cell){"a", 1}, (struct cell){"b", 1}, &out));
    assert_memory_equal(strbuf_str(&out), "b", 1);
    strbuf_release(&out);
}

/* Halving must end for any pair: the middle is above lo and not above hi. */
static void halving_ends(void **state)
{
    const struct column c = {.name = "c", .type = TYPE_BIGINT};
    struct strbuf lo = {0};
    struct strbuf mid = {0};
    int steps = 0;

    (void)state;
    strbuf_addstr(&lo, "-9223372036854775808");
    while (key_middle(&c, (struct cell){lo.str, lo.len}, (struct cell){"18446744073709551615", 20},
                      &mid)) {
        strbuf_reset(&lo);
        strbuf_add(&lo, mid.str, mid.len);
        assert_true(++steps < 70);
    }
    assert_string_equal(strbuf_str(&lo), "18446744073709551615");
    strbuf_release(&lo);
    strbuf_release(&mid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_middle),
        cmocka_unit_test(bytes_with_zeros),
        cmocka_unit_test(halving_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
