# SPDX-License-Identifier: Apache-2.0
"""Other programs on the same topic in the same run, where they can be had; else a line that says why not."""
import os
import subprocess

CONSUMER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "python_litellm.py")
EVENTS = 20000  # it is slow
ENVIRONMENT = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}  # asks nobody for a newer one


def python_litellm(bench, results):
    """A straightforward consumer with LiteLLM's own pricing: confluent-kafka, litellm, psycopg."""
    python = os.environ.get("PEER_PYTHON", "python3")
    try:
        subprocess.run([python, "-c", "import confluent_kafka, litellm, psycopg"], check=True, capture_output=True,
                       env=ENVIRONMENT)
    except (OSError, subprocess.CalledProcessError):
        return "Python with litellm: skipped, no confluent_kafka, litellm and psycopg for " + python + " (PEER_PYTHON)."
    bench.empty()
    bench.sql("DROP TABLE IF EXISTS public.peer")
    done = subprocess.run([python, CONSUMER, bench.servers.brokers, "small", bench.conninfo, str(EVENTS)],
                          capture_output=True, text=True, env=ENVIRONMENT)
    if done.returncode != 0:
        return f"Python with litellm: failed: {done.stderr.strip()[-200:]}"
    rate = float(done.stdout.split()[0])
    return (f"Python with litellm, one process, {EVENTS:,} events: {rate:,.0f} events/s, "
            f"{results['run', 'small', 2]['rate'] / rate:.0f} times slower than 2 lanes.")


def run(bench, results):
    """Lines of the report."""
    return [python_litellm(bench, results)]
