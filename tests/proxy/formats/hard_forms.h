// Texts that are hard to translate, without their size.
#pragma once

#include <string>
#include <vector>

namespace ccr::proxy {

// A form is a text in which <<ITEM>> stands for many of the item with commas between, <|ITEM|> for many without. In an
// item # is its number, and ~ its number from the end.
struct Form {
  std::string name;
  std::string text;
};

std::vector<Form> AnthropicRequests();
std::vector<Form> OpenAiRequests();

std::vector<Form> OpenAiAnswers();
std::vector<Form> AnthropicAnswers();
std::vector<Form> GeminiAnswers();

std::vector<Form> OpenAiStreams();
std::vector<Form> OpenAiFewStreams();  // for what is slow
std::vector<Form> AnthropicStreams();
std::vector<Form> GeminiStreams();

// Of calls, as models get them wrong.
std::vector<Form> Arguments();

// Beginnings of answers that may be errors.
std::vector<Form> Openings();

}  // namespace ccr::proxy
