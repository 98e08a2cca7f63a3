"""A provider of Gemini's native API behind the real binaries, for clients of both formats."""
import json
import unittest

from harness import StackTest, wait_for

OK = {"kind": "ok"}
CALL = {"name": "weather", "args": {"city": "Paris"}, "signature": "c2lnbmVkLWJ5LWdlbWluaQ=="}
SCHEMA = {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "additionalProperties": False,
          "properties": {"city": {"type": "string", "format": "uri"}}, "required": ["city"]}
QUESTION = {"role": "user", "content": "Weather in Paris?"}


def events(answer):
    """The data of a stream's events; [DONE] left out."""
    lines = [line[6:] for line in answer.body.decode().split("\n") if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


class GeminiTest(StackTest):
    def start_gemini(self, keys, **more):
        fake = self.fake(keys)
        provider = self.provider(fake, list(keys), name="gemini", path="/v1beta/models/", transformer={"use": ["gemini"]}, **more)
        provider["models"] = ["gemini-3-flash"]
        self.start([provider])
        return fake

    def messages(self, messages, **more):
        return self.post("/v1/messages", {"model": "gemini,gemini-3-flash", "max_tokens": 99, "messages": messages, **more},
                         {"x-api-key": "anything", "x-goog-api-key": "of-the-client"})

    def completions(self, messages, **more):
        return self.post("/v1/chat/completions", {"model": "gemini-3-flash", "messages": messages, **more},
                         {"authorization": "Bearer anything"})

    def only_request(self, fake):
        requests = fake.requests()
        self.assertEqual(len(requests), 1)
        fake.forget()
        return requests[0]

    def test_plain_and_streamed_for_both_clients(self):
        fake = self.start_gemini({"canary-key-1": OK})
        answer = self.messages([QUESTION], system="Be kind.")
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.json()["content"], [{"type": "text", "text": "Hello from the fake provider."}])
        self.assertEqual(answer.json()["usage"]["output_tokens"], 5)
        request = self.only_request(fake)
        self.assertEqual(request["target"], "/v1beta/models/gemini-3-flash:generateContent")
        self.assertEqual(request["headers"]["x-goog-api-key"], ["canary-key-1"])
        for header in ("authorization", "x-api-key", "anthropic-version"):
            self.assertNotIn(header, request["headers"])
        self.assertEqual(request["body"]["systemInstruction"], {"parts": [{"text": "Be kind."}]})

        answer = self.messages([QUESTION], stream=True)
        self.assertEqual([e["type"] for e in events(answer)],
                         ["message_start", "content_block_start"] + 3 * ["content_block_delta"] +
                         ["content_block_stop", "message_delta", "message_stop"])
        self.assertEqual(self.only_request(fake)["target"], "/v1beta/models/gemini-3-flash:streamGenerateContent?alt=sse")

        answer = self.completions([QUESTION])
        self.assertEqual(answer.json()["choices"][0]["message"]["content"], "Hello from the fake provider.")
        self.assertEqual(answer.json()["usage"]["total_tokens"], 12)
        answer = self.completions([QUESTION], stream=True, stream_options={"include_usage": True})
        text = "".join(c["delta"].get("content", "") for e in events(answer) for c in e["choices"])
        self.assertEqual(text, "word0 word1 word2 ")
        self.assertTrue(answer.body.endswith(b"data: [DONE]\n\n"))
        self.assertEqual(events(answer)[-1]["usage"]["prompt_tokens"], 7)
        wait_for(lambda: self.metric(self.proxy, "ccr_tokens_total", provider="gemini", direction="output") == 5 + 3 + 5 + 3, "the tokens")

    def test_a_tool_call_of_an_anthropic_client_comes_back_with_its_signature(self):
        fake = self.start_gemini({"canary-key-1": {**OK, "call": CALL}})
        tools = [{"name": "weather", "input_schema": SCHEMA}]
        for stream in (False, True):
            first = self.messages([QUESTION], tools=tools, stream=stream)
            self.assertEqual(first.status, 200, first)
            if stream:
                start = next(e for e in events(first) if e.get("content_block", {}).get("type") == "tool_use")
                use = {**start["content_block"], "input": CALL["args"]}
                self.assertEqual(events(first)[-2]["delta"]["stop_reason"], "tool_use")
            else:
                use = first.json()["content"][0]
                self.assertEqual(use["input"], CALL["args"])
            fake.forget()
            result = {"type": "tool_result", "tool_use_id": use["id"], "content": "Rain."}
            second = self.messages([QUESTION, {"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}],
                                   tools=tools)
            self.assertEqual((second.status, second.json()["stop_reason"]), (200, "end_turn"), second)
            body = self.only_request(fake)["body"]
            self.assertEqual(body["contents"][1]["parts"][0]["thoughtSignature"], CALL["signature"])
            self.assertEqual(body["contents"][2]["parts"][0]["functionResponse"]["response"], {"output": "Rain."})
            self.assertEqual(body["tools"][0]["functionDeclarations"][0]["parameters"],
                             {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}, "required": ["city"]})

    def test_a_tool_call_of_an_openai_client_comes_back_with_its_signature(self):
        self.start_gemini({"canary-key-1": {**OK, "call": CALL}})
        tools = [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}]
        for stream in (False, True):
            first = self.completions([QUESTION], tools=tools, stream=stream)
            if stream:
                deltas = [c["delta"]["tool_calls"][0] for e in events(first) for c in e["choices"] if "tool_calls" in c["delta"]]
                call = {**deltas[0], "function": {**deltas[0]["function"], "arguments": "".join(d["function"]["arguments"] for d in deltas)}}
            else:
                call = first.json()["choices"][0]["message"]["tool_calls"][0]
            self.assertEqual(json.loads(call["function"]["arguments"]), CALL["args"])
            second = self.completions([QUESTION, {"role": "assistant", "content": None, "tool_calls": [call]},
                                       {"role": "tool", "tool_call_id": call["id"], "content": "Rain."}], tools=tools)
            self.assertEqual(second.status, 200, second)
            self.assertEqual(second.json()["choices"][0]["finish_reason"], "stop")

    def test_keys_rotate_by_geminis_errors(self):
        limited = {"kind": "status", "status": 429, "error": {
            "code": 429, "message": "Quota exceeded.", "status": "RESOURCE_EXHAUSTED",
            "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "600s"}]}}
        self.start_gemini({"canary-key-1": {"kind": "status", "status": 401}, "canary-key-2": limited, "canary-key-3": OK})
        for _ in range(3):
            self.assertEqual(self.messages([QUESTION]).status, 200)
        keys = self.keys("gemini")
        self.assertEqual((keys["key-1"]["state"], keys["key-1"]["uses"]), ("disabled", 1))
        self.assertEqual((keys["key-2"]["state"], keys["key-2"]["reason"]), ("cooling", "rate_limited"))
        self.assertEqual(keys["key-3"]["state"], "active")

    def test_errors_keep_geminis_words(self):
        told = {"kind": "status", "status": 400,
                "error": {"code": 400, "message": "Invalid value at 'contents'", "status": "INVALID_ARGUMENT"}}
        self.start_gemini({"canary-key-1": told})
        answer = self.messages([QUESTION])
        self.assertEqual((answer.status, answer.json()["error"]),
                         (400, {"type": "invalid_request_error", "message": "Invalid value at 'contents'"}))
        self.assertEqual(self.completions([QUESTION]).json()["error"]["message"], "Invalid value at 'contents'")
        self.assertEqual(self.keys("gemini")["key-1"]["state"], "active")

    def test_other_endpoints(self):
        fake = self.start_gemini({"canary-key-1": OK})
        answer = self.post("/p/gemini/v1beta/models/gemini-3-flash:generateContent?key=of-the-client", {"contents": []},
                           {"x-goog-api-key": "of-the-client"})
        self.assertEqual(answer.status, 200, answer)
        request = self.only_request(fake)
        self.assertEqual((request["target"], request["headers"]["x-goog-api-key"]),
                         ("/v1beta/models/gemini-3-flash:generateContent", ["canary-key-1"]))
        self.assertEqual(answer.json()["responseId"], "resp-fake")
        self.assertEqual(self.post("/v1/embeddings", {"model": "gemini-3-flash"}).status, 501)
        counted = self.post("/v1/messages/count_tokens", {"model": "gemini-3-flash", "messages": [QUESTION]})
        self.assertEqual(counted.status, 200)
        self.assertGreater(counted.json()["input_tokens"], 0)


if __name__ == "__main__":
    unittest.main()
