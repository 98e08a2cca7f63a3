// A translation with the transformers of a route around it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/formats/transformers/transformer.h"
#include "proxy/formats/translation.h"

namespace ccr::proxy {

// The transformers of one provider and model, in the order they edit requests: the provider's, then the model's.
// Answers pass them in the opposite order. Immutable.
class TransformerChain {
 public:
  // `model` is compared without case. Transformers that do not know the provider's format, and those that edit nothing,
  // are left out.
  TransformerChain(const Provider& provider, std::string_view model)
      : TransformerChain(provider, model, provider.format) {}
  // `format` is what the provider is spoken to in this time.
  TransformerChain(const Provider& provider, std::string_view model, Format format);

  bool EditsRequests() const;
  bool EditsAnswers() const;
  // Names of those that do not know the provider's format.
  const std::vector<std::string_view>& left_out() const { return left_out_; }

  // Parses, edits and writes. InvalidArgument when it is no JSON object.
  absl::StatusOr<std::string> EditRequest(std::string_view body, Notes* notes) const;
  void EditResponse(json::object* body, Notes* notes) const;
  std::vector<std::unique_ptr<ChunkEdit>> StreamEdits() const;

 private:
  struct Stage {
    const Transformer* transformer;
    json::object options;
  };

  void Add(const std::vector<TransformerUse>& uses);

  Format format_;
  std::string model_;
  std::vector<Stage> stages_;
  std::vector<std::string_view> left_out_;
};

// Edits in the upstream's format: requests behind the translation, answers before it. Without a translation client and
// upstream speak the same format, and errors pass as they are. Thread-safe.
class EditedTranslation final : public Translation {
 public:
  // `inner` may be null, and outlives this.
  EditedTranslation(const Translation* inner, TransformerChain chain) : inner_(inner), chain_(std::move(chain)) {}

  // Before any answer, the names that Request() gave.
  void RestoreTools(ToolNames names) { names_ = std::move(names); }
  // Where both formats are the same: whether bytes may not pass as they are.
  bool EditsRequests() const { return chain_.EditsRequests(); }
  bool EditsAnswers() const { return chain_.EditsAnswers() || !names_.empty(); }

  absl::StatusOr<TranslatedRequest> Request(std::string_view body, std::string_view model, Notes* notes) const override;
  absl::StatusOr<std::string> Response(std::string_view body, Notes* notes) const override;
  absl::StatusOr<std::string> ResponseAsStream(std::string_view body, Notes* notes) const override;
  std::string Error(int status, std::string_view body) const override;
  int ErrorStatus(int status, std::string_view body) const override;
  std::unique_ptr<StreamTranslator> Stream(std::string_view model, const StreamOptions& options) const override;

 private:
  absl::StatusOr<std::string> EditResponse(std::string_view body, Notes* notes) const;
  std::vector<std::unique_ptr<ChunkEdit>> Edits() const;

  const Translation* inner_;
  TransformerChain chain_;
  ToolNames names_;
};

}  // namespace ccr::proxy
