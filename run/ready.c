/* SPDX-License-Identifier: Apache-2.0 */
/* Each part is asked by the library that will use it, without a connection. */
#include "run/ready.h"

#include "ingest/kafka.h"
#include "store/server_check.h"

static bool kafka_ready(const struct config *config, struct err *err)
{
    const struct consumer_options options = {
        .property = config->kafka,
        .property_count = config->kafka_count,
        .lanes = config->lanes,
    };
    return consumer_options_check(&options, err);
}

static bool postgres_ready(const struct config *config, struct err *err)
{
    return server_conninfo_check(config->postgres, err) ||
           err_prefix(err, "%s:%u", config->path, config_line(config, "postgres"));
}

bool names_ready(const struct config *config, struct err *err)
{
    return (config->kafka_count == 0 || kafka_ready(config, err)) &&
           (!config->postgres || postgres_ready(config, err));
}

bool run_ready(const struct config *config, struct err *err)
{
    return config_ready(config, CONFIG_RUN, err) && kafka_ready(config, err) &&
           postgres_ready(config, err);
}
