# SPDX-License-Identifier: Apache-2.0
"""examples/litellm_callback.py: in a program, in the real proxy, and what it leaves out."""
import glob
import http.client
import importlib
import json
import lzma
import os
import signal
import subprocess
import sys
import tempfile
import types
from decimal import Decimal

from harness.report import Failed, Skipped, check, check_equal, wait_for
from harness.servers import ROOT, SPENDLOG, free_port
from integration.stage import Stage, demo_event, demo_lines

REQUIREMENTS = os.path.join(ROOT, "tests/integration/litellm-proxy.txt")
CASES = os.path.join(ROOT, "tests/cases/pricing/cases_[0-9]*.jsonl.xz")
INSTALL_S = 600
CALLS = """
import asyncio, litellm, litellm_callback
litellm.callbacks = [litellm_callback.to_kafka]
chat = [{"role": "user", "content": "hello"}]
litellm.completion(model="gpt-4o-mini", messages=chat, mock_response="hi", user="customer-1")
async def again():
    await litellm.acompletion(model="gpt-4o-mini", messages=chat, mock_response="hi")
    await asyncio.sleep(2)
asyncio.run(again())
"""


def venv_folder():
    with open(REQUIREMENTS) as text:
        version = next(line.split("==")[1].strip() for line in text if line.startswith("litellm=="))
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(cache, f"spendlog/litellm-proxy-{version}")


def litellm_bin():
    """The programs of an environment with LiteLLM's proxy, made once."""
    folder = venv_folder()
    ready = os.path.join(folder, "ready")
    if os.path.exists(ready):
        return os.path.join(folder, "bin")
    for argv in ([sys.executable, "-m", "venv", folder],
                 [os.path.join(folder, "bin/pip"), "install", "-q", "-r", REQUIREMENTS]):
        try:
            made = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=INSTALL_S)
        except subprocess.TimeoutExpired:
            raise Skipped("LiteLLM's proxy is not here and its installation takes too long") from None
        if made.returncode != 0:
            why = (made.stderr or made.stdout).strip().splitlines() or [""]
            raise Skipped(f"LiteLLM's proxy is not here and cannot be installed: {why[-1]}")
    open(ready, "w").close()
    return os.path.join(folder, "bin")


def environment_of(servers, stage, **more):
    return {**os.environ, "PYTHONPATH": os.path.join(ROOT, "examples"), "KAFKA_BROKERS": servers.brokers,
            "KAFKA_TOPIC": stage.topic, "KAFKA_UNSENT": os.path.join(stage.folder, "unsent"),
            "LITELLM_LOCAL_MODEL_COST_MAP": "True", "PYTHONDONTWRITEBYTECODE": "1", **more}


def callback_feeds_the_topic(servers):
    """Calls made with LiteLLM and examples/litellm_callback.py end as priced rows that agree with LiteLLM's cost."""
    python = os.path.join(litellm_bin(), "python")
    with Stage(servers, "callback", partitions=1) as stage:
        done = subprocess.run([python, "-c", CALLS], capture_output=True, text=True, timeout=180,
                              env=environment_of(servers, stage))
        check_equal(done.returncode, 0, f"exit code of the calls: {done.stderr[-800:]}")
        check_equal(os.listdir(os.path.join(stage.folder, "unsent")), [], "files of events on their way")
        stage.consume()
        check_equal(stage.sql("SELECT model, pricing_status, abs(spend - gateway_cost) < 1e-15 FROM "
                              "spendlog.spend_logs"), [["gpt-4o-mini", "priced", "t"]] * 2, "rows")


# --- what it leaves out ---

class NoProducer:
    def __init__(self, properties):
        self.properties = properties

    def poll(self, timeout_s):
        raise SystemExit  # its thread has nothing to wait for

    def flush(self, timeout_s):
        return 0


def callback_module():
    """The callback without LiteLLM and Kafka, for what needs neither."""
    kafka = types.ModuleType("confluent_kafka")
    kafka.Producer, kafka.KafkaError, kafka.KafkaException = NoProducer, Exception, Exception
    logger = types.ModuleType("litellm.integrations.custom_logger")
    logger.CustomLogger = object
    stand_ins = {"confluent_kafka": kafka, "litellm": types.ModuleType("litellm"),
                 "litellm.integrations": types.ModuleType("litellm.integrations"), logger.__name__: logger}
    before = {name: sys.modules.get(name) for name in stand_ins}
    sys.modules.update(stand_ins)
    sys.path.insert(0, os.path.join(ROOT, "examples"))
    try:
        with tempfile.TemporaryDirectory() as unsent:
            os.environ["KAFKA_UNSENT"] = unsent
            return importlib.import_module("litellm_callback")
    finally:
        sys.path.pop(0)
        os.environ.pop("KAFKA_UNSENT")
        for name, module in before.items():
            sys.modules.pop(name)
            if module:
                sys.modules[name] = module


def callback_keeps_events_beside_leftovers(servers):
    """What a process that was killed has left takes no new events: those have a file of their own, whole lines only."""
    module, folder = callback_module(), os.path.join(servers.folder, "leftovers")
    os.makedirs(folder)
    first = module.Outbox(folder, 1 << 20)
    first.add(b'{"n":1}')
    first.open.file.close()  # as its process has ended, with its lock
    second = module.Outbox(folder, 1 << 20)
    (left, lines), = second.take()
    check_equal(lines, [b'{"n":1}'], "what was left")
    piece = second.add(b'{"n":2}')
    check(piece is not None and piece is not left, "a new event has no file")
    with open(piece.file.name, "rb") as kept:
        check_equal(kept.read(), b'{"n":2}\n', "the new event's file")
    second.settle(left)
    check_equal(os.listdir(folder), [os.path.basename(piece.file.name)], "files when what was left is delivered")

    class Full:
        """A file on a disk with room for three bytes more."""
        def __init__(self, file):
            self.file, self.name = file, file.name

        def write(self, line):
            return self.file.write(line[:3])

        def __getattr__(self, name):
            return getattr(self.file, name)

    whole = piece.file
    piece.file = Full(whole)
    check_equal(second.add(b'{"n":3}'), None, "an event for which there is no room")
    piece.file = whole
    check(second.add(b'{"n":4}') is piece, "and one for which there is")
    with open(whole.name, "rb") as kept:
        check_equal(kept.read(), b'{"n":2}\n{"n":4}\n', "lines after a full disk")


def payloads():
    """All events there are in LiteLLM's form."""
    for line in demo_lines():
        message = json.loads(line)
        yield from message if isinstance(message, list) else [message]
    for path in sorted(glob.glob(CASES)):
        with lzma.open(path) as cases:
            for line in cases:
                yield json.loads(line)["event"]


def prices_of(events):
    done = subprocess.run([SPENDLOG, "price", "-q", "--items"], input="\n".join(map(json.dumps, events)),
                          capture_output=True, text=True)
    return done.stdout.splitlines()


def callback_keeps_what_is_priced(servers):
    """What the callback sends, and its short form, have the price of the whole payload, item by item, for every case."""
    module = callback_module()
    whole = list(payloads())
    want = prices_of(whole)
    check(len(want) > 3000, f"{len(want)} results")
    sent = [module.accounting(event) for event in whole]
    for name, events in (("sent", sent), ("short", [module.shorter(event) for event in sent])):
        got = prices_of(events)
        wrong = [(a, b) for a, b in zip(want, got) if a != b]
        check(len(got) == len(want) and not wrong, f"{name}: {len(wrong)} differ, the first: {wrong[:1]}")
    return f"{len(want)} results"


CANARY = "canary"


def sing(value, keys=()):
    """The value with a canary in every text of it, but for members of these names."""
    if isinstance(value, dict):
        return {key: member if key in keys else sing(member, keys) for key, member in value.items()}
    if isinstance(value, list):
        return [sing(element, keys) for element in value]
    return f"{CANARY} {value}" if isinstance(value, str) else value


def callback_sends_no_words(servers):
    """Prompts, answers, arguments of tools, queries and error texts do not leave the proxy; lengths do."""
    module = callback_module()
    tool = {"type": "tool_use", "id": CANARY, "name": CANARY, "input": {"model": CANARY, "status": CANARY, "size": CANARY}}
    event = demo_event(
        messages=[{"role": "user", "content": CANARY}], error_str=CANARY, prompt=CANARY, some_new_member={"text": [CANARY]},
        response={"id": "x", "model": "m", "choices": [{"message": {
            "content": CANARY + " \u00a0" + CANARY, "tool_calls": [{"type": "function", "function": {
                "name": CANARY, "arguments": "{" + CANARY, "parameters": {"type": CANARY}}}],
            "reasoning_content": CANARY, "annotations": [{"type": "url_citation", "url": CANARY}]},
            "logprobs": {"content": [{"token": CANARY, "logprob": -1.5}]}}],
            "content": [tool], "output": [{"type": "function_call", "arguments": CANARY, "model": CANARY},
                                          {"type": "web_search_call", "status": "completed", "action": {"query": CANARY}}],
            "data": [{"b64_json": CANARY, "revised_prompt": CANARY, "embedding": [0.25] * 9}], "text": CANARY,
            "usage": {"prompt_tokens": 3, "service_tier": "flex"}, "candidates": [{"content": {"parts": [
                {"functionCall": {"args": {"model": CANARY}}}]}}]},
        model_parameters={"query": [CANARY, CANARY], "tools": [{"type": "function", "description": CANARY}],
                          "size": "1024x1024", "instructions": CANARY, "response_format": {"schema": {"type": CANARY}}},
        metadata={"requester_metadata": {"x": CANARY, "parent_id": "call-0"}, "vector_store_request_metadata": [{"query": CANARY}],
                  "mcp_tool_call_metadata": {"name": "t", "arguments": {"q": CANARY}, "result": CANARY},
                  "prompt_management_metadata": {"prompt_variables": CANARY}, "usage_object": {"prompt_tokens": 3}},
        guardrail_information=[{"guardrail_name": "g", "guardrail_request": {"x": CANARY}, "guardrail_cost": 0.5,
                                "guardrail_response": CANARY}],
        error_information={"error_code": "400", "error_message": CANARY, "traceback": CANARY})
    sent = module.accounting(event)
    text = module.encode(sent).decode()
    check(CANARY not in text, f"sent: {text}")
    check_equal(sent["metadata"]["requester_metadata"], {"parent_id": "call-0"}, "what made the call")
    check_equal(sent["counted"], {"answer_characters": 2 * len(CANARY)}, "counted")
    check_equal(sent["model_parameters"], {"query": ["-", "-"], "size": "1024x1024", "tools": [{"type": "function"}],
                                           "response_format": {}}, "model_parameters")
    check_equal(sent["response"]["output"], [{"type": "function_call"}, {"type": "web_search_call",
                                                                         "status": "completed"}], "output")
    check_equal([sent["guardrail_information"], sent["error_information"], sent["response"]["usage"]],
                [[{"guardrail_name": "g", "guardrail_request": {}, "guardrail_cost": 0.5}], {"error_code": "400"},
                 {"prompt_tokens": 3, "service_tier": "flex"}], "figures")
    kept = module.TEXT_KEYS | module.FIGURE_KEYS | {"type"}
    for one in payloads():
        for part in ("messages", "response", "model_parameters", "guardrail_information"):
            if one.get(part):
                one = {**one, part: sing(one[part], kept)}
        check(CANARY not in json.dumps(module.accounting(one)), f"{one['id']}: {json.dumps(module.accounting(one))}")


# --- the real proxy ---

KEY = "sk-" + "0123456789abcdef" * 3
CONFIG = """
model_list:
  - model_name: cheap
    litellm_params: {model: openai/gpt-4o-mini, api_key: none, mock_response: "canary answer"}
litellm_settings: {callbacks: litellm_callback.to_kafka}
"""
NEXT_START = "import litellm_callback; litellm_callback.to_kafka.producer.flush(30)"
# An unknown topic is known as such at once, and a broker that is back is found at once.
QUICK = {"topic.metadata.propagation.max.ms": 500, "reconnect.backoff.max.ms": 500}


class Proxy:
    def __init__(self, servers, stage, config=CONFIG, examples=("litellm_callback.py",), **environment):
        self.port = free_port()
        self.log = os.path.join(stage.folder, f"proxy-{self.port}.log")
        folder = os.path.join(stage.folder, "proxy")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "config.yaml"), "w") as out:
            out.write(config)
        for name in examples:
            link = os.path.join(folder, name)
            if not os.path.exists(link):
                os.symlink(os.path.join(ROOT, "examples", name), link)
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                [os.path.join(litellm_bin(), "litellm"), "--config", "config.yaml", "--host", "127.0.0.1",
                 "--port", str(self.port)], cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=environment_of(servers, stage, LITELLM_MASTER_KEY=KEY, KAFKA_PROPERTIES=json.dumps(QUICK),
                                   **environment))
        try:
            wait_for("the proxy", self.answers, 240, 0.5)
        except Failed as failed:
            self.process.kill()
            raise Failed(f"{failed}: {self.text()[-1500:]}") from None

    def text(self):
        with open(self.log, errors="replace") as log:
            return log.read()

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, body, {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer, answer.read()

    def answers(self):
        check(self.process.poll() is None, f"the proxy ended: {self.text()[-1500:]}")
        try:
            return self.ask("GET", "/health/liveliness")[0].status == 200
        except OSError:
            return False

    def call(self, prompt="hello"):
        """(id, cost as the proxy told it) of a call."""
        answer, body = self.ask("POST", "/v1/chat/completions", json.dumps(
            {"model": "cheap", "messages": [{"role": "user", "content": prompt}]}))
        check_equal(answer.status, 200, f"status ({body[:300]})")
        return json.loads(body)["id"], Decimal(answer.headers["x-litellm-response-cost"])

    def end(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.wait(60)


def messages(servers, stage):
    return sum((servers.log_values(stage.topic, p) for p in range(stage.partitions)), [])


def callback_loses_no_call(servers):
    """A prompt of 1.5 MB, a topic that is not there, a broker that is away, a proxy that ends: every call has its row."""
    litellm_bin()
    with Stage(servers, "proxy", partitions=1) as stage:
        calls = {}
        proxy = None
        try:
            proxy = Proxy(servers, stage)
            calls.update([proxy.call(CANARY + " word" * 300000)])
            wait_for("the first message", lambda: len(messages(servers, stage)) == 1, 30)
            servers.local("kafka-down")
            calls.update([proxy.call()])
            servers.local("kafka-up")
            wait_for("the second message", lambda: len(messages(servers, stage)) == 2, 60)
            calls.update([proxy.call()])
            proxy.end()  # at once: what was not delivered by then is, by a later start

            proxy = Proxy(servers, stage, KAFKA_TOPIC="mistyped.usage")
            calls.update([proxy.call()])
            wait_for("the topic told", lambda: "kept in" in proxy.text(), 60)
            proxy.end(signal.SIGKILL)
        finally:
            if proxy:
                proxy.end(signal.SIGKILL)
        done = subprocess.run([os.path.join(litellm_bin(), "python"), "-c", NEXT_START], capture_output=True, text=True,
                              timeout=180, env=environment_of(servers, stage))
        check(done.returncode == 0 and "events that were kept in" in done.stderr, f"next start: {done.stderr[-800:]}")
        check_equal(os.listdir(os.path.join(stage.folder, "unsent")), [], "files of events on their way")
        stage.consume()
        rows = {request_id: Decimal(spend) for request_id, spend in
                stage.sql("SELECT request_id, spend FROM spendlog.spend_logs")}
        check_equal(rows, calls, "spend of each call")
        check_equal(len(stage.sql("SELECT 1 FROM spendlog.spend_logs")), len(calls), "rows")
        sent = messages(servers, stage)
        check(not any(CANARY.encode() in value for value in sent), "a prompt or an answer was sent")
        return f"{len(calls)} calls in {len(sent)} messages of at most {max(map(len, sent))} bytes"


ALL = (callback_keeps_what_is_priced, callback_keeps_events_beside_leftovers, callback_sends_no_words, callback_feeds_the_topic, callback_loses_no_call)
