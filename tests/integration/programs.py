# SPDX-License-Identifier: Apache-2.0
"""Test programs in C against the same PostgreSQL; each makes a database of its own."""
import os
import subprocess

from harness.report import Failed
from harness.servers import ROOT

FOLDER = os.path.join(ROOT, "build/release/tests/integration")


def run_program(servers, name):
    done = subprocess.run([os.path.join(FOLDER, name)], capture_output=True, text=True,
                          env={**os.environ, "PGHOST": servers.socket_folder, "PGUSER": "spendlog"})
    if done.returncode != 0:
        wrong = [line for line in (done.stdout + done.stderr).splitlines()
                 if any(word in line for word in ("ERROR", "LINE", "FAILED"))]
        raise Failed(f"{name}: " + "\n".join(wrong[-12:] or [f"exit {done.returncode}"]))
    return f"{done.stdout.count('[       OK ]')} tests"


def writer(servers):
    """Batches: duplicates, conflicts, refused rows, fencing, frozen members, new and dropped days."""
    return run_program(servers, "test_store")


def schema(servers):
    """Rights of the roles, views equal to the rows, migrations applied once and unchanged."""
    return run_program(servers, "test_schema")


def reading(servers):
    """What verify finds, reports, rejected events and their retry."""
    return run_program(servers, "test_reading")


def repricer(servers):
    """Repricing in the library: each way of writing, kills, arrivals, locks, closed periods."""
    return run_program(servers, "test_reprice")


def days(servers):
    """What cannot be undone: retention, swapping and closing, with wrong clocks and callers that mean harm."""
    return run_program(servers, "test_days")


def lean(servers):
    """Both forms of a row say the same; the dictionaries have what rows need; days are carried over, killed or not."""
    return run_program(servers, "test_lean")


def sums(servers):
    """Sums are what the rows come to after each step of a random life, merged or not; 10^-18 too many is found."""
    return run_program(servers, "test_sums")


ALL = (writer, schema, reading, repricer, days, lean, sums)
