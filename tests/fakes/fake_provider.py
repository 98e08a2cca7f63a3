#!/usr/bin/python3
"""A scripted LLM provider on loopback, for tests and the quickstart.

It speaks OpenAI chat completions, Anthropic messages and Gemini generateContent, plain and streamed, and answers each
key as told:

  {"kind": "ok", "chunks": 3, "delay": 0.0, "bytes": 0}       a good answer; delay in seconds before the head and each chunk
  {"kind": "status", "status": 429, "headers": {...}, "error": {...}}  that status with this error object
  {"kind": "raw", "status": 200, "headers": {...}, "text": "..."}  just that, of type application/json where the headers say nothing
  {"kind": "cut", "after_chunks": 1}      streams (or half a body), then drops the connection
  {"kind": "drop"}                        drops the connection before the response head
  {"kind": "hang"}                        never answers
  {"kind": "stall", "after_chunks": 1}    streams, then goes silent
  {"kind": "break", "after_chunks": 1, "error": {...}}    streams, then an error in the stream, and an orderly end; after 0
                                          chunks the error is all of the stream
  {"kind": "talk", "turns": [...]}        holds a conversation with tools, see conversation.py; its requests are logged with bodies
  {"kind": "script", "steps": [...]}      one of the above per request, the last one for ever

Any may be told {"on": {PART: {...}}}: what a request whose target contains PART gets instead.

Any that streams may be told {"before": TEXT}: sent before each event, comments for example.

A good answer that is told {"hold": true} waits until it is released, a stream behind its first event.

Told {"call": {"name": N, "args": {...}, "signature": S}}, Gemini's good answers call that function, until the request
brings its response back: then it must bring the signature too, or it gets a 400.

A key that was not declared gets 401, Gemini's its 400. Requests may override with headers: x-fake-chunks, x-fake-delay-ms, x-fake-bytes.

Control, on the same port: PUT /_control/keys {key: behaviour} (merged; "*" sets all), GET /_control/requests,
DELETE /_control/requests, GET /_control/open (streams now open), POST /_control/release (held answers go on, all later ones too).
"""
import argparse
import asyncio
import hashlib
import json
import sys
import time

import conversation

MAX_KEPT_BODY = 64 * 1024  # of each request, for /_control/requests
REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 402: "Payment Required", 403: "Forbidden", 404: "Not Found",
           429: "Too Many Requests", 500: "Internal Server Error", 503: "Service Unavailable", 529: "Overloaded"}
ERROR_TYPES = {400: "invalid_request_error", 401: "authentication_error", 402: "insufficient_quota", 403: "permission_error",
               404: "not_found_error", 429: "rate_limit_error", 529: "overloaded_error"}


class Drop(Exception):
    """Ends the connection without another byte."""


class Provider:
    def __init__(self, keys):
        self.keys = keys
        self.requests = []
        self.open = 0
        self.released = asyncio.Event()

    async def serve(self, reader, writer):
        try:
            while await self.one_request(reader, writer):
                pass
        except (Drop, asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.transport.abort()

    async def one_request(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ", 2)
        headers = {}
        for line in filter(None, head[1:]):
            name, value = line.split(":", 1)
            headers.setdefault(name.lower(), []).append(value.strip())
        body = await read_body(reader, headers)
        if target.startswith("/_control/"):
            await self.control(method, target, body, writer)
            return True
        key = presented_key(headers)
        entry = {"time": time.monotonic(), "key": key, "method": method, "target": target, "headers": headers,
                 "length": len(body), "sha256": hashlib.sha256(body).hexdigest(), "status": 0, "client_gone": False,
                 "body": body[:MAX_KEPT_BODY].decode(errors="replace")}
        self.requests.append(entry)
        self.open += 1
        gone = asyncio.ensure_future(self.watch(reader, writer, entry))
        try:
            await self.answer(entry, self.behaviour(key, target), headers, body, writer)
        except ConnectionError:
            entry["client_gone"] = True
            raise
        finally:
            self.open -= 1
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)
        return headers.get("connection", [""])[0].lower() != "close"

    @staticmethod
    async def watch(reader, writer, entry):
        """Notes that the client went away while it was being answered."""
        while not reader.at_eof() and reader.exception() is None:
            await asyncio.sleep(0.02)
        entry["client_gone"] = True
        writer.transport.abort()

    def behaviour(self, key, target):
        told = self.keys.get(key)
        if told is None:
            return {"kind": "status", "status": 401}
        told = next((other for part, other in told.get("on", {}).items() if part in target), told)
        if told["kind"] == "script":
            steps = told["steps"]
            return steps.pop(0) if len(steps) > 1 else steps[0]
        return told

    async def answer(self, entry, told, headers, body, writer):
        anthropic = "/messages" in entry["target"]
        gemini = ":generateContent" in entry["target"] or ":streamGenerateContent" in entry["target"]
        try:
            asked = json.loads(body) if body else {}
        except ValueError:
            asked = {}
        said = None
        if told["kind"] == "talk":
            entry["body"] = asked
            if isinstance(asked.get("messages"), list) and not entry["target"].split("?")[0].endswith("/count_tokens"):
                fault, said = conversation.next_turn(told, asked)
                told = fault or told
        kind = told["kind"]
        delay = float(headers.get("x-fake-delay-ms", [told.get("delay", 0) * 1000])[0]) / 1000
        if delay:
            await asyncio.sleep(delay)
        if kind == "drop":
            raise Drop
        if kind == "hang":
            await asyncio.sleep(3600)
        if kind == "raw":
            await send_raw(entry, told, writer)
            return
        if kind == "status":
            await send_error(entry, told, anthropic, gemini, writer)
            return
        entry["status"] = 200
        if gemini:
            entry["body"] = asked
            if unsigned := gemini_refusal(asked, told.get("call")):
                await send_error(entry, {"status": 400, "error": unsigned}, False, False, writer)
                return
        chunks = int(headers.get("x-fake-chunks", [told.get("chunks", 3)])[0])
        size = int(headers.get("x-fake-bytes", [told.get("bytes", 0)])[0])
        call = told.get("call") if gemini and not gemini_responses(asked) else None
        held = self.released if told.get("hold") else None
        if not asked.get("stream") and ":stream" not in entry["target"]:
            if held:
                await held.wait()
            answer = gemini_plain(size, call) if gemini else plain_answer(entry["target"], asked, anthropic, size, said)
            await send_plain(kind, answer, writer)
            return
        if gemini:
            events = list(gemini_events(chunks, size, call))
        elif said:
            events = list((conversation.anthropic_events if anthropic else conversation.openai_events)(asked, said))
        else:
            events = list((anthropic_events if anthropic else openai_events)(asked.get("model", ""), chunks, size))
        if kind == "break":
            events[told.get("after_chunks", 1):] = [conversation.error_event(told["error"], anthropic)]
        await send_stream(told, events, delay, held, writer)

    async def control(self, method, target, body, writer):
        if target == "/_control/keys" and method == "PUT":
            update = json.loads(body)
            if "*" in update:
                self.keys = {key: update["*"] for key in self.keys}
                del update["*"]
            self.keys.update(update)
            answer = {}
        elif target == "/_control/requests":
            answer = self.requests
            if method == "DELETE":
                self.requests, answer = [], {}
        elif target == "/_control/open":
            answer = {"open": self.open}
        elif target == "/_control/release":
            self.released.set()
            answer = {}
        else:
            answer = {"error": "unknown control call"}
        payload = json.dumps(answer).encode()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(payload) + payload)
        await writer.drain()


async def read_body(reader, headers):
    if "chunked" in headers.get("transfer-encoding", [""])[0]:
        body = b""
        while True:
            size = int((await reader.readline()).split(b";")[0], 16)
            body += await reader.readexactly(size)
            await reader.readline()
            if size == 0:
                return body
    return await reader.readexactly(int(headers.get("content-length", ["0"])[0]))


def presented_key(headers):
    for name in ("authorization", "x-api-key", "x-goog-api-key"):
        if name in headers:
            return headers[name][0].removeprefix("Bearer ")
    return ""


async def send_error(entry, told, anthropic, gemini, writer):
    status = entry["status"] = 400 if gemini and told["status"] == 401 else told["status"]
    error = told.get("error") or {"type": ERROR_TYPES.get(status, "api_error"), "message": f"scripted {status}"}
    if gemini and not told.get("error"):
        error = gemini_error(told["status"])
    payload = json.dumps({"type": "error", "error": error} if anthropic else {"error": error}).encode()
    extra = "".join(f"{name}: {value}\r\n" for name, value in told.get("headers", {}).items())
    writer.write((f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}\r\ncontent-type: application/json\r\n{extra}"
                  f"content-length: {len(payload)}\r\n\r\n").encode() + payload)
    await writer.drain()


async def send_raw(entry, told, writer):
    status = entry["status"] = told.get("status", 200)
    payload = told["text"].encode()
    headers = {"content-type": "application/json", **{name.lower(): value for name, value in told.get("headers", {}).items()}}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    writer.write(f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}\r\n{head}content-length: {len(payload)}\r\n\r\n".encode() + payload)
    await writer.drain()


async def send_stream(told, events, delay, held, writer):
    cut_after = told.get("after_chunks", 1) if told["kind"] in ("cut", "stall") else None
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-request-id: req-fake\r\n"
                 b"transfer-encoding: chunked\r\n\r\n")
    for number, event in enumerate(events):
        if number == cut_after:
            await writer.drain()
            if told["kind"] == "cut":
                raise Drop
            await asyncio.sleep(3600)
        if number and held:
            await held.wait()
        if number and delay:
            await asyncio.sleep(delay)
        event = told.get("before", "").encode() + event
        writer.write(b"%x\r\n%s\r\n" % (len(event), event))
        await writer.drain()
    writer.write(b"0\r\n\r\n")
    await writer.drain()


async def send_plain(kind, answer, writer):
    payload = json.dumps(answer).encode()
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req-fake\r\ncontent-length: %d\r\n\r\n"
                 % len(payload))
    if kind in ("cut", "stall"):
        writer.write(payload[: len(payload) // 2])
        await writer.drain()
        if kind == "cut":
            raise Drop
        await asyncio.sleep(3600)
    writer.write(payload)
    await writer.drain()


def plain_answer(target, asked, anthropic, size, said):
    if said:
        return (conversation.anthropic_message if anthropic else conversation.openai_completion)(asked, said)
    model, text = asked.get("model", ""), "Hello from the fake provider." + "x" * size
    path = target.split("?")[0]
    if path.endswith("/count_tokens"):
        return {"input_tokens": 7}
    if path.endswith("/embeddings"):
        return {"object": "list", "model": model, "data": [{"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}],
                "usage": {"prompt_tokens": 3, "total_tokens": 3}}
    if path.endswith("/responses"):
        return {"id": "resp_fake", "object": "response", "status": "completed", "model": model,
                "output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}],
                "usage": {"input_tokens": 7, "output_tokens": 5, "total_tokens": 12}}
    if path.endswith("/models"):
        return {"object": "list", "data": [{"id": "fake-model", "object": "model"}]}
    if anthropic:
        return {"id": "msg_fake", "type": "message", "role": "assistant", "model": model,
                "content": [{"type": "text", "text": text}], "stop_reason": "end_turn", "stop_sequence": None,
                "usage": {"input_tokens": 7, "output_tokens": 5}}
    return {"id": "chatcmpl-fake", "object": "chat.completion", "created": 1, "model": model,
            "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}}


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


def gemini_call(call):
    return {"functionCall": {"name": call["name"], "args": call["args"]}, "thoughtSignature": call["signature"]}


def gemini_plain(size, call):
    parts = [gemini_call(call)] if call else [{"text": "Hello from the fake provider." + "x" * size}]
    return gemini_answer(parts, 5, finishReason="STOP")


def gemini_events(chunks, size, call):
    def event(answer):
        return b"data: " + json.dumps(answer).encode() + b"\r\n\r\n"
    for number in range(chunks):
        yield event(gemini_answer([{"text": f"word{number} " + "x" * size}]))
    yield event(gemini_answer([gemini_call(call)] if call else [{"text": ""}], chunks, finishReason="STOP"))


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listen", default="127.0.0.1:0", metavar="HOST:PORT")
    parser.add_argument("--keys", default="{}", help="JSON object: key -> behaviour")
    options = parser.parse_args()
    host, port = options.listen.rsplit(":", 1)
    provider = Provider(json.loads(options.keys))
    server = await asyncio.start_server(provider.serve, host, int(port), backlog=1024, limit=1 << 26)
    print(f"fake-provider ready: http={host}:{server.sockets[0].getsockname()[1]}", file=sys.stderr, flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
