#include "proxy/http/access_log.h"

#include <string>
#include <vector>

#include "broker/base/log.h"
#include "broker/base/secret.h"

namespace ccr::proxy {
namespace {

constexpr size_t kMaxModel = 128;
constexpr size_t kFields = 24;

std::string SessionDigest(std::string_view session) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  constexpr size_t kBytes = 6;
  std::string digest;
  if (session.empty()) return digest;
  for (const char byte : Sha256(session).substr(0, kBytes)) {
    const auto value = static_cast<unsigned char>(byte);
    digest += kDigits[value >> 4];
    digest += kDigits[value & 0xf];
  }
  return digest;
}

class Line {
 public:
  Line() { fields_.reserve(kFields); }
  void Text(std::string_view name, std::string_view value) {
    if (!value.empty()) fields_.emplace_back(name, value);
  }
  template <typename Number>
  void Figure(std::string_view name, Number value) {
    if (value > 0) fields_.emplace_back(name, value);
  }
  void Time(std::string_view name, std::optional<absl::Duration> value) {
    if (value) fields_.emplace_back(name, absl::ToInt64Microseconds(*value) / 1000.0);
  }
  const std::vector<LogField>& fields() const { return fields_; }

 private:
  std::vector<LogField> fields_;
};

}  // namespace

void LogAccess(const Request& request, const AccessEntry& entry) {
  const bool page = (entry.endpoint == Endpoint::kRoot || entry.endpoint == Endpoint::kHealth) && entry.status < 400;
  const LogLevel level = page ? LogLevel::kDebug : LogLevel::kInfo;
  if (!LogEnabled(level)) return;
  const std::string session = SessionDigest(entry.session);
  Line line;
  line.Text("id", request.id);
  line.Text("client", request.client);
  line.Text("endpoint", EndpointName(entry.endpoint));
  line.Figure("status", entry.status);
  line.Text("end", entry.end);
  line.Text("outcome", entry.outcome);
  line.Text("model", entry.model.substr(0, kMaxModel));
  line.Text("route", entry.route);
  if (entry.fallback) line.Text("fallback", "yes");
  line.Text("provider", entry.provider);
  line.Text("model_sent", entry.model_sent.substr(0, kMaxModel));
  line.Text("key", entry.key);
  line.Text("provider_id", entry.provider_id);
  line.Figure("attempts", entry.attempts);
  line.Text("session", session);
  line.Time("lease_wait_ms", entry.lease_wait);
  line.Time("first_byte_ms", entry.first_byte);
  line.Time("total_ms", entry.total);
  line.Figure("tokens_in", entry.input_tokens);
  line.Figure("tokens_cached", entry.cached_tokens);
  line.Figure("tokens_out", entry.output_tokens);
  Log(level, "request", line.fields());
}

}  // namespace ccr::proxy
