"""Seeded data of every type, per kind of source; `tidb=False` marks what TiDB has no type for."""

import random
import re

INTS = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}
STRINGS = ["", "a", "\\N", "NULL", "'", '"', "\\", "a\\", "\\'", "it''s", "tab\there", "line\nfeed", "cr\rlf\r\n", "nul\0byte",
           "\x1a", "`", "%s", "a,b", "); DROP TABLE t; --", "/* c */", "ünïcödé", "日本語", "😀 emoji", "  spaces  ", "\x7f"]
JSONS = ["null", "true", "1", "-7", "1.5", "1e100", "18446744073709551615", '""', r'"\u0000"', r'"q\"uo\'te\n"'.replace("\\'", "'"),
         "[]", "{}", '[1, "zwei", null, {"drei": [3.25]}]', '{"ключ": "значение", "emoji": "😀"}', r'"\\N"']
BLOBS = [b"", b"\0", b"\0\0\0", b"\xff\xfe", b"'\"\\", b"\\N", b"\r\n\t", b"abc\0", bytes(range(256)), b"\x1a", b"\x80" * 300]


def ints(kind, unsigned):
    bits = INTS[kind]
    return [0, 1, 2 ** bits - 1, 2 ** (bits - 1)] if unsigned else [0, 1, -1, 2 ** (bits - 1) - 1, -2 ** (bits - 1)]


def every_type(kind):
    """[(table, definition of columns after the key, column names, list of value tuples, tidb ok)]"""
    tables = []
    for unsigned in (False, True):
        word = " unsigned" if unsigned else ""
        names = ["c_" + k for k in INTS]
        definition = ", ".join("`c_%s` %s%s" % (k, k, word) for k in INTS)
        rows = [tuple(ints(k, unsigned)[i % len(ints(k, unsigned))] for k in INTS) for i in range(5)] + [(None,) * 5]
        tables.append(("int_unsigned" if unsigned else "int_signed", definition, names, rows, True))
    tables.append(("decimals", "`a` decimal(65,30), `b` decimal(10,0), `c` decimal(5,5), `z` int(8) unsigned zerofill", list("abcz"), [
        ("99999999999999999999999999999999999.999999999999999999999999999999", "-9999999999", "0.99999", 42),
        ("-0.000000000000000000000000000001", "0", "-0.99999", 0), (None, None, None, None)], True))
    floats = [0, 1.5, -1.5, 0.1, 16777217, 3.4028234e38, -3.4028234e38, 1.17549435e-38, 1e-45, 123456.789, 7.7777777, None]
    doubles = [0, 0.1, -1 / 3, 1.7976931348623157e308, 5e-324, 2.2250738585072014e-308, 9007199254740993, 1e22, 123456789.12345678,
               1e15, 1e17, None]
    tables.append(("floats", "`f` float, `d` double", ["f", "d"], list(zip(floats, doubles)), True))
    tables.append(("bits", "`b1` bit(1), `b9` bit(9), `b64` bit(64)", ["b1", "b9", "b64"], [
        (0, 0, 0), (1, 511, 2 ** 64 - 1), (1, 39, 0x5c275c5c0a0d0009), (1, 256, 0x2722005c4e), (None, None, None)], True))
    tables.append(("times", "`d` date, `t` time(6), `dt` datetime(6), `ts` timestamp(6) NULL, `t0` time, `dt0` datetime, `dt3` datetime(3),"
                   " `y` year", ["d", "t", "dt", "ts", "t0", "dt0", "dt3", "y"], [
        ("2024-02-29", "-838:59:59.000000", "9999-12-31 23:59:59.999999", "2038-01-19 03:14:07.999999", "00:00:00",
         "1000-01-01 00:00:00", "2024-03-10 02:30:00.123", 1901),
        ("0000-00-00", "838:59:59.000000", "0000-00-00 00:00:00", "1970-01-01 00:00:01", "-00:00:01", "0000-00-00 00:00:00",
         "2024-03-31 02:30:00.001", 2155),
        ("1000-01-01", "00:00:00.000001", "2024-10-27 02:30:00.5", "2024-10-27 00:30:00.000001", "838:59:59",
         "2024-12-31 23:59:59", "0001-01-01 00:00:00", 0), (None,) * 8], True))
    tables.append(("texts", "`c` char(20), `v` varchar(255), `t` text, `m` mediumtext, `l` longtext COLLATE utf8mb4_bin", list("cvtml"),
                   [(s.strip()[:20], s, s, s, s * 3) for s in STRINGS] + [("x", "y" * 255, "z" * 65535, "é" * 70000, "€" * 100), (None,) * 5],
                   True))
    tables.append(("binaries", "`b` binary(16), `v` varbinary(300), `t` tinyblob, `l` longblob, `m` mediumblob", list("bvtlm"),
                   [((x + b"\0" * 16)[:16], x[:300], x[:255], x, x * 2) for x in BLOBS] + [(None,) * 5], True))
    tables.append(("enums", "`e` enum('', '2', '1', 'a,b', 'it''s', 'größe'), `s` set('x', '1', 'y z')", ["e", "s"],
                   [("", ""), ("2", "x"), ("1", "1"), ("a,b", "x,1"), ("it's", "x,1,y z"), ("größe", "y z"), (None, None)], True))
    tables.append(("jsons", "`j` json", ["j"], [(j,) for j in JSONS] + [(None,)], True))
    if kind != "tidb":
        tables.append(("charsets", "`l` varchar(50) CHARACTER SET latin1 COLLATE latin1_bin, `u` varchar(50) CHARACTER SET utf8 COLLATE"
                       " utf8_bin, `a` varchar(50) CHARACTER SET ascii COLLATE ascii_bin, `g` varchar(50) CHARACTER SET gbk COLLATE gbk_bin",
                       list("luag"), [("äöü€ß", "ünï日本", "plain", "中文字"), ("'\\\"", "\\N", "\\", "中\\"), (None,) * 4], True))
        tables.append(("charsets_more", "`s` varchar(50) CHARACTER SET sjis, `k` varchar(50) CHARACTER SET koi8r, `w` varchar(50) CHARACTER"
                       " SET utf16, `c` varchar(50) CHARACTER SET cp1251", list("swkc"),
                       [("表示能力", "日本", "привет", "мир"), ("ソ\\", "😀", "Ё", "№")], False))
        tables.append(("places", "`g` geometry, `p` point", ["g", "p"], "INSERT INTO `places` (`g`,`p`) VALUES "
                       "(ST_GeomFromText('LINESTRING(0 0,1 1,2 2)'), ST_GeomFromText('POINT(1.5 -2.5)')), (NULL, NULL), "
                       "(ST_GeomFromText('POLYGON((0 0,0 1,1 1,0 0))'), ST_GeomFromText('POINT(0 0)'))", False))
    if kind in ("mariadb", "mariadb114"):
        tables.append(("maria", "`u` uuid, `i` inet6", ["u", "i"], [("123e4567-e89b-12d3-a456-426614174000", "2001:db8::1"),
                                                                   (None, None)], False))
    if kind == "mysql":
        tables.append(("vectors", "`v` vector(3)", ["v"], "INSERT INTO `vectors` (`v`) VALUES (STRING_TO_VECTOR('[1,2.5,-3]')), (NULL)",
                       False))
    if kind == "mysql55":  # no JSON, no fractions of seconds
        tables = [(t, re.sub(r"\b(time|datetime|timestamp)\(\d\)", r"\1", d), c,
                   r.replace("ST_Geom", "Geom") if isinstance(r, str) else r, ok) for t, d, c, r, ok in tables if t != "jsons"]
    return tables


def make_every_type(server, db, for_tidb):
    """Creates and fills the tables in an existing database; gives their names."""
    names = []
    connection = server.connect(database=db)
    with connection.cursor() as cursor:
        cursor.execute("SET sql_mode='NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES', time_zone='+00:00'")
        for table, definition, cols, rows, tidb in every_type(server.name):
            if for_tidb and not tidb:
                continue
            cursor.execute("CREATE TABLE `%s` (`id` int NOT NULL AUTO_INCREMENT PRIMARY KEY, %s)" % (table, definition))
            if isinstance(rows, str):
                cursor.execute(rows)
            else:
                insert = "INSERT INTO `%s` (`id`, %s) VALUES (%%s, %s)" % (table, ", ".join("`%s`" % c for c in cols),
                                                                          ", ".join(["%s"] * len(cols)))
                cursor.executemany(insert, [(i,) + tuple(r) for i, r in enumerate(rows)])
            names.append(table)
    connection.close()
    return names


def fill_random(server, db, table, rows, seed, keyed=True):
    """A table of mixed columns with so many rows, some of them equal where it has no key."""
    rng = random.Random(seed)
    connection = server.connect(database=db)
    with connection.cursor() as cursor:
        key = "`id` bigint NOT NULL PRIMARY KEY, " if keyed else "`id` bigint NOT NULL, "
        cursor.execute("CREATE TABLE `%s` (%s`n` int, `name` varchar(100), `body` text, `raw` varbinary(64), `at` datetime(6), KEY (`n`))"
                       % (table, key))
        batch = []
        for i in range(rows):
            id_ = i * 7 + rng.randrange(7) if keyed else rng.randrange(max(1, rows // 3))
            batch.append((id_, rng.randrange(1000), rng.choice(STRINGS) + str(rng.randrange(10 if not keyed else 10 ** 9)),
                          rng.choice(STRINGS) * rng.randrange(4), rng.choice(BLOBS)[:64],
                          "20%02d-01-0%d 0%d:00:00.%06d" % (rng.randrange(100), rng.randrange(1, 10), rng.randrange(10),
                                                           rng.randrange(10 ** 6) if keyed else 0)))
            if len(batch) == 2000 or i == rows - 1:
                cursor.executemany("INSERT INTO `%s` (`id`,`n`,`name`,`body`,`raw`,`at`) VALUES (%%s,%%s,%%s,%%s,%%s,%%s)" % table,
                                   batch)
                batch = []
    connection.close()
