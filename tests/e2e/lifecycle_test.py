"""Processes die, restart and drain; clients do not notice, counts stay right."""
import http.client
import json
import os
import signal
import threading
import time
import unittest

from harness import BIN, PATIENCE, Process, StackTest, http_request, in_parallel, wait_for

OK = {"kind": "ok"}
KEYS = ["canary-key-a1", "canary-key-a2", "canary-key-a3"]
PATIENT = ["--broker-wait", str(PATIENCE)]  # a proxy that waits for a broker however long that takes to start


class LifecycleTest(StackTest):
    def start_three(self, behaviour=OK, *proxy_flags, **more):
        fake = self.fake({key: behaviour for key in KEYS})
        self.start([self.provider(fake, KEYS)], proxy_flags or PATIENT, **more)
        return fake

    def start_broker(self, *more, listen="127.0.0.2:0"):
        """On an address where no other test looks for a free port: a broker that restarts finds its own free."""
        return super().start_broker(*more, listen=listen)

    def hang_broker(self):
        self.broker.popen.send_signal(signal.SIGSTOP)
        self.addCleanup(self.broker.popen.send_signal, signal.SIGCONT)
        os.waitid(os.P_PID, self.broker.popen.pid, os.WSTOPPED)  # all its threads

    def open_streams(self, count):
        host, port = self.address.rsplit(":", 1)
        responses = []
        for _ in range(count):
            connection = http.client.HTTPConnection(host, int(port), timeout=PATIENCE)
            self.addCleanup(connection.close)
            connection.request("POST", "/v1/chat/completions", json.dumps({"model": "fake,fake-model", "stream": True}))
            responses.append(connection.getresponse())
            self.addCleanup(responses[-1].close)
        return responses

    def test_kill_9_of_a_proxy_returns_its_leases(self):
        self.start_three({"kind": "stall", "after_chunks": 1}, Broker={"stream_grace": 500})
        self.open_streams(100)
        self.assertEqual(self.in_flight(), 100)
        self.proxy.kill()
        wait_for(lambda: self.in_flight() == 0, "in-flight to return to zero")
        self.assertEqual({k["state"] for k in self.pool()["keys"]}, {"active"})

    def test_broker_restart_under_load_fails_no_request(self):
        self.start_three({"kind": "ok", "delay": 0.005})
        statuses, stop = [], threading.Event()

        def client(number):
            while not stop.is_set():
                statuses.append(self.chat(stream=number % 2 == 0).status)

        threads = [threading.Thread(target=client, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        address = self.broker.fields["grpc"]
        for how in (signal.SIGTERM, signal.SIGKILL):
            seen = len(statuses)
            wait_for(lambda: len(statuses) > seen + 50, "traffic before the restart")
            self.broker.popen.send_signal(how)
            self.broker.wait()
            self.start_broker(listen=address)
            seen = len(statuses)
            wait_for(lambda: len(statuses) > seen + 50, "traffic after the restart")
        stop.set()
        for thread in threads:
            thread.join()
        self.assertEqual(set(statuses), {200})
        wait_for(lambda: self.in_flight() == 0, "in-flight to return to zero")

    def test_what_happened_to_the_keys_survives_kill_9_of_the_broker(self):
        fake = self.fake({KEYS[0]: OK, KEYS[1]: {"kind": "status", "status": 429, "headers": {"Retry-After": "600"}},
                          KEYS[2]: {"kind": "status", "status": 401}})
        self.start([self.provider(fake, KEYS)], PATIENT)
        for _ in range(6):
            self.assertEqual(self.chat().status, 200)
        before = self.pool()["keys"]
        self.assertEqual([key["state"] for key in before], ["active", "cooling", "disabled"])
        address = self.broker.fields["grpc"]
        self.broker.kill()
        self.start_broker(listen=address)
        after = self.pool()["keys"]
        for field in ("state", "reason", "available_at", "failures"):
            self.assertEqual([key[field] for key in after], [key[field] for key in before], field)
        self.assertEqual([key["uses"] for key in after[1:]], [1, 1])
        self.assertEqual(self.chat().status, 200)
        self.assertEqual([len(fake.requests(key)) for key in KEYS], [7, 1, 1])
        self.assertEqual(self.metric(self.broker, "ccr_store_queue_records"), 0)

    def test_counters_survive_a_restart(self):
        self.start_three()
        for _ in range(6):
            self.assertEqual(self.chat().status, 200)
        self.settle()
        address = self.broker.fields["grpc"]
        self.assertEqual(self.broker.terminate(), 0)
        self.start_broker(listen=address)
        self.assertEqual([(key["uses"], key["successes"]) for key in self.pool()["keys"]], [(2, 2)] * 3)

    def test_a_damaged_state_is_named_and_kept(self):
        self.start_three()
        state = self.folder / "state" / "state.db"
        self.broker.terminate()
        state.write_text("scribble " * 1000)
        for log in state.parent.glob("state.db-*"):
            log.unlink()
        broker = self.track(Process([BIN / "ccr-broker", "--config", self.config_path, "--listen", "127.0.0.1:0",
                                     "--metrics-listen", "127.0.0.1:0"], self.folder / "damaged.log"))
        self.assertEqual(broker.wait(), 1)
        self.assertIn(str(state), broker.text())
        self.assertIn("restore a backup", broker.text())
        self.assertTrue(state.read_text().startswith("scribble"))

    def test_long_streams_are_reasserted_to_a_restarted_broker(self):
        fake = self.start_three({"kind": "ok", "hold": True})
        streams = self.open_streams(10)
        wait_for(lambda: fake.open() == 10, "ten streams")
        address = self.broker.fields["grpc"]
        self.assertEqual(self.broker.terminate(), 0)
        self.start_broker(listen=address)
        wait_for(lambda: self.in_flight() == 10, "the leases to be reasserted")
        fake.release()
        for response in streams:
            self.assertTrue(response.read().rstrip().endswith(b"[DONE]"))
        wait_for(lambda: self.in_flight() == 0, "in-flight to return to zero")

    def test_broker_away_is_503_after_a_bounded_wait(self):
        self.start_three(OK, "--broker-wait", "4")
        self.broker.kill()
        started = time.monotonic()
        answer = self.post("/v1/messages", {"model": "nobody,fake-model"})
        self.assertEqual(answer.status, 404)  # decided without the broker
        answer = self.chat()
        waited = time.monotonic() - started
        self.assertEqual(answer.status, 503, answer)
        self.assertIn("retry-after", answer.headers)
        self.assertIn("error", answer.json())
        self.assertGreaterEqual(waited, 4)
        self.assertEqual(self.get("/health").status, 503)

    def test_a_hung_broker_is_503_after_the_same_wait_and_goes_on(self):
        self.start_three(OK, "--broker-wait", "2")
        self.assertEqual(self.chat().status, 200)
        self.settle()
        uses = sum(key["uses"] for key in self.keys().values())
        self.hang_broker()
        started = time.monotonic()
        targets = ["/v1/chat/completions", "/v1/messages"]
        answers = in_parallel(6, 6, lambda n: self.post(targets[n % 2], {
            "model": "fake,fake-model", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}))
        waited = time.monotonic() - started
        for number, answer in enumerate(answers):
            self.assertEqual(answer.status, 503, answer)
            self.assertIn("retry-after", answer.headers)
            self.assertEqual(answer.json().get("type"), "error" if number % 2 else None, answer)
            self.assertIn("error", answer.json())
        self.assertGreaterEqual(waited, 2)
        self.assertLess(waited, 10)  # less than it takes to find the connection dead
        self.broker.popen.send_signal(signal.SIGCONT)
        self.assertEqual(self.chat().status, 200)
        self.settle()  # what it granted to those who had gone is given back
        self.assertEqual({key["state"] for key in self.keys().values()}, {"active"})
        self.assertEqual(sum(key["successes"] for key in self.keys().values()), uses + 1)

    def test_a_broker_that_hangs_for_a_moment_fails_no_request(self):
        self.start_three()
        self.assertEqual(self.chat().status, 200)
        for _ in range(3):
            self.hang_broker()
            statuses = []
            threads = [threading.Thread(target=lambda: statuses.append(self.chat().status)) for _ in range(8)]
            for thread in threads:
                thread.start()
            wait_for(lambda: self.metric(self.proxy, "ccr_requests_in_flight") == 8, "requests that wait for the broker")
            self.broker.popen.send_signal(signal.SIGCONT)
            for thread in threads:
                thread.join()
            self.assertEqual(statuses, [200] * 8)
        self.settle()

    def test_proxy_drain_lets_streams_end(self):
        fake = self.start_three({"kind": "ok", "hold": True}, "--drain-timeout", "600")
        response, = self.open_streams(1)
        self.proxy.popen.send_signal(signal.SIGTERM)

        def refused():
            try:
                http_request(self.address, "GET", "/")
                return False
            except OSError:
                return True
        wait_for(refused, "the proxy to take no new work")
        fake.release()
        self.assertTrue(response.read().rstrip().endswith(b"[DONE]"))
        self.assertEqual(self.proxy.wait(), 0)

    def test_proxy_drain_is_bounded_and_a_second_signal_ends_at_once(self):
        self.start_three({"kind": "stall", "after_chunks": 1}, "--drain-timeout", "1")
        self.open_streams(1)
        self.assertEqual(self.proxy.terminate(), 1)  # not clean: a stream was cut off
        self.start_proxy("--drain-timeout", "600")
        self.open_streams(1)
        self.proxy.popen.send_signal(signal.SIGTERM)
        self.assertIsNone(self.proxy.popen.poll())
        wait_for(lambda: "draining" in self.proxy.text(), "the drain's begin")
        self.proxy.popen.send_signal(signal.SIGTERM)
        self.assertNotEqual(self.proxy.wait(), 0)

    def test_broker_drain_does_not_wait_for_streams(self):
        fake = self.start_three({"kind": "stall", "after_chunks": 1})
        self.open_streams(5)
        self.assertEqual(self.broker.terminate(), 0)
        self.assertEqual(fake.open(), 5)

    def test_a_state_folder_has_one_broker(self):
        self.start_three()
        state = str(self.folder / "state")
        more = Process([BIN / "ccr-broker", "--config", self.config_path, "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"],
                       self.folder / "second.log")
        self.assertEqual(more.popen.wait(20), 1)
        self.assertIn(f"another ccr-broker uses the state folder {state}; stop that one", more.text())
        self.assertEqual(self.chat().status, 200)
        ending = self.broker
        ending.popen.send_signal(signal.SIGTERM)
        self.start_broker()  # waits for the one that drains
        self.assertEqual(ending.popen.wait(5), 0)
        self.broker.kill()
        self.start_broker()

    def test_reload_keeps_state_and_routes_new_providers(self):
        fake = self.fake({**{key: OK for key in KEYS}, "canary-key-dead": {"kind": "status", "status": 401}})
        self.start([self.provider(fake, ["canary-key-dead", *KEYS])])
        for _ in range(4):
            self.assertEqual(self.chat().status, 200)
        self.configure([self.provider(fake, [*KEYS, "canary-key-dead"]), self.provider(fake, KEYS, name="second")])
        self.broker.popen.send_signal(signal.SIGHUP)
        wait_for(lambda: self.chat(model="second,fake-model").status == 200, "the new provider")
        self.assertEqual([k["state"] for k in self.pool()["keys"]], ["active"] * 3 + ["disabled"])
        self.config_path.write_text('{"Providers": [')
        self.broker.popen.send_signal(signal.SIGHUP)
        wait_for(lambda: self.metric(self.broker, "ccr_config_last_reload_successful") == 0, "the refused reload")
        self.assertEqual(self.chat(model="second,fake-model").status, 200)
        wait_for(lambda: "config.json:1" in self.broker.text(), "the reason in the log")

    def test_keys_without_a_name_keep_theirs(self):
        fake = self.fake({key: OK for key in KEYS})
        provider = {**self.provider(fake, []), "api_keys": KEYS}
        self.start([provider])
        names = [key["name"] for key in self.pool()["keys"]]
        fingerprints = [key["fingerprint"] for key in self.pool()["keys"]]
        self.assertEqual(names, [f"key-{fingerprint[:8]}" for fingerprint in fingerprints])
        self.configure([{**provider, "api_keys": KEYS[1:]}])
        self.assertIn(f"key '{names[0]}' removed", self.ccr("reload").stdout)
        self.assertEqual([key["name"] for key in self.pool()["keys"]], names[1:])
        self.assertEqual(self.chat().status, 200)
        address = self.broker.fields["grpc"]
        self.assertEqual(self.broker.terminate(), 0)
        self.start_broker(listen=address)
        self.assertEqual([key["name"] for key in self.pool()["keys"]], names[1:])

    def test_bad_flags_and_configuration_end_with_2(self):
        self.config_path.write_text('{\n "Providers": [\n  {"name": "x", "models": ["m"], "api_key": "canary-key-x"}\n ]\n}')
        os.chmod(self.config_path, 0o600)
        broker = self.track(Process([BIN / "ccr-broker", "--config", self.config_path], self.folder / "bad.log"))
        self.assertEqual(broker.wait(), 2)
        self.assertIn(f"{self.config_path}:3", broker.text())
        self.assertIn("api_base_url", broker.text())
        for binary in ("ccr-broker", "ccr-proxy"):
            wrong = self.track(Process([BIN / binary, "--no-such-flag"], self.folder / "flag.log"))
            self.assertEqual(wrong.wait(), 2)
            self.assertIn("--no-such-flag", wrong.text())

    def test_a_taken_port_is_named(self):
        self.start_three()
        proxy = self.track(Process([BIN / "ccr-proxy", "--listen", self.address, "--metrics-listen", "127.0.0.1:0"], self.folder / "p.log"))
        self.assertNotEqual(proxy.wait(), 0)
        self.assertIn(self.address, proxy.text())
        broker = self.track(Process([BIN / "ccr-broker", "--config", self.config_path, "--listen", self.broker.fields["grpc"],
                                     "--metrics-listen", "127.0.0.1:0"], self.folder / "b.log"))
        self.assertNotEqual(broker.wait(), 0)
        self.assertIn(self.broker.fields["grpc"], broker.text())


if __name__ == "__main__":
    unittest.main()
