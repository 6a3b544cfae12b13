"""Files that are cut or changed are refused by name, and no row of a damaged block reaches the target."""

import os
import shutil

import compare
import data
import ferry


def make_dump(t, *options):
    source = t.server("mariadb")
    db = t.database(source, "broken", options="CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
    data.fill_random(source, db, "rows", 5000, t.seed)
    out = t.path("dump")
    ferry.dump(source, out, "-f", db + ".*", "--chunk-size", "64KiB", *options).must()
    return source, db, out


def dump_files(out):
    """Every file a load reads."""
    return sorted(os.path.relpath(os.path.join(folder, f), out) for folder, _, files in os.walk(out) for f in files
                  if f != "metadata")


def damaged_load(t, target, db, out, break_it, count):
    """Each time a fresh copy with one file broken: exit 5, the file is named, the target holds only rows of the source."""
    names = dump_files(out)
    t.say("%d damaged dumps" % count)
    source_rows = None
    for _ in range(count):
        copy = t.path("copy")
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(out, copy)
        name = t.random.choice(names)
        path = os.path.join(copy, name)
        what = break_it(t, path)
        t.gone_after(target, db)
        r = ferry.load(target, copy)
        assert r.status == 5, "%s %s\n%s" % (name, what, r)
        assert os.path.basename(name) in r.err, "%s %s is not named\n%s" % (name, what, r)
        if db in [row[0] for row in target.run("SHOW DATABASES")] and compare.table_names(target, db):
            cols = compare.columns(t.server("mariadb"), db, "rows")
            if source_rows is None:
                source_rows = set(compare.rows(t.server("mariadb"), db, "rows", cols))
            loaded = compare.rows(target, db, "rows", cols)
            assert len(loaded) == len(set(loaded)) and set(loaded) <= source_rows, "%s %s: a wrong row was loaded" % (name, what)


def cut(t, path):
    size = os.path.getsize(path)
    at = t.random.randrange(size)
    os.truncate(path, at)
    return "cut at %d of %d" % (at, size)


def flip(t, path):
    size = os.path.getsize(path)
    at, bit = t.random.randrange(size), t.random.randrange(8)
    with open(path, "r+b") as f:
        f.seek(at)
        byte = f.read(1)[0]
        f.seek(at)
        f.write(bytes([byte ^ (1 << bit)]))
    return "bit %d of byte %d of %d" % (bit, at, size)


def test_cut_files(t):
    _, db, out = make_dump(t)
    damaged_load(t, t.server("tidb"), db, out, cut, 25)


def test_flipped_bits(t):
    _, db, out = make_dump(t)
    damaged_load(t, t.server("tidb"), db, out, flip, 25)


def test_cut_files_plain_csv(t):
    _, db, out = make_dump(t, "--format", "csv", "--compress", "none")
    damaged_load(t, t.server("tidb"), db, out, cut, 25)


def test_flipped_bits_plain_sql(t):
    _, db, out = make_dump(t, "--compress", "none")
    damaged_load(t, t.server("tidb"), db, out, flip, 25)


def test_missing_file(t):
    _, db, out = make_dump(t)
    target = t.server("tidb")
    for name in [n for n in dump_files(out) if not n.startswith("ferry.manifest")][:3]:
        copy = t.path("copy")
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(out, copy)
        os.unlink(os.path.join(copy, name))
        t.gone_after(target, db)
        ferry.load(target, copy).must(5, name)


def test_file_longer_than_recorded(t):
    _, db, out = make_dump(t, "--compress", "none")
    name = [n for n in dump_files(out) if n.endswith("000000001.sql")][0]
    with open(os.path.join(out, name), "ab") as f:
        f.write(b"INSERT INTO `rows` VALUES (1);\n")
    t.gone_after(t.server("tidb"), db)
    ferry.load(t.server("tidb"), out).must(5, name)
