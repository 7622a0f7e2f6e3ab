/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of flags.def as a table, in the order of their bits. */
#include "core/flags.h"

#include <assert.h>

const struct flag_info flag_info[] = {
#define FLAG(id, bit, name, side, doubt, doc) {FLAG_##id, name, FLAG_SIDE_##side, doubt, doc},
#include "core/flags.def"
#undef FLAG
};
const unsigned flag_count = sizeof(flag_info) / sizeof(flag_info[0]);

const unsigned flags_of_price = 0
#define FLAG(id, bit, name, side, doubt, doc)                                                      \
    | (FLAG_SIDE_##side == FLAG_SIDE_PRICE ? FLAG_##id : 0)
#include "core/flags.def"
#undef FLAG
    ;

const unsigned flags_of_doubt = 0
#define FLAG(id, bit, name, side, doubt, doc) | (doubt ? FLAG_##id : 0)
#include "core/flags.def"
#undef FLAG
    ;

/* A bit given twice would not be lost in the sum, and spend_logs.flags is an int4. */
static_assert((0
#define FLAG(id, bit, name, side, doubt, doc) +(1ll << (bit))
#include "core/flags.def"
#undef FLAG
               ) == (0
#define FLAG(id, bit, name, side, doubt, doc) | (1ll << (bit))
#include "core/flags.def"
#undef FLAG
                     ),
              "a bit is given once");
static_assert(((0
#define FLAG(id, bit, name, side, doubt, doc) | (1ll << (bit))
#include "core/flags.def"
#undef FLAG
                ) &
               (READING_MASK | ~0x7fffffffll)) == 0,
              "no flag lies where the reading is");

const char *const reading_ground_name[4] = {
    [GROUND_NONE] = "none",
    [GROUND_DECLARED] = "declared",
    [GROUND_EMITTER] = "emitter",
    [GROUND_NUMBERS] = "numbers",
};
