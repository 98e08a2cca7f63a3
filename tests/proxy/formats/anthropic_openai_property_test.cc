// Random requests and streams. A failure prints its seed; dice.h says how to begin with it.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "pairs.h"
#include "proxy/formats/answer_id.h"
#include "proxy/formats/edited_translation.h"
#include "proxy/formats/json_util.h"
#include "tests/proxy/formats/anthropic_requests.h"
#include "tests/proxy/formats/validators.h"

namespace ccr::proxy {
namespace {

Provider SomeTransformers(Dice* dice) {
  static const std::vector<TransformerUse> all = {
      {"deepseek", "{}"},
      {"openrouter", "{}"},
      {"groq", "{}"},
      {"cerebras", "{}"},
      {"tooluse", "{}"},
      {"enhancetool", "{}"},
      {"reasoning", "{}"},
      {"reasoning", R"({"enable":false})"},
      {"maxtoken", R"({"max_tokens":100})"},
      {"maxcompletiontokens", "{}"},
      {"sampling", R"({"temperature":0.5,"top_p":1,"top_k":3,"repetition_penalty":1.1,"max_tokens":50})"},
      {"streamoptions", "{}"},
      {"cleancache", "{}"},
      {"customparams", R"({"temperature":1,"user":"me"})"}};
  Provider provider;
  while (!dice->OneIn(3)) provider.transformers.push_back(all[dice->Below(all.size())]);
  return provider;
}

// What no OpenAI server knows, but the providers that want it.
std::string WithoutExtensions(const std::string& body) {
  json::value request = json::parse(body);
  for (const char* field : {"reasoning", "thinking", "enable_thinking", "top_k", "repetition_penalty"})
    request.as_object().erase(field);
  return ToJson(request);
}

TEST(AnthropicOpenAiProperty, AnyTransformersLeaveAValidRequest) {
  const auto translation = MakeAnthropicToOpenAi();
  const uint64_t first = FirstSeed();
  for (uint64_t seed = first; seed < first + Rounds(2000); ++seed) {
    Dice dice(seed);
    const std::string body = AnthropicRequestMaker(&dice).Make();
    const EditedTranslation edited(translation.get(), TransformerChain(SomeTransformers(&dice), "m"));
    Notes notes;
    const auto request = edited.Request(body, "m", &notes);
    ASSERT_TRUE(request.ok()) << "seed " << seed << ": " << request.status() << "\nof " << body;
    ASSERT_EQ(CheckOpenAiRequest(WithoutExtensions(request->body)), "") << "seed " << seed << "\nof " << body;
  }
}

TEST(AnthropicOpenAiProperty, EveryValidRequestBecomesAValidRequest) {
  const auto translation = MakeAnthropicToOpenAi();
  const uint64_t first = FirstSeed();
  for (uint64_t seed = first; seed < first + Rounds(2000); ++seed) {
    Dice dice(seed);
    const std::string body = AnthropicRequestMaker(&dice).Make();
    Notes notes;
    const auto request = translation->Request(body, "some-model", &notes);
    ASSERT_TRUE(request.ok()) << "seed " << seed << ": " << request.status() << "\nof " << body;
    ASSERT_EQ(CheckOpenAiRequest(request->body), "") << "seed " << seed << "\nof " << body;
  }
}

struct SourceCall {
  std::string id;
  std::string name;
  std::string arguments;
  size_t sent = 0;
  bool named = false;
};

// Any valid sequence of chunks, and what it says.
class OpenAiStreamMaker {
 public:
  explicit OpenAiStreamMaker(Dice* dice) : dice_(*dice), usage_at_(dice->Below(4)), late_(dice->OneIn(3)) {}

  std::vector<std::string> Make() {
    if (dice_.OneIn(2)) Push({{"role", "assistant"}, {"content", ""}});
    while (!dice_.OneIn(12)) Step();
    for (size_t i = 0; i < calls.size(); ++i) {
      while (!calls[i].named || calls[i].sent < calls[i].arguments.size()) SendCall(i);
    }
    finish_ = calls.empty() ? (dice_.OneIn(3) ? "length" : "stop") : (dice_.OneIn(3) ? "stop" : "tool_calls");
    Push({});
    json::value usage = Usage();
    if (usage_at_ == 1) chunks_.push_back(ToJson({{"choices", json::array{}}, {"usage", std::move(usage)}}));
    if (!dice_.OneIn(3)) chunks_.push_back("[DONE]");
    return std::move(chunks_);
  }

  std::string text;
  std::string thinking;
  std::vector<SourceCall> calls;
  bool has_usage() const { return usage_at_ != 0; }

 private:
  void Step() {
    const std::string words = dice_.Words();
    switch (dice_.Below(5)) {
      case 0:
        thinking += words;
        return Push({{dice_.OneIn(2) ? "reasoning_content" : "reasoning", words}, {"content", nullptr}});
      case 1:
      case 2:
        text += words;
        return Push({{"content", words}});
      case 3:
        return Begin();
      default:
        if (!calls.empty()) SendCall(dice_.Below(calls.size()));
    }
  }

  void Begin() {
    const size_t index = calls.size();
    json::object input;
    while (!dice_.OneIn(3)) input[dice_.Words()] = json::array{dice_.Words(), 0.5, nullptr, json::object{}};
    calls.push_back({.id = dice_.OneIn(3) ? "" : "call_" + std::to_string(index),
                     .name = "tool_" + std::to_string(index),
                     .arguments = dice_.OneIn(6) ? "" : ToJson(input)});
    if (!late_) return SendName(index);
    if (!calls[index].id.empty()) Push(CallDelta(index, {{"id", calls[index].id}}));
  }

  void SendCall(size_t index) {
    if (!calls[index].named && dice_.OneIn(2)) SendName(index);
    SendArguments(index);
  }

  void SendName(size_t index) {
    SourceCall& call = calls[index];
    call.named = true;
    json::object delta{{"type", "function"}, {"function", {{"name", call.name}, {"arguments", ""}}}};
    if (!call.id.empty()) delta["id"] = call.id;
    Push(CallDelta(index, std::move(delta)));
  }

  void SendArguments(size_t index) {
    SourceCall& call = calls[index];
    const size_t left = call.arguments.size() - call.sent;
    if (left == 0) return;
    size_t size = 1 + dice_.Below(left);
    while (size < left && (call.arguments[call.sent + size] & 0xC0) == 0x80) ++size;
    json::object function{{"arguments", call.arguments.substr(call.sent, size)}};
    call.sent += size;
    Push(CallDelta(index, {{"function", std::move(function)}}));
  }

  static json::object CallDelta(size_t index, json::object call) {
    call["index"] = index;
    return {{"tool_calls", json::array{std::move(call)}}};
  }

  json::value Usage() const {
    return {{"prompt_tokens", 11}, {"completion_tokens", 7}, {"prompt_tokens_details", {{"cached_tokens", 4}}}};
  }

  void Push(json::object delta) {
    json::object choice{{"index", 0}, {"delta", std::move(delta)}, {"finish_reason", nullptr}};
    if (!finish_.empty()) choice["finish_reason"] = finish_;
    json::object chunk{{"id", "chatcmpl-1"}, {"object", "chat.completion.chunk"}, {"model", "up"}};
    chunk["choices"] = json::array{std::move(choice)};
    if (usage_at_ == 2 || (usage_at_ == 3 && !finish_.empty())) chunk["usage"] = Usage();
    chunks_.push_back(ToJson(chunk));
  }

  Dice& dice_;
  const size_t usage_at_;  // never, in a chunk of its own, in every chunk, with the finish_reason
  const bool late_;        // names and ids come behind the first delta of a call
  std::string finish_;
  std::vector<std::string> chunks_;
};

std::string TranslateChunks(std::string_view stream, bool cut, Dice& dice, bool* failed) {
  const auto translation = MakeAnthropicToOpenAi();
  const EditedTranslation edited(translation.get(), TransformerChain(SomeTransformers(&dice), "m"));
  return FeedInPieces(*edited.Stream("shown", {}), stream, cut, dice, failed);
}

void ExpectSame(const OpenAiStreamMaker& source, const AnthropicAnswer& answer) {
  EXPECT_EQ(answer.error, "");
  EXPECT_EQ(answer.Joined("text"), source.text);
  EXPECT_EQ(answer.Joined("thinking"), source.thinking);
  EXPECT_EQ(answer.input_tokens, source.has_usage() ? 7u : 0u);
  EXPECT_EQ(answer.cache_read_tokens, source.has_usage() ? 4u : 0u);
  EXPECT_EQ(answer.output_tokens, source.has_usage() ? 7u : 0u);
  size_t tools = 0;
  for (const AnthropicBlock& block : answer.blocks) {
    if (block.type != "tool_use") continue;
    ++tools;
    const auto call = std::find_if(source.calls.begin(), source.calls.end(),
                                   [&block](const SourceCall& candidate) { return candidate.name == block.name; });
    ASSERT_NE(call, source.calls.end()) << block.name;
    const bool repaired = call->arguments.empty() && block.text == "{}";  // by enhancetool
    if (!repaired) EXPECT_EQ(block.text, call->arguments);
    if (!call->id.empty()) EXPECT_EQ(UpstreamId(block.id), call->id);
  }
  EXPECT_EQ(tools, source.calls.size());
}

TEST(AnthropicOpenAiProperty, EveryValidStreamBecomesAValidStreamThatSaysTheSame) {
  const uint64_t first = FirstSeed();
  for (uint64_t seed = first; seed < first + Rounds(2000); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Dice dice(seed);
    OpenAiStreamMaker source(&dice);
    const std::string stream = AsStream(source.Make(), dice);
    bool failed = false;
    AnthropicAnswer answer;
    ASSERT_EQ(CheckAnthropicStream(TranslateChunks(stream, false, dice, &failed), &answer), "") << stream;
    EXPECT_FALSE(failed);
    ExpectSame(source, answer);
    if (HasFailure()) FAIL() << stream;
  }
}

TEST(AnthropicOpenAiProperty, ABrokenStreamStillBecomesAValidOne) {
  const uint64_t first = FirstSeed();
  for (uint64_t seed = first; seed < first + Rounds(2000); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Dice dice(seed);
    OpenAiStreamMaker source(&dice);
    std::vector<std::string> chunks = source.Make();
    const bool error = dice.OneIn(2);
    const auto where = chunks.begin() + static_cast<std::ptrdiff_t>(dice.Below(chunks.size()));
    if (error) chunks.insert(where, R"({"error":{"message":"it broke","code":502}})");
    std::string stream = AsStream(chunks, dice);
    if (!error) stream.resize(dice.Below(stream.size()));
    bool failed = false;
    AnthropicAnswer answer;
    ASSERT_EQ(CheckAnthropicStream(TranslateChunks(stream, !error, dice, &failed), &answer), "") << stream;
    EXPECT_EQ(failed, !answer.error.empty());
    EXPECT_TRUE(source.text.starts_with(answer.Joined("text"))) << stream;
    EXPECT_TRUE(source.thinking.starts_with(answer.Joined("thinking"))) << stream;
    if (HasFailure()) FAIL() << stream;
  }
}

void Damage(std::string* text, Dice* dice) {
  static const std::string bytes = "{}[]\",:0a\n\r \\\x80";
  for (size_t i = 1 + dice->Below(3); i > 0; --i) (*text)[dice->Below(text->size())] = bytes[dice->Below(bytes.size())];
}

// Bytes of a valid stream, some changed: whatever comes of it is valid.
TEST(AnthropicOpenAiProperty, ADamagedStreamStillBecomesAValidOne) {
  const uint64_t first = FirstSeed();
  for (uint64_t seed = first; seed < first + Rounds(2000); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Dice dice(seed);
    std::string stream = AsStream(OpenAiStreamMaker(&dice).Make(), dice);
    Damage(&stream, &dice);
    bool failed = false;
    AnthropicAnswer answer;
    ASSERT_EQ(CheckAnthropicStream(TranslateChunks(stream, dice.OneIn(2), dice, &failed), &answer), "") << stream;
  }
}

TEST(AnthropicOpenAiProperty, ADamagedRequestIsTranslatedOrRefused) {
  const auto translation = MakeAnthropicToOpenAi({.keep_reasoning = true, .keep_cache_control = true});
  const uint64_t first = FirstSeed();
  for (uint64_t seed = first; seed < first + Rounds(2000); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Dice dice(seed);
    std::string body = AnthropicRequestMaker(&dice).Make();
    Damage(&body, &dice);
    Notes notes;
    const auto request = translation->Request(body, "some-model", &notes);
    if (request.ok()) {
      ASSERT_TRUE(ParseJson(request->body).ok()) << body;
    } else {
      ASSERT_EQ(request.status().code(), absl::StatusCode::kInvalidArgument) << body;
    }
  }
}

}  // namespace
}  // namespace ccr::proxy
