"""Other releases than the ones that the rest of the tests run on: each as a source and, where it can be one, as a target."""

import compare
import data
import ferry


def move(t, source, target, for_tidb, *more):
    db = t.database(source, "old_types", options="CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
    data.make_every_type(source, db, for_tidb)
    source.run("USE " + db, "CREATE TABLE parent (a int, b varchar(20), c int, PRIMARY KEY (a, b), UNIQUE KEY c (c)) CHARACTER SET utf8mb4",
               "INSERT INTO parent VALUES (1,'a',1),(1,'b',2),(2,'A ',NULL)", "CREATE TABLE keyless (a int, b blob)",
               "INSERT INTO keyless VALUES (1,'x'),(1,'x'),(NULL,NULL)", "CREATE VIEW seen AS SELECT a, b FROM parent")
    for form in ("sql", "csv"):
        out = t.path("%s-%s" % (target.name, form))
        ferry.dump(source, out, "-f", db + ".*", "--format", form, "--chunk-size", "4KiB", *more).must()
        ferry.run("verify", "--input", out).must()
        t.gone_after(target, db)
        ferry.load(target, out).must()
        assert compare.same_database(source, target, db) > 50
        assert target.value("SELECT COUNT(*) FROM %s.seen" % db) == 3
    text = open(t.path("%s-csv/metadata" % target.name)).read()
    assert "bin.0" in text, text


def test_mysql55(t):
    source = t.own_server("mysql55")
    move(t, source, t.server("tidb"), True)
    move(t, source, t.server("mariadb"), False)


def test_mariadb102(t):
    source, other = t.own_server("mariadb102"), t.own_server("mariadb102")
    move(t, source, t.server("tidb"), True)
    move(t, source, other, False)


def test_mariadb114(t):
    source, other = t.own_server("mariadb114"), t.own_server("mariadb114")
    move(t, source, t.server("tidb"), True)
    move(t, source, other, False)
