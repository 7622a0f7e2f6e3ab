/* SPDX-License-Identifier: Apache-2.0 */
/* The YAML tree: kinds, quotes, places, and what is refused. */
#include "core/buf.h"
#include "core/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct yaml_tree *parse(const char *text)
{
    struct err err = {0};
    struct yaml_tree *tree = yaml_parse(slice_of(text), "t.yaml", &err);
    if (!tree)
        fail_msg("%s", err.text);
    return tree;
}

static void refuse(struct slice text, const char *message)
{
    struct err err = {0};
    struct yaml_tree *tree = yaml_parse(text, "t.yaml", &err);
    assert_null(tree);
    assert_int_equal(err.kind, ERR_CONFIG);
    if (!strstr(err.text, message))
        fail_msg("\"%s\" lacks \"%s\"", err.text, message);
}

static void expect_text(const struct yaml_node *node, const char *text)
{
    assert_non_null(node);
    assert_int_equal(node->kind, YAML_SCALAR);
    assert_string_equal(node->text.p, text);
}

static void scalars_keep_their_text_and_quotes(void **state)
{
    (void)state;
    struct yaml_tree *tree = parse("a: 3e-7\nb: \"3e-7\"\nc: |\n  x\nd: 0x10\ne: yes\n");
    const struct yaml_node *root = yaml_root(tree);
    expect_text(yaml_get(root, "a"), "3e-7");
    assert_false(yaml_get(root, "a")->quoted);
    expect_text(yaml_get(root, "b"), "3e-7");
    assert_true(yaml_get(root, "b")->quoted);
    expect_text(yaml_get(root, "c"), "x\n");
    assert_true(yaml_get(root, "c")->quoted);
    expect_text(yaml_get(root, "d"), "0x10");
    expect_text(yaml_get(root, "e"), "yes");
    yaml_free(tree);
}

static void plain_nothing_is_null_and_quoted_nothing_is_not(void **state)
{
    (void)state;
    struct yaml_tree *tree = parse("a:\nb: ~\nc: null\nd: ''\ne: 'null'\n");
    const struct yaml_node *root = yaml_root(tree);
    assert_int_equal(yaml_get(root, "a")->kind, YAML_NULL);
    assert_int_equal(yaml_get(root, "b")->kind, YAML_NULL);
    assert_int_equal(yaml_get(root, "c")->kind, YAML_NULL);
    expect_text(yaml_get(root, "d"), "");
    expect_text(yaml_get(root, "e"), "null");
    yaml_free(tree);
}

static void nodes_know_file_line_and_column(void **state)
{
    (void)state;
    struct yaml_tree *tree = parse("a: 1\nlist:\n  - x\n  - {k: v}\n");
    const struct yaml_node *list = yaml_get(yaml_root(tree), "list");
    assert_int_equal(list->count, 2);
    assert_int_equal(list->key->line, 2);
    const struct yaml_node *v = yaml_get(list->children->next, "k");
    assert_int_equal(v->line, 4);
    assert_int_equal(v->column, 9);
    assert_string_equal(v->file, "t.yaml");
    yaml_free(tree);
}

static void an_empty_document_is_null(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "# only a comment\n", "---\n", "\n\n"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct yaml_tree *tree = parse(texts[i]);
        assert_int_equal(yaml_root(tree)->kind, YAML_NULL);
        yaml_free(tree);
    }
}

static void aliases_are_copies_with_their_own_place(void **state)
{
    (void)state;
    struct yaml_tree *tree = parse("a: &x {k: [1, 2]}\nb: *x\nc: [*x]\n");
    const struct yaml_node *root = yaml_root(tree);
    const struct yaml_node *b = yaml_get(root, "b");
    assert_int_equal(b->line, 2);
    assert_string_equal(b->key->text.p, "b");
    expect_text(yaml_get(b, "k")->children->next, "2");
    assert_null(yaml_get(root, "c")->children->key);
    assert_ptr_not_equal(yaml_get(root, "a")->children, b->children);
    yaml_free(tree);
}

static void an_anchor_may_be_named_again(void **state)
{
    (void)state;
    struct yaml_tree *tree = parse("[&x 1, *x, &x 2, *x]");
    const struct yaml_node *first = yaml_root(tree)->children;
    expect_text(first->next, "1");
    expect_text(first->next->next->next, "2");
    yaml_free(tree);
}

static void merged_members_yield_to_own_ones_and_to_earlier_maps(void **state)
{
    (void)state;
    struct yaml_tree *tree = parse("x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\n"
                                   "z: {<<: [*x, *y], a: 3}\nw:\n  <<: *y\n  d: 4\n");
    const struct yaml_node *z = yaml_get(yaml_root(tree), "z");
    const struct yaml_node *w = yaml_get(yaml_root(tree), "w");
    assert_int_equal(z->count, 3);
    expect_text(yaml_get(z, "a"), "3");
    expect_text(yaml_get(z, "b"), "1");
    expect_text(yaml_get(z, "c"), "2");
    assert_int_equal(w->count, 3);
    expect_text(yaml_get(w, "b"), "2");
    assert_null(yaml_get(w, "<<"));
    yaml_free(tree);
}

static void a_quoted_merge_key_is_a_key(void **state)
{
    (void)state;
    struct yaml_tree *tree = parse("'<<': x\n");
    expect_text(yaml_get(yaml_root(tree), "<<"), "x");
    yaml_free(tree);
}

static void refusals_name_the_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"a: 1\na: 2\n", "t.yaml:2:1: duplicate key \"a\""},
        {"a: [1\nb: 2\n", "t.yaml:2:"},
        {"a: *x\n", "t.yaml:1:4: alias without its anchor"},
        {"a: &x [*x]\n", "t.yaml:1:8: alias without its anchor"},
        {"---\na: 1\n---\nb: 2\n", "t.yaml:3:1: a second document"},
        {"{[a]: 1}", "t.yaml:1:2: a key must be a scalar"},
        {"a: {<<: 3}", "t.yaml:1:9: \"<<\" takes a map"},
        {"a: {<<: {b: 1}, <<: {c: 1}}", "duplicate key \"<<\""},
        {"\ta: 1", "t.yaml:1:"},
        {"a: \"x\\0y\"", "U+0000"},
        {"a: \xff\xfe", "t.yaml: byte 3"},
        {"a: {a0: 1, a1: 1, a2: 1, a3: 1, a4: 1, a5: 1, a6: 1, a7: 1, a8: 1, a9: 1, b0: 1, b1: 1, "
         "b2: 1, b3: 1, b4: 1, b5: 1, b6: 1, a3: 2}",
         "duplicate key \"a3\""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        refuse(slice_of(cases[i].text), cases[i].message);
}

static void depth_ends_at_64(void **state)
{
    (void)state;
    char text[300];
    memset(text, '[', 64);
    memset(text + 64, ']', 64);
    struct err err = {0};
    struct yaml_tree *tree = yaml_parse((struct slice){text, 128}, "t", &err);
    assert_non_null(tree);
    yaml_free(tree);
    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    refuse((struct slice){text, 130}, "nested too deep");
}

static void depth_counts_through_aliases(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, 1 << 16);
    buf_add_text(&text, "- &a [x]\n");
    for (char c = 'a'; c < 'z'; c++)
        buf_printf(&text, "- &%c [[[*%c]]]\n", c + 1, c);
    assert_true(buf_ok(&text));
    refuse(buf_slice(&text), "nested too deep");
    buf_free(&text);
}

static void a_billion_laughs_end_at_the_node_limit(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, 1 << 16);
    buf_add_text(&text, "- &a [x, x, x, x, x, x, x, x, x, x]\n");
    for (char c = 'a'; c < 'l'; c++)
        buf_printf(&text, "- &%c [*%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c]\n", c + 1, c, c, c,
                   c, c, c, c, c, c);
    refuse(buf_slice(&text), "more than 1000000 nodes");
    buf_free(&text);
}

static void numbers_of_anchors_and_merged_members_are_bounded(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, 1 << 20);
    for (int i = 0; i < 1001; i++)
        buf_printf(&text, "- &a%d x\n", i);
    refuse(buf_slice(&text), "more than 1000 anchors");
    buf_reset(&text);
    buf_add_text(&text, "<<: {");
    for (int i = 0; i < 1001; i++)
        buf_printf(&text, "k%d: 1, ", i);
    buf_add_text(&text, "}\n");
    refuse(buf_slice(&text), "more than 1000 members");
    buf_free(&text);
}

static void large_maps_keep_their_order(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, 1 << 20);
    for (int i = 0; i < 5000; i++)
        buf_printf(&text, "k%d: %d\n", (i * 37) % 5000, i);
    struct err err = {0};
    struct yaml_tree *tree = yaml_parse(buf_slice(&text), "t", &err);
    assert_non_null(tree);
    int i = 0;
    for (const struct yaml_node *n = yaml_root(tree)->children; n; n = n->next, i++)
        assert_int_equal(strtol(n->text.p, NULL, 10), i);
    assert_int_equal(i, 5000);
    yaml_free(tree);
    buf_free(&text);
}

static void typed_reads_take_only_their_type(void **state)
{
    (void)state;
    struct yaml_tree *tree =
        parse("i: 42\nn: -3\nq: '42'\nf: 1.5\nbig: 99999999999999999999\nt: true\nno: Off\n");
    const struct yaml_node *root = yaml_root(tree);
    struct err err = {0};
    int64_t v;
    bool b;
    assert_true(yaml_int(yaml_get(root, "i"), 0, 100, &v, &err));
    assert_int_equal(v, 42);
    assert_true(yaml_int(yaml_get(root, "n"), -3, 0, &v, &err));
    assert_int_equal(v, -3);
    assert_false(yaml_int(yaml_get(root, "i"), 0, 41, &v, &err));
    assert_string_equal(err.text, "t.yaml:1:4: i: must be between 0 and 41");
    static const char *const no_ints[] = {"q", "f", "big", "t"};
    for (size_t i = 0; i < sizeof(no_ints) / sizeof(no_ints[0]); i++)
        assert_false(yaml_int(yaml_get(root, no_ints[i]), INT64_MIN, INT64_MAX, &v, NULL));
    assert_true(yaml_bool(yaml_get(root, "t"), &b, &err) && b);
    assert_true(yaml_bool(yaml_get(root, "no"), &b, &err) && !b);
    err_clear(&err);
    assert_false(yaml_bool(yaml_get(root, "i"), &b, &err));
    assert_string_equal(err.text, "t.yaml:1:4: i: true or false expected");
    yaml_free(tree);
}

static void unknown_keys_come_back_with_a_suggestion(void **state)
{
    (void)state;
    static const char *const known[] = {"retain_days", "partition", "payloads"};
    struct yaml_tree *tree = parse("partition: day\nretian_days: 3\n");
    struct err err = {0};
    assert_false(yaml_only(yaml_root(tree), known, 3, &err));
    assert_string_equal(err.text,
                        "t.yaml:2:1: unknown key \"retian_days\"; did you mean \"retain_days\"?");
    assert_null(yaml_suggest(SLICE("elephant"), known, 3));
    yaml_free(tree);
}

static void a_long_word_has_no_suggestion(void **state)
{
    (void)state;
    char known[66], word[66];
    const char *const list[] = {known};
    for (size_t bytes = 64; bytes <= 65; bytes++) {
        memset(known, 'k', bytes);
        known[bytes] = '\0';
        memcpy(word, known, bytes + 1);
        word[3] = 'x';
        assert_int_equal(yaml_suggest(slice_of(word), list, 1) != NULL, bytes == 64);
        word[3] = '\0'; /* nor is a long one suggested */
        assert_null(yaml_suggest(slice_of(word), list, 1));
    }
}

static void a_missing_file_is_a_configuration_error(void **state)
{
    (void)state;
    struct err err = {0};
    assert_null(yaml_load("/nonexistent/x.yaml", &err));
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_string_equal(err.text, "/nonexistent/x.yaml: No such file or directory");
    err_clear(&err);
    assert_null(yaml_load("/", &err));
    assert_int_equal(err.kind, ERR_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_keep_their_text_and_quotes),
        cmocka_unit_test(plain_nothing_is_null_and_quoted_nothing_is_not),
        cmocka_unit_test(nodes_know_file_line_and_column),
        cmocka_unit_test(an_empty_document_is_null),
        cmocka_unit_test(aliases_are_copies_with_their_own_place),
        cmocka_unit_test(an_anchor_may_be_named_again),
        cmocka_unit_test(merged_members_yield_to_own_ones_and_to_earlier_maps),
        cmocka_unit_test(a_quoted_merge_key_is_a_key),
        cmocka_unit_test(refusals_name_the_place),
        cmocka_unit_test(depth_ends_at_64),
        cmocka_unit_test(depth_counts_through_aliases),
        cmocka_unit_test(a_billion_laughs_end_at_the_node_limit),
        cmocka_unit_test(numbers_of_anchors_and_merged_members_are_bounded),
        cmocka_unit_test(large_maps_keep_their_order),
        cmocka_unit_test(typed_reads_take_only_their_type),
        cmocka_unit_test(unknown_keys_come_back_with_a_suggestion),
        cmocka_unit_test(a_long_word_has_no_suggestion),
        cmocka_unit_test(a_missing_file_is_a_configuration_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
