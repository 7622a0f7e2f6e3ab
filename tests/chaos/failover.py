# SPDX-License-Identifier: Apache-2.0
"""The database comes back older than it was: promoted standbys, commits that no disk had, poolers."""
import random
import subprocess
import time

from harness.patroni import Patroni
from harness.pooler import Pooler
from harness.report import check, check_equal, wait_for
from harness.servers import SPENDLOG, run_checked
from harness.standby import PRIMARY_PORT, STANDBY_PORT, Standby
from harness.world import World


def went_back(world):
    """How many messages the database went back by, in its own books."""
    return int(world.sql("SELECT coalesce(sum(known_offset - stored_offset), 0) FROM spendlog.kafka_setbacks")[0][0])


def books_are_there(world):
    check_equal(world.sql("SELECT count(*) FROM spendlog.spend_logs l LEFT JOIN spendlog.price_books b "
                          "USING (price_book_id) WHERE b.price_book_id IS NULL"), [["0"]], "rows without their book")


def load(feed, dice, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        feed.send(dice.randint(20, 120))
        time.sleep(dice.uniform(0.02, 0.15))


def standby_promoted(servers, seed):
    """A standby that was behind is promoted at a random moment, before or after the first book: every row is there."""
    notes = [promoted(servers, seed, f"promoted-{name}", early) for name, early in
             (("early", True), ("late", False))]
    return "; ".join(notes)


def promoted(servers, seed, name, early):
    dice = random.Random(f"{seed} {name}")
    hosts = (PRIMARY_PORT, STANDBY_PORT)
    with World(servers, name, seed, hosts=hosts, goes_back=True) as world, Standby(servers) as standby:
        feed = world.feed()
        if early:
            standby.leave_behind()  # with the schema, and no book, partition or row
        member = world.start()
        load(feed, dice, dice.uniform(0.5, 2))
        wait_for("the first rows", lambda: world.row_count() > 0, 30)
        if not early:
            standby.caught_up()
            standby.leave_behind()
        rows = world.row_count()
        load(feed, dice, dice.uniform(0.5, 3))
        wait_for("rows that the standby lacks", lambda: world.row_count() > rows, 30)
        if dice.random() < 0.3:
            feed.flush()
            world.drain(30)  # and nothing comes afterwards
        restart = not early and dice.random() < 0.4
        if restart:
            check_equal(member.end(), 0, "exit code")
        servers.local("postgres-down", "immediate")
        standby.promote()
        world.faults += 1
        if restart:
            member = world.start()  # it knows nothing, but what Kafka was told
        if dice.random() < 0.5:
            load(feed, dice, dice.uniform(0, 1.5))
        feed.flush()
        wait_for(f"the setback told{member.tail()}", lambda: "the database went back by" in member.text(), 30)
        check(member.alive(), f"the member ended{member.tail()}")
        verdict = world.settle()
        back = went_back(world)
        check(back > 0, "the database did not go back at all")
        books_are_there(world)
        for made in world.members:
            made.kill()  # before the old primary is back
        return f"back by {back}: {verdict}"


def async_commit_crash(servers, seed, crashes=4):
    """With synchronous_commit off, commits that a crash loses are read again: every row, once."""
    dice = random.Random(seed)
    slow = {"synchronous_commit": "off", "wal_writer_delay": "'10s'", "wal_writer_flush_after": "'1GB'"}
    servers.postgres_set(slow)
    try:
        with World(servers, "async-commit", seed, goes_back=True) as world:
            feed = world.feed()
            member = world.start()
            for _ in range(crashes):
                rows = world.row_count()
                load(feed, dice, dice.uniform(0.3, 2))
                wait_for("rows", lambda: world.row_count() > rows, 30)
                servers.local("postgres-down", "immediate")
                world.faults += 1
                time.sleep(dice.uniform(0, 0.5))
                servers.local("postgres-up")
            check(member.alive(), f"the member ended{member.tail()}")
            verdict = world.settle()
            back = went_back(world)
            check(back > 0, "no crash lost a commit")
            books_are_there(world)
            return f"back by {back}: {verdict}"
    finally:
        servers.postgres_reset(slow)


def went_back_behind_a_pooler(servers, seed):
    """A pooler puts an older server behind sessions that go on: no reconnect, and every row is there."""
    dice = random.Random(seed)
    pooler = Pooler(servers.socket_of(PRIMARY_PORT))
    with World(servers, "pooler", seed, proxy=pooler, goes_back=True) as world, Standby(servers) as standby:
        feed = world.feed()
        member = world.start()
        load(feed, dice, 1)
        wait_for("the first rows", lambda: world.row_count() > 0, 30)
        standby.caught_up()
        standby.leave_behind()
        rows = world.row_count()
        load(feed, dice, dice.uniform(0.5, 2))
        wait_for("rows that the standby lacks", lambda: world.row_count() > rows, 30)
        connected = member.text().count("connected to")
        standby.promote()
        pooler.swap(servers.socket_of(STANDBY_PORT))
        world.faults += 1
        if dice.random() < 0.5:
            load(feed, dice, 1)
        feed.flush()
        wait_for(f"the setback told{member.tail()}", lambda: "the database went back by" in member.text(), 30)
        check(pooler.swaps > 0, "no session went over")
        check_equal(member.text().count("connected to"), connected, "connections of the member")
        verdict = world.settle()
        books_are_there(world)
        back = went_back(world)
        for made in world.members:
            made.kill()
        return f"back by {back}: {verdict}"


def rows_without_their_book(servers, seed):
    """Rows whose book went with an old primary (0.1.0): told by verify, healed by a reprice, no number used twice."""
    with World(servers, "no-book", seed, partitions=2) as world:
        world.produce(200)
        world.start("--exit-eof")
        check_equal(world.members[-1].wait(60), 0, "exit code")
        world.sql("DELETE FROM spendlog.price_books")
        owner = world.config("owner-again", user="spendlog")
        told = subprocess.run([SPENDLOG, "verify", "-q", "-c", owner], capture_output=True, text=True)
        check_equal(told.returncode, 1, "exit code of verify")
        check("DIFFERENCE book" in told.stdout, f"verify does not tell it: {told.stdout}")
        world.faults += 1
        run_checked([SPENDLOG, "reprice", "--all", "-q", "-c", owner])
        books_are_there(world)
        check_equal(world.sql("SELECT count(*) FROM spendlog.spend_adjustments a JOIN spendlog.price_books b ON "
                              "b.price_book_id = a.old_price_book_id"), [["0"]], "numbers that mean two books")
        return world.settle()


def restored_while_nobody_ran(servers, seed):
    """A backup from before the first message, new processes, `start: latest`: reading begins where it had begun."""
    with World(servers, "restored", seed, partitions=3, goes_back=True) as world:
        latest = {"mappings": "mappings: [litellm]\n    start: latest"}
        servers.psql("postgres", f"CREATE DATABASE {world.database}_backup TEMPLATE {world.database}")
        member = world.start(**latest)
        wait_for("the end of the log as offsets",
                 lambda: world.sql("SELECT count(*) FROM spendlog.kafka_offsets") == [["3"]], 60)
        world.produce(400)
        world.drain(60)
        check_equal(member.end(), 0, "exit code")
        servers.psql("postgres", f"DROP DATABASE {world.database} WITH (FORCE)")
        servers.psql("postgres", f"ALTER DATABASE {world.database}_backup RENAME TO {world.database}")
        member = world.start(**latest)
        world.produce(100)
        world.drain(60)
        check_equal(went_back(world), 400, "messages that the database went back by")
        check("it lost the row" in member.text(), f"not told: {member.tail()}")
        return world.settle()


def a_standby_answers(servers, seed):
    """Questions and a dry run are answered by a standby; what writes is refused there in one sentence."""
    with World(servers, "asked-standby", seed, partitions=2) as world:
        world.produce(300)
        world.start("--exit-eof")
        check_equal(world.members[-1].wait(60), 0, "exit code")
        with Standby(servers) as standby:
            standby.caught_up()
            owner = world.config("of-the-standby", user="spendlog")
            with open(owner, encoding="ascii") as text:
                asked = text.read().replace("port=5432 ", f"port={PRIMARY_PORT},{STANDBY_PORT} target_session_attrs=prefer-standby ")
            asked = asked.replace(f"host={servers.socket_folder} ", f"host={servers.socket_folder},{servers.socket_folder} ")
            with open(owner, "w", encoding="ascii") as out:
                out.write(asked)
            request = world.sql("SELECT max(request_id) FROM spendlog.spend_logs")[0][0]
            for words in (("report", "--by", "team"), ("verify",), ("verify", "--sums"), ("explain", request), ("reprice", "--dry-run", "--all"),
                          ("rejected", "list"), ("migrate", "--status"), ("compact", "--status"), ("retention", "show")):
                said = run_checked([SPENDLOG, *words, "-c", owner])
                check(said.strip(), f"{words} says nothing")
            for words in (("reprice", "--all"), ("compact",), ("retention", "set", "400"), ("periods", "close", "2020-01"), ("migrate", "--carry")):
                done = subprocess.run([SPENDLOG, *words, "-c", owner], capture_output=True, text=True)
                check(done.returncode in (69, 75) and ("standby" in done.stderr or "recovery" in done.stderr or "read-only" in done.stderr),
                      f"{words} on a standby: exit {done.returncode}: {done.stdout}{done.stderr}")
        return world.settle()


def patroni_fails_over(servers, seed):
    """Patroni's leader is gone at once, twice: members find the new one by target_session_attrs, and every row is there."""
    dice = random.Random(seed)
    with Patroni(servers) as patroni, World(servers, "patroni", seed, hosts=tuple(patroni.node), goes_back=True) as world:
        feed = world.feed()
        member = world.start()
        for _ in range(2):
            rows = world.row_count()
            load(feed, dice, dice.uniform(1, 3))
            wait_for("rows", lambda rows=rows: world.row_count() > rows, 30)
            gone = servers.pg_port
            patroni.kill_leader()
            world.faults += 1
            load(feed, dice, 1)
            feed.flush()
            wait_for(f"rows in the new leader{member.tail()}", lambda: world.drained(), 60)
            patroni.node_start(gone)  # comes back as the standby
            wait_for("a standby again", lambda: servers.psql_try(
                "postgres", "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") == [["1"]], 120, 0.5)
        check(member.alive(), f"the member ended{member.tail()}")
        verdict = world.settle()
        books_are_there(world)
        for made in world.members:
            made.kill()
        return f"back by {went_back(world)}: {verdict}"


ALL = (a_standby_answers, patroni_fails_over, standby_promoted, restored_while_nobody_ran, async_commit_crash, went_back_behind_a_pooler, rows_without_their_book)
