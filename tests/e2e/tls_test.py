"""Broker and proxy speak TLS with each other, both with a certificate; nobody without one gets a key."""
import subprocess
import unittest

from harness import BIN, Process, StackTest, tls_client, tls_server

OK = {"kind": "ok"}


class TlsTest(StackTest):
    def start_with(self, certs):
        fake = self.fake({"canary-key-a1": OK})
        self.configure([self.provider(fake, ["canary-key-a1"])])
        self.start_broker(*tls_server(certs))
        return fake

    def proxy_that_stays_away(self, *flags):
        proxy = self.track(Process([BIN / "ccr-proxy", "--broker", self.broker.fields["grpc"], "--broker-wait", "1",
                                    "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", *flags], self.folder / "proxy.log", "ccr-proxy ready:"))
        self.proxy = proxy
        self.assertEqual(self.chat().status, 503)
        self.assertEqual(self.get("/health").status, 503)
        proxy.kill()

    def test_requests_pass_and_the_end_of_certificates_is_told(self):
        certs = self.certificates()
        self.start_with(certs)
        self.start_proxy(*tls_client(certs))
        self.assertEqual(self.chat().status, 200)
        ask = [BIN / "ccr", "--broker", self.broker.fields["grpc"]]
        for tool in ([*ask, *tls_client(certs), "rotation"], [*ask, *tls_client(certs), "health"]):
            self.assertEqual(subprocess.run(tool, capture_output=True).returncode, 0, tool)
            self.assertEqual(subprocess.run([*ask, tool[-1]], capture_output=True).returncode, 1, tool[-1])
        for process in (self.broker, self.proxy):
            self.assertIn("ccr_tls_certificate_expiry_timestamp_seconds{file=", self.metrics(process))

    def test_without_a_certificate_of_the_authority_there_is_no_key(self):
        certs, others = self.certificates(), self.certificates("others")
        fake = self.start_with(certs)
        self.proxy_that_stays_away()
        self.proxy_that_stays_away("--broker-tls-ca", certs / "ca.crt")
        self.proxy_that_stays_away("--broker-tls-cert", others / "client/client.crt", "--broker-tls-key", others / "client/client.key",
                                   "--broker-tls-ca", certs / "ca.crt")
        self.assertEqual(fake.requests(), [])

    def test_a_broker_of_another_name_or_authority_is_not_believed(self):
        certs, others = self.certificates("certs", "elsewhere.example"), self.certificates("others")
        self.start_with(certs)
        self.proxy_that_stays_away(*tls_client(certs))
        self.broker.terminate()
        self.start_broker(*tls_server(others))
        self.proxy_that_stays_away(*tls_client(certs))

    def test_bad_files_are_named(self):
        certs = self.certificates()
        self.configure([self.provider(self.fake({"canary-key-a1": OK}), ["canary-key-a1"])])
        wrong = {
            "broker.key: is not the key of the certificate": ["--tls-cert", certs / "client/client.crt", "--tls-key", certs / "broker/broker.key"],
            "missing.crt: cannot be read": ["--tls-cert", certs / "missing.crt", "--tls-key", certs / "broker/broker.key"],
            "broker.key: holds no certificate": ["--tls-cert", certs / "broker/broker.key", "--tls-key", certs / "broker/broker.key"],
            "come together": ["--tls-cert", certs / "broker/broker.crt"],
            "--tls-client-ca needs": ["--tls-client-ca", certs / "ca.crt"],
        }
        for number, (message, flags) in enumerate(wrong.items()):
            broker = self.track(Process([BIN / "ccr-broker", "--config", self.config_path, "--listen", "127.0.0.1:0",
                                         "--metrics-listen", "127.0.0.1:0", *flags], self.folder / f"bad{number}.log"))
            self.assertEqual(broker.wait(), 2, message)
            self.assertIn(message, broker.text())


if __name__ == "__main__":
    unittest.main()
