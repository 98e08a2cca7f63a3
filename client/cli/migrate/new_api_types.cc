#include "client/cli/migrate/new_api_types.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace ccr::cli::migration {
namespace {

constexpr std::string_view kChat = "/v1/chat/completions";
constexpr std::string_view kTasks = "it makes pictures, video or sound, for which ccr has no endpoint";
constexpr std::string_view kOwnApi = "ccr does not speak its API";
constexpr std::string_view kLogin = "ccr sends API keys only, and this logs in otherwise";

// Numbers and bases: constant/channel.go. Paths: GetRequestURL() of relay/channel/*/adaptor.go.
constexpr ChannelType kTypes[] = {
    {1, "openai", "https://api.openai.com", kChat, ""},
    {2, "midjourney", "", "", kTasks},
    {3, "azure", "", "/openai/v1/chat/completions", ""},
    {4, "ollama", "http://localhost:11434", kChat, ""},
    {5, "midjourney-plus", "", "", kTasks},
    {6, "openai-max", "https://api.openaimax.com", kChat, ""},
    {7, "ohmygpt", "https://api.ohmygpt.com", kChat, ""},
    {8, "custom", "", "", ""},
    {9, "ails", "https://api.caipacity.com", kChat, ""},
    {10, "aiproxy", "https://api.aiproxy.io", kChat, ""},
    {11, "palm", "", "", kOwnApi},
    {12, "api2gpt", "https://api.api2gpt.com", kChat, ""},
    {13, "aigc2d", "https://api.aigc2d.com", kChat, ""},
    {14, "anthropic", "https://api.anthropic.com", "/v1/messages", ""},
    {15, "baidu", "", "", kLogin},
    {16, "zhipu", "", "", kLogin},
    {17, "ali", "https://dashscope.aliyuncs.com", "/compatible-mode/v1/chat/completions", ""},
    {18, "xunfei", "", "", kLogin},
    {19, "360", "https://api.360.cn", kChat, ""},
    {20, "openrouter", "https://openrouter.ai/api", kChat, ""},
    {21, "aiproxy-library", "", "", kOwnApi},
    {22, "fastgpt", "https://fastgpt.run/api/openapi", kChat, ""},
    {23, "tencent", "", "", kLogin},
    {24, "gemini", "https://generativelanguage.googleapis.com", "/v1beta/models/", ""},
    {25, "moonshot", "https://api.moonshot.cn", kChat, ""},
    {26, "zhipu", "https://open.bigmodel.cn", "/api/paas/v4/chat/completions", ""},
    {27, "perplexity", "https://api.perplexity.ai", "/chat/completions", ""},
    {31, "lingyiwanwu", "https://api.lingyiwanwu.com", kChat, ""},
    {33, "aws", "", "", kLogin},
    {34, "cohere", "", "", kOwnApi},
    {35, "minimax", "https://api.minimax.chat", "/v1/text/chatcompletion_v2", ""},
    {36, "suno", "", "", kTasks},
    {37, "dify", "", "", kOwnApi},
    {38, "jina", "", "", kOwnApi},
    {39, "cloudflare", "", "", "its endpoint holds your account: write it as a provider with its full endpoint"},
    {40, "siliconflow", "https://api.siliconflow.cn", kChat, ""},
    {41, "vertex-ai", "", "", kLogin},
    {42, "mistral", "https://api.mistral.ai", kChat, ""},
    {43, "deepseek", "https://api.deepseek.com", kChat, ""},
    {44, "moka", "", "", kOwnApi},
    {45, "volcengine", "https://ark.cn-beijing.volces.com", "/api/v3/chat/completions", ""},
    {46, "baidu", "https://qianfan.baidubce.com", "/v2/chat/completions", ""},
    {47, "xinference", "", kChat, ""},
    {48, "xai", "https://api.x.ai", kChat, ""},
    {49, "coze", "", "", kOwnApi},
    {50, "kling", "", "", kTasks},
    {51, "jimeng", "", "", kTasks},
    {52, "vidu", "", "", kTasks},
    {53, "submodel", "https://llm.submodel.ai", kChat, ""},
    {54, "doubao-video", "", "", kTasks},
    {55, "sora", "", "", kTasks},
    {56, "replicate", "", "", kTasks},
    {57, "codex", "", "", kLogin},
};

constexpr std::pair<std::string_view, std::string_view> kPlans[] = {
    {"glm-coding-plan", "https://open.bigmodel.cn/api/coding/paas/v4"},
    {"glm-coding-plan-international", "https://api.z.ai/api/coding/paas/v4"},
    {"kimi-coding-plan", "https://api.kimi.com/coding/v1"},
    {"doubao-coding-plan", "https://ark.cn-beijing.volces.com/api/coding/v3"},
};

}  // namespace

const ChannelType* FindChannelType(int number) {
  const auto* found = std::find_if(std::begin(kTypes), std::end(kTypes),
                                   [number](const ChannelType& type) { return type.number == number; });
  return found == std::end(kTypes) ? nullptr : found;
}

std::string_view PlanBase(std::string_view name) {
  const auto* found =
      std::find_if(std::begin(kPlans), std::end(kPlans), [name](const auto& plan) { return plan.first == name; });
  return found == std::end(kPlans) ? std::string_view() : found->second;
}

}  // namespace ccr::cli::migration
