# SPDX-License-Identifier: Apache-2.0
"""The service is killed; members come, go, freeze and wake."""
import random
import signal
import subprocess
import time

from harness.pgproxy import FREEZE, PASS
from harness.report import check, check_equal, wait_for
from harness.world import FAST, SESSION_MS, World

FAULT_POINTS = ("after_lock", "after_copy", "before_commit", "after_commit", "after_kafka_commit")
LOCK_TIMEOUT_S = 2


def kill_nine(servers, seed, kills=55):
    """Killed with -9 at random moments and at each point around COPY and COMMIT, nothing is lost or doubled."""
    dice = random.Random(seed)
    with World(servers, "kill-nine", seed) as world:
        feed = world.feed()
        for round_number in range(kills):
            feed.send(dice.randint(60, 160))
            feed.flush()
            if round_number % 2:
                point = FAULT_POINTS[round_number // 2 % len(FAULT_POINTS)]
                member = world.start(fault=f"{point}:{dice.randint(1, 4)}")
                try:
                    member.process.wait(SESSION_MS / 1000 + 2)
                except subprocess.TimeoutExpired:
                    pass  # there was too little to do to get there so often
            else:
                member = world.start()
                time.sleep(dice.uniform(0.05, SESSION_MS / 1000 + 1))
            check(member.alive() or member.process.returncode == -signal.SIGKILL,
                  f"ended by itself: {member.process.returncode}{member.tail()}")
            member.kill()
        world.start()
        return f"{kills} kills; {world.settle()}"


def every_fault_point(servers, seed):
    """Each crash point is passed and kills: the suite above kills where it says it does."""
    with World(servers, "fault-points", seed, partitions=2) as world:
        feed = world.feed()
        for point in FAULT_POINTS:
            feed.send(40)
            feed.flush()
            member = world.start(fault=f"{point}:1")
            check_equal(member.wait(20), -signal.SIGKILL, f"{point}: exit code")
            world.faults += 1
        world.start()
        return world.settle()


def members_come_and_go(servers, seed):
    """Members that join, leave and die under load share the partitions without loss or double counting."""
    dice = random.Random(seed)
    with World(servers, "members", seed) as world:
        feed = world.feed()
        for _ in range(8):
            world.start()
            for _ in range(8):
                feed.send(40)
                time.sleep(dice.uniform(0.05, 0.2))
            running = [m for m in world.members if m.alive()]
            if len(running) > 2:
                victim = dice.choice(running)
                victim.kill() if dice.random() < 0.5 else check_equal(victim.end(), 0, "exit code")
            world.faults += 1  # each round ends with a rebalance
        return world.settle()


def zombie_is_fenced(servers, seed):
    """A member frozen past max.poll.interval.ms writes nothing after it wakes: its partitions have a new owner."""
    dice = random.Random(seed)
    with World(servers, "zombie", seed) as world:
        feed = world.feed()
        kafka = {"max.poll.interval.ms": 2000}
        sleeper = world.start(kafka=kafka)
        feed.send(300)
        wait_for("the first rows", lambda: world.row_count() > 0, 20)
        other = world.start(kafka=kafka)
        for _ in range(5):
            feed.send(300)
            feed.flush()
            time.sleep(dice.uniform(0, 0.15))
            sleeper.signal(signal.SIGSTOP)
            feed.send(200)
            feed.flush()
            world.drain(30)
            time.sleep(dice.uniform(2.1, 3))
            sleeper.signal(signal.SIGCONT)
            sleeper, other = other, sleeper
            time.sleep(1)
        check(sleeper.alive() and other.alive(), f"a zombie ended{sleeper.tail()}{other.tail()}")
        return world.settle()


def frozen_owner_holds_nobody(servers, seed):
    """A member frozen inside its transaction delays the next owner by its timeouts only."""
    with World(servers, "frozen", seed, proxied=True) as world:
        feed = world.feed()
        feed.send(300)
        feed.flush()
        frozen = world.start()
        wait_for("a half for each lane", lambda: frozen.text().count("assigned 6 partitions") == 2, 20)
        world.drain(30)
        held = {"left": 2}  # both lanes: every partition of the member is locked

        def freeze_each_lane_once(_):
            held["left"] -= 1
            return FREEZE if held["left"] >= 0 else PASS

        world.proxy.commit_rule = freeze_each_lane_once
        feed.send(400)
        feed.flush()
        wait_for("both lanes inside COMMIT", lambda: world.proxy.cuts[FREEZE] == 2, 20)
        frozen.signal(signal.SIGSTOP)
        world.start()
        waited = world.drain(60)
        limit = 2 * SESSION_MS / 1000 + 2 * LOCK_TIMEOUT_S + 5
        check(waited <= limit, f"the next owner waited {waited:.1f} s, more than {limit:g} s")
        frozen.signal(signal.SIGCONT)
        world.proxy.thaw.set()
        feed.send(200)
        return f"waited {waited:.1f} s; {world.settle()}"


def term_finishes_quickly(servers, seed):
    """SIGTERM under load ends the service within seconds, with exit code 0 and nothing half done."""
    dice = random.Random(seed)
    slowest = 0
    with World(servers, "term", seed) as world:
        feed = world.feed()
        for _ in range(6):
            feed.send(400)
            member = world.start()
            time.sleep(dice.uniform(0.2, 1.5))
            start = time.monotonic()
            check_equal(member.end(), 0, "exit code")
            world.faults += 1
            slowest = max(slowest, time.monotonic() - start)
        check(slowest < 6, f"SIGTERM took {slowest:.1f} s")
        world.start()
        return f"slowest {slowest:.1f} s; {world.settle()}"


def reload_under_load(servers, seed):
    """SIGHUP takes over good prices between two batches and keeps the old ones when the file is broken."""
    with World(servers, "reload", seed, partitions=4) as world:
        feed = world.feed()
        path = f"{world.folder}/cost_map.json"
        with open(path) as good:
            text = good.read()
        member = world.start()
        feed.send(200)
        world.drain(30)
        for content in ("{ broken", text, '{"x": {"litellm_provider": "openai", "mode": "chat", '
                        '"input_cost_per_token": -1}}', text):
            with open(path, "w") as out:
                out.write(content)
            member.signal(signal.SIGHUP)
            world.faults += 1
            feed.send(150)
            time.sleep(0.4)
        check("prices not loaded" in member.text(), f"a broken cost map is not told{member.tail()}")
        return world.settle()


ALL = (every_fault_point, kill_nine, members_come_and_go, zombie_is_fenced,
       frozen_owner_holds_nobody, term_finishes_quickly, reload_under_load)
assert FAST["session.timeout.ms"] == SESSION_MS
