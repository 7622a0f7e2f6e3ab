-- SPDX-License-Identifier: Apache-2.0
-- Questions are asked of the sums. All views run with the rights of who asks; a condition on `day` reaches the
-- index, conditions on attribution the lines. Days are days in UTC unless a zone is named.

SET LOCAL ROLE spendlog_owner;

CREATE OR REPLACE VIEW spendlog.spend_daily WITH (security_invoker = true) AS
SELECT day, provider, model, model_group, api_key, api_key_alias, user_id, team_id, team_alias, organization_id,
  pricing_status, status, sum(calls)::bigint AS calls,
  CASE WHEN sum(spent) <> 0 THEN sum(spend) END AS spend,
  CASE WHEN sum(costed) <> 0 THEN sum(input_cost) END AS input_cost,
  CASE WHEN sum(costed) <> 0 THEN sum(output_cost) END AS output_cost,
  CASE WHEN sum(costed) <> 0 THEN sum(other_cost) END AS other_cost,
  CASE WHEN sum(gateway_calls) <> 0 THEN sum(gateway_cost) END AS gateway_cost,
  CASE WHEN sum(input_calls) <> 0 THEN sum(input_tokens) END AS input_tokens,
  CASE WHEN sum(output_calls) <> 0 THEN sum(output_tokens) END AS output_tokens,
  CASE WHEN sum(cache_read_calls) <> 0 THEN sum(cache_read_tokens) END AS cache_read_tokens,
  CASE WHEN sum(cache_write_calls) <> 0 THEN sum(cache_write_tokens) END AS cache_write_tokens,
  CASE WHEN sum(reasoning_calls) <> 0 THEN sum(reasoning_tokens) END AS reasoning_tokens
FROM spendlog.spend_sums
WHERE grain IN ('delta', 'day') AND level = 'all'
GROUP BY 1, 5, 3, 12, 11, 2, 4, 6, 7, 8, 9, 10 -- what tells lines apart first: most of what all days cost is putting texts in order
HAVING sum(entries) <> 0;
COMMENT ON VIEW spendlog.spend_daily IS 'Spend per day (UTC) and attribution, from the sums; spend in US dollars, NULL when nothing of it has a price';

CREATE VIEW spendlog.spend_hourly WITH (security_invoker = true) AS
SELECT day, day + make_interval(hours => slot / 4) AS hour, provider, model, model_group, api_key, api_key_alias,
  user_id, team_id, team_alias, organization_id, call_type, pricing_status, status, sum(calls)::bigint AS calls,
  CASE WHEN sum(spent) <> 0 THEN sum(spend) END AS spend,
  CASE WHEN sum(gateway_calls) <> 0 THEN sum(gateway_cost) END AS gateway_cost,
  CASE WHEN sum(input_calls) <> 0 THEN sum(input_tokens) END AS input_tokens,
  CASE WHEN sum(output_calls) <> 0 THEN sum(output_tokens) END AS output_tokens,
  CASE WHEN sum(cache_read_calls) <> 0 THEN sum(cache_read_tokens) END AS cache_read_tokens,
  CASE WHEN sum(cache_write_calls) <> 0 THEN sum(cache_write_tokens) END AS cache_write_tokens,
  CASE WHEN sum(reasoning_calls) <> 0 THEN sum(reasoning_tokens) END AS reasoning_tokens,
  CASE WHEN sum(timed_calls) <> 0 THEN round(sum(duration_us) / sum(timed_calls) / 1000000, 6) END AS mean_seconds
FROM spendlog.spend_sums
WHERE grain IN ('delta', 'slot') AND level = 'all'
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14
HAVING sum(entries) <> 0;
COMMENT ON VIEW spendlog.spend_hourly IS 'Spend per hour (UTC) and attribution, from the sums; name a range of `day` as well, it is what is indexed';
COMMENT ON COLUMN spendlog.spend_hourly.mean_seconds IS 'seconds from start to end, of the calls that say both';

-- The offsets of all zones of today are quarters of an hour, as the pieces of the sums are. A posted correction
-- counts at the beginning of its day in UTC.
CREATE FUNCTION spendlog.spend_daily_in(zone text, since date DEFAULT '-infinity', until date DEFAULT 'infinity')
RETURNS TABLE (day date, provider text, model text, model_group text, api_key text, api_key_alias text, user_id text,
  team_id text, team_alias text, organization_id text, pricing_status text, status text, calls bigint, spend numeric,
  input_cost numeric, output_cost numeric, other_cost numeric, gateway_cost numeric, input_tokens numeric,
  output_tokens numeric, cache_read_tokens numeric, cache_write_tokens numeric, reasoning_tokens numeric)
LANGUAGE sql STABLE
AS $$
  SELECT l.day, l.provider, l.model, l.model_group, l.api_key, l.api_key_alias, l.user_id, l.team_id, l.team_alias,
    l.organization_id, l.pricing_status, l.status, sum(l.calls)::bigint,
    CASE WHEN sum(l.spent) <> 0 THEN sum(l.spend) END, CASE WHEN sum(l.costed) <> 0 THEN sum(l.input_cost) END,
    CASE WHEN sum(l.costed) <> 0 THEN sum(l.output_cost) END, CASE WHEN sum(l.costed) <> 0 THEN sum(l.other_cost) END,
    CASE WHEN sum(l.gateway_calls) <> 0 THEN sum(l.gateway_cost) END,
    CASE WHEN sum(l.input_calls) <> 0 THEN sum(l.input_tokens) END,
    CASE WHEN sum(l.output_calls) <> 0 THEN sum(l.output_tokens) END,
    CASE WHEN sum(l.cache_read_calls) <> 0 THEN sum(l.cache_read_tokens) END,
    CASE WHEN sum(l.cache_write_calls) <> 0 THEN sum(l.cache_write_tokens) END,
    CASE WHEN sum(l.reasoning_calls) <> 0 THEN sum(l.reasoning_tokens) END
  FROM (
    SELECT ((s.day + make_interval(mins => 15 * s.slot)) AT TIME ZONE 'UTC' AT TIME ZONE zone)::date AS day, s.provider,
      s.model, s.model_group, s.api_key, s.api_key_alias, s.user_id, s.team_id, s.team_alias, s.organization_id,
      s.pricing_status, s.status, s.entries, s.calls, s.spent, s.costed, s.gateway_calls, s.input_calls,
      s.output_calls, s.cache_read_calls, s.cache_write_calls, s.reasoning_calls, s.spend, s.input_cost, s.output_cost,
      s.other_cost, s.gateway_cost, s.input_tokens, s.output_tokens, s.cache_read_tokens, s.cache_write_tokens,
      s.reasoning_tokens
    FROM spendlog.spend_sums s
    WHERE s.grain IN ('delta', 'slot') AND s.level = 'all'
      AND s.day >= CASE WHEN isfinite(since) THEN since - 1 ELSE since END
      AND s.day <= CASE WHEN isfinite(until) THEN until + 1 ELSE until END) l
  WHERE l.day >= since AND l.day < until
  GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
  HAVING sum(l.entries) <> 0
$$;
COMMENT ON FUNCTION spendlog.spend_daily_in(text, date, date) IS 'spend_daily by days of a time zone, in [since, until)';

-- Tags overlap: what is spent under several of them counts under each. What a changed price makes of an end user's line that tells less than the
-- change does has no entries of its own: it is money all the same.
DO $$
DECLARE
  view_of record;
BEGIN
  FOR view_of IN SELECT * FROM (VALUES ('spend_by_tag', 'tag', 'tag'), ('spend_by_end_user', 'end_user', 'end_user'))
            AS v (name, level, named)
  LOOP
    EXECUTE format($view$
      CREATE VIEW spendlog.%1$I WITH (security_invoker = true) AS
      SELECT day, label AS %3$I, coarse, provider, model, model_group, api_key, team_id, status, pricing_status,
        sum(calls)::bigint AS calls, CASE WHEN sum(spent) <> 0 OR sum(spend) <> 0 THEN sum(spend) END AS spend,
        CASE WHEN sum(gateway_calls) <> 0 THEN sum(gateway_cost) END AS gateway_cost,
        CASE WHEN sum(input_calls) <> 0 THEN sum(input_tokens) END AS input_tokens,
        CASE WHEN sum(output_calls) <> 0 THEN sum(output_tokens) END AS output_tokens,
        CASE WHEN sum(cache_read_calls) <> 0 THEN sum(cache_read_tokens) END AS cache_read_tokens,
        CASE WHEN sum(cache_write_calls) <> 0 THEN sum(cache_write_tokens) END AS cache_write_tokens
      FROM spendlog.spend_sums
      WHERE grain IN ('delta', 'day') AND level = %2$L
      GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
      HAVING sum(entries) <> 0 OR sum(spend) <> 0$view$, view_of.name, view_of.level, view_of.named);
    EXECUTE format('COMMENT ON COLUMN spendlog.%I.coarse IS %L', view_of.name,
      '0: by all columns; 1: by day, label and pricing_status alone; 2: labels were too many to be told apart, read the rows');
  END LOOP;
END
$$;
COMMENT ON VIEW spendlog.spend_by_tag IS 'Spend per day (UTC) and tag; a call with several tags counts under each';
COMMENT ON VIEW spendlog.spend_by_end_user IS 'Spend per day (UTC) and end user, of the calls that name one';

-- By what was counted. Lines of all have what nearly all rows have; those of a meter what few have, which is less text.
CREATE VIEW spendlog.spend_by_meter WITH (security_invoker = true) AS
SELECT d.day, d.provider, d.model, d.team_id, d.api_key, m.meter, m.part_of, sum(m.quantity) AS quantity,
  sum(m.amount) AS amount, CASE WHEN sum(m.quantity) <> 0 THEN sum(m.amount) / sum(m.quantity) END AS unit_price
FROM spendlog.spend_sums d
CROSS JOIN LATERAL (
  SELECT a.meter, a.part_of, a.quantity, a.amount
  FROM (VALUES
    ('input_tokens', NULL, d.input_tokens, d.input_cost), ('output_tokens', NULL, d.output_tokens, d.output_cost),
    ('other', NULL, NULL, d.other_cost),
    ('correction', NULL, NULL, d.spend - d.input_cost - d.output_cost - d.other_cost),
    ('cache_read_tokens', 'input_tokens', d.cache_read_tokens, d.cache_read_cost),
    ('cache_write_tokens', 'input_tokens', d.cache_write_tokens, d.cache_write_cost),
    ('reasoning_tokens', 'output_tokens', d.reasoning_tokens, d.reasoning_cost),
    ('input_text_tokens', 'input_tokens',
      coalesce(d.input_tokens, 0) - coalesce(d.cache_read_tokens, 0) - coalesce(d.cache_write_tokens, 0),
      CASE WHEN d.itemized THEN d.input_cost - coalesce(d.cache_read_cost, 0) - coalesce(d.cache_write_cost, 0) END),
    ('output_text_tokens', 'output_tokens', coalesce(d.output_tokens, 0) - coalesce(d.reasoning_tokens, 0),
      CASE WHEN d.itemized THEN d.output_cost - coalesce(d.reasoning_cost, 0) END),
    ('stated_cost', 'other', CASE WHEN d.itemized THEN d.other_cost END, CASE WHEN d.itemized THEN d.other_cost END),
    ('input', 'input_tokens', NULL, CASE WHEN NOT d.itemized THEN d.input_cost END),
    ('output', 'output_tokens', NULL, CASE WHEN NOT d.itemized THEN d.output_cost END),
    ('other', 'other', NULL, CASE WHEN NOT d.itemized THEN d.other_cost END)) AS a (meter, part_of, quantity, amount)
  WHERE d.level = 'all'
  UNION ALL
  SELECT p.meter, CASE u.side WHEN 'other' THEN 'other' ELSE u.side || '_tokens' END, p.quantity, p.amount
  FROM spendlog.charge_units u
  CROSS JOIN LATERAL (VALUES
    (u.unit, d.quantity, d.spend), (u.taken_from, -d.quantity, NULL),
    (CASE u.side WHEN 'other' THEN 'stated_cost' ELSE u.side || '_text_tokens' END,
      CASE u.side WHEN 'other' THEN -d.spend END, -d.spend)) AS p (meter, quantity, amount)
  WHERE d.level = 'meter' AND u.unit = d.label AND p.meter IS NOT NULL) m
WHERE d.grain IN ('delta', 'day') AND d.level IN ('all', 'meter')
GROUP BY 1, 2, 3, 4, 5, 6, 7
HAVING sum(m.quantity) <> 0 OR sum(m.amount) <> 0;
COMMENT ON VIEW spendlog.spend_by_meter IS
  'Quantities and US dollars per day (UTC) by what was counted (charge_units): those of spend_items; tokens of what has no price as well';
COMMENT ON COLUMN spendlog.spend_by_meter.meter IS
  'what was counted; input, output, other within the whole: a side of rows of before there were items; correction: what was posted for closed months';
COMMENT ON COLUMN spendlog.spend_by_meter.part_of IS
  'the meter in which it is contained, quantity and amount; NULL: none, these add up to the spend, and parts to their whole';
COMMENT ON COLUMN spendlog.spend_by_meter.unit_price IS 'the mean, per one';

-- --- what is to be looked at

CREATE OR REPLACE VIEW spendlog.price_drift WITH (security_invoker = true) AS
SELECT day, provider, model, sum(calls)::bigint AS calls, coalesce(sum(differing), 0)::bigint AS calls_differing,
  sum(spend) AS spend, sum(gateway_cost) AS gateway_cost, sum(spend) - sum(gateway_cost) AS difference,
  CASE WHEN sum(gateway_cost) <> 0
    THEN round(100 * (sum(spend) - sum(gateway_cost)) / sum(gateway_cost), 4) END AS difference_percent,
  coalesce(sum(by_clock), 0)::bigint AS calls_by_gateway_clock
FROM spendlog.spend_sums
WHERE grain IN ('delta', 'day') AND level = 'drift'
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
  FROM spendlog.spend_sums
  WHERE grain IN ('delta', 'day') AND level = 'open'
  GROUP BY 1, 2, 3, 4, 5
  HAVING sum(calls) <> 0) open
GROUP BY 1, 2, 3;
COMMENT ON COLUMN spendlog.unpriced_models.first_seen IS 'first day (UTC) with such a call';
COMMENT ON COLUMN spendlog.unpriced_models.last_seen IS 'last day (UTC) with such a call';

-- One list of what is not settled: how much money it is about, and since when.
CREATE VIEW spendlog.suspense WITH (security_invoker = true) AS
SELECT u.what, u.provider, u.model, u.why, u.calls, u.at_risk, u.since,
  (now() AT TIME ZONE 'UTC')::date - u.since AS age_days
FROM (
  SELECT CASE s.pricing_status WHEN 'unpriced' THEN 'unpriced' ELSE 'reported' END AS what, s.provider, s.model,
    s.pricing_reason AS why, sum(s.calls)::bigint AS calls, sum(s.gateway_cost) AS at_risk, min(s.day) AS since
  FROM (SELECT day, provider, model, pricing_status, pricing_reason, sum(calls) AS calls, sum(gateway_cost) AS gateway_cost
        FROM spendlog.spend_sums WHERE grain IN ('delta', 'day') AND level = 'open'
        GROUP BY 1, 2, 3, 4, 5 HAVING sum(calls) <> 0) s
  GROUP BY 1, 2, 3, 4
  UNION ALL
  SELECT 'doubtful', s.provider, s.model, '', sum(s.calls)::bigint, sum(s.at_risk), min(s.day)
  FROM (SELECT day, provider, model, sum(calls) AS calls,
          sum(CASE pricing_status WHEN 'unpriced' THEN gateway_cost ELSE spend END) AS at_risk
        FROM spendlog.spend_sums WHERE grain IN ('delta', 'day') AND level = 'doubt'
        GROUP BY 1, 2, 3 HAVING sum(calls) <> 0) s
  GROUP BY 2, 3
  UNION ALL
  SELECT 'drift', p.provider, p.model, '', sum(p.calls_differing)::bigint, abs(sum(p.difference)), min(p.day)
  FROM spendlog.price_drift p WHERE p.calls_differing > 0 GROUP BY 2, 3
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
  CROSS JOIN LATERAL (
    SELECT coalesce(sum(s.calls), 0)::bigint AS calls, coalesce(sum(s.spend), 0) AS spend FROM spendlog.spend_sums s
    WHERE s.grain IN ('delta', 'day') AND s.level = 'all' AND s.day >= p.month
      AND s.day < (p.month + interval '1 month')::date) n
  WHERE n.calls > p.rows) u;
COMMENT ON VIEW spendlog.suspense IS 'What is not settled: unpriced, reported, doubtful, drift, rejected, conflict, late; the money it is about and its age';
COMMENT ON COLUMN spendlog.suspense.at_risk IS
  'US dollars: the gateway''s figure where we have none, our figure where it is in doubt, the difference for drift, what came late; NULL: nobody knows';
COMMENT ON COLUMN spendlog.suspense.since IS 'first day (UTC) of it';

-- As before; a month is closed by its sums, which have the days that retention dropped, and which `late` compares with.
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
  SELECT first, coalesce(sum(s.calls), 0), coalesce(sum(s.spend), 0)
  FROM spendlog.stored_sums s
  WHERE s.grain IN ('delta', 'day') AND s.about & 1 <> 0 AND s.day >= first AND s.day < past
  ON CONFLICT ON CONSTRAINT closed_periods_pkey DO NOTHING;
  IF NOT FOUND THEN
    RAISE EXCEPTION '% is closed already', to_char(first, 'YYYY-MM') USING ERRCODE = 'invalid_parameter_value';
  END IF;
END
$$;
COMMENT ON COLUMN spendlog.closed_periods.rows IS 'calls that started in the month when it was closed, by the sums; of version 0.1 rows';

REVOKE ALL ON FUNCTION spendlog.spend_daily_in(text, date, date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION spendlog.spend_daily_in(text, date, date)
  TO spendlog_writer, spendlog_repricer, spendlog_reader;
GRANT SELECT ON spendlog.spend_hourly, spendlog.spend_by_tag, spendlog.spend_by_end_user, spendlog.spend_by_meter,
  spendlog.suspense TO spendlog_writer, spendlog_repricer, spendlog_reader;
