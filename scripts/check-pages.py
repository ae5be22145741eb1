#!/usr/bin/env python3
"""Looks at pages in headless Chromium: check-pages.py ANNEAL RUNS [--screenshots FOLDER]

RUNS holds runs with a report.html each. With anneal-server next to ANNEAL its pages are looked at too, 1,000 runs among them.
"""

import base64
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

anneal, runs = sys.argv[1:3]
shots = sys.argv[sys.argv.index("--screenshots") + 1] if "--screenshots" in sys.argv else None
problems = []
FIRST_CURVE = 100  # milliseconds since navigation began
SIZE = 300_000  # bytes without images


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Browser:
    """As much of WebDriver's protocol as is needed."""

    def __init__(self):
        port = free_port()
        self.process = subprocess.Popen(["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL)
        self.base = f"http://127.0.0.1:{port}"
        for _ in range(100):
            try:
                urllib.request.urlopen(f"{self.base}/status", timeout=5).read()
                break
            except OSError:
                time.sleep(0.1)
        options = {"args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-device-scale-factor=1"]}
        made = self.call("POST", "/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}}})
        self.session = f"/session/{made['sessionId']}"

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        return json.load(urllib.request.urlopen(request, timeout=120))["value"]

    def do(self, path, body=None):
        return self.call("POST", self.session + path, body or {})

    def cdp(self, command, **parameters):
        return self.do("/goog/cdp/execute", {"cmd": command, "params": parameters})

    def run(self, script):
        return self.do("/execute/sync", {"script": script, "args": []})

    def show(self, address, width, height, dark):
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500)
        self.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.do("/url", {"url": address})

    def errors(self):
        return [entry["message"] for entry in self.do("/se/log", {"type": "browser"}) if entry["level"] in ("SEVERE", "WARNING")]

    def picture(self):
        return base64.b64decode(self.call("GET", self.session + "/screenshot"))

    def close(self):
        try:
            self.call("DELETE", self.session)
        finally:
            self.process.terminate()
            self.process.wait()


def check(name, condition, found):
    if not condition:
        problems.append(f"{name}: {found}")


def keep(browser, name):
    with open(f"{shots}/{name}.png", "wb") as file:
        file.write(browser.picture())


def look(browser, name, address, curves=True):
    drawn = []
    for width, height, dark in [(1280, 900, False), (1280, 900, True), (390, 844, False), (390, 844, True)]:
        what = f"{name}, {width} pixels, {'dark' if dark else 'light'}"
        browser.show(address, width, height, dark)
        errors = browser.errors()
        check(what, not errors, f"console: {errors}")
        check(what, browser.run("return window.evil === undefined"), "a name was run")
        overflow = browser.run("return document.documentElement.scrollWidth - innerWidth")
        check(what, overflow <= 0, f"{overflow} pixels too wide")
        if curves:
            time_of_curves = browser.run("return document.documentElement.dataset.drawn")
            check(what, time_of_curves is not None, "no curve was drawn")
            drawn.append(float(time_of_curves or "inf"))
        back = browser.run("return getComputedStyle(document.body).backgroundColor")
        check(what, (sum(map(int, back.strip("rgb()").split(","))) < 200) == dark, f"background {back}")
        if shots and name == "fashion":
            keep(browser, f"page-{'phone' if width < 500 else 'wide'}-{'dark' if dark else 'light'}")
            if width > 500:
                browser.run("document.getElementById('worst').scrollIntoView()")
                keep(browser, f"images-{'dark' if dark else 'light'}")
    if curves:
        # A busy machine may be slow once.
        for _ in range(6):
            if min(drawn) < FIRST_CURVE:
                break
            browser.do("/refresh")
            drawn.append(float(browser.run("return document.documentElement.dataset.drawn") or "inf"))
        check(name, min(drawn) < FIRST_CURVE, f"curves after {min(drawn)} ms")
        # By keyboard alone.
        readout = browser.run("""
            const chart = document.querySelector("[data-panel]");
            chart.focus();
            for (const key of ["ArrowRight", "ArrowRight", "End"]) chart.dispatchEvent(new KeyboardEvent("keydown", {key}));
            return chart.querySelector("output").textContent;""")
        check(name, readout and "epoch" in readout, f"the keys show {readout!r}")
        labels = browser.run("return [...document.querySelectorAll('svg')].every(one => one.getAttribute('aria-label'))")
        check(name, labels, "a curve without a description")
        print(f"{name}: curves after {min(drawn):.0f} ms; {readout}")


def served(browser):
    server = os.path.join(os.path.dirname(os.path.abspath(anneal)), "anneal-server")
    if not os.path.exists(server):
        print("skipped: anneal-server is not there (make server)")
        return
    with tempfile.TemporaryDirectory() as folder:
        for number in range(1000):
            shutil.copytree(f"{runs}/hostile" if number == 0 else f"{runs}/half-written", f"{folder}/run {number}")
        for name in ("epochs-300", "fashion"):
            if os.path.isdir(f"{runs}/{name}"):
                shutil.copytree(f"{runs}/{name}", f"{folder}/{name}")
        port = free_port()
        process = subprocess.Popen([anneal, "serve", "--runs", folder, "--port", str(port)], stderr=subprocess.PIPE, text=True)
        try:
            process.stderr.readline()
            base = f"http://localhost:{port}"
            begin = time.time()
            size = len(urllib.request.urlopen(base, timeout=60).read())
            print(f"1,002 runs: {size} bytes in {time.time() - begin:.2f} s")
            look(browser, "served", base, curves=False)
            look(browser, "served run", f"{base}/run?name=epochs-300")
            look(browser, "served comparison", f"{base}/compare?run=epochs-300&run=run%201")
        finally:
            process.terminate()
            process.wait()


if shots:
    os.makedirs(shots, exist_ok=True)
browser = Browser()
try:
    for name in sorted(os.listdir(runs)):
        page = os.path.abspath(f"{runs}/{name}/report.html")
        text = open(page, encoding="utf-8").read()
        images = sum(len(part.split('"', 1)[0]) for part in text.split("data:image/png;base64,")[1:])
        check(name, len(text.encode()) - images < SIZE, f"{len(text.encode()) - images} bytes without images")
        look(browser, name, f"file://{page}")
    served(browser)
finally:
    browser.close()
for problem in problems:
    print(problem)
print(f"{len(problems)} problems")
sys.exit(1 if problems else 0)
