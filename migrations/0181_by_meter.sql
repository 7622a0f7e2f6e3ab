-- SPDX-License-Identifier: Apache-2.0
-- Entries have what their charge is made of and say what kind they are, so that a report by meter is about what all
-- others are about; and what caches saved.

SET LOCAL ROLE spendlog_owner;

CREATE OR REPLACE VIEW spendlog.spend_entries WITH (security_invoker = true) AS
SELECT l.start_time, l.start_time::date AS day, 1 AS calls, l.spend, l.input_cost, l.output_cost,
  l.other_cost, l.gateway_cost, l.pricing_status, l.pricing_reason, l.provider, l.model,
  l.model_group, l.model_id, l.call_type, l.status, l.api_key, l.api_key_alias, l.user_id, l.team_id,
  l.team_alias, l.organization_id, l.end_user, l.request_tags, l.mapping, l.price_book_id,
  l.input_tokens, l.output_tokens, l.cache_read_tokens, l.cache_write_tokens, l.reasoning_tokens,
  l.identity, l.items, 'row' AS kind
FROM spendlog.spend_logs l
UNION ALL
SELECT a.posted_on::timestamp, a.posted_on, 0,
  coalesce(a.new_spend, 0) - coalesce(a.old_spend, 0), NULL, NULL, NULL, NULL, a.new_status, '',
  l.provider, l.model, l.model_group, l.model_id, l.call_type, l.status, l.api_key, l.api_key_alias,
  l.user_id, l.team_id, l.team_alias, l.organization_id, l.end_user, l.request_tags, l.mapping,
  a.new_price_book_id, NULL, NULL, NULL, NULL, NULL, a.identity, NULL, 'correction'
FROM spendlog.spend_adjustments a
LEFT JOIN spendlog.spend_logs l ON l.start_time = a.start_time AND l.identity = a.identity
WHERE a.kind = 'posted'
UNION ALL
SELECT CASE WHEN e.counts_on = e.start_time::date THEN e.start_time ELSE e.counts_on::timestamp END,
  e.counts_on, CASE e.action WHEN 'exclude' THEN -1 ELSE 1 END, e.spend, e.input_cost, e.output_cost, e.other_cost, e.gateway_cost,
  l.pricing_status, coalesce(l.pricing_reason, ''), l.provider, l.model, l.model_group, l.model_id,
  l.call_type, l.status, l.api_key, l.api_key_alias, l.user_id, l.team_id, l.team_alias,
  l.organization_id, l.end_user, l.request_tags, l.mapping, l.price_book_id, e.input_tokens,
  e.output_tokens, e.cache_read_tokens, e.cache_write_tokens, e.reasoning_tokens, e.identity,
  CASE WHEN e.counts_on = e.start_time::date AND e.pricing_status = l.pricing_status THEN e.items END,
  CASE WHEN e.counts_on = e.start_time::date AND e.pricing_status = l.pricing_status THEN 'row' ELSE 'correction' END
FROM spendlog.exclusions e
LEFT JOIN spendlog.spend_logs l ON l.start_time = e.start_time AND l.identity = e.identity
WHERE l.start_time IS NOT NULL OR e.counts_on <> e.start_time::date;
COMMENT ON COLUMN spendlog.spend_entries.calls IS '1 for a row, 0 for an adjustment, -1 for a row set aside, 1 for one put back';
COMMENT ON COLUMN spendlog.spend_entries.items IS 'of a row, as stored_rows has them (items_of())';
COMMENT ON COLUMN spendlog.spend_entries.kind IS
  'row: a row, or (calls -1 or 1) its being set aside or put back on its own day, of the same items; correction: what has no items, as what is posted for a closed month';

-- What was read from and written to a cache, at what it cost and at what it would have cost as input: text at the mean of
-- the text beside, audio and images at theirs, of the day's priced calls of the model. Of which there is no input beside
-- has no such rate: it is told and nothing is guessed. Of the totals of days, and of what is not merged.
CREATE VIEW spendlog.cache_savings WITH (security_invoker = true) AS
SELECT s.day, s.provider, s.model, sum(r.read_tokens) AS read_tokens, sum(r.written_tokens) AS written_tokens,
  coalesce(sum(r.read_tokens + r.written_tokens) FILTER (WHERE r.rate IS NULL), 0) AS tokens_without_rate,
  sum(r.cost) FILTER (WHERE r.rate IS NOT NULL) AS cost, sum((r.read_tokens + r.written_tokens) * r.rate) AS as_input,
  sum((r.read_tokens + r.written_tokens) * r.rate - r.cost) AS saved
FROM (
  SELECT d.day, d.provider, d.model, sum(d.input_tokens) AS input_tokens, sum(d.input_cost) AS input_cost,
    sum(d.cache_read_tokens) AS read_tokens, sum(d.cache_write_tokens) AS written_tokens, sum(d.cache_read_cost) AS read_cost,
    sum(d.cache_write_cost) AS write_cost,
    coalesce(sum(CASE WHEN u.unit = 'input_text_tokens' THEN d.quantity WHEN u.taken_from = 'input_text_tokens' THEN -d.quantity END), 0)
      AS text_more,
    coalesce(sum(d.amount) FILTER (WHERE u.side = 'input' AND u.unit <> 'input_text_tokens'), 0) AS text_less_cost,
    coalesce(sum(CASE WHEN u.unit = 'cache_read_tokens' THEN d.quantity WHEN u.taken_from = 'cache_read_tokens' THEN -d.quantity END), 0)
      AS read_more,
    coalesce(sum(d.quantity) FILTER (WHERE u.unit = 'cache_write_tokens'), 0) AS write_more,
    coalesce(sum(d.amount) FILTER (WHERE u.unit LIKE 'cache\_write\_%'), 0) AS write_more_cost,
    coalesce(sum(d.quantity) FILTER (WHERE u.unit = 'input_audio_tokens'), 0) AS audio_tokens,
    coalesce(sum(d.amount) FILTER (WHERE u.unit = 'input_audio_tokens'), 0) AS audio_cost,
    coalesce(sum(d.quantity) FILTER (WHERE u.unit = 'cache_read_audio_tokens'), 0) AS audio_read,
    coalesce(sum(d.amount) FILTER (WHERE u.unit = 'cache_read_audio_tokens'), 0) AS audio_read_cost,
    coalesce(sum(d.quantity) FILTER (WHERE u.unit = 'input_image_tokens'), 0) AS image_tokens,
    coalesce(sum(d.amount) FILTER (WHERE u.unit = 'input_image_tokens'), 0) AS image_cost,
    coalesce(sum(d.quantity) FILTER (WHERE u.unit = 'cache_read_image_tokens'), 0) AS image_read,
    coalesce(sum(d.amount) FILTER (WHERE u.unit = 'cache_read_image_tokens'), 0) AS image_read_cost
  FROM (
    SELECT t.day, t.provider, t.id AS model, t.name AS meter, g.sign * t.input_tokens AS input_tokens,
      g.sign * t.input_cost AS input_cost, g.sign * t.cache_read_tokens AS cache_read_tokens,
      g.sign * t.cache_write_tokens AS cache_write_tokens, g.sign * t.cache_read_cost AS cache_read_cost,
      g.sign * t.cache_write_cost AS cache_write_cost, t.quantity, t.spend AS amount
    FROM spendlog.day_totals t
    JOIN (VALUES ('model', 1), ('untold', -1), ('meter', 0)) AS g (kind, sign) ON g.kind = t.kind
    WHERE t.kind IN ('model', 'untold', 'meter') AND t.pricing_status = 'priced'
    UNION ALL
    SELECT s.day, coalesce(c.provider, s.provider, ''), coalesce(c.model, s.model, ''), coalesce(s.label, ''),
      g.sign * coalesce(s.input_tokens, 0), g.sign * coalesce(s.input_cost, 0), g.sign * coalesce(s.cache_read_tokens, 0),
      g.sign * coalesce(s.cache_write_tokens, 0), g.sign * coalesce(s.cache_read_cost, 0), g.sign * coalesce(s.cache_write_cost, 0),
      s.quantity, s.spend
    FROM spendlog.stored_sums s
    JOIN (VALUES (1, 1), (128, 0)) AS g (bits, sign) ON s.about & 385 = g.bits
    LEFT JOIN spendlog.shared_calls c ON c.call_no = s.call_no
    WHERE s.grain = 'delta' AND s.pricing_status = 'priced') d
  LEFT JOIN spendlog.charge_units u ON u.unit = d.meter
  GROUP BY 1, 2, 3) s
CROSS JOIN LATERAL (
  SELECT q.read_tokens, q.written_tokens, q.cost, q.input_cost / nullif(q.input_tokens, 0) AS rate
  FROM (VALUES
    (s.input_tokens - s.read_tokens - s.written_tokens + s.text_more,
      s.input_cost - s.read_cost - s.write_cost - s.text_less_cost, s.read_tokens + s.read_more, s.written_tokens + s.write_more,
      s.read_cost + s.write_cost + s.write_more_cost),
    (s.audio_tokens, s.audio_cost, s.audio_read, 0, s.audio_read_cost),
    (s.image_tokens, s.image_cost, s.image_read, 0, s.image_read_cost))
    AS q (input_tokens, input_cost, read_tokens, written_tokens, cost)
  WHERE q.read_tokens <> 0 OR q.written_tokens <> 0) r
GROUP BY 1, 2, 3;
COMMENT ON VIEW spendlog.cache_savings IS
  'What caches saved per day (UTC), provider and model, of priced calls and before discounts, from the sums: at the mean rate of the input beside';
COMMENT ON COLUMN spendlog.cache_savings.tokens_without_rate IS
  'of them those without input beside that would have a rate: in none of the amounts';
COMMENT ON COLUMN spendlog.cache_savings.cost IS 'US dollars for reading and writing';
COMMENT ON COLUMN spendlog.cache_savings.as_input IS 'US dollars for the same tokens at the rate of the input beside; NULL: there is none';
COMMENT ON COLUMN spendlog.cache_savings.saved IS 'as_input less cost; below 0 where writing costs more than reading saves; NULL: there is no rate';
GRANT SELECT ON spendlog.cache_savings TO spendlog_writer, spendlog_repricer, spendlog_reader;
