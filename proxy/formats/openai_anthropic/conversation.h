// The turns of an OpenAI conversation, in the order and shape that Anthropic accepts.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "proxy/formats/call_index.h"
#include "proxy/formats/json_util.h"
#include "proxy/formats/translation.h"

namespace ccr::proxy {

// One call of a message of the assistant.
struct GivenCall {
  std::string_view id;           // as the client gave it; may be empty
  const json::object* function;  // with a name, and arguments or input
};

// Takes the messages one by one. What it builds holds to Anthropic's rules: roles alternate and begin with the user; no
// message is empty; each tool_use has a unique id and its tool_result at the front of the next message.
// Not thread-safe.
class Conversation {
 public:
  // `notes` may be null and must outlive this.
  Conversation(json::storage_ptr storage, Notes* notes);

  // InvalidArgument when the role is unknown, ResourceExhausted when the arguments of all calls are more than a
  // JsonBudget.
  absl::Status Add(const json::object& message);
  // No more messages. Call it once, before what follows.
  void Finish();

  json::array TakeSystem() { return std::move(system_); }
  json::array TakeMessages() { return std::move(messages_); }
  // The functions that were called, each once.
  const std::vector<std::string>& called() const { return called_; }
  // Thinking is refused while tool results are answered, and behind a last message of the assistant.
  bool allows_thinking() const { return allows_thinking_; }

 private:
  enum class Role { kNone, kUser, kAssistant };
  struct Call {
    std::string id;
    bool answered = false;
  };

  void AddSystem(const json::object& message);
  void AddAssistant(const json::object& message);
  void AddCall(const GivenCall& given);
  void AddResult(const json::object& message, bool by_name);
  Call* FindOpenCall(std::string_view key, bool by_name);
  std::string UniqueId(std::string_view given_id);

  void Switch(Role role);
  void CloseTurn();
  void AnswerOpenCalls();
  void TrimLastAssistant();

  json::storage_ptr storage_;
  Notes* notes_;
  JsonBudget arguments_;
  json::array system_;
  json::array messages_;
  std::vector<std::string> called_;
  absl::flat_hash_set<std::string> called_names_;       // the same
  absl::flat_hash_set<std::string> ids_;                // of all calls
  absl::flat_hash_map<std::string, int> next_numbers_;  // by id: the first that may be free behind it
  bool allows_thinking_ = true;

  // The turn that is being built.
  Role role_ = Role::kNone;
  json::array results_;      // a user's tool_results; they go first
  json::array content_;      // the rest
  std::vector<Call> calls_;  // of the assistant's last turn
  CallIndex calls_by_id_;    // the client's
  CallIndex calls_by_name_;
};

}  // namespace ccr::proxy
