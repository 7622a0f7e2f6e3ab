# SPDX-License-Identifier: Apache-2.0
"""Who may do what in the database: each forbidden statement is tried."""
from harness.report import Failed, check, check_equal
from harness.world import World

LOGINS = ("writer", "repricer", "reader", "tenant")

DENIED = "permission denied"

# (role, statement, allowed)
STATEMENTS = (
    ("writer", "DELETE FROM spendlog.spend_logs", False),
    ("writer", "TRUNCATE spendlog.stored_rows", False),
    ("writer", "DELETE FROM spendlog.stored_rows", False),
    ("writer", "UPDATE spendlog.stored_rows SET spend = 0", False),
    ("writer", "DELETE FROM spendlog.shared_callers", False),
    ("writer", "UPDATE spendlog.shared_callers SET team_id = ''", False),
    ("writer", "UPDATE spendlog.spend_logs SET spend = 0", False),
    ("writer", "UPDATE spendlog.spend_logs SET model = 'x'", False),
    ("writer", "DELETE FROM spendlog.kafka_offsets", False),
    ("writer", "UPDATE spendlog.kafka_offsets SET first_offset = 0", False),
    ("writer", "DELETE FROM spendlog.rejected_events", False),
    ("writer", "UPDATE spendlog.rejected_events SET payload = NULL", False),
    ("writer", "DELETE FROM spendlog.ingest_batches", False),
    ("writer", "UPDATE spendlog.ingest_batches SET rows = 0", False),
    ("writer", "UPDATE spendlog.price_books SET book = '{}'", False),
    ("writer", "DELETE FROM spendlog.price_books", False),
    ("writer", "INSERT INTO spendlog.schema_migrations (version, name, sha256) VALUES (9, 'x', 'x')", False),
    ("writer", "INSERT INTO spendlog.spend_adjustments (run_id) VALUES (1)", False),
    ("writer", "SELECT spendlog.drop_partition('2020-01-01')", False),
    ("writer", "CREATE TABLE spendlog.mine (a int)", False),
    ("writer", "DROP TABLE spendlog.stored_rows", False),
    ("writer", "ALTER TABLE spendlog.stored_rows DROP CONSTRAINT spend_logs_pkey", False),
    ("writer", "SET ROLE spendlog_owner", False),
    ("writer", "SELECT count(*) FROM spendlog.spend_logs", True),
    ("writer", "SELECT spendlog.ensure_partition('2026-01-01')", True),
    ("repricer", "DELETE FROM spendlog.spend_logs", False),
    ("repricer", "UPDATE spendlog.spend_logs SET model = 'x'", False),
    ("repricer", "UPDATE spendlog.spend_logs SET input_tokens = 0", False),
    ("repricer", "UPDATE spendlog.spend_logs SET start_time = now()", False),
    ("repricer", "INSERT INTO spendlog.spend_logs (start_time) VALUES (now())", False),
    ("repricer", "UPDATE spendlog.kafka_offsets SET next_offset = 0", False),
    ("repricer", "DELETE FROM spendlog.spend_adjustments", False),
    ("repricer", "UPDATE spendlog.spend_adjustments SET new_spend = 0", False),
    ("repricer", "SET ROLE spendlog_owner", False),
    ("repricer", "UPDATE spendlog.spend_logs SET spend = spend WHERE false", False),
    ("repricer", "INSERT INTO spendlog.closed_periods (month) VALUES ('2126-01-01')", False),
    ("repricer", "SELECT spendlog.days_claim(ARRAY[date '2026-01-01'])", True),
    ("writer", "UPDATE spendlog.retention SET keep_days = 7", False),
    ("repricer", "UPDATE spendlog.retention SET keep_days = 7", False),
    ("reader", "INSERT INTO spendlog.spend_logs (start_time) VALUES (now())", False),
    ("reader", "UPDATE spendlog.spend_logs SET spend = 0", False),
    ("reader", "DELETE FROM spendlog.spend_logs", False),
    ("reader", "UPDATE spendlog.kafka_offsets SET next_offset = 0", False),
    ("reader", "SELECT spendlog.ensure_partition('2026-01-01')", False),
    ("reader", "SELECT spendlog.drop_partition('2020-01-01')", False),
    ("reader", "SELECT spendlog.guard_prune(1)", False),
    ("reader", "CREATE TABLE spendlog.mine (a int)", False),
    ("reader", "SET ROLE spendlog_writer", False),
    ("reader", "SELECT count(*) FROM spendlog.spend_daily", True),
    ("tenant", "SELECT count(*) FROM spendlog.spend_logs", False),
    ("tenant", "SELECT count(*) FROM spendlog.spend_daily", False),
    ("tenant", "SELECT count(*) FROM spendlog.tenant_teams", False),
    ("tenant", "INSERT INTO spendlog.tenant_teams VALUES ('sec_tenant', 'team-2')", False),
    ("tenant", "SELECT count(*) FROM tenant.spend_logs", True),
)


def logins_make(servers):
    for name in LOGINS:
        if not servers.psql("postgres", f"SELECT 1 FROM pg_roles WHERE rolname = 'sec_{name}'"):
            servers.psql("postgres", f"CREATE ROLE sec_{name} LOGIN IN ROLE spendlog_{name}")


def filled(servers, name, seed):
    """A world with some rows in it."""
    world = World(servers, name, seed, partitions=2)
    logins_make(servers)
    world.feed().send(300)
    world.feeds[0].finish()
    world.feeds.clear()
    world.start("--exit-eof").wait(40)
    return world


def refusal(servers, database, user, statement):
    """Why PostgreSQL refuses the statement, or None. Nothing stays of it."""
    try:
        servers.psql(database, f"BEGIN; {statement}; ROLLBACK", user)
    except Failed as failed:
        return str(failed)
    return None


def forbidden_statements(servers, seed):
    """Writer, repricer, reader and tenant: each statement beyond their task is refused, each needed one works."""
    with filled(servers, "rights", seed) as world:
        wrong = []
        for role, statement, allowed in STATEMENTS:
            why = refusal(servers, world.database, f"sec_{role}", statement)
            if allowed != (why is None):
                wrong.append(f"{role}: {statement}: {why or 'allowed'}")
            elif why and DENIED not in why and "must be owner" not in why:
                wrong.append(f"{role}: {statement}: refused for another reason: {why}")
        check(not wrong, "; ".join(wrong))
        return f"{len(STATEMENTS)} statements"


def views_have_the_callers_rights(servers, seed):
    """Every view of spendlog and litellm is security_invoker; functions of the owner pin their search_path."""
    with filled(servers, "views", seed) as world:
        views = world.sql("SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON "
                          "n.oid = c.relnamespace WHERE c.relkind = 'v' AND n.nspname IN ('spendlog', "
                          "'litellm') AND NOT coalesce('security_invoker=true' = ANY (c.reloptions), false)")
        check_equal(views, [], "views with the owner's rights")
        loose = world.sql("SELECT p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace "
                          "WHERE n.nspname = 'spendlog' AND p.prosecdef AND NOT EXISTS (SELECT FROM "
                          "unnest(p.proconfig) c WHERE c LIKE 'search_path=pg_catalog%')")
        check_equal(loose, [], "SECURITY DEFINER functions with a loose search_path")
        open_to_all = world.sql("SELECT p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = "
                                "p.pronamespace WHERE n.nspname = 'spendlog' AND p.prosecdef AND "
                                "has_function_privilege('sec_reader', p.oid, 'EXECUTE')")
        check_equal(open_to_all, [], "SECURITY DEFINER functions a reader may call")
        check(int(world.sql("SELECT count(*) FROM pg_views WHERE schemaname = 'spendlog'")[0][0]) > 3,
              "no views at all")


def reader_sees_utc(servers, seed):
    """A reader's session is in UTC without its doing."""
    with filled(servers, "utc", seed) as world:
        check_equal(servers.psql(world.database, "SHOW timezone", "sec_reader"), [["UTC"]], "time zone")


def tenant_sees_own_teams(servers, seed):
    """A tenant sees the rows of the teams of its login only, even from within SET ROLE."""
    with filled(servers, "tenants", seed) as world:
        world.sql("INSERT INTO spendlog.tenant_teams (login, team_id) VALUES ('sec_tenant', 'team-2')")
        teams = "SELECT DISTINCT team_id FROM tenant.spend_logs"
        check_equal(servers.psql(world.database, teams, "sec_tenant"), [["team-2"]], "teams of the tenant")
        inside = "SET ROLE spendlog_tenant; " + teams
        check_equal(servers.psql(world.database, inside, "sec_tenant"), [["team-2"]], "after SET ROLE")
        daily = servers.psql(world.database, "SELECT sum(calls), sum(spend) FROM tenant.spend_daily",
                             "sec_tenant")
        check_equal(daily, world.sql("SELECT count(*), sum(spend) FROM spendlog.spend_logs WHERE "
                                     "team_id = 'team-2'"), "spend of the tenant")
        check(int(daily[0][0]) > 10, "the tenant has no rows to see")


ALL = (forbidden_statements, views_have_the_callers_rights, reader_sees_utc, tenant_sees_own_teams)
