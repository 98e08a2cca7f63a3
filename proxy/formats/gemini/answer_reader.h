// Gemini's answers, whole and as they come; codec.h holds the table.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "proxy/formats/conversation/format.h"
#include "proxy/formats/gemini/call_id.h"

namespace ccr::proxy::gemini {

// Tells one answer to a sink, response by response: a whole answer is one, a stream has many, of which each may bring
// more of the same part. Gemini names no last one. Not thread-safe.
class ResponseReader {
 public:
  // More than `max_calls` calls are a failure.
  explicit ResponseReader(size_t max_calls) : max_calls_(max_calls) {}

  // `text` is what `response` was read from.
  void Read(json::object* response, std::string_view text, Notes* notes, AnswerSink* sink);
  // Whether a finishReason came, or the prompt was blocked: what makes a proper end.
  bool ended() const { return !finish_reason_.empty() || !block_reason_.empty(); }
  bool blocked() const { return !block_reason_.empty(); }
  void End(AnswerSink* sink);
  void Fail(const AnswerError& error, AnswerSink* sink);
  // End or Fail was told.
  bool over() const { return over_; }

 private:
  void ReadUsage(const json::object& response, AnswerSink* sink);
  void ReadEnd(const json::object& response, const json::object* candidate);
  void ReadPart(json::object* part, std::string_view text, Notes* notes, AnswerSink* sink);
  void ReadText(PartKind kind, const json::object& part, AnswerSink* sink);
  void ReadCall(const json::object& part, std::string_view text, AnswerSink* sink);
  void Whole(Part part, AnswerSink* sink);
  void Close(AnswerSink* sink);
  bool refused() const;
  std::string Explanation() const;

  const size_t max_calls_;
  bool started_ = false;
  bool over_ = false;
  bool answered_ = false;         // text, a call or media came
  size_t next_ = 0;               // part
  std::optional<PartKind> open_;  // of part next_ - 1: it may go on
  std::optional<uint64_t> seed_;
  CallIds ids_;
  std::string finish_reason_;  // Gemini's; empty while it goes on
  std::string block_reason_;   // of the prompt
  std::string message_;        // the upstream's own words for either
};

// As FormatCodec's.
absl::StatusOr<ModelAnswer> ReadAnswer(std::string_view body, Notes* notes);
std::unique_ptr<StreamReader> ReadStream();

}  // namespace ccr::proxy::gemini
