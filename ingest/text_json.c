/* SPDX-License-Identifier: Apache-2.0 */
/* A value as JSON text, also one that did not come as JSON: its members are walked and written. */
#include "ingest/text.h"

#include "core/buf.h"
#include "ingest/frame.h"
#include "ingest/walk.h"

#define JSON_TEXT_MAX (64u << 20)

/* A byte becomes six at most: a control character its escape, `bool_value` false its word. */
_Static_assert(6ull * MESSAGE_BYTES_MAX < JSON_TEXT_MAX, "a message fits whatever is in it");

static void value_write(struct buf *out, const struct json *value, struct arena *batch,
                        bool *repaired)
{
    struct walk walk;
    struct json key, inner;
    bool object = value->type == TOKEN_OBJECT, first = true;
    if (!json_is_wire(value)) {
        struct slice text = text_of_json(value, batch, repaired);
        buf_add(out, text.p ? text : SLICE("null"));
        return;
    }
    buf_add_char(out, object ? '{' : '[');
    walk_open(&walk, value, batch);
    for (; object ? walk_member(&walk, &key, &inner) : walk_element(&walk, &inner); first = false) {
        if (!first)
            buf_add_char(out, ',');
        if (object) {
            buf_add(out, text_quote(json_slice(&key), batch));
            buf_add_char(out, ':');
        }
        value_write(out, &inner, batch, repaired);
    }
    buf_add_char(out, object ? '}' : ']');
}

static struct slice wire_json(const struct json *value, struct arena *batch, bool *repaired)
{
    struct buf out;
    buf_init(&out, JSON_TEXT_MAX);
    value_write(&out, value, batch, repaired);
    struct slice text = {NULL, 0};
    if (buf_ok(&out))
        text = arena_slice(batch, buf_slice(&out));
    buf_free(&out);
    return text;
}

struct slice text_json(const struct json *value, struct arena *batch, bool *repaired)
{
    return json_is_wire(value) ? wire_json(value, batch, repaired)
                               : text_of_json(value, batch, repaired);
}
