/* SPDX-License-Identifier: Apache-2.0 */
/* The strict pass over a record, and the scopes that are read when somebody asks. */
#include "ingest/reader.h"

#include "ingest/text.h"

#include <assert.h>
#include <stdlib.h>

bool reader_init(struct reader *reader, const struct trie *trie)
{
    *reader = (struct reader){.trie = trie};
    reader->slot = calloc(trie->node_count, sizeof *reader->slot);
    reader->present = calloc(trie->node_count / 64 + 1, sizeof *reader->present);
    reader->passed = calloc(trie->node_count / 64 + 1, sizeof *reader->passed);
    reader->loaded = calloc(trie->scope_count / 64 + 1, sizeof *reader->loaded);
    reader->seen = calloc(SEEN_PLACES, sizeof *reader->seen);
    reader->first = calloc(trie->node_count, sizeof *reader->first);
    return reader->slot && reader->present && reader->passed && reader->loaded && reader->seen &&
           reader->first;
}

void reader_free(struct reader *reader)
{
    free(reader->slot);
    free(reader->present);
    free(reader->passed);
    free(reader->loaded);
    free(reader->seen);
    free(reader->first);
}

static void bits_clear(uint64_t *bits, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to;) {
        if (i % 64 == 0 && to - i >= 64) {
            bits[i / 64] = 0;
            i += 64;
        } else {
            bits[i / 64] &= ~(UINT64_C(1) << (i % 64));
            i++;
        }
    }
}

/* The last member of a name counts: what an earlier one left below it goes. */
static inline void slot_open(struct reader *reader, const struct node *node)
{
    uint64_t bit = UINT64_C(1) << (node->id % 64), *word = &reader->present[node->id / 64];
    if (*word & bit) {
        reader->duplicate_key = true;
        bits_clear(reader->present, node->id, node->end);
    }
    *word |= bit;
}

static bool object_read(struct reader *reader, const struct node *node, struct scan *scan,
                        unsigned depth);

static inline __attribute__((always_inline)) bool
value_read(struct reader *reader, const struct node *node, struct scan *scan, unsigned depth)
{
    const char *start = scan->p;
    struct json *slot = &reader->slot[node->id];
    slot_open(reader, node);
    if (start < scan->end && *start == '"')
        return scan_string(scan, slot);
    if (start < scan->end && *start != '{' && *start != '[')
        return scan_literal(scan, slot);
    if (start >= scan->end || *start != '{' || !node->edges)
        return scan_value(scan, slot, depth);
    if (!object_read(reader, node, scan, depth + 1))
        return false;
    *slot = (struct json){start, (uint32_t)(scan->p - start), TOKEN_OBJECT, 0, 0};
    return true;
}

/* --- values that are not JSON text ----------------------------------------------------------- */

static void value_put(struct reader *reader, const struct node *node, const struct json *value);

/* Only the members that somebody wants are made into values. */
static void message_put(struct reader *reader, const struct node *node, const struct json *message)
{
    struct wire wire = wire_open(message);
    struct wire_field field;
    struct json key, value;
    while (wire_next(&wire, &key, &field)) {
        const struct node *child = node_find(node, &key);
        if (!child)
            continue;
        wire_value(&wire, &field, &value, reader->batch);
        value_put(reader, child, &value);
    }
}

static void value_put(struct reader *reader, const struct node *node, const struct json *value)
{
    slot_open(reader, node);
    reader->slot[node->id] = *value;
    if (json_is_wire(value) && value->type == TOKEN_OBJECT && node->edges)
        message_put(reader, node, value);
}

/* --- members -------------------------------------------------------------------------------- */

static inline bool seen_is(const struct seen *seen, const struct node *object,
                           const struct scan *scan)
{
    uint64_t input, diff = 0;
    const char *p = scan->p;
    if (seen->object != object || (size_t)(scan->end - p) < SEEN_WORDS * sizeof input)
        return false;
    unsigned last = seen->words - 1u;
    for (unsigned i = 0; i < last; i++) {
        memcpy(&input, p + i * sizeof input, sizeof input);
        diff |= input ^ seen->word[i];
    }
    memcpy(&input, p + last * sizeof input, sizeof input);
    diff |= (input ^ seen->word[last]) & seen->last_mask;
    return diff == 0;
}

/* Holds a member whose name was looked up; its place, or 0, which is nobody's, for a long one. */
static uint16_t seen_put(struct reader *reader, const struct node *object, const struct node *child,
                         const struct json *key, const char *end)
{
    const char *name = key->p - 1;
    size_t bytes = (size_t)(end - name);
    uint32_t hash = key_hash(key_ends(key->p, key->bytes), key->bytes) ^ object->id * 0x9e5u;
    uint16_t place = (uint16_t)(1 + hash % (SEEN_PLACES - 1));
    struct seen *seen = &reader->seen[place];
    if (bytes > sizeof seen->word)
        return 0;
    if (seen->object == object && seen->bytes == bytes && memcmp(seen->word, name, bytes) == 0)
        return place;
    *seen = (struct seen){.object = object, .child = child};
    memcpy(seen->word, name, bytes);
    seen->bytes = (uint8_t)bytes;
    seen->words = (uint8_t)((bytes + 7) / 8);
    seen->last_mask = UINT64_MAX >> (8 * (seen->words * 8u - bytes));
    return place;
}

/* The name of a member and its colon, and the node it leads to (NULL: nobody wants it). `at` says
 * which member is expected, and then where the one after it will be noted. */
static inline bool member_name(struct reader *reader, const struct node *object, struct scan *scan,
                               uint16_t **at, const struct node **child)
{
    struct json key;
    struct seen *seen = &reader->seen[**at];
    if (seen_is(seen, object, scan)) {
        scan->p += seen->bytes;
        *child = seen->child;
        *at = &seen->next;
        return true;
    }
    if (scan_peek(scan) != '"')
        return scan_expect(scan, '"', "member name expected");
    if (!scan_string(scan, &key) || !scan_expect(scan, ':', "':' expected"))
        return false;
    *child = node_find(object, &key);
    **at = seen_put(reader, object, *child, &key, scan->p);
    reader->unheld = 0;
    *at = **at ? &reader->seen[**at].next : &reader->unheld;
    return true;
}

/* A member that nobody wants; what cannot be a number above zero leaves no mark. */
static inline bool value_pass(struct reader *reader, const struct node *object, struct scan *scan,
                              unsigned depth)
{
    const char *start = scan->p;
    if (!scan_value(scan, NULL, depth))
        return false;
    bool nothing =
        *start == 'n' || *start == 't' || *start == 'f' || (*start == '0' && scan->p == start + 1);
    reader->passed[object->id / 64] |= (uint64_t)!nothing << (object->id % 64);
    return true;
}

/* At the opening brace. `depth` counts this object. */
static bool object_read(struct reader *reader, const struct node *node, struct scan *scan,
                        unsigned depth)
{
    uint16_t *at = &reader->first[node->id];
    const struct node *child = NULL;
    if (depth > JSON_DEPTH_MAX)
        return scan_fail(scan, REASON_TOO_DEEP, "nested deeper than 64 levels");
    scan->p++;
    if (scan_peek(scan) == '}') {
        scan->p++;
        return true;
    }
    for (;;) {
        scan_peek(scan);
        if (!member_name(reader, node, scan, &at, &child))
            return false;
        scan_peek(scan);
        if (!(child ? value_read(reader, child, scan, depth)
                    : value_pass(reader, node, scan, depth)))
            return false;
        int c = scan_peek(scan);
        if (c != ',' && c != '}')
            return scan_expect(scan, '}', "',' or '}' expected");
        scan->p++;
        if (c == '}')
            return true;
    }
}

/* Marks the scope as read, with nothing in it yet, and what is derived from it as unread. */
static void scope_open(struct reader *reader, const struct scope *scope)
{
    bits_clear(reader->loaded, scope->id, scope->end);
    bits_clear(reader->present, scope->root->id, scope->root->end);
    bits_clear(reader->passed, scope->root->id, scope->root->end);
    reader->loaded[scope->id / 64] |= UINT64_C(1) << (scope->id % 64);
}

static bool scope_read(struct reader *reader, const struct scope *scope, struct scan *scan,
                       unsigned depth)
{
    scope_open(reader, scope);
    return value_read(reader, scope->root, scan, depth);
}

static void record_open(struct reader *reader)
{
    const struct scope *record = reader->trie->record;
    reader->duplicate_key = false;
    memset(reader->loaded, 0, (reader->trie->scope_count / 64 + 1) * sizeof *reader->loaded);
    memset(reader->present, 0, (record->root->end / 64 + 1) * sizeof *reader->present);
    memset(reader->passed, 0, (record->root->end / 64 + 1) * sizeof *reader->passed);
    reader->loaded[record->id / 64] |= UINT64_C(1) << (record->id % 64);
}

bool reader_record(struct reader *reader, struct scan *scan, unsigned depth)
{
    record_open(reader);
    return value_read(reader, reader->trie->record->root, scan, depth);
}

void reader_message(struct reader *reader, const struct json *message)
{
    record_open(reader);
    value_put(reader, reader->trie->record->root, message);
}

/* The bytes of a slot as scan_value() wants them: a string with its quotes. */
static struct scan slot_scan(const struct json *value)
{
    unsigned quote = value->type == TOKEN_STRING;
    return (struct scan){.p = value->p - quote, .end = value->p + value->bytes + quote};
}

/* A node below which a value stands that the pass has validated. */
static void value_take(struct reader *reader, const struct node *node, const struct json *value)
{
    struct scan scan = slot_scan(value);
    if (json_is_wire(value) || value->flags & JSON_PLAIN || value->type == TOKEN_NULL) {
        value_put(reader, node, value);
        return;
    }
    bool ok = value_read(reader, node, &scan, 0);
    assert(ok);
    (void)ok;
}

/* A scope over such a value. */
static void value_load(struct reader *reader, const struct scope *scope, const struct json *value)
{
    scope_open(reader, scope);
    value_take(reader, scope->root, value);
}

bool reader_next(struct reader *reader, const struct scope *scope, struct walk *walk)
{
    struct json element;
    if (json_is_wire(&walk->container)) {
        if (!walk_element(walk, &element))
            return false;
        value_load(reader, scope, &element);
        return true;
    }
    if (!walk_more(walk))
        return false;
    bool ok = scope_read(reader, scope, &walk->scan, 0);
    assert(ok);
    return ok;
}

static bool json_load(struct reader *reader, const struct scope *scope, const struct json *value)
{
    struct json unused;
    if (value->type != TOKEN_STRING) {
        value_load(reader, scope, value);
        return true;
    }
    struct slice text = text_raw(value, reader->batch);
    if (!text.p)
        return false;
    struct scan scan = {.p = text.p, .end = text.p + text.bytes};
    if (!scan_text(&scan, &unused))
        return false;
    scan.p = text.p;
    scan_space(&scan);
    return scope_read(reader, scope, &scan, 0);
}

/* The record's key is JSON, or there is nothing below it. */
static bool key_load(struct reader *reader, const struct scope *scope)
{
    struct json unused;
    if (!reader->key.p || reader->key.bytes > UINT32_MAX)
        return false;
    struct scan scan = {.p = reader->key.p, .end = reader->key.p + reader->key.bytes};
    if (!scan_text(&scan, &unused))
        return false;
    scan.p = reader->key.p;
    scan_space(&scan);
    return scope_read(reader, scope, &scan, 0);
}

static bool select_load(struct reader *reader, const struct scope *scope, const struct json *array)
{
    struct walk walk;
    struct json element, member, found = {0};
    int64_t index = 0;

    if (array->type == TOKEN_OBJECT) {
        if (!json_member(array, scope->token, &found, reader->batch))
            return false;
        value_load(reader, scope, &found);
        return true;
    }
    if (array->type != TOKEN_ARRAY)
        return false;
    walk_open(&walk, array, reader->batch);
    for (; walk_element(&walk, &element); index++) {
        bool hit = index == scope->index || scope->index == -1;
        if (scope->member.p)
            hit = element.type == TOKEN_OBJECT &&
                  json_member(&element, scope->member, &member, reader->batch) &&
                  (member.type == TOKEN_STRING ? text_equals(&member, scope->text)
                                               : slice_eq(json_slice(&member), scope->text));
        if (!hit)
            continue;
        found = element;
        if (scope->index != -1)
            break;
    }
    if (found.type == TOKEN_NONE)
        return false;
    value_load(reader, scope, &found);
    return true;
}

/* OTLP's AnyValue: {"intValue": "3"} is "3". */
static void kv_value(struct json *value, struct arena *batch)
{
    struct walk walk;
    struct json key, first, second;
    if (value->type != TOKEN_OBJECT)
        return;
    walk_open(&walk, value, batch);
    if (walk_member(&walk, &key, &first) && !walk_member(&walk, &key, &second))
        *value = first;
}

static bool kv_pair(const struct json *element, struct json *key, struct json *value,
                    struct arena *batch)
{
    if (element->wire == WIRE_KEY_VALUE)
        return wire_pair(element, key, value);
    return element->type == TOKEN_OBJECT && json_member(element, SLICE("key"), key, batch) &&
           json_member(element, SLICE("value"), value, batch) && key->type == TOKEN_STRING;
}

static bool kv_load(struct reader *reader, const struct scope *scope, const struct json *list)
{
    struct walk walk;
    struct json element, key, value;
    if (list->type == TOKEN_OBJECT) {
        value_load(reader, scope, list);
        return true;
    }
    if (list->type != TOKEN_ARRAY)
        return false;
    scope_open(reader, scope);
    slot_open(reader, scope->root);
    reader->slot[scope->root->id] = *list;
    if (!scope->root->edges)
        return true;
    walk_open(&walk, list, reader->batch);
    while (walk_element(&walk, &element)) {
        if (!kv_pair(&element, &key, &value, reader->batch))
            continue;
        const struct node *node = node_find(scope->root, &key);
        if (!node)
            continue;
        kv_value(&value, reader->batch);
        value_take(reader, node, &value);
    }
    return true;
}

bool reader_load(struct reader *reader, const struct scope *scope)
{
    bool ok = false;
    if (scope->kind == SCOPE_EACH || scope->kind == SCOPE_RECORD)
        return false;
    const struct json *value = reader_get(reader, scope->parent, scope->source);
    if (scope->kind == SCOPE_KEY)
        ok = key_load(reader, scope);
    else if (value && scope->kind == SCOPE_JSON)
        ok = json_load(reader, scope, value);
    else if (value && scope->kind == SCOPE_SELECT)
        ok = select_load(reader, scope, value);
    else if (value)
        ok = kv_load(reader, scope, value);
    if (!ok)
        scope_open(reader, scope);
    return true;
}
