# SPDX-License-Identifier: Apache-2.0
"""What an operator sees of a running service: metrics, alerts, status, reload, systemd."""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from decimal import Decimal
from urllib.parse import quote
from urllib.request import urlopen

from harness.report import Skipped, check, check_equal, wait_for
from harness.servers import ROOT, SPENDLOG, free_port
from integration.operations import cost_map_of, reload_event, wait_until_ready
from integration.stage import Stage, demo_event, message_of


def page_of(port):
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        return answer.read().decode()


def value_of(page, name):
    found = re.search(rf"^{re.escape(name)} (\S+)$", page, re.M)
    return float(found.group(1)) if found else None


def metrics_say_how_it_goes(servers):
    """Lag, ages, histograms, reasons, spend, PostgreSQL's and Kafka's figures; promtool finds nothing wrong."""
    port = free_port()
    with Stage(servers, "metrics", partitions=2) as stage:
        member = stage.start(metrics=f"127.0.0.1:{port}", extra="lanes: 1\n")
        wait_until_ready(member, port)
        stage.produce([message_of(demo_event(litellm_call_id=f"m-{i}")) for i in range(6)] + [b"{not json"] * 3 + [b"[]"] * 2)
        wait_for("all is read", lambda: sum(stage.books()) == 11, 60)
        wait_for("no lag", lambda: value_of(page_of(port), 'spendlog_topic_lag{topic="metrics.usage"}') == 0, 60)
        page = page_of(port)
        for name, wanted in (('spendlog_rejected_by_reason_total{reason="bad_json"}', 3), ("spendlog_batch_rows_sum", 6),
                             ('spendlog_skipped_by_reason_total{reason="empty"}', 2), ("spendlog_partitions", 2)):
            check_equal(value_of(page, name), wanted, name)
        check_equal(value_of(page, "spendlog_batch_rows_count"), value_of(page, "spendlog_batches_total"), "batches of the histogram")
        spend = float(stage.value("SELECT sum(spend) FROM spendlog.spend_logs"))
        check(abs(value_of(page, 'spendlog_spend_dollars_total{status="priced"}') - spend) < 1e-9, f"spend {spend}: {page}")
        for name, most in (("spendlog_commit_age_seconds", 60), ("spendlog_price_book_age_seconds", 600)):
            check(0 <= value_of(page, name) < most, f"{name}: {value_of(page, name)}")
        check("spendlog_build_info{version=" in page and value_of(page, "spendlog_postgres_connects_total") >= 1, "build, connections")
        wait_for("figures of librdkafka", lambda: value_of(page_of(port), "spendlog_kafka_received_messages_total") >= 11, 30)
        check(value_of(page, "spendlog_sums_unmerged") is not None and 0 <= value_of(page, "spendlog_sums_merge_age_seconds") < 600, "sums")
        check_equal(value_of(page, 'spendlog_cache_entries{cache="recent_keys"}'), 6, "keys remembered")
        check(value_of(page, "process_resident_memory_bytes") > 1 << 20, "memory")
        counted = ("SELECT deltas, (SELECT count(*) FROM spendlog.spend_deltas), merged_age_us < 3600000000 FROM spendlog.sums_state()")
        check_equal(stage.sql(counted)[0][0], stage.sql(counted)[0][1], "deltas that are not merged")
        stage.sql("UPDATE spendlog.sums_merged SET merged_at = now() - interval '1 day'")
        check_equal(stage.sql(counted)[0][2], "f", "merged yesterday")
        stage.command("compact", "-q")
        check_equal(stage.sql(counted), [["0", "0", "t"]], "after a merge")
        if shutil.which("promtool"):
            done = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, text=True)
            check_equal((done.returncode, done.stderr), (0, ""), "promtool check metrics")
        before = value_of(page, 'spendlog_postgres_errors_total{class="57"}')
        servers.psql("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'spendlog lane%' "
                                 f"AND datname = '{stage.database}'")
        wait_for("an error of class 57, or a lost connection", lambda: value_of(
            page_of(port), 'spendlog_postgres_errors_total{class="57"}') > before or value_of(
            page_of(port), 'spendlog_postgres_errors_total{class="none"}') > 0, 60)
        check_equal(member.end(), 0, f"exit code{member.tail()}")
    return None if shutil.which("promtool") else "without promtool"


def prometheus_scrapes_and_alerts(servers):
    """Debian's Prometheus scrapes a running service; each alert fires on what it is for and not on what is well."""
    if not shutil.which("promtool") or not shutil.which("prometheus"):
        raise Skipped("prometheus is not installed")
    with tempfile.TemporaryDirectory() as folder:
        for path in ("examples/prometheus/alerts.yaml", "examples/prometheus/prometheus.yaml"):
            shutil.copy(os.path.join(ROOT, path), folder)
        for words in (("check", "rules", "examples/prometheus/alerts.yaml"), ("test", "rules", "tests/cases/prometheus/alerts_test.yaml"),
                      ("check", "config", "examples/prometheus/prometheus.yaml")):
            done = subprocess.run(["promtool", *words], cwd=ROOT, capture_output=True, text=True)
            check_equal(done.returncode, 0, f"promtool {' '.join(words)}: {done.stdout}{done.stderr}")
        with Stage(servers, "scraped", partitions=1) as stage:
            port, own = free_port(), free_port()
            member = stage.start(metrics=f"127.0.0.1:{port}")
            wait_until_ready(member, port)
            with open(os.path.join(folder, "prometheus.yaml"), encoding="utf-8") as text:
                configuration = text.read().replace("localhost:9464", f"127.0.0.1:{port}").replace("15s", "1s")
            with open(os.path.join(folder, "prometheus.yaml"), "w", encoding="utf-8") as out:
                out.write(configuration)
            server = subprocess.Popen(["prometheus", "--config.file=prometheus.yaml", f"--storage.tsdb.path={folder}/data",
                                       f"--web.listen-address=127.0.0.1:{own}"], cwd=folder, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL)

            def asked(query):
                try:
                    with urlopen(f"http://127.0.0.1:{own}/api/v1/query?query={query}", timeout=5) as answer:
                        found = json.load(answer)["data"]["result"]
                        return found[0]["value"][1] if found else None
                except OSError:
                    return None
            try:
                wait_for("a scrape", lambda: asked("up{job='spendlog'}") == "1", 60, 0.5)
                wait_for("a metric", lambda: asked("spendlog_partitions") == "1", 60, 0.5)
                stage.produce([message_of(demo_event(litellm_call_id=f"scraped-{i}")) for i in range(4)])
                stage.await_rows(4)
                board_answered(asked)
            finally:
                server.terminate()
                server.wait(30)
            check_equal(member.end(), 0, f"exit code{member.tail()}")
    return None


BOARD = "examples/grafana/operation.json"
# Where there is no answer while all is well.
QUIET = re.compile(r"^ALERTS|_by_reason_total")


def board_queries():
    """(title, query) of each panel of the board for operation, as Grafana would send it."""
    with open(os.path.join(ROOT, BOARD), encoding="utf-8") as text:
        panels = json.load(text)["panels"]
    return [(panel["title"], target["expr"].replace("$instance", ".+").replace("$__rate_interval", "10s"))
            for panel in panels for target in panel["targets"]]


def board_answered(asked):
    for title, query in board_queries():
        wait_for(f"an answer to {title}: {query}", lambda query=query: asked(quote(query)) is not None or QUIET.search(query), 60, 0.5)


def what_is_measured_is_told(servers):
    """Every metric stands in docs/operations.md; board, alerts, their tests and that page name none that is not there."""
    port = free_port()
    with Stage(servers, "named", partitions=1) as stage:
        stage.sql("SET ROLE spendlog_owner; SELECT spendlog.budget_set('all', '', 'month', 100)")
        member = stage.start(metrics=f"127.0.0.1:{port}")
        wait_until_ready(member, port)
        stage.produce([message_of(demo_event())])
        stage.await_rows(1)
        wait_for("the database was asked", lambda: all(name in page_of(port) for name in ("spendlog_sums_unmerged", "spendlog_budget_usd")), 60)
        kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", page_of(port), re.M))
        check_equal(member.end(), 0, f"exit code{member.tail()}")
    there = {name + end for name, kind in kinds.items() for end in (("_bucket", "_sum", "_count", "") if kind == "histogram" else ("",))}
    for path in (BOARD, "examples/prometheus/alerts.yaml", "tests/cases/prometheus/alerts_test.yaml", "docs/operations.md"):
        with open(os.path.join(ROOT, path), encoding="utf-8") as text:
            page = text.read()
        named = set(re.findall(r"\bspendlog_(?!owner|writer|reader|repricer|tenant)[a-z_]+\b(?!\*)", page)) - {"spendlog_"}
        check(not named - there, f"{path} names {sorted(named - there)}")
        if path == "docs/operations.md":
            told = {name for name in kinds if name in page or any(name.startswith(stem) for stem in re.findall(r"\b(\w+_)\*", page))}
            check_equal(sorted(set(kinds) - told), [], f"metrics that {path} does not tell")
    return f"{len(kinds)} metrics, {len(board_queries())} queries"


def command(stage, config, *words, code=0):
    done = subprocess.run([SPENDLOG, *words, "-c", config], capture_output=True, text=True, timeout=60)
    check_equal(done.returncode, code, f"exit code of {' '.join(words)}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def status_and_reload_answer(servers):
    """`status` tells lanes, partitions with lag, ages and prices; `reload` says what was loaded or why not; a mute client holds nobody."""
    port = free_port()
    with Stage(servers, "status", partitions=2) as stage:
        place = os.path.join(servers.socket_folder, "control.sock")
        own = f'control: {{socket: "{place}"}}\nlanes: 1\n'
        pricing = f"{{cost_map: {cost_map_of(stage, '0.001')}}}"
        asking = stage.config("asking", pricing=pricing, extra=own)
        check("does `spendlog run` run" in command(stage, asking, "status", code=69), "without a service")
        member = stage.start(metrics=f"127.0.0.1:{port}", pricing=pricing, extra=own)
        wait_until_ready(member, port)
        stage.produce([reload_event(1), reload_event(2)])
        stage.await_rows(2)
        wait_for("the partitions with their lag", lambda: [p["lag"] for p in json.loads(
            command(stage, asking, "status", "--json"))["partitions"]] == [0, 0], 30)
        status = json.loads(command(stage, asking, "status", "--json"))
        check_equal((status["ready"], status["group"], status["rows"], status["lanes"][0]["state"], status["lanes"][0]["partitions"]),
                    (True, "status", 2, "reading", 2), "status")
        check_equal([(p["topic"], p["partition"], p["next_offset"]) for p in status["partitions"]],
                    [("status.usage", 0, 1), ("status.usage", 1, 1)], "partitions")
        check(status["commit_age_s"] < 60 and 1 << 20 < status["memory_bytes"] <= status["memory_peak_bytes"], f"{status}")
        kept = status["caches"]
        check_equal([(c["lane"], c["recent_keys"], c["names"], c["days"], c["shared_calls"], c["shared_callers"]) for c in kept],
                    [(0, 2, 1, 1, 1, 1)], f"what the lane remembers of two calls of one day and model: {kept}")
        check(kept[0]["batch_bytes"] > 0 and kept[0]["names_bytes"] > 0 and kept[0]["queued_messages"] == 0, f"{kept}")
        check(status["sums"]["unmerged"] >= 0 and 0 <= status["sums"]["merge_age_s"] < 600, f"{status['sums']}")
        said = command(stage, asking, "status")
        for words in ("group status: ready", "lane 0: reading, 2 partitions", "status.usage/1: next offset 1, lag 0", "price book ",
                      "lane 0 remembers 2 keys of rows, 1 shared calls and 1 callers, 1 days, 1 names", "deltas not merged yet, merged last",
                      "MB so far"):
            check(words in said, f"no \"{words}\" in {said}")
        check_equal(os.stat(place).st_mode & 0o7, 0, "rights of others on the socket")
        mute = socket.socket(socket.AF_UNIX)
        mute.connect(place)
        cost_map_of(stage, "0.002")
        check("prices loaded again: price book " in command(stage, asking, "reload"), "reload")
        check(json.loads(command(stage, asking, "status", "--json"))["price_book"]["id"] != status["price_book"]["id"], "the same book")
        cost_map_of(stage, '{"gpt-reload": {"input_cost_per_token": 0.0')
        check("cost_map.json" in command(stage, asking, "reload", code=78), "a broken map")
        mute.close()
        second = stage.start(pricing=pricing.replace("[", ""), extra=own + "# the same socket\n")
        cost_map_of(stage, "0.002")
        wait_for("it says that the place is taken", lambda: "another process listens" in second.text() or second.process.poll() is not None, 30)
        second.kill()
        servers.local("postgres-down", "immediate")
        wait_for("what the lane waits for", lambda: "lane 0: waiting" in command(stage, asking, "status"), 60)
        servers.local("postgres-up")
        check_equal(member.end(), 0, f"exit code{member.tail()}")
        check(not os.path.exists(place), "the socket is left")


def spend_of(stage, number):
    stage.produce([reload_event(number)])
    stage.await_rows(number)
    return Decimal(stage.value(f"SELECT spend FROM spendlog.spend_logs WHERE request_id = 'reload-{number}'"))


def prices_stay_fresh(servers):
    """pricing.watch takes changed files over, whole or not at all, and says what moved; imported maps hold from their date on."""
    with Stage(servers, "fresh", partitions=1) as stage:
        imported = os.path.join(stage.folder, "made/imported")
        pricing = f"{{cost_map: {cost_map_of(stage, '0.001')}, watch: 1s, imported: {imported}}}"
        member = stage.start(pricing=pricing, extra="lanes: 1\n")

        def told(word, times=1):
            wait_for(f'"{word}" in the log', lambda: member.text().count(word) >= times, 60)
        check_equal(spend_of(stage, 1), Decimal(1), "spend at the first price")
        cost_map_of(stage, "0.00105")
        told(": 0 models added, 0 moved by more than 10 %, 0 gone (of 1)")
        check_equal(spend_of(stage, 2), Decimal("1.05"), "spend after 5 %")
        cost_map_of(stage, "0.002")
        told(": 0 models added, 1 moved by more than 10 %, 0 gone (of 1)")
        check_equal(spend_of(stage, 3), Decimal(2), "spend at the new price")
        cost_map_of(stage, '{"gpt-reload": {"litellm_provider": "openai", "input_cost_per_token": 0.0')
        told("prices not loaded, the old ones stay")
        time.sleep(3)
        check_equal(member.text().count("prices not loaded"), 1, "how often the same failure is told")
        check_equal(spend_of(stage, 4), Decimal(2), "spend while the file is broken")
        cost_map_of(stage, '{"gpt-other": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1.0}}')
        told(": 1 models added, 0 moved by more than 10 %, 1 gone (of 1)")
        config = stage.config("import", pricing=pricing)
        new = os.path.join(stage.folder, "new.json")
        with open(new, "w", encoding="ascii") as out:
            json.dump({"gpt-reload": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 0.004, "output_cost_per_token": 0.0}}, out)
        check("import needs --effective-from" in command(stage, config, "prices", "import", new, code=64), "without a time")
        check("2020-01-01T00:00:00Z.json" in command(stage, config, "prices", "import", new, "--effective-from", "2020-01-01"), "import")
        check_equal(os.listdir(imported), ["2020-01-01T00:00:00Z.json"], "what is kept")
        told("1 models added, 0 moved by more than 10 %, 1 gone", 2)
        check_equal(spend_of(stage, 5), Decimal(4), "spend by the imported map")
        command(stage, config, "prices", "import", new, "--effective-from", "2099-01-01")
        with open(new, "w", encoding="ascii") as out:
            out.write('{"gpt-reload": {"input_cost_per_token": "much"}}')
        check(f"{new}:1: " in command(stage, config, "prices", "import", new, "--effective-from", "2021-01-01", code=78), "the file's name")
        check_equal(sorted(os.listdir(imported)), ["2020-01-01T00:00:00Z.json", "2099-01-01T00:00:00Z.json"], "after a broken one")
        check_equal(spend_of(stage, 6), Decimal(4), "spend before a map of the future")
        time.sleep(3)
        check_equal(member.text().count("lane 0: price book"), 6, "how often prices were taken over, five changes after the start")
        check_equal(member.end(), 0, f"exit code{member.tail()}")


def debug_tells_where_prices_came_from(servers):
    """At debug a line for each batch and each call, with topic, partition, offset and the own price keys that were used; -q tells warnings alone."""
    with Stage(servers, "debug", partitions=1) as stage:
        prices = os.path.join(stage.folder, "own.yaml")
        group, model = demo_event()["model_group"], demo_event()["model"]
        with open(prices, "w", encoding="ascii") as out:
            out.write(f"model_list:\n  - model_name: {group}\n    litellm_params:\n      model: {model}\n"
                      "      input_cost_per_token: 0.5\n      output_cost_per_token: 0.25\n")
        stage.produce([message_of(demo_event(litellm_call_id=f"debug-{i}")) for i in range(2)])
        member = stage.start("--exit-eof", "-v", pricing=f"{{litellm_config: {prices}}}")
        check_equal(member.wait(60), 0, f"exit code{member.tail()}")
        calls = re.findall(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z debug lane \d+: debug\.usage/0/(\d): request \S+: priced by rule .*, "
                           r"price keys: .*own.yaml:\d+#\S*input_cost_per_token.*", member.text(), re.M)
        check_equal(calls, ["0", "1"], f"calls told{member.tail()}")
        check(re.search(r"debug\.usage/0/2: written: 2 messages, 2 rows, ", member.text()), f"the batch{member.tail()}")
        stage.produce([message_of(demo_event(litellm_call_id="debug-2"))])
        quiet = stage.start("--exit-eof", "-q", "--log-format", "json")
        check_equal((quiet.wait(60), quiet.text()), (0, ""), "what a quiet run says")


def instances_have_names(servers):
    """Two instances with different prices are told by check, by their names; one that was restarted with other prices is not."""
    with Stage(servers, "instances", partitions=2) as stage:
        maps = []
        for number, rate in enumerate(("0.001", "0.002")):
            path = os.path.join(stage.folder, f"map-{number}.json")
            with open(path, "w", encoding="ascii") as out:
                json.dump({"gpt-reload": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": float(rate),
                                          "output_cost_per_token": 0.0}}, out)
            maps.append(path)

        def run(config):
            done = subprocess.run([SPENDLOG, "run", "--exit-eof", "-c", config], capture_output=True, text=True, timeout=60)
            check_equal(done.returncode, 0, f"exit code: {done.stderr[-400:]}")

        def differing():
            return re.findall(r"prices with different books: (.*)", command(stage, stage.config("asking", user="spendlog"), "check"))
        one = stage.config("one", pricing=f"{{cost_map: {maps[0]}}}", extra="lanes: 1\n")
        stage.produce([reload_event(1)], partition=0)
        run(one)
        one = stage.config("one", pricing=f"{{cost_map: {maps[1]}}}", extra="lanes: 1\n")
        stage.produce([reload_event(2)], partition=0)
        run(one)
        check_equal(differing(), [], "after a restart with other prices")
        two = stage.config("two", pricing=f"{{cost_map: {maps[0]}}}", extra="lanes: 1\nmember: the other\n")
        stage.produce([reload_event(3)], partition=1)
        run(two)
        told = differing()
        check(len(told) == 1 and "the other lane 0" in told[0] and "/one.yaml lane 0" in told[0], f"two instances: {told}")


def systemd_is_told(servers):
    """READY=1 when it is ready, STATUS= with lag and rate, WATCHDOG=1 while it turns, RELOADING=1, STOPPING=1."""
    place = os.path.join(servers.socket_folder, "notify.sock")
    told = []
    with Stage(servers, "notify", partitions=1) as stage, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(place)
        notify.settimeout(0.1)

        def heard(word, timeout_s=60):
            end = time.monotonic() + timeout_s
            while time.monotonic() < end:
                try:
                    told.append(notify.recv(4096).decode())
                except TimeoutError:
                    pass
                if any(line.startswith(word) for text in told for line in text.splitlines()):
                    return
            check(False, f"no {word} in {told}")
        config = stage.config("notify", extra="lanes: 1\n")
        run = subprocess.Popen([SPENDLOG, "run", "-c", config], stderr=subprocess.DEVNULL,
                               env={**os.environ, "NOTIFY_SOCKET": place, "WATCHDOG_USEC": "1000000"})
        try:
            heard("READY=1")
            heard("STATUS=lag 0 messages")
            heard("WATCHDOG=1")
            told.clear()
            heard("WATCHDOG=1")
            run.send_signal(signal.SIGHUP)
            heard("RELOADING=1")
            heard("MONOTONIC_USEC=")
            heard("READY=1")
            run.terminate()
            heard("STOPPING=1")
            check_equal(run.wait(30), 0, "exit code")
        finally:
            run.kill()
    os.unlink(place)


def unit_is_hardened(_servers):
    """systemd-analyze finds nothing wrong with the units, and their exposure is 1.5 at most."""
    if not shutil.which("systemd-analyze"):
        raise Skipped("systemd-analyze is not installed")
    found = []
    for unit in ("spendlog.service", "spendlog@.service"):
        done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=15",
                               os.path.join(ROOT, "examples", unit)], capture_output=True, text=True)
        level = re.search(r"exposure level for .*: ([\d.]+)", done.stdout)
        check(done.returncode == 0 and level and float(level.group(1)) <= 1.5, f"{unit}: {done.stdout[-300:]}{done.stderr}")
        found.append(level.group(1))
    return f"exposure {', '.join(found)}"


ALL = (metrics_say_how_it_goes, prometheus_scrapes_and_alerts, status_and_reload_answer, prices_stay_fresh,
       debug_tells_where_prices_came_from, instances_have_names, systemd_is_told, unit_is_hardened, what_is_measured_is_told)
