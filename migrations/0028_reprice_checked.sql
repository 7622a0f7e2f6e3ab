-- SPDX-License-Identifier: Apache-2.0
-- What a function promises it checks itself. Money changes together with its adjustment or not at all: the
-- repricer hands in adjustments, the owner's functions change the rows by them. All other columns of a
-- rewritten day are copied by a function, so that no caller can bring other ones.

SET LOCAL ROLE spendlog_owner;

REVOKE UPDATE ON spendlog.spend_logs FROM spendlog_repricer;
REVOKE UPDATE (spend, input_cost, output_cost, other_cost, pricing_status, pricing_reason, price_book_id)
  ON spendlog.spend_logs FROM spendlog_repricer;
REVOKE INSERT ON spendlog.closed_periods FROM spendlog_repricer;

-- Columns that pricing makes, and what an adjustment calls them.
CREATE FUNCTION spendlog.priced_columns() RETURNS TABLE (name name, adjusted name)
LANGUAGE sql IMMUTABLE
AS $$
  VALUES ('spend', 'new_spend'), ('input_cost', 'new_input_cost'), ('output_cost', 'new_output_cost'),
    ('other_cost', 'new_other_cost'), ('pricing_status', 'new_status'), ('pricing_reason', 'new_reason'),
    ('price_book_id', 'new_price_book_id'), ('flags', 'new_flags')
$$;

-- An adjustment fits a row that is as it says it was, and leaves the flags of reading (below 2^24) alone.
CREATE FUNCTION spendlog.adjustment_fits() RETURNS text
LANGUAGE sql IMMUTABLE
RETURN 'a.start_time = s.start_time AND a.identity = s.identity AND a.old_price_book_id = s.price_book_id '
       'AND a.old_spend IS NOT DISTINCT FROM s.spend AND a.old_status = s.pricing_status '
       'AND a.old_reason = s.pricing_reason AND ((a.new_flags # s.flags) & 16777215) = 0';

-- --- changing rows in place

-- Changes the rows by the audit adjustments of the run that this transaction has put in, of calls started
-- in [since, until]; all of them have to fit. Joined by the key of the day's table, row by row:
-- statistics of a young table may say anything, and a plan that reads the whole day for one slice, or the
-- slice for each row of the day, would do so for every slice.
CREATE FUNCTION spendlog.adjust_rows(run bigint, day date, since timestamp, until timestamp) RETURNS bigint
LANGUAGE plpgsql STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET timezone = 'UTC'
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_material = off
SET enable_seqscan = off
AS $$
DECLARE
  mine xid := pg_current_xact_id()::xid;
  leaf text := spendlog.partition_name(day);
  given bigint;
  changed bigint;
BEGIN
  PERFORM spendlog.session_expect();
  PERFORM spendlog.day_expect_claimed(day, true);
  IF since < day OR until >= day + 1 THEN
    RAISE EXCEPTION '% to % is not within %', since, until, day USING ERRCODE = 'invalid_parameter_value';
  END IF;
  EXECUTE format(
    'WITH a AS MATERIALIZED (SELECT * FROM spendlog.spend_adjustments WHERE run_id = $1 AND kind = ''audit'' '
    'AND start_time BETWEEN %L AND %L AND xmin = $2), '
    'changed AS (UPDATE spendlog.%I s SET %s FROM a WHERE %s RETURNING 1) '
    'SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM changed)',
    since, until, leaf,
    (SELECT string_agg(format('%I = a.%I', c.name, c.adjusted), ', ') FROM spendlog.priced_columns() c),
    spendlog.adjustment_fits())
    INTO given, changed USING run, mine;
  IF given <> changed THEN
    RAISE EXCEPTION '% of % rows are no longer as they were read: somebody else changed them',
      given - changed, given USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  RETURN changed;
END
$$;
COMMENT ON FUNCTION spendlog.adjust_rows(bigint, date, timestamp, timestamp) IS 'Changes the money of rows by the adjustments that this transaction has put in';

-- --- rewriting a day

CREATE FUNCTION spendlog.staged_name(day date) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN 'reprice_staged_' || to_char(day, 'YYYYMMDD');

-- What is known of a day's new table: it was filled by shadow_fill() alone, up to which block of the old
-- one, and in which snapshot. Gone with the swap.
CREATE TABLE spendlog.reprice_shadows (
  day date CONSTRAINT reprice_shadows_pkey PRIMARY KEY,
  snapshot pg_snapshot NOT NULL,
  filled_blocks bigint NOT NULL DEFAULT 0,
  filled_rows bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE spendlog.reprice_shadows IS 'Days that a run is rewriting: how far their new tables are filled';

-- An empty copy of a day's table without its indexes, and a table for the day's adjustments, which the run
-- may only add to. What an earlier run left is thrown away. The bounds are checked row by row: that
-- costs less than reading all rows at the end.
DROP FUNCTION spendlog.shadow_create(date);
CREATE FUNCTION spendlog.shadow_create(day date) RETURNS void
LANGUAGE plpgsql STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
AS $$
DECLARE
  shadow text := spendlog.shadow_name(day);
  staged text := spendlog.staged_name(day);
BEGIN
  PERFORM spendlog.day_expect_claimed(day, false);
  PERFORM spendlog.shadow_drop(day);
  EXECUTE format('CREATE TABLE spendlog.%I (LIKE spendlog.spend_logs INCLUDING ALL '
                 'EXCLUDING INDEXES)', shadow);
  EXECUTE format('ALTER TABLE spendlog.%I ADD CONSTRAINT shadow_bounds '
                 'CHECK (start_time >= %L AND start_time < %L)',
                 shadow, day::timestamp, (day + 1)::timestamp);
  EXECUTE format('CREATE UNLOGGED TABLE spendlog.%I (LIKE spendlog.spend_adjustments INCLUDING DEFAULTS '
                 'INCLUDING CONSTRAINTS)', staged);
  EXECUTE format('GRANT INSERT ON spendlog.%I TO spendlog_repricer', staged);
  INSERT INTO spendlog.reprice_shadows (day, snapshot) VALUES (day, pg_current_snapshot());
END
$$;
COMMENT ON FUNCTION spendlog.shadow_create(date) IS 'Empty tables: the one into which a day is rewritten, and one for its adjustments';

CREATE OR REPLACE FUNCTION spendlog.shadow_drop(day date) RETURNS void
LANGUAGE plpgsql STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM spendlog.day_expect_claimed(day, false);
  EXECUTE format('DROP TABLE IF EXISTS spendlog.%I, spendlog.%I', spendlog.shadow_name(day),
                 spendlog.staged_name(day));
  DELETE FROM spendlog.reprice_shadows r WHERE r.day = shadow_drop.day;
END
$$;

-- The next blocks of the day's table into the new one, with the adjustments that were staged since block
-- `staged_from` of their table laid over them. The piece's adjustments are hashed and its rows stream by,
-- in the order of the day. Gives how many rows those were, and where the next adjustments will begin.
CREATE FUNCTION spendlog.shadow_fill(day date, blocks bigint, staged_from bigint,
                                     OUT rows bigint, OUT staged_until bigint)
LANGUAGE plpgsql STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET enable_mergejoin = off
SET enable_nestloop = off
SET work_mem = '32MB'
AS $$
DECLARE
  shadow text := spendlog.shadow_name(day);
  staged text := spendlog.staged_name(day);
  from_block bigint;
BEGIN
  SELECT r.filled_blocks INTO STRICT from_block FROM spendlog.reprice_shadows r
  WHERE r.day = shadow_fill.day FOR UPDATE;
  -- The planner learns once that the key is unique: else it would hash the wide rows, and they would lose
  -- their order.
  IF from_block = 0 THEN
    EXECUTE format('ANALYZE spendlog.%I (start_time, identity)', staged);
  END IF;
  EXECUTE format(
    'INSERT INTO spendlog.%I (%s) SELECT %s FROM spendlog.%I s LEFT JOIN (SELECT * FROM spendlog.%I '
    'WHERE ctid >= ''(%s,0)'') a ON %s WHERE s.ctid >= ''(%s,0)'' AND s.ctid < ''(%s,0)''',
    shadow,
    (SELECT string_agg(quote_ident(c.attname), ', ' ORDER BY c.attnum) FROM pg_attribute c
     WHERE c.attrelid = 'spendlog.spend_logs'::regclass AND c.attnum > 0 AND NOT c.attisdropped),
    (SELECT string_agg(CASE WHEN p.name IS NULL THEN format('s.%I', c.attname)
                            ELSE format('CASE WHEN a.run_id IS NULL THEN s.%I ELSE a.%I END', p.name, p.adjusted)
                       END, ', ' ORDER BY c.attnum)
     FROM pg_attribute c LEFT JOIN spendlog.priced_columns() p ON p.name = c.attname
     WHERE c.attrelid = 'spendlog.spend_logs'::regclass AND c.attnum > 0 AND NOT c.attisdropped),
    spendlog.partition_name(day), staged, staged_from, spendlog.adjustment_fits(),
    from_block, from_block + blocks);
  GET DIAGNOSTICS rows = ROW_COUNT;
  UPDATE spendlog.reprice_shadows r
  SET filled_blocks = r.filled_blocks + blocks, filled_rows = r.filled_rows + rows
  WHERE r.day = shadow_fill.day;
  staged_until := pg_relation_size(format('spendlog.%I', staged)::regclass)
                  / current_setting('block_size')::bigint;
  staged_until := greatest(staged_until - 1, 0); -- the last block may not be full
END
$$;
COMMENT ON FUNCTION spendlog.shadow_fill(date, bigint, bigint) IS 'Copies the next blocks of a day into its new table, with their adjustments laid over them';

-- The adjustments of a rewritten day into the books: exactly what its new table was filled with.
CREATE FUNCTION spendlog.staged_take(run bigint, day date) RETURNS bigint
LANGUAGE plpgsql STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  columns text := (
    SELECT string_agg(quote_ident(c.attname), ', ' ORDER BY c.attnum) FROM pg_attribute c
    WHERE c.attrelid = 'spendlog.spend_adjustments'::regclass AND c.attnum > 0 AND NOT c.attisdropped);
  taken bigint;
  strangers bigint;
BEGIN
  PERFORM spendlog.session_expect();
  PERFORM spendlog.day_expect_claimed(day, true);
  EXECUTE format('REVOKE INSERT ON spendlog.%I FROM spendlog_repricer', spendlog.staged_name(day));
  EXECUTE format('LOCK TABLE spendlog.%I IN SHARE ROW EXCLUSIVE MODE', spendlog.staged_name(day));
  EXECUTE format('SELECT count(*) FROM spendlog.%I WHERE run_id <> $1 OR kind <> ''audit''',
                 spendlog.staged_name(day)) INTO strangers USING run;
  IF strangers > 0 THEN
    RAISE EXCEPTION '% adjustments of % are not of this run', strangers, day
      USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  EXECUTE format('INSERT INTO spendlog.spend_adjustments (%s) SELECT %s FROM spendlog.%I', columns, columns,
                 spendlog.staged_name(day));
  GET DIAGNOSTICS taken = ROW_COUNT;
  RETURN taken;
END
$$;
COMMENT ON FUNCTION spendlog.staged_take(bigint, date) IS 'Books the adjustments that a rewritten day was filled with';

-- Puts the rewritten day in the place of the original. Writers of that day wait from here to the end of
-- the transaction, which is to follow at once; rows that came after the copy was read are taken along.
-- Those are the rows that the copy's snapshot does not see. One that is in the copy all the same was
-- changed meanwhile, one that is in the copy only was deleted: then the day stays as it is. Both sides are
-- compared by number and by a hash over key, place, content and who is charged; all other columns
-- shadow_fill() alone has written.
-- Returns how many late rows there were.
DROP FUNCTION spendlog.swap_partition(date, bigint);
CREATE FUNCTION spendlog.swap_partition(day date) RETURNS bigint
LANGUAGE plpgsql STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET timezone = 'UTC'
SET lock_timeout = '500ms'
AS $$
DECLARE
  leaf text := spendlog.partition_name(day);
  shadow text := spendlog.shadow_name(day);
  index_name text;
  known spendlog.reprice_shadows;
  now_xid bigint;
  oldest integer; -- age of the oldest transaction that the snapshot may not see
  digest text := 'SELECT count(*), bit_xor(s.content_hash # (s.kafka_offset << 17) # s.record_index '
                 '# uuid_hash_extended(s.identity, 1) # timestamp_hash_extended(s.start_time, 2) '
                 '# hashtextextended(s.team_id, 3) # hashtextextended(s.user_id, 4) '
                 '# hashtextextended(coalesce(s.model, ''''), 5)) FROM spendlog.%I s';
  present bigint;
  present_digest bigint;
  copied bigint;
  copied_digest bigint;
  late bigint;
BEGIN
  PERFORM spendlog.session_expect();
  PERFORM spendlog.day_expect_claimed(day, true);
  SELECT * INTO STRICT known FROM spendlog.reprice_shadows r WHERE r.day = swap_partition.day FOR UPDATE;
  EXECUTE format('LOCK TABLE spendlog.%I IN SHARE ROW EXCLUSIVE MODE', leaf);

  now_xid := pg_current_xact_id()::text::bigint;
  oldest := least(now_xid - pg_snapshot_xmin(known.snapshot)::text::bigint, 2000000000);
  EXECUTE format('INSERT INTO spendlog.%I SELECT s.* FROM spendlog.%I s WHERE age(s.xmin) <= $1 '
                 'AND NOT pg_visible_in_snapshot(($2 - age(s.xmin))::text::xid8, $3)', shadow, leaf)
    USING oldest, now_xid, known.snapshot;
  GET DIAGNOSTICS late = ROW_COUNT;
  EXECUTE format(digest, leaf) INTO present, present_digest;
  EXECUTE format(digest, shadow) INTO copied, copied_digest;
  IF present <> copied OR present_digest IS DISTINCT FROM copied_digest OR copied <> known.filled_rows + late THEN
    RAISE EXCEPTION '% holds % rows (digest %), the copy % and % late ones (digest %)', leaf, present,
      present_digest, known.filled_rows, late, copied_digest USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;

  LOCK TABLE spendlog.spend_logs IN ACCESS EXCLUSIVE MODE;
  EXECUTE format('ALTER TABLE spendlog.spend_logs DETACH PARTITION spendlog.%I', leaf);
  EXECUTE format('ALTER TABLE spendlog.spend_logs ATTACH PARTITION spendlog.%I '
                 'FOR VALUES FROM (%L) TO (%L)', shadow, day::timestamp, (day + 1)::timestamp);
  EXECUTE format('DROP TABLE spendlog.%I, spendlog.%I', leaf, spendlog.staged_name(day));
  EXECUTE format('ALTER TABLE spendlog.%I DROP CONSTRAINT shadow_bounds', shadow);
  EXECUTE format('ALTER TABLE spendlog.%I RENAME TO %I', shadow, leaf);
  FOR index_name IN
    SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE i.indrelid = ('spendlog.' || quote_ident(leaf))::regclass
      AND starts_with(c.relname, shadow)
  LOOP
    EXECUTE format('ALTER INDEX spendlog.%I RENAME TO %I', index_name,
                   leaf || substr(index_name, length(shadow) + 1));
  END LOOP;
  DELETE FROM spendlog.reprice_shadows r WHERE r.day = swap_partition.day;
  RETURN late;
END
$$;
COMMENT ON FUNCTION spendlog.swap_partition(date) IS 'Puts a rewritten day in the place of the original, after comparing the two';

-- --- closing a month

-- Once, and only a month that is over by both clocks; not while somebody works on a day of it.
CREATE FUNCTION spendlog.period_close(month date, caller_now timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET timezone = 'UTC'
SET lock_timeout = '5s'
AS $$
DECLARE
  first date := date_trunc('month', month);
  past date := first + interval '1 month';
  differ text := spendlog.clocks_differ(caller_now);
BEGIN
  PERFORM spendlog.session_expect();
  IF first IS NULL OR past > (clock_timestamp() AT TIME ZONE 'UTC')::date THEN
    RAISE EXCEPTION '% is not over', to_char(first, 'YYYY-MM') USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF differ IS NOT NULL THEN
    RAISE EXCEPTION 'whether % is over is not certain: %', to_char(first, 'YYYY-MM'), differ
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  PERFORM spendlog.days_expect_free(ARRAY(SELECT d::date FROM generate_series(first, past - 1, interval '1 day') d));
  INSERT INTO spendlog.closed_periods (month, rows, spend)
  SELECT first, coalesce(sum(e.calls), 0), coalesce(sum(e.spend), 0)
  FROM spendlog.spend_entries e
  WHERE e.day >= first AND e.start_time >= first AND e.start_time < past
  ON CONFLICT ON CONSTRAINT closed_periods_pkey DO NOTHING;
  IF NOT FOUND THEN
    RAISE EXCEPTION '% is closed already', to_char(first, 'YYYY-MM') USING ERRCODE = 'invalid_parameter_value';
  END IF;
END
$$;
COMMENT ON FUNCTION spendlog.period_close(date, timestamptz) IS 'Closes a month that is over, once; the caller''s clock has to agree';

-- --- privileges

REVOKE ALL ON FUNCTION spendlog.priced_columns(), spendlog.adjustment_fits(),
  spendlog.adjust_rows(bigint, date, timestamp, timestamp), spendlog.staged_name(date),
  spendlog.shadow_create(date), spendlog.shadow_fill(date, bigint, bigint),
  spendlog.staged_take(bigint, date), spendlog.swap_partition(date),
  spendlog.period_close(date, timestamptz)
  FROM PUBLIC;
GRANT EXECUTE ON FUNCTION spendlog.staged_name(date), spendlog.adjust_rows(bigint, date, timestamp, timestamp),
  spendlog.shadow_create(date), spendlog.shadow_fill(date, bigint, bigint),
  spendlog.staged_take(bigint, date), spendlog.swap_partition(date),
  spendlog.period_close(date, timestamptz)
  TO spendlog_repricer;

-- Replaced by day_claims.
DROP FUNCTION spendlog.day_lock_class(), spendlog.day_lock_key(date);
