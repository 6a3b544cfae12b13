#include "common/base/opt_driver.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct opt_unit {
    const char *name;
    uint64_t factor;
};

/* Those with an i, and the single letters, count in 1024; MB and the like in 1000. */
static const struct opt_unit size_units[] = {
    {"", 1},
    {"b", 1},
    {"k", UINT64_C(1) << 10},
    {"m", UINT64_C(1) << 20},
    {"g", UINT64_C(1) << 30},
    {"t", UINT64_C(1) << 40},
    {"kib", UINT64_C(1) << 10},
    {"mib", UINT64_C(1) << 20},
    {"gib", UINT64_C(1) << 30},
    {"tib", UINT64_C(1) << 40},
    {"kb", UINT64_C(1000)},
    {"mb", UINT64_C(1000000)},
    {"gb", UINT64_C(1000000000)},
    {"tb", UINT64_C(1000000000000)},
    {NULL, 0},
};

static const struct opt_unit duration_units[] = {
    {"us", 1},
    {"ms", UINT64_C(1000)},
    {"s", UINT64_C(1000000)},
    {"m", UINT64_C(60000000)},
    {"min", UINT64_C(60000000)},
    {"h", UINT64_C(3600000000)},
    {"d", UINT64_C(86400000000)},
    {NULL, 0},
};

/* Reads digits from *text and moves it behind them. false: none, or too large. */
static bool opt_digits(const char **text, uint64_t *value)
{
    const char *p = *text;
    uint64_t v = 0;

    if (*p < '0' || *p > '9')
        return false;
    for (; *p >= '0' && *p <= '9'; p++) {
        uint64_t digit = (uint64_t)(*p - '0');

        if (v > (UINT64_MAX - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *text = p;
    *value = v;
    return true;
}

static const struct opt_unit *opt_unit_find(const struct opt_unit *units, const char *name,
                                            size_t len)
{
    for (; units->name; units++)
        if (strlen(units->name) == len && strncasecmp(units->name, name, len) == 0)
            return units;
    return NULL;
}

/* Reads one number with its unit and adds it to *sum. false: not of that form, or too large. */
static bool opt_measure(const struct opt_unit *units, const char **text, uint64_t *sum)
{
    const struct opt_unit *unit;
    uint64_t value;
    size_t len;

    if (!opt_digits(text, &value))
        return false;
    *text += strspn(*text, " ");
    len = strspn(*text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    unit = opt_unit_find(units, *text, len);
    if (!unit || value > (UINT64_MAX - *sum) / unit->factor)
        return false;
    *text += len;
    *sum += value * unit->factor;
    return true;
}

enum err_code opt_parse_size(const char *text, uint64_t *bytes, struct err *err)
{
    const char *p = text;
    uint64_t sum = 0;

    if (!opt_measure(size_units, &p, &sum) || *p)
        return err_set(err, ERR_USAGE, "'%s' is not a size such as 64MiB, 1GB or 1000", text);
    *bytes = sum;
    return ERR_OK;
}

enum err_code opt_parse_duration(const char *text, uint64_t *us, struct err *err)
{
    const char *p = text;
    uint64_t sum = 0;

    if (strcmp(text, "0") == 0) {
        *us = 0;
        return ERR_OK;
    }
    do {
        if (!opt_measure(duration_units, &p, &sum))
            return err_set(err, ERR_USAGE, "'%s' is not a time such as 10s, 500ms or 1h30m", text);
    } while (*p);
    *us = sum;
    return ERR_OK;
}

static enum err_code opt_parse_bool(const char *text, bool *value, struct err *err)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcasecmp(text, words[i]) == 0) {
            *value = i % 2 == 1;
            return ERR_OK;
        }
    return err_set(err, ERR_USAGE, "'%s' is neither true nor false", text);
}

static enum err_code opt_parse_uint(const char *text, uint64_t *value, struct err *err)
{
    const char *p = text;
    uint64_t v;

    if (!opt_digits(&p, &v) || *p)
        return err_set(err, ERR_USAGE, "'%s' is not a whole number", text);
    if (v > UINT_MAX)
        return err_set(err, ERR_USAGE, "'%s' is too large", text);
    *value = v;
    return ERR_OK;
}

static enum err_code opt_parse_enum(const struct opt *opt, const char *text, int *value,
                                    struct err *err)
{
    struct strbuf list = {0};
    int i;

    for (i = 0; opt->words[i]; i++)
        if (strcmp(opt->words[i], text) == 0) {
            *value = i;
            return ERR_OK;
        }
    for (i = 0; opt->words[i]; i++)
        strbuf_addf(&list, "%s%s", i ? ", " : "", opt->words[i]);
    (void)err_set(err, ERR_USAGE, "'%s' is none of %s", text, strbuf_str(&list));
    strbuf_release(&list);
    return err->code;
}

static enum err_code opt_check_bounds(const struct opt *opt, uint64_t value, const char *text,
                                      struct err *err)
{
    if (value < opt->min)
        return err_set(err, ERR_USAGE, "'%s' is less than the least, %llu%s", text,
                       (unsigned long long)opt->min, opt->kind == OPT_DURATION ? "us" : "");
    if (opt->max && value > opt->max)
        return err_set(err, ERR_USAGE, "'%s' is more than the most, %llu%s", text,
                       (unsigned long long)opt->max, opt->kind == OPT_DURATION ? "us" : "");
    return ERR_OK;
}

/* Grows by doubling in the arena, which gives nothing back before its end. */
static void opt_list_add(struct opt_list *list, const char *item, struct arena *arena)
{
    if ((list->count & (list->count - 1)) == 0) { /* 0 or a power of two: full */
        size_t cap = list->count ? list->count * 2 : 1;
        const char **items = arena_alloc(arena, cap * sizeof *items);

        for (size_t i = 0; i < list->count; i++)
            items[i] = list->items[i];
        list->items = items;
    }
    list->items[list->count++] = item;
}

static enum err_code opt_number_set(const struct opt_entry *e, void *field, const char *value,
                                    struct err *err)
{
    uint64_t number;
    enum err_code rc;

    if (e->opt->kind == OPT_SIZE)
        rc = opt_parse_size(value, &number, err);
    else if (e->opt->kind == OPT_DURATION)
        rc = opt_parse_duration(value, &number, err);
    else
        rc = opt_parse_uint(value, &number, err);
    if (rc)
        return rc;
    rc = opt_check_bounds(e->opt, number, value, err);
    if (rc)
        return rc;
    if (e->opt->kind == OPT_UINT || e->opt->kind == OPT_COUNT)
        *(unsigned *)field = (unsigned)number;
    else
        *(uint64_t *)field = number;
    return ERR_OK;
}

enum err_code opt_value_set(struct opt_entry *e, enum opt_from from, const char *value,
                            struct arena *arena, struct err *err)
{
    void *field = e->config + e->opt->field;
    enum err_code rc = ERR_OK;

    switch (e->opt->kind) {
    case OPT_BOOL:
        rc = opt_parse_bool(value, field, err);
        break;
    case OPT_UINT:
    case OPT_COUNT:
    case OPT_SIZE:
    case OPT_DURATION:
        rc = opt_number_set(e, field, value, err);
        break;
    case OPT_STRING:
        *(const char **)field = arena_strdup(arena, value);
        break;
    case OPT_LIST:
    case OPT_TABLES:
        if (e->from != from) /* a list replaces the one of a lesser place */
            *(struct opt_list *)field = (struct opt_list){0};
        opt_list_add(field, arena_strdup(arena, value), arena);
        break;
    case OPT_ENUM:
        rc = opt_parse_enum(e->opt, value, field, err);
        break;
    case OPT_END:
        break;
    }
    if (rc && e->opt->secret)
        return err_set(err, rc, "the value is not of the right form");
    if (!rc)
        e->from = from;
    return rc;
}
