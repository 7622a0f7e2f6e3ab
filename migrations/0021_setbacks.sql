-- SPDX-License-Identifier: Apache-2.0
-- A database that came back older than it was: a standby promoted before it had everything, a crash with
-- synchronous_commit off, a backup restored. Offsets went back with the rows, so what is missing is read
-- from Kafka again; here stands that it happened, and what shows afterwards that it was read.

SET LOCAL ROLE spendlog_owner;

CREATE TABLE spendlog.kafka_setbacks (
  setback_id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT kafka_setbacks_pkey PRIMARY KEY,
  partition_id bigint NOT NULL
    CONSTRAINT kafka_setbacks_partition_fkey REFERENCES spendlog.kafka_offsets,
  known_offset bigint NOT NULL,
  stored_offset bigint NOT NULL,
  member text NOT NULL,
  noticed_at timestamp(6) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
  CONSTRAINT kafka_setbacks_back CHECK (stored_offset < known_offset)
);
COMMENT ON TABLE spendlog.kafka_setbacks IS 'Where the database went back: offsets that had been stored and were not there any more';
COMMENT ON COLUMN spendlog.kafka_setbacks.known_offset IS 'the next offset to read, as the member knew it to be stored';
COMMENT ON COLUMN spendlog.kafka_setbacks.stored_offset IS 'the next offset to read, as it was found; reading went on here';
COMMENT ON COLUMN spendlog.kafka_setbacks.member IS 'application name of the connection';
COMMENT ON COLUMN spendlog.kafka_setbacks.noticed_at IS 'UTC';

-- A few duplicates of each batch, with the key of the row that they are duplicates of.
CREATE TABLE spendlog.duplicate_samples (
  partition_id bigint NOT NULL
    CONSTRAINT duplicate_samples_partition_fkey REFERENCES spendlog.kafka_offsets,
  kafka_offset bigint NOT NULL,
  record_index integer NOT NULL,
  batch_id bigint NOT NULL,
  start_time timestamp(6) NOT NULL,
  identity uuid NOT NULL,
  noticed_at timestamp(6) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
  CONSTRAINT duplicate_samples_pkey PRIMARY KEY (partition_id, kafka_offset, record_index)
);
COMMENT ON TABLE spendlog.duplicate_samples IS 'Some of the records counted as duplicates: `spendlog verify` looks for the row of each';
COMMENT ON COLUMN spendlog.duplicate_samples.start_time IS 'key of the row that was there, with identity; UTC';
COMMENT ON COLUMN spendlog.duplicate_samples.noticed_at IS 'UTC';

CREATE FUNCTION spendlog.duplicates_prune(keep_days integer) RETURNS bigint
LANGUAGE sql STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
  WITH gone AS (
    DELETE FROM spendlog.duplicate_samples
    WHERE noticed_at < (now() AT TIME ZONE 'UTC') - make_interval(days => greatest(keep_days, 1))
    RETURNING 1
  )
  SELECT count(*) FROM gone
$$;
COMMENT ON FUNCTION spendlog.duplicates_prune(integer) IS 'Forgets sampled duplicates older than the given days (at least 1)';

-- Numbers that rows keep (of a batch, a price book, a partition, a run ...) are given once. A sequence
-- never goes back with a physical standby; it does with a logical one, or a backup restored in parts.
-- Whichever column takes its numbers from one is found in the catalogue.
CREATE FUNCTION spendlog.sequences_forward() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '5s'
AS $$
DECLARE
  moved integer := 0;
  it record;
  used bigint;
  given bigint;
BEGIN
  FOR it IN
    SELECT 'spendlog.batch_id_seq' AS sequence, 'ingest_batches' AS table_name, 'batch_id' AS column_name
    UNION ALL
    SELECT pg_get_serial_sequence(format('spendlog.%I', c.relname), a.attname), c.relname, a.attname
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relnamespace = 'spendlog'::regnamespace AND a.attidentity <> '' AND NOT a.attisdropped
  LOOP
    EXECUTE format('SELECT max(%I) FROM spendlog.%I', it.column_name, it.table_name) INTO used;
    EXECUTE format('SELECT last_value - CASE WHEN is_called THEN 0 ELSE 1 END FROM %s', it.sequence)
      INTO given;
    CONTINUE WHEN used IS NULL OR given >= used;
    -- One at a time: who comes second finds it done.
    LOCK TABLE spendlog.kafka_setbacks IN SHARE ROW EXCLUSIVE MODE;
    EXECUTE format('SELECT setval(%L, greatest(%s, last_value)) FROM %s', it.sequence, used, it.sequence);
    moved := moved + 1;
  END LOOP;
  RETURN moved;
END
$$;
COMMENT ON FUNCTION spendlog.sequences_forward() IS 'Sets sequences that are behind the numbers in use; how many were';

-- Rows of 0.1.0 may name a book that went with an old primary: its number is not given to another one.
SELECT setval('spendlog.price_books_price_book_id_seq', used)
FROM (SELECT greatest(
  (SELECT max(price_book_id) FROM spendlog.spend_logs),
  (SELECT max(greatest(old_price_book_id, new_price_book_id)) FROM spendlog.spend_adjustments)) AS used) u
WHERE used >= (SELECT last_value FROM spendlog.price_books_price_book_id_seq);

REVOKE ALL ON FUNCTION spendlog.duplicates_prune(integer), spendlog.sequences_forward() FROM PUBLIC;
GRANT SELECT ON spendlog.kafka_setbacks, spendlog.duplicate_samples
  TO spendlog_writer, spendlog_repricer, spendlog_reader;
GRANT INSERT ON spendlog.kafka_setbacks, spendlog.duplicate_samples TO spendlog_writer;
GRANT EXECUTE ON FUNCTION spendlog.duplicates_prune(integer) TO spendlog_writer;
GRANT EXECUTE ON FUNCTION spendlog.sequences_forward() TO spendlog_writer, spendlog_repricer;
