/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A backtracking matcher that walks the pattern's own text: an alternative is tried piece by piece,
 * and what follows a piece is a continuation, so that a group may give back what it took. Patterns
 * are a few hundred bytes, names are short, and the result is remembered per name.
 */
#include "pricing/map/family.h"

#include <ctype.h>
#include <stdint.h>
#include <strings.h>

#define DEPTH_MAX 2000 /* a name of so many characters; half a kilobyte of stack each */

struct matcher {
    const char *text, *text_end;
    unsigned steps, depth;
    bool bad;
};

/* What must match after the piece at hand. */
struct rest {
    const char *p, *end; /* pattern still to match */
    const struct rest *next;
    /* a repeated piece: may match again */
    const char *piece, *piece_end;
    const char *from; /* where the last repetition began: an empty one does not repeat */
    unsigned min, max;
};

static bool match_rest(struct matcher *m, const char *s, const struct rest *rest);
static bool match_alternatives(struct matcher *m, const char *s, const char *p, const char *end,
                               const struct rest *rest);

/* Behind the piece that starts at p: a character, an escape, a class or a group. */
static const char *piece_end(struct matcher *m, const char *p, const char *end)
{
    if (*p == '\\')
        return p + 1 < end ? p + 2 : (m->bad = true, end);
    if (*p != '[' && *p != '(')
        return p + 1;
    if (*p == '[') {
        for (p += p + 1 < end && p[1] == '^' ? 3 : 2; p < end && *p != ']'; p++)
            if (*p == '\\')
                p++;
        return p < end ? p + 1 : (m->bad = true, end);
    }
    unsigned depth = 0;
    while (p < end) {
        if (*p == '\\' || *p == '[') {
            p = piece_end(m, p, end);
            continue;
        }
        depth += *p == '(';
        depth -= *p == ')';
        p++;
        if (depth == 0)
            return p;
    }
    m->bad = true;
    return end;
}

static const char *read_count(const char *p, const char *end, unsigned *count)
{
    *count = 0;
    for (; p < end && isdigit((unsigned char)*p) && *count < 1000; p++)
        *count = *count * 10 + (unsigned)(*p - '0');
    return p;
}

/* The repetition written behind a piece; {1, 1} when there is none. */
static const char *read_repeat(struct matcher *m, const char *p, const char *end, unsigned *min,
                               unsigned *max)
{
    *min = *max = 1;
    if (p == end || !strchr("?*+{", *p))
        return p;
    if (*p != '{') {
        *min = *p == '+';
        *max = *p == '?' ? 1 : UINT32_MAX;
        return p + 1;
    }
    p = read_count(p + 1, end, min);
    *max = *min;
    if (p < end && *p == ',') {
        const char *from = ++p;
        p = read_count(p, end, max);
        if (p == from)
            *max = UINT32_MAX;
    }
    if (p == end || *p != '}') {
        m->bad = true;
        return end;
    }
    return p + 1;
}

static bool escape_has(char escape, char c)
{
    switch (escape) {
    case 'd':
        return isdigit((unsigned char)c);
    case 'w':
        return isalnum((unsigned char)c) || c == '_';
    case 's':
        return isspace((unsigned char)c);
    default:
        return tolower((unsigned char)escape) == tolower((unsigned char)c);
    }
}

/* [...] between p and end, brackets included. */
static bool class_has(const char *p, const char *end, char c)
{
    bool negate = p[1] == '^', found = false;
    char low = (char)tolower((unsigned char)c), up = (char)toupper((unsigned char)c);
    for (p += negate ? 2 : 1, end--; p < end; p++) {
        if (*p == '\\' && p + 1 < end) {
            found |= escape_has(*++p, c);
        } else if (p + 2 < end && p[1] == '-') {
            found |= (low >= p[0] && low <= p[2]) || (up >= p[0] && up <= p[2]);
            p += 2;
        } else {
            found |= *p == low || *p == up;
        }
    }
    return found != negate;
}

static bool char_matches(const char *p, const char *end, char c)
{
    if (*p == '[')
        return class_has(p, end, c);
    if (*p == '\\')
        return escape_has(p[1], c);
    return *p == '.' || tolower((unsigned char)*p) == tolower((unsigned char)c);
}

static bool match_group(struct matcher *m, const char *s, const char *p, const char *end,
                        const struct rest *rest)
{
    p++, end--;
    if (p + 1 < end && p[0] == '?' && p[1] == ':')
        return match_alternatives(m, s, p + 2, end, rest);
    if (p + 1 < end && p[0] == '?' && (p[1] == '!' || p[1] == '=')) {
        bool found = match_alternatives(m, s, p + 2, end, NULL);
        return found == (p[1] == '=') && match_rest(m, s, rest);
    }
    if (p < end && *p == '?')
        return m->bad = true, false;
    return match_alternatives(m, s, p, end, rest);
}

static bool match_once(struct matcher *m, const char *s, const char *p, const char *end,
                       const struct rest *rest)
{
    if (*p == '(')
        return match_group(m, s, p, end, rest);
    if (*p == '^')
        return s == m->text && match_rest(m, s, rest);
    if (*p == '$')
        return s == m->text_end && match_rest(m, s, rest);
    return s < m->text_end && char_matches(p, end, *s) && match_rest(m, s + 1, rest);
}

/* Greedy: once more first, then what follows. */
static bool match_repeated(struct matcher *m, const char *s, const struct rest *loop)
{
    if (loop->max > 0 && s != loop->from) {
        struct rest again = *loop;
        again.from = s;
        again.max -= again.max != UINT32_MAX;
        again.min -= again.min > 0;
        if (match_once(m, s, loop->piece, loop->piece_end, &again))
            return true;
    }
    struct rest after = {loop->p, loop->end, loop->next, NULL, NULL, NULL, 0, 0};
    return loop->min == 0 && match_rest(m, s, &after);
}

/* One alternative, without | at its level. */
static bool match_sequence(struct matcher *m, const char *s, const char *p, const char *end,
                           const struct rest *rest)
{
    if (p == end)
        return match_rest(m, s, rest);
    unsigned min, max;
    const char *behind = piece_end(m, p, end);
    const char *next = m->bad ? end : read_repeat(m, behind, end, &min, &max);
    if (m->bad)
        return false;
    if (min == 1 && max == 1) {
        struct rest after = {next, end, rest, NULL, NULL, NULL, 0, 0};
        return match_once(m, s, p, behind, &after);
    }
    struct rest loop = {next, end, rest, p, behind, NULL, min, max};
    return match_repeated(m, s, &loop);
}

static bool match_rest(struct matcher *m, const char *s, const struct rest *rest)
{
    if (!rest)
        return true;
    /* Giving up is not an answer: within (?!...) it would be a match. */
    if (m->bad || ++m->steps > FAMILY_STEPS_MAX || m->depth > DEPTH_MAX) {
        m->bad = true;
        return false;
    }
    m->depth++;
    bool found = rest->piece ? match_repeated(m, s, rest)
                             : match_sequence(m, s, rest->p, rest->end, rest->next);
    m->depth--;
    return found;
}

static bool match_alternatives(struct matcher *m, const char *s, const char *p, const char *end,
                               const struct rest *rest)
{
    const char *from = p;
    while (p < end && !m->bad) {
        if (*p != '|') {
            p = piece_end(m, p, end);
            continue;
        }
        if (match_sequence(m, s, from, p, rest))
            return true;
        from = ++p;
    }
    return !m->bad && match_sequence(m, s, from, end, rest);
}

/* Walks all of a pattern, also what no text would reach. */
static bool walk(struct matcher *m, const char *p, const char *end)
{
    unsigned min, max;
    while (p < end && !m->bad) {
        const char *behind = piece_end(m, p, end);
        if (!m->bad && *p == '(') {
            const char *inner = p + 1;
            if (inner < behind - 1 && *inner == '?') {
                m->bad |= inner + 1 >= behind - 1 || !strchr(":!=", inner[1]);
                inner += 2;
            }
            if (!m->bad)
                walk(m, inner, behind - 1);
        }
        m->bad |= *p == ')' || *p == '?' || *p == '*' || *p == '+';
        if (!m->bad)
            p = read_repeat(m, behind, end, &min, &max);
    }
    return !m->bad;
}

static bool is_literal(const char *p)
{
    return isalnum((unsigned char)*p) || *p == '-' || *p == '/' || *p == '_';
}

/* The longest run of plain characters at the top level that no repetition makes optional. */
static struct slice required_literal(struct slice pattern)
{
    struct matcher m = {0};
    struct slice best = {"", 0}, run = {"", 0};
    const char *end = pattern.p + pattern.bytes;
    for (const char *p = pattern.p, *next; p < end; p = next) {
        unsigned min, max;
        if (*p == '|')
            return (struct slice){"", 0};
        next = read_repeat(&m, piece_end(&m, p, end), end, &min, &max);
        if (!is_literal(p) || next != p + 1)
            run.bytes = 0;
        else
            run = (struct slice){run.bytes ? run.p : p, run.bytes + 1};
        if (run.bytes > best.bytes)
            best = run;
    }
    return best;
}

static bool has_alternatives(struct slice pattern)
{
    struct matcher m = {0};
    const char *end = pattern.p + pattern.bytes;
    for (const char *p = pattern.p; p < end; p = piece_end(&m, p, end))
        if (*p == '|')
            return true;
    return false;
}

bool family_compile(struct slice pattern, struct family *out)
{
    struct matcher m = {0};
    if (!walk(&m, pattern.p, pattern.p + pattern.bytes))
        return false;
    out->pattern = pattern;
    out->literal = required_literal(pattern);
    out->anchored = pattern.bytes && pattern.p[0] == '^' && !has_alternatives(pattern);
    return true;
}

static bool contains_folded(struct slice text, struct slice part)
{
    int first = part.bytes ? tolower((unsigned char)part.p[0]) : 0;
    for (size_t i = 0; i + part.bytes <= text.bytes; i++)
        if (part.bytes == 0 || (tolower((unsigned char)text.p[i]) == first &&
                                strncasecmp(text.p + i, part.p, part.bytes) == 0))
            return true;
    return false;
}

bool family_matches(const struct family *family, struct slice text)
{
    if (!text.p)
        text = SLICE("");
    struct matcher m = {text.p, text.p + text.bytes, 0, 0, false};
    const char *last = family->anchored ? text.p : m.text_end;
    if (!contains_folded(text, family->literal))
        return false;
    for (const char *s = text.p; s <= last; s++) {
        if (match_alternatives(&m, s, family->pattern.p, family->pattern.p + family->pattern.bytes,
                               NULL))
            return true;
        m.depth = 0;
    }
    return false;
}
