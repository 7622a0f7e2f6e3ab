/* SPDX-License-Identifier: Apache-2.0 */
/* links: store
 * with: store_fixture
 * The writer against a real server. Each test has a topic of its own and identities of its own. */
#include "tests/integration/store_fixture.h"

#include "core/clock.h"
#include "store/copy.h"
#include "store/pg_count.h"
#include "store/pg_wait.h"
#include "store/row_read.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
    struct batch batch;
    struct writer *writer;
    struct partition_state p[2];
};

static char topic[64]; /* of the running test */
static uint64_t first; /* identity its rows begin with */

static int setup(void **state)
{
    static unsigned number;
    struct world *w = calloc(1, sizeof(*w));
    snprintf(topic, sizeof(topic), "topic_%u", ++number);
    first = number * UINT64_C(100000);
    batch_init(&w->batch, 1 << 20, 0, 1);
    w->writer = writer_make("spendlog lane 0", 500);
    partition_load(w->writer, topic, 0, &w->p[0]);
    partition_load(w->writer, topic, 1, &w->p[1]);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    writer_free(w->writer);
    batch_free(&w->batch);
    free(w);
    return 0;
}

static int64_t of_topic(const char *column)
{
    char query[512];
    snprintf(query, sizeof(query), "SELECT sum(%s) FROM spendlog.kafka_offsets WHERE topic = '%s'",
             column, topic);
    return scalar(query);
}

static int64_t rows_of_topic(const char *condition)
{
    char query[1024];
    snprintf(query, sizeof(query),
             "SELECT count(*) FROM spendlog.spend_logs JOIN spendlog.kafka_offsets"
             " USING (partition_id) WHERE topic = '%s' AND %s",
             topic, condition);
    return scalar(query);
}

static void expect_counts(int64_t rows, int64_t duplicates, int64_t rejected, int64_t skipped)
{
    assert_int_equal(of_topic("rows"), rows);
    assert_int_equal(of_topic("duplicates"), duplicates);
    assert_int_equal(of_topic("rejected"), rejected);
    assert_int_equal(of_topic("skipped"), skipped);
    assert_int_equal(of_topic("records"), rows + duplicates + rejected + skipped);
    assert_int_equal(rows_of_topic("true"), rows);
}

/* The writer of another process: nothing in memory. */
static void begin_again(struct world *w)
{
    writer_free(w->writer);
    w->writer = writer_make("spendlog lane 0", 500);
    batch_reset(&w->batch);
}

/* --- one batch ------------------------------------------------------------------------------ */

static void a_batch_is_stored_with_its_offsets_and_counts(void **state)
{
    struct world *w = *state;
    add_rows(&w->batch, &w->p[0], first, 100);
    add_rows(&w->batch, &w->p[1], first + 100, 50);
    add_skip(&w->batch, &w->p[1]);
    add_skip(&w->batch, &w->p[1]);
    add_reject(&w->batch, &w->p[0], "not JSON \xff");
    commit_or_fail(w->writer, &w->batch);

    expect_counts(150, 0, 1, 2);
    assert_int_equal(of_topic("messages"), 153);
    assert_int_equal(w->p[0].next_offset, 101);
    assert_int_equal(w->p[1].next_offset, 52);
    assert_int_equal(of_topic("next_offset"), 153);
    assert_int_equal(rows_of_topic("price_book_id IN (SELECT price_book_id FROM "
                                   "spendlog.price_books WHERE book_hash = '" BOOK_A "')"),
                     150);
    assert_int_equal(rows_of_topic("(kafka_offset, partition) IN ((0, 0), (99, 0), (49, 1))"), 3);
    assert_int_equal(rows_of_topic("batch_id IN (SELECT batch_id FROM spendlog.ingest_batches b"
                                   " WHERE b.rows = 150 AND b.rejected = 1 AND b.skipped = 2"
                                   " AND b.member = 'spendlog lane 0'"
                                   " AND cardinality(b.partition_ids) = 2)"),
                     150);
}

static void partitions_go_on_where_they_stopped(void **state)
{
    struct world *w = *state;
    struct partition_state again;
    add_rows(&w->batch, &w->p[0], first, 10);
    commit_or_fail(w->writer, &w->batch);
    batch_reset(&w->batch);
    add_rows(&w->batch, &w->p[0], first + 10, 10);
    commit_or_fail(w->writer, &w->batch);
    expect_counts(20, 0, 0, 0);
    partition_load(w->writer, topic, 0, &again);
    assert_int_equal(again.id, w->p[0].id);
    assert_int_equal(again.incarnation, 1);
    assert_int_equal(again.next_offset, 20);
    assert_int_equal(again.last_hash, 20);
    assert_int_equal(again.last_time_ms, BASE_US / 1000 + 20);
}

static void a_batch_without_rows_moves_the_offsets_only(void **state)
{
    struct world *w = *state;
    int64_t batches = scalar("SELECT count(*) FROM spendlog.ingest_batches");
    add_skip(&w->batch, &w->p[0]);
    commit_or_fail(w->writer, &w->batch);
    expect_counts(0, 0, 0, 1);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.ingest_batches"), batches);
}

static void rejected_records_are_kept_with_reason_and_payload(void **state)
{
    struct world *w = *state;
    char query[512];
    add_reject(&w->batch, &w->p[1], "unexpected end \xff");
    commit_or_fail(w->writer, &w->batch);
    snprintf(query, sizeof(query),
             "SELECT count(*) FROM spendlog.rejected_events WHERE partition_id = %lld"
             " AND kafka_offset = 0 AND reason = 'bad_json' AND byte = 3 AND payload_bytes = 7"
             " AND payload = '{broken' AND detail = 'unexpected end ?' AND resolved_at IS NULL",
             (long long)w->p[1].id);
    assert_int_equal(scalar(query), 1);
}

static void skipped_reasons_are_counted_per_member(void **state)
{
    struct world *w = *state;
    static const char query[] = "SELECT coalesce(sum(count), 0) FROM spendlog.ingest_counters"
                                " WHERE counter = 'skipped_no_mapping' AND group_id = 'g'"
                                " AND member = 'spendlog lane 0'";
    int64_t before = scalar(query);
    add_skip(&w->batch, &w->p[0]);
    add_skip(&w->batch, &w->p[0]);
    commit_or_fail(w->writer, &w->batch);
    assert_int_equal(scalar(query), before + 2);
}

/* Two thousand rows over 40 days, in no order. */
static void rows_of_many_days_find_their_partitions(void **state)
{
    struct world *w = *state;
    for (uint64_t i = 0; i < 2000; i++) {
        const struct sample sample = {
            .identity = first + i, .start_us = BASE_US - (int64_t)(i * 7919 % 40) * CLOCK_DAY_US};
        add_row(&w->batch, &w->p[0], &sample);
    }
    commit_or_fail(w->writer, &w->batch);
    expect_counts(2000, 0, 0, 0);
    assert_int_equal(scalar("SELECT count(*) FROM pg_inherits WHERE inhparent ="
                            " 'spendlog.stored_rows'::regclass"),
                     40);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.stored_rows l JOIN pg_class c ON"
                            " c.oid = l.tableoid WHERE c.relname <>"
                            " 'spend_logs_' || to_char(l.start_time, 'YYYYMMDD')"),
                     0);
}

static void what_was_stored_reads_back(void **state)
{
    struct world *w = *state;
    struct buf query;
    struct arena arena;
    struct facts facts;
    struct err err = {0};
    struct pg pg;
    struct money spend;
    bool has;
    const struct pg_options options = {.conninfo = conninfo_of("reader"),
                                       .application_name = "test"};
    const struct sample sample = {
        .identity = first, .start_us = BASE_US + 123456, .model = "model \xe2\x82\xac"};
    add_row(&w->batch, &w->p[0], &sample);
    commit_or_fail(w->writer, &w->batch);

    arena_init(&arena, 1 << 16);
    buf_init(&query, 1 << 16);
    buf_add_text(&query, "SELECT spend, ");
    row_facts_columns(&query);
    buf_printf(&query, " FROM spendlog.spend_logs WHERE partition_id = %lld",
               (long long)w->p[0].id);
    buf_add_char(&query, '\0');
    assert_true(pg_open(&pg, &options, &err));
    PGresult *res = pg_query(&pg, query.p, NULL, &err);
    assert_non_null(res);
    assert_int_equal(PQntuples(res), 1);
    const struct row_field field = {PQgetvalue(res, 0, 0), PQgetlength(res, 0, 0)};
    assert_true(copy_money(&field, &has, &spend, &err));
    assert_true(has);
    assert_true(spend.atto == 1000000000000);
    assert_true(row_facts_of_result(res, 0, 1, &arena, &facts, &err));
    assert_int_equal(facts_int(&facts, FACT_STARTED_AT), BASE_US + 123456);
    assert_int_equal(facts_int(&facts, FACT_INPUT_TOKENS), 10);
    assert_true(slice_is(facts_text(&facts, FACT_MODEL), "model \xe2\x82\xac"));
    assert_false(facts_has(&facts, FACT_OUTPUT_TOKENS));
    PQclear(res);
    pg_close(&pg);
    buf_free(&query);
    arena_free(&arena);
}

/* --- duplicates ----------------------------------------------------------------------------- */

static void a_resend_in_the_batch_is_a_duplicate(void **state)
{
    struct world *w = *state;
    add_rows(&w->batch, &w->p[0], first, 10);
    add_rows(&w->batch, &w->p[1], first + 5, 10);
    commit_or_fail(w->writer, &w->batch);
    expect_counts(15, 5, 0, 0);
    assert_int_equal(of_topic("conflicts"), 0);
}

static void a_resend_to_the_same_writer_is_a_duplicate(void **state)
{
    struct world *w = *state;
    add_rows(&w->batch, &w->p[0], first, 10);
    commit_or_fail(w->writer, &w->batch);
    batch_reset(&w->batch);
    add_rows(&w->batch, &w->p[1], first, 12);
    commit_or_fail(w->writer, &w->batch);
    expect_counts(12, 10, 0, 0);
}

static void a_resend_to_another_writer_is_a_duplicate(void **state)
{
    struct world *w = *state;
    add_rows(&w->batch, &w->p[0], first, 1000);
    commit_or_fail(w->writer, &w->batch);
    begin_again(w);
    add_rows(&w->batch, &w->p[1], first + 990, 1000);
    add_skip(&w->batch, &w->p[1]);
    commit_or_fail(w->writer, &w->batch);
    expect_counts(1990, 10, 0, 1);
    assert_int_equal(w->batch.range[0].rows, 990);
    assert_int_equal(w->batch.range[0].duplicates, 10);
    assert_int_equal(rows_of_topic("partition = 0 AND kafka_offset >= 990"), 10);
}

static void a_whole_batch_of_duplicates_is_none_the_worse(void **state)
{
    struct world *w = *state;
    add_rows(&w->batch, &w->p[0], first, 500);
    commit_or_fail(w->writer, &w->batch);
    begin_again(w);
    add_rows(&w->batch, &w->p[1], first, 500);
    commit_or_fail(w->writer, &w->batch);
    expect_counts(500, 500, 0, 0);
    assert_int_equal(w->p[1].next_offset, 500);
}

/* Found in the batch, in memory, in the table: the same answer. */
static void another_content_is_a_conflict_and_the_first_stays(void **state)
{
    struct world *w = *state;
    const struct sample one = {
        .identity = first, .start_us = BASE_US, .content_hash = 1, .model = "one"};
    const struct sample other = {
        .identity = first, .start_us = BASE_US, .content_hash = 2, .model = "other"};
    add_row(&w->batch, &w->p[0], &one);
    add_row(&w->batch, &w->p[0], &other);
    commit_or_fail(w->writer, &w->batch);
    assert_int_equal(of_topic("conflicts"), 1);
    batch_reset(&w->batch);
    add_row(&w->batch, &w->p[0], &other);
    commit_or_fail(w->writer, &w->batch);
    assert_int_equal(of_topic("conflicts"), 2);
    begin_again(w);
    add_row(&w->batch, &w->p[1], &other);
    commit_or_fail(w->writer, &w->batch);
    assert_int_equal(of_topic("conflicts"), 3);

    expect_counts(1, 3, 0, 0);
    assert_int_equal(rows_of_topic("model = 'one'"), 1);
    char query[256];
    snprintf(query, sizeof(query),
             "SELECT count(*) FROM spendlog.ingest_conflicts WHERE partition_id IN (%lld, %lld)"
             " AND content_hash = 2 AND stored_content_hash = 1",
             (long long)w->p[0].id, (long long)w->p[1].id);
    assert_int_equal(scalar(query), 3);
}

/* Other mappings read a partly stored message again from its first record: then a record comes
 * twice, and what was noted of it stays one. */
static void a_conflict_that_comes_again_is_noted_once(void **state)
{
    struct world *w = *state;
    const struct sample one = {
        .identity = first, .start_us = BASE_US, .content_hash = 1, .model = "one"};
    struct sample other = {
        .identity = first, .start_us = BASE_US, .content_hash = 2, .model = "other"};
    add_row(&w->batch, &w->p[0], &one);
    add_row(&w->batch, &w->p[0], &other);
    commit_or_fail(w->writer, &w->batch);

    batch_reset(&w->batch);
    add_row(&w->batch, &w->p[0], &other);
    w->batch.rows[0].kafka_offset--; /* as before */
    other.content_hash = 3;
    add_row(&w->batch, &w->p[0], &other); /* and one more, which is new */
    commit_or_fail(w->writer, &w->batch);
    expect_counts(1, 3, 0, 0);
    assert_int_equal(w->batch.range[0].conflicts, 1);
    assert_int_equal(of_topic("conflicts"), 2); /* as many as are listed: verify compares them */
    char query[256];
    snprintf(query, sizeof(query),
             "SELECT count(*) FROM spendlog.ingest_conflicts WHERE partition_id = %lld"
             " AND (kafka_offset, content_hash) IN ((1, 2), (3, 3))",
             (long long)w->p[0].id);
    assert_int_equal(scalar(query), 2);
}

static void the_same_identity_at_another_time_of_its_own_is_another_call(void **state)
{
    struct world *w = *state;
    const struct sample one = {.identity = first, .start_us = BASE_US};
    const struct sample other = {.identity = first, .start_us = BASE_US + 1};
    add_row(&w->batch, &w->p[0], &one);
    add_row(&w->batch, &w->p[0], &other);
    commit_or_fail(w->writer, &w->batch);
    expect_counts(2, 0, 0, 0);
}

static void an_identity_with_kafkas_time_is_guarded(void **state)
{
    struct world *w = *state;
    const struct sample one = {
        .identity = first, .start_us = BASE_US, .content_hash = 1, .time_source = TIME_KAFKA};
    const struct sample later = {.identity = first,
                                 .start_us = BASE_US + 1000,
                                 .content_hash = 1,
                                 .time_source = TIME_KAFKA};
    const struct sample conflict = {.identity = first,
                                    .start_us = BASE_US + 2000,
                                    .content_hash = 9,
                                    .time_source = TIME_KAFKA};
    add_row(&w->batch, &w->p[0], &one);
    add_row(&w->batch, &w->p[0], &later);
    commit_or_fail(w->writer, &w->batch);
    expect_counts(1, 1, 0, 0);
    begin_again(w);
    add_row(&w->batch, &w->p[1], &later);
    add_row(&w->batch, &w->p[1], &conflict);
    add_row(&w->batch, &w->p[1], &one);
    commit_or_fail(w->writer, &w->batch);
    expect_counts(1, 4, 0, 0);
    assert_int_equal(of_topic("conflicts"), 1);
}

struct mirror {
    struct writer *writer;
    struct batch batch;
    struct partition_state state;
    uint64_t first;
    struct err err;
};

static void *mirror_run(void *context)
{
    struct mirror *m = context;
    for (unsigned i = 0; i < 30; i++) {
        batch_reset(&m->batch);
        add_rows(&m->batch, &m->state, m->first + i * 200, 300); /* 100 overlap the next ones */
        while (!writer_commit(m->writer, &m->batch, &m->err) && m->err.kind == ERR_RETRY)
            err_clear(&m->err);
        if (m->err.kind != ERR_NONE)
            break;
    }
    return NULL;
}

static void two_members_with_the_same_events_store_each_once(void **state)
{
    struct world *w = *state;
    struct mirror mirror[2] = {{.first = first}, {.first = first}};
    pthread_t thread[2];
    for (int i = 0; i < 2; i++) {
        mirror[i].writer = writer_make(i ? "spendlog lane 8" : "spendlog lane 9", 2000);
        mirror[i].state = w->p[i];
        batch_init(&mirror[i].batch, 1 << 20, 0, 1);
    }
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, mirror_run, &mirror[i]), 0);
    for (int i = 0; i < 2; i++) {
        pthread_join(thread[i], NULL);
        assert_string_equal(mirror[i].err.text, "");
        writer_free(mirror[i].writer);
        batch_free(&mirror[i].batch);
    }
    expect_counts(29 * 200 + 300, 2 * 30 * 300 - (29 * 200 + 300), 0, 0);
}

/* --- rows that PostgreSQL refuses ----------------------------------------------------------- */

static void a_refused_row_is_rejected_and_the_others_land(void **state)
{
    struct world *w = *state;
    char query[512];
    const struct sample bad = {.identity = first + 5000, .start_us = BASE_US, .model = "bad"};
    sql("ALTER TABLE spendlog.shared_calls ADD CONSTRAINT refuses CHECK (model <> 'bad')");
    add_rows(&w->batch, &w->p[0], first, 500);
    add_row(&w->batch, &w->p[0], &bad);
    add_rows(&w->batch, &w->p[0], first + 500, 499);
    add_row(&w->batch, &w->p[1], &bad);
    add_skip(&w->batch, &w->p[1]);
    commit_or_fail(w->writer, &w->batch);
    sql("ALTER TABLE spendlog.shared_calls DROP CONSTRAINT refuses");

    expect_counts(999, 0, 2, 1);
    assert_int_equal(w->batch.range[0].rejected, 1);
    snprintf(query, sizeof(query),
             "SELECT count(*) FROM spendlog.rejected_events WHERE reason = 'database_refused'"
             " AND detail LIKE '%%refuses%%23514%%'"
             " AND (partition_id, kafka_offset) IN ((%lld, 500), (%lld, 0))",
             (long long)w->p[0].id, (long long)w->p[1].id);
    assert_int_equal(scalar(query), 2);
}

static void add_of_class_42(const char *class, int64_t failures, void *context)
{
    if (strcmp(class, "42") == 0)
        *(int64_t *)context += failures;
}

/* Deltas that are never merged cost every question more: an operator has to hear of it. */
static void sums_that_cannot_be_merged_are_told(void **state)
{
    struct world *w = *state;
    char text[4096];
    int64_t before = 0, after = 0;
    add_rows(&w->batch, &w->p[0], first, 5);
    commit_or_fail(w->writer, &w->batch);
    sql("REVOKE EXECUTE ON FUNCTION spendlog.sums_compact(integer) FROM spendlog_writer");
    pg_count_each(add_of_class_42, &before);
    FILE *file = tmpfile();
    assert_non_null(file);
    fflush(stderr);
    int saved = dup(STDERR_FILENO);
    dup2(fileno(file), STDERR_FILENO);
    writer_idle(w->writer);
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    sql("GRANT EXECUTE ON FUNCTION spendlog.sums_compact(integer) TO spendlog_writer");
    assert_non_null(strstr(text, " warn  sums stay unmerged for now: "));
    assert_non_null(strstr(text, "[42501]"));
    pg_count_each(add_of_class_42, &after);
    assert_int_equal(after, before + 1); /* spendlog_postgres_errors_total */
}

/* Triggers of others say no as they like. */
static void a_row_that_a_trigger_refuses_is_rejected_alone(void **state)
{
    struct world *w = *state;
    static const char *const ways[] = {
        "RAISE EXCEPTION 'not this one'",
        "RAISE EXCEPTION 'not this one' USING ERRCODE = '45000'",
        "RAISE division_by_zero USING MESSAGE = 'not this one'",
        "RETURN NULL",
    };
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        char text[512];
        snprintf(text, sizeof(text),
                 "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                 " IF NEW.kafka_offset %% 100 = 7 THEN %s; END IF; RETURN NEW; END $$;"
                 " CREATE TRIGGER refuse BEFORE INSERT ON spendlog.stored_rows FOR EACH ROW"
                 " EXECUTE FUNCTION public.refuse()",
                 ways[i]);
        sql(text);
        add_rows(&w->batch, &w->p[0], first + (int)i * 100, 100);
        commit_or_fail(w->writer, &w->batch);
        sql("DROP TRIGGER refuse ON spendlog.stored_rows; DROP FUNCTION public.refuse()");
        assert_int_equal(w->batch.range[0].rejected, 1);
        batch_reset(&w->batch);
        expect_counts(99 * ((int)i + 1), 0, (int)i + 1, 0);
    }
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.rejected_events WHERE"
                            " reason = 'database_refused' AND kafka_offset % 100 = 7 AND"
                            " (detail LIKE 'not this one [%' OR detail LIKE '%vanish%')"),
                     4);
}

/* Lines that vanish would be missing from the sums for ever: the batch is not stored without them.
 */
static void a_batch_whose_sums_a_trigger_takes_away_is_not_stored(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    sql("CREATE FUNCTION public.take() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL;"
        " END $$; CREATE TRIGGER take BEFORE INSERT ON spendlog.spend_deltas FOR EACH ROW"
        " EXECUTE FUNCTION public.take()");
    add_rows(&w->batch, &w->p[0], first, 10);
    assert_false(writer_commit(w->writer, &w->batch, &err));
    sql("DROP TRIGGER take ON spendlog.spend_deltas; DROP FUNCTION public.take()");
    assert_int_equal(err.kind, ERR_INPUT);
    assert_non_null(strstr(err.text, "lines vanish"));
    expect_counts(0, 0, 0, 0);
    commit_or_fail(w->writer, &w->batch);
    expect_counts(10, 0, 0, 0);
}

/* A constraint that is not ours: one record must not hold up its partition, nor lose the others'
 * messages. */
static void a_refused_record_is_kept_bare_and_the_others_whole(void **state)
{
    struct world *w = *state;
    sql("ALTER TABLE spendlog.rejected_events ADD CONSTRAINT theirs"
        " CHECK (detail <> 'too long for them') NOT VALID");
    add_rows(&w->batch, &w->p[0], first, 10);
    for (int i = 0; i < 9; i++)
        add_reject(&w->batch, &w->p[0], i == 6 ? "too long for them" : "fine");
    commit_or_fail(w->writer, &w->batch);
    sql("ALTER TABLE spendlog.rejected_events DROP CONSTRAINT theirs");
    expect_counts(10, 0, 9, 0);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.rejected_events WHERE detail = 'fine'"
                            " AND payload = '{broken' AND envelope = '\\x010000006b'"
                            " AND byte = 3 AND kafka_offset <> 16"),
                     8);
    assert_int_equal(
        scalar("SELECT count(*) FROM spendlog.rejected_events WHERE kafka_offset = 16"
               " AND detail LIKE '%theirs%[23514]' AND payload IS NULL AND envelope IS NULL"
               " AND byte IS NULL AND reason = 'bad_json'"),
        1);
}

/* PostgreSQL's own words are kept with it: cut between characters, or they would be refused. */
static void long_words_of_a_refusal_are_cut_between_characters(void **state)
{
    struct world *w = *state;
    char query[256];
    for (int i = 0; i < 2; i++) { /* at an odd byte, and at an even one */
        char text[512];
        snprintf(text, sizeof(text),
                 "CREATE FUNCTION public.no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                 " IF NEW.payload IS NOT NULL THEN RAISE EXCEPTION '%s%%', repeat(U&'\\00e9', 80);"
                 " END IF; RETURN NEW; END $$;"
                 " CREATE TRIGGER no BEFORE INSERT ON spendlog.rejected_events FOR EACH ROW"
                 " EXECUTE FUNCTION public.no()",
                 i ? "aa" : "a");
        sql(text);
        add_reject(&w->batch, &w->p[i], "fine");
        commit_or_fail(w->writer, &w->batch);
        batch_reset(&w->batch);
        sql("DROP TRIGGER no ON spendlog.rejected_events; DROP FUNCTION public.no()");
    }
    snprintf(query, sizeof(query),
             "SELECT count(*) FROM spendlog.rejected_events WHERE partition_id IN (%lld, %lld)"
             " AND detail LIKE U&'%%: a%%\\00e9 [P0001]'",
             (long long)w->p[0].id, (long long)w->p[1].id);
    assert_int_equal(scalar(query), 2);
    expect_counts(0, 0, 2, 0);
}

static void a_batch_whose_records_are_refused_altogether_is_not_written(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    sql("ALTER TABLE spendlog.rejected_events ADD CONSTRAINT theirs CHECK (reason <> 'bad_json')"
        " NOT VALID");
    add_rows(&w->batch, &w->p[0], first, 10);
    add_reject(&w->batch, &w->p[0], "fine");
    assert_false(writer_commit(w->writer, &w->batch, &err));
    assert_int_equal(err.kind, ERR_INPUT);
    assert_non_null(strstr(err.text, "theirs"));
    expect_counts(0, 0, 0, 0);
    sql("ALTER TABLE spendlog.rejected_events DROP CONSTRAINT theirs");
    commit_or_fail(w->writer, &w->batch);
    expect_counts(10, 0, 1, 0);
}

/* A batch that meets a deadlock each time is given up after six tries, whole. */
static void a_batch_is_tried_six_times(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    sql("CREATE SEQUENCE public.tries; GRANT USAGE ON SEQUENCE public.tries TO public;"
        " CREATE FUNCTION public.deadlock() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        "  PERFORM nextval('public.tries');"
        "  RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '40P01'; END $$;"
        " CREATE TRIGGER deadlock BEFORE INSERT ON spendlog.rejected_events"
        " EXECUTE FUNCTION public.deadlock()");
    add_rows(&w->batch, &w->p[0], first, 10);
    add_reject(&w->batch, &w->p[0], "fine");
    assert_false(writer_commit(w->writer, &w->batch, &err));
    assert_int_equal(err.kind, ERR_RETRY);
    assert_int_equal(scalar("SELECT last_value FROM public.tries"), 6);
    expect_counts(0, 0, 0, 0);
    sql("DROP TRIGGER deadlock ON spendlog.rejected_events; DROP FUNCTION public.deadlock();"
        " DROP SEQUENCE public.tries");
    commit_or_fail(w->writer, &w->batch);
    expect_counts(10, 0, 1, 0);
}

static void refused_rows_and_duplicates_in_one_batch(void **state)
{
    struct world *w = *state;
    const struct sample bad = {.identity = first + 5000, .start_us = BASE_US, .model = "bad"};
    add_rows(&w->batch, &w->p[0], first, 100);
    commit_or_fail(w->writer, &w->batch);
    begin_again(w);
    sql("ALTER TABLE spendlog.shared_calls ADD CONSTRAINT refuses CHECK (model <> 'bad')");
    add_rows(&w->batch, &w->p[1], first + 50, 100);
    add_row(&w->batch, &w->p[1], &bad);
    commit_or_fail(w->writer, &w->batch);
    sql("ALTER TABLE spendlog.shared_calls DROP CONSTRAINT refuses");
    expect_counts(150, 50, 1, 0);
}

/* It would be taken for the first of two, and the second for its duplicate. */
static void a_refused_row_does_not_guard_its_identity(void **state)
{
    struct world *w = *state;
    const struct sample bad = {
        .identity = first, .start_us = BASE_US, .model = "bad", .time_source = TIME_KAFKA};
    const struct sample again = {
        .identity = first, .start_us = BASE_US + 1000, .time_source = TIME_KAFKA};
    sql("ALTER TABLE spendlog.shared_calls ADD CONSTRAINT refuses CHECK (model <> 'bad')");
    add_row(&w->batch, &w->p[0], &bad);
    add_rows(&w->batch, &w->p[0], first + 1, 9);
    commit_or_fail(w->writer, &w->batch);
    expect_counts(9, 0, 1, 0);
    sql("ALTER TABLE spendlog.shared_calls DROP CONSTRAINT refuses");
    begin_again(w);
    add_row(&w->batch, &w->p[1], &again);
    commit_or_fail(w->writer, &w->batch);
    expect_counts(10, 0, 1, 0);
}

/* Each would be the next to guard their identity, and be refused: twenty tries. */
static void resends_that_are_all_refused_take_no_try_each(void **state)
{
    struct world *w = *state;
    sql("ALTER TABLE spendlog.shared_calls ADD CONSTRAINT refuses CHECK (model <> 'bad');"
        "ALTER TABLE spendlog.rejected_events ADD CONSTRAINT theirs CHECK (kafka_offset <> 7"
        " OR detail LIKE 'PostgreSQL refused what is kept%') NOT VALID");
    for (int i = 0; i < 20; i++) {
        const struct sample bad = {.identity = first,
                                   .start_us = BASE_US + i * 1000,
                                   .model = i == 12 || i == 15 ? "good" : "bad",
                                   .time_source = TIME_KAFKA};
        add_row(&w->batch, &w->p[0], &bad);
    }
    commit_or_fail(w->writer, &w->batch);
    sql("ALTER TABLE spendlog.shared_calls DROP CONSTRAINT refuses;"
        "ALTER TABLE spendlog.rejected_events DROP CONSTRAINT theirs");
    expect_counts(1, 1, 18, 0);
    assert_int_equal(rows_of_topic("kafka_offset = 12"), 1);
}

static void a_day_dropped_behind_the_writers_back_is_made_again(void **state)
{
    struct world *w = *state;
    const int64_t day_us = BASE_US - 300 * CLOCK_DAY_US; /* 2024-09-18 */
    const struct sample one = {.identity = first, .start_us = day_us};
    const struct sample other = {.identity = first + 1, .start_us = day_us};
    add_row(&w->batch, &w->p[0], &one);
    commit_or_fail(w->writer, &w->batch);
    assert_int_equal(scalar("SELECT spendlog.drop_partition('2024-09-18')"), 1);
    assert_int_equal(of_topic("rows_dropped"), 1);
    batch_reset(&w->batch);
    add_row(&w->batch, &w->p[0], &other);
    commit_or_fail(w->writer, &w->batch);
    assert_int_equal(of_topic("rows"), 2);
    assert_int_equal(of_topic("rejected"), 0);
    assert_int_equal(rows_of_topic("true"), 1);
}

/* --- fencing -------------------------------------------------------------------------------- */

static void a_batch_that_starts_elsewhere_writes_nothing(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    add_rows(&w->batch, &w->p[0], first, 10);
    commit_or_fail(w->writer, &w->batch);
    w->p[0].next_offset = 0; /* a zombie: it has not seen that commit */
    batch_reset(&w->batch);
    add_rows(&w->batch, &w->p[0], first + 1000, 10);
    add_reject(&w->batch, &w->p[1], "x");
    assert_false(writer_commit(w->writer, &w->batch, &err));
    assert_int_equal(err.kind, ERR_RETRY);
    expect_counts(10, 0, 0, 0);
    assert_int_equal(w->batch.range[0].rows, 10);
    assert_int_equal(w->p[0].next_offset, 0);
}

static void after_being_fenced_a_member_goes_on_from_the_row(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    add_rows(&w->batch, &w->p[0], first, 10);
    commit_or_fail(w->writer, &w->batch);
    w->p[0].next_offset = 3;
    batch_reset(&w->batch);
    add_rows(&w->batch, &w->p[0], first + 3, 20);
    assert_false(writer_commit(w->writer, &w->batch, &err));
    partition_load(w->writer, topic, 0, &w->p[0]);
    assert_int_equal(w->p[0].next_offset, 10);
    batch_reset(&w->batch);
    add_rows(&w->batch, &w->p[0], first + 10, 20);
    commit_or_fail(w->writer, &w->batch);
    expect_counts(30, 0, 0, 0);
}

static void a_recreated_topic_begins_a_new_incarnation(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    struct partition_state old, again;
    add_rows(&w->batch, &w->p[0], first, 10);
    commit_or_fail(w->writer, &w->batch);
    old = w->p[0];
    assert_true(writer_offset_gap(w->writer, &w->p[0], true, 2, "topic recreated", &err));
    assert_int_equal(w->p[0].incarnation, 2);
    assert_int_equal(w->p[0].next_offset, 2);
    assert_int_not_equal(w->p[0].id, old.id);
    partition_load(w->writer, topic, 0, &again);
    assert_int_equal(again.id, w->p[0].id);
    assert_int_equal(again.last_time_ms, -1);

    batch_reset(&w->batch); /* who still reads the old one is fenced */
    add_rows(&w->batch, &old, first + 10, 1);
    assert_false(writer_commit(w->writer, &w->batch, &err));
    assert_int_equal(err.kind, ERR_RETRY);

    batch_reset(&w->batch);
    add_rows(&w->batch, &w->p[0], first + 20, 5);
    commit_or_fail(w->writer, &w->batch);
    expect_counts(15, 0, 0, 0);
    char query[256];
    snprintf(query, sizeof(query),
             "SELECT count(*) FROM spendlog.kafka_gaps WHERE partition_id = %lld"
             " AND next_partition_id = %lld AND stored_offset = 10 AND resumed_offset = 2",
             (long long)old.id, (long long)again.id);
    assert_int_equal(scalar(query), 1);
}

static void a_gap_in_the_log_is_booked_once(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    struct partition_state stale = w->p[0], other = w->p[0];
    other.created--; /* a database that went back has given its number again */
    assert_false(writer_offset_gap(w->writer, &other, false, 100, "log start", &err));
    assert_false(writer_offset_gap(w->writer, &other, true, 0, "topic recreated", &err));
    assert_false(writer_setback(w->writer, &other, 5, &err));
    assert_int_equal(err.kind, ERR_RETRY);
    assert_true(writer_offset_gap(w->writer, &w->p[0], false, 100, "log start", &err));
    assert_int_equal(w->p[0].next_offset, 100);
    assert_int_equal(w->p[0].incarnation, 1);
    assert_false(writer_offset_gap(w->writer, &stale, false, 100, "log start", &err));
    assert_int_equal(err.kind, ERR_RETRY);
    char query[256];
    snprintf(query, sizeof(query),
             "SELECT count(*) FROM spendlog.kafka_gaps WHERE partition_id = %lld"
             " AND stored_offset = 0 AND resumed_offset = 100",
             (long long)w->p[0].id);
    assert_int_equal(scalar(query), 1);
}

static void a_partition_can_be_looked_at_without_being_made(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    struct partition_state state9 = {.topic = topic};
    bool known;
    assert_true(writer_offset_load(w->writer, topic, 9, -1, &state9, &err));
    assert_int_equal(state9.id, 0);
    assert_true(writer_topic_known(w->writer, topic, &known, &err));
    assert_true(known);
    assert_true(writer_topic_known(w->writer, "no such topic", &known, &err));
    assert_false(known);
    assert_true(writer_offset_load(w->writer, topic, 9, 77, &state9, &err));
    assert_int_equal(state9.next_offset, 77);
    assert_int_equal(state9.last_time_ms, -1);
}

/* --- frozen members ------------------------------------------------------------------------- */

static void open_as_member(struct pg *pg, const char *name)
{
    struct err err = {0};
    const struct pg_options options = {.conninfo = conninfo_of("writer"), .application_name = name};
    if (!pg_open(pg, &options, &err))
        fail_msg("%s", err.text);
}

static bool is_gone(const struct pg *pg)
{
    char query[128];
    snprintf(query, sizeof(query), "SELECT count(*) FROM pg_stat_activity WHERE pid = %d",
             PQbackendPID(pg->conn));
    for (int i = 0; i < 50 && scalar(query) > 0; i++)
        usleep(20000);
    return scalar(query) == 0;
}

static void a_frozen_member_that_holds_our_offset_is_ended(void **state)
{
    struct world *w = *state;
    struct pg frozen;
    struct err err = {0};
    char statement[256];
    open_as_member(&frozen, "spendlog lane 7");
    snprintf(statement, sizeof(statement),
             "BEGIN; SELECT 1 FROM spendlog.kafka_offsets WHERE partition_id = %lld FOR UPDATE",
             (long long)w->p[0].id);
    assert_true(pg_command(&frozen, statement, &err));
    add_rows(&w->batch, &w->p[0], first, 10);
    commit_or_fail(w->writer, &w->batch);
    expect_counts(10, 0, 0, 0);
    assert_true(is_gone(&frozen));
    pg_close(&frozen);
}

static void a_member_frozen_within_its_copy_is_ended(void **state)
{
    struct world *w = *state;
    struct pg frozen;
    struct err err = {0};
    char row[512];
    add_rows(&w->batch, &w->p[1], first + 1000, 1); /* the day's partition is there */
    commit_or_fail(w->writer, &w->batch);
    batch_reset(&w->batch);

    open_as_member(&frozen, "spendlog lane 7");
    assert_true(pg_command(&frozen, "BEGIN", &err));
    PGresult *res = PQexec(
        frozen.conn, "COPY spendlog.stored_rows (start_time, identity, batch_id, partition_id,"
                     " kafka_offset, content_hash, price_book_id, record_index, flags,"
                     " pricing_status, mapping, time_source) FROM STDIN");
    assert_int_equal(PQresultStatus(res), PGRES_COPY_IN);
    PQclear(res);
    for (uint64_t i = 0; i < 2000; i++) { /* enough for the server to have stored the first */
        uint64_t identity = __builtin_bswap64(first + i);
        snprintf(row, sizeof(row),
                 "%s\t%016llx0000000000000000\t0\t%lld\t0\t0\t1\t0\t0\tunpriced\tm\tevent\n",
                 "2025-07-15 08:00:00", (unsigned long long)identity, (long long)w->p[0].id);
        assert_int_equal(PQputCopyData(frozen.conn, row, (int)strlen(row)), 1);
    }
    assert_int_equal(PQflush(frozen.conn), 0);
    usleep(700000); /* longer than our lock_timeout: it does not look alive */

    const struct sample same = {.identity = first, .start_us = BASE_US};
    add_row(&w->batch, &w->p[1], &same);
    commit_or_fail(w->writer, &w->batch);
    expect_counts(2, 0, 0, 0);
    assert_true(is_gone(&frozen));
    pg_close(&frozen);
}

static void a_stranger_that_holds_our_offset_is_left_alone(void **state)
{
    struct world *w = *state;
    struct pg stranger;
    struct err err = {0};
    char statement[256];
    open_as_member(&stranger, "psql");
    snprintf(statement, sizeof(statement),
             "BEGIN; SELECT 1 FROM spendlog.kafka_offsets WHERE partition_id = %lld FOR UPDATE",
             (long long)w->p[0].id);
    assert_true(pg_command(&stranger, statement, &err));
    add_rows(&w->batch, &w->p[0], first, 10);
    assert_false(writer_commit(w->writer, &w->batch, &err));
    assert_int_equal(err.kind, ERR_RETRY);
    assert_true(pg_command(&stranger, "ROLLBACK", &err));
    commit_or_fail(w->writer, &w->batch);
    expect_counts(10, 0, 0, 0);
    pg_close(&stranger);
}

/* --- days ----------------------------------------------------------------------------------- */

static void a_new_day_does_not_wait_for_open_copies(void **state)
{
    struct world *w = *state;
    struct pg busy;
    struct err err = {0};
    const struct sample old = {.identity = first, .start_us = BASE_US};
    const struct sample new = {.identity = first + 1, .start_us = BASE_US - 777 * CLOCK_DAY_US};
    add_row(&w->batch, &w->p[0], &old);
    commit_or_fail(w->writer, &w->batch);
    batch_reset(&w->batch);

    open_as_member(&busy, "busy");
    assert_true(
        pg_command(&busy, "BEGIN; COPY spendlog.stored_rows (start_time) FROM STDIN", NULL));
    int64_t before_ms = clock_monotonic_ms();
    add_row(&w->batch, &w->p[0], &new);
    commit_or_fail(w->writer, &w->batch);
    assert_true(clock_monotonic_ms() - before_ms < 400); /* our lock_timeout is 500 */
    expect_counts(2, 0, 0, 0);
    (void)err;
    pg_close(&busy);
}

/* The member that makes the partition of today drops what is older than all that is kept. */
static void with_a_new_day_old_ones_go(void **state)
{
    struct world *w = *state;
    const int64_t now_us = clock_now_us();
    const struct sample old = {.identity = first, .start_us = now_us - 1700 * CLOCK_DAY_US};
    const struct sample kept = {.identity = first + 1, .start_us = now_us - 1400 * CLOCK_DAY_US};
    const struct sample today = {.identity = first + 2, .start_us = now_us};
    sql("UPDATE spendlog.retention SET keep_days = 1500");
    add_row(&w->batch, &w->p[0], &old);
    add_row(&w->batch, &w->p[0], &kept);
    commit_or_fail(w->writer, &w->batch);
    assert_int_equal(rows_of_topic("true"), 2);
    sql("INSERT INTO spendlog.identity_guard (identity, start_time, content_hash, guarded_at) "
        "VALUES"
        " ('00000000-0000-0000-0000-0000000000ff', now(), 0, now() - interval '15 days'),"
        " ('00000000-0000-0000-0000-0000000000fe', now(), 0, now() - interval '13 days')");

    batch_reset(&w->batch);
    w->batch.retain_days = 1500;
    add_row(&w->batch, &w->p[0], &today);
    commit_or_fail(w->writer, &w->batch);
    assert_int_equal(of_topic("rows"), 3);
    assert_int_equal(of_topic("rows_dropped"), 1);
    assert_int_equal(rows_of_topic("true"), 2);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.identity_guard WHERE identity IN"
                            " ('00000000-0000-0000-0000-0000000000ff',"
                            " '00000000-0000-0000-0000-0000000000fe')"),
                     1);
}

static void a_dropped_day_is_booked(void **state)
{
    struct world *w = *state;
    const struct sample one = {.identity = first, .start_us = BASE_US - 500 * CLOCK_DAY_US};
    const struct sample other = {.identity = first + 1, .start_us = BASE_US};
    add_row(&w->batch, &w->p[0], &one);
    add_row(&w->batch, &w->p[0], &other);
    commit_or_fail(w->writer, &w->batch);
    assert_int_equal(scalar("SELECT spendlog.drop_partition('2024-03-02')"), 1);
    assert_int_equal(of_topic("rows"), 2);
    assert_int_equal(of_topic("rows_dropped"), 1);
    assert_int_equal(rows_of_topic("true"), 1);
    assert_int_equal(scalar("SELECT rows FROM spendlog.dropped_partitions WHERE day = '2024-03-02'"
                            " AND spend = 0.000001"),
                     1);
    assert_int_equal(
        scalar("SELECT count(*) FROM (SELECT spendlog.drop_partition('1999-01-01') AS d)"
               " d WHERE d.d IS NULL"),
        1);
}

/* --- connection ----------------------------------------------------------------------------- */

static struct err *err_cleared(struct err *err)
{
    err_clear(err);
    return err;
}

static void book_put(struct writer *writer)
{
    struct err err = {0};
    if (!writer_put_book(writer, BOOK_A, SLICE("{\"rules\": []}"), &err))
        fail_msg("%s", err.text);
}

static void a_cut_connection_is_noticed_and_mended(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    add_rows(&w->batch, &w->p[0], first, 10);
    sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'spendlog lane 0'");
    assert_false(writer_commit(w->writer, &w->batch, &err));
    assert_int_equal(err.kind, ERR_UNAVAILABLE);
    expect_counts(0, 0, 0, 0);
    partition_load(w->writer, topic, 0, &w->p[0]);
    batch_reset(&w->batch);
    add_rows(&w->batch, &w->p[0], first, 10);
    /* It may be another database than it was: nothing is believed of it, not even the book. */
    assert_false(writer_has_book(w->writer, BOOK_A));
    assert_false(writer_commit(w->writer, &w->batch, err_cleared(&err)));
    assert_int_equal(err.kind, ERR_RETRY);
    book_put(w->writer);
    commit_or_fail(w->writer, &w->batch);
    expect_counts(10, 0, 0, 0);
}

/* Listens at a port of its own and never answers: as a machine that is frozen. */
static int mute_server(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t bytes = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &bytes), 0);
    *port = ntohs(address.sin_port);
    return listener;
}

static void a_mute_host_does_not_hide_those_behind_it(void **state)
{
    struct err err = {0};
    struct pg pg;
    char conninfo[512];
    const char *folder = getenv("PGHOST"), *ours = getenv("PGPORT");
    int port, listener = mute_server(&port);
    (void)state;
    snprintf(conninfo, sizeof(conninfo), "%s host=127.0.0.1,%s port=%d,%s connect_timeout=2",
             conninfo_of("writer"), folder, port, ours ? ours : "5432");
    const struct pg_options options = {.conninfo = conninfo, .application_name = "test"};
    if (!pg_open(&pg, &options, &err))
        fail_msg("%s", err.text);
    assert_string_equal(PQhost(pg.conn), folder);
    pg_close(&pg);

    snprintf(conninfo, sizeof(conninfo), "%s host=127.0.0.1 port=%d connect_timeout=2",
             conninfo_of("writer"), port);
    assert_false(pg_open(&pg, &options, &err));
    assert_int_equal(err.kind, ERR_UNAVAILABLE);
    assert_non_null(strstr(err.text, "no answer in time"));
    assert_null(pg.conn);
    close(listener);
}

/* --- backends that do not answer ------------------------------------------------------------- */

static bool ask_statement(struct pg *pg, struct err *err)
{
    static const struct pg_statement one = {63, "SELECT 1"};
    PGresult *res = pg_run(pg, &one, NULL, err);
    PQclear(res);
    return res != NULL;
}

/* More than what the sockets hold: it is not even sent. */
static bool ask_much(struct pg *pg, struct err *err)
{
    struct pg_args args;
    pg_args_init(&args);
    char *text = calloc(1, 32u << 20);
    memset(text, 'x', 32u << 20);
    pg_arg_text(&args, (struct slice){text, 32u << 20});
    PGresult *res = pg_query(pg, "SELECT length($1::text)", &args, err);
    free(text);
    pg_args_free(&args);
    PQclear(res);
    return res != NULL;
}

static bool ask_stream(struct pg *pg, struct err *err)
{
    PGresult *row = NULL;
    bool ok =
        pg_stream(pg, "SELECT generate_series(1, 100)", NULL, err) && pg_stream_next(pg, &row, err);
    PQclear(row);
    return ok;
}

static void freeze(const struct pg *pg)
{
    assert_int_equal(kill(PQbackendPID(pg->conn), SIGSTOP), 0);
}

/* The rows do not go into the sockets. */
static bool ask_copy_in(struct pg *pg, struct err *err)
{
    struct buf rows;
    buf_init(&rows, 64u << 20);
    copy_in_start(&rows);
    for (int i = 0; i < 1000000; i++) {
        buf_add_be16(&rows, 1);
        copy_add_int8(&rows, i);
    }
    bool ok = pg_command(pg, "BEGIN; CREATE TEMP TABLE t (n bigint)", err) &&
              pg_command(pg, "COPY t FROM STDIN (FORMAT binary)", err);
    freeze(pg);
    ok = ok && pg_copy_put(pg, rows.p, rows.bytes) && PQputCopyEnd(pg->conn, NULL) == 1;
    PGresult *res = ok ? pg_receive(pg, NULL, err) : NULL;
    buf_free(&rows);
    PQclear(res);
    return res != NULL;
}

static bool ask_copy_out(struct pg *pg, struct err *err)
{
    struct copy_out copy;
    struct slice line;
    bool end = false;
    bool ok = copy_out_open(&copy, pg, "COPY (SELECT generate_series(1, 3000000)) TO STDOUT", err);
    freeze(pg);
    while (ok && !end)
        ok = copy_out_text(&copy, &line, &end, err);
    copy_out_close(&copy);
    return ok;
}

static atomic_bool stop_asked = true;

static struct frozen {
    bool (*ask)(struct pg *pg, struct err *err);
    bool within; /* it is frozen by ask() */
    unsigned statement_timeout_ms;
    const atomic_bool *stop;
    struct pg pg;
    struct err err;
    pthread_t thread;
    bool ok;
    int pid;
} frozen[] = {
    {.ask = ask_statement, .statement_timeout_ms = 1000},
    {.ask = ask_much, .statement_timeout_ms = 1000},
    {.ask = ask_stream, .statement_timeout_ms = 1000},
    {.ask = ask_copy_in, .within = true, .statement_timeout_ms = 1000},
    {.ask = ask_copy_out, .within = true, .statement_timeout_ms = 1000},
    {.ask = ask_statement, .statement_timeout_ms = 600000, .stop = &stop_asked},
};

static void *frozen_main(void *context)
{
    struct frozen *f = context;
    f->ok = f->ask(&f->pg, &f->err);
    return NULL;
}

/* Its kernel goes on: no statement_timeout and no keepalive tells of it. */
static void a_backend_that_is_frozen_holds_nobody(void **state)
{
    struct timespec until;
    (void)state;
    for (size_t i = 0; i < sizeof(frozen) / sizeof(frozen[0]); i++) {
        struct frozen *f = &frozen[i];
        const struct pg_options options = {.conninfo = conninfo_of(""),
                                           .application_name = "test",
                                           .statement_timeout_ms = f->statement_timeout_ms,
                                           .stop = f->stop};
        if (!pg_open(&f->pg, &options, &f->err))
            fail_msg("%s", f->err.text);
        f->pid = PQbackendPID(f->pg.conn);
        if (!f->within)
            freeze(&f->pg);
        assert_int_equal(pthread_create(&f->thread, NULL, frozen_main, f), 0);
    }
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    size_t ended = 0;
    for (size_t i = 0; i < sizeof(frozen) / sizeof(frozen[0]); i++) {
        bool in_time = pthread_timedjoin_np(frozen[i].thread, NULL, &until) == 0;
        ended += in_time;
        kill(frozen[i].pid, SIGCONT);
        if (!in_time)
            pthread_join(frozen[i].thread, NULL);
    }
    for (size_t i = 0; i < sizeof(frozen) / sizeof(frozen[0]); i++) {
        struct frozen *f = &frozen[i];
        assert_false(f->ok);
        assert_int_equal(f->err.kind, ERR_UNAVAILABLE);
        if (!strstr(f->err.text, "no answer in time"))
            fail_msg("%zu: %s", i, f->err.text);
        assert_null(f->pg.conn);
    }
    assert_int_equal(ended, sizeof(frozen) / sizeof(frozen[0]));
}

/* --- a database that went back --------------------------------------------------------------- */

/* As if the last commits had never been: without a word to the writer, whose connection stays. */
static void go_back(const struct world *w, int64_t offset)
{
    char statement[512];
    snprintf(
        statement, sizeof(statement),
        "DELETE FROM spendlog.spend_logs WHERE partition_id = %lld AND kafka_offset >= %lld;"
        "UPDATE spendlog.kafka_offsets SET next_offset = %lld, messages = %lld, records = %lld,"
        " rows = %lld, duplicates = 0 WHERE partition_id = %lld;"
        "SELECT spendlog.sums_remake('2025-07-15', '2025-07-16')",
        (long long)w->p[0].id, (long long)offset, (long long)offset, (long long)offset,
        (long long)offset, (long long)offset, (long long)w->p[0].id);
    sql(statement);
}

static void rows_that_went_with_the_database_are_written_again(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    bool stand;
    struct partition_state *states[] = {&w->p[0], &w->p[1]};
    add_rows(&w->batch, &w->p[0], first, 100);
    commit_or_fail(w->writer, &w->batch);
    assert_true(writer_offsets_stand(w->writer, states, 2, &stand, &err));
    assert_true(stand);
    go_back(w, 40);
    assert_true(writer_offsets_stand(w->writer, states, 2, &stand, &err));
    assert_false(stand);

    batch_reset(&w->batch);
    add_rows(&w->batch, &w->p[0], first + 100, 10);
    assert_false(writer_commit(w->writer, &w->batch, &err));
    assert_int_equal(err.kind, ERR_RETRY);
    partition_load(w->writer, topic, 0, &w->p[0]);
    assert_int_equal(w->p[0].next_offset, 40);
    batch_reset(&w->batch);
    add_rows(&w->batch, &w->p[0], first + 40, 70);
    commit_or_fail(w->writer, &w->batch); /* its keys are recent ones, and their rows are gone */
    expect_counts(110, 0, 0, 0);
}

/* A resend of a row that is gone, in another partition than the one that went back. */
static void a_recent_key_without_its_row_is_no_duplicate(void **state)
{
    struct world *w = *state;
    add_rows(&w->batch, &w->p[0], first, 20);
    commit_or_fail(w->writer, &w->batch);
    go_back(w, 5);
    batch_reset(&w->batch);
    add_rows(&w->batch, &w->p[1], first, 20);
    add_rows(&w->batch, &w->p[1], first, 20);
    commit_or_fail(w->writer, &w->batch);
    expect_counts(20, 25, 0, 0);
}

static void a_number_that_means_another_book_is_not_used(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    add_rows(&w->batch, &w->p[0], first, 5);
    sql("UPDATE spendlog.price_books SET book_hash = repeat('c', 64) WHERE book_hash = '" BOOK_A
        "'");
    assert_false(writer_commit(w->writer, &w->batch, &err));
    assert_int_equal(err.kind, ERR_RETRY);
    expect_counts(0, 0, 0, 0);
    book_put(w->writer);
    commit_or_fail(w->writer, &w->batch);
    assert_int_equal(rows_of_topic("price_book_id = (SELECT price_book_id FROM"
                                   " spendlog.price_books WHERE book_hash = '" BOOK_A "')"),
                     5);
    sql("DELETE FROM spendlog.price_books WHERE book_hash = repeat('c', 64)");
}

static void a_number_that_means_another_row_is_not_used(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    char statement[160];
    add_rows(&w->batch, &w->p[0], first, 5);
    snprintf(statement, sizeof(statement),
             "UPDATE spendlog.kafka_offsets SET created_at = created_at - interval '1 us'"
             " WHERE partition_id = %lld",
             (long long)w->p[0].id);
    sql(statement);
    assert_false(writer_commit(w->writer, &w->batch, &err));
    assert_int_equal(err.kind, ERR_RETRY);
    assert_int_equal(rows_of_topic("true"), 0);
}

static void a_sequence_behind_its_numbers_is_set_forward(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    add_rows(&w->batch, &w->p[0], first, 5);
    commit_or_fail(w->writer, &w->batch);
    sql("SELECT setval('spendlog.batch_id_seq', 1, false),"
        " setval('spendlog.price_books_price_book_id_seq', 1, false),"
        " setval('spendlog.kafka_offsets_partition_id_seq', 1, false)");
    begin_again(w);
    assert_true(writer_put_book(w->writer,
                                "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd",
                                SLICE("{}"), &err));
    book_put(w->writer);
    struct partition_state fresh;
    partition_load(w->writer, topic, 9, &fresh);
    add_rows(&w->batch, &fresh, first + 100, 5);
    commit_or_fail(w->writer, &w->batch);
    expect_counts(10, 0, 0, 0);
}

static void all_sequences_to_their_beginning(void)
{
    sql("SELECT setval('spendlog.batch_id_seq', 1, false);"
        "SELECT setval(pg_get_serial_sequence(attrelid::regclass::text, attname), 1, false)"
        " FROM pg_attribute JOIN pg_class c ON c.oid = attrelid"
        " WHERE attidentity <> '' AND relnamespace = 'spendlog'::regnamespace");
}

/* A logical standby that was promoted has them at 1: nothing of what is given a number fails. */
static void numbers_of_any_table_are_given_once(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    char statement[1024];
    assert_int_equal(scalar("SELECT count(*) FROM pg_attribute JOIN pg_class c ON c.oid = attrelid"
                            " WHERE attidentity <> '' AND relnamespace = 'spendlog'::regnamespace"),
                     7);
    add_rows(&w->batch, &w->p[0], first, 5);
    commit_or_fail(w->writer, &w->batch);
    snprintf(statement, sizeof(statement),
             "INSERT INTO spendlog.kafka_setbacks (partition_id, known_offset, stored_offset,"
             " member) SELECT %lld, 2, 1, 'm' FROM generate_series(1, 40);"
             " INSERT INTO spendlog.kafka_gaps (partition_id, next_partition_id, stored_offset,"
             " resumed_offset, why) SELECT %lld, %lld, 1, 2, 'lost' FROM generate_series(1, 40)",
             (long long)w->p[1].id, (long long)w->p[1].id, (long long)w->p[1].id);
    sql(statement);
    all_sequences_to_their_beginning();
    begin_again(w);
    assert_true(writer_connect(w->writer, &err));
    assert_true(writer_setback(w->writer, &w->p[0], 9, &err));
    assert_true(writer_offset_gap(w->writer, &w->p[0], false, 7, "lost", &err));
    assert_int_equal(scalar("SELECT max(setback_id) FROM spendlog.kafka_setbacks"), 41);
}

/* Behind a pooler nothing tells that the server is another one, but that what is believed of it was
 * wrong: then its sequences are looked at, too. */
static void numbers_are_looked_at_when_what_was_believed_is_forgotten(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    add_rows(&w->batch, &w->p[0], first, 5);
    commit_or_fail(w->writer, &w->batch);
    batch_reset(&w->batch);
    all_sequences_to_their_beginning();
    add_rows(&w->batch, &w->p[0], first + 10, 5);
    assert_false(writer_commit(w->writer, &w->batch, &err));
    batch_reset(&w->batch);
    writer_forget(w->writer);
    book_put(w->writer);
    partition_load(w->writer, topic, 0, &w->p[0]);
    add_rows(&w->batch, &w->p[0], first + 10, 5);
    commit_or_fail(w->writer, &w->batch);
    expect_counts(10, 0, 0, 0);
}

/* A message of which a part is stored: its place is (offset, index). */
static void a_part_of_a_message_moves_the_index(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    struct partition_state again = {.topic = topic};
    add_rows(&w->batch, &w->p[0], first, 3);
    struct batch_range *range = &w->batch.range[0];
    range->next_offset--;
    range->messages--;
    range->next_index = 5;
    commit_or_fail(w->writer, &w->batch);
    assert_int_equal(w->p[0].next_offset, 2);
    assert_int_equal(w->p[0].next_index, 5);
    partition_load(w->writer, topic, 0, &again);
    assert_int_equal(again.next_offset, 2);
    assert_int_equal(again.next_index, 5);

    again.next_index = 4; /* whoever believes in another place writes nothing */
    batch_reset(&w->batch);
    add_rows(&w->batch, &again, first + 10, 1);
    assert_false(writer_commit(w->writer, &w->batch, &err));
    assert_int_equal(err.kind, ERR_RETRY);

    batch_reset(&w->batch);
    add_rows(&w->batch, &w->p[0], first + 10, 1);
    w->batch.range[0].next_index = 0;
    commit_or_fail(w->writer, &w->batch);
    assert_int_equal(of_topic("next_index"), 0);
    assert_int_equal(of_topic("next_offset"), 3);
    assert_int_equal(of_topic("messages"), 3);
    assert_int_equal(scalar("SELECT count(*) FROM spendlog.ingest_batches"
                            " WHERE first_indexes = '{5}' AND next_indexes = '{0}'"),
                     1);
    expect_counts(4, 0, 0, 0);
}

/* What a lane does: it can read the batch again, and keeps the messages then. */
static void a_refused_row_is_kept_with_its_message(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    char query[512];
    const struct sample bad = {.identity = first + 5000, .start_us = BASE_US, .model = "bad"};
    sql("ALTER TABLE spendlog.shared_calls ADD CONSTRAINT refuses CHECK (model <> 'bad')");
    add_rows(&w->batch, &w->p[0], first, 10);
    add_row(&w->batch, &w->p[0], &bad);
    w->batch.can_read_again = true;
    assert_false(writer_commit(w->writer, &w->batch, &err));
    assert_int_equal(err.kind, ERR_RETRY);
    assert_true(w->batch.messages_wanted);
    expect_counts(0, 0, 0, 0);

    batch_reset(&w->batch);
    w->batch.can_read_again = w->batch.keep_messages = true;
    add_rows(&w->batch, &w->p[0], first, 10);
    add_row(&w->batch, &w->p[0], &bad);
    w->batch.rows[10].message =
        batch_keep_message(&w->batch, SLICE("{bad}"), SLICE(""), 1234, true);
    commit_or_fail(w->writer, &w->batch);
    sql("ALTER TABLE spendlog.shared_calls DROP CONSTRAINT refuses");
    assert_int_equal(w->batch.refused, 1);
    snprintf(query, sizeof(query),
             "SELECT count(*) FROM spendlog.rejected_events WHERE partition_id = %lld"
             " AND payload = '{bad}' AND message_ms = 1234 AND mapping = 'litellm'"
             " AND payload_bytes = 5 AND reason = 'database_refused'",
             (long long)w->p[0].id);
    assert_int_equal(scalar(query), 1);
    expect_counts(10, 0, 1, 0);
}

static void some_duplicates_of_a_batch_are_noted_with_their_rows(void **state)
{
    struct world *w = *state;
    char query[512];
    add_rows(&w->batch, &w->p[0], first, 100);
    commit_or_fail(w->writer, &w->batch);
    batch_reset(&w->batch);
    add_rows(&w->batch, &w->p[1], first, 90);
    commit_or_fail(w->writer, &w->batch);
    snprintf(query, sizeof(query),
             "SELECT count(*) FROM spendlog.duplicate_samples d JOIN spendlog.spend_logs l"
             " USING (start_time, identity) WHERE d.partition_id = %lld",
             (long long)w->p[1].id);
    assert_int_equal(scalar(query), 16);
    snprintf(query, sizeof(query),
             "SELECT max(kafka_offset) - min(kafka_offset) FROM spendlog.duplicate_samples"
             " WHERE partition_id = %lld",
             (long long)w->p[1].id);
    assert_in_range(scalar(query), 75, 89); /* from all over the batch */
}

static void a_book_that_was_not_stored_is_a_bug_that_stops(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    assert_true(writer_put_book(w->writer,
                                "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
                                SLICE("{}"), &err));
    add_rows(&w->batch, &w->p[0], first, 1); /* of book A */
    assert_false(writer_commit(w->writer, &w->batch, &err));
    assert_int_equal(err.kind, ERR_FATAL);
}

/* An extension passes an error of another server on as XX000 with its text. */
static void errors_passed_on_are_recognized_by_their_text(void **state)
{
    static const struct {
        const char *text, *sqlstate;
        enum err_kind kind;
    } row[] = {
        {"duplicate key value violates unique constraint \"x_102012\"", "23505", ERR_INPUT},
        {"failure on connection marked as essential: 127.0.0.1:9701", "08006", ERR_UNAVAILABLE},
        {"connection to the remote node h:5 failed", "08006", ERR_UNAVAILABLE},
        {"terminating connection due to unexpected postmaster exit", "57P01", ERR_UNAVAILABLE},
        {"the database system is shutting down", "57P03", ERR_UNAVAILABLE},
        {"server closed the connection unexpectedly", "08006", ERR_UNAVAILABLE},
        {"something else is wrong", "XX000", ERR_FATAL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct pg pg;
        struct err err = {0};
        char statement[256];
        const struct pg_options options = {.conninfo = conninfo_of(""), .application_name = "test"};
        assert_true(pg_open(&pg, &options, &err));
        snprintf(statement, sizeof(statement),
                 "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'XX000', MESSAGE = '%s'; END $$",
                 row[i].text);
        assert_false(pg_command(&pg, statement, &err));
        assert_string_equal(pg.sqlstate, row[i].sqlstate);
        assert_int_equal(err.kind, row[i].kind);
        pg_close(&pg);
    }
}

int main(void)
{
#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_passed_on_are_recognized_by_their_text),
        STORE_TEST(a_batch_is_stored_with_its_offsets_and_counts),
        STORE_TEST(partitions_go_on_where_they_stopped),
        STORE_TEST(a_batch_without_rows_moves_the_offsets_only),
        STORE_TEST(rejected_records_are_kept_with_reason_and_payload),
        STORE_TEST(skipped_reasons_are_counted_per_member),
        STORE_TEST(rows_of_many_days_find_their_partitions),
        STORE_TEST(what_was_stored_reads_back),
        STORE_TEST(a_resend_in_the_batch_is_a_duplicate),
        STORE_TEST(a_resend_to_the_same_writer_is_a_duplicate),
        STORE_TEST(a_resend_to_another_writer_is_a_duplicate),
        STORE_TEST(a_whole_batch_of_duplicates_is_none_the_worse),
        STORE_TEST(another_content_is_a_conflict_and_the_first_stays),
        STORE_TEST(a_conflict_that_comes_again_is_noted_once),
        STORE_TEST(the_same_identity_at_another_time_of_its_own_is_another_call),
        STORE_TEST(an_identity_with_kafkas_time_is_guarded),
        STORE_TEST(two_members_with_the_same_events_store_each_once),
        STORE_TEST(a_refused_row_is_rejected_and_the_others_land),
        STORE_TEST(sums_that_cannot_be_merged_are_told),
        STORE_TEST(a_row_that_a_trigger_refuses_is_rejected_alone),
        STORE_TEST(a_batch_whose_sums_a_trigger_takes_away_is_not_stored),
        STORE_TEST(a_refused_record_is_kept_bare_and_the_others_whole),
        STORE_TEST(long_words_of_a_refusal_are_cut_between_characters),
        STORE_TEST(a_batch_whose_records_are_refused_altogether_is_not_written),
        STORE_TEST(a_batch_is_tried_six_times),
        STORE_TEST(refused_rows_and_duplicates_in_one_batch),
        STORE_TEST(a_refused_row_does_not_guard_its_identity),
        STORE_TEST(resends_that_are_all_refused_take_no_try_each),
        STORE_TEST(a_day_dropped_behind_the_writers_back_is_made_again),
        STORE_TEST(a_batch_that_starts_elsewhere_writes_nothing),
        STORE_TEST(after_being_fenced_a_member_goes_on_from_the_row),
        STORE_TEST(a_recreated_topic_begins_a_new_incarnation),
        STORE_TEST(a_gap_in_the_log_is_booked_once),
        STORE_TEST(a_partition_can_be_looked_at_without_being_made),
        STORE_TEST(a_frozen_member_that_holds_our_offset_is_ended),
        STORE_TEST(a_member_frozen_within_its_copy_is_ended),
        STORE_TEST(a_stranger_that_holds_our_offset_is_left_alone),
        STORE_TEST(a_new_day_does_not_wait_for_open_copies),
        STORE_TEST(with_a_new_day_old_ones_go),
        STORE_TEST(a_dropped_day_is_booked),
        STORE_TEST(a_cut_connection_is_noticed_and_mended),
        cmocka_unit_test(a_mute_host_does_not_hide_those_behind_it),
        cmocka_unit_test(a_backend_that_is_frozen_holds_nobody),
        STORE_TEST(rows_that_went_with_the_database_are_written_again),
        STORE_TEST(a_recent_key_without_its_row_is_no_duplicate),
        STORE_TEST(a_number_that_means_another_book_is_not_used),
        STORE_TEST(a_number_that_means_another_row_is_not_used),
        STORE_TEST(a_sequence_behind_its_numbers_is_set_forward),
        STORE_TEST(numbers_of_any_table_are_given_once),
        STORE_TEST(numbers_are_looked_at_when_what_was_believed_is_forgotten),
        STORE_TEST(some_duplicates_of_a_batch_are_noted_with_their_rows),
        STORE_TEST(a_part_of_a_message_moves_the_index),
        STORE_TEST(a_refused_row_is_kept_with_its_message),
        STORE_TEST(a_book_that_was_not_stored_is_a_bug_that_stops),
    };
    return cmocka_run_group_tests(tests, database_create, database_drop);
}
