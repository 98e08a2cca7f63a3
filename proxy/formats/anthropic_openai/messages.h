// Anthropic's system prompt and messages as OpenAI's messages; anthropic_openai.h holds the table.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "proxy/formats/anthropic_openai/translation.h"
#include "proxy/formats/call_index.h"
#include "proxy/formats/json_util.h"

namespace ccr::proxy {

// Builds one conversation: add in order, then take it. Messages of the same role in a row make one turn, and the tool
// messages of a user's turn stand before its text: one for each call, made up where the user sent none, while a result
// of no call is text of the user. `storage`, `notes` and `names`, which takes the tools that got
// shorter names, must outlive the builder.
class OpenAiConversation {
 public:
  OpenAiConversation(const AnthropicToOpenAiOptions& options, json::storage_ptr storage, Notes* notes,
                     ToolNames* names);

  // A text or an array of text blocks. Nothing is added where there is no text.
  absl::Status AddSystem(const json::value& content);
  // One of Anthropic's messages. InvalidArgument says what is wrong with it.
  absl::Status AddMessage(const json::value& message);
  json::array Take();
  // Names of the deferred tools that results of tools refer to: from there on the model may call them.
  const absl::flat_hash_set<std::string>& loaded_tools() const { return loaded_tools_; }

 private:
  enum class Turn { kNone, kUser, kAssistant };
  struct OpenCall {
    std::string upstream_id;  // without our mark, unless calls of one turn would be alike
    bool answered = false;
  };
  // Texts apart by a blank line. Where texts nest, the inner ones go to the same string, which is longer by all that
  // stands around them.
  class Paragraphs;

  void Open(Turn turn);
  void Close();
  void CloseAssistant();
  void AnswerOpenCalls();
  absl::Status AddBlocks(const json::value& content);
  absl::Status AddUserBlock(const json::object& block);
  absl::Status AddAssistantBlock(const json::object& block);
  absl::Status AddToolResult(const json::object& block);
  absl::Status AddToolUse(const json::object& block);
  std::string_view CallId(std::string_view id) const;
  std::string ToolName(std::string_view name) const;
  void AddAssistantText(const json::object& block);
  void AddThinking(const json::object& block);

  // What a block of the user is made of: text, its paragraphs apart by a blank line, and parts that are no text.
  void Flatten(const json::value& content, Paragraphs* text, json::array* media);
  void FlattenBlock(const json::object& block, Paragraphs* text, json::array* media);
  void FlattenDocument(const json::object& block, Paragraphs* text, json::array* media);
  json::value ImagePart(const json::object& block);

  json::value ToolContent(std::string_view text, const json::object& block);
  void AddToolMessage(std::string_view id, json::value content);
  void PushText(std::string_view text, const json::object& block);
  void KeepCacheControl(const json::object& block, json::value* part);
  json::value JoinParts(json::array parts);
  json::object Message(std::string_view role, json::value content);
  void Drop(std::string_view type);

  const AnthropicToOpenAiOptions options_;
  const json::storage_ptr storage_;
  Notes* const notes_;
  ToolNames* const names_;
  json::array messages_;
  absl::flat_hash_set<std::string> loaded_tools_;
  // The open turn.
  Turn turn_ = Turn::kNone;
  json::array parts_;
  json::array tool_calls_;
  std::string reasoning_;
  std::vector<OpenCall> calls_;  // of the last assistant's turn
  CallIndex calls_by_id_;
  absl::flat_hash_set<std::string> upstream_ids_;  // of the same
  bool after_text_ = false;                        // the assistant's last block was text: the next one continues it
};

}  // namespace ccr::proxy
