#include "proxy/formats/chained.h"

#include <string>
#include <utility>

namespace ccr::proxy {
namespace {

class ChainedStream final : public StreamTranslator {
 public:
  ChainedStream(std::unique_ptr<StreamTranslator> outer, std::unique_ptr<StreamTranslator> inner)
      : outer_(std::move(outer)), inner_(std::move(inner)) {}

  void Feed(std::string_view bytes, std::string* out) override {
    between_.clear();
    inner_->Feed(bytes, &between_);
    outer_->Feed(between_, out);
  }
  void Finish(bool cut, std::string* out) override {
    between_.clear();
    inner_->Finish(cut, &between_);
    outer_->Feed(between_, out);
    outer_->Finish(cut, out);
    notes_ = inner_->notes();
    notes_.Add(outer_->notes());
  }
  bool failed() const override { return outer_->failed(); }
  const Notes& notes() const override { return notes_; }  // all of them once it has ended
  uint64_t input_tokens() const override { return inner_->input_tokens(); }
  uint64_t output_tokens() const override { return inner_->output_tokens(); }

 private:
  const std::unique_ptr<StreamTranslator> outer_;
  const std::unique_ptr<StreamTranslator> inner_;
  Notes notes_;
  std::string between_;  // what one call of inner_ gave
};

class Chained final : public Translation {
 public:
  Chained(std::unique_ptr<Translation> outer, std::unique_ptr<Translation> inner)
      : outer_(std::move(outer)), inner_(std::move(inner)) {}

  absl::StatusOr<TranslatedRequest> Request(std::string_view body, std::string_view model,
                                            Notes* notes) const override {
    const absl::StatusOr<TranslatedRequest> between = outer_->Request(body, model, notes);
    if (!between.ok()) return between.status();
    absl::StatusOr<TranslatedRequest> request = inner_->Request(between->body, model, notes);
    if (request.ok()) request->stream_options = between->stream_options;
    return request;
  }
  absl::StatusOr<std::string> Response(std::string_view body, Notes* notes) const override {
    const absl::StatusOr<std::string> between = inner_->Response(body, notes);
    return between.ok() ? outer_->Response(*between, notes) : between;
  }
  std::string Error(int status, std::string_view body) const override {
    return outer_->Error(status, inner_->Error(status, body));
  }
  std::unique_ptr<StreamTranslator> Stream(std::string_view model, const StreamOptions& options) const override {
    return std::make_unique<ChainedStream>(outer_->Stream(model, options),
                                           inner_->Stream(model, {.include_usage = true}));
  }

 private:
  const std::unique_ptr<Translation> outer_;
  const std::unique_ptr<Translation> inner_;
};

}  // namespace

std::unique_ptr<Translation> MakeChained(std::unique_ptr<Translation> outer, std::unique_ptr<Translation> inner) {
  return std::make_unique<Chained>(std::move(outer), std::move(inner));
}

}  // namespace ccr::proxy
