-- SPDX-License-Identifier: Apache-2.0
-- Money and its record are one: a rewritten day comes in together with the adjustments it was filled with, in
-- one transaction, and a posted adjustment belongs to a row of a closed month and begins where the row stands.

SET LOCAL ROLE spendlog_owner;

-- --- rewritten days

ALTER TABLE spendlog.reprice_shadows ADD COLUMN taken_in xid8;
COMMENT ON COLUMN spendlog.reprice_shadows.taken_in IS 'transaction that booked the adjustments of the day: the swap is part of it';

-- As before, once a day and for a run that is under way.
CREATE OR REPLACE FUNCTION spendlog.staged_take(run bigint, day date) RETURNS bigint
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
  IF NOT EXISTS (SELECT FROM spendlog.reprice_runs r WHERE r.run_id = run AND r.state = 'running') THEN
    RAISE EXCEPTION 'there is no run % under way', run USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  UPDATE spendlog.reprice_shadows r SET taken_in = pg_current_xact_id()
  WHERE r.day = staged_take.day AND r.taken_in IS NULL;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'the adjustments of % were taken already', day
      USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
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

-- --- posted adjustments

-- A posted adjustment is summed, whoever put it in. Row by row, so that audit adjustments, which come by the
-- hundred thousand, pay nothing; by the table of the row's day, so that the planner looks at one.
CREATE FUNCTION spendlog.posted_expect() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET timezone = 'UTC'
AS $$
DECLARE
  day date := NEW.start_time::date;
  leaf text := spendlog.partition_name(day);
  fits boolean := false;
BEGIN
  IF EXISTS (SELECT FROM spendlog.day_claims c WHERE c.day = NEW.start_time::date AND c.pid = pg_backend_pid())
    AND EXISTS (SELECT FROM spendlog.closed_periods p WHERE p.month = date_trunc('month', NEW.start_time))
    AND NOT EXISTS (SELECT FROM spendlog.closed_periods p WHERE p.month = date_trunc('month', NEW.posted_on))
    AND EXISTS (SELECT FROM spendlog.reprice_runs r WHERE r.run_id = NEW.run_id AND r.state = 'running'
                AND (NEW.posted_on BETWEEN r.started_at::date AND now()::date
                     OR NEW.posted_on = spendlog.posting_day()))
    AND EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = 'spendlog'::regnamespace AND c.relname = leaf) THEN
    EXECUTE format(
      'SELECT EXISTS (SELECT FROM spendlog.%I s LEFT JOIN LATERAL (SELECT a.* FROM spendlog.spend_adjustments a '
      'WHERE a.kind = ''posted'' AND a.start_time = s.start_time AND a.identity = s.identity '
      'AND a.run_id <> ($1).run_id ORDER BY a.run_id DESC LIMIT 1) p ON true '
      'WHERE s.start_time = ($1).start_time AND s.identity = ($1).identity '
      'AND coalesce(p.run_id < ($1).run_id, true) ' -- a run that was begun later has the row
      'AND ($1).old_spend IS NOT DISTINCT FROM CASE WHEN p.run_id IS NULL THEN s.spend ELSE p.new_spend END '
      'AND ($1).old_status = coalesce(p.new_status, s.pricing_status) '
      'AND ($1).old_price_book_id = coalesce(p.new_price_book_id, s.price_book_id) '
      'AND ((coalesce(($1).new_flags, s.flags) # s.flags) & 16777215) = 0 '
      'AND NOT EXISTS (SELECT FROM spendlog.excluded_rows x '
      'WHERE x.start_time = s.start_time AND x.identity = s.identity))', leaf)
      INTO fits USING NEW;
  END IF;
  IF NOT fits THEN
    RAISE EXCEPTION 'no adjustment of this run can be posted for the row % of %', NEW.identity, NEW.start_time
      USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'The row is in a closed month, stands as the adjustment says, and counts on an open day.';
  END IF;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION spendlog.posted_expect() IS 'Raises unless a posted adjustment is one of a run under way for a row as it stands';
CREATE TRIGGER spend_adjustments_posted AFTER INSERT ON spendlog.spend_adjustments
  FOR EACH ROW WHEN (NEW.kind = 'posted') EXECUTE FUNCTION spendlog.posted_expect();

-- --- closing a month

-- As before; minus infinity would be days without end.
CREATE OR REPLACE FUNCTION spendlog.period_close(month date, caller_now timestamptz) RETURNS void
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
  IF first < '1970-01-01' THEN
    RAISE EXCEPTION '% is no month of stored days', first USING ERRCODE = 'invalid_parameter_value';
  END IF;
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

REVOKE ALL ON FUNCTION spendlog.posted_expect() FROM PUBLIC;

-- --- tallies of a run

-- A run also says how many rows lost their price, and how many got one.
ALTER TABLE spendlog.reprice_tallies DROP CONSTRAINT reprice_tallies_dimension,
  ADD CONSTRAINT reprice_tallies_dimension
    CHECK (dimension IN ('model', 'team', 'day', 'skipped', 'price_lost', 'price_gained'));
COMMENT ON COLUMN spendlog.reprice_tallies.rows IS 'changed rows, skipped ones, or those of the changed that lost or got a price';

-- Models and teams may be longer than what an index takes: of such the beginning and a hash.
CREATE FUNCTION spendlog.tally_shorten() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  NEW.value := left(NEW.value, 100) || '... ' || md5(NEW.value);
  RETURN NEW;
END
$$;
REVOKE ALL ON FUNCTION spendlog.tally_shorten() FROM PUBLIC;
CREATE TRIGGER reprice_tallies_shorten BEFORE INSERT ON spendlog.reprice_tallies
  FOR EACH ROW WHEN (octet_length(NEW.value) > 2048) EXECUTE FUNCTION spendlog.tally_shorten();
COMMENT ON COLUMN spendlog.reprice_tallies.value IS 'of more than 2048 bytes the beginning and a hash';
