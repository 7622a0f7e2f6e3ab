/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks in a list, bump-allocated in order. A reset goes back to the first block and keeps all of
 * them; a block that is too small for a request is passed over until the next reset. The ceiling
 * counts what blocks hold, not what was asked for, so memory is bounded whatever the requests are.
 */
#include "core/arena.h"

#include "core/shortage.h"

#include <assert.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

#define ALIGN_BYTES 16
#define BLOCK_BYTES (64u << 10)

struct arena_block {
    struct arena_block *next;
    size_t capacity;
    size_t used;
    alignas(ALIGN_BYTES) char data[];
};

void arena_init(struct arena *arena, size_t ceiling_bytes)
{
    *arena = (struct arena){.ceiling_bytes = ceiling_bytes};
}

void arena_reset(struct arena *arena)
{
    arena->current = arena->first;
    if (arena->current)
        arena->current->used = 0;
    arena->used_bytes = 0;
    arena->full = false;
}

void arena_free(struct arena *arena)
{
    for (struct arena_block *block = arena->first, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    arena_init(arena, arena->ceiling_bytes);
}

/* A new block behind the current one, sized to double the arena until blocks are 1 MiB. */
static struct arena_block *block_add(struct arena *arena, size_t bytes)
{
    size_t left = arena->ceiling_bytes - arena->held_bytes;
    size_t capacity = arena->held_bytes < BLOCK_BYTES ? BLOCK_BYTES : arena->held_bytes;
    if (capacity > (1u << 20))
        capacity = 1u << 20;
    if (capacity > left)
        capacity = left / ALIGN_BYTES * ALIGN_BYTES;
    if (capacity < bytes)
        capacity = bytes;
    if (capacity > left)
        return NULL;
    struct arena_block *block = malloc(sizeof(*block) + capacity);
    if (!block) {
        shortage_note();
        return NULL;
    }
    block->capacity = capacity;
    block->used = 0;
    block->next = arena->current ? arena->current->next : NULL;
    if (arena->current)
        arena->current->next = block;
    else
        arena->first = block;
    arena->held_bytes += capacity;
    return block;
}

/* The first block from the current one on that has room, emptied as it is reached. */
static struct arena_block *block_find(struct arena *arena, size_t bytes)
{
    struct arena_block *block = arena->current;
    if (block && block->capacity - block->used >= bytes)
        return block;
    for (block = block ? block->next : NULL; block; block = block->next) {
        arena->used_bytes += arena->current->capacity - arena->current->used;
        block->used = 0;
        arena->current = block;
        if (block->capacity >= bytes)
            return block;
    }
    return block_add(arena, bytes);
}

void *arena_alloc(struct arena *arena, size_t bytes)
{
    struct arena_block *block = NULL;
    if (bytes <= arena->ceiling_bytes) {
        bytes = (bytes + (bytes == 0) + ALIGN_BYTES - 1) / ALIGN_BYTES * ALIGN_BYTES;
        block = block_find(arena, bytes);
    }
    if (!block) {
        arena->full = true;
        return NULL;
    }
    if (arena->current && block != arena->current) /* a new one */
        arena->used_bytes += arena->current->capacity - arena->current->used;
    arena->current = block;
    arena->used_bytes += bytes;
    void *p = block->data + block->used;
    block->used += bytes;
    assert((uintptr_t)p % ALIGN_BYTES == 0);
    return p;
}

void *arena_zalloc(struct arena *arena, size_t bytes)
{
    void *p = arena_alloc(arena, bytes);
    return p ? memset(p, 0, bytes) : NULL;
}

struct slice arena_slice(struct arena *arena, struct slice text)
{
    char *copy = arena_alloc(arena, text.bytes);
    if (!copy)
        return (struct slice){NULL, 0};
    if (text.bytes > 0)
        memcpy(copy, text.p, text.bytes);
    return (struct slice){copy, text.bytes};
}

char *arena_text(struct arena *arena, struct slice text)
{
    char *copy = arena_alloc(arena, text.bytes + 1);
    if (!copy)
        return NULL;
    if (text.bytes > 0)
        memcpy(copy, text.p, text.bytes);
    copy[text.bytes] = '\0';
    return copy;
}
