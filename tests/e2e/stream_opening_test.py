"""Providers that answer 200 with a stream whose first event is an error: the client has seen nothing yet, so it is a failed attempt."""
import json
import unittest

from harness import StackTest, in_parallel

OK = {"kind": "ok"}
ANTHROPIC, OPENAI = "/v1/messages", "/v1/chat/completions"
COMMENT = ": OPENROUTER PROCESSING\n\n"
PING = 'event: ping\ndata: {"type": "ping"}\n\n'


def first_event(before="", **error):
    return {"kind": "break", "after_chunks": 0, "before": before, "error": {"message": "in the stream", **error}}


# What each key says, and the state that it is left in.
OPENAI_FAULTS = {
    "auth": (first_event(type="invalid_request_error", code="invalid_api_key"), "disabled", "auth"),
    "quota": (first_event(COMMENT, type="insufficient_quota", code="insufficient_quota"), "cooling", "insufficient_quota"),
    "rate": (first_event(COMMENT * 3, code=429), "cooling", "rate_limited"),
    "broken": (first_event(code="server_error"), "cooling", "http_500"),
    "unknown": (first_event(code=7777), "cooling", "http_502"),
}
ANTHROPIC_FAULTS = {
    "auth": (first_event(PING, type="authentication_error"), "disabled", "auth"),
    "quota": (first_event(type="billing_error"), "cooling", "billing_error"),
    "rate": (first_event(PING * 3, type="rate_limit_error"), "cooling", "rate_limited"),
    "broken": (first_event(COMMENT, type="api_error"), "cooling", "http_500"),
}


class StreamOpeningTest(StackTest):
    def start_keys(self, path, keys, **more):
        fake = self.fake({f"canary-key-{name}": told for name, told in keys.items()})
        named = [{"key": f"canary-key-{name}", "name": name} for name in keys]
        self.start([self.provider(fake, named, path=path, max_retries=len(keys), **more)])
        return fake

    def ask(self, path):
        """A stream, by a client of the format of that path."""
        return self.post(path, {"model": "fake,fake-model", "max_tokens": 99, "stream": True, "messages": [{"role": "user", "content": "hi"}]})

    def clients_see_no_error(self, path, faults):
        fake = self.start_keys(path, {**{name: told for name, (told, _, _) in faults.items()}, "good": OK}, cooldownTime=600_000)
        answers = [self.ask(OPENAI), self.ask(ANTHROPIC)]
        answers += in_parallel(98, 8, lambda number: self.ask((OPENAI, ANTHROPIC)[number % 2]))
        for number, answer in enumerate(answers):
            self.assertEqual(answer.status, 200, answer)
            self.assertNotIn(b"in the stream", answer.body)
            self.assertIn((b"data: [DONE]", b"event: message_stop")[number % 2], answer.body)
        self.assertEqual(len(fake.requests("canary-key-auth")), 1)
        self.assertEqual(len(fake.requests("canary-key-quota")), 1)
        keys = self.keys()
        self.assertEqual({name: (keys[name]["state"], keys[name]["reason"]) for name in faults},
                         {name: (state, reason) for name, (_, state, reason) in faults.items()})
        self.assertEqual(keys["good"]["failures"], 0)

    def test_clients_of_an_openai_provider_see_no_error(self):
        self.clients_see_no_error(OPENAI, OPENAI_FAULTS)

    def test_clients_of_an_anthropic_provider_see_no_error(self):
        self.clients_see_no_error(ANTHROPIC, ANTHROPIC_FAULTS)

    def test_an_overload_is_not_the_keys(self):
        fake = self.start_keys(ANTHROPIC, {"busy": first_event(PING, type="overloaded_error"), "good": OK})
        for path in (ANTHROPIC, OPENAI):
            self.assertEqual(self.ask(path).status, 200)
        self.assertEqual(len(fake.requests("canary-key-busy")), 2)
        self.assertEqual((self.keys()["busy"]["state"], self.keys()["busy"]["failures"]), ("active", 0))

    def test_the_callers_fault_changes_no_key(self):
        for provider in (OPENAI, ANTHROPIC):
            with self.subTest(provider):
                if hasattr(self, "broker"):
                    self.proxy.terminate()
                    self.broker.terminate()
                fake = self.start_keys(provider, {"a": first_event(COMMENT, type="invalid_request_error", code="context_length_exceeded"),
                                                   "b": OK})
                answer = self.ask(provider)
                self.assertEqual((answer.status, answer.headers["content-type"]), (400, "application/json"))
                words = "prompt is too long: in the stream" if provider == ANTHROPIC else "in the stream"
                self.assertEqual(answer.json()["error"]["message"], words)
                self.assertEqual(answer.json()["error"]["type"], "invalid_request_error")
                self.assertEqual(len(fake.requests()), 1)
                for key in self.keys().values():
                    self.assertEqual((key["state"], key["failures"]), ("active", 0))

    def test_the_last_error_has_its_status_and_the_clients_format(self):
        fake = self.start_keys(OPENAI, {name: first_event(COMMENT, code=429) for name in "ab"}, cooldownTime=20000,
                               queue={"max_wait": 0})
        first, second = self.ask(OPENAI), self.ask(ANTHROPIC)
        self.assertEqual((first.status, second.status), (429, 429))
        self.assertEqual(first.json()["error"]["message"], "in the stream")
        self.assertEqual((second.json()["type"], second.json()["error"]["type"]), ("error", "rate_limit_error"))
        self.assertGreaterEqual(int(second.headers["retry-after"]), 1)
        self.assertEqual(len(fake.requests()), 2)

    def test_an_error_behind_the_first_event_is_the_streams(self):
        fake = self.start_keys(ANTHROPIC, {"a": {**first_event(type="overloaded_error"), "after_chunks": 1}, "b": OK})
        answer = self.ask(ANTHROPIC)
        self.assertEqual(answer.status, 200)
        self.assertTrue(answer.body.startswith(b"event: message_start\n"), answer)
        self.assertEqual(json.loads(answer.body.strip().split(b"data: ")[-1])["error"]["type"], "overloaded_error")
        self.assertEqual(len(fake.requests()), 1)

    def test_the_next_route_is_taken_when_every_key_fails(self):
        fake = self.fake({"canary-key-bad": first_event(code=500), "canary-key-good": OK})
        self.start([self.provider(fake, ["canary-key-bad"], name="bad", max_retries=1), self.provider(fake, ["canary-key-good"], name="good")],
                   fallback={"default": ["good,fake-model"]})
        answer = self.post(OPENAI, {"model": "anything", "stream": True, "messages": [{"role": "user", "content": "hi"}]})
        self.assertEqual(answer.status, 200, answer)
        self.assertIn(b"word0", answer.body)
        self.assertEqual({request["key"] for request in fake.requests()}, {"canary-key-bad", "canary-key-good"})


if __name__ == "__main__":
    unittest.main()
