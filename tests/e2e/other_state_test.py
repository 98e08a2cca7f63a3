"""A conversation that one provider begins and another goes on with, as after a fallback, for clients of each format; and errors of each
provider format in the client's own, in a whole answer and in a stream that began well."""
import json
import unittest

from clients import CLIENTS, SYSTEM, expect, sse
from conformance_test import ANSWERED, CALLS, FINAL, RESULTS, STRICT, TURNS
from harness import StackTest
from provider_views import MODELS, MORE, PATHS, see

INVALID = {"anthropic": ("type", "invalid_request_error"), "chat": ("type", "invalid_request_error"), "responses": ("type", "invalid_request_error"),
           "gemini": ("status", "INVALID_ARGUMENT")}


def error_object(kind, message):
    if kind == "gemini":
        return {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}
    return {"type": "invalid_request_error", "message": message}


def last_error(client, body):
    """The error at the end of a stream, in the client's format."""
    name, data = sse(body)[-1] if sse(body)[-1][1] != "[DONE]" else sse(body)[-2]
    event = json.loads(data)
    if client == "anthropic":
        expect(name == event["type"] == "error", "no error event last", event)
    if client == "responses":
        expect(name == event["type"] and event["type"] in ("response.failed", "error"), "no failure last", event)
        return event["response"]["error"] if name == "response.failed" else event
    return event["error"]


class OtherStateTest(StackTest):
    def setUp(self):
        super().setUp()
        self.provider_fake = self.fake({f"canary-key-{kind}": {} for kind in PATHS})
        self.start([self.provider(self.provider_fake, [f"canary-key-{kind}"], name=kind, path=path, models=[MODELS[kind]], **MORE[kind])
                    for kind, path in PATHS.items()])

    def tell(self, told):
        self.provider_fake.tell({f"canary-key-{kind}": told(kind) for kind in PATHS})

    def say(self, client, provider, body, stream):
        """What the client is told, and what the provider got."""
        model = f"{provider},{MODELS[provider]}"
        body = {**body, **({} if client.name == "gemini" else {"model": model, "stream": stream})}
        if client.name == "chat":
            body = {**body, "stream_options": {"include_usage": True}} if stream else {k: v for k, v in body.items() if k != "stream_options"}
        self.provider_fake.forget()
        answer = self.post(client.target(model, stream), body, client.headers)
        got = self.provider_fake.requests()
        self.assertEqual(answer.status, 200, (answer, [(request.get("error"), request["body"]) for request in got]))
        seen = see(provider, got[-1]["body"])
        self.assertEqual(seen.system, SYSTEM)
        return client.read(answer, stream), seen

    def test_another_provider_goes_on(self):
        self.tell(lambda kind: {"kind": "talk", "turns": TURNS, "strict": STRICT})
        for name, client in CLIENTS.items():
            for place, first in enumerate(PATHS):
                for second in PATHS:
                    with self.subTest(client=name, first=first, second=second):
                        body = client.ask("", bool(place % 2), thinking=True)
                        said, _ = self.say(client, first, body, bool(place % 2))
                        self.assertEqual([(call.name, call.args) for call in said.calls], CALLS)
                        if name == "chat":
                            said.history[0].pop("reasoning_content", None)  # strict servers refuse it, and it would go as it is
                        body = client.go_on(body, said, RESULTS)
                        last, seen = self.say(client, second, body, not place % 2)
                        self.assertEqual((seen.turns, last.text), (ANSWERED, FINAL))
                        body = client.ask_more(body, last, "And now?")
                        _, seen = self.say(client, first, body, False)
                        self.assertEqual(seen.turns, ANSWERED + [("assistant", FINAL), ("user", "And now?")])

    def test_errors_in_the_clients_words(self):
        said = "Value 'x\u2602' is not allowed."
        self.tell(lambda kind: {"kind": "status", "status": 400, "error": error_object(kind, said)})
        for name, client in CLIENTS.items():
            for provider in PATHS:
                with self.subTest(client=name, provider=provider):
                    answer = self.post(client.target(f"{provider},{MODELS[provider]}", False), client.ask(f"{provider},{MODELS[provider]}", False), client.headers)
                    shown = answer.json()
                    self.assertEqual((answer.status, answer.headers["content-type"]), (400, "application/json"))
                    member, wanted = INVALID[name]
                    self.assertEqual((shown["error"]["message"], shown["error"][member]), (said, wanted))
                    self.assertEqual(shown.get("type"), "error" if name == "anthropic" else None)
                    if name == "gemini":
                        self.assertEqual(shown["error"]["code"], 400)

    def test_errors_in_the_middle_of_a_stream(self):
        said = "gone \u2602 wrong midway"
        begun = {"anthropic": 4, "chat": 3, "responses": 5, "gemini": 2}
        self.tell(lambda kind: {"kind": "break", "after_chunks": begun[kind], "error": {
            "type": "api_error", "code": 500, "status": "INTERNAL", "message": said}})
        for name, client in CLIENTS.items():
            for provider in PATHS:
                with self.subTest(client=name, provider=provider):
                    answer = self.post(client.target(f"{provider},{MODELS[provider]}", True), client.ask(f"{provider},{MODELS[provider]}", True), client.headers)
                    self.assertEqual(answer.status, 200)
                    self.assertEqual(last_error(name, answer.body)["message"], said)
                    self.assertIn(b"word0", answer.body)


if __name__ == "__main__":
    unittest.main()
