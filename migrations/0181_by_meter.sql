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

-- What was read from and written to a cache, at what it cost and at what it would have cost as input: text at the mean of
-- the text beside, audio and images at theirs, of the day's priced calls of the same model, group, kind of call, team and
-- key. Of which there is no input beside has no such rate: it is told and nothing is guessed.
CREATE VIEW spendlog.cache_savings WITH (security_invoker = true) AS
SELECT s.day, s.provider, s.model, s.team_id, s.api_key, sum(s.read_tokens) AS read_tokens,
  sum(s.written_tokens) AS written_tokens,
  coalesce(sum(s.read_tokens + s.written_tokens) FILTER (WHERE s.rate IS NULL), 0) AS tokens_without_rate,
  sum(s.cost) FILTER (WHERE s.rate IS NOT NULL) AS cost, sum((s.read_tokens + s.written_tokens) * s.rate) AS as_input,
  sum((s.read_tokens + s.written_tokens) * s.rate - s.cost) AS saved
FROM (
  SELECT l.day, l.provider, l.model, l.team_id, l.api_key, coalesce(sum(l.quantity) FILTER (WHERE k.use = 'read'), 0) AS read_tokens,
    coalesce(sum(l.quantity) FILTER (WHERE k.use = 'write'), 0) AS written_tokens,
    coalesce(sum(l.amount) FILTER (WHERE k.use <> 'input'), 0) AS cost,
    sum(l.amount) FILTER (WHERE k.use = 'input') / nullif(sum(l.quantity) FILTER (WHERE k.use = 'input'), 0) AS rate
  FROM spendlog.meter_lines l
  JOIN (VALUES ('input_text_tokens', 'text', 'input'), ('input_audio_tokens', 'audio', 'input'),
      ('input_image_tokens', 'image', 'input'), ('cache_read_tokens', 'text', 'read'), ('cache_read_audio_tokens', 'audio', 'read'),
      ('cache_read_image_tokens', 'image', 'read'), ('cache_write_tokens', 'text', 'write'),
      ('cache_write_1h_tokens', 'text', 'write'), ('cache_write_12h_tokens', 'text', 'write')) AS k (meter, kind, use)
    ON k.meter = l.meter
  WHERE l.pricing_status = 'priced' AND l.itemized
  GROUP BY l.day, l.provider, l.model, l.model_group, l.call_type, l.team_id, l.api_key, k.kind) s
WHERE s.read_tokens <> 0 OR s.written_tokens <> 0
GROUP BY 1, 2, 3, 4, 5;
COMMENT ON VIEW spendlog.cache_savings IS
  'What caches saved per day (UTC), provider, model, team and key, of priced calls and before discounts, from the sums: at the mean rate of the input beside';
COMMENT ON COLUMN spendlog.cache_savings.tokens_without_rate IS
  'of them those without input beside that would have a rate: in none of the amounts';
COMMENT ON COLUMN spendlog.cache_savings.cost IS 'US dollars for reading and writing';
COMMENT ON COLUMN spendlog.cache_savings.as_input IS 'US dollars for the same tokens at the rate of the input beside; NULL: there is none';
COMMENT ON COLUMN spendlog.cache_savings.saved IS 'as_input less cost; below 0 where writing costs more than reading saves; NULL: there is no rate';
GRANT SELECT ON spendlog.cache_savings TO spendlog_writer, spendlog_repricer, spendlog_reader;
