#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Takes the statements of LiteLLM's source that read its spend tables, into statements.json, and their tables,
into schema.prisma. To be run by the Python of an installed proxy, from another folder than litellm's:

    LITELLM_LOCAL_MODEL_COST_MAP=True PYTHON tests/cases/litellm/take.py

A statement is a string of the source; what an f-string puts in is the module's own, or what LOCAL says beside it.
Every string that reads one of the tables is taken or has a reason in LEFT: a new version that has another one stops.
"""
import ast
import importlib
import importlib.metadata
import inspect
import itertools
import json
import os
import re
import textwrap

import litellm

PLACE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(litellm.__file__)
READS = re.compile(r'"LiteLLM_SpendLogs"|"LiteLLM_Daily\w+"|MonthlyGlobalSpend|Last30d|DailyTagSpend|\bpg_table\b')
WINDOW = ["{since}", "{until}"]
IN_WINDOW = "\"startTime\" >= ($1::timestamptz AT TIME ZONE 'UTC') AND \"startTime\" <= ($2::timestamptz AT TIME ZONE 'UTC')"
CALLS = WINDOW + ["[]", "[]", "[\"ignored\"]", True, None, "[]"]
OPTIONS = WINDOW + ["[\"ignored\"]", True, None, "[]"]
LATENCY = ["{group}", "{since}", "{until}", "null", "null"]
TAGS = {"where_clause": "WHERE dts.date >= $1 AND dts.date <= $2", "end_date": "{until}", "MAX_WEEKS": 7, "MAX_MONTHS": 7,
        "MAX_TAGS": 250}
NEWEST = {"_order_expr": '"startTime"', "_sql_dir": "DESC", "_nulls_clause": "", "exact_request_id_first": ""}

# file, words of the statement, parameters, LOCAL
TAKEN = [
    ("integrations/SlackAlerting/user_spend_alerts.py", "baseline_spend", ["{until}", "{since}", "{since}"], {}),
    ("integrations/cloudzero/database.py", "dus.id", [None, None], {}),
    ("integrations/focus/database.py", "dus.id", [], {"where_clause": "", "limit_clause": ""}),
    ("proxy/analytics_endpoints/cache_activity.py", "AS cache_hits", CALLS, {}),
    ("proxy/analytics_endpoints/cache_activity.py", "AS error_code", CALLS, {}),
    ("proxy/analytics_endpoints/cache_activity.py", "SELECT DISTINCT COALESCE", OPTIONS, {}),
    ("proxy/analytics_endpoints/cache_activity.py", "SELECT DISTINCT sl.", OPTIONS, {}),
    ("proxy/db/db_transaction_queue/spend_log_cleanup.py", "OFFSET $1 LIMIT 1", [3], {}),
    ("proxy/management_endpoints/auto_router_endpoints.py", "AS saved", WINDOW, {"where": "date >= $1 AND date <= $2"}),
    ("proxy/management_endpoints/management_v1/spend_logs.py", "SELECT DISTINCT", WINDOW + [5000, 101, 0],
     {"column_sql": "end_user", "scan_idx": 3, "where_parts": (IN_WINDOW, "end_user IS NOT NULL", "end_user != ''")}),
    ("proxy/management_endpoints/management_v1/spend_logs.py", "SELECT DISTINCT", WINDOW + [5000, 101, 0],
     {"column_sql": '"user"', "scan_idx": 3, "where_parts": (IN_WINDOW, "\"user\" IS NOT NULL", "\"user\" != ''")}),
    ("proxy/management_endpoints/prompt_caching_requests.py", "AS usage_object", WINDOW + [50, None, None], {"filter": "hits"}),
    ("proxy/management_endpoints/request_error_endpoints.py", "'key' AS kind, u.api_key AS id", WINDOW, {}),
    ("proxy/management_endpoints/team_endpoints.py", "u.user_alias", WINDOW + ["{team}"],
     {"team_placeholders": "$3", "user_clause": ""}),
    ("proxy/management_endpoints/user_agent_analytics_endpoints.py", "as usage_count", [], TAGS),
    ("proxy/management_endpoints/user_agent_analytics_endpoints.py", "GROUP BY dts.tag, dts.date", WINDOW, TAGS),
    ("proxy/management_endpoints/user_agent_analytics_endpoints.py", "weekly_data", WINDOW, TAGS),
    ("proxy/management_endpoints/user_agent_analytics_endpoints.py", "monthly_data", WINDOW, TAGS),
    ("proxy/management_endpoints/user_agent_analytics_endpoints.py", "as unique_users", WINDOW, TAGS),
    ("proxy/proxy_server.py", "avg_latency_per_token", LATENCY, {}),
    ("proxy/proxy_server.py", "slow_count", [1, "{group}", "{since}", "{until}", "null", "null"], {}),
    ("proxy/proxy_server.py", "DATE($2::timestamp)", ["{group}", "{until}"], {}),
    ("proxy/proxy_server.py", "BETWEEN $2::timestamp", ["{group}", "{since}", "{until}"], {}),
    ("proxy/roi_calculator/branch_spend.py", "WITH tagged AS", WINDOW + ["[\"spendlog\"]", True], {}),
    ("proxy/spend_tracking/key_metadata_recovery.py", "MIN(user_id)", [["{key}"]], {}),
    ("proxy/spend_tracking/spend_capture_rate.py", "custom_llm_provider = ANY", WINDOW + [["openai", "anthropic"]], {}),
    ("proxy/spend_tracking/spend_management_endpoints.py", "sl.organization_id = $3", WINDOW + ["{org}", ["{team}"]], {}),
    ("proxy/spend_tracking/spend_management_endpoints.py", "to_char(date_trunc", WINDOW, {"filter_sql": ""}),
    ("proxy/spend_tracking/spend_management_endpoints.py", 'SELECT DISTINCT "user", team_id', ["{request}"], {}),
    ("proxy/spend_tracking/spend_management_endpoints.py", "AS api_requests", WINDOW + ["{user}"], {}),
    ("proxy/spend_tracking/spend_management_endpoints.py", "AND sl.{scope_column} = $3", WINDOW + ["{team}"],
     {"scope_column": "team_id"}),
    ("proxy/spend_tracking/spend_management_endpoints.py", "AND sl.{scope_column} = $3", WINDOW + ["{end_user}"],
     {"scope_column": "end_user"}),
    ("proxy/spend_tracking/spend_management_endpoints.py", "unnest(${next_param_index}::text[]", WINDOW + [["{session}"], ["{key}"]],
     {"where_clause": IN_WINDOW, "next_param_index": 3}),
    ("proxy/spend_tracking/spend_management_endpoints.py", "WITH top_api_keys AS", ["{user}", 5], {}),
    ("proxy/spend_tracking/spend_management_endpoints.py", 'SELECT * FROM "Last30dKeysBySpend";', [], {}),
    ("proxy/spend_tracking/spend_management_endpoints.py", "t.team_alias as team_alias", [], {}),
    ("proxy/spend_tracking/spend_management_endpoints.py", "SELECT DISTINCT end_user FROM", [], {}),
    ("proxy/spend_tracking/spend_management_endpoints.py", "WHEN $3::TEXT IS NULL", WINDOW + [None], {}),
    ("proxy/spend_tracking/spend_management_endpoints.py", "SUM(total_tokens) as total_tokens", ["{user}", 10], {}),
    ("proxy/spend_tracking/spend_management_endpoints.py", 'FROM "Last30dModelsBySpend" LIMIT $1', [1000], {}),
    ("proxy/spend_tracking/spend_management_endpoints.py", "SELECT DISTINCT\n", [], {}),
    ("proxy/spend_tracking/spend_management_endpoints.py", "t.team_alias,\n            SUM(s.spend) AS total_spend", WINDOW, {}),
    ("proxy/spend_tracking/spend_management_endpoints.py", "GROUP BY individual_request_tag\n        ORDER BY total_spend DESC;\n        \"\"\"",
     WINDOW, {}),
    ("proxy/spend_tracking/spend_management_endpoints.py", "AS bounded_matches", WINDOW + [10001],
     {"joined_conditions": IN_WINDOW, "count_group_clause": "", "p": 3}),
    ("proxy/spend_tracking/spend_management_endpoints.py", "AS bounded_matches", WINDOW + [10001],
     {"joined_conditions": IN_WINDOW, "count_group_clause": "GROUP BY COALESCE(NULLIF(session_id, ''), request_id), api_key", "p": 3}),
    ("proxy/spend_tracking/spend_management_endpoints.py", 'WHERE "user" = $1 ORDER BY "date"', ["{user}"], {}),
    ("proxy/spend_tracking/spend_management_endpoints.py", 'SUM(spend) as total_spend FROM "MonthlyGlobalSpend"', [], {}),
    ("proxy/spend_tracking/spend_management_endpoints.py", 'FROM "Last30dKeysBySpend" LIMIT $1', [1000], {}),
    ("proxy/spend_tracking/spend_management_endpoints.py", "spend_date,\n            log_count", WINDOW, {}),
    ("proxy/spend_tracking/spend_management_endpoints.py", "individual_request_tag = ANY($3", WINDOW + [["{tag}"]], {}),
    ("proxy/spend_tracking/spend_management_endpoints.py", "WHERE session_id = $1{scope_sql}", ["{session}", 50, 0], {"scope_sql": ""}),
    ("proxy/spend_tracking/spend_management_endpoints.py", "SELECT request_id, messages, response", ["{call}"], {"scope_sql": ""}),
    ("proxy/spend_tracking/spend_management_endpoints.py",
     "SELECT\n                date_trunc('day', \"startTime\") AS date,\n                COUNT(*) AS api_requests,\n"
     "                SUM(total_tokens)", WINDOW, {}),
    ("proxy/spend_tracking/spend_management_endpoints.py",
     "model_group,\n        date_trunc('day', \"startTime\") AS date", WINDOW + ["{user}"], {}),
    ("proxy/spend_tracking/spend_management_endpoints.py",
     "model_group,\n                date_trunc('day', \"startTime\") AS date", WINDOW, {}),
    ("proxy/spend_tracking/spend_management_endpoints.py", "AND length(model_id) > 0\n            AND", WINDOW + ["{user}"], {}),
    ("proxy/spend_tracking/spend_management_endpoints.py", "AND length(model_id) > 0\n            GROUP BY", WINDOW, {}),
    ("proxy/spend_tracking/spend_management_endpoints.py", "AND sl.api_key = $3", WINDOW + ["{key}"], {}),
    ("proxy/spend_tracking/spend_management_endpoints.py", "{exact_request_id_first}{_order_expr} {_sql_dir}{_nulls_clause}, request_id",
     WINDOW + [50, 0], {"joined_conditions": IN_WINDOW, "p": 3, **NEWEST}),
    ("proxy/spend_tracking/spend_management_endpoints.py", "{exact_request_id_first}{_order_expr} {_sql_dir}{_nulls_clause}\n",
     WINDOW + [50, 0], {"joined_conditions": IN_WINDOW, "p": 3, **NEWEST}),
    ("proxy/spend_tracking/spend_management_endpoints.py", 'WHERE "api_key" = $1 AND "user" = $2', ["{key}", "{user}"], {}),
    ("proxy/spend_tracking/spend_management_endpoints.py", "GROUP BY individual_request_tag;", WINDOW, {"where_sql": " WHERE " + IN_WINDOW}),
    ("proxy/spend_tracking/spend_management_endpoints.py", "AND sl.user = $3", WINDOW + ["{user}"], {}),
    ("proxy/spend_tracking/spend_management_endpoints.py", "'customer', customer,\n                    'total_spend'", WINDOW, {}),
    ("proxy/spend_tracking/spend_management_endpoints.py", 'SELECT * FROM "MonthlyGlobalSpend" ORDER BY', [], {}),
    ("proxy/spend_tracking/spend_management_endpoints.py", 'WHERE "api_key" = $1\n', ["{key}"], {}),
    ("proxy/spend_tracking/spend_management_endpoints.py",
     "AND sl.\"startTime\" <  (($2::timestamptz + INTERVAL '1 day') AT TIME ZONE 'UTC')\n                    GROUP BY\n"
     "                        sl.api_key,\n                        sl.model\n", WINDOW, {}),
    ("proxy/spend_tracking/spend_management_endpoints.py", "AS session_models", [["{session}"], ["{key}"], 100, 20], {}),
    ("proxy/spend_tracking/spend_tracking_utils.py", "'Unassigned Team') AS team_name,\n            sl.model", WINDOW + [None], {}),
    ("proxy/spend_tracking/spend_tracking_utils.py", "AND sl.end_user = $4", WINDOW + ["{team}", "{end_user}"], {}),
    ("repositories/table_repositories.py", "SELECT DISTINCT request_id", [["{request}", "{call}"]], {}),
    ("responses/litellm_completion_transformation/session_handler.py", "matching_session", [["{request}"]], {}),
]
# Statements that a name of a module holds ready made.
NAMED = [
    ("proxy/spend_tracking/key_metadata_recovery.py", "_SPEND_LOG_ALIAS_SQL", [["{key}"], "{since}", "{until}"]),
]
LEFT = [
    ("proxy/db/create_views.py", "CREATE ", "the views themselves: tests make them of LiteLLM's tables by these"),
    ("proxy/db/create_views.py", "SELECT 1 FROM", "asks whether a view is there"),
    ("proxy/db/create_views.py", "reltuples", "the planner's estimate of a table"),
    ("proxy/utils.py", "reltuples", "the planner's estimate of a table"),
    ("proxy/spend_tracking/spend_management_endpoints.py", "relkind", "the catalogue"),
    ("proxy/db/baseline_accounting.py", "", "writes, or reads the auto router's own tables beside"),
    ("proxy/db/budget_window_spend_writer.py", "", "reads the delivery table of LiteLLM's writer beside"),
    ("proxy/management_endpoints/request_error_endpoints.py", "", "counters of LiteLLM's HTTP layer, which are in no event"),
    ("repositories/gateway_activity_repository.py", "", "counters of LiteLLM's HTTP layer, which are in no event"),
    ("proxy/spend_tracking/key_metadata_recovery.py", "", "parts of _SPEND_LOG_ALIAS_SQL, which is taken whole"),
    ("proxy/spend_tracking/session_page.py", "", "parts of a page of sessions, whose statements are taken"),
    ("proxy/spend_tracking/spend_management_endpoints.py", "session_filter_conditions", "a part of a condition"),
    ("repositories/daily_activity_sql.py", "", "taken whole from the functions that build them"),
    ("repositories/spend_log_insert.py", "", "writes"),
]


def strings_of(path):
    """The strings of a file that read one of the tables: node, text as it is written."""
    with open(os.path.join(ROOT, path)) as text:
        source = text.read()
    lines = source.splitlines(keepends=True)
    tree = ast.parse(source)
    parts = {id(c) for n in ast.walk(tree) if isinstance(n, ast.JoinedStr) for c in ast.walk(n) if c is not n}
    for node in ast.walk(tree):
        if id(node) not in parts and (isinstance(node, ast.JoinedStr)
                                      or isinstance(node, ast.Constant) and isinstance(node.value, str)):
            words = "".join(lines[node.lineno - 1:node.end_lineno])
            if READS.search(words) and re.search(r"\b(SELECT|FROM|JOIN)\b", words):
                yield node, words


def files():
    for folder, _, names in os.walk(ROOT):
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), ROOT)
            if name.endswith(".py"):
                with open(os.path.join(ROOT, path)) as text:
                    if READS.search(text.read()):
                        yield path


def module_of(path):
    return importlib.import_module("litellm." + path[:-3].replace("/", "."))


def value_of(path, node, local):
    if isinstance(node, ast.Constant):
        return node.value
    names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} - set(local)
    around = {**(vars(module_of(path)) if names else {}), **local}
    return eval(compile(ast.Expression(node), path, "eval"), around)


def statement(path, line, sql, params):
    return {"from": f"litellm/{path}:{line}", "sql": textwrap.dedent(sql.replace("\t", "    ")).strip().rstrip(";"), "params": params}


def taken():
    used = set()
    for path in sorted(files()):
        for node, words in strings_of(path):
            rows = [n for n, row in enumerate(TAKEN) if row[0] == path and row[1] in words]
            if not rows and not any(row[0] == path and row[1] in words for row in LEFT):
                raise SystemExit(f"{path}:{node.lineno} is neither taken nor left:\n{words}")
            for n in rows:
                if n in used:
                    continue
                used.add(n)
                yield statement(path, node.lineno, value_of(path, node, TAKEN[n][3]), TAKEN[n][2])
    if len(used) < len(TAKEN):
        raise SystemExit(f"not found: {[TAKEN[n][:2] for n in range(len(TAKEN)) if n not in used]}")
    for path, name, params in NAMED:
        yield statement(path, name, getattr(module_of(path), name), params)


def built():
    """What the usage pages send: repositories/daily_activity_sql.py."""
    path = "repositories/daily_activity_sql.py"
    sql, tables = module_of(path), importlib.import_module("litellm.types.repositories.daily_activity")
    whose = {"USER": ("user_id", "{user}"), "TEAM": ("team_id", "{team}"), "TAG": ("tag", "{tag}"), "CUSTOMER": ("end_user_id", "{end_user}"),
             "ORGANIZATION": ("organization_id", "{org}"), "AGENT": ("agent_id", "{agent}")}
    makers = [("aggregated", {"api_key_limit": 50}), ("entity_rollup", {"api_key_limit": 50}), ("key_page", {"offset": 0, "limit": 50}),
              ("user_page", {"offset": 0, "limit": 50}), ("key_search", {"search": "e1", "limit": 20}),
              ("model_top_keys", {"model_group": "{group}", "by_model_group": True, "limit": 5}), ("cache_leakage_keys", {"limit": 10})]
    makers += [("export", {"export_type": t, "after": None, "batch_size": 500}) for t in tables.ExportType]
    for (table, (field, one)), (maker, words), narrow in itertools.product(whose.items(), makers, (False, True)):
        if narrow and maker not in ("aggregated", "key_page"):
            continue
        scope = tables.DailyActivityScope(
            table=tables.DailyActivityTable[table], entity_id_field=field, entity_ids=(one,) if narrow else None, exclude_entity_ids=(),
            api_keys=None, start_date="{since}", end_date="{until}", model=None, timezone_offset_minutes=None)
        build = getattr(sql, f"build_{maker}_sql")
        query = build(scope, **words)
        yield statement(path, inspect.getsourcelines(build)[1], query.sql, [list(p) if isinstance(p, tuple) else p for p in query.params])


def views():
    """What LiteLLM makes at its first start, without the view over its own keys."""
    for node, words in strings_of("proxy/db/create_views.py"):
        if "CREATE" in words:
            yield ast.literal_eval(node)


def main():
    out = {"version": importlib.metadata.version("litellm"), "views": list(views()), "statements": [*taken(), *built()]}
    with open(os.path.join(PLACE, "statements.json"), "w") as file:
        json.dump(out, file, indent=1)
        file.write("\n")
    with open(os.path.join(ROOT, "proxy/schema.prisma")) as text:
        wanted = re.compile(r"LiteLLM_(SpendLogs|Daily(User|Team|Organization|EndUser|Agent|Tag|Global|Tool)Spend|DailyModelUsage)$")
        parts = [m.group(0) for m in re.finditer(r"^model (\w+) \{\n.*?^\}\n", text.read(), re.M | re.S) if wanted.match(m.group(1))]
    with open(os.path.join(PLACE, "schema.prisma"), "w") as file:
        file.write("\n".join(parts))
    print(f"{len(out['statements'])} statements, {len(out['views'])} views, {len(parts)} tables")


if __name__ == "__main__":
    main()
