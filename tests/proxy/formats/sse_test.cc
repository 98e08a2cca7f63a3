#include "proxy/formats/sse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace ccr::proxy {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using SseEvents = std::vector<std::pair<std::string, std::string>>;

// Feeds `stream` in pieces of `piece` bytes.
SseEvents ReadEvents(std::string_view stream, size_t piece, bool finish = false) {
  SseEvents events;
  const auto sink = [&events](const SseEvent& event) {
    events.emplace_back(std::string(event.type), std::string(event.data));
  };
  SseParser parser;
  for (size_t pos = 0; pos < stream.size(); pos += piece) EXPECT_TRUE(parser.Feed(stream.substr(pos, piece), sink));
  if (finish) parser.Finish(sink);
  return events;
}

TEST(SseParser, ReadsEventsHoweverSplitAndWhateverTheLineEnds) {
  for (const std::string_view stream :
       {"event: a\ndata: 1\n\ndata: 2\n\n", "event: a\r\ndata: 1\r\n\r\ndata: 2\r\n\r\n",
        "event: a\rdata: 1\r\rdata: 2\r\r"}) {
    for (size_t piece = 1; piece <= stream.size(); ++piece) {
      EXPECT_THAT(ReadEvents(stream, piece), ElementsAre(Pair("a", "1"), Pair("", "2"))) << stream << piece;
    }
  }
}

TEST(SseParser, JoinsDataLinesAndTakesOneSpaceOff) {
  EXPECT_THAT(ReadEvents("data:a\ndata:  b\ndata\ndata: \n\n", 3), ElementsAre(Pair("", "a\n b\n\n")));
}

TEST(SseParser, SkipsCommentsUnknownFieldsAndEventsWithoutData) {
  EXPECT_THAT(ReadEvents(": OPENROUTER PROCESSING\n\nid: 7\nretry: 1\nevent: x\n\ndata: 1\n\n", 5),
              ElementsAre(Pair("", "1")));
}

TEST(SseParser, SkipsAByteOrderMarkInFrontOnly) {
  EXPECT_THAT(ReadEvents("\xEF\xBB\xBF"
                         "data: 1\n\ndata: \xEF\xBB\xBF\n\n\xEF\xBB\xBF"
                         "data: 3\n\n",
                         1),
              ElementsAre(Pair("", "1"), Pair("", "\xEF\xBB\xBF")));
}

TEST(SseParser, AnEventWithoutItsBlankLineCountsOnlyAtAProperEnd) {
  for (const std::string_view stream : {"data: 1", "data: 1\n", "data: 1\r\n"}) {
    EXPECT_THAT(ReadEvents(stream, 2), IsEmpty());
    EXPECT_THAT(ReadEvents(stream, 2, true), ElementsAre(Pair("", "1")));
  }
  EXPECT_THAT(ReadEvents("data: 1\n\n", 2, true), ElementsAre(Pair("", "1")));
}

TEST(SseParser, StopsAtTheLimit) {
  size_t events = 0;
  const auto sink = [&events](const SseEvent&) { ++events; };
  SseParser fits(8);
  EXPECT_TRUE(fits.Feed("data: 12", sink));
  EXPECT_TRUE(fits.Feed("\n\n", sink));
  EXPECT_EQ(events, 1u);
  SseParser too_long(8);
  EXPECT_TRUE(too_long.Feed("data: 12", sink));
  EXPECT_FALSE(too_long.Feed("3", sink));
  EXPECT_FALSE(too_long.Feed("\n\n", sink));
  too_long.Finish(sink);
  EXPECT_EQ(events, 1u);
  SseParser many_lines(20);
  EXPECT_FALSE(many_lines.Feed("data: 12345\ndata: 12345\ndata: 12345\ndata: 12345\n", sink));
}

TEST(SseParser, CountsEachEventByItself) {
  SseParser parser(8);
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(parser.Feed("data: 12\n\n", [](const SseEvent&) {}));
}

TEST(AppendSseEvent, WritesTypeAndData) {
  std::string out;
  AppendSseEvent("ping", "{}", &out);
  AppendSseEvent("", "[DONE]", &out);
  EXPECT_EQ(out, "event: ping\ndata: {}\n\ndata: [DONE]\n\n");
}

}  // namespace
}  // namespace ccr::proxy
