# SPDX-License-Identifier: Apache-2.0
"""A private PostgreSQL and a private Kafka broker, both of scripts/local.sh, in a folder of the suite's own."""
import glob
import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from harness.report import Failed, wait_for

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
KAFKA_TOOL = os.path.join(ROOT, "build/release/tests/tools/kafka_tool")
FAKETIME = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")  # none: Debian's faketime is not installed
SPENDLOG = os.environ.get("SPENDLOG", os.path.join(ROOT, "spendlog"))


def run_checked(argv, **options):
    done = subprocess.run(argv, capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise Failed(f"{os.path.basename(argv[0])} {' '.join(argv[1:4])}: exit {done.returncode}: "
                     f"{(done.stderr or done.stdout).strip()[-600:]}")
    return done.stdout


def free_port():
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Ended(BaseException):
    """A signal ends the suite; what runs is stopped on the way out."""


def on_signal(number, _frame):
    for one in ENDING:
        signal.signal(one, signal.SIG_IGN)  # once: the way out is not for a second one
    raise Ended(128 + number)


ENDING = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


def host(folder, keep, suite):
    """
    Both servers up, then suite(servers), whose exit code is returned; they are stopped whatever ends it, and removed
    unless it failed or their folder is wanted.
    """
    place = Servers(folder)
    code = 1
    for number in ENDING:
        signal.signal(number, on_signal)
    try:
        place.up()
        code = suite(place)
    except Ended as ended:
        code = ended.args[0]
    finally:
        for number in ENDING:
            signal.signal(number, signal.SIG_IGN)
        if code == 0 and not keep:
            place.clean()
        else:
            place.local("down")
            print(f"logs are in {place.folder}", file=sys.stderr)
    return code


class Servers:
    def __init__(self, folder):
        self.folder = os.path.abspath(folder)
        self.pg_port = 5432  # of the server that is asked; another one after a failover
        os.makedirs(self.folder, exist_ok=True)

    def local(self, *words, **environment):
        log = open(os.path.join(self.folder, "servers.log"), "a")
        with log:
            code = subprocess.run([os.path.join(ROOT, "scripts/local.sh"), *words],
                                  env={**os.environ, "LOCAL": self.folder, **environment}, stdin=subprocess.DEVNULL,
                                  stdout=log, stderr=log).returncode
        if code != 0:
            raise Failed(f"local.sh {' '.join(words)}: exit {code}, see {log.name}")

    def up(self):
        with ThreadPoolExecutor(1) as other:
            kafka = other.submit(self.local, "kafka-up")
            self.local("postgres-up")
            kafka.result()

    def postgres_set(self, settings):
        """Beside what scripts/local.sh gives; takes a restart."""
        for name, value in settings.items():
            self.psql("postgres", f"ALTER SYSTEM SET {name} = {value}")
        self.local("postgres-down")
        self.local("postgres-up")

    def postgres_reset(self, names):
        for name in names:
            self.psql("postgres", f"ALTER SYSTEM RESET {name}")
        self.local("postgres-down")
        self.local("postgres-up")

    def postgres_clock(self, days):
        """PostgreSQL again, with a clock that is so many days ahead."""
        self.local("postgres-down")
        self.local("postgres-up", LD_PRELOAD=FAKETIME[0], FAKETIME=f"{days:+}d", FAKETIME_DONT_FAKE_MONOTONIC="1")

    def postgres_as_standby(self):
        """PostgreSQL, which is down, as a standby of nobody: it answers, and writes nothing until pg_promote()."""
        data = os.path.join(self.socket_folder, "data")
        signal_file = os.path.join(data, "standby.signal")
        open(signal_file, "w").close()
        os.chown(signal_file, os.stat(data).st_uid, os.stat(data).st_gid)
        self.local("postgres-up")

    def clean(self):
        self.local("clean")

    @property
    def brokers(self):
        with open(os.path.join(self.folder, "kafka/port")) as port:
            return "127.0.0.1:" + port.read().split()[0]

    @property
    def socket_folder(self):
        return os.path.realpath(os.path.join(self.folder, "run"))

    @property
    def socket(self):
        return self.socket_of(5432)

    def socket_of(self, port):
        return os.path.join(self.socket_folder, f".s.PGSQL.{port}")

    def psql(self, database, sql, user="spendlog", port=None):
        """Rows of tab-separated texts; NULL is the two characters \\N."""
        out = run_checked(["psql", "-XAtq", "-F", "\t", "-P", "null=\\N", "-v", "ON_ERROR_STOP=1",
                           "-h", self.socket_folder, "-p", str(port or self.pg_port), "-U", user, "-d", database,
                           "-c", sql])
        return [line.split("\t") for line in out.splitlines()]

    def psql_messages(self, database, sql, user):
        """Exit code and all that the server says, notices and log messages too."""
        done = subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", self.socket_folder, "-p", "5432",
                               "-U", user, "-d", database, "-c", sql], capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def psql_try(self, database, sql, user="spendlog"):
        """The same; None while the server does not answer."""
        try:
            return self.psql(database, sql, user)
        except Failed:
            return None

    def kafka_tool(self, *words, properties=()):
        argv = [KAFKA_TOOL]
        for one in properties:
            argv += ["-X", one]
        return run_checked(argv + [self.brokers, *map(str, words)])

    def topic_create(self, topic, partitions, **config):
        pairs = [f"{name.replace('_', '.')}={value}" for name, value in config.items()]
        self.kafka_tool("create", topic, partitions, *pairs)

    def topic_delete(self, topic):
        self.kafka_tool("delete", topic)
        wait_for(f"{topic} gone", lambda: self.log_ends(topic) is None, 20)

    def log_ends(self, topic):
        """{partition: next offset}; None when the topic or the broker is not there."""
        try:
            out = self.kafka_tool("offsets", topic)
        except Failed:
            return None
        return {int(p): int(high) for p, _, high in (line.split() for line in out.splitlines())}

    def log_values(self, topic, partition):
        """The values in a partition's log, in order; None is a tombstone."""
        done = subprocess.run(["kcat", "-C", "-q", "-b", self.brokers, "-t", topic, "-p", str(partition),
                               "-o", "beginning", "-e", "-D", "", "-f", "%S\\n%s\\n"], capture_output=True)
        if done.returncode != 0:
            raise Failed(f"kcat: {done.stderr.decode(errors='replace')}")
        values, rest = [], done.stdout
        while rest:
            size, rest = rest.split(b"\n", 1)
            end = max(int(size), 0)
            values.append(None if int(size) < 0 else rest[:end])
            rest = rest[end + 1:]
        return values
