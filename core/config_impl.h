/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the configuration share. Each uses those below it and none above:
 *
 *     config.c        walks over the rows of config.def
 *     config_print.c  writes them
 *     config_nodes.c  reads those that are more than one value
 *     config_value.c  reads one value
 */
#ifndef CORE_CONFIG_IMPL_H
#define CORE_CONFIG_IMPL_H

#include "core/config.h"

enum setting_type {
    SETTING_INT,
    SETTING_AUTO,
    SETTING_SECONDS,
    SETTING_WORD,
    SETTING_LONG,
    SETTING_LISTEN,
    SETTING_TEXT,
    SETTING_PATH,
    SETTING_SECRET,
    SETTING_NODE,
};

enum {
#define SETTING(name, field, type, def, min, max, unit, help) +1
    SETTING_COUNT = 0
#include "core/config.def"
#undef SETTING
};

#define WORDS_MAX 8

struct setting {
    const char *name;
    size_t offset; /* in struct config */
    enum setting_type type;
    const char *def;
    int64_t min, max;
    const char *unit; /* or words, separated by | */
    const char *help;
};

extern const struct setting setting[SETTING_COUNT];

/* config_value.c */
/* Reads a row that is one value into its field. */
bool value_read(struct config *config, const struct setting *row, const struct yaml_node *node,
                void *field, struct err *err);
/* Splits "a|b|c"; the texts are in `storage`. */
size_t words_split(const char *words, char storage[128], const char *word[WORDS_MAX]);

/* A path as the file means it: relative to the configuration's folder. NULL: no memory. */
const char *config_path(struct config *config, const char *text, struct err *err);
bool config_secret_read(struct config *config, const char *text, const struct yaml_node *node,
                        struct config_secret *secret, struct err *err);

/* config_nodes.c */
/* Where a value stands, for whoever cannot do what it says later on. */
bool config_origin(struct config *config, const struct yaml_node *node, const char **origin,
                   struct err *err);
/* Reads a NODE row; `node` is never NULL. */
bool node_read(struct config *config, const struct setting *row, const struct yaml_node *node,
               struct err *err);

#endif
