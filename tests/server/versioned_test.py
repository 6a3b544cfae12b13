"""System-versioned tables of MariaDB: their present rows are what is moved, followed and compared."""

import ferry

TABLES = ["CREATE TABLE hidden (id int PRIMARY KEY, x int, u int UNIQUE) WITH SYSTEM VERSIONING",
          "CREATE TABLE named (id int PRIMARY KEY, e timestamp(6) GENERATED ALWAYS AS ROW END, s timestamp(6) GENERATED ALWAYS AS ROW START, x int,"
          " PERIOD FOR SYSTEM_TIME (s, e)) WITH SYSTEM VERSIONING",
          "CREATE TABLE partly (id int PRIMARY KEY, x int WITH SYSTEM VERSIONING, y int)",
          "CREATE TABLE keyless (x int, y varchar(20)) WITH SYSTEM VERSIONING"]
COLUMNS = {"hidden": "id, x, u", "named": "id, x", "partly": "id, x, y", "keyless": "x, y"}
CHANGES = ["UPDATE hidden SET x = 9, u = 40 WHERE id = 1", "DELETE FROM hidden WHERE id = 2", "INSERT INTO hidden VALUES (2, 7, 42)",
           "REPLACE INTO hidden VALUES (3, 8, 42)", "INSERT INTO hidden VALUES (3, 1, 1) ON DUPLICATE KEY UPDATE x = x + 1", "UPDATE hidden SET id = id + 10",
           "BEGIN", "INSERT INTO named (id, x) VALUES (7, 7), (8, 8)", "UPDATE named SET x = x + 1", "UPDATE named SET id = 5 WHERE id = 1",
           "DELETE FROM named WHERE id IN (2, 8)", "INSERT INTO named (id, x) VALUES (2, 20)", "COMMIT",
           "UPDATE partly SET y = 5 WHERE id = 1", "UPDATE partly SET x = 6 WHERE id = 2", "DELETE FROM partly WHERE id = 3",
           "DELETE FROM keyless WHERE x = 1 LIMIT 1", "UPDATE keyless SET y = 'new' WHERE x = 2", "INSERT INTO keyless VALUES (1, 'a')",
           "DELETE HISTORY FROM hidden", "UPDATE hidden SET x = x + 100"]


def loaded(t, target, folder, *more):
    source = t.server("mariadb")
    db = t.database(source, "verf", *TABLES)
    t.gone_after(target, db)
    source.run("USE verf", "INSERT INTO hidden VALUES (1,1,1),(2,2,2),(3,3,3)", "INSERT INTO named (id, x) VALUES (1,1),(2,2)",
               "INSERT INTO partly VALUES (1,1,1),(2,2,2),(3,3,3)", "INSERT INTO keyless VALUES (1,'a'),(1,'a'),(2,'b'),(2,'b')",
               "UPDATE hidden SET x = 5", "DELETE FROM keyless WHERE x = 2 LIMIT 1", *more)
    out = t.path(folder)
    ferry.dump(source, out, "-f", db + ".*").must(0, "not their history")
    ferry.load(target, out).must()
    return source, out


def same(source, target, tables):
    for name, columns in tables.items():
        sql = "SELECT %s FROM verf.%s ORDER BY %s" % (columns, name, columns)
        assert source.run(sql) == target.run(sql), (name, source.run(sql), target.run(sql))


def test_followed(t):
    """Updates and deletes, which write the history into the binlog; a table that is made meanwhile; and a comparison at the end."""
    for kind in ("tidb", "mariadb"):
        target = t.server("tidb") if kind == "tidb" else t.own_server("mariadb", "--server-id=71")
        source, out = loaded(t, target, "dump-" + kind)
        source.run("USE verf", *CHANGES)
        source.run("USE verf", "CREATE TABLE later (id int PRIMARY KEY, x int) WITH SYSTEM VERSIONING", "INSERT INTO later VALUES (1, 1), (2, 2)",
                   "UPDATE later SET x = 3", "DELETE FROM later WHERE id = 2")
        ferry.run("follow", "--source", source.url, "--target", target.url, "--input", out, "--until", "caught-up").must()
        same(source, target, dict(COLUMNS, later="id, x"))
        ferry.run("verify", "--source", source.url, "--target", target.url, "-f", "verf.*").must()


def test_by_transaction_numbers(t):
    """The server logs their changes as statements: the check names them, and nothing of them is followed."""
    target = t.server("tidb")
    source, out = loaded(t, target, "dump-numbers", "CREATE TABLE numbered (id int PRIMARY KEY, s bigint unsigned GENERATED ALWAYS AS ROW START,"
                         " e bigint unsigned GENERATED ALWAYS AS ROW END, PERIOD FOR SYSTEM_TIME (s, e)) WITH SYSTEM VERSIONING", "INSERT INTO numbered (id) VALUES (1)")
    said = ferry.run("check", "--source", source.url, "-f", "verf.*", "--for", "follow")
    assert "verf.numbered: by transaction numbers" in said.out, said
    source.run("DELETE FROM verf.numbered")
    ferry.run("follow", "--source", source.url, "--target", target.url, "--input", out, "--until", "caught-up").must(1, "logged statement")


def test_column_of_versioned_table(t):
    """Where the server puts a new column is not known: it stops, before anything is misread."""
    target = t.server("tidb")
    source, out = loaded(t, target, "dump-alter")
    source.run("USE verf", "SET system_versioning_alter_history = KEEP", "ALTER TABLE hidden ADD COLUMN n int", "UPDATE hidden SET n = 3")
    follow = ["follow", "--source", source.url, "--target", target.url, "--input", out, "--until", "caught-up"]
    ferry.run(*follow).must(1, ["system-versioned", "new dump"])
