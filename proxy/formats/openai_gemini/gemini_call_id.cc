#include "proxy/formats/openai_gemini/gemini_call_id.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "broker/base/absl_text.h"
#include "proxy/formats/answer_id.h"

namespace ccr::proxy {
namespace {

constexpr std::string_view kSignatureMark = "__sig_";
constexpr std::string_view kOwnId = "gid_";
constexpr size_t kMaxOwnId = 256;

bool IsIdChar(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-';
}

bool FitsIntoId(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), IsIdChar);
}

// Base64 of either alphabet in the one of URLs, unpadded; nothing when it is none.
std::string ToUrlAlphabet(std::string_view base64) {
  while (base64.ends_with('=')) base64.remove_suffix(1);
  std::string text(base64);
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  return FitsIntoId(text) ? text : std::string();
}

std::string ToBase64(std::string_view url_alphabet) {
  std::string text(url_alphabet);
  std::replace(text.begin(), text.end(), '-', '+');
  std::replace(text.begin(), text.end(), '_', '/');
  text.append((4 - text.size() % 4) % 4, '=');
  return text;
}

}  // namespace

std::string MakeGeminiCallId(const json::object& part, uint64_t seed, size_t number) {
  const json::object* call = FindObject(part, "functionCall");
  const std::string_view own = call == nullptr ? std::string_view() : FindText(*call, "id");
  const bool usable = FitsIntoId(own) && own.size() <= kMaxOwnId && own.find(kSignatureMark) == own.npos;
  std::string id = usable ? std::string(kOwnId).append(own) : MadeUpId("call_", seed, number);
  const std::string signature = ToUrlAlphabet(FindText(part, "thoughtSignature"));
  if (!signature.empty()) id.append(kSignatureMark).append(signature);
  return id;
}

std::string GeminiCallIds::Next(const json::object& part, uint64_t seed) {
  std::string id = MakeGeminiCallId(part, seed, given_);
  const std::string_view name = WithoutSignature(id);
  if (used_.contains(ToAbsl(name))) id.replace(0, name.size(), MadeUpId("call_", seed, given_));
  used_.insert(std::string(WithoutSignature(id)));
  ++given_;
  return id;
}

GeminiCallId ReadGeminiCallId(std::string_view id) {
  const std::string_view name = WithoutSignature(id);
  GeminiCallId read;
  if (name.starts_with(kOwnId)) read.id = name.substr(kOwnId.size());
  if (name.size() == id.size()) return read;
  const std::string_view signature = id.substr(name.size() + kSignatureMark.size());
  if (FitsIntoId(signature)) read.signature = ToBase64(signature);
  return read;
}

std::string_view WithoutSignature(std::string_view id) {
  return id.substr(0, id.find(kSignatureMark));
}

}  // namespace ccr::proxy
