// What a provider's api_base_url says: which format is spoken there, and whether requests can go there at all.
#pragma once

#include <string>
#include <string_view>

#include "broker/config/config.h"

namespace ccr {

// By the URL alone: Anthropic's Messages for .../v1/messages, the Responses API for .../responses, Gemini's for
// .../v1beta/models and for Google's host outside /openai, else Chat Completions.
ProviderFormat FormatOfUrl(std::string_view url);

// "Chat Completions", "Anthropic Messages", "Gemini", "Responses".
std::string_view FormatName(ProviderFormat format);

// What is wrong with a URL that is no endpoint for chats (the base of an API, its list of models, its /embeddings),
// with the one that is probably meant where that can be told, without query. Empty where it may be one.
std::string EndpointProblem(std::string_view url, ProviderFormat format);

// Where requests go, secrets hidden: "POST https://HOST/v1/messages"; Gemini's with MODEL in it.
std::string DescribeEndpoint(const ProviderConfig& provider);

}  // namespace ccr
