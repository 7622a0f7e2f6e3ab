#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
What questions cost, of rows of 90 days and of the sums of a year of 500 million rows, beside LiteLLM's own tables.

    tests/bench/questions.py [--rows N[,N...]] [--rounds N] [--keep] [--no-write]     default 1,000,000 rows; its own server,
                                                                      removed at the end. Part of `make bench`.

A size that is not measured keeps its column, with what is said of it.

With --keep (and --folder) the server, what it was filled with and the figures stay, and what is there is not made again: ten million rows
take half an hour and more. To measure again, remove questions-ROWS.json in the folder. The schema
is that of the version which filled it.

The dashboard's questions are the panels of examples/grafana/spend.json. Rows are written by the service's own writer, sums
by its own functions; LiteLLM's tables, with its indexes, have the same facts. Each question is asked of a server that is warm, in a session
that asked it before: the best time of the rounds, lines or rows that its scans read, and 8 kB pages that it looked at, which no noise
touches. One call and one session are asked by new sessions too, which have to read the catalogue.
"""
import argparse
import datetime
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.dont_write_bytecode = True

from harness import grafana, plans  # noqa: E402
from harness.report import Failed  # noqa: E402
from harness.servers import ROOT, SPENDLOG, Servers, run_checked  # noqa: E402

PROGRAMS = os.path.join(ROOT, "build/release/tests")
SCHEMA = os.path.join(ROOT, "tests/cases/litellm/schema.prisma")
SETTINGS = {"shared_buffers": "'1GB'", "max_wal_size": "'4GB'", "checkpoint_timeout": "'1h'", "autovacuum": "off"}
DAYS, UNMERGED, YEAR = 90, 2000, 365
WAIT_MS = 20000  # for an answer: what takes longer is told so
BESIDE_MAX = 3000000  # LiteLLM's tables take minutes a million rows
YEAR_ROWS, YEAR_DAY_ROWS = 500_000_000, 20_000
TYPES = {"String": "text", "Int": "integer", "BigInt": "bigint", "Float": "double precision", "Json": "jsonb", "DateTime": "timestamp(3)"}
DAILY = ("User", "Team", "Tag")
DAILY_FIGURES = ('"prompt_tokens", "completion_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "spend", "api_requests", '
                 '"successful_requests", "failed_requests"')
# The panels that LiteLLM's daily tables can answer, by title.
RANGE = """date BETWEEN '{first}' AND '{last}'"""
LITELLM = {
    "Spend": f'SELECT sum(spend) FROM litellm."LiteLLM_DailyUserSpend" WHERE {RANGE}',
    "Calls": f'SELECT sum(api_requests) FROM litellm."LiteLLM_DailyUserSpend" WHERE {RANGE}',
    "Tokens": f'SELECT sum(prompt_tokens + completion_tokens) FROM litellm."LiteLLM_DailyUserSpend" WHERE {RANGE}',
    "Input from the cache": f'SELECT sum(cache_read_input_tokens), sum(prompt_tokens) FROM litellm."LiteLLM_DailyUserSpend" WHERE {RANGE}',
    "Spend per day and model": f'SELECT date, model, sum(spend) FROM litellm."LiteLLM_DailyUserSpend" WHERE {RANGE} GROUP BY 1, 2',
    "Spend per day and team": f'SELECT date, team_id, sum(spend) FROM litellm."LiteLLM_DailyTeamSpend" WHERE {RANGE} GROUP BY 1, 2',
    "Teams": f'SELECT team_id, sum(spend), sum(api_requests) FROM litellm."LiteLLM_DailyTeamSpend" WHERE {RANGE} GROUP BY 1 ORDER BY 2 DESC LIMIT 50',
    "Keys": f'SELECT api_key, sum(spend), sum(api_requests) FROM litellm."LiteLLM_DailyUserSpend" WHERE {RANGE} GROUP BY 1 ORDER BY 2 DESC LIMIT 50',
    "Models": f'SELECT model, sum(spend), sum(api_requests) FROM litellm."LiteLLM_DailyUserSpend" WHERE {RANGE} GROUP BY 1 ORDER BY 2 DESC LIMIT 50',
    "Users": f'SELECT user_id, sum(spend), sum(api_requests) FROM litellm."LiteLLM_DailyUserSpend" WHERE {RANGE} GROUP BY 1 ORDER BY 2 DESC LIMIT 50',
    "Tags": f'SELECT tag, sum(spend), sum(api_requests) FROM litellm."LiteLLM_DailyTagSpend" WHERE {RANGE} GROUP BY 1 ORDER BY 2 DESC LIMIT 50',
    "Spend, of a team": f'SELECT sum(spend) FROM litellm."LiteLLM_DailyTeamSpend" WHERE team_id IN ({{team}}) AND {RANGE}',
    "Models, of a team": f'SELECT model, sum(spend) FROM litellm."LiteLLM_DailyTeamSpend" WHERE team_id IN ({{team}}) AND {RANGE} GROUP BY 1',
    "Teams, of a model": f'SELECT team_id, sum(spend) FROM litellm."LiteLLM_DailyTeamSpend" WHERE model IN ({{model}}) AND {RANGE} GROUP BY 1',
    "spent() of a team with a budget, this month": 'SELECT sum(spend) FROM litellm."LiteLLM_DailyTeamSpend" WHERE team_id = {team} AND date >= \'{month}\'',
    "spent() of a key without one, today": 'SELECT sum(spend) FROM litellm."LiteLLM_DailyUserSpend" WHERE api_key = {key} AND date = \'{last}\'',
    "one team's month by model": 'SELECT model, sum(spend) FROM litellm."LiteLLM_DailyTeamSpend" WHERE team_id = {team} AND date >= \'{month}\' GROUP BY 1',
    "one call": 'SELECT * FROM litellm."LiteLLM_SpendLogs" WHERE request_id = {call}',
    "one session": 'SELECT * FROM litellm."LiteLLM_SpendLogs" WHERE session_id = {session}',
}
OTHERS = {
    "spent() of a team with a budget, this month": "SELECT spendlog.spent('team', {team}, 'month', at => '{month}')",
    "spent() of a key without one, today": "SELECT spendlog.spent('key', {key}, 'day')",
    "one team's month by model": "SELECT id, sum(spend) FROM spendlog.spend_of('model', '{month}', date '{last}' + 1, ARRAY[{team}]) GROUP BY 1",
    "one call": "SELECT * FROM spendlog.call({call})",
    "one session": "SELECT * FROM spendlog.session({session})",
    "a session with what is below it": "SELECT * FROM spendlog.spend_of_run({session})",
}
CHOSEN = ("Spend", "Spend per day and model", "Models that moved", "Teams", "Keys", "Models", "Tags")  # asked of some as well
CHOICES = (("", {}), (", of a team", {"team": "{team}"}), (", of a model", {"model": "{model}"}))
ONE_CALL = "One call"
OF_ROWS = ("one call", "one session", "a session with what is below it")


def say(text):
    print(text, file=sys.stderr, flush=True)


class Database:
    def __init__(self, servers, name):
        self.servers, self.name = servers, name
        self.place = f"host={servers.socket_folder} port=5432 user=spendlog dbname={name}"
        self.config = os.path.join(servers.folder, name + ".yaml")
        with open(self.config, "w", encoding="ascii") as out:
            out.write(f"postgres: {self.place}\nstorage: {{retain_days: 0}}\n")
        self.filled = self.told() == "filled"
        if not self.filled:
            servers.psql("postgres", f"DROP DATABASE IF EXISTS {name}")
            servers.psql("postgres", f"CREATE DATABASE {name}")
            run_checked([SPENDLOG, "migrate", "-q", "-c", self.config])

    def told(self):
        """What is noted beside the database."""
        found = self.servers.psql("postgres", f"SELECT coalesce(shobj_description(oid, 'pg_database'), '') FROM pg_database WHERE datname = '{self.name}'")
        return found[0][0] if found else None

    def done(self):
        self.servers.psql("postgres", f"COMMENT ON DATABASE {self.name} IS 'filled'")

    def sql(self, text):
        return self.servers.psql(self.name, text)

    def value(self, text):
        return self.sql(text)[0][0]

    def fill(self, rows, first, days, *payload):
        """Rows as `run` would store them: mapped, priced, written with their sums."""
        events = subprocess.Popen([os.path.join(PROGRAMS, "bench/bench_kafka"), *payload, "print", str(rows)], stdout=subprocess.PIPE)
        done = subprocess.run([os.path.join(PROGRAMS, "integration/fill_rows"), self.place, "/dev/stdin", str(rows), str(first), str(days)],
                              stdin=events.stdout, capture_output=True, text=True)
        events.stdout.close()
        if events.wait() or done.returncode:
            raise Failed(f"fill_rows: {done.stderr[-300:]}")

    def merge(self):
        """And vacuumed, as the server's autovacuum does, which is off here: else the lines that went are still walked through."""
        run_checked([SPENDLOG, "compact", "-c", self.config])
        self.sql("VACUUM spendlog.spend_deltas")

    def times(self, words):
        out = run_checked(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", self.place, "-c", "\\timing on", *words])
        return [float(one) for one in re.findall(r"^Time: ([\d.]+) ms", out, re.M)]

    def warm(self, sql, rounds):
        """Best milliseconds in one session, after a first time that does not count."""
        return min(self.times([word for _ in range(rounds + 1) for word in ("-c", sql)])[1:])

    def new(self, sql, rounds):
        """Best milliseconds of the first statement of a session."""
        return min(self.times(["-c", sql])[0] for _ in range(rounds))

    def cost(self, sql, rounds):
        bounded = f"SET statement_timeout = {WAIT_MS}"
        try:
            read = plans.plans_of(self.servers, self.name, sql, (bounded, sql))  # the second time: catalogs were read by the first
        except Failed as failure:
            if "statement timeout" not in str(failure):
                raise
            return None
        read = read[len(read) // 2:]
        return {"ms": self.warm(sql, rounds), "rows": sum(plans.rows_read(node) for node in plans.scans_of(read)),
                "pages": max(plans.buffers_of(plan) for plan in read)}


# --- filling

def rows_filled(servers, rows, today):
    database = Database(servers, f"rows_{rows}")
    kinds = ("--keys", "200", "--models", "40", "--end-users", "5000", "--session-calls", "20")
    if not database.filled:
        say(f"bench: {rows:,} rows of {DAYS} days")
        database.fill(rows, today - datetime.timedelta(days=DAYS - 1), DAYS, *kinds)
        say("bench: merging")
        database.merge()
        database.done()
    if database.value("SELECT count(*) FROM spendlog.spend_deltas") == "0":
        database.fill(UNMERGED, today, 1, *kinds, "--seed", "7")
    database.sql("SELECT spendlog.summarize_days(current_date + 1 - d) FROM generate_series(0, 90, 3) d")
    database.sql("VACUUM ANALYZE")
    team = database.value("SELECT team_id FROM spendlog.shared_callers ORDER BY 1 LIMIT 1")
    database.sql(f"SET ROLE spendlog_owner; SELECT spendlog.budget_set('team', '{team}', 'month', 100)")
    return database


def columns_of(body):
    for column, kind, optional, rest in re.findall(r"^\s+(\w+)\s+(\w+)(\??)[ \t]*(.*)$", body, re.M):
        if kind in TYPES:
            yield column, kind, rest


def litellm_table(name, body):
    columns = ", ".join(f'"{column}" {TYPES[kind]}{" PRIMARY KEY" if "@id" in rest else ""}' for column, kind, rest in columns_of(body))
    yield f'CREATE TABLE litellm."{name}" ({columns})'
    for unique, keys in re.findall(r"^\s+@@(unique|index)\(\[([^\]]*)\]", body, re.M):
        keys = ", ".join(f'"{one.strip()}"' for one in keys.split(","))
        yield f'CREATE {"UNIQUE " if unique == "unique" else ""}INDEX ON litellm."{name}" ({keys})'


def litellm_filled(database):
    """LiteLLM's log and daily tables, as its schema has them, out of the same rows."""
    if not os.path.exists(SCHEMA):
        say(f"bench: without LiteLLM's tables, there is no {SCHEMA}")
        return False
    with open(SCHEMA, encoding="utf-8") as text:
        models = dict(re.findall(r"^model (\w+) \{\n(.*?)^\}", text.read(), re.M | re.S))
    if database.value("SELECT coalesce(obj_description('litellm'::regnamespace), '')") == "filled":
        return True
    say("bench: LiteLLM's tables")
    database.sql("DROP SCHEMA litellm CASCADE; CREATE SCHEMA litellm")
    for name in ("LiteLLM_SpendLogs", *(f"LiteLLM_Daily{one}Spend" for one in DAILY)):
        for statement in litellm_table(name, models[name]):
            database.sql(statement)
    database.sql("""INSERT INTO litellm."LiteLLM_SpendLogs" (request_id, call_type, api_key, spend, total_tokens, prompt_tokens, completion_tokens,
        "startTime", "endTime", model, model_group, custom_llm_provider, "user", metadata, cache_hit, request_tags, team_id, organization_id, end_user,
        session_id, status, litellm_call_id, created_at, updated_at)
      SELECT request_id, call_type, api_key, coalesce(spend, 0), total_tokens, input_tokens, output_tokens, start_time,
        end_time, model, model_group, provider, user_id, metadata, 'False', to_jsonb(request_tags), team_id, organization_id, end_user,
        nullif(session_id, ''), status, call_id, start_time, start_time FROM spendlog.spend_logs""")
    for one, who in (("User", "user_id"), ("Team", "team_id"), ("Tag", "tag")):
        database.sql(f"""INSERT INTO litellm."LiteLLM_Daily{one}Spend" (id, {who}, date, api_key, model, model_group, custom_llm_provider,
            mcp_namespaced_tool_name, endpoint, {DAILY_FIGURES}, created_at, updated_at)
          SELECT gen_random_uuid()::text, {who}, start_time::date::text, api_key, model, model_group, provider, '', '/chat/completions',
            sum(input_tokens), sum(output_tokens), sum(coalesce(cache_read_tokens, 0)), sum(coalesce(cache_write_tokens, 0)),
            sum(coalesce(spend, 0)), count(*), count(*) FILTER (WHERE status = 'success'), count(*) FILTER (WHERE status <> 'success'), now(), now()
          FROM spendlog.spend_logs{', unnest(request_tags) AS t (tag)' if one == 'Tag' else ''} GROUP BY 2, 3, 4, 5, 6, 7""")
    database.sql("COMMENT ON SCHEMA litellm IS 'filled'")
    return True


def year_filled(servers, today):
    """The sums of a year, out of those of a day: its lines again for each day, counts and figures so many times as large."""
    database = Database(servers, "year")
    if database.filled:
        return database
    say(f"bench: sums of a year of {YEAR_ROWS:,} rows")
    database.fill(YEAR_DAY_ROWS, today, 1, "--keys", "40", "--models", "5", "--end-users", "50")
    database.merge()
    times = YEAR_ROWS // YEAR // YEAR_DAY_ROWS
    for table, days in (("spend_days", YEAR), ("spend_slots", 2)):
        columns = {kind: database.sql(f"SELECT name FROM spendlog.sum_columns() WHERE kind = '{kind}' ORDER BY place") for kind in ("key", "count", "figure")}
        keys = [name for (name,) in columns["key"]]
        figures = [name for kind in ("count", "figure") for (name,) in columns[kind]]
        database.sql(f"INSERT INTO spendlog.{table} ({', '.join(keys + figures)}) SELECT "
                     f"{', '.join('s.day - d' if name == 'day' else 's.' + name for name in keys)}, "
                     f"{', '.join(f's.{name} * {times}' for name in figures)} FROM spendlog.{table} s, generate_series(1, {days - 1}) d")
    database.sql("SELECT spendlog.totals_make(array_agg(DISTINCT day)) FROM spendlog.spend_days")
    database.sql("VACUUM ANALYZE")
    team = database.value("SELECT team_id FROM spendlog.shared_callers ORDER BY 1 LIMIT 1")
    database.sql(f"SET ROLE spendlog_owner; SELECT spendlog.budget_set('team', '{team}', 'month', 100)")
    database.done()
    return database


# --- asking

def names_of(database, today, rows):
    call, session = database.sql("SELECT request_id, session_id FROM spendlog.spend_logs WHERE session_id <> '' ORDER BY start_time "
                                 "OFFSET 1000 LIMIT 1")[0] if rows else ("", "")
    team, key = database.sql("SELECT team_id, api_key FROM spendlog.shared_callers ORDER BY 1, 2 LIMIT 1")[0]
    # In the first half of a month its days are few, and the month before is asked for.
    quoted = {name: f"'{value}'" for name, value in (("call", call), ("session", session), ("team", team), ("key", key), ("model", "gpt-4o"))}
    return {**quoted, "first": today - datetime.timedelta(days=30), "last": today, "month": (today - datetime.timedelta(days=14)).replace(day=1)}


def panel_questions(names):
    """(name, SQL) of the board's panels, with everything, of a team and of a model."""
    board = grafana.board("spend.json")
    since, until = f"{names['first']}T00:00:00Z", f"{names['last']}T23:59:59Z"
    for label, chosen in CHOICES:
        values = {name: [value.format(**names).strip("'")] for name, value in chosen.items()}
        for panel in grafana.panels_of(board):
            sql = panel["targets"][0]["rawSql"]
            if panel["title"] != ONE_CALL and (not chosen or panel["title"] in CHOSEN):
                yield panel["title"] + label, grafana.asked(sql, board, values, since, until)


def measured(database, rounds, today, rows, beside, found, keep):
    """Of the year there are no rows: no call and no session. What was found before stays; NULL: no answer in time."""
    names = names_of(database, today, rows)
    others = {name: sql.format(**names) for name, sql in OTHERS.items() if rows or name not in OF_ROWS}
    for name, sql in [*panel_questions(names), *others.items()]:
        if name in found:
            continue
        found[name] = database.cost(sql, rounds)
        if found[name] and beside and name in LITELLM:
            found[name]["litellm"] = database.cost(LITELLM[name].format(**names), rounds)
        if found[name] and name in OF_ROWS:
            found[name]["new"] = database.new(sql, rounds)
        say(f"bench: {name}: {found[name]}")
        keep()


def size_measured(servers, rows, rounds, today):
    """Of rows, or (rows 0) of the sums of a year; each answer is kept in the folder."""
    database = rows_filled(servers, rows, today) if rows else year_filled(servers, today)
    beside = 0 < rows <= BESIDE_MAX and litellm_filled(database)
    path = os.path.join(servers.folder, f"questions-{rows}.json")
    if os.path.exists(path):
        with open(path, encoding="ascii") as kept:
            result = json.load(kept)
    else:
        database.sql("VACUUM ANALYZE")
        result = {"rows": rows, "found": {}, "lines": int(database.value("SELECT count(*) FROM spendlog.spend_days")),
                  "waiting": int(database.value("SELECT count(*) FROM spendlog.spend_deltas"))}

    def keep():
        with open(path, "w", encoding="ascii") as out:
            json.dump(result, out)

    measured(database, rounds, today, rows > 0, beside, result["found"], keep)
    return result


# --- telling

def target_of(name):
    return 1 if name.startswith("spent()") else 5 if name in OF_ROWS else 50


def cell(cost):
    return f"{cost['ms']:.1f} · {cost['rows']:,} · {cost['pages']:,}" if cost else f"over {WAIT_MS:,}"


def size_name(rows):
    return f"{rows:,} rows" if rows else "the year"


def columns_kept(before, names):
    """Columns of a table that stands there, of sizes that are not among `names`: header, cells by question, and what is said of it."""
    table = [[cell.strip() for cell in line.strip("| ").split(" |")] for line in before.splitlines() if line.startswith("| ")]
    for place, header in enumerate(table[0] if table else ()):
        if re.match(r"[\d,]+ rows|the year", header) and not any(header.startswith(name) for name in names):
            said = re.search(rf"The column of {re.escape(header.split(', ', 1)[0])} .*?\.(?= [A-Z]|$)", before, re.M)
            yield (header, {line[0]: line[place] for line in table[2:] if len(line) > place},
                   said[0] if said else f"The column of {header} is of a run before.")


def rows_of(name):
    """By which columns are in order: the year last."""
    return int(re.match(r"[\d,]+", name)[0].replace(",", "")) if name[0].isdigit() else YEAR_ROWS


def report(results, rounds, where, before):
    sizes = [(size_name(one["rows"]), one["found"]) for one in results]
    kept = list(columns_kept(before, [name for name, _ in sizes]))
    columns = sorted([(name, {}) for name, _ in sizes] + [(name, cells) for name, cells, _ in kept], key=lambda one: rows_of(one[0]))
    beside = next((one["found"] for one in reversed(results) if any("litellm" in (cost or {}) for cost in one["found"].values())), {})
    told = "; ".join(f"{one['rows']:,} rows of {DAYS} days ({one['lines']:,} merged lines of days, {one['waiting']:,} not merged)" if one["rows"]
                     else f"the sums of a year of {YEAR_ROWS:,} rows ({one['lines']:,} lines)" for one in results)
    lines = [" ".join([f"{where}; {told}; best of {rounds}.", *(said for _, _, said in kept), "Milliseconds · lines or rows read · pages."]), "",
             "| question | " + " | ".join(name for name, _ in columns) + " | LiteLLM's tables | target, ms | met |",
             "| --- |" + " ---: |" * (len(columns) + 2) + " --- |"]
    found_of = dict(sizes)
    for name in dict.fromkeys(name for _, found in sizes for name in found):
        costs = [found[name] for _, found in sizes if name in found]
        met = all(cost and cost["ms"] <= target_of(name) for cost in costs)
        theirs = (beside.get(name) or {}).get("litellm")
        cells = [name, *((cell(found_of[size][name]) if name in found_of[size] else "") if size in found_of else old.get(name, "")
                         for size, old in columns), cell(theirs) if theirs else "", str(target_of(name)), "yes" if met else "no"]
        lines.append("| " + " | ".join(cells) + " |")
    for name in OF_ROWS:
        question = f"{name}, by a new session"
        cells = [question, *((f"{found_of[size][name]['new']:.1f}" if found_of[size].get(name) else "") if size in found_of
                             else old.get(question, "") for size, old in columns), "", "", ""]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main():
    from bench.run import machine, section, write_section
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--rows", default="1000000", help="how many; several apart by commas")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--folder", default=os.path.join(ROOT, ".local/bench-questions"))
    parser.add_argument("--keep", action="store_true", help="the server stays, filled")
    parser.add_argument("--no-write", action="store_true", help="print only; docs/benchmarks.md stays")
    options = parser.parse_args()
    where, today = machine(), datetime.datetime.now(datetime.timezone.utc).date()
    servers = Servers(options.folder)
    try:
        servers.local("postgres-up")
        servers.postgres_set(SETTINGS)
        results = [size_measured(servers, rows, options.rounds, today) for rows in (0, *map(int, options.rows.split(",")))]
        text = report(sorted(results, key=lambda one: one["rows"] or YEAR_ROWS), options.rounds, where,
                      section("bench-questions"))
    finally:
        servers.local("postgres-down") if options.keep else servers.clean()
    print(text)
    if not options.no_write:
        write_section("bench-questions", text)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as failure:
        say(f"bench: {failure}")
        sys.exit(1)
