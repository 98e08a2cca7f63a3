// How simulations look: pure functions of the broker's answer.
#pragma once

#include <string>

#include "absl/time/time.h"
#include "ccr/broker/v1/key_admin.pb.h"

namespace ccr::cli {

// One block per pool: a header line, then what was recorded and what was replayed, side by side, and each key's share of
// the attempts.
std::string SimulationTable(const broker::v1::SimulateResponse& response, absl::TimeZone zone);

// {"pools":[{"provider", "from", "until", "truncated", "recorded":{...}, "configured":{...}, "proposed":{...}|null}]} in
// one line.
std::string SimulationJson(const broker::v1::SimulateResponse& response);

}  // namespace ccr::cli
