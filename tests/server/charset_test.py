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
    r = ferry.dump(source, out, "-f", "cp.*", "--chunk-size", "4KiB").must(0, "cp932")
    end = [x for x in ferry.manifest(out) if x["record"] == "end"][0]
    assert end["rows"] == 6000, r
    ferry.load(target, out).must()
    assert compare.same_database(source, target, db) == 6000
