"""Other programs: gRPC from Python, health, reflection, Prometheus."""
import pathlib
import subprocess
import sys
import time
import unittest

import grpc

from harness import PATIENCE, PYTHON, REPO, StackTest, wait_for

OK = {"kind": "ok"}


class ApiTest(StackTest):
    def start_with_stubs(self, keys, **more):
        fake = self.fake({key: OK for key in keys})
        self.start([self.provider(fake, keys, **more)])
        stubs = self.folder / "stubs"
        subprocess.run(["bash", REPO / "client/python/generate.sh", stubs], check=True)
        sys.path.insert(0, str(stubs))
        self.addCleanup(sys.path.remove, str(stubs))
        self.channel = grpc.insecure_channel(self.broker.fields["grpc"])
        self.addCleanup(self.channel.close)

    def raw_call(self, method, request):
        return self.channel.unary_unary(method, request_serializer=None, response_deserializer=None)(request, timeout=PATIENCE)

    def example(self, *args):
        result = subprocess.run([PYTHON, REPO / "client/python/example.py", "--broker", self.broker.fields["grpc"], *args],
                                capture_output=True, text=True, timeout=PATIENCE,
                                env={"PYTHONPATH": str(self.folder / "stubs"), "PATH": "/usr/bin:/bin"})
        self.seen += [result.stdout, result.stderr]
        return result

    def test_python_leases_and_reports(self):
        self.start_with_stubs(["canary-key-1"], rpm=3)
        result = self.example("--pool", "fake", "--outcome", "success")
        self.assertEqual(result.returncode, 0, result.stderr)
        key = self.keys()["key-1"]
        self.assertEqual((key["uses"], key["successes"], key["in_flight"]), (1, 1, 0))
        self.assertEqual(self.example("--pool", "fake", "--outcome", "http", "401").returncode, 0)
        # One caller's word disables nobody: the key's probe decides, which is good.
        wait_for(lambda: self.metric(self.broker, "ccr_probes_total", pool="fake"), "a probe")
        key = self.keys()["key-1"]
        self.assertEqual((key["state"], key["last_error"]), ("active", "HTTP 401"))

    def test_errors_carry_details(self):
        self.start_with_stubs(["canary-key-1"], rpm=1)
        from ccr.broker.v1 import key_broker_pb2, key_broker_pb2_grpc
        from google.rpc import error_details_pb2, status_pb2
        broker = key_broker_pb2_grpc.KeyBrokerStub(self.channel)
        began = time.monotonic()
        lease = broker.Lease(key_broker_pb2.LeaseRequest(pool="FAKE"))
        self.assertEqual(lease.credential.secret, "canary-key-1")
        self.assertEqual((lease.credential.header, lease.credential.prefix), ("authorization", "Bearer "))

        def fails(call, request):
            with self.assertRaises(grpc.RpcError) as caught:
                call(request)
            trailer = dict(caught.exception.trailing_metadata()).get("grpc-status-details-bin", b"")
            self.seen.append(caught.exception.details() + repr(trailer))
            return caught.exception.code(), status_pb2.Status.FromString(trailer)

        code, details = fails(broker.Lease, key_broker_pb2.LeaseRequest(pool="fake"))
        self.assertEqual(code, grpc.StatusCode.RESOURCE_EXHAUSTED)
        retry = error_details_pb2.RetryInfo()
        self.assertTrue(any(detail.Unpack(retry) for detail in details.details))
        self.assertTrue(59 - (time.monotonic() - began) <= retry.retry_delay.seconds <= 61, retry)
        code, _ = fails(broker.Lease, key_broker_pb2.LeaseRequest(pool="nobody"))
        self.assertEqual(code, grpc.StatusCode.NOT_FOUND)
        code, details = fails(broker.Report, key_broker_pb2.ReportRequest(lease_id="garbage"))
        self.assertEqual(code, grpc.StatusCode.INVALID_ARGUMENT)
        bad = error_details_pb2.BadRequest()
        self.assertTrue(any(detail.Unpack(bad) for detail in details.details))
        self.assertEqual(bad.field_violations[0].field, "lease_id")

        report = key_broker_pb2.ReportRequest(lease_id=lease.lease_id)
        report.evidence.success = True
        self.assertEqual(broker.Report(report).disposition, key_broker_pb2.ReportResponse.APPLIED)
        self.assertEqual(broker.Report(report).disposition, key_broker_pb2.ReportResponse.DUPLICATE)
        code, _ = fails(broker.Renew, key_broker_pb2.RenewRequest(lease_id=lease.lease_id))
        self.assertEqual(code, grpc.StatusCode.NOT_FOUND)
        self.assertEqual(self.keys()["key-1"]["successes"], 1)

    def test_health_and_reflection_answer(self):
        self.start_with_stubs(["canary-key-1"])
        serving = b"\x08\x01"
        for service in (b"", b"ccr.broker.v1.KeyBroker", b"ccr.broker.v1.KeyAdmin"):
            request = b"\x0a" + bytes([len(service)]) + service if service else b""
            self.assertEqual(self.raw_call("/grpc.health.v1.Health/Check", request), serving)
        list_services = b"\x3a\x01*"
        answers = self.channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")(iter([list_services]))
        answer = next(answers)
        for service in (b"ccr.broker.v1.KeyBroker", b"ccr.broker.v1.KeyAdmin", b"grpc.health.v1.Health"):
            self.assertIn(service, answer)

    def test_metrics_please_promtool_and_count(self):
        self.start_with_stubs(["canary-key-1", "canary-key-2"])
        for _ in range(10):
            self.assertEqual(self.chat().status, 200)
        self.settle()
        wait_for(lambda: self.metric(self.proxy, "ccr_requests_total", provider="fake", code="200") == 10, "the count of the last request")
        for process in (self.broker, self.proxy):
            check = subprocess.run(["promtool", "check", "metrics"], input=self.metrics(process), capture_output=True, text=True)
            self.assertEqual((check.returncode, check.stdout + check.stderr), (0, ""), process.args[0])
        self.assertEqual(self.metric(self.broker, "ccr_leases_total", pool="fake"), 10)
        self.assertEqual(self.metric(self.broker, "ccr_leases_total", key="key-1"), 5)
        self.assertEqual(self.metric(self.broker, "ccr_key_state", key="key-1", state="active"), 1)
        self.assertEqual(self.metric(self.broker, "ccr_pool_keys", pool="fake", state="active"), 2)
        self.assertEqual(self.metric(self.proxy, "ccr_upstream_attempts_total", provider="fake", outcome="success"), 10)
        self.assertEqual(self.metric(self.proxy, "ccr_lease_wait_seconds_count"), 10)
        self.assertEqual(self.metric(self.proxy, "ccr_broker_connected"), 1)


if __name__ == "__main__":
    unittest.main()
