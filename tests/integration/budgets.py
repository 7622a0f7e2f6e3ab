# SPDX-License-Identifier: Apache-2.0
"""Budgets: what was spent is what the rows come to, and who asks before a call is told."""
import datetime
import json
import os
import subprocess
from decimal import Decimal

from harness.report import Skipped, check, check_equal, wait_for
from harness.servers import free_port, run_checked
from integration.callback import Proxy, litellm_bin
from integration.operations import http
from integration.repricing import FILL_ROWS, NEW_PRICES
from integration.stage import Stage, demo_event, demo_lines, message_of

ROWS = {"all": "true", "team": "team_id = {}", "provider": "provider = {}", "model": "model = {}",
        "key": "api_key = {}", "tag": "{} = ANY (request_tags)", "end_user": "end_user = {}"}


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def budgets_are_what_the_rows_come_to(servers):
    """`budget status` says for each scope what the rows of the period come to, before and after merging."""
    with Stage(servers, "budgets") as stage:
        stage.produce(demo_lines())
        stage.consume()
        team, provider, model, key, user = stage.sql(
            "SELECT team_id, provider, model, api_key, end_user FROM spendlog.spend_logs WHERE spend > 0 AND team_id <> '' "
            "AND api_key <> '' AND end_user <> '' ORDER BY spend DESC LIMIT 1")[0]
        tag = stage.value("SELECT request_tags[1] FROM spendlog.spend_logs WHERE request_tags <> '{}' LIMIT 1")
        whose = {"all": "", "team": team, "provider": provider, "model": model, "key": key, "tag": tag, "end_user": user}

        def compare(where):
            told = {b["scope"]: b for b in map(json.loads, stage.command("budget", "status", "--json").splitlines())}
            for scope, name in whose.items():
                rows = stage.sql(
                    "SELECT coalesce(sum(e.spend), 0), coalesce(sum(e.calls), 0) FROM spendlog.spend_entries e, "
                    "spendlog.period_of('week', 'Asia/Kathmandu') p WHERE e.start_time >= p.since AND "
                    "e.start_time < p.until AND " + ROWS[scope].format(quoted(name)))[0]
                check_equal([Decimal(str(told[scope]["spent"])), told[scope]["calls"]], [Decimal(rows[0]), int(rows[1])],
                            f"{where}: {scope} {name}")
            return told

        def json_exact(text):
            return json.loads(text, parse_float=Decimal)

        # of half of them sums are kept from before merging on, of the others from after it
        names = list(whose)
        for position, scope in enumerate(names):
            if position == 4:
                stage.command("compact")
            words = ([whose[scope]] if scope != "all" else []) + ["0.01"]
            stage.command("budget", "set", scope, *words, "--period", "week", "--tz", "Asia/Kathmandu")
        compare("merged")
        stage.produce([message_of(demo_event(id=f"late-{n}", litellm_call_id=f"late-{n}")) for n in range(20)])
        stage.consume()
        compare("with deltas")
        stage.command("compact")
        compare("merged again")
        check_equal(stage.sql("SELECT * FROM spendlog.budgets_over('{all,team}', ARRAY['', 'nobody'])")[0][:3],
                    ["all", "", "week"], "what is used up")
        check("USED UP" in stage.command("budget", "status", "--fail-over", code=1), "what is used up is not told")
        exact = [json_exact(line) for line in stage.command("budget", "status", "--json").splitlines()]
        check(all(b["left"] == b["amount"] - b["spent"] for b in exact), f"left is not amount less spent: {exact[0]}")
        check(all(b["forecast"] >= round(b["spent"], 6) - Decimal("0.000001") for b in exact), f"forecast below what was spent: {exact[0]}")

        port = free_port()
        member = stage.start(metrics=f"127.0.0.1:{port}")
        wait_for("a metric of each budget", lambda: http(port, "/metrics")[1].count("spendlog_budget_spent_usd{") == len(whose)
                 if answers(port) else False, 60)
        page = http(port, "/metrics")[1]
        check(f'spendlog_budget_usd{{scope="team",id="{team}",period="week"}} 0.01' in page, "the budget of the team")
        member.kill()

        for scope in names:
            stage.command("budget", "remove", scope, *([whose[scope]] if scope != "all" else []), "--period", "week")
        check_equal(stage.sql("SELECT * FROM spendlog.budget_sums"), [], "sums of nobody's budget")
        check_equal(stage.command("budget", "status", "--fail-over", "--json"), "", "budgets that are left")
        for words, code in (((("set", "galaxy", "x", "1")), 65), (("set", "team", "x", "much"), 65), (("set", "all", "x", "1"), 64),
                            (("set", "team", "x", "NaN"), 65), (("set", "team", "x", "1", "--tz", "Mars/Olympus"), 65),
                            (("set", "team", "x", "1", "--period", "fortnight"), 65), (("remove", "team", "x"), 65),
                            (("set", "team", "x", "1", "--fiscal-start", "13"), 64), (("list", "--fail-over"), 64)):
            stage.command("budget", *words, code=code)


def budgets_beyond_those_with_a_metric_are_in_the_view(servers):
    """Of more than 64 budgets those used up most have a metric, and all are in budget_status."""
    with Stage(servers, "many-budgets") as stage:
        stage.sql("SET ROLE spendlog_owner; SELECT spendlog.budget_set('team', 'team-' || n, 'day', n) FROM generate_series(1, 66) n; "
                  "SELECT spendlog.budget_set('model', 'used \"up\"', 'day', 0)")
        port = free_port()
        member = stage.start(metrics=f"127.0.0.1:{port}")
        wait_for("budgets among the metrics", lambda: answers(port) and "spendlog_budgets_over" in http(port, "/metrics")[1], 60)
        page = http(port, "/metrics")[1]
        member.kill()
        check_equal([page.count("spendlog_budget_usd{"), stage.value("SELECT count(*) FROM spendlog.budget_status")], [64, "67"],
                    "metrics, and budgets")
        check('spendlog_budget_spent_usd{scope="model",id="used \\"up\\"",period="day"} 0' in page, "the one that is used up")
        check("spendlog_budgets_over 1\n" in page, "how many are used up")


def fill_users(stage, rows, users, first, days, models=(None,)):
    """Rows spread evenly over days, in one batch, of end users `user-N` in turn. Of more than half as many as rows the sums do not tell them apart."""
    events = os.path.join(stage.folder, "users.jsonl")
    with open(events, "wb") as out:
        for n in range(users * len(models)):
            user, model = f"user-{n % users}", models[n // users]
            event = demo_event(id=f"u-{n}", litellm_call_id=f"u-{n}", end_user=user,
                               metadata={**demo_event()["metadata"], "user_api_key_end_user_id": user})
            out.write(message_of({**event, "model": model, "model_group": model, "response_cost": 0,
                                  "model_map_information": None, "hidden_params": None} if model else event) + b"\n")
    place = f"host={stage.servers.socket_folder} port=5432 user=spendlog dbname={stage.database}"
    run_checked([FILL_ROWS, place, events, str(rows), first, str(days)])


def end_users_by_day_alone_keep_their_status(servers):
    """Where end users are told apart by day alone (`coarse` 1), calls without a price are counted as such, also when they get one."""
    with Stage(servers, "by-day", partitions=1) as stage:
        fill_users(stage, 5000, 1000, "2026-03-28", 1, (None, "made-up-model", "another-one", "a-third", "a-fourth"))
        rows = stage.sql("SELECT count(*), count(*) FILTER (WHERE pricing_status = 'unpriced') FROM spendlog.spend_logs WHERE end_user = 'user-7'")
        check_equal(rows, [["5", "4"]], "rows of an end user")
        check_equal(stage.sql("SELECT DISTINCT coarse FROM spendlog.spend_sums WHERE level = 'end_user'"), [["1"]], "how they are told apart")

        def compare(where):
            for sql in ("SELECT calls, unpriced_calls FROM spendlog.spent_in('end_user', 'user-7', '2026-03-28', '2026-03-29')",
                        "SELECT sum(calls), coalesce(sum(calls) FILTER (WHERE pricing_status = 'unpriced'), 0) FROM spendlog.spend_by_end_user "
                        "WHERE end_user = 'user-7'",
                        'SELECT sum(api_requests), sum(x_unpriced_requests) FROM litellm."LiteLLM_DailyEndUserSpend" WHERE end_user_id = \'user-7\'',
                        "SELECT sum(calls), coalesce(sum(calls) FILTER (WHERE pricing_status = 'unpriced'), 0) FROM spendlog.spend_of('end_user', "
                        "'2026-03-28', '2026-03-29', end_users => '{user-7}')",
                        "SELECT sum(calls), coalesce(sum(calls) FILTER (WHERE pricing_status = 'unpriced'), 0) FROM spendlog.spend_of('tag', "
                        "'2026-03-28', '2026-03-29', end_users => '{user-7}') WHERE id IN ('', 'etl')",
                        "SELECT sum(calls), count(*) FILTER (WHERE pricing_status = 'unpriced' AND id <> '' AND calls = 1) FROM spendlog.spend_of('model', "
                        "'2026-03-28', '2026-03-29', end_users => '{user-7}', teams => '{team-data}')"):
                check_equal(stage.sql(sql), rows, f"{where}: {sql}")
            stage.sums_agree()
        compare("as appended")
        stage.command("compact")
        compare("merged")
        prices = os.path.join(stage.folder, "prices.yaml")
        with open(prices, "w") as out:
            out.write("model_list:\n  - {model_name: made-up-model, litellm_params: {model: openai/made-up-model, input_cost_per_token: 0.001, "
                      "output_cost_per_token: 0.001}}\n")
        stage.command("reprice", "--unpriced", "-q", extra=f"pricing: {{litellm_config: {prices}}}\ndrift: {{events: 0}}\n")
        rows = [["5", "3"]]
        compare("priced anew")


def end_users_that_sums_do_not_tell_apart_are_told(servers):
    """Of such days all that is asked by end user adds up to the rows, also when they are priced anew; of who is named rows are read, and nothing is said when they are gone."""
    with Stage(servers, "told-apart", partitions=1) as stage:
        fill_users(stage, 400, 400, "2026-03-28", 4)
        model = stage.value("SELECT DISTINCT model FROM spendlog.spend_logs")
        days = "'2026-03-28', '2026-04-01'"
        all_of = (f"SELECT sum(calls), trim_scale(sum(spend)) FROM spendlog.spend_of('end_user', {days})",
                  f"SELECT sum(calls), trim_scale(sum(spend)) FROM spendlog.spend_of('end_user', {days}, models => ARRAY['{model}'])",
                  "SELECT sum(calls), trim_scale(sum(spend)) FROM spendlog.spend_by_end_user",
                  'SELECT sum(api_requests), trim_scale(sum(spend)) FROM litellm."LiteLLM_DailyEndUserSpend"')
        one_of = (f"SELECT id, calls, trim_scale(spend) FROM spendlog.spend_of('end_user', {days}, end_users => ARRAY['user-7'])",
                  f"SELECT 'user-7', calls, trim_scale(spend) FROM spendlog.spend_of('model', {days}, models => ARRAY['{model}'], "
                  "end_users => ARRAY['user-7']) WHERE id <> ''")

        def compare(where):
            rows = stage.sql("SELECT count(*), trim_scale(sum(spend)) FROM spendlog.spend_logs")
            check_equal([stage.sql(sql) for sql in all_of], [rows] * len(all_of), f"all, {where}")
            rows = stage.sql("SELECT end_user, 1, trim_scale(spend) FROM spendlog.spend_logs WHERE end_user = 'user-7'")
            check_equal([stage.sql(sql) for sql in one_of], [rows] * len(one_of), f"one, {where}")

        def untold():
            return [stage.sql(sql) for sql in (
                f"SELECT name, sum(calls) FROM spendlog.spend_of('end_user', {days}) WHERE id = '' GROUP BY 1",
                'SELECT \'not told apart\', sum(api_requests) FROM litellm."LiteLLM_DailyEndUserSpend" WHERE end_user_id = \'\'')]
        compare("as appended")
        stage.command("compact")
        compare("merged")
        check_equal(untold(), [[["not told apart", "400"]]] * 2, "those who are not told apart")
        prices = os.path.join(stage.folder, "prices.yaml")
        with open(prices, "w") as out:
            out.write(NEW_PRICES)
        stage.command("reprice", "--all", "-q", extra=f"pricing: {{litellm_config: {prices}}}\ndrift: {{events: 0}}\n")
        compare("priced anew")
        stage.command("compact")
        compare("priced anew and merged")
        whole = stage.sql(all_of[0])
        stage.sql("SELECT spendlog.drop_partition('2026-03-28')")
        check_equal(stage.sql(all_of[0]), whole, "all, a day dropped")
        for sql in (all_of[1], *one_of):
            code, said = servers.psql_messages(stage.database, sql, "spendlog")
            check(code != 0 and "the sums of 2026-03-28 do not tell its end users apart by what is named, and its rows are gone" in said, f"{sql}: {said}")
        check_equal(stage.sql(one_of[0].replace("2026-03-28", "2026-03-29")), [], "of days whose rows are there")


def what_retention_dropped_is_told_as_missing(servers):
    """Where days are gone, and no sum tells whose their calls were, what was spent is not known: a smaller figure is not said for it."""
    with Stage(servers, "missing", partitions=1) as stage:
        today = datetime.date.fromisoformat(stage.value("SELECT (now() AT TIME ZONE 'UTC')::date"))
        first = today - datetime.timedelta(days=4)
        one_year = first.year == today.year  # else the budgets' period has not all of the days
        fill_users(stage, 400, 400, str(first), 4)
        check_equal(stage.value("SELECT max(coarse) FROM spendlog.spend_sums"), "2", "end users that the sums do not tell apart")
        for scope, name in (("end_user", "user-7"), ("all", "")):
            stage.command("budget", "set", scope, *([name] if name else []), "1000", "--period", "year")
        stage.command("budget", "set", "end_user", "user-390", "0.0000001", "--period", "year")

        def told(scope, name):
            since, until = first, today + datetime.timedelta(days=1)
            spent, missing = stage.sql(f"SELECT s.spend > 0, s.missing_calls FROM spendlog.spent_in('{scope}', '{name}', '{since}', '{until}') s")[0]
            whole = stage.value(f"SELECT spendlog.spent('{scope}', '{name}', 'year', at => '{first}') IS NOT NULL")
            status = stage.sql("SELECT spent IS NULL, spent_at_least > 0, missing_calls, over FROM spendlog.budget_status "
                               f"WHERE scope = '{scope}' AND id = '{name}'")[0]
            return [spent, missing, whole] + (status if one_year else [])

        for merged in ("", ", merged"):
            for scope, name, over in (("end_user", "user-7", "f"), ("end_user", "user-390", "t"), ("all", "", "f")):
                check_equal(told(scope, name), ["t", "0", "t"] + ["f", "t", "0", over] * one_year, f"{scope} {name}{merged}")
            stage.command("compact")
        gone = stage.value(f"SELECT spendlog.drop_partition('{first}')")
        check_equal(gone, "100", "rows of the day that was dropped")
        check_equal(told("all", ""), ["t", "0", "t"] + ["f", "t", "0", "f"] * one_year, "all: the sums have the day")
        check_equal(told("end_user", "user-7")[:3], ["f", gone, "f"], "an end user whose calls are gone")
        check_equal(told("end_user", "user-390")[:3], ["t", gone, "f"], "an end user of whom other days are known")
        if one_year:
            check_equal(told("end_user", "user-7")[3:], ["t", "f", gone, "\\N"], "a budget: whether it is used up is not known")
            check_equal(told("end_user", "user-390")[3:], ["t", "t", gone, "t"], "a budget that is used up by what is known")
            lines = {(b["scope"], b["id"]): b for b in map(json.loads, stage.command("budget", "status", "--json").splitlines())}
            check_equal([lines["end_user", "user-7"][k] for k in ("spent", "left", "percent", "forecast", "over")], [None] * 5, "status")
            check_equal(lines["end_user", "user-7"]["missing_calls"], int(gone), "calls that are missing")
            text = stage.command("budget", "status")
            check("null" not in text and f"retention dropped {gone} calls" in text and "nor whether it is used up" in text, text)
            stage.command("budget", "remove", "end_user", "user-390", "--period", "year")
            stage.command("budget", "status", "--fail-over", code=1)
            check_equal([lines["end_user", "user-390"][k] for k in ("spent", "over")], [None, True], "status of one that is used up")
        stage.sql(f"SELECT spendlog.sums_forget('{today - datetime.timedelta(days=3)}')")
        for scope, name in (("end_user", "user-7"), ("all", "")):
            check_equal(told(scope, name)[1:3], [gone, "f"], f"{scope} {name}: the sums of the day are gone too")
        check_equal(stage.value(f"SELECT missing_calls FROM spendlog.spent_in('all', '', '{today - datetime.timedelta(days=3)}', '{today}')"), "0",
                    "days that are there")


def answers(port):
    try:
        return http(port, "/health")[0] == 200
    except OSError:
        return False


def periods_begin_where_the_zone_says(servers):
    """Days, weeks, months and fiscal quarters begin at local midnight, also where the clocks change."""
    with Stage(servers, "periods") as stage:
        for period, zone, start, at, since, until in (
                ("day", "Europe/Berlin", 1, "2026-03-29 12:00+00", "2026-03-28 23:00:00", "2026-03-29 22:00:00"),
                ("week", "Asia/Kathmandu", 1, "2026-11-29 18:14+00", "2026-11-22 18:15:00", "2026-11-29 18:15:00"),
                ("month", "America/St_Johns", 1, "2026-11-15 00:00+00", "2026-11-01 02:30:00", "2026-12-01 03:30:00"),
                ("quarter", "UTC", 2, "2026-01-31 23:59+00", "2025-11-01 00:00:00", "2026-02-01 00:00:00"),
                ("quarter", "UTC", 4, "2026-05-31 00:00+00", "2026-04-01 00:00:00", "2026-07-01 00:00:00"),
                ("year", "UTC", 4, "2026-03-31 12:00+00", "2025-04-01 00:00:00", "2026-04-01 00:00:00"),
                ("quarter", "Pacific/Kiritimati", 1, "2026-06-30 10:00+00", "2026-06-30 10:00:00", "2026-09-30 10:00:00")):
            check_equal(stage.sql(f"SELECT * FROM spendlog.period_of('{period}', '{zone}', {start}, '{at}')"),
                        [[since, until]], f"{period} of {at} in {zone}")


def a_day_begins_with_the_first_of_two_midnights(servers):
    """Where clocks go back onto midnight budgets, days of the sums, reports and FOCUS have the hour that comes twice in the same day."""
    with Stage(servers, "midnights") as stage:
        calls = [(zone, at) for zone, hours in (("Atlantic/Azores", ("2026-10-25 00:30", "2026-10-25 01:30", "2026-10-24 23:30")),
                                                ("America/Havana", ("2026-11-01 04:30", "2026-11-01 05:30", "2026-11-01 03:30"))) for at in hours]
        stage.produce([message_of(demo_event(id=f"hour-{n}", litellm_call_id=f"hour-{n}", startTime=began, endTime=began + 1,
                                             completionStartTime=began + 1))
                       for n, began in enumerate(datetime.datetime.fromisoformat(at + "+00:00").timestamp() for _, at in calls)])
        stage.consume()
        check_equal(stage.sql("SELECT to_char(start_time, 'YYYY-MM-DD HH24:MI') FROM spendlog.spend_logs ORDER BY request_id"),
                    [[at] for _, at in calls], "when calls began")
        for number, (zone, at) in enumerate(calls):
            since, until = stage.sql(f"SELECT * FROM spendlog.period_of('day', '{zone}', 1, '{at}+00')")[0]
            check(since <= at + ":00" < until, f"{at} is not in its day, {since} to {until} in {zone}")
            of_budget = stage.value(f"SELECT calls FROM spendlog.spent_in('all', '', '{since}', '{until}')")
            day = f"(timestamptz '{at}+00' AT TIME ZONE '{zone}')::date"
            check_equal(stage.value(f"SELECT sum(calls) FROM spendlog.spend_daily_in('{zone}') WHERE day = {day}"), of_budget, f"calls of the day of {at}")
            check_equal(of_budget, "1" if number % 3 == 2 else "2", f"calls of {since} to {until}")
            check_equal(stage.value(f"SELECT spendlog.focus_begin({day}::timestamp, '{zone}')"), since.replace(" ", "T") + "Z", "FOCUS")
        for month, count in (("2026-10", 4), ("2026-11", 2)):
            told = stage.command("report", "--month", month, "--tz", "America/Havana", "--by", "day", "--format", "csv").splitlines()
            at = told[0].split(",").index("calls")
            check_equal(sum(int(line.split(",")[at]) for line in told[1:]), count, f"calls of {month} in Havana: {told}")
            lines = stage.command("report", "--month", month, "--tz", "America/Havana", "--format", "focus").splitlines()
            check(len(lines) > 1 and all("2026-11-01T04:00:00Z" in line for line in lines[1:]), f"FOCUS of {month} in Havana: {lines}")


def a_forecast_knows_the_weekday(servers):
    """Who spends on weekdays alone is not forecast to spend on a weekend; who is new, as so far."""
    with Stage(servers, "forecast") as stage:
        stage.sql("SET ROLE spendlog_owner; SELECT spendlog.budget_set('team', 'office', 'month', 100)")
        monday = datetime.date(2026, 3, 2)
        for day in range(28):
            on = monday + datetime.timedelta(day)
            if on.weekday() < 5:
                stage.sql("INSERT INTO spendlog.budget_sums SELECT 'team', 'office', w, '" + str(on) + "', "
                          "CASE WHEN w THEN -1 ELSE 40 END, 10, 1, 0, 0, 0 FROM (VALUES (true), (false)) v (w)")

        def expected(at, until):
            return Decimal(stage.value("SELECT trim_scale(spendlog.spend_expected('team', 'office', 'UTC', "
                                       f"'{at}+00', '{until}'))"))
        check_equal(expected("2026-03-30 00:00", "2026-04-01"), Decimal(20), "Monday and Tuesday")
        check_equal(expected("2026-03-30 00:00", "2026-04-06"), Decimal(50), "a week")
        check_equal(expected("2026-03-30 00:00", "2026-04-20"), Decimal(150), "three weeks")
        check_equal(expected("2026-03-28 00:00", "2026-03-30"), Decimal(0), "a weekend")
        check_equal(expected("2026-03-30 12:00", "2026-03-31"), Decimal(0), "a Monday's afternoon: spent at ten, always")
        check(Decimal(12) < expected("2026-03-04 00:00", "2026-03-05") < Decimal(13), "who is new spends as in the hours so far")
        stage.sql("DELETE FROM spendlog.budget_sums")


def a_forecast_takes_corrections_for_what_they_are(servers):
    """What is posted for a closed month, or set aside in it, counts once: a forecast does not expect it again each week, merged or not."""
    with Stage(servers, "once", partitions=1) as stage:
        today = datetime.date.fromisoformat(stage.value("SELECT (now() AT TIME ZONE 'UTC')::date"))
        closed = (today.replace(day=1) - datetime.timedelta(days=40)).replace(day=2)
        at = stage.value("SELECT now()")
        fill_users(stage, 240, 8, str(closed), 1)
        fill_users(stage, 200, 8, str(today - datetime.timedelta(days=20)), 20)
        stage.command("periods", "close", closed.strftime("%Y-%m"))
        for scope, name in (("all", ""), ("end_user", "user-3")):
            stage.command("budget", "set", scope, *([name] if name else []), "100", "--period", "month")

        stage.command("compact")

        def told():
            return [Decimal(stage.value(f"SELECT spendlog.spend_expected('{scope}', '{name}', 'UTC', '{at}', "
                                        f"'{today + datetime.timedelta(days=14)}')")) for scope, name in (("all", ""), ("end_user", "user-3"))]
        usual = told()
        check(min(usual) > 0, f"what is expected: {usual}")
        spent = Decimal(stage.value("SELECT spent FROM spendlog.budget_status WHERE scope = 'all'"))
        prices = os.path.join(stage.folder, "prices.yaml")
        with open(prices, "w") as out:
            out.write(NEW_PRICES)
        stage.command("reprice", "--until", str(closed + datetime.timedelta(days=1)), "--since", str(closed), "-q",
                      extra=f"pricing: {{litellm_config: {prices}}}\ndrift: {{events: 0}}\n")
        identity = stage.value("SELECT identity FROM spendlog.spend_logs WHERE end_user = 'user-3' GROUP BY 1 HAVING count(*) = 1 "
                               f"AND min(start_time) < '{closed + datetime.timedelta(days=1)}' LIMIT 1")
        stage.command("exclude", "--identity", identity, "--why", "a test")
        check_equal(stage.sql("SELECT count(*) > 1, bool_or(e.calls = -1) FROM spendlog.spend_entries e WHERE e.calls <> 1 AND "
                              f"e.day = '{today}' AND e.spend <> 0"), [["t", "t"]], "entries of what was posted and set aside")
        check(Decimal(stage.value("SELECT spent FROM spendlog.budget_status WHERE scope = 'all'")) != spent, "corrections are in what was spent")
        check_equal(told(), usual, "what is expected after corrections")
        stage.command("compact")
        check_equal(told(), usual, "what is expected after corrections, merged")


CONFIG = """
model_list:
  - model_name: cheap
    litellm_params: {model: openai/gpt-4o-mini, api_key: none, mock_response: "an answer"}
litellm_settings: {callbacks: [litellm_callback.to_kafka, litellm_budget_hook.budgets]}
"""


def a_used_up_budget_stops_the_proxy(servers):
    """examples/litellm_budget_hook.py in the real proxy: a customer whose budget is used up is refused, others are not."""
    python = os.path.join(litellm_bin(), "python")
    if subprocess.run([python, "-c", "import psycopg"], capture_output=True).returncode != 0:
        raise Skipped("psycopg is not beside LiteLLM's proxy")
    with Stage(servers, "hook", partitions=1) as stage:
        stage.command("budget", "set", "end_user", "customer-1", "0.000001", "--period", "day")
        reader = f"host={servers.socket_folder} port=5432 user=spendlog dbname={stage.database}"
        proxy = Proxy(servers, stage, CONFIG, ("litellm_callback.py", "litellm_budget_hook.py"), SPENDLOG_POSTGRES=reader,
                      SPENDLOG_BUDGET_SECONDS="0")
        try:
            def ask(user):
                answer, body = proxy.ask("POST", "/v1/chat/completions", json.dumps(
                    {"model": "cheap", "messages": [{"role": "user", "content": "hello"}], "user": user}))
                return answer.status, body.decode()
            check_equal(ask("customer-1")[0], 200, "the first call")
            wait_for("its event", lambda: servers.log_values(stage.topic, 0), 60)
            stage.consume()
            check_equal(stage.sql("SELECT end_user, spend > 0.000001 FROM spendlog.spend_logs"), [["customer-1", "t"]], "rows")
            status, body = ask("customer-1")
            check_equal(status, 429, f"a call beyond the budget: {body[:300]}")
            check("the budget of end_user customer-1 is used up" in body, body[:300])
            check_equal(ask("customer-2")[0], 200, "another customer's call")
            stage.command("budget", "set", "all", "0.000001", "--period", "day")
            check_equal(ask("customer\0")[0], 429, "a call of a name that PostgreSQL cannot hold, beyond the budget of all")
            check(ask("customer\ud800")[0] in (400, 429), "a call of half a character is refused, by the proxy or the budget")
            stage.command("budget", "set", "all", "1", "--period", "day")
            stage.command("budget", "set", "end_user", "customer-1", "1", "--period", "day")
            check_equal(ask("customer-1")[0], 200, "after the budget was raised")
        finally:
            proxy.end()


ALL = (budgets_beyond_those_with_a_metric_are_in_the_view, budgets_are_what_the_rows_come_to, periods_begin_where_the_zone_says,
       a_day_begins_with_the_first_of_two_midnights, a_forecast_knows_the_weekday,
       a_forecast_takes_corrections_for_what_they_are, end_users_by_day_alone_keep_their_status,
       end_users_that_sums_do_not_tell_apart_are_told, what_retention_dropped_is_told_as_missing,
       a_used_up_budget_stops_the_proxy)
