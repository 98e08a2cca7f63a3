#include "proxy/core/evidence/reset_time.h"

#include <gtest/gtest.h>

#include <string>

namespace ccr::proxy {
namespace {

absl::Time Utc(const char* text) {
  absl::Time time;
  EXPECT_TRUE(absl::ParseTime(absl::RFC3339_full, text, &time, nullptr)) << text;
  return time;
}

const absl::Time kAsked = Utc("2026-11-30T22:00:00Z");  // 1796076000

TEST(ParseReset, EveryForm) {
  const struct {
    std::string text;
    std::optional<absl::Duration> wait;
  } cases[] = {
      {"3", absl::Seconds(3)},
      {" 1.5 ", absl::Milliseconds(1500)},
      {"0", absl::ZeroDuration()},
      {"999999999", kMaxResetWait},
      {"1796076060", absl::Minutes(1)},
      {"1796076060.5", absl::Milliseconds(60500)},
      {"1796076060500", absl::Milliseconds(60500)},
      {"1796075000", absl::ZeroDuration()},
      {"1000000000", kMaxResetWait},
      {"99999999999999999999", kMaxResetWait},
      {"7m12s", absl::Seconds(432)},
      {"850ms", absl::Milliseconds(850)},
      {"1s", absl::Seconds(1)},
      {"1h2m", absl::Minutes(62)},
      {"2m59.56s", absl::Milliseconds(179560)},
      {"34.074824224s", absl::Nanoseconds(34074824224)},
      {"120us", absl::Microseconds(120)},
      {"120\xC2\xB5s", absl::Microseconds(120)},
      {"1d", absl::Hours(24)},
      {"1 hour 5 minutes", absl::Minutes(65)},
      {"Mon, 30 Nov 2026 22:00:30 GMT", absl::Seconds(30)},
      {"Monday, 30-Nov-26 22:00:30 GMT", absl::Seconds(30)},
      {"Mon Nov 30 22:00:30 2026", absl::Seconds(30)},
      {"Mon, 30 Nov 2026 21:00:00 GMT", absl::ZeroDuration()},
      {"2026-11-30T22:01:00Z", absl::Minutes(1)},
      {"2026-11-30T22:01:00.25Z", absl::Milliseconds(60250)},
      {"2026-11-30T23:01:00+01:00", absl::Minutes(1)},
      {"2026-11-30T20:01:00-0200", absl::Minutes(1)},
      {"2026-11-30 22:01:00", absl::Minutes(1)},
      {"2026-12-01", absl::Hours(2)},
      {"9999-12-01T00:00:00Z", kMaxResetWait},
      {"", std::nullopt},
      {"soon", std::nullopt},
      {"nan", std::nullopt},
      {"inf", std::nullopt},
      {"-5", std::nullopt},
      {"+5", std::nullopt},
      {"1e3", std::nullopt},
      {"1.2.3", std::nullopt},
      {"5 apples", std::nullopt},
      {"2026-13-01", std::nullopt},
      {"2026-12-01T25:00:00Z", std::nullopt},
      {"2026-12-01T00:00:00Zoo", std::nullopt},
  };
  for (const auto& c : cases) EXPECT_EQ(ParseReset(c.text, kAsked), c.wait) << c.text;
  EXPECT_EQ(ParseReset("250.5", kAsked, absl::Milliseconds(1)), absl::Microseconds(250500));
  EXPECT_EQ(ParseReset("1000000000", kAsked, absl::Milliseconds(1)), absl::Seconds(1000000));
}

TEST(FindReset, Sentences) {
  const struct {
    std::string text;
    std::optional<absl::Duration> wait;
  } cases[] = {
      {"Rate limit reached for gpt-4o on tokens per min (TPM): Limit 30000, Used 29000, Requested 2000. Please try "
       "again "
       "in 7m12s. Visit https://example.com/account/rate-limits to learn more.",
       absl::Seconds(432)},
      {"Please try again in 20s.", absl::Seconds(20)},
      {"Please try again in 850ms. Visit", absl::Milliseconds(850)},
      {"please retry in 34.074824224s.", absl::Nanoseconds(34074824224)},
      {"Your limit resets at 2026-12-01 02:00:00", absl::Hours(4)},
      {"Limit resets at 2026-12-01 02:00:00 UTC+8 for all", absl::ZeroDuration()},
      {"You will regain access on 2026-12-01 at 00:00 UTC.", absl::Hours(2)},
      {"Try again after 2026-12-01T00:00:00Z", absl::Hours(2)},
      {"usage limit reached|1796079600", absl::Hours(1)},
      {"Your quota will reset after 13h4m10s.", absl::Hours(13) + absl::Minutes(4) + absl::Seconds(10)},
      {"Please wait 20 seconds before trying again.", absl::Seconds(20)},
      {"Try again in 1 day, 3 hours and 8 minutes.", absl::Hours(27) + absl::Minutes(8)},
      {"Try again in 5s. All limits reset at 2026-12-01 00:00.", absl::Hours(2)},
      {"Usage limit reached for 5 hour. Your limit will reset at 2026-12-01 01:00:00", absl::Hours(3)},
      {"Please try again later. The limit is 5 per 1m.", std::nullopt},
      {"Your limit resets every 5 hours", std::nullopt},
      {"gave up waiting after 30 seconds", std::nullopt},
      {"try again with at most 3 images", std::nullopt},
      {"Limit 30000, Used 29000 in 10 minutes", std::nullopt},
      {"try again in abc123s", std::nullopt},
      {"", std::nullopt},
  };
  for (const auto& c : cases) EXPECT_EQ(FindReset(c.text, kAsked), c.wait) << c.text;
}

TEST(UntilPacificMidnight, OverTheYear) {
  const struct {
    const char *now, *midnight;
  } cases[] = {
      {"2026-11-30T22:00:00Z", "2026-12-01T08:00:00Z"}, {"2026-12-01T07:59:59Z", "2026-12-01T08:00:00Z"},
      {"2026-12-01T08:00:00Z", "2026-12-02T08:00:00Z"}, {"2026-07-01T08:00:00Z", "2026-07-02T07:00:00Z"},
      {"2026-07-01T06:59:00Z", "2026-07-01T07:00:00Z"}, {"2026-03-08T08:30:00Z", "2026-03-09T07:00:00Z"},
      {"2026-03-08T07:00:00Z", "2026-03-08T08:00:00Z"}, {"2026-11-01T07:30:00Z", "2026-11-02T08:00:00Z"},
      {"2026-11-01T06:30:00Z", "2026-11-01T07:00:00Z"}, {"2027-01-01T07:00:00Z", "2027-01-01T08:00:00Z"},
  };
  for (const auto& c : cases) EXPECT_EQ(Utc(c.now) + UntilPacificMidnight(Utc(c.now)), Utc(c.midnight)) << c.now;
}

}  // namespace
}  // namespace ccr::proxy
