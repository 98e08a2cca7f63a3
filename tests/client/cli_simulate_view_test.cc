#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <string>

#include "client/cli/simulate/simulate_view.h"
#include "google/protobuf/text_format.h"

namespace ccr::cli {
namespace {

namespace v1 = ::ccr::broker::v1;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kSimulation = R"pb(
  pools {
    provider: "openai"
    from { seconds: 1767225600 }
    until { seconds: 1767229200 }
    truncated: true
    recorded {
      strategy: "round_robin"
      requests: 1000
      served: 990
      errors: 4
      own_faults: 5
      left: 1
      attempts: 1050
      wasted: 51
      wait_p99_ms: 1250
      keys { name: "key-1" attempts: 700 served: 680 }
      keys { name: "key-2" attempts: 350 served: 310 }
      keys { name: "never-used" }
    }
    configured {
      strategy: "round_robin"
      requests: 1000
      attempts: 1000
      keys { name: "key-1" attempts: 500 }
      keys { name: "key-2" attempts: 500 }
    }
    proposed {
      strategy: "fill_first"
      requests: 1000
      attempts: 1000
      wait_p50_ms: 65000
      keys { name: "key-1" attempts: 1000 }
      keys { name: "added" }
    }
  }
)pb";

v1::SimulateResponse Response() {
  v1::SimulateResponse response;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(kSimulation, &response));
  return response;
}

TEST(SimulationTableTest, SideBySide) {
  EXPECT_EQ(SimulationTable(Response(), absl::UTCTimeZone()),
            "openai   the last 1000 requests, 2026-01-01 00:00:00 to 01:00:00\n"
            "                    RECORDED   AS CONFIGURED     PROPOSED\n"
            "  strategy       round_robin     round_robin   fill_first\n"
            "  requests              1000            1000         1000\n"
            "  served          990  99.0%               0            0\n"
            "  errors             4  0.4%               0            0\n"
            "  own faults               5               0            0\n"
            "  clients left             1               0            0\n"
            "  attempts              1050            1000         1000\n"
            "  wasted            51  4.9%               0            0\n"
            "  wait p50                 0               0       1m 05s\n"
            "  wait p99           1250 ms               0            0\n"
            "  key-1                66.7%           50.0%       100.0%\n"
            "  key-2                33.3%           50.0%            -\n"
            "  added                    -               -         0.0%\n");
}

TEST(SimulationTableTest, WithoutAProposalThereAreTwoColumns) {
  v1::SimulateResponse response = Response();
  response.mutable_pools(0)->clear_proposed();
  EXPECT_THAT(SimulationTable(response, absl::UTCTimeZone()), Not(HasSubstr("PROPOSED")));
}

TEST(SimulationTableTest, NamesCannotSteerTheTerminal) {
  v1::SimulateResponse response = Response();
  response.mutable_pools(0)->mutable_recorded()->mutable_keys(0)->set_name("\x1b[2Jkey");
  EXPECT_THAT(SimulationTable(response, absl::UTCTimeZone()), Not(HasSubstr("\x1b")));
}

TEST(SimulationJsonTest, IsOneLineWithAllOfIt) {
  const std::string text = SimulationJson(Response());
  EXPECT_THAT(text, Not(HasSubstr("\n")));
  const boost::json::value json = boost::json::parse(text);
  const boost::json::value& pool = json.at("pools").at(0);
  EXPECT_EQ(pool.at("provider").as_string(), "openai");
  EXPECT_EQ(pool.at("from").as_string(), "2026-01-01T00:00:00Z");
  EXPECT_EQ(pool.at("truncated").as_bool(), true);
  EXPECT_EQ(pool.at("recorded").at("wasted").to_number<int>(), 51);
  EXPECT_EQ(pool.at("proposed").at("keys").at(0).at("attempts").to_number<int>(), 1000);
  v1::SimulateResponse response = Response();
  response.mutable_pools(0)->clear_proposed();
  EXPECT_TRUE(boost::json::parse(SimulationJson(response)).at("pools").at(0).at("proposed").is_null());
}

}  // namespace
}  // namespace ccr::cli
