/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes of models in their names, as in "llama-3-70b". */
#ifndef PRICING_NAMES_SIZE_H
#define PRICING_NAMES_SIZE_H

#include "core/slice.h"

#include <stdint.h>

#define SIZE_NONE UINT32_MAX

uint32_t size_number(struct slice digits);
size_t size_digits_end(struct slice name, size_t from);
/* The first run of digits directly before `unit`; SIZE_NONE: there is none. */
uint32_t size_before(struct slice name, char unit);

#endif
