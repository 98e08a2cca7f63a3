#include "proxy/core/inflater.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <string>

namespace ccr::proxy {
namespace {

std::string Compressed(const std::string& text, int window_bits) {
  z_stream z{};
  EXPECT_EQ(deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, window_bits, 9, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&z, text.size()) + 64, '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  z.avail_in = static_cast<uInt>(text.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&z, Z_FINISH), Z_STREAM_END);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

constexpr int kGzip = MAX_WBITS + 16;
constexpr size_t kMuch = size_t{1} << 20;

TEST(Inflater, ReadsHoweverItIsCut) {
  std::string text;
  for (int i = 0; i < 20000; ++i) text += std::to_string(i * i) + "\n";
  for (const int bits : {kGzip, MAX_WBITS}) {
    const std::string body = Compressed(text, bits);
    for (const size_t step : {size_t{1}, size_t{100}, body.size()}) {
      Inflater inflater;
      std::string out;
      for (size_t at = 0; at < body.size(); at += step)
        ASSERT_TRUE(inflater.Feed(std::string_view(body).substr(at, step), kMuch, &out));
      EXPECT_EQ(out, text);
      EXPECT_FALSE(inflater.broken_off());
    }
  }
}

TEST(Inflater, KnowsAPartAndReadsEveryMember) {
  const std::string body = Compressed("one ", kGzip) + Compressed("two", kGzip);
  Inflater inflater;
  std::string out;
  EXPECT_FALSE(inflater.broken_off()) << "nothing came";
  ASSERT_TRUE(inflater.Feed(body.substr(0, body.size() - 3), kMuch, &out));
  EXPECT_TRUE(inflater.broken_off());
  ASSERT_TRUE(inflater.Feed(body.substr(body.size() - 3), kMuch, &out));
  EXPECT_FALSE(inflater.broken_off());
  EXPECT_EQ(out, "one two");
}

TEST(Inflater, RefusesWhatIsNoneAndWhatGrowsTooFar) {
  std::string out;
  EXPECT_FALSE(Inflater().Feed("plain text, no gzip at all", kMuch, &out));
  Inflater bomb;
  EXPECT_FALSE(bomb.Feed(Compressed(std::string(4 * kMuch, 'x'), kGzip), kMuch, &out));
  EXPECT_FALSE(bomb.Feed("x", kMuch, &out));
  EXPECT_LE(out.size(), kMuch);
}

TEST(Inflater, KnowsItsEncodings) {
  EXPECT_TRUE(Inflater::Knows("gzip") && Inflater::Knows("GZIP") && Inflater::Knows("deflate"));
  EXPECT_FALSE(Inflater::Knows("") || Inflater::Knows("identity") || Inflater::Knows("br"));
}

}  // namespace
}  // namespace ccr::proxy
