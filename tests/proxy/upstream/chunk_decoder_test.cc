#include "proxy/upstream/chunk_decoder.h"

#include <gtest/gtest.h>

#include <string>

#include "proxy/upstream/response_head.h"

namespace ccr::proxy {
namespace {

struct Decoded {
  std::string body;
  std::string left;
  bool done = false;
  bool malformed = false;
};

// Given in pieces of `step` bytes.
Decoded Decode(std::string_view bytes, size_t step) {
  ChunkDecoder decoder;
  Decoded decoded;
  while (!bytes.empty() && !decoder.done() && !decoder.malformed()) {
    std::string_view piece = bytes.substr(0, step);
    const size_t given = piece.size();
    for (auto body = decoder.Next(&piece); !body.empty(); body = decoder.Next(&piece)) decoded.body += body;
    bytes.remove_prefix(given - piece.size());
  }
  decoded.left = bytes;
  decoded.done = decoder.done();
  decoded.malformed = decoder.malformed();
  return decoded;
}

TEST(ChunkDecoderTest, TakesBodiesApartHoweverTheyAreCut) {
  for (const char* bytes :
       {"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\nleft", "3\nabc\n2\nde\n0\n\nleft",
        "5;ext=\"1\"\r\nabcde\r\n0000;x\r\n\r\nleft", "0005\r\nabcde\r\n0\r\nX-T: 1\r\nX-U: 2\r\n\r\nleft",
        "5 \r\nabcde\r\n0\r\nX-T: 1\n\nleft"}) {
    for (size_t step = 1; step < 40; ++step) {
      const Decoded decoded = Decode(bytes, step);
      EXPECT_EQ(decoded.body, "abcde") << bytes << step;
      EXPECT_EQ(decoded.left, "left") << bytes << step;
      EXPECT_TRUE(decoded.done) << bytes << step;
    }
  }
}

TEST(ChunkDecoderTest, SizesAreHexadecimal) {
  EXPECT_EQ(Decode("1A\r\n" + std::string(26, 'x') + "\r\n1a\r\n" + std::string(26, 'y') + "\r\n0\r\n\r\n", 7).body,
            std::string(26, 'x') + std::string(26, 'y'));
}

TEST(ChunkDecoderTest, WhatIsNoChunkIsMalformed) {
  for (const char* bytes :
       {"\r\n", "x\r\n", "-1\r\n", ";\r\n", "1\r\nabc\r\n", "11111111111111111\r\n", "1\r\na0\r\n"}) {
    EXPECT_TRUE(Decode(bytes, 3).malformed) << bytes;
  }
  EXPECT_FALSE(Decode("5\r\nabc", 3).malformed);
  EXPECT_FALSE(Decode("5\r\nabc", 3).done);
}

TEST(ChunkDecoderTest, LinesAndTrailersHaveABound) {
  const std::string half(kMaxHead / 2, 'x');
  EXPECT_TRUE(Decode("1;" + half + "\r\na\r\n1;" + half + "\r\nb\r\n0\r\nx: " + half + "\r\n\r\n", 1000).done)
      << "each line its own, and the trailers theirs";
  EXPECT_TRUE(Decode("1;" + half + half, 1000).malformed);
  EXPECT_TRUE(Decode("0\r\nx: " + half + "\r\ny: " + half, 1000).malformed);
}

}  // namespace
}  // namespace ccr::proxy
