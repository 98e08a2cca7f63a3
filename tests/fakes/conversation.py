"""What the fake provider says when it is told to hold a conversation: the same turns in each format. Here are the turns, Anthropic's
format and Chat Completions; talk_responses.py and talk_gemini.py have the other two.

A turn is {"say": [BLOCK...], "faults": [BEHAVIOUR...]}; a block is {"text": T}, {"thinking": T} or {"tool": NAME, "input": {...}}.
Chat Completions alone: "extra_content" of a tool, "details" of a thinking. Opaque state (a signature, encrypted reasoning) is made of
what it belongs to, so that it is told from any other.
The turn is chosen by how often the conversation has called tools already, the last one for ever, so a request that is sent
again gets the same turn again; its faults come first, one a request. `{result}` in a text stands for what the last tools said.
A request that offers no tools (such as one for a title) gets a short text instead of calls.
"""
import base64
import dataclasses
import hashlib
import itertools
import json

SIDE_ANSWER = [{"text": "Side answer."}]
INPUT_TOKENS, CACHED_TOKENS = 40, 30  # of each answer; Anthropic's input_tokens leaves the cached ones out
PIECE = 7  # characters in one streamed delta: splits words, escapes and JSON alike
numbers = itertools.count(1)  # of answers in Anthropic's format; clients take answers of one id for one answer


def text_of(content):
    """The text in a message's content, which is a string or a list of blocks, in either format."""
    if isinstance(content, str):
        return content
    return " ".join(text_of(part.get("content") or part.get("text") or "") for part in content or [])


def has_calls(message):
    return bool(message.get("tool_calls")) or any(
        part.get("type") == "tool_use" for part in message.get("content") or [] if isinstance(part, dict))


def results(messages):
    """Texts of the tool results that follow the last calls."""
    last = max((n for n, message in enumerate(messages) if has_calls(message)), default=len(messages))
    for message in messages[last:]:
        if message["role"] == "tool":
            yield text_of(message["content"])
        elif isinstance(message.get("content"), list):
            yield from (text_of(part.get("content")) for part in message["content"] if part.get("type") == "tool_result")


@dataclasses.dataclass
class Heard:
    """What a request says, in any format."""
    calls: int  # how often the model has called tools already
    results: list  # texts of the results of the last calls
    tools: bool  # offers any


def heard(asked):
    messages = asked.get("messages") or []
    return Heard(sum(map(has_calls, messages)), list(results(messages)), bool(asked.get("tools")))


def next_turn(told, request):
    """Returns the fault to play, or None, and the blocks to say."""
    turns = told["turns"]
    turn = turns[min(request.calls, len(turns) - 1)]
    if called(turn["say"]) and not request.tools:
        return None, SIDE_ANSWER
    fault = turn["faults"].pop(0) if turn.get("faults") else None
    said = "; ".join(request.results)
    return fault, [{**block, "text": block["text"].replace("{result}", said)} if "text" in block else block
                   for block in turn["say"]]


def opaque(kind, *of):
    """State that only this fake can have made, of what it belongs to."""
    return base64.b64encode(hashlib.sha256(json.dumps([kind, *of], sort_keys=True).encode()).digest()).decode()


def pieces(text):
    return [text[at:at + PIECE] for at in range(0, len(text), PIECE)] or [""]


def called(blocks):
    return any("tool" in block for block in blocks)


def output_tokens(blocks):
    return sum(len(json.dumps(block)) // 4 for block in blocks)


# Anthropic Messages. Its identifiers are unlike any other of the conversation.

def anthropic_usage(blocks):
    return {"input_tokens": INPUT_TOKENS - CACHED_TOKENS, "cache_read_input_tokens": CACHED_TOKENS,
            "cache_creation_input_tokens": 0, "output_tokens": output_tokens(blocks)}


def anthropic_block(asked, number, block):
    if "tool" in block:
        return {"type": "tool_use", "id": f"toolu_{len(asked['messages'])}_{number}", "name": block["tool"], "input": block["input"]}
    if "thinking" in block:
        return {"type": "thinking", "thinking": block["thinking"], "signature": opaque("signature", block["thinking"])}
    return {"type": "text", "text": block["text"]}


def anthropic_message(asked, blocks):
    return {"id": f"msg_fake{next(numbers)}", "type": "message", "role": "assistant", "model": asked.get("model", ""),
            "content": [anthropic_block(asked, number, block) for number, block in enumerate(blocks)],
            "stop_reason": "tool_use" if called(blocks) else "end_turn", "stop_sequence": None, "usage": anthropic_usage(blocks)}


def anthropic_event(kind, **fields):
    return f"event: {kind}\ndata: ".encode() + json.dumps({"type": kind, **fields}).encode() + b"\n\n"


def anthropic_deltas(block):
    """The empty block, then what fills it."""
    if block["type"] == "tool_use":
        return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": p} for p in pieces(json.dumps(block["input"]))]
    if block["type"] == "thinking":
        return ({**block, "thinking": "", "signature": ""},
                [{"type": "thinking_delta", "thinking": p} for p in pieces(block["thinking"])] +
                [{"type": "signature_delta", "signature": block["signature"]}])
    return {**block, "text": ""}, [{"type": "text_delta", "text": p} for p in pieces(block["text"])]


def anthropic_events(asked, blocks):
    message = anthropic_message(asked, blocks)
    yield anthropic_event("message_start", message={**message, "content": [], "stop_reason": None,
                                                    "usage": {**message["usage"], "output_tokens": 1}})
    for index, block in enumerate(message["content"]):
        empty, deltas = anthropic_deltas(block)
        yield anthropic_event("content_block_start", index=index, content_block=empty)
        for delta in deltas:
            yield anthropic_event("content_block_delta", index=index, delta=delta)
        yield anthropic_event("content_block_stop", index=index)
    yield anthropic_event("message_delta", delta={"stop_reason": message["stop_reason"], "stop_sequence": None},
                          usage={"output_tokens": message["usage"]["output_tokens"]})
    yield anthropic_event("message_stop")


# OpenAI chat completions. Identifiers begin anew with each answer, as with some servers of that format.

def openai_usage(blocks):
    return {"prompt_tokens": INPUT_TOKENS, "completion_tokens": output_tokens(blocks),
            "total_tokens": INPUT_TOKENS + output_tokens(blocks), "prompt_tokens_details": {"cached_tokens": CACHED_TOKENS}}


def openai_calls(blocks):
    return [{"id": f"call_{number}", "type": "function", **({"extra_content": block["extra_content"]} if "extra_content" in block else {}),
             "function": {"name": block["tool"], "arguments": json.dumps(block["input"])}}
            for number, block in enumerate(blocks) if "tool" in block]


def openai_completion(asked, blocks):
    message = {"role": "assistant", "content": "".join(block.get("text", "") for block in blocks) or None}
    thinking = "".join(block.get("thinking", "") for block in blocks)
    if thinking:
        message["reasoning_content"] = thinking
    for block in blocks:
        if "details" in block:
            message["reasoning_details"] = block["details"]
    if called(blocks):
        message["tool_calls"] = openai_calls(blocks)
    return {"id": "chatcmpl-fake", "object": "chat.completion", "created": 1, "model": asked.get("model", ""),
            "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls" if called(blocks) else "stop"}],
            "usage": openai_usage(blocks)}


def openai_events(asked, blocks):
    def chunk(choices, **more):
        return b"data: " + json.dumps({"id": "chatcmpl-fake", "object": "chat.completion.chunk", "created": 1,
                                       "model": asked.get("model", ""), "choices": choices, **more}).encode() + b"\n\n"

    def delta(**fields):
        return chunk([{"index": 0, "delta": fields, "finish_reason": None}])

    yield delta(role="assistant", content="")
    for block in blocks:
        for name, field in (("thinking", "reasoning_content"), ("text", "content")):
            for piece in pieces(block[name]) if name in block else []:
                yield delta(**{field: piece})
        if "details" in block:
            yield delta(reasoning_details=block["details"])
    for index, call in enumerate(openai_calls(blocks)):
        yield delta(tool_calls=[{**call, "index": index, "function": {**call["function"], "arguments": ""}}])
        for piece in pieces(call["function"]["arguments"]):
            yield delta(tool_calls=[{"index": index, "function": {"arguments": piece}}])
    yield chunk([{"index": 0, "delta": {}, "finish_reason": "tool_calls" if called(blocks) else "stop"}])
    if not asked.get("stream") or (asked.get("stream_options") or {}).get("include_usage"):
        yield chunk([], usage=openai_usage(blocks))
    yield b"data: [DONE]\n\n"

