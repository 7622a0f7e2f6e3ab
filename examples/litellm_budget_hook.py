# SPDX-License-Identifier: Apache-2.0
"""LiteLLM hook that refuses a call when a budget of spendlog is used up (status 429).

    pip install "psycopg[binary]"                # beside litellm
    # config.yaml of the LiteLLM proxy, this file lying beside it:
    #   litellm_settings: {callbacks: [litellm_callback.to_kafka, litellm_budget_hook.budgets]}

Budgets are set with `spendlog budget set team TEAM 100`: of all, a team, key, user, organization, end user or tag (those of
a provider or model are not asked for: where a call goes is decided later). What
was spent is what the rows come to, so it lags by what is on its way through Kafka, seconds. Environment:
SPENDLOG_POSTGRES, the connection string of a spendlog_reader; SPENDLOG_BUDGET_SECONDS (5), for how long an answer holds;
SPENDLOG_BUDGET_CLOSED=1 refuses calls while the database does not answer, which otherwise go on.
"""
import asyncio
import logging
import os
import time

import psycopg
from fastapi import HTTPException
from litellm.integrations.custom_logger import CustomLogger

log = logging.getLogger("litellm_budget_hook")
HOLDS_S = float(os.environ.get("SPENDLOG_BUDGET_SECONDS", "5"))
CLOSED = os.environ.get("SPENDLOG_BUDGET_CLOSED") == "1"
ANSWER_S = 2.0
REMEMBERED_MAX = 10000
CONNECTIONS_MAX = 4
OVER = "SELECT scope, id, period, amount, spent, until FROM spendlog.budgets_over(%s, %s)"


def can_be_stored(name):
    """Whether PostgreSQL can hold it, and so a row can have it: a caller may send anything."""
    return isinstance(name, str) and name and "\0" not in name and not any("\ud800" <= c <= "\udfff" for c in name)


def whose(key, data):
    """(scope, id) of all that a call counts under. Who put tags into which of the three differs by route."""
    named = [("team", key.team_id), ("key", key.api_key), ("user", key.user_id),
             ("organization", key.org_id), ("end_user", key.end_user_id or data.get("user"))]
    for said in (data.get("metadata"), data.get("litellm_metadata"), data):
        tags = said.get("tags") if isinstance(said, dict) else None
        named += [("tag", tag) for tag in tags] if isinstance(tags, list) else []
    return (("all", ""), *dict.fromkeys((scope, name) for scope, name in named if can_be_stored(name)))


class Budgets(CustomLogger):
    def __init__(self):
        super().__init__()
        self.idle = []  # connections
        self.room = asyncio.Semaphore(CONNECTIONS_MAX)
        self.remembered = {}  # (scope, id)...: (until when, what is used up; None: no answer)
        self.asking = {}  # (scope, id)...: the question on its way, for all who ask it

    async def ask(self, asked):
        async with self.room:
            connection = self.idle.pop() if self.idle else None
            try:
                if connection is None or connection.closed:
                    connection = await psycopg.AsyncConnection.connect(
                        os.environ.get("SPENDLOG_POSTGRES", ""), autocommit=True, connect_timeout=2)
                cursor = await connection.execute(OVER, ([s for s, _ in asked], [i for _, i in asked]))
                over = await cursor.fetchall()
            except BaseException:
                if connection:
                    await connection.close()
                raise
            self.idle.append(connection)
            return over

    async def answer(self, asked):
        """Remembered, also that there was none: the next call does not wait for it again."""
        over = None
        try:
            over = await asyncio.wait_for(self.ask(asked), ANSWER_S)
        except (psycopg.Error, asyncio.TimeoutError, OSError) as error:
            log.warning("budgets: the database does not answer: %r", error)
        finally:
            self.asking.pop(asked, None)
        if len(self.remembered) >= REMEMBERED_MAX:
            self.remembered.clear()
        self.remembered[asked] = (time.monotonic() + HOLDS_S, over)
        return over

    async def used_up(self, asked):
        until, over = self.remembered.get(asked, (0, None))
        if time.monotonic() < until:
            return over
        if asked not in self.asking:
            self.asking[asked] = asyncio.ensure_future(self.answer(asked))
        return await asyncio.shield(self.asking[asked])

    async def async_pre_call_hook(self, user_api_key_dict, cache, data, call_type):
        over = await self.used_up(whose(user_api_key_dict, data))
        if over is None and CLOSED:
            raise HTTPException(503, "budgets cannot be asked for")
        for scope, name, period, amount, spent, until in over or []:
            raise HTTPException(429, f"the budget of {scope} {name} is used up: {spent:.6f} of {amount:.6f} USD this "
                                     f"{period}, until {until:%Y-%m-%d %H:%M} UTC")
        return data


budgets = Budgets()
