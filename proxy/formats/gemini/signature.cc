#include "proxy/formats/gemini/signature.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "broker/base/absl_text.h"
#include "proxy/formats/json_util.h"

namespace ccr::proxy::gemini {
namespace {

constexpr std::string_view kPackedInBase64 = "Y2NyMV";  // the beginning of "ccr1_"

}  // namespace

std::string SignatureOf(const OpaqueStates& states) {
  if (states.empty()) return {};
  if (states.size() == 1 && states[0].kind == StateKind::kGeminiSignature) return states[0].data;
  return absl::Base64Escape(ToAbsl(PackStates(states)));
}

void ReadSignature(std::string_view signature, OpaqueStates* states) {
  if (signature.empty() || signature == kForeignCall) return;
  std::string packed;
  if (signature.starts_with(kPackedInBase64) && absl::Base64Unescape(ToAbsl(signature), &packed) &&
      IsPackedState(packed)) {
    for (OpaqueState& state : UnpackStates(packed)) states->push_back(std::move(state));
    return;
  }
  states->push_back({StateKind::kGeminiSignature, std::string(signature)});
}

std::string OwnSignature(const OpaqueStates& states) {
  if (const OpaqueState* own = FindState(states, StateKind::kGeminiSignature); own != nullptr) return own->data;
  const OpaqueState* extra = FindState(states, StateKind::kChatExtraContent);
  if (extra == nullptr || extra->data.find("thought_signature") == extra->data.npos) return {};
  const absl::StatusOr<json::value> parsed = ParseJson(extra->data);
  const json::object* content = parsed.ok() ? parsed->if_object() : nullptr;
  const json::object* google = content == nullptr ? nullptr : FindObject(*content, "google");
  return google == nullptr ? std::string() : std::string(FindText(*google, "thought_signature"));
}

}  // namespace ccr::proxy::gemini
