// What only plain http over sockets of our own has to see to.
#include <memory>
#include <string>

#include "tests/proxy/upstream/upstream_fixture.h"

namespace ccr::proxy {
namespace {

constexpr char kSmallAnswer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

class PlainTest : public UpstreamTest {};

TEST_F(PlainTest, WhatWentOverADeadConnectionCountsAsSent) {
  auto server = std::make_unique<ScriptedServer>([&](Peer& peer) {
    peer.ReadRequest();
    peer.Write(kSmallAnswer);
    peer.WaitForEnd();
  });
  Recorder first, second;
  Do(Post(server->Url(), {"{}"}), first);
  const std::string url = server->Url();
  client_.Start(Post(url, {"{}"}), &second);
  server.reset();
  ASSERT_TRUE(RunUntil([&] { return second.result.has_value(); }));
  EXPECT_EQ(second.result->error, TransportError::kRefused);
}

TEST_F(PlainTest, WhatComesUnaskedAnswersNoOtherRequest) {
  std::atomic<int> served{0};
  std::atomic<bool> strayed{false};
  ScriptedServer server([&](Peer& peer) {
    peer.ReadRequest();
    peer.Write(kSmallAnswer);
    if (++served > 1) return;
    while (!strayed) std::this_thread::yield();
    peer.Write("HTTP/1.1 408 Request Timeout\r\nContent-Length: 5\r\n\r\nstray");
    strayed = false;
    peer.WaitForEnd();
  });
  Recorder first, second;
  first.on_done = [&] {
    strayed = true;
    while (strayed) std::this_thread::yield();
    client_.Start(Get(server.Url()), &second);
  };
  client_.Start(Get(server.Url()), &first);
  ASSERT_TRUE(RunUntil([&] { return second.result.has_value(); }));
  EXPECT_EQ(second.body, "ok");
  EXPECT_EQ(server.connections(), 2);
}

// The first read holds the answer exactly, and the next one would find what is not one.
TEST_F(PlainTest, WhatComesBehindAReadThatIsFullAnswersNoOtherRequest) {
  constexpr size_t kReadSize = 16 * 1024;
  std::atomic<int> served{0};
  ScriptedServer server([&](Peer& peer) {
    peer.ReadRequest();
    if (++served > 1) return void(peer.Write(kSmallAnswer));
    std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 16342\r\n\r\n";
    answer.resize(kReadSize, 'x');
    peer.Write(answer + "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray");
    peer.WaitForEnd();
  });
  Recorder first, second;
  first.on_done = [&] { client_.Start(Get(server.Url()), &second); };
  client_.Start(Get(server.Url()), &first);
  ASSERT_TRUE(RunUntil([&] { return second.result.has_value(); }));
  EXPECT_EQ(first.received, 16342u);
  EXPECT_EQ(second.body, "ok");
  EXPECT_EQ(server.connections(), 2);
}

}  // namespace
}  // namespace ccr::proxy
