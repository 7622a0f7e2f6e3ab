-- SPDX-License-Identifier: Apache-2.0
-- Mappings may read the key and the headers of a record: a rejected one keeps them with its message, for a
-- retry. What was rejected before has none; it was read without them.

SET LOCAL ROLE spendlog_owner;

ALTER TABLE spendlog.rejected_events
  ADD COLUMN envelope bytea,
  ADD CONSTRAINT rejected_events_envelope CHECK (envelope IS NULL OR payload IS NOT NULL);
COMMENT ON COLUMN spendlog.rejected_events.envelope IS 'key and headers of the message, encrypted as it is: lengths of 32 bits (4294967295: none) and bytes; NULL: it has none';
