"""What the target is like before a load, and what others did to it since the last one."""

import compare
import ferry
from case import quick

UTF8 = "CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"


@quick
def test_names_differ_in_case_only(t):
    """TiDB's names do not mind case: refused before anything is made, both tables named."""
    source, target = t.server("mariadb"), t.server("tidb")
    t.database(source, "cases", "CREATE TABLE Users (id int PRIMARY KEY)", "CREATE TABLE users (id int PRIMARY KEY)",
               "CREATE TABLE other (id int PRIMARY KEY)", "INSERT INTO Users VALUES (1)", "INSERT INTO users VALUES (2)", options=UTF8)
    out = t.path("d")
    ferry.dump(source, out, "-f", "cases.*").must()
    t.gone_after(target, "cases")
    for more in (["--dry-run"], []):
        ferry.load(target, out, *more).must(1, ["FERRY-LOAD-SCHEMA", "cases.Users", "cases.users"])
        assert "cases" not in [r[0] for r in target.run("SHOW DATABASES")]


def some_tables(t, kind, db):
    source = t.server("mariadb")
    target = t.own_server("mariadb") if kind == "mariadb" else t.server(kind)
    t.database(source, db, "CREATE TABLE a (id int PRIMARY KEY, x varchar(20))", "CREATE TABLE b (id int PRIMARY KEY)",
               "CREATE TABLE none (id int PRIMARY KEY)", "INSERT INTO a SELECT seq, 'x' FROM seq_1_to_500",
               "INSERT INTO b SELECT seq FROM seq_1_to_500", options=UTF8)
    out = t.path("d-" + kind)
    ferry.dump(source, out, "-f", db + ".*").must()
    return source, target, out


def renew(target, db):
    """What the refusal says: the tables emptied, the job away."""
    target.run("DROP DATABASE IF EXISTS `%s`" % db, "DELETE FROM ferry_meta.job")


@quick
def test_gone_after_the_load(t):
    """A finished load whose tables are away by now is not "nothing to do"."""
    source, target, out = some_tables(t, "tidb", "gone")
    t.gone_after(target, "gone")
    ferry.load(target, out).must()
    ferry.load(target, out).must(0, "nothing to do")
    for change in ("DROP TABLE gone.b", "DROP TABLE gone.none", "TRUNCATE TABLE gone.a", "DROP DATABASE gone"):
        target.run(change)
        r = ferry.load(target, out).must(1, ["FERRY-LOAD-STATE", "gone.", "DELETE FROM `ferry_meta`.`job` WHERE job = "])
        assert "nothing to do" not in r.out, r
        renew(target, "gone")
        ferry.load(target, out).must()
        compare.same_database(source, target, "gone")


@quick
def test_truncated_after_the_load(t):
    """MariaDB and MySQL have no table ids: a table that got rows and is empty now is not "nothing to do"."""
    for kind in ("mariadb", "mysql"):
        _, target, out = some_tables(t, kind, "cut")
        t.gone_after(target, "cut")
        ferry.load(target, out).must()
        target.run("TRUNCATE TABLE cut.a")
        r = ferry.load(target, out).must(1, ["FERRY-LOAD-STATE", "cut.a"])
        assert "nothing to do" not in r.out, r


def test_emptied_between_two_runs(t):
    """A table emptied or made anew while a load is cut off is not gone on with, though MariaDB and MySQL have no table ids."""
    anew = "CREATE TABLE emptied.a (id int PRIMARY KEY, x varchar(20))"
    for kind in ("mysql", "mariadb", "tidb"):
        _, target, out = some_tables(t, kind, "emptied")
        t.gone_after(target, "emptied")
        load = ("load", "--target", target.url, "--input", out, "-t", "1", "--batch-rows", "50")
        changes = [["TRUNCATE TABLE emptied.a"], ["DROP TABLE emptied.a"], ["DROP TABLE emptied.a", anew]]
        for change in changes + ([["DELETE FROM emptied.a LIMIT 1"]] if kind != "tidb" else []):
            ferry.run_fault("load.after-commit:3", *load)
            assert target.value("SELECT COUNT(*) FROM emptied.a") > 0
            target.run(*change)
            ferry.run(*load).must(1, ["FERRY-LOAD-STATE", "emptied.a", "DELETE FROM `ferry_meta`.`job` WHERE job = "])
            renew(target, "emptied")
        ferry.run_fault("load.after-commit:3", *load)
        ferry.run(*load).must()
        assert target.value("SELECT COUNT(*) FROM emptied.a") == 500


@quick
def test_trigger_on_the_target(t):
    """A trigger that acts on inserted rows: refused by name, before any row; one for other statements, or another table's, is no matter."""
    for kind in ("mysql", "mariadb"):
        source, target, out = some_tables(t, kind, "trig")
        t.gone_after(target, "trig")
        ferry.load(target, out, "--no-data").must()
        target.run("CREATE TABLE trig.mine (id int, x int)",
                   "CREATE TRIGGER trig.harmless BEFORE UPDATE ON trig.a FOR EACH ROW SET NEW.x = 'changed'",
                   "CREATE TRIGGER trig.others BEFORE INSERT ON trig.mine FOR EACH ROW SET NEW.x = 1",
                   "CREATE TRIGGER trig.bad BEFORE INSERT ON trig.a FOR EACH ROW SET NEW.x = 'changed'")
        for more in (["--dry-run"], []):
            ferry.load(target, out, *more).must(1, ["FERRY-LOAD-TABLE-SHAPE", "trig.a", "trigger bad"])
            assert target.value("SELECT COUNT(*) FROM trig.a") == 0
        target.run("DROP TRIGGER trig.bad")
        ferry.load(target, out).must()
        target.run("DROP TABLE trig.mine")
        compare.same_database(source, target, "trig")
