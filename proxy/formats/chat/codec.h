// OpenAI's Chat Completions, as clients send it and as providers take it.
//
// Requests. What has no place in the model is kept in `own` and written back where the request was of this format.
// clang-format off
// | Chat Completions                            | ModelRequest                                                         |
// |---------------------------------------------|----------------------------------------------------------------------|
// | system, developer, user, assistant          | messages; "name" and the like are kept in own                        |
// | tool, function in a row                     | one message of results                                               |
// | content, a text or parts                    | parts; own remembers that it was a list                              |
// | image_url, file, input_audio                | media; the part itself in own. Of no known kind: a mark "[... omitted]" |
// | reasoning_content, reasoning                | thinking in front                                                    |
// | reasoning_details                           | state of the thinking; packed state of other formats (below) unpacked|
// | tool_calls, function_call                   | calls; what the id carries and extra_content are their state         |
// | tools, functions, web_search_options        | tools                                                                |
// | tool_choice, function_call, parallel_tool_calls | tool choice                                                      |
// | reasoning_effort, reasoning, thinking, enable_thinking | reasoning; "none" is off                                  |
// | max_completion_tokens, max_tokens           | max_tokens; own remembers the first                                  |
//
// | ModelRequest, of another format             | Chat Completions                                                     |
// |---------------------------------------------|----------------------------------------------------------------------|
// | texts                                       | one text, apart by a blank line (an assistant's in a row: joined);   |
// |                                             | parts where media or cache marks stand among them                    |
// | media of the user                           | image_url, file, input_audio; text documents in <document>; "[image  |
// |                                             | omitted]", ... of files kept elsewhere and what OpenAI does not read |
// | results of tools                            | role tool, an error begins with "Error: "; media in the user's       |
// |                                             | message behind                                                       |
// | ids of calls                                | without what they carry                                              |
// | thinking                                    | reasoning_content, of every thinking part that Fit() left            |
// | custom tools                                | functions that take {"input": text}: few providers know custom ones  |
// | allowed tools                               | only those are sent                                                  |
// | names of tools above 64 bytes               | shortened (tool_names.h)                                             |
// | stop                                        | the first four                                                       |
// | user                                        | its first 64 bytes                                                   |
// | top_k, cache key, the provider's own tools  | dropped: strict servers refuse them                                  |
//
// | Chat Completions answer                     | ModelAnswer                                                          |
// |---------------------------------------------|----------------------------------------------------------------------|
// | reasoning_content, reasoning, content, refusal, tool_calls, function_call | parts in this order                    |
// | images (OpenRouter)                         | media                                                                |
// | reasoning_details, extra_content            | state of the thinking, of the call                                   |
// | finish_reason of any vendor                 | the cause; error, insufficient_system_resource: an error             |
// | usage, also of a choice or x_groq           | usage                                                                |
//
// A client reads of a refusal "content_filter", or "stop" where it is in the model's own words, for then it is whole.
//
// A client gets the state of thinking as reasoning_details: those of this format as they are, all others packed in
// {"type":"reasoning.encrypted","data":"ccr1_...","id":"ccr_AT_BYTES_HASH"}, whose id says which piece of
// reasoning_content it belongs to; state of a call is in its id, extra_content in its place.
// clang-format on
//
// Source: platform.openai.com/docs/api-reference/chat, openrouter.ai/docs/use-cases/reasoning-tokens.
#pragma once

#include "proxy/formats/conversation/format.h"

namespace ccr::proxy::chat {

const FormatCodec& Codec();

}  // namespace ccr::proxy::chat
