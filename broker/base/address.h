// "HOST:PORT", "[v6]:PORT" and "unix:PATH".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace ccr {

struct HostPort {
  std::string host;  // without brackets
  uint16_t port = 0;

  std::string ToString() const;  // brackets put back
};

// InvalidArgument naming what is wrong; port 0 is allowed ("any free port").
absl::StatusOr<HostPort> ParseHostPort(std::string_view text);

// 127.0.0.0/8, ::1 or "localhost".
bool IsLoopback(std::string_view host);

}  // namespace ccr
