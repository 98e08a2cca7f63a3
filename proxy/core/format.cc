#include "proxy/core/format.h"

namespace ccr::proxy {

Format ClientFormat(Endpoint endpoint) {
  switch (endpoint) {
    case Endpoint::kMessages:
    case Endpoint::kCountTokens:
      return Format::kAnthropic;
    case Endpoint::kResponses:
      return Format::kResponses;
    case Endpoint::kGenerate:
    case Endpoint::kStreamGenerate:
    case Endpoint::kGeminiCount:
    case Endpoint::kGeminiModels:
    case Endpoint::kGeminiModel:
      return Format::kGemini;
    default:
      return Format::kChat;
  }
}

bool SameFormat(Endpoint endpoint, Format provider) {
  if (endpoint == Endpoint::kPassthrough) return true;
  // Both of OpenAI's APIs stand beside its embeddings.
  if (endpoint == Endpoint::kEmbeddings) return provider == Format::kChat || provider == Format::kResponses;
  return ClientFormat(endpoint) == provider;
}

}  // namespace ccr::proxy
