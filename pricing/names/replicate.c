/* SPDX-License-Identifier: Apache-2.0 */
/* Names of Replicate: models whose hardware is billed by the second (docs/pricing.md 8.1). */
#include "pricing/names/providers.h"

#include "pricing/map/lists.h"

bool names_is_replicate(const struct resolver *r, struct slice name)
{
    return (list_has(&list_replicate, name) || names_contain(name, "replicate")) &&
           !names_is_key(r, name);
}
