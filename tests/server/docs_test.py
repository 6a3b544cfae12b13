"""What the docs say is what the program does."""

import glob
import os
import re

import ferry
from case import quick


def read(*path):
    with open(os.path.join(ferry.ROOT, *path), encoding="utf-8") as f:
        return f.read()


@quick
def test_list_of_errors(t):
    """docs/errors.md is what `ferry help errors` prints: build/ferry help errors > docs/errors.md."""
    assert ferry.run("help", "errors").must().out == read("docs", "errors.md")


@quick
def test_list_of_checks(t):
    """docs/check.md is what `ferry help checks` prints: build/ferry help checks > docs/check.md."""
    assert ferry.run("help", "checks").must().out == read("docs", "check.md")


@quick
def test_fault_points(t):
    """Every step that a test can kill at stands in docs/contributing.md, and no other."""
    used = set()
    for path in glob.glob(os.path.join(ferry.ROOT, "*", "*.c")) + glob.glob(os.path.join(ferry.ROOT, "common", "*", "*.c")):
        used |= set(re.findall(r'fault_point\("([^"]+)"\)', read(path)))
    listed = set(re.findall(r"`((?:dump|load|manifest|store|follow)\.[a-z.-]+)`", read("docs", "contributing.md")))
    assert used == listed, "not listed: %s; not there: %s" % (sorted(used - listed), sorted(listed - used))


@quick
def test_help(t):
    """Each command prints its options, and every option of the README's examples is one of them."""
    words = {}
    for command in ("check", "dump", "load", "follow", "copy", "verify", "position", "status", "conflicts", "migrate", "job"):
        words[command] = ferry.run(command, "--help").must(0, "usage: ferry " + command).out
    for line in re.findall(r"^ferry [^\n]*(?:\\\n[^\n]*)*", read("README.md"), re.M):
        command = line.split()[1]
        for option in re.findall(r"--[a-z-]+", line):
            assert option in words.get(command, ""), "%s: %s" % (command, option)
