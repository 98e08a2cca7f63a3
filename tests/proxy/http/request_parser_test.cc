#include "proxy/http/request_parser.h"

#include <gtest/gtest.h>

#include <boost/beast/http/error.hpp>
#include <string>

namespace ccr::proxy {
namespace {

using HttpError = boost::beast::http::error;
using boost::system::error_code;

// Feeds `bytes` in pieces of `step`, keeping what was not taken.
error_code FeedAll(RequestParser& parser, std::string_view bytes, size_t step) {
  std::string held;
  error_code error;
  while (!bytes.empty() || !held.empty()) {
    const std::string_view more = bytes.substr(0, step);
    bytes.remove_prefix(more.size());
    held += more;
    while (!held.empty() && !parser.done()) {
      error = {};
      held.erase(0, parser.Feed(held, error));
      if (error) break;
    }
    if (parser.done() || (error && error != HttpError::need_more) || bytes.empty()) break;
  }
  return error;
}

class RequestParserTest : public ::testing::TestWithParam<size_t> {};

TEST_P(RequestParserTest, CutsMakeNoDifference) {
  const std::string long_value(5000, 'v');
  Request request;
  RequestParser parser(&request, 64 * 1024, 1024);
  const std::string text =
      "POST /v1/x?y=1 HTTP/1.1\r\nHost: localhost\r\nX-Long: " + long_value +
      "\r\nX-Empty:\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;e=1\r\n world\r\n0\r\nT: 1\r\n\r\n";
  EXPECT_FALSE(FeedAll(parser, text, GetParam()));
  ASSERT_TRUE(parser.done());
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.target, "/v1/x?y=1");
  EXPECT_EQ(request.fields.size(), 4U) << "trailers are dropped";
  EXPECT_EQ(request.Find("x-long"), long_value);
  EXPECT_EQ(request.Find("HOST"), "localhost");
  EXPECT_EQ(request.body, "hello world");
  EXPECT_TRUE(request.has_body);
  EXPECT_TRUE(request.keep_alive);
}

INSTANTIATE_TEST_SUITE_P(Steps, RequestParserTest, ::testing::Values(1, 2, 3, 7, 64, 4096, 1 << 20));

TEST(RequestParserLimits, HeadGrowsLineByLineToItsLimitOnly) {
  Request request;
  RequestParser parser(&request, 1000, 1024);
  std::string text = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (int i = 0; i < 1000; ++i) text += "a: b\r\n";
  const error_code error = FeedAll(parser, text, 8);
  EXPECT_EQ(error, HttpError::header_limit);
}

TEST(RequestParserLimits, BodyLimitIsExact) {
  for (const auto& [length, fits] : {std::pair("10", true), std::pair("11", false)}) {
    Request request;
    RequestParser parser(&request, 1000, 10);
    error_code error;
    parser.Feed("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::string(length) + "\r\n\r\n", error);
    EXPECT_EQ(!error, fits) << length;
  }
}

constexpr std::string_view kChunkedHead = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

TEST(RequestParserLimits, ChunkFramingHasTheHeadsLimit) {
  const std::string much(1100, 'a');
  std::string many_extensions;
  for (int i = 0; i < 5; ++i) many_extensions += "1;" + much.substr(0, 300) + "\r\nx\r\n";
  std::string many_trailers;
  for (int i = 0; i < 400; ++i) many_trailers += "a: b\r\n";
  for (const std::string& framing : {"1;" + much, std::string(1100, '0'), "0\r\nT: " + much, "1\r\nx\r\n0;" + much,
                                     many_extensions, "0\r\n" + many_trailers}) {
    for (const size_t step : {size_t{7}, size_t{1} << 20}) {
      Request request;
      RequestParser parser(&request, 1000, 1 << 20);
      EXPECT_EQ(FeedAll(parser, std::string(kChunkedHead) + framing, step), HttpError::header_limit) << framing;
    }
  }
}

TEST(RequestParserLimits, ABodyOfNoChunkInSingleBytes) {
  Request request;
  RequestParser parser(&request, 1000, 1 << 20);
  EXPECT_FALSE(FeedAll(parser, std::string(kChunkedHead) + "0\r\n\r\n", 1));
  EXPECT_TRUE(parser.done());
}

TEST(RequestParserLimits, HostIsThereOnce) {
  for (const auto& [head, fine] :
       {std::pair("GET / HTTP/1.1\r\nHost: a\r\n\r\n", true), std::pair("GET / HTTP/1.1\r\n\r\n", false),
        std::pair("GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", false), std::pair("GET / HTTP/1.0\r\n\r\n", true)}) {
    Request request;
    RequestParser parser(&request, 1000, 1000);
    EXPECT_EQ(!FeedAll(parser, head, 1 << 20), fine) << head;
  }
}

// Of two that differ one would be judged, and the other believed.
TEST(RequestParserLimits, WhatTellsOfWebPagesIsThereOnce) {
  for (const char* fields : {"Sec-Fetch-Site: none\r\nsec-fetch-site: cross-site\r\n", "Origin: a\r\nORIGIN: b\r\n",
                             "Origin: a\r\nX: y\r\nOrigin: a\r\n", "Sec-Fetch-Site: \r\nSec-Fetch-Site: none\r\n"}) {
    const std::string head = std::string("GET / HTTP/1.1\r\nHost: a\r\n") + fields + "\r\n";
    for (const size_t step : {size_t{1}, size_t{1} << 20}) {
      Request request;
      RequestParser parser(&request, 1000, 1000);
      EXPECT_TRUE(FeedAll(parser, head, step)) << head;
    }
  }
  Request request;
  RequestParser parser(&request, 1000, 1000);
  EXPECT_FALSE(FeedAll(parser, "GET / HTTP/1.1\r\nHost: a\r\nOrigin: a\r\nSec-Fetch-Site: none\r\n\r\n", 7));
}

TEST(RequestParserLimits, TheBodyTakesTheMemoryOfWhatCame) {
  BodyBudget budget;
  {
    Request request;
    request.charge.Use(&budget, 1 << 30);
    RequestParser parser(&request, 1000, 1 << 30);
    error_code error;
    parser.Feed("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000000\r\n\r\n", error);
    EXPECT_EQ(budget.used(), 0U);
    const std::string some(1000, 'x');
    for (int i = 0; i < 1000; ++i) {
      parser.Feed(some, error);
      EXPECT_GE(budget.used(), request.body.size());
      EXPECT_LE(budget.used(), std::max<size_t>(2 * request.body.size(), 1024));
    }
    EXPECT_LE(request.body.capacity(), 2U * 1024 * 1024);
  }
  EXPECT_EQ(budget.used(), 0U);
}

TEST(BodyBudget, HugeBodiesLeaveAQuarterToSmallOnes) {
  BodyBudget budget;
  const uint64_t limit = 4 << 20;
  EXPECT_TRUE(budget.Grow(0, 3 << 20, limit));
  EXPECT_FALSE(budget.Grow(0, BodyBudget::kSmall + 1, limit));
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(budget.Grow(0, BodyBudget::kSmall, limit)) << i;
  EXPECT_FALSE(budget.Grow(0, 1, limit));
  EXPECT_TRUE(budget.Grow(5, 5, limit));
  budget.Return(1);
  EXPECT_TRUE(budget.Fits(0, 1, limit));
  EXPECT_EQ(budget.used(), limit - 1);
}

}  // namespace
}  // namespace ccr::proxy
