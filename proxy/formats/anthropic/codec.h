// Anthropic's Messages API: requests, answers, streams and errors, as clients send and providers answer them.
// Source: docs.anthropic.com/en/api/messages, /messages-streaming, /errors; what clients really send: the tests.
//
// clang-format off
// | Anthropic                               | conversation                                                               |
// |-----------------------------------------|----------------------------------------------------------------------------|
// | system, text or blocks                  | a kSystem message in front; "x-anthropic-billing-header: ..." is dropped   |
// | role "system" among the messages        | kSystem in its place                                                       |
// | tool_result                             | a kTool message in front of the rest of its message, which `continues` it  |
// | image, document                         | kMedia. A document that no kMedia holds (context, blocks as content): whole|
// |                                         | as kOther with its text, and its pictures behind it as kMedia              |
// | search_result, tool_reference           | kOther with its text, tool_reference with the tool's name                  |
// | thinking, redacted_thinking             | kThinking with kAnthropicSignature, kAnthropicRedacted, or the states that |
// |                                         | were packed into the signature                                             |
// | tool_use, its id                        | kToolCall; the id without state (state.h) and mark (answer_id.h)           |
// | other blocks, server tools'             | kOther                                                                     |
// | tools: "custom" or without a type       | kFunction; web_search_...: kWebSearch; all other types: kOther             |
// | defer_loading, strict                   | Tool::deferred; own, for OpenAI's strict takes fewer schemas               |
// | disable_parallel_tool_use: true         | ToolChoice::parallel: false                                                |
// | thinking enabled, adaptive, disabled    | kBudget, kAdaptive, kOff; display is own                                   |
// | output_config.effort                    | Reasoning::effort                                                          |
// | output_config.format, output_format     | kJsonSchema                                                                |
// | metadata.user_id, stop_sequences        | user, stop                                                                 |
// | every other member                      | own                                                                        |
//
// | conversation of another format          | Anthropic request                                                          |
// |-----------------------------------------|----------------------------------------------------------------------------|
// | blank texts, empty assistant messages   | left out: Anthropic refuses them. An empty message of the user: "Continue."|
// | kMedia it takes no such of              | the text "[image omitted]", "[file omitted]", "[audio omitted]", ...       |
// | ids and names of tools                  | made valid, [a-zA-Z0-9_-]+, ids unique too; names by a hash (tool_names.h) |
// | arguments that are no object            | input {"raw_arguments": text}; of a custom tool {"input": text}            |
// | kThinking without state of Anthropic's  | left out: thinking needs a signature; an empty one for clients of          |
// |                                         | Anthropic's format, where Fit() left it for a provider that takes it       |
// | white space that ends a last assistant  | left out: Anthropic refuses it                                             |
// | tools                                   | a schema is an object; a second one of a name is left out. Those of the    |
// |                                         | history alone are declared, with choice none                               |
// | max_tokens                              | 4096 when missing, with adaptive thinking max_output of the rules or 32000;|
// |                                         | budget + min(max_tokens, 4096) when not above the budget                   |
// | temperature                             | within 0..1; with top_p newer Claude takes one of them; none with thinking |
// | include_text, with adaptive thinking    | display "summarized": newer Claude omits the text unless told              |
// | kJson, kJsonSchema                      | an instruction in system                                                   |
// | user                                    | metadata.user_id, its first 256 bytes                                      |
//
// | conversation                            | Anthropic answer                                                           |
// |-----------------------------------------|----------------------------------------------------------------------------|
// | kThinking                               | thinking; the signature is Anthropic's, other state packed, or empty       |
// | kRefusal                                | text, with stop_reason refusal                                             |
// | kToolCall                               | tool_use; its id is marked as unique and carries its state                 |
// | kMedia                                  | the text "[image omitted]", ...                                            |
// | kOther of other formats                 | its text, if it has one                                                    |
// | usage                                   | input_tokens are those neither read from nor written to a cache            |
// | kContext                                | in the words that Claude Code acts on (errors.h)                           |
// clang-format on
#pragma once

#include "proxy/formats/conversation/format.h"

namespace ccr::proxy::anthropic {

const FormatCodec& Codec();

}  // namespace ccr::proxy::anthropic
