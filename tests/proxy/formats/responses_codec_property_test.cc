// Reading what was written in OpenAI's Responses format gives the same conversation and the same answer.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/formats/answer_id.h"
#include "proxy/formats/responses/codec.h"
#include "proxy/formats/sse.h"
#include "tests/proxy/formats/dice.h"

namespace ccr::proxy {
namespace {

// Conversations as Fit leaves them, of what this format can say.
class ConversationMaker {
 public:
  explicit ConversationMaker(Dice& dice) : dice_(dice) {}

  ModelRequest Request() {
    ModelRequest request;
    request.origin = Format::kResponses;
    if (dice_.OneIn(2)) Add(&request, Role::kSystem).push_back(Text());
    for (size_t turns = 1 + dice_.Below(4); turns > 0; --turns) Turn(&request);
    for (size_t n = dice_.Below(4); n > 0; --n) request.tools.push_back(RandomTool(n));
    if (!request.tools.empty()) Choose(&request);
    if (dice_.OneIn(2)) request.reasoning.effort = "high";
    if (dice_.OneIn(2)) request.sampling.temperature = 0.7;
    if (dice_.OneIn(2)) request.max_tokens = 16 + dice_.Below(1000);
    if (dice_.OneIn(2)) request.cache_key = dice_.Words();
    if (dice_.OneIn(2)) request.stream = true;
    if (dice_.OneIn(3)) request.output.kind = OutputFormat::Kind::kJson;
    return request;
  }

  ModelAnswer Answer() {
    ModelAnswer answer;
    answer.id = dice_.OneIn(2) ? "resp_1" : "";
    answer.model = "m";
    answer.parts = Said();
    const bool called = std::any_of(answer.parts.begin(), answer.parts.end(),
                                    [](const Part& part) { return part.kind == PartKind::kToolCall; });
    answer.stop.cause = dice_.OneIn(4) ? StopCause::kMaxTokens : called ? StopCause::kToolUse : StopCause::kEnd;
    answer.usage = {dice_.Below(1000), dice_.Below(10), dice_.Below(10), dice_.Below(1000), dice_.Below(10)};
    return answer;
  }

 private:
  std::vector<Part>& Add(ModelRequest* request, Role role) {
    return request->messages.emplace_back(Message{.role = role}).parts;
  }

  void Turn(ModelRequest* request) {
    std::vector<Part>& user = Add(request, dice_.OneIn(6) ? Role::kDeveloper : Role::kUser);
    for (size_t n = 1 + dice_.Below(3); n > 0; --n) user.push_back(dice_.OneIn(4) ? Picture() : Text());
    Add(request, Role::kAssistant) = Said();
    if (request->messages.back().parts.empty()) request->messages.back().parts.push_back(Text());
    std::vector<Part> results;
    for (const Part& part : request->messages.back().parts) {
      if (part.kind != PartKind::kToolCall) continue;
      Part& result = results.emplace_back();
      result.kind = PartKind::kToolResult;
      result.id = part.id;
      result.custom = part.custom;
      for (size_t n = dice_.Below(3); n > 0; --n) result.content.push_back(dice_.OneIn(4) ? Picture() : Text());
    }
    if (!results.empty()) Add(request, Role::kTool) = std::move(results);
  }

  std::vector<Part> Said() {
    std::vector<Part> parts;
    for (size_t n = dice_.Below(5); n > 0; --n) {
      Part part = Text();
      switch (dice_.Below(4)) {
        case 0:
          part.kind = PartKind::kThinking;
          part.state = dice_.OneIn(2)
                           ? OpaqueStates{{StateKind::kAnthropicSignature, dice_.Words()}}
                           : OpaqueStates{{StateKind::kResponsesReasoning, R"({"id":"rs_1","encrypted_content":"E"})"}};
          break;
        case 1:
          part.kind = PartKind::kToolCall;
          part.custom = dice_.OneIn(3);
          part.id = "call_" + std::to_string(++calls_);
          part.name = "tool" + std::to_string(dice_.Below(3));
          if (dice_.OneIn(3)) part.state = {{StateKind::kGeminiSignature, "QUJD"}};
          break;
        default:
          break;
      }
      parts.push_back(std::move(part));
    }
    return parts;
  }

  Part Text() {
    Part part;
    part.text = dice_.Words();
    return part;
  }

  Part Picture() {
    Part part;
    part.kind = PartKind::kMedia;
    part.media = dice_.OneIn(2) ? Media{Media::Source::kBase64, "image/png", "QQ==", "", "low"}
                                : Media{Media::Source::kBase64, "application/pdf", "QQ==", "f.pdf", ""};
    return part;
  }

  Tool RandomTool(size_t n) {
    Tool tool;
    tool.name = "tool" + std::to_string(n);
    tool.description = dice_.Words();
    if (dice_.OneIn(3)) {
      tool.kind = Tool::Kind::kCustom;
      return tool;
    }
    tool.parameters = json::object({{"type", "object"}, {"properties", RandomObject(dice_)}});
    if (dice_.OneIn(2)) tool.strict = dice_.OneIn(2);
    if (dice_.OneIn(3)) {
      tool.group = "mcp__x__";
      tool.name_in_group = tool.name;
      tool.name = "mcp__x__" + tool.name_in_group;
    }
    return tool;
  }

  void Choose(ModelRequest* request) {
    ToolChoice& choice = request->tool_choice;
    if (dice_.OneIn(2)) choice.parallel = dice_.OneIn(2);
    choice.kind = static_cast<ToolChoice::Kind>(dice_.Below(5));
    if (choice.kind == ToolChoice::Kind::kTool) choice.name = request->tools[0].name;
    if (choice.kind == ToolChoice::Kind::kAny && dice_.OneIn(2)) choice.allowed = {request->tools[0].name};
  }

  Dice& dice_;
  size_t calls_ = 0;
};

// All of a part that this format can say. Thinking of others does not go to a provider, and a call's state does not.
std::string Told(const Part& part, bool sent) {
  std::string told = std::to_string(static_cast<int>(part.kind)) + "|" + part.text + "|" + part.name + "|" +
                     std::string(UpstreamId(part.kind == PartKind::kThinking ? "" : std::string_view(part.id))) + "|" +
                     (part.custom ? "custom" : "") + "|" + part.media.type + part.media.data + part.media.name +
                     part.media.detail + std::to_string(static_cast<int>(part.media.source));
  for (const OpaqueState& state : part.state) {
    if (!sent || state.kind == StateKind::kResponsesReasoning) told += "+" + state.data;
  }
  for (const Part& content : part.content) told += "{" + Told(content, sent) + "}";
  return told + "\n";
}

std::string Told(const ModelRequest& request) {
  std::string told = request.cache_key + request.reasoning.effort + (request.stream ? "s" : "") +
                     std::to_string(request.max_tokens.value_or(0)) +
                     std::to_string(request.sampling.temperature.value_or(0)) +
                     std::to_string(static_cast<int>(request.output.kind)) + "\n";
  for (const Message& message : request.messages) {
    std::string parts;
    for (const Part& part : message.parts) {
      const bool lost =
          part.kind == PartKind::kThinking && FindState(part.state, StateKind::kResponsesReasoning) == nullptr;
      if (!lost) parts += Told(part, /*sent=*/true);
    }
    if (!parts.empty()) told += "role " + std::to_string(static_cast<int>(message.role)) + "\n" + parts;
  }
  for (const Tool& tool : request.tools) {
    told += std::to_string(static_cast<int>(tool.kind)) + tool.name + "/" + tool.group + "/" + tool.name_in_group +
            tool.description + ToJson(tool.parameters) + (tool.strict ? (*tool.strict ? "t" : "f") : "-") + "\n";
  }
  const ToolChoice& choice = request.tool_choice;
  told += std::to_string(static_cast<int>(choice.kind)) + choice.name +
          (choice.parallel ? (*choice.parallel ? "t" : "f") : "-");
  for (const std::string& name : choice.allowed) told += "," + name;
  return told;
}

// Texts beside one another are one message.
std::string Told(const ModelAnswer& answer) {
  std::string told = std::to_string(static_cast<int>(answer.stop.cause)) + " " + std::to_string(answer.usage.input) +
                     " " + std::to_string(answer.usage.cache_read) + " " + std::to_string(answer.usage.output) + "\n";
  std::vector<Part> parts;
  for (const Part& part : answer.parts) {
    const bool text = part.kind == PartKind::kText || part.kind == PartKind::kRefusal;
    if (text && !parts.empty() && parts.back().kind == part.kind) {
      parts.back().text += part.text;
    } else {
      parts.push_back(part);
    }
  }
  for (const Part& part : parts) told += Told(part, /*sent=*/false);
  return told;
}

TEST(ResponsesProperty, ARequestIsReadAsItWasWritten) {
  const uint64_t first = FirstSeed();
  for (uint64_t seed = first; seed < first + Rounds(200); ++seed) {
    SCOPED_TRACE("CCR_SEED=" + std::to_string(seed));
    Dice dice(seed);
    const ModelRequest request = ConversationMaker(dice).Request();
    Notes notes;
    const absl::StatusOr<WrittenRequest> written = responses::Codec().WriteRequest(request, "m", &notes);
    ASSERT_TRUE(written.ok());
    const absl::StatusOr<ModelRequest> read = responses::Codec().ReadRequest(written->body, &notes);
    ASSERT_TRUE(read.ok()) << read.status();
    ASSERT_EQ(Told(*read), Told(request)) << written->body;
  }
}

// Puts anything into some places.
void Spoil(json::value* value, Dice& dice) {
  if (dice.OneIn(12)) {
    *value = RandomJson(dice);
  } else if (value->is_object()) {
    for (auto& member : value->get_object()) Spoil(&member.value(), dice);
  } else if (value->is_array()) {
    for (json::value& element : value->get_array()) Spoil(&element, dice);
  }
}

TEST(ResponsesProperty, AnythingIsReadOrRefused) {
  const uint64_t first = FirstSeed();
  for (uint64_t seed = first; seed < first + Rounds(300); ++seed) {
    SCOPED_TRACE("CCR_SEED=" + std::to_string(seed));
    Dice dice(seed);
    Notes notes;
    json::value body =
        *ParseJson(responses::Codec().WriteRequest(ConversationMaker(dice).Request(), "m", &notes)->body);
    Spoil(&body, dice);
    absl::StatusOr<ModelRequest> request = responses::Codec().ReadRequest(ToJson(body), &notes);
    EXPECT_TRUE(request.ok() || request.status().code() == absl::StatusCode::kInvalidArgument) << request.status();
    if (request.ok()) {
      for (const Format origin : {Format::kResponses, Format::kChat}) {
        request->origin = origin;
        const std::string written = responses::Codec().WriteRequest(*request, "m", &notes)->body;
        ASSERT_TRUE(ParseJson(written).ok()) << written;
      }
    }
    AnswerContext context;
    context.custom_tools = {"tool1"};
    std::string stream, again;
    std::unique_ptr<StreamWriter> writer = responses::Codec().WriteStream(context);
    writer->WriteTo(&stream);
    Replay(ConversationMaker(dice).Answer(), writer.get());
    std::string spoiled;
    SseParser().Feed(stream, [&](const SseEvent& event) {
      json::value data = *ParseJson(event.data);
      if (dice.OneIn(3)) Spoil(&data, dice);
      AppendSseEvent("", ToJson(data), &spoiled);
    });
    writer = responses::Codec().WriteStream(context);
    writer->WriteTo(&again);
    const std::unique_ptr<StreamReader> reader = responses::Codec().ReadStream();
    reader->Feed(spoiled, writer.get());
    reader->Finish(dice.OneIn(2), writer.get());
    const bool ended = again.find("response.completed") != again.npos ||
                       again.find("response.incomplete") != again.npos || again.find("response.failed") != again.npos;
    ASSERT_TRUE(ended) << spoiled;
  }
}

TEST(ResponsesProperty, AnAnswerIsReadAsItWasWritten) {
  const uint64_t first = FirstSeed();
  for (uint64_t seed = first; seed < first + Rounds(200); ++seed) {
    SCOPED_TRACE("CCR_SEED=" + std::to_string(seed));
    Dice dice(seed);
    const ModelAnswer answer = ConversationMaker(dice).Answer();
    AnswerContext context;
    context.id_seed = seed;
    Notes notes;
    const std::string body = responses::Codec().WriteAnswer(answer, context);
    const absl::StatusOr<ModelAnswer> read = responses::Codec().ReadAnswer(body, &notes);
    ASSERT_TRUE(read.ok()) << read.status();
    ASSERT_EQ(Told(*read), Told(answer)) << body;
  }
}

TEST(ResponsesProperty, AStreamIsReadAsItWasWritten) {
  const uint64_t first = FirstSeed();
  for (uint64_t seed = first; seed < first + Rounds(200); ++seed) {
    SCOPED_TRACE("CCR_SEED=" + std::to_string(seed));
    Dice dice(seed);
    const ModelAnswer answer = ConversationMaker(dice).Answer();
    AnswerContext context;
    context.id_seed = seed;
    std::string stream;
    const std::unique_ptr<StreamWriter> writer = responses::Codec().WriteStream(context);
    writer->WriteTo(&stream);
    Replay(answer, writer.get());
    AnswerCollector collector;
    const std::unique_ptr<StreamReader> reader = responses::Codec().ReadStream();
    const size_t most = dice.OneIn(3) ? 1 : 1 + dice.Below(500);
    for (std::string_view rest = stream; !rest.empty();) {
      const size_t size = std::min(rest.size(), 1 + dice.Below(most));
      reader->Feed(rest.substr(0, size), &collector);
      rest.remove_prefix(size);
    }
    reader->Finish(/*cut=*/false, &collector);
    ASSERT_TRUE(collector.ended());
    ASSERT_EQ(Told(collector.Take()), Told(answer)) << stream;
  }
}

}  // namespace
}  // namespace ccr::proxy
