// The system prompt and the messages of a request.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "proxy/formats/anthropic/content_writer.h"
#include "proxy/formats/anthropic/json_writer.h"
#include "proxy/formats/conversation/request.h"
#include "proxy/formats/translation.h"

namespace ccr::proxy::anthropic {

// Writes `request`, which must outlive it as `notes` and `names` must. Not thread-safe.
class MessageWriter {
 public:
  MessageWriter(const ModelRequest& request, Notes* notes, ToolNames* names)
      : request_(request), notes_(notes), names_(names), content_(request.origin == Format::kAnthropic, notes) {}

  // The blocks of the leading system text. Call it before WriteMessages.
  void WriteSystem(ListWriter* blocks);
  // The list with its brackets. ResourceExhausted when the arguments of all calls are more than a JsonBudget.
  absl::Status WriteMessages(std::string* out);
  // The name of a tool as it is written.
  std::string ToolName(std::string_view name) const;
  // The functions that were called, each once, by their names in the request.
  const std::vector<std::string>& called() const { return called_; }

 private:
  bool Joins(std::string_view role, const Message& message) const;
  bool SaysAnything(const Message& message) const;
  void BeginMessage(std::string_view role, const Message* message);
  void EndMessage();
  void WriteMessage(const Message& message);
  void WritePart(const Part& part, ContentWriter::Place place);
  void WriteThinking(const Part& part);
  void WriteThinkingBlock(const Part& part, std::string_view signature);
  void WriteCall(const Part& part);
  void WriteInput(const Part& call, std::string* out);
  void WriteResult(const Part& part);
  void WriteResultContent(const Part& part, ObjectWriter* block);
  const Part* LastText(const Message& message) const;
  void WriteLastText(const Part& part);
  std::string UniqueId(std::string_view given_id);

  const ModelRequest& request_;
  Notes* const notes_;
  ToolNames* const names_;
  ContentWriter content_;
  JsonBudget arguments_;
  size_t leading_ = 0;  // messages of the system prompt
  std::vector<std::string> called_;
  absl::flat_hash_set<std::string> called_names_;        // the same
  absl::flat_hash_set<std::string> ids_;                 // of all calls
  absl::flat_hash_map<std::string, std::string> known_;  // what the id of the conversation's last such call became
  absl::flat_hash_map<std::string, int> next_numbers_;   // by id: the first that may be free behind it

  std::string* out_ = nullptr;
  ListWriter messages_{nullptr};
  // The message that is being written: its role, empty for none, and the first of those that it is made of.
  std::string_view role_;
  const Message* first_ = nullptr;
  ListWriter blocks_{nullptr};
};

}  // namespace ccr::proxy::anthropic
