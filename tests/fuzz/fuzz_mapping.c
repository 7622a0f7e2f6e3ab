/* SPDX-License-Identifier: Apache-2.0 */
/* links: ingest */
/* seeds: ingest/mappings tests/fuzz/seeds/mapping */
/* Any text is a set of mappings or an error with its place; what was compiled reads any message: a
 * NUL parts the two. Each message ends as max(1, elements) records. */
#include "ingest/mapping.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void expect(bool ok)
{
    if (!ok)
        abort();
}

static void on_record(const struct record *record, void *context)
{
    unsigned *records = context;
    expect(record->index == *records);
    expect((record->outcome == RECORD_EVENT) == (record->event != NULL));
    expect(record->outcome == RECORD_EVENT || reason_info[record->reason].name);
    if (record->event)
        expect(record->event->mapping && facts_has(&record->event->facts, FACT_STARTED_AT));
    (*records)++;
}

static void read_message(const struct mappings *set, struct slice bytes)
{
    struct mapper *mapper = mapper_new(set);
    struct message message = {.bytes = bytes, .kafka_time_us = 1};
    struct arena batch;
    unsigned records = 0;
    expect(mapper != NULL);
    arena_init(&batch, 4u << 20);
    mapper_read(mapper, &message, &batch, on_record, &records);
    expect(records > 0);
    arena_free(&batch);
    mapper_free(mapper);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct err err = {0};
    struct slice text = {(const char *)data, bytes};
    const char *nul = bytes ? memchr(text.p, '\0', bytes) : NULL;
    struct slice message = {"", 0};
    if (nul) {
        text.bytes = (size_t)(nul - text.p);
        message = (struct slice){nul + 1, bytes - text.bytes - 1};
    }
    struct yaml_tree *tree = yaml_parse(text, "f", &err);
    const struct yaml_node *root = tree ? yaml_root(tree) : NULL;
    const struct yaml_node *list = yaml_get(root, "mappings");
    const struct yaml_node *first = list && list->kind == YAML_LIST ? list->children : NULL;
    const struct yaml_node *name = yaml_get(first, "name");
    const char *names[] = {name && name->kind == YAML_SCALAR ? name->text.p : "openai"};
    struct mappings *set = list ? mappings_compile(names, 1, list, &err) : NULL;
    expect(!list || (set != NULL) == (err.kind == ERR_NONE));
    if (set)
        read_message(set, message);
    mappings_free(set);
    if (tree)
        yaml_free(tree);
    return 0;
}
