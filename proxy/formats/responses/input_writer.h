// Writes the conversation of a request: `instructions` and `input`.
#pragma once

#include <string>
#include <string_view>

#include "absl/container/flat_hash_set.h"
#include "proxy/formats/conversation/request.h"
#include "proxy/formats/responses/writing.h"
#include "proxy/formats/translation.h"

namespace ccr::proxy::responses {

class InputWriter {
 public:
  InputWriter(const ModelRequest& request, ToolNames* names, Notes* notes, std::string* out)
      : same_(request.origin == Format::kResponses), request_(request), names_(names), notes_(notes), out_(out) {}

  // ,"instructions":...,"input":[...]
  void Write();

 private:
  void WriteMessage(const Message& message, JsonList* items);
  void WriteAssistant(const Message& message, JsonList* items);
  // The texts from `first` on that stand in one item of the assistant; returns where the next item begins.
  size_t WriteSaid(const Message& message, size_t first, JsonList* items);
  void WriteThinking(const Part& part, JsonList* items);
  void WriteCall(const Part& part, JsonList* items);
  void WriteResult(const Part& part, JsonList* items);
  void WriteOutput(const Part& part);
  void WritePart(const Part& part, std::string_view text_type, JsonList* parts);
  void WriteMedia(const Media& media);
  void WriteFile(const Media& media);
  void WriteText(std::string_view type, std::string_view text);
  void AppendOwn(const json::object& own, std::initializer_list<std::string_view> skipped);

  const bool same_;  // the request was read from this format, so its own members are ours
  const ModelRequest& request_;
  ToolNames* const names_;
  Notes* const notes_;
  std::string* const out_;
  absl::flat_hash_set<std::string> custom_calls_;  // their ids
};

}  // namespace ccr::proxy::responses
