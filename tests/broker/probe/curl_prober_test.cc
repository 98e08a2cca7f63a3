#include "broker/adapters/probe/curl_prober.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>

#include "broker/core/verdict/outcome.h"
#include "tests/proxy/upstream/scripted_server.h"

namespace ccr {
namespace {

using proxy::Peer;
using proxy::ScriptedServer;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr auto kBound = std::chrono::minutes(1);

KeyProbe ProbeOf(const std::string& url) {
  return {url, {{"anthropic-version", "2023-06-01"}}, "x-api-key", "", Secret("canary-key-a1"), "", ""};
}

// The answer of a probe, which must come in time.
core::Evidence Ask(CurlProber& prober, KeyProbe probe) {
  auto answer = std::make_shared<std::promise<core::Evidence>>();
  std::future<core::Evidence> evidence = answer->get_future();
  prober.Start(std::move(probe), [answer](const core::Evidence& e) { answer->set_value(e); });
  if (evidence.wait_for(kBound) == std::future_status::ready) return evidence.get();
  ADD_FAILURE() << "no answer";
  return {};
}

ScriptedServer::Script Answering(const std::string& head, std::string* request = nullptr, std::string body = "") {
  return [head, request, body](Peer& peer) {
    const std::string seen = peer.ReadRequest();
    if (request != nullptr) *request = seen;
    peer.Write("HTTP/1.1 " + head + "\r\n\r\n" + body);
  };
}

TEST(CurlProberTest, AsksWithTheKeyAndTellsTheStatus) {
  std::string request;
  ScriptedServer server(Answering("200 OK\r\nContent-Length: 0", &request));
  CurlProber prober({});
  EXPECT_EQ(Ask(prober, ProbeOf(server.Url("/v1/models"))).http_status, 200);
  EXPECT_THAT(request, StartsWith("GET /v1/models HTTP/1.1\r\n"));
  EXPECT_THAT(request, HasSubstr("\r\nx-api-key: canary-key-a1\r\n"));
  EXPECT_THAT(request, HasSubstr("\r\nanthropic-version: 2023-06-01\r\n"));
}

TEST(CurlProberTest, TellsWhatTheProviderSays) {
  for (const int status : {401, 403, 404, 429, 500}) {
    ScriptedServer server(Answering(std::to_string(status) + " No\r\nContent-Length: 0"));
    CurlProber prober({});
    const core::Evidence evidence = Ask(prober, ProbeOf(server.Url()));
    EXPECT_EQ(evidence.http_status, status);
    EXPECT_EQ(evidence.transport_error, core::TransportError::kNone);
  }
}

TEST(CurlProberTest, TellsWhatTheBodyOfAnErrorSays) {
  const std::string body =
      R"({"error":{"code":403,"status":"PERMISSION_DENIED","message":"Consumer has been suspended.",)"
      R"("details":[{"reason":"CONSUMER_SUSPENDED"}]}})";
  ScriptedServer server(Answering("403 No\r\nContent-Length: " + std::to_string(body.size()), nullptr, body));
  CurlProber prober({});
  const core::Evidence evidence = Ask(prober, ProbeOf(server.Url()));
  EXPECT_EQ(evidence.error_type, "PERMISSION_DENIED");
  EXPECT_EQ(evidence.error_code, "CONSUMER_SUSPENDED");
  EXPECT_EQ(core::Classify(evidence).outcome, core::Outcome::kAuth);
}

TEST(CurlProberTest, ABodyWithoutEndIsNotWaitedFor) {
  ScriptedServer server([](Peer& peer) {
    peer.ReadRequest();
    peer.Write("HTTP/1.1 403 No\r\n\r\n{\"error\":{\"code\":\"");
    const std::string chunk(1 << 16, 'x');
    while (peer.Write(chunk)) {
    }
  });
  CurlProber prober({});
  const core::Evidence evidence = Ask(prober, ProbeOf(server.Url()));
  EXPECT_EQ(evidence.http_status, 403);
  EXPECT_EQ(evidence.error_code, "");
}

TEST(CurlProberTest, FollowsNoRedirect) {
  ScriptedServer other(Answering("200 OK\r\nContent-Length: 0"));
  ScriptedServer server(Answering("302 Found\r\nLocation: " + other.Url() + "\r\nContent-Length: 0"));
  CurlProber prober({});
  EXPECT_EQ(Ask(prober, ProbeOf(server.Url())).http_status, 302);
  EXPECT_EQ(other.connections(), 0);
}

TEST(CurlProberTest, GoesThroughTheProxyAndNowhereElse) {
  std::string request;
  ScriptedServer proxy(Answering("401 Unauthorized\r\nContent-Length: 0", &request));
  CurlProber prober({});
  KeyProbe probe = ProbeOf("http://provider.invalid/v1/models");
  probe.proxy_url = proxy.Url("");
  EXPECT_EQ(Ask(prober, std::move(probe)).http_status, 401);
  EXPECT_THAT(request, StartsWith("GET http://provider.invalid/v1/models HTTP/1.1\r\n"));
}

TEST(CurlProberTest, NoAnswerIsATransportError) {
  CurlProber prober({});
  const core::Evidence refused = Ask(prober, ProbeOf("http://127.0.0.1:1/"));
  EXPECT_EQ(refused.transport_error, core::TransportError::kRefused);
  EXPECT_THAT(refused.detail, HasSubstr("connect"));
  EXPECT_EQ(Ask(prober, ProbeOf("http://" + std::string(70, 'n') + ".invalid/")).transport_error,
            core::TransportError::kName);
  KeyProbe through_nothing = ProbeOf("http://provider.invalid/");
  through_nothing.proxy_url = "http://127.0.0.1:1";
  EXPECT_EQ(Ask(prober, std::move(through_nothing)).transport_error, core::TransportError::kProxy);
  for (const char* scheme : {"http", "https"}) {
    ScriptedServer forward(Answering("407 Proxy Authentication Required\r\nContent-Length: 0"));
    KeyProbe probe = ProbeOf(std::string(scheme) + "://provider.invalid/");
    probe.proxy_url = forward.Url("");
    const core::Evidence evidence = Ask(prober, std::move(probe));
    EXPECT_EQ(evidence.transport_error, core::TransportError::kProxy) << scheme;
    EXPECT_EQ(evidence.http_status, 0) << scheme;
    EXPECT_THAT(evidence.detail, HasSubstr("407")) << scheme;
  }
  EXPECT_EQ(Ask(prober, ProbeOf("file:///etc/passwd")).transport_error, core::TransportError::kConnect);
  ScriptedServer closing([](Peer& peer) { peer.ReadRequest(); });
  EXPECT_EQ(Ask(prober, ProbeOf(closing.Url())).transport_error, core::TransportError::kRead);
  CurlProber hasty({.total_timeout = absl::Seconds(1)});
  ScriptedServer silent([](Peer& peer) { peer.WaitForEnd(); });
  const core::Evidence evidence = Ask(hasty, ProbeOf(silent.Url()));
  EXPECT_EQ(evidence.http_status, 0);
  EXPECT_EQ(evidence.transport_error, core::TransportError::kFirstByteTimeout);
}

TEST(CurlProberTest, TheStatusCountsWhateverTheBodyDoes) {
  ScriptedServer server([](Peer& peer) {
    peer.ReadRequest();
    peer.Write("HTTP/1.1 200 OK\r\n\r\n");
    const std::string chunk(1 << 16, 'x');
    while (peer.Write(chunk)) {
    }
  });
  CurlProber prober({});
  EXPECT_EQ(Ask(prober, ProbeOf(server.Url())).http_status, 200);
}

TEST(CurlProberTest, RunsAFewAtOnce) {
  std::atomic<int> open{0}, most{0};
  ScriptedServer server([&](Peer& peer) {
    const int now = ++open;
    for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
    }
    peer.ReadRequest();
    --open;
    peer.Write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  });
  CurlProber prober({.max_at_once = 2});
  std::vector<std::future<void>> done;
  for (int i = 0; i < 20; ++i) {
    auto answer = std::make_shared<std::promise<void>>();
    done.push_back(answer->get_future());
    prober.Start(ProbeOf(server.Url()), [answer](const core::Evidence&) { answer->set_value(); });
  }
  for (const auto& each : done) ASSERT_EQ(each.wait_for(kBound), std::future_status::ready);
  EXPECT_LE(most, 2);
  EXPECT_EQ(server.connections(), 20);
}

TEST(CurlProberTest, StopEndsWhatIsUnderWay) {
  std::promise<void> asked;
  ScriptedServer server([&](Peer& peer) {
    peer.ReadRequest();
    asked.set_value();
    peer.WaitForEnd();
  });
  CurlProber prober({});
  std::atomic<int> answers{0};
  prober.Start(ProbeOf(server.Url()), [&](const core::Evidence&) { ++answers; });
  ASSERT_EQ(asked.get_future().wait_for(kBound), std::future_status::ready);
  prober.Stop();
  prober.Start(ProbeOf(server.Url()), [&](const core::Evidence&) { ++answers; });
  prober.Stop();
  EXPECT_EQ(answers, 0);
}

}  // namespace
}  // namespace ccr
