#include "proxy/formats/conversation/system_text.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "proxy/formats/conversation/turns.h"
#include "proxy/formats/openai_message.h"

namespace ccr::proxy::fit {
namespace {

bool IsSystem(const Message& message) {
  return message.role == Role::kSystem || message.role == Role::kDeveloper;
}

// Empty where it says nothing.
std::vector<Part> AsUserText(Message* system) {
  std::string text;
  Part folded;
  for (Part& part : system->parts) {
    if (IsBlank(part.text)) continue;
    text.append(text.empty() ? "" : "\n").append(part.text);
    if (!part.cache_control.is_null()) folded.cache_control = std::move(part.cache_control);
  }
  if (text.empty()) return {};
  folded.text = "<system>\n" + text + "\n</system>";
  std::vector<Part> parts;
  parts.push_back(std::move(folded));
  return parts;
}

// Moves the messages to where they stay; system text that has no place yet waits for one.
class Folding {
 public:
  void Add(Message message) {
    if (IsSystem(message)) return AddSystem(std::move(message));
    if (message.role == Role::kUser) {
      Place();
      if (joins_next_) return JoinUser(std::move(message));
    } else if (message.role == Role::kAssistant) {
      Place();
    }
    joins_next_ = false;
    started_ = true;
    out_.push_back(std::move(message));
  }

  std::vector<Message> Take() {
    Place();
    return std::move(out_);
  }

 private:
  void AddSystem(Message message) {
    if (started_) return AppendParts(AsUserText(&message), &waiting_);
    if (out_.empty()) return out_.push_back(std::move(message));
    AppendParts(std::move(message.parts), &out_.front().parts);
  }

  // To the user's text before it, else in front of what the user says next, else as a message of its own.
  void Place() {
    if (waiting_.empty()) return;
    Message& last = out_.back();
    if (last.role == Role::kUser) {
      AppendParts(std::exchange(waiting_, {}), &last.parts);
      return;
    }
    Message message;
    message.continues = last.role == Role::kTool || HasCalls(last);
    message.parts = std::exchange(waiting_, {});
    out_.push_back(std::move(message));
    joins_next_ = true;
  }

  void JoinUser(Message message) {
    Message& folded = out_.back();
    folded.continues = folded.continues && message.continues;
    folded.own = std::move(message.own);
    AppendParts(std::move(message.parts), &folded.parts);
    joins_next_ = false;
  }

  std::vector<Message> out_;
  std::vector<Part> waiting_;
  bool started_ = false;     // something that is no system text came
  bool joins_next_ = false;  // the last message is system text alone
};

// Whether system text stands in front only, in one message.
bool IsFirstOnly(const std::vector<Message>& messages) {
  return messages.empty() || std::none_of(messages.begin() + 1, messages.end(), IsSystem);
}

}  // namespace

bool LowerDevelopers(ModelRequest* request) {
  bool changed = false;
  for (Message& message : request->messages) {
    if (message.role != Role::kDeveloper) continue;
    message.role = Role::kSystem;
    changed = true;
  }
  return changed;
}

bool FoldSystem(ModelRequest* request, Notes* notes) {
  if (IsFirstOnly(request->messages)) return false;
  const auto front = std::find_if_not(request->messages.begin(), request->messages.end(), IsSystem);
  if (std::any_of(front, request->messages.end(), IsSystem))
    AddNote(notes, "messages: a system message behind others became the user's text");
  Folding folding;
  for (Message& message : request->messages) folding.Add(std::move(message));
  request->messages = folding.Take();
  return true;
}

}  // namespace ccr::proxy::fit
