#include "proxy/core/request_facts.h"

#include <algorithm>
#include <cctype>
#include <functional>
#include <initializer_list>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/core/ascii.h"
#include "proxy/core/json/cursor.h"
#include "proxy/core/json/text.h"
#include "proxy/core/token_estimate.h"

namespace ccr::proxy {
namespace {

constexpr std::string_view kOpenTag = "<CCR-SUBAGENT-MODEL>";
constexpr std::string_view kCloseTag = "</CCR-SUBAGENT-MODEL>";
constexpr size_t kMaxTagModel = 256;
constexpr uint64_t kImageTokens = 1500;
constexpr uint64_t kMessageTokens = 3;
constexpr uint64_t kBytesPerToken = 4;
constexpr size_t kDocumentBytesPerToken = 32;
constexpr int kMaxContentDepth = 8;
constexpr size_t kTaggedMessages = 2;

bool IsString(std::string_view value) {
  return value.starts_with('"');
}

bool IsAny(std::string_view quoted, std::initializer_list<std::string_view> texts) {
  return std::any_of(texts.begin(), texts.end(),
                     [quoted](std::string_view text) { return JsonStringIs(quoted, text); });
}

bool StringIs(std::string_view value, std::string_view text) {
  return IsString(value) && JsonStringIs(value, text);
}

bool StringBeginsWith(std::string_view value, std::string_view prefix) {
  return IsString(value) && DecodeJsonString(value).starts_with(prefix);
}

std::string_view Inside(std::string_view quoted) {
  return quoted.substr(1, quoted.size() - 2);
}

// Bytes of the character that `raw`, the inside of a JSON string, begins with.
size_t RawLength(std::string_view raw) {
  return raw[0] != '\\' ? 1 : raw[1] == 'u' ? 6 : 2;
}

// Bytes of `raw` that stand for `text`, which is ASCII, when it begins with it; else 0.
size_t RawPrefix(std::string_view raw, std::string_view text) {
  size_t pos = 0;
  for (const char c : text) {
    if (pos >= raw.size()) return 0;
    const size_t length = RawLength(raw.substr(pos));
    const bool same = length == 1
                          ? raw[pos] == c
                          : JsonStringIs(absl::StrCat("\"", std::string(raw.substr(pos, length)), "\""), {&c, 1});
    if (!same) return 0;
    pos += length;
  }
  return pos;
}

// The tag that `raw`, the inside of a JSON string at `offset` of the body, begins with.
std::optional<SubagentTag> TagAt(std::string_view raw, size_t offset) {
  const size_t open = RawPrefix(raw, kOpenTag);
  if (open == 0) return std::nullopt;
  for (size_t pos = open; pos < raw.size() && pos - open <= kMaxTagModel; pos += RawLength(raw.substr(pos))) {
    const size_t close = RawPrefix(raw.substr(pos), kCloseTag);
    if (close == 0) continue;
    const std::string model = DecodeJsonString(raw.substr(open - 1, pos - open + 2));
    const std::string_view trimmed = TrimBlanks(model);
    if (trimmed.empty()) return std::nullopt;
    return SubagentTag{std::string(trimmed), offset, offset + pos + close};
  }
  return std::nullopt;
}

struct Content {
  bool image = false;
  std::optional<SubagentTag> tag;
};

enum class Role { kOther, kUser, kSystem };

class FactsReader {
 public:
  FactsReader(std::string_view body, bool count_tokens) : cursor_(body), count_tokens_(count_tokens) {}

  RequestFacts Run() {
    cursor_.Object([this](std::string_view key) { Member(key); });
    RequestFacts facts;
    const Amount sum = {system_.tokens + messages_.tokens + tools_.tokens,
                        system_.bytes + messages_.bytes + tools_.bytes};
    facts.tokens = sum.tokens;
    facts.estimate = count_tokens_ ? sum.tokens : sum.bytes / kBytesPerToken;
    facts.estimate += std::min(max_output_, kMaxOutputEstimate);
    facts.thinking = thinking_ || reasoning_;
    facts.web_search = web_search_tool_ || web_search_options_;
    facts.image = last_user_image_;
    facts.asks = asks_;
    facts.asks.max_output = max_output_;
    for (auto* tag : {&system_tag_, &system_message_tag_, &message_tag_}) {
      if (!facts.subagent) facts.subagent = std::move(*tag);
    }
    return facts;
  }

 private:
  void Member(std::string_view key) {
    if (IsAny(key, {"system", "instructions", "systemInstruction", "system_instruction"})) return System();
    if (JsonStringIs(key, "messages")) return Messages(Role::kOther);
    if (JsonStringIs(key, "input")) return Input();
    if (JsonStringIs(key, "contents")) return Messages(Role::kUser);
    if (JsonStringIs(key, "tools")) return Tools();
    asks_.thinking |= IsAny(key, {"thinking", "reasoning", "reasoning_effort", "output_config"});
    if (JsonStringIs(key, "thinking")) return Thinking();
    if (JsonStringIs(key, "reasoning")) return Reasoning();
    if (IsAny(key, {"generationConfig", "generation_config"})) return GenerationConfig();
    const std::string_view value = cursor_.Read();
    if (IsAny(key, {"max_tokens", "max_completion_tokens", "max_output_tokens"})) {
      ReadMaxOutput(value);
    } else if (JsonStringIs(key, "reasoning_effort")) {
      reasoning_ = IsEffort(value);
    } else if (JsonStringIs(key, "tool_choice")) {
      asks_.forced_tool = value.starts_with('{') || StringIs(value, "required") || StringIs(value, "any");
    } else if (IsAny(key, {"temperature", "top_p", "top_k"})) {
      asks_.sampling = true;
    } else if (JsonStringIs(key, "web_search_options")) {
      web_search_options_ = value.starts_with('{');
    }
  }

  void ReadMaxOutput(std::string_view value) {
    if (!absl::SimpleAtoi(ToAbsl(value), &max_output_)) max_output_ = 0;
  }

  static bool IsEffort(std::string_view value) {
    return IsString(value) && !JsonStringIs(value, "none") && !JsonStringIs(value, "minimal");
  }

  // Responses'.
  void Reasoning() {
    reasoning_ = false;
    cursor_.Object([this](std::string_view key) {
      const std::string_view value = cursor_.Read();
      if (JsonStringIs(key, "effort")) reasoning_ = IsEffort(value);
    });
  }

  // Gemini's.
  void GenerationConfig() {
    cursor_.Object([this](std::string_view key) {
      if (IsAny(key, {"thinkingConfig", "thinking_config"})) return ThinkingConfig();
      const std::string_view value = cursor_.Read();
      if (IsAny(key, {"maxOutputTokens", "max_output_tokens"})) ReadMaxOutput(value);
    });
  }

  void ThinkingConfig() {
    thinking_ = false;
    cursor_.Object([this](std::string_view key) {
      const std::string_view value = cursor_.Read();
      if (IsAny(key, {"thinkingBudget", "thinking_budget"})) thinking_ |= value != "0" && value != "null";
      if (IsAny(key, {"thinkingLevel", "thinking_level"})) thinking_ |= IsString(value);
    });
  }

  // A text, a list of blocks, or Gemini's object with one.
  void System() {
    BeginAmount();
    if (cursor_.Peek() == '{') {
      cursor_.Object([this](std::string_view key) {
        if (!JsonStringIs(key, "parts")) return Drop();
        system_tag_ = ReadContent(0).tag;
      });
    } else {
      system_tag_ = ReadContent(0).tag;
    }
    system_ = EndAmount();
  }

  // Responses': a text of the user's, or a list of messages, calls and results.
  void Input() {
    if (cursor_.Peek() != '"') return Messages(Role::kOther);
    BeginAmount();
    message_tag_ = ReadText();
    messages_ = EndAmount();
  }

  // `unsaid` is the role of those that name none.
  void Messages(Role unsaid) {
    BeginAmount();
    message_tag_.reset();
    system_message_tag_.reset();
    last_user_image_ = false;
    size_t user_messages = 0;
    size_t messages = 0;
    cursor_.Array([&] {
      Content content;
      const size_t number = messages++;
      const Role role = ReadMessage(unsaid, &content);
      asks_.late_system |= role == Role::kSystem && number > 0;
      if (role == Role::kSystem && !system_message_tag_) system_message_tag_ = std::move(content.tag);
      if (role != Role::kUser) return;
      if (user_messages++ < kTaggedMessages && !message_tag_) message_tag_ = std::move(content.tag);
      last_user_image_ = content.image;
    });
    messages_ = EndAmount();
  }

  Role ReadMessage(Role unsaid, Content* content) {
    Role role = unsaid;
    CountTokens(kMessageTokens);
    cursor_.Object([&](std::string_view key) {
      if (IsAny(key, {"content", "parts", "output"})) {
        *content = ReadContent(0);
      } else if (IsAny(key, {"arguments", "input"})) {
        CountValue(cursor_.Read());
      } else if (JsonStringIs(key, "tool_calls")) {
        cursor_.Array([this] { ToolCall(); });
      } else {
        const std::string_view value = cursor_.Read();
        if (!JsonStringIs(key, "role")) return;
        role = RoleOf(value);
        asks_.developer |= StringIs(value, "developer");
      }
    });
    return role;
  }

  static Role RoleOf(std::string_view value) {
    if (StringIs(value, "user")) return Role::kUser;
    return StringIs(value, "system") || StringIs(value, "developer") ? Role::kSystem : Role::kOther;
  }

  void ToolCall() {
    cursor_.Object([this](std::string_view key) {
      if (!JsonStringIs(key, "function")) return Drop();
      cursor_.Object([this](std::string_view) { CountValue(cursor_.Read()); });
    });
  }

  // A text or a list of blocks.
  Content ReadContent(int depth) {
    Content content;
    if (cursor_.Peek() == '"') {
      content.tag = ReadText();
    } else if (depth < kMaxContentDepth) {
      cursor_.Array([&] { Block(depth, &content); });
    } else {
      Drop();
    }
    return content;
  }

  void Block(int depth, Content* content) {
    bool image = false;
    size_t attached = 0;
    cursor_.Object([&](std::string_view key) {
      if (JsonStringIs(key, "text")) {
        std::optional<SubagentTag> tag = ReadText();
        if (!content->tag) content->tag = std::move(tag);
      } else if (JsonStringIs(key, "content")) {
        content->image |= ReadContent(depth + 1).image;
      } else if (JsonStringIs(key, "source")) {
        attached = Source(depth);
      } else if (IsAny(key, {"inlineData", "inline_data"})) {
        attached = InlineData(&image);
      } else if (JsonStringIs(key, "type")) {
        const std::string_view type = cursor_.Read();
        image = StringIs(type, "image") || StringIs(type, "image_url") || StringIs(type, "input_image");
      } else if (IsAny(key, {"name", "input", "title", "functionCall", "function_call", "functionResponse",
                             "function_response"})) {
        CountValue(cursor_.Read());
      } else {
        Drop();
      }
    });
    content->image |= image;
    if (image) CountTokens(kImageTokens);
    if (!image && attached > 0) CountTokens(std::max<uint64_t>(kImageTokens, attached / kDocumentBytesPerToken));
  }

  // The bytes of what is attached; texts are counted here and are none.
  size_t Source(int depth) {
    std::string_view type, data;
    cursor_.Object([&](std::string_view key) {
      if (JsonStringIs(key, "content")) {
        ReadContent(depth + 1);
        return;
      }
      const std::string_view value = cursor_.Read();
      if (JsonStringIs(key, "type")) type = value;
      if (JsonStringIs(key, "data")) data = value;
    });
    if (StringIs(type, "text")) {
      CountValue(data);
      return 0;
    }
    return StringIs(type, "content") ? 0 : std::max<size_t>(data.size(), 1);
  }

  // Gemini's. The bytes of what is attached.
  size_t InlineData(bool* image) {
    size_t bytes = 1;
    cursor_.Object([&](std::string_view key) {
      const std::string_view value = cursor_.Read();
      if (IsAny(key, {"mimeType", "mime_type"})) *image |= StringBeginsWith(value, "image/");
      if (JsonStringIs(key, "data")) bytes = value.size();
    });
    return bytes;
  }

  std::optional<SubagentTag> ReadText() {
    const size_t begin = cursor_.pos();
    const std::string_view value = cursor_.Read();
    CountValue(value);
    return IsString(value) ? TagAt(Inside(value), begin + 1) : std::nullopt;
  }

  void Tools() {
    BeginAmount();
    web_search_tool_ = false;
    cursor_.Array([this] {
      asks_.tools = true;
      cursor_.Object([this](std::string_view key) {
        const std::string_view value = cursor_.Read();
        if (IsAny(key, {"googleSearch", "google_search"})) web_search_tool_ = true;
        if (JsonStringIs(key, "type")) {
          web_search_tool_ |= StringBeginsWith(value, "web_search");
        } else if (!JsonStringIs(key, "cache_control")) {
          CountValue(value);
        }
      });
    });
    tools_ = EndAmount();
  }

  void Thinking() {
    thinking_ = false;
    cursor_.Object([this](std::string_view key) {
      const std::string_view value = cursor_.Read();
      if (JsonStringIs(key, "type")) thinking_ = IsString(value) && !JsonStringIs(value, "disabled");
    });
  }

  // Of one member; tokens are counted when they are asked for.
  struct Amount {
    uint64_t tokens = 0, bytes = 0;
  };
  void BeginAmount() {
    meter_ = TokenMeter();
    bytes_ = 0;
  }
  Amount EndAmount() const { return {meter_.tokens(), bytes_}; }

  void CountTokens(uint64_t tokens) {
    if (count_tokens_) meter_.AddTokens(tokens);
    bytes_ += tokens * kBytesPerToken;
  }

  void CountValue(std::string_view value) {
    bytes_ += value.size();
    if (!count_tokens_) return;
    meter_.AddJson(IsString(value) ? Inside(value) : value);
    meter_.EndText();
  }

  void Drop() { cursor_.Read(); }

  JsonCursor cursor_;
  const bool count_tokens_;
  TokenMeter meter_;  // of the member that is being read, as the next
  uint64_t bytes_ = 0;
  Amount system_, messages_, tools_;
  RequestFacts::Asks asks_;
  uint64_t max_output_ = 0;
  bool thinking_ = false, reasoning_ = false;
  bool web_search_tool_ = false, web_search_options_ = false;
  bool last_user_image_ = false;
  std::optional<SubagentTag> system_tag_, system_message_tag_, message_tag_;
};

}  // namespace

RequestFacts ReadFacts(std::string_view body, const BodyScan& scan, bool count_tokens) {
  RequestFacts facts = FactsReader(body, count_tokens).Run();
  facts.session = scan.session;
  return facts;
}

uint64_t EstimateUnread(std::string_view body) {
  return std::min<uint64_t>(body.size() / kBytesPerToken, kMaxUnreadEstimate);
}

std::vector<std::string_view> CutTag(std::string_view body, const std::vector<std::string_view>& pieces,
                                     const SubagentTag& tag) {
  std::vector<std::string_view> cut;
  const std::less<const char*> before;
  const char* const begin = body.data() + tag.begin;
  for (const std::string_view piece : pieces) {
    const bool holds = !before(begin, piece.data()) && before(begin, piece.data() + piece.size());
    if (!holds) {
      cut.push_back(piece);
      continue;
    }
    const auto offset = static_cast<size_t>(begin - piece.data());
    cut.push_back(piece.substr(0, offset));
    cut.push_back(piece.substr(offset + tag.end - tag.begin));
  }
  return cut;
}

std::string CountTokensAnswer(Format client, uint64_t tokens) {
  return absl::StrCat(client == Format::kGemini ? "{\"totalTokens\":" : "{\"input_tokens\":", tokens, "}");
}

}  // namespace ccr::proxy
