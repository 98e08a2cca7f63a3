#include "proxy/formats/conversation/call_ids.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/formats/answer_id.h"
#include "proxy/formats/json_util.h"

namespace ccr::proxy::fit {
namespace {

constexpr size_t kMaxChatId = 40;
constexpr size_t kMaxResponsesId = 64;
constexpr size_t kShortId = 9;
constexpr size_t kHashDigits = 16;

bool IsAlnum(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c));
}

std::string ShortId(std::string_view id) {
  constexpr std::string_view kDigits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  if (id.size() == kShortId && std::all_of(id.begin(), id.end(), IsAlnum)) return std::string(id);
  std::string made;
  for (uint64_t hash = StableHash(id); made.size() < kShortId; hash /= kDigits.size())
    made += kDigits[hash % kDigits.size()];
  return made;
}

std::string AnthropicId(std::string_view id) {
  std::string valid(id);
  std::replace_if(
      valid.begin(), valid.end(), [](char c) { return !IsAlnum(c) && c != '-'; }, '_');
  return valid;
}

// Its beginning and a hash of it.
std::string CutId(std::string_view id, size_t most) {
  if (id.size() <= most) return std::string(id);
  return absl::StrCat(ToAbsl(Utf8Prefix(id, most - kHashDigits - 1)), "_", absl::Hex(StableHash(id), absl::kZeroPad16));
}

}  // namespace

std::string UniqueIds::Make(std::string_view given) {
  if (given.empty()) given = "call";
  std::string fitted = Fitted(given);
  if (taken_.insert(fitted).second) return fitted;
  size_t& next = numbers_.try_emplace(fitted, 2).first->second;
  std::string id = Fitted(absl::StrCat(ToAbsl(given), "_", next));
  while (!taken_.insert(id).second) id = Fitted(absl::StrCat(ToAbsl(given), "_", ++next));
  return id;
}

std::string UniqueIds::Fitted(std::string_view id) const {
  if (short_) return ShortId(id);
  switch (format_) {
    case Format::kAnthropic:
      return AnthropicId(id);
    case Format::kChat:
      return CutId(id, kMaxChatId);
    case Format::kResponses:
      return CutId(id, kMaxResponsesId);
    case Format::kGemini:
      break;
  }
  return std::string(id);
}

bool ShortenIds(const ProviderRules& rules, ModelRequest* request, Notes* notes) {
  if (rules.call_ids != ProviderRules::CallIds::kShort) return false;
  bool changed = false;
  for (Message& message : request->messages) {
    for (Part& part : message.parts) {
      const bool of_call = part.kind == PartKind::kToolCall || part.kind == PartKind::kToolResult;
      if (!of_call || part.id.empty()) continue;
      std::string id = ShortId(part.id);
      changed |= id != part.id;
      part.id = std::move(id);
    }
  }
  if (changed) AddNote(notes, "tool_calls.id: changed to a short one");
  return changed;
}

}  // namespace ccr::proxy::fit
