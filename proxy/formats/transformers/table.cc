#include "proxy/formats/transformers/table.h"

namespace ccr::proxy {

const Transformer* FindTransformer(std::string_view name) {
  for (const Transformer* const transformer :
       {&kCerebras, &kCleanCache, &kCustomParams, &kDeepseek, &kEnhanceTool, &kForceReasoning, &kGroq,
        &kMaxCompletionTokens, &kMaxToken, &kOpenRouter, &kReasoning, &kSampling, &kStreamOptions, &kToolUse}) {
    if (transformer->name == name) return transformer;
  }
  return nullptr;
}

}  // namespace ccr::proxy
