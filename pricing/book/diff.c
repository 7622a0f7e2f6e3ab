/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both sides become a table of (model, key, value), sorted, and are merged like two files: tables
 * such as tiered_pricing are compared by their canonical text.
 */
#include "pricing/diff.h"

#include "pricing/book/deployment_prices.h"
#include "pricing/book/inside.h"
#include "pricing/book/override.h"
#include "pricing/map/gate.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define ARENA_BYTES_MAX (256u << 20)
#define VALUE_BYTES_MAX (64u << 10)
#define LINE_BYTES_MAX (192u << 10)

struct price {
    const char *model, *key;
    const struct node *value;
    const char *text; /* canonical */
};

struct table {
    struct arena arena;
    struct price *price;
    size_t count, capacity;
};

static bool table_add(struct table *table, const char *model, const struct node *value)
{
    struct buf text;
    if (table->count == table->capacity) {
        table->capacity = table->capacity ? table->capacity * 2 : 1024;
        struct price *grown = realloc(table->price, table->capacity * sizeof(*grown));
        if (!grown)
            return false;
        table->price = grown;
    }
    buf_init(&text, VALUE_BYTES_MAX);
    node_write(value, &text);
    const char *copy = buf_ok(&text) ? arena_text(&table->arena, buf_slice(&text)) : NULL;
    buf_free(&text);
    if (!copy)
        return false;
    table->price[table->count++] = (struct price){model, value->key, value, copy};
    return true;
}

static int price_order(const void *a, const void *b)
{
    const struct price *left = a, *right = b;
    int order = strcmp(left->model, right->model);
    return order ? order : strcmp(left->key, right->key);
}

static void table_free(struct table *table)
{
    arena_free(&table->arena);
    free(table->price);
}

/* ---- filling -----------------------------------------------------------------------------------
 */

static bool add_map(struct table *table, const struct catalog *catalog)
{
    for (size_t i = 0; i < catalog->count; i++)
        for (const struct node *n = catalog->entry[i].raw->children; n; n = n->next)
            if (price_key_is_price(n->key, &catalog->variants) &&
                !table_add(table, catalog->entry[i].name, n))
                return false;
    return true;
}

static const char *deployment_name(struct table *table, const struct deployment *d)
{
    char text[1024];
    snprintf(text, sizeof(text), "%.300s -> %.300s%s%.200s", d->model_name, d->model,
             d->id[0] ? " #" : "", d->id);
    return arena_text(&table->arena, slice_of(text));
}

static bool add_deployment(struct table *table, const struct book *book,
                           const struct edition *edition, const struct priced_deployment *priced)
{
    struct deployment_prices prices;
    const char *name = deployment_name(table, priced->deployment);
    const struct fields *lists[] = {&prices.set, &prices.inherited};
    deployment_prices_read(book, edition, priced, &table->arena, &prices);
    for (size_t i = 0; name && i < 2; i++)
        for (size_t j = 0; j < lists[i]->count; j++)
            if (!table_add(table, name, lists[i]->field[j].value))
                return false;
    return name != NULL;
}

static bool add_deployments(struct table *table, const struct book *book,
                            const struct edition *edition)
{
    for (size_t i = 0; i < edition->deployments.count; i++)
        if (!add_deployment(table, book, edition, &edition->deployments.one[i]))
            return false;
    return true;
}

static bool add_config(struct table *table, const struct book *book)
{
    return add_deployments(table, book, &book->edition[book->edition_count - 1]);
}

/* ---- comparing ---------------------------------------------------------------------------------
 */

struct comparison {
    bool json;
    price_line_fn *line;
    void *context;
    struct diff_counts *counts;
};

static bool is_large(const struct node *old, const struct node *new)
{
    const struct decimal ten = {10, 0, false};
    struct decimal a, b, product;
    struct err ignored = {0};
    bool has_a, has_b;
    if (!node_price(old, &a, &has_a, &ignored) || !node_price(new, &b, &has_b, &ignored) ||
        !has_a || !has_b || decimal_is_zero(&a) || decimal_is_zero(&b))
        return false;
    return (decimal_mul(&a, &ten, &product) && decimal_cmp(&b, &product) > 0) ||
           (decimal_mul(&b, &ten, &product) && decimal_cmp(&a, &product) > 0);
}

static void write_json(struct buf *out, const char *change, const struct price *name,
                       const struct price *old, const struct price *new, bool large)
{
    buf_add_text(out, "{\"model\":");
    buf_add_json_string(out, slice_of(name->model));
    buf_add_text(out, ",\"key\":");
    buf_add_json_string(out, slice_of(name->key));
    buf_printf(out, ",\"change\":\"%s\",\"old\":%s,\"new\":%s,\"large\":%s}", change,
               old ? old->text : "null", new ? new->text : "null", large ? "true" : "false");
}

static void write_text(struct buf *out, const char *change, const struct price *name,
                       const struct price *old, const struct price *new, bool large)
{
    char before[128], after[128];
    if (old)
        price_value_text(old->value, before, sizeof(before));
    if (new)
        price_value_text(new->value, after, sizeof(after));
    buf_printf(out, "%-7s  %s  %s  %s%s%s%s", change, name->model, name->key, old ? before : "",
               old && new ? " -> " : "", new ? after : "", large ? "  (more than ten times)" : "");
}

static void emit(const struct comparison *to, const char *change, const struct price *old,
                 const struct price *new)
{
    const struct price *name = old ? old : new;
    assert(name);
    bool large = old && new &&is_large(old->value, new->value);
    struct buf out;
    buf_init(&out, LINE_BYTES_MAX);
    to->counts->large += large;
    if (to->json)
        write_json(&out, change, name, old, new, large);
    else
        write_text(&out, change, name, old, new, large);
    buf_add_char(&out, '\0');
    if (buf_ok(&out))
        to->line(out.p, to->context);
    buf_free(&out);
}

static void compare(const struct table *old, const struct table *new, const struct comparison *to)
{
    size_t i = 0, j = 0;
    while (i < old->count || j < new->count) {
        int order = i == old->count   ? 1
                    : j == new->count ? -1
                                      : price_order(&old->price[i], &new->price[j]);
        if (order < 0) {
            to->counts->removed++;
            emit(to, "removed", &old->price[i++], NULL);
        } else if (order > 0) {
            to->counts->added++;
            emit(to, "added", NULL, &new->price[j++]);
        } else {
            if (strcmp(old->price[i].text, new->price[j].text) != 0) {
                to->counts->moved++;
                emit(to, "moved", &old->price[i], &new->price[j]);
            }
            i++, j++;
        }
    }
}

/* ---- new keys ----------------------------------------------------------------------------------
 */

struct key_use {
    const char *key;
    const struct node *member;
    const struct entry *first;
    size_t rows;
};

static int use_order(const void *a, const void *b)
{
    return strcmp(((const struct key_use *)a)->key, ((const struct key_use *)b)->key);
}

/* The keys of a map, sorted, each with its first row. NULL: out of memory. */
static struct key_use *collect_keys(const struct catalog *catalog, size_t *count)
{
    size_t members = 0, kept = 0;
    for (size_t i = 0; i < catalog->count; i++)
        members += catalog->entry[i].raw->count;
    struct key_use *use = calloc(members + 1, sizeof(*use));
    for (size_t i = 0; use && i < catalog->count; i++)
        for (const struct node *n = catalog->entry[i].raw->children; n; n = n->next)
            use[kept++] = (struct key_use){n->key, n, &catalog->entry[i], 1};
    *count = 0;
    if (kept)
        qsort(use, kept, sizeof(*use), use_order);
    for (size_t i = 0; i < kept; i++) {
        if (*count && strcmp(use[*count - 1].key, use[i].key) == 0)
            use[*count - 1].rows++;
        else
            use[(*count)++] = use[i];
    }
    return use;
}

static void emit_key(const struct comparison *to, const struct key_use *use, const char *kind)
{
    struct buf out;
    buf_init(&out, LINE_BYTES_MAX);
    if (to->json) {
        buf_add_text(&out, "{\"key\":");
        buf_add_json_string(&out, slice_of(use->key));
        buf_printf(&out, ",\"change\":\"new key\",\"kind\":\"%s\",\"rows\":%zu,\"model\":", kind,
                   use->rows);
        buf_add_json_string(&out, slice_of(use->first->name));
        buf_add_char(&out, '}');
    } else {
        buf_printf(&out, "new key  %s  (%s)  %zu rows, %s first", use->key, kind, use->rows,
                   use->first->name);
    }
    buf_add_char(&out, '\0');
    if (buf_ok(&out))
        to->line(out.p, to->context);
    buf_free(&out);
}

/* What the new map has that the old one has not: keys, and keys whose value became another kind. */
static void tell_new_keys(const struct catalog *old, const struct catalog *new,
                          const struct comparison *to)
{
    size_t old_count, new_count;
    struct key_use *before = collect_keys(old, &old_count);
    struct key_use *now = collect_keys(new, &new_count);
    for (size_t i = 0; before && now && i < new_count; i++) {
        const struct key_use *was =
            old_count ? bsearch(&now[i], before, old_count, sizeof(*before), use_order) : NULL;
        enum member_kind kind = gate_member(now[i].member, &new->variants);
        if (!was)
            emit_key(to, &now[i], gate_word(kind));
        else if (was->member->kind != now[i].member->kind && kind == MEMBER_UNKNOWN)
            emit_key(to, &now[i], "new structure");
    }
    free(before);
    free(now);
}

/* ---- files -------------------------------------------------------------------------------------
 */

static bool keep_nothing(unsigned depth, struct slice key)
{
    (void)key;
    return depth == 1;
}

/* A cost map is JSON without a model_list; everything else is read as a configuration. */
static bool is_map(const char *file, bool *map, struct err *err)
{
    struct arena arena;
    struct err not_json = {0};
    size_t bytes;
    char *text = catalog_read_file(file, &bytes, err);
    if (!text)
        return false;
    arena_init(&arena, ARENA_BYTES_MAX);
    const struct node *root =
        node_parse_json(&arena, (struct slice){text, bytes}, file, keep_nothing, &not_json);
    size_t blank = strspn(text, " \t\r\n");
    if (!root && blank < bytes && text[blank] == '{' && strstr(file, ".json")) {
        *err = not_json;
        free(text);
        arena_free(&arena);
        return false;
    }
    *map = root && root->kind == NODE_MAP && !node_get(root, "model_list") &&
           !node_get(root, "litellm_settings");
    arena_free(&arena);
    free(text);
    return true;
}

static bool fill(struct table *table, const struct book_options *options, const char *file,
                 bool map, struct book **book, struct err *err)
{
    struct book_options own = *options;
    struct cost_map_source source = {file, INT64_MIN, NULL};
    own.litellm_config = map ? NULL : file;
    own.whole_maps = true;
    if (map) {
        own.cost_maps = &source;
        own.cost_map_count = 1;
    }
    *book = book_load(&own, NULL, NULL, err);
    if (!*book)
        return false;
    if (!(map ? add_map(table, (*book)->catalog[0]) : add_config(table, *book)))
        return err_set(err, ERR_CONFIG, "%s: too large", file);
    qsort(table->price, table->count, sizeof(*table->price), price_order);
    return true;
}

bool prices_diff(const struct book_options *options, const char *old_file, const char *new_file,
                 bool json, price_line_fn *line, void *context, struct diff_counts *counts,
                 struct err *err)
{
    struct table old = {.count = 0}, new = {.count = 0};
    struct book *old_book = NULL, *new_book = NULL;
    struct comparison to = {json, line, context, counts};
    bool old_map, new_map, ok = false;
    *counts = (struct diff_counts){0};
    arena_init(&old.arena, ARENA_BYTES_MAX);
    arena_init(&new.arena, ARENA_BYTES_MAX);
    if (!is_map(old_file, &old_map, err) || !is_map(new_file, &new_map, err))
        goto out;
    if (old_map != new_map) {
        err_set(err, ERR_CONFIG, "%s is a cost map and %s is not", old_map ? old_file : new_file,
                old_map ? new_file : old_file);
        goto out;
    }
    if (!fill(&old, options, old_file, old_map, &old_book, err) ||
        !fill(&new, options, new_file, new_map, &new_book, err))
        goto out;
    if (new_map)
        tell_new_keys(old_book->catalog[0], new_book->catalog[0], &to);
    compare(&old, &new, &to);
    ok = true;
out:
    book_free(old_book);
    book_free(new_book);
    table_free(&old);
    table_free(&new);
    return ok;
}

/* ---- two books ---------------------------------------------------------------------------------
 */

/* Two prices that are apart by more than a tenth; tables of prices that are not the same. */
static bool is_move(const struct price *old, const struct price *new)
{
    const struct decimal nine = {9, 0, false}, ten = {10, 0, false}, eleven = {11, 0, false};
    struct decimal a, b, low, high, now;
    struct err ignored = {0};
    bool has_a, has_b;
    if (strcmp(old->text, new->text) == 0)
        return false;
    if (!node_price(old->value, &a, &has_a, &ignored) ||
        !node_price(new->value, &b, &has_b, &ignored) || !has_a || !has_b ||
        !decimal_mul(&a, &nine, &low) || !decimal_mul(&a, &eleven, &high) ||
        !decimal_mul(&b, &ten, &now))
        return true;
    return decimal_cmp(&now, &low) < 0 || decimal_cmp(&now, &high) > 0;
}

static size_t model_end(const struct table *table, size_t i)
{
    size_t end = i;
    while (end < table->count && strcmp(table->price[end].model, table->price[i].model) == 0)
        end++;
    return end;
}

static bool model_moved(const struct table *old, size_t i, size_t i_end, const struct table *new,
                        size_t j, size_t j_end)
{
    while (i < i_end && j < j_end) {
        int order = strcmp(old->price[i].key, new->price[j].key);
        if (order != 0 || is_move(&old->price[i], &new->price[j]))
            return true;
        i++, j++;
    }
    return i < i_end || j < j_end;
}

/* What became of models: their names, each under "added", "moved" or "gone". */
static bool model_note(struct table *found, const char *model, const char *fate)
{
    static const struct node none = {.key = ""};
    const char *copy = arena_text(&found->arena, slice_of(model));
    if (!copy || !table_add(found, copy, &none))
        return false;
    found->price[found->count - 1].key = fate;
    return true;
}

static bool models_note(struct table *found, const struct table *old, const struct table *new)
{
    bool ok = true;
    for (size_t i = 0, j = 0; ok && (i < old->count || j < new->count);) {
        size_t i_end = model_end(old, i), j_end = model_end(new, j);
        int order = i == old->count   ? 1
                    : j == new->count ? -1
                                      : strcmp(old->price[i].model, new->price[j].model);
        if (order < 0)
            ok = model_note(found, old->price[i].model, "gone");
        else if (order > 0)
            ok = model_note(found, new->price[j].model, "added");
        else if (model_moved(old, i, i_end, new, j, j_end))
            ok = model_note(found, new->price[j].model, "moved");
        if (order <= 0)
            i = i_end;
        if (order >= 0)
            j = j_end;
    }
    return ok;
}

/* The prices of one time: a cost map, or the deployments of an edition. */
typedef bool prices_fn(struct table *table, const struct book *book, const struct edition *edition);

static bool map_fill(struct table *table, const struct book *book, const struct edition *edition)
{
    (void)book;
    return add_map(table, edition->catalog);
}

static bool filled(struct table *table, prices_fn *prices, const struct book *book,
                   const struct edition *edition)
{
    arena_init(&table->arena, ARENA_BYTES_MAX);
    bool ok = prices(table, book, edition);
    if (ok && table->count)
        qsort(table->price, table->count, sizeof(*table->price), price_order);
    return ok;
}

static bool note_with(struct table *found, prices_fn *prices, const struct book *old,
                      const struct edition *was, const struct book *new, const struct edition *is)
{
    struct table before = {.count = 0}, now = {.count = 0};
    bool ok = filled(&before, prices, old, was) && filled(&now, prices, new, is) &&
              models_note(found, &before, &now);
    table_free(&before);
    table_free(&now);
    return ok;
}

static bool map_begins(const struct book *book, int64_t time_us)
{
    bool begins = time_us == INT64_MIN;
    for (size_t i = 0; i < book->catalog_count; i++)
        begins = begins || book->catalog_from_us[i] == time_us;
    return begins;
}

/* Two books as they hold from a time on at which one of them changes. */
static bool note_at(struct table *found, const struct book *old, const struct book *new,
                    int64_t time_us)
{
    const struct edition *was = book_edition(old, time_us), *is = book_edition(new, time_us);
    bool maps = (map_begins(old, time_us) || map_begins(new, time_us)) &&
                strcmp(was->catalog->sha256, is->catalog->sha256) != 0;
    return (!maps || note_with(found, map_fill, old, was, new, is)) &&
           note_with(found, add_deployments, old, was, new, is);
}

static bool begins_at(const struct book *book, int64_t time_us)
{
    return book_edition(book, time_us)->from_us == time_us;
}

/* Each name under each fate once. */
static void models_count(const struct table *found, struct books_moves *moves)
{
    for (size_t i = 0; i < found->count; i++) {
        if (i && price_order(&found->price[i - 1], &found->price[i]) == 0)
            continue;
        moves->added += strcmp(found->price[i].key, "added") == 0;
        moves->moved += strcmp(found->price[i].key, "moved") == 0;
        moves->gone += strcmp(found->price[i].key, "gone") == 0;
    }
}

bool books_compare(const struct book *old, const struct book *new, struct books_moves *moves)
{
    struct table found = {.count = 0};
    const struct edition *last = &new->edition[new->edition_count - 1];
    bool ok = true;
    *moves = (struct books_moves){.models = last->catalog->count + last->deployments.count};
    arena_init(&found.arena, ARENA_BYTES_MAX);
    for (size_t i = 0; ok && i < new->edition_count; i++)
        ok = note_at(&found, old, new, new->edition[i].from_us);
    for (size_t i = 0; ok && i < old->edition_count; i++)
        if (!begins_at(new, old->edition[i].from_us))
            ok = note_at(&found, old, new, old->edition[i].from_us);
    if (ok && found.count)
        qsort(found.price, found.count, sizeof(*found.price), price_order);
    models_count(&found, moves);
    table_free(&found);
    return ok;
}

/* ---- prices show -------------------------------------------------------------------------------
 */

static void show_key(const struct field *field, const char *how, bool json, price_line_fn *line,
                     void *context)
{
    const struct node *n = field->value;
    struct rate_source source = {n->file, n->file ? n->line : 0, field->entry, n->key};
    char value[128], place[1024];
    struct buf out;
    rate_source_format(&source, place, sizeof(place));
    buf_init(&out, LINE_BYTES_MAX);
    if (json) {
        buf_add_text(&out, "{\"key\":");
        buf_add_json_string(&out, slice_of(n->key));
        buf_add_text(&out, ",\"value\":");
        node_write(n, &out);
        buf_printf(&out, ",\"how\":\"%s\",\"source\":", how);
        buf_add_json_string(&out, slice_of(place));
        buf_add_char(&out, '}');
    } else {
        price_value_text(n, value, sizeof(value));
        buf_printf(&out, "  %-52s %-24s %-9s %s", n->key, value, how, place);
    }
    buf_add_char(&out, '\0');
    if (buf_ok(&out))
        line(out.p, context);
    buf_free(&out);
}

static void show_heading(const char *name, const char *what, bool json, price_line_fn *line,
                         void *context)
{
    struct buf out;
    buf_init(&out, LINE_BYTES_MAX);
    if (json) {
        buf_add_text(&out, "{\"model\":");
        buf_add_json_string(&out, slice_of(name));
        buf_printf(&out, ",\"kind\":\"%s\"}", what);
    } else {
        buf_printf(&out, "%s (%s)", name, what);
    }
    buf_add_char(&out, '\0');
    if (buf_ok(&out))
        line(out.p, context);
    buf_free(&out);
}

static void show_deployment(const struct book *book, const struct edition *edition,
                            const struct priced_deployment *priced, bool json, price_line_fn *line,
                            void *context)
{
    struct deployment_prices prices;
    struct arena scratch;
    arena_init(&scratch, ARENA_BYTES_MAX);
    deployment_prices_read(book, edition, priced, &scratch, &prices);
    show_heading(priced->deployment->model_name, "deployment", json, line, context);
    for (size_t i = 0; i < prices.set.count; i++)
        show_key(&prices.set.field[i], "set", json, line, context);
    for (size_t i = 0; i < prices.inherited.count; i++)
        show_key(&prices.inherited.field[i], "inherited", json, line, context);
    for (size_t i = 0; i < prices.lost.count; i++)
        show_key(&prices.lost.field[i], "lost", json, line, context);
    arena_free(&scratch);
}

/* Of a map's row: whether a formula reads it, else what it is. */
static const char *how_read(const struct node *member, const struct variants *variants)
{
    struct price_key parsed;
    struct slice key = slice_of(member->key);
    enum member_kind kind = gate_member(member, variants);
    if (kind != MEMBER_PRICE)
        return gate_word(kind);
    if (member->kind == NODE_LIST || member->kind == NODE_MAP)
        return "map";
    bool read =
        price_key_parse(key, variants, NULL, &parsed) && price_key_visible(key, &parsed, false);
    return read || strcmp(member->key, "web_search_billing_unit") == 0 ? "map" : "not read";
}

bool prices_show(const struct book *book, struct slice model, bool json, price_line_fn *line,
                 void *context)
{
    const struct edition *edition = &book->edition[book->edition_count - 1];
    const struct entry *entry = catalog_find_folded(edition->catalog, model);
    bool found = entry != NULL;
    for (size_t i = 0; i < edition->deployments.count; i++)
        if (slice_is(model, edition->deployments.one[i].deployment->model_name)) {
            show_deployment(book, edition, &edition->deployments.one[i], json, line, context);
            found = true;
        }
    if (!entry)
        return found;
    show_heading(entry->name, "cost map", json, line, context);
    for (const struct node *n = entry->raw->children; n; n = n->next) {
        struct field field = {n, entry->name};
        show_key(&field, how_read(n, &edition->catalog->variants), json, line, context);
    }
    return true;
}
