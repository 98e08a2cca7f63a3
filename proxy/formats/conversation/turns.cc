#include "proxy/formats/conversation/turns.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "proxy/formats/call_index.h"
#include "proxy/formats/conversation/call_ids.h"
#include "proxy/formats/openai_message.h"

namespace ccr::proxy::fit {
namespace {

bool IsBlankPart(const Part& part) {
  switch (part.kind) {
    case PartKind::kText:
    case PartKind::kRefusal:
      return IsBlank(part.text);
    case PartKind::kThinking:
      return IsBlank(part.text) && part.state.empty();
    default:
      return false;
  }
}

// A cache mark stays: it is for all that stands before it.
void DropBlanks(std::vector<Part>* parts) {
  for (size_t i = 1; i < parts->size(); ++i) {
    Part& part = (*parts)[i];
    if (!part.cache_control.is_null() && IsBlankPart(part) && (*parts)[i - 1].cache_control.is_null())
      (*parts)[i - 1].cache_control = std::move(part.cache_control);
  }
  parts->erase(std::remove_if(parts->begin(), parts->end(), IsBlankPart), parts->end());
}

bool IsOfCalls(const Part& part) {
  return part.kind == PartKind::kToolCall || part.kind == PartKind::kToolResult;
}

bool SaysSomething(const Part& part) {
  switch (part.kind) {
    case PartKind::kMedia:
    case PartKind::kToolCall:
    case PartKind::kToolResult:
      return true;
    case PartKind::kThinking:
      return false;
    default:
      return !IsBlank(part.text);
  }
}

Part TextPart(std::string_view text) {
  Part part;
  part.text = text;
  return part;
}

void Join(Message from, Message* to) {
  to->continues = to->continues && from.continues;
  AppendParts(std::move(from.parts), &to->parts);
}

// Takes the messages one by one. A step is a message of the assistant, the results of its calls and what the user says
// to them; it ends where the assistant speaks again.
class Order {
 public:
  Order(const ProviderRules& rules, Format provider, bool needs_user, Notes* notes)
      : provider_(provider), needs_user_(needs_user), notes_(notes), ids_(rules, provider) {}

  void Add(Message message) {
    DropBlanks(&message.parts);
    if (message.role == Role::kAssistant) return AddAssistant(std::move(message));
    if (message.role == Role::kSystem || message.role == Role::kDeveloper) return AddSystem(std::move(message));
    AddUser(std::move(message));
  }

  std::vector<Message> Take() {
    CloseStep();
    BeginWithUser();
    if (out_.empty()) PushFiller();  // no format takes none at all
    return std::move(out_);
  }

 private:
  struct Call {
    std::string id, name;
    bool custom = false;
    std::optional<Part> result;
  };

  void AddSystem(Message message) {
    std::vector<Part>& parts = message.parts;
    parts.erase(std::remove_if(parts.begin(), parts.end(), IsOfCalls), parts.end());
    if (HasSubstance(message)) behind_.push_back(std::move(message));
  }

  void AddAssistant(Message message) {
    if (heard_ || !behind_.empty()) CloseStep();
    std::vector<Part> results;
    Message kept;
    kept.own = std::move(message.own);
    for (Part& part : message.parts) {
      if (part.kind == PartKind::kToolResult) {
        results.push_back(std::move(part));
        continue;
      }
      if (part.kind == PartKind::kToolCall) AddCall(&part);
      kept.parts.push_back(std::move(part));
    }
    kept.role = Role::kAssistant;
    if (assistant_) {
      Join(std::move(kept), &*assistant_);
    } else {
      assistant_ = std::move(kept);
    }
    for (Part& part : results) AddResult(std::move(part));
  }

  void AddCall(Part* part) {
    by_id_.Add(part->id, calls_.size());
    by_name_.Add(part->name, calls_.size());
    std::string id = ids_.Make(part->id);
    if (id != part->id) AddNote(notes_, "tool_calls.id: changed to a valid and unique one");
    part->id = std::move(id);
    calls_.push_back({part->id, part->name, part->custom, std::nullopt});
  }

  // The user's, or a tool's.
  void AddUser(Message message) {
    heard_ = true;
    Message said;
    said.continues = message.continues || message.role == Role::kTool;
    said.own = std::move(message.own);
    for (Part& part : message.parts) {
      if (part.kind == PartKind::kToolCall) {
        AddNote(notes_, "messages: a call that is not the assistant's was dropped");
      } else if (part.kind == PartKind::kToolResult) {
        AddResult(std::move(part));
      } else {
        said.parts.push_back(std::move(part));
      }
    }
    if (HasSubstance(said)) behind_.push_back(std::move(said));
  }

  void AddResult(Part part) {
    heard_ = true;
    DropBlanks(&part.content);
    if (Call* call = FindOpen(part); call != nullptr) {
      part.id = call->id;
      part.name = call->name;
      part.custom = call->custom;
      call->result = std::move(part);
      return;
    }
    AddNote(notes_, "messages: a tool result without its call became the user's text");
    Message said;
    said.continues = true;
    said.parts = std::move(part.content);
    if (part.is_error) {
      const auto text =
          std::find_if(said.parts.begin(), said.parts.end(), [](const Part& p) { return p.kind == PartKind::kText; });
      if (text != said.parts.end()) text->text.insert(0, "Error: ");
    }
    if (HasSubstance(said)) behind_.push_back(std::move(said));
  }

  Call* FindOpen(const Part& result) {
    const auto open = [this](size_t call) { return !calls_[call].result; };
    const size_t found = result.id.empty() ? by_name_.Find(result.name, open) : by_id_.Find(result.id, open);
    return found == CallIndex::kNone ? nullptr : &calls_[found];
  }

  void CloseStep() {
    CloseAssistant();
    AnswerCalls();
    bool user = !out_.empty() && out_.back().role == Role::kTool;
    for (Message& message : behind_) {
      user |= message.role == Role::kUser;
      Push(std::move(message));
    }
    behind_.clear();
    if (heard_ && !user && !out_.empty() && out_.back().role != Role::kUser) PushFiller();
    heard_ = false;
  }

  void CloseAssistant() {
    if (assistant_ && HasSubstance(*assistant_)) {
      BeginWithUser();
      Push(std::move(*assistant_));
    } else if (assistant_) {
      AddNote(notes_, "messages: an empty assistant message was dropped");
    }
    assistant_.reset();
  }

  void AnswerCalls() {
    Message results;
    results.role = Role::kTool;
    for (Call& call : calls_) {
      if (!call.result) call.result = NoResult(call);
      results.parts.push_back(std::move(*call.result));
    }
    if (!calls_.empty()) out_.push_back(std::move(results));
    calls_.clear();
    by_id_.Clear();
    by_name_.Clear();
  }

  Part NoResult(const Call& call) {
    AddNote(notes_, "tool_calls: one without a result got one that says so");
    Part part;
    part.kind = PartKind::kToolResult;
    part.id = call.id;
    part.name = call.name;
    part.custom = call.custom;
    part.is_error = true;
    part.content.push_back(TextPart(provider_ == Format::kAnthropic ? "The call was not answered." : "no result"));
    return part;
  }

  void Push(Message message) {
    begun_ |= message.role == Role::kUser;
    if (!out_.empty() && out_.back().role == message.role) return Join(std::move(message), &out_.back());
    out_.push_back(std::move(message));
  }

  void BeginWithUser() {
    if (!begun_ && needs_user_) PushFiller();
  }

  void PushFiller() {
    AddNote(notes_, "messages: a short text stands where the user's message was missing or empty");
    Message message;
    message.parts.push_back(TextPart(kFiller));
    Push(std::move(message));
  }

  const Format provider_;
  const bool needs_user_;
  Notes* const notes_;
  UniqueIds ids_;
  std::vector<Message> out_;
  bool begun_ = false;  // a message of the user's is out
  // The step that is open.
  std::optional<Message> assistant_;
  std::vector<Call> calls_;
  CallIndex by_id_, by_name_;    // as the client gave them
  std::vector<Message> behind_;  // of the user and the system
  bool heard_ = false;           // the user or a tool spoke, if only emptily
};

std::string_view NameOf(const Media& media) {
  const std::string_view type = media.type;
  if (type.starts_with("image/")) return "image";
  if (type.starts_with("audio/")) return "audio";
  if (type.starts_with("video/")) return "video";
  return type == "application/pdf" || type.starts_with("text/") ? "document" : "file";
}

void Omit(Part* part, Notes* notes) {
  const std::string name(NameOf(part->media));
  AddNote(notes, name + ": dropped, a mark stands in its place");
  part->kind = PartKind::kText;
  part->text = "[" + name + " omitted]";
  part->media = {};
}

Part* LastResult(Message* message) {
  const auto last = std::find_if(message->parts.rbegin(), message->parts.rend(),
                                 [](const Part& part) { return part.kind == PartKind::kToolResult; });
  return last == message->parts.rend() ? nullptr : &*last;
}

// Media of results would have to stand in a message of the user's.
bool OmitMedia(Message* message, Notes* notes) {
  bool omitted = false;
  for (Part& result : message->parts) {
    for (Part& part : result.content) {
      if (part.kind != PartKind::kMedia) continue;
      Omit(&part, notes);
      omitted = true;
    }
  }
  return omitted;
}

}  // namespace

void AppendParts(std::vector<Part> from, std::vector<Part>* to) {
  for (Part& part : from) to->push_back(std::move(part));
}

size_t TurnUnderWay(const std::vector<Message>& messages) {
  for (size_t i = messages.size(); i-- > 0;) {
    if (messages[i].role == Role::kUser && !messages[i].continues) return i;
  }
  return 0;
}

bool HasSubstance(const Message& message) {
  return std::any_of(message.parts.begin(), message.parts.end(), SaysSomething);
}

bool HasCalls(const Message& message) {
  return message.role == Role::kAssistant &&
         std::any_of(message.parts.begin(), message.parts.end(),
                     [](const Part& part) { return part.kind == PartKind::kToolCall; });
}

void OrderTurns(const ProviderRules& rules, Format provider, bool needs_user, ModelRequest* request, Notes* notes) {
  Order order(rules, provider, needs_user, notes);
  for (Message& message : request->messages) order.Add(std::move(message));
  request->messages = order.Take();
}

bool PutUserIntoResults(ModelRequest* request, Notes* notes) {
  bool changed = false;
  std::vector<Message> out;
  for (Message& message : request->messages) {
    Part* result = message.role == Role::kUser && !out.empty() && out.back().role == Role::kTool
                       ? LastResult(&out.back())
                       : nullptr;
    if (message.role == Role::kTool) changed |= OmitMedia(&message, notes);
    if (result == nullptr) {
      out.push_back(std::move(message));
      continue;
    }
    changed = true;
    AddNote(notes, "messages: the user's text behind a tool's result went into it");
    for (Part& part : message.parts) {
      if (part.kind == PartKind::kMedia) Omit(&part, notes);
      result->content.push_back(std::move(part));
    }
  }
  request->messages = std::move(out);
  return changed;
}

bool MergeRoles(ModelRequest* request) {
  std::vector<Message> out;
  for (Message& message : request->messages) {
    const bool merges = message.role == Role::kUser || message.role == Role::kAssistant;
    if (merges && !out.empty() && out.back().role == message.role) {
      Join(std::move(message), &out.back());
    } else {
      out.push_back(std::move(message));
    }
  }
  const bool changed = out.size() != request->messages.size();
  request->messages = std::move(out);
  return changed;
}

}  // namespace ccr::proxy::fit
