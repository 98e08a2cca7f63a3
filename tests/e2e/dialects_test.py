"""What clients send and providers refuse, each with the smallest input that shows it: what came to the provider, or to the client.

The providers are fakes as strict as those whom the rule is of; rules are told by a model's name, or by the configuration.
"""
import json
import unittest

from clients import CLIENTS, PARAMETERS, Said
from harness import StackTest
from provider_views import MORE, PATHS

USER = {"role": "user", "content": "hi"}
OK = {"kind": "talk", "turns": [{"say": [{"text": "Fine."}]}]}
USE = {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "x"}
TOOL = {"name": "f", "input_schema": PARAMETERS}
THINKING = {"thinking": {"type": "enabled", "budget_tokens": 2048}}
REMINDER = {"type": "text", "text": "<system-reminder>r</system-reminder>"}
PROVIDERS = {  # format, rules that are refused, more of the configuration
    "p": ("chat", ["system_first", "no_developer", "ids", "unknown_fields"], {}),
    "mistral": ("chat", ["system_first", "no_user_after_tool", "alternate", "unknown_fields"], {}),
    "lax": ("chat", [], {}),
    "deepseek": ("chat", ["no_forced_while_thinking"], {"rules": {"forced": "thinking_off", "thinking": "object"}}),
    "qwen": ("chat", ["no_forced_while_thinking"], {"rules": {"thinking": "enable"}}),
    "openai": ("chat", ["items_required", "no_combinators"], {"rules": {"schema_items": False, "schema_combinators": False}}),
    "dropping": ("chat", [], {"drop": ["user", "reasoning_effort"]}),
    "claude": ("anthropic", ["signed_thinking", "no_combinators", "unknown_fields", "no_forced_while_thinking"], {}),
    "responses": ("responses", ["items_required", "no_combinators", "unknown_fields"], {}),
    "gemini": ("gemini", ["unknown_fields"], MORE["gemini"]),
    "by-url": ("gemini", ["unknown_fields"], {}),
}


def thinking(text):
    return {"type": "thinking", "thinking": text, "signature": ""}


def said(role, *content):
    return {"role": role, "content": list(content)}


class DialectsTest(StackTest):
    def setUp(self):
        super().setUp()
        self.provider_fake = self.fake({f"canary-key-{name}": {} for name in PROVIDERS})
        models = ["m", "mistral-large", "deepseek-v4-pro", "deepseek-r1", "deepseek-v3.2", "qwen3.5-plus", "gpt-4o", "gpt-5.1",
                  "claude-opus-4-8", "claude-3-7-sonnet", "gemini-2.5-flash", "gemini-3-flash"]
        self.start([self.provider(self.provider_fake, [f"canary-key-{name}"], name=name, path=PATHS[kind], models=models, **more)
                    for name, (kind, _, more) in PROVIDERS.items()])

    def send(self, provider, body, client="anthropic", model="m", told=None):
        """The answer, whatever it is, and the request as the provider got it."""
        key = f"canary-key-{provider}"
        self.provider_fake.tell({key: {**OK, "strict": PROVIDERS[provider][1], **(told or {})}})
        self.provider_fake.forget()
        more = {"anthropic": {"max_tokens": 4096}}.get(client, {})
        path = CLIENTS[client].target(f"{provider},{model}", bool(body.get("stream")))
        if client != "gemini":
            more["model"] = f"{provider},{model}"
        answer = self.post(path, {**more, **{name: value for name, value in body.items() if client != "gemini" or name != "stream"}},
                           CLIENTS[client].headers)
        requests = self.provider_fake.requests(key)
        self.provider_request = requests[-1] if requests else None
        return answer, requests[-1]["body"] if requests else None

    def sent(self, provider, body, client="anthropic", model="m", told=None) -> dict:
        """The request as the provider got it and took it."""
        answer, got = self.send(provider, body, client, model, told)
        self.assertEqual(answer.status, 200, (answer, got))
        return got

    def roles(self, body):
        return [message["role"] for message in body["messages"]]

    def test_every_row(self):
        rows = sorted(name for name in dir(self) if name.startswith("row_"))
        self.assertEqual(len({name.split("_")[1] for name in rows}), 18)
        for name in rows:
            with self.subTest(row=name):
                getattr(self, name)()

    def row_01_system_text_inside_messages(self):
        messages = [USER, {"role": "system", "content": "E"}]
        got = self.sent("p", {"system": "S", "messages": messages})
        self.assertEqual((self.roles(got), got["messages"][0]["content"]), (["system", "user"], "S"))
        text = json.dumps(got["messages"][1]["content"])
        self.assertIn("hi", text)
        self.assertIn("E", text[text.index("hi"):])
        got = self.sent("mistral", {"system": "S", "messages": [*messages, said("assistant", {"type": "text", "text": "a"}), USER]}, model="mistral-large")
        self.assertEqual(self.roles(got), ["system", "user", "assistant", "user"])
        two = [{"role": "system", "content": "A"}, {"role": "system", "content": "B"}, USER]
        got = self.sent("p", {"messages": two}, "chat")
        self.assertEqual(self.roles(got), ["system", "user"])
        self.assertRegex(json.dumps(got["messages"][0]["content"]), "A.*B")
        self.assertEqual(self.sent("claude", {"system": "S", "messages": messages})["messages"], messages)

    def row_02_text_beside_a_result(self):
        messages = [USER, said("assistant", thinking("R"), USE), said("user", RESULT, REMINDER)]
        got = self.sent("mistral", {"messages": messages}, model="mistral-large")
        self.assertEqual(self.roles(got), ["user", "assistant", "tool"])
        self.assertRegex(json.dumps(got["messages"][-1]["content"]), "x.*<system-reminder>r")
        self.assertEqual(self.roles(self.sent("p", {"messages": messages})), ["user", "assistant", "tool", "user"])
        got = self.sent("lax", {"messages": messages}, model="deepseek-v3.2")
        self.assertEqual(got["messages"][1]["reasoning_content"], "R")

    def row_03_reasoning_that_must_come_back(self):
        messages = [USER, said("assistant", thinking("R1"), USE), said("user", RESULT),
                    said("assistant", thinking("R2"), {"type": "text", "text": "t"}), USER]

        def reasoning(model, given=messages):
            got = self.sent("lax", {"messages": given}, model=model)
            return [message.get("reasoning_content") for message in got["messages"] if message["role"] == "assistant"]

        self.assertEqual(reasoning("deepseek-v4-pro"), ["R1", "R2"])
        self.assertEqual(reasoning("deepseek-v4-pro", [USER, said("assistant", USE), said("user", RESULT)]), [""])
        self.assertEqual(reasoning("deepseek-r1"), [None, None])
        own = [USER, {"role": "assistant", "content": "t", "reasoning_content": "own"}, USER]
        for model in ("deepseek-r1", "m"):
            self.assertEqual(self.sent("lax", {"messages": own}, "chat", model)["messages"], own)

    def row_04_a_context_too_long(self):
        both = "This model's maximum context length is 131072 tokens. However, you requested 137839 tokens (129647 in the messages, 8192 in the completion)."
        openai = {"message": both, "type": "invalid_request_error", "code": None}
        gemini = {"code": 400, "status": "INVALID_ARGUMENT",
                  "message": "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."}
        words = [("p", openai, "^input length and `max_tokens` exceed context limit: 129647 \\+ 8192 > 131072"),
                 ("responses", {**openai, "code": "context_length_exceeded", "message": "Your input exceeds the context window of this model."},
                  "^prompt is too long"),
                 ("claude", {"type": "invalid_request_error", "message": "prompt is too long: 213462 tokens > 200000 maximum"},
                  "^prompt is too long: 213462 tokens > 200000 maximum"),
                 ("gemini", gemini, "^prompt is too long: 1200000 tokens > 1048576 maximum")]
        for provider, error, wanted in words:
            told = {"kind": "status", "status": 400, "error": error}
            for client, asked in (("anthropic", {"messages": [USER]}), ("chat", {"messages": [USER]}), ("responses", {"input": "hi"})):
                with self.subTest(provider=provider, client=client):
                    answer, _ = self.send(provider, asked, client, told=told)
                    self.assertEqual(answer.status, 400, answer)
                    shown = answer.json()["error"]
                    if client == "anthropic":
                        self.assertEqual((answer.json()["type"], shown["type"]), ("error", "invalid_request_error"))
                        self.assertRegex(shown["message"], wanted)
                    else:
                        self.assertEqual(shown["code"], "context_length_exceeded", answer)

    def row_05_think_tags(self):
        def chunk(text):
            return "data: " + json.dumps({"id": "c", "object": "chat.completion.chunk", "model": "m",
                                          "choices": [{"index": 0, "delta": {"role": "assistant", "content": text}}]}) + "\n\n"

        end = 'data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":' \
              '{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}\n\ndata: [DONE]\n\n'
        whole = {"id": "c", "object": "chat.completion", "model": "m", "choices": [{"index": 0, "finish_reason": "stop", "message": {
            "role": "assistant", "content": "<think>a</think>\n\nb"}}], "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}
        streamed = {"kind": "raw", "headers": {"content-type": "text/event-stream"},
                    "text": "".join(map(chunk, ["<thi", "nk>a", "</think>\n\nb"])) + end}
        plain = {"kind": "raw", "text": json.dumps(whole)}
        for client in CLIENTS.values():
            for stream in (False, True):
                with self.subTest(client=client.name, stream=stream):
                    body = {**client.ask("p,m", stream, True), **({"stream": stream} if client.name == "gemini" else {})}
                    answer, _ = self.send("p", body, client.name, told=streamed if stream else plain)
                    read = client.read(answer, stream)
                    self.assertEqual((read.thinking, read.text), ("a", "b"))

    def row_06_models_at_responses_only(self):
        got = self.sent("responses", {"system": "S", "messages": [USER], "tools": [TOOL], **THINKING})
        self.assertEqual(self.provider_request["target"], "/v1/responses")
        self.assertEqual((got["store"], got["instructions"]), (False, "S"))
        self.assertIn("reasoning.encrypted_content", got["include"])

    def row_07_current_claude_models(self):
        asked = {"messages": [USER], "reasoning_effort": "high", "temperature": 0.2}
        got = self.sent("claude", asked, "chat", "claude-opus-4-8")
        self.assertEqual((got["thinking"]["type"], got["output_config"]["effort"]), ("adaptive", "high"))
        self.assertFalse({"temperature", "top_p", "top_k"} & set(got))
        got = self.sent("claude", asked, "chat", "claude-3-7-sonnet")
        self.assertEqual(got["thinking"]["type"], "enabled")
        self.assertEqual(self.sent("claude", {"messages": [USER], "temperature": 0.2}, "chat", "claude-3-7-sonnet")["temperature"], 0.2)

    def row_08_opaque_state(self):
        extra = {"google": {"thought_signature": "c2lnXw==", "more": [1, {"\u2602": None}]}}
        details = [{"type": "reasoning.encrypted", "data": "ZGF0YQ==", "id": "r1", "format": "f", "index": 0}]
        turns = [{"say": [{"thinking": "T", "details": details}, {"tool": "get_time", "input": {}, "extra_content": extra}]},
                 {"say": [{"text": "Fine."}]}]
        for client in CLIENTS.values():
            for stream in (False, True):
                with self.subTest(client=client.name, stream=stream):
                    body = {**client.ask("lax,m", stream, True), **({"stream": stream} if client.name == "gemini" else {})}
                    answer, _ = self.send("lax", body, client.name, told={"turns": turns})
                    read: Said = client.read(answer, stream)
                    got = self.sent("lax", client.go_on(body, read, ["x"]), client.name, told={"turns": turns})
                    message = next(message for message in got["messages"] if message["role"] == "assistant")
                    self.assertEqual(message["tool_calls"][0].get("extra_content"), extra)
                    self.assertEqual(message.get("reasoning_details"), details)

    def row_09_combinators_at_the_top(self):
        schema = {"type": "object", "anyOf": [{"properties": {"a": {"type": "string"}}, "required": ["a"]}, {"properties": {"b": {"type": "string"}}}]}
        as_chat = {"messages": [USER], "tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}]}
        for provider, client, body, where in (
                ("openai", "anthropic", {"messages": [USER], "tools": [{"name": "f", "input_schema": schema}]}, ("function", "parameters")),
                ("openai", "chat", as_chat, ("function", "parameters")), ("claude", "chat", as_chat, ("input_schema",)),
                ("responses", "chat", as_chat, ("parameters",))):
            with self.subTest(provider=provider, client=client):
                found = self.sent(provider, body, client)["tools"][0]
                for member in where:
                    found = found[member]
                self.assertEqual((found["type"], set(found["properties"])), ("object", {"a", "b"}))

    def row_10_arrays_without_items(self):
        schema = {"type": "object", "properties": {"a": {"type": "object", "properties": {"b": {"type": "array"}}}}}
        got = self.sent("openai", {"messages": [USER], "tools": [{"name": "f", "input_schema": schema}]})
        self.assertEqual(got["tools"][0]["function"]["parameters"]["properties"]["a"]["properties"]["b"], {"type": "array", "items": {}})
        got = self.sent("responses", {"messages": [USER], "tools": [{"name": "f", "input_schema": schema}]})
        self.assertEqual(got["tools"][0]["parameters"]["properties"]["a"]["properties"]["b"], {"type": "array", "items": {}})

    def row_11_forced_choice_while_thinking(self):
        asked = {"messages": [USER], "tools": [TOOL], "tool_choice": {"type": "tool", "name": "f"}, **THINKING}
        self.assertEqual(self.sent("qwen", asked, model="qwen3.5-plus").get("tool_choice", "auto"), "auto")
        self.assertEqual(self.sent("lax", asked, model="deepseek-v4-pro").get("tool_choice", "auto"), "auto")
        got = self.sent("deepseek", asked)
        self.assertEqual((got["thinking"]["type"], got["tool_choice"]["function"]["name"]), ("disabled", "f"))

    def row_12_disabled_thinking_beside_an_effort(self):
        asked = {"messages": [USER], "thinking": {"type": "disabled"}, "output_config": {"effort": "high"}}
        self.assertIn(self.sent("p", asked).get("reasoning_effort", "none"), ("none",))
        self.assertEqual(self.sent("lax", asked, model="gpt-5.1")["reasoning_effort"], "none")
        self.assertEqual(self.sent("deepseek", asked)["thinking"], {"type": "disabled"})
        got = self.sent("qwen", asked)
        self.assertEqual((got["enable_thinking"], got.get("reasoning_effort")), (False, None))
        self.assertEqual(self.sent("gemini", asked, model="gemini-2.5-flash")["generationConfig"]["thinkingConfig"]["thinkingBudget"], 0)
        self.assertNotEqual(self.sent("gemini", asked, model="gemini-3-flash")["generationConfig"]["thinkingConfig"].get("thinkingLevel"), "high")
        self.assertIn((self.sent("responses", asked).get("reasoning") or {}).get("effort", "none"), ("none",))
        self.assertEqual(self.sent("claude", asked)["thinking"], {"type": "disabled"})

    def row_13_the_other_form_of_answer(self):
        for provider in ("lax", "claude", "responses", "gemini"):
            for client in CLIENTS.values():
                for stream, form in ((True, "json"), (False, "events")):
                    for more in ({}, {"content_type": None}, {"content_type": "text/plain"}, {"content_type": "application/json", "gzip": True}):
                        with self.subTest(provider=provider, client=client.name, form=form, more=more):
                            body = {**client.ask(f"{provider},m", stream), **({"stream": stream} if client.name == "gemini" else {})}
                            answer, _ = self.send(provider, body, client.name, told={"form": form, **more})
                            self.assertEqual(answer.status, 200, answer)
                            self.assertEqual(client.read(answer, stream).text, "Fine.")

    def row_14_responses_clients(self):
        for provider in ("lax", "claude", "gemini"):
            answer, got = self.send(provider, {"input": "hi", "previous_response_id": "resp_1"}, "responses")
            self.assertEqual((answer.status, got), (400, None))
            self.assertIn("store", answer.json()["error"]["message"])
        tools = [{"type": "custom", "name": "apply_patch", "description": "Patches", "format": {"type": "grammar", "syntax": "lark", "definition": "start: x"}}]
        turns = [{"say": [{"tool": "apply_patch", "input": {"input": "*** Begin\n+\u2602"}}]}, {"say": [{"text": "{result}"}]}]
        for provider in ("lax", "claude", "gemini", "responses"):
            for stream in (False, True):
                with self.subTest(provider=provider, stream=stream):
                    asked = {"stream": stream, "input": [USER], "tools": tools, "store": False}
                    answer, _ = self.send(provider, asked, "responses", told={"turns": turns})
                    if stream:
                        output = CLIENTS["responses"].collect(answer.body)["output"]
                    else:
                        output = answer.json()["output"]
                    call = output[-1]
                    self.assertEqual((call["type"], call["name"], call["input"]), ("custom_tool_call", "apply_patch", "*** Begin\n+\u2602"))
                    back = {"type": "custom_tool_call_output", "call_id": call["call_id"], "output": "Done!"}
                    answer, _ = self.send(provider, {**asked, "stream": False, "input": [USER, *output, back]}, "responses", told={"turns": turns})
                    self.assertEqual(CLIENTS["responses"].read(answer, False).text, "Done!")

    def row_15_gemini_clients(self):
        body = b'{ "contents" : [{"parts":[{"text":"\\u0068i" }]}],\n"generationConfig":{"temperature":1.0e0} }'
        for method in ("generateContent", "streamGenerateContent?alt=sse", "countTokens"):
            self.provider_fake.forget()
            self.provider_fake.tell({"canary-key-gemini": OK})
            answer = self.post(f"/v1beta/models/gemini,m:{method}", body, CLIENTS["gemini"].headers)
            self.assertEqual(answer.status, 200, (method, answer))
            request = self.provider_fake.requests()[0]
            self.assertEqual(request["target"], f"/v1beta/models/m:{method}")
            self.assertEqual(request["length"], len(body))
        for provider in ("gemini", "lax", "claude", "responses"):
            self.provider_fake.tell({f"canary-key-{provider}": OK})
            answer = self.post(f"/v1beta/models/{provider},m:streamGenerateContent", body, CLIENTS["gemini"].headers)
            self.assertEqual((answer.status, answer.headers["content-type"].split(";")[0]), (200, "application/json"))
            parts = [part for event in answer.json() for part in event["candidates"][0].get("content", {}).get("parts", [])]
            self.assertEqual("".join(part["text"] for part in parts), "Fine.")
        listed = self.get("/v1beta/models", CLIENTS["gemini"].headers).json()["models"]
        self.assertTrue(all(model["name"].startswith("models/") for model in listed))
        counted = self.post("/v1beta/models/lax,m:countTokens", body, CLIENTS["gemini"].headers).json()
        self.assertGreater(counted["totalTokens"], 0)

    def row_15_its_url_makes_a_provider_one_of_gemini(self):
        self.sent("by-url", {"messages": [USER]})
        self.assertEqual(self.provider_request["target"], "/v1beta/models/m:generateContent")

    def row_16_models_without_an_effort(self):
        asked = {"messages": [USER], "thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}, "metadata": {"user_id": "u"}}
        self.assertNotIn("reasoning_effort", self.sent("p", asked, model="gpt-4o"))
        self.assertFalse({"reasoning_effort", "user"} & set(self.sent("dropping", asked)))
        self.assertFalse({"reasoning_effort", "user"} & set(self.sent("dropping", {"messages": [USER], "reasoning_effort": "low", "user": "u"}, "chat")))

    def row_17_thinking_without_a_signature(self):
        messages = [USER, said("assistant", thinking("R"), {"type": "text", "text": "t"}), USER]
        got = self.sent("claude", {"messages": messages})
        self.assertEqual([block["type"] for block in got["messages"][1]["content"]], ["text"])
        del messages[1]["content"][0]["signature"]
        self.assertEqual([block["type"] for block in self.sent("claude", {"messages": messages})["messages"][1]["content"]], ["text"])

    def row_18_role_developer(self):
        asked = [{"role": "developer", "content": "D"}, USER]
        self.assertEqual(self.roles(self.sent("p", {"messages": asked}, "chat")), ["system", "user"])
        self.assertEqual(self.roles(self.sent("p", {"input": asked}, "responses")), ["system", "user"])


if __name__ == "__main__":
    unittest.main()
