-- SPDX-License-Identifier: Apache-2.0
-- One call is found by its ids without reading its day: a bloom filter for each 32 pages. A range that was not
-- summarized yet is read; autovacuum does that as it goes, and summarize_days() what is left of days that are over.
-- The last one is what LiteLLM_SpendLogs calls request_id.

SET LOCAL ROLE spendlog_owner;

CREATE INDEX spend_logs_ids_brin ON spendlog.spend_logs USING brin (
  request_id text_bloom_ops, call_id text_bloom_ops, session_id text_bloom_ops,
  (coalesce(nullif(request_id, ''), identity::text)) text_bloom_ops)
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
