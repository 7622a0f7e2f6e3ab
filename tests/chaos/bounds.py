# SPDX-License-Identifier: Apache-2.0
"""Memory stays bounded, whatever comes: defaults of production, VmHWM of the process."""
import json
import time

from harness.events import payload_of
from harness.report import check, check_equal, wait_for
from harness.world import World

CEILING_MB = 300


def watch(world, member, timeout_s):
    """Peak resident memory in MB once everything is read."""
    wait_for(f"everything read{member.tail()}", world.drained, timeout_s, 0.3)
    return member.peak_mb()


def template():
    """An event in which only number, model, key and time change, filled in a million times."""
    payload = payload_of(0, "MODEL", 1200, 300, 1.5)
    payload["id"] = payload["litellm_call_id"] = "NUMBER"
    payload["startTime"] = "START"
    payload["endTime"] = "START"
    payload["metadata"]["user_api_key_hash"] = "KEY"
    payload["messages"] = []
    return json.dumps(payload).replace('"START"', "START")


def million_names(servers, seed, events=1000000):
    """A million unknown model names and 100,000 keys at full speed stay below the ceiling."""
    with World(servers, "names", seed) as world:
        bulk = world.feed()
        base = time.time() - 7200
        text = template()
        for number in range(events):
            bulk.put(number % 12, filled(text, number, base + number / 1000))
        bulk.finish()
        world.feeds.clear()
        start = time.monotonic()
        member = world.start(tuned=False)
        peak = watch(world, member, 300)
        rate = events / (time.monotonic() - start)
        check_equal(world.sql("SELECT count(*), count(DISTINCT model), count(spend), count(DISTINCT "
                              "api_key) FROM spendlog.spend_logs"),
                    [[str(events), str(events), "0", str(min(events, 100000))]],
                    "rows, models, priced rows, keys")
        check_equal(member.end(), 0, "exit code")
        check(peak <= CEILING_MB, f"VmHWM {peak} MB")
        return f"VmHWM {peak} MB, {rate / 1000:.0f} k events/s"


def filled(text, number, start_s):
    return (text.replace("NUMBER", f"n{number}").replace("MODEL", f"nobody/model-{number}")
            .replace("KEY", f"key-{number % 100000:06d}").replace("START", f"{start_s:.6f}")).encode()


def huge_messages(servers, seed):
    """Messages of 64 MiB, of 100,000 members, of 20,000 good and of 2,000 bad records: the rest goes on."""
    with World(servers, "huge", seed, partitions=2, topic_config={"max_message_bytes": 90000000}) as world:
        bulk = world.feed("message.max.bytes=90000000", "queue.buffering.max.kbytes=500000",
                                     "batch.size=90000000")
        now = time.time() - 60
        event = payload_of(1, "chaos-small", 10, 10, now)
        big = json.dumps({**event, "messages": "y" * (64 << 20)}).encode()
        wide = json.dumps({**event, "id": "wide", "litellm_call_id": "wide",
                           "metadata": {f"key-{i}": i for i in range(100000)}}).encode()
        many = json.dumps([{"id": f"m{i}", "litellm_call_id": f"m{i}", "startTime": now,
                            "custom_llm_provider": "openai", "model": "chaos-small", "call_type": "acompletion",
                            "status": "success", "prompt_tokens": 1, "completion_tokens": 1}
                           for i in range(20000)]).encode()
        for number in range(3):
            bulk.put(number % 2, big)
            bulk.flush()  # a broker with a small heap cannot take two of them at once
            bulk.put(number % 2, json.dumps(payload_of(100 + number, "chaos-small", 1, 1, now)).encode())
        bulk.put(0, wide)
        bulk.put(1, many)
        bulk.put(1, json.dumps([{**event, "prompt_tokens": -1, "metadata": {}}] * 2000).encode())
        bulk.put(0, b"[" + b"1," * (3 << 20) + b"1]")
        bulk.put(0, json.dumps(payload_of(103, "chaos-small", 1, 1, now)).encode())
        bulk.finish()
        world.feeds.clear()
        member = world.start(tuned=False)
        peak = watch(world, member, 60)
        check_equal(world.sql("SELECT count(*) FROM spendlog.spend_logs WHERE request_id LIKE 'chatcmpl-%' "
                              "OR request_id = 'wide'"), [["5"]], "ordinary events and the wide one")
        check_equal(world.sql("SELECT count(*) FROM spendlog.rejected_events WHERE kafka_offset < 6 AND "
                              "reason = 'too_large' AND payload_bytes > 67108864"), [["3"]],
                    "messages of 64 MiB rejected")
        check_equal(world.sql("SELECT count(*), sum(length(payload)) <= 8388608 FROM spendlog.rejected_events "
                              "WHERE reason = 'bad_number'"), [["2000", "t"]], "records of one bad message")
        check_equal(member.end(), 0, "exit code")
        check(peak <= CEILING_MB, f"VmHWM {peak} MB")
        return f"VmHWM {peak} MB"


def thousand_partitions(servers, seed):
    """A topic with 1,000 partitions is read by one process within the ceiling."""
    with World(servers, "partitions", seed, partitions=1000, poison=False) as world:
        feed = world.feed()
        feed.send(5000)
        feed.flush()
        member = world.start(tuned=False)
        world.drain(120)
        peak = member.peak_mb()
        check(peak <= CEILING_MB, f"VmHWM {peak} MB")
        return f"VmHWM {peak} MB; {world.settle()}"


ALL = (million_names, huge_messages, thousand_partitions)
