-- SPDX-License-Identifier: Apache-2.0
-- FinOps FOCUS: a line for each charge, meter and day. Quantity times unit price is the cost, exactly: lines have one
-- unit price each. What has no such price (a stated cost, a side of a row of version 0.1, an amount that was rounded)
-- is priced as it is, a quantity of 1. Corrections that were posted for a closed month are lines of the day on which
-- they count. What has no price at all is in no line: focus_unpriced counts it.
-- docs/focus.md says which state of the specification was followed.

SET LOCAL ROLE spendlog_owner;

DROP VIEW spendlog.focus_1_2;

-- --- who is who

CREATE TABLE spendlog.focus_providers (
  provider text CONSTRAINT focus_providers_pkey PRIMARY KEY,
  name text NOT NULL,
  host text NOT NULL
);
COMMENT ON TABLE spendlog.focus_providers IS 'Names of providers for FOCUS; who is not here is named as rows name him. Add your own';
COMMENT ON COLUMN spendlog.focus_providers.name IS 'who sells';
COMMENT ON COLUMN spendlog.focus_providers.host IS 'on whose machines it runs';
INSERT INTO spendlog.focus_providers (provider, name, host) VALUES
  ('openai', 'OpenAI', 'OpenAI'), ('anthropic', 'Anthropic', 'Anthropic'), ('azure', 'Microsoft', 'Microsoft'),
  ('azure_ai', 'Microsoft', 'Microsoft'), ('bedrock', 'AWS', 'AWS'), ('bedrock_converse', 'AWS', 'AWS'),
  ('bedrock_mantle', 'AWS', 'AWS'), ('sagemaker', 'AWS', 'AWS'), ('vertex_ai', 'Google Cloud', 'Google Cloud'),
  ('gemini', 'Google', 'Google'), ('cohere', 'Cohere', 'Cohere'), ('cohere_chat', 'Cohere', 'Cohere'),
  ('mistral', 'Mistral AI', 'Mistral AI'), ('groq', 'Groq', 'Groq'), ('xai', 'xAI', 'xAI'),
  ('deepseek', 'DeepSeek', 'DeepSeek'), ('together_ai', 'Together AI', 'Together AI'),
  ('fireworks_ai', 'Fireworks AI', 'Fireworks AI'), ('perplexity', 'Perplexity', 'Perplexity'),
  ('replicate', 'Replicate', 'Replicate'), ('databricks', 'Databricks', 'Databricks'), ('watsonx', 'IBM', 'IBM'),
  ('openrouter', 'OpenRouter', 'OpenRouter'), ('snowflake', 'Snowflake', 'Snowflake');

CREATE TABLE spendlog.focus_models (
  pattern text CONSTRAINT focus_models_pkey PRIMARY KEY,
  developer text NOT NULL,
  family text NOT NULL
);
COMMENT ON TABLE spendlog.focus_models IS 'Who made models whose name matches, for FOCUS 1.5; of several the longest pattern. Add your own';
COMMENT ON COLUMN spendlog.focus_models.pattern IS 'regular expression, case does not count';
INSERT INTO spendlog.focus_models (pattern, developer, family) VALUES
  ('\mclaude', 'Anthropic', 'Claude'), ('\m(gpt|chatgpt)-', 'OpenAI', 'GPT'), ('\mo[1-9](-|$)', 'OpenAI', 'o'),
  ('\m(text-embedding-(3|ada)|dall-e|whisper|tts-1|sora)', 'OpenAI', 'OpenAI'), ('\mgemini', 'Google', 'Gemini'),
  ('\mgemma', 'Google', 'Gemma'), ('\m(imagen|veo)', 'Google', 'Google'), ('\mllama', 'Meta', 'Llama'),
  ('\m(mistral|mixtral|codestral|ministral|pixtral|magistral|devstral|voxtral)', 'Mistral AI', 'Mistral'),
  ('\m(command|rerank|embed)-', 'Cohere', 'Command'), ('\mnova-', 'Amazon', 'Nova'), ('\mtitan-', 'Amazon', 'Titan'),
  ('\mgrok', 'xAI', 'Grok'), ('\mdeepseek', 'DeepSeek', 'DeepSeek'), ('\mqwen', 'Alibaba', 'Qwen'), ('\mphi-', 'Microsoft', 'Phi'),
  ('\mkimi', 'Moonshot AI', 'Kimi'), ('\mglm-', 'Z.ai', 'GLM'), ('\msonar', 'Perplexity', 'Sonar'), ('\mjamba', 'AI21', 'Jamba'),
  ('\mstable-', 'Stability AI', 'Stable Diffusion');

-- --- charges

-- The items of a row that are paid for, before and after what the contract takes off: a discount lies on all items in
-- proportion, to the last digit. Margins stay items. What is free has its tokens at a price of 0.
CREATE FUNCTION spendlog.focus_items(items text, pricing_status text, spend numeric, input_cost numeric,
  output_cost numeric, other_cost numeric, input_tokens bigint, output_tokens bigint, cache_read_tokens bigint,
  cache_write_tokens bigint, reasoning_tokens bigint)
RETURNS TABLE (unit text, quantity numeric, list numeric, contracted numeric)
LANGUAGE sql STABLE ROWS 3
BEGIN ATOMIC
  WITH all_of AS MATERIALIZED (
    SELECT i.unit, i.quantity, i.amount, i.unit IN ('margin', 'margin_fixed') AS apart
    FROM spendlog.items_of(focus_items.items, focus_items.pricing_status, focus_items.spend, focus_items.input_cost,
      focus_items.output_cost, focus_items.other_cost, focus_items.input_tokens, focus_items.output_tokens,
      focus_items.cache_read_tokens, focus_items.cache_write_tokens, focus_items.reasoning_tokens) i),
  off AS (SELECT sum(a.amount) AS off FROM all_of a WHERE a.unit = 'discount'),
  paid AS (
    SELECT a.unit, a.quantity, a.amount, a.apart, sum(a.amount) FILTER (WHERE NOT a.apart) OVER () AS whole,
      row_number() OVER (ORDER BY a.apart, a.amount DESC, a.unit) AS place
    FROM all_of a WHERE a.unit <> 'discount'),
  shared AS (
    SELECT p.*, CASE WHEN NOT p.apart AND p.whole <> 0 THEN round(o.off * p.amount / p.whole, 18) ELSE 0 END AS share, o.off
    FROM paid p CROSS JOIN off o WHERE o.off IS NOT NULL)
  SELECT p.unit, p.quantity, p.amount, p.amount FROM paid p CROSS JOIN off o WHERE o.off IS NULL
  UNION ALL
  SELECT s.unit, s.quantity, s.amount,
    s.amount + s.share + CASE WHEN s.place = 1 THEN s.off - sum(s.share) OVER () ELSE 0 END
  FROM shared s
  UNION ALL
  SELECT f.unit, f.quantity::numeric, 0, 0
  FROM (VALUES
    ('input_text_tokens', focus_items.input_tokens - coalesce(focus_items.cache_read_tokens, 0)
      - coalesce(focus_items.cache_write_tokens, 0)),
    ('cache_read_tokens', focus_items.cache_read_tokens), ('cache_write_tokens', focus_items.cache_write_tokens),
    ('output_text_tokens', focus_items.output_tokens - coalesce(focus_items.reasoning_tokens, 0)),
    ('reasoning_tokens', focus_items.reasoning_tokens)) AS f (unit, quantity)
  WHERE focus_items.items IS NULL AND focus_items.pricing_status = 'free' AND f.quantity > 0;
END;

-- A line for each day of the zone, attribution, meter and unit price, of calls in [since, until) (UTC). Corrections have
-- no meter. An amount without a unit price is 1 (of what was taken off: -1) times itself: no unit price is below 0.
CREATE FUNCTION spendlog.focus_charges(since timestamp, until timestamp, in_zone text)
RETURNS TABLE (day date, zone text, provider text, model text, model_group text, model_id text, call_type text,
  region text, service_tier text, api_key text, api_key_alias text, user_id text, team_id text, team_alias text,
  organization_id text, request_tags text[], pricing_status text, unit text, correction boolean, calls bigint,
  consumed numeric, by_unit boolean, priced numeric, list numeric, contracted numeric, list_price numeric,
  contracted_price numeric)
LANGUAGE sql STABLE
AS $$
  SELECT c.day, focus_charges.in_zone, c.provider, c.model, c.model_group, c.model_id, c.call_type, c.region, c.service_tier,
    c.api_key, c.api_key_alias, c.user_id, c.team_id, c.team_alias, c.organization_id, c.request_tags, c.pricing_status,
    c.unit, false, count(*), sum(c.quantity), c.list_price IS NOT NULL,
    CASE WHEN c.list_price IS NOT NULL THEN sum(c.quantity) WHEN sum(c.list) < 0 THEN -1 ELSE 1 END,
    sum(c.list), sum(c.contracted), coalesce(c.list_price, abs(sum(c.list))),
    coalesce(c.contracted_price, abs(sum(c.contracted)))
  FROM (
    SELECT (l.start_time AT TIME ZONE 'UTC' AT TIME ZONE focus_charges.in_zone)::date AS day,
      coalesce(l.provider, '') AS provider, coalesce(l.model, '') AS model, coalesce(l.model_group, '') AS model_group,
      coalesce(l.model_id, '') AS model_id, coalesce(l.call_type, '') AS call_type,
      coalesce(l.usage ->> 'region', '') AS region, coalesce(l.service_tier, '') AS service_tier, l.api_key, l.api_key_alias,
      l.user_id, l.team_id, l.team_alias, l.organization_id, l.request_tags, l.pricing_status, i.unit, i.quantity, i.list,
      i.contracted, CASE WHEN p.exact THEN p.list_price END AS list_price,
      CASE WHEN p.exact THEN p.contracted_price END AS contracted_price
    FROM spendlog.spend_logs l
    LEFT JOIN (SELECT e.start_time, e.identity FROM spendlog.exclusions e WHERE e.counts_on = e.start_time::date
               GROUP BY 1, 2 HAVING sum(CASE e.action WHEN 'exclude' THEN 1 ELSE -1 END) > 0) x
      ON x.start_time = l.start_time AND x.identity = l.identity
    CROSS JOIN LATERAL spendlog.focus_items(l.items, l.pricing_status, l.spend, l.input_cost, l.output_cost, l.other_cost,
      l.input_tokens, l.output_tokens, l.cache_read_tokens, l.cache_write_tokens, l.reasoning_tokens) i
    CROSS JOIN LATERAL (SELECT trim_scale(round(i.list / nullif(i.quantity, 0), 24)) AS list_price,
      trim_scale(round(i.contracted / nullif(i.quantity, 0), 24)) AS contracted_price) q
    CROSS JOIN LATERAL (SELECT q.list_price, q.contracted_price, i.unit <> 'stated_cost' AND q.list_price >= 0
      AND q.contracted_price >= 0 AND q.list_price * i.quantity = i.list
      AND q.contracted_price * i.quantity = i.contracted AS exact) p
    WHERE l.pricing_status <> 'unpriced' AND x.identity IS NULL
      AND l.start_time >= focus_charges.since AND l.start_time < focus_charges.until) c
  GROUP BY c.day, c.provider, c.model, c.model_group, c.model_id, c.call_type, c.region, c.service_tier, c.api_key,
    c.api_key_alias, c.user_id, c.team_id, c.team_alias, c.organization_id, c.request_tags, c.pricing_status, c.unit,
    c.list_price, c.contracted_price
  UNION ALL
  SELECT e.day, focus_charges.in_zone, coalesce(l.provider, ''), coalesce(l.model, ''), coalesce(l.model_group, ''),
    coalesce(l.model_id, ''), coalesce(l.call_type, ''), coalesce(l.usage ->> 'region', ''), coalesce(l.service_tier, ''),
    coalesce(l.api_key, ''), coalesce(l.api_key_alias, ''), coalesce(l.user_id, ''), coalesce(l.team_id, ''),
    coalesce(l.team_alias, ''), coalesce(l.organization_id, ''), coalesce(l.request_tags, '{}'), 'priced', NULL, true, 0,
    NULL, NULL, NULL, sum(e.spend), sum(e.spend), NULL, NULL
  FROM (
    SELECT (a.posted_on::timestamp AT TIME ZONE 'UTC' AT TIME ZONE focus_charges.in_zone)::date AS day, a.start_time, a.identity,
      coalesce(a.new_spend, 0) - coalesce(a.old_spend, 0) AS spend
    FROM spendlog.spend_adjustments a
    WHERE a.kind = 'posted' AND a.posted_on >= focus_charges.since AND a.posted_on < focus_charges.until
    UNION ALL
    SELECT (x.counts_on::timestamp AT TIME ZONE 'UTC' AT TIME ZONE focus_charges.in_zone)::date, x.start_time, x.identity, x.spend
    FROM spendlog.exclusions x
    WHERE x.counts_on <> x.start_time::date AND x.counts_on >= focus_charges.since AND x.counts_on < focus_charges.until) e
  LEFT JOIN spendlog.spend_logs l ON l.start_time = e.start_time AND l.identity = e.identity
  WHERE e.spend <> 0
  GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16
$$;
COMMENT ON FUNCTION spendlog.focus_charges(timestamp, timestamp, text) IS
  'Charges per meter, unit price and day of the zone, of calls in [since, until) (UTC): what the views of FOCUS show';

-- --- words

CREATE FUNCTION spendlog.focus_time(at timestamp) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN to_char(at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"');
COMMENT ON FUNCTION spendlog.focus_time(timestamp) IS 'A time (UTC) as FOCUS writes it';

CREATE FUNCTION spendlog.focus_begin(day timestamp, zone text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN spendlog.focus_time(spendlog.moment_of(day, zone));
COMMENT ON FUNCTION spendlog.focus_begin(timestamp, text) IS 'The beginning of a day of a time zone as FOCUS writes it';

CREATE FUNCTION spendlog.focus_unit(unit text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN unit ~ '_tokens$' THEN 'Tokens' WHEN unit ~ 'characters$' THEN 'Characters' WHEN unit ~ 'images$' THEN 'Images'
  WHEN unit ~ 'pixels$' THEN 'Pixels' WHEN unit ~ 'seconds$' THEN 'Seconds' WHEN unit ~ 'quer(y|ies)$' THEN 'Queries'
  WHEN unit ~ 'pages$' THEN 'Pages' WHEN unit = 'credits' THEN 'Credits' WHEN unit ~ 'searches$' THEN 'Searches'
  WHEN unit ~ 'opens$' THEN 'Opens' ELSE 'Calls' END;
COMMENT ON FUNCTION spendlog.focus_unit(text) IS 'What a unit of charge_units is counted in';

CREATE FUNCTION spendlog.focus_sku_details(model text, unit text, service_tier text) RETURNS jsonb
LANGUAGE sql STABLE
RETURN (SELECT jsonb_strip_nulls(jsonb_build_object(
    'ModelDeveloper', max(m.developer), 'ModelFamily', max(m.family), 'ModelId', nullif(model, ''),
    'ModelVersion', (regexp_match(model, '([0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{8}|(?<=-)[0-9]{3,4}(?=$|[:@]))'))[1],
    'TokenCacheAction', CASE WHEN unit ~ '^cache_read.*_tokens$' THEN 'Read' WHEN unit ~ '^cache_write.*_tokens$' THEN 'Write'
      WHEN unit ~ '^input_.*_tokens$' THEN 'Uncached' END,
    'TokenDirection', CASE WHEN unit ~ '^(output_|reasoning_).*tokens$' THEN 'Output'
      WHEN unit ~ '^(input_|cache_).*_tokens$' THEN 'Input' END,
    'x_ServiceTier', nullif(service_tier, ''), 'x_TokenType', CASE WHEN unit ~ '_tokens$' THEN unit END))
  FROM (SELECT f.developer, f.family FROM spendlog.focus_models f WHERE model ~* f.pattern
        ORDER BY length(f.pattern) DESC, f.pattern LIMIT 1) m);
COMMENT ON FUNCTION spendlog.focus_sku_details(text, text, text) IS 'SkuPriceDetails of FOCUS 1.5';

-- Rows and cost maps name the provider in a model or do not, in large and small letters.
CREATE FUNCTION spendlog.focus_sku(provider text, model text, unit text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN lower(provider || '/' || CASE WHEN starts_with(lower(model), lower(provider) || '/')
  THEN substr(model, length(provider) + 2) ELSE model END) || '/' || unit;
COMMENT ON FUNCTION spendlog.focus_sku(text, text, text) IS 'SkuId: who sells which model, and what of it is counted';

CREATE FUNCTION spendlog.focus_tags(request_tags text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (SELECT coalesce(jsonb_object_agg(t.tag, true), '{}') FROM unnest(request_tags) AS t (tag) WHERE t.tag IS NOT NULL);
COMMENT ON FUNCTION spendlog.focus_tags(text[]) IS 'Tags as an object: ours have no values, so each is true';

-- --- the datasets

-- Columns of the datasets, each as it is said of a line c of focus_charges() and its provider p; in which versions.
CREATE FUNCTION spendlog.focus_columns() RETURNS TABLE (place bigint, name text, versions text[], said text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
  SELECT row_number() OVER (), v.* FROM (VALUES
    ('BilledCost', ARRAY['1.2', '1.5'], 'trim_scale(c.contracted)'),
    ('BillingAccountId', ARRAY['1.2', '1.5'], 'coalesce(nullif(c.organization_id, ''''), ''spendlog'')'),
    ('BillingAccountName', ARRAY['1.2', '1.5'], 'nullif(c.organization_id, '''')'),
    ('BillingCurrency', ARRAY['1.2', '1.5'], '''USD''::text'),
    ('BillingPeriodEnd', ARRAY['1.2', '1.5'],
      'spendlog.focus_begin(date_trunc(''month'', c.day::timestamp) + interval ''1 month'', c.zone)'),
    ('BillingPeriodStart', ARRAY['1.2', '1.5'],
      'spendlog.focus_begin(date_trunc(''month'', c.day::timestamp), c.zone)'),
    ('ChargeCategory', ARRAY['1.2', '1.5'], '''Usage''::text'),
    ('ChargeClass', ARRAY['1.2', '1.5'], 'CASE WHEN c.correction THEN ''Correction'' END'),
    ('ChargeDescription', ARRAY['1.2', '1.5'],
      'concat_ws('' '', nullif(c.call_type, ''''), nullif(c.model, ''''), coalesce(c.unit, ''correction of a '
      'closed month''))'),
    ('ChargeFrequency', ARRAY['1.2', '1.5'], '''Usage-Based''::text'),
    ('ChargePeriodEnd', ARRAY['1.2', '1.5'], 'spendlog.focus_begin((c.day + 1)::timestamp, c.zone)'),
    ('ChargePeriodStart', ARRAY['1.2', '1.5'], 'spendlog.focus_begin(c.day::timestamp, c.zone)'),
    ('ConsumedQuantity', ARRAY['1.2', '1.5'],
      'CASE WHEN NOT c.correction THEN trim_scale(coalesce(CASE WHEN c.unit <> ''stated_cost'' THEN c.consumed '
      'END, c.calls)) END'),
    ('ConsumedUnit', ARRAY['1.2', '1.5'],
      'CASE WHEN NOT c.correction THEN CASE WHEN c.consumed IS NULL THEN ''Calls'' ELSE '
      'spendlog.focus_unit(c.unit) END END'),
    ('ContractedCost', ARRAY['1.2', '1.5'], 'trim_scale(c.contracted)'),
    ('ContractedUnitPrice', ARRAY['1.2', '1.5'], 'trim_scale(c.contracted_price)'),
    ('CredentialId', ARRAY['1.5'], 'nullif(c.api_key, '''')'),
    ('EffectiveCost', ARRAY['1.2', '1.5'], 'trim_scale(c.contracted)'),
    ('HostProviderName', ARRAY['1.5'], 'coalesce(p.host, nullif(c.provider, ''''), ''unknown'')'),
    ('InvoiceIssuerName', ARRAY['1.2', '1.5'], 'coalesce(p.name, nullif(c.provider, ''''), ''unknown'')'),
    ('ListCost', ARRAY['1.2', '1.5'], 'trim_scale(c.list)'),
    ('ListUnitPrice', ARRAY['1.2', '1.5'], 'trim_scale(c.list_price)'),
    ('PricingCategory', ARRAY['1.2', '1.5'],
      'CASE WHEN c.correction THEN NULL WHEN c.pricing_status = ''reported'' THEN ''Other'' ELSE ''Standard'' '
      'END'),
    ('PricingQuantity', ARRAY['1.2', '1.5'], 'trim_scale(c.priced)'),
    ('PricingUnit', ARRAY['1.2', '1.5'],
      'CASE WHEN NOT c.correction THEN CASE WHEN c.by_unit THEN spendlog.focus_unit(c.unit) ELSE ''Charges'' '
      'END END'),
    ('PrincipalId', ARRAY['1.5'], 'nullif(c.user_id, '''')'),
    ('ProviderName', ARRAY['1.2'], 'coalesce(p.name, nullif(c.provider, ''''), ''unknown'')'),
    ('PublisherName', ARRAY['1.2'], 'coalesce(p.name, nullif(c.provider, ''''), ''unknown'')'),
    ('RegionId', ARRAY['1.2', '1.5'], 'nullif(c.region, '''')'),
    ('RegionName', ARRAY['1.2', '1.5'], 'nullif(c.region, '''')'),
    ('ResourceId', ARRAY['1.2', '1.5'], 'coalesce(nullif(c.model_id, ''''), nullif(c.model, ''''))'),
    ('ResourceName', ARRAY['1.2', '1.5'],
      'CASE WHEN coalesce(nullif(c.model_id, ''''), c.model) <> '''' THEN coalesce(nullif(c.model_group, ''''), '
      'nullif(c.model, '''')) END'),
    ('ResourceType', ARRAY['1.2', '1.5'],
      'CASE WHEN coalesce(nullif(c.model_id, ''''), c.model) <> '''' THEN ''Model'' END'),
    ('ServiceCategory', ARRAY['1.2', '1.5'], '''AI and Machine Learning''::text'),
    ('ServiceName', ARRAY['1.2', '1.5'], 'coalesce(p.name, nullif(c.provider, ''''), ''unknown'') || '' models'''),
    ('ServiceProviderName', ARRAY['1.5'], 'coalesce(p.name, nullif(c.provider, ''''), ''unknown'')'),
    ('ServiceSubcategory', ARRAY['1.2', '1.5'], '''Generative AI''::text'),
    ('SkuId', ARRAY['1.2', '1.5'], 'spendlog.focus_sku(c.provider, c.model, c.unit)'),
    ('SkuMeter', ARRAY['1.2', '1.5'], 'c.unit'),
    ('SkuPriceDetails', ARRAY['1.2'],
      'CASE WHEN c.unit IS NOT NULL THEN jsonb_strip_nulls(jsonb_build_object(''x_Model'', nullif(c.model, '
      '''''), ''x_ServiceTier'', nullif(c.service_tier, ''''), ''x_TokenType'', CASE WHEN c.unit ~ ''_tokens$'' '
      'THEN c.unit END)) END'),
    ('SkuPriceDetails', ARRAY['1.5'],
      'CASE WHEN c.unit IS NOT NULL THEN spendlog.focus_sku_details(c.model, c.unit, c.service_tier) END'),
    ('SkuPriceId', ARRAY['1.2', '1.5'],
      'spendlog.focus_sku(c.provider, c.model, c.unit) || CASE WHEN c.by_unit THEN ''@'' || '
      'trim_scale(c.list_price) ELSE '''' END'),
    ('SubAccountId', ARRAY['1.2', '1.5'], 'nullif(c.team_id, '''')'),
    ('SubAccountName', ARRAY['1.2', '1.5'], 'CASE WHEN c.team_id <> '''' THEN nullif(c.team_alias, '''') END'),
    ('Tags', ARRAY['1.2', '1.5'], 'spendlog.focus_tags(c.request_tags)'),
    ('x_ApiKeyId', ARRAY['1.2'], 'nullif(c.api_key, '''')'),
    ('x_ApiKeyName', ARRAY['1.2', '1.5'], 'nullif(c.api_key_alias, '''')'),
    ('x_Calls', ARRAY['1.2', '1.5'], 'c.calls'),
    ('x_PricingStatus', ARRAY['1.2', '1.5'], 'c.pricing_status'),
    ('x_UserId', ARRAY['1.2'], 'nullif(c.user_id, '''')')) AS v (name, versions, said)
$$;

-- The query of a dataset, for the calls in [since, until) (UTC) alone, by days of the zone.
CREATE FUNCTION spendlog.focus_query(version text, since timestamp, until timestamp, zone text) RETURNS text
LANGUAGE sql STABLE STRICT
RETURN (SELECT format('SELECT %s FROM spendlog.focus_charges(%L::timestamp, %L::timestamp, %L) c '
                      'LEFT JOIN spendlog.focus_providers p ON p.provider = c.provider',
                      string_agg(format('%s AS %I', f.said, f.name), ', ' ORDER BY f.place), since, until, zone)
        FROM spendlog.focus_columns() f WHERE version = ANY (f.versions) HAVING count(*) > 0);
COMMENT ON FUNCTION spendlog.focus_query(text, timestamp, timestamp, text) IS
  'SELECT of FOCUS 1.2 or 1.5 for calls in [since, until) (UTC) by days of a time zone; NULL: there is no such version';

DO $$
BEGIN
  EXECUTE 'CREATE VIEW spendlog.focus_1_2 WITH (security_invoker = true) AS '
    || spendlog.focus_query('1.2', '-infinity', 'infinity', 'UTC');
  EXECUTE 'CREATE VIEW spendlog.focus_1_5 WITH (security_invoker = true) AS '
    || spendlog.focus_query('1.5', '-infinity', 'infinity', 'UTC');
END
$$;
COMMENT ON VIEW spendlog.focus_1_2 IS
  'Cost and usage in the columns of FinOps FOCUS 1.2: per charge, meter and day (UTC), US dollars. All of it: spendlog report --format focus for a month';
COMMENT ON VIEW spendlog.focus_1_5 IS 'The same in those of the working draft of FOCUS 1.5 (docs/focus.md)';

CREATE VIEW spendlog.focus_unpriced WITH (security_invoker = true) AS
SELECT s.day, s.provider, s.model, s.pricing_reason,
  sum(s.calls)::bigint AS calls, CASE WHEN sum(s.gateway_calls) <> 0 THEN sum(s.gateway_cost) END AS gateway_cost
FROM spendlog.looked_at s
WHERE s.level = 'open' AND s.pricing_status = 'unpriced'
GROUP BY 1, 2, 3, 4
HAVING sum(s.calls) <> 0;
COMMENT ON VIEW spendlog.focus_unpriced IS 'Calls per day (UTC) that the views of FOCUS leave out because no price is known';

-- --- prices

-- What a price of the cost map is for, by the longest of these that its key is or begins with before a "_": tiers,
-- thresholds and resolutions follow. None: it is of no call, or not in US dollars, or no formula reads it.
CREATE TABLE spendlog.focus_price_keys (
  key text CONSTRAINT focus_price_keys_pkey PRIMARY KEY,
  unit text CONSTRAINT focus_price_keys_unit REFERENCES spendlog.charge_units (unit)
);
COMMENT ON TABLE spendlog.focus_price_keys IS 'Which unit of charge_units a key of the cost map prices, for the SKU Price dataset of FOCUS 1.5';
INSERT INTO spendlog.focus_price_keys (key, unit) VALUES
  ('input_cost_per_token', 'input_text_tokens'), ('output_cost_per_token', 'output_text_tokens'),
  ('cache_read_input_token_cost', 'cache_read_tokens'), ('explicit_cache_read_input_token_cost', 'cache_read_tokens'),
  ('cache_creation_input_token_cost', 'cache_write_tokens'),
  ('cache_creation_input_token_cost_above_1hr', 'cache_write_1h_tokens'),
  ('cache_creation_input_token_cost_above_12hr', 'cache_write_12h_tokens'),
  ('cache_read_input_audio_token_cost', 'cache_read_audio_tokens'),
  ('cache_read_input_image_token_cost', 'cache_read_image_tokens'),
  ('input_cost_per_audio_token', 'input_audio_tokens'), ('input_cost_per_image_token', 'input_image_tokens'),
  ('input_cost_per_video_token', 'input_video_tokens'), ('output_cost_per_audio_token', 'output_audio_tokens'),
  ('output_cost_per_image_token', 'output_image_tokens'), ('output_cost_per_video_token', 'output_video_tokens'),
  ('output_cost_per_reasoning_token', 'reasoning_tokens'), ('citation_cost_per_token', 'citation_tokens'),
  ('cost_per_second', 'seconds'), ('input_cost_per_second', 'input_seconds'), ('output_cost_per_second', 'output_seconds'),
  ('input_cost_per_audio_per_second', 'input_audio_seconds'), ('input_cost_per_video_per_second', 'input_video_seconds'),
  ('output_cost_per_video_per_second', 'output_video_seconds'), ('input_cost_per_character', 'input_characters'),
  ('output_cost_per_character', 'output_characters'), ('input_cost_per_image', 'input_images'),
  ('output_cost_per_image', 'output_images'), ('input_cost_per_pixel', 'input_pixels'),
  ('output_cost_per_pixel', 'output_pixels'), ('input_cost_per_query', 'input_queries'), ('cost_per_query', 'calls'),
  ('search_queries_cost_per_query', 'web_searches'),
  ('ocr_cost_per_page', 'pages'), ('annotation_cost_per_page', 'annotation_pages'), ('ocr_cost_per_credit', 'credits'),
  ('google_maps_grounding_cost_per_query', 'maps_queries'),
  ('input_cost_per_token_cache_hit', NULL), ('input_cost_per_image_above_128k_tokens', NULL),
  ('input_cost_per_audio_per_second_above', NULL), ('input_cost_per_video_per_second_above', NULL);

CREATE FUNCTION spendlog.focus_price_unit(key text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (SELECT k.unit FROM spendlog.focus_price_keys k WHERE starts_with(focus_price_unit.key || '_', k.key || '_')
        ORDER BY length(k.key) DESC LIMIT 1);
COMMENT ON FUNCTION spendlog.focus_price_unit(text) IS 'The unit that a key of the cost map prices; NULL: none that a call is charged by';

-- The prices of the newest book. A cost map holds from its date to the date of the next one.
CREATE VIEW spendlog.focus_1_5_sku_price WITH (security_invoker = true) AS
WITH maps AS MATERIALIZED (
  SELECT b.stored_at, c.map -> 'models' AS models, (c.map ->> 'from_us')::numeric AS from_us
  FROM (SELECT n.book, n.stored_at FROM spendlog.price_books n ORDER BY n.price_book_id DESC LIMIT 1) b
  CROSS JOIN LATERAL json_array_elements(b.book -> 'cost_maps') AS c (map)),
dated AS MATERIALIZED (
  SELECT m.stored_at, m.models,
    CASE WHEN m.from_us > -1e18 THEN timestamp '1970-01-01' + m.from_us::bigint * interval '1 microsecond' END AS since,
    timestamp '1970-01-01' + (lead(m.from_us) OVER (ORDER BY m.from_us))::bigint * interval '1 microsecond' AS until
  FROM maps m),
models AS MATERIALIZED (
  SELECT d.stored_at, d.since, d.until, e.key AS model, e.value AS rates, e.value ->> 'litellm_provider' AS provider
  FROM dated d CROSS JOIN LATERAL json_each(d.models) AS e WHERE json_typeof(e.value) = 'object'),
units AS MATERIALIZED (
  SELECT k.key, spendlog.focus_price_unit(k.key) AS unit
  FROM (SELECT DISTINCT p.key FROM models m CROSS JOIN LATERAL json_each(m.rates) AS p
        WHERE json_typeof(p.value) = 'number') k),
prices AS (
  SELECT m.provider, u.unit, spendlog.focus_sku(m.provider, m.model, u.unit) AS sku,
    trim_scale((p.value #>> '{}')::numeric) AS price, m.stored_at, m.since, m.until,
    string_agg(m.model || ': ' || p.key, ', ' ORDER BY m.model, p.key) AS keys
  FROM models m
  CROSS JOIN LATERAL json_each(m.rates) AS p
  JOIN units k ON k.key = p.key
  CROSS JOIN LATERAL (VALUES (k.unit), (CASE WHEN k.unit = 'output_text_tokens'
    AND m.rates -> 'output_cost_per_reasoning_token' IS NULL THEN 'reasoning_tokens' END)) AS u (unit)
  WHERE json_typeof(p.value) = 'number' AND m.provider IS NOT NULL AND u.unit IS NOT NULL
  GROUP BY 1, 2, 3, 4, 5, 6, 7)
SELECT 'Usage'::text AS "ChargeCategory", NULL::text AS "ContractId", 'USD'::text AS "PricingCurrency",
  'National'::text AS "PricingCurrencyCategory", NULL::text AS "PricingRegionId",
  coalesce(f.name, m.provider) || ' models' AS "PricingServiceName", spendlog.focus_unit(m.unit) AS "PricingUnit",
  coalesce(f.name, m.provider) AS "ServiceProviderName", m.sku AS "SkuId",
  spendlog.focus_time(m.stored_at) AS "SkuPriceCreated", m.keys AS "SkuPriceDescription",
  spendlog.focus_time(m.until) AS "SkuPriceEffectiveEnd", spendlog.focus_time(m.since) AS "SkuPriceEffectiveStart",
  '{"IsGlobalScope": true}'::jsonb AS "SkuPriceEligibility", m.sku || '@' || m.price AS "SkuPriceId",
  spendlog.focus_time(m.stored_at) AS "SkuPriceLastUpdated", m.price AS "UnitPrice", 'List'::text AS "UnitPriceType"
FROM prices m
LEFT JOIN spendlog.focus_providers f ON f.provider = m.provider;
COMMENT ON VIEW spendlog.focus_1_5_sku_price IS 'SKU Price dataset as of the working draft of FOCUS 1.5: list prices of the newest price book (docs/focus.md)';

DO $$
BEGIN
  EXECUTE (SELECT string_agg(format('REVOKE ALL ON FUNCTION %1$s FROM PUBLIC; '
      'GRANT EXECUTE ON FUNCTION %1$s TO spendlog_writer, spendlog_repricer, spendlog_reader', p.oid::regprocedure), '; ')
    FROM pg_proc p WHERE p.pronamespace = 'spendlog'::regnamespace AND p.proname LIKE 'focus\_%');
END
$$;
GRANT SELECT ON spendlog.focus_1_2, spendlog.focus_1_5, spendlog.focus_unpriced, spendlog.focus_1_5_sku_price,
  spendlog.focus_providers, spendlog.focus_models, spendlog.focus_price_keys TO spendlog_writer, spendlog_repricer, spendlog_reader;
