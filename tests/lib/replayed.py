"""What a dump of several epochs and the binlog behind it come to, in a model: rows by REPLACE, then each table's changes
from its first epoch's position on, in the form that may meet them twice."""

import os
import re
import subprocess

import binlog
import captured
import ferry

ROW = re.compile(r"^\((.*)\)[,;]$", re.M)


def number(file):
    return int(file.split(".")[-1])


def cells(text):
    """Of a line of INSERT with numbers, NULL and plain texts."""
    return tuple(c.strip("'").encode() if c != "NULL" else None for c in text.split(","))


def chunk_rows(out, path):
    text = subprocess.run(["zstd", "-dc", os.path.join(out, path)], check=True, stdout=subprocess.PIPE).stdout.decode()
    return [cells(row) for row in ROW.findall(text)]


def apply(rows, change, keyed):
    """rows: by key where there is one, else a list."""
    def key(image):
        return image[0] if keyed else image

    before, after = change.get("before"), change.get("after")
    if before:
        if keyed:
            rows.pop(key(before), None)
        else:
            rows.remove(tuple(before))
    if after:
        if keyed:
            rows[key(after)] = tuple(after)
        else:
            rows.append(tuple(after))


def replay(source, out, tables):
    """{table: sorted rows} at the end of the captured binlog. tables: {name: keyed}; the first column is the key."""
    epochs = {e["epoch"]: (number(e["log_file"]), e["log_pos"]) for e in captured.records(out, "epoch")}
    first = captured.records(out, "epoch")[0]
    file, offset = captured.end(out)
    ids, state, start = {}, {}, {}
    for r in ferry.manifest(out):
        if r["record"] == "table":
            ids[r["table"]] = r["name"]
            state[r["name"]] = {} if tables.get(r["name"], True) else []
        elif r["record"] == "void":
            name = ids[r["table"]]
            state[name] = {} if tables.get(name, True) else []
            start.pop(name, None)
        elif r["record"] == "chunk" and ids[r["table"]] in tables:
            name = ids[r["table"]]
            start[name] = min(start.get(name, epochs[r["epoch"]]), epochs[r["epoch"]])
            for row in chunk_rows(out, r["path"]) if "path" in r else []:
                if tables[name]:
                    state[name][row[0]] = row
                else:
                    state[name].append(row)
    for item in binlog.since(source, (first["log_file"], first["log_pos"])):
        if "table" not in item or item["table"] not in start:
            continue
        at = (number(item["file"]), item["end"])
        if at > (number(file), offset):
            break
        if at > start[item["table"]]:
            apply(state[item["table"]], item, tables[item["table"]])
    return {name: sorted(state[name].values() if tables[name] else state[name]) for name in tables}
