#include "broker/base/log.h"
#include "proxy_fixture.h"

namespace ccr::proxy::testing {
namespace {

// What the requests of a test leave in the log. Read after the proxy has ended.
class AccessLogTest : public ProxyFixture {
 protected:
  void SetUp() override {
    InitLog(LogFormat::kJson, LogLevel::kInfo);
    ::testing::internal::CaptureStderr();
  }
  void TearDown() override { InitLog(LogFormat::kText, LogLevel::kInfo); }
  std::string End() {
    pool_.reset();
    return ::testing::internal::GetCapturedStderr();
  }
  static size_t Lines(const std::string& log) {
    size_t count = 0;
    for (size_t at = 0; (at = log.find(R"("event":"request")", at)) != std::string::npos; ++at) ++count;
    return count;
  }
  static ::testing::AssertionResult Holds(const std::string& log, const std::vector<std::string>& parts) {
    for (const std::string& part : parts)
      if (log.find(part) == std::string::npos) return ::testing::AssertionFailure() << part << " is not in " << log;
    return ::testing::AssertionSuccess();
  }
};

TEST_F(AccessLogTest, ARequestLeavesOneLineOfNamesAndFigures) {
  Start(JsonAnswer(200, kChatAnswer, "x-request-id: theirs\r\n"));
  Ask(Post("/v1/chat/completions", R"({"model":"one,gpt-x","messages":[{"role":"user","content":"canary-words"}]})",
           "x-request-id: mine-1\r\nx-claude-code-session-id: canary-session\r\n"));
  const std::string log = End();
  EXPECT_EQ(Lines(log), 1U);
  EXPECT_TRUE(Holds(log, {R"("id":"mine-1","client":"127.0.0.1","endpoint":"chat_completions","status":200)",
                          R"("end":"complete","outcome":"success","model":"one,gpt-x","route":"explicit")",
                          R"("provider":"one","model_sent":"gpt-x","key":"canary-key-a1","provider_id":"theirs")",
                          R"("attempts":1,"session":")", R"("lease_wait_ms":)", R"("first_byte_ms":)", R"("total_ms":)",
                          R"("tokens_in":7,"tokens_out":5})"}));
  EXPECT_EQ(log.find("canary-words"), std::string::npos);
  EXPECT_EQ(log.find("canary-session"), std::string::npos);
}

TEST_F(AccessLogTest, RequestsThatAreRefusedLeaveTheirLineToo) {
  StartUpstream([](Peer& peer, const std::string&) { return peer.Send(GoodAnswer()); });
  table_.client_token_sha256 = Sha256("canary-client-token");
  StartProxy();
  const std::string token = "x-api-key: canary-client-token\r\n";
  Ask(Get("/v1/models"));
  Ask(Get("/health", "origin: https://evil.example\r\n"));
  Ask(Get("/nowhere", token));
  broker_.Refuse({absl::ResourceExhaustedError("none"), std::nullopt});
  Ask(Post("/v1/chat/completions", kChatBody, token));
  broker_.Refuse({absl::UnavailableError("away"), std::nullopt});
  Ask(Post("/v1/chat/completions", kChatBody, token));
  const std::string log = End();
  EXPECT_TRUE(Holds(
      log, {R"("status":401,"end":"refused")", R"("endpoint":"health","status":403,"end":"refused")", R"("status":404)",
            R"("status":429,"end":"complete","model":"gpt-x","route":"listed","provider":"one")", R"("status":503)"}));
  EXPECT_EQ(log.find("canary-client-token"), std::string::npos);
}

TEST_F(AccessLogTest, AStreamThatIsCutSaysHowItEnded) {
  StartUpstream([this](Peer& peer, const std::string& request) {
    peer.Send(kStreamHead);
    peer.Send(Chunk("data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n"));
    while (request.find("stay") != std::string::npos && !finish_) std::this_thread::yield();
    return false;
  });
  StartProxy();
  Ask(Post("/v1/chat/completions", R"({"model":"gpt-x","stream":true,"messages":[]})"));
  {
    TestClient client(port());
    client.Send(Post("/v1/chat/completions", R"({"model":"gpt-x","stream":true,"user":"stay","messages":[]})"));
    client.ReceiveUntil("data: ");
  }
  EXPECT_TRUE(Eventually([this] { return broker_.reports().size() == 2; }));
  finish_ = true;
  const std::string log = End();
  EXPECT_EQ(Lines(log), 2U);
  EXPECT_TRUE(Holds(log, {R"("status":200,"end":"cut","outcome":"upstream_failure")",
                          R"("status":200,"end":"client_gone","outcome":"neutral")"}));
}

TEST_F(AccessLogTest, NothingIsWrittenAboveInfo) {
  InitLog(LogFormat::kText, LogLevel::kWarn);
  Start(GoodAnswer());
  Chat();
  EXPECT_EQ(End(), "");
}

}  // namespace
}  // namespace ccr::proxy::testing
