"""What is not rows of tables: triggers, routines, events, sequences, views, definers; partial dumps, CSV dialects, and
`metadata` for other tools. Objects are fed to a second server by the client, and compared as both servers print them."""

import configparser
import glob
import json
import os
import re
import subprocess

import compare
import ferry
from case import quick

KINDS = ("mariadb", "mysql")
FROM_SHOW = {"TRIGGER": 2, "PROCEDURE": 2, "FUNCTION": 2, "EVENT": 3, "PACKAGE": 2, "PACKAGE BODY": 2}


def feed(server, db, path):
    """A file of the dump through the client, as a user would."""
    with open(path, "rb") as f:
        run = subprocess.run(["mariadb", "--no-defaults", "--skip-ssl", "--host=127.0.0.1", "--port=%d" % server.port, "--user=root",
                              "--default-character-set=utf8mb4", "--comments", "--binary-mode", db], stdin=f, capture_output=True)
    assert run.returncode == 0, (path, run.stderr.decode(errors="replace"))


def files(out, pattern):
    return sorted(glob.glob(os.path.join(out, pattern)))


def objects(server, db):
    """{(kind, name): what SHOW CREATE gives, without the time of creation}"""
    found = {}
    names = [("TRIGGER", r[0]) for r in server.run("SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema='%s'" % db)]
    names += [(r[1], r[0]) for r in server.run(
        "SELECT routine_name, routine_type FROM information_schema.routines WHERE routine_schema='%s'" % db)]
    names += [("EVENT", r[0]) for r in server.run("SELECT event_name FROM information_schema.events WHERE event_schema='%s'" % db)]
    for kind, name in names:
        row = server.run("SHOW CREATE %s `%s`.`%s`" % (kind, db, name))[0]
        found[kind, name] = [str(cell) for cell in (row[:6] if kind == "TRIGGER" else row)]
    return found


def order_of_triggers(server, db):
    return server.run("SELECT event_object_table, action_timing, event_manipulation, action_order, trigger_name FROM "
                      "information_schema.triggers WHERE trigger_schema='%s' ORDER BY 1, 2, 3, 4" % db)


def make_objects(t, source, db):
    t.database(source, db, "CREATE TABLE `a t` (id int PRIMARY KEY, x varchar(50))", "INSERT INTO `a t` VALUES (1, 'x')",
               "CREATE TABLE log (id int AUTO_INCREMENT PRIMARY KEY, what varchar(50))",
               options="CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
    use = "USE `%s`" % db
    source.run(use, "CREATE TRIGGER second BEFORE INSERT ON `a t` FOR EACH ROW SET NEW.x = CONCAT(NEW.x, 'ü;;日')",
               "CREATE TRIGGER first BEFORE INSERT ON `a t` FOR EACH ROW PRECEDES second SET NEW.x = UPPER(NEW.x)",
               "CREATE TRIGGER many AFTER UPDATE ON `a t` FOR EACH ROW\nBEGIN\n  -- a remark; with a semicolon\n"
               "  INSERT INTO log (what) VALUES (';;'), ('$0$');\n  INSERT INTO log (what) VALUES ('it''s \\\\ \"q\"');\nEND")
    source.run(use, "SET sql_mode='ANSI_QUOTES,PIPES_AS_CONCAT'",
               'CREATE PROCEDURE "pro c"(IN a int, OUT b varchar(20)) COMMENT \'a; b\'\nBEGIN\n  SET b = \'a\' || "a";\n\n'
               '  /* kept */ SELECT 1;\nEND')
    source.run(use, "SET sql_mode='NO_BACKSLASH_ESCAPES'", "CREATE FUNCTION f(a int) RETURNS varchar(20) DETERMINISTIC\n"
               "RETURN CONCAT(a, '\\', 'ü')")
    source.run(use, "SET NAMES latin1", "CREATE FUNCTION latin() RETURNS varchar(20) DETERMINISTIC RETURN 'größe'", charset="latin1")
    source.run(use, "SET time_zone='+05:30'", "CREATE EVENT ev ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 00:00:00' DISABLE DO\n"
               "BEGIN\n  INSERT INTO log (what) VALUES ('tick');\nEND")
    # made while the database had another collation: parameters keep it
    source.run("ALTER DATABASE `%s` COLLATE utf8mb4_bin" % db, use, "CREATE FUNCTION old(a varchar(9)) RETURNS int DETERMINISTIC RETURN a = 'A'",
               "ALTER DATABASE `%s` COLLATE utf8mb4_general_ci" % db)


def restore(t, source, target, db, out, *options, by_client=False):
    ferry.dump(source, out, "-f", db + ".*", "--compress", "none", *options).must()
    t.gone_after(target, db)
    run = ferry.load(target, out, "--programs", "file" if by_client else "create", "--programs-file", out + "-programs.sql").must()
    for path in files(out, db + "*-schema-trigger.sql") + files(out, db + "-schema-post.sql") if by_client else []:
        feed(target, db, path)
    return run


def all_objects(t, kind):
    """By ferry itself, and by the mysql client from the dump's files: the same as the source has."""
    source = t.server(kind)
    make_objects(t, source, "objs")
    for by_client in (False, True):
        target = t.own_server(kind)
        out = t.path("dump%d" % by_client)
        run = restore(t, source, target, "objs", out, by_client=by_client)
        assert ("objs-schema-post.sql" in run.err and "objs.a t-schema-trigger.sql" in run.err) == by_client, run.err
        there, here = objects(source, "objs"), objects(target, "objs")
        assert len(there) == 8, there.keys()
        for key, row in there.items():
            assert here.get(key) == row, "%s\n%s\n%s" % (key, row, here.get(key))
        assert order_of_triggers(source, "objs") == order_of_triggers(target, "objs")
        assert target.run("USE objs", "SELECT @@collation_database")[0][0] == "utf8mb4_general_ci"
        assert target.value("SELECT objs.latin()") == "größe"
        ferry.run("verify", "--input", out).must()


@quick
def test_objects_mariadb(t):
    all_objects(t, "mariadb")


def test_objects_mysql(t):
    all_objects(t, "mysql")


def test_left_out_as_asked(t):
    """--no-triggers and its sisters; the filter goes for routines and events by name."""
    source = t.server("mariadb")
    make_objects(t, source, "objs2")

    def dumped(*options):
        out = t.path("d%d" % len(os.listdir(t.folder)))
        ferry.dump(source, out, "--compress", "none", *options).must()
        post = files(out, "*-schema-post.sql")
        text = open(post[0], "rb").read().decode("latin1") if post else ""
        return sorted(set(re.findall(r"(PROCEDURE|FUNCTION|EVENT) [`\"]", text))), len(files(out, "*-schema-trigger.sql")), text

    assert dumped("-f", "objs2.*")[:2] == (["EVENT", "FUNCTION", "PROCEDURE"], 1)
    assert dumped("-f", "objs2.*", "--no-triggers")[:2] == (["EVENT", "FUNCTION", "PROCEDURE"], 0)
    assert dumped("-f", "objs2.*", "--no-routines")[:2] == (["EVENT"], 1)
    assert dumped("-f", "objs2.*", "--no-events", "--no-routines")[:2] == ([], 1)
    assert dumped("-f", "objs2.*", "--no-schemas")[:2] == ([], 0)
    assert dumped("-f", "objs2.log")[:2] == ([], 0)
    text = dumped("-f", "objs2.*", "-f", "!objs2.l*")[2]
    assert "latin" not in text and "FUNCTION `f`" in text


def test_definers(t):
    for kind in KINDS:
        source = t.server(kind)
        db = t.database(source, "defs", "CREATE TABLE t (id int PRIMARY KEY)", "CREATE VIEW v AS SELECT id FROM t",
                        "CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET NEW.id = 1",
                        "CREATE PROCEDURE p() SELECT 1", "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DISABLE DO SELECT 1")
        for said, want in (("keep", "DEFINER=`root`@`%`"), ("strip", None), ("a@b`c@10.0.%", "DEFINER=`a@b``c`@`10.0.%`")):
            out = t.path("%s-%s" % (kind, said[:1]))
            ferry.dump(source, out, "-f", db + ".*", "--compress", "none", "--definer", said).must()
            text = "".join(open(p).read() for p in files(out, "*.sql"))
            found = re.findall(r"DEFINER=(\S+)", text)
            if want is None:
                assert not found, text
            else:
                assert len(found) == 4, text
                if said != "keep":
                    assert text.count(want) == 4, text
            assert text.count("SQL SECURITY DEFINER VIEW") == 1
    ferry.dump(source, t.path("x"), "--definer", "nobody").must(2, "NAME@HOST")


def test_broken_views(t):
    """Reported by name, left out, exit 6; a view whose definer is gone is dumped."""
    for kind in KINDS:
        source, target = t.server(kind), t.own_server(kind)
        db = t.database(source, "views", "CREATE TABLE t (id int PRIMARY KEY, x int)", "CREATE TABLE gone (id int)",
                        "CREATE VIEW good AS SELECT id FROM t", "CREATE VIEW bad AS SELECT id FROM gone",
                        "CREATE VIEW worse AS SELECT x FROM t JOIN bad USING (id)", "DROP TABLE gone", "INSERT INTO t VALUES (1, 2)",
                        "CREATE DEFINER=`nobody`@`nowhere` VIEW orphan AS SELECT id FROM t")
        out = t.path(kind)
        run = ferry.dump(source, out, "-f", db + ".*", "--compress", "none").must(6, "left out: 2 objects")
        assert "bad" in run.err and "worse" in run.err and "good" not in run.err, run.err
        t.gone_after(target, db)
        ferry.load(target, out).must()
        assert target.value("SELECT id FROM views.good") == 1
        for view in ("good", "orphan"):
            feed(target, db, out + "/views.%s-schema-view.sql" % view)  # as the client runs it: with the collation of its making
            a, b = (s.run("SHOW CREATE VIEW views." + view) for s in (source, target))
            assert a == b, (a, b)
        ferry.run("verify", "--input", out).must()


def test_sequences(t):
    """Each goes on behind what the source has given out, with its own definition; also one that has run out."""
    source, target = t.server("mariadb"), t.own_server("mariadb")
    db = t.database(source, "seqs", "CREATE SEQUENCE fresh START WITH 7", "CREATE SEQUENCE used START WITH 10 INCREMENT BY 5 NOCACHE",
                    "CREATE SEQUENCE cached CACHE 100", "CREATE SEQUENCE down START WITH -1 INCREMENT BY -3 NOCACHE",
                    "CREATE SEQUENCE out_of START WITH 1 MINVALUE 1 MAXVALUE 2 NOCACHE",
                    "CREATE SEQUENCE round START WITH 3 MINVALUE 1 MAXVALUE 4 CYCLE NOCACHE",
                    "CREATE TABLE t (id bigint DEFAULT NEXTVAL(used) PRIMARY KEY, x int)", "INSERT INTO t (x) VALUES (1), (2)",
                    "SELECT NEXTVAL(cached)", "SELECT NEXTVAL(down)", "SELECT NEXTVAL(out_of)", "SELECT NEXTVAL(out_of)",
                    "SELECT NEXTVAL(round)", "SELECT NEXTVAL(round)", "SELECT NEXTVAL(round)")
    out = t.path("dump")
    ferry.dump(source, out, "-f", db + ".*", "--compress", "none").must()
    assert len(files(out, "*-schema-sequence.ddl")) == 6 and not files(out, "*sequence.sql")
    t.gone_after(target, db)
    ferry.load(target, out).must()
    for name in ("fresh", "used", "cached", "down", "out_of", "round"):
        a, b = (s.run("SHOW CREATE SEQUENCE seqs." + name) for s in (source, target))
        assert a == b, (a, b)
    assert [target.value("SELECT NEXTVAL(seqs.%s)" % n) for n in ("fresh", "used", "cached", "down", "round")] == [7, 20, 101, -4, 2]
    try:
        target.value("SELECT NEXTVAL(seqs.out_of)")
        raise AssertionError("a sequence without values gave one")
    except Exception as e:
        assert "has run out" in str(e), e


def test_sequence_of_tidb(t):
    source, target = t.server("tidb"), t.own_server("tidb")
    db = t.database(source, "seqt", "CREATE SEQUENCE s START WITH 5 NOCACHE", "SELECT NEXTVAL(s)", "SELECT NEXTVAL(s)",
                    "CREATE TABLE t (id int PRIMARY KEY)")
    out = t.path("dump")
    ferry.dump(source, out, "-f", db + ".*", "--consistency", "none").must()
    t.gone_after(target, db)
    ferry.load(target, out).must()
    assert target.value("SELECT NEXTVAL(seqt.s)") == 7


def ini(path):
    """The key file as GLib's reader sees it, near enough: groups, `key = value`, comments."""
    parsed = configparser.RawConfigParser(strict=False, delimiters=("=",), comment_prefixes=("#",), interpolation=None)
    parsed.optionxform = str
    with open(path) as f:
        text = f.read()
    parsed.read_string(text)
    return parsed, text


def test_metadata_mydumper(t):
    source = t.server("mariadb")
    db = t.database(source, "meta", "CREATE TABLE `t.1` (id int PRIMARY KEY)", "INSERT INTO `t.1` VALUES (1), (2), (3)",
                    "CREATE TABLE `e\\f` (id int PRIMARY KEY)", "CREATE TABLE `no[group]` (id int PRIMARY KEY)",
                    "CREATE VIEW v AS SELECT * FROM `t.1`", "CREATE SEQUENCE s")
    out = t.path("dump")
    ferry.dump(source, out, "-f", db + ".*", "--metadata", "mydumper").must()
    parsed, text = ini(out + "/metadata")
    assert parsed["config"]["quote-character"] == "BACKTICK"
    assert dict(parsed["`meta`.`t%2E1`"]) == {"real_table_name": "t.1", "rows": "3"}
    assert dict(parsed["`meta`.`e%5Cf`"]) == {"real_table_name": "e\\\\f", "rows": "0"}
    assert parsed["`meta`.`v`"]["is_view"] == "1" and parsed["`meta`.`s`"]["is_sequence"] == "1"
    assert "no[group]" not in text
    log, pos = source.run("SHOW MASTER STATUS")[0][:2]
    assert '[source]\n# executed_gtid_set = "' in text and '# SOURCE_LOG_FILE = "%s"\n# SOURCE_LOG_POS = %d\n' % (log, pos) in text
    assert re.search(r"\A# Started dump at: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\n", text) and "\n# Finished dump at: " in text
    ferry.run("verify", "--input", out).must()


def test_metadata_of_a_replica(t):
    blocks = {
        "mariadb": (("CHANGE MASTER 'west' TO MASTER_HOST='db-west', MASTER_LOG_FILE='bin.000004', MASTER_LOG_POS=99",
                     "CHANGE MASTER TO MASTER_HOST='db-east', MASTER_LOG_FILE='bin.000009', MASTER_LOG_POS=4"),
                    ("SHOW SLAVE STATUS:\n\tConnection name: west\n\tHost: db-west\n\tLog: bin.000004\n\tPos: 99\n\tGTID:\n\n",
                     "SHOW SLAVE STATUS:\n\tConnection name: \n\tHost: db-east\n\tLog: bin.000009\n\tPos: 4\n\tGTID:\n\n"), "[replication.west]\n"),
        "mysql": (("CHANGE REPLICATION SOURCE TO SOURCE_HOST='db-west', SOURCE_LOG_FILE='bin.000004', SOURCE_LOG_POS=199 FOR CHANNEL 'c'",),
                  ("SHOW SLAVE STATUS:\n\tHost: db-west\n\tLog: bin.000004\n\tPos: 199\n\tGTID:",), "[replication.c]\n"),
    }
    for kind in KINDS:
        statements, expected, group = blocks[kind]
        source = t.own_server(kind)
        db = t.database(source, "repl", "CREATE TABLE t (id int PRIMARY KEY)")
        source.run(*statements)
        out = t.path(kind)
        ferry.dump(source, out, "-f", db + ".*").must()
        text = open(out + "/metadata").read()
        for block in expected:
            assert block in text, text
        assert text.index("SHOW MASTER STATUS:") < text.index("SHOW SLAVE STATUS:") < text.index("Finished dump at: ")
        ferry.run("verify", "--input", out).must()
        out = t.path(kind + "-ini")
        ferry.dump(source, out, "-f", db + ".*", "--metadata", "mydumper").must()
        assert group in open(out + "/metadata").read()


DIALECTS = (
    ("--csv-separator", "\\t", "--csv-null", "NULL", "--csv-line-terminator", "lf"),
    ("--csv-separator", ";", "--csv-delimiter", "'", "--csv-escape", "none", "--csv-null", ""),
    ("--csv-escape", "none", "--csv-line-terminator", "lf", "--no-header"),
    ("--csv-separator", "|", "--csv-delimiter", "`", "--csv-null", "\\N", "--no-header"),
    ("--no-header",),
)


def dialects(t, kind, chosen):
    import data
    source, target = t.server(kind), t.own_server(kind)
    db = t.database(source, "dialects", "CREATE TABLE one (a varchar(20))", "INSERT INTO one VALUES (NULL), (''), ('NULL'), ('\\\\N'), (';')",
                    options="CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
    data.make_every_type(source, db, False)
    for i, options in enumerate(chosen):
        out = t.path("%s-%d" % (kind, i))
        ferry.dump(source, out, "-f", db + ".*", "--format", "csv", "--compress", "none" if i % 2 else "zstd", "--chunk-size", "4KiB",
                   *options).must()
        ferry.run("verify", "--input", out).must()
        t.gone_after(target, db)
        ferry.load(target, out).must()
        assert compare.same_database(source, target, db) > 50
    first = open(files(t.path(kind + "-1"), "dialects.one.0*.csv")[0], newline="").read() if len(chosen) > 1 else None
    if first:
        assert first.split("\r\n") == ["'a'", "", "''", "'NULL'", "'\\N'", "';'", ""], first


@quick
def test_csv_dialects_mariadb(t):
    dialects(t, "mariadb", DIALECTS)


def test_csv_dialects_mysql(t):
    dialects(t, "mysql", DIALECTS[:2])


def test_csv_dialects_refused(t):
    source = t.server("mariadb")
    for options, words in ((("--csv-separator", "a"), "--csv-separator"), (("--csv-separator", "ab"), "one byte"),
                           (("--csv-separator", '"'), "--csv-delimiter"), (("--csv-delimiter", "\\"), "--csv-delimiter"),
                           (("--csv-null", "1"), "could be a number"), (("--csv-null", 'a"'), "--csv-null"),
                           (("--csv-null", "x" * 40), "longer"), (("--csv-separator", "-"), "--csv-separator")):
        ferry.dump(source, t.path("no"), "--format", "csv", *options).must(2, words)
    ferry.dump(source, t.path("no"), "--csv-separator", ";").must(2, "--format csv")
    ferry.dump(source, t.path("no"), "--no-header").must(2, "--format csv")


def test_partial(t):
    """Chosen rows and columns, recorded as such, loaded as they are."""
    for kind in KINDS:
        source, target = t.server(kind), t.own_server(kind)
        db = t.database(source, "part", "CREATE TABLE a (id int PRIMARY KEY, x int, y varchar(20) DEFAULT 'dflt', z int)",
                        "CREATE TABLE b (id int PRIMARY KEY)", "CREATE TABLE `c=d` (k1 int, k2 int, v int, PRIMARY KEY (k1, k2))",
                        "CREATE TABLE nokey (n int)")
        source.run("USE part", "INSERT INTO a SELECT seq, seq % 7, 'text', seq FROM seq_1_to_5000" if kind == "mariadb" else
                   "INSERT INTO a WITH RECURSIVE s(seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM s WHERE seq < 1000) "
                   "SELECT seq, seq % 7, 'text', seq FROM s",
                   "INSERT INTO b SELECT -id FROM a", "INSERT INTO `c=d` SELECT x, id, 5 FROM a", "INSERT INTO nokey SELECT id FROM a")
        out = t.path(kind)
        chosen = ("-f", db + ".*", "--chunk-size", "4KiB", "--where", "part.a=x = 3 OR x = 5 -- both", "--columns", "part.a=ID,x,z",
                  "--rows-limit", "part.b=17", "--where", "part.`c=d`=k2 <= 100", "--columns", "`part`.`c=d`=k1,v", "--where",
                  "part.nokey=n > 10", "--rows-limit", "part.n*=5")
        ferry.dump(source, out, *chosen).must()
        options = json.loads(open(files(out, "ferry.manifest/000001.jsonl")[0]).readline())["options"]
        assert options["partial"] is True and len(options["where"]) == 3, options
        ferry.run("verify", "--input", out).must()
        t.gone_after(target, db)
        target.run("CREATE DATABASE part", "CREATE TABLE part.`c=d` (k1 int, v int)")
        ferry.load(target, out).must()
        assert target.run("SELECT id, x, y, z FROM part.a ORDER BY id") == source.run(
            "SELECT id, x, 'dflt', z FROM part.a WHERE x IN (3, 5) ORDER BY id")
        assert target.run("SELECT * FROM part.b ORDER BY id") == source.run("SELECT * FROM part.b ORDER BY id LIMIT 17")
        assert target.run("SELECT * FROM part.`c=d` ORDER BY k1, v") == source.run(
            "SELECT k1, v FROM part.`c=d` WHERE k2 <= 100 ORDER BY k1, v")
        assert target.value("SELECT COUNT(*) FROM part.nokey WHERE n > 10") == 5 == target.value("SELECT COUNT(*) FROM part.nokey")
    for said, words in (("nothing", "--where is DB.TABLE="), ("no.such=1", "matches no table"), ("part.a=nonsense()", "'part.a' cannot be read"),
                        ("part.a=x = 3) OR (x = 5", "')' without its '('"), ("part.a=(x = 3 /*! ) OR ( */", "'(' without its ')'"),
                        ("part.a=x = 3 /*! ) OR (x = 5 */", "')' without its '('"), ("part.a=x = 'a", "--where 'x = 'a'")):
        run = ferry.dump(source, t.path("x" + said[:5]), "-f", db + ".*", "--where", said)
        assert run.status and words in run.err, run
    ferry.dump(source, t.path("marks"), "-f", db + ".*", "--where", "part.a=y <> ')' /* ) */ AND id < 4 -- )").must()
    assert [r["rows"] for r in ferry.manifest(t.path("marks")) if r["record"] == "table_done"].count(3) == 1
    ferry.dump(source, t.path("y"), "-f", db + ".*", "--columns", "part.a=id,none").must(2, "no column 'none'")
    ferry.dump(source, t.path("y"), "-f", db + ".*", "--rows-limit", "part.a=-1").must(2, "no number of rows")


def test_partial_by_sections_of_the_config_file(t):
    """[table PATTERN] says what the options say; another section is refused when the dump is continued, and a bad one named with its line."""
    source = t.server("mariadb")
    db = t.database(source, "part", "CREATE TABLE a (id int PRIMARY KEY, x int)", "CREATE TABLE `c=d` (id int PRIMARY KEY, x int)",
                    "CREATE TABLE log_1 (id int PRIMARY KEY)", "CREATE TABLE log_2 (id int PRIMARY KEY)")
    source.run("USE part", "INSERT INTO a SELECT seq, seq % 7 FROM seq_1_to_3000", "INSERT INTO `c=d` SELECT * FROM a",
               "INSERT INTO log_1 SELECT id FROM a", "INSERT INTO log_2 SELECT id FROM a")

    def config(name, text):
        with open(t.path(name), "w", encoding="utf-8") as f:
            f.write(text)
        return ["-f", db + ".*", "--chunk-size", "4KiB", "--config", t.path(name)]

    text = "threads = 2\n[table part.log_*]\nrows-limit = 11\n\n[table `part`.`c=d`]\nwhere = id <= 100 AND x = 3\ncolumns = id\n[table part.a]\nwhere = x = 5\n"
    args = config("good", text)
    ferry.run_killed(3, "dump", "--source", source.url, "--output", t.path("d"), *args, program=ferry.fault_binary(),
                     env={"FERRY_FAULT_PAUSE": "dump.chunk.after-record:9"})
    ferry.dump(source, t.path("d"), *config("other", text.replace("x = 5", "x = 6"))).must(2, ["--where was", "x = 6"])
    ferry.dump(source, t.path("d"), *args, "--restart", "--yes").must()
    done = {r["table"]: r["rows"] for r in ferry.manifest(t.path("d")) if r["record"] == "table_done"}
    names = {r["table"]: r["name"] for r in ferry.manifest(t.path("d")) if r["record"] == "table"}
    assert {names[n]: rows for n, rows in done.items()} == {
        "a": source.value("SELECT COUNT(*) FROM part.a WHERE x = 5"), "log_1": 11, "log_2": 11,
        "c=d": source.value("SELECT COUNT(*) FROM part.a WHERE id <= 100 AND x = 3")}, done
    ferry.dump(source, t.path("e"), *config("bad", "[table part.a]\nwher = 1\n")).must(2, ["line 2", "did you mean 'where'"])
    ferry.dump(source, t.path("e"), *config("none", "[table part.nowhere]\nwhere = 1\n")).must(2, ["part.nowhere=1", "matches no table"])
    ferry.run("verify", "--input", t.path("d"), "--config", t.path("good")).must()


def test_partial_is_of_one_snapshot(t):
    source = t.server("mariadb")
    db = t.database(source, "part1", "CREATE TABLE a (id int PRIMARY KEY, x int)", "INSERT INTO a SELECT seq, seq FROM seq_1_to_5000")
    out = t.path("dump")
    chosen = ("-f", db + ".*", "--chunk-size", "4KiB", "--where", "part1.a=x > 7", "-t", "1")
    if not os.path.exists(ferry.fault_binary()):
        t.say("no build with faults")
        return
    ferry.run_killed(5, "dump", "--source", source.url, "--output", out, *chosen,
                     env={"FERRY_FAULT_PAUSE": "dump.chunk.after-record:0.5"}, program=ferry.fault_binary())
    run = ferry.dump(source, out, *chosen)
    assert run.status == 1 and "one snapshot" in run.err and "--restart" in run.err, run
    ferry.dump(source, out, *chosen[:4]).must(2, "--partial was true")
    ferry.dump(source, out, *chosen, "--restart", "--yes").must()


def test_versioned_table(t):
    """Its present rows; the table is system-versioned again, and a line says that the history is not there."""
    source, target = t.server("mariadb"), t.own_server("mariadb")
    db = t.database(source, "vers", "CREATE TABLE t (id int PRIMARY KEY, x int) WITH SYSTEM VERSIONING", "INSERT INTO t VALUES (1, 1), (2, 2)",
                    "UPDATE t SET x = 3", "DELETE FROM t WHERE id = 2")
    out = t.path("dump")
    run = ferry.dump(source, out, "-f", db + ".*").must()
    assert "history" in run.err, run.err
    t.gone_after(target, db)
    ferry.load(target, out).must()
    assert target.run("SELECT * FROM vers.t FOR SYSTEM_TIME ALL") == ((1, 3),)
    assert "WITH SYSTEM VERSIONING" in target.run("SHOW CREATE TABLE vers.t")[0][1]


def test_versioned_table_of_a_server_in_the_past(t):
    """Its sessions begin with another moment than now: the present rows are dumped all the same."""
    source = t.own_server("mariadb")
    db = t.database(source, "vers1", "CREATE TABLE t (id int PRIMARY KEY) WITH SYSTEM VERSIONING", "INSERT INTO t VALUES (1), (2)")
    source.run("SET GLOBAL system_versioning_asof = '2020-01-01 00:00:00'")
    assert source.value("SELECT COUNT(*) FROM vers1.t") == 0
    ferry.dump(source, t.path("dump"), "-f", db + ".*").must()
    ferry.run("verify", "--input", t.path("dump")).must(0, "2 rows")


def test_hidden_generated_key(t):
    """A key that MySQL has made by itself moves with its values, also where the server is set to hide it."""
    source, target = t.own_server("mysql", "--show-gipk-in-create-table-and-information-schema=OFF"), t.server("mysql")
    db = t.database(source, "gipk", "SET sql_generate_invisible_primary_key = 1", "CREATE TABLE t (a int)",
                    "INSERT INTO t VALUES (7), (7), (8)", "DELETE FROM t WHERE my_row_id = 1")
    ferry.dump(source, t.path("dump"), "-f", db + ".*").must()
    t.gone_after(target, db)
    ferry.load(target, t.path("dump")).must()
    assert target.run("SELECT my_row_id, a FROM gipk.t ORDER BY my_row_id") == ((2, 7), (3, 8))


def test_no_data_and_no_schemas(t):
    source, target = t.server("mysql"), t.own_server("mysql")
    db = t.database(source, "halves", "CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1), (2)", "CREATE VIEW v AS SELECT * FROM t",
                    "CREATE PROCEDURE p() SELECT 1")
    schemas, rows = t.path("schemas"), t.path("rows")
    ferry.dump(source, schemas, "-f", db + ".*", "--no-data", "--compress", "none").must()
    ferry.dump(source, rows, "-f", db + ".*", "--no-schemas", "--compress", "none").must()
    assert not files(schemas, "halves.t.0*") and files(schemas, "halves-schema-post.sql")
    assert [os.path.basename(f) for f in files(rows, "*.sql")] == ["halves.t.000000001.sql"]
    t.gone_after(target, db)
    ferry.load(target, schemas).must()
    assert target.value("SELECT COUNT(*) FROM halves.v") == 0
    ferry.load(target, rows).must()
    assert compare.same_database(source, target, db) == 2


def test_without_rights(t):
    """A server hides triggers and events from an account without the right: it is said. A routine without its text is named."""
    for kind in KINDS:
        source = t.own_server(kind)
        make_objects(t, source, "hidden")
        source.run("CREATE USER low@'%' IDENTIFIED BY 'x'", "GRANT RELOAD, PROCESS ON *.* TO low@'%'",
                   "GRANT SELECT, SHOW VIEW ON hidden.* TO low@'%'",
                   "GRANT EXECUTE ON FUNCTION hidden.f TO low@'%'", "GRANT %s ON *.* TO low@'%%'" % (
                       "BINLOG MONITOR" if kind == "mariadb" else "REPLICATION CLIENT"))
        run = ferry.run("dump", "--source", source.url.replace("root@", "low@"), "--output", t.path(kind), "-f", "hidden.*",
                        env={"FERRY_SOURCE_PASSWORD": "x"})
        assert "right=TRIGGER" in run.err and "right=EVENT" in run.err, run
        routines = "SHOW_ROUTINE ON *.*" if kind == "mysql" else "SELECT ON mysql.proc"
        assert "right=" + routines.split(" ON *")[0] in run.err or 'right="SELECT ON mysql.proc"' in run.err, run
        run.must(6, "left out: 1 objects")
        assert "kind=FUNCTION db=hidden name=f" in run.err, run
        out = t.path(kind + "-not")
        ferry.run("dump", "--source", source.url.replace("root@", "low@"), "--output", out, "-f", "hidden.*", "--no-triggers", "--no-routines",
                  "--no-events", env={"FERRY_SOURCE_PASSWORD": "x"}).must()


def test_objects_of_a_continued_dump(t):
    """Killed and said again: the files are there once, whole, and what was left out is named again."""
    if not os.path.exists(ferry.fault_binary()):
        t.say("no build with faults")
        return
    source = t.server("mariadb")
    make_objects(t, source, "again")
    source.run("USE again", "CREATE TABLE big (id int PRIMARY KEY)", "INSERT INTO big SELECT seq FROM seq_1_to_9000", "CREATE TABLE g (id int)",
               "CREATE VIEW bad AS SELECT * FROM g", "DROP TABLE g")
    out = t.path("dump")
    args = ("-f", "again.*", "--chunk-size", "4KiB", "-t", "1")
    ferry.run_killed(5, "dump", "--source", source.url, "--output", out, *args, env={"FERRY_FAULT_PAUSE": "dump.chunk.after-record:0.5"},
                     program=ferry.fault_binary())
    assert files(out, "again-schema-post.sql.zst")
    run = ferry.dump(source, out, *args).must(6, "epoch 2")
    assert "name=bad" in run.err, run
    ferry.run("verify", "--input", out).must()
    ferry.dump(source, t.path("other"), *args, "--definer", "strip", "--no-events").must(6)
