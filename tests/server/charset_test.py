"""Keys in character sets whose bytes do not survive the way through UTF-8 and back."""

import compare
import ferry


def test_cp932_key(t):
    """ED40 and FA5C are one character: a bound that was read as UTF-8 would skip every row between them."""
    source, target = t.server("mariadb"), t.own_server("mariadb")
    db = t.database(source, "cp", "CREATE TABLE k (k varchar(40) CHARACTER SET cp932 COLLATE cp932_bin PRIMARY KEY)",
                    "INSERT INTO k SELECT CONCAT(x'ED40', LPAD(seq, 5, '0')) FROM seq_1_to_5000",
                    "INSERT INTO k SELECT CONCAT(x'ED41', LPAD(seq, 5, '0')) FROM seq_1_to_1000")
    assert source.value("SELECT COUNT(*) FROM cp.k") == 6000
    out = t.path("d")
    r = ferry.dump(source, out, "-f", "cp.*", "--chunk-size", "4KiB").must()
    end = [x for x in ferry.manifest(out) if x["record"] == "end"][0]
    assert end["rows"] == 6000, r
    ferry.load(target, out).must()
    assert compare.same_database(source, target, db) == 6000


def test_bytes_without_meaning(t):
    """Bytes that are no character come back as '?': refused by name, or left out with --on-table-error skip; true '?' and other spellings pass."""
    for kind in ("mariadb", "mysql"):
        source = t.server(kind)
        t.database(source, "marks", "CREATE TABLE good (id int PRIMARY KEY, a varchar(40) CHARACTER SET cp932, b text CHARACTER SET gbk, c char(9) CHARACTER SET cp1251)",
                   "INSERT INTO good VALUES (1, CONCAT(x'FA5481CA', '?'), 'what? ???', '?'), (2, x'81608161', x'B0A1', x'E0E1'), (3, NULL, '', '?')")
        ferry.dump(source, t.path(kind), "-f", "marks.*").must()
        for charset, bad in (("cp1251", "'?', x'98'"), ("gbk", "'?', x'A2A1A2A0'"), ("cp932", "'a', x'8540'")):
            table = "bad_" + charset
            try:
                source.run("CREATE TABLE marks.%s (id int PRIMARY KEY, v varchar(40) CHARACTER SET %s)" % (table, charset),
                           "INSERT INTO marks.%s VALUES (1, 'x'), (2, CONCAT(%s))" % (table, bad))
                assert b"?" in source.value("SELECT CAST(CONVERT(REPLACE(v, '?', '') USING utf8mb4) AS BINARY) FROM marks.%s WHERE id = 2" % table)
            except Exception as why:  # pylint: disable=broad-except
                t.say("%s: %s takes no such bytes: %s" % (kind, charset, why))
                source.run("DROP TABLE marks." + table)
                continue
            ferry.dump(source, t.path("%s-%s" % (kind, charset)), "-f", "marks." + table).must(
                1, ["FERRY-DUMP-TABLE", "column 'v' of 'marks.%s'" % table, "no character of " + charset])
            r = ferry.dump(source, t.path("%s-%s-skip" % (kind, charset)), "-f", "marks.*", "--on-table-error", "skip").must(6, "no character of " + charset)
            assert r.out.count("good") == 1
