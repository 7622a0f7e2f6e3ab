# SPDX-License-Identifier: Apache-2.0
"""A copy of the tree, in which a text is replaced for a while: of guards that are broken, faults that are planted."""
import contextlib
import glob
import os
import shutil
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def sources_of(folder):
    """The product's own files, by which texts are looked for."""
    return [path for path in glob.glob(os.path.join(folder, "**/*.[ch]"), recursive=True)
            if not os.path.relpath(path, folder).startswith(("tests/", "build/", ".local/"))]


def texts_missing(tables):
    """Of each (name, edits): a text that stands nowhere, or in several places, once those before it are replaced."""
    contents = []
    for path in sources_of(ROOT):
        with open(path, encoding="utf-8") as file:
            contents.append(file.read())
    for name, edits in tables:
        texts = contents
        for text, instead in edits:
            count = sum(content.count(text) for content in texts)
            if count != 1:
                yield f"{name}: a text stands in {count} places: {text[:60]!r}"
                break
            texts = [content.replace(text, instead) for content in texts]


def print_texts_missing(script, tables):
    for line in texts_missing(tables):
        print(f"{script}: {line}")
    return 0


class Copy:
    """The tree and what is built of it, in a folder that goes away."""

    def __init__(self, folder, processes):
        self.folder, self.processes = folder, processes
        names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True,
                               check=True).stdout.splitlines()
        for name in names:
            if os.path.isfile(os.path.join(ROOT, name)):
                os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
                shutil.copy2(os.path.join(ROOT, name), os.path.join(folder, name))
        if os.path.isdir(os.path.join(ROOT, "build/release")):
            subprocess.run(["cp", "-a", "--parents", "build/gen", "build/release", folder], cwd=ROOT, check=True)
        self.sources = sources_of(folder)

    def find(self, text):
        """The one file that holds it, and its content."""
        found = []
        for path in self.sources:
            with open(path, encoding="utf-8") as file:
                content = file.read()
            found += [(path, content)] * content.count(text)
        if len(found) != 1:
            raise ValueError(f"a text stands in {len(found)} places: mend the table: {text[:60]!r}")
        return found[0]

    @contextlib.contextmanager
    def replaced(self, edits):
        """Each (text, instead of it), until the block ends."""
        before = {}
        try:
            for text, instead in edits:
                path, content = self.find(text)
                before.setdefault(path, content)
                with open(path, "w", encoding="utf-8") as file:
                    file.write(content.replace(text, instead))
            yield
        finally:
            for path, content in before.items():
                with open(path, "w", encoding="utf-8") as file:
                    file.write(content)

    def build(self, target):
        built = subprocess.run(["make", f"-j{self.processes}", target], cwd=self.folder, capture_output=True, text=True, check=False)
        if built.returncode != 0:
            raise ValueError(f"does not build: {built.stderr.strip()[-400:]}")
