# SPDX-License-Identifier: Apache-2.0
"""What a statement read, by its plans: those of the functions it calls as well (auto_explain)."""
import json
import re
import subprocess

from harness.report import Failed

ROWS = re.compile(r"^(?:spend_logs_(\d{8})|stored_rows\w*)$")  # of one day, and of none
SETTINGS = ("LOAD 'auto_explain'", "SET auto_explain.log_min_duration = 0", "SET auto_explain.log_nested_statements = on",
            "SET auto_explain.log_analyze = on", "SET auto_explain.log_buffers = on", "SET auto_explain.log_timing = off",
            "SET auto_explain.log_format = json", "SET client_min_messages = log", "SET timezone = 'UTC'")


def plans_of(servers, database, sql, settings=()):
    """The plan of every statement that ran, as PostgreSQL tells it; asked as a superuser."""
    words = [word for one in (*SETTINGS, *settings, sql) for word in ("-c", one)]
    done = subprocess.run(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", servers.socket_folder, "-p", str(servers.pg_port),
                           "-U", "spendlog", database, *words], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"{done.stderr.strip()[-600:]}\nof {sql}")
    decoder = json.JSONDecoder()
    return [decoder.raw_decode(done.stderr, found.end())[0]["Plan"]
            for found in re.finditer(r"^LOG:  duration: .*plan:\n", done.stderr, re.M)]


def nodes_of(plan):
    """The plan's nodes that ran."""
    if plan.get("Actual Loops", 1) > 0:
        yield plan
        for child in plan.get("Plans", ()):
            yield from nodes_of(child)


def scans_of(plans):
    """Nodes that ran and read a table."""
    return [node for plan in plans for node in nodes_of(plan) if "Relation Name" in node]


def rows_read(node):
    return (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
            + node.get("Rows Removed by Index Recheck", 0)) * node["Actual Loops"]


def rows_scanned(plans, today):
    """Scans of rows of days before `today` (YYYYMMDD), in words; none is what a question should have."""
    found = []
    for node in scans_of(plans):
        day = ROWS.match(node["Relation Name"])
        if day and (day.group(1) is None or day.group(1) < today):
            found.append(f"{node['Node Type']} of {node['Relation Name']}, {rows_read(node)} rows")
    return found


def buffers_of(plan):
    return plan.get("Shared Hit Blocks", 0) + plan.get("Shared Read Blocks", 0)
