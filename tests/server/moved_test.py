"""What must not be taken for a source at rest, or for a complete list of tables."""

import ferry
from kill_test import dump_args, killed_with_records, make_source


def test_binlog_reset_to_the_same_position(t):
    """RESET MASTER gives the old file and offset again: without a GTID set nothing tells the two apart."""
    source = t.own_server("mariadb")
    t.server = lambda kind: source
    _, db = make_source(t, "mariadb")
    source.run("RESET MASTER")
    out = t.path("d")
    killed_with_records(source, db, out)
    source.run("UPDATE killed.keyed SET n = n + 1", "RESET MASTER")
    ferry.run(*dump_args(source, db, out)).must(1, "FERRY-DUMP-SOURCE-MOVED")


def test_table_made_while_the_lock_is_awaited(t):
    """The list of tables is read before the lock: one that is created in between must not be missing without a
    word. (With --ddl-lock it could not be created.)"""
    source = t.own_server("mariadb")
    t.database(source, "race", "CREATE TABLE slow (id int PRIMARY KEY)", "INSERT INTO slow VALUES (1)")
    holder = source.connect(database="race")
    out = t.path("d")
    with holder.cursor() as cursor:
        cursor.execute("LOCK TABLES slow WRITE")
        process = ferry.start(["dump", "--source", source.url, "--output", out, "-f", "race.*", "--ddl-lock", "no"])
        ferry.wait_until(lambda: any("Waiting" in str(r[6]) for r in source.run("SHOW PROCESSLIST")), what="the dump to wait")
        source.run("CREATE TABLE race.made_late (id int PRIMARY KEY)", "INSERT INTO race.made_late VALUES (7)")
        cursor.execute("UNLOCK TABLES")
    holder.close()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1 and b"FERRY-DUMP-TABLE" in err and b"made_late" in err, (process.returncode, err)
    ferry.dump(source, out, "-f", "race.*").must()
