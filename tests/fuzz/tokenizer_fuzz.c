/* Any bytes: no crash, the tokens cover the text exactly, and reading ends. */
#include "common/schema/token.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_expect(int holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct flavour source = {.vendor = VENDOR_MARIADB, .version = 101119};
    struct tokenizer t = {.text = (const char *)data + (size > 0), .len = size - (size > 0)};
    struct err err = ERR_INIT;
    struct strbuf value = {0};
    struct token token;
    size_t pos = 0;

    if (size > 0) {
        t.ansi_quotes = data[0] & 1;
        t.no_backslash_escapes = data[0] & 2;
        t.source = data[0] & 4 ? &source : NULL;
    }
    while (token_next(&t, &token, &err) == ERR_OK) {
        fuzz_expect(token.pos == pos);
        if (token.kind == TOKEN_END) {
            fuzz_expect(pos == t.len && token.len == 0);
            break;
        }
        fuzz_expect(token.len > 0 && token.len <= t.len - pos);
        pos += token.len;
        strbuf_reset(&value);
        token_value(&t, &token, &value);
        fuzz_expect(value.len <= token.len);
    }
    fuzz_expect(pos <= t.len && (err.code == ERR_OK || err.code == ERR_FORMAT));
    strbuf_release(&value);
    return 0;
}
