"""The fake provider's conversations in OpenAI's Responses format, with the events of a stream in the order of the API.

Source: platform.openai.com/docs/api-reference/responses and .../responses-streaming.
"""
import json

from conversation import CACHED_TOKENS, INPUT_TOKENS, Heard, numbers, opaque, output_tokens, pieces, text_of

CALLS = ("function_call", "custom_tool_call")
RESULTS = ("function_call_output", "custom_tool_call_output")


def items_of(asked):
    """The input's items; a text is one of the user's."""
    given = asked.get("input")
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": given}]
    return [{"type": "message", **item} for item in given or []]


def heard(asked):
    """Calls in a row are of one answer; reasoning and words between them too."""
    calls, outputs, calling = 0, [], False
    for item in items_of(asked):
        if item["type"] in CALLS:
            if not calling:
                calls, outputs = calls + 1, []
            calling = True
        elif item["type"] in RESULTS:
            calling = False
            outputs.append(text_of(item["output"]))
        elif item.get("role") == "user":
            calling = False
    return Heard(calls, outputs, bool(asked.get("tools")))


def usage(blocks):
    return {"input_tokens": INPUT_TOKENS, "input_tokens_details": {"cached_tokens": CACHED_TOKENS}, "output_tokens": output_tokens(blocks),
            "output_tokens_details": {"reasoning_tokens": sum("thinking" in block for block in blocks)},
            "total_tokens": INPUT_TOKENS + output_tokens(blocks)}


def reasoning_item(asked, identifier, block):
    """Its text only where a summary is asked for, its state only where that is."""
    item = {"id": f"rs_{identifier}", "type": "reasoning", "summary": []}
    if (asked.get("reasoning") or {}).get("summary"):
        item["summary"] = [{"type": "summary_text", "text": block["thinking"]}]
    if "reasoning.encrypted_content" in (asked.get("include") or []):
        item["encrypted_content"] = encrypted(identifier)
    return item


def encrypted(identifier):
    return f"{identifier}:{opaque('encrypted', identifier)}"


def encrypted_refusal(item):
    """What is wrong with a reasoning item of the history. Clients may leave its id out."""
    content = item.get("encrypted_content")
    if not content:
        return f"Item with id '{item.get('id')}' not found. Items are not persisted when `store` is set to false."
    identifier = content.split(":")[0]
    if content != encrypted(identifier) or item.get("id") not in (None, "", f"rs_{identifier}"):
        return "The encrypted content could not be verified. Reason: Encrypted content could not be decrypted or parsed."
    return None


def item_of(asked, number, index, block):
    identifier = f"{number}_{index}"
    if "thinking" in block:
        return reasoning_item(asked, identifier, block)
    if "tool" not in block:
        return {"id": f"msg_{identifier}", "type": "message", "status": "completed", "role": "assistant",
                "content": [{"type": "output_text", "annotations": [], "logprobs": [], "text": block["text"]}]}
    common = {"status": "completed", "call_id": f"call_{identifier}", "name": block["tool"]}
    if any(tool.get("name") == block["tool"] and tool["type"] == "custom" for tool in asked.get("tools") or []):
        return {"id": f"ctc_{identifier}", "type": "custom_tool_call", "input": block["input"]["input"], **common}
    return {"id": f"fc_{identifier}", "type": "function_call", "arguments": json.dumps(block["input"]), **common}


def response(asked, blocks):
    number = next(numbers)
    return {"id": f"resp_{number}", "object": "response", "created_at": 1, "status": "completed", "background": False, "error": None,
            "incomplete_details": None, "instructions": asked.get("instructions"), "max_output_tokens": asked.get("max_output_tokens"),
            "model": asked.get("model", ""), "output": [item_of(asked, number, index, block) for index, block in enumerate(blocks)],
            "parallel_tool_calls": asked.get("parallel_tool_calls", True), "previous_response_id": None,
            "reasoning": asked.get("reasoning") or {"effort": None, "summary": None}, "store": asked.get("store", True),
            "temperature": asked.get("temperature", 1.0), "text": asked.get("text") or {"format": {"type": "text"}},
            "tool_choice": asked.get("tool_choice", "auto"), "tools": asked.get("tools") or [], "top_p": asked.get("top_p", 1.0),
            "truncation": "disabled", "usage": usage(blocks), "user": None, "metadata": {}}


def item_steps(item, index):
    """The events of one item between its added and its done, without their numbers."""
    here = {"item_id": item["id"], "output_index": index}
    if item["type"] == "reasoning":
        for place, part in enumerate(item["summary"]):
            there = {**here, "summary_index": place}
            yield "response.reasoning_summary_part.added", {**there, "part": {"type": "summary_text", "text": ""}}
            for piece in pieces(part["text"]):
                yield "response.reasoning_summary_text.delta", {**there, "delta": piece}
            yield "response.reasoning_summary_text.done", {**there, "text": part["text"]}
            yield "response.reasoning_summary_part.done", {**there, "part": part}
    elif item["type"] == "message":
        for place, part in enumerate(item["content"]):
            there = {**here, "content_index": place}
            yield "response.content_part.added", {**there, "part": {**part, "text": ""}}
            for piece in pieces(part["text"]):
                yield "response.output_text.delta", {**there, "delta": piece, "logprobs": []}
            yield "response.output_text.done", {**there, "text": part["text"], "logprobs": []}
            yield "response.content_part.done", {**there, "part": part}
    else:
        member = "input" if item["type"] == "custom_tool_call" else "arguments"
        kind = "response.custom_tool_call_input" if member == "input" else "response.function_call_arguments"
        for piece in pieces(item[member]):
            yield f"{kind}.delta", {**here, "delta": piece}
        yield f"{kind}.done", {**here, member: item[member]}


EMPTY = {"reasoning": {"summary": []}, "message": {"content": [], "status": "in_progress"},
         "function_call": {"arguments": "", "status": "in_progress"}, "custom_tool_call": {"input": "", "status": "in_progress"}}


def steps(whole):
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    yield "response.created", {"response": begun}
    yield "response.in_progress", {"response": begun}
    for index, item in enumerate(whole["output"]):
        yield "response.output_item.added", {"output_index": index, "item": {**item, **EMPTY[item["type"]]}}
        yield from item_steps(item, index)
        yield "response.output_item.done", {"output_index": index, "item": item}
    yield "response.completed", {"response": whole}


def events(asked, blocks):
    for number, (kind, fields) in enumerate(steps(response(asked, blocks))):
        yield event(kind, sequence_number=number, **fields)


def event(kind, **fields):
    return f"event: {kind}\ndata: ".encode() + json.dumps({"type": kind, **fields}).encode() + b"\n\n"
