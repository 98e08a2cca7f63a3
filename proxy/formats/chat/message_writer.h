// The messages of a ModelRequest as those of Chat Completions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proxy/formats/chat/common.h"
#include "proxy/formats/translation.h"

namespace ccr::proxy::chat {

// Appends one element of "messages" for each message; a message of results is one for each result, and media of theirs
// go to the user's message behind. Not thread-safe.
class MessageWriter {
 public:
  // All must outlive this. `names` takes the tools that got shorter names.
  MessageWriter(const ModelRequest& request, Notes* notes, ToolNames* names)
      : request_(request), own_(request.origin == Format::kChat), notes_(notes), names_(names) {}

  void Write(std::string* out);
  std::string ToolName(std::string_view name);

 private:
  // Texts and, where there is more than that, parts: the content of one message.
  class Content;
  // What of a message's content comes from results of tools before it.
  struct Extra {
    std::string id;  // of the call
    const Part* media;
  };

  void WriteMessage(const Message& message, ListWriter* list);
  void WriteUser(const Message* message, ListWriter* list);
  void WriteAssistant(const Message& message, ListWriter* list);
  void WriteResults(const Message& message, ListWriter* list);
  void WriteResult(const Part& result, ListWriter* list);
  void WriteContent(const Message& message, const Content& content, ObjectWriter* object);
  void WriteThinking(const Message& message, ObjectWriter* object);
  void WriteCalls(const Message& message, ObjectWriter* object);
  void WriteCall(const Part& call, std::string* out);
  void WriteFunction(const Part& call, std::string_view text, std::string* out);
  void WriteOwn(const json::object& own, ObjectWriter* object);

  void AddPart(const Part& part, Content* content);
  void AddMedia(const Part& part, Content* content);
  void AddDocument(const Part& part, Content* content);
  void AddFile(const Part& part, std::string_view fallback, Content* content);
  void AddOther(const Part& part, Content* content);
  void AddOmitted(std::string_view what, Content* content);
  bool IsCustom(const Part& call) const { return call.custom && own_; }

  const ModelRequest& request_;
  const bool own_;  // the request was of this format
  Notes* const notes_;
  ToolNames* const names_;
  std::vector<Extra> extras_;
};

}  // namespace ccr::proxy::chat
