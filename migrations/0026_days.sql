-- SPDX-License-Identifier: Apache-2.0
-- Days: which there are, who works on one, who may make one.
--
-- What a table is called says nothing about what it holds. A day is a partition whose bounds, in the
-- catalogue, are that day and whose name is the day's: everything else that hangs on spend_logs is not
-- ours and is left alone.
--
-- Locks that matter are on tables of ours, taken inside functions that run as the owner: an advisory
-- lock can be taken by any login that may connect.

SET LOCAL ROLE spendlog_owner;

CREATE FUNCTION spendlog.stored_days() RETURNS TABLE (day date, leaf oid)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
AS $$
  SELECT b.day, b.leaf
  FROM (
    SELECT c.oid AS leaf, c.relname, m.bound[1]::date AS day, m.bound[2]::date AS until
    FROM pg_inherits i
    JOIN pg_class c ON c.oid = i.inhrelid AND c.relnamespace = 'spendlog'::regnamespace
    CROSS JOIN LATERAL regexp_match(
      pg_get_expr(c.relpartbound, c.oid),
      '^FOR VALUES FROM \(''(\d{4}-\d\d-\d\d) 00:00:00''\) TO \(''(\d{4,5}-\d\d-\d\d) 00:00:00''\)$')
      AS m (bound)
    WHERE i.inhparent = 'spendlog.spend_logs'::regclass AND m.bound IS NOT NULL
  ) b
  WHERE b.until = b.day + 1 AND b.relname = spendlog.partition_name(b.day)
$$;
COMMENT ON FUNCTION spendlog.stored_days() IS 'The days (UTC) that have a partition of ours, by the bounds in the catalogue';

-- --- locks

CREATE TABLE spendlog.locks (
  name text CONSTRAINT locks_pkey PRIMARY KEY
);
COMMENT ON TABLE spendlog.locks IS 'Rows that functions of the owner lock; nobody else may touch them';
INSERT INTO spendlog.locks (name) VALUES ('partitions');

-- --- who works on a day

-- A claim lasts as long as its session: an advisory lock under a number that nobody could foresee says
-- that the session is there. It counts only together with the pid, so whoever else takes the number
-- changes nothing.
CREATE TABLE spendlog.day_claims (
  day date CONSTRAINT day_claims_pkey PRIMARY KEY,
  pid integer NOT NULL,
  token bigint NOT NULL,
  claimed_by name NOT NULL DEFAULT session_user,
  claimed_at timestamp(6) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC')
);
COMMENT ON TABLE spendlog.day_claims IS 'Days that a session works on: no other run, retention or closing touches them meanwhile';
COMMENT ON COLUMN spendlog.day_claims.token IS 'advisory lock that the session holds while it lives';
COMMENT ON COLUMN spendlog.day_claims.claimed_at IS 'UTC';

CREATE FUNCTION spendlog.claim_lives(pid integer, token bigint) RETURNS boolean
LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT EXISTS (
    SELECT FROM pg_locks l
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.pid = claim_lives.pid
      AND ((l.classid::bigint << 32) | l.objid::bigint) = claim_lives.token
      AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))
$$;

-- Who works on one of the days, other than this session.
CREATE FUNCTION spendlog.day_holders(days date[]) RETURNS TABLE (day date, holder text)
LANGUAGE sql STABLE STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT c.day, format('%s, pid %s', coalesce(nullif(a.application_name, ''), 'a session'), c.pid)
  FROM spendlog.day_claims c LEFT JOIN pg_stat_activity a ON a.pid = c.pid
  WHERE c.day = ANY (days) AND c.pid <> pg_backend_pid() AND spendlog.claim_lives(c.pid, c.token)
  ORDER BY c.day
$$;
COMMENT ON FUNCTION spendlog.day_holders(date[]) IS 'Which of the days other sessions work on, and who they are';

-- All of them or none: gives those that others hold. Claims of sessions that are gone are forgotten.
CREATE FUNCTION spendlog.days_claim(days date[]) RETURNS TABLE (day date, holder text)
LANGUAGE plpgsql STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '5s'
AS $$
#variable_conflict use_column
DECLARE
  mine bigint;
BEGIN
  PERFORM spendlog.session_expect();
  LOCK TABLE spendlog.day_claims IN SHARE ROW EXCLUSIVE MODE;
  DELETE FROM spendlog.day_claims c WHERE NOT spendlog.claim_lives(c.pid, c.token);
  RETURN QUERY SELECT h.day, h.holder FROM spendlog.day_holders(days) h;
  IF FOUND THEN
    RETURN;
  END IF;
  SELECT c.token INTO mine FROM spendlog.day_claims c WHERE c.pid = pg_backend_pid() LIMIT 1;
  WHILE mine IS NULL LOOP
    mine := ('x' || left(replace(gen_random_uuid()::text, '-', ''), 16))::bit(64)::bigint;
    IF NOT pg_try_advisory_lock(mine) THEN
      mine := NULL;
    END IF;
  END LOOP;
  INSERT INTO spendlog.day_claims (day, pid, token)
  SELECT DISTINCT d, pg_backend_pid(), mine FROM unnest(days) AS d
  ON CONFLICT ON CONSTRAINT day_claims_pkey DO NOTHING;
END
$$;
COMMENT ON FUNCTION spendlog.days_claim(date[]) IS 'Claims days for this session, until it ends; gives those that others hold, and then claims none';

-- What changes a day calls this first: no new claim comes before the end of the transaction.
CREATE FUNCTION spendlog.days_expect_free(days date[]) RETURNS void
LANGUAGE plpgsql STRICT
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  held record;
BEGIN
  LOCK TABLE spendlog.day_claims IN SHARE ROW EXCLUSIVE MODE;
  SELECT h.day, h.holder INTO held FROM spendlog.day_holders(days) h LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION '% is being worked on (%)', held.day, held.holder
      USING ERRCODE = 'lock_not_available', HINT = 'Try again when that is done.';
  END IF;
END
$$;

-- The functions of a run: the day is claimed by this session resp. by one of this login, and its month
-- is open.
CREATE FUNCTION spendlog.day_expect_claimed(day date, by_session boolean) RETURNS void
LANGUAGE plpgsql STRICT
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM spendlog.day_claims c
                 WHERE c.day = day_expect_claimed.day AND c.claimed_by = session_user
                   AND (NOT by_session OR c.pid = pg_backend_pid())
                   AND spendlog.claim_lives(c.pid, c.token)) THEN
    RAISE EXCEPTION '% is not claimed: days_claim() first', day
      USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  IF EXISTS (SELECT FROM spendlog.closed_periods p WHERE p.month = date_trunc('month', day)) THEN
    RAISE EXCEPTION '% lies in a closed period: its rows stay as they are', day
      USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
END
$$;

-- --- making a day

CREATE OR REPLACE FUNCTION spendlog.ensure_partition(day date) RETURNS boolean
LANGUAGE plpgsql STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET lock_timeout = '5s'
AS $$
DECLARE
  name text := spendlog.partition_name(day);
BEGIN
  IF EXISTS (SELECT FROM spendlog.stored_days() s WHERE s.day = ensure_partition.day) THEN
    RETURN false;
  END IF;
  PERFORM spendlog.session_expect();
  IF day NOT BETWEEN '1970-01-01' AND '9999-12-31' THEN
    RAISE EXCEPTION '% is no day that can be stored', day USING ERRCODE = 'datetime_field_overflow';
  END IF;
  PERFORM FROM spendlog.locks l WHERE l.name = 'partitions' FOR UPDATE;
  IF EXISTS (SELECT FROM spendlog.stored_days() s WHERE s.day = ensure_partition.day) THEN
    RETURN false; -- another member made it while we waited
  END IF;
  IF EXISTS (SELECT FROM pg_class
             WHERE relnamespace = 'spendlog'::regnamespace AND relname = name) THEN
    RAISE EXCEPTION 'spendlog.% is there, but is not the partition of %', name, day
      USING ERRCODE = 'object_in_use', HINT = 'Attach it to spendlog.spend_logs, or rename it.';
  END IF;
  EXECUTE format('CREATE TABLE spendlog.%I (LIKE spendlog.spend_logs INCLUDING ALL)', name);
  EXECUTE format('ALTER TABLE spendlog.spend_logs ATTACH PARTITION spendlog.%I '
                 'FOR VALUES FROM (%L) TO (%L)', name, day::timestamp, (day + 1)::timestamp);
  RETURN true;
EXCEPTION
  WHEN invalid_object_definition THEN
    RETURN false; -- a partition that is not ours has the day, and takes its rows
END
$$;

-- --- privileges

REVOKE ALL ON FUNCTION spendlog.stored_days(), spendlog.claim_lives(integer, bigint),
  spendlog.day_holders(date[]), spendlog.days_claim(date[]), spendlog.days_expect_free(date[]),
  spendlog.day_expect_claimed(date, boolean)
  FROM PUBLIC;
GRANT EXECUTE ON FUNCTION spendlog.stored_days()
  TO spendlog_writer, spendlog_repricer, spendlog_reader;
GRANT EXECUTE ON FUNCTION spendlog.days_claim(date[]) TO spendlog_repricer;
