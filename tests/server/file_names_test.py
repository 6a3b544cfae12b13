"""The names of a real dump against the published rules of the tools that read such folders.

LIGHTNING: the default rules of TiDB Lightning's router, in its order; case-insensitive, at any folder depth. MYLOADER: how myloader tells
files apart by their endings. Each file of ours must be taken as what it is, and nothing of ours that is no data may match."""

import os
import re
import urllib.parse

import ferry
from case import quick

COMPRESSED = r"(?:\.(?:gz|gzip|zst|zstd|snappy|lz4|lzo|xz))?"
LIGHTNING = [
    ("ignore", r"(?i).*(-schema-trigger|-schema-post)\.sql" + COMPRESSED + "$"),
    ("ignore", r"(?i).*\.(sql|csv|parquet)(\.(\w+))?\.(bak|BAK)$"),
    ("database", r"(?i)^(?:[^/]*/)*([^/.]+)-schema-create\.sql" + COMPRESSED + "$"),
    ("table", r"(?i)^(?:[^/]*/)*([^/.]+)\.(.*?)-schema\.sql" + COMPRESSED + "$"),
    ("view", r"(?i)^(?:[^/]*/)*([^/.]+)\.(.*?)-schema-view\.sql" + COMPRESSED + "$"),
    ("data", r"(?i)^(?:[^/]*/)*([^/.]+)\.(.*?)\.([0-9]+)\.(?:[^/.]+\.)?parquet$"),
    ("data", r"(?i)^(?:[^/]*/)*([^/.]+)\.(.*?)(?:\.([0-9]+))?\.(?:sql|csv)" + COMPRESSED + "$"),
]
MYLOADER = [("database", "-schema-create.sql"), ("view", "-schema-view.sql"), ("table", "-schema.sql"), ("post", "-schema-post.sql"),
            ("triggers", "-schema-triggers.sql"), ("sequence", "-schema-sequence.sql"), ("data", ".sql")]


def by_lightning(path):
    for kind, pattern in LIGHTNING:
        match = re.match(pattern, path)
        if match:
            return kind, [urllib.parse.unquote(g) for g in match.groups()[:2] if g]
    return None, []


def by_myloader(path):
    for ending in (".zst", ".gz"):
        path = path[:-len(ending)] if path.endswith(ending) else path
    for kind, ending in MYLOADER:
        if path.endswith(ending):
            return kind
    return None


def listing(out):
    return sorted(os.path.relpath(os.path.join(folder, f), out) for folder, _, files in os.walk(out) for f in files)


NAMES = [("plain", "t"), ("dot.ted", "a.b"), ("sla/sh", "c/d"), ("per%cent", "e%2Ff"), ("emo ji", "ünï"), ("x-schema", "y-schema"),
         ("q`uote", "z\\w"), ("st*r", "qu?stion")]


@quick
def test_names_are_taken_as_what_they_are(t):
    source = t.server("mariadb")
    made = []
    try:
        for db, table in NAMES:
            q = db.replace("`", "``"), table.replace("`", "``")
            source.run("DROP DATABASE IF EXISTS `%s`" % q[0], "CREATE DATABASE `%s` CHARACTER SET utf8mb4" % q[0])
            made.append(q[0])
            source.run("CREATE TABLE `%s`.`%s` (id int PRIMARY KEY, x text)" % q, "INSERT INTO `%s`.`%s` VALUES (1,'a'),(2,'b')" % q,
                       "CREATE VIEW `%s`.`v_%s` AS SELECT id FROM `%s`.`%s`" % (q + q))
        for form, codec, ending in (("sql", "none", ".sql"), ("csv", "zstd", ".csv.zst"), ("sql", "gzip", ".sql.gz")):
            out = t.path(form + codec)
            ferry.dump(source, out, "--format", form, "--compress", codec,
                       *[x for db, _ in NAMES for x in ("-f", "`%s`.*" % db.replace("`", "``"))]).must()
            seen = {"database": set(), "table": set(), "view": set(), "data": set()}
            for path in listing(out):
                kind, names = by_lightning(path)
                if path in ("metadata", "ferry.lock") or path.startswith("ferry.manifest/"):
                    assert kind is None and by_myloader(path) is None, path
                    continue
                assert kind in seen, "%s is taken as %s" % (path, kind)
                seen[kind].add(tuple(names))
                if form == "sql":
                    assert by_myloader(path) == kind, "%s is taken as %s by myloader" % (path, by_myloader(path))
                assert not (kind == "data" and not path.endswith("000000001" + ending)), path
            assert seen["database"] == {(db,) for db, _ in NAMES}, seen["database"]
            assert seen["table"] >= set(NAMES), seen["table"]
            assert seen["data"] == set(NAMES), seen["data"]
            assert seen["view"] == {(db, "v_" + table) for db, table in NAMES}, seen["view"]
    finally:
        for name in made:
            source.run("DROP DATABASE IF EXISTS `%s`" % name)
