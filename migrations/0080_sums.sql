-- SPDX-License-Identifier: Apache-2.0
-- Sums, equal to the rows at every commit: whatever changes what rows come to appends signed deltas in its
-- own transaction. The members add up a batch themselves (store/sums.c) and append by COPY; functions below
-- do it for what changes rows afterwards: adjustments of a reprice, rows set aside. Nobody updates a sum.
--
-- One table of three kinds of lines (grain): `delta` as appended, `slot` per quarter of an hour and `day`
-- per day, both merged from deltas. A question reads delta and slot, or delta and day, and adds up.

SET LOCAL ROLE spendlog_owner;

CREATE TABLE spendlog.spend_sums (
  grain text NOT NULL DEFAULT 'delta',
  day date NOT NULL,
  slot smallint,
  level text NOT NULL,
  coarse smallint NOT NULL DEFAULT 0,
  label text NOT NULL,
  provider text NOT NULL,
  model text NOT NULL,
  model_group text NOT NULL,
  api_key text NOT NULL,
  api_key_alias text NOT NULL,
  user_id text NOT NULL,
  team_id text NOT NULL,
  team_alias text NOT NULL,
  organization_id text NOT NULL,
  call_type text NOT NULL,
  status text NOT NULL,
  pricing_status text NOT NULL,
  pricing_reason text NOT NULL,
  entries integer NOT NULL,
  calls integer NOT NULL,
  spent integer,
  costed integer,
  gateway_calls integer,
  input_calls integer,
  output_calls integer,
  cache_read_calls integer,
  cache_write_calls integer,
  reasoning_calls integer,
  timed_calls integer,
  differing integer,
  by_clock integer,
  spend numeric,
  input_cost numeric,
  output_cost numeric,
  other_cost numeric,
  gateway_cost numeric,
  input_tokens numeric,
  output_tokens numeric,
  cache_read_tokens numeric,
  cache_write_tokens numeric,
  reasoning_tokens numeric,
  duration_us numeric
) PARTITION BY LIST (grain);
COMMENT ON TABLE spendlog.spend_sums IS 'What rows come to: read grains delta and slot, or delta and day, and add up. Signed; never updated';
COMMENT ON COLUMN spendlog.spend_sums.grain IS 'delta: appended with what it counts; slot, day: merged from deltas, per quarter of an hour and per day';
COMMENT ON COLUMN spendlog.spend_sums.day IS 'UTC; of the call''s start, or on which a posted correction counts';
COMMENT ON COLUMN spendlog.spend_sums.slot IS 'quarter of an hour of the day, 0 to 95; NULL: of the whole day';
COMMENT ON COLUMN spendlog.spend_sums.level IS
  'all: everything, by all columns; tag, end_user: by label; drift: what our price is compared on; open: without a price of ours; doubt: what may be wrong';
COMMENT ON COLUMN spendlog.spend_sums.coarse IS
  '0: by all columns of the level; 1: by label and day alone; 2: labels were too many to be told apart';
COMMENT ON COLUMN spendlog.spend_sums.label IS 'the tag or end user; else empty';
COMMENT ON COLUMN spendlog.spend_sums.entries IS 'how many entries (spend_entries) are in it, less those that were taken out: 0 is nothing';
COMMENT ON COLUMN spendlog.spend_sums.spent IS 'entries that have a spend; likewise costed, gateway_calls, ... of their columns; NULL: none';
COMMENT ON COLUMN spendlog.spend_sums.differing IS 'level drift: calls whose spend is not the gateway''s';
COMMENT ON COLUMN spendlog.spend_sums.by_clock IS 'level drift: calls priced per second, by the gateway''s clock';
COMMENT ON COLUMN spendlog.spend_sums.spend IS 'US dollars; NULL: nothing of it has a price';
COMMENT ON COLUMN spendlog.spend_sums.duration_us IS 'microseconds, of the timed calls';

CREATE TABLE spendlog.spend_deltas PARTITION OF spendlog.spend_sums FOR VALUES IN ('delta')
  WITH (autovacuum_vacuum_scale_factor = 0.1, autovacuum_vacuum_threshold = 5000);
CREATE TABLE spendlog.spend_slots PARTITION OF spendlog.spend_sums FOR VALUES IN ('slot');
CREATE TABLE spendlog.spend_days PARTITION OF spendlog.spend_sums FOR VALUES IN ('day');
CREATE INDEX spend_slots_day ON spendlog.spend_slots (day, level);
CREATE INDEX spend_days_day ON spendlog.spend_days (day, level);
COMMENT ON TABLE spendlog.spend_deltas IS 'spend_sums as they were appended: not merged yet';
COMMENT ON TABLE spendlog.spend_slots IS 'spend_sums merged per quarter of an hour';
COMMENT ON TABLE spendlog.spend_days IS 'spend_sums merged per day';

-- A pass gives each day lines that are apart from each other; several passes give the same line again.
CREATE TABLE spendlog.sums_days (
  day date CONSTRAINT sums_days_pkey PRIMARY KEY,
  lines bigint NOT NULL,
  added bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE spendlog.sums_days IS 'Merged days of spend_slots and spend_days: when a day has more lines added than it had it is merged again';
COMMENT ON COLUMN spendlog.sums_days.lines IS 'of the two, when the day was merged last';
COMMENT ON COLUMN spendlog.sums_days.added IS 'since then';

-- Days that went before there were sums are in none.
ALTER TABLE spendlog.dropped_partitions ADD COLUMN rows_unsummed bigint NOT NULL DEFAULT 0;
UPDATE spendlog.dropped_partitions SET rows_unsummed = rows;
COMMENT ON COLUMN spendlog.dropped_partitions.rows_unsummed IS 'those of the rows that no sum knows: they went before there were sums';

-- --- statements, as text

-- An entry is what is added up: a row, a posted correction, a row taken out or put back. Entries that are
-- only `checked` count in the levels of what is to be looked at.

CREATE FUNCTION spendlog.slot_of(at timestamp) RETURNS smallint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (extract(hour FROM at) * 4 + div(extract(minute FROM at), 15))::smallint;
COMMENT ON FUNCTION spendlog.slot_of(timestamp) IS 'Quarter of an hour of the day, 0 to 95';

-- Of FROM that gives the row s, and v (sign, counted, checked, spend, input_cost, output_cost, other_cost,
-- status, reason, flags, now_status, now_flags): how the row is to be taken. now_*: what the latest posted
-- correction says.
CREATE FUNCTION spendlog.sum_rows(source text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN
  'SELECT v.sign, s.start_time::date AS day, spendlog.slot_of(s.start_time) AS slot, v.counted, 1 AS calls, '
  'v.spend, v.input_cost, v.output_cost, v.other_cost, s.gateway_cost, s.input_tokens, s.output_tokens, '
  's.cache_read_tokens, s.cache_write_tokens, s.reasoning_tokens, '
  'extract(epoch FROM s.end_time - s.start_time) * 1000000 AS duration_us, '
  's.provider, s.model, s.model_group, s.api_key, s.api_key_alias, s.user_id, s.team_id, s.team_alias, '
  's.organization_id, s.end_user, s.request_tags, s.call_type, s.status, v.status AS pricing_status, '
  'v.reason AS pricing_reason, '
  'v.checked AND s.gateway_cost IS NOT NULL AND v.status IN (''priced'', ''free'') AS drift, '
  'v.checked AND (v.status = ''unpriced'' OR (v.status = ''reported'' AND v.reason IN '
  '(''unknown_model'', ''no_rate'', ''rate_missing'', ''unknown_price_key''))) '
  'AND v.now_status IN (''unpriced'', ''reported'') AS open, '
  -- 2^8 to 2^10 and 2^24 to 2^26: what casts doubt
  'v.checked AND v.flags & 117442304 <> 0 AND v.now_flags & 117442304 <> 0 AS doubtful, '
  'v.spend <> s.gateway_cost AS differing, v.flags >> 27 & 1 = 1 AS by_clock '
  'FROM ' || source;

-- Of FROM that gives the row s, which may be gone, and c (day, slot, money and counts): a change of sums
-- beside the row.
CREATE FUNCTION spendlog.sum_changes(source text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN
  'SELECT c.sign, c.day, c.slot, true, 0, c.spend, c.input_cost, c.output_cost, c.other_cost, c.gateway_cost, '
  'c.input_tokens, c.output_tokens, c.cache_read_tokens, c.cache_write_tokens, c.reasoning_tokens, NULL::numeric, '
  's.provider, s.model, s.model_group, s.api_key, s.api_key_alias, s.user_id, s.team_id, s.team_alias, '
  's.organization_id, s.end_user, s.request_tags, s.call_type, s.status, c.status, '''', '
  'false, false, false, false, false FROM ' || source;

-- The two kinds of changes.
CREATE FUNCTION spendlog.sum_posted(adjustments text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN spendlog.sum_changes(
  '(SELECT 1 AS sign, a.start_time, a.identity, a.posted_on AS day, 0::smallint AS slot, '
  'coalesce(a.new_spend, 0) - coalesce(a.old_spend, 0) AS spend, NULL::numeric AS input_cost, '
  'NULL::numeric AS output_cost, NULL::numeric AS other_cost, NULL::numeric AS gateway_cost, '
  'NULL::bigint AS input_tokens, NULL::bigint AS output_tokens, NULL::bigint AS cache_read_tokens, '
  'NULL::bigint AS cache_write_tokens, NULL::bigint AS reasoning_tokens, a.new_status AS status '
  'FROM ' || adjustments || ' a WHERE a.kind = ''posted'') c '
  'LEFT JOIN spendlog.spend_logs s ON s.start_time = c.start_time AND s.identity = c.identity');

-- Of entries e of exclusions with a sign, and the status they count under: NULL is the row's.
CREATE FUNCTION spendlog.sum_excluded(exclusions text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN spendlog.sum_changes(
  '(SELECT e.sign, e.start_time, e.identity, e.counts_on AS day, CASE WHEN e.counts_on = e.start_time::date '
  'THEN spendlog.slot_of(e.start_time) ELSE 0::smallint END AS slot, e.spend, e.input_cost, e.output_cost, '
  'e.other_cost, e.gateway_cost, e.input_tokens, e.output_tokens, e.cache_read_tokens, e.cache_write_tokens, '
  'e.reasoning_tokens, coalesce(e.status, l.pricing_status) AS status '
  'FROM ' || exclusions || ' e LEFT JOIN spendlog.spend_logs l '
  'ON l.start_time = e.start_time AND l.identity = e.identity) c '
  'LEFT JOIN spendlog.spend_logs s ON s.start_time = c.start_time AND s.identity = c.identity');

-- Every entry of the days in [since, until).
CREATE FUNCTION spendlog.sum_entries(since date, until date) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET datestyle = 'ISO, YMD'
RETURN spendlog.sum_rows(format(
  'spendlog.spend_logs s '
  'LEFT JOIN spendlog.excluded_rows x ON x.start_time = s.start_time AND x.identity = s.identity '
  'LEFT JOIN (SELECT DISTINCT ON (a.start_time, a.identity) a.start_time, a.identity, a.new_status, a.new_flags '
  'FROM spendlog.spend_adjustments a WHERE a.kind = ''posted'' '
  'ORDER BY a.start_time, a.identity, a.run_id DESC) p ON p.start_time = s.start_time AND p.identity = s.identity '
  'CROSS JOIN LATERAL (SELECT 1, true, x.identity IS NULL, s.spend, s.input_cost, s.output_cost, s.other_cost, '
  's.pricing_status, s.pricing_reason, s.flags, coalesce(p.new_status, s.pricing_status), '
  'coalesce(p.new_flags, s.flags)) AS v (sign, counted, checked, spend, input_cost, output_cost, other_cost, '
  'status, reason, flags, now_status, now_flags) WHERE s.start_time >= %L AND s.start_time < %L ',
  since::timestamp, until::timestamp))
  || 'UNION ALL ' || spendlog.sum_posted(format('(SELECT * FROM spendlog.spend_adjustments '
    'WHERE kind = ''posted'' AND posted_on >= %L AND posted_on < %L)', since, until))
  || ' UNION ALL ' || spendlog.sum_excluded(format('(SELECT *, 1 AS sign, NULL::text AS status FROM spendlog.exclusions '
    'WHERE counts_on >= %L AND counts_on < %L)', since, until));

-- Columns of spend_sums from level on, in their order.
CREATE FUNCTION spendlog.sum_columns() RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN 'day, slot, level, label, provider, model, model_group, api_key, api_key_alias, user_id, team_id, '
  'team_alias, organization_id, call_type, status, pricing_status, pricing_reason, entries, calls, spent, costed, '
  'gateway_calls, input_calls, output_calls, cache_read_calls, cache_write_calls, reasoning_calls, timed_calls, '
  'differing, by_clock, spend, input_cost, output_cost, other_cost, gateway_cost, input_tokens, output_tokens, '
  'cache_read_tokens, cache_write_tokens, reasoning_tokens, duration_us';

-- Whether a line g comes to anything.
CREATE FUNCTION spendlog.sum_something() RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '(g.entries <> 0 OR g.calls <> 0 OR coalesce(g.spent, 0) <> 0 OR coalesce(g.costed, 0) <> 0 '
  'OR coalesce(g.gateway_calls, 0) <> 0 OR coalesce(g.input_calls, 0) <> 0 OR coalesce(g.output_calls, 0) <> 0 '
  'OR coalesce(g.cache_read_calls, 0) <> 0 OR coalesce(g.cache_write_calls, 0) <> 0 '
  'OR coalesce(g.reasoning_calls, 0) <> 0 OR coalesce(g.timed_calls, 0) <> 0 OR coalesce(g.differing, 0) <> 0 '
  'OR coalesce(g.by_clock, 0) <> 0 OR coalesce(g.spend, 0) <> 0 OR coalesce(g.input_cost, 0) <> 0 '
  'OR coalesce(g.output_cost, 0) <> 0 OR coalesce(g.other_cost, 0) <> 0 OR coalesce(g.gateway_cost, 0) <> 0 '
  'OR coalesce(g.input_tokens, 0) <> 0 OR coalesce(g.output_tokens, 0) <> 0 '
  'OR coalesce(g.cache_read_tokens, 0) <> 0 OR coalesce(g.cache_write_tokens, 0) <> 0 '
  'OR coalesce(g.reasoning_tokens, 0) <> 0 OR coalesce(g.duration_us, 0) <> 0)';

-- The figures of a group; `money`: the entries are differences of money alone, of rows that count as before.
CREATE FUNCTION spendlog.sum_figures(money boolean) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN money THEN $sql$0 AS entries, 0 AS calls, NULL::integer AS spent, NULL::integer AS costed, NULL::integer AS gateway_calls, NULL::integer AS input_calls,
    NULL::integer AS output_calls, NULL::integer AS cache_read_calls, NULL::integer AS cache_write_calls,
    NULL::integer AS reasoning_calls, NULL::integer AS timed_calls,
    nullif(sum(e.differing) FILTER (WHERE k.level = 'drift'), 0) AS differing, NULL::integer AS by_clock,
    sum(e.spend) AS spend, sum(e.input_cost) AS input_cost, sum(e.output_cost) AS output_cost,
    sum(e.other_cost) AS other_cost, NULL::numeric AS gateway_cost, NULL::numeric AS input_tokens,
    NULL::numeric AS output_tokens, NULL::numeric AS cache_read_tokens, NULL::numeric AS cache_write_tokens,
    NULL::numeric AS reasoning_tokens, NULL::numeric AS duration_us$sql$
ELSE $sql$sum(e.sign) AS entries, sum(e.sign * e.calls) AS calls,
    nullif(sum(e.sign) FILTER (WHERE e.spend IS NOT NULL), 0) AS spent,
    nullif(sum(e.sign) FILTER (WHERE e.input_cost IS NOT NULL), 0) AS costed,
    nullif(sum(e.sign) FILTER (WHERE e.gateway_cost IS NOT NULL), 0) AS gateway_calls,
    nullif(sum(e.sign) FILTER (WHERE e.input_tokens IS NOT NULL), 0) AS input_calls,
    nullif(sum(e.sign) FILTER (WHERE e.output_tokens IS NOT NULL), 0) AS output_calls,
    nullif(sum(e.sign) FILTER (WHERE e.cache_read_tokens IS NOT NULL), 0) AS cache_read_calls,
    nullif(sum(e.sign) FILTER (WHERE e.cache_write_tokens IS NOT NULL), 0) AS cache_write_calls,
    nullif(sum(e.sign) FILTER (WHERE e.reasoning_tokens IS NOT NULL), 0) AS reasoning_calls,
    nullif(sum(e.sign) FILTER (WHERE e.duration_us IS NOT NULL), 0) AS timed_calls,
    nullif(sum(e.sign) FILTER (WHERE k.level = 'drift' AND e.differing), 0) AS differing,
    nullif(sum(e.sign) FILTER (WHERE k.level = 'drift' AND e.by_clock), 0) AS by_clock,
    sum(e.sign * e.spend) AS spend, sum(e.sign * e.input_cost) AS input_cost,
    sum(e.sign * e.output_cost) AS output_cost, sum(e.sign * e.other_cost) AS other_cost,
    sum(e.sign * e.gateway_cost) AS gateway_cost, sum(e.sign * e.input_tokens::numeric) AS input_tokens,
    sum(e.sign * e.output_tokens::numeric) AS output_tokens,
    sum(e.sign * e.cache_read_tokens::numeric) AS cache_read_tokens,
    sum(e.sign * e.cache_write_tokens::numeric) AS cache_write_tokens,
    sum(e.sign * e.reasoning_tokens::numeric) AS reasoning_tokens, sum(e.sign * e.duration_us) AS duration_us$sql$ END;

-- What entries come to, in these columns, by level and all that the level tells apart; groups that come to
-- nothing left out. store/sums.c does the same for a batch.
CREATE FUNCTION spendlog.sum_select(entries text, money boolean) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN format($sql$
SELECT g.* FROM (
  SELECT e.day, CASE WHEN k.checks THEN NULL ELSE e.slot END AS slot, k.level, k.label,
    coalesce(e.provider, '') AS provider, coalesce(e.model, '') AS model,
    CASE WHEN k.checks THEN '' ELSE coalesce(e.model_group, '') END AS model_group,
    CASE WHEN k.checks THEN '' ELSE coalesce(e.api_key, '') END AS api_key,
    CASE WHEN k.level = 'all' THEN coalesce(e.api_key_alias, '') ELSE '' END AS api_key_alias,
    CASE WHEN k.level = 'all' THEN coalesce(e.user_id, '') ELSE '' END AS user_id,
    CASE WHEN k.checks THEN '' ELSE coalesce(e.team_id, '') END AS team_id,
    CASE WHEN k.level = 'all' THEN coalesce(e.team_alias, '') ELSE '' END AS team_alias,
    CASE WHEN k.level = 'all' THEN coalesce(e.organization_id, '') ELSE '' END AS organization_id,
    CASE WHEN k.level = 'all' THEN coalesce(e.call_type, '') ELSE '' END AS call_type,
    CASE WHEN k.checks THEN '' ELSE coalesce(e.status, '') END AS status,
    CASE WHEN k.level = 'drift' THEN '' ELSE coalesce(e.pricing_status, '') END AS pricing_status,
    CASE WHEN k.level = 'open' THEN coalesce(e.pricing_reason, '') ELSE '' END AS pricing_reason,
    %s
  FROM (%s) e
  CROSS JOIN LATERAL (
    SELECT 'all' AS level, '' AS label, false AS checks WHERE e.counted
    UNION ALL SELECT 'tag', t.tag, false FROM unnest(e.request_tags) AS t (tag) WHERE e.counted
    UNION ALL SELECT 'end_user', e.end_user, false WHERE e.counted AND e.end_user <> ''
    UNION ALL SELECT 'drift', '', true WHERE e.drift
    UNION ALL SELECT 'open', '', true WHERE e.open
    UNION ALL SELECT 'doubt', '', true WHERE e.doubtful) k
  GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17) g
WHERE %s$sql$, spendlog.sum_figures(money), entries, spendlog.sum_something());

CREATE FUNCTION spendlog.sum_insert(entries text, money boolean DEFAULT false) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN format('INSERT INTO spendlog.spend_deltas (%s) %s', spendlog.sum_columns(),
  spendlog.sum_select(entries, money));

-- --- what changes rows

-- What audit adjustments change, of rows that are still as they were: called by what changes the rows by them, in
-- their transaction. What fits its row leaves its sums and comes into them anew; what does not, changes no row either.
CREATE FUNCTION spendlog.sums_audit(adjustments text, since timestamp, until timestamp, many boolean) RETURNS void
LANGUAGE plpgsql STRICT
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET timezone = 'UTC'
SET enable_hashjoin = on
SET enable_mergejoin = off
SET enable_seqscan = on
SET enable_material = on
SET jit = off
SET work_mem = '32MB'
AS $$
DECLARE
  source text;
  same text; -- what changes in money alone: one entry instead of two
BEGIN
  -- Some rows of a day are looked up by their key: statistics of a young table may say anything.
  PERFORM set_config('enable_hashjoin', CASE WHEN many THEN 'on' ELSE 'off' END, true);
  -- 2^27 as well: by the gateway's clock
  same := 'a.kind = ''audit'' AND a.new_status = a.old_status AND a.new_reason = a.old_reason '
          'AND (coalesce(a.new_flags, s.flags) # s.flags) & 251660032 = 0 ';
  source := adjustments || format(
    ' a JOIN spendlog.spend_logs s ON s.start_time = a.start_time AND s.identity = a.identity '
    'AND s.start_time BETWEEN %L AND %L AND a.old_price_book_id = s.price_book_id '
    'AND a.old_spend IS NOT DISTINCT FROM s.spend AND a.old_status = s.pricing_status '
    'AND a.old_reason = s.pricing_reason ', since, until);
  EXECUTE spendlog.sum_insert(
    'SELECT s.start_time::date AS day, spendlog.slot_of(s.start_time) AS slot, true AS counted, '
    'a.new_spend - s.spend AS spend, a.new_input_cost - s.input_cost AS input_cost, '
    'a.new_output_cost - s.output_cost AS output_cost, a.new_other_cost - s.other_cost AS other_cost, '
    's.provider, s.model, s.model_group, s.api_key, s.api_key_alias, s.user_id, s.team_id, s.team_alias, '
    's.organization_id, s.end_user, s.request_tags, s.call_type, s.status, s.pricing_status, s.pricing_reason, '
    's.gateway_cost IS NOT NULL AND s.pricing_status IN (''priced'', ''free'') AS drift, '
    's.pricing_status = ''reported'' AND s.pricing_reason IN '
    '(''unknown_model'', ''no_rate'', ''rate_missing'', ''unknown_price_key'') AS open, '
    's.flags & 117442304 <> 0 AS doubtful, '
    '(a.new_spend <> s.gateway_cost)::integer - (s.spend <> s.gateway_cost)::integer AS differing '
    'FROM ' || source || 'WHERE ' || same, true);
  EXECUTE spendlog.sum_insert(spendlog.sum_rows(source ||
    'CROSS JOIN LATERAL (VALUES '
    '(-1, s.spend, s.input_cost, s.output_cost, s.other_cost, s.pricing_status, s.pricing_reason, s.flags), '
    '(1, a.new_spend, a.new_input_cost, a.new_output_cost, a.new_other_cost, a.new_status, a.new_reason, '
    'coalesce(a.new_flags, s.flags))) AS w (sign, spend, input_cost, output_cost, other_cost, status, reason, flags) '
    'CROSS JOIN LATERAL (SELECT w.sign, true, true, w.spend, w.input_cost, w.output_cost, w.other_cost, w.status, '
    'w.reason, w.flags, w.status, w.flags) AS v (sign, counted, checked, spend, input_cost, output_cost, '
    'other_cost, status, reason, flags, now_status, now_flags) '
    'WHERE a.kind = ''audit'' AND NOT (' || same || ')')
    -- what was set aside and put back counts under the status of its row
    || ' UNION ALL ' || spendlog.sum_excluded(
    '(SELECT x.*, w.sign, w.status FROM ' || adjustments || ' a JOIN spendlog.exclusions x '
    'ON x.start_time = a.start_time AND x.identity = a.identity '
    'CROSS JOIN LATERAL (VALUES (-1, a.old_status), (1, a.new_status)) AS w (sign, status) '
    'WHERE a.kind = ''audit'' AND a.new_status <> a.old_status)'));
END
$$;
COMMENT ON FUNCTION spendlog.sums_audit(text, timestamp, timestamp, boolean) IS 'Appends to the sums what audit adjustments change, before the rows are changed by them';

-- As before, and the sums.
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
  PERFORM spendlog.sums_audit(format(
    '(SELECT * FROM spendlog.spend_adjustments WHERE run_id = %L AND kind = ''audit'' '
    'AND start_time BETWEEN %L AND %L AND xmin = %L)', run, since, until, mine), since, until, false);
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

-- A posted adjustment counts by itself.
CREATE FUNCTION spendlog.sums_adjust() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET timezone = 'UTC'
SET enable_hashjoin = on
SET enable_mergejoin = off
SET jit = off
SET work_mem = '32MB'
AS $$
DECLARE
  seen record;
BEGIN
  SELECT count(*) FILTER (WHERE kind = 'posted') AS posted,
    min(start_time) AS first, max(start_time) AS last INTO seen FROM added;
  -- Some rows of a day are looked up by their key: statistics of a young table may say anything.
  PERFORM set_config('enable_hashjoin', CASE WHEN seen.posted > 5000 THEN 'on' ELSE 'off' END, true);
  IF seen.posted > 0 THEN
    EXECUTE spendlog.sum_insert(spendlog.sum_rows(format(
      'added a JOIN spendlog.spend_logs s ON s.start_time = a.start_time AND s.identity = a.identity '
      'AND s.start_time BETWEEN %L AND %L '
      'LEFT JOIN LATERAL (SELECT o.run_id, o.new_flags FROM spendlog.spend_adjustments o '
      'WHERE o.kind = ''posted'' AND o.start_time = a.start_time AND o.identity = a.identity '
      'AND o.run_id <> a.run_id ORDER BY o.run_id DESC LIMIT 1) p ON true '
      'CROSS JOIN LATERAL (VALUES (-1, a.old_status, coalesce(p.new_flags, s.flags)), '
      '(1, a.new_status, coalesce(a.new_flags, s.flags))) AS w (sign, status, flags) '
      'CROSS JOIN LATERAL (SELECT w.sign, false, true, s.spend, s.input_cost, s.output_cost, s.other_cost, '
      's.pricing_status, s.pricing_reason, s.flags, w.status, w.flags) AS v (sign, counted, checked, spend, '
      'input_cost, output_cost, other_cost, status, reason, flags, now_status, now_flags) '
      'WHERE a.kind = ''posted'' AND coalesce(p.run_id < a.run_id, true)', seen.first, seen.last))
      || ' UNION ALL ' || spendlog.sum_posted('added'));
  END IF;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION spendlog.sums_adjust() IS 'Appends to the sums what posted adjustments change';
CREATE TRIGGER spend_adjustments_sums AFTER INSERT ON spendlog.spend_adjustments
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION spendlog.sums_adjust();

-- A row that is set aside leaves the sums by its entry, and the levels of what is to be looked at by itself.
CREATE FUNCTION spendlog.sums_exclude() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET timezone = 'UTC'
AS $$
BEGIN
  EXECUTE spendlog.sum_insert(spendlog.sum_rows(
    'added e JOIN spendlog.spend_logs s ON s.start_time = e.start_time AND s.identity = e.identity '
    'LEFT JOIN LATERAL (SELECT o.new_status, o.new_flags FROM spendlog.spend_adjustments o '
    'WHERE o.kind = ''posted'' AND o.start_time = e.start_time AND o.identity = e.identity '
    'ORDER BY o.run_id DESC LIMIT 1) p ON true '
    'CROSS JOIN LATERAL (SELECT CASE e.action WHEN ''exclude'' THEN -1 ELSE 1 END, false, true, s.spend, '
    's.input_cost, s.output_cost, s.other_cost, s.pricing_status, s.pricing_reason, s.flags, '
    'coalesce(p.new_status, s.pricing_status), coalesce(p.new_flags, s.flags)) AS v (sign, counted, checked, '
    'spend, input_cost, output_cost, other_cost, status, reason, flags, now_status, now_flags)')
    || ' UNION ALL ' || spendlog.sum_excluded('(SELECT *, 1 AS sign, NULL::text AS status FROM added)'));
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION spendlog.sums_exclude() IS 'Appends to the sums what rows set aside, or put back, change';
CREATE TRIGGER exclusions_sums AFTER INSERT ON spendlog.exclusions
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION spendlog.sums_exclude();

-- What is to be looked at is of rows that are there: a day that retention drops leaves these levels.
CREATE FUNCTION spendlog.sums_drop() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  columns text[] := string_to_array(spendlog.sum_columns(), ', ');
  keys text := array_to_string(columns[1:17], ', ');
BEGIN
  EXECUTE format('INSERT INTO spendlog.spend_deltas (%s) SELECT %s, %s FROM spendlog.spend_sums WHERE day = $1 '
                 'AND level IN (''open'', ''doubt'') AND grain IN (''delta'', ''day'') GROUP BY %s '
                 'HAVING sum(entries) <> 0', spendlog.sum_columns(), keys,
                 (SELECT string_agg(format('-sum(%I)', c), ', ') FROM unnest(columns[18:]) c), keys)
    USING NEW.day;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION spendlog.sums_drop() IS 'Takes a dropped day out of the levels of what is to be looked at';
CREATE TRIGGER dropped_partitions_sums AFTER INSERT OR UPDATE OF rows ON spendlog.dropped_partitions
  FOR EACH ROW EXECUTE FUNCTION spendlog.sums_drop();

-- --- making them anew, and comparing

-- The sums of the days in [since, until) from their rows, in one snapshot: rows that come meanwhile bring
-- theirs. Not of days whose rows are gone.
CREATE FUNCTION spendlog.sums_remake(since date, until date) RETURNS bigint
LANGUAGE plpgsql STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET timezone = 'UTC'
SET jit = off
SET work_mem = '64MB'
AS $$
DECLARE
  made bigint;
BEGIN
  IF EXISTS (SELECT FROM spendlog.dropped_partitions p
             WHERE p.day >= since AND p.day < until AND p.rows > p.rows_unsummed) THEN
    RAISE EXCEPTION 'rows between % and % are gone: their sums cannot be made again', since, until
      USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  DELETE FROM spendlog.sums_days s WHERE s.day >= since AND s.day < until;
  EXECUTE format('WITH gone AS (DELETE FROM spendlog.spend_sums WHERE day >= %L AND day < %L) %s', since, until,
                 spendlog.sum_insert(spendlog.sum_entries(since, until)));
  GET DIAGNOSTICS made = ROW_COUNT;
  RETURN made;
END
$$;
COMMENT ON FUNCTION spendlog.sums_remake(date, date) IS 'Makes the sums of the days in [since, until) again from their rows';

-- Where the sums are not what the rows come to, per level, day and grain: how many lines differ, and calls
-- and spend of both sides. Of a day whose rows are gone, or with entries of such rows, less is known: then
-- only that is compared. `wholly`: by all columns; else calls and spend of whole days.
CREATE FUNCTION spendlog.sums_differ(wholly boolean)
RETURNS TABLE (level text, day date, grain text, lines bigint, sum_calls numeric, row_calls numeric, sum_spend numeric,
               row_spend numeric)
LANGUAGE plpgsql STABLE STRICT
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET timezone = 'UTC'
SET jit = off
SET work_mem = '64MB'
AS $$
#variable_conflict use_column
DECLARE
  counts text[] := '{entries,calls,spent,costed,gateway_calls,input_calls,output_calls,cache_read_calls,'
    'cache_write_calls,reasoning_calls,timed_calls,differing,by_clock,spend,input_cost,output_cost,other_cost,'
    'gateway_cost,input_tokens,output_tokens,cache_read_tokens,cache_write_tokens,reasoning_tokens,duration_us}';
  keys text[] := '{provider,model,model_group,api_key,api_key_alias,user_id,team_id,team_alias,organization_id,'
    'call_type,status,pricing_status,pricing_reason}';
BEGIN
  RETURN QUERY EXECUTE format($sql$
    WITH made AS MATERIALIZED (%1$s),
    kept AS (SELECT * FROM spendlog.spend_sums),
    -- 0: all columns; 1: the label; 2: the day alone
    detail AS MATERIALIZED (
      SELECT d.level, d.day, max(d.detail) AS detail FROM (
        SELECT level, day, max(coarse) AS detail FROM kept GROUP BY 1, 2
        UNION ALL
        SELECT l.level, o.day, 2 FROM (
          SELECT posted_on AS day, start_time, identity FROM spendlog.spend_adjustments WHERE kind = 'posted'
          UNION ALL SELECT counts_on, start_time, identity FROM spendlog.exclusions) o
        CROSS JOIN (VALUES ('all'), ('tag'), ('end_user')) AS l (level)
        WHERE NOT EXISTS (SELECT FROM spendlog.spend_logs s
                          WHERE s.start_time = o.start_time AND s.identity = o.identity)
      ) d GROUP BY 1, 2),
    dropped AS (SELECT p.day, p.rows - p.rows_unsummed AS rows, p.spend FROM spendlog.dropped_partitions p),
    -- of grain slot: the rows and what is appended or merged; of grain day: the two merged ones
    both_sides AS (
      SELECT 1 AS side, m.*, 'slot' AS grain FROM made m
      UNION ALL SELECT -1, %2$s, 'slot' FROM kept k
        WHERE k.grain IN ('delta', CASE WHEN k.level IN ('drift', 'open', 'doubt') THEN 'day' ELSE 'slot' END)
      UNION ALL SELECT CASE k.grain WHEN 'slot' THEN 1 ELSE -1 END, %2$s, 'day' FROM kept k
        WHERE k.grain <> 'delta' AND k.level NOT IN ('drift', 'open', 'doubt')),
    lines AS (
      SELECT b.level, b.day, b.grain,
        sum(b.calls) FILTER (WHERE b.side = -1) AS sum_calls, sum(b.calls) FILTER (WHERE b.side = 1) AS row_calls,
        sum(b.spend) FILTER (WHERE b.side = -1) AS sum_spend, sum(b.spend) FILTER (WHERE b.side = 1) AS row_spend,
        %3$s AS differs
      FROM both_sides b LEFT JOIN detail d ON d.level = b.level AND d.day = b.day
      WHERE b.grain = 'day' OR b.level IN ('open', 'doubt') OR NOT EXISTS (SELECT FROM dropped p WHERE p.day = b.day)
      GROUP BY b.level, b.day, b.grain %4$s),
    gone AS (
      SELECT 'all' AS level, p.day, g.grain, 1::bigint AS lines, coalesce(k.calls, 0) AS sum_calls,
        (p.rows + coalesce(m.calls, 0))::numeric AS row_calls, coalesce(k.spend, 0) AS sum_spend,
        coalesce(p.spend, 0) + coalesce(m.spend, 0) AS row_spend
      FROM dropped p CROSS JOIN (VALUES ('slot')) AS g (grain)
      LEFT JOIN (SELECT day, sum(calls) AS calls, sum(spend) AS spend FROM made WHERE level = 'all' GROUP BY 1) m
        ON m.day = p.day
      LEFT JOIN LATERAL (SELECT sum(k.calls) AS calls, sum(k.spend) AS spend FROM kept k
        WHERE k.level = 'all' AND k.day = p.day AND k.grain IN ('delta', g.grain)) k ON true
      WHERE p.rows > 0)
    SELECT l.level, l.day, l.grain, count(*) FILTER (WHERE l.differs), coalesce(sum(l.sum_calls), 0)::numeric,
      coalesce(sum(l.row_calls), 0)::numeric, coalesce(sum(l.sum_spend), 0), coalesce(sum(l.row_spend), 0)
    FROM lines l GROUP BY 1, 2, 3 HAVING bool_or(l.differs)
    UNION ALL
    SELECT g.* FROM gone g WHERE g.sum_calls <> g.row_calls OR g.sum_spend <> g.row_spend
    ORDER BY 2, 1, 3$sql$,
    spendlog.sum_select(spendlog.sum_entries('-infinity', 'infinity'), false),
    (SELECT string_agg('k.' || c, ', ') FROM unnest(string_to_array(spendlog.sum_columns(), ', ')) c),
    (SELECT string_agg(format('coalesce(sum(b.side * b.%I), 0) <> 0', c), ' OR ') FROM unnest(
       CASE WHEN wholly THEN counts ELSE '{entries,calls,spend}' END) c),
    CASE WHEN wholly THEN
      (SELECT string_agg(format(', CASE WHEN coalesce(d.detail, 0) = 0 THEN b.%I ELSE '''' END', c), '')
       FROM unnest(keys) c)
      || ', CASE WHEN coalesce(d.detail, 0) < 2 THEN b.label ELSE '''' END'
      || ', CASE WHEN coalesce(d.detail, 0) = 0 AND b.grain = ''slot'' THEN b.slot END'
    ELSE '' END);
END
$$;
COMMENT ON FUNCTION spendlog.sums_differ(boolean) IS 'Where the sums are not what the rows come to: none, ever';

-- --- the sums of what is stored

LOCK TABLE spendlog.spend_logs IN SHARE MODE;
DO $$
BEGIN
  SET LOCAL jit = off;
  SET LOCAL work_mem = '64MB';
  EXECUTE spendlog.sum_insert(spendlog.sum_entries('-infinity', 'infinity'));
END
$$;
ANALYZE spendlog.spend_deltas;

-- --- privileges

REVOKE ALL ON FUNCTION spendlog.slot_of(timestamp), spendlog.sum_rows(text), spendlog.sum_changes(text),
  spendlog.sum_posted(text), spendlog.sum_excluded(text), spendlog.sum_entries(date, date), spendlog.sum_columns(),
  spendlog.sum_figures(boolean), spendlog.sum_select(text, boolean), spendlog.sum_something(),
  spendlog.sum_insert(text, boolean), spendlog.sums_adjust(),
  spendlog.sums_audit(text, timestamp, timestamp, boolean),
  spendlog.sums_exclude(), spendlog.sums_drop(), spendlog.sums_remake(date, date), spendlog.sums_differ(boolean)
  FROM PUBLIC;
GRANT EXECUTE ON FUNCTION spendlog.slot_of(timestamp), spendlog.sum_rows(text), spendlog.sum_changes(text),
  spendlog.sum_posted(text), spendlog.sum_excluded(text), spendlog.sum_entries(date, date), spendlog.sum_columns(),
  spendlog.sum_figures(boolean), spendlog.sum_select(text, boolean), spendlog.sum_something(),
  spendlog.sums_differ(boolean)
  TO spendlog_writer, spendlog_repricer, spendlog_reader;
GRANT INSERT ON spendlog.spend_deltas TO spendlog_writer;
GRANT SELECT ON spendlog.spend_sums, spendlog.spend_deltas, spendlog.spend_slots, spendlog.spend_days
  TO spendlog_writer, spendlog_repricer, spendlog_reader;
