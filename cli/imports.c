/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file's name is the time from which it holds. Importing loads the map as a check, writes a copy
 * under a name that is not read, and renames it into place.
 */
#include "cli/imports.h"

#include "core/clock.h"
#include "core/file.h"
#include "pricing/book.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARENA_BYTES (4u << 20)
#define SUFFIX ".json"
#define COPY_BYTES 65536

/* "2026-11-01T00:00:00Z.json" */
static bool time_of(const char *name, int64_t *us)
{
    size_t bytes = strlen(name), suffix = strlen(SUFFIX);
    return bytes > suffix && strcmp(name + bytes - suffix, SUFFIX) == 0 &&
           clock_parse((struct slice){name, bytes - suffix}, us);
}

static int by_time(const void *a, const void *b)
{
    const struct cost_map_source *left = a, *right = b;
    return (left->effective_from_us > right->effective_from_us) -
           (left->effective_from_us < right->effective_from_us);
}

static char *path_in(struct imports *imports, const char *folder, const char *name)
{
    size_t bytes = strlen(folder) + strlen(name) + 2;
    char *path = arena_alloc(&imports->arena, bytes);
    if (path)
        snprintf(path, bytes, "%s/%s", folder, name);
    return path;
}

static bool source_add(struct imports *imports, struct cost_map_source source, struct err *err)
{
    struct cost_map_source *grown =
        realloc(imports->source, (imports->count + 1) * sizeof(*imports->source));
    if (!grown)
        return err_set(err, ERR_FATAL, "out of memory");
    imports->source = grown;
    imports->source[imports->count++] = source;
    return true;
}

static bool folder_read(struct imports *imports, const char *folder, DIR *open, struct err *err)
{
    for (const struct dirent *entry = readdir(open); entry; entry = readdir(open)) {
        int64_t from_us;
        if (!time_of(entry->d_name, &from_us))
            continue;
        char *path = path_in(imports, folder, entry->d_name);
        if (!path)
            return err_set(err, ERR_CONFIG, "%s: too many files", folder);
        if (!source_add(imports, (struct cost_map_source){path, from_us, NULL}, err))
            return false;
    }
    return true;
}

/* An imported map takes the place of a configured one of the same time. */
static bool configured_add(struct imports *imports, const struct config *config, struct err *err)
{
    static const struct cost_map_source builtin = {NULL, INT64_MIN, NULL};
    size_t imported = imports->count;
    const struct cost_map_source *from = config->cost_map_count ? config->cost_map : &builtin;
    for (size_t i = 0; i < (config->cost_map_count ? config->cost_map_count : 1); i++) {
        size_t same = 0;
        while (same < imported &&
               imports->source[same].effective_from_us != from[i].effective_from_us)
            same++;
        if (same == imported && !source_add(imports, from[i], err))
            return false;
    }
    return true;
}

bool imports_read(struct imports *imports, const struct config *config, struct err *err)
{
    *imports = (struct imports){0};
    arena_init(&imports->arena, ARENA_BYTES);
    /* Without a configuration prices are the built-in ones, on every machine. */
    const char *folder = config->tree && config->imported ? config->imported : "";
    DIR *open = *folder ? opendir(folder) : NULL;
    if (!open)
        return !*folder || errno == ENOENT ||
               err_set(err, ERR_CONFIG, "%s: %s", folder, strerror(errno)) ||
               config_blame(config, "pricing.imported", err);
    bool ok = folder_read(imports, folder, open, err);
    closedir(open);
    if (ok && imports->count > 0 && (ok = configured_add(imports, config, err)))
        qsort(imports->source, imports->count, sizeof(*imports->source), by_time);
    return ok;
}

void imports_free(struct imports *imports)
{
    free(imports->source);
    arena_free(&imports->arena);
    *imports = (struct imports){0};
}

/* --- adding ---------------------------------------------------------------------------------- */

static bool loads(const char *file, struct err *err)
{
    const struct cost_map_source source = {file, INT64_MIN, NULL};
    const struct book_options options = {.cost_maps = &source, .cost_map_count = 1};
    struct book *book = book_load(&options, NULL, NULL, err);
    book_free(book);
    return book != NULL;
}

static bool copy(FILE *in, FILE *out)
{
    char piece[COPY_BYTES];
    for (size_t bytes; (bytes = fread(piece, 1, sizeof(piece), in)) > 0;)
        if (fwrite(piece, 1, bytes, out) != bytes)
            return false;
    return !ferror(in) && fflush(out) == 0 && fsync(fileno(out)) == 0;
}

static bool copied(const char *file, const char *beside, struct err *err)
{
    FILE *in = file_open(file, err);
    if (!in)
        return false;
    FILE *out = fopen(beside, "we");
    bool ok = out && copy(in, out);
    fclose(in);
    ok = out && fclose(out) == 0 && ok && chmod(beside, 0644) == 0;
    if (!ok)
        err_set(err, ERR_CONFIG, "%s: %s", beside, strerror(errno));
    if (!ok && out)
        unlink(beside);
    return ok;
}

/* Beside its place first: who reads the folder meanwhile sees all of it or nothing. What was
 * checked is what is kept, also when the file changes meanwhile. */
static bool keep(const char *file, const char *path, const char *beside, struct err *err)
{
    struct err of_copy = {0};
    if (!copied(file, beside, err))
        return false;
    bool read = loads(beside, &of_copy);
    if (read && rename(beside, path) == 0)
        return true;
    if (read)
        err_set(err, ERR_CONFIG, "%s: %s", path, strerror(errno));
    else if (loads(file, err)) /* whose error names the file that was given, not the copy */
        err_set(err, ERR_CONFIG, "%s changed while it was read", file);
    unlink(beside);
    return false;
}

/* With the folders above it. */
static bool folder_made(char *path, struct err *err)
{
    char *last = strrchr(path, '/');
    if (last && last != path) {
        *last = '\0';
        bool ok = folder_made(path, err);
        *last = '/';
        if (!ok)
            return false;
    }
    return mkdir(path, 0755) == 0 || errno == EEXIST ||
           err_set(err, ERR_CONFIG, "%s: %s", path, strerror(errno));
}

bool imports_add(struct imports *imports, const struct config *config, const char *file,
                 int64_t from_us, const char **path, struct err *err)
{
    char name[CLOCK_TEXT_MAX + sizeof(SUFFIX)], from[CLOCK_TEXT_MAX], own[48];
    *imports = (struct imports){0};
    arena_init(&imports->arena, ARENA_BYTES);
    if (!config->imported || !config->imported[0])
        return err_set(err, ERR_CONFIG, "pricing.imported is not set");
    char *folder = path_in(imports, config->imported, "");
    if (!folder)
        return err_set(err, ERR_FATAL, "out of memory");
    if (!folder_made(folder, err))
        return config_blame(config, "pricing.imported", err);
    clock_format(from_us, from);
    snprintf(name, sizeof(name), "%s" SUFFIX, from);
    *path = path_in(imports, config->imported, name);
    snprintf(own, sizeof(own), ".new-%ld" SUFFIX, (long)getpid()); /* two may be at it */
    const char *beside = path_in(imports, config->imported, own);
    return *path && beside ? keep(file, *path, beside, err)
                           : err_set(err, ERR_FATAL, "out of memory");
}
