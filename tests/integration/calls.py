# SPDX-License-Identifier: Apache-2.0
"""One call and one session are found by their names: all of them, whatever came when, and by looking at some pages."""
import datetime

from harness import plans
from harness.report import check, check_equal
from harness.servers import run_checked
from integration.boards import filled, utc_now
from integration.repricing import FILL_ROWS
from integration.stage import EVENTS, Stage

# Of 40 days with names: a line of each and its place in the index, the rows, and what the two or three days without names
# are looked at by.
PAGES = 400
# By request id or, of rows without one, by identity.
OWN_NAME = "coalesce(nullif(s.request_id, ''), s.identity::text)"


def make_names(stage):
    for _ in range(1000):
        if stage.value("SELECT coalesce(spendlog.names_step()::text, '')") == "":
            return
    check(False, "names are never all made")


def day_at(days):
    return utc_now().date() - datetime.timedelta(days=days)


def days_read(stage, sql):
    """Days whose rows a question reads the second time, and the pages that it looks at."""
    read = plans.plans_of(stage.servers, stage.database, sql, (sql,))
    read = read[len(read) // 2:]
    found = {one.group(1) for node in plans.scans_of(read) if (one := plans.ROWS.match(node["Relation Name"]))}
    for node in plans.scans_of(read):
        check(not plans.ROWS.match(node["Relation Name"]) or node["Node Type"] != "Seq Scan", f"{node['Relation Name']} is read by {sql}")
    return found, max(plans.buffers_of(plan) for plan in read)


def told_apart(stage):
    """The events that fill the database come again and again: some rows of each day have names of their own, and sessions."""
    stage.sql("UPDATE spendlog.stored_rows s SET request_id = 'request-' || s.identity::text, session_id = 'session-' || to_char(s.start_time, 'DD') "
              "WHERE hashtext(s.identity::text) % 60 = 0 AND s.start_time < current_date - 3; "
              "UPDATE spendlog.stored_rows s SET parent_id = p.request_id, session_id = 'below-' || to_char(s.start_time, 'DD') "
              "FROM (SELECT DISTINCT ON (start_time::date) start_time, request_id FROM spendlog.stored_rows WHERE session_id LIKE 'session-%' "
              "ORDER BY start_time::date, start_time) p WHERE s.start_time > p.start_time AND s.start_time < p.start_time::date + 1 "
              "AND hashtext(s.identity::text) % 60 = 1; "
              "UPDATE spendlog.late_names SET noted_at = noted_at - interval '2 hours'")
    make_names(stage)


def names_of(stage, day):
    """A request id, a call id and a session that rows of a day have."""
    return stage.sql(f"SELECT s.request_id, coalesce(nullif(s.call_id, ''), s.request_id), s.session_id FROM spendlog.spend_logs s "
                     f"WHERE s.start_time >= '{day}' AND s.start_time < date '{day}' + 1 AND s.session_id <> '' AND s.request_id <> '' "
                     "ORDER BY s.start_time LIMIT 1")[0]


def as_rows_say(stage, condition):
    return stage.value(f"SELECT count(*) FROM spendlog.spend_logs s WHERE {condition}")


def finds_all(stage, where):
    """Of each name of a sample, and of sessions and runs, as many rows as reading all rows gives."""
    stage.sql(f"CREATE TEMP TABLE said AS SELECT v.name, count(DISTINCT (s.start_time, s.identity)) AS rows FROM spendlog.stored_rows s "
              f"CROSS JOIN LATERAL (VALUES ({OWN_NAME}), (s.call_id), (s.call_uuid::text)) AS v (name) WHERE v.name <> '' GROUP BY 1; "
              "CREATE TEMP TABLE missed AS SELECT d.name FROM (SELECT * FROM said ORDER BY hashtext(name) LIMIT 60) d "
              "WHERE (SELECT count(*) FROM spendlog.calls_named(d.name)) <> d.rows; DO $$ BEGIN IF EXISTS (SELECT FROM missed) OR "
              f"(SELECT count(*) FROM said) < 60 THEN RAISE EXCEPTION '{where}: %', (SELECT array_agg(name) FROM missed); END IF; END $$")
    for session, rows in stage.sql("SELECT session_id, count(*) FROM spendlog.stored_rows WHERE session_id <> '' GROUP BY 1 ORDER BY 1 LIMIT 3"):
        for sql in (f"spendlog.calls_of_session('{session}')", f"spendlog.session('{session}')", f"spendlog.rows_of_run('{session}')"):
            check_equal(stage.value(f"SELECT count(*) FROM {sql}"), rows, f"{where}: {sql}")
    for trace, rows in stage.sql("SELECT coalesce(trace_uuid::text, trace_id), count(*) FROM spendlog.stored_rows WHERE session_id = '' "
                                 "AND coalesce(trace_uuid::text, trace_id, '') <> '' GROUP BY 1 ORDER BY 1 LIMIT 3"):
        check_equal(stage.value(f"SELECT count(*) FROM spendlog.rows_of_run('{trace}')"), rows, f"{where}: the run {trace}")


def finds_runs_below(stage, where):
    """Of each session those that its calls have made, as reading all rows gives."""
    wrong = stage.sql("SELECT d.session_id, d.made, f.found FROM (SELECT p.session_id, array_agg(DISTINCT b.session_id ORDER BY b.session_id) AS made "
                      "FROM spendlog.stored_rows p JOIN spendlog.stored_rows b ON b.parent_id = p.request_id WHERE p.session_id LIKE 'session-%' GROUP BY 1) d "
                      "CROSS JOIN LATERAL (SELECT array_agg(u.session_id ORDER BY u.session_id) AS found FROM spendlog.runs_under(d.session_id) u "
                      "WHERE u.depth = 1) f WHERE f.found IS DISTINCT FROM d.made")
    check_equal(wrong, [], f"{where}: runs below")
    found = stage.value("SELECT count(DISTINCT session_id) FROM spendlog.stored_rows WHERE session_id LIKE 'below-%'")
    check(int(found) > 20, f"{where}: {found} runs that calls have made")


def days_filtered(stage, sql):
    """Days whose filters a question asks the second time."""
    read = plans.plans_of(stage.servers, stage.database, sql, (sql,))
    names = [node["Index Name"] for plan in read[len(read) // 2:] for node in plans.nodes_of(plan) if node["Node Type"] == "Bitmap Index Scan"]
    return {name.split("_")[2] for name in names if name.startswith("spend_logs_") and "batch_id" in name}


def swapped(stage, day):
    """A day in a table that is another one, as a rewriting reprice leaves it, with a row that names do not know."""
    leaf = f"spendlog.spend_logs_{day:%Y%m%d}"
    stage.sql(f"CREATE TABLE spendlog.another (LIKE {leaf} INCLUDING ALL); INSERT INTO spendlog.another SELECT * FROM {leaf}; "
              f"ALTER TABLE spendlog.stored_rows DETACH PARTITION {leaf}; DROP TABLE {leaf}; ALTER TABLE spendlog.another RENAME TO "
              f"spend_logs_{day:%Y%m%d}; ALTER TABLE spendlog.stored_rows ATTACH PARTITION {leaf} FOR VALUES FROM ('{day}') TO "
              f"('{day + datetime.timedelta(days=1)}'); ALTER TABLE {leaf} OWNER TO spendlog_owner; "
              f"UPDATE {leaf} SET request_id = 'after the swap' WHERE identity = (SELECT min(identity::text)::uuid FROM {leaf})")


def late_and_changed(stage):
    """What comes to a day with names later, or changes in it, is found at once, and by names when they are made again."""
    day, other = day_at(9), day_at(12)
    place = f"host={stage.servers.socket_folder} port=5432 user=spendlog dbname={stage.database}"
    stage.sql(f"BEGIN; UPDATE spendlog.spend_logs SET request_id = 'undone' WHERE start_time >= '{day}' AND start_time < date '{day}' + 1; ROLLBACK")
    check_equal(stage.value("SELECT count(*) FROM spendlog.late_names"), "0", "marks of what was rolled back")
    run_checked([FILL_ROWS, place, EVENTS, "700", day.isoformat(), "1"])
    check_equal(stage.sql("SELECT DISTINCT day FROM spendlog.late_names"), [[day.isoformat()]], "days that late rows came to")
    finds_all(stage, "late rows")
    stage.sql("UPDATE spendlog.spend_logs SET request_id = 'by hand' WHERE identity = (SELECT min(identity::text)::uuid FROM spendlog.spend_logs "
              f"WHERE start_time >= '{other}' AND start_time < date '{other}' + 1) AND start_time >= '{other}' AND start_time < date '{other}' + 1")
    check_equal(stage.value("SELECT count(*) FROM spendlog.calls_named('by hand')"), "1", "a name that was changed by hand")
    check_equal(stage.value("SELECT coalesce(spendlog.names_step()::text, '')"), "", "made again at once")
    stage.sql("UPDATE spendlog.late_names SET noted_at = noted_at - interval '2 hours'")
    make_names(stage)
    check_equal(stage.value("SELECT count(*) FROM spendlog.late_names"), "0", "marks after names were made again")
    check_equal(stage.value("SELECT count(*) FROM spendlog.calls_named('by hand')"), "1", "after names were made again")
    finds_all(stage, "made again")
    first, then = (stage.sql("SELECT session_id, request_id, start_time FROM spendlog.stored_rows WHERE session_id LIKE 'session-%' "
                             f"AND start_time >= '{one}' ORDER BY start_time LIMIT 1")[0] for one in (day_at(13), other))
    stage.sql(f"UPDATE spendlog.stored_rows SET parent_id = '{first[1]}' WHERE start_time = '{then[2]}' AND request_id = '{then[1]}'")
    check_equal(stage.value(f"SELECT count(*) FROM spendlog.runs_under('{first[0]}') WHERE session_id = '{then[0]}' AND depth = 1"), "1",
                "a run whose parent was told late")
    finds_runs_below(stage, "told late")
    swapped(stage, day)
    check_equal(stage.value("SELECT count(*) FROM spendlog.calls_named('after the swap')"), "1", "in a table that is another one")
    make_names(stage)
    check_equal(stage.value("SELECT count(*) FROM spendlog.calls_named('after the swap')"), "1", "with names of that")


def reads_little(stage):
    """Of days that are over the days alone of the call, or of the session, and pages by the days, not by the rows."""
    day, told = day_at(20), []
    request, call, session = names_of(stage, day)
    today = {f"{day_at(days):%Y%m%d}" for days in (-1, 0, 1)}
    for name, sql, condition in (("call", f"SELECT * FROM spendlog.call('{request}')", f"'{request}' IN (s.request_id, s.call_id)"),
                                 ("call id", f"SELECT * FROM spendlog.call('{call}')", f"'{call}' IN (s.request_id, s.call_id)"),
                                 ("named", f"SELECT * FROM spendlog.calls_named('{request}')", f"'{request}' IN (s.request_id, s.call_id)"),
                                 ("session", f"SELECT * FROM spendlog.session('{session}')", f"s.session_id = '{session}'")):
        own = {one for one, in stage.sql(f"SELECT DISTINCT to_char(s.start_time, 'YYYYMMDD') FROM spendlog.spend_logs s WHERE {condition}")}
        read, pages = days_read(stage, sql)
        check(len(read - own - today) <= 2, f"{name}: {sorted(read - own)} are read")  # two whose hash is the same
        check(pages <= PAGES + 8 * len(own) * 6, f"{name} looks at {pages} pages")
        told.append(f"{name} {pages}")
    sql = f"SELECT * FROM spendlog.spend_of_run('{session}')"
    check_equal(stage.value(f"SELECT runs_below FROM ({sql}) s"), "1", f"runs below {session}")
    asked = days_filtered(stage, sql)
    check(asked and asked <= today, f"days asked by their filters: {sorted(asked)}")
    told.append(f"run {days_read(stage, sql)[1]}")
    read, pages = days_read(stage, "SELECT * FROM spendlog.call('nobody has this name')")
    check(len(read - today) <= 2 and pages <= PAGES, f"a name that nobody has: {pages} pages, {sorted(read)}")
    return ", ".join(told)


def one_call_is_found(servers):
    """A call, a session and a run are found whatever day they have, and came or changed when they did, by looking at some pages."""
    with Stage(servers, "calls", partitions=1) as stage:
        filled(stage)
        check_equal(stage.sql("SELECT s.day FROM spendlog.stored_days() s LEFT JOIN spendlog.named_days n ON n.day = s.day AND n.leaf = s.leaf "
                              "WHERE s.day < current_date - 1 AND n.made_at IS NULL"), [], "days that are over without names, after `compact`")
        told_apart(stage)
        finds_all(stage, "names")
        finds_runs_below(stage, "names")
        check(int(stage.value("SELECT max(n) FROM (SELECT count(DISTINCT print) AS n FROM spendlog.day_names, unnest(prints) AS print GROUP BY day, piece, "
                              "bucket) b")) < 400, "names that are not apart, in a table that was never analyzed")
        told = reads_little(stage)
        late_and_changed(stage)
        size = stage.value("SELECT sum(pg_column_size(prints) + pg_column_size(seconds)) / sum(cardinality(prints)) FROM spendlog.day_names")
        check(float(size) < 8, f"{size} bytes a name")
        day = day_at(30)
        stage.sql(f"SELECT spendlog.drop_partition('{day}')")
        make_names(stage)
        check_equal(stage.value(f"SELECT count(*) FROM spendlog.day_names WHERE day = '{day}'"), "0", "names of a day that is gone")
    return f"pages: {told}"


ALL = (one_call_is_found,)
