#include "common/schema/hold.h"

#include "common/base/strbuf.h"
#include "common/mysql/ident.h"
#include "common/schema/type_parse.h"

#include <string.h>
#include <strings.h>

/* Why a column cannot hold another; NULL: it can. */
typedef const char *reason_fn(const struct column *dst, const struct column *src);

static const char reason_type[] = "values of the one type are not kept as they are in the other";
static const char reason_small[] = "its range is smaller";
static const char reason_unsigned[] = "it holds no negative numbers";
static const char reason_short[] = "it is shorter";
static const char reason_charset[] = "its character set may lack characters";
static const char reason_labels[] = "its labels do not begin with the same ones";

static bool is_integer(const struct column *c)
{
    return c->type >= TYPE_TINYINT && c->type <= TYPE_BIGINT;
}

/* Fixed and variable text and bytes; the largest sizes stand in column->length. */
static bool is_text(const struct column *c)
{
    return c->type >= TYPE_CHAR && c->type <= TYPE_LONGTEXT && column_form(c) == CELL_TEXT;
}

static bool is_long_text(const struct column *c)
{
    return c->type >= TYPE_TINYTEXT && c->type <= TYPE_LONGTEXT;
}

static bool is_bytes(const struct column *c)
{
    bool kind = (c->type >= TYPE_CHAR && c->type <= TYPE_LONGTEXT) ||
                (c->type >= TYPE_BINARY && c->type <= TYPE_LONGBLOB);

    return kind && column_form(c) == CELL_BYTES;
}

static const char *integer_reason(const struct column *dst, const struct column *src)
{
    if (dst->is_unsigned && !src->is_unsigned)
        return reason_unsigned;
    if (dst->type < src->type || (dst->type == src->type && src->is_unsigned && !dst->is_unsigned))
        return reason_small;
    return NULL;
}

static const char *integer_to_decimal_reason(const struct column *dst, const struct column *src)
{
    static const unsigned digits[TYPE_COUNT][2] = {
        [TYPE_TINYINT] = {3, 3}, [TYPE_SMALLINT] = {5, 5}, [TYPE_MEDIUMINT] = {7, 8},
        [TYPE_INT] = {10, 10},   [TYPE_BIGINT] = {19, 20},
    };

    if (dst->is_unsigned && !src->is_unsigned)
        return reason_unsigned;
    if (dst->precision < dst->scale + digits[src->type][src->is_unsigned])
        return reason_small;
    return NULL;
}

static const char *decimal_reason(const struct column *dst, const struct column *src)
{
    if (dst->is_unsigned && !src->is_unsigned)
        return reason_unsigned;
    if (dst->scale < src->scale)
        return "it has fewer decimals";
    return dst->precision - dst->scale < src->precision - src->scale ? reason_small : NULL;
}

/* A type with (M,D) rounds what is stored: that leaves alone what was rounded to as many digits,
 * as long as a double can tell such digits apart. */
static const char *float_reason(const struct column *dst, const struct column *src)
{
    const char *reason;

    if (dst->is_unsigned && !src->is_unsigned)
        return reason_unsigned;
    if (dst->type == TYPE_FLOAT && src->type == TYPE_DOUBLE)
        return "it has fewer digits";
    if (!dst->precision)
        return NULL;
    if (!src->precision || src->type != dst->type)
        return "it rounds";
    reason = decimal_reason(dst, src);
    if (reason || dst->type == TYPE_FLOAT)
        return reason;
    return dst->precision > 15 ? "servers round so many digits differently" : NULL;
}

static const char *temporal_reason(const struct column *dst, const struct column *src)
{
    return dst->fsp < src->fsp ? "it has fewer fractional digits" : NULL;
}

static const char *precision_reason(const struct column *dst, const struct column *src)
{
    return dst->precision < src->precision ? reason_short : NULL;
}

static bool charset_is_any(const char *charset, const char *const *names)
{
    for (; *names; names++) {
        if (strcasecmp(charset, *names) == 0)
            return true;
    }
    return false;
}

/* Each row: a character set and those whose characters it holds all. */
static bool charset_holds(const char *dst, const char *src)
{
    static const char *const utf8[] = {"utf8", "utf8mb3", NULL};
    static const char *const in_utf8[] = {"utf8", "utf8mb3", "ucs2", "latin1", "ascii", NULL};
    static const char *const in_latin1[] = {"ascii", NULL};

    if (!dst || !src)
        return false;
    if (strcasecmp(dst, src) == 0 || strcasecmp(dst, "utf8mb4") == 0)
        return true;
    if (charset_is_any(dst, utf8))
        return charset_is_any(src, in_utf8);
    if (strcasecmp(dst, "latin1") == 0)
        return charset_is_any(src, in_latin1);
    return false;
}

static unsigned charset_bytes(const char *charset)
{
    static const char *const one[] = {"ascii", "latin1", NULL};
    static const char *const three[] = {"utf8", "utf8mb3", NULL};

    if (charset_is_any(charset, one))
        return 1;
    return charset_is_any(charset, three) ? 3 : 4;
}

/* A TEXT's length is in bytes, and a value that grows past it in another character set is refused
 * by the server; so TEXT into TEXT goes by the kind. */
static const char *text_reason(const struct column *dst, const struct column *src)
{
    uint64_t need = src->length;

    if (!charset_holds(dst->charset, src->charset))
        return reason_charset;
    if (dst->type == TYPE_CHAR && src->type != TYPE_CHAR)
        return "trailing spaces would be lost";
    if (is_long_text(dst) && !is_long_text(src))
        need *= charset_bytes(dst->charset);
    return dst->length < need ? reason_short : NULL;
}

/* BINARY pads with zeros. */
static const char *bytes_reason(const struct column *dst, const struct column *src)
{
    bool fixed = dst->type == TYPE_BINARY || dst->type == TYPE_CHAR;

    if (fixed && (src->type != dst->type || src->length != dst->length))
        return "values would be padded";
    return dst->length < src->length ? reason_short : NULL;
}

static const char *labels_reason(const struct column *dst, const struct column *src)
{
    const char *dst_pos = type_labels(dst->type_text);
    const char *src_pos = type_labels(src->type_text);
    const char *dst_label;
    const char *src_label;
    size_t dst_len;
    size_t src_len;

    if (!charset_holds(dst->charset, src->charset))
        return reason_charset;
    while (type_label_next(&src_pos, &src_label, &src_len)) {
        if (!type_label_next(&dst_pos, &dst_label, &dst_len) || dst_len != src_len ||
            memcmp(dst_label, src_label, src_len) != 0)
            return reason_labels;
    }
    return NULL;
}

static const char *geometry_reason(const struct column *dst, const struct column *src)
{
    static const char *const collection[] = {"geomcollection", "geometrycollection", NULL};

    if (strcasecmp(dst->type_text, "geometry") == 0 ||
        strcasecmp(dst->type_text, src->type_text) == 0)
        return NULL;
    if (charset_is_any(dst->type_text, collection) && charset_is_any(src->type_text, collection))
        return NULL;
    return "it holds another kind of geometry";
}

static const char *vector_reason(const struct column *dst, const struct column *src)
{
    if (column_form(dst) != column_form(src))
        return "the servers write vectors differently";
    return dst->length && dst->length != src->length ? "it has other dimensions" : NULL;
}

static const char *no_reason(const struct column *dst, const struct column *src)
{
    (void)dst;
    (void)src;
    return NULL;
}

static const char *same_type_reason(const struct column *dst, const struct column *src)
{
    static reason_fn *const reasons[TYPE_COUNT] = {
        [TYPE_TINYINT] = integer_reason,
        [TYPE_SMALLINT] = integer_reason,
        [TYPE_MEDIUMINT] = integer_reason,
        [TYPE_INT] = integer_reason,
        [TYPE_BIGINT] = integer_reason,
        [TYPE_DECIMAL] = decimal_reason,
        [TYPE_FLOAT] = float_reason,
        [TYPE_DOUBLE] = float_reason,
        [TYPE_BIT] = precision_reason,
        [TYPE_DATE] = no_reason,
        [TYPE_TIME] = temporal_reason,
        [TYPE_DATETIME] = temporal_reason,
        [TYPE_TIMESTAMP] = temporal_reason,
        [TYPE_YEAR] = precision_reason,
        [TYPE_ENUM] = labels_reason,
        [TYPE_SET] = labels_reason,
        [TYPE_JSON] = no_reason,
        [TYPE_GEOMETRY] = geometry_reason,
        [TYPE_VECTOR] = vector_reason,
        [TYPE_UUID] = no_reason,
        [TYPE_INET4] = no_reason,
        [TYPE_INET6] = no_reason,
    };

    return reasons[src->type] ? reasons[src->type](dst, src) : reason_type;
}

/* What is written as ASCII text goes into text of that many characters. */
static const char *printed_reason(const struct column *dst, const struct column *src)
{
    uint64_t longest = src->type == TYPE_UUID ? 36 : src->type == TYPE_INET6 ? 39 : 15;

    if (!charset_holds(dst->charset, "ascii"))
        return reason_charset;
    return dst->length < longest ? reason_short : NULL;
}

static const char *other_type_reason(const struct column *dst, const struct column *src)
{
    bool printed = src->type == TYPE_UUID || src->type == TYPE_INET4 || src->type == TYPE_INET6;

    if (is_integer(dst) && is_integer(src))
        return integer_reason(dst, src);
    if (dst->type == TYPE_DECIMAL && is_integer(src))
        return integer_to_decimal_reason(dst, src);
    if (dst->type == TYPE_DOUBLE && src->type == TYPE_FLOAT)
        return float_reason(dst, src);
    if (printed && is_text(dst))
        return printed_reason(dst, src);
    if (src->type == TYPE_GEOMETRY && dst->type == TYPE_LONGBLOB)
        return NULL; /* SRID and WKB, as the servers keep them themselves */
    if (src->type == TYPE_JSON && dst->type == TYPE_LONGTEXT && is_text(dst))
        return charset_holds(dst->charset, "utf8mb4") ? NULL : reason_charset;
    return reason_type;
}

static const char *hold_reason(const struct column *dst, const struct column *src)
{
    if (dst->generated != GENERATED_NO || dst->row_start_end)
        return "its values are generated";
    if (src->nullable && !dst->nullable)
        return "it is NOT NULL";
    if (src->type == TYPE_OTHER || dst->type == TYPE_OTHER)
        return "ferry does not know the type";
    if (is_text(dst) && is_text(src))
        return text_reason(dst, src);
    if (is_bytes(dst) && is_bytes(src))
        return bytes_reason(dst, src);
    return dst->type == src->type ? same_type_reason(dst, src) : other_type_reason(dst, src);
}

static enum err_code shape_error(const struct table *t, const char *column, const char *what,
                                 struct err *err)
{
    struct strbuf name = {0};
    enum err_code rc;

    strbuf_add_name(&name, t->db, t->name);
    if (column)
        rc = err_set(err, ERR_LOAD_TABLE_SHAPE, "table '%s' column '%s' %s", strbuf_str(&name),
                     column, what);
    else
        rc = err_set(err, ERR_LOAD_TABLE_SHAPE, "table '%s' %s", strbuf_str(&name), what);
    strbuf_release(&name);
    return rc;
}

static void add_type(struct strbuf *sb, const struct column *c)
{
    strbuf_addf(sb, "'%.200s%s", c->type_text, strlen(c->type_text) > 200 ? "..." : "");
    if (c->charset)
        strbuf_addf(sb, " %s", c->charset);
    strbuf_addstr(sb, c->nullable ? "'" : " not null'");
}

enum err_code column_can_hold(const struct table *target, const struct column *dst,
                              const struct column *src, struct err *err)
{
    const char *reason = hold_reason(dst, src);
    struct strbuf what = {0};
    enum err_code rc;

    if (!reason)
        return ERR_OK;
    strbuf_addstr(&what, "of type ");
    add_type(&what, dst);
    strbuf_addstr(&what, " cannot hold the dump's ");
    add_type(&what, src);
    strbuf_addf(&what, ": %s", reason);
    rc = shape_error(target, dst->name, strbuf_str(&what), err);
    strbuf_release(&what);
    return rc;
}

/* The dump holds no value for this column: neither would the target then. */
static const char *left_out_reason(const struct column *dst, const struct column *src)
{
    if (dst->generated != GENERATED_NO || dst->row_start_end)
        return NULL;
    if (src && !src->left_out)
        return "is generated in the source and not in the target: its values are not in the dump";
    if (dst->nullable || dst->default_text || dst->auto_increment || dst->auto_random)
        return NULL;
    return "is not in the dump and has no default";
}

enum err_code table_can_hold(const struct table *dst, const struct table *src, struct err *err)
{
    if (dst->kind != TABLE_BASE && dst->kind != TABLE_VERSIONED)
        return shape_error(dst, NULL, "is not a table that rows can be loaded into", err);
    for (unsigned i = 0; i < src->column_count; i++) {
        const struct column *from = &src->columns[i];
        const struct column *to = column_is_dumped(from) ? table_column(dst, from->name) : NULL;
        enum err_code rc;

        if (!column_is_dumped(from))
            continue;
        if (!to)
            return shape_error(dst, from->name, "is in the dump and not in the target", err);
        rc = column_can_hold(dst, to, from, err);
        if (rc)
            return rc;
    }
    for (unsigned i = 0; i < dst->column_count; i++) {
        const struct column *from = table_column(src, dst->columns[i].name);
        const char *reason;

        if (from && column_is_dumped(from))
            continue;
        reason = left_out_reason(&dst->columns[i], from);
        if (reason)
            return shape_error(dst, dst->columns[i].name, reason, err);
    }
    return ERR_OK;
}
