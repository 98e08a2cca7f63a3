// OpenAI Chat Completions clients in front of Gemini's generateContent; with chained.h Anthropic's clients too.
//
// What the target cannot express is dropped or adapted, with a note:
// clang-format off
// | OpenAI request                             | Gemini request                                                      |
// |--------------------------------------------|---------------------------------------------------------------------|
// | model, stream                              | in the URL: {base}{model}:generateContent, or                       |
// |                                            | :streamGenerateContent?alt=sse                                      |
// | system, developer: leading                 | systemInstruction                                                   |
// | system, developer: later on                | in its place, as the user's text in <system>...</system>            |
// | user, assistant                            | contents of role user, model; those of one role in a row are one    |
// | no user in front, no message of any use    | the user's "Continue."                                              |
// | empty texts                                | dropped: Gemini refuses them                                        |
// | image_url, file with data:                 | inlineData: PNG, JPEG, WebP, HEIC, PDF, text, audio and video       |
// | image_url, file_id with http(s):           | fileData; mimeType by the ending of the path                        |
// | input_audio                                | inlineData                                                          |
// | other media, media of system and assistant | the text "[image omitted]", "[file omitted]", ...                   |
// | tool_calls, function_call                  | functionCall; a thoughtSignature from the id (gemini_call_id.h), or |
// |                                            | from extra_content.google.thought_signature as Google's own         |
// |                                            | OpenAI endpoint writes it                                           |
// | a call that never had a signature          | in the turn under way, for Gemini 3 and later: the value that       |
// |                                            | Google documents for calls of other models                          |
// | arguments that are no JSON object          | args {"raw_arguments": text}                                        |
// | role tool, function                        | functionResponse {"output": text}, in the order of the calls; the   |
// |                                            | user's text when it answers no open call; media behind them         |
// | a call without a result                    | functionResponse {"error": "no result"}                             |
// | reasoning_content, name, audio             | dropped                                                             |
// | tools, functions                           | functionDeclarations; parameters as gemini_schema.h says. Dropped:  |
// |                                            | strict, custom tools, a second one of a name                        |
// | names that are not                         | valid ones with a hash (tool_names.h); restored in answers          |
// | [A-Za-z_][A-Za-z0-9_.:-]{0,63}             |                                                                     |
// | tool_choice auto, none, required, function | functionCallingConfig AUTO, NONE, ANY, ANY with                     |
// |                                            | allowedFunctionNames; allowed_tools narrow only what is required    |
// | web_search_options                         | googleSearch; dropped beside functions, Gemini refuses both at once |
// | max_completion_tokens, max_tokens          | maxOutputTokens                                                     |
// | temperature, top_p, top_k                  | the same, within 0..2, 0..1, 1..64                                  |
// | stop                                       | stopSequences, the first five without empty ones                    |
// | seed                                       | seed, where it has 32 bits                                          |
// | reasoning_effort                           | thinkingConfig with includeThoughts. Gemini 2.5: thinkingBudget,    |
// |                                            | none 0 (Pro 128), minimal and low 1024, medium 8192, else 24576.    |
// |                                            | Later: thinkingLevel minimal, low, medium, high; Pro has no minimal,|
// |                                            | 3 Pro no medium (high). Earlier models: dropped                     |
// | response_format json_object, json_schema   | responseMimeType, responseSchema; dropped beside tools              |
// | n, logprobs, penalties, logit_bias, user,  | dropped                                                             |
// | parallel_tool_calls, every other member    |                                                                     |
//
// | Gemini response                            | OpenAI response                                                     |
// |--------------------------------------------|---------------------------------------------------------------------|
// | text parts                                 | content, joined; null when there are calls only                     |
// | thought parts                              | reasoning_content                                                   |
// | functionCall, thoughtSignature, id         | tool_calls; the id carries the two (gemini_call_id.h)               |
// | thoughtSignature of a text                 | dropped: Gemini recommends it, but does not ask for it              |
// | inlineData, code, groundingMetadata        | dropped                                                             |
// | STOP                                       | stop; tool_calls behind a call                                      |
// | MAX_TOKENS                                 | length                                                              |
// | SAFETY, RECITATION, LANGUAGE, BLOCKLIST,   | content_filter; without content finishMessage is the refusal        |
// | PROHIBITED_CONTENT, SPII, IMAGE_SAFETY     |                                                                     |
// | MALFORMED_FUNCTION_CALL, OTHER, ...        | stop; without content finishMessage is the text                     |
// | promptFeedback.blockReason                 | content_filter and a refusal                                        |
// | promptTokenCount, toolUsePromptTokenCount  | prompt_tokens is their sum                                          |
// | cachedContentTokenCount                    | cached_tokens                                                       |
// | candidatesTokenCount, thoughtsTokenCount   | completion_tokens is their sum; reasoning_tokens                    |
// | candidates behind the first                | dropped                                                             |
// | error, as body or event, in a list or not  | message kept; type and code by the status                           |
// clang-format on
//
// Source: ai.google.dev/api/generate-content, /gemini-api/docs/thinking, /docs/openai (what an effort stands for),
// /docs/function-calling, /docs/file-input-methods; the google-genai SDKs' types.
#pragma once

#include <memory>

#include "proxy/formats/translation.h"

namespace ccr::proxy {

// Without a clock "created" is 0.
std::unique_ptr<Translation> MakeOpenAiToGemini(UnixSeconds now = nullptr);

// The same for clients of Anthropic's format, by way of OpenAI's: anthropic_openai.h says what becomes of the request
// first. Beyond it top_k is kept, and web_search tools become web_search_options.
std::unique_ptr<Translation> MakeAnthropicToGemini();

}  // namespace ccr::proxy
