"""What a follower says of itself: lag by the source's clock, rates, queues, counts, and how long the source keeps its binlog."""

import json

import ferry
from cutover_test import Live
from follow_test import follow, loaded


def status(target):
    return json.loads(ferry.run("status", target.url, "--json").must().out)["loads"][0]["follow"]


def test_live(t):
    """Idle it is at zero; behind a lock on the target it grows; dead it is said to be dead."""
    source, target, out = loaded(t, "mariadb", "mariadb", own=True)
    ferry.load(target, out).must()
    source.run("SET timestamp=UNIX_TIMESTAMP()-100", "INSERT INTO fo.account VALUES (100,0)")
    follow(source, target, "--input", out, "--until", "caught-up").must()
    source.run("FLUSH BINARY LOGS", "SET GLOBAL binlog_expire_logs_seconds=90")
    holder = target.connect(database="fo")
    with holder.cursor() as cursor:
        cursor.execute("LOCK TABLES account WRITE")
    source.run("INSERT INTO fo.account VALUES (101,0)", "UPDATE fo.account SET sum=5 WHERE id=101")
    live = Live(source, target, "--progress", "json").wait_for("the source may remove '")
    ferry.wait_until(lambda: status(target)["lag_seconds"] > 1, what="its lag")
    s = status(target)
    assert s["stage"] == "following" and s["queue"] + s["writing"] > 0 and not s["silent"], s
    assert "binlog_expire_logs_seconds = 604800" in s["binlog_warning"] and s["binlog_kept_seconds"] is not None, s
    holder.close()
    ferry.wait_until(lambda: status(target)["stage"] == "caught up" and status(target)["lag_seconds"] == 0, what="zero lag")
    counts = [(x["inserts"], x["updates"]) for x in status(target)["tables"] if x["table"] == "account"]
    ferry.wait_until(lambda: {x["table"]: (x["inserts"], x["updates"], x["deletes"]) for x in status(target)["tables"]} == {"account": (2, 1, 0)},
                     what="counts, %s" % counts)
    ferry.wait_until(lambda: any('"lag_seconds":0.0' in line for line in live.text().split("\n")[-4:]), what="a line of progress")
    live.process.kill()
    live.process.wait()
    target.run("UPDATE ferry_meta.follow SET beat=beat - INTERVAL 1 MINUTE")
    assert status(target)["silent"] and "no sign of life for" in ferry.run("status", target.url).must().out
