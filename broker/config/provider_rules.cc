#include "broker/config/provider_rules.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "broker/base/absl_text.h"
#include "broker/config/rules.h"
#include "broker/config/url.h"

namespace ccr {
namespace {

using Format = ProviderFormat;
using Names = std::vector<std::string>;

// One line of the table: for whom, and what. Patterns are those of MatchesName, several with spaces between; empty is
// any. A host with a colon is compared with HOST:PORT; those without one are providers' own (IsProvidersHost).
//
// Lines are applied from the top, later ones over earlier ones, rule by rule. So: what a format means, what a model's
// name means wherever it runs, what a host means, what single models of a host mean, what a transformer says. A new
// fact goes into the group of what it depends on, with where it is written; a fact that only some gateways need goes
// into a configuration's `rules`.
struct Line {
  std::string_view hosts = "", models = "", transformer = "";
  std::optional<Format> format = std::nullopt;
  RulesConfig rules = {};
};

// Claude's names: versions with dots or dashes, before or behind the family. A version may be followed by a date, a tag
// of a gateway's or [1m]; a further digit is another version.
constexpr std::string_view kClaudeTo45 =
    "*claude-instant* *claude-v2* *claude-2* *claude-3* *claude-opus-3* *claude-sonnet-3* *claude-haiku-3* "
    "*claude-4-opus* *claude-opus-4 *claude-opus-4-2025* *claude-opus-4@* *claude-opus-4:* *claude-opus-4[* "
    "*claude-4-sonnet* *claude-sonnet-4 *claude-sonnet-4-2025* *claude-sonnet-4@* *claude-sonnet-4:* "
    "*claude-sonnet-4[* "
    "*claude*-4?0 *claude*-4?0-* *claude*-4?0@* *claude*-4?0:* *claude*-4?0[* "
    "*claude*-4?1 *claude*-4?1-* *claude*-4?1@* *claude*-4?1:* *claude*-4?1[* "
    "*claude*-4?5 *claude*-4?5-* *claude*-4?5@* *claude*-4?5:* *claude*-4?5[*";
constexpr std::string_view kClaude46 = "*claude*-4?6 *claude*-4?6-* *claude*-4?6@* *claude*-4?6:* *claude*-4?6[*";

// clang-format off
// Of which nothing is known. The same as ccr::proxy::ProviderRules has by default, which a test compares.
const RulesConfig& Unknown() {
  static const auto* const rules = new RulesConfig{
      .system = "first", .developer = false, .user_after_tool = true, .alternate = false, .call_ids = "default",
      .reasoning = "none", .reasoning_with_calls = false, .forced = "keep", .thinking = "default", .efforts = Names{},
      .sampling = true, .cache_control = false, .schema_combinators = true, .schema_items = true, .schema_refs = true,
      .responses = false, .think_tags = true, .max_tokens = "default", .max_output = 0, .drop = Names{}};
  return *rules;
}

// Formats. Only their makers' models and hosts speak them in full; what is said here holds for those who copy them too.
const std::vector<Line>& Formats() {
  static const auto* const lines = new std::vector<Line>{
      // platform.claude.com/docs: tools' input_schema is refused with oneOf, allOf, anyOf at its top; system text
      // inside messages is what Claude Code sends, and those who copy the format take or overlook it.
      {.format = Format::kAnthropic, .rules = {.system = "anywhere", .schema_combinators = false, .think_tags = false}},
      // ai.google.dev/api: Schema is a subset without $ref, an ARRAY needs items.
      {.format = Format::kGemini, .rules = {.schema_items = false, .schema_refs = false, .think_tags = false}},
      // platform.openai.com/docs/api-reference/responses: roles system and developer anywhere.
      {.format = Format::kResponses, .rules = {.system = "anywhere", .developer = true, .schema_combinators = false,
                                               .schema_items = false, .think_tags = false}},
  };
  return *lines;
}

// Models by their names, wherever they run.
const std::vector<Line>& Models() {
  static const auto* const lines = new std::vector<Line>{
      // Anthropic's format without Anthropic: thinking of theirs has no signature, and is wanted back
      // (api-docs.deepseek.com/guides/anthropic_api, platform.minimax.io/docs, docs.z.ai).
      {.models = "*deepseek* *kimi* *glm-* *minimax* *qwen* *mimo* *doubao* *step-*", .format = Format::kAnthropic,
       .rules = {.reasoning = "all"}},
      // Chat templates on Hugging Face: roles must alternate (Mistral, Gemma), ids of calls are nine letters and digits
      // (Mistral); mistral-common issue 169: no user message after a tool's.
      {.models = "*mistral* *mixtral* *codestral* *devstral* *ministral* *magistral* *pixtral*",
       .rules = {.user_after_tool = false, .alternate = true, .call_ids = "short"}},
      {.models = "*gemma*", .rules = {.alternate = true}},
      // They do not reason: reasoning_effort is refused or has no effect. Azure writes gpt-35-turbo.
      {.models = "*gpt-4* *gpt-3.5* *gpt-35*", .rules = {.thinking = "none"}},
      {.models = "*llama-2* *llama-3* *llama3* *llama-4* *llama4* *gemma-2* *gemma2* *gemma-3* *gemma3* *qwen2* "
                 "*qwen-2* *qwen3-coder* *mixtral* *codestral* *devstral* *mistral-large* *mistral-nemo* *phi-3* "
                 "*phi-4 *claude-3-haiku* *claude-3-5* *claude-3.5*",
       .format = Format::kOpenAi, .rules = {.thinking = "none"}},
      // platform.openai.com/docs/models: what they give at most; more is refused.
      {.models = "*gpt-4* *gpt-3.5* *gpt-35*", .rules = {.max_output = 4096}},
      {.models = "*gpt-4o* *gpt-5-chat*", .rules = {.max_output = 16384}},
      {.models = "*gpt-4o-2024-05-13*", .rules = {.max_output = 4096}},
      {.models = "*gpt-4.1*", .rules = {.max_output = 32768}},
      {.models = "*gpt-4.5*", .rules = {.max_output = 16384}},
      {.models = "gpt-4 gpt-4-0* */gpt-4", .rules = {.max_output = 8192}},
      {.models = "o1* o3* o4* */o1* */o3* */o4*", .rules = {.max_output = 100000}},
      {.models = "o1-mini* */o1-mini*", .rules = {.max_output = 65536}},
      {.models = "o1-preview* */o1-preview*", .rules = {.max_output = 32768}},
      // platform.claude.com/docs/en/about-claude/models/overview; 3.7's depends on a beta.
      {.models = "*claude-3-haiku* *claude-3-opus* *claude-3-sonnet*", .rules = {.max_output = 4096}},
      {.models = "*claude-3-5* *claude-3.5*", .rules = {.max_output = 8192}},
      // api-docs.deepseek.com/guides/thinking_mode: V4 wants reasoning_content of all turns back, and an assistant
      // message with calls must have it (claude-code-router 1378, opencode 24122); V3.2 that of the turn; R1 none.
      {.models = "*deepseek-v4* *deepseek-flash* *deepseek-pro*", .format = Format::kOpenAi,
       .rules = {.reasoning = "all", .reasoning_with_calls = true, .forced = "auto"}},
      {.models = "*deepseek-v3.2* *deepseek-v3-2*", .format = Format::kOpenAi, .rules = {.reasoning = "turn",
                                                                                         .forced = "auto"}},
      {.models = "*deepseek-r1* *deepseek-reasoner*", .format = Format::kOpenAi,
       .rules = {.reasoning = "none", .forced = "auto"}},
      // platform.kimi.ai/docs/guide/use-kimi-k2-thinking-model; continue 11600: a message with calls must have it.
      {.models = "*kimi-k2* *kimi-k3*", .format = Format::kOpenAi,
       .rules = {.reasoning = "all", .reasoning_with_calls = true, .forced = "auto"}},
      // docs.z.ai/guides/capabilities/thinking-mode: reasoning goes back with results, and the rest.
      {.models = "*glm-4.5* *glm-4.6* *glm-4.7* *glm-5* *glm-6*", .format = Format::kOpenAi,
       .rules = {.reasoning = "all"}},
      // platform.minimax.io/docs: interleaved thinking is to go back whole.
      {.models = "*minimax-m*", .format = Format::kOpenAi, .rules = {.reasoning = "all"}},
      // alibabacloud.com/help/model-studio, deep thinking; litellm 37470: no forced choice while Qwen thinks.
      {.models = "*qwen3* *qwq* *qwen-plus* *qwen-max* *qwen-flash* *qwen-turbo*", .format = Format::kOpenAi,
       .rules = {.forced = "auto"}},
      // Those of them that do not think keep a forced choice.
      {.models = "*qwen3-coder* *qwen*instruct* *kimi*instruct* *deepseek*instruct*", .format = Format::kOpenAi,
       .rules = {.forced = "keep"}},
      // platform.openai.com/docs/guides/reasoning: efforts by model; no temperature and top_p (but 1) for those that
      // reason, whose bound is max_completion_tokens. gpt-5-chat-latest does not (litellm 13781).
      // Names of the o series begin so, or after a vendor's.
      {.models = "o1* o3* o4* */o1* */o3* */o4*",
       .rules = {.thinking = "effort", .efforts = Names{"low", "medium", "high"}, .sampling = false,
                 .max_tokens = "max_completion_tokens"}},
      {.models = "o1-mini* o1-preview* */o1-mini* */o1-preview*", .rules = {.thinking = "none"}},
      {.models = "*gpt-5*", .rules = {.thinking = "effort", .efforts = Names{"minimal", "low", "medium", "high"},
                                      .sampling = false, .max_tokens = "max_completion_tokens"}},
      {.models = "*gpt-5-codex*", .rules = {.efforts = Names{"low", "medium", "high"}}},
      {.models = "*gpt-5-pro*", .rules = {.efforts = Names{"high"}}},
      {.models = "*gpt-6*", .rules = {.thinking = "effort", .sampling = false, .max_tokens = "max_completion_tokens"}},
      {.models = "*gpt-5.* *gpt-6*", .rules = {.efforts = Names{"none", "low", "medium", "high", "xhigh"}}},
      {.models = "*gpt-5.1*", .rules = {.efforts = Names{"none", "low", "medium", "high"}}},
      {.models = "*gpt-5.*-codex*", .rules = {.efforts = Names{"low", "medium", "high", "xhigh"}}},
      {.models = "*gpt-5.1-codex*", .rules = {.efforts = Names{"low", "medium", "high"}}},
      {.models = "*gpt-5.1-codex-max*", .rules = {.efforts = Names{"low", "medium", "high", "xhigh"}}},
      {.models = "*gpt-5.*-pro*", .rules = {.efforts = Names{"medium", "high", "xhigh"}}},
      {.models = "*gpt-5-chat* *gpt-5*-chat-latest", .rules = {.thinking = "none", .efforts = Names{},
                                                               .sampling = true}},
      {.models = "*gpt-oss*", .format = Format::kOpenAi,
       .rules = {.thinking = "effort", .efforts = Names{"low", "medium", "high"}}},
      // platform.claude.com/docs, migration guides to Opus 4.7 and 5, adaptive thinking: budgets and sampling are
      // refused since 4.7; Mythos and Fable never had them. What is not listed as older is newer.
      {.models = "*claude*", .rules = {.sampling = false}},
      {.models = "*claude*", .format = Format::kAnthropic,
       .rules = {.thinking = "adaptive", .efforts = Names{"low", "medium", "high", "xhigh", "max"}}},
      {.models = kClaudeTo45, .rules = {.sampling = true}},
      {.models = kClaude46, .rules = {.sampling = true}},
      {.models = kClaudeTo45, .format = Format::kAnthropic, .rules = {.thinking = "budget", .efforts = Names{}}},
      // It takes both.
      {.models = kClaude46, .format = Format::kAnthropic, .rules = {.thinking = "default", .efforts = Names{}}},
  };
  return *lines;
}

// Hosts, and single models there.
const std::vector<Line>& Hosts() {
  static const auto* const lines = new std::vector<Line>{
      // What the format says, and no more.
      {.hosts = "api.anthropic.com"},
      // platform.openai.com/docs/api-reference/chat: developer and system at any place; Roo-Code, OmniRoute 13552,
      // opencode 35516: a tool's parameters have no combinators at the top; mcphost 35: an array has items.
      {.hosts = "api.openai.com *.api.openai.com *.openai.azure.com *.cognitiveservices.azure.com "
                "*.services.ai.azure.com models.github.ai models.inference.ai.azure.com",
       .format = Format::kOpenAi,
       .rules = {.system = "anywhere", .developer = true, .schema_combinators = false, .schema_items = false,
                 .think_tags = false}},
      // platform.openai.com/docs, learn.microsoft.com/azure/ai-foundry: both APIs stand side by side.
      {.hosts = "api.openai.com *.api.openai.com *.openai.azure.com", .format = Format::kOpenAi,
       .rules = {.responses = true}},
      // Azure and GitHub sell others' models too.
      {.hosts = "*.services.ai.azure.com models.github.ai models.inference.ai.azure.com",
       .models = "*deepseek* *mistral* *llama* *phi-* *grok* *kimi* *qwen* *cohere* *command*",
       .format = Format::kOpenAi, .rules = {.system = "first", .developer = false, .think_tags = true}},
      {.hosts = "api.openai.com *.api.openai.com *.openai.azure.com", .models = "o1-mini* o1-preview*",
       .rules = {.developer = false}},
      // api-docs.deepseek.com: `thinking` turns it on and off (on by default), reasoning_effort low, high, max beside
      // it; V4 gives 384K tokens, the models before it 8K and (reasoner) 64K.
      {.hosts = "api.deepseek.com", .format = Format::kOpenAi,
       .rules = {.forced = "thinking_off", .thinking = "object", .efforts = Names{"low", "high", "max"},
                 .max_tokens = "max_tokens", .max_output = 384 * 1024}},
      {.hosts = "api.deepseek.com", .models = "deepseek-chat deepseek-coder", .format = Format::kOpenAi,
       .rules = {.max_output = 8192}},
      {.hosts = "api.deepseek.com", .models = "deepseek-reasoner", .format = Format::kOpenAi,
       .rules = {.forced = "auto", .max_output = 65536}},
      {.hosts = "api.deepseek.com api.moonshot.ai api.moonshot.cn api.kimi.com api.z.ai open.bigmodel.cn "
                "api.minimax.io api.minimaxi.com dashscope*.aliyuncs.com *.dashscope.aliyuncs.com *.maas.aliyuncs.com",
       .format = Format::kAnthropic, .rules = {.reasoning = "all"}},
      // alibabacloud.com/help/model-studio: enable_thinking in the body; system first.
      {.hosts = "dashscope*.aliyuncs.com *.dashscope.aliyuncs.com *.maas.aliyuncs.com", .format = Format::kOpenAi,
       .rules = {.forced = "thinking_off", .thinking = "enable"}},
      {.hosts = "dashscope*.aliyuncs.com *.dashscope.aliyuncs.com *.maas.aliyuncs.com", .models = "*thinking* qwq*",
       .format = Format::kOpenAi, .rules = {.forced = "auto", .thinking = "none"}},
      {.hosts = "dashscope*.aliyuncs.com *.dashscope.aliyuncs.com *.maas.aliyuncs.com",
       .models = "*qwen2* *qwen3-coder* *instruct*", .format = Format::kOpenAi, .rules = {.thinking = "none"}},
      // platform.kimi.ai/docs; nanobot 3939: not thinking and reasoning_effort both; sim 5716: forced choices are
      // refused while it thinks, and every temperature but the model's own.
      {.hosts = "api.moonshot.ai api.moonshot.cn api.kimi.com api.kimi.ai", .models = "kimi-k2.* kimi-k3*",
       .format = Format::kOpenAi, .rules = {.forced = "thinking_off", .thinking = "object", .sampling = false}},
      {.hosts = "api.moonshot.ai api.moonshot.cn api.kimi.com api.kimi.ai",
       .models = "*thinking* kimi-k2-0* kimi-k2-turbo* moonshot-v1* kimi-latest kimi-k2.7* kimi-for-coding",
       .format = Format::kOpenAi, .rules = {.forced = "auto", .thinking = "none"}},
      // docs.z.ai/api-reference/llm/chat-completion: `thinking` turns it off and on; tool_choice is auto.
      {.hosts = "api.z.ai open.bigmodel.cn", .format = Format::kOpenAi,
       .rules = {.forced = "auto", .thinking = "object", .max_tokens = "max_tokens"}},
      // platform.minimax.io/docs/api-reference/text-openai-api: M2 always thinks; reasoning_effort is unknown.
      {.hosts = "api.minimax.io api.minimaxi.com api.minimax.chat", .models = "*minimax-m2* *minimax-m1* *abab*",
       .format = Format::kOpenAi, .rules = {.thinking = "none"}},
      // docs.mistral.ai/api: what it does not know is refused with 422, in messages too (mistralai/platform-docs 7,
      // crush 1590, eca 231, anon-kode 53).
      {.hosts = "api.mistral.ai codestral.mistral.ai", .format = Format::kOpenAi,
       .rules = {.user_after_tool = false, .alternate = true, .call_ids = "short", .reasoning = "none",
                 .thinking = "none", .max_tokens = "max_tokens",
                 .also_drop = Names{"stream_options", "user", "store", "service_tier", "seed",
                                    "logprobs", "top_logprobs", "logit_bias", "verbosity", "thinking",
                                    "enable_thinking"}}},
      {.hosts = "api.mistral.ai",
       .models = "mistral-small-latest mistral-small-26* mistral-medium-3.5* mistral-medium-3-5*",
       .format = Format::kOpenAi, .rules = {.thinking = "effort", .efforts = Names{"none", "high"}}},
      // openrouter.ai/docs: unknown fields are ignored, efforts made to fit; prompt-caching marks are read for Claude
      // and Gemini; reasoning-tokens: reasoning goes back where the model wants it.
      {.hosts = "openrouter.ai *.openrouter.ai", .format = Format::kOpenAi,
       .rules = {.efforts = Names{"none", "minimal", "low", "medium", "high", "xhigh"}}},
      {.hosts = "openrouter.ai *.openrouter.ai", .models = "*claude* *gemini*", .format = Format::kOpenAi,
       .rules = {.cache_control = true}},
      // console.groq.com/docs/openai and /reasoning: these are refused with 400; efforts of gpt-oss and Qwen only.
      {.hosts = "api.groq.com", .format = Format::kOpenAi,
       .rules = {.thinking = "none", .also_drop = Names{"logprobs", "top_logprobs", "logit_bias"}}},
      {.hosts = "api.groq.com", .models = "*gpt-oss*", .format = Format::kOpenAi, .rules = {.thinking = "effort"}},
      {.hosts = "api.groq.com", .models = "*qwen3*", .format = Format::kOpenAi,
       .rules = {.thinking = "effort", .efforts = Names{"none", "default"}}},
      // inference-docs.cerebras.ai/resources/openai: these are refused; reasoning: efforts of gpt-oss, none for GLM.
      {.hosts = "api.cerebras.ai", .format = Format::kOpenAi,
       .rules = {.thinking = "none",
                 .also_drop = Names{"frequency_penalty", "presence_penalty", "logit_bias", "prompt_cache_key",
                                    "verbosity", "store"}}},
      {.hosts = "api.cerebras.ai", .models = "*gpt-oss*", .format = Format::kOpenAi, .rules = {.thinking = "effort"}},
      {.hosts = "api.cerebras.ai", .models = "*glm*", .format = Format::kOpenAi,
       .rules = {.thinking = "effort", .efforts = Names{"none", "low", "medium", "high"}}},
      // ai.google.dev/gemini-api/docs/openai: efforts by model; names that it does not know and schemas beyond
      // the subset are refused.
      {.hosts = "generativelanguage.googleapis.com", .format = Format::kOpenAi,
       .rules = {.schema_items = false, .schema_refs = false, .think_tags = false,
                 .also_drop = Names{"store", "logit_bias", "prompt_cache_key", "verbosity"}}},
      {.hosts = "generativelanguage.googleapis.com", .models = "*gemini-2.5*", .format = Format::kOpenAi,
       .rules = {.thinking = "effort", .efforts = Names{"none", "low", "medium", "high"}}},
      {.hosts = "generativelanguage.googleapis.com", .models = "*gemini-2.5-pro*", .format = Format::kOpenAi,
       .rules = {.efforts = Names{"low", "medium", "high"}}},
      {.hosts = "generativelanguage.googleapis.com", .models = "*gemini-3*", .format = Format::kOpenAi,
       .rules = {.thinking = "effort", .efforts = Names{"minimal", "low", "medium", "high"}}},
      {.hosts = "generativelanguage.googleapis.com", .models = "*gemini-2.0* *gemini-1.5*", .format = Format::kOpenAi,
       .rules = {.thinking = "none"}},
      // docs.x.ai, models and reasoning: roles in any order; efforts of grok-3-mini and of 4.3 and later; models that
      // reason refuse penalties and stop.
      {.hosts = "api.x.ai *.api.x.ai", .format = Format::kOpenAi,
       .rules = {.system = "anywhere", .thinking = "none", .think_tags = false}},
      {.hosts = "api.x.ai *.api.x.ai", .models = "grok-4* grok-code* grok-build*", .format = Format::kOpenAi,
       .rules = {.also_drop = Names{"presence_penalty", "frequency_penalty", "stop"}}},
      {.hosts = "api.x.ai *.api.x.ai", .models = "*non-reasoning*", .format = Format::kOpenAi,
       .rules = {.drop = Names{}}},
      {.hosts = "api.x.ai *.api.x.ai", .models = "grok-3-mini*", .format = Format::kOpenAi,
       .rules = {.thinking = "effort", .efforts = Names{"low", "high"}}},
      {.hosts = "api.x.ai *.api.x.ai", .models = "grok-4.3* grok-5*", .format = Format::kOpenAi,
       .rules = {.thinking = "effort", .efforts = Names{"none", "low", "medium", "high"}}},
      // docs.api.nvidia.com/nim: bodies are checked against each model's own schema; these are in none.
      {.hosts = "integrate.api.nvidia.com", .format = Format::kOpenAi,
       .rules = {.thinking = "none", .max_tokens = "max_tokens",
                 .also_drop = Names{"store", "user", "metadata", "service_tier", "prompt_cache_key", "verbosity",
                                    "parallel_tool_calls"}}},
      {.hosts = "integrate.api.nvidia.com", .models = "*gpt-oss*", .format = Format::kOpenAi,
       .rules = {.thinking = "effort"}},
      // docs.together.ai/docs/reasoning-overview, docs.fireworks.ai/api-reference: unknown fields are ignored; efforts
      // of some models only.
      {.hosts = "api.together.xyz api.together.ai api.fireworks.ai", .models = "*instruct*", .format = Format::kOpenAi,
       .rules = {.thinking = "none"}},
      // volcengine.com/docs/82379: `thinking` as DeepSeek has it.
      {.hosts = "ark.*.volces.com", .format = Format::kOpenAi, .rules = {.thinking = "object"}},
      // docs.ollama.com/api/openai-compatibility, at its own port: reasoning_effort is refused by models that do not
      // think ("does not support thinking").
      {.hosts = "*:11434 ollama.com", .format = Format::kOpenAi,
       .rules = {.thinking = "none", .efforts = Names{"none", "low", "medium", "high"}, .max_tokens = "max_tokens"}},
      {.hosts = "*:11434 ollama.com",
       .models = "*gpt-oss* *qwen3:* *qwen3 *qwen3.* *deepseek-r1* *deepseek-v3.* *deepseek-v4* *magistral* *glm-4.* "
                 "*glm-5* *minimax-m* *kimi-k2-thinking* *kimi-k2.* *thinking*",
       .format = Format::kOpenAi, .rules = {.thinking = "effort"}},
      {.hosts = "*:11434 ollama.com", .models = "*gpt-oss*", .format = Format::kOpenAi,
       .rules = {.efforts = Names{"low", "medium", "high"}}},
      // vLLM, SGLang, llama.cpp, LM Studio (ports of their own, all alike): the model's chat template decides, so what
      // the model's name says above holds, and else the careful values.
  };
  return *lines;
}

// Transformers that speak of a kind of models, of which single ones differ.
const std::vector<Line>& KindTransformers() {
  static const auto* const lines = new std::vector<Line>{
      // What both did before there were rules.
      {.transformer = "deepseek", .format = Format::kOpenAi,
       .rules = {.reasoning = "turn", .max_tokens = "max_tokens"}},
      {.transformer = "reasoning", .format = Format::kOpenAi, .rules = {.reasoning = "turn"}},
      {.transformer = "groq", .format = Format::kOpenAi, .rules = {.thinking = "none"}},
      {.transformer = "cerebras", .format = Format::kOpenAi, .rules = {.thinking = "none"}},
  };
  return *lines;
}

// What a transformer says of the provider it was chosen for: what Claude Code Router's of that name is for.
const std::vector<Line>& Transformers() {
  static const auto* const lines = new std::vector<Line>{
      {.transformer = "extrathinktag", .rules = {.think_tags = true}},
      {.transformer = "forcereasoning", .rules = {.think_tags = true}},
      {.models = "*claude*", .transformer = "openrouter", .format = Format::kOpenAi, .rules = {.cache_control = true}},
      {.transformer = "cleancache", .rules = {.cache_control = false}},
  };
  return *lines;
}
// clang-format on

// What of a URL hosts are compared with.
struct Where {
  std::string host, port;
};

Where WhereIs(std::string_view url) {
  const std::optional<HostPort> address = HostPortOf(url);
  if (!address) return {};
  return {absl::AsciiStrToLower(address->host), absl::StrCat(address->port)};
}

bool MatchesHost(std::string_view patterns, const Where& where) {
  if (patterns.empty()) return true;
  for (const absl::string_view part : absl::StrSplit(ToAbsl(patterns), ' ', absl::SkipEmpty())) {
    const std::string_view pattern = ToStd(part);
    std::string text = where.host;
    if (pattern.find(':') != pattern.npos) absl::StrAppend(&text, ":", where.port);
    if (MatchesName(pattern, text)) return true;
  }
  return false;
}

Names PatternsOf(std::string_view models) {
  if (models.empty()) return {"*"};
  return absl::StrSplit(ToAbsl(models), ' ', absl::SkipEmpty());
}

bool Uses(const std::vector<TransformerConfig>& transformers, std::string_view name) {
  return std::any_of(transformers.begin(), transformers.end(), [name](const auto& used) { return used.name == name; });
}

// The line's models, among those that the provider uses the transformer for.
Names ModelsUsing(const Line& line, const ProviderConfig& provider) {
  if (line.transformer.empty() || Uses(provider.transformers, line.transformer)) return PatternsOf(line.models);
  Names models;
  for (const auto& [model, transformers] : provider.model_transformers) {
    const Names patterns = PatternsOf(line.models);
    const auto matches = [&name = model](const std::string& pattern) { return MatchesName(pattern, name); };
    if (Uses(transformers, line.transformer) && std::any_of(patterns.begin(), patterns.end(), matches))
      models.push_back(model);
  }
  return models;
}

}  // namespace

std::vector<ModelRulesConfig> KnownRules(const ProviderConfig& provider) {
  const Where where = WhereIs(provider.base_url);
  std::vector<ModelRulesConfig> entries = {{{"*"}, Unknown()}};
  for (const auto* const group : {&Formats(), &KindTransformers(), &Models(), &Hosts(), &Transformers()}) {
    for (const Line& line : *group) {
      if ((line.format && *line.format != provider.format) || !MatchesHost(line.hosts, where)) continue;
      Names models = ModelsUsing(line, provider);
      if (!models.empty()) entries.push_back({std::move(models), line.rules});
    }
  }
  return entries;
}

bool IsProvidersHost(std::string_view url) {
  const Where named = {.host = WhereIs(url).host, .port = ""};  // like no pattern with a port
  return std::any_of(Hosts().begin(), Hosts().end(),
                     [&named](const Line& line) { return MatchesHost(line.hosts, named); });
}

}  // namespace ccr
