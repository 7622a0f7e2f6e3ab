-- SPDX-License-Identifier: Apache-2.0
-- What a charge is made of, kept with the row: stored_rows.items, a short text of what the other columns do not
-- say (store/row_items.h has its form), NULL for most rows. spend_items shows every item, quantity and amount,
-- to the last digit; the items of a row add up to its spend.
--
-- Rows that are there have '?', without being written: the default of the column when it is added.

SET LOCAL ROLE spendlog_owner;

-- core/units.def has the same; a unit that is added there is added here by a migration.
CREATE TABLE spendlog.charge_units (
  code text CONSTRAINT charge_units_pkey PRIMARY KEY,
  unit text NOT NULL CONSTRAINT charge_units_unit_key UNIQUE,
  side text NOT NULL CONSTRAINT charge_units_side CHECK (side IN ('input', 'output', 'other'))
);
COMMENT ON TABLE spendlog.charge_units IS 'What charges are made of';
COMMENT ON COLUMN spendlog.charge_units.code IS 'in stored_rows.items';
COMMENT ON COLUMN spendlog.charge_units.side IS 'of input_cost, output_cost or other_cost';
INSERT INTO spendlog.charge_units (code, unit, side) VALUES
  ('i', 'input_text_tokens', 'input'),
  ('a', 'input_audio_tokens', 'input'),
  ('p', 'input_image_tokens', 'input'),
  ('v', 'input_video_tokens', 'input'),
  ('r', 'cache_read_tokens', 'input'),
  ('b', 'cache_read_audio_tokens', 'input'),
  ('d', 'cache_read_image_tokens', 'input'),
  ('w', 'cache_write_tokens', 'input'),
  ('h', 'cache_write_1h_tokens', 'input'),
  ('e', 'cache_write_12h_tokens', 'input'),
  ('c', 'input_characters', 'input'),
  ('m', 'input_images', 'input'),
  ('f', 'input_pixels', 'input'),
  ('n', 'input_seconds', 'input'),
  ('j', 'input_audio_seconds', 'input'),
  ('l', 'input_video_seconds', 'input'),
  ('u', 'input_queries', 'input'),
  ('s', 'seconds', 'input'),
  ('g', 'pages', 'input'),
  ('x', 'annotation_pages', 'input'),
  ('q', 'credits', 'input'),
  ('k', 'calls', 'input'),
  ('y', 'citation_tokens', 'input'),
  ('o', 'output_text_tokens', 'output'),
  ('A', 'output_audio_tokens', 'output'),
  ('P', 'output_image_tokens', 'output'),
  ('V', 'output_video_tokens', 'output'),
  ('t', 'reasoning_tokens', 'output'),
  ('C', 'output_characters', 'output'),
  ('I', 'output_images', 'output'),
  ('z', 'output_pixels', 'output'),
  ('N', 'output_seconds', 'output'),
  ('B', 'output_video_seconds', 'output'),
  ('S', 'web_searches', 'other'),
  ('E', 'maps_queries', 'other'),
  ('H', 'file_searches', 'other'),
  ('J', 'browser_opens', 'other'),
  ('K', 'image_tool_images', 'other'),
  ('L', 'image_tool_tokens', 'other'),
  ('O', 'router_tokens', 'other'),
  ('Q', 'transcription_seconds', 'other'),
  ('R', 'transcription_text_tokens', 'other'),
  ('T', 'transcription_audio_tokens', 'other'),
  ('U', 'transcription_output_tokens', 'other'),
  ('W', 'session_seconds', 'other'),
  ('Y', 'translated_seconds', 'other'),
  ('X', 'stated_cost', 'other'),
  ('D', 'discount', 'other'),
  ('M', 'margin', 'other'),
  ('F', 'margin_fixed', 'other'),
  ('G', 'guardrail', 'other');

ALTER TABLE spendlog.stored_rows ADD COLUMN
  items text DEFAULT '?';
ALTER TABLE spendlog.stored_rows ALTER COLUMN items DROP DEFAULT;
COMMENT ON COLUMN spendlog.stored_rows.items IS 'items of the charge that other columns do not say; NULL: none; ?: not known. spend_items reads it';
ALTER TABLE spendlog.spend_adjustments ADD COLUMN new_items text DEFAULT '?';
ALTER TABLE spendlog.spend_adjustments ALTER COLUMN new_items DROP DEFAULT;
COMMENT ON COLUMN spendlog.spend_adjustments.new_items IS 'items of the row after, as in stored_rows; ?: not known (version 0.1)';

-- What pricing makes of a row, and its name in an adjustment.
CREATE OR REPLACE FUNCTION spendlog.priced_columns() RETURNS TABLE (name name, adjusted name)
LANGUAGE sql IMMUTABLE
AS $$
  VALUES ('spend', 'new_spend'), ('input_cost', 'new_input_cost'), ('output_cost', 'new_output_cost'),
    ('other_cost', 'new_other_cost'), ('pricing_status', 'new_status'), ('pricing_reason', 'new_reason'),
    ('price_book_id', 'new_price_book_id'), ('flags', 'new_flags'), ('items', 'new_items')
$$;

-- As before, with items at the end.
CREATE OR REPLACE VIEW spendlog.spend_logs WITH (security_invoker = true) AS
SELECT
  s.start_time, s.identity, s.batch_id, s.partition_id, s.kafka_offset, s.content_hash, s.end_time,
  s.first_token_time, s.input_tokens, s.output_tokens, s.total_tokens, s.cache_read_tokens,
  s.cache_write_tokens, s.reasoning_tokens, s.status_code, s.price_book_id, s.record_index, s.flags,
  s.cache_hit, s.stream, s.spend, s.input_cost, s.output_cost, s.other_cost, s.gateway_cost,
  s.pricing_status, coalesce(s.pricing_reason, '') AS pricing_reason,
  coalesce(s.provider, c.provider) AS provider, coalesce(s.model, c.model) AS model,
  coalesce(s.model_requested, c.model_requested) AS model_requested,
  coalesce(s.model_group, c.model_group) AS model_group, coalesce(s.model_id, c.model_id) AS model_id,
  coalesce(s.call_type, c.call_type) AS call_type, coalesce(s.status, c.status) AS status,
  coalesce(s.service_tier, c.service_tier) AS service_tier, s.request_id,
  coalesce(s.call_uuid::text, s.call_id, '') AS call_id,
  coalesce(s.trace_uuid::text, s.trace_id, '') AS trace_id, s.session_id,
  coalesce(s.api_key, k.api_key, '') AS api_key,
  coalesce(s.api_key_alias, k.api_key_alias, '') AS api_key_alias,
  coalesce(s.user_id, k.user_id, '') AS user_id, coalesce(s.team_id, k.team_id, '') AS team_id,
  coalesce(s.team_alias, k.team_alias, '') AS team_alias,
  coalesce(s.organization_id, k.organization_id, '') AS organization_id, s.end_user,
  coalesce(s.requester_ip, '') AS requester_ip, coalesce(s.error_class, '') AS error_class,
  coalesce(s.mapping, c.mapping) AS mapping, coalesce(s.time_source, c.time_source) AS time_source,
  coalesce(s.request_tags, k.request_tags, '{}') AS request_tags,
  coalesce(s.metadata, s.metadata_text::jsonb) AS metadata,
  coalesce(s.usage, s.usage_text::jsonb || c.usage_text::jsonb, s.usage_text::jsonb, c.usage_text::jsonb) AS usage,
  s.items
FROM spendlog.stored_rows s
LEFT JOIN spendlog.shared_calls c ON c.call_no = s.call_no
LEFT JOIN spendlog.shared_callers k ON k.caller_no = s.caller_no;
COMMENT ON COLUMN spendlog.spend_logs.items IS 'items of the charge that other columns do not say; spend_items reads it';

-- As before. What a hand writes has items that nobody knows.
CREATE OR REPLACE FUNCTION spendlog.spend_logs_written() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO spendlog.stored_rows (
    start_time, identity, batch_id, partition_id, kafka_offset, content_hash, end_time, first_token_time,
    input_tokens, output_tokens, total_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens,
    status_code, price_book_id, record_index, flags, cache_hit, stream, spend, input_cost, output_cost,
    other_cost, gateway_cost, pricing_status, pricing_reason, provider, model, model_requested,
    model_group, model_id, call_type, status, service_tier, request_id, call_id, trace_id, session_id,
    api_key, api_key_alias, user_id, team_id, team_alias, organization_id, end_user, requester_ip,
    error_class, mapping, time_source, request_tags, metadata, usage, items)
    VALUES (
    NEW.start_time, NEW.identity, NEW.batch_id, NEW.partition_id, NEW.kafka_offset, NEW.content_hash,
    NEW.end_time, NEW.first_token_time, NEW.input_tokens, NEW.output_tokens, NEW.total_tokens,
    NEW.cache_read_tokens, NEW.cache_write_tokens, NEW.reasoning_tokens, NEW.status_code,
    NEW.price_book_id, NEW.record_index, NEW.flags, NEW.cache_hit, NEW.stream, NEW.spend, NEW.input_cost,
    NEW.output_cost, NEW.other_cost, NEW.gateway_cost, NEW.pricing_status, NEW.pricing_reason,
    NEW.provider, NEW.model, NEW.model_requested, NEW.model_group, NEW.model_id, NEW.call_type, NEW.status,
    NEW.service_tier, coalesce(NEW.request_id, ''), NEW.call_id, NEW.trace_id,
    coalesce(NEW.session_id, ''), NEW.api_key, NEW.api_key_alias, NEW.user_id, NEW.team_id, NEW.team_alias,
    NEW.organization_id, coalesce(NEW.end_user, ''), NEW.requester_ip, NEW.error_class, NEW.mapping,
    NEW.time_source, NEW.request_tags, NEW.metadata, NEW.usage, coalesce(NEW.items, '?'));
    RETURN NEW;
  ELSIF TG_OP = 'UPDATE' THEN
    UPDATE spendlog.stored_rows s SET (
    start_time, identity, batch_id, partition_id, kafka_offset, content_hash, end_time, first_token_time,
    input_tokens, output_tokens, total_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens,
    status_code, price_book_id, record_index, flags, cache_hit, stream, spend, input_cost, output_cost,
    other_cost, gateway_cost, pricing_status, pricing_reason, provider, model, model_requested,
    model_group, model_id, call_type, status, service_tier, request_id, call_id, trace_id, session_id,
    api_key, api_key_alias, user_id, team_id, team_alias, organization_id, end_user, requester_ip,
    error_class, mapping, time_source, request_tags, metadata, usage, items,
    call_no, caller_no, call_uuid, trace_uuid, usage_text, metadata_text) = (
    NEW.start_time, NEW.identity, NEW.batch_id, NEW.partition_id, NEW.kafka_offset, NEW.content_hash,
    NEW.end_time, NEW.first_token_time, NEW.input_tokens, NEW.output_tokens, NEW.total_tokens,
    NEW.cache_read_tokens, NEW.cache_write_tokens, NEW.reasoning_tokens, NEW.status_code,
    NEW.price_book_id, NEW.record_index, NEW.flags, NEW.cache_hit, NEW.stream, NEW.spend, NEW.input_cost,
    NEW.output_cost, NEW.other_cost, NEW.gateway_cost, NEW.pricing_status, NEW.pricing_reason,
    NEW.provider, NEW.model, NEW.model_requested, NEW.model_group, NEW.model_id, NEW.call_type, NEW.status,
    NEW.service_tier, coalesce(NEW.request_id, ''), NEW.call_id, NEW.trace_id,
    coalesce(NEW.session_id, ''), NEW.api_key, NEW.api_key_alias, NEW.user_id, NEW.team_id, NEW.team_alias,
    NEW.organization_id, coalesce(NEW.end_user, ''), NEW.requester_ip, NEW.error_class, NEW.mapping,
    NEW.time_source, NEW.request_tags, NEW.metadata, NEW.usage,
    CASE WHEN (NEW.spend, NEW.input_cost, NEW.output_cost, NEW.other_cost, NEW.pricing_status, NEW.input_tokens,
      NEW.output_tokens, NEW.cache_read_tokens, NEW.cache_write_tokens, NEW.reasoning_tokens, NEW.items)
      IS DISTINCT FROM (OLD.spend, OLD.input_cost, OLD.output_cost, OLD.other_cost, OLD.pricing_status,
      OLD.input_tokens, OLD.output_tokens, OLD.cache_read_tokens, OLD.cache_write_tokens, OLD.reasoning_tokens,
      OLD.items) THEN '?' ELSE NEW.items END,
    NULL, NULL, NULL, NULL, NULL, NULL)
    WHERE s.start_time = OLD.start_time AND s.identity = OLD.identity;
    RETURN NEW;
  END IF;
  DELETE FROM spendlog.stored_rows s WHERE s.start_time = OLD.start_time AND s.identity = OLD.identity;
  RETURN OLD;
END
$$;

-- --- reading

-- An item as it is written: code, then - for none, or quantity (left out: the row's), x and the price of one, or =
-- and the amount. What is left of the tokens and the cost of a side is of its rest, unless the rest is said itself.
CREATE FUNCTION spendlog.items_of(items text, pricing_status text, spend numeric, input_cost numeric,
  output_cost numeric, other_cost numeric, input_tokens bigint, output_tokens bigint, cache_read_tokens bigint,
  cache_write_tokens bigint, reasoning_tokens bigint)
RETURNS TABLE (unit text, side text, quantity numeric, amount numeric)
LANGUAGE sql STABLE ROWS 3
BEGIN ATOMIC
  WITH said AS MATERIALIZED (
    SELECT u.unit, u.side, q.quantity,
      CASE m[4] WHEN 'x' THEN q.quantity * m[5]::numeric WHEN '=' THEN m[5]::numeric END AS amount
    FROM string_to_table(nullif(items_of.items, ''), ' ') AS t (item)
    CROSS JOIN LATERAL regexp_match(t.item, '^(.)(?:(-)|([0-9.e-]*)([x=])(-?[0-9][0-9.e-]*|-?\.[0-9]+))$') AS m
    JOIN spendlog.charge_units u ON u.code = m[1]
    CROSS JOIN LATERAL (SELECT CASE WHEN m[2] = '-' THEN NULL WHEN m[3] <> '' THEN m[3]::numeric
      ELSE coalesce(CASE u.unit WHEN 'cache_read_tokens' THEN items_of.cache_read_tokens
        WHEN 'cache_write_tokens' THEN items_of.cache_write_tokens
        WHEN 'reasoning_tokens' THEN items_of.reasoning_tokens END, 0)::numeric END AS quantity) q
    WHERE items_of.items <> '?'
  )
  SELECT s.unit, s.side, s.quantity, trim_scale(s.amount) FROM said s WHERE s.amount IS NOT NULL
  UNION ALL
  SELECT r.unit, r.side, r.quantity, trim_scale(r.amount)
  FROM (
    SELECT w.unit, w.side,
      coalesce(w.tokens, 0) - coalesce(sum(s.quantity) FILTER (WHERE s.unit LIKE '%\_tokens'), 0) AS quantity,
      w.cost - coalesce(sum(s.amount), 0) AS amount, coalesce(bool_or(s.unit = w.unit), false) AS is_said
    FROM (VALUES ('input_text_tokens', 'input', items_of.input_tokens, items_of.input_cost),
      ('output_text_tokens', 'output', items_of.output_tokens, items_of.output_cost)) AS w (unit, side, tokens, cost)
    LEFT JOIN said s ON s.side = w.side
    WHERE items_of.items <> '?' OR items_of.items IS NULL AND items_of.pricing_status = 'priced'
    GROUP BY w.unit, w.side, w.tokens, w.cost) r
  WHERE r.quantity > 0 AND NOT r.is_said
  UNION ALL
  SELECT 'stated_cost', 'other', trim_scale(items_of.spend), trim_scale(items_of.spend)
  WHERE items_of.items IS NULL AND items_of.pricing_status = 'reported'
  UNION ALL
  SELECT w.side, w.side, NULL, trim_scale(w.cost)
  FROM (VALUES ('input', items_of.input_cost), ('output', items_of.output_cost), ('other', items_of.other_cost))
    AS w (side, cost)
  WHERE items_of.items = '?' AND w.cost <> 0;
END;
COMMENT ON FUNCTION spendlog.items_of(text, text, numeric, numeric, numeric, numeric, bigint, bigint, bigint, bigint, bigint)
  IS 'The items of a row''s charge: they add up to its spend';

CREATE VIEW spendlog.spend_items WITH (security_invoker = true) AS
SELECT s.start_time, s.identity, s.request_id, s.provider, s.model, s.model_group, s.api_key, s.api_key_alias,
  s.user_id, s.team_id, s.team_alias, s.organization_id, s.end_user, s.call_type, s.status, s.pricing_status,
  i.unit, i.side, i.quantity, i.amount
FROM spendlog.spend_logs s
CROSS JOIN LATERAL spendlog.items_of(s.items, s.pricing_status, s.spend, s.input_cost, s.output_cost, s.other_cost,
  s.input_tokens, s.output_tokens, s.cache_read_tokens, s.cache_write_tokens, s.reasoning_tokens) i;
COMMENT ON VIEW spendlog.spend_items IS 'What each row''s charge is made of, an item a line; amounts of a row add up to its spend';
COMMENT ON COLUMN spendlog.spend_items.unit IS 'what was counted (charge_units); input, output, other: a side of a row of before there were items';
COMMENT ON COLUMN spendlog.spend_items.quantity IS 'NULL: not known';
COMMENT ON COLUMN spendlog.spend_items.amount IS 'US dollars';

REVOKE ALL ON FUNCTION spendlog.items_of(text, text, numeric, numeric, numeric, numeric, bigint, bigint, bigint, bigint,
  bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION spendlog.items_of(text, text, numeric, numeric, numeric, numeric, bigint, bigint, bigint,
  bigint, bigint) TO spendlog_writer, spendlog_repricer, spendlog_reader;
GRANT SELECT ON spendlog.charge_units, spendlog.spend_items TO spendlog_writer, spendlog_repricer, spendlog_reader;
