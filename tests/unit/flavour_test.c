#include "common/mysql/flavour.h"
#include "tests/unit/cmocka_all.h"

#include <string.h>

static void knows_servers_by_their_words(void **state)
{
    static const struct {
        const char *version, *comment;
        enum vendor vendor;
        unsigned number;
        enum managed managed;
    } cases[] = {
        {"8.0.36", "MySQL Community Server - GPL", VENDOR_MYSQL, 80036, MANAGED_NONE},
        {"9.7.4-2", "(Debian)", VENDOR_MYSQL, 90704, MANAGED_NONE},
        {"5.5.9-log", "", VENDOR_MYSQL, 50509, MANAGED_NONE},
        {"5.7.44-48-log", "Percona Server (GPL), Release 48", VENDOR_MYSQL, 50744, MANAGED_NONE},
        {"5.6.10-aurora", "MySQL Community Server (GPL)", VENDOR_MYSQL, 50610, MANAGED_AURORA},
        {"8.0", "", VENDOR_MYSQL, 80000, MANAGED_NONE},
        {"10.11.19-MariaDB-0+deb12u1-log", "Debian 12", VENDOR_MARIADB, 101119, MANAGED_NONE},
        {"5.5.5-10.11.6-MariaDB-1", "", VENDOR_MARIADB, 101106, MANAGED_NONE},
        {"5.5.5-MariaDB", "", VENDOR_MARIADB, 50505, MANAGED_NONE},
        {"11.4.2", "MariaDB Server", VENDOR_MARIADB, 110402, MANAGED_NONE},
        {"8.0.11-TiDB-v8.4.0", "TiDB Server (Apache License 2.0)", VENDOR_TIDB, 80400,
         MANAGED_NONE},
        {"5.7.25-TiDB-v6.5.0-alpha-12-gabc", "", VENDOR_TIDB, 60500, MANAGED_NONE},
        {"8.0.11-TiDB-7.1.3-serverless", "", VENDOR_TIDB, 70103, MANAGED_NONE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err err = ERR_INIT;
        struct flavour f = {.version = 1};

        assert_int_equal(flavour_parse(cases[i].version, cases[i].comment, &f, &err), ERR_OK);
        assert_int_equal(f.vendor, cases[i].vendor);
        assert_int_equal(f.version, cases[i].number);
        assert_int_equal(f.managed, cases[i].managed);
        assert_non_null(strstr(f.text, cases[i].version));
    }
}

static void refuses_what_it_does_not_understand(void **state)
{
    static const char *const versions[] = {
        "", "eight", "8", "8.x", "5.1.73-log", "8.0.11-TiDB-None", "1000.1", "5.5.5-TiDB-v"};

    (void)state;
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        struct err err = ERR_INIT;
        struct flavour f = {.version = 1};

        assert_int_equal(flavour_parse(versions[i], "", &f, &err), ERR_SERVER_UNSUPPORTED);
        assert_int_equal(f.version, 1);
    }
}

static void compares_within_a_vendor(void **state)
{
    const struct flavour f = {.vendor = VENDOR_MYSQL, .version = 80200};

    (void)state;
    assert_true(flavour_at_least(&f, VENDOR_MYSQL, 80200));
    assert_false(flavour_at_least(&f, VENDOR_MYSQL, 80201));
    assert_false(flavour_at_least(&f, VENDOR_MARIADB, 100000));
    assert_string_equal(vendor_name(VENDOR_TIDB), "TiDB");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_servers_by_their_words),
        cmocka_unit_test(refuses_what_it_does_not_understand),
        cmocka_unit_test(compares_within_a_vendor),
    };

    return cmocka_run_group_tests_name("flavour", tests, NULL, NULL);
}
