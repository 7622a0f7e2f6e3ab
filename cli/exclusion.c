/* SPDX-License-Identifier: Apache-2.0 */
/* What `exclude` lists and `explain` says of a row. */
#include "cli/exclusion.h"

#include "cli/result.h"

#include "core/clock.h"
#include "core/show.h"

void exclusion_add_json(struct buf *line, const struct exclusion *e)
{
    result_int(line, "exclusion", e->exclusion_id);
    result_text(line, "action", e->action);
    result_bool(line, "in_force", e->in_force);
    result_text(line, "request_id", e->request_id);
    result_text(line, "identity", e->identity);
    result_time(line, "start_time", e->start_time_us);
    result_text(line, "counts_on", e->counts_on);
    result_number(line, "spend", e->spend);
    result_text(line, "why", e->why);
    result_text(line, "done_by", e->done_by);
    result_time(line, "done_at", e->done_at_us);
}

void exclusion_add_text(struct buf *line, const struct exclusion *e)
{
    char done_at[CLOCK_TEXT_MAX];
    clock_format(e->done_at_us, done_at);
    buf_printf(line, "%lld %s " SLICE_FMT " ", (long long)e->exclusion_id, done_at,
               SLICE_ARG(e->action));
    show_add(line, e->request_id.bytes ? e->request_id : e->identity);
    buf_printf(line, ": " SLICE_FMT " USD on " SLICE_FMT " by ",
               SLICE_ARG(e->spend.bytes ? e->spend : SLICE("0")), SLICE_ARG(e->counts_on));
    show_add(line, e->done_by);
    buf_add_text(line, ": ");
    show_add(line, e->why);
    buf_add_char(line, '\n');
}
