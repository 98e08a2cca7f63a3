#include <utility>

#include "proxy/formats/transformers/body_edits.h"
#include "proxy/formats/transformers/numeric_ids.h"
#include "proxy/formats/transformers/table.h"

namespace ccr::proxy {
namespace {

void EditOpenRouterRequest(const EditContext& context, json::object* body) {
  if (!IsClaude(context.model)) EraseCacheControl(context, body);
  if (const json::value* effort = Find(*body, "reasoning_effort"); effort != nullptr) {
    const json::value given = *effort;
    body->stable_erase("reasoning_effort");
    if (Find(*body, "reasoning") == nullptr) (*body)["reasoning"] = json::object({{"effort", given}});
  }
  for (const json::key_value_pair& option : context.options) (*body)[option.key()] = option.value();
}

// An error in mid-stream comes as the finish_reason of a chunk.
class ErrorEdit : public ChunkEdit {
 public:
  absl::Status OnChunk(json::object chunk, std::vector<json::object>* out) override {
    return ids_->OnChunk(IsError(chunk) ? AsError(chunk) : std::move(chunk), out);
  }

 private:
  static const json::object* FirstChoice(const json::object& chunk) {
    const json::array* choices = FindArray(chunk, "choices");
    return choices == nullptr || choices->empty() ? nullptr : (*choices)[0].if_object();
  }
  static bool IsError(const json::object& chunk) {
    const json::object* choice = FirstChoice(chunk);
    return choice != nullptr && FindText(*choice, "finish_reason") == "error";
  }
  static json::object AsError(const json::object& chunk) {
    const json::value* error = Find(*FirstChoice(chunk), "error");
    if (error == nullptr) error = Find(chunk, "error");
    if (error != nullptr) return json::object({{"error", *error}});
    return json::object({{"error", {{"message", "the provider's stream ended with an error"}, {"code", 502}}}});
  }

  const std::unique_ptr<ChunkEdit> ids_ = MakeNumericIdEdit();
};

std::unique_ptr<ChunkEdit> MakeOpenRouterEdit() {
  return std::make_unique<ErrorEdit>();
}

}  // namespace

const Transformer kOpenRouter = {.name = "openrouter",
                                 .edit_request = EditOpenRouterRequest,
                                 .edit_response = PrefixNumericIds,
                                 .edit_stream = MakeOpenRouterEdit};

}  // namespace ccr::proxy
