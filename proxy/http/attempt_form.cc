// What the bytes of an answer are: compressed, events or a document, with tags or without.
#include <utility>

#include "proxy/core/body_form.h"
#include "proxy/core/header_rules.h"
#include "proxy/http/attempt.h"

namespace ccr::proxy {
namespace {

constexpr size_t kMaxInflated = size_t{4} << 20;  // of one piece of a compressed body
constexpr size_t kMaxUndecided = 1024;            // bytes of a beginning that tells no form

}  // namespace

// False when it cannot be: the attempt has ended then.
bool Attempt::Decompress(std::string_view* bytes, std::string* inflated) {
  if (!inflater_) return true;
  const bool good = inflater_->Feed(*bytes, kMaxInflated, inflated);
  *bytes = *inflated;
  if (good) return true;
  if (state_ == State::kRelaying) {
    StopTransfer();
    BreakOff(kStreamBroke);
    Evidence evidence = RelayedEvidence();
    evidence.incomplete = true;
    state_ = State::kDone;
    owner_.OnRelayed(evidence);
  } else {
    FailWith({"", "a body that cannot be decompressed"});
  }
  return false;
}

// Of a good answer, by its first bytes. False while they are too few, which are held; then `bytes` are all there were.
bool Attempt::DecideForm(std::string_view* bytes, std::string* held) {
  if (options_.promised.empty() || !FindHeader(head_.headers, "content-encoding").empty()) return true;
  if (!undecided_.empty()) {
    *held = std::exchange(undecided_, {}).append(*bytes);
    *bytes = *held;
  }
  const BodyForm form = FormOf(*bytes);
  if (form == BodyForm::kUndecided && bytes->size() < kMaxUndecided) {
    undecided_ = std::string(*bytes);
    return false;
  }
  UseForm(form);
  return true;
}

// Where the bytes do not tell, the head counts, but for a document that a head calls none.
void Attempt::UseForm(BodyForm form) {
  const bool told = form == BodyForm::kEvents || form == BodyForm::kDocument;
  // Gemini's array comes in pieces, which are worth having.
  document_ = form == BodyForm::kDocument && options_.provider_format != Format::kGemini;
  if (told && event_stream_ != (form == BodyForm::kEvents)) {
    event_stream_ = form == BodyForm::kEvents;
    BeginReading();
  }
  if ((told || event_stream_) && event_stream_ != options_.wants_stream) other_form_ = owner_.OtherForm();
}

// While nothing of the body has come.
bool Attempt::HeadIsOfOtherForm() const {
  return !options_.promised.empty() && !form_decided_ && IsSuccess() && event_stream_ != options_.wants_stream;
}

// Leaves in `bytes` what may go on while it is not known whether the stream begins with tags.
void Attempt::DecideTags(std::string_view* bytes, std::string* held) {
  if (!think_probe_) return;
  const ThinkProbe::Verdict verdict = think_probe_->Feed(*bytes, held);
  *bytes = *held;
  if (verdict == ThinkProbe::Verdict::kUndecided) return;
  think_probe_.reset();
  if (verdict != ThinkProbe::Verdict::kThinks) return;
  if (const Translation* other = owner_.OtherForm(); other != nullptr)
    stream_ = other->Stream(options_.model, options_.stream_options);
}

// The stream is over: what was held is all there is.
void Attempt::EndProbe() {
  if (!think_probe_) return;
  const std::string held = think_probe_->TakeHeld();
  think_probe_.reset();
  writer_.Body(held);
  KeepEnd(held);
}

}  // namespace ccr::proxy
