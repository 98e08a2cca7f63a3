#include "proxy_fixture.h"

namespace ccr::proxy::testing {
namespace {

class StreamTest : public ProxyFixture {};

TEST_F(StreamTest, SlowReaderPausesTheProvider) {
  constexpr size_t kTotal = 64 * 1024 * 1024;
  StartUpstream([this](Peer& peer, const std::string&) {
    peer.Send("HTTP/1.1 200 OK\r\ncontent-length: " + std::to_string(kTotal) + "\r\n\r\n");
    const std::string block(64 * 1024, 'b');
    while (sent_ < kTotal && peer.Send(block)) sent_ += block.size();
    return true;
  });
  StartProxy();
  TestClient client(port(), 4096);
  client.Send(Get("/p/one/v1/big"));
  ASSERT_TRUE(client.ReceiveUntil("\r\n\r\n"));
  // The provider stalls when the buffers in between are full: the kernel's on both sides and ours.
  size_t before = 0;
  ASSERT_TRUE(Eventually([&] {
    before = sent_;
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    return sent_ == before && sent_ > 0;
  }));
  EXPECT_LT(sent_, kTotal / 2);
  while (sent_ == before) ASSERT_FALSE(client.Receive().empty());
}

TEST_F(StreamTest, WholeBodyArrivesAtASlowReader) {
  std::string body(3 * 1024 * 1024, '\0');
  for (size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>('a' + i * 31 % 26);
  Start(Answer(200, "", body));
  TestClient client(port(), 4096);
  const Response response = client.Ask(Get("/p/one/v1/big"));
  EXPECT_TRUE(response.complete);
  EXPECT_EQ(response.body == body, true);
}

TEST_F(StreamTest, ReaderThatStallsIsClosed) {
  StartUpstream([](Peer& peer, const std::string&) {
    peer.Send("HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n");
    const std::string block(64 * 1024, 'b');
    while (peer.Send(block)) continue;
    return false;
  });
  table_.idle_timeout = absl::Milliseconds(300);
  StartProxy();
  TestClient client(port(), 4096);
  client.Send(Get("/p/one/v1/big"));
  EXPECT_TRUE(Eventually([&] { return broker_.reports().size() == 1; }));
  EXPECT_TRUE(broker_.reports().at(0).evidence.client_cancelled);
}

TEST_F(StreamTest, ClientGoneCancelsTheProvider) {
  StartUpstream([this](Peer& peer, const std::string&) {
    peer.Send(std::string(kStreamHead) + Chunk("data: 1\n\n"));
    cancelled_ = peer.WaitClosed();
    return false;
  });
  StartProxy();
  TestClient client(port());
  client.Send(Post("/v1/chat/completions", kChatStream));
  ASSERT_TRUE(client.ReceiveUntil("data: 1"));
  EXPECT_FALSE(cancelled_);
  client.Close();
  EXPECT_TRUE(Eventually([&] { return cancelled_.load(); }));
  ASSERT_TRUE(Eventually([&] { return broker_.reports().size() == 1; }));
  EXPECT_TRUE(broker_.reports()[0].evidence.client_cancelled);
  EXPECT_FALSE(broker_.reports()[0].evidence.incomplete);
  EXPECT_EQ(broker_.in_flight(), 0U);
}

TEST_F(StreamTest, ClientGoneBeforeTheAnswer) {
  StartUpstream([this](Peer& peer, const std::string&) {
    cancelled_ = peer.WaitClosed();
    return false;
  });
  StartProxy();
  TestClient client(port());
  client.Send(Post("/v1/chat/completions", kChatBody));
  ASSERT_TRUE(Eventually([&] { return upstream_->requests().size() == 1; }));
  client.Close();
  EXPECT_TRUE(Eventually([&] { return cancelled_.load(); }));
  EXPECT_TRUE(Eventually([&] {
    return Metrics().find(R"(ccr_requests_total{code="499",endpoint="chat_completions",provider="one"} 1)") !=
           std::string::npos;
  }));
  EXPECT_TRUE(broker_.reports().at(0).evidence.client_cancelled);
}

TEST_F(StreamTest, ClientGoneWhileWaitingForALease) {
  StartUpstream([](Peer&, const std::string&) { return false; });
  broker_.SetSilent(true);
  StartProxy();
  TestClient client(port());
  client.Send(Post("/v1/chat/completions", kChatBody));
  ASSERT_TRUE(Eventually([&] { return Metrics().find("ccr_requests_in_flight 1\n") != std::string::npos; }));
  client.Close();
  EXPECT_TRUE(Eventually([&] { return broker_.cancelled_calls() == 1; }));
}

class DrainTest : public ProxyFixture {};

TEST_F(DrainTest, RequestsInFlightEndAndNothingNewIsTaken) {
  StartUpstream([this](Peer& peer, const std::string&) {
    peer.WaitFor(release_);
    return peer.Send(Answer(200, "", kBareAnswer));
  });
  StartProxy(2);
  TestClient idle(port());
  EXPECT_EQ(idle.Ask(Get("/health")).status, 200);
  TestClient busy(port());
  busy.Send(Post("/v1/chat/completions", kChatBody));
  ASSERT_TRUE(Eventually([&] { return upstream_->requests().size() == 1; }));

  std::atomic<bool> drained{false};
  std::thread drain([&] { drained = pool_->Drain(absl::Minutes(1)); });
  EXPECT_TRUE(idle.IsClosed());
  EXPECT_TRUE(Eventually([&] { return !TestClient(port()).connected(); }));
  EXPECT_FALSE(drained);
  release_ = true;
  const Response response = busy.Read();
  EXPECT_EQ(response.body, kBareAnswer);
  EXPECT_TRUE(response.Has("connection: close"));
  busy.Close();
  drain.join();
  EXPECT_TRUE(drained);
}

TEST_F(DrainTest, IsBounded) {
  StartUpstream([](Peer& peer, const std::string&) { return peer.WaitClosed(), false; });
  StartProxy();
  TestClient busy(port());
  busy.Send(Post("/v1/chat/completions", kChatBody));
  ASSERT_TRUE(Eventually([&] { return upstream_->requests().size() == 1; }));
  EXPECT_FALSE(pool_->Drain(absl::Milliseconds(200)));
  pool_.reset();
  EXPECT_EQ(broker_.in_flight(), 0U) << "what was cut off is reported";
  EXPECT_EQ(busy.Read().status, 0);
}

TEST_F(DrainTest, ManyClientsOverSeveralWorkers) {
  StartUpstream([](Peer& peer, const std::string&) { return peer.Send(Answer(200, "", kChatAnswer)); });
  StartProxy(3);
  std::atomic<int> good{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back([&] {
      TestClient client(port());
      for (int k = 0; k < 25; ++k) good += client.Ask(Post("/v1/chat/completions", kChatBody)).body == kChatAnswer;
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(good, 200);
  EXPECT_TRUE(Eventually([&] { return broker_.in_flight() == 0; }));
  EXPECT_EQ(broker_.reports().size(), 200U);
}

}  // namespace
}  // namespace ccr::proxy::testing
