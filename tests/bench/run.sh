#!/usr/bin/env bash
# The same plain requests through nginx as reverse proxy and through ccr-proxy with ccr-broker, in turns, on this machine:
# requests a second and CPU microseconds a request. Options go to bench.py: --rounds N --seconds S --connections C
set -euo pipefail
repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$repo/deploy/packages.sh"
# shellcheck disable=SC2086
install_packages $build_packages $run_packages $bench_packages
(cd "$repo" && cmake --preset release >/dev/null && cmake --build --preset release -- --quiet)
exec /usr/bin/python3 "$repo/tests/bench/bench.py" --bin "$repo/build/release/bin" "$@"
