#include "broker/base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cctype>
#include <memory>
#include <vector>

#include "broker/base/closest_name.h"
#include "broker/base/utf8.h"

namespace ccr {
namespace {

std::atomic<LogLevel> minimum_level{LogLevel::kInfo};
std::atomic<LogFormat> line_format{LogFormat::kText};

std::shared_ptr<spdlog::logger> Logger() {
  static const auto logger = [] {
    auto made = std::make_shared<spdlog::logger>("ccr", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%v");
    made->set_level(spdlog::level::trace);
    made->flush_on(spdlog::level::trace);
    return made;
  }();
  return logger;
}

constexpr std::array<std::string_view, 4> kLevelNames = {"debug", "info", "warn", "error"};

// What a terminal or a reader of lines acts on instead of showing it: C0, DEL, C1, separators and marks of direction.
bool IsControl(std::string_view character) {
  const auto c = static_cast<unsigned char>(character[0]);
  if (character.size() == 1) return c < 0x20 || c == 0x7f;
  if (character.size() == 2) return character < "\xC2\xA0";
  const auto within = [character](std::string_view first, std::string_view last) {
    return character >= first && character <= last;
  };
  return within("\xE2\x80\x8E", "\xE2\x80\x8F") || within("\xE2\x80\xA8", "\xE2\x80\xAE") ||
         within("\xE2\x81\xA6", "\xE2\x81\xA9");
}

void AppendControl(std::string_view character, std::string* out) {
  uint32_t value = static_cast<unsigned char>(character[0]) & (character.size() == 1 ? 0x7fU : 0x1fU);
  for (const char c : character.substr(1)) value = value << 6 | (static_cast<unsigned char>(c) & 0x3fU);
  fmt::format_to(std::back_inserter(*out), "\\u{:04x}", value & 0xffffU);
}

void AppendEscaped(std::string_view text, std::string* out) {
  while (!text.empty()) {
    const std::string_view character = text.substr(0, std::max<size_t>(1, Utf8Length(text)));
    if (character == "\"" || character == "\\") {
      out->append("\\").append(character);
    } else if (Utf8Length(text) == 0) {
      *out += "\\ufffd";
    } else if (IsControl(character)) {
      AppendControl(character, out);
    } else {
      out->append(character);
    }
    text.remove_prefix(character.size());
  }
}

bool NeedsQuotes(std::string_view text) {
  if (text.empty()) return true;
  for (const char c : text) {
    const bool plain = c > ' ' && c < 0x7f && c != '"' && c != '=' && c != '\\';
    if (!plain) return true;
  }
  return false;
}

void AppendText(std::string_view raw, bool always_quote, std::string* out) {
  const std::string text = Redact(raw);
  if (!always_quote && !NeedsQuotes(text)) {
    *out += text;
    return;
  }
  *out += '"';
  AppendEscaped(text, out);
  *out += '"';
}

void AppendValue(const LogField& field, bool json, std::string* out) {
  if (const auto* text = std::get_if<std::string_view>(&field.value)) {
    AppendText(*text, json, out);
  } else if (const auto* number = std::get_if<int64_t>(&field.value)) {
    *out += std::to_string(*number);
  } else if (const auto* real = std::get_if<double>(&field.value)) {
    fmt::format_to(std::back_inserter(*out), "{:g}", *real);
  } else {
    *out += std::get<bool>(field.value) ? "true" : "false";
  }
}

std::string Timestamp() {
  const auto now = std::chrono::system_clock::now();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now);
  const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(now - seconds).count();
  std::tm utc{};
  const std::time_t time = std::chrono::system_clock::to_time_t(seconds);
  gmtime_r(&time, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                     utc.tm_hour, utc.tm_min, utc.tm_sec, millis);
}

bool IsTokenCharacter(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.';
}

// What credentials of the providers begin with.
constexpr std::array<std::string_view, 7> kCredentialPrefixes = {"sk-", "sk_", "AIza", "gsk_", "csk-", "xai-", "pplx-"};
constexpr size_t kShortestCredential = 8;

// Length of the credential that begins at `at`, or 0.
size_t CredentialAt(std::string_view text, size_t at) {
  if (at > 0 && IsTokenCharacter(text[at - 1])) return 0;
  const std::string_view rest = text.substr(at);
  for (const std::string_view prefix : kCredentialPrefixes) {
    if (rest.substr(0, prefix.size()) != prefix) continue;
    size_t length = prefix.size();
    while (length < rest.size() && IsTokenCharacter(rest[length])) ++length;
    if (length >= kShortestCredential) return length;
  }
  return 0;
}

// Length of "Bearer" and its blanks at `at`, or 0.
size_t BearerAt(std::string_view text, size_t at) {
  constexpr std::string_view kWord = "bearer ";
  if (text.size() - at < kWord.size()) return 0;
  for (size_t i = 0; i < kWord.size(); ++i) {
    if (std::tolower(static_cast<unsigned char>(text[at + i])) != kWord[i]) return 0;
  }
  return kWord.size();
}

std::string Line(LogLevel level, std::string_view event, std::span<const LogField> fields, bool json) {
  const std::string_view name = kLevelNames[static_cast<size_t>(level)];
  std::string line = json ? fmt::format(R"({{"time":"{}","level":"{}","event":")", Timestamp(), name)
                          : fmt::format("{} {:<5} ", Timestamp(), name);
  AppendEscaped(Redact(event), &line);
  if (json) line += '"';
  for (const LogField& field : fields) {
    line += json ? fmt::format(R"(,"{}":)", field.name) : fmt::format(" {}=", field.name);
    AppendValue(field, json, &line);
  }
  if (json) line += '}';
  return line;
}

void Write(const std::string& line) {
  Logger()->log(spdlog::level::info, line);
}

}  // namespace

std::optional<LogLevel> ParseLogLevel(std::string_view word) {
  if (word == "trace") return LogLevel::kDebug;
  if (word == "fatal") return LogLevel::kError;
  if (word == "off" || word == "silent") return LogLevel::kOff;
  const auto known = std::find(kLevelNames.begin(), kLevelNames.end(), word);
  if (known == kLevelNames.end()) return std::nullopt;
  return static_cast<LogLevel>(known - kLevelNames.begin());
}

std::string LogLevelProblem(std::string_view word) {
  if (ParseLogLevel(word)) return "";
  const std::string_view meant = ClosestName(word, {"debug", "info", "warn", "error", "off"});
  return "must be debug, info, warn, error or off" +
         (meant.empty() ? "" : ": did you mean " + std::string(meant) + "?");
}

std::optional<LogFormat> ParseLogFormat(std::string_view name) {
  if (name == "json") return LogFormat::kJson;
  return name == "text" ? std::optional(LogFormat::kText) : std::nullopt;
}

void InitLog(LogFormat format, LogLevel level) {
  line_format = format;
  minimum_level = level;
}

bool LogEnabled(LogLevel level) {
  return level >= minimum_level.load(std::memory_order_relaxed);
}

void Log(LogLevel level, std::string_view event, std::span<const LogField> fields) {
  if (!LogEnabled(level) || level == LogLevel::kOff) return;
  Write(Line(level, event, fields, line_format == LogFormat::kJson));
}

void LogNotice(LogLevel level, std::string_view program, std::string_view message) {
  if (line_format == LogFormat::kText) return Write(fmt::format("{}: {}", program, Redact(message)));
  Write(JsonNotice(level, program, message));
}

std::string JsonNotice(LogLevel level, std::string_view program, std::string_view message) {
  const LogField fields[] = {{"program", program}, {"message", message}};
  return Line(level, "notice", fields, /*json=*/true);
}

void LogReady(std::string_view program, std::initializer_list<LogField> fields) {
  if (line_format == LogFormat::kText) {
    std::string line = fmt::format("{} ready:", program);
    for (const LogField& field : fields)
      line += fmt::format(" {}={}", field.name, std::get<std::string_view>(field.value));
    return Write(line);
  }
  std::vector<LogField> all = {{"program", program}};
  all.insert(all.end(), fields.begin(), fields.end());
  Write(Line(LogLevel::kInfo, "ready", all, /*json=*/true));
}

std::string Redact(std::string_view text) {
  constexpr std::string_view kMark = "[redacted]";
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    if (const size_t bearer = BearerAt(text, at); bearer > 0) {
      size_t end = at + bearer;
      while (end < text.size() && IsTokenCharacter(text[end])) ++end;
      out.append(text.substr(at, bearer)).append(kMark);
      at = end;
    } else if (const size_t length = CredentialAt(text, at); length > 0) {
      out.append(kMark);
      at += length;
    } else {
      out += text[at++];
    }
  }
  return out;
}

}  // namespace ccr
