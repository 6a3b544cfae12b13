#include "common/base/opt_driver.h"

#include <string.h>

#define HELP_COLUMN 30 /* where the sentences begin */
#define HELP_WIDTH 100

/* Adds the sentence, broken at spaces, each line indented to HELP_COLUMN. */
static void opt_help_wrap(struct strbuf *out, const char *text)
{
    size_t column = HELP_COLUMN;

    while (*text) {
        size_t len = strcspn(text, " ");

        if (column > HELP_COLUMN && column + 1 + len > HELP_WIDTH) {
            strbuf_addf(out, "\n%*s", HELP_COLUMN, "");
            column = HELP_COLUMN;
        } else if (column > HELP_COLUMN) {
            strbuf_addch(out, ' ');
            column++;
        }
        strbuf_add(out, text, len);
        column += len;
        text += len;
        text += strspn(text, " ");
    }
    strbuf_addch(out, '\n');
}

static void opt_help_words(struct strbuf *out, const struct opt *opt)
{
    for (size_t i = 0; opt->words[i]; i++)
        strbuf_addf(out, "%s%s", i ? "|" : " ", opt->words[i]);
}

static void opt_help_row(struct strbuf *out, const struct opt *opt)
{
    size_t start = out->len;
    size_t width;

    if (opt->secret) {
        strbuf_addstr(out, "      "); /* not on the command line: its variable is its name */
        opt_add_env_name(out, opt);
    } else {
        if (opt->letter)
            strbuf_addf(out, "  -%c, ", opt->letter);
        else
            strbuf_addstr(out, "      ");
        strbuf_addf(out, "--%s", opt->name);
        if (opt->arg)
            strbuf_addf(out, " %s", opt->arg);
        else if (opt->kind == OPT_ENUM)
            opt_help_words(out, opt);
    }
    width = out->len - start;
    if (width + 2 > HELP_COLUMN) {
        strbuf_addch(out, '\n');
        width = 0;
    }
    strbuf_addf(out, "%*s", (int)(HELP_COLUMN - width), "");
    opt_help_wrap(out, opt->help);
}

void opt_help(struct strbuf *out, const struct opt_table *tables, size_t table_count)
{
    for (size_t t = 0; t < table_count; t++) {
        strbuf_addf(out, "%s%s:\n", t ? "\n" : "", tables[t].title);
        for (const struct opt *o = tables[t].opts; o->kind != OPT_END; o++)
            if (o->help)
                opt_help_row(out, o);
    }
}
