"""Applies a server's binlog to another with tests/tools/apply_binlog.c, and makes changes worth applying."""

import json
import os
import subprocess

import binlog

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def program(faults=False):
    folder = "build/faults" if faults else os.path.dirname(os.environ.get("FERRY", "build/ferry"))
    for path in (os.path.join(ROOT, folder, "tools", "apply_binlog"), os.path.join(ROOT, "build", "release", "tools", "apply_binlog")):
        if os.path.exists(path):
            return path
    raise RuntimeError("no apply_binlog: make tools")


def start(source, target, at, *options, env=None, faults=False):
    where = ["--file", at[0], "--offset", str(at[1])] if at else []
    return subprocess.Popen([program(faults), source.url, target.url] + where + [str(o) for o in options], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ, **(env or {})), start_new_session=True)


class Done:
    def __init__(self, status, out, err):
        self.status, self.err = status, err
        self.report = json.loads(out) if out.strip() else {}

    def must(self, status=0):
        assert self.status == status, (self.status, self.report, self.err[-3000:])
        return self


def end(process, timeout=300):
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return Done(process.returncode, out.decode(), err.decode(errors="replace"))


def run(source, target, at, *options, env=None, faults=False):
    return end(start(source, target, at, *options, env=env, faults=faults))


TABLES = {
    "plain": "id int NOT NULL PRIMARY KEY, n int, v varchar(40)",
    "uniques": "id int NOT NULL PRIMARY KEY, u int NULL, w varchar(20) COLLATE utf8mb4_general_ci NULL, v int, UNIQUE KEY (u), UNIQUE KEY (w)",
    "pairs": "a varchar(20) COLLATE utf8mb4_general_ci NOT NULL, b decimal(10,2) NOT NULL, v double, PRIMARY KEY (a, b)",
    "keyless": "n int, v varchar(20), d double",
    "computed": "id int NOT NULL PRIMARY KEY, n int NOT NULL, twice int GENERATED ALWAYS AS (n * 2) STORED, "
                "t timestamp(3) NULL ON UPDATE CURRENT_TIMESTAMP(3)",
}


def make(server, db, keyless=True):
    for name, columns in TABLES.items():
        if keyless or name != "keyless":
            server.run("CREATE TABLE `%s`.`%s` (%s) DEFAULT CHARACTER SET utf8mb4" % (db, name, columns))


def changes(server, db, rng, transactions, keyless=True):
    """So many transactions with changes of all kinds, most of which meet rows and values of others."""
    words = ["a", "A", "b", "B ", "aa", "Aa", "é", "É", "z", "zz", "y", "yy"]
    connection = server.connect(database=db, autocommit=False)
    with connection.cursor() as cursor:
        def said(sql, *values):
            try:
                cursor.execute(sql, values)
            except connection.IntegrityError:
                pass  # the statement is undone, the transaction goes on

        for _ in range(transactions):
            for _ in range(rng.randrange(1, 6)):
                i, n, w = rng.randrange(30), rng.randrange(12), rng.choice(words)
                kind = rng.randrange(16)
                if kind == 0:
                    said("INSERT INTO plain VALUES (%s,%s,%s)", i, n, w)
                elif kind == 1:
                    said("UPDATE plain SET n=n+1, v=%s WHERE id=%s", w, i)
                elif kind == 2:
                    said("DELETE FROM plain WHERE id=%s", i)
                elif kind == 3:
                    said("UPDATE plain SET id=id+1 WHERE id>%s ORDER BY id DESC", i)
                elif kind == 4:
                    said("INSERT INTO uniques VALUES (%s,%s,%s,%s)", i, n, w, n)
                elif kind == 5:
                    said("REPLACE INTO uniques VALUES (%s,%s,%s,%s)", i, n, w, n)
                elif kind == 6:  # two rows change their values
                    said("UPDATE uniques SET u=-1-u WHERE u IN (%s,%s)", n, (n + 1) % 12)
                    said("UPDATE uniques SET u=CASE u WHEN %s THEN %s ELSE %s END WHERE u IN (%s,%s)", -1 - n, (n + 1) % 12, n, -1 - n,
                         -1 - (n + 1) % 12)
                elif kind == 7:
                    said("UPDATE uniques SET w=IF(BINARY w=BINARY UPPER(w),LOWER(w),UPPER(w)) WHERE id=%s", i)
                elif kind == 8:
                    said("INSERT INTO uniques (id,u,v) VALUES (%s,%s,1) ON DUPLICATE KEY UPDATE id=id+1, v=v+1", i, n)
                elif kind == 9:
                    said("INSERT INTO pairs VALUES (%s,%s,%s)", w, n / 4, n / 3)
                elif kind == 10:
                    said("UPDATE pairs SET a=IF(BINARY a=BINARY UPPER(a),LOWER(a),UPPER(a)) WHERE b<%s", n / 4)
                elif kind == 11:
                    said("DELETE FROM pairs WHERE a=%s", w)
                elif kind == 12:
                    said("INSERT INTO computed (id,n) VALUES (%s,%s) ON DUPLICATE KEY UPDATE n=VALUES(n)", i, n)
                elif kind == 13 and keyless:
                    said("INSERT INTO keyless VALUES (%s,%s,%s),(%s,%s,%s)", n, w, n / 7, n, None, None)
                elif kind == 14 and keyless:
                    said("DELETE FROM keyless WHERE n=%s LIMIT 1", n)
                elif kind == 15 and keyless:
                    said("UPDATE keyless SET n=%s, v=%s WHERE n=%s LIMIT 2", n, w, (n + 1) % 12)
            if rng.randrange(10):
                connection.commit()
            else:
                connection.rollback()
    connection.close()
