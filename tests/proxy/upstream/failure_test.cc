// Broken providers, deadlines, back-pressure and cancellation.
#include <string>
#include <utility>
#include <vector>

#include "tests/proxy/upstream/upstream_fixture.h"

namespace ccr::proxy {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class FailureTest : public EnginesTest {
 protected:
  // Answers with `answer` and closes; with `hang`, stays silent instead of closing.
  static ScriptedServer::Script Answer(const std::string& answer, bool hang = false) {
    return [=](Peer& peer) {
      peer.ReadRequest();
      peer.Write(answer);
      if (hang) peer.WaitForEnd();
    };
  }
};

TEST_P(FailureTest, CutInTheBody) {
  ScriptedServer server(Answer("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"));
  Recorder recorder;
  Do(Get(server.Url("/path?key=canary")), recorder);
  EXPECT_EQ(recorder.result->error, TransportError::kRead);
  EXPECT_EQ(recorder.body, "abc");
  EXPECT_THAT(recorder.result->detail, Not(HasSubstr("canary")));
}

TEST_P(FailureTest, CutInAChunkedBody) {
  ScriptedServer server(Answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"));
  Recorder recorder;
  Do(Get(server.Url()), recorder);
  EXPECT_EQ(recorder.result->error, TransportError::kRead);
  EXPECT_EQ(recorder.body, "ab");
}

TEST_P(FailureTest, CutBeforeTheHead) {
  ScriptedServer server(Answer(""));
  Recorder recorder;
  Do(Get(server.Url()), recorder);
  EXPECT_EQ(recorder.result->error, TransportError::kRead);
  EXPECT_FALSE(recorder.head);
}

TEST_P(FailureTest, NotHttp) {
  ScriptedServer server(Answer("220 mail ready\r\n"));
  Recorder recorder;
  Do(Get(server.Url()), recorder);
  EXPECT_EQ(recorder.result->error, TransportError::kRead);
  EXPECT_FALSE(recorder.head);
}

// What a provider says besides its answer's body has a bound.
TEST_P(FailureTest, WordsWithoutEnd) {
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string filler(1000, 'x');
  for (const auto& [start, more] :
       std::vector<std::pair<std::string, std::string>>{{"", "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"},
                                                        {"HTTP/1.1 200 OK\r\n", "x-line: " + filler + "\r\n"},
                                                        {"HTTP/1.1 200 OK\r\nx-line: ", filler},
                                                        {chunked + "1\r\nx\r\n0\r\n", "x-line: " + filler + "\r\n"},
                                                        {chunked + "1\r\nx\r\n0\r\nx-line: ", filler},
                                                        {chunked + "1\r\nx\r\n1;", filler}}) {
    std::atomic<size_t> written{0};
    ScriptedServer server([&, start = start, more = more](Peer& peer) {
      peer.ReadRequest();
      for (peer.Write(start); peer.Write(more);) written += more.size();
    });
    auto request = Get(server.Url());
    request.total_timeout = absl::Seconds(20);
    Recorder recorder;
    Do(std::move(request), recorder);
    EXPECT_EQ(recorder.result->error, TransportError::kRead) << start << more << recorder.result->detail;
    EXPECT_EQ(recorder.body, recorder.head ? "x" : "");
    EXPECT_LT(written, 8u * 1024 * 1024) << "what buffers of the kernel hold aside";
  }
}

TEST_P(FailureTest, SwitchingProtocolsIsNoAnswer) {
  ScriptedServer server(Answer(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\nx", true));
  Recorder recorder;
  Do(Get(server.Url()), recorder);
  EXPECT_EQ(recorder.result->error, TransportError::kRead);
  EXPECT_THAT(recorder.result->detail, HasSubstr("101"));
  EXPECT_FALSE(recorder.head);
}

TEST_P(FailureTest, ControlCharactersInAHeadAreNoAnswer) {
  for (const std::string line : {"x-a: 1\rx-b: 2", "x-a: 1\r\rx", "x-a: \x01", "x\ra: 1", "x-a: \x7f"}) {
    ScriptedServer server(Answer("HTTP/1.1 200 OK\r\n" + line + "\r\nContent-Length: 1\r\n\r\nx"));
    Recorder recorder;
    Do(Get(server.Url()), recorder);
    EXPECT_EQ(recorder.result->error, TransportError::kRead) << line;
    EXPECT_FALSE(recorder.head);
  }
}

// The provider refuses the request after a part of it, and closes with the rest unread, so that sending fails.
TEST_P(FailureTest, AnEarlyRefusalIsHandedOverThoughSendingFails) {
  const std::string body(20 * 1024 * 1024, 'b');
  for (int i = 0; i < 20; ++i) {
    ScriptedServer server([](Peer& peer) {
      peer.Skip(200'000);
      peer.Write("HTTP/1.1 413 Payload Too Large\r\nContent-Length: 3\r\n\r\nbig");
      peer.Skip(10'000'000);
    });
    Recorder recorder;
    Do(Post(server.Url(), {body}), recorder);
    ASSERT_TRUE(recorder.head) << recorder.result->detail;
    EXPECT_EQ(recorder.head->status, 413);
    EXPECT_EQ(recorder.body, "big");
    EXPECT_EQ(recorder.result->error, TransportError::kNone) << recorder.result->detail;
  }
}

TEST_P(FailureTest, Refused) {
  int port = 0;
  close(ScriptedServer::Listen(1, &port));
  Recorder recorder;
  Do(Get("http://127.0.0.1:" + std::to_string(port)), recorder);
  EXPECT_EQ(recorder.result->error, TransportError::kRefused);
  EXPECT_EQ(recorder.result->detail, "Connection refused");
}

TEST_P(FailureTest, ANameThatIsNone) {
  Recorder recorder;
  Do(Get("http://" + std::string(70, 'n') + ".invalid/"), recorder);  // too long a label to ask anybody
  EXPECT_EQ(recorder.result->error, TransportError::kName);
  EXPECT_NE(recorder.result->detail, "");
  EXPECT_THAT(recorder.result->detail, Not(HasSubstr("nnn")));
}

TEST_P(FailureTest, TheForwardProxyIsNotTheProvider) {
  for (const char* url : {"http://provider.invalid/", "https://provider.invalid/"}) {
    ScriptedServer forward(Answer("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"));
    Recorder refused, away;
    auto request = Get(url);
    request.proxy_url = forward.Url("");
    Do(std::move(request), refused);
    EXPECT_EQ(refused.result->error, TransportError::kProxy) << url;
    EXPECT_THAT(refused.result->detail, HasSubstr("407"));
    EXPECT_FALSE(refused.head);
    request = Get(url);
    request.proxy_url = "http://127.0.0.1:1";
    Do(std::move(request), away);
    EXPECT_EQ(away.result->error, TransportError::kProxy) << url;
    EXPECT_EQ(away.result->detail, "Connection refused");
  }
}

TEST_P(FailureTest, OtherSchemesAreRefused) {
  for (const char* url : {"file:///etc/hostname", "gopher://127.0.0.1/", "ftp://127.0.0.1/", "nonsense://x", ""}) {
    Recorder recorder;
    Do(Get(url), recorder);
    EXPECT_EQ(recorder.result->error, TransportError::kConnect) << url;
    EXPECT_EQ(recorder.received, 0u);
  }
}

TEST_P(FailureTest, ConnectTimeout) {
  int port = 0;
  const int listener = ScriptedServer::Listen(0, &port);  // nobody accepts: the queue fills, and then nothing answers
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::vector<int> fillers;
  for (int i = 0; i < 4; ++i) {
    fillers.push_back(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    connect(fillers.back(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  }
  auto request = Get("http://127.0.0.1:" + std::to_string(port));
  request.connect_timeout = absl::Milliseconds(150);
  Recorder recorder;
  Do(std::move(request), recorder);
  EXPECT_EQ(recorder.result->error, TransportError::kConnectTimeout) << recorder.result->detail;
  EXPECT_GE(recorder.result->total, absl::Milliseconds(140));
  EXPECT_LT(recorder.result->total, absl::Seconds(30));
  for (const int fd : fillers) close(fd);
  close(listener);
}

TEST_P(FailureTest, FirstByteTimeout) {
  ScriptedServer server(Answer("", true));
  auto request = Post(server.Url(), {"{}"});
  request.first_byte_timeout = absl::Milliseconds(100);
  Recorder recorder;
  Do(std::move(request), recorder);
  EXPECT_EQ(recorder.result->error, TransportError::kFirstByteTimeout);
  EXPECT_GE(recorder.result->total, absl::Milliseconds(100));
  EXPECT_LT(recorder.result->total, absl::Seconds(30));
}

TEST_P(FailureTest, FirstByteTimeoutOfAProviderThatDoesNotReadTheBody) {
  std::atomic<bool> stop{false};
  ScriptedServer deaf([&](Peer&) {
    while (!stop) std::this_thread::yield();
  });
  const std::string body(20 * 1024 * 1024, 'b');
  auto request = Post(deaf.Url(), {body});
  request.first_byte_timeout = absl::Milliseconds(100);
  Recorder recorder;
  Do(std::move(request), recorder);
  EXPECT_EQ(recorder.result->error, TransportError::kFirstByteTimeout);
  stop = true;
}

TEST_P(FailureTest, IdleTimeoutStartsAnewWithEachRead) {
  ScriptedServer server([](Peer& peer) {
    peer.ReadRequest();
    peer.Write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
    for (int i = 0; i < 6; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(400));  // the provider's pace: a fifth of the time-out
      peer.Write("x");
    }
    peer.WaitForEnd();
  });
  auto request = Get(server.Url());
  request.idle_timeout = absl::Seconds(2);
  Recorder recorder;
  Do(std::move(request), recorder);
  EXPECT_EQ(recorder.result->error, TransportError::kIdleTimeout);
  EXPECT_EQ(recorder.body, "xxxxxx");
  EXPECT_GE(recorder.result->total, absl::Milliseconds(6 * 400 + 2000));
}

TEST_P(FailureTest, IdleTimeoutDoesNotBindTheFirstByte) {
  ScriptedServer server([](Peer& peer) {
    peer.ReadRequest();
    std::this_thread::sleep_for(std::chrono::milliseconds(150));  // the provider thinks
    peer.Write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  });
  auto request = Get(server.Url());
  request.idle_timeout = absl::Milliseconds(30);
  Recorder recorder;
  Do(std::move(request), recorder);
  EXPECT_EQ(recorder.result->error, TransportError::kNone) << recorder.result->detail;
}

TEST_P(FailureTest, TotalTimeout) {
  ScriptedServer server(Answer("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx", true));
  auto request = Get(server.Url());
  request.total_timeout = absl::Seconds(1);
  Recorder recorder;
  Do(std::move(request), recorder);
  EXPECT_EQ(recorder.result->error, TransportError::kIdleTimeout);
  EXPECT_GE(recorder.result->total, absl::Seconds(1));
  EXPECT_LT(recorder.result->total, absl::Seconds(30));
}

TEST_P(FailureTest, PauseHoldsTheProviderBack) {
  constexpr size_t kSize = 50 * 1024 * 1024;
  std::atomic<bool> stalled{false};
  ScriptedServer server([&](Peer& peer) {
    peer.ReadRequest();
    peer.Write("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(kSize) + "\r\n\r\n");
    const std::string chunk(64 * 1024, 'x');
    for (size_t sent = 0; sent < kSize; sent += chunk.size()) {
      if (!peer.Write(chunk, &stalled)) return;
    }
  });
  Recorder recorder;
  recorder.keep = false;
  bool pause = true;
  recorder.on_data = [&] { return !pause; };
  auto request = Get(server.Url());
  request.idle_timeout = absl::Seconds(2);
  auto* transfer = client_.Start(std::move(request), &recorder);
  ASSERT_TRUE(RunUntil([&] { return stalled && recorder.received > 0; }));
  const auto paused = std::chrono::steady_clock::now();  // which is not the provider's silence
  ASSERT_TRUE(RunUntil([&] { return std::chrono::steady_clock::now() - paused > std::chrono::milliseconds(2500); }));
  const size_t taken = recorder.received;
  EXPECT_GT(taken, 0u);
  EXPECT_LE(taken, 64u * 1024) << "what one read holds";

  client_.Resume(transfer);
  EXPECT_EQ(recorder.received, taken) << "the handler is not called inside Resume";
  ASSERT_TRUE(RunUntil([&] { return recorder.received > taken; }));
  int resumes = 0;
  while (!recorder.result && resumes < 50) {
    const size_t before = recorder.received;
    client_.Resume(transfer);
    ++resumes;
    ASSERT_TRUE(RunUntil([&] { return recorder.result || recorder.received > before; }));
  }
  pause = false;
  if (!recorder.result) client_.Resume(transfer);
  ASSERT_TRUE(RunUntil([&] { return recorder.result.has_value(); }));
  EXPECT_EQ(recorder.result->error, TransportError::kNone) << recorder.result->detail;
  EXPECT_EQ(recorder.received, kSize);
}

TEST_P(FailureTest, ResumeFromInsideTakesThePauseBack) {
  ScriptedServer server(Answer("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + std::string(100'000, 'x')));
  Recorder recorder;
  UpstreamClient::Transfer* transfer = nullptr;
  recorder.on_data = [&] {
    client_.Resume(transfer);
    return false;
  };
  transfer = client_.Start(Get(server.Url()), &recorder);
  ASSERT_TRUE(RunUntil([&] { return recorder.result.has_value(); }));
  EXPECT_EQ(recorder.received, 100'000u);
}

TEST_P(FailureTest, ResumeInsideTheEndDoesNothing) {
  ScriptedServer server(Answer("HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n" + std::string(100'000, 'x'), true));
  auto request = Get(server.Url());
  request.total_timeout = absl::Milliseconds(300);
  Recorder recorder;
  UpstreamClient::Transfer* transfer = nullptr;
  recorder.on_data = [] { return false; };
  recorder.on_done = [&] { client_.Resume(transfer); };
  transfer = client_.Start(std::move(request), &recorder);
  ASSERT_TRUE(RunUntil([&] { return recorder.result.has_value(); }));
  EXPECT_EQ(recorder.result->error, TransportError::kIdleTimeout);
  loop_.restart();
  loop_.poll();
}

TEST_P(FailureTest, CancelClosesTheConnection) {
  std::atomic<bool> closed{false};
  ScriptedServer server([&](Peer& peer) {
    peer.ReadRequest();
    peer.Write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx");
    closed = peer.WaitForEnd();
  });
  Recorder recorder;
  auto* transfer = client_.Start(Get(server.Url()), &recorder);
  ASSERT_TRUE(RunUntil([&] { return recorder.received == 1; }));
  EXPECT_FALSE(closed);
  client_.Cancel(transfer);
  EXPECT_EQ(client_.active(), 0u);
  ASSERT_TRUE(RunUntil([&] { return closed.load(); }));
  EXPECT_FALSE(recorder.result);
}

TEST_P(FailureTest, CancelFromInsideOfEveryCallback) {
  for (const std::string where : {"head", "data", "done"}) {
    ScriptedServer server(Answer("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"));
    Recorder recorder;
    UpstreamClient::Transfer* transfer = nullptr;
    bool cancelled = false;
    const auto cancel = [&] {
      client_.Cancel(transfer);
      cancelled = true;
      return true;
    };
    if (where == "head") recorder.on_head = cancel;
    if (where == "data") recorder.on_data = cancel;
    if (where == "done") recorder.on_done = cancel;
    transfer = client_.Start(Get(server.Url()), &recorder);
    ASSERT_TRUE(RunUntil([&] { return cancelled && client_.active() == 0; })) << where;
    EXPECT_EQ(recorder.result.has_value(), where == "done");
    EXPECT_EQ(recorder.received, where == "head" ? 0u : 1u);
  }
}

TEST_P(FailureTest, CancelBeforeAnythingHappens) {
  ScriptedServer server(Answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
  Recorder cancelled, other;
  client_.Cancel(client_.Start(Get(server.Url()), &cancelled));
  Do(Get(server.Url()), other);
  EXPECT_EQ(other.result->error, TransportError::kNone);
  EXPECT_FALSE(cancelled.head || cancelled.result);
}

TEST_P(FailureTest, OneHandlerMayCancelAnother) {
  ScriptedServer server(Answer("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"));
  Recorder first, second;
  UpstreamClient::Transfer* a = nullptr;
  UpstreamClient::Transfer* b = nullptr;
  first.on_head = [&] { client_.Cancel(b); };
  second.on_head = [&] { client_.Cancel(a); };
  a = client_.Start(Get(server.Url()), &first);
  b = client_.Start(Get(server.Url()), &second);
  ASSERT_TRUE(RunUntil([&] { return client_.active() == 0; }));
  EXPECT_NE(first.result.has_value(), second.result.has_value());
}

TEST_P(FailureTest, ARetryMayStartFromOnDone) {
  ScriptedServer server(Answer("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"));
  int port = 0;
  close(ScriptedServer::Listen(1, &port));
  Recorder first, second;
  UpstreamClient::Transfer* old = nullptr;
  first.on_done = [&] {
    client_.Start(Get(server.Url()), &second);
    client_.Cancel(old);
  };
  old = client_.Start(Get("http://127.0.0.1:" + std::to_string(port)), &first);
  ASSERT_TRUE(RunUntil([&] { return second.result.has_value(); }));
  EXPECT_EQ(second.body, "x");
}

TEST_P(FailureTest, DestructionCancels) {
  ScriptedServer server(Answer("", true));
  Recorder recorder;
  {
    UpstreamClient client(loop_, Options());
    client.Start(Get(server.Url()), &recorder);
    loop_.run_for(std::chrono::milliseconds(20));
    client.Start(Get(server.Url()), &recorder);
  }
  loop_.restart();
  loop_.poll();
  EXPECT_FALSE(recorder.head || recorder.result);
}

INSTANTIATE_TEST_SUITE_P(Engines, FailureTest, ::testing::Bool(), EngineName);

}  // namespace
}  // namespace ccr::proxy
