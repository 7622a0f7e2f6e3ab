/* SPDX-License-Identifier: Apache-2.0 */
/* links: ingest */
/* The way of a message: frames, limits, what is refused, completion, identity. */
#include "tests/unit/mapping_fixture.h"

/* --- messages ------------------------------------------------------------------------------ */

static void frames_hold_one_several_or_no_records(void **state)
{
    (void)state;
    open_yaml("- {name: m, keep: /id, fields: {request_id: /id}}\n");
    assert_string_equal(read_text(" {\"id\":1} \n"), "request_id=1");
    assert_string_equal(read_text("[{\"id\":1},{\"x\":0},{\"id\":2}]"),
                        "request_id=1 | no_mapping | request_id=2");
    assert_string_equal(read_text("{\"id\":1}\n{\"id\":2}\r\n\n{\"x\":0}\n"),
                        "request_id=1 | request_id=2 | no_mapping");
    assert_string_equal(read_text("{\"id\":1}\n{\"id\":\n{\"id\":3}"), "request_id=1 | bad_json");
    assert_string_equal(read_text("{\"id\":1}\nxx\n{\"id\":3}"),
                        "request_id=1 | bad_json | request_id=3");
    assert_string_equal(read_text("{\"id\":1} {\"id\":2}"), "bad_json");
    assert_string_equal(read_text("[]"), "empty");
    assert_string_equal(read_text("  "), "empty");
    assert_string_equal(read_text(""), "empty");
    assert_string_equal(read_text("42"), "no_mapping");
    assert_string_equal(read_text("[{\"id\":1},{\"id\":2}"), "bad_json");
    assert_string_equal(read_text("{\"id\":1"), "bad_json");
    assert_int_equal(world.last_record.byte, 7);
    struct message tombstone = {.tombstone = true};
    world.length = world.records = 0;
    mapper_read(world.mapper, &tombstone, &world.batch, on_record, NULL);
    assert_string_equal(world.out, "empty");
}

static void a_mapping_takes_only_the_frames_it_names(void **state)
{
    (void)state;
    static const char *const frames[] = {"object", "array", "lines"};
    static const char *const messages[] = {"{\"id\":1}", "[{\"id\":1}]", "{\"id\":1}\n{\"id\":1}"};
    for (int f = 0; f < 3; f++) {
        char yaml[256];
        snprintf(yaml, sizeof yaml,
                 "- {name: m, frame: %s, keep: /id, fields: {request_id: /id}}\n", frames[f]);
        open_yaml(yaml);
        for (int m = 0; m < 3; m++)
            assert_int_equal(strncmp(read_text(messages[m]), "request_id", 10) == 0, f == m);
    }
}

static void schema_registry_framing_is_taken_off(void **state)
{
    (void)state;
    open_yaml("- {name: m, keep: /id, fields: {request_id: /id}}\n");
    assert_string_equal(read_bytes("\0\0\0\0\1{\"id\":1}", 13, 0), "request_id=1");
    assert_string_equal(read_bytes("\0\0\0\0\1 [{\"id\":1}]", 16, 0), "request_id=1");
    assert_string_equal(read_bytes("\0\0\0\0\1\2\6abc", 10, 0), "avro_or_protobuf");
    assert_string_equal(read_bytes("\0\0", 2, 0), "avro_or_protobuf");
}

static void wrappers_are_opened_when_nobody_wants_them_as_they_are(void **state)
{
    (void)state;
    static const char *const messages[] = {
        "{\"log\":\"{\\\"id\\\":1}\\n\",\"stream\":\"stdout\"}",
        "{\"message\":\"{\\\"id\\\":1}\",\"@timestamp\":\"t\"}",
        "{\"payload\":{\"before\":null,\"after\":{\"id\":1},\"op\":\"c\"}}",
        "{\"before\":null,\"after\":{\"id\":1},\"op\":\"c\"}",
        "{\"specversion\":\"1.0\",\"id2\":\"x\",\"data\":{\"id\":1}}",
        "{\"records\":[{\"properties\":\"{\\\"id\\\":1}\",\"time\":\"t\"}]}",
        "{\"value\":{\"id\":1}}",
        "{\"records\":[{\"value\":{\"id\":1}}]}",
        "{\"schema\":{},\"payload\":{\"id\":1}}",
        "{\"message\":\"{\\\"log\\\":\\\"{\\\\\\\"id\\\\\\\":1}\\\"}\"}",
    };
    open_yaml("- {name: m, keep: /id, fields: {request_id: /id}}\n");
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++)
        if (strcmp(read_text(messages[i]), "request_id=1") != 0)
            fail_msg("%s: %s", messages[i], world.out);
    assert_string_equal(read_text("{\"message\":\"plain text\"}"), "no_mapping");
    assert_string_equal(read_text("{\"message\":{\"id\":1}}"), "no_mapping");
    assert_string_equal(read_text("{\"log\":\"{\\\"id\\\":}\"}"), "no_mapping");
    assert_string_equal(read_text("{\"records\":[{\"value\":{\"id\":1}},{\"value\":{\"id\":2}}]}"),
                        "request_id=1 | request_id=2");
    assert_string_equal(read_text("{\"log\":\"[{\\\"id\\\":1},{\\\"x\\\":1}]\"}"),
                        "request_id=1 | no_mapping");
}

static void the_last_of_two_members_counts_whole(void **state)
{
    (void)state;
    open_fields("model: /u/m, input_tokens: /u/n, request_id: /id");
    assert_string_equal(
        read_text("{\"u\":{\"m\":\"x\",\"n\":1},\"id\":1,\"u\":{\"n\":2},\"id\":\"two\"}"),
        "input_tokens=2 request_id=two");
    assert_true(world.last.flags & FLAG_DUPLICATE_KEY);
    assert_string_equal(read_text("{\"u\":{\"n\":1},\"u\":null}"), "");
    assert_true(world.last.flags & FLAG_DUPLICATE_KEY);
    assert_string_equal(read_text("{\"u\":{\"n\":1,\"\\u006e\":3}}"), "input_tokens=3");
    assert_string_equal(read_text("{\"u\":{\"n\":1},\"other\":1,\"other\":2}"), "input_tokens=1");
    assert_int_equal(world.last.flags, 0);
}

static void limits_refuse_and_say_so(void **state)
{
    (void)state;
    open_fields("request_id: /id");
    size_t bytes = (8u << 20) + 1;
    char *big = malloc(bytes);
    assert_non_null(big);
    memset(big, ' ', bytes);
    memcpy(big, "{\"id\":1}", 8);
    assert_string_equal(read_bytes(big, bytes - 1, 0), "request_id=1");
    assert_string_equal(read_bytes(big, bytes, 0), "too_large");
    free(big);
    char deep[512] = "";
    for (int i = 0; i < 65; i++)
        strcat(deep, "[");
    assert_string_equal(read_text(deep), "too_deep");

    /* An exhausted arena: that record and all after it. */
    arena_free(&world.batch);
    arena_init(&world.batch, 1u << 16);
    size_t records = 60, used = 0;
    char *many = malloc(records * 2200 + 3);
    assert_non_null(many);
    many[used++] = '[';
    for (size_t i = 0; i < records; i++)
        used += (size_t)snprintf(many + used, 2200, "%s{\"id\":\"\\n%02000zu\"}", i ? "," : "", i);
    many[used++] = ']';
    const char *got = read_bytes(many, used, 0);
    assert_int_equal(world.records, records);
    assert_non_null(strstr(got, "too_large | too_large"));
    assert_true(world.batch.full);
    free(many);
}

/* --- what values are refused --------------------------------------------------------------- */

struct tally {
    unsigned events, others, refused, last_index;
    enum reason reason;
};

static void on_counted(const struct record *record, void *context)
{
    struct tally *tally = context;
    assert_int_equal(record->index, tally->events + tally->others);
    tally->last_index = record->index;
    tally->events += record->outcome == RECORD_EVENT;
    tally->others += record->outcome != RECORD_EVENT;
    tally->refused += record->outcome == RECORD_REJECTED;
    tally->reason = record->reason;
}

/* head, count times the element with a separator between, tail. */
static struct tally count_records(const char *const part[4], unsigned count)
{
    size_t bytes = strlen(part[0]) + count * (strlen(part[1]) + strlen(part[2])) + strlen(part[3]);
    char *text = malloc(bytes + 1), *p = text;
    struct tally tally = {0};
    assert_non_null(text);
    p = stpcpy(p, part[0]);
    for (unsigned i = 0; i < count; i++)
        p = stpcpy(stpcpy(p, i ? part[2] : ""), part[1]);
    stpcpy(p, part[3]);
    struct message message = {.bytes = slice_of(text)};
    arena_reset(&world.batch);
    mapper_read(world.mapper, &message, &world.batch, on_counted, &tally);
    free(text);
    return tally;
}

/* Of 100,001 the last is told, whatever way they came; of more only one is told for all. */
static void more_records_than_a_message_may_hold_are_told(void **state)
{
    (void)state;
    static const char *const ways[][4] = {
        {"[", "{\"id\":1}", ",", "]"},
        {"", "{\"id\":1}", "\n", "\n"},
        {"{\"r\":[", "{\"id\":1}", ",", "]}"},
        {"[{\"r\":[", "{\"id\":1}", ",", "]},{\"r\":[]}]"},
        {"{\"r\":[{\"s\":[", "{\"id\":1}", ",", "]}]}"},
        {"{\"records\":[", "{\"value\":{\"id\":1}}", ",", "]}"},
        {"[", "{\"x\":1}", ",", "]"},
        {"{\"x\":1}\n", "xx", "\n", ""},
    };
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        bool nested = strstr(ways[i][0], "\"s\"") != NULL, each = strstr(ways[i][0], "\"r\"");
        open_yaml(nested ? "- {name: m, unwrap: [{each: /r}, {each: /s}], keep: /id, fields: "
                           "{request_id: {const: x}}}\n"
                  : each ? "- {name: m, unwrap: [{each: /r}], keep: /id, fields: "
                           "{request_id: {const: x}}}\n"
                         : "- {name: m, keep: /id, fields: {request_id: {const: x}}}\n");
        for (unsigned more = 0; more < 3; more++) {
            unsigned beside = i == 3 || i == 7; /* records before or behind the elements */
            struct tally t = count_records(ways[i], 100000 - beside + more);
            assert_int_equal(t.events + t.others, 100000 + (more > 0));
            if (more > 0) {
                assert_int_equal(t.last_index, 100000);
                assert_int_equal(t.reason, REASON_TOO_LARGE);
            }
            if (i < 6)
                assert_int_equal(t.refused, more > 0);
        }
    }
}

/* The fact goes, the row stays and says so. */
static void an_optional_fact_that_cannot_be_read_costs_the_fact(void **state)
{
    (void)state;
    static const struct {
        const char *fields, *message, *outcome;
        unsigned flags;
    } rows[] = {
        {"provider_cost: /n", "{\"n\":{\"input_cost\":1}}", "", FLAG_FACT_DROPPED},
        {"provider_cost: /n", "{\"n\":-0.5}", "", FLAG_FACT_DROPPED},
        {"provider_cost: /n", "{\"n\":\"Infinity\"}", "", FLAG_FACT_DROPPED},
        {"provider_cost: [/n, /n/total]", "{\"n\":{\"total\":0.5}}", "provider_cost=0.5", 0},
        {"gateway_cost: /n", "{\"n\":-0.5}", "", FLAG_FACT_DROPPED},
        {"total_tokens: /n", "{\"n\":-1}", "", FLAG_FACT_DROPPED},
        {"service_tier: /n", "{\"n\":[1]}", "", FLAG_FACT_DROPPED},
        {"image_steps: /n", "{\"n\":1.5}", "", FLAG_FACT_DROPPED},
        {"cache_read_audio_tokens: /n", "{\"n\":-3}", "", FLAG_FACT_DROPPED},
        {"image_size: /n", "{\"n\":{\"w\":1}}", "", FLAG_FACT_DROPPED},
        {"background: /n", "{\"n\":\"opaque\"}", "", FLAG_FACT_DROPPED},
        {"ttft_s: /n", "{\"n\":[]}", "", FLAG_LABEL_DROPPED},
        {"provider_cost: /n", "{\"n\":null}", "", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        expect(rows[i].fields, rows[i].message, rows[i].outcome);
        assert_int_equal(world.last.flags & (FLAG_FACT_DROPPED | FLAG_LABEL_DROPPED),
                         rows[i].flags);
    }
}

/* --- a message in parts ---------------------------------------------------------------------- */

struct part {
    unsigned most, taken, next_index;
    bool split;
    char *out;
};

static void on_part(const struct record *record, void *context)
{
    struct part *part = context;
    if (part->taken == part->most) {
        assert_false(part->split); /* once stopped, nothing more is reported */
        part->split = true;
        part->next_index = record->index;
        mapper_stop(world.mapper);
        return;
    }
    part->taken++;
    part->out += sprintf(part->out, "%u:%d ", record->index, (int)record->outcome);
}

/* What is reported of a message that is read `most` records at a time. */
static const char *parts_of(const char *text, unsigned most)
{
    static char out[4096];
    struct part part = {.most = most, .out = out};
    struct message message = {.bytes = slice_of(text)};
    out[0] = '\0';
    do {
        part.split = false;
        part.taken = 0;
        arena_reset(&world.batch);
        mapper_read(world.mapper, &message, &world.batch, on_part, &part);
        message.first_index = part.next_index;
    } while (part.split);
    return out;
}

static void a_message_in_parts_gives_each_record_once(void **state)
{
    (void)state;
    static const char *const messages[] = {
        "{\"id\":1}",
        "[]",
        "[{\"id\":1},{\"x\":1},{\"id\":-1},{\"id\":2},{\"id\":3}]",
        "{\"id\":1}\n{\"id\":2}\nxx\n{\"x\":1}\n{\"id\":3}\n",
        "[{\"r\":[{\"id\":1},{\"x\":0},{\"id\":2}]},{\"r\":[]},{\"r\":[{\"id\":3},{\"id\":4}]}]",
        "[{\"value\":\"{\\\"id\\\":1}\"},{\"value\":\"[{\\\"id\\\":2},{\\\"x\\\":2}]\"},{\"id\":3}"
        "]",
    };
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        char whole[4096];
        open_yaml(
            strstr(messages[i], "\"r\"")
                ? "- {name: m, unwrap: [{each: /r}], keep: /id, fields: {input_tokens: /id}}\n"
                : "- {name: m, keep: /id, fields: {input_tokens: /id}}\n");
        strcpy(whole, parts_of(messages[i], 1000));
        assert_true(strlen(whole) > 0);
        for (unsigned most = 1; most < 6; most++)
            assert_string_equal(parts_of(messages[i], most), whole);
    }
}

static void wrappers_end_at_four(void **state)
{
    (void)state;
    open_yaml("- {name: m, keep: /id, fields: {request_id: /id}}\n");
    assert_string_equal(read_text("{\"value\":{\"value\":{\"value\":{\"value\":{\"id\":1}}}}}"),
                        "request_id=1");
    assert_string_equal(
        read_text("{\"value\":{\"value\":{\"value\":{\"value\":{\"value\":{\"id\":1}}}}}}"),
        "no_mapping");
}

static void joined_texts_end_at_the_limit_with_a_flag(void **state)
{
    (void)state;
    char message[4096];
    open_yaml("- {name: m, keep: /l, fields: {model: {join: /l, of: ''}}}\n");
    for (int count = 255; count <= 257; count += 2) {
        size_t at = (size_t)snprintf(message, sizeof message, "{\"l\":[");
        for (int i = 0; i < count; i++)
            at += (size_t)snprintf(message + at, sizeof message - at, "%s\"%c\"", i ? "," : "",
                                   'a' + i % 26);
        snprintf(message + at, sizeof message - at, "]}");
        read_text(message);
        assert_int_equal((world.last.flags & FLAG_TEXT_CUT) != 0, count > 256);
        size_t bytes = facts_text(&world.last.facts, FACT_MODEL).bytes;
        assert_int_equal(bytes, count > 256 ? 2 * 256 - 1 : 2 * count - 1);
    }
}

/* A list that a price is made from, row by row, is there as a whole or not at all. */
static void a_list_that_is_priced_is_never_half(void **state)
{
    (void)state;
    static char message[20000];
    static const struct {
        const char *word;
        int count;
        bool whole;
    } rows[] = {{"gpt", 255, true},
                {"gpt", 257, false},
                {"gpt-4.1,gpt-4.1-mini,gpt-5", 250, true},
                {"conversation.item.input_audio_transcription.completed", 250, false}};
    open_yaml("- {name: m, keep: /l, fields: {session_log: {join: /l, of: '', sep: ';'}, "
              "batch_rows: {join: /l, of: '', sep: ';'}, session_models: {join: /l, of: ''}, "
              "input_tokens: /n}}\n");
    for (size_t row = 0; row < sizeof rows / sizeof rows[0]; row++) {
        size_t at = (size_t)snprintf(message, sizeof message, "{\"n\":7,\"l\":[");
        for (int i = 0; i < rows[row].count; i++)
            at += (size_t)snprintf(message + at, sizeof message - at, "%s\"%s\"", i ? "," : "",
                                   rows[row].word);
        snprintf(message + at, sizeof message - at, "]}");
        read_text(message);
        assert_int_equal(facts_has(&world.last.facts, FACT_SESSION_LOG), rows[row].whole);
        assert_int_equal(facts_has(&world.last.facts, FACT_BATCH_ROWS), rows[row].whole);
        assert_int_equal(facts_has(&world.last.facts, FACT_SESSION_MODELS), rows[row].whole);
        assert_int_equal(facts_int(&world.last.facts, FACT_INPUT_TOKENS), 7);
        assert_int_equal(world.last.flags, rows[row].whole ? FLAG_COUNTS_CONTRADICT /* no rows */
                                                           : FLAG_TEXT_CUT | FLAG_FACT_DROPPED);
    }
}

/* Rows that are there are all of them: what they leave of the job is in no line. */
static void requests_that_do_not_come_to_their_job_are_flagged(void **state)
{
    (void)state;
    static const struct {
        const char *event;
        bool flagged;
    } rows[] = {
        {"{\"i\":3000,\"o\":300,\"l\":[\"1000,100,-\"]}", true},
        {"{\"i\":3000,\"o\":300,\"l\":[\"1000,100,-\",\"2000,200,7\"]}", false},
        {"{\"i\":3000,\"o\":300,\"l\":[\"1e3,100,-\",\"2000,-,-\"]}", true},
        {"{\"i\":3000,\"o\":100,\"l\":[\"1e3,100,-\",\"2000,-,-\"]}", false},
        {"{\"i\":3000,\"o\":300}", false},
    };
    open_fields("input_tokens: /i, output_tokens: /o, batch_rows: {join: /l, of: '', sep: ';'}");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        read_text(rows[i].event);
        assert_int_equal((world.last.flags & FLAG_COUNTS_CONTRADICT) != 0, rows[i].flagged);
    }
}

#define RUNS_AWAY "'^(a|a)*(a|a)*(a|a)*b$'"
#define MANY_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* Whether the record is an event cannot be said, or what is in it: neither is passed over. */
static void a_pattern_that_gives_up_is_told(void **state)
{
    (void)state;
    open_yaml("- {name: m, keep: {path: /m, match: " RUNS_AWAY "}, fields: {model: /m}}\n");
    assert_string_equal(read_text("{\"m\":\"c\"}"), "no_mapping");
    for (int again = 0; again < 2; again++) /* the second time from memory */
        assert_string_equal(read_text("{\"m\":\"" MANY_A "\"}"), "too_large");
    open_yaml("- {name: m, keep: /m, fields: {model: /m, region: {path: /r, match: " RUNS_AWAY
              "}}}\n");
    read_text("{\"m\":\"x\",\"r\":\"" MANY_A "\"}");
    assert_int_equal(world.last.flags, FLAG_FACT_DROPPED);
    read_text("{\"m\":\"x\",\"r\":\"aac\"}"); /* the next record's is its own */
    assert_int_equal(world.last.flags, 0);
    open_yaml("- {name: m, keep: /m, drop: {path: /m, match: " RUNS_AWAY
              "}, fields: {model: /m}}\n");
    read_text("{\"m\":\"" MANY_A MANY_A "\"}"); /* too long for the memory */
    assert_int_equal(world.last.flags, FLAG_FACT_DROPPED);
}

static void bad_values_reject_the_record_and_name_the_field(void **state)
{
    (void)state;
    static const struct {
        const char *fields, *message, *outcome;
    } rows[] = {
        {"input_tokens: /n", "{\"n\":-1}", "bad_number(input_tokens)"},
        {"input_tokens: /n", "{\"n\":1.5}", "bad_number(input_tokens)"},
        {"input_tokens: /n", "{\"n\":9223372036854775808}", "bad_number(input_tokens)"},
        {"input_tokens: /n", "{\"n\":1e400}", "bad_number(input_tokens)"},
        {"input_tokens: /n", "{\"n\":\"NaN\"}", "bad_number(input_tokens)"},
        {"input_tokens: /n", "{\"n\":\"many\"}", "bad_type(input_tokens)"},
        {"input_tokens: /n", "{\"n\":{\"a\":1}}", "bad_type(input_tokens)"},
        {"input_tokens: /n", "{\"n\":true}", "bad_type(input_tokens)"},
        {"input_tokens: /n", "{\"n\":[1]}", "bad_type(input_tokens)"},
        {"model: /n", "{\"n\":{}}", "bad_type(model)"},
        {"input_tokens: /n, cache_read_tokens: /c", "{\"n\":1,\"c\":-1}",
         "bad_number(cache_read_tokens)"},
        /* A count that does not fit has no other in its place. */
        {"output_tokens: {path: /n, default: 0}", "{\"n\":\"abc\"}", "bad_type(output_tokens)"},
        {"output_tokens: {path: /n, default: 0}", "{\"n\":{\"x\":1}}", "bad_type(output_tokens)"},
        {"input_tokens: [/a, /n]", "{\"a\":{\"x\":1},\"n\":7}", "bad_type(input_tokens)"},
        {"input_tokens: [/a, /n]", "{\"a\":\"x\",\"n\":7}", "bad_type(input_tokens)"},
        {"output_tokens: [/a, {const: 0, when: /n}]", "{\"a\":\"x\",\"n\":7}",
         "bad_type(output_tokens)"},
        {"input_tokens: {add: [/a, /n]}", "{\"a\":\"x\",\"n\":7}", "bad_type(input_tokens)"},
        {"input_tokens: {add: [/n, /a]}", "{\"a\":{},\"n\":7}", "bad_type(input_tokens)"},
        {"input_tokens: {add: [/a, /n]}", "{\"a\":-900,\"n\":1000}", "bad_number(input_tokens)"},
        {"input_tokens: {sub: [/n, /a]}", "{\"a\":-900,\"n\":1000}", "bad_number(input_tokens)"},
        {"input_tokens: {sum: /l, of: /n}", "{\"l\":[{\"n\":1},{\"n\":\"x\"}]}",
         "bad_type(input_tokens)"},
        {"input_tokens: {sum: /l, of: /n}", "{\"l\":[{\"n\":5},{\"n\":-1}]}",
         "bad_number(input_tokens)"},
        /* A default is for what is absent. */
        {"status: {path: /n, default: success}", "{\"n\":{\"a\":1}}", "bad_type(status)"},
        {"status: {path: /n, match: '^([0-9])', default: success}", "{\"n\":[200]}",
         "bad_type(status)"},
        {"cache_hit: {path: /n, default: false}", "{\"n\":\"hit\"}", "bad_type(cache_hit)"},
        {"cache_hit: {path: /n, default: false}", "{\"n\":2}", "bad_type(cache_hit)"},
        {"cache_hit: {path: /n, default: false}", "{\"n\":{\"a\":1}}", "bad_type(cache_hit)"},
        {"batch: {path: /n, default: false}", "{\"n\":\"soon\"}", ""},
        {"stream: {path: /n, default: false}", "{\"n\":\"soon\"}", ""},
        {"gateway_cost: {add: [/a, /n]}", "{\"a\":\"x\",\"n\":0.1}", ""},
        /* Taken all the same. */
        {"output_tokens: {path: /n, default: 0}", "{}", "output_tokens=0"},
        {"output_tokens: {path: /n, default: 0}", "{\"n\":null}", "output_tokens=0"},
        {"output_tokens: {path: /n, default: 0}", "{\"n\":\"-\"}", "output_tokens=0"},
        {"cache_hit: {path: /n, default: false}", "{\"n\":\"None\"}", "cache_hit=false"},
        {"model: [/a, /n]", "{\"a\":{\"x\":1},\"n\":\"m\"}", "model=m"},
        {"gateway_cost: {add: [/a, /n]}", "{\"a\":-0.1,\"n\":0.3}", "gateway_cost=0.2"},
        {"gateway_cost: [/a, /n]", "{\"a\":{\"x\":1},\"n\":0.1}", "gateway_cost=0.1"},
        {"input_tokens: {add: [/a, /n]}", "{\"a\":\"-\",\"n\":7}", "input_tokens=7"},
        {"input_tokens: /n", "{\"n\":1.0}", "input_tokens=1"},
        {"input_tokens: /n", "{\"n\":\"1e3\"}", "input_tokens=1000"},
        {"input_tokens: /n", "{\"n\":\"None\"}", ""},
        {"started_at: {path: /n, time: ns}", "{\"n\":\"0\"}", ""},
        {"status_code: /n", "{\"n\":\"rate_limit\"}", ""},
        {"status_code: /n", "{\"n\":-1}", ""},
        {"ttft_s: /n", "{\"n\":-1}", ""},
        {"image_size: /n", "{\"n\":{\"w\":1}}", ""},
        {"background: /n", "{\"n\":\"opaque\"}", ""},
        {"model: /n", "{\"n\":42}", "model=42"},
        {"stream: /n", "{\"n\":\"True\"}", "stream=true"},
        {"stream: /n", "{\"n\":\"None\"}", ""},
        {"cache_hit: /n", "{\"n\":\"false\"}", "cache_hit=false"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect(rows[i].fields, rows[i].message, rows[i].outcome);
    expect("input_tokens: /n", "{\"x\":1,\"n\":-5}", "bad_number(input_tokens)");
    assert_int_equal(world.last_record.byte, 11);
    assert_string_equal(world.last_record.mapping, "m");
    expect("batch: {path: /n, default: false}", "{\"n\":\"soon\"}", "");
    assert_int_equal(world.last.flags, FLAG_FACT_DROPPED);
    expect("stream: {path: /n, default: false}", "{\"n\":\"soon\"}", "");
    assert_int_equal(world.last.flags, FLAG_LABEL_DROPPED);
    expect("gateway_cost: {add: [/a, /n]}", "{\"a\":\"x\",\"n\":0.1}", "");
    assert_int_equal(world.last.flags, FLAG_FACT_DROPPED);
}

static void texts_are_repaired_and_cut(void **state)
{
    (void)state;
    expect("model: /n", "{\"n\":\"a\\u0000b\"}",
           "model=a\xef\xbf\xbd"
           "b");
    assert_int_equal(world.last.flags, FLAG_TEXT_REPAIRED);
    expect("model: /n", "{\"n\":\"\xff\"}", "model=\xef\xbf\xbd");
    char message[9000] = "{\"n\":\"";
    memset(message + 6, 'x', 8191);
    strcpy(message + 6 + 8191, "\xc3\xa9\"}");
    open_fields("model: /n");
    read_text(message);
    assert_int_equal(facts_text(&world.last.facts, FACT_MODEL).bytes, 8191);
    assert_int_equal(world.last.flags, FLAG_TEXT_CUT);
}

static void tags_and_metadata_end_at_their_limits_with_a_flag(void **state)
{
    (void)state;
    static char message[40000];
    for (int count = 256; count <= 257; count++) {
        size_t at = (size_t)snprintf(message, sizeof message, "{\"t\":[");
        for (int i = 0; i < count; i++)
            at += (size_t)snprintf(message + at, sizeof message - at, "%s\"t%d\"", i ? "," : "", i);
        snprintf(message + at, sizeof message - at, "]}");
        open_fields("tags: /t");
        read_text(message);
        assert_int_equal(world.last.labels.v[LABEL_TAGS].t->count, 256);
        assert_int_equal(world.last.flags, count > 256 ? FLAG_TEXT_CUT : 0);
    }
    for (int bytes = 32768; bytes <= 32769; bytes++) {
        size_t at = (size_t)snprintf(message, sizeof message, "{\"m\":{\"k\":\"");
        memset(message + at, 'x', (size_t)bytes - 8); /* {"k":""} */
        snprintf(message + at + bytes - 8, sizeof message - at, "\"}}");
        open_fields("metadata: /m");
        read_text(message);
        assert_int_equal(labels_has(&world.last.labels, LABEL_METADATA), bytes <= 32768);
        assert_int_equal(world.last.flags, bytes > 32768 ? FLAG_TEXT_CUT : 0);
    }
}

/* --- conventions and completion ------------------------------------------------------------ */

static void totals_become_inclusive(void **state)
{
    (void)state;
    const char *fields =
        "fields: {input_tokens: /i, cache_read_tokens: /r, cache_write_tokens: /w, "
        "output_tokens: /o, reasoning_tokens: /z, cache_write_5m_tokens: /f}";
    char yaml[1024];
    snprintf(yaml, sizeof yaml,
             "- name: m\n  keep: ''\n"
             "  cache: [{when: {path: /x, eq: 1}, is: exclusive}, {is: inclusive}]\n"
             "  reasoning: exclusive\n  %s\n",
             fields);
    open_yaml(yaml);
    assert_string_equal(read_text("{\"x\":1,\"i\":3,\"r\":1111,\"w\":418,\"o\":10,\"z\":5}"),
                        "input_tokens=1532 output_tokens=15 cache_read_tokens=1111 "
                        "cache_write_tokens=418 reasoning_tokens=5");
    assert_string_equal(read_text("{\"i\":1532,\"r\":1111,\"o\":10}"),
                        "input_tokens=1532 output_tokens=10 cache_read_tokens=1111");
    assert_string_equal(read_text("{\"x\":1,\"i\":3,\"f\":4}"),
                        "input_tokens=7 cache_write_tokens=4 cache_write_5m_tokens=4");
    assert_string_equal(read_text("{\"x\":1,\"i\":9223372036854775807,\"r\":1}"),
                        "bad_number(input_tokens)");
}

#define COUNTS                                                                                     \
    "input_tokens: /i, cache_read_tokens: /r, cache_write_tokens: /w, output_tokens: /o, "         \
    "reasoning_tokens: /z, total_tokens: /t"

static unsigned reading(enum reading_ground cache, bool cache_outside,
                        enum reading_ground reasoning, bool reasoning_outside)
{
    return reading_flags((struct reading){cache, cache_outside}, READING_CACHE_BIT) |
           reading_flags((struct reading){reasoning, reasoning_outside}, READING_REASONING_BIT);
}

/* 0.1 cut it: what was used was lost. */
static void a_part_above_its_whole_is_outside(void **state)
{
    (void)state;
    expect(COUNTS, "{\"i\":10,\"r\":12,\"w\":3,\"o\":5,\"z\":6}",
           "input_tokens=25 output_tokens=11 cache_read_tokens=12 cache_write_tokens=3 "
           "reasoning_tokens=6");
    assert_int_equal(world.last.flags, reading(GROUND_NUMBERS, true, GROUND_NUMBERS, true));
    expect(COUNTS, "{\"i\":10,\"r\":6,\"w\":6}",
           "input_tokens=22 cache_read_tokens=6 cache_write_tokens=6");
    expect(COUNTS, "{\"i\":10,\"r\":6,\"o\":5,\"z\":5}",
           "input_tokens=10 output_tokens=5 cache_read_tokens=6 reasoning_tokens=5");
    assert_int_equal(world.last.flags, reading(GROUND_DECLARED, false, GROUND_DECLARED, false));
}

static void a_stated_total_tells_where_the_parts_are(void **state)
{
    (void)state;
    expect(COUNTS, "{\"i\":10,\"r\":6,\"o\":5,\"t\":21}",
           "input_tokens=16 output_tokens=5 total_tokens=21 cache_read_tokens=6");
    assert_int_equal(world.last.flags, reading(GROUND_NUMBERS, true, GROUND_NONE, false));
    expect(COUNTS, "{\"i\":10,\"o\":5,\"z\":2,\"t\":17}",
           "input_tokens=10 output_tokens=7 total_tokens=17 reasoning_tokens=2");
    assert_int_equal(world.last.flags, reading(GROUND_NONE, false, GROUND_NUMBERS, true));
    expect(COUNTS, "{\"i\":10,\"r\":6,\"o\":5,\"z\":2,\"t\":23}",
           "input_tokens=16 output_tokens=7 total_tokens=23 cache_read_tokens=6 "
           "reasoning_tokens=2");
    open_yaml("- {name: m, keep: '', reasoning: exclusive, fields: {" COUNTS "}}\n");
    assert_string_equal(read_text("{\"i\":10,\"o\":5,\"z\":2,\"t\":15}"),
                        "input_tokens=10 output_tokens=5 total_tokens=15 reasoning_tokens=2");
    assert_int_equal(world.last.flags, reading(GROUND_NONE, false, GROUND_NUMBERS, false));
    assert_string_equal(read_text("{\"i\":10,\"o\":5,\"z\":2}"),
                        "input_tokens=10 output_tokens=7 reasoning_tokens=2");
    assert_int_equal(world.last.flags, reading(GROUND_NONE, false, GROUND_DECLARED, true));
}

static void a_known_emitter_counts_before_the_numbers(void **state)
{
    (void)state;
    open_yaml("- name: m\n  keep: ''\n  fields: {" COUNTS "}\n"
              "  cache: [{emitter: E, when: {path: /e, eq: out}, is: exclusive},"
              " {emitter: F, when: {path: /e, eq: in}, is: inclusive}, {is: exclusive}]\n"
              "  reasoning: [{emitter: E, when: {path: /e, eq: out}, is: exclusive}]\n");
    assert_string_equal(read_text("{\"e\":\"out\",\"i\":10,\"r\":6,\"o\":5,\"z\":2,\"t\":15}"),
                        "input_tokens=16 output_tokens=7 total_tokens=15 cache_read_tokens=6 "
                        "reasoning_tokens=2");
    assert_int_equal(world.last.flags,
                     FLAG_TOTAL_MISMATCH | reading(GROUND_EMITTER, true, GROUND_EMITTER, true));
    assert_string_equal(read_text("{\"e\":\"in\",\"i\":10,\"r\":6,\"o\":5}"),
                        "input_tokens=10 output_tokens=5 cache_read_tokens=6");
    assert_int_equal(world.last.flags, reading(GROUND_EMITTER, false, GROUND_NONE, false));
    /* what does not fit is outside, whoever says otherwise */
    assert_string_equal(read_text("{\"e\":\"in\",\"i\":10,\"r\":60,\"o\":5}"),
                        "input_tokens=70 output_tokens=5 cache_read_tokens=60");
    assert_int_equal(world.last.flags, reading(GROUND_NUMBERS, true, GROUND_NONE, false));
}

static void a_word_that_stands_against_the_numbers_is_flagged(void **state)
{
    (void)state;
    open_yaml("- {name: m, keep: '', parts: keep, cache: [{emitter: G, is: inclusive}],"
              " fields: {" COUNTS "}}\n");
    assert_string_equal(read_text("{\"i\":10,\"r\":12}"), "input_tokens=10 cache_read_tokens=12");
    assert_int_equal(world.last.flags,
                     FLAG_COUNTS_CONTRADICT | reading(GROUND_EMITTER, false, GROUND_NONE, false));
}

static void counts_that_no_reading_explains_stay_and_are_flagged(void **state)
{
    (void)state;
    expect(COUNTS, "{\"i\":10,\"o\":5,\"t\":16}",
           "input_tokens=10 output_tokens=5 total_tokens=16");
    assert_int_equal(world.last.flags, FLAG_TOTAL_MISMATCH | FLAG_COUNTS_CONTRADICT);
    expect("input_tokens: /i, input_audio_tokens: /a", "{\"i\":10,\"a\":12}",
           "input_tokens=10 input_audio_tokens=12");
    assert_int_equal(world.last.flags, FLAG_COUNTS_CONTRADICT);
    expect(COUNTS, "{\"i\":10,\"o\":5,\"r\":10,\"t\":15}",
           "input_tokens=10 output_tokens=5 total_tokens=15 cache_read_tokens=10");
    assert_int_equal(world.last.flags, reading(GROUND_DECLARED, false, GROUND_NONE, false));
    expect(COUNTS, "{\"i\":10,\"o\":5,\"t\":0}", "input_tokens=10 output_tokens=5 total_tokens=0");
    assert_int_equal(world.last.flags & FLAG_COUNTS_CONTRADICT, 0);
}

/* Outside by its size, inside by the total: no reading satisfies both. */
static void a_part_that_only_its_size_puts_outside_needs_a_total_that_agrees(void **state)
{
    (void)state;
    expect(COUNTS, "{\"i\":100,\"o\":10,\"r\":500,\"t\":110}",
           "input_tokens=600 output_tokens=10 total_tokens=110 cache_read_tokens=500");
    assert_int_equal(world.last.flags, FLAG_TOTAL_MISMATCH | FLAG_COUNTS_CONTRADICT |
                                           reading(GROUND_NUMBERS, true, GROUND_NONE, false));
    expect(COUNTS, "{\"i\":100,\"o\":10,\"z\":500,\"t\":110}",
           "input_tokens=100 output_tokens=510 total_tokens=110 reasoning_tokens=500");
    assert_int_equal(world.last.flags, FLAG_TOTAL_MISMATCH | FLAG_COUNTS_CONTRADICT |
                                           reading(GROUND_NONE, false, GROUND_NUMBERS, true));
    expect(COUNTS, "{\"i\":100,\"o\":10,\"r\":500,\"t\":610}",
           "input_tokens=600 output_tokens=10 total_tokens=610 cache_read_tokens=500");
    assert_int_equal(world.last.flags, reading(GROUND_NUMBERS, true, GROUND_NONE, false));
}

static void kinds_of_tokens_are_no_more_than_their_whole(void **state)
{
    (void)state;
    const char *fields = "input_tokens: /i, input_text_tokens: /x, input_audio_tokens: /a";
    expect(fields, "{\"i\":100,\"x\":80,\"a\":80}",
           "input_tokens=100 input_text_tokens=80 input_audio_tokens=80");
    assert_int_equal(world.last.flags, FLAG_COUNTS_CONTRADICT);
    expect(fields, "{\"i\":100,\"x\":20,\"a\":80}",
           "input_tokens=100 input_text_tokens=20 input_audio_tokens=80");
    assert_int_equal(world.last.flags, 0);
}

static void an_output_alone_says_that_input_is_missing(void **state)
{
    (void)state;
    expect(COUNTS, "{\"o\":10,\"t\":110}", "output_tokens=10 total_tokens=110");
    assert_int_equal(world.last.flags, FLAG_COUNTS_CONTRADICT);
    expect(COUNTS, "{\"o\":10,\"t\":10}", "output_tokens=10 total_tokens=10");
    assert_int_equal(world.last.flags, 0);
    expect(COUNTS, "{\"o\":10}", "output_tokens=10");
    assert_int_equal(world.last.flags, FLAG_COUNTS_CONTRADICT);
    expect(COUNTS, "{\"o\":0}", "output_tokens=0");
    assert_int_equal(world.last.flags, 0);
    expect(COUNTS, "{\"i\":0,\"o\":10}", "input_tokens=0 output_tokens=10");
    assert_int_equal(world.last.flags, 0);
}

/* Gemini and Grok think outside the output that is counted. */
static void thoughts_are_what_the_total_leaves(void **state)
{
    (void)state;
    const char *fields = "provider: /p, model: /m, " COUNTS;
    expect(fields, "{\"p\":\"gcp.gemini\",\"i\":100,\"o\":50,\"t\":950}",
           "provider=gemini input_tokens=100 output_tokens=850 total_tokens=950 "
           "reasoning_tokens=800");
    assert_int_equal(world.last.flags, reading(GROUND_NONE, false, GROUND_NUMBERS, true));
    expect(fields, "{\"m\":\"xai/grok-4\",\"i\":100,\"o\":50,\"z\":800,\"t\":950}",
           "model=xai/grok-4 input_tokens=100 output_tokens=850 "
           "total_tokens=950 reasoning_tokens=800");
    expect(fields, "{\"p\":\"openai\",\"i\":100,\"o\":50,\"t\":950}",
           "provider=openai input_tokens=100 output_tokens=50 total_tokens=950");
    assert_int_equal(world.last.flags, FLAG_TOTAL_MISMATCH | FLAG_COUNTS_CONTRADICT);
}

static void a_call_that_failed_is_a_failure_by_any_word(void **state)
{
    (void)state;
    expect("status: /s", "{\"s\":\"error\"}", "status=failure");
    expect("status: /s", "{\"s\":\"FAILED\"}", "status=failure");
    expect("status: /s", "{\"s\":\"Failure\"}", "status=failure");
    expect("status: /s", "{\"s\":\"success\"}", "");
    expect("status: /s", "{\"s\":\"fine\"}", "status=fine");
}

/* A chat that says nothing of its answer is not one that had none. */
static void an_answer_in_tokens_that_says_none_is_flagged(void **state)
{
    (void)state;
    static const struct {
        const char *event;
        bool flagged;
    } rows[] = {
        {"{\"c\":\"chat\",\"i\":1000}", true},
        {"{\"c\":\"responses\",\"i\":1000,\"t\":1100}", true},
        {"{\"c\":\"chat\",\"i\":1000,\"t\":1000}", false},
        {"{\"c\":\"chat\",\"i\":1000,\"o\":0}", false},
        {"{\"c\":\"chat\",\"i\":1000,\"s\":\"failure\"}", false},
        {"{\"c\":\"chat\",\"i\":1000,\"h\":true}", false},
        {"{\"c\":\"chat\",\"i\":0}", false},
        {"{\"c\":\"embedding\",\"i\":1000}", false},
        {"{\"c\":\"rerank\",\"i\":1000}", false},
        {"{\"i\":1000}", false},
    };
    open_fields("call_type: /c, status: /s, cache_hit: /h, " COUNTS);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        read_text(rows[i].event);
        assert_int_equal((world.last.flags & FLAG_COUNTS_CONTRADICT) != 0, rows[i].flagged);
    }
}

/* Tokens of no kind would be billed at nothing where the text is stated. */
static void kinds_that_leave_tokens_out_are_flagged(void **state)
{
    (void)state;
    static const struct {
        const char *event;
        bool flagged;
    } rows[] = {
        {"{\"i\":1000,\"o\":1,\"it\":10}", true},
        {"{\"i\":1000,\"o\":1,\"it\":10,\"ia\":989}", true},
        {"{\"i\":1000,\"o\":1,\"it\":10,\"ia\":990}", false},
        {"{\"i\":1000,\"o\":1,\"it\":10,\"r\":990}", false},
        {"{\"i\":1000,\"o\":1,\"it\":1000,\"r\":990}", false},
        {"{\"i\":1000,\"o\":1,\"it\":0,\"ia\":5}", false},
        {"{\"i\":1000,\"o\":1,\"it\":10,\"ip\":2}", false},
        {"{\"i\":1,\"o\":100,\"ot\":5}", true},
        {"{\"i\":1,\"o\":100,\"ot\":5,\"z\":95}", false},
        {"{\"i\":1,\"o\":100,\"ot\":5,\"n\":2}", false},
    };
    open_fields("input_tokens: /i, output_tokens: /o, cache_read_tokens: /r, reasoning_tokens: /z, "
                "input_text_tokens: /it, input_audio_tokens: /ia, input_images: /ip, "
                "output_text_tokens: /ot, images: /n");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        read_text(rows[i].event);
        assert_int_equal((world.last.flags & FLAG_COUNTS_CONTRADICT) != 0, rows[i].flagged);
    }
}

/* Thoughts that the event counts are not what the total leaves, unless they are. */
static void a_total_that_stated_thoughts_contradict_is_no_output(void **state)
{
    (void)state;
    const char *fields = "provider: /p, model: /m, " COUNTS;
    expect(fields, "{\"p\":\"gcp.gemini\",\"i\":1000,\"o\":10,\"z\":100,\"t\":1500}",
           "provider=gemini input_tokens=1000 output_tokens=110 total_tokens=1500 "
           "reasoning_tokens=100");
    assert_true(world.last.flags & FLAG_COUNTS_CONTRADICT);
    expect(fields, "{\"p\":\"gcp.gemini\",\"i\":1000,\"o\":50,\"z\":40,\"t\":1090}",
           "provider=gemini input_tokens=1000 output_tokens=90 total_tokens=1090 "
           "reasoning_tokens=40");
    assert_false(world.last.flags & FLAG_COUNTS_CONTRADICT);
    expect(fields, "{\"p\":\"gcp.gemini\",\"i\":1000,\"o\":10,\"z\":0,\"t\":1500}",
           "provider=gemini input_tokens=1000 output_tokens=500 total_tokens=1500 "
           "reasoning_tokens=490");
    assert_false(world.last.flags & FLAG_COUNTS_CONTRADICT);
}

static void lifetimes_that_do_not_add_up_are_flagged(void **state)
{
    (void)state;
    const char *fields = "input_tokens: /i, cache_write_tokens: /w, cache_write_5m_tokens: /f, "
                         "cache_write_1h_tokens: /h";
    expect(fields, "{\"i\":90,\"w\":30,\"f\":10,\"h\":5}",
           "input_tokens=90 cache_write_tokens=30 cache_write_5m_tokens=10 "
           "cache_write_1h_tokens=5");
    assert_true(world.last.flags & FLAG_UNREAD_USAGE);
    expect(fields, "{\"i\":90,\"w\":30,\"f\":25,\"h\":5}",
           "input_tokens=90 cache_write_tokens=30 cache_write_5m_tokens=25 "
           "cache_write_1h_tokens=5");
    assert_false(world.last.flags & FLAG_UNREAD_USAGE);
}

/* A label, or a time, that cannot be read costs itself and nothing else. */
static void a_label_never_costs_the_record(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"started_at: {path: /n, time: s}", "{\"x\":1,\"n\":\"soon\"}"},
        {"started_at: {path: /n, time: s}", "{\"x\":1,\"n\":1784092252000}"}, /* milliseconds */
        {"ended_at: {path: /n, time: rfc3339}", "{\"x\":1,\"n\":\"24/11/2026\"}"},
        {"status_code: /n", "{\"x\":1,\"n\":\"teapot\"}"},
        {"duration_s: /n", "{\"x\":1,\"n\":[3]}"},
        {"user: /n", "{\"x\":1,\"n\":{\"id\":1}}"},
        {"stream: /n", "{\"x\":1,\"n\":\"perhaps\"}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char fields[128];
        snprintf(fields, sizeof fields, "input_tokens: /x, %s", rows[i][0]);
        expect(fields, rows[i][1], "input_tokens=1");
        assert_int_equal(world.last.flags, FLAG_LABEL_DROPPED);
    }
    expect("input_tokens: /x, user: /n", "{\"x\":1,\"n\":null}", "input_tokens=1");
    assert_int_equal(world.last.flags, 0);
}

static void usage_that_no_rule_reads_is_flagged(void **state)
{
    (void)state;
    static const struct {
        const char *message;
        bool unread;
    } rows[] = {
        {"{\"u\":{\"in\":3,\"d\":{\"c\":1}}}", false},
        {"{\"u\":{\"in\":3,\"zap_seconds\":0,\"x\":\"n\",\"y\":null,\"z\":true}}", false},
        {"{\"u\":{\"in\":3,\"zap_seconds\":4}}", true},
        {"{\"u\":{\"in\":3,\"zap_seconds\":\"4.5\"}}", true},
        {"{\"u\":{\"in\":3,\"zap_seconds\":-4}}", false},
        {"{\"u\":{\"in\":3,\"d\":{\"c\":1,\"e\":2}}}", true},
        {"{\"u\":{\"in\":3,\"new\":{\"deep\":[{\"n\":1}]}}}", true},
        {"{\"u\":{\"in\":3,\"new\":{\"a\":[[[[[[{\"n\":0}]]]]]]}}}",
         true}, /* nobody looks so deep */
        {"{\"u\":{\"in\":3,\"new\":{\"a\":[[[[[[]]]]]]}}}", false},
        {"{\"u\":{\"in\":3,\"free\":7,\"listed\":[{\"m\":\"T\",\"n\":9}]}}", false},
        {"{\"u\":{\"in\":3,\"cost\":0.1,\"cost_details\":{\"a\":1}}}", false},
        {"{\"u\":{\"in\":3},\"zap_seconds\":4}", false}, /* not where usage stands */
    };
    open_yaml("- {name: m, keep: /u, usage: [/u], unbilled: [/u/free],"
              " fields: {input_tokens: /u/in, images: '/u/listed/[m=T]/n', pages: /u/d/c}}\n");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        read_text(rows[i].message);
        if (((world.last.flags & FLAG_UNREAD_USAGE) != 0) != rows[i].unread)
            fail_msg("%s", rows[i].message);
    }
}

static void names_of_one_count_that_disagree_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *message;
        int64_t input;
        bool contradict;
    } rows[] = {
        {"{\"a\":3}", 3, false},
        {"{\"b\":\"4\"}", 4, false},
        {"{\"a\":3,\"b\":\"3\",\"c\":3.0}", 3, false},
        {"{\"a\":3,\"b\":4}", 3, true},
        {"{\"b\":0,\"c\":4}", 0, true},
        {"{\"a\":3,\"b\":null,\"c\":\"NA\"}", 3, false},
        {"{\"a\":3,\"b\":[],\"c\":3}", 3, false},
    };
    open_yaml("- {name: m, keep: {any: [/a, /b]}, fields: {input_tokens: {same: [/a, /b, /c]}}}\n");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        read_text(rows[i].message);
        if (((world.last.flags & FLAG_COUNTS_CONTRADICT) != 0) != rows[i].contradict ||
            facts_int(&world.last.facts, FACT_INPUT_TOKENS) != rows[i].input)
            fail_msg("%s", rows[i].message);
    }
}

static void a_failed_call_that_states_tokens_is_doubtful(void **state)
{
    (void)state;
    static const struct {
        const char *message;
        bool doubtful;
    } rows[] = {
        {"{\"u\":{\"in\":3},\"s\":\"failed\"}", true},
        {"{\"u\":{\"in\":0,\"out\":3},\"s\":\"failure\"}", true},
        {"{\"u\":{\"in\":0,\"out\":0},\"s\":\"failure\"}", false},
        {"{\"u\":{},\"s\":\"failure\"}", false},
        {"{\"u\":{\"in\":3},\"s\":\"success\"}", false},
    };
    open_yaml("- {name: m, keep: /u,"
              " fields: {input_tokens: /u/in, output_tokens: /u/out, status: /s}}\n");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        read_text(rows[i].message);
        if (((world.last.flags & FLAG_FAILED_WITH_COUNTS) != 0) != rows[i].doubtful)
            fail_msg("%s", rows[i].message);
    }
}

static void usage_in_otlp_pairs_is_looked_at_by_prefix(void **state)
{
    (void)state;
    open_yaml("- {name: m, unwrap: [{kv: /a}], keep: /a/u.in, usage: [{in: /a, prefix: [u.]}],"
              " fields: {input_tokens: /a/u.in}}\n");
    read_text("{\"a\":[{\"key\":\"u.in\",\"value\":{\"intValue\":\"3\"}},"
              "{\"key\":\"other\",\"value\":{\"intValue\":\"4\"}}]}");
    assert_false(world.last.flags & FLAG_UNREAD_USAGE);
    read_text("{\"a\":[{\"key\":\"u.in\",\"value\":{\"intValue\":\"3\"}},"
              "{\"key\":\"u.new\",\"value\":{\"intValue\":\"4\"}}]}");
    assert_true(world.last.flags & FLAG_UNREAD_USAGE);
}

/* Three centuries: a duration up to there is one. */
static void durations_without_end_are_left_out_and_told(void **state)
{
    (void)state;
    open_fields("started_at: {path: /s, time: s}, duration_s: /d, ttft_s: /t");
    read_text("{\"s\":1795493178,\"d\":10000000000,\"t\":10000000000}");
    assert_non_null(strstr(world.out, "duration_s=10000000000 "));
    assert_non_null(strstr(world.out, "ttft_s=10000000000"));
    assert_int_equal(world.last.flags, 0);
    read_text("{\"s\":1795493178,\"d\":10000000001}");
    assert_null(strstr(world.out, "duration_s="));
    assert_int_equal(world.last.flags, FLAG_NO_DURATION);
    read_text("{\"s\":1795493178,\"t\":10000000001}");
    assert_null(strstr(world.out, "ttft_s="));
    assert_int_equal(world.last.flags, FLAG_LABEL_DROPPED);
}

static void start_end_and_duration_complete_each_other(void **state)
{
    (void)state;
    const char *fields = "started_at: {path: /s, time: s}, ended_at: {path: /e, time: s}, "
                         "duration_s: /d, ttft_s: /t";
    expect(fields, "{\"s\":1795493178,\"e\":1795493179.5}",
           "started_at=2026-11-24T04:06:18Z ended_at=2026-11-24T04:06:19.5Z duration_s=1.5");
    expect(fields, "{\"s\":1795493178,\"d\":1.5}",
           "started_at=2026-11-24T04:06:18Z ended_at=2026-11-24T04:06:19.5Z duration_s=1.5");
    expect(fields, "{\"e\":1795493179.5,\"d\":\"1.5\"}",
           "started_at=2026-11-24T04:06:18Z ended_at=2026-11-24T04:06:19.5Z duration_s=1.5");
    assert_int_equal(world.last.time_source, TIME_DERIVED);
    expect(fields, "{\"s\":1795493178,\"e\":1795493170}",
           "started_at=2026-11-24T04:06:18Z ended_at=2026-11-24T04:06:10Z");
    assert_int_equal(world.last.flags, FLAG_NO_DURATION);
    expect(fields, "{\"s\":1795493178,\"d\":-1}", "started_at=2026-11-24T04:06:18Z");
    assert_int_equal(world.last.flags, FLAG_NO_DURATION);
    expect(fields, "{\"s\":1795493178,\"t\":0.25}",
           "started_at=2026-11-24T04:06:18Z ttft_s=0.25 first_token_at=2026-11-24T04:06:18.25Z");
    expect(
        fields, "{\"s\":1795493178,\"d\":0.0000014}",
        "started_at=2026-11-24T04:06:18Z ended_at=2026-11-24T04:06:18.000001Z duration_s=0.000001");
}

static void the_messages_time_stands_in_for_the_start(void **state)
{
    (void)state;
    int64_t us = INT64_C(1795493178000000);
    open_fields("started_at: {path: /s, time: s}, ended_at: {path: /e, time: s}, duration_s: /d");
    assert_string_equal(read_bytes("{}", 2, us), "started_at=2026-11-24T04:06:18Z");
    assert_int_equal(world.last.time_source, TIME_KAFKA);
    uint64_t hash = world.last.content_hash;
    read_bytes("{}", 2, us + 1000000);
    assert_true(world.last.content_hash == hash); /* a resend */
    assert_string_equal(read_bytes("{\"s\":1795493000}", 16, us),
                        "started_at=2026-11-24T04:03:20Z");
    assert_int_equal(world.last.time_source, TIME_EVENT);
    assert_string_equal(read_bytes("{}", 2, 0), "");
}

/* How late Kafka was does not belong to a call that is billed by its seconds. */
static void an_end_and_the_messages_time_are_clocks_apart(void **state)
{
    (void)state;
    int64_t us = INT64_C(1795493178000000);
    open_fields("started_at: {path: /s, time: s}, ended_at: {path: /e, time: s}, duration_s: /d");
    assert_string_equal(
        read_bytes("{\"e\":1795496778}", 16, us),
        "started_at=2026-11-24T04:06:18Z ended_at=2026-11-24T05:06:18Z clocks_apart=true");
    uint64_t hash = world.last.content_hash;
    read_bytes("{\"e\":1795496778}", 16, us + 1000000);
    assert_true(world.last.content_hash == hash); /* a resend */
    assert_null(strstr(read_bytes("{\"e\":1795496778,\"d\":2}", 22, us), "clocks_apart"));
    assert_null(strstr(read_bytes("{\"d\":2}", 7, us), "clocks_apart"));
    assert_null(strstr(read_bytes("{\"s\":1,\"e\":2}", 13, us), "clocks_apart"));
}

static void defaults_fill_and_guesses_come_last(void **state)
{
    (void)state;
    struct err err = {0};
    const char *yaml = "- {name: m, keep: '', fields: {provider: /p, model: /m}, guess: {provider: "
                       "{const: guessed}}}\n";
    open_yaml(yaml);
    assert_string_equal(read_text("{}"), "provider=guessed");
    struct yaml_tree *tree =
        yaml_parse(SLICE("{provider: azure, service_tier: flex, batch: true}"), "t.yaml", &err);
    assert_true(mappings_defaults(world.set, yaml_root(tree), &err));
    assert_string_equal(read_text("{}"), "provider=azure batch=true service_tier=flex");
    assert_string_equal(read_text("{\"p\":\"x\"}"), "provider=x batch=true service_tier=flex");
    struct yaml_tree *bad = yaml_parse(SLICE("{input_tokens: many}"), "d.yaml", &err);
    assert_false(mappings_defaults(world.set, yaml_root(bad), &err));
    assert_non_null(strstr(err.text, "d.yaml:1:16"));
    yaml_free(bad);
    yaml_free(tree);
}

static void the_model_answered_is_the_model_unless_the_mapping_knows_better(void **state)
{
    (void)state;
    open_fields("model: /m");
    read_text("{\"m\":\"x\"}");
    assert_true(slice_is(facts_text(&world.last.facts, FACT_MODEL_ANSWERED), "x"));
    open_fields("model: /m, model_answered: /a");
    read_text("{\"m\":\"x\"}");
    assert_false(facts_has(&world.last.facts, FACT_MODEL_ANSWERED));
}

static void raw_keys_are_hashed_as_litellm_hashes_them(void **state)
{
    (void)state;
    const char *hash = "api_key=f3abf2a6cc4f00987743db5f544ba345b4899ae31f326d8ee9c4816de153c9e0";
    expect("api_key: /k", "{\"k\":\"sk-test\"}", hash);
    assert_int_equal(world.last.flags, FLAG_KEY_HASHED);
    expect("api_key: /k", "{\"k\":\"Bearer sk-test\"}", hash);
    /* the SHA-256 of team-key: what is not a hash is hashed */
    expect("api_key: /k", "{\"k\":\"team-key\"}",
           "api_key=e5c4224ebc9128d62514e9289e8e299c92872e2590deb3afac3ca0b84afb26a8");
    assert_int_equal(world.last.flags, FLAG_KEY_HASHED);
}

/* --- identity ------------------------------------------------------------------------------ */

static void identity_of(const char *message, uint8_t identity[16])
{
    read_text(message);
    assert_true(world.last.has_identity);
    memcpy(identity, world.last.identity, 16);
}

static void identity_follows_the_values_the_mapping_names(void **state)
{
    (void)state;
    uint8_t a[16], b[16];
    open_yaml("- {name: m, keep: '', identity: [call_id, request_id, status],"
              " fields: {call_id: /c, request_id: /r, status: /s, model: /m}}\n");
    identity_of("{\"c\":\"1\",\"r\":\"up\",\"s\":\"success\",\"m\":\"x\"}", a);
    uint64_t hash = world.last.content_hash;
    identity_of("{\"m\":\"y\",\"s\":\"success\",\"r\":\"up\",\"c\":\"1\"}", b);
    assert_memory_equal(a, b, 16);
    assert_true(hash != world.last.content_hash);
    identity_of("{\"c\":\"2\",\"r\":\"up\",\"s\":\"success\"}", b);
    assert_memory_not_equal(a, b, 16);
    identity_of("{\"c\":\"1\",\"r\":\"up\",\"s\":\"failure\"}", b);
    assert_memory_not_equal(a, b, 16);
    identity_of("{\"c\":\"1u\",\"r\":\"p\",\"s\":\"success\"}", b);
    assert_memory_not_equal(a, b, 16);
    read_text("{\"s\":\"success\"}");
    assert_false(world.last.has_identity);
}

static void a_namespace_keeps_identities_over_a_rename(void **state)
{
    (void)state;
    uint8_t a[16], b[16], c[16];
    open_yaml("- {name: m, keep: '', fields: {request_id: /r}}\n");
    identity_of("{\"r\":\"1\"}", a);
    struct err err = {0};
    assert_true(
        open_world("- {name: n, namespace: m, keep: '', fields: {request_id: /r}}\n", "n", &err));
    identity_of("{\"r\":\"1\"}", b);
    assert_true(open_world("- {name: n, keep: '', fields: {request_id: /r}}\n", "n", &err));
    identity_of("{\"r\":\"1\"}", c);
    assert_memory_equal(a, b, 16);
    assert_memory_not_equal(a, c, 16);
}

/* Identities are stored: XXH3-128 of "m" and "1", each behind its length in eight bytes. */
static void identities_never_change(void **state)
{
    (void)state;
    uint8_t identity[16];
    static const uint8_t stored[16] = {0xd3, 0x4c, 0xd5, 0xaa, 0x7a, 0x7a, 0x01, 0xbd,
                                       0x5e, 0x0f, 0x5a, 0x18, 0x7e, 0x39, 0xc1, 0x24};
    open_yaml("- {name: m, keep: '', fields: {request_id: /r}}\n");
    identity_of("{\"r\":\"1\"}", identity);
    assert_memory_equal(identity, stored, 16);
}

static void long_identities_are_hashed_the_same_way(void **state)
{
    (void)state;
    uint8_t a[16], b[16];
    char message[2100];
    open_yaml(
        "- {name: m, keep: '', identity: [request_id, {path: /x}], fields: {request_id: /r}}\n");
    snprintf(message, sizeof message, "{\"r\":\"%0600d\",\"x\":\"1\"}", 7);
    identity_of(message, a);
    identity_of(message, b);
    assert_memory_equal(a, b, 16);
    snprintf(message, sizeof message, "{\"r\":\"%0600d\",\"x\":\"2\"}", 7);
    identity_of(message, b);
    assert_memory_not_equal(a, b, 16);
}

/* --- what was seen before ------------------------------------------------------------------- */

static unsigned dice(uint64_t *seed, unsigned sides)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(*seed >> 33) % sides;
}

/* Members in any order, some twice, wanted ones and others, names that begin alike, names longer
 * than what the reader holds, spaces anywhere. */
static size_t object_write(uint64_t *seed, char *out, int depth)
{
    static const char *const names[] = {"id",
                                        "model",
                                        "model_id",
                                        "model_group",
                                        "mode",
                                        "usage",
                                        "in",
                                        "i",
                                        "",
                                        "end_user_of_this",
                                        "a_name_that_is_longer_than_the_forty_bytes_of_a_place",
                                        "mod\\u0065l",
                                        "x",
                                        "nested"};
    size_t at = (size_t)snprintf(out, 256, "{");
    for (unsigned i = 0, count = dice(seed, 9); i < count; i++) {
        const char *name = names[dice(seed, sizeof names / sizeof names[0])];
        at += (size_t)snprintf(out + at, 256, "%s%s\"%s\"%s:%s", i ? "," : "",
                               dice(seed, 4) ? "" : " ", name, dice(seed, 9) ? "" : " ",
                               dice(seed, 3) ? "" : " ");
        unsigned kind = dice(seed, depth < 3 ? 5 : 4);
        if (kind == 4)
            at += object_write(seed, out + at, depth + 1);
        else if (kind == 3)
            at += (size_t)snprintf(out + at, 256, "null");
        else if (kind == 2)
            at += (size_t)snprintf(out + at, 256, "%u", dice(seed, 100000));
        else
            at += (size_t)snprintf(out + at, 256, "\"v%.*s\"", (int)dice(seed, 30),
                                   "abcdefghijklmnopqrstuvwxyzabcdef");
    }
    return at + (size_t)snprintf(out + at, 256, dice(seed, 50) ? "}" : "");
}

static void what_was_seen_before_changes_nothing(void **state)
{
    (void)state;
    static char text[1u << 16], before[OUT_MAX];
    uint64_t seed = 1;
    unsigned events = 0;
    open_yaml("- {name: m, keep: {any: [/id, /model, /usage/in]}, fields: {request_id: /id,"
              " model: /model, model_id: [/model_id, /nested/model_id], model_group: /model_group,"
              " input_tokens: /usage/in, end_user: /end_user_of_this, user: /usage/nested/id,"
              " session: /a_name_that_is_longer_than_the_forty_bytes_of_a_place}}\n");
    struct mapper *old = world.mapper;
    for (int i = 0; i < 20000; i++) {
        object_write(&seed, text, 0);
        read_text(text);
        memcpy(before, world.out, world.length + 1);
        events += strchr(before, '=') != NULL;
        world.mapper = mapper_new(world.set);
        assert_non_null(world.mapper);
        if (strcmp(read_text(text), before) != 0)
            fail_msg("%s\nold: %s\nnew: %s", text, before, world.out);
        mapper_free(world.mapper);
        world.mapper = old;
    }
    assert_true(events > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_hold_one_several_or_no_records),
        cmocka_unit_test(a_mapping_takes_only_the_frames_it_names),
        cmocka_unit_test(schema_registry_framing_is_taken_off),
        cmocka_unit_test(wrappers_are_opened_when_nobody_wants_them_as_they_are),
        cmocka_unit_test(the_last_of_two_members_counts_whole),
        cmocka_unit_test(limits_refuse_and_say_so),
        cmocka_unit_test(more_records_than_a_message_may_hold_are_told),
        cmocka_unit_test(an_optional_fact_that_cannot_be_read_costs_the_fact),
        cmocka_unit_test(a_message_in_parts_gives_each_record_once),
        cmocka_unit_test(wrappers_end_at_four),
        cmocka_unit_test(joined_texts_end_at_the_limit_with_a_flag),
        cmocka_unit_test(requests_that_do_not_come_to_their_job_are_flagged),
        cmocka_unit_test(a_call_that_failed_is_a_failure_by_any_word),
        cmocka_unit_test(an_answer_in_tokens_that_says_none_is_flagged),
        cmocka_unit_test(kinds_that_leave_tokens_out_are_flagged),
        cmocka_unit_test(a_total_that_stated_thoughts_contradict_is_no_output),
        cmocka_unit_test(a_list_that_is_priced_is_never_half),
        cmocka_unit_test(a_pattern_that_gives_up_is_told),
        cmocka_unit_test(bad_values_reject_the_record_and_name_the_field),
        cmocka_unit_test(texts_are_repaired_and_cut),
        cmocka_unit_test(tags_and_metadata_end_at_their_limits_with_a_flag),
        cmocka_unit_test(totals_become_inclusive),
        cmocka_unit_test(a_part_above_its_whole_is_outside),
        cmocka_unit_test(a_stated_total_tells_where_the_parts_are),
        cmocka_unit_test(a_known_emitter_counts_before_the_numbers),
        cmocka_unit_test(a_word_that_stands_against_the_numbers_is_flagged),
        cmocka_unit_test(counts_that_no_reading_explains_stay_and_are_flagged),
        cmocka_unit_test(a_part_that_only_its_size_puts_outside_needs_a_total_that_agrees),
        cmocka_unit_test(kinds_of_tokens_are_no_more_than_their_whole),
        cmocka_unit_test(an_output_alone_says_that_input_is_missing),
        cmocka_unit_test(thoughts_are_what_the_total_leaves),
        cmocka_unit_test(lifetimes_that_do_not_add_up_are_flagged),
        cmocka_unit_test(a_label_never_costs_the_record),
        cmocka_unit_test(usage_that_no_rule_reads_is_flagged),
        cmocka_unit_test(names_of_one_count_that_disagree_are_told),
        cmocka_unit_test(a_failed_call_that_states_tokens_is_doubtful),
        cmocka_unit_test(usage_in_otlp_pairs_is_looked_at_by_prefix),
        cmocka_unit_test(start_end_and_duration_complete_each_other),
        cmocka_unit_test(durations_without_end_are_left_out_and_told),
        cmocka_unit_test(the_messages_time_stands_in_for_the_start),
        cmocka_unit_test(an_end_and_the_messages_time_are_clocks_apart),
        cmocka_unit_test(defaults_fill_and_guesses_come_last),
        cmocka_unit_test(the_model_answered_is_the_model_unless_the_mapping_knows_better),
        cmocka_unit_test(raw_keys_are_hashed_as_litellm_hashes_them),
        cmocka_unit_test(identity_follows_the_values_the_mapping_names),
        cmocka_unit_test(a_namespace_keeps_identities_over_a_rename),
        cmocka_unit_test(identities_never_change),
        cmocka_unit_test(long_identities_are_hashed_the_same_way),
        cmocka_unit_test(what_was_seen_before_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, tear_down);
}
