"""The folder of a run of tests, bench or demo: all that the run makes lies in it, and goes with it.

The folder is TMPDIR of everything that the run starts, which by that can be told from what others started. Whoever holds the lock in
it lives. A guard waits for the run's end: when that was a kill -9, it ends what the run has started and removes the folder. Where the
guard was killed too, the next run does. `python3 scratch.py guard FOLDER` is the guard."""

import atexit
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

NAME = re.compile(r"ferry-run-(\d+)-\w+$")


def of_outer():
    at = os.environ.get("TMPDIR", "")
    return at if NAME.match(os.path.basename(at)) else None


def folder():
    """Of the run that this process belongs to; outside of one, one is begun that lasts until the process ends."""
    if not of_outer():
        run = Run()
        run.__enter__()
        atexit.register(run.__exit__)
    return of_outer()


def beside(parent):
    """A folder of the run's in `parent`, for what cannot lie in the run's own."""
    path = os.path.join(parent, os.path.basename(folder()))
    with open(os.path.join(folder(), "beside"), "a", encoding="utf-8") as f:
        f.write(path + "\n")
    os.makedirs(path, mode=0o755, exist_ok=True)
    return path


class Run:
    """`with Run() as folder:`; within a run it is a folder in that one's."""

    def __enter__(self):
        outer = of_outer()
        if outer:
            self.path, self.lock, self.guard = tempfile.mkdtemp(prefix="part-", dir=outer), None, None
            return self.path
        base = tempfile.gettempdir()
        sweep(base)
        self.path = tempfile.mkdtemp(prefix="ferry-run-%d-" % os.getpid(), dir=base)
        self.lock = open(os.path.join(self.path, "lock"), "w", encoding="utf-8")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        self.guard = subprocess.Popen([sys.executable, os.path.abspath(__file__), "guard", self.path], stdin=subprocess.PIPE,
                                      start_new_session=True)
        os.environ["TMPDIR"] = tempfile.tempdir = self.path
        return self.path

    def __exit__(self, *_):
        if not self.guard:
            shutil.rmtree(self.path, ignore_errors=True)
            return
        os.environ.pop("TMPDIR")
        tempfile.tempdir = None
        end(self.path)
        self.lock.close()
        self.guard.stdin.close()
        self.guard.wait()


def of_run(path):
    """Processes that the run has started, or that those have: their TMPDIR is the run's folder, or one in it."""
    pids, mine = [], b"TMPDIR=" + os.fsencode(path)
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/environ" % pid, "rb") as f:
                words = f.read().split(b"\0")
        except OSError:  # it has ended, or is not ours
            continue
        if any(w == mine or w.startswith(mine + b"/") for w in words):
            pids.append(int(pid))
    return pids


def end(path):
    """Ends what is left of a run and removes what it has made. Called by the run itself, or when it is dead."""
    patience = time.monotonic() + 20
    while time.monotonic() < patience:
        pids = [pid for pid in of_run(path) if pid != os.getpid()]
        if not pids:
            break
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.05)
    name = os.path.basename(path)
    if shutil.which("ip"):
        spaces = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=False).stdout
        for space in re.findall(r"^(%s-\S+)" % re.escape(name), spaces, re.M):
            subprocess.run(["ip", "netns", "del", space], capture_output=True, check=False)
    with open("/proc/mounts", encoding="utf-8") as f:
        for mount in [row.split()[1] for row in f]:
            if mount.startswith(path + "/"):
                subprocess.run(["umount", "-l", mount], capture_output=True, check=False)
    try:
        with open(os.path.join(path, "beside"), encoding="utf-8") as f:
            others = {row for row in f.read().split("\n") if os.path.basename(row) == name}
    except OSError:
        others = set()
    for at in sorted(others) + [path]:
        shutil.rmtree(at, ignore_errors=True)


def dead(path):
    """Its process is gone and nobody holds its lock: the lock alone is free in the moment before it is taken."""
    status = os.lstat(path)
    if status.st_uid != os.geteuid() or os.path.islink(path):
        return False
    try:
        os.kill(int(NAME.match(os.path.basename(path)).group(1)), 0)
        return False
    except ProcessLookupError:
        pass
    except PermissionError:
        return False
    try:
        with open(os.path.join(path, "lock"), encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        pass
    except OSError:
        return False
    return True


def sweep(base):
    """Removes what dead runs have left in `base`."""
    for name in os.listdir(base):
        try:
            if NAME.match(name) and dead(os.path.join(base, name)):
                end(os.path.join(base, name))
        except FileNotFoundError:  # another sweeps, too
            pass


def guard(path):
    """Until standard input ends, which is when the run does."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    if os.path.isdir(path):
        end(path)


if __name__ == "__main__":
    guard(sys.argv[2])
