"""What a dump does to its source, and a load to its target: --rate, --throttle, pauses longer than the server's patience."""

import contextlib
import json
import os
import signal
import threading
import time

import captured
import ferry
import pymysql
from case import quick


def filled(t, source, rows=40000):
    t.database(source, "manners", "CREATE TABLE a (id int PRIMARY KEY, v varchar(200))",
               "INSERT INTO a SELECT seq, REPEAT('x', 100) FROM seq_1_to_%d" % rows, "CREATE TABLE k (v varchar(200))",
               "INSERT INTO k SELECT REPEAT('y', 100) FROM seq_1_to_%d" % rows)


def made_busy(server):
    """Eight connections run a statement each until set_free."""
    def sleep():
        with contextlib.suppress(pymysql.Error):  # it is killed
            server.run("SELECT SLEEP(600)")

    threads = [threading.Thread(target=sleep) for _ in range(8)]
    for thread in threads:
        thread.start()
    ferry.wait_until(lambda: len(sleeping(server)) == 8, 60, "busy connections")
    return threads


def sleeping(server):
    return [row[0] for row in server.run("SELECT id FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP(%'")]


def set_free(server, threads):
    for number in sleeping(server):
        server.run("KILL QUERY %d" % number)
    for thread in threads:
        thread.join()


@quick
def test_rate(t):
    """8.7 MB at 2 MB a second over four threads."""
    source = t.server("mariadb")
    filled(t, source)
    began = time.monotonic()
    ferry.dump(source, t.path("d"), "-f", "manners.*", "--chunk-size", "1MiB", "--rate", "2MB").must()
    took = time.monotonic() - began
    raw = sum(r["raw_bytes"] for r in ferry.manifest(t.path("d")) if r["record"] == "end")
    assert raw / 2e6 - 0.7 < took < raw / 2e6 + 60, "%d bytes in %.1f s" % (raw, took)
    ferry.run("verify", "--input", t.path("d")).must()


def test_slow_files_end_early(t):
    """At 1 MB a second a file of 64 MiB would take a minute: it ends after --chunk-time, and what is finished outlives kill -9."""
    source = t.server("mariadb")
    filled(t, source)
    out = t.path("d")
    args = ("dump", "--source", source.url, "--output", out, "-f", "manners.*", "-t", "1", "--rate", "1MB", "--chunk-time", "500ms")
    chunks = lambda: [r for r in captured.records(out, "chunk") if r["rows"]]  # noqa: E731
    enough = lambda: len(chunks()) >= 2 and sum(r["raw_bytes"] for r in chunks()) > 1e6  # noqa: E731
    assert ferry.run_killed_when(enough, *args).status == -signal.SIGKILL
    done = [r for r in ferry.manifest(out) if r["record"] == "chunk"]
    kept = sum(r["raw_bytes"] for r in done)
    assert len(done) >= 2 and kept > 1e6, (kept, done)
    ferry.dump(source, out, "-f", "manners.*", "-t", "2").must()
    ferry.run("verify", "--input", out).must(0, "80000 rows")
    names = {r["table"]: r["name"] for r in ferry.manifest(out) if r["record"] == "table"}
    files = [names[r["table"]] for r in ferry.manifest(out) if r["record"] == "chunk" and r["rows"]]
    assert len([f for f in files if f == "a"]) > len(done) and files.count("k") == 1, files
    assert {r["path"]: r["sha256"] for r in done}.items() <= {
        r["path"]: r["sha256"] for r in ferry.manifest(out) if r["record"] == "chunk" and r["rows"]}.items()


def test_rate_can_be_interrupted(t):
    source = t.server("mariadb")
    filled(t, source)
    process = ferry.start(["dump", "--source", source.url, "--output", t.path("d"), "-f", "manners.*", "--rate", "100KiB"])
    ferry.wait_until(lambda: captured.records(t.path("d"), "table"), 60, "the first table")
    process.terminate()
    process.communicate(timeout=30)  # the rows left would take 80 s
    assert process.returncode == 130
    ferry.dump(source, t.path("d"), "-f", "manners.*").must()
    ferry.run("verify", "--input", t.path("d")).must(0, "80000 rows")


def test_pause_twice_the_idle_timeout(t):
    """The source has wait_timeout 3 s and is busy for 7 s: the snapshot lives, and the dump completes within one epoch."""
    source = t.own_server("mariadb", "--wait-timeout=3", "--interactive-timeout=3", "--net-write-timeout=3")
    filled(t, source)
    out = t.path("d")
    busy = made_busy(source)
    began = time.monotonic()
    process = ferry.start(["dump", "--source", source.url, "--output", out, "-f", "manners.*", "--chunk-size", "256KiB", "-v",
                           "--throttle", "Threads_running < 6"])
    ferry.wait_until(lambda: captured.records(out, "epoch"), 60, "the snapshot")
    source.run("DELETE FROM manners.a WHERE id > 100", "INSERT INTO manners.k VALUES ('late')")
    time.sleep(max(0, 7 - (time.monotonic() - began)))
    set_free(source, busy)
    _, err = process.communicate(timeout=120)
    text = err.decode()
    assert process.returncode == 0, text
    assert time.monotonic() - began > 5 and "throttle.paused" in text and "throttle.resumed" in text, text
    epochs = [r for r in ferry.manifest(out) if r["record"] == "epoch"]
    assert len(epochs) == 1, epochs
    ferry.run("verify", "--input", out).must(0, "80000 rows")


def test_idle_transactions_that_the_server_ends(t):
    """The workers pause for longer than they may be idle: their snapshots live, and the dump is of one epoch."""
    source = t.own_server("mariadb", "--idle-transaction-timeout=1", "--idle-readonly-transaction-timeout=1")
    filled(t, source, 8000)
    ferry.dump(source, t.path("d"), "-f", "manners.*", "--chunk-size", "256KiB", "--rate", "300KiB", timeout=60).must()
    assert len([r for r in ferry.manifest(t.path("d")) if r["record"] == "epoch"]) == 1
    ferry.run("verify", "--input", t.path("d")).must(0, "16000 rows")


def test_paused_dump_ends_on_request(t):
    source = t.server("mariadb")
    filled(t, source, 100)
    process = ferry.start(["dump", "--source", source.url, "--output", t.path("d"), "-f", "manners.*", "--throttle", "Uptime<1"])
    ferry.wait_until(lambda: os.path.isdir(t.path("d/ferry.manifest")), 20)
    time.sleep(1)
    process.terminate()
    process.communicate(timeout=10)
    assert process.returncode == 130


@quick
def test_rules(t):
    source = t.server("mariadb")
    filled(t, source, 100)
    for i, rule in enumerate(("Threads_running", "<40", "Threads_running<", "Threads_running<many", "a b<4", "x'y<4", "Threads_running=4")):
        ferry.dump(source, t.path("x%d" % i), "-f", "manners.*", "--throttle", rule).must(2, "FERRY-USAGE")
    ferry.dump(source, t.path("no"), "-f", "manners.*", "--throttle", "No_such_thing<4").must(2, "No_such_thing")
    ferry.dump(source, t.path("text"), "-f", "manners.*", "--throttle", "Ssl_cipher<4").must(2, "Ssl_cipher")
    for i, rule in enumerate(("Threads_running<400", "threads_running <= 400", "Uptime>0", "Uptime >= 0.5")):
        ferry.dump(source, t.path("y%d" % i), "-f", "manners.*", "--throttle", rule).must()


def test_progress_gets_exact(t):
    """Share and time left come from the plan, and the total becomes what was read."""
    source = t.server("mariadb")
    filled(t, source)
    source.run("ANALYZE TABLE manners.a, manners.k")
    r = ferry.dump(source, t.path("d"), "-f", "manners.*", "--progress", "json", "--rate", "2MB", "--chunk-size", "256KiB").must()
    lines = [json.loads(line) for line in r.err.splitlines() if line.startswith("{")]
    assert lines and any("seconds_left" in line for line in lines) and "closing" in lines[-1], r
    last = lines[-2]
    assert last["bytes"] == last["total_bytes"] and last["rows"] == 80000 and last["pieces"] == last["total_pieces"] == 2, last


@quick
def test_load_rate(t):
    """4.4 MB at 1 MB a second over four threads, several files each."""
    source, target = t.server("mariadb"), t.own_server("mariadb")
    filled(t, source, 20000)
    ferry.dump(source, t.path("d"), "-f", "manners.*", "--chunk-size", "1MiB").must()
    began = time.monotonic()
    ferry.load(target, t.path("d"), "-t", "4", "--rate", "1MB").must()
    took = time.monotonic() - began
    raw = sum(r["raw_bytes"] for r in ferry.manifest(t.path("d")) if r["record"] == "end")
    assert raw / 1e6 - 0.7 < took < raw / 1e6 + 60, "%d bytes in %.1f s" % (raw, took)
    assert target.value("SELECT COUNT(*) FROM manners.a") == 20000


def test_load_throttle(t):
    """The target is busy: nothing is written meanwhile, everything afterwards; asked to stop, a load that waits stops."""
    target = t.own_server("mariadb")
    source = t.server("mariadb")
    filled(t, source, 20000)
    ferry.dump(source, t.path("d"), "-f", "manners.*").must()
    args = ["load", "--target", target.url, "--input", t.path("d"), "-v", "--throttle", "Threads_running < 6"]
    busy = made_busy(target)
    process = ferry.start(args)
    ferry.wait_until(lambda: target.value(
        "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'manners'") == 2, 60)
    time.sleep(1)
    assert target.value("SELECT COUNT(*) FROM manners.a") == 0
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 130 and target.value("SELECT COUNT(*) FROM manners.a") == 0
    process = ferry.start(args)
    said = b""
    while b"throttle.paused" not in said:
        line = process.stderr.readline()
        assert line, said
        said += line
    assert target.value("SELECT COUNT(*) FROM manners.a") == 0
    set_free(target, busy)
    err = said + process.communicate(timeout=120)[1]
    text = err.decode()
    assert process.returncode == 0 and "throttle.paused" in text and "throttle.resumed" in text, text
    assert target.value("SELECT COUNT(*) FROM manners.a") == 20000 == target.value("SELECT COUNT(*) FROM manners.k")
    for rule, says in (("Threads_running", "FERRY-USAGE"), ("No_such_thing<4", "No_such_thing")):
        ferry.load(target, t.path("d"), "--throttle", rule, "--meta-schema", "other").must(2, says)
