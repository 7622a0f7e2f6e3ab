/* SPDX-License-Identifier: Apache-2.0 */
/* Versions at the end of names: numbers, dates, and what fine-tuning adds (docs/pricing.md 4.3). */
#include "pricing/names/text.h"

#include <ctype.h>

/* "-<digits>" at the end. */
struct slice names_strip_digits(struct slice name)
{
    const char *dash = names_find_last(name, '-');
    if (!dash ||
        !names_all_digits((struct slice){dash + 1, (size_t)(name.p + name.bytes - dash - 1)}))
        return name;
    return (struct slice){name.p, (size_t)(dash - name.p)};
}

/* "-YYYY-MM-DD" at the end. */
static struct slice strip_date(struct slice name)
{
    static const char shape[] = "-dddd-dd-dd";
    size_t bytes = sizeof(shape) - 1;
    if (name.bytes < bytes)
        return name;
    const char *at = name.p + name.bytes - bytes;
    for (size_t i = 0; i < bytes; i++)
        if (shape[i] == 'd' ? !isdigit((unsigned char)at[i]) : at[i] != shape[i])
            return name;
    return (struct slice){name.p, name.bytes - bytes};
}

/* The last three ':' fields of a fine-tuned model. */
static struct slice strip_finetune(struct slice name)
{
    struct slice left = name;
    for (int i = 0; i < 3; i++) {
        const char *colon = names_find_last(left, ':');
        if (!colon)
            return name;
        left.bytes = (size_t)(colon - left.p);
    }
    return left;
}

struct slice names_strip_version(struct slice name)
{
    return names_contain(name, "ft:") ? strip_finetune(name) : strip_date(name);
}
