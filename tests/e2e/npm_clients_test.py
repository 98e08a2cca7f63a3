"""The real Codex CLI, Gemini CLI, @google/genai and @openai/agents as clients of the proxy: tools work in upstreams of other
formats, with a dead key first in the list."""
import json
import secrets
import subprocess
import unittest

from harness import NPM, PATIENCE, REPO, StackTest, node_environment
from provider_views import MODELS, MORE, PATHS, see

TOKEN = "client-token"
FINAL = {"say": [{"text": "The tool said: {result}"}]}
TURNS = [{"say": [{"thinking": "First, I look."}, {"text": "Let me look, \u201cnow\u201d."}, {"tool": "get_weather", "input": {"place": "Z\u00fcrich \"W\" \u2602"}},
                  {"tool": "get_time", "input": {"place": "UTC"}}]}, FINAL]
# They refuse what their like does; the Chat Completions upstream is as strict as any.
STRICT = {"chat": ["system_first", "no_user_after_tool", "unknown_fields", "no_developer", "ids"], "gemini": ["unknown_fields"],
          "anthropic": ["unknown_fields", "signed_thinking", "no_combinators", "no_forced_while_thinking", "ids"], "responses": ["unknown_fields"]}


class NpmClientsTest(StackTest):
    def start_with(self, *formats):
        """A provider of each, named so."""
        self.provider_fake = self.fake({f"canary-key-{kind}": {} for kind in formats})
        self.start([self.provider(self.provider_fake, [f"canary-key-dead-{kind}", f"canary-key-{kind}"], name=kind, path=PATHS[kind],
                                  models=[MODELS[kind]], **MORE[kind])
                    for kind in formats], APIKEY=TOKEN)
        self.work, self.home = self.folder / "work", self.folder / "home"
        self.work.mkdir()
        self.home.mkdir()

    def tell(self, kind, *turns):
        self.provider_fake.tell({f"canary-key-{kind}": {"kind": "talk", "turns": list(turns), "strict": STRICT[kind]}})

    def run_client(self, args, **environment):
        """Its output, when it ended well."""
        result = subprocess.run(args, cwd=self.work, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=3 * PATIENCE,
                                env={"HOME": str(self.home), "TMPDIR": str(self.work), **environment})
        self.seen += [result.stdout, result.stderr]
        refused = [request.get("error") for request in self.provider_fake.requests() if request["status"] == 400]
        self.assertEqual(result.returncode, 0, (refused, result.stdout[-3000:], result.stderr[-3000:]))
        return result.stdout

    def requests(self, kind, dead=401):
        """What the provider was asked, all of which it answered; its dead key was asked once."""
        refused = self.provider_fake.requests(f"canary-key-dead-{kind}")
        self.assertEqual([request["status"] for request in refused if request["method"] == "POST"], [dead])  # probes are GETs
        requests = self.provider_fake.requests(f"canary-key-{kind}")
        self.assertEqual({request["status"] for request in requests}, {200}, [request.get("error") for request in requests])
        self.assertNotIn(TOKEN, json.dumps(requests))
        return [see(kind, request["body"]) for request in requests]

    def codex(self, kind):
        nonce = secrets.token_hex(8)
        (self.home / "config.toml").write_text(
            f'model = "{kind},{MODELS[kind]}"\nmodel_provider = "ccr"\napproval_policy = "never"\nsandbox_mode = "danger-full-access"\n'
            f'model_reasoning_effort = "high"\n[model_providers.ccr]\nname = "ccr"\nbase_url = "http://{self.address}/v1"\n'
            'wire_api = "responses"\nenv_key = "CCR_TOKEN"\nrequest_max_retries = 0\nstream_max_retries = 0\n')
        call = {"tool": "exec_command", "input": {"cmd": f"echo {nonce[:8]}''{nonce[8:]}"}}
        self.tell(kind, {"say": [{"thinking": "I should look."}, {"text": "I look."}, call]}, FINAL)
        output = self.run_client([NPM / "node_modules/.bin/codex", "exec", "--skip-git-repo-check", "--json", "Do it."],
                                 **node_environment(), CODEX_HOME=str(self.home), CCR_TOKEN=TOKEN)
        events = [json.loads(line) for line in output.splitlines()]
        items = [event["item"] for event in events if event["type"] == "item.completed"]
        commands = [(item["aggregated_output"], item["exit_code"]) for item in items if item["type"] == "command_execution"]
        self.assertEqual(commands, [(f"{nonce}\n", 0)])
        said = [item["text"] for item in items if item["type"] == "agent_message"]
        self.assertEqual(said[0], "I look.")
        self.assertIn(nonce, said[-1])
        self.assertEqual((events[-1]["type"], events[-1]["usage"]["input_tokens"]), ("turn.completed", 80))
        first, second = self.requests(kind, 400 if kind == "gemini" else 401)
        self.assertTrue(first.thinking)
        self.assertIn("exec_command", first.tools)
        self.assertEqual([turn for turn in second.turns if turn[0] == "call"], [("call", "exec_command", call["input"])])
        self.assertIn(nonce, [turn for turn in second.turns if turn[0] == "result"][0][2])
        self.assertEqual(len(second.states), 0 if kind == "chat" else 1)

    def test_codex(self):
        self.start_with("anthropic", "chat", "gemini", "responses")
        for kind in ("anthropic", "chat", "gemini", "responses"):
            with self.subTest(kind=kind):
                self.codex(kind)

    def gemini_cli(self, kind):
        nonce = secrets.token_hex(8)
        path = self.work / f"{nonce[:4]}.txt"
        path.write_text(f"first line\n{nonce}\n")
        (self.home / ".gemini").mkdir(exist_ok=True)
        (self.home / ".gemini/settings.json").write_text(json.dumps(
            {"security": {"auth": {"selectedType": "gemini-api-key"}}, "privacy": {"usageStatisticsEnabled": False},
             "general": {"enableAutoUpdate": False}}))
        self.tell(kind, {"say": [{"thinking": "I should look."}, {"tool": "read_file", "input": {"file_path": str(path)}}]}, FINAL)
        output = self.run_client([NPM / "node_modules/.bin/gemini", "-m", f"{kind},{MODELS[kind]}", "--output-format", "json", "--approval-mode",
                                  "yolo", "--skip-trust", "-p", "Do it."],
                                 **node_environment(node22=True), GEMINI_API_KEY=TOKEN, GOOGLE_GEMINI_BASE_URL=f"http://{self.address}",
                                 GEMINI_CLI_NO_RELAUNCH="true")
        account = json.loads(output[output.index("{"):])
        self.assertIn(nonce, account["response"])
        self.assertEqual(account["stats"]["tools"]["totalSuccess"], 1)
        seen = self.requests(kind, 400 if kind == "gemini" else 401)
        self.assertIn("read_file", seen[0].tools)
        self.assertEqual([turn[1:] for turn in seen[-1].turns if turn[0] == "call"], [("read_file", {"file_path": str(path)})])
        self.assertIn(nonce, [turn for turn in seen[-1].turns if turn[0] == "result"][0][2])

    def test_gemini_cli(self):
        self.start_with("chat", "anthropic", "gemini")
        for kind in ("chat", "anthropic", "gemini"):
            with self.subTest(kind=kind):
                self.gemini_cli(kind)

    def sdk(self, script, *formats):
        self.start_with(*formats)
        for kind in formats:
            with self.subTest(kind=kind):
                self.tell(kind, *TURNS)
                output = self.run_client(["node", "--test-reporter=tap", REPO / f"tests/e2e/npm/{script}_sdk.cjs"], **node_environment(node22=True),
                                         CCR_URL=f"http://{self.address}", CCR_TOKEN=TOKEN, MODEL=f"{kind},{MODELS[kind]}", TURNS=json.dumps(TURNS))
                self.assertRegex(output, r"# pass [2-9]\n# fail 0")
                seen = self.requests(kind, 400 if kind == "gemini" else 401)
                self.assertEqual(len(seen), 4)
                for request in seen:
                    self.assertEqual((request.system, request.tools), ("Be short.", ["get_weather", "get_time"]))
                calls = [("call", block["tool"], block["input"]) for block in TURNS[0]["say"] if "tool" in block]
                for request in (seen[1], seen[3]):
                    self.assertEqual([turn for turn in request.turns if turn[0] == "call"], calls)
                    self.assertEqual([turn[1:] for turn in request.turns if turn[0] == "result"],
                                     [(name, f"result of {name}") for name in ("get_weather", "get_time")])

    def test_genai_sdk(self):
        self.sdk("genai", "chat", "anthropic", "responses", "gemini")

    def test_agents_sdk(self):
        self.sdk("agents", "chat", "anthropic", "gemini", "responses")


if __name__ == "__main__":
    unittest.main()
