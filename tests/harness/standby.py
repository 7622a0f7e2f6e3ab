# SPDX-License-Identifier: Apache-2.0
"""A streaming standby of the suite's PostgreSQL, which can be left behind and promoted."""
import glob
import os
import pwd
import subprocess

from harness.report import Failed, wait_for

PRIMARY_PORT, STANDBY_PORT = 5432, 5433


class Standby:
    """Made from the primary as it is now. While it is open, servers.pg_port says which one is asked."""

    def __init__(self, servers):
        self.servers = servers
        self.folder = os.path.join(servers.socket_folder, "standby")
        self.bin = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
        self.run("rm", "-rf", self.folder)
        self.run(f"{self.bin}/pg_basebackup", "-h", servers.socket_folder, "-p", str(PRIMARY_PORT), "-U", "spendlog",
                 "-D", self.folder, "-X", "stream", "-R", "-c", "fast")
        self.pg_ctl("start", "-o", f"-p {STANDBY_PORT}", "-l", os.path.join(servers.socket_folder, "standby.log"))

    def run(self, *argv):
        """As the user PostgreSQL runs as."""
        user = pwd.getpwuid(os.stat(self.servers.socket_folder).st_uid).pw_name
        as_user = [] if os.geteuid() != 0 else ["runuser", "-u", user, "--"]
        done = subprocess.run([*as_user, *argv], cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise Failed(f"{' '.join(argv[:2])}: exit {done.returncode}: {done.stderr.strip()[-400:]}")

    def pg_ctl(self, *words):
        self.run(f"{self.bin}/pg_ctl", "-s", "-w", "-t", "60", "-D", self.folder, *words)

    def sql(self, text):
        return self.servers.psql("postgres", text, port=STANDBY_PORT)

    def caught_up(self):
        """Has everything that the primary has now."""
        goal = self.servers.psql("postgres", "SELECT pg_current_wal_lsn()", port=PRIMARY_PORT)[0][0]
        wait_for("the standby has everything", lambda: self.sql(
            f"SELECT pg_last_wal_replay_lsn() >= '{goal}'::pg_lsn") == [["t"]], 60, 0.05)

    def leave_behind(self):
        """From now on it hears nothing of the primary."""
        self.sql("ALTER SYSTEM SET primary_conninfo = ''")
        self.sql("SELECT pg_reload_conf()")
        wait_for("the standby cut off", lambda: self.sql("SELECT count(*) FROM pg_stat_wal_receiver") == [["0"]], 20,
                 0.02)

    def promote(self):
        self.pg_ctl("promote")
        self.servers.pg_port = STANDBY_PORT

    def close(self):
        """The old primary is the one again."""
        self.servers.pg_port = PRIMARY_PORT
        try:
            self.pg_ctl("stop", "-m", "immediate")
        except Failed:
            pass  # it never came up
        self.run("rm", "-rf", self.folder)
        self.servers.local("postgres-up")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
