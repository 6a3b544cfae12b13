/* s3:// URLs, the shared files and the environment, the XML of replies, the size of parts. */
#include "common/store/s3_credentials.h"
#include "common/store/s3_store.h"
#include "common/store/s3_url.h"

#include "tests/unit/cmocka_all.h"
#include "tests/unit/store_folder.h"

#include <stdio.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *const variables[] = {"AWS_REGION",
                                        "AWS_DEFAULT_REGION",
                                        "AWS_ENDPOINT_URL",
                                        "AWS_ENDPOINT_URL_S3",
                                        "AWS_CA_BUNDLE",
                                        "AWS_PROFILE",
                                        "AWS_ACCESS_KEY_ID",
                                        "AWS_SECRET_ACCESS_KEY",
                                        "AWS_SESSION_TOKEN",
                                        "AWS_WEB_IDENTITY_TOKEN_FILE",
                                        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                                        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                                        "AWS_EC2_METADATA_DISABLED"};

/* Nothing of this machine's. */
static int setup(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(variables); i++)
        (void)unsetenv(variables[i]);
    (void)setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/credentials", 1);
    (void)setenv("AWS_CONFIG_FILE", "/nonexistent/config", 1);
    return 0;
}

static void assert_url(const char *rest, const char *text, const char *region, const char *host)
{
    struct s3_profile profile;
    struct s3_url url;
    struct err err = ERR_INIT;
    char *got;

    assert_int_equal(s3_url_parse(rest, &url, &profile, &err), ERR_OK);
    got = s3_url_text(&url);
    assert_string_equal(got, text);
    free(got);
    assert_string_equal(url.region ? url.region : "", region);
    got = s3_url_host(&url, url.region ? url.region : "us-east-1");
    assert_string_equal(got, host);
    free(got);
    s3_url_release(&url);
    s3_profile_release(&profile);
}

static void urls_name_bucket_prefix_and_server(void **state)
{
    (void)state;
    assert_url("bucket", "s3://bucket", "", "bucket.s3.us-east-1.amazonaws.com");
    assert_url("bucket/a/b/?region=eu-west-1", "s3://bucket/a/b", "eu-west-1",
               "bucket.s3.eu-west-1.amazonaws.com");
    assert_url("bucket/%E6%97%A5%20x?region=cn-north-1&force-path-style=true",
               "s3://bucket/\xe6\x97\xa5 x", "cn-north-1", "s3.cn-north-1.amazonaws.com.cn");
    assert_url("bu.cket/a", "s3://bu.cket/a", "", "s3.us-east-1.amazonaws.com");
    assert_url("bucket/a?endpoint=http%3A%2F%2Fminio:9000/", "s3://bucket/a", "", "minio:9000");
    assert_url("bucket?endpoint=https://h&force-path-style=false", "s3://bucket", "", "bucket.h");
    assert_url("bucket?endpoint=https://oss.x&provider=alibaba", "s3://bucket", "", "bucket.oss.x");
    (void)setenv("AWS_DEFAULT_REGION", "eu-north-1", 1);
    (void)setenv("AWS_ENDPOINT_URL", "https://other", 1);
    assert_url("bucket", "s3://bucket", "eu-north-1", "other");
    (void)setenv("AWS_REGION", "ap-east-1", 1);
    (void)setenv("AWS_ENDPOINT_URL_S3", "https://mine:1", 1);
    assert_url("bucket", "s3://bucket", "ap-east-1", "mine:1");
    assert_url("bucket?region=x&endpoint=http://y", "s3://bucket", "x", "y");
}

static void urls_that_cannot_be_used_are_refused(void **state)
{
    static const struct {
        const char *rest, *words;
    } cases[] = {
        {"", "is not a bucket's name"},
        {"a", "is not a bucket's name"},
        {"AKIA:secret@bucket/x", "a user or key in front of the bucket"},
        {"bucket/x?access-key=AKIA", "'access-key' in a storage URL can be seen by everyone"},
        {"bucket/x?Secret-Access-Key=s3cr3t", "can be seen by everyone"},
        {"bucket/x?region=x&session-token=s3cr3t", "can be seen by everyone"},
        {"bucket/x?role-arn=x", "'role-arn' in a storage URL is not supported"},
        {"bucket/x?sse-c=x", "'sse-c' is not a parameter"},
        {"bucket/x?region=", "'region' in the storage URL has no value"},
        {"bucket/x?region=%0d%0ax:y", "'region' in the storage URL has no value that can be"},
        {"bucket/x?endpoint=minio:9000", "the endpoint has no scheme"},
        {"bucket/x?endpoint=ftp://minio", "neither http nor https"},
        {"bucket/x?endpoint=http://u:s3cr3t@minio", "more or less than"},
        {"bucket/x?endpoint=http://minio/path", "more or less than"},
        {"bucket/x?force-path-style=maybe", "force-path-style is true or false"},
        {"bucket/x?provider=someone", "the provider 'someone' is not known"},
        {"bucket/x?timeout=0", "timeout is 1 to"},
        {"bucket/../x", "has a part that is empty, '.' or '..'"},
        {"bucket/a//b", "has a part that is empty, '.' or '..'"},
        {"bucket/a%2", "a '%' that is no code"},
        {"bucket/a#b", "has a '#'"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct s3_profile profile;
        struct s3_url url;
        struct err err = ERR_INIT;

        assert_int_equal(s3_url_parse(cases[i].rest, &url, &profile, &err), ERR_STORE_URL);
        if (!strstr(err.msg, cases[i].words))
            fail_msg("%s: '%s'", cases[i].rest, err.msg);
        assert_null(strstr(err.msg, "s3cr3t"));
        assert_null(strstr(err.msg, "AKIA"));
    }
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "we");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

/* The key that a store with this profile would use; NULL: refused, with `err`. */
static char *key_of(const char *profile, struct err *err)
{
    struct s3_credentials *c = NULL;
    struct s3_profile p;
    struct s3_keys keys = {0};
    char *access = NULL;

    if (s3_profile_read(profile, &p, err))
        return NULL;
    if (!s3_credentials_new(&p, profile != NULL, &c, err) && !s3_credentials_get(c, &keys, err))
        access = xasprintf("%s/%s/%s", keys.access, keys.secret, keys.token ? keys.token : "-");
    s3_keys_release(&keys);
    s3_credentials_free(c);
    s3_profile_release(&p);
    return access;
}

static void assert_key(const char *profile, const char *expected)
{
    struct err err = ERR_INIT;
    char *got = key_of(profile, &err);

    if (!got)
        fail_msg("%s", err.msg);
    assert_string_equal(got, expected);
    free(got);
}

static void assert_no_key(const char *profile, const char *words)
{
    struct err err = ERR_INIT;

    assert_null(key_of(profile, &err));
    assert_int_equal(err.code, ERR_STORE_CREDENTIALS);
    if (!strstr(err.msg, words))
        fail_msg("'%s'", err.msg);
}

static void keys_come_in_the_usual_order(void **state)
{
    char *folder = folder_new();
    char *credentials = xasprintf("%s/credentials", folder);
    char *config = xasprintf("%s/config", folder);

    (void)state;
    (void)setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
    assert_no_key(NULL, "neither the environment nor the profile 'default' nor a role has keys");
    write_file(credentials,
               "# ours\n[default]\naws_access_key_id = d1\naws_secret_access_key=d2\n\n"
               "[other]\r\naws_access_key_id = o1\r\naws_secret_access_key = o2\r\n"
               "aws_session_token = o3\r\n[half]\naws_access_key_id = h1\n");
    write_file(config,
               "[default]\nregion = eu-x\naws_access_key_id = no\n"
               "[profile conf]\naws_access_key_id = c1\naws_secret_access_key = c2\n"
               "s3 =\n  region = inner\n[role]\nrole_arn = no\n[profile role]\nrole_arn = x\n");
    (void)setenv("AWS_SHARED_CREDENTIALS_FILE", credentials, 1);
    (void)setenv("AWS_CONFIG_FILE", config, 1);
    assert_key(NULL, "d1/d2/-");
    assert_key("other", "o1/o2/o3");
    assert_key("conf", "c1/c2/-");
    assert_no_key("half", "one half of a key");
    assert_no_key("role", "gets its keys by role_arn, which is not supported");
    assert_no_key("nobody", "'nobody' is neither in");
    assert_url("bucket", "s3://bucket", "eu-x", "bucket.s3.eu-x.amazonaws.com");
    (void)setenv("AWS_PROFILE", "other", 1);
    assert_key(NULL, "o1/o2/o3");
    (void)setenv("AWS_ACCESS_KEY_ID", "e1", 1);
    assert_no_key(NULL, "only one is set");
    (void)setenv("AWS_SECRET_ACCESS_KEY", "e2", 1);
    assert_key(NULL, "e1/e2/-");
    assert_key("conf", "c1/c2/-"); /* asked for by name */
    folder_free(folder);
    free(credentials);
    free(config);
}

static void parts_hold_the_largest_object(void **state)
{
    uint64_t total = 0;

    (void)state;
    assert_int_equal(s3_part_bytes(1), 5 << 20);
    assert_int_equal(s3_part_bytes(950), 5 << 20);
    assert_int_equal(s3_part_bytes(951), 10 << 20);
    for (unsigned i = 1; i <= 10000; i++) {
        total += s3_part_bytes(i);
        assert_true(s3_part_bytes(i) <= (uint64_t)5 << 30);
        /* memory stays a small share of what is written */
        assert_true(i <= 950 || s3_part_bytes(i) <= total / 400);
    }
    assert_true(total >= (uint64_t)5 << 40);
}

static void replies_are_understood(void **state)
{
    struct strbuf body = {0};
    struct s3_page page;
    struct s3_words words;
    struct err err = ERR_INIT;

    (void)state;
    strbuf_addstr(&body, "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"x\"><IsTruncated>true"
                         "</IsTruncated><EncodingType>url</EncodingType><Contents><Key>a%2Fb+c%0A"
                         "</Key><Size>12</Size><LastModified>2024-02-29T23:59:59.000Z"
                         "</LastModified><Owner><ID>Key</ID></Owner></Contents>"
                         "<NextContinuationToken>t&amp;1</NextContinuationToken>"
                         "</ListBucketResult>");
    assert_int_equal(s3_page_parse(&body, &page, &err), ERR_OK);
    assert_int_equal(page.count, 1);
    assert_string_equal(page.entries[0].key, "a/b c\n");
    assert_int_equal(page.entries[0].size, 12);
    assert_int_equal(page.entries[0].modified_us, INT64_C(1709251199000000));
    assert_true(page.more);
    assert_string_equal(page.token, "t&1");
    s3_page_release(&page);
    strbuf_setlen(&body, body.len - 20); /* cut */
    assert_int_equal(s3_page_parse(&body, &page, &err), ERR_FORMAT);
    strbuf_reset(&body);
    strbuf_addstr(&body, "<html><body>please log in</body></html>");
    assert_int_equal(s3_page_parse(&body, &page, &err), ERR_FORMAT);
    s3_words_parse(&body, &words);
    assert_false(words.is_error);
    strbuf_reset(&body);
    strbuf_addstr(&body, "\n\n<Error><Code>SlowDown</Code><Message>later</Message></Error>");
    s3_words_parse(&body, &words);
    assert_true(words.is_error);
    assert_string_equal(words.code, "SlowDown");
    strbuf_release(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(urls_name_bucket_prefix_and_server, setup),
        cmocka_unit_test_setup(urls_that_cannot_be_used_are_refused, setup),
        cmocka_unit_test_setup(keys_come_in_the_usual_order, setup),
        cmocka_unit_test_setup(parts_hold_the_largest_object, setup),
        cmocka_unit_test_setup(replies_are_understood, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
