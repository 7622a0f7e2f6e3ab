-- SPDX-License-Identifier: Apache-2.0
-- Days of spend_logs. Both functions run as the owner, for members who may not create or drop tables.

SET LOCAL ROLE spendlog_owner;

CREATE FUNCTION spendlog.partition_name(day date) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN 'spend_logs_' || to_char(day, 'YYYYMMDD');

-- CREATE ... LIKE and ATTACH need SHARE UPDATE EXCLUSIVE on the parent and do not wait for open COPYs;
-- CREATE ... PARTITION OF would. True when the day was made, false when it was there.
CREATE FUNCTION spendlog.ensure_partition(day date) RETURNS boolean
LANGUAGE plpgsql STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '5s'
AS $$
DECLARE
  name text := spendlog.partition_name(day);
BEGIN
  IF to_regclass('spendlog.' || name) IS NOT NULL THEN
    RETURN false;
  END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended('spendlog.partitions', 0));
  -- Asked of the table itself: to_regclass would answer from a cache that waiting for an advisory
  -- lock does not refresh.
  IF EXISTS (SELECT FROM pg_class
             WHERE relnamespace = 'spendlog'::regnamespace AND relname = name) THEN
    RETURN false; -- another member made it while we waited
  END IF;
  EXECUTE format('CREATE TABLE spendlog.%I (LIKE spendlog.spend_logs INCLUDING ALL)', name);
  EXECUTE format('ALTER TABLE spendlog.spend_logs ATTACH PARTITION spendlog.%I '
                 'FOR VALUES FROM (%L) TO (%L)', name, day::timestamp, (day + 1)::timestamp);
  RETURN true;
END
$$;
COMMENT ON FUNCTION spendlog.ensure_partition(date) IS 'Makes the partition of a day (UTC) when it is absent';

-- What the day held is booked, so that verify still finds records = rows + ... afterwards.
-- NULL when there is no such day, else the number of rows that went with it.
CREATE FUNCTION spendlog.drop_partition(day date) RETURNS bigint
LANGUAGE plpgsql STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '5s'
AS $$
DECLARE
  name text := spendlog.partition_name(day);
  gone bigint;
  gone_spend numeric;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('spendlog.partitions', 0));
  IF to_regclass('spendlog.' || name) IS NULL THEN
    RETURN NULL;
  END IF;
  -- Whoever reprices the day or closes its month holds this lock: retention comes another time.
  PERFORM pg_advisory_xact_lock(spendlog.day_lock_class(), spendlog.day_lock_key(day));
  EXECUTE format('LOCK TABLE spendlog.spend_logs, spendlog.%I IN ACCESS EXCLUSIVE MODE', name);
  EXECUTE format('SELECT count(*), sum(spend) FROM spendlog.%I', name) INTO gone, gone_spend;
  EXECUTE format('UPDATE spendlog.kafka_offsets o SET rows_dropped = o.rows_dropped + d.rows '
                 'FROM (SELECT partition_id, count(*) AS rows FROM spendlog.%I GROUP BY 1) d '
                 'WHERE o.partition_id = d.partition_id', name);
  INSERT INTO spendlog.dropped_partitions AS p (day, rows, spend)
  VALUES (drop_partition.day, gone, gone_spend)
  ON CONFLICT ON CONSTRAINT dropped_partitions_pkey DO UPDATE
  SET rows = p.rows + excluded.rows,
      spend = coalesce(p.spend + excluded.spend, p.spend, excluded.spend),
      dropped_at = excluded.dropped_at;
  EXECUTE format('DROP TABLE spendlog.%I', name);
  RETURN gone;
END
$$;
COMMENT ON FUNCTION spendlog.drop_partition(date) IS 'Drops a day (UTC) for retention, booking what it held';

-- Identities are guarded for some days only: resends come soon or never.
CREATE FUNCTION spendlog.guard_prune(keep_days integer) RETURNS bigint
LANGUAGE sql STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
  WITH gone AS (
    DELETE FROM spendlog.identity_guard
    WHERE guarded_at < (now() AT TIME ZONE 'UTC') - make_interval(days => greatest(keep_days, 1))
    RETURNING 1
  )
  SELECT count(*) FROM gone
$$;
COMMENT ON FUNCTION spendlog.guard_prune(integer) IS 'Forgets guarded identities older than the given days (at least 1)';
