-- SPDX-License-Identifier: Apache-2.0
-- What was tried on counts that contradict each other, and differences that a gateway's own clock explains.

SET LOCAL ROLE spendlog_owner;

-- The sums that a total could be, from the counts as they were sent. A part that was read as outside its
-- whole has been added to it: it is taken off again.
CREATE FUNCTION spendlog.readings_tried(
  flags integer, input numeric, output numeric, cached numeric, reasoning numeric, total numeric)
RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
  SELECT array_remove(ARRAY[
    'total as sent: ' || coalesce(total::text, 'none'),
    'input + output: ' || s.stated,
    CASE WHEN cached > 0 THEN 'with the cache outside: ' || s.stated + cached END,
    CASE WHEN reasoning > 0 THEN 'with reasoning outside: ' || s.stated + reasoning END,
    CASE WHEN cached > 0 AND reasoning > 0 THEN 'with both outside: ' || s.stated + cached + reasoning END], NULL)
  FROM (SELECT coalesce(input, 0) + coalesce(output, 0)
    - CASE WHEN flags >> 18 & 1 = 1 THEN coalesce(cached, 0) ELSE 0 END
    - CASE WHEN flags >> 21 & 1 = 1 THEN coalesce(reasoning, 0) ELSE 0 END AS stated) s);
COMMENT ON FUNCTION spendlog.readings_tried(integer, numeric, numeric, numeric, numeric, numeric) IS
  'Tokens: the sums that were held against the total of an event, cached = reads + writes';
REVOKE ALL ON FUNCTION spendlog.readings_tried(integer, numeric, numeric, numeric, numeric, numeric) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION spendlog.readings_tried(integer, numeric, numeric, numeric, numeric, numeric)
  TO spendlog_writer, spendlog_repricer, spendlog_reader;

CREATE OR REPLACE VIEW spendlog.doubtful_rows WITH (security_invoker = true) AS
SELECT l.start_time, l.identity, l.request_id, coalesce(l.provider, '') AS provider,
  coalesce(l.model, '') AS model, coalesce(l.call_type, '') AS call_type, l.team_id, l.api_key_alias,
  spendlog.doubts(l.now_flags) AS doubts,
  (ARRAY['', 'declared', 'emitter', 'numbers'])[1 + (l.now_flags >> 16 & 3)]
    || CASE WHEN l.now_flags >> 18 & 1 = 1 THEN ', outside' ELSE '' END AS cache_reading,
  (ARRAY['', 'declared', 'emitter', 'numbers'])[1 + (l.now_flags >> 19 & 3)]
    || CASE WHEN l.now_flags >> 21 & 1 = 1 THEN ', outside' ELSE '' END AS reasoning_reading,
  l.input_tokens, l.output_tokens, l.total_tokens, l.cache_read_tokens, l.cache_write_tokens,
  l.reasoning_tokens, l.pricing_status, l.pricing_reason, l.spend, l.gateway_cost,
  coalesce(l.spend, l.gateway_cost) AS at_stake, l.mapping,
  CASE WHEN l.now_flags >> 9 & 1 = 1 THEN spendlog.readings_tried(l.now_flags, l.input_tokens,
    l.output_tokens, coalesce(l.cache_read_tokens, 0)::numeric + coalesce(l.cache_write_tokens, 0),
    l.reasoning_tokens, l.total_tokens) END AS readings_tried
FROM (
  SELECT r.*, coalesce((
    SELECT a.new_flags FROM spendlog.spend_adjustments a
    WHERE a.start_time = r.start_time AND a.identity = r.identity AND a.kind = 'posted'
    ORDER BY a.run_id DESC LIMIT 1), r.flags) AS now_flags
  FROM spendlog.counted_logs r
  -- 2^8 to 2^11 and 2^24 to 2^26: what casts doubt
  WHERE r.flags & 117444352 <> 0) l
WHERE l.now_flags & 117444352 <> 0;
COMMENT ON COLUMN spendlog.doubtful_rows.readings_tried IS
  'of counts that contradict each other: the total as sent, and the sums of tokens held against it';

CREATE OR REPLACE VIEW spendlog.price_drift WITH (security_invoker = true) AS
SELECT start_time::date AS day, coalesce(provider, '') AS provider, coalesce(model, '') AS model,
  count(*) AS calls, count(*) FILTER (WHERE spend <> gateway_cost) AS calls_differing,
  sum(spend) AS spend, sum(gateway_cost) AS gateway_cost, sum(spend - gateway_cost) AS difference,
  CASE WHEN sum(gateway_cost) <> 0
    THEN round(100 * sum(spend - gateway_cost) / sum(gateway_cost), 4) END AS difference_percent,
  count(*) FILTER (WHERE flags >> 27 & 1 = 1) AS calls_by_gateway_clock
FROM spendlog.counted_logs
WHERE gateway_cost IS NOT NULL AND pricing_status IN ('priced', 'free')
GROUP BY 1, 2, 3;
COMMENT ON COLUMN spendlog.price_drift.calls_by_gateway_clock IS
  'calls priced per second: LiteLLM bills from its own arrival time, which no event carries, so they differ a little';
