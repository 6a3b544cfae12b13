"""What a dump plans: --dry-run, very many tables, the account's rights on them."""

import os
import resource
import sys

import ferry
from case import quick, soak

sys.path.insert(0, os.path.join(ferry.ROOT, "tests", "bench"))
import many_tables  # noqa: E402


def test_dry_run(t):
    """What is dumped, and what is left out by which rule; nothing is made; no more than some of a database are named."""
    for kind in ("mariadb", "mysql"):
        source = t.server(kind)
        t.database(source, "dry", "CREATE TABLE a (id int PRIMARY KEY, v int)", "INSERT INTO a VALUES (1, 1)", "CREATE TABLE log_1 (v int)",
                   "CREATE VIEW v AS SELECT * FROM a", *["CREATE TABLE s%02d (id int PRIMARY KEY)" % i for i in range(30)])
        t.database(source, "dry_other", "CREATE TABLE x (v int)")
        out = t.path(kind + "/sub")
        r = ferry.dump(source, out, "-f", "dry.*", "-f", "!dry.log_*", "--no-triggers", "--where", "dry.a=v > 0", "--dry-run").must(0, [
            "rows where v > 0", "key PRIMARY (id)", "view       dry.v", "left out   dry.log_1: --filter !dry.log_*",
            "left out   dry_other.x: --filter, no pattern of which takes it", "left out   triggers: --no-triggers", "in all     31 tables"])
        assert r.out.count("table      dry.s") <= 20 and "dry: and 11 smaller ones" in r.out, r
        assert not os.path.exists(t.path(kind)), "the dry run has made a folder"
        r = ferry.dump(source, out, "-f", "dry.*", "--no-views", "--dry-run").must(0, "left out   dry.v: --no-views")


@quick
def test_cuts_of_a_skewed_key(t):
    """A key whose first column is nearly constant is cut as an integer is: for each cut few questions are asked, and few entries of the index read."""
    source = t.own_server("mariadb")
    spent = {}
    source.run("CREATE DATABASE cuts")
    for name, key in {"plain": "id", "skewed": "a, id", "uuid": "u"}.items():
        source.run("CREATE TABLE %s (a int NOT NULL, id int NOT NULL, u binary(16) NOT NULL, PRIMARY KEY (%s))" % (name, key),
                   "INSERT INTO %s SELECT IF(seq %% 1000, 1, seq), seq, UNHEX(MD5(seq)) FROM seq_1_to_60000" % name, "ANALYZE TABLE " + name, database="cuts")
        before = dict(source.run("SHOW GLOBAL STATUS"))
        ferry.dump(source, t.path(name), "-f", "cuts." + name, "--chunk-size", "256KiB", "-t", "4").must()
        after = dict(source.run("SHOW GLOBAL STATUS"))
        spent[name] = {k: int(after[k]) - int(before[k]) for k in (
            "Handler_read_key", "Handler_read_next", "Handler_read_prev", "Handler_read_rnd_next", "Com_select")}
        records = [r["record"] for r in ferry.manifest(t.path(name))]
        spent[name]["cuts"], spent[name]["chunks"] = records.count("span"), records.count("chunk")
    for name, s in spent.items():
        asked = (s["Com_select"] - 2 * s["chunks"] - 25) / s["cuts"]
        entries = (s["Handler_read_next"] + s["Handler_read_prev"] - 60000) / s["cuts"]
        t.say("%s: %s, %.1f questions, %.0f entries a cut" % (name, s, asked, entries))
        assert s["cuts"] >= 4 and asked < 7 and entries < 1600, (name, spent)


@soak
def test_very_many_tables(t):
    """More tables than are opened for the plan: sizes come from the statistics, rights from the server's word, and all rows are dumped."""
    for kind in ("mariadb", "mysql"):
        source = many_tables.start(kind, t.folder)
        try:
            many_tables.fill(source, 3, 800, rows=2)
            source.run("CREATE DATABASE large", "CREATE TABLE large.p (id int PRIMARY KEY, v varchar(200)) PARTITION BY HASH (id) PARTITIONS 3",
                       "CREATE TABLE large.u (a int NOT NULL, b varchar(10) NOT NULL, UNIQUE KEY k (a, b))",
                       "CREATE TABLE large.ft (a int NOT NULL PRIMARY KEY, b text, FULLTEXT KEY f (b))",
                       *["INSERT INTO large.p VALUES %s" % ",".join("(%d, REPEAT('x', 200))" % (i * 1000 + k) for k in range(1000)) for i in range(9)])
            source.run("ANALYZE TABLE large.p")
            r = ferry.dump(source, t.path("none"), "--dry-run").must(0, ["key k (a, b)", "large.ft: about"])
            line = next(x for x in r.out.splitlines() if "large.p" in x)
            assert "MiB" in line or int(line.split("rows")[0].split()[-1]) > 1000, line
            ferry.dump(source, t.path(kind)).must(0, "(2363 more)")
            ferry.run("verify", "--input", t.path(kind)).must(0, "%d rows" % (2 * 2400 + 9000))
            source.run("CREATE USER reader", "GRANT RELOAD, PROCESS, REPLICATION CLIENT ON *.* TO reader", "GRANT SELECT ON large.* TO reader",
                       *["GRANT SELECT ON many%d.* TO reader" % i for i in range(3)])
            url = source.url.replace("root", "reader")
            r = ferry.run("dump", "--source", url, "--output", t.path("slow"), "--dry-run", "-v").must(0, "GRANT SELECT ON mysql.innodb_table_stats")
            source.run("REVOKE SELECT ON many2.* FROM reader", "GRANT INSERT ON many2.* TO reader")
            ferry.run("dump", "--source", url, "--output", t.path("no"), "--consistency", "none").must(1, ["FERRY-PRIVILEGE", "'many2.t", "GRANT SELECT"])
        finally:
            source.close()


def test_few_open_files(t):
    """Files that become durable together are open until then: no more of them than the process may have."""
    source = t.server("mariadb")
    t.database(source, "fewfiles", *["CREATE TABLE t%d (id int PRIMARY KEY) AS SELECT 1 AS id" % i for i in range(200)])
    ferry.dump(source, t.path("d"), "-f", "fewfiles.*", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))).must()
    ferry.run("verify", "--input", t.path("d")).must(0, "200 rows")
