"""Transformers, from the configuration file to the provider."""
import json
import signal
import subprocess
import unittest

from harness import BIN, StackTest, wait_for

KEY = "canary-key-a1"


class TransformerTest(StackTest):
    def start_with(self, transformer, path="/v1/chat/completions"):
        self.upstream = self.fake({KEY: {"kind": "ok"}})
        self.start([self.provider(self.upstream, [KEY], path=path, transformer=transformer)])

    def sent(self):
        return json.loads(self.upstream.requests()[-1]["body"])

    def message(self, **more):
        body = {"model": "fake,fake-model", "max_tokens": 9000, "messages": [{"role": "user", "content": "hi"}], **more}
        answer = self.post("/v1/messages", body)
        self.assertEqual(answer.status, 200, answer)
        return answer

    def test_options_reach_the_provider(self):
        self.start_with({"use": ["deepseek", ["maxtoken", {"max_tokens": 8192}],
                                ["customparams", {"service_tier": "flex", "nested": {"a": [1, None]}}]],
                         "fake-model": {"use": [["sampling", {"temperature": 0.5}]]}})
        self.message()
        sent = self.sent()
        self.assertEqual((sent["max_tokens"], sent["temperature"], sent["service_tier"]), (8192, 0.5, "flex"))
        self.assertEqual(sent["nested"], {"a": [1, None]})
        wait_for(lambda: "lowered to 8192" in self.proxy.text(), "the debug log to tell what was changed")

    def test_anthropic_providers_have_theirs(self):
        self.start_with({"use": ["cleancache", ["maxtoken", {"max_tokens": 100}]]}, path="/v1/messages")
        self.message(system=[{"type": "text", "text": "be kind", "cache_control": {"type": "ephemeral"}}])
        self.assertEqual((self.sent()["max_tokens"], self.sent()["system"]), (100, [{"type": "text", "text": "be kind"}]))

    def test_a_reload_changes_them(self):
        self.start_with({"use": []})
        self.message()
        self.assertEqual(self.sent()["max_tokens"], 9000)
        self.configure([self.provider(self.upstream, [KEY], transformer={"use": ["maxcompletiontokens"]})])
        self.broker.popen.send_signal(signal.SIGHUP)
        wait_for(lambda: self.message() and "max_completion_tokens" in self.sent(), "the new transformers")

    def test_check_names_mistakes(self):
        self.configure([{"name": "p", "api_base_url": "https://p.test/v1/chat/completions", "api_key": KEY, "models": ["m"],
                         "transformer": {"use": [["maxtoken", {"max_tokens": "many"}], "depseek"]}}])
        result = subprocess.run([BIN / "ccr-broker", "--check", "--config", self.config_path], capture_output=True, text=True)
        self.assertEqual(result.returncode, 2, result)
        self.assertIn("Providers[0].transformer.use[0][1].max_tokens: must be a whole number", result.stderr)
        self.assertIn("did you mean deepseek?", result.stderr)
        self.configure([{"name": "p", "api_base_url": "https://p.test/v1/chat/completions", "api_key": KEY, "models": ["m"],
                         "transformer": {"use": [["maxtoken", {"max_tokens": 5}]]}}])
        result = subprocess.run([BIN / "ccr-broker", "--check", "--config", self.config_path], capture_output=True, text=True)
        self.assertIn('transformer: {use: [[maxtoken, {"max_tokens": 5}]]}', result.stdout)


if __name__ == "__main__":
    unittest.main()
