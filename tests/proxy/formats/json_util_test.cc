#include "proxy/formats/json_util.h"

#include <gtest/gtest.h>

#include <boost/json/monotonic_resource.hpp>
#include <cstddef>
#include <set>
#include <string>
#include <vector>

namespace ccr::proxy {
namespace {

std::string RoundTrip(std::string_view text) {
  const absl::StatusOr<json::value> value = ParseJson(text);
  return value.ok() ? ToJson(*value) : value.status().ToString();
}

TEST(ParseJson, KeepsOrderAndNumbers) {
  for (const std::string_view text :
       {R"({"z":1,"a":[true,false,null,"x"],"m":{}})", "0.7", "0.1", "-1.25", "1e+300", "18446744073709551615",
        "-9223372036854775808", "9007199254740993", "[]", R"("\"\\\n\r\t\u0001é😀")"}) {
    EXPECT_EQ(RoundTrip(text), text);
  }
}

TEST(ParseJson, ReplacesLoneSurrogatesAndNothingElse) {
  EXPECT_EQ(RoundTrip(R"("a\ud83d")"), "\"a\xEF\xBF\xBD\"");
  EXPECT_EQ(RoundTrip(R"(["\ude00","\\ud83d","\ud83d\ude00","\ud83dx\ud83d"])"),
            "[\"\xEF\xBF\xBD\",\"\\\\ud83d\",\"😀\",\"\xEF\xBF\xBDx\xEF\xBF\xBD\"]");
}

TEST(ParseJson, RefusesWhatIsNoJson) {
  for (const std::string_view text : {"", "{", "{}x", "\"\\u12\"", "\"\\ud8", "nul"}) {
    EXPECT_EQ(ParseJson(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(ParseJson, GoesAsDeepAsTheBodyScan) {
  const auto nested = [](size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_TRUE(ParseJson(nested(512)).ok());
  EXPECT_FALSE(ParseJson(nested(513)).ok());
}

TEST(Find, AnswersNothingForAbsentNullAndOtherTypes) {
  const json::object object = ParseJson(R"({"n":null,"t":"x","i":-1,"d":3.0,"u":7,"b":true})")->get_object();
  EXPECT_EQ(Find(object, "n"), nullptr);
  EXPECT_EQ(Find(object, "absent"), nullptr);
  EXPECT_EQ(FindText(object, "t"), "x");
  EXPECT_EQ(FindText(object, "u"), "");
  EXPECT_EQ(FindUint(object, "i"), 0u);
  EXPECT_EQ(FindUint(object, "d"), 3u);
  EXPECT_EQ(FindUint(object, "u"), 7u);
  EXPECT_EQ(FindUint(object, "t"), 0u);
  EXPECT_TRUE(FindBool(object, "b"));
  EXPECT_FALSE(FindBool(object, "u"));
  EXPECT_EQ(FindObject(object, "t"), nullptr);
  EXPECT_EQ(FindArray(object, "t"), nullptr);
}

TEST(JsonEndFinder, FindsTheEndHoweverSplit) {
  const std::string text = R"( {"a":"}\"{\\","b":[{}]})";
  const std::string behind = text + " {}";
  for (size_t piece = 1; piece <= behind.size(); ++piece) {
    JsonEndFinder finder;
    size_t taken = 0;
    for (size_t pos = 0; pos < behind.size(); pos += piece) {
      taken += finder.Feed(std::string_view(behind).substr(pos, piece));
      EXPECT_EQ(finder.closed(), pos + piece >= text.size());
    }
    EXPECT_EQ(taken, text.size());
  }
}

TEST(Utf8Prefix, CutsNoCharacterAndIsUtf8) {
  EXPECT_EQ(Utf8Prefix("abc", 3), "abc");
  EXPECT_EQ(Utf8Prefix("a\xC3\xA9z", 2), "a");
  EXPECT_EQ(Utf8Prefix("a\xC3\xA9z", 3), "a\xC3\xA9");
  EXPECT_EQ(Utf8Prefix("\xF0\x9F\x98\x80\xF0\x9F\x98\x80", 7), "\xF0\x9F\x98\x80");
  EXPECT_EQ(Utf8Prefix("\xFF\xFF", 4), "\xEF\xBF\xBD");
}

TEST(FindUint, IsWithinWhatJavaScriptCounts) {
  const json::value counts = json::parse(R"({"a":9007199254740991,"b":18446744073709551615,"c":-1,"d":2.0,"e":1e300})");
  EXPECT_EQ(FindUint(counts.get_object(), "a"), 9007199254740991U);
  EXPECT_EQ(FindUint(counts.get_object(), "b"), 9007199254740991U);
  EXPECT_EQ(FindUint(counts.get_object(), "c"), 0U);
  EXPECT_EQ(FindUint(counts.get_object(), "d"), 2U);
  EXPECT_EQ(FindUint(counts.get_object(), "e"), 0U);
}

TEST(JsonEndFinder, CannotTellTheEndOfAScalar) {
  JsonEndFinder finder;
  EXPECT_EQ(finder.Feed("\"{}\""), 4u);
  EXPECT_FALSE(finder.closed());
}

// The address of an object is what its hashes differ by.
TEST(ParseJson, PlacesObjectsWhereNobodyCanTell) {
  std::vector<unsigned char> buffer(size_t{1} << 20);
  std::set<std::ptrdiff_t> places;
  constexpr int kTexts = 20;
  for (int i = 0; i < kTexts; ++i) {
    json::monotonic_resource memory(buffer.data(), buffer.size());
    const std::string text = R"({"a":")" + std::string(20'000, static_cast<char>('a' + i)) + "\"}";
    const absl::StatusOr<json::value> value = ParseJson(text, &memory);
    ASSERT_TRUE(value.ok());
    const void* const object = &*value->get_object().begin();
    places.insert(static_cast<const unsigned char*>(object) - buffer.data());
  }
  EXPECT_GT(places.size(), size_t{kTexts} / 2);
}

}  // namespace
}  // namespace ccr::proxy
