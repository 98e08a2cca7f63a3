#include "proxy/formats/tool_names.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/formats/answer_id.h"
#include "proxy/formats/transformers/body_edits.h"

namespace ccr::proxy {
namespace {

constexpr size_t kHashDigits = 16;

class ToolNameEdit : public ChunkEdit {
 public:
  explicit ToolNameEdit(ToolNames names) : names_(std::move(names)) {}
  void OnChunk(json::object chunk, std::vector<json::object>* out) override {
    RestoreToolNames(names_, &chunk);
    out->push_back(std::move(chunk));
  }

 private:
  const ToolNames names_;
};

}  // namespace

std::string ShortToolName(std::string_view name, ToolNames* names) {
  if (name.size() <= kMaxOpenAiToolName) return std::string(name);
  const std::string_view head = name.substr(0, kMaxOpenAiToolName - kHashDigits - 1);
  std::string short_name = absl::StrCat(ToAbsl(head), "_", absl::Hex(StableHash(name), absl::kZeroPad16));
  names->emplace(short_name, name);
  return short_name;
}

void RestoreToolNames(const ToolNames& names, json::object* answer) {
  if (names.empty()) return;
  ForEachCall(answer, [&names](json::object& call) {
    json::object* function = FindObject(call, "function");
    if (function == nullptr) return;
    const auto known = names.find(FindText(*function, "name"));
    if (known != names.end()) (*function)["name"] = known->second;
  });
}

std::unique_ptr<ChunkEdit> MakeToolNameEdit(const ToolNames& names) {
  return std::make_unique<ToolNameEdit>(names);
}

}  // namespace ccr::proxy
