# SPDX-License-Identifier: Apache-2.0
"""Kafka restarts; topics grow, shrink, vanish and come again; producers abort."""
import random
import time

from harness.events import ROW
from harness.report import check, check_equal, wait_for
from harness.world import World


def broker_restarted(servers, seed, rounds=2):
    """A broker killed with -9 and one stopped in order, under load, delay events and nothing else."""
    dice = random.Random(seed)
    with World(servers, "broker", seed) as world:
        feed = world.feed()
        member = world.start()
        for number in range(rounds):
            for _ in range(5):
                feed.send(60)
                time.sleep(dice.uniform(0.05, 0.3))
            servers.local("kafka-down", "KILL" if number % 2 == 0 else "TERM")
            world.faults += 1
            feed.send(60)
            time.sleep(dice.uniform(0, 1))
            servers.local("kafka-up")
        check(member.alive(), f"the member ended{member.tail()}")
        return world.settle(90)


def partitions_added(servers, seed):
    """Partitions added under load are read from their beginning."""
    with World(servers, "grow", seed, partitions=4) as world:
        feed = world.feed()
        world.start()
        feed.send(300)
        servers.kafka_tool("grow", world.topic, 9)
        world.faults += 1
        wait_for("the new partitions", lambda: len(servers.log_ends(world.topic) or {}) == 9, 20)
        world.producer.partitions = list(range(9))
        grown = world.feed()
        grown.send(500)
        return world.settle()


def aborted_transactions(servers, seed):
    """What a producer aborts is never stored; what it commits is; the reader steps over the markers."""
    dice = random.Random(seed)
    with World(servers, "aborts", seed, partitions=3, whole_log=False) as world:
        feed = world.feed("transactional.id=chaos-aborts")
        world.start()
        aborted = 0
        for _ in range(30):
            feed.word("B")
            keep = dice.random() < 0.5
            made = [world.producer.one() for _ in range(dice.randint(1, 40))]
            for partition, value, _ in made:
                feed.put(partition, value)
            feed.word("C" if keep else "A")
            if not keep:
                world.faults += 1
                aborted += len(made)
                world.ledger.drop_last(partition for partition, _, _ in made)
                gone = {id(records) for _, _, records in made}
                world.producer.sent = [s for s in world.producer.sent if id(s[2]) not in gone]
        return f"{aborted} messages aborted; {world.settle()}"


def topic_recreated(servers, seed):
    """A topic deleted and made again is read from its start as a new incarnation, with a recorded gap."""
    return recreate(servers, seed, "recreated", ENDS_BEFORE_AND_BEYOND)


def topic_recreated_while_down(servers, seed):
    """The same when the service was not running meanwhile."""
    return recreate(servers, seed, "recreated-cold", ENDS_BEFORE_AND_BEYOND, restart=True)


def topic_recreated_one_shorter(servers, seed):
    """A topic made again that ends where the last message stored would be is noticed all the same."""
    return recreate(servers, seed, "shorter", (100, 99), partitions=1, restart=True, timeout_s=30)


ENDS_BEFORE_AND_BEYOND = (400, 60, 900)  # messages of each incarnation: before, and beyond, the stored offset


def recreate(servers, seed, name, lengths, partitions=3, restart=False, timeout_s=60):
    with World(servers, name, seed, partitions=partitions, whole_log=False) as world:
        for number, messages in enumerate(lengths):
            if number:
                if restart:
                    check_equal(world.members[-1].end(), 0, "exit code")
                servers.topic_delete(world.topic)
                servers.topic_create(world.topic, partitions)
                world.faults += 1
            world.produce(messages)
            if restart or not world.members:
                world.start()
            wait_for(f"incarnation {number + 1}", lambda: world.drained() and incarnations(world) == [
                [str(p), str(number + 1)] for p in range(partitions)], timeout_s, 0.3)
        check_equal(world.sql("SELECT count(*) FROM spendlog.kafka_gaps"), [[str(partitions * (len(lengths) - 1))]],
                    "gaps")
        return world.settle()


def topic_away_in_a_rebalance(servers, seed):
    """A topic that was away just when the group shared its partitions out is read when it is back."""
    with World(servers, "away", seed, partitions=3, whole_log=False) as world:
        world.produce(300)
        slow = {"topic.metadata.refresh.interval.ms": 4000}  # librdkafka itself has nothing to notice
        world.start(kafka=slow)
        other = world.start(kafka=slow)
        world.drain(30)
        servers.topic_delete(world.topic)
        world.faults += 1
        check_equal(other.end(), 0, "exit code")
        time.sleep(1)
        servers.topic_create(world.topic, 3)
        world.produce(300)
        world.drain(60)
        return world.settle()


def incarnations(world):
    return world.sql("SELECT partition, max(incarnation) FROM spendlog.kafka_offsets "
                     "GROUP BY 1 ORDER BY 1")


def retention_overtakes(servers, seed):
    """Messages that retention took before they were read are a recorded gap; without kafka_gap: skip it waits."""
    with World(servers, "retention", seed, partitions=3, conflicts=False, whole_log=False) as world:
        feed = world.feed()
        feed.send(300)
        feed.flush()
        world.start()
        world.drain(30)
        check_equal(world.members[-1].end(), 0, "exit code")
        stored = world.stored()[0]
        feed.send(300)
        feed.flush()
        resumed = stored + 20
        servers.kafka_tool("trim", world.topic, 0, resumed)
        world.faults += 1
        member = world.start("--exit-eof", lines=["kafka_gap: stop"])
        check_equal(member.wait(40), 1, f"exit code with a halted partition{member.tail()}")
        check_equal(world.stored()[0], stored, "offset of the halted partition")
        check(world.stored()[1] == servers.log_ends(world.topic)[1], "the others did not go on")
        world.ledger.drop(0, stored, resumed)
        world.start(lines=["kafka_gap: skip"])
        world.drain(30)
        check_equal(world.sql("SELECT stored_offset, resumed_offset FROM spendlog.kafka_gaps"),
                    [[str(stored), str(resumed)]], "gaps")
        return world.settle()


def exit_eof_reads_everything(servers, seed):
    """--exit-eof ends by itself, with exit code 0, when everything there was has been stored."""
    with World(servers, "exit-eof", seed) as world:
        feed = world.feed()
        feed.send(1500)
        feed.flush()
        member = world.start("--exit-eof")
        check_equal(member.wait(40), 0, f"exit code{member.tail()}")
        check(world.drained(), "it ended before the end")
        check(any(r[0] == ROW for m in world.ledger.messages[0] for r in m), "no rows at all")
        return world.settle()


ALL = (broker_restarted, partitions_added, aborted_transactions, topic_recreated,
       topic_recreated_while_down, topic_recreated_one_shorter, topic_away_in_a_rebalance, retention_overtakes,
       exit_eof_reads_everything)
