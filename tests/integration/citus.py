# SPDX-License-Identifier: Apache-2.0
"""Rows on the workers of a Citus cluster: what works, and that nothing is lost or counted twice."""
import json
import os
import subprocess
import time

from harness.citus import Citus, programs
from harness.report import Skipped, check, check_equal, wait_for
from harness.servers import KAFKA_TOOL, SPENDLOG
from integration import runs
from integration.stage import demo_lines


def open_cluster(servers, workers):
    folder, why = programs()
    if not folder:
        raise Skipped(why)
    return Citus(servers, folder, workers)


class Spread:
    """A topic, and a database of a cluster."""

    def __init__(self, cluster, name, messages, pricing=""):
        self.cluster, self.name = cluster, name
        self.config = os.path.join(cluster.folder, f"{name}.yaml")
        cluster.database(name)
        cluster.kafka.topic_create(name, 4)
        words = b"".join(f"M {i % 4} 0 {len(line)}\n".encode() + line + b"\n" for i, line in enumerate(messages))
        done = subprocess.run([KAFKA_TOOL, cluster.brokers, "produce", name], input=words, capture_output=True)
        check_equal(done.returncode, 0, f"producer {done.stderr.decode()[-300:]}")
        self.configure(pricing)

    def configure(self, pricing, user="spendlog", extra=""):
        with open(self.config, "w", encoding="ascii") as out:
            out.write(f"kafka: {{bootstrap.servers: '{self.cluster.brokers}', group.id: {self.name}, session.timeout.ms: 6000}}\n"
                      f"topics: [{{name: {self.name}}}]\nlanes: 2\nmetrics: {{listen: ''}}\nstorage: {{retain_days: 0}}\n{pricing}{extra}"
                      f"postgres: host=127.0.0.1 port={self.cluster.pg_port} user={user} dbname={self.name}\n")

    def command(self, *words, code=0):
        done = subprocess.run([SPENDLOG, *words, "-c", self.config], capture_output=True, text=True, timeout=300)
        check_equal(done.returncode, code, f"{' '.join(words)}: {done.stdout[-600:]}{done.stderr[-600:]}")
        return done.stdout + done.stderr

    def sql(self, text):
        return [line.split("\t") for line in self.cluster.nodes[0].psql(self.name, text).splitlines()]

    def equal(self, what):
        total = "SELECT trim_scale(sum(spend)) FROM spendlog."
        check_equal(self.sql(total + "spend_sums WHERE grain IN ('delta', 'day') AND level = 'all'"), self.sql(total + "spend_entries"), what)
        check_equal(self.sql("SELECT trim_scale(sum(amount)) FROM spendlog.spend_items"), self.sql(total + "spend_logs"), f"items {what}")
        self.command("verify", "-q", "--sums")


def dearer_map(folder):
    """The built-in prices, output twice as dear."""
    with open(os.path.join(os.path.dirname(SPENDLOG), "pricing/data/model_prices_and_context_window.json"), encoding="utf-8") as text:
        prices = json.load(text)
    for row in prices.values():
        if "output_cost_per_token" in row:
            row["output_cost_per_token"] *= 2
    path = os.path.join(folder, "dearer.json")
    with open(path, "w", encoding="utf-8") as out:
        json.dump(prices, out)
    return path


def whole_life(spread):
    cluster = spread.cluster
    spread.command("migrate", "-q")
    spread.command("migrate", "-q")
    check_equal(spread.sql("SELECT c.relname, t.citus_table_type, t.distribution_column FROM citus_tables t "
                           "JOIN pg_class c ON c.oid = t.table_name ORDER BY 1"),
                [["stored_rows", "distributed", "identity"]], "tables that Citus knows")
    spread.sql("CREATE ROLE spread_writer LOGIN IN ROLE spendlog_writer")
    spread.configure("", user="spread_writer")
    spread.command("run", "--exit-eof")
    check("the schema is up to date" in spread.command("check"), "check")
    spread.configure("")
    stored = int(spread.sql("SELECT count(*) FROM spendlog.spend_logs")[0][0])
    check_equal(spread.sql("SELECT sum(rows)::text FROM spendlog.kafka_offsets"), [[str(stored)]], "rows that were counted")
    spread.equal("as they came")

    request, day = spread.sql("SELECT request_id, start_time::date FROM spendlog.spend_logs WHERE request_id <> '' AND spend > 0 "
                              "ORDER BY start_time LIMIT 1")[0]
    check("stored:" in spread.command("explain", request), "explain")
    for action in ((), ("--restore",)):
        spread.command("exclude", request, "--why", "a test", *action)
        spread.equal(f"after exclude {action}")

    spread.configure(f"pricing: {{cost_map: {dearer_map(cluster.folder)}}}\n")
    before = spread.sql("SELECT sum(spend) FROM spendlog.spend_logs")
    spread.command("reprice", "--all", "-q")
    check(before != spread.sql("SELECT sum(spend) FROM spendlog.spend_logs"), "reprice changed nothing")
    check_equal(spread.sql("SELECT DISTINCT method FROM spendlog.reprice_days WHERE changed > 0"), [["update"]], "how rows were changed")
    spread.equal("after a reprice")
    spread.command("verify", "-q")

    spread.command("compact", "-q")
    spread.equal("after merging")
    spread.sql("INSERT INTO spendlog.spend_deltas (day, about, entries, calls, spend, pricing_status) "
               f"VALUES ('{day}', 1, 0, 0, 0.000000000000000001, 'priced')")
    check("differences" in spread.command("verify", "--sums", code=1), "a planted 10^-18 is found")
    spread.sql("DELETE FROM spendlog.spend_deltas WHERE entries = 0 AND spend = 0.000000000000000001")

    check_equal(spread.sql("SELECT calls, runs_below, calls_in_all FROM spendlog.spend_by_session WHERE session_id = 'main'"), [["4", "2", "7"]],
                "a run")
    check_equal(spread.sql("SELECT count(*), max(depth) FROM spendlog.calls_of_run('main')"), [["7", "2"]], "its calls")
    names_are_found(spread, request)
    check("stay as they are" in spread.command("migrate", "--carry", code=78), "carrying days")
    for words in (("report",), ("report", "--by", "team"), ("report", "--by", "day"), ("report", "--by", "meter"), ("report", "--by", "tag"),
                  ("report", "--format", "focus", "--month", "2026-11"), ("periods", "list"), ("rejected", "list"),
                  ("budget", "status"), ("retention", "set", "400"), ("migrate", "--status")):
        spread.command(*words)
    for view in ("spendlog.unpriced_models", "spendlog.doubtful_rows", "spendlog.price_drift", "spendlog.coverage", "spendlog.suspense",
                 "spendlog.focus_1_2", "spendlog.focus_1_5", "spendlog.spend_daily", "spendlog.spend_by_tag", "spendlog.calls_of_session('x')",
                 "spendlog.spend_daily_in('Europe/Berlin')", "spendlog.calls_named('x')", "spendlog.spend_hourly", "spendlog.spend_by_meter", "spendlog.cache_savings",
                 "spendlog.spend_by_end_user", "spendlog.budget_status", "spendlog.spend_of('model', '2026-01-01', '2027-01-01')", "tenant.calls()",
                 'litellm."LiteLLM_DailyTeamSpend"', 'litellm."LiteLLM_SpendLogs"', "tenant.spend_logs"):
        spread.sql(f"SELECT count(*) FROM {view}")
    gone = int(spread.sql(f"SELECT spendlog.drop_partition('{day}')")[0][0])
    check(gone > 0, "rows that went with a day")
    check_equal(spread.sql("SELECT count(*) FROM spendlog.spend_logs"), [[str(stored - gone)]], "rows that stay")
    spread.command("verify", "-q")
    spread.command("verify", "-q", "--sums")


def names_are_found(spread, request):
    """One call and one session are found by the index alone: names of days have a trigger on rows, which Citus does not take."""
    check_equal(spread.sql("SELECT spendlog.names_step() IS NULL, (SELECT count(*) FROM spendlog.named_days)"), [["t", "0"]], "names of days")
    check_equal(spread.sql(f"SELECT count(*), count(DISTINCT request_id), min(request_id) FROM spendlog.call('{request}')"),
                spread.sql(f"SELECT count(*), 1, '{request}' FROM spendlog.spend_logs WHERE request_id = '{request}' OR call_id = '{request}'"), "a call")
    check_equal(spread.sql("SELECT count(*), sum(spend) FROM spendlog.session('main')"),
                spread.sql("SELECT count(*), sum(spend) FROM spendlog.spend_logs WHERE session_id = 'main'"), "a session")
    check_equal(spread.sql("SELECT count(*) FROM spendlog.rows_that('s.session_id = $1', 'main')"),
                spread.sql("SELECT count(*) FROM spendlog.spend_logs WHERE session_id = 'main'"), "rows that are of a session")
    for question in ("call('nobody')", "session('nobody')"):
        check_equal(spread.sql(f"SELECT count(*) FROM spendlog.{question}"), [["0"]], question)
    for by, named in (("model", "teams"), ("team", "models"), ("key", "models"), ("tag", "keys")):
        spread.sql(f"SELECT count(*) FROM spendlog.spend_of('{by}', '2026-01-01', '2027-01-01', {named} => '{{x}}')")
    # as of a day whose sums do not tell end users apart: rows are read
    day, user = spread.sql("SELECT start_time::date, end_user FROM spendlog.spend_logs WHERE end_user <> '' ORDER BY start_time LIMIT 1")[0]
    check_equal(spread.sql(f"INSERT INTO spendlog.coarse_days VALUES ('end_user', '{day}', 2); SELECT sum(calls), sum(spend) FROM "
                           f"spendlog.spend_of('model', '{day}', date '{day}' + 1, end_users => ARRAY['{user}']); DELETE FROM spendlog.coarse_days"),
                spread.sql(f"SELECT count(*), sum(spend) FROM spendlog.counted_logs WHERE start_time >= '{day}' AND start_time < date '{day}' + 1 AND end_user = '{user}'"),
                "an end user")


def rows_lie_on_workers(servers):
    """Citus, a coordinator alone and one with two workers: schema, ingest, report, verify, explain, exclude, reprice, retention; sums equal."""
    for workers in (0, 2):
        with open_cluster(servers, workers) as cluster:
            whole_life(Spread(cluster, f"spread{workers}", [*demo_lines(), *runs.MESSAGES]))


def many_events(copies):
    """The bundled events, so many times over with other ids."""
    for copy in range(copies):
        for line in demo_lines():
            event = json.loads(line)
            if isinstance(event, dict):
                for name in ("id", "litellm_call_id", "trace_id"):
                    if isinstance(event.get(name), str):
                        event[name] += f"-{copy}"
                yield json.dumps(event).encode()


def worker_is_killed_under_load(servers):
    """kill -9 of Citus's workers, three times while rows come: `run` waits for them and goes on, each row is there exactly once."""
    messages = list(many_events(20))
    with open_cluster(servers, 2) as cluster:
        spread = Spread(cluster, "spreadkill", messages)
        spread.command("migrate", "-q")
        spread.configure("", extra="batch: {rows: 100}\ndrift: {events: 0}\n")  # the same calls, many times over
        log = os.path.join(cluster.folder, "spreadkill.log")
        with open(log, "w", encoding="utf-8") as out:
            with subprocess.Popen([SPENDLOG, "run", "--exit-eof", "-c", spread.config], stdout=out, stderr=out) as member:
                try:
                    for turn in range(3):
                        least = 1 + turn * len(messages) // 6
                        wait_for("rows", lambda: int(spread.sql("SELECT coalesce(sum(rows), 0) FROM spendlog.kafka_offsets")[0][0]) >= least
                                 or member.poll() is not None, 120, 0.05)
                        check_equal(member.poll(), None, "run has ended")
                        worker = cluster.workers[turn % 2]
                        worker.kill()
                        time.sleep(0.5)
                        wait_for("the worker is back", lambda: started(worker), 60, 0.5)
                    check_equal(member.wait(300), 0, "exit code of run")
                finally:
                    member.kill()
        check_equal(spread.sql("SELECT sum(rows), sum(duplicates), sum(rejected) FROM spendlog.kafka_offsets"), [[str(len(messages)), "0", "0"]],
                    "rows counted")
        check_equal(spread.sql("SELECT count(*), count(DISTINCT identity) FROM spendlog.spend_logs"), [[str(len(messages))] * 2], "rows stored")
        wait_for("no transaction is left prepared",
                 lambda: all(node.psql("spreadkill", "SELECT count(*) FROM pg_prepared_xacts") == "0\n" for node in cluster.nodes), 120, 1)
        spread.command("verify", "-q")
        spread.equal("after the kills")


def started(worker):
    try:
        worker.start()
    except Exception:  # what is left of the old one is on its way out
        return False
    return True


ALL = (rows_lie_on_workers, worker_is_killed_under_load)
