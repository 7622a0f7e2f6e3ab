-- SPDX-License-Identifier: Apache-2.0
-- Repricing: what a run did, day by day; corrections; closed periods; swapping a rewritten day.

SET LOCAL ROLE spendlog_owner;

-- --- books in force

-- What the members of each group priced their latest batch of the last ten minutes with. One row of
-- the batch tells: a batch is priced by one book.
CREATE VIEW spendlog.group_books WITH (security_invoker = true) AS
SELECT b.group_id, b.member, b.written_at, p.price_book_id, p.book_hash
FROM (
  SELECT DISTINCT ON (group_id, member) group_id, member, batch_id, first_start_time,
    last_start_time, written_at
  FROM spendlog.ingest_batches
  WHERE batch_id > (SELECT max(batch_id) - 10000 FROM spendlog.ingest_batches)
    AND written_at > (now() AT TIME ZONE 'UTC') - interval '10 minutes'
  ORDER BY group_id, member, batch_id DESC
) b
CROSS JOIN LATERAL (
  SELECT l.price_book_id FROM spendlog.spend_logs l
  WHERE l.batch_id = b.batch_id AND l.start_time BETWEEN b.first_start_time AND b.last_start_time
  LIMIT 1
) l
JOIN spendlog.price_books p USING (price_book_id);
COMMENT ON VIEW spendlog.group_books IS 'Price book of each member of a group now: more than one book in a group is a configuration that differs';

-- --- closed periods

CREATE TABLE spendlog.closed_periods (
  month date CONSTRAINT closed_periods_pkey PRIMARY KEY
    CONSTRAINT closed_periods_first_day CHECK (extract(day FROM month) = 1),
  rows bigint NOT NULL,
  spend numeric(38, 18) NOT NULL CONSTRAINT closed_periods_spend_not_nan CHECK (spend <> 'NaN'),
  closed_by text NOT NULL DEFAULT session_user,
  closed_at timestamp(6) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC')
);
COMMENT ON TABLE spendlog.closed_periods IS 'Months whose rows are changed no more: corrections are posted to an open one';
COMMENT ON COLUMN spendlog.closed_periods.month IS 'its first day, UTC';
COMMENT ON COLUMN spendlog.closed_periods.rows IS 'rows of the month when it was closed';
COMMENT ON COLUMN spendlog.closed_periods.spend IS 'US dollars: what the month came to when it was closed, posted corrections included';
COMMENT ON COLUMN spendlog.closed_periods.closed_at IS 'UTC';

-- The day (UTC) on which a correction of a closed month counts: today, or the first day after it whose
-- month is open.
CREATE FUNCTION spendlog.posting_day() RETURNS date
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
RETURN (
  SELECT min(greatest(month, today))
  FROM (SELECT date(now() AT TIME ZONE 'UTC') AS today) t,
    LATERAL (SELECT date(date_trunc('month', today) + make_interval(months => i)) AS month
             FROM generate_series(0, 1200) i) m
  WHERE NOT EXISTS (SELECT FROM spendlog.closed_periods c WHERE c.month = m.month)
);
COMMENT ON FUNCTION spendlog.posting_day() IS 'Day of the open period on which posted corrections count now';

-- --- runs

ALTER TABLE spendlog.reprice_runs
  ADD COLUMN posted bigint NOT NULL DEFAULT 0
    CONSTRAINT reprice_runs_posted CHECK (posted BETWEEN 0 AND changed),
  ADD COLUMN spend_before numeric NOT NULL DEFAULT 0,
  ADD COLUMN spend_after numeric NOT NULL DEFAULT 0;
COMMENT ON COLUMN spendlog.reprice_runs.posted IS 'those of the changed rows that lie in closed periods';
COMMENT ON COLUMN spendlog.reprice_runs.spend_before IS 'US dollars: all rows considered, before';
COMMENT ON COLUMN spendlog.reprice_runs.spend_after IS 'US dollars: all rows considered, after';

-- The plan of a run, and how far it got: what --resume goes on from.
CREATE TABLE spendlog.reprice_days (
  run_id bigint NOT NULL
    CONSTRAINT reprice_days_run_fkey REFERENCES spendlog.reprice_runs,
  day date NOT NULL,
  state text NOT NULL DEFAULT 'pending'
    CONSTRAINT reprice_days_state CHECK (state IN ('pending', 'done', 'dropped')),
  changed bigint NOT NULL DEFAULT 0,
  method text CONSTRAINT reprice_days_method CHECK (method IN ('update', 'rewrite', 'post')),
  finished_at timestamp(6),
  CONSTRAINT reprice_days_pkey PRIMARY KEY (run_id, day)
);
COMMENT ON TABLE spendlog.reprice_days IS 'Days of a run; rows changed in a pending day are those with an adjustment of the run';
COMMENT ON COLUMN spendlog.reprice_days.state IS 'dropped: retention had taken the day before the run came to it';
COMMENT ON COLUMN spendlog.reprice_days.finished_at IS 'UTC';

-- What a run moved, by model, team and day; and why rows were skipped.
CREATE TABLE spendlog.reprice_tallies (
  run_id bigint NOT NULL
    CONSTRAINT reprice_tallies_run_fkey REFERENCES spendlog.reprice_runs,
  dimension text NOT NULL
    CONSTRAINT reprice_tallies_dimension CHECK (dimension IN ('model', 'team', 'day', 'skipped')),
  value text NOT NULL,
  rows bigint NOT NULL,
  spend_before numeric NOT NULL,
  spend_after numeric NOT NULL,
  CONSTRAINT reprice_tallies_pkey PRIMARY KEY (run_id, dimension, value)
);
COMMENT ON COLUMN spendlog.reprice_tallies.rows IS 'changed rows, or skipped ones';
COMMENT ON COLUMN spendlog.reprice_tallies.spend_before IS 'US dollars: sum over these rows';
COMMENT ON COLUMN spendlog.reprice_tallies.spend_after IS 'US dollars: sum over these rows';

-- --- adjustments

-- Appended by the hundred thousand a second: a primary key and a lookup of three foreign keys per row
-- would cost more than the row. That a run touches a row once is kept by the run itself: it changes
-- only rows that still are as it read them, and checks their number. Posted ones are few and are read
-- by row, so they have a key.
ALTER TABLE spendlog.spend_adjustments
  DROP CONSTRAINT spend_adjustments_pkey,
  DROP CONSTRAINT spend_adjustments_run_fkey,
  DROP CONSTRAINT spend_adjustments_old_book_fkey,
  DROP CONSTRAINT spend_adjustments_new_book_fkey,
  ADD COLUMN old_reason text NOT NULL,
  ADD COLUMN new_reason text NOT NULL,
  ADD COLUMN new_input_cost numeric(38, 18),
  ADD COLUMN new_output_cost numeric(38, 18),
  ADD COLUMN new_other_cost numeric(38, 18);
CREATE INDEX spend_adjustments_brin ON spendlog.spend_adjustments USING brin (run_id, start_time)
  WITH (pages_per_range = 16, autosummarize = on);
CREATE UNIQUE INDEX spend_adjustments_posted_key
  ON spendlog.spend_adjustments (start_time, identity, run_id) WHERE kind = 'posted';
COMMENT ON COLUMN spendlog.spend_adjustments.old_reason IS 'pricing_reason before';
COMMENT ON COLUMN spendlog.spend_adjustments.new_reason IS 'pricing_reason after';
COMMENT ON COLUMN spendlog.spend_adjustments.new_input_cost IS 'US dollars: items of the input side';
COMMENT ON COLUMN spendlog.spend_adjustments.new_output_cost IS 'US dollars: items of the output side';
COMMENT ON COLUMN spendlog.spend_adjustments.new_other_cost IS 'US dollars: all other items';

-- --- rewriting a day

-- Who changes, closes or drops a day holds the advisory lock (class below, days since 2000-01-01), so
-- that two runs, a run and retention, a run and the closing of its month keep out of each other's way.
CREATE FUNCTION spendlog.day_lock_class() RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN 1936745060;
CREATE FUNCTION spendlog.day_lock_key(day date) RETURNS integer
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN day - date '2000-01-01';

CREATE FUNCTION spendlog.shadow_name(day date) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN 'reprice_' || to_char(day, 'YYYYMMDD');

-- An empty copy of a day's table without its indexes; what an earlier run left is thrown away. The
-- bounds are checked row by row: that costs less than reading all rows at the end.
CREATE FUNCTION spendlog.shadow_create(day date) RETURNS text
LANGUAGE plpgsql STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  shadow text := spendlog.shadow_name(day);
BEGIN
  EXECUTE format('DROP TABLE IF EXISTS spendlog.%I', shadow);
  EXECUTE format('CREATE TABLE spendlog.%I (LIKE spendlog.spend_logs INCLUDING ALL '
                 'EXCLUDING INDEXES)', shadow);
  EXECUTE format('ALTER TABLE spendlog.%I ADD CONSTRAINT shadow_bounds '
                 'CHECK (start_time >= %L AND start_time < %L)',
                 shadow, day::timestamp, (day + 1)::timestamp);
  EXECUTE format('GRANT INSERT ON spendlog.%I TO spendlog_repricer', shadow);
  RETURN shadow;
END
$$;
COMMENT ON FUNCTION spendlog.shadow_create(date) IS 'An empty table into which a day is rewritten';

CREATE FUNCTION spendlog.shadow_drop(day date) RETURNS void
LANGUAGE plpgsql STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  EXECUTE format('DROP TABLE IF EXISTS spendlog.%I', spendlog.shadow_name(day));
END
$$;
COMMENT ON FUNCTION spendlog.shadow_drop(date) IS 'Throws away what an interrupted rewrite of a day left';

-- The indexes of the day's table.
CREATE FUNCTION spendlog.shadow_index(day date) RETURNS void
LANGUAGE plpgsql STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET default_statistics_target = 10
AS $$
DECLARE
  leaf text := spendlog.partition_name(day);
  shadow text := spendlog.shadow_name(day);
  wanted record;
BEGIN
  FOR wanted IN
    SELECT i.indisprimary, i.indisunique,
           substring(pg_get_indexdef(i.indexrelid) FROM ' USING .*$') AS definition,
           pg_get_constraintdef(c.oid) AS constraint_definition
    FROM pg_index i LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.contype IN ('p', 'u')
    WHERE i.indrelid = ('spendlog.' || quote_ident(leaf))::regclass
    ORDER BY i.indexrelid
  LOOP
    IF wanted.constraint_definition IS NOT NULL THEN
      EXECUTE format('ALTER TABLE spendlog.%I ADD %s', shadow, wanted.constraint_definition);
    ELSE
      EXECUTE format('CREATE %s INDEX ON spendlog.%I %s',
                     CASE WHEN wanted.indisunique THEN 'UNIQUE' ELSE '' END, shadow,
                     wanted.definition);
    END IF;
  END LOOP;
  -- Of what queries choose by, from a small sample: all 60 columns from the usual one would take longer
  -- than the indexes. Autovacuum does that.
  EXECUTE format('ANALYZE spendlog.%I (start_time, identity, provider, model, team_id, '
                 'pricing_status)', shadow);
END
$$;
COMMENT ON FUNCTION spendlog.shadow_index(date) IS 'Gives a rewritten day the indexes of the original';

-- A transaction whose snapshot is older than the copy of a day would find the day empty after the swap.
-- Whoever opened the table before keeps the swap off by its lock; this waits for all others that have
-- a snapshot now, as CREATE INDEX CONCURRENTLY does. A run's own sessions read nothing but their days.
CREATE FUNCTION spendlog.older_snapshots_wait() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  older text[] := (
    SELECT array_agg(l.virtualxid) FROM pg_stat_activity a JOIN pg_locks l USING (pid)
    WHERE l.locktype = 'virtualxid' AND l.granted AND l.mode = 'ExclusiveLock'
      AND a.backend_xmin IS NOT NULL AND a.datname = current_database()
      AND a.usesysid IS NOT NULL -- autovacuum has none
      AND a.application_name <> 'spendlog reprice');
BEGIN
  FOR i IN 1..300 LOOP
    IF NOT EXISTS (
      SELECT FROM pg_stat_activity a JOIN pg_locks l USING (pid)
      WHERE l.locktype = 'virtualxid' AND l.virtualxid = ANY (older) AND a.backend_xmin IS NOT NULL)
    THEN
      RETURN;
    END IF;
    PERFORM pg_sleep(0.1), pg_stat_clear_snapshot();
  END LOOP;
  RAISE EXCEPTION 'a transaction is still open that began before the day was copied'
    USING ERRCODE = 'lock_not_available';
END
$$;
COMMENT ON FUNCTION spendlog.older_snapshots_wait() IS 'Waits up to 30 s for the end of all snapshots of this database that there are';

-- Puts the rewritten day in the place of the original. Writers of that day wait from here to the end of
-- the transaction, which is to follow at once; rows that came after the copy was read are taken along.
-- Returns how many those were.
CREATE FUNCTION spendlog.swap_partition(day date, copied bigint) RETURNS bigint
LANGUAGE plpgsql STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '500ms'
AS $$
DECLARE
  leaf text := spendlog.partition_name(day);
  shadow text := spendlog.shadow_name(day);
  index_name text;
  present bigint;
  late bigint := 0;
BEGIN
  EXECUTE format('LOCK TABLE spendlog.%I IN SHARE ROW EXCLUSIVE MODE', leaf);
  EXECUTE format('SELECT count(*) FROM spendlog.%I', leaf) INTO present;
  IF present <> copied THEN
    EXECUTE format('INSERT INTO spendlog.%I SELECT l.* FROM spendlog.%I l WHERE NOT EXISTS '
                   '(SELECT FROM spendlog.%I s WHERE s.start_time = l.start_time '
                   'AND s.identity = l.identity)', shadow, leaf, shadow);
    GET DIAGNOSTICS late = ROW_COUNT;
    IF present <> copied + late THEN
      RAISE EXCEPTION '% holds % rows, the copy % and % late ones', leaf, present, copied, late;
    END IF;
  END IF;

  LOCK TABLE spendlog.spend_logs IN ACCESS EXCLUSIVE MODE;
  EXECUTE format('ALTER TABLE spendlog.spend_logs DETACH PARTITION spendlog.%I', leaf);
  EXECUTE format('ALTER TABLE spendlog.spend_logs ATTACH PARTITION spendlog.%I '
                 'FOR VALUES FROM (%L) TO (%L)', shadow, day::timestamp, (day + 1)::timestamp);
  EXECUTE format('DROP TABLE spendlog.%I', leaf);
  EXECUTE format('ALTER TABLE spendlog.%I DROP CONSTRAINT shadow_bounds', shadow);
  EXECUTE format('REVOKE ALL ON spendlog.%I FROM spendlog_repricer', shadow);
  EXECUTE format('ALTER TABLE spendlog.%I RENAME TO %I', shadow, leaf);
  FOR index_name IN
    SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE i.indrelid = ('spendlog.' || quote_ident(leaf))::regclass
      AND starts_with(c.relname, shadow)
  LOOP
    EXECUTE format('ALTER INDEX spendlog.%I RENAME TO %I', index_name,
                   leaf || substr(index_name, length(shadow) + 1));
  END LOOP;
  RETURN late;
END
$$;
COMMENT ON FUNCTION spendlog.swap_partition(date, bigint) IS 'Puts a rewritten day in the place of the original';

-- --- privileges

REVOKE ALL ON FUNCTION spendlog.posting_day(), spendlog.day_lock_class(),
  spendlog.day_lock_key(date), spendlog.shadow_name(date), spendlog.shadow_create(date),
  spendlog.shadow_drop(date), spendlog.shadow_index(date), spendlog.older_snapshots_wait(),
  spendlog.swap_partition(date, bigint)
  FROM PUBLIC;
GRANT EXECUTE ON FUNCTION spendlog.posting_day(), spendlog.day_lock_class(),
  spendlog.day_lock_key(date)
  TO spendlog_writer, spendlog_repricer, spendlog_reader;
GRANT EXECUTE ON FUNCTION spendlog.shadow_create(date), spendlog.shadow_drop(date),
  spendlog.shadow_index(date), spendlog.older_snapshots_wait(),
  spendlog.swap_partition(date, bigint)
  TO spendlog_repricer;
GRANT SELECT ON spendlog.group_books, spendlog.closed_periods, spendlog.reprice_days, spendlog.reprice_tallies
  TO spendlog_writer, spendlog_repricer, spendlog_reader;
GRANT INSERT ON spendlog.closed_periods, spendlog.reprice_days, spendlog.reprice_tallies
  TO spendlog_repricer;
GRANT UPDATE (posted, spend_before, spend_after) ON spendlog.reprice_runs TO spendlog_repricer;
GRANT UPDATE (state, changed, method, finished_at) ON spendlog.reprice_days TO spendlog_repricer;
GRANT UPDATE (rows, spend_before, spend_after) ON spendlog.reprice_tallies TO spendlog_repricer;
