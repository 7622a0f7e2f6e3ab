#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
How fast `spendlog reprice` is, as a share of what PostgreSQL itself can do on the same rows, in the same run.

    tests/bench/bench_reprice.py [ROWS [ROUNDS]]      default 500,000 rows of one day, 3 rounds; its own server,
                                                      removed at the end. Part of `make bench`.

check    rows nothing changes in, against a bare binary COPY of the same columns to /dev/null: wanted >= 0.6
rewrite  every row changes, against copying the day into a new table with its indexes: wanted >= 0.8
"""
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.dont_write_bytecode = True

from harness.report import Failed  # noqa: E402
from harness.servers import ROOT, SPENDLOG, Servers, run_checked  # noqa: E402

DAY = "2026-09-15"
EVENTS = os.path.join(ROOT, "tests/cases/demo/litellm-events.jsonl")
FILL_ROWS = os.path.join(ROOT, "build/release/tests/integration/fill_rows")
READ = ("start_time, identity, team_id, price_book_id, pricing_status, pricing_reason, spend, input_cost, output_cost, "
        "other_cost, provider, model, model_requested, model_group, model_id, call_type, status, cache_hit, end_time, "
        "service_tier, input_tokens, output_tokens, total_tokens, cache_read_tokens, cache_write_tokens, "
        "reasoning_tokens, gateway_cost, usage")
# No checkpoint, with the whole pages it makes WAL write, in the middle of either side.
SETTINGS = {"shared_buffers": "'1GB'", "max_wal_size": "'24GB'", "checkpoint_timeout": "'1h'"}
WHERE = f"WHERE start_time >= '{DAY}' AND start_time < date '{DAY}' + 1"


class Bench:
    def __init__(self, servers, folder):
        self.servers = servers
        self.place = f"host={servers.socket_folder} port=5432 user=spendlog dbname=bench"
        self.config = {}
        self.rss_mb = 0
        with open(os.path.join(folder, "prices.yaml"), "w") as out:
            out.write("model_list: []\nlitellm_settings: {cost_margin_config: {global: 0.1}}\n")
        for name, pricing in (("a", ""), ("b", "pricing: {litellm_config: ./prices.yaml}\n")):
            self.config[name] = os.path.join(folder, name + ".yaml")
            with open(self.config[name], "w") as out:
                out.write(f"postgres: {self.place}\n{pricing}")

    def reprice(self, book, *words):
        child = subprocess.Popen([SPENDLOG, "reprice", "-q", "-c", self.config[book], "--include-reported",
                                  *(() if "--dry-run" in words else ("--all",)), *words],
                                 stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            raise Failed(f"spendlog reprice: exit {child.returncode}")
        self.rss_mb = max(self.rss_mb, usage.ru_maxrss >> 10)

    def bare_copy(self):
        with open(os.devnull, "wb") as out:
            subprocess.run(["psql", "-Xq", self.place, "-c",
                            f"COPY (SELECT {READ} FROM spendlog.spend_logs {WHERE}) TO STDOUT (FORMAT binary)"],
                           stdout=out, check=True)

    def bare_rewrite(self):
        """The floor of a rewrite: all columns out and into a new table through a pipe, then its indexes."""
        table = "spendlog.bench_copy"
        self.servers.psql("bench", f"DROP TABLE IF EXISTS {table}")
        out = subprocess.Popen(["psql", "-Xq", self.place, "-c",
                                f"COPY (SELECT l.* FROM spendlog.stored_rows l {WHERE}) TO STDOUT (FORMAT binary)"],
                               stdout=subprocess.PIPE)
        subprocess.run(["psql", "-Xq", "-v", "ON_ERROR_STOP=1", self.place, "-c", "BEGIN",
                        "-c", f"CREATE TABLE {table} (LIKE spendlog.stored_rows INCLUDING ALL EXCLUDING INDEXES)",
                        "-c", f"COPY {table} FROM STDIN (FORMAT binary, FREEZE)",
                        "-c", f"ALTER TABLE {table} ADD PRIMARY KEY (start_time, identity)",
                        "-c", f"CREATE INDEX ON {table} USING brin (batch_id)", "-c", "COMMIT"],
                       stdin=out.stdout, check=True)
        out.wait()

    def heap_mb(self):
        return int(self.servers.psql("bench", "SELECT pg_relation_size(inhrelid) >> 20 FROM pg_inherits "
                                              "WHERE inhparent = 'spendlog.stored_rows'::regclass")[0][0])

    def seconds(self, work):
        self.servers.psql("bench", "CHECKPOINT")
        start = time.monotonic()
        work()
        return time.monotonic() - start

    def best_of(self, rounds, works):
        """Seconds of each by name; run in turn, so that a noisy minute hits all of them."""
        best = {}
        for _ in range(rounds):
            for name, work in works:
                took = self.seconds(work)
                best[name] = min(took, best.get(name, took))
                print(f"bench: {name}: {took:.2f} s", file=sys.stderr, flush=True)
        return best


def measure(servers, rows, rounds):
    """Rows per second of each, beside PostgreSQL's own, in a database `bench` of a server with SETTINGS."""
    bench = Bench(servers, servers.folder)
    servers.psql("postgres", "CREATE DATABASE bench")
    run_checked([SPENDLOG, "migrate", "-q", "-c", bench.config["a"]])
    run_checked([FILL_ROWS, bench.place, EVENTS, str(rows), DAY, "1"])
    servers.psql("bench", "VACUUM ANALYZE spendlog.stored_rows")
    before = bench.heap_mb()
    bench.bare_copy()
    best = bench.best_of(rounds, [("bare check", bench.bare_copy), ("check", lambda: bench.reprice("a", "--dry-run"))])
    best |= bench.best_of(rounds, [("bare rewrite", bench.bare_rewrite), ("rewrite", lambda: bench.reprice("b")),
                                   ("bare rewrite", bench.bare_rewrite), ("rewrite", lambda: bench.reprice("a"))])
    return {"rows": rows, "heap_before": before, "heap": bench.heap_mb(), "rss": bench.rss_mb,
            **{name: rows / took for name, took in best.items()}}


def main():
    rows, rounds = (int(word) for word in (sys.argv[1:] + ["500000", "3"][len(sys.argv) - 1:]))
    with tempfile.TemporaryDirectory() as folder:
        servers = Servers(folder)
        try:
            servers.local("postgres-up")
            servers.postgres_set(SETTINGS)
            result = measure(servers, rows, rounds)
        finally:
            servers.clean()
    for name in ("check", "rewrite"):
        rate, bare = result[name], result["bare " + name]
        print(f"{name:8} {rate:10.0f} rows/s, bare {bare:10.0f}, ratio {rate / bare:.2f}")
    print(f"heap {result['heap_before']} MB, {result['heap']} MB afterwards; {result['rss']} MB of memory")
    return 0


if __name__ == "__main__":
    sys.exit(main())
