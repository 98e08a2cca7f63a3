#include "proxy/formats/tool_names.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "proxy/formats/answer_id.h"
#include "proxy/formats/transformers/body_edits.h"

namespace ccr::proxy {
namespace {

constexpr size_t kHashDigits = 16;

bool FitsName(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-';
}

bool FitsGeminiName(char c) {
  return FitsName(c) || c == '.' || c == ':';
}

bool BeginsGeminiName(char c) {
  return absl::ascii_isalpha(static_cast<unsigned char>(c)) || c == '_';
}

std::string ValidName(std::string_view name, bool (*fits)(char), size_t most, ToolNames* names) {
  std::string valid(name);
  std::replace_if(
      valid.begin(), valid.end(), [fits](char c) { return !fits(c); }, '_');
  if (fits == FitsGeminiName && !BeginsGeminiName(valid[0])) valid.insert(0, "_");
  if (valid == name && valid.size() <= most) return valid;
  valid.resize(std::min(valid.size(), most - kHashDigits - 1));
  absl::StrAppend(&valid, "_", absl::Hex(StableHash(name), absl::kZeroPad16));
  if (name.size() <= kMaxRestoredName) names->emplace(valid, name);
  return valid;
}

void Restore(const ToolNames& names, json::object* function) {
  const auto known = names.find(FindText(*function, "name"));
  if (known != names.end()) (*function)["name"] = known->second;
}

void RestoreGemini(const ToolNames& names, json::object* candidate) {
  json::object* content = FindObject(*candidate, "content");
  json::array* parts = content == nullptr ? nullptr : FindArray(*content, "parts");
  for (size_t i = 0; parts != nullptr && i < parts->size(); ++i) {
    json::object* part = (*parts)[i].if_object();
    json::object* call = part == nullptr ? nullptr : FindObject(*part, "functionCall");
    if (call != nullptr) Restore(names, call);
  }
}

class ToolNameEdit : public ChunkEdit {
 public:
  explicit ToolNameEdit(ToolNames names) : names_(std::move(names)) {}
  absl::Status OnChunk(json::object chunk, std::vector<json::object>* out) override {
    RestoreToolNames(names_, &chunk);
    out->push_back(std::move(chunk));
    return absl::OkStatus();
  }

 private:
  const ToolNames names_;
};

}  // namespace

std::string OpenAiToolName(std::string_view name, ToolNames* names) {
  return name.empty() ? "unnamed" : ValidName(name, FitsName, kMaxToolName, names);
}

std::string AnthropicToolName(std::string_view name, ToolNames* names) {
  return name.empty() ? "unnamed" : ValidName(name, FitsName, kMaxAnthropicToolName, names);
}

std::string GeminiToolName(std::string_view name, ToolNames* names) {
  return name.empty() ? "unnamed" : ValidName(name, FitsGeminiName, kMaxToolName, names);
}

void RestoreToolNames(const ToolNames& names, json::object* answer) {
  if (names.empty()) return;
  ForEachCall(answer, [&names](json::object& call) {
    if (json::object* function = FindObject(call, "function"); function != nullptr) Restore(names, function);
  });
  json::array* candidates = FindArray(*answer, "candidates");
  for (size_t i = 0; candidates != nullptr && i < candidates->size(); ++i) {
    if (json::object* candidate = (*candidates)[i].if_object(); candidate != nullptr) RestoreGemini(names, candidate);
  }
}

std::unique_ptr<ChunkEdit> MakeToolNameEdit(const ToolNames& names) {
  return std::make_unique<ToolNameEdit>(names);
}

}  // namespace ccr::proxy
