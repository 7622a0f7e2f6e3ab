-- SPDX-License-Identifier: Apache-2.0
-- Who may do what. Partitions are reached through spend_logs alone: they carry no grants.

SET LOCAL ROLE spendlog_owner;

REVOKE ALL ON FUNCTION spendlog.partition_name(date), spendlog.ensure_partition(date),
  spendlog.drop_partition(date), spendlog.drop_expired(integer), spendlog.guard_prune(integer)
  FROM PUBLIC;

GRANT USAGE ON SCHEMA spendlog, litellm TO spendlog_writer, spendlog_repricer, spendlog_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA spendlog
  TO spendlog_writer, spendlog_repricer, spendlog_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA litellm
  TO spendlog_writer, spendlog_repricer, spendlog_reader;
GRANT EXECUTE ON FUNCTION spendlog.partition_name(date)
  TO spendlog_writer, spendlog_repricer, spendlog_reader;

-- The writer: adds rows, moves its offsets, never touches a row that is there.
GRANT USAGE ON SEQUENCE spendlog.batch_id_seq TO spendlog_writer;
GRANT INSERT ON spendlog.spend_logs, spendlog.price_books, spendlog.kafka_offsets,
  spendlog.kafka_gaps, spendlog.ingest_batches, spendlog.ingest_counters,
  spendlog.rejected_events, spendlog.ingest_conflicts, spendlog.identity_guard
  TO spendlog_writer;
GRANT UPDATE (next_offset, last_message_ms, last_message_hash, messages, records, rows, duplicates,
              rejected, skipped, conflicts, replaced_at, updated_at)
  ON spendlog.kafka_offsets TO spendlog_writer;
GRANT UPDATE (count) ON spendlog.ingest_counters TO spendlog_writer;
GRANT UPDATE (resolved_at, resolution) ON spendlog.rejected_events TO spendlog_writer;
GRANT EXECUTE ON FUNCTION spendlog.ensure_partition(date), spendlog.drop_expired(integer),
  spendlog.guard_prune(integer) TO spendlog_writer;

-- The repricer: the money of rows, and the books of why.
GRANT UPDATE (spend, input_cost, output_cost, other_cost, pricing_status, pricing_reason,
              price_book_id)
  ON spendlog.spend_logs TO spendlog_repricer;
GRANT INSERT ON spendlog.price_books, spendlog.reprice_runs, spendlog.spend_adjustments
  TO spendlog_repricer;
GRANT UPDATE (state, considered, changed, unchanged, skipped, delta, finished_at)
  ON spendlog.reprice_runs TO spendlog_repricer;
