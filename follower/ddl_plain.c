/* A statement whose session had modes of its own, in the words of a session without them. */
#include "common/mysql/ident.h"
#include "follower/follow_ddl.h"

#define MODE_REAL_AS_FLOAT 1U
#define MODE_PIPES_AS_CONCAT 2U
#define MODE_ANSI_QUOTES 4U
#define MODE_NO_BACKSLASH_ESCAPES 0x100000U

static void plain_string(const char *text, size_t len, struct strbuf *out)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\\')
            strbuf_addch(out, '\\');
        strbuf_addch(out, text[i]);
    }
}

enum err_code ddl_plain(const struct binlog_statement *s, const struct flavour *source,
                        struct strbuf *out, const char **strange, struct err *err)
{
    struct strbuf text = {0};
    struct tokenizer t = {.source = source,
                          .ansi_quotes = (s->sql_mode & MODE_ANSI_QUOTES) != 0,
                          .no_backslash_escapes = (s->sql_mode & MODE_NO_BACKSLASH_ESCAPES) != 0};
    struct token token = {.kind = TOKEN_SPACE};
    enum err_code rc = ERR_OK;

    strbuf_add(&text, s->text, s->len);
    t.text = strbuf_str(&text);
    t.len = s->len;
    while (!rc && token.kind != TOKEN_END) {
        rc = token_next(&t, &token, err);
        if (rc || token.kind == TOKEN_END)
            break;
        if (token.kind == TOKEN_NAME && t.text[token.pos] == '"') {
            struct strbuf name = {0};

            token_value(&t, &token, &name);
            strbuf_add_ident(out, strbuf_str(&name));
            strbuf_release(&name);
        } else if (token.kind == TOKEN_STRING && t.no_backslash_escapes) {
            plain_string(t.text + token.pos, token.len, out);
        } else if ((s->sql_mode & MODE_REAL_AS_FLOAT) && token_is(t.text, &token, "REAL")) {
            strbuf_addstr(out, "FLOAT"); /* REAL is no name: it is reserved */
        } else {
            if ((s->sql_mode & MODE_PIPES_AS_CONCAT) && token_is(t.text, &token, "||"))
                *strange = "its session had sql_mode=PIPES_AS_CONCAT";
            strbuf_add(out, t.text + token.pos, token.len);
        }
    }
    strbuf_release(&text);
    return rc;
}
