# SPDX-License-Identifier: Apache-2.0
"""A record is (partition, offset, index): messages of many records, siblings that part ways, refused rows."""
import json
import random
import re
import signal
import subprocess
import time

from harness.events import ROW
from harness.report import check, check_equal
from harness.servers import SPENDLOG
from harness.world import REFUSE_BY_CHECK, REFUSE_BY_EXCEPTION, REFUSE_BY_SILENCE, World


def rejected(world, *words):
    """`spendlog rejected`: what it prints."""
    config = world.config("rejected")
    done = subprocess.run([SPENDLOG, "rejected", *words, "-q", "-c", config], capture_output=True, text=True)
    check_equal(done.returncode, 0, f"exit code of rejected {words[0]} ({done.stderr.strip()[-300:]})")
    return done.stdout.strip()


def retry(world):
    """(tried, read, skipped, still rejected, without a payload)."""
    return tuple(map(int, re.findall(r"\d+", rejected(world, "retry"))))


def refuse(world, team, how=REFUSE_BY_CHECK):
    world.refuse(f"team_id <> 'team-{team}'", how)


def repair(world):
    world.refuse(None)


def open_rejects(world):
    return int(world.sql("SELECT count(*) FROM spendlog.rejected_events WHERE resolved_at IS NULL")[0][0])


def refused_of(world, team):
    return sum(kind == ROW and int(identity.split("-")[1]) % 7 == team for messages in
               world.ledger.messages.values() for records in messages for kind, identity, _ in records)


def refused_row_repaired(servers, seed):
    """Rows that PostgreSQL refused are read again once it takes them: the remedy of the manual, and its privacy."""
    with World(servers, "repaired", seed, partitions=3, poison=False) as world:
        refuse(world, 3, REFUSE_BY_EXCEPTION)
        feed = world.feed()
        member = world.start()
        feed.send(400)
        feed.flush()
        world.drain(60)
        refused = refused_of(world, 3)
        check(refused > 10, "nothing to refuse")
        check_equal(open_rejects(world), refused, "refused rows")
        check_equal(world.sql("SELECT count(*) FROM spendlog.rejected_events e WHERE mapping = '' OR message_ms IS "
                              "NULL OR NOT EXISTS (SELECT FROM spendlog.rejected_events s WHERE s.partition_id = "
                              "e.partition_id AND s.kafka_offset = e.kafka_offset AND s.payload IS NOT NULL)"),
                    [["0"]], "refused rows that lack what a retry needs")
        world.verify_command()
        check_equal(retry(world), (refused, 0, 0, refused, 0), "a retry while they are still refused")
        world.verify_command()
        repair(world)
        world.faults += refused
        check_equal(retry(world), (refused, refused, 0, 0, 0), "a retry once they are not")
        check_equal(retry(world), (0, 0, 0, 0, 0), "another one")
        check_equal(open_rejects(world), 0, "refused rows")

        check_equal(member.end(), 0, "exit code")
        refuse(world, 4, REFUSE_BY_SILENCE)
        world.start(lines=["storage: {payloads: drop}"])
        feed.send(100)
        feed.flush()
        world.drain(60)
        check_equal(world.sql("SELECT count(payload) FROM spendlog.rejected_events WHERE resolved_at IS NULL"),
                    [["0"]], "payloads kept against the setting")
        left = open_rejects(world)
        check(left > 3, "nothing refused")
        repair(world)
        check_equal(retry(world), (left, 0, 0, 0, left), "a retry without payloads")
        return f"{refused} refused and read, {left} without payload"


def siblings_retried(servers, seed):
    """Of records of one message some are refused, each is retried for itself, in any order, as often as it takes."""
    dice = random.Random(seed)
    with World(servers, "siblings", seed, partitions=2, poison=False) as world:
        refuse(world, 3)
        feed = world.feed()
        world.start()
        for _ in range(30):
            partition = dice.randrange(2)
            value, records = world.producer.events(dice.randint(2, 40))
            world.ledger.add(partition, records)
            world.producer.made[value] = records
            feed.put(partition, value)
        broken = [json.dumps({**world.producer.event()[0], "prompt_tokens": -5, "metadata": {}}) for _ in range(3)]
        mixed, good = world.producer.events(6)
        texts = [json.dumps(payload) for payload in json.loads(mixed)]
        value = ("[" + ",".join(broken[:1] + texts[:3] + broken[1:] + texts[3:]) + "]").encode()
        bad = [("rejected", None, None)]
        records = bad + good[:3] + bad * 2 + good[3:]
        world.ledger.add(1, records)
        world.producer.made[value] = records
        feed.put(1, value)
        feed.flush()
        world.drain(60)
        refused = refused_of(world, 3)
        check(refused > 10, "nothing to refuse")
        check_equal(open_rejects(world), refused + 3, "rejected records")
        check_equal(world.sql("SELECT max(n) FROM (SELECT count(payload) AS n FROM spendlog.rejected_events GROUP BY "
                              "partition_id, kafka_offset) p"), [["1"]], "copies of a message")

        # Half of them can be read, the other half is refused again: each ends for itself.
        repair(world)
        half = dice.choice(("<", ">="))
        numbers = sorted(int(i.split("-")[1]) for m in world.ledger.messages.values() for r in m
                         for k, i, _ in r if k == ROW and int(i.split("-")[1]) % 7 == 3)
        middle = numbers[len(numbers) // 2]
        read = sum(eval(f"n {half} {middle}") for n in numbers)
        world.refuse(f"team_id <> 'team-3' OR split_part(request_id, '-', 2)::bigint {half} {middle}")
        check_equal(retry(world), (refused + 3, read, 0, refused - read + 3, 0), "the first retry")
        check_equal(open_rejects(world), refused - read + 3, "rejected records after it")
        world.verify_command()
        check_equal(retry(world), (refused - read + 3, 0, 0, refused - read + 3, 0), "the second retry")
        world.verify_command()
        world.refuse(None)
        check_equal(retry(world), (refused - read + 3, refused - read, 0, 3, 0), "the third retry")
        world.faults += refused
        resolved = world.sql("SELECT count(*) FROM spendlog.rejected_events WHERE resolution = 'row'")
        check_equal(resolved, [[str(refused)]], "records read after all")
        check_equal(world.row_count(), sum(kind == ROW for m in world.ledger.messages.values() for r in m
                                           for kind, _, _ in r) - resends(world), "rows")
        return f"{refused} refused, {read} and {refused - read} read"


def resends(world):
    return world.ledger.expected()[0]["duplicate"]


def message_of_many_records(servers, seed, events=30000):
    """One message of 30,000 records is written in parts; killed in the midst of it, nothing is lost or doubled."""
    dice = random.Random(seed)
    config = {"max_message_bytes": 90000000}
    with World(servers, "many-records", seed, partitions=2, poison=False, topic_config=config) as world:
        feed = world.feed("message.max.bytes=90000000", "batch.size=90000000")
        feed.send(50)
        for partition, count in ((0, events), (1, events // 10)):
            value, records = many(world, count, partition)
            world.ledger.add(partition, records)
            world.producer.made[value] = records
            feed.put(partition, value)
        feed.send(50)
        feed.flush()
        # Together fewer than there are parts, so that each comes.
        for fault in (f"after_commit:{dice.randint(3, 12)}", f"before_commit:{dice.randint(2, 8)}",
                      f"after_copy:{dice.randint(2, 8)}", f"after_kafka_commit:{dice.randint(2, 6)}"):
            member = world.start(fault=fault)
            check_equal(member.wait(60), -signal.SIGKILL, f"exit code at {fault}")
            world.faults += 1
        check(int(world.sql("SELECT count(*) FROM spendlog.kafka_offsets WHERE next_index > 0")[0][0]) > 0,
              "no part of a message was stored")
        world.verify_command()
        member = world.start()
        time.sleep(dice.uniform(0.5, 1.5))
        check_equal(member.end(), 0, f"exit code of a member ended in the midst{member.tail()}")
        world.start()
        verdict = world.settle(120)
        parts = world.sql("SELECT count(*) FROM spendlog.ingest_batches WHERE 0 <> ANY (next_indexes)")[0][0]
        check(int(parts) >= 20, f"only {parts} parts")
        return f"{parts} parts; {verdict}"


SMALL = ("id", "litellm_call_id", "startTime", "custom_llm_provider", "model", "call_type", "status", "prompt_tokens",
         "completion_tokens")


def many(world, count, partition):
    """A message of so many small events, in an array or in lines, and its records."""
    events, records = [], []
    for _ in range(count):
        payload, record = world.producer.event()
        events.append(json.dumps({name: payload[name] for name in SMALL}, separators=(",", ":")))
        records.append(record)
    joined = "[" + ",".join(events) + "]" if partition == 0 else "\n".join(events)
    return joined.encode(), records


FIELDS = ("provider: {const: openai}, model: {const: chaos-small}, started_at: {path: '@0/0/at', time: rfc3339}")
FIRST_CALL = f"mappings: [{{name: calls, keep: /calls, fields: {{request_id: /calls/0/id, input_tokens: /calls/0/n, {FIELDS}}}}}]"
EACH_CALL = ("mappings: [{name: calls, unwrap: [{each: /calls}], keep: /id, fields: {request_id: /id, input_tokens: /n, "
             f"{FIELDS}}}}}]")


def mapping_changed_between_parts(servers, seed, elements=6000):
    """A message stored in part, then other mappings by which its records have other numbers: each call is a row, once."""
    dice = random.Random(seed)
    with World(servers, "mapping-changed", seed, partitions=1, whole_log=False,
               topic_config={"max_message_bytes": 90000000}) as world:
        feed = world.feed("message.max.bytes=90000000", "batch.size=90000000")
        bad = set(dice.sample(range(elements), elements // 20))
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        feed.put(0, json.dumps([{"at": at, "calls": [{"id": f"c{i}-{k}", "n": -1 if i in bad else i} for k in range(i % 3 + 1)]}
                                for i in range(elements)]).encode())
        feed.flush()
        calls = [(i, k) for i in range(elements) for k in range(i % 3 + 1)]
        first = {"mappings": "mappings: [calls]", "lines": [FIRST_CALL]}
        each = {"mappings": "mappings: [calls]", "lines": [EACH_CALL]}
        for options in (first, each):
            member = world.start(fault=f"after_commit:{dice.randint(2, 5)}", **options)
            check_equal(member.wait(60), -signal.SIGKILL, "exit code")
            world.faults += 1
            check(int(world.sql("SELECT next_index FROM spendlog.kafka_offsets")[0][0]) > 0, "no part was stored")
            world.verify_command()
        check("it is read again whole" in member.text(), f"not told{member.tail()}")
        member = world.start("--exit-eof", **each)
        check_equal(member.wait(60), 0, f"exit code{member.tail()}")
        check("it is read again whole" not in member.text(), "read again twice")
        good = sorted(f"c{i}-{k}" for i, k in calls if i not in bad)
        check_equal(sorted(row[0] for row in world.sql("SELECT request_id FROM spendlog.spend_logs")), good, "rows")
        listed, counted, duplicates = map(int, world.sql(
            "SELECT (SELECT count(*) FROM spendlog.rejected_events), rejected, duplicates FROM spendlog.kafka_offsets")[0])
        check_equal(counted, listed, "rejected records")
        check(listed >= len(calls) - len(good) and duplicates > 0, f"{listed} rejected, {duplicates} duplicates")
        world.verify_command()
        return f"{len(good)} rows, {duplicates} duplicates, {listed} rejected"


def refused_rejects(servers, seed):
    """A constraint of somebody else's on rejected_events: one record is kept bare, what is refused altogether ends."""
    with World(servers, "rejects", seed, partitions=2) as world:
        world.produce(600)
        constraint = "ALTER TABLE spendlog.rejected_events ADD CONSTRAINT theirs CHECK (%s) NOT VALID"
        world.sql(constraint % "reason <> 'bad_json'")
        check_equal(world.start("--exit-eof").wait(90), 78, "exit code while nothing of a record may be stored")
        check("refused 6 times" in world.members[-1].text() and "theirs" in world.members[-1].text(),
              f"what refused it is not told: {world.members[-1].tail()}")
        world.sql("ALTER TABLE spendlog.rejected_events DROP CONSTRAINT theirs")
        world.sql(constraint % "payload IS NULL OR reason <> 'bad_json'")
        check_equal(world.start("--exit-eof").wait(90), 0, "exit code while its message may not be stored")
        bare = int(world.sql("SELECT count(*) FROM spendlog.rejected_events WHERE detail LIKE '%theirs%'")[0][0])
        check(bare > 0, "nothing was kept bare")
        world.verify_command()
        return f"{bare} kept bare"


ALL = (refused_row_repaired, refused_rejects, siblings_retried, message_of_many_records,
       mapping_changed_between_parts)
