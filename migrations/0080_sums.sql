-- SPDX-License-Identifier: Apache-2.0
-- Sums, equal to the rows at every commit: whatever changes what rows come to appends signed lines in its
-- own transaction. The members add up a batch themselves (store/sums.c) and append by COPY; functions below
-- do it for what changes rows afterwards: adjustments of a reprice, rows set aside. Nobody updates a sum.
--
-- Three tables of the same lines: `spend_deltas` as appended; `spend_slots` per quarter of an hour and
-- `spend_days` per day, both merged from deltas. A line has, as a row has, numbers of the dictionaries
-- instead of words, or the words where its rows are wide. What a line counts for is in `about`, so that one
-- line does for a group of rows; only end users have lines of their own, and meters that few rows have: what is
-- neither text, cache nor reasoning. spend_sums shows all of it in words.

SET LOCAL ROLE spendlog_owner;

CREATE TABLE spendlog.spend_deltas (
  day date NOT NULL,
  slot smallint,
  about smallint NOT NULL,
  call_no bigint,
  caller_no bigint,
  input_tokens bigint,
  output_tokens bigint,
  cache_read_tokens bigint,
  cache_write_tokens bigint,
  reasoning_tokens bigint,
  duration_us bigint,
  entries integer NOT NULL,
  calls integer,
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
  cache_read_cost numeric,
  cache_write_cost numeric,
  reasoning_cost numeric,
  gateway_cost numeric,
  quantity numeric,
  pricing_status text NOT NULL,
  pricing_reason text,
  label text,
  provider text,
  model text,
  model_group text,
  call_type text,
  status text,
  api_key text,
  api_key_alias text,
  user_id text,
  team_id text,
  team_alias text,
  organization_id text,
  request_tags text[]
) WITH (autovacuum_vacuum_scale_factor = 0.1, autovacuum_vacuum_threshold = 5000);
COMMENT ON COLUMN spendlog.spend_deltas.day IS 'UTC; of the call''s start, or on which a posted correction counts';
COMMENT ON COLUMN spendlog.spend_deltas.slot IS 'quarter of an hour of the day, 0 to 95; NULL: of the whole day';
COMMENT ON COLUMN spendlog.spend_deltas.about IS
  'sum of 1: what is counted; 2: what our price is compared on; 4: without a price of ours; 8: what may be wrong; 16: of the end user `label`, 64: by label, day and pricing_status alone; 32: of end users that are not told apart; 128: of the meter `label`; 256: of rows whose items are not known';
COMMENT ON COLUMN spendlog.spend_deltas.call_no IS 'shared_calls has the words; NULL: they are in the line, NULL for none';
COMMENT ON COLUMN spendlog.spend_deltas.caller_no IS 'shared_callers has the words; NULL: they are in the line, NULL for none';
COMMENT ON COLUMN spendlog.spend_deltas.entries IS 'how many entries (spend_entries) are in it, less those that are no more: 0 is nothing';
COMMENT ON COLUMN spendlog.spend_deltas.calls IS 'rows, less those that are set aside; NULL: as many as entries';
COMMENT ON COLUMN spendlog.spend_deltas.spent IS
  'entries that have a spend; likewise gateway_calls, input_calls, ... of their figures; NULL: all, where the line has the figure';
COMMENT ON COLUMN spendlog.spend_deltas.costed IS 'entries whose spend is known by its parts; NULL: those that have a spend';
COMMENT ON COLUMN spendlog.spend_deltas.differing IS 'of what is compared: calls whose spend is not the gateway''s; NULL: none';
COMMENT ON COLUMN spendlog.spend_deltas.by_clock IS 'of what is compared: calls priced per second, by the gateway''s clock; NULL: none';
COMMENT ON COLUMN spendlog.spend_deltas.spend IS 'US dollars; NULL: nothing of it has a price';
COMMENT ON COLUMN spendlog.spend_deltas.input_cost IS 'US dollars; NULL: none; likewise output_cost, other_cost';
COMMENT ON COLUMN spendlog.spend_deltas.cache_read_cost IS 'US dollars, of the input; NULL: none; likewise cache_write_cost and, of the output, reasoning_cost';
COMMENT ON COLUMN spendlog.spend_deltas.quantity IS 'of the meter `label`, whose amount is the spend';
COMMENT ON COLUMN spendlog.spend_deltas.duration_us IS 'microseconds, of the timed calls';

CREATE TABLE spendlog.spend_slots (LIKE spendlog.spend_deltas INCLUDING ALL);
CREATE TABLE spendlog.spend_days (LIKE spendlog.spend_deltas INCLUDING ALL);
COMMENT ON TABLE spendlog.spend_deltas IS 'Lines of the sums as they were appended: not merged yet';
COMMENT ON TABLE spendlog.spend_slots IS 'Lines of the sums merged per quarter of an hour';
COMMENT ON TABLE spendlog.spend_days IS 'Lines of the sums merged per day';

-- What a member appends fits; what is merged from it may be anything.
DO $$
DECLARE
  merged text;
BEGIN
  FOREACH merged IN ARRAY ARRAY['spend_slots', 'spend_days'] LOOP
    EXECUTE (SELECT format('ALTER TABLE spendlog.%I %s', merged, string_agg(format('ALTER COLUMN %I TYPE numeric', c), ', '))
             FROM unnest(ARRAY['input_tokens', 'output_tokens', 'cache_read_tokens', 'cache_write_tokens',
               'reasoning_tokens', 'duration_us']) AS c);
    EXECUTE format('CREATE INDEX %1$s_day ON spendlog.%1$I (day)', merged);
    EXECUTE format('CREATE INDEX %1$s_caller ON spendlog.%1$I (caller_no, day)', merged);
    EXECUTE format('CREATE INDEX %1$s_wide ON spendlog.%1$I (day) WHERE call_no IS NULL AND about & 1 <> 0', merged);
  END LOOP;
END
$$;
CREATE INDEX spend_deltas_wide ON spendlog.spend_deltas (day) WHERE call_no IS NULL AND about & 1 <> 0;
CREATE INDEX spend_days_open ON spendlog.spend_days (day) WHERE about & 4 <> 0;
CREATE INDEX spend_days_doubt ON spendlog.spend_days (day) WHERE about & 8 <> 0;
-- By a hash, as all that is looked up by a text of any length: an index has no place for those of 8 KB.
CREATE INDEX spend_days_label ON spendlog.spend_days (hashtextextended(label, 0), day) WHERE label IS NOT NULL;

-- The lines of a key, a team, a user or an organization are found by its callers.
CREATE INDEX shared_callers_key ON spendlog.shared_callers (api_key);
CREATE INDEX shared_callers_team ON spendlog.shared_callers (team_id);
CREATE INDEX shared_callers_user ON spendlog.shared_callers (user_id);
CREATE INDEX shared_callers_organization ON spendlog.shared_callers (organization_id);

-- --- how a line is read

-- The columns of a line in three kinds, and what each of a line d says: NULL for none of it.
CREATE FUNCTION spendlog.sum_columns() RETURNS TABLE (place integer, name text, kind text, reading text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
  SELECT k.place::integer, k.name, 'key', 'd.' || k.name
  FROM unnest('{day,slot,about,label,call_no,caller_no,pricing_status,pricing_reason,provider,model,model_group,'
    'call_type,status,api_key,api_key_alias,user_id,team_id,team_alias,organization_id,request_tags}'::text[])
    WITH ORDINALITY AS k (name, place)
  UNION ALL
  SELECT * FROM (VALUES
    (21, 'entries', 'count', 'd.entries'),
    (22, 'calls', 'count', 'coalesce(d.calls, d.entries)'),
    (23, 'spent', 'count', 'CASE WHEN d.spend IS NOT NULL THEN coalesce(d.spent, d.entries) END'),
    (24, 'costed', 'count', 'CASE WHEN d.spend IS NOT NULL THEN coalesce(d.costed, d.spent, d.entries) END'),
    (25, 'gateway_calls', 'count', 'CASE WHEN d.gateway_cost IS NOT NULL THEN coalesce(d.gateway_calls, d.entries) END'),
    (26, 'input_calls', 'count', 'CASE WHEN d.input_tokens IS NOT NULL THEN coalesce(d.input_calls, d.entries) END'),
    (27, 'output_calls', 'count', 'CASE WHEN d.output_tokens IS NOT NULL THEN coalesce(d.output_calls, d.entries) END'),
    (28, 'cache_read_calls', 'count',
      'CASE WHEN d.cache_read_tokens IS NOT NULL THEN coalesce(d.cache_read_calls, d.entries) END'),
    (29, 'cache_write_calls', 'count',
      'CASE WHEN d.cache_write_tokens IS NOT NULL THEN coalesce(d.cache_write_calls, d.entries) END'),
    (30, 'reasoning_calls', 'count',
      'CASE WHEN d.reasoning_tokens IS NOT NULL THEN coalesce(d.reasoning_calls, d.entries) END'),
    (31, 'timed_calls', 'count', 'CASE WHEN d.duration_us IS NOT NULL THEN coalesce(d.timed_calls, d.entries) END'),
    (32, 'differing', 'count', 'd.differing'),
    (33, 'by_clock', 'count', 'd.by_clock'),
    (34, 'spend', 'figure', 'd.spend'),
    (35, 'input_cost', 'figure', 'coalesce(d.input_cost, CASE WHEN d.spend IS NOT NULL THEN 0 END)'),
    (36, 'output_cost', 'figure', 'coalesce(d.output_cost, CASE WHEN d.spend IS NOT NULL THEN 0 END)'),
    (37, 'other_cost', 'figure', 'coalesce(d.other_cost, CASE WHEN d.spend IS NOT NULL THEN 0 END)'),
    (38, 'gateway_cost', 'figure', 'd.gateway_cost'),
    (39, 'input_tokens', 'figure', 'd.input_tokens'),
    (40, 'output_tokens', 'figure', 'd.output_tokens'),
    (41, 'cache_read_tokens', 'figure', 'd.cache_read_tokens'),
    (42, 'cache_write_tokens', 'figure', 'd.cache_write_tokens'),
    (43, 'reasoning_tokens', 'figure', 'd.reasoning_tokens'),
    (44, 'duration_us', 'figure', 'd.duration_us'),
    (45, 'cache_read_cost', 'figure', 'd.cache_read_cost'),
    (46, 'cache_write_cost', 'figure', 'd.cache_write_cost'),
    (47, 'reasoning_cost', 'figure', 'd.reasoning_cost'),
    (48, 'quantity', 'figure', 'd.quantity')) AS v (place, name, kind, reading)
$$;

-- Names of the columns of these kinds, each in a form: '%1$I' is the name, '%2$s' what it says.
CREATE FUNCTION spendlog.sum_list(form text, VARIADIC kinds text[]) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off -- names are looked for in it
RETURN (SELECT string_agg(format(form, c.name, c.reading), ', ' ORDER BY c.place) FROM spendlog.sum_columns() c
        WHERE c.kind = ANY (kinds));

-- The tags of a row, or of its line: what is said twice is one tag, as rows that were stored before this was seen to may do; NULL is none.
-- The planner puts it into the statement that asks.
CREATE FUNCTION spendlog.tags_of(request_tags text[]) RETURNS SETOF text
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 5
BEGIN ATOMIC
  SELECT DISTINCT t.tag FROM unnest(request_tags) AS t (tag) WHERE t.tag IS NOT NULL;
END;
COMMENT ON FUNCTION spendlog.tags_of(text[]) IS 'The tags of a row, each once';

-- All lines with explicit counts, by the numbers; and in words, by level.
DO $$
DECLARE
  words text[] := '{provider,model,model_group,call_type,status,api_key,api_key_alias,user_id,team_id,team_alias,organization_id}';
  shown text := 'day,slot,level,coarse,label,provider,model,model_group,api_key,api_key_alias,user_id,team_id,'
    'team_alias,organization_id,request_tags,call_type,status,pricing_status,pricing_reason,'
    || replace(spendlog.sum_list('%1$I', 'count', 'figure'), ' ', '') || ',itemized';
  branches text;
BEGIN
  EXECUTE 'CREATE VIEW spendlog.stored_sums WITH (security_invoker = true) AS '
    || (SELECT string_agg(format('SELECT %L::text AS grain, %s FROM spendlog.%I d', t.grain,
          (SELECT string_agg(CASE WHEN c.kind = 'figure' THEN format('(%s)::numeric AS %I', c.reading, c.name)
                                  ELSE format('%s AS %I', c.reading, c.name) END, ', ' ORDER BY c.place)
           FROM spendlog.sum_columns() c), t.name), ' UNION ALL ')
        FROM (VALUES ('delta', 'spend_deltas'), ('slot', 'spend_slots'), ('day', 'spend_days')) AS t (grain, name));

  SELECT string_agg(format('SELECT s.grain, %s FROM spendlog.stored_sums s%s WHERE s.call_no IS %s AND %s',
    (SELECT string_agg(CASE
       WHEN c = 'level' THEN format('%L::text AS level', l.level)
       WHEN c = 'coarse' THEN format('(%s)::smallint AS coarse', l.coarse)
       WHEN c = 'label' THEN format('%s AS label', l.label)
       WHEN c = 'itemized' THEN 's.about & 256 = 0 AS itemized'
       WHEN c IN ('differing', 'by_clock') AND l.level <> 'drift' THEN format('NULL::integer AS %I', c)
       WHEN c = 'pricing_reason' THEN 'coalesce(s.pricing_reason, '''') AS pricing_reason'
       WHEN c = ANY (words) AND f.wide THEN format('coalesce(s.%1$I, '''') AS %1$I', c)
       WHEN c = ANY (words[1:5]) THEN format('coalesce(c.%1$I, '''') AS %1$I', c)
       WHEN c = 'request_tags' THEN format('coalesce(%s.request_tags, ''{}'') AS request_tags', CASE WHEN f.wide THEN 's' ELSE 'k' END)
       WHEN c = ANY (words) THEN format('k.%I', c)
       ELSE format('s.%I', c) END, ', ' ORDER BY n)
     FROM unnest(string_to_array(shown, ',')) WITH ORDINALITY AS u (c, n)),
    CASE WHEN f.wide THEN '' ELSE ' LEFT JOIN spendlog.shared_calls c ON c.call_no = s.call_no '
      'LEFT JOIN spendlog.shared_callers k ON k.caller_no = s.caller_no' END
    || CASE l.level WHEN 'tag' THEN format(' CROSS JOIN LATERAL spendlog.tags_of(%s.request_tags) AS t (tag)',
                                           CASE WHEN f.wide THEN 's' ELSE 'k' END) ELSE '' END,
    CASE WHEN f.wide THEN 'NULL' ELSE 'NOT NULL' END, l.condition), ' UNION ALL ')
  INTO branches
  FROM (VALUES
    ('all', 's.about & 1 <> 0', '0', '''''::text'),
    ('tag', 's.about & 1 <> 0', '0', 't.tag'),
    ('end_user', 's.about & 16 <> 0', 'CASE WHEN s.about & 64 <> 0 THEN 1 ELSE 0 END', 's.label'),
    ('end_user', 's.about & 32 <> 0', '2', '''''::text'),
    ('meter', 's.about & 128 <> 0', '0', 's.label'),
    ('drift', 's.about & 2 <> 0', '0', '''''::text'),
    ('open', 's.about & 4 <> 0', '0', '''''::text'),
    ('doubt', 's.about & 8 <> 0', '0', '''''::text')) AS l (level, condition, coarse, label)
  CROSS JOIN (VALUES (false), (true)) AS f (wide);
  EXECUTE 'CREATE VIEW spendlog.spend_sums WITH (security_invoker = true) AS ' || branches;
END
$$;
-- The query behind spend_sums over lines of one grain from elsewhere: d is a line of spend_deltas.
CREATE FUNCTION spendlog.sums_in_words(lines text, grain text) RETURNS text
LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, pg_temp
RETURN spendlog.view_over('spendlog.spend_sums', 'spendlog.stored_sums s',
  format('(SELECT %L::text AS grain, %s FROM %s d) s', grain, spendlog.sum_list('%2$s AS %1$I', 'key', 'count', 'figure'),
         lines));

COMMENT ON VIEW spendlog.stored_sums IS 'What rows come to, by the numbers of the dictionaries: read grains delta and slot, or delta and day, and add up';
COMMENT ON COLUMN spendlog.stored_sums.about IS
  'sum of 1: what is counted; 2: what our price is compared on; 4: without a price of ours; 8: what may be wrong; 16: of the end user `label`, 64: by label, day and pricing_status alone; 32: of end users that are not told apart; 128: of the meter `label`; 256: of rows whose items are not known';
COMMENT ON VIEW spendlog.spend_sums IS 'What rows come to: read grains delta and slot, or delta and day, and add up. Signed; never updated';
COMMENT ON COLUMN spendlog.spend_sums.grain IS 'delta: appended with what it counts; slot, day: merged from deltas, per quarter of an hour and per day';
COMMENT ON COLUMN spendlog.spend_sums.day IS 'UTC; of the call''s start, or on which a posted correction counts';
COMMENT ON COLUMN spendlog.spend_sums.slot IS 'quarter of an hour of the day, 0 to 95; NULL: of the whole day';
COMMENT ON COLUMN spendlog.spend_sums.level IS
  'all: everything; tag, end_user: by label; meter: what was paid for that is neither text, cache nor reasoning, by label (charge_units.unit); drift: what our price is compared on; open: without a price of ours; doubt: what may be wrong';
COMMENT ON COLUMN spendlog.spend_sums.coarse IS
  '0: by all columns; 1: by label, day and pricing_status alone; 2: labels were too many to be told apart';
COMMENT ON COLUMN spendlog.spend_sums.request_tags IS 'of the callers of the line; level tag has a line for each of them';
COMMENT ON COLUMN spendlog.spend_sums.label IS 'the tag, end user or meter; else empty';
COMMENT ON COLUMN spendlog.spend_sums.entries IS 'how many entries (spend_entries) are in it, less those that are no more: 0 is nothing';
COMMENT ON COLUMN spendlog.spend_sums.calls IS 'rows, less those that are set aside';
COMMENT ON COLUMN spendlog.spend_sums.spent IS 'entries that have a spend; likewise costed, gateway_calls, ... of their columns; NULL: none';
COMMENT ON COLUMN spendlog.spend_sums.differing IS 'level drift: calls whose spend is not the gateway''s';
COMMENT ON COLUMN spendlog.spend_sums.by_clock IS 'level drift: calls priced per second, by the gateway''s clock';
COMMENT ON COLUMN spendlog.spend_sums.spend IS 'US dollars; NULL: nothing of it has a price';
COMMENT ON COLUMN spendlog.spend_sums.cache_read_cost IS 'US dollars, of the input; NULL: none; likewise cache_write_cost and, of the output, reasoning_cost';
COMMENT ON COLUMN spendlog.spend_sums.quantity IS 'level meter: of it; its amount is the spend';
COMMENT ON COLUMN spendlog.spend_sums.itemized IS 'false: of rows of which only the sides are known (version 0.1, or changed by hand)';
COMMENT ON COLUMN spendlog.spend_sums.duration_us IS 'microseconds, of the timed calls';

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
-- only `checked` count among what is to be looked at.

CREATE FUNCTION spendlog.slot_of(at timestamp) RETURNS smallint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (extract(hour FROM at) * 4 + div(extract(minute FROM at), 15))::smallint;
COMMENT ON FUNCTION spendlog.slot_of(timestamp) IS 'Quarter of an hour of the day, 0 to 95';

-- What a row s says of itself: numbers or words.
CREATE FUNCTION spendlog.sum_words() RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN 's.call_no, s.caller_no, s.provider, s.model, s.model_group, s.call_type, s.status, s.api_key, s.api_key_alias, '
  's.user_id, s.team_id, s.team_alias, s.organization_id, s.request_tags, s.end_user';

-- What items cost by columns of a line, of a row (or what has its tokens) named by a prefix; before: a factor.
CREATE FUNCTION spendlog.sum_costs(items text, row_of text, factor text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN factor || spendlog.item_cost(items, 'r', factor || row_of || 'cache_read_tokens') || ' AS cache_read_cost, '
  || factor || spendlog.item_cost(items, 'w', factor || row_of || 'cache_write_tokens') || ' AS cache_write_cost, '
  || factor || spendlog.item_cost(items, 't', factor || row_of || 'reasoning_tokens') || ' AS reasoning_cost';

-- Of FROM that gives the stored row s, and v (sign, counted, checked, spend, input_cost, output_cost, other_cost,
-- items, status, reason, flags, now_status, now_flags): how the row is to be taken. now_*: what the latest posted
-- correction says. `alone`: figures that do not fit beside others in one line.
CREATE FUNCTION spendlog.sum_rows(source text, condition text DEFAULT 'true') RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN
  'SELECT v.sign, s.start_time::date AS day, spendlog.slot_of(s.start_time) AS slot, v.counted, 1 AS calls, '
  'v.spend, v.input_cost, v.output_cost, v.other_cost, ' || spendlog.sum_costs('v.items', 's.', '') || ', '
  's.gateway_cost, s.input_tokens, s.output_tokens, s.cache_read_tokens, s.cache_write_tokens, s.reasoning_tokens, '
  '(extract(epoch FROM s.end_time - s.start_time) * 1000000)::bigint AS duration_us, '
  || spendlog.sum_words() || ', v.status AS pricing_status, coalesce(v.reason, '''') AS pricing_reason, '
  'v.counted AND v.items = ''?'' AS untold, '
  'v.checked AND s.gateway_cost IS NOT NULL AND v.status IN (''priced'', ''free'') AS drift, '
  'v.checked AND (v.status = ''unpriced'' OR (v.status = ''reported'' AND v.reason IN '
  '(''unknown_model'', ''no_rate'', ''rate_missing'', ''unknown_price_key''))) '
  'AND v.now_status IN (''unpriced'', ''reported'') AS open, '
  -- 2^8 to 2^11 and 2^24 to 2^26: what casts doubt
  'v.checked AND v.flags & 117444352 <> 0 AND v.now_flags & 117444352 <> 0 AS doubtful, '
  'v.spend <> s.gateway_cost AS differing, v.flags >> 27 & 1 = 1 AS by_clock, '
  'CASE WHEN greatest(s.input_tokens, s.output_tokens, s.cache_read_tokens, s.cache_write_tokens, '
  's.reasoning_tokens) > 1099511627776 OR s.end_time > s.start_time + interval ''10 days'' THEN s.identity END AS alone '
  'FROM ' || source || ' WHERE ' || condition;

-- Of FROM that gives the stored row s, which may be gone, and c (day, slot, money, counts, status and reason; way: the sign of its
-- counts): a change of sums beside the row.
CREATE FUNCTION spendlog.sum_changes(source text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN
  'SELECT c.sign, c.day, c.slot, true, c.calls, c.spend, c.input_cost, c.output_cost, c.other_cost, '
  || spendlog.sum_costs('c.items', 'c.', 'c.way * ') || ', c.gateway_cost, '
  'c.input_tokens, c.output_tokens, c.cache_read_tokens, c.cache_write_tokens, c.reasoning_tokens, NULL::bigint, '
  || spendlog.sum_words() || ', c.status, c.reason, c.items = ''?'', false, false, false, false, false, '
  'CASE WHEN c.input_tokens IS NOT NULL THEN c.identity END FROM ' || source;

-- The two kinds of changes.
CREATE FUNCTION spendlog.sum_posted(adjustments text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN spendlog.sum_changes(
  '(SELECT 1 AS sign, 1 AS way, 0 AS calls, a.start_time, a.identity, a.posted_on AS day, 0::smallint AS slot, '
  'coalesce(a.new_spend, 0) - coalesce(a.old_spend, 0) AS spend, NULL::numeric AS input_cost, '
  'NULL::numeric AS output_cost, NULL::numeric AS other_cost, NULL::numeric AS gateway_cost, '
  'NULL::bigint AS input_tokens, NULL::bigint AS output_tokens, NULL::bigint AS cache_read_tokens, '
  'NULL::bigint AS cache_write_tokens, NULL::bigint AS reasoning_tokens, NULL::text AS items, a.new_status AS status, '''' AS reason '
  'FROM ' || adjustments || ' a WHERE a.kind = ''posted'') c '
  'LEFT JOIN spendlog.stored_rows s ON s.start_time = c.start_time AND s.identity = c.identity');

-- Entries e of exclusions with a sign, and the status and reason they count under (NULL is the row's), as changes: a call less, or more.
CREATE FUNCTION spendlog.sum_set_aside(exclusions text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN
  '(SELECT e.sign, w.way, w.way AS calls, e.start_time, e.identity, e.counts_on AS day, '
  'CASE WHEN e.counts_on = e.start_time::date '
  'THEN spendlog.slot_of(e.start_time) ELSE 0::smallint END AS slot, e.spend, e.input_cost, e.output_cost, '
  'e.other_cost, e.gateway_cost, e.input_tokens, e.output_tokens, e.cache_read_tokens, e.cache_write_tokens, '
  'e.reasoning_tokens, e.items, e.pricing_status AS items_status, coalesce(e.status, l.pricing_status) AS status, '
  'coalesce(e.reason, l.pricing_reason, '''') AS reason FROM ' || exclusions || ' e LEFT JOIN spendlog.stored_rows l '
  'ON l.start_time = e.start_time AND l.identity = e.identity '
  'CROSS JOIN LATERAL (SELECT CASE e.action WHEN ''exclude'' THEN -1 ELSE 1 END AS way) w) c '
  'LEFT JOIN spendlog.stored_rows s ON s.start_time = c.start_time AND s.identity = c.identity';

CREATE FUNCTION spendlog.sum_excluded(exclusions text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN spendlog.sum_changes(spendlog.sum_set_aside(exclusions));

-- Of FROM that gives the stored row s: what its items, or those of an adjustment, say by meters.
CREATE FUNCTION spendlog.sum_row_meters(source text, sign text, items text, status text, condition text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN format(
  'SELECT %1$s AS sign, s.start_time::date AS day, spendlog.slot_of(s.start_time) AS slot, m.meter, m.quantity, '
  'm.amount AS spend, %2$s, %3$s AS pricing_status, NULL::text AS pricing_reason, NULL::uuid AS alone FROM %4$s '
  'CROSS JOIN LATERAL spendlog.meters_of(%5$s, %3$s, %6$s) m WHERE (%7$s) AND spendlog.has_meters(%5$s, %3$s, %6$s)',
  sign, spendlog.sum_words(), status, source, items,
  's.input_tokens, s.output_tokens, s.cache_read_tokens, s.cache_write_tokens, s.reasoning_tokens', condition);

-- Likewise of entries e of exclusions.
CREATE FUNCTION spendlog.sum_excluded_meters(exclusions text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN 'SELECT c.sign * c.way AS sign, c.day, c.slot, m.meter, m.quantity, m.amount AS spend, ' || spendlog.sum_words()
  || ', c.status AS pricing_status, NULL::text AS pricing_reason, NULL::uuid AS alone FROM ' || spendlog.sum_set_aside(exclusions)
  || ' CROSS JOIN LATERAL spendlog.meters_of(c.items, c.items_status, c.way * c.input_tokens, c.way * c.output_tokens, '
  'c.way * c.cache_read_tokens, c.way * c.cache_write_tokens, c.way * c.reasoning_tokens) m';

-- Every entry of the days in [since, until).
CREATE FUNCTION spendlog.sum_entries(since date, until date) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET datestyle = 'ISO, YMD'
RETURN spendlog.sum_rows(
  'spendlog.stored_rows s '
  'LEFT JOIN spendlog.excluded_rows x ON x.start_time = s.start_time AND x.identity = s.identity '
  'LEFT JOIN (SELECT DISTINCT ON (a.start_time, a.identity) a.start_time, a.identity, a.new_status, a.new_flags '
  'FROM spendlog.spend_adjustments a WHERE a.kind = ''posted'' '
  'ORDER BY a.start_time, a.identity, a.run_id DESC) o ON o.start_time = s.start_time AND o.identity = s.identity '
  'CROSS JOIN LATERAL (SELECT 1, true, x.identity IS NULL, s.spend, s.input_cost, s.output_cost, s.other_cost, '
  's.items, s.pricing_status, s.pricing_reason, s.flags, coalesce(o.new_status, s.pricing_status), '
  'coalesce(o.new_flags, s.flags)) AS v (sign, counted, checked, spend, input_cost, output_cost, other_cost, '
  'items, status, reason, flags, now_status, now_flags)',
  format('s.start_time >= %L AND s.start_time < %L ', since::timestamp, until::timestamp))
  || 'UNION ALL ' || spendlog.sum_posted(format('(SELECT * FROM spendlog.spend_adjustments '
    'WHERE kind = ''posted'' AND posted_on >= %L AND posted_on < %L)', since, until))
  || ' UNION ALL ' || spendlog.sum_excluded(format('(SELECT *, 1 AS sign, NULL::text AS status, NULL::text AS reason FROM spendlog.exclusions '
    'WHERE counts_on >= %L AND counts_on < %L)', since, until));

CREATE FUNCTION spendlog.sum_meters(since date, until date) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET datestyle = 'ISO, YMD'
RETURN spendlog.sum_row_meters('spendlog.stored_rows s', '1', 's.items', 's.pricing_status',
    format('s.start_time >= %L AND s.start_time < %L', since::timestamp, until::timestamp))
  || ' UNION ALL ' || spendlog.sum_excluded_meters(format('(SELECT *, 1 AS sign, NULL::text AS status, NULL::text AS reason FROM spendlog.exclusions '
    'WHERE counts_on >= %L AND counts_on < %L)', since, until));

-- Whether a line g comes to anything.
CREATE FUNCTION spendlog.sum_something() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN '(g.entries <> 0 OR ' || (SELECT string_agg(format('coalesce(g.%I, 0) <> 0', c.name), ' OR ' ORDER BY c.place)
  FROM spendlog.sum_columns() c WHERE c.kind <> 'key' AND c.name <> 'entries') || ')';

-- The figures of a group, of entries of a kind: rows; money: differences of money alone, of rows that count as before;
-- meters.
CREATE FUNCTION spendlog.sum_figures(entry_kind text) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN CASE entry_kind WHEN 'rows' THEN $sql$sum(e.sign) AS entries, sum(e.sign * e.calls) AS calls,
    sum(e.sign) FILTER (WHERE e.spend IS NOT NULL) AS spent,
    coalesce(sum(e.sign) FILTER (WHERE e.input_cost IS NOT NULL), 0) AS costed,
    sum(e.sign) FILTER (WHERE e.gateway_cost IS NOT NULL) AS gateway_calls,
    sum(e.sign) FILTER (WHERE e.input_tokens IS NOT NULL) AS input_calls,
    sum(e.sign) FILTER (WHERE e.output_tokens IS NOT NULL) AS output_calls,
    sum(e.sign) FILTER (WHERE e.cache_read_tokens IS NOT NULL) AS cache_read_calls,
    sum(e.sign) FILTER (WHERE e.cache_write_tokens IS NOT NULL) AS cache_write_calls,
    sum(e.sign) FILTER (WHERE e.reasoning_tokens IS NOT NULL) AS reasoning_calls,
    sum(e.sign) FILTER (WHERE e.duration_us IS NOT NULL) AS timed_calls,
    nullif(sum(e.sign) FILTER (WHERE k.label IS NULL AND e.drift AND e.differing), 0) AS differing,
    nullif(sum(e.sign) FILTER (WHERE k.label IS NULL AND e.drift AND e.by_clock), 0) AS by_clock,
    sum(e.sign * e.spend) AS spend, sum(e.sign * e.input_cost) AS input_cost,
    sum(e.sign * e.output_cost) AS output_cost, sum(e.sign * e.other_cost) AS other_cost,
    sum(e.sign * e.gateway_cost) AS gateway_cost, sum(e.sign * e.input_tokens) AS input_tokens,
    sum(e.sign * e.output_tokens) AS output_tokens, sum(e.sign * e.cache_read_tokens) AS cache_read_tokens,
    sum(e.sign * e.cache_write_tokens) AS cache_write_tokens, sum(e.sign * e.reasoning_tokens) AS reasoning_tokens,
    sum(e.sign * e.duration_us) AS duration_us, sum(e.sign * e.cache_read_cost) AS cache_read_cost,
    sum(e.sign * e.cache_write_cost) AS cache_write_cost, sum(e.sign * e.reasoning_cost) AS reasoning_cost,
    NULL::numeric AS quantity$sql$
ELSE (
  SELECT string_agg(CASE
      WHEN c.name = 'entries' OR entry_kind = 'money' AND c.name IN ('calls', 'spent', 'costed') THEN format('0::bigint AS %I', c.name)
      WHEN entry_kind = 'money' AND c.name = 'differing'
        THEN 'nullif(sum(e.differing) FILTER (WHERE k.label IS NULL AND e.drift), 0) AS differing'
      WHEN c.kind = 'count' THEN format('NULL::bigint AS %I', c.name)
      WHEN entry_kind = 'meters' AND c.name IN ('spend', 'quantity') THEN format('sum(e.sign * e.%1$I) AS %1$I', c.name)
      WHEN entry_kind = 'money' AND (c.name = 'spend' OR c.name LIKE '%\_cost' AND c.name <> 'gateway_cost')
        THEN format('sum(e.%1$I) AS %1$I', c.name)
      ELSE format('NULL::numeric AS %I', c.name) END, ', ' ORDER BY c.place)
  FROM spendlog.sum_columns() c WHERE c.kind <> 'key') END;

-- What entries come to, as lines in the order of sum_columns(); those that come to nothing left out. store/sums.c
-- does the same for a batch.
CREATE FUNCTION spendlog.sum_select(entries text, kind text) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN format($sql$
SELECT %1$s FROM (
  SELECT e.day, e.slot, k.about, k.label, e.call_no, e.caller_no, coalesce(e.pricing_status, '') AS pricing_status,
    CASE WHEN k.label IS NULL THEN nullif(e.pricing_reason, '') END AS pricing_reason,
    nullif(e.provider, '') AS provider, nullif(e.model, '') AS model, nullif(e.model_group, '') AS model_group,
    nullif(e.call_type, '') AS call_type, nullif(e.status, '') AS status, nullif(e.api_key, '') AS api_key,
    nullif(e.api_key_alias, '') AS api_key_alias, nullif(e.user_id, '') AS user_id, nullif(e.team_id, '') AS team_id,
    nullif(e.team_alias, '') AS team_alias, nullif(e.organization_id, '') AS organization_id,
    nullif(e.request_tags, '{}') AS request_tags, e.alone, %2$s
  FROM (%3$s) e
  CROSS JOIN LATERAL (%5$s) k
  GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21) g
WHERE %4$s$sql$, spendlog.sum_list('g.%1$I', 'key', 'count', 'figure'), spendlog.sum_figures(kind), entries,
  spendlog.sum_something(), CASE kind WHEN 'meters' THEN 'SELECT 128::smallint AS about, e.meter AS label'
    ELSE $sql$SELECT (e.counted::integer + (e.drift IS TRUE)::integer * 2 + (e.open IS TRUE)::integer * 4
      + (e.doubtful IS TRUE)::integer * 8 + (e.untold IS TRUE)::integer * 256)::smallint AS about, NULL::text AS label
    WHERE e.counted OR e.drift OR e.open OR e.doubtful
    UNION ALL SELECT 16::smallint, e.end_user WHERE e.counted AND e.end_user <> ''$sql$ END);

CREATE FUNCTION spendlog.sum_insert(entries text, kind text DEFAULT 'rows') RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN format('INSERT INTO spendlog.spend_deltas (%s) %s', spendlog.sum_list('%1$I', 'key', 'count', 'figure'),
  spendlog.sum_select(entries, kind));

-- All of the days in [since, until): rows, changes and meters.
CREATE FUNCTION spendlog.sum_whole(since date, until date) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN spendlog.sum_select(spendlog.sum_entries(since, until), 'rows') || ' UNION ALL '
  || spendlog.sum_select(spendlog.sum_meters(since, until), 'meters');

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
  -- what was set aside and put back counts under the status and the reason of its row
  aside text := '(SELECT x.*, w.sign, w.status, w.reason FROM ' || adjustments || ' a JOIN spendlog.exclusions x '
    'ON x.start_time = a.start_time AND x.identity = a.identity '
    'CROSS JOIN LATERAL (VALUES (-1, a.old_status, a.old_reason), (1, a.new_status, a.new_reason)) AS w (sign, status, reason) '
    'WHERE a.kind = ''audit'' AND (a.new_status, a.new_reason) <> (a.old_status, a.old_reason))';
BEGIN
  -- Some rows of a day are looked up by their key: statistics of a young table may say anything.
  PERFORM set_config('enable_hashjoin', CASE WHEN many THEN 'on' ELSE 'off' END, true);
  -- 2^27 as well: by the gateway's clock
  same := 'a.kind = ''audit'' AND a.new_status = a.old_status AND a.new_reason = a.old_reason '
          'AND (coalesce(a.new_flags, s.flags) # s.flags) & 251660032 = 0 '
          'AND coalesce(a.new_items = ''?'', false) = coalesce(s.items = ''?'', false) ';
  source := adjustments || format(
    ' a JOIN spendlog.stored_rows s ON s.start_time = a.start_time AND s.identity = a.identity '
    'AND s.start_time BETWEEN %L AND %L AND a.old_price_book_id = s.price_book_id '
    'AND a.old_spend IS NOT DISTINCT FROM s.spend AND a.old_status = s.pricing_status '
    'AND a.old_reason = coalesce(s.pricing_reason, '''') ', since, until);
  EXECUTE spendlog.sum_insert(
    'SELECT s.start_time::date AS day, spendlog.slot_of(s.start_time) AS slot, true AS counted, '
    'a.new_spend - s.spend AS spend, a.new_input_cost - s.input_cost AS input_cost, '
    'a.new_output_cost - s.output_cost AS output_cost, a.new_other_cost - s.other_cost AS other_cost, '
    || (SELECT string_agg(format('coalesce(%s, 0) - coalesce(%s, 0) AS %s_cost', spendlog.item_cost('a.new_items', c.code, tokens),
          spendlog.item_cost('s.items', c.code, tokens), c.name), ', ')
        FROM (VALUES ('r', 'cache_read'), ('w', 'cache_write'), ('t', 'reasoning')) AS c (code, name)
        CROSS JOIN LATERAL (SELECT 's.' || c.name || '_tokens' AS tokens) t)
    || ', s.items = ''?'' AS untold, '
    || spendlog.sum_words() || ', s.pricing_status, s.pricing_reason, '
    's.gateway_cost IS NOT NULL AND s.pricing_status IN (''priced'', ''free'') AS drift, '
    's.pricing_status = ''reported'' AND s.pricing_reason IN '
    '(''unknown_model'', ''no_rate'', ''rate_missing'', ''unknown_price_key'') AS open, '
    's.flags & 117444352 <> 0 AS doubtful, NULL::uuid AS alone, '
    '(a.new_spend <> s.gateway_cost)::integer - (s.spend <> s.gateway_cost)::integer AS differing '
    'FROM ' || source || 'WHERE ' || same, 'money');
  EXECUTE spendlog.sum_insert(spendlog.sum_rows(source ||
    'CROSS JOIN LATERAL (VALUES '
    '(-1, s.spend, s.input_cost, s.output_cost, s.other_cost, s.items, s.pricing_status, s.pricing_reason, s.flags), '
    '(1, a.new_spend, a.new_input_cost, a.new_output_cost, a.new_other_cost, a.new_items, a.new_status, a.new_reason, '
    'coalesce(a.new_flags, s.flags))) AS w (sign, spend, input_cost, output_cost, other_cost, items, status, reason, flags) '
    'CROSS JOIN LATERAL (SELECT w.sign, true, true, w.spend, w.input_cost, w.output_cost, w.other_cost, w.items, w.status, '
    'w.reason, w.flags, w.status, w.flags) AS v (sign, counted, checked, spend, input_cost, output_cost, '
    'other_cost, items, status, reason, flags, now_status, now_flags) ',
    'a.kind = ''audit'' AND NOT (' || same || ')')
    || ' UNION ALL ' || spendlog.sum_excluded(aside));
  EXECUTE spendlog.sum_insert(
    spendlog.sum_row_meters(source || 'CROSS JOIN LATERAL (VALUES (-1, s.items, s.pricing_status), '
      '(1, a.new_items, a.new_status)) AS w (sign, items, status)', 'w.sign', 'w.items', 'w.status', 'a.kind = ''audit'' '
      'AND (a.new_items, a.new_status) IS DISTINCT FROM (s.items, s.pricing_status)')
    || ' UNION ALL ' || spendlog.sum_excluded_meters(aside), 'meters');
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
SET enable_sort = off
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
      'added a JOIN spendlog.stored_rows s ON s.start_time = a.start_time AND s.identity = a.identity '
      'AND s.start_time BETWEEN %L AND %L '
      'LEFT JOIN LATERAL (SELECT o.run_id, o.new_flags FROM spendlog.spend_adjustments o '
      'WHERE o.kind = ''posted'' AND o.start_time = a.start_time AND o.identity = a.identity '
      'AND o.run_id <> a.run_id ORDER BY o.run_id DESC LIMIT 1) o ON true '
      'CROSS JOIN LATERAL (VALUES (-1, a.old_status, coalesce(o.new_flags, s.flags)), '
      '(1, a.new_status, coalesce(a.new_flags, s.flags))) AS w (sign, status, flags) '
      'CROSS JOIN LATERAL (SELECT w.sign, false, true, s.spend, s.input_cost, s.output_cost, s.other_cost, s.items, '
      's.pricing_status, s.pricing_reason, s.flags, w.status, w.flags) AS v (sign, counted, checked, spend, '
      'input_cost, output_cost, other_cost, items, status, reason, flags, now_status, now_flags) ', seen.first, seen.last),
      'a.kind = ''posted'' AND coalesce(o.run_id < a.run_id, true)')
      || ' UNION ALL ' || spendlog.sum_posted('added'));
  END IF;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION spendlog.sums_adjust() IS 'Appends to the sums what posted adjustments change';
CREATE TRIGGER spend_adjustments_sums AFTER INSERT ON spendlog.spend_adjustments
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION spendlog.sums_adjust();

-- A row that is set aside leaves the sums by its entry, and what is to be looked at by itself.
CREATE FUNCTION spendlog.sums_exclude() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET timezone = 'UTC'
AS $$
DECLARE
  entries text := '(SELECT *, 1 AS sign, NULL::text AS status, NULL::text AS reason FROM added)';
BEGIN
  EXECUTE spendlog.sum_insert(spendlog.sum_rows(
    'added e JOIN spendlog.stored_rows s ON s.start_time = e.start_time AND s.identity = e.identity '
    'LEFT JOIN LATERAL (SELECT o.new_status, o.new_flags FROM spendlog.spend_adjustments o '
    'WHERE o.kind = ''posted'' AND o.start_time = e.start_time AND o.identity = e.identity '
    'ORDER BY o.run_id DESC LIMIT 1) o ON true '
    'CROSS JOIN LATERAL (SELECT CASE e.action WHEN ''exclude'' THEN -1 ELSE 1 END, false, true, s.spend, '
    's.input_cost, s.output_cost, s.other_cost, s.items, s.pricing_status, s.pricing_reason, s.flags, '
    'coalesce(o.new_status, s.pricing_status), coalesce(o.new_flags, s.flags)) AS v (sign, counted, checked, '
    'spend, input_cost, output_cost, other_cost, items, status, reason, flags, now_status, now_flags)')
    || ' UNION ALL ' || spendlog.sum_excluded(entries));
  EXECUTE spendlog.sum_insert(spendlog.sum_excluded_meters(entries), 'meters');
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION spendlog.sums_exclude() IS 'Appends to the sums what rows set aside, or put back, change';
CREATE TRIGGER exclusions_sums AFTER INSERT ON spendlog.exclusions
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION spendlog.sums_exclude();

-- What is to be looked at is of rows that are there: a day that retention drops is not among it any more.
CREATE FUNCTION spendlog.sums_drop() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  form text := 'INSERT INTO spendlog.%I (%s) SELECT %s FROM (SELECT %s, %s FROM s GROUP BY %s) g WHERE %s';
  named text := spendlog.sum_list('%1$I', 'key', 'count', 'figure');
  shown text := spendlog.sum_list('g.%1$I', 'key', 'count', 'figure');
  keys text := replace(spendlog.sum_list('s.%1$I', 'key'), 's.about', '(s.about & 12)::smallint AS about');
  less text := spendlog.sum_list('-sum(s.%1$I) AS %1$I', 'count', 'figure');
  grouped text := '1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20';
BEGIN
  EXECUTE 'WITH s AS MATERIALIZED (SELECT * FROM spendlog.stored_sums WHERE day = $1 AND about & 12 <> 0 AND grain <> ''day''), '
    'slots AS (' || format(form, 'spend_slots', named, shown, keys, less, grouped, spendlog.sum_something()) || ') '
    || format(form, 'spend_days', named, shown, replace(keys, 's.slot', 'NULL::smallint AS slot'), less, grouped, spendlog.sum_something())
    USING NEW.day;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION spendlog.sums_drop() IS 'Takes a dropped day out of what is to be looked at';
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
  PERFORM spendlog.session_expect();
  PERFORM FROM spendlog.locks l WHERE l.name = 'partitions' FOR UPDATE; -- no day is dropped meanwhile
  PERFORM FROM spendlog.locks l WHERE l.name = 'sums' FOR UPDATE; -- and nothing merged
  LOCK TABLE spendlog.stored_rows IN ACCESS SHARE MODE; -- a day that takes another's place does so before rows are looked at, or after
  IF EXISTS (SELECT FROM spendlog.dropped_partitions p
             WHERE p.day >= since AND p.day < until AND p.rows > p.rows_unsummed) THEN
    RAISE EXCEPTION 'rows between % and % are gone: their sums cannot be made again', since, until
      USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  DELETE FROM spendlog.sums_days s WHERE s.day >= since AND s.day < until;
  PERFORM set_config('spendlog.sums', 'remade', true); -- what is kept beside merged lines is told apart by it
  EXECUTE (SELECT 'WITH ' || string_agg(format('%1$s AS (DELETE FROM spendlog.%1$I WHERE day >= %2$L AND day < %3$L)',
             name, since, until), ', ') FROM unnest(ARRAY['spend_deltas', 'spend_slots', 'spend_days']) AS name)
    || format(' INSERT INTO spendlog.spend_deltas (%s) %s', spendlog.sum_list('%1$I', 'key', 'count', 'figure'),
              spendlog.sum_whole(since, until));
  GET DIAGNOSTICS made = ROW_COUNT;
  PERFORM set_config('spendlog.sums', '', true);
  RETURN made;
END
$$;
COMMENT ON FUNCTION spendlog.sums_remake(date, date) IS 'Makes the sums of the days in [since, until) again from their rows';

-- Where the sums are not what the rows come to, per level, day and grain: how many lines differ, and calls
-- and spend of both sides. Of a day whose rows are gone, or with entries of such rows, less is known: then
-- only that is compared. `wholly`: by all columns; else calls and spend of whole days. Tags are a column of
-- all.
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
  word text[] := '{c.provider,c.model,c.model_group,c.call_type,c.status,k.api_key,k.api_key_alias,k.user_id,k.team_id,'
    'k.team_alias,k.organization_id}';
BEGIN
  RETURN QUERY EXECUTE format($sql$
    WITH made AS MATERIALIZED (%1$s),
    -- 0: all columns; 1: the label and the status; 2: the day alone
    detail AS MATERIALIZED (
      SELECT d.level, d.day, max(d.detail) AS detail FROM (
        SELECT 'end_user' AS level, day, CASE WHEN about & 32 <> 0 THEN 2 ELSE 1 END AS detail
        FROM spendlog.stored_sums WHERE about & 96 <> 0
        UNION ALL
        SELECT l.level, o.day, 2 FROM (
          SELECT posted_on AS day, start_time, identity FROM spendlog.spend_adjustments WHERE kind = 'posted'
          UNION ALL SELECT counts_on, start_time, identity FROM spendlog.exclusions) o
        CROSS JOIN (VALUES ('all'), ('end_user'), ('meter')) AS l (level)
        WHERE NOT EXISTS (SELECT FROM spendlog.stored_rows s
                          WHERE s.start_time = o.start_time AND s.identity = o.identity)
      ) d GROUP BY 1, 2),
    dropped AS (SELECT p.day, p.rows - p.rows_unsummed AS rows, p.spend FROM spendlog.dropped_partitions p),
    -- of grain slot: the rows and what is appended or merged; of grain day: the two merged ones
    both_sides AS (
      SELECT 1 AS side, m.*, 'slot' AS grain FROM made m
      UNION ALL SELECT -1, %2$s, 'slot' FROM spendlog.stored_sums k WHERE k.grain IN ('delta', 'slot')
      UNION ALL SELECT 1, %2$s, 'day' FROM spendlog.stored_sums k WHERE k.grain = 'slot'
      UNION ALL SELECT -1, %2$s, 'day' FROM spendlog.stored_sums k WHERE k.grain = 'day'),
    lines AS (
      SELECT l.level, b.day, b.grain,
        sum(b.calls) FILTER (WHERE b.side = -1) AS sum_calls, sum(b.calls) FILTER (WHERE b.side = 1) AS row_calls,
        sum(b.spend) FILTER (WHERE b.side = -1) AS sum_spend, sum(b.spend) FILTER (WHERE b.side = 1) AS row_spend,
        %3$s AS differs
      FROM both_sides b
      LEFT JOIN spendlog.shared_calls c ON c.call_no = b.call_no
      LEFT JOIN spendlog.shared_callers k ON k.caller_no = b.caller_no
      JOIN (VALUES ('all', 1), ('end_user', 48), ('drift', 2), ('open', 4), ('doubt', 8), ('meter', 128)) AS l (level, bits)
        ON b.about & l.bits <> 0
      LEFT JOIN detail d ON d.level = l.level AND d.day = b.day
      WHERE b.grain = 'day' OR l.level IN ('open', 'doubt') OR NOT EXISTS (SELECT FROM dropped p WHERE p.day = b.day)
      GROUP BY l.level, b.day, b.grain %4$s),
    gone AS (
      SELECT 'all' AS level, p.day, g.grain, 1::bigint AS lines, coalesce(k.calls, 0) AS sum_calls,
        (p.rows + coalesce(m.calls, 0))::numeric AS row_calls, coalesce(k.spend, 0) AS sum_spend,
        coalesce(p.spend, 0) + coalesce(m.spend, 0) AS row_spend
      FROM dropped p CROSS JOIN (VALUES ('slot')) AS g (grain)
      LEFT JOIN (SELECT day, sum(calls) AS calls, sum(spend) AS spend FROM made WHERE about & 1 <> 0 GROUP BY 1) m
        ON m.day = p.day
      LEFT JOIN LATERAL (SELECT sum(k.calls) AS calls, sum(k.spend) AS spend FROM spendlog.stored_sums k
        WHERE k.about & 1 <> 0 AND k.day = p.day AND k.grain IN ('delta', g.grain)) k ON true
      WHERE p.rows > 0)
    SELECT l.level, l.day, l.grain, count(*) FILTER (WHERE l.differs), coalesce(sum(l.sum_calls), 0)::numeric,
      coalesce(sum(l.row_calls), 0)::numeric, coalesce(sum(l.sum_spend), 0), coalesce(sum(l.row_spend), 0)
    FROM lines l GROUP BY 1, 2, 3 HAVING bool_or(l.differs)
    UNION ALL
    SELECT g.* FROM gone g WHERE g.sum_calls <> g.row_calls OR g.sum_spend <> g.row_spend
    ORDER BY 2, 1, 3$sql$,
    spendlog.sum_whole('-infinity', 'infinity'),
    spendlog.sum_list('k.%1$I', 'key', 'count', 'figure'),
    (SELECT string_agg(format('coalesce(sum(b.side * b.%I)%s, 0) <> 0', c.name,
       CASE WHEN c.name IN ('differing', 'by_clock') THEN ' FILTER (WHERE l.level = ''drift'')' ELSE '' END), ' OR ')
     FROM spendlog.sum_columns() c
     WHERE c.kind <> 'key' AND (wholly OR c.name IN ('entries', 'calls', 'spend'))),
    CASE WHEN wholly THEN
      (SELECT string_agg(format(', CASE WHEN coalesce(d.detail, 0) = 0 THEN coalesce(b.%s, %s, '''') END',
         split_part(w, '.', 2), w), '') FROM unnest(word) w)
      || ', CASE WHEN coalesce(d.detail, 0) = 0 THEN coalesce(b.request_tags, k.request_tags, ''{}'') END'
      || ', CASE WHEN coalesce(d.detail, 0) < 2 THEN b.pricing_status END'
      || ', CASE WHEN coalesce(d.detail, 0) = 0 THEN coalesce(b.pricing_reason, '''') END'
      || ', CASE WHEN coalesce(d.detail, 0) < 2 THEN b.label END'
      || ', CASE WHEN coalesce(d.detail, 0) = 0 AND l.level = ''all'' THEN b.about & 256 END'
      || ', CASE WHEN coalesce(d.detail, 0) = 0 AND b.grain = ''slot'' THEN b.slot END'
    ELSE '' END);
END
$$;
COMMENT ON FUNCTION spendlog.sums_differ(boolean) IS 'Where the sums are not what the rows come to: none, ever';

-- --- the sums of what is stored

-- Rows of 0.1.0 are wide, and their items are not known; their lines get numbers all the same, of entries that have what lines tell apart and no more:
-- so they are short, and quickly told apart. Where end users have more than half as many lines as a day has rows they
-- are told apart by day alone, as in a batch.

LOCK TABLE spendlog.stored_rows IN SHARE MODE;
SET LOCAL jit = off;
SET LOCAL work_mem = '64MB';
SET LOCAL enable_sort = off; -- texts are slow to order
DO $$
BEGIN
  EXECUTE 'CREATE TEMPORARY TABLE sums_entries ON COMMIT DROP AS ' || spendlog.sum_entries('-infinity', 'infinity');
END
$$;

CREATE TEMPORARY TABLE sums_calls ON COMMIT DROP AS
SELECT w.*, hashtextextended(c.content, 0) AS call_no
FROM (SELECT DISTINCT coalesce(e.provider, '') AS provider, coalesce(e.model, '') AS model,
        coalesce(e.model_group, '') AS model_group, coalesce(e.call_type, '') AS call_type,
        coalesce(e.status, '') AS status
      FROM sums_entries e WHERE e.call_no IS NULL) w
CROSS JOIN LATERAL (SELECT concat(w.provider, E'\n', w.model, E'\n\n', w.model_group, E'\n\n', w.call_type, E'\n', w.status,
  E'\n\n\nevent\n') AS content) c
WHERE spendlog.words_fit(c.content);
CREATE TEMPORARY TABLE sums_callers ON COMMIT DROP AS
SELECT w.*, hashtextextended(c.content, 0) AS caller_no
FROM (SELECT DISTINCT coalesce(e.api_key, '') AS api_key, coalesce(e.api_key_alias, '') AS api_key_alias,
        coalesce(e.user_id, '') AS user_id, coalesce(e.team_id, '') AS team_id, coalesce(e.team_alias, '') AS team_alias,
        coalesce(e.organization_id, '') AS organization_id, coalesce(e.request_tags, '{}') AS request_tags
      FROM sums_entries e WHERE e.call_no IS NULL) w
CROSS JOIN LATERAL (SELECT concat(w.api_key, E'\n', w.api_key_alias, E'\n', w.user_id, E'\n', w.team_id, E'\n', w.team_alias, E'\n',
  w.organization_id, E'\n{', (SELECT string_agg('"' || replace(replace(t, '\', '\\'), '"', '\"') || '"', ',' ORDER BY n)
  FROM unnest(w.request_tags) WITH ORDINALITY AS a (t, n)), '}') AS content) c
WHERE spendlog.words_fit(c.content);
INSERT INTO spendlog.shared_calls (call_no, provider, model, model_group, call_type, status, mapping, time_source)
SELECT w.call_no, w.provider, w.model, w.model_group, w.call_type, w.status, '', 'event' FROM sums_calls w
ON CONFLICT ON CONSTRAINT shared_calls_pkey DO NOTHING;
INSERT INTO spendlog.shared_callers (caller_no, api_key, api_key_alias, user_id, team_id, team_alias, organization_id,
  request_tags)
SELECT w.caller_no, w.api_key, w.api_key_alias, w.user_id, w.team_id, w.team_alias, w.organization_id, w.request_tags
FROM sums_callers w
ON CONFLICT ON CONSTRAINT shared_callers_pkey DO NOTHING;
-- What met another content at its number stays wide, as what is long does.
DELETE FROM sums_calls w USING spendlog.shared_calls c WHERE c.call_no = w.call_no
  AND (coalesce(c.provider, ''), coalesce(c.model, ''), coalesce(c.model_group, ''), coalesce(c.call_type, ''),
    coalesce(c.status, '')) <> (w.provider, w.model, w.model_group, w.call_type, w.status);
DELETE FROM sums_callers w USING spendlog.shared_callers k WHERE k.caller_no = w.caller_no
  AND (k.api_key, k.api_key_alias, k.user_id, k.team_id, k.team_alias, k.organization_id, k.request_tags)
    <> (w.api_key, w.api_key_alias, w.user_id, w.team_id, w.team_alias, w.organization_id, w.request_tags);
ANALYZE sums_entries, sums_calls, sums_callers;

DO $$
DECLARE
  words text[] := '{provider,model,model_group,call_type,status,api_key,api_key_alias,user_id,team_id,team_alias,'
    'organization_id,request_tags}';
  numbered text;
BEGIN
  SELECT 'CREATE TEMPORARY TABLE sums_numbered ON COMMIT DROP AS SELECT ' || string_agg(CASE
      WHEN a.attname IN ('call_no', 'caller_no') THEN format('coalesce(e.%1$I, l.%1$I) AS %1$I', a.attname)
      WHEN a.attname = ANY (words) THEN format('CASE WHEN l.call_no IS NULL THEN e.%1$I END AS %1$I', a.attname)
      ELSE format('e.%I', a.attname) END, ', ' ORDER BY a.attnum)
    || ' FROM sums_entries e LEFT JOIN sums_calls c ON e.call_no IS NULL AND '
    || string_agg(format('c.%1$I = coalesce(e.%1$I, '''')', a.attname), ' AND ')
         FILTER (WHERE a.attname = ANY (words[1:5]))
    || ' LEFT JOIN sums_callers k ON e.call_no IS NULL AND '
    || string_agg(format('k.%1$I = coalesce(e.%1$I, %2$L)', a.attname, CASE a.attname WHEN 'request_tags' THEN '{}' ELSE '' END),
         ' AND ') FILTER (WHERE a.attname = ANY (words[6:12]))
    || ' CROSS JOIN LATERAL (SELECT CASE WHEN k.caller_no IS NOT NULL THEN c.call_no END AS call_no, '
       'CASE WHEN c.call_no IS NOT NULL THEN k.caller_no END AS caller_no) l'
    INTO numbered
  FROM pg_attribute a WHERE a.attrelid = 'sums_entries'::regclass AND a.attnum > 0;
  EXECUTE numbered;
END
$$;
DROP TABLE sums_entries;
CREATE TEMPORARY TABLE sums_coarse ON COMMIT DROP AS
SELECT d.day FROM (SELECT e.day, count(*) AS entries FROM sums_numbered e GROUP BY 1) d
JOIN (SELECT u.day, count(*) AS lines
      FROM (SELECT DISTINCT e.day, e.slot, e.end_user, e.call_no, e.caller_no, e.pricing_status FROM sums_numbered e
            WHERE e.end_user <> '') u GROUP BY 1) l ON l.day = d.day
WHERE d.entries >= 256 AND l.lines > d.entries / 2;
ANALYZE sums_numbered, sums_coarse;

DO $$
DECLARE
  entry text := (SELECT string_agg(CASE a.attname WHEN 'end_user' THEN 'CASE WHEN c.day IS NULL THEN e.end_user END AS end_user'
                   ELSE format('e.%I', a.attname) END, ', ' ORDER BY a.attnum)
                 FROM pg_attribute a WHERE a.attrelid = 'sums_numbered'::regclass AND a.attnum > 0);
BEGIN
  EXECUTE spendlog.sum_insert('SELECT ' || entry || ' FROM sums_numbered e LEFT JOIN sums_coarse c ON c.day = e.day');
  EXECUTE format('INSERT INTO spendlog.spend_deltas (day, about, label, pricing_status, %1$s) '
    'SELECT g.day, 80, g.label, g.pricing_status, %2$s FROM (SELECT e.day, k.label, e.alone, '
    'coalesce(e.pricing_status, '''') AS pricing_status, %3$s FROM sums_numbered e '
    'JOIN sums_coarse c ON c.day = e.day CROSS JOIN LATERAL (SELECT e.end_user AS label) k '
    'WHERE e.counted AND e.end_user <> '''' GROUP BY 1, 2, 3, 4) g WHERE %4$s',
    spendlog.sum_list('%1$I', 'count', 'figure'), spendlog.sum_list('g.%1$I', 'count', 'figure'),
    spendlog.sum_figures('rows'), spendlog.sum_something());
END
$$;
RESET enable_sort;
ANALYZE spendlog.spend_deltas;

-- --- privileges

REVOKE ALL ON FUNCTION spendlog.tags_of(text[]), spendlog.slot_of(timestamp), spendlog.sum_words(), spendlog.sum_costs(text, text, text), spendlog.sum_rows(text, text),
  spendlog.sum_changes(text), spendlog.sum_posted(text), spendlog.sum_excluded(text), spendlog.sum_entries(date, date),
  spendlog.sum_set_aside(text), spendlog.sum_row_meters(text, text, text, text, text), spendlog.sum_excluded_meters(text),
  spendlog.sum_meters(date, date), spendlog.sum_whole(date, date),
  spendlog.sum_columns(), spendlog.sum_list(text, text[]), spendlog.sums_in_words(text, text), spendlog.sum_figures(text),
  spendlog.sum_select(text, text), spendlog.sum_something(), spendlog.sum_insert(text, text),
  spendlog.sums_adjust(), spendlog.sums_audit(text, timestamp, timestamp, boolean), spendlog.sums_exclude(),
  spendlog.sums_drop(), spendlog.sums_remake(date, date), spendlog.sums_differ(boolean)
  FROM PUBLIC;
GRANT EXECUTE ON FUNCTION spendlog.tags_of(text[]), spendlog.slot_of(timestamp), spendlog.sum_words(), spendlog.sum_costs(text, text, text), spendlog.sum_rows(text, text),
  spendlog.sum_changes(text), spendlog.sum_posted(text), spendlog.sum_excluded(text), spendlog.sum_entries(date, date),
  spendlog.sum_set_aside(text), spendlog.sum_row_meters(text, text, text, text, text), spendlog.sum_excluded_meters(text),
  spendlog.sum_meters(date, date), spendlog.sum_whole(date, date),
  spendlog.sum_columns(), spendlog.sum_list(text, text[]), spendlog.sums_in_words(text, text), spendlog.sum_figures(text),
  spendlog.sum_select(text, text), spendlog.sum_something(), spendlog.sums_differ(boolean)
  TO spendlog_writer, spendlog_repricer, spendlog_reader;
GRANT INSERT ON spendlog.spend_deltas TO spendlog_writer;
GRANT SELECT ON spendlog.stored_sums, spendlog.spend_sums, spendlog.spend_deltas, spendlog.spend_slots,
  spendlog.spend_days TO spendlog_writer, spendlog_repricer, spendlog_reader;
