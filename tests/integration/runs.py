# SPDX-License-Identifier: Apache-2.0
"""The tree of a run: sessions, traces, and which call made which."""
import json
import os
import time
from decimal import Decimal

from harness.events import payload_of
from harness.report import check, check_equal
from integration.stage import Stage

COST_MAP = '{"m": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 0.001, "output_cost_per_token": 0}}'
TRACE = "5b8aa5a2d2c872e8321cf37308d69df2"


def call(number, session, tokens, parent=None, model="m"):
    payload = payload_of(number, model, tokens, 0, time.time() - 600 + number, session_id=session)
    if parent:
        payload["metadata"]["requester_metadata"] = {"parent_id": parent, "user_secret": "stays out"}
    return json.dumps(payload).encode()


def span(span_id, parent, tokens, second):
    start = int((time.time() - 600 + second) * 10**9)
    given = {"gen_ai.operation.name": "chat", "gen_ai.system": "openai", "gen_ai.response.model": "m"}
    attributes = [{"key": key, "value": {"stringValue": value}} for key, value in given.items()]
    attributes.append({"key": "gen_ai.usage.input_tokens", "value": {"intValue": str(tokens)}})
    return {"traceId": TRACE, "spanId": span_id, "parentSpanId": parent, "name": "chat", "startTimeUnixNano": str(start),
            "endTimeUnixNano": str(start + 10**9), "attributes": attributes}


def trace_message():
    agent = {"traceId": TRACE, "spanId": "00000000000000a0", "parentSpanId": "", "name": "invoke_agent planner",
             "startTimeUnixNano": "1", "endTimeUnixNano": "2", "attributes": []}
    spans = [agent, span("00000000000000a1", "00000000000000a0", 1, 1), span("00000000000000a2", "00000000000000a1", 2, 2),
             span("00000000000000a3", "0000000000000000", 4, 3)]
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode()


MESSAGES = (
    call(1, "main", 1), call(2, "main", 2, "call-1"), call(3, "main", 4), call(30, "main", 8, model="nobody-knows-it"),
    call(4, "agent", 10, "call-2"), call(5, "agent", 20),        # made by the second call of main
    call(6, "agent-of-agent", 100, "chatcmpl-5"),                # by the id of the provider
    call(7, "round-a", 1000, "call-8"), call(8, "round-b", 2000, "call-7"), call(9, "round-b", 4000, "call-9"),
    call(10, "alone", 5), trace_message(),
)


def money(thousandths):
    return Decimal(thousandths) / 1000


def runs_are_trees(servers):
    """What sub-agents spend is their parent's too: over sessions, traces and spans; circles end, each call counts once."""
    stage = Stage(servers, "runs")
    try:
        with open(os.path.join(stage.folder, "map.json"), "w") as out:
            out.write(COST_MAP)
        stage.produce(MESSAGES)
        stage.consume(pricing="{cost_map: ./map.json}")
        wanted = {"main": (4, 1, 7, 2, 7, 137), "agent": (2, 0, 30, 1, 3, 130), "agent-of-agent": (1, 0, 100, 0, 1, 100),
                  "round-a": (1, 0, 1000, 1, 3, 7000), "round-b": (2, 0, 6000, 1, 3, 7000), "alone": (1, 0, 5, 0, 1, 5),
                  TRACE: (3, 0, 7, 0, 3, 7)}
        for session, (calls, unpriced, spend, below, in_all, spend_in_all) in wanted.items():
            rows = stage.sql("SELECT calls, unpriced_calls, spend, runs_below, calls_in_all, spend_in_all "
                             f"FROM spendlog.spend_by_session WHERE session_id = '{session}'")
            check_equal([[Decimal(v) for v in row] for row in rows],
                        [[calls, unpriced, money(spend), below, in_all, money(spend_in_all)]], session)
        check_equal({row[0] for row in stage.sql("SELECT session_id FROM spendlog.spend_by_session")}, set(wanted), "sessions")
        check_equal(stage.value("SELECT sum(spend) FROM spendlog.spend_by_session"),
                    stage.value("SELECT sum(spend) FROM spendlog.spend_logs"), "own spend of all sessions")
        tree = {row[0]: row[1:] for row in stage.sql(
            "SELECT c.call_id, c.depth, coalesce(p.call_id, ''), c.calls_in_all, coalesce(c.spend_in_all, 0) FROM spendlog.calls_of_run('main') c "
            "LEFT JOIN spendlog.spend_logs p ON (p.start_time, p.identity) = (c.parent_start_time, c.parent_identity)")}
        check_equal({name: (int(depth), parent, int(calls), Decimal(spend)) for name, (depth, parent, calls, spend) in tree.items()},
                    {"call-1": (0, "", 3, money(13)), "call-2": (1, "call-1", 2, money(12)), "call-3": (0, "", 1, money(4)),
                     "call-30": (0, "", 1, 0), "call-4": (2, "call-2", 1, money(10)), "call-5": (0, "", 2, money(120)),
                     "call-6": (1, "call-5", 1, money(100))}, "the calls of main")
        loop = stage.sql("SELECT call_id, spend_in_all FROM spendlog.calls_of_run('round-a') ORDER BY call_id")
        check_equal([(name, Decimal(spend)) for name, spend in loop],
                    [("call-7", money(3000)), ("call-8", money(3000)), ("call-9", money(4000))], "a circle")
        spans = stage.sql(f"SELECT span_id, parent_id, depth, spend_in_all FROM spendlog.calls_of_run('{TRACE}') ORDER BY 1")
        check_equal([(a, b, int(d), Decimal(s)) for a, b, d, s in spans],
                    [("00000000000000a1", "00000000000000a0", 0, money(3)), ("00000000000000a2", "00000000000000a1", 1, money(2)),
                     ("00000000000000a3", "", 0, money(4))], "spans")
        check_equal(stage.value("SELECT count(*) FROM spendlog.stored_rows WHERE call_no IS NOT NULL AND session_id <> '' "
                                "AND (span_id IS NOT NULL OR parent_id = '')"), "0", "lean rows with what they do not need")
        stage.command("exclude", "chatcmpl-6", "--why", "test")
        check_equal(Decimal(stage.value("SELECT spend_in_all FROM spendlog.spend_by_session WHERE session_id = 'main'")),
                    money(37), "without what was set aside")
        check_equal(stage.sql("SELECT session_id, calls, calls_in_all FROM spendlog.spend_by_session "
                              "WHERE session_id IN ('main', 'agent-of-agent') ORDER BY 1"), [["agent-of-agent", "0", "0"], ["main", "4", "6"]],
                    "calls without what was set aside")
        check_equal(stage.value("SELECT calls_in_all FROM spendlog.calls_of_run('main') WHERE call_id = 'call-5'"), "1", "the call above it")
        stage.sql("UPDATE spendlog.spend_logs SET parent_id = 'call-1' WHERE call_id = 'call-3'")
        check_equal(stage.value("SELECT parent_id FROM spendlog.spend_logs WHERE call_id = 'call-3'"), "call-1", "by hand")
        check_equal(stage.value("SELECT calls_in_all FROM spendlog.calls_of_run('main') WHERE call_id = 'call-1'"), "4", "after that")
        check(not stage.sql("SELECT FROM spendlog.spend_logs WHERE metadata::text LIKE '%stays out%'"), "metadata of the requester")
        return f"{len(wanted)} runs"
    finally:
        stage.close()


def a_run_that_many_have_made_is_followed_once(servers):
    """Two sessions a level, each made by both above: each is looked below once, not once for each of the 1,024 ways there are to it."""
    levels = 12
    messages = [call(1, "lattice", 1)]
    above, number = [("lattice", 1)] * 2, 1
    for level in range(1, levels):
        sides = []
        for side in "ab":
            for maker in {n for _, n in above}:
                number += 1
                messages.append(call(number, f"level-{level:02}-{side}", 1, f"call-{maker}"))
            sides.append((f"level-{level:02}-{side}", number))
        above = sides
    with Stage(servers, "lattice") as stage:
        stage.produce(messages)
        stage.consume()
        found, deepest, looked = stage.sql(
            "SET track_functions = 'all'; CREATE TEMP TABLE u AS SELECT * FROM spendlog.runs_under('lattice'); "
            "SELECT count(DISTINCT session_id), max(depth), (SELECT calls FROM pg_stat_xact_user_functions WHERE funcname = 'runs_below') FROM u")[0]
        check_equal([int(found), int(deepest), int(looked)], [2 * levels - 1, levels - 1, 2 * levels - 1], "runs, depth, runs looked below")
        check_equal(stage.sql("SELECT calls, runs_below, calls_in_all FROM spendlog.spend_of_run('lattice')"), [["1", str(2 * levels - 2), str(number)]],
                    "what all of them made")


ALL = (runs_are_trees, a_run_that_many_have_made_is_followed_once)
