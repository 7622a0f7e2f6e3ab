# SPDX-License-Identifier: Apache-2.0
"""Rejected messages that are stored encrypted."""
import base64
import json
import time

from harness.events import payload_of
from harness.report import check, check_equal
from harness.world import World
from security.secrecy import CANARY, dump_of
from security.transport import run_program


def keyed(world, name, *keys):
    path = f"{world.folder}/{name}.key"
    with open(path, "w") as out:
        out.write("\n".join(keys) + "\n")
    return f"file:{path}"


def encrypted_messages_are_in_no_dump(servers, seed):
    """storage.payloads: encrypt: nothing of a rejected message is in a dump; its key shows and retries it, another is told; keys change."""
    first, second, other = (base64.b64encode(bytes([n] * 32)).decode() for n in (1, 2, 3))
    with World(servers, "sealed", seed, partitions=1) as world:
        good = payload_of(1, "chaos-small", 10, 10, time.time() - 60)
        wild = json.dumps({**payload_of(2, "chaos-small", 10, 10, time.time() - 60), "response_cost": 5, "messages": CANARY})
        feed = world.feed()
        feed.put(0, json.dumps(good).encode())
        feed.put(0, wild.encode())
        feed.put(0, ('{"id": ' + CANARY).encode())
        feed.put(0, json.dumps({**good, "litellm_call_id": "t", "id": "t", "startTime": CANARY, "endTime": CANARY}).encode())
        feed.finish()
        world.feeds.clear()

        def storage(name, *keys):
            return [f"storage: {{payloads: encrypt, payload_key: '{keyed(world, name, *keys)}'}}"]

        narrow = ["limits: {cost: 1}"]
        member = world.start("--exit-eof", "-v", lines=storage("first", first) + narrow)
        check_equal(member.wait(40), 0, f"exit code{member.tail()}")
        held = world.sql("SELECT count(*), count(payload), count(payload_key), count(sealed_detail), max(detail) FROM "
                         "spendlog.rejected_events")[0]
        check(int(held[0]) >= 2 and len(set(held[:4])) == 1 and held[4] == "", f"rejected: {held}")
        dump = dump_of(servers, world)
        for form in (CANARY, CANARY.encode().hex()):
            check(form not in dump, "a piece of a message is in the database")
        check(CANARY not in member.text(), "a piece of a message is in the log")

        def asked(name, *words, lines=(), code=0):
            done = run_program(*words, "-c", world.config(name, lines=list(lines)))
            check_equal(done.returncode, code, f"{' '.join(words)}: {done.stdout}{done.stderr}")
            return done.stdout + done.stderr

        rows = int(world.sql("SELECT count(*) FROM spendlog.spend_logs")[0][0])
        place = world.sql("SELECT topic || '/0/' || kafka_offset FROM spendlog.rejected_events JOIN spendlog.kafka_offsets "
                          "USING (partition_id) WHERE reason = 'implausible'")[0][0]
        key_id = world.sql("SELECT DISTINCT payload_key FROM spendlog.rejected_events")[0][0]
        show = ("rejected", "show", place, "--payload")
        check(CANARY in asked("right", *show, lines=storage("both", second, first)), "its key does not show it")
        for text in (asked("wrong", *show, lines=storage("other", other), code=78), asked("none", *show, code=78),
                     asked("listed", "rejected", "list"), asked("retried", "rejected", "retry", lines=storage("other", other), code=78)):
            check(key_id in text and CANARY not in text, f"the key is not told, or the message is: {text}")
        asked("retry", "rejected", "retry", lines=storage("both", second, first))
        check_equal(world.sql("SELECT count(*) FROM spendlog.spend_logs"), [[str(rows + 1)]], "rows after the retry")
        world.sql("UPDATE spendlog.rejected_events SET payload = set_byte(payload, 40, get_byte(payload, 40) # 1)")
        changed = asked("changed", *show, lines=storage("both", second, first), code=78)
        check("not what was encrypted" in changed and CANARY not in changed, f"a changed message: {changed}")

        feed = world.feed()
        feed.put(0, ('{"id": ' + CANARY).encode())
        feed.finish()
        world.feeds.clear()
        member = world.start("--exit-eof", lines=storage("both", second, first))
        check_equal(member.wait(40), 0, f"exit code{member.tail()}")
        check_equal(world.sql("SELECT count(DISTINCT payload_key) FROM spendlog.rejected_events"), [["2"]], "keys in use")
        return f"{held[0]} messages, key {key_id}"


ALL = (encrypted_messages_are_in_no_dump,)
