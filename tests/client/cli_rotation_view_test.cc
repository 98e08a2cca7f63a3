#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "client/cli/rotation/rotation_view.h"
#include "client/cli/text.h"
#include "google/protobuf/text_format.h"

namespace ccr::cli {
namespace {

namespace v1 = ::ccr::broker::v1;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Le;
using ::testing::Not;
using ::testing::ResultOf;
using ::testing::StartsWith;

constexpr int64_t kNow = 1767225600;  // 2026-01-01T00:00:00Z

constexpr const char* kPools = R"pb(
  pools {
    provider: "openai"
    enabled: true
    strategy: "round_robin"
    total_keys: 3
    available_keys: 1
    circuit { state: CLOSED }
    keys {
      name: "key-1"
      fingerprint: "00112233aabbccdd"
      state: KEY_STATE_ACTIVE
      consecutive_failures: 1
      max_failures: 3
      in_flight: 2
      max_concurrent: 8
      uses: 120
      successes: 119
      failures: 1
      weight: 1
      last_used { seconds: 1767225597 }
      last_success { seconds: 1767225597 }
      latency_ms: 812.4
      available: true
    }
    keys {
      name: "key-2"
      state: KEY_STATE_COOLING
      reason: "rate_limited"
      available_at { seconds: 1767225725 }
      max_failures: 3
      uses: 7
      last_failure { seconds: 1767225590 nanos: 500000000 }
    }
    keys { name: "spare" state: KEY_STATE_DISABLED reason: "auth" max_failures: 3 uses: 1 failures: 1 }
  }
  now { seconds: 1767225600 }
)pb";

v1::ListPoolsResponse Parse(const std::string& text) {
  v1::ListPoolsResponse response;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &response));
  return response;
}

ViewOptions At(size_t width = 0) {
  return {absl::FromUnixSeconds(kNow), width, false, false};
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

TEST(RotationTableTest, ShowsEveryFactAligned) {
  EXPECT_EQ(RotationTable(Parse(kPools), At()),
            "openai: round_robin, 1/3 available, 1 cooling, 1 disabled\n"
            "  KEY    STATE     REASON        BACK IN  FAILURES  IN FLIGHT  USES  SUCCESS  LATENCY  LAST USED\n"
            "  key-1  active    -                   -       1/3        2/8   120    99.2%   812 ms     3s ago\n"
            "  key-2  cooling   rate_limited   2m 05s       0/3          0     7        -        -      never\n"
            "  spare  disabled  auth                -       0/3          0     1     0.0%        -      never\n");
}

TEST(RotationTableTest, WhatAKeyThatIsOutFailedWithStandsBelowIt) {
  v1::ListPoolsResponse response = Parse(kPools);
  v1::PoolStatus& pool = *response.mutable_pools(0);
  for (v1::KeyStatus& key : *pool.mutable_keys()) {
    key.set_last_error("HTTP 401: No such key\x1b[2J");
    key.set_last_error_request_id("req-1");
    key.mutable_last_error_at()->set_seconds(kNow - 60);
  }
  const std::vector<std::string> lines = Lines(RotationTable(response, At()));
  ASSERT_EQ(lines.size(), 7u);
  EXPECT_THAT(lines[2], StartsWith("  key-1"));
  EXPECT_THAT(lines[3], StartsWith("  key-2"));
  EXPECT_THAT(lines[4], AllOf(StartsWith("    last error: HTTP 401: No such key"), HasSubstr(" ago, request req-1")));
  EXPECT_THAT(lines[4], Not(HasSubstr("\x1b")));
  EXPECT_THAT(lines[6], StartsWith("    last error: HTTP 401"));
  for (const std::string& line : Lines(RotationTable(response, At(40)))) EXPECT_LE(DisplayWidth(line), 40u);
}

TEST(RotationTableTest, NarrowTerminalsLoseTheLeastImportantColumnsFirst) {
  const std::string whole = RotationTable(Parse(kPools), At(96));
  EXPECT_THAT(whole, HasSubstr("LATENCY"));
  const std::string less = RotationTable(Parse(kPools), At(95));
  EXPECT_THAT(less, Not(HasSubstr("LATENCY")));
  EXPECT_THAT(less, HasSubstr("LAST USED"));
  const std::string narrow = RotationTable(Parse(kPools), At(30));
  EXPECT_THAT(Lines(narrow)[1], "  KEY    STATE     BACK IN");
  for (size_t width = 20; width < 100; ++width) {
    EXPECT_THAT(Lines(RotationTable(Parse(kPools), At(width))), Each(ResultOf(DisplayWidth, Le(width))));
  }
}

TEST(RotationTableTest, LongNamesAreCutLast) {
  v1::ListPoolsResponse response = Parse(kPools);
  response.mutable_pools(0)->mutable_keys(0)->set_name("a-very-long-name-of-a-key");
  EXPECT_THAT(RotationTable(response, At(24)), HasSubstr("  a-very-long…  active\n"));
}

TEST(RotationTableTest, FingerprintsOnlyWhenWide) {
  EXPECT_THAT(RotationTable(Parse(kPools), At()), Not(HasSubstr("00112233aabbccdd")));
  ViewOptions wide = At();
  wide.wide = true;
  EXPECT_THAT(RotationTable(Parse(kPools), wide), HasSubstr("00112233aabbccdd"));
}

TEST(RotationTableTest, WideIsNeverCut) {
  ViewOptions wide = At(40);
  wide.wide = true;
  const std::string table = RotationTable(Parse(kPools), wide);
  EXPECT_THAT(table, HasSubstr("RPM  PACE  WEIGHT  FINGERPRINT"));
  EXPECT_THAT(table, HasSubstr("00112233aabbccdd"));
}

TEST(RotationTableTest, TheLastErrorStandsBelowKeysInTrouble) {
  v1::ListPoolsResponse response = Parse(kPools);
  for (v1::KeyStatus& key : *response.mutable_pools(0)->mutable_keys()) key.set_last_error("HTTP 401 bad key");
  const std::vector<std::string> lines = Lines(RotationTable(response, At()));
  ASSERT_EQ(lines.size(), 7U);
  EXPECT_THAT(lines[3], StartsWith("  key-2"));
  EXPECT_EQ(lines[4], "    last error: HTTP 401 bad key");
  EXPECT_EQ(lines[6], "    last error: HTTP 401 bad key");
  EXPECT_EQ(Lines(RotationTable(response, At(20)))[4], "    last error: HTT…");
}

TEST(RotationTableTest, TheLastErrorStandsBelowAnActiveKeyThatHasNotServedSince) {
  v1::ListPoolsResponse response = Parse(kPools);
  v1::KeyStatus& key = *response.mutable_pools(0)->mutable_keys(0);
  key.set_last_error("connection_refused: Connection refused");
  key.mutable_last_error_at()->set_seconds(kNow - 10);
  key.mutable_last_success()->set_seconds(kNow - 11);
  EXPECT_EQ(Lines(RotationTable(response, At()))[3], "    last error: connection_refused: Connection refused, 10s ago");
  key.mutable_last_success()->set_seconds(kNow - 5);
  EXPECT_THAT(RotationTable(response, At()), Not(HasSubstr("last error")));
}

TEST(RotationTableTest, SaysWhenARequestTriesADisabledKey) {
  v1::ListPoolsResponse response = Parse(kPools);
  v1::KeyStatus& key = *response.mutable_pools(0)->mutable_keys(2);
  key.mutable_available_at()->set_seconds(kNow + 90);
  key.set_tried_by(v1::KeyStatus::PROBE);
  EXPECT_EQ(Lines(RotationTable(response, At())).size(), 5U);
  EXPECT_THAT(RotationJson(response), HasSubstr(R"("tried_by":"probe")"));
  key.set_tried_by(v1::KeyStatus::REQUEST);
  EXPECT_EQ(Lines(RotationTable(response, At()))[5], "    tried by a request in 1m 30s, then at growing intervals");
  EXPECT_EQ(Lines(RotationTable(response, At(20)))[5], "    tried by a requ…");
  EXPECT_THAT(RotationJson(response), HasSubstr(R"("tried_by":"request")"));
  key.mutable_available_at()->set_seconds(kNow);
  EXPECT_EQ(Lines(RotationTable(response, At()))[5], "    tried by the next request, then at growing intervals");
}

TEST(RotationTableTest, WatchedShowsCountsAndTroubleFirst) {
  v1::ListPoolsResponse response = Parse(kPools);
  *response.add_pools() = response.pools(0);
  response.mutable_pools(1)->set_provider("other");
  ViewOptions options = At();
  options.watched = true;
  const std::vector<std::string> lines = Lines(RotationTable(response, options));
  EXPECT_EQ(lines[0], "openai: round_robin, 1/3 available, 1 cooling, 1 disabled");
  EXPECT_EQ(lines[1], "other: round_robin, 1/3 available, 1 cooling, 1 disabled");
  EXPECT_THAT(lines[5], StartsWith("  spare"));
  EXPECT_THAT(lines[6], StartsWith("  key-2"));
  EXPECT_THAT(lines[7], StartsWith("  key-1"));
}

TEST(WindowTest, ShowsAWindowAndSaysHowMuchIsMissing) {
  std::string text;
  for (int i = 0; i < 300; ++i) text += "line " + std::to_string(i) + "\n";
  size_t offset = 0;
  EXPECT_EQ(Window(text, 80, 4, &offset), "line 0\nline 1\nline 2\n0 lines above, 297 more below");
  offset = 10;
  EXPECT_EQ(Window(text, 80, 4, &offset), "line 10\nline 11\nline 12\n10 lines above, 287 more below");
  offset = 100000;
  EXPECT_EQ(Window(text, 80, 4, &offset), "line 297\nline 298\nline 299\n297 lines above, 0 more below");
  EXPECT_EQ(offset, 297U);
  EXPECT_EQ(Window(text, 80, 300, &offset), text);
  EXPECT_EQ(offset, 0U);
}

TEST(WindowTest, CountsTheRowsOfLongLines) {
  size_t offset = 0;
  EXPECT_EQ(Window("aaaaaaaaaa\nb\nc\n", 5, 3, &offset), "aaaaaaaaaa\n0 li…");
  EXPECT_EQ(Window("\x1b[31maaaaa\x1b[0m\nb\n", 5, 2, &offset), "\x1b[31maaaaa\x1b[0m\nb\n");
  EXPECT_EQ(Window("a\nb\n", 5, 0, &offset), "0 li…");
}

TEST(RotationTableTest, ColoursStatesWithoutMovingColumns) {
  ViewOptions options = At();
  options.color = true;
  const std::vector<std::string> lines = Lines(RotationTable(Parse(kPools), options));
  EXPECT_THAT(lines[2], StartsWith("  key-1  \x1b[32mactive\x1b[0m    -  "));
  EXPECT_THAT(lines[3], HasSubstr("\x1b[33mcooling\x1b[0m   rate"));
  EXPECT_THAT(lines[4], HasSubstr("\x1b[31mdisabled\x1b[0m  auth"));
}

TEST(RotationTableTest, HeaderTellsCircuitAndQueue) {
  v1::ListPoolsResponse response = Parse(kPools);
  v1::PoolStatus& pool = *response.mutable_pools(0);
  pool.set_waiting(5);
  pool.mutable_circuit()->set_state(v1::CircuitStatus::OPEN);
  pool.mutable_circuit()->mutable_retry_at()->set_seconds(kNow + 4);
  EXPECT_EQ(Lines(RotationTable(response, At()))[0],
            "openai: round_robin, 1/3 available, circuit open (trial in 4s), 1 cooling, 1 disabled, 5 waiting");
  pool.mutable_circuit()->set_reason("auth_everywhere");
  EXPECT_THAT(Lines(RotationTable(response, At()))[0], HasSubstr(", circuit open (auth_everywhere, trial in 4s), "));
  pool.mutable_circuit()->set_state(v1::CircuitStatus::HALF_OPEN);
  pool.set_enabled(false);
  EXPECT_THAT(
      Lines(RotationTable(response, At()))[0],
      StartsWith("openai: rotation off, 1/3 available, circuit half-open (auth_everywhere, one trial at a time)"));
}

TEST(RotationTableTest, SaysWhatHindersAnActiveKey) {
  v1::ListPoolsResponse response = Parse(kPools);
  v1::KeyStatus& key = *response.mutable_pools(0)->mutable_keys(0);
  key.set_available(false);
  key.set_in_flight(7);
  EXPECT_THAT(Lines(RotationTable(response, At()))[2], HasSubstr("active    -"));
  key.set_in_flight(8);
  EXPECT_THAT(Lines(RotationTable(response, At()))[2], HasSubstr("active    max_concurrent"));
  key.set_in_flight(0);
  key.set_rpm(60);
  key.set_rpm_used(60);
  EXPECT_THAT(Lines(RotationTable(response, At()))[2], HasSubstr("active    rpm"));
}

TEST(RotationTableTest, SaysWhatWasLearnedOfAKeysLimits) {
  v1::ListPoolsResponse response = Parse(kPools);
  v1::KeyStatus& key = *response.mutable_pools(0)->mutable_keys(0);
  ViewOptions wide = At();
  wide.wide = true;
  EXPECT_THAT(Lines(RotationTable(response, wide))[1], HasSubstr("PACE"));
  key.mutable_pace()->set_rpm(57.4);
  key.mutable_pace()->set_room(3.9);
  EXPECT_THAT(Lines(RotationTable(response, wide))[2], HasSubstr("57/min, room 3 "));
  key.mutable_pace()->set_rpm(4.25);
  EXPECT_THAT(Lines(RotationTable(response, wide))[2], HasSubstr("4.2/min, room 3 "));
  key.mutable_pace()->set_rpm(0);
  key.mutable_pace()->set_max_in_flight(4);
  EXPECT_THAT(Lines(RotationTable(response, wide))[2], HasSubstr("at most 4 "));
  key.set_available(false);
  key.set_in_flight(0);
  EXPECT_THAT(Lines(RotationTable(response, At()))[2], HasSubstr("active    pace"));
}

TEST(RotationTableTest, PoolsShareTheirColumns) {
  v1::ListPoolsResponse response = Parse(kPools);
  v1::PoolStatus& second = *response.add_pools();
  second.set_provider("other");
  second.set_strategy("random");
  second.add_keys()->set_name("a-longer-name");
  const std::vector<std::string> lines = Lines(RotationTable(response, At()));
  ASSERT_EQ(lines.size(), 9U);
  EXPECT_EQ(lines[1], lines[7]);
  EXPECT_EQ(lines[5], "");
}

TEST(RotationTableTest, EmptyAnswerIsSaid) {
  EXPECT_EQ(RotationTable({}, At()), "no providers\n");
}

TEST(RotationTableTest, SuccessIsNeverRoundedUpToPerfect) {
  v1::ListPoolsResponse response = Parse(kPools);
  response.mutable_pools(0)->mutable_keys(0)->set_successes(999999);
  EXPECT_THAT(RotationTable(response, At()), HasSubstr("99.9%"));
  response.mutable_pools(0)->mutable_keys(0)->set_failures(0);
  EXPECT_THAT(RotationTable(response, At()), HasSubstr("   100%"));
}

TEST(RotationJsonTest, HasTheFixedShape) {
  const boost::json::value json = boost::json::parse(RotationJson(Parse(kPools)));
  const boost::json::object& pool = json.at("pools").at(0).as_object();
  EXPECT_EQ(pool.at("provider"), "openai");
  EXPECT_EQ(pool.at("enabled"), true);
  EXPECT_EQ(pool.at("strategy"), "round_robin");
  EXPECT_EQ(pool.at("total_keys"), 3);
  EXPECT_EQ(pool.at("available_keys"), 1);
  const boost::json::value& active = pool.at("keys").at(0);
  EXPECT_EQ(active.at("name"), "key-1");
  EXPECT_EQ(active.at("fingerprint"), "00112233aabbccdd");
  EXPECT_EQ(active.at("state"), "active");
  EXPECT_TRUE(active.at("reason").is_null());
  EXPECT_TRUE(active.at("available_at").is_null());
  EXPECT_EQ(active.at("failures"), 1);
  EXPECT_EQ(active.at("in_flight"), 2);
  EXPECT_EQ(active.at("uses"), 120);
  EXPECT_EQ(active.at("successes"), 119);
  EXPECT_EQ(active.at("last_used"), "2025-12-31T23:59:57Z");
  EXPECT_TRUE(active.at("last_failure").is_null());
  EXPECT_TRUE(active.at("last_error_at").is_null());
  EXPECT_TRUE(active.at("last_error_request_id").is_null());
  const boost::json::value& cooling = pool.at("keys").at(1);
  EXPECT_EQ(cooling.at("state"), "cooling");
  EXPECT_EQ(cooling.at("reason"), "rate_limited");
  EXPECT_EQ(cooling.at("available_at"), "2026-01-01T00:02:05Z");
  EXPECT_EQ(cooling.at("last_failure"), "2025-12-31T23:59:50.500Z");
  EXPECT_EQ(pool.at("keys").at(2).at("state"), "disabled");
}

TEST(RotationJsonTest, EscapesWhatUsersWrite) {
  v1::ListPoolsResponse response = Parse(kPools);
  response.mutable_pools(0)->set_provider("a\"b\\\n");
  EXPECT_EQ(boost::json::parse(RotationJson(response)).at("pools").at(0).at("provider"), "a\"b\\\n");
  EXPECT_EQ(boost::json::parse(RotationJson({})).at("pools").as_array().size(), 0U);
}

v1::Event CoolingEvent() {
  v1::Event event;
  event.set_type(v1::Event::COOLING);
  event.mutable_time()->set_seconds(kNow + 3723);
  event.set_pool("openai");
  event.set_key_name("key-2");
  event.set_outcome(v1::OUTCOME_RATE_LIMITED);
  event.set_reason("retry-after\x1b");
  event.mutable_available_at()->set_seconds(kNow + 3726);
  return event;
}

TEST(EventTest, LineForPeople) {
  EXPECT_EQ(EventLine(CoolingEvent(), absl::UTCTimeZone()),
            "01:02:03 openai key-2 cooling rate_limited (retry-after?), back in 3s");
}

TEST(EventTest, JsonForScripts) {
  const boost::json::value json = boost::json::parse(EventJson(CoolingEvent()));
  EXPECT_EQ(json.at("type"), "cooling");
  EXPECT_EQ(json.at("provider"), "openai");
  EXPECT_EQ(json.at("outcome"), "rate_limited");
  EXPECT_EQ(json.at("available_at"), "2026-01-01T01:02:06Z");
  EXPECT_TRUE(json.at("fingerprint").is_null());
}

}  // namespace
}  // namespace ccr::cli
