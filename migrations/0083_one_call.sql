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
