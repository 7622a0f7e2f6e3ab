#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
How fast `spendlog reprice` is, as a share of what PostgreSQL itself can do on the same rows, in the same run.

    tests/bench/bench_reprice.py [ROWS]      default 500,000 rows of one day; its own server, removed at the end

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

from harness.servers import ROOT, SPENDLOG, Servers, run_checked  # noqa: E402

DAY = "2026-09-15"
EVENTS = os.path.join(ROOT, "tests/cases/demo/litellm-events.jsonl")
FILL_ROWS = os.path.join(ROOT, "build/release/tests/integration/fill_rows")
READ = ("start_time, identity, team_id, price_book_id, pricing_status, pricing_reason, spend, input_cost, output_cost, "
        "other_cost, provider, model, model_requested, model_group, model_id, call_type, status, cache_hit, end_time, "
        "service_tier, input_tokens, output_tokens, total_tokens, cache_read_tokens, cache_write_tokens, "
        "reasoning_tokens, gateway_cost, usage")
WHERE = f"WHERE start_time >= '{DAY}' AND start_time < date '{DAY}' + 1"


def seconds(work, times=3):
    best = None
    for _ in range(times):
        start = time.monotonic()
        work()
        took = time.monotonic() - start
        best = took if best is None else min(best, took)
    return best


class Bench:
    def __init__(self, servers, folder):
        self.servers = servers
        self.place = f"host={servers.socket_folder} port=5432 user=spendlog dbname=bench"
        self.config = {}
        with open(os.path.join(folder, "prices.yaml"), "w") as out:
            out.write("model_list: []\nlitellm_settings: {cost_margin_config: {global: 0.1}}\n")
        for name, pricing in (("a", ""), ("b", "pricing: {litellm_config: ./prices.yaml}\n")):
            self.config[name] = os.path.join(folder, name + ".yaml")
            with open(self.config[name], "w") as out:
                out.write(f"postgres: {self.place}\n{pricing}")

    def reprice(self, book, *words):
        run_checked([SPENDLOG, "reprice", "-q", "-c", self.config[book], "--include-reported", *words])

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
                                f"COPY (SELECT l.* FROM spendlog.spend_logs l {WHERE}) TO STDOUT (FORMAT binary)"],
                               stdout=subprocess.PIPE)
        subprocess.run(["psql", "-Xq", "-v", "ON_ERROR_STOP=1", self.place, "-c", "BEGIN",
                        "-c", f"CREATE TABLE {table} (LIKE spendlog.spend_logs INCLUDING ALL EXCLUDING INDEXES)",
                        "-c", f"COPY {table} FROM STDIN (FORMAT binary, FREEZE)",
                        "-c", f"ALTER TABLE {table} ADD PRIMARY KEY (start_time, identity)",
                        "-c", f"CREATE INDEX ON {table} USING brin (batch_id)", "-c", "COMMIT"],
                       stdin=out.stdout, check=True)
        out.wait()

    def there_and_back(self):
        self.reprice("b")
        self.reprice("a")


def measure(servers, folder, rows):
    bench = Bench(servers, folder)
    servers.psql("postgres", "CREATE DATABASE bench")
    run_checked([SPENDLOG, "migrate", "-q", "-c", bench.config["a"]])
    run_checked([FILL_ROWS, bench.place, EVENTS, str(rows), DAY, "1"])
    servers.psql("bench", "VACUUM ANALYZE spendlog.spend_logs")
    bench.bare_copy()
    bare, checked = seconds(bench.bare_copy), seconds(lambda: bench.reprice("a", "--dry-run"))
    print(f"check:   {rows / checked:10.0f} rows/s, bare COPY {rows / bare:10.0f}, ratio {bare / checked:.2f}")
    bare, changed = seconds(bench.bare_rewrite, 2), seconds(bench.there_and_back, 2) / 2
    size = servers.psql("bench", "SELECT pg_relation_size(inhrelid) FROM pg_inherits "
                                 "WHERE inhparent = 'spendlog.spend_logs'::regclass")
    print(f"rewrite: {rows / changed:10.0f} rows/s, bare rewrite {rows / bare:10.0f}, ratio {bare / changed:.2f}; "
          f"heap {int(size[0][0]) >> 20} MB")


def main():
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 500000
    with tempfile.TemporaryDirectory() as folder:
        servers = Servers(folder)
        try:
            servers.local("postgres-up")
            measure(servers, folder, rows)
        finally:
            servers.clean()
    return 0


if __name__ == "__main__":
    sys.exit(main())
