#include <sys/resource.h>

#include "proxy_fixture.h"
#include "tests/broker/base/sanitized.h"

namespace ccr::proxy::testing {
namespace {

constexpr std::string_view kToken = "canary-client-token";

class EntryTest : public ProxyFixture {
 protected:
  void Prepare() {
    StartUpstream([](Peer& peer, const std::string&) { return peer.Send(GoodAnswer()); });
  }
  // A head that announces a body which never comes.
  static std::string Announce(std::string_view line, std::string_view headers = "") {
    return std::string(line) + " HTTP/1.1\r\nhost: localhost\r\n" + std::string(headers) +
           "content-length: 49000000\r\n\r\n";
  }
};

TEST_F(EntryTest, PagesOfOtherSitesAreRefusedOnEveryRoute) {
  Prepare();
  table_.allowed_hosts = {"app.example"};
  StartProxy();
  for (std::string_view path : {"/", "/health", "/v1/models", "/p/one/v1/models", "/nowhere"}) {
    for (std::string_view site : {"cross-site", "same-site"}) {
      const std::string header = "sec-fetch-site: " + std::string(site) + "\r\n";
      EXPECT_EQ(Ask(Get(path, header)).status, 403) << path;
      EXPECT_EQ(Ask(Get(path, header + "origin: https://evil.example\r\n")).status, 403) << path;
    }
  }
  EXPECT_TRUE(upstream_->requests().empty());
  for (std::string_view headers : {"sec-fetch-site: none\r\n", "sec-fetch-site: same-origin\r\n",
                                   "sec-fetch-site: cross-site\r\norigin: https://app.example\r\n"})
    EXPECT_EQ(Ask(Get("/p/one/v1/models", headers)).status, 200) << headers;
  EXPECT_EQ(upstream_->CountWith("sec-fetch"), 0U);
}

TEST_F(EntryTest, WhatTheHeadDecidesIsAnsweredBeforeTheBody) {
  Prepare();
  table_.client_token_sha256 = Sha256(kToken);
  StartProxy();
  const std::string token = "x-api-key: " + std::string(kToken) + "\r\n";
  const struct {
    std::string request;
    int status;
  } cases[] = {
      {Announce("GET /health"), 200},
      {Announce("GET /"), 200},
      {Announce("GET /v1/models", token), 200},
      {Announce("POST /v1/messages"), 401},
      {Announce("POST /v1/messages", "origin: null\r\n"), 403},
      {Announce("POST /nowhere", token), 404},
      {Announce("POST /p/nobody/x", token), 404},
      {Announce("PUT /v1/messages", token), 405},
      {Announce("POST /v1/messages", token + "transfer-encoding: chunked\r\n"), 400},
  };
  for (const auto& c : cases) {
    TestClient client(port());
    const Response response = client.Ask(c.request);
    EXPECT_EQ(response.status, c.status) << c.request;
    EXPECT_TRUE(response.Has("connection: close")) << c.request;
    EXPECT_TRUE(client.IsClosed()) << c.request;
  }
}

TEST_F(EntryTest, WithoutATableNoBodyIsRead) {
  Prepare();
  with_table_ = false;
  shared_.broker_wait = absl::Milliseconds(200);
  StartProxy();
  EXPECT_EQ(Ask(Announce("GET /health")).status, 503);
  TestClient client(port());
  const Response response = client.Ask(Announce("POST /v1/messages"));
  EXPECT_EQ(response.status, 503);
  EXPECT_TRUE(response.Has("retry-after: 1\r\n"));
  EXPECT_TRUE(response.body.starts_with(R"({"type":"error")"));
}

TEST_F(EntryTest, ChunkFramingWithoutEndIsRefused) {
  Prepare();
  StartProxy();
  const std::string head = "POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n";
  const std::string much(200000, 'a');
  for (const std::string& framing : {"1;" + much, "0\r\nx: " + much, "0;" + much})
    EXPECT_EQ(Ask(head + framing).status, 431) << framing.substr(0, 10);
}

TEST_F(EntryTest, AllBodiesTogetherHaveABound) {
  Prepare();
  table_.max_buffered_bytes = 4 << 20;
  StartProxy();
  const std::string half = R"({"model":"claude-s","x":")" + std::string(1 << 20, 'x');
  const std::string chunked = "POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n";
  {
    TestClient first(port());
    TestClient second(port());
    const std::string all = Post("/v1/messages", half + "\"}");
    for (TestClient* client : {&first, &second}) client->Send(all.substr(0, all.size() - 1));
    ASSERT_TRUE(Eventually([&] { return shared_.bodies.used() >= 2U << 20; }));
    const Response refused = Ask(Post("/v1/messages", half + half.substr(half.size() - (1 << 20)) + "\"}"));
    EXPECT_EQ(refused.status, 503);
    EXPECT_TRUE(refused.Has("retry-after: 1\r\n"));
    EXPECT_TRUE(refused.body.starts_with(R"({"type":"error")")) << refused.body;
    TestClient growing(port());
    growing.Send(chunked);
    for (int i = 0; i < 3; ++i) growing.Send(Chunk(half));
    EXPECT_EQ(growing.Read().status, 503);
    EXPECT_EQ(Chat().status, 200) << "a small one has room";
  }
  EXPECT_TRUE(Eventually([&] { return shared_.bodies.used() == 0; }));
  EXPECT_EQ(Ask(Post("/v1/messages", half + half.substr(half.size() - (1 << 20)) + "\"}")).status, 200);
  EXPECT_TRUE(Eventually([&] { return shared_.bodies.used() == 0; }));
}

TEST_F(EntryTest, BodiesAreAccountedForInEveryEnd) {
  StartUpstream([](Peer& peer, const std::string& request) {
    if (request.find("gone") == std::string::npos) return peer.Send(GoodAnswer());
    return peer.WaitClosed();
  });
  table_.max_body_bytes = 100000;
  StartProxy();
  const std::string pad(60000, 'x');
  TestClient client(port());
  EXPECT_EQ(client.Ask(Post("/v1/chat/completions", R"({"model":"gpt-x","x":")" + pad + "\"}")).status, 200);
  EXPECT_EQ(client.Ask(Post("/v1/chat/completions", "no JSON" + pad)).status, 400);
  EXPECT_TRUE(Eventually([&] { return shared_.bodies.used() == 0; })) << "kept alive";
  {
    TestClient leaves(port());
    leaves.Send(Post("/v1/chat/completions", R"({"model":"gpt-x","x":"gone)" + pad + "\"}"));
    ASSERT_TRUE(Eventually([&] { return upstream_->CountWith("gone") == 1; }));
    EXPECT_GT(shared_.bodies.used(), pad.size());
  }
  EXPECT_EQ(Ask("POST /v1/messages HTTP/1.1\r\nhost: a.localhost\r\ntransfer-encoding: chunked\r\n\r\n" + Chunk(pad) +
                Chunk(pad))
                .status,
            413);
  EXPECT_TRUE(Eventually([&] { return shared_.bodies.used() == 0; }));
}

TEST_F(EntryTest, ABodyIsKeptUntilItsAnswerIsRelayed) {
  for (const bool curl : {false, true}) {
    for (const size_t size : {1000, 2000000}) {
      release_ = false;
      shared_.upstream.all_with_curl = curl;
      StartUpstream([this](Peer& peer, const std::string&) {
        peer.WaitFor(release_);
        peer.Send(std::string(kStreamHead) + Chunk("data: {\"a\":1}\n\n"));
        return peer.WaitClosed();
      });
      StartProxy();
      {
        TestClient client(port());
        client.Send(
            Post("/v1/chat/completions", R"({"model":"gpt-x","stream":true,"x":")" + std::string(size, 'x') + "\"}"));
        ASSERT_TRUE(Eventually([&] { return upstream_->requests().size() == 1; }));
        EXPECT_GE(shared_.bodies.used(), size);
        release_ = true;
        EXPECT_TRUE(client.ReceiveUntil("data: "));
        EXPECT_TRUE(Eventually([&] { return shared_.bodies.used() == 0; })) << curl << size;
      }
      pool_.reset();
      upstream_.reset();
    }
  }
}

TEST_F(EntryTest, AnswersThatAreTranslatedWholeCount) {
  StartUpstream([](Peer& peer, const std::string&) {
    return peer.Send(JsonAnswer(200, R"({"choices":[{"message":{"content":")" + std::string(2 << 20, 'x') + "\"}}]}"));
  });
  table_.max_buffered_bytes = 2 << 20;
  StartProxy();
  const Response response =
      Ask(Post("/v1/messages", R"({"model":"gpt-x","max_tokens":5,"messages":[{"role":"user","content":"hi"}]})"));
  EXPECT_EQ(response.status, 502);
  EXPECT_NE(response.body.find("max_buffered_bytes"), std::string::npos) << response.body;
  EXPECT_TRUE(Eventually([&] { return shared_.bodies.used() == 0 && broker_.reports().size() == 1; }));
  EXPECT_TRUE(broker_.reports()[0].evidence.caller_fault);
}

TEST_F(EntryTest, AbsoluteForm) {
  Prepare();
  StartProxy();
  EXPECT_EQ(Ask(Get("http://localhost:1/health")).status, 200);
  EXPECT_EQ(Ask(Get("http://127.0.0.1")).status, 200);
  EXPECT_EQ(Ask(Get("http://evil.example/health")).status, 403);
  EXPECT_EQ(Ask(Get("http://user@localhost/health")).status, 403);
  EXPECT_EQ(Ask("GET http://localhost/health HTTP/1.1\r\nhost: evil.example\r\n\r\n").status, 200)
      << "the target's counts";
  EXPECT_EQ(Ask(Post("http://localhost/v1/chat/completions", kChatBody)).status, 200);
  EXPECT_EQ(Ask(Get("http://localhost/p/one/v1/models?a=b")).status, 200);
  EXPECT_EQ(upstream_->CountWith("GET /v1/models?a=b HTTP/1.1"), 1U);
}

TEST_F(EntryTest, TheClientsCredentialNeverPasses) {
  Prepare();
  broker_.SetCredentialHeader("X-Custom-Auth");
  table_.client_token_sha256 = Sha256(kToken);
  StartProxy();
  const std::string token(kToken);
  const std::string headers =
      "authorization: Bearer " + token + "\r\nx-custom-auth: mine\r\nX-CUSTOM-AUTH: mine\r\napi-key: mine\r\n" +
      "x-other-api-key: mine\r\nproxy-authorization: Bearer mine\r\ncookie: a=mine\r\nx-note: it is " + token +
      "!\r\nx-kept: yes\r\n";
  const std::string query = "?%6bey=" + token + "&key=mine&a=" + token + "&%256bey=mine&beta=true";
  EXPECT_EQ(Ask(Get("/p/one/v1/models" + query, headers)).status, 200);
  EXPECT_EQ(Ask(Post("/v1/chat/completions" + query, kChatBody, headers)).status, 200);
  EXPECT_EQ(Ask(Post("/v1/messages" + query, R"({"model":"claude-s"})", headers)).status, 200);
  Ask(Post("/v1/messages" + query, R"({"model":"gpt-x","max_tokens":5,"messages":[{"role":"user","content":"hi"}]})",
           headers));  // is translated
  const auto sent = upstream_->requests();
  ASSERT_EQ(sent.size(), 4U);
  for (const std::string& request : sent) {
    EXPECT_EQ(request.find(token), std::string::npos) << request;
    EXPECT_EQ(request.find("mine"), std::string::npos) << request;
    EXPECT_NE(request.find("x-kept: yes"), std::string::npos) << request;
    const size_t ours = request.find("X-Custom-Auth: ");
    ASSERT_NE(ours, std::string::npos) << request;
    EXPECT_EQ(request.find("canary-key-", ours + 30), std::string::npos) << request;
  }
  EXPECT_NE(sent[0].find("/v1/models?beta=true "), std::string::npos) << sent[0];
}

TEST_F(EntryTest, WithoutADescriptorTheOldestIdleConnectionMakesRoom) {
  if (kSanitized) GTEST_SKIP() << "the check of types opens a pipe, for which there is no descriptor";
  Prepare();
  StartProxy();
  TestClient idle(port());
  EXPECT_EQ(idle.Ask(Get("/health")).status, 200);
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  rlimit one_left = before;
  const int next = dup(0);
  close(next);
  one_left.rlim_cur = static_cast<rlim_t>(next) + 1;
  setrlimit(RLIMIT_NOFILE, &one_left);
  TestClient second(port());
  const Response response = second.Ask(Get("/health"));
  setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_EQ(response.status, 200);
  EXPECT_TRUE(idle.IsClosed());
}

TEST_F(EntryTest, OurOwnShortageIsNobodysFailure) {
  for (const bool curl : {false, true}) {
    shared_.upstream.all_with_curl = curl;
    Prepare();
    StartProxy();
    TestClient client(port());
    EXPECT_EQ(client.Ask(Get("/health")).status, 200);
    rlimit before{};
    getrlimit(RLIMIT_NOFILE, &before);
    rlimit none = before;
    const int next = dup(0);
    close(next);
    none.rlim_cur = static_cast<rlim_t>(next);
    setrlimit(RLIMIT_NOFILE, &none);
    const Response response = client.Ask(Post("/v1/chat/completions", kChatBody));
    setrlimit(RLIMIT_NOFILE, &before);
    EXPECT_EQ(response.status, 503) << response.body;
    EXPECT_TRUE(response.Has("retry-after: 1\r\n"));
    ASSERT_TRUE(Eventually([&] { return !broker_.reports().empty(); }));
    const Evidence evidence = broker_.reports().back().evidence;
    EXPECT_TRUE(evidence.caller_fault);
    EXPECT_EQ(broker_.reports().size(), curl ? 3U : 1U);
    EXPECT_EQ(client.Ask(Post("/v1/chat/completions", kChatBody)).status, 200);
    client.Close();
    ASSERT_TRUE(Eventually([&] { return broker_.in_flight() == 0; }));
    pool_.reset();
    upstream_.reset();
  }
}

TEST_F(EntryTest, WaitsOfProvidersAreBoundedForClients) {
  std::string retry_after;
  StartUpstream([&](Peer& peer, const std::string&) {
    return peer.Send(JsonAnswer(404, "{}", "retry-after: " + retry_after + "\r\n"));
  });
  StartProxy();
  retry_after = "nan";
  EXPECT_FALSE(Chat().Has("retry-after"));
  retry_after = "249130080000";
  EXPECT_TRUE(Chat().Has("retry-after: 86400\r\n"));
  retry_after = "7";
  EXPECT_TRUE(Chat().Has("retry-after: 7\r\n"));
  ASSERT_TRUE(Eventually([&] { return broker_.reports().size() == 3; }));
  EXPECT_EQ(broker_.reports()[0].evidence.retry_after, std::nullopt);
  EXPECT_EQ(broker_.reports()[1].evidence.retry_after, absl::Hours(400 * 24));
}

TEST_F(EntryTest, ABareCarriageReturnDoesNotPass) {
  for (const bool curl : {false, true}) {
    shared_.upstream.all_with_curl = curl;
    Start(JsonAnswer(200, "{}", "x-a: b\rset-cookie: c\r\n"));
    const Response response = Chat();
    EXPECT_EQ(response.status, 502);
    EXPECT_FALSE(response.Has("set-cookie"));
    pool_.reset();
    upstream_.reset();
  }
}

TEST_F(EntryTest, AnErrorThatQuotesTheKeyDoesNotShowIt) {
  StartUpstream([](Peer& peer, const std::string&) {
    return peer.Send(JsonAnswer(400, R"({"error":{"message":"canary-key-a1 is odd","code":"canary-key-a1"}})",
                                "x-why: canary-key-a1\r\n"));
  });
  broker_.SetKeys({"canary-key-a1"});
  StartProxy();
  const Response response = Chat();
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.body, R"({"error":{"message":"************* is odd","code":"*************"}})");
  EXPECT_TRUE(response.Has("x-why: *************\r\n"));
  const Response translated =
      Ask(Post("/v1/messages", R"({"model":"gpt-x","max_tokens":5,"messages":[{"role":"user","content":"hi"}]})"));
  EXPECT_NE(translated.body.find("************* is odd"), std::string::npos) << translated.body;
  for (const auto& report : broker_.reports()) EXPECT_EQ(report.evidence.error_code, "");
}

}  // namespace
}  // namespace ccr::proxy::testing
