/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a message to records. The content of a message is one value, an array of them, or several on
 * lines of their own. Each goes once through the reader; then the mappings of the set are asked in
 * order, each opening its `each` arrays until an element satisfies `keep`. A record that nobody
 * wants is opened if it looks like a wrapper, and what is inside is read as a message again.
 */
#include "ingest/mapper.h"

#include "core/base64.h"
#include "ingest/cloudevent.h"
#include "ingest/event_finish.h"
#include "ingest/frame.h"
#include "ingest/registry.h"
#include "ingest/text.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define RECORDS_MAX 100000
#define WRAPPERS_MAX 4

struct mapper {
    const struct mappings *set;
    const struct mapping *only; /* NULL: all of the set */
    struct eval eval;
    struct event event;
    const struct message *message;
    record_fn *on_record;
    void *context;
    unsigned index; /* of the next record */
    bool full; /* nothing more of this message counts: RECORDS_MAX was told, or mapper_stop() */
    struct buf decoded;            /* what a schema made of the message: its JSON */
    enum frame frame;              /* of the content that is being read */
    const struct mapping *mapping; /* of the record being reported */
    bool dropped;                  /* a `drop` held for the record that nobody took */
};

struct mapper *mapper_new(const struct mappings *set)
{
    struct mapper *mapper = calloc(1, sizeof *mapper);
    if (!mapper)
        return NULL;
    mapper->set = set;
    buf_init(&mapper->decoded, MESSAGE_BYTES_MAX);
    if (reader_init(&mapper->eval.reader, &set->trie))
        return mapper;
    mapper_free(mapper);
    return NULL;
}

void mapper_free(struct mapper *mapper)
{
    if (!mapper)
        return;
    reader_free(&mapper->eval.reader);
    buf_free(&mapper->decoded);
    free(mapper);
}

void mapper_only(struct mapper *mapper, const struct mapping *mapping)
{
    mapper->only = mapping;
}

/* --- reporting ----------------------------------------------------------------------------- */

static void report_full(struct mapper *mapper)
{
    struct record record = {.outcome = RECORD_REJECTED,
                            .reason = REASON_TOO_LARGE,
                            .detail = "more than 100000 records in one message",
                            .byte = -1,
                            .index = mapper->index++};
    mapper->full = true;
    mapper->on_record(&record, mapper->context);
}

/* The one way of a record out, whatever it was made from: where the limit is kept, and told. */
static void report(struct mapper *mapper, struct record *record)
{
    if (mapper->full)
        return;
    if (mapper->index == RECORDS_MAX) {
        report_full(mapper);
        return;
    }
    record->index = mapper->index++;
    if (record->index >= mapper->message->first_index)
        mapper->on_record(record, mapper->context);
}

void mapper_stop(struct mapper *mapper)
{
    mapper->full = true;
}

static void report_skipped(struct mapper *mapper, enum reason reason)
{
    struct record record = {.outcome = RECORD_SKIPPED, .reason = reason, .byte = -1};
    report(mapper, &record);
}

/* Where a slice lies in the message; -1: it was made from it. */
static int64_t byte_of(const struct mapper *mapper, const char *p)
{
    struct slice bytes = mapper->message->bytes;
    if (!p || (uintptr_t)p < (uintptr_t)bytes.p || (uintptr_t)p > (uintptr_t)bytes.p + bytes.bytes)
        return -1;
    return (int64_t)(p - bytes.p);
}

static void report_rejected(struct mapper *mapper, const struct fault *fault,
                            const struct mapping *mapping)
{
    struct record record = {.outcome = RECORD_REJECTED,
                            .reason = fault->reason,
                            .detail = fault->detail,
                            .field = fault->field,
                            .byte = byte_of(mapper, fault->at.p),
                            .mapping = mapping ? mapping->name : NULL};
    report(mapper, &record);
}

static void reject_scan(struct mapper *mapper, const struct scan *scan)
{
    struct fault fault = {scan->reason, NULL, scan->detail, {scan->p, 0}};
    report_rejected(mapper, &fault, NULL);
}

static void reject_large(struct mapper *mapper, const char *detail)
{
    struct fault fault = {REASON_TOO_LARGE, NULL, detail, {NULL, 0}};
    report_rejected(mapper, &fault, NULL);
}

/* --- one event ----------------------------------------------------------------------------- */

/* Adds the fields that hang on the filled slots of a scope. */
static void scope_wanted(const struct reader *reader, const struct mapping *mapping,
                         const struct scope *scope, uint64_t wanted[FIELD_WORDS])
{
    uint32_t from = scope->root->id, to = scope->root->end;
    for (uint32_t word = from / 64; word * 64 < to; word++) {
        uint64_t bits = reader->present[word] & bits_of_range(word, from, to);
        for (; bits; bits &= bits - 1) {
            uint32_t slot = word * 64 + (unsigned)__builtin_ctzll(bits);
            unsigned dependency = mapping->dependency_of[slot];
            if (reader->slot[slot].type == TOKEN_NULL)
                continue;
            for (unsigned i = 0; i < FIELD_WORDS; i++)
                wanted[i] |= mapping->dependencies[dependency].fields[i];
        }
    }
}

static void fields_wanted(const struct mapper *mapper, const struct mapping *mapping,
                          uint64_t wanted[FIELD_WORDS])
{
    const struct reader *reader = &mapper->eval.reader;
    memcpy(wanted, mapping->always, sizeof mapping->always);
    scope_wanted(reader, mapping, mapper->set->trie.record, wanted);
    for (size_t i = 0; i < mapping->each_count; i++)
        scope_wanted(reader, mapping, mapping->each[i], wanted);
}

static bool event_read(struct mapper *mapper, const struct mapping *mapping, struct fault *fault)
{
    struct event *event = &mapper->event;
    uint64_t wanted[FIELD_WORDS];

    memset(event->facts.present, 0, sizeof event->facts.present);
    event->labels.present = 0;
    event->flags = 0;
    mapper->eval.flags = 0;
    mapper->eval.cache_by = mapper->eval.reasoning_by = NULL;
    fields_wanted(mapper, mapping, wanted);
    for (unsigned word = 0; word < FIELD_WORDS; word++)
        for (uint64_t bits = wanted[word]; bits; bits &= bits - 1) {
            size_t i = word * 64 + (unsigned)__builtin_ctzll(bits);
            if (!field_read(&mapper->eval, &mapping->fields[i], event, fault))
                return false;
        }
    return event_finish(&mapper->eval, mapper->set, mapping, mapper->message->kafka_time_us, event,
                        fault);
}

static void event_report(struct mapper *mapper, const struct mapping *mapping)
{
    struct fault fault = {REASON_NONE, NULL, NULL, {NULL, 0}};
    if (mapper->index < mapper->message->first_index) {
        mapper->index++;
        return;
    }
    bool ok = event_read(mapper, mapping, &fault);
    if (mapper->eval.batch->full) {
        reject_large(mapper, "the batch's memory is used up");
    } else if (!ok) {
        report_rejected(mapper, &fault, mapping);
    } else {
        struct record record = {
            .outcome = RECORD_EVENT, .event = &mapper->event, .byte = -1, .mapping = mapping->name};
        mapper->mapping = mapping;
        report(mapper, &record);
        mapper->mapping = NULL;
    }
}

/* --- one record ---------------------------------------------------------------------------- */

/* One attempt of a mapping at a record. What `keep` and `drop` refuse among the elements of an
 * `each` is not a record: a trace has many spans, and some are calls. */
struct attempt {
    struct mapper *mapper;
    const struct mapping *mapping;
    bool taken, dropped;
};

static void element_try(struct attempt *attempt)
{
    struct eval *eval = &attempt->mapper->eval;
    const struct mapping *mapping = attempt->mapping;
    if (!cond_holds(eval, mapping->keep))
        return;
    if (mapping->drop && cond_holds(eval, mapping->drop)) {
        attempt->dropped = true;
        return;
    }
    attempt->taken = true;
    event_report(attempt->mapper, mapping);
}

/* All combinations of the elements of the `each` arrays from `level` on. */
static void each_try(struct attempt *attempt, size_t level)
{
    const struct mapping *mapping = attempt->mapping;
    struct mapper *mapper = attempt->mapper;
    if (level == mapping->each_count) {
        element_try(attempt);
        return;
    }
    const struct scope *scope = mapping->each[level];
    const struct json *array = reader_get(&mapper->eval.reader, scope->parent, scope->source);
    if (!array || array->type != TOKEN_ARRAY)
        return;
    struct walk walk;
    int64_t index = 0;
    walk_open(&walk, array, mapper->eval.batch);
    while (!mapper->full && reader_next(&mapper->eval.reader, scope, &walk)) {
        mapper->eval.index = index++;
        each_try(attempt, level + 1);
    }
}

static bool mapping_try(struct mapper *mapper, const struct mapping *mapping)
{
    struct attempt attempt = {.mapper = mapper, .mapping = mapping};
    if ((mapper->only && mapping != mapper->only) ||
        (mapping->frame != FRAME_AUTO && mapping->frame != mapper->frame))
        return false;
    mapper->eval.index = 0;
    each_try(&attempt, 0);
    mapper->dropped |= attempt.dropped && !attempt.taken;
    return attempt.taken;
}

static void content_read(struct mapper *mapper, struct slice content, unsigned wrappers);

/* A string's own bytes, or those that it is the base64 of; p == NULL: the latter it is not. */
static struct slice wrapped_text(const struct json *value, bool base64, struct arena *batch)
{
    struct slice text = text_raw(value, batch);
    size_t bytes;
    if (!base64 || !text.p)
        return text;
    char *out = arena_alloc(batch, base64_room(text.bytes));
    if (!out || !base64_decode(text, out, &bytes))
        return (struct slice){NULL, 0};
    return (struct slice){out, bytes};
}

/* What a wrapper holds, if that is JSON again. */
static bool wrapped_content(struct mapper *mapper, const struct json *value, bool base64,
                            struct slice *content)
{
    struct json inner;
    *content = json_slice(value);
    if (json_is_wire(value))
        return false;
    if (value->type == TOKEN_OBJECT || value->type == TOKEN_ARRAY)
        return true;
    if (value->type != TOKEN_STRING)
        return false;
    *content = wrapped_text(value, base64, mapper->eval.batch);
    struct scan scan = {.p = content->p, .end = content->p + content->bytes};
    int c = content->p ? scan_peek(&scan) : -1;
    return (c == '{' || c == '[') && scan_text(&scan, &inner);
}

/* What is inside of a wrapper; headers are members of it meanwhile. */
static void around_read(struct mapper *mapper, const struct wrapper *wrapper, struct slice content,
                        unsigned wrappers)
{
    struct eval *eval = &mapper->eval;
    const struct json before = eval->around;
    const struct slice prefix_before = eval->around_prefix;
    const struct json *record = reader_slot(&eval->reader, mapper->set->trie.record->root->id);
    if (wrapper->headers.p && record) {
        eval->around = *record;
        eval->around_prefix = wrapper->headers;
    }
    content_read(mapper, content, wrappers);
    eval->around = before;
    eval->around_prefix = prefix_before;
}

static bool wrapper_open(struct mapper *mapper, unsigned wrappers)
{
    struct eval *eval = &mapper->eval;
    struct slice content;
    for (size_t i = 0; wrappers < WRAPPERS_MAX && i < mapper->set->wrapper_count; i++) {
        const struct wrapper *wrapper = &mapper->set->wrappers[i];
        const struct json *value = reader_get(&eval->reader, wrapper->scope, wrapper->node);
        if (!value || (wrapper->when && !cond_holds(eval, wrapper->when)) ||
            (wrapper->string && value->type != TOKEN_STRING) ||
            !wrapped_content(mapper, value, wrapper->base64, &content))
            continue;
        around_read(mapper, wrapper, content, wrappers + 1);
        return true;
    }
    return false;
}

/* The request for metrics as JSON: it has one member. */
static bool is_metrics(const struct mapper *mapper)
{
    struct walk walk;
    struct json key;
    const struct json *record =
        reader_slot(&mapper->eval.reader, mapper->set->trie.record->root->id);
    if (!record || record->type != TOKEN_OBJECT || json_is_wire(record))
        return false;
    walk_open(&walk, record, mapper->eval.batch);
    return walk_more(&walk) && scan_string(&walk.scan, &key) &&
           text_equals(&key, SLICE("resourceMetrics"));
}

/* A CloudEvent in binary mode, once more in the form of its structured mode. */
static bool cloudevent_open(struct mapper *mapper, unsigned wrappers)
{
    const struct envelope *envelope = &mapper->message->envelope;
    const struct json *data = reader_slot(&mapper->eval.reader, mapper->set->trie.record->root->id);
    if (wrappers > 0 || envelope->header_count == 0 || mapper->frame != FRAME_OBJECT || !data ||
        data->type != TOKEN_OBJECT || json_is_wire(data))
        return false;
    struct slice event = cloudevent_structured(envelope, json_slice(data), mapper->eval.batch);
    if (!event.p)
        return false;
    content_read(mapper, event, wrappers + 1);
    return true;
}

static void record_map(struct mapper *mapper, unsigned wrappers)
{
    bool taken = false;
    mapper->dropped = false;
    mapper->eval.gave_up &= wrappers > 0; /* of the wrapper's conditions too */
    for (size_t i = 0; i < mapper->set->count; i++) {
        const struct mapping *mapping = mapper->set->list[i];
        if (!mapping_try(mapper, mapping))
            continue;
        if (!mapping->beside)
            return;
        taken = true;
    }
    if (taken)
        return;
    if (!mapper->dropped && (cloudevent_open(mapper, wrappers) || wrapper_open(mapper, wrappers)))
        return;
    if (mapper->eval.gave_up)
        reject_large(mapper, "a pattern of a mapping ran out of steps over it");
    else
        report_skipped(mapper, mapper->dropped      ? REASON_DROPPED
                               : is_metrics(mapper) ? REASON_OTLP_METRICS
                                                    : REASON_NO_MAPPING);
}

/* --- the content of a message -------------------------------------------------------------- */

/* The whole array is validated first: half a batch is not a batch. */
static void array_read(struct mapper *mapper, struct scan *scan, unsigned wrappers)
{
    struct walk walk;
    struct json array;
    bool any = false;
    if (!scan_text(scan, &array)) {
        reject_scan(mapper, scan);
        return;
    }
    mapper->frame = FRAME_ARRAY;
    walk_open(&walk, &array, mapper->eval.batch);
    while (!mapper->full && walk_more(&walk)) {
        bool ok = reader_record(&mapper->eval.reader, &walk.scan, 0);
        assert(ok); /* scan_text() accepted it */
        (void)ok;
        record_map(mapper, wrappers);
        mapper->frame = FRAME_ARRAY;
        any = true;
    }
    if (!any)
        report_skipped(mapper, REASON_EMPTY);
}

/* Steps over white space; true when a line ended in it. */
static bool line_end(struct scan *scan)
{
    const char *start = scan->p;
    scan_space(scan);
    return memchr(start, '\n', (size_t)(scan->p - start)) != NULL;
}

/* Lines after the first: each stands for itself, a broken one is rejected alone. */
static void lines_read(struct mapper *mapper, struct scan *scan, unsigned wrappers)
{
    while (!mapper->full && scan->p < scan->end) {
        bool ok = reader_record(&mapper->eval.reader, scan, 0);
        if (ok && !line_end(scan) && scan->p < scan->end)
            ok = scan_fail(scan, REASON_BAD_JSON, "bytes after the value");
        if (ok) {
            mapper->frame = FRAME_LINES;
            record_map(mapper, wrappers);
            continue;
        }
        reject_scan(mapper, scan);
        const char *next = memchr(scan->p, '\n', (size_t)(scan->end - scan->p));
        scan->p = next ? next : scan->end;
        scan->reason = REASON_NONE;
        scan_space(scan);
    }
}

static void content_read(struct mapper *mapper, struct slice content, unsigned wrappers)
{
    struct scan scan = {.p = content.p, .end = content.p + content.bytes};
    int first = scan_peek(&scan);
    if (first == -1) {
        report_skipped(mapper, REASON_EMPTY);
        return;
    }
    if (first == '[') {
        array_read(mapper, &scan, wrappers);
        return;
    }
    bool ok = reader_record(&mapper->eval.reader, &scan, 0);
    bool more = ok && line_end(&scan) && scan.p < scan.end;
    if (ok && !more && scan.p < scan.end)
        ok = scan_fail(&scan, REASON_BAD_JSON, "bytes after the value");
    if (!ok) {
        reject_scan(mapper, &scan);
        return;
    }
    mapper->frame = more ? FRAME_LINES : FRAME_OBJECT;
    record_map(mapper, wrappers);
    if (more)
        lines_read(mapper, &scan, wrappers);
}

static void otlp_read(struct mapper *mapper, struct slice bytes)
{
    enum wire_message signal = wire_signal(bytes);
    struct wire_fault wrong;
    if (!wire_check(bytes, signal, &wrong)) {
        struct fault fault = {wrong.reason, NULL, wrong.detail, {wrong.at, 0}};
        report_rejected(mapper, &fault, NULL);
        return;
    }
    if (signal == WIRE_METRICS) {
        report_skipped(mapper, REASON_OTLP_METRICS);
        return;
    }
    struct json root = wire_root(bytes, signal);
    reader_message(&mapper->eval.reader, &root);
    mapper->frame = FRAME_OBJECT;
    record_map(mapper, 0);
}

static void reject_schema(struct mapper *mapper, enum reason reason, const char *at,
                          const char *detail)
{
    struct fault fault = {reason, NULL, detail, {at, 0}};
    report_rejected(mapper, &fault, NULL);
}

static bool schema_decode(const struct schema *schema, struct slice behind, struct buf *json,
                          const char **why, const char **at)
{
    if (schema->kind == SCHEMA_AVRO)
        return schema_avro_json(schema->avro, behind, json, why, at);
    if (schema->kind == SCHEMA_PROTOBUF)
        return schema_protobuf_json(schema->protobuf, behind, json, why, at);
    *why = schema->kind == SCHEMA_JSON ? "not JSON, which its schema says it is" : schema->why;
    *at = behind.p;
    return false;
}

/* A message whose schema the caller has loaded. */
static void schema_read(struct mapper *mapper, struct slice bytes)
{
    struct registry *registry = mapper->set->registry;
    const char *why, *at;
    char detail[256];
    uint32_t id;
    if (!registry || !registry_frame(bytes, &id)) {
        reject_schema(mapper, REASON_AVRO_OR_PROTOBUF, NULL,
                      "schema registry framing around something that is not JSON: set "
                      "schema_registry.url");
        return;
    }
    const struct schema *schema = registry_find(registry, id);
    if (!schema) {
        snprintf(detail, sizeof detail, "the schema registry does not know schema %u",
                 (unsigned)id);
        reject_schema(mapper, REASON_UNKNOWN_SCHEMA, NULL, detail);
        return;
    }
    buf_reset(&mapper->decoded);
    if (!schema_decode(schema, (struct slice){bytes.p + 5, bytes.bytes - 5}, &mapper->decoded, &why,
                       &at)) {
        snprintf(detail, sizeof detail, "schema %u: %s", (unsigned)id, why);
        reject_schema(mapper, REASON_BAD_ENCODING, at, detail);
        return;
    }
    struct slice json = arena_slice(mapper->eval.batch, buf_slice(&mapper->decoded));
    if (json.p)
        content_read(mapper, json, 0);
    else
        reject_large(mapper, "the batch's memory is used up");
}

bool mapper_ready(const struct mapper *mapper, struct slice message, struct err *err)
{
    uint32_t id;
    return !mapper->set->registry || !registry_frame(message, &id) ||
           registry_load(mapper->set->registry, id, err);
}

static void message_read(struct mapper *mapper, struct slice bytes)
{
    struct slice content;
    enum content kind = frame_open(bytes, &content);
    switch (mapper->set->otlp && !starts_json(bytes) ? CONTENT_OTLP : kind) {
    case CONTENT_JSON:
        content_read(mapper, content, 0);
        break;
    case CONTENT_OTLP:
        otlp_read(mapper, content);
        break;
    case CONTENT_SCHEMA:
        schema_read(mapper, bytes);
        break;
    }
}

void mapper_read(struct mapper *mapper, const struct message *message, struct arena *batch,
                 record_fn *on_record, void *context)
{
    mapper->message = mapper->eval.message = message;
    mapper->eval.reader.key = message->envelope.key;
    mapper->eval.around = (struct json){0};
    mapper->on_record = on_record;
    mapper->context = context;
    mapper->index = 0;
    mapper->full = false;
    mapper->eval.batch = mapper->eval.reader.batch = batch;
    if (message->tombstone || message->bytes.bytes == 0) {
        report_skipped(mapper, REASON_EMPTY);
        return;
    }
    if (message->bytes.bytes > MESSAGE_BYTES_MAX) {
        reject_large(mapper, "message larger than 8 MiB");
        return;
    }
    message_read(mapper, message->bytes);
}

/* --- explaining ---------------------------------------------------------------------------- */

static void explain_reading(const char *name, const char *whole, struct reading reading,
                            const char *by, void (*line)(const char *text, void *context),
                            void *context)
{
    char text[256];
    if (reading.ground == GROUND_NONE)
        return;
    snprintf(text, sizeof text, "%s tokens are %s %s (%s%s%s)", name,
             reading.outside ? "outside" : "inside", whole, reading_ground_name[reading.ground],
             by ? " " : "", by ? by : "");
    line(text, context);
}

void mapper_explain(const struct mapper *mapper, void (*line)(const char *text, void *context),
                    void *context)
{
    /* The slots are still those of the record: the values are run once more, into a scratch event.
     */
    struct eval eval = mapper->eval;
    struct event scratch = {0};
    struct fault fault;
    char text[256];
    for (size_t i = 0; mapper->mapping && i < mapper->mapping->field_count; i++) {
        const struct field *field = &mapper->mapping->fields[i];
        if (field_read(&eval, field, &scratch, &fault) && event_has(&scratch, field->id)) {
            snprintf(text, sizeof text, "%s <- " SLICE_FMT, field->name,
                     SLICE_ARG(eval.taken ? eval.taken->text : SLICE("default")));
            line(text, context);
        }
    }
    if (!mapper->mapping)
        return;
    unsigned flags = mapper->event.flags;
    explain_reading("cached", "input_tokens", reading_of(flags, READING_CACHE_BIT),
                    mapper->eval.cache_by, line, context);
    explain_reading("reasoning", "output_tokens", reading_of(flags, READING_REASONING_BIT),
                    mapper->eval.reasoning_by, line, context);
    if (mapper->eval.unread.p) {
        snprintf(text, sizeof text, "usage \"" SLICE_FMT "\" is read by no rule",
                 SLICE_ARG(mapper->eval.unread));
        line(text, context);
    }
}
