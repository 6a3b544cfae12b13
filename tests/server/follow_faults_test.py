"""ferry follow live, beside a writer: killed at random, with its servers killed, with connections killed, and with its binlog purged."""

import random
import signal
import subprocess
import threading

import captured
import compare
import ferry
import follow_test
import pymysql
from case import soak
from follow_test import follow, loaded
from proof_test import Writing

DURABLE = ["--innodb-flush-log-at-trx-commit=1", "--sync-binlog=1"]  # what is committed outlives the server's death


def live(source, target, out, *more):
    return ferry.start(["follow", "--source", source.url, "--target", target.url, "--input", out, "-t", "4"] + list(more))


def marked(source, target, number):
    """A row of the source that has come to the target says that everything before it is read."""
    source.run("INSERT INTO fo.account VALUES (%d,0)" % number)

    def there():
        try:
            return target.run("SELECT 1 FROM fo.account WHERE id=%d" % number)
        except pymysql.Error:
            return False  # the target's connections are being killed
    return there


def ended_by_hand(process):
    process.send_signal(signal.SIGINT)
    return captured.finish(process).must(130, "the target is at")


def killed_at_random(t, kind, target_kind, kills):
    """SIGKILL at any moment of a run that is applying changes, again and again; none is lost, and none done twice."""
    source, target, out = loaded(t, kind, target_kind)
    t.say("%s to %s, %d kills" % (kind, target_kind, kills))
    ferry.load(target, out).must()
    writing = Writing(source, t.seed)
    writing.start()
    try:
        for i in range(kills):
            process = live(source, target, out)
            there = marked(source, target, 10000 + i)
            if i % 2 == 0:  # while it catches up, and as soon as it has
                ferry.wait_until(lambda: process.poll() is not None or there(), 120, "changes")
            try:
                process.wait(t.random.random() * 0.6)
            except subprocess.TimeoutExpired:
                pass
            process.send_signal(signal.SIGKILL)
            r = captured.finish(process)
            if target_kind == "tidb" and target.revive():
                t.say("the target has died at kill %d, and with it rows that were committed" % (i + 1))
                return
            if r.status != -signal.SIGKILL:  # the server has not seen yet that the one before is gone
                r.must(1, "FERRY-FOLLOW-FENCED")
    finally:
        writing.stop()
    follow(source, target, "--input", out, "--until", "caught-up").must()
    compare.same_database(source, target, "fo")
    assert target.value("SELECT SUM(sum) FROM fo.account") == 20000
    t.say("%d transactions" % writing.count)


def test_killed_at_random(t):
    killed_at_random(t, "mysql", "mariadb", 5)


@soak
def test_killed_at_random_long_mysql_mariadb(t):
    killed_at_random(t, "mysql", "mariadb", 50)


@soak
def test_killed_at_random_long_mariadb_mysql(t):
    killed_at_random(t, "mariadb", "mysql", 50)


@soak
def test_killed_at_random_long_mysql_tidb(t):
    killed_at_random(t, "mysql", "tidb", 50)


@soak
def test_killed_at_random_long_mariadb_tidb(t):
    killed_at_random(t, "mariadb", "tidb", 50)


class Persistent(threading.Thread):
    """Transactions that keep a sum, through any number of lost connections."""

    def __init__(self, source, seed):
        super().__init__(daemon=True)
        self.source, self.random = source, random.Random(seed)
        self.stopping, self.count, self.number = threading.Event(), 0, None

    def connected(self):
        connection = self.source.connect(database="fo", autocommit=False)
        self.number = connection.thread_id()
        with connection.cursor() as cursor:
            while not self.stopping.is_set():
                a, b, n = self.random.randrange(20), self.random.randrange(20), self.random.randrange(99)
                cursor.execute("UPDATE account SET sum=sum-%s WHERE id=%s", (n, a))
                cursor.execute("UPDATE account SET sum=sum+%s WHERE id=%s", (n, b))
                cursor.execute("INSERT INTO loose VALUES (%s,%s,%s)", (a, "p", n / 3))
                cursor.execute("UPDATE IGNORE plain SET id=%s WHERE id=%s", (self.random.randrange(500), self.random.randrange(500)))
                connection.commit()
                self.count += 1
                self.stopping.wait(0.003)
        connection.close()

    def run(self):
        while not self.stopping.is_set():
            try:
                self.connected()
            except pymysql.Error:
                self.stopping.wait(0.1)

    def stop(self):
        self.stopping.set()
        self.join(60)
        assert not self.is_alive() and self.count > 10, self.count


def test_servers_killed(t):
    """Source and target are killed and come back while one run of follow goes on."""
    source, target = t.own_server("mariadb", *DURABLE), t.own_server("mariadb", "--server-id=71", *DURABLE)
    t.database(source, "fo", *follow_test.tables("fo", "mariadb"), options="CHARACTER SET utf8mb4")
    follow_test.fill(source, "fo")
    out = t.path("d")
    ferry.dump(source, out, "-f", "fo.*").must()
    ferry.load(target, out).must()
    writing = Persistent(source, t.seed)
    writing.start()
    process = live(source, target, out)
    try:
        for i, server in enumerate((target, source, target)):
            there = marked(source, target, 20000 + i)
            ferry.wait_until(lambda: process.poll() is not None or there(), 120, "changes")
            server.kill()
            server.start()
            assert process.poll() is None, captured.finish(process)
        there = marked(source, target, 20009)
        ferry.wait_until(lambda: process.poll() is not None or there(), 120, "changes after the last start")
    finally:
        writing.stop()
    ended_by_hand(process)
    follow(source, target, "--until", "caught-up").must()
    compare.same_database(source, target, "fo")
    assert target.value("SELECT SUM(sum) FROM fo.account") == 20000
    t.say("%d transactions" % writing.count)


def kill_all_but(server, kept):
    """How many connections it has killed."""
    connection, killed = server.connect(), 0
    with connection.cursor() as cursor:
        try:
            cursor.execute("SELECT id FROM information_schema.processlist WHERE id<>CONNECTION_ID() AND user='root'")
            numbers = cursor.fetchall()
        except pymysql.err.OperationalError as why:
            if why.args[0] != 3854:  # MySQL: a statement that runs just now has bytes that its list cannot show
                raise
            cursor.execute("SELECT processlist_id FROM performance_schema.threads WHERE processlist_id<>CONNECTION_ID() AND processlist_user='root'")
            numbers = cursor.fetchall()
        for (number,) in numbers:
            if number not in kept:
                try:
                    cursor.execute("KILL %d" % number)
                    killed += 1
                except pymysql.Error:
                    pass  # it has ended
    connection.close()
    return killed


def test_connections_killed(t):
    """All connections to both servers, several times, while one run of follow goes on."""
    source, target, out = loaded(t, "mysql", "mariadb", own=True)
    ferry.load(target, out).must()
    writing = Persistent(source, t.seed)
    writing.start()
    process, killed = live(source, target, out), 0
    try:
        for i in range(4):
            there = marked(source, target, 20000 + i)
            ferry.wait_until(lambda: process.poll() is not None or there(), 120, "changes")
            killed += kill_all_but(source, [writing.number]) + kill_all_but(target, [])
            assert process.poll() is None, captured.finish(process)
        there = marked(source, target, 20009)
        ferry.wait_until(lambda: process.poll() is not None or there(), 120, "changes after the last kill")
    finally:
        writing.stop()
    ended_by_hand(process)
    follow(source, target, "--until", "caught-up").must()
    compare.same_database(source, target, "fo")
    assert killed >= 4 * 2, killed
    t.say("%d transactions, %d connections killed" % (writing.count, killed))


def test_purged(t):
    """The source has purged what a stopped follower needs: said, with what to do; nothing is passed over."""
    for kind, status in (("mariadb", "SHOW MASTER STATUS"), ("mysql", "SHOW BINARY LOG STATUS")):
        source, target = t.own_server(kind), t.server("mariadb")
        t.database(source, "purged", "CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1)")
        t.gone_after(target, "purged")
        out = t.path(kind)
        ferry.dump(source, out, "-f", "purged.*").must()
        ferry.load(target, out).must()
        source.run("INSERT INTO purged.t VALUES (2)")
        follow(source, target, "--input", out, "--until", "caught-up").must()
        source.run("INSERT INTO purged.t VALUES (3)", "FLUSH BINARY LOGS", "INSERT INTO purged.t VALUES (4)")
        last = source.run(status)[0][0]

        def purged():  # a file is kept as long as the connection that read it is not seen to have ended
            source.run("PURGE BINARY LOGS TO '%s'" % last)
            return source.run("SHOW BINARY LOGS")[0][0] == last
        ferry.wait_until(purged, 60, "the first file's end")
        for _ in range(2):
            follow(source, target, "--until", "caught-up").must(1, ["FERRY-BINLOG-PURGED", "start again from a new dump"])
        assert target.run("SELECT id FROM purged.t ORDER BY id") == ((1,), (2,))
