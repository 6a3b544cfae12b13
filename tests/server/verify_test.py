"""ferry verify --input: every way in which a dump can be damaged is named, with exit status 5; a whole one passes."""

import ctypes
import glob
import hashlib
import json
import os
import shutil
import struct
import zlib

import data
import ferry
from case import quick

BLOCK = 1 << 20


def make_dump(t, *options, rows=20000):
    source = t.server("mariadb")
    db = t.database(source, "seen", options="CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
    source.run("USE seen", "CREATE TABLE big (id bigint PRIMARY KEY, note varchar(100))", "INSERT INTO big SELECT seq * 10,"
               " REPEAT(CHAR(97 + seq MOD 26), 20 + seq MOD 60) FROM seq_1_to_%d" % rows,
               "CREATE TABLE empty (id int PRIMARY KEY)", "CREATE TABLE keyless (a int)", "INSERT INTO keyless VALUES (1), (2), (2)",
               "CREATE VIEW seen_view AS SELECT id FROM big")
    out = t.path("dump")
    ferry.dump(source, out, "-f", db + ".*", "--chunk-size", "64KiB", "--format", "sql", "--compress", "none", *options).must()
    return source, out


def segments(out):
    return sorted(glob.glob(os.path.join(out, "ferry.manifest", "*.jsonl")))


def xxh3(block):
    """Hex of XXH3-64, by the library that ferry itself is linked with."""
    library = ctypes.CDLL("libxxhash.so.0")
    library.XXH3_64bits.restype = ctypes.c_uint64
    library.XXH3_64bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    return "%016x" % library.XXH3_64bits(block, len(block))


def rewrite(out, change):
    """Each record through `change` (which may return None: left out), with right checksums; one segment."""
    lines = []
    for record in ferry.manifest(out):
        record.pop("crc", None)
        record = change(record)
        for r in record if isinstance(record, list) else [record]:
            if r is not None:
                text = json.dumps(r, separators=(",", ":"), ensure_ascii=False)[:-1].encode()
                lines.append(text + b',"crc":"%08x"}\n' % zlib.crc32(text))
    for path in segments(out):
        os.unlink(path)
    with open(os.path.join(out, "ferry.manifest", "000001.jsonl"), "wb") as f:
        f.writelines(lines)


def chunks(out, table="big"):
    """Chunk records of a table in the order of their files."""
    number = [r["table"] for r in ferry.manifest(out) if r["record"] == "table" and r["name"] == table][0]
    return sorted((r for r in ferry.manifest(out) if r["record"] == "chunk" and r["table"] == number and r.get("path")),
                  key=lambda r: r["number"])


def inner(out):
    """Two chunks that follow each other in their span, neither its last."""
    found = chunks(out)
    for c in found:
        for after in found:
            if after.get("lo") and after.get("lo") == c.get("hi") and after["span"] == c["span"] and not after.get("last") and \
                    c.get("lo"):
                return c, after
    raise AssertionError("no two chunks of one span")


def on_chunk(out, chunk, change):
    """Rewrites the manifest with one chunk's record changed."""
    def one(r):
        return change(r) if r["record"] == "chunk" and r["table"] == chunk["table"] and r["number"] == chunk["number"] and \
            r.get("path") else r
    rewrite(out, one)


def path_of(out, chunk):
    return os.path.join(out, chunk["path"])


# Each breaks the copy in `out` and gives the words that must be said.

def cut(out):
    c, _ = inner(out)
    os.truncate(path_of(out, c), c["stored_bytes"] // 2)
    return c["path"]


def flip(out):
    c, _ = inner(out)
    with open(path_of(out, c), "r+b") as f:
        f.seek(1000)
        byte = f.read(1)[0]
        f.seek(1000)
        f.write(bytes([byte ^ 1]))
    return c["path"]


def flip_schema(out):
    with open(os.path.join(out, "seen.big-schema.sql"), "r+b") as f:
        f.write(b"X")
    return "seen.big-schema.sql"


def missing(out):
    c, _ = inner(out)
    os.unlink(path_of(out, c))
    return [c["path"], "missing"]


def missing_schema(out):
    os.unlink(os.path.join(out, "seen.seen_view-schema-view.sql"))
    return "seen.seen_view-schema-view.sql"


def extra(out):
    c, _ = inner(out)
    shutil.copy(path_of(out, c), os.path.join(out, "seen.big.000009999.sql"))
    return ["seen.big.000009999.sql", "no record"]


def longer(out):
    c, _ = inner(out)
    with open(path_of(out, c), "ab") as f:
        f.write(b"\n")
    return [c["path"], "longer"]


def swapped(out):
    c, after = inner(out)
    a, b = path_of(out, c), path_of(out, after)
    os.rename(a, a + "x")
    os.rename(b, a)
    os.rename(a + "x", b)
    return [c["path"], after["path"]]


def remake(out, edit):
    """The file changed by `edit` (a list of its lines), and its record made to fit but for what `edit` returns to keep."""
    c, _ = inner(out)
    with open(path_of(out, c), "rb") as f:
        lines = f.read().split(b"\n")
    edit(lines)
    body = b"\n".join(lines)
    with open(path_of(out, c), "wb") as f:
        f.write(body)

    def fit(r):
        size = len(body)
        return dict(r, raw_bytes=size, stored_bytes=size, sha256=hashlib.sha256(body).hexdigest(),
                    blocks="".join(xxh3(body[i:i + BLOCK]) for i in range(0, size, BLOCK)))
    lost = c["raw_bytes"] - len(body)

    def sums(r):
        if r["record"] == "chunk" and r["table"] == c["table"] and r["number"] == c["number"]:
            return fit(r)
        if r["record"] == "end" or (r["record"] == "table_done" and r["table"] == c["table"]):
            return dict(r, raw_bytes=r["raw_bytes"] - lost)
        return r
    rewrite(out, sums)
    return c


def row_line(lines):
    """A line in the middle that is a whole row of a statement."""
    return [i for i, line in enumerate(lines) if line.startswith(b"(") and line.endswith(b",")][10]


def row_removed(out):
    c = remake(out, lambda lines: lines.pop(row_line(lines)))
    return [c["path"], "has %d rows, the manifest says %d" % (c["rows"] - 1, c["rows"])]


def row_doubled(out):
    c = remake(out, lambda lines: lines.insert(row_line(lines), lines[row_line(lines)]))
    return [c["path"], "has %d rows, the manifest says %d" % (c["rows"] + 1, c["rows"])]


def row_moved(out):
    def change(lines):
        i = row_line(lines)
        lines[i] = b"(-5," + lines[i].split(b",", 1)[1]
    c = remake(out, change)
    return [c["path"], "row 11 is not within the range"]


def cell_removed(out):
    def change(lines):
        i = row_line(lines)
        lines[i] = lines[i].split(b",", 1)[0] + b"),"
    c = remake(out, change)
    return [c["path"], "row 11"]


def segment_missing(out):
    os.unlink(segments(out)[0])
    return "manifest segment '000001.jsonl' is missing"


def last_segment_missing(out):
    os.unlink(segments(out)[-1])
    return "not finished"


def manifest_missing(out):
    shutil.rmtree(os.path.join(out, "ferry.manifest"))
    return "no ferry.manifest"


def segment_cut(out):
    path = segments(out)[-1]
    os.truncate(path, os.path.getsize(path) - 10)
    return os.path.basename(path)


def line_changed(out):
    for path in segments(out):
        with open(path, "rb") as f:
            lines = f.read().split(b"\n")
        found = [n for n, line in enumerate(lines) if b'"rows":3' in line]
        if found:
            break
    lines[found[0]] = lines[found[0]].replace(b'"rows":3', b'"rows":4')
    with open(path, "wb") as f:
        f.write(b"\n".join(lines))
    return ["'%s' line %d" % (os.path.basename(path), found[0] + 1), "checksum"]


def line_removed(out):
    """Whole lines, so every checksum is right: the sums are not."""
    c, _ = inner(out)
    rewrite(out, lambda r: None if r["record"] == "chunk" and r["table"] == c["table"] and r["number"] == c["number"] else r)
    return ["seen.big", "recorded as done"]


def end_removed(out):
    rewrite(out, lambda r: None if r["record"] == "end" else r)
    return "not finished"


def table_done_removed(out):
    rewrite(out, lambda r: None if r["record"] == "table_done" else r)
    return "not done"


def bounds_apart(out):
    _, after = inner(out)
    on_chunk(out, after, lambda r: dict(r, lo=[str(int(r["lo"][0]) + 10)]))
    return ["table seen.big", after["path"], "do not join up"]


def bounds_moved_together(out):
    """Both sides of a boundary: the records agree, and the rows do not."""
    c, after = inner(out)
    moved = [str(int(c["hi"][0]) - 50)]

    def change(r):
        if r["record"] == "chunk" and r["table"] == c["table"] and r["number"] == c["number"]:
            return dict(r, hi=moved)
        if r["record"] == "chunk" and r["table"] == c["table"] and r["number"] == after["number"]:
            return dict(r, lo=moved)
        return r
    rewrite(out, change)
    return [c["path"], "is not within the range"]


def chunk_with_its_rows_removed(out):
    """A chunk gone from file, records and sums alike: only the bounds tell."""
    c, _ = inner(out)
    os.unlink(path_of(out, c))

    def change(r):
        if r["record"] == "chunk" and r["table"] == c["table"] and r["number"] == c["number"]:
            return None
        if r["record"] in ("end", "table_done") and r.get("table", c["table"]) == c["table"]:
            r = dict(r, rows=r["rows"] - c["rows"], raw_bytes=r["raw_bytes"] - c["raw_bytes"])
            name = "files" if r["record"] == "end" else "chunks"
            r[name] -= 1
        return r
    rewrite(out, change)
    return ["table seen.big", "do not join up"]


def last_chunk_ends_early(out):
    """The end of the table's key space is not open."""
    found = [r for r in ferry.manifest(out) if r["record"] == "chunk" and r["table"] == chunks(out)[0]["table"] and r.get("last") and
             "hi" not in r][0]
    done = []

    def change(r):
        if r["record"] == "chunk" and r["table"] == found["table"] and r["span"] == found["span"] and r.get("last") and not done:
            done.append(1)
            return dict(r, hi=["99999999"])
        return r
    rewrite(out, change)
    return ["table seen.big", "where the table ends"]


def span_shifted(out):
    """The second span of a table begins elsewhere than the first one ended."""
    span = [r for r in ferry.manifest(out) if r["record"] == "span" and r.get("parent") and r.get("lo")]
    if not span:
        return None
    rewrite(out, lambda r: dict(r, lo=[str(int(r["lo"][0]) + 3)]) if r["record"] == "span" and r["table"] == span[0]["table"] and
            r["span"] == span[0]["span"] else r)
    return ["table seen.big", "missing or twice"]


def span_removed(out):
    rewrite(out, lambda r: None if r["record"] == "span" and r["table"] == chunks(out)[0]["table"] and not r.get("parent") else r)
    return "is not known"


def metadata_missing(out):
    os.unlink(os.path.join(out, "metadata"))
    return "metadata: is missing"


def metadata_other(out):
    path = os.path.join(out, "metadata")
    with open(path) as f:
        text = f.read()
    with open(path, "w") as f:
        f.write(text.replace("Pos: ", "Pos: 9"))
    return "metadata: has the position"


def two_at_once(out):
    return [cut(out), extra(out)[0], "2 faults"]


BREAKS = [cut, flip, flip_schema, missing, missing_schema, extra, longer, swapped, row_removed, row_doubled, row_moved, cell_removed,
          segment_missing, last_segment_missing, manifest_missing, segment_cut, line_changed, line_removed, end_removed,
          table_done_removed, bounds_apart, bounds_moved_together, chunk_with_its_rows_removed, last_chunk_ends_early, span_shifted,
          span_removed, metadata_missing, metadata_other, two_at_once]


def test_each_fault_is_named(t):
    _, out = make_dump(t)
    ferry.run("verify", "--input", out).must(0, "0 faults")
    copy = t.path("copy")
    shutil.copytree(out, copy)
    rewrite(copy, lambda r: r)
    ferry.run("verify", "--input", copy).must(0, "0 faults")
    for break_it in BREAKS:
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(out, copy)
        words = break_it(copy)
        if words is None:
            t.say("%s: this dump has none" % break_it.__name__)
            continue
        r = ferry.run("verify", "--input", copy)
        try:
            r.must(5, words)
        except AssertionError as why:
            raise AssertionError("%s: %s" % (break_it.__name__, why))
        assert "INTERNAL" not in r.err, r


@quick
def test_compressed_and_csv(t):
    """What is right is found right in every form; a bit anywhere in any file is not."""
    source = t.server("mariadb")
    t.database(source, "forms", options="CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
    data.fill_random(source, "forms", "rows", 3000, t.seed)
    for i, (form, codec) in enumerate((f, c) for f in ("sql", "csv") for c in ("zstd", "gzip", "none")):
        out = t.path("d%d" % i)
        ferry.dump(source, out, "-f", "forms.*", "--format", form, "--compress", codec, "--chunk-size", "64KiB").must()
        ferry.run("verify", "--input", out, "-t", "8").must(0, "3000 rows")
        names = [n for n in sorted(os.listdir(out)) if "forms" in n]
        for _ in range(6):
            path = os.path.join(out, t.random.choice(names))
            at, bit = t.random.randrange(os.path.getsize(path)), t.random.randrange(8)
            with open(path, "r+b") as f:
                f.seek(at)
                byte = struct.unpack("B", f.read(1))[0]
                f.seek(at)
                f.write(bytes([byte ^ (1 << bit)]))
            ferry.run("verify", "--input", out).must(5, os.path.basename(path))
            with open(path, "r+b") as f:
                f.seek(at)
                f.write(bytes([byte]))


def test_unfinished(t):
    """Killed and not continued: says so; continued: right again."""
    source = t.server("mariadb")
    t.database(source, "seen", "CREATE TABLE big (id bigint PRIMARY KEY, note varchar(100))",
               "INSERT INTO big SELECT seq, REPEAT('x', 80) FROM seq_1_to_50000")
    out = t.path("dump")
    args = ("dump", "--source", source.url, "--output", out, "-f", "seen.*", "--chunk-size", "64KiB")
    ferry.run_fault("dump.chunk.after-record:20", *args)
    ferry.run("verify", "--input", out).must(5, ["FERRY-DUMP-INCOMPLETE", "not finished"])
    ferry.run(*args).must()
    ferry.run("verify", "--input", out).must(0, "50000 rows")


@quick
def test_no_dump(t):
    os.mkdir(t.path("nothing"))
    ferry.run("verify", "--input", t.path("nothing")).must(1, "ferry.manifest")
    ferry.run("verify", "--input", t.path("absent")).must(1, "FERRY-STORE-NOT-FOUND")
    ferry.run("verify").must(2, "--input")
