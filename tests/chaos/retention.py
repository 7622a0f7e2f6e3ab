# SPDX-License-Identifier: Apache-2.0
"""Retention beside tables that are not ours, and with clocks that are wrong."""
import time

from harness.report import Skipped, check, check_equal, wait_for
from harness.servers import FAKETIME
from harness.world import World

TEN_YEARS = 3653  # days


def foreign_partition_under_retention(servers, seed):
    """Partitions of others, under names like ours, are left alone; retention drops ours, and SIGTERM is heard meanwhile."""
    with World(servers, "strangers", seed, partitions=2) as world:
        world.sql("UPDATE spendlog.retention SET keep_days = 400, days_per_day = 100")
        world.sql("CREATE TABLE spendlog.archive_20200101 PARTITION OF spendlog.stored_rows "
                  "FOR VALUES FROM ('2020-01-01') TO ('2020-01-02')")
        world.sql("CREATE TABLE spendlog.spend_logs_20190101 PARTITION OF spendlog.stored_rows "
                  "FOR VALUES FROM ('2019-01-01') TO ('2020-01-01')")
        world.sql("CREATE TABLE spendlog.past_00010101 PARTITION OF spendlog.stored_rows "
                  "FOR VALUES FROM (MINVALUE) TO ('1970-01-01')")
        old = world.sql("SELECT count(spendlog.ensure_partition((now() AT TIME ZONE 'UTC')::date - 420 - i)) "
                        "FROM generate_series(0, 4) i")
        check_equal(old, [["5"]], "old days")
        feed = world.feed()
        feed.send(200)
        member = world.start(lines=("storage: {retain_days: 30}",))
        wait_for(f"the old days gone{member.tail()}", lambda: world.sql(
            "SELECT count(*) FROM spendlog.dropped_partitions") == [["5"]], 60)
        check_equal(world.sql("SELECT count(*) FROM pg_class WHERE relname IN ('archive_20200101', "
                              "'spend_logs_20190101', 'past_00010101')"), [["3"]], "tables of others")
        check_equal(member.text().count("retention dropped"), 5, "drops that were told")
        begun = time.monotonic()
        check_equal(member.end(), 0, "exit code")
        check(time.monotonic() - begun < 15, "SIGTERM was heard late")
        world.start()
        return world.settle()


def wrong_clock_of_the_server(servers, seed):
    """PostgreSQL ten years ahead, then ten years back: the first events of today drop nothing, and it is told."""
    if not FAKETIME:
        raise Skipped("faketime is not installed")
    return "; ".join(clock_wrong_by(servers, seed, days) for days in (TEN_YEARS, -TEN_YEARS))


def clock_wrong_by(servers, seed, days):
    with World(servers, f"clock-{'ahead' if days > 0 else 'back'}", seed, partitions=2) as world:
        world.sql("UPDATE spendlog.retention SET keep_days = 100, days_per_day = 366")
        world.sql("SELECT spendlog.ensure_partition((now() AT TIME ZONE 'UTC')::date - i) FROM generate_series(30, 89) i")
        try:
            servers.postgres_clock(days)
            return settled_without_drops(world, days)
        finally:
            servers.local("postgres-down")
            servers.local("postgres-up")


def settled_without_drops(world, days):
    member = world.start(lines=("storage: {retain_days: 100}",))
    world.produce(200)
    world.drain()
    wait_for(f"the wrong clock told{member.tail()}",
             lambda: "retention dropped nothing: the clocks differ" in member.text(), 30)
    check_equal(world.sql("SELECT (SELECT count(*) FROM spendlog.stored_days() WHERE day < "
                          "(SELECT max(start_time)::date - 29 FROM spendlog.spend_logs)), "
                          "(SELECT count(*) FROM spendlog.dropped_partitions)"), [["60", "0"]],
                f"old days, days dropped, {days} days off")
    return world.settle()


ALL = (foreign_partition_under_retention, wrong_clock_of_the_server)
