-- SPDX-License-Identifier: Apache-2.0
-- The tree of a run: which call made which. A run is a session, or the trace of calls without one. A call names its
-- parent by the parent's span, call id or request id, in the same run or in another: a sub-agent's session hangs on
-- the call that made it, and what it spent is its parent's too. docs/storage.md, "Runs".

SET LOCAL ROLE spendlog_owner;

CREATE FUNCTION spendlog.rows_of_run(run text) RETURNS TABLE (start_time timestamp, identity uuid)
LANGUAGE sql STABLE STRICT ROWS 50
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT * FROM spendlog.rows_that(
    's.session_id = $1 OR s.session_id = '''' AND s.trace_id = $1 OR s.session_id = '''' AND s.trace_uuid = $2', run)
$$;
COMMENT ON FUNCTION spendlog.rows_of_run(text) IS 'Rows of a session, or of a trace without one, found by the index';

-- Other runs of which a call names one of this run's as what made it: of those that begin with the run or up to two days after it, found by
-- the names of their parents. `at` and `who` are the run's rows.
CREATE FUNCTION spendlog.runs_below(run text, at timestamp[], who uuid[]) RETURNS SETOF text
LANGUAGE plpgsql STABLE STRICT ROWS 5
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET enable_seqscan = off
SET max_parallel_workers_per_gather = 0
SET jit = off
AS $$
DECLARE
  since timestamp := (SELECT min(t) FROM unnest(at) AS t);
  until timestamp := (SELECT max(t) FROM unnest(at) AS t);
  names text[];
  made_at timestamp[];
  made uuid[];
BEGIN
  -- Of the rows themselves: the view that shows them takes longer to plan than all of this to run.
  EXECUTE format('SELECT array_agg(DISTINCT n.name) FILTER (WHERE n.name <> '''') FROM unnest($1, $2) AS k (start_time, identity) '
    'JOIN spendlog.stored_rows s ON s.start_time = k.start_time AND s.identity = k.identity '
    'CROSS JOIN LATERAL (VALUES (s.span_id), (coalesce(s.call_uuid::text, s.call_id)), (s.request_id)) AS n (name) '
    'WHERE s.start_time >= %L AND s.start_time <= %L', since, until) INTO names USING at, who;
  SELECT array_agg(r.start_time), array_agg(r.identity), min(r.start_time), max(r.start_time) INTO made_at, made, since, until
  FROM spendlog.rows_named('s.parent_id = ANY ($3)', names, ARRAY(SELECT hashtextextended(n, 1) FROM unnest(names) AS n),
    since - interval '1 hour', until + interval '2 days') r;
  IF made IS NOT NULL THEN
    EXECUTE format('SELECT array_agg(DISTINCT n.run) FILTER (WHERE n.run <> $3) FROM unnest($1, $2) AS k (start_time, identity) '
      'JOIN spendlog.stored_rows s ON s.start_time = k.start_time AND s.identity = k.identity CROSS JOIN LATERAL (VALUES '
      '(CASE WHEN s.session_id = '''' THEN coalesce(s.trace_uuid::text, nullif(s.trace_id, '''')) ELSE s.session_id END)) AS n (run) '
      'WHERE s.start_time >= %L AND s.start_time <= %L', since, until) INTO names USING made_at, made, run;
    RETURN QUERY SELECT unnest(names);
  END IF;
END
$$;
COMMENT ON FUNCTION spendlog.runs_below(text, timestamp[], uuid[]) IS 'Runs that calls of this one, which has these rows, have made';

-- A run and all below it, each once, where it is nearest, and the keys of its rows: level by level, at most 16 deep. Many runs may have made
-- one, so not by each way there is to it.
CREATE FUNCTION spendlog.runs_under(run text)
RETURNS TABLE (session_id text, parent_session text, depth integer, start_times timestamp[], identities uuid[])
LANGUAGE plpgsql STABLE STRICT ROWS 10
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
  level text[] := ARRAY[run];
  parents text[] := ARRAY[NULL];
  met text[] := ARRAY[run];
  made text[];
  below text[];
  makers text[];
BEGIN
  depth := 0;
  WHILE level IS NOT NULL LOOP
    below := '{}';
    makers := '{}';
    FOR i IN 1..cardinality(level) LOOP
      session_id := level[i];
      parent_session := parents[i];
      SELECT array_agg(r.start_time), array_agg(r.identity) INTO start_times, identities FROM spendlog.rows_of_run(session_id) r;
      RETURN NEXT;
      IF depth < 16 THEN
        made := ARRAY(SELECT b FROM spendlog.runs_below(session_id, start_times, identities) AS b WHERE b <> ALL (met));
        met := met || made;
        below := below || made;
        makers := makers || array_fill(session_id, ARRAY[cardinality(made)]);
      END IF;
    END LOOP;
    SELECT array_agg(b.session ORDER BY b.session), array_agg(b.maker ORDER BY b.session) INTO level, parents
    FROM unnest(below, makers) AS b (session, maker);
    depth := depth + 1;
  END LOOP;
END
$$;
COMMENT ON FUNCTION spendlog.runs_under(text) IS 'A run and all runs below it';

-- What a row counts for: itself, what was posted of it, and whether it was set aside. Planned once in a session.
CREATE FUNCTION spendlog.spend_counted(start_time timestamp, identity uuid, spend numeric) RETURNS numeric
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  RETURN (SELECT sum(x.spend) FROM (
    SELECT spend_counted.spend
    UNION ALL
    SELECT coalesce(a.new_spend, 0) - coalesce(a.old_spend, 0) FROM spendlog.spend_adjustments a
    WHERE a.kind = 'posted' AND a.start_time = spend_counted.start_time AND a.identity = spend_counted.identity
    UNION ALL
    SELECT e.spend FROM spendlog.exclusions e
    WHERE e.start_time = spend_counted.start_time AND e.identity = spend_counted.identity) x);
END
$$;
COMMENT ON FUNCTION spendlog.spend_counted(timestamp, uuid, numeric) IS 'What a row of this spend counts for in all sums';

-- The calls of a run and of those below it, by the keys of their rows.
CREATE FUNCTION spendlog.members_of_run(run text)
RETURNS TABLE (session_id text, depth integer, start_time timestamp, identity uuid, request_id text, call_id text,
  span_id text, parent_id text, provider text, model text, team_id text, pricing_status text, input_tokens bigint,
  output_tokens bigint, spend numeric, counts boolean)
LANGUAGE sql STABLE STRICT ROWS 100
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
  SELECT u.session_id, u.depth, l.start_time, l.identity, l.request_id, l.call_id, l.span_id, l.parent_id, l.provider,
    l.model, l.team_id, l.pricing_status, l.input_tokens, l.output_tokens,
    spendlog.spend_counted(l.start_time, l.identity, l.spend),
    NOT EXISTS (SELECT FROM spendlog.excluded_rows x WHERE x.start_time = l.start_time AND x.identity = l.identity)
  FROM spendlog.runs_under(run) u CROSS JOIN LATERAL spendlog.rows_by_keys(u.start_times, u.identities) l
$$;
COMMENT ON FUNCTION spendlog.members_of_run(text) IS 'The calls of a session and of all below it, and what each counts for; what is set aside (spendlog exclude) is no call of it';

CREATE FUNCTION spendlog.spend_of_run(run text)
RETURNS TABLE (calls bigint, unpriced_calls bigint, input_tokens numeric, output_tokens numeric, spend numeric,
  runs_below bigint, calls_in_all bigint, unpriced_in_all bigint, spend_in_all numeric, first_call timestamp,
  last_call timestamp)
LANGUAGE sql STABLE STRICT ROWS 1
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET max_parallel_workers_per_gather = 0
SET jit = off
AS $$
  SELECT count(*) FILTER (WHERE c.depth = 0 AND c.counts),
    count(*) FILTER (WHERE c.depth = 0 AND c.counts AND c.pricing_status = 'unpriced'),
    sum(c.input_tokens) FILTER (WHERE c.depth = 0 AND c.counts), sum(c.output_tokens) FILTER (WHERE c.depth = 0 AND c.counts),
    sum(c.spend) FILTER (WHERE c.depth = 0), count(DISTINCT c.session_id) - 1, count(*) FILTER (WHERE c.counts),
    count(*) FILTER (WHERE c.counts AND c.pricing_status = 'unpriced'), sum(c.spend), min(c.start_time), max(c.start_time)
  FROM spendlog.members_of_run(run) c
  HAVING count(*) > 0
$$;
COMMENT ON FUNCTION spendlog.spend_of_run(text) IS 'What a session spent, by itself and with all that its calls have made';

-- A trace that is a uuid is LiteLLM's: without a session it is one request and its retries, and is not listed.
CREATE VIEW spendlog.spend_by_session WITH (security_invoker = true) AS
SELECT r.session_id, s.calls, s.unpriced_calls, s.input_tokens, s.output_tokens, s.spend, s.runs_below, s.calls_in_all,
  s.unpriced_in_all, s.spend_in_all, s.first_call, s.last_call
FROM (
  SELECT session_id FROM spendlog.stored_rows WHERE session_id <> ''
  UNION
  SELECT trace_id FROM spendlog.stored_rows WHERE session_id = '' AND trace_id <> ''
) r CROSS JOIN LATERAL spendlog.spend_of_run(r.session_id) s;
COMMENT ON VIEW spendlog.spend_by_session IS 'Sessions, and traces (but uuids) of calls without one: what they spent, and what with all that their calls have made; ask for one';
COMMENT ON COLUMN spendlog.spend_by_session.session_id IS 'of a call without a session its trace';
COMMENT ON COLUMN spendlog.spend_by_session.spend IS 'of its own calls, US dollars; NULL when nothing of it has a price';
COMMENT ON COLUMN spendlog.spend_by_session.runs_below IS 'sessions and traces that its calls have made, at any depth';
COMMENT ON COLUMN spendlog.spend_by_session.spend_in_all IS 'with all that is below';

-- The calls of a run and of those below it. A circle of calls that name each other counts each of them once.
CREATE FUNCTION spendlog.calls_of_run(run text)
RETURNS TABLE (session_id text, depth integer, start_time timestamp, identity uuid, parent_start_time timestamp,
  parent_identity uuid, request_id text, call_id text, span_id text, parent_id text, provider text, model text,
  team_id text, pricing_status text, input_tokens bigint, output_tokens bigint, spend numeric, calls_in_all bigint,
  spend_in_all numeric)
LANGUAGE sql STABLE STRICT ROWS 100
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET max_parallel_workers_per_gather = 0
SET jit = off
AS $$
  WITH RECURSIVE members AS MATERIALIZED (
    SELECT row_number() OVER (ORDER BY c.start_time, c.identity) AS n, c.* FROM spendlog.members_of_run(run) c
  ), named AS MATERIALIZED (
    SELECT DISTINCT ON (v.name) v.name, m.n FROM members m
    CROSS JOIN LATERAL (VALUES (m.span_id), (m.call_id), (m.request_id)) AS v (name)
    WHERE v.name <> '' ORDER BY v.name, m.n
  ), edges AS MATERIALIZED (
    SELECT m.n, p.n AS parent FROM members m JOIN named p ON p.name = m.parent_id AND p.n <> m.n
  ), up (n, over, steps) AS (
    SELECT m.n, m.n, 0 FROM members m
    UNION ALL
    SELECT u.n, e.parent, u.steps + 1 FROM up u JOIN edges e ON e.n = u.over WHERE u.steps < 64
  ) CYCLE over SET again USING way,
  over_all AS (
    SELECT u.over AS n, count(*) FILTER (WHERE m.counts) AS calls, sum(m.spend) AS spend
    FROM up u JOIN members m ON m.n = u.n WHERE NOT u.again GROUP BY u.over
  ), deep AS (
    SELECT u.n, max(u.steps) AS depth FROM up u WHERE NOT u.again GROUP BY u.n
  )
  SELECT m.session_id, d.depth, m.start_time, m.identity, p.start_time, p.identity, m.request_id, m.call_id, m.span_id,
    m.parent_id, m.provider, m.model, m.team_id, m.pricing_status, m.input_tokens, m.output_tokens, m.spend, a.calls, a.spend
  FROM members m JOIN over_all a USING (n) JOIN deep d USING (n)
  LEFT JOIN edges e USING (n) LEFT JOIN members p ON p.n = e.parent
  ORDER BY m.n
$$;
COMMENT ON FUNCTION spendlog.calls_of_run(text) IS 'The calls of a session and of all below it: depth, parent, and what each spent alone and with all that it made';

REVOKE ALL ON FUNCTION spendlog.rows_of_run(text), spendlog.runs_below(text, timestamp[], uuid[]), spendlog.runs_under(text),
  spendlog.spend_counted(timestamp, uuid, numeric), spendlog.members_of_run(text), spendlog.spend_of_run(text),
  spendlog.calls_of_run(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION spendlog.rows_of_run(text), spendlog.runs_below(text, timestamp[], uuid[]), spendlog.runs_under(text),
  spendlog.spend_counted(timestamp, uuid, numeric), spendlog.members_of_run(text), spendlog.spend_of_run(text),
  spendlog.calls_of_run(text)
  TO spendlog_writer, spendlog_repricer, spendlog_reader;
GRANT SELECT ON spendlog.spend_by_session TO spendlog_writer, spendlog_repricer, spendlog_reader;
