"""A server with very many small tables, made without waiting for the disk (nosync.c): what it holds is for reading plans, not for keeping."""

import os
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

from servers import KINDS, Skip  # noqa: E402

OPTIONS = {
    "mariadb": ["--skip-log-bin", "--innodb-flush-log-at-trx-commit=0", "--sync-frm=0", "--innodb-stats-persistent=1"],
    "mysql": ["--skip-log-bin", "--innodb-flush-log-at-trx-commit=0"],
}
TABLE = ("CREATE TABLE t%d (id bigint NOT NULL AUTO_INCREMENT, tenant int NOT NULL, name varchar(100) CHARACTER SET utf8mb4, state enum('new','old'),"
         " made datetime, PRIMARY KEY (id), UNIQUE KEY name (name), KEY tenant (tenant, made)) ENGINE=InnoDB")


def preload(kind, work):
    """The library that takes all fsyncs away, where the server's process finds it: its path there."""
    folder = work if kind != "mysql" else KINDS["mysql"].root() + "/tmp"
    library = os.path.join(folder, "ferry-nosync-%d.so" % os.getpid())
    subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", library, os.path.join(HERE, "nosync.c")], check=True)
    return library, "/tmp/" + os.path.basename(library) if kind == "mysql" else library


def start(kind, work):
    """A server of this kind that syncs nothing. Its close() is the caller's."""
    if kind == "mysql" and not os.path.exists(KINDS[kind].root() + "/usr/sbin/mysqld"):
        raise Skip("no MySQL in $FERRY_MYSQL_ROOT")
    library, inside = preload(kind, work)
    plain = KINDS[kind].command

    class Fast(KINDS[kind]):
        def command(self):
            args = plain(self)
            at = 2 if args[0] == "chroot" else 0
            return args[:at] + ["env", "LD_PRELOAD=" + inside] + args[at:]

    try:
        return Fast(work, OPTIONS[kind] + ["--table-open-cache=2000", "--innodb-buffer-pool-size=1G"])
    finally:
        os.unlink(library)


def fill(server, databases, tables, rows=0, connections=4):
    """`tables` tables in each of the databases many0, many1 ...; `rows` rows in each table."""
    failed = []

    def work(first):
        connection = server.connect()
        try:
            with connection.cursor() as cursor:
                for db in range(first, databases, connections):
                    cursor.execute("CREATE DATABASE many%d" % db)
                    cursor.execute("USE many%d" % db)
                    for i in range(tables):
                        cursor.execute(TABLE % i)
                        if rows:
                            cursor.execute("INSERT INTO t%d (tenant, name) VALUES %s" % (i, ",".join("(%d, 'n%d')" % (r, r) for r in range(rows))))
        except Exception as why:  # pylint: disable=broad-except
            failed.append(why)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(connections)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if failed:
        raise failed[0]
