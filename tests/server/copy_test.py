"""ferry copy: dump and load at once through a spool that never holds more than it may, killed and said again."""

import os
import re
import shutil
import signal
import threading
import time

import captured
import compare
import data
import ferry
import pymysql
from capture_test import Writer, busy_source
from case import soak

LIMIT = 1 << 20
ROWS = 12000


class Watch:
    """Looks at a folder all the time: the bytes that lay in it at one moment, each file rounded up to 4 KiB. Counted are files
    that two looks have both seen, with the lesser size: so many there were at once, whatever was written or removed meanwhile."""

    def __init__(self, folder):
        self.folder, self.most, self.looks, self.ended = folder, 0, 0, False
        self.thread = threading.Thread(target=self.look, daemon=True)
        self.thread.start()

    def files(self):
        found = {}
        for base, _, names in os.walk(self.folder):
            for name in names:
                try:
                    info = os.lstat(os.path.join(base, name))
                except OSError:
                    continue
                found[info.st_ino, info.st_ctime_ns if not info.st_size else 0] = info.st_size
        return found

    def look(self):
        before = {}
        while not self.ended:
            now = self.files()
            both = [min(size, now[key]) for key, size in before.items() if key in now]
            self.most = max(self.most, sum((size + 4095) // 4096 * 4096 for size in both))
            self.looks += 1
            before = now
            time.sleep(0.002)

    def end(self):
        self.ended = True
        self.thread.join()
        return self.most


def make_source(t, kind, rows=ROWS):
    """With a table without a key that alone is larger than the spool."""
    source = t.server(kind)
    db = t.database(source, "copied", options="CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
    data.fill_random(source, db, "keyed", rows, t.seed)
    data.fill_random(source, db, "keyless", rows, t.seed + 1, keyed=False)
    data.fill_random(source, db, "little", 50, t.seed + 2, keyed=False)
    source.run("CREATE VIEW copied.v AS SELECT id FROM copied.keyed",
               "CREATE TABLE copied.parent (id int PRIMARY KEY)", "INSERT INTO copied.parent VALUES (1),(2)",
               "CREATE TABLE copied.child (id int PRIMARY KEY, p int, CONSTRAINT c_p FOREIGN KEY (p) REFERENCES parent (id))",
               "INSERT INTO copied.child VALUES (1,1),(2,2),(3,1)")
    return source, db


def copy_args(source, target, db, spool, *more):
    return ["copy", "--source", source.url, "--target", target.url, "--spool", spool, "--spool-size", LIMIT, "-f", db + ".*",
            "--chunk-size", "64KiB", "--compress", "none", "--load-threads", "6", "--batch-rows", "300"] + list(more)


def rows_left(spool):
    return [n for n in os.listdir(spool) if n.endswith(".sql") and "-schema" not in n or n.startswith(".ferry-tmp-")]


def whole(t, source, target, db, spool):
    rows = compare.same_database(source, target, db)
    assert rows_left(spool) == [], rows_left(spool)
    undone, total = target.run("SELECT SUM(state=0), SUM(rows_done) FROM ferry_meta.chunk")[0]
    assert (int(undone), int(total)) == (0, rows), (undone, total, rows)
    return rows


def stored(spool):
    """Bytes of all data files that were ever recorded and still count."""
    return sum(r["stored_bytes"] for r in ferry.manifest(spool) if r["record"] == "chunk" and r.get("rows"))


def test_spool_is_never_larger(t):
    source, db = make_source(t, "mariadb")
    target, spool = t.own_server("tidb"), t.path("spool")
    watch = Watch(spool)
    run = ferry.run(*copy_args(source, target, db, spool)).must(0, "spool: ")
    most = watch.end()
    whole(t, source, target, db, spool)
    t.say("%d bytes through a spool of %d, at most %d seen in %d looks" % (stored(spool), LIMIT, most, watch.looks))
    assert stored(spool) > 2 * LIMIT and LIMIT // 4 < most <= LIMIT, (stored(spool), most)
    assert "rows in the target: " in run.out, run
    ferry.run(*copy_args(source, target, db, spool)).must(0, "nothing to do")


STEPS = ["dump.chunk.before-record:5", "dump.chunk.after-record:8", "load.after-load:8", "load.spool.before-remove:1", "dump.before-end",
         "dump.after-end"]


def test_killed_at_each_step(t):
    """Both halves die with the process; the same command goes on, whatever was in the spool, and the spool keeps to its size."""
    source, db = make_source(t, "mariadb", ROWS // 2)
    target = t.own_server("mariadb")
    for step in STEPS:
        spool = t.path(step.replace(":", "-"))
        t.gone_after(target, db)
        args = copy_args(source, target, db, spool)
        watch = Watch(spool)
        ferry.run_fault(step, *args)
        ferry.run(*args).must()
        assert watch.end() <= LIMIT, (step, watch.most)
        whole(t, source, target, db, spool)


def killed_at_random(t, source_kind, target_kind, tries):
    source, db = make_source(t, source_kind)
    target, spool = t.own_server(target_kind), t.path("spool")
    args = copy_args(source, target, db, spool)
    watch, killed = Watch(spool), 0
    for _ in range(tries):
        r = ferry.run_killed(t.random.uniform(0.3, 2), *args, "--rate", "400KiB")
        if r.status != -signal.SIGKILL:
            break
        killed += 1
    else:
        r = ferry.run(*args)
    r.must()
    most = watch.end()
    assert most <= LIMIT, most
    whole(t, source, target, db, spool)
    t.say("killed %d times, at most %d of %d bytes" % (killed, most, LIMIT))
    assert killed > 0


def test_killed_at_random_mariadb(t):
    killed_at_random(t, "mariadb", "mariadb", 4)


@soak
def test_killed_at_random_mysql(t):
    killed_at_random(t, "mysql", "mysql", 12)


def in_the_middle(t, source, target, db, spool):
    """A copy that was killed when a part of the table with a key was in the target: more than the spool holds was yet to be read."""
    def begun():
        keyed = [r["table"] for r in captured.records(spool, "table") if r["name"] == "keyed"]
        try:
            return bool(keyed) and target.value("SELECT COUNT(*) FROM ferry_meta.chunk WHERE rows_done > 0 AND tbl = %d" % keyed[0]) > 0
        except pymysql.Error:
            return False  # not made yet

    r = ferry.run_killed_when(begun, *copy_args(source, target, db, spool, "--rate", "150KiB"))
    assert r.status == -signal.SIGKILL, r


def test_source_moved(t):
    """The snapshot died with the process, and the source has moved: the copy goes on in another one, and ends with the binlog between them."""
    source, db = make_source(t, "mariadb")
    target, spool = t.own_server("mariadb"), t.path("spool")
    in_the_middle(t, source, target, db, spool)
    last = source.value("SELECT MAX(id) FROM copied.keyed")
    source.run("USE copied", "DELETE FROM keyed ORDER BY id LIMIT 3", "UPDATE keyed SET id = id + %d ORDER BY id DESC LIMIT 5" % last,
               "DELETE FROM keyless LIMIT 5", "INSERT INTO little SELECT * FROM little LIMIT 2", "INSERT INTO child VALUES (4,2)")
    second = lambda: [r for r in captured.records(spool, "chunk") if r["epoch"] == 2]  # noqa: E731
    assert ferry.run_killed_when(second, *copy_args(source, target, db, spool, "--rate", "150KiB")).status == -signal.SIGKILL
    source.run("USE copied", "DELETE FROM keyed ORDER BY id LIMIT 7", "INSERT INTO parent VALUES (3)")
    said = ferry.run(*copy_args(source, target, db, spool)).must(0, ["epoch 3", "the target is at "])
    compare.same_database(source, target, db)
    assert rows_left(spool) == []
    ferry.run(*copy_args(source, target, db, spool)).must(0, "nothing to do")
    assert "transactions followed: 0" not in said.out, said.out


def test_source_moved_before_a_row_was_loaded(t):
    """What the first snapshot gave may all be read again: the rows that count are of one moment, the last, and a follower begins there."""
    source, db = make_source(t, "mariadb", ROWS // 2)
    target, spool = t.own_server("mariadb"), t.path("spool")
    args = copy_args(source, target, db, spool)
    ferry.run_fault("dump.chunk.before-record:2", *args)
    source.run("USE copied", "DELETE FROM keyed ORDER BY id LIMIT 3", "UPDATE keyed SET id = id + 10000000 ORDER BY id DESC LIMIT 5",
               "DELETE FROM little LIMIT 5", "INSERT INTO child VALUES (4,2)")
    ferry.run(*args).must()
    compare.same_database(source, target, db)
    source.run("USE copied", "DELETE FROM keyed ORDER BY id LIMIT 4", "INSERT INTO parent VALUES (3)")
    ferry.run("follow", "--source", source.url, "--target", target.url, "--input", spool, "--until", "caught-up").must()
    compare.same_database(source, target, db)


def killed_under_writes(t, source_kind, target_kind, tries):
    """Each run goes on in a snapshot of its own; then what was written behind the last one is followed."""
    source, db = busy_source(t, source_kind)
    target, spool = t.own_server(target_kind), t.path("spool")
    args = copy_args(source, target, db, spool)
    writer = Writer(source, t.seed)
    writer.start()
    for _ in range(tries):
        r = ferry.run_killed(t.random.uniform(0.3, 2), *args, "--rate", "300KiB")
        if r.status != -signal.SIGKILL:
            break
    r = ferry.run(*args)
    writer.stop()
    r.must()
    epochs = max(e["epoch"] for e in ferry.manifest(spool) if e["record"] == "epoch")
    ferry.run("follow", "--source", source.url, "--target", target.url, "--input", spool, "--until", "caught-up").must()
    compare.same_database(source, target, db)
    t.say("%d epochs" % epochs)
    assert epochs > 1


@soak
def test_killed_under_writes_mariadb(t):
    killed_under_writes(t, "mariadb", "mysql", 8)


@soak
def test_killed_under_writes_mysql(t):
    killed_under_writes(t, "mysql", "mariadb", 8)


def test_table_without_key_into_one_that_was_there(t):
    """Larger than the spool, it is loaded before the dump is done with it. The dump that was killed starts it again: what is loaded of it
    cannot be told from the target's own rows, which is said, with the way out."""
    source, db = make_source(t, "mariadb")
    target, spool = t.own_server("mariadb"), t.path("spool")
    create = source.run("SHOW CREATE TABLE copied.keyless")[0][1]
    target.run("CREATE DATABASE copied", "USE copied", create)
    args = copy_args(source, target, db, spool, "-f", "!copied.*", "-f", "copied.keyless")
    ferry.run_fault("load.after-commit:3", *args)
    assert target.value("SELECT COUNT(*) FROM copied.keyless") > 0
    said = ferry.run(*args).must(1, ["FERRY-LOAD-STATE", "the dump has started this table again after"]).err
    target.run("DELETE FROM copied.keyless", re.search(r"DELETE FROM `ferry_meta`.`chunk` WHERE job = \d+ AND tbl = \d+", said).group(0))
    ferry.run(*args).must()
    assert target.value("SELECT COUNT(*) FROM copied.keyless") == ROWS and rows_left(spool) == []
    source.run("DROP TABLE copied.keyed, copied.little, copied.child, copied.parent", "DROP VIEW copied.v")
    compare.same_database(source, target, db)


def test_other_renames(t):
    """Said again without its --rename, a copy is not made a second time from what is left of it."""
    source, db = make_source(t, "mariadb", 2000)
    target, spool = t.own_server("mariadb"), t.path("spool")
    args, rename = copy_args(source, target, db, spool), ["--rename", "copied.*=elsewhere.*"]
    ferry.run_fault("load.after-commit:4", *args, *rename)
    ferry.run(*args).must(1, ["FERRY-LOAD-STATE", "begun with --rename `copied`.*=`elsewhere`.*", "--restart --yes"])
    ferry.run(*args, *rename).must()
    ferry.run(*args).must(1, ["FERRY-LOAD-STATE", "been done with --rename"])
    ferry.run(*args, *rename).must(0, "nothing to do")
    assert not target.run("SHOW DATABASES LIKE 'copied'")
    assert target.value("SELECT COUNT(*) FROM elsewhere.keyed") == 2000


def test_what_a_spool_is_not_for(t):
    """Its files are no dump for others, and no dump of others is taken away as if it were a spool."""
    source, db = make_source(t, "mariadb", 2000)
    target, spool, folder = t.own_server("mariadb"), t.path("spool"), t.path("folder")
    ferry.run_fault("dump.before-end", *copy_args(source, target, db, spool))
    ferry.run("dump", "--source", source.url, "--output", spool, "-f", db + ".*", "--compress", "none").must(2, "--spool")
    ferry.run(*copy_args(source, target, db, spool, "-f", "!copied.v")).must(2, "--filter")
    ferry.run(*copy_args(source, target, db, spool)).must()
    ferry.run(*copy_args(source, target, db, spool, "-f", "!copied.v")).must(2, "--filter")
    ferry.run("verify", "--input", spool).must(2, "ferry copy")
    ferry.run("position", "--input", spool).must(0, "bin.")
    target.run("DROP DATABASE ferry_meta")
    ferry.load(target, spool).must(5, "ferry copy")
    ferry.run(*copy_args(source, target, db, spool)).must(5, ["FERRY-SPOOL-GONE", "--rename"])
    ferry.dump(source, folder, "-f", db + ".*", "--compress", "none").must()
    before = sorted(os.listdir(folder))
    ferry.run(*copy_args(source, target, db, folder)).must(2)
    assert sorted(os.listdir(folder)) == before
    ferry.run(*copy_args(source, target, db, "s3://bucket/spool")).must(2, "a spool is a folder of this machine")
    ferry.run("copy", "--source", source.url, "--target", target.url).must(2, "--spool")


def test_not_into_itself(t):
    """The source said as the target, too: no table is emptied, nor gets its rows twice; under other names it may."""
    server = t.server("mariadb")
    t.database(server, "cself", "CREATE TABLE bare (a int)", "INSERT INTO bare VALUES (1),(1)")
    t.gone_after(server, "cself2")
    for more in ([], ["--if-table-exists", "drop", "--yes"]):
        ferry.run(*copy_args(server, server, "cself", t.path("spool%d" % len(more)), *more)).must(2, ["same server", "cself.bare"])
        assert server.value("SELECT COUNT(*) FROM cself.bare") == 2
    ferry.run(*copy_args(server, server, "cself", t.path("spool"), "--rename", "cself.*=cself2.*")).must()
    assert server.value("SELECT COUNT(*) FROM cself2.bare") == 2


def test_no_room(t):
    """A row that no spool of this size can hold is refused at once, by name; so is a spool without room for one file."""
    source = t.server("mariadb")
    db = t.database(source, "copied", "CREATE TABLE wide (id int PRIMARY KEY, b longblob)",
                    "INSERT INTO wide VALUES (1, REPEAT('x', 100)), (2, REPEAT('y', 5000000))")
    target, spool = t.own_server("mariadb"), t.path("spool")
    ferry.run(*copy_args(source, target, db, spool)).must(1, "FERRY-SPOOL-FULL")
    ferry.run(*copy_args(source, target, db, spool, "--chunk-size", "8MiB")).must(1, ["FERRY-SPOOL-FULL", "--spool-size"])
    ferry.run(*copy_args(source, target, db, spool, "--spool-size", "16MiB")).must()
    compare.same_database(source, target, db)


def test_conflict_and_interruption(t):
    """A conflict in the load ends the dump too; so does SIGTERM; the same command goes on."""
    source, db = make_source(t, "mariadb", ROWS // 2)
    target, spool = t.own_server("mariadb"), t.path("spool")
    args = copy_args(source, target, db, spool)
    process = ferry.start(args + ["--rate", "200KiB"])
    ferry.wait_until(lambda: os.path.isdir(spool) and rows_left(spool), what="files")
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, (process.returncode, out, err)
    last = source.value("SELECT MAX(id) FROM copied.keyed")
    ferry.run(*args).must()
    whole(t, source, target, db, spool)
    shutil.rmtree(spool)
    t.gone_after(target, db)
    row = "INSERT INTO copied.keyed (id) VALUES (%d)" % last
    ferry.run(*copy_args(source, target, db, t.path("other"), "-f", "!copied.*", "-f", "copied.keyed", "--where", "copied.keyed=1=0")).must()
    target.run("DROP DATABASE ferry_meta", row)
    ferry.run(*args).must(3, "FERRY-LOAD-CONFLICT")
    ferry.run(*args, "--on-conflict", "replace").must()
    compare.same_database(source, target, db)
