# SPDX-License-Identifier: Apache-2.0
"""What /proc tells of a process."""
import os

TICKS = os.sysconf("SC_CLK_TCK")


def stat_ticks(pid):
    """(own, of children that are gone) CPU ticks of a process, and its parent."""
    with open(f"/proc/{pid}/stat") as text:
        fields = text.read().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])), sum(map(int, fields[13:15])), int(fields[1])


def tree_cpu_s(root):
    """CPU seconds of a process, its living children and those it has waited for."""
    while True:
        before, total = stat_ticks(root), 0
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                own, gone, parent = stat_ticks(pid)
            except OSError:
                continue
            total += own + gone if parent == root else 0
        own, gone, _ = stat_ticks(root)
        if gone == before[1]:  # else a child ended while the others were looked at: it may be in neither
            return (own + gone + total) / TICKS


def largest_rss_mb(pid):
    with open(f"/proc/{pid}/status") as status:
        return next((int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM:")), 0.0)
