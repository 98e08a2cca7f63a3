// From the base of an API, as other systems keep it, to the full endpoint that ccr wants.
#pragma once

#include <string>
#include <string_view>

namespace ccr::cli::migration {

// `base` without final slashes, and `path` ("/chat/completions"), unless it ends in it already.
std::string Joined(std::string_view base, std::string_view path);

// Azure's v1 API of the resource that any of its URLs belongs to; the model is the name of the deployment
// (github.com/openai/openai-node docs/azure.md).
std::string AzureEndpoint(std::string_view url);

// A name for a provider at `url`: its host, with the port where one is written. Empty for what is no URL.
std::string HostName(std::string_view url);

}  // namespace ccr::cli::migration
