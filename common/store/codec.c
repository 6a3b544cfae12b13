#include "common/store/codec.h"

#include "common/base/strbuf.h"
#include "common/store/codec_kinds.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct sink *none_sink_new(struct sink *next, int level)
{
    (void)level;
    return next;
}

static struct source *none_source_new(struct source *next)
{
    return next;
}

/* Negative levels of zstd are its fast ones. */
static const struct codec codecs[] = {
    {"none", "", 0, 0, 0, none_sink_new, none_source_new},
    {"zstd", ".zst", -7, 22, 1, zstd_sink_new, zstd_source_new},
    {"gzip", ".gz", 1, 9, 6, gzip_sink_new, gzip_source_new},
};
#define CODEC_COUNT (sizeof codecs / sizeof codecs[0])

static const struct codec *codec_find_len(const char *name, size_t len)
{
    for (size_t i = 0; i < CODEC_COUNT; i++)
        if (strlen(codecs[i].name) == len && memcmp(codecs[i].name, name, len) == 0)
            return &codecs[i];
    return NULL;
}

const struct codec *codec_find(const char *name)
{
    return codec_find_len(name, strlen(name));
}

const struct codec *codec_of_path(const char *path)
{
    size_t len = strlen(path);

    for (size_t i = 1; i < CODEC_COUNT; i++) {
        size_t ext = strlen(codecs[i].extension);

        if (len > ext && strcmp(path + len - ext, codecs[i].extension) == 0)
            return &codecs[i];
    }
    return &codecs[0];
}

static enum err_code codec_unknown(const char *text, struct err *err)
{
    struct strbuf names = {0};
    enum err_code rc;

    for (size_t i = 0; i < CODEC_COUNT; i++)
        strbuf_addf(&names, "%s%s", i ? ", " : "", codecs[i].name);
    rc = err_set(err, ERR_USAGE, "compression '%s' is not known: give one of %s", text,
                 strbuf_str(&names));
    strbuf_release(&names);
    return rc;
}

enum err_code compression_parse(const char *text, struct compression *c, struct err *err)
{
    size_t len = strcspn(text, ":");
    const struct codec *codec = codec_find_len(text, len);
    const char *digits = text + len + 1;
    char *end = NULL;
    long level;

    if (!codec)
        return codec_unknown(text, err);
    if (text[len] == '\0') {
        *c = (struct compression){codec, codec->level_default};
        return ERR_OK;
    }
    if (codec->level_min == codec->level_max)
        return err_set(err, ERR_USAGE, "compression '%s': '%s' has no levels", text, codec->name);
    errno = 0;
    level = strtol(digits, &end, 10);
    if (errno || *end || !strchr("-0123456789", digits[0]) || end == digits ||
        level < codec->level_min || level > codec->level_max)
        return err_set(err, ERR_USAGE,
                       "compression '%s': the level of %s is a number from %d to %d", text,
                       codec->name, codec->level_min, codec->level_max);
    *c = (struct compression){codec, (int)level};
    return ERR_OK;
}
