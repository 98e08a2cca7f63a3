#!/usr/bin/python3
"""A scripted LLM provider on loopback, for tests and the quickstart.

It speaks Chat Completions, Responses, Anthropic Messages and Gemini's API, plain and streamed, and answers each key as told:

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
                                          told {"strict": [RULE...]} it refuses what real providers do, see strictness.py
  {"kind": "script", "steps": [...]}      one of the above per request, the last one for ever

Any may be told {"on": {PART: {...}}}: what a request whose target contains PART gets instead.

Any that streams may be told {"before": TEXT}: sent before each event, comments for example.

A good answer may come in the other form: {"form": "json" | "events", "content_type": TEXT or null for none, "gzip": true},
whatever was asked for.

A good answer that is told {"cut_short": true} ends for the bound of its tokens.

A good answer that is told {"hold": true} waits until it is released, a stream behind its first event.

Told {"call": {"name": N, "args": {...}, "signature": S}}, Gemini's good answers call that function, until the request
brings its response back: then it must bring the signature too, or it gets a 400.

A key that was not declared gets 401, Gemini's its 400. Requests may override with headers: x-fake-chunks, x-fake-delay-ms, x-fake-bytes.

Control, on the same port: PUT /_control/keys {key: behaviour} (merged; "*" sets all), GET /_control/requests,
DELETE /_control/requests, GET /_control/open (streams now open), POST /_control/release (held answers go on, all later ones too).
"""
import argparse
import asyncio
import gzip
import hashlib
import json
import sys
import time
import zlib

import conversation
import formats
import strictness

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
        kind_of_request = formats.told_by(entry["target"])
        try:
            asked = json.loads(body) if body else {}
        except ValueError:
            asked = {}
        said = None
        if told["kind"] == "talk":
            entry["body"] = asked
            if formats.is_conversation(kind_of_request, entry["target"], asked):
                told, said = talk(told, kind_of_request, asked)
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
            await send_error(entry, told, kind_of_request, writer)
            return
        entry["status"] = 200
        if kind_of_request == "gemini":
            entry["body"] = asked
            if unsigned := formats.gemini_refusal(asked, told.get("call")):
                await send_error(entry, {"status": 400, "error": unsigned}, "chat", writer)
                return
        chunks = int(headers.get("x-fake-chunks", [told.get("chunks", 3)])[0])
        size = int(headers.get("x-fake-bytes", [told.get("bytes", 0)])[0])
        held = self.released if told.get("hold") else None
        streamed = bool(asked.get("stream")) or ":stream" in entry["target"]
        if not {"json": False, "events": True}.get(told.get("form"), streamed):
            if held:
                await held.wait()
            payload = json.dumps(formats.plain_answer(kind_of_request, entry["target"], asked, told, size, said)).encode()
            await send_plain(told, formats.cut_short(kind_of_request, payload) if told.get("cut_short") else payload, writer)
            return
        events = list(formats.events(kind_of_request, asked, told, chunks, size, said))
        if told.get("cut_short"):
            events = [formats.cut_short(kind_of_request, event) for event in events]
        if kind == "break":
            events[told.get("after_chunks", 1):] = [formats.error_event(kind_of_request, told["error"])]
        if kind_of_request == "gemini" and streamed and "alt=sse" not in entry["target"]:
            events = formats.as_array(events)
            told = {"content_type": "application/json", **told}
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


def talk(told, kind, asked):
    """What to do instead or as told, and the blocks to say."""
    if "strict" in told and (refused := strictness.refusal(kind, asked, told["strict"])):
        return {"kind": "status", "status": 400, "error": formats.refusal_error(kind, refused)}, None
    fault, said = conversation.next_turn(told, formats.heard(kind, asked))
    return fault or told, said


async def send_error(entry, told, kind, writer):
    gemini = kind == "gemini"
    status = entry["status"] = 400 if gemini and told["status"] == 401 else told["status"]
    error = told.get("error") or {"type": ERROR_TYPES.get(status, "api_error"), "message": f"scripted {status}"}
    if gemini and not told.get("error"):
        error = formats.gemini_error(told["status"])
    entry["error"] = error["message"] if isinstance(error, dict) else error
    payload = json.dumps({"type": "error", "error": error} if kind == "anthropic" else {"error": error}).encode()
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


def content_headers(told, usual):
    """Content type and coding as told; no type at all where it is null."""
    kind = told.get("content_type", usual)
    return ((f"content-type: {kind}\r\n" if kind else "") + ("content-encoding: gzip\r\n" if told.get("gzip") else "")).encode()


async def send_stream(told, events, delay, held, writer):
    cut_after = told.get("after_chunks", 1) if told["kind"] in ("cut", "stall") else None
    writer.write(b"HTTP/1.1 200 OK\r\n" + content_headers(told, "text/event-stream") + b"x-request-id: req-fake\r\n"
                 b"transfer-encoding: chunked\r\n\r\n")
    packer = zlib.compressobj(wbits=31) if told.get("gzip") else None
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
        if packer:
            event = packer.compress(event) + packer.flush(zlib.Z_FINISH if number + 1 == len(events) else zlib.Z_SYNC_FLUSH)
        writer.write(b"%x\r\n%s\r\n" % (len(event), event))
        await writer.drain()
    writer.write(b"0\r\n\r\n")
    await writer.drain()


async def send_plain(told, payload, writer):
    if told.get("gzip"):
        payload = gzip.compress(payload)
    writer.write(b"HTTP/1.1 200 OK\r\n" + content_headers(told, "application/json") + b"x-request-id: req-fake\r\ncontent-length: %d\r\n\r\n"
                 % len(payload))
    if told["kind"] in ("cut", "stall"):
        writer.write(payload[: len(payload) // 2])
        await writer.drain()
        if told["kind"] == "cut":
            raise Drop
        await asyncio.sleep(3600)
    writer.write(payload)
    await writer.drain()


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
