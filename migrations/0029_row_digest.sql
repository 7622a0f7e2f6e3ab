-- SPDX-License-Identifier: Apache-2.0
-- Counts do not see a row that was put in the place of another. The books also hold, per partition, the
-- exclusive or of a digest over all its rows, moved in the transaction that writes or drops them.

SET LOCAL ROLE spendlog_owner;

-- store/row_digest.c makes the same number before the row is written.
CREATE FUNCTION spendlog.row_digest(start_time timestamp, identity uuid, content_hash bigint,
  kafka_offset bigint, record_index integer, team_id text, user_id text, api_key text,
  organization_id text, model text) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN content_hash # (kafka_offset << 20) # record_index::bigint # uuid_hash_extended(identity, 1)
  # timestamp_hash_extended(start_time, 2) # hashtextextended(team_id, 3) # hashtextextended(user_id, 4)
  # hashtextextended(api_key, 5) # hashtextextended(organization_id, 6)
  # hashtextextended(coalesce(model, ''), 7);
COMMENT ON FUNCTION spendlog.row_digest(timestamp, uuid, bigint, bigint, integer, text, text, text, text, text)
  IS 'Which row it is, where it came from, what it says and who is charged, as one number';

ALTER TABLE spendlog.kafka_offsets ADD COLUMN row_digest bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN spendlog.kafka_offsets.row_digest IS 'exclusive or of row_digest() over the rows that are stored';

UPDATE spendlog.kafka_offsets o SET row_digest = d.digest
FROM (SELECT l.partition_id, bit_xor(spendlog.row_digest(l.start_time, l.identity, l.content_hash,
        l.kafka_offset, l.record_index, l.team_id, l.user_id, l.api_key, l.organization_id, l.model)) AS digest
      FROM spendlog.spend_logs l GROUP BY 1) d
WHERE d.partition_id = o.partition_id;

-- As before, and the digest of what goes is taken out.
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
                 'FROM spendlog.%I GROUP BY 1) d', name)
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
                 'coalesce(sum(output_tokens), 0), sum(spend) FROM spendlog.%I GROUP BY 2, 3, 4, 5',
                 day, name);
  EXECUTE format('DROP TABLE spendlog.%I', name);
  RETURN gone;
END
$$;

REVOKE ALL ON FUNCTION
  spendlog.row_digest(timestamp, uuid, bigint, bigint, integer, text, text, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
  spendlog.row_digest(timestamp, uuid, bigint, bigint, integer, text, text, text, text, text)
  TO spendlog_writer, spendlog_repricer, spendlog_reader;
GRANT UPDATE (row_digest) ON spendlog.kafka_offsets TO spendlog_writer;
