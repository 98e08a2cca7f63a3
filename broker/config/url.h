// Checks of the URLs in a configuration.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "broker/base/address.h"

namespace ccr {

// What is wrong with `url` as an absolute URL of one of `schemes` ("http", ...), as a message that does not show it;
// empty when it is fine. User names and passwords in it are an error unless `allow_userinfo`.
std::string UrlProblem(std::string_view url, std::initializer_list<std::string_view> schemes, bool allow_userinfo);

// Where a URL of http or https leads, with the port of its scheme where it names none; nothing for other texts.
std::optional<HostPort> HostPortOf(std::string_view url);

// "/v1/messages" of "https://host/v1/messages?beta=true", without a final slash.
std::string_view UrlPath(std::string_view url);

// Whether a key that is sent there can be read on its way: http, and not to this machine or a name without a dot, as
// containers have.
bool IsReadableOnItsWay(std::string_view url);

// Whether both have one scheme, host and port as they are written, upper and lower case alike.
bool IsSameOrigin(std::string_view a, std::string_view b);

// Where a provider lists its models: ".../models" for ".../chat/completions", ".../messages", ".../responses" and
// Gemini's ".../models/". Empty for other URLs.
std::string ModelsUrl(std::string_view endpoint);

// The URL with its password, and query values whose name speaks of a key, token, secret or signature, as "(hidden)".
std::string HideUrlSecrets(std::string_view url);

}  // namespace ccr
