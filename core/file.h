/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of the operator: configuration, prices, secrets. What cannot be read is an error that names
 * the file, before anything waits for it; the stream that is given belongs to the caller.
 */
#ifndef CORE_FILE_H
#define CORE_FILE_H

#include "core/err.h"

#include <stdio.h>

/* For reading. A pipe that nobody writes to is given up after seconds, instead of waiting for ever
 * before anything is said. ERR_CONFIG. */
FILE *file_open(const char *path, struct err *err);

#endif
