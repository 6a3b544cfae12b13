"""--consistency: which lock is taken, what it waits for and for how long, what it holds, and that it is given back."""

import re
import signal
import socket
import threading
import time

import pymysql

import compare
import ferry
from case import quick, soak

BIN = "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
POSITION = {"mariadb": "BINLOG MONITOR", "mysql": "REPLICATION CLIENT"}


def account(t, server, name, *grants):
    """A URL for a new account with these rights alone."""
    server.run("DROP USER IF EXISTS %s@'127.0.0.1'" % name, "CREATE USER %s@'127.0.0.1'" % name,
               *["GRANT %s TO %s@'127.0.0.1'" % (g, name) for g in grants])
    t.cleanups.append((server, "DROP USER IF EXISTS %s@'127.0.0.1'" % name))
    return server.url.replace("root@", name + "@")


def small(t, server, db="cons", tables=("a", "b", "z"), engine="InnoDB"):
    statements = []
    for name in tables:
        statements += ["CREATE TABLE %s (id int PRIMARY KEY, n int) ENGINE=%s" % (name, engine),
                       "INSERT INTO %s VALUES (1, 1), (2, 2), (3, 3)" % name]
    return t.database(server, db, *statements, options=BIN)


def dump(url, db, out, *more, **options):
    return ferry.run("dump", "--source", url, "--output", out, "-f", db + ".*", *more, **options)


def dump_paused(url, db, out, step, seconds, *more):
    """Started, and waiting at this step."""
    return ferry.start(["dump", "--source", url, "--output", out, "-f", db + ".*"] + list(more), program=ferry.fault_binary(),
                       env={"FERRY_FAULT_PAUSE": "%s:%d" % (step, seconds)})


def snapshots_open(server, seconds=30):
    """Until the dump's workers have theirs. InnoDB refreshes what it tells only when nobody has asked for 0.1 s."""
    def four():
        time.sleep(0.2)
        return server.value("SELECT COUNT(*) FROM information_schema.INNODB_TRX") >= 4
    ferry.wait_until(four, seconds, what="snapshots")


def finish(process):
    out, err = process.communicate(timeout=120)
    return ferry.Run([], process.returncode, out.decode(), err.decode())


def refused(cursor, statement):
    """The error number; 0: it went through."""
    try:
        cursor.execute(statement)
        return 0
    except pymysql.Error as error:
        return error.args[0]


class Background:
    """One statement on a connection of its own, in a thread; error: its number."""

    def __init__(self, server, *statements):
        self.connection = server.connect()
        self.id = self.connection.thread_id()
        self.error, self.seconds = 0, None
        self.thread = threading.Thread(target=self.work, args=(statements,), daemon=True)
        self.thread.start()
        time.sleep(0.3)

    def work(self, statements):
        began = time.monotonic()
        try:
            with self.connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
        except (pymysql.Error, OSError, AttributeError) as error:
            self.error = error.args[0] if error.args else -1
        self.seconds = time.monotonic() - began

    def end(self, server):
        try:
            server.run("KILL %d" % self.id)
        except pymysql.Error:
            pass
        self.thread.join(30)


def least_rights(t, kind):
    server = t.server(kind)
    db = small(t, server)
    url = account(t, server, "c_lock", "SELECT, LOCK TABLES ON cons.*", POSITION[kind] + " ON *.*")
    r = dump(url, db, t.path("lock")).must(0, ["consistency: lock (the global read lock is refused", "position: "])
    assert "position: none" not in r.out, r
    epoch = [e for e in ferry.manifest(t.path("lock")) if e["record"] == "epoch"]
    assert len(epoch) == 1 and epoch[0]["consistency"] == "lock" and epoch[0]["log_file"] and epoch[0]["lock_us"] > 0, epoch
    url = account(t, server, "c_blind", "SELECT, LOCK TABLES ON cons.*")
    for mode in ("auto", "lock"):
        r = dump(url, db, t.path("blind-" + mode), "--consistency", mode).must(0, ["consistency: lock", "the account may not read it"])
        assert "dump.position.hidden" in r.err, r
    dump(url, db, t.path("flush"), "--consistency", "flush").must(1, ["FERRY-PRIVILEGE", "GRANT"])
    url = account(t, server, "c_flush", "SELECT ON cons.*", "RELOAD, %s ON *.*" % POSITION[kind])
    dump(url, db, t.path("reload")).must(0, ["consistency: flush", "position: "])
    url = account(t, server, "c_none", "SELECT ON cons.*", POSITION[kind] + " ON *.*")
    dump(url, db, t.path("none")).must(1, ["FERRY-PRIVILEGE", "GRANT RELOAD", "GRANT LOCK TABLES"])
    ferry.run("verify", "--input", t.path("lock")).must(0, "9 rows")


@quick
def test_least_rights_mariadb(t):
    least_rights(t, "mariadb")


def test_least_rights_mysql(t):
    least_rights(t, "mysql")


def long_query(t, kind):
    server = t.server(kind)
    db = small(t, server)
    guard = ("--long-query-guard", "1", "--ddl-lock", "no")
    query = Background(server, "SELECT SLEEP(60) /* the long one */ FROM cons.a WHERE id = 1")
    try:
        time.sleep(1.2)
        r = dump(server.url, db, t.path("no"), *guard).must(75, ["FERRY-DUMP-LONG-QUERY", "id %d (root" % query.id, "the long one"])
        assert query.seconds is None, r
        r = dump(server.url, db, t.path("twice"), *guard, "--long-query-retries", "1", "--long-query-retry-interval", "1").must(75)
        assert "dump.query.wait" in r.err, r
        dump(server.url, db, t.path("kill"), *guard, "--kill-long-queries").must(0, ["dump.query.kill", "consistency: flush"])
        query.thread.join(10)
        assert query.seconds is not None
    finally:
        query.end(server)
    query = Background(server, "SELECT SLEEP(3) FROM cons.a WHERE id = 1")
    time.sleep(0.8)
    dump(server.url, db, t.path("waited"), *guard, "--long-query-retries", "5", "--long-query-retry-interval", "1").must()
    query.end(server)
    if kind == "mysql":  # one below the limit that would outlast an attempt is waited for without a lock
        query = Background(server, "SELECT SLEEP(4) FROM cons.a WHERE id = 1")
        time.sleep(1)
        process = ferry.start(["dump", "--source", server.url, "--output", t.path("quiet"), "-f", db + ".*", "--lock-wait-timeout", "1s"])
        time.sleep(1)
        server.run("SET lock_wait_timeout = 1", "UPDATE cons.a SET n = n + 1 WHERE id = 2")
        r = finish(process).must(0, "dump.query.quiet")
        assert "dump.lock.wait" not in r.err, r
        query.end(server)
    query = Background(server, "SELECT SLEEP(60) FROM cons.a WHERE id = 1")
    try:
        time.sleep(0.8)
        blind = account(t, server, "c_guard", "SELECT ON cons.*", "RELOAD, %s ON *.*" % POSITION[kind])
        dump(blind, db, t.path("blind"), *guard, "--lock-wait", "1s", "--lock-wait-timeout", "1s").must(
            75 if kind == "mysql" else 0, "GRANT PROCESS")  # on MariaDB a reading query is not in the lock's way
    finally:
        query.end(server)


def test_long_query_mariadb(t):
    long_query(t, "mariadb")


def test_long_query_mysql(t):
    long_query(t, "mysql")


def gives_up(t, kind, mode, holder, named):
    """The lock waits for a statement: in short attempts, so that writers of other tables go on in between."""
    server = t.server(kind)
    db = small(t, server)
    query = Background(server, *holder)
    waits = []
    stop = threading.Event()

    def write():
        connection = server.connect()
        with connection.cursor() as cursor:
            while not stop.is_set():
                began = time.monotonic()
                cursor.execute("UPDATE cons.b SET n = n + 1 WHERE id = 1")
                waits.append(time.monotonic() - began)
                time.sleep(0.02)
        connection.close()
    writer = threading.Thread(target=write)
    try:
        writer.start()
        r = dump(server.url, db, t.path(mode), "--consistency", mode, "--long-query-guard", "0", "--lock-wait-timeout", "1s",
                 "--lock-wait", "3s", "--ddl-lock", "no")
        r.must(75, ["FERRY-SERVER-BUSY", "id %d (root" % query.id, named, "dump.lock.wait"])
        assert query.seconds is None, r
    finally:
        stop.set()
        writer.join(60)
        query.end(server)
    blocked = [w for w in waits if w > 0.5]
    assert blocked and max(waits) < 6 and len(waits) > 10, (max(waits), len(waits), len(blocked))
    t.say("%s, %s: %d writes, %d behind the lock, the longest %.1f s" % (kind, mode, len(waits), len(blocked), max(waits)))
    dump(server.url, db, t.path(mode + "-then"), "--consistency", mode, "--ddl-lock", "no").must()


SLOW_UPDATE = ("UPDATE cons.a SET n = SLEEP(60) WHERE id = 1",)


def test_flush_gives_up_mariadb(t):
    gives_up(t, "mariadb", "flush", SLOW_UPDATE, "SLEEP(60)")


def test_flush_gives_up_mysql(t):
    gives_up(t, "mysql", "flush", SLOW_UPDATE, "SLEEP(60)")


def test_lock_gives_up(t):
    """A transaction that is idle, whose table comes last: those before it are locked already when it is waited for."""
    for kind in ("mariadb", "mysql"):
        server = t.server(kind)
        db = small(t, server)
        idle = server.connect(autocommit=False)
        with idle.cursor() as cursor:
            cursor.execute("UPDATE cons.z SET n = 9")
            r = dump(server.url, db, t.path(kind), "--consistency", "lock", "--lock-wait-timeout", "1s", "--lock-wait", "2s",
                     "--ddl-lock", "no")
            r.must(75, ["FERRY-SERVER-BUSY", "id %d (root" % idle.thread_id(), "idle in a transaction"])
            server.run("SET lock_wait_timeout = 3", "UPDATE cons.a SET n = 7")
        idle.close()


def ddl_kept_out(t, kind):
    server = t.own_server(kind)
    db = small(t, server)
    url = account(t, server, "c_ddl", "SELECT ON cons.*",
                  "RELOAD, PROCESS, %s%s ON *.*" % (POSITION[kind], ", BACKUP_ADMIN" if kind == "mysql" else ""))
    other = server.connect()
    with other.cursor() as cursor:
        cursor.execute("SET lock_wait_timeout = 1")
        process = dump_paused(url, db, t.path("d"), "dump.after-snapshot", 6)
        snapshots_open(server)
        time.sleep(0.5)
        for statement in ("CREATE TABLE cons.fresh (id int)", "RENAME TABLE cons.b TO cons.c", "TRUNCATE TABLE cons.z"):
            assert refused(cursor, statement) == 1205, statement
        assert refused(cursor, "INSERT INTO cons.a VALUES (77, 7)") == 0
        finish(process).must(0, "DDL: kept out by ")
        assert refused(cursor, "CREATE TABLE cons.fresh (id int)") == 0
        # the connection that holds it is lost: said, and the dump goes on; the second one that the dump opens
        process = dump_paused(url, db, t.path("lost"), "dump.after-snapshot", 5)
        snapshots_open(server)
        ids = [r[0] for r in server.run("SELECT id FROM information_schema.PROCESSLIST WHERE user = 'c_ddl' ORDER BY id")]
        server.run("KILL %d" % ids[1])
        finish(process).must(0, ["dump.ddl.lost", "until that connection was lost"])
        # without the right
        poor = account(t, server, "c_noddl", "SELECT, LOCK TABLES ON cons.*", POSITION[kind] + " ON *.*")
        dump(poor, db, t.path("poor")).must(0, ["dump.ddl.open", "DDL: not kept out ("])
        dump(poor, db, t.path("must"), "--ddl-lock", "always").must(1, "FERRY-PRIVILEGE")
        r = dump(url, db, t.path("off"), "--ddl-lock", "no").must()
        assert "DDL" not in r.out, r
        if kind == "mariadb":
            # a table whose writers would wait: not without being asked for
            cursor.execute("CREATE TABLE cons.my (id int PRIMARY KEY) ENGINE=MyISAM")
            dump(url, db, t.path("my"), "-f", "!cons.my").must(0, ["DDL: not kept out (writers of tables without transactions", "cons.my"])
            process = dump_paused(url, db, t.path("always"), "dump.after-snapshot", 4, "-f", "!cons.my", "--ddl-lock", "always")
            snapshots_open(server)
            assert refused(cursor, "INSERT INTO cons.my VALUES (1)") == 1205
            finish(process).must(0, "DDL: kept out by BACKUP STAGE")
            dump(server.url, db, t.path("both"), "--ddl-lock", "always", "--consistency", "lock", "-f", "!cons.my").must(
                1, ["FERRY-DUMP-CONSISTENCY", "cons.my"])
    other.close()


def test_ddl_kept_out_mariadb(t):
    ddl_kept_out(t, "mariadb")


def test_ddl_kept_out_mysql(t):
    ddl_kept_out(t, "mysql")


class Bank:
    """Moves money between three tables in transactions, each with one row in `log`; the sum never changes."""

    ACCOUNTS = 40
    TABLES = ("one", "two", "three")

    def __init__(self, t, server):
        self.server, self.stop, self.failures = server, threading.Event(), []
        statements = []
        for name in self.TABLES:
            statements += ["CREATE TABLE %s (id int PRIMARY KEY, money int NOT NULL) ENGINE=InnoDB" % name,
                           "INSERT INTO %s VALUES %s" % (name, ", ".join("(%d, 1000)" % i for i in range(self.ACCOUNTS)))]
        t.database(server, "bank", "CREATE TABLE log (id int AUTO_INCREMENT PRIMARY KEY, amount int) ENGINE=InnoDB", *statements, options=BIN)
        t.database(server, "noise", "CREATE TABLE n (id int AUTO_INCREMENT PRIMARY KEY) ENGINE=InnoDB", options=BIN)
        self.threads = [threading.Thread(target=self.work, args=(t.random.randrange(1 << 30), w), daemon=True) for w in range(3)]
        for thread in self.threads:
            thread.start()

    def work(self, seed, number):
        import random
        rng = random.Random(seed)
        connection = self.server.connect(autocommit=False, database="bank")
        with connection.cursor() as cursor:
            while not self.stop.is_set():
                try:
                    if number == 2:
                        cursor.execute("INSERT INTO noise.n VALUES (NULL)")
                        connection.commit()
                        continue
                    amount = rng.randrange(1, 50)
                    for table, sign in zip(rng.sample(self.TABLES, 2), (1, -1)):
                        cursor.execute("UPDATE %s SET money = money + %d WHERE id = %d" % (table, sign * amount, rng.randrange(self.ACCOUNTS)))
                    cursor.execute("INSERT INTO log (amount) VALUES (%d)" % amount)
                    connection.commit()
                except pymysql.Error as error:
                    connection.rollback()
                    if error.args[0] not in (1205, 1213):
                        self.failures.append(error)
                        return
        connection.close()

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join(30)
        assert not self.failures, self.failures


def logged_before(server, table, epoch):
    """How many inserts into the table the binlog holds before the position; each is of one transaction."""
    count = 0
    for log in server.run("SHOW BINARY LOGS"):
        if log[0] > epoch["log_file"]:
            continue
        for event in server.run("SHOW BINLOG EVENTS IN '%s'" % log[0]):
            if event[2] == "Table_map" and "(%s)" % table in event[5] and (log[0] < epoch["log_file"] or event[4] <= epoch["log_pos"]):
                count += 1
    return count


def bank(t, kind):
    server = t.own_server(kind)
    target = t.server("mariadb") if kind == "mysql" else t.own_server("mariadb")
    writer = Bank(t, server)
    try:
        for mode in ("flush", "lock", "lock"):
            time.sleep(0.3)
            t.gone_after(target, "bank")
            out = t.path("%s-%d" % (mode, int(time.time() * 1000)))
            url = server.url if mode == "flush" else account(t, server, "c_bank", "SELECT, LOCK TABLES ON bank.*", POSITION[kind] + " ON *.*")
            # a long moment between snapshots and position: without a lock the two would not belong together
            finish(dump_paused(url, "bank", out, "dump.snapshots-open", 1, "--consistency", mode)).must(0, "consistency: " + mode)
            epoch = [e for e in ferry.manifest(out) if e["record"] == "epoch"][0]
            assert not server.run("SELECT 1 FROM information_schema.PROCESSLIST WHERE user = 'c_bank'")
            ferry.load(target, out).must()
            total = sum(target.value("SELECT SUM(money) FROM bank.%s" % name) for name in Bank.TABLES)
            assert total == 3 * Bank.ACCOUNTS * 1000, (mode, total)
            rows = target.value("SELECT COUNT(*) FROM bank.log")
            assert rows == logged_before(server, "bank.log", epoch) and rows > 0, (mode, rows, epoch)
            with open(out + "/metadata") as f:
                assert "Log: %s\n\tPos: %d\n" % (epoch["log_file"], epoch["log_pos"]) in f.read()
            t.say("%s, %s: sum right, %d transactions before the position" % (kind, mode, rows))
    finally:
        writer.end()


def test_bank_mariadb(t):
    bank(t, "mariadb")


def test_bank_mysql(t):
    bank(t, "mysql")


def without_transactions(t, kind):
    """A MyISAM table is read under the lock, at the same instant as the snapshots: a writer puts each number into it first."""
    server = t.own_server(kind)
    numbers = ", ".join("(%d)" % i for i in range(1001))  # in a MERGE table each is there twice, whatever its key says
    t.database(server, "eng", "CREATE TABLE my (id int PRIMARY KEY, pad varchar(40)) ENGINE=MyISAM",
               "CREATE TABLE inno (id int PRIMARY KEY) ENGINE=InnoDB", "CREATE TABLE mem (id int PRIMARY KEY) ENGINE=MEMORY",
               "INSERT INTO mem VALUES (1), (2)", "CREATE TABLE m1 (id int PRIMARY KEY) ENGINE=MyISAM",
               "CREATE TABLE m2 (id int PRIMARY KEY) ENGINE=MyISAM", "INSERT INTO m1 VALUES " + numbers, "INSERT INTO m2 VALUES " + numbers,
               "CREATE TABLE merged (id int PRIMARY KEY) ENGINE=MRG_MyISAM UNION=(m1, m2)", options=BIN)
    stop = threading.Event()

    def write():
        connection = server.connect(database="eng")
        with connection.cursor() as cursor:
            i = 0
            while not stop.is_set():
                i += 1
                cursor.execute("INSERT INTO my VALUES (%d, REPEAT('x', 20))" % i)
                cursor.execute("INSERT INTO inno VALUES (%d)" % i)
        connection.close()
    dump(server.url, "eng", t.path("no")).must(1, ["FERRY-DUMP-ENGINE", "eng.my (MyISAM)", "--non-transactional lock"])
    writer = threading.Thread(target=write)
    writer.start()
    try:
        time.sleep(1)
        for mode in ("flush", "lock"):
            out = t.path(mode)
            dump(server.url, "eng", out, "--consistency", mode, "--non-transactional", "lock", "--chunk-size", "4KiB").must(
                0, ["dump.locked.read", "under lock"])
            ferry.run("verify", "--input", out).must()
            records = ferry.manifest(out)
            names = {r["table"]: r["name"] for r in records if r["record"] == "table"}
            rows = {names[r["table"]]: r["rows"] for r in records if r["record"] == "table_done"}
            epoch = [r for r in records if r["record"] == "epoch"][0]
            assert rows["my"] == logged_before(server, "eng.my", epoch) > 50, (mode, rows)
            assert rows["inno"] == logged_before(server, "eng.inno", epoch) and rows["my"] - rows["inno"] in (0, 1), (mode, rows)
            assert rows["mem"] == 2 and rows["merged"] == 2002, rows
            t.say("%s, %s: %d rows of MyISAM" % (kind, mode, rows["my"]))
    finally:
        stop.set()
        writer.join(30)


def test_without_transactions_mariadb(t):
    without_transactions(t, "mariadb")


def test_without_transactions_mysql(t):
    without_transactions(t, "mysql")


@quick
def test_prepared_xa(t):
    server = t.own_server("mariadb")
    db = small(t, server)
    connection = server.connect()
    with connection.cursor() as cursor:
        for statement in ("XA START 'move-1'", "INSERT INTO cons.a VALUES (50, 50)", "XA END 'move-1'", "XA PREPARE 'move-1'"):
            cursor.execute(statement)
        for mode in ("flush", "lock"):
            r = dump(server.url, db, t.path(mode), "--consistency", mode, "--lock-wait", "2s", "--lock-wait-timeout", "1s", "--ddl-lock", "no")
            assert r.status in (1, 75) and "move-1" in r.err, r
        process = ferry.start(["dump", "--source", server.url, "--output", t.path("d"), "-f", "cons.*"])
        time.sleep(1.5)
        assert process.poll() is None, finish(process)
        cursor.execute("XA COMMIT 'move-1'")
    connection.close()
    finish(process).must()
    ferry.run("verify", "--input", t.path("d")).must(0, "10 rows")


def test_table_dropped_before_the_lock(t):
    """The dump waits for table a while z is dropped: z is left out by name, the rest is dumped."""
    server = t.own_server("mariadb")
    for mode in ("lock", "flush"):
        db = small(t, server)
        holder = server.connect()
        with holder.cursor() as cursor:
            cursor.execute("LOCK TABLES cons.a WRITE")
            process = ferry.start(["dump", "--source", server.url, "--output", t.path(mode), "-f", db + ".*", "--consistency", mode,
                                   "--ddl-lock", "no"])
            ferry.wait_until(lambda: any("Waiting" in str(r[6]) for r in server.run("SHOW PROCESSLIST")), what="the dump to wait")
            time.sleep(0.5)
            server.run("DROP TABLE cons.z")
            cursor.execute("UNLOCK TABLES")
        holder.close()
        finish(process).must(6, ["dump.table.vanished", "table=z", "left out: 1"])
        gone = [r for r in ferry.manifest(t.path(mode)) if r["record"] == "left_out"]
        assert len(gone) == 1 and gone[0]["name"] == "z" and "dropped" in gone[0]["why"], gone
        ferry.run("verify", "--input", t.path(mode)).must(0, ["LEFT OUT table cons.z", "6 rows"])


def many_tables(t, server, count, *more):
    connection = server.connect(database=t.database(server, "many", options=BIN))
    with connection.cursor() as cursor:
        for i in range(count):
            cursor.execute("CREATE TABLE t%05d (id int PRIMARY KEY)" % i)
        cursor.execute("SET lock_wait_timeout = 1")
        process = dump_paused(server.url, "many", t.path("d"), "dump.snapshots-open", 4, "--consistency", "lock", "--ddl-lock", "no", "-vv", *more)
        snapshots_open(server, 120)
        for i in (0, count // 2, count - 1):
            assert refused(cursor, "INSERT INTO t%05d VALUES (1)" % i) == 1205, i
        r = finish(process).must()
        assert refused(cursor, "INSERT INTO t%05d VALUES (1)" % (count - 1)) == 0
    connection.close()
    found = re.search(r"dump.lock.tables.* tables=(\d+) statements=(\d+)", r.err)
    assert found and int(found[1]) == count, r
    return int(found[2]), r


def test_locks_in_several_statements(t):
    """By the length of a statement: half of what the server takes."""
    server = t.own_server("mariadb", "--max-allowed-packet=8K")
    assert many_tables(t, server, 300)[0] >= 3


@soak
def test_two_thousand_tables(t):
    statements, r = many_tables(t, t.own_server("mariadb"), 2000)
    assert statements == 2
    t.say(re.search("under lock [0-9.]+ s", r.out)[0])


def lock_is_lost(t, kind):
    """Connections killed while locks are held: nothing stays locked, and the snapshot is not taken for one."""
    server = t.own_server(kind)
    db = small(t, server)
    url = account(t, server, "c_lost", "SELECT, LOCK TABLES ON cons.*", "RELOAD, %s ON *.*" % POSITION[kind])
    for mode in ("flush", "lock"):
        process = dump_paused(url, db, t.path(mode), "dump.snapshots-open", 3, "--consistency", mode, "--ddl-lock", "no")
        snapshots_open(server)
        in_transaction = [r[0] for r in server.run("SELECT trx_mysql_thread_id FROM information_schema.INNODB_TRX")]
        ids = [r[0] for r in server.run("SELECT id FROM information_schema.PROCESSLIST WHERE user = 'c_lost' ORDER BY id")]
        lockers = [i for i in ids if i not in in_transaction] or ids  # the list of transactions is not always up to date
        server.run("KILL %d" % (lockers[0] if mode == "flush" else lockers[-1]))
        server.run("SET lock_wait_timeout = 2", "UPDATE cons.a SET n = n + 1")
        r = finish(process).must(0, "dump.epoch.again")  # it begins again, with a lock that is held
        assert [e["epoch"] for e in ferry.manifest(t.path(mode)) if e["record"] == "epoch"] == [1], r
        ferry.run_fault("dump.after-lock", "dump", "--source", url, "--output", t.path("killed-" + mode), "-f", db + ".*", "--consistency", mode)
        server.run("SET lock_wait_timeout = 5", "UPDATE cons.a SET n = n + 1", "ALTER TABLE cons.a ADD c%s int" % mode)


def test_lock_is_lost_mariadb(t):
    lock_is_lost(t, "mariadb")


def test_lock_is_lost_mysql(t):
    lock_is_lost(t, "mysql")


def test_locks_of_a_client_that_stands_still(t):
    """What the network or a suspended machine has taken away must not keep writers waiting for hours."""
    server = t.server("mysql")
    db = small(t, server)
    shown = ("SELECT p.PROCESSLIST_ID, v.VARIABLE_VALUE FROM performance_schema.variables_by_thread v JOIN performance_schema.threads p USING "
             "(THREAD_ID) WHERE v.VARIABLE_NAME = 'wait_timeout' AND p.PROCESSLIST_ID IN (SELECT id FROM information_schema.PROCESSLIST "
             "WHERE user = 'c_still') ORDER BY 1")
    url = account(t, server, "c_still", "SELECT, LOCK TABLES ON cons.*", "RELOAD, %s ON *.*" % POSITION["mysql"])
    for mode, locks in (("flush", 1), ("lock", 1)):
        process = dump_paused(url, db, t.path(mode), "dump.snapshots-open", 3, "--consistency", mode, "--ddl-lock", "no", "-t", "2")
        time.sleep(1.5)
        values = [r[1] for r in server.run(shown)]
        assert sorted(values) == ["30"] * locks + ["86400"] * (len(values) - locks) and len(values) >= 3, (mode, values)
        finish(process).must()
    process = dump_paused(url, db, t.path("after"), "dump.after-snapshot", 3, "--consistency", "flush", "--ddl-lock", "no")
    time.sleep(1.5)
    assert {r[1] for r in server.run(shown)} == {"86400"}
    finish(process).must()


@soak
def test_lock_of_a_stopped_process(t):
    server = t.server("mariadb")
    db = small(t, server)
    for mode in ("flush", "lock"):
        process = dump_paused(server.url, db, t.path(mode), "dump.snapshots-open", 2, "--consistency", mode, "--ddl-lock", "no")
        snapshots_open(server)
        process.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        server.run("SET lock_wait_timeout = 60", "UPDATE cons.a SET n = n + 1")
        took = time.monotonic() - began
        process.send_signal(signal.SIGCONT)
        assert 20 < took < 40, took
        r = finish(process).must(0, "dump.epoch.again")
        assert [e["epoch"] for e in ferry.manifest(t.path(mode)) if e["record"] == "epoch"] == [1], r


class Between:
    """A proxy that changes what is said to the server, byte for byte as long."""

    def __init__(self, port, *changes):
        assert all(len(a) == len(b) for a, b in changes), changes
        self.changes, self.port = changes, port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "mysql://root@127.0.0.1:%d/?ssl-mode=disabled" % self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.port))
            threading.Thread(target=self.pass_on, args=(client, server, self.changes), daemon=True).start()
            threading.Thread(target=self.pass_on, args=(server, client, ()), daemon=True).start()

    @staticmethod
    def pass_on(source, target, changes):
        try:
            while True:
                data = source.recv(1 << 16)
                if not data:
                    break
                for a, b in changes:
                    data = data.replace(a, b)
                target.sendall(data)
        except OSError:
            pass
        for s in (source, target):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def test_no_snapshot_is_noticed(t):
    """Something between ferry and the server changes the session's isolation level, or the statement that opens a snapshot."""
    start = b"START TRANSACTION WITH CONSISTENT SNAPSHOT"
    lower = (b"'REPEATABLE-READ'", b"'READ-COMMITTED' ")
    for kind in ("mariadb", "mysql"):
        server = t.server(kind)
        db = small(t, server)
        dump(Between(server.port).url, db, t.path("plain" + kind)).must()
        dump(Between(server.port, (start, b"DO 1".ljust(len(start)))).url, db, t.path("none" + kind)).must(
            1, ["FERRY-DUMP-CONSISTENCY", "begun no transaction"])
        dump(Between(server.port, lower).url, db, t.path("level" + kind)).must(1, "READ-COMMITTED")
        server.run("SET lock_wait_timeout = 2", "UPDATE cons.a SET n = n + 1")
    look = b"@@transaction_isolation"
    server = t.server("mysql")  # the answer about the level is changed, too: MySQL's warning tells
    dump(Between(server.port, lower, (look, b"'repeatable-read'".upper().ljust(len(look)))).url, "cons", t.path("warned")).must(
        1, ["FERRY-DUMP-CONSISTENCY", "warns"])


def test_options(t):
    server = t.server("mariadb")
    small(t, server)
    dump(server.url, "cons", t.path("d"), "--consistency", "none", "--ddl-lock", "always").must(2, "FERRY-USAGE")
    r = dump(server.url, "cons", t.path("e"), "--consistency", "none").must()
    assert "DDL" not in r.out and "consistency: " not in r.out, r
    target = t.own_server("mariadb")
    dump(server.url, "cons", t.path("f"), "--consistency", "lock").must()
    ferry.load(target, t.path("f")).must()
    compare.same_database(server, target, "cons")


@soak
def test_ddl_that_waits_for_the_snapshots_it_stops(t):
    """DROP DATABASE waits for the workers' tables while the dump's next statements wait for it: on MySQL nobody ends that circle but the
    limit of a minute on ours."""
    for kind in ("mysql", "mariadb"):
        server = t.server(kind)
        db = small(t, server, tables=tuple("t%02d" % i for i in range(12)))
        process = dump_paused(server.url, db, t.path("d" + kind), "dump.snapshots-open", 5, "--ddl-lock", "no", "-t", "4")
        snapshots_open(server)
        drop = Background(server, "DROP DATABASE cons")
        try:
            finish(process).must(75, ["FERRY-SERVER-BUSY", "Lock wait timeout"])
            drop.thread.join(30)
            assert not drop.thread.is_alive(), "DROP DATABASE still waits"
        finally:
            drop.end(server)
