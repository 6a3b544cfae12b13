/* Completion for bash: complete(1) calls _ferry, which looks up the words in one case a command. */
#include "cli/help_forms.h"

#include <string.h>

static const char begin_text[] =
    "# bash completion of ferry. Made by: ferry help completion\n"
    "_ferry() {\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words=\n"
    "    COMPREPLY=()\n"
    "    if [ \"$cur\" = \"=\" ]; then\n"
    "        cur=\n"
    "    elif [ \"$prev\" = \"=\" ]; then\n"
    "        prev=${COMP_WORDS[COMP_CWORD-2]}\n"
    "    fi\n";

void help_completion_begin(struct strbuf *out, const struct command *commands, size_t count)
{
    strbuf_addstr(out, begin_text);
    strbuf_addstr(out, "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n        words='");
    for (size_t i = 0; i < count; i++)
        strbuf_addf(out, "%s%s", i ? " " : "", commands[i].name);
    strbuf_addstr(out, " --version --help'\n    else\n    case ${COMP_WORDS[1]} in\n");
}

static bool is_path(const struct opt *o)
{
    return o->arg && (strcmp(o->arg, "FILE") == 0 || strcmp(o->arg, "FOLDER") == 0 ||
                      strcmp(o->arg, "DIR") == 0 || strcmp(o->name, "output") == 0 ||
                      strcmp(o->name, "input") == 0);
}

/* The words that an option takes, or the files: one case of `prev`. */
static void completion_value(struct strbuf *out, const struct opt *o)
{
    if (o->kind == OPT_BOOL || o->kind == OPT_COUNT)
        return;
    strbuf_addstr(out, "        ");
    if (o->letter)
        strbuf_addf(out, "-%c|", o->letter);
    strbuf_addf(out, "--%s) ", o->name);
    if (o->kind == OPT_ENUM) {
        strbuf_addstr(out, "words='");
        for (size_t i = 0; o->words[i]; i++)
            strbuf_addf(out, "%s%s", i ? " " : "", o->words[i]);
        strbuf_addstr(out, "'");
    } else {
        strbuf_addstr(out, is_path(o) ? "_ferry_files; return" : "return");
    }
    strbuf_addstr(out, ";;\n");
}

/* "job list|status [NAME]": the words that may follow the command's name. */
static void completion_verbs(struct strbuf *out, const char *usage)
{
    const char *p = strchr(usage, ' ');
    size_t len = p ? strcspn(p + 1, " ") : 0;

    if (!p || !memchr(p + 1, '|', len) || p[1] == '-')
        return;
    for (size_t i = 1; i <= len; i++)
        strbuf_addch(out, (char)(p[i] == '|' ? ' ' : p[i]));
    strbuf_addch(out, ' ');
}

void help_completion_command(struct strbuf *out, const struct command_line *line)
{
    strbuf_addf(out, "    %.*s)\n        case $prev in\n", (int)strcspn(line->usage, " "),
                line->usage);
    for (size_t t = 0; t < line->table_count; t++)
        for (const struct opt *o = line->tables[t].opts; o->kind != OPT_END; o++)
            if (o->help && !o->secret)
                completion_value(out, o);
    strbuf_addstr(out, "        *) words='");
    completion_verbs(out, line->usage);
    for (size_t t = 0; t < line->table_count; t++)
        for (const struct opt *o = line->tables[t].opts; o->kind != OPT_END; o++)
            if (o->help && !o->secret)
                strbuf_addf(out, "--%s ", o->name);
    out->str[out->len - 1] = '\'';
    strbuf_addstr(out, ";;\n        esac;;\n");
}

void help_completion_end(struct strbuf *out)
{
    strbuf_addstr(out, "    help) words='errors checks man completion';;\n    esac\n    fi\n"
                       "    case $cur in\n"
                       "    -*|\"\") ;;\n"
                       "    */*|.*) _ferry_files; return;;\n"
                       "    esac\n"
                       "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
                       "}\n"
                       "_ferry_files() {\n"
                       "    compopt -o filenames 2>/dev/null\n"
                       "    mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
                       "}\n"
                       "complete -F _ferry ferry\n");
}
