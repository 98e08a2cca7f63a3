"""Why did it fail? Ids, access log lines and last errors, from the client to `ccr rotation`, in text and JSON."""
import json
import signal
import unittest

from harness import StackTest, wait_for

SENTENCE = "Incorrect API key provided: canary-key-dead. You can find yours at https://example.com"


class RequestLogTest(StackTest):
    def setUp(self):
        super().setUp()
        self.upstream = self.fake({"canary-key-good": {"kind": "ok"}, "canary-key-dead": {
            "kind": "status", "status": 401, "headers": {"x-request-id": "req-theirs"},
            "error": {"type": "invalid_request_error", "code": "invalid_api_key", "message": SENTENCE}}})
        self.providers = [self.provider(self.upstream, [{"name": name, "key": f"canary-key-{name}"} for name in ("dead", "good")],
                                        probe=False)]

    def lines(self, process, event):
        """The JSON lines of that event."""
        found = [json.loads(line) for line in process.text().splitlines() if line.startswith("{")]
        return [line for line in found if line["event"] == event]

    def test_one_id_leads_from_the_client_to_the_brokers_log_and_the_keys_last_error(self):
        self.start([{**self.providers[0], "transformer": {"use": ["nosuch"]}}], proxy_flags=["--log-format", "json"], LOG_FORMAT="json")
        self.assertEqual([line for line in self.broker.text().splitlines() if "unknown transformer" in line and not line.startswith("{")], [])
        self.assertTrue(any("unknown transformer" in line["problem"] for line in self.lines(self.broker, "config_problem")))
        answer = self.chat(headers={"x-request-id": "mine-1", "x-claude-code-session-id": "canary-key-session"})
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual((answer.headers["x-ccr-request-id"], answer.headers["x-ccr-provider"], answer.headers["x-ccr-key"],
                          answer.headers["x-ccr-attempts"]), ("mine-1", "fake", "good", "2"))
        line = wait_for(lambda: self.lines(self.proxy, "request"), "the access log line")[-1]
        self.assertEqual((line["id"], line["client"], line["status"], line["end"], line["outcome"], line["provider"], line["key"],
                          line["attempts"], line["model"], line["model_sent"]),
                         ("mine-1", "127.0.0.1", 200, "complete", "success", "fake", "good", 2, "fake,fake-model", "fake-model"))
        self.assertEqual(len(line["session"]), 12)
        self.settle()
        failure = wait_for(lambda: self.lines(self.broker, "failure"), "the failure in the broker's log")[0]
        self.assertEqual((failure["key"], failure["id"]), ("dead", "mine-1"))

        for _ in range(2):  # the second time of a broker that was killed
            dead = self.keys()["dead"]
            self.assertIn("HTTP 401 invalid_request_error invalid_api_key: Incorrect API key provided: ***", dead["last_error"])
            self.assertEqual(dead["last_error_request_id"], "req-theirs")
            self.assertIsNotNone(dead["last_error_at"])
            self.broker.kill()
            self.start_broker(listen=self.broker.fields["grpc"])
        self.assertIn("    last error: HTTP 401", self.ccr("rotation").stdout)

    def test_refused_requests_have_an_id_and_a_line(self):
        self.start(self.providers, APIKEY="a-client-token")
        for path, headers, status in (("/v1/models", {}, 401), ("/nowhere", {"x-api-key": "a-client-token"}, 404),
                                      ("/health", {"origin": "https://evil.example"}, 403)):
            answer = self.get(path, headers)
            self.assertEqual(answer.status, status)
            name = answer.headers["x-ccr-request-id"]
            self.assertIn(f"(request {name})", answer.body.decode())
            wait_for(lambda: f" request id={name} " in self.proxy.text(), "its line")
        self.assertNotIn("a-client-token", self.proxy.text())

    def test_level_and_format_of_the_configuration_reach_the_proxy_and_its_flags_win(self):
        self.configure(self.providers, LOG_LEVEL="info", LOG_FORMAT="json")
        self.start_broker()
        from harness import BIN, Process
        self.proxy = self.track(Process([BIN / "ccr-proxy", "--broker", self.broker.fields["grpc"], "--listen", "127.0.0.1:0",
                                         "--metrics-listen", "127.0.0.1:0"], self.folder / "proxy.log", "ccr-proxy ready:"))
        wait_for(lambda: self.get("/health").status == 200, "a healthy proxy")
        self.chat(headers={"x-request-id": "first"})
        wait_for(lambda: [line for line in self.lines(self.proxy, "request") if line["id"] == "first"], "a line of JSON")
        self.configure(self.providers, LOG_LEVEL="error", LOG_FORMAT="json")
        self.broker.popen.send_signal(signal.SIGHUP)

        def quiet():
            before = self.proxy.text()
            self.chat()
            return self.proxy.text() == before

        wait_for(quiet, "a proxy that logs errors only")


if __name__ == "__main__":
    unittest.main()
