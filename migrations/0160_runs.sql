-- SPDX-License-Identifier: Apache-2.0
-- The tree of a run: which call made which. A run is a session, or the trace of calls without one. A call names its
-- parent by the parent's span, call id or request id, in the same run or in another: a sub-agent's session hangs on
-- the call that made it, and what it spent is its parent's too. docs/storage.md, "Runs".

SET LOCAL ROLE spendlog_owner;

ALTER TABLE spendlog.stored_rows
  ADD COLUMN span_id text,
  ADD COLUMN parent_id text;
COMMENT ON COLUMN spendlog.stored_rows.span_id IS 'the call''s own span; NULL or empty: none is told';
COMMENT ON COLUMN spendlog.stored_rows.parent_id IS 'what made the call: a span, call id or request id; NULL or empty: none is told';

CREATE OR REPLACE VIEW spendlog.spend_logs WITH (security_invoker = true) AS
SELECT
  s.start_time, s.identity, s.batch_id, s.partition_id, s.kafka_offset, s.content_hash, s.end_time,
  s.first_token_time, s.input_tokens, s.output_tokens, s.total_tokens, s.cache_read_tokens,
  s.cache_write_tokens, s.reasoning_tokens, s.status_code, s.price_book_id, s.record_index, s.flags,
  s.cache_hit, s.stream, s.spend, s.input_cost, s.output_cost, s.other_cost, s.gateway_cost,
  s.pricing_status, coalesce(s.pricing_reason, '') AS pricing_reason,
  coalesce(s.provider, c.provider) AS provider, coalesce(s.model, c.model) AS model,
  coalesce(s.model_requested, c.model_requested) AS model_requested,
  coalesce(s.model_group, c.model_group) AS model_group, coalesce(s.model_id, c.model_id) AS model_id,
  coalesce(s.call_type, c.call_type) AS call_type, coalesce(s.status, c.status) AS status,
  coalesce(s.service_tier, c.service_tier) AS service_tier, s.request_id,
  coalesce(s.call_uuid::text, s.call_id, '') AS call_id,
  coalesce(s.trace_uuid::text, s.trace_id, '') AS trace_id, s.session_id,
  coalesce(s.api_key, k.api_key, '') AS api_key,
  coalesce(s.api_key_alias, k.api_key_alias, '') AS api_key_alias,
  coalesce(s.user_id, k.user_id, '') AS user_id, coalesce(s.team_id, k.team_id, '') AS team_id,
  coalesce(s.team_alias, k.team_alias, '') AS team_alias,
  coalesce(s.organization_id, k.organization_id, '') AS organization_id, s.end_user,
  coalesce(s.requester_ip, '') AS requester_ip, coalesce(s.error_class, '') AS error_class,
  coalesce(s.mapping, c.mapping) AS mapping, coalesce(s.time_source, c.time_source) AS time_source,
  coalesce(s.request_tags, k.request_tags, '{}') AS request_tags,
  coalesce(s.metadata, s.metadata_text::jsonb) AS metadata,
  coalesce(s.usage, s.usage_text::jsonb || c.usage_text::jsonb, s.usage_text::jsonb, c.usage_text::jsonb) AS usage,
  s.items, coalesce(s.span_id, '') AS span_id, coalesce(s.parent_id, '') AS parent_id
FROM spendlog.stored_rows s
LEFT JOIN spendlog.shared_calls c ON c.call_no = s.call_no
LEFT JOIN spendlog.shared_callers k ON k.caller_no = s.caller_no;
COMMENT ON COLUMN spendlog.spend_logs.span_id IS 'the call''s own span';
COMMENT ON COLUMN spendlog.spend_logs.parent_id IS 'span, call id or request id of what made the call';

CREATE OR REPLACE FUNCTION spendlog.spend_logs_written() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO spendlog.stored_rows (
    start_time, identity, batch_id, partition_id, kafka_offset, content_hash, end_time, first_token_time,
    input_tokens, output_tokens, total_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens,
    status_code, price_book_id, record_index, flags, cache_hit, stream, spend, input_cost, output_cost,
    other_cost, gateway_cost, pricing_status, pricing_reason, provider, model, model_requested,
    model_group, model_id, call_type, status, service_tier, request_id, call_id, trace_id, session_id,
    api_key, api_key_alias, user_id, team_id, team_alias, organization_id, end_user, requester_ip,
    error_class, mapping, time_source, request_tags, metadata, usage, items, span_id, parent_id)
    VALUES (
    NEW.start_time, NEW.identity, NEW.batch_id, NEW.partition_id, NEW.kafka_offset, NEW.content_hash,
    NEW.end_time, NEW.first_token_time, NEW.input_tokens, NEW.output_tokens, NEW.total_tokens,
    NEW.cache_read_tokens, NEW.cache_write_tokens, NEW.reasoning_tokens, NEW.status_code,
    NEW.price_book_id, NEW.record_index, NEW.flags, NEW.cache_hit, NEW.stream, NEW.spend, NEW.input_cost,
    NEW.output_cost, NEW.other_cost, NEW.gateway_cost, NEW.pricing_status, NEW.pricing_reason,
    NEW.provider, NEW.model, NEW.model_requested, NEW.model_group, NEW.model_id, NEW.call_type, NEW.status,
    NEW.service_tier, coalesce(NEW.request_id, ''), NEW.call_id, NEW.trace_id,
    coalesce(NEW.session_id, ''), NEW.api_key, NEW.api_key_alias, NEW.user_id, NEW.team_id, NEW.team_alias,
    NEW.organization_id, coalesce(NEW.end_user, ''), NEW.requester_ip, NEW.error_class, NEW.mapping,
    NEW.time_source, NEW.request_tags, NEW.metadata, NEW.usage, coalesce(NEW.items, '?'),
    NEW.span_id, NEW.parent_id);
    RETURN NEW;
  ELSIF TG_OP = 'UPDATE' THEN
    UPDATE spendlog.stored_rows s SET (
    start_time, identity, batch_id, partition_id, kafka_offset, content_hash, end_time, first_token_time,
    input_tokens, output_tokens, total_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens,
    status_code, price_book_id, record_index, flags, cache_hit, stream, spend, input_cost, output_cost,
    other_cost, gateway_cost, pricing_status, pricing_reason, provider, model, model_requested,
    model_group, model_id, call_type, status, service_tier, request_id, call_id, trace_id, session_id,
    api_key, api_key_alias, user_id, team_id, team_alias, organization_id, end_user, requester_ip,
    error_class, mapping, time_source, request_tags, metadata, usage, items, span_id, parent_id,
    call_no, caller_no, call_uuid, trace_uuid, usage_text, metadata_text) = (
    NEW.start_time, NEW.identity, NEW.batch_id, NEW.partition_id, NEW.kafka_offset, NEW.content_hash,
    NEW.end_time, NEW.first_token_time, NEW.input_tokens, NEW.output_tokens, NEW.total_tokens,
    NEW.cache_read_tokens, NEW.cache_write_tokens, NEW.reasoning_tokens, NEW.status_code,
    NEW.price_book_id, NEW.record_index, NEW.flags, NEW.cache_hit, NEW.stream, NEW.spend, NEW.input_cost,
    NEW.output_cost, NEW.other_cost, NEW.gateway_cost, NEW.pricing_status, NEW.pricing_reason,
    NEW.provider, NEW.model, NEW.model_requested, NEW.model_group, NEW.model_id, NEW.call_type, NEW.status,
    NEW.service_tier, coalesce(NEW.request_id, ''), NEW.call_id, NEW.trace_id,
    coalesce(NEW.session_id, ''), NEW.api_key, NEW.api_key_alias, NEW.user_id, NEW.team_id, NEW.team_alias,
    NEW.organization_id, coalesce(NEW.end_user, ''), NEW.requester_ip, NEW.error_class, NEW.mapping,
    NEW.time_source, NEW.request_tags, NEW.metadata, NEW.usage,
    CASE WHEN (NEW.spend, NEW.input_cost, NEW.output_cost, NEW.other_cost, NEW.pricing_status, NEW.input_tokens,
      NEW.output_tokens, NEW.cache_read_tokens, NEW.cache_write_tokens, NEW.reasoning_tokens, NEW.items)
      IS DISTINCT FROM (OLD.spend, OLD.input_cost, OLD.output_cost, OLD.other_cost, OLD.pricing_status,
      OLD.input_tokens, OLD.output_tokens, OLD.cache_read_tokens, OLD.cache_write_tokens, OLD.reasoning_tokens,
      OLD.items) THEN '?' ELSE NEW.items END,
    NEW.span_id, NEW.parent_id,
    NULL, NULL, NULL, NULL, NULL, NULL)
    WHERE s.start_time = OLD.start_time AND s.identity = OLD.identity;
    RETURN NEW;
  END IF;
  DELETE FROM spendlog.stored_rows s WHERE s.start_time = OLD.start_time AND s.identity = OLD.identity;
  RETURN OLD;
END
$$;

-- Filters more in the index of 0083: the trace as it is stored, and what made the call.
DROP INDEX spendlog.spend_logs_ids_brin;
CREATE INDEX spend_logs_ids_brin ON spendlog.stored_rows USING brin (
  request_id text_bloom_ops, call_uuid uuid_bloom_ops, call_id text_bloom_ops, session_id text_bloom_ops,
  (coalesce(nullif(request_id, ''), identity::text)) text_bloom_ops, trace_uuid uuid_bloom_ops,
  trace_id text_bloom_ops, parent_id text_bloom_ops)
  WITH (pages_per_range = 32, autosummarize = on);

-- --- runs

CREATE FUNCTION spendlog.rows_of_run(run text) RETURNS TABLE (start_time timestamp, identity uuid)
LANGUAGE sql STABLE STRICT ROWS 50
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET max_parallel_workers_per_gather = 0
SET jit = off
AS $$
  SELECT s.start_time, s.identity FROM spendlog.stored_rows s WHERE run <> '' AND s.session_id = run
  UNION ALL
  SELECT s.start_time, s.identity FROM spendlog.stored_rows s
  WHERE run <> '' AND s.session_id = '' AND s.trace_id = run
  UNION ALL
  SELECT s.start_time, s.identity FROM spendlog.stored_rows s
  WHERE s.session_id = '' AND s.trace_uuid =
    CASE WHEN run ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' THEN run::uuid END
$$;
COMMENT ON FUNCTION spendlog.rows_of_run(text) IS 'Rows of a session, or of a trace without one, found by the index';

-- Other runs of which a call names one of this run's as what made it. They begin with the run or up to two days after it.
-- Of many names reading the days once is cheaper than asking the filters for each.
CREATE FUNCTION spendlog.runs_below(run text) RETURNS SETOF text
LANGUAGE plpgsql STABLE STRICT ROWS 5
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET max_parallel_workers_per_gather = 0
SET jit = off
AS $$
DECLARE
  names text[];
  since timestamp;
  until timestamp;
BEGIN
  SELECT array_agg(DISTINCT n.name) FILTER (WHERE n.name <> ''), min(l.start_time), max(l.start_time)
  INTO names, since, until
  FROM spendlog.rows_of_run(run) r
  JOIN spendlog.spend_logs l ON l.start_time = r.start_time AND l.identity = r.identity
  CROSS JOIN LATERAL (VALUES (l.span_id), (l.call_id), (l.request_id)) AS n (name);
  IF cardinality(names) > 200 THEN
    PERFORM set_config('enable_seqscan', 'on', true);
  END IF;
  RETURN QUERY SELECT DISTINCT b.run FROM (
    SELECT CASE WHEN s.session_id = '' THEN coalesce(s.trace_uuid::text, nullif(s.trace_id, '')) ELSE s.session_id END AS run
    FROM spendlog.stored_rows s
    WHERE s.parent_id = ANY (names) AND s.start_time >= since - interval '1 hour'
      AND s.start_time <= until + interval '2 days') b
  WHERE b.run <> runs_below.run;
END
$$;
COMMENT ON FUNCTION spendlog.runs_below(text) IS 'Runs that calls of this one have made';

-- A run and all below it, each once, where it is nearest; at most 16 deep, so circles end.
CREATE FUNCTION spendlog.runs_under(run text) RETURNS TABLE (session_id text, parent_session text, depth integer)
LANGUAGE sql STABLE STRICT ROWS 10
SET search_path = pg_catalog, pg_temp
AS $$
  WITH RECURSIVE under (session_id, parent_session, depth) AS (
    SELECT run, NULL::text, 0
    UNION ALL
    SELECT b.session_id, u.session_id, u.depth + 1
    FROM under u CROSS JOIN LATERAL spendlog.runs_below(u.session_id) AS b (session_id)
    WHERE u.depth < 16
  ) CYCLE session_id SET again USING way
  SELECT DISTINCT ON (u.session_id) u.session_id, u.parent_session, u.depth
  FROM under u WHERE NOT u.again ORDER BY u.session_id, u.depth, u.parent_session
$$;
COMMENT ON FUNCTION spendlog.runs_under(text) IS 'A run and all runs below it';

-- What a row counts for: itself, what was posted of it, and whether it was set aside.
CREATE FUNCTION spendlog.spend_counted(start_time timestamp, identity uuid, spend numeric) RETURNS numeric
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT sum(x.spend) FROM (
    SELECT spend_counted.spend
    UNION ALL
    SELECT coalesce(a.new_spend, 0) - coalesce(a.old_spend, 0) FROM spendlog.spend_adjustments a
    WHERE a.kind = 'posted' AND a.start_time = spend_counted.start_time AND a.identity = spend_counted.identity
    UNION ALL
    SELECT e.spend FROM spendlog.exclusions e
    WHERE e.start_time = spend_counted.start_time AND e.identity = spend_counted.identity) x
$$;
COMMENT ON FUNCTION spendlog.spend_counted(timestamp, uuid, numeric) IS 'What a row of this spend counts for in all sums';

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
  SELECT count(*) FILTER (WHERE c.depth = 0), count(*) FILTER (WHERE c.depth = 0 AND c.is_unpriced),
    sum(c.input_tokens) FILTER (WHERE c.depth = 0), sum(c.output_tokens) FILTER (WHERE c.depth = 0),
    sum(c.spend) FILTER (WHERE c.depth = 0), count(DISTINCT c.session_id) - 1, count(*),
    count(*) FILTER (WHERE c.is_unpriced), sum(c.spend), min(c.start_time), max(c.start_time)
  FROM (
    SELECT u.session_id, u.depth, l.start_time, l.pricing_status = 'unpriced' AS is_unpriced, l.input_tokens,
      l.output_tokens, spendlog.spend_counted(l.start_time, l.identity, l.spend) AS spend
    FROM spendlog.runs_under(run) u CROSS JOIN LATERAL spendlog.rows_of_run(u.session_id) r
    JOIN spendlog.spend_logs l ON l.start_time = r.start_time AND l.identity = r.identity) c
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
    SELECT row_number() OVER (ORDER BY l.start_time, l.identity) AS n, u.session_id AS run, l.*,
      spendlog.spend_counted(l.start_time, l.identity, l.spend) AS counted
    FROM spendlog.runs_under(run) u CROSS JOIN LATERAL spendlog.rows_of_run(u.session_id) r
    JOIN spendlog.spend_logs l ON l.start_time = r.start_time AND l.identity = r.identity
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
    SELECT u.over AS n, count(*) AS calls, sum(m.counted) AS spend
    FROM up u JOIN members m ON m.n = u.n WHERE NOT u.again GROUP BY u.over
  ), deep AS (
    SELECT u.n, max(u.steps) AS depth FROM up u WHERE NOT u.again GROUP BY u.n
  )
  SELECT m.run, d.depth, m.start_time, m.identity, p.start_time, p.identity, m.request_id, m.call_id, m.span_id,
    m.parent_id, m.provider, m.model, m.team_id, m.pricing_status, m.input_tokens, m.output_tokens, m.counted, a.calls, a.spend
  FROM members m JOIN over_all a USING (n) JOIN deep d USING (n)
  LEFT JOIN edges e USING (n) LEFT JOIN members p ON p.n = e.parent
  ORDER BY m.n
$$;
COMMENT ON FUNCTION spendlog.calls_of_run(text) IS 'The calls of a session and of all below it: depth, parent, and what each spent alone and with all that it made';

REVOKE ALL ON FUNCTION spendlog.rows_of_run(text), spendlog.runs_below(text), spendlog.runs_under(text),
  spendlog.spend_counted(timestamp, uuid, numeric), spendlog.spend_of_run(text), spendlog.calls_of_run(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION spendlog.rows_of_run(text), spendlog.runs_below(text), spendlog.runs_under(text),
  spendlog.spend_counted(timestamp, uuid, numeric), spendlog.spend_of_run(text), spendlog.calls_of_run(text)
  TO spendlog_writer, spendlog_repricer, spendlog_reader;
GRANT SELECT ON spendlog.spend_by_session TO spendlog_writer, spendlog_repricer, spendlog_reader;
