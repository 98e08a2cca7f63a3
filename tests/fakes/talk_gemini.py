"""The fake provider's conversations in the format of Gemini's API.

Of the calls in one answer the first carries a thoughtSignature, as with Gemini 3; a talk told {"call_ids": true} gives calls ids.
Source: ai.google.dev/api/generate-content and ai.google.dev/gemini-api/docs/thought-signatures.
"""
import json

from conversation import CACHED_TOKENS, INPUT_TOKENS, Heard, opaque, output_tokens, pieces

FOREIGN = ("skip_thought_signature_validator", "context_engineering_is_the_way_to_go")  # for calls of other models, as documented


def contents_of(asked):
    """The request's contents; those of one role in a row are one, as clients that stream keep them."""
    merged = []
    for content in asked.get("contents") or []:
        role, parts = content.get("role", "user"), content.get("parts") or []
        if merged and merged[-1]["role"] == role and role == "model":
            merged[-1]["parts"] += parts
        else:
            merged.append({"role": role, "parts": list(parts)})
    return merged


def parts(asked, member):
    return [part for content in asked.get("contents") or [] for part in content.get("parts") or [] if member in part]


def has_calls(content):
    return any("functionCall" in part for part in content.get("parts") or [])


def result_text(response):
    for member in ("output", "result", "error"):
        if isinstance(response.get(member), str):
            return response[member]
    return json.dumps(response)


def heard(asked):
    contents = contents_of(asked)
    last = max((place for place, content in enumerate(contents) if has_calls(content)), default=len(contents))
    said = [result_text(part["functionResponse"]["response"]) for part in parts({"contents": contents[last:]}, "functionResponse")]
    return Heard(sum(map(has_calls, contents)), said, bool(asked.get("tools")))


def signature(call):
    return opaque("thought", call["name"], call.get("args") or {})


def signature_refusal(asked):
    """What is wrong with the signatures of the turn under way, which begins with the last text of the user."""
    contents = contents_of(asked)
    start = max((place for place, content in enumerate(contents) if content["role"] == "user" and
                 any("text" in part for part in content["parts"]) and
                 not any("functionResponse" in part for part in content["parts"])), default=0)
    for content in contents[start:]:
        first = next((part for part in content["parts"] if "functionCall" in part), None)
        if first is None or first.get("thoughtSignature") in FOREIGN:
            continue
        if not first.get("thoughtSignature"):
            return "Function call is missing a thought_signature in functionCall parts."
        if first["thoughtSignature"] != signature(first["functionCall"]):
            return "Thought signature is not valid."
    return None


def parts_of(asked, blocks, ids):
    answer, calls = [], 0
    thoughts = (asked.get("generationConfig") or {}).get("thinkingConfig", {}).get("includeThoughts")
    for number, block in enumerate(blocks):
        if "thinking" in block:
            answer += [{"text": block["thinking"], "thought": True}] if thoughts else []
        elif "text" in block:
            answer.append({"text": block["text"]})
        else:
            call = {"name": block["tool"], "args": block["input"], **({"id": f"fc{len(asked['contents'])}_{number}"} if ids else {})}
            answer.append({"functionCall": call, **({} if calls else {"thoughtSignature": signature(call)})})
            calls += 1
    return answer


def answer_of(given, blocks=None):
    candidate = {"content": {"parts": given, "role": "model"}, "index": 0, **({"finishReason": "STOP"} if blocks is not None else {})}
    answer = {"candidates": [candidate], "modelVersion": "fake-gemini", "responseId": "resp-fake"}
    if blocks is not None:
        spoken = output_tokens([block for block in blocks if "thinking" not in block])
        answer["usageMetadata"] = {"promptTokenCount": INPUT_TOKENS, "cachedContentTokenCount": CACHED_TOKENS,
                                   "candidatesTokenCount": spoken, "thoughtsTokenCount": output_tokens(blocks) - spoken,
                                   "totalTokenCount": INPUT_TOKENS + output_tokens(blocks)}
    return answer


def answer(asked, blocks, ids=False):
    return answer_of(parts_of(asked, blocks, ids), blocks)


def events(asked, blocks, ids=False):
    """Texts in pieces, calls whole."""
    for part in parts_of(asked, blocks, ids):
        for piece in [{**part, "text": text} for text in pieces(part["text"])] if "text" in part else [part]:
            yield event(answer_of([piece]))
    yield event(answer_of([{"text": ""}], blocks))


def event(whole):
    return b"data: " + json.dumps(whole).encode() + b"\r\n\r\n"
