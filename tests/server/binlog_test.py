"""The binlog's rows, cell by cell, against what SELECT shows; and the wire that they come over."""

import math
import socket
import struct
import uuid

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


def insert_all(server, db, table, definition, columns, rows):
    connection = server.connect(database=db)
    with connection.cursor() as cursor:
        cursor.execute("SET sql_mode='NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES', time_zone='+00:00'")
        cursor.execute("CREATE TABLE `%s` (`id` int NOT NULL PRIMARY KEY, %s)" % (table, definition))
        cursor.executemany("INSERT INTO `%s` (`id`, %s) VALUES (%%s, %s)" % (table, ", ".join("`%s`" % c for c in columns),
                                                                           ", ".join(["%s"] * len(columns))),
                           [(i,) + tuple(r) for i, r in enumerate(rows)])
    connection.close()
    return table


def numbers(t):
    """Doubles of all sizes and each power of two, floats, decimals of all shapes."""
    rng = t.random
    doubles = [2.0 ** e for e in range(-1074, 1024, 1)] + [struct.unpack("<d", struct.pack("<Q", rng.getrandbits(64)))[0] for _ in range(400)]
    doubles += [rng.randrange(-10 ** 6, 10 ** 6) / 10 ** rng.randrange(8) for _ in range(200)] + [10.0 ** e for e in range(-20, 21)]
    doubles += [rng.choice([1, -1]) * rng.random() * 10.0 ** e for e in range(-18, 20) for _ in range(6)]
    doubles = [d for d in doubles if math.isfinite(d)]
    floats = [struct.unpack("<f", struct.pack("<I", rng.getrandbits(32)))[0] for _ in range(len(doubles))]
    return [(d, f if math.isfinite(f) else 0.5) for d, f in zip(doubles, floats)]


def decimals(rng, shapes):
    rows = []
    for _ in range(60):
        row = []
        for precision, scale in shapes:
            digits = "".join(rng.choice("0009123456789") for _ in range(rng.randrange(1, precision + 1))).rjust(precision, "0")
            row.append(rng.choice(["", "-"]) + (digits[:precision - scale] or "0") + ("." + digits[precision - scale:] if scale else ""))
        rows.append(row)
    return rows


def hard_tables(t, server):
    rng, kind = t.random, server.name
    db = "bl_hard"
    tables = [insert_all(server, db, "numbers", "`d` double, `f` float", ["d", "f"], numbers(t))]
    shapes = [(65, 30), (1, 0), (9, 9), (10, 9), (18, 9), (19, 0), (30, 1), (38, 19), (5, 2), (65, 0)]
    names = ["d%d" % i for i in range(len(shapes))]
    tables.append(insert_all(server, db, "decimals", ", ".join("`%s` decimal(%d,%d)" % (n, p, s) for n, (p, s) in zip(names, shapes)),
                             names, decimals(rng, shapes)))
    times = ["%s%02d:%02d:%02d.%06d" % (rng.choice(["", "-"]), rng.randrange(839), rng.randrange(60), rng.randrange(59), rng.choice(
        [0, 1, 999999, rng.randrange(10 ** 6)])) for _ in range(100)] + ["-00:00:00.000001", "-00:00:01", "-838:59:59.000000", "-00:00:00.9"]
    stamps = ["%04d-%02d-%02d %02d:%02d:%02d.%06d" % (rng.randrange(1971, 2037), rng.randrange(1, 13), rng.randrange(1, 29), rng.randrange(
        24), rng.randrange(60), rng.randrange(59), rng.randrange(10 ** 6)) for _ in times]
    columns = ["%s%d" % (n, f) for n in ("t", "dt", "ts") for f in range(7)]
    tables.append(insert_all(server, db, "times", ", ".join("`%s` %s(%s) NULL" % (
        c, {"t": "time", "dt": "datetime", "ts": "timestamp"}[c[:-1]], c[-1]) for c in columns) + ", `d` date, `y` year",
        columns + ["d", "y"], [[a] * 7 + [b] * 14 + [b[:10], rng.choice([0, 1901, 2155, 2000])] for a, b in zip(times, stamps)] +
        [["0"] * 7 + ["0000-00-00"] * 14 + ["2024-00-00", 0]]))
    labels = ["", "a", "it''s", "b\\\\c", 'q"uo', "ü€", "l\\nf", "(x)", "`", "%"]
    many = ", ".join("'v%d'" % i for i in range(300))
    tables.append(insert_all(server, db, "labels", "`e` enum(%s) CHARACTER SET utf8mb4, `m` enum(%s), `s` set(%s), `c` enum('ä','ö') CHARACTER SET "
                             "latin1" % (", ".join("'%s'" % x for x in labels), many, ", ".join("'s%d'" % i for i in range(64))),
                             ["e", "m", "s", "c"], [(i % 11, (i * 7) % 301, rng.getrandbits(64) >> rng.randrange(64), i % 3) for i in range(40)]))
    long = "ä" * 255
    tables.append(insert_all(server, db, "strings", "`c` char(255) CHARACTER SET utf8mb4, `b` binary(255), `n` varbinary(256), `v` varchar(300) "
                             "CHARACTER SET utf8mb4, `c0` char(0), `b1` binary(1), `z` int(9) zerofill, `zd` decimal(9,2) zerofill, `bt` bit(12)",
                             ["c", "b", "n", "v", "c0", "b1", "z", "zd", "bt"],
                             [(long, b"\0\1\0\0", b"\0\0", long, "", b"\0", 5, "1.5", 5), ("", b"", b"", "", "", b"\1", 0, 0, 4095),
                              ("a  ", b"a  ", b"a ", "a  ", None, b" ", None, None, None)]))
    text = ["plain ASCII ~\\'\"", "ÄÖÜß éèê", "日本語 表示 ソ", "привет мир", "中文字符", "한국어", "€", "", "ก"]
    charsets = [c for c, in server.run("SELECT CHARACTER_SET_NAME FROM information_schema.CHARACTER_SETS WHERE CHARACTER_SET_NAME<>'filename' "
                                      "ORDER BY 1")]
    tables.append(insert_all(server, db, "charsets", ", ".join("`%s` varchar(60) CHARACTER SET %s" % (c, c) for c in charsets), charsets,
                             [[x] * len(charsets) for x in text]))
    tables.append(insert_all(server, db, "wide", "`t` text CHARACTER SET utf16, `l` char(30) CHARACTER SET utf32, `u` char(30) CHARACTER SET ucs2,"
                             " `g` longtext CHARACTER SET %s" % ("gb18030" if kind == "mysql" else "gbk"), list("tlug"),
                             [("a😀b", "a😀b", "日本", "中文" if kind != "mysql" else "中文😀ä\u3400\u00e8"), ("x " * 500, "", "", "丂")]))
    server.run("USE " + db, "CREATE TABLE `made` (`id` int PRIMARY KEY, `a` int, `v` int AS (a + 1) VIRTUAL, `s` varchar(20) AS (concat('n', a)) STORED,"
               " `h` int INVISIBLE DEFAULT 7, `last` varchar(5))", "INSERT INTO `made` (id, a, last) VALUES (1, 5, 'x'), (2, NULL, 'y')")
    return tables + ["made"]


MARIADB_ONLY = [
    ("packed", "`v` varchar(500) COMPRESSED, `t` text COMPRESSED CHARACTER SET latin1, `b` blob COMPRESSED, `c` varchar(10) COMPRESSED",
     "vtbc", [("a" * 400, "é" * 5000, b"\0" * 60000, "x"), ("", "", b"", ""), ("short", "ü", b"\1\2", None)]),
]


def test_hard_values_mariadb(t):
    server = t.server("mariadb")
    t.database(server, "bl_hard", options="CHARACTER SET utf8mb4")
    t.at = binlog.position(server)
    tables = hard_tables(t, server)
    for table, definition, columns, rows in MARIADB_ONLY:
        tables.append(insert_all(server, "bl_hard", table, definition, list(columns), rows))
    rng = t.random
    ids = []
    for i in range(400):
        raw = bytearray(rng.getrandbits(8) for _ in range(16))
        if i % 4:
            raw[6] = (raw[6] & 15) | rng.randrange(16) << 4
            raw[8] = (raw[8] & 63) | rng.choice([0, 64, 128, 192])
        if i % 5 == 0:
            for k in range(rng.randrange(16)):
                raw[rng.randrange(16)] = 0
        ids.append((str(uuid.UUID(bytes=bytes(raw))), socket.inet_ntop(socket.AF_INET6, bytes(raw)), socket.inet_ntop(socket.AF_INET, bytes(raw[:4]))))
    ids += [("00000000-0000-0000-0000-000000000000", "::", "0.0.0.0"), ("ffffffff-ffff-ffff-ffff-ffffffffffff", "::ffff:1.2.3.4", "255.255.255.255"),
            (None, "::1.2.3.4", "1.2.3.0"), ("00112233-4455-6677-8899-aabbccddee00", "1::", "1.0.0.0")]
    tables.append(insert_all(server, "bl_hard", "ids", "`u` uuid, `i` inet6, `j` inet4", list("uij"), ids))
    check_tables(t, server, "bl_hard", tables)


JSON_VALUES = [
    "CAST(1.5 AS JSON)", "CAST(CAST('-12345678901234567890.123456789' AS DECIMAL(40,9)) AS JSON)", "CAST(NOW(6) AS JSON)", "CAST(CAST('12:34:56.789' AS TIME(3)) AS JSON)",
    "CAST(CAST('-12:34:56.5' AS TIME(1)) AS JSON)", "CAST(DATE'2024-02-29' AS JSON)", "CAST(TIMESTAMP'2024-02-29 01:02:03' AS JSON)", "JSON_OBJECT('b', x'00ff10', 'bit', b'101')",
    "JSON_ARRAY(1e0, 1e100, -0.0e0, 1.25e-7, 123456789012345678e0, 1e15, 1e14, 2e-16)", "JSON_ARRAY(32767, -32768, 65535, 65536, -32769, 2147483648, 4294967296, 18446744073709551615, -9223372036854775808)",
    "CAST('\"\\\\u0000\\\\u001f\\\\b\\\\f\\\\n\\\\r\\\\t\\\\\"\\\\\\\\/ü😀\\\\u007f\"' AS JSON)", "JSON_OBJECT('', '', 'k\"ey', JSON_ARRAY(), 'o', JSON_OBJECT())",
    "JSON_OBJECT('big', REPEAT('x', 70000), 'list', JSON_ARRAY(REPEAT('é', 40000), 1, 70000, TRUE, NULL, FALSE))", "JSON_ARRAY(REPEAT(x'41', 200))",
    "CAST(ST_GeomFromText('POINT(1 2)') AS JSON)", "JSON_OBJECT('blob', CAST(REPEAT('a', 100) AS BINARY))", "CAST(0e0 AS JSON)", "CAST(CAST(0 AS DECIMAL(5,2)) AS JSON)", "CAST(TRUE AS JSON)", "CAST('null' AS JSON)",
    "(WITH RECURSIVE n AS (SELECT 1 i, CAST('1' AS CHAR(500)) j UNION ALL SELECT i + 1, CONCAT('[', j, ']') FROM n WHERE i < 90) SELECT CAST(j AS JSON) FROM n ORDER BY i DESC LIMIT 1)",
]


def test_hard_values_mysql(t):
    server = t.server("mysql")
    t.database(server, "bl_hard", options="CHARACTER SET utf8mb4")
    t.at = binlog.position(server)
    tables = hard_tables(t, server)
    server.run("USE bl_hard", "CREATE TABLE jsons (id int PRIMARY KEY, j json)", *["INSERT INTO jsons VALUES (%d, %s)" % (i, v) for i, v in
                                                                                   enumerate(JSON_VALUES)])
    numbers_ = ",".join("(%d, CAST(%s AS JSON))" % (i + 1000, repr(float(d))) for i, (d, _) in enumerate(numbers(t)[-500:]))
    server.run("INSERT INTO bl_hard.jsons VALUES " + numbers_)
    check_tables(t, server, "bl_hard", tables + ["jsons"])
