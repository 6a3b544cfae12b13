"""The binlog that a dump has captured, and dumps that stand still while a test writes."""

import contextlib
import os
import subprocess

import binlog
import ferry

HOLDERS = 40


@contextlib.contextmanager
def held_dump(source, out, *more, program=None, env=None):
    """A dump that has its snapshot and reads nothing until the block ends; then it goes on. Gives the process."""
    before = len(records(out, "epoch"))
    holders = [source.connect() for _ in range(HOLDERS)]
    process = ferry.start(["dump", "--source", source.url, "--output", out, "--with-binlog", "--ddl-lock", "no", "--throttle",
                           "Threads_connected<%d" % HOLDERS] + list(more), program=program, env=env)
    try:
        ferry.wait_until(lambda: process.poll() is not None or len(records(out, "epoch")) > before, seconds=60, what="the snapshot")
        assert process.poll() is None, process.communicate()
        yield process
    finally:
        for holder in holders:
            holder.close()


def finish(process, seconds=120):
    out, err = process.communicate(timeout=seconds)
    return ferry.Run([str(a) for a in process.args[1:]], process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))


def records(out, kind):
    try:
        return [r for r in ferry.manifest(out) if r["record"] == kind]
    except (OSError, ValueError):
        return []


def segments(out):
    """The segments' records, each with its bytes, uncompressed, as `raw`."""
    found = records(out, "segment")
    for s in found:
        s["raw"] = subprocess.run(["zstd", "-dc", os.path.join(out, s["path"])], check=True, stdout=subprocess.PIPE).stdout
        assert len(s["raw"]) == s["raw_bytes"], s
    return found


def event_size(data, at):
    return int.from_bytes(data[at + 9:at + 13], "little")


def events(segment):
    """The bytes of [start, end)."""
    raw = segment["raw"]
    assert raw[:4] == b"\xfebin" and raw[8] == 15, segment["path"]
    skip = 4 if segment["start"] == 4 else 4 + event_size(raw, 4)
    return raw[skip:]


def log_bytes(server, file, start, end):
    """The same of the server's own file."""
    for folder, _, names in os.walk(server.data):
        if file in names:
            with open(os.path.join(folder, file), "rb") as f:
                f.seek(start)
                return f.read(end - start)
    raise AssertionError("no file %s below %s" % (file, server.data))


def end(out):
    """Where the captured binlog ends: (file, offset)."""
    found = records(out, "segment")
    if found:
        return found[-1]["log_file"], found[-1]["end"]
    first = records(out, "epoch")[0]
    return first["log_file"], first["log_pos"]
