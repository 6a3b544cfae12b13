"""Dumps that Dumpling and mydumper made: small ones kept in tests/golden, and live ones where the tools are on PATH."""

import gzip
import os
import shutil
import subprocess

import compare
import data
import ferry
from case import quick
from servers import Skip

GOLDEN = os.path.join(ferry.ROOT, "tests", "golden")
UTC = ("--input-time-zone", "+00:00")
ITEM = ("SELECT id, HEX(name), CAST(price AS CHAR), d, HEX(data), HEX(bits), CAST(at AS CHAR), CAST(stamp AS CHAR), kind, "
        "JSON_EXTRACT(doc, '$.k[1]'), CAST(twice AS CHAR) FROM shop.item ORDER BY id")
ITEMS = (
    (0, b"zero".hex().upper(), "0.000000", 0.0, "", "0", "0000-00-00 00:00:00.000", "1970-01-01 00:00:01.000", "a", None, "0.000000"),
    (1, "it's \"a\\b\"\n\r\0\x1a\t日本".encode().hex().upper(), "-12345678901234.500000", 1e-5, "00FF225C270A", "A27",
     "2024-03-31 02:30:00.500", "2024-10-27 00:30:00.001", "b;c", r'"\"x\""', "-24691357802469.000000"),
    (2 ** 64 - 1,) + (None,) * 10)


def golden(t, name):
    out = t.path(name)
    shutil.copytree(os.path.join(GOLDEN, name), out)
    return out


def zone(name):
    return UTC if name.startswith("dumpling") else ()


def shop_is_right(target):
    assert target.run("SET time_zone='+00:00'", ITEM) == ITEMS, target.run("SET time_zone='+00:00'", ITEM)
    assert target.run("SELECT id, t FROM shop.old ORDER BY id") == ((1, "café €"), (2, "plain"))
    assert target.run("SELECT a, b FROM shop.`odd.name/%` ORDER BY a") == ((None, None), (1, "x"), (1, "x"))
    assert target.value("SELECT COUNT(*) FROM shop.nothing") == 0
    assert target.value("SELECT COUNT(*) FROM shop.names") == 3


@quick
def test_golden(t):
    """Each form that the tools write gives the same rows, and is loaded once only."""
    target = t.server("mariadb")
    for name in sorted(os.listdir(GOLDEN)):
        t.gone_after(target, "shop")
        out = golden(t, name)
        ferry.run("verify", "--input", out).must(says="0 faults")
        ferry.load(target, out, *zone(name)).must(says="no checksums")
        shop_is_right(target)
        ferry.load(target, out, *zone(name)).must(says="nothing to do")
        shop_is_right(target)
        assert "bin.000001" in ferry.run("position", "--input", out, "--as", "dm").must().out


def test_golden_packed(t):
    """The same in gzip, into MariaDB."""
    target = t.server("mariadb")
    for name in ("mydumper-sql", "dumpling-csv"):
        t.gone_after(target, "shop")
        out = golden(t, name)
        for path in os.listdir(out):
            if path != "metadata":
                with open(os.path.join(out, path), "rb") as f, gzip.open(os.path.join(out, path + ".gz"), "wb") as z:
                    z.write(f.read())
                os.unlink(os.path.join(out, path))
        ferry.load(target, out, *zone(name)).must()
        assert target.run("SELECT id, t FROM shop.old ORDER BY id") == ((1, "café €"), (2, "plain"))
        assert target.value("SELECT COUNT(*) FROM shop.item") == 3


def test_time_zone(t):
    """What a dump does not say of its TIMESTAMP values is asked for, and binds the load."""
    target = t.server("mariadb")
    t.gone_after(target, "shop")
    out = golden(t, "dumpling-sql")
    ferry.load(target, out).must(2, says=["shop.item", "--input-time-zone"])
    ferry.load(target, out, "--input-time-zone", "-02:00").must()
    assert str(target.run("SET time_zone='+00:00'", "SELECT CAST(stamp AS CHAR) FROM shop.item WHERE id=1")[0][0]).startswith("2024-10-27 02:30")
    ferry.load(target, out, *UTC).must(1, says="was '-02:00'")
    ferry.load(target, golden(t, "mydumper-sql"), *UTC).must(2, says="is known")


def broken(t, target, name, change, status, says):
    t.gone_after(target, "shop")
    out = golden(t, name)
    change(out)
    ferry.load(target, out, *zone(name)).must(status, says=says)
    ferry.run("verify", "--input", out).must(status, says=says)
    shutil.rmtree(out)


def test_broken(t):
    """A file that was cut, is missing, or is nothing we know is refused by name."""
    target = t.server("mariadb")

    def cut(path, size):
        return lambda out: os.truncate(os.path.join(out, path), size)

    def gone(*paths):
        return lambda out: [os.unlink(os.path.join(out, path)) for path in paths]

    def pack_and_cut(out):
        path = os.path.join(out, "shop.item.00000.sql")
        with open(path, "rb") as f:
            packed = gzip.compress(f.read())
        with open(path + ".gz", "wb") as f:
            f.write(packed[:-20])
        os.unlink(path)

    def added(name):
        return lambda out: open(os.path.join(out, name), "w").close()

    for name, change, says in (
            ("dumpling-sql", cut("shop.item.000000000.sql", 300), "shop.item.000000000.sql"),
            ("dumpling-csv", cut("shop.item.000000000.csv", 200), "shop.item.000000000.csv"),
            ("mydumper-sql", cut("shop.old.00000.sql", 320), "shop.old.00000.sql"),
            ("mydumper-sql", pack_and_cut, "shop.item.00000.sql.gz"),
            ("mydumper-load-data", cut("shop.item.00000.dat", 100), "shop.item.00000.dat"),
            ("mydumper-sql", gone("shop.mydumper_0.00000.sql"), ["odd.name/%", "0 files hold 0 rows, metadata says 3"]),
            ("mydumper-csv", gone("shop.old.00000.sql"), "shop.old.00000"),
            ("dumpling-sql", gone("shop.item-schema.sql"), "shop.item-schema.sql"),
            ("dumpling-sql", gone("metadata"), "metadata"),
            ("mydumper-sql", lambda out: cut("metadata", os.path.getsize(os.path.join(out, "metadata")) - 60)(out),
             "did not finish"),
            ("dumpling-sql", added("rows.sql"), "rows.sql")):
        broken(t, target, name, change, 5, says)
    for name, change, says in (("dumpling-sql", added("@.json"), "MySQL Shell"), ("dumpling-sql", added("a.b.0.parquet"), "Parquet")):
        broken(t, target, name, change, 1, says)
    os.mkdir(t.path("single"))
    added("all.sql")(t.path("single"))
    ferry.load(target, t.path("single")).must(1, says="mysqldump")


def test_resume(t):
    """Killed in the middle of files, packed ones too, it goes on; a file that has changed since is refused by name."""
    source = t.server("mariadb")
    db = t.database(source, "shop", "CREATE TABLE nokey (a int, b varchar(100))",
                    "INSERT INTO nokey SELECT seq DIV 2, REPEAT('x', seq % 90) FROM seq_1_to_20000")
    out = t.path("dump")
    tool("mydumper", "-h", "127.0.0.1", "-P", source.port, "-u", "root", "-B", db, "-o", out, "-t", "2", "-c", "zstd")
    where = t.own_server("mariadb")
    for fault in ("load.after-commit:3", "load.before-load:4", "load.after-load:5"):
        ferry.run_fault(fault, "load", "--target", where.url, "--input", out, "-t", "1", "--batch-rows", "1000")
    packed = [path for path in sorted(os.listdir(out)) if path.startswith("shop.nokey.0")]
    whole = os.path.getsize(os.path.join(out, packed[0]))
    with open(os.path.join(out, packed[0]), "ab") as f:
        f.write(b"\0")
    ferry.load(where, out).must(5, says=[packed[0], "it had %d" % whole])
    os.truncate(os.path.join(out, packed[0]), whole)
    ferry.load(where, out).must()
    compare.same_database(source, where, db)


def tool(*command):
    if not shutil.which(command[0]):
        raise Skip("no %s on PATH" % command[0])
    subprocess.run([str(c) for c in command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)


def every_type(t, source_kind, target_kind, dumps):
    """All types but FLOAT, which the tools write with six digits."""
    source, target = t.server(source_kind), t.server(target_kind)
    db = t.database(source, "every_type", options="CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
    data.make_every_type(source, db, True)
    source.run("ALTER TABLE %s.floats DROP COLUMN f" % db, "ALTER TABLE %s.charsets DROP COLUMN g" % db)
    for i, (command, zone) in enumerate(dumps):
        out = t.path("dump%d" % i)
        tool(*[c.format(port=source.port, out=out, db=db) for c in command])
        t.gone_after(target, db)
        ferry.load(target, out, *zone).must()
        compare.same_database(source, target, db)


DUMPLING = ["dumpling", "-P", "{port}", "-o", "{out}", "-f", "{db}.*", "-t", "2", "-L", "/dev/null", "--params", "time_zone=+00:00"]
MYDUMPER = ["mydumper", "-h", "127.0.0.1", "-P", "{port}", "-u", "root", "-B", "{db}", "-o", "{out}", "-t", "2"]


def test_dumpling(t):
    for kind in ("mariadb", "mysql"):
        every_type(t, kind, "tidb", [(DUMPLING, UTC), (DUMPLING + ["--filetype", "csv", "-c", "zstd"], UTC),
                                     (DUMPLING + ["-c", "gzip", "-F", "64KiB", "--complete-insert"], UTC)])


def test_dumpling_without_escapes(t):
    """Nothing in the dump says that a backslash means itself: it is refused by what only such a dump can hold."""
    source, target = t.server("mariadb"), t.server("mariadb")
    for i, text in enumerate((r"C:\temp", "it's", 'say "x"', "two\nlines", r"\N", "nul\0")):
        db = t.database(source, "bare", "CREATE TABLE a (id int PRIMARY KEY, s text)", "INSERT INTO a VALUES (1, %s)" % source.connect().escape(text))
        for kind in ("sql", "csv"):
            out = t.path("%s%d" % (kind, i))
            tool(*[c.format(port=source.port, out=out, db=db) for c in DUMPLING + ["--filetype", kind]])
            ferry.run("verify", "--input", out).must()
            shutil.rmtree(out)
            tool(*[c.format(port=source.port, out=out, db=db) for c in DUMPLING + ["--filetype", kind, "--escape-backslash=false"]])
            if kind == "csv" and text == "it's":  # the same bytes either way
                continue
            t.gone_after(target, "bare2")
            ferry.load(target, out, "--rename", "bare.*=bare2.*").must(5, ["FERRY-FORMAT", "--escape-backslash=false", "column 's'"])
            assert target.value("SELECT COUNT(*) FROM bare2.a") == 0
            ferry.run("verify", "--input", out).must(5, "--escape-backslash=false")


def test_dumpling_encoded_bytes(t):
    """--csv-output-dialect is written nowhere either: bytes that could be digits are loaded only if the user says so."""
    source, target = t.server("mariadb"), t.server("mariadb")
    command = DUMPLING + ["--filetype", "csv"]
    for value, dialect, refused in (("\0\1\2'", None, False), ("beef", None, True), ("beef", "redshift", True), ("\0\1", "bigquery", True)):
        db = t.database(source, "bytes", "CREATE TABLE a (id int PRIMARY KEY, b blob)",
                        "INSERT INTO a VALUES (1, NULL), (2, ''), (3, %s)" % source.connect().escape(value))
        t.gone_after(target, "bytes2")
        out = t.path("d")
        tool(*[c.format(port=source.port, out=out, db=db) for c in command + (["--csv-output-dialect", dialect] if dialect else [])])
        load = (target, out, "--rename", "bytes.*=bytes2.*")
        ferry.load(*load).must(2, ["bytes2.a", "column 'b'", "--input-binary raw"]) if refused else ferry.load(*load).must()
        if not dialect:
            ferry.load(*load, "--input-binary", "raw").must()
            assert target.value("SELECT b FROM bytes2.a WHERE id=3") == value.encode()
        shutil.rmtree(out)


def test_mydumper(t):
    every_type(t, "mariadb", "tidb", [(MYDUMPER + more, ()) for more in (
        [], ["-c", "gzip", "--hex-blob", "--complete-insert"], ["--format", "CSV"], ["--format", "LOAD_DATA", "-c", "zstd"],
        ["--replace", "-s", "10000"], ["--insert-ignore", "-F", "1"])])
