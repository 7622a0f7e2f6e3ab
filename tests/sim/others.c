/* SPDX-License-Identifier: Apache-2.0 */
/* Dropped days: what is left in the tables. They give way to whoever is at a row. */
#include "tests/sim/others.h"

#include "tests/sim/statements.h"

static struct row *day_pick(const struct tx *tx)
{
    struct row *day = db.first[TABLE_DAYS];
    for (unsigned skip = sim_below(4); day && skip > 0 && day->next; skip--)
        day = day->next;
    return day && !row_in_way(day, tx) && row_is_seen(day, tx) ? day : NULL;
}

static bool day_is_in_use(const struct tx *tx, int32_t day)
{
    for (const struct row *r = db.first[TABLE_ROWS]; r; r = r->next)
        if (r->v.row.day == day && row_in_way(r, tx))
            return true;
    return false;
}

const struct row *others_drop_a_day(struct tx *tx)
{
    struct row *day = day_pick(tx);
    if (!day || day_is_claimed(day->v.day.day) || day_is_in_use(tx, day->v.day.day))
        return NULL;
    for (struct row *r = db.first[TABLE_ROWS]; r; r = r->next)
        if (r->v.row.day == day->v.day.day && row_is_seen(r, tx)) {
            db_add(tx, TABLE_DROPPED, 0)->v = r->v;
            db_end(tx, r);
        }
    sim_trace("server: day %d is dropped", (int)day->v.day.day);
    db_end(tx, day);
    return day;
}

static void day_drop(void)
{
    struct tx *tx = tx_begin(NULL, 0);
    if (others_drop_a_day(tx))
        sim_happened(HAPPENED_DAY_DROPPED);
    tx_commit(tx);
    sim_committed();
}

/* In place of a month that is over: months here are as short as a day. */
static void day_close(void)
{
    struct tx *tx = tx_begin(NULL, 0);
    const struct row *day = day_pick(tx);
    if (day && !day_is_claimed(day->v.day.day) && !day_is_closed(tx, day->v.day.day)) {
        sim_happened(HAPPENED_CLOSED);
        sim_trace("server: day %d is closed", (int)day->v.day.day);
        db_add(tx, TABLE_CLOSED, 0)->v.day.day = day->v.day.day;
    }
    tx_commit(tx);
    sim_committed();
}

void others_turn(void)
{
    if (!server_is_down() && sim_chance(sim.dials.drop_day))
        day_drop();
    if (!server_is_down() && sim_chance(sim.dials.close_day))
        day_close();
}
