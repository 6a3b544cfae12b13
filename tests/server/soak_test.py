"""A random workload without a pause, with DDL in between and kills on all three sides; equal by value at every caught-up point; then the cut-over, and
writes go on at the target. Five minutes of it in every run; in soak runs FERRY_SOAK_SECONDS says how long for each pair of servers (300)."""

import os
import random
import signal
import threading
import time

import captured
import compare
import ferry
import follow_test
import pymysql
from case import soak
from follow_faults_test import DURABLE, kill_all_but
from follow_test import follow

SECONDS = int(os.environ.get("FERRY_SOAK_SECONDS", "300"))
BRIEF = 75  # of the tests in CI: five minutes over the four pairs
POINT = 25  # seconds between two caught-up points
USER = "app"


class Workload:
    """Threads that write, and one that changes definitions, through any number of lost connections."""

    def __init__(self, source, seed, folder):
        self.source, self.folder, self.random = source, folder, random.Random(seed)
        self.stopping, self.transactions, self.ddl = threading.Event(), 0, 0
        self.number = 1000000
        self.failed = []
        with open(folder + ".csv", "w") as f:
            f.write("".join("%d\t%s\n" % (i % 20, "load%d" % i) for i in range(50)))
        self.threads = [threading.Thread(target=self.guarded, args=(work,), daemon=True) for work in (self.write, self.write, self.define)]
        for thread in self.threads:
            thread.start()

    def guarded(self, work):
        while not self.stopping.is_set():
            try:
                work()
            except pymysql.Error:
                self.stopping.wait(0.1)  # the server is away, a deadlock, read-only, a definition that has changed
            except Exception as why:
                self.failed.append(why)
                return

    def write(self):
        writer = follow_test.Writer(self.source, "fo", self.random.randrange(1 << 30))
        self.number += 100000
        writer.next = self.number
        while not self.stopping.is_set():
            writer.transaction()
            self.transactions += 1
        writer.close()

    def define(self):
        rng = self.random
        connection = self.source.connect(database="fo", local_infile=True)
        with connection.cursor() as cursor:
            while not self.stopping.wait(rng.random() * 0.5):
                n = rng.randrange(4)
                self.statement(cursor, rng.choice([
                    "CREATE TABLE IF NOT EXISTS extra%d LIKE plain" % n,
                    "INSERT IGNORE INTO extra%d SELECT * FROM plain LIMIT 20" % n,
                    "TRUNCATE TABLE extra%d" % n,
                    "DROP TABLE IF EXISTS extra%d" % n,
                    "RENAME TABLE extra%d TO moved%d" % (n, n),
                    "RENAME TABLE moved%d TO extra%d" % (n, n),
                    "ALTER TABLE uniq ADD COLUMN more%d int NOT NULL DEFAULT %d" % (n, n),
                    "ALTER TABLE uniq DROP COLUMN more%d" % n,
                    "ALTER TABLE extra%d ADD INDEX by_v (v)" % n,
                    "CREATE INDEX by_n ON uniq (n)",
                    "DROP INDEX by_n ON uniq",
                    "LOAD DATA LOCAL INFILE '%s' INTO TABLE loose (a, b)" % (self.folder + ".csv"),
                    "DELETE FROM loose WHERE b NOT LIKE 'x%'"]))

    def statement(self, cursor, text):
        try:
            cursor.execute(text)
            self.ddl += 1
        except pymysql.Error as why:
            if why.args[0] in (2006, 2013):
                raise  # the server is away; else there is nothing of that name just now

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(120)
            assert not thread.is_alive()
        assert not self.failed, self.failed


class Soak:
    def __init__(self, t, kind, target_kind):
        self.t, self.random = t, t.random
        options = DURABLE if target_kind != "tidb" else ["persist"]
        self.source = t.own_server(kind, *DURABLE)
        self.target = t.own_server(target_kind, *(options + (["--server-id=71"] if target_kind == kind else [])))
        self.out = t.path("dump")
        self.killed = {"follower": 0, "source": 0, "target": 0, "connections": 0}
        self.points = self.anew = self.rounds = 0
        t.database(self.source, "fo", *follow_test.tables("fo", kind), options="CHARACTER SET utf8mb4")
        follow_test.fill(self.source, "fo")
        self.source.run("CREATE USER %s@'%%'" % USER, "GRANT ALL ON fo.* TO %s@'%%'" % USER)
        self.begin()

    def begin(self):
        """A dump and its load; after a TiDB's death, too, since its embedded store has lost rows that were committed."""
        self.rounds += 1
        out = "%s-%d" % (self.out, self.rounds)
        self.target.run("DROP DATABASE IF EXISTS fo", "DROP DATABASE IF EXISTS ferry_meta")
        ferry.dump(self.source, out, "-f", "fo.*").must()
        ferry.load(self.target, out).must()
        self.args = ["follow", "--source", self.source.url, "--target", self.target.url, "--input", out, "-t", "4"]
        self.process = None

    def run(self):
        if self.process is None:
            self.process = ferry.start(self.args)
        if self.process.poll() is not None:
            r = captured.finish(self.process)
            self.process = None
            assert r.status in (-signal.SIGKILL, 75) or "FERRY-FOLLOW-FENCED" in r.err, r
            return self.run()
        return self.process

    def dead(self):
        return self.target.name == "tidb" and self.target.revive()

    def hit(self):
        what = self.random.choice(["follower", "follower", "source", "connections"] + (["target"] if self.target.name != "tidb" else []))
        self.killed[what] += 1
        if what == "follower":
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        elif what == "connections":
            kill_all_but(self.source, [])
            if self.target.name != "tidb":
                kill_all_but(self.target, [])
        else:
            server = self.source if what == "source" else self.target
            server.kill()
            server.start()

    def point(self, *more):
        """Everything stands still: equal by value."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            r = captured.finish(self.process)
            assert r.status == 130, r
        self.process = None
        ferry.wait_until(lambda: ferry.run(*self.args, "--until", "caught-up").status == 0, 300, "the end of the binlog")
        compare.same_database(self.source, self.target, "fo")
        assert self.target.value("SELECT SUM(sum) FROM fo.account") == 20000
        self.points += 1

    def part(self, seconds):
        """false: the target is dead, and nothing can be said of its rows."""
        work = Workload(self.source, self.random.randrange(1 << 30), self.out)
        until = time.monotonic() + seconds
        try:
            while time.monotonic() < until:
                self.run()
                time.sleep(self.random.random() * min(4, seconds / 3))
                if self.dead():
                    return False
                self.hit()
        finally:
            work.stop()
        self.t.say("%d transactions, %d statements of DDL, killed: %s" % (work.transactions, work.ddl, self.killed))
        return not self.dead()

    def cutover(self):
        writer = self.source.connect(user=USER, database="fo")
        with writer.cursor() as cursor:
            cursor.execute("INSERT INTO uniq (u) VALUES (-5)")
            ferry.run(*self.args, "--cutover", "--set-read-only").must(0, "the cut-over is proven")
            try:
                cursor.execute("DELETE FROM uniq WHERE u=-5")
                raise AssertionError("the source takes writes")
            except pymysql.err.OperationalError as why:
                assert why.args[0] == 1290, why
        compare.same_database(self.source, self.target, "fo")
        follow_test.Writer(self.target, "fo", self.random.randrange(1 << 30)).run(30).close()
        assert self.target.value("SELECT SUM(sum) FROM fo.account") == 20000

    def whole(self, seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until or self.points == 0:
            if self.part(min(POINT, seconds)):
                self.point()
                continue
            self.anew += 1
            if self.process is not None:
                self.process.kill()
                captured.finish(self.process)
            self.begin()
        self.cutover()
        self.t.say("%d caught-up points, %d new loads after the target's own death" % (self.points, self.anew))


def test_brief_mysql_to_mariadb(t):
    Soak(t, "mysql", "mariadb").whole(BRIEF)


def test_brief_mariadb_to_mariadb(t):
    Soak(t, "mariadb", "mariadb").whole(BRIEF)


def test_brief_mysql_to_tidb(t):
    Soak(t, "mysql", "tidb").whole(BRIEF)


def test_brief_mariadb_to_tidb(t):
    Soak(t, "mariadb", "tidb").whole(BRIEF)


@soak
def test_mysql_to_mariadb(t):
    Soak(t, "mysql", "mariadb").whole(SECONDS)


@soak
def test_mariadb_to_mariadb(t):
    Soak(t, "mariadb", "mariadb").whole(SECONDS)


@soak
def test_mysql_to_tidb(t):
    Soak(t, "mysql", "tidb").whole(SECONDS)


@soak
def test_mariadb_to_tidb(t):
    Soak(t, "mariadb", "tidb").whole(SECONDS)
