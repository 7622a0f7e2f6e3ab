# SPDX-License-Identifier: Apache-2.0
"""What a DBA does beside us, and what he left hanging on our table: we pause, say who is in the way, and go on."""
import os
import subprocess
import time

from harness.report import check, check_equal, wait_for
from harness.servers import SPENDLOG
from harness.world import WRITER, World

LOCKS = (  # what each of them holds while it works
    ("VACUUM FULL", "LOCK TABLE ONLY {day} IN ACCESS EXCLUSIVE MODE"),
    ("REINDEX", "LOCK TABLE {day} IN SHARE MODE"),
    ("ALTER TABLE", "LOCK TABLE spendlog.stored_rows IN ACCESS EXCLUSIVE MODE"),
    ("offsets", "LOCK TABLE spendlog.kafka_offsets IN ACCESS EXCLUSIVE MODE"),
    ("books", "LOCK TABLE spendlog.ingest_batches IN SHARE ROW EXCLUSIVE MODE"),
)


class Dba:
    """A session that holds something until it is told to end."""

    def __init__(self, world, statement, name="dba_at_work"):
        self.process = subprocess.Popen(
            ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", world.servers.socket_folder, "-p", str(world.servers.pg_port), "-U",
             "spendlog", "-d", world.database], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PGAPPNAME": name})
        self.process.stdin.write(f"BEGIN; {statement};\n\\echo held\n")
        self.process.stdin.flush()
        check_equal(self.process.stdout.readline(), "held\n", statement)

    def end(self):
        self.process.stdin.write("ROLLBACK;\n")
        self.process.stdin.close()
        self.process.wait()


def newest_day(world):
    return world.sql("SELECT 'spendlog.spend_logs_' || to_char(max(day), 'YYYYMMDD') FROM spendlog.stored_days()")[0][0]


def told_after(member, before, *words):
    """Lines of the member since then that hold all the words."""
    return [line for line in member.text()[before:].splitlines() if all(word in line for word in words)]


def maintenance_is_waited_for(servers, seed):
    """VACUUM FULL, REINDEX, ALTER TABLE beside us: paused, the holder named in a line, then on; commands wait likewise."""
    with World(servers, "maintenance", seed) as world:
        feed = world.feed()
        feed.send(200)
        member = world.start()
        wait_for("the first rows", lambda: world.row_count() > 0, 60)
        for what, statement in LOCKS:
            before = len(member.text())
            dba = Dba(world, statement.format(day=newest_day(world)))
            world.faults += 1
            feed.send(100)
            wait_for(f"{what}: a line that names the holder{member.tail()}",
                     lambda: told_after(member, before, "dba_at_work", "paused: "), 60)
            check(member.alive(), f"{what}: the member ended{member.tail()}")
            dba.end()
        dba = Dba(world, "LOCK TABLE spendlog.stored_rows IN ACCESS EXCLUSIVE MODE")
        command = subprocess.Popen([SPENDLOG, "report", "-c", world.config("report", user="spendlog")],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        line = command.stderr.readline()
        check("paused: " in line and "dba_at_work" in line, f"report does not say who it waits for: {line}")
        dba.end()
        command.communicate(timeout=60)
        check_equal(command.returncode, 0, "exit code of report")
        feed.send(100)
        return world.settle()


def dump_beside_us(servers, seed):
    """pg_dump reads all while we write, and nobody waits for long."""
    with World(servers, "dumped", seed) as world:
        feed = world.feed()
        member = world.start()
        for _ in range(3):
            feed.send(200)
            done = subprocess.run(["pg_dump", "-h", servers.socket_folder, "-p", str(servers.pg_port), "-U", "spendlog", "-f",
                                   os.devnull, world.database], capture_output=True, text=True)
            check_equal(done.returncode, 0, f"pg_dump: {done.stderr[-300:]}")
        check(member.alive(), f"the member ended{member.tail()}")
        return world.settle()


def no_connection_is_left(servers, seed):
    """No connection for us, none allowed to the database, statements cut off by the operator's timeout: paused, told, on."""
    with World(servers, "connections", seed) as world:
        feed = world.feed()
        feed.send(100)
        member = world.start()
        wait_for("the first rows", lambda: world.row_count() > 0, 60)
        away = f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = '{WRITER}'"
        for off, on, reason in (
                (f"ALTER ROLE {WRITER} CONNECTION LIMIT 0", f"ALTER ROLE {WRITER} CONNECTION LIMIT -1",
                 "too many connections"),
                (f"ALTER DATABASE {world.database} ALLOW_CONNECTIONS false",
                 f"ALTER DATABASE {world.database} ALLOW_CONNECTIONS true", "not currently accepting connections")):
            before = len(member.text())
            servers.psql("postgres", off)
            servers.psql("postgres", away)
            world.faults += 1
            feed.send(50)
            wait_for(f"a line that says {reason}", lambda: told_after(member, before, reason), 60)
            time.sleep(0.5)
            check(member.alive(), f"{reason}: the member ended{member.tail()}")
            servers.psql("postgres", on)
        servers.psql("postgres", f"ALTER ROLE {WRITER} IN DATABASE {world.database} SET statement_timeout = '5ms'")
        servers.psql("postgres", away)
        feed.send(200)
        return world.settle()


ALL = (maintenance_is_waited_for, dump_beside_us, no_connection_is_left)
