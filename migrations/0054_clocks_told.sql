-- SPDX-License-Identifier: Apache-2.0
-- A wrong clock is told whether or not it makes a day due: a server ten years behind drops nothing by itself,
-- and nobody would hear of it before its clock is set.

SET LOCAL ROLE spendlog_owner;

-- The oldest day, when it is old by all measures; `held` says why nothing may be dropped, or why a day
-- that is old stays.
CREATE OR REPLACE FUNCTION spendlog.day_expired(process_days integer, caller_now timestamptz,
                                     OUT expired date, OUT held text)
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
  rule spendlog.retention;
  oldest date;
  newest date;
  today date := (clock_timestamp() AT TIME ZONE 'UTC')::date;
  keep integer;
BEGIN
  SELECT * INTO rule FROM spendlog.retention;
  SELECT min(s.day), max(s.day) INTO oldest, newest FROM spendlog.stored_days() s;
  IF rule.keep_days IS NULL OR oldest IS NULL THEN
    RETURN; -- for ever
  END IF;
  keep := greatest(rule.keep_days, process_days);
  held := spendlog.clocks_differ(caller_now);
  IF held IS NOT NULL OR oldest >= least(today, newest) - keep THEN
    RETURN;
  END IF;
  IF (SELECT count(*) FROM spendlog.dropped_partitions
      WHERE dropped_at > (clock_timestamp() AT TIME ZONE 'UTC') - interval '24 hours') >= rule.days_per_day THEN
    held := format('%s days were dropped within 24 hours, more are not allowed', rule.days_per_day);
    RETURN;
  END IF;
  expired := oldest;
END
$$;
