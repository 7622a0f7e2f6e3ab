# SPDX-License-Identifier: Apache-2.0
"""Versions: a database of 0.1.0 with its data, one that is newer than the program, a dump and its restoration."""
import lzma
import os
import re
import subprocess
import time
from decimal import Decimal

from harness.report import check, check_equal
from harness.servers import ROOT, SPENDLOG, run_checked
from integration.stage import Stage, demo_event, demo_lines, message_of

OLD = os.path.join(ROOT, "tests/cases/upgrade/0.1.0.sql.xz")
OLD_ROWS, OLD_SPEND = 145, Decimal("44.649289255969623169")  # tests/cases/upgrade/ORIGIN.md
OWN_LOGIN = "own grafana"  # of nobody's role, with a right on the table itself
# What asks a database; none may answer from a schema that is not its own.
ASKING = (("report",), ("verify",), ("explain", "x"), ("rejected", "list"), ("periods", "list"), ("exclude", "--list"),
          ("retention", "show"), ("reprice", "--dry-run"), ("check",), ("run", "--exit-eof"))


def load(servers, stage, database, sql):
    servers.psql("postgres", f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
    servers.psql("postgres", f"CREATE DATABASE {database}")
    stage.database = database
    stage.databases.append(database)
    done = subprocess.run(["psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-h", servers.socket_folder, "-U", "spendlog", "-d", database],
                          input=sql, capture_output=True, text=True)
    check_equal(done.returncode, 0, f"psql: {done.stderr[-500:]}")


def refused(stage, words, wanted):
    done = subprocess.run([SPENDLOG, words[0], "-c", stage.config("asking", user="spendlog"), *words[1:]], capture_output=True,
                          text=True, timeout=60)
    check(done.returncode == 78 and wanted in done.stderr, f"{words}: {done.returncode} {done.stderr}")


def upgraded_from_0_1_0(servers):
    """Each command says that a 0.1.0 schema is older; migrate carries rows, spend and corrections over; reading goes on, sums agree."""
    with Stage(servers, "upgraded", partitions=2) as stage:
        with lzma.open(OLD, "rt", encoding="utf-8") as text:
            load(servers, stage, "upgraded_old", text.read())
        if not servers.psql("postgres", f"SELECT 1 FROM pg_roles WHERE rolname = '{OWN_LOGIN}'"):
            servers.psql("postgres", f'CREATE ROLE "{OWN_LOGIN}" LOGIN')
        stage.sql(f'GRANT USAGE ON SCHEMA spendlog TO "{OWN_LOGIN}"; GRANT SELECT ON spendlog.spend_logs TO "{OWN_LOGIN}"')
        for words in ASKING:
            refused(stage, words, "the schema is older than this program")
        before = stage.sql("SELECT start_time, identity, spend, request_id, input_tokens, output_tokens, usage FROM spendlog.spend_logs ORDER BY 1, 2")
        stage.command("migrate", "-q")
        check_equal(stage.sql("SELECT start_time, identity, spend, request_id, input_tokens, output_tokens, usage FROM spendlog.spend_logs ORDER BY 1, 2"),
                    before, "rows")
        check_equal((len(before), sum(Decimal(row[2]) for row in before if row[2] != "\\N")), (OLD_ROWS, OLD_SPEND), "of 0.1.0")
        check_equal(Decimal(stage.value("SELECT sum(spend) FROM spendlog.spend_daily")), OLD_SPEND, "spend_daily")
        check_equal(stage.value("SELECT count(*) FROM spendlog.spend_adjustments"), "96", "corrections")
        check_equal(servers.psql(stage.database, "SELECT count(*), count(model), count(team_id) FROM spendlog.spend_logs", user=OWN_LOGIN),
                    stage.sql("SELECT count(*), count(model), count(team_id) FROM spendlog.spend_logs"), "rows by a grant of before")
        check(servers.psql_try(stage.database, "DELETE FROM spendlog.spend_logs", user=OWN_LOGIN) is None, "more than what was given")
        check(" 0 differences" in stage.command("verify", "-q"), "verify of what 0.1.0 left")
        stage.produce([message_of(demo_event(litellm_call_id=f"new-{i}")) for i in range(4)])
        stage.consume()
        check_equal(stage.row_count(), OLD_ROWS + 4, "rows after reading on")
        stage.command("reprice", "--all", "-q")
        check(" 0 differences" in stage.command("verify", "-q"), "verify after reading on and pricing again")
        check_equal(Decimal(stage.value("SELECT sum(spend) FROM spendlog.spend_daily")),
                    Decimal(stage.value("SELECT sum(spend) FROM spendlog.spend_logs")), "spend_daily is the rows")


# Each row so many times more, at other offsets, with what counts them.
MORE = 40
MULTIPLY = f"""
INSERT INTO spendlog.spend_logs SELECT m.* FROM spendlog.spend_logs l CROSS JOIN generate_series(1, {MORE}) AS g (n)
CROSS JOIN LATERAL jsonb_populate_record(l, jsonb_build_object('identity', md5(l.identity::text || g.n)::uuid,
  'kafka_offset', l.kafka_offset + g.n * 100000, 'call_id', l.call_id || '-' || g.n)) m;
UPDATE spendlog.kafka_offsets SET rows = rows * {MORE + 1}, records = records + rows * {MORE},
  next_offset = next_offset + {MORE} * 100000 + 100000;
UPDATE spendlog.ingest_batches SET rows = rows * {MORE + 1}"""
NO_DRIFT = "drift: {events: 0}\n"  # its prices were apart from the gateway's on purpose


def rows_of_0_1_0_become_lean(servers):
    """migrate adds up what 0.1.0 left; migrate --carry gives its days the new form: rows, sums and verify say the same throughout."""
    table = "SELECT sum(hashtextextended((to_jsonb(s) - 'items')::text, 0)::numeric), count(*), sum(spend) FROM spendlog.spend_logs s"
    with Stage(servers, "carried", partitions=2) as stage:
        with lzma.open(OLD, "rt", encoding="utf-8") as text:
            load(servers, stage, "carried_old", text.read())
        stage.sql(MULTIPLY)
        started = time.monotonic()
        stage.command("migrate", "-q")
        migrated = time.monotonic()
        before = stage.sql(table)
        check_equal((int(before[0][1]), Decimal(before[0][2])), (OLD_ROWS * (MORE + 1), OLD_SPEND * (MORE + 1)), "rows and spend")
        check_equal(stage.sql("SELECT sum(calls), sum(spend) FROM spendlog.spend_daily"), [before[0][1:]], "sums of what was there")
        stage.sums_agree()
        differences = stage.command("verify", "-q", extra=NO_DRIFT)
        carried = time.monotonic()
        stage.command("migrate", "-q", "--carry")
        ended = time.monotonic()
        check_equal(stage.sql(table), before, "the table, carried over")
        check_equal(stage.value("SELECT count(*) FROM spendlog.stored_rows WHERE call_no IS NULL"), "0", "wide rows")
        check_equal(stage.value("SELECT count(*) FROM spendlog.carried_days WHERE carried_at IS NULL"), "0", "days left")
        check_equal(stage.sql("SELECT sum(amount) FROM spendlog.spend_items"), stage.sql("SELECT trim_scale(sum(spend)) FROM spendlog.spend_logs"), "sides of rows without items")
        check_equal(sorted(stage.command("verify", "-q", extra=NO_DRIFT).splitlines()), sorted(differences.splitlines()), "verify, before and after")
        check(" 0 differences" in differences, differences)
        return f"{before[0][1]} rows: {migrated - started:.0f} s to migrate, {ended - carried:.0f} s to carry over"


def newer_schema_is_refused(servers):
    """An old program on a newer schema says so in every command and stops; --version tells the schema's version."""
    newest = max(int(name[:4]) for name in os.listdir(os.path.join(ROOT, "migrations")) if name[:4].isdigit())
    check(re.search(rf"schema version {newest}\b", run_checked([SPENDLOG, "--version"])), "the schema's version in --version")
    with Stage(servers, "newer", partitions=1) as stage:
        stage.sql("INSERT INTO spendlog.schema_migrations (version, name, sha256) "
                  f"VALUES (9999, '9999_from_the_future.sql', '{'0' * 64}')")
        for words in (*ASKING, ("migrate",)):
            refused(stage, words, "the schema is newer than this program: 9999_from_the_future.sql was applied")


def dumped_and_restored(servers):
    """pg_dump with its partitions, restored elsewhere: what came after the dump is read again from Kafka, and all balances."""
    with Stage(servers, "dumped", partitions=2) as stage:
        lines = demo_lines()
        stage.produce(lines[:200])
        stage.consume()
        dump = run_checked(["pg_dump", "-h", servers.socket_folder, "-U", "spendlog", "-d", stage.database])
        stage.produce(lines[200:300])
        stage.consume()
        whole = stage.table()
        load(servers, stage, "dumped_again", dump)
        check(stage.row_count() < len(whole), "the dump has all")
        stage.consume()
        check_equal(stage.table(), whole, "rows after the restoration")
        check(" 0 differences" in stage.command("verify", "-q"), "verify")


ALL = (newer_schema_is_refused, upgraded_from_0_1_0, rows_of_0_1_0_become_lean, dumped_and_restored)
