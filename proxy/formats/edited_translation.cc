#include "proxy/formats/edited_translation.h"

#include <algorithm>
#include <boost/json/monotonic_resource.hpp>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/core/body_form.h"
#include "proxy/formats/edited_stream.h"
#include "proxy/formats/tool_names.h"
#include "proxy/formats/transformers/body_edits.h"

namespace ccr::proxy {
namespace {

const std::vector<TransformerUse>* UsesOf(const Provider& provider, std::string_view model) {
  const auto own =
      std::find_if(provider.model_transformers.begin(), provider.model_transformers.end(),
                   [model](const auto& entry) { return absl::EqualsIgnoreCase(entry.first, ToAbsl(model)); });
  return own == provider.model_transformers.end() ? nullptr : &own->second;
}

bool Knows(const Transformer& transformer, Format format) {
  switch (format) {
    case Format::kChat:
      return true;
    case Format::kAnthropic:
      return transformer.edits_anthropic;
    case Format::kGemini:
      return transformer.edits_gemini;
    case Format::kResponses:
      return false;
  }
  return false;
}

}  // namespace

TransformerChain::TransformerChain(const Provider& provider, std::string_view model, Format format)
    : format_(format), model_(model) {
  Add(provider.transformers);
  if (const std::vector<TransformerUse>* own = UsesOf(provider, model); own != nullptr) Add(*own);
}

void TransformerChain::Add(const std::vector<TransformerUse>& uses) {
  for (const TransformerUse& use : uses) {
    const Transformer* transformer = FindTransformer(use.name);
    if (transformer == nullptr) continue;
    if (!Knows(*transformer, format_)) {
      left_out_.push_back(transformer->name);
      continue;
    }
    absl::StatusOr<json::value> options = ParseJson(use.options);
    const bool has_options = options.ok() && options->is_object();
    stages_.push_back({transformer, has_options ? std::move(options->get_object()) : json::object()});
  }
}

bool TransformerChain::EditsRequests() const {
  return std::any_of(stages_.begin(), stages_.end(),
                     [](const Stage& stage) { return stage.transformer->edit_request != nullptr; });
}

bool TransformerChain::EditsAnswers() const {
  return std::any_of(stages_.begin(), stages_.end(), [](const Stage& stage) {
    return stage.transformer->edit_response != nullptr || stage.transformer->edit_stream != nullptr;
  });
}

absl::StatusOr<std::string> TransformerChain::EditRequest(std::string_view body, Notes* notes) const {
  json::monotonic_resource memory(2 * body.size() + 1024);
  absl::StatusOr<json::value> parsed = ParseJson(body, &memory);
  if (!parsed.ok()) return parsed.status();
  if (!parsed->is_object()) return absl::InvalidArgumentError("the body must be a JSON object");
  for (const Stage& stage : stages_) {
    if (stage.transformer->edit_request == nullptr) continue;
    stage.transformer->edit_request({format_, model_, stage.options, notes}, &parsed->get_object());
  }
  return ToJson(*parsed);
}

void TransformerChain::EditResponse(json::object* body, Notes* notes) const {
  for (auto stage = stages_.rbegin(); stage != stages_.rend(); ++stage) {
    if (stage->transformer->edit_response == nullptr) continue;
    stage->transformer->edit_response({format_, model_, stage->options, notes}, body);
  }
}

std::vector<std::unique_ptr<ChunkEdit>> TransformerChain::StreamEdits() const {
  std::vector<std::unique_ptr<ChunkEdit>> edits;
  for (auto stage = stages_.rbegin(); stage != stages_.rend(); ++stage) {
    if (stage->transformer->edit_stream != nullptr) edits.push_back(stage->transformer->edit_stream());
  }
  return edits;
}

absl::StatusOr<TranslatedRequest> EditedTranslation::Request(std::string_view body, std::string_view model,
                                                             Notes* notes) const {
  TranslatedRequest request;
  for (const std::string_view name : chain_.left_out()) {
    AddNote(notes, absl::StrCat("transformer ", ToAbsl(name), ": of no effect on the provider's format"));
  }
  if (inner_ != nullptr) {
    absl::StatusOr<TranslatedRequest> translated = inner_->Request(body, model, notes);
    if (!translated.ok()) return translated.status();
    request = *std::move(translated);
    if (!request.body.empty()) body = request.body;
  }
  if (!chain_.EditsRequests()) return request;
  absl::StatusOr<std::string> edited = chain_.EditRequest(body, notes);
  if (!edited.ok()) return edited.status();
  request.body = *std::move(edited);
  return request;
}

absl::StatusOr<std::string> EditedTranslation::Response(std::string_view body, Notes* notes) const {
  const absl::StatusOr<std::string> edited = EditResponse(body, notes);
  return inner_ == nullptr || !edited.ok() ? edited : inner_->Response(*edited, notes);
}

absl::StatusOr<std::string> EditedTranslation::ResponseAsStream(std::string_view body, Notes* notes) const {
  const absl::StatusOr<std::string> edited = EditResponse(body, notes);
  if (inner_ == nullptr) return absl::UnimplementedError("a whole answer cannot be given as a stream");
  return edited.ok() ? inner_->ResponseAsStream(*edited, notes) : edited;
}

// In the provider's format: a document, or a whole stream.
absl::StatusOr<std::string> EditedTranslation::EditResponse(std::string_view body, Notes* notes) const {
  if (!EditsAnswers()) return std::string(body);
  if (FormOf(body) == BodyForm::kEvents) {
    std::string stream;
    EditedStream edits(Edits(), nullptr);
    edits.Feed(body, &stream);
    edits.Finish(false, &stream);
    return stream;
  }
  std::string edited(body);
  absl::StatusOr<json::value> parsed = ParseJson(body);
  if (absl::IsResourceExhausted(parsed.status())) {
    return absl::InternalError(absl::StrCat("the upstream's answer is ", parsed.status().message()));
  }
  if (parsed.ok() && parsed->is_object()) {
    json::object& answer = parsed->get_object();
    chain_.EditResponse(&answer, notes);
    RestoreToolNames(names_, &answer);
    edited = ToJson(*parsed);
  }
  return edited;
}

std::string EditedTranslation::Error(int status, std::string_view body) const {
  return inner_ == nullptr ? std::string(body) : inner_->Error(status, body);
}

int EditedTranslation::ErrorStatus(int status, std::string_view body) const {
  return inner_ == nullptr ? status : inner_->ErrorStatus(status, body);
}

std::vector<std::unique_ptr<ChunkEdit>> EditedTranslation::Edits() const {
  std::vector<std::unique_ptr<ChunkEdit>> edits = chain_.StreamEdits();
  if (!names_.empty()) edits.push_back(MakeToolNameEdit(names_));
  return edits;
}

std::unique_ptr<StreamTranslator> EditedTranslation::Stream(std::string_view model,
                                                            const StreamOptions& options) const {
  std::unique_ptr<StreamTranslator> inner = inner_ == nullptr ? nullptr : inner_->Stream(model, options);
  std::vector<std::unique_ptr<ChunkEdit>> edits = Edits();
  if (edits.empty() && inner != nullptr) return inner;
  return std::make_unique<EditedStream>(std::move(edits), std::move(inner));
}

}  // namespace ccr::proxy
