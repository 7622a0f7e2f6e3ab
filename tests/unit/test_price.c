/* SPDX-License-Identifier: Apache-2.0 */
/* links: pricing */
/* What events cost. Agreement with LiteLLM over thousands of cases is tests/agreement's business.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pricing/bill/call.h"
#include "pricing/book/inside.h"
#include "pricing/diff.h"
#include "pricing/map/family.h"
#include "tests/unit/pricing_fixture.h"

static struct book *plain; /* the builtin map, no overrides */

static void expect_spend(const struct book *book, const char *event, const char *want)
{
    const char *got = spend(book, event);
    if (strcmp(got, want) != 0)
        fail_msg("%s: %s, not %s", event, got, want);
}

/* ---- the configurations of LiteLLM's documentation of custom pricing ----------------------------
 */

#define SAGEMAKER                                                                                  \
    "model_list:\n"                                                                                \
    "  - model_name: sagemaker-completion-model\n"                                                 \
    "    litellm_params:\n"                                                                        \
    "      model: sagemaker/berri-benchmarking-Llama-2-70b-chat-hf-4\n"                            \
    "    model_info:\n"                                                                            \
    "      input_cost_per_second: 0.000420\n"                                                      \
    "  - model_name: sagemaker-embedding-model\n"                                                  \
    "    litellm_params:\n"                                                                        \
    "      model: sagemaker/berri-benchmarking-gpt-j-6b-fp16\n"                                    \
    "    model_info:\n"                                                                            \
    "      input_cost_per_second: 0.000420\n"

#define AZURE                                                                                      \
    "model_list:\n"                                                                                \
    "  - model_name: azure-model\n"                                                                \
    "    litellm_params:\n"                                                                        \
    "      model: azure/<your_deployment_name>\n"                                                  \
    "      api_key: os.environ/AZURE_API_KEY\n"                                                    \
    "    model_info:\n"                                                                            \
    "      input_cost_per_token: 0.000421\n"                                                       \
    "      output_cost_per_token: 0.000520\n"

#define CLAUDE                                                                                     \
    "model_list:\n"                                                                                \
    "  - model_name: prod/claude-3-5-sonnet-20241022\n"                                            \
    "    litellm_params:\n"                                                                        \
    "      model: anthropic/claude-3-5-sonnet-20241022\n"                                          \
    "      api_key: os.environ/ANTHROPIC_PROD_API_KEY\n"                                           \
    "    model_info:\n"                                                                            \
    "      input_cost_per_token: 0.000006\n"                                                       \
    "      output_cost_per_token: 0.00003\n"                                                       \
    "      cache_creation_input_token_cost: 0.0000075\n"                                           \
    "      cache_read_input_token_cost: 0.0000006\n"

static void two_sagemaker_models_are_billed_by_the_second(void **state)
{
    (void)state;
    struct book *book = book_of(SAGEMAKER, OVERRIDES_MERGE);
    expect_spend(
        book,
        "provider=sagemaker model=berri-benchmarking-Llama-2-70b-chat-hf-4 "
        "model_group=sagemaker-completion-model call_type=chat input_tokens=900 output_tokens=80 "
        "started_at=2026-01-01T00:00:00Z ended_at=2026-01-01T00:00:12.5Z",
        "0.00525");
    expect_spend(book,
                 "provider=sagemaker model=berri-benchmarking-gpt-j-6b-fp16 "
                 "model_group=sagemaker-embedding-model call_type=embedding input_tokens=900 "
                 "started_at=2026-01-01T00:00:00Z ended_at=2026-01-01T00:00:00.333333Z",
                 "0.00013999986");
    expect_spend(book,
                 "provider=sagemaker model=berri-benchmarking-gpt-j-6b-fp16 "
                 "model_group=sagemaker-embedding-model call_type=embedding input_tokens=900 "
                 "started_at=2026-01-01T00:00:00Z ended_at=2026-01-01T01:00:00Z clocks_apart=true",
                 "underivable_no_usage");
    book_free(book);
}

static void an_azure_deployment_is_billed_by_its_token_prices(void **state)
{
    (void)state;
    struct book *book = book_of(AZURE, OVERRIDES_MERGE);
    expect_spend(
        book,
        "provider=azure model=<your_deployment_name> model_group=azure-model call_type=chat "
        "input_tokens=1234 output_tokens=567",
        "0.814354");
    const struct charge *charge = charge_of(book, "provider=azure model=x model_group=azure-model "
                                                  "call_type=chat input_tokens=1 output_tokens=1");
    char source[256];
    rate_source_format(charge->item[0].source, source, sizeof(source));
    assert_non_null(strstr(source, ":7#azure-model.input_cost_per_token"));
    book_free(book);
}

static void a_renamed_claude_has_four_prices_of_its_own(void **state)
{
    (void)state;
    struct book *book = book_of(CLAUDE, OVERRIDES_MERGE);
    expect_spend(
        book,
        "provider=anthropic model=claude-3-5-sonnet-20241022 call_type=chat "
        "model_group=prod/claude-3-5-sonnet-20241022 input_tokens=10000 output_tokens=1000 "
        "cache_read_tokens=4000 cache_write_tokens=1000",
        "0.0699");
    book_free(book);
}

/* ---- the generic formula -----------------------------------------------------------------------
 */

static void cached_tokens_are_not_billed_twice(void **state)
{
    (void)state;
    expect_spend(plain,
                 "provider=openai model=gpt-4o call_type=chat input_tokens=1000 output_tokens=100",
                 "0.0035");
    expect_spend(plain,
                 "provider=openai model=gpt-4o call_type=chat input_tokens=1000 output_tokens=100 "
                 "cache_read_tokens=600",
                 "0.00275");
    expect_spend(plain,
                 "provider=openai model=gpt-4o call_type=chat input_tokens=1000 output_tokens=100 "
                 "cache_read_tokens=600 input_text_tokens=1000",
                 "0.00275");
}

static void spend_is_the_exact_sum_of_its_items(void **state)
{
    (void)state;
    struct book *book =
        book_of(CLAUDE "litellm_settings:\n"
                       "  cost_discount_config: {anthropic: 0.05}\n"
                       "  cost_margin_config: {global: {percentage: 0.1, fixed_amount: 0.0005}}\n",
                OVERRIDES_MERGE);
    const struct charge *charge =
        charge_of(book, "provider=anthropic model=x model_group=prod/claude-3-5-sonnet-20241022 "
                        "call_type=chat input_tokens=1003 output_tokens=7 cache_read_tokens=11 "
                        "web_searches=2 guardrail_cost=0.0013");
    i128 sum = 0, sides = 0;
    for (size_t i = 0; i < charge->item_count; i++) {
        sum += charge->item[i].amount.atto;
        assert_non_null(charge->item[i].source);
    }
    for (size_t i = 0; i < 3; i++)
        sides += charge->side[i].atto;
    assert_true(sum == charge->spend.atto && sides == sum);
    /* (992 * 6e-6 + 11 * 6e-7 + 7 * 3e-5) * 0.95 * 1.1 + 0.0005 + 0.0013 */
    char text[DECIMAL_TEXT_MAX];
    money_format(charge->spend, text);
    assert_string_equal(text, "0.008246187");
    book_free(book);
}

static void an_amount_is_rounded_once_half_to_even(void **state)
{
    (void)state;
    struct book *book =
        book_of("model_list:\n- model_name: m\n  litellm_params: {model: openai/acme}\n"
                "  model_info: {input_cost_per_token: 0.0000000000000000005}\n",
                OVERRIDES_MERGE);
    expect_spend(book, "provider=openai model=acme model_group=m call_type=chat input_tokens=1",
                 "0");
    expect_spend(book, "provider=openai model=acme model_group=m call_type=chat input_tokens=2",
                 "0.000000000000000001");
    expect_spend(book, "provider=openai model=acme model_group=m call_type=chat input_tokens=3",
                 "0.000000000000000002");
    expect_spend(book, "provider=openai model=acme model_group=m call_type=chat input_tokens=5",
                 "0.000000000000000002");
    book_free(book);
}

static void an_amount_that_does_not_fit_is_no_amount(void **state)
{
    (void)state;
    struct book *book =
        book_of("model_list:\n- model_name: m\n  litellm_params: {model: openai/acme}\n"
                "  model_info: {input_cost_per_token: 99999999999999999999}\n",
                OVERRIDES_MERGE);
    expect_spend(
        book,
        "provider=openai model=acme model_group=m call_type=chat input_tokens=9000000000000000000",
        "underivable_amount");
    expect_spend(book,
                 "provider=openai model=acme model_group=m call_type=chat gateway_cost=0.5 "
                 "input_tokens=9000000000000000000",
                 "0.5");
    book_free(book);
}

#define NEXT_MONTH                                                                                 \
    "{\"gpt-next\": {\"litellm_provider\": \"openai\", \"mode\": \"chat\","                        \
    "\"input_cost_per_token\": 1, \"output_cost_per_token\": 2,"                                   \
    "\"input_cost_per_token_above_1500k_tokens\": 3, "                                             \
    "\"output_cost_per_token_above_1500k_tokens\": 4,"                                             \
    "\"input_cost_per_token_above_1500k_tokens_priority\": 5,"                                     \
    "\"input_cost_per_token_turbo\": 7, \"output_cost_per_token_turbo\": 8}}"

static void absurd_counts_stay_exact(void **state)
{
    (void)state;
    expect_spend(plain,
                 "provider=openai model=gpt-4o call_type=chat input_tokens=9223372036854775807",
                 "23058430092136.9395175");
    expect_spend(plain,
                 "provider=openai model=gpt-4o call_type=chat input_tokens=9223372036854775807 "
                 "input_text_tokens=9223372036854775807 cache_read_tokens=9223372036854775807 "
                 "output_tokens=9223372036854775807 reasoning_tokens=9223372036854775807 "
                 "output_audio_tokens=9223372036854775807",
                 "195996655783163.98589875");
}

static void many_images_of_one_size_are_one_item(void **state)
{
    (void)state;
    expect_spend(plain, "provider=fal_ai model=fal-ai/flux/dev call_type=image images=100", "2.5");
}

static void next_months_thresholds_and_tiers_need_no_change(void **state)
{
    (void)state;
    struct err err = {0};
    struct book *book = book_with(NULL, NEXT_MONTH, OVERRIDES_MERGE, REPORTED_FALLBACK, &err);
    if (!book)
        fail_msg("%s", err.text);
    expect_spend(book, "provider=openai model=gpt-next input_tokens=10 output_tokens=1", "12");
    expect_spend(book, "provider=openai model=gpt-next input_tokens=1500000", "1500000");
    expect_spend(book, "provider=openai model=gpt-next input_tokens=1500001 output_tokens=1",
                 "4500007");
    expect_spend(
        book,
        "provider=openai model=gpt-next input_tokens=1500001 output_tokens=1 service_tier=priority",
        "7500009");
    expect_spend(
        book, "provider=openai model=gpt-next input_tokens=10 output_tokens=1 service_tier=turbo",
        "78");
    expect_spend(book,
                 "provider=openai model=gpt-next input_tokens=10 output_tokens=1 service_tier=warp",
                 "12");
    book_free(book);
}

static void the_served_tier_wins_over_the_requested(void **state)
{
    (void)state;
#define TIER(words) "provider=openai model=gpt-5.4-mini call_type=chat input_tokens=1000 " words
    char base[DECIMAL_TEXT_MAX], priority[DECIMAL_TEXT_MAX], flex[DECIMAL_TEXT_MAX];
    snprintf(base, sizeof(base), "%s", spend(plain, TIER("")));
    snprintf(priority, sizeof(priority), "%s", spend(plain, TIER("service_tier=priority")));
    snprintf(flex, sizeof(flex), "%s", spend(plain, TIER("service_tier=flex")));
    assert_string_not_equal(base, priority);
    assert_string_not_equal(base, flex);
    expect_spend(plain, TIER("service_tier=PRIORITY"), priority);
    expect_spend(plain, TIER("service_tier=fast"), priority);
    expect_spend(plain, TIER("service_tier=default service_tier_requested=priority"), base);
    expect_spend(plain, TIER("service_tier_requested=flex"), flex);
    expect_spend(plain, TIER("service_tier_requested=auto"), base);
    expect_spend(plain, TIER("service_tier=flex service_tier_requested=priority"), flex);
    expect_spend(plain, TIER("service_tier_resolved=priority service_tier_requested=flex"),
                 priority);
#undef TIER
}

/* ---- zero, unknown, reported -------------------------------------------------------------------
 */

static void expect_status(const struct book *book, const char *event, enum charge_status status,
                          const char *reason)
{
    const struct charge *charge = charge_of(book, event);
    if (charge->status != status || strcmp(reason_of(charge), reason) != 0)
        fail_msg("%s: %s (%s)", event, charge_status_name[charge->status], reason_of(charge));
}

#define NO_DETAILS "-,-,-,-,-,-,-,-,-,-,-,-,-,-,"

/* Two models in one job: 1000 + 100 tokens of gpt-4.1, 2000 + 200 of gpt-4.1-mini. */
static void a_batch_is_priced_request_by_request(void **state)
{
    (void)state;
    expect_spend(plain,
                 "provider=openai call_type=retrieve_batch batch=true input_tokens=3000 "
                 "output_tokens=300 batch_models=gpt-4.1,gpt-4.1-mini "
                 "batch_rows=1000,100," NO_DETAILS "gpt-4.1;2000,200," NO_DETAILS "gpt-4.1-mini",
                 "0.00196");
    const struct charge *charge = charge_of(
        plain, "provider=openai call_type=retrieve_batch batch=true input_tokens=3000 "
               "output_tokens=300 batch_models=gpt-4.1 "
               "batch_rows=1000,100," NO_DETAILS "gpt-4.1;2000,200," NO_DETAILS "gpt-4.1");
    assert_int_equal(charge->item_count, 2); /* however many requests */
}

/* `count` models that nobody knows, then a last one that has the price. */
static void list_models(char *event, size_t capacity, int count, const char *last)
{
    size_t at = strlen(event);
    for (int i = 0; i < count; i++)
        at += (size_t)snprintf(event + at, capacity - at, "unknown-%d,", i);
    snprintf(event + at, capacity - at, "%s", last);
}

/* However many models a session or a job has, each has its price. */
static void models_of_one_event_are_not_numbered(void **state)
{
    (void)state;
    static const int counts[] = {0, 7, 8, 15, 16, 99};
    char event[2048];
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        snprintf(event, sizeof(event),
                 "provider=openai call_type=retrieve_batch batch=true "
                 "input_tokens=1000 output_tokens=100 batch_rows=1000,100," NO_DETAILS
                 "gpt-4.1 batch_models=");
        list_models(event, sizeof(event), counts[i], "gpt-4.1");
        expect_spend(plain, event, "0.0014");
        snprintf(
            event, sizeof(event),
            "provider=openai model=gpt-realtime call_type=realtime session_log="
            "session.updated|-|-|-|-|-|-|-|-|-|whisper-1|-;"
            "conversation.item.input_audio_transcription.completed|duration|60|-|-|-|-|-|-|-|-|-;"
            "response.event|response.completed|-|-|-|10|1000|-|-|r1|-|gpt-4.1 "
            "transcription_model=");
        list_models(event, sizeof(event), counts[i], "whisper-1");
        snprintf(event + strlen(event), sizeof(event) - strlen(event), " session_models=");
        list_models(event, sizeof(event), counts[i] > 50 ? 20 : counts[i], "gpt-4.1");
        expect_spend(plain, event, "0.00808"); /* a minute of whisper-1, an answer of gpt-4.1 */
    }
}

#define SESSION                                                                                    \
    "provider=openai model=gpt-realtime call_type=realtime input_tokens=100 "                      \
    "transcription_model=gpt-4o-transcribe session_models=gpt-4.1 session_log="                    \
    "session.updated|-|-|-|-|-|-|-|-|-|gpt-4o-transcribe|-;"
#define CLIP SESSION "conversation.item.input_audio_transcription.completed|"

/* A clip's input as a whole is billed; one without a quantity that can be read is told. */
static void no_clip_of_a_session_is_passed_over(void **state)
{
    (void)state;
    static const struct {
        const char *event, *spend;
        uint32_t flags;
    } rows[] = {
        {CLIP "tokens|-|1000|10|100|1010|-|-|-|-|-", "0.003725", 0},
        {CLIP "tokens|-|-|-|100|1000|-|-|-|-|-", "0.0037", 0},
        {CLIP "tokens|-|1e3|-|100|-|-|-|-|-|-", "0.0037", 0},
        {CLIP "tokens|-|1000.0|-|100|-|-|-|-|-|-", "0.0037", 0},
        {CLIP "-|-|-|-|-|-|-|-|-|-|-", "0.0002", FLAG_RATE_MISSING},
        {CLIP "duration|-|-|-|-|-|-|-|-|-|-", "0.0002", FLAG_RATE_MISSING},
        {CLIP "tokens|-|many|-|100|-|-|-|-|-|-", "0.0012", FLAG_RATE_MISSING},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        expect_spend(plain, rows[i].event, rows[i].spend);
        assert_int_equal(charge_of(plain, rows[i].event)->flags, rows[i].flags);
    }
    struct book *book = book_of(NULL, OVERRIDES_LITELLM);
    expect_spend(book, rows[1].event, "0.0012"); /* as LiteLLM */
    assert_int_equal(charge_of(book, rows[1].event)->flags, FLAG_RATE_MISSING);
    book_free(book);
}

static void an_answer_of_an_unknown_model_is_no_free_one(void **state)
{
    (void)state;
#define ANSWER SESSION "response.event|response.completed|-|-|-|10|1000|-|-|r1|-|"
    expect_spend(plain, ANSWER "gpt-4.1", "0.00228");
    expect_spend(plain, ANSWER "gpt-99", "rate_missing");
    expect_spend(plain, ANSWER "-", "rate_missing");
#undef ANSWER
}

/* One item more than a charge has room for means unpriced, never the sum of the others. */
static void a_bill_of_too_many_items_is_no_price(void **state)
{
    (void)state;
    struct charge charge = {.status = CHARGE_UNPRICED};
    struct decimal cost = {.coef = 1};
    struct bill bill;
    bill_start(&bill, &charge);
    for (int i = 0; i <= CHARGE_ITEMS_MAX; i++) {
        assert_false(bill.overflow);
        bill_stated(&bill, UNIT_CALLS, &cost, &source_tool_cost);
    }
    assert_true(bill.overflow);
    assert_int_equal(charge.item_count, CHARGE_ITEMS_MAX);
}

/* A family that would run away is ignored: its models have no price and are told as unknown. */
static void a_family_that_runs_away_does_not_match(void **state)
{
    (void)state;
    struct family family;
    /* The second alternative would match, if the first came to an end. */
    struct arena book;
    arena_init(&book, 1u << 20);
    assert_true(family_compile(SLICE("^(?:(a|a)*(a|a)*(a|a)*x|a+b)$"), &book, &family));
    assert_true(family_matches(&family, SLICE("aab")));
    assert_false(
        family_matches(&family, SLICE("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab")));
    arena_free(&book);
}

/* A list that the reader has cut is not the job: nothing is guessed from it. */
static void a_batch_whose_rows_do_not_add_up_is_declined(void **state)
{
    (void)state;
    expect_status(plain,
                  "provider=openai call_type=retrieve_batch batch=true input_tokens=3000 "
                  "output_tokens=300 batch_models=gpt-4.1,gpt-4.1-mini "
                  "batch_rows=1000,100," NO_DETAILS "gpt-4.1;2000,2",
                  CHARGE_UNPRICED, "underivable_mixed_batch");
}

/* The job says the name it was sent to, its lines say who answered (LiteLLM 1.110.2). */
static void a_line_of_a_batch_is_priced_by_the_model_that_it_says(void **state)
{
    (void)state;
    expect_spend(plain,
                 "provider=openai call_type=retrieve_batch batch=true input_tokens=1000 "
                 "output_tokens=100 batch_models=my-own-name batch_line_models=gpt-4.1 "
                 "batch_rows=1000,100," NO_DETAILS "gpt-4.1",
                 "0.0014");
}

static void a_sum_of_attempts_does_not_say_what_was_read_explicitly(void **state)
{
    (void)state;
#define CALL                                                                                       \
    "provider=streamlake model=streamlake/qwen3.8-27b call_type=chat input_tokens=1000 "           \
    "output_tokens=0 failed_attempts_cost=0.1 cache_read_tokens="
    expect_status(plain, CALL "500", CHARGE_UNPRICED, "underivable_failed_attempts");
    expect_spend(plain, CALL "0", "0.0005");
#undef CALL
}

/* LiteLLM bills the lines it knows; mode merge has no price where one is missing. */
static void a_line_of_a_model_that_nobody_knows_costs_nothing_in_mode_litellm(void **state)
{
    (void)state;
#define JOB                                                                                        \
    "provider=openai call_type=retrieve_batch batch=true input_tokens=3000 output_tokens=300 "     \
    "batch_models=gpt-4.1 batch_rows=2000,200," NO_DETAILS "nobody-knows;1000,100," NO_DETAILS
    struct book *litellm = book_of("model_list: []\n", OVERRIDES_LITELLM);
    expect_spend(litellm, JOB "gpt-4.1 batch_line_models=nobody-knows,gpt-4.1", "0.0014");
    expect_status(litellm, JOB "no-one batch_line_models=nobody-knows,no-one", CHARGE_UNPRICED,
                  "unknown_model");
    book_free(litellm);
    expect_status(plain, JOB "gpt-4.1 batch_line_models=nobody-knows,gpt-4.1", CHARGE_UNPRICED,
                  "no_rate");
#undef JOB
}

/* Of a cut list only the sum is left: it is the price where lines of one model cannot have crossed
 * a threshold. */
static void a_sum_beyond_a_threshold_is_not_the_price_of_a_batch_of_many(void **state)
{
    (void)state;
#define JOB                                                                                        \
    "provider=openai call_type=retrieve_batch batch=true output_tokens=100 batch_models=gpt-5.4 "  \
    "batch_line_models=gpt-5.4 "
    expect_status(plain, JOB "input_tokens=200000 batch_rows=1000,1", CHARGE_PRICED, "");
    expect_status(plain, JOB "input_tokens=300000 batch_rows=1000,1", CHARGE_UNPRICED,
                  "underivable_mixed_batch");
    expect_status(plain, JOB "input_tokens=300000", CHARGE_UNPRICED, "underivable_mixed_batch");
#undef JOB
}

static void a_batch_without_output_costs_nothing(void **state)
{
    (void)state;
#define POLL "provider=openai model=gpt-4.1 call_type=aretrieve_batch batch=true "
    expect_status(plain, POLL "batch_without_output=true", CHARGE_FREE, "batch_without_output");
    expect_status(plain, POLL, CHARGE_UNPRICED, "underivable_no_usage");
    expect_status(plain, POLL "batch_without_output=true input_tokens=10", CHARGE_PRICED, "");
#undef POLL
}

/* LiteLLM logs what failed attempts before a hit cost, and sums their usage with the hit's. */
static void a_cache_hit_after_billed_attempts_is_not_free(void **state)
{
    (void)state;
#define HIT "provider=openai model=gpt-4.1 call_type=chat cache_hit=true input_tokens=9 "
    expect_status(plain, HIT "failed_attempts_cost=0", CHARGE_FREE, "cache_hit");
    expect_status(plain, HIT "failed_attempts_cost=0.01", CHARGE_UNPRICED,
                  "underivable_failed_attempts");
    expect_status(plain, HIT "failed_attempts_cost=0.01 gateway_cost=0.01", CHARGE_REPORTED,
                  "underivable_failed_attempts");
#undef HIT
}

/* Usage of all attempts comes as one sum: no price where that may cross what a single one did not.
 */
static void a_sum_of_attempts_has_a_price_where_it_is_linear(void **state)
{
    (void)state;
#define SUM " call_type=chat failed_attempts_cost=0.01 output_tokens=0 "
    expect_spend(plain, "provider=openai model=gpt-4.1" SUM "input_tokens=1000000", "2");
    expect_status(plain, "provider=openai model=gpt-4.1" SUM "input_tokens=9 input_text_tokens=1",
                  CHARGE_UNPRICED, "underivable_failed_attempts");
    expect_spend(plain, "provider=openai model=gpt-5.4" SUM "input_tokens=100000", "0.25");
    expect_status(plain, "provider=openai model=gpt-5.4" SUM "input_tokens=300000", CHARGE_UNPRICED,
                  "underivable_failed_attempts");
#undef SUM
}

/* A price in the model_info of a job's deployment is LiteLLM's; a pricing_provider is not. */
static void a_job_has_no_pricing_provider_in_mode_litellm(void **state)
{
    (void)state;
#define JOB                                                                                        \
    "provider=openai model_group=m model=openai/kimi-k2.6 call_type=retrieve_batch batch=true "    \
    "input_tokens=1000 output_tokens=0 batch_models=kimi-k2.6"
    static const char config[] = "model_list:\n- model_name: m\n"
                                 "  litellm_params: {model: openai/kimi-k2.6}\n"
                                 "  model_info: {pricing_provider: streamlake}\n";
    struct book *book = book_of(config, OVERRIDES_LITELLM);
    expect_status(book, JOB, CHARGE_UNPRICED, "no_rate");
    book_free(book);
    book = book_of(config, OVERRIDES_MERGE);
    expect_status(book, JOB, CHARGE_PRICED, "");
    book_free(book);
#undef JOB
}

/* LiteLLM asks a deployment for prices of batches by a short list of keys. */
static void a_deployment_without_prices_of_batches_has_the_maps(void **state)
{
    (void)state;
    static const char config[] = "model_list:\n- model_name: m\n"
                                 "  litellm_params: {model: openai/gpt-4.1}\n"
                                 "  model_info: {input_cost_per_audio_token: 1e-3}\n";
    struct book *book = book_of(config, OVERRIDES_LITELLM);
    expect_spend(book,
                 "provider=openai model_group=m call_type=retrieve_batch batch=true "
                 "input_tokens=1000 output_tokens=100 batch_models=gpt-4.1 "
                 "batch_line_models=gpt-4.1 batch_rows=1000,100," NO_DETAILS "gpt-4.1",
                 "0.0014");
    book_free(book);
}

/* LiteLLM looks the job's model up without its provider: what Azure's deployment leaves out is here
 * OpenAI's (deployment_pricing_model_info). */
static void a_batch_inherits_from_the_model_without_its_provider(void **state)
{
    (void)state;
    static const char config[] = "model_list:\n- model_name: m\n"
                                 "  litellm_params: {model: azure/gpt-5.6-luna-2026-07-09}\n"
                                 "  model_info: {output_cost_per_token: 9e-7}\n";
    struct book *book = book_of(config, OVERRIDES_LITELLM);
    expect_spend(book,
                 "provider=azure model_group=m call_type=retrieve_batch batch=true "
                 "input_tokens=278898 output_tokens=11 batch_models=gpt-5.6-luna-2026-07-09 "
                 "batch_rows=278898,11," NO_DETAILS "gpt-5.6-luna-2026-07-09",
                 "0.05578455");
    book_free(book);
}

/* Writes by lifetime are of the input's side. */
static void a_batch_inherits_writes_by_lifetime(void **state)
{
    (void)state;
    static const char config[] =
        "model_list:\n- model_name: m\n  litellm_params: {model: openai/gpt-6.1-sol}\n"
        "  model_info: {cache_read_input_token_cost_batches: 7.5e-8}\n";
    struct book *book = book_of(config, OVERRIDES_LITELLM);
#define JOB                                                                                        \
    "provider=openai call_type=retrieve_batch batch=true input_tokens=1000 output_tokens=0 "       \
    "batch_models=gpt-6.1-sol batch_rows=1000,0,-,-,-,-,1000,-,-,-,1000,-,-,-,-,-,gpt-6.1-sol "
    char of_map[128];
    snprintf(of_map, sizeof(of_map), "%s", spend(plain, JOB));
    expect_spend(book, JOB "model_group=m", of_map);
    book_free(book);
#undef JOB
}

/* LiteLLM reads a size with a star where the request has it; of an answer it fails. */
static void a_size_with_a_star_is_read_of_answers_in_mode_merge(void **state)
{
    (void)state;
#define DALLE "provider=azure model=azure/hd/1024-x-1024/dall-e-3 call_type=image images=1 "
    struct book *book = book_of("model_list: []\n", OVERRIDES_LITELLM);
    expect_spend(plain, DALLE "image_size=1024*1024", "0.0879999582208");
    expect_spend(book, DALLE "image_size_requested=1024*1024", "0.0879999582208");
    expect_status(book, DALLE "image_size=1024*1024", CHARGE_UNPRICED, "no_rate");
    book_free(book);
#undef DALLE
}

/* The hour pays for everything, tools and images included; what spilled over is billed as usual. */
static void reserved_capacity_costs_nothing_more(void **state)
{
    (void)state;
#define CALL "provider=azure model=azure/gpt-4o model_group=m call_type=chat input_tokens=1000 "
    static const char config[] =
        "model_list:\n- model_name: m\n  litellm_params: {model: azure/gpt-4o}\n"
        "  model_info: {ptu_count: 100, cost_per_ptu_per_hour: 2, team_id: t,\n"
        "               ptu_effective_from: 2026-01-01, output_cost_per_image: 0.1}\n";
    setenv("LITELLM_ENABLE_PTU_COST_ATTRIBUTION", "true", 1);
    for (enum overrides_mode mode = OVERRIDES_MERGE; mode <= OVERRIDES_LITELLM; mode++) {
        struct book *book = book_of(config, mode);
        expect_status(book, CALL "output_tokens=10 web_searches=2", CHARGE_FREE,
                      "provisioned_throughput");
        expect_spend(book, CALL "output_tokens=0 spilled_over=true", "0.0025");
        book_free(book);
    }
    unsetenv("LITELLM_ENABLE_PTU_COST_ATTRIBUTION");
#undef CALL
}

/* A file search has a price of the call, not of the model; a job is never one that spilled over. */
static void reserved_capacity_pays_for_jobs_and_not_for_file_search(void **state)
{
    (void)state;
#define CALL                                                                                       \
    "provider=openai model=gpt-4.1 model_group=m input_tokens=1000 output_tokens=10 "              \
    "call_type="
    static const char config[] =
        "model_list:\n- model_name: m\n  litellm_params: {model: openai/gpt-4.1}\n"
        "  model_info: {ptu_count: 100, cost_per_ptu_per_hour: 2, team_id: t,\n"
        "               ptu_effective_from: 2026-01-01}\n";
    setenv("LITELLM_ENABLE_PTU_COST_ATTRIBUTION", "true", 1);
    for (enum overrides_mode mode = OVERRIDES_MERGE; mode <= OVERRIDES_LITELLM; mode++) {
        struct book *book = book_of(config, mode);
        expect_spend(book, CALL "responses file_search_items=1 file_search_declared=true",
                     "0.0025");
        expect_status(book, CALL "responses file_search_items=1", CHARGE_FREE,
                      "provisioned_throughput");
        expect_status(book, CALL "retrieve_batch batch=true batch_models=gpt-4.1", CHARGE_FREE,
                      "provisioned_throughput");
        expect_status(book, CALL "retrieve_batch batch=true batch_models=gpt-4.1 spilled_over=true",
                      CHARGE_FREE, "provisioned_throughput");
        book_free(book);
    }
    unsetenv("LITELLM_ENABLE_PTU_COST_ATTRIBUTION");
#undef CALL
}

/* LiteLLM leaves standing what model_info sets beside the common rates, and bills it. */
static void rates_beside_those_of_the_hour_are_billed_in_mode_litellm(void **state)
{
    (void)state;
#define CALL                                                                                       \
    "provider=gemini model=gemini/gemini-2.5-flash model_group=m call_type=chat "                  \
    "input_tokens=1000 output_tokens=100 service_tier="
#define RESERVED(params, info)                                                                     \
    "model_list:\n- model_name: m\n"                                                               \
    "  litellm_params: {model: gemini/gemini-2.5-flash" params "}\n"                               \
    "  model_info: {ptu_count: 100, cost_per_ptu_per_hour: 2, team_id: t,\n"                       \
    "               ptu_effective_from: 2026-01-01, input_cost_per_token: 1, " info "}\n"
    static const char info[] = RESERVED("", "output_cost_per_token_flex: 2e-6");
    setenv("LITELLM_ENABLE_PTU_COST_ATTRIBUTION", "true", 1);
    struct book *book = book_of(info, OVERRIDES_LITELLM);
    expect_spend(book, CALL "flex", "0.0002");
    expect_status(book, CALL "priority", CHARGE_FREE, "provisioned_throughput");
    book_free(book);
    book = book_of(info, OVERRIDES_MERGE);
    expect_status(book, CALL "flex", CHARGE_FREE, "provisioned_throughput");
    book_free(book);
    book = book_of(RESERVED(", output_cost_per_token_flex: 2e-6", "output_cost_per_token_flex: 2"),
                   OVERRIDES_LITELLM);
    expect_status(book, CALL "flex", CHARGE_FREE, "provisioned_throughput");
    book_free(book);
    unsetenv("LITELLM_ENABLE_PTU_COST_ATTRIBUTION");
#undef RESERVED
#undef CALL
}

/* An image keeps the map's row under what the deployment sets: LiteLLM sets the token rates to 0.
 */
static void images_of_reserved_capacity_cost_what_mode_litellm_leaves_standing(void **state)
{
    (void)state;
#define RESERVED(params, info)                                                                     \
    "model_list:\n- model_name: m\n"                                                               \
    "  litellm_params: {model: xai/grok-imagine-image-2.0" params "}\n"                            \
    "  model_info: {ptu_count: 100, cost_per_ptu_per_hour: 2, team_id: t,\n"                       \
    "               ptu_effective_from: 2026-01-01" info "}\n"
    static const char call[] = "provider=xai model=xai/grok-imagine-image-2.0 model_group=m "
                               "call_type=image_generation images=2";
    setenv("LITELLM_ENABLE_PTU_COST_ATTRIBUTION", "true", 1);
    struct book *book = book_of(RESERVED("", ""), OVERRIDES_LITELLM);
    expect_spend(book, call, "0.08");
    book_free(book);
    book = book_of(RESERVED("", ", output_cost_per_image_1K: 0.25"), OVERRIDES_LITELLM);
    expect_spend(book, call, "0.5");
    book_free(book);
    book = book_of(RESERVED(", output_cost_per_image_1K: 0.25", ""), OVERRIDES_LITELLM);
    expect_status(book, call, CHARGE_FREE, "provisioned_throughput");
    book_free(book);
    book = book_of(RESERVED("", ""), OVERRIDES_MERGE);
    expect_status(book, call, CHARGE_FREE, "provisioned_throughput");
    book_free(book);
    unsetenv("LITELLM_ENABLE_PTU_COST_ATTRIBUTION");
#undef RESERVED
}

/* What a deployment stands on is looked up before LiteLLM registers its model, at 0. */
static void a_pricing_provider_finds_what_the_called_name_is(void **state)
{
    (void)state;
    static const char config[] =
        "model_list:\n- model_name: m\n"
        "  litellm_params: {model: openai/us-gov.anthropic.claude-fable-5-1}\n"
        "  model_info: {input_cost_per_token: 1e-3, pricing_provider: bedrock}\n";
    struct book *book = book_of(config, OVERRIDES_LITELLM);
    expect_spend(book,
                 "provider=openai model=openai/us-gov.anthropic.claude-fable-5-1 model_group=m "
                 "call_type=chat input_tokens=10 cache_read_tokens=10 output_tokens=0",
                 "0.000003");
    book_free(book);
}

/* The rows of a pricing_provider are not the called provider's: the name is looked up as it was
 * sent. In mode litellm only where the answer does not bring the full name along, which the
 * deployment has registered at 0. */
static void a_pricing_provider_has_rows_of_what_was_sent(void **state)
{
    (void)state;
#define DEPLOYMENT(info)                                                                           \
    "model_list:\n- model_name: m\n  litellm_params: {model: openai/moonshotai/Kimi-K3}\n"         \
    "  model_info: {pricing_provider: sail" info "}\n"
#define CALL                                                                                       \
    "provider=openai model=openai/moonshotai/Kimi-K3 model_answered=nobody-knows model_group=m "   \
    "call_type=chat service_tier=flex input_tokens=1000 output_tokens=100"
#define BROUGHT " model_requested=openai/moonshotai/Kimi-K3"
    struct book *book = book_of(DEPLOYMENT(""), OVERRIDES_MERGE);
    expect_spend(book, CALL, "0.001875");
    expect_spend(book, CALL BROUGHT, "0.001875");
    book_free(book);
    book = book_of(DEPLOYMENT(""), OVERRIDES_LITELLM);
    expect_spend(book, CALL, "0.001875");
    expect_status(book, CALL BROUGHT, CHARGE_UNPRICED, "no_rate");
    book_free(book);
    book = book_of(DEPLOYMENT(", input_cost_per_token: 3e-6"), OVERRIDES_MERGE);
    expect_spend(book, CALL BROUGHT, "0.001875");
    book_free(book);
#undef DEPLOYMENT
#undef CALL
#undef BROUGHT
}

/* LiteLLM takes an input rate that is not set for 0, and bills what is written and read. */
static void a_job_without_an_input_rate_is_billed_for_what_is_written(void **state)
{
    (void)state;
#define JOB                                                                                        \
    "provider=vertex_ai model_group=m model=vertex_ai/claude-haiku-4-5@20251001 "                  \
    "call_type=retrieve_batch batch=true input_tokens=2851 output_tokens=936 "                     \
    "cache_read_tokens=1903 cache_write_tokens=358 batch_models=claude-haiku-4-5@20251001 "        \
    "batch_line_models=claude-haiku-4-5@20251001 "                                                 \
    "batch_rows=2851,936,1903,-,-,-,358,-,-,-,-,590,-,-,-,-,claude-haiku-4-5@20251001"
    static const char config[] = "model_list:\n- model_name: m\n"
                                 "  litellm_params: {model: vertex_ai/claude-haiku-4-5@20251001}\n"
                                 "  model_info: {cache_creation_input_token_cost: 3.75e-06,\n"
                                 "    cache_creation_input_token_cost_batches: 3.125e-07}\n";
    struct book *book = book_of(config, OVERRIDES_LITELLM);
    expect_spend(book, JOB, "0.00067125");
    book_free(book);
#undef JOB
}

/* Called as an OpenAI endpoint, only priced as Vertex: LiteLLM knows no place of it. */
static void a_pricing_provider_brings_no_place(void **state)
{
    (void)state;
#define CALL                                                                                       \
    "model=gemini-3.1-flash-lite model_group=m call_type=chat input_tokens=1000000 "               \
    "output_tokens=0"
    static const char config[] = "model_list:\n- model_name: m\n"
                                 "  litellm_params: {model: openai/gemini-3.1-flash-lite}\n"
                                 "  model_info: {pricing_provider: vertex_ai}\n";
    struct book *book = book_of(config, OVERRIDES_MERGE);
    expect_spend(book, "provider=openai " CALL, "0.25");
    expect_spend(book, "provider=vertex_ai " CALL, "0.275");
    book_free(book);
#undef CALL
}

/* Seedream's images are tokens; a set price of output tokens is theirs too. */
static void tencents_images_cost_what_the_deployment_sets_for_output(void **state)
{
    (void)state;
#define MODEL "model_list:\n- model_name: m\n  litellm_params: {model: tencent/" SEEDREAM "}\n"
#define SEEDREAM "seedream-image-v5.0-lite"
#define CALL                                                                                       \
    "provider=tencent model=" SEEDREAM " model_group=m call_type=image images=2 input_tokens=10 "  \
    "output_tokens=1000 total_tokens=1010 "
    struct book *book =
        book_of(MODEL "  model_info: {output_cost_per_token: 2e-6}\n", OVERRIDES_LITELLM);
    expect_spend(book, CALL, "0.002");
    book_free(book);
    book = book_of(MODEL "  model_info: {output_cost_per_image: 0.5}\n", OVERRIDES_LITELLM);
    expect_spend(book, CALL, "1");
    book_free(book);
#undef CALL
#undef SEEDREAM
#undef MODEL
}

static void a_discount_of_a_mantle_model_needs_no_region(void **state)
{
    (void)state;
    struct book *book = book_of("model_list: []\nlitellm_settings:\n  cost_discount_config: "
                                "{bedrock_mantle: 0.1, bedrock_mantle/openai.gpt-oss-20b: 0.5}\n",
                                OVERRIDES_MERGE);
    expect_spend(book,
                 "provider=bedrock_mantle model=bedrock_mantle/openai.gpt-oss-20b call_type=chat "
                 "model_answered=openai.gpt-oss-20b input_tokens=1000000 output_tokens=0",
                 "0.035");
    book_free(book);
}

static void a_discount_of_a_model_beats_its_pattern_and_that_its_provider(void **state)
{
    (void)state;
    static const char config[] =
        "litellm_settings:\n"
        "  cost_discount_config: {openai: 0.1, openai/gpt-4.1*: 0.2, "
        "openai/gpt-4.*: 0.3, openai/gpt-4.1-mini: 0.5, azure/gpt-5*: 0.9}\n";
    struct book *book = book_of(config, OVERRIDES_LITELLM);
    expect_spend(book, "provider=openai model=gpt-4.1-mini call_type=chat input_tokens=1000",
                 "0.0002");
    expect_spend(book, "provider=openai model=gpt-4.1 call_type=chat input_tokens=1000", "0.0016");
    expect_spend(book, "provider=openai model=gpt-5 call_type=chat input_tokens=1000", "0.001125");
    book_free(book);
}

static void calls_that_are_never_billed_are_free_with_a_reason(void **state)
{
    (void)state;
#define CALL "provider=openai model=gpt-4o input_tokens=1000 gateway_cost=0.5 "
    expect_status(plain, CALL "call_type=chat status=failure", CHARGE_FREE, "failure");
    expect_status(plain, CALL "call_type=chat cache_hit=true", CHARGE_FREE, "cache_hit");
    expect_status(plain, CALL "call_type=aget_responses", CHARGE_FREE, "management_call");
    expect_status(plain, CALL "call_type=get_responses background=true", CHARGE_PRICED, "");
    expect_status(plain, "provider=openai call_type=acreate_file", CHARGE_FREE, "management_call");
    expect_status(plain, "provider=openai model=gpt-4o call_type=chat", CHARGE_UNPRICED,
                  "underivable_no_usage");
    expect_status(plain, CALL "call_type=chat status=failure guardrail_cost=0.25", CHARGE_PRICED,
                  "");
    expect_spend(plain, CALL "call_type=chat status=failure guardrail_cost=0.25", "0.25");
#undef CALL
}

#define FAMILY                                                                                     \
    "{\"fallback_generalizations\": {\"rules\": [{\"pattern\": \"^claude-.*\","                    \
    "\"model_info\": {\"litellm_provider\": \"anthropic\", \"supports_vision\": true}}]},"         \
    "\"bare\": {\"litellm_provider\": \"openai\", \"mode\": \"chat\"},"                            \
    "\"half\": {\"litellm_provider\": \"openai\", \"input_cost_per_token\": 1},"                   \
    "\"gift\": {\"litellm_provider\": \"openai\", \"input_cost_per_token\": 0,"                    \
    "\"output_cost_per_token\": 0}}"

static void absent_is_not_zero(void **state)
{
    (void)state;
    static const struct {
        const char *event;
        enum charge_status status;
        const char *reason;
    } rows[] = {
        {"provider=anthropic model=claude-new input_tokens=9", CHARGE_UNPRICED, "unknown_model"},
        {"provider=anthropic model=claude-new input_tokens=9 gateway_cost=5", CHARGE_REPORTED,
         "unknown_model"},
        {"provider=openai model=bare input_tokens=9 gateway_cost=0", CHARGE_UNPRICED, "no_rate"},
        {"provider=openai model=bare input_tokens=9 gateway_cost=5", CHARGE_REPORTED, "no_rate"},
        {"provider=openai model=half input_tokens=9", CHARGE_PRICED, ""},
        {"provider=openai model=half input_tokens=9 output_tokens=0", CHARGE_PRICED, ""},
        {"provider=openai model=half input_tokens=9 output_tokens=1", CHARGE_UNPRICED,
         "rate_missing"},
        {"provider=openai model=half input_tokens=9 output_tokens=1 gateway_cost=5",
         CHARGE_REPORTED, "rate_missing"},
        {"provider=openai model=half gateway_cost=5", CHARGE_REPORTED, "underivable_no_usage"},
        {"provider=openai model=half input_tokens=0 output_tokens=0 gateway_cost=0",
         CHARGE_UNPRICED, "underivable_no_usage"},
        {"provider=openai model=gift input_tokens=9 output_tokens=1", CHARGE_FREE, "zero_rate"},
        {"provider=openai model=gift input_tokens=0", CHARGE_UNPRICED, "underivable_no_usage"},
        {"provider=openai model=gift input_tokens=9 upstream_cost=0", CHARGE_FREE, "zero_rate"},
        {"provider=openai model=gift input_tokens=9 upstream_cost=0 gateway_cost=5",
         CHARGE_REPORTED, "underivable_stated_zero"},
    };
    struct err err = {0};
    struct book *book = book_with(NULL, FAMILY, OVERRIDES_MERGE, REPORTED_FALLBACK, &err);
    if (!book)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        expect_status(book, rows[i].event, rows[i].status, rows[i].reason);
    assert_int_equal(charge_of(book, rows[6].event)->missing, UNIT_OUTPUT_TEXT_TOKENS);
    book_free(book);
}

static void mode_litellm_bills_what_it_has_a_rate_for(void **state)
{
    (void)state;
    struct err err = {0};
    struct book *book = book_with(NULL, FAMILY, OVERRIDES_LITELLM, REPORTED_FALLBACK, &err);
    if (!book)
        fail_msg("%s", err.text);
    expect_spend(book, "provider=openai model=half input_tokens=9 output_tokens=1", "9");
    expect_status(book, "provider=openai model=half output_tokens=1", CHARGE_UNPRICED,
                  "rate_missing");
    expect_status(book, "provider=openai model=bare input_tokens=9", CHARGE_UNPRICED, "no_rate");
    book_free(book);
}

/* Every model there is, called every way, with and without usage, while the gateway says 1: free is
 * only what a zero rule or an explicit rate of 0 makes so. */
static void nothing_that_costs_becomes_free(void **state)
{
    (void)state;
    static const char *const calls[] = {"chat",  "embedding", "responses", "image",
                                        "video", "speech",    "rerank",    "transcription",
                                        "ocr",   "search",    "realtime",  "batch"};
    static const char *const usages[] = {"", "input_tokens=0 output_tokens=0",
                                         "input_tokens=7 output_tokens=5", "images=2"};
    struct pricer *pricer = pricer_new(plain);
    const struct catalog *catalog = plain->catalog[0];
    struct fixture_event event;
    static struct charge charge;
    for (size_t i = 0; i < catalog->count; i++)
        for (size_t j = 0; j < 4 * sizeof(calls) / sizeof(calls[0]); j++) {
            event_of(&event, usages[j % 4]);
            set_fact(&event, "gateway_cost", "1");
            facts_set_text(&event.facts, FACT_MODEL, slice_of(catalog->entry[i].name));
            facts_set_text(&event.facts, FACT_PROVIDER, slice_of(catalog->entry[i].provider));
            facts_set_text(&event.facts, FACT_CALL_TYPE, slice_of(calls[j / 4]));
            pricer_price(pricer, &event.facts, &charge, NULL);
            bool zero_rates = charge.reason == REASON_ZERO_RATE && charge.item_count > 0;
            if (charge.status == CHARGE_FREE && !zero_rates &&
                charge.reason != REASON_FREE_PROVIDER)
                fail_msg("%s, %s, %s: free (%s)", catalog->entry[i].name, calls[j / 4],
                         usages[j % 4], reason_of(&charge));
        }
    pricer_free(pricer);
}

#define OWN(model, prices)                                                                         \
    "model_list:\n- model_name: m\n  litellm_params: {model: " model ", " prices "}\n"

static void an_own_price_that_no_formula_reads_is_flagged(void **state)
{
    (void)state;
    struct book *book = book_of(
        OWN("openai/gpt-4o", "input_cost_per_token: 1, output_cost_per_image: 1"), OVERRIDES_MERGE);
#define GPT "provider=openai model=gpt-4o model_group=m input_tokens=3 "
    assert_int_equal(charge_of(book, GPT "call_type=chat")->flags, FLAG_OWN_PRICE_UNREAD);
    book_free(book);
    book = book_of(OWN("openai/gpt-4o", "input_cost_per_token: 1, output_cost_per_image: 0"),
                   OVERRIDES_MERGE);
    assert_int_equal(charge_of(book, GPT "call_type=chat")->flags, 0);
    book_free(book);
    book = book_of("model_list:\n- model_name: m\n  litellm_params: {model: openai/gpt-4o}\n"
                   "  model_info: {input_cost_per_request: 0.5, mode: chat}\n",
                   OVERRIDES_MERGE);
    assert_int_equal(charge_of(book, GPT "call_type=chat")->flags, FLAG_OWN_PRICE_UNREAD);
    assert_int_equal(charge_of(book, "provider=openai model=gpt-4o input_tokens=3")->flags,
                     FLAG_OWN_PRICE_UNREAD); /* no alias: found by its model */
    assert_int_equal(charge_of(book, "provider=openai model=gpt-4.1 input_tokens=3")->flags, 0);
    book_free(book);
#undef GPT
}

static void an_own_price_is_never_passed_over(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {OWN("hosted_vllm/rr", "input_cost_per_query: 0.002"),
         "provider=hosted_vllm model=rr model_group=m call_type=rerank rerank_tokens=560", "0.002"},
        {OWN("hosted_vllm/rr", "input_cost_per_query: 0.002"),
         "provider=hosted_vllm model=rr model_group=m call_type=rerank search_units=3", "0.006"},
        {OWN("hosted_vllm/rr", "input_cost_per_token: 0.000001"),
         "provider=hosted_vllm model=rr model_group=m call_type=rerank rerank_tokens=560",
         "0.00056"},
        {OWN("hosted_vllm/w", "input_cost_per_token: 0, output_cost_per_token: 0, "
                              "input_cost_per_second: 0.0001"),
         "provider=hosted_vllm model=w model_group=m call_type=transcription audio_seconds=60 "
         "input_tokens=100 output_tokens=20",
         "0.006"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct book *book = book_of(rows[i][0], OVERRIDES_MERGE);
        expect_spend(book, rows[i][1], rows[i][2]);
        book_free(book);
    }
}

/* Rates of 0 do not prove that a call is free where there is a price for what the event does not
 * count. */
static void zeros_beside_another_price_prove_nothing(void **state)
{
    (void)state;
#define ZERO "input_cost_per_token: 0, output_cost_per_token: 0"
#define GPT                                                                                        \
    "provider=openai model=gpt-4o model_group=m call_type=chat input_tokens=3 output_tokens=1"
    static const char *const beside[] = {"input_cost_per_query", "input_cost_per_character",
                                         "output_cost_per_image", "input_cost_per_image",
                                         "input_cost_per_request"};
    char config[512];
    for (size_t i = 0; i < 2 * sizeof(beside) / sizeof(beside[0]); i++) {
        enum overrides_mode mode = i % 2 ? OVERRIDES_LITELLM : OVERRIDES_MERGE;
        snprintf(config, sizeof(config),
                 "model_list:\n- model_name: m\n  litellm_params: {model: openai/gpt-4o}\n"
                 "  model_info: {" ZERO ", %s: 0.01}\n",
                 beside[i / 2]);
        struct book *book = book_of(config, mode);
        expect_status(book, GPT, CHARGE_UNPRICED, "underivable_no_usage");
        book_free(book);
    }
    struct book *book = book_of(OWN("openai/gpt-4o", ZERO), OVERRIDES_MERGE);
    expect_status(book, GPT, CHARGE_FREE, "zero_rate");
    book_free(book);
    book = book_of(OWN("openai/gpt-4o", ZERO ", input_cost_per_query: 0.01"), OVERRIDES_MERGE);
    expect_spend(book, GPT " input_queries=2", "0.02");
    assert_int_equal(charge_of(book, GPT " input_queries=2")->flags, 0);
    book_free(book);
    struct err err = {0};
    book = book_with(NULL,
                     "{\"acme/a\": {\"litellm_provider\": \"openai\", \"mode\": \"chat\", "
                     "\"input_cost_per_token\": 0, \"output_cost_per_token\": 0, "
                     "\"input_cost_per_request\": 0.1}}",
                     OVERRIDES_MERGE, REPORTED_FALLBACK, &err);
    assert_non_null(book);
    expect_status(book,
                  "provider=openai model=acme/a call_type=chat input_tokens=3 output_tokens=1",
                  CHARGE_UNPRICED, "underivable_no_usage");
    book_free(book);
#undef GPT
#undef ZERO
}

static void a_tier_that_nobody_knows_is_flagged(void **state)
{
    (void)state;
#define GPT "provider=openai model=gpt-4o call_type=chat input_tokens=3 output_tokens=1 "
    assert_int_equal(charge_of(plain, GPT "service_tier=turbo")->flags, FLAG_RATE_MISSING);
    assert_int_equal(charge_of(plain, GPT "service_tier=default")->flags, 0);
    assert_int_equal(charge_of(plain, GPT "service_tier=turbo service_tier_requested=flex")->flags,
                     0);
    assert_int_equal(charge_of(plain, GPT "service_tier=turbo service_tier_requested=auto")->flags,
                     FLAG_RATE_MISSING);
    assert_int_equal(charge_of(plain, GPT "service_tier=auto service_tier_requested=auto")->flags,
                     0);
#undef GPT
}

/* A country or a speed without a multiplier is billed plainly, and the row says so. */
static void a_speed_and_a_country_that_nobody_knows_are_flagged(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        uint32_t flags;
    } rows[] = {
        {"speed=standard inference_geo=global", 0},
        {"inference_geo=not_available", 0},
        {"inference_geo=Us speed=fast", 0},
        {"inference_geo=mars", FLAG_RATE_MISSING},
        {"inference_geo=a-country-far-beyond-the-seas", FLAG_RATE_MISSING},
        {"speed=ludicrous", FLAG_RATE_MISSING},
    };
    char event[256];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        snprintf(event, sizeof(event),
                 "provider=anthropic model=claude-opus-5 call_type=chat input_tokens=3 "
                 "output_tokens=1 %s",
                 rows[i].words);
        assert_int_equal(charge_of(plain, event)->flags, rows[i].flags);
    }
    assert_int_equal(charge_of(plain, "provider=anthropic model=claude-sonnet-4-5 call_type=chat "
                                      "input_tokens=3 output_tokens=1 speed=fast")
                         ->flags,
                     FLAG_RATE_MISSING);
}

static void facts_that_choose_a_rate_are_facts(void **state)
{
    (void)state;
#define QWEN "provider=bedrock input_tokens=1000000 output_tokens=1000000 "
#define ARN "arn:aws:bedrock:eu-west-1:1:inference-profile/qwen.qwen3-next-80b-a3b"
    expect_spend(plain, QWEN "model=qwen.qwen3-next-80b-a3b", "1.35");
    expect_spend(plain, QWEN "model=qwen.qwen3-next-80b-a3b region=eu-west-1", "1.59");
    expect_spend(plain, QWEN "model=qwen.qwen3-next-80b-a3b region=nowhere-1", "1.35");
    expect_spend(plain, QWEN "model=bedrock/converse/qwen.qwen3-next-80b-a3b region=eu-west-1",
                 "1.59");
    expect_spend(plain, QWEN "model=qwen.qwen3-next-80b-a3b model_requested=" ARN, "1.59");
    struct book *book =
        book_of("model_list:\n- model_name: q\n  litellm_params: {model: "
                "bedrock/converse/qwen.qwen3-next-80b-a3b, aws_region_name: eu-west-1}\n"
                "- model_name: own\n  litellm_params: {model: bedrock/converse/" ARN
                "/x1, input_cost_per_token: 1e-6, output_cost_per_token: 2e-6}\n",
                OVERRIDES_MERGE);
    expect_spend(book, QWEN "model=qwen.qwen3-next-80b-a3b model_group=q", "1.59");
    expect_spend(book, QWEN "model=x1", "3");
    book_free(book);
    expect_status(plain,
                  "provider=vertex_ai model=gemini-2.5-flash input_tokens=9 "
                  "service_tier=PROVISIONED_THROUGHPUT",
                  CHARGE_FREE, "provisioned_throughput");
    expect_spend(plain, "provider=openai model=gpt-4o input_tokens=1000 service_tier=batch",
                 "0.00125");
    expect_spend(plain,
                 "provider=anthropic model=claude-sonnet-4-5-20250929 batch=true "
                 "input_tokens=1000 cache_write_tokens=1000 cache_write_1h_tokens=1000",
                 "0.003");
#undef QWEN
#undef ARN
}

static void an_unknown_price_is_null_and_never_zero(void **state)
{
    (void)state;
    const struct charge *charge = charge_of(
        plain,
        "provider=openai model=no-such-model call_type=chat input_tokens=5 gateway_cost=0.1");
    assert_int_equal(charge->status, CHARGE_UNPRICED);
    assert_false(charge->has_spend);
    assert_int_equal(charge->item_count, 0);
    assert_string_equal(reason_of(charge), "unknown_model");
}

static void a_provider_is_implied_only_where_the_name_says_one(void **state)
{
    (void)state;
    expect_status(plain, "model=gpt-4o call_type=chat input_tokens=5", CHARGE_UNPRICED,
                  "provider_unknown");
    expect_status(plain, "call_type=chat input_tokens=5", CHARGE_UNPRICED, "provider_unknown");
    expect_spend(plain, "model=openai/gpt-4o call_type=chat input_tokens=4", "0.00001");
    expect_status(plain, "model=claude-sonnet-4-5-20250929 call_type=chat input_tokens=5",
                  CHARGE_PRICED, "");
}

static void what_the_event_lacks_is_reported_or_null(void **state)
{
    (void)state;
    struct err err = {0};
    static const char speech[] = "provider=openai model=gpt-4o-mini-tts call_type=speech "
                                 "speech_characters=10 gateway_cost=0.125";
    static const char chat[] =
        "provider=openai model=gpt-4o call_type=chat input_tokens=4 gateway_cost=9";
    struct book *ignore = book_with(NULL, NULL, OVERRIDES_MERGE, REPORTED_IGNORE, &err);
    struct book *prefer = book_with(NULL, NULL, OVERRIDES_MERGE, REPORTED_PREFER, &err);
    assert_non_null(ignore);
    assert_non_null(prefer);
    expect_status(plain, speech, CHARGE_REPORTED, "underivable_speech_tokens");
    expect_spend(plain, speech, "0.125");
    expect_status(ignore, speech, CHARGE_UNPRICED, "underivable_speech_tokens");
    expect_spend(plain, chat, "0.00001");
    expect_status(prefer, chat, CHARGE_REPORTED, "reported_preferred");
    expect_spend(prefer, chat, "9");
    expect_status(prefer, "provider=openai model=gpt-4o status=failure gateway_cost=9", CHARGE_FREE,
                  "failure");
    book_free(ignore);
    book_free(prefer);
}

static void a_cost_stated_upstream_is_taken_as_it_is(void **state)
{
    (void)state;
    expect_spend(plain,
                 "provider=openai model=gpt-4o call_type=chat input_tokens=4 upstream_cost=0.0421",
                 "0.0421");
}

/* ---- call types --------------------------------------------------------------------------------
 */

static void canonical_and_litellms_words_are_the_same_calls(void **state)
{
    (void)state;
    static const char *const groups[][5] = {
        {"chat", "acompletion", NULL},
        {"completion", "text_completion", "atext_completion", NULL},
        {"responses", "aresponses", NULL},
        {"embedding", "aembedding", NULL},
        {"image", "image_generation", "aimage_generation", "aimage_edit", NULL},
        {"transcription", "atranscription", NULL},
        {"speech", "aspeech", NULL},
        {"rerank", "arerank", NULL},
        {"ocr", "aocr", NULL},
        {"search", "asearch", NULL},
        {"realtime", "_arealtime", NULL},
    };
    static const char usage[] =
        "input_tokens=500 output_tokens=9 images=2 audio_seconds=3.5 speech_characters=70 "
        "search_units=3 pages=4 search_queries=2 web_search_items=3 url_citations=1 "
        "image_size=1024x1024 ";
    static const char *const models[] = {
        "provider=openai model=gpt-4o",
        "provider=openai model=gpt-4o",
        "provider=openai model=gpt-4o",
        "provider=openai model=text-embedding-3-small",
        "provider=vertex_ai model=imagen-4.0-generate-001 vertex_location=global",
        "provider=openai model=whisper-1",
        "provider=openai model=tts-1",
        "provider=cohere model=rerank-v3.5",
        "provider=mistral model=mistral-ocr-latest",
        "provider=perplexity model=search",
        "provider=openai model=gpt-realtime",
    };
    char event[512], first[DECIMAL_TEXT_MAX];
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
        for (size_t j = 0; groups[i][j]; j++) {
            bool no_tokens = i >= 5;
            snprintf(event, sizeof(event), "%s call_type=%s %s", models[i], groups[i][j],
                     no_tokens && i != 10 ? usage + strlen("input_tokens=500 output_tokens=9 ")
                                          : usage);
            if (j == 0)
                snprintf(first, sizeof(first), "%s", spend(plain, event));
            expect_spend(plain, event, first);
        }
}

static void stated_compute_seconds_are_the_seconds(void **state)
{
    (void)state;
    struct book *book = book_of(SAGEMAKER, OVERRIDES_MERGE);
#define CALL "provider=sagemaker model=x model_group=sagemaker-completion-model call_type=chat "
    expect_spend(book, CALL "compute_seconds=10.5", "0.00441");
    expect_spend(book,
                 CALL "compute_seconds=10.5 started_at=2026-11-01T00:00:00Z "
                      "ended_at=2026-11-01T00:10:00Z",
                 "0.00441"); /* not what it waited for */
    expect_spend(book, CALL "started_at=2026-11-01T00:00:00Z ended_at=2026-11-01T00:00:10.5Z",
                 "0.00441");
    expect_spend(book, CALL "input_tokens=3", "underivable_no_usage");
#undef CALL
    book_free(book);
}

static void a_line_of_a_batch_has_batch_prices(void **state)
{
    (void)state;
    expect_spend(plain,
                 "provider=openai model=gpt-4o call_type=chat batch=true input_tokens=1000 "
                 "output_tokens=100",
                 "0.00175");
    expect_status(
        plain,
        "provider=openai call_type=aretrieve_batch batch_models=gpt-4o,gpt-4.1 input_tokens=5",
        CHARGE_UNPRICED, "underivable_mixed_batch");
}

static void a_tool_call_costs_what_the_event_says(void **state)
{
    (void)state;
    expect_spend(plain, "call_type=call_mcp_tool tool_cost=0.02", "0.02");
    expect_status(plain, "call_type=call_mcp_tool tool_cost=0", CHARGE_FREE, "zero_rate");
    expect_status(plain, "call_type=call_mcp_tool", CHARGE_UNPRICED, "no_rate");
    expect_status(plain, "call_type=call_mcp_tool gateway_cost=0.01", CHARGE_REPORTED, "no_rate");
}

/* ---- overrides ---------------------------------------------------------------------------------
 */

#define ONLY_INPUT(model)                                                                          \
    "model_list:\n- model_name: m\n  litellm_params: {model: " model "}\n"                         \
    "  model_info: {input_cost_per_token: 3e-6}\n"

/* The examples of section 5.4 in which LiteLLM differs even with every price spelled out. */
static void only_vertex_charges_for_searching_a_vector_store(void **state)
{
    (void)state;
    expect_spend(plain, "provider=vertex_ai model=search_api call_type=avector_store_search",
                 "0.0015");
    expect_spend(plain, "call_type=vector_store_search model=vertex_ai/search_api", "0.0015");
    expect_spend(plain, "provider=openai model=search_api call_type=vector_store_search",
                 "no_rate");
    expect_spend(plain, "call_type=vector_store_search", "no_rate");
}

static void names_without_a_price_follow_what_is_set(void **state)
{
    (void)state;
    static const char *const names[][2] = {
        {"together_ai", "together_ai/acme/foo-70b-chat"},
        {"replicate", "replicate/acme/llama"},
        {"huggingface", "huggingface/acme/foo"},
        {"lemonade", "lemonade/foo"},
    };
    char config[512], event[512];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(config, sizeof(config),
                 "model_list:\n- model_name: m\n  litellm_params: {model: %s}\n"
                 "  model_info: {input_cost_per_token: 3e-6, output_cost_per_token: 1.5e-5}\n",
                 names[i][1]);
        snprintf(
            event, sizeof(event),
            "provider=%s model=%s model_group=m call_type=chat input_tokens=1000 output_tokens=100",
            names[i][0], names[i][1]);
        struct book *book = book_of(config, OVERRIDES_MERGE);
        expect_spend(book, event, "0.0045");
        book_free(book);
    }
}

static void merge_keeps_what_litellm_loses(void **state)
{
    (void)state;
    struct book *merge = book_of(ONLY_INPUT("openai/gpt-4o"), OVERRIDES_MERGE);
    struct book *litellm = book_of(ONLY_INPUT("openai/gpt-4o"), OVERRIDES_LITELLM);
    static const char event[] = "provider=openai model=gpt-4o model_group=m call_type=chat "
                                "input_tokens=1000 output_tokens=100";
    expect_spend(merge, event, "0.004");
    expect_spend(litellm, event, "0.003");
    book_free(merge);
    book_free(litellm);
}

static void the_rest_of_section_5_4_holds(void **state)
{
    (void)state;
    struct book *book = book_of(ONLY_INPUT("vertex_ai/claude-sonnet-4-5"), OVERRIDES_MERGE);
    expect_spend(
        book,
        "provider=vertex_ai model=claude-sonnet-4-5 model_group=m call_type=chat input_tokens=1000 "
        "output_tokens=100 web_searches=2 vertex_location=global",
        "0.0245");
    book_free(book);
    book = book_of("model_list:\n- model_name: m\n  litellm_params: {model: openai/acme}\n"
                   "  model_info: {cache_read_input_token_cost: 6e-7}\n",
                   OVERRIDES_MERGE);
    expect_spend(book,
                 "provider=openai model=acme model_group=m call_type=chat input_tokens=1000 "
                 "output_tokens=100 "
                 "cache_read_tokens=400",
                 "rate_missing");
    book_free(book);
    book = book_of("model_list:\n- model_name: m\n  litellm_params: {model: openai/tts-1}\n"
                   "  model_info: {input_cost_per_character: 2e-5}\n",
                   OVERRIDES_MERGE);
    expect_spend(book,
                 "provider=openai model=tts-1 model_group=m call_type=speech speech_characters=100",
                 "0.002");
    book_free(book);
    book = book_of(
        "model_list:\n- model_name: m\n  litellm_params: {model: openai/gpt-4o-transcribe}\n"
        "  model_info: {input_cost_per_second: 2e-4}\n",
        OVERRIDES_MERGE);
    expect_spend(book,
                 "provider=openai model=gpt-4o-transcribe model_group=m call_type=transcription "
                 "audio_seconds=37.5 input_tokens=900 output_tokens=20",
                 "0.0075");
    book_free(book);
    book = book_of(
        "model_list:\n- model_name: m\n  litellm_params: {model: azure/my-dep}\n"
        "  model_info: {base_model: azure/mistral-large-latest, input_cost_per_token: 3e-6}\n",
        OVERRIDES_MERGE);
    expect_spend(book,
                 "provider=azure model=my-dep model_group=m call_type=chat input_tokens=1000 "
                 "output_tokens=100",
                 "0.0054");
    book_free(book);
    book = book_of("model_list:\n- model_name: m\n  litellm_params: {model: "
                   "bedrock/amazon.titan-image-generator-v2}\n"
                   "  model_info: {output_cost_per_image: 0.02}\n",
                   OVERRIDES_MERGE);
    expect_spend(book,
                 "provider=bedrock model=amazon.titan-image-generator-v2 model_group=m "
                 "call_type=image images=2",
                 "0.04");
    book_free(book);
}

static void another_gateways_event_finds_its_deployment_by_the_model(void **state)
{
    (void)state;
    struct book *book = book_of(ONLY_INPUT("openai/acme-7b"), OVERRIDES_MERGE);
    expect_spend(book, "provider=openai model=acme-7b call_type=chat input_tokens=1000", "0.003");
    expect_spend(book, "model=openai/acme-7b call_type=chat input_tokens=1000", "0.003");
    expect_spend(book,
                 "provider=openai model=acme-7b model_group=other call_type=chat input_tokens=1000",
                 "unknown_model");
    book_free(book);
}

static void a_pattern_prices_whatever_it_is_called_with(void **state)
{
    (void)state;
    struct book *book =
        book_of("model_list:\n- model_name: openai/*\n  litellm_params: {model: openai/*}\n"
                "  model_info: {input_cost_per_token: 1}\n",
                OVERRIDES_MERGE);
    expect_spend(book,
                 "provider=openai model=openai/gpt-4o model_group=openai/gpt-4o call_type=chat "
                 "input_tokens=2 "
                 "output_tokens=1",
                 "2.00001");
    expect_spend(
        book,
        "provider=openai model=openai/acme model_group=openai/acme call_type=chat input_tokens=2",
        "2");
    book_free(book);
}

/* ---- the pricer --------------------------------------------------------------------------------
 */

static void a_remembered_plan_prices_like_a_new_one(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "provider=openai model=gpt-4o call_type=chat input_tokens=10",
        "provider=azure model=gpt-4o call_type=chat input_tokens=10",
        "provider=parallel_ai model=search call_type=search search_mode=fast",
        "provider=parallel_ai model=search call_type=search search_mode=advanced",
        "provider=openai model=gpt-4o call_type=chat batch=true input_tokens=10",
    };
    struct pricer *pricer = pricer_new(plain);
    static struct charge charge;
    struct fixture_event event;
    for (int round = 0; round < 3; round++)
        for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
            char got[DECIMAL_TEXT_MAX];
            event_of(&event, lines[i]);
            pricer_price(pricer, &event.facts, &charge, NULL);
            money_format(charge.spend, got);
            expect_spend(plain, lines[i], got);
        }
    pricer_free(pricer);
}

static void names_without_end_stay_in_bounded_memory(void **state)
{
    (void)state;
    struct pricer *pricer = pricer_new(plain);
    static struct charge charge;
    struct fixture_event event;
    char line[128];
    for (int i = 0; i < 70000; i++) {
        snprintf(line, sizeof(line),
                 "provider=openai model=made-up-%d call_type=chat input_tokens=1", i);
        event_of(&event, line);
        pricer_price(pricer, &event.facts, &charge, NULL);
        assert_int_equal(charge.status, CHARGE_UNPRICED);
    }
    event_of(&event, "provider=openai model=gpt-4o call_type=chat input_tokens=4");
    pricer_price(pricer, &event.facts, &charge, NULL);
    assert_true(charge.spend.atto == (i128)10000000000000);
    pricer_free(pricer);
}

/* More names than are remembered at once, and some of them longer than one that is. */
static void long_names_are_priced_like_short_ones(void **state)
{
    (void)state;
    struct pricer *pricer = pricer_new(plain);
    static struct charge charge;
    static char group[8192];
    struct fixture_event event;
    memset(group, 'm', sizeof(group));
    for (int i = 0; i < 14000; i++) {
        event_of(&event, "provider=openai model=gpt-4o call_type=chat input_tokens=4");
        memcpy(group,
               &(char[8]){(char)('a' + i % 26), (char)('a' + i / 26 % 26), (char)('a' + i / 676),
                          'x', 'x', 'x', 'x', 'x'},
               8);
        facts_set_text(&event.facts, FACT_MODEL_GROUP,
                       (struct slice){group, i % 8 ? 1500 : sizeof(group)});
        pricer_price(pricer, &event.facts, &charge, NULL);
        assert_true(charge.spend.atto == (i128)10000000000000);
    }
    pricer_free(pricer);
}

static char traced[8192];

static void trace_collect(const char *text, void *context)
{
    (void)context;
    size_t used = strlen(traced);
    snprintf(traced + used, sizeof(traced) - used, "%s\n", text);
}

static void a_trace_names_candidates_and_deployments(void **state)
{
    (void)state;
    struct book *book = book_of(CLAUDE, OVERRIDES_MERGE);
    struct pricer *pricer = pricer_new(book);
    struct trace trace = {trace_collect, NULL};
    static struct charge charge;
    struct fixture_event event;
    event_of(
        &event,
        "provider=anthropic model=x model_group=prod/claude-3-5-sonnet-20241022 input_tokens=1");
    traced[0] = '\0';
    pricer_price(pricer, &event.facts, &charge, &trace);
    assert_non_null(strstr(traced, "found by its alias"));
    assert_non_null(strstr(traced, "candidate anthropic/claude-3-5-sonnet-20241022"));
    event_of(&event, "provider=anthropic model=x model_group=prod/claude-3-5-sonet-20241022");
    pricer_price(pricer, &event.facts, &charge, &trace);
    assert_non_null(strstr(traced, "the nearest is \"prod/claude-3-5-sonnet-20241022\""));
    pricer_free(pricer);
    book_free(book);
}

/* The nearest of all names, not of the first ones. */
static void the_nearest_of_many_deployments_is_told(void **state)
{
    (void)state;
    char *config = NULL;
    size_t bytes;
    FILE *out = open_memstream(&config, &bytes);
    fputs("model_list:\n", out);
    for (int i = 0; i < 1500; i++)
        fprintf(out, "- {model_name: team-%c%d, litellm_params: {model: openai/gpt-4o}}\n",
                i == 200 ? 'x' : 'q', i);
    fclose(out);
    struct book *book = book_of(config, OVERRIDES_MERGE);
    struct pricer *pricer = pricer_new(book);
    struct trace trace = {trace_collect, NULL};
    static struct charge charge;
    struct fixture_event event;
    traced[0] = '\0';
    event_of(&event, "provider=openai model=m model_group=team-xx200");
    pricer_price(pricer, &event.facts, &charge, &trace);
    assert_non_null(strstr(traced, "the nearest is \"team-x200\""));
    event_of(&event, "provider=openai model=m model_group=team-q1499x");
    pricer_price(pricer, &event.facts, &charge, &trace);
    assert_non_null(strstr(traced, "the nearest is \"team-q1499\""));
    pricer_free(pricer);
    book_free(book);
    free(config);
}

/* ---- prices show and diff ----------------------------------------------------------------------
 */

static void shown_rates_have_sources(void **state)
{
    (void)state;
    traced[0] = '\0';
    assert_true(prices_show(plain, SLICE("GPT-4O"), false, trace_collect, NULL));
    assert_non_null(strstr(traced, "cost_map:gpt-4o#input_cost_per_token"));
    assert_false(prices_show(plain, SLICE("no-such"), false, trace_collect, NULL));
}

static void a_diff_names_moves_additions_and_removals(void **state)
{
    (void)state;
    struct err err = {0};
    struct diff_counts counts;
    struct book_options options = {.cost_maps = NULL};
    const char *old =
        file_of(0, "{\"a\": {\"input_cost_per_token\": 1, \"output_cost_per_token\": 2},"
                   "\"b\": {\"input_cost_per_token\": 1}}");
    const char *new =
        file_of(1, "{\"a\": {\"input_cost_per_token\": 1.0, \"output_cost_per_token\": 21},"
                   "\"c\": {\"input_cost_per_token\": 1}}");
    traced[0] = '\0';
    assert_true(prices_diff(&options, old, new, false, trace_collect, NULL, &counts, &err));
    assert_string_equal(traced,
                        "moved    a  output_cost_per_token  2 -> 21  (more than ten times)\n"
                        "removed  b  input_cost_per_token  1\n"
                        "added    c  input_cost_per_token  1\n");
    assert_int_equal(counts.moved + counts.added + counts.removed + counts.large, 4);
    traced[0] = '\0';
    assert_true(prices_diff(&options, old, new, true, trace_collect, NULL, &counts, &err));
    assert_non_null(strstr(traced, "\"change\":\"moved\",\"old\":2,\"new\":21,\"large\":true}"));
}

static void a_map_and_a_configuration_cannot_be_compared(void **state)
{
    (void)state;
    struct err err = {0};
    struct diff_counts counts;
    struct book_options options = {.cost_maps = NULL};
    const char *old = file_of(0, "{\"a\": {}}"), *new = file_of(1, CLAUDE);
    assert_false(prices_diff(&options, old, new, false, trace_collect, NULL, &counts, &err));
    assert_int_equal(err.kind, ERR_CONFIG);
}

static void two_configurations_are_compared_by_deployment(void **state)
{
    (void)state;
    struct err err = {0};
    struct diff_counts counts;
    struct book_options options = {.cost_maps = NULL};
    const char *old = file_of(0, ONLY_INPUT("openai/acme"));
    const char *new =
        file_of(1, "model_list:\n- model_name: m\n  litellm_params: {model: openai/acme}\n"
                   "  model_info: {input_cost_per_token: 4e-6}\n");
    traced[0] = '\0';
    assert_true(prices_diff(&options, old, new, false, trace_collect, NULL, &counts, &err));
    assert_string_equal(traced,
                        "moved    m -> openai/acme  input_cost_per_token  0.000003 -> 0.000004\n");
}

static int setup(void **state)
{
    (void)state;
    plain = book_of(NULL, OVERRIDES_MERGE);
    return plain ? 0 : 1;
}

static int teardown(void **state)
{
    (void)state;
    book_free(plain);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_sagemaker_models_are_billed_by_the_second),
        cmocka_unit_test(an_azure_deployment_is_billed_by_its_token_prices),
        cmocka_unit_test(a_renamed_claude_has_four_prices_of_its_own),
        cmocka_unit_test(cached_tokens_are_not_billed_twice),
        cmocka_unit_test(a_batch_is_priced_request_by_request),
        cmocka_unit_test(models_of_one_event_are_not_numbered),
        cmocka_unit_test(no_clip_of_a_session_is_passed_over),
        cmocka_unit_test(an_answer_of_an_unknown_model_is_no_free_one),
        cmocka_unit_test(a_bill_of_too_many_items_is_no_price),
        cmocka_unit_test(a_family_that_runs_away_does_not_match),
        cmocka_unit_test(a_batch_whose_rows_do_not_add_up_is_declined),
        cmocka_unit_test(a_line_of_a_batch_is_priced_by_the_model_that_it_says),
        cmocka_unit_test(a_sum_of_attempts_does_not_say_what_was_read_explicitly),
        cmocka_unit_test(a_line_of_a_model_that_nobody_knows_costs_nothing_in_mode_litellm),
        cmocka_unit_test(a_sum_beyond_a_threshold_is_not_the_price_of_a_batch_of_many),
        cmocka_unit_test(a_batch_without_output_costs_nothing),
        cmocka_unit_test(a_cache_hit_after_billed_attempts_is_not_free),
        cmocka_unit_test(a_deployment_without_prices_of_batches_has_the_maps),
        cmocka_unit_test(a_batch_inherits_from_the_model_without_its_provider),
        cmocka_unit_test(a_size_with_a_star_is_read_of_answers_in_mode_merge),
        cmocka_unit_test(a_discount_of_a_mantle_model_needs_no_region),
        cmocka_unit_test(reserved_capacity_costs_nothing_more),
        cmocka_unit_test(reserved_capacity_pays_for_jobs_and_not_for_file_search),
        cmocka_unit_test(rates_beside_those_of_the_hour_are_billed_in_mode_litellm),
        cmocka_unit_test(images_of_reserved_capacity_cost_what_mode_litellm_leaves_standing),
        cmocka_unit_test(a_pricing_provider_finds_what_the_called_name_is),
        cmocka_unit_test(a_pricing_provider_has_rows_of_what_was_sent),
        cmocka_unit_test(a_job_without_an_input_rate_is_billed_for_what_is_written),
        cmocka_unit_test(a_batch_inherits_writes_by_lifetime),
        cmocka_unit_test(a_sum_of_attempts_has_a_price_where_it_is_linear),
        cmocka_unit_test(a_job_has_no_pricing_provider_in_mode_litellm),
        cmocka_unit_test(a_pricing_provider_brings_no_place),
        cmocka_unit_test(tencents_images_cost_what_the_deployment_sets_for_output),
        cmocka_unit_test(a_discount_of_a_model_beats_its_pattern_and_that_its_provider),
        cmocka_unit_test(spend_is_the_exact_sum_of_its_items),
        cmocka_unit_test(an_amount_is_rounded_once_half_to_even),
        cmocka_unit_test(an_amount_that_does_not_fit_is_no_amount),
        cmocka_unit_test(absurd_counts_stay_exact),
        cmocka_unit_test(many_images_of_one_size_are_one_item),
        cmocka_unit_test(next_months_thresholds_and_tiers_need_no_change),
        cmocka_unit_test(the_served_tier_wins_over_the_requested),
        cmocka_unit_test(calls_that_are_never_billed_are_free_with_a_reason),
        cmocka_unit_test(absent_is_not_zero),
        cmocka_unit_test(mode_litellm_bills_what_it_has_a_rate_for),
        cmocka_unit_test(nothing_that_costs_becomes_free),
        cmocka_unit_test(an_own_price_that_no_formula_reads_is_flagged),
        cmocka_unit_test(an_own_price_is_never_passed_over),
        cmocka_unit_test(zeros_beside_another_price_prove_nothing),
        cmocka_unit_test(a_tier_that_nobody_knows_is_flagged),
        cmocka_unit_test(a_speed_and_a_country_that_nobody_knows_are_flagged),
        cmocka_unit_test(facts_that_choose_a_rate_are_facts),
        cmocka_unit_test(an_unknown_price_is_null_and_never_zero),
        cmocka_unit_test(a_provider_is_implied_only_where_the_name_says_one),
        cmocka_unit_test(what_the_event_lacks_is_reported_or_null),
        cmocka_unit_test(a_cost_stated_upstream_is_taken_as_it_is),
        cmocka_unit_test(canonical_and_litellms_words_are_the_same_calls),
        cmocka_unit_test(stated_compute_seconds_are_the_seconds),
        cmocka_unit_test(a_line_of_a_batch_has_batch_prices),
        cmocka_unit_test(a_tool_call_costs_what_the_event_says),
        cmocka_unit_test(only_vertex_charges_for_searching_a_vector_store),
        cmocka_unit_test(names_without_a_price_follow_what_is_set),
        cmocka_unit_test(merge_keeps_what_litellm_loses),
        cmocka_unit_test(the_rest_of_section_5_4_holds),
        cmocka_unit_test(another_gateways_event_finds_its_deployment_by_the_model),
        cmocka_unit_test(a_pattern_prices_whatever_it_is_called_with),
        cmocka_unit_test(a_remembered_plan_prices_like_a_new_one),
        cmocka_unit_test(names_without_end_stay_in_bounded_memory),
        cmocka_unit_test(long_names_are_priced_like_short_ones),
        cmocka_unit_test(a_trace_names_candidates_and_deployments),
        cmocka_unit_test(the_nearest_of_many_deployments_is_told),
        cmocka_unit_test(shown_rates_have_sources),
        cmocka_unit_test(a_diff_names_moves_additions_and_removals),
        cmocka_unit_test(a_map_and_a_configuration_cannot_be_compared),
        cmocka_unit_test(two_configurations_are_compared_by_deployment),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
