# SPDX-License-Identifier: Apache-2.0
"""
One scenario's world: a topic, a database, a group, a producer with its ledger, and members of the service.

World.settle() is the verdict: everything produced was read, and records = rows + duplicates + rejected +
skipped, each row's cost and the sum exact, in the database's own books and against the ledger.
"""
import os
import signal
import subprocess
import time
from decimal import Decimal

from harness.events import Ledger, Producer, cost_map_json
from harness.pgproxy import Proxy
from harness.report import Failed, check, check_equal, wait_for
from harness.servers import KAFKA_TOOL, SPENDLOG, run_checked

# What a trigger does with a row that it does not want.
REFUSE_BY_CHECK = "RAISE check_violation USING CONSTRAINT = 'refuse', MESSAGE = 'row violates check constraint \"refuse\"'"
REFUSE_BY_EXCEPTION = "RAISE EXCEPTION 'we do not take this'"
REFUSE_BY_SILENCE = "RETURN NULL"

WRITER = "chaos_writer"  # a login that is nothing but a spendlog_writer

SESSION_MS = 1500
# Quick to notice dead members and new partitions; everything else as in production.
FAST = {"session.timeout.ms": SESSION_MS, "heartbeat.interval.ms": 400,
        "topic.metadata.refresh.interval.ms": 1000, "reconnect.backoff.max.ms": 500}


RECORD_KINDS = ("row", "duplicate", "rejected", "skipped")
VERDICTS = []  # of all worlds that were settled


class Feed:
    """A running producer process; everything it was given is in the log once finish() returns."""

    def __init__(self, servers, topic, producer, properties=()):
        argv = [KAFKA_TOOL]
        for one in properties:
            argv += ["-X", one]
        self.producer = producer
        self.process = subprocess.Popen(argv + [servers.brokers, "produce", topic],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)

    def put(self, partition, value):
        size = -1 if value is None else len(value)
        head = f"M {partition} {int(time.time() * 1000)} {size}\n".encode()
        self.process.stdin.write(head if value is None else head + value + b"\n")

    def send(self, messages):
        for _ in range(messages):
            partition, value, _ = self.producer.one()
            self.put(partition, value)
        self.process.stdin.flush()

    def word(self, letter):
        """B, C or A: begin, commit or abort a transaction."""
        self.process.stdin.write(letter.encode() + b"\n")

    def flush(self):
        self.process.stdin.write(b"F\n")
        self.process.stdin.flush()
        check_equal(self.process.stdout.readline(), b"F\n", "producer")

    def finish(self):
        out, errors = self.process.communicate(timeout=150)
        check_equal(self.process.returncode, 0, f"producer ({errors.decode()[-300:]}; {out.decode()})")


class Member:
    """One process of the service."""

    def __init__(self, world, config, words, environment):
        self.world = world
        self.log = os.path.join(world.folder, f"member-{len(world.members)}.log")
        with open(self.log, "w") as log:
            self.process = subprocess.Popen([SPENDLOG, "run", "-c", config, *words],
                                            env={**os.environ, **environment},
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process.poll() is None

    def signal(self, number):
        if self.alive():
            self.world.faults += number == signal.SIGSTOP
            self.process.send_signal(number)

    def kill(self):
        self.world.faults += 1
        self.signal(signal.SIGKILL)
        self.process.wait()

    def end(self, timeout_s=20):
        """SIGTERM; the exit code."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        return self.wait(timeout_s)

    def wait(self, timeout_s):
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise Failed(f"member {self.pid} did not end within {timeout_s} s: {self.tail()}") from None

    def text(self):
        with open(self.log, errors="replace") as log:
            return log.read()

    def tail(self):
        return "\n      " + "\n      ".join(self.text().splitlines()[-12:])

    def peak_mb(self):
        with open(f"/proc/{self.pid}/status") as status:
            line = next(line for line in status if line.startswith("VmHWM"))
        return int(line.split()[1]) // 1024


class World:
    def __init__(self, servers, name, seed, partitions=12, proxied=False, proxy=None, tablespace=None,
                 hosts=(5432,), goes_back=False, topic_config=None, whole_log=True, **producer_options):
        """
        whole_log: the log holds every message there ever was, so that it can vouch for the ledger.
        hosts: ports of the servers that members may find the database on; proxy: what they go through.
        goes_back: the database loses what it had committed; in all other worlds nobody may say so.
        """
        self.servers = servers
        self.name = name
        self.topic = f"{name}.usage"
        self.database = name.replace("-", "_")
        self.folder = os.path.join(servers.folder, name)
        self.members = []
        self.feeds = []
        self.faults = 0  # of any kind; cuts of the proxy are counted by itself
        self.partitions = partitions
        self.whole_log = whole_log
        self.ledger = Ledger()
        self.producer = Producer(self.ledger, seed, range(partitions), **producer_options)
        os.makedirs(self.folder, exist_ok=True)
        self.hosts = hosts
        self.goes_back = goes_back
        self.proxy = Proxy(servers.socket, seed) if proxied else proxy
        self.create(tablespace, topic_config or {})

    def create(self, tablespace, topic_config):
        where = f" TABLESPACE {tablespace}" if tablespace else ""
        self.servers.psql("postgres", f"DROP DATABASE IF EXISTS {self.database} WITH (FORCE)")
        self.servers.psql("postgres", f"CREATE DATABASE {self.database}{where}")
        with open(os.path.join(self.folder, "cost_map.json"), "w") as out:
            out.write(cost_map_json())
        owner = self.config("owner", user="spendlog")
        run_checked([SPENDLOG, "migrate", "-q", "-c", owner])
        if not self.servers.psql("postgres", f"SELECT 1 FROM pg_roles WHERE rolname = '{WRITER}'"):
            self.servers.psql("postgres", f"CREATE ROLE {WRITER} LOGIN IN ROLE spendlog_writer")
        if self.servers.log_ends(self.topic) is not None:
            self.servers.topic_delete(self.topic)  # of a run that failed
        self.servers.topic_create(self.topic, self.partitions, **topic_config)

    def conninfo(self, user):
        if self.proxy and user == WRITER:
            return (f"host=127.0.0.1 port={self.proxy.port} user={user} dbname={self.database} "
                    "sslmode=disable gssencmode=disable connect_timeout=5")
        ports = self.hosts if user == WRITER else (self.servers.pg_port,)
        folders = ",".join([self.servers.socket_folder] * len(ports))
        where = "" if len(ports) == 1 else " target_session_attrs=read-write"
        return (f"host={folders} port={','.join(map(str, ports))} user={user} dbname={self.database}{where}")

    def config(self, label, user=WRITER, kafka=None, lines=(), tuned=True, mappings="mappings: [litellm]",
               metrics=""):
        """tuned: quick reactions and small batches, so that there are many moments to fail in."""
        properties = {"bootstrap.servers": self.servers.brokers, "group.id": self.name,
                      **(FAST if tuned else {}), **(kafka or {})}
        path = os.path.join(self.folder, f"{label}.yaml")
        with open(path, "w") as out:
            out.write("kafka:\n")
            out.writelines(f"  {name}: {value}\n" for name, value in properties.items())
            out.write(f"topics:\n  - name: {self.topic}\n    {mappings}\n"
                      f"postgres: {self.conninfo(user)}\n"
                      f"pricing: {{cost_map: {self.folder}/cost_map.json}}\n"
                      f'lanes: 2\nmetrics: {{listen: "{metrics}"}}\n')
            if tuned:
                out.write("batch: {rows: 400, wait_ms: 100}\n")
            out.writelines(line + "\n" for line in lines)
        return path

    def start(self, *words, fault=None, config=None, environment=None, **config_options):
        config = config or self.config(f"member-{len(self.members)}", **config_options)
        faults = {"SPENDLOG_FAULT": fault} if fault else {}
        member = Member(self, config, words, {**faults, **(environment or {})})
        self.members.append(member)
        return member

    def feed(self, *properties):
        feed = Feed(self.servers, self.topic, self.producer, properties)
        self.feeds.append(feed)
        return feed

    def produce(self, messages):
        """So many messages, all in the log when it returns."""
        feed = self.feed()
        feed.send(messages)
        feed.finish()
        self.feeds.remove(feed)

    # --- what the database says

    def sql(self, text):
        return self.servers.psql(self.database, text)

    def stored(self):
        """{partition: next offset} of the newest incarnations, {} while the server is away."""
        found = self.servers.psql_try(
            self.database, "SELECT DISTINCT ON (partition) partition, next_offset FROM "
            "spendlog.kafka_offsets ORDER BY partition, incarnation DESC")
        return {int(p): int(offset) for p, offset in found} if found else {}

    def row_count(self):
        found = self.servers.psql_try(self.database, "SELECT count(*) FROM spendlog.spend_logs")
        return int(found[0][0]) if found else -1

    def drained(self):
        ends = self.servers.log_ends(self.topic)
        if ends is None:
            return False
        stored = self.stored()
        return all(stored.get(partition, 0) == end for partition, end in ends.items())

    def drained_or_deserted(self):
        if self.drained():
            return True
        if not any(member.alive() for member in self.members):
            raise Failed("no member is left")
        return False

    def drain(self, timeout_s=60):
        try:
            return wait_for("everything read", self.drained_or_deserted, timeout_s, 0.2)
        except Failed as failed:
            ends, stored = self.servers.log_ends(self.topic), self.stored()
            behind = {p: (stored.get(p), end) for p, end in (ends or {}).items()
                      if stored.get(p, 0) != end}
            last = next((m for m in reversed(self.members) if m.alive()), self.members[-1])
            raise Failed(f"{failed}; (stored, end) of partitions behind: {behind};"
                         f"{last.tail()}") from None

    def ledger_from_log(self):
        """
        Where the log does not hold as many messages as were produced, what it holds counts.

        librdkafka 2.0.2 reports messages of an idempotent producer as delivered that the log of a broker
        started or killed meanwhile does not hold: seldom, but a ledger must not be wrong at all.
        """
        changed = 0
        for partition, end in self.servers.log_ends(self.topic).items():
            produced = self.ledger.messages.get(partition, [])
            if end != len(produced):
                held = [self.producer.made[value] for value in
                        self.servers.log_values(self.topic, partition)]
                check_equal(len(held), end, f"messages in the log of partition {partition}")
                changed += abs(end - len(produced))
                self.ledger.messages[partition] = held
        return changed

    # --- the verdict

    def settle(self, timeout_s=60):
        for feed in self.feeds:
            if feed.process.poll() is None:
                feed.finish()
        self.feeds.clear()
        unheld = self.ledger_from_log() if self.whole_log else 0
        self.drain(timeout_s)
        for member in self.members:
            if member.alive():
                check_equal(member.end(), 0, f"exit code of a member ended by SIGTERM{member.tail()}")
        return self.verify() + (f"; {unheld} produced messages not in the log" if unheld else "")

    def refuse(self, condition, how=REFUSE_BY_CHECK):
        """PostgreSQL refuses rows from now on unless the condition over team_id and request_id holds; None: takes all."""
        self.sql("DROP TRIGGER IF EXISTS refuse ON spendlog.stored_rows")
        if condition is None:
            return
        self.sql("CREATE OR REPLACE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ "
                 "DECLARE team_id text := coalesce(NEW.team_id, (SELECT k.team_id FROM spendlog.shared_callers k WHERE "
                 "k.caller_no = NEW.caller_no)); request_id text := NEW.request_id; BEGIN "
                 f"IF NOT ({condition}) THEN {how}; END IF; RETURN NEW; END $$")
        self.sql("CREATE TRIGGER refuse BEFORE INSERT ON spendlog.stored_rows FOR EACH ROW "
                 "EXECUTE FUNCTION public.refuse()")

    def verify(self):
        counts, rows = self.ledger.expected()
        self.verify_books(counts)
        self.verify_partitions()
        self.verify_rows(rows)
        self.verify_command()
        VERDICTS.append(self.verdict(counts, rows))
        return (f"{sum(counts.values())} records = {counts['row']} rows + {counts['duplicate']} "
                f"duplicates + {counts['rejected']} rejected + {counts['skipped']} skipped")

    def verdict(self, counts, rows):
        """A line of the suite's table: (scenario, faults, records, rows, ..., lost, doubled)."""
        stored = self.sql("SELECT count(*), count(DISTINCT request_id) FROM spendlog.spend_logs")[0]
        faults = self.faults + (sum(self.proxy.cuts.values()) if self.proxy else 0)
        return (self.name, faults, sum(counts.values()), *(counts[n] for n in RECORD_KINDS),
                len(rows) - int(stored[1]), int(stored[0]) - int(stored[1]))

    def verify_books(self, counts):
        want = [str(counts[name]) for name in RECORD_KINDS]
        check_equal(self.sql("SELECT sum(rows), sum(duplicates), sum(rejected), sum(skipped) "
                             "FROM spendlog.kafka_offsets")[0], want, f"{RECORD_KINDS} of kafka_offsets")
        check_equal(self.sql("SELECT (SELECT count(*) FROM spendlog.spend_logs), "
                             "(SELECT count(*) FROM spendlog.rejected_events)")[0],
                    [want[0], want[2]], "rows and rejected events stored")
        check_equal(self.sql("SELECT sum(rows) FROM spendlog.ingest_batches")[0][0], want[0],
                    "rows of ingest_batches")
        overlap = self.sql(
            "SELECT count(*) FROM (SELECT first, lag(next) OVER (PARTITION BY id ORDER BY first, next)"
            " AS before FROM spendlog.ingest_batches, unnest(partition_ids, first_offsets, "
            "next_offsets) AS r(id, first, next)) x WHERE first < before")
        check_equal(overlap, [["0"]], "batches whose offset ranges overlap")
        check_equal(self.sql("SELECT count(*) FROM spendlog.spend_logs l LEFT JOIN "
                             "spendlog.ingest_batches b USING (batch_id) WHERE b.batch_id IS NULL"),
                    [["0"]], "rows without their batch")
        if not self.goes_back:
            check_equal(self.sql("SELECT count(*) FROM spendlog.kafka_setbacks"), [["0"]],
                        "setbacks of a database that never went back")

    def verify_partitions(self):
        got = {int(p): int(n) for p, n in
               self.sql("SELECT partition, sum(records) FROM spendlog.kafka_offsets GROUP BY 1")}
        want = {p: self.ledger.records(p) for p in got}
        check_equal(got, want, "records of each partition")

    def verify_rows(self, rows):
        got = {identity: None if spend == "\\N" else Decimal(spend) for identity, spend in
               self.sql("SELECT request_id, spend FROM spendlog.spend_logs")}
        lost = rows.keys() - got.keys()
        extra = got.keys() - rows.keys()
        check(not lost and not extra, f"{len(lost)} events lost {sorted(lost)[:3]}, "
              f"{len(extra)} rows of nothing {sorted(extra)[:3]}")
        wrong = [(i, got[i], rows[i]) for i in rows if got[i] != rounded(rows[i])]
        check(not wrong, f"{len(wrong)} wrong costs, the first (id, got, want): {wrong[:1]}")
        total = sum((rounded(c) for c in rows.values() if c is not None), Decimal(0))
        check_equal(Decimal(self.sql("SELECT coalesce(sum(spend), 0) FROM spendlog.spend_logs")[0][0]),
                    total, "sum of spend")

    def verify_command(self):
        run_checked([SPENDLOG, "verify", "-q", "--sums", "-c", self.config("verify", user="spendlog")])

    def close(self, keep=False):
        """keep: the database and the topic of what failed stay, to be looked at."""
        for feed in self.feeds:
            feed.process.kill()
            feed.process.wait()
        for member in self.members:
            member.kill()
        if self.proxy:
            self.proxy.close()
        if keep:
            return
        self.servers.psql_try("postgres", f"DROP DATABASE IF EXISTS {self.database} WITH (FORCE)")
        try:
            self.servers.kafka_tool("delete", self.topic)
        except Failed:
            pass  # the scenario ended without its topic

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.close(keep=kind is not None)


def rounded(cost):
    """To 10^-18, half to even, as each item is. Both items of COST_MAP's models have at most 18 decimals."""
    return None if cost is None else cost.quantize(Decimal(1).scaleb(-18))
