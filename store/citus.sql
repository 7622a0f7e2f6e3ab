-- SPDX-License-Identifier: Apache-2.0
-- What `spendlog migrate` says, after the migrations and in a transaction of its own, to a database that has the
-- extension citus: the rows lie on the workers, by identity. All else (the books of who read what, sums, dictionaries,
-- records of changes) is on the coordinator, where a batch's transaction is: what does not touch a row Citus does not
-- plan. Each `migrate` says all of it, over what is there. docs/citus.md says what works.

SET LOCAL ROLE spendlog_owner;

-- What follows is the coordinator's own.
SET LOCAL citus.enable_ddl_propagation = off;

-- --- rows

-- Citus takes no triggers on the tables that it spreads.
CREATE OR REPLACE FUNCTION spendlog.hand_watch(rows_of regclass) RETURNS void
LANGUAGE sql STRICT
SET search_path = pg_catalog, pg_temp
AS '';

DO $$
DECLARE
  it record;
BEGIN
  FOR it IN SELECT t.tgrelid::regclass AS rows_of FROM pg_trigger t WHERE t.tgname = 'strange_hand' AND t.tgparentid = 0 LOOP
    EXECUTE format('DROP TRIGGER strange_hand ON %s', it.rows_of);
  END LOOP;
END
$$;

-- A join in the place of NOT EXISTS.
CREATE OR REPLACE VIEW spendlog.counted_logs WITH (security_invoker = true) AS
SELECT l.* FROM spendlog.spend_logs l
LEFT JOIN spendlog.excluded_rows x ON x.start_time = l.start_time AND x.identity = l.identity
WHERE x.identity IS NULL;

-- --- sums

-- What the sums are made of is worked out on the coordinator, from a copy of the rows that are touched: each
-- transaction has its own. Nothing else is ever read from it.
DROP TABLE IF EXISTS spendlog.rows_touched;
CREATE UNLOGGED TABLE spendlog.rows_touched (LIKE spendlog.stored_rows, touched_by xid8 NOT NULL);
CREATE INDEX rows_touched_key ON spendlog.rows_touched (start_time, identity);
COMMENT ON TABLE spendlog.rows_touched IS 'Rows that a transaction changes, or that what it writes is about';
COMMENT ON COLUMN spendlog.rows_touched.touched_by IS 'the transaction, which alone reads them';

CREATE OR REPLACE FUNCTION spendlog.rows_touch(starts timestamp[], identities uuid[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  mine xid8 := pg_current_xact_id(); -- of this server: a default would be a worker's
  names text[] := (SELECT array_agg(quote_ident(c.attname) ORDER BY c.attnum) FROM pg_attribute c
                   WHERE c.attrelid = 'spendlog.rows_touched'::regclass AND c.attnum > 0 AND NOT c.attisdropped
                     AND c.attname <> 'touched_by');
BEGIN
  DELETE FROM spendlog.rows_touched t WHERE t.touched_by = mine;
  DELETE FROM spendlog.rows_touched t WHERE t.ctid IN (
    SELECT o.ctid FROM spendlog.rows_touched o WHERE o.touched_by <> mine FOR UPDATE SKIP LOCKED);
  EXECUTE format('INSERT INTO spendlog.rows_touched (%s, touched_by) SELECT s.%s, $5 FROM (SELECT * FROM unnest($1, $2) '
    'AS u (start_time, identity) OFFSET 0) k JOIN spendlog.stored_rows s ON s.start_time = k.start_time '
    'AND s.identity = k.identity WHERE s.start_time BETWEEN $3 AND $4',
    array_to_string(names, ', '), array_to_string(names, ', s.'))
    USING starts, identities, (SELECT min(u) FROM unnest(starts) u), (SELECT max(u) FROM unnest(starts) u), mine;
END
$$;
COMMENT ON FUNCTION spendlog.rows_touch(timestamp[], uuid[]) IS 'Copies the rows with these keys into rows_touched, in place of what was there';

-- The function under this name as the migrations made it, kept as NAME_of(); what is made in its place keeps its rights.
CREATE FUNCTION pg_temp.keep_as_made(made regprocedure) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
  named text := (SELECT p.proname FROM pg_proc p WHERE p.oid = made);
  definition text := pg_get_functiondef(made);
BEGIN
  IF position(named || '_of(' IN definition) = 0 THEN
    EXECUTE replace(definition, format('spendlog.%s(', named), format('spendlog.%s_of(', named));
  END IF;
END
$$;

SELECT pg_temp.keep_as_made('spendlog.sum_insert(text, text)');
CREATE OR REPLACE FUNCTION spendlog.sum_insert(entries text, kind text DEFAULT 'rows') RETURNS text
LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, pg_temp
RETURN spendlog.sum_insert_of(replace(entries, 'spendlog.stored_rows ',
  '(SELECT * FROM spendlog.rows_touched WHERE touched_by = pg_current_xact_id()) '), kind);

-- Where all sums are compared with the rows or made again, all rows come to the coordinator at the first mention, by a
-- query of its own, apart from the rest. Beside it rows are only looked up by key.
CREATE OR REPLACE FUNCTION spendlog.keys_noted() RETURNS text
LANGUAGE sql IMMUTABLE
RETURN '(SELECT r.* FROM spendlog."stored_rows" r JOIN (SELECT start_time, identity FROM spendlog.exclusions UNION '
  'SELECT start_time, identity FROM spendlog.spend_adjustments WHERE kind = ''posted'') k '
  'ON k.start_time = r.start_time AND k.identity = r.identity OFFSET 0) ';

CREATE OR REPLACE FUNCTION spendlog.rows_fetched(entries text, since date, until date) RETURNS text
LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
RETURN replace(regexp_replace(entries, 'spendlog\.stored_rows ', format(
  '(SELECT r.* FROM spendlog."stored_rows" r WHERE r.start_time >= %L AND r.start_time < %L OFFSET 0) ',
  since::timestamp, until::timestamp)), 'spendlog.stored_rows ', spendlog.keys_noted());

SELECT pg_temp.keep_as_made('spendlog.sum_entries(date, date)');
CREATE OR REPLACE FUNCTION spendlog.sum_entries(since date, until date) RETURNS text
LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, pg_temp
RETURN spendlog.rows_fetched(spendlog.sum_entries_of(since, until), since, until);

SELECT pg_temp.keep_as_made('spendlog.sum_meters(date, date)');
CREATE OR REPLACE FUNCTION spendlog.sum_meters(since date, until date) RETURNS text
LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, pg_temp
RETURN spendlog.rows_fetched(spendlog.sum_meters_of(since, until), since, until);

SELECT pg_temp.keep_as_made('spendlog.sums_audit(text, timestamp, timestamp, boolean)');
CREATE OR REPLACE FUNCTION spendlog.sums_audit(adjustments text, since timestamp, until timestamp, many boolean) RETURNS void
LANGUAGE plpgsql STRICT
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
AS $$
DECLARE
  starts timestamp[];
  identities uuid[];
BEGIN
  EXECUTE format('SELECT array_agg(a.start_time), array_agg(a.identity) FROM %s a', adjustments) INTO starts, identities;
  PERFORM spendlog.rows_touch(starts, identities);
  PERFORM spendlog.sums_audit_of(adjustments, since, until, many);
END
$$;

-- Before the triggers that append to the sums, by their names.
CREATE OR REPLACE FUNCTION spendlog.rows_touched_by() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  starts timestamp[];
  identities uuid[];
BEGIN
  SELECT array_agg(a.start_time), array_agg(a.identity) INTO starts, identities FROM added a;
  PERFORM spendlog.rows_touch(starts, identities);
  RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER spend_adjustments_rows AFTER INSERT ON spendlog.spend_adjustments
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION spendlog.rows_touched_by();
CREATE OR REPLACE TRIGGER exclusions_rows AFTER INSERT ON spendlog.exclusions
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION spendlog.rows_touched_by();

REVOKE ALL ON FUNCTION spendlog.rows_touch(timestamp[], uuid[]), spendlog.rows_touched_by(), spendlog.keys_noted(),
  spendlog.sum_insert_of(text, text), spendlog.rows_fetched(text, date, date), spendlog.sum_entries_of(date, date),
  spendlog.sum_meters_of(date, date), spendlog.sums_audit_of(text, timestamp, timestamp, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION spendlog.keys_noted(), spendlog.rows_fetched(text, date, date), spendlog.sum_entries_of(date, date),
  spendlog.sum_meters_of(date, date)
  TO spendlog_writer, spendlog_repricer, spendlog_reader;

-- --- views and functions

DO $$
DECLARE
  it record;
BEGIN
  -- Batches and records of changes are not where the rows are: LiteLLM's view does not say when a row was written.
  EXECUTE 'CREATE OR REPLACE VIEW litellm."LiteLLM_SpendLogs" WITH (security_invoker = true) AS ' ||
    regexp_replace(regexp_replace(pg_get_viewdef('litellm."LiteLLM_SpendLogs"'::regclass),
      'COALESCE\(\( SELECT .*? AS created_at', 'NULL::timestamp(6) AS created_at'),
      'COALESCE\(\( SELECT .*? AS updated_at', 'NULL::timestamp AS updated_at');
  EXECUTE replace(pg_get_functiondef('spendlog.sums_differ(boolean)'::regprocedure),
                  'FROM spendlog.stored_rows s', 'FROM ' || spendlog.keys_noted() || 's');
  -- Citus takes arguments of functions in plpgsql, not of those in SQL.
  FOR it IN SELECT pg_get_functiondef(p.oid) AS definition, p.prosrc AS body, p.proretset AS rows FROM pg_proc p
            JOIN pg_language l ON l.oid = p.prolang AND l.lanname = 'sql'
            WHERE p.pronamespace = 'spendlog'::regnamespace AND p.provolatile <> 'i' AND p.pronargs > 0
              AND p.prosqlbody IS NULL AND p.prosrc ~ 'spendlog\.(spend_|stored_|counted_|shared_)' LOOP
    EXECUTE replace(replace(it.definition, 'LANGUAGE sql', 'LANGUAGE plpgsql'), it.body,
      format(CASE WHEN it.rows THEN E'\n#variable_conflict use_column\nBEGIN RETURN QUERY %s; END\n'
                  ELSE E'\n#variable_conflict use_column\nBEGIN RETURN (%s); END\n' END, rtrim(it.body, E'; \n')));
  END LOOP;
  -- What a row's charge is made of is worked out where the row is, from what stands in it and from the units. Workers that
  -- have these functions are to have them anew.
  IF EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'spendlog.stored_rows'::regclass) THEN
    SET LOCAL citus.enable_ddl_propagation = on;
  END IF;
  PERFORM set_config('search_path', 'pg_catalog', true); -- names with their schema
  FOR it IN SELECT pg_get_functiondef(p.oid) AS definition, pg_get_function_sqlbody(p.oid) AS body FROM pg_proc p
            WHERE p.pronamespace = 'spendlog'::regnamespace
              AND p.proname IN ('items_of', 'focus_items', 'items_said', 'meters_of') AND p.prosqlbody IS NOT NULL LOOP
    EXECUTE replace(replace(it.definition, 'LANGUAGE sql', 'LANGUAGE plpgsql'), it.body, format('AS %L',
      E'\n#variable_conflict use_column\nBEGIN RETURN QUERY ' || regexp_replace(it.body, '^BEGIN ATOMIC|;\s*END$', '', 'g') || E'; END\n'));
  END LOOP;
  EXECUTE regexp_replace((SELECT pg_get_functiondef(p.oid) FROM pg_proc p
                          WHERE p.pronamespace = 'spendlog'::regnamespace AND p.proname = 'items_of'),
    '(spendlog\.)?charge_units u|\(VALUES [^\n]* u \(code, unit, side\)',
    (SELECT '(VALUES ' || string_agg(format('(%L, %L, %L)', u.code, u.unit, u.side), ', ') || ') u (code, unit, side)'
     FROM spendlog.charge_units u));
END
$$;

-- --- workers

SET LOCAL citus.enable_ddl_propagation = on;
SET LOCAL citus.multi_shard_modify_mode = 'sequential';

SELECT create_distributed_table('spendlog.stored_rows', 'identity')
WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'spendlog.stored_rows'::regclass);

-- Functions that look at no table are what statements about rows take along.
SELECT create_distributed_function(p.oid::regprocedure) FROM pg_proc p
WHERE p.pronamespace = 'spendlog'::regnamespace AND p.prokind = 'f'
  AND (p.provolatile = 'i' AND p.proname <> 'keys_noted' OR p.proname IN ('items_of', 'focus_items'))
ORDER BY p.oid;
