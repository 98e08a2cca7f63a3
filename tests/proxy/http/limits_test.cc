#include "proxy/request/gate.h"
#include "proxy_fixture.h"

namespace ccr::proxy::testing {
namespace {

class LimitsTest : public ProxyFixture {
 protected:
  void StartGood() { Start(JsonAnswer(200, kBareAnswer)); }
  void Prepare() {
    StartUpstream([](Peer& peer, const std::string&) { return peer.Send(Answer(200, "", kBareAnswer)); });
  }
};

TEST_F(LimitsTest, HeadSize) {
  StartGood();
  const std::string filler(60 * 1024, 'x');
  EXPECT_EQ(Ask(Get("/health", "x-filler: " + filler + "\r\n")).status, 200);
  const Response response = Ask(Get("/health", "x-filler: " + filler + filler + "\r\n"));
  EXPECT_EQ(response.status, 431);
  EXPECT_TRUE(response.Has("connection: close"));
}

TEST_F(LimitsTest, BodySizeByContentLengthIsRefusedBeforeTheBody) {
  Prepare();
  table_.max_body_bytes = 1000;
  StartProxy();
  const std::string head = "POST /v1/messages HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: ";
  const Response response = Ask(head + "1001\r\n\r\n");
  EXPECT_EQ(response.status, 413);
  EXPECT_TRUE(response.body.starts_with(R"({"type":"error")")) << response.body;
  const std::string body = R"({"model":"claude-s","x":")" + std::string(1000 - 27, 'x') + "\"}";
  ASSERT_EQ(body.size(), 1000U);
  EXPECT_EQ(Ask(Post("/v1/messages", body)).status, 200);
}

TEST_F(LimitsTest, BodySizeOfChunksIsCounted) {
  Prepare();
  table_.max_body_bytes = 1000;
  StartProxy();
  const std::string head =
      "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n";
  const std::string half = Chunk(std::string(500, 'x'));
  EXPECT_EQ(Ask(head + half + half + Chunk("y") + "0\r\n\r\n").status, 413);
  EXPECT_EQ(Ask(head + Chunk(kChatBody.substr(0, 10)) + Chunk(kChatBody.substr(10)) + "0\r\n\r\n").status, 200);
  EXPECT_EQ(upstream_->CountWith(kChatBody), 1U);
}

TEST_F(LimitsTest, AnswerToAHugeBodyIsNotLostToAReset) {
  Prepare();
  table_.max_body_bytes = 1000;
  StartProxy();
  TestClient client(port());
  client.Send("POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4000000\r\n\r\n");
  client.Send(std::string(4000000, 'x'));
  EXPECT_EQ(client.Read().status, 413);
}

TEST_F(LimitsTest, BodyOf50MegabytesPasses) {
  StartGood();
  const std::string body = R"({"model":"gpt-x","x":")" + std::string(50 * 1024 * 1024 - 24, 'x') + "\"}";
  ASSERT_EQ(body.size(), 50U * 1024 * 1024);
  EXPECT_EQ(Ask(Post("/v1/chat/completions", body)).status, 200);
  EXPECT_EQ(upstream_->requests().at(0).size() > body.size(), true);
}

TEST_F(LimitsTest, HeaderTimeout) {
  Prepare();
  table_.header_timeout = absl::Milliseconds(200);
  StartProxy();
  EXPECT_EQ(Ask("GET /health HTT").status, 408);
}

TEST_F(LimitsTest, IdleKeepAliveIsClosedWithoutAWord) {
  Prepare();
  table_.idle_timeout = absl::Milliseconds(300);
  StartProxy();
  TestClient client(port());
  EXPECT_EQ(client.Ask(Get("/health")).status, 200);
  EXPECT_TRUE(client.IsClosed());
}

TEST_F(LimitsTest, StalledBodyIsClosed) {
  Prepare();
  table_.idle_timeout = absl::Milliseconds(300);
  StartProxy();
  TestClient client(port());
  client.Send("POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\nabc");
  EXPECT_TRUE(client.IsClosed());
}

TEST_F(LimitsTest, ExpectContinueIsHonoured) {
  StartGood();
  TestClient client(port());
  client.Send("POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: " +
              std::to_string(kChatBody.size()) + "\r\n\r\n");
  EXPECT_TRUE(client.ReceiveUntil("HTTP/1.1 100 Continue\r\n\r\n"));
  client.Send(kChatBody);
  EXPECT_EQ(client.Read().status, 200);
}

TEST_F(LimitsTest, MalformedRequests) {
  StartGood();
  for (std::string_view request :
       {"nonsense\r\n\r\n", "GET /health HTTP/3.0\r\n\r\n", "GET /health HTTP/1.1\r\nbad header: x\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: gzip\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\n\r\n", "GET / HTTP/1.1\r\naccept: x\r\n\r\n"}) {
    const Response response = Ask(request);
    EXPECT_EQ(response.status, 400) << request;
    EXPECT_TRUE(response.Has("connection: close")) << request;
  }
}

TEST_F(LimitsTest, Http10) {
  StartUpstream([](Peer& peer, const std::string&) {
    return peer.Send(std::string(kStreamHead) + Chunk("data: {}\n\ndata: [DONE]\n\n") + "0\r\n\r\n");
  });
  StartProxy();
  TestClient plain(port());
  EXPECT_EQ(plain.Ask("GET /health HTTP/1.0\r\n\r\n").status, 200);
  EXPECT_TRUE(plain.IsClosed());
  TestClient client(port());
  const Response response =
      client.Ask("POST /v1/chat/completions HTTP/1.0\r\nconnection: keep-alive\r\ncontent-length: " +
                 std::to_string(kChatStream.size()) + "\r\n\r\n" + std::string(kChatStream));
  EXPECT_FALSE(response.Has("chunked"));
  EXPECT_EQ(response.body, "data: {}\n\ndata: [DONE]\n\n");
}

TEST_F(LimitsTest, OverTheCapTheOneThatIsIdleForLongestGoes) {
  Prepare();
  table_.max_connections = 2;
  StartProxy();
  TestClient silent(port());
  TestClient served(port());
  EXPECT_EQ(served.Ask(Get("/health")).status, 200);
  TestClient third(port());
  EXPECT_EQ(third.Ask(Get("/health")).status, 200);
  EXPECT_TRUE(silent.IsClosed());
  EXPECT_EQ(served.Ask(Get("/health")).status, 200);
  TestClient fourth(port());
  EXPECT_EQ(fourth.Ask(Get("/health")).status, 200);
  EXPECT_TRUE(third.IsClosed());
}

// The kernel chooses the worker of each.
TEST_F(LimitsTest, AnIdleConnectionOfAnotherWorkerMakesRoomToo) {
  Prepare();
  table_.max_connections = 1;
  StartProxy(/*workers=*/4);
  std::vector<std::unique_ptr<TestClient>> clients;
  for (int i = 0; i < 16; ++i) {
    clients.push_back(std::make_unique<TestClient>(port()));
    EXPECT_EQ(clients.back()->Ask(Get("/health")).status, 200) << i;
    if (i > 0) EXPECT_TRUE(clients[i - 1]->IsClosed()) << i;
    ASSERT_TRUE(Eventually([&] { return shared_.count.idle == 1; })) << "an answer is read before its turn ends";
  }
  EXPECT_EQ(clients.back()->Ask(Get("/health")).status, 200);
  EXPECT_EQ(shared_.count.open, 1);
  EXPECT_TRUE(Eventually([&] { return shared_.count.idle == 1; }));
}

TEST_F(LimitsTest, BusyConnectionsAreNotClosedForOthers) {
  StartUpstream([this](Peer& peer, const std::string&) {
    peer.WaitFor(release_);
    return peer.Send(GoodAnswer());
  });
  table_.max_connections = 2;
  StartProxy();
  {
    TestClient first(port());
    TestClient second(port());
    first.Send(Post("/v1/chat/completions", kChatBody));
    second.Send(Post("/v1/chat/completions", kChatBody));
    ASSERT_TRUE(Eventually([&] { return upstream_->requests().size() == 2; }));
    const Response response = Ask(Get("/health"));
    EXPECT_EQ(response.status, 503);
    EXPECT_TRUE(response.Has("retry-after: 1\r\n"));
    EXPECT_NE(Metrics().find("ccr_connections_rejected_total 1"), std::string::npos);
    release_ = true;
    EXPECT_EQ(first.Read().status, 200);
    EXPECT_EQ(second.Read().status, 200);
  }
  EXPECT_TRUE(Eventually([&] { return Ask(Get("/health")).status == 200; }));
}

TEST_F(LimitsTest, ThousandsOfIdleConnectionsLeaveRoomForOthers) {
  StartUpstream([](Peer& peer, const std::string&) { return peer.Send(GoodAnswer()); });
  shared_.clients.served = 20;
  StartProxy();
  std::vector<std::unique_ptr<TestClient>> idle;
  for (int i = 0; i < 200; ++i) {
    idle.push_back(std::make_unique<TestClient>(port()));
    idle.back()->Send("GET / HTTP/1.1\r\nhost: localhost\r\n");
    if (i % 50 == 49) EXPECT_EQ(Chat().status, 200);
  }
  EXPECT_LE(shared_.count.open, 20);
}

class AccessTest : public LimitsTest {};

TEST_F(AccessTest, ClientToken) {
  Prepare();
  table_.client_token_sha256 = Sha256("canary-client-token");
  StartProxy();
  const std::string request = std::string(R"({"model":"gpt-x"})");
  EXPECT_EQ(Ask(Post("/v1/chat/completions", request)).status, 401);
  EXPECT_EQ(Ask(Post("/v1/chat/completions", request, "authorization: Bearer canary-client-toke\r\n")).status, 401);
  EXPECT_EQ(Ask(Post("/v1/chat/completions", request, "authorization: Bearer canary-client-token\r\n")).status, 200);
  EXPECT_EQ(Ask(Post("/v1/chat/completions", request, "x-api-key: canary-client-token\r\n")).status, 200);
  EXPECT_EQ(Ask(Get("/v1/models")).status, 401);
  EXPECT_EQ(Ask(Get("/p/one/v1/models")).status, 401);
  EXPECT_EQ(Ask(Get("/health")).status, 200);
  EXPECT_EQ(Ask(Get("/")).status, 200);
  EXPECT_EQ(upstream_->requests().size(), 2U);
}

TEST_F(AccessTest, ForeignHostAndOrigin) {
  StartGood();
  EXPECT_EQ(Ask("GET /health HTTP/1.1\r\nhost: evil.example\r\n\r\n").status, 403);
  EXPECT_EQ(Ask(Get("/health", "origin: https://evil.example\r\n")).status, 403);
  const Response local = Ask(Get("/health", "origin: http://localhost:3000\r\n"));
  EXPECT_EQ(local.status, 200);
  EXPECT_FALSE(local.Has("access-control"));
}

TEST_F(AccessTest, PeersFromElsewhereNeedAToken) {
  Request request;
  Target health;
  health.endpoint = Endpoint::kHealth;
  EXPECT_EQ(RefuseEntry(request, health, RoutingTable(), {"0.0.0.0", false})->status, 403);
  EXPECT_FALSE(RefuseEntry(request, health, RoutingTable(), {"0.0.0.0", true}));
  RoutingTable table;
  table.client_token_sha256 = Sha256("canary-client-token");
  EXPECT_FALSE(RefuseEntry(request, health, table, {"0.0.0.0", false}));
}

TEST_F(AccessTest, BrokerAway) {
  Prepare();
  with_table_ = false;
  shared_.broker_wait = absl::Minutes(1);
  StartProxy();
  const Response health = Ask(Get("/health"));
  EXPECT_EQ(health.status, 503);
  TestClient waiting(port());
  waiting.Send(Post("/v1/chat/completions", kChatBody));
  EXPECT_FALSE(waiting.IsClosed(std::chrono::milliseconds(200)));
  broker_.SetTable(table_);
  EXPECT_EQ(waiting.Read().status, 200) << "it waited for the broker";
}

TEST_F(AccessTest, TheTokenIsAskedForOnceTheBrokerIsThere) {
  Prepare();
  with_table_ = false;
  shared_.broker_wait = absl::Minutes(1);
  StartProxy();
  TestClient waiting(port());
  waiting.Send(Post("/v1/chat/completions", kChatBody));
  EXPECT_FALSE(waiting.IsClosed(std::chrono::milliseconds(100)));
  table_.client_token_sha256 = Sha256("canary-client-token");
  broker_.SetTable(table_);
  EXPECT_EQ(waiting.Read().status, 401);
}

TEST_F(AccessTest, BrokerAwayForLongIs503) {
  Prepare();
  with_table_ = false;
  shared_.broker_wait = absl::Milliseconds(300);
  StartProxy();
  const auto began = std::chrono::steady_clock::now();
  const Response response = Ask(Post("/v1/messages", R"({"model":"claude-s"})"));
  EXPECT_GE(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(300));
  EXPECT_EQ(response.status, 503);
  EXPECT_TRUE(response.Has("retry-after: 1\r\n"));
  EXPECT_TRUE(response.body.starts_with(R"({"type":"error")"));
}

TEST_F(AccessTest, TakenAddressIsNamed) {
  StartGood();
  const auto second = WorkerPool::Start({"127.0.0.1", port()}, 1, shared_, [this](boost::asio::io_context& loop) {
    return std::make_unique<FakeLeaseSource>(loop, broker_);
  });
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.status().message().find("127.0.0.1:" + std::to_string(port())), absl::string_view::npos);
}

}  // namespace
}  // namespace ccr::proxy::testing
