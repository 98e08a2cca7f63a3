#include "proxy/formats/conversation/context_overflow.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "broker/base/absl_text.h"

// Sources: the vendors' documentation, and messages quoted in public issues of clients (Cline, Roo Code, pi, Continue,
// qwen-code, kimi-cli, OpenHands) and servers (vLLM, SGLang, llama.cpp, Ollama, LM Studio, TGI).
namespace ccr::proxy {
namespace overflow {
namespace {

constexpr size_t kMaxMessage = 8192;  // of it that is read
constexpr uint64_t kLeastTokens = 256;

// Of error.code or error.type.
constexpr std::array<std::string_view, 12> kCodes = {
    "context_length_exceeded",           // OpenAI, Azure, Groq, Cerebras, Together, Fireworks
    "context_window_exceeded",           //
    "model_context_window_exceeded",     // Anthropic
    "contextwindowexceedederror",        // LiteLLM
    "context_length_error",              //
    "exceed_context_size_error",         // llama.cpp
    "prompt_too_long",                   //
    "input_too_long",                    //
    "model_max_prompt_tokens_exceeded",  // GitHub Copilot
    "tokens_limit_reached",              // GitHub Models
    "1261",                              // Zhipu, z.ai
    "invalidparameter.inputlength"};     //

// Pieces that stand in this order, "*" between them.
constexpr std::array<std::string_view, 41> kWordings = {
    "prompt is too long",                                  // Anthropic
    "exceed context limit",                                // Anthropic, of prompt and max_tokens together
    "maximum context length",                              // OpenAI, DeepSeek, vLLM, OpenRouter, Mistral, NVIDIA
    "exceeds the context window",                          // OpenAI Responses
    "exceeds*model's context window",                      //
    "exceeds*context window",                              //
    "context window*exceed",                               // MiniMax
    "context_length_exceeded",                             // in a nested error
    "context length exceeded",                             //
    "contextwindowexceedederror",                          // LiteLLM
    "input is too long for requested model",               // Bedrock
    "too many input tokens",                               // Bedrock
    "input token count*exceeds the maximum",               // Gemini, Vertex
    "input token count*only supports up to",               // Vertex
    "prompt token count*exceeds the limit",                // GitHub Copilot
    "maximum prompt length is",                            // xAI
    "reduce the length of the messages",                   // Groq
    "exceeds the available context size",                  // llama.cpp
    "requested tokens*exceed context window",              // llama-cpp-python
    "prompt too long",                                     // Ollama
    "input length exceeds the context length",             // Ollama
    "input length exceeds maximum context length",         // Ollama
    "exceeds context length",                              // LM Studio
    "greater than the context length",                     // LM Studio
    "tokens when context the overflows",                   // LM Studio, as it writes it
    "exceeded model token limit",                          // Moonshot
    "model max length exceeded",                           // Moonshot
    "prompt exceeds max length",                           // Zhipu
    "range of input length should be",                     // DashScope
    "input length*exceeds the maximum",                    // SGLang, Volcengine, Poolside
    "is longer than the model's context length",           // SGLang
    "exceeds the model's maximum context",                 // SGLang, Together
    "`inputs` must have less than",                        // TGI
    "`inputs` tokens + `max_new_tokens` must be",          // TGI, Together
    "inputs tokens + max_new_tokens must be",              // Together
    "too large for model with*maximum context length",     // Mistral
    "is too long to fit into the model",                   // vLLM
    "longer than the maximum model length",                // vLLM
    "too many tokens: total tokens*exceed",                // Cohere
    "total number of tokens*exceeds the model's maximum",  // AI21, Cohere
    "request body too large*max size*tokens"};             // GitHub Models

// What is a limit of something else.
constexpr std::array<std::string_view, 22> kOthers = {
    "per minute",  "per hour",        "per day",    "per second", "/min",    "tpm",
    "rpm",         "rate limit",      "rate_limit", "ratelimit",  "quota",   "too many requests",
    "retry after", "try again later", "credits",    "afford",     "billing", "balance",
    "deadline",    "timed out",       "concurren",  "overloaded"};

struct Clue {
  enum class What { kPrompt, kAsked, kTotal, kLimit };

  What what;
  std::string_view before, after;  // of the number
};

// The first of each kind that stands in the message counts.
constexpr std::array<Clue, 68> kClues = {{
    {Clue::What::kLimit, "maximum context length is ", ""},
    {Clue::What::kLimit, "maximum context length of ", ""},
    {Clue::What::kLimit, "maximum context length (", ""},
    {Clue::What::kLimit, "model with ", " maximum context length"},
    {Clue::What::kLimit, "maximum prompt length is ", ""},
    {Clue::What::kLimit, " > ", " maximum"},
    {Clue::What::kLimit, "maximum number of tokens allowed (", ""},
    {Clue::What::kLimit, "maximum number of tokens allowed ", ""},
    {Clue::What::kLimit, "exceeds the limit of ", ""},
    {Clue::What::kLimit, "token limit: ", ""},
    {Clue::What::kLimit, "max length:", ""},
    {Clue::What::kLimit, "max length: ", ""},
    {Clue::What::kLimit, "available context size (", ""},
    {Clue::What::kLimit, "context length of only ", ""},
    {Clue::What::kLimit, "context length (", ""},
    {Clue::What::kLimit, "(context length ", ""},
    {Clue::What::kLimit, "context length ", ""},
    {Clue::What::kLimit, "context window of ", ""},
    {Clue::What::kLimit, "context window (", ""},
    {Clue::What::kLimit, "context window is ", ""},
    {Clue::What::kLimit, "maximum allowed input length of ", ""},
    {Clue::What::kLimit, "maximum allowed length (", ""},
    {Clue::What::kLimit, "maximum input length of ", ""},
    {Clue::What::kLimit, "maximum length of ", ""},
    {Clue::What::kLimit, "maximum length ", ""},
    {Clue::What::kLimit, "maximum model length of ", ""},
    {Clue::What::kLimit, "max input length is ", ""},
    {Clue::What::kLimit, "input length should be [1, ", ""},
    {Clue::What::kLimit, "input length should be [0, ", ""},
    {Clue::What::kLimit, "must be <= ", ""},
    {Clue::What::kLimit, "must have less than ", ""},
    {Clue::What::kLimit, "max size: ", " tokens"},
    {Clue::What::kLimit, "limit of ", " tokens"},
    {Clue::What::kLimit, "maximum of ", " tokens"},
    {Clue::What::kAsked, "", " in the completion"},
    {Clue::What::kAsked, "", " for the completion"},
    {Clue::What::kAsked, "", " tokens for the completion"},
    {Clue::What::kAsked, "", " in the output"},
    {Clue::What::kAsked, "requested ", " output tokens"},
    {Clue::What::kAsked, "", " `max_new_tokens`"},
    {Clue::What::kAsked, "is too large: ", ""},
    {Clue::What::kTotal, "for a total of at least ", ""},
    {Clue::What::kTotal, "you requested a total of ", " tokens"},
    {Clue::What::kTotal, "you requested about ", " tokens"},
    {Clue::What::kTotal, "you requested ", " tokens"},
    {Clue::What::kTotal, "(requested: ", ""},
    {Clue::What::kTotal, "requested tokens (", ""},
    {Clue::What::kTotal, "total tokens (", ""},
    {Clue::What::kLimit, "only supports up to ", ""},
    {Clue::What::kPrompt, "prompt is too long: ", " tokens"},
    {Clue::What::kPrompt, "", " tokens from the input"},
    {Clue::What::kPrompt, "prompt (length ", ""},
    {Clue::What::kPrompt, "messages resulted in ", " tokens"},
    {Clue::What::kPrompt, "input token count (", ""},
    {Clue::What::kPrompt, "input token count is ", ""},
    {Clue::What::kPrompt, "prompt token count of ", ""},
    {Clue::What::kPrompt, "prompt contains at least ", ""},
    {Clue::What::kPrompt, "prompt contains ", ""},
    {Clue::What::kPrompt, "request contains ", ""},
    {Clue::What::kPrompt, "request has ", " input tokens"},
    {Clue::What::kPrompt, "request (", " tokens)"},
    {Clue::What::kPrompt, "input length ", ""},
    {Clue::What::kPrompt, "input length (", ""},
    {Clue::What::kPrompt, "(total length ", ""},
    {Clue::What::kPrompt, "keep the first ", " tokens"},
    {Clue::What::kPrompt, "supplied ", " tokens"},
    {Clue::What::kPrompt, "given: ", ""},
    {Clue::What::kPrompt, "input (", " tokens)"},
}};

bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != text.npos;
}

template <size_t N>
bool ContainsAny(std::string_view text, const std::array<std::string_view, N>& parts) {
  return std::any_of(parts.begin(), parts.end(), [text](std::string_view part) { return Contains(text, part); });
}

bool HasWording(std::string_view text, std::string_view wording) {
  while (true) {
    const size_t star = wording.find('*');
    const std::string_view piece = wording.substr(0, star);
    const size_t at = text.find(piece);
    if (at == text.npos) return false;
    if (star == wording.npos) return true;
    text.remove_prefix(at + piece.size());
    wording.remove_prefix(star + 1);
  }
}

bool IsDigit(char c) {
  return absl::ascii_isdigit(static_cast<unsigned char>(c));
}

struct Number {
  uint64_t value = 0;
  size_t begin = 0, end = 0;
};

// "131072" or "131,072". Those beyond 12 digits are none.
std::vector<Number> NumbersIn(std::string_view text) {
  std::vector<Number> numbers;
  for (size_t i = 0; i < text.size(); ++i) {
    if (!IsDigit(text[i])) continue;
    Number number{.begin = i};
    size_t digits = 0;
    const auto thousands = [&text](size_t at) {
      return text[at] == ',' && at + 3 < text.size() && IsDigit(text[at + 1]) && IsDigit(text[at + 2]) &&
             IsDigit(text[at + 3]) && (at + 4 == text.size() || !IsDigit(text[at + 4]));
    };
    for (; i < text.size() && (IsDigit(text[i]) || thousands(i)); ++i) {
      if (text[i] == ',' || ++digits > 12) continue;
      number.value = number.value * 10 + static_cast<uint64_t>(text[i] - '0');
    }
    number.end = i;
    if (digits <= 12) numbers.push_back(number);
  }
  return numbers;
}

struct Found {
  uint64_t prompt = 0, asked = 0, total = 0, limit = 0;
};

uint64_t* SlotOf(Clue::What what, Found* found) {
  switch (what) {
    case Clue::What::kPrompt:
      return &found->prompt;
    case Clue::What::kAsked:
      return &found->asked;
    case Clue::What::kTotal:
      return &found->total;
    case Clue::What::kLimit:
      return &found->limit;
  }
  return nullptr;
}

// Anthropic: "129647 + 8192 > 131072".
bool ReadSum(std::string_view text, const std::vector<Number>& numbers, Found* found) {
  for (size_t i = 0; i + 2 < numbers.size(); ++i) {
    const auto between = [&](size_t n) { return text.substr(numbers[n].end, numbers[n + 1].begin - numbers[n].end); };
    if (between(i) != " + " || between(i + 1) != " > ") continue;
    found->prompt = numbers[i].value;
    found->asked = numbers[i + 1].value;
    found->limit = numbers[i + 2].value;
    return true;
  }
  return false;
}

void ReadClues(std::string_view text, const std::vector<Number>& numbers, Found* found) {
  for (const Clue& clue : kClues) {
    uint64_t* slot = SlotOf(clue.what, found);
    for (const Number& number : numbers) {
      if (*slot != 0) break;
      if (text.substr(0, number.begin).ends_with(clue.before) && text.substr(number.end).starts_with(clue.after))
        *slot = number.value;
    }
  }
}

// Two numbers and nothing that tells them: what exceeds and what is exceeded.
void ReadPair(const std::vector<Number>& numbers, Found* found) {
  std::vector<uint64_t> values;
  for (const Number& number : numbers)
    if (number.value >= kLeastTokens && std::find(values.begin(), values.end(), number.value) == values.end())
      values.push_back(number.value);
  if (values.size() != 2) return;
  found->prompt = std::max(values[0], values[1]);
  found->limit = std::min(values[0], values[1]);
}

Found ReadNumbers(std::string_view text) {
  const std::vector<Number> numbers = NumbersIn(text);
  Found found;
  if (ReadSum(text, numbers, &found)) return found;
  ReadClues(text, numbers, &found);
  if (found.total > found.asked) found.prompt = std::max(found.prompt, found.total - found.asked);
  if (found.prompt == 0 && found.limit == 0) ReadPair(numbers, &found);
  // Numbers that fit say something else.
  if (found.prompt != 0 && found.limit != 0 && found.prompt + found.asked <= found.limit)
    found = {.limit = found.limit};
  return found;
}

// Words that mean it whoever says it: what is too long, that it is, and a number of tokens.
bool IsMeant(std::string_view text) {
  constexpr std::array<std::string_view, 9> kWhat = {"prompt",  "input",  "messages", "conversation", "sequence",
                                                     "request", "上下文", "输入",     "提示词"};
  constexpr std::array<std::string_view, 12> kExcess = {"exceed",      "too long",    "too large",    "too many",
                                                        "longer than", "larger than", "greater than", "over the limit",
                                                        "超过",        "超出",        "过长",         "超长"};
  constexpr std::array<std::string_view, 6> kContext = {"context length", "context window", "context size",
                                                        "context limit",  "上下文长度",     "上下文窗口"};
  constexpr std::array<std::string_view, 5> kAnswer = {"output tokens", "completion tokens", "max_tokens",
                                                       "max_completion_tokens", "max_output_tokens"};
  if (!ContainsAny(text, kExcess)) return false;
  if (ContainsAny(text, kContext)) return true;
  if (!Contains(text, "token") || !ContainsAny(text, kWhat) || ContainsAny(text, kAnswer)) return false;
  const std::vector<Number> numbers = NumbersIn(text);
  return std::any_of(numbers.begin(), numbers.end(), [](const Number& n) { return n.value >= kLeastTokens; });
}

bool IsCode(std::string_view code) {
  const std::string lower = absl::AsciiStrToLower(ToAbsl(code));
  return std::find(kCodes.begin(), kCodes.end(), lower) != kCodes.end();
}

bool IsOverflow(const AnswerError& error, std::string_view text) {
  if (error.kind == ErrorKind::kContext || IsCode(error.code) || IsCode(error.type)) return true;
  const bool other = error.status == 401 || error.status == 402 || error.status == 403 || error.status == 404 ||
                     error.status == 408 || error.status == 429 || error.status == 503 || error.status == 504 ||
                     error.status == 529;
  if (other || ContainsAny(text, kOthers)) return false;
  if (std::any_of(kWordings.begin(), kWordings.end(), [text](std::string_view w) { return HasWording(text, w); }))
    return true;
  return (error.status == 400 || error.status == 413 || error.status == 422) && IsMeant(text);
}

}  // namespace
}  // namespace overflow

bool ReadContextOverflow(AnswerError* error) {
  const std::string text =
      absl::AsciiStrToLower(ToAbsl(std::string_view(error->message).substr(0, overflow::kMaxMessage)));
  if (!overflow::IsOverflow(*error, text)) return false;
  error->kind = ErrorKind::kContext;
  const overflow::Found found = overflow::ReadNumbers(text);
  if (error->prompt_tokens == 0) error->prompt_tokens = found.prompt;
  if (error->asked == 0) error->asked = found.asked;
  if (error->limit == 0) error->limit = found.limit;
  return true;
}

}  // namespace ccr::proxy
