// Conversations as texts to be compared, and random ones as Gemini's format can hold them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/formats/conversation/answer.h"
#include "proxy/formats/conversation/request.h"
#include "tests/proxy/formats/dice.h"

namespace ccr::proxy::gemini {

inline std::string ShowMedia(const Media& media) {
  static const std::vector<std::string> kSources = {"base64", "url", "file", "text"};
  return kSources[static_cast<size_t>(media.source)] + " " + media.type + " " + media.data + " " + media.name;
}

inline std::string ShowPart(const Part& part) {
  static const std::vector<std::string> kKinds = {"text", "thinking", "refusal", "media", "call", "result", "other"};
  std::string shown = kKinds[static_cast<size_t>(part.kind)] + "(";
  if (!part.id.empty() || !part.name.empty()) shown += part.id + " " + part.name + ": ";
  shown += part.kind == PartKind::kMedia ? ShowMedia(part.media) : part.text;
  for (const Part& one : part.content) shown += ShowPart(one);
  if (part.is_error) shown += " error";
  if (part.custom) shown += " custom";
  if (!part.own.empty()) shown += " own " + ToJson(part.own);
  shown += ")";
  for (const OpaqueState& state : part.state) {
    shown += "[" + std::to_string(static_cast<int>(state.kind)) + " " + state.data + "]";
  }
  return shown;
}

inline std::string ShowParts(const std::vector<Part>& parts) {
  std::string shown;
  for (const Part& part : parts) shown += (shown.empty() ? "" : "\n") + ShowPart(part);
  return shown;
}

inline std::string ShowMessages(const ModelRequest& request) {
  static const std::vector<std::string> kRoles = {"system", "developer", "user", "assistant", "tool"};
  std::string shown;
  for (const Message& message : request.messages) {
    shown += (shown.empty() ? "" : "\n") + kRoles[static_cast<size_t>(message.role)] + (message.continues ? "+" : "");
    for (const Part& part : message.parts) shown += "\n  " + ShowPart(part);
  }
  return shown;
}

inline std::string ShowTools(const ModelRequest& request) {
  std::string shown;
  for (const Tool& tool : request.tools) {
    shown += std::to_string(static_cast<int>(tool.kind)) + " " + tool.name + " " + tool.description + " " +
             ToJson(tool.parameters) + " " + ToJson(tool.own) + "\n";
  }
  return shown;
}

template <typename Number>
std::string ShowNumber(const std::optional<Number>& number) {
  return number ? ToJson(json::value(*number)) + " " : "- ";
}

inline std::string ShowSettings(const ModelRequest& request) {
  std::string shown = "choice " + std::to_string(static_cast<int>(request.tool_choice.kind)) + request.tool_choice.name;
  for (const std::string& name : request.tool_choice.allowed) shown += "," + name;
  const Reasoning& reasoning = request.reasoning;
  shown += "\nreasoning " + std::to_string(static_cast<int>(reasoning.mode)) + " " + ShowNumber(reasoning.budget) +
           reasoning.effort + (reasoning.include_text ? " shown" : "");
  const Sampling& sampling = request.sampling;
  shown += "\nsampling " + ShowNumber(sampling.temperature) + ShowNumber(sampling.top_p) + ShowNumber(sampling.top_k) +
           ShowNumber(sampling.seed) + ShowNumber(sampling.presence_penalty) + ShowNumber(sampling.frequency_penalty) +
           ShowNumber(request.max_tokens);
  for (const std::string& stop : request.stop) shown += "\nstop " + stop;
  shown += "\noutput " + std::to_string(static_cast<int>(request.output.kind)) + " " + ToJson(request.output.schema);
  return shown + "\nown " + ToJson(request.own);
}

inline std::string ShowRequest(const ModelRequest& request) {
  return ShowMessages(request) + "\n" + ShowTools(request) + ShowSettings(request);
}

inline std::string ShowAnswer(const ModelAnswer& answer) {
  const Usage& usage = answer.usage;
  std::string shown = answer.id + " " + answer.model + "\n" + ShowParts(answer.parts) + "\nstop " +
                      std::to_string(static_cast<int>(answer.stop.cause)) + " " + answer.stop.explanation + "\nusage";
  for (const uint64_t count : {usage.input, usage.cache_read, usage.cache_written, usage.output, usage.reasoning}) {
    shown += " " + std::to_string(count);
  }
  return shown;
}

// Makes parts and requests that reading gives back as they are: no two plain texts of the model's in a row, which are
// one, and so on.
class GeminiConversationMaker {
 public:
  explicit GeminiConversationMaker(Dice* dice) : dice_(*dice) {}

  // Parts of the model's: with calls, which `calls` gets.
  std::vector<Part> ModelParts(std::vector<Part>* calls) {
    std::vector<Part> parts;
    while (parts.empty() || !dice_.OneIn(3)) {
      Part part = ModelPart();
      if (!parts.empty() && Joins(parts.back(), part)) continue;
      if (part.kind == PartKind::kToolCall && calls != nullptr) {
        Part& call = calls->emplace_back();
        call.id = part.id;
        call.name = part.name;
      }
      parts.push_back(std::move(part));
    }
    return parts;
  }

  ModelRequest Request() {
    ModelRequest request;
    request.origin = Format::kGemini;
    if (dice_.OneIn(2)) {
      Message& system = request.messages.emplace_back();
      system.role = Role::kSystem;
      system.parts.push_back(Text());
    }
    for (size_t turns = 1 + dice_.Below(3); turns > 0; --turns) {
      User(&request);
      if (dice_.OneIn(3) && turns == 1) break;
      std::vector<Part> calls;
      Message& model = request.messages.emplace_back();
      model.role = Role::kAssistant;
      model.parts = ModelParts(&calls);
      if (!calls.empty()) Results(calls, &request);
    }
    if (request.messages.back().role == Role::kAssistant) User(&request);
    Tools(&request);
    Settings(&request);
    return request;
  }

 private:
  static bool Joins(const Part& last, const Part& next) {
    if (last.kind != PartKind::kText && last.kind != PartKind::kThinking) return false;
    return last.state.empty() && (last.kind == next.kind || (next.kind == PartKind::kThinking && next.text.empty()));
  }

  Part Text() {
    Part part;
    part.text = dice_.Words();
    return part;
  }

  void Sign(Part* part) {
    if (dice_.OneIn(2)) return;
    static const std::vector<OpaqueState> kStates = {
        {StateKind::kGeminiSignature, "a+/b"},
        {StateKind::kAnthropicSignature, "sig"},
        {StateKind::kResponsesReasoning, R"({"id":"rs_1","encrypted_content":"x"})"}};
    part->state.push_back(dice_.Pick(kStates));
    if (dice_.OneIn(4)) part->state.push_back({StateKind::kChatExtraContent, "{}"});
  }

  Part ModelPart() {
    Part part = Text();
    switch (dice_.Below(6)) {
      case 0:
        part.kind = PartKind::kThinking;
        Sign(&part);
        if (!part.state.empty() && dice_.OneIn(3)) part.text.clear();
        return part;
      case 1:
      case 2:
        part.kind = PartKind::kToolCall;
        part.name = "tool_" + std::to_string(dice_.Below(3));
        part.id = "id-" + std::to_string(next_++);
        part.text = ToJson(RandomObject(dice_));
        Sign(&part);
        return part;
      case 3:
        part.kind = PartKind::kMedia;
        part.text.clear();
        part.media = {Media::Source::kBase64, "image/png", "aGk=", "", ""};
        return part;
      default:
        Sign(&part);
        return part;
    }
  }

  void User(ModelRequest* request) {
    Message& user = request->messages.emplace_back();
    user.role = Role::kUser;
    for (size_t n = 1 + dice_.Below(3); n > 0; --n) user.parts.push_back(Text());
    if (!dice_.OneIn(3)) return;
    Part& media = user.parts.emplace_back();
    media.kind = PartKind::kMedia;
    media.media = dice_.OneIn(2) ? Media{Media::Source::kUrl, "application/pdf", "https://x.org/a", "a.pdf", ""}
                                 : Media{Media::Source::kBase64, "image/gif", "aGk=", "", ""};
  }

  void Results(const std::vector<Part>& calls, ModelRequest* request) {
    Message& message = request->messages.emplace_back();
    message.role = Role::kTool;
    for (const Part& call : calls) {
      Part& result = message.parts.emplace_back();
      result.kind = PartKind::kToolResult;
      result.id = call.id;
      result.name = call.name;
      result.is_error = dice_.OneIn(4);
      if (!dice_.OneIn(4)) result.content.push_back(Text());
      if (!dice_.OneIn(4)) continue;
      Part& media = result.content.emplace_back();
      media.kind = PartKind::kMedia;
      media.media = {Media::Source::kBase64, "image/png", "aGk=", "", ""};
    }
  }

  void Tools(ModelRequest* request) {
    for (size_t n = dice_.Below(3); n > 0; --n) {
      Tool& tool = request->tools.emplace_back();
      tool.name = "tool_" + std::to_string(n);
      tool.description = dice_.OneIn(2) ? dice_.Words() : "";
      if (dice_.OneIn(2)) continue;
      tool.parameters = {{"type", "object"}, {"properties", {{"a", {{"type", "string"}}}}}};
      tool.own["parametersJsonSchema"] = nullptr;
    }
    if (request->tools.empty()) return;
    ToolChoice& choice = request->tool_choice;
    choice.kind = static_cast<ToolChoice::Kind>(dice_.Below(5));
    if (choice.kind == ToolChoice::Kind::kTool) choice.name = request->tools[0].name;
  }

  void Settings(ModelRequest* request) {
    Sampling& sampling = request->sampling;
    if (dice_.OneIn(2)) sampling.temperature = static_cast<double>(dice_.Below(20)) / 8;
    if (dice_.OneIn(2)) sampling.top_k = 1 + static_cast<int64_t>(dice_.Below(100));
    if (dice_.OneIn(2)) sampling.seed = static_cast<int64_t>(dice_.Below(100)) - 50;
    if (dice_.OneIn(2)) sampling.presence_penalty = 0.5;
    if (dice_.OneIn(2)) request->max_tokens = 1 + dice_.Below(1000);
    if (dice_.OneIn(3)) request->stop = {dice_.Words(), "x"};
    if (dice_.OneIn(3)) request->own["safetySettings"] = json::array{json::object{{"category", "c"}}};
    request->reasoning.include_text = dice_.OneIn(2);
    if (dice_.OneIn(2)) request->reasoning.effort = dice_.OneIn(2) ? "low" : "high";
    if (!dice_.OneIn(3)) return;
    request->output.kind = OutputFormat::Kind::kJson;
  }

  Dice& dice_;
  size_t next_ = 0;
};

}  // namespace ccr::proxy::gemini
