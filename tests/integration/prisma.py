# SPDX-License-Identifier: Apache-2.0
"""What Prisma's engine (5.4, the one that LiteLLM pins) sends for the calls by which LiteLLM's source reads its spend tables."""

WINDOW = {"gte": "{since}", "lte": "{until}"}
START = {"gte": "{since}T00:00:00", "lte": "{until}T23:59:59"}
SUMS = ("spend", "prompt_tokens", "completion_tokens", "request_count", "successful_requests", "failed_requests")
MODEL = ("model_group", "model", "custom_llm_provider")
LOGS, MODELS = "LiteLLM_SpendLogs", "LiteLLM_DailyModelUsage"

# file, table, call, and what the call is given; in a `where` of LiteLLM's form, {words} are of the test.
CALLS = (
    ("proxy/utils.py", LOGS, "find_unique", {"where": {"request_id": "{request}"}}),
    ("proxy/utils.py", LOGS, "find_many", {"where": {"api_key": "{key}"}}),
    ("proxy/utils.py", LOGS, "find_many", {"where": {"user": "{user}"}}),
    ("proxy/utils.py", LOGS, "find_many", {"order": [("startTime", "desc")]}),
    *(("proxy/spend_tracking/spend_management_endpoints.py", LOGS, call, {"where": where, **more})
      for where in ({"startTime": START}, {"startTime": START, "api_key": "{key}"}, {"startTime": START, "user": "{user}"},
                    {"startTime": START, "team_id": {"in": ["{team}", "nobody"]}}, {"startTime": START, "end_user": "{end_user}", "status": "success"},
                    {"OR": [{"request_id": "{request}"}, {"litellm_call_id": "{request}"}]},
                    {"OR": [{"request_id": "{call}"}, {"litellm_call_id": "{call}"}], "user": "{user}"})
      for call, more in (("find_many", {"order": [("startTime", "desc")], "take": 1000}), ("count", {}))),
    ("proxy/spend_tracking/spend_management_endpoints.py", LOGS, "find_many",
     {"where": {"startTime": START, "session_id": "{session}"}, "order": [("startTime", "desc")], "take": 2, "skip": 1}),
    ("proxy/spend_tracking/background_interaction_settlement.py", LOGS, "find_unique", {"where": {"request_id": "{call}"}}),
    ("proxy/management_endpoints/tool_management_endpoints.py", LOGS, "find_many", {"where": {"request_id": {"in": ["{request}", "{call}", "none"]}}}),
    ("proxy/guardrails/usage_endpoints.py", LOGS, "find_many", {"where": {"request_id": {"in": ["{request}"]}}}),
    *(("proxy/db/spend_counter_reseed.py", LOGS, "group_by", {"by": [field], "where": {field: one, "startTime": {"gte": START["gte"]}},
                                                              "sum": ["spend"]}) for field, one in (("api_key", "{key}"), ("team_id", "{team}"))),
    ("integrations/model_deprecation_email.py", "LiteLLM_DailyUserSpend", "group_by",
     {"by": ["api_key"], "where": {"model": "{group}", "date": WINDOW, "api_requests": {"gt": 0}}, "sum": ["api_requests"],
      "order": [("api_key", "asc")], "skip": 0, "take": 500}),
    ("integrations/model_deprecation_email.py", "LiteLLM_DailyUserSpend", "group_by",
     {"by": ["api_key"], "where": {"date": WINDOW, "api_requests": {"gt": 0}}, "sum": ["api_requests"], "order": [("api_key", "asc")],
      "skip": 3, "take": 4}),
    ("proxy/management_endpoints/tag_management_endpoints.py", "LiteLLM_DailyTagSpend", "group_by",
     {"by": ["tag"], "where": {"tag": {"not": None}, "date": WINDOW}, "min": ["created_at"], "max": ["updated_at"]}),
    *(("proxy/management_endpoints/user_agent_analytics_endpoints.py", "LiteLLM_DailyTagSpend", "find_many", {"where": {"date": WINDOW, **tag}})
      for tag in ({}, {"tag": {"in": ["{tag}", "nobody"]}}, {"tag": {"contains": "b"}})),
    ("proxy/spend_tracking/ptu_flat_cost_rollup.py", "LiteLLM_DailyTeamSpend", "find_many", {"where": {"api_key": "{key}", "date": WINDOW}}),
    ("proxy/management_endpoints/model_insights_endpoints.py", MODELS, "group_by", {"by": MODEL, "where": {"date": WINDOW}, "sum": SUMS}),
    ("proxy/management_endpoints/model_insights_endpoints.py", MODELS, "group_by",
     {"by": ("date", *MODEL), "where": {"date": WINDOW, "OR": [{"model_group": "{group}"}, {"model": "unknown"}]}, "sum": SUMS,
      "order": [("date", "asc")]}),
    ("proxy/management_endpoints/model_insights_endpoints.py", MODELS, "group_by",
     {"by": ["date"], "where": {"date": WINDOW}, "sum": SUMS, "order": [("date", "asc")]}),
    ("proxy/management_endpoints/model_insights_endpoints.py", MODELS, "group_by",
     {"by": ("task_type", *MODEL), "where": {"date": WINDOW}, "sum": SUMS}),
    ("proxy/management_endpoints/tool_management_endpoints.py", "LiteLLM_DailyToolSpend", "group_by",
     {"by": ["tool_name"], "where": {"date": WINDOW}, "sum": ["spend", "total_tokens", "request_count"], "order_sum": "spend", "take": 10}),
)
COMPARED = {"gte": ">=", "lte": "<=", "gt": ">", "lt": "<"}


class Statement:
    """The SQL of a call, with $n and its parameters apart, as `{"sql": ..., "params": [...]}` of statements.json."""

    def __init__(self, table, columns, call, given):
        self.table, self.columns, self.given, self.params = table, columns, given, []
        self.sql = getattr(self, call)()

    def name(self, column):
        return f'"{{schema}}"."{self.table}"."{column}"'

    def param(self, value):
        self.params.append(value)
        return f"${len(self.params)}"

    def condition(self, column, wanted):
        name = self.name(column)
        if not isinstance(wanted, dict):
            return [f"{name} = {self.param(wanted)}"]
        found = []
        for how, value in wanted.items():
            if how in COMPARED:
                found.append(f"{name} {COMPARED[how]} {self.param(value)}")
            elif how == "in":
                found.append(f"{name} IN ({','.join(self.param(one) for one in value)})")
            elif how == "contains":
                found.append(f"{name}::text LIKE {self.param('%' + value + '%')}")
            else:
                assert how == "not" and value is None
                found.append(f"{name} IS NOT NULL")
        return found

    def conditions(self, where):
        found = []
        for column, wanted in where.items():
            if column == "OR":
                found.append("(" + " OR ".join(self.conditions(one) for one in wanted) + ")")
            else:
                found += self.condition(column, wanted)
        return found[0] if len(found) == 1 else "(" + " AND ".join(found) + ")" if found else "1=1"

    def where(self):
        return f'FROM "{{schema}}"."{self.table}" WHERE {self.conditions(self.given.get("where", {}))}'

    def order(self):
        terms = [f"{self.name(column)} {way.upper()}" for column, way in self.given.get("order", ())]
        if "order_sum" in self.given:
            terms.append(f"SUM({self.name(self.given['order_sum'])}) DESC")
        return f" ORDER BY {', '.join(terms)}" if terms else ""

    def page(self):
        take = f" LIMIT {self.param(self.given['take'])}" if "take" in self.given else ""
        return f"{take} OFFSET {self.param(self.given.get('skip', 0))}"

    def selected(self):
        return ", ".join(self.name(column) for column in self.columns)

    def find_many(self):
        return f"SELECT {self.selected()} {self.where()}{self.order()}{self.page()}"

    def find_unique(self):
        return f"SELECT {self.selected()} {self.where().replace('WHERE ', 'WHERE (', 1)} AND 1=1) LIMIT {self.param(1)} OFFSET {self.param(0)}"

    def count(self):
        return f"SELECT COUNT(*) FROM (SELECT {self.name(self.columns[0])} {self.where()}{self.page()}) AS \"sub\""

    def group_by(self):
        given = self.given
        made = [f'{how.upper()}({self.name(column)}) AS "{column}"' for how in ("sum", "min", "max") for column in given.get(how, ())]
        by = ", ".join(self.name(column) for column in given["by"])
        return f"SELECT {', '.join(made + [self.name(column) for column in given['by']])} {self.where()} GROUP BY {by} HAVING 1=1{self.order()}{self.page()}"


def statements(columns):
    """Those of LiteLLM's calls; columns: of each table."""
    for source, table, call, given in CALLS:
        made = Statement(table, columns[table], call, given)
        yield {"from": f"litellm/{source}: {call}", "sql": made.sql, "params": made.params}
