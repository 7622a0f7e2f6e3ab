# SPDX-License-Identifier: Apache-2.0
"""Requests and their answers, one function per kind of call. Each gives (request, answer, tags)."""
import json

from oracle import names, sessions, usage as tokens

WORDS = ("the", "quick", "brown", "fox", "jumps", "over\n", "a", "läzy", "dog", "again ", "  ")
SIZES = ("1024x1024", "512x512", "1536x1024", "1024x1792", "256x256", "2048*2048")


def text(rng, low=1, high=60):
    return " ".join(rng.choice(WORDS) for _ in range(rng.randint(low, high)))


def served(rng, row, name):
    """What the provider says it served: mostly what was asked for, sometimes with a date, a case, or another."""
    bare = name.split("/", 1)[1] if "/" in name else name
    roll = rng.random()
    if roll < 0.75:
        return bare, []
    if roll < 0.82:
        return None, ["served:absent"]
    if roll < 0.88:
        return f"{bare}-2026-05-01", ["served:dated"]
    if roll < 0.92:
        return name, ["served:full"]
    if roll < 0.95:
        return bare.upper(), ["served:upper"]
    return "a-model-nobody-knows", ["served:unmapped"]


def request(rng, ident, row, call_type, **more):
    made = {"call_type": call_type, "model": row.full_name(), "provider": row.provider, "call_id": f"call-{ident}",
            "key": "k" * 8, "messages": [{"role": "user", "content": "ping"}],
            "started": 1789400000 + rng.randint(0, 40 * 86400), "seconds": rng.randint(1, 6400) / 64}
    made.update(more)
    return made


def tier_of(rng, key, row, req, body, use):
    """A tier is asked for, served, or told by the usage; the words are not always the price list's."""
    named = [t for t in tokens_tiers() if t in key]
    if not named and rng.random() > 0.12:
        return []
    tier = named[0] if named else rng.choice((*tokens_tiers(), "fast", "auto", "default", "standard", "PRIORITY", "odd"))
    way = rng.choice(("request", "answer", "answer", "usage", "both"))
    if way in ("request", "both"):
        req.setdefault("optional_params", {})["service_tier"] = tier
    if way in ("answer", "both"):
        body["service_tier"] = tier if way == "answer" else rng.choice((tier, "default"))
    if way == "usage":
        use["service_tier"] = tier
    return ["service_tier", f"tier_via:{way}"]


def tokens_tiers():
    from oracle.rows import TIERS
    return TIERS


def region_of(rng, key, row, req):
    if row.provider == "openai" and ("uplift" in key or rng.random() < 0.04):
        host = rng.choice(("eu.api.openai.com", "us.api.openai.com", "gov.api.openai.com", "api.openai.com"))
        req.setdefault("litellm_params", {})["api_base"] = f"https://{host}/v1"
        return ["data_residency"]
    if row.provider == "vertex_ai" and rng.random() < 0.4:
        req.setdefault("litellm_params", {})["vertex_location"] = rng.choice(("global", "us-central1", "europe-west1"))
        return ["vertex_location"]
    return []


def search_of(rng, key, row, req, message, use):
    if "search" not in key and "grounding" not in key and rng.random() > 0.06:
        return []
    size = rng.choice((None, "low", "medium", "high"))
    if size:
        req.setdefault("optional_params", {})["web_search_options"] = {"search_context_size": size}
    way = rng.choice(("annotations", "prompt_details", "server_tool_use", "none"))
    if way == "annotations":
        message["annotations"] = [{"type": "url_citation", "url_citation": {
            "url": "https://a.example", "title": "a", "start_index": 0, "end_index": 1}}]
    elif way == "prompt_details":
        use.setdefault("prompt_tokens_details", {})["web_search_requests"] = rng.randint(0, 4)
    elif way == "server_tool_use":
        use["server_tool_use"] = {"web_search_requests": rng.randint(0, 4)}
    if "maps" in key or rng.random() < 0.1:
        use.setdefault("prompt_tokens_details", {})["google_maps_grounding_requests"] = rng.randint(0, 3)
    return ["builtin_tool", f"tool:{way}"]


def guardrails(rng):
    """What checks of a prompt cost, beside the call; some are reported and not billed."""
    return [{"guardrail_name": f"g{i}", "guardrail_status": "success", "guardrail_response": "",
             **rng.choice(({"guardrail_cost": round(rng.uniform(0, 0.01), 6)}, {"guardrail_cost": None}, {})),
             **rng.choice(({}, {}, {"guardrail_cost_in_spend": False}))} for i in range(rng.randint(1, 3))]


def asides(rng, row, req, body, use):
    """What comes with an answer of some provider, and is billed or not."""
    tags = []
    if rng.random() < 0.03:
        req.setdefault("metadata", {})["standard_logging_guardrail_information"] = guardrails(rng)
        tags.append("guardrail")
    if row.provider in ("vertex_ai", "gemini") and rng.random() < 0.15:
        body["provider_specific_fields"] = {"traffic_type": rng.choice(
            ("ON_DEMAND", "ON_DEMAND_PRIORITY", "ON_DEMAND_FLEX", "FLEX", "PROVISIONED_THROUGHPUT"))}
        tags.append("traffic_type")
    if row.provider == "xai" and rng.random() < 0.2:
        use["server_side_tool_usage_details"] = {"web_search_calls": rng.randint(0, 3), "x_search_calls": rng.randint(0, 2)}
        tags.append("tool:xai")
    if row.provider == "deepseek" or rng.random() < 0.01:
        read = (use.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
        use["prompt_cache_hit_tokens"], use["prompt_cache_miss_tokens"] = read, use["prompt_tokens"] - read
    if rng.random() < 0.01:
        use.clear()
        use.update({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0})
        tags.append("no_usage")
    return tags


def chat(rng, ident, key, row):
    req = request(rng, ident, row, rng.choice(("completion", "acompletion")))
    named = names.rename(rng, req, row)
    use = tokens.chat(rng, key, row)
    if row.provider in ("anthropic", "bedrock", "vertex_ai", "azure_ai") and "claude" in row.name:
        use = tokens.anthropic(rng, use, row)
    if row.provider == "perplexity" and rng.random() < 0.5:
        use["citation_tokens"] = rng.randint(0, 900)
    message = {"role": "assistant", "content": text(rng)}
    tags = search_of(rng, key, row, req, message, use)
    name, how = served(rng, row, req["model"])
    body = {"id": f"chatcmpl-{ident}", "created": 1789000000, "model": name, "object": "chat.completion", "usage": use,
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}]}
    tags += tier_of(rng, key, row, req, body, use) + region_of(rng, key, row, req) + how + named
    tags += asides(rng, row, req, body, use)
    if rng.random() < 0.12:
        req["stream"] = True
        tags.append("stream")
    return req, {"kind": "chat", "body": body}, ["chat", *tags]


def completion(rng, ident, key, row):
    req = request(rng, ident, row, rng.choice(("text_completion", "atext_completion")))
    named = names.rename(rng, req, row)
    body = {"id": f"cmpl-{ident}", "created": 1789000000, "model": served(rng, row, req["model"])[0],
            "object": "text_completion", "usage": tokens.chat(rng, key, row),
            "choices": [{"index": 0, "finish_reason": "stop", "text": text(rng)}]}
    return req, {"kind": "text", "body": body}, ["completion", *named]


def embedding(rng, ident, key, row):
    req = request(rng, ident, row, rng.choice(("embedding", "aembedding")), messages="x")
    named = names.rename(rng, req, row)
    prompt = tokens.prompt_size(rng, row)
    details = tokens.prompt_details(rng, key, prompt) if rng.random() < 0.5 else {}
    use = {"prompt_tokens": prompt, "completion_tokens": 0, "total_tokens": prompt,
           **({"prompt_tokens_details": details} if details else {})}
    body = {"model": served(rng, row, req["model"])[0], "data": [{"embedding": [0.1], "index": 0, "object": "embedding"}],
            "object": "list", "usage": use}
    tags = tier_of(rng, key, row, req, {}, use) if rng.random() < 0.2 else []
    return req, {"kind": "embedding", "body": body}, ["embedding", *tags, *named]


def responses(rng, ident, key, row):
    req = request(rng, ident, row, rng.choice(("responses", "aresponses")))
    prompt, completion_size = tokens.prompt_size(rng, row), tokens.logarithmic(rng, 1, 9000)
    use = {"input_tokens": prompt, "output_tokens": completion_size, "total_tokens": prompt + completion_size,
           "input_tokens_details": {"cached_tokens": tokens.share(rng, prompt) if rng.random() < 0.5 else 0},
           "output_tokens_details": {"reasoning_tokens": tokens.share(rng, completion_size) if rng.random() < 0.5 else 0}}
    output = [{"id": "m1", "type": "message", "role": "assistant", "status": "completed",
               "content": [{"type": "output_text", "text": text(rng), "annotations": []}]}]
    tags = ["responses"]
    body = {"id": f"resp-{ident}", "created_at": 1789000000, "model": served(rng, row, req["model"])[0],
            "object": "response", "output": output, "parallel_tool_calls": True, "temperature": 1.0, "top_p": 1.0,
            "tool_choice": "auto", "tools": [], "status": "completed", "usage": use}
    if rng.random() < 0.5:
        tags += responses_tools(rng, req, body, output)
    tags += tier_of(rng, key, row, req, body, {}) + region_of(rng, key, row, req)
    return req, {"kind": "responses", "body": body}, tags


def responses_tools(rng, req, body, output):
    tools, tags = [], ["responses_tools"]
    if rng.random() < 0.6:
        size = rng.choice(("low", "medium", "high", None))
        tools.append({"type": "web_search_preview", **({"search_context_size": size} if size else {})})
        output += [{"type": "web_search_call", "id": f"ws{i}", "status": "completed"} for i in range(rng.randint(0, 4))]
        if rng.random() < 0.3:
            body["tool_usage"] = {"web_search": {"num_requests": rng.randint(0, 4)}}
    if rng.random() < 0.4:
        tools.append({"type": "file_search", "vector_store_ids": ["v"]})
        output += [{"type": "file_search_call", "id": "fs0", "status": "completed", "queries": ["a"]}] * rng.randint(0, 2)
    if rng.random() < 0.3:
        tools.append({"type": "image_generation", **rng.choice(({}, {"model": "gpt-image-1"}, {"model": "gpt-image-1.5"}))})
        output += [{"type": "image_generation_call", "id": f"ig{i}", "status": "completed", "result": "",
                    "quality": rng.choice(("low", "high", "auto")), "size": rng.choice(("1024x1024", "auto"))}
                   for i in range(rng.randint(0, 3))]
        tags.append("rtool:image")
    if tools:
        req.setdefault("optional_params", {})["tools"] = tools
        body["tools"] = tools
    return tags


def image(rng, ident, key, row):
    edit = row.mode == "image_edit" or rng.random() < 0.1
    req = request(rng, ident, row, rng.choice(("image_edit", "aimage_edit") if edit else
                                               ("image_generation", "aimage_generation")), messages="a cat")
    n = rng.randint(1, 4)
    body = {"created": 1789000000, "data": [{"url": f"https://img.example/{i}.png"} for i in range(n)]}
    tags = ["image"]
    if rng.random() < 0.4:
        body["size"] = rng.choice(SIZES)
    if rng.random() < 0.3:
        body["quality"] = rng.choice(("low", "medium", "high", "standard", "hd", "auto"))
    if "token" in key or rng.random() < 0.4:
        ins, outs = tokens.logarithmic(rng, 1, 4000), tokens.logarithmic(rng, 1, 6000)
        drawn = tokens.share(rng, ins)
        body["usage"] = {"input_tokens": ins, "output_tokens": outs, "total_tokens": ins + outs,
                         "input_tokens_details": {"image_tokens": drawn, "text_tokens": ins - drawn}}
        if rng.random() < 0.4:
            words = tokens.share(rng, outs)
            body["usage"]["output_tokens_details"] = {"text_tokens": words, "image_tokens": tokens.share(rng, outs - words)}
        tags.append("image:tokens")
    hidden = {}
    params = {}
    if row.provider == "fal_ai" and rng.random() < 0.4:
        body["data"][0]["provider_specific_fields"] = {"width": rng.choice((512, 1024, 2048)), "height": rng.choice((512, 1080))}
    if "usage" in body and rng.random() < 0.1:
        body["usage"]["web_search_requests"] = rng.randint(0, 3)
    if rng.random() < 0.1:
        params["n"] = n
    if rng.random() < 0.3:
        params["size"] = rng.choice(SIZES[:5])
    if rng.random() < 0.3:
        params["quality"] = rng.choice(("low", "high", "standard", "hd"))
    if row.provider == "xai" and rng.random() < 0.4:
        body.setdefault("usage", {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0, "input_tokens_details": {
            "image_tokens": 0, "text_tokens": 0}})["cost_in_usd_ticks"] = rng.randint(0, 9) * 10**8
    if params:
        req["optional_params"] = params
    region = region_of(rng, key, row, req)
    return req, {"kind": "image", "body": body, "hidden": hidden}, tags + region


def video(rng, ident, key, row):
    req = request(rng, ident, row, rng.choice(
        ("create_video", "acreate_video", "acreate_video", "avideo_remix", "video_edit")), messages="a cat")
    use = {}
    if rng.random() < 0.9:
        use["duration_seconds"] = rng.randint(1, 80) / 4
    resolution = next((r for r in ("480p", "720p", "768p", "1080p", "2k", "4k") if r in key), None)
    if resolution or rng.random() < 0.4:
        use["video_resolution"] = resolution or rng.choice(("720p", "1080P", " 4k ", "odd"))
    if rng.random() < 0.2:
        use["video_count"] = rng.randint(1, 3)
    if rng.random() < 0.1:
        use["provider_reported_cost_usd"] = round(rng.uniform(0, 2), 4)
    if "input_cost_per_image" in key or rng.random() < 0.05:
        use["billable_input_image_count"] = rng.randint(1, 4)
    body = {"id": f"video-{ident}", "object": "video", "status": "queued", "created_at": 1789000000,
            "model": served(rng, row, req["model"])[0], "usage": use if rng.random() < 0.95 else None}
    return req, {"kind": "video", "body": body}, ["video"]


def speech(rng, ident, key, row):
    req = request(rng, ident, row, rng.choice(("speech", "aspeech")), messages=text(rng, 1, 200))
    req["details"] = {"input": req["messages"]}
    return req, {"kind": "speech", "body": {}}, ["speech"]


def transcription(rng, ident, key, row):
    req = request(rng, ident, row, rng.choice(("transcription", "atranscription")), messages="audio_file")
    body, way = {"text": text(rng)}, rng.choice(("duration", "tokens", "usage_duration", "duration"))
    if way == "duration":
        body["duration"] = rng.randint(1, 40000) / 64
    elif way == "tokens":
        prompt, completion_size = tokens.logarithmic(rng, 1, 9000), tokens.logarithmic(rng, 1, 900)
        heard = tokens.share(rng, prompt)
        body["usage"] = {"type": "tokens", "input_tokens": prompt, "output_tokens": completion_size,
                         "total_tokens": prompt + completion_size,
                         "input_token_details": {"audio_tokens": heard, "text_tokens": prompt - heard}}
    else:
        body["usage"] = {"type": "duration", "seconds": rng.randint(1, 900)}
    return req, {"kind": "transcription", "body": body}, ["transcription", f"transcription:{way}"]


def rerank(rng, ident, key, row):
    req = request(rng, ident, row, rng.choice(("rerank", "arerank")), messages="q")
    units = rng.choice((None, {"search_units": rng.randint(1, 9)}, {"total_tokens": rng.randint(1, 9000)}))
    meta = {"billed_units": units} if units else rng.choice((None, {}))
    body = {"id": f"rr-{ident}", "results": [{"index": 0, "relevance_score": 0.5}], "meta": meta}
    return req, {"kind": "rerank", "body": body}, ["rerank"]


def ocr(rng, ident, key, row):
    req = request(rng, ident, row, rng.choice(("ocr", "aocr")), messages="doc")
    use = {"pages_processed": rng.randint(0, 40) if rng.random() < 0.9 else None}
    if "annotation" in key or rng.random() < 0.3:
        use["pages_processed_annotation"] = rng.randint(0, 9)
    if "credit" in key or rng.random() < 0.2:
        use["credits"] = rng.randint(0, 30)
    body = {"pages": [{"index": 0, "markdown": "x"}], "model": served(rng, row, req["model"])[0] or row.name,
            "usage_info": use}
    return req, {"kind": "ocr", "body": body}, ["ocr"]


def search(rng, ident, key, row):
    call = rng.choice(("search", "asearch"))
    req = request(rng, ident, row, call, messages="q")
    if "/" in row.name and rng.random() < 0.6:
        req["model"] = row.name
    wanted = {"max_results": rng.randint(1, 40)} if rng.random() < 0.5 else {}
    if rng.random() < 0.3:
        wanted["depth" if row.provider == "linkup" else "search_depth"] = rng.choice(("basic", "advanced", "deep", "standard"))
    req["optional_params"] = wanted
    return req, {"kind": "search", "body": {"results": [], "object": "search"}}, ["search"]


def decisions(rng, ident, key, row):
    req = request(rng, ident, row, rng.choice(("adecisions", "asystemone")))
    prompt, completion_size = tokens.prompt_size(rng, row), tokens.logarithmic(rng, 1, 200)
    body = {"model": req["model"].split("/", 1)[-1], "answers": {},
            "usage": {"input_tokens": prompt, "output_tokens": completion_size}}
    return req, {"kind": "decisions", "body": body}, ["decisions"]


def extraction(rng, ident, key, row):
    req = request(rng, ident, row, "aextraction")
    body = {"model": req["model"].split("/", 1)[-1], "answers": {}, "truncated": False,
            "usage": {"input_tokens": tokens.prompt_size(rng, row), "output_tokens": tokens.logarithmic(rng, 1, 200)}}
    return req, {"kind": "extraction", "body": body}, ["extraction"]


# Whom a line of a batch may name although the job was sent for another.
OTHER_MODELS = ("gpt-4o", "gpt-4o-mini-2024-07-18", "claude-sonnet-4-5", "gemini-2.5-flash", "a-model-nobody-knows")


def batch(rng, ident, key, row):
    req = request(rng, ident, row, "aretrieve_batch")
    lines = []
    for i in range(rng.choice((1, 1, 2, 3))):
        use = tokens.chat(rng, key, row)
        use.pop("cost", None)
        model = req["model"].split("/", 1)[-1] if rng.random() < 0.85 else rng.choice(OTHER_MODELS)
        lines.append({"id": f"b{i}", "custom_id": f"c{i}", "response": {"status_code": rng.choice((200,) * 9 + (400,)), "body": {
            "id": f"x{i}", "object": "chat.completion", "model": model, "usage": use,
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "x"}}]}}})
    req["batch_lines"] = lines
    body = {"id": f"batch-{ident}", "completion_window": "24h", "created_at": 1789000000, "object": "batch",
            "endpoint": "/v1/chat/completions", "input_file_id": "f", "output_file_id": "o", "status": "completed"}
    tags = ["batch", f"batch:{'one' if len(lines) == 1 else 'many'}"]
    return req, {"kind": "batch", "body": body}, tags


def moderation(rng, ident, key, row):
    req = request(rng, ident, row, rng.choice(("moderation", "amoderation")), messages="x")
    body = {"id": f"modr-{ident}", "model": req["model"].split("/", 1)[-1], "results": [
        {"flagged": False, "categories": {}, "category_scores": {}, "category_applied_input_types": {}}]}
    return req, {"kind": "moderation", "body": body}, ["moderation"]


def unbilled(rng, ident, key, row):
    req, answer, tags = responses(rng, ident, key, row)
    req["call_type"] = rng.choice(("aget_responses", "adelete_responses", "alist_input_items", "acancel_responses"))
    return req, answer, ["unbilled"]


BY_MODE = {
    "chat": chat, "completion": completion, "embedding": embedding, "responses": responses,
    "image_generation": image, "image_edit": image, "video_generation": video, "audio_speech": speech,
    "audio_transcription": transcription, "rerank": rerank, "ocr": ocr, "search": search, "decisions": decisions,
    "extraction": extraction, "realtime": sessions.realtime, "moderation": moderation,
}
def mcp_tool(rng, ident, key, row):
    """A tool of an MCP server: its price is the server's, in the event, and no row's of a map."""
    req = request(rng, ident, row, "call_mcp_tool", messages="x", bare=True)
    req["model"] = "MCP: lookup"
    price = {"default_cost_per_query": rng.choice((0.01, 0.0025, 0))} if rng.random() < 0.6 else {}
    if rng.random() < 0.5:
        price["tool_name_to_cost_per_query"] = {rng.choice(("lookup", "other")): rng.choice((0.02, 0.5, 0))}
    called = {"name": "lookup", "arguments": {"q": "a"}, "mcp_server_name": "shop", "mcp_server_cost_info": price or None}
    req["details"] = {"mcp_tool_call_metadata": called}
    return req, {"kind": "mcp", "body": {"content": [{"type": "text", "text": "b"}]}}, ["mcp_tool"]


# LiteLLM signs in to these before it prices a batch of theirs: without a network there is no figure.
SIGN_IN = ("github_copilot", "chatgpt")
# What else a chat model is asked, and how often.
OTHER = ((chat, 0.72), (responses, 0.13), (batch, 0.08), (completion, 0.03), (unbilled, 0.01), (decisions, 0.03))


def family_of(rng, key, row):
    if rng.random() < 0.01:
        return mcp_tool
    if sessions.is_session(row, key) and rng.random() < 0.8:
        return sessions.realtime
    if "batches" in key and row.provider not in SIGN_IN and row.mode in ("chat", "responses", "completion"):
        return batch
    if "decisions" in key:
        return decisions
    if row.mode in ("chat", "responses"):
        asked = rng.choices([f for f, _ in OTHER], [w for _, w in OTHER])[0] if row.mode == "chat" or rng.random() < 0.3 \
            else responses
        return chat if asked is batch and row.provider in SIGN_IN else asked
    return BY_MODE.get(row.mode, chat)


def canonical(value):
    return json.dumps(value, sort_keys=True)
