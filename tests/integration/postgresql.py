# SPDX-License-Identifier: Apache-2.0
"""Any PostgreSQL: each version there is, as each kind of login, and behind poolers."""
import os
import re
import shutil
import signal
import subprocess

from harness.postgres import Postgres
from harness.report import Skipped, check, check_equal, wait_for
from harness.servers import KAFKA_TOOL, SPENDLOG, free_port, run_checked
from integration.stage import Stage, demo_lines

VERSIONS = (15, 16, 17, 18)
OURS = ("spendlog_owner", "spendlog_writer", "spendlog_repricer", "spendlog_reader", "spendlog_tenant")


def as_superuser(server, database):
    """(login that migrates, login that runs)"""
    server.psql("postgres", f"CREATE DATABASE {database}")
    return "spendlog"


def as_managed_master(server, database):
    """The master of a managed service: makes roles and databases, is not a superuser."""
    server.psql("postgres", "CREATE ROLE master LOGIN CREATEROLE CREATEDB")
    server.psql("postgres", f"CREATE DATABASE {database}", user="master")
    return "master"


def as_plain_login(server, database):
    """May make no role: an administrator runs what --print-roles prints."""
    server.psql("postgres", "CREATE ROLE plain LOGIN")
    server.psql("postgres", f"CREATE DATABASE {database}")
    config = configuration(server, database, "plain", "plain")
    done = subprocess.run([SPENDLOG, "migrate", "-c", config], capture_output=True, text=True)
    check(done.returncode == 78 and "--print-roles" in done.stderr, f"migrate without roles: {done.stderr}")
    script = run_checked([SPENDLOG, "migrate", "--print-roles", "-c", config])
    for again in range(2):
        done = subprocess.run(["psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-h", server.socket_folder, "-U", "spendlog", "-d", database],
                              input=script, capture_output=True, text=True)
        check(done.returncode == 0 and not re.search("ERROR|WARNING|ignored", done.stderr), f"the printed script, time {again + 1}: {done.stderr}")
    return "plain"


def configuration(server, database, label, user, topic="none", extra=""):
    path = os.path.join(server.folder, f"any-{server.version}-{label}.yaml")
    with open(path, "w", encoding="ascii") as out:
        out.write(f"kafka:\n  bootstrap.servers: {server.brokers}\n  group.id: any\n  session.timeout.ms: 2000\n"
                  f"topics: [{{name: {topic}}}]\npostgres: host={server.socket_folder} user={user} dbname={database}\n"
                  f'storage: {{retain_days: 0}}\nmetrics: {{listen: ""}}\nlanes: 4\n{extra}')
    return path


def whole_life(server, kind, topic, messages):
    """Schema, ingest by a login that only writes, questions, corrections."""
    database = f"any_{kind.__name__}"
    owner = kind(server, database)
    config = configuration(server, database, "owner", owner, topic)
    for words in (("migrate",), ("migrate",)):
        run_checked([SPENDLOG, *words, "-q", "-c", config])
    server.psql(database, "CREATE ROLE any_writer LOGIN IN ROLE spendlog_writer", user="spendlog")
    writer = configuration(server, database, "writer", "any_writer", topic)
    run_checked([SPENDLOG, "run", "--exit-eof", "-c", writer], timeout=120)
    check_equal(server.psql(database, "SELECT sum(rows + duplicates + rejected + skipped) >= "
                                      f"{messages} FROM spendlog.kafka_offsets"), [["t"]], "all messages are read")
    check("up to date" in run_checked([SPENDLOG, "check", "-c", writer]), "check")
    for words in (("report", "--by", "team"), ("verify",), ("reprice", "--all"), ("retention", "set", "400"), ("periods", "list"),
                  ("rejected", "list"), ("verify",), ("migrate", "--status")):
        run_checked([SPENDLOG, *words, "-q", "-c", config])
    server.psql("postgres", f"DROP DATABASE {database} WITH (FORCE)")
    for role in ("any_writer", *OURS, "master", "plain"):
        server.psql("postgres", f"DROP ROLE IF EXISTS {role}")


def each_version_and_login(servers):
    """Schema, ingest with four lanes, questions and corrections on PostgreSQL 15 to 18, as superuser, managed master, plain login."""
    topic, notes = "any.usage", []
    servers.topic_create(topic, 4)
    lines = demo_lines()[:200]
    run_produce(servers, topic, lines)
    for version in VERSIONS:
        server = Postgres(servers, version)
        why = server.open()
        if why:
            notes.append(f"{version} skipped: {why}")
            continue
        try:
            for kind in (as_managed_master, as_plain_login, as_superuser):
                whole_life(server, kind, topic, len(lines))
            notes.append(server.psql("postgres", "SHOW server_version")[0][0].split()[0])
        finally:
            server.close()
    servers.topic_delete(topic)
    return ", ".join(notes)


def run_produce(servers, topic, lines):
    words = b"".join(f"M {i % 4} 0 {len(line)}\n".encode() + line + b"\n" for i, line in enumerate(lines))
    done = subprocess.run([KAFKA_TOOL, servers.brokers, "produce", topic], input=words, capture_output=True)
    check_equal(done.returncode, 0, f"producer {done.stderr.decode()[-300:]}")


def mended_migration_is_known(servers):
    """A database that got a migration before its text was mended is up to date; another text than ours is refused."""
    with Stage(servers, "mended", partitions=1) as stage:
        def applied_as(sha):
            stage.sql(f"UPDATE spendlog.schema_migrations SET sha256 = '{sha}' WHERE version = 1")
        applied_as("2797af7dd4352e8b4b1072cd228b34fa5dd6df893640039de17a4a69b3e777d6")
        check(re.search(r"0001\S+ +mended", stage.command("migrate", "--status")), "status does not tell")
        for words in (("migrate", "-q"), ("verify", "-q"), ("report", "-q")):
            stage.command(*words)
        applied_as("0" * 64)
        stage.command("migrate", "-q", code=78)


class PgBouncer:
    def __init__(self, servers, mode):
        self.port = free_port()
        self.folder = os.path.join(servers.socket_folder, f"pgbouncer-{mode}")
        os.makedirs(self.folder)
        with open(os.path.join(self.folder, "users"), "w", encoding="ascii") as users:
            users.write('"spendlog" ""\n"integration_writer" ""\n')
        with open(os.path.join(self.folder, "ini"), "w", encoding="ascii") as ini:
            ini.write(f"[databases]\n* = host={servers.socket_folder} port=5432\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
                      f"listen_port = {self.port}\nunix_socket_dir =\nauth_type = trust\nauth_file = {self.folder}/users\n"
                      f"pool_mode = {mode}\nignore_startup_parameters = extra_float_digits\nlogfile = {self.folder}/log\n")
        as_user = []
        if os.geteuid() == 0:
            run_checked(["chown", "-R", "postgres", self.folder])
            as_user = ["runuser", "-u", "postgres", "--"]
        self.process = subprocess.Popen([*as_user, shutil.which("pgbouncer") or "/usr/sbin/pgbouncer", "-q", f"{self.folder}/ini"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")
        wait_for("pgbouncer", lambda: subprocess.run(["pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)],
                                                     check=False).returncode == 0, 30)

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        shutil.rmtree(self.folder)


def poolers_are_recognised(servers):
    """Behind pgbouncer: session mode works, transaction and statement mode are refused by every command, nothing of ours left set."""
    if not (shutil.which("pgbouncer") or os.path.exists("/usr/sbin/pgbouncer")):
        raise Skipped("pgbouncer is not installed")
    with Stage(servers, "pooled", partitions=4) as stage:
        stage.produce(demo_lines()[:100])
        for mode, code in (("session", 0), ("transaction", 78), ("statement", 78)):
            pooler = PgBouncer(servers, mode)
            try:
                with open(stage.config("pooled"), encoding="ascii") as text:
                    direct = text.read()
                path = os.path.join(stage.folder, f"pooled-{mode}.yaml")
                with open(path, "w", encoding="ascii") as out:
                    out.write(direct.replace(f"host={servers.socket_folder} port=5432", f"host=127.0.0.1 port={pooler.port}")
                              + "lanes: 4\n")
                for words in (("run", "--exit-eof"), ("check",), ("report",), ("verify", "-q")):
                    done = subprocess.run([SPENDLOG, *words, "-c", path], capture_output=True, text=True, timeout=60)
                    check_equal(done.returncode, code, f"{words} behind a pooler in {mode} mode: {done.stderr[-400:]}")
                    check(code == 0 or f"a pooler in {mode} mode" in done.stderr, f"{words}: {done.stderr}")
                if code:
                    set_here = subprocess.run(["psql", "-XAtq", "-h", "127.0.0.1", "-p", str(pooler.port), "-U", "integration_writer", "-d",
                                               stage.database, "-c", "SHOW search_path"], capture_output=True, text=True, check=True)
                    check("spendlog" not in set_here.stdout, f"left behind in a server's session: {set_here.stdout}")
            finally:
                pooler.close()
        stage.await_rows(stage.row_count())
        stage.command("verify", "-q")


ALL = (mended_migration_is_known, poolers_are_recognised, each_version_and_login)
