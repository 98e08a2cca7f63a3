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
  EXPECT_EQ(second.result->error, TransportError::kConnect);
  EXPECT_TRUE(second.result->sent);
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

TEST_F(PlainTest, TrailersWithoutEnd) {
  ScriptedServer server([](Peer& peer) {
    peer.ReadRequest();
    peer.Write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n");
    const std::string line = "x-line: " + std::string(1000, 'x') + "\r\n";
    while (peer.Write(line)) {
    }
  });
  auto request = Get(server.Url());
  request.total_timeout = absl::Seconds(20);
  Recorder recorder;
  Do(std::move(request), recorder);
  EXPECT_EQ(recorder.result->error, TransportError::kRead) << recorder.result->message;
  EXPECT_EQ(recorder.body, "x");
}

}  // namespace
}  // namespace ccr::proxy
