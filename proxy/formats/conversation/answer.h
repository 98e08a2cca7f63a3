// One answer of a model, whole or as it comes, as any of the formats can say it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "proxy/formats/conversation/request.h"

namespace ccr::proxy {

// Tokens. Totals of the answer so far.
struct Usage {
  uint64_t input = 0;       // all of the prompt, cached or not
  uint64_t cache_read = 0;  // of it, read from the provider's cache
  uint64_t cache_written = 0;
  uint64_t output = 0;     // reasoning included
  uint64_t reasoning = 0;  // of it, where the provider says so

  bool operator==(const Usage&) const = default;
};

enum class StopCause {
  kUnknown,  // the provider ended properly and did not say why
  kEnd,
  kMaxTokens,
  kStopSequence,
  kToolUse,
  kRefusal,  // the model's or a content filter's
  kPause,    // Anthropic's pause_turn: send the answer back and it goes on
  kContext,  // the context is full
};

struct Stop {
  StopCause cause = StopCause::kUnknown;
  std::string sequence;     // kStopSequence, where the provider says which
  std::string explanation;  // the provider's words, for a refusal or an answer without content; may be empty
};

// What is wrong, in the terms that clients act on.
enum class ErrorKind {
  kInvalid,      // 400
  kContext,      // the prompt, or the prompt and what is asked for, is longer than the model's context
  kAuth,         // 401
  kQuota,        // 402, billing, spend limits
  kPermission,   // 403
  kNotFound,     // 404
  kTooLarge,     // 413
  kRateLimited,  // 429
  kOverloaded,   // 503, 529
  kTimeout,      // 408, 504
  kUpstream,     // 500, 502 and all others
};

// What a status alone says.
ErrorKind KindOfStatus(int status);

struct AnswerError {
  int status = 500;  // what the error itself says, else that of the answer
  ErrorKind kind = ErrorKind::kUpstream;
  std::string type;     // the provider's own, may be empty
  std::string code;     // likewise
  std::string message;  // the provider's words
  // kContext, where the provider gives the numbers: 0 is unknown. `asked` is what max_tokens asked for.
  uint64_t prompt_tokens = 0, asked = 0, limit = 0;
};

struct ModelAnswer {
  std::string id;           // the provider's; may be empty
  std::string model;        // likewise
  std::vector<Part> parts;  // kText, kThinking, kRefusal, kMedia, kToolCall, kOther
  Stop stop;
  Usage usage;
};

// What a part of a stream begins with.
struct PartHead {
  PartKind kind = PartKind::kText;  // kText, kThinking, kRefusal, kToolCall; the others come whole, by WholePart
  std::string_view id, name;        // kToolCall, never empty; kThinking: the provider's id of it, where it has one
  bool custom = false;              // kToolCall
};

// Takes one answer as it comes. The views live as long as the call. Parts are numbered from 0 in the order they begin;
// they may interleave, and what is not ended by EndPart is by End. Whoever implements it ignores a call that does not
// fit (a delta of a part that never began, anything after End or Fail): no reader can make it write an invalid stream.
// Not thread-safe.
class AnswerSink {
 public:
  virtual ~AnswerSink() = default;
  virtual void Start(std::string_view id, std::string_view model) = 0;
  virtual void StartPart(size_t part, const PartHead& head) = 0;
  // A piece of its text; of a call a piece of the JSON text of its arguments.
  virtual void Delta(size_t part, std::string_view text) = 0;
  // Of a call: before its first Delta, where the provider's stream lets the reader; a client is told it in the id.
  virtual void AddState(size_t part, const OpaqueState& state) = 0;
  virtual void EndPart(size_t part) = 0;
  virtual void WholePart(size_t part, Part whole) = 0;
  // Later figures replace earlier ones.
  virtual void SetUsage(const Usage& usage) = 0;
  virtual void End(const Stop& stop) = 0;
  virtual void Fail(const AnswerError& error) = 0;
};

// Tells a whole answer as a stream of it.
void Replay(ModelAnswer answer, AnswerSink* sink);

// The other way: makes an answer of a stream. What it holds is bounded by kMaxBytes; more is a failure.
class AnswerCollector final : public AnswerSink {
 public:
  static constexpr size_t kMaxBytes = size_t{64} << 20;

  void Start(std::string_view id, std::string_view model) override;
  void StartPart(size_t part, const PartHead& head) override;
  void Delta(size_t part, std::string_view text) override;
  void AddState(size_t part, const OpaqueState& state) override;
  void EndPart(size_t part) override;
  void WholePart(size_t part, Part whole) override;
  void SetUsage(const Usage& usage) override;
  void End(const Stop& stop) override;
  void Fail(const AnswerError& error) override;

  bool ended() const { return ended_; }
  bool failed() const { return failed_; }
  const AnswerError& error() const { return error_; }
  ModelAnswer Take() { return std::move(answer_); }

 private:
  Part* Find(size_t part);
  bool Hold(size_t bytes);

  ModelAnswer answer_;
  absl::flat_hash_map<size_t, size_t> numbers_;  // of parts, in answer_.parts
  size_t held_ = 0;
  bool ended_ = false;
  bool failed_ = false;
  AnswerError error_;
};

}  // namespace ccr::proxy
