"""The real @anthropic-ai/sdk and openai packages as clients, against upstreams of either format, with a dead key first in the list.

What the SDKs make of the answers is checked in npm/*_sdk.cjs; here is what their upstream saw.
"""
import json
import subprocess
import unittest

from harness import PATIENCE, REPO, StackTest, node_environment

TOKEN = "client-token"
DEAD, GOOD = "canary-key-dead", "canary-key-good"
TURNS = {
    "talk": [{"say": [{"text": "Let me look, \u201cnow\u201d."},
                      {"tool": "get_weather", "input": {"place": "Z\u00fcrich \"West\" \u2602 \U0001f327", "days": [1, 2.5, None, {"to": "\\n\n"}]}},
                      {"tool": "get_time", "input": {"place": "UTC"}}]},
             {"say": [{"text": "{result}"}]}],
    "think": [{"say": [{"thinking": "First this, then \u00bbthat\u00ab."}, {"text": "That."}]}],
}
ANTHROPIC, OPENAI = "/v1/messages", "/v1/chat/completions"
PATHS = {"anthropic": ANTHROPIC, "openai": OPENAI}


def status(number, message, **more):
    return {"kind": "status", "status": number, **({"error": {"type": "scripted_error", "message": message}} if message else {}), **more}


class SdkTest(StackTest):
    def run_sdk(self, sdk, upstream):
        limited = status(429, None, headers={"retry-after": "7"})
        talk = {"kind": "talk", "turns": TURNS["talk"]}

        def faulty(*faults):
            return {"kind": "talk", "turns": [{"faults": list(faults), "say": [{"text": "Side answer."}]}]}

        one_key = {"think": {"kind": "talk", "turns": TURNS["think"], "before": ": ping\n\n"}, "limited": limited,
                   "again": faulty(status(429, None, headers={"retry-after": "1"})),
                   "bad": status(400, "max_tokens: too many of them"), "busy": status(529, "too busy"),
                   "late": {"kind": "break", "after_chunks": 0, "before": ": working\n\n",
                            "error": {"type": "invalid_request_error", "message": "too many tokens"}},
                   "cut": faulty({"kind": "cut", "after_chunks": 3}),
                   "breaks": faulty({"kind": "break", "after_chunks": 3, "error": {"type": "api_error", "message": "gone wrong midway"}})}
        fake = self.fake({DEAD: status(401, None), GOOD: talk, **{f"canary-key-{name}": told for name, told in one_key.items()}})
        self.start([self.provider(fake, [DEAD, GOOD], name="talk", path=PATHS[upstream])] +
                   [self.provider(fake, [f"canary-key-{name}"], name=name, path=PATHS[upstream]) for name in one_key], APIKEY=TOKEN)
        result = subprocess.run(
            ["node", "--test-reporter=tap", REPO / f"tests/e2e/npm/{sdk}_sdk.cjs"], capture_output=True, text=True, timeout=3 * PATIENCE, cwd=self.folder,
            env={**node_environment(), "CCR_URL": f"http://{self.address}", "CCR_TOKEN": TOKEN, "TURNS": json.dumps(TURNS),
                 "UPSTREAM": upstream})
        self.seen += [result.stdout, result.stderr]
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertRegex(result.stdout, r"# pass [1-9]\d+\n# fail 0", result.stdout)
        self.assertNotIn(TOKEN, json.dumps(fake.requests()))
        self.assertEqual([r["status"] for r in fake.requests(DEAD) if r["method"] == "POST"], [401])  # probes are GETs
        bodies = [r["body"] for r in fake.requests(GOOD) if r["target"].split("?")[0] == PATHS[upstream]]
        self.assertEqual({body["model"] for body in bodies}, {"fake-model"})
        return bodies

    def assert_openai(self, bodies):
        """Calls and their results belong together, a picture and a forced tool arrived."""
        results = 0
        for body in bodies:
            calls = [call["id"] for message in body["messages"] for call in message.get("tool_calls") or []]
            answers = [message["tool_call_id"] for message in body["messages"] if message["role"] == "tool"]
            self.assertEqual(calls, answers)
            results += len(answers)
            if calls:
                self.assertEqual([message["role"] for message in body["messages"]], ["system", "user", "assistant", "tool", "tool"])
        self.assertEqual(results, 4)
        self.assertTrue(any("data:image/png;base64,iVBORw0KGgo" in json.dumps(body["messages"]) for body in bodies))
        self.assertIn({"type": "function", "function": {"name": "get_time"}}, [body.get("tool_choice") for body in bodies])

    def assert_anthropic(self, bodies):
        results = 0
        for body in bodies:
            blocks = [block for message in body["messages"] if isinstance(message["content"], list) for block in message["content"]]
            calls = [block["id"] for block in blocks if block["type"] == "tool_use"]
            answers = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
            self.assertEqual(calls, answers)
            results += len(answers)
            if calls:
                self.assertEqual([message["role"] for message in body["messages"]], ["user", "assistant", "user"])
                self.assertIn("Be short.", json.dumps(body["system"]))
            self.assertGreater(body["max_tokens"], 0)
        self.assertEqual(results, 4)
        images = [block["source"] for body in bodies for message in body["messages"] if isinstance(message["content"], list)
                  for block in message["content"] if block["type"] == "image"]
        self.assertEqual([(image["type"], image["media_type"], image["data"][:11]) for image in images],
                         [("base64", "image/png", "iVBORw0KGgo")])
        self.assertIn({"type": "tool", "name": "get_time"}, [body.get("tool_choice") for body in bodies])

    def test_anthropic_sdk_with_an_openai_upstream(self):
        self.assert_openai(self.run_sdk("anthropic", "openai"))

    def test_anthropic_sdk_with_an_anthropic_upstream(self):
        self.assert_anthropic(self.run_sdk("anthropic", "anthropic"))

    def test_openai_sdk_with_an_anthropic_upstream(self):
        self.assert_anthropic(self.run_sdk("openai", "anthropic"))

    def test_openai_sdk_with_an_openai_upstream(self):
        self.assert_openai(self.run_sdk("openai", "openai"))


if __name__ == "__main__":
    unittest.main()
