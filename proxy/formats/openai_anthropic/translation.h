// OpenAI Chat Completions clients in front of Anthropic Messages upstreams.
//
// What the target cannot express is dropped or adapted, with a note:
// clang-format off
// | OpenAI request                             | Anthropic request                                                   |
// |--------------------------------------------|---------------------------------------------------------------------|
// | system, developer: leading                 | system blocks                                                       |
// | system, developer: later on                | in its place, as the user's text in <system>...</system>            |
// | messages of the same role in a row         | one message; tool results first, then the rest in its order         |
// | no user in front; an empty user message    | the user's "Continue."                                              |
// | blank texts, empty assistant messages      | dropped: Anthropic refuses them                                     |
// | image_url with data:, with http(s):        | image, source base64 or url; detail dropped. PDF data: a document   |
// | image_url of another type or scheme        | the text "[image omitted]"                                          |
// | images, files of system, assistant         | the text "[image omitted]", "[document omitted]"                    |
// | file: PDF, text                            | document, source base64 or text; title from filename                |
// | file by file_id or of another type         | the text "[file omitted]"                                           |
// | input_audio, unknown parts                 | the text "[audio omitted]", "[content part omitted]"                |
// | cache_control on parts, messages and tools | kept: clients of Anthropic's models write it in OpenAI's format too |
// | tool_calls, function_call                  | tool_use; ids made valid and unique                                 |
// | arguments that are no JSON object          | input {"raw_arguments": text}                                       |
// | role tool, function                        | tool_result; the user's text when it answers no open call           |
// | a call without a result                    | gets a tool_result that is an error and says so                     |
// | reasoning_content of earlier turns         | dropped: thinking needs a signature, OpenAI's format has none       |
// | name, audio of a message                   | dropped                                                             |
// | white space that ends a last assistant     | dropped: Anthropic refuses it                                       |
// | tools, functions                           | tools with input_schema; dropped: strict, custom tools, a second one|
// |                                            | of a name. Tools of the history alone are declared, with choice none|
// | tool_choice auto, none, required, function | auto, none, any, tool; allowed_tools by its mode; others dropped    |
// | parallel_tool_calls: false                 | tool_choice.disable_parallel_tool_use                               |
// | max_completion_tokens, max_tokens          | max_tokens; 4096 when missing                                       |
// | temperature                                | within 0..1                                                         |
// | temperature and top_p together             | newer Claude takes one: top_p when temperature is 1, else the other |
// | stop                                       | stop_sequences, without blank ones                                  |
// | user                                       | metadata.user_id, its first 256 bytes                               |
// | reasoning_effort                           | thinking with budget_tokens: minimal and low 1024, medium 8192, high|
// |                                            | and xhigh 24576; max_tokens at least budget + min(max_tokens, 4096);|
// |                                            | temperature and top_p dropped                                       |
// | reasoning_effort with a forced tool, after | dropped: Anthropic refuses thinking there                           |
// | tool results or a last assistant message   |                                                                     |
// | response_format json_object, json_schema   | an instruction in system                                            |
// | n, logprobs, seed, penalties, logit_bias,  | dropped                                                             |
// | every other member                         |                                                                     |
//
// | Anthropic response                         | OpenAI response                                                     |
// |--------------------------------------------|---------------------------------------------------------------------|
// | text blocks                                | content, joined; null when there are tool calls only                |
// | tool_use                                   | tool_calls, for clients that sent `functions` too; a missing or     |
// |                                            | repeated id is made up, a missing name is an error                  |
// | thinking                                   | reasoning_content; the signature dropped                            |
// | redacted_thinking, citations, server tools | dropped                                                             |
// | end_turn, stop_sequence, pause_turn        | stop                                                                |
// | max_tokens, model_context_window_exceeded  | length                                                              |
// | tool_use; refusal                          | tool_calls; content_filter                                          |
// | unknown or no stop_reason                  | tool_calls with tool calls, else stop                               |
// | input, cache_read, cache_creation tokens   | prompt_tokens is their sum, cached_tokens is cache_read             |
// | ping, unknown events                       | dropped                                                             |
// | error, as body or event                    | message and type kept; code in OpenAI's words where it has one      |
// clang-format on
#pragma once

#include <memory>

#include "proxy/formats/translation.h"

namespace ccr::proxy {

// Without a clock "created" is 0.
std::unique_ptr<Translation> MakeOpenAiToAnthropic(UnixSeconds now = nullptr);

}  // namespace ccr::proxy
