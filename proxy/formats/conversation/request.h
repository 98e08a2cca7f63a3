// One request of a conversation with a model, as any of the formats can say it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/core/routing_table.h"
#include "proxy/formats/conversation/state.h"
#include "proxy/formats/json_util.h"

namespace ccr::proxy {

// A picture, a document, a sound or a film.
struct Media {
  enum class Source { kBase64, kUrl, kFileId, kText };

  Source source = Source::kBase64;
  std::string type;    // of its content, "image/png"; where the format only says "an image": "image/*"; may be empty
  std::string data;    // base64, the URL, the provider's id or the text
  std::string name;    // file name or title; may be empty
  std::string detail;  // OpenAI's image detail; may be empty

  bool operator==(const Media&) const = default;
};

enum class PartKind {
  kText,
  kThinking,  // may have no text but only state
  kRefusal,
  kMedia,
  kToolCall,
  kToolResult,
  kOther,  // what only its own format knows, whole in `own`: a server tool's call and result, a citation block
};

struct Part {
  PartKind kind = PartKind::kText;
  // kText, kThinking, kRefusal: the text. kToolCall: the arguments as JSON text as the client or model wrote it, which
  // may be empty or no JSON; of a custom tool its input as it is. kOther: what may stand in its place elsewhere.
  std::string text;
  Media media;                // kMedia
  std::string id;             // kToolCall, kToolResult: without what it carried (state.h), may be empty
  std::string name;           // kToolCall; kToolResult where the format says it
  bool custom = false;        // a tool whose input is a text, not JSON (kToolCall, kToolResult)
  bool is_error = false;      // kToolResult
  std::vector<Part> content;  // kToolResult: kText, kMedia, kOther
  OpaqueStates state;
  json::value cache_control;  // Anthropic's; null for none. OpenAI-format clients write it too
  // Members that this model has no place for, of the format the request was read from: written back by that format
  // alone. kOther: the whole part.
  json::object own;
};

enum class Role {
  kSystem,
  kDeveloper,  // as OpenAI's; elsewhere kSystem
  kUser,
  kAssistant,
  kTool,  // results of tools and nothing else. What a format puts into the user's message is a message of its own
};

struct Message {
  Role role = Role::kUser;
  // It is of the same message of the client's as the one before (a user's text beside tool results): no new turn.
  bool continues = false;
  std::vector<Part> parts;
  json::object own;  // as Part::own
};

struct Tool {
  enum class Kind {
    kFunction,
    kCustom,     // takes a text (OpenAI's "custom"); its grammar is in `own`
    kWebSearch,  // the provider's own search: every format has one; the client's wording is in `own`
    kOther,      // of its own format alone, whole in `own`: computer use, code execution, bash_..., MCP
  };

  Kind kind = Kind::kFunction;
  std::string name;
  // Where the client's format has groups of tools (Responses' namespaces): the group and the tool's name in it. `name`
  // is then one that says both, which calls and results in the history have too.
  std::string group, name_in_group;
  std::string description;
  json::value parameters;  // JSON Schema; null where there is none
  std::optional<bool> strict;
  json::value cache_control;  // null for none
  bool deferred = false;      // the model is not told of it until a result of a tool names it (defer_loading)
  json::object own;           // as Part::own
};

struct ToolChoice {
  enum class Kind { kUnset, kAuto, kNone, kAny, kTool };

  Kind kind = Kind::kUnset;
  std::string name;                  // kTool
  std::vector<std::string> allowed;  // OpenAI's allowed_tools, Gemini's allowedFunctionNames; empty: all
  std::optional<bool> parallel;      // more than one call in an answer
};

struct Reasoning {
  // How the client asks for it. kOff is said by the client, kUnset is the provider's own default.
  enum class Mode { kUnset, kOff, kAdaptive, kBudget };

  Mode mode = Mode::kUnset;
  std::optional<uint64_t> budget;  // tokens, kBudget
  // "minimal", "low", "medium", "high", "xhigh", "max"; empty: not said. A client may say an effort with any mode; kOff
  // wins over it.
  std::string effort;
  std::string summary;             // Responses' reasoning.summary; empty: not said
  bool include_text = false;       // Gemini's includeThoughts, Responses' summary: the client wants to see it
  bool include_encrypted = false;  // Responses' include: ["reasoning.encrypted_content"]
};

struct OutputFormat {
  enum class Kind { kText, kJson, kJsonSchema };

  Kind kind = Kind::kText;
  std::string name;
  std::string description;
  json::value schema;  // kJsonSchema
  std::optional<bool> strict;
};

struct Sampling {
  std::optional<double> temperature, top_p, presence_penalty, frequency_penalty;
  std::optional<int64_t> top_k, seed;
};

// Not thread-safe. Moves, does not copy: its JSON lives in `memory`.
struct ModelRequest {
  ModelRequest() = default;
  ModelRequest(ModelRequest&&) = default;
  ModelRequest& operator=(ModelRequest&&) = delete;

  // First member: outlives what lies in it. All JSON values of the request are made with it.
  json::storage_ptr memory = json::make_shared_resource<json::monotonic_resource>();

  Format origin = Format::kChat;  // which format `own` members are of
  std::string model;              // as the body says it; empty where the URL does
  // System text first is a message of role kSystem in front; system text later stands in its place.
  std::vector<Message> messages;
  std::vector<Tool> tools;
  ToolChoice tool_choice;
  Reasoning reasoning;
  Sampling sampling;
  std::vector<std::string> stop;
  OutputFormat output;
  std::optional<uint64_t> max_tokens;
  bool stream = false;
  bool include_usage = false;  // of a stream: OpenAI's stream_options.include_usage; other formats always have it
  std::string user;            // metadata.user_id, user, safety_identifier
  std::string cache_key;       // prompt_cache_key
  json::object own;            // as Part::own: members of the body that are read nowhere else
  // Members of the provider's own that Fit() sets: every writer writes them at the top of the body, where it has written
  // no member of that name.
  json::object extra;
};

}  // namespace ccr::proxy
