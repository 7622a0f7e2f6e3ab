/* SPDX-License-Identifier: Apache-2.0 */
/* The headers of a binary CloudEvent as the members of a structured one. */
#include "ingest/cloudevent.h"

#include "ingest/text.h"

#define PREFIX SLICE("ce_")

struct parts {
    struct slice list[4 * HEADERS_MAX + 4];
    size_t count;
    bool full;
};

static void part_add(struct parts *parts, struct slice part)
{
    parts->full |= part.p == NULL;
    parts->list[parts->count++] = part;
}

static struct slice quoted(struct slice bytes, struct arena *batch)
{
    bool repaired = false;
    struct json string = {bytes.p, (uint32_t)bytes.bytes, TOKEN_STRING, text_plain_flags(bytes), 0};
    struct slice text = text_of(&string, batch, &repaired);
    return text.p ? text_quote(text, batch) : text;
}

static struct slice parts_join(const struct parts *parts, struct arena *batch)
{
    size_t bytes = 0;
    for (size_t i = 0; i < parts->count; i++)
        bytes += parts->list[i].bytes;
    char *text = parts->full ? NULL : arena_alloc(batch, bytes), *p = text;
    for (size_t i = 0; text && i < parts->count; i++) {
        memcpy(p, parts->list[i].p, parts->list[i].bytes);
        p += parts->list[i].bytes;
    }
    return (struct slice){text, text ? bytes : 0};
}

struct slice cloudevent_structured(const struct envelope *envelope, struct slice data,
                                   struct arena *batch)
{
    struct parts parts = {.count = 0};
    if (!envelope_header(envelope, SLICE("ce_specversion")))
        return (struct slice){NULL, 0};
    part_add(&parts, SLICE("{"));
    for (size_t i = 0; i < envelope->header_count; i++) {
        struct slice name = envelope->headers[i].name, value = envelope->headers[i].value;
        if (!slice_starts(name, PREFIX) || !value.p || value.bytes > UINT32_MAX)
            continue;
        name = (struct slice){name.p + PREFIX.bytes, name.bytes - PREFIX.bytes};
        part_add(&parts, quoted(name, batch));
        part_add(&parts, SLICE(":"));
        part_add(&parts, quoted(value, batch));
        part_add(&parts, SLICE(","));
    }
    part_add(&parts, SLICE("\"data\":"));
    part_add(&parts, data);
    part_add(&parts, SLICE("}"));
    return parts_join(&parts, batch);
}
