#include "proxy_fixture.h"

namespace ccr::proxy::testing {
namespace {

class RotationTest : public ProxyFixture {
 protected:
  // Key a1 gets `first`, the others are good. Empty = the connection is cut.
  void StartWithBadKey(std::string first) {
    StartUpstream([first = std::move(first)](Peer& peer, const std::string& request) {
      const bool bad = request.find("canary-key-a1") != std::string::npos;
      return peer.Send(bad ? first : GoodAnswer()) && !(bad && !first.ends_with("}"));
    });
    StartProxy();
  }
  void ExpectOtherKeyAnswers() {
    const Response response = Chat();
    EXPECT_EQ(response.status, 200) << response.head << response.body;
    EXPECT_EQ(response.body, kChatAnswer);
    EXPECT_EQ(upstream_->CountWith("canary-key-a1"), 1U);
    EXPECT_EQ(upstream_->CountWith("canary-key-b2"), 1U);
    ASSERT_TRUE(Eventually([&] { return broker_.in_flight() == 0; }));
    const auto reports = broker_.reports();
    ASSERT_EQ(reports.size(), 2U);
    EXPECT_EQ(reports[0].key, "canary-key-a1");
    EXPECT_TRUE(reports[0].asked_for_next) << "report and next lease go in one round trip";
    EXPECT_EQ(reports[1].evidence.http_status, 200);
  }
};

TEST_F(RotationTest, On401) {
  StartWithBadKey(Answer(401, "", R"({"error":{"type":"authentication_error"}})"));
  ExpectOtherKeyAnswers();
  EXPECT_EQ(broker_.reports()[0].evidence.error_type, "authentication_error");
}
// Its beginning decides, and its end is not waited for.
TEST_F(RotationTest, On401WithALargeBody) {
  const std::string filler(Attempt::kMaxHeldBody, ' ');
  StartUpstream([&](Peer& peer, const std::string& request) {
    if (request.find("canary-key-a1") == std::string::npos) return peer.Send(GoodAnswer());
    return peer.Send("HTTP/1.1 401 X\r\ncontent-length: 10000000\r\n\r\n{\"error\":{}}" + filler) && peer.WaitClosed();
  });
  StartProxy();
  ExpectOtherKeyAnswers();
  EXPECT_EQ(broker_.reports()[0].evidence.http_status, 401);
}
TEST_F(RotationTest, ALargeErrorThatNobodyElseCanServeIsCut) {
  Start(Answer(400, "content-type: application/json\r\n", std::string(3 * Attempt::kMaxHeldBody, 'x')));
  const Response response = Chat();
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.body, std::string(Attempt::kMaxHeldBody, 'x'));
  EXPECT_TRUE(response.complete);
}
TEST_F(RotationTest, On429) {
  StartWithBadKey(Answer(429, "retry-after: 3\r\n", R"({"error":{}})"));
  ExpectOtherKeyAnswers();
  EXPECT_EQ(broker_.reports()[0].evidence.retry_after, absl::Seconds(3));
}
TEST_F(RotationTest, On500) {
  StartWithBadKey(Answer(500, "", "{}"));
  ExpectOtherKeyAnswers();
}
TEST_F(RotationTest, OnQuota) {
  StartWithBadKey(Answer(429, "", R"({"error":{"code":"insufficient_quota"}})"));
  ExpectOtherKeyAnswers();
}
TEST_F(RotationTest, OnCutBeforeTheHead) {
  StartWithBadKey("");
  ExpectOtherKeyAnswers();
  EXPECT_EQ(broker_.reports()[0].evidence.transport_error, TransportError::kRead);
}
TEST_F(RotationTest, OnCutBehindTheHead) {
  StartWithBadKey("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n");
  ExpectOtherKeyAnswers();
}
TEST_F(RotationTest, OnCutInsideAPlainBody) {
  StartWithBadKey("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"half\":");
  ExpectOtherKeyAnswers();
}
TEST_F(RotationTest, OnHang) {
  StartUpstream([](Peer& peer, const std::string& request) {
    if (request.find("canary-key-a1") != std::string::npos) return peer.WaitClosed(), false;
    return peer.Send(GoodAnswer());
  });
  table_.providers[0].first_byte_timeout = absl::Seconds(3);  // the good key must answer in it
  StartProxy();
  ExpectOtherKeyAnswers();
  EXPECT_EQ(broker_.reports()[0].evidence.transport_error, TransportError::kFirstByteTimeout);
}

TEST_F(RotationTest, OnConnectFailureTheClientLearnsThatTheProviderIsAway) {
  StartUpstream([](Peer&, const std::string&) { return false; });
  table_.providers[0].base_url = "http://127.0.0.1:1/v1/chat/completions";
  table_.providers[0].max_retries = 0;
  StartProxy();
  const Response response = Chat();
  EXPECT_EQ(response.status, 502);
  EXPECT_NE(response.body.find("provider 'one' cannot be reached: Connection refused"), std::string::npos)
      << response.body;
  EXPECT_EQ(response.body.find("127.0.0.1"), std::string::npos);
}

TEST_F(RotationTest, CallersFaultIsRelayedOnce) {
  const std::string body = R"({"error":{"message":"max_tokens: odd",  "type":"invalid_request_error"}})";
  Start(Answer(400, "content-type: application/json\r\nx-request-id: r1\r\n", body));
  const Response response = Chat();
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.body, body);
  EXPECT_TRUE(response.Has("x-request-id: r1\r\n"));
  EXPECT_EQ(upstream_->requests().size(), 1U);
  ASSERT_EQ(broker_.reports().size(), 1U);
  EXPECT_TRUE(broker_.reports()[0].asked_for_next) << "whose fault it was the broker says";
}

TEST_F(RotationTest, NothingIsReplayedAfterTheFirstByte) {
  StartUpstream(
      [](Peer& peer, const std::string&) { return peer.Send(std::string(kStreamHead) + Chunk("data: 1\n\n")), false; });
  StartProxy();
  const Response response = Ask(Post("/v1/chat/completions", kChatStream));
  EXPECT_EQ(response.status, 200);
  EXPECT_TRUE(response.complete) << "the chunked body ends properly";
  EXPECT_TRUE(response.body.starts_with("data: 1\n\n")) << response.body;
  EXPECT_NE(response.body.find("\"error\""), std::string::npos) << response.body;
  EXPECT_EQ(upstream_->requests().size(), 1U);
  ASSERT_TRUE(Eventually([&] { return broker_.reports().size() == 1; }));
  EXPECT_TRUE(broker_.reports()[0].evidence.incomplete);
}

TEST_F(RotationTest, CutOfALargePlainBodyIsSeenByTheClient) {
  StartUpstream([](Peer& peer, const std::string&) {
    return peer.Send("HTTP/1.1 200 OK\r\ncontent-length: 200000\r\n\r\n" + std::string(100000, 'h')), false;
  });
  StartProxy();
  const Response response = Chat();
  EXPECT_EQ(response.status, 200);
  EXPECT_FALSE(response.body.empty());
  EXPECT_FALSE(response.complete);
  EXPECT_EQ(upstream_->requests().size(), 1U);
}

TEST_F(RotationTest, AnthropicStreamsEndWithAnErrorEvent) {
  StartUpstream([](Peer& peer, const std::string&) {
    return peer.Send(std::string(kStreamHead) + Chunk("event: message_start\ndata: {}\n\nevent: ping\ndata: {}")),
           false;
  });
  StartProxy();
  const Response response = Ask(Post("/v1/messages", R"({"model":"claude-s","stream":true})"));
  EXPECT_TRUE(response.complete);
  EXPECT_TRUE(
      response.body.starts_with("event: message_start\ndata: {}\n\nevent: ping\ndata: {}\n\nevent: error\ndata: "
                                "{\"type\":\"error\""))
      << response.body;
}

TEST_F(RotationTest, FaultsOfOurKeysAreNotTheClients) {
  Start(Answer(401, "", R"({"error":{"message":"canary-key-a1 is wrong"}})"));
  const Response response = Chat();
  EXPECT_EQ(response.status, 502);
  EXPECT_NE(response.body.find("accepts none of the keys"), std::string::npos) << response.body;
  EXPECT_EQ(response.body.find("canary"), std::string::npos);
  EXPECT_NE(response.body.find("(3)"), std::string::npos) << response.body;
  EXPECT_EQ(upstream_->requests().size(), 3U) << "each key once";
  const auto requests = broker_.lease_requests();
  EXPECT_EQ(requests[0].retry_of, "");
  EXPECT_EQ(requests[1].retry_of, "lease-1");
  EXPECT_EQ(requests[2].retry_of, "lease-2");
  for (const LeaseRequest& request : requests) EXPECT_GT(request.estimated_tokens, 0U);
  for (const auto& report : broker_.reports()) EXPECT_FALSE(report.evidence.foreign_path);
}

// The answer to a path that the client chose is the client's to read.
TEST_F(RotationTest, ARefusedForeignPathIsRelayedAndSaidToBeOne) {
  const std::string body = R"({"error":{"message":"no such right"}})";
  Start(Answer(401, "", body));
  const Response response = Ask(Get("/p/one/x/admin"));
  EXPECT_EQ(response.status, 401);
  EXPECT_EQ(response.body, body);
  ASSERT_EQ(broker_.reports().size(), 3U);
  for (const auto& report : broker_.reports()) EXPECT_TRUE(report.evidence.foreign_path);
}

TEST_F(RotationTest, AllRateLimitedIs429WithATrueRetryAfter) {
  const std::string body = R"({"error":{"message":"slow down"}})";
  Start(Answer(429, "retry-after: 30\r\n", body));
  const Response response = Chat();
  EXPECT_EQ(response.status, 429);
  EXPECT_EQ(response.body, body);
  EXPECT_TRUE(response.Has("retry-after: 30\r\n")) << response.head;
  EXPECT_EQ(response.head.find("retry-after"), response.head.rfind("retry-after"));
}

// The provider does not say how long its keys rest, or says nonsense: the broker knows.
TEST_F(RotationTest, ARetryAfterThatIsMissingOrNonsenseIsTheBrokers) {
  std::atomic<const char*> told = "";
  StartUpstream([&](Peer& peer, const std::string&) { return peer.Send(Answer(429, told.load(), "{}")); });
  StartProxy();
  for (const char* line : {"", "retry-after: nan\r\n", "retry-after: -inf\r\n", "retry-after: 1e999\r\n",
                           "retry-after: 0x10\r\n", "retry-after: soon\r\n", "retry-after: -5\r\n"}) {
    told = line;
    broker_.Heal();
    const Response response = Chat();
    EXPECT_EQ(response.status, 429);
    EXPECT_TRUE(response.Has("retry-after: 3\r\n")) << "2.5 s until the broker's earliest key: " << response.head;
    EXPECT_EQ(response.head.find("retry-after"), response.head.rfind("retry-after"));
  }
  told = "retry-after: 99999999999999999999999\r\n";
  broker_.Heal();
  EXPECT_TRUE(Chat().Has("retry-after: 86400\r\n"));
}

TEST_F(RotationTest, ProvidersFaultIsRetriedMaxRetriesTimesAndRelayed) {
  StartUpstream([](Peer& peer, const std::string&) { return peer.Send(Answer(500, "x-try: 1\r\n", "broken")); });
  table_.providers[0].max_retries = 2;
  StartProxy();
  const Response response = Chat();
  EXPECT_EQ(response.status, 500);
  EXPECT_EQ(response.body, "broken");
  EXPECT_EQ(upstream_->requests().size(), 3U);
  EXPECT_EQ(broker_.in_flight(), 0U);
}

TEST_F(RotationTest, WithOneKeyARetryWaitsForBackoff) {
  std::atomic<int> count{0};
  StartUpstream([&](Peer& peer, const std::string&) {
    return peer.Send(++count == 1 ? Answer(500, "", "broken") : GoodAnswer());
  });
  broker_.SetKeys({"canary-key-a1"});
  StartProxy();
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(Chat().status, 200);
  EXPECT_GE(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(100));
  EXPECT_EQ(count, 2);
}

TEST_F(RotationTest, RetriesCanBeOff) {
  StartUpstream([](Peer& peer, const std::string&) { return peer.Send(Answer(500, "", "broken")); });
  table_.providers[0].retry_on_failure = false;
  StartProxy();
  EXPECT_EQ(Chat().body, "broken");
  EXPECT_EQ(upstream_->requests().size(), 1U);
}

TEST_F(RotationTest, A403OfEveryKeyMeansTheRequest) {
  Start(Answer(403, "", R"({"error":{"message":"model not allowed"}})"));
  const Response response = Chat();
  EXPECT_EQ(response.status, 403);
  EXPECT_NE(response.body.find("model not allowed"), std::string::npos);
  EXPECT_EQ(upstream_->requests().size(), 3U);
}

struct RefusalCase {
  absl::Status status;
  std::optional<absl::Duration> retry_after;
  int expected;
  std::string_view header;
};

class RefusalTest : public ProxyFixture, public ::testing::WithParamInterface<RefusalCase> {};

TEST_P(RefusalTest, HasItsStatusInTheClientsFormat) {
  StartUpstream([](Peer&, const std::string&) { return false; });
  broker_.Refuse({GetParam().status, GetParam().retry_after});
  StartProxy();
  const Response response = Ask(Post("/v1/messages", R"({"model":"claude-s"})"));
  EXPECT_EQ(response.status, GetParam().expected);
  EXPECT_TRUE(response.body.starts_with(R"({"type":"error")")) << response.body;
  EXPECT_EQ(response.Has("retry-after"), !GetParam().header.empty());
  EXPECT_TRUE(response.Has(GetParam().header)) << response.head;
  EXPECT_TRUE(upstream_->requests().empty());
}

INSTANTIATE_TEST_SUITE_P(
    All, RefusalTest,
    ::testing::Values(
        RefusalCase{absl::ResourceExhaustedError(""), absl::Milliseconds(1000), 429, "retry-after: 1\r\n"},
        RefusalCase{absl::ResourceExhaustedError(""), absl::Milliseconds(1001), 429, "retry-after: 2\r\n"},
        RefusalCase{absl::ResourceExhaustedError(""), absl::ZeroDuration(), 429, "retry-after: 1\r\n"},
        RefusalCase{absl::FailedPreconditionError(""), std::nullopt, 503, ""},
        RefusalCase{absl::UnavailableError(""), std::nullopt, 503, "retry-after: 1\r\n"}));

TEST_F(RotationTest, DeadlineOfTheWholeRequest) {
  StartUpstream([](Peer& peer, const std::string&) { return peer.WaitClosed(), false; });
  table_.api_timeout = absl::Seconds(2);
  StartProxy();
  EXPECT_EQ(Chat().status, 504);
  ASSERT_EQ(broker_.reports().size(), 1U);
  EXPECT_EQ(broker_.reports()[0].evidence.transport_error, TransportError::kFirstByteTimeout);
  EXPECT_EQ(broker_.in_flight(), 0U);
}

TEST_F(RotationTest, DeadlineWhileWaitingForALease) {
  StartUpstream([](Peer&, const std::string&) { return false; });
  table_.api_timeout = absl::Seconds(1);
  broker_.SetSilent(true);
  StartProxy();
  EXPECT_EQ(Chat().status, 504);
  EXPECT_EQ(broker_.cancelled_calls(), 1U);
}

TEST_F(RotationTest, RetriesAreCounted) {
  StartWithBadKey(Answer(401, "", "{}"));
  ExpectOtherKeyAnswers();
  ASSERT_TRUE(Eventually([&] { return Metrics().find("ccr_requests_in_flight 0\n") != std::string::npos; }));
  EXPECT_NE(Metrics().find(R"(ccr_retries_total{kind="rotate",provider="one"} 1)"), std::string::npos);
  EXPECT_NE(Metrics().find(R"(ccr_upstream_attempts_total{outcome="auth",provider="one"} 1)"), std::string::npos);
}

}  // namespace
}  // namespace ccr::proxy::testing
