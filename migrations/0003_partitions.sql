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
-- Locks come in the order of a member's transaction (offset rows, then the table), so that the two
-- cannot wait for each other; the whole table is locked for no longer than the DROP takes.
CREATE FUNCTION spendlog.drop_partition(day date) RETURNS bigint
LANGUAGE plpgsql STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '2s'
AS $$
DECLARE
  name text := spendlog.partition_name(day);
  ids bigint[];
  counts bigint[];
  gone bigint;
  gone_spend numeric;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('spendlog.partitions', 0));
  IF NOT EXISTS (SELECT FROM pg_class
                 WHERE relnamespace = 'spendlog'::regnamespace AND relname = name) THEN
    RETURN NULL;
  END IF;
  -- Whoever reprices the day or closes its month holds this lock: retention comes another time.
  PERFORM pg_advisory_xact_lock(spendlog.day_lock_class(), spendlog.day_lock_key(day));
  EXECUTE format('LOCK TABLE spendlog.%I IN SHARE ROW EXCLUSIVE MODE', name);
  EXECUTE format('SELECT array_agg(partition_id), array_agg(rows), coalesce(sum(rows), 0), sum(spend) '
                 'FROM (SELECT partition_id, count(*) AS rows, sum(spend) AS spend '
                 'FROM spendlog.%I GROUP BY 1) d', name)
    INTO ids, counts, gone, gone_spend;
  PERFORM FROM spendlog.kafka_offsets WHERE partition_id = ANY (ids)
    ORDER BY partition_id FOR UPDATE;
  UPDATE spendlog.kafka_offsets o SET rows_dropped = o.rows_dropped + d.rows
  FROM unnest(ids, counts) AS d (partition_id, rows) WHERE o.partition_id = d.partition_id;
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

-- For the members, who may not drop a day they name: only what is older than all that is kept goes, and
-- never the last week, whatever a configuration says. The oldest day goes first, one a call: each in a
-- transaction of its own. NULL when there is nothing to drop.
CREATE FUNCTION spendlog.drop_expired(keep_days integer) RETURNS date
LANGUAGE plpgsql STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  oldest date;
BEGIN
  SELECT min(to_date(right(c.relname, 8), 'YYYYMMDD')) INTO oldest
  FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
  WHERE i.inhparent = 'spendlog.spend_logs'::regclass;
  IF oldest < (now() AT TIME ZONE 'UTC')::date - greatest(keep_days, 7) THEN
    PERFORM spendlog.drop_partition(oldest);
    RETURN oldest;
  END IF;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION spendlog.drop_expired(integer) IS 'Drops the oldest day if it is older than the given days (at least 7)';

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
