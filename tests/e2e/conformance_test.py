"""Every client format in front of every provider format, plain and streamed, through the real proxy and broker: a conversation with
system text, thinking, two parallel calls of tools and what follows, a dead key first each time. The client gets its own format; the
provider, which is as strict as any, gets the same conversation, and its opaque state back where it belongs.
"""
import json
import unittest

from clients import CLIENTS, QUESTION, SYSTEM, TOOLS
from harness import StackTest
from provider_views import MODELS, MORE, PATHS, see

THOUGHT, WORDS = "First, I look \u201cthere\u201d.", "Let me \u2602 look."
CALLS = [("get_weather", {"place": "Z\u00fcrich \"West\" \U0001f327", "days": [1, 2.5, {"to": "\\n\n"}]}), ("get_time", {})]
RESULTS = ["rain, \"12\u00b0\"", "noon\n\u2603"]
TURNS = [{"say": [{"thinking": THOUGHT}, {"text": WORDS}] + [{"tool": name, "input": args} for name, args in CALLS]},
         {"say": [{"text": "So: {result}"}]}]
FINAL = "So: " + "; ".join(RESULTS)
STRICT = ["system_first", "no_user_after_tool", "alternate", "unknown_fields", "no_forced_while_thinking", "signed_thinking", "no_developer",
          "items_required", "no_combinators", "ids"]
ASKED = [("user", QUESTION)]
ANSWERED = ASKED + [("assistant", WORDS)] + [("call", *call) for call in CALLS] + [("result", call[0], said) for call, said in zip(CALLS, RESULTS)]
STATES = {"chat": 0, "anthropic": 1, "responses": 1, "gemini": 1}  # that come back to the provider: Chat Completions has none
PAIRS = [(client, provider, stream) for client in CLIENTS for provider in PATHS for stream in (False, True)]


def name_of(client, provider, stream):
    return f"{provider}-for-{client}-{'streamed' if stream else 'plain'}"


def model_of(pair):
    return f"{MODELS[pair[1]]}-{name_of(*pair)}"


def tokens(say):
    return sum(len(json.dumps(block)) // 4 for block in say)


class ConformanceTest(StackTest):
    def setUp(self):
        super().setUp()
        names = [name_of(*pair) for pair in PAIRS]
        talk = {"kind": "talk", "turns": TURNS, "strict": STRICT}
        self.provider_fake = self.fake({f"canary-key-{name}": talk for name in names})
        self.start([self.provider(self.provider_fake, [f"canary-key-dead-{name}", f"canary-key-{name}"], name=name,
                                  path=PATHS[pair[1]], models=[model_of(pair)], **MORE[pair[1]])
                    for name, pair in zip(names, PAIRS)])

    def say(self, client, body, pair):
        """The answer to the client and the request that the provider got."""
        name, stream = name_of(*pair), pair[2]
        key = f"canary-key-{name}"
        before = len(self.provider_fake.requests(key))
        answer = self.post(client.target(model_of(pair), stream), body, client.headers)
        requests = self.provider_fake.requests(key)[before:]
        self.assertEqual(answer.status, 200, (answer, [request.get("error") for request in requests], [request["body"] for request in requests]))
        self.assertEqual(answer.headers["content-type"].split(";")[0], "text/event-stream" if stream else "application/json")
        self.assertEqual(len(requests), 1)
        seen = see(pair[1], requests[0]["body"])
        self.assertEqual((seen.system, seen.tools), (SYSTEM, TOOLS))
        return client.read(answer, stream), seen

    def converse(self, pair):
        client = CLIENTS[pair[0]]
        body = client.ask(model_of(pair), pair[2], thinking=True)
        said, seen = self.say(client, body, pair)
        self.assertEqual((seen.turns, seen.thinking), (ASKED, True))
        self.assertEqual([(call.name, call.args) for call in said.calls], CALLS)
        self.assertEqual((said.text, said.stop), (WORDS, "tools"))
        self.assertEqual((said.input_tokens, said.output_tokens), (40, tokens(TURNS[0]["say"])))
        self.assertEqual(said.thinking, "" if pair[:2] == ("chat", "responses") else THOUGHT)  # of which no client has asked for a summary

        if pair[:2] == ("chat", "chat"):
            del said.history[0]["reasoning_content"]  # what such a client sends goes as it is, and strict servers refuse it
        body = client.go_on(body, said, RESULTS)
        last, seen = self.say(client, body, pair)
        self.assertEqual(seen.turns, ANSWERED)
        self.assertEqual(len(seen.states), STATES[pair[1]])
        self.assertEqual((last.text, last.calls, last.stop), (FINAL, [], "end"))

        last, seen = self.say(client, client.ask_more(body, last, "And now?"), pair)
        self.assertEqual(seen.turns, ANSWERED + [("assistant", FINAL), ("user", "And now?")])
        self.assertEqual(last.text, FINAL)

    def test_every_pair(self):
        for pair in PAIRS:
            with self.subTest(client=pair[0], provider=pair[1], stream=pair[2]):
                self.converse(pair)
                dead = self.provider_fake.requests(f"canary-key-dead-{name_of(*pair)}")
                dead = [request for request in dead if request["method"] == "POST"]  # probes are GETs
                self.assertEqual([request["status"] for request in dead], [400 if pair[1] == "gemini" else 401])
        states = {tuple(key["state"] for key in pool["keys"]) for pool in self.rotation()}
        self.assertEqual(states, {("disabled", "active")})


if __name__ == "__main__":
    unittest.main()
