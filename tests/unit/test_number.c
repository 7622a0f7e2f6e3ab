/* SPDX-License-Identifier: Apache-2.0 */
/* links: ingest */
/* Numbers as emitters write them, and the words by which they name providers. */
#include "ingest/number.h"
#include "ingest/provider.h"
#include "ingest/timestamp.h"

#include "core/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void counts_are_integers_however_they_are_written(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum number_result result;
        int64_t count;
    } rows[] = {
        {"0", NUMBER_OK, 0},
        {"42", NUMBER_OK, 42},
        {"1.0", NUMBER_OK, 1},
        {"1e3", NUMBER_OK, 1000},
        {"12.50e2", NUMBER_OK, 1250},
        {"-0", NUMBER_OK, 0},
        {"9223372036854775807", NUMBER_OK, INT64_MAX},
        {"9223372036854775808", NUMBER_BAD, 0},
        {"1e19", NUMBER_BAD, 0},
        {"1e400", NUMBER_BAD, 0},
        {"1e99999999999999999999", NUMBER_BAD, 0},
        {"-1", NUMBER_BAD, 0},
        {"1.5", NUMBER_BAD, 0},
        {"NaN", NUMBER_BAD, 0},
        {"Infinity", NUMBER_BAD, 0},
        {"-inf", NUMBER_BAD, 0},
        {"", NUMBER_NULL, 0},
        {"-", NUMBER_NULL, 0},
        {"NA", NUMBER_NULL, 0},
        {"None", NUMBER_NULL, 0},
        {"null", NUMBER_NULL, 0},
        {"abc", NUMBER_NONE, 0},
        {"12a", NUMBER_NONE, 0},
        {" 1", NUMBER_NONE, 0},
        {"0x10", NUMBER_NONE, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t count = -1;
        enum number_result result = number_count(slice_of(rows[i].text), &count);
        if (result != rows[i].result || (result == NUMBER_OK && count != rows[i].count))
            fail_msg("\"%s\": %d, %lld", rows[i].text, result, (long long)count);
    }
}

static void decimals_keep_their_digits_and_are_rounded_only_beyond_40(void **state)
{
    (void)state;
    static const struct {
        const char *text, *decimal;
    } rows[] = {
        {"0.0017167999999999999", "0.0017167999999999999"},
        {"4e-08", "0.00000004"},
        {"-2.50", "-2.5"},
        {"1.0e-45", "0"},
        {"0.12345678901234567890123456789012345678901234567890",
         "0.1234567890123456789012345678901234568"},
        {"123456789012345678901234567890123456789012", NULL},
        {"0.00000000000000000000000000000000000000005",
         "0.0000000000000000000000000000000000000001"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[DECIMAL_TEXT_MAX];
        struct decimal d;
        enum number_result result = number_decimal(slice_of(rows[i].text), &d);
        assert_int_equal(result, rows[i].decimal ? NUMBER_OK : NUMBER_BAD);
        if (!rows[i].decimal)
            continue;
        decimal_format(&d, text);
        assert_string_equal(text, rows[i].decimal);
    }
}

static void times_are_read_in_every_unit(void **state)
{
    (void)state;
    static const struct {
        const char *format, *text, *time; /* NULL: refused */
    } rows[] = {
        {"s", "1795493178.109193", "2026-11-24T04:06:18.109193Z"},
        {"s", "1795493178", "2026-11-24T04:06:18Z"},
        {"s", "1795493185.9902801", "2026-11-24T04:06:25.99028Z"},
        {"s", "1795493185.9902799", "2026-11-24T04:06:25.99028Z"},
        {"s", "1795493185.99999999", "2026-11-24T04:06:26Z"},
        {"s", "1.795493178e9", "2026-11-24T04:06:18Z"},
        {"s", "1795493178109", NULL},
        {"s", "0", NULL},
        {"s", "-5", NULL},
        {"s", "soon", NULL},
        {"ms", "1795493178109", "2026-11-24T04:06:18.109Z"},
        {"ms", "1795493178109.5", "2026-11-24T04:06:18.1095Z"},
        {"us", "1795493178109193", "2026-11-24T04:06:18.109193Z"},
        {"ns", "1795493178109193999", "2026-11-24T04:06:18.109193Z"},
        {"rfc3339", "2026-11-24T04:06:18.109193Z", "2026-11-24T04:06:18.109193Z"},
        {"rfc3339", "2026-11-24 04:06:18+00:00", "2026-11-24T04:06:18Z"},
        {"rfc3339", "2026-11-24T05:36:18.5+0130", "2026-11-24T04:06:18.5Z"},
        {"rfc3339", "2026-11-24T04:06:18", "2026-11-24T04:06:18Z"},
        {"rfc3339", "2026-02-30T00:00:00Z", NULL},
        {"rfc3339", "1969-12-31T23:59:59Z", NULL},
        {"rfc3339", "2200-01-01T00:00:00Z", NULL},
        {"%d/%b/%Y:%H:%M:%S %z", "24/Nov/2026:05:06:18 +0100", "2026-11-24T04:06:18Z"},
        {"%d/%b/%Y:%H:%M:%S %z", "24/Nov/2026", NULL},
        {"%Y-%m-%d", "2026-02-28", "2026-02-28T00:00:00Z"},
        {"%Y-%m-%d", "2028-02-29", "2028-02-29T00:00:00Z"},
        {"%Y-%m-%d", "2026-02-29", NULL},
        {"%d.%m.%Y", "31.02.2026", NULL},
        {"%d.%m.%Y", "31.04.2026", NULL},
        {"%Y-%j", "2026-060", "2026-03-01T00:00:00Z"},
        {"%Y-%m-%d %H:%M:%S UTC", "2026-11-24 04:06:18 UTC", "2026-11-24T04:06:18Z"},
        {"%Y-%m-%d %H:%M:%S UTC", "2026-11-24 04:06:18 CEST", NULL},
        {"100%% %Y-%m-%d", "100% 2026-11-24", "2026-11-24T00:00:00Z"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct time_format format;
        int64_t us = 0, expected = 0;
        char conversion;
        assert_true(time_format_parse(rows[i].format, &format, &conversion));
        bool ok = time_parse(slice_of(rows[i].text), &format, &us);
        assert_true(!rows[i].time || clock_parse(slice_of(rows[i].time), &expected));
        if (ok != (rows[i].time != NULL) || (ok && us != expected))
            fail_msg("%s \"%s\": %lld, expected %lld", rows[i].format, rows[i].text, (long long)us,
                     (long long)expected);
    }
}

static void formats_that_read_no_time_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *format;
        char conversion;
    } rows[] = {
        {"seconds", 0},        {"%Y-%m-%d %H:%M:%S %Z", 'Z'}, {"%Y-%m-%d %-Z", 'Z'},
        {"%G-W%V-%u", 'G'},    {"%Y-%m-%dT%H:%M:%S.%f", 'f'}, {"%Y-%m-%d%", '%'},
        {"%Y-%m-%d %EZ", 'Z'},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct time_format format;
        char conversion;
        assert_false(time_format_parse(rows[i].format, &format, &conversion));
        assert_int_equal(conversion, rows[i].conversion);
    }
}

static void providers_get_litellms_names(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"openai", "openai"},
        {"OpenAI", "openai"},
        {"aws.bedrock", "bedrock"},
        {"Amazon Bedrock", "bedrock"},
        {"gcp.vertex_ai", "vertex_ai"},
        {"vertex", "vertex_ai"},
        {"gcp.gemini", "gemini"},
        {"google", "gemini"},
        {"az.ai.openai", "azure"},
        {"azure.ai.openai", "azure"},
        {"x_ai", "xai"},
        {"mistral_ai", "mistral"},
        {"vertex_ai_beta", "vertex_ai_beta"},
        {"azure_ai", "azure_ai"},
        {"my-own", "my-own"},
        {"azure.responses", "azure"}, /* Vercel's <provider>.<API> */
        {"vertex.anthropic.messages", "vertex_ai"},
        {"google.vertex.chat", "vertex_ai"},
        {"xai.chat", "xai"},
        {"fireworks.chat", "fireworks_ai"},
        {"baseten.chat", "baseten"},
        {"my.own", "my.own"},
        {"bedrock_converse", "bedrock_converse"},
        {"o", "o"},
        {"AI21labs", "ai21"}, /* both ends of the table, and beyond */
        {"zhipu", "zai"},
        {"Z.AI", "zai"}, /* written otherwise: letters and digits count, and "ai" does not */
        {"moonshot_ai", "moonshot"},
        {"Mistral AI", "mistral"},
        {"jinaai", "jina_ai"},
        {"google.vertex-ai", "vertex_ai"},
        {"cohere.chat", "cohere"},
        {"cohere_chat", "cohere_chat"},
        {"Alibaba Cloud", "dashscope"},
        {"ai", "ai"},
        {"azure_ai", "azure_ai"},
        {"a name of a provider that is longer than any",
         "a name of a provider that is longer than any"},
        {"aaa", "aaa"},
        {"zz", "zz"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_true(slice_is(provider_canonical(slice_of(rows[i][0])), rows[i][1]));
}

static void bedrocks_models_have_a_vendor(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"claude-3-5-haiku-20241022-v1:0", "anthropic"},
        {"titan-text-express-v1", "amazon"},
        {"llama3-1-70b-instruct-v1:0", "meta"},
        {"rerank-v3-5:0", "cohere"},
        {"rerank-v1:0", "amazon"},
        {"anthropic.claude-3-5-haiku-20241022-v1:0", ""},
        {"us.amazon.nova-pro-v1:0", ""},
        {"def456", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_true(slice_is(provider_bedrock_vendor(slice_of(rows[i][0])), rows[i][1]));
}

static void a_familys_models_have_one_provider(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"gpt-4o", "openai"},
        {"ft:gpt-4o-mini:org::id", "openai"},
        {"o1", "openai"},
        {"o4-mini", "openai"},
        {"claude-opus-5", "anthropic"},
        {"gemini-2.5-pro", "gemini"},
        {"deepseek-chat", "deepseek"},
        {"mistral-large-latest", "mistral"},
        {"gpt-oss-120b", ""},
        {"deepseek-r1", ""},
        {"mistral-7b-instruct", ""},
        {"o12", ""},
        {"meta-llama/Llama-3", ""},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_true(slice_is(provider_of_model(slice_of(rows[i][0])), rows[i][1]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_integers_however_they_are_written),
        cmocka_unit_test(decimals_keep_their_digits_and_are_rounded_only_beyond_40),
        cmocka_unit_test(times_are_read_in_every_unit),
        cmocka_unit_test(formats_that_read_no_time_are_refused),
        cmocka_unit_test(providers_get_litellms_names),
        cmocka_unit_test(bedrocks_models_have_a_vendor),
        cmocka_unit_test(a_familys_models_have_one_provider),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
