"""What a provider's request says, in terms common to all formats: for tests of what came to the fake provider."""
import dataclasses
import json


@dataclasses.dataclass
class Seen:
    """The conversation in order: ("user", text), ("assistant", text), ("call", name, arguments), ("result", name, text)."""
    system: str
    turns: list
    states: list  # opaque state of the history, with what it belongs to
    tools: list
    thinking: bool  # is asked for


def text_of(content):
    if isinstance(content, str):
        return content
    return "".join(part.get("text") or text_of(part.get("content", "")) for part in content or [])


def chat(body):
    system, turns, names = [], [], {}
    for message in body["messages"]:
        role, text = message["role"], text_of(message.get("content"))
        if role in ("system", "developer"):
            system.append(text)
        elif role == "tool":
            turns.append(("result", names[message["tool_call_id"]], text))
        elif text:
            turns.append((role, text))
        for call in message.get("tool_calls") or []:
            names[call["id"]] = call["function"]["name"]
            turns.append(("call", call["function"]["name"], json.loads(call["function"]["arguments"])))
    states = [message["reasoning_content"] for message in body["messages"] if message.get("reasoning_content")]
    thinking = body.get("reasoning_effort") not in (None, "none") or (body.get("thinking") or {}).get("type") == "enabled"
    return Seen("\n".join(system), turns, states, [tool["function"]["name"] for tool in body.get("tools") or []], thinking)


def anthropic(body):
    turns, names, states = [], {}, []
    for message in body["messages"]:
        content = message["content"]
        for block in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            if block["type"] == "text":
                turns.append((message["role"], block["text"]))
            elif block["type"] == "tool_use":
                names[block["id"]] = block["name"]
                turns.append(("call", block["name"], block["input"]))
            elif block["type"] == "tool_result":
                turns.append(("result", names[block["tool_use_id"]], text_of(block.get("content", ""))))
            elif block["type"] == "thinking":
                states.append((block["thinking"], block["signature"]))
    thinking = (body.get("thinking") or {}).get("type") in ("enabled", "adaptive")
    return Seen(text_of(body.get("system", "")), turns, states, [tool.get("name") for tool in body.get("tools") or []], thinking)


def responses(body):
    system, turns, names, states = [body.get("instructions") or ""], [], {}, []
    for item in [{"role": "user", "content": body["input"]}] if isinstance(body["input"], str) else body["input"]:
        kind = item.get("type", "message")
        if kind == "message" and item["role"] in ("system", "developer"):
            system.append(text_of(item["content"]))
        elif kind == "message":
            turns.append((item["role"], text_of(item["content"])))
        elif kind == "function_call":
            names[item["call_id"]] = item["name"]
            turns.append(("call", item["name"], json.loads(item["arguments"])))
        elif kind == "function_call_output":
            turns.append(("result", names[item["call_id"]], text_of(item["output"])))
        elif kind == "reasoning":
            states.append(item["encrypted_content"])
    thinking = (body.get("reasoning") or {}).get("effort") not in (None, "none")
    return Seen("\n".join(filter(None, system)), turns, states, [tool.get("name") for tool in body.get("tools") or []], thinking)


def gemini(body):
    turns, states = [], []
    for content in body["contents"]:
        for part in content["parts"]:
            if "functionCall" in part:
                call = part["functionCall"]
                turns.append(("call", call["name"], call.get("args", {})))
                states += [(call["name"], part["thoughtSignature"])] if "thoughtSignature" in part else []
            elif "functionResponse" in part:
                response = part["functionResponse"]
                turns.append(("result", response["name"], response["response"].get("output", json.dumps(response["response"]))))
            elif not part.get("thought") and part.get("text"):
                turns.append(({"model": "assistant"}.get(content["role"], content["role"]), part["text"]))
    config = (body.get("generationConfig") or {}).get("thinkingConfig") or {}
    tools = [function["name"] for tool in body.get("tools") or [] for function in tool.get("functionDeclarations") or []]
    return Seen(text_of((body.get("systemInstruction") or {}).get("parts")), turns, states, tools,
                config.get("thinkingBudget", 0) != 0 or bool(config.get("thinkingLevel")))


VIEWS = {"chat": chat, "anthropic": anthropic, "responses": responses, "gemini": gemini}
MODELS = {"chat": "fake-model", "anthropic": "fake-model", "responses": "fake-model", "gemini": "gemini-3-flash"}  # those that think
MORE = {"chat": {}, "anthropic": {}, "responses": {}, "gemini": {"transformer": {"use": ["gemini"]}}}  # of a provider's configuration
PATHS = {"chat": "/v1/chat/completions", "anthropic": "/v1/messages", "responses": "/v1/responses", "gemini": "/v1beta/models"}


def see(kind, body):
    """Texts of one role that stand side by side are one."""
    seen = VIEWS[kind](body)
    merged = []
    for turn in seen.turns:
        if merged and turn[0] in ("user", "assistant") and merged[-1][0] == turn[0]:
            merged[-1] = (turn[0], merged[-1][1] + turn[1])
        else:
            merged.append(turn)
    seen.turns = merged
    return seen
