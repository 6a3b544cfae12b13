/* common/store/s3_xml.h: the replies of an S3 server that are XML: listings, errors, uploads. By
 * expat; no network, no state. Texts of listings are percent-decoded (encoding-type=url). */
#ifndef FERRY_STORE_S3_XML_H
#define FERRY_STORE_S3_XML_H

#include "common/base/err.h"
#include "common/base/strbuf.h"

#include <stdbool.h>
#include <stdint.h>

struct s3_entry { /* an object, or an upload that was not finished */
    char *key;
    char *upload_id; /* NULL: an object */
    uint64_t size;
    int64_t modified_us;
};
struct s3_page {
    struct s3_entry *entries;
    size_t count, cap;
    bool more;                        /* the listing goes on behind this page */
    char *token;                      /* ListObjectsV2: NextContinuationToken */
    char *key_marker, *upload_marker; /* ListMultipartUploads */
};
void s3_page_release(struct s3_page *p);

struct s3_words {  /* what a reply that is no listing says; "" where it does not */
    bool is_error; /* its root is <Error>, whatever the status */
    char root[64];
    char code[64], message[256], region[64], upload_id[1024], server_time[64];
};

/* ERR_FORMAT: no XML, or cut. The page is empty then. */
MUST_CHECK enum err_code s3_page_parse(const struct strbuf *body, struct s3_page *page,
                                       struct err *err);
/* What is no XML says nothing. */
void s3_words_parse(const struct strbuf *body, struct s3_words *words);

#endif
