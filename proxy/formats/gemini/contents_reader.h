// The contents of a client of Gemini's as messages; codec.h holds the table.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "proxy/formats/call_index.h"
#include "proxy/formats/conversation/request.h"
#include "proxy/formats/translation.h"

namespace ccr::proxy::gemini {

// Takes the contents one by one and moves what they hold into the request. Not thread-safe.
class ContentsReader {
 public:
  // Both must outlive this.
  ContentsReader(ModelRequest* request, Notes* notes) : request_(*request), notes_(notes) {}

  // The `number`th of the contents. InvalidArgument where it is none, with its number in the message.
  absl::Status Add(json::value* content, size_t number);
  // The system's: text or a content.
  void AddSystem(json::value* content);

 private:
  struct Call {
    std::string id;
    bool answered = false;
  };

  void AddPart(Role role, json::value* part);
  void AddPlain(Role role, json::object* part);
  void AddCall(json::object* part);
  void AddResult(json::object* part);
  // `signs`: nothing but the signature of what came before.
  void Put(Role role, Part part, bool signs = false);
  std::string IdOfResult(std::string_view id, std::string_view name);

  ModelRequest& request_;
  Notes* const notes_;
  // The content that is being read.
  bool begun_ = false;           // a message of it is there
  json::object* own_ = nullptr;  // its unknown members, for the first of its messages
  // Of the model's last turn.
  std::vector<Call> calls_;
  CallIndex calls_by_id_;
  CallIndex calls_by_name_;
  size_t made_up_ = 0;
};

}  // namespace ccr::proxy::gemini
