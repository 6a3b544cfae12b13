#include "common/schema/token.h"
#include "tests/unit/cmocka_all.h"

static const char kinds[] = {
    [TOKEN_END] = '.',        [TOKEN_SPACE] = '_', [TOKEN_COMMENT] = 'c', [TOKEN_EXEC_OPEN] = '<',
    [TOKEN_EXEC_CLOSE] = '>', [TOKEN_WORD] = 'w',  [TOKEN_NAME] = 'n',    [TOKEN_STRING] = 's',
    [TOKEN_NUMBER] = '1',     [TOKEN_HEX] = 'x',   [TOKEN_BIT] = 'b',     [TOKEN_OPERATOR] = 'o',
};

/* "kind:text|kind:text|" of the tokens, white space left out; the fault's words instead. */
static void token_dump(struct tokenizer *t, struct strbuf *out)
{
    struct err err = ERR_INIT;
    struct token token;
    size_t pos = 0;

    t->len = strlen(t->text);
    for (;;) {
        if (token_next(t, &token, &err)) {
            strbuf_reset(out);
            strbuf_addstr(out, err.msg);
            return;
        }
        assert_int_equal(token.pos, pos);
        if (token.kind == TOKEN_END)
            break;
        assert_true(token.len > 0);
        pos += token.len;
        if (token.kind == TOKEN_SPACE)
            continue;
        strbuf_addch(out, kinds[token.kind]);
        strbuf_addch(out, ':');
        strbuf_add(out, t->text + token.pos, token.len);
        strbuf_addch(out, '|');
    }
    assert_int_equal(pos, t->len);
}

struct token_case {
    const char *text, *expected;
};

static void cuts_text_into_tokens(void **state)
{
    static const struct token_case cases[] = {
        {"", ""},
        {" \t\n", ""},
        {"CREATE TABLE `a``b` (x int)", "w:CREATE|w:TABLE|n:`a``b`|o:(|w:x|w:int|o:)|"},
        {"'it''s' 'a\\'b' \"q\"\"r\" \"it's\"", "s:'it''s'|s:'a\\'b'|s:\"q\"\"r\"|s:\"it's\"|"},
        {"'\\\\' n'x' N'y' _utf8mb4'z'", "s:'\\\\'|s:n'x'|s:N'y'|w:_utf8mb4|s:'z'|"},
        {"x'4d' X'4D' 0x4D b'01' 0b01 0b2 0xg 0x",
         "x:x'4d'|x:X'4D'|x:0x4D|b:b'01'|b:0b01|w:0b2|w:0xg|w:0x|"},
        {"1 1.5 .5 1. 1e5 1e-5 1.5E+3 1e 1a 10_ 1ea",
         "1:1|1:1.5|1:.5|1:1.|1:1e5|1:1e-5|1:1.5E+3|w:1e|w:1a|w:10_|w:1ea|"},
        {"t.5a `t`.5 t.0x1 db.t.c",
         "w:t|o:.|w:5a|n:`t`|o:.|w:5|w:t|o:.|w:0x1|w:db|o:.|w:t|o:.|w:c|"},
        {"a->>'$.x'->\"$\"<=>b<=c!=d:=e||f<<2",
         "w:a|o:->>|s:'$.x'|o:->|s:\"$\"|o:<=>|w:b|o:<=|w:c|o:!=|w:d|o::=|w:e|o:|||w:f|o:<<|1:2|"},
        {"`u`@`h` @@global.x @v", "n:`u`|o:@|n:`h`|o:@|o:@|w:global|o:.|w:x|o:@|w:v|"},
        {"a -- c 'x\nb # d `y\nc --5\n--", "w:a|c:-- c 'x|w:b|c:# d `y|w:c|o:-|o:-|1:5|c:--|"},
        {"a /* x 'y */ b /**/ c/*z*/d", "w:a|c:/* x 'y */|w:b|c:/**/|w:c|c:/*z*/|w:d|"},
        {"a /*!50100 b 'x*/' */ c", "w:a|<:/*!50100|w:b|s:'x*/'|>:*/|w:c|"},
        {"/*!a*/ /*!080013 b*/ /*M!100100 c*//*M! d */",
         "<:/*!|w:a|>:*/|<:/*!080013|w:b|>:*/|<:/*M!100100|w:c|>:*/|<:/*M!|w:d|>:*/|"},
        {"/*!50100 a /* b */ c */ d * /", "<:/*!50100|w:a|c:/* b */|w:c|>:*/|w:d|o:*|o:/|"},
        {"/*T![clustered_index] CLUSTERED */", "c:/*T![clustered_index] CLUSTERED */|"},
        {"größe `ü` $a _b é1", "w:größe|n:`ü`|w:$a|w:_b|w:é1|"},
        {"'a", "line 1: a string is not closed"},
        {"x\n\n 'a\\'", "line 3: a string is not closed"},
        {"`a``", "line 1: a quoted name is not closed"},
        {"x'4", "line 1: a string is not closed"},
        {"a /* b", "line 1: a comment is not closed"},
        {"/*!50100 b", "line 1: a comment is not closed"},
        {"/*!50100 'x*/", "line 1: a string is not closed"},
        {"/*! /* */", "line 1: an executable comment is not closed"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tokenizer t = {.text = cases[i].text};
        struct strbuf out = {0};

        token_dump(&t, &out);
        assert_string_equal(strbuf_str(&out), cases[i].expected);
        strbuf_release(&out);
    }
}

static void sql_modes_change_quotes(void **state)
{
    struct tokenizer ansi = {.text = "\"a\"\"b\" 'c'", .ansi_quotes = true};
    struct tokenizer plain = {.text = "'a\\' b", .no_backslash_escapes = true};
    struct strbuf out = {0};

    (void)state;
    token_dump(&ansi, &out);
    assert_string_equal(strbuf_str(&out), "n:\"a\"\"b\"|s:'c'|");
    strbuf_reset(&out);
    token_dump(&plain, &out);
    assert_string_equal(strbuf_str(&out), "s:'a\\'|w:b|");
    strbuf_release(&out);
}

/* A comment that the source would not execute is a comment. */
static void versions_decide_what_is_executed(void **state)
{
    static const struct {
        struct flavour source;
        const char *text, *expected;
    } cases[] = {
        {{.vendor = VENDOR_MYSQL, .version = 50744}, "/*!50100 a*/", "<:/*!50100|w:a|>:*/|"},
        {{.vendor = VENDOR_MYSQL, .version = 50744}, "/*!80023 a*/", "c:/*!80023 a*/|"},
        {{.vendor = VENDOR_MYSQL, .version = 90704}, "/*M!100100 a*/", "c:/*M!100100 a*/|"},
        {{.vendor = VENDOR_MARIADB, .version = 101119}, "/*!50100 a*/", "<:/*!50100|w:a|>:*/|"},
        {{.vendor = VENDOR_MARIADB, .version = 101119}, "/*!80023 a*/", "c:/*!80023 a*/|"},
        {{.vendor = VENDOR_MARIADB, .version = 101119}, "/*!100100 a*/", "<:/*!100100|w:a|>:*/|"},
        {{.vendor = VENDOR_MARIADB, .version = 101119}, "/*M!100301 a*/", "<:/*M!100301|w:a|>:*/|"},
        {{.vendor = VENDOR_MARIADB, .version = 101119}, "/*M!110000 a*/", "c:/*M!110000 a*/|"},
        {{.vendor = VENDOR_TIDB, .version = 80400}, "/*!99999 a*/", "<:/*!99999|w:a|>:*/|"},
        {{.vendor = VENDOR_TIDB, .version = 80400}, "/*M! a*/", "c:/*M! a*/|"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tokenizer t = {.text = cases[i].text, .source = &cases[i].source};
        struct strbuf out = {0};

        token_dump(&t, &out);
        assert_string_equal(strbuf_str(&out), cases[i].expected);
        strbuf_release(&out);
    }
}

static void values_lose_quotes_and_escapes(void **state)
{
    static const struct token_case cases[] = {
        {"`a``b`", "a`b"},
        {"'it''s'", "it's"},
        {"'a\\'b\\n\\\\'", "a'b\n\\"},
        {"'a\\%b\\_c\\x'", "a\\%b\\_cx"},
        {"\"a\"\"b'c\"", "a\"b'c"},
        {"n'x'", "x"},
        {"`a\\b`", "a\\b"},
        {"word", "word"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tokenizer t = {.text = cases[i].text, .len = strlen(cases[i].text)};
        struct err err = ERR_INIT;
        struct strbuf out = {0};
        struct token token;

        assert_int_equal(token_next(&t, &token, &err), ERR_OK);
        token_value(&t, &token, &out);
        assert_string_equal(strbuf_str(&out), cases[i].expected);
        strbuf_release(&out);
    }
}

static void words_and_operators_are_recognised(void **state)
{
    struct tokenizer t = {.text = "tAbLe", .len = 5};
    struct tokenizer quoted = {.text = "`table`", .len = 7};
    struct err err = ERR_INIT;
    struct token token;

    (void)state;
    assert_int_equal(token_next(&t, &token, &err), ERR_OK);
    assert_true(token_is(t.text, &token, "TABLE"));
    assert_false(token_is(t.text, &token, "TABLES"));
    assert_true(token_is_name(&token));
    assert_int_equal(token_next(&quoted, &token, &err), ERR_OK);
    assert_false(token_is(quoted.text, &token, "TABLE"));
    assert_true(token_is_name(&token));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_text_into_tokens),
        cmocka_unit_test(sql_modes_change_quotes),
        cmocka_unit_test(versions_decide_what_is_executed),
        cmocka_unit_test(values_lose_quotes_and_escapes),
        cmocka_unit_test(words_and_operators_are_recognised),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
