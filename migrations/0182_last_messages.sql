-- SPDX-License-Identifier: Apache-2.0
-- The messages of a partition that were stored last: a log of which the very last one is gone is known again by them.

SET LOCAL ROLE spendlog_owner;

ALTER TABLE spendlog.kafka_offsets ADD COLUMN last_messages bytea;
COMMENT ON COLUMN spendlog.kafka_offsets.last_messages IS 'an offset (8 bytes), and the messages, 16 at most, that the log had from there to the stored offset, 16 bytes each: the offset, then XXH3-64 of the value, xor the time in milliseconds times 0x9e3779b97f4a7c15; NULL: nothing is known';
GRANT UPDATE (last_messages) ON spendlog.kafka_offsets TO spendlog_writer;

-- A database that went back gives numbers again: to whom a process means it is told by when the row was made.
ALTER TABLE spendlog.kafka_offsets ADD COLUMN created_at timestamp(6) NOT NULL DEFAULT (clock_timestamp() AT TIME ZONE 'UTC');
COMMENT ON COLUMN spendlog.kafka_offsets.created_at IS 'UTC; whose the number is: another history of the database may have given it to another row';
