#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What is said of the first thing beyond a limit: configurations, cost maps and arguments, through the binary.

    run.py SPENDLOG [NAME]...

Each row of ROWS is a test: what is made of a number n, and what must be said of the first n that is too many.
The limit itself is read from docs/limits.md, from the row that names the test: with n at the limit nothing is
said, with one more it is. So a limit that moves takes its test along.
"""
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import namedtuple

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
USAGE, DATA, CONFIG = 64, 65, 78

# name: as in docs/limits.md; make: n to (files, arguments); code and said: of one beyond; least: an n at which
# nothing is said, where the limit itself is not one (two limits meet, or the limit costs minutes)
Row = namedtuple("Row", "name make code said least", defaults=(None,))


# --- what is made -------------------------------------------------------------------------------

def config(text, **files):
    """`check --offline` of a configuration."""
    return {"spendlog.yaml": text, **files}, ["check", "--offline", "-c", "spendlog.yaml"]


def cost_map(text, *command):
    return ({"spendlog.yaml": "pricing: {cost_map: map.json}\n", "map.json": text},
            [*(command or ("check", "--offline")), "-c", "spendlog.yaml"])


def models(text):
    """`check --offline` of a LiteLLM configuration."""
    return config("pricing: {litellm_config: litellm.yaml}\n", **{"litellm.yaml": text})


def entry(**members):
    return json.dumps({"m": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1e-6,
                             "output_cost_per_token": 1e-6, **members}})


def sized(text, bytes_, filler="#"):
    return text + filler * (bytes_ - len(text) - 1) + "\n"


def secret(n):
    return config("postgres: file:secret\n", secret="x" * n)


def secret_path(n):
    return config("postgres: file:" + "/" * (n - 6) + "secret\n", secret="x")


def deployments(n, params="", info=""):
    lines = (f"- {{model_name: m{i}, litellm_params: {{model: openai/gpt-4o{params}}}{info}}}\n" for i in range(n))
    return "model_list:\n" + "".join(lines)


def editions(n):
    """n moments at which prices change, the beginning of time being one."""
    lines = [f"- {{model_name: m{i}, litellm_params: {{model: openai/gpt-4o, input_cost_per_token: 1e-6}}, "
             f"model_info: {{effective_from: '20{i // 336:02d}-{i // 28 % 12 + 1:02d}-{i % 28 + 1:02d}T00:00:00Z'}}}}\n"
             for i in range(n - 1)]
    return models("model_list:\n" + "".join(lines))


def includes(n):
    files = {f"i{i}.yaml": "model_list: []\n" for i in range(n - 1)}
    listed = "".join(f"- {name}\n" for name in files)
    return config("pricing: {litellm_config: litellm.yaml}\n", **{"litellm.yaml": "include:\n" + listed}, **files)


def bands(n):
    """An entry of n prices."""
    members = {f"input_cost_per_token_above_{i + 1}k_tokens": 1e-6 for i in range(n - 3)}  # beside two rates and the mode
    return cost_map(entry(**members))


def tiers(n):
    """n kinds of a price key; seven are known."""
    return cost_map(entry(**{f"input_cost_per_token_{chr(97 + i) * 4}": 1e-6 for i in range(n - 7)}))


def unknown_keys(n):
    return cost_map(entry(**{f"input_cost_per_furlong_{i}_cost": 1e-6 for i in range(n)}))


def misplaced(n):
    return models("model_list: []\n" + "".join(f"input_cost_per_token_above_{i + 1}k_tokens: 1\n" for i in range(n)))


def nested_lists(n):
    """A cost map whose innermost value is n deep: the map and the entry are two, the value itself one."""
    return cost_map(entry(supported_regions=json.loads("[" * (n - 3) + "1" + "]" * (n - 3))))


def lists_within_lists(n):
    """n levels, the record being one."""
    value = "/v"
    for _ in range(n - 1):
        value = f"{{sum: /l, of: {value}}}"
    return config(f"mappings:\n- name: m\n  keep: ''\n  fields: {{input_tokens: {value}}}\n")


def mappings(n):
    """n of them, with the built-in ones."""
    builtin = 0
    for name in os.listdir(os.path.join(ROOT, "ingest/mappings")):
        with open(os.path.join(ROOT, "ingest/mappings", name), encoding="utf-8") as file:
            builtin += len(re.findall("^- name:", file.read(), re.MULTILINE))
    lines = (f"- {{name: m{i}, keep: '', fields: {{model: /m}}}}\n" for i in range(n - builtin))
    return config("mappings:\n" + "".join(lines))


def shown_value(n):
    """A test of a mapping that finds a value of n - 1 characters."""
    return config("mappings:\n- name: m\n  keep: ''\n  fields: {model: /m}\n"
                  f"  tests: [{{message: '{{\"m\":\"{'x' * (n - 1)}\"}}', expect: [{{model: y}}]}}]\n")


def whole_file(n):
    return {"event.json": n}, ["price", "event.json"]


def arguments(*words):
    """A database that is not there: what is wrong with arguments is said before."""
    return {"spendlog.yaml": "postgres: host=/nonexistent\n"}, [*words, "-c", "spendlog.yaml"]


ROWS = (
    Row("a_secret_is_bounded", secret, CONFIG, "secret: larger than 64 KiB"),
    Row("the_path_of_a_secret_is_bounded", secret_path, CONFIG, "File name too long", 100),
    Row("a_yaml_file_is_bounded", lambda n: config(sized("lanes: 1\n", n)), CONFIG, "spendlog.yaml: larger than 64 MiB", 9999),
    Row("a_cost_map_is_bounded", lambda n: cost_map(sized(entry(), n, " ")), CONFIG, "larger than 64 MiB", 9999),
    Row("a_name_of_a_model_is_bounded", lambda n: cost_map(entry().replace('"m"', '"' + "m" * (n - 1) + '"')), CONFIG,
        "map.json:1: a name of more than 511 bytes"),
    Row("prices_of_an_entry_are_bounded", bands, CONFIG, '"m" has more than 192 prices'),
    Row("depth_of_a_cost_map_ends_at_64", nested_lists, CONFIG, "map.json:1: nested too deep"),
    Row("moments_of_prices_are_bounded", editions, CONFIG, "prices change at more than 4096 moments", 20),
    Row("included_files_are_bounded", includes, CONFIG, "more than 64 files"),
    Row("deployments_are_bounded", lambda n: models(deployments(n)), CONFIG, "more than 100000 deployments", 100),
    Row("kinds_of_a_price_key_are_bounded", tiers, 0, "looks like money and is not known"),
    Row("unknown_keys_beyond_those_named_are_counted", unknown_keys, 0, "1 more keys"),
    Row("misplaced_keys_beyond_those_named_are_counted", misplaced, 0, "1 more keys"),
    Row("lists_within_lists_are_bounded", lists_within_lists, CONFIG, "lists within lists too deep"),
    Row("a_long_value_in_an_error_says_that_it_is_cut", shown_value, CONFIG, "xxx..., expected y"),
    Row("mappings_are_bounded", mappings, CONFIG, "more than 512 mappings"),
    Row("a_file_that_is_one_value_is_bounded", whole_file, DATA, "event.json: a value over several lines in more than", 9999),
    Row("dimensions_of_a_report_are_bounded", lambda n: arguments("report", "--by", ",".join(["model"] * n)), USAGE,
        "--by: at most 4 dimensions"),
    Row("words_of_a_filter_are_bounded", lambda n: arguments("reprice", "--dry-run", *["--model", "m"] * n), USAGE,
        "--model: at most 64 times"),
    Row("days_of_retention_are_bounded", lambda n: arguments("retention", "set", str(n)), USAGE, "36500"),
)


# --- running them -------------------------------------------------------------------------------

def limits():
    """Value of each limit by the test that tries it."""
    values, found = {}, {}
    with open(os.path.join(ROOT, "docs/limits.md"), encoding="utf-8") as page:
        for line in page:
            cells = [cell.strip().strip("`") for cell in line.strip().strip("|").split("|")]
            if len(cells) == 5 and re.fullmatch(r"[0-9A-Zu_<>+() ]+", cells[2]):
                values[cells[1]] = found[cells[4]] = eval(re.sub(r"(\d)u", r"\1", cells[2]), {"UINT16_MAX": 65535}, values)
    return found


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        if isinstance(text, int):  # a hole of so many bytes behind a value that has no end
            file.write("{\n")
            file.truncate(text)
        else:
            file.write(text)


def outcome(program, made):
    files, arguments_ = made
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            write(os.path.join(folder, name), text)
        done = subprocess.run([os.path.abspath(program), *arguments_], cwd=folder, capture_output=True, text=True,
                              check=False, env={"PATH": os.environ["PATH"]})
    return done.returncode, done.stdout + done.stderr


def check(program, row, limit):
    """What is wrong, or None."""
    if limit is None:
        return "docs/limits.md names no limit that it tries"
    code, text = outcome(program, row.make(row.least or limit))
    if row.said in text:
        return f"with {row.least or limit}: said already: {text[-400:]}"
    code, text = outcome(program, row.make(limit + 1))
    if code != row.code or row.said not in text:
        return f"with {limit + 1}: exit {code}, not {row.code} and \"{row.said}\": {text[-400:]}"
    return None


def main(program, names):
    known, failed = limits(), 0
    for row in (row for row in ROWS if not names or row.name in names):
        wrong = check(program, row, known.get(row.name))
        failed += wrong is not None
        if wrong:
            print(f"{row.name}: {wrong}")
    print(f"{len(names or ROWS)} limits met through the command line, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
