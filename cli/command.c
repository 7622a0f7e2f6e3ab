/* SPDX-License-Identifier: Apache-2.0 */
/* What every command goes through, from its options to its exit code. */
#include "cli/command.h"

/* Opens what the row says, and frees it when the command has ended. */
static int run_with_config(const struct command *command, const struct operands *given)
{
    struct config config;
    struct err err = {0};
    bool may_be_absent = command->needs == NEEDS_DEFAULTS || common.cost_map;
    if (!config_open(&config, may_be_absent, &err))
        return fail(&err);
    bool ready = command->needs != NEEDS_POSTGRES || config_has_postgres(&config, &err);
    int code = ready ? command->run(&config, given, &err) : fail(&err);
    config_free(&config);
    return code;
}

int command_run(const struct command *command, int argc, char **argv)
{
    struct operands given;
    struct err err = {0};
    int code = options_parse(command, argc, argv, &given);
    if (code == GO_ON)
        code = command->begin ? command->begin(command, &given) : operands_none(command, &given);
    if (code != GO_ON)
        return code;
    return command->needs == NEEDS_NOTHING ? command->run(NULL, &given, &err)
                                           : run_with_config(command, &given);
}
