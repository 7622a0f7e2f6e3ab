# SPDX-License-Identifier: Apache-2.0
"""Sums of rows that say odd things, on servers that are set in odd ways."""
import lzma
import os
import random
from decimal import Decimal

from harness.report import check, check_equal
from harness.servers import run_checked
from integration.repricing import FILL_ROWS, NEW_PRICES
from integration.stage import EVENTS, Stage, demo_event, message_of
from integration.upgrading import OLD, load

LONG = 8000  # bytes of a text: it is cut at 8,192, and an index of texts ends at 2,704
NO_DRIFT = "drift: {events: 0}\n"


def filled(stage, rows=400, first="2026-03-28", days=4):
    place = f"host={stage.servers.socket_folder} port=5432 user=spendlog dbname={stage.database}"
    run_checked([FILL_ROWS, place, EVENTS, str(rows), first, str(days)])


def long_text(seed):
    """Of letters that do not compress below what an index takes."""
    return "".join(random.Random(seed).choices("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", k=LONG))


def agree(stage, where):
    """Sums, totals and what is kept for budgets are what the rows come to."""
    check_equal(stage.sql("SELECT * FROM spendlog.sums_differ(true)"), [], f"sums, {where}")
    check_equal(stage.sql("SELECT * FROM spendlog.totals_differ()"), [], f"totals, {where}")


def spent_by_rows(stage, scope, name):
    """Calls and spend by spent_in(), and by the entries."""
    told = stage.sql(f"SELECT calls, spend FROM spendlog.spent_in('{scope}', '{name}', '2020-01-01', '2030-01-01')")
    column = {"end_user": "end_user", "team": "team_id", "user": "user_id", "model": "model", "all": "''"}[scope]
    rows = stage.sql(f"SELECT sum(calls), sum(spend) FROM spendlog.spend_entries WHERE {column} = '{name}'")
    return [[(int(calls), Decimal(spend)) for calls, spend in one] for one in (told, rows)]


def texts_of_any_length_are_summed(servers):
    """Ids of 8,000 letters are stored, merged, found again, priced anew and compared; one that long has no budget."""
    names = {what: long_text(what) for what in ("end_user", "team", "user", "model")}
    with Stage(servers, "long-texts", partitions=1) as stage:
        event = demo_event()
        metadata = {**event["metadata"], "user_api_key_end_user_id": names["end_user"], "user_api_key_team_id": names["team"],
                    "user_api_key_user_id": names["user"]}
        stage.produce([message_of(demo_event(litellm_call_id=f"long-{n}", end_user=names["end_user"], metadata=metadata)) for n in range(3)])
        stage.consume()
        stage.sql(f"UPDATE spendlog.spend_logs SET model = '{names['model']}' WHERE start_time = (SELECT max(start_time) FROM spendlog.spend_logs)")
        stage.sql("SELECT spendlog.sums_remake(d.day, d.day + 1) FROM spendlog.stored_days() d")
        check_equal(stage.sql("SELECT count(*) FROM spendlog.spend_logs WHERE length(end_user) = 8000 AND length(team_id) = 8000"), [["3"]], "rows")
        stage.command("compact")
        agree(stage, "merged")
        for scope in names:
            told, rows = spent_by_rows(stage, scope, names[scope])
            check_equal(told, rows, f"spent by a {scope}")
            check(told[0][0] > 0, f"no call of the {scope}")
        check_equal(stage.value("SELECT sum(calls) FROM spendlog.spend_of('end_user', '2020-01-01', '2030-01-01', "
                                f"end_users => ARRAY['{names['end_user']}'])"), "3", "calls of an end user")
        stage.command("budget", "set", "end_user", names["end_user"], "1", code=65)
        prices = os.path.join(stage.folder, "prices.yaml")
        with open(prices, "w") as out:
            out.write(NEW_PRICES)
        stage.command("reprice", "--all", "-q", extra=f"pricing: {{litellm_config: {prices}}}\n{NO_DRIFT}")
        stage.command("compact")
        agree(stage, "priced anew")


def a_tag_that_is_null_is_none(servers):
    """NULL among the tags of a row, as a hand may write it, is in no total; merging goes on."""
    with Stage(servers, "null-tags", partitions=1) as stage:
        filled(stage, 40, days=1)
        stage.sql("UPDATE spendlog.spend_logs SET request_tags = ARRAY['a', NULL, 'a'] WHERE identity = (SELECT min(identity::text)::uuid "
                  "FROM spendlog.spend_logs)")
        stage.sql("SELECT spendlog.sums_remake('2026-03-28', '2026-03-29')")
        by_tag = ("SELECT tag, sum(calls) FROM spendlog.spend_by_tag WHERE tag IS NULL OR tag = 'a' GROUP BY 1",
                  "SELECT id, sum(calls) FROM spendlog.spend_of('tag', '2026-03-28', '2026-03-29') WHERE id IS NULL OR id = 'a' GROUP BY 1",
                  "SELECT id, sum(calls) FROM spendlog.spend_of('tag', '2026-03-28', '2026-03-29', end_users => ARRAY(SELECT end_user "
                  "FROM spendlog.spend_logs)) WHERE id IS NULL GROUP BY 1")
        before = [stage.sql(sql) for sql in by_tag]
        check_equal(before[:2], [[["a", "2"]]] * 2, "by tag")
        stage.command("compact")
        check_equal([stage.sql(sql) for sql in by_tag], before, "by tag, merged")
        agree(stage, "with a tag that is NULL")


def long_texts_of_0_1_0_stay_wide(servers):
    """A row of 0.1.0 with an id of 8,000 letters: migrate and migrate --carry leave its words in it, and in its line; sums agree."""
    with Stage(servers, "long-old", partitions=1) as stage:
        with lzma.open(OLD, "rt", encoding="utf-8") as text:
            load(servers, stage, "long_old_texts", text.read())
        stage.sql(f"UPDATE spendlog.spend_logs SET user_id = '{long_text('user')}' WHERE identity = (SELECT min(identity::text)::uuid "
                  "FROM spendlog.spend_logs)")
        stage.command("migrate", "-q")
        stage.command("migrate", "-q", "--carry")
        check_equal(stage.sql("SELECT count(*), sum(length(user_id)) FROM spendlog.stored_rows WHERE call_no IS NULL"), [["1", "8000"]], "wide rows")
        check_equal(stage.value("SELECT max(length(user_id)) FROM spendlog.shared_callers") < "8000", True, "words of the dictionary")
        stage.command("compact")
        agree(stage, "carried over")
        told, rows = spent_by_rows(stage, "user", long_text("user"))
        check_equal(told, rows, "spent by the user")


ALL = (texts_of_any_length_are_summed, a_tag_that_is_null_is_none, long_texts_of_0_1_0_stay_wide)
