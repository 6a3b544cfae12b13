"""A job of ferry's, as a user has it: its file, its folder, its answers."""

import json
import os
import signal

import ferry


def ini(name, source, target, *more, objects="filter = shop.*", job="accepted = all"):
    return "\n".join(["[job]", "name = " + name, job, "[source]", "url = " + source, "[target]", "url = " + target,
                      "[objects]", objects] + list(more)) + "\n"


class Job:
    def __init__(self, t, name, text, root="jobs", program=None, env=None):
        self.name, self.root, self.program = name, t.path(root), program
        self.env = dict(env or {}, FERRY_JOBS_DIR=self.root)
        self.file = t.path(name + ".ini")
        self.processes = []
        with open(self.file, "w", encoding="utf-8") as f:
            f.write(text)
        t.on_close(self.close)

    def migrate(self, *more, **options):
        return ferry.run("migrate", self.file, *more, env=self.env, program=self.program, **options)

    def start(self, *args):
        """A runner in the foreground of nobody: `migrate`, or what args say."""
        process = ferry.start(list(args) or ["migrate", self.file, "--progress", "none"], self.env, self.program)
        self.processes.append(process)
        return process

    def resume(self, *more):
        """Until it is the one that runs: what the state says is of this run, then."""
        process = self.start("job", "resume", self.name, "--progress", "none", *more)
        self.wait(lambda: process.poll() is not None or ((self.status() or {}).get("runner") or {}).get("pid") == process.pid, "the runner")
        return process

    def wait(self, condition, what, seconds=90):
        try:
            ferry.wait_until(condition, seconds, what)
        except AssertionError as e:
            raise AssertionError("%s\n%s" % (e, self.job("status"))) from e

    def job(self, verb, *more, **options):
        return ferry.run("job", verb, self.name, *more, env=self.env, **options)

    def status(self):
        """None where there is no job; whatever is answered must be JSON."""
        answer = json.loads(self.job("status", "--json").out)
        return None if "error" in answer and "stages" not in answer else answer

    def stage(self, name):
        status = self.status()
        return next(s for s in status["stages"] if s["stage"] == name) if status else None

    def stage_is(self, name, *states):
        stage = self.stage(name)
        return stage is not None and stage["state"] in states

    def wait_stage(self, name, *states, seconds=90):
        self.wait(lambda: self.stage_is(name, *states), "stage %s to be %s" % (name, "/".join(states)), seconds)

    def wait_state(self, state, seconds=90):
        self.wait(lambda: (self.status() or {}).get("state") == state and not self.status()["running"], "job to be " + state, seconds)

    def folder(self):
        return os.path.join(self.root, self.name)

    def end(self, process, status=0, says=()):
        out, err = process.communicate(timeout=120)
        return ferry.Run(process.args, process.returncode, out.decode(errors="replace"), err.decode(errors="replace")).must(status, says=list(says))

    def kill_stage(self, name):
        """SIGKILL to the stage's process; the runner lives."""
        pid = self.stage(name)["pid"]
        if pid:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def close(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        if os.path.isdir(self.folder()):  # its children end at their safe points
            ferry.wait_until(lambda: not (self.status() or {}).get("running"), 30, "the children's end")
