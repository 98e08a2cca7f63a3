#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <string>
#include <vector>

#include "pairs.h"
#include "tests/proxy/formats/dice.h"
#include "tests/proxy/formats/openai_validators.h"

namespace ccr::proxy {
namespace {

namespace json = boost::json;

struct Source {
  std::vector<std::string> events;
  ChunkedAnswer expected;
};

// Valid event sequences of Anthropic's format, and what they say.
class AnthropicStreamMaker {
 public:
  explicit AnthropicStreamMaker(Dice& dice) : dice_(dice) {}

  Source Make() {
    const auto input = dice_.Below(1000);
    const auto cached = dice_.Below(1000);
    Event("message_start",
          {{"message",
            {{"id", "msg_1"},
             {"type", "message"},
             {"role", "assistant"},
             {"model", "claude-x"},
             {"content", json::array()},
             {"stop_reason", nullptr},
             {"usage", {{"input_tokens", input}, {"cache_read_input_tokens", cached}, {"output_tokens", 1}}}}}});
    for (size_t n = dice_.Below(5); n > 0; --n) Block();
    static const std::vector<std::pair<std::string, std::string>> kReasons = {
        {"end_turn", "stop"}, {"max_tokens", "length"}, {"tool_use", "tool_calls"}, {"refusal", "content_filter"}};
    const auto& [reason, finish] = dice_.Pick(kReasons);
    const auto output = dice_.Below(1000);
    Event("message_delta",
          {{"delta", {{"stop_reason", reason}, {"stop_sequence", nullptr}}}, {"usage", {{"output_tokens", output}}}});
    Event("message_stop", {});
    source_.expected.finish_reason = finish;
    source_.expected.prompt_tokens = input + cached;
    source_.expected.completion_tokens = output;
    return std::move(source_);
  }

 private:
  void Event(const std::string& type, json::object data) {
    static const std::vector<std::string> kLineEnds = {"\n", "\r\n", "\r"};
    const std::string& end = dice_.Pick(kLineEnds);
    data["type"] = type;
    std::string event = dice_.OneIn(10) ? ": comment" + end : "";
    if (!dice_.OneIn(10)) event += "event: " + type + end;
    source_.events.push_back(event + (dice_.OneIn(2) ? "data: " : "data:") + json::serialize(data) + end + end);
    if (type != "message_stop" && dice_.OneIn(6))
      source_.events.push_back("event: ping\ndata: {\"type\": \"ping\"}\n\n");
  }

  void Block() {
    switch (dice_.Below(5)) {
      case 0:
        return Other();
      case 1:
        return Pieces({{"type", "thinking"}, {"thinking", ""}}, "thinking_delta", "thinking",
                      &source_.expected.reasoning);
      case 2:
        return Tool();
      default:
        return Pieces({{"type", "text"}, {"text", ""}}, "text_delta", "text", &source_.expected.text);
    }
  }

  void Start(json::object block) {
    Event("content_block_start", {{"index", index_}, {"content_block", std::move(block)}});
  }
  void Delta(json::object delta) { Event("content_block_delta", {{"index", index_}, {"delta", std::move(delta)}}); }
  void Stop() { Event("content_block_stop", {{"index", index_++}}); }

  void Pieces(json::object block, const std::string& type, const std::string& member, std::string* expected) {
    Start(std::move(block));
    for (size_t n = dice_.Below(5); n > 0; --n) {
      const std::string piece = RandomText(dice_);
      Delta({{"type", type}, {member, piece}});
      *expected += piece;
    }
    Stop();
  }

  void Tool() {
    const std::string id = "toolu_" + std::to_string(index_);
    Start({{"type", "tool_use"}, {"id", id}, {"name", "f"}, {"input", json::object()}});
    const std::string arguments = dice_.OneIn(4) ? "" : json::serialize(RandomObject(dice_));
    for (size_t at = 0; at < arguments.size();) {
      size_t length = 1 + dice_.Below(9);
      while (at + length < arguments.size() && (arguments[at + length] & 0xC0) == 0x80) ++length;
      Delta({{"type", "input_json_delta"}, {"partial_json", arguments.substr(at, length)}});
      at += length;
    }
    Stop();
    source_.expected.calls.push_back({id, "f", arguments.empty() ? "{}" : arguments});
  }

  void Other() {
    Start({{"type", dice_.OneIn(2) ? "redacted_thinking" : "server_tool_use"}, {"data", "x"}, {"id", "s"}});
    if (dice_.OneIn(2)) Delta({{"type", "input_json_delta"}, {"partial_json", "{}"}});
    Stop();
  }

  Dice& dice_;
  Source source_;
  int index_ = 0;
};

std::string Join(const std::vector<std::string>& events) {
  std::string all;
  for (const std::string& event : events) all += event;
  return all;
}

std::string TranslateEvents(Dice& dice, const std::string& bytes, bool cut, bool include_usage, bool* failed) {
  const auto stream = MakeOpenAiToAnthropic()->Stream("m", {.include_usage = include_usage});
  return FeedInPieces(*stream, bytes, cut, dice, failed);
}

void ExpectSame(const ChunkedAnswer& answer, const ChunkedAnswer& expected, bool include_usage) {
  EXPECT_TRUE(answer.done);
  EXPECT_EQ(answer.text, expected.text);
  EXPECT_EQ(answer.reasoning, expected.reasoning);
  EXPECT_EQ(answer.finish_reason, expected.finish_reason);
  EXPECT_EQ(answer.prompt_tokens, include_usage ? expected.prompt_tokens : std::nullopt);
  EXPECT_EQ(answer.completion_tokens, include_usage ? expected.completion_tokens : std::nullopt);
  ASSERT_EQ(answer.calls.size(), expected.calls.size());
  for (size_t i = 0; i < answer.calls.size(); ++i) {
    EXPECT_EQ(answer.calls[i].id, expected.calls[i].id);
    EXPECT_EQ(answer.calls[i].name, expected.calls[i].name);
    EXPECT_EQ(answer.calls[i].arguments, expected.calls[i].arguments);
  }
}

TEST(OpenAiToAnthropicProperty, ValidEventsInAnySplitSayTheSameAsChunks) {
  const uint64_t first = FirstSeed();
  for (uint64_t seed = first; seed < first + Rounds(1000); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Dice dice(seed);
    const Source source = AnthropicStreamMaker(dice).Make();
    const bool include_usage = dice.OneIn(2);
    bool failed = true;
    const std::string out = TranslateEvents(dice, Join(source.events), false, include_usage, &failed);
    const auto answer = ReadOpenAiChunks(out, include_usage);
    ASSERT_TRUE(answer.ok()) << answer.status() << "\n" << out;
    ASSERT_FALSE(failed);
    ExpectSame(*answer, source.expected, include_usage);
    if (HasFailure()) return;
  }
}

TEST(OpenAiToAnthropicProperty, ACutAnywhereIsAnErrorBehindABeginningOfTheText) {
  const uint64_t first = FirstSeed();
  for (uint64_t seed = first; seed < first + Rounds(1000); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Dice dice(seed);
    const Source source = AnthropicStreamMaker(dice).Make();
    const std::string all = Join(source.events);
    // message_delta, the last but one, says that all of it was said.
    const size_t end = all.find("\"message_delta\"");
    const size_t whole = std::min(all.size() - source.events.back().size(), end == all.npos ? all.size() : end);
    bool failed = false;
    const std::string out = TranslateEvents(dice, all.substr(0, dice.Below(whole + 1)), true, false, &failed);
    const auto answer = ReadOpenAiChunks(out, false);
    ASSERT_TRUE(answer.ok()) << answer.status() << "\n" << out;
    ASSERT_TRUE(failed);
    ASSERT_EQ(source.expected.text.substr(0, answer->text.size()), answer->text);
  }
}

// Events lost, doubled, in another order or broken: still nothing but a valid sequence goes out.
TEST(OpenAiToAnthropicProperty, EventsInAnyOrderBecomeAValidSequence) {
  const uint64_t first = FirstSeed();
  for (uint64_t seed = first; seed < first + Rounds(1000); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Dice dice(seed);
    std::vector<std::string> events = AnthropicStreamMaker(dice).Make().events;
    for (size_t n = 1 + dice.Below(6); n > 0; --n) {
      const size_t at = dice.Below(events.size());
      switch (dice.Below(3)) {
        case 0:
          std::swap(events[at], events[dice.Below(events.size())]);
          break;
        case 1:
          events.insert(events.begin() + static_cast<std::ptrdiff_t>(at), dice.Pick(events));
          break;
        default:
          events[at][dice.Below(events[at].size())] = static_cast<char>(32 + dice.Below(95));
      }
    }
    const bool include_usage = dice.OneIn(2);
    bool failed = false;
    const std::string out = TranslateEvents(dice, Join(events), dice.OneIn(2), include_usage, &failed);
    const auto answer = ReadOpenAiChunks(out, include_usage);
    const auto broken = std::string(answer.status().message());
    ASSERT_TRUE(answer.ok() || broken.starts_with("arguments is not JSON") || broken == "arguments must be an object")
        << answer.status() << "\n"
        << Join(events) << "\n"
        << out;
    if (answer.ok()) ASSERT_EQ(failed, !answer->error.empty());
  }
}

}  // namespace
}  // namespace ccr::proxy
