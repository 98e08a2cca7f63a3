// Transformers: what users name in "transformer" to have requests to a provider, and its answers, changed.
//
// clang-format off
// | name                | request                                                        | answer, plain and streamed           |
// |---------------------|----------------------------------------------------------------|--------------------------------------|
// | deepseek            | max_completion_tokens -> max_tokens, at most 8192 for          |                                      |
// |                     | deepseek-chat and -coder; its rule `reasoning` is turn         |                                      |
// | openrouter          | cache_control goes to Claude models only; reasoning_effort ->  | a chunk that ends with "error" is an |
// |                     | reasoning.effort; options replace members of the body          | error; ids of calls that are numbers |
// |                     |                                                                | get a prefix                         |
// | groq                | no cache_control, no $schema in tools; reasoning_effort for    | as openrouter                        |
// |                     | gpt-oss models only                                            |                                      |
// | cerebras            | as groq; texts in one piece; no penalties, no logit_bias       |                                      |
// | tooluse             | with tools: a reminder, ExitTool, tool_choice required         | the call of ExitTool becomes text; a |
// |                     |                                                                | stream with more than 64 of them, or |
// |                     |                                                                | 4 MiB of one to hold, ends with an   |
// |                     |                                                                | error                                |
// | enhancetool         |                                                                | arguments of calls are repaired JSON;|
// |                     |                                                                | a stream holds them: 4 MiB of a call,|
// |                     |                                                                | 16 MiB and 1024 calls in all, beyond |
// |                     |                                                                | them it ends with an error           |
// | forcereasoning      | the user's last text asks for thinking between <think> and     |                                      |
// |                     | </think>, which the provider's rule think_tags takes apart     |                                      |
// | reasoning           | reasoning_effort -> thinking and enable_thinking as well;      |                                      |
// |                     | {enable: false} turns it off; `reasoning` as deepseek          |                                      |
// | maxtoken *+         | max_tokens at most {max_tokens}                                |                                      |
// | maxcompletiontokens | max_tokens -> max_completion_tokens                            |                                      |
// | sampling *+         | {max_tokens} caps; {temperature, top_p, top_k,                 |                                      |
// |                     | repetition_penalty} replace                                    |                                      |
// | streamoptions       | streams: stream_options.include_usage                          |                                      |
// | cleancache *        | no cache_control                                               |                                      |
// | customparams *+     | options are added where the request sets nothing               |                                      |
// clang-format on
// Those with * work on Anthropic's format as well, those with + on Gemini's, the others on OpenAI's alone.
// reasoning_content and reasoning of answers need none: the translation to Anthropic reads both.
//
// A new one is a file with one Transformer in it and a line in table.cc; its options go into
// broker/config/transformer.cc, which checks them.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "proxy/core/routing_table.h"
#include "proxy/formats/json_util.h"
#include "proxy/formats/translation.h"

namespace ccr::proxy {

// What an edit knows of its route.
struct EditContext {
  Format format;  // of the provider, which the body is in
  std::string_view model;
  const json::object& options;  // of the types that the configuration checked; what is not as expected is ignored
  Notes* notes;                 // never null
};

// Edits the chunks of one stream of OpenAI's. Not thread-safe.
class ChunkEdit {
 public:
  virtual ~ChunkEdit() = default;
  // Appends what takes the chunk's place. ResourceExhausted where that would need more than may be held: the stream
  // then ends with an error.
  virtual absl::Status OnChunk(json::object chunk, std::vector<json::object>* out) = 0;
  // No more chunks come: appends what was held.
  virtual void OnEnd(std::vector<json::object>* /*out*/) {}
};

// Functions are null where there is nothing to edit. All are pure; bodies may be anything that is a JSON object.
struct Transformer {
  std::string_view name;
  bool edits_anthropic = false;  // edit_request takes Anthropic's format too
  bool edits_gemini = false;     // and Gemini's
  void (*edit_request)(const EditContext& context, json::object* body) = nullptr;
  void (*edit_response)(const EditContext& context, json::object* body) = nullptr;
  std::unique_ptr<ChunkEdit> (*edit_stream)() = nullptr;
};

// nullptr for a name that edits nothing.
const Transformer* FindTransformer(std::string_view name);

}  // namespace ccr::proxy
