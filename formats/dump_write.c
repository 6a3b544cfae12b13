#include "formats/dump_write.h"

/* NOLINTNEXTLINE(readability-function-size): the contract's seven parameters */
enum err_code dump_file_open(struct store *s, const char *path,
                             const struct compression *compression, uint64_t *raw_bytes,
                             struct digest *digest, struct sink **out, struct err *err)
{
    struct sink *sink = NULL;
    enum err_code rc = store_open_grouped(s, path, &sink, err);

    if (rc)
        return rc;
    sink = digest_tap_new(sink, digest);
    sink = compression->codec->sink_new(sink, compression->level);
    *out = size_tap_new(sink, raw_bytes);
    return ERR_OK;
}
