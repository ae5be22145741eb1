#!/usr/bin/env python3
"""What tmux captured of a terminal, with its colours, as a page: terminal-page.py FILE"""

import html
import re
import sys

COLOURS = {"32": "#3fb950", "33": "#d29922", "36": "#39c5cf", "31": "#f85149", "90": "#8b949e"}


def styled(text):
    # tmux prints changes: a style stays until another of its kind, or 0.
    result, opened, style = [], False, {}
    for part in re.split(r"(\x1b\[[0-9;]*m)", text):
        match = re.fullmatch(r"\x1b\[([0-9;]*)m", part)
        if not match:
            result.append(html.escape(part))
            continue
        for code in (match[1] or "0").split(";"):
            if code in COLOURS:
                style["color"] = COLOURS[code]
            elif code == "39":
                style.pop("color", None)
            elif code == "1":
                style["font-weight"] = "bold"
            elif code == "2":
                style["opacity"] = ".6"
            elif code == "0":
                style = {}
        if opened:
            result.append("</span>")
        result.append(f'<span style="{";".join(f"{name}:{value}" for name, value in style.items())}">')
        opened = True
    return "".join(result) + ("</span>" if opened else "")


print('<!DOCTYPE html><meta charset="utf-8"><style>body{margin:0;padding:16px;background:#0d1117;color:#e6edf3}'
      'pre{margin:0;font:14px/1.2 "DejaVu Sans Mono",monospace}</style><pre>')
print(styled(open(sys.argv[1], encoding="utf-8").read().rstrip("\n")))
print("</pre>")
