-- SPDX-License-Identifier: Apache-2.0
-- What was posted for a closed month is a part of the spend that no row has: spend_items shows it, as spend_by_meter
-- does, so that both come to what was spent.

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
