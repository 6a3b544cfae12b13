/* ferry position: of a dump, or of a target that is followed; in the form asked for. */
#include "cli/position_target.h"

#include <stdio.h>

struct position_opts {
    const char *input, *target, *target_password, *defaults_file, *meta_schema;
    int form; /* enum position_form */
};

static const char *const form_words[] = {"text", "json", "dm", "mysql", "mariadb", NULL};

#define FIELD(f) offsetof(struct position_opts, f)
static const struct opt position_opts_table[] = {
    {"input", 'i', OPT_STRING, FIELD(input), "URL",
     "where the dump is: a folder or s3://bucket/prefix?...", NULL, 0, 0, false},
    {"target", 0, OPT_STRING, FIELD(target), "URL",
     "a server that ferry follow has brought to a place of the binlog", NULL, 0, 0, false},
    {"target-password", 0, OPT_STRING, FIELD(target_password), "WORD",
     "the target's; only in the environment or the config file", NULL, 0, 0, true},
    {"defaults-file", 0, OPT_STRING, FIELD(defaults_file), "FILE",
     "the mysql client's option file; groups [target], [client]", NULL, 0, 0, false},
    {"meta-schema", 0, OPT_STRING, FIELD(meta_schema), "NAME",
     "database on the target that keeps the load's progress (ferry_meta)", NULL, 0, 0, false},
    {"as", 0, OPT_ENUM, FIELD(form), "text|json|dm|mysql|mariadb",
     "dm: a task of TiDB Data Migration; mysql, mariadb: the replica's statements (text)",
     form_words, 0, 0, false},
    {.kind = OPT_END}};
#undef FIELD

static enum err_code position_of_dump(const struct position_opts *o, struct strbuf *text,
                                      struct err *err)
{
    struct store *store = NULL;
    struct dump *dump = NULL;
    enum err_code rc = store_open(o->input, false, &store, err);

    if (!rc)
        rc = dump_open(store, true, &dump, err);
    if (!rc)
        rc = dump_position(dump, (enum position_form)o->form, text, err);
    dump_free(dump);
    store_free(store);
    return rc;
}

static enum err_code position_print(const struct position_opts *o, struct err *err)
{
    const struct server_opts target = {
        .url = o->target, .password = o->target_password, .defaults_file = o->defaults_file};
    struct strbuf text = {0};
    enum err_code rc;

    if (!o->input == !o->target)
        return err_set(err, ERR_USAGE,
                       "no input: give --input FOLDER or s3://BUCKET/PREFIX, or else --target URL");
    if (o->input)
        rc = position_of_dump(o, &text, err);
    else
        rc = position_of_target(&target, o->meta_schema, (enum position_form)o->form, &text, err);
    if (!rc)
        (void)fputs(strbuf_str(&text), stdout);
    strbuf_release(&text);
    return rc;
}

enum err_code command_position(struct command_context *ctx, struct err *err)
{
    struct position_opts opts = {0};
    struct general_opts general = {0};
    const struct opt_table tables[] = {{"Position", position_opts_table, &opts},
                                       {"General", general_opts_table, &general}};
    const struct command_line line = {
        "position --input URL | --target URL [--as FORM]",
        "Prints the binlog position that a dump belongs to, or that ferry follow has\n"
        "brought a target to, for the tool that follows the source from there. Refused\n"
        "where following it would lose or double changes.\n",
        tables, 2, &general};
    struct opt_set *set = NULL;
    enum err_code rc = command_start(&line, ctx, &set, NULL, err);

    if (!rc && !general.help)
        rc = position_print(&opts, err);
    opt_set_free(set);
    return rc;
}
