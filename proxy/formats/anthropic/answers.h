// Complete answers in Anthropic's shape, and what streams share with them; codec.h has the table.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "proxy/formats/conversation/answer.h"
#include "proxy/formats/conversation/format.h"
#include "proxy/formats/json_util.h"

namespace ccr::proxy::anthropic {

// As FormatCodec::ReadAnswer and WriteAnswer.
absl::StatusOr<ModelAnswer> ReadAnswer(std::string_view body, Notes* notes);
std::string WriteAnswer(const ModelAnswer& answer, const AnswerContext& context);

// Takes what `holder`.usage has. Later figures of a stream replace earlier ones: they are totals. Anthropic counts
// tokens of the cache apart, the conversation among the others: so this keeps its own.
class UsageReader {
 public:
  void Read(const json::object& holder);
  Usage usage() const;

 private:
  uint64_t input_ = 0;
  uint64_t cache_read_ = 0;
  uint64_t cache_creation_ = 0;
  uint64_t output_ = 0;
};

// Takes stop_reason, stop_sequence and stop_details of a message or a message_delta's delta.
void ReadStop(const json::object& holder, Stop* stop);

// State that came as a thinking's signature, or as a redacted_thinking's data.
OpaqueState SignatureState(std::string_view signature);
OpaqueState RedactedState(std::string_view data);

// What a writer has written, as far as it decides the stop_reason.
struct Written {
  bool tool = false;
  bool refusal = false;
  bool text = false;
};

// Appends `"stop_reason":R,"stop_sequence":S`.
void AppendStop(const Stop& stop, const Written& written, std::string* out);
// Appends the object.
void AppendUsage(const Usage& usage, std::string* out);

// How a thinking's states are told to a client: as a block of their own (`redacted`), or in a signature.
struct WrittenState {
  bool redacted = false;
  std::string text;
};
WrittenState WriteStates(const OpaqueStates& states);

// Whether a kOther part of an answer is a block of Anthropic's, which its `own` then holds.
bool IsOwnBlock(const Part& part);

// The seed of an answer's identifiers.
uint64_t SeedOf(std::string_view id, const AnswerContext& context);

}  // namespace ccr::proxy::anthropic
