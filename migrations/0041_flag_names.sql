-- SPDX-License-Identifier: Apache-2.0
-- What the bits of spend_logs.flags mean, for queries: core/flags.def as a table. A later flag is a row
-- of a later migration.

SET LOCAL ROLE spendlog_owner;

CREATE TABLE spendlog.flag_names (
  flag integer NOT NULL CONSTRAINT flag_names_pkey PRIMARY KEY,
  name text NOT NULL CONSTRAINT flag_names_name UNIQUE,
  side text NOT NULL CONSTRAINT flag_names_side CHECK (side IN ('read', 'price')),
  doubtful boolean NOT NULL,
  meaning text NOT NULL
);
COMMENT ON TABLE spendlog.flag_names IS 'Bits of spend_logs.flags, as `spendlog price --flags` prints them';
COMMENT ON COLUMN spendlog.flag_names.side IS 'read: set while reading; price: set by pricing, made anew by a reprice';
COMMENT ON COLUMN spendlog.flag_names.doubtful IS 'the amount may be wrong';

INSERT INTO spendlog.flag_names (flag, name, side, doubtful, meaning) VALUES
  (1, 'text_repaired', 'read', false, 'U+0000, a lone surrogate or invalid UTF-8 became U+FFFD'),
  (2, 'part_clamped', 'read', false, 'a part was larger than its whole and was cut to it (version 0.1 only)'),
  (4, 'duplicate_key', 'read', false, 'a JSON object named a member twice; the last one counted'),
  (8, 'total_mismatch', 'read', false, 'total_tokens is not input + output'),
  (16, 'no_duration', 'read', false, 'the end lay before the start: duration dropped'),
  (32, 'key_hashed', 'read', false, 'a raw API key was replaced by its hash'),
  (64, 'text_cut', 'read', false, 'a text beyond its limit was cut'),
  (128, 'label_dropped', 'read', false, 'a label that could not be read was left out'),
  (256, 'fact_dropped', 'read', true, 'an optional fact that could not be read was left out'),
  (512, 'counts_contradict', 'read', true, 'no reading makes the counts agree with each other'),
  (1024, 'unread_usage', 'read', true, 'a usage number above 0 that no rule reads'),
  (16777216, 'rate_missing', 'price', true, 'a quantity that is there has no rate'),
  (33554432, 'unknown_price_key', 'price', true, 'the price entry has a key that looks like money and is not known'),
  (67108864, 'own_price_unread', 'price', true, 'a price of the deployment that the call''s formula does not read'),
  (134217728, 'seconds_of_gateway', 'price', false, 'priced per second: the gateway''s own clock is not in the event');

CREATE FUNCTION spendlog.flags_named(flags integer, only_doubtful boolean DEFAULT false) RETURNS text[]
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
RETURN coalesce((SELECT array_agg(n.name ORDER BY n.flag) FROM spendlog.flag_names n
                 WHERE flags & n.flag <> 0 AND (n.doubtful OR NOT only_doubtful)), '{}');
COMMENT ON FUNCTION spendlog.flags_named(integer, boolean) IS 'Names of the flags that are set';

-- Which reading of the counts was taken, and why (core/flags.h): "cache outside (numbers), reasoning
-- inside (declared)"; empty when there was nothing to decide.
CREATE FUNCTION spendlog.readings(flags integer) RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
RETURN array_to_string(ARRAY[
  CASE WHEN flags >> 16 & 3 <> 0 THEN
    'cache ' || CASE WHEN flags >> 16 & 4 <> 0 THEN 'outside' ELSE 'inside' END || ' (' ||
    (ARRAY['declared', 'emitter', 'numbers'])[flags >> 16 & 3] || ')' END,
  CASE WHEN flags >> 19 & 3 <> 0 THEN
    'reasoning ' || CASE WHEN flags >> 19 & 4 <> 0 THEN 'outside' ELSE 'inside' END || ' (' ||
    (ARRAY['declared', 'emitter', 'numbers'])[flags >> 19 & 3] || ')' END], ', ');
COMMENT ON FUNCTION spendlog.readings(integer) IS 'The reading of cached and reasoning tokens that a row''s counts were taken by, and its ground';

REVOKE ALL ON FUNCTION spendlog.flags_named(integer, boolean), spendlog.readings(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION spendlog.flags_named(integer, boolean), spendlog.readings(integer)
  TO spendlog_writer, spendlog_repricer, spendlog_reader;
GRANT SELECT ON spendlog.flag_names TO spendlog_writer, spendlog_repricer, spendlog_reader;
