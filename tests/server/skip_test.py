"""--on-table-error: a table that cannot be read stops the dump, or is left out by name with exit status 6."""

import json
import os

import ferry
from case import quick


def made(t, source):
    t.database(source, "skip", "CREATE TABLE good (id int PRIMARY KEY, v varchar(100))",
               "INSERT INTO good SELECT seq, 'x' FROM seq_1_to_3000", "CREATE TABLE secret (id int PRIMARY KEY, v varchar(100))",
               "INSERT INTO secret SELECT seq, 'x' FROM seq_1_to_3000")


@quick
def test_table_without_the_right(t):
    source = t.server("mariadb")
    made(t, source)
    source.run("DROP USER IF EXISTS sk@'127.0.0.1'", "CREATE USER sk@'127.0.0.1'",
               "GRANT RELOAD, BINLOG MONITOR, PROCESS ON *.* TO sk@'127.0.0.1'", "GRANT SELECT ON skip.good TO sk@'127.0.0.1'",
               "GRANT INSERT ON skip.secret TO sk@'127.0.0.1'")
    url = source.url.replace("root@", "sk@")
    args = ("dump", "--source", url, "-f", "skip.*", "--output")
    ferry.run(*args, t.path("stop")).must(1, ["FERRY-PRIVILEGE", "secret"])
    out = t.path("skip")
    ferry.run(*args, out, "--on-table-error", "skip").must(6, ["left out", "secret"])
    ferry.run("verify", "--input", out).must(0, ["LEFT OUT table skip.secret", "3000 rows"])
    target = t.own_server("mariadb")
    ferry.load(target, out).must(6, ["without this table's rows", "secret"])
    left = [r for r in ferry.manifest(out) if r["record"] == "left_out"]
    assert len(left) == 1 and left[0]["name"] == "secret" and left[0]["optional"], left
    assert not [n for n in os.listdir(out) if "secret" in n]


def test_corrupt_table(t):
    """Pages in the middle of a table's file are overwritten: found while it is read, by several workers."""
    source = t.own_server("mariadb", "--innodb-buffer-pool-size=16M")
    t.database(source, "skip", "CREATE TABLE good (id int PRIMARY KEY, v varchar(200))",
               "INSERT INTO good SELECT seq, REPEAT('x', 100) FROM seq_1_to_20000", "CREATE TABLE bad (id int PRIMARY KEY, v varchar(200))",
               "INSERT INTO bad SELECT seq, REPEAT('y', 150) FROM seq_1_to_60000")
    source.stop()
    path = os.path.join(source.data, "skip", "bad.ibd")
    with open(path, "r+b") as f:
        f.seek(os.path.getsize(path) // 2 // 16384 * 16384 + 200)
        f.write(os.urandom(8000))
    source.start()
    out = t.path("d")
    args = ("dump", "--source", source.url, "-f", "skip.*", "--output", out, "--chunk-size", "64KiB", "--on-table-error")
    r = ferry.run(*args, "stop")
    assert r.status in (1, 75) and "bad" in r.err, r
    if source.process.poll() is not None:
        source.start()
    r = ferry.run(*args, "skip").must(6, ["left out", "bad"])
    ferry.run("verify", "--input", out).must(0, ["LEFT OUT table skip.bad", "20000 rows"])
    assert [n for n in os.listdir(out) if "skip.bad" in n] == ["skip.bad-schema.sql.zst"], os.listdir(out)
    now = json.loads(ferry.run("status", out, "--json").must().out)
    assert now["state"] == "finished" and now["rows"] == 20000, now


def quietly(source, *statements):
    source.run("SET sql_log_bin = 0", *statements)


def test_left_out_and_then_read_after_all(t):
    """Killed when `left_out` is on record and `table_done` is not: a later epoch reads the table, and nothing is said to be missing."""
    source = t.own_server("mariadb")
    made(t, source)
    source.run("CREATE USER sk@'127.0.0.1'", "GRANT RELOAD, BINLOG MONITOR, SLAVE MONITOR, PROCESS ON *.* TO sk@'127.0.0.1'",
               "GRANT SELECT ON skip.good TO sk@'127.0.0.1'", "GRANT SELECT ON skip.secret TO sk@'127.0.0.1'", "RESET MASTER",
               "INSERT INTO skip.good VALUES (9000, 'y')")
    out = t.path("d")
    args = ["dump", "--source", source.url.replace("root@", "sk@"), "-f", "skip.*", "--output", out, "--chunk-size", "4KiB", "-t", "1",
            "--on-table-error", "skip"]
    process = ferry.start(args, program=ferry.fault_binary(), env={"FERRY_FAULT": "dump.before-metadata",
                                                                   "FERRY_FAULT_PAUSE": "dump.chunk.after-record:0.1"})
    ferry.wait_until(lambda: os.path.isdir(out) and [n for n in os.listdir(out) if n.startswith("skip.secret.0")], what="rows of it")
    quietly(source, "REVOKE SELECT ON skip.secret FROM sk@'127.0.0.1'")
    process.communicate()
    without_done(out)
    quietly(source, "GRANT SELECT ON skip.secret TO sk@'127.0.0.1'")
    ferry.run(*args).must(0)
    r = ferry.run("verify", "--input", out).must(0, "6001 rows")
    assert "LEFT OUT" not in r.out, r
    target = t.server("mariadb")
    t.gone_after(target, "skip")
    ferry.load(target, out).must(0)


def without_done(out):
    """As if it had been killed behind the record `left_out`: what comes after it is cut off."""
    base = os.path.join(out, "ferry.manifest")
    lines = []
    names = sorted(os.listdir(base))
    for name in names:
        with open(os.path.join(base, name)) as f:
            lines += f.readlines()
        os.unlink(os.path.join(base, name))
    at = [i for i, line in enumerate(lines) if '"record":"left_out"' in line]
    assert len(at) == 1 and '"record":"void"' in "".join(lines[:at[0]]), lines
    with open(os.path.join(base, names[0]), "w") as f:
        f.writelines(lines[:at[0] + 1])


def test_killed_and_continued(t):
    """What was left out stays named when another run finishes the dump."""
    source = t.own_server("mariadb", "--innodb-buffer-pool-size=16M")
    t.database(source, "skip", "CREATE TABLE good (id int PRIMARY KEY, v varchar(200))",
               "INSERT INTO good SELECT seq, REPEAT('x', 100) FROM seq_1_to_20000", "CREATE TABLE bad (id int PRIMARY KEY, v varchar(200))",
               "INSERT INTO bad SELECT seq, REPEAT('y', 150) FROM seq_1_to_60000")
    source.stop()
    path = os.path.join(source.data, "skip", "bad.ibd")
    with open(path, "r+b") as f:
        f.seek(os.path.getsize(path) // 2 // 16384 * 16384 + 200)
        f.write(os.urandom(8000))
    source.start()
    args = ("dump", "--source", source.url, "-f", "skip.*", "--output", t.path("d"), "--chunk-size", "64KiB", "-t", "2",
            "--on-table-error", "skip")
    for step in ("dump.chunk.after-record:20", "dump.before-metadata"):
        ferry.run_fault(step, *args)
    ferry.run(*args).must(6, "left out")
    ferry.run("verify", "--input", t.path("d")).must(0, ["LEFT OUT table skip.bad", "20000 rows"])
