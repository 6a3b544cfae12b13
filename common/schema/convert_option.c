#include "common/schema/convert_inner.h"

#include <stdio.h>
#include <strings.h>

/* Who takes the option. */
enum { TAKES_TIDB = 1, TAKES_MYSQL = 2, TAKES_MARIADB = 4, TAKES_ALL = 7 };

static const struct convert_option_rule {
    const char *name;
    unsigned takers;
    enum change_severity severity;
    const char *meaning;
} option_rules[] = {
    {"ENGINE", TAKES_ALL, CHANGE_INFO, NULL},
    {"AUTO_INCREMENT", TAKES_ALL, CHANGE_INFO, NULL},
    {"AVG_ROW_LENGTH", TAKES_ALL, CHANGE_INFO, NULL},
    {"CHARSET", TAKES_ALL, CHANGE_INFO, NULL},
    {"COLLATE", TAKES_ALL, CHANGE_INFO, NULL},
    {"CHECKSUM", TAKES_ALL, CHANGE_INFO, NULL},
    {"CONNECTION", TAKES_ALL, CHANGE_INFO, NULL},
    {"DATA DIRECTORY", TAKES_ALL, CHANGE_INFO, NULL},
    {"INDEX DIRECTORY", TAKES_ALL, CHANGE_INFO, NULL},
    {"DELAY_KEY_WRITE", TAKES_ALL, CHANGE_INFO, NULL},
    {"KEY_BLOCK_SIZE", TAKES_ALL, CHANGE_INFO, NULL},
    {"MAX_ROWS", TAKES_ALL, CHANGE_INFO, NULL},
    {"MIN_ROWS", TAKES_ALL, CHANGE_INFO, NULL},
    {"PACK_KEYS", TAKES_ALL, CHANGE_INFO, NULL},
    {"PASSWORD", TAKES_ALL, CHANGE_INFO, NULL},
    {"ROW_FORMAT", TAKES_ALL, CHANGE_INFO, NULL},
    {"STATS_PERSISTENT", TAKES_ALL, CHANGE_INFO, NULL},
    {"STATS_AUTO_RECALC", TAKES_ALL, CHANGE_INFO, NULL},
    {"STATS_SAMPLE_PAGES", TAKES_ALL, CHANGE_INFO, NULL},
    {"COMMENT", TAKES_ALL, CHANGE_INFO, NULL}, /* of a database: convert_database_comment */
    {"COMPRESSION", TAKES_TIDB | TAKES_MYSQL, CHANGE_INFO,
     "the table is stored as the target does"},
    {"ENCRYPTION", TAKES_TIDB | TAKES_MYSQL, CHANGE_WARNING, "encryption is the target's affair"},
    {"TABLESPACE", TAKES_TIDB | TAKES_MYSQL, CHANGE_INFO, "the table is stored as the target does"},
    {"STORAGE", TAKES_TIDB | TAKES_MYSQL, CHANGE_INFO, "the table is stored as the target does"},
    {"SECONDARY_ENGINE", TAKES_TIDB | TAKES_MYSQL, CHANGE_INFO, "MySQL's second engine"},
    {"TABLE_CHECKSUM", TAKES_TIDB | TAKES_MARIADB, CHANGE_INFO,
     "the table is stored as the target does"},
    {"UNION", TAKES_MYSQL | TAKES_MARIADB, CHANGE_LOSS,
     "a MERGE table becomes a table of its own, which holds the rows of all"},
    {"INSERT_METHOD", TAKES_MYSQL | TAKES_MARIADB, CHANGE_INFO, "an option of MERGE tables"},
    {"AUTOEXTEND_SIZE", TAKES_MYSQL, CHANGE_INFO, "the table is stored as the target does"},
    {"ENGINE_ATTRIBUTE", TAKES_MYSQL, CHANGE_INFO, "an attribute for MySQL's engines"},
    {"SECONDARY_ENGINE_ATTRIBUTE", TAKES_MYSQL, CHANGE_INFO, "an attribute for MySQL's engines"},
    {"START TRANSACTION", TAKES_MYSQL, CHANGE_INFO, "a mark of MySQL's binlog"},
    {"PAGE_CHECKSUM", TAKES_MARIADB, CHANGE_INFO, "an option of MariaDB's engines"},
    {"TRANSACTIONAL", TAKES_MARIADB, CHANGE_INFO, "an option of MariaDB's engines"},
    {"PAGE_COMPRESSED", TAKES_MARIADB, CHANGE_INFO, "the table is stored as the target does"},
    {"PAGE_COMPRESSION_LEVEL", TAKES_MARIADB, CHANGE_INFO,
     "the table is stored as the target does"},
    {"ENCRYPTED", TAKES_MARIADB, CHANGE_WARNING, "encryption is the target's affair"},
    {"ENCRYPTION_KEY_ID", TAKES_MARIADB, CHANGE_WARNING, "encryption is the target's affair"},
    {"SEQUENCE", TAKES_MARIADB, CHANGE_INFO, "an option of MariaDB's"},
    {"IETF_QUOTES", TAKES_MARIADB, CHANGE_INFO, "an option of MariaDB's engines"},
    {"SYSTEM VERSIONING", TAKES_MARIADB, CHANGE_LOSS,
     "the target keeps no history: only the present rows are moved"},
};

static const struct convert_option_rule *convert_option_rule_of(const struct ddl_option *o)
{
    for (size_t i = 0; i < sizeof option_rules / sizeof *option_rules; i++)
        if (strcmp(o->name, option_rules[i].name) == 0)
            return &option_rules[i];
    return NULL;
}

static unsigned convert_taker(const struct converter *c)
{
    static const unsigned takers[] = {
        [VENDOR_MYSQL] = TAKES_MYSQL, [VENDOR_MARIADB] = TAKES_MARIADB, [VENDOR_TIDB] = TAKES_TIDB};

    return takers[c->to];
}

static bool convert_in(const char *const *list, const char *word)
{
    for (; *list; list++)
        if (strcasecmp(*list, word) == 0)
            return true;
    return false;
}

/* ---- engines and row formats ---- */

static bool convert_engine_known(const struct converter *c, const char *engine)
{
    static const char *const tidb[] = {"InnoDB",  "MyISAM",    "MEMORY",    "HEAP", "CSV",
                                       "ARCHIVE", "BLACKHOLE", "FEDERATED", "NDB",  NULL};
    static const char *const mysql[] = {"InnoDB",  "MyISAM",     "MEMORY",    "HEAP", "CSV",
                                        "ARCHIVE", "BLACKHOLE",  "FEDERATED", "NDB",  "NDBCLUSTER",
                                        "MERGE",   "MRG_MyISAM", NULL};
    static const char *const not_mariadb[] = {"NDB", "NDBCLUSTER", NULL};

    if (c->to == VENDOR_TIDB)
        return convert_in(tidb, engine);
    if (c->to == VENDOR_MYSQL)
        return convert_in(mysql, engine);
    return !convert_in(not_mariadb, engine);
}

/* `value`: the token of an engine's name, of the table or of a partition. */
static void convert_engine(struct converter *c, size_t value)
{
    const char *engine = ddl_value(&c->d, value);

    if (convert_engine_known(c, engine))
        return;
    convert_say(c, (struct convert_note){CHANGE_INFO, PART_OPTION, "ENGINE", engine, "InnoDB"},
                "the target does not know the engine");
    ddl_replace(&c->d, (struct ddl_span){value, value + 1}, "InnoDB");
}

static bool convert_row_format_known(const struct converter *c, const char *format)
{
    static const char *const formats[] = {"DEFAULT",   "DYNAMIC", "FIXED", "COMPRESSED",
                                          "REDUNDANT", "COMPACT", NULL};

    return c->to == VENDOR_MARIADB || convert_in(formats, format);
}

/* ---- options ---- */

/* Why the option goes; NULL: it stays. */
static const char *convert_option_goes(struct converter *c, const struct ddl_option *o,
                                       enum change_severity *severity)
{
    const struct convert_option_rule *rule = convert_option_rule_of(o);
    const bool mine = !c->other_vendor;

    *severity = CHANGE_INFO;
    if (o->quoted)
        return mine || c->to == VENDOR_MARIADB ? NULL : "an option of MariaDB's engines";
    if (!rule) {
        *severity = CHANGE_WARNING;
        return mine ? NULL : "the target does not know the option";
    }
    if (strcmp(o->name, "ROW_FORMAT") == 0 && o->value != DDL_NONE)
        return convert_row_format_known(c, ddl_value(&c->d, o->value))
                   ? NULL
                   : "the table is stored as the target does";
    if (strcmp(o->name, "COMMENT") == 0 && c->t.name.end == 0)
        return c->to == VENDOR_MARIADB ? NULL : "the target's databases have no comment";
    *severity = rule->severity;
    if (strcmp(o->name, "ENCRYPTION") == 0 && strcmp(ddl_value(&c->d, o->value), "N") == 0)
        *severity = CHANGE_INFO;
    return rule->takers & convert_taker(c) ? NULL : rule->meaning;
}

/* The name without backquotes. */
static const char *convert_option_title(const struct converter *c, const struct ddl_option *o)
{
    return o->quoted ? ddl_value(&c->d, o->span.first + ddl_is(&c->d, o->span.first, ","))
                     : o->name;
}

void convert_options(struct converter *c, const struct ddl_option *options, size_t count)
{
    bool kept = false;

    for (size_t i = 0; i < count && c->other_vendor; i++) {
        const struct ddl_option *o = &options[i];
        struct convert_note note = {.part = PART_OPTION, .name = convert_option_title(c, o)};
        const char *why = convert_option_goes(c, o, &note.severity);

        if (ddl_is(&c->d, o->span.first, ",")) {
            const struct ddl_span rest = {o->span.first + 1, o->span.end};

            note.was = ddl_source(&c->d, rest);
            if (!kept || why)
                ddl_remove(&c->d, (struct ddl_span){o->span.first, o->span.first + 1});
        }
        if (why) {
            convert_drop(c, o->span, note, why);
            continue;
        }
        kept = true;
        note.severity = CHANGE_WARNING;
        if (strcmp(o->name, "COMMENT") == 0 && !o->quoted && o->value != DDL_NONE)
            convert_comment(c, note, o->value, 2048);
        if (strcmp(o->name, "ENGINE") == 0 && o->value != DDL_NONE && !o->quoted)
            convert_engine(c, o->value);
    }
}

/* ---- the table's or database's own collation ---- */

static const struct ddl_option *convert_option_named(const struct converter *c, const char *name)
{
    const struct ddl_option *found = NULL;

    for (size_t i = 0; i < c->t.option_count; i++)
        if (strcmp(c->t.options[i].name, name) == 0 && !c->t.options[i].quoted)
            found = &c->t.options[i]; /* the last one counts */
    return found;
}

static void convert_table_collation_say(struct converter *c)
{
    struct convert_note note = {.severity = CHANGE_WARNING,
                                .part = PART_OPTION,
                                .name = "COLLATE",
                                .was = arena_strdup(c->out->arena, c->table_source),
                                .is = arena_strdup(c->out->arena, c->table_map.name)};
    struct strbuf words = {0};

    if (strcasecmp(c->table_source, c->table_map.name) == 0)
        return;
    if (c->table_map.relation <= COLLATION_EQUAL)
        note.severity = CHANGE_INFO;
    collation_explain(&c->table_map, &words);
    convert_say(c, note, "for columns that name no other: %s", strbuf_str(&words));
    strbuf_release(&words);
}

/* Writes the map into the options that are there. */
static void convert_table_collation_put(struct converter *c, const struct ddl_option *charset,
                                        const struct ddl_option *collate)
{
    const char *cs = arena_strdup(c->out->arena, c->table_map.charset);
    const char *name = arena_strdup(c->out->arena, c->table_map.name);
    const char *usual = charset_default_collation(cs, c->p->target);
    struct strbuf text = {0};
    const char *was;

    if (charset) {
        was = ddl_value(&c->d, charset->value);
        if (strcasecmp(was, cs) != 0 &&
            !(strcmp(cs, "utf8mb3") == 0 && strcasecmp(was, "utf8") == 0) &&
            !(strcmp(cs, "utf8") == 0 && strcasecmp(was, "utf8mb3") == 0))
            ddl_replace(&c->d, (struct ddl_span){charset->value, charset->value + 1}, cs);
    }
    if (collate) {
        if (strcasecmp(ddl_value(&c->d, collate->value), name) != 0)
            ddl_replace(&c->d, (struct ddl_span){collate->value, collate->value + 1}, name);
    } else if (charset && (!usual || strcmp(usual, name) != 0)) {
        strbuf_addf(&text, "%s%s",
                    ddl_is(&c->d, charset->value - 1, "=") ? " COLLATE=" : " COLLATE ", name);
        ddl_put_behind(&c->d, charset->value, convert_keep(c, &text));
    }
    strbuf_release(&text);
}

void convert_table_collation(struct converter *c)
{
    const struct ddl_option *charset = convert_option_named(c, "CHARSET");
    const struct ddl_option *collate = convert_option_named(c, "COLLATE");
    const char *source = NULL;

    if (collate)
        source = ddl_value(&c->d, collate->value);
    else if (charset)
        source = charset_default_collation(ddl_value(&c->d, charset->value), c->p->source);
    else
        source = c->p->database_collation;
    if (!source)
        return;
    (void)snprintf(c->table_source, sizeof c->table_source, "%s", source);
    if (!charset && !collate) /* columns will say it themselves */
        return;
    collation_map(source, c->p->target, (struct collation_wish){0}, &c->table_map);
    convert_table_collation_say(c);
    convert_table_collation_put(c, charset, collate);
}

/* ---- partitions ---- */

static struct convert_note convert_partition_note(struct converter *c, struct ddl_span span,
                                                  enum change_severity severity)
{
    return (struct convert_note){severity, PART_PARTITION, "", ddl_source(&c->d, span), NULL};
}

/* SUBPARTITION BY ... and, in the definitions, the lists of subpartitions. */
static void convert_subpartitions(struct converter *c, size_t at)
{
    struct ddl_text *d = &c->d;
    struct ddl_span by = {at, at + 2};

    by.end += ddl_is(d, by.end, "LINEAR");
    by.end++; /* HASH or KEY */
    if (ddl_is(d, by.end, "ALGORITHM"))
        by.end += 3;
    by.end = ddl_parens_end(d, by.end) ? ddl_parens_end(d, by.end) : by.end;
    if (ddl_is(d, by.end, "SUBPARTITIONS"))
        by.end += 2;
    convert_drop(c, by, convert_partition_note(c, by, CHANGE_WARNING),
                 "TiDB has no subpartitions: the table has its partitions only");
    for (size_t i = by.end; i < c->t.partition.end; i++)
        if (ddl_is(d, i, "(") && ddl_is(d, i + 1, "SUBPARTITION"))
            ddl_remove(d, (struct ddl_span){i, ddl_parens_end(d, i)});
}

static void convert_partition_tidb(struct converter *c)
{
    const struct ddl_span span = c->t.partition;
    struct ddl_text *d = &c->d;

    for (size_t i = span.first; i < span.end; i++) {
        const struct ddl_span word = {i, i + 1};

        if (ddl_is(d, i, "LINEAR") && !d->marks[i].dead)
            convert_drop(c, word, convert_partition_note(c, word, CHANGE_INFO),
                         "rows are spread over the partitions otherwise");
        else if (ddl_words(d, i, "SUBPARTITION BY"))
            convert_subpartitions(c, i);
    }
}

static void convert_partition_mysql(struct converter *c)
{
    const struct ddl_span span = c->t.partition;

    for (size_t i = span.first; i + 2 < span.end; i++)
        if (ddl_is(&c->d, i, "PARTITION") && token_is_name(ddl_token(&c->d, i + 1)) &&
            ddl_is(&c->d, i + 2, "DEFAULT"))
            convert_say(c, convert_partition_note(c, (struct ddl_span){i, i + 3}, CHANGE_REFUSED),
                        "MySQL has no partition for all other values");
}

/* Text columns that bound the partitions, whose order is not the same any more. */
static void convert_partition_order(struct converter *c)
{
    for (size_t i = c->t.partition.first; i < c->t.partition.end; i++) {
        const struct convert_column *col = token_is_name(ddl_token(&c->d, i))
                                               ? convert_column_named(c, ddl_value(&c->d, i))
                                               : NULL;

        if (col && col->text && col->map.relation > COLLATION_EQUAL) {
            convert_say(c,
                        (struct convert_note){CHANGE_WARNING, PART_PARTITION, col->name,
                                              col->source,
                                              arena_strdup(c->out->arena, col->map.name)},
                        "rows can fall into other partitions, and bounds that were in order need "
                        "not be any more");
            return;
        }
    }
}

void convert_partition(struct converter *c)
{
    const struct ddl_span span = c->t.partition;
    const char *lacking = NULL;

    if (span.first == span.end || !c->other_vendor)
        return;
    if (ddl_words(&c->d, span.first, "PARTITION BY SYSTEM_TIME") && c->to != VENDOR_MARIADB) {
        convert_drop(c, span, convert_partition_note(c, span, CHANGE_WARNING),
                     "the target keeps no history to be partitioned");
        return;
    }
    if (c->to == VENDOR_TIDB)
        convert_partition_tidb(c);
    else if (c->to == VENDOR_MYSQL)
        convert_partition_mysql(c);
    convert_partition_order(c);
    convert_expression(c, span, "", &lacking);
    if (lacking)
        convert_say(c, convert_partition_note(c, span, CHANGE_REFUSED),
                    "%s has no %s, so it cannot tell the partition of a row", vendor_name(c->to),
                    lacking);
    for (size_t i = span.first; i + 1 < span.end; i++)
        if (ddl_is(&c->d, i, "ENGINE") && !c->d.marks[i].dead)
            convert_engine(c, i + 1 + ddl_is(&c->d, i + 1, "="));
}
