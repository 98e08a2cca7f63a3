// Random requests and streams. A failure prints its seed; dice.h says how to begin with it.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "pairs.h"
#include "tests/proxy/formats/anthropic_requests.h"
#include "tests/proxy/formats/gemini_streams.h"
#include "tests/proxy/formats/gemini_validators.h"
#include "tests/proxy/formats/openai_requests.h"
#include "tests/proxy/formats/openai_validators.h"
#include "tests/proxy/formats/validators.h"

namespace ccr::proxy {
namespace {

const char* ModelOf(uint64_t seed) {
  constexpr const char* kModels[] = {"gemini-2.5-flash", "gemini-3-pro-preview", "gemini-2.0-flash"};
  return kModels[seed % 3];
}

TEST(GeminiProperty, EveryValidAnthropicRequestBecomesAValidRequest) {
  const auto translation = MakeAnthropicToGemini();
  const uint64_t first = FirstSeed();
  for (uint64_t seed = first; seed < first + Rounds(2000); ++seed) {
    Dice dice(seed);
    const std::string body = AnthropicRequestMaker(&dice).Make();
    Notes notes;
    const auto request = translation->Request(body, ModelOf(seed), &notes);
    ASSERT_TRUE(request.ok()) << "seed " << seed << ": " << request.status() << "\nof " << body;
    ASSERT_EQ(CheckGeminiRequest(request->body), "") << "seed " << seed << "\nof " << body;
  }
}

std::string Quoted(const std::string& text) {
  const std::string quoted = json::serialize(json::value(text));
  return quoted.substr(1, quoted.size() - 2);
}

TEST(GeminiProperty, EveryValidOpenAiRequestBecomesAValidRequestAndLosesNoText) {
  const auto translation = MakeOpenAiToGemini();
  const uint64_t first = FirstSeed();
  for (uint64_t seed = first; seed < first + Rounds(2000); ++seed) {
    Dice dice(seed);
    OpenAiRequestMaker maker(dice);
    const std::string body = json::serialize(maker.Make());
    Notes notes;
    const auto request = translation->Request(body, ModelOf(seed), &notes);
    ASSERT_TRUE(request.ok()) << "seed " << seed << ": " << request.status() << "\nof " << body;
    ASSERT_EQ(CheckGeminiRequest(request->body), "") << "seed " << seed << "\nof " << body;
    for (const std::string& mark : maker.marks()) {
      ASSERT_NE(request->body.find(Quoted(mark)), std::string::npos) << "seed " << seed << " lost " << mark << body;
    }
  }
}

TEST(GeminiProperty, ABrokenRequestIsRefusedOrBecomesAValidOne) {
  const auto translation = MakeOpenAiToGemini();
  const uint64_t first = FirstSeed();
  for (uint64_t seed = first; seed < first + Rounds(2000); ++seed) {
    Dice dice(seed);
    json::value value = OpenAiRequestMaker(dice).Make();
    for (size_t n = 1 + dice.Below(4); n > 0; --n) Mutate(dice, &value);
    const std::string body = json::serialize(value);
    Notes notes;
    const auto request = translation->Request(body, ModelOf(seed), &notes);
    if (!request.ok()) {
      ASSERT_EQ(request.status().code(), absl::StatusCode::kInvalidArgument) << "seed " << seed;
    } else {
      ASSERT_EQ(CheckGeminiRequest(request->body), "") << "seed " << seed << "\nof " << body;
    }
  }
}

std::string TranslateGemini(const Translation& translation, std::string_view stream, bool cut, Dice& dice,
                            bool* failed) {
  return FeedInPieces(*translation.Stream("shown", {.include_usage = true}), stream, cut, dice, failed);
}

void ExpectCall(const GeminiSourceCall& source, const std::string& name, const std::string& arguments,
                const std::string& id) {
  EXPECT_EQ(name, source.name);
  EXPECT_EQ(arguments, source.arguments);
  EXPECT_EQ(ReadGeminiCallId(id).id, source.id);
  EXPECT_EQ(ReadGeminiCallId(id).signature, source.signature);
}

void ExpectSame(const GeminiStreamMaker& source, const AnthropicAnswer& answer) {
  EXPECT_EQ(answer.error, "");
  const bool explained = source.text.empty() && source.calls.empty() && source.finish == "SAFETY";
  EXPECT_EQ(answer.Joined("text"), explained ? "Gemini ended its answer: SAFETY" : source.text);
  EXPECT_EQ(answer.Joined("thinking"), source.thoughts);
  EXPECT_EQ(answer.input_tokens, 7U);
  EXPECT_EQ(answer.cache_read_tokens, 4U);
  EXPECT_EQ(answer.output_tokens, 7U);
  size_t calls = 0;
  for (const AnthropicBlock& block : answer.blocks) {
    if (block.type != "tool_use") continue;
    ASSERT_LT(calls, source.calls.size());
    ExpectCall(source.calls[calls++], block.name, block.text, block.id);
  }
  EXPECT_EQ(calls, source.calls.size());
}

TEST(GeminiProperty, EveryValidStreamBecomesValidStreamsThatSayTheSame) {
  const uint64_t first = FirstSeed();
  for (uint64_t seed = first; seed < first + Rounds(2000); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Dice dice(seed);
    GeminiStreamMaker source(&dice);
    const std::string stream = AsStream(source.Make(), dice);
    bool failed = false;
    AnthropicAnswer anthropic;
    ASSERT_EQ(CheckAnthropicStream(TranslateGemini(*MakeAnthropicToGemini(), stream, false, dice, &failed), &anthropic),
              "")
        << stream;
    EXPECT_FALSE(failed);
    ExpectSame(source, anthropic);
    const auto openai = ReadOpenAiChunks(TranslateGemini(*MakeOpenAiToGemini(), stream, false, dice, &failed), true);
    ASSERT_TRUE(openai.ok()) << openai.status() << stream;
    EXPECT_FALSE(failed);
    EXPECT_EQ(openai->text, source.text);
    EXPECT_EQ(openai->reasoning, source.thoughts);
    EXPECT_EQ(openai->prompt_tokens, 11U);
    EXPECT_EQ(openai->completion_tokens, 7U);
    ASSERT_EQ(openai->calls.size(), source.calls.size());
    for (size_t i = 0; i < source.calls.size(); ++i) {
      ExpectCall(source.calls[i], openai->calls[i].name, openai->calls[i].arguments, openai->calls[i].id);
    }
    if (HasFailure()) FAIL() << stream;
  }
}

// Cut, or with some bytes changed: whatever comes of it is valid.
TEST(GeminiProperty, ADamagedStreamStillBecomesValidOnes) {
  static const std::string bytes = "{}[]\",:0a\n\r \\\x80";
  const uint64_t first = FirstSeed();
  for (uint64_t seed = first; seed < first + Rounds(2000); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Dice dice(seed);
    std::string stream = AsStream(GeminiStreamMaker(&dice).Make(), dice);
    const bool cut = dice.OneIn(2);
    if (cut) stream.resize(dice.Below(stream.size()));
    for (size_t i = dice.Below(4); i > 0 && !stream.empty(); --i) {
      stream[dice.Below(stream.size())] = bytes[dice.Below(bytes.size())];
    }
    bool failed = false;
    AnthropicAnswer anthropic;
    ASSERT_EQ(CheckAnthropicStream(TranslateGemini(*MakeAnthropicToGemini(), stream, cut, dice, &failed), &anthropic),
              "")
        << stream;
    EXPECT_EQ(failed, !anthropic.error.empty());
    const auto openai = ReadOpenAiChunks(TranslateGemini(*MakeOpenAiToGemini(), stream, cut, dice, &failed), true);
    ASSERT_TRUE(openai.ok()) << openai.status() << stream;
    EXPECT_EQ(failed, !openai->error.empty());
  }
}

}  // namespace
}  // namespace ccr::proxy
