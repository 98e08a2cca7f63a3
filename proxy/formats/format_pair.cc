#include "proxy/formats/format_pair.h"

#include <string.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>

#include "broker/base/absl_text.h"
#include "proxy/core/body_form.h"
#include "proxy/formats/answer_id.h"
#include "proxy/formats/conversation/context_overflow.h"
#include "proxy/formats/conversation/fit.h"
#include "proxy/formats/conversation/format.h"
#include "proxy/formats/conversation/think_tags.h"

namespace ccr::proxy {
namespace {

bool Has(std::string_view text, std::string_view word) {
  return memmem(text.data(), text.size(), word.data(), word.size()) != nullptr;
}

// Calls `found` with what follows each `word`, from the first byte that is no blank on.
template <typename Found>
void ForEach(std::string_view text, std::string_view word, Found found) {
  while (const void* at = memmem(text.data(), text.size(), word.data(), word.size())) {
    text.remove_prefix(static_cast<size_t>(static_cast<const char*>(at) - text.data()) + word.size());
    found(text.substr(std::min(text.find_first_not_of(" \t\r\n"), text.size())));
  }
}

// Whether there is more thinking than there are signatures.
bool HasUnsignedThinking(std::string_view body) {
  int64_t blocks = 0;
  ForEach(body, R"("thinking")", [&](std::string_view rest) { blocks += rest.starts_with(':') ? 0 : 1; });
  if (blocks == 0) return false;
  ForEach(body, R"("signature")", [&](std::string_view rest) {
    rest = rest.substr(std::min(rest.find('"'), rest.size()));
    blocks -= rest.size() > 1 && rest[1] != '"' ? 1 : 0;
  });
  return blocks > 0;
}

// A text that is packed state (state.h), which its provider would refuse: reading the request leaves some of it out.
bool HoldsPackedState(Format format, std::string_view body) {
  return Has(body, format == Format::kGemini ? R"("Y2NyMV)" : R"("ccr1_)");
}

// What other providers' models gave, where a client of this format returns it: packed, behind the id of a call, or
// thinking and calls that nobody signed. A text that looks alike only costs a reading.
bool MayHoldForeignState(Format format, std::string_view body) {
  if (HoldsPackedState(format, body)) return true;
  if (format == Format::kGemini) return Has(body, R"("functionCall")") && !Has(body, R"("thoughtSignature")");
  if (format == Format::kResponses && Has(body, R"("encrypted_content":null)")) return true;
  if (format == Format::kAnthropic && HasUnsignedThinking(body)) return true;
  return Has(body, "__s") && (Has(body, "__st_ccr1_") || Has(body, "__sig_"));
}

// In the words that clients of either format know, as their own providers write them.
bool IsToldAlready(Format format, std::string_view body) {
  if (format != Format::kAnthropic) return format == Format::kGemini || Has(body, "context_length_exceeded");
  return Has(body, "prompt is too long:") || Has(body, "input length and `max_tokens` exceed context limit:");
}

void Restore(const ToolNames& names, std::string* name) {
  const auto known = names.find(*name);
  if (known != names.end()) *name = known->second;
}

// Gives tools the names back that the client knows, and keeps what the proxy wants to know of a stream.
class AnswerTap final : public AnswerSink {
 public:
  AnswerTap(AnswerSink* next, ToolNames names) : next_(next), names_(std::move(names)) {}

  void Start(std::string_view id, std::string_view model) override { next_->Start(id, model); }
  void StartPart(size_t part, const PartHead& head) override {
    PartHead restored = head;
    const auto known = head.kind == PartKind::kToolCall ? names_.find(head.name) : names_.end();
    if (known != names_.end()) restored.name = known->second;
    next_->StartPart(part, restored);
  }
  void Delta(size_t part, std::string_view text) override { next_->Delta(part, text); }
  void AddState(size_t part, const OpaqueState& state) override { next_->AddState(part, state); }
  void EndPart(size_t part) override { next_->EndPart(part); }
  void WholePart(size_t part, Part whole) override { next_->WholePart(part, std::move(whole)); }
  void SetUsage(const Usage& usage) override {
    usage_ = usage;
    next_->SetUsage(usage);
  }
  void End(const Stop& stop) override {
    ended_ = true;
    next_->End(stop);
  }
  void Fail(const AnswerError& error) override {
    AnswerError read = error;
    ReadContextOverflow(&read);
    failed_ |= !ended_;
    next_->Fail(read);
  }

  const Usage& usage() const { return usage_; }
  bool failed() const { return failed_; }

 private:
  AnswerSink* const next_;
  const ToolNames names_;
  Usage usage_;
  bool ended_ = false;
  bool failed_ = false;
};

class PairStream final : public StreamTranslator {
 public:
  PairStream(const FormatCodec& client, const FormatCodec& provider, const AnswerContext& context, ToolNames names,
             bool think_tags)
      : reader_(provider.ReadStream()),
        writer_(client.WriteStream(context)),
        tap_(writer_.get(), std::move(names)),
        think_(&tap_),
        sink_(think_tags ? static_cast<AnswerSink*>(&think_) : &tap_) {}

  void Feed(std::string_view bytes, std::string* out) override {
    writer_->WriteTo(out);
    reader_->Feed(bytes, sink_);
  }
  void Finish(bool cut, std::string* out) override {
    writer_->WriteTo(out);
    reader_->Finish(cut, sink_);
  }
  bool failed() const override { return tap_.failed(); }
  const Notes& notes() const override { return reader_->notes(); }
  uint64_t input_tokens() const override { return tap_.usage().input; }
  uint64_t output_tokens() const override { return tap_.usage().output; }

 private:
  const std::unique_ptr<StreamReader> reader_;
  const std::unique_ptr<StreamWriter> writer_;
  AnswerTap tap_;
  ThinkTags think_;
  AnswerSink* const sink_;
};

absl::StatusOr<ModelAnswer> ReadWhole(const FormatCodec& provider, std::string_view body, Notes* notes) {
  if (FormOf(body) != BodyForm::kEvents) return provider.ReadAnswer(body, notes);
  const std::unique_ptr<StreamReader> reader = provider.ReadStream();
  AnswerCollector collector;
  reader->Feed(body, &collector);
  reader->Finish(false, &collector);
  notes->Add(reader->notes());
  if (collector.failed()) return absl::InternalError(collector.error().message);
  if (!collector.ended()) return absl::InternalError("the upstream's stream ended before the answer was complete");
  return collector.Take();
}

}  // namespace

bool FormatPair::MayEdit(Format client, const ProviderRules& rules, const RequestFacts& facts, std::string_view body) {
  const RequestFacts::Asks& asks = facts.asks;
  const bool schemas = !rules.schema_combinators || !rules.schema_items || !rules.schema_refs;
  const bool thinking = rules.thinking != ProviderRules::Thinking::kDefault || !rules.efforts.empty();
  return (asks.late_system && rules.system == ProviderRules::System::kFirst) || (asks.developer && !rules.developer) ||
         (asks.tools && schemas) || (asks.forced_tool && rules.forced != ProviderRules::Forced::kKeep) ||
         (asks.sampling && !rules.sampling) || (asks.thinking && thinking) ||
         (rules.max_output > 0 && asks.max_output > rules.max_output) || !rules.user_after_tool || rules.alternate ||
         rules.call_ids != ProviderRules::CallIds::kDefault ||
         (rules.max_tokens != ProviderRules::MaxTokens::kDefault && asks.max_output > 0) ||
         rules.reasoning_with_calls || !rules.drop.empty() || MayHoldForeignState(client, body);
}

absl::StatusOr<TranslatedRequest> FormatPair::Request(std::string_view body, std::string_view model,
                                                      Notes* notes) const {
  Notes unread;
  if (notes == nullptr) notes = &unread;
  absl::StatusOr<ModelRequest> request = CodecOf(options_.client).ReadRequest(body, notes);
  // What only the provider can judge passes to it.
  if (!request.ok() && options_.client == options_.provider) return TranslatedRequest();
  if (!request.ok()) return request.status();
  if (options_.client == Format::kGemini) request->stream = options_.stream_in_path;
  TranslatedRequest translated;
  translated.stream = request->stream;
  translated.stream_options.include_usage = request->include_usage;
  translated.stream_options.id_seed = std::hash<std::string_view>()(body);
  AnswerContext answer;
  AddTools(*request, &answer);
  answer.id_seed = translated.stream_options.id_seed;
  answer.include_usage = request->include_usage;
  translated.answer = std::make_shared<const AnswerContext>(std::move(answer));
  if (options_.client == options_.provider) {
    const bool changed = FitSame(options_.rules, HoldsPackedState(options_.client, body), &*request, notes);
    if (!changed && !CodecOf(options_.provider).MustSign(*request, model)) return translated;
  } else {
    Fit(options_.rules, options_.provider, &*request, notes);
  }
  absl::StatusOr<WrittenRequest> written = CodecOf(options_.provider).WriteRequest(*request, model, notes);
  if (!written.ok()) return written.status();
  translated.body = std::move(written->body);
  translated.tool_names = std::move(written->tool_names);
  return translated;
}

void FormatPair::Expect(const TranslatedRequest& request) {
  names_ = request.tool_names;
  if (request.answer != nullptr) context_ = *request.answer;
}

AnswerContext FormatPair::Context(std::string_view model) const {
  AnswerContext context = context_;
  context.model = model;
  context.created = options_.now ? options_.now() : 0;
  context.json_array = options_.json_array;
  return context;
}

// Answers to the same request, tried again, are told apart by how they begin.
AnswerContext FormatPair::ContextOf(std::string_view body) const {
  constexpr size_t kBeginning = 4096;
  AnswerContext context = Context({});
  context.id_seed ^= StableHash(body.substr(0, kBeginning));
  return context;
}

absl::StatusOr<ModelAnswer> FormatPair::ReadAnswer(std::string_view body, Notes* notes) const {
  absl::StatusOr<ModelAnswer> answer = ReadWhole(CodecOf(options_.provider), body, notes);
  if (!answer.ok()) return answer;
  if (options_.rules.think_tags) SplitThinkTags(&*answer);
  for (Part& part : answer->parts)
    if (part.kind == PartKind::kToolCall) Restore(names_, &part.name);
  return answer;
}

absl::StatusOr<std::string> FormatPair::Response(std::string_view body, Notes* notes) const {
  Notes unread;
  const absl::StatusOr<ModelAnswer> answer = ReadAnswer(body, notes == nullptr ? &unread : notes);
  if (!answer.ok()) return answer.status();
  return CodecOf(options_.client).WriteAnswer(*answer, ContextOf(body));
}

absl::StatusOr<std::string> FormatPair::ResponseAsStream(std::string_view body, Notes* notes) const {
  Notes unread;
  absl::StatusOr<ModelAnswer> answer = ReadAnswer(body, notes == nullptr ? &unread : notes);
  if (!answer.ok()) return answer.status();
  std::string stream;
  const std::unique_ptr<StreamWriter> writer = CodecOf(options_.client).WriteStream(ContextOf(body));
  writer->WriteTo(&stream);
  Replay(*std::move(answer), writer.get());
  return stream;
}

std::string FormatPair::Error(int status, std::string_view body) const {
  AnswerError error = CodecOf(options_.provider).ReadError(status, body);
  const bool overflow = ReadContextOverflow(&error);
  if (options_.client == options_.provider && (!overflow || IsToldAlready(options_.client, body)))
    return std::string(body);
  return CodecOf(options_.client).WriteError(error);
}

int FormatPair::ErrorStatus(int status, std::string_view body) const {
  AnswerError error = CodecOf(options_.provider).ReadError(status, body);
  return ReadContextOverflow(&error) ? 400 : status;
}

std::unique_ptr<StreamTranslator> FormatPair::Stream(std::string_view model, const StreamOptions& options) const {
  AnswerContext context = Context(model);
  context.include_usage = options.include_usage;
  context.id_seed = options.id_seed;
  return std::make_unique<PairStream>(CodecOf(options_.client), CodecOf(options_.provider), context, names_,
                                      options_.rules.think_tags);
}

}  // namespace ccr::proxy
