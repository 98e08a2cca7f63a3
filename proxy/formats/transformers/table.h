// Every transformer, each defined in the file of its name.
#pragma once

#include "proxy/formats/transformers/transformer.h"

namespace ccr::proxy {

extern const Transformer kCerebras;
extern const Transformer kCleanCache;
extern const Transformer kCustomParams;
extern const Transformer kDeepseek;
extern const Transformer kEnhanceTool;
extern const Transformer kForceReasoning;
extern const Transformer kGroq;
extern const Transformer kMaxCompletionTokens;
extern const Transformer kMaxToken;
extern const Transformer kOpenRouter;
extern const Transformer kReasoning;
extern const Transformer kSampling;
extern const Transformer kStreamOptions;
extern const Transformer kToolUse;

}  // namespace ccr::proxy
