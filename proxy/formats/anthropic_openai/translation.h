// Anthropic Messages clients in front of OpenAI Chat Completions upstreams.
// What the target cannot express is dropped or adapted, with a note in the debug log:
//
// clang-format off
// | Anthropic request               | OpenAI request                                                                 |
// |---------------------------------|--------------------------------------------------------------------------------|
// | system, text or blocks          | one leading system message; role "system" later on stays in its place          |
// | system "x-anthropic-billing-header: ..." | dropped: it changes each time and spoils the upstream's prompt cache  |
// | messages of one role in a row   | one turn, as Anthropic reads them                                              |
// | text blocks                     | one text, apart by a blank line; parts where images or files stand among them  |
// | tool_result                     | role "tool", before the user's text; an error begins with "Error: "            |
// | image, PDF in a tool_result     | in the user message behind the tool messages, named by its tool call           |
// | a tool_use without its result   | gets one: "Error: no result"                                                   |
// | a tool_result of no tool_use    | text of the user                                                               |
// | image                           | image_url (base64, url); by file id "[image omitted]"                          |
// | document                        | text and content inlined in <document>; base64 a file part; url its address;   |
// |                                 | by file id "[document omitted]"                                                |
// | search_result                   | its text in <document>                                                         |
// | tool_reference                  | text: "Tool available: " and its name                                          |
// | tool_use                        | tool_calls; a Gemini signature in the id is cut off (gemini_call_id.h)         |
// | thinking, redacted_thinking     | dropped; thinking as reasoning_content with keep_reasoning                     |
// | other blocks, server tools'     | dropped                                                                        |
// | tools                           | functions; those with a type of their own (server tools, bash_...) dropped     |
// | tools.defer_loading             | the tool is left out until a tool_reference names it; there at once where only  |
// |                                 | a server tool could search it                                                  |
// | names of tools beyond 64 bytes  | their beginning and a hash; restored in answers                                |
// | tools.strict                    | dropped: OpenAI's takes fewer schemas                                          |
// | tool_choice auto/any/none/tool  | auto/required/none/the function; auto where that tool was dropped              |
// | disable_parallel_tool_use       | parallel_tool_calls: false                                                     |
// | output_config.effort            | reasoning_effort; xhigh and max become high                                    |
// | thinking enabled                | reasoning_effort: budget up to 1024 low, up to 8192 medium, else high          |
// | thinking adaptive               | reasoning_effort medium; both give way to output_config.effort                 |
// | output_config.format, output_format | response_format, not strict                                                |
// | stop_sequences                  | stop, the first four                                                           |
// | metadata.user_id                | user, its first 64 bytes                                                       |
// | max_tokens, temperature, top_p  | as they are                                                                    |
// | stream                          | stream, stream_options.include_usage                                           |
// | cache_control                   | dropped; with keep_cache_control kept on content                               |
// | top_k and all others            | dropped                                                                        |
//
// | OpenAI response                 | Anthropic response                                                             |
// |---------------------------------|--------------------------------------------------------------------------------|
// | reasoning_content, reasoning    | a thinking block with an empty signature                                       |
// | finish_reason stop              | end_turn; tool_use behind a tool call; stop_sequence where it is named (vLLM)  |
// | length, model_length (Mistral)  | max_tokens                                                                     |
// | content_filter                  | refusal                                                                        |
// | error, insufficient_system_resource, an error in the choice | an error, with its wording                         |
// | tool_calls, function_call       | tool_use; a missing id is made up, a missing name is an error                  |
// | id of the answer and its calls  | with a mark that makes it unique; the mark is taken off again in requests      |
// | refusal                         | its text, and stop_reason refusal                                              |
// | usage                           | input_tokens = prompt - cached; cache_read_input_tokens = cached               |
// | arguments that are no object    | {"raw_arguments": text}; a stream passes them as they come                     |
// | choices behind the first        | dropped                                                                        |
// | audio, annotations, all others  | dropped                                                                        |
// clang-format on
#pragma once

#include <memory>

#include "proxy/formats/translation.h"

namespace ccr::proxy {

struct AnthropicToOpenAiOptions {
  bool keep_reasoning = false;      // thinking of earlier turns goes up as reasoning_content
  bool keep_cache_control = false;  // for upstreams that read Anthropic's cache marks in OpenAI's format
  // For a translation to Gemini behind this one: top_k and Gemini's signatures in the ids of calls (gemini_call_id.h)
  // are kept, and a web_search tool becomes web_search_options.
  bool for_gemini = false;
};

std::unique_ptr<Translation> MakeAnthropicToOpenAi(AnthropicToOpenAiOptions options = {});

}  // namespace ccr::proxy
