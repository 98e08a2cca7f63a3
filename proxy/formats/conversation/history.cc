#include "proxy/formats/conversation/history.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "proxy/formats/conversation/turns.h"

namespace ccr::proxy::fit {
namespace {

bool IsThinking(const Part& part) {
  return part.kind == PartKind::kThinking;
}

bool HasOwnState(Format format, const Part& part) {
  return std::any_of(part.state.begin(), part.state.end(),
                     [format](const OpaqueState& state) { return IsOwnState(format, state.kind); });
}

// Whether some was.
bool DropThinking(ModelRequest* request, absl::FunctionRef<bool(size_t message, const Part& part)> drop) {
  bool dropped = false;
  for (size_t i = 0; i < request->messages.size(); ++i) {
    std::vector<Part>& parts = request->messages[i].parts;
    const auto kept =
        std::remove_if(parts.begin(), parts.end(), [&](const Part& part) { return IsThinking(part) && drop(i, part); });
    dropped |= kept != parts.end();
    parts.erase(kept, parts.end());
  }
  return dropped;
}

bool ChatDrops(const ProviderRules& rules, bool this_turn, const Part& part) {
  if (HasOwnState(Format::kChat, part)) return false;
  if (part.text.empty()) return true;
  if (rules.reasoning == ProviderRules::History::kAll) return false;
  return rules.reasoning == ProviderRules::History::kNone || !this_turn;
}

bool DropForeign(Format format, Part* part) {
  const auto kept = std::remove_if(part->state.begin(), part->state.end(),
                                   [format](const OpaqueState& state) { return !IsOwnState(format, state.kind); });
  const bool dropped = kept != part->state.end();
  part->state.erase(kept, part->state.end());
  return dropped;
}

// Claude checks the signature of thinking; other models that speak its format need none.
bool ChecksSignatures(const ProviderRules& rules) {
  return rules.thinking == ProviderRules::Thinking::kBudget || rules.thinking == ProviderRules::Thinking::kAdaptive ||
         rules.reasoning == ProviderRules::History::kNone;
}

bool DropsInSameFormat(const ProviderRules& rules, Format format, const Part& part) {
  if (format == Format::kChat || HasOwnState(format, part)) return false;
  return !part.state.empty() || format == Format::kResponses ||
         (format == Format::kAnthropic && ChecksSignatures(rules));
}

}  // namespace

bool IsOwnState(Format format, StateKind kind) {
  switch (kind) {
    case StateKind::kAnthropicSignature:
    case StateKind::kAnthropicRedacted:
      return format == Format::kAnthropic;
    case StateKind::kGeminiSignature:
      return format == Format::kGemini;
    case StateKind::kResponsesReasoning:
      return format == Format::kResponses;
    case StateKind::kChatReasoningDetails:
    case StateKind::kChatExtraContent:
      return format == Format::kChat;
  }
  return false;
}

void FitHistory(const ProviderRules& rules, Format provider, ModelRequest* request, Notes* notes) {
  const size_t turn = TurnUnderWay(request->messages);
  const bool thinks =
      request->reasoning.mode == Reasoning::Mode::kBudget || request->reasoning.mode == Reasoning::Mode::kAdaptive;
  const bool dropped = DropThinking(request, [&](size_t message, const Part& part) {
    if (provider == Format::kChat) return ChatDrops(rules, message >= turn, part);
    if (provider == Format::kAnthropic && !thinks) return true;
    return !HasOwnState(provider, part);
  });
  if (dropped) AddNote(notes, "messages: thinking of earlier answers dropped");
  if (provider == Format::kChat && rules.reasoning_with_calls && rules.reasoning != ProviderRules::History::kNone)
    AddEmptyThinking(rules.reasoning == ProviderRules::History::kAll ? 0 : turn, request);
}

bool DropForeignState(const ProviderRules& rules, ModelRequest* request, Notes* notes) {
  const Format format = request->origin;
  bool changed = DropThinking(
      request, [&](size_t /*message*/, const Part& part) { return DropsInSameFormat(rules, format, part); });
  if (changed) {
    std::vector<Message>& messages = request->messages;
    messages.erase(std::remove_if(messages.begin(), messages.end(),
                                  [](const Message& m) { return m.role == Role::kAssistant && m.parts.empty(); }),
                   messages.end());
  }
  for (Message& message : request->messages) {
    for (Part& part : message.parts) changed |= DropForeign(format, &part);
  }
  if (changed) AddNote(notes, "messages: thinking and state of another provider's dropped");
  return changed;
}

void DropEmptyThinking(ModelRequest* request) {
  for (Message& message : request->messages)
    std::erase_if(message.parts,
                  [](const Part& part) { return IsThinking(part) && part.text.empty() && part.state.empty(); });
}

bool AddEmptyThinking(size_t turn, ModelRequest* request) {
  bool added = false;
  for (size_t i = turn; i < request->messages.size(); ++i) {
    Message& message = request->messages[i];
    if (!HasCalls(message) || std::any_of(message.parts.begin(), message.parts.end(), IsThinking)) continue;
    Part thinking;
    thinking.kind = PartKind::kThinking;
    message.parts.insert(message.parts.begin(), std::move(thinking));
    added = true;
  }
  return added;
}

bool EndsWithAssistant(const std::vector<Message>& messages) {
  const auto last = std::find_if(messages.rbegin(), messages.rend(), [](const Message& message) {
    return message.role != Role::kSystem && message.role != Role::kDeveloper && HasSubstance(message);
  });
  return last != messages.rend() && last->role == Role::kAssistant && !HasCalls(*last);
}

bool AllowsThinking(const std::vector<Message>& messages) {
  if (EndsWithAssistant(messages)) return false;
  size_t last = messages.size();
  while (last > 0 && messages[last - 1].role != Role::kAssistant) --last;
  if (last == 0 || !HasCalls(messages[last - 1])) return true;
  size_t first = last;  // of the answers of the same turn
  for (size_t i = last; i-- > 0 && (messages[i].role != Role::kUser || messages[i].continues);) {
    if (messages[i].role == Role::kAssistant) first = i;
  }
  if (first == last) return false;
  const std::vector<Part>& parts = messages[first].parts;
  return !parts.empty() && IsThinking(parts.front()) && HasOwnState(Format::kAnthropic, parts.front());
}

}  // namespace ccr::proxy::fit
