# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL stops, refuses, fills up; connections to it are cut and delayed."""
import os
import random
import subprocess
import time

from harness.pgproxy import CUT_AFTER, CUT_BEFORE, PASS
from harness.report import Skipped, check, check_equal, wait_for
from harness.world import WRITER, World


def commit_answer_lost(servers, seed, commits=40):
    """Cut right before COMMIT reached the server or right before its answer came back, a batch is stored once."""
    dice = random.Random(seed)
    with World(servers, "commit-cut", seed, proxied=True) as world:
        feed = world.feed()
        world.proxy.commit_rule = lambda _: dice.choice((PASS, CUT_BEFORE, CUT_AFTER))
        member = world.start()

        def enough():
            feed.send(30)
            return min(world.proxy.cuts[CUT_BEFORE], world.proxy.cuts[CUT_AFTER]) >= commits // 4
        wait_for("cuts", enough, 120, 0.15)
        world.proxy.commit_rule = None
        check(member.alive(), f"the member ended{member.tail()}")
        cuts = world.proxy.cuts
        return f"{cuts[CUT_BEFORE]} cut before, {cuts[CUT_AFTER]} after; {world.settle()}"


def connections_cut_and_delayed(servers, seed, rounds=25):
    """Connections that break after a random number of bytes, and slow ones, cost time and nothing else."""
    dice = random.Random(seed)
    with World(servers, "cuts", seed, proxied=True) as world:
        feed = world.feed()
        member = world.start()
        world.proxy.delay_max_s = 0.002
        for _ in range(rounds):
            world.proxy.budget_max_bytes = dice.choice((1500, 5000, 20000, 100000))
            feed.send(60)
            time.sleep(dice.uniform(0.05, 0.5))
            world.proxy.cut_all()
            world.faults += 1
        world.proxy.budget_max_bytes = 0
        world.proxy.delay_max_s = 0.02
        feed.send(200)
        world.drain(60)
        check(member.alive(), f"the member ended{member.tail()}")
        return world.settle()


def postgres_stopped_immediately(servers, seed, rounds=4):
    """PostgreSQL stopped with -m immediate under load recovers and goes on exactly where it was."""
    dice = random.Random(seed)
    with World(servers, "pg-immediate", seed) as world:
        feed = world.feed()
        member = world.start()
        for _ in range(rounds):
            for _ in range(6):
                feed.send(50)
                time.sleep(dice.uniform(0.02, 0.2))
            servers.local("postgres-down", "immediate")
            world.faults += 1
            feed.send(100)
            time.sleep(dice.uniform(0.1, 1.5))
            servers.local("postgres-up")
        check(member.alive(), f"the member ended{member.tail()}")
        return world.settle()


def backends_terminated(servers, seed, rounds=25):
    """pg_terminate_backend at random moments loses no batch and doubles none."""
    dice = random.Random(seed)
    ended = 0
    with World(servers, "terminated", seed) as world:
        feed = world.feed()
        member = world.start()
        wait_for("the member's connections", lambda: backends(world) > 0, 20)
        for _ in range(rounds):
            feed.send(60)
            time.sleep(dice.uniform(0.02, 0.4))
            ended += len(world.sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
                f"'{world.database}' AND usename = '{WRITER}'"))
        world.faults += ended
        check(ended >= rounds // 3, f"only {ended} backends were there to be terminated")
        check(member.alive(), f"the member ended{member.tail()}")
        return f"{ended} terminated; {world.settle()}"


def backends(world):
    return int(world.sql("SELECT count(*) FROM pg_stat_activity WHERE "
                         f"datname = '{world.database}' AND usename = '{WRITER}'")[0][0])


def database_read_only(servers, seed):
    """A server that has become a standby pauses the service; promoted again, it goes on by itself."""
    with World(servers, "read-only", seed) as world:
        feed = world.feed()
        member = world.start()
        feed.send(300)
        world.drain(30)
        before = world.row_count()
        servers.local("postgres-down")
        servers.postgres_as_standby()
        try:
            feed.send(300)
            feed.flush()
            wait_for("two tries that meet a standby",
                     lambda: member.text().count("standby: it takes no writes") >= 2, 60)
            check_equal(world.row_count(), before, "rows while it was read-only")
            check(member.alive(), f"the member ended{member.tail()}")
        finally:
            servers.psql("postgres", "SELECT pg_promote()")
        world.faults += 1
        return world.settle()


def disk_full(servers, seed):
    """A full disk pauses the service; with room again it goes on, and no row is rejected for it."""
    folder = os.path.join(servers.socket_folder, "small")
    if os.geteuid() != 0:
        raise Skipped("only root can mount a small file system")
    os.makedirs(folder, exist_ok=True)
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", folder],
                           capture_output=True, text=True)
    if mount.returncode != 0:
        raise Skipped(f"cannot mount a small file system: {mount.stderr.strip()}")
    try:
        return disk_full_on(servers, seed, folder)
    finally:
        servers.psql_try("postgres", "DROP TABLESPACE IF EXISTS small")
        subprocess.run(["umount", folder], check=False)


def fill(path):
    """Grows a file until nothing fits any more."""
    with open(path, "wb", buffering=0) as out:
        for size in (1 << 16, 1 << 12):
            try:
                while True:
                    out.write(bytes(size))
            except OSError:
                pass  # full, at this granularity


def disk_full_on(servers, seed, folder):
    owner = os.stat(servers.socket_folder)
    os.chown(folder, owner.st_uid, owner.st_gid)
    os.chmod(folder, 0o700)
    servers.psql("postgres", f"CREATE TABLESPACE small LOCATION '{folder}'")
    ballast = os.path.join(folder, "ballast")
    with World(servers, "disk-full", seed, tablespace="small") as world:
        feed = world.feed()
        member = world.start()
        feed.send(200)
        world.drain(30)
        fill(ballast)
        for _ in range(10):
            feed.send(400)
            feed.flush()
            time.sleep(0.3)
        time.sleep(2)
        check_equal(world.sql("SELECT count(*) FROM spendlog.rejected_events WHERE reason = "
                              "'database_refused'"), [["0"]], "rows rejected because of the disk")
        check(not world.drained(), "the small disk held everything: it was not full")
        check(member.alive(), f"the member ended{member.tail()}")
        os.unlink(ballast)
        world.faults += 1
        return world.settle()


def refused_row_is_bisected(servers, seed):
    """A row that PostgreSQL refuses is found and rejected alone; all others of its batch land."""
    with World(servers, "refused", seed, partitions=3, poison=False) as world:
        world.refuse("team_id <> 'team-3'")
        feed = world.feed()
        world.start()
        feed.send(300)
        feed.flush()
        world.drain(60)
        refused = 0
        for messages in world.ledger.messages.values():
            for records in messages:
                for i, (_, identity, _) in enumerate(records):
                    if int(identity.split("-")[1]) % 7 == 3:
                        records[i] = ("rejected", None, None)
                        refused += 1
        check(refused > 10, "nothing to refuse")
        world.faults += refused
        check_equal(world.sql("SELECT count(*) FROM spendlog.rejected_events "
                              "WHERE reason = 'database_refused'"), [[str(refused)]], "refused rows")
        return world.settle()


ALL = (commit_answer_lost, connections_cut_and_delayed, postgres_stopped_immediately,
       backends_terminated, database_read_only, disk_full, refused_row_is_bisected)
