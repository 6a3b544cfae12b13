#include "common/store/s3_xml.h"

#include "common/base/bytes.h"
#include "common/base/mem.h"
#include "common/store/s3_sign.h"

#include <expat.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 16

struct xml {
    XML_Parser parser;
    unsigned depth;
    bool entry;           /* within <Contents> or <Upload> */
    struct strbuf text;   /* of the innermost element */
    struct s3_page *page; /* NULL: words are wanted */
    struct s3_words *words;
    bool listing; /* the root is that of a listing */
    bool encoded; /* the listing says that its keys are percent-encoded */
};

void s3_page_release(struct s3_page *p)
{
    for (size_t i = 0; i < p->count; i++) {
        free(p->entries[i].key);
        free(p->entries[i].upload_id);
    }
    free(p->entries);
    free(p->token);
    free(p->key_marker);
    free(p->upload_marker);
    *p = (struct s3_page){0};
}

static const char *local_name(const char *name)
{
    const char *colon = strrchr(name, ':');

    return colon ? colon + 1 : name;
}

/* In place; a '%' that is no code stays. */
static void text_decode(char *text)
{
    char *to = text;

    for (const char *p = text; *p; p++) {
        int high = *p == '%' ? bytes_hex_value(p[1]) : -1;
        int low = high >= 0 ? bytes_hex_value(p[2]) : -1;

        if (low >= 0) {
            *to++ = (char)(high * 16 + low);
            p += 2;
        } else {
            *to = *p;
            if (*p == '+')
                *to = ' ';
            to++;
        }
    }
    *to = '\0';
}

static void XMLCALL xml_begin(void *ctx, const char *name, const char **attributes)
{
    struct xml *x = ctx;
    const char *local = local_name(name);

    (void)attributes;
    strbuf_reset(&x->text);
    if (++x->depth > DEPTH_MAX) {
        (void)XML_StopParser(x->parser, XML_FALSE);
        return;
    }
    if (x->depth == 1 && x->words) {
        x->words->is_error = strcmp(local, "Error") == 0;
        (void)snprintf(x->words->root, sizeof x->words->root, "%s", local);
    }
    if (x->depth == 1)
        x->listing = strcmp(local, "ListBucketResult") == 0 ||
                     strcmp(local, "ListMultipartUploadsResult") == 0;
    if (x->depth != 2 || !x->page)
        return;
    x->entry = strcmp(local, "Contents") == 0 || strcmp(local, "Upload") == 0;
    if (!x->entry)
        return;
    if (x->page->count == x->page->cap) {
        x->page->cap = x->page->cap ? x->page->cap * 2 : 256;
        x->page->entries = xreallocarray(x->page->entries, x->page->cap, sizeof *x->page->entries);
    }
    x->page->entries[x->page->count++] = (struct s3_entry){0};
}

static void XMLCALL xml_text(void *ctx, const char *text, int len)
{
    struct xml *x = ctx;

    strbuf_add(&x->text, text, (size_t)len);
}

static void text_put(char **field, const char *value)
{
    free(*field);
    *field = xstrdup(value);
}

static void xml_entry_field(struct xml *x, const char *name, const char *value)
{
    struct s3_entry *e = &x->page->entries[x->page->count - 1];

    if (strcmp(name, "Key") == 0)
        text_put(&e->key, value);
    else if (strcmp(name, "UploadId") == 0)
        text_put(&e->upload_id, value);
    else if (strcmp(name, "Size") == 0)
        e->size = strtoull(value, NULL, 10);
    else if (strcmp(name, "LastModified") == 0)
        e->modified_us = s3_date_parse(value);
}

static void xml_page_field(struct xml *x, const char *name, const char *value)
{
    if (strcmp(name, "IsTruncated") == 0)
        x->page->more = strcmp(value, "true") == 0;
    else if (strcmp(name, "NextContinuationToken") == 0)
        text_put(&x->page->token, value);
    else if (strcmp(name, "NextKeyMarker") == 0)
        text_put(&x->page->key_marker, value);
    else if (strcmp(name, "NextUploadIdMarker") == 0)
        text_put(&x->page->upload_marker, value);
    else if (strcmp(name, "EncodingType") == 0)
        x->encoded = strcmp(value, "url") == 0;
}

static void words_field(struct s3_words *w, const char *name, const char *value)
{
    const struct {
        const char *name;
        char *to;
        size_t cap;
    } fields[] = {{"Code", w->code, sizeof w->code},
                  {"Message", w->message, sizeof w->message},
                  {"Region", w->region, sizeof w->region},
                  {"UploadId", w->upload_id, sizeof w->upload_id},
                  {"ServerTime", w->server_time, sizeof w->server_time}};

    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (strcmp(name, fields[i].name) == 0)
            (void)snprintf(fields[i].to, fields[i].cap, "%s", value);
}

static void XMLCALL xml_end(void *ctx, const char *name)
{
    struct xml *x = ctx;
    const char *local = local_name(name);
    const char *value = strbuf_str(&x->text);

    if (x->words && x->depth == 2)
        words_field(x->words, local, value);
    else if (x->page && x->depth == 2 && !x->entry)
        xml_page_field(x, local, value);
    else if (x->page && x->depth == 3 && x->entry)
        xml_entry_field(x, local, value);
    if (x->depth == 2)
        x->entry = false;
    x->depth--;
    strbuf_reset(&x->text);
}

static bool xml_run(struct xml *x, const struct strbuf *body)
{
    const char *text = strbuf_str(body);
    size_t blanks =
        strspn(text, " \r\n\t"); /* sent to keep the connection, before the XML begins */
    bool whole;

    x->parser = XML_ParserCreate(NULL);
    if (!x->parser)
        return false;
    XML_SetUserData(x->parser, x);
    XML_SetElementHandler(x->parser, xml_begin, xml_end);
    XML_SetCharacterDataHandler(x->parser, xml_text);
    whole = XML_Parse(x->parser, text + blanks, (int)(body->len - blanks), 1) == XML_STATUS_OK;
    XML_ParserFree(x->parser);
    strbuf_release(&x->text);
    return whole;
}

enum err_code s3_page_parse(const struct strbuf *body, struct s3_page *page, struct err *err)
{
    struct xml x = {.page = page};
    bool whole;

    *page = (struct s3_page){0};
    whole = xml_run(&x, body) && x.listing;
    for (size_t i = 0; i < page->count; i++)
        whole = whole && page->entries[i].key;
    if (!whole) {
        s3_page_release(page);
        return err_set(err, ERR_FORMAT, "the server's reply is no listing, or was cut");
    }
    for (size_t i = 0; x.encoded && i < page->count; i++)
        text_decode(page->entries[i].key);
    if (x.encoded && page->key_marker)
        text_decode(page->key_marker);
    return ERR_OK;
}

void s3_words_parse(const struct strbuf *body, struct s3_words *words)
{
    struct xml x = {.words = words};

    *words = (struct s3_words){0};
    if (body->len > 0 && !xml_run(&x, body))
        *words = (struct s3_words){0};
}
