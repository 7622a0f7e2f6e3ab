/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A walk over the rows of config.def: each finds its node in the tree, or takes its default, and
 * writes its field. Defaults go through the same readers as values of a file, so a row cannot have
 * a default that its own bounds refuse.
 */
#include "core/config_impl.h"
#include "core/secret.h"

#include <assert.h>
#include <sched.h>
#include <stdlib.h>

#define CONFIG_BYTES_MAX (64u << 20)

const struct setting setting[SETTING_COUNT] = {
#define SETTING(name, field, type, def, min, max, unit, help)                                      \
    {name, offsetof(struct config, field), SETTING_##type, def, min, max, unit, help},
#include "core/config.def"
#undef SETTING
};

void *setting_field(struct config *config, const struct setting *row)
{
    return (char *)config + row->offset;
}

/* --- readers of one value -------------------------------------------------------------------- */

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
    if (text[0] == '/' || folder_bytes == 0)
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

static bool setting_read(struct config *config, const struct setting *row,
                         const struct yaml_node *node, struct err *err)
{
    void *field = setting_field(config, row);
    if (row->type == SETTING_NODE)
        return node_read(config, row, node, err);
    if (node->kind != YAML_SCALAR)
        return yaml_err(err, node, "%s: a single value expected", row->name);
    switch (row->type) {
    case SETTING_INT:
    case SETTING_AUTO:
        return read_int(row, node, field, err);
    case SETTING_LONG:
        return yaml_int(node, row->min, row->max, field, err);
    case SETTING_WORD:
        return read_word(row, node, field, err);
    case SETTING_LISTEN:
        return read_listen(node, field, err);
    case SETTING_PATH:
        return (*(const char **)field = config_path(config, node->text.p, err)) != NULL;
    case SETTING_SECRET:
        return config_secret_read(config, node->text.p, node, field, err);
    case SETTING_NODE:
        break; /* above */
    }
    return false;
}

static bool setting_default(struct config *config, const struct setting *row)
{
    struct err err = {0};
    struct yaml_node node = {
        .kind = YAML_SCALAR, .text = slice_of(row->def), .file = "config.def", .line = 1};
    bool ok = row->def[0] == '\0' || setting_read(config, row, &node, &err);
    assert(ok);
    return ok;
}

/* --- the tree -------------------------------------------------------------------------------- */

/* Keys that may stand in a section ("" = the top level), each once. */
static size_t section_keys(const char *section, const char *key[SETTING_COUNT],
                           char storage[SETTING_COUNT][32])
{
    size_t count = 0, bytes = strlen(section);
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const char *name = setting[i].name;
        if (bytes > 0 && (strncmp(name, section, bytes) != 0 || name[bytes] != '.'))
            continue;
        snprintf(storage[count], 32, "%s", name + (bytes > 0 ? bytes + 1 : 0));
        if (bytes == 0)
            storage[count][strcspn(storage[count], ".")] = '\0';
        if (count > 0 && strcmp(storage[count], storage[count - 1]) == 0)
            continue;
        key[count] = storage[count];
        count++;
    }
    return count;
}

static bool keys_check(const struct yaml_node *map, const char *section, struct err *err)
{
    const char *key[SETTING_COUNT];
    char storage[SETTING_COUNT][32];
    return yaml_only(map, key, section_keys(section, key, storage), err);
}

static bool is_section(const char *name)
{
    size_t bytes = strlen(name);
    for (size_t i = 0; i < SETTING_COUNT; i++)
        if (strncmp(setting[i].name, name, bytes) == 0 && setting[i].name[bytes] == '.')
            return true;
    return false;
}

static bool sections_check(const struct yaml_node *root, struct err *err)
{
    if (!keys_check(root, "", err))
        return false;
    for (const struct yaml_node *child = root->children; child; child = child->next) {
        const char *name = child->key->text.p;
        if (!is_section(name) || child->kind == YAML_NULL)
            continue;
        if (child->kind != YAML_MAP)
            return yaml_err(err, child, "%s: a map expected", name);
        if (!keys_check(child, name, err))
            return false;
    }
    return true;
}

static const struct yaml_node *setting_find(const struct yaml_node *root, const struct setting *row)
{
    const char *dot = strchr(row->name, '.');
    char section[32];
    if (!dot)
        return yaml_get(root, row->name);
    snprintf(section, sizeof(section), "%.*s", (int)(dot - row->name), row->name);
    return yaml_get(yaml_get(root, section), dot + 1);
}

/* Keys stand in no configuration: what is printed and told of it can be shown to everybody. */
static bool payload_keys_read(struct config *config, const struct yaml_node *root, struct err *err)
{
    const struct yaml_node *storage = yaml_get(root, "storage");
    const struct config_secret *secret = &config->payload_key;
    struct err why = {0};
    if (!secret->written && config->payloads == PAYLOADS_ENCRYPT)
        return yaml_err(err, yaml_get(storage, "payloads"),
                        "storage.payloads: encrypt needs storage.payload_key");
    if (!secret->written)
        return true;
    const struct yaml_node *node = yaml_get(storage, "payload_key");
    if (!secret_is_reference(secret->written))
        return yaml_err(err, node, "storage.payload_key: os.environ/NAME or file:PATH expected");
    return seal_keys_read(&config->payload_keys, slice_of(secret->value), &why) ||
           yaml_err(err, node, "storage.payload_key: %s: %s", secret->written, why.text);
}

const struct seal_keys *config_sealing(const struct config *config)
{
    return config->payloads == PAYLOADS_ENCRYPT ? &config->payload_keys : NULL;
}

static unsigned lanes_auto(void)
{
    cpu_set_t cpus;
    int count = sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
    return count < LANES_MAX ? (unsigned)count : LANES_MAX;
}

static bool settings_read(struct config *config, const struct yaml_node *root, struct err *err)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct yaml_node *node = setting_find(root, &setting[i]);
        if (!node || node->kind == YAML_NULL)
            setting_default(config, &setting[i]);
        else if (!setting_read(config, &setting[i], node, err))
            return false;
    }
    config->postgres = config->postgres_secret.value;
    config->lanes = config->lanes_setting ? config->lanes_setting : lanes_auto();
    return payload_keys_read(config, root, err);
}

static bool is_litellm_config(const struct yaml_node *root)
{
    const char *key[SETTING_COUNT];
    char storage[SETTING_COUNT][32];
    size_t count = section_keys("", key, storage);
    for (size_t i = 0; i < count; i++)
        if (yaml_get(root, key[i]))
            return false;
    return yaml_get(root, "model_list") || yaml_get(root, "litellm_settings");
}

static bool config_begin(struct config *config, const char *path)
{
    *config = (struct config){.path = path, .folder = ""};
    arena_init(&config->arena, CONFIG_BYTES_MAX);
    const char *slash = strrchr(path, '/');
    size_t folder_bytes = slash == path ? 1 : slash ? (size_t)(slash - path) : 0;
    config->path = arena_text(&config->arena, slice_of(path));
    config->folder = arena_text(&config->arena, (struct slice){path, folder_bytes});
    return config->path && config->folder;
}

static bool config_read(struct config *config, struct err *err)
{
    config->tree = yaml_load(config->path, err);
    if (!config->tree)
        return false;
    const struct yaml_node *root = yaml_root(config->tree);
    if (is_litellm_config(root)) {
        if (!settings_read(config, NULL, err))
            return false;
        config->litellm_config = config->path;
        return true;
    }
    if (root->kind != YAML_MAP && root->kind != YAML_NULL)
        return yaml_err(err, root, "a map of settings expected");
    return sections_check(root, err) && settings_read(config, root, err);
}

bool config_load(struct config *config, const char *path, struct err *err)
{
    if (config_begin(config, path) ? config_read(config, err)
                                   : err_set(err, ERR_CONFIG, "%.200s: too large", path))
        return true;
    config_free(config);
    return false;
}

bool config_is_empty(const struct config *config)
{
    return config->tree && yaml_root(config->tree)->kind == YAML_NULL;
}

void config_default(struct config *config)
{
    struct err err = {0};
    if (!config_begin(config, "defaults") || !settings_read(config, NULL, &err))
        abort(); /* no memory for a few hundred bytes */
}

void config_free(struct config *config)
{
    yaml_free(config->tree);
    arena_free(&config->arena);
    *config = (struct config){.path = "", .folder = "", .metrics_listen = ""};
}
