/* Any lines as SHOW GRANTS: no crash, and a line that is refused changes no answer. */
#include "check/grants.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_expect(int holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *at = (const char *)data;
    const char *end = at + size;
    struct grants *g = grants_new((struct grants_rules){.fold_names = size > 0 && (*data & 1),
                                                        .literal_names = size > 0 && (*data & 2)});
    struct strbuf scope = {0};

    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const size_t len = (size_t)((newline ? newline : end) - at);
        const size_t roles = grants_role_count(g);
        const bool before = grants_table(g, "shop", "t_1", "SELECT");
        struct err err = ERR_INIT;

        if (grants_add(g, at, len, &err))
            fuzz_expect(err.code == ERR_FORMAT && grants_role_count(g) == roles &&
                        grants_table(g, "shop", "t_1", "SELECT") == before);
        grants_scope(g, "my_shop", &scope);
        at += len + 1;
    }
    /* a right on a database is one on its tables */
    if (grants_database(g, "shop", "SELECT"))
        fuzz_expect(grants_table(g, "shop", "t_1", "SELECT"));
    for (size_t i = 0; i < grants_role_count(g); i++)
        fuzz_expect(grants_role(g, i) != NULL);
    strbuf_release(&scope);
    grants_free(g);
    return 0;
}
