/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A walk over the rows of config.def: each finds its node in the tree, or takes its default, and
 * writes its field. Defaults go through the same readers as values of a file, so a row cannot have
 * a default that its own bounds refuse.
 */
#include "core/config_impl.h"
#include "core/log.h"
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

static void *setting_field(struct config *config, const struct setting *row)
{
    return (char *)config + row->offset;
}

static bool setting_read(struct config *config, const struct setting *row,
                         const struct yaml_node *node, struct err *err)
{
    if (row->type == SETTING_NODE)
        return node_read(config, row, node, err);
    return value_read(config, row, node, setting_field(config, row), err);
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

/* Settings of earlier versions, with the one word that they took: an upgrade needs no new file. */
static const struct gone {
    const char *section, *key, *word, *why;
} gone[] = {
    {"storage", "partition", "day", "a partition of spend_logs holds a day"},
};

#define GONE_COUNT (sizeof(gone) / sizeof(gone[0]))

static bool gone_check(const struct yaml_node *root, struct err *err)
{
    for (size_t i = 0; i < GONE_COUNT; i++) {
        const struct yaml_node *node = yaml_get(yaml_get(root, gone[i].section), gone[i].key);
        if (!node || node->kind == YAML_NULL)
            continue;
        if (node->kind != YAML_SCALAR || !slice_is(node->text, gone[i].word))
            return yaml_err(err, node, "%s.%s: %s, which no setting changes", gone[i].section,
                            gone[i].key, gone[i].why);
        log_warn("%s:%u: %s.%s does nothing any more and can go: %s", node->file, node->line,
                 gone[i].section, gone[i].key, gone[i].why);
    }
    return true;
}

static bool keys_check(const struct yaml_node *map, const char *section, struct err *err)
{
    const char *key[SETTING_COUNT + GONE_COUNT];
    char storage[SETTING_COUNT][32];
    size_t count = section_keys(section, key, storage);
    for (size_t i = 0; i < GONE_COUNT; i++)
        if (strcmp(gone[i].section, section) == 0)
            key[count++] = gone[i].key;
    return yaml_only(map, key, count, err);
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

bool config_blame(const struct config *config, const char *name, struct err *err)
{
    const struct yaml_node *root = config->tree ? yaml_root(config->tree) : NULL, *node = NULL;
    for (size_t i = 0; i < SETTING_COUNT; i++)
        if (strcmp(setting[i].name, name) == 0)
            node = setting_find(root, &setting[i]);
    if (node)
        return err_prefix(err, "%s:%u: %s", node->file, node->key->line, name);
    return err_prefix(err, "%s", name);
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
    const struct yaml_node *litellm = yaml_get(yaml_get(root, "pricing"), "litellm_config");
    if (config->litellm_config && !config_origin(config, litellm, &config->litellm_origin, err))
        return false;
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
    return sections_check(root, err) && gone_check(root, err) && settings_read(config, root, err);
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
    *config = (struct config){
        .path = "", .folder = "", .metrics_listen = "", .control_socket = "", .member = ""};
}
