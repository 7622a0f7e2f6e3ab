-- SPDX-License-Identifier: Apache-2.0
-- Roles and schemas. Roles belong to the cluster: they are made when absent and may be there already.
-- All of spendlog's objects belong to spendlog_owner; nobody needs to log in as it.
--
--   spendlog_writer    INSERT of rows and its own bookkeeping: no DELETE, no UPDATE of rows
--   spendlog_repricer  UPDATE of the money and price book columns of rows, adjustments
--   spendlog_reader    SELECT

DO $$
DECLARE
  wanted text;
  -- Since PostgreSQL 16 whoever made a role may administer it without being able to act as it.
  acting text := CASE WHEN current_setting('server_version_num')::integer >= 160000 THEN 'SET' ELSE 'MEMBER' END;
BEGIN
  FOREACH wanted IN ARRAY ARRAY['spendlog_owner', 'spendlog_writer', 'spendlog_repricer',
                                'spendlog_reader']
  LOOP
    CONTINUE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = wanted);
    BEGIN
      EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
    EXCEPTION
      WHEN duplicate_object OR unique_violation THEN
        NULL; -- a migration of another database of the cluster was faster
      WHEN insufficient_privilege THEN
        RAISE insufficient_privilege USING
          MESSAGE = format('role %s does not exist and %s may not create roles', wanted,
                           current_user),
          HINT = 'Let an administrator run what `spendlog migrate --print-roles` prints.';
    END;
  END LOOP;

  IF NOT pg_has_role(current_user, 'spendlog_owner', acting) THEN
    BEGIN
      EXECUTE format('GRANT spendlog_owner TO %I', current_user);
    EXCEPTION WHEN insufficient_privilege THEN
      RAISE insufficient_privilege USING
        MESSAGE = format('%s is no member of spendlog_owner', current_user),
        HINT = format('Let an administrator run: GRANT spendlog_owner TO %I; '
                      'all that is needed is what `spendlog migrate --print-roles` prints.', current_user);
    END;
  END IF;
END
$$;

-- Times are stored as timestamp without time zone, in UTC. Clients of ours set UTC by themselves.
DO $$
BEGIN
  EXECUTE format('ALTER DATABASE %I SET timezone = ''UTC''', current_database());
EXCEPTION WHEN insufficient_privilege THEN
  RAISE WARNING 'only the owner of database % may set its time zone: let him run ALTER DATABASE % SET timezone = ''UTC''',
    current_database(), quote_ident(current_database());
END
$$;

CREATE SCHEMA spendlog AUTHORIZATION spendlog_owner;
CREATE SCHEMA litellm AUTHORIZATION spendlog_owner;

SET LOCAL ROLE spendlog_owner;

COMMENT ON SCHEMA spendlog IS 'LLM spend: one row per billable call, priced exactly';
COMMENT ON SCHEMA litellm IS 'Views over spendlog with the names of LiteLLM''s tables';

CREATE TABLE spendlog.schema_migrations (
  version integer CONSTRAINT schema_migrations_pkey PRIMARY KEY,
  name text NOT NULL,
  sha256 text NOT NULL CONSTRAINT schema_migrations_sha256 CHECK (sha256 ~ '^[0-9a-f]{64}$'),
  applied_at timestamp(6) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
  applied_by text NOT NULL DEFAULT session_user
);
COMMENT ON COLUMN spendlog.schema_migrations.version IS 'number at the start of the file''s name';
COMMENT ON COLUMN spendlog.schema_migrations.sha256 IS 'of the file as it was applied, hexadecimal';
COMMENT ON COLUMN spendlog.schema_migrations.applied_at IS 'UTC';
