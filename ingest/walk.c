/* SPDX-License-Identifier: Apache-2.0 */
/* Elements and members of valid JSON or protobuf, one by one. */
#include "ingest/walk.h"

#include "ingest/text.h"

#include <assert.h>

void walk_open(struct walk *walk, const struct json *container, struct arena *batch)
{
    assert(container->type == TOKEN_OBJECT || container->type == TOKEN_ARRAY);
    walk->container = *container;
    walk->batch = batch;
    if (json_is_wire(container) && container->type == TOKEN_OBJECT)
        walk->wire = wire_open(container);
    else if (json_is_wire(container))
        walk->wire.p = container->p;
    else
        walk->scan =
            (struct scan){.p = container->p + 1, .end = container->p + container->bytes - 1};
}

bool walk_more(struct walk *walk)
{
    assert(!json_is_wire(&walk->container));
    scan_space(&walk->scan);
    if (walk->scan.p < walk->scan.end && *walk->scan.p == ',') {
        walk->scan.p++;
        scan_space(&walk->scan);
    }
    return walk->scan.p < walk->scan.end;
}

bool walk_element(struct walk *walk, struct json *value)
{
    if (json_is_wire(&walk->container))
        return wire_element(&walk->container, &walk->wire.p, value);
    return walk_more(walk) && scan_value(&walk->scan, value, 0);
}

bool walk_member(struct walk *walk, struct json *key, struct json *value)
{
    if (json_is_wire(&walk->container))
        return wire_member(&walk->wire, key, value, walk->batch);
    if (!walk_more(walk) || !scan_string(&walk->scan, key) || !scan_expect(&walk->scan, ':', ""))
        return false;
    scan_space(&walk->scan);
    return scan_value(&walk->scan, value, 0);
}

bool json_member(const struct json *object, struct slice name, struct json *value,
                 struct arena *batch)
{
    struct walk walk;
    struct json key, candidate;
    bool found = false;
    walk_open(&walk, object, batch);
    while (walk_member(&walk, &key, &candidate))
        if (text_equals(&key, name)) {
            *value = candidate;
            found = true;
        }
    return found;
}
