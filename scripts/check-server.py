#!/usr/bin/env python3
"""Asks anneal-server what browsers, programs and strangers may ask it: check-server.py ANNEAL

Runs: a folder of 1,000, names that lead out of it, other hosts, methods, tokens, a run that is followed. A model: answers,
many at the same time, files that are too large or none, what is refused with 503. Broken requests must not end the server.
"""

import concurrent.futures
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse

anneal = os.path.abspath(sys.argv[1])
here = os.path.dirname(os.path.abspath(__file__))
fashion = "/usr/share/datasets/fashion-mnist"
problems = []


def check(what, condition, found=""):
    if not condition:
        problems.append(f"{what}: {found}")


def run(*arguments, **more):
    return subprocess.run([anneal, *arguments], capture_output=True, text=True, check=True, **more)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    def __init__(self, *flags):
        self.port = free_port()
        self.process = subprocess.Popen([anneal, "serve", "--port", str(self.port), *flags], stderr=subprocess.PIPE, text=True)
        self.greeting = self.process.stderr.readline()

    def ask(self, target, method="GET", body=None, headers=None, host=None):
        """Status, headers and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            connection.putrequest(method, target, skip_host=host is not None)
            if host:
                connection.putheader("Host", host)
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders()
            if body:
                connection.send(body)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()

    def raw(self, data):
        """What a connection gives for these bytes within two seconds."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
            found = b""
            try:
                connection.sendall(data)
                while piece := connection.recv(65536):
                    found += piece
            except OSError:
                pass
            return found

    def close(self):
        self.process.terminate()
        return self.process.wait(timeout=30)


def broken(server, what):
    """Requests that are none."""
    for data in [b"", b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
                 b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: -5\r\n\r\n",
                 b"POST /predict HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 99999999999999999999\r\n\r\nx",
                 b"POST /predict HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 5000000\r\n\r\nx",
                 b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
                 b"GET /%zz?%=%&&name HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
                 b"GET /run?name=%ff%fe%00 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", os.urandom(5000)]:
        answer = server.raw(data)
        check(f"{what}: {data[:40]}", not answer or answer.startswith(b"HTTP/1.1 4") or answer.startswith(b"HTTP/1.1 5"),
              answer[:60])
    check(what, server.process.poll() is None, "the server has ended")
    check(what, server.ask("/healthz")[0] == 200, "it does not answer any more")


def runs(folder):
    subprocess.run([f"{here}/sample-runs.py", f"{folder}/samples"], check=True)
    for number in range(998):
        shutil.copytree(f"{folder}/samples/half-written", f"{folder}/runs/group {number % 10}/run {number}")
    for name in ("epochs-300", "hostile"):
        shutil.copytree(f"{folder}/samples/{name}", f"{folder}/runs/{name}")
    shutil.copytree(f"{folder}/samples/epochs-300", f"{folder}/secret")
    server = Server("--runs", f"{folder}/runs")
    try:
        begin = time.time()
        status, headers, body = server.ask("/")
        print(f"1,000 runs: {len(body)} bytes in {time.time() - begin:.2f} s")
        check("all runs", status == 200 and body.count(b'href="/run?name=') == 1000, body.count(b'href="/run?name='))
        check("headers", headers["X-Content-Type-Options"] == "nosniff" and headers["X-Frame-Options"] == "DENY", headers)
        name = urllib.parse.quote("group 1/run 1", safe="")
        check("a run", server.ask(f"/run?name={name}")[0] == 200)
        check("a form's spaces", server.ask("/compare?run=epochs-300&run=group+1%2Frun+1")[0] == 200)
        for target in ["/run?name=../secret", "/run?name=..%2Fsecret", "/run?name=%2E%2E%2Fsecret", "/run?name=/etc", "/run?name=",
                       "/run?name=group%201/../../secret", "/run?name=epochs-300/", "/run?name=group%201", "/secret",
                       "/runs/epochs-300/arguments.json", "/events?name=..%2Fsecret", "/compare?run=epochs-300&run=..%2Fsecret"]:
            check(target, server.ask(target)[0] == 404, server.ask(target)[0])
        for target in [b"/../secret/arguments.json", b"/%2e%2e/secret", b"//etc/passwd", b"http://evil.example/"]:
            answer = server.raw(b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            check(target, not answer.startswith(b"HTTP/1.1 200") or target == b"http://evil.example/", answer[:60])
        for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", "x"]:
            check(f"host {host}", server.ask("/", host=host)[0] == 403)
        for method in ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"]:
            check(method, server.ask("/", method, body=b"x" * 5_000_000)[0] == 405)
        answer = server.raw(b"GET /events?name=epochs-300 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        check("events of a run that is over", answer.count(b"data: {") == 1 and b'"state":"interrupted"' in answer, answer[:200])
        broken(server, "runs")
        second = subprocess.run([anneal, "serve", "--runs", folder, "--port", str(server.port)], capture_output=True, text=True)
        check("a port in use", second.returncode == 1 and "give another --port" in second.stderr, second.stderr)
    finally:
        server.close()


def follow(folder):
    """A run that trains is told of as it goes, also if a listener goes away."""
    training = subprocess.Popen([
        anneal, "train", "--network", "lenet", "--image-shape", "1,28,28", "--data-train", f"{folder}/fashion.rec", "--val-split",
        "0.1", "--pad-size", "0", "--num-epochs", "1000", "--batch-size", "64", "--run-folder", f"{folder}/live/run", "--quiet"],
        # A shell's background job ignores it, and so would this process.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    server = Server("--runs", prepared(f"{folder}/live"))
    try:
        while not os.path.exists(f"{folder}/live/run/status.json"):
            time.sleep(0.1)
        with listener(server) as connection:
            found = b""
            begin = time.time()
            while time.time() - begin < 6:
                found += connection.recv(65536)
        check("events", found.count(b"data: {") >= 3 and b'"state":"running"' in found and b"images/s" in found, found[-300:])
        with listener(server) as connection:
            training.send_signal(signal.SIGINT)
            found = b""
            while piece := connection.recv(65536):
                found += piece
        check("the end", b'"state":"interrupted"' in found, found[-300:])
        check("a page afterwards", server.ask("/run?name=run")[0] == 200)
    finally:
        training.kill()
        training.wait()
        server.close()


def listener(server):
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    connection.sendall(b"GET /events?name=run HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    return connection


def prepared(folder):
    os.makedirs(folder, exist_ok=True)
    return folder


def tokens(folder):
    refused = subprocess.run([anneal, "serve", "--runs", folder, "--address", "0.0.0.0", "--port", str(free_port())],
                             capture_output=True, text=True)
    check("no token", refused.returncode == 1 and "--token new" in refused.stderr, refused.stderr)
    server = Server("--runs", f"{folder}/runs", "--address", "0.0.0.0", "--token", "new")
    try:
        token = server.greeting.strip().rpartition("token=")[2]
        check("a new token", len(token) == 32, server.greeting)
        arguments = open(f"/proc/{server.process.pid}/cmdline").read()
        check("the token among the arguments", token not in arguments, arguments)
        check("without the token", server.ask("/")[0] == 401)
        check("with another", server.ask("/?token=" + "x" * 32)[0] == 401)
        status, headers, _ = server.ask(f"/?token={token}")
        cookie = (headers["Set-Cookie"] or "").split(";")[0]
        check("with it", status == 303 and "HttpOnly" in (headers["Set-Cookie"] or ""), status)
        check("with the cookie", server.ask("/", headers={"Cookie": cookie})[0] == 200)
        check("in a header", server.ask("/run?name=epochs-300", headers={"Authorization": f"Bearer {token}"})[0] == 200)
        check("by a number", server.ask("/", headers={"Cookie": cookie}, host="192.168.1.7:80")[0] == 200)
        check("by a strange name", server.ask("/", headers={"Cookie": cookie}, host="evil.example")[0] == 403)
    finally:
        server.close()


def model(folder):
    run("import-mnist", "--images", f"{fashion}/t10k-images-idx3-ubyte.gz", "--labels", f"{fashion}/t10k-labels-idx1-ubyte.gz",
        f"{folder}/fashion")
    run("train", "--network", "lenet", "--image-shape", "1,28,28", "--data-train", f"{folder}/fashion.rec", "--val-split", "0.1",
        "--pad-size", "0", "--num-epochs", "1", "--lr", "0.02", "--rgb-mean", "72.9", "--rgb-std", "90", "--batch-size", "64",
        "--run-folder", f"{folder}/trained", "--quiet")
    run("export-images", f"{folder}/fashion.rec", f"{folder}/images")
    names = sorted(os.path.join(parent, name) for parent, _, files in os.walk(f"{folder}/images") for name in files
                   if name.endswith((".png", ".jpg")))[:64]
    images = [open(name, "rb").read() for name in names]
    lines = run("predict", "--model", f"{folder}/trained", "--load-epoch", "best", "--top", "1", "--format", "json", *names).stdout
    expected = [json.loads(line) for line in lines.splitlines()]
    server = Server("--model", f"{folder}/trained", "--load-epoch", "best", "--max-megabytes", "1")
    try:
        print(server.greeting.strip())
        begin = time.time()
        one = [server.ask("/predict?top=1", "POST", image) for image in images]
        sequential = time.time() - begin
        with concurrent.futures.ThreadPoolExecutor(32) as pool:
            begin = time.time()
            many = list(pool.map(lambda image: server.ask("/predict?top=1", "POST", image), images))
        print(f"{len(images)} images: {sequential:.2f} s one by one, {time.time() - begin:.2f} s together")
        check("together", [answer[0] for answer in many] == [200] * len(images) and
              [answer[2] for answer in many] == [answer[2] for answer in one], "other answers")
        found = [json.loads(answer[2])["predictions"][0]["class"] for answer in one]
        check("predict's answers", found == [line["predictions"][0]["class"] for line in expected], expected[:1])
        check("too large", server.ask("/predict", "POST", b"\xff\xd8" + b"x" * 3_000_000)[0] == 413)
        check("no image", server.ask("/predict", "POST", b"hello")[0] == 400)
        check("nothing", server.ask("/predict", "POST", b"")[0] == 400)
        check("GET", server.ask("/predict")[0] == 405)
        check("another site", server.ask("/predict", "POST", images[0], {"Sec-Fetch-Site": "cross-site"})[0] == 403)
        classes = json.loads(server.ask("/model")[2])
        check("the model", classes["image_shape"] == [1, 28, 28] and len(classes["classes"]) == 10, classes)
        metrics = server.ask("/metrics")[2].decode()
        check("metrics", f"anneal_requests_answered_total {2 * len(images)}\n" in metrics and
              "anneal_requests_failed_total 3\n" in metrics and "anneal_requests_waiting 0\n" in metrics, metrics)
        broken(server, "model")
    finally:
        server.close()
    server = Server("--model", f"{folder}/trained", "--load-epoch", "best", "--max-waiting", "2", "--batch-size", "2")
    try:
        # A slow sender occupies a place.
        slow = []
        for _ in range(2):
            slow.append(socket.create_connection(("127.0.0.1", server.port)))
            slow[-1].sendall(b"POST /predict HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 100000\r\n\r\n" + b"x" * 50_000)
        time.sleep(0.5)
        status, headers, _ = server.ask("/predict", "POST", images[0])
        check("too many", status == 503 and headers["Retry-After"] == "1", status)
        check("health meanwhile", server.ask("/healthz")[0] == 200)
        for connection in slow:
            connection.close()
        time.sleep(0.5)
        check("afterwards", server.ask("/predict", "POST", images[0])[0] == 200)
    finally:
        server.close()


with tempfile.TemporaryDirectory() as folder:
    runs(folder)
    tokens(folder)
    model(folder)
    follow(folder)
for problem in problems:
    print(problem)
print(f"{len(problems)} problems")
sys.exit(1 if problems else 0)
