-- SPDX-License-Identifier: Apache-2.0
-- Statements that can be sent to where the rows are: joins on the key of a row (start time, identity), no
-- LATERAL ... LIMIT, the key in every part of a union. `scripts/lint.sh shapes` keeps them so.

SET LOCAL ROLE spendlog_owner;

-- A batch is priced by one book: it says which, and nobody has to look at one of its rows.
ALTER TABLE spendlog.ingest_batches ADD COLUMN price_book_id integer;
COMMENT ON COLUMN spendlog.ingest_batches.price_book_id IS 'what priced its rows; NULL: its rows say (0.1.0)';

CREATE OR REPLACE VIEW spendlog.group_books WITH (security_invoker = true) AS
SELECT b.group_id, b.member, b.written_at, p.price_book_id, p.book_hash
FROM (
  SELECT DISTINCT ON (group_id, member) group_id, member, written_at, price_book_id
  FROM spendlog.ingest_batches
  WHERE batch_id > (SELECT max(batch_id) - 10000 FROM spendlog.ingest_batches)
    AND written_at > (now() AT TIME ZONE 'UTC') - interval '10 minutes'
  ORDER BY group_id, member, batch_id DESC
) b
JOIN spendlog.price_books p USING (price_book_id);

-- What a row of a closed month counts for now: the latest of its posted adjustments.
CREATE VIEW spendlog.posted_latest WITH (security_invoker = true) AS
SELECT DISTINCT ON (a.start_time, a.identity) a.*
FROM spendlog.spend_adjustments a
WHERE a.kind = 'posted'
ORDER BY a.start_time, a.identity, a.run_id DESC;
COMMENT ON VIEW spendlog.posted_latest IS 'The posted adjustment that says what a row of a closed month counts for now';

CREATE OR REPLACE VIEW spendlog.unpriced_models WITH (security_invoker = true) AS
SELECT coalesce(l.provider, '') AS provider, coalesce(l.model, '') AS model, l.pricing_reason,
  count(*) AS calls, sum(l.input_tokens) AS input_tokens, sum(l.output_tokens) AS output_tokens,
  sum(l.gateway_cost) AS gateway_cost, min(l.start_time) AS first_seen, max(l.start_time) AS last_seen,
  count(*) FILTER (WHERE l.pricing_status = 'reported') AS reported
FROM spendlog.counted_logs l
LEFT JOIN spendlog.posted_latest a ON a.start_time = l.start_time AND a.identity = l.identity
WHERE (l.pricing_status = 'unpriced' OR (l.pricing_status = 'reported' AND l.pricing_reason IN
    ('unknown_model', 'no_rate', 'rate_missing', 'unknown_price_key')))
  -- a row of a closed period stays as it is
  AND coalesce(a.new_status, l.pricing_status) IN ('unpriced', 'reported')
GROUP BY 1, 2, 3;

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
  SELECT r.*, coalesce(a.new_flags, r.flags) AS now_flags
  FROM spendlog.counted_logs r
  LEFT JOIN spendlog.posted_latest a ON a.start_time = r.start_time AND a.identity = r.identity
  -- 2^8 to 2^11 and 2^24 to 2^26: what casts doubt
  WHERE r.flags & 117444352 <> 0) l
WHERE l.now_flags & 117444352 <> 0;

-- As before, with the key of the row.
CREATE OR REPLACE VIEW spendlog.spend_entries WITH (security_invoker = true) AS
SELECT l.start_time, l.start_time::date AS day, 1 AS calls, l.spend, l.input_cost, l.output_cost,
  l.other_cost, l.gateway_cost, l.pricing_status, l.pricing_reason, l.provider, l.model,
  l.model_group, l.model_id, l.call_type, l.status, l.api_key, l.api_key_alias, l.user_id, l.team_id,
  l.team_alias, l.organization_id, l.end_user, l.request_tags, l.mapping, l.price_book_id,
  l.input_tokens, l.output_tokens, l.cache_read_tokens, l.cache_write_tokens, l.reasoning_tokens,
  l.identity
FROM spendlog.spend_logs l
UNION ALL
SELECT a.posted_on::timestamp, a.posted_on, 0,
  coalesce(a.new_spend, 0) - coalesce(a.old_spend, 0), NULL, NULL, NULL, NULL, a.new_status, '',
  l.provider, l.model, l.model_group, l.model_id, l.call_type, l.status, l.api_key, l.api_key_alias,
  l.user_id, l.team_id, l.team_alias, l.organization_id, l.end_user, l.request_tags, l.mapping,
  a.new_price_book_id, NULL, NULL, NULL, NULL, NULL, a.identity
FROM spendlog.spend_adjustments a
LEFT JOIN spendlog.spend_logs l ON l.start_time = a.start_time AND l.identity = a.identity
WHERE a.kind = 'posted'
UNION ALL
SELECT CASE WHEN e.counts_on = e.start_time::date THEN e.start_time ELSE e.counts_on::timestamp END,
  e.counts_on, 0, e.spend, e.input_cost, e.output_cost, e.other_cost, e.gateway_cost,
  l.pricing_status, coalesce(l.pricing_reason, ''), l.provider, l.model, l.model_group, l.model_id,
  l.call_type, l.status, l.api_key, l.api_key_alias, l.user_id, l.team_id, l.team_alias,
  l.organization_id, l.end_user, l.request_tags, l.mapping, l.price_book_id, e.input_tokens,
  e.output_tokens, e.cache_read_tokens, e.cache_write_tokens, e.reasoning_tokens, e.identity
FROM spendlog.exclusions e
LEFT JOIN spendlog.spend_logs l ON l.start_time = e.start_time AND l.identity = e.identity
WHERE l.start_time IS NOT NULL OR e.counts_on <> e.start_time::date;
COMMENT ON COLUMN spendlog.spend_entries.identity IS 'of the row that the entry is about';

GRANT SELECT ON spendlog.posted_latest TO spendlog_writer, spendlog_repricer, spendlog_reader;
