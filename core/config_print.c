/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The effective configuration, printed so that it reads back to itself, wherever the copy is put:
 * relative paths become absolute. A secret is printed as the reference it was read from; one that
 * stands in the file itself is left out.
 */
#include "core/buf.h"
#include "core/clock.h"
#include "core/config_impl.h"
#include "core/secret.h"
#include "core/show.h"

#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#define PRINT_BYTES_MAX (64u << 20)
#define INDENT 2
#define SPACES " \t\n\r\f\v"

/* --- scalars --------------------------------------------------------------------------------- */

/* The character at p, of two or three bytes, when it must not stand in YAML as it is: not
 * printable, or a line break of its own (YAML 1.1, 5.1 and 5.4); 0 otherwise. The text is valid
 * UTF-8. */
static unsigned awkward(const unsigned char *p)
{
    unsigned c = 0;
    if (p[0] >> 5 == 6)
        c = (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu);
    else if (p[0] >> 4 == 14)
        c = (p[0] & 0x0fu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
    return c < 0xa0 || c == 0x2028 || c == 0x2029 || c == 0xfeff || c >= 0xfffe ? c : 0;
}

static void add_quoted_slice(struct buf *out, struct slice text)
{
    const unsigned char *p = (const unsigned char *)text.p, *end = p + text.bytes;
    buf_add_char(out, '"');
    while (p < end) {
        unsigned c = *p >= 0xc0 ? awkward(p) : 0;
        if (c) {
            buf_printf(out, "\\u%04x", c);
            p += c < 0x800 ? 2 : 3;
            continue;
        }
        if (*p < 0x20 || *p == '"' || *p == '\\' || *p == 0x7f)
            buf_printf(out, "\\x%02x", *p);
        else
            buf_add_char(out, (char)*p);
        p++;
    }
    buf_add_char(out, '"');
}

static void add_quoted(struct buf *out, const char *text)
{
    add_quoted_slice(out, slice_of(text));
}

/* Plain scalars may mean a number, a bool or null: those that YAML reads plainly in any place stay
 * plain, which covers all such words. */
static bool is_plain_everywhere(struct slice text)
{
    static const char inner[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-._/";
    bool sign = text.bytes > 1 && strchr("+-.", text.p[0]) && text.p[1] != '-';
    if (text.bytes == 0 || (!sign && strchr("+-./_", text.p[0])))
        return false;
    return strspn(text.p, inner) == text.bytes;
}

static void add_scalar(struct buf *out, const struct yaml_node *node)
{
    if (node->kind == YAML_NULL)
        buf_add_text(out, "null");
    else if (!node->quoted && is_plain_everywhere(node->text))
        buf_add(out, node->text);
    else
        add_quoted_slice(out, node->text);
}

static void add_indent(struct buf *out, unsigned indent)
{
    buf_printf(out, "%*s", (int)indent, "");
}

/* After "key:" or "-": the rest of the line, and the lines below it. */
static void add_node(struct buf *out, const struct yaml_node *node, unsigned indent)
{
    bool map = node->kind == YAML_MAP;
    if (!node->children) {
        buf_add_char(out, ' ');
        if (map || node->kind == YAML_LIST)
            buf_add_text(out, map ? "{}" : "[]");
        else
            add_scalar(out, node);
        buf_add_char(out, '\n');
        return;
    }
    buf_add_char(out, '\n');
    for (const struct yaml_node *child = node->children; child; child = child->next) {
        add_indent(out, indent);
        if (map)
            add_scalar(out, child->key);
        buf_add_char(out, map ? ':' : '-');
        add_node(out, child, indent + INDENT);
    }
}

static void add_path(struct buf *out, const char *path)
{
    char *folder = path[0] == '/' || path[0] == '\0' ? NULL : getcwd(NULL, 0);
    struct buf joined;
    buf_init(&joined, PRINT_BYTES_MAX);
    buf_printf(&joined, "%s%s%s", folder ? folder : "", folder ? "/" : "", path);
    add_quoted_slice(out, buf_slice(&joined));
    buf_free(&joined);
    free(folder);
}

/* --- secrets --------------------------------------------------------------------------------- */

static void add_reference(struct buf *out, const struct config *config, const char *written)
{
    static const char file[] = "file:";
    const char *name = written + strlen(file);
    char *folder = NULL;
    if (strncmp(written, file, strlen(file)) != 0 || name[0] == '/') {
        add_quoted(out, written);
        return;
    }
    struct buf joined;
    buf_init(&joined, PRINT_BYTES_MAX);
    buf_add_text(&joined, file);
    if (config->folder[0] != '/' && (folder = getcwd(NULL, 0)))
        buf_printf(&joined, "%s/", folder);
    buf_printf(&joined, "%s%s%s", config->folder, config->folder[0] ? "/" : "", name);
    add_quoted_slice(out, buf_slice(&joined));
    buf_free(&joined);
    free(folder);
}

static bool is_secret_parameter(struct slice name)
{
    return slice_is(name, "password") || slice_is(name, "sslpassword");
}

/* Up to where a value of a conninfo string goes (libpq, "Keyword/Value Connection Strings"). */
static size_t value_end(const char *text, size_t i)
{
    bool quoted = text[i] == '\'';
    for (i += quoted; text[i] && (quoted ? text[i] != '\'' : !strchr(SPACES, text[i])); i++)
        if (text[i] == '\\' && text[i + 1])
            i++;
    return i + (quoted && text[i]);
}

static void strip_keywords(struct buf *out, const char *text)
{
    for (size_t i = 0; text[i];) {
        i += strspn(text + i, SPACES);
        size_t start = i, name_bytes = strcspn(text + i, SPACES "=");
        i += name_bytes;
        i += strspn(text + i, SPACES);
        if (text[i] == '=') {
            i++;
            i += strspn(text + i, SPACES);
            i = value_end(text, i);
        }
        if (i == start || is_secret_parameter((struct slice){text + start, name_bytes}))
            continue;
        if (out->bytes > 0)
            buf_add_char(out, ' ');
        buf_add(out, (struct slice){text + start, i - start});
    }
}

/* scheme://user:secret@host/database?password=secret&other=1 */
static void strip_uri(struct buf *out, const char *text)
{
    const char *host = strstr(text, "://") + 3;
    size_t authority_bytes = strcspn(host, "/"); /* as libpq: a password may hold a ? */
    const char *at = memchr(host, '@', authority_bytes);
    const char *colon = at ? memchr(host, ':', (size_t)(at - host)) : NULL;
    buf_add(out, (struct slice){text, (size_t)((colon ? colon : host) - text)});
    const char *rest = colon ? at : host;
    size_t before_query = strcspn(rest, "?");
    buf_add(out, (struct slice){rest, before_query});
    char separator = '?';
    for (const char *p = rest + before_query; *p;) {
        struct slice parameter = {p + 1, strcspn(p + 1, "&")};
        struct slice name = {p + 1, strcspn(p + 1, "=&")};
        p += 1 + parameter.bytes;
        if (is_secret_parameter(name))
            continue;
        buf_add_char(out, separator);
        buf_add(out, parameter);
        separator = '&';
    }
}

static void add_conninfo(struct buf *out, const char *text)
{
    struct buf stripped;
    buf_init(&stripped, PRINT_BYTES_MAX);
    bool uri = strncmp(text, "postgresql://", 13) == 0 || strncmp(text, "postgres://", 11) == 0;
    if (uri)
        strip_uri(&stripped, text);
    else
        strip_keywords(&stripped, text);
    add_quoted_slice(out, buf_slice(&stripped));
    buf_free(&stripped);
}

/* --- settings -------------------------------------------------------------------------------- */

static void add_kafka(struct buf *out, const struct config *config, unsigned indent)
{
    buf_add_char(out, '\n');
    for (size_t i = 0; i < config->kafka_count; i++) {
        const char *written = config->kafka_written[i].written;
        if (secret_property(config->kafka[i].name) && !secret_is_reference(written))
            continue;
        add_indent(out, indent);
        add_quoted(out, config->kafka[i].name);
        buf_add_text(out, ": ");
        add_reference(out, config, written);
        buf_add_char(out, '\n');
    }
}

static void add_topics(struct buf *out, const struct config *config, unsigned indent)
{
    buf_add_text(out, config->topic_count ? "\n" : " []\n");
    for (size_t i = 0; i < config->topic_count; i++) {
        const struct config_topic *topic = &config->topic[i];
        add_indent(out, indent);
        buf_add_text(out, "- name: ");
        add_quoted(out, topic->name);
        buf_printf(out, "\n%*sstart: %s\n", (int)indent + INDENT, "",
                   topic->start_latest ? "latest" : "earliest");
        if (topic->mapping_count > 0)
            buf_printf(out, "%*smappings:\n", (int)indent + INDENT, "");
        for (size_t m = 0; m < topic->mapping_count; m++) {
            buf_printf(out, "%*s- ", (int)indent + 2 * INDENT, "");
            add_quoted(out, topic->mappings[m]);
            buf_add_char(out, '\n');
        }
        if (topic->defaults) {
            buf_printf(out, "%*sdefaults:", (int)indent + INDENT, "");
            add_node(out, topic->defaults, indent + 2 * INDENT);
        }
    }
}

static void add_cost_maps(struct buf *out, const struct config *config, unsigned indent)
{
    buf_add_text(out, config->cost_map_count ? "\n" : " builtin\n");
    for (size_t i = 0; i < config->cost_map_count; i++) {
        const struct cost_map_source *source = &config->cost_map[i];
        char time[CLOCK_TEXT_MAX];
        add_indent(out, indent);
        buf_add_text(out, "- file: ");
        if (source->file)
            add_path(out, source->file);
        else
            buf_add_text(out, "builtin");
        if (source->effective_from_us != INT64_MIN) {
            clock_format(source->effective_from_us, time);
            buf_printf(out, "\n%*seffective_from: \"%s\"", (int)indent + INDENT, "", time);
        }
        buf_add_char(out, '\n');
    }
}

static void add_mappings(struct buf *out, const struct config *config, unsigned indent)
{
    if (config->mappings)
        add_node(out, config->mappings, indent);
    else
        buf_add_text(out, " []\n");
}

static void add_tree(struct buf *out, const struct config *config, const struct setting *row,
                     unsigned indent)
{
    static const struct {
        const char *name;
        void (*add)(struct buf *out, const struct config *config, unsigned indent);
    } writers[] = {
        {"kafka", add_kafka},
        {"topics", add_topics},
        {"pricing.cost_map", add_cost_maps},
        {"mappings", add_mappings},
    };
    size_t i = 0;
    while (strcmp(writers[i].name, row->name) != 0)
        i++;
    writers[i].add(out, config, indent);
}

static void add_value(struct buf *out, const struct config *config, const struct setting *row)
{
    const void *field = (const char *)config + row->offset;
    char storage[128];
    const char *word[WORDS_MAX];
    unsigned number = row->type <= SETTING_WORD ? *(const unsigned *)field : 0;
    switch (row->type) {
    case SETTING_WORD:
        words_split(row->unit, storage, word);
        buf_add_text(out, word[number]);
        break;
    case SETTING_INT:
    case SETTING_AUTO:
        if (row->type == SETTING_AUTO && number == 0)
            buf_add_text(out, "auto");
        else
            buf_printf(out, "%u", number);
        break;
    case SETTING_SECONDS:
        buf_printf(out, "%us", number);
        break;
    case SETTING_LONG:
        buf_printf(out, "%lld", (long long)*(const int64_t *)field);
        break;
    case SETTING_LISTEN:
    case SETTING_TEXT:
        add_quoted(out, *(const char *const *)field);
        break;
    case SETTING_PATH:
        add_path(out, *(const char *const *)field);
        break;
    default: {
        const struct config_secret *secret = field;
        if (secret_is_reference(secret->written))
            add_reference(out, config, secret->written);
        else
            add_conninfo(out, secret->written);
    }
    }
}

/* Nothing stands for what has no default and was not set. */
static bool is_set(const struct config *config, const struct setting *row)
{
    const void *field = (const char *)config + row->offset;
    if (row->type == SETTING_PATH)
        return *(const char *const *)field != NULL;
    if (row->type == SETTING_SECRET)
        return ((const struct config_secret *)field)->written != NULL;
    return strcmp(row->name, "kafka") != 0 || config->kafka_count > 0;
}

static void add_setting(struct buf *out, const struct config *config, const struct setting *row,
                        const char *previous)
{
    const char *dot = strchr(row->name, '.');
    size_t section_bytes = dot ? (size_t)(dot - row->name) + 1 : 0;
    unsigned indent = dot ? INDENT : 0;
    if (dot && strncmp(previous, row->name, section_bytes) != 0)
        buf_printf(out, "%.*s:\n", (int)section_bytes - 1, row->name);
    if (!is_set(config, row))
        return;
    buf_printf(out, "%*s%s:", (int)indent, "", dot ? dot + 1 : row->name);
    if (row->type == SETTING_NODE) {
        add_tree(out, config, row, indent + INDENT);
        return;
    }
    buf_add_char(out, ' ');
    add_value(out, config, row);
    buf_add_char(out, '\n');
}

void config_print(const struct config *config, FILE *out)
{
    struct buf text;
    buf_init(&text, PRINT_BYTES_MAX);
    for (size_t i = 0; i < SETTING_COUNT; i++)
        add_setting(&text, config, &setting[i], i > 0 ? setting[i - 1].name : "");
    show_buf(out, &text);
    buf_free(&text);
}

/* --- secrets in the clear -------------------------------------------------------------------- */

/* Whether leaving secrets out leaves something out. */
static bool conninfo_has_secret(const char *text)
{
    struct buf all, stripped;
    buf_init(&all, PRINT_BYTES_MAX);
    buf_init(&stripped, PRINT_BYTES_MAX);
    bool uri = strncmp(text, "postgresql://", 13) == 0 || strncmp(text, "postgres://", 11) == 0;
    if (uri) {
        strip_uri(&stripped, text);
        buf_add_text(&all, text);
    } else {
        strip_keywords(&stripped, text);
    }
    bool has = uri ? !slice_eq(buf_slice(&all), buf_slice(&stripped))
                   : strstr(text, "password") &&
                         !memmem(stripped.p ? stripped.p : "", stripped.bytes, "password", 8);
    buf_free(&all);
    buf_free(&stripped);
    return has;
}

void config_clear_secrets(const struct config *config,
                          void (*each)(const char *text, void *context), void *context)
{
    const char *postgres = config->postgres_secret.written;
    char text[160];
    if (postgres && !secret_is_reference(postgres) && conninfo_has_secret(postgres))
        each("postgres: the password", context);
    for (size_t i = 0; i < config->kafka_count; i++) {
        const char *written = config->kafka_written[i].written;
        if (!secret_property(config->kafka[i].name) || secret_is_reference(written))
            continue;
        snprintf(text, sizeof(text), "kafka: %s", config->kafka[i].name);
        each(text, context);
    }
}
