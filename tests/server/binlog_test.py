"""The binlog's rows, cell by cell, against what SELECT shows; and the wire that they come over."""

import binlog
import data
from case import quick


def rows_of(items, db, table):
    assert items[-1]["kind"] == "end", items[-1]
    return [i for i in items if i["kind"] == "row" and i["db"] == db and i["table"] == table]


def same(t, table, columns, got, want):
    assert len(got) == len(want), (table, len(got), len(want))
    for row, (a, b) in enumerate(zip(got, want)):
        for column, (x, y) in enumerate(zip(a, b)):
            assert x == y, "%s row %d column %s: binlog %r, SELECT %r" % (table, row, columns[column], x, y)


def check_tables(t, server, db, tables):
    """Inserts are there already: the start is given. Updates and deletes every row; compares all images."""
    at = t.at
    columns = {name: binlog.expressions(server, db, name) for name in tables}
    before = {name: binlog.select(server, db, name, columns[name]) for name in tables}
    for name in tables:
        server.run("UPDATE `%s`.`%s` SET id = id + 100000 ORDER BY id" % (db, name))
    after = {name: binlog.select(server, db, name, columns[name]) for name in tables}
    for name in tables:
        server.run("DELETE FROM `%s`.`%s` ORDER BY id" % (db, name))
    items = binlog.since(server, at, "--filter", db + ".*")
    for name in tables:
        rows = rows_of(items, db, name)
        key = lambda row: int(row[0])  # noqa: E731
        inserted = sorted((r["after"] for r in rows if r["change"] == "insert"), key=key)
        same(t, name + " insert", columns[name], inserted, before[name])
        updated = [r for r in rows if r["change"] == "update"]
        same(t, name + " update, before", columns[name], [r["before"] for r in updated], before[name])
        same(t, name + " update, after", columns[name], [r["after"] for r in updated], after[name])
        same(t, name + " delete", columns[name], [r["before"] for r in rows if r["change"] == "delete"], after[name])
    return items


def every_type(t, kind):
    server = t.server(kind)
    t.database(server, "bl_types", options="CHARACTER SET utf8mb4")
    t.at = binlog.position(server)
    tables = data.make_every_type(server, "bl_types", False)
    check_tables(t, server, "bl_types", tables)


@quick
def test_every_type_mariadb(t):
    every_type(t, "mariadb")


def test_every_type_mysql(t):
    every_type(t, "mysql")
