#include "proxy_fixture.h"

namespace ccr::proxy::testing {
namespace {

class PassthroughTest : public ProxyFixture {};

TEST_F(PassthroughTest, BytesOfBodyAndAnswerAreUnchanged) {
  const std::string answer_body(
      R"({ "odd"  :[1,2 , 3],"choices" : [ {} ],"usage":{"prompt_tokens":7,"completion_tokens":5} })");
  Start(Answer(200, "content-type: application/json\r\nx-request-id: req-1\r\n", answer_body));
  const std::string body("{ \"messages\" : [\"\xC3\xA9\xF0\x9F\x98\x80\"],\n\"model\":\"gpt-x\" ,\"unknown\":{}}");
  const Response response = Ask(Post("/v1/chat/completions?beta=true", body, "x-custom: kept\r\n"));
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, answer_body);
  EXPECT_TRUE(response.Has("x-request-id: req-1\r\n"));
  const std::string request = upstream_->requests().at(0);
  EXPECT_TRUE(request.ends_with("\r\n\r\n" + body)) << request;
  EXPECT_TRUE(request.starts_with("POST /v1/chat/completions?beta=true HTTP/1.1\r\n")) << request;
  EXPECT_NE(request.find("x-custom: kept\r\n"), std::string::npos);
}

TEST_F(PassthroughTest, OnlyTheModelIsSpliced) {
  Start(JsonAnswer(200, kBareAnswer));
  Ask(Post("/v1/chat/completions", R"({"a":1, "model" : "ONE,other-model","z":[ ]})"));
  EXPECT_EQ(upstream_->CountWith(R"({"a":1, "model" : "other-model","z":[ ]})"), 1U);
}

TEST_F(PassthroughTest, ExactlyOneCredentialGoesUpstreamAndNoneOfTheClients) {
  StartUpstream([](Peer& peer, const std::string&) { return peer.Send(Answer(200, "", kBareAnswer)); });
  table_.client_token_sha256 = Sha256("canary-client-token");
  StartProxy();
  Ask(Post("/v1/messages", R"({"model":"claude-s"})",
           "x-api-key: canary-client-token\r\nauthorization: Bearer canary-client-token\r\n"
           "anthropic-version: 2023-06-01\r\nanthropic-beta: a,b\r\nconnection: keep-alive, x-hop\r\nx-hop: 1\r\n"
           "accept-encoding: gzip\r\n"));
  const std::string request = upstream_->requests().at(0);
  EXPECT_EQ(request.find("canary-client-token"), std::string::npos) << request;
  EXPECT_NE(request.find("x-api-key: canary-key-a1\r\n"), std::string::npos) << request;
  EXPECT_EQ(request.find("uthorization"), std::string::npos) << request;
  EXPECT_EQ(request.find("x-hop"), std::string::npos) << request;
  EXPECT_EQ(request.find("gzip"), std::string::npos) << "evidence could not be read";
  EXPECT_NE(request.find("anthropic-version: 2023-06-01\r\n"), std::string::npos) << request;
  EXPECT_NE(request.find("anthropic-beta: a,b\r\n"), std::string::npos) << request;
}

TEST_F(PassthroughTest, ResponseHeadersFollowTheRules) {
  Start(Answer(
      200, "content-type: application/json\r\nset-cookie: a=b\r\naccess-control-allow-origin: *\r\nretry-after: 3\r\n",
      kBareAnswer));
  const Response response = Chat();
  EXPECT_FALSE(response.Has("set-cookie"));
  EXPECT_FALSE(response.Has("access-control"));
  EXPECT_FALSE(response.Has("server:"));
  EXPECT_TRUE(response.Has("retry-after: 3\r\n"));
}

TEST_F(PassthroughTest, StreamedEventsPassWhereverTheyAreSplit) {
  const std::string stream =
      "data: {\"choices\":[{\"delta\":{\"content\":\"\xF0\x9F\x98\x80\"}}]}\r\n\r\n"
      "data: {\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":3}}\n\ndata: [DONE]\n\n";
  StartUpstream([stream](Peer& peer, const std::string&) {
    peer.Send(kStreamHead);
    for (char byte : stream) peer.Send(Chunk(std::string(1, byte)));
    return peer.Send("0\r\n\r\n");
  });
  StartProxy();
  const Response response = Ask(Post("/v1/chat/completions", kChatStream));
  EXPECT_TRUE(response.complete);
  EXPECT_EQ(response.body, stream);
  EXPECT_TRUE(response.Has("content-type: text/event-stream\r\n"));
  const auto reports = broker_.reports();
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0].evidence.input_tokens, 11U);
  EXPECT_EQ(reports[0].evidence.output_tokens, 3U);
  EXPECT_FALSE(reports[0].evidence.incomplete);
}

TEST_F(PassthroughTest, FirstEventArrivesWhileTheStreamIsOpen) {
  StartUpstream([this](Peer& peer, const std::string&) {
    peer.Send(std::string(kStreamHead) + Chunk("data: 1\n\n"));
    peer.WaitFor(release_);
    return peer.Send(Chunk("data: [DONE]\n\n") + "0\r\n\r\n");
  });
  StartProxy();
  TestClient client(port());
  client.Send(Post("/v1/chat/completions", kChatStream));
  EXPECT_TRUE(client.ReceiveUntil("data: 1\n\n"));
  release_ = true;
  EXPECT_TRUE(client.Read().complete);
}

TEST_F(PassthroughTest, AnyPathAndMethodOfAProvider) {
  Start(Answer(200, "", "gone"));
  const Response response = Ask("DELETE /p/one/v1/files/f1?x=1 HTTP/1.1\r\nhost: localhost\r\n\r\n");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "gone");
  EXPECT_EQ(upstream_->CountWith("DELETE /v1/files/f1?x=1 HTTP/1.1\r\n"), 1U);
  EXPECT_EQ(Ask(Get("/p/nobody/v1/files")).status, 404);
  EXPECT_EQ(Ask(Get("/p/one/../secret")).status, 400);
  EXPECT_EQ(broker_.in_flight(), 0U);
}

TEST_F(PassthroughTest, HeadOfAProvidersPathHasNoBody) {
  StartUpstream(
      [](Peer& peer, const std::string&) { return peer.Send("HTTP/1.1 200 OK\r\ncontent-length: 1234\r\n\r\n"); });
  StartProxy();
  TestClient client(port());
  const Response response = client.Ask("HEAD /p/one/v1/files HTTP/1.1\r\nhost: localhost\r\n\r\n", true);
  EXPECT_TRUE(response.Has("content-length: 1234\r\n"));
  EXPECT_EQ(client.Ask(Get("/")).status, 200);
}

TEST_F(PassthroughTest, BadBodiesAndUnknownModelsNameTheFault) {
  Start(Answer(200, "", kBareAnswer));
  EXPECT_EQ(Ask(Post("/v1/chat/completions", "{\"model\":")).status, 400);
  EXPECT_EQ(Ask(Post("/v1/chat/completions", R"({"model":"nobody"})")).status, 404);
  EXPECT_EQ(Ask(Post("/nowhere", "{}")).status, 404);
  const Response method = Ask(Get("/v1/messages"));
  EXPECT_EQ(method.status, 405);
  EXPECT_TRUE(method.Has("allow: post\r\n"));
}

TEST_F(PassthroughTest, OwnPages) {
  Start(Answer(200, "", kBareAnswer));
  const Response health = Ask(Get("/health"));
  EXPECT_EQ(health.status, 200);
  EXPECT_EQ(health.body, R"({"status":"ok"})");
  EXPECT_EQ(Ask(Get("/")).status, 200);
  TestClient client(port());
  const Response head = client.Ask("HEAD / HTTP/1.1\r\nhost: localhost\r\n\r\n", true);
  EXPECT_EQ(head.status, 200);
  const Response models = client.Ask(Get("/v1/models?limit=1000"));
  EXPECT_EQ(models.status, 200);
  EXPECT_NE(models.body.find(R"({"object":"list","data":[{"id":"gpt-x","type":"model","object":"model")"),
            std::string::npos);
  EXPECT_NE(models.body.find(R"("id":"claude,claude-s")"), std::string::npos);
  EXPECT_NE(models.body.find(R"("has_more":false,"first_id":"gpt-x","last_id":"claude,claude-s")"), std::string::npos);
}

TEST_F(PassthroughTest, KeepAliveAndPipelining) {
  Start(Answer(200, "content-type: application/json\r\n", kChatAnswer));
  TestClient client(port());
  client.Send(Post("/v1/chat/completions", kChatBody) + Get("/health") + Post("/v1/chat/completions", kChatBody));
  EXPECT_EQ(client.Read().body, kChatAnswer);
  EXPECT_EQ(client.Read().body, R"({"status":"ok"})");
  EXPECT_EQ(client.Read().body, kChatAnswer);
}

TEST_F(PassthroughTest, SessionAndModelReachTheBroker) {
  Start(Answer(200, "", kBareAnswer));
  Ask(Post("/v1/chat/completions", R"({"model":"gpt-x","metadata":{"user_id":"u_session_s1"}})"));
  Ask(Post("/v1/chat/completions", kChatBody, "x-claude-code-session-id: s2\r\n"));
  const auto requests = broker_.lease_requests();
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(requests[0].session, "s1");
  EXPECT_EQ(requests[0].model, "gpt-x");
  EXPECT_EQ(requests[0].pool, "one");
  EXPECT_EQ(requests[1].session, "s2");
}

TEST_F(PassthroughTest, MetricsCountWhatHappened) {
  Start(Answer(200, "content-type: application/json\r\n", kChatAnswer));
  Chat();
  ASSERT_TRUE(Eventually([&] { return Metrics().find("ccr_requests_in_flight 0\n") != std::string::npos; }));
  const std::string metrics = Metrics();
  for (std::string_view line :
       {R"(ccr_requests_total{code="200",endpoint="chat_completions",provider="one"} 1)",
        R"(ccr_upstream_attempts_total{outcome="success",provider="one"} 1)",
        R"(ccr_tokens_total{direction="input",provider="one"} 7)", R"(ccr_time_to_first_byte_seconds_count 1)",
        R"(ccr_lease_wait_seconds_count 1)", R"(ccr_request_duration_seconds_count{endpoint="chat_completions"} 1)"})
    EXPECT_NE(metrics.find(line), std::string::npos) << line << "\n" << metrics;
}

TEST_F(PassthroughTest, MetricsCountForAProviderThatIsCalledNone) {
  StartUpstream([](Peer& peer, const std::string& request) {
    if (request.find("canary-key-a1") != std::string::npos) return peer.Send(Answer(429, "", "{}"));
    return peer.Send(Answer(200, "content-type: application/json\r\n", kChatAnswer));
  });
  table_.providers[0].name = "none";
  StartProxy();
  Chat();
  Ask(Post("/nowhere", "{}"));
  ASSERT_TRUE(Eventually([&] { return Metrics().find("ccr_requests_in_flight 0\n") != std::string::npos; }));
  const std::string metrics = Metrics();
  for (std::string_view line : {R"(ccr_requests_total{code="200",endpoint="chat_completions",provider="none"} 1)",
                                R"(ccr_tokens_total{direction="input",provider="none"} 7)",
                                R"(ccr_retries_total{kind="rotate",provider="none"} 1)"})
    EXPECT_NE(metrics.find(line), std::string::npos) << line << "\n" << metrics;
}

}  // namespace
}  // namespace ccr::proxy::testing
