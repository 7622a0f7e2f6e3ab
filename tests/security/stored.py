# SPDX-License-Identifier: Apache-2.0
"""A sample of random events through the COPY of a real PostgreSQL."""
import os
import subprocess

from harness.report import check_equal
from harness.servers import ROOT, run_checked
from harness.world import World

COPY_SAMPLE = os.path.join(ROOT, "build/release/tests/integration/copy_sample")


def rows_come_back_as_they_went(servers, seed, rows=5000):
    """Facts, texts and amounts of random events are the same after COPY into PostgreSQL and out again."""
    with World(servers, "copy", seed, partitions=1) as world:
        world.sql("SELECT spendlog.ensure_partition('2026-11-24')")
        columns = run_checked([COPY_SAMPLE, "columns"]).strip()
        psql = ["psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-h", servers.socket_folder, "-U", "spendlog",
                "-d", world.database, "-c"]
        made = subprocess.run([COPY_SAMPLE, "encode", str(seed), str(rows)], stdout=subprocess.PIPE,
                              check=True).stdout
        into = subprocess.run([*psql, f"COPY spendlog.stored_rows ({columns}) FROM STDIN (FORMAT binary)"],
                              input=made, capture_output=True)
        check_equal((into.returncode, into.stderr), (0, b""), "COPY FROM")
        out = subprocess.run([*psql, f"COPY (SELECT {columns} FROM spendlog.spend_logs ORDER BY kafka_offset) "
                              "TO STDOUT (FORMAT binary)"], capture_output=True)
        check_equal((out.returncode, out.stderr), (0, b""), "COPY TO")
        same = subprocess.run([COPY_SAMPLE, "check", str(seed), str(rows)], input=out.stdout,
                              capture_output=True)
        check_equal((same.returncode, same.stderr.decode()), (0, ""), "the rows read back")
        return f"{rows} rows, {len(made) // 1024} KB"


ALL = (rows_come_back_as_they_went,)
