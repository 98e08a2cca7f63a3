"""The real Claude Code, headless, through the proxy: tools work in upstreams of either format, with a dead key first in the
list, and whatever goes wrong on the way it comes to its end."""
import json
import secrets
import subprocess
import unittest

from harness import NPM, PATIENCE, StackTest, node_environment

DEAD, GOOD = "canary-key-dead", "canary-key-good"
PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}
THINKING = {"thinking": "I should use a tool."}
FINAL = {"say": [{"text": "The tool said: {result}"}]}


class ClaudeCodeTest(StackTest):
    def start_with(self, upstream, **told):
        """Broker, proxy and an upstream of that format, which is told so much more."""
        self.told = told
        self.fake_provider = self.fake({DEAD: {"kind": "status", "status": 401}, GOOD: {"kind": "status", "status": 500}})
        self.start([self.provider(self.fake_provider, [DEAD, GOOD], path=PATHS[upstream])])
        self.work, home = self.folder / "work", self.folder / "home"
        self.work.mkdir()
        home.mkdir()
        self.environment = {
            **node_environment(), "HOME": str(home), "TMPDIR": str(self.work),
            "ANTHROPIC_BASE_URL": f"http://{self.address}", "ANTHROPIC_AUTH_TOKEN": "test", "API_TIMEOUT_MS": "600000",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1", "DISABLE_TELEMETRY": "1",
            "DISABLE_COST_WARNINGS": "1"}

    def claude(self, *turns, tools="Bash,Read", prompt="Do it."):
        """Runs a conversation of these turns; returns Claude Code's account of it and the requests that got an answer."""
        self.fake_provider.tell({GOOD: {"kind": "talk", "turns": list(turns), **self.told}})
        before = len(self.fake_provider.requests(GOOD))
        result = subprocess.run([NPM / "node_modules/.bin/claude", "-p", prompt, "--output-format", "json", "--allowedTools", tools],
                                cwd=self.work, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                timeout=3 * PATIENCE)
        self.seen += [result.stdout, result.stderr]
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        account = json.loads(result.stdout)
        self.assertEqual((account["subtype"], account["is_error"]), ("success", False), account)
        return account, self.fake_provider.requests(GOOD)[before:]

    def bash_turn(self, nonce, *faults):
        """Asks for a command whose output holds the nonce, though the command does not."""
        command = f"echo {nonce[:8]}''{nonce[8:]}"
        return {"faults": list(faults), "say": [THINKING, {"text": "I look."}, {"tool": "Bash", "input": {"command": command, "description": "Look"}}]}

    def read_turn(self, nonce, *faults):
        path = self.work / f"{nonce[:4]}.txt"
        path.write_text(f"first line\n{nonce}\n")
        return {"faults": list(faults), "say": [{"tool": "Read", "input": {"file_path": str(path)}}]}

    def tools_work(self, upstream, **told):
        self.start_with(upstream, **told)
        nonce = secrets.token_hex(8)
        account, requests = self.claude(self.bash_turn(nonce), FINAL)
        self.assertEqual(account["result"], f"The tool said: {nonce}")
        self.assertEqual((account["num_turns"], account["usage"]["input_tokens"], account["usage"]["cache_read_input_tokens"]),
                         (2, 20, 60))
        self.assertEqual([r["target"].split("?")[0] for r in requests], [PATHS[upstream]] * 2)
        self.assertTrue(all(r["body"]["stream"] and r["body"]["model"] == "fake-model" for r in requests))
        self.assertNotIn(nonce, json.dumps(requests[0]["body"]))

        account, requests = self.claude(self.read_turn(nonce), FINAL)
        self.assertIn(nonce, account["result"])
        self.assertEqual(len(requests), 2)

        both = {"say": self.bash_turn(nonce)["say"] + self.read_turn(nonce)["say"]}
        account, requests = self.claude(both, self.bash_turn(nonce), FINAL)
        self.assertEqual(account["result"], f"The tool said: {nonce}")
        self.assertEqual(len(requests), 3)
        self.assertEqual(json.dumps(requests[1]["body"]).count(nonce), 2)
        self.assertEqual(len([r for r in self.fake_provider.requests(DEAD) if r["method"] == "POST"]), 1)  # probes are GETs
        self.assertEqual({name: key["state"] for name, key in self.keys().items()}, {"key-1": "disabled", "key-2": "active"})

    def survives(self, upstream):
        """A fault of each kind, one before each turn; then the conversation ends as if there had been none."""
        self.start_with(upstream)
        nonces = [secrets.token_hex(8) for _ in range(4)]
        broken = {"type": "api_error", "message": "gone wrong midway"}
        account, requests = self.claude(
            self.bash_turn(nonces[0], {"kind": "cut", "after_chunks": 4}),
            self.read_turn(nonces[1], {"kind": "break", "after_chunks": 4, "error": broken}),
            self.bash_turn(nonces[2], {"kind": "status", "status": 429, "headers": {"retry-after": "1"}}),
            self.read_turn(nonces[3], {"kind": "status", "status": 529}), FINAL)
        self.assertIn(nonces[3], account["result"])
        statuses = [r["status"] for r in requests]
        self.assertEqual((statuses.count(429), statuses.count(529)), (1, 1))
        self.assertGreaterEqual(len(requests), 9)
        last = json.dumps(requests[-1]["body"])
        for nonce in nonces:
            self.assertIn(nonce, last)

    def test_tools_with_an_openai_upstream(self):
        self.tools_work("openai")

    def test_tools_with_a_strict_openai_upstream(self):
        self.tools_work("openai", strict=["system_first", "no_user_after_tool", "unknown_fields", "no_forced_while_thinking"])
        self.assertEqual({request["status"] for request in self.fake_provider.requests(GOOD)}, {200})

    def test_tools_with_a_strict_anthropic_upstream(self):
        self.tools_work("anthropic", strict=["unknown_fields", "no_forced_while_thinking", "signed_thinking"])
        self.assertEqual({request["status"] for request in self.fake_provider.requests(GOOD)}, {200})

    def test_deferred_tools_with_an_openai_upstream(self):
        self.start_with("openai")
        search = {"say": [{"tool": "ToolSearch", "input": {"query": "select:WebFetch", "max_results": 1}}]}
        account, requests = self.claude(search, FINAL, tools="ToolSearch")
        self.assertEqual(account["result"], "The tool said: Tool available: WebFetch")
        before, after = [{tool["function"]["name"] for tool in request["body"]["tools"]} for request in requests]
        self.assertEqual(after - before, {"WebFetch"})
        self.assertNotIn("DeferredToolPlaceholder", after)

    def test_tools_with_an_anthropic_upstream(self):
        self.tools_work("anthropic")

    def test_faults_of_an_openai_upstream(self):
        self.survives("openai")

    def test_faults_of_an_anthropic_upstream(self):
        self.survives("anthropic")


if __name__ == "__main__":
    unittest.main()
