#include "client/cli/migrate/litellm_vendors.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"

namespace ccr::cli::migration {
namespace {

using Api = Vendor::Api;

constexpr Vendor kVendors[] = {
    {"openai", Api::kChat, "https://api.openai.com/v1", "OPENAI_API_KEY"},
    {"custom_openai", Api::kChat, "", "OPENAI_API_KEY"},
    {"anthropic", Api::kAnthropic, "https://api.anthropic.com", "ANTHROPIC_API_KEY"},
    {"gemini", Api::kGemini, "https://generativelanguage.googleapis.com/v1beta", "GEMINI_API_KEY"},
    {"azure", Api::kAzure, "", "AZURE_API_KEY"},
    {"ollama", Api::kOllama, "http://localhost:11434", ""},
    {"ollama_chat", Api::kOllama, "http://localhost:11434", ""},
    {"hosted_vllm", Api::kChat, "", ""},
    {"lm_studio", Api::kChat, "", ""},
    {"llamafile", Api::kChat, "http://127.0.0.1:8080/v1", ""},
    {"litellm_proxy", Api::kChat, "", "LITELLM_PROXY_API_KEY"},
    {"xinference", Api::kChat, "", ""},
    {"cerebras", Api::kChat, "https://api.cerebras.ai/v1", "CEREBRAS_API_KEY"},
    {"codestral", Api::kChat, "https://codestral.mistral.ai/v1", "CODESTRAL_API_KEY"},
    {"dashscope", Api::kChat, "https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "DASHSCOPE_API_KEY"},
    {"deepinfra", Api::kChat, "https://api.deepinfra.com/v1/openai", "DEEPINFRA_API_KEY"},
    {"deepseek", Api::kChat, "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"},
    {"fireworks_ai", Api::kChat, "https://api.fireworks.ai/inference/v1", "FIREWORKS_AI_API_KEY"},
    {"github", Api::kChat, "https://models.inference.ai.azure.com", "GITHUB_API_KEY"},
    {"groq", Api::kChat, "https://api.groq.com/openai/v1", "GROQ_API_KEY"},
    {"mistral", Api::kChat, "https://api.mistral.ai/v1", "MISTRAL_API_KEY"},
    {"moonshot", Api::kChat, "https://api.moonshot.ai/v1", "MOONSHOT_API_KEY"},
    {"nvidia_nim", Api::kChat, "https://integrate.api.nvidia.com/v1", "NVIDIA_NIM_API_KEY"},
    {"openrouter", Api::kChat, "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"},
    {"perplexity", Api::kChat, "https://api.perplexity.ai", "PERPLEXITYAI_API_KEY"},
    {"sambanova", Api::kChat, "https://api.sambanova.ai/v1", "SAMBANOVA_API_KEY"},
    {"together_ai", Api::kChat, "https://api.together.xyz/v1", "TOGETHERAI_API_KEY"},
    {"volcengine", Api::kChat, "https://ark.cn-beijing.volces.com/api/v3", "VOLCENGINE_API_KEY"},
    {"xai", Api::kChat, "https://api.x.ai/v1", "XAI_API_KEY"},
};

constexpr Reason kOthers[] = {
    {"azure_ai", "its endpoint depends on the model: write it as a provider with its full endpoint"},
    {"bedrock", "ccr does not sign requests for AWS"},
    {"sagemaker", "ccr does not sign requests for AWS"},
    {"vertex_ai", "ccr does not log in to Google Cloud; Gemini with an API key is the prefix gemini/"},
    {"text-completion-openai", "ccr does not speak the old completions API"},
    {"cohere", "ccr does not speak its API"},
    {"cohere_chat", "ccr does not speak its API"},
    {"huggingface", "its endpoint depends on the model: write it as a provider with its full endpoint"},
    {"replicate", "ccr does not speak its API"},
};

const Vendor* VendorNamed(std::string_view prefix) {
  const auto* found = std::find_if(std::begin(kVendors), std::end(kVendors),
                                   [prefix](const Vendor& vendor) { return vendor.prefix == prefix; });
  return found == std::end(kVendors) ? nullptr : found;
}

// LiteLLM knows these without a prefix.
std::string_view VendorOfModel(std::string_view model) {
  static constexpr std::string_view kOpenAi[] = {"gpt-", "chatgpt-", "o1", "o3", "o4", "text-embedding-"};
  const auto begins = [model](std::string_view start) { return model.starts_with(start); };
  if (std::any_of(std::begin(kOpenAi), std::end(kOpenAi), begins)) return "openai";
  return model.starts_with("claude-") ? "anthropic" : "";
}

std::string WhyNot(std::string_view prefix) {
  const auto* found = std::find_if(std::begin(kOthers), std::end(kOthers),
                                   [prefix](const Reason& other) { return other.field == prefix; });
  return absl::StrCat(
      "provider ", ToAbsl(prefix), ": ",
      ToAbsl(found != std::end(kOthers) ? found->why : "not known: write it with its full endpoint, as a provider"));
}

}  // namespace

const Vendor* FindVendor(const std::string& given, std::string* model, std::string* why) {
  const size_t slash = model->find('/');
  const std::string prefix = model->substr(0, slash == std::string::npos ? 0 : slash);
  if (!given.empty()) {
    if (prefix == given) *model = model->substr(slash + 1);
    const Vendor* vendor = VendorNamed(given);
    if (vendor == nullptr) *why = WhyNot(given);
    return vendor;
  }
  if (prefix.empty()) {
    const Vendor* vendor = VendorNamed(VendorOfModel(*model));
    if (*model == "*") {
      *why = "a wildcard over all providers, and ccr wants the names of models: list those that you use";
    } else if (vendor == nullptr) {
      *why = absl::StrCat("litellm_params.model ", *model, " names no provider, as in openai/NAME");
    }
    return vendor;
  }
  const Vendor* vendor = VendorNamed(prefix);
  if (vendor == nullptr) {
    *why = WhyNot(prefix);
  } else {
    *model = model->substr(slash + 1);
  }
  return vendor;
}

std::span<const Reason> ParamReasons() {
  static constexpr std::string_view kClients = "the client's request says it";
  static constexpr std::string_view kHeaders = "ccr sends no headers of yours";
  static constexpr std::string_view kTimeouts = "set the provider's timeouts {connect, first_byte, idle}";
  static constexpr Reason kReasons[] = {
      {"temperature", kClients},
      {"max_tokens", kClients},
      {"top_p", kClients},
      {"seed", kClients},
      {"stop", kClients},
      {"extra_headers", kHeaders},
      {"headers", kHeaders},
      {"timeout", kTimeouts},
      {"stream_timeout", kTimeouts},
      {"organization", "ccr sends no OpenAI-Organization header: take a key of that organization's project"},
      {"azure_ad_token", "ccr sends API keys only"},
      {"max_retries", "set the provider's max_retries"},
      {"num_retries", "set the provider's max_retries"},
      {"input_cost_per_token", "ccr keeps no prices"},
      {"output_cost_per_token", "ccr keeps no prices"},
  };
  return kReasons;
}

std::span<const Reason> SettingReasons() {
  static constexpr std::string_view kDatabase =
      "what LiteLLM's database holds is not in this file: models and keys that were added there are missing";
  static constexpr std::string_view kRests = "a key that fails rests by itself; maxFailures and cooldownTime change it";
  static constexpr std::string_view kRedis = "the broker keeps the state of keys, for all proxies";
  static constexpr Reason kReasons[] = {
      {"database_url", kDatabase},
      {"store_model_in_db", kDatabase},
      {"allowed_fails", kRests},
      {"cooldown_time", kRests},
      {"redis_host", kRedis},
      {"redis_port", kRedis},
      {"redis_password", kRedis},
      {"redis_url", kRedis},
      {"model_group_alias", "ccr has one name for a model: clients ask for the model itself"},
      {"context_window_fallbacks", "set Router.longContext to the model for long requests"},
      {"content_policy_fallbacks", "an answer that a provider refuses is an answer here"},
      {"retry_after", "a key rests as long as the provider says"},
      {"drop_params", "ccr leaves out what a provider is known to refuse; see rules and drop"},
      {"cache", "ccr keeps no answers"},
      {"success_callback", "ccr has metrics and logs instead"},
      {"failure_callback", "ccr has metrics and logs instead"},
  };
  return kReasons;
}

}  // namespace ccr::cli::migration
