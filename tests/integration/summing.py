# SPDX-License-Identifier: Apache-2.0
"""Sums of rows that say odd things, on servers that are set in odd ways."""
import json
import lzma
import os
import random
import subprocess
from decimal import Decimal

from harness.report import check, check_equal
from harness.servers import run_checked
from integration.repricing import FILL_ROWS, NEW_PRICES
from integration.stage import EVENTS, Stage, demo_event, message_of
from integration.upgrading import OLD, load

LONG = 8000  # bytes of a text: it is cut at 8,192, and an index of texts ends at 2,704
NO_DRIFT = "drift: {events: 0}\n"


def filled(stage, rows=400, first="2026-03-28", days=4):
    place = f"host={stage.servers.socket_folder} port=5432 user=spendlog dbname={stage.database}"
    run_checked([FILL_ROWS, place, EVENTS, str(rows), first, str(days)])


def long_text(seed):
    """Of letters that do not compress below what an index takes."""
    return "".join(random.Random(seed).choices("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", k=LONG))


def agree(stage, where):
    """Sums, totals and what is kept for budgets are what the rows come to."""
    check_equal(stage.sql("SELECT * FROM spendlog.sums_differ(true)"), [], f"sums, {where}")
    check_equal(stage.sql("SELECT * FROM spendlog.totals_differ()"), [], f"totals, {where}")


def spent_by_rows(stage, scope, name):
    """Calls and spend by spent_in(), and by the entries."""
    told = stage.sql(f"SELECT calls, spend FROM spendlog.spent_in('{scope}', '{name}', '2020-01-01', '2030-01-01')")
    column = {"end_user": "end_user", "team": "team_id", "user": "user_id", "model": "model", "all": "''"}[scope]
    rows = stage.sql(f"SELECT sum(calls), sum(spend) FROM spendlog.spend_entries WHERE {column} = '{name}'")
    return [[(int(calls), Decimal(spend)) for calls, spend in one] for one in (told, rows)]


def texts_of_any_length_are_summed(servers):
    """Ids of 8,000 letters are stored, merged, found again, priced anew and compared; one that long has no budget."""
    names = {what: long_text(what) for what in ("end_user", "team", "user", "model")}
    with Stage(servers, "long-texts", partitions=1) as stage:
        event = demo_event()
        metadata = {**event["metadata"], "user_api_key_end_user_id": names["end_user"], "user_api_key_team_id": names["team"],
                    "user_api_key_user_id": names["user"]}
        stage.produce([message_of(demo_event(litellm_call_id=f"long-{n}", end_user=names["end_user"], metadata=metadata)) for n in range(3)])
        stage.consume()
        stage.sql(f"UPDATE spendlog.spend_logs SET model = '{names['model']}' WHERE start_time = (SELECT max(start_time) FROM spendlog.spend_logs)")
        stage.sql("SELECT spendlog.sums_remake(d.day, d.day + 1) FROM spendlog.stored_days() d")
        check_equal(stage.sql("SELECT count(*) FROM spendlog.spend_logs WHERE length(end_user) = 8000 AND length(team_id) = 8000"), [["3"]], "rows")
        stage.command("compact")
        agree(stage, "merged")
        for scope in names:
            told, rows = spent_by_rows(stage, scope, names[scope])
            check_equal(told, rows, f"spent by a {scope}")
            check(told[0][0] > 0, f"no call of the {scope}")
        check_equal(stage.value("SELECT sum(calls) FROM spendlog.spend_of('end_user', '2020-01-01', '2030-01-01', "
                                f"end_users => ARRAY['{names['end_user']}'])"), "3", "calls of an end user")
        stage.command("budget", "set", "end_user", names["end_user"], "1", code=65)
        prices = os.path.join(stage.folder, "prices.yaml")
        with open(prices, "w") as out:
            out.write(NEW_PRICES)
        stage.command("reprice", "--all", "-q", extra=f"pricing: {{litellm_config: {prices}}}\n{NO_DRIFT}")
        stage.command("compact")
        agree(stage, "priced anew")


def a_tag_that_is_said_twice_is_one(servers):
    """A row with a tag twice, as earlier versions stored it, and one that is NULL, as a hand may write it: by tag it is one call, in no total of NULL; merged and not."""
    with Stage(servers, "null-tags", partitions=1) as stage:
        filled(stage, 40, days=1)
        stage.sql("UPDATE spendlog.spend_logs SET request_tags = ARRAY['a', NULL, 'a'] WHERE identity = (SELECT min(identity::text)::uuid "
                  "FROM spendlog.spend_logs)")
        stage.sql("SELECT spendlog.sums_remake('2026-03-28', '2026-03-29')")
        by_tag = ("SELECT tag, sum(calls) FROM spendlog.spend_by_tag WHERE tag IS NULL OR tag = 'a' GROUP BY 1",
                  "SELECT id, sum(calls) FROM spendlog.spend_of('tag', '2026-03-28', '2026-03-29') WHERE id IS NULL OR id = 'a' GROUP BY 1",
                  "SELECT 'a', calls FROM spendlog.spent_in('tag', 'a', '2026-03-28', '2026-03-29')",
                  "SELECT individual_request_tag, log_count FROM litellm.\"DailyTagSpend\" WHERE individual_request_tag = 'a'",
                  "SELECT tag, sum(api_requests) FROM litellm.\"LiteLLM_DailyTagSpend\" WHERE tag = 'a' GROUP BY 1",
                  "SELECT id, sum(calls) FROM spendlog.spend_of('tag', '2026-03-28', '2026-03-29', models => ARRAY(SELECT model "
                  "FROM spendlog.spend_logs)) WHERE id = 'a' GROUP BY 1",
                  "SELECT id, sum(calls) FROM spendlog.spend_of('tag', '2026-03-28', '2026-03-29', end_users => ARRAY(SELECT end_user "
                  "FROM spendlog.spend_logs)) WHERE id IS NULL GROUP BY 1")
        before = [stage.sql(sql) for sql in by_tag]
        check_equal(before[:6], [[["a", "1"]]] * 6, "by tag")
        stage.command("compact")
        check_equal([stage.sql(sql) for sql in by_tag], before, "by tag, merged")
        stage.command("budget", "set", "tag", "a", "1")
        said = stage.warnings("budget", "set", "all", "1", "--period", "week")
        check_equal(said, "", "what is said of a budget of all")
        stage.command("budget", "remove", "all", "--period", "week")
        check_equal([stage.sql(sql) for sql in by_tag], before, "by tag, of whom has a budget")
        agree(stage, "with a tag that is NULL")


def long_texts_of_0_1_0_stay_wide(servers):
    """A row of 0.1.0 with an id of 8,000 letters: migrate and migrate --carry leave its words in it, and in its line; sums agree."""
    with Stage(servers, "long-old", partitions=1) as stage:
        with lzma.open(OLD, "rt", encoding="utf-8") as text:
            load(servers, stage, "long_old_texts", text.read())
        stage.sql(f"UPDATE spendlog.spend_logs SET user_id = '{long_text('user')}' WHERE identity = (SELECT min(identity::text)::uuid "
                  "FROM spendlog.spend_logs)")
        stage.command("migrate", "-q")
        holder = subprocess.Popen(["psql", "-XAtq", "-h", servers.socket_folder, "-p", "5432", "-U", "spendlog", "-d", stage.database],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        holder.stdin.write("SELECT * FROM spendlog.days_claim(ARRAY(SELECT day FROM spendlog.stored_days() LIMIT 1));\n\\echo held\n")
        holder.stdin.flush()
        check_equal(holder.stdout.readline(), "held\n", "a day is held")
        said = stage.command("migrate", "-q", "--carry", code=75)
        check("stays for another time" in said, f"of the day that is held: {said}")
        holder.communicate()
        stage.command("migrate", "-q", "--carry")
        check_equal(stage.sql("SELECT count(*), sum(length(user_id)) FROM spendlog.stored_rows WHERE call_no IS NULL"), [["1", "8000"]], "wide rows")
        check_equal(stage.value("SELECT max(length(user_id)) FROM spendlog.shared_callers") < "8000", True, "words of the dictionary")
        stage.command("compact")
        agree(stage, "carried over")
        told, rows = spent_by_rows(stage, "user", long_text("user"))
        check_equal(told, rows, "spent by the user")


def nothing_of_a_dropped_day_is_to_be_looked_at(servers):
    """Retention takes all of a day out of what is in doubt: also money of lines that count no row, as of rows that were priced anew before they were carried over."""
    with Stage(servers, "in-doubt", partitions=1) as stage:
        filled(stage, 40, days=1)
        stage.sql("UPDATE spendlog.stored_rows SET flags = flags | 1024")
        stage.sql("SELECT spendlog.sums_remake('2026-03-28', '2026-03-29')")
        # of a line of the dictionaries a part is told by its words, as it was before it had numbers
        stage.sql("""
          CREATE TEMP TABLE line AS SELECT * FROM spendlog.spend_deltas WHERE about & 9 = 9 AND call_no IS NOT NULL AND spend > 0 LIMIT 1;
          UPDATE line SET entries = 0, calls = 0, spent = 0, costed = 0, gateway_calls = NULL, input_calls = NULL, output_calls = NULL,
            cache_read_calls = NULL, cache_write_calls = NULL, reasoning_calls = NULL, timed_calls = NULL, differing = NULL, by_clock = NULL,
            spend = -0.5, input_cost = NULL, output_cost = NULL, other_cost = NULL, gateway_cost = NULL, input_tokens = NULL,
            output_tokens = NULL, cache_read_tokens = NULL, cache_write_tokens = NULL, reasoning_tokens = NULL, duration_us = NULL,
            cache_read_cost = NULL, cache_write_cost = NULL, reasoning_cost = NULL, quantity = NULL;
          INSERT INTO spendlog.spend_deltas SELECT * FROM line;
          UPDATE line l SET call_no = NULL, caller_no = NULL, spend = 0.5, provider = c.provider, model = c.model, model_group = c.model_group,
            call_type = c.call_type, status = c.status, api_key = nullif(k.api_key, ''), api_key_alias = nullif(k.api_key_alias, ''),
            user_id = nullif(k.user_id, ''), team_id = nullif(k.team_id, ''), team_alias = nullif(k.team_alias, ''),
            organization_id = nullif(k.organization_id, ''), request_tags = nullif(k.request_tags, '{}')
          FROM spendlog.shared_calls c, spendlog.shared_callers k WHERE c.call_no = l.call_no AND k.caller_no = l.caller_no;
          INSERT INTO spendlog.spend_deltas SELECT * FROM line""")
        check_equal(stage.value("SELECT count(*) FROM spendlog.spend_deltas WHERE call_no IS NULL AND spend = 0.5"), "1", "lines by their words")
        agree(stage, "with a line by its words")
        stage.command("compact")
        agree(stage, "merged")
        check(int(stage.value("SELECT count(*) FROM spendlog.spend_sums WHERE level = 'doubt'")) > 0, "nothing is in doubt")
        check_equal(stage.value("SELECT spendlog.drop_partition('2026-03-28')"), "40", "rows that went")
        agree(stage, "dropped")
        check_equal(stage.sql("SELECT level, sum(calls), sum(spend) FROM spendlog.spend_sums WHERE level IN ('open', 'doubt') AND grain <> 'slot' "
                              "GROUP BY 1 HAVING sum(calls) <> 0 OR sum(spend) <> 0"), [], "what is to be looked at")


def what_is_set_aside_is_not_a_call(servers):
    """A row set aside is a call less, under its status and reason, in sums, views of LiteLLM and of FOCUS, reports and budgets; put back it is one more."""
    by_reason = ("SELECT pricing_status, pricing_reason, sum(calls), trim_scale(sum(spend)) FROM spendlog.{} GROUP BY 1, 2 HAVING sum(calls) <> 0 ORDER BY 1, 2")
    with Stage(servers, "set-aside", partitions=1) as stage:
        filled(stage, 200)
        identity = stage.value("SELECT identity FROM spendlog.spend_logs WHERE pricing_status = 'unpriced' AND pricing_reason <> '' LIMIT 1")
        unpriced = int(stage.value("SELECT count(*) FROM spendlog.spend_logs WHERE pricing_status = 'unpriced'"))
        stage.sql("SELECT spendlog.budget_set('all', '', 'year', 100)")
        stage.sql("UPDATE spendlog.stored_rows SET flags = flags | 1024; SELECT spendlog.sums_remake('-infinity', 'infinity')")
        lines_by = {by: stage.command("report", "--by", by, "--json", "-q") for by in ("meter", "reason", "model", "day,meter", "tag")}
        check("correction" not in lines_by["meter"] and '"doubtful":0' not in lines_by["model"], f"{lines_by}")

        def counted(count, where):
            told = {
                "rows": "SELECT count(*) FROM spendlog.counted_logs", "entries": "SELECT sum(calls) FROM spendlog.spend_entries",
                "spend_daily": "SELECT sum(calls) FROM spendlog.spend_daily", "totals": "SELECT sum(calls) FROM spendlog.spend_of('model', '-infinity', 'infinity')",
                "budget": "SELECT calls FROM spendlog.spent_in('all', '', '2026-01-01', '2027-01-01')",
                "LiteLLM's calls": 'SELECT count(*) FROM litellm."LiteLLM_SpendLogs"',
                "LiteLLM's days": 'SELECT sum(api_requests) FROM litellm."LiteLLM_DailyUserSpend"'}
            check_equal({name: stage.value(sql) for name, sql in told.items()}, {name: str(count) for name in told}, f"calls, {where}")
            left = unpriced - (200 - count)
            check_equal(stage.value("SELECT sum(calls) FROM spendlog.focus_unpriced"), str(left), f"FOCUS: without a price, {where}")
            check_equal(stage.sql(by_reason.format("spend_sums WHERE level = 'all' AND grain IN ('delta', 'day')")), stage.sql(by_reason.format("spend_entries")),
                        f"by reason, {where}")
            for by in ("model", "reason", "meter"):
                lines = [json.loads(line) for line in stage.command("report", "--by", by, "--format", "json", "--since", "2026-03-28", "--until",
                                                                    "2026-04-01", "-q").splitlines()]
                check_equal(sum(line["unpriced"] for line in lines), left, f"without a price by {by}, {where}")
                check(by == "meter" or sum(line["calls"] for line in lines) == count, f"calls by {by}, {where}: {lines}")
                check(by == "meter" or sum(line["doubtful"] for line in lines) == count, f"doubtful by {by}, {where}: {lines}")
            if count == 200:
                told = {by: stage.command("report", "--by", by, "--json", "-q") for by in lines_by}
                check_equal(told, lines_by, f"reports, {where}")
            agree(stage, where)

        counted(200, "all of them")
        for merged in ("", "merged"):
            stage.command("exclude", "--identity", identity, "--why", "a test")
            if merged:
                stage.command("compact")
            counted(199, f"set aside {merged}")
            stage.command("exclude", "--restore", "--identity", identity, "--why", "a test")
            counted(200, f"put back {merged}")
        priced = stage.value("SELECT identity FROM spendlog.spend_logs WHERE spend > 0 AND cache_read_tokens > 0 LIMIT 1")
        stage.command("exclude", "--identity", priced, "--why", "a test")
        lines = [json.loads(line, parse_float=Decimal) for line in stage.command("report", "--by", "meter", "--json", "-q").splitlines()]
        items = {unit: (Decimal(quantity or 0), Decimal(amount)) for unit, quantity, amount in stage.sql(
            f"SELECT unit, sum(quantity), sum(amount) FROM spendlog.spend_items WHERE identity <> '{priced}' GROUP BY 1")}
        check_equal({line["meter"]: (line["quantity"] or 0, line["spend"]) for line in lines if line["meter"]}, items, "meters without a row")
        stage.command("exclude", "--restore", "--identity", priced, "--why", "a test")
        counted(200, "put back, of a price")
        quarter = stage.value(f"SELECT date_bin('15 minutes', start_time, '2000-01-01') FROM spendlog.spend_logs WHERE identity = '{priced}'")
        since, until = stage.sql(f"SELECT to_char(t, 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), to_char(t + interval '15 minutes', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') "
                                 f"FROM (SELECT '{quarter}'::timestamp) q (t)")[0]
        for (one,) in stage.sql(f"SELECT identity FROM spendlog.spend_logs WHERE spend IS NOT NULL AND date_bin('15 minutes', start_time, '2000-01-01') = '{quarter}'"):
            stage.command("exclude", "--identity", one, "--why", "a test")
        for by in ("status", "mapping", "org"):
            lines = [json.loads(line) for line in stage.command("report", "--by", by, "--since", since, "--until", until, "--json", "-q").splitlines()]
            check(lines and all(line["spend"] is None and line["calls"] == line["unpriced"] for line in lines), f"all that had a price is set aside: {lines}")


def a_report_tells_what_retention_took(servers):
    """What a report or a FOCUS file reads from rows says how much of its period retention dropped, and compares with no half period."""
    with Stage(servers, "report-dropped", partitions=1) as stage:
        filled(stage, 400, "2026-03-28", 4)
        stage.command("compact")
        gone = stage.sql("SELECT count(*), trim_scale(sum(spend)) FROM spendlog.spend_logs WHERE start_time < '2026-03-29'")[0]
        of_sums = {by: stage.command("report", "--by", by, "--json", "-q") for by in ("model", "tag", "reason", "tag,team")}
        check_equal(stage.warnings("report", "--by", "end_user", "--json"), "", "of rows that are all there")
        for by, name, rows in (("tag", "t.tag", "spendlog.spend_entries e LEFT JOIN LATERAL spendlog.tags_of(e.request_tags) AS t (tag) ON true"),
                               ("reason", "e.pricing_reason", "spendlog.spend_entries e")):
            lines = [json.loads(line, parse_float=Decimal) for line in of_sums[by].splitlines()]
            want = stage.sql(f"SELECT coalesce({name}, ''), sum(e.calls), coalesce(sum(e.spend), -1) FROM {rows} GROUP BY 1")
            check_equal({line[by]: (line["calls"], -1 if line["spend"] is None else line["spend"]) for line in lines},
                        {key: (int(calls), Decimal(spend)) for key, calls, spend in want}, f"by {by}")
        stage.sql("SELECT spendlog.drop_partition('2026-03-28')")
        told = f"{gone[0]} calls of 2026-03-28 to 2026-03-28, {gone[1]} USD, are not in it: retention dropped their rows"
        period = ("--since", "2026-03-28", "--until", "2026-04-01")
        for words in (("--by", "mapping", "--json"), ("--by", "end_user", "--format", "csv"), ("--by", "end_user,tag", "--json", *period),
                      ("--format", "focus"), ("--format", "focus", "--month", "2026-03"),
                      ("--by", "model", "--json", "--since", "2026-03-28T00:07:00Z")):
            check(told in stage.warnings("report", *words), f"{words}: {stage.warnings('report', *words)}")
        for words in (("--by", "mapping"), ("--by", "meter", "--format", "html")):
            check(told in stage.command("report", *words), f"{words}")
        for words in (("--by", "end_user", "--json", "--since", "2026-03-29"), ("--format", "focus", "--since", "2026-03-29"), ("--by", "team", "--json")):
            check("retention" not in stage.warnings("report", *words), f"{words}")
        for by, was in of_sums.items():
            check_equal(stage.command("report", "--by", by, "--json", "-q"), was, f"of sums, by {by}")
        half = ("report", "--by", "end_user", "--since", "2026-03-29", "--until", "2026-03-31")
        lines = [json.loads(line) for line in stage.command(*half, "--json", "-q").splitlines()]
        check(lines and all(line["spend_before"] is None and line["change_percent"] is None for line in lines), f"{lines}")
        check("no change is told" in stage.command(*half), "why there is no change")
        whole = ("report", "--by", "team", "--since", "2026-03-29", "--until", "2026-03-31")
        check(any(json.loads(line)["spend_before"] for line in stage.command(*whole, "--json", "-q").splitlines()), "sums have the period before")
        stage.sql("SELECT spendlog.sums_forget('2026-03-29')")
        check(told in stage.warnings("report", "--by", "team", "--json"), "of sums that are gone")


def a_month_is_closed_with_its_dropped_days(servers):
    """Days that retention dropped before a month was closed are in its books; what comes after is late, and nothing else."""
    late = "SELECT calls, trim_scale(at_risk) FROM spendlog.suspense WHERE what = 'late'"
    with Stage(servers, "closed-month", partitions=1) as stage:
        filled(stage, 200, "2026-09-28", 3)
        whole = stage.sql("SELECT count(*), trim_scale(sum(spend)) FROM spendlog.spend_logs")
        stage.command("compact")
        def listed():
            return json.loads(stage.command("periods", "list", "--json"))["late_rows"]
        check(int(stage.value("SELECT spendlog.drop_partition('2026-09-28')")) > 0, "a day is dropped")
        apart = stage.sql("SELECT identity FROM spendlog.spend_logs WHERE spend > 0 LIMIT 2")
        stage.command("exclude", "--identity", apart[0][0], "--why", "a test")
        whole = [[str(int(whole[0][0]) - 1), stage.value("SELECT trim_scale(sum(spend)) FROM spendlog.spend_daily")]]
        stage.sql("SELECT spendlog.period_close('2026-09-01', now())")
        check_equal(stage.sql("SELECT rows, trim_scale(spend) FROM spendlog.closed_periods"), whole, "what the month is closed with")
        check_equal(stage.sql(late), [], "late, of what was there")
        check_equal(listed(), 0, "late in the list, of what was there")
        stage.command("exclude", "--identity", apart[1][0], "--why", "a test")
        stage.sql("SELECT spendlog.drop_partition('2026-09-30')")
        check_equal(listed(), 0, "late in the list, of what was set aside and dropped since")
        filled(stage, 7, "2026-09-29", 1)
        check_equal([row[0] for row in stage.sql(late)], ["7"], "late, of what came")
        check_equal(listed(), 7, "late in the list, of what came")
        stage.sql("SELECT spendlog.sums_forget('2026-10-01')")
        check_equal(listed(), None, "late, of a month with days in no sum")
        check(" unknown " in stage.command("periods", "list"), "the same as a table")


def settings_change_no_figure(servers):
    """quote_all_identifiers as a database's default: budgets, dropped days and copies of days are what they are without; ids do not hang on DateStyle."""
    with Stage(servers, "odd-settings", partitions=1) as stage:
        stage.servers.psql("postgres", "DROP DATABASE IF EXISTS odd_settings_on")
        stage.servers.psql("postgres", "CREATE DATABASE odd_settings_on")
        stage.servers.psql("postgres", "ALTER DATABASE odd_settings_on SET quote_all_identifiers = on")
        stage.database = "odd_settings_on"
        stage.databases.append(stage.database)
        stage.command("migrate", "-q")
        filled(stage)
        stage.sql("SELECT spendlog.budget_set('all', '', 'day', 100)")
        stage.command("compact")
        filled(stage, 40)
        stage.command("compact")
        told, rows = spent_by_rows(stage, "all", "")
        check_equal(told, rows, "spent by all")
        agree(stage, "with names in quotes")
        day = stage.sql("SELECT count(*), trim_scale(sum(spend)) FROM spendlog.spend_logs WHERE start_time >= '2026-03-29' AND start_time < '2026-03-30'")
        check_equal(stage.value("SELECT spendlog.drop_partition('2026-03-29')"), day[0][0], "rows that went")
        check_equal(stage.sql("SELECT rows, trim_scale(spend) FROM spendlog.dropped_partitions"), day, "what the day held")
        agree(stage, "with a day dropped")
        for name in ("UserSpend", "TagSpend", "GlobalSpend"):
            ids = [stage.sql(f"SET datestyle = '{style}'; SELECT md5(string_agg(id, ' ' ORDER BY id)) FROM litellm.\"LiteLLM_Daily{name}\"")
                   for style in ("ISO, YMD", "German")]
            check_equal(ids[0], ids[1], f"ids of Daily{name}")


ALL = (texts_of_any_length_are_summed, a_tag_that_is_said_twice_is_one, long_texts_of_0_1_0_stay_wide, settings_change_no_figure,
       nothing_of_a_dropped_day_is_to_be_looked_at, what_is_set_aside_is_not_a_call,
       a_report_tells_what_retention_took, a_month_is_closed_with_its_dropped_days)
