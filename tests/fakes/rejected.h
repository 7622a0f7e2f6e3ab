/* SPDX-License-Identifier: Apache-2.0 */
/* A list of rejected events in memory, in place of store/rejected.c. */
#ifndef TESTS_FAKES_REJECTED_H
#define TESTS_FAKES_REJECTED_H

#include "store/rejected.h"

#include <stddef.h>

struct fake_rejected {
    const struct rejected_event *event; /* of the test */
    size_t count;
    bool fails; /* the list cannot be read */
};

extern struct fake_rejected fake_rejected;

#endif
