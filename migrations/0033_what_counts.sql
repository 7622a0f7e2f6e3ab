-- SPDX-License-Identifier: Apache-2.0
-- Sums that cannot overflow, and rows that are set aside.
--
-- The bound of an element lies far below the bound of a sum: an event is bounded when it is read
-- (limits.tokens, limits.cost), a sum is plain numeric, here and in the books. So no row, of whatever
-- version, stops a report, a view, retention or a reprice.

SET LOCAL ROLE spendlog_owner;

ALTER TABLE spendlog.dropped_partitions ALTER COLUMN spend TYPE numeric;
ALTER TABLE spendlog.closed_periods ALTER COLUMN spend TYPE numeric;
ALTER TABLE spendlog.reprice_runs ALTER COLUMN delta TYPE numeric;

-- --- rows that are set aside

-- The row stays as it is. What it comes to, posted corrections included, is taken out of all sums by an
-- entry, and put back by another: on the row's own day while its month is open, on an open day after
-- that. While a row is set aside repricing leaves it alone.
CREATE TABLE spendlog.exclusions (
  exclusion_id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT exclusions_pkey PRIMARY KEY,
  start_time timestamp(6) NOT NULL,
  identity uuid NOT NULL,
  action text NOT NULL CONSTRAINT exclusions_action CHECK (action IN ('exclude', 'restore')),
  counts_on date NOT NULL,
  spend numeric,
  input_cost numeric,
  output_cost numeric,
  other_cost numeric,
  gateway_cost numeric,
  input_tokens bigint,
  output_tokens bigint,
  cache_read_tokens bigint,
  cache_write_tokens bigint,
  reasoning_tokens bigint,
  pricing_status text,
  items text,
  why text NOT NULL CONSTRAINT exclusions_why CHECK (btrim(why) <> ''),
  done_by text NOT NULL DEFAULT session_user,
  done_at timestamp(6) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC')
);
CREATE INDEX exclusions_row ON spendlog.exclusions (start_time, identity);
COMMENT ON TABLE spendlog.exclusions IS 'Rows taken out of all sums and put back (spendlog exclude); appended, never changed';
COMMENT ON COLUMN spendlog.exclusions.start_time IS 'key of the row, with identity';
COMMENT ON COLUMN spendlog.exclusions.counts_on IS 'day (UTC) on which the entry counts: the row''s own, or one of an open month';
COMMENT ON COLUMN spendlog.exclusions.spend IS 'US dollars to add to the sums: negative when the row is excluded';
COMMENT ON COLUMN spendlog.exclusions.input_tokens IS 'tokens to add to the sums, as for the other counts';
COMMENT ON COLUMN spendlog.exclusions.pricing_status IS 'of the row when it was excluded';
COMMENT ON COLUMN spendlog.exclusions.items IS 'of the row when it was excluded, as in stored_rows';
COMMENT ON COLUMN spendlog.exclusions.done_at IS 'UTC';

CREATE TABLE spendlog.excluded_rows (
  start_time timestamp(6) NOT NULL,
  identity uuid NOT NULL,
  exclusion_id bigint NOT NULL
    CONSTRAINT excluded_rows_exclusion_fkey REFERENCES spendlog.exclusions,
  CONSTRAINT excluded_rows_pkey PRIMARY KEY (start_time, identity)
);
COMMENT ON TABLE spendlog.excluded_rows IS 'Rows that are set aside now, with the entry that did it';

-- The day on which a change of what a row comes to counts now.
CREATE FUNCTION spendlog.counting_day(start_time timestamp) RETURNS date
LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, pg_temp
RETURN CASE
  WHEN EXISTS (SELECT FROM spendlog.closed_periods c WHERE c.month = date_trunc('month', start_time)::date)
  THEN spendlog.posting_day() ELSE start_time::date END;
COMMENT ON FUNCTION spendlog.counting_day(timestamp) IS 'A row''s own day, or a day of an open month when its own is closed';

-- Both work out all they write: the caller names the row and says why.
CREATE FUNCTION spendlog.exclude_row(start_time timestamp, identity uuid, why text) RETURNS bigint
LANGUAGE plpgsql STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  l record;
  posted numeric;
  entry bigint;
BEGIN
  PERFORM spendlog.session_expect();
  PERFORM spendlog.days_expect_free(ARRAY[exclude_row.start_time::date]);
  SELECT * INTO l FROM spendlog.spend_logs s
  WHERE s.start_time = exclude_row.start_time AND s.identity = exclude_row.identity;
  IF NOT FOUND THEN
    RAISE invalid_parameter_value USING MESSAGE = 'there is no such row';
  END IF;
  IF EXISTS (SELECT FROM spendlog.excluded_rows x
             WHERE x.start_time = l.start_time AND x.identity = l.identity) THEN
    RAISE invalid_parameter_value USING MESSAGE = 'the row is excluded already';
  END IF;
  SELECT sum(coalesce(a.new_spend, 0) - coalesce(a.old_spend, 0)) INTO posted
  FROM spendlog.spend_adjustments a
  WHERE a.kind = 'posted' AND a.start_time = l.start_time AND a.identity = l.identity;
  INSERT INTO spendlog.exclusions (start_time, identity, action, counts_on, spend, input_cost,
    output_cost, other_cost, gateway_cost, input_tokens, output_tokens, cache_read_tokens,
    cache_write_tokens, reasoning_tokens, pricing_status, items, why)
  VALUES (l.start_time, l.identity, 'exclude', spendlog.counting_day(l.start_time),
    -coalesce(l.spend + posted, l.spend, posted), -l.input_cost, -l.output_cost, -l.other_cost,
    -l.gateway_cost, -l.input_tokens, -l.output_tokens, -l.cache_read_tokens, -l.cache_write_tokens,
    -l.reasoning_tokens, l.pricing_status, l.items, exclude_row.why)
  RETURNING exclusion_id INTO entry;
  INSERT INTO spendlog.excluded_rows (start_time, identity, exclusion_id)
  VALUES (l.start_time, l.identity, entry);
  RETURN entry;
END
$$;
COMMENT ON FUNCTION spendlog.exclude_row(timestamp, uuid, text) IS 'Takes a row out of all sums';

CREATE FUNCTION spendlog.restore_row(start_time timestamp, identity uuid, why text) RETURNS bigint
LANGUAGE plpgsql STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  was bigint;
  entry bigint;
BEGIN
  PERFORM spendlog.session_expect();
  PERFORM spendlog.days_expect_free(ARRAY[restore_row.start_time::date]);
  DELETE FROM spendlog.excluded_rows x
  WHERE x.start_time = restore_row.start_time AND x.identity = restore_row.identity
  RETURNING x.exclusion_id INTO was;
  IF was IS NULL THEN
    RAISE invalid_parameter_value USING MESSAGE = 'the row is not excluded';
  END IF;
  INSERT INTO spendlog.exclusions (start_time, identity, action, counts_on, spend, input_cost,
    output_cost, other_cost, gateway_cost, input_tokens, output_tokens, cache_read_tokens,
    cache_write_tokens, reasoning_tokens, pricing_status, items, why)
  SELECT e.start_time, e.identity, 'restore', spendlog.counting_day(e.start_time), -e.spend,
    -e.input_cost, -e.output_cost, -e.other_cost, -e.gateway_cost, -e.input_tokens,
    -e.output_tokens, -e.cache_read_tokens, -e.cache_write_tokens, -e.reasoning_tokens,
    e.pricing_status, e.items, restore_row.why
  FROM spendlog.exclusions e WHERE e.exclusion_id = was
  RETURNING exclusion_id INTO entry;
  RETURN entry;
END
$$;
COMMENT ON FUNCTION spendlog.restore_row(timestamp, uuid, text) IS 'Puts an excluded row back into all sums';

-- --- the views

DROP VIEW spendlog.spend_daily, spendlog.unpriced_models, litellm."LiteLLM_SpendLogs",
  litellm."LiteLLM_DailyUserSpend", litellm."LiteLLM_DailyTeamSpend",
  litellm."LiteLLM_DailyOrganizationSpend", litellm."LiteLLM_DailyEndUserSpend",
  litellm."LiteLLM_DailyTagSpend";

-- Rows that count: what is set aside is not among them.
CREATE VIEW spendlog.counted_logs WITH (security_invoker = true) AS
SELECT l.* FROM spendlog.spend_logs l
WHERE NOT EXISTS (SELECT FROM spendlog.excluded_rows x
                  WHERE x.start_time = l.start_time AND x.identity = l.identity);
COMMENT ON VIEW spendlog.counted_logs IS 'Rows of spend_logs but for those that are set aside (spendlog exclude)';

-- An entry of the day of a row that retention dropped went with the row.
CREATE OR REPLACE VIEW spendlog.spend_entries WITH (security_invoker = true) AS
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
WHERE a.kind = 'posted'
UNION ALL
SELECT CASE WHEN e.counts_on = e.start_time::date THEN e.start_time ELSE e.counts_on::timestamp END,
  e.counts_on, 0, e.spend, e.input_cost, e.output_cost, e.other_cost, e.gateway_cost,
  l.pricing_status, coalesce(l.pricing_reason, ''), l.provider, l.model, l.model_group, l.model_id,
  l.call_type, l.status, l.api_key, l.api_key_alias, l.user_id, l.team_id, l.team_alias,
  l.organization_id, l.end_user, l.request_tags, l.mapping, l.price_book_id, e.input_tokens,
  e.output_tokens, e.cache_read_tokens, e.cache_write_tokens, e.reasoning_tokens
FROM spendlog.exclusions e
LEFT JOIN spendlog.spend_logs l ON l.start_time = e.start_time AND l.identity = e.identity
WHERE l.start_time IS NOT NULL OR e.counts_on <> e.start_time::date;
COMMENT ON VIEW spendlog.spend_entries IS 'Rows, posted adjustments, and rows taken out or put back: sums over it are spend';
COMMENT ON COLUMN spendlog.spend_entries.calls IS '1 for a row, 0 for an adjustment';

CREATE VIEW spendlog.spend_daily WITH (security_invoker = true) AS
SELECT day, coalesce(provider, '') AS provider, coalesce(model, '') AS model,
  coalesce(model_group, '') AS model_group, api_key, api_key_alias, user_id, team_id, team_alias,
  organization_id, pricing_status, coalesce(status, '') AS status,
  sum(calls)::bigint AS calls, sum(spend) AS spend, sum(input_cost) AS input_cost,
  sum(output_cost) AS output_cost, sum(other_cost) AS other_cost, sum(gateway_cost) AS gateway_cost,
  sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens,
  sum(cache_read_tokens) AS cache_read_tokens, sum(cache_write_tokens) AS cache_write_tokens,
  sum(reasoning_tokens) AS reasoning_tokens
FROM spendlog.spend_entries
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12;
COMMENT ON VIEW spendlog.spend_daily IS 'Spend per day (UTC) and attribution; spend in US dollars, NULL when nothing of it has a price';

CREATE VIEW spendlog.unpriced_models WITH (security_invoker = true) AS
SELECT coalesce(provider, '') AS provider, coalesce(model, '') AS model, pricing_reason,
  count(*) AS calls, sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens,
  sum(gateway_cost) AS gateway_cost, min(start_time) AS first_seen, max(start_time) AS last_seen
FROM spendlog.counted_logs l
WHERE pricing_status = 'unpriced'
  -- a row of a closed period stays as it is; its latest posted adjustment says what it counts for
  AND coalesce((SELECT a.new_status FROM spendlog.spend_adjustments a
                WHERE a.start_time = l.start_time AND a.identity = l.identity AND a.kind = 'posted'
                ORDER BY a.run_id DESC LIMIT 1), 'unpriced') = 'unpriced'
GROUP BY 1, 2, 3;
COMMENT ON VIEW spendlog.unpriced_models IS 'Models of rows without a price; `spendlog reprice --unpriced` heals them once there is one';

CREATE OR REPLACE VIEW spendlog.price_drift WITH (security_invoker = true) AS
SELECT start_time::date AS day, coalesce(provider, '') AS provider, coalesce(model, '') AS model,
  count(*) AS calls, count(*) FILTER (WHERE spend <> gateway_cost) AS calls_differing,
  sum(spend) AS spend, sum(gateway_cost) AS gateway_cost, sum(spend - gateway_cost) AS difference,
  CASE WHEN sum(gateway_cost) <> 0
    THEN round(100 * sum(spend - gateway_cost) / sum(gateway_cost), 4) END AS difference_percent
FROM spendlog.counted_logs
WHERE gateway_cost IS NOT NULL AND pricing_status IN ('priced', 'free')
GROUP BY 1, 2, 3;

CREATE OR REPLACE VIEW spendlog.focus_1_2 WITH (security_invoker = true) AS
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
FROM spendlog.counted_logs l
CROSS JOIN LATERAL (VALUES
  ('input', l.input_cost, l.input_tokens),
  ('output', l.output_cost, l.output_tokens),
  ('other', l.other_cost, NULL)) AS i (side, amount, quantity)
WHERE i.amount <> 0 OR i.quantity > 0;

CREATE VIEW litellm."LiteLLM_SpendLogs" WITH (security_invoker = true) AS
SELECT
  coalesce(nullif(request_id, ''), identity::text) AS request_id,
  coalesce(call_type, '') AS call_type,
  api_key,
  spend,
  coalesce(total_tokens, coalesce(input_tokens, 0)::numeric + coalesce(output_tokens, 0))
    AS total_tokens,
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
FROM spendlog.counted_logs;
COMMENT ON VIEW litellm."LiteLLM_SpendLogs" IS 'spendlog.counted_logs under LiteLLM''s names; times in UTC, spend in US dollars';

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
        coalesce(sum(l.input_tokens), 0) AS prompt_tokens,
        coalesce(sum(l.output_tokens), 0) AS completion_tokens,
        coalesce(sum(l.cache_read_tokens), 0) AS cache_read_input_tokens,
        coalesce(sum(l.cache_write_tokens), 0) AS cache_creation_input_tokens,
        sum(l.spend) AS spend,
        count(*) AS api_requests,
        count(*) FILTER (WHERE l.status IS DISTINCT FROM 'failure') AS successful_requests,
        count(*) FILTER (WHERE l.status = 'failure') AS failed_requests,
        min(l.start_time) AS created_at,
        max(l.start_time) AS updated_at
      FROM spendlog.counted_logs l %4$s
      GROUP BY %3$s, l.start_time::date, l.api_key, l.model, l.model_group, l.provider
      $view$, daily.name, daily.of_whom, daily.from_what, daily.tags);
  END LOOP;
END
$$;

-- --- privileges

REVOKE ALL ON FUNCTION spendlog.counting_day(timestamp),
  spendlog.exclude_row(timestamp, uuid, text), spendlog.restore_row(timestamp, uuid, text)
  FROM PUBLIC;
GRANT EXECUTE ON FUNCTION spendlog.exclude_row(timestamp, uuid, text),
  spendlog.restore_row(timestamp, uuid, text) TO spendlog_repricer;
GRANT SELECT ON spendlog.exclusions, spendlog.excluded_rows, spendlog.counted_logs,
  spendlog.spend_entries, spendlog.spend_daily, spendlog.unpriced_models
  TO spendlog_writer, spendlog_repricer, spendlog_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA litellm
  TO spendlog_writer, spendlog_repricer, spendlog_reader;
