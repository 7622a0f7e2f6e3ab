# SPDX-License-Identifier: Apache-2.0
"""Two PostgreSQL servers that Patroni looks after, with an etcd of their own, on the suite's socket folder."""
import glob
import json
import os
import pwd
import shutil
import signal
import subprocess
from urllib.error import URLError
from urllib.request import urlopen

from harness.report import Failed, Skipped, wait_for
from harness.servers import free_port

NODE = """scope: spendlog
name: node-{port}
restapi: {{listen: "127.0.0.1:{rest}", connect_address: "127.0.0.1:{rest}"}}
etcd3: {{hosts: "127.0.0.1:{etcd}"}}
bootstrap:
  dcs: {{ttl: 20, loop_wait: 1, retry_timeout: 3, maximum_lag_on_failover: 104857600}}
  initdb: [{{encoding: UTF8}}, {{locale: C.UTF-8}}, {{auth: trust}}]
  pg_hba: ["local all all trust", "host all all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust"]
postgresql:
  listen: 127.0.0.1:{port}
  connect_address: 127.0.0.1:{port}
  data_dir: {folder}/data-{port}
  bin_dir: {bin}
  pgpass: {folder}/pgpass-{port}
  authentication: {{superuser: {{username: spendlog, password: x}}, replication: {{username: standby, password: x}}}}
  parameters: {{unix_socket_directories: "{sockets}", fsync: "off", timezone: UTC, max_connections: 60}}
"""


class Patroni:
    """While it is open, servers.pg_port is the leader's."""

    def __init__(self, servers):
        for tool in ("patroni", "etcd"):
            if not shutil.which(tool):
                raise Skipped(f"{tool} is not installed")
        self.servers, self.processes = servers, {}
        self.folder = os.path.join(servers.socket_folder, "patroni")
        self.user = pwd.getpwuid(os.stat(servers.socket_folder).st_uid).pw_name
        self.etcd, peer = free_port(), free_port()
        self.node = {free_port(): free_port() for _ in range(2)}  # PostgreSQL's port, Patroni's
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        shutil.chown(self.folder, self.user)
        self.start("etcd", "etcd", "--data-dir", f"{self.folder}/etcd", "--listen-client-urls", f"http://127.0.0.1:{self.etcd}",
                   "--advertise-client-urls", f"http://127.0.0.1:{self.etcd}", "--listen-peer-urls", f"http://127.0.0.1:{peer}",
                   "--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}", "--initial-cluster", f"default=http://127.0.0.1:{peer}")

    def start(self, name, *argv):
        as_user = [] if os.geteuid() != 0 else ["setpriv", f"--reuid={self.user}", "--regid=postgres", "--clear-groups"]
        with open(os.path.join(self.folder, f"{name}.log"), "a", encoding="utf-8") as log:
            self.processes[name] = subprocess.Popen([*as_user, *argv], cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                                    start_new_session=True)

    def node_start(self, port):
        path = os.path.join(self.folder, f"{port}.yaml")
        with open(path, "w", encoding="ascii") as out:
            out.write(NODE.format(port=port, rest=self.node[port], etcd=self.etcd, folder=self.folder,
                                  bin=sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1], sockets=self.servers.socket_folder))
        self.start(f"patroni-{port}", "patroni", path)

    def asked(self, port):
        """What a node says of itself; None while it does not answer."""
        try:
            with urlopen(f"http://127.0.0.1:{self.node[port]}/patroni", timeout=3) as answer:
                return json.load(answer)
        except URLError as error:
            return json.load(error) if hasattr(error, "read") else None
        except OSError:
            return None

    def leader(self):
        for port in self.node:
            said = self.asked(port)
            if said and said.get("role") == "master" and said.get("state") == "running":
                return port
        return None

    def up(self):
        """A leader, and a standby that streams from it."""
        for port in self.node:
            self.node_start(port)
        wait_for("a leader", lambda: self.leader() is not None, 90, 0.2)
        self.servers.pg_port = self.leader()
        wait_for("a standby that streams", lambda: self.servers.psql_try(
            "postgres", "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") == [["1"]], 90, 0.2)

    def kill_leader(self):
        """Patroni and its PostgreSQL, at once, as a machine that is gone."""
        port = self.servers.pg_port
        with open(os.path.join(self.folder, f"data-{port}", "postmaster.pid"), encoding="ascii") as pid:
            postmaster = int(pid.readline())
        self.processes[f"patroni-{port}"].kill()
        os.kill(postmaster, signal.SIGQUIT)  # its children with it
        self.processes[f"patroni-{port}"].wait()
        wait_for("another leader", lambda: self.leader() not in (None, port), 90, 0.2)
        self.servers.pg_port = self.leader()

    def close(self):
        self.servers.pg_port = 5432
        for name, process in reversed(self.processes.items()):  # etcd last
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        try:
            self.up()
        except Failed:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()
