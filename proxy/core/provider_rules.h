// What one provider takes of a request for one model, as data: the broker's table by host, model and transformer, with
// what the configuration says over it. Each rule's default is what a provider of which nothing is known takes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ccr::proxy {

struct ProviderRules {
  // Where system text may stand. kFirst: in front only, in one message; text later on is folded into the user's at its
  // place, marked. What a format itself cannot say (Anthropic, Gemini: kFirst) holds whatever this says.
  enum class System { kAnywhere, kFirst };
  // Which thinking of the history goes back (Chat Completions: reasoning_content). kTurn: of the turn under way, which
  // begins with the last text of the user that does not stand beside a result of a tool.
  enum class History { kNone, kTurn, kAll };
  // A forced tool choice while the model thinks: kept, made auto, or thinking is turned off.
  enum class Forced { kKeep, kAuto, kThinkingOff };
  // How thinking is asked for. Chat Completions: reasoning_effort, or left out where the model does not reason (kNone),
  // or a `thinking` object (DeepSeek, GLM, Kimi), or enable_thinking (Qwen). Anthropic: budget or adaptive.
  enum class Thinking { kDefault, kNone, kEffort, kObject, kEnable, kBudget, kAdaptive };

  // Chat Completions: the name that the bound of the answer goes by, kDefault: the client's own, else max_tokens.
  enum class MaxTokens { kDefault, kMaxTokens, kMaxCompletionTokens };

  // Identifiers of calls. kShort: nine letters and digits.
  enum class CallIds { kDefault, kShort };

  System system = System::kFirst;
  bool developer = false;       // knows the role; else it becomes system
  bool user_after_tool = true;  // false: the user's text beside results goes into the last of them
  bool alternate = false;       // user and assistant in turns: equal roles in a row become one message
  CallIds call_ids = CallIds::kDefault;
  History reasoning = History::kNone;
  bool reasoning_with_calls = false;  // an assistant's message with calls has the member even when it is empty
  Forced forced = Forced::kKeep;
  Thinking thinking = Thinking::kDefault;
  std::vector<std::string> efforts;  // those it takes, weakest first; another becomes the nearest. Empty: as it comes
  bool sampling = true;              // temperature, top_p, top_k
  bool cache_control = false;        // reads Anthropic's cache marks in Chat Completions' format
  bool schema_combinators = true;    // anyOf, oneOf, allOf at the top of a tool's schema
  bool schema_items = true;          // false: an array without items is refused, gets items: {}
  bool schema_refs = true;           // $ref and $defs; false: resolved
  bool responses = false;            // a Chat Completions provider that serves Responses at the sibling URL as well
  bool think_tags = true;            // <think>...</think> at the beginning of an answer's text is thinking
  MaxTokens max_tokens = MaxTokens::kDefault;
  uint64_t max_output = 0;        // max_tokens at most; 0: no bound
  std::vector<std::string> drop;  // members at the top of the body, by the provider's own names

  bool operator==(const ProviderRules&) const = default;
};

}  // namespace ccr::proxy
