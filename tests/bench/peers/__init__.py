# SPDX-License-Identifier: Apache-2.0
"""Other programs on the same topic in the same run, where they can be had; else a line that says why not.

All write the same dozen columns into public.peer, named as in the events; the cost is as it was sent, except the
Python one's. Each is stopped after its number of rows or LIMIT_S. The rate is taken between the first and the last
commit, as for spendlog; CPU between the first rows that were seen and the last: neither a start nor imports count.
"""
import functools
import os
import shutil
import subprocess
import tempfile
import time
from collections import namedtuple

from bench.processes import largest_rss_mb, tree_cpu_s

FOLDER = os.path.dirname(os.path.abspath(__file__))
ENVIRONMENT = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}  # asks nobody for a newer one
LIMIT_S = 120
POLL_S = 0.2
PYTHON = os.environ.get("PEER_PYTHON", "python3")
TELEGRAF = shutil.which(os.environ.get("PEER_TELEGRAF", "telegraf"))
RSYSLOGD = shutil.which("rsyslogd", path=os.environ.get("PATH", "") + ":/usr/sbin")

TABLE = """
DROP TABLE IF EXISTS public.peer;
CREATE TABLE public.peer (
    litellm_call_id text {key}, time timestamptz, model text, custom_llm_provider text,
    metadata_user_api_key_hash text, metadata_user_api_key_team_id text, end_user text, prompt_tokens bigint,
    completion_tokens bigint, total_tokens bigint, metadata_usage_object_prompt_tokens_details_cached_tokens bigint,
    response_cost double precision)"""

RATE = """
WITH b AS (SELECT pg_xact_commit_timestamp(xmin) AS at, count(*) AS rows FROM public.peer GROUP BY 1)
SELECT coalesce((sum(rows) - (SELECT rows FROM b ORDER BY at LIMIT 1))
                / nullif(extract(epoch FROM max(at) - min(at)), 0), 0) FROM b"""


def said_on_failure(argv):
    try:
        done = subprocess.run(argv, capture_output=True, text=True, env=ENVIRONMENT, timeout=LIMIT_S)
    except (OSError, subprocess.TimeoutExpired) as why:
        return str(why)
    return "" if done.returncode == 0 else (done.stderr + done.stdout).strip()[-300:] or f"exit {done.returncode}"


def configured(name, words):
    """The file of a peer with its @words@ filled in."""
    with open(os.path.join(FOLDER, name)) as template:
        text = template.read()
    for word, value in words.items():
        text = text.replace(f"@{word}@", value)
    path = os.path.join(words["folder"], name)
    with open(path, "w") as filled:
        filled.write(text)
    return path


@functools.cache
def python_missing():
    failed = said_on_failure([PYTHON, "-c", "import confluent_kafka, litellm, psycopg"])
    return failed and f"no confluent_kafka, litellm and psycopg for {PYTHON} (PEER_PYTHON)"


def telegraf_missing():
    return "" if TELEGRAF else "no telegraf in PATH (PEER_TELEGRAF)"


@functools.cache
def rsyslog_missing():
    if not RSYSLOGD:
        return "no rsyslogd"
    with tempfile.TemporaryDirectory() as folder:
        path = configured("rsyslog.conf", {"folder": folder, "workers": "1"})
        failed = said_on_failure([RSYSLOGD, "-N1", "-f", path])
    return failed and "rsyslogd without imkafka, mmjsonparse or ompgsql: " + " ".join(failed.split())


def python_argv(words):
    return [PYTHON, os.path.join(FOLDER, "python_litellm.py"), words["brokers"], words["topic"], words["group"],
            words["conninfo"]]


def telegraf_argv(words):
    return [TELEGRAF, "--config", configured("telegraf.conf", words)]


def rsyslog_argv(words, workers):
    return [RSYSLOGD, "-n", "-f", configured("rsyslog.conf", {**words, "workers": str(workers)}),
            "-i", os.path.join(words["folder"], "rsyslog.pid")]


# rows: how many are enough; key: of the column of ids; wanted: how many times as fast 2 lanes are at least.
Peer = namedtuple("Peer", "name missing argv rows key wanted lacks")
PEERS = (
    Peer("Telegraf, COPY", telegraf_missing, telegraf_argv, 100000, "", 4, "no price, no key, no exactly once"),
    Peer("rsyslog, 1 worker, INSERT ON CONFLICT", rsyslog_missing, lambda words: rsyslog_argv(words, 1), 50000,
         "PRIMARY KEY", 14, "no price, no exactly once"),
    Peer("rsyslog, 2 workers, INSERT ON CONFLICT", rsyslog_missing, lambda words: rsyslog_argv(words, 2), 50000,
         "PRIMARY KEY", 14, "no price, no exactly once"),
    Peer("Python with litellm, COPY, INSERT ON CONFLICT", python_missing, python_argv, 40000, "PRIMARY KEY", 30,
         "floats, no items of a price, no exactly once"),
)


def stop(child):
    child.terminate()
    try:
        child.wait(10)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def sample(bench, child, rows):
    return {"rows": rows, "own": tree_cpu_s(child.pid), "postgres": tree_cpu_s(bench.postgres_pid),
            "rss": largest_rss_mb(child.pid)}


def watch(bench, child, enough):
    """Samples of when the first rows were seen and of the end; (None, None) of a program that wrote none."""
    first = last = None
    ends = time.monotonic() + LIMIT_S
    while child.poll() is None and time.monotonic() < ends and not (last and last["rows"] >= enough):
        time.sleep(POLL_S)
        rows = int(bench.sql("SELECT count(*) FROM public.peer")[0][0])
        last = sample(bench, child, rows) if rows > 0 else None
        first = first or last
    return first, last


def measure(bench, peer, topic):
    folder = bench.servers.folder
    words = {"brokers": bench.servers.brokers, "topic": topic, "group": f"peer-{time.time_ns()}",
             "conninfo": bench.conninfo, "uri": "postgresql:///?" + "&".join(bench.conninfo.split()), "folder": folder}
    enough = min(peer.rows, bench.events[topic] // 2)  # what is read ahead is then there at both ends of the clock
    bench.empty()
    bench.sql(TABLE.format(key=peer.key))
    with open(os.path.join(folder, "peer.log"), "w+") as log:
        child = subprocess.Popen(peer.argv(words), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=ENVIRONMENT)
        try:
            first, last = watch(bench, child, enough)
            rate = float(bench.sql(RATE)[0][0])
        finally:
            stop(child)
        log.seek(0)
        result = {"rate": rate, "rows": 0, "enough": enough, "said": " ".join(log.read()[-300:].split())}
    bench.sql("DROP TABLE public.peer")
    return {**result, **spent(first, last)} if last else result


def spent(first, last):
    million = (last["rows"] - first["rows"]) / 1e6
    return {"rows": last["rows"], "rss": last["rss"],
            **{what: (last[what] - first[what]) / million for what in ("own", "postgres") if million}}


def runs(bench, topic):
    """{("peer", name): function} of those that are here, to be run in turn with others."""
    return {("peer", peer.name): lambda p=peer: measure(bench, p, topic) for peer in PEERS if not peer.missing()}


def row(peer, result, lanes):
    times = lanes / result["rate"]
    name = peer.name if result["rows"] >= result["enough"] else f"{peer.name}, stopped at {result['rows']:,} rows"
    cpu = [f"{result[what]:.0f}" if what in result else "" for what in ("own", "postgres")]
    met = "yes" if times >= peer.wanted else "no"
    cells = [name, f"{result['rate']:,.0f}", f"{times:.1f}", f">= {peer.wanted}", met, *cpu, f"{result['rss']:.0f}",
             peer.lacks]
    return "| " + " | ".join(cells) + " |"


def report(results):
    """Lines of the report: a table of those that wrote rows, the reason of each that did not."""
    table, reasons = [], []
    for peer in PEERS:
        result = results.get(("peer", peer.name))
        if result is None:
            reasons.append(f"{peer.name}: skipped, {peer.missing()}.")
        elif result["rate"] == 0:
            reasons.append(f"{peer.name}: failed with {result['rows']:,} rows (it had {LIMIT_S} s): {result['said']}")
        else:
            table.append(row(peer, result, results["run", "small", 2]["rate"]))
    head = ["| other programs | events/s | 2 lanes are so many times as fast | wanted | met | own CPU s/M | "
            "PostgreSQL CPU s/M | RSS MB | what they do not do |",
            "| --- | ---: | ---: | ---: | --- | ---: | ---: | ---: | --- |"]
    return (head + table + [""] if table else []) + reasons
