-- SPDX-License-Identifier: Apache-2.0
-- One call and one session are found by their names in the time of some pages, however many days and rows there are.
--
-- Of a day that is over, `day_names` has each name of its rows as 16 bits of a hash, with the two seconds in which such
-- a row began: to ask for a name is to look at one line of each day, and then at the rows of those seconds, by the
-- primary key. Who writes rows pays nothing. What comes to a day later leaves a mark in its own transaction, and a day
-- with a mark, or whose table is another one now, is asked by its index of filters (0083), as are days that are not
-- over, until its names are made again. So nothing is missed; what the hash takes for the same is compared.

SET LOCAL ROLE spendlog_owner;

INSERT INTO spendlog.locks (name) VALUES ('names');

CREATE TABLE spendlog.named_days (
  day date CONSTRAINT named_days_pkey PRIMARY KEY,
  leaf oid NOT NULL,
  pieces smallint,
  made_at timestamp(6),
  buckets integer[] NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE spendlog.named_days IS 'Days whose rows are found by day_names: as long as `leaf` is their table and late_names has none of them';
COMMENT ON COLUMN spendlog.named_days.leaf IS 'the table that is watched: each row that comes to it leaves a mark in late_names';
COMMENT ON COLUMN spendlog.named_days.pieces IS 'in how many pieces its names are made; NULL: it is watched, and nothing was made yet';
COMMENT ON COLUMN spendlog.named_days.made_at IS 'UTC; NULL: not yet';
COMMENT ON COLUMN spendlog.named_days.buckets IS 'of each piece that was made, by how many its names are apart';

CREATE TABLE spendlog.day_names (
  day date NOT NULL,
  piece smallint NOT NULL,
  bucket integer NOT NULL,
  prints smallint[] NOT NULL,
  seconds smallint[] NOT NULL,
  CONSTRAINT day_names_pkey PRIMARY KEY (day, piece, bucket)
);
ALTER TABLE spendlog.day_names ALTER COLUMN prints SET STORAGE EXTERNAL, ALTER COLUMN seconds SET STORAGE EXTERNAL;
COMMENT ON TABLE spendlog.day_names IS 'Names of the rows of a day: 16 bits of a hash, and in which two seconds of the day the row began';
COMMENT ON COLUMN spendlog.day_names.seconds IS 'pairs of seconds from midnight (UTC), less 32768; beside prints';

CREATE TABLE spendlog.late_names (
  day date NOT NULL,
  noted_at timestamp(6) NOT NULL DEFAULT (clock_timestamp() AT TIME ZONE 'UTC')
);
COMMENT ON TABLE spendlog.late_names IS 'Days to whose rows some came, or were changed, since their names were made';

-- --- keeping

-- Hashes of the names by which a row s is looked for; nobody asks for the trace of a call that has a session. The name of what made it has
-- hashes of its own (of seed 1): who asks for a call does not look at all that it made.
CREATE FUNCTION spendlog.names_of_rows() RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (SELECT 'unnest(ARRAY[' || string_agg(format('hashtextextended(%s, %s)', n.name, n.seed), ', ') || '])'
        FROM (VALUES ('coalesce(nullif(s.request_id, ''''), s.identity::text)', 0), ('nullif(s.call_id, '''')', 0),
          ('s.call_uuid::text', 0), ('CASE WHEN s.session_id <> '''' THEN s.session_id WHEN s.trace_uuid IS NULL '
          'THEN nullif(s.trace_id, '''') ELSE s.trace_uuid::text END', 0), ('nullif(s.parent_id, '''')', 1)) AS n (name, seed));

-- Once a transaction and day: the setting ends with the transaction.
CREATE FUNCTION spendlog.names_mark() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM set_config('spendlog.late_' || TG_ARGV[0], 'noted', true);
  INSERT INTO spendlog.late_names (day) VALUES (TG_ARGV[0]::date);
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION spendlog.names_mark() IS 'Notes that a day has rows which its names do not know';

-- A day is watched in a transaction of its own: it waits for who is writing to the day, so that
-- whoever reads the day afterwards sees what came without a mark.
CREATE FUNCTION spendlog.names_watch(day date, leaf oid) RETURNS void
LANGUAGE plpgsql STRICT
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET lock_timeout = '1s'
AS $$
#variable_conflict use_variable
DECLARE
  word text := to_char(day, 'YYYYMMDD');
BEGIN
  EXECUTE format('CREATE OR REPLACE TRIGGER late_names AFTER INSERT OR UPDATE OF start_time, identity, request_id, call_id, '
    'call_uuid, session_id, trace_id, trace_uuid, parent_id ON %s FOR EACH ROW '
    'WHEN (current_setting(%L, true) IS DISTINCT FROM ''noted'') EXECUTE FUNCTION spendlog.names_mark(%L)',
    leaf::regclass, 'spendlog.late_' || word, word);
  EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER late_names', leaf::regclass);
  INSERT INTO spendlog.named_days (day, leaf) VALUES (day, leaf)
  ON CONFLICT ON CONSTRAINT named_days_pkey DO UPDATE SET leaf = excluded.leaf, pieces = NULL, made_at = NULL, buckets = '{}';
END
$$;

-- A day is made by pieces of about a million rows, a transaction each: names of one are put in order in memory. With the
-- first the marks go: what they are about is read now and by the pieces that follow, and who comes meanwhile leaves another.
CREATE FUNCTION spendlog.names_begin(day date, leaf oid) RETURNS void
LANGUAGE sql STRICT
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  DELETE FROM spendlog.late_names l WHERE l.day = names_begin.day;
  DELETE FROM spendlog.day_names n WHERE n.day = names_begin.day;
  UPDATE spendlog.named_days n SET made_at = NULL, buckets = '{}', pieces =
    1 + least(pg_relation_size(names_begin.leaf::regclass) / 300000000, 1000) -- rows of 300 bytes
  WHERE n.day = names_begin.day;
END;

CREATE FUNCTION spendlog.names_make(day date, leaf oid, pieces integer, piece integer) RETURNS void
LANGUAGE plpgsql STRICT
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET jit = off
SET work_mem = '64MB'
SET max_parallel_workers_per_gather = 0
AS $$
#variable_conflict use_variable
DECLARE
  apart integer := 1 + pg_relation_size(leaf::regclass) / pieces / 20000;
BEGIN
  EXECUTE format('INSERT INTO spendlog.day_names SELECT %1$L::date, %2$s, (k.key >> 32)::integer, '
    'array_agg((((k.key >> 16) & 65535) - 32768)::smallint), array_agg(((k.key & 65535) - 32768)::smallint) FROM ('
    'SELECT DISTINCT ((((h.hash >> 32) & 2147483647) %% %3$s) << 32) | ((h.hash & 65535) << 16) | h.pair AS key FROM ('
    'SELECT %5$s AS hash, floor(date_part(''epoch'', s.start_time - %1$L::timestamp) / 2)::integer AS pair '
    'FROM %4$s s WHERE s.start_time >= %6$L AND s.start_time < %7$L) h WHERE h.hash IS NOT NULL) k '
    'GROUP BY 3', day, piece, apart, leaf::regclass, spendlog.names_of_rows(),
    day + (piece - 1) * interval '1 day' / pieces, day + piece * interval '1 day' / pieces);
  UPDATE spendlog.named_days n SET buckets = n.buckets || apart,
    made_at = CASE WHEN piece = pieces THEN clock_timestamp() AT TIME ZONE 'UTC' END
  WHERE n.day = names_make.day;
END
$$;

-- One step of what there is to do, each in a transaction of its own; NULL: nothing, or another session is at it. A day is
-- due when it has been over for a day, and for an hour nothing came to it.
CREATE FUNCTION spendlog.names_step(OUT day date)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
#variable_conflict use_column
DECLARE
  due record;
BEGIN
  IF EXISTS (SELECT FROM pg_extension e WHERE e.extname = 'citus') THEN
    RETURN; -- which takes no triggers on rows
  END IF;
  PERFORM FROM spendlog.locks l WHERE l.name = 'names' FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  DELETE FROM spendlog.named_days n WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = n.leaf);
  DELETE FROM spendlog.day_names n WHERE NOT EXISTS (SELECT FROM spendlog.named_days d WHERE d.day = n.day);
  DELETE FROM spendlog.late_names n WHERE NOT EXISTS (SELECT FROM spendlog.named_days d WHERE d.day = n.day);
  SELECT s.day, s.leaf, n.leaf IS NOT DISTINCT FROM s.leaf AS watched, n.pieces, n.made_at IS NULL AS begun,
    cardinality(n.buckets) + 1 AS piece INTO due
  FROM spendlog.stored_days() s
  LEFT JOIN spendlog.named_days n ON n.day = s.day
  LEFT JOIN (SELECT l.day, max(l.noted_at) AS noted_at FROM spendlog.late_names l GROUP BY 1) l ON l.day = s.day
  WHERE s.day < (now() AT TIME ZONE 'UTC')::date - 1 AND (n.leaf IS DISTINCT FROM s.leaf OR n.made_at IS NULL OR l.day IS NOT NULL)
    AND (l.noted_at IS NULL OR l.noted_at < now() AT TIME ZONE 'UTC' - interval '1 hour' OR n.made_at IS NULL AND n.pieces > 0)
    AND NOT EXISTS (SELECT FROM spendlog.day_holders(ARRAY[s.day]))
  ORDER BY n.leaf IS NOT DISTINCT FROM s.leaf DESC, s.day DESC LIMIT 1;
  day := due.day;
  IF NOT due.watched THEN
    PERFORM spendlog.names_watch(due.day, due.leaf);
  ELSIF due.pieces IS NULL OR NOT due.begun THEN
    PERFORM spendlog.names_begin(due.day, due.leaf);
  ELSIF due.begun THEN
    PERFORM spendlog.names_make(due.day, due.leaf, due.pieces, due.piece);
  END IF;
END
$$;
COMMENT ON FUNCTION spendlog.names_step() IS 'One step of making the names of days that are over: the day; NULL: nothing to do';

-- --- asking

-- Where rows of names may be that began in [since, until), by hashes of the names: the pairs of seconds of days with names; and
-- the ranges of time that days with names leave, as a condition on rows s (NULL: none).
CREATE FUNCTION spendlog.name_places(hashes bigint[], since timestamp, until timestamp, OUT at timestamp[], OUT elsewhere text)
LANGUAGE plpgsql STABLE STRICT
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_bitmapscan = off
SET enable_indexscan = on
SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  days date[];
BEGIN
  SELECT array_agg(n.day ORDER BY n.day) INTO days
  FROM spendlog.named_days n
  WHERE n.made_at IS NOT NULL AND n.day >= name_places.since::date AND n.day < name_places.until
    AND n.day <> ALL (ARRAY(SELECT l.day FROM spendlog.late_names l))
    AND n.leaf = ANY (ARRAY(SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = 'spendlog.stored_rows'::regclass));
  SELECT array_agg(f.day + make_interval(secs => 2 * (f.seconds[u.n] + 32768)) ORDER BY f.day, u.n) INTO at
  FROM (
    SELECT d.day, n.prints, n.seconds, h.print
    FROM (SELECT m.day, m.buckets FROM spendlog.named_days m WHERE m.day = ANY (days) OFFSET 0) d
    CROSS JOIN LATERAL unnest(d.buckets) WITH ORDINALITY AS p (buckets, piece)
    CROSS JOIN (SELECT (a.hash >> 32) & 2147483647 AS place, ((a.hash & 65535) - 32768)::smallint AS print FROM unnest(hashes) AS a (hash)) h
    CROSS JOIN LATERAL (
      SELECT b.prints, b.seconds FROM spendlog.day_names b
      WHERE b.day = d.day AND b.piece = p.piece AND b.bucket = (h.place % p.buckets)::integer OFFSET 0) n
    WHERE h.print = ANY (n.prints)) f
  CROSS JOIN LATERAL unnest(array_positions(f.prints, f.print)) AS u (n);
  SELECT CASE WHEN days IS NULL AND NOT isfinite(name_places.since) THEN 'true' -- else a day is read by its times
    ELSE string_agg(format('s.start_time >= %L AND s.start_time < %L', g.since, g.until), ' OR ' ORDER BY g.since) END INTO elsewhere
  FROM (
    SELECT coalesce(lag(d.day) OVER (ORDER BY d.day) + 1, name_places.since) AS since, least(d.day, name_places.until) AS until
    FROM unnest(days || date 'infinity') AS d (day)) g
  WHERE g.since < g.until;
END
$$;

-- Rows that fulfil a condition and have one of the names, of those that began in [since, until). In the condition $1 is the first name,
-- $2 the same as a uuid where it is one, $3 all. By index scans it would rather walk through all times of a day than ask its filters;
-- of many names reading a day once is cheaper than asking the filters for each.
CREATE FUNCTION spendlog.rows_named(condition text, names text[], hashes bigint[], since timestamp, until timestamp)
RETURNS TABLE (start_time timestamp, identity uuid)
LANGUAGE plpgsql STABLE STRICT ROWS 10
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET enable_seqscan = off
SET enable_indexscan = off
SET max_parallel_workers_per_gather = 0
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
  name text := names[1];
  as_uuid uuid := CASE WHEN name ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' THEN name::uuid END;
  place record;
  day date;
BEGIN
  place := spendlog.name_places(hashes, since, until);
  FOR day IN SELECT DISTINCT a::date FROM unnest(place.at) AS a LOOP
    RETURN QUERY EXECUTE format('SELECT s.start_time, s.identity FROM (SELECT DISTINCT p FROM unnest($4) AS p WHERE p >= %1$L AND p < %2$L) p '
      'CROSS JOIN LATERAL (SELECT * FROM spendlog.stored_rows r WHERE r.start_time >= p.p AND r.start_time < p.p + interval ''2 seconds'' '
      'AND r.start_time >= %3$L AND r.start_time < %4$L OFFSET 0) s WHERE %5$s', day, day + 1, greatest(day, since), least(day + 1, until), condition)
      USING name, as_uuid, names, place.at;
  END LOOP;
  IF place.elsewhere IS NOT NULL THEN
    IF cardinality(names) > 200 THEN
      PERFORM set_config('enable_seqscan', 'on', true);
    END IF;
    RETURN QUERY EXECUTE format('SELECT s.start_time, s.identity FROM spendlog.stored_rows s WHERE (%s) AND (%s)', place.elsewhere, condition)
      USING name, as_uuid, names;
  END IF;
END
$$;

-- Those of one name, whenever they began; '' is nobody's.
CREATE FUNCTION spendlog.rows_that(condition text, name text) RETURNS TABLE (start_time timestamp, identity uuid)
LANGUAGE sql STABLE STRICT ROWS 10
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT * FROM spendlog.rows_named(condition, ARRAY[name], ARRAY[hashtextextended(name, 0)], '-infinity', 'infinity') WHERE name <> ''
$$;

-- Rows as spend_logs shows them, by keys: of those days alone. Of whole days, or all between the first and the last are read.
CREATE FUNCTION spendlog.rows_by_keys(start_times timestamp[], identities uuid[]) RETURNS SETOF spendlog.spend_logs
LANGUAGE plpgsql STABLE STRICT ROWS 10
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET enable_seqscan = off
SET max_parallel_workers_per_gather = 0
SET jit = off
AS $$
BEGIN
  IF cardinality(start_times) > 0 THEN
    RETURN QUERY EXECUTE format('WITH k AS MATERIALIZED (SELECT * FROM unnest($1, $2) AS u (start_time, identity)) '
      'SELECT l.* FROM k JOIN spendlog.spend_logs l ON l.start_time = k.start_time AND l.identity = k.identity '
      'WHERE l.start_time >= %L AND l.start_time < %L ORDER BY l.start_time, l.identity',
      (SELECT min(t)::date FROM unnest(start_times) AS t), (SELECT max(t)::date + 1 FROM unnest(start_times) AS t))
      USING start_times, identities;
  END IF;
END
$$;

-- Of rows without a request id the identity, as in LiteLLM_SpendLogs.
CREATE FUNCTION spendlog.calls_named(id text) RETURNS TABLE (start_time timestamp, identity uuid)
LANGUAGE sql STABLE STRICT ROWS 2
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT * FROM spendlog.rows_that('coalesce(nullif(s.request_id, ''''), s.identity::text) = $1 OR s.call_id = $1 OR s.call_uuid = $2', id)
$$;
COMMENT ON FUNCTION spendlog.calls_named(text) IS 'Rows whose request id or call id it is, found by the index; join spend_logs by both columns';

CREATE FUNCTION spendlog.calls_of_session(id text) RETURNS TABLE (start_time timestamp, identity uuid)
LANGUAGE sql STABLE STRICT ROWS 50
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT * FROM spendlog.rows_that('s.session_id = $1', id)
$$;
COMMENT ON FUNCTION spendlog.calls_of_session(text) IS 'Rows of a session, found by the index; join spend_logs by both columns';

CREATE FUNCTION spendlog.call(id text) RETURNS SETOF spendlog.spend_logs
LANGUAGE sql STABLE STRICT ROWS 2
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT l.* FROM (SELECT array_agg(f.start_time) AS at, array_agg(f.identity) AS who FROM spendlog.calls_named(id) f) k
  CROSS JOIN LATERAL spendlog.rows_by_keys(k.at, k.who) l
$$;
COMMENT ON FUNCTION spendlog.call(text) IS 'Rows whose request id or call id it is, as spend_logs shows them';

CREATE FUNCTION spendlog.session(id text) RETURNS SETOF spendlog.spend_logs
LANGUAGE sql STABLE STRICT ROWS 50
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT l.* FROM (SELECT array_agg(f.start_time) AS at, array_agg(f.identity) AS who FROM spendlog.calls_of_session(id) f) k
  CROSS JOIN LATERAL spendlog.rows_by_keys(k.at, k.who) l
$$;
COMMENT ON FUNCTION spendlog.session(text) IS 'Rows of a session, as spend_logs shows them';

REVOKE ALL ON FUNCTION spendlog.names_of_rows(), spendlog.names_mark(), spendlog.names_watch(date, oid), spendlog.names_begin(date, oid),
  spendlog.names_make(date, oid, integer, integer),
  spendlog.names_step(), spendlog.name_places(bigint[], timestamp, timestamp),
  spendlog.rows_named(text, text[], bigint[], timestamp, timestamp), spendlog.rows_that(text, text), spendlog.rows_by_keys(timestamp[], uuid[]),
  spendlog.calls_named(text), spendlog.calls_of_session(text), spendlog.call(text), spendlog.session(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION spendlog.names_step() TO spendlog_writer;
GRANT EXECUTE ON FUNCTION spendlog.name_places(bigint[], timestamp, timestamp),
  spendlog.rows_named(text, text[], bigint[], timestamp, timestamp), spendlog.rows_that(text, text), spendlog.rows_by_keys(timestamp[], uuid[]),
  spendlog.calls_named(text), spendlog.calls_of_session(text), spendlog.call(text), spendlog.session(text)
  TO spendlog_writer, spendlog_repricer, spendlog_reader;
GRANT SELECT ON spendlog.named_days, spendlog.day_names, spendlog.late_names TO spendlog_writer, spendlog_repricer, spendlog_reader;
