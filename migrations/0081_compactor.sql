-- SPDX-License-Identifier: Apache-2.0
-- Deltas are merged by moving: what a statement takes away it puts back added up, so a reader finds either.
-- It meets no writer, who only appends, and one compactor at a time works.

SET LOCAL ROLE spendlog_owner;

INSERT INTO spendlog.locks (name) VALUES ('sums');

-- Lines d of a source added up into a merged table, as a statement that gives what was merged; merged counts are
-- explicit. Lines with numbers are told apart by few and short columns, which is most of what merging costs.
CREATE FUNCTION spendlog.sum_merge(source text, merged text) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN (SELECT format('INSERT INTO spendlog.%1$I (%2$s) SELECT %3$s FROM (%4$s) g WHERE %5$s RETURNING *', merged,
  spendlog.sum_list('%1$I', 'key', 'count', 'figure'), spendlog.sum_list('g.%1$I', 'key', 'count', 'figure'),
  string_agg(format('SELECT %s, %s FROM %s d WHERE d.call_no IS %s GROUP BY %s', k.selected, f.added, source, w.form,
    k.grouped), ' UNION ALL '), spendlog.sum_something())
  FROM (VALUES ('NOT NULL', false), ('NULL', true)) AS w (form, wide)
  CROSS JOIN LATERAL (
    SELECT string_agg(CASE WHEN c.name = 'slot' AND merged = 'spend_days' THEN 'NULL::smallint AS slot'
        WHEN w.wide OR c.place <= 8 THEN c.reading
        WHEN c.name = 'request_tags' THEN 'NULL::text[] AS request_tags'
        ELSE format('NULL::text AS %I', c.name) END, ', ' ORDER BY c.place) AS selected,
      string_agg(c.reading, ', ' ORDER BY c.place) FILTER (WHERE (w.wide OR c.place <= 8)
        AND NOT (c.name = 'slot' AND merged = 'spend_days')) AS grouped
    FROM spendlog.sum_columns() c WHERE c.kind = 'key') k
  CROSS JOIN LATERAL (
    SELECT string_agg(format('sum(%s) AS %I', CASE c.kind WHEN 'count' THEN c.reading ELSE 'd.' || c.name END, c.name),
      ', ' ORDER BY c.place) AS added
    FROM spendlog.sum_columns() c WHERE c.kind <> 'key') f);

CREATE FUNCTION spendlog.sums_merge_day(day date) RETURNS bigint
LANGUAGE plpgsql STRICT
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET jit = off
SET enable_sort = off
SET work_mem = '64MB'
AS $$
DECLARE
  kept bigint := 0;
  got bigint;
  merged text;
BEGIN
  PERFORM FROM spendlog.locks l WHERE l.name = 'sums' FOR UPDATE;
  PERFORM set_config('spendlog.sums', 'again', true); -- what is kept beside merged lines has these
  FOREACH merged IN ARRAY ARRAY['spend_slots', 'spend_days'] LOOP
    EXECUTE format('WITH t AS (DELETE FROM spendlog.%I WHERE day = %L RETURNING *) ', merged, day)
      || spendlog.sum_merge('t', merged);
    GET DIAGNOSTICS got = ROW_COUNT;
    kept := kept + got;
  END LOOP;
  PERFORM set_config('spendlog.sums', '', true);
  UPDATE spendlog.sums_days s SET lines = kept, added = 0 WHERE s.day = sums_merge_day.day;
  RETURN kept;
END
$$;

-- Merges up to `most` deltas; a pass that found fewer, the day that needs it most as well. `taken` deltas became
-- `made` lines; NULL: another session is at it.
CREATE FUNCTION spendlog.sums_compact(most integer, OUT taken bigint, OUT made bigint, OUT merged date)
LANGUAGE plpgsql STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET timezone = 'UTC'
SET jit = off
SET enable_sort = off
SET work_mem = '64MB'
AS $$
BEGIN
  PERFORM FROM spendlog.locks l WHERE l.name = 'sums' FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  EXECUTE 'WITH t AS (DELETE FROM spendlog.spend_deltas WHERE ctid = ANY (ARRAY('
          'SELECT ctid FROM spendlog.spend_deltas LIMIT $1)) RETURNING *), '
          'slots AS (' || spendlog.sum_merge('t', 'spend_slots') || '), '
          'days AS (' || spendlog.sum_merge('slots', 'spend_days') || '), '
          'counted AS (SELECT day, count(*) AS lines FROM (SELECT day FROM slots UNION ALL SELECT day FROM days) b '
          'GROUP BY 1), '
          'noted AS (INSERT INTO spendlog.sums_days AS s (day, lines) SELECT day, lines FROM counted ORDER BY day '
          'ON CONFLICT ON CONSTRAINT sums_days_pkey DO UPDATE SET added = s.added + excluded.lines) '
          'SELECT (SELECT count(*) FROM t), (SELECT coalesce(sum(lines), 0) FROM counted)'
    INTO taken, made USING most;
  IF taken < most THEN
    SELECT s.day INTO merged FROM spendlog.sums_days s WHERE s.added > s.lines ORDER BY s.added DESC, s.day LIMIT 1;
  END IF;
  IF merged IS NOT NULL THEN
    PERFORM spendlog.sums_merge_day(merged);
  END IF;
END
$$;
COMMENT ON FUNCTION spendlog.sums_compact(integer) IS 'Merges deltas of the sums, up to so many, and the day that needs it most; changes no sum';

-- What there is to do.
CREATE VIEW spendlog.sums_status WITH (security_invoker = true) AS
SELECT (SELECT count(*) FROM spendlog.spend_deltas) AS deltas, (SELECT min(day) FROM spendlog.spend_deltas) AS first_day,
  (SELECT coalesce(sum(lines + added), 0) FROM spendlog.sums_days) AS merged_lines,
  (SELECT count(*) FROM spendlog.sums_days WHERE added > lines) AS days_due;
COMMENT ON VIEW spendlog.sums_status IS 'Deltas that are not merged yet, and merged lines';

-- --- how long sums are kept

-- As before; and what merged sums are older than retention keeps goes with the day.
CREATE OR REPLACE FUNCTION spendlog.drop_expired(process_days integer, caller_now timestamptz DEFAULT NULL,
                                      OUT day date, OUT rows bigint, OUT spend numeric, OUT held text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
  due date;
BEGIN
  PERFORM spendlog.session_expect();
  SELECT d.expired, d.held INTO due, held FROM spendlog.day_expired(process_days, caller_now) d;
  IF due IS NULL THEN
    RETURN;
  END IF;
  rows := spendlog.drop_partition(due);
  IF rows IS NULL THEN
    RETURN; -- another member was faster
  END IF;
  day := due;
  SELECT p.spend INTO spend FROM spendlog.dropped_partitions p WHERE p.day = due;
  DELETE FROM spendlog.dropped_sums s USING spendlog.retention r
  WHERE s.day < due - (r.keep_sums_days - r.keep_days);
  PERFORM spendlog.sums_forget(due - (r.keep_sums_days - r.keep_days)) FROM spendlog.retention r
  WHERE r.keep_sums_days IS NOT NULL AND r.keep_days IS NOT NULL;
END
$$;

-- Sums of days before `before` whose rows are gone. dropped_partitions says from then on that they are in
-- no sum.
CREATE FUNCTION spendlog.sums_forget(before date) RETURNS bigint
LANGUAGE plpgsql STRICT
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  old date[];
  lines_of text;
  deleted bigint;
  gone bigint := 0;
BEGIN
  PERFORM spendlog.session_expect();
  PERFORM FROM spendlog.locks l WHERE l.name = 'partitions' FOR UPDATE; -- no day comes back meanwhile
  PERFORM FROM spendlog.locks l WHERE l.name = 'sums' FOR UPDATE; -- and nothing is merged
  UPDATE spendlog.dropped_partitions p SET rows_unsummed = p.rows
  WHERE p.day < before AND p.rows_unsummed <> p.rows
    AND NOT EXISTS (SELECT FROM spendlog.stored_days() s WHERE s.day = p.day);
  old := (SELECT array_agg(p.day) FROM spendlog.dropped_partitions p
          WHERE p.day < before AND NOT EXISTS (SELECT FROM spendlog.stored_days() s WHERE s.day = p.day));
  PERFORM set_config('spendlog.sums', 'remade', true);
  FOREACH lines_of IN ARRAY ARRAY['spend_deltas', 'spend_slots', 'spend_days'] LOOP
    EXECUTE format('DELETE FROM spendlog.%I WHERE day = ANY ($1)', lines_of) USING old;
    GET DIAGNOSTICS deleted = ROW_COUNT;
    gone := gone + deleted;
  END LOOP;
  PERFORM set_config('spendlog.sums', '', true);
  DELETE FROM spendlog.sums_days s WHERE s.day = ANY (old);
  RETURN gone;
END
$$;

REVOKE ALL ON FUNCTION spendlog.sum_merge(text, text), spendlog.sums_merge_day(date),
  spendlog.sums_compact(integer), spendlog.sums_forget(date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION spendlog.sums_compact(integer) TO spendlog_writer;
GRANT SELECT ON spendlog.sums_days, spendlog.sums_status
  TO spendlog_writer, spendlog_repricer, spendlog_reader;
