"""What the proxy's HTTP side promises: routes, bytes as they came, token, limits, errors in the client's own format."""
import hashlib
import http.client
import json
import socket
import unittest

from harness import PATIENCE, StackTest, http_request, wait_for

OK = {"kind": "ok"}


class EdgeTest(StackTest):
    def start_two(self, **more):
        """An OpenAI-format provider 'open' and an Anthropic-format one 'anth'."""
        fake = self.fake({"canary-key-o": OK, "canary-key-a": OK})
        self.start([self.provider(fake, ["canary-key-o"], name="open", models=["gpt-x", "shared"]),
                    self.provider(fake, ["canary-key-a"], name="anth", path="/v1/messages", models=["claude-x", "shared"])], **more)
        return fake

    def raw(self, data):
        """Sends bytes, returns all that comes until the proxy closes."""
        host, port = self.address.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=PATIENCE) as connection:
            connection.sendall(data)
            received = b""
            while chunk := connection.recv(65536):
                received += chunk
            return received

    def test_models_route_by_name_and_only_the_model_changes(self):
        fake = self.start_two()
        body = b'{ "messages":[{"role":"user","content":"\xc3\xa9\\u0041"}],\n "model" : "OPEN,gpt-x" ,"temperature":0.10}'
        self.assertEqual(self.post("/v1/chat/completions?x=1", body).status, 200)
        sent = fake.requests()[0]
        self.assertEqual(sent["sha256"], hashlib.sha256(body.replace(b'"OPEN,gpt-x"', b'"gpt-x"')).hexdigest())
        self.assertEqual(sent["key"], "canary-key-o")
        same = b'{"model":"claude-x","max_tokens":5,"messages":[]}'
        self.assertEqual(self.post("/v1/messages?beta=true", same, {"anthropic-version": "2023-06-01", "anthropic-beta": "a,b"}).status, 200)
        sent = fake.requests()[1]
        self.assertEqual(sent["sha256"], hashlib.sha256(same).hexdigest())
        self.assertEqual(sent["target"], "/v1/messages?beta=true")
        self.assertEqual(sent["headers"]["anthropic-version"], ["2023-06-01"])
        self.assertEqual(sent["headers"]["anthropic-beta"], ["a,b"])
        self.assertEqual(sent["headers"]["x-api-key"], ["canary-key-a"])
        self.assertNotIn("authorization", sent["headers"])
        self.assertEqual(self.post("/v1/chat/completions", {"model": "unheard-of"}).status, 200)  # Router.default
        self.assertEqual(fake.requests()[2]["key"], "canary-key-o")

    def test_every_endpoint(self):
        fake = self.start_two()
        self.assertEqual(self.post("/v1/messages/count_tokens", {"model": "claude-x"}).json(), {"input_tokens": 7})
        self.assertEqual(self.post("/v1/embeddings", {"model": "gpt-x"}).status, 200)
        self.assertEqual(self.post("/v1/responses", {"model": "gpt-x", "input": "hi"}).json()["object"], "response")
        self.assertEqual([r["target"] for r in fake.requests()], ["/v1/messages/count_tokens", "/v1/embeddings", "/v1/chat/completions"])
        models = self.get("/v1/models?limit=1000").json()
        self.assertIn("open,gpt-x", [m["id"] for m in models["data"]])
        self.assertIn("display_name", models["data"][0])
        for method in ("GET", "HEAD"):
            self.assertEqual(self.get("/", method=method).status, 200)
            self.assertEqual(self.get("/health", method=method).status, 200)
        self.assertEqual(self.get("/nowhere").status, 404)
        self.assertEqual(self.get("/v1/messages").status, 405)

    def test_provider_paths(self):
        fake = self.start_two()
        self.assertEqual(self.get("/p/open/models?x=%20y").status, 200)
        self.assertEqual(self.get("/p/OPEN/v1/models").status, 200)
        answer = http_request(self.address, "POST", "/p/open/embeddings", '{"model":"gpt-x"}')
        self.assertEqual(answer.status, 200)
        self.assertEqual([r["target"] for r in fake.requests()], ["/v1/models?x=%20y", "/v1/models", "/v1/embeddings"])
        self.assertEqual({r["key"] for r in fake.requests()}, {"canary-key-o"})
        self.assertEqual(self.get("/p/nobody/models").status, 404)
        for escape in ("../secret", "%2e%2e/secret", "//other.test/x"):
            self.assertEqual(self.get(f"/p/open/{escape}").status, 400, escape)
        self.assertEqual(len(fake.requests()), 3)

    def test_an_anthropic_client_of_an_openai_provider(self):
        fake = self.start_two()
        body = {"model": "open,gpt-x", "max_tokens": 9, "system": "be kind", "messages": [{"role": "user", "content": "hi"}]}
        answer = self.post("/v1/messages?beta=true", body, {"anthropic-version": "2023-06-01"})
        self.assertEqual(answer.status, 200, answer)
        message = answer.json()
        self.assertEqual((message["type"], message["role"], message["stop_reason"]), ("message", "assistant", "end_turn"))
        self.assertEqual(message["content"], [{"type": "text", "text": "Hello from the fake provider."}])
        self.assertEqual((message["usage"]["input_tokens"], message["usage"]["output_tokens"]), (7, 5))
        sent = fake.requests()[0]
        self.assertEqual((sent["target"], sent["key"]), ("/v1/chat/completions", "canary-key-o"))
        self.assertNotIn("anthropic-version", sent["headers"])
        answer = self.post("/v1/messages", {**body, "stream": True})
        self.assertEqual(answer.headers["content-type"], "text/event-stream")
        names = [line[7:] for line in answer.body.decode().splitlines() if line.startswith("event: ")]
        self.assertEqual((names[0], names[-1]), ("message_start", "message_stop"))
        data = [json.loads(line[6:]) for line in answer.body.decode().splitlines() if line.startswith("data: ")]
        text = "".join(event["delta"].get("text", "") for event in data if event["type"] == "content_block_delta")
        self.assertEqual(text, "word0 word1 word2 ")
        answer = self.post("/v1/messages/count_tokens", {"model": "open,gpt-x", "messages": body["messages"]})
        self.assertEqual((answer.status, answer.json()["input_tokens"] > 0, len(fake.requests())), (200, True, 2))

    def test_an_openai_client_of_an_anthropic_provider(self):
        fake = self.start_two()
        body = {"model": "anth,claude-x", "messages": [{"role": "user", "content": "hi"}]}
        answer = self.post("/v1/chat/completions", body)
        self.assertEqual(answer.status, 200, answer)
        choice = answer.json()["choices"][0]
        self.assertEqual((choice["message"]["content"], choice["finish_reason"]), ("Hello from the fake provider.", "stop"))
        sent = fake.requests()[0]
        self.assertEqual((sent["target"], sent["key"]), ("/v1/messages", "canary-key-a"))
        self.assertEqual(sent["headers"]["anthropic-version"], ["2023-06-01"])
        answer = self.post("/v1/chat/completions", {**body, "stream": True})
        lines = [line[6:] for line in answer.body.decode().splitlines() if line.startswith("data: ")]
        self.assertEqual(lines.pop(), "[DONE]")
        text = "".join(choice["delta"].get("content") or "" for line in lines for choice in json.loads(line)["choices"])
        self.assertEqual(text, "word0 word1 word2 ")

    def test_errors_of_the_other_format_keep_status_and_words(self):
        fake = self.start_two()
        fake.tell({"*": {"kind": "status", "status": 400, "error": {"type": "invalid_request_error", "message": "prompt is odd"}}})
        messages = [{"role": "user", "content": "hi"}]
        answer = self.post("/v1/messages", {"model": "open,gpt-x", "max_tokens": 9, "messages": messages})
        self.assertEqual((answer.status, answer.json()["type"]), (400, "error"))
        self.assertEqual(answer.json()["error"], {"type": "invalid_request_error", "message": "prompt is odd"})
        answer = self.post("/v1/chat/completions", {"model": "anth,claude-x", "messages": messages})
        self.assertEqual((answer.status, answer.json()["error"]["message"]), (400, "prompt is odd"))
        answer = self.post("/v1/embeddings", {"model": "anth,claude-x"})
        self.assertEqual(answer.status, 501)
        self.assertIn("message", answer.json()["error"])

    def test_fallbacks_go_on_where_a_provider_fails(self):
        fake = self.start_two(fallback={"default": ["anth,claude-x"]})
        fake.tell({"canary-key-o": {"kind": "status", "status": 429, "headers": {"retry-after": "600"}}})
        for _ in range(2):  # the second finds the pool exhausted
            answer = self.post("/v1/chat/completions", {"model": "gpt-x", "messages": [{"role": "user", "content": "hi"}]})
            self.assertEqual(answer.status, 200, answer)
        self.assertEqual([r["key"] for r in fake.requests()], ["canary-key-o", "canary-key-a", "canary-key-a"])

    def test_client_token(self):
        fake = self.start_two(APIKEY="canary-key-client-token")
        for headers in ({}, {"authorization": "Bearer wrong"}, {"x-api-key": "canary-key-client-toke"}, {"authorization": "Basic eA=="}):
            answer = self.post("/v1/messages", {"model": "claude-x"}, headers)
            self.assertEqual((answer.status, answer.json()["error"]["type"]), (401, "authentication_error"))
        self.assertEqual(fake.requests(), [])
        for headers in ({"authorization": "Bearer canary-key-client-token"}, {"x-api-key": "canary-key-client-token"}):
            self.assertEqual(self.post("/v1/messages", {"model": "claude-x"}, headers).status, 200)
        for request in fake.requests():
            self.assertNotIn("canary-key-client-token", json.dumps(request["headers"]))
        self.assertEqual(self.get("/health").status, 200)
        self.assertEqual(self.get("/v1/models").status, 401)

    def test_foreign_origin_and_host_are_refused(self):
        fake = self.start_two()
        for headers in ({"Origin": "https://evil.test"}, {"Host": "evil.test"}, {"Host": "evil.test:3456"}, {"Origin": "null"}):
            self.assertEqual(self.post("/v1/messages", {"model": "claude-x"}, headers).status, 403, headers)
        answer = self.post("/v1/messages", {"model": "claude-x"}, {"Origin": f"http://{self.address}"})
        self.assertEqual(answer.status, 200)
        self.assertFalse([name for name in answer.headers if name.startswith("access-control")])
        self.assertEqual(len(fake.requests()), 1)

    def status_of(self, data):
        return int(self.raw(data).split(b" ", 2)[1])

    def test_limits_have_their_status(self):
        self.start_two(Proxy={"max_body_bytes": 2000})
        status = self.status_of
        host = f"Host: {self.address}\r\n".encode()
        big = b"x" * 70000
        self.assertEqual(status(b"GET / HTTP/1.1\r\n" + host + b"x: " + big + b"\r\n\r\n"), 431)
        self.assertEqual(status(b"POST /v1/messages HTTP/1.1\r\n" + host + b"Content-Length: 2001\r\n\r\n"), 413)
        chunked = b"POST /v1/messages HTTP/1.1\r\n" + host + b"Transfer-Encoding: chunked\r\n\r\n7d1\r\n" + b"x" * 2001 + b"\r\n0\r\n\r\n"
        self.assertEqual(status(chunked), 413)
        self.assertEqual(status(b"nonsense\r\n\r\n"), 400)
        answer = self.post("/v1/messages", b'{"model": ')
        self.assertEqual((answer.status, answer.json()["error"]["type"]), (400, "invalid_request_error"))

    def test_a_head_that_does_not_end_is_given_up(self):
        self.start_two(Proxy={"header_timeout": 300})
        self.assertEqual(self.status_of(f"GET / HTTP/1.1\r\nHost: {self.address}\r\n".encode()), 408)

    def test_over_the_cap_idle_connections_make_room_and_busy_ones_do_not(self):
        fake = self.start_two(Proxy={"max_connections": 4, "workers": 1})  # a worker makes room among its own
        fake.tell({"canary-key-o": {"kind": "ok", "hold": True}})
        name, port = self.address.rsplit(":", 1)
        held = []

        def hold(data):
            held.append(socket.create_connection((name, int(port)), timeout=PATIENCE))
            self.addCleanup(held[-1].close)
            held[-1].sendall(data)
        for _ in range(50):  # each takes the place of another
            hold(b"GET / HTTP/1.1\r\n")
        self.assertEqual(self.get("/").status, 200)
        body = b'{"model":"gpt-x"}'
        request = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {self.address}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body

        def refused():
            """Whether one more is, after another one that waits for its answer."""
            hold(request)
            return self.get("/").status == 503
        wait_for(refused, "a refusal")
        fake.release()
        for connection in held:
            connection.close()
        wait_for(lambda: self.get("/").status == 200, "room again")

    def test_pages_of_other_sites_are_refused(self):
        fake = self.start_two()
        for path in ("/p/open/models", "/v1/models", "/health"):
            self.assertEqual(self.get(path, {"Sec-Fetch-Site": "cross-site"}).status, 403)
        self.assertEqual(fake.requests(), [])
        self.assertEqual(self.get("/p/open/models", {"Sec-Fetch-Site": "none"}).status, 200)

    def test_a_custom_credential_header_holds_our_key_alone(self):
        fake = self.fake({"canary-key-o": OK})
        self.start([self.provider(fake, ["canary-key-o"], name="open", auth={"header": "Authorization-X", "prefix": "Bearer "})])
        self.get("/p/open/models?%6bey=secret-of-the-client&a=1", {"Authorization-X": "Bearer mine", "X-Other-Api-Key": "mine"})
        sent = fake.requests()[0]
        self.assertEqual(sent["headers"]["authorization-x"], ["Bearer canary-key-o"])
        self.assertNotIn("x-other-api-key", sent["headers"])
        self.assertTrue(sent["target"].endswith("/models?a=1"), sent["target"])

    def test_keep_alive_serves_many_requests(self):
        self.start_two()
        host, port = self.address.rsplit(":", 1)
        connection = http.client.HTTPConnection(host, int(port), timeout=PATIENCE)
        self.addCleanup(connection.close)
        for number in range(50):
            connection.request("POST", "/v1/chat/completions", json.dumps({"model": "gpt-x", "stream": number % 2 == 0}))
            response = connection.getresponse()
            self.assertEqual(response.status, 200)
            self.assertTrue(response.read())

    def test_upstream_errors_pass_unmodified(self):
        fake = self.start_two()
        error = {"type": "invalid_request_error", "message": "prompt is too long: 9 tokens > 8", "extra": [1, None]}
        fake.tell({"canary-key-a": {"kind": "status", "status": 400, "error": error, "headers": {"request-id": "req_1"}}})
        answer = self.post("/v1/messages", {"model": "claude-x"})
        self.assertEqual(answer.json(), {"type": "error", "error": error})
        self.assertEqual(answer.headers["request-id"], "req_1")
        fake.tell({"canary-key-a": {"kind": "status", "status": 429, "headers": {"retry-after": "7"}}})
        answer = self.post("/v1/messages", {"model": "claude-x"})
        self.assertEqual((answer.status, answer.headers["retry-after"]), (429, "7"))

    def test_a_large_body_and_a_large_answer_pass(self):
        fake = self.start_two()
        body = json.dumps({"model": "gpt-x", "pad": "x" * (20 << 20)}).encode()
        answer = self.post("/v1/chat/completions", body, {"x-fake-bytes": str(20 << 20)})
        self.assertEqual(answer.status, 200)
        self.assertGreater(len(answer.body), 20 << 20)
        self.assertEqual(fake.requests()[0]["sha256"], hashlib.sha256(body).hexdigest())


if __name__ == "__main__":
    unittest.main()
