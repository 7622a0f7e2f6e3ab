# SPDX-License-Identifier: Apache-2.0
"""LiteLLM's statements answer alike on its own tables and on our views of its names, with the same facts in both."""
import collections
import datetime
import json
import os
import re
from decimal import Decimal

from harness.report import check, check_equal
from harness.servers import ROOT
from integration import prisma
from integration.repricing import NEW_PRICES
from integration.stage import Stage, demo_event, demo_lines, message_of

CASES = os.path.join(ROOT, "tests/cases/litellm")
ENTITIES = {"User": "user", "Team": "team_id", "Organization": "organization_id", "EndUser": "end_user", "Agent": "agent_id", "Tag": None}
DAILY_KEY = ("date", "api_key", "model", "model_group", "custom_llm_provider", "mcp_namespaced_tool_name", "endpoint")

# Columns of results that may differ, and why.
MAY_DIFFER = {
    "id": "LiteLLM makes a random one",
    "created_at": "when LiteLLM's writer ran; the sums know the day alone",
    "updated_at": "when LiteLLM's writer ran; the sums know the day alone",
    "api_base": "of the address the host alone is kept",
    "key_name": "the last letters of a key are in no event",
    "metadata": "of LiteLLM's own members those are made that the row knows",
    "usage_object": "made of the row's counts",
    "cost_breakdown": "`spendlog explain` has ours",
}
# Statements that cannot answer alike, by words of theirs, and why.
CANNOT = {
    'DATE("startTime") = DATE($2::timestamp)':
        "names a column beside GROUP BY request_id: PostgreSQL allows that of a table's primary key, and a view has none",
}


class Facts:
    """What happened, as LiteLLM's proxy says it: a line of LiteLLM_SpendLogs for each event."""

    def __init__(self, now):
        self.events, self.logs = [], []
        for line in demo_lines():
            event = json.loads(line)
            for one in event if isinstance(event, list) else [event]:
                self.add(one, now)

    def add(self, event, now):
        number = len(self.events)
        event["id"] = event["litellm_call_id"] = f"call-{number}"
        event["session_id"] = f"session-{number % 7}" if number % 3 == 0 else ""
        event["call_type"], event["cache_hit"] = proxied(event["call_type"]), bool(event["cache_hit"])
        start = now - datetime.timedelta(days=number % 25, minutes=number % 50)
        length = datetime.timedelta(milliseconds=round((event["endTime"] - event["startTime"]) * 1000))
        event["startTime"], event["endTime"] = start.timestamp(), (start + length).timestamp()
        event["stream"] = True
        event["completionStartTime"] = (start + datetime.timedelta(milliseconds=length // datetime.timedelta(milliseconds=2))).timestamp()
        if number % 20 == 0:
            event["metadata"]["spend_logs_metadata"] = {"agent_id": f"agent-{number % 3}", "reviewed": None}
        if number % 11 == 0:
            event["model"] = "nobody/knows-it"
        if number % 5 == 0:
            event["request_tags"] = event["request_tags"] + [f"branch:b{number % 2}", "repo:spendlog"]
        if number % 13 == 0:
            event["request_tags"], event["end_user"] = [], ""
            event["metadata"]["user_api_key_end_user_id"] = None
        self.events.append(event)

    def price(self, spends):
        """Money is ours on both sides: what is compared is the tables, not the prices."""
        self.logs = [log_of(event, spends[event["litellm_call_id"]]) for event in self.events]


def proxied(call_type):
    """A proxy calls asynchronously; that an SDK's call was not is not kept."""
    return {"completion": "acompletion", "text_completion": "atext_completion", "responses": "aresponses", "embedding": "aembedding",
            "rerank": "arerank", "image_generation": "aimage_generation", "transcription": "atranscription",
            "speech": "aspeech", "search": "asearch"}.get(call_type, call_type)


def usage_of(event):
    return event["metadata"].get("usage_object") or (event.get("response") or {}).get("usage") or {}


def log_of(event, spend):
    """As LiteLLM's proxy/spend_tracking/spend_tracking_utils.py fills a row."""
    said, usage = event["metadata"], usage_of(event)
    start, end, first = (datetime.datetime.fromtimestamp(event[m], datetime.timezone.utc).replace(tzinfo=None)
                         for m in ("startTime", "endTime", "completionStartTime"))
    failure = {"error_information": {k: v for k, v in {
        "error_code": str((event.get("error_information") or {}).get("error_code") or ""),
        "error_class": (event.get("error_information") or {}).get("error_class")}.items() if v}} if event["status"] == "failure" else {}
    own = said.get("spend_logs_metadata") or {}
    prompt, completion = (usage.get(f"{k}_tokens", event.get(f"{k}_tokens")) or 0 for k in ("prompt", "completion"))
    return {
        "request_id": event["id"], "call_type": event["call_type"], "api_key": said["user_api_key_hash"], "spend": spend,
        "total_tokens": usage.get("total_tokens", event.get("total_tokens")) or prompt + completion, "prompt_tokens": prompt,
        "completion_tokens": completion, "startTime": start.isoformat(), "endTime": end.isoformat(),
        "request_duration_ms": round((end - start).total_seconds() * 1000), "completionStartTime": first.isoformat(),
        "model": event["model"] or "", "model_id": event["model_id"] or "", "model_group": event["model_group"] or "",
        "custom_llm_provider": event["custom_llm_provider"] or "", "api_base": event["api_base"] or "",
        "user": said["user_api_key_user_id"] or "",
        "metadata": {"status": event["status"], "user_api_key_alias": said["user_api_key_alias"], "usage_object": usage, **failure},
        "cache_hit": str(event["cache_hit"]), "cache_key": "", "request_tags": event["request_tags"],
        "team_id": said["user_api_key_team_id"] or "", "organization_id": said["user_api_key_org_id"] or "",
        "end_user": event["end_user"] or "", "messages": {}, "response": {}, "session_id": event["session_id"] or None,
        "status": event["status"], "agent_id": own.get("agent_id"), "proxy_server_request": {}, "litellm_call_id": event["litellm_call_id"]}


ENDPOINTS = {"acompletion": "/chat/completions", "atext_completion": "/completions", "aembedding": "/embeddings",
             "aimage_generation": "/image/generations", "aspeech": "/audio/speech", "atranscription": "/audio/transcriptions",
             "arerank": "/rerank", "aresponses": "/responses", "aocr": "/ocr", "asearch": "/search", "adecisions": "/decisions",
             "aretrieve_batch": "/batches"}


def daily_of(logs, entity):
    """As LiteLLM's proxy/db/db_spend_update_writer.py and daily_spend_bulk_upsert.py add up a table."""
    field, days = ENTITIES[entity], collections.defaultdict(lambda: collections.defaultdict(Decimal))
    column = {"User": "user_id", "EndUser": "end_user_id", "Tag": "tag"}.get(entity, field)
    for log in logs:
        ids = dict.fromkeys(log["request_tags"]) if field is None else [] if log[field] is None else [log[field]]
        for who in ids:
            if entity == "EndUser" and not who:
                continue
            usage, failed = log["metadata"]["usage_object"], log["status"] == "failure"
            key = (who, log["startTime"][:10], log["api_key"], log["model"], log["model_group"], log["custom_llm_provider"], "",
                   ENDPOINTS.get(log["call_type"], ""))
            add = {"prompt_tokens": log["prompt_tokens"], "completion_tokens": log["completion_tokens"], "spend": log["spend"],
                   "api_requests": 1, "successful_requests": not failed, "failed_requests": failed,
                   "total_response_time_ms": 0 if failed else log["request_duration_ms"], "timed_requests": not failed,
                   "cache_read_input_tokens": usage.get("cache_read_input_tokens")
                   or (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0,
                   "cache_creation_input_tokens": usage.get("cache_creation_input_tokens")
                   or (usage.get("prompt_tokens_details") or {}).get("cache_write_tokens")
                   or (usage.get("prompt_tokens_details") or {}).get("cache_creation_tokens") or 0}
            for name, value in add.items():
                days[key][name] += Decimal(value)
    return [{"id": str(n), "updated_at": f"{key[1]}T12:00:00", column: key[0], **dict(zip(DAILY_KEY, key[1:])), **figures}
            for n, (key, figures) in enumerate(days.items())]


def models_of(text):
    """Name, and (column, type, optional, rest) of each model of a schema.prisma."""
    for name, body in re.findall(r"^model (\w+) \{\n(.*?)^\}", text, re.M | re.S):
        yield name, re.findall(r"^\s+(\w+)\s+(\w+)(\??)[ \t]*(.*)$", body, re.M)


def tables_of(text):
    """CREATE TABLE of each model of a schema.prisma."""
    types = {"String": "text", "Int": "integer", "BigInt": "bigint", "Float": "double precision", "Json": "jsonb", "DateTime": "timestamp(3)"}
    for name, body in models_of(text):
        columns = []
        for column, kind, optional, rest in body:
            default = re.search(r"@default\s*\((now\(\)|\"[^\"]*\"|[\d.]+)\)", rest)
            words = default.group(1).replace("now()", "CURRENT_TIMESTAMP") if default else ""
            words = f" DEFAULT '{words[1:-1]}'" if words.startswith('"') else f" DEFAULT {words}" if words else ""
            columns.append(f'"{column}" {types[kind]}{words}{"" if optional else " NOT NULL"}{" PRIMARY KEY" if "@id" in rest else ""}')
        yield f'CREATE TABLE own."{name}" ({", ".join(columns)})'


def models_used(logs):
    """As LiteLLM's proxy/db/daily_model_usage.py adds up its table, of tasks that nobody told."""
    days = collections.defaultdict(collections.Counter)
    for log in logs:
        model = log["model"] or "unknown"
        day = days[log["startTime"][:10], log["model_group"] or model, model, log["custom_llm_provider"] or "unknown", "uncategorized"]
        day.update(spend=log["spend"], prompt_tokens=log["prompt_tokens"], completion_tokens=log["completion_tokens"], request_count=1,
                   successful_requests=int(log["status"] == "success"), failed_requests=int(log["status"] != "success"))
    return [{"updated_at": f"{key[0]}T12:00:00", **dict(zip(("date", "model_group", "model", "custom_llm_provider", "task_type"), key)), **figures}
            for key, figures in days.items()]


def literal(value):
    if isinstance(value, list):
        value = "{" + ",".join('"' + v.replace("\\", "\\\\").replace('"', '\\"') + '"' for v in value) + "}"
    return ("NULL" if value is None else str(value).lower() if isinstance(value, (bool, int))
            else "'" + str(value).replace("'", "''") + "'")


def filled(value, names):
    if isinstance(value, list):
        return [filled(v, names) for v in value]
    return value.format(**names) if isinstance(value, str) and re.match(r"\{\w+\}", value) else value


def plain(value):
    """A result in which order and the last digits of binary floating point do not count."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items() if not k.startswith("x_") and k not in MAY_DIFFER}
    if isinstance(value, list):
        return sorted((plain(v) for v in value), key=lambda v: json.dumps(v, sort_keys=True))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"{value * (1 + 1.23456e-10):.9g}"  # sums of decimals lie on the boundaries of rounding; this moves them off
    return value


class Sides:
    def __init__(self, stage, facts):
        self.stage = stage
        with open(os.path.join(CASES, "schema.prisma")) as text:
            schema = text.read()
        made = list(tables_of(schema))
        with open(os.path.join(CASES, "statements.json")) as text:
            self.taken = json.load(text)
        self.columns = {name: [column for column, *_ in body] for name, body in models_of(schema)}
        stage.sql("CREATE SCHEMA own; " + "; ".join(made) + '; CREATE TABLE own."LiteLLM_VerificationToken" (token text PRIMARY KEY, '
                  'key_name text, key_alias text, user_id text, team_id text, organization_id text); CREATE TABLE own.'
                  '"LiteLLM_DeletedVerificationToken" (LIKE own."LiteLLM_VerificationToken"); ALTER TABLE own.'
                  '"LiteLLM_DeletedVerificationToken" ADD COLUMN deleted_at timestamp(3); CREATE TABLE own."LiteLLM_TeamTable" '
                  '(team_id text PRIMARY KEY, team_alias text, organization_id text); CREATE TABLE own."LiteLLM_UserTable" (user_id text '
                  'PRIMARY KEY, user_email text, user_alias text); CREATE TABLE own."LiteLLM_OrganizationTable" (organization_id text '
                  "PRIMARY KEY, organization_alias text)")
        self.fill("LiteLLM_SpendLogs", facts.logs)
        for entity in ENTITIES:
            self.fill(f"LiteLLM_Daily{entity}Spend", daily_of(facts.logs, entity))
        self.fill("LiteLLM_DailyModelUsage", models_used(facts.logs))
        self.people(facts)
        stage.sql("SET search_path = own; " + "; ".join(v.strip().rstrip(";") for v in self.taken["views"]))

    def people(self, facts):
        said = [event["metadata"] for event in facts.events]
        # a key that several people use has one owner in LiteLLM: the one that our view names
        owners = collections.defaultdict(list)
        for s in said:
            owners[s["user_api_key_hash"]].append((s["user_api_key_alias"], s["user_api_key_user_id"], s["user_api_key_team_id"],
                                                   s["user_api_key_org_id"]))
        self.fill("LiteLLM_VerificationToken", [dict(zip(("key_alias", "user_id", "team_id", "organization_id"), max(who)), token=key,
                                                     key_name="sk-...abcd") for key, who in owners.items()])
        self.fill("LiteLLM_TeamTable", [dict(zip(("team_id", "team_alias", "organization_id"), row)) for row in {
            (s["user_api_key_team_id"], s["user_api_key_team_alias"], s["user_api_key_org_id"]) for s in said}])
        self.fill("LiteLLM_UserTable", [{"user_id": u} for u in {s["user_api_key_user_id"] for s in said}])
        self.fill("LiteLLM_OrganizationTable", [{"organization_id": o} for o in {s["user_api_key_org_id"] for s in said}])

    def fill(self, table, rows):
        for first in range(0, len(rows), 40):
            columns = ", ".join(f'"{c}"' for c in rows[0])
            words = json.dumps(rows[first:first + 40], default=str).replace("'", "''")
            self.stage.sql(f'INSERT INTO own."{table}" ({columns}) SELECT {columns} FROM '
                           f"jsonb_populate_recordset(NULL::own.\"{table}\", '{words}')")

    def answers(self, schema, asked):
        """What each statement gives."""
        found = [[] for _ in asked]
        for first in range(0, len(asked), 20):
            batch = "; ".join(f"SELECT {first + n}, to_jsonb(q) FROM ({sql.replace('{schema}', schema)}\n) q" for n, sql in enumerate(asked[first:first + 20]))
            for number, row in self.stage.sql(f"SET search_path = {schema}; SET timezone = 'UTC'; {batch}"):
                found[int(number)].append(json.loads(row))
        return [plain(rows) for rows in found]


def statement_text(statement, names):
    params = [literal(filled(p, names)) for p in statement["params"]]
    sql = statement["sql"].replace("{until}", names["until"])
    return re.sub(r"\$(\d+)", lambda m: params[int(m.group(1)) - 1], sql)


def litellms_statements_answer_alike(servers):
    """Each statement of LiteLLM's source that reads its spend tables, and Prisma's of its calls, give the same on ours, before and after merging."""
    with Stage(servers, "litellm") as stage:
        now = datetime.datetime.now(datetime.timezone.utc).replace(hour=1, minute=0, second=0, microsecond=125000)
        facts = Facts(now)
        stage.produce([message_of(event) for event in facts.events])
        stage.consume()
        check_equal(stage.row_count(), len(facts.events), "rows")
        check_equal(stage.value("SELECT bool_and(metadata -> 'spend_logs_metadata' ? 'reviewed' AND metadata ? 'error_information') FROM "
                                'litellm."LiteLLM_SpendLogs" WHERE agent_id IS NOT NULL'), "t", "members of metadata that are null are there")
        facts.price({call: Decimal(spend) for call, spend in stage.sql("SELECT call_id, coalesce(spend, 0) FROM spendlog.spend_logs")})
        check(sum(log["spend"] == 0 for log in facts.logs) > 5, "nothing is unpriced")
        sides = Sides(stage, facts)
        one = next(log for log in facts.logs if log["session_id"] and log["end_user"] and log["spend"] and log["request_tags"])
        names = {"since": (now - datetime.timedelta(days=20)).date().isoformat(), "until": now.date().isoformat(), "key": one["api_key"],
                 "team": one["team_id"], "user": one["user"], "org": one["organization_id"], "end_user": one["end_user"],
                 "tag": one["request_tags"][0], "group": one["model_group"], "request": one["request_id"], "call": one["litellm_call_id"],
                 "session": one["session_id"], "agent": "agent-0"}
        for merged in (False, True):
            if merged:
                stage.command("compact")
            compare(sides, names, "merged" if merged else "as appended")


def compare(sides, names, where):
    statements = [s for s in sides.taken["statements"] if not any(words in s["sql"] for words in CANNOT)] + list(prisma.statements(sides.columns))
    asked = [statement_text(statement, names) for statement in statements]
    differing, empty = [], 0
    for statement, sql, theirs, ours in zip(statements, asked, sides.answers("own", asked), sides.answers("litellm", asked)):
        empty += not theirs
        if theirs != ours:
            differing.append(f"{statement['from']}\n{sql[:1500]}\ntheirs {[r for r in theirs if r not in ours][:3]}\n"
                             f"ours {[r for r in ours if r not in theirs][:3]}")
    check(not differing, f"{where}: {len(differing)} statements differ\n" + "\n\n".join(differing[:8]))
    check(empty * 10 < len(statements), f"{where}: {empty} of {len(statements)} statements find nothing")


def an_agents_spend_has_its_corrections(servers):
    """"LiteLLM_DailyAgentSpend" has what was posted for a closed month, on the day on which it was, and counts no call twice for it."""
    with Stage(servers, "agents", partitions=1) as stage:
        began = (datetime.datetime.now(datetime.timezone.utc).replace(day=1, hour=12) - datetime.timedelta(days=10)).timestamp()
        metadata = {**demo_event()["metadata"], "spend_logs_metadata": {"agent_id": "agent-1"}}
        stage.produce([message_of(demo_event(id=f"a-{n}", litellm_call_id=f"a-{n}", startTime=began + n, endTime=began + n + 1,
                                             completionStartTime=began + n + 1, metadata=metadata)) for n in range(3)])
        stage.consume()
        stage.command("periods", "close", datetime.datetime.fromtimestamp(began, datetime.timezone.utc).strftime("%Y-%m"))
        prices = os.path.join(stage.folder, "prices.yaml")
        with open(prices, "w") as out:
            out.write(NEW_PRICES)
        stage.command("reprice", "--all", "-q", extra=f"pricing: {{litellm_config: {prices}}}\ndrift: {{events: 0}}\n")
        check_equal(stage.sql("SELECT sum(api_requests), sum(prompt_tokens), trim_scale(sum(spend)), count(*) FROM litellm.\"LiteLLM_DailyAgentSpend\""),
                    stage.sql("SELECT sum(calls), sum(input_tokens), trim_scale(sum(spend)), 2 FROM spendlog.spend_entries"), "of the agent")


ALL = (litellms_statements_answer_alike, an_agents_spend_has_its_corrections)
