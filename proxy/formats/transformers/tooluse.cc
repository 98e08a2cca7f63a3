#include <algorithm>
#include <string>
#include <utility>

#include "proxy/formats/transformers/body_edits.h"
#include "proxy/formats/transformers/exit_text.h"
#include "proxy/formats/transformers/table.h"

namespace ccr::proxy {
namespace {

constexpr std::string_view kExitTool = "ExitTool";
constexpr size_t kMaxTools = 128;
constexpr size_t kMaxExits = 64;
constexpr size_t kMaxExitBytes = size_t{4} << 20;
constexpr std::string_view kReminder =
    "<system-reminder>Tool mode is on: go on with the task by calling the tool that fits it best. Where no tool fits, "
    "or nothing is left to do, call ExitTool with your answer to the user; there is no other way to answer in plain "
    "text.</system-reminder>";
constexpr std::string_view kDescription =
    "Leaves tool mode and answers the user. Call it when the task needs no tool, or is done.";

json::object ExitTool() {
  json::object response{{"type", "string"}, {"description", "The answer, which the user sees exactly as it is."}};
  json::object parameters{
      {"type", "object"}, {"properties", {{"response", std::move(response)}}}, {"required", {"response"}}};
  json::object function{{"name", kExitTool}, {"description", kDescription}, {"parameters", std::move(parameters)}};
  return {{"type", "function"}, {"function", std::move(function)}};
}

void EditToolUseRequest(const EditContext& context, json::object* body) {
  json::array* tools = FindArray(*body, "tools");
  json::array* messages = FindArray(*body, "messages");
  if (tools == nullptr || tools->empty() || messages == nullptr || FindText(*body, "tool_choice") == "none") return;
  if (tools->size() >= kMaxTools) return AddNote(context.notes, "tooluse: no room for another tool, left out");
  tools->insert(tools->begin(), ExitTool());
  messages->push_back(json::object{{"role", "system"}, {"content", kReminder}});
  const json::value* choice = Find(*body, "tool_choice");
  if (choice == nullptr || *choice == "auto") (*body)["tool_choice"] = "required";
}

std::string_view NameOf(const json::value& call) {
  const json::object* function = call.is_object() ? FindObject(call.get_object(), "function") : nullptr;
  return function == nullptr ? std::string_view() : FindText(*function, "name");
}

std::string_view ArgumentsOf(const json::value& call) {
  const json::object* function = call.is_object() ? FindObject(call.get_object(), "function") : nullptr;
  return function == nullptr ? std::string_view() : FindText(*function, "arguments");
}

void AppendContent(std::string_view text, json::object* message) {
  if (text.empty()) return;
  std::string content(FindText(*message, "content"));
  content += text;
  (*message)["content"] = content;
}

void EndAsText(json::object* choice) {
  if (FindText(*choice, "finish_reason") == "tool_calls") (*choice)["finish_reason"] = "stop";
}

void EditToolUseResponse(const EditContext&, json::object* body) {
  JsonBudget budget;
  json::array* choices = FindArray(*body, "choices");
  for (size_t i = 0; choices != nullptr && i < choices->size(); ++i) {
    json::object* choice = (*choices)[i].if_object();
    json::object* message = choice == nullptr ? nullptr : FindObject(*choice, "message");
    json::array* calls = message == nullptr ? nullptr : FindArray(*message, "tool_calls");
    if (calls == nullptr) continue;
    json::array others;
    std::string text;
    for (const json::value& call : *calls) {
      if (NameOf(call) == kExitTool) {
        text += ExitText::Whole(ArgumentsOf(call), &budget);
      } else {
        others.push_back(call);
      }
    }
    if (others.size() == calls->size()) continue;
    if (others.empty()) {
      message->stable_erase("tool_calls");
      EndAsText(choice);
    } else {
      *calls = std::move(others);
    }
    AppendContent(text, message);
    if (Find(*message, "content") == nullptr) (*message)["content"] = "";
  }
}

// The first choice alone: no stream of a model that calls tools has more.
class ExitEdit : public ChunkEdit {
 public:
  absl::Status OnChunk(json::object chunk, std::vector<json::object>* out) override {
    json::array* choices = FindArray(chunk, "choices");
    json::object* choice = choices == nullptr || choices->empty() ? nullptr : (*choices)[0].if_object();
    if (choice == nullptr || EditChoice(choice)) out->push_back(std::move(chunk));
    if (!too_much_) return absl::OkStatus();
    return absl::ResourceExhaustedError("the provider calls ExitTool more often, or longer, than tooluse holds");
  }

 private:
  // False when nothing of the choice is left to tell.
  bool EditChoice(json::object* choice) {
    json::object* delta = FindObject(*choice, "delta");
    const bool emptied = delta != nullptr && EditCalls(delta);
    if (FindText(*choice, "finish_reason").empty()) return !emptied || !delta->empty();
    if (!exits_.empty()) {
      json::value& last = (*choice)["delta"];
      if (!last.is_object()) last = json::object();
      std::string text;
      for (Exit& exit : exits_) text += exit.text.Finish(&budget_);
      AppendContent(text, &last.get_object());
      if (!has_others_) EndAsText(choice);
    }
    return true;
  }

  // True when calls were taken out and none is left.
  bool EditCalls(json::object* delta) {
    json::array* calls = FindArray(*delta, "tool_calls");
    if (calls == nullptr) return false;
    json::array others;
    std::string text;
    for (json::value& call : *calls) {
      if (Exit* exit = ExitOf(call); exit != nullptr) {
        text += exit->text.Feed(ArgumentsOf(call));
        too_much_ |= exit->text.held() > kMaxExitBytes;
      } else {
        Renumber(&call);
        others.push_back(std::move(call));
      }
    }
    const bool emptied = others.empty() && !calls->empty();
    if (others.empty()) {
      delta->stable_erase("tool_calls");
    } else {
      has_others_ = true;
      *calls = std::move(others);
    }
    AppendContent(text, delta);
    return emptied;
  }

  struct Exit {
    uint64_t index;
    bool first;  // of those with this index
    ExitText text;
  };

  Exit* ExitOf(const json::value& call) {
    if (!call.is_object()) return nullptr;
    const bool has_index = Find(call.get_object(), "index") != nullptr;
    const uint64_t index = has_index ? FindUint(call.get_object(), "index") : last_index_;
    last_index_ = index;
    if (NameOf(call) == kExitTool) {
      too_much_ |= exits_.size() == kMaxExits;
      if (too_much_) return nullptr;
      exits_.push_back({index, LastExit(index) == nullptr, {}});
    }
    if (!NameOf(call).empty() && NameOf(call) != kExitTool) return nullptr;
    return LastExit(index);
  }

  // The last one with this index.
  Exit* LastExit(uint64_t index) {
    const auto exit = std::find_if(exits_.rbegin(), exits_.rend(), [index](const Exit& e) { return e.index == index; });
    return exit == exits_.rend() ? nullptr : &*exit;
  }

  // Clients count on indices without gaps.
  void Renumber(json::value* call) {
    if (!call->is_object() || Find(call->get_object(), "index") == nullptr) return;
    const uint64_t index = FindUint(call->get_object(), "index");
    const auto before = std::count_if(exits_.begin(), exits_.end(),
                                      [index](const Exit& exit) { return exit.first && exit.index < index; });
    call->get_object()["index"] = index - static_cast<uint64_t>(before);
  }

  std::vector<Exit> exits_;
  JsonBudget budget_;
  uint64_t last_index_ = 0;
  bool has_others_ = false;
  bool too_much_ = false;
};

std::unique_ptr<ChunkEdit> MakeToolUseEdit() {
  return std::make_unique<ExitEdit>();
}

}  // namespace

const Transformer kToolUse = {.name = "tooluse",
                              .edit_request = EditToolUseRequest,
                              .edit_response = EditToolUseResponse,
                              .edit_stream = MakeToolUseEdit};

}  // namespace ccr::proxy
