#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
README's "Run it", every command of it, word for word, on a bare Debian 12.

    tests/bare/run.py [--folder FOLDER] [--keep]

The machine is a folder made by mmdebstrap with nothing in it but Debian's essential packages. Its servers are on
localhost of a network of their own, so that ports are the README's. What cannot be tried here is said and skipped.
"""
import argparse
import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.dont_write_bytecode = True

from harness.report import Failed, check, check_equal, wait_for  # noqa: E402
from harness.servers import KAFKA_TOOL, ROOT, Servers, run_checked  # noqa: E402

MIRROR = "deb http://deb.debian.org/debian bookworm main"
TOOLS = ("mmdebstrap", "unshare", "chroot", "java")
NAMESPACES = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")


def commands_of_readme():
    """The blocks below "Run it", as lists of commands, to the next text that is about something else."""
    with open(os.path.join(ROOT, "README.md")) as text:
        section = text.read().split("\n## Run it\n")[1].split("\n`run` needs less")[0]
    blocks = [block.strip().splitlines() for block in section.split("```")[1::2]]
    check_equal(len(blocks), 3, "blocks of commands")
    return blocks


def missing():
    """Why it cannot be tried here, or None."""
    if os.geteuid() != 0:
        return "only root can make a bare machine"
    for tool in TOOLS:
        if not shutil.which(tool):
            return f"there is no {tool}"
    return None


class Machine:
    def __init__(self, folder):
        self.folder = folder

    def run(self, command, stdin="", code=0):
        """A command line as root types it, in the checkout."""
        print(f"# {command}", flush=True)
        done = subprocess.run(["chroot", self.folder, "/bin/bash", "-c", f"cd /src && {command}"], input=stdin,
                              capture_output=True, text=True,
                              env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                   "HOME": "/root", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"})
        check_equal(done.returncode, code, f"exit code of {command}: {(done.stdout + done.stderr)[-1500:]}")
        return done.stdout + done.stderr

    def mount(self):
        for kind, place in (("proc", "proc"), ("sysfs", "sys")):
            os.makedirs(os.path.join(self.folder, place), exist_ok=True)
            run_checked(["mount", "-t", kind, kind, os.path.join(self.folder, place)])


def checkout_keep(folder):
    """The checkout as it is now, at once: somebody may be working in it."""
    names = run_checked(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT).splitlines()
    run_checked(["tar", "-cf", os.path.join(folder, "src.tar"),
                 *filter(lambda name: os.path.exists(os.path.join(ROOT, name)), names)], cwd=ROOT)


def machine_make(folder):
    place = os.path.join(folder, "machine")
    run_checked(["mmdebstrap", "--quiet", "--variant=minbase", "bookworm", place, MIRROR])
    os.makedirs(os.path.join(place, "src"))
    run_checked(["tar", "-xf", os.path.join(folder, "src.tar"), "-C", os.path.join(place, "src")])


def build(machine):
    """What needs a network: packages, the first block, and the PostgreSQL that is "yours"."""
    machine.mount()
    for command in commands_of_readme()[0]:
        machine.run(command)
    machine.run("test -d /etc/spendlog && apt-get -q -y --no-install-recommends install postgresql")


def loopback_up():
    with socket.socket() as one:
        fcntl.ioctl(one, 0x8914, struct.pack("16sh14x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP


def topic_create(command, servers):
    """Kafka's own tool is not Debian's: its command is read, and done by ours."""
    words = command.split()
    check(words[0] == "kafka-topics.sh" and "--create" in words, f"not the command of a topic: {command}")
    run_checked([KAFKA_TOOL, words[words.index("--bootstrap-server") + 1], "create",
                 words[words.index("--topic") + 1], words[words.index("--partitions") + 1]])
    return servers


def serve(machine, servers):
    """The other two blocks; the last command is the service, which gets an event."""
    administrator, service = commands_of_readme()[1:]
    machine.run("pg_ctlcluster 15 main start")
    topic_create(administrator[0], servers)
    for command in administrator[1:]:
        machine.run(command)
    with open(os.path.join(ROOT, "tests/cases/demo/litellm-events.jsonl"), "rb") as events:
        event = events.readline().rstrip(b"\n")
    subprocess.run([KAFKA_TOOL, servers.brokers, "produce", "llm.usage"], check=True, stdout=subprocess.DEVNULL,
                   input=b"M 0 0 %d\n%s\n" % (len(event), event))
    said = {command.split("#")[0].strip(): machine.run(command) for command in service[:-1]}
    walked = said["spendlog check"]
    for words in ("topic llm.usage: 12 partitions", "sample llm.usage/0/0: read by", "configuration OK"):
        check(words in walked, f"check does not say \"{words}\": {walked}")
    check(service[-1].startswith("spendlog run "), f"the last command is {service[-1]}")
    run = subprocess.Popen(["chroot", machine.folder, "spendlog", "run"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                           cwd="/", text=True)
    ask = "runuser -u postgres -- psql -XAtqc 'SELECT count(*) FROM spendlog.kafka_offsets WHERE next_offset = 1' spend"
    wait_for("the event is read", lambda: machine.run(ask).strip() == "1" or run.poll() is not None, 60, 1)
    run.terminate()
    check_equal(run.wait(30), 0, f"exit code of run: {run.stderr.read()[-800:]}")
    machine.run("spendlog verify")
    machine.run("pg_ctlcluster -m fast 15 main stop")


def inside(folder):
    """In a network of its own: Kafka where the README has it, PostgreSQL where Debian puts it."""
    loopback_up()
    machine = Machine(os.path.join(folder, "machine"))
    machine.mount()
    servers = Servers(os.path.join(folder, "servers"))
    os.makedirs(os.path.join(servers.folder, "kafka"))
    with open(os.path.join(servers.folder, "kafka/port"), "w") as port:
        port.write("9092 19093\n")
    servers.local("kafka-up")
    serve(machine, servers)
    servers.local("kafka-down")


def outside(folder):
    checkout_keep(folder)
    warm = Servers(os.path.join(folder, "warm"))  # the jars, while there is a network
    warm.local("kafka-up")
    warm.clean()
    machine_make(folder)
    for namespaces, part in ((NAMESPACES, "build"), ((*NAMESPACES, "--net"), "inside")):
        done = subprocess.run([*namespaces, sys.executable, os.path.abspath(__file__), "--part", part, "--folder", folder])
        check_equal(done.returncode, 0, f"exit code of {part}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--folder")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--part", choices=("build", "inside"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    reason = missing()
    if reason:
        print(f"SKIP the README on a bare machine: {reason}")
        return 0
    folder = options.folder or tempfile.mkdtemp(prefix="spendlog.bare.", dir="/tmp")
    try:
        if options.part == "build":
            build(Machine(os.path.join(folder, "machine")))
        elif options.part == "inside":
            inside(folder)
        else:
            outside(folder)
    except Failed as failed:
        print(f"FAIL {failed}\nleft in {folder}", file=sys.stderr)
        return 1
    if not options.part:
        print("PASS the README's commands on a bare machine")
        if not options.keep:
            shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
