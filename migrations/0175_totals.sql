-- SPDX-License-Identifier: Apache-2.0
-- What a board asks first is everything by one attribute: a day then has as many lines as there are models, teams,
-- keys, users, organizations or tags, whatever the number of calls and of their combinations. These lines are kept
-- beside merged sums, as those of budgets are: by a trigger where sums are merged. Storing a row costs nothing more.
-- So are those by two attributes of which one is what a board asks of: the models of a team, the keys of a model.
-- What is to be looked at (drift, without a price, in doubt) has such lines by model, and the views of it answer from
-- them: they are asked of all days.

SET LOCAL ROLE spendlog_owner;

CREATE TABLE spendlog.day_totals (
  kind text NOT NULL,
  day date NOT NULL,
  line bytea NOT NULL,
  provider text NOT NULL,
  id text NOT NULL,
  name text NOT NULL,
  other text,
  other_name text,
  pricing_status text NOT NULL,
  pricing_reason text NOT NULL,
  entries bigint NOT NULL,
  calls bigint NOT NULL,
  spent bigint NOT NULL,
  gateway_calls bigint NOT NULL,
  input_calls bigint NOT NULL,
  output_calls bigint NOT NULL,
  differing bigint NOT NULL,
  by_clock bigint NOT NULL,
  spend numeric NOT NULL,
  input_cost numeric NOT NULL,
  output_cost numeric NOT NULL,
  other_cost numeric NOT NULL,
  gateway_cost numeric NOT NULL,
  input_tokens numeric NOT NULL,
  output_tokens numeric NOT NULL,
  cache_read_tokens numeric NOT NULL,
  cache_write_tokens numeric NOT NULL,
  reasoning_tokens numeric NOT NULL,
  cache_read_cost numeric NOT NULL,
  cache_write_cost numeric NOT NULL,
  quantity numeric NOT NULL,
  CONSTRAINT day_totals_pkey PRIMARY KEY (kind, day, line)
) WITH (fillfactor = 80);
COMMENT ON TABLE spendlog.day_totals IS 'Merged sums of a day by one attribute alone, or by two; spend_of() reads them, and beside them what is not merged';
COMMENT ON COLUMN spendlog.day_totals.kind IS 'the attribute, or two of them, as total_kinds() has them; drift, open, doubt: what is to be looked at, by model; meter: what was paid for, by model; untold: rows of a model whose items are not known';
COMMENT ON COLUMN spendlog.day_totals.line IS 'hash of other, so that who is asked for lies together, and of all words: those may be too long for an index';
COMMENT ON COLUMN spendlog.day_totals.provider IS 'of a model; else empty';
COMMENT ON COLUMN spendlog.day_totals.id IS 'the attribute; of two the first';
COMMENT ON COLUMN spendlog.day_totals.name IS 'alias of a team or key; the meter; else empty';
COMMENT ON COLUMN spendlog.day_totals.other IS 'of two attributes the second; NULL: of one';
COMMENT ON COLUMN spendlog.day_totals.other_name IS 'its alias, if it is a team; else empty';
COMMENT ON COLUMN spendlog.day_totals.pricing_reason IS 'of what is open; else empty';
COMMENT ON COLUMN spendlog.day_totals.spend IS 'US dollars; 0 where spent is 0: nothing has a price';

-- Who is named is found by a hash: ids may be too long for an index.
CREATE INDEX day_totals_id ON spendlog.day_totals (kind, hashtextextended(id, 0), day);
CREATE INDEX day_totals_other ON spendlog.day_totals (kind, hashtextextended(other, 0), day) WHERE other IS NOT NULL;

-- A board that names models, or end users, reads their lines alone.
CREATE INDEX spend_days_call ON spendlog.spend_days (call_no, day);
CREATE INDEX spend_days_labelled ON spendlog.spend_days (day) WHERE label IS NOT NULL;

-- Columns of a total in a form; '%1$I' is the name, '%2$s' what a line d of the sums says. Of totals by a caller's attributes those that
-- spend_of() asks for are kept, and the others are 0: they have `unkept`.
CREATE FUNCTION spendlog.total_list(form text, unkept text DEFAULT NULL) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
RETURN (SELECT string_agg(format(CASE WHEN t.asked THEN form ELSE coalesce(unkept, form) END, c.name, c.reading), ', ' ORDER BY c.place)
        FROM (SELECT unnest('{entries,calls,spent,gateway_calls,spend,input_cost,output_cost,other_cost,gateway_cost,input_tokens,output_tokens,'
                'cache_read_tokens,cache_write_tokens,reasoning_tokens}'::text[]) AS name, true AS asked
              UNION ALL SELECT unnest('{input_calls,output_calls,differing,by_clock,cache_read_cost,cache_write_cost,quantity}'::text[]), false) t
        JOIN spendlog.sum_columns() c ON c.name = t.name);

-- The attributes that have totals, alone or two together (`first and second`), the fewest lines first. A key or a user is of one team or of
-- few, so by them there are no others.
CREATE FUNCTION spendlog.total_kinds() RETURNS TABLE (place integer, kind text, first text, second text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
  SELECT k.place, concat_ws(' and ', k.first, k.second), k.first, k.second
  FROM (VALUES (1, 'model', NULL), (2, 'team', NULL), (3, 'organization', NULL), (4, 'tag', NULL), (5, 'key', 'team'), (6, 'user', 'team'),
    (7, 'tag', 'team'), (8, 'team', 'model'), (9, 'tag', 'model'), (10, 'key', 'model')) AS k (place, first, second)
$$;

-- What lines l of the sums say by themselves: kind, provider, id, name, other, other_name, reason; with the words c of the call and k of
-- the caller where they have numbers.
CREATE FUNCTION spendlog.total_of_call() RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN 'SELECT a.kind, coalesce(c.provider, l.provider, '''') AS provider, coalesce(c.model, l.model, '''') AS id, '
  'CASE a.kind WHEN ''meter'' THEN coalesce(l.label, '''') ELSE '''' END AS name, NULL AS other, NULL AS other_name, '
  'CASE a.kind WHEN ''open'' THEN coalesce(l.pricing_reason, '''') ELSE '''' END AS reason '
  'FROM (VALUES (''model'', 1), (''drift'', 2), (''open'', 4), (''doubt'', 8), (''meter'', 128), (''untold'', 257)) '
  'AS a (kind, bits) WHERE l.about & a.bits = a.bits';

-- The word of an attribute, and its alias.
CREATE FUNCTION spendlog.total_word(attribute text, alias boolean) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (
  SELECT CASE WHEN w.word = '' THEN '''''' WHEN attribute = 'tag' THEN w.word
    ELSE format('coalesce(%2$s.%1$I, l.%1$I, '''')', w.word, CASE attribute WHEN 'model' THEN 'c' ELSE 'k' END) END
  FROM (SELECT CASE WHEN NOT alias THEN CASE attribute WHEN 'team' THEN 'team_id' WHEN 'key' THEN 'api_key' WHEN 'user' THEN 'user_id'
          WHEN 'organization' THEN 'organization_id' WHEN 'tag' THEN 't.tag' ELSE attribute END
        WHEN attribute = 'team' THEN 'team_alias' WHEN attribute = 'key' THEN 'api_key_alias' ELSE '' END) AS w (word));

-- By attributes of the caller alone.
CREATE FUNCTION spendlog.total_of_caller() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN (
  WITH told AS (
    SELECT 'tag' IN (k.first, coalesce(k.second, '')) AS tagged, format('(%L, %s, %s, %s, %s)', k.kind,
      spendlog.total_word(k.first, false), spendlog.total_word(k.first, true),
      coalesce(spendlog.total_word(k.second, false), 'NULL::text'), coalesce(spendlog.total_word(k.second, true), 'NULL::text')) AS line
    FROM spendlog.total_kinds() k WHERE k.first <> 'model' AND k.second IS DISTINCT FROM 'model')
  SELECT string_agg(format('SELECT a.kind, '''' AS provider, a.id, a.name, a.other, a.other_name, '''' AS reason FROM %s'
      '(VALUES %s) AS a (kind, id, name, other, other_name)',
    CASE WHEN u.tagged THEN 'spendlog.tags_of(coalesce(k.request_tags, l.request_tags)) AS t (tag) CROSS JOIN LATERAL ' ELSE '' END,
    u.lines), ' UNION ALL ')
  FROM (SELECT o.tagged, string_agg(o.line, ', ') AS lines FROM told o GROUP BY 1) u);

-- By an attribute of the caller and the model. Calls have the same tags again and again: they are added up before these are taken apart.
CREATE FUNCTION spendlog.total_with_model(source text) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN (
  WITH said AS (
    SELECT p.kind, p.first, format($sql$SELECT %L AS kind, l.day, %s AS provider, %s AS id, %s AS name, %s AS other, '' AS other_name,
      l.pricing_status, '' AS pricing_reason, %s
    FROM %s l LEFT JOIN spendlog.shared_calls c ON c.call_no = l.call_no
    LEFT JOIN spendlog.shared_callers k ON k.caller_no = l.caller_no
    WHERE l.about & 1 <> 0 GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9$sql$, p.kind, 'coalesce(c.provider, l.provider, '''')',
      CASE p.first WHEN 'tag' THEN 'coalesce(k.request_tags, l.request_tags, ''{}'')' ELSE spendlog.total_word(p.first, false) END,
      spendlog.total_word(p.first, true), spendlog.total_word('model', false),
      replace(spendlog.total_list('coalesce(sum(%2$s), 0) AS %1$I', '0 AS %1$I'), 'd.', 'l.'), source) AS lines
    FROM spendlog.total_kinds() p WHERE p.second = 'model')
  SELECT string_agg(CASE s.first WHEN 'tag' THEN format($sql$SELECT l.kind, l.day, l.provider, t.tag, l.name, l.other, l.other_name,
      l.pricing_status, l.pricing_reason, %s
    FROM (%s) l CROSS JOIN LATERAL spendlog.tags_of(l.id) AS t (tag)
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9$sql$, spendlog.total_list('sum(l.%1$I)'), s.lines) ELSE s.lines END, ' UNION ALL ')
  FROM said s);

-- What lines d of a table of the sums come to by one attribute, or two: numbers are added up before they become words.
CREATE FUNCTION spendlog.total_lines(source text) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN (
  WITH words AS (SELECT '{team_id,team_alias,api_key,api_key_alias,user_id,organization_id}'::text[] AS of_caller)
  SELECT format($sql$
  SELECT v.kind, l.day, v.provider, v.id, v.name, v.other, v.other_name, l.pricing_status, v.reason AS pricing_reason, %2$s
  FROM (SELECT d.day, d.pricing_status, d.pricing_reason, d.call_no, d.about, CASE WHEN d.about & 128 <> 0 THEN d.label END AS label,
          NULL::text AS provider, NULL::text AS model, %4$s
        FROM %1$s d WHERE d.about & 143 <> 0 AND d.call_no IS NOT NULL GROUP BY 1, 2, 3, 4, 5, 6
        UNION ALL
        SELECT d.day, d.pricing_status, d.pricing_reason, d.call_no, d.about, d.label, d.provider, d.model, %5$s
        FROM %1$s d WHERE d.about & 143 <> 0 AND d.call_no IS NULL) l
  LEFT JOIN spendlog.shared_calls c ON c.call_no = l.call_no CROSS JOIN LATERAL (%6$s) v
  GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
  UNION ALL
  SELECT v.kind, l.day, v.provider, v.id, v.name, v.other, v.other_name, l.pricing_status, v.reason, %3$s
  FROM (SELECT d.day, d.pricing_status, d.caller_no, %9$s, NULL::text[] AS request_tags, %4$s
        FROM %1$s d WHERE d.about & 1 <> 0 AND d.call_no IS NOT NULL GROUP BY 1, 2, 3
        UNION ALL
        SELECT d.day, d.pricing_status, d.caller_no, %10$s, d.request_tags, %5$s
        FROM %1$s d WHERE d.about & 1 <> 0 AND d.call_no IS NULL) l
  LEFT JOIN spendlog.shared_callers k ON k.caller_no = l.caller_no CROSS JOIN LATERAL (%7$s) v
  GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
  UNION ALL
  %8$s$sql$, source,
    spendlog.total_list('coalesce(sum(l.%1$I), 0) AS %1$I'), spendlog.total_list('coalesce(sum(l.%1$I), 0) AS %1$I', '0 AS %1$I'),
    spendlog.total_list('sum(%2$s) AS %1$I'), spendlog.total_list('%2$s AS %1$I'),
    spendlog.total_of_call(), spendlog.total_of_caller(), spendlog.total_with_model(source),
    (SELECT string_agg(format('NULL::text AS %I', w), ', ') FROM unnest(words.of_caller) AS w),
    (SELECT string_agg(format('d.%I', w), ', ') FROM unnest(words.of_caller) AS w))
  FROM words);

CREATE FUNCTION spendlog.total_keep(source text) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN format($sql$
  INSERT INTO spendlog.day_totals AS t (kind, day, line, provider, id, name, other, other_name, pricing_status, pricing_reason, %1$s)
  SELECT n.kind, n.day, int8send(hashtextextended(coalesce(n.other, ''), 0)) || substring(sha256(convert_to(jsonb_build_array(
      n.provider, n.id, n.name, n.other, n.other_name, n.pricing_status, n.pricing_reason)::text, 'UTF8')) FROM 1 FOR 16) AS line,
    n.provider, n.id, n.name, n.other, n.other_name, n.pricing_status, n.pricing_reason, %2$s
  FROM (%3$s) n
  ORDER BY 1, 2, 3
  ON CONFLICT ON CONSTRAINT day_totals_pkey DO UPDATE SET %4$s$sql$, spendlog.total_list('%1$I'),
  spendlog.total_list('n.%1$I'), spendlog.total_lines(source), spendlog.total_list('%1$I = t.%1$I + excluded.%1$I'));

-- What was merged from deltas, by day: fewer lines than the deltas were.
CREATE FUNCTION spendlog.totals_merge() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET jit = off
SET enable_sort = off
SET work_mem = '64MB'
AS $$
BEGIN
  IF current_setting('spendlog.sums', true) IS DISTINCT FROM 'again' THEN -- lines that were there
    EXECUTE spendlog.total_keep('added');
  END IF;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION spendlog.totals_merge() IS 'Keeps day_totals beside what is merged';
CREATE TRIGGER spend_days_merged AFTER INSERT ON spendlog.spend_days
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION spendlog.totals_merge();

-- The totals of days out of their merged sums.
CREATE FUNCTION spendlog.totals_make(days date[]) RETURNS void
LANGUAGE plpgsql STRICT
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET jit = off
SET enable_sort = off
SET work_mem = '64MB'
AS $$
BEGIN
  DELETE FROM spendlog.day_totals t WHERE t.day = ANY (days);
  EXECUTE spendlog.total_keep(format('(SELECT * FROM spendlog.spend_days WHERE day = ANY (%L))', days));
END
$$;

-- Days whose sums are made anew, or forgotten.
CREATE FUNCTION spendlog.totals_remake() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF current_setting('spendlog.sums', true) = 'remade' THEN -- else merged once more
    PERFORM spendlog.totals_make((SELECT array_agg(DISTINCT g.day) FROM gone g));
  END IF;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION spendlog.totals_remake() IS 'Makes day_totals of days anew whose merged sums were deleted';
CREATE TRIGGER spend_days_totals AFTER DELETE ON spendlog.spend_days
  REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION spendlog.totals_remake();

-- A dropped day is not to be looked at any more: sums_drop() takes it out of the merged lines before.
CREATE FUNCTION spendlog.totals_drop() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM spendlog.totals_make(ARRAY[NEW.day]);
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION spendlog.totals_drop() IS 'Makes day_totals of a dropped day anew';
CREATE TRIGGER dropped_partitions_totals AFTER INSERT OR UPDATE OF rows ON spendlog.dropped_partitions
  FOR EACH ROW EXECUTE FUNCTION spendlog.totals_drop();

-- Where what is kept beside merged lines is not what these come to, the sums of budgets too: in the columns of sums_differ().
CREATE FUNCTION spendlog.totals_differ()
RETURNS TABLE (level text, day date, grain text, lines bigint, sum_calls numeric, row_calls numeric, sum_spend numeric,
               row_spend numeric)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET jit = off
SET enable_sort = off
SET work_mem = '64MB'
AS $$
BEGIN
  RETURN QUERY EXECUTE format($sql$
    SELECT 'total by ' || d.kind, d.day, 'total', count(*), sum(d.kept_calls), sum(d.made_calls), sum(d.kept_spend),
      sum(d.made_spend)
    FROM (
      SELECT b.kind, b.day, coalesce(sum(b.calls) FILTER (WHERE b.side = -1), 0)::numeric AS kept_calls,
        coalesce(sum(b.calls) FILTER (WHERE b.side = 1), 0)::numeric AS made_calls,
        coalesce(sum(b.spend) FILTER (WHERE b.side = -1), 0) AS kept_spend,
        coalesce(sum(b.spend) FILTER (WHERE b.side = 1), 0) AS made_spend
      FROM (SELECT 1 AS side, m.* FROM (%1$s) m
            UNION ALL SELECT -1, t.kind, t.day, t.provider, t.id, t.name, t.other, t.other_name, t.pricing_status,
              t.pricing_reason, %2$s
            FROM spendlog.day_totals t) b
      GROUP BY b.kind, b.day, b.provider, b.id, b.name, b.other, b.other_name, b.pricing_status, b.pricing_reason HAVING %3$s) d
    GROUP BY 1, 2 ORDER BY 2, 1$sql$, spendlog.total_lines('spendlog.spend_days'), spendlog.total_list('t.%1$I'),
    replace(spendlog.total_list('sum(b.side * b.%1$I) <> 0'), ', ', ' OR '));
  RETURN QUERY EXECUTE format($sql$
    SELECT 'budget of ' || d.scope, d.day, 'total', count(*), sum(d.kept_calls), sum(d.made_calls), sum(d.kept_spend),
      sum(d.made_spend)
    FROM (
      SELECT b.scope, b.day, coalesce(sum(b.calls) FILTER (WHERE b.side = -1), 0)::numeric AS kept_calls,
        coalesce(sum(b.calls) FILTER (WHERE b.side = 1), 0)::numeric AS made_calls,
        coalesce(sum(b.spend) FILTER (WHERE b.side = -1), 0) AS kept_spend,
        coalesce(sum(b.spend) FILTER (WHERE b.side = 1), 0) AS made_spend
      FROM (SELECT 1 AS side, m.* FROM (%s) m UNION ALL SELECT -1, k.* FROM spendlog.budget_sums k) b
      GROUP BY b.scope, b.id, b.whole, b.day, b.slot HAVING sum(b.side * b.spend) <> 0 OR sum(b.side * b.calls) <> 0
        OR sum(b.side * b.unpriced_calls) <> 0 OR sum(b.side * b.unpriced_gateway_cost) <> 0 OR sum(b.side * b.corrections) <> 0) d
    GROUP BY 1, 2 ORDER BY 2, 1$sql$, spendlog.budget_lines('(SELECT * FROM spendlog.spend_sums WHERE grain <> ''delta'')'));
END
$$;
COMMENT ON FUNCTION spendlog.totals_differ() IS 'Where day_totals or budget_sums is not what merged sums come to: nowhere, ever';

SET LOCAL jit = off;
SET LOCAL enable_sort = off;
SET LOCAL work_mem = '64MB';
DO $$
BEGIN
  EXECUTE spendlog.total_keep('spendlog.spend_days');
END
$$;
RESET jit;
RESET enable_sort;
RESET work_mem;

-- --- asking

-- Conditions on lines s of the sums, whose words are in w and whose label is the end user. $3 to $7: teams, keys,
-- models, tags, end users; empty: all. What is named finds its lines by the numbers of the dictionaries.
CREATE FUNCTION spendlog.spend_of_condition(wide boolean, teams text[], keys text[], models text[], tags text[],
  end_users text[]) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (
  SELECT coalesce(string_agg(' AND ' || c.condition, ''), '') FROM (
    SELECT CASE WHEN wide THEN string_agg(format(f.condition, 's'), ' AND ') ELSE 's.caller_no = ANY (ARRAY('
      'SELECT w.caller_no FROM spendlog.shared_callers w WHERE ' || string_agg(format(f.condition, 'w'), ' AND ') || '))' END AS condition
    FROM (VALUES (teams, 'coalesce(%s.team_id, '''') = ANY ($3)'), (keys, 'coalesce(%s.api_key, '''') = ANY ($4)'),
      (tags, '%s.request_tags && $6')) AS f (named, condition)
    WHERE cardinality(f.named) > 0
    UNION ALL
    SELECT CASE WHEN wide THEN 'coalesce(s.model, '''') = ANY ($5)' ELSE 's.call_no = ANY (ARRAY('
      'SELECT w.call_no FROM spendlog.shared_calls w WHERE coalesce(w.model, '''') = ANY ($5)))' END
    WHERE cardinality(models) > 0
    UNION ALL
    SELECT 'hashtextextended(s.label, 0) = ANY (ARRAY(SELECT hashtextextended(n, 0) FROM unnest($7) AS n)) AND s.label = ANY ($7)'
    WHERE cardinality(end_users) > 0) c
  WHERE c.condition IS NOT NULL);

-- Rows of days that name an end user, as lines of the sums whose grain is `row`. The days are written out: so no other is read.
CREATE FUNCTION spendlog.spend_of_rows(days date[]) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
RETURN (
  SELECT '(SELECT ''row''::text AS grain, e.start_time::date AS day, 16 AS about, NULL::bigint AS call_no, NULL::bigint AS caller_no, e.end_user AS label, '
    'e.provider, e.model, e.team_id, e.team_alias, e.api_key, e.api_key_alias, e.user_id, e.organization_id, e.request_tags, e.pricing_status, '
    || string_agg(CASE WHEN c.name = 'entries' THEN '1 AS entries'
      WHEN c.name IN ('spent', 'gateway_calls') THEN format('(e.%I IS NOT NULL)::integer AS %I', CASE c.name WHEN 'spent' THEN 'spend' ELSE 'gateway_cost' END, c.name)
      WHEN c.name = ANY ('{input_calls,output_calls,differing,by_clock,cache_read_cost,cache_write_cost,quantity}') THEN format('NULL::bigint AS %I', c.name)
      ELSE format('e.%I', c.name) END, ', ' ORDER BY c.place)
    || format(' FROM spendlog.spend_entries e WHERE e.end_user <> '''' AND (%s))',
              (SELECT string_agg(format('e.start_time >= %L AND e.start_time < %L', g.day, g.day + 1), ' OR ' ORDER BY g.day) FROM unnest(days) AS g (day)))
  FROM spendlog.sum_columns() c WHERE strpos(spendlog.total_list('<%1$I>'), format('<%I>', c.name)) > 0);

-- Lines of a grain by an attribute, in days [$1, $2). An end user's line of a day has no attribute but that (`about` 64): it is told as such.
CREATE FUNCTION spendlog.spend_of_lines(by text, grain text, teams text[], keys text[], models text[], tags text[],
  end_users text[]) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN (
  SELECT string_agg(format(
    'SELECT s.day, %1$s AS provider, %2$s AS id, %3$s AS name, s.pricing_status, %4$s FROM %11$s s%5$s%6$s '
    'WHERE s.grain = %7$L AND s.day >= $1 AND s.day < $2 AND %8$s AND s.call_no IS %9$s%10$s',
    CASE WHEN by = 'model' THEN format('coalesce(%s.provider, '''')', f.call) ELSE '''''::text' END,
    CASE by WHEN 'tag' THEN 't.tag' WHEN 'end_user' THEN 's.label' ELSE format('coalesce(%s.%I, '''')',
      CASE by WHEN 'model' THEN f.call ELSE f.caller END,
      CASE by WHEN 'team' THEN 'team_id' WHEN 'key' THEN 'api_key' WHEN 'user' THEN 'user_id'
        WHEN 'organization' THEN 'organization_id' ELSE 'model' END) END,
    CASE WHEN f.call = 's' AND by <> 'end_user' AND cardinality(end_users) > 0
      THEN format('CASE WHEN s.about & 64 <> 0 THEN ''not told apart'' ELSE %s END', n.name) ELSE n.name END,
    spendlog.total_list('s.%1$I'),
    CASE WHEN f.call = 's' THEN '' ELSE ' LEFT JOIN spendlog.shared_calls c ON c.call_no = s.call_no '
      'LEFT JOIN spendlog.shared_callers k ON k.caller_no = s.caller_no' END,
    CASE WHEN by = 'tag' THEN format(' CROSS JOIN LATERAL (SELECT g.tag FROM spendlog.tags_of(%s.request_tags) AS g (tag)%s) AS t', f.caller,
      CASE WHEN f.call = 's' AND cardinality(end_users) > 0 THEN ' UNION ALL SELECT '''' WHERE s.about & 64 <> 0' ELSE '' END) ELSE '' END,
    spend_of_lines.grain,
    CASE WHEN by = 'end_user' OR cardinality(end_users) > 0 THEN 's.about & 16 <> 0 AND s.label IS NOT NULL'
      ELSE 's.about & 1 <> 0' END,
    CASE WHEN f.call = 's' THEN 'NULL' ELSE 'NOT NULL' END,
    spendlog.spend_of_condition(f.call = 's', teams, keys, models, tags, end_users)
      || CASE WHEN by = 'tag' AND cardinality(tags) > 0 THEN ' AND t.tag = ANY ($6)' ELSE '' END,
    CASE spend_of_lines.grain WHEN 'row' THEN '%rows' ELSE 'spendlog.stored_sums' END), ' UNION ALL ')
  FROM (VALUES ('c', 'k'), ('s', 's')) AS f (call, caller)
  CROSS JOIN LATERAL (SELECT CASE by WHEN 'team' THEN format('coalesce(%s.team_alias, '''')', f.caller)
    WHEN 'key' THEN format('coalesce(%s.api_key_alias, '''')', f.caller) ELSE '''''::text' END AS name) n
  WHERE f.call = 's' OR spend_of_lines.grain <> 'row');

-- Days of [since, until) on which lines tell of end users their names alone (1), or not even these (2).
CREATE FUNCTION spendlog.coarse_days_of(since date, until date, least_coarse integer) RETURNS date[]
LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, pg_temp
RETURN (
  SELECT coalesce(array_agg(DISTINCT r.day), '{}') FROM (
    SELECT c.day, c.coarse FROM spendlog.coarse_days c WHERE c.level = 'end_user'
    UNION ALL SELECT d.day, CASE WHEN d.about & 32 <> 0 THEN 2 ELSE 1 END FROM spendlog.spend_deltas d WHERE d.about & 96 <> 0) r
  WHERE r.day >= since AND r.day < until AND r.coarse >= least_coarse);

-- A condition on who is named (a parameter) in a column of the totals t.
CREATE FUNCTION spendlog.total_named(place text, parameter integer) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN format(' AND t.%1$I IS NOT NULL AND hashtextextended(t.%1$I, 0) = ANY (ARRAY(SELECT hashtextextended(n, 0) FROM unnest($%2$s) AS n)) '
  'AND t.%1$I = ANY ($%2$s)', place, parameter);

-- The totals by an attribute in days [$1, $2), of those who are named: of the fewest lines that tell all of these apart. NULL: there
-- are none. A call that has several of the tags which are named is one, so of tags one can be named.
CREATE FUNCTION spendlog.spend_of_totals(by text, teams text[], keys text[], models text[], tags text[]) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN (
  WITH named AS (
    SELECT n.attribute, n.parameter FROM (VALUES ('team', 3, teams), ('key', 4, keys), ('model', 5, models), ('tag', 6, tags))
      AS n (attribute, parameter, names)
    WHERE cardinality(n.names) > 0)
  SELECT format('SELECT t.day, %1$s AS provider, t.%2$I AS id, t.%3$I AS name, t.pricing_status, %4$s FROM spendlog.day_totals t '
      'WHERE t.kind = %5$L AND t.day >= $1 AND t.day < $2%6$s',
    CASE WHEN by = 'model' THEN 't.provider' ELSE '''''::text' END, CASE by WHEN k.first THEN 'id' ELSE 'other' END,
    CASE by WHEN k.first THEN 'name' ELSE 'other_name' END, spendlog.total_list('t.%1$I'),
    k.kind,
    (SELECT string_agg(spendlog.total_named(CASE n.attribute WHEN k.first THEN 'id' ELSE 'other' END, n.parameter), '')
     FROM named n))
  FROM spendlog.total_kinds() k
  WHERE by IN (k.first, k.second) AND (by = 'tag' OR cardinality(tags) < 2)
    AND NOT EXISTS (SELECT FROM named n WHERE n.attribute NOT IN (k.first, coalesce(k.second, k.first)))
  ORDER BY k.place LIMIT 1);

-- What spend_of() adds up: totals as they are kept, and lines by the attribute. Of end users whom lines do not tell apart by all that is named,
-- rows; where these are gone nothing is said. By end user, of all, they are one that is called so.
CREATE FUNCTION spendlog.spend_of_summands(by text, since date, until date, teams text[], keys text[], models text[], tags text[],
  end_users text[])
RETURNS TABLE (day date, provider text, id text, name text, pricing_status text, entries bigint, calls bigint, spent bigint,
  gateway_calls bigint, spend numeric, input_cost numeric, output_cost numeric, other_cost numeric, gateway_cost numeric,
  input_tokens numeric, output_tokens numeric, cache_read_tokens numeric, cache_write_tokens numeric, reasoning_tokens numeric)
LANGUAGE plpgsql STABLE ROWS 1000
SET search_path = pg_catalog, pg_temp
SET jit = off
SET work_mem = '64MB'
SET random_page_cost = 1
AS $$
#variable_conflict use_column
DECLARE
  figures text[] := '{entries,calls,spent,gateway_calls,spend,input_cost,output_cost,other_cost,gateway_cost,input_tokens,output_tokens,'
    'cache_read_tokens,cache_write_tokens,reasoning_tokens}';
  totals text;
  lines text;
  narrowed boolean;
  rough date[] := '{}';
  gone date;
BEGIN
  IF spend_of_summands.by IS NULL OR spend_of_summands.by NOT IN ('model', 'team', 'key', 'user', 'organization', 'tag', 'end_user') THEN
    RAISE EXCEPTION '"%" is not one of model, team, key, user, organization, tag, end_user', spend_of_summands.by
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  teams := coalesce(array_remove(teams, NULL), '{}');
  keys := coalesce(array_remove(keys, NULL), '{}');
  models := coalesce(array_remove(models, NULL), '{}');
  tags := coalesce(array_remove(tags, NULL), '{}');
  end_users := coalesce(array_remove(end_users, NULL), '{}');
  lines := spendlog.spend_of_lines(spend_of_summands.by, 'delta', teams, keys, models, tags, end_users);
  IF spend_of_summands.by <> 'end_user' AND cardinality(end_users) = 0 THEN
    totals := spendlog.spend_of_totals(spend_of_summands.by, teams, keys, models, tags);
  END IF;
  IF totals IS NULL THEN
    lines := lines || ' UNION ALL ' || spendlog.spend_of_lines(spend_of_summands.by, 'day', teams, keys, models, tags, end_users);
  END IF;
  IF spend_of_summands.by = 'end_user' OR cardinality(end_users) > 0 THEN
    narrowed := cardinality(teams || keys || models || tags) > 0;
    IF narrowed OR cardinality(end_users) > 0 THEN
      rough := spendlog.coarse_days_of(since, until, CASE WHEN narrowed THEN 1 ELSE 2 END);
    ELSIF cardinality(spendlog.coarse_days_of(since, until, 2)) > 0 THEN
      lines := lines || ' UNION ALL SELECT s.day, '''', '''', ''not told apart'', s.pricing_status, ' || spendlog.total_list('s.%1$I')
        || ' FROM spendlog.stored_sums s WHERE s.grain IN (''delta'', ''day'') AND s.day >= $1 AND s.day < $2 AND s.about & 32 <> 0';
    END IF;
  END IF;
  IF cardinality(rough) > 0 THEN
    gone := (SELECT max(p.day) FROM spendlog.dropped_partitions p WHERE p.day = ANY (rough) AND p.rows > 0);
    IF gone IS NOT NULL THEN
      RAISE EXCEPTION 'the sums of % do not tell its end users apart by what is named, and its rows are gone', gone
        USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Ask of later days, or name no end user.';
    END IF;
    lines := 'SELECT * FROM (' || lines || ') s WHERE s.day <> ALL ($8)';
    -- a statement of its own: Citus does not plan rows beside lines
    RETURN QUERY EXECUTE 'SELECT s.day, s.provider, s.id, s.name, s.pricing_status, '
      || (SELECT string_agg(format('sum(s.%I)', f), ', ') FROM unnest(figures) AS f) || ' FROM ('
      || replace(spendlog.spend_of_lines(spend_of_summands.by, 'row', teams, keys, models, tags, end_users), '%rows', spendlog.spend_of_rows(rough))
      || ') s GROUP BY 1, 2, 3, 4, 5' USING since, until, teams, keys, models, tags, end_users;
  END IF;
  -- Money of no entries is what a changed price makes of lines that tell less than the change does.
  RETURN QUERY EXECUTE 'SELECT s.day, s.provider, s.id, s.name, s.pricing_status, '
      || (SELECT string_agg(format(CASE WHEN totals IS NULL AND f IN ('entries', 'spent')
            THEN 'CASE WHEN sum(s.%1$I) = 0 AND sum(s.spend) <> 0 THEN 1 ELSE sum(s.%1$I) END' ELSE 'sum(s.%1$I)' END, f), ', ') FROM unnest(figures) AS f)
      || ' FROM (' || lines || ') s GROUP BY 1, 2, 3, 4, 5'
    || coalesce(' UNION ALL SELECT s.day, s.provider, s.id, s.name, s.pricing_status, '
      || (SELECT string_agg(format('s.%I', f), ', ') FROM unnest(figures) AS f) || ' FROM (' || totals || ') s', '')
    USING since, until, teams, keys, models, tags, end_users, rough;
END
$$;
COMMENT ON FUNCTION spendlog.spend_of_summands(text, date, date, text[], text[], text[], text[], text[]) IS 'What spend_of() adds up';

-- The planner puts this into the statement that asks, so that of the figures those are added up which it shows, as of a view: a sum of
-- one or two lines, for each day and figure, costs more than reading these. Settings would keep it from that; they are those of the above.
CREATE FUNCTION spendlog.spend_of(by text, since date, until date, teams text[] DEFAULT '{}', keys text[] DEFAULT '{}',
  models text[] DEFAULT '{}', tags text[] DEFAULT '{}', end_users text[] DEFAULT '{}')
RETURNS TABLE (day date, provider text, id text, name text, pricing_status text, calls bigint, spend numeric,
  input_cost numeric, output_cost numeric, other_cost numeric, gateway_cost numeric, input_tokens numeric,
  output_tokens numeric, cache_read_tokens numeric, cache_write_tokens numeric, reasoning_tokens numeric)
LANGUAGE sql STABLE ROWS 1000
BEGIN ATOMIC
  SELECT l.day, l.provider, l.id, l.name, l.pricing_status, sum(l.calls)::bigint, CASE WHEN sum(l.spent) <> 0 THEN sum(l.spend) END,
    coalesce(sum(l.input_cost), 0), coalesce(sum(l.output_cost), 0), coalesce(sum(l.other_cost), 0),
    CASE WHEN sum(l.gateway_calls) <> 0 THEN sum(l.gateway_cost) END, coalesce(sum(l.input_tokens), 0),
    coalesce(sum(l.output_tokens), 0), coalesce(sum(l.cache_read_tokens), 0), coalesce(sum(l.cache_write_tokens), 0),
    coalesce(sum(l.reasoning_tokens), 0)
  FROM spendlog.spend_of_summands(spend_of.by, spend_of.since, spend_of.until, spend_of.teams, spend_of.keys, spend_of.models,
    spend_of.tags, spend_of.end_users) l
  GROUP BY l.day, l.provider, l.id, l.name, l.pricing_status HAVING sum(l.entries) <> 0;
END;
COMMENT ON FUNCTION spendlog.spend_of(text, date, date, text[], text[], text[], text[], text[]) IS
  'Spend per day in [since, until) by model, team, key, user, organization, tag or end_user, of some teams, keys, models, tags and end users (none named: all; NULL names nobody); from the sums, equal to the rows';

-- --- what is to be looked at

CREATE VIEW spendlog.looked_at WITH (security_invoker = true) AS
SELECT t.kind AS level, t.day, t.provider, t.id AS model, t.pricing_status, t.pricing_reason, t.calls, t.spent,
  t.input_calls, t.output_calls, t.gateway_calls, t.differing, t.by_clock, t.spend, t.gateway_cost, t.input_tokens, t.output_tokens
FROM spendlog.day_totals t WHERE t.kind IN ('drift', 'open', 'doubt')
UNION ALL
SELECT a.level, s.day, coalesce(c.provider, s.provider, ''), coalesce(c.model, s.model, ''), s.pricing_status,
  coalesce(s.pricing_reason, ''), s.calls, s.spent, s.input_calls, s.output_calls, s.gateway_calls, s.differing, s.by_clock,
  s.spend, s.gateway_cost, s.input_tokens, s.output_tokens
FROM spendlog.stored_sums s
CROSS JOIN (VALUES ('drift', 2), ('open', 4), ('doubt', 8)) AS a (level, bit)
LEFT JOIN spendlog.shared_calls c ON c.call_no = s.call_no
WHERE s.grain = 'delta' AND s.about & a.bit <> 0;
COMMENT ON VIEW spendlog.looked_at IS 'What price_drift, unpriced_models and suspense add up: day_totals, and what is not merged';

CREATE OR REPLACE VIEW spendlog.price_drift WITH (security_invoker = true) AS
SELECT day, provider, model, sum(calls)::bigint AS calls, coalesce(sum(differing), 0)::bigint AS calls_differing,
  sum(spend) AS spend, sum(gateway_cost) AS gateway_cost, sum(spend) - sum(gateway_cost) AS difference,
  CASE WHEN sum(gateway_cost) <> 0
    THEN round(100 * (sum(spend) - sum(gateway_cost)) / sum(gateway_cost), 4) END AS difference_percent,
  coalesce(sum(by_clock), 0)::bigint AS calls_by_gateway_clock
FROM spendlog.looked_at
WHERE level = 'drift'
GROUP BY 1, 2, 3
HAVING sum(calls) <> 0;

CREATE OR REPLACE VIEW spendlog.unpriced_models WITH (security_invoker = true) AS
SELECT provider, model, pricing_reason, sum(calls)::bigint AS calls,
  CASE WHEN sum(input_calls) <> 0 THEN sum(input_tokens) END AS input_tokens,
  CASE WHEN sum(output_calls) <> 0 THEN sum(output_tokens) END AS output_tokens,
  CASE WHEN sum(gateway_calls) <> 0 THEN sum(gateway_cost) END AS gateway_cost,
  min(day)::timestamp AS first_seen, max(day)::timestamp AS last_seen,
  coalesce(sum(calls) FILTER (WHERE pricing_status = 'reported'), 0)::bigint AS reported
FROM (
  SELECT day, provider, model, pricing_reason, pricing_status, sum(calls) AS calls, sum(input_calls) AS input_calls,
    sum(output_calls) AS output_calls, sum(gateway_calls) AS gateway_calls, sum(input_tokens) AS input_tokens,
    sum(output_tokens) AS output_tokens, sum(gateway_cost) AS gateway_cost
  FROM spendlog.looked_at
  WHERE level = 'open'
  GROUP BY 1, 2, 3, 4, 5
  HAVING sum(calls) <> 0) open
GROUP BY 1, 2, 3;

CREATE OR REPLACE VIEW spendlog.suspense WITH (security_invoker = true) AS
SELECT u.what, u.provider, u.model, u.why, u.calls, u.at_risk, u.since,
  (now() AT TIME ZONE 'UTC')::date - u.since AS age_days
FROM (
  SELECT CASE s.pricing_status WHEN 'unpriced' THEN 'unpriced' ELSE 'reported' END AS what, s.provider, s.model,
    s.pricing_reason AS why, sum(s.calls)::bigint AS calls,
    CASE WHEN sum(s.gateway_calls) <> 0 THEN sum(s.gateway_cost) END AS at_risk, min(s.day) AS since
  FROM (SELECT day, provider, model, pricing_status, pricing_reason, sum(calls) AS calls,
          sum(gateway_calls) AS gateway_calls, sum(gateway_cost) AS gateway_cost
        FROM spendlog.looked_at WHERE level = 'open'
        GROUP BY 1, 2, 3, 4, 5 HAVING sum(calls) <> 0) s
  GROUP BY 1, 2, 3, 4
  UNION ALL
  SELECT 'doubtful', s.provider, s.model, '', sum(s.calls)::bigint, sum(s.at_risk), min(s.day)
  FROM (SELECT day, provider, model, pricing_status, sum(calls) AS calls,
          CASE WHEN pricing_status = 'unpriced' THEN CASE WHEN sum(gateway_calls) <> 0 THEN sum(gateway_cost) END
            WHEN sum(spent) <> 0 THEN sum(spend) END AS at_risk
        FROM spendlog.looked_at WHERE level = 'doubt'
        GROUP BY 1, 2, 3, 4 HAVING sum(calls) <> 0) s
  GROUP BY 2, 3
  UNION ALL
  SELECT 'drift', p.provider, p.model, '', sum(p.calls_differing)::bigint, sum(abs(p.difference)), min(p.day)
  FROM spendlog.price_drift p
  WHERE abs(p.difference) > 1e-9 * abs(p.gateway_cost) -- less is the rounding of the gateway's floating point
  GROUP BY 2, 3
  UNION ALL
  SELECT 'rejected', '', '', r.reason, count(*), NULL, min(r.rejected_at)::date
  FROM spendlog.rejected_events r WHERE r.resolved_at IS NULL GROUP BY 4
  UNION ALL
  SELECT 'conflict', '', '', 'content differs from the row that came first', count(*), NULL, min(c.start_time)::date
  FROM spendlog.ingest_conflicts c HAVING count(*) > 0
  UNION ALL
  SELECT 'late', '', '', 'started in ' || to_char(p.month, 'YYYY-MM') || ', which was closed', n.calls - p.rows,
    n.spend - p.spend, p.month
  FROM spendlog.closed_periods p
  JOIN (SELECT date_trunc('month', l.day)::date AS month, sum(l.calls)::bigint AS calls, coalesce(sum(l.spend), 0) AS spend
        FROM (SELECT t.day, t.calls, t.spend FROM spendlog.day_totals t WHERE t.kind = 'model'
              UNION ALL
              SELECT s.day, s.calls, s.spend FROM spendlog.stored_sums s WHERE s.grain = 'delta' AND s.about & 1 <> 0) l
        GROUP BY 1) n ON n.month = p.month
  WHERE n.calls > p.rows) u;

-- Rows, of the days between the first and the last that have such rows by the sums: others are not read.
CREATE OR REPLACE VIEW spendlog.doubtful_rows WITH (security_invoker = true) AS
SELECT l.start_time, l.identity, l.request_id, coalesce(l.provider, '') AS provider,
  coalesce(l.model, '') AS model, coalesce(l.call_type, '') AS call_type, l.team_id, l.api_key_alias,
  spendlog.doubts(l.now_flags) AS doubts,
  (ARRAY['', 'declared', 'emitter', 'numbers'])[1 + (l.now_flags >> 16 & 3)]
    || CASE WHEN l.now_flags >> 18 & 1 = 1 THEN ', outside' ELSE '' END AS cache_reading,
  (ARRAY['', 'declared', 'emitter', 'numbers'])[1 + (l.now_flags >> 19 & 3)]
    || CASE WHEN l.now_flags >> 21 & 1 = 1 THEN ', outside' ELSE '' END AS reasoning_reading,
  l.input_tokens, l.output_tokens, l.total_tokens, l.cache_read_tokens, l.cache_write_tokens,
  l.reasoning_tokens, l.pricing_status, l.pricing_reason, l.spend, l.gateway_cost,
  coalesce(l.spend, l.gateway_cost) AS at_stake, l.mapping,
  CASE WHEN l.now_flags >> 9 & 1 = 1 THEN spendlog.readings_tried(l.now_flags, l.input_tokens,
    l.output_tokens, coalesce(l.cache_read_tokens, 0)::numeric + coalesce(l.cache_write_tokens, 0),
    l.reasoning_tokens, l.total_tokens) END AS readings_tried
FROM (
  SELECT r.*, coalesce(a.new_flags, r.flags) AS now_flags
  FROM spendlog.counted_logs r
  LEFT JOIN spendlog.posted_latest a ON a.start_time = r.start_time AND a.identity = r.identity
  -- 2^8 to 2^11 and 2^24 to 2^26: what casts doubt
  WHERE r.flags & 117444352 <> 0
    AND r.start_time >= (SELECT min(d.day)::timestamp FROM spendlog.looked_at d WHERE d.level = 'doubt' AND d.calls <> 0)
    AND r.start_time < (SELECT (max(d.day) + 1)::timestamp FROM spendlog.looked_at d
                        WHERE d.level = 'doubt' AND d.calls <> 0)) l
WHERE l.now_flags & 117444352 <> 0;

REVOKE ALL ON FUNCTION spendlog.total_list(text, text), spendlog.total_kinds(), spendlog.total_of_call(),
  spendlog.total_word(text, boolean), spendlog.total_of_caller(), spendlog.total_with_model(text), spendlog.total_lines(text), spendlog.total_named(text, integer),
  spendlog.spend_of_totals(text, text[], text[], text[], text[]),
  spendlog.total_keep(text), spendlog.totals_merge(), spendlog.totals_remake(),
  spendlog.totals_make(date[]), spendlog.totals_drop(), spendlog.totals_differ(),
  spendlog.spend_of_condition(boolean, text[], text[], text[], text[], text[]),
  spendlog.spend_of_lines(text, text, text[], text[], text[], text[], text[]),
  spendlog.spend_of_rows(date[]), spendlog.coarse_days_of(date, date, integer),
  spendlog.spend_of_summands(text, date, date, text[], text[], text[], text[], text[]),
  spendlog.spend_of(text, date, date, text[], text[], text[], text[], text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION spendlog.total_list(text, text), spendlog.total_kinds(), spendlog.total_of_call(),
  spendlog.total_word(text, boolean), spendlog.total_of_caller(), spendlog.total_with_model(text), spendlog.total_lines(text), spendlog.totals_differ(),
  spendlog.total_named(text, integer), spendlog.spend_of_totals(text, text[], text[], text[], text[]),
  spendlog.spend_of_condition(boolean, text[], text[], text[], text[], text[]),
  spendlog.spend_of_lines(text, text, text[], text[], text[], text[], text[]),
  spendlog.spend_of_rows(date[]), spendlog.coarse_days_of(date, date, integer),
  spendlog.spend_of_summands(text, date, date, text[], text[], text[], text[], text[]),
  spendlog.spend_of(text, date, date, text[], text[], text[], text[], text[])
  TO spendlog_writer, spendlog_repricer, spendlog_reader;
GRANT SELECT ON spendlog.day_totals, spendlog.looked_at TO spendlog_writer, spendlog_repricer, spendlog_reader;
