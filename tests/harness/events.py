# SPDX-License-Identifier: Apache-2.0
"""
Numbered events of known cost, and the ledger of what must have become of each.

Events have the shape of LiteLLM's StandardLoggingPayload. Prices are those of COST_MAP, and the cost is
worked out here, in decimal, independently of the program.
"""
import json
import random
import time
from decimal import Decimal

COST_MAP = {
    "chaos-small": ("0.00000015", "0.0000006"),
    "chaos-large": ("0.0000025", "0.00001"),
    "chaos-odd": ("0.000000000123456789", "0.00000000000007"),  # exact far below a double's last digit
}
UNKNOWN_MODEL = "chaos-unknown"

ROW, SKIPPED, REJECTED = "row", "skipped", "rejected"


def cost_map_json():
    entries = [f'"{model}": {{"litellm_provider": "openai", "mode": "chat", '
               f'"input_cost_per_token": {rate_in}, "output_cost_per_token": {rate_out}}}'
               for model, (rate_in, rate_out) in COST_MAP.items()]
    return "{" + ",\n".join(entries) + "}\n"


def cost_of(model, tokens_in, tokens_out):
    if model not in COST_MAP:
        return None
    rate_in, rate_out = map(Decimal, COST_MAP[model])
    return tokens_in * rate_in + tokens_out * rate_out


def payload_of(number, model, tokens_in, tokens_out, start_s, **more):
    return {
        "id": f"chatcmpl-{number}", "litellm_call_id": f"call-{number}", "trace_id": f"t-{number}",
        "call_type": "acompletion", "cache_hit": None, "stream": False, "status": "success",
        "custom_llm_provider": "openai", "startTime": start_s, "endTime": round(start_s + 1.25, 6),
        "completionStartTime": round(start_s + 0.5, 6), "response_time": 1.25,
        "model": model, "model_group": "chaos", "model_id": "",
        "prompt_tokens": tokens_in, "completion_tokens": tokens_out,
        "total_tokens": tokens_in + tokens_out, "response_cost": 0.0,
        "request_tags": ["chaos"], "end_user": "", "error_str": None,
        "metadata": {"user_api_key_hash": "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b",
                     "user_api_key_team_id": f"team-{number % 7}", "user_api_key_user_id": "alice",
                     "usage_object": {"prompt_tokens": tokens_in, "completion_tokens": tokens_out}},
        "messages": [{"role": "user", "content": f"prompt {number} " + "x" * 200}],
        "response": {"id": f"chatcmpl-{number}", "choices": []},
        "hidden_params": {"litellm_model_name": model},
        **more,
    }


class Ledger:
    """Per partition, in the order of production: the records of each message."""

    def __init__(self):
        self.messages = {}

    def add(self, partition, records):
        self.messages.setdefault(partition, []).append(records)

    def drop(self, partition, first, end):
        """Messages that nobody could read any more: their place in the partition, from 0."""
        del self.messages[partition][first:end]

    def drop_last(self, partitions):
        """The last message of each of these partitions was never in the log."""
        for partition in partitions:
            self.messages[partition].pop()

    def records(self, partition):
        return sum(len(records) for records in self.messages.get(partition, ()))

    def expected(self):
        """(records by outcome, {request id: cost or None}); first one of an identity wins."""
        counts = {ROW: 0, "duplicate": 0, REJECTED: 0, SKIPPED: 0}
        rows = {}
        for messages in self.messages.values():
            for records in messages:
                for kind, identity, cost in records:
                    if kind != ROW:
                        counts[kind] += 1
                    elif identity in rows:
                        counts["duplicate"] += 1
                    else:
                        counts[ROW] += 1
                        rows[identity] = cost
        return counts, rows


class Producer:
    """Makes messages: mostly new events, some resent, some poisoned, some that are not events."""

    def __init__(self, ledger, seed, partitions, poison=True, conflicts=True):
        self.ledger = ledger
        self.random = random.Random(seed)
        self.partitions = list(partitions)
        self.number = seed % 100000 * 1000000
        self.poison = poison
        self.conflicts = conflicts
        self.made = {}  # value: its records
        self.sent = []  # (partition, payload, records) of whole messages, to be sent again

    def event(self):
        self.number += 1
        r = self.random
        model = r.choice([*COST_MAP, *COST_MAP, *COST_MAP, UNKNOWN_MODEL])
        tokens_in, tokens_out = r.randint(1, 200000), r.randint(0, 9000)
        start_s = round(time.time() - r.uniform(1, 2 * 86400), 6)
        payload = payload_of(self.number, model, tokens_in, tokens_out, start_s)
        return payload, (ROW, payload["id"], cost_of(model, tokens_in, tokens_out))

    def one(self):
        """(partition, value or None, records) of the next message, already in the ledger."""
        partition = self.random.choice(self.partitions)
        dice = self.random.random()
        if dice < 0.80 or not self.poison:
            value, records = self.events(1 if dice < 0.70 else self.random.randint(2, 4))
            self.sent.append((partition, value, records))
        elif dice < 0.89 and self.sent:
            partition, value, records = self.again(partition)
        elif dice < 0.94:
            value, records = self.poisoned()
        else:
            value, records = self.nothing()
        self.ledger.add(partition, records)
        self.made[value] = records
        return partition, value, records

    def events(self, count):
        made = [self.event() for _ in range(count)]
        payloads = [payload for payload, _ in made]
        value = json.dumps(payloads[0] if count == 1 else payloads).encode()
        return value, [record for _, record in made]

    def again(self, partition):
        """A producer's retry: the same bytes; once in a while the same identity with other content."""
        first, value, records = self.random.choice(self.sent[-500:])
        if self.conflicts and len(records) == 1 and self.random.random() < 0.1:
            payload = json.loads(value)
            payload["completion_tokens"] += 1
            return first, json.dumps(payload).encode(), [(ROW, records[0][1], None)]
        return partition, value, records

    def poisoned(self):
        payload, _ = self.event()
        text = json.dumps(payload)
        value = self.random.choice([
            text[:self.random.randint(5, len(text) - 2)].encode(),
            b"\xff\xfe\x00garbage " + bytes(self.random.randrange(256) for _ in range(40)),
            json.dumps({**payload, "prompt_tokens": -5, "metadata": {}}).encode(),
            b'{"a":' * 70 + b"1" + b"}" * 70,
            json.dumps({**payload, "startTime": 4000000000.5}).encode(),
        ])
        return value, [(REJECTED, None, None)]

    def nothing(self):
        value = self.random.choice([None, b"[]", b'{"hello": "world"}', b""])
        return value, [(SKIPPED, None, None)]
