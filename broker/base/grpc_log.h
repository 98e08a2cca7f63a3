// gRPC's own lines as lines of our log. For programs that link gRPC.
#pragma once

#include <grpc/support/log.h>

#include "broker/base/log.h"

namespace ccr {

// Before gRPC is used.
inline void LogForGrpc() {
  gpr_set_log_function([](gpr_log_func_args* line) {
    const LogLevel level = line->severity == GPR_LOG_SEVERITY_ERROR  ? LogLevel::kError
                           : line->severity == GPR_LOG_SEVERITY_INFO ? LogLevel::kInfo
                                                                     : LogLevel::kDebug;
    Log(level, "grpc", {{"file", line->file}, {"line", line->line}, {"message", line->message}});
  });
}

}  // namespace ccr
