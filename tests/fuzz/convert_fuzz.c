/* Any text as a definition of any kind, between any two servers: no crash, and a conversion that
 * succeeds gives a text that can be read again. */
#include "common/schema/convert.h"
#include "common/schema/token.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_reads(const char *sql, const struct flavour *target)
{
    struct tokenizer t = {.text = sql, .len = strlen(sql), .source = target};
    struct err err = ERR_INIT;
    struct token token = {.kind = TOKEN_SPACE};

    while (token.kind != TOKEN_END)
        if (token_next(&t, &token, &err))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct flavour servers[] = {
        {.vendor = VENDOR_MYSQL, .version = 50744},    {.vendor = VENDOR_MYSQL, .version = 90704},
        {.vendor = VENDOR_MARIADB, .version = 101119}, {.vendor = VENDOR_TIDB, .version = 80400},
        {.vendor = VENDOR_TIDB, .version = 60100},
    };
    const size_t count = sizeof servers / sizeof *servers;
    struct convert_params p = {.definer = "`a`@`b`"};
    struct converted out;
    struct err err = ERR_INIT;
    char *sql;

    if (size < 2)
        return 0;
    p.source = &servers[data[0] % count];
    p.target = &servers[data[0] / count % count];
    p.spatial_bytes = data[1] & 1;
    p.split_indexes = data[1] & 2;
    p.definers = (enum definer_policy)((data[1] >> 2) % 3);
    sql = strndup((const char *)data + 2, size - 2);
    if (convert_definition(sql, (enum object_kind)((data[1] >> 4) % 7), &p, &out, &err) == ERR_OK)
        fuzz_reads(out.sql, p.target);
    converted_release(&out);
    free(sql);
    return 0;
}
