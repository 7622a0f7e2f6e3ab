-- SPDX-License-Identifier: Apache-2.0
-- One call, found by the filters of spend_logs_ids_brin for certain. The planner takes random ids for ones that
-- stand anywhere, expects the filters to exclude nothing, and where two of them are asked (OR) or a day is small it
-- would rather read the day. So these are functions which leave it no such choice.
-- And merging waits with a day until there is nothing else to merge: it is not gone over again and again.

SET LOCAL ROLE spendlog_owner;

-- Rows whose request id or gateway's own id it is; of rows without a request id, the identity, as in LiteLLM_SpendLogs.
CREATE FUNCTION spendlog.calls_named(id text) RETURNS TABLE (start_time timestamp, identity uuid)
LANGUAGE sql STABLE STRICT ROWS 2
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET max_parallel_workers_per_gather = 0
SET jit = off
AS $$
  SELECT s.start_time, s.identity FROM spendlog.spend_logs s
  WHERE id <> '' AND (s.call_id = id OR coalesce(nullif(s.request_id, ''), s.identity::text) = id)
$$;
COMMENT ON FUNCTION spendlog.calls_named(text) IS 'Rows whose request id or call id it is, found by the index; join spend_logs by both columns';

CREATE FUNCTION spendlog.calls_of_session(id text) RETURNS TABLE (start_time timestamp, identity uuid)
LANGUAGE sql STABLE STRICT ROWS 50
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET max_parallel_workers_per_gather = 0
SET jit = off
AS $$
  SELECT s.start_time, s.identity FROM spendlog.spend_logs s WHERE id <> '' AND s.session_id = id
$$;
COMMENT ON FUNCTION spendlog.calls_of_session(text) IS 'Rows of a session, found by the index; join spend_logs by both columns';

REVOKE ALL ON FUNCTION spendlog.calls_named(text), spendlog.calls_of_session(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION spendlog.calls_named(text), spendlog.calls_of_session(text)
  TO spendlog_writer, spendlog_repricer, spendlog_reader;

-- As in 0081, but a day is merged again only in a pass that found fewer deltas than it could take.
CREATE OR REPLACE FUNCTION spendlog.sums_compact(most integer, OUT taken bigint, OUT made bigint, OUT merged date)
LANGUAGE plpgsql STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET timezone = 'UTC'
SET jit = off
SET work_mem = '64MB'
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
  IF taken < most THEN
    SELECT s.day INTO merged FROM spendlog.sums_days s WHERE s.added > s.lines ORDER BY s.added DESC, s.day LIMIT 1;
  END IF;
  IF merged IS NOT NULL THEN
    PERFORM spendlog.sums_merge_day(merged);
  END IF;
END
$$;
