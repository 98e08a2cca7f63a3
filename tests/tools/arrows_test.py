#!/usr/bin/python3
"""Holds the rooms apart: which folder may include which. Also: no room links or includes what belongs to another."""
import pathlib
import re
import sys

REPO = pathlib.Path(__file__).resolve().parents[2]

# folder -> what its files may include, as prefixes of quoted paths and of <system> headers; the longest folder wins.
STANDARD = re.compile(r"^[a-z_]+$")  # <vector>, <cstdint>
GENERATED = re.compile(r"\.pb\.h$")
ROOMS = {
    "broker/base": ["broker/base/"],
    "broker/config": ["broker/config/", "broker/base/"],
    "broker/core": ["broker/core/", "absl/"],
    "broker/ports": ["broker/ports/", "broker/core/", "broker/base/secret.h", "absl/"],
    "broker/service": ["broker/service/", "broker/ports/", "broker/core/", "broker/config/", "broker/base/", "absl/"],
    "broker/adapters/grpc": ["broker/adapters/grpc/", "broker/service/", "broker/ports/", "broker/core/", "broker/config/", "broker/base/"],
    "broker/adapters/store": ["broker/adapters/store/", "broker/ports/", "broker/core/", "broker/base/"],
    "broker/adapters/metrics": ["broker/adapters/metrics/", "broker/service/", "broker/ports/", "broker/core/", "broker/base/"],
    "broker/adapters/probe": ["broker/adapters/probe/", "broker/ports/", "broker/core/", "broker/base/"],
    "broker/adapters/sources": ["broker/adapters/sources/", "broker/config/", "broker/base/"],
    "broker/adapters/log": ["broker/adapters/log/", "broker/ports/", "broker/core/", "broker/base/"],
    "proxy/core": ["proxy/core/", "broker/base/absl_text.h"],
    "proxy/formats": ["proxy/formats/", "proxy/core/", "broker/base/absl_text.h"],
    "proxy/upstream": ["proxy/upstream/", "proxy/core/", "broker/base/"],
    "proxy/ports": ["proxy/ports/", "proxy/core/", "broker/base/secret.h"],
    "proxy/request": ["proxy/request/", "proxy/ports/", "proxy/core/", "proxy/formats/", "broker/base/"],
    "proxy/http": ["proxy/http/", "proxy/request/", "proxy/ports/", "proxy/upstream/", "proxy/core/", "proxy/formats/", "broker/base/"],
    "proxy/worker": ["proxy/worker/", "proxy/ports/", "proxy/request/", "proxy/http/", "proxy/upstream/", "proxy/core/", "broker/base/"],
    "proxy/bridge": ["proxy/bridge/", "proxy/ports/", "proxy/core/", "client/lib/", "broker/base/"],
    "proxy": ["proxy/", "broker/base/"],
    "client/lib": ["client/lib/", "broker/base/"],
    # `ccr config check` reads keys from where the broker would.
    "client/cli": ["client/cli/", "client/lib/", "broker/config/", "broker/adapters/sources/", "broker/base/"],
    "broker": ["broker/"],
}
GENERATED_ALLOWED = ("broker/adapters/grpc", "client/lib", "client/cli", "proxy/bridge")
PURE = ("broker/core", "proxy/core", "proxy/formats")
NO_SOCKETS = ("proxy/ports", "proxy/request")
# Each reads and writes one format and knows no other; nothing between them knows one, but for the table of codecs.
FORMATS = [f"proxy/formats/{name}/" for name in ("anthropic", "chat", "responses", "gemini")]
FORMAT_TABLE = "proxy/formats/conversation/codecs.cc"
SOCKETS = re.compile(r"^(boost/asio|boost/beast|curl/|sys/socket|netinet/)")
IMPURE_SYSTEM = re.compile(r"^(boost/asio|boost/beast|curl/|grpc|prometheus/|spdlog/|sys/|unistd\.h|fcntl\.h|netinet/|fstream|mutex|thread|"
                           r"condition_variable|filesystem|iostream|cstdio)")


def room_of(path):
    return max((room for room in ROOMS if path.startswith(room + "/")), key=len, default=None)


def wrong_includes(path, text):
    room = room_of(path)
    if room is None:
        return
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*#include\s+(["<])([^">]+)[">]', line)
        if not match:
            continue
        quoted, header = match[1] == '"', match[2]
        if GENERATED.search(header):
            if room not in GENERATED_ALLOWED:
                yield number, header, "generated headers stay behind the bridges"
        elif room in PURE and (IMPURE_SYSTEM.match(header) or header.startswith(("absl/synchronization", "absl/time/clock"))):
            yield number, header, "this room is pure: no I/O, no threads, no clock"
        elif room in NO_SOCKETS and SOCKETS.match(header):
            yield number, header, "this room knows no sockets"
        elif room == "broker/core" and not quoted and not STANDARD.match(header):
            yield number, header, "core knows the standard library and Abseil only"
        elif quoted and header.startswith(("broker/", "proxy/", "client/", "tests/")):
            if path != FORMAT_TABLE and any(header.startswith(f) and not path.startswith(f) for f in FORMATS):
                yield number, header, "a format is known to its own folder alone"
            elif not any(header.startswith(allowed) for allowed in ROOMS[room]):
                yield number, header, f"{room} may include {', '.join(ROOMS[room])}"


def self_test():
    """The rules must be able to fail."""
    for path, include in [("broker/core/pool.cc", '"broker/base/log.h"'), ("broker/core/pool.cc", "<spdlog/spdlog.h>"),
                          ("broker/core/pool.cc", "<mutex>"), ("broker/service/x.cc", '"broker/adapters/grpc/x.h"'),
                          ("broker/adapters/grpc/x.cc", '"broker/adapters/store/x.h"'), ("proxy/http/x.cc", '"ccr/broker/v1/types.pb.h"'),
                          ("proxy/core/x.cc", "<boost/asio.hpp>"), ("proxy/core/x.cc", '"broker/core/pool.h"'),
                          ("client/cli/x.cc", '"broker/core/pool.h"'), ("broker/service/x.cc", '"proxy/core/x.h"'),
                          ("broker/base/x.cc", '"broker/core/pool.h"'), ("broker/base/x.cc", '"broker/config/config.h"'),
                          ("proxy/http/x.cc", '"broker/config/config.h"'), ("proxy/main.cc", '"broker/config/config.h"'),
                          ("proxy/upstream/x.cc", '"proxy/http/server.h"'), ("proxy/upstream/x.cc", '"proxy/ports/lease_source.h"'),
                          ("proxy/bridge/x.cc", '"proxy/http/server.h"'), ("proxy/request/x.cc", '"proxy/http/server.h"'),
                          ("proxy/request/x.cc", '<boost/asio.hpp>'), ("client/lib/x.cc", '"broker/config/config.h"'), ("broker/service/x.cc", '"broker/adapters/sources/exec_reader.h"'),
                          ("broker/adapters/sources/x.cc", '"broker/adapters/probe/curl_prober.h"'), ("broker/config/x.cc", '"broker/service/lease.h"'),
                          ("proxy/formats/chat/x.cc", '"proxy/formats/gemini/schema.h"'),
                          ("proxy/formats/conversation/x.cc", '"proxy/formats/chat/codec.h"'), ("proxy/http/x.cc", '"proxy/formats/chat/codec.h"')]:
        assert list(wrong_includes(path, f"#include {include}\n")), (path, include)
    assert not list(wrong_includes("broker/core/pool.cc", '#include "absl/time/time.h"\n#include <vector>\n'))


def main():
    self_test()
    files = sorted(p for top in ("broker", "proxy", "client") for p in (REPO / top).rglob("*") if p.suffix in (".h", ".cc"))
    assert files, "no sources found"
    failures = [f"{p.relative_to(REPO)}:{n}: {header}: {why}" for p in files
                for n, header, why in wrong_includes(str(p.relative_to(REPO)), p.read_text())]
    print("\n".join(failures) or f"arrows: {len(files)} files keep to their rooms")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
