#include "common/mysql/server_url.h"
#include "tests/unit/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void parses_every_part(void **state)
{
    struct err err = ERR_INIT;
    struct server_url url = {0};

    (void)state;
    assert_int_equal(
        server_url_parse("MySQL://us%40er%3A@db.example.org:3307/?ssl-mode=VERIFY_IDENTITY&"
                         "ssl-ca=/etc/a%20b.pem&ssl-capath=/c&ssl-cert=/d&ssl-key=/e&"
                         "ssl-cipher=AES:X&tls-version=TLSv1.2,TLSv1.3&connect-timeout=7&"
                         "compress=true",
                         &url, &err),
        ERR_OK);
    assert_string_equal(url.user, "us@er:");
    assert_string_equal(url.host, "db.example.org");
    assert_int_equal(url.port, 3307);
    assert_null(url.socket);
    assert_int_equal(url.ssl_mode, SSL_MODE_IDENTITY);
    assert_true(url.ssl_mode_given);
    assert_string_equal(url.ssl_ca, "/etc/a b.pem");
    assert_string_equal(url.ssl_capath, "/c");
    assert_string_equal(url.ssl_cert, "/d");
    assert_string_equal(url.ssl_key, "/e");
    assert_string_equal(url.ssl_cipher, "AES:X");
    assert_string_equal(url.tls_version, "TLSv1.2,TLSv1.3");
    assert_int_equal(url.connect_timeout, 7);
    assert_true(url.compress);
    server_url_release(&url);
    assert_null(url.user);
}

static void writes_text_without_secrets(void **state)
{
    static const struct {
        const char *url, *text;
    } cases[] = {
        {"mysql://root@db1:3307/?ssl-ca=/x", "mysql://root@db1:3307/"},
        {"mysql://db1", "mysql://db1:3306/"},
        {"mysql://a%2Fb@[::1]:4000", "mysql://a%2Fb@[::1]:4000/"},
        {"mysql://[fe80::1]/", "mysql://[fe80::1]:3306/"},
        {"mysql://root@/?socket=/run/my%20sql.sock", "mysql://root@/?socket=/run/my%20sql.sock"},
        {"mysql://@db1/", "mysql://db1:3306/"},
        {"mysql:///", "mysql://localhost:3306/"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err err = ERR_INIT;
        struct server_url url = {0};
        struct strbuf text = {0};

        assert_int_equal(server_url_parse(cases[i].url, &url, &err), ERR_OK);
        url.password = strdup("geheim");
        server_url_text(&url, &text);
        assert_string_equal(strbuf_str(&text), cases[i].text);
        server_url_release(&url);
        strbuf_release(&text);
    }
}

static void refuses_and_shows_no_secret(void **state)
{
    static const struct {
        const char *url, *words;
    } cases[] = {
        {"", "begins with mysql://"},
        {"postgres://geheim@db/", "begins with mysql://"},
        {"mysql://root:geheim@db/", "must not hold a password"},
        {"mysql://root:@db/", "must not hold a password"},
        {"mysql://root:ge/heim@db/", "port"},
        {"mysql://root:geheim#@db/", "port"},
        {"mysql://db/?password=geheim", "must not hold a password"},
        {"mysql://db/geheim", "no database"},
        {"mysql://db:0/", "port"},
        {"mysql://db:65536/", "port"},
        {"mysql://db:99999999999/", "port"},
        {"mysql://db:33x/", "port"},
        {"mysql://:3306/", "port but no host"},
        {"mysql://[::1/", "host"},
        {"mysql://[::1]x/", "host"},
        {"mysql://::1/", "port"},
        {"mysql://d b/", "host"},
        {"mysql://ro%zzot@db/", "two hex digits"},
        {"mysql://ro%0@db/", "two hex digits"},
        {"mysql://ro%00@db/", "two hex digits"},
        {"mysql://db/?socket=/x", "host or a socket"},
        {"mysql://db/?ssl-mode=on", "ssl-mode must be"},
        {"mysql://db/?ssl-ca=", "ssl-ca is empty"},
        {"mysql://db/?compress=geheim", "compress must be"},
        {"mysql://db/?connect-timeout=0", "connect-timeout"},
        {"mysql://db/?charset=utf8", "no parameter 'charset'"},
        {"mysql://db/?geheim", "NAME=VALUE"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err err = ERR_INIT;
        struct server_url url = {0};

        if (server_url_parse(cases[i].url, &url, &err) != ERR_USAGE ||
            !strstr(err.msg, cases[i].words) || strstr(err.msg, "heim"))
            fail_msg("%s: %s", cases[i].url, err.msg);
        assert_null(url.host);
        assert_null(url.user);
    }
}

struct option_case {
    char path[32];
    int fd;
};

static int given_option_file(void **state)
{
    static struct option_case c;

    (void)snprintf(c.path, sizeof(c.path), "/tmp/ferry-option-XXXXXX");
    c.fd = mkstemp(c.path);
    *state = &c;
    return c.fd < 0;
}

static int drop_option_file(void **state)
{
    const struct option_case *c = *state;

    (void)close(c->fd);
    return unlink(c->path);
}

static void write_options(const struct option_case *c, const char *text)
{
    assert_int_equal(ftruncate(c->fd, 0), 0);
    assert_int_equal(pwrite(c->fd, text, strlen(text), 0), strlen(text));
}

static void fills_in_what_is_missing(void **state)
{
    const struct option_case *c = *state;
    struct err err = ERR_INIT;
    struct server_url url = {0};

    write_options(c, "# comment\n[mysqld]\nuser=nobody\n[client]\nuser=wrong\npassword=wrong\n"
                     "[ source ]\nuser = mover   # who\npassword=\"a\\tb #\\\\\\s\\\"\"\r\n"
                     "host=elsewhere\nport=3310\nssl_ca = '/ca file'\nssl-mode=VERIFY_CA\n"
                     "default-character-set=latin1\ncompress\nquick\n!include /x\n");
    assert_int_equal(server_url_parse("mysql://db1/?connect-timeout=3", &url, &err), ERR_OK);
    if (server_url_defaults(&url, c->path, "source", &err))
        fail_msg("%s", err.msg);
    assert_string_equal(url.user, "mover");
    assert_string_equal(url.password, "a\tb #\\ \\\"");
    assert_string_equal(url.host, "db1");
    assert_int_equal(url.port, 3310);
    assert_string_equal(url.ssl_ca, "/ca file");
    assert_int_equal(url.ssl_mode, SSL_MODE_CA);
    assert_int_equal(url.connect_timeout, 3);
    assert_true(url.compress);
    server_url_release(&url);
}

static void falls_back_to_the_clients_group(void **state)
{
    const struct option_case *c = *state;
    struct err err = ERR_INIT;
    struct server_url url = {0};

    write_options(c, "[client]\nuser=root\npassword\nsocket=/run/x.sock\n[target]\nuser=t\n");
    assert_int_equal(server_url_parse("mysql:///", &url, &err), ERR_OK);
    assert_int_equal(server_url_defaults(&url, c->path, "source", &err), ERR_OK);
    assert_string_equal(url.user, "root");
    assert_null(url.password);
    assert_string_equal(url.socket, "/run/x.sock");
    server_url_release(&url);
    assert_int_equal(server_url_parse("mysql://db/?ssl-mode=disabled", &url, &err), ERR_OK);
    assert_int_equal(server_url_defaults(&url, c->path, "target", &err), ERR_OK);
    assert_string_equal(url.user, "t");
    assert_null(url.socket);
    assert_int_equal(url.ssl_mode, SSL_MODE_OFF);
    server_url_release(&url);
}

static void names_the_wrong_line(void **state)
{
    const struct option_case *c = *state;
    struct err err = ERR_INIT;
    struct server_url url = {0};

    write_options(c, "[client]\nport=x\n");
    assert_int_equal(server_url_defaults(&url, c->path, "source", &err), ERR_USAGE);
    assert_non_null(strstr(err.msg, "line 2"));
    assert_int_equal(server_url_defaults(&url, "/no/such/file", "source", &err), ERR_USAGE);
    server_url_release(&url);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_every_part),
        cmocka_unit_test(writes_text_without_secrets),
        cmocka_unit_test(refuses_and_shows_no_secret),
        cmocka_unit_test_setup_teardown(fills_in_what_is_missing, given_option_file,
                                        drop_option_file),
        cmocka_unit_test_setup_teardown(falls_back_to_the_clients_group, given_option_file,
                                        drop_option_file),
        cmocka_unit_test_setup_teardown(names_the_wrong_line, given_option_file, drop_option_file),
    };

    return cmocka_run_group_tests_name("server_url", tests, NULL, NULL);
}
