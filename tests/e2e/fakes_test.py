"""The fake provider by itself: clients of each format hold its conversation, and its strict keys refuse what real providers do."""
import gzip
import json
import unittest

from clients import CLIENTS, QUESTION, SYSTEM, sse
from harness import StackTest, http_request
from provider_views import PATHS, see

TURNS = [{"say": [{"thinking": "First, I look."}, {"text": "Let me \u2602 look."}, {"tool": "get_weather", "input": {"place": "Z\u00fcrich \"W\"", "days": [1, 2.5]}},
                  {"tool": "get_time", "input": {}}]},
         {"say": [{"text": "So: {result}"}]}]
CALLS = [(block["tool"], block["input"]) for block in TURNS[0]["say"] if "tool" in block]
EVERY = ["system_first", "no_user_after_tool", "alternate", "unknown_fields", "no_forced_while_thinking", "signed_thinking", "no_developer",
         "items_required", "no_combinators", "ids"]
USER = {"role": "user", "content": "hi"}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CALLED = [USER, {"role": "assistant", "content": None, "tool_calls": [CALL]}]
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "x"}


def tool(schema):
    return [{"type": "function", "function": {"name": "f", "parameters": schema}}]


def use(**more):
    return {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {}, **more}]}


def result(*more):
    return {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "x"}, *more]}


# rule, format, the members that it refuses
REFUSED = [
    ("system_first", "chat", {"messages": [USER, {"role": "system", "content": "s"}]}),
    ("system_first", "chat", {"messages": [{"role": "system", "content": "s"}, {"role": "system", "content": "s"}, USER]}),
    ("system_first", "anthropic", {"messages": [USER, {"role": "system", "content": "s"}]}),
    ("no_user_after_tool", "chat", {"messages": [*CALLED, RESULT, USER]}),
    ("alternate", "chat", {"messages": [USER, USER]}),
    ("alternate", "anthropic", {"messages": [USER, USER]}),
    ("unknown_fields", "chat", {"messages": [USER], "context_management": {}}),
    ("unknown_fields", "chat", {"messages": [{**USER, "cache_control": {}}]}),
    ("unknown_fields", "chat", {"messages": [USER, {"role": "assistant", "content": "x", "reasoning_content": "y"}, USER]}),
    ("unknown_fields", "anthropic", {"messages": [USER], "reasoning_effort": "high"}),
    ("unknown_fields", "anthropic", {"messages": [USER, use(extra=1), result()]}),
    ("unknown_fields", "responses", {"input": [USER], "messages": []}),
    ("unknown_fields", "gemini", {"contents": [{"role": "user", "parts": [{"text": "x"}]}], "stream": True}),
    ("unknown_fields", "gemini", {"contents": [{"role": "user", "parts": [{"text": "x"}]}],
                                  "tools": [{"functionDeclarations": [{"name": "f", "parameters": {"type": "OBJECT", "$schema": "x"}}]}]}),
    ("no_forced_while_thinking", "chat", {"messages": [USER], "tool_choice": "required", "reasoning_effort": "low"}),
    ("no_forced_while_thinking", "anthropic", {"messages": [USER], "tool_choice": {"type": "any"}, "thinking": {"type": "adaptive"}}),
    ("signed_thinking", "anthropic", {"messages": [USER, {"role": "assistant", "content": [
        {"type": "thinking", "thinking": "x", "signature": "c2lnbmVk"}, {"type": "text", "text": "y"}]}, USER]}),
    ("no_developer", "chat", {"messages": [{"role": "developer", "content": "s"}, USER]}),
    ("items_required", "chat", {"messages": [USER], "tools": tool({"type": "object", "properties": {"a": {"type": "array"}}})}),
    ("no_combinators", "chat", {"messages": [USER], "tools": tool({"type": "object", "anyOf": [{"required": ["a"]}]})}),
    ("ids", "chat", {"messages": [USER, {**CALLED[1], "tool_calls": [{**CALL, "id": "c" * 41}]}, {**RESULT, "tool_call_id": "c" * 41}]}),
    ("ids", "chat", {"messages": [USER, {**CALLED[1], "tool_calls": [{**CALL, "id": "c:1"}]}, {**RESULT, "tool_call_id": "c:1"}]}),
]
# what is refused with any rules
NEVER = [
    ("chat", {"messages": CALLED}), ("chat", {"messages": [USER, RESULT]}), ("chat", {"messages": [{"role": "user", "content": ""}]}),
    ("anthropic", {"messages": [USER, use(), USER]}), ("anthropic", {"messages": [USER, result()]}), ("anthropic", {"max_tokens": None, "messages": [USER]}),
    ("anthropic", {"messages": [USER, use(), {"role": "user", "content": result({"type": "text", "text": "t"})["content"][::-1]}]}),
    ("responses", {"input": [{"type": "function_call_output", "call_id": "c1", "output": "x"}]}),
    ("responses", {"input": [USER, {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "foreign"}]}),
    ("gemini", {"contents": [{"role": "user", "parts": [{"text": "x"}]}, {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]},
                             {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}]}]}),
]


class FakesTest(StackTest):
    def send(self, fake, client, body, stream, key="k"):
        headers = {"content-type": "application/json", **{name: key if "key" in name else f"Bearer {key}" if name == "authorization" else value
                                                          for name, value in client.headers.items()}}
        return http_request(fake.address, "POST", client.target("fake-model", stream), json.dumps(body), headers)

    def test_a_conversation_in_each_format(self):
        fake = self.fake({"k": {"kind": "talk", "turns": TURNS, "strict": EVERY}})
        for name, client in CLIENTS.items():
            for stream in (False, True):
                with self.subTest(client=name, stream=stream):
                    fake.forget()
                    body = client.ask("fake-model", stream, thinking=True)
                    if name == "gemini":
                        del body["tools"][0]["functionDeclarations"][1]["parametersJsonSchema"]
                    answer = self.send(fake, client, body, stream)
                    self.assertEqual(answer.status, 200, answer)
                    said = client.read(answer, stream)
                    self.assertEqual((said.text, said.thinking, said.stop), ("Let me \u2602 look.", "First, I look.", "tools"))
                    self.assertEqual([(call.name, call.args) for call in said.calls], CALLS)
                    for message in said.history:
                        message.pop("reasoning_content", None)
                    body = client.go_on(body, said, ["rain", "noon"])
                    answer = self.send(fake, client, body, stream)
                    self.assertEqual(answer.status, 200, answer)
                    last = client.read(answer, stream)
                    self.assertEqual((last.text, last.calls, last.stop), ("So: rain; noon", [], "end"))
                    seen = see(name, fake.requests()[-1]["body"])
                    self.assertEqual((seen.system, seen.thinking), (SYSTEM, True))
                    self.assertEqual(seen.turns, [("user", QUESTION), ("assistant", "Let me \u2602 look."), *[("call", *call) for call in CALLS],
                                                  ("result", "get_weather", "rain"), ("result", "get_time", "noon")])
                    self.assertEqual(len(seen.states), 0 if name == "chat" else 1)

    def test_strict_keys_refuse(self):
        fake = self.fake({"k": {}})

        def status(kind, members, rules):
            fake.tell({"k": {"kind": "talk", "turns": [{"say": [{"text": "x"}]}], "strict": rules}})
            more = {"max_tokens": 9} if kind in ("chat", "anthropic") else {}
            if kind != "gemini":
                more["model"] = "m"
            return self.send(fake, CLIENTS[kind], {**more, **members}, False).status

        for rule, kind, members in REFUSED:
            with self.subTest(rule=rule, kind=kind, members=members):
                self.assertEqual(status(kind, members, [rule]), 400)
                self.assertEqual(status(kind, members, [other for other in EVERY if other not in (rule, "unknown_fields", "alternate")]), 200)
        for kind, members in NEVER:
            with self.subTest(kind=kind, members=members):
                self.assertEqual(status(kind, members, []), 400)

    def test_the_other_form_of_answer(self):
        fake = self.fake({"k": {}})
        for kind, client in CLIENTS.items():
            for form, stream in (("json", True), ("events", False)):
                for more in ({}, {"content_type": None}, {"content_type": "text/plain", "gzip": True}):
                    with self.subTest(kind=kind, form=form, more=more):
                        fake.tell({"k": {"kind": "talk", "turns": TURNS[1:], "form": form, **more}})
                        answer = self.send(fake, client, client.ask("m", stream), stream)
                        usual = "application/json" if form == "json" else "text/event-stream"
                        self.assertEqual(answer.headers.get("content-type"), more.get("content_type", usual))
                        if more.get("gzip"):
                            answer.body = gzip.decompress(answer.body)
                        self.assertEqual(client.read(answer, form == "events").text, "So: ")

    def test_a_stream_of_gemini_without_sse_is_an_array(self):
        fake = self.fake({"k": {"kind": "talk", "turns": TURNS}})
        client = CLIENTS["gemini"]
        answers = [http_request(fake.address, "POST", client.target("m", True).removesuffix(suffix), json.dumps(client.ask("m", True)),
                                {"x-goog-api-key": "k"}) for suffix in ("", "?alt=sse")]
        self.assertEqual(answers[1].headers["content-type"], "application/json")
        self.assertEqual(answers[1].json(), [json.loads(data) for _, data in sse(answers[0].body)])

    def test_where_each_format_is_served(self):
        for kind, path in PATHS.items():
            self.assertTrue(CLIENTS[kind].target("m", False).startswith(path))


if __name__ == "__main__":
    unittest.main()
