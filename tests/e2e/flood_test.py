"""What clients without a token can take: no memory, no descriptors, no time of others."""
import contextlib
import os
import pathlib
import resource
import socket
import threading
import unittest

from harness import BIN, PATIENCE, Process, StackTest, http_request, in_parallel, wait_for

OK = {"kind": "ok"}
TOKEN = "canary-key-client-token"
PROXY = BIN / "ccr-proxy"
SANITIZED = b"__asan_init" in PROXY.read_bytes()
MEMORY = (600 if SANITIZED else 200) << 20  # the address sanitizer has memory of its own
BODY = 49_000_000
PIECE = b"x" * (1 << 20)


class FloodTest(StackTest):
    def start_with(self, descriptors=4096, **more):
        fake = self.fake({"canary-key-1": OK})
        self.configure([self.provider(fake, ["canary-key-1"])], **more)
        self.start_broker()
        environment = {**os.environ, "ASAN_OPTIONS": "quarantine_size_mb=8:" + os.environ.get("ASAN_OPTIONS", "")}
        self.proxy = self.track(Process(
            ["prlimit", f"--nofile={descriptors}:{descriptors}", PROXY, "--broker", self.broker.fields["grpc"], "--listen", "127.0.0.1:0",
             "--metrics-listen", "127.0.0.1:0", "--workers", "2"], self.folder / "proxy.log", "ccr-proxy ready:", environment))
        wait_for(lambda: self.get("/health").status == 200, "a healthy proxy")
        self.before = self.peak()
        return fake

    def peak(self):
        """The most memory that the proxy has had, in bytes."""
        status = pathlib.Path(f"/proc/{self.proxy.popen.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) * 1024

    def connect(self):
        host, port = self.address.rsplit(":", 1)
        connection = socket.create_connection((host, int(port)), timeout=PATIENCE)
        self.addCleanup(connection.close)
        return connection

    def head(self, line):
        return f"{line} HTTP/1.1\r\nHost: {self.address}\r\nContent-Length: {BODY}\r\n\r\n".encode()

    def send_body(self, line, size):
        """As much of it as the proxy takes; what it answered."""
        connection = self.connect()
        with contextlib.suppress(ConnectionError):
            connection.sendall(self.head(line))
            for _ in range(size >> 20):
                connection.sendall(PIECE)
            connection.sendall(PIECE[:size % len(PIECE)])
        return connection

    def assert_served(self):
        answer = self.chat(headers={"authorization": f"Bearer {TOKEN}"})
        self.assertEqual(answer.status, 200, answer)

    def test_bodies_without_a_token_take_no_memory(self):
        self.start_with(APIKEY=TOKEN)
        lines = ["GET /health", "POST /health", "POST /v1/messages", "POST /p/fake/x"]
        flood = threading.Thread(target=lambda: in_parallel(200, 50, lambda i: self.send_body(lines[i % len(lines)], BODY)))
        flood.start()
        while flood.is_alive():
            self.assert_served()
        flood.join()
        self.assertLess(self.peak(), MEMORY)

    def test_bodies_that_never_end_leave_room(self):
        self.start_with()
        held = in_parallel(20, 4, lambda i: self.send_body("POST /v1/messages", BODY - 1000))
        self.assertEqual(len(held), 20)
        for _ in range(20):
            self.assert_served()
        self.assertLess(self.peak(), MEMORY)
        refused = [connection for connection in held if connection_answer(connection).startswith(b"HTTP/1.1 503")]
        self.assertGreater(len(refused), 10)

    def test_framing_that_never_ends_takes_no_memory(self):
        self.start_with()
        begin = f"POST /v1/messages HTTP/1.1\r\nHost: {self.address}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()

        def send(number):
            connection = self.connect()
            with contextlib.suppress(ConnectionError):
                connection.sendall(begin + (b"1;", b"0\r\nx: ", b"0;")[number % 3])
                for _ in range(20):
                    connection.sendall(PIECE)
        in_parallel(20, 4, send)
        self.assert_served()
        self.assertLess(self.peak() - self.before, 100 << 20)

    def test_idle_connections_leave_descriptors_for_others(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20000), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        fake = self.start_with(descriptors=1024)
        held = []
        for number in range(5000):
            connection = self.connect()
            if number % 2:
                with contextlib.suppress(ConnectionError):
                    connection.sendall(b"GET / HTTP/1.1\r\n")
            held.append(connection)
            if number % 250 == 249:
                self.assert_served()
        self.assertEqual(len(fake.requests()), 20)
        statuses = in_parallel(100, 50, lambda i: self.chat().status)
        self.assertEqual(set(statuses), {200})
        self.settle()
        self.assertEqual(self.keys()["key-1"]["failures"], 0)
        self.assertLess(len(os.listdir(f"/proc/{self.proxy.popen.pid}/fd")), 800)


def connection_answer(connection):
    """What came, without waiting for more."""
    connection.setblocking(False)
    with contextlib.suppress(OSError):
        return connection.recv(1000)
    return b""


if __name__ == "__main__":
    unittest.main()
