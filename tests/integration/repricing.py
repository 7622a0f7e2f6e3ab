# SPDX-License-Identifier: Apache-2.0
"""The program prices stored rows again: bundled events of all call types, 200,000 rows of them."""
import csv
import io
import json
import os
import random
import signal
import subprocess
import time
from decimal import Decimal

from harness.events import payload_of
from harness.report import Failed, check, check_equal, wait_for
from harness.servers import ROOT, SPENDLOG, run_checked
from integration.stage import EVENTS, Stage

FILL_ROWS = os.path.join(ROOT, "build/release/tests/integration/fill_rows")
ROWS = 200000
DAYS = 4
FIRST_DAY = "2026-08-30"  # two months have a part
KILLED_ROWS = 60000
KILLS = 20

NEW_PRICES = """
model_list:
  - model_name: gpt-4o
    litellm_params: {model: openai/gpt-4o}
    model_info: {input_cost_per_token: 0.00001, output_cost_per_token: 0.00005}
litellm_settings:
  cost_margin_config: {global: 0.10}
"""
ADJUSTED = "(SELECT count(*) FROM spendlog.spend_adjustments)"


# Without one of these a run reads all rows, which has to be said.
NARROWING = {"--resume", "--dry-run", "--all", "--since", "--until", "--model", "--book", "--mapping", "--unpriced"}


class Repricing:
    """A database of many rows, priced by the builtin map (book A); B has other prices."""

    def __init__(self, servers, name, rows=ROWS, days=DAYS):
        self.stage = Stage(servers, name)
        folder = self.stage.folder
        with open(os.path.join(folder, "prices.yaml"), "w") as out:
            out.write(NEW_PRICES)
        own = "drift: {events: 0}\n"  # prices b are apart from the gateway's on purpose
        self.config = {"a": self.stage.config("a", user="spendlog", extra=own),
                       "b": self.stage.config("b", user="spendlog", pricing="{litellm_config: ./prices.yaml}",
                                              extra=own)}
        place = f"host={servers.socket_folder} port=5432 user=spendlog dbname={self.stage.database}"
        try:
            run_checked([FILL_ROWS, place, EVENTS, str(rows), FIRST_DAY, str(days)])
        except Failed:
            self.stage.close()
            raise

    def argv(self, book, *words):
        everything = ["--all"] if words[0] == "reprice" and not NARROWING & set(words) else []
        return [SPENDLOG, words[0], "-c", self.config[book], "-q", *everything, *words[1:]]

    def command(self, book, *words, code=0):
        done = subprocess.run(self.argv(book, *words), capture_output=True, text=True)
        check_equal(done.returncode, code, f"exit code of {' '.join(words)}: {done.stderr[-500:]}")
        return done.stdout if code == 0 else done.stderr

    def reprice(self, book, *words):
        return json.loads(self.command(book, "reprice", "--json", *words), parse_float=Decimal,
                          parse_int=Decimal)

    def value(self, sql):
        return self.stage.value(sql)

    def table(self):
        """Equal texts are equal tables, all columns of all rows."""
        return self.value("SELECT sum(hashtextextended(s::text, 0)::numeric) FROM spendlog.spend_logs s")

    def spend(self):
        return Decimal(self.value("SELECT sum(spend) FROM spendlog.spend_daily"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stage.close()


def there_and_back(servers):
    """A to B to A returns every digit; a second run changes nothing; a dry run foretells the run."""
    with Repricing(servers, "reprice-back") as world:
        before, spend = world.table(), world.spend()
        check_equal(world.reprice("a", "--dry-run")["changed"], 0, "rows that do not derive again")
        dry = world.reprice("b", "--dry-run")
        check_equal(world.table(), before, "table after a dry run")
        run = world.reprice("b")
        for key in dry:
            if key not in ("dry_run", "run"):
                check_equal(run[key], dry[key], key)
        check(run["changed"] > ROWS / 2, f"{run['changed']} rows changed")
        check_equal(world.spend() - spend, run["delta"], "delta")
        for by in ("by_model", "by_team", "by_day"):
            check_equal(sum(group["delta"] for group in run[by]), run["delta"], by)
        check_equal(world.reprice("b")["changed"], 0, "rows changed by a second run")
        back = world.reprice("a")
        check_equal(back["delta"], -run["delta"], "delta back")
        check_equal(world.table(), before, "table after there and back")
        return f"{run['changed']} of {ROWS} rows, {run['delta']} USD"


def items_priced(config, events):
    """{request id: items} of what `spendlog price` says of events that have one of their own."""
    lines = [json.loads(line, parse_float=Decimal, parse_int=Decimal)
             for line in run_checked([SPENDLOG, "price", "-q", "-c", config, "--items", events]).splitlines()]
    ids = [line.get("request_id") for line in lines]
    return {line["request_id"]: sorted((i["unit"], i["quantity"], i["amount"]) for i in line["items"])
            for line in lines if line.get("request_id") and ids.count(line["request_id"]) == 1 and line["status"] != "skipped"}


def items_stored(stage):
    found = {}
    for name, unit, quantity, amount in stage.sql("SELECT request_id, unit, quantity, amount FROM spendlog.spend_items"):
        found.setdefault(name, []).append((unit, Decimal(quantity), Decimal(amount)))
    return {name: sorted(items) for name, items in found.items()}


def meters_apart(stage):
    """Units that come to something else by the sums than by the items; tokens of rows without a price are in the sums alone."""
    return stage.sql("""
SELECT unit, i.quantity, m.quantity, i.amount, m.amount
FROM (SELECT unit, sum(quantity) AS quantity, sum(amount) AS amount FROM spendlog.spend_items GROUP BY 1) i
FULL JOIN (SELECT meter AS unit, sum(quantity) AS quantity, sum(amount) AS amount FROM spendlog.spend_by_meter
           WHERE part_of IS NOT NULL GROUP BY 1) m USING (unit)
LEFT JOIN spendlog.charge_units u USING (unit)
WHERE coalesce(i.amount, 0) <> coalesce(m.amount, 0)
  OR coalesce(i.quantity, 0) <> coalesce(m.quantity, 0)
    AND unit NOT IN ('input_text_tokens', 'output_text_tokens', 'cache_read_tokens', 'cache_write_tokens', 'reasoning_tokens')""")


def items_are_the_charge(servers):
    """Each row has the items that pricing its event gives, to the last digit, as read and as priced anew, there and back."""
    with Repricing(servers, "reprice-items", rows=1, days=1) as world:
        stage = world.stage
        with open(EVENTS, "rb") as events:
            stage.produce(events.read().splitlines())
        stage.consume()
        for book in ("a", "b", "a"):
            world.command(book, "reprice", "--include-reported")
            wanted = items_priced(world.config[book], EVENTS)
            stored = items_stored(stage)
            for name, items in wanted.items():
                check_equal(stored.get(name, []), items, f"items of {name}, prices {book}")
            check_equal(stage.sql("SELECT s.request_id, s.spend, s.items FROM spendlog.spend_logs s LEFT JOIN LATERAL (SELECT sum(i.amount) AS amount "
                                  "FROM spendlog.spend_items i WHERE i.start_time = s.start_time AND i.identity = s.identity) i "
                                  "ON true WHERE coalesce(s.spend, 0) <> coalesce(i.amount, 0)"), [], "rows whose items are not their spend")
            check_equal(meters_apart(stage), [], f"meters of the sums that are not the items of the rows, prices {book}")
            check(" 0 differences" in stage.command("verify", "-q", "--sums"), "verify --sums")
            if book == "b":
                stage.command("compact", "-q")
        check(" 0 differences" in stage.command("verify", "-q"), "verify")
        stage.sql("UPDATE spendlog.stored_rows SET items = 'Sx1' WHERE items IS NULL AND pricing_status = 'priced'")
        check(" 0 differences" not in stage.command("verify", "-q", code=1), "verify of items that a hand changed")
        return f"{sum(map(len, wanted.values()))} items of {len(wanted)} rows"


def killed_and_resumed(servers, seed):
    """Killed 20 times at random points and resumed, the table is that of one clean run; rollups always equal rows."""
    with Repricing(servers, "reprice-kill", rows=KILLED_ROWS) as world:
        started = time.monotonic()
        clean = world.reprice("b")
        clean_s = time.monotonic() - started
        table = world.table()
        chance = random.Random(seed)
        kills = runs = 0
        while kills < KILLS:
            world.reprice("a")
            world.stage.sql("TRUNCATE spendlog.spend_adjustments, spendlog.reprice_days, spendlog.reprice_tallies, "
                            "spendlog.reprice_runs")
            kills += kill_until_done(world, chance, clean_s, KILLS - kills)
            runs += 1
            check_equal(world.table(), table, f"table of run {runs}")
            run = world.stage.sql("SELECT considered, changed, unchanged, skipped, trim_scale(delta) "
                                  "FROM spendlog.reprice_runs")
            check_equal([[Decimal(v) for v in row] for row in run],
                        [[clean[k] for k in ("considered", "changed", "unchanged", "skipped", "delta")]], "the run")
        return f"{kills} kills in {runs} runs"


def kill_until_done(world, chance, clean_s, kills_max):
    """A run, killed and resumed until it ends by itself; how often it was killed. What it left is looked at each time."""
    kills = 0
    while True:
        begun = world.value("SELECT count(*) FROM spendlog.reprice_runs") != "0"
        job = subprocess.Popen(world.argv("b", "reprice", *(["--resume"] if begun else [])), stdout=subprocess.DEVNULL)
        if kills < kills_max:
            time.sleep(clean_s * chance.uniform(0.05, 0.6))
            job.send_signal(signal.SIGKILL)
        code = job.wait()
        kills += code == -signal.SIGKILL
        wait_for("end of the killed run's sessions", lambda: world.value(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'spendlog reprice' "
            "AND datname = current_database()") == "0", 30)
        check_equal(world.value(
            "SELECT (SELECT sum(spend) FROM spendlog.spend_daily) = (SELECT sum(spend) FROM spendlog.spend_logs)"
            f" AND (SELECT coalesce(sum(changed), 0) FROM spendlog.reprice_runs) = {ADJUSTED}"), "t",
            f"rollups and records after kill {kills}")
        if code == 0:
            return kills


def killed_at_each_point(servers):
    """Killed wherever a transaction is about to do its next step, by each way of writing, and resumed: one clean run."""
    rewriting = [f"reprice_{point}" for point in ("filling:1", "filling:2", "before_swap:2", "before_commit:1",
                                                  "after_commit:1")]
    updating = [f"reprice_{point}" for point in ("staged:1", "updated:1", "before_commit:1", "after_commit:1")]
    with Repricing(servers, "reprice-points", rows=60000, days=2) as world:
        world.stage.sql("ANALYZE spendlog.stored_rows")
        for points, words in ((rewriting, ()), (updating, ("--mapping", "litellm-slp"))):
            world.reprice("b", *words)
            table = world.table()
            for point in points:
                world.reprice("a")
                job = subprocess.run(world.argv("b", "reprice", *words), env={**os.environ, "SPENDLOG_FAULT": point},
                                     stdout=subprocess.DEVNULL)
                check_equal(job.returncode, -signal.SIGKILL, point)
                world.reprice("b", "--resume")
                check_equal(world.table(), table, f"table after {point}")
                check_equal(world.value(f"SELECT sum(changed) = {ADJUSTED} FROM spendlog.reprice_runs"), "t",
                            f"records after {point}")
            methods = world.value("SELECT string_agg(DISTINCT method, ' ') FROM spendlog.reprice_days "
                                  "WHERE run_id = (SELECT max(run_id) FROM spendlog.reprice_runs)")
            check_equal(methods, "update" if words else "rewrite", "method")
        return f"{len(rewriting) + len(updating)} kills"


def closed_month_is_posted(servers):
    """A closed month takes no change in place: the difference is posted, once, and reports have it."""
    with Repricing(servers, "reprice-closed", rows=40000) as world:
        august = "SELECT sum(hashtextextended(s::text, 0)::numeric) FROM spendlog.spend_logs s " \
                 "WHERE start_time < '2026-09-01'"
        before, spend = world.value(august), world.spend()
        world.command("a", "periods", "close", "2026-08")
        run = world.reprice("b")
        check(0 < run["posted"] < run["changed"], f"{run['posted']} of {run['changed']} posted")
        check_equal(world.value(august), before, "rows of the closed month")
        check_equal(world.spend() - spend, run["delta"], "difference in spend_daily")
        check_equal(Decimal(world.value("SELECT sum(amount) FROM spendlog.spend_by_meter WHERE part_of IS NULL")), world.spend(),
                    "all meters")
        check_equal(Decimal(world.value("SELECT sum(amount) FROM spendlog.spend_by_meter WHERE meter = 'correction'")),
                    Decimal(world.value("SELECT sum(amount) FROM spendlog.spend_items WHERE unit = 'correction' AND start_time >= "
                                "(SELECT min(posted_on) FROM spendlog.spend_adjustments)")), "corrections")
        report = world.command("a", "report", "--by", "day", "--format", "csv")
        check_equal(sum(Decimal(row["spend"] or 0) for row in csv.DictReader(io.StringIO(report))), world.spend(),
                    "sum of the report")
        check_equal(world.reprice("b")["changed"], 0, "rows changed by a second run")
        world.command("a", "periods", "close", "2026-08", code=65)
        world.command("a", "periods", "close", "2999-01", code=65)
        listed = json.loads(world.command("a", "periods", "list", "--json"), parse_float=Decimal)
        check_equal((listed["month"], listed["late_rows"]), ("2026-08", 0), "the list")
        return f"{run['posted']} posted, {listed['posted']} USD"


def explained_years_later(servers):
    """A row is derived from the database alone by the book of then, whatever the configuration says now."""
    with Repricing(servers, "reprice-explain", rows=20000) as world:
        world.reprice("b")
        os.remove(os.path.join(world.stage.folder, "prices.yaml"))
        call, spend = world.stage.sql("SELECT call_id, spend FROM spendlog.spend_logs "
                                      "WHERE model LIKE '%gpt-4o' AND pricing_status = 'priced' AND price_book_id = "
                                      "(SELECT max(price_book_id) FROM spendlog.price_books) LIMIT 1")[0]
        told = json.loads(world.command("a", "explain", "--json", call).splitlines()[0], parse_float=Decimal,
                          parse_int=Decimal)
        check_equal(told["spend"], Decimal(spend), "derived spend")
        check_equal(sum(item["amount"] for item in told["items"]), Decimal(spend), "sum of its items")
        check(told["agrees"] is True, "the derivation does not agree")
        check_equal(len(told["adjustments"]), 1, "adjustments")
        check(any("prices.yaml:" in item["source"] for item in told["items"]),
              f"no rate of the configuration: {[item['source'] for item in told['items']]}")
        world.command("a", "verify")
        world.stage.sql("UPDATE spendlog.spend_logs SET spend = spend + 0.000001 WHERE "
                        f"call_id = '{call}' AND start_time = (SELECT min(start_time) FROM spendlog.spend_logs "
                        f"WHERE call_id = '{call}')")
        done = subprocess.run(world.argv("a", "verify"), capture_output=True, text=True)
        check_equal(done.returncode, 1, "exit code of verify with a forged row")
        check("derived" in done.stdout, f"the forged row is not told: {done.stdout[-300:]}")
        check_equal(len(world.stage.sql("SELECT * FROM spendlog.sums_differ(true) WHERE level = 'all'")), 1,
                    "days whose sums are not those of the forged row")
        world.stage.sql("SELECT spendlog.sums_remake('-infinity', 'infinity')")


def prices_that_go_and_come_are_told(servers):
    """Rows that lose their price, or get one, are told with what they came to, by a dry run, a run and one that is gone on with."""
    with Repricing(servers, "reprice-lost", rows=2000, days=2) as world:
        with open(os.path.join(world.stage.folder, "less.json"), "w") as out:
            json.dump({"gpt-4o": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6}}, out)
        world.config["less"] = world.stage.config("less", user="spendlog", pricing="{cost_map: ./less.json}", extra="drift: {events: 0}\n")
        unpriced = "SELECT count(*) FROM spendlog.spend_logs WHERE spend IS NULL"
        none, whole = int(world.value(unpriced)), world.spend()
        dry = world.reprice("less", "--dry-run")
        table, lines = world.command("less", "reprice", "--dry-run"), world.command("less", "reprice", "--dry-run", "--format", "csv")
        job = subprocess.run(world.argv("less", "reprice"), capture_output=True, env={**os.environ, "SPENDLOG_FAULT": "reprice_after_commit:1"})
        check_equal(job.returncode, -signal.SIGKILL, "the run that is killed")
        run = world.reprice("less", "--resume")
        lost = int(world.value(unpriced)) - none
        check(lost > 100, f"{lost} rows lost their price: too few for this")
        for told in (dry, run):
            check_equal((told["price_lost"], sum(told["price_lost_by_reason"].values()), told["price_gained"]), (lost, lost, 0), "lost")
        check_equal(dry["price_lost_spend_before"], run["price_lost_spend_before"], "what they came to")
        check_equal(whole + run["delta"], world.spend(), "what is left")
        check(f"{lost} of the changed rows lose their price (" in table, table)
        check_equal(sum(int(line.split(",")[2]) for line in lines.splitlines() if line.startswith("price_lost,")), lost, "lost in CSV")
        back = world.reprice("a")
        check_equal((back["price_gained"], back["price_lost"], back["price_gained_spend_after"]), (lost, 0, run["price_lost_spend_before"]), "back")
        return f"{lost} rows"


def more_than_fits_is_told(servers):
    """A report of more than 20 models says how many more; rows of more books than are kept restored derive all."""
    with Repricing(servers, "reprice-more", rows=2000, days=1) as world:
        groups = json.loads(world.command("b", "reprice", "--dry-run", "--json"))["by_model"]
        check(len(groups) > 20, f"{len(groups)} models: too few for this")
        table = world.command("b", "reprice", "--dry-run")
        check(f"... and {len(groups) - 20} more; --format csv has them all" in table, f"not told: {table}")
        lines = world.command("b", "reprice", "--dry-run", "--format", "csv").splitlines()
        check(len([line for line in lines if line.startswith("model,")]) == len(groups), "CSV has not all of them")

        world.stage.sql("INSERT INTO spendlog.price_books (book_hash, book) SELECT repeat(md5(n::text), 2), book "
                        "FROM spendlog.price_books, generate_series(1, 33) n")
        world.stage.sql("UPDATE spendlog.spend_logs l SET price_book_id = b.price_book_id FROM (SELECT start_time, identity, "
                        "ntile(35) OVER (ORDER BY start_time, identity) tile FROM spendlog.spend_logs) t, "
                        "(SELECT price_book_id, row_number() OVER (ORDER BY price_book_id) n FROM spendlog.price_books) b "
                        "WHERE (l.start_time, l.identity) = (t.start_time, t.identity) AND b.n = 1 + (t.tile - 1) % 34")
        check_equal(world.value("SELECT count(DISTINCT price_book_id) FROM spendlog.spend_logs"), "34", "books of rows")
        totals = json.loads(world.command("a", "verify", "--json").splitlines()[-1])
        check_equal((totals["charges_derived"], totals["charges_differing"]), (2000, 0), "rows of 34 books derived")
        world.stage.sql("UPDATE spendlog.spend_logs SET spend = spend + 1 WHERE (start_time, identity) IN "
                        "(SELECT start_time, identity FROM spendlog.spend_logs WHERE spend > 0 LIMIT 13)")
        done = subprocess.run(world.argv("a", "verify"), capture_output=True, text=True)
        check("13 differences" in done.stdout and "and 3 more rows, which differ by less" in done.stdout, f"forged rows: {done.stdout[-900:]}")
        world.stage.sql("SELECT spendlog.sums_remake('-infinity', 'infinity')")
        return f"{len(groups)} models"


def bad_input_is_told(servers):
    """Unknown model, empty or reversed range, unknown book, broken prices: a message, an exit code, nothing half done."""
    with Repricing(servers, "reprice-bad", rows=1000) as world:
        before = world.table()
        check_equal(world.reprice("b", "--model", "no-such-model")["considered"], 0, "rows of an unknown model")
        check_equal(world.reprice("b", "--since", "2030-01")["considered"], 0, "rows of an empty range")
        check("--since" in world.command("b", "reprice", "--since", "2026-10", "--until", "2026-09", code=64), "no hint")
        check("2026-13" in world.command("b", "reprice", "--since", "2026-13", code=64), "no hint")
        check("cafe" in world.command("b", "reprice", "--book", "cafe", code=65), "no hint")
        with open(os.path.join(world.stage.folder, "prices.yaml"), "a") as out:
            out.write("model_list: [{]\n")
        check("prices.yaml" in world.command("b", "reprice", "--all", code=78), "no hint")
        check_equal(world.table(), before, "table")
        check_equal(world.value("SELECT count(*) FROM spendlog.reprice_runs WHERE state <> 'done'"), "0", "runs")


WHAT_IF_MAP = """{
"now": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 0.000002, "output_cost_per_token": 0.000008},
"kept": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 0.000001, "output_cost_per_token": 0.000001},
"then": {"litellm_provider": "anthropic", "mode": "chat", "input_cost_per_token": 0.000003, "output_cost_per_token": 0.000005},
"half": {"litellm_provider": "anthropic", "mode": "chat", "input_cost_per_token": 0.000003}
}"""


def everything(stage):
    """What every table of the schema holds."""
    tables = [name for (name,) in stage.sql(
        "SELECT c.oid::regclass FROM pg_class c WHERE c.relnamespace = 'spendlog'::regnamespace AND c.relkind IN ('r', 'p') "
        "AND NOT c.relispartition ORDER BY 1")]
    return {name: stage.value(f"SELECT count(*) || ' ' || coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) FROM {name} t")
            for name in tables}


def what_if_events():
    """{team: (rows, tokens in, tokens out)} of the model that is replaced, and the messages."""
    teams, messages = {}, []
    for n in range(40):
        model = "now" if n % 4 else "kept"
        tokens = (1000 + 7 * n, 50 + n)
        team = f"team-{n % 3}"
        payload = payload_of(n, model, *tokens, time.time() - 3600 - n, service_tier="flex")
        payload["metadata"]["user_api_key_team_id"] = team
        messages.append(json.dumps(payload).encode())
        if model == "now":
            rows, given, taken = teams.get(team, (0, 0, 0))
            teams[team] = (rows + 1, given + tokens[0], taken + tokens[1])
    for n in range(40, 45):
        messages.append(json.dumps(payload_of(n, "nobody-knows-it", 100, 10, time.time() - 3600 - n)).encode())
    return teams, messages


def what_if(servers):
    """On another model: what each team comes to and would, what has no rate is told, and nothing at all is changed."""
    stage = Stage(servers, "what-if")
    try:
        with open(os.path.join(stage.folder, "map.json"), "w") as out:
            out.write(WHAT_IF_MAP)
        with open(os.path.join(stage.folder, "dear.json"), "w") as out:
            out.write(WHAT_IF_MAP.replace("0.000008", "0.000080"))
        teams, messages = what_if_events()
        stage.produce(messages)
        stage.consume(pricing="{cost_map: ./map.json}")
        config = {name: stage.config(name, user="spendlog", pricing=f"{{cost_map: ./{name}.json}}") for name in ("map", "dear")}

        def dry(*words, book="map", code=0):
            done = subprocess.run([SPENDLOG, "reprice", "-c", config[book], "--dry-run", *words], capture_output=True, text=True)
            check_equal(done.returncode, code, f"exit code of {words}: {done.stderr[-300:]}")
            return done.stdout if code == 0 else done.stderr

        def asked(*words, book="map"):
            told = json.loads(dry("--json", *words, book=book), parse_float=Decimal, parse_int=Decimal)["what_if"]
            return told, {group[told["by"]]: group for group in told["groups"]}
        before = everything(stage)
        for left in ("openai/now", "now"):
            told, groups = asked("--as-model", f"{left}=anthropic/then", "--model", "now")
            for team, (rows, given, taken) in teams.items():
                group = groups[team]
                check_equal((group["rows"], group["spend_before"], group["spend_after"], group["unpriced_rows"]),
                            (rows, given * Decimal("0.000002") + taken * Decimal("0.000008"),
                             given * Decimal("0.000003") + taken * Decimal("0.000005"), 0), f"{left}, {team}")
                check_equal(group["delta"], group["spend_after"] - group["spend_before"], "change")
            check_equal(told["as_model"], [{"model": left, "as": "anthropic/then", "rows": 30}], "what was replaced")
            check_equal(set(groups), set(teams), "teams")
        told, groups = asked("--as-model", "openai/now=anthropic/half")
        check_equal(told["unpriced_by_reason"], {"rate_missing of output_text_tokens": 30, "unknown_model": 5}, "why not")
        check_equal(sum(g["unpriced_rows"] for g in groups.values()), 35, "rows without a price")
        check_equal(told["total"]["spend_before"], told["total"]["spend_after"], "what is left is what was kept")
        check_equal(told["total"]["rows"], 10, "rows with a price")
        lost = sum(given * Decimal("0.000002") + taken * Decimal("0.000008") for _, given, taken in teams.values())
        check_equal(told["total"]["unpriced_spend_before"], lost, "what those come to now")
        told, _ = asked("--as-model", "nobody-knows-it=openai/kept")
        check_equal((told["total"]["gained_rows"], told["total"]["gained_spend_after"]), (5, 5 * Decimal("0.00011")), "gained")
        told, groups = asked("--by", "team", book="dear")
        check_equal(told["total"]["delta"], sum(t[2] for t in teams.values()) * Decimal("0.000072"), "under other prices")
        _, groups = asked("--by", "model")
        check_equal({model: group["rows"] for model, group in groups.items()}, {"now": 30, "kept": 10, "nobody-knows-it": 0}, "models")
        check("what if, by day" in dry("--as-model", "now=half", "--by", "day"), "by day")
        table = dry("--as-model", "openai/now=anthropic/half")
        check("30 rate_missing of output_text_tokens, 5 unknown_model; they are in neither sum" in table, f"told: {table}")
        check("no row is of gpt-9" in subprocess.run([SPENDLOG, "reprice", "-c", config["map"], "--dry-run", "--as-model", "gpt-9=then"],
                                                     capture_output=True, text=True).stderr, "a model that no row has")
        for words in (("--as-model", "x"), ("--as-model", "x=y", "--as-model", "x=z"), ("--by", "moon")):
            dry(*words, code=64)
        check_equal(everything(stage), before, "tables after all of that")
        done = subprocess.run([SPENDLOG, "reprice", "-c", config["map"], "--all", "--as-model", "a=b"], capture_output=True, text=True)
        check_equal(done.returncode, 64, "exit code without --dry-run")
        return f"{len(before)} tables unchanged"
    finally:
        stage.close()


ALL = (what_if, there_and_back, items_are_the_charge, killed_and_resumed, killed_at_each_point, closed_month_is_posted, explained_years_later, prices_that_go_and_come_are_told, more_than_fits_is_told, bad_input_is_told)
