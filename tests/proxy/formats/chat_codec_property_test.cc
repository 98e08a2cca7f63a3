// Random conversations, answers and streams of Chat Completions. A failure prints its seed; CCR_SEED=N begins with it,
// CCR_PROPERTY_RUNS=N tries N seeds.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "proxy/formats/chat/codec.h"
#include "proxy/formats/json_util.h"
#include "tests/proxy/formats/dice.h"
#include "tests/proxy/formats/openai_requests.h"
#include "tests/proxy/formats/openai_validators.h"

namespace ccr::proxy::chat {
namespace {

uint64_t Runs(uint64_t usual) {
  const char* const runs = std::getenv("CCR_PROPERTY_RUNS");
  return runs == nullptr ? Rounds(usual) : std::strtoull(runs, nullptr, 10);
}

// ---- Conversations in the form that this format can say.

Part Said(PartKind kind, std::string text) {
  Part part;
  part.kind = kind;
  part.text = std::move(text);
  return part;
}

class ConversationMaker {
 public:
  explicit ConversationMaker(Dice* dice) : dice_(*dice) {}

  ModelRequest Make() {
    ModelRequest request;
    request.origin = Format::kGemini;  // none that has members here
    if (dice_.OneIn(2)) Add(Role::kSystem, {Said(PartKind::kText, dice_.Words())}, &request);
    for (size_t n = 1 + dice_.Below(4); n > 0; --n) Turn(&request);
    Settings(&request);
    return request;
  }

 private:
  static void Add(Role role, std::vector<Part> parts, ModelRequest* request) {
    Message& message = request->messages.emplace_back();
    message.role = role;
    message.parts = std::move(parts);
  }

  void Turn(ModelRequest* request) {
    Add(Role::kUser, UserParts(), request);
    while (dice_.OneIn(2)) Step(request);
    std::vector<Part> answer;
    if (dice_.OneIn(3)) answer.push_back(Said(PartKind::kThinking, dice_.Words()));
    answer.push_back(Said(PartKind::kText, dice_.Words()));
    Add(Role::kAssistant, std::move(answer), request);
  }

  std::vector<Part> UserParts() {
    std::vector<Part> parts = {Said(PartKind::kText, dice_.Words())};
    if (!dice_.OneIn(3)) return parts;
    Part& media = parts.emplace_back(Said(PartKind::kMedia, ""));
    using Source = Media::Source;
    static const std::vector<Media> kMedia = {{Source::kBase64, "image/png", "aGk=", "", "low"},
                                              {Source::kUrl, "image/*", "https://example.com/a.png", "", ""},
                                              {Source::kBase64, "application/pdf", "JVBE", "a.pdf", ""},
                                              {Source::kBase64, "audio/mp3", "AAAA", "", ""}};
    media.media = dice_.Pick(kMedia);
    if (dice_.OneIn(2)) parts.push_back(Said(PartKind::kText, dice_.Words()));
    return parts;
  }

  void Step(ModelRequest* request) {
    std::vector<Part> said;
    if (dice_.OneIn(2)) said.push_back(Thinking());
    if (dice_.OneIn(2)) said.push_back(Said(PartKind::kText, dice_.Words()));
    std::vector<Part> results;
    for (size_t n = 1 + dice_.Below(3); n > 0; --n) {
      Part& call = said.emplace_back(Said(PartKind::kToolCall, ToJson(json::value(RandomObject(dice_)))));
      call.id = "call_" + std::to_string(calls_++);
      call.name = dice_.OneIn(2) ? "f" : "g";
      if (dice_.OneIn(4)) call.state = {{StateKind::kChatExtraContent, R"({"k":[1,"x"]})"}};
      Part& result = results.emplace_back(Said(PartKind::kToolResult, ""));
      result.id = call.id;
      result.content = {Said(PartKind::kText, dice_.OneIn(5) ? "" : dice_.Words())};
    }
    Add(Role::kAssistant, std::move(said), request);
    Add(Role::kTool, std::move(results), request);
  }

  Part Thinking() {
    Part part = Said(PartKind::kThinking, dice_.Words());
    if (dice_.OneIn(3))
      part.state = {{StateKind::kChatReasoningDetails, R"([{"type":"reasoning.encrypted","data":"x"}])"}};
    return part;
  }

  void Settings(ModelRequest* request) {
    for (const char* name : {"f", "g"}) {
      Tool& tool = request->tools.emplace_back();
      tool.name = name;
      if (dice_.OneIn(2)) tool.description = dice_.Words();
      tool.parameters = {{"type", "object"}, {"properties", RandomObject(dice_)}};
    }
    using Kind = ToolChoice::Kind;
    static const std::vector<Kind> kChoices = {Kind::kUnset, Kind::kAuto, Kind::kNone, Kind::kAny, Kind::kTool};
    request->tool_choice.kind = dice_.Pick(kChoices);
    if (request->tool_choice.kind == Kind::kTool) request->tool_choice.name = "g";
    if (dice_.OneIn(3)) request->tool_choice.parallel = false;
    if (dice_.OneIn(2)) request->max_tokens = 1 + dice_.Below(100000);
    if (dice_.OneIn(2)) request->sampling.temperature = static_cast<double>(dice_.Below(20)) / 10;
    if (dice_.OneIn(3)) request->sampling.seed = static_cast<int64_t>(dice_.Below(9));
    if (dice_.OneIn(3)) request->stop = {"x", dice_.Words()};
    if (dice_.OneIn(3)) request->user = "someone";
    if (dice_.OneIn(3)) request->reasoning.effort = "medium";
    request->stream = dice_.OneIn(2);
    request->include_usage = request->stream;
    if (dice_.OneIn(3)) request->output.kind = OutputFormat::Kind::kJson;
  }

  Dice& dice_;
  size_t calls_ = 0;
};

// A text that says all that must be the same.
std::string Told(const std::vector<Part>& parts) {
  std::string told;
  for (const Part& part : parts) {
    told +=
        "\n    " + std::to_string(static_cast<int>(part.kind)) + " " + part.text + " | " + part.id + " " + part.name;
    told += " " + part.media.type + "," + part.media.data + "," + part.media.name + "," + part.media.detail;
    for (const OpaqueState& state : part.state)
      told += " {" + std::to_string(static_cast<int>(state.kind)) + ":" + state.data + "}";
    if (part.kind == PartKind::kToolResult) told += Told(part.content);
  }
  return told;
}

std::string Told(const ModelRequest& request) {
  std::string told;
  for (const Message& message : request.messages)
    told += "\n  " + std::to_string(static_cast<int>(message.role)) + Told(message.parts);
  for (const Tool& tool : request.tools)
    told += "\n  " + tool.name + " " + tool.description + " " + ToJson(tool.parameters);
  const ToolChoice& choice = request.tool_choice;
  told += "\n  " + std::to_string(static_cast<int>(choice.kind)) + choice.name +
          (choice.parallel ? std::to_string(*choice.parallel) : "");
  told += "\n  " + std::to_string(request.max_tokens.value_or(0)) + " " +
          std::to_string(request.sampling.temperature.value_or(-1)) + " " +
          std::to_string(request.sampling.seed.value_or(-1)) + " " + request.user + " " + request.reasoning.effort;
  for (const std::string& stop : request.stop) told += "\n  stop " + stop;
  told += "\n  " + std::to_string(request.stream) + std::to_string(request.include_usage) +
          std::to_string(static_cast<int>(request.output.kind));
  return told;
}

TEST(ChatCodecProperty, ReadingWhatWasWrittenGivesTheSameConversation) {
  const uint64_t first = FirstSeed();
  for (uint64_t seed = first; seed < first + Runs(300); ++seed) {
    Dice dice(seed);
    const ModelRequest request = ConversationMaker(&dice).Make();
    Notes notes;
    const auto written = Codec().WriteRequest(request, "m", &notes);
    ASSERT_TRUE(written.ok());
    const auto read = Codec().ReadRequest(written->body, &notes);
    ASSERT_TRUE(read.ok()) << read.status() << " seed " << seed << "\n" << written->body;
    ASSERT_EQ(Told(*read), Told(request)) << "seed " << seed << "\n" << written->body;
    ASSERT_TRUE(notes.empty()) << *notes.begin() << " seed " << seed;
  }
}

// ---- Bodies of clients: whatever they are, written back they are JSON and stay what they are.

json::value WithoutNulls(const json::value& value) {
  if (const json::array* array = value.if_array(); array != nullptr) {
    json::array kept;
    for (const json::value& element : *array) kept.push_back(WithoutNulls(element));
    return kept;
  }
  const json::object* object = value.if_object();
  if (object == nullptr) return value;
  json::object kept;
  for (const json::key_value_pair& member : *object)
    if (!member.value().is_null()) kept[member.key()] = WithoutNulls(member.value());
  return kept;
}

TEST(ChatCodecProperty, AClientsRequestIsWrittenBackAsItCame) {
  const uint64_t first = FirstSeed();
  for (uint64_t seed = first; seed < first + Runs(300); ++seed) {
    Dice dice(seed);
    json::object body = OpenAiRequestMaker(dice).Make();
    if (body.contains("max_completion_tokens")) body.erase("max_tokens");
    body.erase("stream");
    const json::value* choice = body.if_contains("tool_choice");  // of a tool that need not be there
    if (choice != nullptr && choice->is_object() && choice->get_object().contains("custom")) body.erase("tool_choice");
    const std::string text = ToJson(body);
    Notes notes;
    const auto read = Codec().ReadRequest(text, &notes);
    ASSERT_TRUE(read.ok()) << read.status() << " seed " << seed << "\n" << text;
    const auto written = Codec().WriteRequest(*read, read->model, &notes);
    ASSERT_EQ(WithoutNulls(json::parse(written->body)), WithoutNulls(json::parse(text))) << "seed " << seed << "\n"
                                                                                         << text << "\n"
                                                                                         << written->body;
  }
}

TEST(ChatCodecProperty, AnythingReadIsWrittenTheSameTwice) {
  const uint64_t first = FirstSeed();
  for (uint64_t seed = first; seed < first + Runs(500); ++seed) {
    Dice dice(seed);
    json::value body = OpenAiRequestMaker(dice).Make();
    for (size_t n = 1 + dice.Below(3); n > 0; --n) Mutate(dice, &body);
    const std::string text = ToJson(body);
    Notes notes;
    const auto read = Codec().ReadRequest(text, &notes);
    if (!read.ok()) {
      ASSERT_TRUE(absl::IsInvalidArgument(read.status())) << read.status();
      continue;
    }
    const auto written = Codec().WriteRequest(*read, "m", &notes);
    const auto again = Codec().ReadRequest(written->body, &notes);
    ASSERT_TRUE(again.ok()) << again.status() << " seed " << seed << "\n" << text << "\n" << written->body;
    ASSERT_EQ(Codec().WriteRequest(*again, "m", &notes)->body, written->body) << "seed " << seed << "\n" << text;
  }
}

// ---- Answers.

ModelAnswer SomeAnswer(Dice& dice) {
  ModelAnswer answer;
  answer.id = "c1";
  answer.model = "up";
  if (dice.OneIn(2)) {
    answer.parts.push_back(Said(PartKind::kThinking, dice.Words()));
    if (dice.OneIn(2))
      answer.parts.back().state = {{StateKind::kChatReasoningDetails, R"([{"type":"reasoning.text","index":0}])"}};
  }
  if (dice.OneIn(2)) answer.parts.push_back(Said(PartKind::kText, dice.Words()));
  const bool refused = dice.OneIn(6);
  if (refused) answer.parts.push_back(Said(PartKind::kRefusal, dice.Words()));
  const size_t calls = dice.Below(3);
  for (size_t n = 0; n < calls; ++n) {
    Part& call = answer.parts.emplace_back(Said(PartKind::kToolCall, ToJson(json::value(RandomObject(dice)))));
    call.id = "id" + std::to_string(n);
    call.name = dice.OneIn(2) ? "f" : "g";
    if (dice.OneIn(3)) call.state = {{StateKind::kChatExtraContent, R"({"k":1})"}};
  }
  answer.stop.cause = refused         ? StopCause::kRefusal
                      : dice.OneIn(4) ? StopCause::kMaxTokens
                      : calls > 0     ? StopCause::kToolUse
                                      : StopCause::kEnd;
  answer.usage = {
      .input = 10 + dice.Below(100), .cache_read = dice.Below(10), .output = 7 + dice.Below(9), .reasoning = 1};
  return answer;
}

std::string Told(const ModelAnswer& answer) {
  const Usage& usage = answer.usage;
  return answer.id + " " + answer.model + Told(answer.parts) + "\n" +
         std::to_string(static_cast<int>(answer.stop.cause)) + " " + std::to_string(usage.input) + " " +
         std::to_string(usage.cache_read) + " " + std::to_string(usage.output) + " " + std::to_string(usage.reasoning);
}

TEST(ChatCodecProperty, AnswersAndStreamsReadAsTheyWereWritten) {
  const uint64_t first = FirstSeed();
  for (uint64_t seed = first; seed < first + Runs(300); ++seed) {
    Dice dice(seed);
    const ModelAnswer answer = SomeAnswer(dice);
    Notes notes;
    const auto whole = Codec().ReadAnswer(Codec().WriteAnswer(answer, {}), &notes);
    ASSERT_TRUE(whole.ok()) << whole.status();
    ASSERT_EQ(Told(*whole), Told(answer)) << "seed " << seed;

    const auto writer = Codec().WriteStream({});
    std::string stream;
    writer->WriteTo(&stream);
    Replay(answer, writer.get());
    const auto reader = Codec().ReadStream();
    AnswerCollector collected;
    const size_t most = dice.OneIn(3) ? 1 : 60;
    for (std::string_view rest = stream; !rest.empty();) {
      const size_t size = std::min(rest.size(), 1 + dice.Below(most));
      reader->Feed(rest.substr(0, size), &collected);
      rest.remove_prefix(size);
    }
    reader->Finish(dice.OneIn(2), &collected);
    ASSERT_TRUE(collected.ended()) << collected.error().message << " seed " << seed << "\n" << stream;
    ASSERT_EQ(Told(collected.Take()), Told(answer)) << "seed " << seed << "\n" << stream;
  }
}

// ---- Streams of anything make a valid stream, the same however they are cut.

json::value SomeChunk(Dice& dice) {
  static const std::vector<std::string> kDeltas = {
      R"({"role":"assistant","content":""})",
      R"({"content":"a"})",
      R"({"reasoning_content":"h"})",
      R"({"refusal":"no"})",
      R"({"reasoning_details":[{"type":"reasoning.text","text":"t","index":0}]})",
      R"({"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]})",
      R"({"tool_calls":[{"index":0,"function":{"arguments":"{\"x\":"}}]})",
      R"({"tool_calls":[{"index":1,"id":"b","type":"function","function":{"name":"g","arguments":""}}]})",
      R"({"tool_calls":[{"index":1,"function":{"arguments":"{\"y\""},"extra_content":{"k":1}}]})",
      R"({"tool_calls":[{"function":{"arguments":":1}"}}]})",
      R"({"tool_calls":[{"id":"c","custom":{"name":"h","input":"in"}}]})",
      R"({"function_call":{"name":"old","arguments":"{}"}})"};
  json::value choice = {{"index", 0}, {"delta", json::parse(dice.Pick(kDeltas))}, {"finish_reason", nullptr}};
  if (dice.OneIn(8)) choice.as_object()["finish_reason"] = "stop";
  json::value chunk = {{"id", "c"}, {"model", "m"}, {"choices", json::array({choice})}};
  if (dice.OneIn(8)) chunk.as_object()["usage"] = {{"prompt_tokens", 3}, {"completion_tokens", 2}};
  return chunk;
}

TEST(ChatCodecProperty, AnyStreamBecomesAValidOneHoweverItIsCut) {
  const uint64_t first = FirstSeed();
  for (uint64_t seed = first; seed < first + Runs(500); ++seed) {
    Dice dice(seed);
    std::string stream;
    for (size_t n = dice.Below(10); n > 0; --n) {
      json::value chunk = SomeChunk(dice);
      if (dice.OneIn(3)) Mutate(dice, &chunk);
      stream += "data: " + ToJson(chunk) + "\n\n";
    }
    if (dice.OneIn(2)) stream += "data: [DONE]\n\n";
    const bool cut = dice.OneIn(2);
    const bool include_usage = dice.OneIn(2);
    std::vector<std::string> written;
    for (const size_t step : {stream.size() + 1, size_t{1}}) {
      AnswerContext context;
      context.include_usage = include_usage;
      const auto reader = Codec().ReadStream();
      const auto writer = Codec().WriteStream(context);
      std::string& out = written.emplace_back();
      writer->WriteTo(&out);
      for (size_t at = 0; at < stream.size(); at += step) reader->Feed(stream.substr(at, step), writer.get());
      reader->Finish(cut, writer.get());
    }
    ASSERT_EQ(written[0], written[1]) << "seed " << seed << "\n" << stream;
    const auto answer = ReadOpenAiChunks(written[0], include_usage, CallArguments::kAny);
    ASSERT_TRUE(answer.ok()) << answer.status() << " seed " << seed << "\n" << stream << "\n" << written[0];
  }
}

}  // namespace
}  // namespace ccr::proxy::chat
