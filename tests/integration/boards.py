# SPDX-License-Identifier: Apache-2.0
"""Grafana's boards: their form, their SQL, and what it reads of a filled database."""
import datetime
import os
import re

from harness import grafana, plans
from harness.report import check, check_equal
from harness.servers import ROOT, run_checked
from integration.entry import read_yaml
from integration.repricing import FILL_ROWS
from integration.stage import EVENTS, Stage

DAYS = 40
READER = "boards_reader"
# What a variable is set to: name and how many of its values.
CHOICES = [("everything", {}), ("a team", {"team": 1}), ("teams", {"team": 3}), ("a key", {"key": 1}), ("models", {"model": 3}),
           ("a tag", {"tag": 1}), ("end users", {"end_user": 3}), ("all of them", {"team": 3, "key": 3, "model": 3, "tag": 2, "end_user": 2})]
# By what each of them is answered by totals of days, which do not grow with the rows.
TOTALED = {"everything": ("model", "team", "key", "user", "tag"), "a team": ("model", "team", "key", "user", "tag"),
           "teams": ("model", "team", "key", "user", "tag"), "a key": ("model", "team", "key"), "models": ("model", "team", "key", "tag"),
           "a tag": ("model", "team", "tag")}


def utc_now():
    return datetime.datetime.now(datetime.timezone.utc)


def filled(stage, rows=12000, told_apart=False):
    """Rows of 40 days and sums of them, merged but for the last; a budget, and days that are complete."""
    now = utc_now()
    place = f"host={stage.servers.socket_folder} port=5432 user=spendlog dbname={stage.database}"
    first = (now - datetime.timedelta(days=DAYS)).strftime("%Y-%m-%d")
    run_checked([FILL_ROWS, place, EVENTS, str(rows), first, str(DAYS)])
    if told_apart:  # a batch of so many days leaves its end users out: of whom is named rows would be read
        stage.sql(f"SELECT spendlog.sums_remake('{first}', '{now.strftime('%Y-%m-%d')}')")
    run_checked([os.path.join(ROOT, "spendlog"), "compact", "-c", stage.config("compact", user="spendlog")])
    run_checked([FILL_ROWS, place, EVENTS, "300", now.strftime("%Y-%m-%d"), "1"])
    stage.sql("SET ROLE spendlog_owner; SELECT spendlog.budget_set('all', '', 'month', 100), "
              "spendlog.budget_set('team', 'team-data', 'week', 5, 'Asia/Kathmandu')")
    stage.sql(f"SELECT spendlog.summarize_days(date '{first}' + d) FROM generate_series(1, {DAYS} + 1, 3) d")
    stage.sql("VACUUM ANALYZE")
    if not stage.servers.psql("postgres", f"SELECT 1 FROM pg_roles WHERE rolname = '{READER}'"):
        stage.servers.psql("postgres", f"CREATE ROLE {READER} LOGIN IN ROLE spendlog_reader")


class Asker:
    """Sends a board's SQL as the reader, and looks at its plans."""

    def __init__(self, stage, board):
        now = utc_now()
        self.stage, self.board, self.today = stage, board, now.strftime("%Y%m%d")
        self.since = (now - datetime.timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.until = now.strftime("%Y-%m-%dT%H:%M:%SZ")
        self.values = {one["name"]: [row[1] for row in self.rows(one["query"], {})]
                       for one in board["templating"]["list"] if one["type"] == "query"}

    def text(self, sql, chosen):
        return grafana.asked(sql, self.board, chosen, self.since, self.until)

    def rows(self, sql, chosen):
        text = self.text(sql, chosen)
        check("$" not in text, f"a variable or macro that is not known: {text}")
        return self.stage.servers.psql(self.stage.database, text, user=READER)

    def chosen(self, counts):
        """The first values of variables; beside several one that nobody has and that has to be quoted."""
        return {name: self.values[name][:count] + (["o'neill"] if count > 1 else []) for name, count in counts.items()}

    def plans(self, sql, chosen):
        return plans.plans_of(self.stage.servers, self.stage.database, self.text(sql, chosen))

    def scanned(self, sql, chosen):
        return plans.rows_scanned(self.plans(sql, chosen), self.today)


def is_of_one_call(sql):
    return "spendlog.call(" in sql or "spendlog.session(" in sql


def panel_reads_sums(asker, title, sql, choices):
    """A panel answers, and reads no rows of days that are over; where there are totals, no lines of days."""
    by = re.search(r"spend_of\('(\w+)'", sql)
    for name, counts in choices:
        chosen = asker.chosen(counts)
        if name == "everything":
            check(asker.rows(sql, chosen) or is_of_one_call(sql), f"{title} shows nothing")
        read = asker.plans(sql, chosen)
        check_equal(plans.rows_scanned(read, asker.today), [], f"{title}, {name}: rows that are read")
        if by and by[1] in TOTALED.get(name, ()):
            tables = {node["Relation Name"] for node in plans.scans_of(read)}
            check("day_totals" in tables and "spend_days" not in tables, f"{title}, {name}: reads {sorted(tables)}")


FIGURES = ("calls", "spend", "input_cost", "output_cost", "other_cost", "gateway_cost", "input_tokens", "output_tokens", "cache_read_tokens",
           "cache_write_tokens", "reasoning_tokens")


def summed(asker, sql):
    """The figures of spend_of() that a statement adds up."""
    plan = "\n".join(line for (line,) in asker.rows("EXPLAIN (VERBOSE, COSTS OFF) " + sql, {}))
    check("Function Scan on spendlog.spend_of_summands l" in plan, f"spend_of() is not a part of the statement: {plan}")
    return {name for name in FIGURES if f"sum(l.{name})" in plan}


def panel_sums_what_it_shows(asker, title, sql):
    """What a panel does not ask of spend_of() nobody adds up."""
    more = {name for name in summed(asker, sql) if not re.search(rf"\b{name}\b", sql)}
    check(not more, f"{title}: adds up {more} as well")


def same_by_any_way(stage):
    """spend_of() of arguments that are known when it is planned, that a statement is prepared for, and that are asked for first."""
    types = ("text", "date", "date", *["text[]"] * 5)
    for by, named in (("model", ""), ("key", "models => {models}"), ("user", "teams => {teams}"), ("end_user", ""), ("tag", "tags => {tags}")):
        name, _, words = named.partition(" => ")
        said = {"models": "{gpt-4o,gpt-4o-mini}", "teams": "{team-data}", "tags": "{prod}"}.get(name, "{}")
        place = ("teams", "keys", "models", "tags", "end_users").index(name or "keys") + 4
        constants = [f"'{by}'", "current_date - 30", "date '2100-01-01'", *["'{}'"] * 5]
        constants[place - 1] = f"'{said}'"
        ways = [", ".join(constants), ", ".join(f"(SELECT ({one})::{kind})" for one, kind in zip(constants, types))]
        digest = "SELECT count(*), md5(string_agg(s::text, ' ' ORDER BY s::text)) FROM spendlog.spend_of({}) s"
        found = [stage.sql(digest.format(way)) for way in ways]
        prepared = digest.format(", ".join(f"${number}" for number in range(1, 9)))
        found.append(stage.sql(f"SET plan_cache_mode = force_generic_plan; PREPARE asked ({', '.join(types)}) AS {prepared}; "
                               f"EXECUTE asked ({', '.join(constants)})"))
        check(int(found[0][0][0]) > 0, f"by {by}: nothing is there")
        check_equal(found[1:], found[:1] * 2, f"by {by}, of {words or 'all'}: asked in other ways")


def panels_of_calls(asker, call):
    """A panel of one call reads the rows of that call, found by an index."""
    found = 0
    for panel in grafana.panels_of(asker.board):
        sql = panel["targets"][0]["rawSql"]
        if is_of_one_call(sql):
            text = asker.text(sql, {"call": [call]})
            check_equal(len(asker.rows(sql, {"call": [call]})), 1, f"rows of {panel['title']}")
            for node in plans.scans_of(plans.plans_of(asker.stage.servers, asker.stage.database, text)):
                if plans.ROWS.match(node["Relation Name"]):
                    check(node["Node Type"] in ("Bitmap Heap Scan", "Index Scan") and node["Actual Rows"] <= 1,
                          f"{panel['title']}: {node['Node Type']} of {node['Relation Name']}")
            found += 1
    check(found, "no panel of one call")


def a_call(stage):
    """The name of a call that no other row has: the events that fill the database come again and again."""
    stage.sql("UPDATE spendlog.spend_logs SET request_id = 'a call of its own' WHERE identity = (SELECT min(identity::text)::uuid "
              "FROM spendlog.spend_logs WHERE start_time < current_date - 9) AND start_time < current_date - 9")
    return "a call of its own"


def board_reads_sums_alone(servers):
    """Each panel and variable of the FinOps board, set to all, one and several, answers from sums, of a team, a key, models or a tag from totals."""
    board = grafana.board("spend.json")
    with Stage(servers, "boards", partitions=1) as stage:
        filled(stage, told_apart=True)
        asker = Asker(stage, board)
        for one in board["templating"]["list"]:
            if one["type"] == "query":
                check(len(asker.values[one["name"]]) >= 2, f"{one['name']}: {asker.values[one['name']]}")
                check_equal(asker.scanned(one["query"], {}), [], f"variable {one['name']}")
        panels = list(grafana.panels_of(board))
        for panel in panels:
            sql = panel["targets"][0]["rawSql"]
            panel_reads_sums(asker, panel["title"], sql, CHOICES if ":sqlstring" in sql and not is_of_one_call(sql) else CHOICES[:1])
            if "spend_of(" in sql:
                panel_sums_what_it_shows(asker, panel["title"], sql)
        check_equal(summed(asker, "SELECT * FROM spendlog.spend_of('model', current_date, current_date + 1)"), set(FIGURES), "figures of all columns")
        same_by_any_way(stage)
        panels_of_calls(asker, a_call(stage))
        # What would be wrong is seen, also inside of a function.
        for sql in ("SELECT sum(spend) FROM spendlog.spend_logs", "SELECT count(*) FROM spendlog.spend_items",
                    "SELECT * FROM spendlog.spent_around('all', '', current_date - 9, current_date, ARRAY[current_date - 5])"):
            check(asker.scanned(sql, {}), f"no row is seen to be read by {sql}")
    return f"{len(panels)} panels, {len(asker.values)} variables, {len(CHOICES)} choices"


# Pages that spent() may look at in a database of some thousand lines, of which some hundred are not merged: of somebody with a
# budget, and of others.
SPENT_PAGES, OTHERS_PAGES = 200, 300


def spent_reads_little(servers):
    """spent() of whom has a budget reads its lines and what is not merged, of others the totals of days; from the second time on it is planned."""
    with Stage(servers, "spent-reads", partitions=1) as stage:
        filled(stage, 3000)
        team = stage.value("SELECT team_id FROM spendlog.shared_callers WHERE team_id <> '' AND team_id <> 'team-data' ORDER BY 1 LIMIT 1")
        model = stage.value("SELECT model FROM spendlog.shared_calls WHERE model <> '' ORDER BY 1 LIMIT 1")
        key = stage.value("SELECT api_key FROM spendlog.shared_callers WHERE api_key <> '' ORDER BY 1 LIMIT 1")
        lines = int(stage.value("SELECT (SELECT count(*) FROM spendlog.spend_days) + (SELECT count(*) FROM spendlog.spend_slots)"))
        setting = plans.plans_of(servers, stage.database, f"SELECT spendlog.budget_set('team', '{team}', 'month', 100)",
                                 ("SET enable_seqscan = off",))  # of so few lines all would be read
        merged = sum(plans.rows_read(node) for node in plans.scans_of(setting) if node["Relation Name"] in ("spend_days", "spend_slots"))
        check(0 < merged < lines / 2, f"{merged} of {lines} lines are read to set a budget")
        told = []
        for scope, one, pages in (("team", team, SPENT_PAGES), ("all", "", OTHERS_PAGES), ("model", model, OTHERS_PAGES), ("key", key, OTHERS_PAGES)):
            for zone in ("UTC", "Asia/Kathmandu"):
                sql = f"SELECT spendlog.spent('{scope}', '{one}', 'year', '{zone}')"
                read = plans.plans_of(servers, stage.database, sql, (sql,))
                read = read[len(read) // 2:]
                days = [node["Relation Name"] for node in plans.scans_of(read) if node["Relation Name"] == "spend_days"]
                check_equal(days, [], f"lines of days read by {sql}")
                check_equal(plans.rows_scanned(read, "99991231"), [], f"rows read by {sql}")
                looked = max(plans.buffers_of(plan) for plan in read)
                check(looked <= pages, f"{looked} pages by {sql}")
                told.append(looked)
        return f"pages {told}"


# A question of each view, and for each table that it may read what the scan has to say: the range of days is among its conditions.
VIEWS = [
    "SELECT sum(spend) FROM spendlog.spend_daily WHERE day >= {since} AND day < {until}",
    "SELECT sum(spend) FROM spendlog.spend_daily WHERE day >= {since} AND day < {until} AND team_id = 'team-data'",
    "SELECT sum(spend) FROM spendlog.spend_hourly WHERE day >= {since} AND day < {until} AND model = 'gpt-4o'",
    "SELECT sum(spend) FROM spendlog.spend_daily_in('Asia/Kathmandu', {since}, {until})",
    "SELECT sum(spend) FROM spendlog.spend_by_tag WHERE day >= {since} AND day < {until}",
    "SELECT sum(spend) FROM spendlog.spend_by_end_user WHERE day >= {since} AND day < {until}",
    "SELECT sum(amount) FROM spendlog.spend_by_meter WHERE day >= {since} AND day < {until}",
    "SELECT sum(saved) FROM spendlog.cache_savings WHERE day >= {since} AND day < {until} AND model = 'gpt-4o'",
    "SELECT sum(difference) FROM spendlog.price_drift WHERE day >= {since} AND day < {until}",
    "SELECT sum(spend) FROM spendlog.spend_of('model', {since}, {until})",
    "SELECT sum(spend) FROM spendlog.spend_of('key', {since}, {until}, ARRAY['team-data'])",
]
# Of all days: whatever they are, no rows.
OF_ALL_DAYS = ("unpriced_models", "suspense", "coverage", "budget_status")
SUMS = re.compile(r"^(spend_(days|slots)\w*|day_totals)$")


def conditions_of(node):
    """Conditions of a scan, those of the index scan below it too."""
    return " ".join(str(one.get(name, "")) for one in [node, *node.get("Plans", ())] for name in ("Index Cond", "Recheck Cond", "Filter"))


def views_read_a_range_of_the_sums(servers):
    """The views of spend answer from sums, a range of days and a filter reach the tables, and no rows are read."""
    with Stage(servers, "views-read", partitions=1) as stage:
        filled(stage, 3000)
        since, until = (f"date '{(utc_now() - datetime.timedelta(days=days)):%Y-%m-%d}'" for days in (20, 10))
        for text in VIEWS:
            sql = text.format(since=since, until=until)
            read = plans.plans_of(servers, stage.database, sql)
            check_equal(plans.rows_scanned(read, "99991231"), [], f"rows read by {sql}")
            scans = [node for node in plans.scans_of(read) if SUMS.match(node["Relation Name"])]
            check(scans, f"{sql} reads no sums")
            for node in scans:
                check("day" in conditions_of(node), f"{sql}: {node['Node Type']} of {node['Relation Name']} reads all days")
        for view in OF_ALL_DAYS:
            check_equal(plans.rows_scanned(plans.plans_of(servers, stage.database, f"SELECT * FROM spendlog.{view}"), "99991231"), [],
                        f"rows read by {view}")
        check_equal(stage.sql("SELECT * FROM spendlog.totals_differ()"), [], "totals that are not their lines")
        newest = stage.value("SELECT max(start_time)::date FROM spendlog.doubtful_rows")
        reads = plans.rows_scanned(plans.plans_of(servers, stage.database, "SELECT count(*) FROM spendlog.doubtful_rows "
                                                  f"WHERE start_time >= '{newest}'"), "99991231")
        check(all(newest.replace("-", "") <= re.search(r"_(\d{8})", one).group(1) for one in reads), f"doubtful_rows reads {reads}")
    return f"{len(VIEWS) + len(OF_ALL_DAYS)} questions"


def grid_is_whole(board):
    """No two panels share a place, and none stands beyond the board's 24 columns."""
    taken = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        check(0 <= at["x"] and at["x"] + at["w"] <= 24 and at["h"] > 0, f"{panel['title']}: {at}")
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        check(not cells & taken, f"{panel['title']} covers another panel")
        taken |= cells


def references_of(value):
    """Every datasource that is named anywhere."""
    if isinstance(value, dict):
        if isinstance(value.get("datasource"), dict):
            yield value["datasource"]
        for one in value.values():
            yield from references_of(one)
    elif isinstance(value, list):
        for one in value:
            yield from references_of(one)


def board_is_provisionable(name, sources):
    board = grafana.board(name)
    check(isinstance(board["schemaVersion"], int) and board["schemaVersion"] >= 36 and board.get("id") is None, f"{name}: head")
    check(re.fullmatch(r"[a-zA-Z0-9_-]{1,40}", board["uid"]) and board["title"], f"{name}: uid")
    variables = {one["name"]: one for one in board["templating"]["list"]}
    source = variables["datasource"]
    check_equal((source["type"], source["current"]["value"]), ("datasource", sources[source["query"]]), f"{name}: its datasource")
    for one in references_of(board):
        check_equal(one, {"type": source["query"], "uid": "${datasource}"}, f"{name}: a datasource by its own name")
    panels = list(grafana.panels_of(board))
    ids = [panel["id"] for panel in board["panels"]]
    check_equal(len(set(ids)), len(ids), f"{name}: ids")
    grid_is_whole(board)
    for panel in panels:
        check(panel["title"] and panel["targets"] and "datasource" in panel, f"{name}: {panel['id']}")
        check_equal(len({target["refId"] for target in panel["targets"]}), len(panel["targets"]), f"{panel['title']}: refId")
        for target in panel["targets"]:
            used = set(re.findall(r"\$\{?([a-z]\w*)", target.get("rawSql") or target["expr"]))
            check(used <= set(variables), f"{panel['title']}: {used - set(variables)}")
            check("rawSql" not in target or (target["format"] == "time_series") == (panel["type"] == "timeseries"), f"{panel['title']}: format")
    for one in board["templating"]["list"]:
        check(one["type"] in ("datasource", "query", "textbox"), f"{name}: {one['name']}")
    return board["uid"], len(panels)


def boards_are_provisionable(servers):
    """The boards have the form that Grafana provisions: uid, version, panels that do not overlap, the datasource by a variable."""
    del servers
    sources = {one["type"]: one["uid"] for one in read_yaml("examples/grafana/datasource.yaml")["datasources"]}
    names = sorted(one for one in os.listdir(grafana.FOLDER) if one.endswith(".json"))
    found = [board_is_provisionable(name, sources) for name in names]
    check_equal(len({uid for uid, _ in found}), len(found), "uids")
    mounted = str(read_yaml("docker-compose.yml")["services"]["grafana"]["volumes"])
    check(all(name in mounted for name in names), "boards that the containers do not have")
    return ", ".join(f"{name}: {count} panels" for name, (_, count) in zip(names, found))


ALL = (boards_are_provisionable, board_reads_sums_alone, views_read_a_range_of_the_sums, spent_reads_little)
