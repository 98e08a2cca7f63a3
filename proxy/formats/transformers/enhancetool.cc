#include <map>
#include <optional>
#include <string>
#include <utility>

#include "proxy/formats/transformers/body_edits.h"
#include "proxy/formats/transformers/json_repair.h"
#include "proxy/formats/transformers/table.h"

namespace ccr::proxy {
namespace {

constexpr size_t kMaxCallBytes = size_t{4} << 20;
constexpr size_t kMaxHeldBytes = size_t{16} << 20;
constexpr size_t kMaxHeldCalls = StreamTranslator::kMaxToolCalls;

void EditEnhanceToolResponse(const EditContext& context, json::object* body) {
  JsonBudget budget;
  ForEachCall(body, [&](json::object& call) {
    json::object* function = FindObject(call, "function");
    if (function == nullptr) return;
    const std::string given(FindText(*function, "arguments"));
    const std::string repaired = RepairArguments(given, &budget);
    if (repaired == given) return;
    AddNote(context.notes, "tool_calls.arguments: repaired");
    (*function)["arguments"] = repaired;
  });
}

// Holds the arguments of each call until they are complete, which the finish_reason tells.
class RepairEdit : public ChunkEdit {
 public:
  absl::Status OnChunk(json::object chunk, std::vector<json::object>* out) override {
    json::array* choices = FindArray(chunk, "choices");
    for (size_t i = 0; choices != nullptr && i < choices->size(); ++i) {
      if (json::object* choice = (*choices)[i].if_object(); choice != nullptr) EditChoice(choice);
    }
    if (too_much_) {
      return absl::ResourceExhaustedError("the provider's tool calls are longer than enhancetool holds to repair them");
    }
    if (!held_.empty()) last_ = chunk;
    out->push_back(std::move(chunk));
    return absl::OkStatus();
  }

  void OnEnd(std::vector<json::object>* out) override {
    while (!held_.empty()) {
      const uint64_t index = held_.begin()->first.first;
      json::object choice{{"index", index}, {"delta", json::object()}, {"finish_reason", nullptr}};
      Release(index, &choice["delta"].get_object());
      json::object chunk = last_;
      chunk.stable_erase("usage");
      chunk["choices"] = json::array{std::move(choice)};
      out->push_back(std::move(chunk));
    }
  }

 private:
  using Key = std::pair<uint64_t, uint64_t>;  // choice, call

  void EditChoice(json::object* choice) {
    const uint64_t index = FindUint(*choice, "index");
    json::object* delta = FindObject(*choice, "delta");
    json::array* calls = delta == nullptr ? nullptr : FindArray(*delta, "tool_calls");
    if (calls != nullptr) {
      json::array kept;
      for (json::value& call : *calls) {
        if (!call.is_object() || !Hold(index, &call.get_object())) kept.push_back(std::move(call));
      }
      if (kept.empty()) {
        delta->stable_erase("tool_calls");
      } else {
        *calls = std::move(kept);
      }
    }
    if (FindText(*choice, "finish_reason").empty()) return;
    json::value& last = (*choice)["delta"];
    if (!last.is_object()) last = json::object();
    Release(index, &last.get_object());
  }

  // Takes the arguments out. True when nothing is left of the call that the client needs.
  bool Hold(uint64_t choice, json::object* call) {
    json::object* function = FindObject(*call, "function");
    if (function == nullptr) return false;
    const bool has_index = Find(*call, "index") != nullptr;
    const uint64_t index = has_index ? FindUint(*call, "index") : last_call_;
    last_call_ = index;
    const std::string_view piece = FindText(*function, "arguments");
    std::string& held = held_[{choice, index}];
    held_bytes_ += piece.size();
    too_much_ |=
        held.size() + piece.size() > kMaxCallBytes || held_bytes_ > kMaxHeldBytes || held_.size() > kMaxHeldCalls;
    if (too_much_) return false;
    held += piece;
    if (FindText(*function, "name").empty() && FindText(*call, "id").empty()) return true;
    (*function)["arguments"] = "";
    return false;
  }

  void Release(uint64_t choice, json::object* delta) {
    for (auto held = held_.lower_bound({choice, 0}); held != held_.end() && held->first.first == choice;) {
      json::object function{{"arguments", RepairArguments(held->second, &budget_)}};
      json::value& calls = (*delta)["tool_calls"];
      if (!calls.is_array()) calls = json::array();
      calls.get_array().push_back(json::object{{"index", held->first.second}, {"function", std::move(function)}});
      held_bytes_ -= held->second.size();
      held = held_.erase(held);
    }
  }

  std::map<Key, std::string> held_;
  size_t held_bytes_ = 0;
  JsonBudget budget_;
  bool too_much_ = false;
  uint64_t last_call_ = 0;
  json::object last_;  // the chunk that tells how others look
};

std::unique_ptr<ChunkEdit> MakeEnhanceToolEdit() {
  return std::make_unique<RepairEdit>();
}

}  // namespace

const Transformer kEnhanceTool = {
    .name = "enhancetool", .edit_response = EditEnhanceToolResponse, .edit_stream = MakeEnhanceToolEdit};

}  // namespace ccr::proxy
