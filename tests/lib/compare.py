"""Compares tables of two servers value by value, as their bytes; tables without a key as multisets.

The expressions are chosen from the source's column types, so that what is compared is the value and not a server's way
of printing it: FLOAT and DOUBLE as numbers, JSON by value (TiDB prints 1.0 as 1), the rest as hexadecimal bytes."""

import collections
import json
import struct

import pymysql

NUMBERS = {"float", "double"}
INTEGERS = {"tinyint", "smallint", "mediumint", "int", "bigint"}  # ZEROFILL is how one is printed, not what it is
BYTES = {"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "geometry", "point", "linestring", "polygon",
         "multipoint", "multilinestring", "multipolygon", "geometrycollection", "geomcollection", "vector"}
TEXT = {"char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set"}


def quoted(name):
    return "`%s`" % name.replace("`", "``")


def columns(server, db, table):
    rows = server.run("SET NAMES utf8mb4", pymysql_format(
        "SELECT column_name, data_type, extra FROM information_schema.columns WHERE table_schema=%s AND table_name=%s "
        "ORDER BY ordinal_position", db, table))
    return [(r[0], r[1].lower()) for r in rows]


def pymysql_format(sql, *values):
    return sql % tuple("'" + pymysql.converters.escape_string(v) + "'" for v in values)


def expression(name, kind):
    c = quoted(name)
    if kind in NUMBERS:
        return c + "+0e0"
    if kind == "bit" or kind in INTEGERS:
        return c + "+0"
    if kind in BYTES:
        return "HEX(%s)" % c
    if kind == "json":
        return "CAST(%s AS CHAR)" % c
    if kind in TEXT:
        return "HEX(CONVERT(%s USING utf8mb4))" % c
    return "HEX(CAST(%s AS CHAR))" % c


def normal(value, kind):
    if value is None:
        return "NULL"
    if kind in NUMBERS:
        return struct.pack("<d", float(value)).hex() if float(value) else "0"
    if kind == "json":
        return json.dumps(json.loads(value), sort_keys=True)
    return str(value)


def rows(server, db, table, cols):
    """All rows as sorted tuples of strings."""
    select = "SELECT %s FROM %s.%s" % (", ".join(expression(n, k) for n, k in cols), quoted(db), quoted(table))
    connection = server.connect(cursorclass=pymysql.cursors.SSCursor)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET time_zone='+00:00'")
            cursor.execute(select)
            kinds = [k for _, k in cols]
            return sorted(tuple(normal(v, k) for v, k in zip(row, kinds)) for row in cursor)
    finally:
        connection.close()


def table_names(server, db, kind="BASE TABLE"):
    got = server.run(pymysql_format("SELECT table_name FROM information_schema.tables WHERE table_schema=%s AND "
                                    "table_type=%s", db, kind))
    return sorted(r[0] for r in got)


def same_table(source, target, db, table, torn=False):
    """Fails with the first rows that differ; gives the number of rows. `torn`: the target's storage has died and come back, and is
    known to lose parts of committed transactions then: rows may be missing, but none may be doubled or wrong."""
    cols = columns(source, db, table)
    assert cols, "%s.%s is not on the source" % (db, table)
    a = rows(source, db, table, cols)
    b = rows(target, db, table, cols)
    if torn and not collections.Counter(b) - collections.Counter(a):
        return len(b)
    if a != b:
        left = [r for r in a if r not in set(b)][:3]
        right = [r for r in b if r not in set(a)][:3]
        raise AssertionError("%s.%s differs: %d rows on the source, %d on the target\nonly source: %s\nonly target: %s" % (
            db, table, len(a), len(b), left, right))
    return len(a)


def same_database(source, target, db, torn=False):
    """Every base table of the source's database; gives the rows in all."""
    names = table_names(source, db)
    assert names == table_names(target, db), "tables differ: %s / %s" % (names, table_names(target, db))
    return sum(same_table(source, target, db, t, torn) for t in names)
