/* SPDX-License-Identifier: Apache-2.0 */
/* links: ingest */
/* The mapping language (docs/mappings.md), word by word, and sets of mappings. */
#include "core/embed.h"
#include "tests/unit/mapping_fixture.h"

/* --- paths and values ---------------------------------------------------------------------- */

static void paths_are_json_pointers(void **state)
{
    (void)state;
    expect("model: /a/b", "{\"a\":{\"b\":\"x\"}}", "model=x");
    expect("model: /a.b/c", "{\"a.b\":{\"c\":\"x\"}}", "model=x");
    expect("model: /a~1b~0c", "{\"a/b~c\":\"x\"}", "model=x");
    expect("model: '/:authority'", "{\":authority\":\"x\"}", "model=x");
    expect("model: /", "{\"\":\"x\"}", "model=x");
    expect("model: '/a b'", "{\"a\\u0020b\":\"x\"}", "model=x");
    expect("model: /a/b", "{\"a\":[1]}", "");
    expect("model: /a/b", "{\"a\":null}", "");
    expect("model: /a_long_name_of_more_than_sixteen_bytes",
           "{\"a_long_name_of_more_than_sixteen_bytes\":\"x\","
           "\"a_long_name_xx_more_than_sixteen_bytes\":\"y\"}",
           "model=x");
}

static void array_elements_are_found_by_index_and_by_a_member(void **state)
{
    (void)state;
    expect("model: /a/0", "{\"a\":[\"x\",\"y\"]}", "model=x");
    expect("model: /a/1/b", "{\"a\":[0,{\"b\":\"y\"}]}", "model=y");
    expect("model: /a/-1", "{\"a\":[\"x\",\"y\",\"z\"]}", "model=z");
    expect("model: /a/7", "{\"a\":[\"x\"]}", "");
    expect("model: /a/0", "{\"a\":{\"0\":\"x\"}}", "model=x");
    expect("input_tokens: '/d/[modality=AUDIO]/n'",
           "{\"d\":[{\"n\":1,\"modality\":\"TEXT\"},{\"n\":2,\"modality\":\"AUDIO\"},"
           "{\"n\":3,\"modality\":\"AUDIO\"}]}",
           "input_tokens=2");
    expect("input_tokens: '/d/[k=7]/n'", "{\"d\":[1,{\"k\":7,\"n\":5}]}", "input_tokens=5");
    expect("input_tokens: '/d/[k=x]/n'", "{\"d\":[]}", "");
}

static void the_first_alternative_that_is_there_and_fits_counts(void **state)
{
    (void)state;
    expect("model: [/a, /b]", "{\"b\":\"y\"}", "model=y");
    expect("model: [/a, /b]", "{\"a\":null,\"b\":\"y\"}", "model=y");
    expect("model: [/a, /b]", "{\"a\":\"\",\"b\":\"y\"}", "model=y");
    expect("model: [/a, /b]", "{\"a\":{},\"b\":\"y\"}", "model=y");
    expect("input_tokens: [/a, /b]", "{\"a\":\"-\",\"b\":\"7\"}", "input_tokens=7");
    expect("input_audio_tokens: [/a, /b]", "{\"a\":{\"x\":1},\"b\":7}", "input_audio_tokens=7");
    expect("input_tokens: {first: [/a, {const: 9}]}", "{}", "input_tokens=9");
    expect("model: {first: [{path: /a, null_if: [none]}, /b]}", "{\"a\":\"none\",\"b\":\"y\"}",
           "model=y");
}

static void sums_and_differences_are_exact(void **state)
{
    (void)state;
    expect("input_tokens: {add: [/a, /b]}", "{\"a\":1,\"b\":\"2\"}", "input_tokens=3");
    expect("input_tokens: {add: [/a, /b]}", "{\"b\":2}", "input_tokens=2");
    expect("input_tokens: {add: [/a, /b]}", "{}", "");
    expect("gateway_cost: {add: [/a, /b]}", "{\"a\":0.1,\"b\":0.2}", "gateway_cost=0.3");
    expect("output_tokens: {sub: [/a, /b, /c]}", "{\"a\":109,\"b\":35,\"c\":12}",
           "output_tokens=62");
    expect("output_tokens: {sub: [/a, /b]}", "{\"a\":5}", "output_tokens=5");
    expect("output_tokens: {sub: [/a, /b]}", "{\"b\":5}", "");
    expect("output_tokens: {sub: [/a, /b]}", "{\"a\":1,\"b\":2}", "");
}

static void texts_and_objects_are_built(void **state)
{
    (void)state;
    expect("request_id: {concat: [/a, ':', /b]}", "{\"a\":\"x\",\"b\":7}", "request_id=x:7");
    expect("request_id: {concat: [/a, ':', /b]}", "{\"a\":\"x\"}", "");
    expect("metadata: {object: {k: /a, 'q\"': /b, c: {const: v}, z: /z}}",
           "{\"a\":\"x\\n\",\"b\":[1, 2]}",
           "metadata={\"k\":\"x\\n\",\"q\\\"\":[1, 2],\"c\":\"v\"}");
    expect("metadata: {object: {k: /a}}", "{}", "");
    expect("metadata: /a", "{\"a\":\"{\\\"k\\\":1}\"}", "metadata={\"k\":1}");
    expect("metadata: /a", "{\"a\":[1]}", "");
    expect("tags: /a", "{\"a\":[\"x\",\"\",7,null,{}]}", "tags=x,7");
    expect("tags: /a", "{\"a\":\"[\\\"x\\\",\\\"y\\\"]\"}", "tags=x,y");
    expect("tags: /a", "{\"a\":\"one\"}", "tags=one");
    expect("tags: /a", "{\"a\":[\"x\",\"y\",\"x\",\"\",\"y\"]}", "tags=x,y");
}

static void arrays_are_folded(void **state)
{
    (void)state;
    const char *message = "{\"o\":[{\"t\":\"a\",\"n\":1,\"l\":[1,2]},{\"t\":\"b\",\"n\":2},"
                          "{\"t\":\"a\",\"n\":\"3\",\"l\":[3]}],\"k\":\"two\","
                          "\"m\":{\"one\":0.1,\"two\":0.2}}";
    expect("images: {count: /o}", message, "images=3");
    expect("images: {count: /o, where: {path: /t, eq: a}}", message, "images=2");
    expect("images: {count: /o, where: {path: /t, eq: z}}", message, "images=0");
    expect("images: {count: /z}", message, "");
    expect("images: {count: /k}", message, "");
    expect("images: {sum: /o, of: /n}", message, "images=6");
    expect("images: {sum: /o, of: /n, where: {path: /n, gt: 1}}", message, "images=5");
    expect("images: {sum: /o, of: {count: /l}}", message, "images=3");
    expect("images: {sum: /o, of: /z}", message, "");
    expect("model: {join: /o, of: /t}", message, "model=a,b,a");
    expect("model: {join: /o, of: /t, distinct: true, sep: '+'}", message, "model=a+b");
    expect("model: {pick: /o, of: /t, where: {path: /n, gt: 1}}", message, "model=b");
    expect("tool_cost: {member: /m, name: /k}", message, "tool_cost=0.2");
    expect("tool_cost: {member: /m, name: {const: zero}}", message, "");
    expect("speech_characters: {characters: /t}", "{\"t\":\"a \\u00fc\\n\"}",
           "speech_characters=2");
}

static void filters_follow_one_another(void **state)
{
    (void)state;
    expect("model: {path: /a, null_if: [x, '7']}", "{\"a\":7}", "");
    expect("model: {path: /a, match: '^(.)-'}", "{\"a\":\"b-c\"}", "model=b");
    expect("model: {path: /a, match: '^(.)-'}", "{\"a\":\"bc\"}", "");
    expect("model: {path: /a, map: {x: one, '*': other}}", "{\"a\":\"x\"}", "model=one");
    expect("model: {path: /a, map: {x: one, '*': other}}", "{\"a\":[1]}", "model=other");
    expect("model: {path: /a, map: {x: one, '*': other}}", "{}", "");
    expect("model: {path: /a, map: {x: one}}", "{\"a\":\"y\"}", "model=y");
    expect("model: {path: /a, map: {'true': one}}", "{\"a\":true}", "model=one");
    expect("model: {path: /a, match: '^([23])', map: {'2': ok}, default: bad}", "{\"a\":204}",
           "model=ok");
    expect("model: {path: /a, match: '^([23])', map: {'2': ok}, default: bad}", "{\"a\":500}",
           "model=bad");
    expect("model: {path: /a, when: {path: /b, eq: 1}}", "{\"a\":\"x\",\"b\":1}", "model=x");
    expect("model: {path: /a, when: {path: /b, eq: 1}, default: d}", "{\"a\":\"x\",\"b\":2}",
           "model=d");
    expect("compute_seconds: {path: /a, scale: 1.0e-9}", "{\"a\":2685412125}",
           "compute_seconds=2.685412125");
    expect("ended_at: {path: /a, time: [s, rfc3339]}", "{\"a\":\"2026-11-24 04:06:18\"}",
           "ended_at=2026-11-24T04:06:18Z");
    expect("ended_at: {path: /a, time: [s, ms, us]}", "{\"a\":1795493178000}",
           "ended_at=2026-11-24T04:06:18Z");
    expect("user: {path: /a, hash: sha256}", "{\"a\":\"abc\"}",
           "user=ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void conditions_ask_every_question(void **state)
{
    (void)state;
    static const struct {
        const char *cond;
        bool holds;
    } rows[] = {
        {"/a", true},
        {"/z", false},
        {"/n", false},
        {"{path: /a}", true},
        {"{path: /z, exists: false}", true},
        {"{path: /a, eq: x}", true},
        {"{path: /i, eq: 2}", true},
        {"{path: /t, eq: true}", true},
        {"{path: /a, in: [y, x]}", true},
        {"{path: /a, in: [y, z]}", false},
        {"{path: /a, match: '^x$'}", true},
        {"{path: /i, gt: 1}", true},
        {"{path: /i, gt: 2}", false},
        {"{path: /a, gt: 0}", false},
        {"{first: [/z, /a], eq: x}", true},
        {"{all: [/a, /i]}", true},
        {"{all: [/a, /z]}", false},
        {"{any: [/z, /a]}", true},
        {"{any: [/z]}", false},
        {"{not: /z}", true},
        {"{not: {path: /i, gt: 1}}", false},
        {"{count: /l, gt: 1}", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char fields[512];
        snprintf(fields, sizeof fields, "model: {const: yes, when: %s}", rows[i].cond);
        expect(fields, "{\"a\":\"x\",\"i\":2,\"t\":true,\"n\":null,\"l\":[1,2]}",
               rows[i].holds ? "model=yes" : "");
    }
}

/* --- unwrapping ---------------------------------------------------------------------------- */

/* head, count times the piece with a comma between, tail. */
static void refused_when_repeated(const char *head, const char *piece, const char *tail,
                                  unsigned most, const char *complaint)
{
    for (unsigned count = most; count <= most + 1; count++) {
        size_t bytes = strlen(head) + strlen(tail) + count * (strlen(piece) + 1) + 1;
        char *yaml = malloc(bytes), *p = yaml;
        struct err err = {0};
        assert_non_null(yaml);
        p = stpcpy(p, head);
        for (unsigned i = 0; i < count; i++)
            p = stpcpy(stpcpy(p, i && piece[0] != '-' ? "," : ""), piece);
        stpcpy(p, tail);
        bool ok = open_world(yaml, "m", &err);
        free(yaml);
        assert_int_equal(ok, count == most);
        if (!ok && !strstr(err.text, complaint))
            fail_msg("\"%s\" lacks \"%s\"", err.text, complaint);
    }
}

static void mappings_of_too_many_steps_are_refused(void **state)
{
    (void)state;
    refused_when_repeated("- {name: m, keep: /id, fields: {model: /m}, unwrap: [", "{each: /r}",
                          "]}\n", 6, "more than 6 `each` steps");
    refused_when_repeated("- {name: m, keep: /id, fields: {model: /m}, unwrap: [", "{json: /r}",
                          "]}\n", 16, "more than 16 steps");
    refused_when_repeated("- {name: m, keep: /id, fields: {model: /m}, identity: [", "request_id",
                          "]}\n", 8, "8");
}

static void each_makes_an_event_of_every_element(void **state)
{
    (void)state;
    open_yaml(
        "- name: m\n  unwrap: [{each: /r}, {each: /s}]\n  keep: /id\n  drop: {path: /id, eq: d}\n"
        "  fields: {request_id: {concat: ['@0/x', '.', '@1/y', '.', /id, '.', '@index']}}\n");
    assert_string_equal(
        read_text("{\"r\":[{\"s\":[{\"id\":\"a\"},{\"no\":1},{\"id\":\"b\"}],\"y\":1},"
                  "{\"y\":2,\"s\":[{\"id\":\"d\"},{\"id\":\"c\"}]}],\"x\":0}"),
        "request_id=0.1.a.0 | request_id=0.1.b.2 | request_id=0.2.c.1");
    assert_string_equal(read_text("{\"r\":[{\"s\":[{\"no\":1}]}]}"), "no_mapping");
    assert_string_equal(read_text("{\"r\":[{\"s\":[{\"id\":\"d\"}]}]}"), "dropped");
    assert_string_equal(read_text("{\"r\":[]}"), "no_mapping");
}

static void json_in_strings_is_read_through(void **state)
{
    (void)state;
    open_yaml("- name: m\n  unwrap: [{json: /v}, {json: /v/w}, {each: /v/l}]\n  keep: /id\n"
              "  fields: {request_id: /id, model: '@0/v/w/m'}\n");
    assert_string_equal(
        read_text("{\"v\":\"{\\\"w\\\":\\\"{\\\\\\\"m\\\\\\\":\\\\\\\"x\\\\\\\"}\\\","
                  "\\\"l\\\":[{\\\"id\\\":1},{\\\"id\\\":2}]}\"}"),
        "model=x request_id=1 | model=x request_id=2");
    assert_string_equal(read_text("{\"v\":{\"w\":{\"m\":\"y\"},\"l\":[{\"id\":3}]}}"),
                        "model=y request_id=3");
    assert_string_equal(read_text("{\"v\":\"{broken\"}"), "no_mapping");
    assert_string_equal(read_text("{\"v\":\"\"}"), "no_mapping");
}

static void what_one_mapping_unwraps_another_does_not_see(void **state)
{
    (void)state;
    struct err err = {0};
    const char *const names[] = {"plain", "m"};
    close_world();
    arena_init(&world.batch, 1u << 20);
    world.tree = yaml_parse(
        slice_of("- {name: plain, keep: /v/x, fields: {model: {const: plain}}}\n"
                 "- {name: m, unwrap: [{json: /v}], keep: /v/x, fields: {model: /v/x}}\n"),
        "t.yaml", &err);
    world.set = mappings_compile(names, 2, yaml_root(world.tree), &err);
    assert_non_null(world.set);
    world.mapper = mapper_new(world.set);
    assert_string_equal(read_text("{\"v\":\"{\\\"x\\\":\\\"s\\\"}\"}"), "model=s");
    assert_string_equal(read_text("{\"v\":{\"x\":\"o\"}}"), "model=plain");
}

static void key_value_lists_are_objects(void **state)
{
    (void)state;
    open_yaml("- name: m\n  unwrap: [{kv: /a}]\n  keep: /a/gen_ai.x\n"
              "  fields: {model: /a/gen_ai.x, input_tokens: /a/n, stream: /a/b}\n");
    assert_string_equal(
        read_text("{\"a\":[{\"value\":{\"stringValue\":\"m\"},\"key\":\"gen_ai.x\"},"
                  "{\"key\":\"n\",\"value\":{\"intValue\":\"7\"}},{\"key\":\"b\",\"value\":true},"
                  "{\"key\":5},7,{\"key\":\"u\",\"value\":{\"a\":1,\"b\":2}}]}"),
        "model=m input_tokens=7 stream=true");
    assert_string_equal(read_text("{\"a\":{\"gen_ai.x\":\"m\"}}"), "model=m");
}

/* --- sets and errors ----------------------------------------------------------------------- */

static void errors_name_the_place_and_suggest(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *place, *words;
    } rows[] = {
        {"- {name: m, kep: /a, fields: {model: /m}}", "t.yaml:1:", "keep"},
        {"- {name: m, fields: {model: /m}}", "t.yaml:1:", "`keep`"},
        {"- {name: m, keep: /a}", "t.yaml:1:", "`fields`"},
        {"- {name: m, keep: /a, fields: {modell: /m}}", "t.yaml:1:32", "did you mean \"model\""},
        {"- name: m\n  keep: /a\n  fields:\n    model: m", "t.yaml:4:12", "a path starts with"},
        {"- {name: m, keep: /a, fields: {model: /a~2}}", "t.yaml:1:39", "~0"},
        {"- {name: m, keep: /a, fields: {model: '@3/a'}}", "t.yaml:1:39", "`each`"},
        {"- {name: m, keep: /a, fields: {model: {path: /a, match: '('}}}", "t.yaml:1:57", "byte"},
        {"- {name: m, keep: /a, fields: {model: {path: /a, time: sec}}}", "t.yaml:1:56", "rfc3339"},
        {"- {name: m, keep: /a, fields: {model: {path: /a, const: x}}}",
         "t.yaml:1:", "one operator"},
        {"- {name: m, keep: /a, fields: {model: {map: {a: b}}}}", "t.yaml:1:39", "operator"},
        {"- {name: m, keep: /a, fields: {model: {pth: /a}}}", "t.yaml:1:", "path"},
        {"- {name: m, keep: /a, fields: {input_tokens: {path: /a, default: many}}}",
         "t.yaml:1:", "not a count"},
        {"- {name: m, keep: /a, fields: {stream: {const: maybe}}}", "t.yaml:1:", "true or false"},
        {"- {name: m, keep: /a, fields: {images: {sum: /a}}}", "t.yaml:1:", "`of`"},
        {"- {name: m, keep: /a, fields: {images: {count: /a, of: /b}}}", "t.yaml:1:", "`where`"},
        {"- {name: m, keep: {path: /a, eq: x, gt: 1}, fields: {model: /m}}",
         "t.yaml:1:", "one test"},
        {"- {name: m, keep: {all: /a}, fields: {model: /m}}", "t.yaml:1:", "list of conditions"},
        {"- {name: m, keep: /a, cache: sometimes, fields: {model: /m}}", "t.yaml:1:30",
         "exclusive"},
        {"- {name: m, keep: /a, frame: box, fields: {model: /m}}", "t.yaml:1:30", "lines"},
        {"- {name: m, keep: /a, unwrap: [{ech: /x}], fields: {model: /m}}", "t.yaml:1:", "each"},
        {"- {name: m, keep: /a, identity: [reqest_id], fields: {model: /m}}", "t.yaml:1:34",
         "request_id"},
        {"- {name: m, keep: /a, parts: cut, fields: {model: /m}}", "t.yaml:1:30", "outside"},
        {"- {keep: /a, fields: {model: /m}}", "t.yaml:1:", "`name`"},
        {"- {name: m, keep: /a, fields: {model: /m}}\n- {name: m, keep: /a, fields: {model: /m}}",
         "t.yaml:2:", "second mapping"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct err err = {0};
        assert_false(open_world(rows[i].yaml, "m", &err));
        assert_int_equal(err.kind, ERR_CONFIG);
        if (strncmp(err.text, rows[i].place, strlen(rows[i].place)) != 0 ||
            !strstr(err.text, rows[i].words))
            fail_msg("%s: %s", rows[i].yaml, err.text);
    }
    struct err err = {0};
    assert_false(open_world("- {name: m, keep: /a, fields: {model: /m}}", "litelm", &err));
    assert_non_null(strstr(err.text, "litellm"));
}

static void a_mapping_of_the_same_name_replaces_the_built_in_one_in_its_place(void **state)
{
    (void)state;
    struct err err = {0};
    const char *openai = "{\"object\":\"chat.completion\",\"usage\":{\"prompt_tokens\":1}}";
    assert_true(open_world("- {name: openai, keep: /usage, fields: {model: {const: mine}}}\n"
                           "- {name: first, keep: /mine, fields: {model: {const: first}}}\n",
                           NULL, &err));
    assert_string_equal(read_text(openai), "model=mine");
    assert_string_equal(read_text("{\"mine\":1,\"usage\":{}}"), "model=first");
    read_text("{\"type\":\"message\",\"id\":\"a\",\"usage\":{\"input_tokens\":1}}");
    assert_string_equal(world.last.mapping, "anthropic");
}

static void built_in_files_are_found_by_their_short_names(void **state)
{
    (void)state;
    for (const struct embedded *file = embedded_mappings; file->name; file++) {
        char name[64];
        struct err err = {0};
        snprintf(name, sizeof name, "%s", strchr(file->name, '-') + 1);
        *strrchr(name, '.') = '\0';
        if (strcmp(name, "wrappers") == 0)
            continue;
        const char *const names[] = {name};
        struct mappings *set = mappings_compile(names, 1, NULL, &err);
        if (!set)
            fail_msg("%s: %s", name, err.text);
        mappings_free(set);
    }
}

static void remark_count(const char *text, void *context)
{
    assert_non_null(strstr(text, "mapping m: status: "));
    ++*(unsigned *)context;
}

static void a_status_that_is_passed_over_is_remarked(void **state)
{
    (void)state;
    static const struct {
        const char *status;
        unsigned remarks;
    } rows[] = {
        {"/s", 0},
        {"{path: /s, match: '^([0-9])', map: {'2': success, '*': failure}, default: success}", 1},
        {"{path: /s, match: '^([0-9])', map: {'2': success, '*': failure}, default: failure}", 0},
        {"{path: /s, match: '^(.)', map: {'2': success, '*': failure}, default: success}", 0},
        {"{path: /s, match: '^(.)', map: {'2': success}}", 1},
        {"[{path: /s, match: '^(ok)$', map: {ok: success}}, {path: /t, map: {no: failure}}]", 3},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char yaml[512];
        unsigned count = 0;
        snprintf(yaml, sizeof yaml, "- {name: m, keep: /m, fields: {model: /m, status: %s}}\n",
                 rows[i].status);
        open_yaml(yaml);
        mappings_remarks(world.set, remark_count, &count);
        if (count != rows[i].remarks)
            fail_msg("%s: %u remarks", rows[i].status, count);
    }
}

static void tests_in_a_mapping_are_run_and_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *tests, *words; /* NULL: passes */
    } rows[] = {
        {"[{message: '{\"m\":\"x\"}', expect: [{model: x, provider: ~}]}]", NULL},
        {"[{message: '[1,{\"m\":\"x\"}]', expect: [skip, {model: x}]}]", NULL},
        {"[{message: '{', expect: [{rejected: bad_json}]}]", NULL},
        {"[{message: '{\"m\":\"x\"}', expect: [{model: y}]}]", "model is x, expected y"},
        {"[{message: '{\"m\":\"x\"}', expect: [{provider: y}]}]", "provider is absent"},
        {"[{message: '{\"m\":\"x\"}', expect: [{model: ~}]}]", "expected absent"},
        {"[{message: '{\"m\":\"x\"}', expect: [skip]}]", "record is an event"},
        {"[{message: '{\"m\":\"x\"}', expect: []}]", "more records"},
        {"[{message: '{\"m\":\"x\"}', expect: [{model: x}, skip]}]", "out of records"},
        {"[{message: '{', expect: [{rejected: too_deep}]}]", "reason is bad_json"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char yaml[512];
        struct err err = {0};
        size_t count = 0;
        snprintf(yaml, sizeof yaml,
                 "- {name: m, keep: /m, fields: {model: /m, provider: /p}, tests: %s}\n",
                 rows[i].tests);
        open_yaml(yaml);
        bool ok = mappings_test(world.set, &count, &err);
        if (ok != (rows[i].words == NULL) || (!ok && !strstr(err.text, rows[i].words)))
            fail_msg("%s: %s", rows[i].tests, err.text);
        assert_true(ok ? count == 1 : strncmp(err.text, "t.yaml:1:", 9) == 0);
    }
}

static void explain_line(const char *text, void *context)
{
    char *lines = context;
    strcat(lines, text);
    strcat(lines, "\n");
}

static void explain_record(const struct record *record, void *context)
{
    if (record->outcome == RECORD_EVENT)
        mapper_explain(world.mapper, explain_line, context);
}

static void explain_says_which_alternative_was_taken(void **state)
{
    (void)state;
    char lines[1024] = "";
    open_fields(
        "model: [/a, /b], input_tokens: {path: /n, default: 0}, provider: {const: p}, user: /u");
    struct message message = {.bytes = SLICE("{\"b\":\"x\"}")};
    mapper_read(world.mapper, &message, &world.batch, explain_record, lines);
    assert_string_equal(lines, "model <- /b\ninput_tokens <- default\nprovider <- p\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_are_json_pointers),
        cmocka_unit_test(array_elements_are_found_by_index_and_by_a_member),
        cmocka_unit_test(the_first_alternative_that_is_there_and_fits_counts),
        cmocka_unit_test(sums_and_differences_are_exact),
        cmocka_unit_test(texts_and_objects_are_built),
        cmocka_unit_test(arrays_are_folded),
        cmocka_unit_test(filters_follow_one_another),
        cmocka_unit_test(conditions_ask_every_question),
        cmocka_unit_test(mappings_of_too_many_steps_are_refused),
        cmocka_unit_test(each_makes_an_event_of_every_element),
        cmocka_unit_test(json_in_strings_is_read_through),
        cmocka_unit_test(what_one_mapping_unwraps_another_does_not_see),
        cmocka_unit_test(key_value_lists_are_objects),
        cmocka_unit_test(errors_name_the_place_and_suggest),
        cmocka_unit_test(a_mapping_of_the_same_name_replaces_the_built_in_one_in_its_place),
        cmocka_unit_test(built_in_files_are_found_by_their_short_names),
        cmocka_unit_test(a_status_that_is_passed_over_is_remarked),
        cmocka_unit_test(tests_in_a_mapping_are_run_and_told_apart),
        cmocka_unit_test(explain_says_which_alternative_was_taken),
    };
    return cmocka_run_group_tests(tests, NULL, tear_down);
}
