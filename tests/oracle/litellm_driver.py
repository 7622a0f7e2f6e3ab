# SPDX-License-Identifier: Apache-2.0
"""
Runs inside the oracle's virtual environment: requests and answers in, cases out. LiteLLM's own Logging object
prices each and makes the event, as its callbacks get it; its Router registers the deployments of a configuration.

    python litellm_driver.py REQUESTS.jsonl CASES.jsonl [MAP.json]

Nothing of LiteLLM is copied here: what a version lacks is told by the name of the missing thing, and the
requests that need it are counted as not asked.
"""
import asyncio
import datetime
import importlib
import inspect
import json
import os
import re
import socket
import sys
import time
import warnings

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
os.environ["TZ"] = "UTC"
warnings.simplefilter("ignore")

# ---- the clock: LiteLLM prices some calls by the time of now; here that is the end of the call at hand

REAL, REAL_TIME = datetime.datetime, time.time
NOW = [None]


class AnyDatetime(type):
    """What C code makes is a datetime too, and not of our class."""
    def __instancecheck__(cls, instance):
        return isinstance(instance, REAL)


class Clock(datetime.datetime, metaclass=AnyDatetime):
    @classmethod
    def now(cls, tz=None):
        return REAL.now(tz) if NOW[0] is None else REAL.fromtimestamp(NOW[0], tz)

    @classmethod
    def utcnow(cls):
        return cls.now(datetime.timezone.utc).replace(tzinfo=None)


# Before LiteLLM is imported: whoever takes either by name takes these.
datetime.datetime = Clock
time.time = lambda: REAL_TIME() if NOW[0] is None else NOW[0]


def refuse_network(*_args, **_kwargs):
    raise OSError("the oracle has no network")


# In-process only: whatever tries to leave fails at once and loudly.
socket.socket.connect = refuse_network
socket.getaddrinfo = refuse_network

import litellm  # noqa: E402
from litellm.litellm_core_utils.get_litellm_params import get_litellm_params  # noqa: E402
from litellm.litellm_core_utils import litellm_logging  # noqa: E402
from litellm.litellm_core_utils.llm_response_utils import response_metadata  # noqa: E402

litellm.suppress_debug_info = True
litellm.turn_off_message_logging = False


class Missing(Exception):
    """This LiteLLM has no such thing."""


def find(path):
    module, name = path.rsplit(".", 1)
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError):
        raise Missing(path) from None


# ---- answers: what a provider said, as the object LiteLLM holds it in

ANSWERS = {
    "chat": "litellm.ModelResponse",
    "text": "litellm.TextCompletionResponse",
    "embedding": "litellm.EmbeddingResponse",
    "image": "litellm.ImageResponse",
    "transcription": "litellm.types.utils.TranscriptionResponse",
    "rerank": "litellm.types.rerank.RerankResponse",
    "responses": "litellm.types.llms.openai.ResponsesAPIResponse",
    "ocr": "litellm.llms.base_llm.ocr.transformation.OCRResponse",
    "search": "litellm.llms.base_llm.search.transformation.SearchResponse",
    "video": "litellm.types.videos.main.VideoObject",
    "batch": "litellm.types.utils.LiteLLMBatch",
    "decisions": "litellm.types.decisions.DecisionsResponse",
    "extraction": "litellm.types.extraction.ExtractionResponse",
    "moderation": "litellm.types.llms.openai.OpenAIModerationResponse",
}


def speech(_body):
    import httpx
    reply = httpx.Response(200, content=b"ab", headers={"content-type": "audio/mpeg"})
    return find("litellm.types.llms.openai.HttpxBinaryResponseContent")(reply)


def construct(kind, body):
    """Members that a constructor of an older version does not take are set afterwards, as its handlers do."""
    try:
        return kind(**body)
    except TypeError:
        taken = set(inspect.signature(kind.__init__).parameters)
        made = kind(**{name: value for name, value in body.items() if name in taken})
        for name in set(body) - taken:
            setattr(made, name, body[name])
        return made


def build_answer(answer, spilled=False):
    kind, body = answer["kind"], answer["body"]
    if kind in ("dict", "realtime"):
        return body
    if kind == "mcp":
        return find("mcp.types.CallToolResult")(**body)
    if kind == "speech":
        return speech(body)
    made = construct(find(ANSWERS[kind]), body)
    hidden = dict(answer.get("hidden") or {})
    if spilled:
        hidden["additional_headers"] = {**hidden.get("additional_headers", {}), "llm_provider-x-ms-is-spilled-over": "true"}
    if hidden:
        made._hidden_params = {**(getattr(made, "_hidden_params", None) or {}), **hidden}
    return made


# ---- one request

def moment(seconds):
    return REAL.fromtimestamp(seconds)


def split_name(request):
    full = request["model"]
    if request.get("bare"):
        return full, request["provider"]
    try:
        model, provider, _, _ = litellm.get_llm_provider(model=full)
        return model, provider
    except Exception:
        return (full.split("/", 1)[1] if full.startswith(request["provider"] + "/") else full), request["provider"]


def deployment_of(registered, request):
    """What the router gives a call of this alias: its parameters, and what it stamps into the metadata."""
    found = registered[request["deployment"]]
    params = {k: v for k, v in found["litellm_params"].items() if v is not None and k != "model"}
    metadata = {"deployment": found["litellm_params"]["model"], "model_info": found["model_info"],
                "model_group": found["model_name"], "deployment_model_name": found["model_name"],
                "api_base": found["litellm_params"].get("api_base")}
    return params, metadata


def make_log(request, registered):
    params, metadata = deployment_of(registered, request) if registered else ({}, {})
    metadata = {"user_api_key_hash": request["key"], "user_api_key_user_id": "u-1", **metadata,
                **request.get("metadata", {})}
    model, provider = split_name(request)
    given = {**request.get("litellm_params", {}), **params}
    given.pop("custom_llm_provider", None)
    stores = "litellm_metadata" if "responses" in request["call_type"] and registered else "metadata"
    optional = request.get("optional_params", {})
    kwargs = {**given, **optional, stores: metadata}
    if metadata.get("model_info"):
        kwargs["model_info"] = metadata["model_info"]
    log = litellm_logging.Logging(model=request["model"], messages=request["messages"], stream=request.get("stream"),
                  call_type=request["call_type"], start_time=moment(request["started"]),
                  litellm_call_id=request["call_id"], function_id="", litellm_trace_id=request["call_id"],
                  kwargs=dict(kwargs))
    made = get_litellm_params(custom_llm_provider=provider, **{k: v for k, v in kwargs.items() if k not in optional})
    if request["call_type"].startswith("a"):
        made["acompletion"] = None
    log.update_environment_variables(litellm_params=made, optional_params=dict(optional), model=model,
                                     custom_llm_provider=provider, **request.get("details", {}))
    return log, kwargs


def run_batch(request, log, result, start, end):
    """LiteLLM prices a retrieved batch from the lines of its output file, which here is at hand."""
    cost = find("litellm.batches.batch_utils.calculate_batch_cost_and_usage")
    wanted = inspect.signature(cost).parameters

    async def from_lines(**asked):
        return await cost(file_content_dictionary=request["batch_lines"],
                          **{k: v for k, v in asked.items() if k in wanted})

    for name in ("handle_completed_batch", "_handle_completed_batch"):
        if hasattr(litellm_logging, name):
            setattr(litellm_logging, name, from_lines)
    asyncio.run(log.async_success_handler(result, start, end, None))


def bill_failed_attempts(request, log):
    """What the router does between two attempts of one call, with LiteLLM's own price of what the failed one used."""
    for used in request.get("failed_attempts", ()):
        usage = litellm.Usage(**used)
        body = {**request["answer"]["body"], "usage": usage, "choices": []}
        cost = log.response_cost_calculator(result=construct(find(ANSWERS["chat"]), body))
        log.model_call_details.update({"combined_usage_object": usage, "response_cost": cost})
        if not hasattr(log, "_stash_owed_on_success"):
            raise Missing("billed attempts of a call that succeeds")
        log._stash_owed_on_success = True
        log.carry_failed_attempt_usage()


def count_meters(request, log):
    counted = request.get("metered")
    if counted:
        key = find("litellm.cost_calculator.REALTIME_METERED_USAGE_KEY")
        log.model_call_details[key] = find("litellm.cost_calculator.RealtimeMeteredUsage")(**counted)


def ask(request, registered):
    NOW[0] = request["started"] + request["seconds"]
    log, kwargs = make_log(request, registered)
    bill_failed_attempts(request, log)
    count_meters(request, log)
    start, end = moment(request["started"]), moment(request["started"] + request["seconds"])
    if request.get("failure"):
        error = litellm.exceptions.RateLimitError("busy", llm_provider="x", model=request["model"])
        log.failure_handler(error, "", start, end)
        return log
    result = build_answer(request["answer"], request.get("spilled"))
    hit = request.get("cache_hit")
    if request.get("batch_lines"):
        run_batch(request, log, result, start, end)
        return log
    if not request.get("stream") and request["answer"]["kind"] not in ("realtime", "dict", "mcp"):
        named = request["model"] if "/" in request["model"] else f"{log.model_call_details['custom_llm_provider']}/{request['model']}"
        takes_hit = "cache_hit" in inspect.signature(response_metadata.update_response_metadata).parameters
        response_metadata.update_response_metadata(result=result, logging_obj=log, model=named, kwargs=kwargs,
                                                   start_time=start, end_time=end,
                                                   **({"cache_hit": hit} if hit and takes_hit else {}))
    log.success_handler(result, start, end, hit)
    return log


def strip(event):
    event["id"] = re.sub(r"_cache_hit[0-9.]+$", "_cache_hit1789000000.0", event["id"])  # LiteLLM puts its clock there
    event["model_map_information"] = {**(event.get("model_map_information") or {}), "model_map_value": None}
    if event.get("response_cost_failure_debug_info"):
        event["response_cost_failure_debug_info"]["traceback_str"] = ""
    return event


def falsify(event):
    """The gateway's own figures of cost, wrong on purpose: who copies them is found out."""
    def wrong(value):
        return value * 1.5 + 0.01 if isinstance(value, (int, float)) and not isinstance(value, bool) else value
    event["response_cost"] = wrong(event["response_cost"])
    if event["hidden_params"].get("response_cost") is not None:
        event["hidden_params"]["response_cost"] = wrong(event["hidden_params"]["response_cost"])
    for name in event.get("cost_breakdown") or {}:
        if name.endswith(("_cost", "_amount")):
            event["cost_breakdown"][name] = wrong(event["cost_breakdown"][name])
    return event


def case_of(spec, registered, priced_by=None):
    request = spec["request"]
    log = ask(request, registered)
    event = log.model_call_details.get("standard_logging_object")
    if event is None:
        raise Missing(f"no event for {request['call_type']}")
    event = strip(json.loads(json.dumps(event, default=str)))
    # 1.110.2 logs 0 and keeps the reason for what it cannot price.
    known = not event.get("response_cost_failure_debug_info") and log.model_call_details.get("response_cost") is not None
    case = {"id": spec["id"], "tags": spec["tags"], "event": event, "key": spec["key"],
            "expected": {"response_cost": event["response_cost"], "cost_breakdown": event.get("cost_breakdown"),
                         "priced": bool(known or event["status"] != "success" or event.get("cache_hit") is True)}}
    if spec.get("config"):
        case["config"] = spec["config"]
    if request.get("environment"):
        case["env"] = request["environment"]
    if priced_by is not None:
        case["overrides"] = "merge"
        case["expected"] = priced_by
    if spec.get("drift"):
        case["event"] = falsify(json.loads(json.dumps(event)))
    return case


# ---- configurations: each in a child of its own, since a Router rewrites LiteLLM's map for the whole process

def register(config):
    from litellm import Router
    settings = config.get("litellm_settings", {})
    litellm.cost_discount_config = settings.get("cost_discount_config", {})
    litellm.cost_margin_config = settings.get("cost_margin_config", {})
    router = Router(model_list=json.loads(json.dumps(config["model_list"])))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = router.model_list
    return [json.loads(json.dumps(row if isinstance(row, dict) else row.model_dump(), default=str)) for row in rows]


def warm_up():
    """What a first Router imports and builds, once for all children; the map is as it was before."""
    from litellm import Router
    before = json.loads(json.dumps(litellm.model_cost, default=str))
    Router(model_list=[{"model_name": "warm", "litellm_params": {"model": "openai/oracle-warm", "api_key": "x",
                                                                 "input_cost_per_token": 1e-6}}])
    for name in set(litellm.model_cost) - set(before):
        del litellm.model_cost[name]
    if json.loads(json.dumps(litellm.model_cost, default=str)) != before:
        raise Missing("a Router that leaves the map's rows alone")


def in_child(work):
    """The lines that `work` gives, from a forked child: its LiteLLM is thrown away with it."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(read)
            with os.fdopen(write, "w") as out:
                for line in work():
                    out.write(line + "\n")
            code = 0
        except Exception as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
        finally:
            os._exit(code)
    os.close(write)
    with os.fdopen(read) as source:
        lines = source.read().splitlines()
    os.waitpid(child, 0)
    return lines


def outcome(spec, registered=None, priced_by=None):
    try:
        return json.dumps(case_of(spec, registered, priced_by))
    except Missing as missing:
        return json.dumps({"id": spec["id"], "tags": spec["tags"], "missing": str(missing)})
    except Exception as error:
        return json.dumps({"id": spec["id"], "tags": spec["tags"], "missing": f"{type(error).__name__}: {error}"[:300]})


def spelled_figure(spec):
    """Under the configuration with every price spelled out: what mode merge has to come to."""
    made = json.loads(outcome({**spec, "drift": False}, register(spec["spelled"])))
    return json.dumps(made.get("expected"))


def configured(spec):  # no line: this LiteLLM refuses the configuration
    os.environ.update(spec["request"].get("environment", {}))
    try:
        return in_children(spec)
    finally:
        for name in spec["request"].get("environment", {}):
            del os.environ[name]


def in_children(spec):
    if not spec.get("spelled"):
        return in_child(lambda: [outcome(spec, register(spec["config"]))])
    figure = in_child(lambda: [spelled_figure(spec)])
    expected = json.loads(figure[0]) if figure else None
    if expected is None:
        return [json.dumps({"id": spec["id"], "tags": spec["tags"], "missing": "no figure when spelled out"})]
    return in_child(lambda: [outcome(spec, register(spec["config"]), expected)])


def use_map(path):
    """Another map than the package's own, loaded the way LiteLLM loads one."""
    loader = find("litellm.litellm_core_utils.get_model_cost_map.GetModelCostMap")
    with open(path, "rb") as source:
        body = source.read()
    if hasattr(loader, "read_local_model_cost_map_bytes"):
        loader.read_local_model_cost_map_bytes = staticmethod(lambda: body)
    else:
        loader.load_local_model_cost_map = staticmethod(lambda: json.loads(body))
    fresh = find("litellm.litellm_core_utils.get_model_cost_map.get_model_cost_map")("")
    litellm.model_cost.clear()
    litellm.model_cost.update(fresh)
    litellm.add_known_models()


def main():
    requests, cases = sys.argv[1:3]
    if len(sys.argv) > 3:
        use_map(sys.argv[3])
    warm_up()
    with open(requests) as source, open(cases, "w") as out:
        for line in source:
            spec = json.loads(line)
            lines = configured(spec) if spec.get("config") else [outcome(spec)]
            out.writelines(made + "\n" for made in lines or
                           [json.dumps({"id": spec["id"], "tags": spec["tags"], "missing": "the configuration broke it"})])


main()
