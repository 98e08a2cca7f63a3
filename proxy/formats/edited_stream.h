// A stream of OpenAI's chunks, or Gemini's, edited on its way.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/formats/sse.h"
#include "proxy/formats/transformers/transformer.h"
#include "proxy/formats/translation.h"

namespace ccr::proxy {

// Hands the chunks through `edits`, one after another, and then to `inner`, or to the client where that is null. What
// is no chunk passes as it is. Where an edit fails the stream ends with an error event, and without `inner` a cut one
// too.
class EditedStream final : public StreamTranslator {
 public:
  EditedStream(std::vector<std::unique_ptr<ChunkEdit>> edits, std::unique_ptr<StreamTranslator> inner)
      : edits_(std::move(edits)), inner_(std::move(inner)) {}

  void Feed(std::string_view bytes, std::string* out) override;
  void Finish(bool cut, std::string* out) override;
  bool failed() const override { return failed_ || (inner_ != nullptr && inner_->failed()); }
  uint64_t input_tokens() const override { return inner_ == nullptr ? 0 : inner_->input_tokens(); }
  uint64_t output_tokens() const override { return inner_ == nullptr ? 0 : inner_->output_tokens(); }

 private:
  void OnEvent(const SseEvent& event);
  void Push(json::object chunk, size_t edit);
  void Fail(std::string_view message);
  void EndEdits();
  void Pass(std::string* out);

  std::vector<std::unique_ptr<ChunkEdit>> edits_;
  const std::unique_ptr<StreamTranslator> inner_;
  SseParser parser_;
  std::string edited_;  // events on their way to `inner`
  bool edits_ended_ = false;
  bool failed_ = false;
};

}  // namespace ccr::proxy
