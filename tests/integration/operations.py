# SPDX-License-Identifier: Apache-2.0
"""What an operator does to a running service, and what he asks it."""
import csv
import html
import io
import itertools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from http import client
from decimal import Decimal
from fractions import Fraction

from harness.report import Failed, Skipped, check, check_equal, wait_for
from harness.servers import ROOT, SPENDLOG, free_port, run_checked
from integration.stage import Stage, demo_event, demo_lines, message_of


def sigterm_ends_cleanly(servers):
    """SIGTERM ends within seconds with exit 0, nothing half written, and the next start goes on from there."""
    with Stage(servers, "term") as stage:
        member = stage.start()
        stage.produce(demo_lines())
        wait_for("first rows", lambda: stage.row_count() > 0, 20)
        check_equal(member.end(timeout_s=10), 0, f"exit code{member.tail()}")
        stage.command("verify", "-q")
        stage.consume()
        check_equal(stage.row_count(), len(demo_lines()) + 2, "rows")


def books_of_other_rules_are_noted(servers):
    """What another version's rules priced cannot be derived again: a note; a stored book that cannot be read is a difference."""
    with Stage(servers, "rules") as stage:
        stage.produce([message_of(demo_event())])
        stage.consume()
        for old, new, code, word in (('"pricing_version":[0-9]+', '"pricing_version":0', 0, "note charge: price book "),
                                     ('"pricing_version":0', '"pricing_versions":0', 1, "DIFFERENCE charge: price book ")):
            stage.sql(f"UPDATE spendlog.price_books SET book = regexp_replace(book::text, '{old}', '{new}')::json")
            out = stage.command("verify", "-q", code=code)
            check(word in out and f", {code} differences" in out, f"verify says: {out}")


def cost_map_of(stage, rate):
    path = os.path.join(stage.folder, "cost_map.json")
    with open(path + ".new", "w") as out:
        out.write(rate if rate.startswith("{") else json.dumps({"gpt-reload": {
            "litellm_provider": "openai", "mode": "chat", "input_cost_per_token": float(rate),
            "output_cost_per_token": 0.0}}))
    os.replace(path + ".new", path)
    return path


def reload_event(number):
    start_s = int(time.time()) - 3600 + number
    return message_of({
        "id": f"reload-{number}", "litellm_call_id": f"reload-{number}", "call_type": "acompletion",
        "status": "success", "custom_llm_provider": "openai", "model": "gpt-reload",
        "startTime": start_s, "endTime": start_s + 1, "prompt_tokens": 1000,
        "completion_tokens": 0, "total_tokens": 1000, "response_cost": None, "request_tags": [],
        "metadata": {"usage_object": {"prompt_tokens": 1000, "completion_tokens": 0}}})


def sighup_reloads_whole_or_not_at_all(servers):
    """SIGHUP takes new prices over; when they do not load, the old ones stay and the service runs on."""
    with Stage(servers, "reload", partitions=1) as stage:
        path = cost_map_of(stage, "0.001")
        member = stage.start(pricing=f"{{cost_map: {path}}}", extra="lanes: 1\n")

        def spend_of(number):
            stage.produce([reload_event(number)])
            stage.await_rows(number)
            return Decimal(stage.value("SELECT spend FROM spendlog.spend_logs "
                                       f"WHERE request_id = 'reload-{number}'"))

        def reloaded(word):
            before = member.text().count(word)
            member.signal(signal.SIGHUP)
            wait_for(f'"{word}" in the log', lambda: member.text().count(word) > before, 10)

        check_equal(spend_of(1), Decimal(1), "spend at the first price")
        cost_map_of(stage, "0.002")
        reloaded("loaded again")
        check_equal(spend_of(2), Decimal(2), "spend at the new price")
        cost_map_of(stage, '{"gpt-reload": {"litellm_provider": "openai", "input_cost_per_token": 0.0')
        reloaded("cost_map.json")
        check_equal(spend_of(3), Decimal(2), "spend when the new prices do not load")
        check_equal(stage.value("SELECT count(*) FROM spendlog.price_books"), "2", "price books stored")
        check_equal(member.end(), 0, f"exit code{member.tail()}")


def report_adds_up(servers):
    """Every report sums to the table, in each format."""
    with Stage(servers, "report") as stage:
        stage.produce(demo_lines())
        stage.consume()
        total = Decimal(stage.value("SELECT sum(spend) FROM spendlog.spend_logs"))
        for dimension in ("model", "provider", "team", "day", "meter"):
            out = stage.command("report", "-q", "--by", dimension, "--format", "csv")
            rows = list(csv.DictReader(io.StringIO(out)))
            check(len(rows) > 1, f"by {dimension}: {len(rows)} rows")
            check_equal(sum(Decimal(row["spend"] or 0) for row in rows), total, f"sum by {dimension}")
        for form in ("table", "json", "html"):
            check("Search" in stage.command("report", "-q", "--by", "team", "--format", form),
                  f"format {form} without a team")
        return f"{total} USD"


def report_compares_periods(servers):
    """Top N, the others and the total are what the rows come to, of the period and of the one before, in a zone."""
    with Stage(servers, "report-periods") as stage:
        stage.produce(demo_lines())
        stage.consume()
        day = stage.value("SELECT max(start_time)::date FROM spendlog.spend_logs")
        # as much again two days earlier, but for one team, and in the order of a database that merged half of it
        stage.command("compact", "-q")
        stage.sql(f"CREATE TEMP TABLE more AS SELECT * FROM spendlog.spend_logs WHERE start_time::date = '{day}' AND team_id <> "
                  "(SELECT max(team_id) FROM spendlog.spend_logs); UPDATE more SET start_time = start_time - interval '2 days', "
                  "end_time = NULL, first_token_time = NULL; SELECT spendlog.ensure_partition(start_time::date) FROM more "
                  "GROUP BY start_time::date; INSERT INTO spendlog.spend_logs SELECT * FROM more; "
                  "SELECT spendlog.sums_remake('-infinity', 'infinity')")

        def rows(since, until, where="true"):
            return stage.sql(f"SELECT coalesce(sum(spend), 0), sum(calls) FROM spendlog.spend_entries WHERE {where} AND "
                             f"start_time >= {since} AND start_time < {until}")[0]

        def report(*words):
            return [json.loads(line, parse_float=Decimal) for line in stage.command("report", "-q", "--json", *words).splitlines()]
        zone = "Asia/Kathmandu"
        begin = f"((date_trunc('day', now() AT TIME ZONE '{zone}') - interval '1 day') AT TIME ZONE '{zone}' AT TIME ZONE 'UTC')"
        for merged in (False, True):
            if merged:
                stage.command("compact", "-q")
            for by in ("team", "model", "provider,status", "day"):
                lines = report("--by", by, "--last", "2d", "--tz", zone, "--top", "2")
                want = rows(begin, "'infinity'")
                check_equal([sum(Decimal(line["spend"] or 0) for line in lines), sum(line["calls"] for line in lines)],
                            [Decimal(want[0]), int(want[1])], f"by {by}, merged {merged}")
                check(len(lines) <= 3 and all("other_groups" not in line for line in lines[:2]), f"by {by}: {lines}")
            cut = stage.command("report", "-q", "--by", "team", "--top", "1", "--format", "csv").splitlines()
            check(cut[0].endswith(",doubtful,other_groups") and cut[1].endswith(",") and re.search(r'^"\(other\)",.*,[1-9]\d*$', cut[2]), f"CSV: {cut}")
            check(stage.command("report", "-q", "--by", "team", "--format", "csv").splitlines()[0].endswith(",doubtful"), "CSV of all groups")
            lines = report("--by", "team", "--last", "2d", "--tz", zone)
            for line in lines:
                named = "coalesce(nullif(team_alias, ''), team_id) = '" + line["team"] + "'"
                before = rows(f"{begin} - interval '2 days'", f"{begin}", named)[0]
                least = rows(f"{begin} - interval '2 days'", "(now() AT TIME ZONE 'UTC') - interval '2 days'", named)[0]
                check(line["spend_before"] is None or Decimal(least) <= line["spend_before"] <= Decimal(before),
                      f"before of {line}: {least} to {before}")
                if line["spend_before"] and line["spend"]:
                    check(abs(line["change_percent"] - 100 * (line["spend"] - line["spend_before"]) / line["spend_before"])
                          < Decimal("0.06"), f"change of {line}")
            check(sum(line["share_percent"] or 0 for line in lines).__round__() in (99, 100, 101), f"shares: {lines}")
        month = stage.value(f"SELECT to_char('{day}'::date, 'YYYY-MM')")
        lines = report("--by", "tag", "--month", month)
        total = rows(f"'{month}-01'", f"'{month}-01'::date + interval '1 month'")
        check(sum(line["calls"] for line in lines) > int(total[1]), "tags of this stage do not overlap")
        text = stage.command("report", "-q", "--by", "tag", "--month", month)
        check("tags overlap" in text and f"{int(total[1]):,}" in text.split("(total)")[1], f"the true total: {text}")
        for words in (("--last", "7"), ("--last", "0d"), ("--month", "2026-13"), ("--month", "soon"), ("--tz", "Mars/Olympus"),
                      ("--last", "7d", "--month", month), ("--last", "7d", "--since", day), ("--top", "0"), ("--by", "model,day,model"),
                      ("--month", "0000-01"), ("--month", "2026-00"), ("--month", "2026-1x")):
            stage.command("report", *words, code=64)
        for zone in ("UTC", "Pacific/Kiritimati", "America/Adak"):
            for months in (-1, 0, 1, 2, 60):
                named = stage.value(f"SELECT to_char(now() AT TIME ZONE '{zone}' + interval '{months} months', 'YYYY-MM')")
                said = stage.command("report", "-q", "--month", named, "--tz", zone).splitlines()[0]
                check(("change since" in said) == (months <= 0), f"{named} in {zone} is compared: {said}")
                times = re.findall("20[0-9-]{8} [0-9:]{5}", said)
                check(times[0] < times[1] and times[2:] == sorted(times[2:]) and all(one <= times[0] for one in times[2:]), f"{named} in {zone}: {said}")


SAVED = """SELECT start_time::date, provider, model, unit, sum(quantity), sum(amount)
FROM spendlog.spend_items WHERE pricing_status = 'priced' GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3"""


def caches_saved(stage):
    """{(day, provider, model): (read, written, without rate, cost, as input)} of the items themselves."""
    saved = {}
    for group, items in itertools.groupby(stage.sql(SAVED), key=lambda item: item[:3]):
        units = {item[3]: (Fraction(item[4] or 0), Fraction(item[5])) for item in items}
        for unit, (quantity, amount) in units.items():
            if not unit.startswith("cache_"):
                continue
            kind = next((kind for kind in ("audio", "image") if kind in unit), "text")
            beside = units.get(f"input_{kind}_tokens", (0, 0))
            sums = saved.setdefault(tuple(group), [0] * 5)
            sums["write" in unit] += quantity
            if beside[0] > 0:
                sums[3] += amount
                sums[4] += quantity * beside[1] / beside[0]
            else:
                sums[2] += quantity
    return saved


def meters_and_doubts_by_group(servers):
    """By meter lines come to the spend and the items of the rows, each line tells what of it is doubtful, and what caches saved is told."""
    with Stage(servers, "report-meters") as stage:
        stage.produce(demo_lines() + [
            doubtful_event(1, usage={"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 777}),
            doubtful_event(2, usage={"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110,
                                     "prompt_tokens_details": {"cached_tokens": 500}}),
            doubtful_event(3, model="gpt-4o-mini", usage={"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110,
                                                          "prompt_tokens_details": {"cached_tokens": 100}})])
        stage.consume()

        def report(*words):
            return [json.loads(line, parse_float=Decimal) for line in stage.command("report", "-q", "--json", *words).splitlines()]
        spend = Decimal(stage.value("SELECT sum(spend) FROM spendlog.spend_logs"))
        for by in ("meter", "meter,team", "tag,meter", "day,meter"):
            lines = report("--by", by)
            if "tag" not in by:
                check_equal(sum(line["spend"] or 0 for line in lines), spend, f"sum by {by}")
            check(len({line["meter"] for line in lines}) > 4, f"meters by {by}: {lines}")
        items = {unit: (Decimal(quantity or 0), Decimal(amount)) for unit, quantity, amount in stage.sql(
            "SELECT unit, sum(quantity), sum(amount) FROM spendlog.spend_items GROUP BY 1")}
        check_equal({line["meter"]: (line["quantity"] or 0, line["spend"]) for line in report("--by", "meter") if line["meter"]}, items, "meters")
        others = report("--by", "meter", "--limit", "2")[2]
        check(others["spend"] and others["quantity"] is None, f"seconds and tokens have no sum: {others}")
        page = stage.command("report", "-q", "--by", "meter", "--format", "html")
        check("<button>quantity" in page and "<button>input tokens" not in page, "the page has no quantities")
        text = stage.command("report", "-q", "--by", "meter")
        check("quantity" in text and f"{stage.row_count():,} " in text.split("(total)")[1], f"calls of the total: {text}")
        for by, column in (("model", "model"), ("reason", "pricing_reason")):  # of the sums, and of rows
            want = {name: int(calls) for name, calls in stage.sql(f"SELECT {column}, count(*) FROM spendlog.doubtful_rows GROUP BY 1")}
            check(want, "nothing is doubtful")
            check_equal({line[by]: line["doubtful"] for line in report("--by", by) if line["doubtful"]}, want, f"doubtful by {by}")
        check("doubtful" in stage.command("report", "-q", "--by", "model").splitlines()[0], "no column for what is doubtful")
        return caches_are_told(stage)


def caches_are_told(stage):
    want = caches_saved(stage)
    told_before = stage.sql("SELECT * FROM spendlog.cache_savings ORDER BY 1, 2, 3")
    check(any(sums[4] > sums[3] for sums in want.values()), "no cache saves anything")
    check(any(sums[2] > 0 for sums in want.values()), "each cache has a rate beside")
    got = {tuple(row[:3]): row[3:] for row in stage.sql(
        "SELECT day, provider, model, read_tokens, written_tokens, tokens_without_rate, cost, as_input, saved "
        "FROM spendlog.cache_savings")}
    check_equal(set(got), set(want), "groups with a cache")
    for key, (read, written, without, cost, as_input) in want.items():
        told = [None if one == "\\N" else Fraction(one) for one in got[key]]
        check_equal(told[:3], [read, written, without], f"{key}")
        if without == read + written:
            check_equal(told[3:], [None] * 3, f"{key} has no rate")
        else:
            check(all(abs(one - expected) < Fraction(1, 10**12) for one, expected in zip(told[3:], (cost, as_input, as_input - cost))),
                  f"{key}: {got[key]}, not {cost}, {as_input}")
    stage.command("compact")
    check_equal(stage.sql("SELECT * FROM spendlog.cache_savings ORDER BY 1, 2, 3"), told_before, "after merging")
    return f"{len(want)} groups with a cache"


def browser():
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if shutil.which(name):
            return name
    raise Skipped("no Chromium here")


PROBE = """<script>
const groups = document.querySelector('#groups'), rows = () => [...groups.querySelectorAll('tbody tr')];
groups.querySelectorAll('th button')[5].click();
const calls = rows().map(r => +r.cells[5].dataset.v);
const texts = (root, what) => [...root.querySelectorAll(what)].map(c => c.textContent);
const figures = [...document.querySelectorAll('figure.chart')];
document.title = JSON.stringify({
  sorted: calls.every((v, i) => i == 0 || calls[i - 1] >= v), rows: calls.length > 3, images: document.images.length,
  foot: groups.querySelector('tfoot').textContent.includes('(total)'), names: texts(groups, 'td.k'),
  charts: texts(document, 'figcaption'), legends: figures.map(f => texts(f, '.legend span')),
  bars: figures.map(f => texts(f, 'rect title')),
  inside: figures.every(f => [...f.querySelectorAll('rect')].every(r => r.y.baseVal.value >= -0.1 && r.x.baseVal.value + r.width.baseVal.value <= 720.1)),
  movers: texts(document, '#movers td.k'), meters: texts(document, '#meters td.k'), open: texts(document, '#suspense td.k:first-child'),
  ground: getComputedStyle(document.body).backgroundColor, wide: document.body.scrollWidth <= innerWidth,
  loaded: performance.getEntriesByType('resource').length});
</script></body>"""


def page_seen(program, stage, page, width, *words):
    path = os.path.join(stage.folder, "page.html")
    with open(path, "w", encoding="utf-8") as out:
        out.write(page.replace("</body>", PROBE))
    done = subprocess.run([program, "--headless", "--no-sandbox", "--disable-gpu", f"--window-size={width},900", *words,
                           f"--user-data-dir={stage.folder}/browser", "--dump-dom", "file://" + path],
                          capture_output=True, text=True, timeout=240)
    found = re.search(r"<title>(\{.*?)</title>", done.stdout, re.S)
    check(found, f"no page: {done.stderr[-600:]}")
    return json.loads(html.unescape(found.group(1)))


def a_page_shows_corrections(servers):
    """What corrections take from more than was spent is on the page with its sign; of a period without a price no spend is said."""
    with Stage(servers, "page-corrections", partitions=1) as stage:
        stage.produce(demo_lines())
        stage.consume()
        stage.sql("CREATE TEMP TABLE old AS SELECT * FROM spendlog.spend_logs WHERE spend > 0 ORDER BY spend DESC LIMIT 1; "
                  "UPDATE old SET start_time = start_time - interval '62 days', end_time = NULL, first_token_time = NULL, model = 'corrected', identity = gen_random_uuid(); "
                  "SELECT spendlog.ensure_partition(start_time::date) FROM old; INSERT INTO spendlog.spend_logs SELECT * FROM old; "
                  "SELECT spendlog.sums_remake('-infinity', 'infinity')")
        identity, month, spend = stage.sql("SELECT identity, date_trunc('month', start_time)::date, spend FROM spendlog.spend_logs WHERE model = 'corrected'")[0]
        stage.sql(f"SELECT spendlog.period_close('{month}', now())")
        stage.command("exclude", "--identity", identity, "--why", "a test")
        day = stage.value("SELECT counts_on FROM spendlog.exclusions")
        check(not day.startswith(month[:7]), f"counts on {day}")
        page = stage.command("report", "-q", "--by", "model", "--since", stage.value(f"SELECT '{day}'::date - 20"), "--format", "html")
        bars = re.findall("<title>([^<]*)", page)
        mark = re.search(rf"<title>{day}[0-9: ]*, (?:corrected|other): (-[0-9.e-]+) USD", page)
        check(mark and abs(Decimal(mark.group(1)) + Decimal(spend)) <= Decimal(spend) / 100, f"no correction of {spend} on {day}: {bars}")
        for since in (day, "2001-01-01"):
            lines = [json.loads(line) for line in stage.command("report", "-q", "--by", "model", "--since", since, "--json").splitlines()]
            total = sum(line["spend"] or 0 for line in lines)
            check(all((line["share_percent"] is None) == (line["spend"] is None or total <= 0) for line in lines), f"shares of {total}: {lines}")
        empty = stage.command("report", "-q", "--month", "2001-01", "--format", "html")
        check('class="total">- USD' in empty, "nothing was spent and no price is known are not the same")


def a_page_is_read_by_a_browser(servers):
    """The HTML of a report in a real browser: charts, movers, meters and what is not settled; names are texts, nothing is loaded."""
    program = browser()
    with Stage(servers, "page", partitions=1) as stage:
        team = "<img src=x onerror=alert(1)>"
        stage.produce(demo_lines() + [message_of(demo_event(id="evil", litellm_call_id="evil", metadata={
            "user_api_key_team_id": team, "user_api_key_team_alias": team}))])
        stage.consume()
        stage.sql("CREATE TEMP TABLE more AS SELECT * FROM spendlog.spend_logs WHERE team_id = 'team-search'; "
                  "UPDATE more SET start_time = start_time - interval '8 days', end_time = NULL, first_token_time = NULL; "
                  "SELECT spendlog.ensure_partition(start_time::date) FROM more GROUP BY start_time::date; "
                  "INSERT INTO spendlog.spend_logs SELECT * FROM more; SELECT spendlog.sums_remake('-infinity', 'infinity')")
        page = stage.command("report", "-q", "--by", "team,provider", "--last", "7d", "--top", "60", "--format", "html")
        spent = Decimal(stage.value("SELECT sum(spend) FROM spendlog.spend_logs WHERE start_time >= current_date - 6"))
        check(f"{int(spent):,}." in page.split('class="total">')[1][:40], "the total")
        for width in (1280, 400):
            seen = page_seen(program, stage, page, width)
            check(team in seen.pop("names"), "a name is not there as it is")
            legends = seen.pop("legends")
            check(team in legends[1] and len(legends[0]) == 8 and legends[0][-1] == "other", f"legends: {legends}")
            bars = seen.pop("bars")
            day = stage.value("SELECT max(start_time)::date FROM spendlog.spend_logs")
            check(all(any(day in bar for bar in of) and all(bar.endswith(" USD") for bar in of) for of in bars), f"bars: {bars}")
            movers, meters, kinds = seen.pop("movers"), seen.pop("meters"), seen.pop("open")
            check(len(movers) >= 10, f"what moved: {movers}")
            check("input_tokens" in meters and "of these cache_read_tokens" in meters, f"meters: {meters}")
            of_spend = {one.removeprefix("of this spend ") for one in meters if one.startswith("of this spend ")}
            check_equal(of_spend, {name for name, in stage.sql("SELECT DISTINCT meter FROM spendlog.spend_by_meter WHERE part_of IS NOT NULL "
                                                               "AND (meter !~ '_tokens$' OR part_of !~ '_tokens$') AND day >= current_date - 6")},
                        "meters of which the spend alone is part of the whole")
            check(any("second" in one for one in of_spend), f"no seconds: {of_spend}")
            check_equal(set(kinds), {row[0] for row in stage.sql("SELECT what FROM spendlog.suspense")}, "not settled")
            check_equal(seen, {"sorted": True, "rows": True, "images": 0, "foot": True, "wide": True, "loaded": 0, "inside": True,
                               "charts": ["Spend by model, US dollars", "Spend by team, US dollars"], "ground": "rgb(255, 255, 255)"},
                        f"{width} pixels")
        dark = page_seen(program, stage, page, 1280, "--blink-settings=preferredColorScheme=0")
        check_equal(dark["ground"], "rgb(18, 22, 29)", "dark")
        empty = stage.command("report", "-q", "--month", "2001-01", "--format", "html")
        check("<svg" not in empty and "(total)" in empty, "a month without a call")
        hours = stage.command("report", "-q", "--last", "24h", "--format", "html")
        check(re.search(r"<title>20[0-9-]{8} [0-9]{2}:00, ", hours), "bars of hours")


def explained_from_the_database(servers):
    """`explain REQUEST_ID` gives the stored spend, its items and where each rate came from."""
    with Stage(servers, "explain") as stage:
        stage.produce(demo_lines())
        stage.consume()
        request_id, spend = stage.sql(
            "SELECT request_id, spend FROM spendlog.spend_logs WHERE pricing_status = 'priced' "
            "AND cache_read_tokens > 0 AND output_tokens > 0 ORDER BY request_id LIMIT 1")[0]
        told = json.loads(stage.command("explain", "-q", "--json", request_id).splitlines()[0],
                          parse_float=Decimal, parse_int=Decimal)
        check_equal(told["spend"], Decimal(spend), f"spend of {request_id}")
        check_equal(sum(item["amount"] for item in told["items"]), Decimal(spend), "sum of its items")
        check(all(item["source"] for item in told["items"]), "an item without its source")


def many_rows_of_one_request(servers):
    """`explain` shows the first 20 rows of a request and says that there are more; `exclude` names 8 of them."""
    with Stage(servers, "manyrows") as stage:
        def rows(request, count):
            return [message_of(demo_event(id=request, litellm_call_id=f"{request}-{i}")) for i in range(count)]
        stage.produce(rows("twenty", 20) + rows("more", 21))
        stage.consume()

        def told(*words):
            done = subprocess.run([SPENDLOG, *words, "-c", stage.config("owner", user="spendlog")], capture_output=True, text=True)
            return done.returncode, done.stdout, done.stderr
        for request, more in (("twenty", False), ("more", True)):
            _, out, said = told("explain", "--json", request)
            check_equal(len(out.splitlines()), 20, f"rows shown of {request}: {said}")
            check_equal("more than 20 rows" in said, more, f"what is said of the others of {request}: {said}")
        code, _, said = told("exclude", "more", "--why", "test")
        check_equal(code, 65, f"exit code of exclude: {said}")
        check("21 rows are of more" in said and "and 13 more" in said, f"rows named: {said}")
        reason = "\t" + "x" * 100_000
        code, out, said = told("exclude", "twenty-1", "--why", reason, "--json")
        check_equal((code, json.loads(out)["why"]), (0, reason), f"a long reason: {said}")
        _, out, _ = told("exclude", "--list", "--json")
        check_equal(json.loads(out)["why"], reason, "the same in the list")
        code, out, said = told("explain", "twenty-1", "--json")
        aside = json.loads(out)
        check_equal((code, aside["excluded"], [entry["why"] for entry in aside["exclusions"]]), (0, True, [reason]), f"explained: {said}")
        check("SET ASIDE, counts in no sum:\n  1 " in told("explain", "twenty-1")[1], "for people")
        code, _, said = told("exclude", "--restore", "twenty-1", "--why", "a call after all")
        check_equal(code, 0, f"put back: {said}")
        aside = json.loads(told("explain", "twenty-1", "--json")[1])
        check_equal((aside["excluded"], [entry["action"] for entry in aside["exclusions"]]), (False, ["exclude", "restore"]), "put back")
        out = told("explain", "twenty-1")[1]
        check("put back, counts:" in out and "by spendlog: a call after all" in out, f"put back, for people: {out[-300:]}")
        aside = json.loads(told("explain", "twenty-2", "--json")[1])
        check_equal((aside["excluded"], aside["exclusions"]), (False, []), "a row that nobody set aside")


SETTINGS = {"bootstrap.servers": "  bootstrap.servers: {brokers}\n", "group.id": "  group.id: needs\n",
            "topics": "topics: [{{name: needs.usage}}]\n", "postgres": "postgres: {postgres}\n"}


def run_and_check_miss_the_same(servers):
    """Each setting that `run` needs is missed by it and by `check` with file and line, exit 78, before a port opens."""
    folder = os.path.join(servers.folder, "needs")
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "spendlog.yaml")
    port = free_port()
    values = {"brokers": servers.brokers, "postgres": f"host={servers.socket_folder} user=spendlog dbname=spend"}

    def answers(text):
        """Exit code and complaint of both, which have to be the same."""
        with open(path, "w") as out:
            out.write(text)
        said = [subprocess.run([SPENDLOG, *words, "-c", path], capture_output=True, text=True, timeout=60)
                for words in (("run", "--exit-eof"), ("check", "-q", "--offline"))]
        complaints = [[line for line in one.stderr.splitlines() if line.startswith("spendlog: ")] for one in said]
        check_equal(complaints[0], complaints[1], "what run and check say")
        check_equal([one.returncode for one in said], [78, 78], f"exit codes ({said[0].stderr[-300:]})")
        check("lanes, group" not in said[0].stderr, "run had begun")
        return complaints[0][0]

    for name in SETTINGS:
        text = "kafka:\n  client.id: needs\n" + "".join(
            line.format(**values) for other, line in SETTINGS.items() if other != name)
        said = answers(text + f'metrics: {{listen: "127.0.0.1:{port}"}}\n')
        check(re.search(rf"spendlog.yaml:\d+: .*{re.escape(name)} is not set", said), f"without {name}: {said}")
    whole = "".join(line.format(**values) for line in SETTINGS.values())
    for broken, word in ((f"kafka:\n  no.such.property: 1\n{whole}", "no.such.property"),
                         (f"kafka:\n{whole}".replace("postgres: host=", "postgres: hots="), "connection string")):
        said = answers(broken)
        check(re.search(r"spendlog.yaml:\d+", said) and word in said, f"{word}: {said}")


def http(port, path, method="GET"):
    """(status, body) as the service's own endpoint answers."""
    connection = client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def wait_until_ready(member, port, timeout_s=60):
    try:
        wait_for("ready", lambda: ask_ready(port) == (200, "ready\n"), timeout_s)
    except Failed as failed:
        raise Failed(f"{failed}: {ask_ready(port)}{member.tail()}") from None


def ask_ready(port):
    try:
        return http(port, "/ready")
    except OSError:
        return None


def wait_until_not_ready(port, words, timeout_s=60):
    """It says one of the words, in one line, and lives all the same."""
    said = []

    def unready():
        said[:] = [ask_ready(port)]
        return said[0] and said[0][0] == 503 and any(word in said[0][1] for word in words)
    try:
        wait_for(f"a reason with one of {words}", unready, timeout_s)
    except Failed as failed:
        raise Failed(f"{failed}: {said}") from None
    check_equal(said[0][1].count("\n"), 1, f"lines of {said[0][1]!r}")
    check_equal(http(port, "/health"), (200, "ok\n"), "/health meanwhile")


def ready_says_why_not(servers):
    """/ready is 503 with the reason: no such topic, no PostgreSQL, no broker, a halted partition; else 200. /health is 200."""
    port = free_port()
    listen = {"metrics": f"127.0.0.1:{port}", "ready_s": 2}
    with Stage(servers, "ready", partitions=1) as stage:
        member = stage.start(**listen)
        wait_until_ready(member, port)
        for path, status in (("/ready", 200), ("/metrics", 200), ("/health", 200), ("/nothing", 404)):
            check_equal(http(port, path, "HEAD"), (status, ""), f"HEAD {path}")
        check_equal(http(port, "/ready", "POST")[0], 405, "POST")
        servers.local("postgres-down", "immediate")
        wait_until_not_ready(port, ("lane ",))
        servers.local("postgres-up")
        wait_until_ready(member, port)
        servers.local("kafka-down", "KILL")
        wait_until_not_ready(port, ("broker", "lane "))
        servers.local("kafka-up")
        wait_until_ready(member, port)
        stage.produce([message_of(demo_event(litellm_call_id=f"ready-{i}")) for i in range(4)])
        stage.await_rows(4)
        check_equal(member.end(), 0, f"exit code{member.tail()}")

        stage.produce([message_of(demo_event(litellm_call_id=f"gone-{i}")) for i in range(4)])
        servers.kafka_tool("trim", stage.topic, 0, 6)
        member = stage.start(**listen)
        wait_until_not_ready(port, ("kafka_gap",))
        check_equal(member.end(), 1, f"exit code with a halted partition{member.tail()}")

        there, stage.topic = stage.topic, "ready.mistyped"
        try:
            member = stage.start(**listen)
            wait_until_not_ready(port, ("topic ready.mistyped does not exist",))
            check_equal(member.end(), 0, f"exit code{member.tail()}")
            member = stage.start("--exit-eof")
            check_equal(member.wait(60), 69, f"exit code of --exit-eof{member.tail()}")
            check("topic ready.mistyped does not exist" in member.text(), f"not told{member.tail()}")
            done = subprocess.run([SPENDLOG, "check", "-q", "-c", stage.config("checked", user="spendlog")],
                                  capture_output=True, text=True, timeout=60)
            check_equal(done.returncode, 78, f"exit code of check: {done.stderr}")
            check("checked.yaml:6: topic ready.mistyped does not exist" in done.stderr, f"check: {done.stderr}")
        finally:
            stage.topic = there


def refused(stage, *words, user="spendlog"):
    """What a command that fails says, with its exit code."""
    done = subprocess.run([SPENDLOG, words[0], "-c", stage.config(f"as-{user}", user=user), *words[1:]],
                          capture_output=True, text=True, timeout=60)
    check(done.returncode != 0, f"{words}: exit 0: {done.stdout[-300:]}")
    return done.returncode, done.stderr.strip()


def what_is_asked_for_is_what_is_shown(servers):
    """A rejected record has one name; what is not a number or a time is refused; errors hold no SQL of ours."""
    with Stage(servers, "shown", partitions=1) as stage:
        stage.produce([b"{not json", b'[{"id":"a","call_type":"acompletion","hidden_params":{},"prompt_tokens":-1},7,'
                       b'{"id":"b","call_type":"acompletion","hidden_params":{},"prompt_tokens":-2}]'])
        stage.consume()
        topic = stage.topic

        def records(name):
            return [tuple(map(int, found)) for found in re.findall(
                r"partition (\d+), offset (\d+), record (\d+)", stage.command("rejected", "-q", "show", name))]
        check_equal(records(f"{topic}/0/0"), [(0, 0, 0)], "records of offset 0")
        check_equal(records(f"{topic}/0/1"), [(0, 1, 0), (0, 1, 2)], "records of offset 1")
        check_equal(records(f"{topic}/0/1/2"), [(0, 1, 2)], "record 2")
        check_equal(refused(stage, "rejected", "-q", "show", f"{topic}/0/1/1")[0], 65, "exit code for what is not a record")
        for name in ("4294967296/0", "0/9223372036854775808", "0/1/4294967296", "0/1/", "0/1/x", "0/ 1", "-0/1", "0/1/2/3"):
            check_equal(refused(stage, "rejected", "-q", "show", f"{topic}/{name}")[0], 64, f"exit code for {name}")
        late = "2026-10-03T12:00:00.000000" + "0" * 20 + "Z"
        for words in (("report", "--since", late), ("rejected", "list", "--until", late)):
            code, said = refused(stage, *words)
            check_equal(code, 64, f"exit code of {words}: {said}")
        servers.psql("postgres", "DROP ROLE IF EXISTS integration_nobody")
        servers.psql("postgres", "CREATE ROLE integration_nobody LOGIN")
        for words in (("report", "-q"), ("verify", "-q"), ("rejected", "-q", "list"), ("reprice", "--dry-run", "-q")):
            _, said = refused(stage, *words, user="integration_nobody")
            check("permission denied" in said, f"{words}: {said}")
            check(not re.search(r"\b(SELECT|FROM|WHERE|BEGIN|SET|INSERT)\b", said), f"SQL in what {words} says: {said}")


def a_file_may_shrink_while_it_is_read(servers):
    """A file that is cut while `price` reads it ends its reading, not the program."""
    path = os.path.join(servers.folder, "shrinking.jsonl")
    line = demo_lines()[0] + b"\n"
    with open(path, "wb") as out:
        out.write(line * 20000)
    price = subprocess.Popen([SPENDLOG, "price", "-q", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    first = price.stdout.readline()  # it waits for us from here on, far from the end of the file
    os.truncate(path, len(line) * 10)
    out, errors = price.communicate(timeout=60)
    check(price.returncode in (0, 65), f"exit code {price.returncode} ({errors.decode()[-300:]})")  # a line may be cut
    check(first and out.count(b"\n") < 20000, "it was not cut in time")
    os.unlink(path)


def model_without_a_price_is_healed(servers):
    """An unpriced model stands in unpriced_models; with its price in the map `reprice --unpriced` heals its rows."""
    with Stage(servers, "unpriced", partitions=1) as stage:
        path = os.path.join(stage.folder, "cost_map.json")
        with open(path, "w") as out:
            json.dump({"other": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1.0}}, out)
        pricing = f"{{cost_map: {path}}}"
        stage.produce([reload_event(1), reload_event(2)])
        stage.consume(pricing=pricing)
        check_equal(stage.sql("SELECT model FROM spendlog.unpriced_models"), [["gpt-reload"]], "unpriced models")
        cost_map_of(stage, "0.001")
        config = stage.config("healed", user="spendlog", pricing=pricing)
        run_checked([SPENDLOG, "reprice", "-q", "-c", config, "--unpriced"])
        check_equal(stage.sql("SELECT model FROM spendlog.unpriced_models"), [], "unpriced models afterwards")
        check_equal(Decimal(stage.value("SELECT sum(spend) FROM spendlog.spend_logs")), Decimal(2), "spend")
        run_checked([SPENDLOG, "verify", "-q", "-c", config])


def doubtful_event(number, **fields):
    start_s = int(time.time()) - 3600 + number
    return message_of({"id": f"doubtful-{number}", "object": "chat.completion", "created": start_s, "model": "gpt-4o", **fields})


def doubts_are_seen(servers):
    """Counts that contradict each other stand in doubtful_rows with what was tried, and below the total of a report."""
    with Stage(servers, "doubts", partitions=1) as stage:
        stage.produce([
            doubtful_event(1, usage={"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}),
            doubtful_event(2, usage={"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110,
                                     "completion_tokens_details": {"reasoning_tokens": 500}}),
            doubtful_event(3, usage={"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 777}),
            doubtful_event(4)])
        stage.consume()
        rows = stage.sql("SELECT request_id, array_to_string(doubts, ','), array_to_string(readings_tried, '; ')"
                         " FROM spendlog.doubtful_rows ORDER BY 1")
        check_equal(rows, [
            ["doubtful-2", "counts_contradict", "total as sent: 110; input + output: 110; with reasoning outside: 610"],
            ["doubtful-3", "counts_contradict", "total as sent: 777; input + output: 110"]], "doubtful rows")
        check_equal(stage.sql("SELECT pricing_reason, calls FROM spendlog.unpriced_models"),
                    [["underivable_no_usage", "1"]], "calls without counts")
        out = stage.command("report", "--by", "model")
        check(re.search(r"doubtful: 2 ", out), f"report says: {out}")


def signals_held(pid):
    """Whether SIGTERM of the process is blocked, for its own threads to wait for."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        mask = next(int(line.split()[1], 16) for line in status if line.startswith("SigBlk:"))
    return bool(mask >> (signal.SIGTERM - 1) & 1)


def answers(port, path):
    try:
        return http(port, path)[0] == 200
    except OSError:
        return False


def ended_with(connection):
    """What the service said before it closed the connection; a close by reset says nothing."""
    connection.settimeout(60)
    try:
        return connection.recv(4096)
    except ConnectionResetError:
        return b""


def half_open_requests_are_given_up(servers):
    """Requests that never end take no more than seconds from /metrics, and are ended by the service."""
    port = free_port()
    with Stage(servers, "halfopen", partitions=1) as stage:
        member = stage.start(metrics=f"127.0.0.1:{port}", ready_s=2)
        wait_until_ready(member, port)
        half = [socket.create_connection(("127.0.0.1", port), 10) for _ in range(150)]
        for one in half:
            one.sendall(b"GET /metrics HTTP/1.1\r\n")
        wait_for("an answer beside them", lambda: answers(port, "/metrics"), 60)
        for one in half:
            check(not ended_with(one).startswith(b"HTTP/1.1 200"), "half a request was answered")
            one.close()
        check_equal(member.end(), 0, f"exit code{member.tail()}")


def term_is_heard_while_it_starts(servers):
    """SIGTERM at any moment of the start, with a broker that does not answer, ends the service with 0."""
    with Stage(servers, "early", partitions=1) as stage, socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen(64)
        config = os.path.join(stage.folder, "mute.yaml")
        with open(stage.config("early"), encoding="ascii") as tuned, open(config, "w", encoding="ascii") as out:
            out.write(tuned.read().replace(servers.brokers, f"127.0.0.1:{mute.getsockname()[1]}"))
        for moment_ms in (100, 250, 400, 700, 1000):
            run = subprocess.Popen([SPENDLOG, "run", "-c", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            wait_for("signals that are held", lambda: signals_held(run.pid) or run.poll() is not None, 20, 0.01)
            time.sleep(moment_ms / 1000)
            run.send_signal(signal.SIGTERM)
            check_equal(run.wait(30), 0, f"exit code, {moment_ms} ms after the signals were held")


def errors_help(servers):
    """What is wrong is named: no schema, an unknown dimension, a tab, a port; no head stands before an error, ids are whole."""
    with Stage(servers, "errors", partitions=1) as stage:
        servers.psql("postgres", "DROP DATABASE IF EXISTS errors_bare")
        servers.psql("postgres", "CREATE DATABASE errors_bare")
        bare = os.path.join(stage.folder, "bare.yaml")
        with open(bare, "w", encoding="ascii") as out:
            out.write(f"postgres: host={servers.socket_folder} user=spendlog dbname=errors_bare\n")

        def said(code, *words):
            done = subprocess.run([SPENDLOG, *words], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)
            check_equal(done.returncode, code, f"exit code of {words}: {done.stderr}")
            if code not in (0, 1):
                check_equal(done.stdout, "", f"what {words} prints beside its error")
            return done.stdout + done.stderr
        for words in (("report",), ("report", "--format", "csv"), ("report", "--format", "html"), ("explain", "x"), ("verify",),
                      ("rejected", "list"), ("periods", "list"), ("periods", "close", "2020-01"), ("exclude", "--list"),
                      ("retention", "show"), ("reprice", "--dry-run"), ("reprice", "--all")):
            check("there is no spendlog schema; run spendlog migrate" in said(78, *words, "-c", bare), f"{words}")
        servers.psql("postgres", "DROP DATABASE errors_bare")
        owner = stage.config("errors", user="spendlog")
        for words, meant in ((("chek",), "did you mean check?"), (("run", "--exit-oef"), "did you mean --exit-eof?"),
                             (("reprice", "--dryrun"), "did you mean --dry-run?"), (("status", "--jsn"), "did you mean --json?"),
                             (("-c", bare, "check"), "stands where the command belongs"), (("check", "--zzz"), 'unknown option "--zzz";')):
            check(meant in said(64, *words), f"{words}: {said(64, *words)}")
        check("model, group, provider" in said(64, "report", "-c", owner, "--by", "foo"), "what there is to report by")
        key = "k" * 90
        stage.produce([message_of(demo_event(metadata={"user_api_key_alias": key, "user_api_key_hash": "a" * 64}))])
        stage.consume()
        check(key in said(0, "report", "-c", owner, "--by", "key"), "a key is cut")
        asked = said(64, "reprice", "-c", owner)
        check(re.search(r"all rows: 1 days, about \d+ rows", asked) and "--all" in asked, f"reprice without a filter: {asked}")
        said(64, "reprice", "-c", owner, "--all", "--model", "x")
        out = said(0, "explain", "--event", os.path.join(ROOT, "tests/cases/demo/litellm-events.jsonl"), "-c", owner)
        check(re.search(r"started_at=20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d", out), f"a time of explain: {out[:600]}")
        broken = os.path.join(stage.folder, "broken.yaml")
        for text, words in (("kafka:\n\tgroup.id: x\n", ":2:1: a tab"), ("storage:\n  retain_days: 0\n \tfuture_days: 1\n", ":3:2: a tab"),
                            ('metrics: {listen: "127.0.0.1:94640"}\n', "port 94640 is not between"),
                            ("postgres: host=x port=54320000 dbname=y\n", "port of the connection string is not between"),
                            ("kafka: {bootstrap.servers: 'a:9092', group.id: g}\ntopics:\n  - {name: t}\n  - {name: u, mappings: [litelm]}\npostgres: host=x\n",
                             'broken.yaml:4: topic u: no mapping "litelm": did you mean "litellm"?'),
                            ("postgres: postgresql://u@h:0/y\n", "port of the connection string is not between"),
                            ("kafka: {bootstrap.servers: 'a:9092,b:90920', group.id: g}\ntopics: [{name: t}]\npostgres: host=x\n",
                             "port 90920 is not between")):
            with open(broken, "w", encoding="ascii") as out:
                out.write(text)
            done = subprocess.run([SPENDLOG, "check", "-c", broken], capture_output=True, text=True, timeout=60)
            check(done.returncode == 78 and words in done.stderr, f"{text!r}: {done.returncode} {done.stderr}")


ALL = (errors_help, half_open_requests_are_given_up, term_is_heard_while_it_starts,
       doubts_are_seen, books_of_other_rules_are_noted, run_and_check_miss_the_same, model_without_a_price_is_healed,
       what_is_asked_for_is_what_is_shown, a_file_may_shrink_while_it_is_read,
       ready_says_why_not, sigterm_ends_cleanly, sighup_reloads_whole_or_not_at_all, report_adds_up, report_compares_periods, meters_and_doubts_by_group, a_page_shows_corrections, a_page_is_read_by_a_browser,
       explained_from_the_database, many_rows_of_one_request)
