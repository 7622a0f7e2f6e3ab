# SPDX-License-Identifier: Apache-2.0
"""The rights that there are, from the catalogue, are those of docs/security.md."""
import os
import re

from harness.report import check, check_equal
from harness.servers import ROOT
from harness.world import World

PAGE = os.path.join(ROOT, "docs/security.md")
BEGIN, END = "<!-- rights -->\n", "<!-- end of rights -->"

SCHEMAS = "('spendlog', 'litellm', 'tenant')"
RIGHTS = f"""
WITH granted AS (
  SELECT a.grantee, format('%s.%s', n.nspname, c.relname) AS object, a.privilege_type AS may, '' AS columns
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(c.relacl) a
  WHERE n.nspname IN {SCHEMAS} AND a.grantee <> c.relowner
  UNION ALL
  SELECT a.grantee, format('%s.%s', n.nspname, c.relname), a.privilege_type,
    string_agg(t.attname, ', ' ORDER BY t.attnum)
  FROM pg_attribute t JOIN pg_class c ON c.oid = t.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace,
    aclexplode(t.attacl) a
  WHERE n.nspname IN {SCHEMAS} AND a.grantee <> c.relowner GROUP BY 1, 2, 3
  UNION ALL
  SELECT a.grantee, format('%s.%s(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),
    a.privilege_type || CASE WHEN p.prosecdef THEN ' as owner' ELSE '' END, ''
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace,
    aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
  WHERE n.nspname IN {SCHEMAS} AND a.grantee <> p.proowner
  UNION ALL
  SELECT a.grantee, format('schema %s', n.nspname), a.privilege_type, ''
  FROM pg_namespace n, aclexplode(n.nspacl) a WHERE n.nspname IN {SCHEMAS} AND a.grantee <> n.nspowner
)
SELECT CASE WHEN grantee = 0 THEN 'everybody' ELSE pg_get_userbyid(grantee)::text END, object,
  string_agg(may || CASE WHEN columns = '' THEN '' ELSE ' (' || columns || ')' END, ', ' ORDER BY may, columns)
FROM granted GROUP BY 1, 2 ORDER BY 1, 2"""


def table_of(rows):
    head = "| role | object | rights |\n| --- | --- | --- |\n"
    return head + "".join(f"| `{role}` | `{thing}` | {rights} |\n" for role, thing, rights in rows)


def rights_are_the_table(servers, seed):
    """Every right of every role on every object is in the table of docs/security.md, and none is there that does not exist."""
    with World(servers, "rights-table", seed, partitions=1) as world:
        world.sql("SELECT spendlog.ensure_partition((now() AT TIME ZONE 'UTC')::date)")
        rows = world.sql(RIGHTS)
        with open(PAGE) as page:
            text = page.read()
        before, rest = text.split(BEGIN)
        written, after = rest.split(END)
        if os.environ.get("SECURITY_TABLE") == "write":
            with open(PAGE, "w") as page:
                page.write(before + BEGIN + table_of(rows) + END + after)
            return "written"
        have, want = set(table_of(rows).splitlines()), set(written.splitlines())
        check_equal((sorted(have - want), sorted(want - have)), ([], []), "rights that (are not in the table, do not exist)")
        check(len(rows) > 50, "hardly any rights")
        strangers = {role for role, _, _ in rows if not re.fullmatch("spendlog_[a-z]+", role)}
        check(strangers <= {"everybody"}, f"rights of {strangers}")
        return f"{len(rows)} lines"


ALL = (rights_are_the_table,)
