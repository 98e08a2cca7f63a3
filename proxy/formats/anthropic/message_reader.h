// The system prompt and the messages of a request.
#pragma once

#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "proxy/formats/conversation/request.h"
#include "proxy/formats/json_util.h"
#include "proxy/formats/translation.h"

namespace ccr::proxy::anthropic {

// Reads them in order into `request`, which must outlive it as `notes` must; takes what it needs out of the JSON.
class MessageReader {
 public:
  MessageReader(ModelRequest* request, Notes* notes) : request_(*request), notes_(notes) {}

  // A text or an array of text blocks. Nothing is added where there is no text.
  absl::Status ReadSystem(json::value* content);
  // InvalidArgument says what is wrong with it.
  absl::Status ReadMessage(json::value* message);

 private:
  absl::Status ReadUser(json::object* message, json::value* content);
  absl::Status ReadAssistant(json::object* message, json::value* content);
  absl::Status ReadAssistantBlock(json::object* block, Message* message);
  absl::Status ReadToolUse(json::object* block, Message* message);
  absl::Status ReadToolResult(json::object* block, Message* message);

  ModelRequest& request_;
  Notes* const notes_;
  // Of the assistant's last turn, by the ids as the client has them, without state: those that calls have without our
  // mark, unless two of the turn would be alike.
  absl::flat_hash_map<std::string, std::string> ids_;
  absl::flat_hash_set<std::string> taken_;
  bool after_assistant_ = false;
};

}  // namespace ccr::proxy::anthropic
