"""ferry follow --cutover: proven, undone, noticed, killed in each step and continued."""

import json
import signal
import threading

import binlog
import compare
import ferry
import pymysql
from case import soak
from follow_test import follow, loaded

WRITER = "app"


class Writing(threading.Thread):
    """An application's account: it is told that the server is read-only, and tries again until it is not."""

    def __init__(self, source, user=WRITER):
        super().__init__(daemon=True)
        self.source, self.user = source, user
        self.stopping, self.refused, self.count = threading.Event(), threading.Event(), 0
        self.number = 500000 if user == WRITER else 600000
        self.start()

    def run(self):
        connection = self.source.connect(user=self.user, database="fo")
        with connection.cursor() as cursor:
            while not self.stopping.is_set():
                try:
                    self.number += 1
                    cursor.execute("INSERT INTO uniq (u) VALUES (%s)", (self.number,))
                    cursor.execute("UPDATE account SET sum=sum+1 WHERE id=3")
                    self.count += 1
                    self.refused.clear()
                except pymysql.err.OperationalError as why:
                    assert why.args[0] == 1290, why
                    self.refused.set()
                self.stopping.wait(0.005)
        connection.close()

    def stop(self):
        self.stopping.set()
        self.join(30)
        assert not self.is_alive()


def ready(t, kind, target_kind):
    source, target, out = loaded(t, kind, target_kind, own=True)
    source.run("CREATE USER %s@'%%'" % WRITER, "GRANT ALL ON fo.* TO %s@'%%'" % WRITER)
    ferry.load(target, out).must()
    follow(source, target, "--input", out, "--until", "caught-up").must()
    return source, target


def unlogged_number(source):
    """The next number is above what any row in the binlog shows."""
    connection = source.connect(autocommit=False, database="fo")
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO uniq (id) VALUES (900000)")
    connection.rollback()
    connection.close()


class Live:
    """A run whose words are read while it goes on."""

    def __init__(self, source, target, *more):
        self.process = ferry.start(["follow", "--source", source.url, "--target", target.url, "-t", "4"] + list(more))
        self.err = []
        self.reading = threading.Thread(target=lambda: self.err.extend(iter(self.process.stderr.readline, b"")), daemon=True)
        self.reading.start()

    def text(self):
        return b"".join(self.err).decode(errors="replace")

    def wait_for(self, words):
        ferry.wait_until(lambda: words in self.text() or self.process.poll() is not None, 60, words)
        assert words in self.text(), self.text()
        return self

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)
        return self

    def end(self, status, says):
        out = self.process.stdout.read().decode(errors="replace")
        self.process.wait(60)
        self.reading.join(60)
        return ferry.Run(self.process.args[1:], self.process.returncode, out, self.text()).must(status, says)


def started(source, target, *more):
    return Live(source, target, "--cutover", *more)


def is_read_only(source):
    return source.value("SELECT @@GLOBAL.read_only") in (1, "ON")


def writes_go_on(source, target, db="fo"):
    """On the target, numbered above all that the source has given out."""
    highest = source.value("SELECT auto_increment FROM information_schema.tables WHERE table_schema='fo' AND table_name='uniq'")
    target.run("INSERT INTO %s.uniq (u) VALUES (-77)" % db)
    number = target.value("SELECT id FROM %s.uniq WHERE u=-77" % db)
    assert number >= highest, (number, highest)
    target.run("DELETE FROM %s.uniq WHERE u=-77" % db)


def proven(t, kind, target_kind, read_only_by):
    source, target = ready(t, kind, target_kind)
    if kind == "mysql":
        source.run("SET GLOBAL information_schema_stats_expiry=0")
    unlogged_number(source)
    writing = Writing(source)
    try:
        ferry.wait_until(lambda: writing.count > 20, what="writes")
        r = follow(source, target, "--cutover", "--set-read-only", "--json").must()
        assert is_read_only(source)
        ferry.wait_until(writing.refused.is_set, what="a refused write")
    finally:
        writing.stop()
    proof = json.loads(r.out)
    assert proof["proven"] and proof["source"]["set_by_ferry"] and proof["source"]["read_only_by"] == read_only_by, proof
    assert proof["applied"] == {"file": proof["source"]["file"], "offset": proof["source"]["offset"], "gtid_sets": "equal"}, proof
    assert proof["xa_seen"] and proof["transactions_seen"] and proof["rows_removed"] == 0, proof
    rows = {x["source"]: (x["source_rows"], x["target_rows"]) for x in proof["tables"]}
    assert rows["fo.account"] == (20, 20) and rows["fo.uniq"][0] == rows["fo.uniq"][1] > 299, rows
    assert [n["target_next"] >= n["source_next"] > 900000 for n in proof["numbers"] if n["target"] == "fo.uniq"] == [True], proof
    assert ("tso" in proof["target"]) == (target_kind == "tidb"), proof
    compare.same_database(source, target, "fo")
    again = follow(source, target, "--cutover").must(0, ["the cut-over is proven (by an earlier run", proof["source"]["file"]])
    assert "transactions followed: 0" in again.out, again
    writes_go_on(source, target)
    return source, target


def test_proven_mysql_to_tidb(t):
    proven(t, "mysql", "tidb", "super_read_only")


def test_proven_mariadb(t):
    """Said again after writes: it begins anew, and an account with the right to write is noticed."""
    source, target = proven(t, "mariadb", "mariadb", "read_only")
    source.run("SET GLOBAL read_only=OFF", "INSERT INTO fo.account VALUES (777,0)")
    process = started(source, target)  # asks for it
    source.run("SET GLOBAL read_only=ON")
    writing = Writing(source, "root")
    try:
        process.wait_for("yet something was written on it")
    finally:
        writing.stop()
    r = process.end(0, ["it begins anew", "'root'@'localhost'", "the cut-over is proven"])
    compare.same_database(source, target, "fo")
    assert is_read_only(source), r
    # Counts that differ because it moves while it is counted.
    source.run("INSERT INTO fo.account VALUES (779,0)")
    holder = source.connect(database="fo", autocommit=True)
    with holder.cursor() as cursor:
        cursor.execute("LOCK TABLES plain WRITE")
        process = started(source, target)
        ferry.wait_until(lambda: source.value("SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'SELECT COUNT(*) FROM `fo`.`plain`%'"),
                         60, "the counting")
        cursor.execute("INSERT INTO plain (id) VALUES (700001)")
        cursor.execute("UNLOCK TABLES")
    holder.close()
    process.end(0, ["yet something was written on it", "the cut-over is proven"])
    compare.same_database(source, target, "fo")


def test_begun_at_a_place(t):
    """From FILE:POS, with no GTID set, by an account that sees neither XA nor other transactions: both are said."""
    source, target = t.own_server("mysql"), t.server("mariadb")
    made = "CREATE TABLE a (id int PRIMARY KEY)"
    t.database(source, "fp", made)
    t.database(target, "fp", made)
    t.gone_after(target)
    source.run("CREATE USER few@'%'", "GRANT REPLICATION SLAVE, REPLICATION CLIENT, SYSTEM_VARIABLES_ADMIN, CONNECTION_ADMIN ON *.* TO few@'%'",
               "GRANT SELECT ON fp.* TO few@'%'")
    place = "%s:%d" % binlog.position(source)
    run = ["follow", "--source", source.url.replace("root@", "few@"), "--target", target.url]
    source.run("INSERT INTO fp.a VALUES (1)")
    ferry.run(*run, "--loaded-elsewhere", "--from", place, "--filter", "fp.*", "--until", "caught-up").must()
    source.run("INSERT INTO fp.a VALUES (2)")
    done = ferry.run(*run, "--cutover", "--set-read-only", "--cutover-timeout", "20s", "--json").must(0, ["XA_RECOVER_ADMIN", "it needs PROCESS"])
    proof = json.loads(done.out)
    assert proof["applied"]["gtid_sets"] == "within the source's: begun at " + place, proof
    assert proof["proven"] and not proof["xa_seen"] and not proof["transactions_seen"], proof
    assert target.value("SELECT COUNT(*) FROM fp.a") == 2


def test_sequences(t):
    """What a sequence has given out on the source is not given out again on the target."""
    source = t.own_server("mariadb")
    t.database(source, "sq", "CREATE TABLE a (id int PRIMARY KEY)", "CREATE SEQUENCE s START WITH 5 INCREMENT BY 3 CACHE 10", "SELECT NEXTVAL(s)")
    ferry.dump(source, t.path("d"), "-f", "sq.*").must()
    targets = [t.server("tidb"), t.server("mariadb")]
    for target in targets:
        t.gone_after(target, "sq")
        ferry.load(target, t.path("d")).must()
    source.run("USE sq", *["SELECT NEXTVAL(s)"] * 40, "INSERT INTO a VALUES (1)")
    last = source.value("SELECT NEXTVAL(sq.s)")
    for target in targets:
        follow(source, target, "--input", t.path("d"), "--cutover", "--set-read-only").must(0, "sq.s")
        assert target.value("SELECT NEXTVAL(sq.s)") > last


@soak
def test_locks_are_waited_for(t):
    source, target = ready(t, "mysql", "mariadb")
    holder = source.connect(autocommit=False, database="fo")
    with holder.cursor() as cursor:
        cursor.execute("LOCK TABLES plain WRITE")
    process = started(source, target, "--set-read-only")
    process.wait_for("cannot be made read-only yet")
    holder.close()
    process.end(0, "the cut-over is proven")


@soak
def test_not_completed(t):
    """Interrupted while it waits, or with counts that differ: the source takes writes as before."""
    source, target = ready(t, "mysql", "mariadb")
    started(source, target).wait_for("SET GLOBAL super_read_only = ON").interrupt().end(130, "the target is at")
    assert not is_read_only(source)

    xa = source.connect(database="fo")
    with xa.cursor() as cursor:
        cursor.execute("XA START 'x'")
        cursor.execute("INSERT INTO account VALUES (778,0)")
        cursor.execute("XA END 'x'")
    source.run("SET GLOBAL read_only=ON")
    process = started(source, target, "--set-read-only").wait_for("transactions that have written are open")
    assert source.value("SELECT @@GLOBAL.super_read_only") == 1
    process.interrupt().end(130, "the source takes writes as before")
    assert is_read_only(source) and source.value("SELECT @@GLOBAL.super_read_only") == 0
    follow(source, target, "--cutover", "--set-read-only", "--cutover-timeout", "1s").must(3, ["(--cutover-timeout)", "the source takes writes as before"])
    xa.close()
    source.run("SET GLOBAL read_only=OFF")

    target.run("DELETE FROM fo.loose LIMIT 2")
    follow(source, target, "--cutover", "--set-read-only").must(3, ["FERRY-FOLLOW-CUTOVER", "fo.loose (200 rows, target 198)", "the source takes writes as before"])
    assert not is_read_only(source)
    follow(source, target, "--cutover", "--set-read-only", "--counts", "none").must(0, "the cut-over is proven")


STEPS = ["follow.cutover.noted", "follow.cutover.set", "follow.cutover.drained", "follow.cutover.raised", "follow.cutover.counted", "follow.cutover.done"]


def test_killed(t):
    """SIGKILL in each step; said again it goes on, and knows what it has to give back."""
    source, target = ready(t, "mariadb", "mariadb")
    args = ["follow", "--source", source.url, "--target", target.url, "-t", "2", "--cutover", "--set-read-only"]
    unlogged_number(source)
    for step in STEPS[:-1]:
        ferry.run_fault(step, *args)
        assert is_read_only(source) == (step != STEPS[0]), step
    # A run without cut-over gives it back.
    ferry.run(*args[:-2], "--until", "caught-up").must(0, ["was not completed has left the source read-only", "the source takes writes as before"])
    assert not is_read_only(source)
    ferry.run_fault(STEPS[-1], *args)
    ferry.run(*args).must(0, ["the cut-over is proven (by an earlier run", "set by ferry"])
    assert is_read_only(source)
    compare.same_database(source, target, "fo")
    writes_go_on(source, target)
