-- SPDX-License-Identifier: Apache-2.0
-- What people query. All views run with the rights of who asks. A day is a day in UTC.
-- Spend = rows + posted adjustments: a posted one counts on the day it was posted on.

SET LOCAL ROLE spendlog_owner;

-- Every change of spend that counts, with what it is attributed to.
CREATE VIEW spendlog.spend_entries WITH (security_invoker = true) AS
SELECT l.start_time, l.start_time::date AS day, 1 AS calls, l.spend, l.input_cost, l.output_cost,
  l.other_cost, l.gateway_cost, l.pricing_status, l.pricing_reason, l.provider, l.model,
  l.model_group, l.model_id, l.call_type, l.status, l.api_key, l.api_key_alias, l.user_id, l.team_id,
  l.team_alias, l.organization_id, l.end_user, l.request_tags, l.mapping, l.price_book_id,
  l.input_tokens, l.output_tokens, l.cache_read_tokens, l.cache_write_tokens, l.reasoning_tokens
FROM spendlog.spend_logs l
UNION ALL
SELECT a.posted_on::timestamp, a.posted_on, 0,
  coalesce(a.new_spend, 0) - coalesce(a.old_spend, 0), NULL, NULL, NULL, NULL, a.new_status, '',
  l.provider, l.model, l.model_group, l.model_id, l.call_type, l.status, l.api_key, l.api_key_alias,
  l.user_id, l.team_id, l.team_alias, l.organization_id, l.end_user, l.request_tags, l.mapping,
  a.new_price_book_id, NULL, NULL, NULL, NULL, NULL
FROM spendlog.spend_adjustments a
LEFT JOIN spendlog.spend_logs l ON l.start_time = a.start_time AND l.identity = a.identity
WHERE a.kind = 'posted';
COMMENT ON VIEW spendlog.spend_entries IS 'Rows and posted adjustments: sums over it are spend';
COMMENT ON COLUMN spendlog.spend_entries.calls IS '1 for a row, 0 for an adjustment';

CREATE VIEW spendlog.spend_daily WITH (security_invoker = true) AS
SELECT day, coalesce(provider, '') AS provider, coalesce(model, '') AS model,
  coalesce(model_group, '') AS model_group, api_key, api_key_alias, user_id, team_id, team_alias,
  organization_id, pricing_status, coalesce(status, '') AS status,
  sum(calls)::bigint AS calls, sum(spend) AS spend, sum(input_cost) AS input_cost,
  sum(output_cost) AS output_cost, sum(other_cost) AS other_cost, sum(gateway_cost) AS gateway_cost,
  sum(input_tokens)::bigint AS input_tokens, sum(output_tokens)::bigint AS output_tokens,
  sum(cache_read_tokens)::bigint AS cache_read_tokens,
  sum(cache_write_tokens)::bigint AS cache_write_tokens,
  sum(reasoning_tokens)::bigint AS reasoning_tokens
FROM spendlog.spend_entries
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12;
COMMENT ON VIEW spendlog.spend_daily IS 'Spend per day (UTC) and attribution; spend in US dollars, NULL when nothing of it has a price';

CREATE VIEW spendlog.unpriced_models WITH (security_invoker = true) AS
SELECT coalesce(provider, '') AS provider, coalesce(model, '') AS model, pricing_reason,
  count(*) AS calls, sum(input_tokens)::bigint AS input_tokens,
  sum(output_tokens)::bigint AS output_tokens, sum(gateway_cost) AS gateway_cost,
  min(start_time) AS first_seen, max(start_time) AS last_seen
FROM spendlog.spend_logs l
WHERE pricing_status = 'unpriced'
  -- a row of a closed period stays as it is; its latest posted adjustment says what it counts for
  AND coalesce((SELECT a.new_status FROM spendlog.spend_adjustments a
                WHERE a.start_time = l.start_time AND a.identity = l.identity AND a.kind = 'posted'
                ORDER BY a.run_id DESC LIMIT 1), 'unpriced') = 'unpriced'
GROUP BY 1, 2, 3;
COMMENT ON VIEW spendlog.unpriced_models IS 'Models of rows without a price; `spendlog reprice --unpriced` heals them once there is one';

CREATE VIEW spendlog.price_drift WITH (security_invoker = true) AS
SELECT start_time::date AS day, coalesce(provider, '') AS provider, coalesce(model, '') AS model,
  count(*) AS calls, count(*) FILTER (WHERE spend <> gateway_cost) AS calls_differing,
  sum(spend) AS spend, sum(gateway_cost) AS gateway_cost, sum(spend - gateway_cost) AS difference,
  CASE WHEN sum(gateway_cost) <> 0
    THEN round(100 * sum(spend - gateway_cost) / sum(gateway_cost), 4) END AS difference_percent
FROM spendlog.spend_logs
WHERE gateway_cost IS NOT NULL AND pricing_status IN ('priced', 'free')
GROUP BY 1, 2, 3;
COMMENT ON VIEW spendlog.price_drift IS 'Our price against the gateway''s, per model and day (UTC), US dollars';

CREATE VIEW spendlog.coverage WITH (security_invoker = true) AS
SELECT o.cluster_id, o.group_id, o.topic, o.partition, o.incarnation, o.partition_id,
  o.first_offset, o.next_offset, o.messages, o.records, o.rows, o.duplicates, o.rejected, o.skipped,
  o.conflicts, o.rows_dropped,
  o.records = o.rows + o.duplicates + o.rejected + o.skipped AS conserved,
  (SELECT count(*) FROM spendlog.kafka_gaps g WHERE g.partition_id = o.partition_id) AS gaps,
  (SELECT count(*) FROM spendlog.rejected_events r
   WHERE r.partition_id = o.partition_id AND r.resolved_at IS NULL) AS rejected_open,
  to_timestamp(o.last_message_ms / 1000.0) AT TIME ZONE 'UTC' AS last_message_time,
  o.replaced_at, o.updated_at
FROM spendlog.kafka_offsets o;
COMMENT ON VIEW spendlog.coverage IS 'Per partition: how far it was read, what became of its records, gaps';

-- FinOps FOCUS 1.2: one line per row and side of its cost, in FOCUS's own spelling of the columns.
CREATE VIEW spendlog.focus_1_2 WITH (security_invoker = true) AS
SELECT
  i.amount AS "BilledCost",
  i.amount AS "EffectiveCost",
  i.amount AS "ListCost",
  i.amount AS "ContractedCost",
  'USD' AS "BillingCurrency",
  l.organization_id AS "BillingAccountId",
  l.organization_id AS "BillingAccountName",
  date_trunc('month', l.start_time) AS "BillingPeriodStart",
  date_trunc('month', l.start_time) + interval '1 month' AS "BillingPeriodEnd",
  l.start_time AS "ChargePeriodStart",
  coalesce(l.end_time, l.start_time) AS "ChargePeriodEnd",
  'Usage' AS "ChargeCategory",
  NULL::text AS "ChargeClass",
  concat_ws(' ', l.call_type, l.model, i.side) AS "ChargeDescription",
  'Usage-Based' AS "ChargeFrequency",
  i.quantity::numeric AS "ConsumedQuantity",
  CASE WHEN i.quantity IS NOT NULL THEN 'Tokens' END AS "ConsumedUnit",
  i.quantity::numeric AS "PricingQuantity",
  CASE WHEN i.quantity IS NOT NULL THEN 'Tokens' END AS "PricingUnit",
  CASE WHEN l.pricing_status IN ('priced', 'free') THEN 'Standard' END AS "PricingCategory",
  'AI and Machine Learning' AS "ServiceCategory",
  'Generative AI' AS "ServiceSubcategory",
  coalesce(l.provider, '') AS "ServiceName",
  coalesce(l.provider, '') AS "ProviderName",
  coalesce(l.provider, '') AS "PublisherName",
  coalesce(l.provider, '') AS "InvoiceIssuerName",
  l.team_id AS "SubAccountId",
  l.team_alias AS "SubAccountName",
  l.model_id AS "ResourceId",
  l.model AS "ResourceName",
  'Model' AS "ResourceType",
  concat_ws('/', l.provider, l.model, i.side) AS "SkuId",
  i.side AS "SkuMeter",
  to_jsonb(l.request_tags) AS "Tags",
  l.identity AS "x_Identity",
  l.pricing_status AS "x_PricingStatus"
FROM spendlog.spend_logs l
CROSS JOIN LATERAL (VALUES
  ('input', l.input_cost, l.input_tokens),
  ('output', l.output_cost, l.output_tokens),
  ('other', l.other_cost, NULL)) AS i (side, amount, quantity)
WHERE i.amount <> 0 OR i.quantity > 0;
COMMENT ON VIEW spendlog.focus_1_2 IS 'Cost and usage in the columns of FinOps FOCUS 1.2, US dollars';

-- LiteLLM's own names (schema.prisma of LiteLLM 1.106.2), so that queries written for its database run
-- on ours. spend stays numeric, and NULL where there is no price. Prompts and answers are not kept.
CREATE VIEW litellm."LiteLLM_SpendLogs" WITH (security_invoker = true) AS
SELECT
  coalesce(nullif(request_id, ''), identity::text) AS request_id,
  coalesce(call_type, '') AS call_type,
  api_key,
  spend,
  coalesce(total_tokens, coalesce(input_tokens, 0) + coalesce(output_tokens, 0)) AS total_tokens,
  coalesce(input_tokens, 0) AS prompt_tokens,
  coalesce(output_tokens, 0) AS completion_tokens,
  start_time AS "startTime",
  coalesce(end_time, start_time) AS "endTime",
  (extract(epoch FROM end_time - start_time) * 1000)::bigint AS request_duration_ms,
  first_token_time AS "completionStartTime",
  coalesce(model, '') AS model,
  coalesce(model_id, '') AS model_id,
  coalesce(model_group, '') AS model_group,
  coalesce(provider, '') AS custom_llm_provider,
  coalesce(usage ->> 'api_host', '') AS api_base,
  user_id AS "user",
  coalesce(metadata, '{}') AS metadata,
  CASE WHEN cache_hit THEN 'True' WHEN NOT cache_hit THEN 'False' ELSE '' END AS cache_hit,
  '' AS cache_key,
  to_jsonb(request_tags) AS request_tags,
  nullif(team_id, '') AS team_id,
  nullif(organization_id, '') AS organization_id,
  end_user,
  requester_ip AS requester_ip_address,
  '{}'::jsonb AS messages,
  '{}'::jsonb AS response,
  session_id,
  status,
  NULL::text AS mcp_namespaced_tool_name,
  NULL::text AS agent_id,
  '{}'::jsonb AS proxy_server_request
FROM spendlog.spend_logs;
COMMENT ON VIEW litellm."LiteLLM_SpendLogs" IS 'spendlog.spend_logs under LiteLLM''s names; times in UTC, spend in US dollars';

-- LiteLLM's daily tables differ in whom they attribute spend to, and in nothing else.
DO $$
DECLARE
  daily record;
BEGIN
  FOR daily IN
    SELECT * FROM (VALUES
      ('LiteLLM_DailyUserSpend', 'user_id', 'l.user_id', ''),
      ('LiteLLM_DailyTeamSpend', 'team_id', 'l.team_id', ''),
      ('LiteLLM_DailyOrganizationSpend', 'organization_id', 'l.organization_id', ''),
      ('LiteLLM_DailyEndUserSpend', 'end_user_id', 'l.end_user', ''),
      ('LiteLLM_DailyTagSpend', 'tag', 't.tag',
       'CROSS JOIN LATERAL unnest(l.request_tags) AS t (tag)')) AS d (name, of_whom, from_what, tags)
  LOOP
    EXECUTE format($view$
      CREATE VIEW litellm.%1$I WITH (security_invoker = true) AS
      SELECT
        md5(concat_ws('|', %3$s, l.start_time::date, l.api_key, l.model, l.model_group, l.provider))
          AS id,
        %3$s AS %2$I,
        to_char(l.start_time::date, 'YYYY-MM-DD') AS date,
        l.api_key,
        l.model,
        l.model_group,
        l.provider AS custom_llm_provider,
        NULL::text AS mcp_namespaced_tool_name,
        NULL::text AS endpoint,
        coalesce(sum(l.input_tokens), 0)::bigint AS prompt_tokens,
        coalesce(sum(l.output_tokens), 0)::bigint AS completion_tokens,
        coalesce(sum(l.cache_read_tokens), 0)::bigint AS cache_read_input_tokens,
        coalesce(sum(l.cache_write_tokens), 0)::bigint AS cache_creation_input_tokens,
        sum(l.spend) AS spend,
        count(*) AS api_requests,
        count(*) FILTER (WHERE l.status IS DISTINCT FROM 'failure') AS successful_requests,
        count(*) FILTER (WHERE l.status = 'failure') AS failed_requests,
        min(l.start_time) AS created_at,
        max(l.start_time) AS updated_at
      FROM spendlog.spend_logs l %4$s
      GROUP BY %3$s, l.start_time::date, l.api_key, l.model, l.model_group, l.provider
      $view$, daily.name, daily.of_whom, daily.from_what, daily.tags);
  END LOOP;
END
$$;
