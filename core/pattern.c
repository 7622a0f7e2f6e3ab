/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recursive-descent parser emits a small program, a backtracking loop runs it. Single-character
 * atoms carry their repetition themselves, so the usual pattern recurses once per atom, not once
 * per character. Jumps are relative: code can be moved when a split has to go before it, and
 * copied.
 */
#include "core/pattern.h"

#include <ctype.h>
#include <stdint.h>

#define CODE_MAX 1024
#define SETS_MAX 32
#define REPEAT_MAX UINT16_MAX
#define NESTED_MAX 17
#define STEPS_MAX 20000 /* also bounds the depth of recursion */

enum op {
    OP_CHAR,
    OP_SET,
    OP_SPLIT,
    OP_JUMP,
    OP_SAVE,
    OP_AGAIN,
    OP_AHEAD,
    OP_BEGIN,
    OP_END,
    OP_MATCH
};

/* What a run saves: the whole match, group 1, and where the loops it is in began their last round.
 * Of loops at one depth only one is under way. */
enum slot { SLOT_WHOLE, SLOT_GROUP = 2, SLOT_LOOP = 4, SLOTS = SLOT_LOOP + NESTED_MAX + 1 };

struct instruction {
    uint8_t op;
    uint8_t arg;       /* CHAR: the byte; SET: its number; SAVE, AGAIN: the slot; AHEAD: = or ! */
    uint16_t min, max; /* CHAR, SET */
    int16_t first, second; /* SPLIT, JUMP, AGAIN: relative; AHEAD: what is behind it */
};

struct set {
    uint32_t bits[8];
};

struct pattern {
    struct instruction *code;
    struct set *sets;
    bool grouped, any_case;
};

struct parser {
    const char *p, *end, *start;
    struct err *err;
    unsigned length, sets;
    bool grouped, python;
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

/* Both cases of each letter that is there in one. */
static void set_fold(struct set *set)
{
    for (unsigned c = 'a'; c <= 'z'; c++)
        if (set_has(set, (unsigned char)c) || set_has(set, (unsigned char)toupper((int)c))) {
            set_add(set, c, c);
            set_add(set, (unsigned)toupper((int)c), (unsigned)toupper((int)c));
        }
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

static bool char_emit(struct parser *parser, char c)
{
    unsigned char byte = (unsigned char)c;
    uint8_t arg = (uint8_t)(parser->python ? tolower(byte) : byte);
    return emit(parser, (struct instruction){OP_CHAR, arg, 1, 1, 0, 0});
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
        bool posix = class_table[i].name[0] == '[';
        if ((posix && parser->python) || !slice_starts(rest, slice_of(class_table[i].name)))
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
    if (parser->python)
        set_fold(set);
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
    char c = parser->p[1];
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
        return fail(parser, "unknown escape");
    parser->p += 2;
    return char_emit(parser, c);
}

static bool alternatives_parse(struct parser *parser, unsigned depth);

/* The alternatives of a group and its closing bracket. */
static bool inside_parse(struct parser *parser, unsigned depth)
{
    if (depth == NESTED_MAX)
        return fail(parser, "groups nested too deep");
    if (!alternatives_parse(parser, depth + 1))
        return false;
    if (parser->p == parser->end)
        return fail(parser, "')' missing");
    parser->p++;
    return true;
}

/* (?=...) and (?!...) behind the question mark: a program of its own, run where it stands. */
static bool ahead_parse(struct parser *parser, unsigned depth)
{
    unsigned start = parser->length;
    uint8_t sign = (uint8_t)*parser->p++;
    if (!emit(parser, (struct instruction){.op = OP_AHEAD, .arg = sign}) ||
        !inside_parse(parser, depth) || !emit(parser, (struct instruction){.op = OP_MATCH}))
        return false;
    parser->code[start].first = (int16_t)(parser->length - start);
    return true;
}

/* Behind the opening bracket. */
static bool group_parse(struct parser *parser, unsigned depth)
{
    struct slice rest = {parser->p, (size_t)(parser->end - parser->p)};
    if (parser->python && (slice_starts(rest, SLICE("?=")) || slice_starts(rest, SLICE("?!")))) {
        parser->p++;
        return ahead_parse(parser, depth);
    }
    bool silent = slice_starts(rest, SLICE("?:"));
    /* only group 1 is ever looked at */
    bool saves = !silent && !parser->grouped && !parser->python;
    parser->p += silent ? 2 : 0;
    parser->grouped |= saves;
    if (!saves)
        return inside_parse(parser, depth);
    return emit(parser, (struct instruction){.op = OP_SAVE, .arg = SLOT_GROUP}) &&
           inside_parse(parser, depth) &&
           emit(parser, (struct instruction){.op = OP_SAVE, .arg = SLOT_GROUP + 1});
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
        set_add(set, parser->python ? 0 : 1, 255);
        return set_emit(parser);
    case '*':
    case '+':
    case '?':
    case '{':
        return fail(parser, "nothing to repeat");
    default:
        parser->p++;
        return char_emit(parser, c);
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
    if (parser->p == parser->end || *parser->p != '}' || *max < *min ||
        (*max == 0 && !parser->python))
        return fail(parser, "broken repetition");
    parser->p++;
    return true;
}

static bool code_copy(struct parser *parser, unsigned start, unsigned length)
{
    for (unsigned i = 0; i < length; i++)
        if (!emit(parser, parser->code[start + i]))
            return false;
    return true;
}

static struct instruction split_over(unsigned length)
{
    return (struct instruction){.op = OP_SPLIT, .first = 1, .second = (int16_t)(length + 1)};
}

/* One round or more of all the code from `start`. A round that took nothing is the last. */
static bool loop_close(struct parser *parser, unsigned start, unsigned depth)
{
    uint8_t slot = (uint8_t)(SLOT_LOOP + depth);
    return insert(parser, start, (struct instruction){.op = OP_SAVE, .arg = slot}) &&
           emit(parser, (struct instruction){.op = OP_AGAIN,
                                             .arg = slot,
                                             .first = (int16_t)(start - parser->length)});
}

/* x{2,}: x x+. x{1,3}: x, then a split over all of (x, a split over x, x). */
static bool group_repeat(struct parser *parser, unsigned start, unsigned min, unsigned max,
                         unsigned depth)
{
    unsigned length = parser->length - start, last = start;
    for (unsigned i = 1; i < min; i++) {
        last = parser->length;
        if (!code_copy(parser, start, length))
            return false;
    }
    if (max == REPEAT_MAX)
        return loop_close(parser, last, depth) &&
               (min > 0 || insert(parser, start, split_over(parser->length - start)));
    for (unsigned left = max - min; left > 0; left--) {
        struct instruction split = split_over(left * (length + 1) - 1);
        if (left == max) { /* what is there already is optional too */
            if (!insert(parser, start++, split))
                return false;
        } else if (!emit(parser, split) || !code_copy(parser, start, length)) {
            return false;
        }
    }
    return true;
}

static bool repeat_parse(struct parser *parser, unsigned start, unsigned depth)
{
    struct instruction *atom = &parser->code[start];
    unsigned min, max, length = parser->length - start;
    if (!bounds_parse(parser, &min, &max))
        return false;
    if (max == 0) {
        parser->length = start;
        return true;
    }
    bool single = length == 1 && (atom->op == OP_CHAR || atom->op == OP_SET);
    /* (?:a+)? is a single one too, which has its repetition already. */
    if (single && atom->min == 1 && atom->max == 1) {
        atom->min = (uint16_t)min;
        atom->max = (uint16_t)max;
        return true;
    }
    if (!single && !parser->python && (min > 1 || (max > 1 && max < REPEAT_MAX)))
        return fail(parser, "a group can only be repeated by *, + or ?");
    return group_repeat(parser, start, min, max, depth);
}

static bool sequence_parse(struct parser *parser, unsigned depth)
{
    while (parser->p < parser->end && *parser->p != '|' && *parser->p != ')') {
        unsigned start = parser->length;
        if (!atom_parse(parser, depth))
            return false;
        if (parser->p < parser->end && memchr("*+?{", *parser->p, 4) &&
            !repeat_parse(parser, start, depth))
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

const struct pattern *pattern_compile(struct slice text, enum pattern_syntax syntax,
                                      struct arena *arena, struct err *err)
{
    struct parser parser = {.p = text.p, .start = text.p, .end = text.p + text.bytes, .err = err};
    parser.python = syntax == PATTERN_PYTHON;
    if (!alternatives_parse(&parser, 0))
        return NULL;
    if (parser.p < parser.end) {
        fail(&parser, "')' without '('");
        return NULL;
    }
    parser.code[parser.length++] = (struct instruction){.op = OP_MATCH};

    struct pattern *pattern = arena_alloc(arena, sizeof *pattern);
    struct instruction *code = arena_alloc(arena, parser.length * sizeof *code);
    struct set *sets = arena_alloc(arena, parser.sets * sizeof *sets + 1);
    if (!pattern || !code || !sets) {
        err_set(err, ERR_CONFIG, "too large for the memory of patterns");
        return NULL;
    }
    memcpy(code, parser.code, parser.length * sizeof *code);
    memcpy(sets, parser.set, parser.sets * sizeof *sets);
    *pattern = (struct pattern){code, sets, parser.grouped, parser.python};
    return pattern;
}

struct run {
    const struct pattern *pattern;
    const char *start, *end;
    const char *save[SLOTS];
    unsigned steps;
};

static bool run_at(struct run *run, const struct instruction *at, const char *p);

static bool atom_matches(const struct run *run, const struct instruction *atom, const char *p)
{
    unsigned char c = (unsigned char)*p;
    if (run->pattern->any_case)
        c = (unsigned char)tolower(c);
    return atom->op == OP_CHAR ? c == atom->arg : set_has(&run->pattern->sets[atom->arg], c);
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
        case OP_AGAIN:
            if (p != run->save[at->arg] && run_at(run, at + at->first, p))
                return true;
            break;
        case OP_AHEAD:
            /* Where it ran away, the step behind it fails: giving up is not an answer. */
            if (run_at(run, at + 1, p) != (at->arg == '='))
                return false;
            at += at->first;
            continue;
        case OP_BEGIN:
            if (p != run->start)
                return false;
            break;
        case OP_END:
            if (p != run->end)
                return false;
            break;
        case OP_MATCH:
            run->save[SLOT_WHOLE + 1] = p;
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
            run.save[SLOT_WHOLE] = p;
            enum slot slot = pattern->grouped ? SLOT_GROUP : SLOT_WHOLE;
            const char *from = run.save[slot], *to = run.save[slot + 1];
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
