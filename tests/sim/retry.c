/* SPDX-License-Identifier: Apache-2.0 */
/* An operator who has rejected records read again: `spendlog rejected retry`, the product's own. */
#include "run/retry.h"

#include "tests/sim/member.h"
#include "tests/sim/others.h"
#include "tests/sim/task.h"

/* A configuration of his: as ever, one that believes larger figures, or one that wants none of the
 * messages. */
static void retry(void)
{
    struct config config;
    struct retry_counts counts = {0};
    struct err err = {0};
    const struct rejected_filter filter = {.partition = -1,
                                           .kafka_offset = -1,
                                           .since_us = INT64_MIN,
                                           .until_us = INT64_MAX,
                                           .limit = sim_below(2) ? 0 : 1 + sim_below(4)};
    enum operator_wants wants = sim_below(4) ? OPERATOR_BELIEVES : sim_below(OPERATOR_KINDS);
    operator_config(&config, wants);
    sim_trace("rejected retry");
    bool ok = retry_run(&config, book_of(sim_below(books_count())), &filter, &counts, &err);
    sim_happened(ok ? HAPPENED_RETRY : HAPPENED_RETRY_ENDED);
    sim_trace("rejected retry: %lld tried, %lld rows, %lld skipped, %lld as they were%s%s",
              counts.tried, counts.rows, counts.skipped, counts.still_rejected, ok ? "" : ": ",
              ok ? "" : err.text);
}

void operator_main(void *context)
{
    (void)context;
    while (!sim.quiet) {
        task_sleep(1 + sim_below(2000));
        if (!sim.quiet && sim_chance(sim.dials.retry))
            retry();
    }
}
