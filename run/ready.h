/* SPDX-License-Identifier: Apache-2.0 */
/* What `run` needs before it opens anything; `check` asks the same. */
#ifndef RUN_READY_H
#define RUN_READY_H

#include "core/config.h"

/* Every setting is there, librdkafka takes its properties, libpq reads the connection string; no
 * server is asked. ERR_CONFIG with file and line. */
/* What is set of them: librdkafka takes the properties, libpq the connection string. */
bool names_ready(const struct config *config, struct err *err) MUST_CHECK;
bool run_ready(const struct config *config, struct err *err) MUST_CHECK;

#endif
