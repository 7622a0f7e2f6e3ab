-- SPDX-License-Identifier: Apache-2.0
-- A message that is written in parts goes on at a record, whose number means something to the mappings that counted
-- the records before it. Which those were is kept beside it: others read the message again whole.

SET LOCAL ROLE spendlog_owner;

ALTER TABLE spendlog.kafka_offsets ADD COLUMN next_mappings bigint;
COMMENT ON COLUMN spendlog.kafka_offsets.next_mappings IS 'XXH3-64 of the mappings that the records before next_index were read by; NULL: there are none, or it is not known';

GRANT UPDATE (next_mappings) ON spendlog.kafka_offsets TO spendlog_writer;
