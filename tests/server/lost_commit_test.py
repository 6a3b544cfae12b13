"""Answers to COMMIT that do not come: what was committed is not written again, what was not is, and one that comes late does nothing."""

import collections

import compare
import ferry
from proxy import Proxy

UTF8 = "CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"
TABLE = "CREATE TABLE t (id int PRIMARY KEY, n int, s varchar(200)) " + UTF8
ROWS, THERE = 1500, 50  # of the latter one half is the same as in the dump


def load_through(t, kind):
    source, target, out = t.server("mariadb"), t.server(kind), t.path("dump")
    db = t.database(source, "lost_commit", TABLE, "INSERT INTO t SELECT seq, seq, REPEAT('x', 100) FROM seq_1_to_%d" % ROWS,
                    "CREATE TABLE bag (n int, s varchar(200)) " + UTF8, "INSERT INTO bag SELECT seq %% 7, REPEAT('y', 100) FROM seq_1_to_%d" % ROWS,
                    options=UTF8)
    ferry.dump(source, out, "-f", db + ".*", "--chunk-size", "64KiB").must()
    t.gone_after(target, db)
    target.run("CREATE DATABASE %s %s" % (db, UTF8), "USE " + db, TABLE, "INSERT INTO t VALUES " + ",".join(
        "(%d,%d,REPEAT('x',100))" % (i * 29, i * 29 if i % 2 else -1) for i in range(1, THERE + 1)))
    proxy = Proxy(t, target)
    kinds = ["lost", None, "late", None, "never", None, None]
    proxy.fault = lambda number: kinds[number % len(kinds)]
    run = ferry.run("load", "--target", proxy.url, "--input", out, "-t", "4", "--batch-rows", "50", "--on-conflict", "replace").must()
    done = collections.Counter(proxy.done)
    t.say("%d COMMITs, of them %s" % (proxy.commits, dict(done)))
    assert min(done[k] for k in ("lost", "late", "never")) >= 5, done
    assert "rows in the target: %d" % (2 * ROWS) in run.out, run
    compare.same_database(source, target, db)
    assert target.run("SELECT done, identical, COUNT(*), COUNT(DISTINCT key_values) FROM ferry_meta.conflict GROUP BY 1, 2 ORDER BY 2") == (
        ("replaced", 0, THERE // 2, THERE // 2), ("replaced", 1, THERE // 2, THERE // 2)), target.run("SELECT * FROM ferry_meta.conflict LIMIT 3")


def test_tidb(t):
    load_through(t, "tidb")


def test_mariadb(t):
    load_through(t, "mariadb")
