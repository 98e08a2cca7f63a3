// Conversations in few words, for the tests of what is done with them.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/formats/conversation/request.h"

namespace ccr::proxy::in_words {

inline Part Text(std::string_view text) {
  Part part;
  part.text = text;
  return part;
}

inline Part Think(std::string_view text, OpaqueStates state = {}) {
  Part part = Text(text);
  part.kind = PartKind::kThinking;
  part.state = std::move(state);
  return part;
}

inline Part Signed(std::string_view text) {
  return Think(text, {{StateKind::kAnthropicSignature, "sig"}});
}

inline Part Call(std::string_view id, std::string_view name = "A", std::string_view arguments = "{}") {
  Part part = Text(arguments);
  part.kind = PartKind::kToolCall;
  part.id = id;
  part.name = name;
  return part;
}

inline Part Result(std::string_view id, std::vector<Part> content, bool is_error = false) {
  Part part;
  part.kind = PartKind::kToolResult;
  part.id = id;
  part.content = std::move(content);
  part.is_error = is_error;
  return part;
}

inline Part Result(std::string_view id, std::string_view text) {
  return Result(id, std::vector<Part>{Text(text)});
}

inline Part Image() {
  Part part;
  part.kind = PartKind::kMedia;
  part.media.type = "image/png";
  part.media.data = "AAAA";
  return part;
}

inline Message Say(Role role, std::vector<Part> parts, bool continues = false) {
  Message message;
  message.role = role;
  message.continues = continues;
  message.parts = std::move(parts);
  return message;
}

inline Message Say(Role role, std::string_view text) {
  return Say(role, std::vector<Part>{Text(text)});
}

// A request moves and is not assigned to, so it is filled.
inline void Add(ModelRequest* request, std::vector<Message> messages) {
  for (Message& message : messages) request->messages.push_back(std::move(message));
}

inline std::string Show(const Part& part) {
  switch (part.kind) {
    case PartKind::kText:
      return part.text;
    case PartKind::kThinking:
      return "~" + part.text + (part.state.empty() ? "" : "!");
    case PartKind::kRefusal:
      return "-" + part.text;
    case PartKind::kMedia:
      return "<" + part.media.type + ">";
    case PartKind::kToolCall:
      return part.name + "#" + part.id;
    case PartKind::kToolResult: {
      std::string text = part.name + "#" + part.id + (part.is_error ? "!=" : "=");
      for (const Part& inner : part.content) text += (&inner == part.content.data() ? "" : "+") + Show(inner);
      return text;
    }
    case PartKind::kOther:
      return "?" + part.text;
  }
  return {};
}

// "user(hi) assistant(A#1) tool(A#1=x)"; "user+" is a message that continues the one before.
inline std::string Show(const ModelRequest& request) {
  std::string all;
  for (const Message& message : request.messages) {
    static const std::vector<std::string> kRoles = {"system", "developer", "user", "assistant", "tool"};
    all += (all.empty() ? "" : " ") + kRoles[static_cast<size_t>(message.role)] + (message.continues ? "+(" : "(");
    for (const Part& part : message.parts) all += (&part == message.parts.data() ? "" : ", ") + Show(part);
    all += ")";
  }
  return all;
}

}  // namespace ccr::proxy::in_words
