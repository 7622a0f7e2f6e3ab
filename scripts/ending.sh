#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# How a script ends, to be sourced: Ctrl-C ends it with 130, SIGTERM with 143, wherever they fall. A child that
# meets the signal first may fail in its own way, and `set -e` would end the script with that code; and a signal
# may fall into the clean-up of something that failed.
#
#   ending FUNCTION     FUNCTION cleans up, once, undisturbed, whatever ends the script

ending() {
    at_end=$1
    trap 'finish 130' INT
    trap 'finish 143' TERM
    trap 'finish $?' EXIT
}

# A signal that came while a child was ending is taken before the first command here: then this is called
# again, with its code.
finish() { # CODE
    trap 'code=130' INT
    trap 'code=143' TERM
    trap - EXIT
    code=$1
    (trap '' INT TERM && "$at_end")
    exit "$code"
}
