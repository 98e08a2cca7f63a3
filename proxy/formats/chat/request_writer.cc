#include "proxy/formats/chat/request_writer.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_set.h"
#include "broker/base/absl_text.h"
#include "proxy/formats/chat/common.h"
#include "proxy/formats/chat/message_writer.h"
#include "proxy/formats/chat/tools_writer.h"

namespace ccr::proxy::chat {
namespace {

constexpr size_t kMaxStops = 4;
constexpr size_t kMaxUser = 64;
constexpr std::string_view kMaxCompletionTokens = "max_completion_tokens";

class RequestWriter {
 public:
  RequestWriter(const ModelRequest& request, Notes* notes, ToolNames* names, std::string* out)
      : request_(request),
        own_(request.origin == Format::kChat),
        notes_(notes),
        messages_(request, notes, names),
        body_(out, &keys_) {}

  void Run(std::string_view model) {
    body_.Text("model", model);
    messages_.Write(body_.Key("messages"));
    MaxTokens();
    Sampling();
    Stop();
    User();
    WriteReasoning();
    ResponseFormat();
    WriteTools(request_, &messages_, notes_, &body_);
    Stream();
    Own();
    Extra();
  }

 private:
  void MaxTokens();
  void Sampling();
  void Stop();
  void User();
  void WriteReasoning();
  void ResponseFormat();
  void Stream();
  void Own();
  void Extra();
  bool IsNull(std::string_view key) const;
  bool IsMarker(std::string_view key) const;

  const ModelRequest& request_;
  const bool own_;
  Notes* const notes_;
  MessageWriter messages_;
  absl::flat_hash_set<std::string> keys_;  // what was written
  ObjectWriter body_;
};

void RequestWriter::MaxTokens() {
  if (!request_.max_tokens) return;
  const bool completion = IsNull(kMaxCompletionTokens);
  body_.Integer(completion ? kMaxCompletionTokens : "max_tokens", static_cast<int64_t>(*request_.max_tokens));
}

void RequestWriter::Sampling() {
  const auto& sampling = request_.sampling;
  if (sampling.temperature) body_.Number("temperature", *sampling.temperature);
  if (sampling.top_p) body_.Number("top_p", *sampling.top_p);
  if (sampling.presence_penalty) body_.Number("presence_penalty", *sampling.presence_penalty);
  if (sampling.frequency_penalty) body_.Number("frequency_penalty", *sampling.frequency_penalty);
  if (sampling.top_k && own_) body_.Integer("top_k", *sampling.top_k);
  if (sampling.top_k && !own_) AddNote(notes_, "top_k: dropped");
  if (sampling.seed) body_.Integer("seed", *sampling.seed);
}

void RequestWriter::Stop() {
  if (request_.stop.empty()) return;
  if (request_.stop.size() == 1 && own_ && request_.own.contains("stop"))
    return body_.Text("stop", request_.stop.front());
  const size_t size = own_ ? request_.stop.size() : std::min(request_.stop.size(), kMaxStops);
  if (size < request_.stop.size()) AddNote(notes_, "stop_sequences: all behind the fourth dropped");
  ListWriter stop(body_.Key("stop"));
  for (size_t i = 0; i < size; ++i) AppendJsonString(request_.stop[i], stop.Next());
}

void RequestWriter::User() {
  if (!request_.user.empty() && !(own_ && FindText(request_.own, "safety_identifier") == request_.user)) {
    if (!own_ && request_.user.size() > kMaxUser) AddNote(notes_, "user: cut to 64 bytes");
    body_.Text("user", own_ ? request_.user : Utf8Prefix(request_.user, kMaxUser));
  }
  if (!request_.cache_key.empty() && own_) body_.Text("prompt_cache_key", request_.cache_key);
  if (!request_.cache_key.empty() && !own_) AddNote(notes_, "prompt_cache_key: dropped");
}

// The client's own wording is kept, but for an effort that had to change.
void RequestWriter::WriteReasoning() {
  std::string_view effort = request_.reasoning.effort;
  if (!own_ && request_.reasoning.mode == Reasoning::Mode::kOff && effort != "none") effort = {};
  const json::object* given = own_ ? FindObject(request_.own, "reasoning") : nullptr;
  if (given != nullptr && request_.extra.contains("reasoning")) given = nullptr;
  if (given == nullptr || Find(*given, "effort") == nullptr) {
    if (!effort.empty()) body_.Text("reasoning_effort", effort);
    if (given == nullptr) return;
    effort = {};
  }
  json::object reasoning = *given;
  if (request_.reasoning.mode == Reasoning::Mode::kOff && FindBool(reasoning, "enabled")) reasoning["enabled"] = false;
  if (effort.empty()) {
    reasoning.stable_erase("effort");
  } else {
    reasoning["effort"] = effort;
  }
  if (!reasoning.empty()) body_.Json("reasoning", reasoning);
}

void RequestWriter::ResponseFormat() {
  const OutputFormat& output = request_.output;
  if (output.kind == OutputFormat::Kind::kText) return;
  ObjectWriter format(body_.Key("response_format"));
  if (output.kind == OutputFormat::Kind::kJson || (output.schema.is_null() && !own_))
    return format.Text("type", "json_object");
  format.Text("type", "json_schema");
  ObjectWriter schema(format.Key("json_schema"));
  if (!output.name.empty() || !own_)
    schema.Text("name", output.name.empty() ? "response" : std::string_view(output.name));
  if (!output.description.empty()) schema.Text("description", output.description);
  if (!output.schema.is_null()) schema.Json("schema", output.schema);
  if (output.strict) schema.Bool("strict", *output.strict);
}

void RequestWriter::Stream() {
  if (!request_.stream) return;
  body_.Bool("stream", true);
  const json::object* rest = own_ ? FindObject(request_.own, "stream_options") : nullptr;
  if (!request_.include_usage && rest == nullptr) return;
  ObjectWriter options(body_.Key("stream_options"));
  if (request_.include_usage) options.Bool("include_usage", true);
  options.Members(rest);
}

bool RequestWriter::IsNull(std::string_view key) const {
  return own_ && request_.own.contains(key) && Find(request_.own, key) == nullptr;
}

// Members of `own` that were written above.
bool RequestWriter::IsMarker(std::string_view key) const {
  if (key == kMaxCompletionTokens || key == "stop") return IsNull(key);
  if (key == "reasoning" || key == "stream_options") return FindObject(request_.own, key) != nullptr;
  return false;
}

void RequestWriter::Own() {
  constexpr size_t kMaxMember = 64;
  for (const json::key_value_pair& member : request_.own) {
    const std::string_view key(member.key().data(), member.key().size());
    if (own_ && !IsMarker(key) && !request_.extra.contains(key)) body_.Json(key, member.value());
    if (!own_ && !member.value().is_null()) AddNote(notes_, Utf8Prefix(key, kMaxMember) + ": dropped");
  }
}

void RequestWriter::Extra() {
  for (const json::key_value_pair& member : request_.extra) {
    const std::string_view key(member.key().data(), member.key().size());
    if (!keys_.contains(ToAbsl(key))) body_.Json(key, member.value());
  }
}

}  // namespace

WrittenRequest WriteRequest(const ModelRequest& request, std::string_view model, Notes* notes) {
  WrittenRequest written;
  RequestWriter(request, notes, &written.tool_names, &written.body).Run(model);
  if (!written.tool_names.empty()) AddNote(notes, "tools: names longer than 64 bytes shortened");
  return written;
}

}  // namespace ccr::proxy::chat
