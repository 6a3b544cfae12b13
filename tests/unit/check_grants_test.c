/* The texts of SHOW GRANTS of many servers, and what they mean. Fixtures of RDS, Aurora, MySQL 5.6
 * and 5.7 stand in for servers that cannot be had here; the others were copied from servers. */
#include "tests/unit/cmocka_all.h"

#include "check/grants.h"

#include <string.h>

static struct grants *grants_of(struct grants_rules rules, const char *const *lines)
{
    struct grants *g = grants_new(rules);
    struct err err = ERR_INIT;

    for (; *lines; lines++)
        if (grants_add(g, *lines, strlen(*lines), &err))
            fail_msg("%s", err.msg);
    return g;
}
#define GRANTS(...) grants_of((struct grants_rules){0}, (const char *const[]){__VA_ARGS__, NULL})
#define GRANTS_RULES(rules, ...)                                                                   \
    grants_of((struct grants_rules)rules, (const char *const[]){__VA_ARGS__, NULL})

static void mysql_56_and_57(void **state)
{
    struct grants *g = GRANTS(
        "GRANT RELOAD, PROCESS, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO 'mover'@'10.0.%' "
        "IDENTIFIED BY PASSWORD '*D9C1FBC3CC43790309FC707CD8F3BE17F4C850E0' REQUIRE SSL WITH "
        "MAX_USER_CONNECTIONS 20",
        "GRANT SELECT, SHOW VIEW, TRIGGER ON `shop`.* TO 'mover'@'10.0.%'",
        "GRANT SELECT (id, `no(te)`), INSERT (id) ON `crm`.`users` TO 'mover'@'10.0.%'",
        "GRANT SELECT ON `crm`.`orders` TO 'mover'@'10.0.%'",
        "GRANT EXECUTE ON PROCEDURE `shop`.`p` TO 'mover'@'10.0.%'",
        "GRANT EXECUTE ON FUNCTION `mysql`.`rds` TO 'mover'@'10.0.%'");

    (void)state;
    assert_string_equal(grants_account(g), "'mover'@'10.0.%'");
    assert_true(grants_global(g, "REPLICATION SLAVE"));
    assert_true(grants_global(g, "BINLOG MONITOR"));
    assert_false(grants_global(g, "SELECT"));
    assert_false(grants_global(g, "EXECUTE"));
    assert_false(grants_database(g, "shop", "EXECUTE"));
    assert_true(grants_database(g, "shop", "SHOW VIEW"));
    assert_true(grants_table(g, "shop", "any", "SELECT"));
    assert_false(grants_table(g, "crm", "users", "SELECT")); /* two columns of it */
    assert_true(grants_table(g, "crm", "orders", "SELECT"));
    assert_false(grants_table(g, "crm", "orders", "INSERT"));
    assert_false(grants_database(g, "crm", "SELECT"));
    assert_false(grants_database(g, "Shop", "SELECT"));
    grants_free(g);
    g = GRANTS("GRANT ALL PRIVILEGES ON *.* TO 'root'@'localhost' WITH GRANT OPTION",
               "GRANT PROXY ON ''@'' TO 'root'@'localhost' WITH GRANT OPTION");
    assert_true(grants_global(g, "RELOAD"));
    assert_true(grants_table(g, "a", "b", "SHOW VIEW"));
    grants_free(g);
    g = GRANTS("GRANT USAGE ON *.* TO ''@'localhost'",
               "GRANT ALL PRIVILEGES ON `t`.* TO ''@'localhost'");
    assert_false(grants_global(g, "SELECT"));
    assert_true(grants_database(g, "t", "LOCK TABLES"));
    grants_free(g);
}

static void names_with_wildcards(void **state)
{
    struct grants *g =
        GRANTS("GRANT SELECT ON `sh\\_op`.* TO 'm'@'%'", "GRANT SELECT ON `log_%`.* TO 'm'@'%'",
               "GRANT SELECT, LOCK TABLES ON `a%z`.* TO 'm'@'%'",
               "GRANT LOCK TABLES ON `a%`.* TO 'm'@'%'", "GRANT SELECT ON `we``ird`.* TO 'm'@'%'");

    (void)state;
    assert_true(grants_database(g, "sh_op", "SELECT"));
    assert_false(grants_database(g, "shxop", "SELECT"));
    assert_true(grants_database(g, "log_2026", "SELECT"));
    assert_true(grants_database(g, "logX", "SELECT"));
    assert_false(grants_database(g, "log", "SELECT"));
    assert_true(grants_database(g, "a-z", "SELECT"));
    assert_true(grants_database(g, "az", "SELECT"));
    assert_true(grants_database(g, "azazz", "SELECT"));
    assert_false(grants_database(g, "azb", "SELECT"));
    assert_true(grants_database(g, "we`ird", "SELECT"));
    grants_free(g);
    /* the most exact name that matches is the only one that counts */
    g = GRANTS("GRANT SELECT ON `sh%`.* TO 'm'@'%'", "GRANT INSERT ON `shop`.* TO 'm'@'%'");
    assert_false(grants_database(g, "shop", "SELECT"));
    assert_true(grants_database(g, "shop", "INSERT"));
    assert_true(grants_database(g, "shoe", "SELECT"));
    grants_free(g);
    g = GRANTS_RULES({.literal_names = true}, "GRANT SELECT ON `log_%`.* TO `m`@`%`");
    assert_false(grants_database(g, "log_1", "SELECT"));
    assert_true(grants_database(g, "log_%", "SELECT"));
    grants_free(g);
    g = GRANTS_RULES({.fold_names = true}, "GRANT SELECT ON `shop`.* TO 'm'@'%'",
                     "GRANT SELECT ON `crm`.`users` TO 'm'@'%'");
    assert_true(grants_database(g, "SHOP", "SELECT"));
    assert_true(grants_table(g, "CRM", "Users", "SELECT"));
    grants_free(g);
}

static void assert_scope(const struct grants *g, const char *db, const char *expected)
{
    struct strbuf out = {0};

    grants_scope(g, db, &out);
    assert_string_equal(strbuf_str(&out), expected);
    strbuf_release(&out);
}

static void scopes_that_add(void **state)
{
    struct grants *g =
        GRANTS("GRANT SELECT ON `my_shop`.* TO 'm'@'%'", "GRANT SELECT ON `log\\_%`.* TO 'm'@'%'",
               "GRANT SELECT ON `a\\_b`.* TO 'm'@'%'");

    (void)state;
    assert_scope(g, "my_shop", "my_shop");
    assert_scope(g, "log_1", "log\\_%");
    assert_scope(g, "a_b", "a\\_b");
    assert_scope(g, "n_e%w", "n\\_e\\%w");
    grants_free(g);
    g = GRANTS_RULES({.literal_names = true}, "GRANT USAGE ON *.* TO `m`@`%`");
    assert_scope(g, "n_ew", "n_ew");
    grants_free(g);
}

static void mysql_80_and_9(void **state)
{
    struct grants *g = GRANTS(
        "GRANT SELECT, INSERT, RELOAD, SUPER ON *.* TO `mover`@`%` WITH GRANT OPTION",
        "GRANT BACKUP_ADMIN,FLUSH_TABLES,SHOW_ROUTINE,XA_RECOVER_ADMIN ON *.* TO `mover`@`%`",
        "REVOKE SELECT ON `secret`.* FROM `mover`@`%`",
        "GRANT SELECT ON `secret`.`plain` TO `mover`@`%`",
        "GRANT `app_read`@`%`,`app_write`@`localhost` TO `mover`@`%`",
        "GRANT PROXY ON ``@`` TO `mover`@`%` WITH GRANT OPTION");

    (void)state;
    assert_true(grants_global(g, "BACKUP_ADMIN"));
    assert_true(grants_global(g, "FLUSH_TABLES"));
    assert_false(grants_global(g, "CLONE_ADMIN"));
    assert_true(grants_database(g, "shop", "SELECT"));
    assert_false(grants_database(g, "secret", "SELECT")); /* a partial revoke */
    assert_true(grants_database(g, "secret", "INSERT"));
    assert_true(grants_table(g, "secret", "plain", "SELECT"));
    assert_false(grants_table(g, "secret", "hidden", "SELECT"));
    assert_int_equal(grants_role_count(g), 2);
    assert_string_equal(grants_role(g, 0), "app_read@%");
    assert_string_equal(grants_role(g, 1), "app_write@localhost");
    assert_string_equal(grants_account(g), "'mover'@'%'");
    grants_free(g);
}

static void mariadb(void **state)
{
    struct grants *g =
        GRANTS("GRANT `r1` TO `m`@`%` WITH ADMIN OPTION",
               "GRANT RELOAD, PROCESS, BINLOG MONITOR, SLAVE MONITOR ON *.* TO "
               "`m`@`%` IDENTIFIED VIA ed25519 USING 'x' OR unix_socket",
               "GRANT SELECT, DELETE HISTORY ON `shop`.* TO `r1`",
               "GRANT SELECT (`a`) ON TABLE `shop2`.`t` TO `r1`",
               "GRANT EXECUTE ON PACKAGE BODY `shop`.`k` TO `m`@`%`",
               "GRANT INSERT ON `everyone`.* TO PUBLIC", "SET DEFAULT ROLE `r1` FOR `m`@`%`");

    (void)state;
    assert_true(grants_global(g, "REPLICATION CLIENT"));
    assert_true(grants_database(g, "shop", "SELECT")); /* the role is active: its lines are there */
    assert_true(grants_database(g, "everyone", "INSERT"));
    assert_false(grants_table(g, "shop2", "t", "SELECT"));
    assert_false(grants_database(g, "shop", "EXECUTE"));
    assert_int_equal(grants_role_count(g), 1);
    assert_string_equal(grants_role(g, 0), "r1");
    grants_free(g);
    g = GRANTS("GRANT r1 TO 'm'@'%'", "GRANT USAGE ON *.* TO 'm'@'%'"); /* 10.2 */
    assert_int_equal(grants_role_count(g), 1);
    assert_false(grants_global(g, "SELECT"));
    grants_free(g);
}

static void tidb(void **state)
{
    struct grants *g = GRANTS("GRANT PROCESS,RELOAD,REPLICATION CLIENT ON *.* TO 'm'@'%'",
                              "GRANT SELECT,LOCK TABLES ON `sh\\_op%`.* TO 'm'@'%'",
                              "GRANT SELECT(a), INSERT(a, b) ON `shop`.`t` TO 'm'@'%'",
                              "GRANT BACKUP_ADMIN,DASHBOARD_CLIENT ON *.* TO 'm'@'%'",
                              "GRANT 'r1'@'%' TO 'm'@'%'");

    (void)state;
    assert_true(grants_global(g, "RELOAD"));
    assert_true(grants_global(g, "DASHBOARD_CLIENT"));
    assert_true(grants_database(g, "sh_op2", "LOCK TABLES"));
    assert_false(grants_table(g, "shop", "t", "SELECT"));
    assert_string_equal(grants_role(g, 0), "r1@%");
    grants_free(g);
}

static void rds_and_aurora(void **state)
{
    /* the master user of RDS for MySQL 8.0 */
    struct grants *g = GRANTS(
        "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, RELOAD, PROCESS, REFERENCES, INDEX, "
        "ALTER, SHOW DATABASES, CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE, REPLICATION SLAVE, "
        "REPLICATION CLIENT, CREATE VIEW, SHOW VIEW, CREATE ROUTINE, ALTER ROUTINE, CREATE USER, "
        "EVENT, TRIGGER ON *.* TO `admin`@`%` WITH GRANT OPTION",
        "GRANT APPLICATION_PASSWORD_ADMIN,ROLE_ADMIN,SET_USER_ID,XA_RECOVER_ADMIN ON *.* TO "
        "`admin`@`%` WITH GRANT OPTION",
        "REVOKE CREATE, DROP, LOCK TABLES ON `mysql`.* FROM `admin`@`%`",
        "GRANT `rds_superuser_role`@`%` TO `admin`@`%`");

    (void)state;
    assert_true(grants_global(g, "RELOAD"));
    assert_false(grants_global(g, "BACKUP_ADMIN"));
    assert_false(grants_database(g, "mysql", "LOCK TABLES"));
    assert_true(grants_database(g, "shop", "LOCK TABLES"));
    assert_string_equal(grants_role(g, 0), "rds_superuser_role@%");
    grants_free(g);
    /* Aurora MySQL 2 (5.7) has rights that no other server has */
    g = GRANTS("GRANT SELECT, INSERT, RELOAD, PROCESS, REPLICATION CLIENT, LOAD FROM S3, SELECT "
               "INTO S3, INVOKE LAMBDA, INVOKE SAGEMAKER ON *.* TO 'admin'@'%' WITH GRANT OPTION");
    assert_true(grants_global(g, "LOAD FROM S3"));
    assert_true(grants_global(g, "SELECT INTO S3"));
    assert_false(grants_global(g, "LOCK TABLES"));
    grants_free(g);
}

static void refuses_other_text(void **state)
{
    static const char *const lines[] = {"",
                                        "GRANT",
                                        "GRANT SELECT",
                                        "GRANT SELECT ON",
                                        "GRANT SELECT ON `a",
                                        "GRANT SELECT ON `a`.* ",
                                        "GRANT SELECT (a ON *.* TO 'x'@'y'",
                                        "GRANT SELECT ON *.* TO",
                                        "DROP TABLE t",
                                        "GRANT ON *.* TO 'x'@'y'",
                                        "GRANT SELECT ON *.* TO 'x"};
    struct grants *g = grants_new((struct grants_rules){0});
    struct err err = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        if (grants_add(g, lines[i], strlen(lines[i]), &err) != ERR_FORMAT)
            fail_msg("taken: %s", lines[i]);
    assert_false(grants_global(g, "SELECT"));
    assert_string_equal(grants_account(g), "");
    grants_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mysql_56_and_57), cmocka_unit_test(names_with_wildcards),
        cmocka_unit_test(scopes_that_add), cmocka_unit_test(mysql_80_and_9),
        cmocka_unit_test(mariadb),         cmocka_unit_test(tidb),
        cmocka_unit_test(rds_and_aurora),  cmocka_unit_test(refuses_other_text)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
