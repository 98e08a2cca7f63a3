#include <array>
#include <string>

#include "proxy/formats/transformers/body_edits.h"
#include "proxy/formats/transformers/table.h"

namespace ccr::proxy {
namespace {

struct Sampler {
  std::string_view option;  // and its name in OpenAI's format
  std::string_view anthropic;
  std::string_view gemini;
};

// Empty where the format has no such thing.
constexpr std::array<Sampler, 4> kSamplers = {{{"temperature", "temperature", "temperature"},
                                               {"top_p", "top_p", "topP"},
                                               {"top_k", "top_k", "topK"},
                                               {"repetition_penalty", "", ""}}};

std::string_view NameIn(Format format, const Sampler& sampler) {
  if (format == Format::kAnthropic) return sampler.anthropic;
  return format == Format::kGemini ? sampler.gemini : sampler.option;
}

void SetSamplers(const EditContext& context, json::object* holder) {
  for (const Sampler& sampler : kSamplers) {
    const json::value* value = Find(context.options, sampler.option);
    if (value == nullptr) continue;
    const std::string_view name = NameIn(context.format, sampler);
    if (name.empty()) {
      AddNote(context.notes, std::string(sampler.option) + ": not known to the provider's format, left out");
    } else {
      (*holder)[name] = *value;
    }
  }
}

void EditSamplingRequest(const EditContext& context, json::object* body) {
  json::object* holder = body;
  if (context.format == Format::kGemini) {
    json::value& config = (*body)["generationConfig"];
    if (!config.is_object()) config = json::object();
    holder = &config.get_object();
  }
  if (const auto max = static_cast<int64_t>(FindUint(context.options, "max_tokens")); max > 0) {
    for (const std::string_view limit : {"max_tokens", "max_completion_tokens", "maxOutputTokens"}) {
      Cap(context, limit, max, holder);
    }
  }
  SetSamplers(context, holder);
}

}  // namespace

const Transformer kSampling = {
    .name = "sampling", .edits_anthropic = true, .edits_gemini = true, .edit_request = EditSamplingRequest};

}  // namespace ccr::proxy
