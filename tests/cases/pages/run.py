#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The examples of the documents, run: what a page says that a command prints is what it prints.

    run.py SPENDLOG [--write] [PAGE]...     ends 1 when any comes out otherwise; --write mends the pages

A page is docs/gateways/*.md, docs/troubleshooting.md, or a manual's EXAMPLES. Each has a folder of its own. A fenced block with a name after
its language (```json event.json) is that file; a block of ```console holds commands, each a line with `$ ` in front, and what each prints on
standard output and then on standard error, `[exit N]` at the end when it does not end with 0. In a manual, `.Bd -literal` with `$ ` in it is such a block, and
one without is a file named by the line `.Pa NAME :` above it, or, without that, commands that want servers: here those have to end for
the lack of them, not for their options or the configuration.
"""
import glob
import json
import os
import re
import subprocess
import sys
import tempfile

import yaml

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../.."))
FENCE = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.M | re.S)
LITERAL = re.compile(r"(?:^\.Pa (\S+) :\n)?^\.Bd -literal[^\n]*\n(.*?)^\.Ed$", re.M | re.S)
EXAMPLES = re.compile(r"^\.Sh EXAMPLES\n(.*?)^\.Sh ", re.M | re.S)


def pages():
    found = sorted(glob.glob(os.path.join(ROOT, "docs/gateways/*.md")) + glob.glob(os.path.join(ROOT, "docs/troubleshooting.md")))
    return found + sorted(glob.glob(os.path.join(ROOT, "docs/*.[0-9]")))


def blocks(path, text):
    """(language, name or None, content, place of the content in the page) of each block."""
    if path.endswith(".md"):
        return [(m[1], m[2], m[3], m.span(3)) for m in FENCE.finditer(text)]
    section = EXAMPLES.search(text)
    found = []
    for m in LITERAL.finditer(text, *section.span(1)) if section else ():
        kind = "console" if m[2].startswith("$ ") else "file" if m[1] else "servers"
        found.append((kind, m[1], m[2], m.span(2)))
    return found


def roff(path, content):
    """A manual's text as it is read."""
    return content if path.endswith(".md") else content.replace("\\e", "\\").replace("\\&", "").replace("\\-", "-")


def escaped(path, content):
    if path.endswith(".md"):
        return content
    return re.sub(r"^(?=[.'])", r"\\&", content.replace("\\", "\\e"), flags=re.M)


def settled(printed):
    """Without what is another with every mapping and every price that comes: numbers of tests, names of price books."""
    return re.sub(r"price book [0-9a-f]{64}", "price book", re.sub(r"\d+ mapping tests", "mapping tests", printed))


def commands(content):
    """The commands of a block, in order; one that ends in a backslash or opens a here-document goes on."""
    lines, found = content.splitlines(), []
    while lines:
        line = lines.pop(0)
        if not line.startswith("$ "):
            continue
        command = [line[2:]]
        end = re.search(r"<<'?(\w+)'?", line)
        while lines and (command[-1].endswith("\\") or (end and command[-1] != end[1])):
            command.append(lines.pop(0))
        found.append("\n".join(command))
    return found


def run(command, folder, program):
    """What the command prints, and how it ends when not with 0."""
    home = os.path.join(folder, ".bin")
    os.makedirs(home, exist_ok=True)
    if not os.path.lexists(os.path.join(home, "spendlog")):
        os.symlink(os.path.abspath(program), os.path.join(home, "spendlog"))
    environment = {"PATH": f"{home}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8", "TZ": "UTC", "HOME": folder,
                   "PGPORT": "1"}
    done = subprocess.run(["sh", "-c", command], cwd=folder, env=environment, stdin=subprocess.DEVNULL, text=True,
                          capture_output=True, check=False)
    return done.stdout + done.stderr + (f"[exit {done.returncode}]\n" if done.returncode else "")


def broken(name, content):
    """What is wrong with the text of a file whose form its name says, or None."""
    try:
        if name.endswith((".yaml", ".yml")):
            list(yaml.safe_load_all(content))
        elif name.endswith(".json"):
            json.loads(content)
    except ValueError as wrong:
        return str(wrong)
    except yaml.YAMLError as wrong:
        return str(wrong)
    return None


def refused(content, folder, program):
    """What is wrong with commands that want servers, there being none."""
    asked = [f"{line} -c spendlog.yaml" for line in content.replace("\\\n", " ").splitlines()]
    ends = [(line, run(line, folder, program)) for line in asked]
    return [f"{line}\n{said}" for line, said in ends if not said.endswith("[exit 69]\n")]


def walk(path, text, folder, program):
    """(place, what is printed) of each block of commands, and what is wrong with the files."""
    printed, wrong = [], []
    for language, name, content, place in blocks(path, text):
        if language == "console":
            printed.append((place, "".join(f"$ {c}\n{run(c, folder, program)}" for c in commands(roff(path, content)))))
        elif language == "servers":
            wrong += [f"{os.path.relpath(path, ROOT)}: {fault}" for fault in refused(roff(path, content), folder, program)]
        elif name:
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(roff(path, content))
            fault = broken(name, roff(path, content))
            wrong += [f"{os.path.relpath(path, ROOT)}: {name}: {fault}"] if fault else []
    return printed, wrong


def check(path, program, write):
    """(blocks of commands, what is wrong)."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    with tempfile.TemporaryDirectory() as folder:
        printed, wrong = walk(path, text, folder, program)
    if "/gateways/" in path and "README" not in path and not printed:
        wrong.append(f"{os.path.relpath(path, ROOT)}: no example")
    if text.count("```console") > len(printed):
        wrong.append(f"{os.path.relpath(path, ROOT)}: a block of commands that is not run (it has to begin and end at the left)")
    for (start, end), got in reversed(printed):
        said = roff(path, text[start:end])
        if settled(said) == settled(got):
            continue
        if write:
            text = text[:start] + escaped(path, got) + text[end:]
        else:
            wrong.append(f"{os.path.relpath(path, ROOT)}: the page says\n{said}and it is\n{got}")
    if write:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    return len(printed), wrong


def main(program, words):
    write = "--write" in words
    chosen = [os.path.abspath(word) for word in words if word != "--write"] or pages()
    results = [check(path, program, write) for path in chosen]
    wrong = [fault for _, faults in results for fault in faults]
    print("\n".join(wrong + [f"{len(chosen)} pages, {sum(n for n, _ in results)} examples run, {len(wrong)} wrong"]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
