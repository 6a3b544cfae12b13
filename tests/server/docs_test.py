"""What the docs say is what the program does."""

import glob
import os
import re
import subprocess

import ferry
from case import quick

COMMANDS = ("check", "dump", "load", "follow", "copy", "verify", "position", "status", "conflicts", "migrate", "job")


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


def completed(script, *words):
    """What bash offers for the last of `words`."""
    line = "source %s; COMP_WORDS=(%s); COMP_CWORD=%d; _ferry; printf '%%s\\n' \"${COMPREPLY[@]}\"" % (
        script, " ".join("'%s'" % w for w in words), len(words) - 1)
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True).stdout.split()


def test_installed(t):
    """`make install`: the program, a man page a command, and completion that knows each command's options and their words."""
    root = t.path("root")
    made = subprocess.run(["make", "-s", "-C", ferry.ROOT, "install", "DESTDIR=" + root, "PREFIX=/usr"], capture_output=True, text=True)
    assert made.returncode == 0, made
    assert sorted(os.listdir(root + "/usr/share/man/man1")) == sorted(["ferry.1"] + ["ferry-%s.1" % c for c in COMMANDS])
    page = read(root, "usr/share/man/man1/ferry-dump.1")
    assert "\\fB\\-o\\fR, \\fB\\-\\-output\\fR \\fIURL\\fR" in page and not re.search(r"^\.(?!TH|SH|SS|TP|nf|fi)", page, re.M), page
    script = root + "/usr/share/bash-completion/completions/ferry"
    assert completed(script, "ferry", "po") == ["position"]
    assert completed(script, "ferry", "dump", "--csv-d") == ["--csv-delimiter"]
    assert completed(script, "ferry", "dump", "--consistency", "fl") == ["flush"]
    assert completed(script, "ferry", "load", "--on-conflict", "=", "re") == ["replace"]
    assert completed(script, "ferry", "job", "cut") == ["cutover"]
    assert completed(script, "ferry", "load", "--input", ferry.ROOT + "/REA") == [ferry.ROOT + "/README.md"]


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
    for command in COMMANDS:
        words[command] = ferry.run(command, "--help").must(0, "usage: ferry " + command).out
    for line in re.findall(r"^ferry [^\n]*(?:\\\n[^\n]*)*", read("README.md"), re.M):
        command = line.split()[1]
        for option in re.findall(r"--[a-z-]+", line):
            assert option in words.get(command, ""), "%s: %s" % (command, option)
