"""ferry migrate and ferry job: a database moved as one job, with whatever comes in between."""

import json
import os
import shutil
import threading

import compare
import ferry
from case import quick, soak
from jobs import Job, ini

HERE, THERE = "mysql://a@127.0.0.1:1/", "mysql://a@127.0.0.1:2/"

BAD = [  # what is put in the place of a good file, the line that is named, words
    (ini("shop", HERE, THERE, "[dump]", "chunk-sice = 1MiB"), 11, "did you mean 'chunk-size'"),
    (ini("shop", HERE, THERE, "[dump]", "threads = many"), 11, "threads"),
    (ini("shop", HERE, THERE, "[load]", "on-conflict = perhaps"), 11, "on-conflict"),
    (ini("shop", HERE, THERE, "[load]", "if-table-exists = drop"), 11, "yes = true"),
    (ini("shop", HERE, THERE, "[load]", "input = /x"), 11, "'input' is not for [load]"),
    (ini("shop", HERE, THERE, "[dump]", "source-password = x"), 11, "no secrets"),
    (ini("shop", HERE, THERE, "[dump]", "where = shop.t=id<3"), 11, "in part"),
    (ini("shop", HERE, THERE, "[dump]", "consistency = none"), 11, "mode = both"),
    (ini("shop", HERE, THERE, "[follow]", "from = now"), 11, "the dump's position"),
    (ini("shop", HERE, THERE, "[lod]", "threads = 3"), 10, "unknown section [lod]"),
    (ini("shop", HERE, THERE, "[job]", "spec = small"), 10, "has begun in line 1"),
    (ini("shop", HERE, THERE, job="color = red"), 3, "unknown key 'color'"),
    (ini("shop", HERE, THERE, job="mode = some"), 3, "full, incremental, both"),
    (ini("shop", HERE, THERE, job="spec = huge"), 3, "small, medium, large"),
    (ini("shop", HERE, THERE, job="mode = incremental"), 3, "needs a start"),
    (ini("shop", HERE, THERE, "[follow]", "threads = 3", job="mode = full"), 10, "nothing is followed"),
    (ini("shop", HERE, THERE, "[dump]", "threads = 3", job="mode = incremental"), 10, "no rows are dumped"),
    (ini("shop", HERE, THERE, job="retries = -1"), 3, "retries"),
    (ini("shop", HERE, THERE, job="accepted = keys, keyz"), 3, "no check 'keyz'"),
    (ini("shop", HERE, THERE, "[follow]", "from = bogus", job="mode = incremental"), 11, "neither now, FILE:POS nor a GTID set"),
    (ini("shop", HERE, HERE), 6, "the target is the source"),
    (ini("shop", HERE, THERE, objects="filter = mysql.*"), 9, "system schema"),
    (ini("shop", HERE, THERE, objects="filter = shop.*\nfilter = `sys`.x"), 10, "system schema"),
    (ini("shop", HERE, THERE, objects="rename = shop.*=mysql.*"), 9, "mysql"),
    (ini("shop", HERE, THERE, objects="rename shop"), 9, "key = value"),
    (ini("shop", "mysql://a:b@h/", THERE), 5, "password"),
    (ini("shop", HERE, THERE).replace("[source]\nurl = " + HERE, "[source]"), 4, "neither profile nor url"),
    (ini("shop", HERE, THERE).replace("url = " + HERE, "profile = nobody"), 5, "no profile 'nobody'"),
    (ini("shop", HERE, THERE).replace("[target]", "type = tidb\nprofile = x\n[target]"), 4, "one of the two"),
    (ini("shop", HERE, THERE).replace("url = " + HERE, "url = %s\nssl-mode = always" % HERE), 6, "ssl-mode"),
    (ini("n" * 60, HERE, THERE), 2, "60 characters"),
    (ini("1st", HERE, THERE), 2, "letter first"),
    (ini("profiles", HERE, THERE), 1, "folder of the profiles"),
    ("name = shop\n", 1, "before the first [section]"),
    ("[source]\nurl = %s\n" % HERE, 2, "no [job]"),
    (ini("shop", HERE, THERE).replace("[target]", "[targe"), 6, "no ']'"),
    (ini("shop", HERE, THERE, job="name = other"), 3, "said in line 2 already"),
    (ini("shop", HERE, THERE, "[dump]", "threads = 3", "threads = 4"), 12, "said in line 11 already"),
]


@quick
def test_bad_files(t):
    """Each is refused with its line, before anything is made; the answer is JSON, too."""
    for number, (text, line, words) in enumerate(BAD):
        job = Job(t, "bad%d" % number, text)
        job.migrate().must(2, ["line %d: " % line, words])
        answer = json.loads(job.migrate("--json").out)
        assert answer["error"]["name"] == "FERRY-USAGE" and words in answer["error"]["message"], answer
    assert not os.path.exists(t.path("jobs")), os.listdir(t.path("jobs"))
    good = Job(t, "good", ini("shop", HERE, THERE, "[dump]", "threads = 3", "[verify]", "threads = 2"))
    good.migrate("--dry-run").must(0, "job shop: both, medium")
    good.migrate("--dry-run", "--accept", "xa,nothing").must(2, "no check 'nothing'")
    for start in ("now", "bin.000003:4", "0-1-77,1-2-3", "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5"):
        text = ini("shop", HERE, THERE, "[follow]", "from = " + start, job="mode = incremental")
        Job(t, "from", text).migrate("--dry-run").must(0, "job shop: incremental")
    good.name = "shop"
    for verb in ("status", "pause", "resume", "cutover", "log"):
        assert json.loads(good.job(verb, "--json").must(1).out)["error"]["name"] == "FERRY-STORE-NOT-FOUND"
    assert json.loads(ferry.run("job", "list", "--json", env=good.env).must().out) == {"jobs": []}
    for args in (("fly", "shop"), ("list", "shop"), ("pause",), ("status", "shop", "--purge"), ("delete", "../shop")):
        ferry.run("job", *args, env=good.env).must(2)
    assert "error" in json.loads(ferry.run("job", "--json", "--nonsense", env=good.env).must(2).out)
    assert "error" in json.loads(good.job("delete", "--json", "--yes").must(1).out)


def shop(t, rows=3000):
    source = t.own_server("mariadb")
    target = t.own_server("mariadb", "--server-id=71")
    shop_in(source, rows)
    return source, target


def shop_in(source, rows):
    source.run("CREATE DATABASE shop CHARACTER SET utf8mb4", "USE shop", "CREATE TABLE big (id int PRIMARY KEY, v varchar(200), n int)",
               "INSERT INTO big SELECT seq, REPEAT(CONCAT('x', seq), 20), 0 FROM seq_1_to_%d" % rows,
               "CREATE TABLE small (id int PRIMARY KEY AUTO_INCREMENT, v varchar(40), UNIQUE KEY (v))",
               "INSERT INTO small (v) VALUES ('a'), ('b'), ('c')")


class Writers:
    """Changes rows until stopped, in a thread of its own."""

    def __init__(self, t, source, rows):
        self.ended = threading.Event()
        self.count, self.error = 0, None
        self.source, self.rows, self.random = source, rows, t.random
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        t.on_close(self.end)

    def run(self):
        connection = self.source.connect(database="shop", autocommit=True)
        try:
            while not self.ended.wait(0.01):
                i = self.random.randrange(self.rows * 2)
                with connection.cursor() as c:
                    c.execute(("UPDATE big SET n=n+1 WHERE id=%s", "DELETE FROM big WHERE id=%s", "REPLACE INTO big VALUES (%s,'new',1)")
                              [i % 3], (i,))
                self.count += 1
        except Exception as e:  # said by stop()
            self.error = e
        connection.close()

    def stop(self):
        self.end()
        assert self.error is None, self.error

    def end(self):
        self.ended.set()
        self.thread.join()


def grant_what_is_missing(source, job):
    """What the check says of an account that may too little, said on the source."""
    checks = job.status()["checks"]
    assert any(c["result"] == "Failed" for c in checks), "nothing has failed"
    for statement in [s for c in checks for s in c["mend"] if s.startswith("GRANT ")]:
        source.run(statement.rstrip("; "))


@soak
def test_walk(t):
    """An account that may too little; then, while the source is written to: paused, resumed and killed in every stage, cut over; equal;
    and ten rows changed by hand are named."""
    rows = 3000
    source, target = shop(t, rows)
    source.run("CREATE USER mover IDENTIFIED BY 'secret'", "GRANT SELECT ON shop.* TO mover")
    writers = Writers(t, source, rows)
    job = Job(t, "walk", ini("walk", source.url.replace("root@", "mover@"), target.url, "[dump]", "rate = 100KiB", "threads = 1",
                             "chunk-size = 20KiB", "[load]", "threads = 2"),
              env={"FERRY_SOURCE_PASSWORD": "secret"})
    job.migrate("--progress", "none").must(4, ["FERRY-JOB-CHECK", "failed: "])
    assert job.status()["state"] == "needs-you"
    for _ in range(3):  # some rights can only be asked for once others are there
        if job.stage_is("check", "done"):
            break
        grant_what_is_missing(source, job)
        runner = job.resume()
        job.wait(lambda: job.stage_is("dump", "running", "done") or runner.poll() is not None, "the check")
    job.wait_stage("dump", "running", "done")
    job.job("pause").must(0, "paused")
    job.end(runner, 130)
    runner = job.resume()
    job.wait_stage("dump", "running", "done")
    job.kill_stage("dump")
    job.wait_stage("dump", "running", "done")
    job.wait_stage("load", "running", "done")
    job.kill_stage("load")
    runner.kill()
    runner.wait()
    runner = job.resume()  # waits for what its forerunner has left
    job.wait_stage("load", "running", "done", "retrying")
    job.job("pause").must(0, "paused")
    job.end(runner, 130)
    runner = job.resume()
    job.wait_stage("follow", "running")
    job.kill_stage("follow")
    job.wait_stage("follow", "running")
    job.job("pause").must(0, "paused")
    job.end(runner, 130)
    runner = job.resume()
    job.wait_stage("follow", "running")
    runner.kill()
    runner.wait()
    job.job("cutover").must(0, "cut-over is asked for")
    runner = job.resume()
    job.wait_stage("cutover", "running")
    job.kill_stage("cutover")
    job.wait_stage("cutover", "running")
    job.job("pause").must(0, "paused")
    job.end(runner, 130)
    writers.stop()
    source.run("SET GLOBAL read_only=1")
    runner = job.resume()
    run = job.end(runner, 0, ["big", "equal", "position: "])
    assert job.status()["state"] == "done" and writers.count > 0, run
    compare.same_database(source, target, "shop")
    assert target.value("SELECT COUNT(*) FROM ferry_meta.migrate_table") == 0
    job.migrate().must(0)
    ids = [r[0] for r in target.run("SELECT id FROM shop.big ORDER BY id LIMIT 10")]
    target.run("UPDATE shop.big SET v='by hand' WHERE id IN (%s)" % ",".join(map(str, ids)))
    fix, report = t.path("mend.sql"), t.path("report")
    ferry.run("verify", "--source", source.url, "--target", target.url, "-f", "shop.*", "--fix-sql", fix, "--report", report).must(3, "changed: 10,")
    with open(report, encoding="utf-8") as f:
        assert len(f.readlines()) == 10
    with open(fix, encoding="utf-8") as f:
        target.run(*[s for s in f.read().split(";\n") if s.strip()])
    compare.same_database(source, target, "shop")


def test_one_at_a_time(t):
    """Two runners, two jobs on the same tables, deleted while it runs, moved, started in the background."""
    source, target = shop(t, 1500)
    job = Job(t, "one", ini("one", source.url, target.url, "[dump]", "rate = 100KiB", "threads = 1", "chunk-size = 20KiB"))
    runner = job.start()
    job.wait_stage("dump", "running", "done")
    for refused in (job.migrate(), job.job("resume")):
        refused.must(1, ["FERRY-JOB-LOCKED", "process %d" % runner.pid])
    other = Job(t, "two", ini("two", source.url, target.url, objects="filter = shop.small"))
    other.migrate("--progress", "none").must(1, ["FERRY-JOB-OVERLAP", "shop.small (job 'one'"])
    assert other.status()["state"] == "needs-you"
    other.job("delete", "--yes").must()
    assert job.job("delete").status == 2, "asks first"
    job.job("pause").must()
    job.end(runner, 130)
    moved = os.path.join(t.path("elsewhere"), "one")
    os.makedirs(os.path.dirname(moved))
    shutil.move(job.folder(), moved)
    job.root = job.env["FERRY_JOBS_DIR"] = os.path.dirname(moved)
    job.job("resume", "--detach").must(0, "in the background")
    job.wait_stage("load", "done")
    job.wait_stage("follow", "running")
    compare.same_database(source, target, "shop")
    assert target.value("SELECT COUNT(*) FROM ferry_meta.job") == 1
    gone = Job(t, "gone", ini("gone", source.url, target.url, "[follow]", "from = bin.000999:4", job="mode = incremental\naccepted = all",
                              objects="filter = shop.small\nrename = shop.*=gone.*"))
    gone.migrate("--progress", "none").must(1, ["FERRY-BINLOG-PURGED"])
    assert target.value("SELECT COUNT(*) FROM ferry_meta.job") == 2
    gone.job("delete", "--purge", "--yes").must()
    left = [row[0] for row in target.run("SELECT dump_uuid FROM ferry_meta.job")]
    assert left == [job.status()["dump_uuid"]], left
    job.job("delete", "--purge", "--yes", "--json").must()
    assert not os.path.exists(moved) and job.status() is None
    assert target.value("SELECT COUNT(*) FROM ferry_meta.job") == 0
    assert target.value("SELECT COUNT(*) FROM ferry_meta.chunk") == 0
    assert target.value("SELECT COUNT(*) FROM ferry_meta.migrate_table") == 0
    assert target.value("SELECT COUNT(*) FROM shop.small") == 3


def test_one_server(t):
    """A source that is the target by another name is refused, whatever its tables are called there."""
    server = t.server("mariadb")
    t.database(server, "shop", "CREATE TABLE a (a int PRIMARY KEY)")
    t.gone_after(server, "other")
    for number, (words, rename) in enumerate((("failed: same_server", "filter = shop.*"), ("FERRY-JOB-SAME-SERVER", "filter = shop.*\nrename = shop.*=other.*"))):
        job = Job(t, "one%d" % number, ini("one%d" % number, server.url, server.url.replace("127.0.0.1", "localhost"), objects=rename))
        run = job.migrate("--progress", "none")
        assert run.status in (1, 4), run
        job.job("status").must(0, ["needs-you", words])
        job.job("delete", "--yes").must()
