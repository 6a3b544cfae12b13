"""Runs ferry as a user would, and looks at what it says."""

import json
import os
import signal
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def binary():
    return os.path.join(ROOT, os.environ.get("FERRY", "build/ferry"))


def fault_binary():
    """The build in which FERRY_FAULT names the step to die at."""
    return os.path.join(ROOT, os.environ.get("FERRY_FAULTS", "build/faults/ferry"))


class Run:
    """A finished run: status (negative: killed by that signal), out, err."""

    def __init__(self, args, status, out, err):
        self.args, self.status, self.out, self.err = args, status, out, err

    def __str__(self):
        return "$ ferry %s\n-> %s\n%s%s" % (" ".join(self.args), self.status, self.out, self.err)

    def must(self, status=0, says=None):
        """Fails the test unless the exit status is this one (and, with `says`, the output holds these words)."""
        assert self.status == status, "exit status %s, expected %s\n%s" % (self.status, status, self)
        for words in [says] if isinstance(says, str) else says or []:
            assert words in self.out + self.err, "does not say %r\n%s" % (words, self)
        return self


def start(args, env=None, program=None, **options):
    environment = dict(os.environ, **(env or {}))
    return subprocess.Popen([program or binary()] + [str(a) for a in args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, env=environment, start_new_session=True, **options)


def run(*args, env=None, program=None, timeout=300, **options):
    args = [str(a) for a in args]
    process = start(args, env, program, **options)
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError("no end after %d s:\n%s" % (timeout, Run(args, None, out.decode(errors="replace"),
                                                                      err.decode(errors="replace"))))
    return Run(args, process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))


def run_killed(seconds, *args, env=None, program=None):
    """SIGKILL after so many seconds, unless it has ended before."""
    args = [str(a) for a in args]
    process = start(args, env, program)
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        out, err = process.communicate()
    return Run(args, process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))


def run_killed_when(condition, *args, env=None, program=None):
    """SIGKILL as soon as condition() holds, unless it has ended before."""
    args = [str(a) for a in args]
    process = start(args, env, program)
    deadline = time.monotonic() + 300
    while True:
        try:
            out, err = process.communicate(timeout=0.01)
            return Run(args, process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))
        except subprocess.TimeoutExpired:
            if condition() or time.monotonic() > deadline:
                process.send_signal(signal.SIGKILL)


def run_fault(step, *args, env=None):
    """Dies by SIGKILL at the named step (NAME or NAME:N); the test fails if the step was never reached."""
    r = run(*args, env=dict(env or {}, FERRY_FAULT=step), program=fault_binary())
    assert r.status == -signal.SIGKILL, "step %s was not reached\n%s" % (step, r)
    return r


def dump(source, output, *more, **options):
    return run("dump", "--source", source.url, "--output", output, *more, **options)


def load(target, output, *more, **options):
    return run("load", "--target", target.url, "--input", output, *more, **options)


def manifest(folder):
    """All records of a dump's manifest, in order."""
    records = []
    base = os.path.join(folder, "ferry.manifest")
    for name in sorted(os.listdir(base)):
        if name.endswith(".jsonl"):
            with open(os.path.join(base, name), encoding="utf-8") as f:
                records += [json.loads(line) for line in f]
    return records


def wait_until(condition, seconds=30, what="it"):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited %d s for %s" % (seconds, what)
        time.sleep(0.05)
