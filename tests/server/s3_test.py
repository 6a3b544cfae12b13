"""Dumps that lie in an object store: a real S3 server, and a proxy in front of it that makes faults."""

import glob
import http.server
import json
import os
import resource
import signal
import subprocess
import threading

import compare
import data
import ferry
from case import quick, soak
from s3 import ACCESS, SECRET, Proxy, S3, env_of, once_each


def make_source(t, rows=3000):
    """Small rows with and without a key, and a table whose one file is an upload of several parts."""
    source = t.server("mariadb")
    db = t.database(source, "objects", options="CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
    data.fill_random(source, db, "keyed", rows, t.seed)
    data.fill_random(source, db, "keyless", rows // 3, t.seed + 1, keyed=False)
    source.run("USE objects", "RENAME TABLE keyless TO `a+b %41 日本/é`", "CREATE TABLE wide (id int PRIMARY KEY, v longtext)",
               "INSERT INTO wide SELECT seq, REPEAT(MD5(seq), 300) FROM seq_1_to_1300")
    return source, db


def dump(source, url, env, *more, **options):
    return ferry.run("dump", "--source", source.url, "--output", url, "-f", "objects.*", "--compress", "none", "-t", "2", *more, env=env, **options)


def loads_equal(t, source, url, env, *more):
    target = t.server("mysql")
    t.gone_after(target, "objects")
    ferry.run("load", "--target", target.url, "--input", url, "-t", "4", *more, env=env).must()
    compare.same_database(source, target, "objects")
    return target


@quick
def test_dump_verify_load(t):
    source, _ = make_source(t)
    s3 = S3(t)
    url = "s3://bucket/a%20place/日本"
    empty = t.path("empty")
    os.mkdir(empty)
    r = dump(source, url, s3.env, "-v", cwd=empty).must()
    assert not os.listdir(empty), "files were left in the working folder"
    assert SECRET not in r.out + r.err and ACCESS not in r.out + r.err
    ferry.run("status", url, env=s3.env).must(0, "state: finished")
    ferry.run("verify", "--input", url, env=s3.env).must(0, "0 faults")
    ferry.run("position", "--input", url, env=s3.env).must(0, "position: ")
    dump(source, url, s3.env).must(2, "FERRY-DUMP-FINISHED")
    loads_equal(t, source, url, s3.env)
    assert s3.unfinished() == []
    for path in glob.glob(s3.path("a place", "**"), recursive=True):
        if os.path.isfile(path):
            with open(path, "rb") as f:
                assert SECRET.encode() not in f.read(), path
    assert not os.path.exists(s3.path("a place", "日本", "ferry.lock"))


def every_request_fails_once(t, kinds):
    """Whatever happens to a request when it is sent for the first time, dump and load are whole."""
    source, _ = make_source(t, 300)
    s3 = S3(t)
    proxy = Proxy(t, s3)
    for kind in kinds:
        proxy.fault = once_each(kind)
        proxy.faults = 0
        url = "s3://bucket/" + kind
        dump(source, url, proxy.env).must()
        loads_equal(t, source, url, proxy.env)
        t.say("%s: %d requests failed" % (kind, proxy.faults))
        assert proxy.faults > 20, proxy.requests
        assert s3.unfinished() == [], kind


def test_every_request_fails_once(t):
    every_request_fails_once(t, ("lost", "cut", "503", "flip"))


@soak
def test_every_request_fails_in_other_ways(t):
    every_request_fails_once(t, ("drop", "reset", "500", "429", "timeout", "delay"))


def test_replies_that_hold_an_error(t):
    """CompleteMultipartUpload says 200 and then that it failed; a stalled reply; a bucket in another region; a wrong clock."""
    source, _ = make_source(t, 300)
    s3 = S3(t)
    proxy = Proxy(t, s3)
    proxy.fault = lambda request: once(request) if request["method"] == "POST" and "uploadId" in request["target"] else None
    once = once_each("200")
    dump(source, "s3://bucket/late", proxy.env).must()
    assert proxy.faults == 1
    stalls = once_each("stall")
    proxy.fault = lambda request: stalls(request) if "wide" in request["target"] else None
    dump(source, "s3://bucket/stall?timeout=1", proxy.env).must()
    loads_equal(t, source, "s3://bucket/stall?timeout=1", proxy.env)
    assert s3.unfinished() == []
    proxy.fault = lambda request: "skew"
    dump(source, "s3://bucket/skew", proxy.env).must(1, ["FERRY-STORE-DENIED", "this machine's clock is", "before the server's"])
    proxy.fault = lambda request: "denied"
    dump(source, "s3://bucket/denied", proxy.env).must(1, ["FERRY-STORE-DENIED", "AccessDenied: made by the proxy"])
    proxy.fault = once_each("region")  # taken up; this server then does not know that region
    dump(source, "s3://bucket/region", proxy.env, "-v").must(1, ["store.s3.region", "eu-test-1"])
    dump(source, "s3://nobucket/x", s3.env).must(1, "there is no bucket 'nobucket'")
    dump(source, "s3://bucket/x", dict(s3.env, AWS_SECRET_ACCESS_KEY="wrong")).must(1, ["FERRY-STORE-DENIED", "SignatureDoesNotMatch"])
    dump(source, "s3://bucket/x", env_of("http://127.0.0.1:1")).must(75, ["FERRY-STORE-UNAVAILABLE", "given up after 3 tries"])


def test_server_that_ignores_conditions(t):
    """Every PUT overwrites: said, done without, and a second dumper is still refused."""
    source, _ = make_source(t, 300)
    s3 = S3(t)
    proxy = Proxy(t, s3)
    proxy.fault = lambda request: "unconditional"
    first = ferry.start(["dump", "--source", source.url, "--output", "s3://bucket/x", "-f", "objects.*", "--compress", "none", "-t", "2"],
                        env=dict(proxy.env, FERRY_FAULT_PAUSE="dump.before-end:6"), program=ferry.fault_binary())
    ferry.wait_until(lambda: glob.glob(s3.path("x", "metadata")), what="the dump")
    dump(source, "s3://bucket/x", proxy.env).must(1, "FERRY-LOCKED")
    out, err = first.communicate(timeout=60)
    assert first.returncode == 0, err
    assert b"store.s3.unconditional" in err, err
    proxy.fault = lambda request: None
    loads_equal(t, source, "s3://bucket/x", s3.env)


def test_dump_killed_at_each_step(t):
    """Killed at each step, continued with another working folder; no uploads are left, and those of others are left alone."""
    source, _ = make_source(t, 2000)
    s3 = S3(t)
    s3.begin_upload("elsewhere/x")
    for step in ("store.object.upload-begun", "store.object.part-sent", "store.object.before-complete", "store.object.completed",
                 "dump.chunk.before-finish", "dump.chunk.after-record:3", "manifest.before-segment:2", "manifest.after-segment:2", "dump.before-end"):
        url = "s3://bucket/" + step.replace(":", "-").replace(".", "-")
        args = ("dump", "--source", source.url, "--output", url, "-f", "objects.*", "--compress", "none", "-t", "2", "--chunk-size", "12MiB")
        ferry.run_fault(step, *args, env=s3.env)
        if step == "store.object.part-sent":
            assert len(s3.unfinished()) == 2, s3.unfinished()
        if step == "dump.before-end":
            ferry.run("load", "--target", source.url, "--input", url, "--wait", "0", env=s3.env).must(5, "FERRY-DUMP-INCOMPLETE")
        folder = t.path("folder-" + step)
        os.mkdir(folder)
        ferry.run(*args, env=s3.env, cwd=folder).must()
        assert s3.unfinished() == ["elsewhere/x"], (step, s3.unfinished())
        ferry.run("verify", "--input", url, env=s3.env).must(0, "0 faults")
    loads_equal(t, source, url, s3.env)


def test_load_goes_on_in_the_middle(t):
    """A load from S3 that is killed goes on within a file."""
    source, _ = make_source(t, 6000)
    s3 = S3(t)
    for compress in ("none", "zstd"):
        url = "s3://bucket/" + compress
        dump(source, url, s3.env, "--compress", compress).must()
        target = t.server("mysql")
        t.gone_after(target, "objects")
        args = ("load", "--target", target.url, "--input", url, "-t", "3", "--batch-rows", "200")
        for step in ("load.after-commit:9", "load.after-load:5", "load.before-done"):
            ferry.run_fault(step, *args, env=s3.env)
        ferry.run(*args, env=s3.env).must()
        compare.same_database(source, target, "objects")


def test_changed_objects_are_refused(t):
    source, _ = make_source(t, 300)
    s3 = S3(t)
    dump(source, "s3://bucket/x", s3.env).must()
    path = s3.path("x", "objects.wide.000000001.sql")
    with open(path, "rb") as f:
        whole = f.read()
    target = t.server("mysql")
    t.gone_after(target, "objects")
    for name, changed in (("a bit", whole[:9000000] + bytes([whole[9000000] ^ 1]) + whole[9000001:]), ("cut", whole[:-1]), ("longer", whole + b"\n")):
        with open(path, "wb") as f:
            f.write(changed)
        ferry.run("verify", "--input", "s3://bucket/x", env=s3.env).must(5, "objects.wide.000000001.sql")
        ferry.run("load", "--target", target.url, "--input", "s3://bucket/x", env=s3.env).must(5, "objects.wide.000000001.sql")
    with open(path, "wb") as f:
        f.write(whole)
    ferry.run("load", "--target", target.url, "--input", "s3://bucket/x", env=s3.env).must()
    compare.same_database(source, target, "objects")


class Metadata(http.server.BaseHTTPRequestHandler):
    """An instance's metadata service (second version) and a container's agent."""

    def do_PUT(self):
        self.answer("a-session" if self.path == "/latest/api/token" and self.headers["x-aws-ec2-metadata-token-ttl-seconds"] else None)

    def do_GET(self):
        keys = json.dumps({"AccessKeyId": ACCESS, "SecretAccessKey": SECRET, "Expiration": self.server.expires})
        role = "/latest/meta-data/iam/security-credentials/"
        self.server.seen.append(self.path)
        if self.path == "/keys":
            self.answer(keys if self.headers["authorization"] == "the token" else None)
        elif self.path.startswith(role) and self.headers["x-aws-ec2-metadata-token"] == "a-session":
            self.answer(keys if self.path == role + "mover" else "mover")
        else:
            self.answer(None)

    def answer(self, text):
        self.send_response(200 if text else 401)
        self.end_headers()
        self.wfile.write((text or "").encode())

    def log_message(self, *args):
        pass


def test_keys_of_roles_and_files(t):
    """An instance's role, a container's, a profile; keys that expire are fetched again while the dump runs."""
    source, _ = make_source(t, 300)
    s3 = S3(t)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Metadata)
    server.expires, server.seen = "2100-01-01T00:00:00Z", []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    t.on_close(server.shutdown)
    host = "http://127.0.0.1:%d" % server.server_port
    none = {k: v for k, v in s3.env.items() if "KEY" not in k}
    dump(source, "s3://bucket/instance", dict(none, AWS_EC2_METADATA_SERVICE_ENDPOINT=host + "/")).must()
    assert len([p for p in server.seen if p.endswith("mover")]) == 1, server.seen
    server.expires, server.seen = "2000-01-01T00:00:00Z", []
    dump(source, "s3://bucket/expiring", dict(none, AWS_EC2_METADATA_SERVICE_ENDPOINT=host)).must()
    assert len([p for p in server.seen if p.endswith("mover")]) > 10, server.seen
    server.expires, server.seen = "2100-01-01T00:00:00Z", []
    with open(t.path("token"), "w") as f:
        f.write("the token\n")
    container = dict(none, AWS_CONTAINER_CREDENTIALS_FULL_URI=host + "/keys", AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=t.path("token"))
    dump(source, "s3://bucket/container", container).must()
    assert server.seen == ["/keys"]
    proxy = Proxy(t, s3)
    proxy.fault = once_each("expired")
    dump(source, "s3://bucket/expired", dict(container, AWS_ENDPOINT_URL=proxy.env["AWS_ENDPOINT_URL"])).must()
    with open(t.path("credentials"), "w") as f:
        f.write("[mover]\naws_access_key_id = %s\naws_secret_access_key = %s\n" % (ACCESS, SECRET))
    files = dict(none, AWS_SHARED_CREDENTIALS_FILE=t.path("credentials"), AWS_EC2_METADATA_DISABLED="true")
    dump(source, "s3://bucket/url?profile=mover", files).must()
    dump(source, "s3://bucket/variable", dict(files, AWS_PROFILE="mover")).must()
    dump(source, "s3://bucket/none", files).must(1, "FERRY-STORE-CREDENTIALS")
    dump(source, "s3://bucket/none", dict(none, AWS_EC2_METADATA_SERVICE_ENDPOINT=host + "/nothing")).must(1, "FERRY-STORE-CREDENTIALS")


def test_tls_and_hosts_of_buckets(t):
    """A server behind TLS, by an authority of our own, by path and by the bucket's own host; without the authority it is refused."""
    source, _ = make_source(t, 300)

    def openssl(*args):
        subprocess.run(["openssl"] + list(args), check=True, cwd=t.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-keyout", "ca.key", "-out",
            "ca.pem", "-subj", "/CN=an authority of the test's")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "s3.key", "-out", "s3.csr", "-subj", "/CN=s3")
    with open(t.path("names"), "w") as f:
        f.write("subjectAltName=DNS:localhost,DNS:bucket.localhost\n")
    openssl("x509", "-req", "-in", "s3.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names", "-out",
            "s3.pem")
    s3 = S3(t, "127.0.0.1", "--cert", t.path("s3.pem"), "--key", t.path("s3.key"), "--virtual-domain", "localhost")
    env = env_of("https://localhost:%d" % s3.port)
    ca = "ca-bundle=" + t.path("ca.pem")
    dump(source, "s3://bucket/path?" + ca, env).must()
    dump(source, "s3://bucket/host?force-path-style=false&" + ca, env).must()
    assert os.path.exists(s3.path("host", "metadata")), os.listdir(s3.path())
    loads_equal(t, source, "s3://bucket/host?force-path-style=false", dict(env, AWS_CA_BUNDLE=t.path("ca.pem")))
    dump(source, "s3://bucket/unknown", env).must(1, "FERRY-STORE-TLS")
    named = env_of("https://127.0.0.1:%d" % s3.port)
    dump(source, "s3://bucket/name?" + ca, named).must(1, "FERRY-STORE-TLS")
    assert not os.path.exists(s3.path("unknown")) and not os.path.exists(s3.path("name"))


def test_headers_of_objects(t):
    """Encryption, class and access are asked for with each object: a PUT, and an upload of parts."""
    source, _ = make_source(t, 300)
    proxy = Proxy(t, S3(t))
    dump(source, "s3://bucket/x?sse=aws:kms&sse-kms-key-id=a-key&storage-class=STANDARD_IA&acl=bucket-owner-full-control", proxy.env).must()
    made = [r for r in proxy.requests if r["method"] == "PUT" and "partNumber" not in r["target"] or r["target"].endswith("?uploads=")]
    assert len(made) > 8 and sum(r["target"].endswith("?uploads=") for r in made) == 1, [r["target"] for r in proxy.requests]
    for r in made:
        for header in ("x-amz-server-side-encryption: aws:kms", "x-amz-server-side-encryption-aws-kms-key-id: a-key",
                       "x-amz-storage-class: standard_ia", "x-amz-acl: bucket-owner-full-control"):
            assert header in r["head"], (header, r["head"])


def test_secrets_stay_secret(t):
    """Keys in a URL are refused and overwritten; what runs leaves no core file."""
    source, _ = make_source(t, 300)
    s3 = S3(t)
    for url in ("s3://bucket/x?access-key=%s&secret-access-key=%s" % (ACCESS, SECRET), "s3://%s:%s@bucket/x" % (ACCESS, SECRET)):
        r = dump(source, url, s3.env).must(2)
        assert SECRET not in r.out + r.err and ACCESS not in r.out + r.err
    process = ferry.start(["dump", "--source", source.url, "--output", "s3://bucket/x", "-f", "objects.*"], cwd=t.folder,
                          env=dict(s3.env, FERRY_FAULT_PAUSE="dump.before-end:5"), program=ferry.fault_binary(),
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)))
    ferry.wait_until(lambda: glob.glob(s3.path("x", "metadata")), what="the dump")
    with open("/proc/%d/cmdline" % process.pid, "rb") as f:
        assert SECRET.encode() not in f.read()
    process.send_signal(signal.SIGABRT)
    _, status = os.waitpid(process.pid, 0)
    process.returncode = -signal.SIGABRT
    assert os.WTERMSIG(status) == signal.SIGABRT and not os.WCOREDUMP(status)


@soak
def test_store_that_stays_down(t):
    source, _ = make_source(t, 300)
    proxy = Proxy(t, S3(t))
    proxy.fault = lambda request: "503"
    dump(source, "s3://bucket/down", proxy.env).must(75, ["FERRY-STORE-UNAVAILABLE", "SlowDown", "given up after 10 tries"])


@soak
def test_every_request_fails_in_turn(t):
    """The n-th request and all behind it fail for a while, n to the end."""
    source, _ = make_source(t, 30)
    s3 = S3(t)
    proxy = Proxy(t, s3)
    for kind in ("drop", "lost", "cut", "503"):
        n, last = 1, 1 << 30
        while n <= last:
            proxy.requests.clear()
            proxy.fault = lambda request, n=n, kind=kind: kind if n <= request["n"] < n + 3 else None
            url = "s3://bucket/%s-%d" % (kind, n)
            dump(source, url, proxy.env).must()
            ferry.run("verify", "--input", url, env=proxy.env).must()
            last = len(proxy.requests)
            n += 1
        assert s3.unfinished() == []


def test_objects_are_finished_in_the_background(t):
    """One thread has several PUTs on their way, and what could not be written has no record."""
    source = t.server("mariadb")
    t.database(source, "objects")
    source.run("USE objects", *["CREATE TABLE t%d AS SELECT seq id FROM seq_1_to_10" % i for i in range(12)])
    s3 = S3(t)
    proxy = Proxy(t, s3)
    seen, alone, changed = [], [], threading.Condition()

    def forward(client, head, body, method, kind):
        """Holds rows' PUTs back until three are there."""
        if method == "PUT" and b".000000001.sql" in head.split(b"\r\n")[0]:
            with changed:
                seen.append(head)
                changed.notify_all()
                alone.append(not changed.wait_for(lambda: len(seen) >= 3, 20))
        return Proxy.forward(proxy, client, head, body, method, kind)

    proxy.forward = forward
    args = ("-t", "1")
    dump(source, "s3://bucket/x", proxy.env, *args).must()
    assert not any(alone), "a thread waits for its object"
    ferry.run("verify", "--input", "s3://bucket/x", env=s3.env).must(0, "0 faults")
    proxy.fault = lambda request: "denied" if request["method"] == "PUT" and "t7.000000001" in request["target"] else None
    dump(source, "s3://bucket/y", proxy.env, *args).must(1, ["FERRY-STORE-DENIED", "objects.t7.000000001"])
    for path in glob.glob(s3.path("y", "ferry.manifest", "*")):
        with open(path, encoding="utf-8") as f:
            assert "t7.000000001" not in f.read()
    proxy.fault = lambda request: None
    dump(source, "s3://bucket/y", proxy.env, *args).must()
    ferry.run("verify", "--input", "s3://bucket/y", env=s3.env).must(0, "0 faults")
    assert s3.unfinished() == []
