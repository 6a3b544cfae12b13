"""A proxy in front of a MySQL, MariaDB or TiDB server, which cuts connections at a COMMIT. Without TLS."""

import socket
import threading

COM_QUERY = 3


class Proxy:
    """`fault(number)` is asked at each COMMIT, which are counted from 1, and gives a kind, or None:

    never   the server does not see the COMMIT, and both connections end
    lost    the server does it, its answer is lost, and both connections end
    late    the client's connection ends at once; the server gets the COMMIT when a later connection has said what `late_until`
            is in, and, where the server does not make that one wait for the COMMIT, has had its answer"""

    late_until = b"SET token="
    late_seconds = 0.3  # both orders are allowed: so long the COMMIT waits for the other connection's answer

    def __init__(self, t, server):
        self.server, self.fault = server, lambda number: None
        self.lock = threading.Lock()
        self.commits, self.done = 0, []
        self.said, self.answered = threading.Event(), threading.Event()
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(64)
        self.port = self.listener.getsockname()[1]
        self.url = "mysql://root@127.0.0.1:%d/?ssl-mode=disabled" % self.port
        threading.Thread(target=self.serve, daemon=True).start()
        t.on_close(self.listener.close)

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=Pair(self, client).run, daemon=True).start()

    def kind_of_commit(self):
        with self.lock:
            self.commits += 1
            kind = self.fault(self.commits)
            if kind:
                self.done.append(kind)
            if kind == "late":
                self.said.clear()
                self.answered.clear()
            return kind


class Pair:
    """A client's connection and its own one to the server: a thread for what the client says, one for the answers."""

    def __init__(self, proxy, client):
        self.proxy, self.client = proxy, client
        self.upstream = socket.create_connection(("127.0.0.1", proxy.server.port))
        self.swallow = False  # the next answer is lost
        self.watched = False  # the next answer is that of the statement that a late COMMIT waits for
        self.over = threading.Event()  # nothing more of the server is passed on

    def run(self):
        for s in (self.client, self.upstream):
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        back = threading.Thread(target=self.answers, daemon=True)
        back.start()
        try:
            with self.client.makefile("rb") as reader:
                while self.packet(reader):
                    pass
        except OSError:
            pass
        self.end(self.upstream)
        back.join()
        self.client.close()
        self.upstream.close()

    @staticmethod
    def end(s):
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def packet(self, reader):
        head = reader.read(4)
        if len(head) < 4:
            return False
        body = reader.read(int.from_bytes(head[:3], "little"))
        query = body[1:] if head[3] == 0 and body[:1] == bytes([COM_QUERY]) else b""
        if query.strip().upper() == b"COMMIT":
            return self.commit(head + body, self.proxy.kind_of_commit())
        if self.proxy.late_until in query:
            self.watched = True
            self.proxy.said.set()
        self.upstream.sendall(head + body)
        return True

    def commit(self, packet, kind):
        if kind in ("never", "late"):
            self.swallow = True
            self.end(self.client)
        if kind == "never":
            return False
        if kind == "late":
            self.proxy.said.wait(60)
            self.proxy.answered.wait(self.proxy.late_seconds)
        self.swallow = self.swallow or kind == "lost"
        self.upstream.sendall(packet)
        if kind:
            self.over.wait(60)  # with the answer to it the server has done it
        return not kind

    def answers(self):
        try:
            while True:
                data = self.upstream.recv(65536)
                if not data or self.swallow:
                    break
                self.client.sendall(data)
                if self.watched:
                    self.watched = False
                    self.proxy.answered.set()
        except OSError:
            pass
        self.over.set()
        self.end(self.client)
        self.end(self.upstream)
