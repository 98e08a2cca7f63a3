#include "proxy/formats/edited_stream.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "proxy/core/error_body.h"

namespace ccr::proxy {
namespace {

constexpr std::string_view kDone = "[DONE]";

// OpenAI's or Gemini's.
bool IsChunk(const json::object& event) {
  return Find(event, "choices") != nullptr || Find(event, "candidates") != nullptr;
}

}  // namespace

void EditedStream::Feed(std::string_view bytes, std::string* out) {
  if (failed()) return;
  const bool fits = parser_.Feed(bytes, [this](const SseEvent& event) { OnEvent(event); });
  if (!fits) Fail("an event of the provider's stream is too large");
  Pass(out);
}

void EditedStream::Finish(bool cut, std::string* out) {
  if (failed()) return;
  if (!cut) {
    parser_.Finish([this](const SseEvent& event) { OnEvent(event); });
    EndEdits();
    Pass(out);
    if (failed()) return;
  }
  if (inner_ != nullptr) return inner_->Finish(cut, out);
  if (cut) out->append(SseErrorEvent(Format::kChat, "the provider's stream broke off"));
}

void EditedStream::OnEvent(const SseEvent& event) {
  if (failed_) return;
  if (event.data == kDone) EndEdits();
  absl::StatusOr<json::value> chunk = ParseJson(event.data);
  if (absl::IsResourceExhausted(chunk.status())) {
    return Fail(absl::StrCat("an event of the provider's stream is ", chunk.status().message()));
  }
  if (chunk.ok() && chunk->is_object() && IsChunk(chunk->get_object())) {
    Push(std::move(chunk->get_object()), 0);
  } else {
    std::string data(event.data);
    for (char& c : data) c = c == '\n' ? ' ' : c;  // which is as good between the parts of a JSON text
    AppendSseEvent(event.type, data, &edited_);
  }
}

void EditedStream::Push(json::object chunk, size_t edit) {
  if (failed_) return;
  if (edit == edits_.size()) return AppendSseEvent({}, ToJson(json::value(std::move(chunk))), &edited_);
  std::vector<json::object> edited;
  if (const absl::Status status = edits_[edit]->OnChunk(std::move(chunk), &edited); !status.ok()) {
    return Fail({status.message().data(), status.message().size()});
  }
  for (json::object& next : edited) Push(std::move(next), edit + 1);
}

// `inner` makes its own event of it.
void EditedStream::Fail(std::string_view message) {
  if (failed_) return;
  edited_ += SseErrorEvent(Format::kChat, message);
  failed_ = true;
}

void EditedStream::EndEdits() {
  if (std::exchange(edits_ended_, true)) return;
  for (size_t i = 0; i < edits_.size(); ++i) {
    std::vector<json::object> held;
    edits_[i]->OnEnd(&held);
    for (json::object& chunk : held) Push(std::move(chunk), i + 1);
  }
}

void EditedStream::Pass(std::string* out) {
  if (inner_ != nullptr && !edited_.empty()) {
    inner_->Feed(edited_, out);
  } else {
    out->append(edited_);
  }
  edited_.clear();
}

}  // namespace ccr::proxy
