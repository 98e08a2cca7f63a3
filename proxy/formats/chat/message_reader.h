// The messages of a request of Chat Completions.
#pragma once

#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "proxy/formats/chat/common.h"
#include "proxy/formats/translation.h"

namespace ccr::proxy::chat {

// Takes the messages one by one; what they hold is moved out of them. Not thread-safe.
class MessageReader {
 public:
  // Both must outlive this.
  MessageReader(Notes* notes, std::vector<Message>* messages) : notes_(notes), messages_(messages) {}

  // InvalidArgument when the role is unknown, ResourceExhausted when the arguments of all calls are more than a
  // JsonBudget.
  absl::Status Add(json::object* given);

 private:
  void AddMessage(Role role, json::object* given);
  void AddResult(std::string_view role, json::object* given);

  void ReadThinking(json::object* given, Message* message);
  void ReadContent(json::object* given, std::vector<Part>* parts, json::object* own);
  void ReadPart(json::value given, std::vector<Part>* parts);
  void ReadImage(json::object* given, Part* part);
  void ReadFile(json::object* given, Part* part);
  void ReadAudio(json::object* given, Part* part);
  void ReadCalls(json::object* given, Message* message);
  void AddCall(json::value given, std::vector<Part>* parts);
  void ReadFunction(json::object function, Part* part);
  void Omit(std::string_view what, Part* part);

  Notes* const notes_;
  std::vector<Message>* const messages_;
  JsonBudget arguments_;
};

}  // namespace ccr::proxy::chat
