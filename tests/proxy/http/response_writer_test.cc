#include "proxy/http/response_writer.h"

#include <gtest/gtest.h>

namespace ccr::proxy {
namespace {

class ResponseWriterTest : public ::testing::Test {
 protected:
  std::string Drain() {
    const std::string bytes(writer_.Unsent());
    writer_.Sent(bytes.size());
    return bytes;
  }

  int woken_ = 0;
  ResponseWriter writer_{[this] { ++woken_; }};
};

TEST_F(ResponseWriterTest, HeadAndFirstBytesLeaveTogether) {
  writer_.Reset({});
  writer_.BeginHead(200);
  writer_.Header("a", "b");
  writer_.EndHead(2);
  writer_.Body("ok");
  writer_.End();
  EXPECT_EQ(woken_, 1);
  EXPECT_EQ(Drain(), "HTTP/1.1 200 OK\r\na: b\r\ncontent-length: 2\r\n\r\nok");
  EXPECT_TRUE(writer_.ended());
  EXPECT_FALSE(writer_.aborted());
}

TEST_F(ResponseWriterTest, ChunksWhereTheLengthIsUnknown) {
  writer_.Reset({});
  writer_.BeginHead(200);
  writer_.EndHead(ResponseWriter::kUnknownLength);
  Drain();
  writer_.Body("0123456789abcdef");
  writer_.Body("");
  writer_.End();
  EXPECT_EQ(Drain(), "10\r\n0123456789abcdef\r\n0\r\n\r\n");
}

TEST_F(ResponseWriterTest, ShortBodyIsAnAbort) {
  writer_.Reset({});
  writer_.BeginHead(200);
  writer_.EndHead(3);
  writer_.Body("ok");
  writer_.End();
  EXPECT_TRUE(writer_.aborted());
  EXPECT_FALSE(writer_.keep_alive());
}

TEST_F(ResponseWriterTest, BytesBeyondTheLengthAreDropped) {
  writer_.Reset({});
  writer_.BeginHead(200);
  writer_.EndHead(1);
  Drain();
  writer_.Body("ok");
  EXPECT_EQ(Drain(), "o");
}

TEST_F(ResponseWriterTest, FullAboveHighWaterOnly) {
  writer_.Reset({});
  writer_.BeginHead(200);
  writer_.EndHead(1 << 30);
  Drain();
  writer_.Body(std::string(ResponseWriter::kHighWater, 'x'));
  EXPECT_FALSE(writer_.full());
  writer_.Body("y");
  EXPECT_TRUE(writer_.full());
  writer_.Unsent();
  writer_.Sent(ResponseWriter::kHighWater + 1 - ResponseWriter::kLowWater - 1);
  EXPECT_FALSE(writer_.low());
  writer_.Sent(1);
  EXPECT_TRUE(writer_.low());
}

TEST_F(ResponseWriterTest, NoBodyWhereThereIsNone) {
  writer_.Reset({.http10 = false, .head_only = false, .keep_alive = true});
  writer_.BeginHead(204);
  writer_.EndHead(ResponseWriter::kUnknownLength);
  writer_.Body("x");
  writer_.End();
  EXPECT_EQ(Drain(), "HTTP/1.1 204 No Content\r\n\r\n");
}

}  // namespace
}  // namespace ccr::proxy
