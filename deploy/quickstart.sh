#!/usr/bin/env bash
# Installs what is missing, builds, and runs broker and proxy on loopback until Ctrl-C.
#   deploy/quickstart.sh                 against a bundled fake provider with three demo keys
#   deploy/quickstart.sh --config FILE   with your own config.json
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bin=$repo/build/release/bin
. "$repo/deploy/packages.sh"

usage() { sed -n '2,4s/^# //p' "${BASH_SOURCE[0]}"; }

config=
while [ $# -gt 0 ]; do
  case $1 in
    --config) config=${2:?--config needs a file}; shift 2 ;;
    --config=*) config=${1#*=}; shift ;;
    -h|--help) usage; exit 0 ;;
    *) echo "unknown argument: $1" >&2; usage >&2; exit 2 ;;
  esac
done
if [ -n "$config" ] && [ ! -r "$config" ]; then
  echo "cannot read $config" >&2
  exit 2
fi

# shellcheck disable=SC2086
install_packages $build_packages $run_packages
echo "Building (the first time takes a few minutes) ..."
build_log=$(mktemp)
if ! (cd "$repo" && cmake --preset release && cmake --build --preset release) >"$build_log" 2>&1; then
  tail -40 "$build_log" >&2
  echo "The build failed; the whole log is in $build_log" >&2
  exit 1
fi
rm -f "$build_log"

if [ -n "$config" ]; then
  exec "$bin/ccr" --config "$config" start --foreground
fi

demo=$(mktemp -d)
fake=; service=
cleanup() {
  trap - EXIT
  trap '' INT TERM  # a second Ctrl-C must not leave the demo behind
  [ -z "$service" ] || kill -TERM "$service" 2>/dev/null || true
  [ -z "$service" ] || wait "$service" 2>/dev/null || true
  [ -z "$fake" ] || kill "$fake" 2>/dev/null || true
  rm -rf "$demo"
}
trap cleanup EXIT
trap 'exit 0' INT TERM

# wait_for_line FILE PATTERN: prints the first line that matches, once it is there.
wait_for_line() {
  local line
  for _ in $(seq 200); do
    line=$(grep -m1 "$2" "$1" 2>/dev/null) && { echo "$line"; return 0; }
    sleep 0.05
  done
  cat "$1" >&2
  return 1
}

/usr/bin/python3 "$repo/tests/fakes/fake_provider.py" --keys '{
  "demo-key-good": {"kind": "ok"},
  "demo-key-dead": {"kind": "status", "status": 401},
  "demo-key-limited": {"kind": "status", "status": 429, "headers": {"Retry-After": "30"}}
}' 2>"$demo/fake.log" &
fake=$!
upstream=$(wait_for_line "$demo/fake.log" ready); upstream=${upstream##*http=}

install -m 600 /dev/null "$demo/config.json"
cat >"$demo/config.json" <<JSON
{
  "Providers": [{
    "name": "demo",
    "api_base_url": "http://$upstream/v1/chat/completions",
    "api_keys": [
      {"name": "dead", "key": "demo-key-dead"},
      {"name": "limited", "key": "demo-key-limited"},
      {"name": "good", "key": "demo-key-good"}
    ],
    "models": ["demo-model"]
  }],
  "Router": {"default": "demo,demo-model"},
  "Broker": {"metrics_listen": "127.0.0.1:0"},
  "Proxy": {"listen": "127.0.0.1:0", "metrics_listen": "127.0.0.1:0"}
}
JSON

"$bin/ccr" --config "$demo/config.json" start --foreground >"$demo/service.log" 2>&1 &
service=$!
# The supervisor writes the addresses when both are ready.
wait_for_line "$demo/.claude-code-router.addr" http >/dev/null
proxy=$(sed -n 's/.*"http" *: *"\([^"]*\)".*/\1/p' "$demo/.claude-code-router.addr")

echo
echo "Three requests through http://$proxy, with keys one of which is dead and one rate-limited:"
/usr/bin/python3 - "http://$proxy" <<'PY'
import json, sys, time, urllib.error, urllib.request

def request(number):
    body = json.dumps({"model": "demo,demo-model", "messages": [{"role": "user", "content": "Hello"}]}).encode()
    call = urllib.request.Request(sys.argv[1] + "/v1/chat/completions", body, {"content-type": "application/json"})
    with urllib.request.urlopen(call, timeout=30) as answer:
        text = json.load(answer)["choices"][0]["message"]["content"]
        print(f"  request {number}: HTTP {answer.status}  {text}")

for _ in range(200):
    try:
        urllib.request.urlopen(sys.argv[1] + "/health", timeout=5).close()
        break
    except (urllib.error.URLError, OSError):
        time.sleep(0.05)
for number in (1, 2, 3):
    request(number)
PY
echo
echo "\$ ccr rotation"
"$bin/ccr" --config "$demo/config.json" rotation
cat <<TEXT

With your own keys:      deploy/quickstart.sh --config ~/.claude-code-router/config.json
Claude Code uses it so:  ANTHROPIC_BASE_URL=http://127.0.0.1:3456 ANTHROPIC_AUTH_TOKEN=<your APIKEY, or test> claude
This demo goes on at http://$proxy until Ctrl-C.
TEXT
wait "$service"
