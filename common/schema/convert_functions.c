#include "common/schema/convert_functions.h"

#include <stdlib.h>
#include <strings.h>

/* Sorted. What TiDB 8.4 lists itself (SHOW BUILTINS), aggregates and window functions, and the
 * words that may stand before a parenthesis without being a function. */
/* clang-format off */
static const char *const functions[] = {
    "abs", "acos", "adddate", "addtime", "aes_decrypt", "aes_encrypt", "against", "algorithm",
    "all", "and", "any", "any_value", "approx_count_distinct", "approx_percentile", "array", "as",
    "ascii", "asin", "atan", "atan2", "avg", "benchmark", "between", "bin", "bin_to_uuid",
    "binary", "bit_and", "bit_count", "bit_length", "bit_or", "bit_xor", "by", "case", "cast",
    "ceil", "ceiling", "char", "char_length", "character", "character_length", "charset",
    "coalesce", "coercibility", "collation", "columns", "compress", "concat", "concat_ws",
    "connection_id", "conv", "convert", "convert_tz", "cos", "cot", "count", "crc32", "cross",
    "cume_dist", "curdate", "current_date", "current_resource_group", "current_role",
    "current_time", "current_timestamp", "current_user", "curtime", "database", "date",
    "date_add", "date_format", "date_sub", "datediff", "datetime", "day", "dayname", "dayofmonth",
    "dayofweek", "dayofyear", "decimal", "decode", "default", "degrees", "dense_rank", "distinct",
    "div", "double", "else", "elt", "encode", "escape", "except", "exists", "exp", "export_set",
    "extract", "field", "find_in_set", "first_value", "float", "floor", "for", "force", "format",
    "format_bytes", "format_nano_time", "found_rows", "from", "from_base64", "from_days",
    "from_unixtime", "get_format", "get_lock", "greatest", "group_concat", "grouping", "hash",
    "having", "hex", "hour", "if", "ifnull", "ignore", "ilike", "in", "index", "inet6_aton",
    "inet6_ntoa", "inet_aton", "inet_ntoa", "inner", "insert", "instr", "intersect", "interval",
    "is", "is_free_lock", "is_ipv4", "is_ipv4_compat", "is_ipv4_mapped", "is_ipv6",
    "is_used_lock", "is_uuid", "isnull", "join", "json", "json_array", "json_array_append",
    "json_array_insert", "json_arrayagg", "json_contains", "json_contains_path", "json_depth",
    "json_extract", "json_insert", "json_keys", "json_length", "json_merge", "json_merge_patch",
    "json_merge_preserve", "json_object", "json_objectagg", "json_overlaps", "json_pretty",
    "json_quote", "json_remove", "json_replace", "json_schema_valid", "json_search", "json_set",
    "json_storage_free", "json_storage_size", "json_sum_crc32", "json_type", "json_unquote",
    "json_valid", "key", "lag", "last_day", "last_insert_id", "last_value", "lastval", "lcase",
    "lead", "least", "left", "length", "less", "like", "limit", "list", "ln", "load_file",
    "localtime", "localtimestamp", "locate", "log", "log10", "log2", "lower", "lpad", "ltrim",
    "make_set", "makedate", "maketime", "master_pos_wait", "max", "md5", "member", "microsecond",
    "mid", "min", "minute", "mod", "month", "monthname", "mul", "natural", "nchar", "nextval",
    "not", "now", "nth_value", "ntile", "numeric", "oct", "octet_length", "of", "offset", "on",
    "or", "ord", "over", "partition", "password", "percent_rank", "period_add", "period_diff",
    "pi", "position", "pow", "power", "quarter", "quote", "radians", "rand", "random_bytes",
    "range", "rank", "recursive", "regexp", "regexp_instr", "regexp_like", "regexp_replace",
    "regexp_substr", "release_all_locks", "release_lock", "repeat", "replace", "reverse", "right",
    "rlike", "round", "row", "row_count", "row_number", "rpad", "rtrim", "schema", "sec_to_time",
    "second", "select", "separator", "session_user", "set", "setval", "sha", "sha1", "sha2",
    "sign", "signed", "sin", "sleep", "sm3", "some", "space", "sqrt", "std", "stddev",
    "stddev_pop", "stddev_samp", "str_to_date", "straight_join", "strcmp", "subdate",
    "subpartition", "substr", "substring", "substring_index", "subtime", "sum", "sysdate",
    "system_user", "tan", "than", "then", "tidb_bounded_staleness", "tidb_current_tso",
    "tidb_decode_binary_plan", "tidb_decode_key", "tidb_decode_plan", "tidb_decode_sql_digests",
    "tidb_encode_index_key", "tidb_encode_record_key", "tidb_encode_sql_digest",
    "tidb_is_ddl_owner", "tidb_mvcc_info", "tidb_parse_tso", "tidb_parse_tso_logical",
    "tidb_row_checksum", "tidb_shard", "tidb_version", "time", "time_format", "time_to_sec",
    "timediff", "timestamp", "timestampadd", "timestampdiff", "to_base64", "to_days",
    "to_seconds", "translate", "trim", "truncate", "ucase", "uncompress", "uncompressed_length",
    "unhex", "union", "unix_timestamp", "unsigned", "upper", "use", "user", "using", "utc_date",
    "utc_time", "utc_timestamp", "uuid", "uuid_short", "uuid_to_bin",
    "validate_password_strength", "values", "var_pop", "var_samp", "varbinary", "varchar",
    "variance", "vec_as_text", "vec_cosine_distance", "vec_dims", "vec_from_text",
    "vec_l1_distance", "vec_l2_distance", "vec_l2_norm", "vec_negative_inner_product", "version",
    "vitess_hash", "week", "weekday", "weekofyear", "weight_string", "when", "where", "with",
    "xor", "year", "yearweek",
};
/* clang-format on */

static int function_compare(const void *name, const void *entry)
{
    return strcasecmp(name, *(const char *const *)entry);
}

static bool function_among(const char *const *list, const char *name)
{
    for (; *list; list++)
        if (strcasecmp(*list, name) == 0)
            return true;
    return false;
}

static bool tidb_has_function(const char *name)
{
    return bsearch(name, functions, sizeof functions / sizeof *functions, sizeof *functions,
                   function_compare) != NULL;
}

bool vendor_has_function(enum vendor v, const char *name)
{
    static const char *const mysql_only[] = {"uuid_to_bin",       "bin_to_uuid",
                                             "is_uuid",           "regexp_like",
                                             "grouping",          "json_storage_size",
                                             "json_storage_free", "statement_digest",
                                             "format_bytes",      "statement_digest_text",
                                             "format_pico_time",  "to_vector",
                                             "string_to_vector",  "from_vector",
                                             "vector_to_string",  "vector_dim",
                                             "distance",          NULL};
    static const char *const mariadb_only[] = {"nextval",
                                               "lastval",
                                               "setval",
                                               "percentile_cont",
                                               "percentile_disc",
                                               "median",
                                               "nvl",
                                               "nvl2",
                                               "json_query",
                                               "json_exists",
                                               "json_compact",
                                               "json_detailed",
                                               "json_loose",
                                               "json_normalize",
                                               "json_equals",
                                               "sys_guid",
                                               "to_char",
                                               "natural_sort_key",
                                               "sformat",
                                               "add_months",
                                               "column_get",
                                               "column_create",
                                               "column_add",
                                               "column_json",
                                               "decode_oracle",
                                               "vec_distance",
                                               "vec_distance_euclidean",
                                               "vec_distance_cosine",
                                               "vec_fromtext",
                                               "vec_totext",
                                               "chr",
                                               "kdf",
                                               "encode",
                                               "decode",
                                               "binlog_gtid_pos",
                                               NULL};

    if (v == VENDOR_TIDB)
        return tidb_has_function(name);
    return !function_among(v == VENDOR_MYSQL ? mariadb_only : mysql_only, name);
}

/* What TiDB lets into an index without a setting of its own. */
bool tidb_indexes_function(const char *name)
{
    static const char *const indexed[] = {"array",
                                          "cast",
                                          "char",
                                          "json_array",
                                          "json_array_append",
                                          "json_array_insert",
                                          "json_contains",
                                          "json_contains_path",
                                          "json_depth",
                                          "json_extract",
                                          "json_insert",
                                          "json_keys",
                                          "json_length",
                                          "json_merge_patch",
                                          "json_merge_preserve",
                                          "json_object",
                                          "json_pretty",
                                          "json_quote",
                                          "json_remove",
                                          "json_replace",
                                          "json_schema_valid",
                                          "json_search",
                                          "json_set",
                                          "json_storage_size",
                                          "json_type",
                                          "json_unquote",
                                          "json_valid",
                                          "lower",
                                          "md5",
                                          "reverse",
                                          "tidb_shard",
                                          "upper",
                                          "vitess_hash",
                                          "and",
                                          "or",
                                          "not",
                                          "decimal",
                                          "binary",
                                          "datetime",
                                          "time",
                                          NULL};

    return function_among(indexed, name);
}
