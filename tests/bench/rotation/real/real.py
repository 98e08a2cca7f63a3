"""One fleet over real processes: rotation_real is the provider and the clients, ccr-broker and ccr-proxy stand between. See ../run.sh."""
import argparse
import contextlib
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time

STARTING = 30  # s


def spawn(stack, args, log, **more):
    process = subprocess.Popen([str(a) for a in args], stderr=open(log, "ab"), **more)
    stack.callback(process.wait)
    stack.callback(process.terminate)
    return process


def port_of(process, log, pattern):
    """The port in the line by which a daemon says that it is ready."""
    deadline = time.monotonic() + STARTING
    while time.monotonic() < deadline and process.poll() is None:
        found = re.search(pattern, log.read_text())
        if found:
            return int(found[1])
        time.sleep(0.02)
    raise SystemExit(f"{process.args[0]} is not ready:\n{log.read_text()}")


def configuration(provider, options):
    return {"LOG_LEVEL": "warn", "API_TIMEOUT_MS": 120000, "Providers": [{
        "name": "bench", "api_base_url": f"http://127.0.0.1:{provider['port']}/v1/chat/completions",
        "models": provider["models"], "api_keys": provider["keys"], "rotation_strategy": options.strategy,
        "queue": {"max_wait": int(options.max_wait * 1000)}}]}


def run_real(options, flags):
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = pathlib.Path(name)
        bench = spawn(stack, [options.bin / "rotation_real", *flags], folder / "bench.log", stdin=subprocess.PIPE,
                      stdout=subprocess.PIPE, text=True)
        provider = json.loads(bench.stdout.readline())
        config = folder / "config.json"
        config.touch(0o600)
        config.write_text(json.dumps(configuration(provider, options)))
        logs = {part: folder / f"{part}.log" for part in ("broker", "proxy")}
        for log in logs.values():
            log.touch()
        broker = spawn(stack, [options.daemons / "ccr-broker", "--config", config, "--listen", "127.0.0.1:0", "--metrics-listen",
                               "127.0.0.1:0", "--state-dir", folder / "state"], logs["broker"])
        broker_port = port_of(broker, logs["broker"], options.ready)
        proxy = spawn(stack, [options.daemons / "ccr-proxy", "--broker", f"127.0.0.1:{broker_port}", "--listen", "127.0.0.1:0",
                              "--metrics-listen", "127.0.0.1:0"], logs["proxy"])
        bench.stdin.write(f"{port_of(proxy, logs['proxy'], options.ready)}\n")
        bench.stdin.flush()
        line = bench.stdout.readline()
        if not line:
            raise SystemExit((folder / "bench.log").read_text())
        return json.loads(line)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="where rotation_bench and rotation_real are")
    parser.add_argument("--daemons", type=pathlib.Path, help="where ccr-broker and ccr-proxy are (--bin)")
    parser.add_argument("--fleet", default="dozen")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--max-wait", type=float, default=30)
    parser.add_argument("--strategy", default="round_robin")
    parser.add_argument("--within", type=float, default=0.02, help="of the virtual goodput")
    options = parser.parse_args()
    options.daemons = options.daemons or options.bin
    options.ready = r" ready: .*?127\.0\.0\.1:(\d+)"
    flags = ["--fleet", options.fleet, "--seed", str(options.seed), "--minutes", str(options.minutes), "--max-wait",
             str(options.max_wait), "--strategy", options.strategy, "--json"]
    virtual = json.loads(subprocess.run([options.bin / "rotation_bench", *flags], check=True, capture_output=True,
                                        text=True).stdout.splitlines()[0])
    real = run_real(options, flags)
    for name in ("requests", "bound", "served", "goodput", "errors", "calls", "wasted", "refused", "known_dead", "in_rest", "wait_p50",
                 "wait_p99", "cache", "fairness", "back_p99", "cut", "relayed", "refusals", "gave_up"):
        print(f"{name:12} virtual {virtual[name]:<10} real {real[name]}")
    apart = abs(virtual["goodput"] - real["goodput"])
    print(f"goodput apart by {apart:.4f}")
    sys.exit(0 if apart <= options.within else 1)


main()
