// Random conversations of Anthropic's: what was written is read again as the same, and nothing that comes in makes a
// writer break the rules.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/formats/anthropic/codec.h"
#include "proxy/formats/json_util.h"
#include "tests/proxy/formats/anthropic_requests.h"
#include "tests/proxy/formats/dice.h"
#include "tests/proxy/formats/validators.h"

namespace ccr::proxy::anthropic::property_test {
namespace {

// Everything of a conversation, as text to be compared.
class Dump {
 public:
  std::string text;

  void Add(std::string_view name, std::string_view value) {
    if (!value.empty()) text.append(name).append("=").append(JsonString(value)).append(" ");
  }
  void Add(const Part& part) {
    text.append("\n  part ").append(std::to_string(static_cast<int>(part.kind))).append(" ");
    Add("text", part.text);
    Add("id", part.id);
    Add("name", part.name);
    Add("media", part.media.type + "|" + part.media.data + "|" + part.media.name);
    Add("source", std::to_string(static_cast<int>(part.media.source)));
    if (part.is_error) text += "error ";
    if (part.custom) text += "custom ";
    for (const OpaqueState& state : part.state) Add(std::to_string(static_cast<int>(state.kind)), state.data);
    Add("mark", ToJson(part.cache_control));
    AppendJson(part.own, &text);
    for (const Part& inner : part.content) Add(inner);
  }
  void Add(const Usage& usage) {
    for (const uint64_t tokens : {usage.input, usage.cache_read, usage.cache_written, usage.output, usage.reasoning})
      text += std::to_string(tokens) + " ";
  }
};

// Without what Anthropic refuses and the writer leaves out: empty messages of the assistant, white space at the end.
std::string ToText(ModelRequest request) {
  Dump dump;
  for (Message& message : request.messages) {
    if (message.role == Role::kAssistant && message.parts.empty()) continue;
    if (&message == &request.messages.back() && message.role == Role::kAssistant &&
        message.parts.back().kind == PartKind::kText) {
      message.parts.back().text.erase(message.parts.back().text.find_last_not_of(" \t\r\n\v\f") + 1);
    }
    dump.text += "\nmessage " + std::to_string(static_cast<int>(message.role)) + (message.continues ? "+" : "");
    AppendJson(message.own, &dump.text);
    for (const Part& part : message.parts) dump.Add(part);
  }
  for (const Tool& tool : request.tools) {
    dump.text += "\ntool " + std::to_string(static_cast<int>(tool.kind)) + (tool.deferred ? "deferred " : " ");
    dump.Add("name", tool.name);
    dump.Add("description", tool.description);
    dump.text += ToJson(tool.parameters) + ToJson(tool.cache_control);
    AppendJson(tool.own, &dump.text);
  }
  // Of none no more is said, nothing without tools, and a tool that is not there may not be chosen.
  ToolChoice& choice = request.tool_choice;
  const auto chosen = [&choice](const Tool& tool) { return tool.name == choice.name; };
  if (choice.kind == ToolChoice::Kind::kTool && std::none_of(request.tools.begin(), request.tools.end(), chosen)) {
    choice = {.kind = choice.parallel ? ToolChoice::Kind::kAuto : ToolChoice::Kind::kUnset,
              .name = {},
              .allowed = {},
              .parallel = choice.parallel};
  }
  if (!request.tools.empty()) {
    const bool one = choice.parallel && choice.kind != ToolChoice::Kind::kNone;
    dump.text += "\nchoice " + std::to_string(static_cast<int>(choice.kind)) + choice.name + (one ? "one" : "");
  }
  dump.text += "\nreasoning " + std::to_string(static_cast<int>(request.reasoning.mode)) +
               std::to_string(request.reasoning.budget.value_or(0)) + request.reasoning.effort +
               (request.reasoning.include_text ? "text" : "");
  dump.text += "\n" + ToJson(json::value{request.sampling.temperature.value_or(-1), request.sampling.top_p.value_or(-1),
                                         request.sampling.top_k.value_or(-1), request.max_tokens.value_or(0)});
  for (const std::string& stop : request.stop) dump.Add("stop", stop);
  dump.text += ToJson(request.output.schema) + (request.stream ? "stream" : "");
  dump.Add("user", request.user);
  AppendJson(request.own, &dump.text);
  return dump.text;
}

std::string ToText(const ModelAnswer& answer) {
  Dump dump;
  dump.Add("id", answer.id);
  dump.Add("model", answer.model);
  for (const Part& part : answer.parts) dump.Add(part);
  dump.text += "\n" + std::to_string(static_cast<int>(answer.stop.cause)) + answer.stop.sequence + " ";
  dump.Add(answer.usage);
  return dump.text;
}

ModelRequest Read(std::string_view body) {
  Notes notes;
  absl::StatusOr<ModelRequest> request = Codec().ReadRequest(body, &notes);
  EXPECT_TRUE(request.ok()) << request.status() << "\n" << body;
  return request.ok() ? *std::move(request) : ModelRequest();
}

std::string Write(const ModelRequest& request) {
  Notes notes;
  const absl::StatusOr<WrittenRequest> written = Codec().WriteRequest(request, request.model, &notes);
  EXPECT_TRUE(written.ok()) << written.status();
  return written.ok() ? written->body : std::string();
}

// Requests as clients send them, with blank texts and blocks of which nothing is known too.
TEST(AnthropicCodecProperty, WhatWasWrittenIsReadAsTheSame) {
  const uint64_t first = FirstSeed();
  for (uint64_t round = 0; round < Rounds(300); ++round) {
    SCOPED_TRACE("CCR_SEED=" + std::to_string(first + round));
    Dice dice(first + round);
    const std::string body = AnthropicRequestMaker(&dice).Make();
    const std::string once = Write(Read(body));
    EXPECT_EQ(ToText(Read(once)), ToText(Read(body))) << body;
    EXPECT_EQ(Write(Read(once)), once);
    if (testing::Test::HasFailure()) return;
  }
}

Part RandomPart(Dice& dice, size_t number) {
  Part part;
  const auto state = [&dice](StateKind kind) { return OpaqueState{kind, "c2ln" + std::to_string(dice.Below(9))}; };
  switch (dice.Below(5)) {
    case 0:
      part.kind = PartKind::kThinking;
      if (!dice.OneIn(3)) part.text = dice.Words();
      if (part.text.empty() || dice.OneIn(2)) part.state.push_back(state(StateKind::kAnthropicSignature));
      break;
    case 1:
      part.kind = PartKind::kThinking;
      part.state.push_back(state(StateKind::kAnthropicRedacted));
      break;
    case 2:
      part.kind = PartKind::kToolCall;
      part.id = "t" + std::to_string(number);
      part.name = dice.Words();
      part.text = ToJson(RandomObject(dice));
      break;
    case 3:
      part.kind = PartKind::kOther;
      part.own = {{"type", "server_tool_use"}, {"id", "s"}, {"input", RandomObject(dice)}};
      break;
    default:
      part.text = dice.Words();
  }
  return part;
}

ModelAnswer RandomAnswer(Dice& dice) {
  static const std::vector<StopCause> kCauses = {StopCause::kEnd,     StopCause::kMaxTokens, StopCause::kStopSequence,
                                                 StopCause::kRefusal, StopCause::kPause,     StopCause::kContext};
  ModelAnswer answer;
  answer.id = "msg_x";
  answer.model = dice.Words();
  for (size_t n = dice.Below(6); n > 0; --n) answer.parts.push_back(RandomPart(dice, n));
  bool calls = false;
  for (const Part& part : answer.parts) calls = calls || part.kind == PartKind::kToolCall;
  answer.stop.cause = calls ? StopCause::kToolUse : dice.Pick(kCauses);
  if (answer.stop.cause == StopCause::kStopSequence) answer.stop.sequence = dice.Words();
  answer.usage = {.input = 100 + dice.Below(99),
                  .cache_read = dice.Below(50),
                  .cache_written = dice.Below(50),
                  .output = dice.Below(999),
                  .reasoning = 0};
  return answer;
}

ModelAnswer Copy(const ModelAnswer& answer) {
  return answer;
}

// Ids come back as they were, once what a client does not see of them is taken off.
ModelAnswer Unmark(ModelAnswer answer) {
  for (Part& part : answer.parts) part.id = Unmarked(part.id);
  answer.id = Unmarked(answer.id);
  return answer;
}

TEST(AnthropicCodecProperty, AnswersComeBackAsTheyWereWholeAndInStreams) {
  const uint64_t first = FirstSeed();
  for (uint64_t round = 0; round < Rounds(300); ++round) {
    SCOPED_TRACE("CCR_SEED=" + std::to_string(first + round));
    Dice dice(first + round);
    const ModelAnswer answer = RandomAnswer(dice);
    Notes notes;
    AnthropicAnswer checked;
    const std::string body = Codec().WriteAnswer(answer, {});
    EXPECT_EQ(CheckAnthropicMessage(body, &checked), "");
    auto whole = Codec().ReadAnswer(body, &notes);
    ASSERT_TRUE(whole.ok()) << whole.status();
    EXPECT_EQ(ToText(Unmark(*std::move(whole))), ToText(answer));

    std::string stream;
    const std::unique_ptr<StreamWriter> writer = Codec().WriteStream({});
    writer->WriteTo(&stream);
    Replay(Copy(answer), writer.get());
    checked = {};
    EXPECT_EQ(CheckAnthropicStream(stream, &checked), "");
    AnswerCollector read;
    const std::unique_ptr<StreamReader> reader = Codec().ReadStream();
    std::string_view rest = stream;
    while (!rest.empty()) {
      const size_t size = std::min(rest.size(), 1 + dice.Below(dice.OneIn(3) ? 1 : 400));
      reader->Feed(rest.substr(0, size), &read);
      rest.remove_prefix(size);
    }
    reader->Finish(false, &read);
    EXPECT_TRUE(read.ended());
    EXPECT_EQ(ToText(Unmark(read.Take())), ToText(answer));
    if (testing::Test::HasFailure()) return;
  }
}

// Calls a sink in any order.
void PlayAnything(Dice& dice, StreamWriter* sink) {
  static const std::vector<PartKind> kKinds = {PartKind::kText, PartKind::kThinking, PartKind::kRefusal,
                                               PartKind::kToolCall};
  if (!dice.OneIn(10)) sink->Start("c", "m");
  for (size_t n = dice.Below(60); n > 0; --n) {
    const size_t part = dice.Below(4);
    switch (dice.Below(7)) {
      case 0:
        sink->StartPart(part, {dice.Pick(kKinds), "id", "name", dice.OneIn(3)});
        break;
      case 1:
        sink->EndPart(part);
        break;
      case 2:
        sink->AddState(part, {dice.OneIn(2) ? StateKind::kAnthropicSignature : StateKind::kGeminiSignature, "c2ln"});
        break;
      case 3:
        sink->WholePart(part, RandomPart(dice, part));
        break;
      case 4:
        if (dice.OneIn(20)) sink->Fail({});
        if (dice.OneIn(20)) sink->End({});
        break;
      default:
        sink->Delta(part, dice.OneIn(2) ? ToJson(RandomJson(dice)) : dice.Words());
    }
  }
  sink->End({});
}

TEST(AnthropicCodecProperty, NoOrderOfCallsMakesAnInvalidStream) {
  const uint64_t first = FirstSeed();
  for (uint64_t round = 0; round < Rounds(1000); ++round) {
    SCOPED_TRACE("CCR_SEED=" + std::to_string(first + round));
    Dice dice(first + round);
    std::string stream;
    const std::unique_ptr<StreamWriter> writer = Codec().WriteStream({});
    writer->WriteTo(&stream);
    PlayAnything(dice, writer.get());
    AnthropicAnswer answer;
    const std::string wrong = CheckAnthropicStream(stream, &answer);
    EXPECT_EQ(wrong, "");
    if (testing::Test::HasFailure()) return;
  }
}

// Bytes of a stream exchanged, left out and doubled.
TEST(AnthropicCodecProperty, NoBrokenStreamMakesAnInvalidOne) {
  const uint64_t first = FirstSeed();
  for (uint64_t round = 0; round < Rounds(500); ++round) {
    SCOPED_TRACE("CCR_SEED=" + std::to_string(first + round));
    Dice dice(first + round);
    std::string upstream;
    const std::unique_ptr<StreamWriter> maker = Codec().WriteStream({});
    maker->WriteTo(&upstream);
    Replay(RandomAnswer(dice), maker.get());
    for (size_t n = 1 + dice.Below(3); n > 0; --n) {
      const size_t at = dice.Below(upstream.size());
      const size_t size = dice.Below(200);
      if (dice.OneIn(2)) {
        upstream.erase(at, size);
      } else {
        upstream.insert(dice.Below(upstream.size()), upstream.substr(at, size));
      }
    }
    std::string stream;
    const std::unique_ptr<StreamWriter> writer = Codec().WriteStream({});
    writer->WriteTo(&stream);
    const std::unique_ptr<StreamReader> reader = Codec().ReadStream();
    reader->Feed(upstream, writer.get());
    reader->Finish(dice.OneIn(2), writer.get());
    AnthropicAnswer answer;
    EXPECT_EQ(CheckAnthropicStream(stream, &answer), "") << upstream;
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace ccr::proxy::anthropic::property_test
