/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bounded bump allocation. One arena per lifetime (process, batch); name the parameter by it:
 * `batch`, not `a`. Blocks are kept over a reset, so the steady state allocates nothing.
 *
 * Reaching the ceiling returns NULL and latches `full`, which the owner checks once per batch;
 * arena_reset() starts a new batch and clears it.
 */
#ifndef CORE_ARENA_H
#define CORE_ARENA_H

#include "core/slice.h"

struct arena_block;

struct arena {
    struct arena_block *first;
    struct arena_block *current;
    size_t ceiling_bytes;
    size_t held_bytes; /* of all blocks: what the ceiling counts */
    size_t used_bytes; /* handed out or passed over since the last reset */
    bool full;
};

void arena_init(struct arena *arena, size_t ceiling_bytes);
void arena_reset(struct arena *arena); /* everything handed out becomes invalid */
void arena_free(struct arena *arena);

/* 16-byte aligned, not zeroed; NULL when the ceiling is reached. */
void *arena_alloc(struct arena *arena, size_t bytes);
void *arena_zalloc(struct arena *arena, size_t bytes);

/* Copies; on failure a slice with p == NULL, resp. NULL. arena_text() adds a NUL. */
struct slice arena_slice(struct arena *arena, struct slice text);
char *arena_text(struct arena *arena, struct slice text);

#endif
