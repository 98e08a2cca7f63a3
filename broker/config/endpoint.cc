#include "broker/config/endpoint.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "broker/base/absl_text.h"
#include "broker/config/url.h"

namespace ccr {
namespace {

constexpr std::string_view kGoogle = "generativelanguage.googleapis.com";

std::string HostOf(std::string_view url) {
  const std::optional<HostPort> address = HostPortOf(url);
  return address ? absl::AsciiStrToLower(address->host) : "";
}

std::string_view LastSegment(std::string_view path) {
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

// "v1", "v4", "v1beta".
bool IsVersion(std::string_view segment) {
  return segment.size() > 1 && segment[0] == 'v' && absl::ascii_isdigit(static_cast<unsigned char>(segment[1]));
}

bool HasVersion(std::string_view path) {
  const std::vector<std::string> segments = absl::StrSplit(ToAbsl(path), '/');
  return std::any_of(segments.begin(), segments.end(), [](const std::string& segment) { return IsVersion(segment); });
}

// Takes away what is behind the base of an API and no endpoint for messages. False for a path that may be an endpoint.
bool CutToBase(std::string_view* path) {
  const bool legacy = path->ends_with("/completions") && !path->ends_with("/chat/completions");
  const std::string_view last = LastSegment(*path);
  if (legacy || last == "models" || (last == "chat" && IsVersion(LastSegment(path->substr(0, path->size() - 5))))) {
    path->remove_suffix(last.size() + 1);
    return true;
  }
  return last.empty() || last == "api" || last == "openai" || last == "anthropic" || IsVersion(last);
}

std::string_view EndOf(ProviderFormat format, bool anthropic) {
  if (format == ProviderFormat::kResponses) return "/responses";
  return format == ProviderFormat::kAnthropic || anthropic ? "/messages" : "/chat/completions";
}

// Scheme, host and port, as they are written.
std::string_view OriginOf(std::string_view url) {
  return url.substr(0, url.find_first_of("/?#", url.find("://") + 3));
}

}  // namespace

ProviderFormat FormatOfUrl(std::string_view url) {
  const std::string_view path = UrlPath(url);
  if (path.ends_with("/v1/messages")) return ProviderFormat::kAnthropic;
  if (path.ends_with("/responses")) return ProviderFormat::kResponses;
  if (path.ends_with("/v1beta/models")) return ProviderFormat::kGemini;
  return HostOf(url) == kGoogle && path.find("/openai") == path.npos ? ProviderFormat::kGemini
                                                                     : ProviderFormat::kOpenAi;
}

std::string_view FormatName(ProviderFormat format) {
  switch (format) {
    case ProviderFormat::kOpenAi:
      return "Chat Completions";
    case ProviderFormat::kAnthropic:
      return "Anthropic Messages";
    case ProviderFormat::kGemini:
      return "Gemini";
    case ProviderFormat::kResponses:
      return "Responses";
  }
  return "";
}

std::string LikelyEndpoint(std::string_view url, ProviderFormat format) {
  std::string_view path = UrlPath(url);
  const std::string origin(OriginOf(url));
  if (format == ProviderFormat::kGemini)
    return path.empty() && HostOf(url) == kGoogle ? origin + "/v1beta/models/" : "";
  if (!CutToBase(&path)) return "";
  const bool anthropic = LastSegment(path) == "anthropic" || HostOf(url) == "api.anthropic.com";
  return absl::StrCat(origin, ToAbsl(path), HasVersion(path) ? "" : "/v1", ToAbsl(EndOf(format, anthropic)));
}

std::string DescribeEndpoint(const ProviderConfig& provider) {
  const std::string url = HideUrlSecrets(provider.base_url);
  if (provider.format != ProviderFormat::kGemini) return "POST " + url;
  const size_t query = std::min(url.find('?'), url.size());
  std::string_view base = std::string_view(url).substr(0, query);
  while (base.ends_with('/')) base.remove_suffix(1);
  return absl::StrCat("POST ", ToAbsl(base), base.ends_with("/models") ? "" : "/models", "/MODEL:generateContent");
}

}  // namespace ccr
