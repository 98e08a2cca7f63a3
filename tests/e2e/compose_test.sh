#!/usr/bin/env bash
# Builds the image, tries the Debian package in it (compose/package.sh) and runs deploy/docker-compose.yml for real
# (compose/scenario.py). Ends non-zero on any failure.
# Needs root (it kills what runs in containers). Uses the container engine that runs on this machine, with docker-compose; where
# none does, it installs and starts one of its own, compose/engine.sh.
#   CCR_IMAGE=NAME   tests that image instead of building one, and no package
set -euo pipefail
repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$repo"
folder=$(mktemp -d "${TMPDIR:-/tmp}/ccr-compose.XXXXXX")
own_engine=false
inside=()

cleanup() {
  trap - EXIT INT TERM
  ! $own_engine || engine_stop || true
  rm -rf "$folder"
}
trap cleanup EXIT
trap 'exit 1' INT TERM
fail() { echo "compose_test.sh: $*" >&2; exit 1; }

# start_engine MODE: a second call changes the mode of an engine of our own.
start_engine() {
  $own_engine || return 0
  engine_stop || true
  engine_start "$1" || fail "the container engine does not start"
}

# The package that the image was made from, on a Debian that has nothing else.
test_package() {
  "${build[@]}" -f deploy/Dockerfile --target package -t ccr-test-package . >/dev/null
  local network=() container
  ! $own_engine || network=(--network=host)
  container=$(docker create --network=none ccr-test-package none)
  docker cp "$container:/" "$folder/package" >/dev/null
  docker rm "$container" >/dev/null
  install tests/e2e/compose/package.sh "$folder/package/"
  docker run --rm "${network[@]}" -v "$folder/package:/package:ro" debian:bookworm-slim /package/package.sh
}

[ "$(id -u)" -eq 0 ] || fail "run it as root"
if docker info >/dev/null 2>&1; then
  docker-compose version >/dev/null 2>&1 || docker compose version >/dev/null 2>&1 || fail "docker-compose is missing"
else
  . deploy/packages.sh
  . tests/e2e/compose/engine.sh
  engine_install || fail "the container engine cannot be installed"
  ! docker info >/dev/null 2>&1 || fail "the engine in $ENGINE_DIR runs already: another test?"
  own_engine=true
  inside=(engine_exec)
fi

start_engine build
build=(docker build -q)
! $own_engine || build+=(--network=host)
docker image inspect debian:bookworm-slim >/dev/null 2>&1 || { $own_engine && engine_base >/dev/null; } || docker pull -q debian:bookworm-slim
if [ -z "${CCR_IMAGE:-}" ]; then
  export CCR_IMAGE=ccr-test
  echo "-- building the image"
  started=$SECONDS
  "${build[@]}" -f deploy/Dockerfile -t "$CCR_IMAGE" . >/dev/null
  echo "-- built in $((SECONDS - started)) s"
  test_package
fi
for target in edge prometheus fake; do
  "${build[@]}" -f tests/e2e/compose/Dockerfile --target "$target" -t "ccr-test-$target" tests >/dev/null
done

start_engine run
export CCR_TEST_FOLDER=$folder PYTHONDONTWRITEBYTECODE=1
"${inside[@]}" timeout --kill-after=30 1500 /usr/bin/python3 tests/e2e/compose/scenario.py -v --failfast
