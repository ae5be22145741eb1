#!/usr/bin/env python3
"""Checks README and documentation: check-docs.py ANNEAL [--no-run]

- Links inside the repository lead to files and headings that are there.
- Every `anneal` command in a block of shell is one, with flags that it has.
- Blocks after `<!-- run -->` run, in one folder for each document.
- Documentation/commands.md is what the tool says of itself (else a warning: make reference).
"""

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
import urllib.parse

root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
anneal = os.path.abspath(sys.argv[1])
runs = "--no-run" not in sys.argv
files = subprocess.run(["git", "-C", root, "ls-files", "*.md"], capture_output=True, text=True, check=True).stdout.split("\n")
documents = [name for name in files if name and not name.startswith("Tests/")]
problems = []


def anchors(text):
    """Headings as GitHub names them."""
    found, seen = set(), {}
    for line in re.sub(r"```.*?```", "", text, flags=re.S).split("\n"):
        match = re.match(r"#+ +(.*)", line)
        if not match:
            continue
        plain = re.sub(r"[`*_]", "", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", match[1])).strip().lower()
        name = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        count = seen.get(name, 0)
        seen[name] = count + 1
        found.add(name if count == 0 else f"{name}-{count}")
    return found


def check_links(name, text):
    plain = re.sub(r"`[^`\n]*`", "", re.sub(r"```.*?```", "", text, flags=re.S))
    for link in re.findall(r"\]\(([^)\s]+)\)", plain):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = os.path.normpath(os.path.join(root, os.path.dirname(name), urllib.parse.unquote(path))) if path else os.path.join(root, name)
        if not os.path.exists(target):
            problems.append(f"{name}: {link} is not there")
        elif anchor and target.endswith(".md") and anchor not in anchors(open(target).read()):
            problems.append(f"{name}: {link}: no such heading")


def commands():
    dump = json.loads(subprocess.run([anneal, "--experimental-dump-help"], capture_output=True, text=True, check=True).stdout)
    found = {}

    def flags(command):
        names = [flag for argument in command.get("arguments") or [] for flag in argument.get("names") or []]
        return {flag["name"] for flag in names if flag["kind"] == "long"}

    for command in dump["command"]["subcommands"]:
        found[command["commandName"]] = flags(command)
        for inner in command.get("subcommands") or []:
            found[command["commandName"] + " " + inner["commandName"]] = flags(inner)
    for name in ("resume", "verify-resume"):
        found[name] |= found["train"] | found["fine-tune"]
    return found


known = commands()


def lines(block):
    """Commands of a block of shell, continued lines joined."""
    return [line.strip() for line in block.replace("\\\n", " ").split("\n") if line.strip()]


def check_command(name, line):
    try:
        words = shlex.split(line, comments=True)
    except ValueError as error:
        problems.append(f"{name}: {line}: {error}")
        return
    if not words or words[0] != "anneal":
        return
    ends = [index for index, word in enumerate(words) if word in ("|", ";", "&&", ">")]
    words = words[:ends[0]] if ends else words
    if len(words) < 2 or words[1].startswith("-") or words[1] == "help" or not re.fullmatch(r"[a-z-]+", words[1]):
        return
    if words[1] not in known:
        problems.append(f"{name}: no command {words[1]}: {line}")
        return
    # `anneal launch` ends in a command of its own.
    if words[1] == "launch" and "anneal" in words[2:]:
        inner = words.index("anneal", 2)
        check_command(name, shlex.join(words[inner:]))
        words = words[:inner]
    command = " ".join(words[1:3]) if " ".join(words[1:3]) in known else words[1]
    flags = known[command]
    for word in words[2:]:
        match = re.match(r"--([a-z][a-z0-9-]*)", word)
        if not match or match[1] in ("help", "help-all"):
            continue
        near = [flag for flag in flags if flag.startswith(match[1])]
        if match[1] not in flags and len(near) != 1:
            problems.append(f"{name}: anneal {words[1]} has no --{match[1]}: {line}")


def run_blocks(name, text):
    blocks = re.findall(r"<!-- run -->\n+```sh\n(.*?)```", text, flags=re.S)
    if not blocks or not runs:
        return 0
    begin = time.time()
    with tempfile.TemporaryDirectory() as folder:
        environment = dict(os.environ, PATH=f"{os.path.dirname(anneal)}:{os.environ['PATH']}")
        for block in blocks:
            result = subprocess.run(["bash", "-euo", "pipefail", "-c", block], cwd=folder, env=environment,
                                    capture_output=True, text=True)
            if result.returncode != 0:
                problems.append(f"{name}: exit {result.returncode} of:\n{block}{result.stdout[-1000:]}{result.stderr[-2000:]}")
                break
    print(f"{name}: {len(blocks)} blocks run in {time.time() - begin:.0f} s")
    return time.time() - begin


seconds = 0
for name in documents:
    text = open(os.path.join(root, name)).read()
    check_links(name, text)
    for block in re.findall(r"```sh\n(.*?)```", text, flags=re.S):
        for line in lines(block):
            check_command(name, line)
    seconds += run_blocks(name, text)
if seconds > 180:
    problems.append(f"the marked blocks took {seconds:.0f} s: more than 180")

with tempfile.TemporaryDirectory() as folder:
    made = os.path.join(folder, "commands.md")
    subprocess.run([anneal, "command-reference", made], check=True, capture_output=True)
    kept = os.path.join(root, "Documentation/commands.md")
    if not os.path.exists(kept) or open(kept).read() != open(made).read():
        print("warning: Documentation/commands.md is of another version of the tool: make reference")

for problem in problems:
    print(problem)
print(f"{len(documents)} documents, {len(problems)} problems")
sys.exit(1 if problems else 0)
