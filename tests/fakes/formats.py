"""What the fake provider answers in each format: a turn of a talk, or words for keys that hold none."""
import json

import conversation
import talk_gemini
import talk_responses


def told_by(target):
    """The format of a request, by where it went."""
    path = target.split("?")[0]
    if ":generateContent" in path or ":streamGenerateContent" in path or ":countTokens" in path:
        return "gemini"
    if path.endswith("/responses"):
        return "responses"
    return "anthropic" if "/messages" in path else "chat"


def is_conversation(kind, target, asked):
    path = target.split("?")[0]
    if path.endswith("/count_tokens") or path.endswith(":countTokens"):
        return False
    member = {"gemini": "contents", "responses": "input"}.get(kind, "messages")
    return isinstance(asked.get(member), list) or kind == "responses" and isinstance(asked.get(member), str)


def heard(kind, asked):
    return {"gemini": talk_gemini, "responses": talk_responses}.get(kind, conversation).heard(asked)


def refusal_error(kind, text):
    """The error object of a refusal with 400."""
    if kind == "gemini":
        return {"code": 400, "message": text, "status": "INVALID_ARGUMENT"}
    return {"type": "invalid_request_error", "message": text, **({} if kind == "anthropic" else {"param": None, "code": None})}


def error_event(kind, error):
    """An error in the middle of a stream that began well."""
    if kind == "anthropic":
        return conversation.anthropic_event("error", error=error)
    if kind == "responses":
        return talk_responses.event("error", sequence_number=999, code=error.get("type"), message=error.get("message"), param=None)
    return b"data: " + json.dumps({"error": error}).encode() + b"\n\n"


CUT_SHORT = {"chat": (b'"finish_reason": "stop"', b'"finish_reason": "length"'),
             "anthropic": (b'"stop_reason": "end_turn"', b'"stop_reason": "max_tokens"'),
             "gemini": (b'"finishReason": "STOP"', b'"finishReason": "MAX_TOKENS"')}


def cut_short(kind, payload):
    """The same answer, or the event, as if max_tokens had ended it."""
    if kind != "responses":
        return payload.replace(*CUT_SHORT[kind])
    whole = b'"status": "completed", "background"' in payload  # the response, not an item of it
    payload = payload.replace(b"response.completed", b"response.incomplete")
    if not whole:
        return payload
    return (payload.replace(b'"status": "completed", "background"', b'"status": "incomplete", "background"')
            .replace(b'"incomplete_details": null', b'"incomplete_details": {"reason": "max_output_tokens"}'))


def as_array(events):
    """Gemini's stream without alt=sse: one JSON array in pieces."""
    wholes = [event.removeprefix(b"data: ").strip() for event in events]
    return [(b"[" if number == 0 else b",\r\n") + whole for number, whole in enumerate(wholes)] + [b"]"]


def plain_answer(kind, target, asked, told, size, said):
    model, text = asked.get("model", ""), "Hello from the fake provider." + "x" * size
    path = target.split("?")[0]
    if path.endswith(":countTokens"):
        return {"totalTokens": 7}
    if path.endswith("/count_tokens"):
        return {"input_tokens": 7}
    if path.endswith("/embeddings"):
        return {"object": "list", "model": model, "data": [{"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}],
                "usage": {"prompt_tokens": 3, "total_tokens": 3}}
    if path.endswith("/models"):
        return {"object": "list", "data": [{"id": "fake-model", "object": "model"}]}
    if kind == "gemini":
        return talk_gemini.answer(asked, said, told.get("call_ids")) if said else gemini_plain(size, gemini_call(asked, told))
    if kind == "responses":
        if said:
            return talk_responses.response(asked, said)
        return {"id": "resp_fake", "object": "response", "status": "completed", "model": model,
                "output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}],
                "usage": {"input_tokens": 7, "output_tokens": 5, "total_tokens": 12}}
    if said:
        return (conversation.anthropic_message if kind == "anthropic" else conversation.openai_completion)(asked, said)
    if kind == "anthropic":
        return {"id": "msg_fake", "type": "message", "role": "assistant", "model": model,
                "content": [{"type": "text", "text": text}], "stop_reason": "end_turn", "stop_sequence": None,
                "usage": {"input_tokens": 7, "output_tokens": 5}}
    return {"id": "chatcmpl-fake", "object": "chat.completion", "created": 1, "model": model,
            "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}}


def events(kind, asked, told, chunks, size, said):
    model = asked.get("model", "")
    if kind == "gemini":
        if said:
            return talk_gemini.events(asked, said, told.get("call_ids"))
        return gemini_events(chunks, size, gemini_call(asked, told))
    if kind == "responses":
        words = "".join(f"word{number} " + "x" * size for number in range(chunks))
        return talk_responses.events(asked, said or [{"text": words}])
    if said:
        return (conversation.anthropic_events if kind == "anthropic" else conversation.openai_events)(asked, said)
    return (anthropic_events if kind == "anthropic" else openai_events)(model, chunks, size)


def openai_events(model, chunks, size):
    def chunk(delta, finish=None, **more):
        return b"data: " + json.dumps({"id": "chatcmpl-fake", "object": "chat.completion.chunk", "created": 1, "model": model,
                                       "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}).encode() + b"\n\n"
    yield chunk({"role": "assistant", "content": ""})
    for number in range(chunks):
        yield chunk({"content": f"word{number} " + "x" * size})
    yield chunk({}, "stop", usage={"prompt_tokens": 7, "completion_tokens": chunks, "total_tokens": 7 + chunks})
    yield b"data: [DONE]\n\n"


def anthropic_events(model, chunks, size):
    def event(kind, **fields):
        return f"event: {kind}\ndata: ".encode() + json.dumps({"type": kind, **fields}).encode() + b"\n\n"
    yield event("message_start", message={"id": "msg_fake", "type": "message", "role": "assistant", "model": model, "content": [],
                                          "stop_reason": None, "stop_sequence": None,
                                          "usage": {"input_tokens": 7, "output_tokens": 1}})
    yield event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    for number in range(chunks):
        yield event("content_block_delta", index=0, delta={"type": "text_delta", "text": f"word{number} " + "x" * size})
    yield event("content_block_stop", index=0)
    yield event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage={"output_tokens": chunks})
    yield event("message_stop")


def gemini_error(status):
    if status == 401:
        return {"code": 400, "message": "API key not valid. Please pass a valid API key.", "status": "INVALID_ARGUMENT",
                "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]}
    names = {403: "PERMISSION_DENIED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE"}
    return {"code": status, "message": f"scripted {status}", "status": names.get(status, "INVALID_ARGUMENT")}


def gemini_responses(asked):
    return [part for content in asked.get("contents", []) for part in content["parts"] if "functionResponse" in part]


def gemini_refusal(asked, call):
    """The error of a request whose call lacks the signature that was sent with it."""
    parts = [part for content in asked.get("contents", []) for part in content["parts"] if "functionCall" in part]
    if call and any(part.get("thoughtSignature") != call.get("signature") for part in parts):
        return {"code": 400, "message": "Function call is missing a thought_signature", "status": "INVALID_ARGUMENT"}
    return None


def gemini_answer(parts, candidates=None, **candidate):
    answer = {"candidates": [{"content": {"parts": parts, "role": "model"}, "index": 0, **candidate}],
              "modelVersion": "fake-gemini", "responseId": "resp-fake"}
    if candidates is not None:
        answer["usageMetadata"] = {"promptTokenCount": 7, "candidatesTokenCount": candidates, "totalTokenCount": 7 + candidates}
    return answer


def gemini_call(asked, told):
    """What a key that is told "call" calls, until the response is there."""
    return None if gemini_responses(asked) else told.get("call")


def gemini_call_part(call):
    return {"functionCall": {"name": call["name"], "args": call["args"]}, "thoughtSignature": call["signature"]}


def gemini_plain(size, call):
    parts = [gemini_call_part(call)] if call else [{"text": "Hello from the fake provider." + "x" * size}]
    return gemini_answer(parts, 5, finishReason="STOP")


def gemini_events(chunks, size, call):
    def event(answer):
        return b"data: " + json.dumps(answer).encode() + b"\r\n\r\n"
    for number in range(chunks):
        yield event(gemini_answer([{"text": f"word{number} " + "x" * size}]))
    yield event(gemini_answer([gemini_call_part(call)] if call else [{"text": ""}], chunks, finishReason="STOP"))
