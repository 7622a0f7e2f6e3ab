-- SPDX-License-Identifier: Apache-2.0
-- Rejected messages that are stored encrypted (storage.payloads: encrypt), and with them the detail,
-- which may quote them: its place in clear stays empty.

SET LOCAL ROLE spendlog_owner;

ALTER TABLE spendlog.rejected_events
  ADD COLUMN payload_key text,
  ADD COLUMN sealed_detail bytea,
  ADD CONSTRAINT rejected_events_sealed
    CHECK ((payload_key IS NULL) = (sealed_detail IS NULL) AND (payload_key IS NULL OR detail = ''));
COMMENT ON COLUMN spendlog.rejected_events.payload IS 'the message; NULL when it was not kept; AES-256-GCM when payload_key is there';
COMMENT ON COLUMN spendlog.rejected_events.payload_key IS 'id of the key that payload and sealed_detail are encrypted with; NULL: they are not';
COMMENT ON COLUMN spendlog.rejected_events.sealed_detail IS 'the detail, encrypted';
