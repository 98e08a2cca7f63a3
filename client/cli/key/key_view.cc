#include "client/cli/key/key_view.h"

#include <algorithm>
#include <array>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "client/cli/completion/words.h"
#include "client/cli/rotation/rotation_json.h"
#include "client/cli/rotation/rotation_view.h"
#include "client/cli/text.h"

namespace ccr::cli {
namespace {

namespace v1 = ::ccr::broker::v1;
namespace json = boost::json;

constexpr size_t kKeyColumns = 6;
constexpr size_t kKeyGap = 2;

using KeyRow = std::array<std::string, kKeyColumns>;

std::string DashIfEmpty(const std::string& text) {
  return text.empty() ? "-" : text;
}

}  // namespace

std::string ShellWord(const std::string& word) {
  const auto plain = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           std::string_view("._-/:,@%+=").find(c) != std::string_view::npos;
  };
  const bool is_plain = !word.empty() && std::all_of(word.begin(), word.end(), plain);
  return is_plain ? word : SingleQuoted(word);
}

std::string StateText(const v1::KeyStatus& key, absl::Time now) {
  std::string text = StateName(key.state());
  if (!key.reason().empty()) absl::StrAppend(&text, " (", key.reason(), ")");
  if (key.has_available_at()) absl::StrAppend(&text, ", back in ", BackIn(key, now));
  return text;
}

std::string KeyTable(const v1::ListPoolsResponse& response, absl::Time now, size_t width) {
  std::vector<KeyRow> rows{{"PROVIDER", "KEY", "FINGERPRINT", "STATE", "REASON", "BACK IN"}};
  for (const v1::PoolStatus& pool : response.pools()) {
    for (const v1::KeyStatus& key : pool.keys()) {
      rows.push_back({pool.provider(), key.name(), DashIfEmpty(key.fingerprint()), StateName(key.state()),
                      DashIfEmpty(ReasonOf(key, pool)), BackIn(key, now)});
    }
  }
  std::array<size_t, kKeyColumns> widths{};
  for (const KeyRow& row : rows) {
    for (size_t i = 0; i < kKeyColumns; ++i) widths[i] = std::max(widths[i], DisplayWidth(row[i]));
  }
  std::string text;
  for (const KeyRow& row : rows) {
    std::string line;
    std::string gap;
    for (size_t i = 0; i < kKeyColumns; ++i) {
      absl::StrAppend(&line, gap, row[i]);
      gap = std::string(widths[i] - DisplayWidth(row[i]) + kKeyGap, ' ');
    }
    absl::StrAppend(&text, Fit(line, width == 0 ? DisplayWidth(line) : width), "\n");
  }
  return rows.size() == 1 ? "no keys\n" : text;
}

std::string KeyChangeJson(const std::string& provider, const v1::KeyStatus& key) {
  return json::serialize(json::object{{"provider", provider}, {"key", KeyObject(key)}});
}

json::object ProbeObject(const v1::ProbeKeyResponse& response) {
  return {{"outcome", OutcomeName(response.outcome())},
          {"http_status", response.http_status() == 0 ? json::value(nullptr) : json::value(response.http_status())},
          {"detail", response.detail().empty() ? json::value(nullptr) : json::value(response.detail())},
          {"took_ms", response.took_ms()}};
}

std::string ProbeJson(const v1::ProbeKeyResponse& response) {
  return json::serialize(json::object{
      {"provider", response.provider()}, {"key", KeyObject(response.key())}, {"test", ProbeObject(response)}});
}

std::string ProbeText(const v1::ProbeKeyResponse& response) {
  const std::string took = absl::StrCat(" in ", response.took_ms(), " ms");
  const std::string status =
      response.http_status() == 0 ? "no answer" + took : absl::StrCat("HTTP ", response.http_status(), took);
  if (response.outcome() == v1::OUTCOME_SUCCESS) return absl::StrCat("the provider takes it (", status, ")");
  const std::string text = absl::StrCat(OutcomeName(response.outcome()), ", ", status,
                                        response.detail().empty() ? "" : ": ", response.detail());
  return Fit(text, DisplayWidth(text));
}

std::string HistoryText(const v1::KeyHistory& history, absl::TimeZone zone) {
  std::string text;
  for (const v1::Event& event : history.events()) {
    const absl::Time time = ToTime(event.time());
    absl::StrAppend(&text, absl::FormatTime("%Y-%m-%d", time, zone), " ", EventLine(event, zone), "\n");
  }
  if (!text.empty()) return text;
  return absl::StrCat("Nothing has happened to ", history.provider(), "'s key '", history.name(),
                      "' since the broker's start; leases and successes are not kept.\n");
}

std::string HistoryJson(const v1::KeyHistory& history) {
  json::array events;
  for (const v1::Event& event : history.events()) events.push_back(EventObject(event));
  return json::serialize(json::object{{"provider", history.provider()},
                                      {"key", {{"name", history.name()}, {"fingerprint", history.fingerprint()}}},
                                      {"events", std::move(events)}});
}

std::string Keys(uint64_t count) {
  return absl::StrCat(count, count == 1 ? " key" : " keys");
}

}  // namespace ccr::cli
