#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <string>

#include "pairs.h"
#include "tests/proxy/formats/openai_requests.h"
#include "tests/proxy/formats/openai_validators.h"

namespace ccr::proxy {
namespace {

namespace json = boost::json;

const char* RandomModel(Dice& dice) {
  return dice.OneIn(2) ? "claude-sonnet-4-5" : "claude-3-5-haiku-latest";
}

std::string SerializedText(const std::string& text) {
  std::string quoted = json::serialize(json::value(text));
  return quoted.substr(1, quoted.size() - 2);
}

size_t CountOf(const std::string& text, const std::string& what) {
  size_t count = 0;
  for (size_t at = text.find(what); at != text.npos; at = text.find(what, at + 1)) ++count;
  return count;
}

TEST(OpenAiToAnthropicProperty, ValidRequestsBecomeValidRequestsAndLoseNoText) {
  const uint64_t first = FirstSeed();
  for (uint64_t seed = first; seed < first + Rounds(1000); ++seed) {
    Dice dice(seed);
    OpenAiRequestMaker maker(dice);
    const std::string body = json::serialize(maker.Make());
    Notes notes;
    const auto request = MakeOpenAiToAnthropic()->Request(body, RandomModel(dice), &notes);
    ASSERT_TRUE(request.ok()) << "seed " << seed << ": " << request.status() << "\n" << body;
    const absl::Status valid = CheckAnthropicRequest(request->body);
    ASSERT_TRUE(valid.ok()) << "seed " << seed << ": " << valid << "\n" << body << "\n" << request->body;
    for (const std::string& mark : maker.marks()) {
      ASSERT_EQ(CountOf(request->body, SerializedText(mark)), 1U) << "seed " << seed << ": " << mark << "\n" << body;
    }
  }
}

TEST(OpenAiToAnthropicProperty, BrokenRequestsAreRefusedOrBecomeValidOnes) {
  const uint64_t first = FirstSeed();
  size_t accepted = 0;
  for (uint64_t seed = first; seed < first + Rounds(1000); ++seed) {
    Dice dice(seed);
    json::value value = OpenAiRequestMaker(dice).Make();
    for (size_t n = 1 + dice.Below(4); n > 0; --n) Mutate(dice, &value);
    const std::string body = json::serialize(value);
    Notes notes;
    const auto request = MakeOpenAiToAnthropic()->Request(body, RandomModel(dice), &notes);
    if (!request.ok()) {
      ASSERT_EQ(request.status().code(), absl::StatusCode::kInvalidArgument) << "seed " << seed;
      continue;
    }
    ++accepted;
    const absl::Status valid = CheckAnthropicRequest(request->body);
    ASSERT_TRUE(valid.ok()) << "seed " << seed << ": " << valid << "\n" << body << "\n" << request->body;
  }
  EXPECT_GT(accepted, 0U);
}

}  // namespace
}  // namespace ccr::proxy
