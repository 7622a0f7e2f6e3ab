/* SPDX-License-Identifier: Apache-2.0 */
/* Hashing keys, finding credentials, dropping words of people. */
#include "ingest/secrecy.h"

#include "core/hash.h"
#include "core/hex.h"

#include <ctype.h>
#include <pthread.h>
#include <strings.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* --- forms of keys ------------------------------------------------------------------------- */

enum alphabet { WORD, UPPER, TOKEN }; /* [A-Za-z0-9_-], [A-Z0-9], and . ~ + / = beside WORD */

/* From the issuers' documentation and GitHub's list of secret scanning patterns. `telling`: a digit
 * has to be among the characters, so that words of a language are not taken for keys. */
static const struct form {
    const char *prefix;
    enum alphabet alphabet;
    uint8_t least; /* characters after the prefix */
    bool telling;
    bool scheme; /* of an Authorization header, in any case; a blank and the credential follow */
} form[] = {
    {"sk-", WORD, 12, true, false},       {"sk_live_", WORD, 12, false, false},
    {"sk_test_", WORD, 12, false, false}, {"rk_live_", WORD, 12, false, false},
    {"AKIA", UPPER, 16, false, false},    {"ASIA", UPPER, 16, false, false},
    {"AIza", WORD, 30, false, false},     {"ya29.", WORD, 16, false, false},
    {"gsk_", WORD, 16, false, false},     {"xai-", WORD, 16, true, false},
    {"hf_", WORD, 16, false, false},      {"r8_", WORD, 16, false, false},
    {"pplx-", WORD, 16, true, false},     {"nvapi-", WORD, 16, false, false},
    {"ghp_", WORD, 20, false, false},     {"gho_", WORD, 20, false, false},
    {"ghu_", WORD, 20, false, false},     {"ghs_", WORD, 20, false, false},
    {"ghr_", WORD, 20, false, false},     {"github_pat_", WORD, 20, false, false},
    {"glpat-", WORD, 16, false, false},   {"xoxb-", WORD, 10, true, false},
    {"xoxp-", WORD, 10, true, false},     {"xoxa-", WORD, 10, true, false},
    {"xapp-", WORD, 10, true, false},     {"dapi", WORD, 32, true, false},
    {"Bearer", TOKEN, 8, true, true},     {"Basic", TOKEN, 12, true, true},
};

#define PEM "-----BEGIN "

static bool in_alphabet(enum alphabet alphabet, char c)
{
    unsigned char u = (unsigned char)c;
    if (alphabet == UPPER)
        return isdigit(u) || (u >= 'A' && u <= 'Z');
    return u < 0x80 &&
           (isalnum(u) || u == '_' || u == '-' || (alphabet == TOKEN && u && strchr(".~+/=\\", u)));
}

static size_t run_of(enum alphabet alphabet, struct slice text)
{
    size_t i = 0;
    while (i < text.bytes && in_alphabet(alphabet, text.p[i]))
        i++;
    return i;
}

static bool has_digit(struct slice text)
{
    for (size_t i = 0; i < text.bytes; i++)
        if (text.p[i] >= '0' && text.p[i] <= '9')
            return true;
    return false;
}

/* The credential after "Bearer " or "Basic "; base64 need not hold a digit, but then a capital in
 * its middle or its filling. */
static bool is_credential(struct slice text)
{
    if (has_digit(text) || memchr(text.p, '=', text.bytes))
        return true;
    for (size_t i = 1; i < text.bytes; i++)
        if (text.p[i] >= 'A' && text.p[i] <= 'Z')
            return true;
    return false;
}

static struct slice form_at(const struct form *f, struct slice text)
{
    static const struct slice none = {"", 0};
    size_t prefix = strlen(f->prefix);
    if (text.bytes < prefix + f->least ||
        (f->scheme ? strncasecmp(text.p, f->prefix, prefix) : memcmp(text.p, f->prefix, prefix)))
        return none;
    struct slice rest = {text.p + prefix, text.bytes - prefix};
    if (f->scheme) {
        size_t blanks = 0;
        while (blanks < rest.bytes && rest.p[blanks] == ' ')
            blanks++;
        if (blanks == 0)
            return none;
        rest = (struct slice){rest.p + blanks, rest.bytes - blanks};
    }
    size_t run = run_of(f->alphabet, rest);
    struct slice body = {rest.p, run};
    if (run < f->least || (f->telling && !(f->scheme ? is_credential(body) : has_digit(body))))
        return none;
    return f->scheme ? body : (struct slice){text.p, prefix + run};
}

/* "eyJ..." . "..." . "...": a JSON web token, whose last part may be missing. */
static struct slice web_token_at(struct slice text)
{
    size_t bytes = 0;
    unsigned parts = 0;
    if (!slice_starts(text, SLICE("eyJ")))
        return (struct slice){"", 0};
    while (parts < 3) {
        size_t run = run_of(WORD, (struct slice){text.p + bytes, text.bytes - bytes});
        if (run < 8 && parts < 2)
            break;
        bytes += run;
        if (++parts == 3 || bytes == text.bytes || text.p[bytes] != '.')
            break;
        bytes++;
    }
    return parts < 2 ? (struct slice){"", 0} : (struct slice){text.p, bytes};
}

/* A private key goes to the end of the text. */
static struct slice pem_at(struct slice text)
{
    bool private = slice_starts(text, SLICE(PEM)) && text.bytes > sizeof(PEM) &&
                   memmem(text.p, text.bytes < 64 ? text.bytes : 64, "PRIVATE KEY", 11);
    return private ? text : (struct slice){"", 0};
}

static struct slice key_at(struct slice text)
{
    struct slice key = text.p[0] == 'e'   ? web_token_at(text)
                       : text.p[0] == '-' ? pem_at(text)
                                          : (struct slice){"", 0};
    for (size_t i = 0; key.bytes == 0 && i < sizeof form / sizeof form[0]; i++)
        if ((text.p[0] | 0x20) == (form[i].prefix[0] | 0x20))
            key = form_at(&form[i], text);
    return key;
}

/* Where a key may begin, made once from the forms: for the first byte the low five bits that the
 * second may have. Most texts are passed over by this alone, and short ones by their length. */
static uint32_t second_of[256];
static size_t key_bytes_min = sizeof "eyJ12345.12345678" - 1;
static pthread_once_t starts_made = PTHREAD_ONCE_INIT;

static void start_add(const char *prefix)
{
    unsigned char first = (unsigned char)prefix[0];
    uint32_t second = UINT32_C(1) << (prefix[1] & 31);
    second_of[first] |= second;
    second_of[isalpha(first) ? first ^ 0x20 : first] |= second;
}

static void starts_make(void)
{
    start_add("eyJ");
    start_add(PEM);
    for (size_t i = 0; i < sizeof form / sizeof form[0]; i++) {
        size_t bytes = strlen(form[i].prefix) + form[i].scheme + form[i].least;
        key_bytes_min = bytes < key_bytes_min ? bytes : key_bytes_min;
        start_add(form[i].prefix);
    }
}

static inline bool may_start(const char *p)
{
    return second_of[(unsigned char)p[0]] >> (p[1] & 31) & 1;
}

#ifdef __SSE2__
/* A bit for each of 16 bytes that is neither a letter nor a digit of ASCII. */
static inline unsigned breaks16(const char *p)
{
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m128i digit = _mm_sub_epi8(v, _mm_set1_epi8('0'));
    __m128i letter = _mm_sub_epi8(_mm_or_si128(v, _mm_set1_epi8(0x20)), _mm_set1_epi8('a'));
    __m128i inside =
        _mm_or_si128(_mm_cmpeq_epi8(_mm_min_epu8(digit, _mm_set1_epi8(9)), digit),
                     _mm_cmpeq_epi8(_mm_min_epu8(letter, _mm_set1_epi8('z' - 'a')), letter));
    return ~(unsigned)_mm_movemask_epi8(inside) & 0xffff;
}
#endif

/* The first place from p on, before `last`, behind which a word may begin; else `last`. The text
 * goes on to `end`. */
static inline const char *next_break(const char *p, const char *last, const char *end)
{
#ifdef __SSE2__
    for (; p < last && end - p >= 16; p += 16) {
        unsigned breaks = breaks16(p);
        if (breaks) {
            p += __builtin_ctz(breaks);
            return p < last ? p : last;
        }
    }
#else
    (void)end;
#endif
    while (p < last && isalnum((unsigned char)*p))
        p++;
    return p < last ? p : last;
}

/* Keys begin where words do: at the start, and behind what is neither letter nor digit. */
static struct slice key_find(struct slice text)
{
    if (text.bytes < key_bytes_min)
        return (struct slice){"", 0};
    const char *end = text.p + text.bytes, *last = end - key_bytes_min;
    for (const char *p = text.p; p <= last; p = next_break(p, last, end) + 1) {
        if (!may_start(p))
            continue;
        struct slice key = key_at((struct slice){p, (size_t)(end - p)});
        if (key.bytes > 0)
            return key;
    }
    return (struct slice){"", 0};
}

struct slice secrecy_find(struct slice text)
{
    pthread_once(&starts_made, starts_make);
    return key_find(text);
}

/* --- texts --------------------------------------------------------------------------------- */

static char *hash_put(char *to, struct slice key)
{
    char hex[SHA256_HEX_BYTES];
    hash_sha256_hex(key, hex);
    memcpy(to, hex, SHA256_HEX_BYTES - 1);
    return to + SHA256_HEX_BYTES - 1;
}

/* Copies the text with each key replaced; at `to` there is room for room_for() bytes. */
static char *keys_replace(char *to, struct slice text)
{
    const char *end = text.p + text.bytes, *from = text.p;
    for (struct slice key; (key = key_find((struct slice){from, (size_t)(end - from)})).bytes;) {
        memcpy(to, from, (size_t)(key.p - from));
        to = hash_put(to + (key.p - from), key);
        from = key.p + key.bytes;
    }
    memcpy(to, from, (size_t)(end - from));
    return to + (end - from);
}

static size_t room_for(size_t bytes)
{
    return bytes + (bytes / 8 + 1) * (SHA256_HEX_BYTES - 1); /* no key is shorter than 8 */
}

/* false: there is no room, and the text is not to be kept. */
static bool text_clean(struct eval *eval, struct slice *text, unsigned *flags)
{
    if (key_find(*text).bytes == 0)
        return true;
    *flags |= FLAG_KEY_HASHED;
    char *to = arena_alloc(eval->batch, room_for(text->bytes));
    if (!to)
        return false;
    *text = (struct slice){to, (size_t)(keys_replace(to, *text) - to)};
    return true;
}

/* --- metadata ------------------------------------------------------------------------------ */

/* Members in which people or models speak, at any depth; numbers and booleans of that name stay. */
static bool member_speaks(struct slice name, char first)
{
#define NAME(name)                                                                                 \
    {                                                                                              \
        name, sizeof name - 1                                                                      \
    }
    static const struct slice names[] = {
        NAME("messages"),     NAME("message"),       NAME("prompt"),           NAME("prompts"),
        NAME("completion"),   NAME("choices"),       NAME("completions"),      NAME("contents"),
        NAME("content"),      NAME("input"),         NAME("output"),           NAME("response"),
        NAME("instructions"), NAME("system_prompt"), NAME("systemInstruction")};
#undef NAME
    if (first != '"' && first != '{' && first != '[')
        return false;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (name.bytes == names[i].bytes && (name.p[0] | 0x20) == names[i].p[0] &&
            strncasecmp(name.p, names[i].p, name.bytes) == 0)
            return true;
    return false;
}

/* Over valid JSON, as the reader left it. */
struct rewrite {
    const char *p, *end;
    char *to;
};

static void blanks_pass(struct rewrite *walk)
{
    while (walk->p < walk->end && memchr(" \t\r\n", *walk->p, 4))
        walk->p++;
}

static struct slice string_take(struct rewrite *walk)
{
    const char *start = ++walk->p;
    while (walk->p < walk->end && *walk->p != '"')
        walk->p += *walk->p == '\\' ? 2 : 1;
    struct slice text = {start, (size_t)(walk->p - start)};
    walk->p++;
    return text;
}

static void put(struct rewrite *walk, char c)
{
    if (walk->to)
        *walk->to++ = c;
}

static void string_put(struct rewrite *walk, struct slice text)
{
    put(walk, '"');
    if (walk->to)
        walk->to = keys_replace(walk->to, text);
    put(walk, '"');
}

static void value_walk(struct rewrite *walk);

/* A value that is left out is walked over with no place to write. */
static void member_walk(struct rewrite *walk, bool *first)
{
    struct slice name = string_take(walk);
    blanks_pass(walk);
    walk->p++; /* : */
    blanks_pass(walk);
    char *to = walk->to;
    if (member_speaks(name, *walk->p)) {
        walk->to = NULL;
        value_walk(walk);
        walk->to = to;
        return;
    }
    if (!*first)
        put(walk, ',');
    *first = false;
    string_put(walk, name);
    put(walk, ':');
    value_walk(walk);
}

static void container_walk(struct rewrite *walk, char close)
{
    bool first = true;
    put(walk, *walk->p++);
    for (blanks_pass(walk); *walk->p != close; blanks_pass(walk)) {
        if (*walk->p == ',') {
            walk->p++;
            continue;
        }
        if (close == '}') {
            member_walk(walk, &first);
            continue;
        }
        if (!first)
            put(walk, ',');
        first = false;
        value_walk(walk);
    }
    put(walk, *walk->p++);
}

static void value_walk(struct rewrite *walk)
{
    blanks_pass(walk);
    if (*walk->p == '{' || *walk->p == '[') {
        container_walk(walk, *walk->p == '{' ? '}' : ']');
    } else if (*walk->p == '"') {
        string_put(walk, string_take(walk));
    } else {
        while (walk->p < walk->end && !memchr(",]} \t\r\n", *walk->p, 7))
            put(walk, *walk->p++);
    }
}

/* Whether a member speaks, at any depth. */
static bool metadata_speaks(struct slice json)
{
    struct rewrite walk = {json.p, json.p + json.bytes, NULL};
    while (walk.p < walk.end && (walk.p = memchr(walk.p, '"', (size_t)(walk.end - walk.p)))) {
        struct slice text = string_take(&walk);
        blanks_pass(&walk);
        if (walk.p == walk.end || *walk.p != ':')
            continue;
        walk.p++;
        blanks_pass(&walk);
        if (member_speaks(text, *walk.p))
            return true;
    }
    return false;
}

static bool metadata_clean(struct eval *eval, struct slice *json, unsigned *flags)
{
    bool has_key = key_find(*json).bytes > 0;
    if (!has_key && !metadata_speaks(*json))
        return true;
    if (has_key)
        *flags |= FLAG_KEY_HASHED;
    char *to = arena_alloc(eval->batch, room_for(json->bytes));
    struct rewrite walk = {json->p, json->p + json->bytes, to};
    if (!to)
        return false;
    value_walk(&walk);
    *json = (struct slice){to, (size_t)(walk.to - to)};
    return true;
}

/* --- the virtual key ----------------------------------------------------------------------- */

static struct slice trimmed(struct slice text)
{
    for (; text.bytes > 0 && isspace((unsigned char)text.p[0]); text.bytes--)
        text.p++;
    while (text.bytes > 0 && isspace((unsigned char)text.p[text.bytes - 1]))
        text.bytes--;
    return text;
}

static bool is_hash(struct slice key)
{
    if (key.bytes != SHA256_HEX_BYTES - 1)
        return false;
    for (size_t i = 0; i < key.bytes; i++)
        if (hex_digit(key.p[i]) < 0)
            return false;
    return true;
}

/* What follows "Bearer" or "Basic" and blanks, in any case. */
static struct slice credential_of(struct slice key)
{
    static const char *const schemes[] = {"bearer", "basic"};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t bytes = strlen(schemes[i]);
        if (key.bytes > bytes && strncasecmp(key.p, schemes[i], bytes) == 0 &&
            isspace((unsigned char)key.p[bytes]))
            return trimmed((struct slice){key.p + bytes, key.bytes - bytes});
    }
    return key;
}

static bool key_clean(struct eval *eval, const struct mapping *mapping, struct slice *key,
                      unsigned *flags)
{
    if (mapping->keys_named)
        return text_clean(eval, key, flags);
    if (is_hash(*key))
        return true;
    struct slice credential = credential_of(trimmed(*key));
    if (credential.bytes == 0)
        return false;
    *flags |= FLAG_KEY_HASHED;
    char *hex = arena_alloc(eval->batch, SHA256_HEX_BYTES);
    if (!hex)
        return false;
    hash_put(hex, credential);
    *key = (struct slice){hex, SHA256_HEX_BYTES - 1};
    return true;
}

/* --- the event ----------------------------------------------------------------------------- */

static bool tags_clean(struct eval *eval, union value *value, unsigned *flags)
{
    const struct tags *tags = value->t;
    size_t i = 0;
    while (i < tags->count && key_find(tags->tag[i]).bytes == 0)
        i++;
    if (i == tags->count)
        return true;
    struct tags *clean = arena_alloc(eval->batch, sizeof *clean);
    struct slice *tag = arena_alloc(eval->batch, tags->count * sizeof *tag);
    if (!clean || !tag)
        return false;
    for (i = 0; i < tags->count; i++) {
        tag[i] = tags->tag[i];
        if (!text_clean(eval, &tag[i], flags))
            return false;
    }
    *clean = (struct tags){tags->count, tag};
    value->t = clean;
    return true;
}

static bool label_clean(struct eval *eval, const struct mapping *mapping, enum label label,
                        union value *value, unsigned *flags)
{
    if (label == LABEL_API_KEY)
        return key_clean(eval, mapping, &value->s, flags);
    switch (label_info[label].kind) {
    case KIND_TEXT:
        return text_clean(eval, &value->s, flags);
    case KIND_JSON:
        return metadata_clean(eval, &value->s, flags);
    case KIND_TAGS:
        return tags_clean(eval, value, flags);
    default:
        return true;
    }
}

/* "https://user:secret@host:443/path" to "host": it decides rules. */
static void host_clean(struct facts *facts)
{
    if (!facts_has(facts, FACT_API_HOST))
        return;
    struct slice host = facts->v[FACT_API_HOST].s;
    const char *scheme = memchr(host.p, ':', host.bytes), *end = host.p + host.bytes;
    while (scheme && (end - scheme < 3 || memcmp(scheme, "://", 3) != 0))
        scheme = memchr(scheme + 1, ':', (size_t)(end - scheme - 1));
    if (scheme) {
        host.bytes -= (size_t)(scheme + 3 - host.p);
        host.p = scheme + 3;
    }
    for (size_t i = 0; i < host.bytes; i++)
        if (host.p[i] == '/' || host.p[i] == '?' || host.p[i] == '#' || host.p[i] == '\0')
            host.bytes = i;
    const char *at = memrchr(host.p, '@', host.bytes);
    if (at) {
        host.bytes -= (size_t)(at + 1 - host.p);
        host.p = at + 1;
    }
    facts->v[FACT_API_HOST].s = host;
}

void secrecy_apply(struct eval *eval, const struct mapping *mapping, struct event *event)
{
    unsigned flags = 0;
    pthread_once(&starts_made, starts_make);
    host_clean(&event->facts);
    for (uint64_t present = event->labels.present; present; present &= present - 1) {
        enum label label = (enum label)__builtin_ctzll(present);
        if (!label_clean(eval, mapping, label, &event->labels.v[label], &flags))
            event->labels.present &= ~(UINT64_C(1) << label);
    }
    event->flags |= flags;
}
