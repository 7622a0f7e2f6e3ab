# SPDX-License-Identifier: Apache-2.0
"""What LiteLLM priced a call by although its event does not hold it: only this makes an event underivable."""
import re

SIZED = re.compile(r"(^|/)\d+-x-\d+/")


def speech_tokens(request, answer, row, own, place):
    """Speech without a character price is billed by tokens of a tokenizer."""
    if "speech" not in request["call_type"]:
        return False
    return "input_cost_per_character" not in own if own else \
        not row.has("per_character") and not row.has("output_cost_per_image")


def batch_place(request, answer, row, own, place):
    """Where a Vertex batch ran decides its uplift; LiteLLM takes it from the client or its own environment."""
    others = {line["response"]["body"]["model"] for line in request.get("batch_lines", ())} - {request["model"].split("/", 1)[-1]}
    return answer["kind"] == "batch" and row.provider == "vertex_ai" and not place and \
        (bool(others) or row.called.has("regional_endpoint_uplift_multiplier"))


def image_place(request, answer, row, own, place):
    """Of images LiteLLM logs no breakdown, and so not the place that only the request named."""
    asked = request.get("litellm_params", {}).get("vertex_location")
    return answer["kind"] == "image" and bool(asked) and not place and row.called.has("regional_endpoint_uplift_multiplier")


def search_results(request, answer, row, own, place):
    """How many results were asked for; LiteLLM logs no parameter of a search."""
    by_results = row.has("tiered_pricing") or row.provider == "parallel_ai"
    return answer["kind"] == "search" and by_results and "max_results" in request.get("optional_params", {})


def image_size(request, answer, row, own, place):
    """The size that was asked for, where the answer names none; LiteLLM logs no parameter of an image call."""
    by_size = SIZED.search(row.name) or row.has("per_pixel") or any("per_pixel" in key for key in own)
    asked = set(request.get("optional_params", {})) & {"size", "quality"}
    return answer["kind"] == "image" and bool(by_size) and any(name not in answer["body"] for name in asked)


def image_quality(request, answer, row, own, place):
    """xAI's price by resolution is that of low quality, which only the request may have named, or have asked otherwise."""
    by_resolution = row.has("per_image_1K") or row.has("per_image_2K") or \
        any(key in own for key in ("output_cost_per_image_1K", "output_cost_per_image_2K"))
    asked = set(request.get("optional_params", {})) & {"quality", "resolution"}
    return answer["kind"] == "image" and row.provider == "xai" and by_resolution and any(name not in answer["body"] for name in asked)


def stream_bill(request, answer, row, own, place):
    """A stream's usage.cost may be the gateway's own bill."""
    use = answer["body"].get("usage") if isinstance(answer["body"], dict) else None
    return bool(request.get("stream")) and "cost" in (use or {})


def meters(request, answer, row, own, place):
    """xAI's push-to-talk seconds and text messages are counted by the proxy and logged nowhere."""
    return "metered" in request


def attempts(request, answer, row, own, place):
    """Usage of failed attempts comes as one sum with the answer's: what is not billed by the token, thresholds, and
    which cached tokens were read explicitly."""
    return "failed_attempts" in request and bool(row.thresholds() or any(map(row.has, ("second", "query", "explicit"))))


def audio_length(request, answer, row, own, place):
    """Audio that is billed by its length, of which the answer tells only tokens: LiteLLM logs 0, with a fixed margin."""
    told = answer["kind"] != "transcription" or "duration" in answer["body"]
    return not told and row.has("per_second")


def ocr_model(request, answer, row, own, place):
    """Of a document's answer LiteLLM prices the model that a proxy overwrote in the log."""
    return answer["kind"] == "ocr" and "deployment" in request


KINDS = (audio_length, ocr_model, meters, attempts, speech_tokens, batch_place, image_place, search_results, image_size, image_quality, stream_bill)


def tags(request, answer, row, config):
    deployment = config["model_list"][0] if config else {}
    both = {**deployment.get("model_info", {}), **deployment.get("litellm_params", {})}
    own = {key for key in both if "cost" in key or "pricing" in key}
    place = both.get("vertex_location")
    found = [kind.__name__ for kind in KINDS if kind(request, answer, row, own, place)]
    return ["underivable", *(f"absent:{name}" for name in found)] if found else []
