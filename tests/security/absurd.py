# SPDX-License-Identifier: Apache-2.0
"""Events no call can be, rows of them that are there already, and rows that are set aside."""
import json
import subprocess
import time
from decimal import Decimal

from harness.events import payload_of
from harness.report import check, check_equal, wait_for
from harness.world import World
from security.rights import logins_make
from security.transport import run_program

MOST = 2**63 - 1
FORMATS = ("table", "csv", "json", "html")


def command(world, *words, config=None, code=0):
    done = run_program(*words, "-c", config or world.config("asking", user="spendlog"))
    check_equal(done.returncode, code, f"{' '.join(words)}: {done.stderr[-400:]}")
    return done.stdout


def consumed(world, payloads):
    feed = world.feed()
    for payload in payloads:
        feed.put(0, json.dumps(payload).encode())
    feed.finish()
    world.feeds.clear()
    member = world.start("--exit-eof")
    check_equal(member.wait(40), 0, f"exit code{member.tail()}")


def event(number, tokens=10, **more):
    return payload_of(number, "chaos-small", tokens, 10, time.time() - 60, **more)


def implausible_events_are_rejected(servers, seed):
    """An event of more tokens or dollars than one call can have is rejected with its payload; retry takes wider bounds."""
    with World(servers, "implausible", seed, partitions=1) as world:
        wild = [event(1, tokens=MOST // 2), event(2, response_cost=9e19), event(3, tokens=10**12 + 1),
                event(4, response_cost=1000000000.01)]
        tame = [event(5, tokens=10**12 - 1000), event(6, response_cost=1e9), event(7)]
        consumed(world, wild + tame)
        check_equal(world.sql("SELECT count(*) FROM spendlog.spend_logs"), [["3"]], "rows")
        check_equal(world.sql("SELECT reason, field, payload IS NOT NULL FROM spendlog.rejected_events "
                              "ORDER BY kafka_offset"),
                    [["implausible", "input_tokens", "t"], ["implausible", "gateway_cost", "t"],
                     ["implausible", "input_tokens", "t"], ["implausible", "gateway_cost", "t"]], "rejected")
        wide = world.config("wide", lines=["limits: {tokens: 1000000000000000, cost: 1000000000000}"])
        command(world, "rejected", "retry", config=wide)
        check_equal(world.sql("SELECT count(*) FROM spendlog.spend_logs"), [["5"]], "rows after the retry")
        command(world, "verify", "-q")
        lines = [json.loads(line) for line in command(
            world, "price", "-q", price_file(world, wild + tame), code=65).splitlines()]
        check_equal([line["reason"] for line in lines[:4]], ["implausible"] * 4, "price says the same")
        check("rejected" not in [line["status"] for line in lines[4:]], f"price rejects more: {lines[4:]}")
        for words in ((), ("--json",)):
            told = command(world, "explain", *words, "--event", price_file(world, wild), code=65)
            check(told.count("implausible") == 4, f"explain {words} says something else: {told}")
        command(world, "explain", "--event", price_file(world, tame))


def price_file(world, payloads):
    path = f"{world.folder}/events.jsonl"
    with open(path, "w") as out:
        out.writelines(json.dumps(payload) + "\n" for payload in payloads)
    return path


def absurd_rows_stop_nothing(servers, seed):
    """With rows of 2^63-1 tokens and 9e19 USD stored, reports show the sum, and verify, views, reprice, closing and retention work."""
    with World(servers, "absurd", seed, partitions=1) as world:
        consumed(world, [event(number) for number in range(6)])
        day = world.sql("SELECT min(start_time)::date FROM spendlog.spend_logs")[0][0]
        world.sql("UPDATE spendlog.spend_logs SET start_time = start_time - interval '0 day', "
                  f"input_tokens = {MOST}, output_tokens = {MOST}, total_tokens = NULL, "
                  f"cache_read_tokens = {MOST}, spend = 90000000000000000000, input_cost = 9e19, "
                  "gateway_cost = 9e30 WHERE call_id IN ('call-1', 'call-2', 'call-3')")
        world.sql("SELECT spendlog.sums_remake('-infinity', 'infinity')")  # of rows that no writer changed
        spend = world.sql("SELECT trim_scale(sum(spend)) FROM spendlog.spend_logs")[0][0]
        check(Decimal(spend) >= Decimal("2.7e20"), f"no absurd rows: {spend}")
        for form in FORMATS:
            shown = command(world, "report", "--format", form)
            if form in ("table", "html"):
                shown = shown.replace(",", "")  # people read figures with separators
            check(spend in shown, f"report --format {form} does not say {spend}: {shown}")
            check(str(3 * MOST + 30) in shown, f"report --format {form} does not say the tokens: {shown}")
        for view in world.sql("SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n "
                              "ON n.oid = c.relnamespace WHERE c.relkind = 'v' AND n.nspname IN ('spendlog', "
                              "'litellm', 'tenant')"):
            world.sql(f"SELECT * FROM {view[0]}")
        check_equal(world.sql("SELECT trim_scale(sum(spend)) FROM spendlog.spend_daily"), [[spend]], "daily view")
        report = json.loads(command(world, "verify", "--json", "--counts-only").splitlines()[-1], parse_float=Decimal)
        check_equal(Decimal(report["spend"]), Decimal(spend), "verify's sum")
        dry = json.loads(command(world, "reprice", "--dry-run", "--json", "-q"), parse_float=Decimal)
        check_equal(Decimal(dry["spend_before"]), Decimal(spend), "reprice --dry-run, before")
        check_equal(dry["changed"], 3, "rows that would change")
        done = json.loads(command(world, "reprice", "--all", "--json", "-q"), parse_float=Decimal)
        check(done["changed"] == 3 and Decimal(done["delta"]) != 0, f"reprice: {done}")
        world.sql("UPDATE spendlog.spend_logs SET spend = 90000000000000000000 WHERE call_id <> 'call-0'")
        world.sql(f"SELECT spendlog.drop_partition('{day}')")
        check(Decimal(world.sql("SELECT spend FROM spendlog.dropped_partitions")[0][0]) > Decimal("4e20"),
              "what the dropped day held")


def spends(world):
    entries = world.sql("SELECT trim_scale(coalesce(sum(spend), 0)), coalesce(sum(input_tokens), 0) FROM "
                        "spendlog.spend_entries")[0]
    rows = world.sql("SELECT trim_scale(coalesce(sum(spend), 0)), coalesce(sum(input_tokens), 0) FROM "
                     "spendlog.counted_logs")[0]
    report = [json.loads(line, parse_float=Decimal)
              for line in command(world, "report", "--json").splitlines()]
    check_equal(sum(Decimal(line["spend"] or 0) for line in report), Decimal(entries[0]), "the report's sum")
    check_equal(sum(Decimal(row[0] or 0) for row in world.sql("SELECT spend FROM spendlog.spend_daily")),
                Decimal(entries[0]), "the daily view's sum")
    return Decimal(entries[0]), int(entries[1]), Decimal(rows[0])


def excluded_rows_leave_all_sums(servers, seed):
    """What a row comes to leaves every sum when it is set aside, and comes back, also when its month is closed; the row stays."""
    with World(servers, "excluded", seed, partitions=1) as world:
        logins_make(servers)
        asking = world.config("repricer", user="sec_repricer")

        def exclude(*words, code=0):
            return command(world, "exclude", *words, config=asking, code=code)

        consumed(world, [event(number, tokens=1000 + number) for number in range(5)])
        before = spends(world)
        row = world.sql("SELECT trim_scale(spend), identity, start_time FROM spendlog.spend_logs WHERE "
                        "call_id = 'call-3'")[0]
        exclude("call-3", "--why", " ", code=64)
        exclude("call-none", "--why", "not there", code=65)
        exclude("--identity", row[1], "--why", "a loop of a test client")
        exclude("call-3", "--why", "twice", code=65)
        without = spends(world)
        check_equal(without, (before[0] - Decimal(row[0]), before[1] - 1003, before[2] - Decimal(row[0])),
                    "sums without the row")
        check_equal(world.sql("SELECT count(*) FROM spendlog.spend_logs"), [["5"]], "rows")
        for view, column in (("litellm.\"LiteLLM_DailyTeamSpend\"", "spend"), ("litellm.\"LiteLLM_SpendLogs\"", "spend"),
                             ("spendlog.focus_1_2", "\"BilledCost\""), ("spendlog.price_drift", "spend")):
            check_equal(Decimal(world.sql(f"SELECT sum({column}) FROM {view}")[0][0]), without[0], view)
        world.sql("UPDATE spendlog.spend_logs SET spend = spend / 2 WHERE call_id IN ('call-3', 'call-4')")
        world.sql("SELECT spendlog.sums_remake('-infinity', 'infinity')")  # of rows that no writer changed
        repriced = json.loads(command(world, "reprice", "--all", "--json", "-q", config=asking))
        check_equal((repriced["changed"], repriced["skipped_by_reason"]), (1, {"excluded": 1}), "reprice")
        world.sql("UPDATE spendlog.spend_logs SET spend = spend * 2 WHERE call_id = 'call-3'")
        world.sql("SELECT spendlog.sums_remake('-infinity', 'infinity')")  # of rows that no writer changed
        check_equal(spends(world), without, "sums after repricing")
        for column in ("spend", "gateway_cost", "input_tokens"):
            world.sql(f"UPDATE spendlog.exclusions SET {column} = {column} - 1 WHERE identity = '{row[1]}'")
            told = command(world, "verify", "-q", code=1)
            check(row[1] in told and "do not cancel it" in told, f"{column} of an entry was changed: {told}")
            world.sql(f"UPDATE spendlog.exclusions SET {column} = {column} + 1 WHERE identity = '{row[1]}'")
        command(world, "verify", "-q")
        days_are_respected(servers, world, row, exclude)
        exclude("--restore", "call-3", "--why", "it was not a loop")
        command(world, "verify", "-q")
        check_equal(spends(world), before, "sums with the row again")
        exclude("--restore", "call-3", "--why", "again", code=65)
        entries = [json.loads(line) for line in exclude("--list", "--json").splitlines()]
        check_equal([(e["action"], e["in_force"], e["why"], e["done_by"]) for e in entries],
                    [("exclude", False, "a loop of a test client", "sec_repricer"),
                     ("restore", False, "it was not a loop", "sec_repricer")], "what is recorded")
        closed_month(world, row, exclude)
        for statement in ("INSERT INTO spendlog.excluded_rows SELECT start_time, identity, 1 FROM spendlog.spend_logs",
                          "DELETE FROM spendlog.excluded_rows", "UPDATE spendlog.exclusions SET spend = 0",
                          "DELETE FROM spendlog.exclusions"):
            check(servers.psql_try(world.database, statement, "sec_repricer") is None, f"allowed: {statement}")


def days_are_respected(servers, world, row, exclude):
    """What another session has claimed is neither set aside nor put back; the holder is named."""
    claim = (f"SELECT set_config('application_name', 'some reprice', false); SELECT spendlog.days_claim(ARRAY['{row[2]}'::date]); "
             "SELECT pg_sleep(60)")
    holder = subprocess.Popen(["psql", "-X", "-q", "-h", servers.socket_folder, "-U", "sec_repricer", "-d", world.database, "-c", claim],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for("the claim", lambda: world.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = "
                                                "'some reprice' AND wait_event = 'PgSleep'") == [["1"]], 20)
        config = world.config("claimed", user="sec_repricer")
        for words in (("--restore", "call-3", "--why", "no"), ("call-2", "--why", "no")):
            done = run_program("exclude", *words, "-c", config)
            check(done.returncode != 0 and "some reprice" in done.stderr, f"{words}: {done.returncode} {done.stderr}")
    finally:
        world.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'some reprice'")
        holder.wait()


def closed_month(world, row, exclude):
    """The row's month is closed: its own day keeps its sum, the entry counts on an open day."""
    world.sql("INSERT INTO spendlog.closed_periods (month, rows, spend) SELECT "
              f"date_trunc('month', timestamp '{row[2]}')::date, 0, 0")
    of_day = ("SELECT trim_scale(sum(spend)) FROM spendlog.spend_entries WHERE day = "
              f"timestamp '{row[2]}'::date")
    of_all = "SELECT trim_scale(sum(spend)) FROM spendlog.spend_entries"
    day, everything = world.sql(of_day), world.sql(of_all)
    exclude("call-3", "--why", "found after the closing")
    check_equal(world.sql(of_day), day, "sum of the closed day")
    check_equal(Decimal(world.sql(of_all)[0][0]), Decimal(everything[0][0]) - Decimal(row[0]), "sum of all days")
    exclude("--restore", "call-3", "--why", "no")
    check_equal(world.sql(of_all), everything, "sum of all days with the row again")


ALL = (implausible_events_are_rejected, absurd_rows_stop_nothing, excluded_rows_leave_all_sums)
