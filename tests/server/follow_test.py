"""ferry follow: the source's binlog applied to a target that was loaded, by value."""

import os
import random

import binlog
import compare
import ferry
from case import quick


def tables(db_source, kind):
    return ["CREATE TABLE plain (id int PRIMARY KEY, v varchar(40), d decimal(10,2), b varbinary(20))",
            "CREATE TABLE uniq (id int PRIMARY KEY AUTO_INCREMENT, u int NULL, n varchar(20), UNIQUE KEY (u))",
            "CREATE TABLE pair (a int, b varchar(20) CHARACTER SET latin1, c int, PRIMARY KEY (a, b))",
            "CREATE TABLE loose (a int, b varchar(20), f double)",
            "CREATE TABLE account (id int PRIMARY KEY, sum bigint)"]


def fill(server, db):
    server.run("USE " + db, "INSERT INTO plain VALUES " + ",".join("(%d,'v%d',%d.25,x'00ff%02x')" % (i, i, i, i % 256) for i in range(300)),
               "INSERT INTO uniq (id,u,n) VALUES " + ",".join("(%d,%s,'n%d')" % (i, "NULL" if i % 7 == 0 else i, i) for i in range(1, 300)),
               "INSERT INTO pair VALUES " + ",".join("(%d,'é%d',%d)" % (i % 10, i, i) for i in range(200)),
               "INSERT INTO loose VALUES " + ",".join("(%d,'x%d',%d.5)" % (i % 20, i % 3, i) for i in range(200)),
               "INSERT INTO account VALUES " + ",".join("(%d,1000)" % i for i in range(20)))


class Writer:
    """Random transactions of every kind that must be followed."""

    def __init__(self, server, db, seed):
        self.rng = random.Random(seed)
        self.connection = server.connect(database=db, autocommit=False)
        self.cursor = self.connection.cursor()
        self.next = 100000

    def transaction(self):
        rng, run = self.rng, self.cursor.execute
        for _ in range(rng.randrange(1, 5)):
            kind = rng.randrange(10)
            i, k = rng.randrange(400), rng.randrange(400)
            if kind == 0:
                self.next += 1
                run("INSERT INTO plain VALUES (%s,%s,%s,%s)", (self.next, "new'\\\n%d" % i, i, bytes([i % 256, 0, 92, 39])))
            elif kind == 1:
                run("UPDATE plain SET v=%s, d=d+0.5 WHERE id=%s", ("u%d" % k, i))
            elif kind == 2:
                run("DELETE FROM plain WHERE id=%s", (i,))
            elif kind == 3:
                run("UPDATE IGNORE plain SET id=%s WHERE id=%s", (rng.randrange(500, 900), i))
            elif kind == 4:
                run("REPLACE INTO uniq (id,u,n) VALUES (%s,%s,%s)", (i + 1, k, "r%d" % k))
            elif kind == 5:  # two rows swap a unique value
                run("SELECT id, u FROM uniq WHERE u IS NOT NULL ORDER BY id LIMIT 2 OFFSET %d" % rng.randrange(50))
                rows = self.cursor.fetchall()
                if len(rows) == 2:
                    run("UPDATE uniq SET u=-1 WHERE id=%s", (rows[0][0],))
                    run("UPDATE uniq SET u=%s WHERE id=%s", (rows[0][1], rows[1][0]))
                    run("UPDATE uniq SET u=%s WHERE id=%s", (rows[1][1], rows[0][0]))
            elif kind == 6:
                run("INSERT INTO pair VALUES (%s,%s,1) ON DUPLICATE KEY UPDATE c=c+1", (i % 10, "é%d" % k))
            elif kind == 7:
                run("UPDATE IGNORE pair SET b=%s WHERE a=%s AND b=%s", (("É%d" if i % 2 else "e%d") % k, k % 10, "é%d" % k))
            elif kind == 8:
                run("INSERT INTO loose VALUES (%s,%s,%s)", (i % 20, "x%d" % (k % 3), i / 3))
                run("DELETE FROM loose WHERE a=%s LIMIT 1", (k % 20,))
                run("UPDATE loose SET b=%s WHERE a=%s", ("y%d" % (i % 4), i % 20))
            else:  # the sum stays
                run("UPDATE account SET sum=sum-%s WHERE id=%s", (i, i % 20))
                run("UPDATE account SET sum=sum+%s WHERE id=%s", (i, k % 20))
        if rng.randrange(8) == 0:
            self.connection.rollback()
        else:
            self.connection.commit()

    def run(self, count):
        for _ in range(count):
            self.transaction()
        return self

    def close(self):
        self.connection.commit()
        self.connection.close()


def loaded(t, kind, target_kind, db="fo"):
    """A source with its dump loaded into a target: (source, target, folder of the dump)."""
    source = t.server(kind)
    target = t.server(target_kind) if target_kind != kind else t.own_server(kind, "--server-id=71")
    t.database(source, db, *tables(db, kind), options="CHARACTER SET utf8mb4")
    t.gone_after(target, db)
    fill(source, db)
    out = t.path("dump")
    ferry.dump(source, out, "-f", db + ".*").must()
    return source, target, out


def follow(source, target, *more, **options):
    return ferry.run("follow", "--source", source.url, "--target", target.url, *more, **options)


def check_follow(t, kind, target_kind):
    source, target, out = loaded(t, kind, target_kind)
    writer = Writer(source, "fo", t.seed).run(150)
    ferry.load(target, out).must()
    follow(source, target, "--input", out, "--until", "caught-up").must(0, "the target is at")
    compare.same_database(source, target, "fo")
    writer.run(100)
    writer.close()
    follow(source, target, "--until", "caught-up").must()
    compare.same_database(source, target, "fo")
    follow(source, target, "--until", "%s:%d" % binlog.position(source)).must(0, "transactions followed: 0")
    assert target.value("SELECT SUM(sum) FROM fo.account") == 20000


@quick
def test_mariadb_to_mariadb(t):
    check_follow(t, "mariadb", "mariadb")


def test_mysql_to_tidb(t):
    check_follow(t, "mysql", "tidb")


def test_mariadb_to_tidb(t):
    check_follow(t, "mariadb", "tidb")


def test_mysql_to_mariadb(t):
    check_follow(t, "mysql", "mariadb")
