// Structured logs: an event name and fields, as one line of JSON or text on stderr.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

namespace ccr {

enum class LogLevel { kDebug, kInfo, kWarn, kError, kOff };
enum class LogFormat { kText, kJson };

struct LogField {
  std::string_view name;
  std::variant<std::string_view, int64_t, double, bool> value;

  LogField(std::string_view n, std::string_view v) : name(n), value(v) {}
  LogField(std::string_view n, const std::string& v) : name(n), value(std::string_view(v)) {}
  LogField(std::string_view n, const char* v) : name(n), value(std::string_view(v)) {}
  LogField(std::string_view n, bool v) : name(n), value(v) {}
  LogField(std::string_view n, double v) : name(n), value(v) {}
  template <typename T, typename = std::enable_if_t<std::is_integral_v<T> && !std::is_same_v<T, bool>>>
  LogField(std::string_view n, T v) : name(n), value(static_cast<int64_t>(v)) {}
};

// The word of a level, in a configuration and in flags: debug, info, warn, error, off; and Claude Code Router's trace
// (debug), fatal (error) and silent (off). Nothing for any other.
std::optional<LogLevel> ParseLogLevel(std::string_view word);
// What is wrong with the word, and which was meant; empty when it is one.
std::string LogLevelProblem(std::string_view word);
// "text" or "json"; nothing for any other.
std::optional<LogFormat> ParseLogFormat(std::string_view word);

// Sets what the process logs, at any time. Default: text, info.
void InitLog(LogFormat format, LogLevel level);
bool LogEnabled(LogLevel level);

// Writes one line: time, level, event, fields. Whatever looks like a credential in a field's text ("sk-...", "AIza...",
// "Bearer ...") is replaced by "[redacted]"; control characters and what is no UTF-8 are escaped. Thread-safe.
void Log(LogLevel level, std::string_view event, std::span<const LogField> fields);
inline void Log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields = {}) {
  Log(level, event, std::span<const LogField>(fields.begin(), fields.size()));
}

// What must be read whatever the level is: "PROGRAM: MESSAGE" in text, else a line of JSON of that level. In one write.
void LogNotice(LogLevel level, std::string_view program, std::string_view message);
// As LogNotice writes it in JSON, without the newline, for whoever writes elsewhere.
std::string JsonNotice(LogLevel level, std::string_view program, std::string_view message);
// A daemon serves: "PROGRAM ready: NAME=VALUE ..." in text, else a line of JSON with the event "ready" and the program.
// Whatever the level, in one write: others wait for the whole line.
void LogReady(std::string_view program, std::initializer_list<LogField> fields);

// The redaction alone.
std::string Redact(std::string_view text);

}  // namespace ccr
