"""ferry check: names what will not work, and the statement it prints mends it."""

import json
import os
import re
import socket
import threading

import ferry
from case import quick

RIGHTS = ("tables", "dump_privilege", "lock_privilege", "ddl_lock", "process_privilege", "objects_privilege", "xa",
          "binlog_position", "replication_privilege", "binlog_read", "cutover_privilege", "target_privilege", "definers", "roles")


def check(*args, status=None, **options):
    """The report's JSON with its items by name, whatever the outcome."""
    r = ferry.run("check", "--json", *args, **options)
    report = json.loads(r.out)
    report["by"] = {i["id"]: i for i in report["items"]}
    report["run"] = r
    assert r.status == (4 if report.get("failed") else 0) if status is None else status == r.status, r
    return report


def results(report, *ids):
    return {i: report["by"][i]["result"] for i in ids}


def account(server, name, password="Mover_12.x"):
    """A new account without any right; its URL, and ferry's environment."""
    server.run("CREATE USER '%s'@'%%' IDENTIFIED BY '%s'" % (name, password))
    url = "mysql://%s@127.0.0.1:%d/" % (name, server.port)
    return url, {"FERRY_SOURCE_PASSWORD": password, "FERRY_TARGET_PASSWORD": password}


def grant_until_passed(server, want, url, env, *args, side="--source"):
    """Runs the GRANT statements that check prints, and nothing else, until every right is there."""
    seen = []
    for _ in range(6):
        report = check(side, url, *args, env=env)
        grants = [line for i in report["items"] for line in i["mend"]
                  if i["id"] in RIGHTS and i["result"] in ("Failed", "Warning") and line.startswith("GRANT")]
        if not grants:
            return report, seen
        for grant in grants:
            assert grant.endswith(" TO '%s'@'%%';" % want), grant
            server.run(grant)
        seen += grants
    raise AssertionError("still missing: %s" % grants)


def make_shop(t, server, name):
    db = t.database(server, name, "CREATE TABLE orders (id int PRIMARY KEY, note varchar(20)) ENGINE=InnoDB",
                    "INSERT INTO orders VALUES (1,'a'),(2,'b')", "CREATE VIEW seen AS SELECT id FROM orders",
                    "CREATE TRIGGER rise BEFORE INSERT ON orders FOR EACH ROW SET NEW.note = 'c'")
    return db


def dump_after_grants(t, kind, server):
    db = make_shop(t, server, "check_%s" % kind)
    user = "mover_%s" % kind
    url, env = account(server, user)
    t.cleanups.append((server, "DROP USER '%s'@'%%'" % user))
    report = check("--source", url, "--for", "dump", "-f", db + ".*", env=env, status=4)
    assert "%s: it does not exist, or the account has no right" % db in report["by"]["tables"]["objects"][0]
    report, seen = grant_until_passed(server, user, url, env, "--for", "dump", "-f", db + ".*")
    assert report["failed"] == 0
    assert set(results(report, *[i for i in RIGHTS if i in report["by"]]).values()) <= {"Passed", "Skipped"}, report["run"]
    assert not any("ALL" in g or "SUPER" in g for g in seen), seen
    out = t.path("out-" + kind)
    r = ferry.run("dump", "--source", url, "--output", out, "-f", db + ".*", env=env).must()
    assert "rise" in open(os.path.join(out, "%s.orders-schema-triggers.sql" % db)).read() if os.path.exists(
        os.path.join(out, "%s.orders-schema-triggers.sql" % db)) else True
    assert "right.missing" not in r.err and "ddl.open" not in r.err, r
    # what a dump has is not enough to follow; what is printed is
    before = check("--source", url, "--for", "follow", "-f", db + ".*", env=env)
    if kind != "mariadb":  # SUPER and the like come with nothing else there
        assert before["by"]["replication_privilege"]["result"] == "Failed"
        assert "REPLICATION SLAVE" in before["by"]["replication_privilege"]["found"]
    assert before["by"]["cutover_privilege"]["result"] == "Warning"
    report, _ = grant_until_passed(server, user, url, env, "--for", "follow", "-f", db + ".*")
    assert results(report, "replication_privilege", "binlog_read", "cutover_privilege") == dict.fromkeys(
        ("replication_privilege", "binlog_read", "cutover_privilege"), "Passed")
    try:  # what it has been granted is enough to end the move
        server.run("SET GLOBAL %s = 1" % ("super_read_only" if kind == "mysql" else "read_only"), user=user, password=env["FERRY_SOURCE_PASSWORD"])
    finally:
        server.run("SET GLOBAL read_only = 0")


@quick
def test_rights_mariadb(t):
    dump_after_grants(t, "mariadb", t.server("mariadb"))


def test_rights_mysql(t):
    dump_after_grants(t, "mysql", t.server("mysql"))


def test_rights_old_servers(t):
    dump_after_grants(t, "mysql55", t.own_server("mysql55"))
    dump_after_grants(t, "mariadb102", t.own_server("mariadb102"))


def test_target_rights(t):
    """An account without rights on a TiDB is told what it lacks, one right after the other; then the load works."""
    source, target = t.server("mariadb"), t.server("tidb")
    db = t.database(source, "check_target", "CREATE TABLE parent (id int PRIMARY KEY) CHARACTER SET utf8mb4",
                    "CREATE TABLE orders (id int PRIMARY KEY, p int, KEY (p), CONSTRAINT c FOREIGN KEY (p) REFERENCES parent (id)) "
                    "CHARACTER SET utf8mb4", "INSERT INTO parent VALUES (1)", "INSERT INTO orders VALUES (1,1),(2,NULL)",
                    "CREATE VIEW seen AS SELECT id FROM orders", options="CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
    t.gone_after(target, db)
    url, env = account(target, "loader_t")
    t.cleanups.append((target, "DROP USER 'loader_t'@'%'"))
    env["FERRY_SOURCE_PASSWORD"] = ""
    both = ("--source", source.url, "--for", "load", "-f", db + ".*")
    right = "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX, DROP, REFERENCES, CREATE TEMPORARY TABLES"
    report = check("--target", url, *both, env=env, status=4)
    item = report["by"]["target_privilege"]
    assert item["result"] == "Failed" and item["objects"] == ["ferry_meta: " + right, db + ": " + right + ", CREATE VIEW"], item
    target.run("GRANT SELECT, INSERT, UPDATE ON `check\\_target`.* TO 'loader_t'@'%'", "GRANT DELETE, CREATE, DROP ON *.* TO 'loader_t'@'%'")
    item = check("--target", url, *both, env=env, status=4)["by"]["target_privilege"]
    assert item["objects"][1] == db + ": ALTER, INDEX, REFERENCES, CREATE TEMPORARY TABLES, CREATE VIEW", item
    report, _ = grant_until_passed(target, "loader_t", url, env, *both, side="--target")
    assert report["by"]["target_privilege"]["result"] == "Passed"
    out = t.path("out")
    ferry.dump(source, out, "-f", db + ".*").must()
    ferry.run("load", "--target", url, "--input", out, env=env).must()
    assert target.value("SELECT COUNT(*) FROM %s.seen" % db) == 2


def whole_way(t, source, target):
    """Two accounts without rights get what check prints, and nothing else; with these a database is moved, followed and compared."""
    db = make_shop(t, source, "check_way")
    t.gone_after(target, db)
    env = {}
    urls = {}
    for side, server in (("source", source), ("target", target)):
        urls[side], both = account(server, "way_" + side)
        env["FERRY_%s_PASSWORD" % side.upper()] = both["FERRY_SOURCE_PASSWORD"]
        t.cleanups.append((server, "DROP USER 'way_%s'@'%%'" % side))
    servers = ("--source", urls["source"], "--target", urls["target"])
    for _ in range(6):
        report = check(*servers, "-f", db + ".*", env=env)
        grants = [(i["id"], m) for i in report["items"] for m in i["mend"] if i["id"] in RIGHTS and m.startswith("GRANT")]
        for item, grant in grants:
            (target if item in ("target_privilege", "definers") else source).run(grant)
        if not grants:
            break
    assert not grants and report["failed"] == 0, report["run"]
    out = t.path("way")
    ferry.run("dump", "--source", urls["source"], "--output", out, "-f", db + ".*", "--no-triggers", env=env).must()
    source.run("UPDATE %s.orders SET note = 'later' WHERE id = 1" % db, "INSERT INTO %s.orders VALUES (3, 'd')" % db)
    ferry.run("load", "--target", urls["target"], "--input", out, env=env).must()
    ferry.run("follow", *servers, "--input", out, "--until", "caught-up", env=env).must()
    assert target.run("SELECT note FROM %s.orders ORDER BY id" % db)[0][0] == "later"
    ferry.run("verify", *servers, "-f", db + ".*", "--no-programs", env=env).must(0)


def test_whole_way_mysql_tidb(t):
    whole_way(t, t.server("mysql"), t.server("tidb"))


def test_whole_way_mariadb_mysql(t):
    whole_way(t, t.server("mariadb"), t.server("mysql"))


def test_roles(t):
    """Rights of a role count when it is active, and only then; what activates it is printed."""
    for kind in ("mysql", "mariadb"):
        server = t.server(kind)
        db = make_shop(t, server, "check_role")
        url, env = account(server, "role_user")
        t.cleanups += [(server, "DROP USER 'role_user'@'%'"), (server, "DROP ROLE check_reader")]
        server.run("CREATE ROLE check_reader", "GRANT ALL PRIVILEGES ON %s.* TO check_reader" % db,
                   "GRANT RELOAD, PROCESS ON *.* TO check_reader", "GRANT check_reader TO 'role_user'@'%'")
        report = check("--source", url, "-f", db + ".*", env=env, status=4)
        assert results(report, "roles", "tables") == {"roles": "Warning", "tables": "Failed"}
        statement = report["by"]["roles"]["mend"][0]
        assert statement.startswith("SET DEFAULT ROLE"), statement
        server.run(statement.replace("check_reader@%", "check_reader"))
        report = check("--source", url, "-f", db + ".*", env=env)
        assert results(report, "roles", "dump_privilege", "process_privilege", "lock_privilege") == dict.fromkeys(
            ("roles", "dump_privilege", "process_privilege", "lock_privilege"), "Passed"), report["run"]


@quick
def test_connection_failures(t):
    """Each says what the server saw and what to do; the report is whole, and JSON."""
    server = t.server("mariadb")
    account(server, "known")
    t.cleanups.append((server, "DROP USER 'known'@'%'"))
    bad = check("--source", "mysql://known@127.0.0.1:%d/" % server.port, "--target", server.url,
                env={"FERRY_SOURCE_PASSWORD": "wrong"}, status=4)
    item = bad["by"]["source_connection"]
    assert "the server saw ferry come as 'known' from '127.0.0.1'" in item["found"], item
    assert any(re.match(r"GRANT SELECT, .*REPLICATION SLAVE ON \*\.\* TO 'known'@'127\.0\.0\.1';", m) for m in item["mend"]), item
    assert bad["by"]["tables"]["result"] == "Skipped" and bad["by"]["target_writable"]["result"] == "Passed"
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        item = check("--source", "mysql://a@127.0.0.1:%d/" % closed.getsockname()[1], status=4)["by"]["source_connection"]
    assert "from the address 127.0.0.1" in item["found"] and "allow TCP from 127.0.0.1" in item["mend"][0], item
    item = check("--source", "mysql://a@/?socket=" + t.path("none"), status=4)["by"]["source_connection"]
    assert item["result"] == "Failed" and item["mend"] == ["check host, port or socket and that the server runs"], item
    for wrong in (("--source", server.url, "--ignore", "no_such_check"), ("--source", server.url, "--no-such-option"), (),
                  ("--source", "http://x/"), ("--source", server.url, "-f", "a[")):
        assert check(*wrong, status=2)["error"]["name"] == "FERRY-USAGE"


class Cutter:
    """Stands before a server and cuts every connection after so many packets of the client."""

    def __init__(self, port, packets):
        self.port, self.packets, self.sent = port, packets, 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.serve, daemon=True).start()

    @property
    def url(self):
        return "mysql://root@127.0.0.1:%d/" % self.socket.getsockname()[1]

    def serve(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.port))
            threading.Thread(target=self.pump, args=(server, client, False), daemon=True).start()
            threading.Thread(target=self.pump, args=(client, server, True), daemon=True).start()

    def pump(self, source, to, counted):
        try:
            while True:
                data = source.recv(65536)
                self.sent += counted
                if not data or (counted and self.sent > self.packets):
                    break
                to.sendall(data)
        except OSError:
            pass
        for s in (source, to):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


@quick
def test_server_goes_away(t):
    """Wherever the connection is cut, the report is whole: what was not looked at is skipped with the reason."""
    server = t.server("mariadb")
    db = t.database(server, "check_gone", "CREATE TABLE a (a int PRIMARY KEY)")
    whole = Cutter(server.port, 1 << 30)
    assert check("--source", whole.url, "-f", db + ".*")["failed"] == 0
    lost = 0
    for packets in {0, 1, 2, 4} | {whole.sent * n // 8 for n in range(1, 7)}:
        cutter = Cutter(server.port, packets)
        report = check("--source", cutter.url, "-f", db + ".*", status=4)
        cutter.socket.close()
        assert report["failed"] >= 1 and report["skipped"] > 1, report["run"]
        lost += any("was lost" in i["found"] for i in report["items"])
    assert lost >= 3


def test_binlog_settings(t):
    """Settings that a follower cannot live with are named; the statements that are printed mend them."""
    server = t.own_server("mariadb", "--binlog-format=MIXED", "--binlog-row-image=MINIMAL", "--expire-logs-days=0.5",
                          "--binlog-ignore-db=check_ignored", "--lower-case-table-names=0")
    db = t.database(server, "check_ignored", "CREATE TABLE a (a int PRIMARY KEY)")
    wrong = ("binlog_format", "binlog_row_image", "binlog_db")
    report = check("--source", server.url, "--for", "follow", "-f", db + ".*", status=4)
    assert results(report, *wrong) == dict.fromkeys(wrong, "Failed")
    assert report["by"]["binlog_retention"]["result"] == "Warning" and "12.0 h" in report["by"]["binlog_retention"]["found"]
    dump = check("--source", server.url, "--for", "dump", "-f", db + ".*", status=0)  # a dump alone does not need them
    assert results(dump, *wrong) == dict.fromkeys(wrong, "Warning")
    for item in wrong + ("binlog_retention",):
        for statement in report["by"][item]["mend"]:
            if statement.startswith("SET GLOBAL"):
                server.run(statement)
    report = check("--source", server.url, "--for", "follow", "-f", db + ".*", status=4)
    assert results(report, "binlog_format", "binlog_row_image", "binlog_retention") == dict.fromkeys(
        ("binlog_format", "binlog_row_image", "binlog_retention"), "Passed")
    ignored = check("--source", server.url, "--for", "follow", "-f", db + ".*", "--ignore", "binlog_db,keys", status=0)
    assert ignored["ignored"] == 1 and ignored["by"]["binlog_db"]["ignored"]


def test_mysql_settings(t):
    server = t.own_server("mysql", "--gtid-mode=OFF", "--enforce-gtid-consistency=OFF", "--binlog-row-value-options=PARTIAL_JSON",
                          "--binlog-expire-logs-seconds=3600")
    db = t.database(server, "check_set", "CREATE TABLE a (a int PRIMARY KEY)")
    report = check("--source", server.url, "--for", "follow", "-f", db + ".*", status=4)
    assert results(report, "binlog_row_value_options", "gtid_mode", "binlog_retention") == {
        "binlog_row_value_options": "Failed", "gtid_mode": "Warning", "binlog_retention": "Warning"}
    for item in report["items"]:
        for statement in item["mend"]:
            if item["id"].startswith(("binlog_", "gtid")) and statement.startswith("SET "):
                for one in statement.split("   --")[0].split(";"):
                    if one.strip():
                        server.run(one)
    report = check("--source", server.url, "--for", "follow", "-f", db + ".*", status=0)
    assert results(report, "binlog_row_value_options", "gtid_mode", "binlog_retention") == dict.fromkeys(
        ("binlog_row_value_options", "gtid_mode", "binlog_retention"), "Passed")
    server.stop()
    server.options.append("--skip-log-bin")
    server.options.remove("--binlog-row-value-options=PARTIAL_JSON")
    server.start()
    report = check("--source", server.url, "--for", "follow", "-f", db + ".*", status=4)
    assert results(report, "binlog_enable", "binlog_format") == {"binlog_enable": "Failed", "binlog_format": "Skipped"}


def test_aurora(t):
    """On Aurora what mends is said in its form. (MariaDB under a version of Aurora's stands in.)"""
    server = t.own_server("mariadb", "--version=5.7.12-aurora-log", "--binlog-format=MIXED", "--expire-logs-days=30")
    server.run("CREATE TABLE mysql.rds_configuration (name varchar(100), value varchar(100))",
               "INSERT INTO mysql.rds_configuration VALUES ('binlog retention hours', NULL)")
    db = t.database(server, "check_aurora", "CREATE TABLE a (a int PRIMARY KEY) ENGINE=InnoDB")
    words = ("--source", server.url, "--for", "follow", "-f", db + ".*")
    report = check(*words, status=4)
    assert results(report, "binlog_format", "binlog_retention") == {"binlog_format": "Failed", "binlog_retention": "Failed"}
    assert report["by"]["binlog_format"]["mend"][0].startswith("aws rds modify-db-cluster-parameter-group "), report["run"]
    assert report["by"]["binlog_retention"]["mend"] == ["CALL mysql.rds_set_configuration('binlog retention hours', 168);"]
    server.run("UPDATE mysql.rds_configuration SET value = '168'", "SET GLOBAL binlog_format = ROW")
    assert results(check(*words), "binlog_format", "binlog_retention") == {"binlog_format": "Passed", "binlog_retention": "Passed"}
    item = check(*words)["by"]["cutover_privilege"]
    assert item["result"] == "Passed" and "aws rds modify-db-cluster-parameter-group" in item["found"], item
    item = check("--source", server.url, "-f", db + ".*")["by"]["lock_privilege"]
    assert item["result"] == "Passed" and "gives nobody the global read lock" in item["found"], item


def test_tables(t):
    """What is special about tables, each by its name, for a TiDB."""
    source, target = t.server("mariadb"), t.server("tidb")
    db = t.database(
        source, "check_tables", "CREATE TABLE keyless (a int)", "CREATE TABLE myisam (a int PRIMARY KEY) ENGINE=MyISAM",
        "CREATE TABLE space (a int PRIMARY KEY, g geometry NOT NULL)",
        "CREATE TABLE swedish (a varchar(20) CHARACTER SET latin1 COLLATE latin1_swedish_ci PRIMARY KEY)",
        "CREATE TABLE chinese (a int PRIMARY KEY, b text CHARACTER SET gbk)",
        "CREATE TABLE computed (a int PRIMARY KEY, b int AS (a + 1) STORED)", "CREATE TABLE Upper (a int PRIMARY KEY)",
        "CREATE TABLE upper (a int PRIMARY KEY)", "CREATE TABLE history (a int PRIMARY KEY) WITH SYSTEM VERSIONING",
        "CREATE TABLE _computed_gho (a int PRIMARY KEY)", "CREATE TABLE parent (a int PRIMARY KEY)",
        "CREATE TABLE child (a int PRIMARY KEY, b int, CONSTRAINT falls FOREIGN KEY (b) REFERENCES parent (a) ON DELETE CASCADE)",
        "CREATE TRIGGER rise BEFORE INSERT ON parent FOR EACH ROW SET NEW.a = NEW.a",
        "CREATE TABLE large (a int PRIMARY KEY, b longblob)", "INSERT INTO large SELECT seq, REPEAT('x', 1500000) FROM seq_1_to_12",
        "ANALYZE TABLE large", "CREATE TABLE filled (a int PRIMARY KEY)", "CREATE TABLE narrow (a bigint PRIMARY KEY)",
        options="CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
    t.database(target, db, "CREATE TABLE filled (a int PRIMARY KEY)", "INSERT INTO filled VALUES (1)",
               "CREATE TABLE narrow (a int PRIMARY KEY)")
    report = check("--source", source.url, "--target", target.url, "-f", db + ".*", status=4)
    named = {"keys": ("Warning", "keyless"), "engines": ("Failed", "myisam: MyISAM"), "types": ("Warning", "space.g: geometry"),
             "collations": ("Warning", "swedish.a (unique key): latin1_swedish_ci"), "text": ("Warning", "chinese.b: gbk"),
             "generated_columns": ("Passed", "computed.b: stored"), "names": ("Failed", "check_tables.Upper"),
             "system_versioned": ("Warning", "history"), "online_ddl": ("Failed", "_computed_gho: of computed"),
             "cascades": ("Failed", "falls: of child to parent"), "programs": ("Warning", "trigger check_tables.rise"),
             "target_tables": ("Failed", "filled: it holds rows"), "definition_columns": ("Failed", "space.g"), "large_rows": ("Warning", "large: 1"), "same_server": ("Passed", "")}
    for item, (result, words) in named.items():
        found = report["by"][item]
        assert found["result"] == result, found
        assert not words or any(words in o for o in found["objects"]), found
    assert any("narrow" in o for o in report["by"]["target_tables"]["objects"])
    fine = check("--source", source.url, "--target", target.url, "-f", db + ".parent", "-f", db + ".child", "--ignore", "cascades", status=0)
    assert fine["failed"] == 0 and fine["ignored"] == 1
    assert check("--source", source.url, "-f", db + ".child", "--for", "dump")["by"]["cascades"]["result"] == "Warning"
    text = ferry.run("check", "--source", source.url, "--target", target.url, "-f", db + ".*").must(4).out
    assert "Failed  engines: " in text and "mend   ALTER TABLE `check_tables`.`myisam` ENGINE=InnoDB;" in text and " failed, " in text


def test_collisions(t):
    """Rows that are one under the collation of a target's table are found before the load."""
    source, target = t.server("mysql"), t.server("tidb")
    db = t.database(source, "check_meet", "CREATE TABLE a (a varchar(20) COLLATE utf8mb4_bin PRIMARY KEY)",
                    "INSERT INTO a VALUES ('x'),('X'),('y')", options="CHARACTER SET utf8mb4")
    t.database(target, db, "CREATE TABLE a (a varchar(20) COLLATE utf8mb4_general_ci PRIMARY KEY)")
    both = ("--source", source.url, "--target", target.url, "--for", "load", "-f", db + ".*")
    assert check(*both)["by"]["collisions"]["result"] == "Skipped"
    item = check(*both, "--collisions", status=4)["by"]["collisions"]
    assert item["objects"] == ["check_meet.a, key PRIMARY: 1 groups of rows"], item
    assert source.run(item["mend"][0])[0][1] == 2
    target.run("DROP TABLE %s.a" % db, "CREATE TABLE %s.a (a varchar(20) COLLATE utf8mb4_bin PRIMARY KEY)" % db)
    assert check(*both, "--collisions")["by"]["collisions"]["result"] == "Passed"
    # a table that is yet to be created: only under the nearest collation do two of its rows become one
    db = t.database(source, "check_met", "CREATE TABLE b (id int PRIMARY KEY, s varchar(20) COLLATE utf8mb4_0900_as_ci, UNIQUE KEY s (s))",
                    "INSERT INTO b VALUES (1,'e'),(2,'é'),(3,NULL),(4,NULL)", "CREATE TABLE c (s varchar(9) COLLATE utf8mb4_0900_ai_ci PRIMARY KEY)",
                    "INSERT INTO c VALUES ('a'),('b')", "CREATE VIEW v AS SELECT * FROM b", options="CHARACTER SET utf8mb4")
    both = ("--source", source.url, "--target", target.url, "--for", "load", "-f", db + ".*")
    assert check(*both, "--collisions")["by"]["collisions"]["result"] == "Passed"
    assert check(*both, "--key-collation", "nearest", status=0)["by"]["collisions"]["result"] == "Skipped"
    report = check(*both, "--collisions", "--key-collation", "nearest", status=4)["by"]
    assert report["collisions"]["objects"] == ["check_met.b, key s: 1 groups of rows"], report["collisions"]
    assert source.run(report["collisions"]["mend"][0])[0][1] == 2
    source.run("UPDATE %s.b SET s='f' WHERE id=2" % db)
    assert check(*both, "--collisions", "--key-collation", "nearest", status=0)["by"]["collisions"]["result"] == "Passed"


def test_one_server(t):
    """A source that is the target is refused, by whatever name it goes; other names make it possible."""
    server = t.server("mariadb")
    db = t.database(server, "check_self", "CREATE TABLE a (a int PRIMARY KEY)")
    socket_url = "mysql://root@/?socket=" + os.path.join(server.folder, "sock")
    report = check("--source", server.url, "--target", socket_url, "-f", db + ".*", status=4)
    assert report["by"]["same_server"]["result"] == "Failed" and report["by"]["same_server"]["objects"] == [db + ".a"]
    report = check("--source", server.url, "--target", socket_url, "-f", db + ".*", "--rename", db + ".*=check_other.*")
    assert report["by"]["same_server"]["result"] == "Passed"
    for kind in ("mysql", "tidb"):
        other = t.server(kind)
        t.database(other, db, "CREATE TABLE a (a int PRIMARY KEY)")
        report = check("--source", other.url, "--target", other.url, "-f", db + ".*", "--for", "load", status=4)
        assert report["by"]["same_server"]["result"] == "Failed"


@quick
def test_output(t):
    server = t.server("mariadb")
    db = t.database(server, "check_out", "CREATE TABLE a (a int PRIMARY KEY)")
    folder = t.path("new")
    report = check("--source", server.url, "-f", db + ".*", "--output", folder)
    assert report["by"]["output"]["result"] == "Passed" and os.listdir(folder) == []
    with open(t.path("file"), "w") as f:
        f.write("x")
    report = check("--source", server.url, "-f", db + ".*", "--output", t.path("file"), status=4)
    assert report["by"]["output"]["result"] == "Failed"


def test_target_settings(t):
    """Limits and settings of a target, each with the statement that mends it."""
    source = t.server("mariadb")
    target = t.own_server("mariadb", "--local-infile=0", "--max-allowed-packet=1M", "--max-connections=10", "--read-only=1",
                          "--sql-mode=ANSI_QUOTES,STRICT_TRANS_TABLES", "--default-time-zone=+05:00", "--server-id=77")
    db = t.database(source, "check_limits", "CREATE TABLE a (a int PRIMARY KEY)")
    t.database(target, db, "CREATE TABLE a (a int PRIMARY KEY)",
               "CREATE TRIGGER rise BEFORE INSERT ON a FOR EACH ROW SET NEW.a = NEW.a")
    both = ("--source", source.url, "--target", target.url, "-f", db + ".*")
    report = check(*both, "--server-id", "1", status=4)
    wanted = {"local_infile": "Warning", "packets": "Failed", "target_connections": "Failed", "target_writable": "Warning",
              "sql_mode": "Warning", "time_zones": "Warning", "target_triggers": "Failed", "server_id_clash": "Failed",
              "same_server": "Passed"}
    assert results(report, *wanted) == wanted, report["run"]
    assert report["by"]["sql_mode"]["objects"][0] == "ANSI_QUOTES is off on the source, on on the target"
    url, env = account(target, "few")
    target.run("GRANT ALL PRIVILEGES ON *.* TO 'few'@'%'", "REVOKE SUPER, READ_ONLY ADMIN ON *.* FROM 'few'@'%'")
    env["FERRY_SOURCE_PASSWORD"] = ""
    few = check("--source", source.url, "--target", url, "-f", db + ".*", env=env, status=4)
    assert few["by"]["target_writable"]["result"] == "Failed", few["run"]
    for item in wanted:
        for statement in report["by"][item]["mend"]:
            if statement.startswith(("SET GLOBAL", "DROP TRIGGER")):
                target.run(statement.split("   --")[0])
    report = check(*both, "--server-id", "4711")
    assert results(report, *wanted) == dict.fromkeys(wanted, "Passed"), report["run"]
    # statistics that lag behind call no table full
    target.run("INSERT INTO %s.a VALUES (1),(2)" % db, "ANALYZE TABLE %s.a" % db)
    assert check(*both)["by"]["target_tables"]["result"] == "Warning"
    target.run("DELETE FROM %s.a" % db)
    assert check(*both)["by"]["target_tables"]["result"] == "Passed"
    # no room for one more
    target.run("SET GLOBAL max_connections = 10")
    many = [target.connect() for _ in range(11)]
    item = check(*both, status=4)["by"]["target_connection"]
    assert "Too many connections" in item["found"] and "max_connections" in item["mend"][0], item
    for connection in many:
        connection.close()


def test_mysql_target(t):
    """What MySQL 9 alone has: tables without a key that it refuses, XA, rights of definers, a replica that logs nothing."""
    source, target = t.server("mariadb"), t.own_server("mysql", "--sql-require-primary-key=ON", "--log-replica-updates=OFF", "--gtid-mode=OFF")
    db = t.database(source, "check_nokey", "CREATE TABLE a (a int)", "CREATE VIEW v AS SELECT a FROM a")
    both = ("--target", target.url, "--source", source.url, "-f", db + ".*", "--for", "load")
    item = check(*both, status=4)["by"]["require_primary_key"]
    assert item["result"] == "Failed" and item["objects"] == [db + ".a"]
    target.run(item["mend"][0])
    assert check(*both)["by"]["require_primary_key"]["result"] == "Passed"
    url, env = account(target, "creator")
    env["FERRY_SOURCE_PASSWORD"] = ""
    mine = ("--source", source.url, "-f", db + ".*", "--for", "load")
    item = check("--target", url, *mine, env=env, status=4)["by"]["definers"]
    assert item["objects"] == ["view check_nokey.v: root@127.0.0.1"] and "SET_ANY_DEFINER" in item["mend"][0], item
    report, _ = grant_until_passed(target, "creator", url, env, *mine, side="--target")
    out = t.path("out")
    ferry.dump(source, out, "-f", db + ".*").must()
    ferry.run("load", "--target", url, "--input", out, env=env).must()
    # the same server as a source
    t.database(target, "check_x", "CREATE TABLE x (a int PRIMARY KEY)")
    target.run("XA START 'one'", "INSERT INTO check_x.x VALUES (1)", "XA END 'one'", "XA PREPARE 'one'")
    target.run("CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = 1, SOURCE_USER = 'x', SOURCE_PASSWORD = 'x'")
    report = check("--source", target.url, "-f", "check_x.*", "--for", "follow", status=4)
    assert results(report, "xa", "log_replica_updates") == {"xa": "Warning", "log_replica_updates": "Failed"}
    target.run("XA ROLLBACK 'one'")


def test_asked_in_bulk(t):
    """The number of questions does not grow with the number of tables, definitions aside."""
    server = t.server("mysql")
    db = t.database(server, "check_bulk", "CREATE TABLE a (a int PRIMARY KEY)")

    def questions():
        before = int(server.run("SHOW GLOBAL STATUS LIKE 'Questions'")[0][1])
        assert check("--source", server.url, "-f", db + ".*")["failed"] == 0
        return int(server.run("SHOW GLOBAL STATUS LIKE 'Questions'")[0][1]) - before

    few = min(questions() for _ in range(3))  # others may ask the server something meanwhile
    server.run(*["CREATE TABLE %s.t%d (a int PRIMARY KEY, b varchar(10))" % (db, i) for i in range(60)])
    assert min(questions() for _ in range(3)) <= few + 5
