/* SPDX-License-Identifier: Apache-2.0 */
/* Readers of one value of the configuration: a number, a word, an address, a path, a secret. */
#include "core/config_impl.h"
#include "core/secret.h"

#include <assert.h>
#include <stdlib.h>

size_t words_split(const char *words, char storage[128], const char *word[WORDS_MAX])
{
    size_t count = 0, bytes = strlen(words);
    assert(bytes < 128);
    memcpy(storage, words, bytes + 1);
    for (char *rest = NULL, *w = strtok_r(storage, "|", &rest); w; w = strtok_r(NULL, "|", &rest)) {
        assert(count < WORDS_MAX);
        word[count++] = w;
    }
    return count;
}

static bool read_word(const struct setting *row, const struct yaml_node *node, unsigned *out,
                      struct err *err)
{
    char storage[128];
    const char *word[WORDS_MAX];
    size_t count = words_split(row->unit, storage, word);
    for (unsigned i = 0; i < count; i++)
        if (slice_is(node->text, word[i])) {
            *out = i;
            return true;
        }
    const char *near = yaml_suggest(node->text, word, count);
    return yaml_err(err, node, "%s: \"" SLICE_FMT "\" is not one of %s%s%s%s", row->name,
                    SLICE_ARG(node->text), row->unit, near ? "; did you mean \"" : "",
                    near ? near : "", near ? "\"?" : "");
}

static bool read_int(const struct setting *row, const struct yaml_node *node, unsigned *out,
                     struct err *err)
{
    int64_t v;
    if (row->type == SETTING_AUTO && slice_is(node->text, "auto")) {
        *out = 0;
        return true;
    }
    if (!yaml_int(node, row->min, row->max, &v, err))
        return false;
    *out = (unsigned)v;
    return true;
}

/* 90, 90s, 5m, 1h */
static bool read_seconds(const struct setting *row, const struct yaml_node *node, unsigned *out,
                         struct err *err)
{
    static const struct {
        char letter;
        long long seconds;
    } units[] = {{'\0', 1}, {'s', 1}, {'m', 60}, {'h', 3600}};
    char *end = NULL;
    size_t digits = strspn(node->text.p, "0123456789");
    long long v = digits && digits < 8 ? strtoll(node->text.p, &end, 10) : -1;
    for (size_t i = 0; v >= 0 && i < sizeof(units) / sizeof(units[0]); i++)
        if (*end == units[i].letter && (*end == '\0' || end[1] == '\0') &&
            v * units[i].seconds >= row->min && v * units[i].seconds <= row->max) {
            *out = (unsigned)(v * units[i].seconds);
            return true;
        }
    return yaml_err(err, node, "%s: seconds expected, for example 60s or 5m, from %llds to %llds",
                    row->name, (long long)row->min, (long long)row->max);
}

static bool read_text(const struct setting *row, const struct yaml_node *node, const char **out,
                      struct err *err)
{
    for (size_t i = 0; i < node->text.bytes; i++)
        if ((unsigned char)node->text.p[i] < ' ')
            return yaml_err(err, node, "%s: a control character", row->name);
    if (node->text.bytes > 100)
        return yaml_err(err, node, "%s: longer than 100 bytes", row->name);
    *out = node->text.p;
    return true;
}

/* "host:port"; an IPv6 address stands in brackets, so the last colon is the port's. */
static bool read_listen(const struct yaml_node *node, const char **out, struct err *err)
{
    const char *colon = strrchr(node->text.p, ':');
    char *end = NULL;
    long port = colon ? strtol(colon + 1, &end, 10) : 0;
    if (colon && colon != node->text.p && end && end != colon + 1 && *end == '\0' &&
        (port < 1 || port > 65535))
        return yaml_err(err, node, "metrics.listen: port %s is not between 1 and 65535", colon + 1);
    if (node->text.bytes > 0 &&
        (!colon || colon == node->text.p || *end != '\0' || port < 1 || port > 65535))
        return yaml_err(err, node, "metrics.listen: \"host:port\" expected, or \"\" for none");
    *out = node->text.p;
    return true;
}

const char *config_path(struct config *config, const char *text, struct err *err)
{
    size_t folder_bytes = strlen(config->folder), bytes = strlen(text) + 1;
    if (text[0] == '/' || text[0] == '\0' || folder_bytes == 0)
        return text;
    char *path = arena_alloc(&config->arena, folder_bytes + 1 + bytes);
    if (!path) {
        err_set(err, ERR_CONFIG, "%s: too large", config->path);
        return NULL;
    }
    memcpy(path, config->folder, folder_bytes);
    path[folder_bytes] = '/';
    memcpy(path + folder_bytes + 1, text, bytes);
    return path;
}

bool config_secret_read(struct config *config, const char *text, const struct yaml_node *node,
                        struct config_secret *secret, struct err *err)
{
    struct err why = {0};
    secret->written = text;
    secret->value = secret_resolve(text, config->folder, &config->arena, &why);
    if (secret->value)
        return true;
    return node ? yaml_err(err, node, "%s", why.text) : err_set(err, ERR_CONFIG, "%s", why.text);
}

bool value_read(struct config *config, const struct setting *row, const struct yaml_node *node,
                void *field, struct err *err)
{
    if (node->kind != YAML_SCALAR)
        return yaml_err(err, node, "%s: a single value expected", row->name);
    switch (row->type) {
    case SETTING_INT:
    case SETTING_AUTO:
        return read_int(row, node, field, err);
    case SETTING_SECONDS:
        return read_seconds(row, node, field, err);
    case SETTING_LONG:
        return yaml_int(node, row->min, row->max, field, err);
    case SETTING_WORD:
        return read_word(row, node, field, err);
    case SETTING_LISTEN:
        return read_listen(node, field, err);
    case SETTING_TEXT:
        return read_text(row, node, field, err);
    case SETTING_PATH:
        return (*(const char **)field = config_path(config, node->text.p, err)) != NULL;
    case SETTING_SECRET:
        return config_secret_read(config, node->text.p, node, field, err);
    case SETTING_NODE:
        break; /* config_nodes.c */
    }
    return false;
}
