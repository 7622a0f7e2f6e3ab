/* SPDX-License-Identifier: Apache-2.0 */
/* seeds: ingest/mappings examples tests/fuzz/seeds/yaml */
/* Any bytes make a tree or an error; a tree keeps what core/yaml.h promises of it. */
#include "core/yaml.h"

#include <stdlib.h>

#define DEPTH_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void expect(bool ok)
{
    if (!ok)
        abort();
}

static void check(const struct yaml_node *node, unsigned depth)
{
    size_t count = 0;
    expect(depth <= DEPTH_MAX && node->line > 0 && node->column > 0 && node->file);
    expect(node->text.p[node->text.bytes] == '\0' && strlen(node->text.p) == node->text.bytes);
    expect(node->kind == YAML_LIST || node->kind == YAML_MAP || !node->children);
    for (const struct yaml_node *child = node->children; child; child = child->next, count++) {
        expect((child->key != NULL) == (node->kind == YAML_MAP));
        if (count < 20 && child->key) /* yaml_get() is linear */
            expect(yaml_get(node, child->key->text.p) == child);
        check(child, depth + 1);
    }
    expect(count == node->count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct err err = {0};
    struct yaml_tree *tree = yaml_parse((struct slice){(const char *)data, bytes}, "f", &err);
    expect((tree != NULL) == (err.kind == ERR_NONE));
    if (!tree) {
        expect(err.kind == ERR_CONFIG && err.text[0] != '\0');
        return 0;
    }
    const struct yaml_node *root = yaml_root(tree);
    if (root->kind != YAML_NULL || root->line > 0)
        check(root, 1);
    yaml_free(tree);
    return 0;
}
