// How pools, keys and events look: pure functions of the broker's answer.
#pragma once

#include <string>

#include "absl/time/time.h"
#include "ccr/broker/v1/key_admin.pb.h"
#include "ccr/broker/v1/types.pb.h"

namespace ccr::cli {

// By the broker's clock where it tells it, else ours.
absl::Time NowOf(const broker::v1::ListPoolsResponse& response);
absl::Time ToTime(const google::protobuf::Timestamp& timestamp);

struct ViewOptions {
  absl::Time now;        // by the broker's clock
  size_t width = 0;      // columns of the terminal; 0 = as wide as it needs
  bool color = false;    // ANSI colours
  bool wide = false;     // every column, fingerprints too, and as wide as it needs
  bool watched = false;  // what needs a look comes first: counts of all pools, keys in trouble
};

// As in the contract, without prefix, in lower case: "active", "cooling", "disabled"; "open", "half_open";
// "rate_limited".
std::string StateName(broker::v1::KeyState state);
std::string CircuitName(broker::v1::CircuitStatus::State state);
std::string OutcomeName(broker::v1::Outcome outcome);
std::string EventName(broker::v1::Event::Type type);

// Why the key is out, or would not be granted now; empty when it would.
std::string ReasonOf(const broker::v1::KeyStatus& key, const broker::v1::PoolStatus& pool);

// "30s"; "-" when nothing is waited for.
std::string BackIn(const broker::v1::KeyStatus& key, absl::Time now);

// One block per pool: a header line, then a table of its keys, below each key in trouble its last error. When the
// terminal is narrow the least important columns are left out, then names are cut.
std::string RotationTable(const broker::v1::ListPoolsResponse& response, const ViewOptions& options);

// What fits on a terminal of `text` (lines): a window that begins with line `*offset`, which is corrected to be within,
// and, when there is more, a last line that says how much. Lines wider than the terminal take several rows.
std::string Window(const std::string& text, size_t width, size_t height, size_t* offset);

// {"pools":[{"provider", ..., "keys":[{"name", ...}]}]} in one line. States in lower case, times RFC 3339 in UTC, null
// for what is not there.
std::string RotationJson(const broker::v1::ListPoolsResponse& response);

// "12:03:04 openai key-1 cooling rate_limited, back in 3s"
std::string EventLine(const broker::v1::Event& event, absl::TimeZone zone);

std::string EventJson(const broker::v1::Event& event);

}  // namespace ccr::cli
