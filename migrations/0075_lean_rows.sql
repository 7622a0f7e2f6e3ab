-- SPDX-License-Identifier: Apache-2.0
-- Lean rows. What many rows say alike (how a call was made, who made it) stands once in a dictionary; a row
-- has the dictionary's number. docs/storage.md says why, and what a row costs.
--
-- A row has one of two forms, in the same table: lean, with both numbers, or wide, with its words in the row,
-- as all were before. So a row of any content fits, the days that are there need no change, and a day may
-- hold both. spendlog.spend_logs is a view that shows either under the names and types there were.

SET LOCAL ROLE spendlog_owner;

-- --- the dictionaries

-- The number is 64 bits of the content's hash. Entries are added in the transaction of the rows that need
-- them, never changed; when a number has another content already the later one takes another number.
CREATE TABLE spendlog.shared_calls (
  call_no bigint CONSTRAINT shared_calls_pkey PRIMARY KEY,
  provider text,
  model text,
  model_requested text,
  model_group text,
  model_id text,
  call_type text,
  status text,
  service_tier text,
  mapping text NOT NULL,
  time_source text NOT NULL
    CONSTRAINT shared_calls_time_source CHECK (time_source IN ('event', 'derived', 'kafka')),
  usage_text text
);
COMMENT ON TABLE spendlog.shared_calls IS 'What many rows say alike of how a call was made; stored_rows.call_no';
COMMENT ON COLUMN spendlog.shared_calls.call_no IS '64 bits of a hash of the content';
COMMENT ON COLUMN spendlog.shared_calls.usage_text IS 'words of usage and counts of 0, a JSON object; NULL when there are none';

CREATE TABLE spendlog.shared_callers (
  caller_no bigint CONSTRAINT shared_callers_pkey PRIMARY KEY,
  api_key text NOT NULL,
  api_key_alias text NOT NULL,
  user_id text NOT NULL,
  team_id text NOT NULL,
  team_alias text NOT NULL,
  organization_id text NOT NULL,
  request_tags text[] NOT NULL
);
COMMENT ON TABLE spendlog.shared_callers IS 'What many rows say alike of who made a call; stored_rows.caller_no';
COMMENT ON COLUMN spendlog.shared_callers.caller_no IS '64 bits of a hash of the content';

-- Of what a row says, whether it goes to a dictionary: what is longer (WORDS_BYTES_MAX of store/row_words.h) stays in the row. Words
-- of dictionaries are indexed.
CREATE FUNCTION spendlog.words_fit(words text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN octet_length(words) <= 2048;
COMMENT ON FUNCTION spendlog.words_fit(text) IS 'Whether words of a row are short enough for a dictionary';
REVOKE ALL ON FUNCTION spendlog.words_fit(text) FROM PUBLIC;

-- --- views over the rows: taken down, to be put up again over the new spend_logs

CREATE TEMPORARY TABLE views_before ON COMMIT DROP AS
WITH RECURSIVE over (oid) AS (
  SELECT 'spendlog.spend_logs'::regclass::oid
  UNION
  SELECT w.ev_class FROM over o
  JOIN pg_depend d ON d.refobjid = o.oid AND d.refclassid = 'pg_class'::regclass
    AND d.classid = 'pg_rewrite'::regclass
  JOIN pg_rewrite w ON w.oid = d.objid AND w.ev_class <> o.oid
)
SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS name, rtrim(pg_get_viewdef(c.oid), ';') AS definition,
  c.reloptions, c.relacl, obj_description(c.oid, 'pg_class') AS about
FROM over o JOIN pg_class c ON c.oid = o.oid AND c.relkind = 'v'
JOIN pg_namespace n ON n.oid = c.relnamespace;

CREATE TEMPORARY TABLE columns_before ON COMMIT DROP AS
SELECT v.name, a.attname, col_description(v.oid, a.attnum) AS about
FROM views_before v JOIN pg_attribute a ON a.attrelid = v.oid AND a.attnum > 0
WHERE col_description(v.oid, a.attnum) IS NOT NULL
UNION ALL
SELECT 'spendlog.spend_logs', a.attname, col_description(a.attrelid, a.attnum)
FROM pg_attribute a WHERE a.attrelid = 'spendlog.spend_logs'::regclass AND a.attnum > 0
  AND col_description(a.attrelid, a.attnum) IS NOT NULL;

-- Who was given rights on the table by hand is given them on the view.
CREATE TEMPORARY TABLE grants_before ON COMMIT DROP AS
SELECT CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(r.rolname) END AS grantee, g.privilege_type, g.is_grantable
FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) g LEFT JOIN pg_roles r ON r.oid = g.grantee
WHERE c.oid = 'spendlog.spend_logs'::regclass AND g.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
  AND (g.grantee = 0 OR r.rolname NOT IN ('spendlog_owner', 'spendlog_writer', 'spendlog_repricer', 'spendlog_reader', 'spendlog_tenant'));

DO $$
BEGIN
  EXECUTE (SELECT 'DROP VIEW ' || string_agg(v.name, ', ') FROM views_before v);
END
$$;

-- --- the rows

ALTER TABLE spendlog.spend_logs RENAME TO stored_rows;

-- Rows that are there have '?' as items, without being written: the default of the column when it is added.
ALTER TABLE spendlog.stored_rows
  ADD COLUMN call_no bigint,
  ADD COLUMN caller_no bigint,
  ADD COLUMN call_uuid uuid,
  ADD COLUMN trace_uuid uuid,
  ADD COLUMN usage_text text,
  ADD COLUMN metadata_text text,
  ADD COLUMN items text DEFAULT '?',
  ADD COLUMN span_id text,
  ADD COLUMN parent_id text;
ALTER TABLE spendlog.stored_rows ALTER COLUMN items DROP DEFAULT;

DO $$
DECLARE
  it text;
BEGIN
  FOREACH it IN ARRAY ARRAY['pricing_reason', 'call_id', 'trace_id', 'api_key', 'api_key_alias', 'user_id',
    'team_id', 'team_alias', 'organization_id', 'requester_ip', 'error_class', 'mapping', 'time_source',
    'request_tags'] LOOP
    EXECUTE format('ALTER TABLE spendlog.stored_rows ALTER COLUMN %1$I DROP NOT NULL, '
                   'ALTER COLUMN %1$I DROP DEFAULT', it);
  END LOOP;
END
$$;
-- Two checks say what four did before, and less of a row's time goes into them. Rows that are there met those.
ALTER TABLE spendlog.stored_rows
  DROP CONSTRAINT spend_logs_pricing_status,
  DROP CONSTRAINT spend_logs_unpriced_is_null,
  DROP CONSTRAINT spend_logs_spend_not_nan,
  DROP CONSTRAINT spend_logs_time_source,
  ADD CONSTRAINT stored_rows_spend
    CHECK (CASE WHEN pricing_status IN ('priced', 'free', 'reported') THEN (spend < 'Infinity') IS TRUE -- nor NaN
           ELSE pricing_status = 'unpriced' AND spend IS NULL END) NOT VALID,
  ADD CONSTRAINT stored_rows_form
    CHECK (call_no IS NOT NULL AND caller_no IS NOT NULL
      OR mapping IS NOT NULL AND time_source IS NOT NULL AND time_source IN ('event', 'derived', 'kafka')) NOT VALID;

COMMENT ON TABLE spendlog.stored_rows IS 'The rows as they are stored, partitioned by day (UTC); spend_logs shows them';
COMMENT ON COLUMN spendlog.stored_rows.call_no IS 'shared_calls has the words; NULL: they are in the row';
COMMENT ON COLUMN spendlog.stored_rows.caller_no IS 'shared_callers has the words; NULL: they are in the row';
COMMENT ON COLUMN spendlog.stored_rows.call_uuid IS 'call_id, when it is one';
COMMENT ON COLUMN spendlog.stored_rows.trace_uuid IS 'trace_id, when it is one';
COMMENT ON COLUMN spendlog.stored_rows.usage_text IS 'numbers of usage but those in shared_calls, a JSON object that jsonb takes; NULL: none, or they are in usage';
COMMENT ON COLUMN spendlog.stored_rows.metadata_text IS 'a JSON object that jsonb takes; NULL: none, or it is in metadata';
COMMENT ON COLUMN spendlog.stored_rows.items IS 'items of the charge that other columns do not say; NULL: none; ?: not known. spend_items reads it';
COMMENT ON COLUMN spendlog.stored_rows.span_id IS 'the call''s own span; NULL or empty: none is told';
COMMENT ON COLUMN spendlog.stored_rows.parent_id IS 'what made the call: a span, call id or request id; NULL or empty: none is told';

-- What is absent in a row or in its dictionary is '' for a label and NULL for a fact, as ever. Columns that
-- rows are looked up by (request_id, session_id, end_user) are the table's own.
CREATE VIEW spendlog.spend_logs WITH (security_invoker = true) AS
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
  s.items, coalesce(s.span_id, '') AS span_id, coalesce(s.parent_id, '') AS parent_id
FROM spendlog.stored_rows s
LEFT JOIN spendlog.shared_calls c ON c.call_no = s.call_no
LEFT JOIN spendlog.shared_callers k ON k.caller_no = s.caller_no;
COMMENT ON COLUMN spendlog.spend_logs.items IS 'items of the charge that other columns do not say; spend_items reads it';
COMMENT ON COLUMN spendlog.spend_logs.span_id IS 'the call''s own span';
COMMENT ON COLUMN spendlog.spend_logs.parent_id IS 'span, call id or request id of what made the call';
COMMENT ON VIEW spendlog.spend_logs IS 'One row per billable call';

-- The query behind a view, over something else than the table that it reads; whatever the server writes in quotes.
CREATE FUNCTION spendlog.view_over(view text, table_of_it text, other text) RETURNS text
LANGUAGE plpgsql STABLE STRICT
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
AS $$
DECLARE
  said text := rtrim(pg_get_viewdef(view::regclass), ';');
BEGIN
  IF position(table_of_it IN said) = 0 THEN
    RAISE EXCEPTION 'the query behind % does not read "%"', view, table_of_it USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  RETURN replace(said, table_of_it, other);
END
$$;
COMMENT ON FUNCTION spendlog.view_over(text, text, text) IS 'The query behind a view, over something else than the table that it reads';

-- The same of one table: a day, or what will become one.
CREATE FUNCTION spendlog.rows_of(table_name text) RETURNS text
LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, pg_temp
RETURN spendlog.view_over('spendlog.spend_logs', 'spendlog.stored_rows s', format('spendlog.%I s', table_name));
COMMENT ON FUNCTION spendlog.rows_of(text) IS 'The query behind spend_logs, over one table of rows';

-- Repairs by hand, and members of 0.1.0 until they are started anew, write through the view: wide rows. What
-- a hand changes becomes wide, with items that nobody knows. The marks of strange_hands are the table's.
CREATE FUNCTION spendlog.spend_logs_written() RETURNS trigger
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
    error_class, mapping, time_source, request_tags, metadata, usage, items, span_id, parent_id)
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
    NEW.time_source, NEW.request_tags, NEW.metadata, NEW.usage, coalesce(NEW.items, '?'),
    NEW.span_id, NEW.parent_id);
    RETURN NEW;
  ELSIF TG_OP = 'UPDATE' THEN
    UPDATE spendlog.stored_rows s SET (
    start_time, identity, batch_id, partition_id, kafka_offset, content_hash, end_time, first_token_time,
    input_tokens, output_tokens, total_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens,
    status_code, price_book_id, record_index, flags, cache_hit, stream, spend, input_cost, output_cost,
    other_cost, gateway_cost, pricing_status, pricing_reason, provider, model, model_requested,
    model_group, model_id, call_type, status, service_tier, request_id, call_id, trace_id, session_id,
    api_key, api_key_alias, user_id, team_id, team_alias, organization_id, end_user, requester_ip,
    error_class, mapping, time_source, request_tags, metadata, usage, items, span_id, parent_id,
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
    NEW.span_id, NEW.parent_id,
    NULL, NULL, NULL, NULL, NULL, NULL)
    WHERE s.start_time = OLD.start_time AND s.identity = OLD.identity;
    RETURN NEW;
  END IF;
  DELETE FROM spendlog.stored_rows s WHERE s.start_time = OLD.start_time AND s.identity = OLD.identity;
  RETURN OLD;
END
$$;
COMMENT ON FUNCTION spendlog.spend_logs_written() IS 'Rows written, changed or deleted through the view';
CREATE TRIGGER spend_logs_written INSTEAD OF INSERT OR UPDATE OR DELETE ON spendlog.spend_logs
  FOR EACH ROW EXECUTE FUNCTION spendlog.spend_logs_written();

-- The oldest first: a view stands on older ones. It may have got columns of newer ones since; then it waits.
DO $$
DECLARE
  it record;
  left_before bigint;
  rights text;
BEGIN
  LOOP
    left_before := (SELECT count(*) FROM views_before);
    EXIT WHEN left_before = 0;
    FOR it IN SELECT * FROM views_before ORDER BY oid LOOP
      BEGIN
        EXECUTE format('CREATE VIEW %s %s AS %s', it.name,
                       'WITH (' || array_to_string(it.reloptions, ', ') || ')', it.definition);
      EXCEPTION WHEN undefined_table THEN
        CONTINUE;
      END;
      EXECUTE format('COMMENT ON VIEW %s IS %L', it.name, it.about);
      SELECT string_agg(format('GRANT %s ON %s TO %I', g.privilege_type, it.name, r.rolname), '; ') INTO rights
      FROM aclexplode(it.relacl) g JOIN pg_roles r ON r.oid = g.grantee WHERE r.rolname <> 'spendlog_owner';
      EXECUTE coalesce(rights, 'SELECT 1');
      DELETE FROM views_before v WHERE v.oid = it.oid;
    END LOOP;
    IF (SELECT count(*) FROM views_before) = left_before THEN
      RAISE EXCEPTION 'views that cannot be put up again: %', (SELECT string_agg(v.name, ', ') FROM views_before v);
    END IF;
  END LOOP;
  FOR it IN SELECT * FROM columns_before LOOP
    EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', it.name, it.attname, it.about);
  END LOOP;
END
$$;

-- --- functions, as before, over the table of rows

CREATE OR REPLACE FUNCTION spendlog.stored_days() RETURNS TABLE (day date, leaf oid)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
AS $$
  SELECT b.day, b.leaf
  FROM (
    SELECT c.oid AS leaf, c.relname, m.bound[1]::date AS day, m.bound[2]::date AS until
    FROM pg_inherits i
    JOIN pg_class c ON c.oid = i.inhrelid AND c.relnamespace = 'spendlog'::regnamespace
    CROSS JOIN LATERAL regexp_match(
      pg_get_expr(c.relpartbound, c.oid),
      '^FOR VALUES FROM \(''(\d{4}-\d\d-\d\d) 00:00:00''\) TO \(''(\d{4,5}-\d\d-\d\d) 00:00:00''\)$')
      AS m (bound)
    WHERE i.inhparent = 'spendlog.stored_rows'::regclass AND m.bound IS NOT NULL
  ) b
  WHERE b.until = b.day + 1 AND b.relname = spendlog.partition_name(b.day)
$$;

CREATE OR REPLACE FUNCTION spendlog.ensure_partition(day date) RETURNS boolean
LANGUAGE plpgsql STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET lock_timeout = '5s'
AS $$
DECLARE
  name text := spendlog.partition_name(day);
BEGIN
  IF EXISTS (SELECT FROM spendlog.stored_days() s WHERE s.day = ensure_partition.day) THEN
    RETURN false;
  END IF;
  PERFORM spendlog.session_expect();
  IF day NOT BETWEEN '1970-01-01' AND '9999-12-31' THEN
    RAISE EXCEPTION '% is no day that can be stored', day USING ERRCODE = 'datetime_field_overflow';
  END IF;
  PERFORM FROM spendlog.locks l WHERE l.name = 'partitions' FOR UPDATE;
  IF EXISTS (SELECT FROM spendlog.stored_days() s WHERE s.day = ensure_partition.day) THEN
    RETURN false; -- another member made it while we waited
  END IF;
  IF EXISTS (SELECT FROM pg_class
             WHERE relnamespace = 'spendlog'::regnamespace AND relname = name) THEN
    RAISE EXCEPTION 'spendlog.% is there, but is not the partition of %', name, day
      USING ERRCODE = 'object_in_use', HINT = 'Attach it to spendlog.stored_rows, or rename it.';
  END IF;
  EXECUTE format('CREATE TABLE spendlog.%I (LIKE spendlog.stored_rows INCLUDING ALL)', name);
  PERFORM spendlog.hand_watch(format('spendlog.%I', name)::regclass);
  EXECUTE format('ALTER TABLE spendlog.stored_rows ATTACH PARTITION spendlog.%I '
                 'FOR VALUES FROM (%L) TO (%L)', name, day::timestamp, (day + 1)::timestamp);
  RETURN true;
EXCEPTION
  WHEN invalid_object_definition THEN
    RETURN false; -- a partition that is not ours has the day, and takes its rows
END
$$;

-- An adjustment fits a row that is as it says it was, and leaves the flags of reading (below 2^24) alone.
CREATE OR REPLACE FUNCTION spendlog.adjustment_fits() RETURNS text
LANGUAGE sql IMMUTABLE
RETURN 'a.start_time = s.start_time AND a.identity = s.identity AND a.old_price_book_id = s.price_book_id '
       'AND a.old_spend IS NOT DISTINCT FROM s.spend AND a.old_status = s.pricing_status '
       'AND a.old_reason = coalesce(s.pricing_reason, '''') AND ((a.new_flags # s.flags) & 16777215) = 0';

CREATE OR REPLACE FUNCTION spendlog.shadow_create(day date) RETURNS void
LANGUAGE plpgsql STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
AS $$
DECLARE
  shadow text := spendlog.shadow_name(day);
  staged text := spendlog.staged_name(day);
BEGIN
  PERFORM spendlog.day_expect_claimed(day, false);
  PERFORM spendlog.shadow_drop(day);
  EXECUTE format('CREATE TABLE spendlog.%I (LIKE spendlog.stored_rows INCLUDING ALL '
                 'EXCLUDING INDEXES)', shadow);
  PERFORM spendlog.hand_watch(format('spendlog.%I', shadow)::regclass);
  EXECUTE format('ALTER TABLE spendlog.%I ADD CONSTRAINT shadow_bounds '
                 'CHECK (start_time >= %L AND start_time < %L)',
                 shadow, day::timestamp, (day + 1)::timestamp);
  EXECUTE format('CREATE UNLOGGED TABLE spendlog.%I (LIKE spendlog.spend_adjustments INCLUDING DEFAULTS '
                 'INCLUDING CONSTRAINTS)', staged);
  EXECUTE format('GRANT INSERT ON spendlog.%I TO spendlog_repricer', staged);
  INSERT INTO spendlog.reprice_shadows (day, snapshot) VALUES (day, pg_current_snapshot());
END
$$;

CREATE OR REPLACE FUNCTION spendlog.shadow_fill(day date, blocks bigint, staged_from bigint,
                                     OUT rows bigint, OUT staged_until bigint)
LANGUAGE plpgsql STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET enable_mergejoin = off
SET enable_nestloop = off
SET work_mem = '32MB'
AS $$
DECLARE
  shadow text := spendlog.shadow_name(day);
  staged text := spendlog.staged_name(day);
  from_block bigint;
BEGIN
  SELECT r.filled_blocks INTO STRICT from_block FROM spendlog.reprice_shadows r
  WHERE r.day = shadow_fill.day FOR UPDATE;
  -- The planner learns once that the key is unique: else it would hash the wide rows, and they would lose
  -- their order.
  IF from_block = 0 THEN
    EXECUTE format('ANALYZE spendlog.%I (start_time, identity)', staged);
  END IF;
  EXECUTE format(
    'INSERT INTO spendlog.%I (%s) SELECT %s FROM spendlog.%I s LEFT JOIN (SELECT * FROM spendlog.%I '
    'WHERE ctid >= ''(%s,0)'') a ON %s WHERE s.ctid >= ''(%s,0)'' AND s.ctid < ''(%s,0)''',
    shadow,
    (SELECT string_agg(quote_ident(c.attname), ', ' ORDER BY c.attnum) FROM pg_attribute c
     WHERE c.attrelid = 'spendlog.stored_rows'::regclass AND c.attnum > 0 AND NOT c.attisdropped),
    (SELECT string_agg(CASE WHEN p.name IS NULL THEN format('s.%I', c.attname)
                            ELSE format('CASE WHEN a.run_id IS NULL THEN s.%I ELSE a.%I END', p.name, p.adjusted)
                       END, ', ' ORDER BY c.attnum)
     FROM pg_attribute c LEFT JOIN spendlog.priced_columns() p ON p.name = c.attname
     WHERE c.attrelid = 'spendlog.stored_rows'::regclass AND c.attnum > 0 AND NOT c.attisdropped),
    spendlog.partition_name(day), staged, staged_from, spendlog.adjustment_fits(),
    from_block, from_block + blocks);
  GET DIAGNOSTICS rows = ROW_COUNT;
  UPDATE spendlog.reprice_shadows r
  SET filled_blocks = r.filled_blocks + blocks, filled_rows = r.filled_rows + rows
  WHERE r.day = shadow_fill.day;
  staged_until := pg_relation_size(format('spendlog.%I', staged)::regclass)
                  / current_setting('block_size')::bigint;
  staged_until := greatest(staged_until - 1, 0); -- the last block may not be full
END
$$;

CREATE OR REPLACE FUNCTION spendlog.drop_partition(day date) RETURNS bigint
LANGUAGE plpgsql STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET timezone = 'UTC'
SET lock_timeout = '2s'
AS $$
DECLARE
  name text;
  ids bigint[];
  counts bigint[];
  digests bigint[];
  gone bigint;
  gone_spend numeric;
BEGIN
  PERFORM spendlog.session_expect();
  PERFORM FROM spendlog.locks l WHERE l.name = 'partitions' FOR UPDATE;
  PERFORM FROM spendlog.locks l WHERE l.name = 'sums' FOR UPDATE; -- the day's sums change: nothing is merged meanwhile
  SELECT c.relname INTO name FROM spendlog.stored_days() s JOIN pg_class c ON c.oid = s.leaf
  WHERE s.day = drop_partition.day;
  IF name IS NULL THEN
    RETURN NULL;
  END IF;
  PERFORM spendlog.days_expect_free(ARRAY[day]);
  EXECUTE format('LOCK TABLE spendlog.%I IN SHARE ROW EXCLUSIVE MODE', name);
  EXECUTE format('SELECT array_agg(partition_id), array_agg(rows), array_agg(digest), coalesce(sum(rows), 0), '
                 'sum(spend) FROM (SELECT partition_id, count(*) AS rows, sum(spend) AS spend, '
                 'bit_xor(spendlog.row_digest(start_time, identity, content_hash, kafka_offset, record_index, '
                 'team_id, user_id, api_key, organization_id, model)) AS digest '
                 'FROM (%s) r GROUP BY 1) d', spendlog.rows_of(name))
    INTO ids, counts, digests, gone, gone_spend;
  PERFORM FROM spendlog.kafka_offsets WHERE partition_id = ANY (ids)
    ORDER BY partition_id FOR UPDATE;
  UPDATE spendlog.kafka_offsets o
  SET rows_dropped = o.rows_dropped + d.rows, row_digest = o.row_digest # d.digest
  FROM unnest(ids, counts, digests) AS d (partition_id, rows, digest) WHERE o.partition_id = d.partition_id;
  INSERT INTO spendlog.dropped_partitions AS p (day, rows, spend)
  VALUES (drop_partition.day, gone, gone_spend)
  ON CONFLICT ON CONSTRAINT dropped_partitions_pkey DO UPDATE
  SET rows = p.rows + excluded.rows,
      spend = coalesce(p.spend + excluded.spend, p.spend, excluded.spend),
      dropped_at = excluded.dropped_at, dropped_by = excluded.dropped_by;
  EXECUTE format('INSERT INTO spendlog.dropped_sums SELECT %L::date, coalesce(provider, ''''), '
                 'coalesce(model, ''''), team_id, pricing_status, count(*), coalesce(sum(input_tokens), 0), '
                 'coalesce(sum(output_tokens), 0), sum(spend) FROM (%s) r GROUP BY 2, 3, 4, 5',
                 day, spendlog.rows_of(name));
  EXECUTE format('DROP TABLE spendlog.%I', name);
  RETURN gone;
END
$$;

-- When two tables are exchanged all see it at once, but the rows that came along, and the sums beside them, are in newer snapshots alone.
-- Who has an older one and reads rows after the exchange finds new amounts beside old sums, and misses late rows: a repeatable
-- transaction, a function that waited for the table within a statement. So nobody has one meanwhile. Who waits for the table has, as
-- far as can be seen; but members, and who merges, read rows by statements of their own.
CREATE FUNCTION spendlog.snapshots_expect_none(tries integer) RETURNS void
LANGUAGE plpgsql STRICT
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  held text;
BEGIN
  FOR i IN 1..tries LOOP
    PERFORM pg_sleep(CASE i WHEN 1 THEN 0 ELSE 0.01 END), pg_stat_clear_snapshot();
    held := (
      SELECT format('%s (user %s, pid %s)', coalesce(nullif(a.application_name, ''), 'a session'), a.usename, a.pid)
      FROM pg_stat_activity a
      WHERE a.backend_xmin IS NOT NULL AND a.datname = current_database() AND a.usesysid IS NOT NULL AND a.pid <> pg_backend_pid()
        AND NOT starts_with(a.application_name, 'spendlog lane') AND a.application_name <> ALL ('{spendlog reprice,spendlog compact}')
      LIMIT 1);
    IF held IS NULL THEN
      RETURN;
    END IF;
  END LOOP;
  RAISE EXCEPTION '% has a snapshot in which the rows of the day would not be those of its sums', held USING ERRCODE = 'lock_not_available';
END
$$;
REVOKE ALL ON FUNCTION spendlog.snapshots_expect_none(integer) FROM PUBLIC;

CREATE OR REPLACE FUNCTION spendlog.swap_partition(day date) RETURNS bigint
LANGUAGE plpgsql STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET timezone = 'UTC'
SET lock_timeout = '500ms'
SET enable_nestloop = off
SET enable_sort = off
AS $$
DECLARE
  leaf text := spendlog.partition_name(day);
  shadow text := spendlog.shadow_name(day);
  index_name text;
  known spendlog.reprice_shadows;
  now_xid bigint;
  oldest integer; -- age of the oldest transaction that the snapshot may not see
  digest text := 'SELECT count(*), bit_xor(s.content_hash # (s.kafka_offset << 17) # s.record_index '
                 '# uuid_hash_extended(s.identity, 1) # timestamp_hash_extended(s.start_time, 2) '
                 '# hashtextextended(s.team_id, 3) # hashtextextended(s.user_id, 4) '
                 '# hashtextextended(coalesce(s.model, ''''), 5)) FROM (%s) s';
  present bigint;
  present_digest bigint;
  copied bigint;
  copied_digest bigint;
  late bigint;
BEGIN
  PERFORM spendlog.session_expect();
  PERFORM spendlog.day_expect_claimed(day, true);
  SELECT * INTO STRICT known FROM spendlog.reprice_shadows r WHERE r.day = swap_partition.day FOR UPDATE;
  IF known.taken_in IS DISTINCT FROM pg_current_xact_id() THEN
    RAISE EXCEPTION 'the adjustments of % are not in the books: staged_take() first', day
      USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  -- Who adds rows to the day waits from here on. What is adjusted was there before, and nobody else changes it.
  PERFORM spendlog.sums_audit('spendlog.' || spendlog.staged_name(day), day::timestamp,
                              day + interval '1 day' - interval '1 microsecond', true);
  EXECUTE format('LOCK TABLE spendlog.%I IN SHARE ROW EXCLUSIVE MODE', leaf);

  now_xid := pg_current_xact_id()::text::bigint;
  oldest := least(now_xid - pg_snapshot_xmin(known.snapshot)::text::bigint, 2000000000);
  EXECUTE format('INSERT INTO spendlog.%I SELECT s.* FROM spendlog.%I s WHERE age(s.xmin) <= $1 '
                 'AND NOT pg_visible_in_snapshot(($2 - age(s.xmin))::text::xid8, $3)', shadow, leaf)
    USING oldest, now_xid, known.snapshot;
  GET DIAGNOSTICS late = ROW_COUNT;
  EXECUTE format(digest, spendlog.rows_of(leaf)) INTO present, present_digest;
  EXECUTE format(digest, spendlog.rows_of(shadow)) INTO copied, copied_digest;
  IF present <> copied OR present_digest IS DISTINCT FROM copied_digest OR copied <> known.filled_rows + late THEN
    RAISE EXCEPTION '% holds % rows (digest %), the copy % and % late ones (digest %)', leaf, present,
      present_digest, known.filled_rows, late, copied_digest USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;

  LOCK TABLE spendlog.stored_rows IN ACCESS EXCLUSIVE MODE;
  PERFORM spendlog.snapshots_expect_none(20); -- most statements end soon
  EXECUTE format('ALTER TABLE spendlog.stored_rows DETACH PARTITION spendlog.%I', leaf);
  EXECUTE format('ALTER TABLE spendlog.stored_rows ATTACH PARTITION spendlog.%I '
                 'FOR VALUES FROM (%L) TO (%L)', shadow, day::timestamp, (day + 1)::timestamp);
  EXECUTE format('DROP TABLE spendlog.%I, spendlog.%I', leaf, spendlog.staged_name(day));
  EXECUTE format('ALTER TABLE spendlog.%I DROP CONSTRAINT shadow_bounds', shadow);
  EXECUTE format('ALTER TABLE spendlog.%I RENAME TO %I', shadow, leaf);
  FOR index_name IN
    SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE i.indrelid = ('spendlog.' || quote_ident(leaf))::regclass
      AND starts_with(c.relname, shadow)
  LOOP
    EXECUTE format('ALTER INDEX spendlog.%I RENAME TO %I', index_name,
                   leaf || substr(index_name, length(shadow) + 1));
  END LOOP;
  DELETE FROM spendlog.reprice_shadows r WHERE r.day = swap_partition.day;
  PERFORM spendlog.snapshots_expect_none(1); -- as late as can be: the caller commits at once
  RETURN late;
END
$$;

-- --- privileges

REVOKE ALL ON FUNCTION spendlog.view_over(text, text, text), spendlog.rows_of(text), spendlog.spend_logs_written() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION spendlog.view_over(text, text, text) TO spendlog_writer, spendlog_repricer, spendlog_reader;
GRANT SELECT ON spendlog.spend_logs, spendlog.shared_calls, spendlog.shared_callers
  TO spendlog_writer, spendlog_repricer, spendlog_reader;
GRANT INSERT ON spendlog.spend_logs, spendlog.shared_calls, spendlog.shared_callers TO spendlog_writer;
DO $$
BEGIN
  EXECUTE coalesce((SELECT string_agg(format('GRANT %s ON spendlog.spend_logs%s TO %s%s', g.privilege_type,
      CASE g.privilege_type WHEN 'SELECT' THEN ', spendlog.shared_calls, spendlog.shared_callers' ELSE '' END, g.grantee,
      CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END), '; ') FROM grants_before g), 'SELECT 1');
END
$$;

-- --- carrying days over (spendlog migrate --carry)

CREATE TABLE spendlog.carried_days (
  day date CONSTRAINT carried_days_pkey PRIMARY KEY,
  rows bigint,
  wide bigint,
  carried_at timestamp(6)
);
COMMENT ON TABLE spendlog.carried_days IS 'Days that were there before lean rows';
COMMENT ON COLUMN spendlog.carried_days.rows IS 'rows that were carried over';
COMMENT ON COLUMN spendlog.carried_days.wide IS 'those of them that do not fit the lean form';
COMMENT ON COLUMN spendlog.carried_days.carried_at IS 'UTC; NULL: still to be carried over';
INSERT INTO spendlog.carried_days (day) SELECT s.day FROM spendlog.stored_days() s;

ALTER TABLE spendlog.reprice_shadows ADD COLUMN carry boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN spendlog.reprice_shadows.carry IS 'the day changes its form, not what its rows say: a closed month may';

-- As before; a day that is carried over keeps what its rows say, in a closed month too.
CREATE OR REPLACE FUNCTION spendlog.day_expect_claimed(day date, by_session boolean) RETURNS void
LANGUAGE plpgsql STRICT
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM spendlog.day_claims c
                 WHERE c.day = day_expect_claimed.day AND c.claimed_by = session_user
                   AND (NOT by_session OR c.pid = pg_backend_pid())
                   AND spendlog.claim_lives(c.pid, c.token)) THEN
    RAISE EXCEPTION '% is not claimed: days_claim() first', day
      USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  IF EXISTS (SELECT FROM spendlog.closed_periods p WHERE p.month = date_trunc('month', day))
    AND NOT EXISTS (SELECT FROM spendlog.reprice_shadows r WHERE r.day = day_expect_claimed.day AND r.carry) THEN
    RAISE EXCEPTION '% lies in a closed period: its rows stay as they are', day
      USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
END
$$;

-- As before, but for this session.
CREATE OR REPLACE FUNCTION spendlog.older_snapshots_wait() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  older text[] := (
    SELECT array_agg(l.virtualxid) FROM pg_stat_activity a JOIN pg_locks l USING (pid)
    WHERE l.locktype = 'virtualxid' AND l.granted AND l.mode = 'ExclusiveLock'
      AND a.backend_xmin IS NOT NULL AND a.datname = current_database()
      AND a.usesysid IS NOT NULL -- autovacuum has none
      AND a.application_name <> 'spendlog reprice' AND a.pid <> pg_backend_pid());
BEGIN
  FOR i IN 1..300 LOOP
    IF NOT EXISTS (
      SELECT FROM pg_stat_activity a JOIN pg_locks l USING (pid)
      WHERE l.locktype = 'virtualxid' AND l.virtualxid = ANY (older) AND a.backend_xmin IS NOT NULL)
    THEN
      RETURN;
    END IF;
    PERFORM pg_sleep(0.1), pg_stat_clear_snapshot();
  END LOOP;
  RAISE EXCEPTION 'a transaction is still open that began before the day was copied'
    USING ERRCODE = 'lock_not_available';
END
$$;

-- Every row s of a table, u with its usage in two parts (as store/row_lean.c has it: words that repeat, counts of 0, and what is
-- of one call) and n with whether it may become lean, and the numbers that its words would have.
CREATE FUNCTION spendlog.wide_words(table_name text) RETURNS text
LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, pg_temp
RETURN format($query$
  spendlog.%I s
  CROSS JOIN LATERAL (
    SELECT jsonb_object_agg(e.key, e.value) FILTER (WHERE k.is_word)::text AS words,
      jsonb_object_agg(e.key, e.value) FILTER (WHERE NOT k.is_word)::text AS numbers
    FROM jsonb_each(CASE WHEN s.call_no IS NULL AND jsonb_typeof(s.usage) = 'object' THEN s.usage END) AS e (key, value)
    CROSS JOIN LATERAL (SELECT e.value = '0' OR jsonb_typeof(e.value) IN ('string', 'boolean') AND e.key NOT IN
      ('batch_models', 'batch_line_models', 'batch_rows', 'session_models', 'session_log', 'image_dimensions',
      'image_tool_items') AS is_word) k
  ) u
  CROSS JOIN LATERAL (
    SELECT concat(s.provider, E'\n', s.model, E'\n', s.model_requested, E'\n', s.model_group, E'\n',
        s.model_id, E'\n', s.call_type, E'\n', s.status, E'\n', s.service_tier, E'\n', s.mapping, E'\n',
        s.time_source, E'\n', u.words) AS call,
      concat(s.api_key, E'\n', s.api_key_alias, E'\n', s.user_id, E'\n', s.team_id, E'\n',
        s.team_alias, E'\n', s.organization_id, E'\n{', (SELECT string_agg('"' || replace(replace(t, '\', '\\'),
          '"', '\"') || '"', ',' ORDER BY n) FROM unnest(s.request_tags) WITH ORDINALITY AS a (t, n)), '}') AS caller
    OFFSET 0 -- once
  ) w
  CROSS JOIN LATERAL (
    SELECT s.call_no IS NULL AND coalesce(jsonb_typeof(s.usage) = 'object' AND s.usage <> '{}', true)
        AND spendlog.words_fit(w.call) AND spendlog.words_fit(w.caller) AS may,
      hashtextextended(w.call, 0) AS call_no, hashtextextended(w.caller, 0) AS caller_no
  ) n$query$, table_name);

-- First, in a transaction of its own: the words. Whoever adds the same ones meanwhile is waited for.
CREATE FUNCTION spendlog.carry_words(day date) RETURNS void
LANGUAGE plpgsql STRICT
SET search_path = pg_catalog, pg_temp
SET work_mem = '64MB'
SET enable_sort = off
SET jit = off
AS $$
DECLARE
  wide text := spendlog.wide_words(spendlog.partition_name(day));
BEGIN
  EXECUTE format('INSERT INTO spendlog.shared_calls SELECT DISTINCT ON (w.call_no) w.* FROM (SELECT DISTINCT n.call_no, '
    's.provider, s.model, s.model_requested, s.model_group, s.model_id, s.call_type, s.status, s.service_tier, '
    's.mapping, s.time_source, u.words FROM %s WHERE n.may) w ORDER BY w.call_no '
    'ON CONFLICT ON CONSTRAINT shared_calls_pkey DO NOTHING', wide);
  EXECUTE format('INSERT INTO spendlog.shared_callers SELECT DISTINCT ON (w.caller_no) w.* FROM (SELECT DISTINCT '
    'n.caller_no, coalesce(s.api_key, ''''), coalesce(s.api_key_alias, ''''), coalesce(s.user_id, ''''), '
    'coalesce(s.team_id, ''''), coalesce(s.team_alias, ''''), coalesce(s.organization_id, ''''), '
    'coalesce(s.request_tags, ''{}'') FROM %s WHERE n.may) w ORDER BY w.caller_no '
    'ON CONFLICT ON CONSTRAINT shared_callers_pkey DO NOTHING', wide);
END
$$;
COMMENT ON FUNCTION spendlog.carry_words(date) IS 'Adds the words of a day''s wide rows to the dictionaries';

-- Then, in one snapshot: the rows into a new table, lean where their words are in the dictionaries, and the
-- proof that both tables say the same, row by row. Gives how many rows stay wide.
CREATE FUNCTION spendlog.carry_fill(day date) RETURNS bigint
LANGUAGE plpgsql STRICT
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET timezone = 'UTC'
SET work_mem = '64MB'
SET enable_mergejoin = off
SET jit = off
AS $$
DECLARE
  leaf text := spendlog.partition_name(day);
  shadow text := spendlog.shadow_name(day);
  staged text := spendlog.staged_name(day);
  uuid_form text := '''^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$''';
  said text := 'SELECT count(*) AS rows, sum(r.spend) AS spend, sum(hash_record_extended(r, 0)::numeric) AS digest '
               'FROM (%s) r';
  before record;
  after record;
  wide bigint;
BEGIN
  IF NOT EXISTS (SELECT FROM spendlog.day_claims c WHERE c.day = carry_fill.day AND c.pid = pg_backend_pid()) THEN
    RAISE EXCEPTION '% is not claimed: days_claim() first', day USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  EXECUTE format('DROP TABLE IF EXISTS spendlog.%I, spendlog.%I', shadow, staged);
  DELETE FROM spendlog.reprice_shadows r WHERE r.day = carry_fill.day;
  EXECUTE format('CREATE TABLE spendlog.%I (LIKE spendlog.stored_rows INCLUDING ALL EXCLUDING INDEXES)', shadow);
  PERFORM spendlog.hand_watch(format('spendlog.%I', shadow)::regclass);
  EXECUTE format('ALTER TABLE spendlog.%I ADD CONSTRAINT shadow_bounds '
                 'CHECK (start_time >= %L AND start_time < %L)', shadow, day::timestamp, (day + 1)::timestamp);
  EXECUTE format('CREATE UNLOGGED TABLE spendlog.%I (LIKE spendlog.spend_adjustments)', staged);

  -- l: the numbers, where both contents stand under them; else the row stays as it is.
  EXECUTE format('INSERT INTO spendlog.%I (%s) SELECT %s FROM %s '
    'LEFT JOIN spendlog.shared_calls c ON c.call_no = n.call_no AND (c.provider, c.model, c.model_requested, '
    'c.model_group, c.model_id, c.call_type, c.status, c.service_tier, c.mapping, c.time_source, c.usage_text) '
    'IS NOT DISTINCT FROM (s.provider, s.model, s.model_requested, s.model_group, s.model_id, s.call_type, s.status, '
    's.service_tier, s.mapping, s.time_source, u.words) '
    'LEFT JOIN spendlog.shared_callers k ON k.caller_no = n.caller_no AND (k.api_key, k.api_key_alias, k.user_id, '
    'k.team_id, k.team_alias, k.organization_id, k.request_tags) = (coalesce(s.api_key, ''''), '
    'coalesce(s.api_key_alias, ''''), coalesce(s.user_id, ''''), coalesce(s.team_id, ''''), '
    'coalesce(s.team_alias, ''''), coalesce(s.organization_id, ''''), coalesce(s.request_tags, ''{}'')) '
    'CROSS JOIN LATERAL (SELECT CASE WHEN n.may AND k.caller_no IS NOT NULL THEN c.call_no END AS call_no, '
    'CASE WHEN n.may AND c.call_no IS NOT NULL THEN k.caller_no END AS caller_no) l '
    'ORDER BY s.start_time, s.identity', shadow,
    (SELECT string_agg(quote_ident(c.attname), ', ' ORDER BY c.attnum) FROM pg_attribute c
     WHERE c.attrelid = 'spendlog.stored_rows'::regclass AND c.attnum > 0 AND NOT c.attisdropped),
    (SELECT string_agg(CASE
       WHEN c.attname IN ('provider', 'model', 'model_requested', 'model_group', 'model_id', 'call_type', 'status',
         'service_tier', 'mapping', 'time_source', 'api_key', 'api_key_alias', 'user_id', 'team_id', 'team_alias',
         'organization_id', 'request_tags', 'usage', 'metadata')
       THEN format('CASE WHEN l.call_no IS NULL THEN s.%I END', c.attname)
       WHEN c.attname IN ('call_no', 'caller_no') THEN format('coalesce(l.%1$I, s.%1$I)', c.attname)
       WHEN c.attname IN ('pricing_reason', 'requester_ip', 'error_class')
       THEN format('CASE WHEN l.call_no IS NULL THEN s.%1$I ELSE nullif(s.%1$I, '''') END', c.attname)
       WHEN c.attname IN ('call_id', 'trace_id')
       THEN format('CASE WHEN l.call_no IS NULL THEN s.%1$I WHEN s.%1$I !~ %2$s THEN nullif(s.%1$I, '''') END',
                   c.attname, uuid_form)
       WHEN c.attname IN ('call_uuid', 'trace_uuid')
       THEN format('CASE WHEN l.call_no IS NULL THEN s.%1$I WHEN s.%2$I ~ %3$s THEN s.%2$I::uuid END', c.attname,
                   replace(c.attname, '_uuid', '_id'), uuid_form)
       WHEN c.attname = 'usage_text'
       THEN 'CASE WHEN l.call_no IS NULL THEN s.usage_text ELSE u.numbers END'
       WHEN c.attname = 'metadata_text'
       THEN 'CASE WHEN l.call_no IS NULL THEN s.metadata_text ELSE s.metadata::text END'
       ELSE format('s.%I', c.attname) END, ', ' ORDER BY c.attnum)
     FROM pg_attribute c
     WHERE c.attrelid = 'spendlog.stored_rows'::regclass AND c.attnum > 0 AND NOT c.attisdropped),
    spendlog.wide_words(leaf));

  EXECUTE format(said, spendlog.rows_of(leaf)) INTO before;
  EXECUTE format(said, spendlog.rows_of(shadow)) INTO after;
  IF before IS DISTINCT FROM after THEN
    RAISE EXCEPTION '% says %, carried over it would say %', day, before, after USING ERRCODE = 'data_exception';
  END IF;
  EXECUTE format('SELECT count(*) FROM spendlog.%I WHERE call_no IS NULL', shadow) INTO wide;
  INSERT INTO spendlog.reprice_shadows (day, snapshot, filled_rows, carry)
  VALUES (day, pg_current_snapshot(), after.rows, true);
  RETURN wide;
END
$$;
COMMENT ON FUNCTION spendlog.carry_fill(date) IS 'Copies a day''s rows in the lean form into a new table, and compares';

-- At last the new table takes the day's place, as after a reprice; late rows come along.
CREATE FUNCTION spendlog.carry_swap(day date, wide bigint) RETURNS bigint
LANGUAGE plpgsql STRICT
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  carried bigint;
BEGIN
  UPDATE spendlog.reprice_shadows r SET taken_in = pg_current_xact_id()
  WHERE r.day = carry_swap.day AND r.carry RETURNING r.filled_rows INTO STRICT carried;
  carried := carried + spendlog.swap_partition(day);
  UPDATE spendlog.carried_days c SET rows = carried, wide = carry_swap.wide,
    carried_at = clock_timestamp() AT TIME ZONE 'UTC'
  WHERE c.day = carry_swap.day;
  RETURN carried;
END
$$;
COMMENT ON FUNCTION spendlog.carry_swap(date, bigint) IS 'Puts a day that was carried over in the place of the original';

REVOKE ALL ON FUNCTION spendlog.wide_words(text), spendlog.carry_words(date),
  spendlog.carry_fill(date), spendlog.carry_swap(date, bigint) FROM PUBLIC;
GRANT SELECT ON spendlog.carried_days TO spendlog_writer, spendlog_repricer, spendlog_reader;
