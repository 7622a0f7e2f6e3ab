-- SPDX-License-Identifier: Apache-2.0
-- What a tenant and a dashboard can find out beyond what they may see.
--
-- A tenant's views were security_barrier views over all rows. EXPLAIN ANALYZE counts the rows that an
-- operator removed below the barrier, and leakproof operators (=, < of texts and numbers) run there: user
-- ids and token counts of other teams came out by bisection. A function's plan is in nobody's EXPLAIN, so
-- the rows come out of functions that have filtered before the caller's query sees anything; what he can
-- count is his own. Their settings keep plans and statistics out of what the server tells a client
-- (debug_print_plan, auto_explain). Not row level security: it filters beside the same leakproof
-- operators, and COPY FROM is not allowed for a role that a policy applies to.

SET LOCAL ROLE spendlog_owner;

DROP VIEW tenant.spend_logs, tenant.spend_daily;

CREATE FUNCTION tenant.calls(since timestamp DEFAULT '-infinity', until timestamp DEFAULT 'infinity')
RETURNS TABLE (start_time timestamp(6), end_time timestamp(6), request_id text, provider text, model text,
  model_group text, call_type text, status text, api_key text, api_key_alias text, user_id text,
  team_id text, team_alias text, end_user text, request_tags text[], input_tokens bigint,
  output_tokens bigint, cache_read_tokens bigint, cache_write_tokens bigint, reasoning_tokens bigint,
  spend numeric, input_cost numeric, output_cost numeric, other_cost numeric, pricing_status text,
  pricing_reason text)
LANGUAGE plpgsql STABLE STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
SET debug_print_parse = off
SET debug_print_rewritten = off
SET debug_print_plan = off
AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  SELECT l.start_time, l.end_time, l.request_id, l.provider, l.model, l.model_group, l.call_type,
    l.status, l.api_key, l.api_key_alias, l.user_id, l.team_id, l.team_alias, l.end_user,
    l.request_tags, l.input_tokens, l.output_tokens, l.cache_read_tokens, l.cache_write_tokens,
    l.reasoning_tokens, l.spend, l.input_cost, l.output_cost, l.other_cost, l.pricing_status,
    l.pricing_reason
  FROM spendlog.counted_logs l
  WHERE l.start_time >= calls.since AND l.start_time < calls.until
    AND l.team_id IN (SELECT t.team_id FROM spendlog.tenant_teams t WHERE t.login = session_user);
END
$$;
COMMENT ON FUNCTION tenant.calls(timestamp, timestamp) IS 'Rows of the teams of session_user that started in [since, until)';

CREATE FUNCTION tenant.daily(since date DEFAULT '-infinity', until date DEFAULT 'infinity')
RETURNS TABLE (day date, provider text, model text, team_id text, team_alias text, user_id text,
  calls bigint, spend numeric)
LANGUAGE plpgsql STABLE STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
SET debug_print_parse = off
SET debug_print_rewritten = off
SET debug_print_plan = off
AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  SELECT e.day, coalesce(e.provider, ''), coalesce(e.model, ''), e.team_id, e.team_alias, e.user_id,
    sum(e.calls)::bigint, sum(e.spend)
  FROM spendlog.spend_entries e
  WHERE e.start_time >= daily.since AND e.start_time < daily.until
    AND e.team_id IN (SELECT t.team_id FROM spendlog.tenant_teams t WHERE t.login = session_user)
  GROUP BY 1, 2, 3, 4, 5, 6;
END
$$;
COMMENT ON FUNCTION tenant.daily(date, date) IS 'Spend per day (UTC) in [since, until) of the teams of session_user, corrections included';

CREATE VIEW tenant.spend_logs AS SELECT * FROM tenant.calls();
COMMENT ON VIEW tenant.spend_logs IS 'tenant.calls() of all times: rows of the teams of session_user';
CREATE VIEW tenant.spend_daily AS SELECT * FROM tenant.daily();
COMMENT ON VIEW tenant.spend_daily IS 'tenant.daily() of all days: spend of the teams of session_user';

REVOKE ALL ON FUNCTION tenant.calls(timestamp, timestamp), tenant.daily(date, date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tenant.calls(timestamp, timestamp), tenant.daily(date, date)
  TO spendlog_tenant;
GRANT SELECT ON tenant.spend_logs, tenant.spend_daily TO spendlog_tenant;

-- --- dashboards and repricing read no message

REVOKE SELECT ON spendlog.rejected_events FROM spendlog_reader, spendlog_repricer;
DO $$
BEGIN
  EXECUTE (
    SELECT format('GRANT SELECT (%s) ON spendlog.rejected_events TO spendlog_reader, spendlog_repricer',
                  string_agg(quote_ident(attname), ', ' ORDER BY attnum))
    FROM pg_attribute
    WHERE attrelid = 'spendlog.rejected_events'::regclass AND attnum > 0 AND NOT attisdropped
      AND attname NOT IN ('payload', 'detail'));
END
$$;
