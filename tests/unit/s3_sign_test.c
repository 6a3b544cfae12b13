/* Signatures against Amazon's published ones: the examples of "Signature Calculations for the
 * Authorization Header" in the S3 API reference, and of the Signature Version 4 test suite; keys
 * that those leave out against what botocore 1.43 signs. */
#include "common/store/s3_sign.h"

#include "tests/unit/cmocka_all.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char s3_host[] = "examplebucket.s3.amazonaws.com";

static struct s3_keys s3_example_keys(void)
{
    static char access[] = "AKIAIOSFODNN7EXAMPLE";
    static char secret[] = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

    return (struct s3_keys){.access = access, .secret = secret};
}

static void assert_signature(const struct s3_signed *in, const struct s3_keys *keys,
                             const char *expected)
{
    struct strbuf got = {0};
    struct err err = ERR_INIT;
    const char *at;

    assert_int_equal(s3_sign(in, keys, &got, &err), ERR_OK);
    at = strstr(strbuf_str(&got), "Signature=");
    assert_non_null(at);
    assert_string_equal(at + 10, expected);
    strbuf_release(&got);
}

static void amazons_examples_for_s3(void **state)
{
    const struct s3_pair range[] = {{"host", s3_host},
                                    {"range", "bytes=0-9"},
                                    {"x-amz-content-sha256", S3_EMPTY_SHA256},
                                    {"x-amz-date", "20130524T000000Z"}};
    const struct s3_pair plain[] = {{"x-amz-date", "20130524T000000Z"},
                                    {"host", s3_host},
                                    {"x-amz-content-sha256", S3_EMPTY_SHA256}};
    char payload[S3_SHA256_HEX];
    struct err err = ERR_INIT;
    const struct s3_pair put[] = {{"x-amz-storage-class", "REDUCED_REDUNDANCY"},
                                  {"date", "Fri, 24 May 2013 00:00:00 GMT"},
                                  {"host", s3_host},
                                  {"x-amz-content-sha256", payload},
                                  {"x-amz-date", "20130524T000000Z"}};
    const struct s3_pair lifecycle = {"lifecycle", ""};
    const struct s3_pair list[] = {{"prefix", "J"}, {"max-keys", "2"}};
    const struct s3_keys keys = s3_example_keys();
    struct s3_signed in = {.method = "GET",
                           .path = "/test.txt",
                           .headers = range,
                           .header_count = COUNT(range),
                           .payload = S3_EMPTY_SHA256,
                           .region = "us-east-1",
                           .service = "s3",
                           .date = "20130524T000000Z"};

    (void)state;
    assert_signature(&in, &keys,
                     "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
    in.headers = plain;
    in.header_count = COUNT(plain);
    in.path = "/";
    in.query = &lifecycle;
    in.query_count = 1;
    assert_signature(&in, &keys,
                     "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
    in.query = list;
    in.query_count = 2;
    assert_signature(&in, &keys,
                     "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
    assert_int_equal(s3_sha256("Welcome to Amazon S3.", 21, payload, &err), ERR_OK);
    in.method = "PUT";
    in.path = "/test%24file.text";
    in.query_count = 0;
    in.headers = put;
    in.header_count = COUNT(put);
    in.payload = payload;
    assert_signature(&in, &keys,
                     "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

static void amazons_test_suite(void **state)
{
    static char access[] = "AKIDEXAMPLE";
    static char secret[] = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    const struct s3_keys keys = {.access = access, .secret = secret};
    const struct s3_pair headers[] = {{"host", "example.amazonaws.com"},
                                      {"x-amz-date", "20150830T123600Z"}};
    const struct s3_pair order[] = {{"Param2", "value2"}, {"Param1", "value1"}};
    struct s3_signed in = {.method = "GET",
                           .path = "/",
                           .headers = headers,
                           .header_count = COUNT(headers),
                           .payload = S3_EMPTY_SHA256,
                           .region = "us-east-1",
                           .service = "service",
                           .date = "20150830T123600Z"};

    (void)state;
    assert_signature(&in, &keys,
                     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
    in.query = order;
    in.query_count = 2;
    assert_signature(&in, &keys,
                     "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
    in.query_count = 0;
    in.path = "/%E1%88%B4";
    assert_signature(&in, &keys,
                     "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85");
    in.path = "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    assert_signature(&in, &keys,
                     "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f");
}

static void odd_keys(void **state)
{
    static const struct {
        const char *key, *signature;
    } cases[] = {
        {"a b", "148958ace6e83bc7d9893e7fb92c63d466140bd5acf2a0722d6fea26964f5651"},
        {"100%/x%20y", "1f2312244c342d2c8c55639b8840e6c6ad41f29f9cd83bf21765845da75ec7d2"},
        {"a+b=c&d?e#f", "e3dfacbbee27f3ce6a11342978e996f9282359827fab668ad9e914f7f11eaeea"},
        {"deep//er/x", "f4e8a178304bff36e082e3d962e8d38734e1c0c10dd31b58bdceb7ca0a2cde32"},
        {"\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e/\xe3\x83\x87\xe3\x83\xbc\xe3\x82\xbf.sql",
         "dcf186dabf40d6c9166fd864a96057c9ffe9bc5c692f46f8bd0b0dbb7c2109ed"},
        {"emoji \xf0\x9f\x98\x80.zst",
         "4132d5006ee1159857d4a1782cb5894cefa3dec627c81d8a0b95a05d98fde67f"},
        {"~-_.!*'();:@,$[]", "86fa423dfb009c5d965b39a1fe834e1dba0a5e30776f4dd6c92ddc8e392afe75"},
    };
    const struct s3_pair headers[] = {{"host", s3_host},
                                      {"x-amz-content-sha256", S3_EMPTY_SHA256},
                                      {"x-amz-date", "20130524T000000Z"}};
    const struct s3_pair query[] = {{"list-type", "2"},
                                    {"prefix", "a b/+%/\xe6\x97\xa5\xe6\x9c\xac"},
                                    {"start-after", "x&y=z"},
                                    {"encoding-type", "url"}};
    const struct s3_keys keys = s3_example_keys();
    struct s3_signed in = {.method = "GET",
                           .headers = headers,
                           .header_count = COUNT(headers),
                           .payload = S3_EMPTY_SHA256,
                           .region = "us-east-1",
                           .service = "s3",
                           .date = "20130524T000000Z"};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct strbuf path = {0};

        strbuf_addch(&path, '/');
        s3_encode(&path, cases[i].key, true);
        in.path = strbuf_str(&path);
        assert_signature(&in, &keys, cases[i].signature);
        strbuf_release(&path);
    }
    in.path = "/";
    in.query = query;
    in.query_count = COUNT(query);
    assert_signature(&in, &keys,
                     "170a260dd6a32658d38baee392d605b4c029a8cf3a148da1db39899ce5462814");
}

static void parameters_are_ordered_by_name_then_value(void **state)
{
    const struct s3_pair query[] = {{"a-b", "1"}, {"a", "2"}, {"a", "1"}, {"A", "x/y"}};
    struct strbuf got = {0};

    (void)state;
    s3_encode_query(&got, query, COUNT(query));
    assert_string_equal(strbuf_str(&got), "A=x%2Fy&a=1&a=2&a-b=1");
    strbuf_release(&got);
}

static void dates(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds;
    } cases[] = {{"1970-01-01T00:00:00Z", 0},
                 {"2013-05-24T00:00:00Z", 1369353600},
                 {"2024-02-29T23:59:59.123Z", 1709251199},
                 {"2000-03-01T00:00:00Z", 951868800},
                 {"2026-11-23T", 0},
                 {"", 0},
                 {"2026-13-01T00:00:00Z", 0},
                 {"x026-01-01T00:00:00Z", 0}};
    char text[S3_DATE_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(s3_date_parse(cases[i].text), cases[i].seconds * 1000000);
    s3_date_text(INT64_C(1369353600999999), text);
    assert_string_equal(text, "20130524T000000Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(amazons_examples_for_s3),
        cmocka_unit_test(amazons_test_suite),
        cmocka_unit_test(odd_keys),
        cmocka_unit_test(parameters_are_ordered_by_name_then_value),
        cmocka_unit_test(dates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
