#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the whole way costs, beside what PostgreSQL can take: `make bench`, `make bench-long`.

A real Kafka and a real PostgreSQL of its own, both of scripts/local.sh. Every figure that is compared with another
one was measured in the same run, in turn with it, best of ROUNDS: machines are noisy, ratios much less so.

    BENCH_EVENTS=200000 tests/bench/run.py [--long | --reprice | --peers | --versions] [--rounds N] [--no-write]
"""
import argparse
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness.report import Failed, wait_for  # noqa: E402
from harness.servers import ROOT, SPENDLOG, Servers, run_checked  # noqa: E402
from bench import bench_reprice, columns, peers, versions  # noqa: E402
from bench.processes import tree_cpu_s  # noqa: E402

PROGRAMS = os.path.join(ROOT, "build/release/tests/bench")
REPORT = os.path.join(ROOT, "docs/benchmarks.md")
WAIT_MS = 500
PACED_S = 15
GROW_ROWS = 500000
GROW_STEPS = (0, 1000000, 2500000, 5000000, 10000000)  # rows in the table

# What PostgreSQL gets beside scripts/local.sh: no checkpoint inside a run; when each batch was committed.
SETTINGS = {**bench_reprice.SETTINGS, "track_commit_timestamp": "on"}

# From the first commit to the last; what came with the first was read before the clock started.
RATE = """
WITH b AS (SELECT pg_xact_commit_timestamp(xmin) AS at, rows + duplicates AS records FROM spendlog.ingest_batches),
     f AS (SELECT at FROM b ORDER BY at LIMIT 1)
SELECT coalesce(sum(b.records) FILTER (WHERE b.at > f.at) / nullif(extract(epoch FROM max(b.at) - f.at), 0), 0)
FROM b, f GROUP BY f.at"""

LATENCY = """
WITH l AS (SELECT extract(epoch FROM pg_xact_commit_timestamp(b.xmin) - s.start_time AT TIME ZONE 'UTC') * 1000 AS ms
           FROM spendlog.spend_logs s JOIN spendlog.ingest_batches b USING (batch_id))
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY ms), percentile_cont(0.99) WITHIN GROUP (ORDER BY ms) FROM l"""


def say(text):
    print(text, file=sys.stderr, flush=True)


class Result(dict):
    """One measured run; `rate` decides which of several is the best."""


def best(results):
    return max(results, key=lambda result: result["rate"])


class Bench:
    def __init__(self, events, rounds):
        self.events = {"small": events, "big": events // 2}
        self.rounds = rounds
        self.servers = Servers(os.path.join(ROOT, ".local/bench"))
        self.base_us = (int(time.time()) - 3600 - 2 * events // 1000) * 1000000
        self.startup_cpu_s = 0.0

    # --- servers

    def up(self):
        self.servers.clean()  # of a run that was killed
        self.servers = Servers(self.servers.folder)
        self.servers.up()
        self.servers.postgres_set(SETTINGS)
        self.postgres_pid = int(open(os.path.join(self.servers.socket_folder, "data/postmaster.pid")).readline())
        self.broker_pid = int(open(os.path.join(self.servers.folder, "kafka/pid")).read())
        run_checked([SPENDLOG, "migrate", "-q", "-c", self.configuration("none", 1)])
        self.sql("CREATE TABLE public.l0 (LIKE spendlog.stored_rows)")
        self.partitions()

    def partitions(self, database="spend"):
        for day in range(self.base_us // 86400000000, int(time.time()) // 86400 + 1):
            self.servers.psql(database, f"SELECT spendlog.ensure_partition(DATE '1970-01-01' + {day})")

    def sql(self, text):
        return self.servers.psql("spend", text)

    @property
    def conninfo(self):
        return self.conninfo_of("spend")

    def conninfo_of(self, database):
        return f"host={self.servers.socket_folder} port=5432 user=spendlog dbname={database}"

    def configuration(self, topic, lanes, database="spend", group="bench"):
        path = os.path.join(self.servers.folder, f"{topic}-{lanes}.yaml")
        with open(path, "w") as text:
            text.write(f"kafka: {{bootstrap.servers: \"{self.servers.brokers}\", group.id: {group}}}\n"
                       f"topics:\n  - name: {topic}\n"
                       f"postgres: {self.conninfo_of(database)}\n"
                       f"lanes: {lanes}\nbatch: {{rows: 10000, wait_ms: {WAIT_MS}}}\n"
                       "storage: {retain_days: 0}\nmetrics: {listen: \"\"}\n")
        return path

    def empty(self):
        self.sql("TRUNCATE spendlog.stored_rows, spendlog.kafka_offsets, spendlog.ingest_batches, public.l0 CASCADE")
        self.sql("CHECKPOINT")

    # --- programs

    def program(self, name, *words):
        return json.loads(run_checked([os.path.join(PROGRAMS, name), *map(str, words)]) or "{}")

    def payload(self, size, *words):
        return [*(["--big"] if size == "big" else []), "--base-us", self.base_us, *words]

    def load(self, topic, size, *words):
        say(f"bench: {self.events[size]} events of size {size} into {topic}")
        self.servers.topic_create(topic, 12, retention_ms=-1)
        self.program("bench_kafka", *self.payload(size, *words), "load", self.servers.brokers, topic,
                     self.events[size])

    def consume(self, topic, size):
        before = tree_cpu_s(self.broker_pid)
        result = Result(self.program("bench_kafka", "consume", self.servers.brokers, topic, self.events[size]))
        result["broker"] = (tree_cpu_s(self.broker_pid) - before) / self.events[size] * 1e6
        return result

    def stages(self, size, *words):
        return self.program("bench_path", *self.payload(size, *words), "stages", 50000)

    def instructions(self, size):
        """Instructions per event up to and with each stage: what no noise touches. None without valgrind."""
        if not shutil.which("valgrind"):
            return None
        found = []
        for stage in ("read", "price", "encode"):
            argv = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=path_counted",
                    os.path.join(PROGRAMS, "bench_path"), *map(str, self.payload(size)), "count", "1000", stage]
            done = subprocess.run(argv, capture_output=True, text=True)
            if done.returncode != 0:
                raise Failed(f"valgrind: {done.stderr[-300:]}")
            found.append(int(re.search(r"Collected : (\d+)", done.stderr).group(1)) / 1000)
        return [found[0], found[1] - found[0], found[2] - found[1]]

    def limit(self, table, size, connections, *words):
        self.empty()
        before = tree_cpu_s(self.postgres_pid)
        result = Result(self.program("bench_path", *self.payload(size, *words), "limit", self.conninfo, table,
                                     connections, self.events[size]))
        result["postgres"] = (tree_cpu_s(self.postgres_pid) - before) / self.events[size] * 1e6
        return result

    def run_service(self, topic, lanes):
        return self.service(SPENDLOG, self.configuration(topic, lanes))

    def service(self, program, configuration):
        """CPU seconds and largest RSS in MB of a `spendlog run` that reads its topic to the end."""
        log = open(os.path.join(self.servers.folder, "spendlog.log"), "a")
        child = subprocess.Popen([program, "run", "-q", "--exit-eof", "-c", configuration],
                                 stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            raise Failed(f"spendlog run: exit {child.returncode}, see {log.name}")
        return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024

    def end_to_end(self, topic, size, lanes, keep_rows=False):
        if not keep_rows:
            self.empty()
        postgres, broker = tree_cpu_s(self.postgres_pid), tree_cpu_s(self.broker_pid)
        cpu_s, rss_mb = self.run_service(topic, lanes)
        million = self.events[size] / 1e6
        records = int(self.sql("SELECT sum(records) FROM spendlog.kafka_offsets WHERE topic = "
                               f"'{topic}'")[0][0])
        if records != self.events[size]:
            raise Failed(f"{topic}: {records} records of {self.events[size]} events")
        return Result(rate=self.rate("spend"), own=(cpu_s - self.startup_cpu_s) / million, rss=rss_mb,
                      postgres=(tree_cpu_s(self.postgres_pid) - postgres) / million,
                      broker=(tree_cpu_s(self.broker_pid) - broker) / million)

    def rate(self, database):
        return float(self.servers.psql(database, RATE)[0][0])

    def startup_measure(self, topic):
        """What starting costs, on a topic that has been read to its end."""
        self.run_service(topic, 2)
        self.startup_cpu_s = min(self.run_service(topic, 2)[0] for _ in range(2))

    def latency(self, rate):
        """From produce to commit, of events that come while the service is at work."""
        self.empty()
        topic, count = "paced", int(rate * PACED_S)
        self.servers.topic_create(topic, 12)
        log = open(os.path.join(self.servers.folder, "spendlog.log"), "a")
        service = subprocess.Popen([SPENDLOG, "run", "-q", "-c", self.configuration(topic, 2)],
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self.program("bench_kafka", "--seed", 2, "pace", self.servers.brokers, topic, 24, 1000)
            wait_for("the first rows", lambda: self.rows() == 24, 30)
            self.sql("TRUNCATE spendlog.stored_rows")
            self.program("bench_kafka", "pace", self.servers.brokers, topic, count, int(rate))
            wait_for("all paced rows", lambda: self.rows() == count, 30)
        finally:
            service.send_signal(signal.SIGTERM)
            service.wait(30)
        p50, p99 = map(float, self.sql(LATENCY)[0])
        return {"rate": int(rate), "p50": p50, "p99": p99}

    def rows(self):
        return int(self.sql("SELECT count(*) FROM spendlog.spend_logs")[0][0])

    # --- what is measured

    def rounds_of(self, runs):
        """{name: best} of functions run in turn, so that a noisy minute hits all of them."""
        results = {name: [] for name in runs}
        for turn in range(self.rounds):
            for name, run in runs.items():
                results[name].append(run())
                say(f"bench: round {turn + 1}: {name}: {results[name][-1]['rate']:.0f}/s")
        return {name: best(list_of) for name, list_of in results.items()}

    def measure(self):
        self.load("small", "small")
        self.load("big", "big")
        self.load("dup-0.01", "small", "--duplicates-ppm", 100)
        self.load("dup-1", "small", "--duplicates-ppm", 10000)
        self.startup_measure("big")
        runs = {}
        for size in ("small", "big"):
            runs["consume", size] = lambda s=size: self.consume(s, s)
            for n in (1, 2, 4) if size == "small" else (2,):
                runs["L0", size, n] = lambda s=size, c=n: self.limit("public.l0", s, c)
                runs["L1", size, n] = lambda s=size, c=n: self.limit("spendlog.stored_rows", s, c)
                runs["run", size, n] = lambda s=size, c=n: self.end_to_end(s, s, c)
        for percent in ("0.01", "1"):
            runs["dup", percent] = lambda p=percent: self.end_to_end(f"dup-{p}", "small", 2)
        runs.update(peers.runs(self, "small"))
        results = self.rounds_of(runs)
        for size in ("small", "big"):
            results["stages", size] = self.stages(size)
            results["instructions", size] = self.instructions(size)
        results["grown", "200 keys, 1 model"] = self.stages("small", "--models", 1)
        results["grown", "200 keys, 40 models"] = results["stages", "small"]
        results["grown", "100,000 keys, 40 models"] = self.stages("small", "--keys", 100000)
        results["latency"] = self.latency(results["run", "small", 2]["rate"] / 10)
        results["table"] = self.sizes()
        return results

    def measure_columns(self):
        self.sizes()
        return columns.report(columns.measure(self, self.rounds), self.events["sizes"], self.rounds, machine())

    def measure_peers(self):
        self.load("small", "small")
        self.startup_measure("small")
        runs = {("run", "small", 2): lambda: self.end_to_end("small", "small", 2)}
        runs.update(peers.runs(self, "small"))
        return self.rounds_of(runs)

    def sizes(self):
        """Bytes per row of heap, of indexes, of WAL: of 100,000 rows written once more, alone."""
        self.empty()
        self.events["sizes"] = 100000
        start = self.sql("SELECT pg_current_wal_lsn()")[0][0]
        self.program("bench_path", *self.payload("small"), "limit", self.conninfo, "spendlog.stored_rows", 1, 100000)
        wal = float(self.sql(f"SELECT pg_current_wal_lsn() - '{start}'")[0][0])
        heap, index = map(float, self.sql(
            "SELECT sum(pg_table_size(relid)), sum(pg_indexes_size(relid)) FROM "
            "pg_partition_tree('spendlog.stored_rows') WHERE isleaf")[0])
        return {"heap": heap / 1e5, "index": index / 1e5, "wal": wal / 1e5}

    def grow(self, rows):
        """So many rows more, later ones than all before: time moves on."""
        for _ in range(rows // GROW_ROWS):
            self.program("bench_path", *self.payload("small", "--seed", self.base_us % 1000003), "limit", self.conninfo,
                         "spendlog.stored_rows", 2, GROW_ROWS)
            self.base_us += GROW_ROWS * 1000
        self.sql("CHECKPOINT")

    def grown_run(self, number):
        """End to end into the table as it is, of events that come later than all of its rows."""
        topic, count = f"grown-{number}", self.events["small"]
        self.load(topic, "small", "--seed", number)
        self.base_us += count * 1000
        self.sql("TRUNCATE spendlog.ingest_batches")
        result = self.end_to_end(topic, "small", 2, keep_rows=True)
        if number == 0:
            self.startup_measure(topic)
        self.servers.topic_delete(topic)
        return result

    def measure_long(self, rows):
        """(rows in the table before, best rate) while it grows."""
        steps = [step for step in GROW_STEPS if step <= rows]
        runs = len(steps) * (self.rounds + 1) + 1
        self.base_us = (int(time.time()) - 3600) * 1000000 - (rows + runs * self.events["small"]) * 1000
        self.partitions()
        self.grown_run(0)  # the broker and the programs get warm
        self.empty()
        measured, number, there = [], 1, 0
        for step in steps:
            self.grow(max(0, step - there))
            before, results = self.rows(), []
            for _ in range(self.rounds):
                results.append(self.grown_run(number))
                number += 1
            measured.append((before, best(results)))
            there = self.rows()
            say(f"bench: {before} rows in the table: {measured[-1][1]['rate']:.0f}/s")
        return measured


# --- the report


def row(*cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def seconds(result, key):
    return f"{result[key]:.1f}" if key in result else ""


def measured_row(name, result, l1=None, l0=None):
    ratios = [f"{result['rate'] / limit['rate']:.2f} of {label}" if limit else ""
              for limit, label in ((l1, "L1"), (l0, "L0"))]
    return row(name, f"{result['rate']:,.0f}", *ratios, seconds(result, "own") or seconds(result, "cpu"),
               seconds(result, "postgres"), seconds(result, "broker"),
               f"{result['rss']:.0f}" if "rss" in result else "")


KB = {"small": "1.1 KB", "big": "4 KB"}


def rates_table(results):
    lines = [row("what", "events/s", "of L1", "of L0", "own CPU s/M", "PostgreSQL CPU s/M", "broker CPU s/M",
                 "RSS MB"), "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]
    limits = {size: (results["L1", size, 2], results["L0", size, 2]) for size in KB}
    for size, kb in KB.items():
        lines.append(measured_row(f"consume only, {kb}", results["consume", size], *limits[size]))
    for size, kb in KB.items():
        for n in (1, 2, 4):
            if ("run", size, n) not in results:
                continue
            word = "connection" if n == 1 else "connections"
            l1, l0 = results["L1", size, n], results["L0", size, n]
            lines.append(measured_row(f"L0, {n} {word}, rows of {kb} events", l0))
            lines.append(measured_row(f"L1, {n} {word}, rows of {kb} events", l1, None, l0))
            lines.append(measured_row(f"end to end, {n} {'lane' if n == 1 else 'lanes'}, {kb}",
                                      results["run", size, n], l1, l0))
    for percent in ("0.01", "1"):
        lines.append(measured_row(f"end to end, 2 lanes, 1.1 KB, {percent} % duplicates", results["dup", percent],
                                  *limits["small"]))
    return lines


def stages_table(results):
    lines = [row("CPU s per million events", "read", "price", "encode", "together", "allocations", "bytes of a row"),
             "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"]
    named = [(KB[size] + " events", results["stages", size]) for size in KB]
    named += [(f"1.1 KB events, {name[1]}", stage) for name, stage in results.items() if name[0] == "grown"]
    for name, s in named:
        total = s["read"] + s["price"] + s["encode"]
        lines.append(row(name, *(f"{s[key]:.2f}" for key in ("read", "price", "encode")), f"{total:.2f}",
                         s["allocations"], f"{s['row_bytes']:.0f}"))
    return lines


def instructions_table(results):
    lines = [row("instructions per event", "read", "price", "encode", "together"),
             "| --- | ---: | ---: | ---: | ---: |"]
    for size in KB:
        counts = results["instructions", size]
        if counts is None:
            return ["Instructions were not counted: no valgrind."]
        lines.append(row(KB[size] + " events", *(f"{count:,.0f}" for count in counts), f"{sum(counts):,.0f}"))
    return lines


def claims_table(results):
    """The targets, and what came out."""
    run, big, small_l0 = results["run", "small", 2], results["run", "big", 2], results["L0", "small", 2]
    l1, big_l1, latency = results["L1", "small", 2], results["L1", "big", 2], results["latency"]
    rows = [("end to end of L1, 1.1 KB", run["rate"] / l1["rate"], ">=", 0.80),
            ("end to end of L0, 1.1 KB", run["rate"] / small_l0["rate"], ">=", 0.65),
            ("end to end of L1, 4 KB", big["rate"] / big_l1["rate"], ">=", 0.65),
            ("own CPU s/M, 1.1 KB", run["own"], "<=", 3.5),
            ("own CPU s/M, 4 KB", big["own"], "<=", 5.5),
            ("rate with 1 % duplicates of the rate without", results["dup", "1"]["rate"] / run["rate"], ">=", 0.6),
            ("p99 latency of wait_ms", latency["p99"] / WAIT_MS, "<=", 1.5),
            ("RSS MB", run["rss"], "<=", 300)]
    lines = [row("target", "wanted", "measured", "met"), "| --- | ---: | ---: | --- |"]
    for name, value, sense, wanted in rows:
        met = value >= wanted if sense == ">=" else value <= wanted
        lines.append(row(name, f"{sense} {wanted:g}", f"{value:.2f}", "yes" if met else "no"))
    return lines


def machine():
    model = re.search(r"model name\s*: (.*)", open("/proc/cpuinfo").read())
    return (f"{os.cpu_count()} cores ({model.group(1) if model else platform.machine()}), PostgreSQL "
            + run_checked(["psql", "--version"]).split()[2] + ", load before the run "
            + f"{os.getloadavg()[0]:.1f}")


def report(results, events, rounds, where):
    latency, table = results["latency"], results["table"]
    lines = [f"{where}; {events:,} events of 1.1 KB, {events // 2:,} of 4 KB, best of {rounds}.", "",
             *rates_table(results), "", *stages_table(results), "",
             *instructions_table(results), "",
             f"Latency from produce to committed row at {latency['rate']:,} events/s (a tenth of full speed), "
             f"wait_ms {WAIT_MS}: p50 {latency['p50']:.0f} ms, p99 {latency['p99']:.0f} ms.", "",
             f"A row takes {table['heap']:.0f} bytes of table, {table['index']:.0f} of indexes, "
             f"{table['wal']:.0f} of WAL.", "", *claims_table(results), "", *peers.report(results)]
    return "\n".join(lines).rstrip() + "\n"


def section(name):
    """What stands in the report's section; empty: nothing yet."""
    with open(REPORT) as text:
        return text.read().partition(f"<!-- begin {name} -->\n")[2].partition(f"<!-- end {name} -->")[0]


def write_section(name, text):
    begin, end = f"<!-- begin {name} -->\n", f"<!-- end {name} -->"
    with open(REPORT) as old:
        whole = old.read()
    head, _, rest = whole.partition(begin)
    with open(REPORT, "w") as new:
        new.write(head + begin + text + end + rest.partition(end)[2])


def long_report(measured, rounds, where):
    empty = measured[0][1]["rate"]
    lines = [f"{where}, best of {rounds}.", "",
             row("rows in the table before", "events/s", "of the rate at first", "own CPU s/M", "PostgreSQL CPU s/M"),
             "| ---: | ---: | ---: | ---: | ---: |"]
    lines += [row(f"{rows:,}", f"{r['rate']:,.0f}", f"{r['rate'] / empty:.2f}", seconds(r, "own"), seconds(r, "postgres"))
              for rows, r in measured]
    return "\n".join(lines) + "\n"


def otlp_report(otlp, where):
    return (f"{where}.\n\nOTLP as protobuf beside the same {otlp['requests']} requests as JSON, in turn in one run "
            f"(`bench_otlp`: `tests/cases/otlp`,\nmappings of OTLP alone, one core, best of 15 rounds): a request of "
            f"{otlp['protobuf_bytes']} bytes takes {otlp['protobuf_us']:.1f} us, as JSON of "
            f"{otlp['json_bytes']:,} bytes\n{otlp['json_us']:.1f} us: {otlp['ratio']:.1f} times as fast.\n")


def reprice_report(result, rounds, where):
    lines = [f"{where}; {result['rows']:,} rows of one day, best of {rounds}.", "",
             row("what", "rows/s", "PostgreSQL alone, rows/s", "ratio", "wanted", "met"),
             "| --- | ---: | ---: | ---: | ---: | --- |"]
    for name, what, wanted in (("check", "checking rows that do not change", 0.6),
                               ("rewrite", "changing every row", 0.8)):
        rate, bare = result[name], result["bare " + name]
        lines.append(row(what, f"{rate:,.0f}", f"{bare:,.0f}", f"{rate / bare:.2f}", f">= {wanted:g}",
                         "yes" if rate / bare >= wanted else "no"))
    return "\n".join(lines + ["", f"The table has {result['heap_before']} MB before and {result['heap']} MB after, "
                              f"the program takes {result['rss']} MB.", ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--long", action="store_true", help="the rate on a table of 10 million rows")
    parser.add_argument("--reprice", action="store_true", help="the speed of `spendlog reprice` only")
    parser.add_argument("--peers", action="store_true", help="other programs beside 2 lanes only; writes nothing")
    parser.add_argument("--versions", action="store_true", help="beside 0.1.0, and what each column costs, only")
    parser.add_argument("--rounds", type=int, default=int(os.environ.get("BENCH_ROUNDS", 3)))
    parser.add_argument("--no-write", action="store_true", help="print only; docs/benchmarks.md stays")
    options = parser.parse_args()
    events = int(os.environ.get("BENCH_EVENTS", 400000))
    where = machine()
    bench = Bench(events, options.rounds)
    started = time.monotonic()
    sections = {}
    try:
        bench.up()
        if options.long:
            sections["bench-long"] = long_report(
                bench.measure_long(int(os.environ.get("BENCH_ROWS", 10000000))), options.rounds, where)
        elif options.peers:
            print("\n".join(peers.report(bench.measure_peers())))
        elif not (options.reprice or options.versions):
            sections["bench"] = report(bench.measure(), events, options.rounds, where)
            sections["bench-otlp"] = otlp_report(bench.program("bench_otlp"), where)
        if not (options.long or options.peers or options.reprice):
            sections["bench-versions"] = versions.report(versions.measure(bench, options.rounds, say), events, options.rounds, where)
            sections["bench-columns"] = bench.measure_columns()
        if not (options.long or options.peers or options.versions):
            sections["bench-reprice"] = reprice_report(
                bench_reprice.measure(bench.servers, events, options.rounds), options.rounds, where)
    finally:
        bench.servers.clean()
    for name, text in sections.items():
        print(text)
        if not options.no_write:
            write_section(name, text)
    say(f"bench: {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    try:
        main()
    except Failed as failure:
        say(f"bench: {failure}")
        sys.exit(1)
