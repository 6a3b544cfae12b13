/* Puts the files of a dump of Dumpling or mydumper together: databases, tables with their data
 * files in the order of their names, views, the position. Tables and chunks are numbered by the
 * order of their names, so that the numbers are the same whenever the dump is opened. */
#include "formats/foreign.h"

#include "common/base/mem.h"
#include "common/store/codec.h"
#include "formats/dump_plan.h"
#include "formats/foreign_inner.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define SCHEMA_MAX_BYTES ((size_t)256 << 20)
#define HEAD_BYTES ((size_t)64 << 10)
#define PACKED_GUESS 4 /* raw bytes for a compressed one, for progress */
#define UUID_BYTES 16

struct foreign_run {
    struct dump *d;
    struct foreign_list list;
    struct foreign_metadata meta;
    bool raw_text; /* text is in the columns' own character sets */
    bool looked;   /* at the head of a data file */
    bool csv, sql; /* data files of the kind have been seen */
    bool has_dialect;
};

/* ---- reading ---- */

enum err_code foreign_read_schema(const struct dump *d, const char *path, uint64_t bytes,
                                  struct strbuf *out, struct err *err)
{
    const size_t before = out->len;
    struct source *source = NULL;
    enum err_code rc = store_open_read(d->store, path, 0, 0, &source, err);

    if (rc)
        return rc;
    source = codec_of_path(path)->source_new(source);
    rc = source_read_all(source, out, SCHEMA_MAX_BYTES, err);
    source_free(source);
    if (!rc && strcmp(codec_of_path(path)->name, "none") == 0 && out->len - before != bytes)
        rc = err_set(err, ERR_CORRUPT, "it has %zu bytes instead of %" PRIu64, out->len - before,
                     bytes);
    return rc ? err_wrap(err, "%s", path) : ERR_OK;
}

enum err_code foreign_head_read(const struct dump *d, const char *path, size_t max,
                                struct strbuf *out, struct err *err)
{
    struct source *source = NULL;
    enum err_code rc = store_open_read(d->store, path, 0, 0, &source, err);
    size_t got = 1;

    if (rc)
        return rc;
    source = codec_of_path(path)->source_new(source);
    while (!rc && got > 0 && out->len < max) {
        strbuf_grow(out, max - out->len + 1);
        rc = source_read(source, out->str + out->len, max - out->len, &got, err);
        if (!rc)
            out->len += got;
        out->str[out->len] = '\0';
    }
    source_free(source);
    return rc ? err_wrap(err, "%s", path) : ERR_OK;
}

/* ---- what made it ---- */

static enum err_code refuse_other(const struct foreign_run *r, struct err *err)
{
    const char *store = r->d->store->text;

    if (r->list.shell)
        return err_set(err, ERR_DUMP_VERSION,
                       "%s was made by MySQL Shell (it has @.json), whose dumps ferry does not "
                       "read",
                       store);
    if (!r->list.metadata && r->list.count == 0 && r->list.single)
        return err_set(err, ERR_DUMP_VERSION,
                       "%s/%s is one file of its own, as mysqldump makes it: ferry does not read "
                       "such dumps",
                       store, r->list.single);
    if (!r->list.metadata && r->list.partial)
        return err_set(err, ERR_DUMP_INCOMPLETE,
                       "%s has no metadata but the beginning of one: mydumper is at it, or did not "
                       "finish",
                       store);
    if (!r->list.metadata && r->list.count > 0)
        return err_set(err, ERR_DUMP_INCOMPLETE,
                       "%s has files of a dump, but neither a ferry.manifest nor the metadata that "
                       "Dumpling and mydumper write at their end",
                       store);
    if (!r->list.metadata)
        return err_set(err, ERR_STORE_NOT_FOUND,
                       "%s has no ferry.manifest: it is not a dump, or one of another tool", store);
    if (r->list.parquet)
        return err_set(err, ERR_DUMP_VERSION, "%s/%s: ferry does not read Parquet", store,
                       r->list.parquet);
    if (r->list.single)
        return err_set(err, ERR_FORMAT,
                       "%s/%s: its name is neither that of a definition nor that of a table's rows",
                       store, r->list.single);
    return ERR_OK;
}

/* The head of a definition tells the tools apart: mydumper sets a time zone, ferry NAMES utf8mb4.
 */
static enum err_code tool_find(struct foreign_run *r, struct err *err)
{
    struct strbuf head = {0};
    enum err_code rc = ERR_OK;
    bool own = false;

    r->d->foreign = r->meta.ini ? "mydumper" : "Dumpling";
    for (size_t i = 0; !rc && head.len == 0 && i < r->list.count; i++)
        if (r->list.files[i].kind == FOREIGN_TABLE || r->list.files[i].kind == FOREIGN_DATABASE)
            rc = foreign_head_read(r->d, r->list.files[i].path, HEAD_BYTES, &head, err);
    if (!rc && strstr(strbuf_str(&head), "TIME_ZONE="))
        r->d->foreign = "mydumper";
    own = !rc && strstr(strbuf_str(&head), "/*!40101 SET NAMES utf8mb4*/;");
    strbuf_release(&head);
    if (rc || !own)
        return rc;
    return err_set(err, ERR_DUMP_INCOMPLETE,
                   "%s has files of a dump but no ferry.manifest, so nothing of it can be checked: "
                   "the manifest is missing",
                   r->d->store->text);
}

/* What the first data file begins with holds for all. */
static enum err_code head_look(struct foreign_run *r, const char *path, struct err *err)
{
    struct strbuf head = {0};
    const char *text;
    const char *zone;
    enum err_code rc = ERR_OK;

    if (r->looked)
        return ERR_OK;
    r->looked = true;
    if (foreign_head_read(r->d, path, HEAD_BYTES, &head, err)) {
        strbuf_release(&head);
        return err->code;
    }
    text = strbuf_str(&head);
    zone = strstr(text, "TIME_ZONE=");
    r->d->zone_unknown = !zone;
    if (zone && strncmp(zone + 10, "'+00:00'", 8) != 0)
        rc = err_set(err, ERR_FORMAT, "%s: it sets another time zone than '+00:00'", path);
    r->raw_text = strcmp(r->d->foreign, "mydumper") == 0 && strstr(text, "SET NAMES binary");
    strbuf_release(&head);
    return rc;
}

/* ---- identity ---- */

static void identity_make(struct foreign_run *r)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char sum[EVP_MAX_MD_SIZE];
    struct strbuf all = {0};
    char *to = r->d->info.uuid;
    unsigned len = 0;

    strbuf_add(&all, strbuf_str(&r->meta.bytes), r->meta.bytes.len + 1);
    for (size_t i = 0; i < r->list.count; i++)
        strbuf_add(&all, r->list.files[i].path, strlen(r->list.files[i].path) + 1);
    (void)EVP_Digest(all.str, all.len, sum, &len, EVP_sha256(), NULL);
    strbuf_release(&all);
    sum[6] = (unsigned char)((sum[6] & 0x0f) | 0x80); /* version 8: the maker's own */
    sum[8] = (unsigned char)((sum[8] & 0x3f) | 0x80);
    for (unsigned i = 0; i < UUID_BYTES; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *to++ = '-';
        *to++ = digits[sum[i] >> 4];
        *to++ = digits[sum[i] & 15];
    }
    *to = '\0';
}

static void info_fill(struct foreign_run *r)
{
    struct dump *d = r->d;
    const struct metadata_position *p = &r->meta.m.source;
    const char *gtid = p->gtid ? p->gtid : "";

    d->info.version = MANIFEST_VERSION;
    d->info.ferry_version = xstrdup("");
    d->info.format = xstrdup(r->csv ? "csv" : "sql");
    d->info.compression = xstrdup("none");
    d->info.options = xstrdup("{}");
    d->info.started_us = r->meta.m.started_us;
    if (strchr(gtid, ':'))
        d->info.vendor = xstrdup("MySQL");
    else if (*gtid)
        d->info.vendor = xstrdup("MariaDB");
    d->epochs = xcalloc(1, sizeof *d->epochs);
    d->epoch_count = 1;
    d->epochs[0] = (struct epoch_record){.epoch = 1,
                                         .consistency = xstrdup("unknown"),
                                         .log_file = p->file ? xstrdup(p->file) : NULL,
                                         .log_pos = p->offset,
                                         .gtid = xstrdup(gtid),
                                         .at_us = r->meta.m.started_us};
    d->complete = true;
}

/* ---- tables ---- */

static const struct foreign_file *file_at(const struct foreign_run *r, size_t i)
{
    return &r->list.files[i];
}

static int file_compare(const void *a, const void *b)
{
    const struct foreign_file *x = a;
    const struct foreign_file *y = b;
    int order = strcmp(x->prefix, y->prefix);

    return order ? order : strcmp(x->path, y->path);
}

/* Sorts the list itself: nothing needs the order of paths after identity_make. */
static void files_sort(struct foreign_run *r)
{
    if (r->list.count)
        qsort(r->list.files, r->list.count, sizeof *r->list.files, file_compare);
}

static bool kind_is_schema(enum foreign_kind kind)
{
    return kind != FOREIGN_ROWS && kind != FOREIGN_DAT;
}

static int record_compare(const void *a, const void *b)
{
    const struct file_record *x = a;
    const struct file_record *y = b;

    return strcmp(x->path, y->path);
}

static void records_fill(struct foreign_run *r)
{
    struct dump *d = r->d;

    d->files = xcalloc(r->list.count + 1, sizeof *d->files);
    for (size_t i = 0; i < r->list.count; i++) {
        const struct foreign_file *f = &r->list.files[i];

        if (kind_is_schema(f->kind))
            d->files[d->file_count++] = (struct file_record){
                .path = arena_strdup(d->arena, f->path), .digest = {.bytes = f->bytes}};
    }
    if (d->file_count)
        qsort(d->files, d->file_count, sizeof *d->files, record_compare);
}

static enum err_code databases_fill(struct foreign_run *r, struct err *err)
{
    struct dump *d = r->d;
    enum err_code rc = ERR_OK;

    d->databases = xcalloc(r->list.count + 1, sizeof *d->databases);
    for (size_t i = 0; !rc && i < r->list.count; i++) {
        const struct foreign_file *f = file_at(r, i);
        struct dump_database *db = &d->databases[d->database_count];
        struct strbuf text = {0};

        if (f->kind != FOREIGN_DATABASE)
            continue;
        db->schema_file = f->path;
        rc = foreign_read_schema(d, f->path, f->bytes, &text, err);
        if (!rc)
            rc = foreign_database_parse(&text, f->path, d->arena, &db->name, err);
        strbuf_release(&text);
        d->database_count += !rc;
    }
    return rc;
}

/* The database of prefix "db.table": as its own statement names it, else as the prefix has it. */
static const char *database_of(struct foreign_run *r, const char *prefix)
{
    struct dump *d = r->d;
    const size_t len = strcspn(prefix, ".");
    struct file_name name;
    char *path;

    for (size_t i = 0; i < r->list.count; i++) {
        const struct foreign_file *f = file_at(r, i);

        if (f->kind == FOREIGN_DATABASE && strlen(f->prefix) == len &&
            strncmp(f->prefix, prefix, len) == 0)
            for (size_t k = 0; k < d->database_count; k++)
                if (d->databases[k].schema_file == f->path)
                    return d->databases[k].name;
    }
    path = xasprintf("%.*s-schema-create.sql", (int)len, prefix);
    file_name_parse(path, &name);
    free(path);
    path = arena_strdup(d->arena, name.db ? name.db : prefix);
    file_name_release(&name);
    for (size_t k = 0; k < d->database_count; k++)
        if (strcmp(d->databases[k].name, path) == 0)
            return d->databases[k].name;
    d->databases[d->database_count++] = (struct dump_database){.name = path};
    return path;
}

/* utf8 and its kin are UTF-8, so are ASCII and bytes as they are. */
static enum cell_charset charset_form(const char *charset)
{
    static const char *const utf8[] = {"utf8mb4", "utf8mb3", "utf8", "ascii", "binary"};
    static const char *const wide[] = {"ucs2", "utf16", "utf16le", "utf32"};

    for (size_t i = 0; charset && i < sizeof utf8 / sizeof *utf8; i++)
        if (strcmp(charset, utf8[i]) == 0)
            return CELL_CHARSET_UTF8;
    for (size_t i = 0; charset && i < sizeof wide / sizeof *wide; i++)
        if (strcmp(charset, wide[i]) == 0)
            return CELL_CHARSET_WIDE;
    if (!charset)
        return CELL_CHARSET_UTF8;
    return strcmp(charset, "latin1") == 0 ? CELL_CHARSET_LATIN1 : CELL_CHARSET_OTHER;
}

/* Which cells the decoder has to convert. */
static void charsets_fill(struct foreign_run *r, struct dump_table *t)
{
    enum cell_charset *charsets = arena_alloc(r->d->arena, (t->shape.count + 1) * sizeof *charsets);
    bool any = false;

    for (unsigned i = 0; i < t->shape.count; i++) {
        const struct column *c = &t->model.columns[t->dumped[i]];

        charsets[i] = charset_form(c->charset);
        any = any || charsets[i] != CELL_CHARSET_UTF8;
    }
    if (any && r->raw_text)
        t->shape.charsets = charsets;
}

static enum err_code table_dat(struct foreign_run *r, const struct dump_table *t,
                               const struct foreign_file *f, const struct foreign_file *sql,
                               struct err *err)
{
    struct csv_dialect dialect;
    struct strbuf text = {0};
    enum err_code rc;

    if (!sql)
        return err_set(err, ERR_DUMP_FILE_MISSING,
                       "%s/%s.sql, with the LOAD DATA statement of '%s', is missing",
                       r->d->store->text, f->base, f->path);
    rc = head_look(r, sql->path, err);
    if (!rc)
        rc = foreign_read_schema(r->d, sql->path, sql->bytes, &text, err);
    if (!rc)
        rc = foreign_load_data_parse(t, &text, sql->path, &dialect, err);
    strbuf_release(&text);
    if (rc)
        return rc;
    if (r->has_dialect && memcmp(&dialect, &r->d->dialect, sizeof dialect) != 0)
        return err_set(err, ERR_FORMAT, "%s: its LOAD DATA has other marks than those before it",
                       sql->path);
    r->d->dialect = dialect;
    r->has_dialect = true;
    return ERR_OK;
}

/* The file of the same name with another extension among those of the table, [from, end). */
static const struct foreign_file *file_beside(const struct foreign_run *r, size_t from, size_t end,
                                              const struct foreign_file *f, enum foreign_kind kind)
{
    for (size_t i = from; i < end; i++) {
        const struct foreign_file *other = file_at(r, i);

        if (other->kind == kind && !other->csv && strcmp(other->base, f->base) == 0)
            return other;
    }
    return NULL;
}

static void chunk_add(struct dump_table *t, const struct foreign_file *f)
{
    const bool packed = strcmp(codec_of_path(f->path)->name, "none") != 0;
    struct dump_chunk *c = &t->chunks[t->chunk_count++];

    *c = (struct dump_chunk){.table = t,
                             .number = t->chunk_count,
                             .id = (uint64_t)t->id << 32 | t->chunk_count,
                             .path = f->path,
                             .raw_bytes = packed ? f->bytes * PACKED_GUESS : f->bytes,
                             .epoch = 1,
                             .digest = {.bytes = f->bytes}};
    t->raw_bytes += c->raw_bytes;
}

/* The data files of `t` are among [from, end), which have its prefix. */
static enum err_code table_chunks(struct foreign_run *r, struct dump_table *t, size_t from,
                                  size_t end, struct err *err)
{
    t->chunks = xcalloc(end - from + 1, sizeof *t->chunks);
    for (size_t i = from; i < end; i++) {
        const struct foreign_file *f = file_at(r, i);

        if (f->kind == FOREIGN_DAT) {
            r->csv = true;
            if (table_dat(r, t, f, file_beside(r, from, end, f, FOREIGN_ROWS), err))
                return err->code;
        } else if (f->kind != FOREIGN_ROWS || file_beside(r, from, end, f, FOREIGN_DAT)) {
            continue;
        } else {
            r->csv = r->csv || f->csv;
            r->sql = r->sql || !f->csv;
            if (head_look(r, f->path, err))
                return err->code;
        }
        if (r->csv && r->sql)
            return err_set(err, ERR_FORMAT, "%s: the dump has both SQL and CSV files", f->path);
        chunk_add(t, f);
    }
    return ERR_OK;
}

static void table_rows_said(const struct foreign_run *r, struct dump_table *t, const char *prefix)
{
    size_t low = 0, high = r->meta.group_count;

    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        const int order = strcmp(r->meta.groups[mid].prefix, prefix);

        if (order == 0) {
            t->rows_said = r->meta.groups[mid].has_rows;
            t->rows = r->meta.groups[mid].rows;
            return;
        }
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
}

static const struct foreign_file *file_of(const struct foreign_run *r, size_t from, size_t end,
                                          enum foreign_kind kind)
{
    for (size_t i = from; i < end; i++)
        if (file_at(r, i)->kind == kind)
            return file_at(r, i);
    return NULL;
}

/* A view or a sequence has no columns here. */
static void object_fill(struct foreign_run *r, struct dump_table *t, enum table_kind kind,
                        const struct foreign_file *f)
{
    struct file_name name;

    file_name_parse(f->path, &name);
    t->kind = t->model.kind = kind;
    t->schema_file = f->path;
    t->name = arena_strdup(r->d->arena, name.table ? name.table : strchr(f->prefix, '.') + 1);
    t->model.db = t->db;
    t->model.name = t->name;
    file_name_release(&name);
    dump_table_shape(t, r->d->arena);
}

/* The files [from, end) of one prefix "db.table". */
static enum err_code table_read(struct foreign_run *r, size_t from, size_t end, struct err *err)
{
    struct dump *d = r->d;
    struct dump_table *t = &d->tables[d->table_count];
    const struct foreign_file *view = file_of(r, from, end, FOREIGN_VIEW);
    const struct foreign_file *sequence = file_of(r, from, end, FOREIGN_SEQUENCE);
    const struct foreign_file *table = file_of(r, from, end, FOREIGN_TABLE);
    const char *prefix = file_at(r, from)->prefix;
    struct strbuf text = {0};
    enum err_code rc;

    *t = (struct dump_table){.id = (unsigned)d->table_count + 1, .done = true};
    t->db = database_of(r, prefix);
    d->table_count++;
    if (view || sequence) {
        object_fill(r, t, view ? TABLE_VIEW : TABLE_SEQUENCE, view ? view : sequence);
        return ERR_OK;
    }
    if (!table && !file_of(r, from, end, FOREIGN_ROWS) && !file_of(r, from, end, FOREIGN_DAT)) {
        d->table_count--; /* triggers only */
        return ERR_OK;
    }
    if (!table)
        return err_set(err, ERR_FORMAT,
                       "%s/%s: the dump has no definition of its table (%s-schema.sql), without "
                       "which rows cannot be read",
                       d->store->text, file_at(r, from)->path, prefix);
    t->schema_file = table->path;
    rc = foreign_read_schema(d, table->path, table->bytes, &text, err);
    if (!rc)
        rc = foreign_table_parse(t, &text, d->arena, err);
    strbuf_release(&text);
    if (!rc)
        rc = table_chunks(r, t, from, end, err);
    table_rows_said(r, t, prefix);
    return rc;
}

static enum err_code tables_fill(struct foreign_run *r, struct err *err)
{
    struct dump *d = r->d;
    enum err_code rc = ERR_OK;

    d->tables = xcalloc(r->list.count + 1, sizeof *d->tables);
    for (size_t i = 0, end; !rc && i < r->list.count; i = end) {
        const char *prefix = file_at(r, i)->prefix;

        for (end = i + 1; end < r->list.count && strcmp(file_at(r, end)->prefix, prefix) == 0;)
            end++;
        if (strchr(prefix, '.'))
            rc = table_read(r, i, end, err);
    }
    return rc;
}

static int table_compare(const void *a, const void *b)
{
    const struct dump_table *x = a;
    const struct dump_table *y = b;
    int order = strcmp(x->db, y->db);

    return order ? order : strcmp(x->name, y->name);
}

static int database_compare(const void *a, const void *b)
{
    const struct dump_database *x = a;
    const struct dump_database *y = b;

    return strcmp(x->name, y->name);
}

/* By their real names, which may sort otherwise than those of the files. */
static enum err_code tables_finish(struct foreign_run *r, struct err *err)
{
    struct dump *d = r->d;

    if (d->database_count)
        qsort(d->databases, d->database_count, sizeof *d->databases, database_compare);
    if (d->table_count)
        qsort(d->tables, d->table_count, sizeof *d->tables, table_compare);
    for (size_t i = 0; i < d->table_count; i++) {
        struct dump_table *t = &d->tables[i];

        charsets_fill(r, t);
        for (size_t k = 0; k < t->chunk_count; k++)
            t->chunks[k].table = t;
        if (i > 0 && table_compare(t - 1, t) == 0)
            return err_set(err, ERR_FORMAT, "the dump defines %s.%s twice", t->db, t->name);
    }
    return ERR_OK;
}

enum err_code foreign_open(struct dump *d, struct err *err)
{
    struct foreign_run r = {.d = d};
    enum err_code rc = foreign_list_read(d, &r.list, err);

    if (!rc)
        rc = refuse_other(&r, err);
    if (!rc)
        rc = foreign_metadata_read(d, &r.meta, err);
    if (!rc)
        rc = tool_find(&r, err);
    if (!rc) {
        identity_make(&r);
        files_sort(&r);
        records_fill(&r);
        rc = databases_fill(&r, err);
    }
    if (!rc)
        rc = tables_fill(&r, err);
    if (!rc)
        rc = tables_finish(&r, err);
    if (!rc)
        info_fill(&r);
    foreign_list_release(&r.list);
    foreign_metadata_release(&r.meta);
    return rc;
}
