// What a provider sends beyond its answer is nobody's: not the next request's on that connection, whoever asks.
#include <unistd.h>

#include <optional>
#include <string>
#include <tuple>

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
    EXPECT_EQ(recorders[i].result->error, TransportError::kNone) << recorders[i].result->message;
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
    ASSERT_EQ(recorder.body, "ok") << recorder.result->message;
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
  EXPECT_EQ(recorder.body, "ok") << recorder.result->message;
  EXPECT_EQ(connections(), kKept + 1);
  EXPECT_EQ(died, 1);
}

// The connection is reset while the body is sent.
TEST_P(KeptTest, ADeadConnectionIsReplacedInTheMiddleOfABody) {
  const std::string body(20 * 1024 * 1024, 'b');
  std::atomic<int> served{0};
  Serve([&](Peer& peer) {
    if (peer.ReadRequest().empty()) return;
    peer.Write(kForms[0].second("ok"));
    if (++served == 1) peer.Skip(100'000);
  });
  Recorder first, second;
  Do(Post(Url("/"), {"{}"}), first);
  Do(Post(Url("/"), {body}), second);
  EXPECT_EQ(second.body, "ok") << second.result->message;
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

std::string KeptName(const ::testing::TestParamInfo<Engine>& info) {
  static constexpr const char* kEngines[] = {"OwnSockets", "Curl", "CurlTls"};
  return kEngines[static_cast<int>(info.param)];
}

INSTANTIATE_TEST_SUITE_P(Engines, KeptTest, ::testing::Values(Engine::kOwnSockets, Engine::kCurl, Engine::kCurlTls),
                         KeptName);

}  // namespace
}  // namespace ccr::proxy
