# SPDX-License-Identifier: Apache-2.0
"""Realtime sessions: spoken answers, clips of input, live sessions, translations, xAI by the second."""
from oracle import families

LIVE = ("session.started", "session.usage.updated", "session.closed")


def is_session(row, key):
    """Rows of sessions that the map does not call so."""
    return "text_message" in key or "realtime" in row.name or "translat" in row.name or "live" in row.name.split("-")


def usage_of(rng):
    spoken, words = rng.randint(0, 900), rng.randint(0, 900)
    said, written = rng.randint(0, 900), rng.randint(0, 900)
    return {"input_tokens": spoken + words, "output_tokens": said + written,
            "total_tokens": spoken + words + said + written,
            "input_token_details": {"text_tokens": words, "audio_tokens": spoken,
                                    "cached_tokens": rng.randint(0, spoken + words) if rng.random() < 0.5 else 0},
            "output_token_details": {"text_tokens": written, "audio_tokens": said}}


def answers(rng):
    return [{"type": "response.done", "response": {"id": f"r{i}", "usage": usage_of(rng)}} for i in range(rng.randint(0, 3))]


def heard(rng):
    """What the input's transcription says of one clip."""
    if rng.random() < 0.5:
        return {"type": "duration", "seconds": rng.choice((rng.randint(1, 90), rng.randint(1, 900) / 64))}
    audio, words = rng.randint(0, 90), rng.randint(0, 30)
    return {"type": "tokens", "input_tokens": audio + words, "output_tokens": 9, "total_tokens": audio + words + 9,
            "input_token_details": {"audio_tokens": audio, "text_tokens": words}}


def clips(rng, events):
    """Each clip is billed by the model that was configured last before it."""
    for _ in range(rng.randint(1, 3)):
        model = rng.choice(("whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe", None))
        if model and rng.random() < 0.5:
            events.append({"type": "session.updated", "session": {"audio": {"input": {"transcription": {"model": model}}}}})
        elif model:
            events.append({"type": "session.updated", "session": {"input_audio_transcription": {"model": model}}})
        events.append({"type": "conversation.item.input_audio_transcription.completed", "transcript": "a",
                       "usage": heard(rng)})
    return ["realtime:clips"]


def translation(rng, events):
    said = {name: rng.randint(1, 4000) / 64 for name in ("input_seconds", "output_seconds") if rng.random() < 0.8}
    events.append({"type": "session.closed", "usage": said})
    return ["realtime:translation"]


def live(rng, bare, events):
    """A live session reports its seconds while it runs and when it closes, and answers within events."""
    events[0] = {"type": "session.started", "session": {"model": bare} if rng.random() < 0.8 else {}}
    for _ in range(rng.randint(0, 2)):
        events.append({"type": "session.usage.updated", "usage": {"seconds": rng.randint(1, 6400) / 64}})
    for i in range(rng.randint(0, 2)):
        answer = {"id": f"live{i}", "model": rng.choice((bare, bare, "gpt-4o-realtime-preview")), "usage": usage_of(rng)}
        events += [{"type": "response.event", "event": {"type": "response.done", "response": answer}}] * rng.randint(1, 2)
    if rng.random() < 0.5:
        events.append({"type": "session.closed", "usage": rng.choice(({"seconds": rng.randint(1, 6400) / 64}, {}))})
    return ["realtime:live"]


def push_to_talk(rng, req):
    req["metered"] = {"push_to_talk": rng.random() < 0.5, "audio_seconds_sent": rng.randint(0, 640) / 64,
                      "audio_seconds_received": rng.randint(0, 640) / 64, "text_messages": rng.randint(0, 5)}
    return ["realtime:metered"]


def realtime(rng, ident, key, row):
    req = families.request(rng, ident, row, "_arealtime")
    bare = req["model"].split("/", 1)[-1]
    events = [{"type": "session.created", "session": {"model": row.name.split("/")[-1] if rng.random() < 0.3 else bare}}]
    tags, roll = ["realtime"], rng.random()
    if roll < 0.2:
        tags += live(rng, bare, events)
    elif roll < 0.4 or "translat" in row.name:
        tags += translation(rng, events)
    if rng.random() < 0.7:
        events += answers(rng)
    if rng.random() < 0.35:
        tags += clips(rng, events)
    if row.provider == "xai" and rng.random() < 0.4:
        tags += push_to_talk(rng, req)
    return req, {"kind": "realtime", "body": events}, tags
