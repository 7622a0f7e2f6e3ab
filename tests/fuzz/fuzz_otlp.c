/* SPDX-License-Identifier: Apache-2.0 */
/* links: ingest */
/* seeds: tests/fuzz/seeds/otlp */
/*
 * OTLP as protobuf against its own JSON: bytes that wire_check() takes are written out as JSON and
 * read again by the other reader. Both must make the same records of them, with the same facts,
 * labels, flags and identities. All other bytes must be refused with a place inside of them.
 */
#include "ingest/mapping.h"
#include "ingest/text.h"

#include <stdlib.h>

#define RECORDS_KEPT 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

struct seen {
    unsigned count;
    struct one {
        enum record_outcome outcome;
        enum reason reason;
        const char *mapping;
        unsigned flags;
        uint8_t identity[16];
        uint64_t content;
    } record[RECORDS_KEPT];
};

static struct arena arena, process;
static struct mapper *mapper;

static void expect(bool ok)
{
    if (!ok)
        abort();
}

static void set_up(void)
{
    struct err err = {0};
    arena_init(&arena, 256u << 20);
    arena_init(&process, 256u << 20);
    struct mappings *set = mappings_compile(NULL, 0, NULL, &err);
    mapper = set ? mapper_new(set) : NULL;
    expect(mapper != NULL);
}

static void on_record(const struct record *record, void *context)
{
    struct seen *seen = context;
    expect(record->index == seen->count);
    if (seen->count++ >= RECORDS_KEPT)
        return;
    struct one *one = &seen->record[record->index];
    *one = (struct one){.outcome = record->outcome, .reason = record->reason};
    one->mapping = record->mapping;
    if (record->outcome != RECORD_EVENT)
        return;
    /* Repairs and repetitions are told of what was read on the way, of which protobuf reads less.
     */
    one->flags = record->event->flags & ~(unsigned)(FLAG_TEXT_REPAIRED | FLAG_DUPLICATE_KEY);
    one->content = record->event->content_hash;
    memcpy(one->identity, record->event->identity, sizeof one->identity);
}

static void read_message(struct slice bytes, struct seen *seen)
{
    struct message message = {.bytes = bytes, .kafka_time_us = 1};
    memset(seen, 0, sizeof *seen);
    mapper_read(mapper, &message, &arena, on_record, seen);
    expect(seen->count > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct slice text = {(const char *)data, bytes};
    struct wire_fault fault = {0};
    static struct seen ours, theirs;
    bool repaired = false;
    if (!mapper)
        set_up();
    arena_reset(&arena);
    arena_reset(&process);
    read_message(text, &ours);
    if (bytes == 0 || !wire_begins(text))
        return 0;
    enum wire_message signal = wire_signal(text);
    if (!wire_check(text, signal, &fault)) {
        expect(fault.at >= text.p && fault.at <= text.p + bytes && fault.detail[0]);
        expect(ours.count == 1 && ours.record[0].reason == fault.reason);
        return 0;
    }
    if (signal == WIRE_METRICS)
        return 0;
    struct json root = wire_root(text, signal);
    struct slice json = text_json(&root, &process, &repaired);
    if (!json.p || json.bytes > 8u << 20)
        return 0;
    read_message(json, &theirs);
    /* JSON has no way to say text that is not UTF-8. */
    expect(repaired || memcmp(&ours, &theirs, sizeof ours) == 0);
    return 0;
}
