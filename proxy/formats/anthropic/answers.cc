#include "proxy/formats/anthropic/answers.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/formats/answer_id.h"
#include "proxy/formats/anthropic/errors.h"
#include "proxy/formats/anthropic/json_move.h"
#include "proxy/formats/anthropic/json_writer.h"
#include "proxy/formats/media.h"
#include "proxy/formats/openai_message.h"

namespace ccr::proxy::anthropic {
namespace {

constexpr std::array<std::pair<std::string_view, StopCause>, 7> kStopReasons = {{
    {"end_turn", StopCause::kEnd},
    {"max_tokens", StopCause::kMaxTokens},
    {"stop_sequence", StopCause::kStopSequence},
    {"tool_use", StopCause::kToolUse},
    {"refusal", StopCause::kRefusal},
    {"pause_turn", StopCause::kPause},
    {"model_context_window_exceeded", StopCause::kContext},
}};

std::string_view StopReason(const Stop& stop, const Written& written) {
  if (written.refusal) return "refusal";
  switch (stop.cause) {
    case StopCause::kRefusal:
    case StopCause::kMaxTokens:
    case StopCause::kContext:
    case StopCause::kPause:
      return std::find_if(kStopReasons.begin(), kStopReasons.end(),
                          [&](const auto& r) { return r.second == stop.cause; })
          ->first;
    default:
      if (written.tool) return "tool_use";
      return stop.cause == StopCause::kStopSequence && !stop.sequence.empty() ? "stop_sequence" : "end_turn";
  }
}

// Takes the blocks of an answer apart.
class BlockReader {
 public:
  BlockReader(ModelAnswer* answer, Notes* notes) : parts_(answer->parts), notes_(notes) {}

  void Read(json::object* block) {
    Part part;
    const std::string_view type = FindText(*block, "type");
    if (type == "text") {
      part.text = FindText(*block, "text");
      part.own = TakeOthers(block, {"type", "text"});
    } else if (type == "thinking") {
      part.kind = PartKind::kThinking;
      part.text = FindText(*block, "thinking");
      const std::string_view signature = FindText(*block, "signature");
      if (!signature.empty()) part.state.push_back(SignatureState(signature));
    } else if (type == "redacted_thinking") {
      part.kind = PartKind::kThinking;
      part.state.push_back(RedactedState(FindText(*block, "data")));
    } else if (type == "tool_use") {
      ReadCall(*block, &part);
    } else {
      part.kind = PartKind::kOther;
      part.own = TakeOthers(block, {});
    }
    parts_.push_back(std::move(part));
  }

  // Internal where an answer cannot be read.
  absl::Status status() const {
    if (const absl::Status status = arguments_.status(); !status.ok()) {
      return absl::InternalError(absl::StrCat("the upstream's answer is ", status.message()));
    }
    if (nameless_) return absl::InternalError("the upstream sent a tool call without a name");
    return absl::OkStatus();
  }

 private:
  void ReadCall(const json::object& block, Part* part) {
    part->kind = PartKind::kToolCall;
    part->id = FindText(block, "id");
    if (part->id.empty() || ids_.contains(part->id)) part->id = absl::StrCat("call_", ids_.size());
    ids_.insert(part->id);
    part->name = FindText(block, "name");
    if (part->name.empty()) nameless_ = true;
    if (const json::object* input = FindObject(block, "input"); input != nullptr) {
      AppendJson(*input, &part->text);
    } else {
      AppendJson(ToolInput(Find(block, "input"), block.storage(), &arguments_, notes_), &part->text);
    }
  }

  std::vector<Part>& parts_;
  Notes* const notes_;
  absl::flat_hash_set<std::string> ids_;
  JsonBudget arguments_;
  bool nameless_ = false;
};

// Of as much as tells answers to equal requests apart, whose ids some upstreams repeat.
uint64_t HashOf(const std::vector<Part>& parts) {
  constexpr size_t kMaxBytes = 1024;
  std::string begin;
  for (const Part& part : parts) {
    if (begin.size() < kMaxBytes) begin.append(std::string_view(part.text).substr(0, kMaxBytes));
  }
  return StableHash(begin);
}

// Writes the blocks of one answer.
class BlockWriter {
 public:
  BlockWriter(uint64_t seed, std::string* out) : seed_(seed), blocks_(out) {}

  void Write(const Part& part) {
    switch (part.kind) {
      case PartKind::kRefusal:
        written_.refusal = true;
        return WriteText(part);
      case PartKind::kThinking:
        return WriteThinking(part);
      case PartKind::kToolCall:
        return WriteCall(part);
      case PartKind::kOther:
        if (IsOwnBlock(part)) return AppendJson(part.own, blocks_.Next());
        return WriteText(part);
      case PartKind::kMedia:
        return WriteText(OmittedMark(part.media));
      default:
        return WriteText(part);
    }
  }

  void WriteText(std::string_view text) {
    Part part;
    part.text = text;
    WriteText(part);
  }

  const Written& written() const { return written_; }

 private:
  void WriteText(const Part& part) {
    if (part.text.empty()) return;
    written_.text = true;
    ObjectWriter block(blocks_.Next());
    block.Text("type", "text");
    block.Text("text", part.text);
    if (const json::array* citations = FindArray(part.own, "citations"); citations != nullptr) {
      block.Value("citations", *citations);
    }
    block.End();
  }

  void WriteThinking(const Part& part) {
    if (part.text.empty() && part.state.empty()) return;
    const WrittenState state = WriteStates(part.state);
    ObjectWriter block(blocks_.Next());
    block.Text("type", state.redacted ? "redacted_thinking" : "thinking");
    if (!state.redacted) block.Text("thinking", part.text);
    block.Text(state.redacted ? "data" : "signature", state.text);
    block.End();
  }

  void WriteCall(const Part& part) {
    const std::string id = UniqueId("toolu_", part.id, seed_, blocks_.count());
    ObjectWriter block(blocks_.Next());
    block.Text("type", "tool_use");
    block.Text("id", IdWithState(id, part.state));
    block.Text("name", part.name);
    WriteInput(part, block.Key("input"));
    block.End();
    written_.tool = true;
  }

  void WriteInput(const Part& part, std::string* out) {
    if (part.custom) {
      ObjectWriter input(out);
      input.Text("input", part.text);
      return input.End();
    }
    json::monotonic_resource memory;
    const json::value text(part.text, &memory);
    AppendJson(ToolInput(&text, &memory, &arguments_, nullptr), out);
  }

  const uint64_t seed_;
  ListWriter blocks_;
  Written written_;
  JsonBudget arguments_;
};

}  // namespace

absl::StatusOr<ModelAnswer> ReadAnswer(std::string_view body, Notes* notes) {
  json::monotonic_resource memory;
  absl::StatusOr<json::value> parsed = ParseJson(body, &memory);
  if (!parsed.ok()) return absl::InternalError(absl::StrCat("the upstream's answer is ", parsed.status().message()));
  json::object* in = parsed->if_object();
  json::array* blocks = in == nullptr ? nullptr : FindArray(*in, "content");
  if (blocks == nullptr && in != nullptr && FindObject(*in, "error") != nullptr) {
    return absl::InternalError(ReadErrorEvent(body).message);
  }
  if (blocks == nullptr) return absl::InternalError("the upstream's answer is no message: it has no content");
  ModelAnswer answer;
  answer.id = FindText(*in, "id");
  answer.model = FindText(*in, "model");
  BlockReader reader(&answer, notes);
  for (json::value& block : *blocks) {
    if (block.is_object()) reader.Read(&block.get_object());
  }
  if (const absl::Status status = reader.status(); !status.ok()) return status;
  ReadStop(*in, &answer.stop);
  UsageReader usage;
  usage.Read(*in);
  answer.usage = usage.usage();
  return answer;
}

std::string WriteAnswer(const ModelAnswer& answer, const AnswerContext& context) {
  const uint64_t seed = SeedOf(answer.id, context) ^ HashOf(answer.parts);
  std::string out;
  ObjectWriter message(&out);
  message.Text("id", UniqueId("msg_", answer.id, seed, 0));
  message.Text("type", "message");
  message.Text("role", "assistant");
  message.Text("model", context.model.empty() ? answer.model : context.model);
  message.Key("content")->append("[");
  BlockWriter blocks(seed, &out);
  for (const Part& part : answer.parts) blocks.Write(part);
  if (!blocks.written().text && !blocks.written().tool) blocks.WriteText(answer.stop.explanation);
  out += "],";
  AppendStop(answer.stop, blocks.written(), &out);
  AppendUsage(answer.usage, message.Key("usage"));
  message.End();
  return out;
}

void UsageReader::Read(const json::object& holder) {
  const json::object* usage = FindObject(holder, "usage");
  if (usage == nullptr) return;
  const std::pair<std::string_view, uint64_t*> fields[] = {{"input_tokens", &input_},
                                                           {"cache_read_input_tokens", &cache_read_},
                                                           {"cache_creation_input_tokens", &cache_creation_},
                                                           {"output_tokens", &output_}};
  for (const auto& [key, figure] : fields) {
    if (Find(*usage, key) != nullptr) *figure = FindUint(*usage, key);
  }
}

Usage UsageReader::usage() const {
  Usage usage;
  usage.input = input_ + cache_read_ + cache_creation_;
  usage.cache_read = cache_read_;
  usage.cache_written = cache_creation_;
  usage.output = output_;
  return usage;
}

void ReadStop(const json::object& holder, Stop* stop) {
  const std::string_view reason = FindText(holder, "stop_reason");
  for (const auto& [known, cause] : kStopReasons) {
    if (known == reason) stop->cause = cause;
  }
  if (stop->cause == StopCause::kStopSequence) stop->sequence = FindText(holder, "stop_sequence");
  const json::object* details = FindObject(holder, "stop_details");
  if (details != nullptr) stop->explanation = FindText(*details, "explanation");
}

OpaqueState SignatureState(std::string_view signature) {
  return {StateKind::kAnthropicSignature, std::string(signature)};
}

OpaqueState RedactedState(std::string_view data) {
  return {StateKind::kAnthropicRedacted, std::string(data)};
}

void AppendStop(const Stop& stop, const Written& written, std::string* out) {
  const std::string_view reason = StopReason(stop, written);
  out->append("\"stop_reason\":\"").append(reason).append("\",\"stop_sequence\":");
  if (reason == "stop_sequence") {
    AppendJsonString(stop.sequence, out);
  } else {
    out->append("null");
  }
}

void AppendUsage(const Usage& usage, std::string* out) {
  const uint64_t read = std::min(usage.cache_read, usage.input);
  const uint64_t written = std::min(usage.cache_written, usage.input - read);
  ObjectWriter object(out);
  object.Number("input_tokens", usage.input - read - written);
  object.Number("cache_creation_input_tokens", written);
  object.Number("cache_read_input_tokens", read);
  object.Number("output_tokens", usage.output);
  object.End();
}

// One state of Anthropic's is told as it is. All else is packed, also what a provider that is a proxy like this one has
// packed: its client must get it back with nothing taken off.
WrittenState WriteStates(const OpaqueStates& states) {
  const bool plain = states.size() == 1 && !IsPackedState(states[0].data);
  if (plain && states[0].kind == StateKind::kAnthropicSignature) return {false, states[0].data};
  if (plain && states[0].kind == StateKind::kAnthropicRedacted) return {true, states[0].data};
  return {false, PackStates(states)};
}

bool IsOwnBlock(const Part& part) {
  const std::string_view type = FindText(part.own, "type");
  return type == "server_tool_use" || type == "mcp_tool_use" || type == "container_upload" ||
         type.ends_with("_tool_result");
}

uint64_t SeedOf(std::string_view id, const AnswerContext& context) {
  return StableHash(absl::StrCat(context.id_seed, " ", context.created, " ", ToAbsl(id)));
}

}  // namespace ccr::proxy::anthropic
