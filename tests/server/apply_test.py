"""Row changes of a binlog, applied to a target: each exactly once, in parallel, whatever happens."""

import apply
import binlog
import compare
from case import quick


def begin(t, source_kind, target_kind, db, keyless=True):
    """A source with the tables, the same on the target, and the position behind."""
    source, target = t.server(source_kind), t.server(target_kind)
    t.database(source, db)
    t.database(target, db)
    t.gone_after(target)
    apply.make(source, db, keyless)
    apply.make(target, db, keyless)
    return source, target, binlog.position(source)


def same(source, target, db):
    for name in compare.table_names(source, db):
        compare.same_table(source, target, db, name)


def mixed(t, source_kind, target_kind):
    """Twice: from one transaction at a time in a unit to as many as there are."""
    db = "ap_mixed"
    source, target, at = begin(t, source_kind, target_kind, db)
    for rows in (1, 25, 2000):
        apply.changes(source, db, t.random, 120)
        done = apply.run(source, target, at, "--filter", db + ".*", "--batch-rows", rows).must()
        assert done.report["changes"] > 100, done.report
        same(source, target, db)


@quick
def test_mixed_mysql_mariadb(t):
    mixed(t, "mysql", "mariadb")


def test_mixed_mariadb_tidb(t):
    mixed(t, "mariadb", "tidb")


def test_mixed_mariadb_mysql(t):
    mixed(t, "mariadb", "mysql")
