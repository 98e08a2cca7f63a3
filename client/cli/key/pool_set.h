// `ccr pool set`: what the running broker does with a provider's keys.
#pragma once

#include "absl/status/statusor.h"
#include "ccr/broker/v1/key_admin.pb.h"
#include "client/cli/key/key_options.h"
#include "client/cli/service/service.h"
#include "client/cli/terminal.h"

namespace ccr::cli {

// "weighted", "strategy=weighted", "rpm=100", "max_wait=30s", "session_affinity=false"; "none" takes a limit away.
// InvalidArgument names the setting, with the nearest one.
absl::StatusOr<broker::v1::ChangePoolRequest> ParseSettings(const PoolOptions& options);

// 0: in effect and on disk; one line says what is so now, and how it was where that is known. 1: refused. 2: wrong
// input. 3: no broker.
int SetPool(const ServiceOptions& service, const PoolOptions& options, const Terminal& terminal);

}  // namespace ccr::cli
