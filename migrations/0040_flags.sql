-- SPDX-License-Identifier: Apache-2.0
-- Flags of pricing beside those of reading, and the reading that was taken of the counts.

SET LOCAL ROLE spendlog_owner;

COMMENT ON COLUMN spendlog.spend_logs.flags IS
  'bits, `spendlog price --flags` names them: to 2^15 of reading, from 2^24 of pricing (a reprice sets those anew); between them the reading of the cache counts (2^16) and of the reasoning count (2^19): ground 0 none, 1 declared, 2 emitter, 3 numbers, plus 4 when they lay outside their total';

-- The latest posted adjustment says which flags a row of a closed period has.
ALTER TABLE spendlog.spend_adjustments ADD COLUMN new_flags integer;
COMMENT ON COLUMN spendlog.spend_adjustments.new_flags IS 'flags of the row after; NULL: as they were (version 0.1)';
