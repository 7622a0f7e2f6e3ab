/* SPDX-License-Identifier: Apache-2.0 */
/* Reading TZif files (RFC 8536). */
#include "pricing/map/zone.h"

#include <stdio.h>

#define ZONE_FOLDER "/usr/share/zoneinfo/"
#define HEADER_BYTES 44
#define FILE_BYTES_MAX (64u << 10)

struct header {
    size_t isut, isstd, leap, time, type, chars;
};

static int64_t big_endian(const unsigned char *p, size_t bytes)
{
    uint64_t v = p[0] & 0x80 ? UINT64_MAX : 0;
    for (size_t i = 0; i < bytes; i++)
        v = v << 8 | p[i];
    return (int64_t)v;
}

static struct header header_read(const unsigned char *p)
{
    size_t n[6];
    for (size_t i = 0; i < 6; i++)
        n[i] = (size_t)big_endian(p + 20 + 4 * i, 4) & 0xffff;
    return (struct header){n[0], n[1], n[2], n[3], n[4], n[5]};
}

static size_t body_bytes(const struct header *h, size_t time_bytes)
{
    return h->time * (time_bytes + 1) + h->type * 6 + h->chars + h->leap * (time_bytes + 4) +
           h->isstd + h->isut;
}

static const struct zone *body_read(struct arena *arena, const unsigned char *p,
                                    const struct header *h)
{
    struct zone *zone = arena_zalloc(arena, sizeof(*zone));
    int64_t *from = arena_alloc(arena, (h->time + 1) * sizeof(*from));
    int32_t *offset = arena_alloc(arena, (h->time + 1) * sizeof(*offset));
    if (!zone || !from || !offset || h->type == 0)
        return NULL;
    const unsigned char *index = p + h->time * 8, *type = index + h->time;
    for (size_t i = 0; i < h->time; i++) {
        if (index[i] >= h->type)
            return NULL;
        from[i] = big_endian(p + i * 8, 8);
        offset[i] = (int32_t)big_endian(type + 6 * index[i], 4);
    }
    *zone = (struct zone){h->time, from, offset, (int32_t)big_endian(type, 4)};
    return zone;
}

static const struct zone *file_read(struct arena *arena, const unsigned char *p, size_t bytes)
{
    if (bytes < HEADER_BYTES || memcmp(p, "TZif", 4) != 0 || p[4] < '2')
        return NULL;
    struct header first = header_read(p);
    size_t skip = HEADER_BYTES + body_bytes(&first, 4);
    if (bytes < skip + HEADER_BYTES || memcmp(p + skip, "TZif", 4) != 0)
        return NULL;
    struct header second = header_read(p + skip);
    skip += HEADER_BYTES;
    return bytes - skip < body_bytes(&second, 8) ? NULL : body_read(arena, p + skip, &second);
}

const struct zone *zone_load(struct arena *arena, const char *name)
{
    unsigned char bytes[FILE_BYTES_MAX + 1];
    char path[256];
    if (name[0] == '/' || strstr(name, ".."))
        return NULL;
    if (snprintf(path, sizeof(path), ZONE_FOLDER "%s", name) >= (int)sizeof(path))
        return NULL;
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    size_t n = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    return n > FILE_BYTES_MAX ? NULL : file_read(arena, bytes, n);
}

int32_t zone_offset_s(const struct zone *zone, int64_t time_s)
{
    if (!zone || zone->count == 0 || time_s < zone->from_s[0])
        return zone ? zone->first_offset_s : 0;
    size_t low = 0, high = zone->count;
    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;
        if (zone->from_s[mid] <= time_s)
            low = mid;
        else
            high = mid;
    }
    return zone->offset_s[low];
}
