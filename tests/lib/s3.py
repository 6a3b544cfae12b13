"""A real S3 server (versitygw) on a folder, a client of its own to look at it, and a proxy that makes faults."""

import datetime
import hashlib
import hmac
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.parse

from servers import Skip, free_port, release_port

ACCESS, SECRET = "testkey", "testsecret-that-nobody-may-see"


class S3:
    """url(): of a prefix in the bucket `bucket`; env: what reaches it."""

    def __init__(self, t, host="127.0.0.1", *options):
        program = shutil.which("versitygw")
        if not program:
            raise Skip("no versitygw on PATH (tests/setup servers installs it where there is a Go)")
        self.folder = t.path("s3")
        os.makedirs(os.path.join(self.folder, "bucket"))
        self.host, self.port = host, free_port()
        log = open(t.path("s3.log"), "ab")
        self.process = subprocess.Popen([program, "--port", "%s:%d" % (host, self.port), "--quiet"] + list(options) + ["posix", self.folder],
                                        stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=t.folder, start_new_session=True,
                                        env=dict(os.environ, ROOT_ACCESS_KEY=ACCESS, ROOT_SECRET_KEY=SECRET))
        log.close()
        deadline = time.monotonic() + 120
        while True:
            try:
                socket.create_connection((host, self.port), 1).close()
                break
            except OSError:
                assert self.process.poll() is None and time.monotonic() < deadline, "versitygw does not start"
                time.sleep(0.05)
        t.on_close(self.close)

    @property
    def env(self):
        return env_of("http://%s:%d" % (self.host, self.port))

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        release_port(self.port)

    def path(self, *parts):
        return os.path.join(self.folder, "bucket", *parts)

    def ask(self, method, path, query=(), body=b""):
        """A request signed by an implementation of our own; (status, body)."""
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        digest = hashlib.sha256(body).hexdigest()
        quoted = urllib.parse.quote(path, safe="/-_.~")
        query = "&".join("%s=%s" % (urllib.parse.quote(k, safe="-_.~"), urllib.parse.quote(v, safe="-_.~")) for k, v in sorted(query))
        headers = {"host": "%s:%d" % (self.host, self.port), "x-amz-content-sha256": digest, "x-amz-date": now}
        names = ";".join(sorted(headers))
        canonical = "\n".join([method, quoted, query] + ["%s:%s" % h for h in sorted(headers.items())] + ["", names, digest])
        scope = "%s/us-east-1/s3/aws4_request" % now[:8]
        text = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        key = ("AWS4" + SECRET).encode()
        for part in scope.split("/"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        headers["authorization"] = "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s" % (
            ACCESS, scope, names, hmac.new(key, text.encode(), hashlib.sha256).hexdigest())
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        connection.request(method, quoted + ("?" + query if query else ""), body, headers)
        reply = connection.getresponse()
        got = reply.status, reply.read()
        connection.close()
        return got

    def unfinished(self):
        """Keys of uploads that were begun and neither completed nor given up."""
        status, body = self.ask("GET", "/bucket", [("uploads", "")])
        assert status == 200, body
        return re.findall("<Upload>.*?<Key>(.*?)</Key>", body.decode(), re.S)

    def begin_upload(self, key):
        status, body = self.ask("POST", "/bucket/" + key, [("uploads", "")])
        assert status == 200, body


def env_of(endpoint):
    return {"AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent", "AWS_CONFIG_FILE": "/nonexistent", "AWS_REGION": "us-east-1"}


REPLIES = {  # kind: (status, code)
    "500": (500, "InternalError"), "503": (503, "SlowDown"), "429": (429, "TooManyRequests"), "timeout": (400, "RequestTimeout"),
    "skew": (403, "RequestTimeTooSkewed"), "denied": (403, "AccessDenied"), "expired": (400, "ExpiredToken"), "200": (200, "InternalError"),
    "region": (400, "AuthorizationHeaderMalformed")}


class Proxy:
    """In front of an S3 server. `fault(request)` is asked for each request and gives a kind, or None:
    drop (no reply, the server never sees it), lost (the server does it, the reply is lost), cut (half of the reply's body), stall (the
    reply does not come), delay, flip (a bit of the request's body), reset, unconditional (If-None-Match is ignored), or one of REPLIES."""

    def __init__(self, t, upstream):
        self.upstream, self.fault, self.requests, self.faults = upstream, lambda request: None, [], 0
        self.lock = threading.Lock()
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(64)
        self.port = self.listener.getsockname()[1]
        self.env = env_of("http://127.0.0.1:%d" % self.port)
        threading.Thread(target=self.serve, daemon=True).start()
        t.on_close(self.listener.close)

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(client,), daemon=True).start()

    def talk(self, client):
        with client, client.makefile("rb") as reader:
            try:
                while self.one(client, reader):
                    pass
            except (OSError, ValueError):
                pass

    def one(self, client, reader):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = reader.readline()
            if not line:
                return False
            head += line
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        body = reader.read(int(length.group(1))) if length else b""
        method, target = head.split(b" ")[:2]
        with self.lock:
            request = {"n": len(self.requests) + 1, "method": method.decode(), "target": target.decode(), "size": len(body),
                       "head": head.decode().lower()}
            self.requests.append(request)
            kind = self.fault(request)
            request["fault"] = kind
            self.faults += kind is not None
        if kind == "drop":
            return False
        if kind == "reset":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            return False
        if kind in REPLIES:
            status, code = REPLIES[kind]
            text = "<?xml version=\"1.0\"?><Error><Code>%s</Code><Message>made by the proxy</Message>%s</Error>" % (
                code, "<Region>eu-test-1</Region>" if kind == "region" else "")
            text = "" if request["method"] == "HEAD" else text
            client.sendall(("HTTP/1.1 %d X\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\nContent-Length: %d\r\n\r\n%s" % (status, len(text), text)).encode())
            return True
        if kind == "flip" and body:
            body = body[:len(body) // 2] + bytes([body[len(body) // 2] ^ 16]) + body[len(body) // 2 + 1:]
        if kind == "unconditional" and b"if-none-match" in head.lower():  # as if the server overwrote whatever is there
            self.upstream.ask("DELETE", urllib.parse.unquote(request["target"]))
        if kind == "delay":
            time.sleep(0.3)
        return self.forward(client, head, body, request["method"], kind)

    def forward(self, client, head, body, method, kind):
        with socket.create_connection(("127.0.0.1", self.upstream.port)) as server, server.makefile("rb") as reply:
            server.sendall(head + body)
            answer = b""
            while not answer.endswith(b"\r\n\r\n"):
                line = reply.readline()
                if not line:
                    return False
                answer += line
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", answer)
            left = int(length.group(1)) if length and method != "HEAD" else 0
            if not length and b"chunked" in answer.lower():
                rest = self.chunked(reply)
                answer = re.sub(rb"(?i)transfer-encoding:[^\r]*\r\n", b"", answer)[:-2] + b"Content-Length: %d\r\n\r\n" % len(rest)
            else:
                rest = reply.read(left)
            if kind == "lost":
                return False
            if kind == "stall":
                time.sleep(5)
                return False
            if kind == "cut":
                client.sendall(answer + rest[:len(rest) // 2])
                return False
            client.sendall(answer + rest)
            return True

    @staticmethod
    def chunked(reply):
        out = b""
        while True:
            size = int(reply.readline().split(b";")[0], 16)
            out += reply.read(size)
            reply.readline()
            if not size:
                return out


def once_each(kind):
    """Each different request fails when it is sent for the first time."""
    seen = set()

    def fault(request):
        key = request["method"], request["target"]
        if key in seen:
            return None
        seen.add(key)
        return kind
    return fault
