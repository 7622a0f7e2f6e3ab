# SPDX-License-Identifier: Apache-2.0
"""What else a record can be: OTLP as protobuf, key and headers, Avro behind a schema registry."""
import glob
import json
import os
import subprocess
import time
from decimal import Decimal

from harness.registry import Registry
from harness.report import check, check_equal, wait_for
from harness.servers import ROOT, SPENDLOG, run_checked
from integration.stage import Stage, demo_event, message_of

COLLECTOR = os.path.join(ROOT, "tests/cases/emitters/collector")

HEADERS_MAPPING = """
mappings:
- name: around
  keep: {header: event-type, eq: usage}
  identity: [{header: id}]
  fields: {request_id: {header: id}, provider: {const: openai}, model: {const: gpt-4o}, team: {key: /team},
           input_tokens: %s, output_tokens: {const: 1}, metadata: {object: {topic: {topic: true}}}}
"""

AVRO_MAPPING = """
schema_registry: {url: "%s"}
mappings:
- name: avro-usage
  keep: /call
  fields: {request_id: /call, provider: {const: openai}, model: /model, input_tokens: /tokens, output_tokens: {const: 1}}
"""
AVRO_SCHEMA = {"schema": json.dumps({"type": "record", "name": "Usage", "fields": [
    {"name": "call", "type": "string"}, {"name": "model", "type": ["null", "string"]}, {"name": "tokens", "type": "long"}]})}


def kcat(stage, *words, stdin=b""):
    done = subprocess.run(["kcat", "-b", stage.servers.brokers, "-t", stage.topic, *words], input=stdin, capture_output=True)
    check_equal(done.returncode, 0, f"kcat {done.stderr.decode(errors='replace')[-300:]}")
    return done.stdout


def priced(text):
    """{(request id, spend)…} of result lines, and how many were not events."""
    lines = [json.loads(line, parse_float=Decimal, parse_int=Decimal) for line in text.splitlines()]
    return {(line["request_id"], line["spend"]) for line in lines if "spend" in line}, \
        sum("spend" not in line for line in lines)


def collector_protobuf_becomes_priced_rows(servers):
    """What the OpenTelemetry Collector wrote as otlp_proto becomes the rows that its otlp_json is priced as; kcat's lines too."""
    with Stage(servers, "collector", partitions=1) as stage:
        files = sorted(glob.glob(os.path.join(COLLECTOR, "*.proto")))
        for path in files:
            kcat(stage, "-P", path)
        stage.consume()
        check_equal(stage.books(), [3, 0, 0, 1], "rows, duplicates, rejected, skipped")
        stored = {(request_id, Decimal(spend)) for request_id, spend in
                  stage.sql("SELECT request_id, spend FROM spendlog.spend_logs WHERE pricing_status = 'priced'")}
        as_json, _ = priced(run_checked([SPENDLOG, "price", "-q", *sorted(glob.glob(os.path.join(COLLECTOR, "*.json")))]))
        check_equal(stored, as_json, "rows against the prices of the same requests as JSON")
        done = subprocess.run([SPENDLOG, "price", "-q"], input=kcat(stage, "-C", "-J", "-e", "-q"), capture_output=True, check=True)
        lines, others = priced(done.stdout.decode())
        check_equal((lines, others), (stored, 1), "kcat's lines, priced")
        stage.command("verify", "-q")
        return f"{len(stored)} rows of {len(files)} requests"


def key_and_headers_go_with_a_rejected_record(servers):
    """A rejected record keeps key and headers, in clear or encrypted: its retry reads what `run` read."""
    keys = os.path.join(servers.folder, "wires.key")
    with open(keys, "w") as out:
        out.write("1f" * 32 + "\n")
    for name, storage in (("around", ""), ("around-sealed", f", payloads: encrypt, payload_key: 'file:{keys}'")):
        with Stage(servers, name, partitions=1) as stage:
            stage.storage = f"storage: {{retain_days: 0{storage}}}\n"
            headers = ("-H", "event-type=usage", "-H", "id=e1")
            kcat(stage, "-P", "-K", "\t", *headers, stdin=b'{"team":"search"}\t{"n":"12 in"}\n')
            kcat(stage, "-P", "-H", "event-type=audit", stdin=b'{"n":1}\n')
            stage.consume(extra=HEADERS_MAPPING % "/n")
            check_equal(stage.books(), [0, 0, 1, 1], "rows, duplicates, rejected, skipped")
            check_equal(stage.value("SELECT envelope LIKE '%search%' FROM spendlog.rejected_events"),
                        "f" if storage else "t", "the key in clear")
            fixed = HEADERS_MAPPING % "{path: /n, match: '^([0-9]+)'}"
            shown = stage.command("rejected", "show", f"{stage.topic}/0/0", "--payload", extra=fixed)
            check("header id: e1" in shown and '"team"' in shown, f"shown: {shown}")
            stage.command("rejected", "retry", "-q", extra=fixed)
            check_equal(stage.sql("SELECT request_id, input_tokens, team_id, metadata FROM spendlog.spend_logs"),
                        [["e1", "12", "search", json.dumps({"topic": stage.topic})]], "rows")
            check_equal(stage.books(), [1, 0, 0, 1], "rows, duplicates, rejected, skipped")
            lines, _ = priced(stage.command("price", "-q", stdin=kcat(stage, "-C", "-J", "-e", "-q").decode(), extra=fixed))
            check_equal([request_id for request_id, _ in lines], ["e1"], "kcat's lines, priced")
            explained = stage.command("explain", "--event", "-", stdin=kcat(stage, "-C", "-J", "-e", "-q").decode(), extra=fixed)
            check("request e1" in explained, f"kcat's line, explained: {explained}")
            stage.produce([b"\0\0\0\0\5hello", b"\xff\xfe{}"])
            stage.consume(extra=fixed)
            shown = subprocess.run([SPENDLOG, "rejected", "show", f"{stage.topic}/0/2", "--payload", "-c", stage.config("owner", user="spendlog", extra=fixed)],
                                   capture_output=True).stdout
            check(b"\0\0\0\0\5hello\n" in shown, f"a payload with NUL: {shown}")
            shown = json.loads(stage.command("rejected", "show", f"{stage.topic}/0/3", "--payload", "--json", extra=fixed))
            check_equal(shown.get("payload_hex"), "fffe7b7d", "a payload that is no text")
            stage.command("verify", "-q")


def field(number, value):
    """A field of protobuf: of bytes, or of a number."""
    def varint(v):
        out = b""
        while v > 127:
            out, v = out + bytes([v & 127 | 128]), v >> 7
        return out + bytes([v])
    if isinstance(value, int):
        return varint(number << 3) + varint(value & (1 << 64) - 1)
    return varint(number << 3 | 2) + varint(len(value)) + value


def span(number, tokens):
    def attribute(key, value):
        return field(9, field(1, key.encode()) + field(2, field(3, value) if isinstance(value, int) else field(1, value.encode())))
    return (field(1, bytes(16)) + field(2, number.to_bytes(8, "big")) + field(5, b"chat") +
            b"\x39" + (1764000000000000000 + number * 1000000).to_bytes(8, "little") +
            attribute("gen_ai.operation.name", "chat") + attribute("gen_ai.system", "openai") +
            attribute("gen_ai.response.model", "gpt-4o") + attribute("gen_ai.usage.input_tokens", tokens) +
            attribute("gen_ai.usage.output_tokens", 1))


def thousands_of_spans_are_one_message(servers):
    """A request of 3,000 spans lands over many batches, a bad one costs no sibling, its retry finds it by its index."""
    spans, bad = 3000, 100
    request = field(1, field(2, b"".join(field(2, span(i, -5 if i % bad == bad - 1 else i + 1)) for i in range(spans))))
    batches = "batch: {rows: 50, wait_ms: 50}\n"
    with Stage(servers, "spans", partitions=1) as stage:
        stage.produce([request, message_of(demo_event(litellm_call_id="behind"))])
        stage.consume(extra=batches)
        rejected = spans // bad
        check_equal(stage.books(), [spans - rejected + 1, 0, rejected, 0], "rows, duplicates, rejected, skipped")
        check(int(stage.value("SELECT count(*) FROM spendlog.ingest_batches")) > 10, "batches of one message")
        check_equal(stage.value("SELECT count(DISTINCT (kafka_offset, record_index)) FROM spendlog.spend_logs"),
                    str(spans - rejected + 1), "records by offset and index")
        check_equal(stage.sql("SELECT count(*), count(payload), min(record_index), max(record_index) FROM spendlog.rejected_events"),
                    [[str(rejected), "1", str(bad - 1), str(spans - 1)]], "rejected records, messages kept, first and last index")
        lenient = stage.command("map", "--print", "otlp").replace(
            "    input_tokens:\n    - same:\n      - /attributes/gen_ai.usage.input_tokens\n",
            "    input_tokens:\n    - {path: /attributes/gen_ai.usage.input_tokens, match: '^-?([0-9]+)$'}\n    - same:\n", 1)
        check("match: '^-?([0-9]+)$'" in lenient, "the mapping as it was changed")
        stage.command("rejected", "retry", "-q", extra=batches + lenient)
        check_equal(stage.books(), [spans + 1, 0, 0, 0], "rows, duplicates, rejected, skipped after the retry")
        check_equal(stage.sql("SELECT count(*), count(DISTINCT record_index % 100) FROM spendlog.spend_logs WHERE input_tokens = 5 AND kafka_offset = 0"),
                    [[str(rejected + 1), "2"]], "rows of the retry and their indexes")
        stage.command("verify", "-q")
        return f"{len(request)} bytes"


def avro(call, tokens, schema=5):
    def number(v):
        v = v << 1 if v >= 0 else -2 * v - 1
        out = b""
        while v > 127:
            out, v = out + bytes([v & 127 | 128]), v >> 7
        return out + bytes([v])
    return b"\0" + schema.to_bytes(4, "big") + number(len(call)) + call.encode() + b"\x02\x0cgpt-4o" + number(tokens)


def a_registry_that_is_away_is_a_pause(servers):
    """While the registry is away nothing is rejected, the service ends in seconds; then all is read, and an unknown id rejected with it."""
    with Stage(servers, "registry", partitions=1) as stage, Registry({5: AVRO_SCHEMA}) as registry:
        stage.produce([message_of(demo_event(litellm_call_id="before")), avro("a1", 12), message_of(demo_event(litellm_call_id="behind")),
                       avro("a2", 7, schema=6), avro("a3", 9)])
        extra = AVRO_MAPPING % registry.url
        registry.status = 503
        member = stage.start(extra=extra)
        stage.await_rows(1)
        wait_for("a pause", lambda: "schema registry: status 503" in member.text(), 20)
        check_equal(member.end(), 0, f"exit code{member.tail()}")
        registry.status, registry.hang_s = None, 30
        member = stage.start(extra=extra)
        asked = len(registry.requests)
        wait_for("a request", lambda: len(registry.requests) > asked, 20)
        start = time.monotonic()
        check_equal(member.end(), 0, f"exit code{member.tail()}")
        took_s = time.monotonic() - start
        check(took_s < 10, f"SIGTERM beside a request that hangs: {took_s:.1f} s")
        check_equal(stage.books(), [1, 0, 0, 0], "rows, duplicates, rejected, skipped while it is away")
        registry.hang_s = 0
        asked = len(registry.requests)
        stage.consume(extra=extra)
        check_equal(registry.requests[asked:], ["/schemas/ids/5", "/schemas/ids/6"], "requests")
        check_equal(stage.sql("SELECT request_id, input_tokens FROM spendlog.spend_logs WHERE mapping = 'avro-usage' ORDER BY 1"),
                    [["a1", "12"], ["a3", "9"]], "rows")
        check_equal(stage.sql("SELECT reason, detail FROM spendlog.rejected_events"),
                    [["unknown_schema", "the schema registry does not know schema 6"]], "rejected")
        registry.schemas[6] = AVRO_SCHEMA
        stage.command("rejected", "retry", "-q", extra=extra)
        check_equal(stage.books(), [5, 0, 0, 0], "rows, duplicates, rejected, skipped after the retry")
        stage.command("verify", "-q")
        return f"SIGTERM beside a hanging request: {took_s:.1f} s"


AVRO_LIST = {"schema": json.dumps({"type": "array", "items": json.loads(AVRO_SCHEMA["schema"])})}


def avro_list(*events):
    """A message of schema 7."""
    return b"\0\0\0\0\7" + bytes([2 * len(events)]) + b"".join(avro(*one)[5:] for one in events) + b"\0"


def a_message_opened_late_gives_all_its_records(servers):
    """What could not be opened is one rejected record; once it can, each of its records is a row, rejected or skipped, once."""
    with Stage(servers, "opened", partitions=1) as stage, Registry({5: AVRO_SCHEMA}) as registry:
        extra = AVRO_MAPPING % registry.url
        stage.produce([avro_list(("l1", 1), ("l2", -2), ("l3", 3), ("l4", 4)), avro("a1", 12), avro_list(("l5", -5), ("l6", 6))])
        stage.consume(extra=extra)
        check_equal(stage.books(), [1, 0, 2, 0], "rows, duplicates, rejected, skipped before")
        registry.schemas[7] = AVRO_LIST
        for _ in range(2):
            stage.command("rejected", "retry", "-q", extra=extra)
            check_equal(stage.sql("SELECT request_id, kafka_offset, record_index FROM spendlog.spend_logs ORDER BY 1"),
                        [["a1", "1", "0"], ["l1", "0", "0"], ["l3", "0", "2"], ["l4", "0", "3"]], "rows")
            check_equal(stage.sql("SELECT kafka_offset, record_index FROM spendlog.rejected_events WHERE resolved_at IS NULL "
                                  "ORDER BY 1, 2"), [["0", "1"], ["2", "0"]], "rejected records that are left")
            check_equal(stage.books(), [4, 0, 2, 0], "rows, duplicates, rejected, skipped")
            stage.command("verify", "-q")
        return "4 rows, 2 left"


ALL = (a_message_opened_late_gives_all_its_records, thousands_of_spans_are_one_message, collector_protobuf_becomes_priced_rows, key_and_headers_go_with_a_rejected_record, a_registry_that_is_away_is_a_pause)
