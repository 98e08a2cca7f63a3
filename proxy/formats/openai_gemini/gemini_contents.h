// OpenAI's messages as Gemini's systemInstruction and contents; openai_gemini.h holds the table.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "proxy/formats/call_index.h"
#include "proxy/formats/json_util.h"
#include "proxy/formats/translation.h"

namespace ccr::proxy {

// Takes the messages one by one. What it builds holds to Gemini's rules: no content is empty, the first is the user's,
// and the functionCalls of a model's content are answered by the next content, which holds one functionResponse for
// each, in their order, and nothing else. Not thread-safe.
class GeminiContents {
 public:
  // `notes` and `names`, which takes the tools that got other names, must outlive this.
  GeminiContents(json::storage_ptr storage, Notes* notes, ToolNames* names);

  // InvalidArgument when the role is unknown, ResourceExhausted when the arguments of all calls are more than a
  // JsonBudget.
  absl::Status Add(const json::object& message);
  // No more messages. Call it once, before what follows.
  void Finish();
  // Newer models refuse a functionCall without a signature where it is the first one of a step of the turn that is
  // under way. Those that never had one, of another provider's model, get the value that Google documents for them.
  void SignForeignCalls();

  json::array TakeSystem() { return std::move(system_); }  // parts
  json::array TakeContents() { return std::move(contents_); }

 private:
  enum class Role { kNone, kUser, kModel };
  struct Call {
    std::string name;
    std::string id;                     // Gemini's own, may be empty
    std::optional<std::string> answer;  // the text of the tool's message
  };

  void Switch(Role role);
  void CloseTurn();
  void AnswerCalls();
  void ForgetCalls();
  void Push(std::string_view role, json::array parts);

  void AddSystem(const json::object& message);
  void AddModel(const json::object& message);
  void AddCall(std::string_view given_id, const json::object& function, std::string_view signature);
  void AddResult(const json::object& message, bool by_name);
  Call* FindOpenCall(std::string_view key, bool by_name);

  // The parts of a message's content; `media` false where Gemini takes text only.
  void AppendContent(const json::object& message, bool media, json::array* parts);
  void AppendPart(const json::object& part, bool media, json::array* parts);
  void AppendUrl(std::string_view url, std::string_view what, json::array* parts);
  void AppendAudio(const json::object& part, json::array* parts);
  void AppendText(std::string_view text, json::array* parts);
  void AppendOmitted(std::string_view what, json::array* parts);

  const json::storage_ptr storage_;
  Notes* const notes_;
  ToolNames* const names_;
  JsonBudget arguments_;
  json::array system_;
  json::array contents_;
  // The turn that is being built.
  Role role_ = Role::kNone;
  json::array parts_;
  std::vector<Call> calls_;  // of the model's last turn
  CallIndex calls_by_id_;    // the client's, without the signature
  CallIndex calls_by_name_;
};

}  // namespace ccr::proxy
