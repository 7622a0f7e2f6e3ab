-- SPDX-License-Identifier: Apache-2.0
-- Entries have what their charge is made of, so that a report by meter is about what all others are about; and what
-- caches saved.

SET LOCAL ROLE spendlog_owner;

CREATE OR REPLACE VIEW spendlog.spend_entries WITH (security_invoker = true) AS
SELECT l.start_time, l.start_time::date AS day, 1 AS calls, l.spend, l.input_cost, l.output_cost,
  l.other_cost, l.gateway_cost, l.pricing_status, l.pricing_reason, l.provider, l.model,
  l.model_group, l.model_id, l.call_type, l.status, l.api_key, l.api_key_alias, l.user_id, l.team_id,
  l.team_alias, l.organization_id, l.end_user, l.request_tags, l.mapping, l.price_book_id,
  l.input_tokens, l.output_tokens, l.cache_read_tokens, l.cache_write_tokens, l.reasoning_tokens,
  l.identity, l.items
FROM spendlog.spend_logs l
UNION ALL
SELECT a.posted_on::timestamp, a.posted_on, 0,
  coalesce(a.new_spend, 0) - coalesce(a.old_spend, 0), NULL, NULL, NULL, NULL, a.new_status, '',
  l.provider, l.model, l.model_group, l.model_id, l.call_type, l.status, l.api_key, l.api_key_alias,
  l.user_id, l.team_id, l.team_alias, l.organization_id, l.end_user, l.request_tags, l.mapping,
  a.new_price_book_id, NULL, NULL, NULL, NULL, NULL, a.identity, NULL
FROM spendlog.spend_adjustments a
LEFT JOIN spendlog.spend_logs l ON l.start_time = a.start_time AND l.identity = a.identity
WHERE a.kind = 'posted'
UNION ALL
SELECT CASE WHEN e.counts_on = e.start_time::date THEN e.start_time ELSE e.counts_on::timestamp END,
  e.counts_on, 0, e.spend, e.input_cost, e.output_cost, e.other_cost, e.gateway_cost,
  l.pricing_status, coalesce(l.pricing_reason, ''), l.provider, l.model, l.model_group, l.model_id,
  l.call_type, l.status, l.api_key, l.api_key_alias, l.user_id, l.team_id, l.team_alias,
  l.organization_id, l.end_user, l.request_tags, l.mapping, l.price_book_id, e.input_tokens,
  e.output_tokens, e.cache_read_tokens, e.cache_write_tokens, e.reasoning_tokens, e.identity, NULL
FROM spendlog.exclusions e
LEFT JOIN spendlog.spend_logs l ON l.start_time = e.start_time AND l.identity = e.identity
WHERE l.start_time IS NOT NULL OR e.counts_on <> e.start_time::date;
COMMENT ON COLUMN spendlog.spend_entries.items IS 'of a row, as stored_rows has them (items_of())';

-- What was read from and written to a cache, at what it cost and at what it would have cost as input of the same call:
-- text beside text, audio beside audio, images beside images. A call all of which came from a cache has no such rate;
-- it is counted and nothing is guessed. Days are named, so that a range of them reads those days.
CREATE VIEW spendlog.cache_savings WITH (security_invoker = true) AS
SELECT s.day, s.provider, s.model, s.team_id, s.api_key, count(*) AS calls,
  count(*) FILTER (WHERE s.without_rate) AS calls_without_rate, sum(s.read_tokens) AS read_tokens,
  sum(s.written_tokens) AS written_tokens, trim_scale(sum(s.cost)) AS cost, trim_scale(sum(s.as_input)) AS as_input,
  trim_scale(sum(s.as_input - s.cost)) AS saved
FROM (
  SELECT d.day, l.provider, l.model, l.team_id, l.api_key, l.without_rate, l.read_tokens, l.written_tokens, l.cost, l.as_input
  FROM spendlog.stored_days() d
  CROSS JOIN LATERAL (
    SELECT coalesce(r.provider, '') AS provider, coalesce(r.model, '') AS model, r.team_id, r.api_key, c.*
    FROM spendlog.spend_logs r
    CROSS JOIN LATERAL (
      WITH i AS MATERIALIZED (
        SELECT o.unit, sum(o.quantity) AS quantity, sum(o.amount) AS amount
        FROM spendlog.items_of(r.items, r.pricing_status, r.spend, r.input_cost, r.output_cost, r.other_cost, r.input_tokens,
          r.output_tokens, r.cache_read_tokens, r.cache_write_tokens, r.reasoning_tokens) o
        WHERE o.unit LIKE 'cache\_%' OR o.unit LIKE 'input\_%\_tokens'
        GROUP BY o.unit)
      SELECT count(*) AS cached, bool_or(n.quantity IS NULL) AS without_rate,
        sum(h.quantity) FILTER (WHERE h.unit LIKE 'cache\_read%') AS read_tokens,
        sum(h.quantity) FILTER (WHERE h.unit LIKE 'cache\_write%') AS written_tokens,
        sum(h.amount) FILTER (WHERE n.quantity IS NOT NULL) AS cost,
        sum(h.quantity * n.amount / n.quantity) AS as_input
      FROM i h
      LEFT JOIN i n ON n.quantity > 0 AND n.unit = CASE WHEN h.unit LIKE '%\_audio\_%' THEN 'input_audio_tokens'
        WHEN h.unit LIKE '%\_image\_%' THEN 'input_image_tokens' ELSE 'input_text_tokens' END
      WHERE h.unit LIKE 'cache\_%') c
    WHERE r.start_time >= d.day AND r.start_time < d.day + 1 AND r.items IS NOT NULL AND c.cached > 0
      AND NOT EXISTS (SELECT FROM spendlog.excluded_rows x WHERE x.start_time = r.start_time AND x.identity = r.identity)
    OFFSET 0) l) s
GROUP BY 1, 2, 3, 4, 5;
COMMENT ON VIEW spendlog.cache_savings IS
  'What caches saved per day (UTC), provider, model, team and key, from what the rows paid for; before discounts. A range of `day` reads those days';
COMMENT ON COLUMN spendlog.cache_savings.calls_without_rate IS
  'calls of them with tokens of a cache and no input beside at a rate: in none of the amounts, as far as that goes';
COMMENT ON COLUMN spendlog.cache_savings.cost IS 'US dollars for reading and writing';
COMMENT ON COLUMN spendlog.cache_savings.as_input IS 'US dollars for the same tokens at the input rate of their call; NULL: no call has one';
COMMENT ON COLUMN spendlog.cache_savings.saved IS 'as_input less cost; below 0 where writing costs more than reading saves; NULL: no call has a rate';
GRANT SELECT ON spendlog.cache_savings TO spendlog_writer, spendlog_repricer, spendlog_reader;
