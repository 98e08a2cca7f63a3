#include "proxy/formats/transformers/numeric_ids.h"

#include <algorithm>
#include <string>
#include <utility>

#include "proxy/formats/transformers/body_edits.h"

namespace ccr::proxy {
namespace {

constexpr size_t kMaxAnswerId = 64;

bool IsNumeric(std::string_view id) {
  return !id.empty() && std::all_of(id.begin(), id.end(), [](char c) { return c >= '0' && c <= '9'; });
}

void Prefix(json::object* answer) {
  const std::string prefix = "call_" + Utf8Prefix(FindText(*answer, "id"), kMaxAnswerId) + "_";
  ForEachCall(answer, [&prefix](json::object& call) {
    const std::string_view id = FindText(call, "id");
    if (IsNumeric(id)) call["id"] = prefix + std::string(id);
  });
}

class NumericIdEdit : public ChunkEdit {
 public:
  absl::Status OnChunk(json::object chunk, std::vector<json::object>* out) override {
    Prefix(&chunk);
    out->push_back(std::move(chunk));
    return absl::OkStatus();
  }
};

}  // namespace

void PrefixNumericIds(const EditContext&, json::object* response) {
  Prefix(response);
}

std::unique_ptr<ChunkEdit> MakeNumericIdEdit() {
  return std::make_unique<NumericIdEdit>();
}

}  // namespace ccr::proxy
