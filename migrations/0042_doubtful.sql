-- SPDX-License-Identifier: Apache-2.0
-- Amounts that may be wrong, and amounts of our own that are missing.

SET LOCAL ROLE spendlog_owner;

-- The table of core/flags.def, of what casts doubt on an amount.
CREATE FUNCTION spendlog.doubts(flags integer) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ARRAY(
  SELECT f.name FROM (VALUES
    (8, 'fact_dropped'), (9, 'counts_contradict'), (10, 'unread_usage'),
    (11, 'failed_with_counts'), (24, 'rate_missing'), (25, 'unknown_price_key'),
    (26, 'own_price_unread')) AS f (bit, name)
  WHERE flags >> f.bit & 1 = 1 ORDER BY f.bit);
COMMENT ON FUNCTION spendlog.doubts(integer) IS 'Names of the flags of a row that cast doubt on its amount';

CREATE VIEW spendlog.doubtful_rows WITH (security_invoker = true) AS
SELECT l.start_time, l.identity, l.request_id, coalesce(l.provider, '') AS provider,
  coalesce(l.model, '') AS model, coalesce(l.call_type, '') AS call_type, l.team_id, l.api_key_alias,
  spendlog.doubts(l.now_flags) AS doubts,
  (ARRAY['', 'declared', 'emitter', 'numbers'])[1 + (l.now_flags >> 16 & 3)]
    || CASE WHEN l.now_flags >> 18 & 1 = 1 THEN ', outside' ELSE '' END AS cache_reading,
  (ARRAY['', 'declared', 'emitter', 'numbers'])[1 + (l.now_flags >> 19 & 3)]
    || CASE WHEN l.now_flags >> 21 & 1 = 1 THEN ', outside' ELSE '' END AS reasoning_reading,
  l.input_tokens, l.output_tokens, l.total_tokens, l.cache_read_tokens, l.cache_write_tokens,
  l.reasoning_tokens, l.pricing_status, l.pricing_reason, l.spend, l.gateway_cost,
  coalesce(l.spend, l.gateway_cost) AS at_stake, l.mapping
FROM (
  SELECT r.*, coalesce((
    SELECT a.new_flags FROM spendlog.spend_adjustments a
    WHERE a.start_time = r.start_time AND a.identity = r.identity AND a.kind = 'posted'
    ORDER BY a.run_id DESC LIMIT 1), r.flags) AS now_flags
  FROM spendlog.counted_logs r
  -- 2^8 to 2^11 and 2^24 to 2^26: what casts doubt
  WHERE r.flags & 117444352 <> 0) l
WHERE l.now_flags & 117444352 <> 0;
COMMENT ON VIEW spendlog.doubtful_rows IS 'Rows whose amount may be wrong, why, and what is at stake, US dollars';
COMMENT ON COLUMN spendlog.doubtful_rows.cache_reading IS 'why cached tokens were taken as part of the input, or outside it';

-- Also models of rows that carry the gateway's figure because there is no price of our own.
CREATE OR REPLACE VIEW spendlog.unpriced_models WITH (security_invoker = true) AS
SELECT coalesce(provider, '') AS provider, coalesce(model, '') AS model, pricing_reason,
  count(*) AS calls, sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens,
  sum(gateway_cost) AS gateway_cost, min(start_time) AS first_seen, max(start_time) AS last_seen,
  count(*) FILTER (WHERE pricing_status = 'reported') AS reported
FROM spendlog.counted_logs l
WHERE (pricing_status = 'unpriced' OR (pricing_status = 'reported' AND pricing_reason IN
    ('unknown_model', 'no_rate', 'rate_missing', 'unknown_price_key')))
  -- a row of a closed period stays as it is; its latest posted adjustment says what it counts for
  AND coalesce((SELECT a.new_status FROM spendlog.spend_adjustments a
                WHERE a.start_time = l.start_time AND a.identity = l.identity AND a.kind = 'posted'
                ORDER BY a.run_id DESC LIMIT 1), pricing_status) IN ('unpriced', 'reported')
GROUP BY 1, 2, 3;
COMMENT ON VIEW spendlog.unpriced_models IS 'Models without a price of ours; `spendlog reprice --unpriced` (and --include-reported) heals their rows once there is one';
COMMENT ON COLUMN spendlog.unpriced_models.reported IS 'calls that carry the gateway''s figure; the others have none';

GRANT SELECT ON spendlog.doubtful_rows TO spendlog_writer, spendlog_repricer, spendlog_reader;
