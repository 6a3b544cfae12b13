/* ferry position --input URL: options -> dump_open -> the position in the form asked for. */
#include "cli/opt_common.h"

#include "formats/dump_position.h"

#include <stdio.h>

struct position_opts {
    const char *input;
    int form; /* enum position_form */
};

static const char *const form_words[] = {"text", "json", "dm", "mysql", "mariadb", NULL};

#define FIELD(f) offsetof(struct position_opts, f)
static const struct opt position_opts_table[] = {
    {"input", 'i', OPT_STRING, FIELD(input), "URL",
     "where the dump is: a folder or s3://bucket/prefix?...", NULL, 0, 0, false},
    {"as", 0, OPT_ENUM, FIELD(form), "text|json|dm|mysql|mariadb",
     "dm: a task of TiDB Data Migration; mysql, mariadb: the replica's statements (text)",
     form_words, 0, 0, false},
    {.kind = OPT_END}};
#undef FIELD

static enum err_code position_print(const struct position_opts *o, struct err *err)
{
    struct strbuf text = {0};
    struct store *store = NULL;
    struct dump *dump = NULL;
    enum err_code rc;

    if (!o->input)
        return err_set(err, ERR_USAGE, "no input: give --input FOLDER or s3://BUCKET/PREFIX");
    rc = store_open(o->input, false, &store, err);
    if (!rc)
        rc = dump_open(store, true, &dump, err);
    if (!rc)
        rc = dump_position(dump, (enum position_form)o->form, &text, err);
    if (!rc)
        (void)fputs(strbuf_str(&text), stdout);
    strbuf_release(&text);
    dump_free(dump);
    store_free(store);
    return rc;
}

enum err_code command_position(struct command_context *ctx, struct err *err)
{
    struct position_opts opts = {0};
    struct general_opts general = {0};
    const struct opt_table tables[] = {{"Position", position_opts_table, &opts},
                                       {"General", general_opts_table, &general}};
    const struct command_line line = {
        "position --input URL [--as FORM]",
        "Prints the binlog position that a dump belongs to, for the tool that follows\n"
        "the source from there. Refused where following it would lose or double\n"
        "changes.\n",
        tables, 2, &general};
    struct opt_set *set = NULL;
    enum err_code rc = command_start(&line, ctx, &set, NULL, err);

    if (!rc && !general.help)
        rc = position_print(&opts, err);
    opt_set_free(set);
    return rc;
}
