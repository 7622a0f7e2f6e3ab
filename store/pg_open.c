/* SPDX-License-Identifier: Apache-2.0 */
/* A connection whose session is ours alone and as we need it (store/pooler.h, store/session.h). */
#include "store/pg.h"

#include "store/pooler.h"
#include "store/session.h"

bool pg_open(struct pg *pg, const struct pg_options *options, struct err *err)
{
    if (!pg_connect(pg, options, err))
        return false;
    if (pooler_check(pg, options, err) && session_pin(pg, options, err))
        return true;
    pg_close(pg);
    return false;
}
