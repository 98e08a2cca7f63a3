// What the Router's rules ask of a request besides its model.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/core/json/scan.h"
#include "proxy/core/routing_table.h"

namespace ccr::proxy {

// <CCR-SUBAGENT-MODEL>model</CCR-SUBAGENT-MODEL>, by which a prompt says which model is to answer it.
struct SubagentTag {
  std::string model;  // escapes resolved, spaces around it removed; not empty
  // The tag's bytes in the body. Without them it is the same JSON but for the tag.
  size_t begin = 0;
  size_t end = 0;
};

inline constexpr uint64_t kMaxOutputEstimate = 4096;

// The estimate of a body that is not read: a quarter of its bytes, but kMaxUnreadEstimate at most, as much of it may be
// pictures.
inline constexpr uint64_t kMaxUnreadEstimate = 128 * 1024;
uint64_t EstimateUnread(std::string_view body);

struct RequestFacts {
  // What a provider's rules may have something against.
  struct Asks {
    bool late_system = false;  // a system text behind anything but the first message
    bool developer = false;    // a message of that role
    bool tools = false;
    bool forced_tool = false;  // a tool_choice that is an object, "required" or "any"
    bool sampling = false;     // temperature, top_p or top_k at the top
    bool thinking = false;     // thinking, reasoning or reasoning_effort, whatever they say
    uint64_t max_output = 0;
  };

  // System, messages and tools, about (token_estimate.h). An image counts 1500, a document of base64 a 32nd of its
  // bytes but at least 1500, each message 3 for its frame. Thinking of earlier turns counts nothing: providers drop it.
  // 0 when not asked for.
  uint64_t tokens = 0;
  // What limits in tokens are held against until the answer tells better: `tokens`, or when those were not asked for a
  // quarter of the bytes of the same texts, and of the output the max_tokens (max_completion_tokens) that is asked for,
  // but kMaxOutputEstimate at most: answers are far shorter than what they may be.
  uint64_t estimate = 0;
  // "thinking" with a type other than "disabled" ("adaptive" is one), a "reasoning_effort" or "reasoning"."effort" other
  // than "none" and "minimal", or a "thinkingConfig" with a level or a budget other than 0.
  bool thinking = false;
  // A tool whose type begins with "web_search", "web_search_options", or a tool "googleSearch".
  bool web_search = false;
  // The last message of role "user" has an image, at its top or in a tool's result.
  bool image = false;
  // Of the system prompt, else of the first two messages of role "user": the first text (a string, or the text of any
  // block, as clients put reminders into blocks of their own before the prompt) that begins with a tag. At most 256
  // bytes of model.
  std::optional<SubagentTag> subagent;
  Asks asks;
  // BodyScan's. A caller that has the header x-claude-code-session-id puts that here instead.
  std::string session;
};

// Reads a body of Anthropic Messages, Chat Completions, Responses or Gemini's generateContent, told apart by nothing: the
// members of each count.
// Of members that come twice the last counts. `scan` is of this body and valid.
//
// One pass, a tree is not built, and what lies under other members is passed over. On a shared 2-core Xeon of 2023, in
// milliseconds:          ScanBody   with count_tokens   without
//   80 KB of text           0.03          0.08            0.02
//   10 MB of text           3.3          18               2.6
//   10 MB of an image       0.6           0.6             0.7
RequestFacts ReadFacts(std::string_view body, const BodyScan& scan, bool count_tokens);

// `pieces` of `body` (SpliceModel's) without the tag.
std::vector<std::string_view> CutTag(std::string_view body, const std::vector<std::string_view>& pieces,
                                     const SubagentTag& tag);

// The answer of /v1/messages/count_tokens, or Gemini's :countTokens, for a provider that has none of its own.
std::string CountTokensAnswer(Format client, uint64_t tokens);

}  // namespace ccr::proxy
