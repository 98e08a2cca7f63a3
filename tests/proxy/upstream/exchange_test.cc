// What goes over the wire, both ways, when all is well.
#include <string>
#include <vector>

#include "tests/proxy/upstream/upstream_fixture.h"

namespace ccr::proxy {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;
using ::testing::StartsWith;

constexpr char kOk[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

// Answers each request with `answer` and keeps the requests.
class Echo {
 public:
  explicit Echo(std::string answer = kOk)
      : server_([this, answer](Peer& peer) {
          for (std::string request = peer.ReadRequest(); !request.empty(); request = peer.ReadRequest()) {
            {
              const std::lock_guard lock(mutex_);
              requests_.push_back(request);
            }
            if (!peer.Write(answer)) return;
          }
        }) {}

  std::string Url(const std::string& path = "/") const { return server_.Url(path); }
  int connections() const { return server_.connections(); }
  std::string last() {
    const std::lock_guard lock(mutex_);
    return requests_.empty() ? "" : requests_.back();
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> requests_;
  ScriptedServer server_;
};

class ExchangeTest : public EnginesTest {};

TEST_P(ExchangeTest, SendsExactlyWhatItIsGiven) {
  Echo echo;
  auto request = Post(echo.Url("/v1/../messages?beta=true"), {R"({"model":"m"})"});
  request.headers = {{"content-type", "application/json"}, {"Anthropic-Version", "2023-06-01"}, {"x-empty", ""}};
  request.credential_header = "authorization";
  request.credential_prefix = "Bearer ";
  request.credential = Secret("canary-key-a1");
  Recorder recorder;
  Do(std::move(request), recorder);
  ASSERT_EQ(recorder.result->error, TransportError::kNone) << recorder.result->detail;
  EXPECT_EQ(recorder.body, "ok");
  const std::string host = echo.Url("").substr(7);
  EXPECT_EQ(echo.last(), "POST /v1/../messages?beta=true HTTP/1.1\r\nHost: " + host +
                             "\r\ncontent-type: application/json\r\nAnthropic-Version: 2023-06-01\r\nx-empty:\r\n"
                             "authorization: Bearer canary-key-a1\r\nContent-Length: 13\r\n\r\n{\"model\":\"m\"}");
  EXPECT_GT(recorder.result->first_byte, absl::ZeroDuration());
  EXPECT_GE(recorder.result->total, recorder.result->first_byte);
}

TEST_P(ExchangeTest, NoCredentialOfOneRequestReachesTheNext) {
  Echo echo;
  auto request = Get(echo.Url());
  request.credential_header = "x-api-key";
  request.credential = Secret("canary-key-a1");
  Recorder first, second;
  Do(std::move(request), first);
  EXPECT_THAT(echo.last(), HasSubstr("x-api-key: canary-key-a1\r\n"));
  Do(Get(echo.Url()), second);
  EXPECT_THAT(echo.last(), Not(HasSubstr("canary")));
}

TEST_P(ExchangeTest, RefusesAHeaderWithALineBreak) {
  Echo echo;
  auto request = Get(echo.Url());
  request.credential_header = "x-api-key";
  request.credential = Secret("canary\r\nx-other: 1");
  Recorder recorder;
  Do(std::move(request), recorder);
  EXPECT_EQ(recorder.result->error, TransportError::kConnect);
  EXPECT_THAT(recorder.result->detail, AllOf(HasSubstr("line break"), Not(HasSubstr("canary"))));
  EXPECT_EQ(echo.connections(), 0);
}

TEST_P(ExchangeTest, MethodsDoNotStickToAHandle) {
  Echo echo;
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"POST", "POST / "}, {"GET", "GET / "}, {"DELETE", "DELETE / "}, {"GET", "GET / "}, {"PUT", "PUT / "}};
  for (const auto& [method, line] : expected) {
    auto request = Get(echo.Url());
    request.method = method;
    Recorder recorder;
    Do(std::move(request), recorder);
    EXPECT_THAT(echo.last(), StartsWith(line));
    const bool has_body = method == "POST" || method == "PUT";
    EXPECT_EQ(echo.last().find("Content-Length: 0") != std::string::npos, has_body) << echo.last();
  }
  EXPECT_EQ(echo.connections(), 1);
}

TEST_P(ExchangeTest, HeadHasALengthAndNoBody) {
  Echo echo("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
  auto request = Get(echo.Url());
  request.method = "HEAD";
  Recorder recorder;
  Do(std::move(request), recorder);
  EXPECT_EQ(recorder.result->error, TransportError::kNone);
  EXPECT_THAT(echo.last(), StartsWith("HEAD / "));
  EXPECT_EQ(recorder.head->content_length, 5);
  EXPECT_EQ(recorder.received, 0u);
  EXPECT_GT(recorder.result->first_byte, absl::ZeroDuration());
  Echo other;
  Recorder get;
  Do(Get(other.Url()), get);
  EXPECT_EQ(get.body, "ok") << "the handle has forgotten that it was a HEAD";
}

TEST_P(ExchangeTest, HandsOverEndToEndHeadersInOrder) {
  Echo echo(
      "HTTP/1.1 429 Too Many Requests\r\nretry-after: 3\r\nConnection: X-Hop, keep-alive\r\nX-Hop: 1\r\n"
      "Keep-Alive: timeout=5\r\nSet-Cookie: a\r\nset-cookie: b\r\nX-Empty:\r\nContent-Length: 0\r\n\r\n");
  Recorder recorder;
  Do(Get(echo.Url()), recorder);
  EXPECT_EQ(recorder.head->status, 429);
  EXPECT_EQ(recorder.head->content_length, 0);
  EXPECT_THAT(recorder.head->headers,
              ElementsAre(Pair("retry-after", "3"), Pair("Set-Cookie", "a"), Pair("set-cookie", "b"),
                          Pair("X-Empty", ""), Pair("Content-Length", "0")));
}

TEST_P(ExchangeTest, SkipsInterimHeadsAndTrailers) {
  Echo echo(
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: 1\r\nTrailer: X-T\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n");
  Recorder recorder;
  Do(Post(echo.Url(), {"{}"}), recorder);
  EXPECT_EQ(recorder.head->status, 200);
  EXPECT_EQ(recorder.head->content_length, -1);
  EXPECT_THAT(recorder.head->headers, ElementsAre(Pair("X-A", "1")));
  EXPECT_EQ(recorder.body, "abc");
  EXPECT_THAT(echo.last(), Not(HasSubstr("Expect")));
}

TEST_P(ExchangeTest, DoesNotDecompress) {
  Echo echo("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nraw");
  Recorder recorder;
  auto request = Get(echo.Url());
  request.headers = {{"accept-encoding", "gzip"}};
  Do(std::move(request), recorder);
  EXPECT_EQ(recorder.body, "raw");
  EXPECT_THAT(recorder.head->headers, ElementsAre(Pair("Content-Encoding", "gzip"), Pair("Content-Length", "3")));
}

TEST_P(ExchangeTest, KeepsConnections) {
  Echo echo;
  for (int i = 0; i < 20; ++i) {
    Recorder recorder;
    Do(Post(echo.Url(), {"{}"}), recorder);
    ASSERT_EQ(recorder.body, "ok");
  }
  EXPECT_EQ(echo.connections(), 1);
}

TEST_P(ExchangeTest, ReplacesAConnectionThatDiedIdle) {
  ScriptedServer server([](Peer& peer) {
    peer.ReadRequest();
    peer.Write(kOk);
  });
  for (int i = 0; i < 3; ++i) {
    Recorder recorder;
    Do(Post(server.Url(), {"{}"}), recorder);
    EXPECT_EQ(recorder.result->error, TransportError::kNone) << recorder.result->detail;
  }
  EXPECT_EQ(server.connections(), 3);
}

TEST_P(ExchangeTest, SendsABigBodyAgainWhenAKeptConnectionDies) {
  std::atomic<int> served{0};
  const std::string half(100'000, 'a');
  ScriptedServer server([&](Peer& peer) {
    if (peer.ReadRequest().size() < 200'000) return;
    ++served;
    peer.Write(kOk);
    if (served == 1) peer.ReadRequest();  // the second request is read, and the connection closed without an answer
  });
  Recorder first, second;
  Do(Post(server.Url(), {half, half}), first);
  Do(Post(server.Url(), {half, half}), second);
  EXPECT_EQ(second.result->error, TransportError::kNone) << second.result->detail;
  EXPECT_EQ(served, 2);
}

TEST_P(ExchangeTest, DoesNotSendAgainWhatTheProviderHasBegunToAnswer) {
  std::atomic<int> served{0};
  ScriptedServer server([&](Peer& peer) {
    for (; !peer.ReadRequest().empty(); peer.Write(kOk)) {
      if (++served == 2) return void(peer.Write("HTTP/1.1 100 Continue\r\n\r\n"));
    }
  });
  Recorder first, second;
  Do(Post(server.Url(), {"{}"}), first);
  Do(Post(server.Url(), {"{}"}), second);
  EXPECT_EQ(second.result->error, TransportError::kRead);
  EXPECT_EQ(served, 2);
}

TEST_P(ExchangeTest, JoinsPieces) {
  Echo echo;
  Recorder small, big;
  Do(Post(echo.Url(), {"{\"model\":\"", "", "m", "\"}"}), small);
  EXPECT_THAT(echo.last(), HasSubstr("\r\n\r\n{\"model\":\"m\"}"));
  const std::string filler(70'000, 'x');
  Do(Post(echo.Url(), {"head", filler, "", "tail"}), big);
  EXPECT_THAT(echo.last(), HasSubstr("\r\n\r\nhead" + filler + "tail"));
}

TEST_P(ExchangeTest, Uploads50Megabytes) {
  const std::string body(50 * 1024 * 1024, 'b');
  std::atomic<size_t> size{0};
  ScriptedServer server([&](Peer& peer) {
    size = peer.ReadRequest().size();
    peer.Write(kOk);
  });
  Recorder recorder;
  Do(Post(server.Url(), {body}), recorder);
  EXPECT_EQ(recorder.result->error, TransportError::kNone) << recorder.result->detail;
  EXPECT_GT(size, body.size());
}

TEST_P(ExchangeTest, DeliversWhatComesAtOnce) {
  std::atomic<int> wanted{1};
  ScriptedServer server([&](Peer& peer) {
    peer.ReadRequest();
    peer.Write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 1; i <= 3; ++i) {
      while (wanted < i) std::this_thread::yield();
      peer.Write("6\r\ndata:" + std::to_string(i) + "\r\n");
    }
    peer.Write("0\r\n\r\n");
  });
  Recorder recorder;
  client_.Start(Get(server.Url()), &recorder);
  for (const char* so_far : {"data:1", "data:1data:2", "data:1data:2data:3"}) {
    ASSERT_TRUE(RunUntil([&] { return recorder.body == so_far; }));
    ++wanted;
  }
  ASSERT_TRUE(RunUntil([&] { return recorder.result.has_value(); }));
  EXPECT_EQ(recorder.result->error, TransportError::kNone);
}

TEST_P(ExchangeTest, DoesNotFollowRedirects) {
  Echo target;
  Echo echo("HTTP/1.1 302 Found\r\nLocation: " + target.Url() + "\r\nContent-Length: 0\r\n\r\n");
  Recorder recorder;
  Do(Get(echo.Url()), recorder);
  EXPECT_EQ(recorder.head->status, 302);
  EXPECT_EQ(target.connections(), 0);
}

TEST_P(ExchangeTest, UsesTheProxyItIsGivenAndNoneFromTheEnvironment) {
  setenv("http_proxy", "http://127.0.0.1:1", 1);
  setenv("no_proxy", "*", 1);
  Echo echo;
  Recorder direct, proxied;
  Do(Get(echo.Url()), direct);
  EXPECT_EQ(direct.result->error, TransportError::kNone) << direct.result->detail;
  auto request = Get("http://provider.invalid/v1");
  request.proxy_url = echo.Url();
  Do(std::move(request), proxied);
  EXPECT_EQ(proxied.result->error, TransportError::kNone) << proxied.result->detail;
  EXPECT_THAT(echo.last(), StartsWith("GET http://provider.invalid/v1 HTTP/1.1\r\n"));
  unsetenv("http_proxy");
  unsetenv("no_proxy");
}

TEST_P(ExchangeTest, ABodyWithoutALengthEndsWithTheConnection) {
  ScriptedServer server([](Peer& peer) {
    peer.ReadRequest();
    peer.Write("HTTP/1.1 200 OK\r\n\r\nall of it");
  });
  Recorder recorder;
  Do(Get(server.Url()), recorder);
  EXPECT_EQ(recorder.result->error, TransportError::kNone) << recorder.result->detail;
  EXPECT_EQ(recorder.head->content_length, -1);
  EXPECT_EQ(recorder.body, "all of it");
}

TEST_P(ExchangeTest, AConnectionThatTheProviderWillCloseIsNotKept) {
  Echo echo("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
  for (int i = 1; i <= 3; ++i) {
    Recorder recorder;
    Do(Get(echo.Url()), recorder);
    EXPECT_EQ(recorder.body, "ok");
    EXPECT_EQ(echo.connections(), i);
  }
}

TEST_P(ExchangeTest, AnAnswerBeforeTheEndOfTheRequestIsHandedOver) {
  ScriptedServer server([](Peer& peer) {
    peer.Write("HTTP/1.1 413 Payload Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig");
    peer.WaitForEnd();
  });
  const std::string body(20 * 1024 * 1024, 'b');
  Recorder recorder;
  Do(Post(server.Url(), {body}), recorder);
  ASSERT_TRUE(recorder.head) << recorder.result->detail;
  EXPECT_EQ(recorder.head->status, 413);
  EXPECT_EQ(recorder.body, "big");
}

TEST_P(ExchangeTest, RunsManyAtOnce) {
  Echo echo;
  constexpr int kCount = 100;
  std::vector<Recorder> recorders(kCount);
  int done = 0;
  for (auto& recorder : recorders) {
    recorder.on_done = [&] { ++done; };
    client_.Start(Post(echo.Url(), {"{}"}), &recorder);
  }
  EXPECT_EQ(client_.active(), static_cast<size_t>(kCount));
  ASSERT_TRUE(RunUntil([&] { return done == kCount; }));
  for (const auto& recorder : recorders) EXPECT_EQ(recorder.body, "ok");
}

class InvalidAnswerTest : public UpstreamTest {
 protected:
  explicit InvalidAnswerTest(UpstreamClient::Options options = {}) : UpstreamTest(options), other_(loop_, options) {}

  UpstreamClient other_;  // another worker's
};

TEST_F(InvalidAnswerTest, AServerThatBendsTheStandardGetsCurlFromTheSecondRequestOnOfAnyWorker) {
  for (const char* answer :
       {"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 200 OK\nContent-Length: 2\n\nok"}) {
    Echo echo(answer);
    Recorder first;
    Do(Get(echo.Url()), first);
    EXPECT_EQ(first.result->error, TransportError::kRead);
    EXPECT_THAT(first.result->detail, HasSubstr("not valid HTTP/1.1"));
    for (UpstreamClient* client : {&client_, &other_}) {
      Recorder next;
      client->Start(Get(echo.Url()), &next);
      ASSERT_TRUE(RunUntil([&] { return next.result.has_value(); }));
      EXPECT_EQ(next.result->error, TransportError::kNone) << next.result->detail;
      EXPECT_EQ(next.body, "ok");
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Engines, ExchangeTest, ::testing::Bool(), EngineName);

}  // namespace
}  // namespace ccr::proxy
