/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recursive-descent parser emits a small program, a backtracking loop runs it. Single-character
 * atoms carry their repetition themselves, so the usual pattern recurses once per atom, not once
 * per character. Jumps are relative: code can be moved when a split has to go before it.
 */
#include "ingest/pattern.h"

#include <stdint.h>

#define CODE_MAX 1024
#define SETS_MAX 32
#define REPEAT_MAX UINT16_MAX
#define STEPS_MAX 20000 /* also bounds the depth of recursion */

enum op { OP_CHAR, OP_SET, OP_SPLIT, OP_JUMP, OP_SAVE, OP_BEGIN, OP_END, OP_MATCH };

struct instruction {
    uint8_t op;
    uint8_t arg;           /* CHAR: the byte; SET: its number; SAVE: the slot */
    uint16_t min, max;     /* CHAR, SET */
    int16_t first, second; /* SPLIT, JUMP: relative */
};

struct set {
    uint32_t bits[8];
};

struct pattern {
    struct instruction *code;
    struct set *sets;
    bool grouped;
};

struct parser {
    const char *p, *end, *start;
    struct err *err;
    unsigned length, sets;
    bool grouped;
    struct instruction code[CODE_MAX];
    struct set set[SETS_MAX];
};

static void set_add(struct set *set, unsigned from, unsigned to)
{
    for (unsigned c = from; c <= to; c++)
        set->bits[c / 32] |= UINT32_C(1) << (c % 32);
}

static bool set_has(const struct set *set, unsigned char c)
{
    return set->bits[c / 32] >> (c % 32) & 1;
}

static void set_invert(struct set *set)
{
    for (int i = 0; i < 8; i++)
        set->bits[i] = ~set->bits[i];
}

static bool fail(struct parser *parser, const char *what)
{
    return err_set(parser->err, ERR_CONFIG, "%s at byte %d of the pattern", what,
                   (int)(parser->p - parser->start) + 1);
}

static bool emit(struct parser *parser, struct instruction instruction)
{
    if (parser->length == CODE_MAX - 1)
        return fail(parser, "pattern too long");
    parser->code[parser->length++] = instruction;
    return true;
}

static bool insert(struct parser *parser, unsigned at, struct instruction instruction)
{
    if (!emit(parser, instruction))
        return false;
    memmove(&parser->code[at + 1], &parser->code[at],
            (parser->length - 1 - at) * sizeof parser->code[0]);
    parser->code[at] = instruction;
    return true;
}

static struct set *set_new(struct parser *parser)
{
    if (parser->sets == SETS_MAX) {
        fail(parser, "too many classes");
        return NULL;
    }
    struct set *set = &parser->set[parser->sets];
    *set = (struct set){{0}};
    return set;
}

static bool set_emit(struct parser *parser)
{
    return emit(parser, (struct instruction){OP_SET, (uint8_t)parser->sets++, 1, 1, 0, 0});
}

static const struct {
    const char *name;
    const char *ranges; /* pairs of bytes */
} class_table[] = {
    {"[:alnum:]", "azAZ09"}, {"[:alpha:]", "azAZ"}, {"[:digit:]", "09"},      {"[:lower:]", "az"},
    {"[:space:]", "\t\r  "}, {"[:upper:]", "AZ"},   {"[:xdigit:]", "09afAF"}, {"\\d", "09"},
    {"\\w", "azAZ09__"},     {"\\s", "\t\r  "},
};

/* A named class at p; steps over it. */
static bool class_named(struct parser *parser, struct set *set)
{
    struct slice rest = {parser->p, (size_t)(parser->end - parser->p)};
    for (size_t i = 0; i < sizeof class_table / sizeof class_table[0]; i++) {
        if (!slice_starts(rest, slice_of(class_table[i].name)))
            continue;
        for (const char *r = class_table[i].ranges; *r; r += 2)
            set_add(set, (unsigned char)r[0], (unsigned char)r[1]);
        parser->p += strlen(class_table[i].name);
        return true;
    }
    return false;
}

/* [...] behind its opening bracket. */
static bool bracket_parse(struct parser *parser)
{
    struct set *set = set_new(parser);
    bool inverted = parser->p < parser->end && *parser->p == '^';
    if (!set)
        return false;
    parser->p += inverted;
    for (bool first = true; parser->p < parser->end && (first || *parser->p != ']');
         first = false) {
        if (class_named(parser, set))
            continue;
        if (*parser->p == '\\' && parser->end - parser->p > 1)
            parser->p++;
        unsigned char from = (unsigned char)*parser->p++, to = from;
        if (parser->end - parser->p > 1 && parser->p[0] == '-' && parser->p[1] != ']') {
            to = (unsigned char)parser->p[1];
            parser->p += 2;
        }
        if (to < from)
            return fail(parser, "range upside down");
        set_add(set, from, to);
    }
    if (parser->p == parser->end)
        return fail(parser, "']' missing");
    parser->p++;
    if (inverted)
        set_invert(set);
    return set_emit(parser);
}

static bool escape_parse(struct parser *parser)
{
    struct set *set = set_new(parser);
    if (!set)
        return false;
    if (class_named(parser, set))
        return set_emit(parser);
    if (parser->end - parser->p < 2)
        return fail(parser, "nothing behind the backslash");
    unsigned char c = (unsigned char)parser->p[1];
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
        return fail(parser, "unknown escape");
    parser->p += 2;
    return emit(parser, (struct instruction){OP_CHAR, c, 1, 1, 0, 0});
}

static bool alternatives_parse(struct parser *parser, unsigned depth);

static bool group_parse(struct parser *parser, unsigned depth)
{
    struct slice rest = {parser->p, (size_t)(parser->end - parser->p)};
    bool silent = slice_starts(rest, SLICE("?:"));
    bool saves = !silent && !parser->grouped; /* only group 1 is ever looked at */
    parser->p += silent ? 2 : 0;
    parser->grouped |= saves;
    if (depth > 16)
        return fail(parser, "groups nested too deep");
    if (saves && !emit(parser, (struct instruction){.op = OP_SAVE, .arg = 2}))
        return false;
    if (!alternatives_parse(parser, depth + 1))
        return false;
    if (parser->p == parser->end)
        return fail(parser, "')' missing");
    parser->p++;
    return !saves || emit(parser, (struct instruction){.op = OP_SAVE, .arg = 3});
}

static bool atom_parse(struct parser *parser, unsigned depth)
{
    char c = *parser->p;
    struct set *set;
    switch (c) {
    case '[':
        parser->p++;
        return bracket_parse(parser);
    case '(':
        parser->p++;
        return group_parse(parser, depth);
    case '\\':
        return escape_parse(parser);
    case '^':
    case '$':
        parser->p++;
        return emit(parser, (struct instruction){.op = c == '^' ? OP_BEGIN : OP_END});
    case '.':
        parser->p++;
        set = set_new(parser);
        if (!set)
            return false;
        set_add(set, 1, 255);
        return set_emit(parser);
    case '*':
    case '+':
    case '?':
    case '{':
        return fail(parser, "nothing to repeat");
    default:
        parser->p++;
        return emit(parser, (struct instruction){OP_CHAR, (uint8_t)c, 1, 1, 0, 0});
    }
}

static unsigned number_parse(struct parser *parser, unsigned otherwise)
{
    unsigned v = 0;
    if (parser->p == parser->end || (unsigned)(*parser->p - '0') > 9)
        return otherwise;
    while (parser->p < parser->end && (unsigned)(*parser->p - '0') <= 9 && v < 1000)
        v = v * 10 + (unsigned)(*parser->p++ - '0');
    return v;
}

/* A repetition at p: its bounds, and p behind it. */
static bool bounds_parse(struct parser *parser, unsigned *min, unsigned *max)
{
    char c = *parser->p++;
    *min = c == '+';
    *max = c == '?' ? 1 : REPEAT_MAX;
    if (c != '{')
        return true;
    *min = *max = number_parse(parser, 0);
    if (parser->p < parser->end && *parser->p == ',') {
        parser->p++;
        *max = number_parse(parser, REPEAT_MAX);
    }
    if (parser->p == parser->end || *parser->p != '}' || *max < *min || *max == 0)
        return fail(parser, "broken repetition");
    parser->p++;
    return true;
}

static bool repeat_parse(struct parser *parser, unsigned start)
{
    struct instruction *atom = &parser->code[start];
    unsigned min, max, length = parser->length - start;
    if (!bounds_parse(parser, &min, &max))
        return false;
    if (length == 1 && (atom->op == OP_CHAR || atom->op == OP_SET)) {
        atom->min = (uint16_t)min;
        atom->max = (uint16_t)max;
        return true;
    }
    if (min > 1 || (max > 1 && max < REPEAT_MAX))
        return fail(parser, "a group can only be repeated by *, + or ?");
    if (min == 1 && max == 1)
        return true;
    if (min == 1)
        return emit(parser,
                    (struct instruction){.op = OP_SPLIT, .first = (int16_t)-length, .second = 1});
    if (max > 1 &&
        !emit(parser, (struct instruction){.op = OP_JUMP, .first = (int16_t) - (length + 1)}))
        return false;
    return insert(parser, start,
                  (struct instruction){
                      .op = OP_SPLIT, .first = 1, .second = (int16_t)(parser->length - start + 1)});
}

static bool sequence_parse(struct parser *parser, unsigned depth)
{
    while (parser->p < parser->end && *parser->p != '|' && *parser->p != ')') {
        unsigned start = parser->length;
        if (!atom_parse(parser, depth))
            return false;
        if (parser->p < parser->end && strchr("*+?{", *parser->p) && !repeat_parse(parser, start))
            return false;
    }
    return true;
}

/* a|b: split over a; a; jump behind b; b. */
static bool alternatives_parse(struct parser *parser, unsigned depth)
{
    unsigned start = parser->length;
    if (!sequence_parse(parser, depth))
        return false;
    if (parser->p == parser->end || *parser->p != '|')
        return true;
    parser->p++;
    if (!insert(parser, start,
                (struct instruction){
                    .op = OP_SPLIT, .first = 1, .second = (int16_t)(parser->length - start + 2)}) ||
        !emit(parser, (struct instruction){.op = OP_JUMP}))
        return false;
    unsigned jump = parser->length - 1;
    if (!alternatives_parse(parser, depth))
        return false;
    parser->code[jump].first = (int16_t)(parser->length - jump);
    return true;
}

const struct pattern *pattern_compile(struct slice text, struct arena *process, struct err *err)
{
    struct parser parser = {.p = text.p, .start = text.p, .end = text.p + text.bytes, .err = err};
    if (!alternatives_parse(&parser, 0))
        return NULL;
    if (parser.p < parser.end) {
        fail(&parser, "')' without '('");
        return NULL;
    }
    parser.code[parser.length++] = (struct instruction){.op = OP_MATCH};

    struct pattern *pattern = arena_alloc(process, sizeof *pattern);
    struct instruction *code = arena_alloc(process, parser.length * sizeof *code);
    struct set *sets = arena_alloc(process, parser.sets * sizeof *sets + 1);
    if (!pattern || !code || !sets) {
        err_set(err, ERR_CONFIG, "the mappings are too large");
        return NULL;
    }
    memcpy(code, parser.code, parser.length * sizeof *code);
    memcpy(sets, parser.set, parser.sets * sizeof *sets);
    *pattern = (struct pattern){code, sets, parser.grouped};
    return pattern;
}

struct run {
    const struct pattern *pattern;
    const char *start, *end;
    const char *save[4];
    unsigned steps;
};

static bool run_at(struct run *run, const struct instruction *at, const char *p);

static bool atom_matches(const struct run *run, const struct instruction *atom, const char *p)
{
    return atom->op == OP_CHAR ? (unsigned char)*p == atom->arg
                               : set_has(&run->pattern->sets[atom->arg], (unsigned char)*p);
}

/* As many as there are, then fewer. */
static bool run_atom(struct run *run, const struct instruction *atom, const char *p)
{
    const char *least = p + atom->min;
    unsigned count = 0;
    while (count < atom->max && p < run->end && atom_matches(run, atom, p)) {
        p++;
        count++;
    }
    if (count < atom->min)
        return false;
    for (; p > least; p--)
        if (run_at(run, atom + 1, p))
            return true;
    return run_at(run, atom + 1, p);
}

static bool run_save(struct run *run, const struct instruction *at, const char *p)
{
    const char *before = run->save[at->arg];
    run->save[at->arg] = p;
    if (run_at(run, at + 1, p))
        return true;
    run->save[at->arg] = before;
    return false;
}

static bool run_at(struct run *run, const struct instruction *at, const char *p)
{
    for (;;) {
        if (++run->steps > STEPS_MAX)
            return false;
        switch ((enum op)at->op) {
        case OP_CHAR:
        case OP_SET:
            if (at->min != 1 || at->max != 1)
                return run_atom(run, at, p);
            if (p == run->end || !atom_matches(run, at, p))
                return false;
            p++;
            break;
        case OP_SPLIT:
            if (run_at(run, at + at->first, p))
                return true;
            at += at->second;
            continue;
        case OP_JUMP:
            at += at->first;
            continue;
        case OP_SAVE:
            return run_save(run, at, p);
        case OP_BEGIN:
            if (p != run->start)
                return false;
            break;
        case OP_END:
            if (p != run->end)
                return false;
            break;
        case OP_MATCH:
            run->save[1] = p;
            return true;
        }
        at++;
    }
}

bool pattern_match(const struct pattern *pattern, struct slice text, struct slice *out,
                   bool *gave_up)
{
    struct run run = {.pattern = pattern, .start = text.p, .end = text.p + text.bytes};
    bool anchored = pattern->code[0].op == OP_BEGIN;
    for (const char *p = run.start; p <= run.end; p++) {
        if (run_at(&run, pattern->code, p)) {
            run.save[0] = p;
            const char *from = run.save[pattern->grouped ? 2 : 0];
            const char *to = run.save[pattern->grouped ? 3 : 1];
            if (!from || !to)
                return false;
            *out = (struct slice){from, (size_t)(to - from)};
            return true;
        }
        *gave_up |= run.steps > STEPS_MAX;
        if (anchored || run.steps > STEPS_MAX)
            return false;
    }
    return false;
}
