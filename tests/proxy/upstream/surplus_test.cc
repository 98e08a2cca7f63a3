// What a provider sends beyond its answer is nobody's: not the next request's on that connection, whoever asks.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <tuple>

#include "proxy/upstream/silence.h"
#include "tests/proxy/upstream/tls_server.h"
#include "tests/proxy/upstream/upstream_fixture.h"

namespace ccr::proxy {
namespace {

enum class Engine { kOwnSockets, kCurl, kCurlTls };
enum class When { kWithTheAnswer, kRightBehindIt, kBeforeTheNextRequest };

constexpr char kStray[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray";

// An answer whose body is `body`, in each form that has an end without the connection's.
const std::pair<const char*, std::function<std::string(const std::string& body)>> kForms[] = {
    {"Length",
     [](const std::string& body) {
       return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
     }},
    {"Chunked",
     [](const std::string& body) {
       return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n" + body + "\r\n0\r\nx-trailer: 1\r\n\r\n";
     }},
    {"Empty", [](const std::string&) { return std::string("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"); }},
    {"NoContent", [](const std::string&) { return std::string("HTTP/1.1 204 No Content\r\n\r\n"); }},
};

class Providers : public UpstreamTest {
 protected:
  explicit Providers(Engine engine)
      : UpstreamTest({.ca_file = CaFile(), .all_with_curl = engine != Engine::kOwnSockets}), engine_(engine) {}
  ~Providers() override { unlink(CaFile().c_str()); }

  // Before the client is made the file must be there only once it is asked to connect.
  void Serve(ScriptedServer::Script script) {
    if (engine_ == Engine::kCurlTls) {
      tls_.emplace(std::move(script));
      ASSERT_TRUE(tls_->WriteCertificate(CaFile()));
    } else {
      plain_.emplace(std::move(script));
    }
  }
  std::string Url(const std::string& path) const { return tls_ ? tls_->Url("127.0.0.1", path) : plain_->Url(path); }
  int connections() const { return tls_ ? tls_->connections() : plain_->connections(); }
  int port() const { return tls_ ? tls_->port() : plain_->port(); }

 private:
  static std::string CaFile() { return ::testing::TempDir() + "ccr-surplus-" + std::to_string(getpid()) + ".pem"; }

  const Engine engine_;
  std::optional<ScriptedServer> plain_;
  std::optional<TlsServer> tls_;
};

class SurplusTest : public Providers, public ::testing::WithParamInterface<std::tuple<Engine, When, int>> {
 protected:
  SurplusTest() : Providers(std::get<0>(GetParam())) {}
};

TEST_P(SurplusTest, AnswersNoOtherRequest) {
  const When when = std::get<1>(GetParam());
  const auto& answer = kForms[std::get<2>(GetParam())].second;
  std::atomic<int> due{0}, strayed{0};
  Serve([&](Peer& peer) {
    for (std::string request = peer.ReadRequest(); !request.empty(); request = peer.ReadRequest()) {
      const std::string body = request.substr(5, 2);  // of "GET /01 HTTP/1.1"
      const bool together = when == When::kWithTheAnswer;
      peer.Write(answer(body) + (together ? kStray : ""));
      while (when == When::kBeforeTheNextRequest && due < std::stoi(body)) std::this_thread::yield();
      if (!together) peer.Write(kStray);
      ++strayed;
    }
  });
  constexpr int kRequests = 5;
  const bool empty = answer("00") == answer("01");
  std::vector<Recorder> recorders(kRequests + 1);
  for (int i = 1; i <= kRequests; ++i) {
    recorders[i].on_done = [&, i] {
      due = i;
      while (strayed < i) std::this_thread::yield();
      if (i < kRequests) client_.Start(Get(Url("/0" + std::to_string(i + 1))), &recorders[i + 1]);
    };
  }
  client_.Start(Get(Url("/01")), &recorders[1]);
  ASSERT_TRUE(RunUntil([&] { return recorders[kRequests].result.has_value(); }));
  for (int i = 1; i <= kRequests; ++i) {
    EXPECT_EQ(recorders[i].result->error, TransportError::kNone) << recorders[i].result->detail;
    EXPECT_EQ(recorders[i].body, empty ? "" : "0" + std::to_string(i));
  }
  EXPECT_EQ(connections(), kRequests) << "what has said too much is not used again";
}

std::string SurplusName(const ::testing::TestParamInfo<SurplusTest::ParamType>& info) {
  static constexpr const char* kEngines[] = {"OwnSockets", "Curl", "CurlTls"};
  static constexpr const char* kWhen[] = {"WithTheAnswer", "RightBehindIt", "BeforeTheNextRequest"};
  const auto [engine, when, form] = info.param;
  return std::string(kEngines[static_cast<int>(engine)]) + kWhen[static_cast<int>(when)] + kForms[form].first;
}

INSTANTIATE_TEST_SUITE_P(Engines, SurplusTest,
                         ::testing::Combine(::testing::Values(Engine::kOwnSockets, Engine::kCurl, Engine::kCurlTls),
                                            ::testing::Values(When::kWithTheAnswer, When::kRightBehindIt,
                                                              When::kBeforeTheNextRequest),
                                            ::testing::Values(0, 1, 2, 3)),
                         SurplusName);

class KeptTest : public Providers, public ::testing::WithParamInterface<Engine> {
 protected:
  KeptTest() : Providers(GetParam()) {}

  // Opens so many connections at once, and they are kept.
  void Open(size_t count) {
    std::vector<Recorder> recorders(count);
    size_t done = 0;
    for (Recorder& recorder : recorders) {
      recorder.on_done = [&] { ++done; };
      client_.Start(Post(Url("/"), {"{}"}), &recorder);
    }
    ASSERT_TRUE(RunUntil([&] { return done == count; }));
  }
};

TEST_P(KeptTest, AThousandRequestsInTurnUseOneConnection) {
  Serve([](Peer& peer) {
    for (int i = 0; !peer.ReadRequest().empty(); ++i) peer.Write(kForms[i % 2].second("ok"));
  });
  for (int i = 0; i < 1000; ++i) {
    Recorder recorder;
    Do(Post(Url("/"), {"{}"}), recorder);
    ASSERT_EQ(recorder.body, "ok") << recorder.result->detail;
  }
  EXPECT_EQ(connections(), 1);
}

// An option of this process' one connection to `port`.
int OptionOf(int port, int level, int option) {
  int value = -1;
  for (int fd = 0; fd < 1024; ++fd) {
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    if (getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0 || peer.sin_family != AF_INET) continue;
    if (ntohs(peer.sin_port) != port) continue;
    EXPECT_EQ(value, -1) << "more than one connection";
    size = sizeof value;
    EXPECT_EQ(getsockopt(fd, level, option, &value, &size), 0);
  }
  return value;
}

// Whoever has gone without a word is probed while nothing is sent, and given 20 s to acknowledge what is sent over a
// connection that was kept.
TEST_P(KeptTest, TheSilenceOfAKeptConnectionIsBounded) {
  Serve([](Peer& peer) {
    while (!peer.ReadRequest().empty()) peer.Write(kForms[0].second("ok"));
  });
  for (int request = 1; request <= 3; ++request) {
    Recorder recorder;
    int bound = -1;
    recorder.on_head = [&] { bound = OptionOf(port(), IPPROTO_TCP, TCP_USER_TIMEOUT); };
    Do(Post(Url("/"), {"{}"}), recorder);
    EXPECT_EQ(bound, request == 1 ? 0 : 20'000) << "a new one may be slow to take a body in";
    EXPECT_EQ(OptionOf(port(), SOL_SOCKET, SO_KEEPALIVE), 1);
    EXPECT_EQ(OptionOf(port(), IPPROTO_TCP, TCP_KEEPIDLE), 15);
    EXPECT_EQ(OptionOf(port(), IPPROTO_TCP, TCP_KEEPINTVL), 5);
    EXPECT_EQ(OptionOf(port(), IPPROTO_TCP, TCP_KEEPCNT), 3);
  }
  EXPECT_EQ(connections(), 1);
}

// Serves one request on each connection; the second is read, and the connection closed without a word.
TEST_P(KeptTest, ADeadConnectionIsReplacedByANewOneAndNotByAnother) {
  constexpr int kKept = 4;
  std::atomic<int> first{0}, died{0};
  Serve([&](Peer& peer) {
    if (peer.ReadRequest().empty()) return;
    ++first;
    while (first < kKept) std::this_thread::yield();
    peer.Write(kForms[0].second("ok"));
    if (!peer.ReadRequest().empty()) ++died;
  });
  Open(kKept);
  ASSERT_EQ(connections(), kKept);
  Recorder recorder;
  Do(Post(Url("/"), {"{}"}), recorder);
  EXPECT_EQ(recorder.body, "ok") << recorder.result->detail;
  EXPECT_EQ(connections(), kKept + 1);
  EXPECT_EQ(died, 1);
}

// The connection is reset while the body is sent.
TEST_P(KeptTest, ADeadConnectionIsReplacedInTheMiddleOfABody) {
  const std::string body(20 * 1024 * 1024, 'b');
  std::atomic<int> served{0};
  Serve([&](Peer& peer) {
    if (peer.ReadRequest().empty()) return;
    const bool first = ++served == 1;  // before the answer: the test may be over after it
    peer.Write(kForms[0].second("ok"));
    if (first) peer.Skip(100'000);
  });
  Recorder first, second;
  Do(Post(Url("/"), {"{}"}), first);
  Do(Post(Url("/"), {body}), second);
  EXPECT_EQ(second.body, "ok") << second.result->detail;
  EXPECT_EQ(connections(), 2);
}

TEST_P(KeptTest, ADeadConnectionIsReplacedOnce) {
  std::atomic<int> requests{0};
  Serve([&](Peer& peer) {
    for (; !peer.ReadRequest().empty(); peer.Write(kForms[0].second("ok"))) {
      if (++requests > 1) return;
    }
  });
  Recorder first, second;
  Do(Post(Url("/"), {"{}"}), first);
  Do(Post(Url("/"), {"{}"}), second);
  EXPECT_EQ(second.result->error, TransportError::kRead);
  EXPECT_EQ(requests, 3);
}

// Says more than its answer, each time in another way. Lines that strangers can cause are few a second, and other tests
// cause them too: so it is done until there is one.
TEST_P(KeptTest, ASurplusIsToldWithTheProvidersName) {
  std::atomic<int> strayed{0};
  Serve([&](Peer& peer) {
    for (int i = 0; !peer.ReadRequest().empty(); ++i) {
      peer.Write(kForms[i % 2].second("ok"));
      peer.Write(kStray);
      ++strayed;
    }
  });
  ::testing::internal::CaptureStderr();
  std::string told;
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  for (int i = 1; told.find("surplus_of_provider") == told.npos && std::chrono::steady_clock::now() < end; ++i) {
    Recorder recorder;
    UpstreamRequest request = Post(Url("/"), {"{}"});
    request.provider = "talkative";
    Do(std::move(request), recorder);
    EXPECT_EQ(recorder.body, "ok");
    while (strayed < i) std::this_thread::yield();
    if (i % 10 != 0) continue;
    told += ::testing::internal::GetCapturedStderr();
    ::testing::internal::CaptureStderr();
  }
  ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(told, ::testing::HasSubstr("surplus_of_provider provider=talkative"));
  EXPECT_THAT(told, ::testing::Not(::testing::HasSubstr("stray")));
}

TEST(HasSurplusTest, TheEndOfAConnectionIsNone) {
  using std::string_literals::operator""s;
  const struct {
    std::string bytes;
    bool plain, tls;
  } cases[] = {
      {"", false, false},
      {"H", true, false},
      {"HTTP/1.1 200 OK", true, true},
      {"\x15\x03\x03\x00\x02\x01\x00"s, true, false},                 // an alert
      {"\x17\x03\x03\x00\x13"s + std::string(19, 'x'), true, false},  // may be one, in TLS 1.3
      {"\x17\x03\x03\x00\x14"s + std::string(20, 'x'), true, true},   // is more
      {"\x17\x03\x03\x01\x00"s + std::string(256, 'x'), true, true},
      {"\x17\x03\x03\x00"s, true, false},
  };
  for (const auto& c : cases) {
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    EXPECT_FALSE(HasSurplus(ends[0], false));
    EXPECT_FALSE(HasSurplus(ends[0], true));
    ASSERT_EQ(write(ends[1], c.bytes.data(), c.bytes.size()), static_cast<ssize_t>(c.bytes.size()));
    close(ends[1]);
    EXPECT_EQ(HasSurplus(ends[0], false), c.plain) << c.bytes;
    EXPECT_EQ(HasSurplus(ends[0], true), c.tls) << c.bytes;
    close(ends[0]);
  }
}

std::string KeptName(const ::testing::TestParamInfo<Engine>& info) {
  static constexpr const char* kEngines[] = {"OwnSockets", "Curl", "CurlTls"};
  return kEngines[static_cast<int>(info.param)];
}

INSTANTIATE_TEST_SUITE_P(Engines, KeptTest, ::testing::Values(Engine::kOwnSockets, Engine::kCurl, Engine::kCurlTls),
                         KeptName);

}  // namespace
}  // namespace ccr::proxy
