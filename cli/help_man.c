/* Man pages: the macros are those of groff_man(7). */
#include "cli/help_forms.h"

#include <string.h>

/* Text in which no character is a request or an escape; hyphens stay hyphens when they are copied.
 */
static void man_text(struct strbuf *out, const char *text)
{
    bool at_begin = true;

    for (; *text; text++) {
        if (at_begin && (*text == '.' || *text == '\''))
            strbuf_addstr(out, "\\&");
        if (*text == '\\')
            strbuf_addstr(out, "\\e");
        else if (*text == '-')
            strbuf_addstr(out, "\\-");
        else
            strbuf_addch(out, *text);
        at_begin = *text == '\n';
    }
}

static void man_line(struct strbuf *out, const char *macro, const char *text)
{
    strbuf_addstr(out, macro);
    man_text(out, text);
    strbuf_addch(out, '\n');
}

static void man_title(struct strbuf *out, const char *name, const char *summary)
{
    strbuf_addf(out, ".TH %s 1 \"\" \"ferry\" \"ferry\"\n.SH NAME\n", name);
    for (const char *p = name; *p; p++)
        strbuf_addch(out, (char)(*p >= 'A' && *p <= 'Z' ? *p - 'A' + 'a' : *p));
    strbuf_addstr(out, " \\- ");
    man_text(out, summary);
    strbuf_addstr(out, "\n.SH SYNOPSIS\n");
}

static void man_option(struct strbuf *out, const struct opt *o)
{
    strbuf_addstr(out, ".TP\n");
    if (o->secret) {
        strbuf_addstr(out, "\\fB");
        opt_add_env_name(out, o);
        strbuf_addstr(out, "\\fR");
    } else {
        if (o->letter)
            strbuf_addf(out, "\\fB\\-%c\\fR, ", o->letter);
        strbuf_addstr(out, "\\fB\\-\\-");
        man_text(out, o->name);
        strbuf_addstr(out, "\\fR");
    }
    if (!o->secret && o->arg) {
        strbuf_addstr(out, " \\fI");
        man_text(out, o->arg);
        strbuf_addstr(out, "\\fR");
    } else if (o->kind == OPT_ENUM) {
        for (size_t i = 0; o->words[i]; i++) {
            strbuf_addstr(out, i ? "|" : " ");
            man_text(out, o->words[i]);
        }
    }
    strbuf_addch(out, '\n');
    man_line(out, "", o->help);
}

static void man_tail(struct strbuf *out)
{
    strbuf_addstr(out, ".SH EXIT STATUS\n"
                       "0 done; 1 failed; 2 usage; 3 stopped by conflicts or drift, or differences "
                       "found; 4 a check failed; 5 the dump is incomplete or corrupt; 6 done, with "
                       "rows or objects left out as asked; 75 try again (a fault that may pass "
                       "outlasted its retries); 130 interrupted, and the same command goes on.\n");
}

void help_man_command(struct strbuf *out, const struct command_line *line, const char *summary)
{
    struct strbuf name = {0};

    strbuf_addstr(&name, "FERRY-");
    for (const char *p = line->usage; *p && *p != ' '; p++)
        strbuf_addch(&name, (char)(*p >= 'a' && *p <= 'z' ? *p - 'a' + 'A' : *p));
    man_title(out, strbuf_str(&name), summary);
    strbuf_release(&name);
    man_line(out, "ferry ", line->usage);
    strbuf_addstr(out, ".SH DESCRIPTION\n.nf\n");
    man_line(out, "", line->text);
    strbuf_addstr(out, ".fi\n.SH OPTIONS\n");
    for (size_t t = 0; t < line->table_count; t++) {
        man_line(out, ".SS ", line->tables[t].title);
        for (const struct opt *o = line->tables[t].opts; o->kind != OPT_END; o++)
            if (o->help)
                man_option(out, o);
    }
    man_tail(out);
    strbuf_addstr(out, ".SH SEE ALSO\n\\fBferry\\fR(1)\n");
}

void help_man_program(struct strbuf *out, const struct command *commands, size_t count)
{
    man_title(out, "FERRY", "move a MySQL or MariaDB database into TiDB through files");
    man_line(out, "", "ferry COMMAND [OPTION]...");
    strbuf_addstr(out, ".SH COMMANDS\n");
    for (size_t i = 0; i < count; i++) {
        if (commands[i].run == command_help_words)
            continue; /* it has no page */
        strbuf_addf(out, ".TP\n\\fBferry\\-%s\\fR(1)\n", commands[i].name);
        man_line(out, "", commands[i].summary);
    }
    strbuf_addstr(out,
                  ".SH ENVIRONMENT\n"
                  "Each option may stand in the environment: \\fBFERRY_\\fR and its long name "
                  "in capitals, with \\(aq_\\(aq for \\(aq\\-\\(aq (\\fBFERRY_THREADS=8\\fR). "
                  "Passwords stand there alone: \\fBFERRY_SOURCE_PASSWORD\\fR, "
                  "\\fBFERRY_TARGET_PASSWORD\\fR.\n.SH FILES\n"
                  "\\fB\\-\\-config\\fR \\fIFILE\\fR has a line \\fIlong\\-name = value\\fR an "
                  "option, those behind [\\fICOMMAND\\fR] for that command alone. The command "
                  "line is stronger than the environment, and that is stronger than the "
                  "file.\n");
    man_tail(out);
}
