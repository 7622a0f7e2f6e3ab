-- SPDX-License-Identifier: Apache-2.0
-- Budgets, whose figure is the ledger's: what the rows come to, at every commit.
--
-- Of whom has a budget the merged sums are kept once more by scope and piece of time, so that what was spent is
-- some lines of an index and what is not merged yet. They are kept where lines are merged, by a trigger: storing a
-- row costs nothing more, and who sets no budget pays nothing.

SET LOCAL ROLE spendlog_owner;

CREATE TABLE spendlog.budgets (
  scope text NOT NULL CONSTRAINT budgets_scope CHECK (scope IN
    ('all', 'team', 'key', 'user', 'organization', 'provider', 'model', 'tag', 'end_user')),
  id text NOT NULL,
  period text NOT NULL CONSTRAINT budgets_period CHECK (period IN ('day', 'week', 'month', 'quarter', 'year')),
  amount numeric NOT NULL CONSTRAINT budgets_amount CHECK (amount >= 0 AND amount < 'Infinity'),
  zone text NOT NULL DEFAULT 'UTC',
  fiscal_start smallint NOT NULL DEFAULT 1 CONSTRAINT budgets_fiscal_start CHECK (fiscal_start BETWEEN 1 AND 12),
  set_by text NOT NULL DEFAULT session_user,
  set_at timestamp(6) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
  CONSTRAINT budgets_pkey PRIMARY KEY (scope, id, period),
  CONSTRAINT budgets_id CHECK ((id = '') = (scope = 'all'))
);
COMMENT ON TABLE spendlog.budgets IS 'What may be spent by whom in which period; `spendlog budget set` writes it, budget_status compares';
COMMENT ON COLUMN spendlog.budgets.id IS 'of the team, key, ... as the column of spend_logs has it; empty for all';
COMMENT ON COLUMN spendlog.budgets.amount IS 'US dollars a period';
COMMENT ON COLUMN spendlog.budgets.zone IS 'time zone in which the period begins';
COMMENT ON COLUMN spendlog.budgets.fiscal_start IS 'month in which the year of quarters begins';
COMMENT ON COLUMN spendlog.budgets.set_at IS 'UTC';

CREATE TABLE spendlog.budget_sums (
  scope text NOT NULL,
  id text NOT NULL,
  whole boolean NOT NULL,
  day date NOT NULL,
  slot smallint NOT NULL,
  spend numeric NOT NULL,
  calls bigint NOT NULL,
  unpriced_calls bigint NOT NULL,
  unpriced_gateway_cost numeric NOT NULL,
  corrections numeric NOT NULL,
  CONSTRAINT budget_sums_pkey PRIMARY KEY (scope, id, whole, day, slot)
) WITH (fillfactor = 70);
COMMENT ON TABLE spendlog.budget_sums IS 'Merged sums of those who have a budget, per day and per quarter of an hour';
COMMENT ON COLUMN spendlog.budget_sums.whole IS 'of the whole day (slot is -1), or of a quarter of an hour';
COMMENT ON COLUMN spendlog.budget_sums.spend IS 'US dollars';
COMMENT ON COLUMN spendlog.budget_sums.corrections IS 'of the spend, what was posted for closed months: it has no sides';

CREATE TABLE spendlog.coarse_days (
  level text NOT NULL,
  day date NOT NULL,
  coarse smallint NOT NULL,
  CONSTRAINT coarse_days_pkey PRIMARY KEY (level, day)
);
COMMENT ON TABLE spendlog.coarse_days IS 'Days on which merged sums do not tell all tags or end users apart, or not by quarters of an hour: their rows do';
INSERT INTO spendlog.coarse_days
SELECT level, day, max(coarse) FROM spendlog.spend_sums WHERE coarse > 0 AND grain <> 'delta' GROUP BY 1, 2;

-- --- what is kept beside merged sums

-- Of lines in the form of spend_sums: what they come to by scope, per day and per quarter of an hour.
CREATE FUNCTION spendlog.budget_lines(source text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN format($sql$
  SELECT b.scope, b.id, w.whole, l.day, CASE WHEN w.whole THEN -1 ELSE coalesce(l.slot, 0) END AS slot,
    coalesce(sum(l.spend), 0) AS spend, sum(l.calls) AS calls,
    coalesce(sum(l.calls) FILTER (WHERE l.pricing_status = 'unpriced'), 0) AS unpriced_calls,
    coalesce(sum(l.gateway_cost) FILTER (WHERE l.pricing_status = 'unpriced'), 0) AS unpriced_gateway_cost,
    coalesce(sum(l.spend - l.input_cost - l.output_cost - l.other_cost), 0) AS corrections
  FROM %s l
  CROSS JOIN LATERAL (
    SELECT v.scope, v.id FROM (VALUES ('all', ''), ('team', l.team_id), ('key', l.api_key), ('user', l.user_id),
      ('organization', l.organization_id), ('provider', l.provider), ('model', l.model)) AS v (scope, id)
    WHERE l.level = 'all'
    UNION ALL SELECT l.level, l.label WHERE l.level IN ('tag', 'end_user')) AS s
  JOIN (SELECT DISTINCT scope, id FROM spendlog.budgets) b ON b.scope = s.scope AND b.id = s.id
  CROSS JOIN (VALUES (true), (false)) AS w (whole)
  WHERE l.grain = 'delta' OR (l.grain = 'day') = w.whole
  GROUP BY 1, 2, 3, 4, 5$sql$, source);

-- Adds them to what is kept, as a statement.
CREATE FUNCTION spendlog.budget_keep(source text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN 'INSERT INTO spendlog.budget_sums AS s ' || spendlog.budget_lines(source) || ' ORDER BY 1, 2, 3, 4, 5 '
  'ON CONFLICT ON CONSTRAINT budget_sums_pkey DO UPDATE SET spend = s.spend + excluded.spend, '
  'calls = s.calls + excluded.calls, unpriced_calls = s.unpriced_calls + excluded.unpriced_calls, '
  'unpriced_gateway_cost = s.unpriced_gateway_cost + excluded.unpriced_gateway_cost, corrections = s.corrections + excluded.corrections';

-- Deltas that are deleted have become merged lines.
CREATE FUNCTION spendlog.budgets_merge() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET jit = off
AS $$
BEGIN
  IF current_setting('spendlog.sums', true) = 'remade' THEN
    RETURN NULL; -- budgets_remake() looks at what there is now
  END IF;
  INSERT INTO spendlog.coarse_days AS c (level, day, coarse)
  SELECT 'end_user', g.day, max(CASE WHEN g.about & 32 <> 0 THEN 2 ELSE 1 END) FROM gone g WHERE g.about & 96 <> 0
  GROUP BY 2 ORDER BY 2
  ON CONFLICT ON CONSTRAINT coarse_days_pkey DO UPDATE SET coarse = greatest(c.coarse, excluded.coarse);
  IF EXISTS (SELECT FROM spendlog.budgets) THEN
    EXECUTE spendlog.budget_keep('(' || spendlog.sums_in_words('gone', 'delta') || ')');
  END IF;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION spendlog.budgets_merge() IS 'Keeps budget_sums beside what is merged';
CREATE TRIGGER spend_deltas_budgets AFTER DELETE ON spendlog.spend_deltas
  REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION spendlog.budgets_merge();

-- Days whose sums are made anew, or forgotten.
CREATE FUNCTION spendlog.budgets_remake() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET jit = off
AS $$
DECLARE
  days date[] := (SELECT array_agg(DISTINCT g.day) FROM gone g);
BEGIN
  IF days IS NULL OR current_setting('spendlog.sums', true) IS DISTINCT FROM 'remade' THEN
    RETURN NULL; -- merged once more
  END IF;
  PERFORM FROM spendlog.locks l WHERE l.name = 'sums' FOR UPDATE;
  DELETE FROM spendlog.budget_sums s WHERE s.day = ANY (days);
  DELETE FROM spendlog.coarse_days c WHERE c.day = ANY (days);
  INSERT INTO spendlog.coarse_days
  SELECT level, day, max(coarse) FROM spendlog.spend_sums
  WHERE coarse > 0 AND grain <> 'delta' AND day = ANY (days) GROUP BY 1, 2;
  EXECUTE spendlog.budget_keep(format('(SELECT * FROM spendlog.spend_sums WHERE grain <> ''delta'' AND day = ANY (%L))',
                                      days));
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION spendlog.budgets_remake() IS 'Makes budget_sums of days anew whose merged sums were deleted';
CREATE TRIGGER spend_slots_budgets AFTER DELETE ON spendlog.spend_slots
  REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION spendlog.budgets_remake();
CREATE TRIGGER spend_days_budgets AFTER DELETE ON spendlog.spend_days
  REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION spendlog.budgets_remake();

-- --- periods

-- Where clocks go back an hour onto midnight there are two of it, and PostgreSQL takes the second: the day begins with the first.
CREATE FUNCTION spendlog.moment_of(here timestamp, zone text) RETURNS timestamp
LANGUAGE sql STABLE PARALLEL SAFE
RETURN least(here AT TIME ZONE zone, CASE WHEN (here AT TIME ZONE zone - interval '1 hour') AT TIME ZONE zone = here
  THEN here AT TIME ZONE zone - interval '1 hour' END) AT TIME ZONE 'UTC';
COMMENT ON FUNCTION spendlog.moment_of(timestamp, text) IS 'The first moment (UTC) at which clocks of a zone say so';

-- Begin and end of the period in which a moment lies, UTC.
CREATE FUNCTION spendlog.period_of(period text, zone text DEFAULT 'UTC', fiscal_start integer DEFAULT 1,
  at timestamptz DEFAULT now(), OUT since timestamp, OUT until timestamp)
LANGUAGE plpgsql STABLE STRICT
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
  here timestamp := at AT TIME ZONE zone;
  months interval := make_interval(months => fiscal_start - 1);
  step interval;
BEGIN
  IF period NOT IN ('day', 'week', 'month', 'quarter', 'year') OR fiscal_start NOT BETWEEN 1 AND 12 THEN
    RAISE EXCEPTION 'a period is day, week, month, quarter or year, a year begins in month 1 to 12'
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  step := CASE period WHEN 'quarter' THEN interval '3 months' ELSE ('1 ' || period)::interval END;
  here := CASE WHEN period IN ('quarter', 'year')
    THEN date_trunc(period, date_trunc('month', here) - months) + months ELSE date_trunc(period, here) END;
  since := spendlog.moment_of(here, zone);
  until := spendlog.moment_of(here + step, zone);
END
$$;
COMMENT ON FUNCTION spendlog.period_of(text, text, integer, timestamptz) IS 'Begin and end (UTC) of the period in which a moment lies';

-- --- what was spent

-- Which lines are of a scope; s is the line, $1 the id.
CREATE FUNCTION spendlog.scope_condition(scope text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN scope IN ('tag', 'end_user') THEN format('s.level = %L AND s.label = $1', scope)
  ELSE 's.level = ''all'' AND ' || CASE scope WHEN 'all' THEN '$1 = ''''' WHEN 'key' THEN 's.api_key = $1'
    WHEN 'team' THEN 's.team_id = $1' WHEN 'user' THEN 's.user_id = $1'
    WHEN 'organization' THEN 's.organization_id = $1' WHEN 'provider' THEN 's.provider = $1'
    WHEN 'model' THEN 's.model = $1' END END;

-- Days of [first, last] whose rows have to be read: their sums do not tell the labels of a level apart, or not by
-- quarters of an hour, which the days of begin and end want.
CREATE FUNCTION spendlog.rough_days(level text, first date, last date, whole_since date, whole_until date) RETURNS date[]
LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, pg_temp
RETURN (
  SELECT coalesce(array_agg(DISTINCT r.day), '{}') FROM (
    SELECT c.day, c.coarse FROM spendlog.coarse_days c
    WHERE c.level = rough_days.level AND c.day BETWEEN first AND last
    UNION ALL SELECT d.day, d.coarse FROM spendlog.spend_sums d
    WHERE d.grain = 'delta' AND d.level = rough_days.level AND d.coarse > 0 AND d.day BETWEEN first AND last) r
  WHERE r.coarse > 1 OR r.day < whole_since OR r.day >= whole_until);

-- What was spent is asked before calls: its statements are planned once in a session, not each time. A statement per
-- scope stands in a function, written out here; which plan is right does not hang on who asks. Merged lines are read as
-- totals of days (0175), but those of end users, which have none.
DO $$
DECLARE
  scopes text[] := '{all,team,key,user,organization,provider,model,tag,end_user}';
  head text := $head$
CREATE FUNCTION spendlog.%s, OUT spend numeric, OUT calls numeric, OUT unpriced_calls numeric,
  OUT unpriced_gateway_cost numeric)
LANGUAGE plpgsql STABLE STRICT
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
AS $body$
#variable_conflict use_variable
DECLARE
  edges date[] := array_remove(ARRAY[%s], NULL);
  first date := since::date;
  last date := until::date;
  low integer := extract(epoch FROM since - first) / 900; -- quarters of an hour from the first day on
  high integer := extract(epoch FROM until - first) / 900;
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
  slots text := 'cardinality(edges) > 0 AND s.grain = ''slot'' AND s.day = ANY (edges) AND ' || at || ' >= since AND ' || at || ' < until';
  merged text := 'spendlog.spend_sums s WHERE %s AND (s.grain = ''day'' AND s.day >= whole_since AND s.day < whole_until OR %s)';
  totals text := '(SELECT t.spend, t.calls, t.pricing_status, t.gateway_cost FROM spendlog.day_totals t WHERE t.kind = %L '
    'AND %s AND t.day >= whole_since AND t.day < whole_until UNION ALL SELECT s.spend, s.calls, s.pricing_status, s.gateway_cost '
    'FROM spendlog.spend_sums s WHERE %s AND %s) s';
  -- Not merged: lines with numbers and with words, those of somebody before their times are looked at.
  late text := '(SELECT * FROM (SELECT d.day, d.slot, d.spend, coalesce(d.calls, d.entries) AS calls, d.gateway_cost, d.pricing_status '
    'FROM spendlog.spend_deltas d %s WHERE %s AND d.call_no IS NOT NULL AND d.day BETWEEN first AND last UNION ALL '
    'SELECT d.day, d.slot, d.spend, coalesce(d.calls, d.entries), d.gateway_cost, d.pricing_status FROM spendlog.spend_deltas d %s '
    'WHERE %s AND d.call_no IS NULL AND d.day BETWEEN first AND last OFFSET 0) l WHERE (l.day - first) * 96 '
    '+ coalesce(l.slot, 0)::integer >= low AND (l.day - first) * 96 + coalesce(l.slot, 0)::integer < high) s';
BEGIN
  -- Merged lines of somebody without a budget: those of the days, and the quarters of an hour at begin and end.
  EXECUTE (SELECT format(head, 'spent_merged(scope text, id text, since timestamp, until timestamp, whole_since date, '
      'whole_until date', 'CASE WHEN since::date < whole_since THEN since::date END, '
      'CASE WHEN until::date >= whole_until AND until > until::date THEN until::date END',
      string_agg(format(asked, c, CASE WHEN c = 'end_user' THEN format(merged, 'hashtextextended(s.label, 0) = hashtextextended(id, 0) AND '
          || replace(spendlog.scope_condition(c), '$1', 'id'), slots)
        ELSE format(totals, CASE WHEN c IN ('all', 'provider') THEN 'model' WHEN c IN ('key', 'user') THEN c || ' and team' ELSE c END,
                    CASE c WHEN 'all' THEN 'id = ''''' WHEN 'provider' THEN 't.provider = id'
                      ELSE 'hashtextextended(t.id, 0) = hashtextextended(id, 0) AND t.id = id' END,
                    replace(spendlog.scope_condition(c), '$1', 'id'), slots) END), E'\n' ORDER BY n))
    FROM unnest(scopes) WITH ORDINALITY AS u (c, n));

  -- Lines that are not merged yet.
  EXECUTE (SELECT format(head, 'spent_late(scope text, id text, since timestamp, until timestamp', 'NULL::date',
      string_agg(format(asked, u.c, format(late, CASE WHEN u.c IN ('provider', 'model') THEN
          'LEFT JOIN spendlog.shared_calls c ON c.call_no = d.call_no'
        WHEN w.word IS NOT NULL OR u.c = 'tag' THEN 'JOIN spendlog.shared_callers k ON k.caller_no = d.caller_no' ELSE '' END
        || CASE u.c WHEN 'tag' THEN ' CROSS JOIN LATERAL spendlog.tags_of(k.request_tags) AS t (tag)' ELSE '' END,
      v.condition || CASE WHEN u.c IN ('provider', 'model') THEN format(' AND coalesce(c.%I, '''') = id', u.c)
        WHEN w.word IS NOT NULL THEN format(' AND k.%I = id', w.word) ELSE '' END,
      CASE u.c WHEN 'tag' THEN 'CROSS JOIN LATERAL spendlog.tags_of(d.request_tags) AS t (tag)' ELSE '' END,
      v.condition || coalesce(' AND coalesce(d.' || coalesce(w.word, CASE WHEN u.c IN ('provider', 'model') THEN u.c END) || ', '''') = id', ''))),
      E'\n' ORDER BY u.n))
    FROM unnest(scopes) WITH ORDINALITY AS u (c, n)
    LEFT JOIN (VALUES ('team', 'team_id'), ('key', 'api_key'), ('user', 'user_id'), ('organization', 'organization_id')) AS w (c, word)
      ON w.c = u.c
    CROSS JOIN LATERAL (SELECT CASE u.c WHEN 'end_user' THEN 'd.about & 16 <> 0 AND d.label = id'
      WHEN 'tag' THEN 'd.about & 1 <> 0 AND t.tag = id' WHEN 'all' THEN 'd.about & 1 <> 0 AND id = ''''' ELSE 'd.about & 1 <> 0' END) AS v (condition));
END
$$;
-- However many lines wait to be merged: they are read once, and who is meant stands in a hash.
ALTER FUNCTION spendlog.spent_late(text, text, timestamp, timestamp) SET enable_nestloop = off;
COMMENT ON FUNCTION spendlog.spent_late(text, text, timestamp, timestamp) IS 'What lines of the sums that are not merged yet say of somebody, in [since, until)';

-- In [since, until), UTC, which lie on quarters of an hour: in one snapshot, equal to rows and corrections. What retention
-- dropped is missing where no sum tells it: days whose sums are gone too, and end users of whom rows alone knew.
CREATE FUNCTION spendlog.spent_in(scope text, id text, since timestamp, until timestamp,
  OUT spend numeric, OUT calls bigint, OUT unpriced_calls bigint, OUT unpriced_gateway_cost numeric, OUT missing_calls bigint)
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
    CASE WHEN until::date >= whole_until AND (until::date <> since::date OR since::date = whole_since) AND until > until::date
      THEN until::date END], NULL); -- each day once
  last date := (until - interval '1 microsecond')::date;
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
    rough := spendlog.rough_days(scope, since::date, last, whole_since, whole_until);
  END IF;
  missing_calls := (SELECT coalesce(sum(CASE WHEN p.day = ANY (rough) THEN p.rows ELSE p.rows_unsummed END), 0)
                    FROM spendlog.dropped_partitions p WHERE p.day BETWEEN since::date AND last);
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
COMMENT ON FUNCTION spendlog.spent_in(text, text, timestamp, timestamp) IS 'What was spent in [since, until), UTC, on quarters of an hour; calls without a price are told beside, and calls of anybody that are gone and in no sum that tells whose they were: with such ones it is the least that was spent';

-- The same where some days' rows have to be read: of each such day what its rows come to, of the others their sums.
CREATE FUNCTION spendlog.spent_around(scope text, id text, since timestamp, until timestamp, rough date[],
  OUT spend numeric, OUT calls bigint, OUT unpriced_calls bigint, OUT unpriced_gateway_cost numeric)
LANGUAGE plpgsql STABLE STRICT
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
#variable_conflict use_variable
DECLARE
  day date;
  part record;
BEGIN
  spend := 0; calls := 0; unpriced_calls := 0; unpriced_gateway_cost := 0;
  FOR day IN SELECT d::date FROM generate_series(since::date, until::date, interval '1 day') d LOOP
    CONTINUE WHEN greatest(day::timestamp, since) >= least(day + interval '1 day', until);
    IF day <> ALL (rough) THEN
      SELECT s.* INTO part FROM spendlog.spent_in(scope, id, greatest(day::timestamp, since),
                                                  least(day + interval '1 day', until)) s;
    ELSE
      SELECT coalesce(sum(e.spend), 0) AS spend, coalesce(sum(e.calls), 0) AS calls,
        coalesce(sum(e.calls) FILTER (WHERE e.pricing_status = 'unpriced'), 0) AS unpriced_calls,
        coalesce(sum(e.gateway_cost) FILTER (WHERE e.pricing_status = 'unpriced'), 0) AS unpriced_gateway_cost
        INTO part
      FROM spendlog.spend_entries e
      WHERE e.start_time >= greatest(day::timestamp, since) AND e.start_time < least(day + interval '1 day', until)
        AND CASE spent_around.scope WHEN 'tag' THEN spent_around.id = ANY (e.request_tags) ELSE e.end_user = spent_around.id END;
    END IF;
    spend := spend + part.spend;
    calls := calls + part.calls;
    unpriced_calls := unpriced_calls + part.unpriced_calls;
    unpriced_gateway_cost := unpriced_gateway_cost + part.unpriced_gateway_cost;
  END LOOP;
END
$$;
COMMENT ON FUNCTION spendlog.spent_around(text, text, timestamp, timestamp, date[]) IS 'spent_in() with the rows of some days instead of their sums';

CREATE FUNCTION spendlog.spent(scope text, id text, period text DEFAULT 'month', zone text DEFAULT 'UTC',
  fiscal_start integer DEFAULT 1, at timestamptz DEFAULT now()) RETURNS numeric
LANGUAGE plpgsql STABLE STRICT
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  p record := spendlog.period_of(period, zone, fiscal_start, at);
BEGIN
  RETURN (SELECT CASE WHEN s.missing_calls = 0 THEN s.spend END FROM spendlog.spent_in(scope, id, p.since, p.until) s);
END
$$;
COMMENT ON FUNCTION spendlog.spent(text, text, text, text, integer, timestamptz) IS 'US dollars spent by a team, key, ... in the day, week, month, quarter or year of a moment: what the rows come to; NULL: days of it are gone and in no sum that tells';

-- What the four weeks before a moment say about the time from it to `until`: each quarter of an hour as on the same
-- weekdays. Of whom less than a week is known: as in the mean of it. What was posted for a closed month, or set aside in it, comes once.
CREATE FUNCTION spendlog.spend_expected(scope text, id text, zone text, at timestamptz, until timestamp) RETURNS numeric
LANGUAGE plpgsql STABLE STRICT
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET jit = off
AS $$
#variable_conflict use_variable
DECLARE
  first date := (at AT TIME ZONE 'UTC')::date - 29;
  here timestamp := at AT TIME ZONE zone;
  there timestamp := until AT TIME ZONE 'UTC' AT TIME ZONE zone;
  expected numeric;
BEGIN
  IF there <= here THEN
    RETURN 0;
  END IF;
  WITH pieces AS MATERIALIZED (
    SELECT b.began AT TIME ZONE 'UTC' AT TIME ZONE zone AS began, b.spend FROM (
      SELECT s.day + make_interval(mins => 15 * s.slot) AS began, s.spend - s.corrections AS spend FROM spendlog.budget_sums s
      WHERE s.scope = spend_expected.scope AND s.id = spend_expected.id AND NOT s.whole AND s.day >= first
      UNION ALL
      SELECT d.day + make_interval(mins => 15 * coalesce(d.slot, 0)), d.input_cost + d.output_cost + d.other_cost FROM spendlog.spend_sums d
      WHERE d.grain = 'delta' AND d.level = CASE WHEN scope IN ('tag', 'end_user') THEN scope ELSE 'all' END
        AND CASE scope WHEN 'all' THEN '' WHEN 'team' THEN d.team_id WHEN 'key' THEN d.api_key
          WHEN 'user' THEN d.user_id WHEN 'organization' THEN d.organization_id WHEN 'provider' THEN d.provider
          WHEN 'model' THEN d.model ELSE d.label END = id AND d.day >= first
      UNION ALL -- back again
      SELECT e.counts_on::timestamp, -(e.input_cost + e.output_cost + e.other_cost) FROM spendlog.exclusions e
      LEFT JOIN spendlog.spend_logs r ON r.start_time = e.start_time AND r.identity = e.identity
      WHERE e.counts_on >= first AND e.counts_on <> e.start_time::date
        AND CASE scope WHEN 'all' THEN true WHEN 'tag' THEN id = ANY (r.request_tags) WHEN 'team' THEN r.team_id = id
          WHEN 'key' THEN r.api_key = id WHEN 'user' THEN r.user_id = id WHEN 'organization' THEN r.organization_id = id
          WHEN 'provider' THEN r.provider = id WHEN 'model' THEN r.model = id ELSE r.end_user = id END) b),
  known AS (
    SELECT extract(epoch FROM here - greatest(here - interval '28 days', coalesce(
      (SELECT min(w.day)::timestamp FROM spendlog.budget_sums w
       WHERE w.scope = spend_expected.scope AND w.id = spend_expected.id AND w.whole AND w.day < first),
      (SELECT min(p.began) FROM pieces p)))) / 604800 AS weeks)
  SELECT CASE WHEN k.weeks >= 1 THEN
      -- so often comes the quarter of an hour again, a week or several later
      (SELECT sum(p.spend * (ceil(extract(epoch FROM there - p.began) / 604800)
                             - ceil(extract(epoch FROM here - p.began) / 604800))) / floor(k.weeks)
       FROM pieces p WHERE p.began >= here - make_interval(days => 7 * floor(k.weeks)::integer) AND p.began < here)
    WHEN k.weeks > 0 THEN
      (SELECT sum(p.spend) FROM pieces p WHERE p.began < here) * extract(epoch FROM there - here)
        / greatest(k.weeks * 604800, 3600)
    END INTO expected FROM known k;
  RETURN round(coalesce(expected, 0), 6);
END
$$;
COMMENT ON FUNCTION spendlog.spend_expected(text, text, text, timestamptz, timestamp) IS 'What one who has a budget is likely to spend between two moments, from the same weekdays of four weeks';

CREATE VIEW spendlog.budget_status WITH (security_invoker = true) AS
SELECT b.scope, b.id, b.period, b.zone, p.since AT TIME ZONE 'UTC' AS since, p.until AT TIME ZONE 'UTC' AS until, b.amount,
  k.spent, b.amount - k.spent AS left, CASE WHEN b.amount > 0 THEN round(100 * k.spent / b.amount, 2) END AS percent,
  k.spent + spendlog.spend_expected(b.scope, b.id, b.zone, now(), p.until) AS forecast,
  CASE WHEN s.spend >= b.amount THEN true WHEN s.missing_calls = 0 THEN false END AS over,
  s.calls, s.unpriced_calls, s.unpriced_gateway_cost, d.calls AS doubtful_calls, d.at_stake AS doubtful_at_stake,
  s.spend AS spent_at_least, s.missing_calls
FROM spendlog.budgets b
CROSS JOIN LATERAL spendlog.period_of(b.period, b.zone, b.fiscal_start) p
CROSS JOIN LATERAL spendlog.spent_in(b.scope, b.id, p.since, p.until) s
CROSS JOIN LATERAL (SELECT CASE WHEN s.missing_calls = 0 THEN s.spend END AS spent) k
LEFT JOIN LATERAL (
  SELECT coalesce(sum(x.calls), 0)::bigint AS calls,
    coalesce(sum(CASE x.pricing_status WHEN 'unpriced' THEN x.gateway_cost ELSE x.spend END), 0) AS at_stake
  FROM spendlog.spend_sums x
  WHERE x.grain IN ('delta', 'day') AND x.level = 'doubt' AND x.day BETWEEN p.since::date AND (p.until - interval '1 microsecond')::date
    AND (b.scope = 'all' OR b.scope = 'provider' AND x.provider = b.id OR b.scope = 'model' AND x.model = b.id)
) d ON b.scope IN ('all', 'provider', 'model');
COMMENT ON VIEW spendlog.budget_status IS 'Budgets beside what was spent of them in the period of now, US dollars';
COMMENT ON COLUMN spendlog.budget_status.spent IS 'NULL: calls are missing, whose they were nobody knows any more';
COMMENT ON COLUMN spendlog.budget_status.spent_at_least IS 'what is known of it';
COMMENT ON COLUMN spendlog.budget_status.missing_calls IS 'calls of anybody in the period that retention dropped and that are in no sum which tells whose they were';
COMMENT ON COLUMN spendlog.budget_status.over IS 'also where what is known is enough for it; NULL: it may be';
COMMENT ON COLUMN spendlog.budget_status.forecast IS 'at the end of the period: what was spent, and for the rest what the same weekdays of four weeks say, without what was posted for closed months';
COMMENT ON COLUMN spendlog.budget_status.unpriced_calls IS 'calls without a price: they are not in what was spent';
COMMENT ON COLUMN spendlog.budget_status.unpriced_gateway_cost IS 'what the gateway says of those';
COMMENT ON COLUMN spendlog.budget_status.doubtful_calls IS 'calls whose amount may be wrong, on the days of the period (UTC); NULL: the sums tell it of all, provider and model alone';

-- Of some scopes, what is used up: what a gateway asks before a call. Where calls are missing, by what is known.
CREATE FUNCTION spendlog.budgets_over(scopes text[], ids text[])
RETURNS TABLE (scope text, id text, period text, amount numeric, spent numeric, until timestamptz)
LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT b.scope, b.id, b.period, b.amount, s.spend, p.until AT TIME ZONE 'UTC'
  FROM unnest(scopes, ids) AS a (scope, id)
  JOIN spendlog.budgets b ON b.scope = a.scope AND b.id = a.id
  CROSS JOIN LATERAL spendlog.period_of(b.period, b.zone, b.fiscal_start) p
  CROSS JOIN LATERAL spendlog.spent_in(b.scope, b.id, p.since, p.until) s
  WHERE s.spend >= b.amount
$$;
COMMENT ON FUNCTION spendlog.budgets_over(text[], text[]) IS 'Of these scopes and ids, the budgets that are used up';

-- --- setting them

CREATE FUNCTION spendlog.budget_set(scope text, id text, period text, amount numeric, zone text DEFAULT 'UTC',
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
  IF octet_length(id) > 2048 THEN
    RAISE EXCEPTION 'an id of more than 2048 bytes has no budget' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  PERFORM spendlog.session_expect();
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
COMMENT ON FUNCTION spendlog.budget_set(text, text, text, numeric, text, integer) IS 'Sets a budget; as spendlog_owner';

CREATE FUNCTION spendlog.budget_remove(scope text, id text, period text) RETURNS boolean
LANGUAGE plpgsql STRICT
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
  gone boolean;
BEGIN
  PERFORM spendlog.session_expect();
  PERFORM FROM spendlog.locks l WHERE l.name = 'sums' FOR UPDATE;
  DELETE FROM spendlog.budgets b
  WHERE b.scope = budget_remove.scope AND b.id = budget_remove.id AND b.period = budget_remove.period;
  gone := FOUND;
  IF NOT EXISTS (SELECT FROM spendlog.budgets b WHERE b.scope = budget_remove.scope AND b.id = budget_remove.id) THEN
    DELETE FROM spendlog.budget_sums s WHERE s.scope = budget_remove.scope AND s.id = budget_remove.id;
  END IF;
  RETURN gone;
END
$$;
COMMENT ON FUNCTION spendlog.budget_remove(text, text, text) IS 'Removes a budget; as spendlog_owner';

-- --- privileges

REVOKE ALL ON FUNCTION spendlog.budget_lines(text), spendlog.budget_keep(text), spendlog.budgets_merge(),
  spendlog.budgets_remake(), spendlog.moment_of(timestamp, text), spendlog.period_of(text, text, integer, timestamptz), spendlog.scope_condition(text),
  spendlog.rough_days(text, date, date, date, date),
  spendlog.spent_merged(text, text, timestamp, timestamp, date, date),
  spendlog.spent_late(text, text, timestamp, timestamp),
  spendlog.spent_in(text, text, timestamp, timestamp), spendlog.spent_around(text, text, timestamp, timestamp, date[]),
  spendlog.spent(text, text, text, text, integer, timestamptz),
  spendlog.spend_expected(text, text, text, timestamptz, timestamp), spendlog.budgets_over(text[], text[]),
  spendlog.budget_set(text, text, text, numeric, text, integer), spendlog.budget_remove(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION spendlog.budget_lines(text), spendlog.moment_of(timestamp, text), spendlog.period_of(text, text, integer, timestamptz), spendlog.scope_condition(text),
  spendlog.rough_days(text, date, date, date, date),
  spendlog.spent_merged(text, text, timestamp, timestamp, date, date),
  spendlog.spent_late(text, text, timestamp, timestamp),
  spendlog.spent_in(text, text, timestamp, timestamp), spendlog.spent_around(text, text, timestamp, timestamp, date[]),
  spendlog.spent(text, text, text, text, integer, timestamptz),
  spendlog.spend_expected(text, text, text, timestamptz, timestamp), spendlog.budgets_over(text[], text[])
  TO spendlog_writer, spendlog_repricer, spendlog_reader;
GRANT SELECT ON spendlog.budgets, spendlog.budget_sums, spendlog.coarse_days, spendlog.budget_status
  TO spendlog_writer, spendlog_repricer, spendlog_reader;
