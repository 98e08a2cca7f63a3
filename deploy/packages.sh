# Sourced by the scripts: which Debian 12 packages each job needs, and how they get here.

build_packages="ca-certificates cmake dpkg-dev file g++ help2man lld ninja-build pkg-config
  libabsl-dev libboost1.81-dev libboost-json1.81-dev libcli11-dev libcurl4-openssl-dev libgrpc++-dev libjemalloc-dev libprotobuf-dev
  libsodium-dev libspdlog-dev libsqlite3-dev libssl-dev libyaml-cpp-dev prometheus-cpp-dev protobuf-compiler protobuf-compiler-grpc
  zlib1g-dev"
run_packages="python3"
test_packages="clang clang-format clang-tidy git libclang-rt-14-dev libgmock-dev libgtest-dev openssl prometheus
  python3 python3-grpcio python3-protobuf"
# A Node.js that did not come from Debian brings its own npm, and Debian's would not install beside it.
command -v npm >/dev/null || test_packages+=" nodejs npm"
bench_packages="libbenchmark-dev nginx-light wrk"

# Installs those of its arguments that are missing; asks nobody when none is.
install_packages() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  echo "Installing: ${missing[*]}"
  local root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "Run as root or install sudo: packages are missing: ${missing[*]}" >&2; return 1; }
    root=(sudo)
  fi
  "${root[@]}" apt-get update -qq
  # Nothing that comes with the packages is to start by itself.
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}
