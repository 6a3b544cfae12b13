/* Files of a dump without a manifest, told apart by their names alone:
 *   DB-schema-create.sql  DB.TABLE-schema.sql  DB.VIEW-schema-view.sql  DB.SEQ-schema-sequence.sql
 *   DB-schema-post.sql  DB[.TABLE]-schema-triggers.sql  DB.TABLE[.N[.N]].sql|csv|dat
 * then .gz or .zst. The parts of a name stay as they are: what they mean is in the statements. */
#include "formats/foreign_inner.h"

#include "common/store/codec.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static bool ends_with(const char *text, size_t len, const char *ending)
{
    const size_t size = strlen(ending);

    return len >= size && memcmp(text + len - size, ending, size) == 0;
}

/* Cuts the ending off. */
static bool cut(const char *text, size_t *len, const char *ending)
{
    if (!ends_with(text, *len, ending))
        return false;
    *len -= strlen(ending);
    return true;
}

/* Cuts ".00001" off, if the name of a table is left. */
static bool cut_number(const char *text, size_t *len)
{
    size_t at = *len;

    while (at > 0 && isdigit((unsigned char)text[at - 1]))
        at--;
    if (at == *len || at == 0 || text[at - 1] != '.' || !memchr(text, '.', at - 1))
        return false;
    *len = at - 1;
    return true;
}

static unsigned count_dots(const char *text, size_t len)
{
    unsigned dots = 0;

    for (size_t i = 0; i < len; i++)
        dots += text[i] == '.';
    return dots;
}

static const struct {
    const char *ending;
    enum foreign_kind kind;
    unsigned dots_min, dots_max; /* in what is in front of it */
} schema_endings[] = {
    {"-schema-create", FOREIGN_DATABASE, 0, 0}, {"-schema-post", FOREIGN_AFTER, 0, 0},
    {"-schema-view", FOREIGN_VIEW, 1, 1},       {"-schema-trigger", FOREIGN_AFTER, 0, 1},
    {"-schema-triggers", FOREIGN_AFTER, 0, 1},  {"-schema-sequence", FOREIGN_SEQUENCE, 1, 1},
    {"-schema", FOREIGN_TABLE, 1, 1},
};

/* `f->base` has no extensions any more. */
static void classify_sql(struct foreign_file *f, size_t *len)
{
    for (size_t i = 0; i < sizeof schema_endings / sizeof *schema_endings; i++) {
        size_t rest = *len;
        unsigned dots;

        if (!cut(f->base, &rest, schema_endings[i].ending))
            continue;
        dots = count_dots(f->base, rest);
        if (rest > 0 && dots >= schema_endings[i].dots_min && dots <= schema_endings[i].dots_max) {
            f->kind = schema_endings[i].kind;
            *len = rest;
            return;
        }
    }
    f->kind = FOREIGN_ROWS;
}

static void classify(struct dump *d, struct foreign_list *l, struct foreign_file *f)
{
    size_t len = strlen(f->path);
    char *base;

    (void)cut(f->path, &len, codec_of_path(f->path)->extension);
    if (cut(f->path, &len, ".parquet")) {
        l->parquet = f->path;
        return;
    }
    if (cut(f->path, &len, ".dat")) {
        f->kind = FOREIGN_DAT;
    } else if (cut(f->path, &len, ".csv")) {
        f->csv = true;
        f->kind = FOREIGN_ROWS;
    } else if (!cut(f->path, &len, ".sql")) {
        return;
    }
    base = arena_memdup(d->arena, f->path, len);
    f->base = base;
    if (f->kind == FOREIGN_OTHER)
        classify_sql(f, &len);
    if (f->kind == FOREIGN_ROWS || f->kind == FOREIGN_DAT) {
        if (cut_number(base, &len))
            (void)cut_number(base, &len);
        if (count_dots(base, len) != 1 || strchr(f->path, '/')) {
            f->kind = FOREIGN_OTHER;
            l->single = f->path;
            return;
        }
    }
    f->prefix = arena_memdup(d->arena, base, len);
}

struct listing {
    struct dump *dump;
    struct foreign_list *list;
};

/* Written by the tools and of no use to a load. */
static bool passed_over(const char *path)
{
    static const char *const endings[] = {"all-schema-create-tablespace.sql",
                                          "-placement-policy-create.sql"};
    size_t len = strlen(path);

    (void)cut(path, &len, codec_of_path(path)->extension);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (ends_with(path, len, endings[i]))
            return true;
    return false;
}

static enum err_code listed(void *ctx, const char *path, const struct store_info *info,
                            struct err *err)
{
    struct listing *at = ctx;
    struct foreign_list *l = at->list;
    struct foreign_file *f;

    (void)err;
    if (strcmp(path, METADATA_FILE) == 0)
        l->metadata = true;
    else if (strncmp(path, METADATA_FILE ".", sizeof METADATA_FILE) == 0)
        l->partial = true;
    else if (strcmp(path, "@.json") == 0)
        l->shell = arena_strdup(at->dump->arena, path);
    if (passed_over(path))
        return ERR_OK;
    if (l->count == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 64;
        l->files = xreallocarray(l->files, l->cap, sizeof *l->files);
    }
    f = &l->files[l->count];
    *f = (struct foreign_file){.path = arena_strdup(at->dump->arena, path), .bytes = info->size};
    classify(at->dump, l, f);
    l->count += f->kind != FOREIGN_OTHER;
    return ERR_OK;
}

enum err_code foreign_list_read(struct dump *d, struct foreign_list *l, struct err *err)
{
    struct listing at = {d, l};

    return store_list(d->store, "", NULL, listed, &at, err);
}

void foreign_list_release(struct foreign_list *l)
{
    free(l->files);
    *l = (struct foreign_list){0};
}
