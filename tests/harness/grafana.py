# SPDX-License-Identifier: Apache-2.0
"""A board's SQL as Grafana sends it: variables by its browser, macros by its plugin for PostgreSQL."""
import json
import os
import re

from harness.servers import ROOT

FOLDER = os.path.join(ROOT, "examples/grafana")


def board(name):
    with open(os.path.join(FOLDER, name), encoding="utf-8") as text:
        return json.load(text)


def panels_of(board_read):
    """Panels, those in collapsed rows too; a row itself asks nothing."""
    for panel in board_read["panels"]:
        yield from panel.get("panels", ())
        if panel["type"] != "row":
            yield panel


def sqlstring(values):
    return ",".join("'" + value.replace("'", "''") + "'" for value in values)


def with_variables(sql, variables, chosen):
    """${name:sqlstring} of what was chosen; All is the variable's own allValue, as it stands."""
    def value(match):
        one = variables[match.group(1)]
        values = chosen.get(match.group(1))
        if values is None:
            return one["allValue"] if one.get("includeAll") else sqlstring([one["current"]["value"]])
        return sqlstring(values)
    return re.sub(r"\$\{(\w+):sqlstring\}", value, sql)


def seconds_of(interval):
    number, unit = re.fullmatch(r"'?(\d+)([smhd])'?", interval).groups()
    return int(number) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[unit]


def with_macros(sql, since, until):
    """Of the plugin's macros those that take a time; since and until are RFC 3339."""
    def value(match):
        name, words = match.group(1), [word.strip() for word in match.group(2).split(",")]
        if name == "__timeFilter":
            return f"{words[0]} BETWEEN '{since}' AND '{until}'"
        if name in ("__timeGroup", "__timeGroupAlias"):
            step = seconds_of(words[1])
            return (f"floor(extract(epoch from {words[0]})/{step})*{step}" + (' AS "time"' if name.endswith("Alias") else ""))
        return {"__timeFrom": f"'{since}'", "__timeTo": f"'{until}'"}[name]
    return re.sub(r"\$([_a-zA-Z0-9]+)\(([^)]*)\)", value, sql)


def asked(sql, board_read, chosen, since, until):
    variables = {one["name"]: one for one in board_read["templating"]["list"]}
    return with_macros(with_variables(sql, variables, chosen), since, until)
