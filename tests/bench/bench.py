"""Paired benchmark: nginx and ccr in front of the same upstream, in turns. See run.sh."""
import argparse
import contextlib
import json
import pathlib
import re
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.request

REQUEST = {"model": "up,m", "max_tokens": 64, "messages": [{"role": "user", "content": "Say hello. " + "x" * 900}]}
ANSWER = {"id": "c", "object": "chat.completion", "created": 1, "model": "m",
          "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello " * 100}, "finish_reason": "stop"}],
          "usage": {"prompt_tokens": 10, "completion_tokens": 100, "total_tokens": 110}}


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def nginx_config(folder, port, server):
    return f"""
worker_processes auto; daemon off; pid {folder}/nginx-{port}.pid; error_log {folder}/nginx-{port}.log crit;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000; client_body_buffer_size 64k;
  client_body_temp_path {folder}/b{port}; proxy_temp_path {folder}/p{port}; fastcgi_temp_path {folder}/f{port};
  uwsgi_temp_path {folder}/u{port}; scgi_temp_path {folder}/s{port};
  {server}
}}"""


def cpu_seconds(pids):
    """CPU time of all threads of the processes, from the scheduler's own nanoseconds."""
    total = 0
    for pid in pids:
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError):
                total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def family(pid):
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid] + [p for child in children for p in family(int(child))]


class Bench:
    def __init__(self, options, folder, stack):
        self.options, self.folder, self.stack = options, folder, stack
        self.script = folder / "post.lua"
        self.script.write_text('wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\n'
                               f"wrk.body = [==[{json.dumps(REQUEST)}]==]\n"
                               'function response(status) if status ~= 200 then failed = (failed or 0) + 1 end end\n')

    def spawn(self, args):
        log = open(self.folder / f"{pathlib.Path(args[0]).name}.log", "ab")
        process = subprocess.Popen([str(a) for a in args], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.stack.callback(process.wait)
        self.stack.callback(process.terminate)
        return process

    def nginx(self, server):
        port = free_port()
        config = self.folder / f"nginx-{port}.conf"
        config.write_text(nginx_config(self.folder, port, server.replace("PORT", str(port))))
        return self.spawn(["/usr/sbin/nginx", "-c", config]), port

    def start(self):
        _, upstream = self.nginx("server { listen 127.0.0.1:PORT reuseport; location / { default_type application/json; "
                                 "client_max_body_size 0; return 200 '" + json.dumps(ANSWER) + "'; } }")
        nginx, nginx_port = self.nginx(f"upstream up {{ server 127.0.0.1:{upstream}; keepalive 512; }} "
                                       "server { listen 127.0.0.1:PORT reuseport; location / { proxy_pass http://up; proxy_http_version 1.1; "
                                       "proxy_set_header Connection ''; proxy_set_header Authorization 'Bearer bench-key'; } }")
        config = self.folder / "config.json"
        config.touch(0o600)
        config.write_text(json.dumps({"LOG_LEVEL": "warn", "Providers": [{
            "name": "up", "api_base_url": f"http://127.0.0.1:{upstream}/v1/chat/completions", "models": ["m"],
            "api_keys": ["bench-key-1", "bench-key-2", "bench-key-3"]}]}))
        broker_port, proxy_port = free_port(), free_port()
        broker = self.spawn([self.options.bin / "ccr-broker", "--config", config, "--listen", f"127.0.0.1:{broker_port}",
                             "--metrics-listen", "127.0.0.1:0"])
        proxy = self.spawn([self.options.bin / "ccr-proxy", "--broker", f"127.0.0.1:{broker_port}", "--listen",
                            f"127.0.0.1:{proxy_port}", "--metrics-listen", "127.0.0.1:0"])
        self.wait_healthy(f"http://127.0.0.1:{proxy_port}/health")
        self.wait_healthy(f"http://127.0.0.1:{nginx_port}/")
        return {"nginx": (nginx_port, {"nginx": family(nginx.pid)}),
                "ccr": (proxy_port, {"proxy": [proxy.pid], "broker": [broker.pid]})}

    @staticmethod
    def wait_healthy(url):
        for _ in range(400):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(url, timeout=2).close()
                return
            time.sleep(0.025)
        raise SystemExit(f"{url} does not answer")

    def load(self, port, processes, seconds):
        before = {name: cpu_seconds(pids) for name, pids in processes.items()}
        run = subprocess.run(["wrk", "-t1", f"-c{self.options.connections}", f"-d{seconds}s", "-s", self.script,
                              f"http://127.0.0.1:{port}/v1/chat/completions"], capture_output=True, text=True, check=True)
        if "Non-2xx" in run.stdout or "Socket errors" in run.stdout:
            raise SystemExit("requests failed:\n" + run.stdout)
        requests = int(re.search(r"(\d+) requests in", run.stdout)[1])
        rate = float(re.search(r"Requests/sec:\s+([\d.]+)", run.stdout)[1])
        return rate, {name: (cpu_seconds(pids) - before[name]) / requests * 1e6 for name, pids in processes.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--connections", type=int, default=64)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        bench = Bench(options, pathlib.Path(folder), stack)
        targets = bench.start()
        for port, processes in targets.values():
            bench.load(port, processes, 1)  # warm up
        rates, costs = {}, {}
        for number in range(options.rounds):
            for name, (port, processes) in targets.items():
                rate, cost = bench.load(port, processes, options.seconds)
                rates.setdefault(name, []).append(rate)
                for part, microseconds in cost.items():
                    costs.setdefault(part, []).append(microseconds)
                print(f"round {number + 1} {name:6} {rate:9.0f} requests/s  " +
                      "  ".join(f"{part} {us:.1f} us" for part, us in cost.items()), flush=True)
        ratios = [(p + b) / n for p, b, n in zip(costs["proxy"], costs["broker"], costs["nginx"])]
        print(f"median: nginx {statistics.median(rates['nginx']):.0f} requests/s, ccr {statistics.median(rates['ccr']):.0f} requests/s")
        print("median CPU a request: " + ", ".join(f"{part} {statistics.median(us):.1f} us" for part, us in costs.items()))
        print(f"CPU ratio (proxy + broker) / nginx: median {statistics.median(ratios):.2f}, "
              f"from {min(ratios):.2f} to {max(ratios):.2f} over {options.rounds} rounds, {options.connections} connections")


if __name__ == "__main__":
    main()
