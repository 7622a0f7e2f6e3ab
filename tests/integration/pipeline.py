# SPDX-License-Identifier: Apache-2.0
"""From the topic to the table: what is stored, once, and what becomes of messages that are not events."""
import json
import random
import signal
import time
from collections import Counter
from decimal import Decimal

from harness.report import check, check_equal
from harness.servers import SPENDLOG, run_checked
from integration.stage import Stage, demo_event, demo_lines, message_of

FAULT_POINTS = ("after_lock", "after_copy", "before_commit", "after_commit", "after_kafka_commit")


def money(text):
    return None if text in (None, "\\N") else Decimal(text)


def rows_equal_price(servers):
    """The rows are what `spendlog price` says of the same messages: status, reason, spend, gateway's figure."""
    with Stage(servers, "equal") as stage:
        lines = demo_lines()
        stage.produce(lines)
        stage.consume()
        out = stage.command("price", "-q", stdin=b"\n".join(lines).decode())
        said = Counter()
        for line in out.splitlines():
            result = json.loads(line, parse_float=Decimal, parse_int=Decimal)
            said[(result["request_id"], result["model"], result["status"], result["reason"] or "",
                  result["spend"], result["gateway_cost"])] += 1
        stored = Counter()
        for request_id, model, status, reason, spend, gateway in stage.sql(
                "SELECT request_id, model, pricing_status, pricing_reason, spend, gateway_cost "
                "FROM spendlog.spend_logs"):
            stored[(request_id, model, status, reason, money(spend), money(gateway))] += 1
        check_equal(stored - said, Counter(), "rows that price does not say")
        check_equal(said - stored, Counter(), "results that are not a row")
        check_equal(stage.books(), [len(lines) + 2, 0, 0, 0], "rows, duplicates, rejected, skipped")
        return f"{sum(stored.values())} rows, {stage.value('SELECT sum(spend) FROM spendlog.spend_logs')} USD"


def read_again_by_another_group(servers):
    """Another group reads the topic again: no row more beside the same table, the same table in an empty database."""
    with Stage(servers, "again") as stage:
        stage.produce(demo_lines())
        stage.consume()
        first = stage.table()
        stage.consume(group="again-2")
        check_equal(stage.table(), first, "table after a second group")
        check_equal(stage.books(), [len(first), len(first), 0, 0], "rows, duplicates, rejected, skipped")
        stage.command("verify", "-q")
        stage.database_create("again_empty")
        stage.consume(group="again-3")
        check_equal(stage.table(), first, "table in an empty database")
        return f"{len(first)} rows"


def resent_stays_one_and_shared_id_stays_two(servers):
    """Calls that share `id` but not `litellm_call_id` stay two rows; an event sent again stays one."""
    with Stage(servers, "identity") as stage:
        one = demo_event(id="chatcmpl-up", litellm_call_id="call-1")
        two = {**one, "litellm_call_id": "call-2"}
        stage.produce([message_of(one), message_of(two), message_of(one)])
        stage.consume()
        stage.produce([message_of(two), message_of(one)], partition=2)
        stage.consume()
        check_equal(stage.books(), [2, 3, 0, 0], "rows, duplicates, rejected, skipped")
        check_equal(stage.sql("SELECT request_id, call_id FROM spendlog.spend_logs ORDER BY call_id"),
                    [["chatcmpl-up", "call-1"], ["chatcmpl-up", "call-2"]], "rows")
        stage.command("verify", "-q")


def odd_messages(servers):
    """What is not JSON or of year 2096 is rejected with its reason, U+0000 is repaired, an unknown model is a row."""
    with Stage(servers, "odd", partitions=1) as stage:
        nul = demo_event(litellm_call_id="nul", request_tags=["a\0b"])
        unknown = demo_event(litellm_call_id="unknown", model="no-such-model-9", custom_llm_provider="openai")
        unknown.pop("model_map_information", None)
        unknown["hidden_params"] = {}
        late = demo_event(litellm_call_id="late", startTime=3976214400.0, endTime=3976214401.0)
        plain = demo_event(litellm_call_id="plain")
        stage.produce([b"{not json", message_of(nul), message_of(unknown), message_of(late), None,
                       b"[]", b'{"hello":"world"}', message_of(plain)])
        stage.consume()
        check_equal(stage.books(), [3, 0, 2, 3], "rows, duplicates, rejected, skipped")
        check_equal(stage.sql("SELECT kafka_offset, reason FROM spendlog.rejected_events ORDER BY 1"),
                    [["0", "bad_json"], ["3", "time_out_of_range"]], "rejected events")
        check_equal(stage.sql("SELECT call_id, pricing_status, pricing_reason, spend IS NULL, "
                              "request_tags[1] FROM spendlog.spend_logs WHERE call_id <> 'plain' ORDER BY 1"),
                    [["nul", "priced", "", "f", "a\ufffdb"],
                     ["unknown", "unpriced", "unknown_model", "t", unknown["request_tags"][0]]], "rows")
        check_equal(stage.value("SELECT model FROM spendlog.unpriced_models"), "no-such-model-9",
                    "unpriced_models")
        check_equal(stage.value("SELECT count(*) FROM pg_catalog.pg_tables WHERE tablename ~ '2096'"), "0",
                    "partitions for the year 2096")
        stage.command("verify", "-q")


def killed_around_commit(servers):
    """kill -9 between COPY and COMMIT and between COMMIT and Kafka's commit loses and doubles nothing."""
    with Stage(servers, "killed") as stage:
        lines = demo_lines()
        stage.produce(lines)
        for point in FAULT_POINTS:
            member = stage.start("--exit-eof", fault=f"{point}:1", extra="batch: {rows: 40, wait_ms: 50}\n")
            check_equal(member.wait(30), -signal.SIGKILL, f"{point}: exit code{member.tail()}")
        survivor = stage.start()
        stage.await_rows(len(lines) + 2)
        check_equal(survivor.end(), 0, f"exit code{survivor.tail()}")
        killed = stage.table()
        check_equal(stage.books(), [len(killed), 0, 0, 0], "rows, duplicates, rejected, skipped")
        stage.command("verify", "-q")
        stage.database_create("killed_never")
        stage.consume(group="killed-never")
        check_equal(killed, stage.table(), "table against a run that nobody killed")


def killed_at_random(servers, seed, kills=12):
    """kill -9 at random times loses and doubles nothing."""
    dice = random.Random(seed)
    with Stage(servers, "random") as stage:
        for number in range(20):
            stage.produce([message_of(demo_event(litellm_call_id=f"call-{number}-{i}")) for i in range(100)])
        for _ in range(kills):
            member = stage.start(extra="batch: {rows: 50, wait_ms: 20}\n")
            time.sleep(dice.uniform(0.05, 1.2))
            check(member.alive(), f"ended by itself{member.tail()}")
            member.kill()
        # A run to the end would be content with what the group leaves it until the dead are noticed.
        survivor = stage.start()
        stage.await_rows(2000)
        check_equal(survivor.end(), 0, f"exit code{survivor.tail()}")
        check_equal(stage.books(), [2000, 0, 0, 0], "rows, duplicates, rejected, skipped")
        stage.command("verify", "-q")


def one_of_two_is_killed(servers):
    """Two instances share the group; when one is killed the other takes its partitions over."""
    with Stage(servers, "two", partitions=4) as stage:
        first, second = stage.start(), stage.start()
        stage.produce([message_of(demo_event(litellm_call_id=f"a-{i}")) for i in range(200)])
        stage.await_rows(200)
        first.kill()
        stage.produce([message_of(demo_event(litellm_call_id=f"b-{i}")) for i in range(200)])
        stage.await_rows(400)
        check_equal(second.end(), 0, f"exit code of the survivor{second.tail()}")
        check_equal(stage.books(), [400, 0, 0, 0], "rows, duplicates, rejected, skipped")
        check_equal(len(stage.sql("SELECT 1 FROM spendlog.kafka_offsets WHERE rows > 0")), 4, "partitions")


def partitions_added_later(servers):
    """Partitions added to the topic while the service runs are read from their start."""
    with Stage(servers, "grown", partitions=1) as stage:
        stage.start(extra="", group="grown")
        stage.produce([message_of(demo_event(litellm_call_id="before"))])
        stage.await_rows(1)
        stage.members[-1].end()
        servers.kafka_tool("grow", stage.topic, 3)
        stage.partitions = 3
        stage.produce([message_of(demo_event(litellm_call_id=f"after-{i}")) for i in range(3)])
        stage.consume()
        check_equal(stage.row_count(), 4, "rows")


OWN_MAPPING = """mappings:
- name: own
  keep: /own_id
  identity: [request_id]
  fields: {request_id: /own_id, provider: {const: openai}, model: {const: gpt-4o}, call_type: {const: chat},
           input_tokens: %s, output_tokens: {const: 1}}
"""


def rejected_become_rows_once_when_the_mapping_is_fixed(servers):
    """`rejected retry` makes rows of them, once, at their old offsets and at the time of their message."""
    with Stage(servers, "fixed", partitions=1) as stage:
        broken = OWN_MAPPING % "/tokens"
        fixed = OWN_MAPPING % "{path: /tokens, match: '^([0-9]+)'}"
        stage.produce([b'{"own_id":"a","tokens":7}', b'{"own_id":"b","tokens":"12 in"}',
                       b'[{"own_id":"c","tokens":"5 in"},{"own_id":"d","tokens":"99999999999999999999"}]',
                       b'{"own_id":"b","tokens":"12 in"}'])
        stage.consume(extra=broken)
        check_equal(stage.books(), [1, 0, 4, 0], "rows, duplicates, rejected, skipped")
        retry = [SPENDLOG, "rejected", "retry", "-q", "-c", stage.config("fixed", user="spendlog", extra=fixed)]
        elsewhere = stage.config("elsewhere", user="spendlog", group="elsewhere", extra=fixed)
        said = run_checked([*retry[:-1], elsewhere, "--topic", stage.topic])
        check("0 tried" in said and "4 are of other consumer groups" in said, f"of another group: {said}")
        said = run_checked([*retry, "--limit", "1"])
        check("1 tried" in said and "\n3 more are left by --limit" in said and "groups" not in said, f"with a limit: {said}")
        for _ in range(2):
            run_checked(retry)
            check_equal(stage.sql("SELECT request_id, kafka_offset, record_index, input_tokens, time_source "
                                  "FROM spendlog.spend_logs ORDER BY 1"),
                        [["a", "0", "0", "7", "kafka"], ["b", "1", "0", "12", "kafka"],
                         ["c", "2", "0", "5", "kafka"]], "rows")
            check_equal(stage.books(), [3, 1, 1, 0], "rows, duplicates, rejected, skipped")
        check_equal(stage.value(
            "SELECT count(*) FROM spendlog.spend_logs l JOIN spendlog.rejected_events e USING (partition_id, "
            "kafka_offset, record_index) WHERE l.start_time = timestamp '1970-01-01' + "
            "e.message_ms * interval '1 ms' AND e.resolution = 'row'"), "2", "rows at the time of their message")
        stage.command("verify", "-q")


ALL = (rows_equal_price, rejected_become_rows_once_when_the_mapping_is_fixed, read_again_by_another_group, resent_stays_one_and_shared_id_stays_two, odd_messages,
       killed_around_commit, killed_at_random, one_of_two_is_killed, partitions_added_later)
