# SPDX-License-Identifier: Apache-2.0
"""Prices apart from the gateway's own are an alarm, and one that ends."""
import json
import signal
import urllib.request

from harness.report import check, check_equal, wait_for
from harness.servers import free_port
from integration.operations import cost_map_of, reload_event
from integration.stage import Stage, message_of


def event(number, stated, **more):
    made = json.loads(reload_event(number))
    made["response_cost"] = stated
    made.update(more)
    return message_of(made)


def metric(port, name):
    page = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60).read().decode()
    return {line.rsplit(" ", 1)[0]: int(line.rsplit(" ", 1)[1]) for line in page.splitlines()
            if line.startswith(name) and line[len(name)] in " {"}


def a_price_apart_from_the_gateways_is_an_alarm(servers):
    """Metric, one log line, check and verify exit 1 with the list; new prices end it; honest figures only."""
    with Stage(servers, "drift", partitions=1) as stage:
        path, port = cost_map_of(stage, "0.001"), free_port()
        limits = "lanes: 1\ndrift: {events: 3}\n"
        member = stage.start(pricing=f"{{cost_map: {path}}}", extra=limits, metrics=f"127.0.0.1:{port}")
        # 1000 tokens are 1 USD. Nothing to tell: equal, within 0.5 %, no figure, a 0, a cached and a failed call.
        quiet = [event(1, 1), event(2, 1.0049), event(3, None), event(4, 0), event(5, 9, cache_hit=True),
                 event(6, 9, status="failure"), event(7, 1.0051), event(8, 0.9949)]
        stage.produce(quiet)
        stage.await_rows(8)
        check_equal(metric(port, "spendlog_drift_events_total"), {"spendlog_drift_events_total": 2}, "events apart")
        check_equal(metric(port, "spendlog_drift_alarms"), {"spendlog_drift_alarms": 0}, "alarms")
        stage.command("verify", "-q", "--since", "2000-01-01T00:00:00Z")
        stage.produce([event(9, 2)])
        stage.await_rows(9)
        wait_for("the alarm", lambda: metric(port, "spendlog_drift_alarms") == {"spendlog_drift_alarms": 1}, 10)
        check_equal(list(metric(port, "spendlog_drift_events").values()), [3], "events of the one")
        wait_for("the log line", lambda: "drift: openai gpt-reload" in member.text(), 10)
        drifting = apart(stage, limits)
        check("openai gpt-reload (chat): 3 rows, 0 of them 0 here" in drifting, drifting)

        stage.produce([event(10, 2)])
        stage.await_rows(10)
        check_equal(member.text().count("drift: openai gpt-reload"), 1, "log lines within the hour")
        cost_map_of(stage, "0.002")
        member.signal(signal.SIGHUP)
        wait_for("no alarm under new prices",
                 lambda: metric(port, "spendlog_drift_alarms") == {"spendlog_drift_alarms": 0}, 10)
        cost_map_of(stage, "0")
        member.signal(signal.SIGHUP)
        wait_for("the next prices", lambda: member.text().count("prices loaded again") == 2, 10)
        stage.produce([event(11, 0.5)])
        stage.await_rows(11)
        wait_for("a silent 0", lambda: metric(port, "spendlog_drift_alarms") == {"spendlog_drift_alarms": 1}, 10)


def apart(stage, limits):
    """What verify and check list, each with exit code 1."""
    said = stage.command("verify", "-q", code=1, extra=limits)
    check("DIFFERENCE drift" in said, said)
    stage.command("verify", "-q", "--counts-only", extra=limits)
    stage.command("check", "-q", "--offline", extra=limits)
    stage.command("check", "-q", code=1, extra=limits)
    return said


def rounding_of_the_gateway_is_settled(servers):
    """What is not settled lists a difference from the gateway's figure, and not the last digits of its floating point."""
    asked = "SELECT model, calls, round(at_risk, 6) FROM spendlog.suspense WHERE what = 'drift'"
    with Stage(servers, "rounding", partitions=1) as stage:
        pricing = f"{{cost_map: {cost_map_of(stage, '0.001')}}}"
        stage.produce([event(n, 1.0000000000000002) for n in range(3)])
        stage.consume(pricing=pricing)
        check_equal(stage.value("SELECT sum(calls_differing) FROM spendlog.price_drift"), "3", "figures that differ")
        check_equal(stage.sql(asked), [], "not settled")
        stage.produce([event(3, 1.0001)])
        stage.consume(pricing=pricing)
        check_equal(stage.sql(asked), [["gpt-reload", "4", "0.000100"]], "not settled, with a difference")


def drift_beyond_those_named_is_counted(servers):
    """`verify` and `check` name the 100 models that are apart by most, and say how many more are."""
    with Stage(servers, "drifts", partitions=1) as stage:
        stage.produce([event(0, 5)])
        stage.consume(pricing=f"{{cost_map: {cost_map_of(stage, '0.001')}}}")
        stage.sql("CREATE TEMP TABLE more AS SELECT l.*, n FROM spendlog.spend_logs l, generate_series(1, 102) n; "
                  "UPDATE more SET model = 'm' || n, identity = gen_random_uuid(), kafka_offset = 1000 + n; ALTER TABLE more DROP COLUMN n; "
                  "INSERT INTO spendlog.spend_logs SELECT * FROM more; SELECT spendlog.sums_remake('-infinity', 'infinity')")
        lines = [line for line in stage.command("verify", "-q", code=1, extra="drift: {events: 1}\n").splitlines() if line.startswith("DIFFERENCE drift")]
        check_equal(len(lines), 101, f"lines of drift: {lines[-3:]}")
        check("and 3 more that differ by less" in lines[-1], f"the last one: {lines[-1]}")


ALL = (a_price_apart_from_the_gateways_is_an_alarm, rounding_of_the_gateway_is_settled, drift_beyond_those_named_is_counted)
