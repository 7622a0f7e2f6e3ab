/* SPDX-License-Identifier: Apache-2.0 */
/* What the process takes, for metrics and `spendlog status`. */
#ifndef RUN_MEMORY_H
#define RUN_MEMORY_H

#include <stdint.h>

struct memory {
    int64_t resident_bytes, peak_bytes; /* 0: not known */
};

struct memory memory_now(void);

#endif
