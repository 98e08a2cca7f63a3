"""Clients of each format, as raw HTTP: how they ask, read an answer, plain or streamed, and go on with what it called.

Reading asserts that an answer has the shape of the client's own format: members, and the order of a stream's events.
"""
import dataclasses
import json

SYSTEM, QUESTION = "Be short, \u201cplease\u201d.", "How is it in Z\u00fcrich \u2602?"
PARAMETERS = {"type": "object", "properties": {"place": {"type": "string"}, "days": {"type": "array", "items": {"type": "number"}}}}
TOOLS = ["get_weather", "get_time"]


@dataclasses.dataclass
class Call:
    id: str
    name: str
    args: object


@dataclasses.dataclass
class Said:
    """One answer."""
    text: str
    thinking: str
    calls: list
    history: list  # what the client adds to its history: messages, items or contents
    stop: str  # "tools" or "end"
    output_tokens: int
    input_tokens: int  # cached ones too


class ShapeError(AssertionError):
    pass


def expect(condition, what, shown=""):
    if not condition:
        raise ShapeError(f"{what}: {json.dumps(shown, ensure_ascii=False)[:600]}")


def sse(body):
    """(event name or None, data) of each event."""
    events = []
    for block in body.decode().replace("\r\n", "\n").split("\n\n"):
        lines = [line for line in block.split("\n") if line and not line.startswith(":")]
        data = "\n".join(line[5:].removeprefix(" ") for line in lines if line.startswith("data:"))
        if data:
            events.append((next((line[6:].strip() for line in lines if line.startswith("event:")), None), data))
    return events


def named(body):
    """The data of events that are named as their type says."""
    events = [(name, json.loads(data)) for name, data in sse(body)]
    for name, data in events:
        expect(name == data["type"], "an event's name and type differ", [name, data])
    return [data for _, data in events]


class Anthropic:
    name, headers = "anthropic", {"x-api-key": "client-token", "anthropic-version": "2023-06-01"}

    def target(self, model, stream):
        return "/v1/messages"

    def ask(self, model, stream, thinking=False):
        body = {"model": model, "max_tokens": 8192, "stream": stream, "system": SYSTEM, "messages": [{"role": "user", "content": QUESTION}],
                "tools": [{"name": name, "description": f"Says {name}", "input_schema": PARAMETERS} for name in TOOLS]}
        return {**body, "thinking": {"type": "enabled", "budget_tokens": 2048}} if thinking else body

    def go_on(self, body, said, results):
        blocks = [{"type": "tool_result", "tool_use_id": call.id, "content": result} for call, result in zip(said.calls, results)]
        return {**body, "messages": body["messages"] + said.history + [{"role": "user", "content": blocks}]}

    def ask_more(self, body, said, text):
        return {**body, "messages": body["messages"] + said.history + [{"role": "user", "content": text}]}

    def read(self, answer, stream):
        message = self.collect(answer.body) if stream else answer.json()
        expect((message["type"], message["role"]) == ("message", "assistant") and message["id"] and message["model"], "no message", message)
        blocks = message["content"]
        expect(all(block["type"] in ("text", "thinking", "redacted_thinking", "tool_use") for block in blocks), "blocks", blocks)
        calls = [Call(block["id"], block["name"], block["input"]) for block in blocks if block["type"] == "tool_use"]
        stops = {"tool_use": "tools", "end_turn": "end"}
        expect(message["stop_reason"] in stops and "stop_sequence" in message, "stop_reason", message)
        usage = message["usage"]
        return Said("".join(b["text"] for b in blocks if b["type"] == "text"), "".join(b["thinking"] for b in blocks if b["type"] == "thinking"),
                    calls, [{"role": "assistant", "content": blocks}], stops[message["stop_reason"]], usage["output_tokens"],
                    usage["input_tokens"] + usage.get("cache_read_input_tokens", 0) + usage.get("cache_creation_input_tokens", 0))

    @staticmethod
    def collect(body):
        events = [event for event in named(body) if event["type"] != "ping"]
        kinds = [event["type"] for event in events]
        expect(kinds[0] == "message_start" and kinds[-2:] == ["message_delta", "message_stop"], "first and last events", kinds)
        message = events[0]["message"]
        expect(message["content"] == [] and message["stop_reason"] is None, "message_start", message)
        block, arguments = None, ""
        for event in events[1:-2]:
            if event["type"] == "content_block_start":
                expect(block is None and event["index"] == len(message["content"]), "a block begins inside another, or out of order", event)
                block, arguments = event["content_block"], ""
                expect(block["type"] != "tool_use" or block["input"] == {}, "a call begins with arguments", block)
                message["content"].append(block)
            elif event["type"] == "content_block_delta":
                expect(block is not None and event["index"] == len(message["content"]) - 1, "a delta of no open block", event)
                delta = dict(event["delta"])
                expect((delta.pop("type"), block["type"]) in {("text_delta", "text"), ("thinking_delta", "thinking"),
                                                              ("signature_delta", "thinking"), ("input_json_delta", "tool_use")}, "delta", event)
                arguments += delta.pop("partial_json", "")
                for member, piece in delta.items():
                    block[member] = block.get(member, "") + piece
            else:
                expect(event["type"] == "content_block_stop" and block is not None, "an event out of order", event)
                if block["type"] == "tool_use":
                    block["input"] = json.loads(arguments or "{}")
                block = None
        expect(block is None, "a block is still open", block)
        message.update(events[-2]["delta"])
        message["usage"] = {**message["usage"], **events[-2]["usage"]}
        return message


class Chat:
    name, headers = "chat", {"authorization": "Bearer client-token"}

    def target(self, model, stream):
        return "/v1/chat/completions"

    def ask(self, model, stream, thinking=False):
        body = {"model": model, "stream": stream, "max_tokens": 8192,
                "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}],
                "tools": [{"type": "function", "function": {"name": name, "description": f"Says {name}", "parameters": PARAMETERS}} for name in TOOLS]}
        if stream:
            body["stream_options"] = {"include_usage": True}
        return {**body, "reasoning_effort": "high"} if thinking else body

    def go_on(self, body, said, results):
        tools = [{"role": "tool", "tool_call_id": call.id, "content": result} for call, result in zip(said.calls, results)]
        return {**body, "messages": body["messages"] + said.history + tools}

    def ask_more(self, body, said, text):
        return {**body, "messages": body["messages"] + said.history + [{"role": "user", "content": text}]}

    def read(self, answer, stream):
        whole = self.collect(answer.body) if stream else answer.json()
        expect(whole["object"] == "chat.completion" and whole["id"] and len(whole["choices"]) == 1, "no completion", whole)
        choice, usage = whole["choices"][0], whole["usage"]
        message = choice["message"]
        expect(message["role"] == "assistant" and "content" in message and choice["index"] == 0, "no message", choice)
        calls = []
        for call in message.get("tool_calls") or []:
            expect(call["type"] == "function" and isinstance(call["function"]["arguments"], str), "call", call)
            calls.append(Call(call["id"], call["function"]["name"], json.loads(call["function"]["arguments"])))
        stops = {"tool_calls": "tools", "stop": "end"}
        expect(choice["finish_reason"] in stops, "finish_reason", choice)
        expect(usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"], "usage", usage)
        return Said(message["content"] or "", message.get("reasoning_content") or "", calls, [message], stops[choice["finish_reason"]],
                    usage["completion_tokens"], usage["prompt_tokens"])

    @staticmethod
    def collect(body):
        events = sse(body)
        expect(events[-1] == (None, "[DONE]"), "no [DONE] last", events[-1])
        chunks = [json.loads(data) for name, data in events[:-1] if expect(name is None, "a named event", name) is None]
        expect(all(c["object"] == "chat.completion.chunk" for c in chunks) and len({c["id"] for c in chunks}) == 1, "chunks", chunks[:3])
        message, finish, usage = {"role": None, "content": None}, None, None
        for chunk in chunks:
            usage = chunk.get("usage") or usage
            for choice in chunk["choices"]:
                delta = dict(choice["delta"])
                expect(finish is None or not any(delta.values()), "a delta after the end", chunk)
                finish = choice.get("finish_reason") or finish
                message["role"] = message["role"] or delta.pop("role", None)
                delta.pop("role", None)
                for call in delta.pop("tool_calls", None) or []:
                    merge_call(message.setdefault("tool_calls", []), call)
                for member, piece in delta.items():
                    message[member] = piece if message.get(member) is None else message[member] + (piece or type(message[member])())
        for call in message.get("tool_calls") or []:
            del call["index"]
        return {"object": "chat.completion", "id": chunks[0]["id"], "usage": usage,
                "choices": [{"index": 0, "message": message, "finish_reason": finish}]}


def merge_call(calls, call):
    if call["index"] == len(calls):
        expect(call["id"] and call["type"] == "function" and call["function"]["name"], "a call begins without its name", call)
        calls.append({**call, "function": {"arguments": "", **call["function"]}})
        return
    expect(call["index"] < len(calls), "calls out of order", call)
    calls[call["index"]]["function"]["arguments"] += call["function"].get("arguments", "")


class Responses:
    name, headers = "responses", {"authorization": "Bearer client-token"}

    def target(self, model, stream):
        return "/v1/responses"

    def ask(self, model, stream, thinking=False):
        body = {"model": model, "stream": stream, "store": False, "instructions": SYSTEM, "max_output_tokens": 8192, "parallel_tool_calls": True,
                "include": ["reasoning.encrypted_content"],
                "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": QUESTION}]}],
                "tools": [{"type": "function", "name": name, "description": f"Says {name}", "parameters": PARAMETERS, "strict": False} for name in TOOLS]}
        return {**body, "reasoning": {"effort": "high", "summary": "auto"}} if thinking else body

    def go_on(self, body, said, results):
        outputs = [{"type": "function_call_output", "call_id": call.id, "output": result} for call, result in zip(said.calls, results)]
        return {**body, "input": body["input"] + said.history + outputs}

    def ask_more(self, body, said, text):
        return {**body, "input": body["input"] + said.history + [{"role": "user", "content": text}]}

    def read(self, answer, stream):
        whole = self.collect(answer.body) if stream else answer.json()
        expect((whole["object"], whole["status"], whole["error"]) == ("response", "completed", None) and whole["id"], "no response", whole)
        text = thinking = ""
        calls = []
        for item in whole["output"]:
            if item["type"] == "reasoning":
                thinking += "".join(part["text"] for part in item["summary"])
            elif item["type"] == "message":
                expect(item["role"] == "assistant" and item["status"] == "completed", "message", item)
                text += "".join(part["text"] for part in item["content"] if part["type"] == "output_text")
            else:
                expect(item["type"] == "function_call" and item["call_id"] and item["id"], "item", item)
                calls.append(Call(item["call_id"], item["name"], json.loads(item["arguments"])))
        usage = whole["usage"]
        expect(usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"], "usage", usage)
        return Said(text, thinking, calls, whole["output"], "tools" if calls else "end", usage["output_tokens"], usage["input_tokens"])

    @staticmethod
    def collect(body):
        events = named(body)
        kinds = [event["type"] for event in events]
        expect([event["sequence_number"] for event in events] == list(range(len(events))), "sequence numbers", kinds)
        expect(kinds[:2] == ["response.created", "response.in_progress"] and kinds[-1] == "response.completed", "first and last", kinds)
        items, pieces = [], None
        for event in events[2:-1]:
            kind = event["type"].removeprefix("response.")
            if kind == "output_item.added":
                expect(pieces is None and event["output_index"] == len(items), "an item begins inside another", event)
                pieces, item = {}, event["item"]
                expect(item["id"] and not (item.get("content") or item.get("arguments") or item.get("summary")), "an item is not empty", item)
            elif kind == "output_item.done":
                expect(pieces is not None and event["item"]["id"] == item["id"] and event["output_index"] == len(items), "an item ends", event)
                items.append(event["item"])
                pieces = None
            else:
                expect(pieces is not None and event["item_id"] == item["id"] and event["output_index"] == len(items), "outside its item", event)
                check_pieces(kind, event, pieces)
        expect(pieces is None and items == events[-1]["response"]["output"], "the last event has other items", events[-1])
        return events[-1]["response"]


def check_pieces(kind, event, pieces):
    """A part begins, comes in deltas, is done with their sum, and ends."""
    what, _, step = kind.rpartition(".")
    place = event.get("content_index", event.get("summary_index"))
    if step == "added":
        expect((what, place) not in pieces, "a part begins twice", event)
        pieces[what, place] = "open"
    elif step == "delta":
        pieces["text", place] = pieces.get(("text", place), "") + event["delta"]
    elif what in ("content_part", "reasoning_summary_part"):
        expect(pieces.get((what, place)) == "open", "a part ends that never began", event)
        pieces[what, place] = "done"
    else:
        expect(step == "done" and pieces.get(("text", place), "") == event.get("text", event.get("arguments", event.get("input"))), "done differs from its deltas", event)


class Gemini:
    name, headers = "gemini", {"x-goog-api-key": "client-token"}

    def target(self, model, stream):
        return f"/v1beta/models/{model}:" + ("streamGenerateContent?alt=sse" if stream else "generateContent")

    def ask(self, model, stream, thinking=False):
        config = {"maxOutputTokens": 8192, **({"thinkingConfig": {"includeThoughts": True, "thinkingBudget": 2048}} if thinking else {})}
        return {"systemInstruction": {"parts": [{"text": SYSTEM}]}, "contents": [{"role": "user", "parts": [{"text": QUESTION}]}],
                "generationConfig": config,
                "tools": [{"functionDeclarations": [{"name": name, "description": f"Says {name}", "parametersJsonSchema": PARAMETERS} for name in TOOLS]}]}

    def go_on(self, body, said, results):
        parts = [{"functionResponse": {"name": call.name, "response": {"output": result}, **({"id": call.id} if call.id else {})}}
                 for call, result in zip(said.calls, results)]
        return {**body, "contents": body["contents"] + said.history + [{"role": "user", "parts": parts}]}

    def ask_more(self, body, said, text):
        return {**body, "contents": body["contents"] + said.history + [{"role": "user", "parts": [{"text": text}]}]}

    def read(self, answer, stream):
        wholes = [json.loads(data) for _, data in sse(answer.body)] if stream else [answer.json()]
        parts = []
        for whole in wholes:
            expect(len(whole["candidates"]) == 1, "candidates", whole)
            candidate = whole["candidates"][0]
            expect(bool(candidate.get("finishReason")) == (whole is wholes[-1]), "finishReason not in the last", wholes)
            expect(candidate.get("content", {}).get("role", "model") == "model", "role", candidate)
            parts += candidate.get("content", {}).get("parts", [])
        last, text, thinking, calls = wholes[-1], "", "", []
        for part in parts:
            if "functionCall" in part:
                call = part["functionCall"]
                calls.append(Call(call.get("id"), call["name"], call.get("args", {})))
            elif part.get("thought"):
                thinking += part.get("text", "")
            else:
                text += part["text"]
        usage = last["usageMetadata"]
        expect(last["candidates"][0]["finishReason"] == "STOP", "finishReason", last)
        output = usage.get("candidatesTokenCount", 0) + usage.get("thoughtsTokenCount", 0)
        expect(usage["totalTokenCount"] == usage["promptTokenCount"] + output, "usage", usage)
        return Said(text, thinking, calls, [{"role": "model", "parts": [part for part in parts if part != {"text": ""}]}],
                    "tools" if calls else "end", output, usage["promptTokenCount"])


CLIENTS = {client.name: client for client in (Anthropic(), Chat(), Responses(), Gemini())}
