-- SPDX-License-Identifier: Apache-2.0
-- Tenants: logins that see the spend of their own teams and nothing else. Optional: who grants
-- spendlog_tenant to nobody has none.
--
--   GRANT spendlog_tenant TO alice;
--   INSERT INTO spendlog.tenant_teams (login, team_id) VALUES ('alice', 'team-a');
--
-- Not row level security on spend_logs: COPY FROM is not allowed for a role that a policy applies to,
-- and rows are written by COPY. So a tenant may read no table, only these views, which have the owner's
-- rights and look at session_user: SET ROLE does not change whose rows they show. security_barrier keeps
-- functions in a tenant's own query from seeing rows before the filter.

DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'spendlog_tenant') THEN
    CREATE ROLE spendlog_tenant NOLOGIN;
  END IF;
EXCEPTION
  WHEN duplicate_object OR unique_violation THEN
    NULL; -- a migration of another database of the cluster was faster
  WHEN insufficient_privilege THEN
    RAISE insufficient_privilege USING
      MESSAGE = format('role spendlog_tenant does not exist and %s may not create roles', current_user),
      HINT = 'Let an administrator run: CREATE ROLE spendlog_tenant;';
END
$$;

CREATE SCHEMA tenant AUTHORIZATION spendlog_owner;

SET LOCAL ROLE spendlog_owner;

COMMENT ON SCHEMA tenant IS 'What a tenant may see: the spend of the teams of its login';

CREATE TABLE spendlog.tenant_teams (
  login name NOT NULL,
  team_id text NOT NULL,
  CONSTRAINT tenant_teams_pkey PRIMARY KEY (login, team_id)
);
COMMENT ON TABLE spendlog.tenant_teams IS 'Which teams the logins of role spendlog_tenant see';

CREATE VIEW tenant.spend_logs WITH (security_barrier = true) AS
SELECT l.start_time, l.end_time, l.request_id, l.provider, l.model, l.model_group, l.call_type, l.status,
  l.api_key, l.api_key_alias, l.user_id, l.team_id, l.team_alias, l.end_user, l.request_tags,
  l.input_tokens, l.output_tokens, l.cache_read_tokens, l.cache_write_tokens, l.reasoning_tokens,
  l.spend, l.input_cost, l.output_cost, l.other_cost, l.pricing_status, l.pricing_reason
FROM spendlog.spend_logs l
WHERE l.team_id IN (SELECT t.team_id FROM spendlog.tenant_teams t WHERE t.login = session_user);
COMMENT ON VIEW tenant.spend_logs IS 'Rows of the teams of session_user';

-- Not over spendlog.spend_daily: a security_invoker view inside another view asks for the caller's rights.
CREATE VIEW tenant.spend_daily WITH (security_barrier = true) AS
SELECT e.day, coalesce(e.provider, '') AS provider, coalesce(e.model, '') AS model, e.team_id,
  e.team_alias, e.user_id, sum(e.calls)::bigint AS calls, sum(e.spend) AS spend
FROM (
  SELECT l.start_time::date AS day, l.provider, l.model, l.team_id, l.team_alias, l.user_id, 1 AS calls,
    l.spend
  FROM spendlog.spend_logs l
  UNION ALL
  SELECT a.posted_on, l.provider, l.model, l.team_id, l.team_alias, l.user_id, 0,
    coalesce(a.new_spend, 0) - coalesce(a.old_spend, 0)
  FROM spendlog.spend_adjustments a
  JOIN spendlog.spend_logs l ON l.start_time = a.start_time AND l.identity = a.identity
  WHERE a.kind = 'posted'
) e
WHERE e.team_id IN (SELECT t.team_id FROM spendlog.tenant_teams t WHERE t.login = session_user)
GROUP BY 1, 2, 3, 4, 5, 6;
COMMENT ON VIEW tenant.spend_daily IS 'Spend per day (UTC) of the teams of session_user, posted corrections included';

GRANT USAGE ON SCHEMA tenant TO spendlog_tenant;
GRANT SELECT ON tenant.spend_logs, tenant.spend_daily TO spendlog_tenant;
