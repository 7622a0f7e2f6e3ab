-- SPDX-License-Identifier: Apache-2.0
-- One call is found by its ids without reading its day: a bloom filter for each 32 pages. A range that was not
-- summarized yet is read; autovacuum does that as it goes, and summarize_days() what is left of days that are over.
-- Call ids are indexed as they are stored: to make a text of each uuid costs a row more than the rest of the index.
-- The expression is what LiteLLM_SpendLogs calls request_id; behind it, what runs are found by (0160). One index with
-- the batch: each BRIN index looks for its range once a row.

SET LOCAL ROLE spendlog_owner;

DROP INDEX spendlog.spend_logs_batch_id_brin;
CREATE INDEX spend_logs_brin ON spendlog.stored_rows USING brin (
  batch_id, request_id text_bloom_ops, call_uuid uuid_bloom_ops, call_id text_bloom_ops, session_id text_bloom_ops,
  (coalesce(nullif(request_id, ''), identity::text)) text_bloom_ops, trace_uuid uuid_bloom_ops,
  trace_id text_bloom_ops, parent_id text_bloom_ops)
  WITH (pages_per_range = 32, autosummarize = on);

-- What is left of the days before `before`.
CREATE FUNCTION spendlog.summarize_days(before date) RETURNS bigint
LANGUAGE plpgsql STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '2s'
AS $$
DECLARE
  made bigint := 0;
  index oid;
BEGIN
  FOR index IN
    SELECT i.indexrelid FROM spendlog.stored_days() s
    JOIN pg_index i ON i.indrelid = s.leaf
    JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam AND a.amname = 'brin'
    WHERE s.day < before AND s.day >= before - 3
  LOOP
    made := made + brin_summarize_new_values(index);
  END LOOP;
  RETURN made;
END
$$;
COMMENT ON FUNCTION spendlog.summarize_days(date) IS 'Completes the BRIN indexes of the three days before a day';
REVOKE ALL ON FUNCTION spendlog.summarize_days(date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION spendlog.summarize_days(date) TO spendlog_writer;

-- The planner takes random ids for ones that stand anywhere, expects the filters to exclude nothing, and where two
-- of them are asked (OR) or a day is small it would rather read the day. These functions leave it no such choice.

-- Rows whose request id or gateway's own id it is; of rows without a request id, the identity, as in LiteLLM_SpendLogs.
CREATE FUNCTION spendlog.calls_named(id text) RETURNS TABLE (start_time timestamp, identity uuid)
LANGUAGE sql STABLE STRICT ROWS 2
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET max_parallel_workers_per_gather = 0
SET jit = off
AS $$
  SELECT s.start_time, s.identity FROM spendlog.stored_rows s
  WHERE id <> '' AND (coalesce(nullif(s.request_id, ''), s.identity::text) = id OR s.call_id = id
    OR s.call_uuid = CASE WHEN id ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' THEN id::uuid END)
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
