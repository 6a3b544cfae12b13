/* The members of each record kind, in the order in which they are written; docs/format.md says what
 * they mean. */
#include "formats/record_inner.h"

#include "common/base/mem.h"

#include <stdlib.h>
#include <string.h>

#define F(union_member, member, field_kind)                                                        \
    {                                                                                              \
#member, field_kind, offsetof(struct record, u.union_member.member), 0                     \
    }
/* The digest's members have names of their own. */
#define F_DIGEST(union_member)                                                                     \
    {                                                                                              \
        "", FIELD_DIGEST, offsetof(struct record, u.union_member.digest), 0                        \
    }
#define F_LIST(union_member, member, field_kind, count)                                            \
    {                                                                                              \
#member, field_kind, offsetof(struct record, u.union_member.member),                       \
            offsetof(struct record, u.union_member.count)                                          \
    }

static const struct record_field dump_fields[] = {
    F(dump, version, FIELD_UINT),
    F(dump, uuid, FIELD_UUID),
    F(dump, ferry_version, FIELD_TEXT),
    F(dump, vendor, FIELD_TEXT_OPT),
    F(dump, source_version, FIELD_TEXT_OPT),
    F(dump, source_uuid, FIELD_TEXT_OPT),
    F(dump, source_host, FIELD_TEXT_OPT),
    F(dump, format, FIELD_TEXT),
    F(dump, compression, FIELD_TEXT),
    F(dump, options, FIELD_OBJECT),
    F(dump, started_us, FIELD_TIME),
};
static const struct record_field file_fields[] = {
    F(file, path, FIELD_PATH),
    F_DIGEST(file),
};
static const struct record_field epoch_fields[] = {
    F(epoch, epoch, FIELD_UINT),
    F(epoch, consistency, FIELD_TEXT),
    F(epoch, log_file, FIELD_TEXT_OPT),
    F(epoch, log_pos, FIELD_U64),
    F(epoch, gtid, FIELD_TEXT_OPT),
    F(epoch, at_us, FIELD_TIME),
    F(epoch, boot, FIELD_TEXT_OPT),
    F(epoch, log_id, FIELD_TEXT_OPT),
    F_LIST(epoch, replica, FIELD_NAMES, replica_count),
    F(epoch, tables, FIELD_U64_OPT),
    F(epoch, data_bytes, FIELD_U64_OPT),
    F(epoch, lock_us, FIELD_U64_OPT),
    F(epoch, log_created, FIELD_U64_OPT),
    F(epoch, cascades_logged, FIELD_BOOL),
};
static const struct record_field table_fields[] = {
    F(table, table, FIELD_UINT),      F(table, epoch, FIELD_UINT),
    F(table, db, FIELD_TEXT),         F(table, name, FIELD_TEXT),
    F(table, kind, FIELD_TEXT),       F(table, schema_file, FIELD_PATH_OPT),
    F(table, sha256, FIELD_TEXT_OPT), F_LIST(table, columns, FIELD_COLUMNS, column_count),
    F(table, key, FIELD_TEXT_OPT),    F_LIST(table, key_columns, FIELD_NAMES, key_column_count),
    F(table, data_bytes, FIELD_U64),
};
static const struct record_field span_fields[] = {
    F(span, table, FIELD_UINT), F(span, span, FIELD_UINT), F(span, parent, FIELD_UINT),
    F(span, epoch, FIELD_UINT), F(span, lo, FIELD_BOUND),
};
static const struct record_field chunk_fields[] = {
    F(chunk, table, FIELD_UINT),
    F(chunk, span, FIELD_UINT),
    F(chunk, epoch, FIELD_UINT),
    F(chunk, number, FIELD_U64),
    F(chunk, lo, FIELD_BOUND),
    F(chunk, hi, FIELD_BOUND),
    F(chunk, last, FIELD_BOOL),
    F(chunk, rows, FIELD_U64),
    F(chunk, raw_bytes, FIELD_U64),
    F(chunk, path, FIELD_PATH_OPT),
    F_DIGEST(chunk),
};
static const struct record_field table_done_fields[] = {
    F(table_done, table, FIELD_UINT),    F(table_done, rows, FIELD_U64),
    F(table_done, raw_bytes, FIELD_U64), F(table_done, chunks, FIELD_U64),
    F(table_done, from, FIELD_U64_OPT),  F(table_done, to, FIELD_U64_OPT),
};
static const struct record_field void_fields[] = {
    F(voided, table, FIELD_UINT),
    F(voided, epoch, FIELD_UINT),
};
static const struct record_field left_out_fields[] = {
    F(left_out, optional, FIELD_BOOL), F(left_out, epoch, FIELD_UINT), F(left_out, db, FIELD_TEXT),
    F(left_out, name, FIELD_TEXT),     F(left_out, why, FIELD_TEXT),
};
static const struct record_field checked_fields[] = {
    F(checked, optional, FIELD_BOOL),
    F(checked, epoch, FIELD_UINT),
    F(checked, means, FIELD_TEXT),
};
static const struct record_field segment_fields[] = {
    F(segment, number, FIELD_U64),
    F(segment, log_file, FIELD_TEXT),
    F(segment, start, FIELD_U64),
    F(segment, end, FIELD_U64),
    F(segment, log_created, FIELD_U64),
    F(segment, gtid_from, FIELD_TEXT_OPT),
    F(segment, gtid, FIELD_TEXT_OPT),
    F(segment, open, FIELD_BOOL),
    F(segment, transactions, FIELD_U64),
    F(segment, time_from, FIELD_U64),
    F(segment, time_to, FIELD_U64),
    F_LIST(segment, ddl, FIELD_NAMES, ddl_count),
    F(segment, raw_bytes, FIELD_U64),
    F(segment, path, FIELD_PATH),
    F_DIGEST(segment),
};
static const struct record_field end_fields[] = {
    F(end, tables, FIELD_U64), F(end, rows, FIELD_U64),   F(end, raw_bytes, FIELD_U64),
    F(end, files, FIELD_U64),  F(end, at_us, FIELD_TIME),
};

#define C(name, member, field_kind)                                                                \
    {                                                                                              \
        name, field_kind, offsetof(struct column_record, member), 0                                \
    }
static const struct record_field column_fields[] = {
    C("name", name, FIELD_TEXT),           C("type", type_text, FIELD_TEXT),
    C("charset", charset, FIELD_TEXT_OPT), C("collation", collation, FIELD_TEXT_OPT),
    C("nullable", nullable, FIELD_BOOL),   C("generated", is_generated, FIELD_BOOL),
    C("invisible", invisible, FIELD_BOOL), C("auto_increment", auto_increment, FIELD_BOOL),
};

#define LAYOUT(name, fields)                                                                       \
    {                                                                                              \
        name, fields, sizeof(fields) / sizeof(fields)[0]                                           \
    }
static const struct record_layout layouts[] = {
    [RECORD_DUMP] = LAYOUT("dump", dump_fields),
    [RECORD_FILE] = LAYOUT("file", file_fields),
    [RECORD_EPOCH] = LAYOUT("epoch", epoch_fields),
    [RECORD_TABLE] = LAYOUT("table", table_fields),
    [RECORD_SPAN] = LAYOUT("span", span_fields),
    [RECORD_CHUNK] = LAYOUT("chunk", chunk_fields),
    [RECORD_TABLE_DONE] = LAYOUT("table_done", table_done_fields),
    [RECORD_VOID] = LAYOUT("void", void_fields),
    [RECORD_LEFT_OUT] = LAYOUT("left_out", left_out_fields),
    [RECORD_CHECKED] = LAYOUT("checked", checked_fields),
    [RECORD_SEGMENT] = LAYOUT("segment", segment_fields),
    [RECORD_END] = LAYOUT("end", end_fields),
};
static const struct record_layout columns = LAYOUT("column", column_fields);

const struct record_layout *record_layout(enum record_kind kind)
{
    return &layouts[kind];
}

const struct record_layout *record_layout_find(const char *name, enum record_kind *kind)
{
    for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++) {
        if (strcmp(layouts[i].name, name) != 0)
            continue;
        *kind = (enum record_kind)i;
        return &layouts[i];
    }
    return NULL;
}

const struct record_layout *column_layout(void)
{
    return &columns;
}

static void names_release(char **names, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        free(names[i]);
    free((void *)names);
}

/* What one field owns; FIELD_COLUMNS is record_release's. */
static void field_release(const struct record_field *f, void *base)
{
    void *at = field_at(base, f->offset);
    const unsigned *count = field_at_const(base, f->count_offset);

    switch (f->kind) {
    case FIELD_TEXT:
    case FIELD_TEXT_OPT:
    case FIELD_PATH:
    case FIELD_PATH_OPT:
    case FIELD_OBJECT:
        free(*(char **)at);
        break;
    case FIELD_BOUND:
        bound_release(at);
        break;
    case FIELD_DIGEST:
        digest_release(at);
        break;
    case FIELD_NAMES:
        names_release(*(char ***)at, *count);
        break;
    case FIELD_COLUMNS:
    case FIELD_UUID:
    case FIELD_UINT:
    case FIELD_U64:
    case FIELD_U64_OPT:
    case FIELD_TIME:
    case FIELD_BOOL:
        break;
    }
}

static void fields_release(const struct record_layout *layout, void *base)
{
    for (size_t i = 0; i < layout->count; i++)
        field_release(&layout->fields[i], base);
}

void record_release(struct record *r)
{
    if (r->kind == RECORD_TABLE) {
        for (unsigned i = 0; i < r->u.table.column_count; i++)
            fields_release(&columns, &r->u.table.columns[i]);
        free(r->u.table.columns);
    }
    fields_release(record_layout(r->kind), r);
    memset(r, 0, sizeof *r);
}
