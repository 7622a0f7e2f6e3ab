/* SPDX-License-Identifier: Apache-2.0 */
/* links: ingest */
/* What looks like a key is hashed wherever it stands, and what only resembles one is left. */
#include "ingest/secrecy.h"

#include "core/hash.h"
#include "ingest/mapping.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void finds(const char *text, const char *key)
{
    struct slice found = secrecy_find(slice_of(text));
    if (found.bytes != strlen(key) || memcmp(found.p, key, found.bytes) != 0)
        fail_msg("\"%s\": found \"" SLICE_FMT "\", not \"%s\"", text, SLICE_ARG(found), key);
}

static void known_forms_are_found_in_texts(void **state)
{
    (void)state;
    static const char *const keys[] = {
        "sk-proj-1234567890abcdef",
        "sk-ant-api03-AbCdEf0123456789",
        "AKIAIOSFODNN7EXAMPLE",
        "ASIAIOSFODNN7EXAMPLE",
        "gsk_abcdefghijklmnopqrst",
        "xai-0123456789abcdefgh",
        "hf_abcdefghijklmnopqrst",
        "r8_abcdefghijklmnopqrst",
        "ghp_0123456789abcdefghijKLMN",
        "github_pat_0123456789abcdefghij",
        "glpat-0123456789abcdef",
        "xoxb-0123456789-abc",
        "AIzaSyA1234567890abcdefghijklmnopqrstuv",
        "nvapi-0123456789abcdef",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
        "dapi0123456789abcdef0123456789abcdef"};
    char text[256];
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        finds(keys[i], keys[i]);
        snprintf(text, sizeof(text), "for \"%s\", please", keys[i]);
        finds(text, keys[i]);
        snprintf(text, sizeof(text), "key=%s;", keys[i]);
        finds(text, keys[i]);
    }
    finds("Authorization: BEARER abcdef1234567", "abcdef1234567");
    finds("basic dXNlcjpwYXNzd29yZA==", "dXNlcjpwYXNzd29yZA==");
    finds("x -----BEGIN RSA PRIVATE KEY-----\nabc", "-----BEGIN RSA PRIVATE KEY-----\nabc");
}

static void words_are_no_keys(void **state)
{
    (void)state;
    static const char *const words[] = {
        "",
        "-",
        "sk-",
        "sk-learn-pipeline",
        "task-1234567890abcdef",
        "bearer of news",
        "basic understanding",
        "Basic",
        "gpt-4o",
        "AKIA",
        "team-search",
        "release:1",
        "eyJ",
        "eyJabcdefgh",
        "prod",
        "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b",
        "xai-grok",
        "2026-11-24T04:06:18Z",
        "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
        "Bearer"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        finds(words[i], "");
}

/* --- through a mapping ---------------------------------------------------------------------- */

static char shown[4096];

static void text_note(const struct event *event, enum label label)
{
    size_t used = strlen(shown);
    if (labels_has(&event->labels, label))
        snprintf(shown + used, sizeof(shown) - used, "%s=" SLICE_FMT ";", label_info[label].name,
                 SLICE_ARG(event->labels.v[label].s));
}

static void note(const struct record *record, void *context)
{
    (void)context;
    shown[0] = '\0';
    if (record->outcome != RECORD_EVENT)
        return;
    text_note(record->event, LABEL_API_KEY);
    text_note(record->event, LABEL_USER);
    text_note(record->event, LABEL_METADATA);
    const struct labels *labels = &record->event->labels;
    for (size_t i = 0; labels_has(labels, LABEL_TAGS) && i < labels->v[LABEL_TAGS].t->count; i++)
        snprintf(shown + strlen(shown), sizeof(shown) - strlen(shown), "tag=" SLICE_FMT ";",
                 SLICE_ARG(labels->v[LABEL_TAGS].t->tag[i]));
    if (facts_has(&record->event->facts, FACT_API_HOST))
        snprintf(shown + strlen(shown), sizeof(shown) - strlen(shown), "host=" SLICE_FMT ";",
                 SLICE_ARG(facts_text(&record->event->facts, FACT_API_HOST)));
    if (record->event->flags & FLAG_KEY_HASHED)
        strncat(shown, "flagged", sizeof(shown) - strlen(shown) - 1);
}

static void reads(const char *words, const char *event, const char *want)
{
    char text[1024];
    struct err err = {0};
    snprintf(text, sizeof(text),
             "- name: t\n  keep: /k\n%s  fields: {request_id: /id, api_key: /key, user: /user, "
             "tags: /tags, "
             "metadata: /meta, api_host: /base}\n",
             words);
    struct yaml_tree *tree = yaml_parse(slice_of(text), "t.yaml", &err);
    assert_non_null(tree);
    static const char *const names[] = {"t"};
    struct mappings *set = mappings_compile(names, 1, yaml_root(tree), &err);
    if (!set)
        fail_msg("%s", err.text);
    struct mapper *mapper = mapper_new(set);
    struct arena batch;
    arena_init(&batch, 1 << 20);
    mapper_read(mapper, &(struct message){.bytes = slice_of(event)}, &batch, note, NULL);
    assert_string_equal(shown, want);
    arena_free(&batch);
    mapper_free(mapper);
    mappings_free(set);
    yaml_free(tree);
}

static const char *hashed(const char *what)
{
    static char hex[4][SHA256_HEX_BYTES];
    static unsigned turn;
    char *to = hex[turn++ % 4];
    hash_sha256_hex(slice_of(what), to);
    return to;
}

static void what_is_no_hash_is_hashed(void **state)
{
    (void)state;
    static const struct {
        const char *key, *of;
    } keys[] = {
        {"sk-test", "sk-test"},
        {"Bearer sk-test", "sk-test"},
        {"BEARER  sk-test ", "sk-test"},
        {"basic dXNlcjpwdw==", "dXNlcjpwdw=="},
        {" sk-test", "sk-test"},
        {"AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"},
        {"0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef"},
        {"anything", "anything"},
        {"88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4",
         "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4"},
    };
    char event[256], want[256];
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        snprintf(event, sizeof(event), "{\"k\":1,\"key\":\"%s\"}", keys[i].key);
        snprintf(want, sizeof(want), "api_key=%s;flagged", hashed(keys[i].of));
        reads("", event, want);
    }
    snprintf(event, sizeof(event), "{\"k\":1,\"key\":\"%s\"}", hashed("x"));
    snprintf(want, sizeof(want), "api_key=%s;", hashed("x"));
    reads("", event, want);
    reads("  keys: named\n", "{\"k\":1,\"key\":\"my-vk\"}", "api_key=my-vk;");
    snprintf(want, sizeof(want), "api_key=%s;flagged", hashed("sk-0123456789abcdef"));
    reads("  keys: named\n", "{\"k\":1,\"key\":\"sk-0123456789abcdef\"}", want);
}

static void labels_tags_and_metadata_hold_no_key(void **state)
{
    char want[512];
    (void)state;
    snprintf(want, sizeof(want),
             "user=me %s;metadata={\"a\":[\"x %s y\"],\"b\":1};tag=ok;tag=%s;flagged",
             hashed("sk-0123456789abcdef"), hashed("AKIAIOSFODNN7EXAMPLE"),
             hashed("ghp_0123456789abcdefghij"));
    reads("",
          "{\"k\":1,\"user\":\"me sk-0123456789abcdef\",\"meta\":{\"a\": [\"x AKIAIOSFODNN7EXAMPLE "
          "y\"] ,\"b\":1},"
          "\"tags\":[\"ok\",\"ghp_0123456789abcdefghij\"]}",
          want);
}

static void metadata_keeps_nothing_that_was_said(void **state)
{
    (void)state;
    reads("",
          "{\"k\":1,\"meta\":{\"messages\":[{\"role\":\"user\",\"content\":\"said\"}],\"app\":"
          "\"x\"}}",
          "metadata={\"app\":\"x\"};");
    reads("",
          "{\"k\":1,\"meta\":{\"deep\":{\"prompt\":\"said\",\"n\":[1,{\"Output\":{\"a\":2}},true]},"
          "\"input\":3}}",
          "metadata={\"deep\":{\"n\":[1,{},true]},\"input\":3};");
    reads("", "{\"k\":1,\"meta\":{\"a\":\"\\\"prompt\\\"\",\"message\":null}}",
          "metadata={\"a\":\"\\\"prompt\\\"\",\"message\":null};");
}

static void a_host_has_no_credentials(void **state)
{
    (void)state;
    static const char *const urls[] = {"https://h.example", "https://user:pw@h.example/v1",
                                       "user:pw@h.example", "https://a@b@h.example?x=@y",
                                       "h.example/path"};
    char event[128];
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        snprintf(event, sizeof(event), "{\"k\":1,\"base\":\"%s\"}", urls[i]);
        reads("", event, "host=h.example;");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_forms_are_found_in_texts),
        cmocka_unit_test(words_are_no_keys),
        cmocka_unit_test(what_is_no_hash_is_hashed),
        cmocka_unit_test(labels_tags_and_metadata_hold_no_key),
        cmocka_unit_test(metadata_keeps_nothing_that_was_said),
        cmocka_unit_test(a_host_has_no_credentials),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
