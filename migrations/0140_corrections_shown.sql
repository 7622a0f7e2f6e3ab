-- SPDX-License-Identifier: Apache-2.0
-- What was posted for a closed month is a part of the spend that no row has: spend_items and spend_by_meter show it,
-- so that both come to what was spent.

SET LOCAL ROLE spendlog_owner;

CREATE OR REPLACE VIEW spendlog.spend_items WITH (security_invoker = true) AS
SELECT s.start_time, s.identity, s.request_id, s.provider, s.model, s.model_group, s.api_key, s.api_key_alias,
  s.user_id, s.team_id, s.team_alias, s.organization_id, s.end_user, s.call_type, s.status, s.pricing_status,
  i.unit, i.side, i.quantity, i.amount
FROM spendlog.spend_logs s
CROSS JOIN LATERAL spendlog.items_of(s.items, s.pricing_status, s.spend, s.input_cost, s.output_cost, s.other_cost,
  s.input_tokens, s.output_tokens, s.cache_read_tokens, s.cache_write_tokens, s.reasoning_tokens) i
UNION ALL
SELECT a.posted_on::timestamp(6), a.identity, s.request_id, s.provider, s.model, s.model_group, s.api_key, s.api_key_alias,
  s.user_id, s.team_id, s.team_alias, s.organization_id, s.end_user, s.call_type, s.status, a.new_status,
  'correction', 'correction', NULL, trim_scale(coalesce(a.new_spend, 0) - coalesce(a.old_spend, 0))
FROM spendlog.spend_adjustments a
LEFT JOIN spendlog.spend_logs s ON s.start_time = a.start_time AND s.identity = a.identity
WHERE a.kind = 'posted';
COMMENT ON VIEW spendlog.spend_items IS
  'What each row''s charge is made of, an item a line; amounts of a row add up to its spend; a posted correction is a line on its day';
COMMENT ON COLUMN spendlog.spend_items.unit IS
  'what was counted (charge_units); input, output, other: a side of a row of before there were items; correction: posted';

CREATE OR REPLACE VIEW spendlog.spend_by_meter WITH (security_invoker = true) AS
SELECT d.day, d.provider, d.model, d.team_id, d.api_key, m.meter, m.part_of, sum(m.quantity) AS quantity,
  sum(m.amount) AS amount, CASE WHEN sum(m.quantity) <> 0 THEN sum(m.amount) / sum(m.quantity) END AS unit_price
FROM spendlog.spend_sums d
CROSS JOIN LATERAL (VALUES
  ('input_tokens', NULL, d.input_tokens, d.input_cost), ('output_tokens', NULL, d.output_tokens, d.output_cost),
  ('other', NULL, NULL, d.other_cost),
  ('correction', NULL, NULL, d.spend - d.input_cost - d.output_cost - d.other_cost),
  ('cache_read_tokens', 'input_tokens', d.cache_read_tokens, NULL),
  ('cache_write_tokens', 'input_tokens', d.cache_write_tokens, NULL),
  ('reasoning_tokens', 'output_tokens', d.reasoning_tokens, NULL)) AS m (meter, part_of, quantity, amount)
WHERE d.grain IN ('delta', 'day') AND d.level = 'all'
GROUP BY 1, 2, 3, 4, 5, 6, 7
HAVING sum(m.quantity) <> 0 OR sum(m.amount) <> 0;
COMMENT ON COLUMN spendlog.spend_by_meter.meter IS 'what was counted; correction: what was posted for closed months';
