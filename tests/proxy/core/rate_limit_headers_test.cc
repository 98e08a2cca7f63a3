#include "proxy/core/evidence/rate_limit_headers.h"

#include <gtest/gtest.h>

#include <string>

namespace ccr::proxy {
namespace {

const absl::Time kAnswered = absl::FromUnixSeconds(1796076000);  // 2026-11-30T22:00:00Z

std::string Show(const std::vector<RateLimit>& limits) {
  std::string text;
  for (const RateLimit& limit : limits) {
    text += "rtio"[static_cast<int>(limit.unit)];
    const auto number = [&text](const char* name, const std::optional<uint64_t>& value) {
      if (value) text += name + std::to_string(*value);
    };
    number(" of ", limit.limit);
    number(" left ", limit.remaining);
    if (limit.reset) text += " in " + absl::FormatDuration(*limit.reset);
    text += "; ";
  }
  return text;
}

TEST(ReadLimits, Limits) {
  const struct {
    const char* what;
    Headers headers;
    std::string limits;
  } cases[] = {
      {"OpenAI",
       {{"x-ratelimit-limit-requests", "500"},
        {"X-RateLimit-Limit-Tokens", "30000"},
        {"x-ratelimit-remaining-requests", "499"},
        {"x-ratelimit-remaining-tokens", "0"},
        {"x-ratelimit-reset-requests", "120ms"},
        {"x-ratelimit-reset-tokens", "7m12s"}},
       "r of 500 left 499 in 120ms; t of 30000 left 0 in 7m12s; "},
      {"Anthropic",
       {{"anthropic-ratelimit-requests-limit", "50"},
        {"anthropic-ratelimit-requests-remaining", "49"},
        {"anthropic-ratelimit-requests-reset", "2026-11-30T22:00:01Z"},
        {"anthropic-ratelimit-input-tokens-limit", "50000"},
        {"anthropic-ratelimit-input-tokens-remaining", "0"},
        {"anthropic-ratelimit-input-tokens-reset", "2026-11-30T22:01:00Z"},
        {"anthropic-ratelimit-output-tokens-remaining", "7"},
        {"anthropic-ratelimit-tokens-remaining", "8"}},
       "r of 50 left 49 in 1s; i of 50000 left 0 in 1m; o left 7; t left 8; "},
      {"OpenRouter",
       {{"X-RateLimit-Limit", "20"}, {"X-RateLimit-Remaining", "0"}, {"X-RateLimit-Reset", "1796076060000"}},
       "r of 20 left 0 in 1m; "},
      {"epoch in seconds", {{"X-RateLimit-Reset", "1796076060"}}, "r in 1m; "},
      {"from now", {{"X-RateLimit-Reset", "60"}}, "r in 1m; "},
      {"Cerebras",
       {{"x-ratelimit-limit-requests-day", "14400"},
        {"x-ratelimit-limit-tokens-minute", "60000"},
        {"x-ratelimit-remaining-requests-day", "14399"},
        {"x-ratelimit-remaining-tokens-minute", "59000"},
        {"x-ratelimit-reset-requests-day", "7200.5"},
        {"x-ratelimit-reset-tokens-minute", "3"}},
       "r of 14400 left 14399 in 2h0.5s; t of 60000 left 59000 in 3s; "},
      {"Fireworks",
       {{"x-ratelimit-limit-tokens-prompt", "60000"}, {"x-ratelimit-remaining-tokens-generated", "5"}},
       "i of 60000; o left 5; "},
      {"draft of the IETF",
       {{"RateLimit-Limit", "100, 100;w=60"}, {"RateLimit-Remaining", "7"}, {"RateLimit-Reset", "5"}},
       "r of 100 left 7 in 5s; "},
      {"the IETF's structured fields", {{"RateLimit", "\"default\";r=0;t=60"}}, "r left 0 in 1m; "},
      {"and their policies",
       {{"RateLimit-Policy", "\"burst\";q=100;w=60, \"day, all\";q=1000;w=86400;pk=:c2Rm:"},
        {"RateLimit", "\"burst\";r=50;t=30,\"day, all\" ; r=999 ;t=36000"}},
       "r of 100 left 50 in 30s; r of 1000 left 999 in 10h; "},
      {"the policy comes later",
       {{"ratelimit", "default;r=7"}, {"ratelimit-policy", "default;q=10;w=1"}},
       "r of 10 left 7; "},
      {"of tokens, and of what is none of ours",
       {{"RateLimit-Policy", "\"a\";q=9000;qu=\"tokens\", \"b\";q=5;qu=\"concurrent-requests\""},
        {"RateLimit", "\"a\";r=8;t=1, \"b\";r=1, \"input-tokens\";r=3"}},
       "t of 9000 left 8 in 1s; t left 3; "},
      {"in both forms", {{"RateLimit-Remaining", "7"}, {"RateLimit", "\"default\";r=6;t=60"}}, "r left 7; "},
      {"a policy alone", {{"RateLimit-Policy", "\"default\";q=100;w=60"}}, ""},
      {"broken", {{"RateLimit", "\"default;r=0;t=60"}, {"RateLimit-Policy", ";;,=,;q"}}, ""},
      {"without numbers", {{"RateLimit", "\"default\";r=-1;t=soon, ;r"}}, ""},
      {"other spelling", {{"x-rate-limit-remaining", "7"}, {"x-rate-limit-reset-after", "5"}}, "r left 7 in 5s; "},
      {"of other things", {{"x-ratelimit-limit-images", "3"}, {"x-ratelimit-images-remaining", "3"}}, ""},
      {"nonsense",
       {{"x-ratelimit-remaining-requests", "-1"},
        {"x-ratelimit-reset-requests", "soon"},
        {"x-ratelimit-", "1"},
        {"ratelimit", "1"},
        {"", "1"}},
       ""},
      {"not these", {{"anthropic-ratelimit-unified-5h-reset", "1796076060"}, {"x-request-id", "limit"}}, ""},
  };
  for (const auto& c : cases) EXPECT_EQ(Show(ReadLimits(c.headers, kAnswered).limits), c.limits) << c.what;
}

TEST(ReadLimits, AtMostSixteen) {
  Headers headers;
  for (int i = 0; i < 40; ++i) headers.emplace_back("x-ratelimit-limit-requests-day" + std::to_string(i), "1");
  EXPECT_EQ(ReadLimits(headers, kAnswered).limits.size(), kMaxRateLimits);
}

TEST(ReadLimits, UnifiedWindows) {
  const std::string in_an_hour = "1796079600", in_two_days = "1796248800";
  const auto unified = [](Headers headers) {
    for (auto& header : headers) header.first.insert(0, "Anthropic-RateLimit-Unified-");
    return ReadLimits(headers, kAnswered);
  };
  HeaderLimits seen = unified({{"status", "rejected"}, {"reset", in_an_hour}});
  EXPECT_TRUE(seen.window_rejected);
  EXPECT_FALSE(seen.model_window);
  EXPECT_EQ(seen.window_reset, absl::Hours(1));

  seen = unified({{"status", "allowed_warning"}, {"reset", in_an_hour}, {"7d_opus-status", "rejected"}});
  EXPECT_FALSE(seen.window_rejected);

  const Headers both = {{"status", "rejected"},     {"reset", in_an_hour},          {"5h-status", "rejected"},
                        {"5h-reset", in_an_hour},   {"7d-status", "allowed"},       {"7d-reset", in_two_days},
                        {"5h-utilization", "1.02"}, {"overage-status", "rejected"}, {"overage-reset", in_two_days}};
  seen = unified(both);
  EXPECT_TRUE(seen.window_rejected);
  EXPECT_FALSE(seen.model_window);
  EXPECT_EQ(seen.window_reset, absl::Hours(1));

  Headers of_both = both;
  of_both[4].second = "rejected";
  EXPECT_EQ(unified(of_both).window_reset, absl::Hours(48));

  for (const std::string window : {"7d_opus", "7d-sonnet", "seven_day_opus"}) {
    seen = unified({{"status", "rejected"},
                    {window + "-status", "rejected"},
                    {window + "-reset", in_two_days},
                    {"5h-status", "allowed"},
                    {"5h-reset", in_an_hour}});
    EXPECT_TRUE(seen.model_window) << window;
    EXPECT_EQ(seen.window_reset, absl::Hours(48)) << window;
  }
  EXPECT_TRUE(unified({{"status", "rejected"}, {"representative-claim", "seven_day_opus"}}).model_window);
  EXPECT_FALSE(unified({{"status", "rejected"}, {"representative-claim", "seven_day"}}).model_window);
}

TEST(ReadLimits, RetryAfter) {
  const auto wait = [](Headers headers) { return ReadLimits(headers, kAnswered).retry_after; };
  EXPECT_EQ(wait({{"Retry-After", "3"}}), absl::Seconds(3));
  EXPECT_EQ(wait({{"retry-after", "3"}, {"Retry-After-Ms", "250.5"}}), absl::Microseconds(250500));
  EXPECT_EQ(wait({{"retry-after-ms", "x"}, {"retry-after", "3"}}), absl::Seconds(3));
  EXPECT_EQ(wait({{"retry-after", "1796076060"}}), absl::Minutes(1));
  EXPECT_EQ(wait({{"retry-after", "-5"}}), std::nullopt);
  EXPECT_EQ(wait({}), std::nullopt);
}

TEST(ResetOfExhausted, TheLatestThatApplies) {
  using Unit = RateLimit::Unit;
  const RateLimit left{Unit::kRequests, 10, 5, absl::Hours(1)};
  const RateLimit gone{Unit::kTokens, 10, 0, absl::Seconds(5)};
  const RateLimit gone_for_longer{Unit::kInputTokens, 10, 0, absl::Seconds(7)};
  const RateLimit unknown{Unit::kRequests, 10, {}, absl::Minutes(3)};
  EXPECT_EQ(ResetOfExhausted({left, gone, gone_for_longer, unknown}), absl::Seconds(7));
  EXPECT_EQ(ResetOfExhausted({left, unknown}), absl::Minutes(3));
  EXPECT_EQ(ResetOfExhausted({left}), std::nullopt);
  EXPECT_EQ(ResetOfExhausted({}), std::nullopt);
}

}  // namespace
}  // namespace ccr::proxy
