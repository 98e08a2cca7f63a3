#include "proxy/core/evidence/error_facts.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "proxy/core/ascii.h"
#include "proxy/core/evidence/rate_limit_headers.h"
#include "proxy/core/evidence/reset_time.h"

namespace ccr::proxy {
namespace {

namespace json = boost::json;

constexpr size_t kMaxWord = 128;

bool IsOfWord(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.' || c == ':' || c == '/';
}
bool IsOfSentence(char c) {
  return absl::ascii_isalpha(static_cast<unsigned char>(c)) || c == ' ';
}

// `text` when it is a word, else nothing.
std::string ErrorWord(std::string_view text) {
  return text.size() <= kMaxWord && std::all_of(text.begin(), text.end(), IsOfWord) ? std::string(text) : "";
}

// `text` when it is a sentence of letters, else nothing.
std::string ErrorSentence(std::string_view text) {
  const bool plain = std::all_of(text.begin(), text.end(), IsOfSentence);
  const bool long_enough = std::count(text.begin(), text.end(), ' ') >= 2;
  return text.size() <= kMaxWord && plain && long_enough ? std::string(text) : "";
}

const json::object* Object(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value == nullptr ? nullptr : value->if_object();
}

const json::array* Array(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value == nullptr ? nullptr : value->if_array();
}

std::string_view Text(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  const json::string* text = value == nullptr ? nullptr : value->if_string();
  return text == nullptr ? std::string_view() : std::string_view(text->data(), text->size());
}

// A number is written out.
std::string TextOrNumber(const json::value& value) {
  if (value.is_number()) return json::serialize(value);
  return value.is_string() ? std::string(value.get_string()) : std::string();
}

std::string CodeOf(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  if (value != nullptr && value->is_int64()) return std::to_string(value->get_int64());
  const std::string word = ErrorWord(Text(object, name));
  return word.empty() ? ErrorSentence(Text(object, name)) : word;
}

class ErrorReader {
 public:
  explicit ErrorReader(absl::Time now) : now_(now) {}

  ErrorFacts Run(const json::object& top) {
    if (const json::object* error = Object(top, "error")) {
      Error(*error);
    } else if (const json::array* errors = Array(top, "errors"); errors != nullptr && !errors->empty()) {
      if (errors->front().is_object()) Error(errors->front().get_object());
    } else if (const json::object* base = Object(top, "base_resp")) {
      facts_.type = "base_resp";
      facts_.code = CodeOf(*base, "status_code");
      TakeMessage(Text(*base, "status_msg"));
    } else {
      TopLevel(top);
    }
    Waits(top);
    if (day_ends_) delay_ = day_ends_;
    facts_.wait = Later(facts_.wait, delay_);
    facts_.wait_in_words = FindReset(facts_.message, now_);
    if (facts_.type == "usage_limit_reached" || facts_.code == "usage_limit_reached") facts_.quota_window = true;
    return std::move(facts_);
  }

 private:
  void Error(const json::object& error) {
    facts_.type = ErrorWord(Text(error, "type"));
    if (facts_.type.empty()) facts_.type = ErrorWord(Text(error, "status"));
    facts_.code = CodeOf(error, "code");
    TakeMessage(Text(error, "message"));
    Waits(error);
    if (const json::object* metadata = Object(error, "metadata")) Metadata(*metadata);
    const json::array* details = Array(error, "details");
    if (details == nullptr) return;
    for (const json::value& detail : *details) {
      if (detail.is_object()) Detail(detail.get_object());
    }
  }

  void TopLevel(const json::object& top) {
    Error(top);
    const json::value* success = top.if_contains("success");
    if (facts_.type.empty() && success != nullptr && success->is_bool() && !success->get_bool())
      facts_.type = "envelope";
    const std::string word = ErrorWord(Text(top, "error"));
    if (!word.empty()) facts_.type = word;
    for (const std::string_view name : {"error", "msg", "detail", "error_msg", "errorMessage"})
      if (facts_.message.empty()) TakeMessage(Text(top, name));
  }

  void TakeMessage(std::string_view text) { facts_.message = text.substr(0, kMaxMessage); }

  // One entry of a Google error's details: ErrorInfo's reason, RetryInfo's delay ("3s", "0.5s"), QuotaFailure.
  void Detail(const json::object& detail) {
    const std::string reason = ErrorWord(Text(detail, "reason"));
    if (!reason.empty()) facts_.code = reason;
    if (!delay_) delay_ = RetryDelay(detail);
    const json::array* violations = Array(detail, "violations");
    if (violations == nullptr) return;
    bool all_of_model = !violations->empty();
    for (const json::value& violation : *violations) {
      const std::string_view quota = violation.is_object() ? Text(violation.get_object(), "quotaId") : "";
      all_of_model &= quota.find("PerModel") != quota.npos;
      if (quota.find("PerDay") != quota.npos) day_ends_ = UntilPacificMidnight(now_);
    }
    facts_.of_model |= all_of_model;
    facts_.quota_window |= day_ends_.has_value();
  }

  // A google.protobuf.Duration: "3s", "0.5s", or {"seconds": 3, "nanos": 500000000} where it was not written as JSON asks.
  std::optional<absl::Duration> RetryDelay(const json::object& detail) const {
    const std::string_view text = Text(detail, "retryDelay");
    if (text.ends_with('s')) return ParseReset(text, now_);
    const json::object* delay = Object(detail, "retryDelay");
    if (delay == nullptr) return std::nullopt;
    const std::optional<absl::Duration> seconds = Part(*delay, "seconds", absl::Seconds(1));
    const std::optional<absl::Duration> nanos = Part(*delay, "nanos", absl::Nanoseconds(1));
    if (!seconds && !nanos) return std::nullopt;
    return std::min(seconds.value_or(absl::ZeroDuration()) + nanos.value_or(absl::ZeroDuration()), kMaxResetWait);
  }

  // A whole number of units, or its text.
  static std::optional<absl::Duration> Part(const json::object& object, std::string_view name, absl::Duration unit) {
    const json::value* value = object.if_contains(name);
    uint64_t number = 0;
    if (value == nullptr || !absl::SimpleAtoi(TextOrNumber(*value), &number)) return std::nullopt;
    return std::min(kMaxResetWait, static_cast<double>(number) * unit);
  }

  void Metadata(const json::object& metadata) {
    Waits(metadata);
    if (facts_.type.empty() && Array(metadata, "reasons") != nullptr) facts_.type = "moderation";
    const json::object* headers = Object(metadata, "headers");
    if (headers == nullptr) return;
    Headers list;
    for (const auto& header : *headers) list.emplace_back(std::string(header.key()), TextOrNumber(header.value()));
    HeaderLimits seen = ReadLimits(list, now_);
    facts_.limits = std::move(seen.limits);
    facts_.wait = Later(facts_.wait, seen.retry_after);
  }

  // Members that say when, in the error or beside it.
  void Waits(const json::object& object) {
    static constexpr std::array<std::string_view, 8> kNames = {
        "retry_after", "retry_after_seconds", "resets_in_seconds", "reset_in_seconds", "resets_at",
        "reset_at",    "reset_time",          "retryAfter",
    };
    for (const std::string_view name : kNames) {
      if (const json::value* value = object.if_contains(name)) Moment(*value, absl::Seconds(1));
    }
    if (const json::value* value = object.if_contains("retry_after_ms")) Moment(*value, absl::Milliseconds(1));
  }

  void Moment(const json::value& value, absl::Duration unit) {
    std::string text = TextOrNumber(value);
    double number = 0;
    // Boost writes large doubles with an exponent.
    if (value.is_double() && absl::SimpleAtod(text, &number) && number >= 0 && number < 1e15)
      text = std::to_string(number);
    facts_.wait = Later(facts_.wait, ParseReset(text, now_, unit));
  }

  const absl::Time now_;
  ErrorFacts facts_;
  std::optional<absl::Duration> delay_;     // of RetryInfo
  std::optional<absl::Duration> day_ends_;  // of a violated quota of a day
};

}  // namespace

ErrorFacts ReadError(std::string_view body, absl::Time now) {
  json::error_code failed;
  const json::value parsed = json::parse({body.data(), body.size()}, failed);
  if (failed) return {};
  const json::value* top = &parsed;
  if (top->is_array() && !top->get_array().empty()) top = &top->get_array().front();
  return top->is_object() ? ErrorReader(now).Run(top->get_object()) : ErrorFacts();
}

}  // namespace ccr::proxy
