// The broker hears of a good answer when it has begun, not only when it is over.
#include <memory>

#include "proxy_fixture.h"

namespace ccr::proxy::testing {
namespace {

constexpr std::string_view kEvent = "data: {\"choices\":[{\"delta\":{\"content\":\"hello\"}}]}\n\n";
constexpr std::string_view kEnd = "data: [DONE]\n\n";
constexpr std::string_view kError = "data: {\"error\":{\"code\":503}}\n\n";
constexpr std::string_view kComment = ": PROCESSING\n\n";

class ProgressTest : public ProxyFixture {
 protected:
  // A stream that begins with `first`, goes on with `rest` once released, and ends when it should finish.
  void StartStream(std::string first, std::string rest = "") {
    StartUpstream([this, first = std::move(first), rest = std::move(rest)](Peer& peer, const std::string&) {
      peer.Send(std::string(kStreamHead) + Chunk(first));
      peer.WaitFor(release_);
      if (!rest.empty()) peer.Send(Chunk(rest));
      peer.WaitFor(finish_);
      return peer.Send(Chunk(kEnd) + Chunk(""));
    });
    StartProxy();
  }
  bool Reported() {
    return Eventually([&] { return broker_.reports().size() == 1; });
  }
};

TEST_F(ProgressTest, AStreamProgressesWithItsFirstEvent) {
  StartStream(std::string(kEvent));
  TestClient client(port());
  client.Send(Post("/v1/chat/completions", kChatStream));
  ASSERT_TRUE(client.ReceiveUntil("hello"));
  ASSERT_TRUE(Eventually([&] { return broker_.begun().size() == 1; }));
  EXPECT_EQ(broker_.begun()[0].key, "canary-key-a1");
  EXPECT_EQ(broker_.begun()[0].status, 200);
  EXPECT_EQ(broker_.in_flight(), 1U);
  EXPECT_TRUE(broker_.reports().empty());
  release_ = finish_ = true;
  ASSERT_TRUE(Reported());
  EXPECT_EQ(broker_.begun().size(), 1U) << "once";
}

TEST_F(ProgressTest, ATranslatedStreamToo) {
  StartStream(std::string(kEvent));
  TestClient client(port());
  client.Send(
      Post("/v1/messages",
           R"({"model":"one,gpt-x","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]})"));
  EXPECT_TRUE(Eventually([&] { return broker_.begun().size() == 1; }));
  EXPECT_TRUE(broker_.reports().empty());
  release_ = finish_ = true;
  EXPECT_TRUE(Reported());
}

TEST_F(ProgressTest, ItHasTheLimitsOfTheHeadAndTheReportHasThemNoMore) {
  StartUpstream([this](Peer& peer, const std::string&) {
    std::string head(kStreamHead);
    head.insert(head.find("\r\n") + 2, "x-ratelimit-remaining-requests: 4\r\nx-ratelimit-reset-requests: 850ms\r\n");
    peer.Send(head + Chunk(kEvent));
    peer.WaitFor(finish_);
    return peer.Send(Chunk(kEnd) + Chunk(""));
  });
  StartProxy();
  TestClient client(port());
  client.Send(Post("/v1/chat/completions", kChatStream));
  ASSERT_TRUE(Eventually([&] { return broker_.begun().size() == 1; }));
  ASSERT_EQ(broker_.begun()[0].rate_limits.size(), 1U);
  EXPECT_EQ(broker_.begun()[0].rate_limits[0].remaining, 4U);
  EXPECT_EQ(broker_.begun()[0].rate_limits[0].reset, absl::Milliseconds(850));
  finish_ = true;
  ASSERT_TRUE(Reported());
  EXPECT_TRUE(broker_.reports()[0].evidence.rate_limits.empty()) << "they are as old as the stream is long";
}

TEST_F(ProgressTest, AnswersOfOnePieceDoNot) {
  Start(GoodAnswer());
  EXPECT_EQ(Chat().status, 200);
  ASSERT_TRUE(Reported());
  EXPECT_EQ(Chat().status, 200);
  EXPECT_TRUE(broker_.begun().empty());
}

TEST_F(ProgressTest, ALongBodyDoes) {
  StartUpstream([this](Peer& peer, const std::string&) {
    peer.Send("HTTP/1.1 200 OK\r\ncontent-length: 200000\r\n\r\n" + std::string(100'000, 'x'));
    peer.WaitFor(release_);
    return peer.Send(std::string(100'000, 'x'));
  });
  StartProxy();
  TestClient client(port());
  client.Send(Get("/p/one/v1/big"));
  EXPECT_TRUE(Eventually([&] { return broker_.begun().size() == 1; }));
  EXPECT_TRUE(broker_.reports().empty());
  release_ = true;
  EXPECT_TRUE(Reported());
}

TEST_F(ProgressTest, AnErrorDoesNot) {
  StartUpstream([this](Peer& peer, const std::string&) {
    peer.Send("HTTP/1.1 404 X\r\ncontent-length: 200000\r\n\r\n" + std::string(100'000, 'x'));
    peer.WaitFor(release_);
    return peer.Send(std::string(100'000, 'x'));
  });
  StartProxy();
  TestClient client(port());
  client.Send(Get("/p/one/v1/big"));
  release_ = true;
  EXPECT_TRUE(Reported());
  EXPECT_TRUE(broker_.begun().empty());
}

// Comments are relayed after a while, and are no answer all the same.
class SlowProgressTest : public ProgressTest {
 protected:
  // A stream that begins with comments alone for long, and goes on with `rest`.
  void RelayComments(std::string_view rest) {
    StartStream(std::string(kComment), std::string(rest));
    client_ = std::make_unique<TestClient>(port());
    client_->Send(Post("/v1/chat/completions", kChatStream));
    ASSERT_TRUE(Eventually([&] { return upstream_->requests().size() == 1; }));
    ASSERT_TRUE(Eventually([&] {  // from whenever the head has come
      clock_.Skip(absl::Seconds(11));
      return client_->IsReadable(std::chrono::milliseconds(100));
    }));
    ASSERT_TRUE(client_->ReceiveUntil("PROCESSING"));
    EXPECT_TRUE(broker_.begun().empty());
    release_ = true;
  }
  std::unique_ptr<TestClient> client_;
};

TEST_F(SlowProgressTest, AnEventIsAnAnswer) {
  RelayComments(kEvent);
  EXPECT_TRUE(Eventually([&] { return broker_.begun().size() == 1; }));
  EXPECT_TRUE(broker_.reports().empty());
  finish_ = true;
  EXPECT_TRUE(Reported());
}

TEST_F(SlowProgressTest, AnErrorIsNone) {
  RelayComments(kError);
  ASSERT_TRUE(client_->ReceiveUntil("503"));
  finish_ = true;
  ASSERT_TRUE(Reported());
  EXPECT_TRUE(broker_.begun().empty());
  EXPECT_TRUE(broker_.reports()[0].evidence.incomplete);
}

}  // namespace
}  // namespace ccr::proxy::testing
