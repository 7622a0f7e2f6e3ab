# SPDX-License-Identifier: Apache-2.0
"""A stage for one scenario: a topic and a database of its own, and the program to run between them."""
import functools
import json
import os
import subprocess
import sys

from harness.report import Failed, check_equal, wait_for
from harness.servers import KAFKA_TOOL, ROOT, SPENDLOG, run_checked
from harness.world import Member

EVENTS = os.path.join(ROOT, "tests/cases/demo/litellm-events.jsonl")
WRITER = "integration_writer"  # a login that is nothing but a spendlog_writer
# What differs from run to run of the same events: where they lay and which transaction wrote them.
CIRCUMSTANCE = {"batch_id", "partition_id", "kafka_offset", "record_index", "price_book_id"}


@functools.lru_cache
def demo_lines():
    """The bundled events moved up to now, as the demo sends them; each line is a message."""
    out = run_checked([sys.executable, os.path.join(ROOT, "scripts/demo_events.py"), EVENTS])
    return [line.encode() for line in out.splitlines()]


@functools.lru_cache
def demo_chat():
    for line in demo_lines():
        event = json.loads(line)
        if isinstance(event, dict) and event["custom_llm_provider"] == "openai" and event["status"] == "success":
            return event
    raise Failed("no OpenAI event among the bundled ones")


def demo_event(**changes):
    """One plain chat completion among them, with members changed."""
    return {**demo_chat(), **changes}


def message_of(event):
    return json.dumps(event).encode()


class Stage:
    def __init__(self, servers, name, partitions=3):
        self.servers = servers
        self.name = name
        self.topic = f"{name}.usage"
        self.partitions = partitions
        self.folder = os.path.join(servers.folder, name)
        self.members = []
        self.faults = 0
        self.databases = []
        self.storage = "storage: {retain_days: 0}\n"
        os.makedirs(self.folder, exist_ok=True)
        servers.topic_create(self.topic, partitions)
        self.database_create(name.replace("-", "_"))

    def database_create(self, database):
        """Makes and migrates a database; the stage works in it from now on."""
        self.database = database
        self.databases.append(database)
        self.servers.psql("postgres", f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
        self.servers.psql("postgres", f"CREATE DATABASE {database}")
        run_checked([SPENDLOG, "migrate", "-q", "-c", self.config("owner", user="spendlog")])
        if not self.servers.psql("postgres", f"SELECT 1 FROM pg_roles WHERE rolname = '{WRITER}'"):
            self.servers.psql("postgres", f"CREATE ROLE {WRITER} LOGIN IN ROLE spendlog_writer")

    def config(self, label, user=WRITER, group=None, pricing=None, extra="", metrics="", ready_s=30):
        path = os.path.join(self.folder, f"{label}.yaml")
        with open(path, "w") as out:
            out.write(f"kafka:\n  bootstrap.servers: {self.servers.brokers}\n"
                      f"  group.id: {group or self.name}\n  session.timeout.ms: 2000\n"
                      f"topics:\n  - name: {self.topic}\n"
                      f"postgres: host={self.servers.socket_folder} port=5432 user={user} "
                      f"dbname={self.database}\n"
                      f"{'pricing: ' + pricing if pricing else ''}\n"
                      f'{self.storage}metrics: {{listen: "{metrics}", ready_s: {ready_s}}}\n' + extra)
        return path

    def produce(self, messages, partition=-1):
        """Messages (None: a tombstone), round the partitions or all to one."""
        words = []
        for number, value in enumerate(messages):
            where = partition if partition >= 0 else number % self.partitions
            size = -1 if value is None else len(value)
            words.append(f"M {where} 0 {size}\n".encode() + (b"" if value is None else value + b"\n"))
        done = subprocess.run([KAFKA_TOOL, self.servers.brokers, "produce", self.topic],
                              input=b"".join(words), capture_output=True)
        check_equal(done.returncode, 0, f"producer {done.stderr.decode()[-300:]}")

    def start(self, *words, fault=None, **config_options):
        config = self.config(f"member-{len(self.members)}", **config_options)
        member = Member(self, config, words, {"SPENDLOG_FAULT": fault} if fault else {})
        self.members.append(member)
        return member

    def consume(self, **config_options):
        """One run to the end of the topic."""
        member = self.start("--exit-eof", **config_options)
        check_equal(member.wait(60), 0, f"exit code of run --exit-eof{member.tail()}")
        return member

    # --- what came of it

    def sql(self, text):
        return self.servers.psql(self.database, text)

    def value(self, text):
        return self.sql(text)[0][0]

    def table(self):
        """The rows, sorted, without what depends on the circumstances of their reading."""
        columns = [name for (name,) in self.sql(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = 'spendlog' "
            "AND table_name = 'spend_logs' ORDER BY ordinal_position") if name not in CIRCUMSTANCE]
        return self.sql(f"SELECT {', '.join(columns)} FROM spendlog.spend_logs "
                        "ORDER BY start_time, identity")

    def row_count(self):
        return int(self.value("SELECT count(*) FROM spendlog.spend_logs"))

    def await_rows(self, count, timeout_s=30):
        try:
            wait_for(f"{count} rows", lambda: self.row_count() == count, timeout_s)
        except Failed as failed:
            raise Failed(f"{failed}: {self.row_count()}{self.members[-1].tail()}") from None

    def books(self):
        """rows, duplicates, rejected, skipped of all partitions."""
        return [int(n) for n in self.sql(
            "SELECT coalesce(sum(rows), 0), coalesce(sum(duplicates), 0), coalesce(sum(rejected), 0), "
            "coalesce(sum(skipped), 0) FROM spendlog.kafka_offsets")[0]]

    def command(self, *words, code=0, stdin=None, extra=""):
        """Output of a command of the program on this stage's database."""
        done = subprocess.run([SPENDLOG, words[0], "-c", self.config("owner", user="spendlog", extra=extra), *words[1:]],
                              input=stdin, capture_output=True, text=True)
        check_equal(done.returncode, code, f"exit code of {' '.join(words)}: {done.stderr[-500:]}")
        return done.stdout

    def warnings(self, *words):
        """What a command of the program says on stderr."""
        done = subprocess.run([SPENDLOG, words[0], "-c", self.config("owner", user="spendlog"), *words[1:]], capture_output=True, text=True)
        check_equal(done.returncode, 0, f"exit code of {' '.join(words)}: {done.stderr[-500:]}")
        return done.stderr

    def sums_agree(self):
        """In every database of the stage the sums are what the rows come to, and what is kept beside them is too."""
        for database in self.databases:
            check_equal(self.servers.psql(database, "SELECT * FROM spendlog.sums_differ(true) UNION ALL SELECT * FROM spendlog.totals_differ()"), [],
                        f"sums of {database} that are not those of the rows")

    def close(self):
        for member in self.members:
            member.kill()
        for database in self.databases:
            self.servers.psql_try("postgres", f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
        self.servers.topic_delete(self.topic)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.sums_agree()
        finally:
            self.close()
