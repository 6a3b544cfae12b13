#include "common/store/s3_sign.h"

#include "common/base/bytes.h"
#include "common/base/mem.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SHA256_BYTES 32
#define US_PER_S 1000000
#define DATE_DAY 8 /* bytes of a date that name the day */

static void keys_scrub(char *text)
{
    if (text)
        OPENSSL_cleanse(text, strlen(text));
    free(text);
}

void s3_keys_release(struct s3_keys *k)
{
    keys_scrub(k->access);
    keys_scrub(k->secret);
    keys_scrub(k->token);
    *k = (struct s3_keys){0};
}

/* ---- dates ---- */

void s3_date_text(int64_t utc_us, char out[S3_DATE_MAX])
{
    time_t seconds = (time_t)(utc_us / US_PER_S);
    struct tm tm;

    if (!gmtime_r(&seconds, &tm) || !strftime(out, S3_DATE_MAX, "%Y%m%dT%H%M%SZ", &tm))
        out[0] = '\0';
}

/* `digits` digits at `text`, -1: there are not so many. */
static int64_t date_number(const char *text, size_t digits)
{
    int64_t n = 0;

    for (size_t i = 0; i < digits; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        n = n * 10 + (text[i] - '0');
    }
    return n;
}

int64_t s3_date_parse(const char *text)
{
    static const struct {
        size_t at, digits;
    } parts[] = {{0, 4}, {5, 2}, {8, 2}, {11, 2}, {14, 2}, {17, 2}};
    int64_t v[6];
    int64_t year, day;

    for (size_t i = 0; i < 6; i++) {
        if (strlen(text) < parts[i].at + parts[i].digits)
            return 0;
        v[i] = date_number(text + parts[i].at, parts[i].digits);
        if (v[i] < 0)
            return 0;
    }
    if (v[0] < 1970 || v[1] < 1 || v[1] > 12)
        return 0;
    /* Days since 1970 in the Gregorian calendar, with years that begin in March. */
    year = v[1] > 2 ? v[0] : v[0] - 1;
    day = (153 * (v[1] + (v[1] > 2 ? -3 : 9)) + 2) / 5 + v[2] - 1;
    day += 365 * year + year / 4 - year / 100 + year / 400 - 719468;
    return (((day * 24 + v[3]) * 60 + v[4]) * 60 + v[5]) * US_PER_S;
}

/* ---- encoding ---- */

static bool is_unreserved(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

void s3_encode(struct strbuf *out, const char *text, bool slashes)
{
    static const char hex[] = "0123456789ABCDEF";

    for (const char *p = text; *p; p++) {
        unsigned char c = (unsigned char)*p;

        if (is_unreserved(*p) || (slashes && *p == '/')) {
            strbuf_addch(out, *p);
            continue;
        }
        strbuf_addch(out, '%');
        strbuf_addch(out, hex[c >> 4]);
        strbuf_addch(out, hex[c & 15]);
    }
}

/* A parameter, encoded: in one string, the name's length apart. */
struct encoded {
    struct strbuf text; /* "name=value" */
    size_t name_len;
};

static int encoded_order(const void *a, const void *b)
{
    const struct encoded *x = a;
    const struct encoded *y = b;
    size_t len = x->name_len < y->name_len ? x->name_len : y->name_len;
    int order = memcmp(x->text.str, y->text.str, len);

    if (order == 0 && x->name_len != y->name_len)
        return x->name_len < y->name_len ? -1 : 1;
    return order ? order : strcmp(x->text.str, y->text.str);
}

void s3_encode_query(struct strbuf *out, const struct s3_pair *query, size_t count)
{
    struct encoded all[S3_PAIRS_MAX] = {0};

    for (size_t i = 0; i < count; i++) {
        s3_encode(&all[i].text, query[i].name, false);
        all[i].name_len = all[i].text.len;
        strbuf_addch(&all[i].text, '=');
        s3_encode(&all[i].text, query[i].value, false);
    }
    if (count > 1)
        qsort(all, count, sizeof all[0], encoded_order);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            strbuf_addch(out, '&');
        strbuf_add(out, all[i].text.str, all[i].text.len);
        strbuf_release(&all[i].text);
    }
}

/* ---- the signature ---- */

enum err_code s3_sha256(const void *data, size_t len, char hex[S3_SHA256_HEX], struct err *err)
{
    unsigned char sum[EVP_MAX_MD_SIZE];

    if (EVP_Digest(data, len, sum, NULL, EVP_sha256(), NULL) != 1)
        return err_set(err, ERR_INTERNAL, "a SHA-256 cannot be computed");
    *bytes_to_hex(hex, sum, SHA256_BYTES) = '\0';
    return ERR_OK;
}

static int header_order(const void *a, const void *b)
{
    return strcmp(((const struct s3_pair *)a)->name, ((const struct s3_pair *)b)->name);
}

/* A header's value with its spaces as they are signed: none around it, one where there were more.
 */
static void add_header_value(struct strbuf *out, const char *value)
{
    size_t begin = out->len;

    for (const char *p = value; *p; p++)
        if (*p != ' ' || (out->len > begin && out->str[out->len - 1] != ' '))
            strbuf_addch(out, *p);
    if (out->len > begin && out->str[out->len - 1] == ' ')
        strbuf_setlen(out, out->len - 1);
}

/* The request in canonical form; `names` gets the signed headers' names. */
static void sign_canonical(const struct s3_signed *in, struct strbuf *out, struct strbuf *names)
{
    struct s3_pair headers[S3_PAIRS_MAX];

    memcpy(headers, in->headers, in->header_count * sizeof headers[0]);
    qsort(headers, in->header_count, sizeof headers[0], header_order);
    strbuf_addf(out, "%s\n%s\n", in->method, in->path);
    s3_encode_query(out, in->query, in->query_count);
    strbuf_addch(out, '\n');
    for (size_t i = 0; i < in->header_count; i++) {
        strbuf_addf(out, "%s:", headers[i].name);
        add_header_value(out, headers[i].value);
        strbuf_addch(out, '\n');
        strbuf_addf(names, "%s%s", i > 0 ? ";" : "", headers[i].name);
    }
    strbuf_addf(out, "\n%s\n%s", strbuf_str(names), in->payload);
}

static enum err_code sign_hmac(const void *key, size_t key_len, const char *text, size_t len,
                               unsigned char out[EVP_MAX_MD_SIZE], struct err *err)
{
    unsigned out_len = 0;

    if (!HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)text, len, out, &out_len))
        return err_set(err, ERR_INTERNAL, "a request cannot be signed");
    return ERR_OK;
}

/* The secret key, narrowed down to day, region and service, and with it the signature. */
static enum err_code sign_text(const struct s3_signed *in, const char *secret,
                               const struct strbuf *text, unsigned char out[EVP_MAX_MD_SIZE],
                               struct err *err)
{
    const char *const steps[] = {in->region, in->service, "aws4_request"};
    struct strbuf first = {0};
    enum err_code rc;

    strbuf_addf(&first, "AWS4%s", secret);
    rc = sign_hmac(first.str, first.len, in->date, DATE_DAY, out, err);
    OPENSSL_cleanse(first.str, first.len);
    strbuf_release(&first);
    for (size_t i = 0; i < 3 && !rc; i++)
        rc = sign_hmac(out, SHA256_BYTES, steps[i], strlen(steps[i]), out, err);
    return rc ? rc : sign_hmac(out, SHA256_BYTES, text->str, text->len, out, err);
}

enum err_code s3_sign(const struct s3_signed *in, const struct s3_keys *keys,
                      struct strbuf *authorization, struct err *err)
{
    unsigned char signature[EVP_MAX_MD_SIZE];
    char hex[S3_SHA256_HEX];
    struct strbuf canonical = {0};
    struct strbuf names = {0};
    struct strbuf text = {0};
    char scope[256];
    enum err_code rc;

    if (in->query_count > S3_PAIRS_MAX || in->header_count > S3_PAIRS_MAX ||
        strlen(in->date) < DATE_DAY)
        return err_set(err, ERR_INTERNAL, "a request has too many parts to be signed");
    (void)snprintf(scope, sizeof scope, "%.8s/%s/%s/aws4_request", in->date, in->region,
                   in->service);
    sign_canonical(in, &canonical, &names);
    rc = s3_sha256(canonical.str, canonical.len, hex, err);
    if (!rc) {
        strbuf_addf(&text, "AWS4-HMAC-SHA256\n%s\n%s\n%s", in->date, scope, hex);
        rc = sign_text(in, keys->secret, &text, signature, err);
    }
    if (!rc) {
        *bytes_to_hex(hex, signature, SHA256_BYTES) = '\0';
        strbuf_addf(authorization,
                    "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s",
                    keys->access, scope, strbuf_str(&names), hex);
    }
    OPENSSL_cleanse(signature, sizeof signature);
    strbuf_release(&text);
    strbuf_release(&names);
    strbuf_release(&canonical);
    return rc;
}
