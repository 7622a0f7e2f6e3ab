-- SPDX-License-Identifier: Apache-2.0
-- Plans of what changes many rows at once. The planner expects one row of the records of a day that was just filled, so it
-- looked up each row of the day by itself, read a dictionary once for each, and sorted all entries by their words to add
-- them up. These functions join by hash, and add up by hash: measured on 30,000 rows, docs/repricing.md.

SET LOCAL ROLE spendlog_owner;

ALTER FUNCTION spendlog.swap_partition(date) SET enable_nestloop = off;
ALTER FUNCTION spendlog.swap_partition(date) SET enable_sort = off;
ALTER FUNCTION spendlog.adjust_rows(bigint, date, timestamp, timestamp) SET enable_sort = off;
