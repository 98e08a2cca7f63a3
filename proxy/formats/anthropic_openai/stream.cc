#include "proxy/formats/anthropic_openai/stream.h"

#include <algorithm>
#include <boost/json/monotonic_resource.hpp>
#include <utility>

#include "broker/base/absl_text.h"
#include "proxy/formats/answer_id.h"

namespace ccr::proxy {
namespace {

constexpr size_t kMaxSeedBytes = 1024;

}  // namespace

void OpenAiToAnthropicStream::Feed(std::string_view bytes, std::string* out) {
  if (writer_.over()) return;
  writer_.WriteTo(out);
  if (!parser_.Feed(bytes, [this](const SseEvent& event) { OnEvent(event); })) {
    Fail(500, "an event of the upstream's stream is too large");
  }
}

void OpenAiToAnthropicStream::Finish(bool cut, std::string* out) {
  if (writer_.over()) return;
  writer_.WriteTo(out);
  if (!cut) parser_.Finish([this](const SseEvent& event) { OnEvent(event); });
  if (!end_.finish_reason.empty()) End();
  Fail(500, writer_.started() ? "the upstream's stream broke off" : "the upstream ended its stream without an answer");
}

void OpenAiToAnthropicStream::OnEvent(const SseEvent& event) {
  if (writer_.over() || event.data.empty()) return;
  if (event.data == "[DONE]") return End();
  unsigned char buffer[8192];
  json::monotonic_resource memory(buffer, sizeof buffer);
  const absl::StatusOr<json::value> chunk = ParseJson(event.data, &memory);
  if (!chunk.ok() || !chunk->is_object()) return Fail(500, "the upstream sent a chunk that is no JSON object");
  if (event.type == "error" || Find(chunk->get_object(), "error") != nullptr) {
    const UpstreamError error = ReadUpstreamError(*chunk, 500);
    return Fail(error.status, error.message);
  }
  OnChunk(chunk->get_object(), event.data);
}

void OpenAiToAnthropicStream::OnChunk(const json::object& chunk, std::string_view data) {
  if (const json::object* usage = FindObject(chunk, "usage"); usage != nullptr) usage_ = ReadOpenAiUsage(*usage);
  if (!writer_.started()) {
    seed_ = StableHash(std::to_string(request_seed_).append(data.substr(0, kMaxSeedBytes)));
    writer_.Start(UniqueId("msg_", FindText(chunk, "id"), seed_, 0), model_.empty() ? FindText(chunk, "model") : model_,
                  usage_);
  }
  const json::array* choices = FindArray(chunk, "choices");
  if (choices == nullptr) return;
  for (const json::value& choice : *choices) {
    if (choice.is_object() && FindUint(choice.get_object(), "index") == 0) {
      OnChoice(choice.get_object());
    } else {
      AddNote(&notes_, "choices: all behind the first dropped");
    }
  }
}

void OpenAiToAnthropicStream::OnChoice(const json::object& choice) {
  const json::object* delta = FindObject(choice, "delta");
  if (delta == nullptr) delta = FindObject(choice, "message");
  if (delta != nullptr) {
    NoteUnread(*delta, &notes_);
    ReadContent(*delta, [this](ContentKind kind, std::string_view text) {
      if (kind == ContentKind::kRefusal) end_.refused = true;
      OnContent(kind == ContentKind::kThinking ? Block::kThinking : Block::kText, text);
    });
    OnToolCalls(*delta);
  }
  ReadChoiceEnd(choice, &end_);
  if (const auto error = ReadChoiceError(choice)) return Fail(error->status, error->message);
  Pump();
}

void OpenAiToAnthropicStream::OnContent(Block kind, std::string_view text) {
  if (segments_.empty() || segments_.back().kind != kind) segments_.push_back({.kind = kind, .held = {}});
  Hold(text, &segments_.back());
}

void OpenAiToAnthropicStream::OnToolCalls(const json::object& delta) {
  static const json::object& none = *new json::object();
  if (const json::array* calls = FindArray(delta, "tool_calls"); calls != nullptr) {
    for (const json::value& element : *calls) {
      const json::object* call = element.if_object();
      if (call == nullptr) continue;
      std::optional<uint64_t> index;
      if (Find(*call, "index") != nullptr) index = FindUint(*call, "index");
      const json::object* function = FindObject(*call, "function");
      OnToolCall(index, FindText(*call, "id"), function == nullptr ? none : *function);
    }
  }
  if (const json::object* function = FindObject(delta, "function_call"); function != nullptr) {
    OnToolCall(0, {}, *function);
  }
}

void OpenAiToAnthropicStream::OnToolCall(std::optional<uint64_t> index, std::string_view id,
                                         const json::object& function) {
  const std::string_view name = FindText(function, "name");
  const std::string arguments = ReadArguments(function);
  ToolCall* call = FindCall(index, id, name, !arguments.empty());
  if (call == nullptr) {
    if (id.empty() && name.empty() && arguments.empty()) return;
    if (tools_.size() == kMaxToolCalls) return Fail(500, "the upstream sent too many tool calls");
    call = AddCall(index);
  }
  const auto tool = static_cast<size_t>(call - tools_.data());
  NameCall(id, name, tool);
  AddArguments(tool, arguments);
}

OpenAiToAnthropicStream::ToolCall* OpenAiToAnthropicStream::AddCall(std::optional<uint64_t> index) {
  const size_t tool = tools_.size();
  ToolCall& call = tools_.emplace_back();
  call.index = index;
  call.segment = segments_written_ + segments_.size();
  segments_.push_back({.kind = Block::kTool, .tool = tool, .held = {}});
  if (index) last_tool_by_index_[*index] = tool;
  return &call;
}

void OpenAiToAnthropicStream::NameCall(std::string_view id, std::string_view name, size_t tool) {
  ToolCall& call = tools_[tool];
  if (call.id.empty() && !id.empty()) {
    call.id = id;
    held_bytes_ += 2 * id.size();
    size_t& last = last_tool_by_id_.try_emplace(call.id, tool).first->second;
    last = std::max(last, tool);
  }
  if (call.name.empty()) {
    call.name = name;
    held_bytes_ += name.size();
  }
}

// Some upstreams give every call the index 0, or none: then a new id with a name, or a name with arguments behind
// complete ones, begins a call.
OpenAiToAnthropicStream::ToolCall* OpenAiToAnthropicStream::FindCall(std::optional<uint64_t> index, std::string_view id,
                                                                     std::string_view name, bool has_arguments) {
  ToolCall* const found = LastCall(index, id, name);
  if (found == nullptr) return nullptr;
  const bool other_id = !id.empty() && !found->id.empty() && id != found->id && !name.empty();
  const bool begins_anew =
      id.empty() && found->id.empty() && found->arguments.closed() && !name.empty() && has_arguments;
  return other_id || begins_anew ? nullptr : found;
}

OpenAiToAnthropicStream::ToolCall* OpenAiToAnthropicStream::LastCall(std::optional<uint64_t> index, std::string_view id,
                                                                     std::string_view name) {
  if (index) {
    const auto last = last_tool_by_index_.find(*index);
    return last == last_tool_by_index_.end() ? nullptr : &tools_[last->second];
  }
  if (id.empty()) return name.empty() && !tools_.empty() ? &tools_.back() : nullptr;
  const auto last = last_tool_by_id_.find(ToAbsl(id));
  return last == last_tool_by_id_.end() ? nullptr : &tools_[last->second];
}

void OpenAiToAnthropicStream::AddArguments(size_t tool, std::string_view arguments) {
  const size_t used = tools_[tool].arguments.Feed(arguments);
  if (used < arguments.size()) AddNote(&notes_, "tool_calls.arguments: what follows complete ones dropped");
  arguments = arguments.substr(0, used);
  const size_t segment = tools_[tool].segment;
  if (segment >= segments_written_) Hold(arguments, &segments_[segment - segments_written_]);
}

void OpenAiToAnthropicStream::Hold(std::string_view text, Segment* segment) {
  segment->held += text;
  held_bytes_ += text.size();
  Pump();
  if (held_bytes_ + segments_.size() * sizeof(Segment) <= kMaxHeldBytes) return;
  Fail(500, "the upstream interleaves more than can be held");
}

void OpenAiToAnthropicStream::Pump() {
  while (!segments_.empty() && Open(&segments_.front())) {
    Segment& segment = segments_.front();
    if (!segment.held.empty()) writer_.Delta(segment.held);
    held_bytes_ -= segment.held.size();
    segment.held.clear();
    if (!IsComplete(segment)) return;
    writer_.Close();
    segments_.pop_front();
    ++segments_written_;
  }
}

bool OpenAiToAnthropicStream::Open(Segment* segment) {
  if (segment->open) return true;
  if (segment->kind != Block::kTool) {
    writer_.Open(segment->kind);
  } else {
    const ToolCall& call = tools_[segment->tool];
    if (call.name.empty()) return false;
    if (call.id.empty() && !IsComplete(*segment)) return false;
    writer_.OpenTool(UniqueId("toolu_", call.id, seed_, segment->tool), call.name);
  }
  return segment->open = true;
}

bool OpenAiToAnthropicStream::IsComplete(const Segment& segment) const {
  if (ending_) return true;
  if (segment.kind == Block::kTool) return tools_[segment.tool].arguments.closed();
  return segments_.size() > 1;
}

void OpenAiToAnthropicStream::End() {
  if (!writer_.started()) return Fail(500, "the upstream ended its stream without an answer");
  ending_ = true;
  Pump();
  if (!segments_.empty()) return Fail(500, "the upstream sent a tool call without a name");
  end_.has_tools = writer_.wrote_tool();
  writer_.End(end_, usage_);
}

}  // namespace ccr::proxy
