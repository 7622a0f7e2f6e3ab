# SPDX-License-Identifier: Apache-2.0
"""This version and 0.1.0 in turn, on the same servers in the same run: what PostgreSQL does for a row, and how fast.

0.1.0 is built from the repository's own history. Each run has a database of its own, made by its program's `migrate`.
"""
import os
import shlex
import subprocess

from bench.processes import tree_cpu_s
from harness.report import Failed, wait_for
from harness.servers import ROOT, SPENDLOG, run_checked

OLD = "0.1.0"
OLD_COMMIT = "99247b73c2537b81022b39ad0270b7f5d302dc73"
NEW = "this version"
LANES = 2
# Name: what is said of the groups of its sums, options of its events.
KINDS = {"few": ("few groups: 40 keys, 5 models, 50 end users", ("--keys", 40, "--models", 5, "--end-users", 50)),
         "usual": ("usual: 200 keys, 40 models, 5,000 end users", ()),
         "sparse": ("nearly each row its own group: 100,000 keys, 40 models", ("--keys", 100000))}
TARGETS = (("postgres", "PostgreSQL's CPU of 0.1.0's, storing, {}", "<=", 0.65), ("rate", "rate of 0.1.0's, 2 lanes, {}", ">=", 1.5))
# Who holds it merges: nobody does while rows are stored, so that either has a figure of its own.
MERGING = "BEGIN; SELECT FROM spendlog.locks WHERE name = 'sums' FOR UPDATE; SELECT pg_sleep(600)"
HOLDS = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'versions' AND wait_event = 'PgSleep'"
# What rows take: their days, indexes and dictionaries; what sums take.
ROWS = "(c.relname ~ '^(spend_logs|stored_rows)' OR c.relname ~ '^shared_')"
SUMS = "c.relname ~ '^(spend_(deltas|slots|days|sums)|sum|day_totals|budget_sums|coarse_days)'"
SIZES = f"""
SELECT coalesce(sum(pg_relation_size(c.oid)) FILTER (WHERE {ROWS} AND c.relkind = 'r'), 0),
  coalesce(sum(pg_relation_size(c.oid)) FILTER (WHERE {ROWS} AND c.relkind = 'i'), 0),
  coalesce(sum(pg_relation_size(c.oid)) FILTER (WHERE {SUMS}), 0)
FROM pg_class c WHERE c.relnamespace = 'spendlog'::regnamespace AND c.relkind IN ('r', 'i')"""
# The bytes of a record of WAL are those of the first relation that it names.
WAL = f"""
SELECT coalesce(sum(w.bytes), 0), coalesce(sum(w.bytes) FILTER (WHERE {SUMS}), 0)
FROM (SELECT substring(block_ref FROM 'rel \\d+/\\d+/(\\d+)')::oid AS node, sum(record_length) AS bytes
      FROM pg_get_wal_records_info_till_end_of_wal('{{}}') GROUP BY 1) w
LEFT JOIN pg_class c ON c.relfilenode = w.node"""


def old_program(say):
    """The path of a `spendlog` 0.1.0, or why there is none."""
    folder = os.path.join(ROOT, ".local/spendlog-" + OLD)
    program = os.path.join(folder, "spendlog")
    if os.path.exists(program):
        return program, ""
    if subprocess.run(["git", "-C", ROOT, "cat-file", "-e", OLD_COMMIT + "^{commit}"], capture_output=True).returncode:
        return None, f"{OLD} was not measured: its commit {OLD_COMMIT[:7]} is not in this repository's history."
    say(f"bench: building {OLD}")
    os.makedirs(folder, exist_ok=True)
    subprocess.run(f"git -C {shlex.quote(ROOT)} archive {OLD_COMMIT} | tar -x -C {shlex.quote(folder)}", shell=True, check=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    run_checked(["make", "-j2", "-C", folder, "spendlog"], env=environment)
    return program, ""


class Versions:
    def __init__(self, bench, old):
        self.bench = bench
        self.program = {NEW: SPENDLOG, OLD: old}
        self.runs = 0
        bench.servers.psql("postgres", "CREATE EXTENSION IF NOT EXISTS pg_walinspect")

    def fresh(self, version, kind):
        """A database for one run, and a configuration with a group of its own: to one that Kafka knows, it went back."""
        bench, program = self.bench, self.program[version]
        bench.servers.psql("postgres", "DROP DATABASE IF EXISTS versions WITH (FORCE)")
        bench.servers.psql("postgres", "CREATE DATABASE versions")
        self.runs += 1
        path = bench.configuration("version-" + kind, LANES, "versions", f"run-{os.getpid()}-{self.runs}")
        run_checked([program, "migrate", "-q", "-c", path])
        bench.partitions("versions")
        bench.servers.psql("versions", "CREATE EXTENSION pg_walinspect")
        bench.servers.psql("versions", "CHECKPOINT")
        return program, path

    def hold(self):
        """Keeps merging from beginning; the session that does."""
        holder = subprocess.Popen(["psql", "-XAtq", "-h", self.bench.servers.socket_folder, "-U", "spendlog", "-d", "versions",
                                   "-c", MERGING], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for("a session that holds merging", lambda: self.bench.servers.psql("postgres", HOLDS)[0][0] == "1", 30)
        return holder

    def merged(self, program, path, holder):
        """CPU seconds of PostgreSQL while all is merged, and how many lines were."""
        bench = self.bench
        bench.servers.psql("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                                       "WHERE datname = 'versions' AND wait_event = 'PgSleep'")
        holder.wait(30)
        lines = int(bench.servers.psql("versions", "SELECT count(*) FROM spendlog.spend_deltas")[0][0])
        before = tree_cpu_s(bench.postgres_pid)
        run_checked([program, "compact", "-q", "-c", path])
        return tree_cpu_s(bench.postgres_pid) - before, lines

    def run(self, version, kind):
        bench = self.bench
        program, path = self.fresh(version, kind)
        holder = self.hold() if version == NEW else None
        before, position = tree_cpu_s(bench.postgres_pid), bench.servers.psql("versions", "SELECT pg_current_wal_insert_lsn()")[0][0]
        cpu_s, rss_mb = bench.service(program, path)
        postgres = tree_cpu_s(bench.postgres_pid) - before
        count = bench.events[kind]
        found = int(bench.servers.psql("versions", "SELECT count(*) FROM spendlog.spend_logs")[0][0])
        if found != count:
            raise Failed(f"{version}: {found} rows of {count} events")
        wal, wal_sums = (float(cell) / count for cell in bench.servers.psql("versions", WAL.format(position))[0])
        heap, index, sums = (float(cell) / count for cell in bench.servers.psql("versions", SIZES)[0])
        rate = bench.rate("versions")
        merging_s, lines = self.merged(program, path, holder) if holder else (0, 0)
        idle_s = bench.service(program, path)[0]  # what starting costs: all is read
        return {"merging": merging_s / count * 1e6, "lines": lines / count,
                "rate": rate, "postgres": postgres / count * 1e6, "own": (cpu_s - idle_s) / count * 1e6, "rss": rss_mb,
                "heap": heap, "index": index, "sums": sums, "wal": wal - wal_sums, "wal_sums": wal_sums}

    def measure(self, rounds, say):
        """{(kind, version): best}: the highest rate, the least of everything else."""
        for kind, (_, words) in KINDS.items():
            self.bench.load("version-" + kind, "small", *words)
            self.bench.events[kind] = self.bench.events["small"]
        results = {}
        for turn in range(rounds):
            for kind in KINDS:
                for version in ((NEW, OLD) if turn % 2 else (OLD, NEW)):
                    one = self.run(version, kind)
                    say(f"bench: round {turn + 1}: {version}, {kind}: {one['rate']:.0f}/s, PostgreSQL {one['postgres']:.1f} s/M, "
                        f"merging {one['merging']:.1f}")
                    best = results.setdefault((kind, version), one)
                    results[kind, version] = {name: (max if name == "rate" else min)(value, best[name])
                                              for name, value in one.items()}
        return results


def measure(bench, rounds, say):
    old, why = old_program(say)
    return Versions(bench, old).measure(rounds, say) if old else why


# --- the report


def row(*cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def targets(results):
    for kind in KINDS:
        new, old = results[kind, NEW], results[kind, OLD]
        for name, what, sense, wanted in TARGETS:
            yield what.format(KINDS[kind][0].split(":")[0]), new[name] / old[name], sense, wanted
    usual = results["usual", NEW]
    yield "bytes of heap a row", usual["heap"], "<=", 380
    yield "bytes of WAL a row, without sums", usual["wal"], "<=", 480


def report(results, events, rounds, where):
    if isinstance(results, str):
        return results + "\n"
    lines = [f"{where}; {events:,} events of 1.1 KB, {LANES} lanes, both versions in turn, best of {rounds}.", "",
             row("events", "version", "events/s", "PostgreSQL CPU s/M", "own CPU s/M", "heap B/row", "indexes B/row",
                 "WAL B/row", "sums: table B/row", "sums: WAL B/row", "sums: lines a row", "merging them, s/M rows"),
             "| --- | --- |" + " ---: |" * 10]
    for kind, (name, _) in KINDS.items():
        for version in (OLD, NEW):
            r = results[kind, version]
            lines.append(row(name, version, f"{r['rate']:,.0f}", f"{r['postgres']:.1f}", f"{r['own']:.1f}",
                             *(f"{r[key]:.0f}" for key in ("heap", "index", "wal", "sums", "wal_sums")),
                             f"{r['lines']:.2f}", f"{r['merging']:.1f}"))
    lines += ["", row("target", "wanted", "measured", "met"), "| --- | ---: | ---: | --- |"]
    for what, value, sense, wanted in targets(results):
        met = value >= wanted if sense == ">=" else value <= wanted
        lines.append(row(what, f"{sense} {wanted:g}", f"{value:.2f}" if wanted < 10 else f"{value:.0f}", "yes" if met else "no"))
    return "\n".join(lines) + "\n"
