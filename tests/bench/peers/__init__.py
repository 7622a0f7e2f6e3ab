# SPDX-License-Identifier: Apache-2.0
"""Other programs on the same topic in the same run, where they can be had."""


def run(bench, results):
    """Lines of the report."""
    return []
