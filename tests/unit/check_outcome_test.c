/* What mends a setting: the statement, or the parameter group of a managed server. */
#include "check/check_inner.h"

#include "tests/unit/cmocka_all.h" /* behind it: cmocka has a macro `skip` */

#include <stdlib.h>
#include <string.h>

static struct flavour flavour(enum vendor vendor, unsigned version, enum managed managed)
{
    return (struct flavour){.vendor = vendor, .version = version, .managed = managed};
}

static void assert_mend(struct flavour f, enum mend_how how, const char *name, const char *value,
                        const char *expected)
{
    struct check_outcome o = {0};

    mend_variable(&o, &f, name, value, how);
    assert_string_equal(strbuf_str(&o.mend), expected);
    strbuf_release(&o.mend);
}

static void by_sql_and_option_file(void **state)
{
    (void)state;
    assert_mend(flavour(VENDOR_MYSQL, 80036, MANAGED_NONE), MEND_NOW, "binlog_format", "ROW",
                "SET PERSIST binlog_format = 'ROW';");
    assert_mend(flavour(VENDOR_MYSQL, 80036, MANAGED_NONE), MEND_RESTART, "log_replica_updates",
                "ON", "SET PERSIST_ONLY log_replica_updates = 'ON';\nRESTART;");
    assert_mend(flavour(VENDOR_MYSQL, 50744, MANAGED_NONE), MEND_NOW, "max_connections", "500",
                "SET GLOBAL max_connections = 500;\nmax_connections = 500   -- in the server's "
                "option file, below [mysqld]");
    assert_mend(flavour(VENDOR_MARIADB, 101100, MANAGED_NONE), MEND_RESTART, "log_slave_updates",
                "ON",
                "log_slave_updates = ON   -- in the server's option file, below [mysqld]; then "
                "restart it");
    assert_mend(flavour(VENDOR_TIDB, 80400, MANAGED_NONE), MEND_NOW, "time_zone", "+02:00",
                "SET GLOBAL time_zone = '+02:00';");
    assert_mend(flavour(VENDOR_TIDB, 80400, MANAGED_NONE), MEND_NOW, "sql_mode", "",
                "SET GLOBAL sql_mode = '';");
}

static void by_parameter_group(void **state)
{
    (void)state;
    assert_mend(flavour(VENDOR_MYSQL, 80036, MANAGED_RDS), MEND_NOW, "binlog_format", "ROW",
                "aws rds modify-db-parameter-group --db-parameter-group-name GROUP --parameters "
                "'ParameterName=binlog_format,ParameterValue=ROW,ApplyMethod=immediate'");
    assert_mend(flavour(VENDOR_MYSQL, 80036, MANAGED_AURORA), MEND_NOW, "binlog_format", "ROW",
                "aws rds modify-db-cluster-parameter-group --db-cluster-parameter-group-name GROUP "
                "--parameters "
                "'ParameterName=binlog_format,ParameterValue=ROW,ApplyMethod=pending-reboot'\n"
                "aws rds reboot-db-instance --db-instance-identifier INSTANCE");
}

static void rights_by_flavour(void **state)
{
    static const struct {
        enum side side;
        unsigned stages;
        struct flavour flavour;
        const char *words;
    } rows[] = {
        {SOURCE,
         CHECK_DUMP,
         {.vendor = VENDOR_MYSQL, .version = 80036},
         "SELECT, SHOW VIEW, TRIGGER, EVENT, PROCESS, RELOAD, LOCK TABLES, BACKUP_ADMIN, "
         "XA_RECOVER_ADMIN, SHOW_ROUTINE, REPLICATION CLIENT"},
        {SOURCE,
         CHECK_MIGRATE,
         {.vendor = VENDOR_MYSQL, .version = 80036, .managed = MANAGED_RDS},
         "SELECT, SHOW VIEW, TRIGGER, EVENT, PROCESS, LOCK TABLES, SHOW_ROUTINE, REPLICATION "
         "CLIENT, REPLICATION SLAVE"},
        {SOURCE,
         CHECK_FOLLOW,
         {.vendor = VENDOR_MARIADB, .version = 101106},
         "SELECT, BINLOG MONITOR, REPLICATION SLAVE"},
        {SOURCE,
         CHECK_FOLLOW,
         {.vendor = VENDOR_MYSQL, .version = 50562},
         "SELECT, REPLICATION CLIENT, REPLICATION SLAVE"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct strbuf out = {0};

        rights_needed(rows[i].side, rows[i].stages, &rows[i].flavour, &out);
        assert_string_equal(strbuf_str(&out), rows[i].words);
        strbuf_release(&out);
    }
}

static void the_worst_result_stays(void **state)
{
    struct check_outcome o = {0};

    (void)state;
    say(&o, CHECK_WARNING, "%d thing", 1);
    say(&o, CHECK_PASSED, "and another");
    assert_int_equal(o.result, CHECK_WARNING);
    assert_string_equal(strbuf_str(&o.found), "1 thing; and another");
    for (int i = 0; i < CHECK_OBJECTS_MAX + 5; i++)
        list(&o, "t%d", i);
    assert_int_equal(o.objects, CHECK_OBJECTS_MAX + 5);
    assert_int_equal(o.object_count, CHECK_OBJECTS_MAX);
    assert_string_equal(o.object[CHECK_OBJECTS_MAX - 1], "t999");
    for (size_t i = 0; i < o.object_count; i++)
        free(o.object[i]);
    free(o.object);
    strbuf_release(&o.found);
}

/* Scripts name them. */
static void ids_are_unique_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < check_count(); i++) {
        const struct check_info *info = check_info(i);

        assert_int_equal(strspn(info->id, "abcdefghijklmnopqrstuvwxyz_"), strlen(info->id));
        assert_true(info->stages && !(info->stages & ~(unsigned)CHECK_MIGRATE));
        assert_string_not_equal(info->id, "all");
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(info->id, check_info(k)->id);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_sql_and_option_file), cmocka_unit_test(by_parameter_group),
        cmocka_unit_test(rights_by_flavour), cmocka_unit_test(the_worst_result_stays),
        cmocka_unit_test(ids_are_unique_words)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
