#!/usr/bin/env bash
# Builds the fuzz targets into build/fuzz and runs them one after another, each on one core. Non-zero when one of them
# finds something; the input is then in build/fuzz/findings, and replayed with build/fuzz/bin/TARGET_fuzz FILE.
#   tests/fuzz/run.sh [SECONDS [TARGET...]]     default: 60 seconds each, all targets
# What was learnt is kept in build/fuzz/corpus and begun with the next time.
set -uo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$repo"
seconds=${1:-60}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(find tests/fuzz -name '*_fuzz.cc' -printf '%f\n' | sed 's/_fuzz\.cc$//' | sort)

seeds() {
  case $1 in
    client_request) echo tests/fuzz/seeds/http ;;
    lease_stream) echo tests/fuzz/seeds/lease ;;
    json5) echo tests/fuzz/seeds/config ;;
    provider_answer) echo tests/fuzz/seeds/answer ;;
    sse | stream_opening | *_stream) echo tests/fuzz/seeds/stream ;;
    usage_scanner) echo tests/fuzz/seeds/stream tests/fuzz/seeds/response ;;
    *) echo tests/fuzz/seeds/request tests/fuzz/seeds/response ;;
  esac
}

cmake --preset fuzz >/dev/null && cmake --build --preset fuzz --target "${targets[@]/%/_fuzz}" -- --quiet || exit 2
mkdir -p build/fuzz/findings
found=0
for target in "${targets[@]}"; do
  mkdir -p "build/fuzz/corpus/$target"
  log=build/fuzz/$target.log
  # shellcheck disable=SC2046
  if "build/fuzz/bin/${target}_fuzz" -max_total_time="$seconds" -max_len=8192 -timeout=10 -rss_limit_mb=1024 \
    -print_final_stats=1 -artifact_prefix="build/fuzz/findings/$target-" "build/fuzz/corpus/$target" \
    $(seeds "$target") >"$log" 2>&1; then
    echo "$target: clean, $(sed -n 's/^Done \([0-9]*\) runs in \([0-9]*\) .*/\1 runs in \2 s/p' "$log")," \
      "$(grep -o 'cov: [0-9]* ft: [0-9]*' "$log" | tail -1)"
  else
    echo "$target: FOUND, see $log"
    tail -n 40 "$log"
    found=1
  fi
done
exit "$found"
