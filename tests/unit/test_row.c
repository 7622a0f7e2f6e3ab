/* SPDX-License-Identifier: Apache-2.0 */
/* links: store
 * Rows without a server: what row_encode() writes, split into fields, is read back by row_facts().
 */
#include "store/row.h"

#include "core/embed.h"
#include "store/numeric.h"
#include "store/row_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define FIELDS_MAX 128
#define START_US INT64_C(1752566400000000) /* 2025-07-15 08:00 UTC */

struct fixture {
    struct buf rows;
    struct arena arena;
    struct event event;
    struct charge charge;
    struct row_field field[FIELDS_MAX];
    char column[FIELDS_MAX][64];
    int fields;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    buf_init(&f->rows, 1 << 20);
    arena_init(&f->arena, 1 << 20);
    f->event.mapping = "litellm";
    f->event.has_identity = true;
    memcpy(f->event.identity, "0123456789abcdef", 16);
    f->event.content_hash = 0xfedcba9876543210;
    facts_set_int(&f->event.facts, FACT_STARTED_AT, START_US);
    f->charge.status = CHARGE_UNPRICED;
    f->charge.reason = REASON_UNKNOWN_MODEL;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    buf_free(&f->rows);
    arena_free(&f->arena);
    free(f);
    return 0;
}

/* --- helpers */

static uint32_t be32(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;
    return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

static void split_columns(struct fixture *f)
{
    struct buf sql;
    int count = 0;
    buf_init(&sql, 1 << 16);
    row_columns(&sql);
    buf_add_char(&sql, '\0');
    assert_true(buf_ok(&sql));
    for (const char *p = sql.p; *p; count++) {
        size_t bytes = strcspn(p, ",");
        snprintf(f->column[count], sizeof(f->column[count]), "%.*s", (int)bytes, p);
        p += bytes + (p[bytes] ? 2 : 0);
    }
    assert_int_equal(count, f->fields);
    buf_free(&sql);
}

static void encode(struct fixture *f)
{
    const struct row_place place = {11, 22, 33};
    struct err err = {0};
    buf_reset(&f->rows);
    if (!row_encode(&f->rows, &f->event, &f->charge, &place, &err))
        fail_msg("%s", err.text);
    const char *p = f->rows.p, *end = p + f->rows.bytes;
    f->fields = (unsigned char)p[0] << 8 | (unsigned char)p[1];
    assert_in_range(f->fields, 1, FIELDS_MAX);
    p += 2;
    for (int i = 0; i < f->fields; i++) {
        f->field[i] = (struct row_field){p + 4, (int)be32(p)};
        p += 4 + (f->field[i].bytes > 0 ? f->field[i].bytes : 0);
    }
    assert_ptr_equal(p, end);
    split_columns(f);
}

static const struct row_field *field(const struct fixture *f, const char *column)
{
    for (int i = 0; i < f->fields; i++)
        if (strcmp(f->column[i], column) == 0)
            return &f->field[i];
    fail_msg("no column %s", column);
    return NULL;
}

static void expect_text(const struct fixture *f, const char *column, const char *text)
{
    const struct row_field *found = field(f, column);
    assert_int_equal(found->bytes, strlen(text));
    assert_memory_equal(found->p, text, strlen(text));
}

static void expect_null(const struct fixture *f, const char *column)
{
    assert_int_equal(field(f, column)->bytes, -1);
}

/* Facts of the row as encoded: the columns of facts are together, usage is the last field. */
static void decode(struct fixture *f, struct facts *facts)
{
    struct row_field part[FIELDS_MAX];
    struct buf sql;
    struct err err = {0};
    buf_init(&sql, 1 << 16);
    int count = row_facts_columns(&sql);
    buf_free(&sql);
    const struct row_field *first = field(f, row_fact_column(FACT_PROVIDER));
    memcpy(part, first, (size_t)(count - 1) * sizeof(part[0]));
    part[count - 1] = f->field[f->fields - 1];
    if (!row_facts(part, &f->arena, facts, &err))
        fail_msg("%s", err.text);
}

static struct decimal *decimal_new(struct fixture *f, const char *text)
{
    struct decimal *d = arena_alloc(&f->arena, sizeof(*d));
    struct err err = {0};
    if (!decimal_parse(slice_of(text), d, &err))
        fail_msg("%s: %s", text, err.text);
    return d;
}

static void set_some(struct fixture *f, enum fact fact)
{
    struct facts *facts = &f->event.facts;
    char text[64];
    switch (fact_info[fact].kind) {
    case KIND_TEXT:
        snprintf(text, sizeof(text), "text of %s \xe2\x82\xac \"q\" \\ \n \x01",
                 fact_info[fact].name);
        facts_set_text(facts, fact, arena_slice(&f->arena, slice_of(text)));
        break;
    case KIND_COUNT:
        facts_set_int(facts, fact, INT64_MAX - fact);
        break;
    case KIND_DECIMAL:
        facts_set_decimal(facts, fact, decimal_new(f, "12345678901234567.123456789012345678901"));
        break;
    case KIND_BOOL:
        facts_set_int(facts, fact, fact % 2);
        break;
    case KIND_TIME:
        facts_set_int(facts, fact, START_US + fact);
        break;
    default:
        fail();
    }
}

static void expect_same(const struct facts *a, const struct facts *b)
{
    for (int i = 0; i < FACT_COUNT; i++) {
        enum fact fact = (enum fact)i;
        if (facts_has(a, fact) != facts_has(b, fact))
            fail_msg("%s: presence differs", fact_info[fact].name);
        if (!facts_has(a, fact))
            continue;
        if (fact_info[fact].kind == KIND_TEXT) {
            if (!slice_eq(a->v[fact].s, b->v[fact].s))
                fail_msg("%s: \"" SLICE_FMT "\"", fact_info[fact].name, SLICE_ARG(b->v[fact].s));
        } else if (fact_info[fact].kind == KIND_DECIMAL) {
            assert_int_equal(decimal_cmp(a->v[fact].d, b->v[fact].d), 0);
            assert_int_equal(a->v[fact].d->scale, b->v[fact].d->scale);
        } else {
            assert_int_equal(a->v[fact].i, b->v[fact].i);
        }
    }
}

/* --- facts */

static void all_facts_come_back(void **state)
{
    struct fixture *f = *state;
    struct facts back;
    for (int fact = 0; fact < FACT_COUNT; fact++)
        set_some(f, (enum fact)fact);
    encode(f);
    decode(f, &back);
    expect_same(&f->event.facts, &back);
}

static void each_fact_comes_back_alone(void **state)
{
    struct fixture *f = *state;
    for (int fact = 0; fact < FACT_COUNT; fact++) {
        struct facts back;
        memset(f->event.facts.present, 0, sizeof(f->event.facts.present));
        facts_set_int(&f->event.facts, FACT_STARTED_AT, START_US);
        set_some(f, (enum fact)fact);
        encode(f);
        decode(f, &back);
        expect_same(&f->event.facts, &back);
    }
}

static void an_empty_text_and_a_zero_are_not_absent(void **state)
{
    struct fixture *f = *state;
    struct facts back;
    facts_set_text(&f->event.facts, FACT_MODEL, SLICE(""));
    facts_set_text(&f->event.facts, FACT_SPEED, SLICE(""));
    facts_set_int(&f->event.facts, FACT_INPUT_TOKENS, 0);
    facts_set_int(&f->event.facts, FACT_IMAGES, 0);
    facts_set_decimal(&f->event.facts, FACT_GATEWAY_COST, decimal_new(f, "0"));
    facts_set_decimal(&f->event.facts, FACT_AUDIO_SECONDS, decimal_new(f, "0"));
    encode(f);
    decode(f, &back);
    expect_same(&f->event.facts, &back);
    assert_true(facts_has(&back, FACT_SPEED) && facts_has(&back, FACT_GATEWAY_COST));
}

static void without_facts_the_columns_are_null(void **state)
{
    struct fixture *f = *state;
    encode(f);
    expect_null(f, "model");
    expect_null(f, "input_tokens");
    expect_null(f, "gateway_cost");
    expect_null(f, "end_time");
    expect_null(f, "usage");
}

static void usage_is_read_in_the_spelling_of_jsonb(void **state)
{
    struct fixture *f = *state;
    struct row_field part[FIELDS_MAX];
    struct facts facts;
    struct err err = {0};
    struct buf sql;
    static const char usage[] = "\1{\"batch\": true, \"speed\": \"a\\\"\\\\b\\u001f\\n/\", "
                                "\"images\": 3, \"audio_seconds\": 0.1000}";
    buf_init(&sql, 1 << 16);
    int count = row_facts_columns(&sql);
    buf_free(&sql);
    for (int i = 0; i < count - 1; i++)
        part[i] = (struct row_field){NULL, -1};
    part[count - 1] = (struct row_field){usage, (int)sizeof(usage) - 1};
    if (!row_facts(part, &f->arena, &facts, &err))
        fail_msg("%s", err.text);
    assert_int_equal(facts_int(&facts, FACT_BATCH), 1);
    assert_int_equal(facts_int(&facts, FACT_IMAGES), 3);
    assert_true(slice_is(facts_text(&facts, FACT_SPEED), "a\"\\b\x1f\n/"));
    assert_int_equal(facts_decimal(&facts, FACT_AUDIO_SECONDS)->coef, 1);
    assert_int_equal(facts_decimal(&facts, FACT_AUDIO_SECONDS)->scale, 1);
}

static void usage_of_another_making_is_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const usages[] = {"\2{\"images\": 3}",
                                         "\1{\"model\": \"x\"}",
                                         "\1{\"images\": -1}",
                                         "\1{\"images\": 1.5}",
                                         "\1{\"nonsense\": 1}",
                                         "\1{\"images\": 3",
                                         "\1{\"speed\": \"x}",
                                         "\1{\"batch\": 1}",
                                         "\1[]",
                                         ""};
    struct row_field part[FIELDS_MAX];
    struct facts facts;
    struct buf sql;
    buf_init(&sql, 1 << 16);
    int count = row_facts_columns(&sql);
    buf_free(&sql);
    for (size_t u = 0; u < sizeof(usages) / sizeof(usages[0]); u++) {
        struct err err = {0};
        for (int i = 0; i < count - 1; i++)
            part[i] = (struct row_field){NULL, -1};
        part[count - 1] = (struct row_field){usages[u], (int)strlen(usages[u])};
        assert_false(row_facts(part, &f->arena, &facts, &err));
        assert_int_equal(err.kind, ERR_INPUT);
    }
}

/* --- the rest of a row */

static void an_unpriced_row_has_no_money(void **state)
{
    struct fixture *f = *state;
    encode(f);
    expect_null(f, "spend");
    expect_null(f, "input_cost");
    expect_null(f, "output_cost");
    expect_null(f, "other_cost");
    expect_text(f, "pricing_status", "unpriced");
    expect_text(f, "pricing_reason", "unknown_model");
}

static void money_is_written_to_the_last_digit(void **state)
{
    struct fixture *f = *state;
    struct decimal d;
    f->charge.status = CHARGE_PRICED;
    f->charge.reason = REASON_NONE;
    f->charge.has_spend = true;
    f->charge.spend.atto = (i128)12640980000000000 + 1;
    f->charge.side[SIDE_OTHER].atto = -5;
    encode(f);
    const struct row_field *spend = field(f, "spend"), *other = field(f, "other_cost");
    assert_true(numeric_decode(spend->p, (size_t)spend->bytes, &d));
    assert_true(d.coef == 12640980000000001 && d.scale == 18 && !d.negative);
    assert_true(numeric_decode(other->p, (size_t)other->bytes, &d));
    assert_true(d.coef == 5 && d.scale == 18 && d.negative);
    expect_text(f, "pricing_reason", "");
}

static void add_item(struct fixture *f, enum unit unit, const char *quantity, const char *rate)
{
    struct charge_item *item = &f->charge.item[f->charge.item_count++];
    struct money *side = &f->charge.side[unit_info[unit].side];
    *item = (struct charge_item){.unit = unit, .multiplier = DECIMAL_ONE};
    assert_true(decimal_parse(slice_of(quantity), &item->quantity, NULL) &&
                decimal_parse(slice_of(rate), &item->rate, NULL) &&
                money_multiply(&item->quantity, &item->rate, &item->amount) &&
                money_add(*side, item->amount, side) &&
                money_add(f->charge.spend, item->amount, &f->charge.spend));
}

static void priced(struct fixture *f, int64_t input, int64_t output)
{
    f->charge = (struct charge){.status = CHARGE_PRICED, .has_spend = true};
    facts_set_int(&f->event.facts, FACT_INPUT_TOKENS, input);
    facts_set_int(&f->event.facts, FACT_OUTPUT_TOKENS, output);
    facts_clear(&f->event.facts, FACT_CACHE_READ_TOKENS);
    buf_reset(&f->rows);
}

static void items_say_what_no_column_says(void **state)
{
    struct fixture *f = *state;
    encode(f);
    expect_null(f, "items");

    priced(f, 100, 20);
    add_item(f, UNIT_INPUT_TEXT_TOKENS, "100", "3e-6");
    add_item(f, UNIT_OUTPUT_TEXT_TOKENS, "20", "15e-6");
    encode(f);
    expect_null(f, "items");

    priced(f, 100, 20);
    facts_set_int(&f->event.facts, FACT_CACHE_READ_TOKENS, 60);
    add_item(f, UNIT_INPUT_TEXT_TOKENS, "40", "3e-6");
    add_item(f, UNIT_CACHE_READ_TOKENS, "60", "0.00000033");
    add_item(f, UNIT_OUTPUT_TEXT_TOKENS, "20", "15e-6");
    add_item(f, UNIT_WEB_SEARCHES, "2", "0.01");
    encode(f);
    expect_text(f, "items", "rx33e-8 S2x.01");

    priced(f, 100, 20); /* nothing of the input is text; of the output less than was counted */
    add_item(f, UNIT_CACHE_READ_TOKENS, "70", "0.00000033");
    add_item(f, UNIT_OUTPUT_TEXT_TOKENS, "19", "15e-6");
    encode(f);
    expect_text(f, "items", "i- r70x33e-8 o19x15e-6");

    priced(f, 100, 20); /* a quantity times price that an amount does not hold */
    add_item(f, UNIT_INPUT_TEXT_TOKENS, "100", "3e-6");
    add_item(f, UNIT_OUTPUT_TEXT_TOKENS, "20", "15e-6");
    add_item(f, UNIT_MARGIN, "0.0003000000000000001", "0.333");
    encode(f);
    expect_text(f, "items", "M3000000000000001e-19=999e-7");
}

static void items_of_a_stated_cost_are_the_cost(void **state)
{
    struct fixture *f = *state;
    priced(f, 100, 20);
    f->charge.status = CHARGE_REPORTED;
    add_item(f, UNIT_STATED_COST, "0.25", "1");
    encode(f);
    expect_null(f, "items");
}

static void labels_are_empty_when_absent(void **state)
{
    struct fixture *f = *state;
    static const char no_tags[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, PG_TEXT};
    encode(f);
    expect_text(f, "request_id", "");
    expect_text(f, "requester_ip", "");
    expect_null(f, "metadata");
    expect_null(f, "status_code");
    expect_null(f, "stream");
    assert_int_equal(field(f, "request_tags")->bytes, sizeof(no_tags));
    assert_memory_equal(field(f, "request_tags")->p, no_tags, sizeof(no_tags));
}

static void labels_are_written_as_their_kind(void **state)
{
    struct fixture *f = *state;
    const struct slice tag[] = {SLICE("a"), SLICE(""), SLICE("long tag")};
    const struct tags tags = {3, tag};
    struct labels *labels = &f->event.labels;
    labels->v[LABEL_USER].s = SLICE("ann");
    labels->v[LABEL_STATUS_CODE].i = 429;
    labels->v[LABEL_STREAM].i = 1;
    labels->v[LABEL_FIRST_TOKEN_AT].i = START_US;
    labels->v[LABEL_TAGS].t = &tags;
    labels->v[LABEL_METADATA].s = SLICE("{\"a\":1}");
    labels->v[LABEL_DURATION_S].d = decimal_new(f, "1.5");
    labels->present = UINT64_C(1) << LABEL_USER | UINT64_C(1) << LABEL_STATUS_CODE |
                      UINT64_C(1) << LABEL_STREAM | UINT64_C(1) << LABEL_FIRST_TOKEN_AT |
                      UINT64_C(1) << LABEL_TAGS | UINT64_C(1) << LABEL_METADATA |
                      UINT64_C(1) << LABEL_DURATION_S;
    encode(f);
    expect_text(f, "user_id", "ann");
    expect_text(f, "metadata", "\1{\"a\":1}");
    assert_int_equal(be32(field(f, "status_code")->p + 4), 429);
    assert_int_equal(field(f, "stream")->p[0], 1);
    assert_int_equal(field(f, "first_token_time")->bytes, 8);
    const struct row_field *list = field(f, "request_tags");
    assert_int_equal(list->bytes, 20 + 4 + 1 + 4 + 4 + 8);
    assert_int_equal(be32(list->p + 12), 3);
    assert_memory_equal(list->p + list->bytes - 8, "long tag", 8);
}

static void place_and_identity_are_in_the_row(void **state)
{
    struct fixture *f = *state;
    f->event.time_source = TIME_KAFKA;
    f->event.flags = FLAG_TEXT_CUT | FLAG_TEXT_REPAIRED;
    f->charge.flags = FLAG_RATE_MISSING;
    encode(f);
    expect_text(f, "identity", "0123456789abcdef");
    expect_text(f, "mapping", "litellm");
    expect_text(f, "time_source", "kafka");
    assert_int_equal(be32(field(f, "partition_id")->p + 4), 11);
    assert_int_equal(be32(field(f, "kafka_offset")->p + 4), 22);
    assert_int_equal(be32(field(f, "record_index")->p), 33);
    assert_int_equal(be32(field(f, "content_hash")->p), 0xfedcba98);
    assert_int_equal(be32(field(f, "flags")->p),
                     FLAG_TEXT_CUT | FLAG_TEXT_REPAIRED | FLAG_RATE_MISSING);
    /* 2025-07-15 08:00 is 805,881,600 seconds after 2000-01-01 */
    const char *start = field(f, "start_time")->p;
    assert_true(((uint64_t)be32(start) << 32 | be32(start + 4)) == UINT64_C(805881600) * 1000000);
}

static void batch_and_book_are_filled_in_later(void **state)
{
    struct fixture *f = *state;
    encode(f);
    size_t before = f->rows.bytes;
    row_patch(f->rows.p, INT64_C(0x0102030405060708), 77);
    assert_int_equal(f->rows.bytes, before);
    assert_memory_equal(field(f, "batch_id")->p, "\1\2\3\4\5\6\7\10", 8);
    assert_int_equal(be32(field(f, "price_book_id")->p), 77);
    expect_text(f, "identity", "0123456789abcdef");
}

static void rows_follow_each_other(void **state)
{
    struct fixture *f = *state;
    const struct row_place place = {1, 2, 3};
    struct err err = {0};
    encode(f);
    size_t one = f->rows.bytes;
    assert_true(row_encode(&f->rows, &f->event, &f->charge, &place, &err));
    assert_int_equal(f->rows.bytes, 2 * one);
}

static void a_row_without_a_start_is_refused(void **state)
{
    struct fixture *f = *state;
    const struct row_place place = {1, 2, 3};
    struct err err = {0};
    facts_clear(&f->event.facts, FACT_STARTED_AT);
    assert_false(row_encode(&f->rows, &f->event, &f->charge, &place, &err));
    assert_int_equal(err.kind, ERR_INPUT);
    assert_int_equal(f->rows.bytes, 0);
}

static void a_time_that_no_timestamp_holds_is_refused(void **state)
{
    struct fixture *f = *state;
    const struct row_place place = {1, 2, 3};
    struct err err = {0};
    facts_set_int(&f->event.facts, FACT_ENDED_AT, INT64_MAX);
    assert_false(row_encode(&f->rows, &f->event, &f->charge, &place, &err));
    assert_int_equal(err.kind, ERR_INPUT);
}

static void a_row_that_does_not_fit_leaves_the_others(void **state)
{
    struct fixture *f = *state;
    const struct row_place place = {1, 2, 3};
    struct err err = {0};
    encode(f);
    size_t before = f->rows.bytes;
    char *large = calloc(1, 1 << 20);
    memset(large, 'x', 1 << 20);
    facts_set_text(&f->event.facts, FACT_MODEL, (struct slice){large, 1 << 20});
    assert_false(row_encode(&f->rows, &f->event, &f->charge, &place, &err));
    assert_int_equal(err.kind, ERR_FATAL);
    assert_int_equal(f->rows.bytes, before);
    facts_set_text(&f->event.facts, FACT_MODEL, SLICE("m"));
    assert_true(row_encode(&f->rows, &f->event, &f->charge, &place, &err));
    free(large);
}

/* --- the table */

static void every_column_is_in_the_migrations(void **state)
{
    struct fixture *f = *state;
    encode(f);
    for (int i = 0; i < f->fields; i++) {
        char line[80], added[80];
        bool found = false;
        snprintf(line, sizeof(line), "\n  %s ", f->column[i]);
        snprintf(added, sizeof(added), "ADD COLUMN %s ", f->column[i]);
        for (const struct embedded *file = embedded_migrations; file->name; file++)
            found = found || strstr(file->text, line) || strstr(file->text, added);
        if (!found)
            fail_msg("column %s", f->column[i]);
    }
}

int main(void)
{
#define ROW_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        ROW_TEST(all_facts_come_back),
        ROW_TEST(each_fact_comes_back_alone),
        ROW_TEST(an_empty_text_and_a_zero_are_not_absent),
        ROW_TEST(without_facts_the_columns_are_null),
        ROW_TEST(usage_is_read_in_the_spelling_of_jsonb),
        ROW_TEST(usage_of_another_making_is_refused),
        ROW_TEST(an_unpriced_row_has_no_money),
        ROW_TEST(money_is_written_to_the_last_digit),
        ROW_TEST(items_say_what_no_column_says),
        ROW_TEST(items_of_a_stated_cost_are_the_cost),
        ROW_TEST(labels_are_empty_when_absent),
        ROW_TEST(labels_are_written_as_their_kind),
        ROW_TEST(place_and_identity_are_in_the_row),
        ROW_TEST(batch_and_book_are_filled_in_later),
        ROW_TEST(rows_follow_each_other),
        ROW_TEST(a_row_without_a_start_is_refused),
        ROW_TEST(a_time_that_no_timestamp_holds_is_refused),
        ROW_TEST(a_row_that_does_not_fit_leaves_the_others),
        ROW_TEST(every_column_is_in_the_migrations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
