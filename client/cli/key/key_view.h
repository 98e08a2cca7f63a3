// What the commands about keys say: pure functions of the broker's answers.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "ccr/broker/v1/key_admin.pb.h"

namespace ccr::cli {

// A word of a shell's command line, in quotes where it needs them.
std::string ShellWord(const std::string& word);

// "active", "cooling (rate_limited), back in 30s", "disabled (operator)"
std::string StateText(const broker::v1::KeyStatus& key, absl::Time now);

// A table, one line a key: provider, name, fingerprint, state, reason, when it is back. `width` of the terminal, 0 =
// as wide as it needs.
std::string KeyTable(const broker::v1::ListPoolsResponse& response, absl::Time now, size_t width);

// {"provider":...,"key":{...}}, the key as in `ccr --json rotation`
std::string KeyChangeJson(const std::string& provider, const broker::v1::KeyStatus& key);

// {"outcome","http_status","detail","took_ms"}, null for what is not there
boost::json::object ProbeObject(const broker::v1::ProbeKeyResponse& response);

// {"provider":...,"key":{...},"test":{...}}
std::string ProbeJson(const broker::v1::ProbeKeyResponse& response);

// "the provider takes it (HTTP 200 in 84 ms)", "HTTP 401 in 80 ms: Incorrect API key provided"
std::string ProbeText(const broker::v1::ProbeKeyResponse& response);

// A line for each event, the latest last.
std::string HistoryText(const broker::v1::KeyHistory& history, absl::TimeZone zone);
std::string HistoryJson(const broker::v1::KeyHistory& history);

// "1 key", "12 keys"
std::string Keys(uint64_t count);

}  // namespace ccr::cli
