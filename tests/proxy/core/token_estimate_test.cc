#include "proxy/core/token_estimate.h"

#include <gtest/gtest.h>

#include <string>

#include "proxy/core/json/text.h"
#include "proxy/core/token_cjk.h"
#include "tests/proxy/core/token_samples.h"

namespace ccr::proxy {
namespace {

std::string SamplesRepeated(int times) {
  std::string text;
  for (int i = 0; i < times; ++i) {
    for (const TokenSample& sample : kTokenSamples) text.append(sample.text).append("\n");
  }
  return text;
}

TEST(EstimateTokens, SamplesWithinTheirTolerance) {
  for (const TokenSample& sample : kTokenSamples) {
    const auto tokens = static_cast<double>(sample.tokens);
    EXPECT_NEAR(static_cast<double>(EstimateTokens(sample.text)), tokens, sample.tolerance * tokens) << sample.name;
  }
}

TEST(EstimateTokens, LongTextIsTheSumOfItsParts) {
  uint64_t sum = 0;
  for (const TokenSample& sample : kTokenSamples) sum += EstimateTokens(sample.text);
  const auto expected = 20.0 * static_cast<double>(sum);
  EXPECT_NEAR(static_cast<double>(EstimateTokens(SamplesRepeated(20))), expected, 0.02 * expected);
}

TEST(EstimateTokens, SmallTexts) {
  EXPECT_EQ(EstimateTokens(""), 0U);
  EXPECT_EQ(EstimateTokens(" "), 1U);
  EXPECT_EQ(EstimateTokens("a"), 1U);
  EXPECT_EQ(EstimateTokens("go on"), 2U);
  EXPECT_EQ(EstimateTokens("123456"), 2U);
  EXPECT_EQ(EstimateTokens("\xFF\x80\xC3"), 4U);
}

TEST(TokenMeter, PiecesCutAnywhereGiveTheSame) {
  const std::string text = SamplesRepeated(1);
  const auto whole = static_cast<double>(EstimateTokens(text));
  for (const size_t size : {1U, 7U, 100U, 513U, 4096U}) {
    TokenMeter meter;
    for (size_t pos = 0; pos < text.size(); pos += size) meter.AddText(std::string_view(text).substr(pos, size));
    // A Chinese character that is cut loses its correction: with pieces of a byte, all of them.
    EXPECT_NEAR(static_cast<double>(meter.tokens()), whole, (size < 16 ? 0.05 : 0.01) * whole) << size;
  }
}

TEST(TokenMeter, EscapesAreWhatTheyStandFor) {
  for (const TokenSample& sample : kTokenSamples) {
    const std::string quoted = JsonString(sample.text);
    TokenMeter plain, escaped;
    plain.AddText(sample.text);
    escaped.AddJson(std::string_view(quoted).substr(1, quoted.size() - 2));
    const auto tokens = static_cast<double>(plain.tokens());
    EXPECT_NEAR(static_cast<double>(escaped.tokens()), tokens, 0.02 * tokens) << sample.name;
  }
  TokenMeter meter;
  meter.AddJson("\\u4f60\\u597d");
  EXPECT_EQ(meter.tokens(), 2U);
}

TEST(TokenMeter, AddTokens) {
  TokenMeter meter;
  meter.AddTokens(1500);
  meter.AddText("go on");
  EXPECT_EQ(meter.tokens(), 1502U);
}

TEST(ChineseExcess, OneWordAndRareOnes) {
  EXPECT_EQ(ChineseExcess("plain \xC3\xA9 text"), 0);
  EXPECT_EQ(ChineseExcess("一"), 0);
  EXPECT_EQ(ChineseExcess("数据"), -1);
  EXPECT_EQ(ChineseExcess("数 据"), 0);
  EXPECT_EQ(ChineseExcess("数据文件"), -2);
  EXPECT_EQ(ChineseExcess("龘"), 1);
  EXPECT_EQ(ChineseExcess(std::string_view("龘").substr(0, 2)), 0);
}

}  // namespace
}  // namespace ccr::proxy
