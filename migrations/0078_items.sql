-- SPDX-License-Identifier: Apache-2.0
-- What a charge is made of, kept with the row: stored_rows.items, a short text of what the other columns do not
-- say (store/row_items.h has its form), NULL for most rows. spend_items shows every item, quantity and amount,
-- to the last digit; the items of a row add up to its spend.

SET LOCAL ROLE spendlog_owner;

-- core/units.def has the same; a unit that is added there is added here by a migration.
CREATE TABLE spendlog.charge_units (
  code text CONSTRAINT charge_units_pkey PRIMARY KEY,
  unit text NOT NULL CONSTRAINT charge_units_unit_key UNIQUE,
  side text NOT NULL CONSTRAINT charge_units_side CHECK (side IN ('input', 'output', 'other')),
  taken_from text
);
COMMENT ON TABLE spendlog.charge_units IS 'What charges are made of';
COMMENT ON COLUMN spendlog.charge_units.code IS 'in stored_rows.items';
COMMENT ON COLUMN spendlog.charge_units.side IS 'of input_cost, output_cost or other_cost';
COMMENT ON COLUMN spendlog.charge_units.taken_from IS
  'tokens: the unit that is what is left without it; of input_text_tokens and output_text_tokens, and what are not tokens: NULL';
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
UPDATE spendlog.charge_units u SET taken_from = CASE
    WHEN u.code IN ('b', 'd') THEN 'cache_read_tokens' WHEN u.code IN ('h', 'e') THEN 'cache_write_tokens'
    ELSE u.side || '_text_tokens' END
WHERE u.side <> 'other' AND u.unit LIKE '%\_tokens' AND u.code NOT IN ('i', 'o');

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

-- --- reading

-- An item as it is written: code, then - for none, or quantity (left out: the row's), x and the price of one, or =
-- and the amount. What is left of the tokens and the cost of a side is of its rest, unless the rest is said itself.
CREATE FUNCTION spendlog.items_said(items text, cache_read_tokens bigint, cache_write_tokens bigint, reasoning_tokens bigint)
RETURNS TABLE (code text, quantity numeric, amount numeric)
LANGUAGE sql IMMUTABLE ROWS 2
BEGIN ATOMIC
  SELECT t.code, q.quantity, CASE WHEN t.one <> '' THEN q.quantity * t.one::numeric ELSE nullif(t.whole, '')::numeric END
  FROM (SELECT left(i.item, 1) AS code, split_part(translate(substr(i.item, 2), '=', 'x'), 'x', 1) AS number,
          split_part(substr(i.item, 2), 'x', 2) AS one, split_part(substr(i.item, 2), '=', 2) AS whole
        FROM string_to_table(nullif(nullif(items_said.items, '?'), ''), ' ') AS i (item)
        -- captures of a regular expression are ten times as slow
        WHERE i.item ~ '^.(?:-|[0-9.e-]*[x=](?:-?[0-9][0-9.e-]*|-?\.[0-9]+))$' OFFSET 0) t
  CROSS JOIN LATERAL (SELECT CASE t.number WHEN '-' THEN NULL
    WHEN '' THEN coalesce(CASE t.code WHEN 'r' THEN items_said.cache_read_tokens WHEN 'w' THEN items_said.cache_write_tokens
      WHEN 't' THEN items_said.reasoning_tokens END, 0)::numeric
    ELSE t.number::numeric END AS quantity) q;
END;
COMMENT ON FUNCTION spendlog.items_said(text, bigint, bigint, bigint) IS 'The items that a text names; without an amount: nothing is left of that side';

CREATE FUNCTION spendlog.items_of(items text, pricing_status text, spend numeric, input_cost numeric,
  output_cost numeric, other_cost numeric, input_tokens bigint, output_tokens bigint, cache_read_tokens bigint,
  cache_write_tokens bigint, reasoning_tokens bigint)
RETURNS TABLE (unit text, side text, quantity numeric, amount numeric)
LANGUAGE sql STABLE ROWS 3
BEGIN ATOMIC
  WITH said AS MATERIALIZED (
    SELECT u.unit, u.side, i.quantity, i.amount
    FROM spendlog.items_said(items_of.items, items_of.cache_read_tokens, items_of.cache_write_tokens,
      items_of.reasoning_tokens) i
    JOIN spendlog.charge_units u ON u.code = i.code
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

-- --- meters

-- What the items of one code r, w or t cost, whose letters are in nothing else, as an expression: nearly all rows have
-- such items, and a function is ten times as slow. Of two such items, which is rare, the function.
CREATE FUNCTION spendlog.item_cost(items text, code text, tokens text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN replace(format($sql$CASE WHEN coalesce(strpos(%1$s, %2$L), 0) = 0 THEN NULL
  WHEN split_part(%1$s, %2$L, 3) <> '' OR ITEM !~ '^[0-9.e-]*[x=]-?[.0-9][0-9.e-]*$'
    THEN (SELECT sum(i.amount) FROM spendlog.items_said(%1$s, %3$s, %3$s, %3$s) i WHERE i.code = %2$L)
  WHEN strpos(ITEM, '=') > 0 THEN split_part(ITEM, '=', 2)::numeric
  ELSE coalesce(nullif(split_part(ITEM, 'x', 1), '')::numeric, (%3$s)::numeric, 0) * split_part(ITEM, 'x', 2)::numeric END$sql$,
  items, code, tokens), 'ITEM', format('split_part(split_part(%s, %L, 2), '' '', 1)', items, code));

-- What the items of a row say by meters beyond its tokens and costs, as lines to add up: what is not text, cache or
-- reasoning; and, where the row is priced, by how much these are other tokens than those of the row. Text that is not
-- said is what is left, never less than nothing. It is part of a statement over many rows: what is here is done for
-- each. store/sums_meters.c does the same for a batch.
CREATE FUNCTION spendlog.meters_of(items text, pricing_status text, input_tokens bigint, output_tokens bigint,
  cache_read_tokens bigint, cache_write_tokens bigint, reasoning_tokens bigint)
RETURNS TABLE (meter text, quantity numeric, amount numeric)
LANGUAGE sql STABLE ROWS 2
BEGIN ATOMIC
  WITH said AS MATERIALIZED (
    SELECT u.code, u.unit, u.taken_from, CASE WHEN u.taken_from IS NOT NULL OR u.code IN ('i', 'o') THEN u.side END AS side,
      i.quantity, i.amount
    FROM spendlog.items_said(meters_of.items, meters_of.cache_read_tokens, meters_of.cache_write_tokens,
      meters_of.reasoning_tokens) i
    JOIN spendlog.charge_units u ON u.code = i.code
  )
  SELECT s.unit, CASE s.code WHEN 'X' THEN s.quantity - s.amount ELSE s.quantity END,
    CASE s.code WHEN 'X' THEN 0 ELSE s.amount END
  FROM said s WHERE s.amount IS NOT NULL AND s.code NOT IN ('i', 'o', 'r', 'w', 't')
  UNION ALL
  SELECT d.unit, d.counted - d.tokens, 0
  FROM (
    SELECT sum(s.quantity) FILTER (WHERE 'cache_read_tokens' IN (s.unit, s.taken_from)) AS cache_read,
      sum(s.quantity) FILTER (WHERE 'cache_write_tokens' IN (s.unit, s.taken_from)) AS cache_write,
      sum(s.quantity) FILTER (WHERE 'reasoning_tokens' IN (s.unit, s.taken_from)) AS reasoning,
      sum(s.quantity) FILTER (WHERE s.side = 'input') AS input, bool_or(s.code = 'i') AS input_said,
      sum(s.quantity) FILTER (WHERE s.side = 'output') AS output, bool_or(s.code = 'o') AS output_said
    FROM said s) a
  CROSS JOIN LATERAL ( -- VALUES would be made ready anew for each row
    SELECT 'cache_read_tokens', coalesce(a.cache_read, 0), coalesce(meters_of.cache_read_tokens, 0)::numeric, true
    UNION ALL
    SELECT 'cache_write_tokens', coalesce(a.cache_write, 0), coalesce(meters_of.cache_write_tokens, 0), true
    UNION ALL
    SELECT 'reasoning_tokens', coalesce(a.reasoning, 0), coalesce(meters_of.reasoning_tokens, 0), true
    UNION ALL
    SELECT 'input_text_tokens', coalesce(a.input, 0), coalesce(meters_of.input_tokens, 0), a.input_said
    UNION ALL
    SELECT 'output_text_tokens', coalesce(a.output, 0), coalesce(meters_of.output_tokens, 0), a.output_said)
    AS d (unit, counted, tokens, is_said)
  WHERE meters_of.pricing_status = 'priced' AND meters_of.items IS DISTINCT FROM '?'
    AND (d.counted > d.tokens OR d.counted < d.tokens AND d.is_said);
END;
COMMENT ON FUNCTION spendlog.meters_of(text, text, bigint, bigint, bigint, bigint, bigint)
  IS 'What the items of a row say by meters beyond its tokens and costs';

-- Whether there may be any, quickly told: most rows have none.
CREATE FUNCTION spendlog.has_meters(items text, pricing_status text, input_tokens bigint, output_tokens bigint,
  cache_read_tokens bigint, cache_write_tokens bigint, reasoning_tokens bigint) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(items <> '?' AND items ~ '(^| )([^rwt]|[rwt][^x=])|r.* r|w.* w|t.* t', false)
  OR pricing_status = 'priced' AND items IS DISTINCT FROM '?' AND (
    coalesce(cache_read_tokens <> 0 AND coalesce(items !~ '(^| )r', true), false)
    OR coalesce(cache_write_tokens <> 0 AND coalesce(items !~ '(^| )w', true), false)
    OR coalesce(reasoning_tokens <> 0 AND coalesce(items !~ '(^| )t', true), false)
    OR coalesce(input_tokens, 0)::numeric < coalesce(cache_read_tokens, 0)::numeric + coalesce(cache_write_tokens, 0)
    OR coalesce(output_tokens, 0) < coalesce(reasoning_tokens, 0));

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

REVOKE ALL ON FUNCTION spendlog.items_said(text, bigint, bigint, bigint), spendlog.item_cost(text, text, text),
  spendlog.meters_of(text, text, bigint, bigint, bigint, bigint, bigint),
  spendlog.has_meters(text, text, bigint, bigint, bigint, bigint, bigint), spendlog.items_of(text, text, numeric, numeric, numeric, numeric, bigint, bigint, bigint, bigint,
  bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION spendlog.items_said(text, bigint, bigint, bigint), spendlog.item_cost(text, text, text),
  spendlog.meters_of(text, text, bigint, bigint, bigint, bigint, bigint),
  spendlog.has_meters(text, text, bigint, bigint, bigint, bigint, bigint), spendlog.items_of(text, text, numeric, numeric, numeric, numeric, bigint, bigint, bigint,
  bigint, bigint) TO spendlog_writer, spendlog_repricer, spendlog_reader;
GRANT SELECT ON spendlog.charge_units, spendlog.spend_items TO spendlog_writer, spendlog_repricer, spendlog_reader;
