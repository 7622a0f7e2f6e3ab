#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Writes pricing/map/lists.def from an installed LiteLLM: the closed lists that the rules refer to by name. Its providers
are rows of core/providers.def: new ones get a generic row there, one that is gone and has rules of its own is told
and stays, for a person to judge.

    tests/oracle/closed_lists.py VERSION [--check]

--check writes nothing: it tells what differs from the file and exits 1 if anything does. The tables that are code
(aliases, hosts, capability rules) are printed when they differ from another version's: --against VERSION.
"""
import argparse
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.dirname(HERE))
sys.dont_write_bytecode = True

from oracle import place  # noqa: E402

FILE = os.path.join(ROOT, "pricing", "map", "lists.def")
PROVIDERS = os.path.join(ROOT, "core", "providers.def")
GENERIC = 'PROVIDER({id}, "{name}", other, keyed, sized, plain, 0, NO_ALIAS)\n'
HEAD = """/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Closed lists of LiteLLM {version} that the rules refer to by name, written by tests/oracle/closed_lists.py:
 * not to be edited. Each list is sorted by byte, which a test checks: lists.c looks words up by
 * bisection. Origin: pricing/data/README.md.
 *
 *     LITELLM("version")         where they come from
 *     VISIBLE("key")             price keys the formulas see; others in an entry are dead (section 3)
 *     CUSTOM("key")              keys that make a deployment custom-priced (section 5.2)
 *     NON_INFERENCE("call type") calls that are never billed (section 2, rule 3), without "a"
 *     BEDROCK_REGION("region")   first path segment of a regional Bedrock name
 *     BEDROCK_GEO("prefix")      cross-region prefixes, before the first "."
 *     REPLICATE("model")         names that are billed as Replicate hardware when they are not a map key
 */
"""


def lists_of(version):
    done = subprocess.run([place.environment(version), os.path.join(HERE, "litellm_lists.py")], env=place.clean_environment("/tmp"),
                          capture_output=True, text=True, check=True)
    told = "".join(line + "\n" for line in done.stderr.splitlines() if ": not where it was" in line)
    sys.stderr.write(told)
    return json.loads(done.stdout)


def text_of(version, words):
    blocks = [f"#ifdef {name}\n" + "".join(f'{name}("{word}")\n' for word in found) + "#endif\n"
              for name, found in words.items()]
    return HEAD.format(version=version) + "\n".join([f'#ifdef LITELLM\nLITELLM("{version}")\n#endif\n', *blocks])


def generic_row(name):
    return GENERIC.format(id=re.sub("[^A-Z0-9]", "_", name.upper()), name=name)


def rows_of_providers():
    """What is before the rows, each row by its name, what is behind."""
    with open(PROVIDERS) as source:
        text = source.read()
    start = text.index("#ifdef PROVIDER\n") + len("#ifdef PROVIDER\n")
    end = text.index("#if", start)
    rows = {row.split('"')[1]: row for row in re.findall(r'^PROVIDER\(.*?\)\n(?=PROVIDER|\Z)', text[start:end], re.M | re.S)}
    assert text[start:end] == "".join(rows.values()), "core/providers.def: rows that cannot be read"
    return text[:start], rows, text[end:]


def merge_providers(rows, names):
    """The rows with new providers added and gone ones removed, unless they have rules of their own."""
    merged = {name: rows.get(name, generic_row(name)) for name in names}
    for name in set(rows) - set(names):
        if rows[name] != generic_row(name):
            print(f"provider {name}: not in this LiteLLM, and its row has rules of its own: it stays")
            merged[name] = rows[name]
    return {name: merged[name] for name in sorted(merged)}


def move_providers(names, write):
    """Whether the table differs; written if asked."""
    head, rows, tail = rows_of_providers()
    merged = merge_providers(rows, names)
    for sign, some in (("+", set(merged) - set(rows)), ("-", set(rows) - set(merged))):
        for name in sorted(some):
            print(f"{sign} provider {name}")
    if write:
        with open(PROVIDERS, "w") as out:
            out.write(head + "".join(merged.values()) + tail)
    return merged != rows


def words_of_file():
    found = {}
    with open(FILE) as source:
        for name, word in re.findall(r'^([A-Z_]+)\("(.*)"\)$', source.read(), re.M):
            found.setdefault(name, []).append(word)
    return found


def tell_words(old, new):
    differ = False
    for name, words in new.items():
        for sign, some in (("+", set(words) - set(old.get(name, ()))), ("-", set(old.get(name, ())) - set(words))):
            differ |= bool(some)
            for word in sorted(some):
                print(f"{sign} {name} {word}")
    return differ


def tell_tables(against, version, tables):
    for name, table in lists_of(against)["tables"].items():
        if table != tables[name]:
            print(f"table {name}\n  {against}: {json.dumps(table)}\n  {version}: {json.dumps(tables[name])}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("version")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--against", help="a version whose tables to compare with")
    options = parser.parse_args()
    found, old = lists_of(options.version), words_of_file()
    words = {name: found["words"].get(name) or old[name] for name in old if name != "LITELLM"}
    differ = tell_words(old, words)
    if found["providers"]:
        differ |= move_providers(found["providers"], not options.check)
    if options.against:
        tell_tables(options.against, options.version, found["tables"])
    if not options.check:
        with open(FILE, "w") as out:
            out.write(text_of(options.version, words))
    return 1 if options.check and differ else 0


if __name__ == "__main__":
    sys.exit(main())
