#include "common/schema/expression.h"

#include "tests/unit/cmocka_all.h"

static char *form_of(const char *text, struct arena *arena)
{
    const struct flavour mysql = {.vendor = VENDOR_MYSQL, .version = 80400};
    struct strbuf out = {0};
    struct err err = ERR_INIT;
    struct ddl_text d = {0};
    char *form;

    assert_int_equal(ddl_text_init(&d, text, &mysql, arena, &err), ERR_OK);
    expression_form(&d, (struct ddl_span){0, d.count}, &out);
    form = arena_memdup(arena, strbuf_str(&out), out.len);
    strbuf_release(&out);
    return form;
}

static const struct pair {
    const char *a, *b;
    bool same;
} pairs[] = {
    {"(`id` * 2 + 1)", "(((`id` * 2) + 1))", true},
    {"id*2+1", "ID * 2 + 1", true},
    {"(id * 2 + 1)", "(id * (2 + 1))", false},
    {"a - b - c", "(a - b) - c", true},
    {"a - b - c", "a - (b - c)", false},
    {"- a * b", "(-a) * b", true},
    {"-(a * b)", "-a * b", false},
    {"a and b or c", "(a AND b) OR c", true},
    {"a and b or c", "a AND (b OR c)", false},
    {"a = b and c", "(a = b) and c", true},
    {"concat(a, 'x')", "(concat(`a`,_utf8mb4'x'))", true},
    {"concat(a, 'x')", "concat(a, 'X')", false},
    {"concat(a, 'b', c)", "concat(a, concat('b', c))", false},
    {"f(a, b)", "f((a), (b))", true},
    {"f(g(a), b)", "f(g(a, b))", false},
    {"now() + a", "(now()) + a", true},
    {"not (a) = b", "(not (a)) = b", false},
    {"a like b and c", "a like (b and c)", false},
    {"case when a then b else c end", "CASE WHEN `a` THEN `b` ELSE `c` END", true},
    {"case when (a) then b else c end", "case when a then (b) else c end", false},
    {"cast(a as char(5))", "cast(a as char(6))", false},
    {"'a b'", "'a' b", false},
    {"a in (1, 2)", "a in (1), 2", false},
    {"(a, b)", "a, b", false},
    {"a b", "a(b)", false},
    {"", "()", false},
};

static void tells_expressions_apart(void **state)
{
    struct arena *arena = arena_new();

    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        const char *a = form_of(pairs[i].a, arena), *b = form_of(pairs[i].b, arena);

        if ((strcmp(a, b) == 0) != pairs[i].same)
            fail_msg("%s | %s: %s | %s", pairs[i].a, pairs[i].b, a, b);
    }
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(tells_expressions_apart)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
