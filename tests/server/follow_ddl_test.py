"""ferry follow through statements that change definitions: what is done, passed over, done by hand, and stopped at."""

import re
import signal

import binlog
import captured
import compare
import ferry
from case import soak
from follow_test import follow


def started(t, kind, target_kind, *statements, options="CHARACTER SET latin1"):
    """A source with a database `dd`, loaded into a target and followed: (source, target)."""
    source = t.server(kind)
    target = t.server(target_kind) if target_kind != kind else t.own_server(kind, "--server-id=72")
    t.database(source, "dd", *statements, options=options)
    t.gone_after(target, "dd", "ferry_meta")
    out = t.path("dump-%s-%s" % (kind, target_kind))
    ferry.dump(source, out, "-f", "dd.*").must()
    ferry.load(target, out).must()
    follow(source, target, "--input", out, "--until", "caught-up").must()
    return source, target


def caught_up(source, target, *more):
    return follow(source, target, "--until", "caught-up", *more)


def stopped_at(run):
    """FILE:POS of the statement at which it stopped."""
    return re.search(r"at (\S+:\d+) \(", str(run)).group(1)


ALTERS = [
    "ALTER TABLE a MODIFY v varchar(80), ADD COLUMN w varchar(20) NOT NULL DEFAULT 'ü' AFTER id", "UPDATE a SET w='é' WHERE id=1",
    "ALTER TABLE a CHANGE w w2 varchar(40) FIRST, RENAME COLUMN n TO m", "INSERT INTO a (id, v, m, w2) VALUES (10,'ä',10,'ß')",
    "ALTER TABLE a ALTER COLUMN m SET DEFAULT 77", "INSERT INTO a (id) VALUES (11)",
    "ALTER TABLE a ADD INDEX vv (v), ADD UNIQUE INDEX um (m, id), COMMENT='it''s new', ENGINE=InnoDB", "UPDATE a SET m=m+1",
    "ALTER TABLE a RENAME INDEX vv TO vw, DROP INDEX um", "DELETE FROM a WHERE id=2",
    "ALTER TABLE a MODIFY m bigint unsigned, AUTO_INCREMENT=500", "UPDATE a SET m=18446744073709551615 WHERE id=10",
    "ALTER TABLE a DROP COLUMN v, ADD COLUMN v text CHARACTER SET utf8mb4", "UPDATE a SET v='€' WHERE id=10",
    "ALTER TABLE a DEFAULT CHARSET utf8mb4", "ALTER TABLE a ADD COLUMN late varchar(9)", "UPDATE a SET late='€' WHERE id=10",
    "ALTER TABLE k DROP PRIMARY KEY, ADD PRIMARY KEY (b, a)", "UPDATE k SET c=c+1", "INSERT INTO k VALUES (1,3,5)",
    "CREATE TABLE q AS SELECT id, w2 FROM a WHERE id < 11", "INSERT INTO q VALUES (99,'q')",
    "CREATE TABLE c (x char(3), y enum('a','ü'), z integer unsigned, d dec)", "INSERT INTO c VALUES ('ö','ü',4000000000,5)",
    "RENAME TABLE a TO t1, k TO a, t1 TO k", "UPDATE a SET c=c+100", "UPDATE k SET m=5 WHERE id=3",
    "CREATE TABLE l LIKE k", "INSERT INTO l (id, w2) VALUES (1,'ñ')", "CREATE TABLE gone1 (i int)", "CREATE TABLE gone2 (i int)", "DROP TABLE gone1, gone2",
    "CREATE VIEW vv AS SELECT 1", "CREATE TRIGGER tt BEFORE INSERT ON c FOR EACH ROW SET NEW.d = 6", "INSERT INTO c VALUES ('1','a',1,1)",
    "DROP TRIGGER tt", "DROP VIEW vv", "DROP TABLE q", "CREATE TABLE q (other varchar(5), id int PRIMARY KEY)", "INSERT INTO q VALUES ('x',1)",
    # CONVERT makes larger types
    "CREATE TABLE cv (id int PRIMARY KEY, ti tinytext, x text, y mediumtext, v varchar(20), u text CHARACTER SET utf8mb4)", "INSERT INTO cv VALUES (1,'ä','b','c','d','e')",
    "ALTER TABLE cv CONVERT TO CHARACTER SET utf8mb4", "INSERT INTO cv VALUES (2,'€1','€2','€3','€4','€5')", "UPDATE cv SET x=REPEAT('€', 30000) WHERE id=1",
]
TABLES = ["CREATE TABLE a (id int PRIMARY KEY AUTO_INCREMENT, v varchar(40), n int)", "INSERT INTO a VALUES (1,'é',1),(2,'b',2),(3,'c',3)",
          "CREATE TABLE k (a int NOT NULL, b int NOT NULL, c int, PRIMARY KEY (a, b)%s)", "INSERT INTO k VALUES (1,1,1),(1,2,2)"]


def tables(target_kind, kind):
    # TiDB can change no clustered primary key
    alone = "/*T![clustered_index] */" if target_kind == "tidb" else ""
    return [s % alone if "%s" in s else s for s in TABLES]


def check_alters(t, kind, target_kind):
    source, target = started(t, kind, target_kind, *tables(target_kind, kind))
    alters = [s for s in ALTERS if target_kind != "tidb" or "DROP PRIMARY" not in s]
    source.run("USE dd", *alters)
    caught_up(source, target).must(0, ["definitions changed", "what=VIEW name=vv", "what=TRIGGER name=tt"])
    compare.same_database(source, target, "dd")
    caught_up(source, target).must(0, "transactions followed: 0")


def test_alters_mariadb_to_tidb(t):
    check_alters(t, "mariadb", "tidb")


def test_alters_mysql_to_mariadb(t):
    check_alters(t, "mysql", "mariadb")


def test_skip_stop_and_by_hand(t):
    """--ddl by pattern and kind; rows behind a skipped statement are read as the source wrote them; --ddl-done checks."""
    source, target = started(t, "mariadb", "mysql", "CREATE TABLE a (id int PRIMARY KEY, v varchar(40), n int)", "INSERT INTO a VALUES (1,'a',1)",
                             "CREATE TABLE log_1 (id int PRIMARY KEY, v int)", "INSERT INTO log_1 VALUES (1,1)")
    for bad in ("skip=", "perhaps", "skip=drop everything", "stop=drop table on "):
        caught_up(source, target, "--ddl", bad).must(2, "--ddl")
    source.run("USE dd", "TRUNCATE TABLE log_1", "INSERT INTO log_1 VALUES (2,2)", "CREATE INDEX nn ON a (n)", "ALTER TABLE a MODIFY COLUMN n int FIRST",
               "INSERT INTO a (id, v, n) VALUES (2,'b',20)")
    caught_up(source, target, "--ddl", "skip=dd.log_*", "--ddl", "stop=create index").must(1, ["FERRY-FOLLOW-DDL", "--ddl stop=create index"])
    assert target.run("SELECT id FROM dd.log_1 ORDER BY id") == ((1,), (2,))
    caught_up(source, target, "--ddl", "skip=alter table on dd.a", "--ddl", "skip=create index").must()
    assert target.run("SELECT id, v, n FROM dd.a WHERE id=2") == ((2, "b", 20),)
    assert not target.run("SHOW INDEX FROM dd.a WHERE Key_name='nn'")
    source.run("USE dd", "ALTER TABLE a ADD COLUMN x int DEFAULT 5", "DELETE FROM a WHERE id=1", "UPDATE a SET x=6")
    caught_up(source, target, "--ddl", "skip").must(1, ["FERRY-FOLLOW-SHAPE", "column 'x'", "on the source it is (n int, id int(11), v", "on the target (id int"])
    target.run("ALTER TABLE dd.a ADD COLUMN x int DEFAULT 5")
    caught_up(source, target).must()
    assert target.run("SELECT id, v, n, x FROM dd.a") == ((2, "b", 20, 6),)
    # what cannot be done exactly, done by hand
    source.run("USE dd", "UPDATE a SET v='12'", "ALTER TABLE a MODIFY v int", "INSERT INTO a (id, v) VALUES (3,33)")
    run = caught_up(source, target).must(1, ["FERRY-FOLLOW-DDL", "ALTER TABLE a MODIFY v int", "--ddl-done", "values of the column 'v' may change"])
    place = stopped_at(run)
    caught_up(source, target, "--ddl-done", "here").must(2, "FILE:POS")
    caught_up(source, target, "--ddl-done", place).must(1, ["FERRY-FOLLOW-DDL", "column 'v'", "on the source it is"])
    target.run("ALTER TABLE dd.a MODIFY v int")
    caught_up(source, target, "--ddl-done", place).must(0, "transactions followed: 2")
    assert target.run("SELECT id, v FROM dd.a ORDER BY id") == ((2, 12), (3, 33))
    caught_up(source, target, "--ddl-done", place).must(0, "transactions followed: 0")
    source.run("DROP DATABASE dd")
    caught_up(source, target, "--ddl", "stop=drop table on dd.a").must(1, ["--ddl stop=drop table on dd.a", "DROP DATABASE dd"])
    assert target.run("SELECT id, v FROM dd.a ORDER BY id") == ((2, 12), (3, 33))
    caught_up(source, target).must()
    assert not target.run("SHOW DATABASES LIKE 'dd'")


def test_what_is_not_exact_stops(t):
    source, target = started(t, "mysql", "mariadb", "CREATE TABLE a (id int PRIMARY KEY, v varchar(40), d datetime(3), e enum('a','b'), n bigint)",
                             "INSERT INTO a VALUES (1,'abcdef','2026-01-01 00:00:00.123','b',70000)")
    for statement, why in (
            ("ALTER TABLE a MODIFY d datetime", "may change"), ("ALTER TABLE a MODIFY e enum('b','a')", "may change"),
            ("ALTER TABLE a MODIFY n int AUTO_INCREMENT, ADD KEY (n)", "AUTO_INCREMENT on a column"),
            ("ALTER TABLE a ADD COLUMN r datetime DEFAULT CURRENT_TIMESTAMP", "expression"),
            ("ALTER TABLE a ADD CONSTRAINT ck CHECK (id > 0)", "by hand"),
            ("CREATE TABLE piped (s varchar(9) DEFAULT 'x', g varchar(20) AS (s || 'y'))", "PIPES_AS_CONCAT")):
        source.run("USE dd", "SET sql_mode='STRICT_TRANS_TABLES,PIPES_AS_CONCAT'", statement)
        place = stopped_at(caught_up(source, target).must(1, ["FERRY-FOLLOW-DDL", why]))
        target.run("USE dd", "SET sql_mode='STRICT_TRANS_TABLES,PIPES_AS_CONCAT'", statement)
        caught_up(source, target, "--ddl-done", place).must()
    source.run("USE dd", "ALTER TABLE a MODIFY n bigint, ALGORITHM=COPY", "ALTER TABLE a MODIFY v varchar(6)", "ALTER TABLE a DROP COLUMN r", "UPDATE a SET n=n+1")
    caught_up(source, target).must()
    compare.same_database(source, target, "dd")


def test_modes_lists_and_what_is_by_hand_alone(t):
    source, target = started(t, "mariadb", "tidb", "CREATE TABLE a (id int PRIMARY KEY, x int, y int)", "INSERT INTO a VALUES (1,10,20)")
    t.gone_after(source, "other")
    source.run("USE dd", "ALTER TABLE a ADD COLUMN (v varchar(20) DEFAULT 'a,b)', w int, KEY ww (w))", "UPDATE a SET v='x'",
               "SET sql_mode='ANSI'", """ALTER TABLE "a" ADD COLUMN "q""`r" REAL DEFAULT 1, ADD COLUMN z varchar(20) DEFAULT 'it''s "so"'""",
               """CREATE TABLE "dd"."n n" ("a b" int PRIMARY KEY, c REAL)""", """INSERT INTO "n n" VALUES (1,0.5)""",
               "SET sql_mode='NO_BACKSLASH_ESCAPES'", r"ALTER TABLE a ADD COLUMN s varchar(20) DEFAULT 'a\b\', ADD COLUMN u int", "UPDATE a SET u=1")
    caught_up(source, target).must()
    compare.same_database(source, target, "dd")
    # rows go that are not logged
    source.run("USE dd", "ALTER IGNORE TABLE a ADD UNIQUE KEY xx (x)", "UPDATE a SET u=2")
    place = stopped_at(caught_up(source, target).must(1, "ALTER IGNORE is to be done by hand"))
    target.run("ALTER TABLE dd.a ADD UNIQUE KEY xx (x)")
    caught_up(source, target, "--ddl-done", place).must()
    # a swap of names
    source.run("USE dd", "ALTER TABLE a CHANGE x y int, CHANGE y x int", "UPDATE a SET x=x+1")
    place = stopped_at(caught_up(source, target).must(1, ["the column 'x' takes the name of 'y'", "leaves their values swapped"]))
    for rename in ("x TO t", "y TO x", "t TO y"):
        target.run("ALTER TABLE dd.a RENAME COLUMN %s" % rename)
    caught_up(source, target, "--ddl-done", place).must()
    compare.same_database(source, target, "dd")
    source.run("CREATE DATABASE other", "CREATE TABLE other.o (i int)", "CREATE TABLE dd.l LIKE other.o")
    place = stopped_at(caught_up(source, target).must(1, "make a new dump"))
    caught_up(source, target, "--ddl-done", place).must(1, ["other.o, which it is made like, is not followed", "make a new dump"])


def test_gh_ost(t):
    """Its statements by hand, with a filter that knows the table alone: what takes its place is followed from its creation on."""
    source, target = t.server("mysql"), t.server("tidb")
    t.database(source, "dd", "CREATE TABLE orders (id int PRIMARY KEY, v varchar(20))", "INSERT INTO orders VALUES (1,'a'),(2,'b'),(3,'c')",
               "CREATE TABLE other (id int PRIMARY KEY)")
    t.gone_after(target, "dd", "ferry_meta")
    ferry.dump(source, t.path("d"), "-f", "dd.orders").must()
    ferry.load(target, t.path("d")).must()
    follow(source, target, "--input", t.path("d"), "--until", "caught-up").must()
    copy = "insert /* gh-ost `dd`.`orders` */ ignore into `dd`.`_orders_gho` (`id`, `v`) (select `id`, `v` from `dd`.`orders` force index (`PRIMARY`) where (((`id` > %d)) and ((`id` <= %d))) lock in share mode)"
    source.run("drop /* gh-ost */ table if exists `dd`.`_orders_gho`", "drop /* gh-ost */ table if exists `dd`.`_orders_ghc`",
               "create /* gh-ost */ table `dd`.`_orders_ghc` (id bigint unsigned auto_increment, last_update timestamp not null DEFAULT CURRENT_TIMESTAMP ON UPDATE "
               "CURRENT_TIMESTAMP, hint varchar(64) charset ascii not null, value varchar(4096) charset ascii not null, primary key(id), unique key hint_uidx(hint)) "
               "auto_increment=256 comment='gh-ost changelog'",
               "create /* gh-ost */ table `dd`.`_orders_gho` like `dd`.`orders`", "alter /* gh-ost */ table `dd`.`_orders_gho` add column n int not null default 7 first",
               "insert /* gh-ost */ into `dd`.`_orders_ghc` (id, hint, value) values (NULLIF(2, 0), 'state', 'GhostTableMigrated') on duplicate key update value=VALUES(value)",
               copy % (0, 2), "UPDATE dd.orders SET v='B' WHERE id=2", "replace /* gh-ost `dd`.`_orders_gho` */ into `dd`.`_orders_gho` (`id`, `v`) values (2, 'B')",
               "DELETE FROM dd.orders WHERE id=1", "delete /* gh-ost `dd`.`_orders_gho` */ from `dd`.`_orders_gho` where ((`id` = 1))", copy % (2, 3))
    follow(source, target, "--until", "caught-up").must()
    connection = source.connect(database="dd")
    cursor = connection.cursor()
    for statement in ("create /* gh-ost */ table `dd`.`_orders_del` (id int auto_increment primary key) engine=InnoDB comment='ghost-cut-over-sentry'",
                      "lock /* gh-ost */ tables `dd`.`orders` write, `dd`.`_orders_del` write", "drop /* gh-ost */ table if exists `dd`.`_orders_del`",
                      "unlock tables", "rename /* gh-ost */ table `dd`.`orders` to `dd`.`_orders_del`, `dd`.`_orders_gho` to `dd`.`orders`",
                      "UPDATE orders SET n=id", "drop /* gh-ost */ table if exists `dd`.`_orders_ghc`"):
        cursor.execute(statement)
    connection.close()
    follow(source, target, "--until", "caught-up").must()
    assert target.run("SELECT n, id, v FROM dd.orders ORDER BY id") == ((2, 2, "B"), (3, 3, "c"))
    assert target.run("SELECT id, v FROM dd._orders_del ORDER BY id") == ((2, "B"), (3, "c"))
    assert sorted(r[0] for r in target.run("SHOW TABLES IN dd")) == ["_orders_del", "orders"]
    source.run("drop /* gh-ost */ table if exists `dd`.`_orders_del`", "DELETE FROM dd.orders WHERE id=2")
    follow(source, target, "--until", "caught-up").must()
    assert target.run("SHOW TABLES IN dd") == (("orders",),) and target.run("SELECT id FROM dd.orders") == ((3,),)
    source.run("USE dd", "RENAME TABLE other TO another", "DROP TABLE another, orders")  # one of them is followed
    follow(source, target, "--until", "caught-up").must()
    assert target.run("SHOW TABLES IN dd") == ()


def test_pt_online_schema_change(t):
    """Its statements and triggers by hand; one that was under way when the dump was made stops at the swap."""
    source, target = t.server("mariadb"), t.server("mysql")
    t.database(source, "dd", "CREATE TABLE t (id int PRIMARY KEY, v varchar(20))", "INSERT INTO t VALUES (1,'a'),(2,'b'),(3,'c')", "CREATE TABLE u (id int PRIMARY KEY)",
               "CREATE TABLE _u_new LIKE u", options="CHARACTER SET utf8mb4")
    t.gone_after(target, "dd", "ferry_meta")
    ferry.dump(source, t.path("d"), "-f", "dd.t", "-f", "dd.u").must()
    ferry.load(target, t.path("d")).must()
    handler = "BEGIN DECLARE CONTINUE HANDLER FOR 1146 begin end; %s; END"
    triggers = {"del": ("DELETE", "DELETE IGNORE FROM `dd`.`_t_new` WHERE `dd`.`_t_new`.`id` <=> OLD.`id`"),
                "upd": ("UPDATE", "DELETE IGNORE FROM `dd`.`_t_new` WHERE !(OLD.`id` <=> NEW.`id`) AND `dd`.`_t_new`.`id` <=> OLD.`id`; "
                                  "REPLACE INTO `dd`.`_t_new` (`id`, `v`) VALUES (NEW.`id`, NEW.`v`)"),
                "ins": ("INSERT", "REPLACE INTO `dd`.`_t_new` (`id`, `v`) VALUES (NEW.`id`, NEW.`v`)")}
    source.run("USE dd", "CREATE TABLE `dd`.`_t_new` (\n  `id` int(11) NOT NULL,\n  `v` varchar(20) DEFAULT NULL,\n  PRIMARY KEY (`id`)\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4",
               "ALTER TABLE `dd`.`_t_new` ADD COLUMN w varchar(9) NOT NULL DEFAULT 'é' AFTER id, DROP PRIMARY KEY, ADD PRIMARY KEY (id, w)",
               *["CREATE TRIGGER `pt_osc_dd_t_%s` AFTER %s ON `dd`.`t` FOR EACH ROW %s" % (name, event, handler % body) for name, (event, body) in triggers.items()],
               "INSERT LOW_PRIORITY IGNORE INTO `dd`.`_t_new` (`id`, `v`) SELECT `id`, `v` FROM `dd`.`t` FORCE INDEX(`PRIMARY`) WHERE `id` <= 2 LOCK IN SHARE MODE",
               "UPDATE dd.t SET v='B' WHERE id=2", "INSERT INTO dd.t VALUES (4,'d')", "DELETE FROM dd.t WHERE id=1",
               "INSERT LOW_PRIORITY IGNORE INTO `dd`.`_t_new` (`id`, `v`) SELECT `id`, `v` FROM `dd`.`t` FORCE INDEX(`PRIMARY`) WHERE `id` > 2 LOCK IN SHARE MODE",
               "ANALYZE TABLE `dd`.`_t_new`", "RENAME TABLE `dd`.`t` TO `dd`.`_t_old`, `dd`.`_t_new` TO `dd`.`t`", "INSERT INTO dd.t VALUES (5,'x','y')",
               "DROP TABLE IF EXISTS `dd`.`_t_old`", *["DROP TRIGGER IF EXISTS `dd`.`pt_osc_dd_t_%s`" % name for name in triggers], "UPDATE dd.t SET w='ü' WHERE id=3")
    follow(source, target, "--input", t.path("d"), "--until", "caught-up").must()
    assert target.run("SHOW TABLES IN dd") == (("t",), ("u",))
    assert target.run("SELECT id, w, v FROM dd.t ORDER BY id") == source.run("SELECT id, w, v FROM dd.t ORDER BY id") != ()
    source.run("INSERT INTO dd._u_new VALUES (1)", "RENAME TABLE `dd`.`u` TO `dd`.`_u_old`, `dd`.`_u_new` TO `dd`.`u`")
    follow(source, target, "--until", "caught-up").must(1, ["FERRY-FOLLOW-DDL", "dd._u_new", "its rows are not in the target"])


def test_names_that_fold_and_names_in_the_binlog(t):
    """lower_case_table_names=1: a statement's names in any case. binlog_row_metadata=FULL: names that are not the definition's stop."""
    source, target = t.own_server("mariadb", "--lower-case-table-names=1", "--binlog-row-metadata=FULL"), t.server("mysql")
    t.database(source, "dd", "CREATE TABLE a (id int PRIMARY KEY, v int)")
    t.gone_after(target, "dd", "ferry_meta")
    ferry.dump(source, t.path("d"), "-f", "dd.*").must()
    ferry.load(target, t.path("d")).must()
    source.run("ALTER TABLE DD.A ADD COLUMN w int DEFAULT 5 FIRST", "INSERT INTO dD.a (id, v) VALUES (1,1)", "CREATE TABLE dd.NewOne (id int)", "INSERT INTO dd.newONE VALUES (4)")
    follow(source, target, "--input", t.path("d"), "--until", "caught-up").must()
    assert target.run("SELECT w, id, v FROM dd.a") == ((5, 1, 1),) and target.run("SELECT id FROM dd.newone") == ((4,),)
    target.run("DROP DATABASE ferry_meta")
    place = "%s:%d" % binlog.position(source)
    source.run("INSERT INTO dd.a (id, v) VALUES (2,2)", "ALTER TABLE dd.a RENAME COLUMN v TO u")
    follow(source, target, "--loaded-elsewhere", "--from", place, "--filter", "dd.a", "--until", "caught-up").must(
        1, ["FERRY-BINLOG-SCHEMA", "in the binlog it is (w, id, v), in the definition (w, id, u)"])


PARTITIONED = ["CREATE TABLE p (id int, d int, PRIMARY KEY (id)) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN (20), "
               "PARTITION p2 VALUES LESS THAN (30))", "INSERT INTO p VALUES " + ",".join("(%d,%d)" % (i, i) for i in range(30))]


def check_partitions(t, kind, target_kind):
    source, target = started(t, kind, target_kind, *PARTITIONED, *[statement.replace("TABLE p", "TABLE r").replace("INTO p", "INTO r") for statement in PARTITIONED])
    t.database(source, "de", "CREATE TABLE x (id int)")
    source.run("USE dd", "ALTER TABLE p TRUNCATE PARTITION p0", "INSERT INTO p VALUES (5,50)", "UPDATE p SET d=d+1 WHERE id>20", "ALTER TABLE p DROP PARTITION p1",
               "ALTER TABLE p ADD PARTITION (PARTITION p3 VALUES LESS THAN (40))", "INSERT INTO p VALUES (35,1)",
               "ALTER TABLE p REORGANIZE PARTITION p2 INTO (PARTITION pa VALUES LESS THAN (25), PARTITION pb VALUES LESS THAN (30))", "ALTER TABLE p TRUNCATE PARTITION pa",
               "DROP DATABASE de", "CREATE DATABASE de", "ALTER TABLE p OPTIMIZE PARTITION pb")
    caught_up(source, target).must()
    compare.same_database(source, target, "dd")
    assert target.value("SELECT COUNT(*) FROM dd.p") == 7
    source.run("USE dd", "CREATE TABLE e LIKE p", "ALTER TABLE e REMOVE PARTITIONING", "ALTER TABLE p EXCHANGE PARTITION pb WITH TABLE e")
    caught_up(source, target).must(1, ["EXCHANGE PARTITION", "by hand"])
    place = stopped_at(caught_up(source, target))
    target.run("USE dd", "DELETE FROM p WHERE id BETWEEN 25 AND 29", "INSERT INTO e SELECT id, id+1 FROM (SELECT 25 id UNION SELECT 26 UNION SELECT 27 UNION SELECT 28 UNION SELECT 29) x")
    caught_up(source, target, "--ddl-done", place).must()
    compare.same_database(source, target, "dd")
    target.run("ALTER TABLE dd.r REORGANIZE PARTITION p0, p1 INTO (PARTITION p0 VALUES LESS THAN (12), PARTITION p1 VALUES LESS THAN (20))")
    source.run("USE dd", "ALTER TABLE r DROP PARTITION p0", PARTITIONED[0].replace("TABLE p", "TABLE o"), "ALTER TABLE o DROP PARTITION p0")
    caught_up(source, target).must(1, ["DROP PARTITION p0", "the target's partitions are not the source's"])
    caught_up(source, target, "--ddl", "skip=dd.r").must()
    assert target.value("SELECT COUNT(*) FROM dd.r") == 30
    source.run("ALTER TABLE dd.r DROP PARTITION p1")
    caught_up(source, target).must(1, "whether the target's table has the same partitions is not known")
    caught_up(source, target, "--ddl", "skip=alter table on *.r").must()
    source.run("DROP DATABASE dd")
    caught_up(source, target).must()
    assert not target.run("SHOW DATABASES LIKE 'dd'")


def test_partitions_and_databases(t):
    check_partitions(t, "mysql", "tidb")


@soak
def test_partitions_and_databases_mariadb_to_mysql(t):
    check_partitions(t, "mariadb", "mysql")


def test_partitions_that_are_others_on_the_target(t):
    """By hash and key each kind of server has other rows in a partition; a bound's moment depends on the session's time zone."""
    rows = " VALUES " + ",".join("(%d)" % i for i in range(40))
    bound = "PARTITION p1 VALUES LESS THAN (UNIX_TIMESTAMP('2026-03-01 00:00:00'))"
    source, target = started(t, "mariadb", "tidb", "CREATE TABLE k (id int PRIMARY KEY) PARTITION BY KEY (id) PARTITIONS 4", "INSERT INTO k" + rows,
                             "CREATE TABLE h (id int PRIMARY KEY) PARTITION BY LINEAR HASH (id) PARTITIONS 5", "INSERT INTO h" + rows,
                             "CREATE TABLE u (ts timestamp NOT NULL PRIMARY KEY) PARTITION BY RANGE (UNIX_TIMESTAMP(ts)) (PARTITION p0 VALUES LESS THAN (1000))")
    for table in ("k", "h"):
        source.run("USE dd", "ALTER TABLE %s TRUNCATE PARTITION p1" % table)
        place = stopped_at(caught_up(source, target).must(1, ["FERRY-FOLLOW-DDL", "other rows in a partition"]))
        left = ",".join(str(row[0]) for row in source.run("SELECT id FROM dd.%s" % table))
        assert target.value("SELECT COUNT(*) FROM dd.%s" % table) == 40
        target.run("DELETE FROM dd.%s WHERE id NOT IN (%s)" % (table, left))
        caught_up(source, target, "--ddl-done", place).must()
    source.run("USE dd", "ALTER TABLE k TRUNCATE PARTITION ALL", "SET time_zone='+09:00'", "ALTER TABLE u ADD PARTITION (%s)" % bound)
    place = stopped_at(caught_up(source, target).must(1, ["FERRY-FOLLOW-DDL", "time zone"]))
    target.run("SET time_zone='+09:00'", "ALTER TABLE dd.u ADD PARTITION (%s)" % bound)
    caught_up(source, target, "--ddl-done", place).must()
    source.run("USE dd", "CREATE TABLE n (ts timestamp NOT NULL PRIMARY KEY) PARTITION BY RANGE (UNIX_TIMESTAMP(ts)) (%s)" % bound.replace("p1", "p0"))
    caught_up(source, target).must(1, ["FERRY-FOLLOW-DDL", "time zone"])
    source.run("DROP TABLE dd.n")
    caught_up(source, target, "--ddl", "skip=dd.n").must()
    compare.same_database(source, target, "dd")
    assert target.value("SELECT COUNT(*) FROM dd.k") == 0


KILLED = ["ALTER TABLE a MODIFY v varchar(80), ADD COLUMN w varchar(20) NOT NULL DEFAULT 'x' AFTER id", "UPDATE a SET w='y' WHERE id=1", "RENAME TABLE a TO t1, k TO a, t1 TO k",
          "ALTER TABLE a ADD INDEX (c), COMMENT='one'", "UPDATE a SET c=c+1", "ALTER TABLE p TRUNCATE PARTITION p0", "INSERT INTO p VALUES (5,5)", "ALTER TABLE p DROP PARTITION p1",
          "CREATE TABLE q AS SELECT id, v FROM k", "DROP TABLE q, a", "ALTER TABLE k AUTO_INCREMENT=900, CHANGE n m bigint"]


def killed_in_each_step(t, kind, target_kind, statements):
    """SIGKILL at each point of each step of each statement, until a run reaches the end."""
    source, target = started(t, kind, target_kind, *(tables(target_kind, kind) + PARTITIONED))
    source.run("USE dd", *statements)
    args = ["follow", "--source", source.url, "--target", target.url, "--until", "caught-up"]
    points, kills = ["follow.ddl.noted", "follow.ddl.executed", "follow.ddl.kept"], 0
    while True:
        point = points[kills % len(points)]
        run = ferry.run(*args, env={"FERRY_FAULT": point}, program=ferry.fault_binary())
        if run.status == 0:
            break
        assert run.status == -9, run
        kills += 1
        assert kills < 150, run
    follow(source, target, "--until", "caught-up").must()
    compare.same_database(source, target, "dd")
    t.say("%d kills" % kills)


def test_killed_in_each_step(t):
    killed_in_each_step(t, "mysql", "mariadb", KILLED[2:3] + KILLED[5:9])


@soak
def test_killed_in_each_step_long(t):
    for pair in (("mysql", "mariadb"), ("mariadb", "mysql"), ("mysql", "tidb"), ("mariadb", "tidb")):
        killed_in_each_step(t, *pair, KILLED)


@soak
def test_target_killed_in_a_step(t):
    """One run outlives the target's death between the note and the statement, and behind it."""
    source, target = t.server("mysql"), t.own_server("mariadb", "--server-id=73", "--innodb-flush-log-at-trx-commit=1", "--sync-binlog=1")
    t.database(source, "dd", *TABLES[:2])
    t.gone_after(target, "dd", "ferry_meta")
    ferry.dump(source, t.path("d"), "-f", "dd.*").must()
    ferry.load(target, t.path("d")).must()
    follow(source, target, "--input", t.path("d"), "--until", "caught-up").must()
    for point, statement in (("noted", "ALTER TABLE dd.a ADD COLUMN x int DEFAULT 1, MODIFY v varchar(90)"), ("executed", "RENAME TABLE dd.a TO dd.b, dd.b TO dd.c, dd.c TO dd.a"),
                             ("executed", "ALTER TABLE dd.a DROP COLUMN x")):
        source.run(statement, "UPDATE dd.a SET v='%s'" % point)
        process = ferry.start(["follow", "--source", source.url, "--target", target.url, "--until", "caught-up"], program=ferry.fault_binary(),
                              env={"FERRY_FAULT_PAUSE": "follow.ddl.%s:3" % point})
        ferry.wait_until(lambda: process.poll() is not None or target.run("SELECT 1 FROM ferry_meta.follow_ddl WHERE begun AND NOT done"), 60, "the step")
        target.kill()
        target.start()
        captured.finish(process).must(0, "follow.reconnect")
        compare.same_database(source, target, "dd")
    process = ferry.start(["follow", "--source", source.url, "--target", target.url], program=ferry.fault_binary())
    source.run("TRUNCATE dd.a", "INSERT INTO dd.a (id) VALUES (77)")
    ferry.wait_until(lambda: process.poll() is not None or target.run("SELECT 1 FROM dd.a WHERE id=77"), 60, "the row")
    process.send_signal(signal.SIGINT)
    captured.finish(process).must(130)
