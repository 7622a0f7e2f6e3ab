# SPDX-License-Identifier: Apache-2.0
"""Signals at moments when nobody waits for one."""
import os
import signal
import threading
import time

from harness.report import check, check_equal
from harness.servers import free_port
from harness.world import World

HELD = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


def unheld(pid):
    """Threads that one of our signals would end, with the signals; not the main one, which waits for them."""
    found = []
    for thread in filter(lambda name: name != str(pid), os.listdir(f"/proc/{pid}/task")):
        with open(f"/proc/{pid}/task/{thread}/status") as status:
            lines = dict(line.split(":\t", 1) for line in status if ":\t" in line)
        held = int(lines["SigBlk"], 16)
        found += [(lines["Name"].strip(), number.name) for number in HELD if not held >> (number - 1) & 1]
    return found


class Gate:
    """In place of a file a pipe: its reader waits until let_go(), a second one for ever."""

    def __init__(self, path):
        self.path = path
        with open(path, "rb") as file:
            self.content = file.read()
        os.unlink(path)
        os.mkfifo(path)
        self.reader = threading.Event()
        self.may_go = threading.Event()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with open(self.path, "wb") as pipe:
            self.reader.set()
            self.may_go.wait()
            pipe.write(self.content)

    def let_go(self):
        self.may_go.set()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        os.unlink(self.path)
        with open(self.path, "wb") as file:
            file.write(self.content)


def second_signal(servers, seed):
    """Further SIGHUPs, and SIGTERM, while prices load: they are loaded, then the service ends, exit 0."""
    with World(servers, "second-signal", seed, partitions=2) as world:
        world.produce(100)
        member = world.start(metrics=f"127.0.0.1:{free_port()}")
        world.drain(30)
        check_equal(unheld(member.pid), [], "threads that a signal would end")
        with Gate(os.path.join(world.folder, "cost_map.json")) as gate:
            for number in (signal.SIGHUP, signal.SIGHUP, signal.SIGHUP, signal.SIGTERM):
                member.signal(number)
                world.faults += 1
                check(gate.reader.wait(20), f"no reload{member.tail()}")
            time.sleep(0.2)  # an end by a signal would be there at once
            check(member.alive(), f"a signal ended it: {member.process.returncode}{member.tail()}")
            gate.let_go()
            check_equal(member.wait(20), 0, f"exit code{member.tail()}")
        check("prices loaded again" in member.text(), f"prices were not loaded{member.tail()}")
        return world.settle()


ALL = (second_signal,)
