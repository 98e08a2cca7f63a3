// Google's generateContent and streamGenerateContent, both sides.
//
// Requests that are written. What a client of Gemini's sent goes as it came, but for what contents must hold to;
// what others sent is brought to what Gemini takes, with a note where something is lost:
// clang-format off
// | conversation                               | Gemini request                                                      |
// |--------------------------------------------|---------------------------------------------------------------------|
// | model, stream                              | in the URL: {base}{model}:generateContent, or                       |
// |                                            | :streamGenerateContent?alt=sse                                      |
// | system text in front                       | systemInstruction                                                   |
// | system text later on                       | in its place, as the user's text in <system>...</system>            |
// | user, assistant                            | contents of role user, model; those of one role in a row are one    |
// | no user in front, no message of any use    | the user's "Continue."                                              |
// | empty texts                                | dropped: Gemini refuses them                                        |
// | media in base64                            | inlineData: PNG, JPEG, WebP, HEIC, PDF, text, audio and video       |
// | media behind http(s):                      | fileData; mimeType by the ending of the path                        |
// | documents that are text                    | text                                                                |
// | other media, media of system and assistant | the text "[image omitted]", "[file omitted]", ...                   |
// | calls                                      | functionCall; of custom tools with args {"input": text}             |
// | a call that never had a signature          | in the turn under way, for Gemini 3 and later: the value that       |
// |                                            | Google documents for calls of other models                          |
// | arguments that are no JSON object          | args {"raw_arguments": text}                                        |
// | results                                    | functionResponse {"output": text} or {"error": text}; their media   |
// |                                            | in a content behind them                                            |
// | a signature of Gemini's (signature.h)      | thoughtSignature of the part it came with                           |
// | thinking without one                       | dropped                                                             |
// | tools                                      | functionDeclarations; parameters as schema.h says. Dropped: strict, |
// |                                            | tools of the provider's own, a second one of a name                 |
// | names that are not                         | valid ones with a hash (tool_names.h); restored in answers          |
// | [A-Za-z_][A-Za-z0-9_.:-]{0,63}             |                                                                     |
// | tool choice auto, none, any, a tool        | functionCallingConfig AUTO, NONE, ANY, ANY with                     |
// |                                            | allowedFunctionNames                                                |
// | web search                                 | googleSearch; dropped beside functions, Gemini refuses both at once |
// | max_tokens                                 | maxOutputTokens                                                     |
// | temperature, top_p, top_k                  | the same, within 0..2, 0..1, 1..64                                  |
// | stop                                       | stopSequences, the first five without empty ones                    |
// | seed                                       | seed, where it has 32 bits                                          |
// | penalties                                  | dropped: most models refuse them                                    |
// | reasoning                                  | thinkingConfig with includeThoughts. Gemini 2.5: thinkingBudget,    |
// |                                            | off 0 (Pro 128), minimal and low 1024, medium 8192, else 24576.     |
// |                                            | Later: thinkingLevel minimal, low, medium, high; Pro has no minimal,|
// |                                            | 3 Pro no medium (high). Earlier models: dropped. A budget of another|
// |                                            | format's is an effort first: up to 1024 low, up to 8192 medium      |
// | output json, json schema                   | responseMimeType, responseSchema; dropped beside tools              |
// | user, cache key, parallel calls, `own`     | dropped                                                             |
//
// | Gemini answer                              | answer                                                              |
// |--------------------------------------------|---------------------------------------------------------------------|
// | text, thought parts                        | text, thinking; those in a row up to a signature are one            |
// | functionCall                               | a call; id as call_id.h says                                        |
// | thoughtSignature                           | state of its part; of an empty text, of the text or thinking before |
// |                                            | it, else of thinking without text                                   |
// | inlineData, fileData                       | media                                                               |
// | executableCode, codeExecutionResult        | kOther                                                              |
// | other parts, groundingMetadata             | dropped                                                             |
// | STOP                                       | end; tool use behind a call                                         |
// | MAX_TOKENS                                 | max tokens                                                          |
// | SAFETY, RECITATION, LANGUAGE, BLOCKLIST,   | refusal; without content finishMessage explains it                  |
// | PROHIBITED_CONTENT, SPII, IMAGE_SAFETY     |                                                                     |
// | MALFORMED_FUNCTION_CALL, OTHER, ...        | end; likewise                                                       |
// | promptFeedback.blockReason                 | refusal                                                             |
// | promptTokenCount, toolUsePromptTokenCount  | input is their sum                                                  |
// | cachedContentTokenCount                    | cache_read                                                          |
// | candidatesTokenCount, thoughtsTokenCount   | output is their sum; reasoning                                      |
// | candidates behind the first                | dropped                                                             |
// | error, as body or event, in a list or not  | status by its code, type by its status word, code by its reason     |
//
// Requests that are read, of Gemini CLI and the google-genai SDKs. Names in snake_case are taken too:
// | Gemini request                             | conversation                                                        |
// |--------------------------------------------|---------------------------------------------------------------------|
// | contents without a role                    | the user's                                                          |
// | role function, system, assistant           | the user's, system text, the model's                                |
// | contents of the model in a row             | one message; its pieces of text up to a signature are one part, as  |
// |                                            | clients keep a stream as it came                                    |
// | functionResponse                           | a message of role kTool; what stands beside it one that continues   |
// | response {"output": text},                 | the text; {"error": ...} is an error; anything else as JSON         |
// | {"result": ...}                            |                                                                     |
// | functionResponse.parts                     | media of the result                                                 |
// | functionCall without an id                 | a made up one that stays the same; its result is found by name and  |
// |                                            | order                                                               |
// | thoughtSignature                           | state (signature.h)                                                 |
// | other parts                                | kOther                                                              |
// | parameters, responseSchema                 | JSON Schema (schema_reader.h)                                       |
// | parametersJsonSchema, responseJsonSchema   | as they are                                                         |
// | googleSearch, googleSearchRetrieval        | web search                                                          |
// | codeExecution, urlContext, every other tool| kOther                                                              |
// | mode ANY with one allowed name             | that tool is forced                                                 |
// | mode VALIDATED                             | auto                                                                |
// | thinkingBudget 0, -1, N                    | off, adaptive, a budget                                             |
// | thinkingLevel                              | effort                                                              |
// | every other member                         | `own`                                                               |
//
// | answer                                     | Gemini answer for a client                                          |
// |--------------------------------------------|---------------------------------------------------------------------|
// | calls, in streams as well                  | functionCall, whole                                                 |
// | state                                      | thoughtSignature (signature.h); in a stream of an empty text behind |
// |                                            | its part                                                            |
// | refusal                                    | SAFETY, with the explanation as finishMessage                       |
// | another end with an explanation            | OTHER, likewise                                                     |
// | a full context                             | MAX_TOKENS                                                          |
// | the end of a stream                        | a last response with finishReason and usageMetadata                 |
// | an error                                   | {"error":{code, message, status}}, status by google.rpc.Code; an    |
// |                                            | event of the same in a stream                                       |
// clang-format on
//
// Source: ai.google.dev/api/generate-content, /gemini-api/docs/thinking, /docs/openai (what an effort stands for),
// /docs/function-calling, /docs/thought-signatures, /docs/file-input-methods; the google-genai SDKs' types.
#pragma once

#include "proxy/formats/conversation/format.h"

namespace ccr::proxy::gemini {

const FormatCodec& Codec();

}  // namespace ccr::proxy::gemini
