#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "proxy/core/json/cursor.h"

namespace ccr::proxy {
namespace {

TEST(JsonCursor, ReadsValuesAsTheyAreWritten) {
  const std::string values[] = {
      R"("a\"]b\\")", "-1.5e3", "true", "null", "[]", "{}", R"([1,{"a":"]}"},[ ]])", R"({"a":{"b":[{}]}, "c":"}"})",
  };
  for (const std::string& value : values) {
    const std::string text = " [ " + value + " ,\n" + value + "] ";
    JsonCursor cursor(text);
    std::vector<size_t> begins;
    cursor.Array([&] {
      begins.push_back(cursor.pos());
      EXPECT_EQ(cursor.Peek(), value[0]);
      EXPECT_EQ(cursor.Read(), value);
    });
    EXPECT_EQ(begins, (std::vector<size_t>{3, 3 + value.size() + 3}));
    EXPECT_EQ(cursor.pos(), text.size());
  }
}

TEST(JsonCursor, GoesThroughMembers) {
  JsonCursor cursor(R"( { "a" : [1, 2] , "b\"" : { "c" : null } } )");
  std::string seen;
  cursor.Object([&](std::string_view key) {
    seen += key;
    if (cursor.Peek() == '{') {
      cursor.Object([&](std::string_view inner) { seen.append(inner).append(cursor.Read()); });
    } else {
      cursor.Array([&] { seen += cursor.Read(); });
    }
  });
  EXPECT_EQ(seen, R"("a"12"b\"""c"null)");
}

TEST(JsonCursor, ReadsAValueOfAnotherKind) {
  JsonCursor cursor(R"([{"a":1},["x"]])");
  int inside = 0;
  cursor.Array([&] {
    if (cursor.Peek() == '{') {
      cursor.Array([&] { ++inside; });
    } else {
      cursor.Object([&](std::string_view) { ++inside; });
    }
  });
  EXPECT_EQ(inside, 0);
  EXPECT_EQ(cursor.Peek(), '\0');
}

}  // namespace
}  // namespace ccr::proxy
