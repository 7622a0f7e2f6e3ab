/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A new book is loaded and compared with the one in force; what moved is logged, then the slot gets
 * the new one. A book that fails to load changes nothing.
 */
#include "cli/reload.h"

#include "cli/command.h"

#include "core/clock.h"
#include "core/log.h"
#include "pricing/diff.h"

#include <string.h>

#define SAID_BYTES (64u << 10)

static void moves_tell(struct buf *said, const struct book *old, const struct book *new)
{
    struct books_moves moves;
    if (books_compare(old, new, &moves))
        buf_printf(said, ": %zu models added, %zu moved by more than 10 %%, %zu gone (of %zu)",
                   moves.added, moves.moved, moves.gone, moves.models);
}

/* A book of the same id is the same prices: *changed stays false, nothing is said. */
static bool renew(struct lane_group *group, bool *changed, struct buf *said, struct err *err)
{
    struct book_options options;
    struct book_ref *old = book_acquire(group->books);
    bool ok = book_options_of(group->config, &options, err) &&
              book_slot_load(group->books, &options, err);
    if (ok) {
        struct book_ref *new = book_acquire(group->books);
        *changed = strcmp(book_id(old->book), book_id(new->book)) != 0;
        buf_printf(said, "prices loaded again: price book %s", book_id(new->book));
        if (*changed)
            moves_tell(said, old->book, new->book);
        else
            buf_add_text(said, ": the same as before");
        book_release(group->books, new);
    }
    book_release(group->books, old);
    return ok;
}

static bool failed(struct lane_group *group, const struct err *err)
{
    atomic_fetch_add(&group->reload_failures, 1);
    log_error("prices not loaded, the old ones stay: %s", err->text);
    return false;
}

static void loaded(struct lane_group *group, const struct buf *said)
{
    log_info(SLICE_FMT, SLICE_ARG(buf_slice(said)));
    drift_forget(group->drift);
}

bool reload_prices(struct lane_group *group, struct buf *said, struct err *err)
{
    bool changed = false;
    if (!renew(group, &changed, said, err))
        return failed(group, err);
    loaded(group, said);
    return true;
}

/* Loaded beside the one in force, which lanes keep, with what they remember of it, if it is the
 * same. */
static bool is_another(struct lane_group *group, bool *changed, struct err *err)
{
    struct book_options options;
    struct book *found =
        book_options_of(group->config, &options, err) ? book_load(&options, NULL, NULL, err) : NULL;
    if (!found)
        return false;
    struct book_ref *current = book_acquire(group->books);
    *changed = strcmp(book_id(current->book), book_id(found)) != 0;
    book_release(group->books, current);
    book_free(found);
    return true;
}

void reload_watch(struct reload_watch *watch, struct lane_group *group)
{
    int64_t now_ms = clock_monotonic_ms();
    struct err err = {0};
    struct buf said;
    bool changed = false;
    if (group->config->watch_s == 0 || now_ms < watch->next_ms)
        return;
    bool first = watch->next_ms == 0; /* they have just been loaded */
    watch->next_ms = now_ms + (int64_t)group->config->watch_s * 1000;
    if (first)
        return;
    buf_init(&said, SAID_BYTES);
    bool ok =
        is_another(group, &changed, &err) && (!changed || renew(group, &changed, &said, &err));
    if (ok && changed)
        loaded(group, &said);
    else if (!ok && strcmp(watch->failed, err.text) != 0)
        failed(group, &err);
    snprintf(watch->failed, sizeof(watch->failed), "%s", ok ? "" : err.text);
    buf_free(&said);
}
