# SPDX-License-Identifier: Apache-2.0
"""What a tenant or a dashboard can find out beyond what it is shown: each attack is played."""
import json
import re

from harness.report import check, check_equal
from security.rights import filled
from security.transport import run_program

TENANT = "sec_tenant"
OWN = "team-2"

# Counted in a plan: rows that came out of a node, rows that one of its filters removed.
COUNTS = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Join Filter", "Rows Removed by Index Recheck",
          "Heap Fetches", "Exact Heap Blocks", "Lossy Heap Blocks")


def nodes_of(plan):
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes_of(child)


def explained(world, query):
    """Nodes of the plan that a tenant gets to see."""
    lines = world.servers.psql(world.database, "EXPLAIN (ANALYZE, VERBOSE, FORMAT JSON) " + query, TENANT)
    return list(nodes_of(json.loads("\n".join("\t".join(line) for line in lines))[0]["Plan"]))


def rows_seen(world, query):
    """Rows that the plan accounts for: more than the tenant's own are a leak."""
    return sum(int(node.get(name, 0) * node.get("Actual Loops", 1))
               for node in explained(world, query) for name in COUNTS)


def own_rows(world):
    return int(world.sql(f"SELECT count(*) FROM spendlog.spend_logs WHERE team_id = '{OWN}'")[0][0])


def tenant_world(servers, name, seed):
    world = filled(servers, name, seed)
    world.sql("UPDATE spendlog.spend_logs SET user_id = 'mallory', input_tokens = 777777 WHERE team_id <> "
              f"'{OWN}'")
    world.sql(f"INSERT INTO spendlog.tenant_teams (login, team_id) VALUES ('{TENANT}', '{OWN}')")
    check(0 < own_rows(world) < world.row_count(), "no rows of others")
    return world


def plans_count_own_rows_only(servers, seed):
    """EXPLAIN ANALYZE with leakproof operators, which run below a barrier, counts no row of another team: bisection finds nothing."""
    with tenant_world(servers, "bisection", seed) as world:
        own = own_rows(world)
        for view in ("tenant.spend_logs", "tenant.calls()", "tenant.spend_daily", "tenant.daily()"):
            kinds = {node["Node Type"] for node in explained(world, f"SELECT * FROM {view}")}
            check_equal(kinds, {"Function Scan"}, f"plan of {view}")
        for condition in ("user_id = 'mallory'", "user_id >= 'm' AND user_id < 'n'", "input_tokens = 777777",
                          "input_tokens > 700000", "team_id = 'team-1'", f"team_id <> '{OWN}'",
                          "start_time > '2000-01-01'", "user_id LIKE 'mal%'"):
            seen = rows_seen(world, f"SELECT * FROM tenant.spend_logs WHERE {condition}")
            check(seen <= own, f"{condition}: the plan accounts for {seen} rows, {own} are the tenant's")
            none = rows_seen(world, f"SELECT * FROM tenant.spend_logs WHERE NOT ({condition})")
            check(none <= own, f"NOT {condition}: {none} rows, {own} are the tenant's")
        seen = {tuple(sorted((n["Node Type"], n["Plan Rows"]) for n in explained(
            world, f"SELECT * FROM tenant.spend_logs WHERE user_id = '{user}'"))) for user in ("mallory", "nobody")}
        check_equal(len(seen), 1, "estimates that tell a user who is there from one who is not")


LEAK = ("CREATE FUNCTION pg_temp.leak({argument}) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS "
        "$$ BEGIN RAISE NOTICE 'leak %', $1; RETURN true; END $$; ")


def other_ways_in_are_shut(servers, seed):
    """Cheap functions, errors, statistics, plans sent as messages, other roles and the tables themselves tell a tenant nothing of other teams."""
    with tenant_world(servers, "ways-in", seed) as world:
        def psql(statement):
            return servers.psql_messages(world.database, statement, TENANT)

        code, text = psql(LEAK.format(argument="text") +
                          "SELECT count(*) FROM tenant.spend_logs WHERE pg_temp.leak(user_id)")
        check(code == 0 and "leak" in text, f"the function was not called: {text[-200:]}")
        check("mallory" not in text, "a cheap function saw another team's user")
        code, text = psql("SELECT count(*) FROM tenant.spend_logs WHERE 1 / (input_tokens - 777777) >= 0")
        check_equal(code, 0, f"an error tells of another team's row: {text[-200:]}")
        for statement in ("SELECT tablename, most_common_vals, histogram_bounds FROM pg_stats WHERE schemaname IN "
                          "('spendlog', 'tenant')", "SELECT statistics_name, most_common_vals FROM pg_stats_ext WHERE statistics_schemaname IN "
                          "('spendlog', 'tenant')"):
            check_equal(servers.psql(world.database, statement, TENANT), [], "statistics a tenant can read")
        world.sql("ANALYZE spendlog.stored_rows")
        for setting in ("debug_print_plan", "debug_print_parse", "debug_print_rewritten"):
            code, text = psql(f"SET client_min_messages = log; SET {setting} = on; SELECT count(*) FROM tenant.calls()")
            check_equal(code, 0, f"{setting}: {text[-200:]}")
            check("tenant_teams" not in text, f"{setting} shows what the function asks")
        for statement in ("SELECT count(*) FROM spendlog.spend_logs", "TABLE spendlog.spend_entries",
                          "TABLE spendlog.counted_logs", "TABLE spendlog.excluded_rows", "TABLE spendlog.rejected_events",
                          "TABLE litellm.\"LiteLLM_SpendLogs\"", "SET SESSION AUTHORIZATION spendlog",
                          "SET ROLE spendlog_reader", "COPY (TABLE spendlog.spend_logs) TO STDOUT",
                          "CREATE OR REPLACE FUNCTION tenant.calls() RETURNS int LANGUAGE sql AS 'SELECT 1'",
                          "INSERT INTO tenant.spend_daily (day) VALUES ('2026-01-01')"):
            code, text = psql(statement)
            check(code != 0 and ("permission denied" in text or "must be owner" in text or "cannot insert" in text),
                  f"{statement}: {text[-200:] or 'allowed'}")
        shadow = ("CREATE TEMP TABLE tenant_teams AS SELECT 'sec_tenant'::name AS login, 'team-1' AS team_id; "
                  "CREATE FUNCTION pg_temp.\"session_user\"() RETURNS name LANGUAGE sql AS 'SELECT ''spendlog''::name'; "
                  "SET search_path = pg_temp, spendlog, pg_catalog; SELECT DISTINCT team_id FROM tenant.calls()")
        check_equal(servers.psql(world.database, shadow, TENANT), [[OWN]], "teams with objects in the way")
        return f"{own_rows(world)} of {world.row_count()} rows are the tenant's"


def functions_have_limits_in_time(servers, seed):
    """tenant.calls and tenant.daily give what the views give, in [since, until)."""
    with tenant_world(servers, "tenant-times", seed) as world:
        def ask(query):
            return servers.psql(world.database, query, TENANT)

        middle = ask("SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY start_time) FROM tenant.spend_logs")[0][0]
        for part in (f"tenant.calls(until => '{middle}')", f"tenant.calls(since => '{middle}')"):
            sign = "<" if "until" in part else ">="
            check_equal(ask(f"SELECT count(*), sum(spend) FROM {part}"),
                        world.sql("SELECT count(*), sum(spend) FROM spendlog.spend_logs WHERE team_id = "
                                  f"'{OWN}' AND start_time {sign} '{middle}'"), part)
        check_equal(ask("SELECT sum(calls), sum(spend) FROM tenant.daily()"),
                    world.sql(f"SELECT count(*), sum(spend) FROM spendlog.spend_logs WHERE team_id = '{OWN}'"), "daily")
        check_equal(ask("SELECT count(*) FROM tenant.daily('2000-01-01', '2000-01-02')"), [["0"]], "a day without rows")


CANARY = "canary-1n-a-br0ken-message"


def dashboards_read_no_message(servers, seed):
    """spendlog_reader and spendlog_repricer see that and why a message was rejected, never the message or what quotes it."""
    with filled(servers, "dashboards", seed) as world:
        feed = world.feed()
        feed.put(0, ('{"id": 1, "litellm_call_id": "x", "messages": "' + CANARY + '", "status": ' + CANARY).encode())
        feed.put(0, json.dumps({"id": "chatcmpl-b", "litellm_call_id": "b", "call_type": "acompletion",
                                "custom_llm_provider": "openai", "model": "chaos-small", "startTime": CANARY,
                                "endTime": CANARY, "prompt_tokens": 1, "completion_tokens": 1, "metadata": {},
                                "status": "success", "response_cost": 0}).encode())
        feed.finish()
        world.feeds.clear()
        check_equal(world.start("--exit-eof").wait(40), 0, "exit code")
        held = world.sql(f"SELECT count(*) FROM spendlog.rejected_events WHERE position('{CANARY}' IN payload) > 0")
        check(int(held[0][0]) >= 1, "nothing with the canary was rejected")
        place = "/".join(world.sql("SELECT topic, partition, kafka_offset FROM spendlog.rejected_events JOIN "
                                   "spendlog.kafka_offsets USING (partition_id) WHERE "
                                   f"position('{CANARY}' IN payload) > 0 LIMIT 1")[0])
        tables = [t for (t,) in world.sql("SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN "
                                          "pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v') "
                                          "AND n.nspname IN ('spendlog', 'litellm', 'tenant')")]
        for role in ("reader", "repricer"):
            for table in tables:
                found = servers.psql_try(world.database, f"SELECT * FROM {table} t WHERE t::text LIKE '%{CANARY}%' OR "
                                         f"t::text LIKE '%' || encode('{CANARY}', 'hex') || '%'", f"sec_{role}")
                check(not found, f"{role} reads the message in {table}")
            for column in ("payload", "detail"):
                check(servers.psql_try(world.database, f"SELECT {column} FROM spendlog.rejected_events",
                                       f"sec_{role}") is None, f"{role} reads {column}")
            config = world.config(role, user=f"sec_{role}")
            listed = run_program("rejected", "list", "-c", config)
            check(listed.returncode == 0 and "bad_json" in listed.stdout, f"list: {listed.stdout}{listed.stderr}")
            shown = run_program("rejected", "show", place, "-c", config)
            asked = run_program("rejected", "show", place, "--payload", "-c", config)
            check_equal((shown.returncode, asked.returncode), (0, 78), f"exit codes: {shown.stderr}{asked.stderr}")
            check("spendlog_writer" in asked.stderr, f"the refusal names no way: {asked.stderr}")
            check(CANARY not in listed.stdout + shown.stdout + asked.stdout + asked.stderr, "the message is shown")
        mine = run_program("rejected", "show", place, "--payload", "-c", world.config("mine", user="sec_writer"))
        check(CANARY in mine.stdout, f"the writer does not see it: {mine.stdout}{mine.stderr}")
        check(not re.search(CANARY, "".join(member.text() for member in world.members)), "the message is in the log")


ALL = (plans_count_own_rows_only, other_ways_in_are_shut, functions_have_limits_in_time, dashboards_read_no_message)
