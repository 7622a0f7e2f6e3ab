/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Made-up LiteLLM payloads, the same for the same number: `models` models, `keys` keys, 50 teams.
 * A small one is 1.1 KB (usage and metadata), a big one 4 KB (prompt and answer too). Events start
 * a millisecond apart, give or take two seconds, as calls of different length are reported.
 */
#ifndef TESTS_BENCH_PAYLOAD_H
#define TESTS_BENCH_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAYLOAD_BYTES_MAX 8192
#define PAYLOAD_MODELS_MAX 40

struct payload_plan {
    uint64_t seed;
    int64_t base_us; /* when the first event starts */
    bool big;
    unsigned keys, models, end_users;
    unsigned session_calls;  /* so many events after each other are a session; 0: none are */
    unsigned duplicates_ppm; /* events that were sent before, any time before */
};

/* A number's well mixed bits (splitmix64). */
uint64_t payload_mix(uint64_t n);

/* The bytes of event `n`; returns their count. `start_us` != 0 is when it starts. */
size_t payload_write(const struct payload_plan *plan, uint64_t n, int64_t start_us,
                     char text[PAYLOAD_BYTES_MAX]);

/* Options --big, --keys N, --models N, --end-users N, --session-calls N, --duplicates-ppm N, --seed
 * N, --base-us N; returns the index of the first word that is none of them. */
int payload_options(struct payload_plan *plan, int argc, char **argv);

#endif
