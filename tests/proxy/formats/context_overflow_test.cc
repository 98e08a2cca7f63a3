#include "proxy/formats/conversation/context_overflow.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ccr::proxy {
namespace {

struct Overflow {
  std::string vendor;
  int status;
  std::string code, message;
  uint64_t prompt, asked, limit;
};

const std::vector<Overflow>& Overflows() {
  static const std::vector<Overflow> kOverflows = {
      {"DeepSeek", 400, "invalid_request_error",
       "This model's maximum context length is 131072 tokens. However, you requested 137839 tokens (129647 in the "
       "messages, 8192 in the completion). Please reduce the length of the messages or completion.",
       129647, 8192, 131072},
      {"OpenAI", 400, "context_length_exceeded",
       "This model's maximum context length is 4097 tokens. However, your messages resulted in 4294 tokens. Please "
       "reduce the length of the messages.",
       4294, 0, 4097},
      {"OpenAI, functions", 400, "context_length_exceeded",
       "This model's maximum context length is 8192 tokens. However, you requested 8213 tokens (6683 in the messages, "
       "730 in the functions, and 800 in the completion).",
       7413, 800, 8192},
      {"OpenAI, completions", 400, "",
       "This model's maximum context length is 8191 tokens, however you requested 8238 tokens (8238 in your prompt; 0 "
       "for the completion). Please reduce your prompt; or completion length.",
       8238, 0, 8191},
      {"OpenAI Responses", 400, "context_length_exceeded",
       "Your input exceeds the context window of this model. Please adjust your input and try again.", 0, 0, 0},
      {"OpenAI Responses, as now worded", 400, "", "Your input exceeds this model's context window.", 0, 0, 0},
      {"Azure", 400, "context_length_exceeded",
       "This model's maximum context length is 128000 tokens. However, your messages resulted in 130112 tokens "
       "(129000 in the messages, 1112 in the functions). Please reduce the length of the messages or functions.",
       130112, 0, 128000},
      {"Anthropic", 400, "", "prompt is too long: 213462 tokens > 200000 maximum", 213462, 0, 200000},
      {"Anthropic, both", 400, "",
       "input length and `max_tokens` exceed context limit: 199759 + 8192 > 200000, decrease input length or "
       "`max_tokens` and try again",
       199759, 8192, 200000},
      {"Bedrock", 400, "", "Input is too long for requested model.", 0, 0, 0},
      {"Gemini", 400, "INVALID_ARGUMENT",
       "The input token count (1196265) exceeds the maximum number of tokens allowed (1048575).", 1196265, 0, 1048575},
      {"Vertex", 400, "INVALID_ARGUMENT",
       "The input token count is 1196265 but the input token count exceeds the maximum number of tokens allowed "
       "1048575.",
       1196265, 0, 1048575},
      {"Vertex", 400, "INVALID_ARGUMENT",
       "Unable to submit request because the input token count is 40000 but model only supports up to 32768.", 40000, 0,
       32768},
      {"OpenRouter", 400, "",
       "This endpoint's maximum context length is 131072 tokens. However, you requested about 132463 tokens (1463 of "
       "text input, 131000 in the output). Please reduce the length of either one.",
       1463, 131000, 131072},
      {"OpenRouter, tools", 400, "",
       "This endpoint's maximum context length is 1048576 tokens. However, you requested about 1293741 tokens (1227853 "
       "of text input, 353 of tool input, 65535 in the output).",
       1228206, 65535, 1048576},
      {"OpenRouter, of a provider", 400, "",
       "Provider returned error: {\"error\":{\"message\":\"This model's maximum context length is 262144 tokens. "
       "However, your messages resulted in 262897 tokens.\",\"code\":400}}",
       262897, 0, 262144},
      {"Poolside", 400, "", "Input length 131393 exceeds the maximum allowed input length of 131040 tokens.", 131393, 0,
       131040},
      {"xAI", 400, "", "This model's maximum prompt length is 131072 but the request contains 136973 tokens.", 136973,
       0, 131072},
      {"Groq", 400, "context_length_exceeded", "Please reduce the length of the messages or completion.", 0, 0, 0},
      {"Mistral", 400, "3051",
       "Prompt contains 65673 tokens and 0 draft tokens, too large for model with 32768 maximum context length", 65673,
       0, 32768},
      {"Moonshot", 400, "invalid_request_error",
       "Invalid request: Your request exceeded model token limit: 262144 (requested: 269030)", 269030, 0, 262144},
      {"Moonshot, earlier", 400, "", "model max length exceeded, max length:8192", 0, 0, 8192},
      {"Zhipu", 400, "1261", "Prompt exceeds max length", 0, 0, 0},
      {"Zhipu, in Chinese", 400, "1261", "Prompt 超长", 0, 0, 0},
      {"DashScope", 400, "invalid_parameter_error",
       "<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 204800]", 0, 0, 204800},
      {"MiniMax", 400, "", "invalid params, context window exceeds limit (2013)", 0, 0, 0},
      {"Volcengine", 400, "InvalidParameter", "Input length 203743 exceeds the maximum length 202752", 203743, 0,
       202752},
      {"vLLM", 400, "",
       "This model's maximum context length is 262144 tokens. However, you requested 128000 output tokens and your "
       "prompt contains at least 134145 input tokens, for a total of at least 262145 tokens. Please reduce the length "
       "of the input prompt or the number of requested output tokens. (parameter=input_tokens, value=134145)",
       134145, 128000, 262144},
      {"vLLM, max_tokens", 400, "",
       "'max_tokens' or 'max_completion_tokens' is too large: 32000. This model's maximum context length is 32768 "
       "tokens and your request has 4012 input tokens (32000 > 32768 - 4012).",
       4012, 32000, 32768},
      {"SGLang", 400, "", "Input length (160062 tokens) exceeds the maximum allowed length (59862 tokens).", 160062, 0,
       59862},
      {"SGLang, of both", 400, "",
       "Requested token count exceeds the model's maximum context length of 65536 tokens. You requested a total of "
       "70000 tokens: 60000 tokens from the input messages and 10000 tokens for the completion. Please reduce the "
       "number of tokens in the input messages or the completion to fit within the limit.",
       60000, 10000, 65536},
      {"vLLM, earlier", 400, "",
       "The decoder prompt (length 5000) is longer than the maximum model length of 4096. Make sure that "
       "`max_model_len` is no smaller than the number of text tokens.",
       5000, 0, 4096},
      {"SGLang, the model's", 400, "",
       "The input (41200 tokens) is longer than the model's context length (40960 tokens).", 41200, 0, 40960},
      {"llama.cpp", 400, "",
       "request (14429 tokens) exceeds the available context size (8192 tokens), try increasing it", 14429, 0, 8192},
      {"llama.cpp, by its type", 500, "exceed_context_size_error", "the request is refused", 0, 0, 0},
      {"llama-cpp-python", 500, "", "Requested tokens (3516) exceed context window of 2048", 3516, 0, 2048},
      {"Ollama", 400, "", "the input length exceeds the context length", 0, 0, 0},
      {"LM Studio", 400, "",
       "Trying to keep the first 111490 tokens when context the overflows. However, the model is loaded with context "
       "length of only 32768 tokens, which is not enough.",
       111490, 0, 32768},
      {"TGI", 422, "",
       "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 4500 `inputs` tokens and "
       "512 `max_new_tokens`",
       4500, 512, 4096},
      {"GitHub Copilot", 400, "model_max_prompt_tokens_exceeded",
       "prompt token count of 133027 exceeds the limit of 128000", 133027, 0, 128000},
      {"GitHub Models", 413, "tokens_limit_reached", "Request body too large for gpt-4o model. Max size: 8000 tokens.",
       0, 0, 8000},
      {"with commas", 400, "", "prompt is too long: 213,462 tokens > 200,000 maximum", 213462, 0, 200000},
      {"who is not known", 400, "", "Your conversation has 70,211 tokens, which is larger than the 65,536 allowed.",
       70211, 0, 65536},
      {"who is not known, in Chinese", 400, "", "输入 token 数 70211 超过模型上限 65536", 70211, 0, 65536},
  };
  return kOverflows;
}

TEST(ContextOverflowTest, VendorsSayItInTheirOwnWords) {
  for (const Overflow& one : Overflows()) {
    AnswerError error;
    error.status = one.status;
    error.kind = ErrorKind::kInvalid;
    error.code = one.code;
    error.message = one.message;
    EXPECT_TRUE(ReadContextOverflow(&error)) << one.vendor;
    EXPECT_EQ(error.kind, ErrorKind::kContext) << one.vendor;
    EXPECT_EQ(error.prompt_tokens, one.prompt) << one.vendor;
    EXPECT_EQ(error.asked, one.asked) << one.vendor;
    EXPECT_EQ(error.limit, one.limit) << one.vendor;
    EXPECT_EQ(error.message, one.message);
  }
}

TEST(ContextOverflowTest, OtherErrorsAreNone) {
  struct Other {
    int status;
    std::string code, message;
  };
  for (const Other& one : std::vector<Other>{
           {429, "rate_limit_exceeded", "Rate limit reached: too many tokens per minute. Limit 30000, requested 31000"},
           {413, "rate_limit_exceeded",
            "Request too large for model `m` on tokens per minute (TPM): Limit 6000, Requested 9000, please reduce "
            "your message size and try again."},
           {400, "", "This request exceeds the limit of 30000 tokens per minute"},
           {429, "", "This request would exceed your organization's rate limit of 30,000 input tokens per minute"},
           {402, "",
            "This request requires more credits, or fewer max_tokens. You requested up to 32000 tokens, but "
            "can only afford 1000."},
           {400, "", "max_tokens: 100000 > 8192, which is the maximum allowed number of output tokens for m"},
           {400, "", "max_tokens is too large: 100000. This model supports at most 16384 completion tokens"},
           {400, "", "Invalid max_tokens value, the valid range of max_tokens is [1, 8192]"},
           {400, "", "`max_tokens` must be greater than `thinking.budget_tokens`: 1000, 2048 tokens"},
           {400, "", "temperature: 3 exceeds the maximum 2"},
           {400, "", "tools.0.name: too long, 200 characters exceed the maximum of 64"},
           {504, "", "context deadline exceeded"},
           {500, "", "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"},
           {400, "", "For context, the request is not valid: 12345"},
           {413, "request_too_large", "Request exceeds the maximum allowed number of bytes: 33554432"},
           {401, "", "Incorrect API key provided"},
           {400, "", "messages.0.content.0.image.source: image exceeds 5 MB maximum: 7340032 bytes > 5242880 bytes"},
           {429, "insufficient_quota", "You exceeded your current quota of 1000000 input tokens"},
           {400, "", ""}}) {
    AnswerError error;
    error.status = one.status;
    error.kind = ErrorKind::kInvalid;
    error.code = one.code;
    error.message = one.message;
    EXPECT_FALSE(ReadContextOverflow(&error)) << one.message;
    EXPECT_EQ(error.kind, ErrorKind::kInvalid);
    EXPECT_EQ(error.prompt_tokens + error.asked + error.limit, 0);
  }
}

TEST(ContextOverflowTest, WhatIsKnownAlreadyStays) {
  AnswerError error;
  error.kind = ErrorKind::kContext;
  error.prompt_tokens = 7;
  error.message = "prompt is too long: 213462 tokens > 200000 maximum";
  EXPECT_TRUE(ReadContextOverflow(&error));
  EXPECT_EQ(error.prompt_tokens, 7);
  EXPECT_EQ(error.limit, 200000);
}

TEST(ContextOverflowTest, AMessageMayBeAnything) {
  struct Odd {
    std::string message;
    bool overflow;
    uint64_t prompt, limit;
  };
  const std::string digits(100000, '9');
  const std::string filler(8192, 'x');
  for (const Odd& one : std::vector<Odd>{{digits, false, 0, 0},
                                         {std::string(100000, '('), false, 0, 0},
                                         {"1,,2,,,333,4444", false, 0, 0},
                                         {"maximum context length is ", true, 0, 0},
                                         {"maximum context length is " + digits, true, 0, 0},
                                         {"maximum context length is 1,,2,333,4444 tokens", true, 0, 1},
                                         {std::string("\0\xff maximum context length", 25), true, 0, 0},
                                         {"prompt is too long: 1234567890123 tokens > 200000 maximum", true, 0, 200000},
                                         {"prompt is too long: 999999999999 tokens > 1 maximum", true, 999999999999, 1},
                                         {filler + " prompt is too long: 300 tokens > 256 maximum", false, 0, 0},
                                         {"prompt is too long: 300 tokens > 256 maximum" + filler, true, 300, 256}}) {
    AnswerError error;
    error.status = 400;
    error.message = one.message;
    EXPECT_EQ(ReadContextOverflow(&error), one.overflow) << one.message.substr(0, 80);
    EXPECT_EQ(error.kind, one.overflow ? ErrorKind::kContext : ErrorKind::kUpstream);
    EXPECT_EQ(error.prompt_tokens, one.prompt) << one.message.substr(0, 80);
    EXPECT_EQ(error.limit, one.limit) << one.message.substr(0, 80);
    EXPECT_EQ(error.asked, 0);
    EXPECT_EQ(error.message, one.message);
  }
}

}  // namespace
}  // namespace ccr::proxy
