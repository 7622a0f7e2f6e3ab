/* SPDX-License-Identifier: Apache-2.0 */
/* What `spendlog prices providers` prints. */
#ifndef CLI_PROVIDERS_PRINT_H
#define CLI_PROVIDERS_PRINT_H

#include <stdbool.h>

/* The table of core/providers.h on standard output: columns and what the traits mean, or one JSON
 * object per provider. */
void providers_print(bool json);

#endif
