/* SPDX-License-Identifier: Apache-2.0 */
/* Tried again while it is the operator's timeout that ends them (store/first.h). */
#include "store/first.h"

#include <string.h>

/* Each try takes what the timeout is, a millisecond at least: a second of them. */
#define FIRST_TRIES_MAX 1000

bool first_again(struct pg *pg, int *tries, struct err *err)
{
    if (++*tries >= FIRST_TRIES_MAX || !pg->conn || strcmp(pg->sqlstate, "57014") != 0)
        return false;
    err_clear(err);
    return true;
}
