"""What else a request says, for every client format and provider format: sampling, bounds, a forced tool, a picture, an output's schema;
and why an answer ended."""
import json
import unittest

from clients import CLIENTS, expect
from harness import StackTest
from provider_views import MODELS, MORE, PATHS, text_of

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SCHEMA = {"type": "object", "properties": {"verdict": {"type": "string"}}, "required": ["verdict"], "additionalProperties": False}
ASKED = {
    "anthropic": {"max_tokens": 777, "temperature": 0.5, "top_p": 0.25, "stop_sequences": ["END"], "tool_choice": {"type": "tool", "name": "get_time"},
                  "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}, "messages": [{"role": "user", "content": [
                      {"type": "text", "text": "See."}, {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}]}]},
    "chat": {"max_tokens": 777, "temperature": 0.5, "top_p": 0.25, "stop": "END", "tool_choice": {"type": "function", "function": {"name": "get_time"}},
             "response_format": {"type": "json_schema", "json_schema": {"name": "v", "strict": True, "schema": SCHEMA}},
             "messages": [{"role": "user", "content": [{"type": "text", "text": "See."},
                                                       {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}]}]},
    "responses": {"max_output_tokens": 777, "temperature": 0.5, "top_p": 0.25, "tool_choice": {"type": "function", "name": "get_time"},
                  "text": {"format": {"type": "json_schema", "name": "v", "strict": True, "schema": SCHEMA}},
                  "input": [{"role": "user", "content": [{"type": "input_text", "text": "See."},
                                                         {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"}]}]},
    "gemini": {"generationConfig": {"maxOutputTokens": 777, "temperature": 0.5, "topP": 0.25, "stopSequences": ["END"],
                                    "responseMimeType": "application/json", "responseJsonSchema": SCHEMA},
               "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["get_time"]}},
               "contents": [{"role": "user", "parts": [{"text": "See."}, {"inlineData": {"mimeType": "image/png", "data": PIXEL}}]}]},
}
FORMATS = ("output_config", "response_format", "text", "generationConfig")  # the members that hold the schema
NO_STOP = ("responses",)  # has no stop sequences
CUT = {"anthropic": "max_tokens", "chat": "length", "responses": "incomplete", "gemini": "MAX_TOKENS"}


def settings(kind, body):
    """As the provider was asked: (bound, temperature, top_p, stop sequences, forced tool)."""
    if kind == "anthropic":
        return body["max_tokens"], body["temperature"], body["top_p"], body.get("stop_sequences"), body["tool_choice"]["name"]
    if kind == "chat":
        stop = body.get("stop")
        return (body.get("max_tokens") or body["max_completion_tokens"], body["temperature"], body["top_p"],
                [stop] if isinstance(stop, str) else stop, body["tool_choice"]["function"]["name"])
    if kind == "responses":
        return body["max_output_tokens"], body["temperature"], body["top_p"], None, body["tool_choice"]["name"]
    config, calling = body["generationConfig"], body["toolConfig"]["functionCallingConfig"]
    expect(calling["mode"] == "ANY", "mode", calling)
    return config["maxOutputTokens"], config["temperature"], config["topP"], config.get("stopSequences"), *calling["allowedFunctionNames"]


def pictures(kind, body):
    """Type and data of each."""
    found = []
    messages = body.get("messages") or body.get("input") or body.get("contents")
    contents = [message.get("content") or message.get("parts") for message in messages]
    for part in [part for content in contents if isinstance(content, list) for part in content]:
        if kind == "anthropic" and part["type"] == "image":
            found.append((part["source"]["media_type"], part["source"]["data"]))
        elif kind == "gemini" and "inlineData" in part:
            found.append((part["inlineData"]["mimeType"], part["inlineData"]["data"]))
        elif part.get("type") in ("image_url", "input_image"):
            url = part["image_url"] if kind == "responses" else part["image_url"]["url"]
            head, data = url.split(";base64,")
            found.append((head.removeprefix("data:"), data))
    return found


def output_schema(kind, body):
    if kind == "anthropic" and "output_config" in body:
        return body["output_config"]["format"]["schema"]
    if kind == "anthropic":  # not every model there knows it: as a word to the model
        text = text_of(body["system"])
        return json.loads(text[text.index("{"):])
    if kind == "chat":
        return body["response_format"]["json_schema"]["schema"]
    if kind == "responses":
        return body["text"]["format"]["schema"]
    config = body["generationConfig"]
    expect(config["responseMimeType"] == "application/json", "responseMimeType", config)
    return config.get("responseJsonSchema") or config["responseSchema"]


def end_of(kind, answer, stream):
    """Why the answer ended, as the client is told."""
    if kind == "responses":
        events = [line[6:] for line in answer.body.decode().split("\n") if line.startswith("data: ")]
        whole = json.loads(events[-1]) if stream else {"type": "response.incomplete", "response": answer.json()}
        expect(whole["type"] == "response.incomplete", "last event", whole)
        expect(whole["response"]["incomplete_details"] == {"reason": "max_output_tokens"}, "incomplete_details", whole)
        return whole["response"]["status"]
    texts = [line[6:] for line in answer.body.decode().split("\n") if line.startswith("data: ") and line != "data: [DONE]"] if stream else [answer.body]
    member = {"anthropic": "stop_reason", "chat": "finish_reason", "gemini": "finishReason"}[kind]
    found = []

    def search(value):
        if isinstance(value, dict):
            found.extend([value[member]] if value.get(member) else [])
            value = list(value.values())
        for inner in value if isinstance(value, list) else []:
            search(inner)

    for text in texts:
        search(json.loads(text))
    expect(len(found) == 1, "ends", found)
    return found[0]


class SettingsTest(StackTest):
    def setUp(self):
        super().setUp()
        self.provider_fake = self.fake({f"canary-key-{kind}": {} for kind in PATHS})
        self.start([self.provider(self.provider_fake, [f"canary-key-{kind}"], name=kind, path=path, models=[MODELS[kind]], **MORE[kind])
                    for kind, path in PATHS.items()])

    def each_pair(self, check, **told):
        for name, client in CLIENTS.items():
            for provider in PATHS:
                for stream in (False, True):
                    with self.subTest(client=name, provider=provider, stream=stream):
                        self.provider_fake.forget()
                        self.provider_fake.tell({f"canary-key-{provider}": {"kind": "talk", "turns": [{"say": [{"text": "Fine."}]}], **told}})
                        check(client, provider, stream)

    def send(self, client, provider, stream, more):
        model = f"{provider},{MODELS[provider]}"
        answer = self.post(client.target(model, stream), {**client.ask(model, stream), **more}, client.headers)
        request = self.provider_fake.requests()[-1]
        self.assertEqual(answer.status, 200, (answer, request.get("error"), request["body"]))
        return answer, request["body"]

    def test_what_else_a_request_says(self):
        def check(client, provider, stream):
            answer, got = self.send(client, provider, stream, ASKED[client.name])
            stop = None if {client.name, provider} & set(NO_STOP) else ["END"]
            self.assertEqual(settings(provider, got), (777, 0.5, 0.25, stop, "get_time"))
            self.assertEqual(pictures(provider, got), [("image/png", PIXEL)])
            self.assertEqual(client.read(answer, stream).text, "Fine.")

        self.each_pair(check, strict=["unknown_fields"])

    def test_a_schema_of_the_output(self):
        def check(client, provider, stream):
            model = f"{provider},{MODELS[provider]}"
            body = {**client.ask(model, stream), **{name: value for name, value in ASKED[client.name].items() if name in FORMATS}}
            del body["tools"]  # beside which Gemini refuses it
            answer = self.post(client.target(model, stream), body, client.headers)
            request = self.provider_fake.requests()[-1]
            self.assertEqual(answer.status, 200, (answer, request.get("error"), request["body"]))
            self.assertEqual(output_schema(provider, request["body"])["properties"]["verdict"]["type"].lower(), "string")

        self.each_pair(check, strict=["unknown_fields"])

    def test_an_answer_that_its_bound_ended(self):
        def check(client, provider, stream):
            answer, _ = self.send(client, provider, stream, {})
            self.assertEqual(end_of(client.name, answer, stream), CUT[client.name])

        self.each_pair(check, cut_short=True)


if __name__ == "__main__":
    unittest.main()
