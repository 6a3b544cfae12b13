"""Machines of a test's own: network, processes and host name apart (namespaces), a working folder each. Where the kernel or the
user's rights do not allow that, plain processes with a working folder each, which is said."""

import itertools
import os
import shutil
import signal
import socket
import subprocess
import threading

import ferry
import scratch

NUMBERS = itertools.count()


class Forward:
    """A port of every address of this host that leads to one of 127.0.0.1, so that the machines can reach it."""

    def __init__(self, t, port):
        self.to = port
        self.listener = socket.socket()
        self.listener.bind(("0.0.0.0", 0))
        self.listener.listen(64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()
        t.on_close(self.listener.close)

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.to))
            except OSError:
                client.close()
                continue
            for a, b in ((client, server), (server, client)):
                a.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self.copy, args=(a, b), daemon=True).start()

    @staticmethod
    def copy(a, b):
        try:
            while True:
                some = a.recv(1 << 16)
                if not some:
                    break
                b.sendall(some)
        except OSError:
            pass
        for end in (a, b):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def ip(*words):
    subprocess.run(["ip"] + list(words), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Machine:
    def __init__(self, t, name):
        self.name, self.folder = name, t.path(name)
        os.makedirs(self.folder)
        number = next(NUMBERS)
        self.space = "%s-%d-%d" % (os.path.basename(scratch.folder()), os.getpid(), number)
        self.veth = "fy%d-%d" % (os.getpid() % 100000, number)
        self.host = "10.%d.%d.1" % (200 + number % 50, os.getpid() % 250)
        self.apart = bool(shutil.which("ip") and shutil.which("unshare")) and self.make()
        if self.apart:
            t.on_close(self.remove)
        else:
            self.host = "127.0.0.1"

    def make(self):
        try:
            ip("netns", "add", self.space)
        except (OSError, subprocess.CalledProcessError):
            return False
        try:
            ip("link", "add", self.veth, "type", "veth", "peer", "name", "eth0", "netns", self.space)
            ip("addr", "add", self.host + "/24", "dev", self.veth)
            ip("link", "set", self.veth, "up")
            ip("-n", self.space, "addr", "add", self.host[:-1] + "2/24", "dev", "eth0")
            ip("-n", self.space, "link", "set", "eth0", "up")
            ip("-n", self.space, "link", "set", "lo", "up")
            subprocess.run(self.words("true"), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            return True
        except (OSError, subprocess.CalledProcessError):
            self.remove()
            return False

    def remove(self):
        subprocess.run(["ip", "link", "del", self.veth], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        subprocess.run(["ip", "netns", "del", self.space], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def words(self, *args):
        return ["ip", "netns", "exec", self.space, "unshare", "--pid", "--uts", "--mount-proc", "--fork", "--kill-child", "sh", "-c",
                'hostname "$0"; "$@"; exit $?', self.name] + list(args)

    def start(self, t, *args, env=None):
        return Program(t, self, [str(a) for a in args], env)


class Program:
    """A ferry of the faults build that runs on a machine."""

    def __init__(self, t, machine, args, env):
        self.args = args
        words = [ferry.fault_binary()] + args
        if machine.apart:
            words = machine.words(*words)
        self.process = subprocess.Popen(words, cwd=machine.folder, env=dict(os.environ, **(env or {})), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        self.apart = machine.apart
        t.on_close(self.close)

    def pid(self):
        """As this host sees it: the last of the chain of children; None while it is not there."""
        pid = self.process.pid
        while self.apart:
            try:
                with open("/proc/%d/task/%d/children" % (pid, pid), encoding="ascii") as f:
                    children = f.read().split()
            except OSError:
                return None
            if not children:
                break
            pid = int(children[-1])
        try:
            with open("/proc/%d/exe" % pid, "rb"):
                return pid if os.path.basename(os.readlink("/proc/%d/exe" % pid)) == "ferry" else None
        except OSError:
            return None

    def signal(self, number):
        os.kill(self.pid(), number)

    def wait(self, timeout=120):
        try:
            out, err = self.process.communicate(timeout=timeout)
        except Exception:
            self.close()
            raise
        status = self.process.returncode
        status = -signal.SIGKILL if status == 128 + signal.SIGKILL else status
        return ferry.Run(self.args, status, out.decode(errors="replace"), err.decode(errors="replace"))

    def close(self):
        if self.process.poll() is None:
            pid = self.pid()
            if pid:
                os.kill(pid, signal.SIGKILL)
            self.process.kill()
            self.process.wait()
