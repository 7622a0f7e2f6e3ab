# SPDX-License-Identifier: Apache-2.0
"""Defaults that an operator gave a role or a database: they decide nothing of ours."""
import json
import os
import subprocess

from harness.report import check, check_equal
from harness.servers import SPENDLOG
from integration.stage import WRITER, Stage, demo_event, message_of

# What PostgreSQL lets be set for a role or a database, and would change a result or stop a command.
HOSTILE = (
    ("default_transaction_isolation", "'repeatable read'"),
    ("default_transaction_isolation", "'serializable'"),
    ("default_transaction_read_only", "on"),
    ("default_transaction_deferrable", "on"),
    ("search_path", "evil, public"),
    ("timezone", "'Asia/Kolkata'"),
    ("datestyle", "'SQL, DMY'"),
    ("intervalstyle", "'iso_8601'"),
    ("bytea_output", "'escape'"),
    ("extra_float_digits", "-15"),
    ("client_encoding", "'LATIN1'"),
    ("standard_conforming_strings", "off"),
    ("backslash_quote", "on"),
    ("array_nulls", "off"),
    ("transform_null_equals", "on"),
    ("quote_all_identifiers", "on"),
    ("row_security", "off"),
    ("statement_timeout", "'1ms'"),
    ("lock_timeout", "'1ms'"),
    ("idle_session_timeout", "'300ms'"),
    ("idle_in_transaction_session_timeout", "'5ms'"),
    ("plpgsql.variable_conflict", "'use_variable'"),
    ("plan_cache_mode", "force_generic_plan"),
    ("temp_file_limit", "0"),
)
NEW_PRICES = "model_list: []\nlitellm_settings: {cost_margin_config: {global: 0.10}}\n"
# Tables and functions that would answer first if the search path were the operator's.
EVIL = ("CREATE SCHEMA evil; CREATE TABLE evil.spend_logs (a int); CREATE FUNCTION evil.now() RETURNS timestamptz "
        "LANGUAGE sql AS $$ SELECT timestamptz '1999-01-01' $$; GRANT USAGE ON SCHEMA evil TO PUBLIC")


class Matrix(Stage):
    """A stage whose database can be given other defaults, for all who connect or for our logins."""

    def prepare(self):
        with open(os.path.join(self.folder, "prices.yaml"), "w") as out:
            out.write(NEW_PRICES)
        self.sql(EVIL)
        self.produce([message_of(demo_event(id=f"matrix-{i}", litellm_call_id=f"matrix-{i}")) for i in range(60)]
                     + [b"{broken"])
        self.consume()
        self.want = self.state()

    def hostile(self, settings, where):
        """where: DATABASE, or ROLE for the logins of the commands."""
        for name, value in settings:
            for place in ([f"DATABASE {self.database}"] if where == "DATABASE" else
                          [f"ROLE {login} IN DATABASE {self.database}" for login in (WRITER, "spendlog")]):
                self.servers.psql("postgres", f"ALTER {place} SET {name} = {value}")

    def peaceful(self):
        self.servers.psql("postgres", f"ALTER DATABASE {self.database} RESET ALL")
        for login in (WRITER, "spendlog"):
            self.servers.psql("postgres", f"ALTER ROLE {login} IN DATABASE {self.database} RESET ALL")

    def plainly(self, text):
        """As an administrator who knows what he does: the defaults are not his."""
        argv = ["psql", "-XAtq", "-h", self.servers.socket_folder, "-p", "5432", "-U", "spendlog", "-d",
                self.database, "-c", "RESET ALL", "-c", text]
        options = "-c statement_timeout=0 -c lock_timeout=0 -c idle_session_timeout=0 -c search_path=pg_catalog " \
                  "-c default_transaction_read_only=off -c datestyle=ISO -c timezone=UTC -c client_encoding=UTF8 " \
                  "-c bytea_output=hex -c extra_float_digits=1 -c intervalstyle=postgres -c row_security=on " \
                  "-c idle_in_transaction_session_timeout=0 -c standard_conforming_strings=on " \
                  "-c transform_null_equals=off -c array_nulls=on"
        done = subprocess.run(argv, capture_output=True, text=True, env={**os.environ, "PGOPTIONS": options})
        check_equal(done.returncode, 0, f"psql: {done.stderr}")
        return done.stdout.strip()

    def state(self):
        """All columns of all rows, as one number; and what the report says."""
        rows = self.plainly("SELECT count(*), sum(hashtextextended((to_jsonb(s) - 'price_book_id')::text, 0)::numeric) "
                            "FROM spendlog.spend_logs s")
        report = subprocess.run([SPENDLOG, "report", "-q", "-c", self.config("owner", user="spendlog"), "--by", "day",
                                 "--format", "csv"], capture_output=True, text=True)
        check_equal(report.returncode, 0, f"report: {report.stderr}")
        return rows, report.stdout

    def command_in(self, label, *words, code=0, pricing=None):
        done = subprocess.run([SPENDLOG, words[0], "-c", self.config("other", user="spendlog", pricing=pricing),
                               *words[1:]], capture_output=True, text=True)
        check_equal(done.returncode, code, f"{label}: exit code of {' '.join(words)}: {done.stdout[-600:]}{done.stderr[-400:]}")
        return done.stdout

    def commands_hold(self, label):
        for words in (("migrate", "-q"), ("verify", "-q"), ("periods", "list"), ("retention", "show"),
                      ("rejected", "retry", "-q")):
            self.command_in(label, *words)
        there = json.loads(self.command_in(label, "reprice", "--all", "-q", "--json", pricing="{litellm_config: ./prices.yaml}"))
        check_equal(there["changed"], 60, f"{label}: rows changed by reprice")
        check_equal(json.loads(self.command_in(label, "reprice", "--all", "-q", "--json"))["changed"], 60, f"{label}: and back")
        check_equal(self.state(), self.want, f"{label}: rows and report")


def hostile_defaults_change_nothing(servers):
    """Every command with each default that ALTER ROLE or ALTER DATABASE ... SET can give, and run with the worst of them."""
    with Matrix(servers, "sessions") as stage:
        stage.prepare()
        for number, setting in enumerate(HOSTILE):
            stage.hostile([setting], ("DATABASE", "ROLE")[number % 2])
            stage.commands_hold(" = ".join(setting))
            stage.peaceful()
        for label, settings in (("isolation", HOSTILE[:1]), ("read only", HOSTILE[2:3]), ("all", HOSTILE)):
            stage.hostile(settings, "DATABASE")
            stage.produce([message_of(demo_event(id=f"run-{label}", litellm_call_id=f"run-{label}"))])
            stage.consume()
            check(stage.plainly(f"SELECT count(*) FROM spendlog.spend_logs WHERE call_id = 'run-{label}'") == "1",
                  f"{label}: run stored no row")
            stage.command_in(label, "verify", "-q")
            stage.peaceful()
        stage.command_in("month", "periods", "close", "2020-01")
        return f"{len(HOSTILE)} settings"


def retention_is_the_databases(servers):
    """`retention set` is the owner's; run and check say when their configuration differs; nothing goes unasked."""
    with Stage(servers, "retention") as stage:
        stage.command("retention", "set", "400", "--rollups", "2555")
        shown = json.loads(stage.command("retention", "show", "--json"))
        check_equal((shown["keep_days"], shown["keep_sums_days"]), (400, 2555), "what was set")
        done = subprocess.run([SPENDLOG, "retention", "set", "7", "-c", stage.config("writer")], capture_output=True,
                              text=True)
        check_equal(done.returncode, 78, f"retention set by a writer: {done.stderr}")
        stage.produce([message_of(demo_event())])
        member = stage.consume()
        check("storage.retain_days is 0 (for ever), the database keeps rows for 400 days" in member.text(),
              f"run does not say that it differs{member.tail()}")
        for words, code in ((("set", "3"), 64), (("set", "x"), 64), (("set", "400", "--rollups", "30"), 65),
                            (("set",), 64), (("show", "--rollups", "30"), 64)):
            stage.command("retention", *words, code=code)
        done = subprocess.run([SPENDLOG, "retention", "set", "400", "--rollups", "30", "-c", stage.config("owner", user="spendlog")],
                              capture_output=True, text=True)
        check("sums have to be kept as long as rows" in done.stderr, f"sums for less time than rows: {done.stderr}")
        stage.command("retention", "set", "0")


ALL = (hostile_defaults_change_nothing, retention_is_the_databases)
