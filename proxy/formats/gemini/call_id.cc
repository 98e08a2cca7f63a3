#include "proxy/formats/gemini/call_id.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "proxy/formats/answer_id.h"

namespace ccr::proxy::gemini {
namespace {

constexpr std::string_view kStateMarks[] = {"__sig_", "__st_"};  // state.h: what is behind them is no id
constexpr std::string_view kOwnId = "gid_";
constexpr std::string_view kMadeUpId = "call_";
constexpr size_t kMaxOwnId = 256;
constexpr size_t kMadeUpDigits = 16;

bool IsIdChar(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-';
}

bool IsUsable(std::string_view own) {
  if (own.empty() || own.size() > kMaxOwnId || !std::all_of(own.begin(), own.end(), IsIdChar)) return false;
  return std::all_of(std::begin(kStateMarks), std::end(kStateMarks),
                     [own](std::string_view mark) { return own.find(mark) == own.npos; });
}

bool IsMadeUp(std::string_view id) {
  if (id.size() != kMadeUpId.size() + kMadeUpDigits || !id.starts_with(kMadeUpId)) return false;
  id.remove_prefix(kMadeUpId.size());
  return id.find_first_not_of("0123456789abcdef") == id.npos;
}

}  // namespace

std::string CallIds::Next(std::string_view own, uint64_t seed) {
  std::string id = IsUsable(own) ? std::string(kOwnId).append(own) : MadeUpId(kMadeUpId, seed, given_);
  if (!used_.insert(id).second) {
    id = MadeUpId(kMadeUpId, seed, given_);
    used_.insert(id);
  }
  ++given_;
  return id;
}

std::string_view OwnCallId(std::string_view id, bool gemini_client) {
  if (id.starts_with(kOwnId)) return id.substr(kOwnId.size());
  return gemini_client && !IsMadeUp(id) ? id : std::string_view();
}

std::string_view ClientCallId(std::string_view id) {
  return id.starts_with(kOwnId) ? id.substr(kOwnId.size()) : id;
}

}  // namespace ccr::proxy::gemini
