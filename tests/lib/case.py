"""What a test is given: servers, a folder, a seeded random generator."""

import os
import random
import shutil
import tempfile


def quick(function):
    """Marks a test that also runs under the sanitizers."""
    function.level = "quick"
    return function


def soak(function):
    function.level = "soak"
    return function


class Case:
    def __init__(self, name, servers, work):
        self.name = name
        self.servers = servers
        self.folder = tempfile.mkdtemp(prefix=name.replace(".", "-") + "-", dir=work)
        self.seed = int(os.environ.get("FERRY_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
        self.random = random.Random(self.seed)
        self.cleanups = []
        self.closers = []

    def server(self, kind):
        """The shared server of this kind; Skip when it cannot be had."""
        return self.servers.get(kind)

    def own_server(self, kind, *options):
        """A server for this test alone, ended with it."""
        return self.servers.new(kind, *options)

    def path(self, name):
        return os.path.join(self.folder, name)

    def database(self, server, name, *statements, options=""):
        """A fresh database on the server, dropped at the end of the test; the statements run in it."""
        server.run("DROP DATABASE IF EXISTS `%s`" % name, "CREATE DATABASE `%s` %s" % (name, options), "USE `%s`" % name,
                   *statements)
        self.cleanups.append((server, "DROP DATABASE IF EXISTS `%s`" % name))
        return name

    def gone_after(self, server, *names):
        """Databases that ferry makes on a target: away before the test and at its end, ferry_meta too."""
        for name in names + ("ferry_meta",):
            server.run("DROP DATABASE IF EXISTS `%s`" % name)
            self.cleanups.append((server, "DROP DATABASE IF EXISTS `%s`" % name))

    def on_close(self, function):
        self.closers.append(function)

    def say(self, text):
        print("    %s: %s (seed %d)" % (self.name, text, self.seed), flush=True)

    def close(self):
        for server, statement in self.cleanups:
            try:
                server.run(statement, read_timeout=30)  # what a failed test has left running may hold it up
            except Exception:
                pass
        for function in self.closers:
            function()
        self.servers.close_own()
        shutil.rmtree(self.folder, ignore_errors=True)
