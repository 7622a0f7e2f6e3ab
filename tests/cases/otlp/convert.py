#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every OTLP sample of tests/cases as protobuf, by the public `opentelemetry-proto` package: samples.jsonl.

    pip install opentelemetry-proto        (1.45.2 made the committed file)
    tests/cases/otlp/convert.py            writes samples.jsonl anew
    tests/cases/otlp/convert.py --check    exits 1 when it would differ

A line is {"name", "json", "protobuf"}: the sample, and the same request as base64 of its bytes. Ids that are not hexadecimal
digits of the right length, as tests like to have them, are replaced by ones that are, in both. Members that protobuf has no field for
are refused, so that nothing is lost on the way unseen. tests/unit/test_otlp.c reads both and compares.
"""
import base64
import copy
import glob
import hashlib
import json
import os
import re
import sys

from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

HERE = os.path.dirname(os.path.abspath(__file__))
CASES = os.path.dirname(HERE)
OUTPUT = os.path.join(HERE, "samples.jsonl")
REQUESTS = {"resourceSpans": ExportTraceServiceRequest, "resourceLogs": ExportLogsServiceRequest,
            "resourceMetrics": ExportMetricsServiceRequest}
ID_BYTES = {"traceId": 16, "spanId": 8, "parentSpanId": 8}


def requests_in(value):
    """The OTLP requests inside a value, however wrapped."""
    if isinstance(value, dict):
        if any(member in value for member in REQUESTS):
            yield value
            return
        for inner in value.values():
            yield from requests_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from requests_in(inner)


def samples():
    paths = sorted(glob.glob(os.path.join(CASES, "**", "*.json"), recursive=True) +
                   glob.glob(os.path.join(CASES, "**", "*.jsonl"), recursive=True))
    for path in paths:
        if os.path.dirname(path) == HERE:
            continue
        text = open(path, encoding="utf-8").read()
        if not any(f'"{member}"' in text for member in REQUESTS):
            continue
        name = os.path.relpath(path, CASES)
        lines = [text] if path.endswith(".json") else text.splitlines()
        for number, line in enumerate(lines, 1):
            for request in requests_in(json.loads(line)):
                yield f"{name}:{number}", request
    for path in sorted(glob.glob(os.path.join(HERE, "*.otlp.json"))):
        yield os.path.basename(path), json.load(open(path, encoding="utf-8"))


def ids_change(value, change):
    if isinstance(value, dict):
        return {name: change(inner, ID_BYTES[name]) if name in ID_BYTES and isinstance(inner, str)
                else ids_change(inner, change) for name, inner in value.items()}
    return [ids_change(inner, change) for inner in value] if isinstance(value, list) else value


def to_hex(text, size):
    fine = not text or re.fullmatch(f"[0-9a-f]{{{2 * size}}}", text)
    return text if fine else hashlib.sha256(text.encode()).hexdigest()[:2 * size]


def to_base64(text, size):
    return base64.b64encode(bytes.fromhex(text)).decode()


def convert(name, request):
    member = next(member for member in REQUESTS if member in request)
    shown = ids_change(copy.deepcopy(request), to_hex)
    message = json_format.ParseDict(ids_change(shown, to_base64), REQUESTS[member]())
    return {"name": name, "json": shown, "protobuf": base64.b64encode(message.SerializeToString()).decode()}


def main():
    lines = [json.dumps(convert(name, request), separators=(",", ":"), ensure_ascii=False) + "\n"
             for name, request in samples()]
    if sys.argv[1:] == ["--check"]:
        same = open(OUTPUT, encoding="utf-8").read() == "".join(lines)
        print(f"{len(lines)} samples, {'as committed' if same else 'which differ from ' + OUTPUT}")
        return 0 if same else 1
    with open(OUTPUT, "w", encoding="utf-8") as output:
        output.writelines(lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())
