"""load --ignore-columns: what of the files does not come, and what is refused rather than guessed."""

import ferry
from case import quick

UTF8 = "CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"
TABLE = ("CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY, a varchar(20) NOT NULL, secret varchar(50), raw varbinary(9) NOT NULL DEFAULT 'none',"
         " n int NOT NULL, twice int AS (n * 2) STORED) " + UTF8)
ROWS = 500


def dumped(t, *more, kind="mariadb"):
    source, out = t.server(kind), t.path("dump")
    t.database(source, "cut", TABLE, "INSERT INTO t (a, secret, raw, n) SELECT CONCAT('a', seq), CONCAT('s\\t', seq), CHAR(255, seq %% 256), seq"
               " FROM seq_1_to_%d" % ROWS, "CREATE TABLE other (id int PRIMARY KEY, secret int NOT NULL)", "INSERT INTO other VALUES (1,1)",
               options=UTF8)
    ferry.dump(source, out, "-f", "cut.*", "--chunk-size", "4KiB", *more).must()
    return source, out


def load(target, out, *more, **options):
    return ferry.run("load", "--target", target.url, "--input", out, *more, **options)


def of_target(target, columns="id, a, n, twice"):
    return target.run("SELECT %s FROM cut.t ORDER BY n" % columns)


def whole(t, kind, *more):
    source, out = dumped(t, *more)
    target = t.server(kind)
    t.gone_after(target, "cut")
    load(target, out, "--ignore-columns", "cut.t=secret,RAW", "--batch-rows", "100").must()
    assert of_target(target) == of_target(source)
    assert target.run("SELECT DISTINCT secret, raw FROM cut.t") == ((None, b"none"),)
    assert target.run("SELECT * FROM cut.other") == ((1, 1),), "the rule is of one table"
    # an existing table that lacks one of them, holds some rows, and keeps what it had of the other where nothing is replaced
    target.run("DROP DATABASE ferry_meta", "USE cut", "ALTER TABLE t DROP COLUMN raw", "UPDATE t SET secret='kept'", "DELETE FROM t WHERE id > 10",
               "UPDATE t SET a='else' WHERE id = 3", "TRUNCATE TABLE other")
    load(target, out, "--ignore-columns", "cut.t=secret,raw", "--on-conflict", "ignore").must()
    assert target.run("SELECT COUNT(*), SUM(n), SUM(secret='kept'), SUM(a='else') FROM cut.t") == ((ROWS, ROWS * (ROWS + 1) // 2, 10, 1),)
    assert target.run("SELECT identical, COUNT(*) FROM ferry_meta.conflict GROUP BY 1 ORDER BY 1") == ((0, 1), (1, 9))


def test_tidb(t):
    whole(t, "tidb")


@quick
def test_csv_mysql(t):
    whole(t, "mysql", "--format", "csv")


def test_new_numbers(t):
    """Without its key the rows are added, each under a number of the target's."""
    source, out = dumped(t)
    target = t.server("tidb")
    t.gone_after(target, "cut")
    target.run("CREATE DATABASE cut " + UTF8, "USE cut", TABLE, "INSERT INTO t (id, a, n) VALUES (1, 'first', 0)")
    load(target, out, "-f", "cut.t", "--ignore-columns", "cut.t=id").must()
    assert target.run("SELECT COUNT(*), COUNT(DISTINCT id), COUNT(DISTINCT secret) FROM cut.t") == ((ROWS + 1, ROWS + 1, ROWS),)
    assert of_target(target, "a, HEX(raw)")[1:] == of_target(source, "a, HEX(raw)")


def test_refused(t):
    source, out = dumped(t)
    target = t.server("mysql")
    t.gone_after(target, "cut")
    load(target, out, "--ignore-columns", "cut.t=secret,nowhere").must(2, "has a column 'nowhere'")
    load(target, out, "--ignore-columns", "cut.x=secret").must(2, "has a column 'secret'")
    load(target, out, "--ignore-columns", "cut.t=twice").must(2, "has a column 'twice'")  # generated: not in the files
    load(target, out, "--ignore-columns", "cut.t").must(2, "DB.TABLE=")
    load(target, out, "--ignore-columns", "cut.other=id,secret").must(2, "leaves no column of 'cut.other'")
    assert ("cut",) not in target.run("SHOW DATABASES")
    load(target, out, "-f", "cut.other", "--ignore-columns", "cut.other=secret").must(1, "column 'secret' is not in the dump and has no default")
    target.run("DROP DATABASE cut", "DROP DATABASE ferry_meta", "CREATE DATABASE cut " + UTF8, "USE cut", TABLE)
    load(target, out, "-f", "cut.t", "--ignore-columns", "cut.t=n").must(1, "column 'n' is not in the dump and has no default")
    target.run("DROP DATABASE cut", "DROP DATABASE IF EXISTS ferry_meta")
    # killed on the way, and gone on with
    load(target, out, "--ignore-columns", "*.*=secret", "-f", "cut.t", program=ferry.fault_binary(), env={"FERRY_FAULT": "load.after-commit:3"})
    load(target, out, "-f", "cut.t").must(2, ["begun with --ignore-columns", "*.*=secret"])
    load(target, out, "-f", "cut.t", "--ignore-columns", "*.*=a").must(2, "begun with --ignore-columns")
    load(target, out, "-f", "cut.t", "--ignore-columns", "*.*=secret").must()
    assert target.run("SELECT COUNT(*), SUM(n), COUNT(secret) FROM cut.t") == ((ROWS, ROWS * (ROWS + 1) // 2, 0),)
    ferry.run("follow", "--source", source.url, "--target", target.url, "--input", out, "--until", "caught-up").must(1, "made with --ignore-columns")
