-- SPDX-License-Identifier: Apache-2.0
-- What was spent is asked before calls: its statements are planned once in a session, not each time. A statement per
-- scope stands in a function, written out by this migration; which plan is right does not hang on who asks. Everything,
-- a provider and a model read the totals of days.

SET LOCAL ROLE spendlog_owner;

DO $$
DECLARE
  scopes text[] := '{all,team,key,user,organization,provider,model,tag,end_user}';
  head text := $head$
CREATE OR REPLACE FUNCTION spendlog.%s, OUT spend numeric, OUT calls numeric, OUT unpriced_calls numeric,
  OUT unpriced_gateway_cost numeric)
LANGUAGE plpgsql STABLE STRICT
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
AS $body$
#variable_conflict use_variable
DECLARE
  edges date[] := array_remove(ARRAY[%s], NULL);
BEGIN
  CASE scope
%s
  END CASE;
END
$body$
$head$;
  asked text := '    WHEN %L THEN SELECT sum(s.spend), sum(s.calls), sum(s.calls) FILTER (WHERE s.pricing_status = ''unpriced''), '
    'sum(s.gateway_cost) FILTER (WHERE s.pricing_status = ''unpriced'') INTO spend, calls, unpriced_calls, '
    'unpriced_gateway_cost FROM %s;';
  at text := 's.day + make_interval(mins => 15 * coalesce(s.slot, 0))';
  lines text := 'spendlog.spend_sums s WHERE %s AND %s';
  whole text := '(s.grain = ''day'' AND s.day >= whole_since AND s.day < whole_until OR s.grain = ''slot'' '
    'AND s.day = ANY (edges) AND %1$s >= since AND %1$s < until)';
  totals text := '(SELECT t.spend, t.calls, t.pricing_status, t.gateway_cost FROM spendlog.day_totals t WHERE t.kind = ''model'' '
    'AND %1$s AND t.day >= whole_since AND t.day < whole_until UNION ALL SELECT s.spend, s.calls, s.pricing_status, s.gateway_cost '
    'FROM spendlog.spend_sums s WHERE %2$s AND s.grain = ''slot'' AND s.day = ANY (edges) AND %3$s >= since AND %3$s < until) s';
BEGIN
  -- Merged lines of somebody without a budget: those of the days, and the quarters of an hour at begin and end.
  EXECUTE (SELECT format(head, 'spent_merged(scope text, id text, since timestamp, until timestamp, whole_since date, '
      'whole_until date', 'CASE WHEN since::date < whole_since THEN since::date END, '
      'CASE WHEN until::date >= whole_until AND until > until::date THEN until::date END',
      string_agg(format(asked, c, CASE WHEN c IN ('all', 'provider', 'model')
        THEN format(totals, CASE c WHEN 'all' THEN 'id = ''''' WHEN 'provider' THEN 't.provider = id' ELSE 't.id = id' END,
                    replace(spendlog.scope_condition(c), '$1', 'id'), at)
        ELSE format(lines, replace(spendlog.scope_condition(c), '$1', 'id'), format(whole, at)) END), E'\n' ORDER BY n))
    FROM unnest(scopes) WITH ORDINALITY AS u (c, n));

  -- Lines that are not merged yet.
  EXECUTE (SELECT format(head, 'spent_late(scope text, id text, since timestamp, until timestamp', 'NULL::date',
      string_agg(format(asked, c, format(lines, replace(spendlog.scope_condition(c), '$1', 'id'),
        format('s.grain = ''delta'' AND s.day BETWEEN since::date AND until::date AND %1$s >= since AND %1$s < until', at))),
        E'\n' ORDER BY n))
    FROM unnest(scopes) WITH ORDINALITY AS u (c, n));
END
$$;
-- However many lines wait to be merged: they are read once, and who is meant stands in a hash.
ALTER FUNCTION spendlog.spent_late(text, text, timestamp, timestamp) SET enable_nestloop = off;
COMMENT ON FUNCTION spendlog.spent_late(text, text, timestamp, timestamp) IS 'What lines of the sums that are not merged yet say of somebody, in [since, until)';

-- As before, but for lines that are not merged.
CREATE OR REPLACE FUNCTION spendlog.spent_in(scope text, id text, since timestamp, until timestamp,
  OUT spend numeric, OUT calls bigint, OUT unpriced_calls bigint, OUT unpriced_gateway_cost numeric)
LANGUAGE plpgsql STABLE STRICT
SET search_path = pg_catalog, pg_temp
SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_variable
DECLARE
  whole_since date := since::date + CASE WHEN since = date_trunc('day', since) THEN 0 ELSE 1 END;
  whole_until date := greatest(until::date, whole_since);
  edges date[] := array_remove(ARRAY[CASE WHEN since::date < whole_since THEN since::date END,
    CASE WHEN until::date >= whole_until AND until::date <> since::date AND until > until::date THEN until::date END], NULL);
  rough date[] := '{}';
  merged record;
  late record;
BEGIN
  IF scope NOT IN ('all', 'team', 'key', 'user', 'organization', 'provider', 'model', 'tag', 'end_user') THEN
    RAISE EXCEPTION '"%" is not one of all, team, key, user, organization, provider, model, tag, end_user', scope
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF extract(epoch FROM since) % 900 <> 0 OR extract(epoch FROM until) % 900 <> 0 THEN
    RAISE EXCEPTION '% to % does not begin and end on quarters of an hour', since, until
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF scope IN ('tag', 'end_user') THEN
    rough := spendlog.rough_days(scope, since::date, until::date, whole_since, whole_until);
  END IF;
  IF cardinality(rough) > 0 THEN
    SELECT a.spend, a.calls, a.unpriced_calls, a.unpriced_gateway_cost
      INTO spend, calls, unpriced_calls, unpriced_gateway_cost
    FROM spendlog.spent_around(scope, id, since, until, rough) a;
    RETURN;
  END IF;
  IF EXISTS (SELECT FROM spendlog.budgets b WHERE b.scope = spent_in.scope AND b.id = spent_in.id) THEN
    SELECT sum(s.spend) AS spend, sum(s.calls) AS calls, sum(s.unpriced_calls) AS unpriced_calls,
      sum(s.unpriced_gateway_cost) AS unpriced_gateway_cost INTO merged
    FROM (
      SELECT w.* FROM spendlog.budget_sums w
      WHERE w.scope = spent_in.scope AND w.id = spent_in.id AND w.whole AND w.day >= whole_since AND w.day < whole_until
      UNION ALL
      SELECT q.* FROM unnest(edges) AS e (day)
      CROSS JOIN LATERAL (SELECT p.* FROM spendlog.budget_sums p
        WHERE p.scope = spent_in.scope AND p.id = spent_in.id AND NOT p.whole AND p.day = e.day OFFSET 0) q
      WHERE q.day + make_interval(mins => 15 * q.slot) >= since AND q.day + make_interval(mins => 15 * q.slot) < until) s;
  ELSE
    SELECT m.* INTO merged FROM spendlog.spent_merged(scope, id, since, until, whole_since, whole_until) m;
  END IF;
  SELECT d.* INTO late FROM spendlog.spent_late(scope, id, since, until) d;
  spend := coalesce(merged.spend, 0) + coalesce(late.spend, 0);
  calls := coalesce(merged.calls, 0) + coalesce(late.calls, 0);
  unpriced_calls := coalesce(merged.unpriced_calls, 0) + coalesce(late.unpriced_calls, 0);
  unpriced_gateway_cost := coalesce(merged.unpriced_gateway_cost, 0) + coalesce(late.unpriced_gateway_cost, 0);
END
$$;

-- As before, but of the lines of whom the budget is for alone, which an index finds.
CREATE OR REPLACE FUNCTION spendlog.budget_set(scope text, id text, period text, amount numeric, zone text DEFAULT 'UTC',
  fiscal_start integer DEFAULT 1) RETURNS void
LANGUAGE plpgsql STRICT
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
#variable_conflict use_variable
DECLARE
  known boolean;
BEGIN
  IF NOT EXISTS (SELECT FROM pg_timezone_names z WHERE z.name = zone) THEN
    RAISE EXCEPTION '"%" is not a time zone', zone USING ERRCODE = 'invalid_parameter_value';
  END IF;
  PERFORM FROM spendlog.locks l WHERE l.name = 'sums' FOR UPDATE; -- nothing is merged meanwhile
  known := EXISTS (SELECT FROM spendlog.budgets b WHERE b.scope = budget_set.scope AND b.id = budget_set.id);
  INSERT INTO spendlog.budgets VALUES (scope, id, period, amount, zone, fiscal_start)
  ON CONFLICT ON CONSTRAINT budgets_pkey DO UPDATE SET amount = excluded.amount, zone = excluded.zone,
    fiscal_start = excluded.fiscal_start, set_by = session_user, set_at = now() AT TIME ZONE 'UTC';
  IF NOT known THEN
    EXECUTE 'INSERT INTO spendlog.budget_sums SELECT k.* FROM ('
      || spendlog.budget_lines('(SELECT * FROM spendlog.spend_sums s WHERE s.grain IN (''slot'', ''day'') AND '
        || replace(spendlog.scope_condition(scope), '$1', '$2') || ')')
      || ') k WHERE k.scope = $1 AND k.id = $2' USING scope, id;
  END IF;
END
$$;

REVOKE ALL ON FUNCTION spendlog.spent_late(text, text, timestamp, timestamp) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION spendlog.spent_late(text, text, timestamp, timestamp)
  TO spendlog_writer, spendlog_repricer, spendlog_reader;
