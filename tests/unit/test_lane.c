/* SPDX-License-Identifier: Apache-2.0 */
/* links: run store pricing ingest */
/* fakes: clock kafka writer */
/*
 * A lane stepped turn by turn between a broker and a database in memory: every way into and out of
 * each of its states (run/lane_state.h), and that each record is written once whatever happens.
 */
#include "core/hash.h"
#include "core/utf8.h"
#include "tests/unit/lane_fixture.h"

/* --- the way of a message ------------------------------------------------------------------- */

static void a_lane_starts_when_a_broker_answers(void **state)
{
    (void)state;
    fake_kafka.fail_cluster_id = 3;
    for (int i = 0; i < 3; i++) {
        assert_true(lane_turn(world.lane));
        assert_int_equal(lane_state(world.lane), LANE_STARTING);
    }
    assert_true(lane_turn(world.lane));
    assert_int_equal(lane_state(world.lane), LANE_UNASSIGNED);
}

static void messages_become_rows_and_offsets_move_with_them(void **state)
{
    (void)state;
    append(0, 7);
    append(1, 2);
    fake_kafka_append(1, bad);
    fake_kafka_give(0, 2);
    read_out();
    expect_once(0, 0, 7);
    expect_once(1, 0, 3);
    expect_next(0, 7);
    expect_next(1, 3);
    assert_int_equal(fake_kafka_committed(0), 7);
    assert_int_equal(atomic_load(&world.group.counters.messages), 10);
    assert_int_equal(atomic_load(&world.group.counters.recoveries), 0);
    assert_true(fake_writer.place[fake_writer.place_count - 1].rejected ||
                fake_writer_count(1, 2, 0) == 1);
}

static void a_batch_is_written_when_it_is_full_or_old(void **state)
{
    (void)state;
    begin_reading(3);
    turns(2);
    assert_int_equal(fake_writer.commits, 1); /* batch_rows */
    append(0, 1);
    turns(1);
    assert_int_equal(fake_writer.commits, 1);
    turns(5); /* batch_wait_ms */
    assert_int_equal(fake_writer.commits, 2);
    expect_once(0, 0, 4);
}

/* The lane of a topic with `start: latest`. */
static void begin_latest(void)
{
    struct err err = {0};
    teardown(NULL);
    setup(NULL);
    lane_free(world.lane);
    topics_free(&world.topics);
    world.topic.start_latest = 1;
    assert_true(topics_open(&world.topics, &world.config, &err));
    lane_make();
}

static void latest_begins_at_the_end_and_partitions_added_later_at_their_beginning(void **state)
{
    (void)state;
    begin_latest();
    append(0, 5);
    fake_kafka_give(0, 1);
    read_out();
    append(0, 1);
    append(1, 2);
    fake_kafka_give(0, 2);
    turn_until(LANE_READING);
    turns(2);
    read_out();
    assert_int_equal(fake_writer_count(0, 4, 0), 0);
    expect_once(0, 5, 6);
    expect_once(1, 0, 2); /* its row was made with the topic's first */
}

/* The rows of some partitions would say that the topic was seen, and the others begin at their
 * start. */
static void latest_is_of_all_partitions_or_not_begun(void **state)
{
    (void)state;
    begin_latest();
    for (int partition = 0; partition < FAKE_PARTITIONS; partition++)
        append(partition, 5);
    for (unsigned answers = 0; answers < FAKE_PARTITIONS; answers++) {
        fake_kafka.watermarks_before = answers;
        fake_kafka.fail_watermarks = 2;
        fake_kafka_give(0, FAKE_PARTITIONS);
        turn_until(LANE_WAITING);
        for (int partition = 0; partition < FAKE_PARTITIONS; partition++)
            assert_false(fake_offsets(partition)->known);
        fake_kafka_take_away(false);
        turn_until(LANE_UNASSIGNED);
    }
    fake_kafka.watermarks_before = fake_kafka.fail_watermarks = 0;
    fake_kafka_give(0, FAKE_PARTITIONS);
    read_out();
    assert_int_equal(fake_writer.place_count, 0);
}

static void what_librdkafka_repeats_is_dropped(void **state)
{
    (void)state;
    fake_kafka.repeats = true;
    append(0, 4);
    fake_kafka_give(0, 1);
    read_out();
    expect_once(0, 0, 4);
}

static void a_message_larger_than_a_batch_is_written_in_parts(void **state)
{
    (void)state;
    world.config.batch_rows = 2; /* parts of four */
    fake_kafka_append(0, nine);
    append(0, 1);
    fake_kafka_give(0, 1);
    read_out();
    for (unsigned i = 0; i < 9; i++)
        assert_int_equal(fake_writer_count(0, 0, i), 1);
    expect_once(0, 1, 2);
    assert_true(fake_writer.commits >= 3);
}

static void a_message_in_parts_goes_on_at_the_record_where_it_broke(void **state)
{
    (void)state;
    for (int what = COMMIT_FENCED; what <= COMMIT_ANSWER_LOST; what++) {
        teardown(NULL);
        setup(NULL);
        world.config.batch_rows = 2;
        begin_reading(0);
        fake_kafka_append(0, nine);
        append(0, 1);
        fake_writer.next_commit = (enum fake_commit)what;
        read_out();
        for (unsigned i = 0; i < 9; i++)
            assert_int_equal(fake_writer_count(0, 0, i), 1);
        expect_once(0, 1, 2);
    }
}

static void a_message_in_parts_is_read_again_whole_by_other_mappings(void **state)
{
    const uint64_t ours = mappings_fingerprint(world.topics.topic[0].mappings);
    const uint64_t stored[] = {ours, 0, ours + 1}; /* 0: not known */
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        teardown(NULL);
        setup(NULL);
        world.config.batch_rows = 2;
        fake_kafka_append(0, nine);
        append(0, 1);
        *fake_offsets(0) = (struct fake_offsets){
            .known = true, .last_time_ms = -1, .next_index = 6, .mappings = stored[i]};
        fake_kafka_give(0, 1);
        read_out();
        for (unsigned index = 0; index < 9; index++)
            assert_int_equal(fake_writer_count(0, 0, index), index >= 6 || i == 2);
        expect_once(0, 1, 2);
        assert_int_equal(fake_offsets(0)->next_index, 0);
    }
}

static void a_message_is_kept_with_its_key_and_headers_or_not_at_all(void **state)
{
    const size_t most = (8u << 20) - 4; /* ENVELOPE_BYTES_MAX, and the key's length */
    char *key = calloc(1, most + 1);
    (void)state;
    for (size_t more = 0; more <= 1; more++) {
        teardown(NULL);
        setup(NULL);
        fake_kafka.envelope.key = (struct slice){key, most + more};
        fake_kafka_append(0, bad);
        fake_kafka_give(0, 1);
        read_out();
        assert_int_equal(fake_writer.place_count, 1);
        assert_int_equal(fake_writer.place[0].message_bytes, more ? 0 : strlen(bad));
        assert_int_equal(fake_writer.place[0].envelope_bytes, more ? 0 : most + 4);
    }
    free(key);
}

/* What becomes of the only record of partition 0: whether it was stored as a rejected one. */
static bool is_rejected(const char *value)
{
    size_t before = fake_writer.place_count;
    fake_kafka_append(0, value);
    read_out();
    assert_int_equal(fake_writer.place_count, before + 1);
    return fake_writer.place[before].rejected;
}

static void what_no_call_can_be_is_rejected(void **state)
{
    (void)state;
    fake_kafka_give(0, 1);
    world.config.limits.tokens = 1000;
    assert_false(is_rejected("{\"id\":1,\"m\":\"gpt-a\",\"n\":1000}"));
    assert_true(is_rejected("{\"id\":2,\"m\":\"gpt-a\",\"n\":1001}"));
    assert_int_equal(atomic_load(&world.group.counters.rejected), 1);
}

static void a_call_from_before_what_is_kept_is_rejected(void **state)
{
    (void)state;
    world.config.retain_days = 1;
    next_lane();
    fake_kafka_append(0, one);
    fake_clock_pass_ms(INT64_C(3) * 86400 * 1000);
    fake_kafka_append(0, other);
    fake_kafka_give(0, 1);
    read_out();
    assert_int_equal(fake_writer.place_count, 2);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(fake_writer.place[i].rejected, fake_writer.place[i].offset == 0);
}

static void what_is_not_a_call_is_counted_and_leaves_nothing(void **state)
{
    (void)state;
    fake_kafka_append(0, "{\"n\":1}"); /* the mapping wants an id */
    append(0, 1);
    fake_kafka_give(0, 1);
    read_out();
    assert_int_equal(atomic_load(&world.group.counters.skipped), 1);
    assert_int_equal(fake_writer.place_count, 1);
    expect_next(0, 2);
}

static void at_debug_each_row_says_which_prices_it_has(void **state)
{
    (void)state;
    char text[4096] = "";
    FILE *log = tmpfile();
    int standard_error = dup(STDERR_FILENO);
    dup2(fileno(log), STDERR_FILENO);
    assert_true(log_init("debug", "text"));
    append(0, 1);
    fake_kafka_give(0, 1);
    read_out();
    assert_true(log_init("error", "text"));
    dup2(standard_error, STDERR_FILENO);
    close(standard_error);
    rewind(log);
    text[fread(text, 1, sizeof(text) - 1, log)] = '\0';
    fclose(log);
    assert_non_null(strstr(text, "usage/0/0: request 1: priced by rule"));
    assert_non_null(strstr(text, "input_cost_per_token"));
}

/* --- rebalances ----------------------------------------------------------------------------- */

static void a_revoked_lane_writes_what_it_gathered(void **state)
{
    (void)state;
    begin_reading(2);
    turns(1);
    assert_int_equal(fake_writer.commits, 0);
    fake_kafka_take_away(false);
    turns(1);
    assert_int_equal(lane_state(world.lane), LANE_UNASSIGNED);
    expect_once(0, 0, 2);
    fake_kafka_give(0, 1);
    append(0, 1);
    turn_until(LANE_READING);
    read_out();
    expect_once(0, 0, 3);
}

/* So many messages of partition 0, of which Kafka was not told. */
static void written_by_another(int64_t messages)
{
    struct fake_offsets *of = fake_offsets(0);
    of->next = messages;
    of->last_time_ms = fake_kafka_time(0, messages - 1);
    of->last_hash = hash_xxh64(slice_of(one));
    of->last = (struct last_messages){.from = messages};
}

static void a_lane_that_lost_its_partitions_writes_nothing(void **state)
{
    (void)state;
    begin_reading(2);
    turns(1);
    written_by_another(2); /* by the member that owns it now */
    fake_kafka_take_away(true);
    turns(1);
    assert_int_equal(lane_state(world.lane), LANE_UNASSIGNED);
    assert_int_equal(fake_writer.place_count, 0);
    assert_int_equal(atomic_load(&world.group.counters.recoveries), 0); /* nor does it try */
    append(0, 1);
    fake_kafka_give(0, 1);
    turn_until(LANE_READING);
    read_out();
    assert_int_equal(fake_writer_count(0, 0, 0), 0);
    expect_once(0, 2, 3);
}

/* Each commit on the way out may fail, and each way of failing leaves the rows to the next owner.
 */
static void a_batch_that_a_revoked_lane_cannot_write_is_left_to_the_next(void **state)
{
    (void)state;
    for (int what = COMMIT_FENCED; what <= COMMIT_WANTS_MESSAGES; what++) {
        teardown(NULL);
        setup(NULL);
        begin_reading(2);
        turns(1);
        fake_writer.next_commit = (enum fake_commit)what;
        fake_kafka_take_away(false);
        turns(1);
        assert_int_equal(lane_state(world.lane), LANE_UNASSIGNED);
        assert_int_equal(fake_kafka.assigned, 0);
        fake_kafka_give(0, 1);
        turn_until(LANE_READING);
        read_out();
        expect_once(0, 0, 2);
    }
}

static void a_rebalance_finds_every_state(void **state)
{
    (void)state;
    static const enum lane_state in[] = {LANE_UNASSIGNED, LANE_WAITING, LANE_READING};
    for (size_t i = 0; i < sizeof(in) / sizeof(in[0]); i++)
        for (int way = 0; way < 3; way++) { /* given anew, taken away, lost */
            teardown(NULL);
            setup(NULL);
            append(0, 4);
            append(1, 4);
            fake_writer.away = in[i] == LANE_WAITING ? 1 : 0;
            if (in[i] != LANE_UNASSIGNED)
                fake_kafka_give(0, 2);
            turn_until(in[i]);
            turns(in[i] == LANE_READING ? 2 : 0);
            if (way > 0)
                fake_kafka_take_away(way == 2);
            else
                fake_kafka_give(1, 2);
            turns(1);
            if (way > 0)
                assert_int_equal(lane_state(world.lane), LANE_UNASSIGNED);
            fake_kafka_give(0, 3);
            turns(1);
            read_out();
            expect_once(0, 0, 4);
            expect_once(1, 0, 4);
        }
}

static void a_lane_without_partitions_is_caught_up(void **state)
{
    (void)state;
    fake_kafka_give(0, 0);
    read_out();
    assert_int_equal(lane_state(world.lane), LANE_READING);
}

static void the_group_is_joined_anew_when_the_watch_asks(void **state)
{
    (void)state;
    turn_until(LANE_UNASSIGNED);
    atomic_store(&world.group.rejoin, true);
    turns(2);
    assert_int_equal(fake_kafka.rejoins, 1);
    assert_false(atomic_load(&world.group.rejoin));
}

/* --- recovery ------------------------------------------------------------------------------- */

static void a_batch_that_was_not_written_is_read_again(void **state)
{
    (void)state;
    static const enum fake_commit ways[] = {COMMIT_FENCED, COMMIT_CUT, COMMIT_ANSWER_LOST};
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        teardown(NULL);
        setup(NULL);
        begin_reading(7);
        fake_writer.next_commit = ways[i];
        turn_until(LANE_WAITING);
        assert_int_equal(fake_kafka.assigned, 0);
        assert_int_equal(atomic_load(&world.group.counters.recoveries), 1);
        read_out();
        expect_once(0, 0, 7);
        expect_next(0, 7);
    }
}

/* Ours is 5, the gateway's 9: the alarm counts what was stored. */
static void drift_counts_a_batch_that_is_read_again_once(void **state)
{
    (void)state;
    static const enum fake_commit ways[] = {COMMIT_FENCED, COMMIT_CUT, COMMIT_WANTS_MESSAGES};
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        teardown(NULL);
        setup(NULL);
        for (int m = 0; m < 7; m++)
            fake_kafka_append(0, "{\"id\":1,\"m\":\"gpt-a\",\"n\":10,\"g\":9,\"p\":\"openai\"}");
        begin_reading(2); /* of which the gateway says nothing */
        fake_writer.next_commit = ways[i];
        turn_until(LANE_WAITING);
        assert_int_equal(drift_events(world.group.drift), 0);
        read_out();
        expect_once(0, 0, 9);
        assert_int_equal(drift_events(world.group.drift), 7);
    }
}

static void a_fenced_lane_goes_on_where_the_owner_stands(void **state)
{
    (void)state;
    begin_reading(3);
    turns(1);
    written_by_another(2); /* the owner wrote two, and died */
    turn_until(LANE_WAITING);
    read_out();
    assert_int_equal(fake_writer_count(0, 1, 0), 0);
    expect_once(0, 2, 3);
}

static void the_time_between_tries_doubles_until_a_batch_is_written(void **state)
{
    (void)state;
    append(0, 3);
    fake_writer.away = 9;
    fake_kafka_give(0, 1);
    turn_until(LANE_WAITING);
    int64_t wait_ms = BACKOFF_FIRST_MS;
    for (int i = 0; i < 8; i++) {
        int64_t from_ms = clock_monotonic_ms();
        unsigned tries = fake_writer.connects;
        while (fake_writer.connects == tries)
            turns(1);
        /* the turn that tried has waited for a message, too */
        int64_t waited_ms = clock_monotonic_ms() - from_ms;
        assert_in_range(waited_ms, wait_ms, wait_ms + 200);
        wait_ms = wait_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : wait_ms * 2;
    }
    read_out();
    expect_once(0, 0, 3);
    fake_writer.next_commit = COMMIT_CUT;
    append(0, 3);
    turn_until(LANE_WAITING);
    int64_t from_ms = clock_monotonic_ms();
    turn_until(LANE_READING);
    assert_in_range(clock_monotonic_ms() - from_ms, BACKOFF_FIRST_MS, BACKOFF_FIRST_MS + 200);
}

static void whatever_fails_on_the_way_to_an_assignment_is_tried_again(void **state)
{
    (void)state;
    unsigned *const fails[] = {&fake_kafka.fail_watermarks, &fake_kafka.fail_committed,
                               &fake_kafka.fail_assign, &fake_writer.away,
                               &fake_writer.fail_put_book};
    for (size_t i = 0; i < sizeof(fails) / sizeof(fails[0]); i++) {
        teardown(NULL);
        setup(NULL);
        *fails[i] = 2;
        append(0, 2);
        fake_kafka_give(0, 1);
        turn_until(LANE_WAITING);
        assert_int_equal(fake_kafka.assigned, 0);
        read_out();
        expect_once(0, 0, 2);
        assert_int_equal(atomic_load(&world.group.counters.recoveries), 2);
    }
}

/* PostgreSQL takes text only, and the service would end with each batch. */
static void a_member_is_named_in_text_whatever_the_path_holds(void **state)
{
    static const char *const paths[] = {"/etc/m\xfcller/spendlog.yaml", "/etc/\xe2\x82"};
    char at_a_character[4][512];
    (void)state;
    const char *kept = world.config.path;
    for (int shift = 0; shift < 4; shift++) { /* wherever it is cut */
        size_t bytes = (size_t)snprintf(at_a_character[shift], 8, "%.*s", shift, "/ab");
        while (bytes + 3 < sizeof(at_a_character[shift])) {
            memcpy(at_a_character[shift] + bytes, "\xe2\x82\xac", 3);
            bytes += 3;
        }
        at_a_character[shift][bytes] = '\0';
    }
    for (int i = 0; i < 6; i++) {
        lane_free(world.lane);
        world.config.path = i < 2 ? paths[i] : at_a_character[i - 2];
        lane_make();
        assert_true(utf8_valid(slice_of(fake_writer.member)));
        const char *lane = strstr(fake_writer.member, " lane 0");
        assert_true(lane && lane[strlen(" lane 0")] == '\0');
        assert_true(i != 0 || strstr(fake_writer.member, ":/etc/m?ller/spendlog.yaml lane 0"));
    }
    world.config.path = kept;
}

static void a_lane_that_waits_tells_why(void **state)
{
    (void)state;
    struct buf why;
    buf_init(&why, 1024);
    health_topics(&world.health, NULL, true);
    fake_writer.away = 1;
    fake_kafka_give(0, 1);
    turn_until(LANE_WAITING);
    assert_false(health_ready(&world.health, &why));
    assert_non_null(strstr(buf_slice(&why).p, "no server"));
    read_out();
    buf_reset(&why);
    assert_true(health_ready(&world.health, &why));
    buf_free(&why);
}

static void messages_are_kept_for_a_while_after_a_row_was_refused(void **state)
{
    (void)state;
    begin_reading(3);
    fake_writer.next_commit = COMMIT_WANTS_MESSAGES;
    read_out();
    assert_true(fake_writer.keeps_batch);
    expect_once(0, 0, 3);
    for (int i = 0; i < 16; i++) {
        append(0, 3);
        turns(1);
        read_out();
    }
    append(0, 3);
    turns(1);
    read_out();
    assert_false(fake_writer.keeps_batch);
    expect_once(0, 0, 54);
}

/* --- ends ----------------------------------------------------------------------------------- */

static void expect_end(int exit_code, const char *text)
{
    turn_until(LANE_ENDED);
    assert_false(lane_turn(world.lane));
    assert_non_null(strstr(lane_error(world.lane)->text, text));
    unsigned commits = fake_writer.commits;
    lane_end(world.lane);
    assert_int_equal(fake_writer.commits, commits);
    assert_int_equal(atomic_load(&world.group.exit_code), exit_code);
    assert_int_equal(atomic_load(&world.group.failed), 1);
    assert_int_equal(fake_kafka.closes, 1);
}

static void a_refused_subscription_ends_the_lane(void **state)
{
    (void)state;
    fake_kafka.fail_subscribe = 1;
    expect_end(78, "subscribe");
}

static void what_only_the_operator_can_mend_ends_the_lane(void **state)
{
    (void)state;
    fake_writer.misconfigured = true;
    fake_kafka_give(0, 1);
    expect_end(78, "no such role");
}

/* What the database refuses of our own bookkeeping is tried a few times, not for ever. */
static void what_is_refused_again_and_again_ends_the_lane(void **state)
{
    (void)state;
    begin_reading(3);
    fake_writer.refuses = 5;
    read_out();
    expect_once(0, 0, 3);
    append(0, 3);
    fake_writer.refuses = 6; /* counted anew: a batch was written */
    turn_until(LANE_ENDED);
    assert_int_equal(fake_writer.refuses, 0);
    expect_end(78, "refused 6 times: violates check constraint");
    assert_int_equal(fake_writer_count(0, 3, 0), 0);
}

static void a_refused_commit_ends_the_lane_and_writes_nothing(void **state)
{
    (void)state;
    begin_reading(3);
    fake_writer.next_commit = COMMIT_REFUSED;
    expect_end(78, "permission denied");
    assert_int_equal(fake_writer.place_count, 0);
}

static void a_refused_commit_on_the_way_out_ends_the_lane(void **state)
{
    (void)state;
    begin_reading(2);
    turns(1);
    fake_writer.next_commit = COMMIT_REFUSED;
    fake_kafka_take_away(false);
    expect_end(78, "permission denied");
}

static void kafkas_errors_are_told_and_fatal_ones_end_the_lane(void **state)
{
    (void)state;
    begin_reading(2);
    fake_kafka.error = "a broker is away";
    turns(1);
    assert_int_equal(lane_state(world.lane), LANE_READING);
    fake_kafka.fatal = "fenced";
    expect_end(70, "kafka: fenced");
}

static void a_lane_that_is_stopped_writes_its_batch_and_leaves_the_group(void **state)
{
    (void)state;
    begin_reading(2);
    turns(1);
    atomic_store(&world.group.stop, true);
    assert_false(lane_turn(world.lane));
    lane_end(world.lane);
    expect_once(0, 0, 2);
    assert_int_equal(fake_kafka.closes, 1);
    assert_int_equal(atomic_load(&world.group.exit_code), 0);
}

/* After each number of turns, and with each way that a commit on the way can fail. */
static void a_stop_at_any_point_loses_and_repeats_nothing(void **state)
{
    (void)state;
    for (int what = COMMIT_DONE; what <= COMMIT_WANTS_MESSAGES; what++)
        for (unsigned at = 0; at < 24; at++) {
            teardown(NULL);
            setup(NULL);
            world.config.batch_rows = 2;
            append(0, 5);
            fake_kafka_append(0, nine);
            append(1, 5);
            fake_kafka_give(0, 2);
            turns(at / 2);
            fake_writer.next_commit = (enum fake_commit)what;
            turns(at - at / 2);
            atomic_store(&world.group.stop, true);
            next_lane();
            fake_writer.next_commit = COMMIT_DONE;
            fake_kafka_give(0, 2);
            read_out();
            expect_once(0, 0, 6);
            expect_once(1, 0, 5);
            for (unsigned i = 0; i < 9; i++)
                assert_int_equal(fake_writer_count(0, 5, i), 1);
        }
}

/* --- the end of the log --------------------------------------------------------------------- */

static void a_lane_is_caught_up_until_a_message_comes(void **state)
{
    (void)state;
    begin_reading(1);
    read_out();
    append(0, 1);
    turns(1);
    assert_int_equal(atomic_load(&world.group.caught_up), 0);
    read_out();
    expect_once(0, 0, 2);
    fake_kafka_take_away(false);
    turns(1);
    assert_int_equal(atomic_load(&world.group.caught_up), 0);
}

static void the_offset_goes_on_over_what_is_not_a_message(void **state)
{
    (void)state;
    begin_reading(1);
    fake_kafka_skip(0, 3); /* transaction markers */
    read_out();
    expect_next(0, 4);
}

static void with_exit_eof_the_last_batch_is_not_waited_for(void **state)
{
    (void)state;
    world.group.exit_eof = true;
    begin_reading(1);
    int64_t from_ms = clock_monotonic_ms();
    read_out();
    assert_true(clock_monotonic_ms() - from_ms < (int64_t)world.config.batch_wait_ms);
    expect_once(0, 0, 1);
}

/* --- a log that is another one --------------------------------------------------------------- */

static void the_message_stored_last_is_looked_at_and_not_written_again(void **state)
{
    (void)state;
    begin_reading(3);
    read_out();
    next_lane();
    append(0, 1);
    fake_kafka_give(0, 1);
    read_out();
    expect_once(0, 0, 4);
    assert_int_equal(fake_writer.gaps, 0);
}

static void a_topic_made_anew_is_a_new_incarnation(void **state)
{
    (void)state;
    for (unsigned messages = 1; messages <= 6; messages++) { /* shorter, as long, longer */
        teardown(NULL);
        setup(NULL);
        begin_reading(3);
        read_out();
        next_lane();
        fake_kafka_recreate(0);
        for (unsigned i = 0; i < messages; i++)
            fake_kafka_append(0, other);
        fake_kafka_give(0, 1);
        turn_until(LANE_READING);
        turns(1);
        read_out();
        assert_int_equal(fake_offsets(0)->incarnation, 1);
        expect_next(0, messages);
        assert_int_equal(fake_writer.gaps, 1);
        assert_int_equal(fake_writer.place_count, 3 + messages);
    }
}

/* A last message that is not kept until the batch is written, for its size. */
static void a_large_last_message_is_recognized(void **state)
{
    (void)state;
    static char value[2][(8u << 10) + 2];
    for (size_t bytes = 8u << 10; bytes <= (8u << 10) + 1; bytes++) {
        for (int same = 0; same < 2; same++) {
            teardown(NULL);
            setup(NULL);
            for (int i = 0; i < 2; i++) {
                memset(value[i], ' ', bytes);
                value[i][bytes] = '\0';
                memcpy(value[i], one, sizeof(one) - 1);
            }
            value[1][bytes - 1] = '\n';
            fake_kafka_append(0, value[0]);
            fake_kafka_give(0, 1);
            read_out();
            next_lane();
            if (!same) { /* with the same time, and but for its last byte the same message */
                fake_clock_reset();
                fake_kafka_recreate(0);
                fake_kafka_append(0, value[1]);
            }
            fake_kafka_give(0, 1);
            turn_until(LANE_READING);
            turns(1);
            read_out();
            assert_int_equal(fake_offsets(0)->incarnation, !same);
            assert_int_equal(fake_writer_count(0, 0, 0), 1 + !same);
        }
    }
}

/* Its messages follow ours without a break: only Kafka's own offsets tell. */
static void a_topic_made_anew_while_it_is_read_is_noticed_before_anything_is_written(void **state)
{
    (void)state;
    begin_reading(3);
    read_out();
    turns(1); /* Kafka's answer to the commit */
    fake_kafka_recreate(0);
    for (unsigned i = 0; i < 6; i++)
        fake_kafka_append(0, other);
    turn_until(LANE_WAITING);
    assert_int_equal(fake_writer.place_count, 3);
    assert_int_equal(atomic_load(&world.group.counters.recoveries), 0);
    turn_until(LANE_READING);
    turns(1);
    read_out();
    assert_int_equal(fake_offsets(0)->incarnation, 1);
    assert_int_equal(fake_writer.place_count, 9);
}

static void a_gap_is_booked_and_reading_goes_on(void **state)
{
    (void)state;
    world.config.kafka_gap_skip = 1;
    begin_reading(3);
    read_out();
    next_lane();
    append(0, 4);
    fake_kafka_retain(0, 5);
    fake_kafka_give(0, 1);
    turn_until(LANE_READING);
    turns(1);
    read_out();
    assert_int_equal(fake_writer.gaps, 1);
    assert_int_equal(fake_offsets(0)->incarnation, 0);
    expect_once(0, 5, 7);
    assert_int_equal(atomic_load(&world.group.counters.gaps), 1);
}

static void a_partition_with_a_gap_waits_for_the_operator_and_the_others_go_on(void **state)
{
    (void)state;
    world.config.kafka_gap_skip = 0;
    append(0, 3);
    append(1, 3);
    fake_kafka_give(0, 2);
    read_out();
    next_lane();
    append(0, 4);
    append(1, 1);
    fake_kafka_retain(0, 5);
    fake_kafka_give(0, 2);
    turn_until(LANE_READING);
    turns(1);
    read_out();
    assert_true(atomic_load(&world.group.halted));
    assert_int_equal(fake_kafka.assigned, 1);
    expect_next(0, 3);
    expect_once(1, 0, 4);
    fake_writer.next_commit = COMMIT_CUT; /* a recovery leaves it as it is */
    append(1, 1);
    turn_until(LANE_WAITING);
    read_out();
    assert_int_equal(fake_kafka.assigned, 1);
    expect_next(0, 3);
    expect_once(1, 0, 5);
}

static void a_last_message_that_is_gone_proves_nothing(void **state)
{
    (void)state;
    begin_reading(3);
    read_out();
    next_lane();
    append(0, 2);
    fake_kafka_retain(0, 3); /* the next is the first there is */
    fake_kafka_give(0, 1);
    turn_until(LANE_READING);
    turns(1);
    read_out();
    assert_int_equal(fake_writer.gaps, 0);
    expect_once(0, 0, 5);
}

static void a_topic_made_anew_is_noticed_when_its_first_message_is_stored_in_part(void **state)
{
    (void)state;
    fake_kafka_append(0, nine);
    *fake_offsets(0) =
        (struct fake_offsets){.known = true,
                              .last_time_ms = fake_kafka_time(0, 0) - 1,
                              .next_index = 6,
                              .mappings = mappings_fingerprint(world.topics.topic[0].mappings)};
    fake_kafka_give(0, 1);
    turn_until(LANE_READING);
    turns(1);
    read_out();
    assert_int_equal(fake_offsets(0)->incarnation, 1);
    for (unsigned index = 0; index < 9; index++)
        assert_int_equal(fake_writer_count(0, 0, index), 1);
}

/* The message before it was gone when the partition was assigned: that is not said of its own. */
static void a_topic_made_anew_is_noticed_when_a_part_behind_a_gone_message_is_stored(void **state)
{
    (void)state;
    begin_reading(3);
    read_out();
    next_lane();
    fake_kafka_retain(0, 3); /* the next is the first there is */
    fake_kafka_give(0, 1);
    turn_until(LANE_READING);
    turns(3);
    fake_offsets(0)->next_index = 6; /* of the next */
    fake_offsets(0)->last_time_ms = fake_kafka_time(0, 0) - 1;
    fake_offsets(0)->mappings = mappings_fingerprint(world.topics.topic[0].mappings);
    fake_kafka_recreate(0);
    for (int i = 0; i < 5; i++)
        fake_kafka_append(0, nine);
    turns(40); /* the row is not as it was: it is read again */
    read_out();
    assert_int_equal(fake_offsets(0)->incarnation, 1);
    assert_int_equal(fake_writer.place_count, 3 + 5 * 9);
}

/* After a transaction its mark stands where the last message is looked for. */
static void a_topic_made_anew_is_known_by_what_lies_before_a_mark(void **state)
{
    (void)state;
    for (unsigned messages = 4; messages <= 7; messages++) { /* all before the mark, or beyond */
        teardown(NULL);
        setup(NULL);
        append(0, 3);
        fake_kafka_skip(0, 1);
        fake_kafka_give(0, 1);
        read_out();
        expect_next(0, 4);
        next_lane();
        fake_kafka_recreate(0);
        for (unsigned i = 0; i < messages; i++) {
            if (i == 3)
                fake_kafka_skip(0, 1);
            fake_kafka_append(0, other);
        }
        fake_kafka_give(0, 1);
        turn_until(LANE_READING);
        turns(2);
        turn_until(LANE_READING);
        turns(4);
        turn_until(LANE_READING);
        read_out();
        assert_int_equal(fake_offsets(0)->incarnation, 1);
        assert_int_equal(fake_writer.place_count, 3 + messages);
    }
}

/* ... and so is the one that is still there, of which Kafka has forgotten our offsets. */
static void a_topic_that_is_the_same_is_known_by_what_lies_before_a_mark(void **state)
{
    (void)state;
    for (int marks = 1; marks <= 80; marks += 79) { /* more than is looked back */
        teardown(NULL);
        setup(NULL);
        append(0, 3);
        fake_kafka_skip(0, marks);
        fake_kafka_give(0, 1);
        read_out();
        next_lane();
        fake_kafka_forget(0);
        append(0, 2);
        fake_kafka_give(0, 1);
        turn_until(LANE_READING);
        turns(2);
        turn_until(LANE_READING);
        turns(4);
        read_out();
        assert_int_equal(fake_writer.gaps, 0);
        assert_int_equal(fake_offsets(0)->incarnation, 0);
        assert_int_equal(fake_writer.place_count, 5);
    }
}

/* A member is killed before Kafka is told, and what it stored last is compacted away: the messages
 * that are there are those that were stored before. */
static void a_last_message_that_is_compacted_away_is_no_other_topic(void **state)
{
    (void)state;
    for (unsigned stored = 2; stored <= LAST_MESSAGES_MAX + 4; stored += LAST_MESSAGES_MAX / 2) {
        for (unsigned gone = 1; gone < 2 * stored; gone++) {
            teardown(NULL);
            setup(NULL);
            world.config.batch_rows = gone < stored ? 3 : 2 * stored; /* many batches, or one */
            append(0, (int)stored);
            fake_kafka_give(0, 1);
            read_out();
            next_lane();
            fake_kafka_forget(0);
            for (unsigned i = 0; i < gone % stored; i++)
                fake_kafka_compact(0, stored - 1 - i);
            append(0, 2);
            fake_kafka_give(0, 1);
            turn_until(LANE_READING);
            turns(2);
            turn_until(LANE_READING);
            turns((int)stored + 4);
            read_out();
            assert_int_equal(fake_writer.gaps, 0);
            assert_int_equal(fake_offsets(0)->incarnation, 0);
            expect_once(0, 0, stored + 2);
        }
    }
}

/* Another topic, of which none of the messages is at our last one's place. */
static void a_topic_made_anew_is_known_by_a_message_that_was_not_there(void **state)
{
    (void)state;
    for (int what = 0; what < 2; what++) { /* at the place of one of ours, between them */
        teardown(NULL);
        setup(NULL);
        append(0, 2);
        fake_kafka_skip(0, 1);
        append(0, 1);
        fake_kafka_skip(0, 1); /* a mark */
        fake_kafka_give(0, 1);
        read_out();
        next_lane();
        fake_kafka_recreate(0);
        if (what == 0) {
            fake_kafka_skip(0, 1);
            fake_kafka_append(0, other);
            fake_kafka_skip(0, 3);
        } else {
            fake_kafka_skip(0, 2);
            fake_kafka_append(0, other);
            fake_kafka_skip(0, 2);
        }
        fake_kafka_append(0, other);
        fake_kafka_give(0, 1);
        turn_until(LANE_READING);
        turns(2);
        turn_until(LANE_READING);
        turns(4);
        turn_until(LANE_READING);
        read_out();
        assert_int_equal(fake_offsets(0)->incarnation, 1);
        assert_int_equal(fake_writer.place_count, 3 + 2);
    }
}

/* Three messages are stored and a gap up to 9 is booked; then the topic is made again. */
static void recreate_behind_a_gap(void)
{
    world.config.kafka_gap_skip = 1;
    begin_reading(3);
    read_out();
    next_lane();
    append(0, 6);
    fake_kafka_retain(0, 9);
    fake_kafka_give(0, 1);
    turn_until(LANE_READING);
    turns(1);
    read_out();
    expect_next(0, 9);
    next_lane();
    fake_kafka_recreate(0);
}

/* The log of which the start was told was deleted before the gap was booked. */
static void a_topic_made_anew_is_known_by_what_lies_before_a_gap(void **state)
{
    (void)state;
    recreate_behind_a_gap();
    for (int i = 0; i < 4; i++)
        fake_kafka_append(0, other);
    fake_kafka_skip(0, 5);
    fake_kafka_append(0, other);
    fake_kafka_give(0, 1);
    turn_until(LANE_READING);
    turns(2);
    turn_until(LANE_READING);
    turns(4);
    turn_until(LANE_READING);
    read_out();
    assert_int_equal(fake_writer.gaps, 2);
    assert_int_equal(fake_offsets(0)->incarnation, 1);
    assert_int_equal(fake_writer.place_count, 3 + 5);
}

/* A frozen member has told Kafka of the new topic what it had read of the old one: that excuses
 * what is not known, and here it is known that there was nothing. */
static void a_message_before_a_gap_is_another_topics_whatever_kafka_was_told(void **state)
{
    (void)state;
    recreate_behind_a_gap();
    fake_kafka_commit(0, 9);
    for (int i = 0; i < 10; i++)
        fake_kafka_append(0, other);
    fake_kafka_give(0, 1);
    turn_until(LANE_READING);
    turns(2);
    turn_until(LANE_READING);
    turns(10);
    read_out();
    assert_int_equal(fake_writer.gaps, 2);
    assert_int_equal(fake_offsets(0)->incarnation, 1);
    assert_int_equal(fake_writer.place_count, 3 + 10);
}

/* Nothing was read of the log that begins at 9: one that has messages before is another one. */
static void log_begins_at_nine(bool behind)
{
    teardown(NULL);
    setup(NULL);
    append(0, 12);
    *fake_offsets(0) = (struct fake_offsets){
        .known = true, .incarnation = 1, .first = 9, .next = 9, .last_time_ms = -1};
    if (behind)
        fake_kafka_retain(0, 9);
    fake_kafka_give(0, 1);
}

static void all_read_again(void)
{
    for (int i = 0; i < 4; i++) {
        turn_until(LANE_READING);
        turns(2);
    }
    read_out();
}

static void a_topic_made_anew_is_known_by_its_earlier_start(void **state)
{
    (void)state;
    log_begins_at_nine(true);
    all_read_again();
    assert_int_equal(fake_offsets(0)->incarnation, 1);
    expect_once(0, 9, 12);
    log_begins_at_nine(false);
    all_read_again();
    assert_int_equal(fake_offsets(0)->incarnation, 2);
    expect_once(0, 0, 12);
}

/* The last message is gone, and while those before it are looked at so are they, up to any of them.
 */
static void a_log_that_is_looked_at_may_lose_its_start(void **state)
{
    (void)state;
    for (unsigned come = 0; come < 5; come++)
        for (int64_t low = 1; low <= 4; low++) {
            teardown(NULL);
            setup(NULL);
            begin_reading(4);
            read_out();
            next_lane();
            fake_kafka_forget(0);
            fake_kafka_compact(0, 3);
            append(0, 2);
            fake_kafka_give(0, 1);
            turn_until(LANE_READING);
            turns(come);
            fake_kafka_retain(0, low);
            all_read_again();
            assert_int_equal(fake_offsets(0)->incarnation, 0);
            assert_int_equal(fake_writer.gaps, 0);
            expect_once(0, 4, 6);
        }
}

/* ... also if that was looked at before it was made anew, as long as none was taken. */
static void a_topic_made_anew_while_it_is_looked_at_is_noticed(void **state)
{
    (void)state;
    for (unsigned come = 0; come < 4; come++) {
        log_begins_at_nine(true);
        turns(come);
        fake_kafka_recreate(0);
        for (int i = 0; i < 12; i++)
            fake_kafka_append(0, other);
        all_read_again();
        assert_int_equal(fake_offsets(0)->incarnation, 2);
        expect_once(0, 0, 9);
    }
}

static void a_broker_that_cannot_say_where_its_log_is_is_asked_again(void **state)
{
    (void)state;
    world.config.kafka_gap_skip = 1;
    begin_reading(3);
    read_out();
    next_lane();
    append(0, 4);
    fake_kafka_retain(0, 5);
    fake_kafka.fail_watermarks = 1;
    fake_kafka_give(0, 1);
    turn_until(LANE_READING);
    turns(1);
    assert_int_equal(atomic_load(&world.group.counters.recoveries), 1);
    read_out();
    expect_once(0, 5, 7);
}

/* --- a database that is another one ---------------------------------------------------------- */

static void a_database_that_went_back_is_noticed_and_read_again(void **state)
{
    (void)state;
    begin_reading(6);
    read_out();
    fake_offsets(0)->next = 3; /* and the rows from there on are gone */
    fake_offsets(0)->last_time_ms = -1;
    fake_writer.place_count = 3;
    fake_clock_pass_ms(3000);
    turn_until(LANE_WAITING);
    fake_writer.fail_setback = 1;
    turn_until(LANE_READING);
    turns(1);
    read_out();
    expect_once(0, 0, 6);
    assert_int_equal(fake_writer.setbacks, 1);
    assert_int_equal(atomic_load(&world.group.counters.setback_messages), 3);
    assert_int_equal(fake_kafka_committed(0), 6);
}

static void a_new_incarnation_of_another_member_is_not_a_setback(void **state)
{
    (void)state;
    begin_reading(3);
    read_out();
    *fake_offsets(0) = (struct fake_offsets){.known = true, .incarnation = 1, .last_time_ms = -1};
    fake_kafka_recreate(0);
    append(0, 2);
    fake_clock_pass_ms(3000);
    turn_until(LANE_WAITING);
    turn_until(LANE_READING);
    turns(1);
    read_out();
    assert_int_equal(fake_writer.setbacks, 0);
    expect_next(0, 2);
}

/* A member that knew nothing before learns from Kafka how far the group had come. */
static void a_database_that_went_back_while_nobody_was_there_is_noticed(void **state)
{
    (void)state;
    for (int incarnation = 0; incarnation < 2; incarnation++) {
        teardown(NULL);
        setup(NULL);
        *fake_offsets(0) =
            (struct fake_offsets){.known = true, .incarnation = incarnation, .last_time_ms = -1};
        begin_reading(6);
        read_out();
        next_lane();
        fake_offsets(0)->next = 2;
        fake_offsets(0)->last_time_ms = -1;
        fake_writer.place_count = 2;
        fake_kafka_give(0, 1);
        read_out();
        assert_int_equal(fake_writer.setbacks, 1);
        assert_int_equal(atomic_load(&world.group.counters.setback_messages), 4);
        expect_once(0, 0, 6);
    }
}

/* The process that had read is gone as well: Kafka was told where it had begun. */
static void a_row_that_is_lost_is_begun_by_another_process_where_reading_had_begun(void **state)
{
    (void)state;
    for (int latest = 0; latest < 2; latest++) {
        teardown(NULL);
        setup(NULL);
        if (latest)
            begin_latest();
        append(0, 5);
        fake_kafka_give(0, 1);
        read_out();
        append(0, 4);
        read_out();
        next_lane();
        *fake_offsets(0) = *fake_offsets(1) = (struct fake_offsets){0};
        fake_offsets(2)->known = fake_offsets(3)->known = false;
        fake_writer.place_count = 0;
        append(0, 2);
        fake_kafka_give(0, 1);
        read_out();
        assert_int_equal(fake_writer_count(0, 4, 0), latest ? 0 : 1);
        expect_once(0, latest ? 5 : 0, 11);
        assert_int_equal(fake_writer.setbacks, 1);
        assert_int_equal(atomic_load(&world.group.counters.setback_messages), latest ? 4 : 9);
    }
}

/* Messages before are gone from the log by then: what is there is read. */
static void a_lost_row_is_begun_at_the_log_if_that_has_moved(void **state)
{
    (void)state;
    begin_reading(6);
    read_out();
    next_lane();
    *fake_offsets(0) = (struct fake_offsets){0};
    fake_writer.place_count = 0;
    fake_kafka_retain(0, 4);
    fake_kafka_give(0, 1);
    read_out();
    expect_once(0, 4, 6);
    assert_int_equal(atomic_load(&world.group.counters.setback_messages), 2);
}

static void a_database_that_lost_its_row_is_begun_where_reading_had_begun(void **state)
{
    (void)state;
    fake_kafka_skip(0, 2);
    fake_kafka_retain(0, 2);
    begin_reading(3);
    read_out();
    fake_kafka_retain(0, 0);
    *fake_offsets(0) = (struct fake_offsets){0};
    fake_writer.place_count = 0;
    fake_clock_pass_ms(3000);
    turn_until(LANE_WAITING);
    turn_until(LANE_READING);
    turns(1);
    read_out();
    expect_once(0, 2, 5);
    assert_int_equal(fake_offsets(0)->first, 2);
}

static void the_book_is_taken_over_between_two_batches(void **state)
{
    (void)state;
    begin_reading(2);
    turns(1);
    unsigned books = fake_writer.books;
    book_load_priced("0.7");
    append(0, 1);
    turns(1);
    assert_int_equal(fake_writer.books, books); /* a batch is under way */
    read_out();
    append(0, 1);
    turns(1);
    assert_int_equal(fake_writer.books, books + 1);
    read_out();
    fake_writer.loses_book = true;
    turns(1);
    assert_int_equal(fake_writer.books, books + 2);
    fake_writer.loses_book = true;
    fake_writer.fail_put_book = 1;
    turns(1);
    assert_int_equal(lane_state(world.lane), LANE_WAITING);
    append(0, 1);
    turn_until(LANE_READING);
    turns(1);
    read_out();
    expect_once(0, 0, 5);
}

/* --- histories ------------------------------------------------------------------------------ */

static uint32_t random_state;
static size_t produced; /* records */

static unsigned random_below(unsigned n)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (random_state >> 8) % n;
}

static void anything_happens(void)
{
    switch (random_below(14)) {
    case 0:
        fake_kafka_give((int)random_below(2), 1 + random_below(3));
        break;
    case 1:
        fake_kafka_take_away(random_below(2) == 0);
        break;
    case 2:
        fake_writer.next_commit = (enum fake_commit)random_below(COMMIT_REFUSED);
        break;
    case 3:
        fake_writer.away = random_below(3);
        break;
    case 4:
        fake_kafka.fail_committed = random_below(2);
        break;
    case 5:
        fake_kafka.fail_watermarks = random_below(2);
        break;
    case 6:
        fake_kafka.fail_assign = random_below(2);
        break;
    case 7:
        fake_kafka.repeats = random_below(2) == 0;
        break;
    case 8:
        fake_clock_pass_ms(random_below(3000));
        break;
    case 9:
        fake_writer.loses_book = true;
        break;
    case 10:
        if (random_below(4) == 0) {
            atomic_store(&world.group.stop, true);
            next_lane();
        }
        break;
    case 11:
        fake_kafka_skip((int)random_below(FAKE_PARTITIONS), 1);
        break;
    default: {
        bool many = random_below(5) == 0;
        fake_kafka_append((int)random_below(FAKE_PARTITIONS), many ? nine : one);
        produced += many ? 9 : 1;
    }
    }
}

static void every_record_is_there_once(uint32_t seed)
{
    for (size_t i = 0; i < fake_writer.place_count; i++) {
        const struct fake_place *p = &fake_writer.place[i];
        if (fake_writer_count(p->partition, p->offset, p->index) != 1)
            fail_msg("seed %u: [%d] %lld.%u twice", seed, (int)p->partition, (long long)p->offset,
                     p->index);
    }
    if (fake_writer.place_count != produced)
        fail_msg("seed %u: %zu of %zu records", seed, fake_writer.place_count, produced);
}

static void any_history_writes_every_record_once(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 400; seed++) {
        teardown(NULL);
        setup(NULL);
        random_state = seed;
        produced = 0;
        world.config.batch_rows = 1 + random_below(4);
        for (int i = 0; i < 200; i++) {
            if (random_below(3) == 0)
                anything_happens();
            if (!lane_turn(world.lane))
                fail_msg("seed %u: ended: %s", seed, lane_error(world.lane)->text);
        }
        fake_writer.next_commit = COMMIT_DONE;
        fake_kafka_give(0, FAKE_PARTITIONS);
        turns(1);
        read_out();
        every_record_is_there_once(seed);
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_lane_starts_when_a_broker_answers),
        TEST(messages_become_rows_and_offsets_move_with_them),
        TEST(a_batch_is_written_when_it_is_full_or_old),
        TEST(latest_begins_at_the_end_and_partitions_added_later_at_their_beginning),
        TEST(latest_is_of_all_partitions_or_not_begun),
        TEST(what_librdkafka_repeats_is_dropped),
        TEST(a_message_larger_than_a_batch_is_written_in_parts),
        TEST(a_message_in_parts_is_read_again_whole_by_other_mappings),
        TEST(a_message_is_kept_with_its_key_and_headers_or_not_at_all),
        TEST(a_message_in_parts_goes_on_at_the_record_where_it_broke),
        TEST(what_no_call_can_be_is_rejected),
        TEST(a_call_from_before_what_is_kept_is_rejected),
        TEST(what_is_not_a_call_is_counted_and_leaves_nothing),
        TEST(at_debug_each_row_says_which_prices_it_has),
        TEST(a_revoked_lane_writes_what_it_gathered),
        TEST(a_lane_that_lost_its_partitions_writes_nothing),
        TEST(a_batch_that_a_revoked_lane_cannot_write_is_left_to_the_next),
        TEST(a_rebalance_finds_every_state),
        TEST(a_lane_without_partitions_is_caught_up),
        TEST(the_group_is_joined_anew_when_the_watch_asks),
        TEST(a_batch_that_was_not_written_is_read_again),
        TEST(drift_counts_a_batch_that_is_read_again_once),
        TEST(a_fenced_lane_goes_on_where_the_owner_stands),
        TEST(the_time_between_tries_doubles_until_a_batch_is_written),
        TEST(whatever_fails_on_the_way_to_an_assignment_is_tried_again),
        TEST(a_lane_that_waits_tells_why),
        TEST(a_member_is_named_in_text_whatever_the_path_holds),
        TEST(messages_are_kept_for_a_while_after_a_row_was_refused),
        TEST(a_refused_subscription_ends_the_lane),
        TEST(what_only_the_operator_can_mend_ends_the_lane),
        TEST(what_is_refused_again_and_again_ends_the_lane),
        TEST(a_refused_commit_ends_the_lane_and_writes_nothing),
        TEST(a_refused_commit_on_the_way_out_ends_the_lane),
        TEST(kafkas_errors_are_told_and_fatal_ones_end_the_lane),
        TEST(a_lane_that_is_stopped_writes_its_batch_and_leaves_the_group),
        TEST(a_stop_at_any_point_loses_and_repeats_nothing),
        TEST(a_lane_is_caught_up_until_a_message_comes),
        TEST(the_offset_goes_on_over_what_is_not_a_message),
        TEST(with_exit_eof_the_last_batch_is_not_waited_for),
        TEST(the_message_stored_last_is_looked_at_and_not_written_again),
        TEST(a_topic_made_anew_is_a_new_incarnation),
        TEST(a_large_last_message_is_recognized),
        TEST(a_topic_made_anew_while_it_is_read_is_noticed_before_anything_is_written),
        TEST(a_gap_is_booked_and_reading_goes_on),
        TEST(a_partition_with_a_gap_waits_for_the_operator_and_the_others_go_on),
        TEST(a_last_message_that_is_gone_proves_nothing),
        TEST(a_topic_made_anew_is_noticed_when_its_first_message_is_stored_in_part),
        TEST(a_topic_made_anew_is_noticed_when_a_part_behind_a_gone_message_is_stored),
        TEST(a_topic_made_anew_is_known_by_what_lies_before_a_mark),
        TEST(a_topic_that_is_the_same_is_known_by_what_lies_before_a_mark),
        TEST(a_last_message_that_is_compacted_away_is_no_other_topic),
        TEST(a_topic_made_anew_is_known_by_a_message_that_was_not_there),
        TEST(a_topic_made_anew_is_known_by_what_lies_before_a_gap),
        TEST(a_message_before_a_gap_is_another_topics_whatever_kafka_was_told),
        TEST(a_topic_made_anew_is_known_by_its_earlier_start),
        TEST(a_log_that_is_looked_at_may_lose_its_start),
        TEST(a_topic_made_anew_while_it_is_looked_at_is_noticed),
        TEST(a_broker_that_cannot_say_where_its_log_is_is_asked_again),
        TEST(a_database_that_went_back_is_noticed_and_read_again),
        TEST(a_new_incarnation_of_another_member_is_not_a_setback),
        TEST(a_database_that_went_back_while_nobody_was_there_is_noticed),
        TEST(a_database_that_lost_its_row_is_begun_where_reading_had_begun),
        TEST(a_row_that_is_lost_is_begun_by_another_process_where_reading_had_begun),
        TEST(a_lost_row_is_begun_at_the_log_if_that_has_moved),
        TEST(the_book_is_taken_over_between_two_batches),
        TEST(any_history_writes_every_record_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
