"""Real, private servers: own data folder, own port on loopback, stopped by process id at the end.

A server is started once a run and shared by the tests (each test makes its own databases); a test that kills or
reconfigures one starts its own. Servers.close() ends all of them, whatever happened."""

import ctypes
import fcntl
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import pymysql

import scratch


class Skip(Exception):
    """A test that cannot run here, with the reason."""


CLAIMS = {}  # port: a name in the kernel that is free again when this process ends


def free_port():
    """No other run of ours has it, also while its server is down; below those that the kernel gives to clients (from 32768)."""
    while True:
        port = random.SystemRandom().randrange(10000, 30000)
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind("\0ferry-tests-port-%d" % port)
            with socket.socket() as s:
                s.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
            continue
        CLAIMS[port] = claim
        return port


def release_port(port):
    if port in CLAIMS:
        CLAIMS.pop(port).close()


def fresh_data(name, make, data):
    """A new data folder as a copy of one that is made once a run: installing takes seconds of processor time."""
    template = os.path.join(scratch.folder(), "template-" + name)
    with open(template + ".lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(template):
            for last in (False, True):
                shutil.rmtree(template + ".part", ignore_errors=True)
                done = make(template + ".part")
                if done.returncode == 0:
                    break
                if last:
                    raise RuntimeError("no data folder: %s" % (done.stdout + done.stderr).decode(errors="replace")[-3000:])
            os.rename(template + ".part", template)
    subprocess.run(["cp", "-r", "--sparse=always", template, data], check=True)


LIBC = ctypes.CDLL(None)


def die_with_us():
    """In a server's process, before it is one: the kernel ends it when the tests are killed (PR_SET_PDEATHSIG)."""
    LIBC.prctl(1, signal.SIGKILL)


class Server:
    """name: 'mariadb', 'mysql' or 'tidb'. url: for --source and --target."""

    name = "?"
    start_seconds = 180

    def __init__(self, work, options=()):
        self.folder = tempfile.mkdtemp(prefix=self.name + "-", dir=work)
        self.port = free_port()
        self.options = list(options)
        self.process = None
        self.prepare()
        self.start()

    def prepare(self):
        pass

    def command(self):
        raise NotImplementedError

    @property
    def url(self):
        return "mysql://root@127.0.0.1:%d/" % self.port

    def start(self):
        log = open(os.path.join(self.folder, "log"), "ab")
        main = threading.current_thread() is threading.main_thread()  # "us" is the thread: others end before the tests do
        self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                        cwd=self.folder, start_new_session=True, preexec_fn=die_with_us if main else None)
        log.close()
        deadline = time.monotonic() + self.start_seconds
        while True:
            try:
                self.connect().close()
                return
            except pymysql.Error:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("%s did not start:\n%s" % (self.name, self.log_tail()))
                time.sleep(0.1)

    def log_tail(self):
        with open(os.path.join(self.folder, "log"), errors="replace") as f:
            return f.read()[-3000:]

    def stop(self, sig=signal.SIGTERM):
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(sig)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    def kill(self):
        self.stop(signal.SIGKILL)

    def close(self):
        self.stop(signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)
        release_port(self.port)

    def connect(self, **options):
        options = dict({"host": "127.0.0.1", "port": self.port, "user": "root", "charset": "utf8mb4", "autocommit": True,
                        "connect_timeout": 5}, **options)
        return pymysql.connect(**options)

    def run(self, *statements, **options):
        """Runs statements on a new connection; gives the last one's rows."""
        connection = self.connect(**options)
        try:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
                return cursor.fetchall()
        finally:
            connection.close()

    def value(self, statement):
        return self.run(statement)[0][0]


class MariaDB(Server):
    name = "mariadb"

    def prepare(self):
        if not shutil.which("mariadbd"):
            raise Skip("no mariadbd on PATH")
        self.data = os.path.join(self.folder, "data")
        fresh_data(self.name, lambda data: subprocess.run(
            ["mariadb-install-db", "--no-defaults", "--user=root", "--datadir=" + data, "--auth-root-authentication-method=normal",
             "--skip-test-db", "--force"], capture_output=True), self.data)

    def command(self):
        return ["mariadbd", "--no-defaults", "--user=root", "--datadir=" + self.data, "--bind-address=127.0.0.1",
                "--tmpdir=" + self.folder, "--port=%d" % self.port, "--socket=" + os.path.join(self.folder, "sock"), "--pid-file=" + os.path.join(
                    self.folder, "pid"), "--server-id=1", "--log-bin=bin", "--binlog-format=ROW", "--local-infile=1",
                "--innodb-flush-log-at-trx-commit=2", "--innodb-buffer-pool-size=512M", "--skip-name-resolve"] + self.options


class MySQL(Server):
    """MySQL 9.7 in a root folder of its own (tests/setup makes it)."""

    name = "mysql"

    @staticmethod
    def root():
        return os.environ.get("FERRY_MYSQL_ROOT", "/var/cache/ferry/mysql")

    def prepare(self):
        if os.geteuid() != 0 or not os.path.exists(self.root() + "/usr/sbin/mysqld"):
            raise Skip("no MySQL 9.7 in $FERRY_MYSQL_ROOT (made by tests/setup servers, as root)")
        self.data = tempfile.mkdtemp(prefix="mysql-", dir=scratch.beside(self.root() + "/tmp"))
        self.inside = self.data[len(self.root()):] + "/data"
        fresh_data(self.name, self.install, self.data + "/data")

    def install(self, data):
        """Inside the root folder, and moved out of it; without its identity, so that each copy makes its own."""
        with tempfile.TemporaryDirectory(prefix="install-", dir=scratch.beside(self.root() + "/tmp")) as there:
            done = subprocess.run(["chroot", self.root(), "/usr/sbin/mysqld", "--no-defaults", "--initialize-insecure", "--user=root",
                                   "--tmpdir=" + there[len(self.root()):], "--datadir=" + there[len(self.root()):] + "/data"], capture_output=True)
            if done.returncode == 0:
                if os.path.exists(there + "/data/auto.cnf"):
                    os.remove(there + "/data/auto.cnf")
                subprocess.run(["cp", "-r", "--sparse=always", there + "/data", data], check=True)
        return done

    def command(self):
        return ["chroot", self.root(), "/usr/sbin/mysqld", "--no-defaults", "--user=root", "--datadir=" + self.inside,
                "--bind-address=127.0.0.1", "--port=%d" % self.port, "--socket=%s/sock" % self.inside,
                "--pid-file=%s/pid" % self.inside, "--tmpdir=" + os.path.dirname(self.inside), "--server-id=2", "--gtid-mode=ON", "--enforce-gtid-consistency=ON",
                "--local-infile=1", "--mysqlx=OFF", "--secure-file-priv=NULL", "--innodb-flush-log-at-trx-commit=2",
                "--innodb-buffer-pool-size=512M"] + self.options

    def close(self):
        super().close()
        shutil.rmtree(self.data, ignore_errors=True)


class OldServer(Server):
    """A release from a Java package that carries the server's program (tests/setup old-servers unpacks it)."""

    @classmethod
    def root(cls):
        return os.path.join(os.environ.get("FERRY_OLD_SERVERS", "/var/cache/ferry/old"), cls.name)

    def prepare(self):
        if not os.path.exists(self.root()):
            raise Skip("no %s in $FERRY_OLD_SERVERS (made by tests/setup old-servers)" % self.name)
        self.data = os.path.join(self.folder, "data")
        self.install()

    def arguments(self):
        return ["--user=root", "--datadir=" + self.data, "--bind-address=127.0.0.1", "--tmpdir=" + self.folder,
                "--port=%d" % self.port, "--socket=" + os.path.join(self.folder, "sock"), "--pid-file=" + os.path.join(self.folder, "pid"),
                "--server-id=1", "--log-bin=bin", "--binlog-format=ROW", "--innodb-flush-log-at-trx-commit=2",
                "--skip-name-resolve"] + self.options


class MySQL55(OldServer):
    """MySQL 5.5.9: no GTID, no checksums, no fractions of seconds, no JSON."""

    name = "mysql55"

    def install(self):
        shutil.copytree(os.path.join(self.root(), "data"), self.data)

    def command(self):
        return [os.path.join(self.root(), "Linux-x86_64", "mysqld"), "--no-defaults", "--basedir=" + self.root(),
                "--lc-messages-dir=" + os.path.join(self.root(), "share")] + self.arguments()


class OldMariaDB(OldServer):
    def install(self):
        fresh_data(self.name, lambda data: subprocess.run(
            [os.path.join(self.root(), "scripts", self.installer), "--no-defaults", "--user=root", "--force",
             "--basedir=" + self.root(), "--datadir=" + data, "--auth-root-authentication-method=normal", "--skip-name-resolve"],
            capture_output=True, env=self.environment()), self.data)

    def environment(self):
        return dict(os.environ, LD_LIBRARY_PATH=os.path.join(self.root(), "libs"))

    def command(self):
        return ["env", "LD_LIBRARY_PATH=" + os.path.join(self.root(), "libs"), os.path.join(self.root(), "bin", self.program),
                "--no-defaults", "--basedir=" + self.root(), "--local-infile=1"] + self.arguments()


class MariaDB102(OldMariaDB):
    """MariaDB 10.2.11: no sequences, no invisible columns, no BACKUP STAGE, JSON without a check."""

    name, program, installer = "mariadb102", "mysqld", "mysql_install_db"


class MariaDB114(OldMariaDB):
    """MariaDB 11.4.5: a newer line than Debian's."""

    name, program, installer = "mariadb114", "mariadbd", "mariadb-install-db"

    def arguments(self):
        return super().arguments() + ["--skip-ssl"]  # else it makes itself a key first, for 10 to 60 s


class TiDB(Server):
    """options[0] == 'persist': the embedded store on disk, so that it survives being killed. Those with '=' are of its configuration."""

    name = "tidb"

    def prepare(self):
        self.binary = os.environ.get("FERRY_TIDB") or shutil.which("tidb-server")
        if not self.binary:
            raise Skip("no tidb-server on PATH, and FERRY_TIDB names none")
        self.path = os.path.join(self.folder, "store") if "persist" in self.options else ""
        with open(os.path.join(self.folder, "config.toml"), "w") as f:
            f.write("".join(o + "\n" for o in self.options if "=" in o) + '[log]\nlevel = "error"\n')

    def revive(self):
        """This TiDB can panic when a client dies in the middle of a LOAD DATA (seen on 8.4: the session is closed while the statement
        still runs). Started again, its embedded store has lost the locks that it holds in memory only, and with them those rows of
        committed transactions that were not yet written in their final place: what a crash of a real TiKV does not do. So
        after a death nothing can be said of missing rows. True: it had died."""
        time.sleep(0.1)
        died = self.process.poll() is not None
        if died:
            self.start()
        return died

    def command(self):
        return [self.binary, "-store", "unistore", "-path", self.path, "-host", "127.0.0.1", "-P", str(self.port),
                "-report-status=false", "-socket", "", "-lease", "1s", "-temp-dir", os.path.join(self.folder, "tmp"),
                "-L", "error"] + (["-config", os.path.join(self.folder, "config.toml")] if any("=" in o for o in self.options) else [])


KINDS = {c.name: c for c in (MariaDB, MySQL, TiDB, MySQL55, MariaDB102, MariaDB114)}


class Servers:
    """What the tests share: get('tidb') starts it once; new('mariadb', ...) starts one for a single test."""

    def __init__(self, work):
        self.work = work
        self.shared = {}
        self.all = []
        self.why_not = {}

    def new(self, kind, *options):
        server = KINDS[kind](self.work, options)
        self.all.append(server)
        return server

    def get(self, kind):
        if kind in self.why_not:
            raise Skip(self.why_not[kind])
        if kind not in self.shared:
            try:
                self.shared[kind] = self.new(kind)
            except Skip as why:
                self.why_not[kind] = str(why)
                raise
        server = self.shared[kind]
        if server.process.poll() is not None:
            raise RuntimeError("the shared %s has died:\n%s" % (kind, server.log_tail()))
        return server

    def close_own(self):
        """Ends the servers that are not shared."""
        for server in [s for s in self.all if s not in self.shared.values()]:
            server.close()
            self.all.remove(server)

    def close(self):
        for server in self.all:
            server.close()
