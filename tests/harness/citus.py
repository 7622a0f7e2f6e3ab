# SPDX-License-Identifier: Apache-2.0
"""
A Citus cluster of this machine: a coordinator and some workers, of the PostgreSQL whose folder of programs SPENDLOG_CITUS_BIN names,
or of Debian's where it has the extension.
"""
import glob
import os
import pwd
import shutil
import signal
import subprocess

from harness.report import Failed
from harness.servers import Servers, free_port, run_checked


def programs():
    """(folder, None) or (None, why not)."""
    named = os.environ.get("SPENDLOG_CITUS_BIN")
    for folder in [named] if named else sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True):
        tool = os.path.join(folder, "pg_config")
        share = run_checked([tool, "--sharedir"]).strip() if os.path.exists(tool) else folder.replace("/lib/", "/share/")[:-len("/bin")]
        if os.path.exists(os.path.join(share, "extension/citus.control")):
            return folder, None
    return None, "no PostgreSQL with the extension citus is here (SPENDLOG_CITUS_BIN)"


class Node:
    def __init__(self, cluster, name):
        self.cluster, self.name, self.port = cluster, name, free_port()
        self.folder = os.path.join(cluster.place, name)
        self.data = os.path.join(self.folder, "data")
        os.makedirs(self.folder)

    def make(self):
        self.cluster.as_user("initdb", "--no-sync", "-U", "spendlog", "-A", "trust", "-E", "UTF8", "--locale=C", "-D", self.data)
        self.start()

    def start(self):
        self.cluster.as_user("pg_ctl", "-s", "-w", "-t", "60", "-D", self.data, "-l", os.path.join(self.folder, "log"), "-o",
                             f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories={self.folder} -c fsync=off "
                             "-c shared_preload_libraries=citus -c max_prepared_transactions=100 -c citus.shard_count=4", "start")

    def kill(self):
        """As a machine that is gone: no word, no checkpoint."""
        with open(os.path.join(self.data, "postmaster.pid"), encoding="ascii") as lines:
            os.kill(int(lines.readline()), signal.SIGKILL)

    def psql(self, database, sql):
        return run_checked(["psql", "-XAtq", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(self.port), "-U", "spendlog",
                            "-d", database, "-c", sql])


class Citus(Servers):
    """The same Kafka, another PostgreSQL; its superuser is spendlog, as of the suite's."""

    def __init__(self, servers, bin_folder, workers):
        self.folder, self.kafka, self.bin = servers.folder, servers, bin_folder
        self.place = os.path.join(servers.socket_folder, f"citus-{workers}")
        self.user = pwd.getpwuid(os.stat(servers.socket_folder).st_uid).pw_name
        shutil.rmtree(self.place, ignore_errors=True)
        self.nodes = [Node(self, f"node{number}") for number in range(workers + 1)]
        if os.geteuid() == 0:
            run_checked(["chown", "-R", self.user, self.place])
        self.pg_port = self.nodes[0].port

    brokers = property(lambda self: self.kafka.brokers)
    socket_folder = property(lambda self: "127.0.0.1")  # psql and libpq take either for a host
    workers = property(lambda self: self.nodes[1:])

    def as_user(self, program, *words):
        as_user = [] if os.geteuid() != 0 else ["runuser", "-u", self.user, "--"]
        done = subprocess.run([*as_user, os.path.join(self.bin, program), *words], cwd="/", stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise Failed(f"{program} {' '.join(words[:2])}: exit {done.returncode}: {done.stderr.strip()[-400:]}")

    def database(self, name):
        for node in self.nodes:
            node.psql("postgres", f"CREATE DATABASE {name}")
            node.psql(name, "CREATE EXTENSION citus")
        if self.workers:
            self.nodes[0].psql(name, f"SELECT citus_set_coordinator_host('127.0.0.1', {self.pg_port})")
        for node in self.workers:
            self.nodes[0].psql(name, f"SELECT citus_add_node('127.0.0.1', {node.port})")

    def __enter__(self):
        for node in self.nodes:
            node.make()
        return self

    def __exit__(self, *_):
        for node in self.nodes:
            if os.path.exists(os.path.join(node.data, "postmaster.pid")):
                try:
                    self.as_user("pg_ctl", "-s", "-w", "-m", "immediate", "-D", node.data, "stop")
                except Failed:
                    pass  # it was killed
        shutil.rmtree(self.place, ignore_errors=True)
