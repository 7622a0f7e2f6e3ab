-- SPDX-License-Identifier: Apache-2.0
-- The rows, where they came from, and the books that say nothing was lost or counted twice.
-- All times are UTC in timestamp without time zone: a view may rename such a column and partitions
-- are still pruned, which AT TIME ZONE would prevent.

SET LOCAL ROLE spendlog_owner;

CREATE SEQUENCE spendlog.batch_id_seq;

CREATE TABLE spendlog.spend_logs (
  -- fixed width first
  start_time timestamp(6) NOT NULL,
  identity uuid NOT NULL,
  batch_id bigint NOT NULL,
  partition_id bigint NOT NULL,
  kafka_offset bigint NOT NULL,
  content_hash bigint NOT NULL,
  end_time timestamp(6),
  first_token_time timestamp(6),
  input_tokens bigint,
  output_tokens bigint,
  total_tokens bigint,
  cache_read_tokens bigint,
  cache_write_tokens bigint,
  reasoning_tokens bigint,
  status_code bigint,
  price_book_id integer NOT NULL,
  record_index integer NOT NULL,
  flags integer NOT NULL,
  cache_hit boolean,
  stream boolean,
  -- money
  spend numeric(38, 18),
  input_cost numeric(38, 18),
  output_cost numeric(38, 18),
  other_cost numeric(38, 18),
  gateway_cost numeric,
  pricing_status text NOT NULL,
  pricing_reason text NOT NULL DEFAULT '',
  -- facts: NULL is absent, which is not the empty text
  provider text,
  model text,
  model_requested text,
  model_group text,
  model_id text,
  call_type text,
  status text,
  service_tier text,
  -- labels: '' is absent
  request_id text NOT NULL DEFAULT '',
  call_id text NOT NULL DEFAULT '',
  trace_id text NOT NULL DEFAULT '',
  session_id text NOT NULL DEFAULT '',
  api_key text NOT NULL DEFAULT '',
  api_key_alias text NOT NULL DEFAULT '',
  user_id text NOT NULL DEFAULT '',
  team_id text NOT NULL DEFAULT '',
  team_alias text NOT NULL DEFAULT '',
  organization_id text NOT NULL DEFAULT '',
  end_user text NOT NULL DEFAULT '',
  requester_ip text NOT NULL DEFAULT '',
  error_class text NOT NULL DEFAULT '',
  mapping text NOT NULL,
  time_source text NOT NULL,
  request_tags text[] NOT NULL DEFAULT '{}',
  metadata jsonb,
  usage jsonb,
  CONSTRAINT spend_logs_pkey PRIMARY KEY (start_time, identity),
  CONSTRAINT spend_logs_spend_not_nan CHECK (spend <> 'NaN'),
  CONSTRAINT spend_logs_costs_not_nan
    CHECK (input_cost <> 'NaN' AND output_cost <> 'NaN' AND other_cost <> 'NaN'),
  CONSTRAINT spend_logs_pricing_status
    CHECK (pricing_status IN ('priced', 'free', 'reported', 'unpriced')),
  CONSTRAINT spend_logs_unpriced_is_null CHECK ((pricing_status = 'unpriced') = (spend IS NULL)),
  CONSTRAINT spend_logs_time_source CHECK (time_source IN ('event', 'derived', 'kafka'))
) PARTITION BY RANGE (start_time);

CREATE INDEX spend_logs_batch_id_brin ON spendlog.spend_logs USING brin (batch_id)
  WITH (pages_per_range = 32, autosummarize = on);

COMMENT ON TABLE spendlog.spend_logs IS 'One row per billable call, partitioned by day (UTC) of its start';
COMMENT ON COLUMN spendlog.spend_logs.start_time IS 'start of the call, UTC';
COMMENT ON COLUMN spendlog.spend_logs.identity IS '128-bit hash of what makes the event unique; with start_time it is the key';
COMMENT ON COLUMN spendlog.spend_logs.batch_id IS 'the transaction that wrote the row: ingest_batches.batch_id';
COMMENT ON COLUMN spendlog.spend_logs.partition_id IS 'where the row came from: kafka_offsets.partition_id';
COMMENT ON COLUMN spendlog.spend_logs.kafka_offset IS 'offset of its message';
COMMENT ON COLUMN spendlog.spend_logs.record_index IS 'place in its message, from 0';
COMMENT ON COLUMN spendlog.spend_logs.content_hash IS '64-bit hash of all facts and labels: tells a resend from a conflict';
COMMENT ON COLUMN spendlog.spend_logs.end_time IS 'end of the call, UTC';
COMMENT ON COLUMN spendlog.spend_logs.first_token_time IS 'when the first token came, UTC';
COMMENT ON COLUMN spendlog.spend_logs.input_tokens IS 'tokens; all input, cache reads and writes included';
COMMENT ON COLUMN spendlog.spend_logs.output_tokens IS 'tokens; all output, reasoning included';
COMMENT ON COLUMN spendlog.spend_logs.total_tokens IS 'tokens, as reported; a check, never priced';
COMMENT ON COLUMN spendlog.spend_logs.cache_read_tokens IS 'tokens; part of input_tokens';
COMMENT ON COLUMN spendlog.spend_logs.cache_write_tokens IS 'tokens; part of input_tokens';
COMMENT ON COLUMN spendlog.spend_logs.reasoning_tokens IS 'tokens; part of output_tokens';
COMMENT ON COLUMN spendlog.spend_logs.status_code IS 'HTTP status';
COMMENT ON COLUMN spendlog.spend_logs.price_book_id IS 'what priced the row: price_books.price_book_id';
COMMENT ON COLUMN spendlog.spend_logs.flags IS
  'bits: 1 text repaired, 2 part clamped, 4 duplicate key, 8 total mismatch, 16 no duration, 32 key hashed, 64 text cut';
COMMENT ON COLUMN spendlog.spend_logs.spend IS 'US dollars, exact; NULL when no price is known';
COMMENT ON COLUMN spendlog.spend_logs.input_cost IS 'US dollars: items of the input side';
COMMENT ON COLUMN spendlog.spend_logs.output_cost IS 'US dollars: items of the output side';
COMMENT ON COLUMN spendlog.spend_logs.other_cost IS 'US dollars: all other items';
COMMENT ON COLUMN spendlog.spend_logs.gateway_cost IS 'US dollars: what the gateway says the call cost';
COMMENT ON COLUMN spendlog.spend_logs.pricing_status IS 'priced, free, reported (the gateway''s figure) or unpriced';
COMMENT ON COLUMN spendlog.spend_logs.pricing_reason IS 'why, from the closed list of `spendlog price --reasons`; empty when priced';
COMMENT ON COLUMN spendlog.spend_logs.api_key IS 'hash of the virtual key, never the key';
COMMENT ON COLUMN spendlog.spend_logs.time_source IS 'event: its own; derived: end less duration; kafka: timestamp of the message';
COMMENT ON COLUMN spendlog.spend_logs.usage IS 'all quantities and facts without a column of their own; NULL when there are none';
COMMENT ON COLUMN spendlog.spend_logs.metadata IS 'the operator''s own members; never prompts or answers';

CREATE TABLE spendlog.price_books (
  price_book_id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT price_books_pkey PRIMARY KEY,
  book_hash text NOT NULL CONSTRAINT price_books_hash_key UNIQUE
    CONSTRAINT price_books_hash CHECK (book_hash ~ '^[0-9a-f]{64}$'),
  book json NOT NULL,
  stored_at timestamp(6) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC')
);
COMMENT ON TABLE spendlog.price_books IS 'Every set of prices that ever priced a row, so that any row can be derived again';
COMMENT ON COLUMN spendlog.price_books.book_hash IS 'SHA-256 of the compiled rules, policies and engine version, hexadecimal';
COMMENT ON COLUMN spendlog.price_books.stored_at IS 'UTC';

CREATE TABLE spendlog.kafka_offsets (
  partition_id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT kafka_offsets_pkey PRIMARY KEY,
  cluster_id text NOT NULL,
  group_id text NOT NULL,
  topic text NOT NULL,
  partition integer NOT NULL,
  incarnation integer NOT NULL,
  first_offset bigint NOT NULL,
  next_offset bigint NOT NULL,
  last_message_ms bigint,
  last_message_hash bigint,
  messages bigint NOT NULL DEFAULT 0,
  records bigint NOT NULL DEFAULT 0,
  rows bigint NOT NULL DEFAULT 0,
  duplicates bigint NOT NULL DEFAULT 0,
  rejected bigint NOT NULL DEFAULT 0,
  skipped bigint NOT NULL DEFAULT 0,
  conflicts bigint NOT NULL DEFAULT 0,
  rows_dropped bigint NOT NULL DEFAULT 0,
  replaced_at timestamp(6),
  updated_at timestamp(6) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
  CONSTRAINT kafka_offsets_place_key UNIQUE (cluster_id, group_id, topic, partition, incarnation),
  CONSTRAINT kafka_offsets_forward CHECK (next_offset >= first_offset AND first_offset >= 0),
  CONSTRAINT kafka_offsets_conservation
    CHECK (records = rows + duplicates + rejected + skipped),
  CONSTRAINT kafka_offsets_counts
    CHECK (messages >= 0 AND rows >= 0 AND duplicates >= 0 AND rejected >= 0 AND skipped >= 0
           AND conflicts BETWEEN 0 AND duplicates AND rows_dropped BETWEEN 0 AND rows)
) WITH (fillfactor = 40); -- updated once a batch, in place (HOT)
COMMENT ON TABLE spendlog.kafka_offsets IS 'How far each partition was read, in the same transaction as its rows, and what became of its records';
COMMENT ON COLUMN spendlog.kafka_offsets.incarnation IS 'from 1; one more each time the topic was deleted and made again';
COMMENT ON COLUMN spendlog.kafka_offsets.first_offset IS 'where reading began';
COMMENT ON COLUMN spendlog.kafka_offsets.next_offset IS 'the next offset to read';
COMMENT ON COLUMN spendlog.kafka_offsets.last_message_ms IS 'Kafka timestamp of the last message read, milliseconds since 1970';
COMMENT ON COLUMN spendlog.kafka_offsets.last_message_hash IS 'XXH3-64 of its value: a recreated topic is recognised by it';
COMMENT ON COLUMN spendlog.kafka_offsets.records IS 'a message holds max(1, elements) records; records = rows + duplicates + rejected + skipped';
COMMENT ON COLUMN spendlog.kafka_offsets.conflicts IS 'those of the duplicates whose content differed: ingest_conflicts';
COMMENT ON COLUMN spendlog.kafka_offsets.rows_dropped IS 'those of the rows that went with a dropped day';
COMMENT ON COLUMN spendlog.kafka_offsets.replaced_at IS 'UTC; set when a later incarnation began: this row moves no more';
COMMENT ON COLUMN spendlog.kafka_offsets.updated_at IS 'UTC';

CREATE TABLE spendlog.kafka_gaps (
  gap_id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT kafka_gaps_pkey PRIMARY KEY,
  partition_id bigint NOT NULL
    CONSTRAINT kafka_gaps_partition_fkey REFERENCES spendlog.kafka_offsets,
  next_partition_id bigint NOT NULL
    CONSTRAINT kafka_gaps_next_partition_fkey REFERENCES spendlog.kafka_offsets,
  stored_offset bigint NOT NULL,
  resumed_offset bigint NOT NULL,
  why text NOT NULL,
  noticed_at timestamp(6) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC')
);
COMMENT ON TABLE spendlog.kafka_gaps IS 'Where reading did not go on at the stored offset; nothing jumps silently';
COMMENT ON COLUMN spendlog.kafka_gaps.next_partition_id IS 'the incarnation in which reading went on';
COMMENT ON COLUMN spendlog.kafka_gaps.stored_offset IS 'the offset that should have come next';
COMMENT ON COLUMN spendlog.kafka_gaps.resumed_offset IS 'the offset where reading went on';
COMMENT ON COLUMN spendlog.kafka_gaps.noticed_at IS 'UTC';

CREATE TABLE spendlog.ingest_batches (
  batch_id bigint CONSTRAINT ingest_batches_pkey PRIMARY KEY,
  group_id text NOT NULL,
  member text NOT NULL,
  rows integer NOT NULL,
  duplicates integer NOT NULL,
  rejected integer NOT NULL,
  skipped integer NOT NULL,
  conflicts integer NOT NULL,
  first_start_time timestamp(6),
  last_start_time timestamp(6),
  partition_ids bigint[] NOT NULL,
  first_offsets bigint[] NOT NULL,
  next_offsets bigint[] NOT NULL,
  written_at timestamp(6) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC')
);
COMMENT ON TABLE spendlog.ingest_batches IS 'One row per transaction that wrote rows';
COMMENT ON COLUMN spendlog.ingest_batches.member IS 'application name of the connection';
COMMENT ON COLUMN spendlog.ingest_batches.first_start_time IS 'earliest start time of its rows, UTC';
COMMENT ON COLUMN spendlog.ingest_batches.last_start_time IS 'latest start time of its rows, UTC';
COMMENT ON COLUMN spendlog.ingest_batches.partition_ids IS 'partition ranges of the batch, with first_offsets and next_offsets';
COMMENT ON COLUMN spendlog.ingest_batches.written_at IS 'start of the transaction, UTC';

CREATE TABLE spendlog.ingest_counters (
  group_id text NOT NULL,
  member text NOT NULL,
  counter text NOT NULL,
  count bigint NOT NULL,
  CONSTRAINT ingest_counters_pkey PRIMARY KEY (group_id, member, counter)
) WITH (fillfactor = 40);
COMMENT ON TABLE spendlog.ingest_counters IS 'Skipped records by reason (skipped_<reason>) and flagged events (flagged), per member';

CREATE TABLE spendlog.rejected_events (
  partition_id bigint NOT NULL
    CONSTRAINT rejected_events_partition_fkey REFERENCES spendlog.kafka_offsets,
  kafka_offset bigint NOT NULL,
  record_index integer NOT NULL,
  batch_id bigint NOT NULL,
  reason text NOT NULL,
  mapping text NOT NULL DEFAULT '',
  field text NOT NULL DEFAULT '',
  byte bigint,
  detail text NOT NULL DEFAULT '',
  payload bytea,
  payload_hash bigint NOT NULL,
  payload_bytes bigint NOT NULL,
  message_ms bigint,
  rejected_at timestamp(6) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
  resolved_at timestamp(6),
  resolution text,
  CONSTRAINT rejected_events_pkey PRIMARY KEY (partition_id, kafka_offset, record_index),
  CONSTRAINT rejected_events_resolution
    CHECK ((resolved_at IS NULL) = (resolution IS NULL)
           AND resolution IN ('row', 'duplicate', 'skipped'))
);
COMMENT ON TABLE spendlog.rejected_events IS 'What could not be read or written, with the reason; can be retried';
COMMENT ON COLUMN spendlog.rejected_events.byte IS 'offset in the message, bytes; NULL when unknown';
COMMENT ON COLUMN spendlog.rejected_events.payload IS 'the message; NULL when it was not kept';
COMMENT ON COLUMN spendlog.rejected_events.payload_hash IS 'XXH3-64 of the message';
COMMENT ON COLUMN spendlog.rejected_events.payload_bytes IS 'size of the message, bytes';
COMMENT ON COLUMN spendlog.rejected_events.message_ms IS 'Kafka timestamp of the message, milliseconds since 1970: start of a retried event without one';
COMMENT ON COLUMN spendlog.rejected_events.rejected_at IS 'UTC';
COMMENT ON COLUMN spendlog.rejected_events.resolved_at IS 'UTC; when a retry could read it';
COMMENT ON COLUMN spendlog.rejected_events.resolution IS 'what the retry made of it: row, duplicate or skipped';

CREATE TABLE spendlog.ingest_conflicts (
  partition_id bigint NOT NULL
    CONSTRAINT ingest_conflicts_partition_fkey REFERENCES spendlog.kafka_offsets,
  kafka_offset bigint NOT NULL,
  record_index integer NOT NULL,
  batch_id bigint NOT NULL,
  start_time timestamp(6) NOT NULL,
  identity uuid NOT NULL,
  content_hash bigint NOT NULL,
  stored_content_hash bigint NOT NULL,
  noticed_at timestamp(6) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
  CONSTRAINT ingest_conflicts_pkey PRIMARY KEY (partition_id, kafka_offset, record_index)
);
COMMENT ON TABLE spendlog.ingest_conflicts IS 'Duplicates whose content differed from the row that came first and stayed';
COMMENT ON COLUMN spendlog.ingest_conflicts.noticed_at IS 'UTC';

CREATE TABLE spendlog.identity_guard (
  identity uuid CONSTRAINT identity_guard_pkey PRIMARY KEY,
  start_time timestamp(6) NOT NULL,
  content_hash bigint NOT NULL,
  guarded_at timestamp(6) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC')
);
COMMENT ON TABLE spendlog.identity_guard IS 'Identities whose start time is not their event''s own: a resend would have another key';
COMMENT ON COLUMN spendlog.identity_guard.start_time IS 'start time under which the identity was stored, UTC';
COMMENT ON COLUMN spendlog.identity_guard.guarded_at IS 'UTC';

CREATE TABLE spendlog.dropped_partitions (
  day date CONSTRAINT dropped_partitions_pkey PRIMARY KEY,
  rows bigint NOT NULL,
  spend numeric(38, 18),
  dropped_at timestamp(6) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC')
);
COMMENT ON TABLE spendlog.dropped_partitions IS 'What went with each day that retention dropped';
COMMENT ON COLUMN spendlog.dropped_partitions.spend IS 'US dollars: sum of its rows';
COMMENT ON COLUMN spendlog.dropped_partitions.dropped_at IS 'UTC';

CREATE TABLE spendlog.reprice_runs (
  run_id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT reprice_runs_pkey PRIMARY KEY,
  price_book_id integer NOT NULL
    CONSTRAINT reprice_runs_book_fkey REFERENCES spendlog.price_books,
  filter jsonb NOT NULL,
  state text NOT NULL DEFAULT 'running'
    CONSTRAINT reprice_runs_state CHECK (state IN ('running', 'done', 'failed')),
  considered bigint NOT NULL DEFAULT 0,
  changed bigint NOT NULL DEFAULT 0,
  unchanged bigint NOT NULL DEFAULT 0,
  skipped bigint NOT NULL DEFAULT 0,
  delta numeric(38, 18) NOT NULL DEFAULT 0,
  started_by text NOT NULL DEFAULT session_user,
  started_at timestamp(6) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
  finished_at timestamp(6),
  CONSTRAINT reprice_runs_conservation CHECK (considered = changed + unchanged + skipped)
);
COMMENT ON TABLE spendlog.reprice_runs IS 'Runs of `spendlog reprice` that changed something';
COMMENT ON COLUMN spendlog.reprice_runs.delta IS 'US dollars: new less old spend of the changed rows';
COMMENT ON COLUMN spendlog.reprice_runs.started_at IS 'UTC';
COMMENT ON COLUMN spendlog.reprice_runs.finished_at IS 'UTC';

CREATE TABLE spendlog.spend_adjustments (
  run_id bigint NOT NULL
    CONSTRAINT spend_adjustments_run_fkey REFERENCES spendlog.reprice_runs,
  start_time timestamp(6) NOT NULL,
  identity uuid NOT NULL,
  kind text NOT NULL CONSTRAINT spend_adjustments_kind CHECK (kind IN ('audit', 'posted')),
  posted_on date,
  old_spend numeric(38, 18),
  new_spend numeric(38, 18),
  old_status text NOT NULL,
  new_status text NOT NULL,
  old_price_book_id integer NOT NULL
    CONSTRAINT spend_adjustments_old_book_fkey REFERENCES spendlog.price_books,
  new_price_book_id integer NOT NULL
    CONSTRAINT spend_adjustments_new_book_fkey REFERENCES spendlog.price_books,
  adjusted_at timestamp(6) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
  CONSTRAINT spend_adjustments_pkey PRIMARY KEY (run_id, start_time, identity),
  CONSTRAINT spend_adjustments_posted_day CHECK ((kind = 'posted') = (posted_on IS NOT NULL)),
  CONSTRAINT spend_adjustments_not_nan CHECK (old_spend <> 'NaN' AND new_spend <> 'NaN')
);
COMMENT ON TABLE spendlog.spend_adjustments IS 'audit: the row was changed in place, never summed; posted: the row stays and the difference counts on posted_on';
COMMENT ON COLUMN spendlog.spend_adjustments.start_time IS 'key of the row, with identity';
COMMENT ON COLUMN spendlog.spend_adjustments.posted_on IS 'day (UTC) of the open period on which the difference counts';
COMMENT ON COLUMN spendlog.spend_adjustments.old_spend IS 'US dollars';
COMMENT ON COLUMN spendlog.spend_adjustments.new_spend IS 'US dollars';
COMMENT ON COLUMN spendlog.spend_adjustments.adjusted_at IS 'UTC; when the run came to the day of the row';
