#include "proxy/formats/conversation/state.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "broker/base/absl_text.h"
#include "proxy/formats/json_util.h"

namespace ccr::proxy {
namespace {

constexpr std::string_view kPackedMark = "ccr1_";
constexpr std::string_view kSignatureMark = "__sig_";
constexpr std::string_view kStateMark = "__st_";

// Their names in a packed text, which clients keep for as long as a conversation lasts.
constexpr std::array<std::pair<StateKind, std::string_view>, 6> kNames = {{
    {StateKind::kAnthropicSignature, "as"},
    {StateKind::kAnthropicRedacted, "ar"},
    {StateKind::kGeminiSignature, "gs"},
    {StateKind::kResponsesReasoning, "rr"},
    {StateKind::kChatReasoningDetails, "cd"},
    {StateKind::kChatExtraContent, "ce"},
}};

bool IsUrlBase64(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-';
  });
}

// Base64 of either alphabet in the one of URLs, unpadded; nothing when it is none.
std::string ToUrlAlphabet(std::string_view base64) {
  while (base64.ends_with('=')) base64.remove_suffix(1);
  std::string text(base64);
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  return IsUrlBase64(text) ? text : std::string();
}

std::string ToBase64(std::string_view url_alphabet) {
  std::string text(url_alphabet);
  std::replace(text.begin(), text.end(), '-', '+');
  std::replace(text.begin(), text.end(), '_', '/');
  text.append((4 - text.size() % 4) % 4, '=');
  return text;
}

// Of a signature alone; empty where there is other state too, or it is no base64.
std::string LoneSignature(const OpaqueStates& states) {
  const bool lone = states.size() == 1 && states[0].kind == StateKind::kGeminiSignature;
  return lone ? ToUrlAlphabet(states[0].data) : std::string();
}

}  // namespace

const OpaqueState* FindState(const OpaqueStates& states, StateKind kind) {
  const auto found =
      std::find_if(states.begin(), states.end(), [kind](const OpaqueState& state) { return state.kind == kind; });
  return found == states.end() ? nullptr : &*found;
}

std::string PackStates(const OpaqueStates& states) {
  if (states.empty()) return {};
  std::string text;
  for (const OpaqueState& state : states) {
    const auto name = std::find_if(kNames.begin(), kNames.end(), [&](const auto& n) { return n.first == state.kind; });
    text += text.empty() ? "[" : ",";
    AppendJsonString(name->second, &text);
    text += ',';
    AppendJsonString(state.data, &text);
  }
  text += ']';
  std::string packed;
  absl::WebSafeBase64Escape(ToAbsl(text), &packed);
  return std::string(kPackedMark).append(packed);
}

bool IsPackedState(std::string_view text) {
  return text.starts_with(kPackedMark);
}

OpaqueStates UnpackStates(std::string_view text) {
  OpaqueStates states;
  if (!IsPackedState(text)) return states;
  std::string unpacked;
  if (!absl::WebSafeBase64Unescape(ToAbsl(text.substr(kPackedMark.size())), &unpacked)) return states;
  const absl::StatusOr<json::value> parsed = ParseJson(unpacked);
  const json::array* list = parsed.ok() ? parsed->if_array() : nullptr;
  for (size_t i = 0; list != nullptr && i + 1 < list->size(); i += 2) {
    const json::string* name = (*list)[i].if_string();
    const json::string* data = (*list)[i + 1].if_string();
    if (name == nullptr || data == nullptr) continue;
    for (const auto& [kind, known] : kNames)
      if (View(*name) == known) states.push_back({kind, std::string(View(*data))});
  }
  return states;
}

std::string IdWithState(std::string_view id, const OpaqueStates& states) {
  std::string whole(id);
  if (states.empty()) return whole;
  const std::string signature = LoneSignature(states);
  if (!signature.empty()) return whole.append(kSignatureMark).append(signature);
  return whole.append(kStateMark).append(PackStates(states));
}

std::string_view IdWithoutState(std::string_view id, OpaqueStates* states) {
  if (const size_t mark = id.find(kStateMark); mark != id.npos) {
    if (states != nullptr)
      for (OpaqueState& state : UnpackStates(id.substr(mark + kStateMark.size()))) states->push_back(std::move(state));
    return id.substr(0, mark);
  }
  const size_t mark = id.find(kSignatureMark);
  if (mark == id.npos) return id;
  const std::string_view signature = id.substr(mark + kSignatureMark.size());
  if (states != nullptr && IsUrlBase64(signature))
    states->push_back({StateKind::kGeminiSignature, ToBase64(signature)});
  return id.substr(0, mark);
}

}  // namespace ccr::proxy
