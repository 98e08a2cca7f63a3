#!/bin/sh
# Writes the Python stubs of the broker's contract into a folder: generate.sh FOLDER
# Needs the Debian packages protobuf-compiler and protobuf-compiler-grpc.
set -eu
[ $# -eq 1 ] || { echo "usage: generate.sh FOLDER" >&2; exit 2; }
proto=$(CDPATH= cd -- "$(dirname -- "$0")/../../proto" && pwd)
mkdir -p "$1"
find "$proto" -name '*.proto' -exec protoc -I "$proto" --python_out "$1" --grpc_out "$1" \
  --plugin=protoc-gen-grpc="$(command -v grpc_python_plugin)" {} +
