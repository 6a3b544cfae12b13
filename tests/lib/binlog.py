"""Reads a server's binlog with tests/tools/binlog_changes.c."""

import json
import os
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def program():
    """The build of the program under test, or the release build where that has none."""
    folder = os.path.dirname(os.environ.get("FERRY", "build/ferry"))
    for path in (os.path.join(ROOT, folder, "tools", "binlog_changes"), os.path.join(ROOT, "build", "release", "tools", "binlog_changes")):
        if os.path.exists(path):
            return path
    raise RuntimeError("no binlog_changes: make tools")


def position(server):
    """(file, offset) of the binlog's end."""
    name = "SHOW BINARY LOG STATUS" if server.name == "mysql" else "SHOW MASTER STATUS"
    return server.run(name)[0][:2]


def gtids(server):
    return server.value("SELECT @@gtid_executed" if server.name == "mysql" else "SELECT @@gtid_binlog_pos").replace("\n", "")


def cells(image):
    """None for NULL, False for a column that the image does not hold."""
    return [bytes.fromhex(c) if isinstance(c, str) else c for c in image]


def parse(text):
    items = [json.loads(line) for line in text.splitlines()]
    for item in items:
        for image in ("before", "after"):
            if image in item:
                item[image] = cells(item[image])
    return items


def command(server, *options):
    return [program(), server.url] + [str(o) for o in options]


def read(server, *options):
    """The items until the end; the last one may be an error."""
    done = subprocess.run(command(server, "--end", *options), stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300)
    assert done.returncode in (0, 1), (done.returncode, done.stderr[-2000:])
    return parse(done.stdout.decode())


def since(server, at, *options):
    return read(server, "--file", at[0], "--offset", at[1], *options)


def select(server, db, table, columns, order="id"):
    """Rows as the text protocol gives them: bytes, or None."""
    connection = server.connect(database=db, conv={}, use_unicode=False)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET time_zone='+00:00'")
            cursor.execute("SELECT %s FROM `%s` ORDER BY %s" % (", ".join(columns), table, order))
            return [[c.encode("ascii") if isinstance(c, str) else c for c in row] for row in cursor.fetchall()]
    finally:
        connection.close()


def expressions(server, db, table):
    """What a dump selects for each column."""
    out = []
    for name, kind in server.run("SELECT COLUMN_NAME, COLUMN_TYPE FROM information_schema.COLUMNS WHERE TABLE_SCHEMA='%s' AND TABLE_NAME="
                                 "'%s' ORDER BY ORDINAL_POSITION" % (db, table)):
        if kind.startswith("float"):
            out.append("`%s`*1e0" % name)
        elif "zerofill" in kind:
            out.append("`%s`+0" % name)
        else:
            out.append("`%s`" % name)
    return out
