#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "proxy/core/json/scan.h"
#include "proxy/core/json/text.h"

namespace ccr::proxy {
namespace {

namespace json = boost::json;

std::string ModelText(std::string_view body) {
  const BodyScan scan = ScanBody(body);
  return std::string(body.substr(scan.model_begin, scan.model_end - scan.model_begin));
}

TEST(ScanBody, FindsTheModelInAnyPlace) {
  for (const std::string body : {
           R"({"model":"gpt-x"})",
           R"( { "model" : "gpt-x" , "a" : 1 } )",
           R"({"messages":[{"model":"no"},[["model"]]],"x":{"model":"no"},"model":"gpt-x"})",
           R"({"a":"\"model\":\"no\"","model":"gpt-x","z":[]})",
           R"({"m\u006fdel":"gpt-x"})",
           R"({"model":"first","model":"gpt-x"})",
           R"({"model":null,"model":"gpt-x"})",
       }) {
    const BodyScan scan = ScanBody(body);
    ASSERT_TRUE(scan.valid) << body << ": " << scan.error;
    EXPECT_EQ(scan.model, "gpt-x") << body;
    EXPECT_EQ(ModelText(body), R"("gpt-x")") << body;
  }
}

TEST(ScanBody, ResolvesEscapesOfTheModel) {
  const std::string body = R"({"model":"a\"b\\\/\u00e9\ud83d\ude00\n\ud800x"})";
  EXPECT_EQ(ScanBody(body).model, "a\"b\\/\xC3\xA9\xF0\x9F\x98\x80\n\xEF\xBF\xBDx");
}

TEST(ScanBody, AModelThatIsNoStringIsARangeOnly) {
  for (const std::string value : {"null", "12.5e3", "true", R"({"model":"no"})", R"(["no"])"}) {
    const std::string body = R"({"model":"first","model":)" + value + "}";
    const BodyScan scan = ScanBody(body);
    EXPECT_TRUE(scan.valid);
    EXPECT_EQ(scan.model, std::nullopt) << body;
    EXPECT_EQ(ModelText(body), value);
  }
}

TEST(ScanBody, WithoutAModelSaysWhereOneCouldGo) {
  const BodyScan scan = ScanBody("  { \"a\":1}");
  EXPECT_TRUE(scan.valid);
  EXPECT_EQ(scan.model_begin, 3U);
  EXPECT_EQ(scan.model_end, 3U);
}

TEST(ScanBody, Stream) {
  EXPECT_TRUE(ScanBody(R"({"stream":true})").stream);
  EXPECT_TRUE(ScanBody(R"({"stream":false,"stream" : true })").stream);
  EXPECT_FALSE(ScanBody(R"({"stream":true,"stream":false})").stream);
  EXPECT_FALSE(ScanBody(R"({"stream":"true"})").stream);
  EXPECT_FALSE(ScanBody(R"({"options":{"stream":true}})").stream);
}

TEST(ScanBody, Session) {
  const struct {
    std::string body, session;
  } cases[] = {
      {R"({"metadata":{"user_id":"user_ab_account__session_1-2"}})", "1-2"},
      {R"({"metadata":{"user_id":"a_session_b_session_c"}})", "c"},
      {R"({"metadata":{"user_id":"plain"}})", ""},
      {R"({"metadata":{"user_id":{"device_id":"d","session_id":"s1"}}})", "s1"},
      {R"({"metadata":{"user_id":"{\"device_id\":\"d\",\"session_id\":\"s2\"}"}})", "s2"},
      {R"({"metadata":{"user_id":"{\"x\":{\"session_id\":\"no\"}}"}})", ""},
      {R"({"metadata":{"user_id":"{\"session_id\":"}})", ""},
      {R"({"metadata":{"user_id":{"session_id":7}}})", ""},
      {R"({"metadata":{"user_id":null}})", ""},
      {R"({"prompt_cache_key":"k"})", "k"},
      {R"({"prompt_cache_key":"k","metadata":{"user_id":"a_session_b"}})", "b"},
      {R"({"prompt_cache_key":7})", ""},
      {R"({"user_id":"x_session_no","other":{"user_id":"x_session_no"}})", ""},
      {R"({"metadata":{"user_id":"x_session_old"},"metadata":{}})", ""},
      {R"({"metadata":{"user\u005fid":"x_session_1"}})", "1"},
      {R"({"metadata":{"user_id":"x_session_)" + std::string(256, 's') + R"("}})", std::string(256, 's')},
      {R"({"metadata":{"user_id":"x_session_)" + std::string(257, 's') + R"("}})", ""},
  };
  for (const auto& c : cases) {
    const BodyScan scan = ScanBody(c.body);
    EXPECT_TRUE(scan.valid) << c.body;
    EXPECT_EQ(scan.session, c.session) << c.body;
  }
}

TEST(ScanBody, MalformedNamesTheOffset) {
  const struct {
    std::string body;
    size_t offset;
  } cases[] = {
      {"", 0},
      {"[]", 0},
      {"\"model\"", 0},
      {"{", 1},
      {"{\"a\":1", 6},
      {"{\"a\"}", 4},
      {"{\"a\":}", 5},
      {"{\"a\":1,}", 7},
      {"{,\"a\":1}", 1},
      {"{\"a\":[1,]}", 8},
      {"{\"a\":[1 2]}", 8},
      {"{\"a\":[}", 6},
      {"{\"a\":01}", 6},
      {"{\"a\":1.}", 7},
      {"{\"a\":-}", 6},
      {"{\"a\":1e}", 7},
      {"{\"a\":tru}", 5},
      {"{\"a\":nul", 5},
      {"{\"a\":\"\\x\"}", 6},
      {"{\"a\":\"\\u12g4\"}", 6},
      {"{\"a\":\"\\", 6},
      {"{\"a\":\"\n\"}", 6},
      {"{\"a\":\"abc", 9},
      {"{a:1}", 1},
      {"{} x", 3},
      {std::string("{}\0", 3), 2},
      {"{\"model\":\"m\"]", 12},
  };
  for (const auto& c : cases) {
    const BodyScan scan = ScanBody(c.body);
    EXPECT_FALSE(scan.valid) << c.body;
    EXPECT_TRUE(scan.error.ends_with(" at offset " + std::to_string(c.offset))) << c.body << " -> " << scan.error;
    EXPECT_EQ(scan.model, std::nullopt);
  }
}

TEST(ScanBody, DepthIsLimited) {
  const auto nested = [](size_t arrays) {
    return "{\"a\":" + std::string(arrays, '[') + std::string(arrays, ']') + "}";
  };
  EXPECT_TRUE(ScanBody(nested(kMaxJsonDepth - 1)).valid);
  EXPECT_FALSE(ScanBody(nested(kMaxJsonDepth)).valid);
}

// Strings of every length, so that the specials stand at every place of a 16-byte step.
TEST(ScanBody, SpecialsAtEveryOffset) {
  for (size_t length = 0; length < 70; ++length) {
    const std::string fill(length, 'x');
    EXPECT_EQ(ScanBody("{\"f\":\"" + fill + "\\\"\",\"model\":\"m\"}").model, "m") << length;
    EXPECT_EQ(ScanBody("{\"f\":\"" + fill + "\xFF\x7F \",\"model\":\"m\"}").model, "m") << length;
    EXPECT_FALSE(ScanBody("{\"f\":\"" + fill + "\x1F\",\"model\":\"m\"}").valid) << length;
    EXPECT_FALSE(ScanBody("{\"f\":\"" + fill).valid) << length;
  }
}

// Documents with everything JSON has, under names that matter and names that do not.
class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(seed) {}

  std::string Object(int depth) {
    std::string out = "{" + Space();
    for (uint64_t i = 0, n = Pick(5); i < n; ++i) {
      if (i > 0) out += "," + Space();
      out += Name() + Space() + ":" + Space() + Value(depth + 1) + Space();
    }
    return out + "}";
  }

  uint64_t Pick(uint64_t n) { return std::uniform_int_distribution<uint64_t>(0, n - 1)(random_); }

 private:
  std::string Value(int depth) {
    switch (Pick(depth > 5 ? 5 : 8)) {
      case 0:
        return String();
      case 1:
        return std::vector<std::string>{
            "0", "-1", "12.50", "3e5", "-0.1E-2", "123456789012345678901234567890"}[Pick(6)];
      case 2:
        return "true";
      case 3:
        return "false";
      case 4:
        return "null";
      case 5: {
        std::string out = "[" + Space();
        for (uint64_t i = 0, n = Pick(4); i < n; ++i) out += (i > 0 ? "," : "") + Space() + Value(depth + 1) + Space();
        return out + "]";
      }
      default:
        return Object(depth);
    }
  }
  std::string Name() {
    static const std::vector<std::string> names = {"model", "stream", "metadata", "user_id", "session_id", "a", "mod"};
    if (Pick(8) == 0) return String();
    std::string name = names[Pick(names.size())];
    return Pick(6) == 0 ? "\"\\u00" + Hex(name[0]) + name.substr(1) + "\"" : "\"" + name + "\"";
  }
  static std::string Hex(char c) { return std::string(1, "0123456789abcdef"[c >> 4]) + "0123456789ABCDEF"[c & 15]; }
  std::string String() {
    static const std::vector<std::string> parts = {
        "x",        "gpt-4", "\\\"",      "\\\\", "\\n", "\\u00e9", "\\ud83d\\ude00",
        "\xC3\xA9", " ",     "_session_", "{",    "]",   "\\u0000", "long text, plain "};
    std::string out = "\"";
    for (uint64_t i = 0, n = Pick(9); i < n; ++i) out += parts[Pick(parts.size())];
    return out + "\"";
  }
  std::string Space() { return std::vector<std::string>{"", "", "", " ", "\n\t", "\r\n  "}[Pick(6)]; }

  std::mt19937_64 random_;
};

// Boost.JSON keeps the last of duplicates too.
void ExpectAgrees(const std::string& text, const json::object& tree) {
  const BodyScan scan = ScanBody(text);
  ASSERT_TRUE(scan.valid) << text << ": " << scan.error;
  const json::value* model = tree.if_contains("model");
  const json::value* stream = tree.if_contains("stream");
  EXPECT_EQ(scan.stream, stream != nullptr && stream->is_bool() && stream->get_bool()) << text;
  EXPECT_EQ(scan.model.has_value(), model != nullptr && model->is_string()) << text;
  EXPECT_EQ(scan.model_end > scan.model_begin, model != nullptr) << text;
  if (model == nullptr) return;
  EXPECT_EQ(json::parse(text.substr(scan.model_begin, scan.model_end - scan.model_begin)), *model) << text;
  if (model->is_string()) {
    EXPECT_EQ(*scan.model, std::string_view(model->get_string().data(), model->get_string().size())) << text;
  }
}

TEST(ScanBody, AgreesWithBoostJson) {
  for (uint64_t seed = 1; seed <= 3000; ++seed) {
    const std::string text = Generator(seed).Object(0);
    json::error_code failed;
    const json::value tree = json::parse(text, failed);
    ASSERT_FALSE(failed) << text;
    ExpectAgrees(text, tree.as_object());
  }
}

// Broken UTF-8 and surrogates, and numbers out of range, are let through: grammar is all that routing needs.
TEST(ScanBody, AgreesWithBoostJsonOnDamagedDocuments) {
  int refused = 0;
  for (uint64_t seed = 1; seed <= 6000; ++seed) {
    Generator generator(seed);
    std::string text = generator.Object(0);
    if (text.find('\xC3') != text.npos || text.find("\\ud8") != text.npos) continue;
    const size_t at = generator.Pick(text.size());
    switch (generator.Pick(3)) {
      case 0:
        text.erase(at, 1 + generator.Pick(3));
        break;
      case 1:
        text.insert(at, 1, R"({}[]",:\0e)"[generator.Pick(10)]);
        break;
      default:
        text.resize(at);
    }
    json::error_code failed;
    const json::value tree = json::parse(text, failed);
    if (failed == json::error::exponent_overflow) continue;
    if (!failed && tree.is_object()) {
      ExpectAgrees(text, tree.get_object());
    } else {
      EXPECT_FALSE(ScanBody(text).valid) << text << " " << failed.message();
      ++refused;
    }
  }
  EXPECT_GT(refused, 1000);
}

TEST(JsonText, RoundTrips) {
  for (uint64_t seed = 1; seed <= 500; ++seed) {
    std::mt19937_64 random(seed);
    std::string text;
    for (int i = 0; i < 20; ++i)
      text += std::vector<std::string>{"a", "\"", "\\", "\n", "\x01", "\xC3\xA9", "\xF0\x9F\x98\x80"}[random() % 7];
    EXPECT_EQ(DecodeJsonString(JsonString(text)), text);
    EXPECT_EQ(json::parse(JsonString(text)), json::value(text));
  }
}

TEST(JsonText, ReplacesWhatIsNotUtf8) {
  const std::string u = "\xEF\xBF\xBD";
  EXPECT_EQ(JsonString("a\xFFz"), "\"a" + u + "z\"");
  EXPECT_EQ(JsonString("\xC3"), "\"" + u + "\"");
  EXPECT_EQ(JsonString("\xC0\xAF"), "\"" + u + u + "\"");          // overlong
  EXPECT_EQ(JsonString("\xED\xA0\x80"), "\"" + u + u + u + "\"");  // a surrogate
  EXPECT_EQ(JsonString("\xF4\x90\x80\x80"), "\"" + u + u + u + u + "\"");
  EXPECT_EQ(JsonString("\xF4\x8F\xBF\xBF"), "\"\xF4\x8F\xBF\xBF\"");
}

}  // namespace
}  // namespace ccr::proxy
