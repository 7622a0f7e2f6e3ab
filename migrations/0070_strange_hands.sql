-- SPDX-License-Identifier: Apache-2.0
-- Rows that somebody else changes. COPY and INSERT add rows, functions of ours change them; an UPDATE,
-- DELETE or TRUNCATE by anybody else leaves a mark, which `spendlog verify` reads until the owner accepts
-- it. Statement by statement, so that rows that come in pay nothing. Triggers of the parent do not fire for
-- statements that name a partition: each partition has its own.
--
-- A mark is for accidents and for honest repairs. Who owns the tables can also take away the triggers;
-- what he did shows in the digests, the charges and the sums.

SET LOCAL ROLE spendlog_owner;

CREATE TABLE spendlog.strange_hands (
  hand_id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT strange_hands_pkey PRIMARY KEY,
  transaction xid8 NOT NULL DEFAULT pg_current_xact_id(),
  action text NOT NULL CONSTRAINT strange_hands_action CHECK (action IN ('UPDATE', 'DELETE', 'TRUNCATE')),
  relation name NOT NULL,
  done_by text NOT NULL DEFAULT session_user,
  application text NOT NULL DEFAULT current_setting('application_name'),
  done_at timestamp(6) NOT NULL DEFAULT (clock_timestamp() AT TIME ZONE 'UTC'),
  accepted_by text,
  CONSTRAINT strange_hands_once UNIQUE (transaction, relation, action)
);
COMMENT ON TABLE spendlog.strange_hands IS 'Statements that changed or deleted rows and are not ours; once a transaction, table and kind';
COMMENT ON COLUMN spendlog.strange_hands.relation IS 'the table that the statement named';
COMMENT ON COLUMN spendlog.strange_hands.done_at IS 'UTC';
COMMENT ON COLUMN spendlog.strange_hands.accepted_by IS 'who answers for it, by an UPDATE of the owner''s: verify tells it no more; NULL: nobody';

-- Functions of ours that change rows in place have spendlog.hand set while they run.
CREATE FUNCTION spendlog.hand_mark() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF current_setting('spendlog.hand', true) IS DISTINCT FROM 'spendlog' THEN
    INSERT INTO spendlog.strange_hands (action, relation) VALUES (TG_OP, TG_TABLE_NAME)
    ON CONFLICT ON CONSTRAINT strange_hands_once DO NOTHING;
  END IF;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION spendlog.hand_mark() IS 'Notes that rows were changed by a statement that is not of a function of ours';

CREATE FUNCTION spendlog.hand_watch(rows_of regclass) RETURNS void
LANGUAGE plpgsql STRICT
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  EXECUTE format('CREATE TRIGGER strange_hand AFTER UPDATE OR DELETE OR TRUNCATE ON %s '
                 'FOR EACH STATEMENT EXECUTE FUNCTION spendlog.hand_mark()', rows_of);
END
$$;
COMMENT ON FUNCTION spendlog.hand_watch(regclass) IS 'Has changes of a table of rows noted';

-- As before, by a hand of ours.
CREATE OR REPLACE FUNCTION spendlog.adjust_rows(run bigint, day date, since timestamp, until timestamp) RETURNS bigint
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
  PERFORM set_config('spendlog.hand', 'spendlog', true);
  EXECUTE format(
    'WITH a AS MATERIALIZED (SELECT * FROM spendlog.spend_adjustments WHERE run_id = $1 AND kind = ''audit'' '
    'AND start_time BETWEEN %L AND %L AND xmin = $2), '
    'changed AS (UPDATE spendlog.%I s SET %s FROM a WHERE %s RETURNING 1) '
    'SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM changed)',
    since, until, leaf,
    (SELECT string_agg(format('%I = a.%I', c.name, c.adjusted), ', ') FROM spendlog.priced_columns() c),
    spendlog.adjustment_fits())
    INTO given, changed USING run, mine;
  PERFORM set_config('spendlog.hand', '', true);
  IF given <> changed THEN
    RAISE EXCEPTION '% of % rows are no longer as they were read: somebody else changed them',
      given - changed, given USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  RETURN changed;
END
$$;

SELECT spendlog.hand_watch('spendlog.spend_logs');
SELECT spendlog.hand_watch(s.leaf) FROM spendlog.stored_days() s;

-- As before, and watched.
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
  PERFORM spendlog.hand_watch(format('spendlog.%I', name)::regclass);
  EXECUTE format('ALTER TABLE spendlog.spend_logs ATTACH PARTITION spendlog.%I '
                 'FOR VALUES FROM (%L) TO (%L)', name, day::timestamp, (day + 1)::timestamp);
  RETURN true;
EXCEPTION
  WHEN invalid_object_definition THEN
    RETURN false; -- a partition that is not ours has the day, and takes its rows
END
$$;

-- As before, and watched when it has taken the day's place.
CREATE OR REPLACE FUNCTION spendlog.shadow_create(day date) RETURNS void
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
  PERFORM spendlog.hand_watch(format('spendlog.%I', shadow)::regclass);
  EXECUTE format('ALTER TABLE spendlog.%I ADD CONSTRAINT shadow_bounds '
                 'CHECK (start_time >= %L AND start_time < %L)',
                 shadow, day::timestamp, (day + 1)::timestamp);
  EXECUTE format('CREATE UNLOGGED TABLE spendlog.%I (LIKE spendlog.spend_adjustments INCLUDING DEFAULTS '
                 'INCLUDING CONSTRAINTS)', staged);
  EXECUTE format('GRANT INSERT ON spendlog.%I TO spendlog_repricer', staged);
  INSERT INTO spendlog.reprice_shadows (day, snapshot) VALUES (day, pg_current_snapshot());
END
$$;

REVOKE ALL ON FUNCTION spendlog.hand_mark(), spendlog.hand_watch(regclass) FROM PUBLIC;
GRANT SELECT ON spendlog.strange_hands TO spendlog_writer, spendlog_repricer, spendlog_reader;
