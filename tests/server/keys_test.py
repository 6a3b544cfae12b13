"""Keys that have broken other tools: each table is dumped with 8 threads in chunks of 64 KiB, killed on the way, continued, loaded and compared;
no row is in two files, and no file is far above the target."""

import os
import signal

import compare
import ferry
from kill_test import Target, kind_of, no_row_in_two_files

ROWS = 30000
PAD = "`pad` varchar(100)"
# name -> (definition of the key columns, key, expression of the values by seq)
KEYS = {
    "plain": ("id int NOT NULL", "id", "seq"),
    "negative": ("id bigint NOT NULL", "id", "(seq - 15000) * 1000003"),
    "above_2_63": ("id bigint unsigned NOT NULL", "id", "18446744073709551615 - seq * 3"),
    "sparse": ("id bigint NOT NULL", "id", "seq + (seq DIV 1000) * 1000000000000"),
    "skewed": ("a int NOT NULL, b bigint NOT NULL", "a,b", "7, seq"),
    "skewed_twice": ("a char(3) NOT NULL, b tinyint NOT NULL, c int NOT NULL", "a,b,c", "'xyz', seq % 2, seq"),
    "uuid_text": ("id char(36) NOT NULL", "id",
                  "INSERT(INSERT(INSERT(INSERT(LEFT(SHA2(seq,256),32),9,0,'-'),14,0,'-'),19,0,'-'),24,0,'-')"),
    "uuid_binary": ("id binary(16) NOT NULL", "id", "UNHEX(LEFT(SHA2(seq,256),32))"),
    "decimals": ("id decimal(30,10) NOT NULL", "id", "(seq - 15000) * 1.0000000007"),
    "doubles": ("id double NOT NULL", "id", "(seq - 15000) / 7"),
    "floats": ("id float NOT NULL, b int NOT NULL", "id,b", "(seq DIV 10) / 8, seq"),
    "dates": ("d date NOT NULL, n int NOT NULL", "d,n", "'2000-01-01' + INTERVAL (seq DIV 10) DAY, seq"),
    "times": ("t datetime(6) NOT NULL", "t", "'2000-01-01' + INTERVAL seq * 1234567 MICROSECOND"),
    "words_ci": ("w varchar(60) COLLATE utf8mb4_general_ci NOT NULL", "w",
                 "CONCAT(ELT(1 + seq % 5, 'a', 'Z', 'é', 'ß', '日'), LEFT(SHA2(seq,256),32), ELT(1 + seq % 3, '', 'ä', 'Q'))"),
    "enums": ("e enum('z','a','m','') NOT NULL, n int NOT NULL", "e,n", "1 + seq % 4, seq"),
    "bits": ("b bit(40) NOT NULL", "b", "seq * 7919"),
    "descending": ("id int NOT NULL", "id DESC", "seq"),
}


def make(source, db, rows=ROWS):
    for name, (columns, key, values) in KEYS.items():
        source.run("USE " + db, "CREATE TABLE `%s` (%s, %s, PRIMARY KEY (%s))" % (name, columns, PAD, key),
                   "INSERT INTO `%s` SELECT %s, CONCAT(LEFT(SHA2(seq,256),32), REPEAT('x', seq %% 60)) FROM seqs.s WHERE seq <= %d" % (name, values, rows))
    # no primary key: a unique one of not-null columns, a nullable one (no use), a prefix (no use)
    source.run("USE " + db, "CREATE TABLE uniq (a int NOT NULL, b int NOT NULL, x text, UNIQUE KEY (b, a))",
               "INSERT INTO uniq SELECT seq, seq %% 1000, LEFT(SHA2(seq,256),32) FROM seqs.s WHERE seq <= %d" % rows,
               "CREATE TABLE nullable (a int, x text, UNIQUE KEY (a))",
               "INSERT INTO nullable SELECT IF(seq %% 3, seq, NULL), LEFT(SHA2(seq,256),32) FROM seqs.s WHERE seq <= %d" % (rows // 4),
               "CREATE TABLE prefixed (w varchar(200) NOT NULL, UNIQUE KEY (w(33)))",
               "INSERT INTO prefixed SELECT CONCAT(LEFT(SHA2(seq,256),32), 'tail') FROM seqs.s WHERE seq <= %d" % (rows // 4))


def sequence(source):
    source.run("CREATE DATABASE IF NOT EXISTS seqs", "CREATE TABLE IF NOT EXISTS seqs.s (seq int PRIMARY KEY)")
    if not source.value("SELECT COUNT(*) FROM seqs.s"):
        source.run("INSERT INTO seqs.s VALUES (1)", *["INSERT INTO seqs.s SELECT seq + %d FROM seqs.s WHERE seq + %d <= %d" % (
            2 ** i, 2 ** i, ROWS) for i in range((ROWS - 1).bit_length())])


def chunk_sizes(out):
    """Largest chunk's values of each table with a key."""
    names, largest = {}, {}
    for r in ferry.manifest(out):
        if kind_of(r) == "table" and r.get("key"):
            names[r["table"]] = r["name"]
        elif kind_of(r) == "chunk" and r["table"] in names and r.get("rows"):
            largest[names[r["table"]]] = max(largest.get(names[r["table"]], 0), r["raw_bytes"])
    return largest


def files(out):
    return len(os.listdir(out)) if os.path.isdir(out) else 0


def keys(t, kind, kills):
    source = t.server(kind)
    sequence(source)
    db = t.database(source, "keycases", options="CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
    make(source, db)
    out = t.path("dump")
    args = ("dump", "--source", source.url, "--output", out, "-f", db + ".*", "--chunk-size", "64KiB", "-t", "8")
    killed = 0
    for _ in range(kills):
        enough = files(out) + t.random.randrange(20, 200)  # of more than 500
        r = ferry.run_killed_when(lambda: files(out) > enough, *args, program=ferry.fault_binary(),
                                  env={"FERRY_FAULT_PAUSE": "dump.chunk.after-record:0.03"})
        if r.status != -signal.SIGKILL:
            break
        killed += 1
    else:
        r = ferry.run(*args)
    r.must()
    epochs = len([r for r in ferry.manifest(out) if kind_of(r) == "epoch"])
    t.say("killed %d times, %d epochs, %d files" % (killed, epochs, files(out)))
    assert killed >= 2 and epochs >= 2, "the dump was not killed with records on the way"
    no_row_in_two_files(out)
    for name, size in chunk_sizes(out).items():
        assert size < 4 * 65536, "%s: a chunk of %d bytes" % (name, size)
    target = Target(t)
    ferry.load(target.server, out).must()
    assert compare.same_database(source, target.server, db) > len(KEYS) * ROWS


def test_key_cases_mariadb(t):
    keys(t, "mariadb", 4)


def test_key_cases_mysql(t):
    keys(t, "mysql", 4)
