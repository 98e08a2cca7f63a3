// Answers in the form that was not asked for, and compressed ones.
#include <gmock/gmock.h>
#include <zlib.h>

#include "proxy_fixture.h"

namespace ccr::proxy::testing {
namespace {

using ::testing::HasSubstr;

const std::string kChatEvents =
    "data: {\"id\":\"c1\",\"model\":\"gpt-x\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":"
    "\"hel\"}}]}\n\n"
    "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"lo\"},\"finish_reason\":\"stop\"}],"
    "\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":3}}\n\ndata: [DONE]\n\n";
constexpr std::string_view kChatDocument =
    R"({"id":"c1","object":"chat.completion","model":"gpt-x","choices":[{"index":0,"message":{"role":"assistant",)"
    R"("content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":11,"completion_tokens":3}})";
constexpr std::string_view kOverloadedEvent =
    "data: {\"error\":{\"message\":\"busy\",\"type\":\"overloaded_error\"}}\n\n";

std::string Body(std::string_view model, bool stream) {
  return R"({"model":")" + std::string(model) + R"(","max_tokens":9,"stream":)" + (stream ? "true" : "false") +
         R"(,"messages":[{"role":"user","content":"hi"}]})";
}

std::string Gzip(std::string_view text) {
  z_stream z{};
  EXPECT_EQ(deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(text.size() + 256, '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  z.avail_in = static_cast<uInt>(text.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&z, Z_FINISH), Z_STREAM_END);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

class OtherFormTest : public ProxyFixture {
 protected:
  Response Chat(bool stream) { return Ask(Post("/v1/chat/completions", Body("gpt-x", stream))); }
  Response Messages(bool stream) { return Ask(Post("/v1/messages", Body("one,gpt-x", stream))); }
  void StartWith(std::string_view content_type, std::string_view body) {
    const std::string type = content_type.empty() ? "" : "content-type: " + std::string(content_type) + "\r\n";
    Start(Answer(200, type, body));
  }
};

TEST_F(OtherFormTest, EventsForAPlainRequest) {
  for (const char* type : {"text/event-stream", "application/json", "text/plain", ""}) {
    StartWith(type, kChatEvents);
    const Response chat = Chat(false);
    EXPECT_EQ(chat.status, 200);
    EXPECT_TRUE(chat.Has("content-type: application/json\r\n")) << chat.head;
    EXPECT_THAT(chat.body, HasSubstr(R"("content":"hello")"));
    EXPECT_THAT(chat.body, HasSubstr(R"("finish_reason":"stop")"));
    const Response messages = Messages(false);
    EXPECT_THAT(messages.body, HasSubstr(R"({"type":"text","text":"hello"})")) << type;
    pool_.reset();
  }
}

// However few bytes come first, and whatever the head says.
TEST_F(OtherFormTest, PieceByPiece) {
  const std::string blank_document = "\r\n \n" + std::string(kChatDocument);
  for (const char* type : {"text/event-stream", "application/json"}) {
    for (const std::string& body : {kChatEvents, blank_document}) {
      StartUpstream([type, body](Peer& peer, const std::string&) {
        peer.Send("HTTP/1.1 200 OK\r\ncontent-type: " + std::string(type) + "\r\ntransfer-encoding: chunked\r\n\r\n");
        for (const char c : body) peer.Send(Chunk(std::string(1, c)));
        return peer.Send("0\r\n\r\n");
      });
      StartProxy();
      EXPECT_THAT(Chat(false).body, HasSubstr(R"("content":"hello")")) << type << body;
      EXPECT_THAT(Messages(false).body, HasSubstr(R"({"type":"text","text":"hello"})")) << type << body;
      EXPECT_TRUE(Chat(true).body.ends_with("data: [DONE]\n\n")) << type << body;
      EXPECT_THAT(Messages(true).body, HasSubstr("event: message_stop")) << type << body;
      pool_.reset();
    }
  }
}

TEST_F(OtherFormTest, AHeadOfTheOtherFormIsNotRelayedBeforeItsBody) {
  StartUpstream([this](Peer& peer, const std::string&) {
    peer.Send(kStreamHead);
    peer.WaitFor(release_);
    return peer.Send(Chunk(kChatEvents) + "0\r\n\r\n");
  });
  StartProxy();
  TestClient client(port());
  client.Send(Post("/v1/chat/completions", Body("gpt-x", false)));
  ASSERT_TRUE(Eventually([&] { return upstream_->requests().size() == 1; }));
  clock_.Skip(absl::Seconds(20));
  EXPECT_TRUE(Eventually([&] { return broker_.lease_requests().size() == 1; }));
  TestClient other(port());
  EXPECT_EQ(other.Ask(Get("/health")).status, 200) << "the loop has turned";
  release_ = true;
  EXPECT_THAT(client.Read().body, HasSubstr(R"("content":"hello")"));
}

TEST_F(OtherFormTest, ADocumentForAStream) {
  for (const char* type : {"application/json", "text/event-stream", ""}) {
    StartWith(type, kChatDocument);
    const Response chat = Chat(true);
    EXPECT_TRUE(chat.Has("content-type: text/event-stream\r\n")) << chat.head;
    EXPECT_THAT(chat.body, HasSubstr(R"("delta":{"content":"hello")")) << type;
    EXPECT_TRUE(chat.body.ends_with("data: [DONE]\n\n")) << chat.body;
    const Response messages = Messages(true);
    EXPECT_THAT(messages.body, HasSubstr(R"({"type":"text_delta","text":"hello"})")) << type;
    EXPECT_THAT(messages.body, HasSubstr("event: message_stop")) << type;
    pool_.reset();
  }
}

TEST_F(OtherFormTest, EventsUnderAWrongTypeStayEvents) {
  for (const char* type : {"application/json", "text/plain", ""}) {
    StartWith(type, kChatEvents);
    EXPECT_EQ(Chat(true).body, kChatEvents) << type;
    EXPECT_THAT(Messages(true).body, HasSubstr("event: message_stop")) << type;
    pool_.reset();
  }
}

TEST_F(OtherFormTest, ThinkingInTagsOfAnAnswerThatPasses) {
  StartWith("application/json", R"({"id":"c1","choices":[{"index":0,"message":{"role":"assistant",)"
                                R"("content":"<think>hm</think>\n\nhello"},"finish_reason":"stop"}]})");
  const Response plain = Chat(false);
  EXPECT_THAT(plain.body, HasSubstr(R"("content":"hello")"));
  EXPECT_THAT(plain.body, HasSubstr(R"("reasoning_content":"hm")"));
  pool_.reset();
  const auto delta = [](std::string_view text) {
    return R"(data: {"id":"c1","choices":[{"index":0,"delta":{"content":")" + std::string(text) + "\"}}]}\n\n";
  };
  const std::string end = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
  StartWith("text/event-stream", delta("") + delta("<thi") + delta("nk>hm</thi") + delta("nk>hello") + end);
  const Response stream = Chat(true);
  EXPECT_THAT(stream.body, HasSubstr(R"({"reasoning_content":"hm"})"));
  EXPECT_THAT(stream.body, HasSubstr(R"({"content":"hello"})"));
  EXPECT_TRUE(stream.body.ends_with("data: [DONE]\n\n")) << stream.body;
  pool_.reset();
  table_.providers[0].transformers = {{"enhancetool", "{}"}};
  StartWith("text/event-stream", delta("<think>hm</think>hello") + end);
  table_.providers[0].transformers.clear();
  EXPECT_THAT(Chat(true).body, HasSubstr(R"({"content":"hello"})"));
  pool_.reset();
  const std::string none = delta("") + delta("<b>") + end;
  StartWith("text/event-stream", none);
  EXPECT_EQ(Chat(true).body, none) << "byte for byte";
  pool_.reset();
  StartWith("text/event-stream", delta(""));
  EXPECT_TRUE(Chat(true).body.starts_with(delta(""))) << "also what ends before it is known";
}

TEST_F(OtherFormTest, AnErrorInItIsAFailedAttempt) {
  StartWith("application/json", kOverloadedEvent);
  const Response response = Messages(false);
  EXPECT_GE(response.status, 500) << response.body;
  EXPECT_THAT(response.body, HasSubstr("busy"));
  ASSERT_TRUE(Eventually([&] { return !broker_.reports().empty(); }));
  EXPECT_TRUE(broker_.reports().at(0).evidence.error_in_answer);
}

TEST_F(OtherFormTest, CompressedThoughNobodyAskedForIt) {
  Start(Answer(200, "content-type: application/json\r\ncontent-encoding: gzip\r\n", Gzip(kChatDocument)));
  const Response chat = Chat(false);
  EXPECT_EQ(chat.body, kChatDocument);
  EXPECT_FALSE(chat.Has("content-encoding")) << chat.head;
  EXPECT_THAT(Messages(false).body, HasSubstr(R"({"type":"text","text":"hello"})"));
  pool_.reset();
  Start(Answer(200, "content-type: text/event-stream\r\ncontent-encoding: gzip\r\n", Gzip(kChatEvents)));
  EXPECT_EQ(Chat(true).body, kChatEvents);
  EXPECT_THAT(Messages(true).body, HasSubstr("event: message_stop"));
  pool_.reset();
  Start(Answer(200, "content-type: application/json\r\ncontent-encoding: gzip\r\n", "no gzip at all"));
  EXPECT_EQ(Chat(false).status, 502);
  pool_.reset();
  const std::string half = Gzip(kChatDocument).substr(0, 60);
  Start(Answer(200, "content-type: application/json\r\ncontent-encoding: gzip\r\n", half));
  EXPECT_EQ(Chat(false).status, 502) << "a part of a body is none";
  const Response passed = Ask(Post("/p/one/v1/files", "{}"));
  EXPECT_EQ(passed.body, half) << "what is not known passes as it came";
  EXPECT_TRUE(passed.Has("content-encoding: gzip\r\n")) << passed.head;
}

}  // namespace
}  // namespace ccr::proxy::testing
