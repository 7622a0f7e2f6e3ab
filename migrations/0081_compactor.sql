-- SPDX-License-Identifier: Apache-2.0
-- Deltas are merged by moving: what a statement takes away it puts back added up, so a reader finds either.
-- It meets no writer, who only appends, and one compactor at a time works.

SET LOCAL ROLE spendlog_owner;

INSERT INTO spendlog.locks (name) VALUES ('sums');

-- Lines of spend_sums added up, as a statement: by all columns, per quarter of an hour or per day.
CREATE FUNCTION spendlog.sum_merge(source text, grain text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN format($sql$
INSERT INTO spendlog.%1$I (grain, coarse, %2$s)
SELECT %3$L, g.* FROM (
  SELECT d.coarse, d.day, %4$s AS slot, d.level, d.label, d.provider, d.model, d.model_group, d.api_key,
    d.api_key_alias, d.user_id, d.team_id, d.team_alias, d.organization_id, d.call_type, d.status, d.pricing_status,
    d.pricing_reason, sum(d.entries) AS entries, sum(d.calls) AS calls, nullif(sum(d.spent), 0) AS spent,
    nullif(sum(d.costed), 0) AS costed, nullif(sum(d.gateway_calls), 0) AS gateway_calls,
    nullif(sum(d.input_calls), 0) AS input_calls, nullif(sum(d.output_calls), 0) AS output_calls,
    nullif(sum(d.cache_read_calls), 0) AS cache_read_calls, nullif(sum(d.cache_write_calls), 0) AS cache_write_calls,
    nullif(sum(d.reasoning_calls), 0) AS reasoning_calls, nullif(sum(d.timed_calls), 0) AS timed_calls,
    nullif(sum(d.differing), 0) AS differing, nullif(sum(d.by_clock), 0) AS by_clock, sum(d.spend) AS spend,
    sum(d.input_cost) AS input_cost, sum(d.output_cost) AS output_cost, sum(d.other_cost) AS other_cost,
    sum(d.gateway_cost) AS gateway_cost, sum(d.input_tokens) AS input_tokens, sum(d.output_tokens) AS output_tokens,
    sum(d.cache_read_tokens) AS cache_read_tokens, sum(d.cache_write_tokens) AS cache_write_tokens,
    sum(d.reasoning_tokens) AS reasoning_tokens, sum(d.duration_us) AS duration_us
  FROM %5$s d WHERE %6$s
  GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18) g
WHERE %7$s RETURNING day$sql$,
  CASE grain WHEN 'slot' THEN 'spend_slots' ELSE 'spend_days' END, spendlog.sum_columns(), grain,
  CASE grain WHEN 'slot' THEN 'd.slot' ELSE 'NULL::smallint' END, source,
  CASE grain WHEN 'slot' THEN 'd.level NOT IN (''drift'', ''open'', ''doubt'')' ELSE 'true' END,
  spendlog.sum_something());

CREATE FUNCTION spendlog.sums_merge_day(day date) RETURNS bigint
LANGUAGE plpgsql STRICT
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET jit = off
SET work_mem = '32MB'
AS $$
DECLARE
  kept bigint := 0;
  got bigint;
  grain text;
BEGIN
  FOREACH grain IN ARRAY ARRAY['slot', 'day'] LOOP
    EXECUTE format('WITH t AS (DELETE FROM spendlog.%I WHERE day = %L RETURNING *) ',
                   CASE grain WHEN 'slot' THEN 'spend_slots' ELSE 'spend_days' END, day)
      || spendlog.sum_merge('t', grain);
    GET DIAGNOSTICS got = ROW_COUNT;
    kept := kept + got;
  END LOOP;
  UPDATE spendlog.sums_days s SET lines = kept, added = 0 WHERE s.day = sums_merge_day.day;
  RETURN kept;
END
$$;

-- Merges up to `most` deltas, then the day that needs it most. `taken` deltas became `made` lines; NULL:
-- another session is at it.
CREATE FUNCTION spendlog.sums_compact(most integer, OUT taken bigint, OUT made bigint, OUT merged date)
LANGUAGE plpgsql STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET timezone = 'UTC'
SET jit = off
SET work_mem = '32MB'
AS $$
BEGIN
  PERFORM FROM spendlog.locks l WHERE l.name = 'sums' FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  EXECUTE 'WITH t AS (DELETE FROM spendlog.spend_deltas WHERE ctid = ANY (ARRAY('
          'SELECT ctid FROM spendlog.spend_deltas LIMIT $1)) RETURNING *), '
          'slots AS (' || spendlog.sum_merge('t', 'slot') || '), '
          'days AS (' || spendlog.sum_merge('t', 'day') || '), '
          'counted AS (SELECT day, count(*) AS lines FROM (SELECT day FROM slots UNION ALL SELECT day FROM days) b '
          'GROUP BY 1), '
          'noted AS (INSERT INTO spendlog.sums_days AS s (day, lines) SELECT day, lines FROM counted ORDER BY day '
          'ON CONFLICT ON CONSTRAINT sums_days_pkey DO UPDATE SET added = s.added + excluded.lines) '
          'SELECT (SELECT count(*) FROM t), (SELECT coalesce(sum(lines), 0) FROM counted)'
    INTO taken, made USING most;
  SELECT s.day INTO merged FROM spendlog.sums_days s WHERE s.added > s.lines ORDER BY s.added DESC, s.day LIMIT 1;
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
  gone bigint;
BEGIN
  UPDATE spendlog.dropped_partitions p SET rows_unsummed = p.rows
  WHERE p.day < before AND p.rows_unsummed <> p.rows
    AND NOT EXISTS (SELECT FROM spendlog.stored_days() s WHERE s.day = p.day);
  DELETE FROM spendlog.spend_sums s USING spendlog.dropped_partitions p
  WHERE s.day < before AND p.day = s.day AND p.rows_unsummed = p.rows
    AND NOT EXISTS (SELECT FROM spendlog.stored_days() d WHERE d.day = s.day);
  GET DIAGNOSTICS gone = ROW_COUNT;
  DELETE FROM spendlog.sums_days s USING spendlog.dropped_partitions p
  WHERE s.day < before AND p.day = s.day
    AND NOT EXISTS (SELECT FROM spendlog.stored_days() d WHERE d.day = s.day);
  RETURN gone;
END
$$;

REVOKE ALL ON FUNCTION spendlog.sum_merge(text, text), spendlog.sums_merge_day(date),
  spendlog.sums_compact(integer), spendlog.sums_forget(date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION spendlog.sums_compact(integer) TO spendlog_writer;
GRANT SELECT ON spendlog.sums_days, spendlog.sums_status
  TO spendlog_writer, spendlog_repricer, spendlog_reader;
