-- SPDX-License-Identifier: Apache-2.0
-- A message that expands to more records than one batch takes is written in parts: what has been read is a
-- place (offset, index of the record), and a record is (partition, offset, index) everywhere.

SET LOCAL ROLE spendlog_owner;

ALTER TABLE spendlog.kafka_offsets
  ADD COLUMN next_index integer NOT NULL DEFAULT 0
    CONSTRAINT kafka_offsets_next_index CHECK (next_index >= 0);
COMMENT ON COLUMN spendlog.kafka_offsets.next_index IS 'the next record to read of the message at next_offset; above 0: those before it are stored, and last_message_ms and last_message_hash are of this message';

ALTER TABLE spendlog.ingest_batches
  ADD COLUMN first_indexes bigint[],
  ADD COLUMN next_indexes bigint[];
COMMENT ON COLUMN spendlog.ingest_batches.first_indexes IS 'records of the messages at first_offsets that earlier batches had read; NULL: none (0.1.0)';
COMMENT ON COLUMN spendlog.ingest_batches.next_indexes IS 'records of the messages at next_offsets that this batch read; NULL: none (0.1.0)';

GRANT UPDATE (next_index) ON spendlog.kafka_offsets TO spendlog_writer;
