"""How fast the follower goes, and in which order the target shows what it has done."""

import signal
import threading
import time

import apply
import binlog
import compare
import ferry


def test_commit_order(t):
    """--commit-order preserve: whatever the target shows, the source was so after one of its transactions."""
    source, target = t.server("mariadb"), t.server("mysql")
    for server in (source, target):
        t.database(server, "fp", "CREATE TABLE a (id int PRIMARY KEY, v longblob)", "CREATE TABLE b (id int PRIMARY KEY)")
    t.gone_after(target)
    at = binlog.position(source)
    connection = source.connect(database="fp", autocommit=True)
    with connection.cursor() as cursor:
        for i in range(150):
            cursor.execute("INSERT INTO a VALUES (%s, REPEAT('x', 30000))", (i,))
            cursor.execute("INSERT INTO b VALUES (%s)", (i,))
    connection.close()
    seen, ended = set(), threading.Event()

    def look():
        reader = target.connect(autocommit=True)
        with reader.cursor() as cursor:
            while not ended.is_set():
                cursor.execute("SELECT (SELECT COUNT(*) FROM fp.a) - (SELECT COUNT(*) FROM fp.b)")
                seen.add(cursor.fetchone()[0])
        reader.close()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        apply.run(source, target, at, "--filter", "fp.*", "--threads", 8, "--batch-rows", 1, "--in-order").must()
    finally:
        ended.set()
        thread.join()
    assert seen <= {0, 1}, seen
    compare.same_table(source, target, "fp", "b")


def test_rate(t):
    """No faster than --rate, which is given anew by each run; and interrupted while it waits."""
    source, target = t.server("mariadb"), t.server("mysql")
    for server in (source, target):
        t.database(server, "fp", "CREATE TABLE a (id int PRIMARY KEY, v longtext)")
    t.gone_after(target)
    place = "%s:%d" % binlog.position(source)
    source.run("USE fp", *["INSERT INTO a VALUES (%d, REPEAT('x', 20000))" % i for i in range(20)])
    command = ["follow", "--source", source.url, "--target", target.url]
    process = ferry.start(command + ["--loaded-elsewhere", "--from", place, "--filter", "fp.*", "--rate", "1024"])
    ferry.wait_until(lambda: target.value("SELECT COUNT(*) FROM fp.a") > 0, 120, "the first row")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130 and target.value("SELECT COUNT(*) FROM fp.a") < 20, (process.returncode, out, err)
    ferry.run("position", "--target", target.url).must()
    rows, began = 20 - target.value("SELECT COUNT(*) FROM fp.a"), time.monotonic()
    ferry.run(*command, "--rate", "200000", "--until", "caught-up").must()
    assert time.monotonic() - began > (rows - 4) * 20000 / 200000, time.monotonic() - began
    compare.same_table(source, target, "fp", "a")
