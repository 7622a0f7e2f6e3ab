-- SPDX-License-Identifier: Apache-2.0
-- How long rows are kept is the database's to say, by a table that only the owner writes. A process may
-- want to keep them longer; it can never have them dropped earlier.
--
-- What cannot be undone trusts neither one clock nor one caller: a day is dropped when it is old by the
-- database's clock and by the newest stored day, while the caller's clock agrees with the database's, and
-- not more than a few days are dropped in a day.

SET LOCAL ROLE spendlog_owner;

CREATE TABLE spendlog.retention (
  one boolean CONSTRAINT retention_pkey PRIMARY KEY DEFAULT true CONSTRAINT retention_one CHECK (one),
  keep_days integer CONSTRAINT retention_keep_days CHECK (keep_days BETWEEN 7 AND 36500),
  keep_sums_days integer CONSTRAINT retention_keep_sums_days CHECK (keep_sums_days BETWEEN 7 AND 36500),
  days_per_day integer NOT NULL DEFAULT 8 CONSTRAINT retention_days_per_day CHECK (days_per_day BETWEEN 1 AND 366),
  set_by text NOT NULL DEFAULT session_user,
  set_at timestamp(6) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
  CONSTRAINT retention_sums_outlive_rows CHECK (keep_sums_days >= keep_days)
);
COMMENT ON TABLE spendlog.retention IS 'How long what is kept: one row, `spendlog retention set` writes it';
COMMENT ON COLUMN spendlog.retention.keep_days IS 'days of rows; NULL: for ever';
COMMENT ON COLUMN spendlog.retention.keep_sums_days IS 'days of the sums that dropped days leave in dropped_sums; NULL: for ever';
COMMENT ON COLUMN spendlog.retention.days_per_day IS 'at most so many days are dropped within 24 hours';
COMMENT ON COLUMN spendlog.retention.set_at IS 'UTC';
-- Nothing goes until somebody has said how long: a process's configuration is not enough.
INSERT INTO spendlog.retention (keep_days) VALUES (NULL);

ALTER TABLE spendlog.dropped_partitions
  ALTER COLUMN spend TYPE numeric,
  ADD COLUMN dropped_by text NOT NULL DEFAULT session_user;
COMMENT ON COLUMN spendlog.dropped_partitions.dropped_by IS 'the login';

CREATE TABLE spendlog.dropped_sums (
  day date NOT NULL,
  provider text NOT NULL,
  model text NOT NULL,
  team_id text NOT NULL,
  pricing_status text NOT NULL,
  rows bigint NOT NULL,
  input_tokens numeric NOT NULL,
  output_tokens numeric NOT NULL,
  spend numeric
);
CREATE INDEX dropped_sums_day ON spendlog.dropped_sums (day);
COMMENT ON TABLE spendlog.dropped_sums IS 'What the rows of a dropped day came to, by provider, model and team';
COMMENT ON COLUMN spendlog.dropped_sums.spend IS 'US dollars: sum of the rows; NULL when none has a price';

-- --- dropping a day

-- What the day held is booked, so that verify still finds records = rows + ... afterwards.
-- NULL when there is no such day, else the number of rows that went with it.
-- Locks come in the order of a member's transaction (offset rows, then the table), so that the two
-- cannot wait for each other; the whole table is locked for no longer than the DROP takes.
CREATE OR REPLACE FUNCTION spendlog.drop_partition(day date) RETURNS bigint
LANGUAGE plpgsql STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET timezone = 'UTC'
SET lock_timeout = '2s'
AS $$
DECLARE
  name text;
  ids bigint[];
  counts bigint[];
  gone bigint;
  gone_spend numeric;
BEGIN
  PERFORM spendlog.session_expect();
  PERFORM FROM spendlog.locks l WHERE l.name = 'partitions' FOR UPDATE;
  SELECT c.relname INTO name FROM spendlog.stored_days() s JOIN pg_class c ON c.oid = s.leaf
  WHERE s.day = drop_partition.day;
  IF name IS NULL THEN
    RETURN NULL;
  END IF;
  PERFORM spendlog.days_expect_free(ARRAY[day]);
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
      dropped_at = excluded.dropped_at, dropped_by = excluded.dropped_by;
  EXECUTE format('INSERT INTO spendlog.dropped_sums SELECT %L::date, coalesce(provider, ''''), '
                 'coalesce(model, ''''), team_id, pricing_status, count(*), coalesce(sum(input_tokens), 0), '
                 'coalesce(sum(output_tokens), 0), sum(spend) FROM spendlog.%I GROUP BY 2, 3, 4, 5',
                 day, name);
  EXECUTE format('DROP TABLE spendlog.%I', name);
  RETURN gone;
END
$$;

-- --- what is due

-- Why nothing may be dropped now, or NULL. Ten minutes are what machines may be apart whose clocks
-- nobody looks after; beyond, one of the two is wrong, and nobody knows which.
CREATE FUNCTION spendlog.clocks_differ(caller_now timestamptz) RETURNS text
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET timezone = 'UTC'
AS $$
  SELECT CASE
    WHEN caller_now IS NULL THEN 'the caller did not say what time it is'
    WHEN caller_now NOT BETWEEN clock_timestamp() - interval '10 minutes'
                            AND clock_timestamp() + interval '10 minutes'
    THEN format('the clocks differ: the database says %s, this machine %s',
                to_char(clock_timestamp(), 'YYYY-MM-DD HH24:MI:SS'), to_char(caller_now, 'YYYY-MM-DD HH24:MI:SS'))
  END
$$;
COMMENT ON FUNCTION spendlog.clocks_differ(timestamptz) IS 'NULL when the caller''s clock and the database''s agree; else what they say';

-- The oldest day, when it is old by all measures; `held` says why a day that is old by one of them stays.
CREATE FUNCTION spendlog.day_expired(process_days integer, caller_now timestamptz,
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
  IF oldest >= today - keep THEN
    RETURN;
  END IF;
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

-- For the members, who may not drop a day they name. The oldest day goes first, one a call: each in a
-- transaction of its own. `day` is NULL when nothing was dropped, `held` why that is when a day is due.
DROP FUNCTION spendlog.drop_expired(integer);
CREATE FUNCTION spendlog.drop_expired(process_days integer, caller_now timestamptz DEFAULT NULL,
                                      OUT day date, OUT rows bigint, OUT spend numeric, OUT held text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
  due date;
BEGIN
  PERFORM spendlog.session_expect();
  SELECT d.expired, d.held INTO due, held FROM spendlog.day_expired(process_days, caller_now) d;
  IF due IS NULL THEN
    RETURN;
  END IF;
  rows := spendlog.drop_partition(due);
  IF rows IS NULL THEN
    RETURN; -- another member was faster
  END IF;
  day := due;
  SELECT p.spend INTO spend FROM spendlog.dropped_partitions p WHERE p.day = due;
  DELETE FROM spendlog.dropped_sums s USING spendlog.retention r
  WHERE s.day < due - (r.keep_sums_days - r.keep_days);
END
$$;
COMMENT ON FUNCTION spendlog.drop_expired(integer, timestamptz) IS 'Drops the oldest day if it is older than what spendlog.retention and the caller keep; the caller''s clock has to agree';

-- Identities are guarded for some days only: resends come soon or never.
DROP FUNCTION spendlog.guard_prune(integer);
CREATE FUNCTION spendlog.guard_prune(keep_days integer, caller_now timestamptz DEFAULT NULL) RETURNS bigint
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
  WITH gone AS (
    DELETE FROM spendlog.identity_guard
    WHERE guarded_at < (now() AT TIME ZONE 'UTC') - make_interval(days => greatest(keep_days, 14))
      AND spendlog.clocks_differ(caller_now) IS NULL
    RETURNING 1
  )
  SELECT count(*) FROM gone
$$;
COMMENT ON FUNCTION spendlog.guard_prune(integer, timestamptz) IS 'Forgets guarded identities older than the given days (at least 14); the caller''s clock has to agree';

-- --- privileges

REVOKE ALL ON FUNCTION spendlog.clocks_differ(timestamptz), spendlog.day_expired(integer, timestamptz),
  spendlog.drop_expired(integer, timestamptz), spendlog.guard_prune(integer, timestamptz)
  FROM PUBLIC;
GRANT EXECUTE ON FUNCTION spendlog.clocks_differ(timestamptz)
  TO spendlog_writer, spendlog_repricer, spendlog_reader;
GRANT EXECUTE ON FUNCTION spendlog.drop_expired(integer, timestamptz),
  spendlog.guard_prune(integer, timestamptz) TO spendlog_writer;
GRANT SELECT ON spendlog.retention, spendlog.dropped_sums
  TO spendlog_writer, spendlog_repricer, spendlog_reader;
