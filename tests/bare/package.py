#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
The Debian package on a bare Debian 12: installed, upgraded, removed, purged.

    tests/bare/package.py [PACKAGE.deb]        without one, `make deb` makes it
"""
import glob
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.dont_write_bytecode = True

from bare.run import MIRROR, NAMESPACES, Machine, missing  # noqa: E402
from harness.report import Failed, check, check_equal  # noqa: E402
from harness.servers import ROOT, run_checked  # noqa: E402

INSTALLED = ("/usr/bin/spendlog", "/lib/systemd/system/spendlog.service", "/lib/systemd/system/spendlog@.service",
             "/etc/spendlog/spendlog.yaml", "/usr/share/man/man1/spendlog.1.gz", "/usr/share/man/man5/spendlog.conf.5.gz",
             "/usr/share/bash-completion/completions/spendlog", "/usr/share/zsh/vendor-completions/_spendlog",
             "/usr/share/fish/vendor_completions.d/spendlog.fish", "/usr/share/spendlog/grafana/spend.json",
             "/usr/share/spendlog/grafana/operation.json",
             "/usr/share/spendlog/prometheus/alerts.yaml", "/usr/share/spendlog/litellm_callback.py", "/var/lib/spendlog")


def there(machine, path):
    return os.path.lexists(machine.folder + path)


def life(machine):
    machine.mount()
    machine.run("apt-get -q update && apt-get -q -y --no-install-recommends install ./package.deb")
    lacking = [path for path in INSTALLED if path.startswith("/usr/share/man") is False and not there(machine, path)]
    check(not lacking, f"not installed: {lacking}")
    check("User=spendlog" in machine.run("cat /lib/systemd/system/spendlog.service; id spendlog"), "the unit's user")
    machine.run("spendlog --version && spendlog price --reasons")
    machine.run("echo 'host=x dbname=y' >/etc/spendlog/postgres.conninfo && spendlog check --offline")
    machine.run("echo '# mine' >>/etc/spendlog/spendlog.yaml && dpkg-deb -R package.deb next && sed -i 's/^Version: .*/&.1/' next/DEBIAN/control"
                " && dpkg-deb -b next next.deb && apt-get -q -y install ./next.deb")
    check("# mine" in machine.run("cat /etc/spendlog/spendlog.yaml"), "an upgrade replaced the configuration")
    machine.run("apt-get -q -y remove spendlog")
    check(not there(machine, "/usr/bin/spendlog") and there(machine, "/etc/spendlog/spendlog.yaml"), "remove")
    machine.run("apt-get -q -y purge spendlog")
    left = [path for path in ("/etc/spendlog", "/var/lib/spendlog") if there(machine, path)]
    check(not left and "no such user" in machine.run("id spendlog", code=1), f"left by purge: {left}")


def package():
    """The one that `make deb` makes of the checkout."""
    run_checked(["make", "-s", "deb"], cwd=ROOT)
    made = [path for path in glob.glob(os.path.join(ROOT, "build/deb/spendlog_*.deb"))]
    check_equal(len(made), 1, f"packages: {made}")
    return made[0]


def lintian(made):
    """Debian's own checks; a warning is a failure."""
    if not shutil.which("lintian"):
        return "without lintian"
    done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error,warning", made], capture_output=True, text=True)
    check_equal(done.returncode, 0, f"lintian: {done.stdout}{done.stderr}")
    return "lintian finds nothing"


def outside(folder):
    made = sys.argv[1] if len(sys.argv) > 1 else package()
    told = lintian(made)
    run_checked(["mmdebstrap", "--quiet", "--variant=minbase", "bookworm", folder, MIRROR])
    os.makedirs(os.path.join(folder, "src"))
    shutil.copy(made, os.path.join(folder, "src/package.deb"))
    done = subprocess.run([*NAMESPACES, sys.executable, os.path.abspath(__file__), "--inside", folder])
    check_equal(done.returncode, 0, "exit code of its life")
    return told


def main():
    reason = missing() or (None if shutil.which("dh") else "there is no debhelper")
    if reason:
        print(f"SKIP the package on a bare machine: {reason}")
        return 0
    inside = sys.argv[1:2] == ["--inside"]
    folder = sys.argv[2] if inside else tempfile.mkdtemp(prefix="spendlog.package.", dir="/tmp")
    try:
        if inside:
            life(Machine(folder))
            return 0
        print(f"PASS the package is installed, upgraded, removed and purged ({outside(folder)})")
    except Failed as failed:
        print(f"FAIL {failed}", file=sys.stderr)
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
