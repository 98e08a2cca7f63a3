#include "broker/config/endpoint.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "broker/base/absl_text.h"
#include "broker/config/rules.h"
#include "broker/config/url.h"

namespace ccr {
namespace {

constexpr std::string_view kGoogle = "generativelanguage.googleapis.com";
constexpr std::string_view kChat = "/chat/completions", kMessages = "/messages", kResponses = "/responses";

// What APIs have beside their endpoint for chats, or behind it.
constexpr std::string_view kBeside[] = {"/embeddings",   "/moderations",          "/rerank",
                                        "/images/edits", "/images/generations",   "/audio/speech",
                                        "/files",        "/audio/transcriptions", "/audio/translations",
                                        "/batches",      "/count_tokens",         "/input_tokens",
                                        "/compact"};

// Hosts whose paths have no version: a pattern, and where their API is.
struct Unversioned {
  std::string_view host, base;
};
constexpr Unversioned kUnversioned[] = {{"api.githubcopilot.com", ""},
                                        {"api.*.githubcopilot.com", ""},
                                        {"api.perplexity.ai", ""},
                                        {"models.inference.ai.azure.com", ""},
                                        {"models.github.ai", "/inference"}};

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

// The base of an API.
struct Base {
  std::string_view path;
  bool is_whole = false;  // with the version, where there is one
};

// That of a path which is no endpoint for chats. Nothing for one that may be an endpoint.
std::optional<Base> BaseOf(std::string_view path) {
  for (const std::string_view end : kBeside) {
    if (path.ends_with(end)) return Base{path.substr(0, path.size() - end.size()), true};
  }
  const std::string_view last = LastSegment(path);
  const std::string_view before = path.substr(0, path.size() - std::min(path.size(), last.size() + 1));
  if (last == "completions" && !path.ends_with(kChat)) return Base{before, !before.empty()};
  if (last == "models" || (last == "chat" && IsVersion(LastSegment(before)))) return Base{before};
  if (last.empty() || last == "api" || last == "openai" || last == "inference" || last == "anthropic" ||
      IsVersion(last))
    return Base{path};
  return std::nullopt;
}

bool IsEndpoint(std::string_view path) {
  return path.ends_with(kChat) || path.ends_with(kMessages) || path.ends_with(kResponses);
}

std::string_view EndOf(ProviderFormat format, bool anthropic) {
  if (format == ProviderFormat::kResponses) return kResponses;
  return format == ProviderFormat::kAnthropic || anthropic ? kMessages : kChat;
}

const Unversioned* FindUnversioned(std::string_view host) {
  const auto* const found = std::find_if(std::begin(kUnversioned), std::end(kUnversioned),
                                         [host](const Unversioned& known) { return MatchesName(known.host, host); });
  return found == std::end(kUnversioned) ? nullptr : found;
}

// Scheme, host and port, as they are written.
std::string_view OriginOf(std::string_view url) {
  return url.substr(0, url.find_first_of("/?#", url.find("://") + 3));
}

bool Holds(std::string_view text, std::string_view part) {
  return text.find(part) != text.npos;
}

// The path of Gemini's models, in that of one of them or of them all. Empty for another path.
std::string_view GooglesModels(std::string_view host, std::string_view path, ProviderFormat format) {
  constexpr std::string_view kModels = "/models";
  const size_t at = path.rfind(kModels);
  if (at == path.npos || Holds(path, "/openai")) return "";
  const std::string_view behind = path.substr(at + kModels.size());
  const bool is_method =
      behind.starts_with('/') && (behind.ends_with(":generateContent") || behind.ends_with(":streamGenerateContent"));
  const bool is_list =
      behind.empty() && format != ProviderFormat::kGemini && (host == kGoogle || Holds(path, "google"));
  return is_method || is_list ? path.substr(0, at + kModels.size()) : "";
}

// Of Vertex AI: but for Gemini's models, only the path of a project's OpenAI-like endpoint.
bool IsVertex(std::string_view host) {
  return host == "aiplatform.googleapis.com" || host.ends_with("-aiplatform.googleapis.com");
}

std::string LikelyPath(std::string_view host, const Base& base, ProviderFormat format) {
  if (IsEndpoint(base.path)) return std::string(base.path);
  const bool anthropic =
      base.path.ends_with("/anthropic") || base.path.ends_with("/anthropic/v1") || host == "api.anthropic.com";
  const std::string_view end = EndOf(format, anthropic);
  if (const Unversioned* known = FindUnversioned(host))
    return absl::StrCat(ToAbsl(base.path.ends_with(known->base) ? base.path : known->base), ToAbsl(end));
  return absl::StrCat(ToAbsl(base.path), base.is_whole || HasVersion(base.path) ? "" : "/v1", ToAbsl(end));
}

// What is probably meant, or "" where that cannot be told. Nothing where the URL may be an endpoint.
std::optional<std::string> LikelyEndpoint(std::string_view url, ProviderFormat format) {
  const std::string host = HostOf(url);
  const std::string_view path = UrlPath(url);
  const std::string origin(OriginOf(url));
  const std::string_view models = GooglesModels(host, path, format);
  const bool is_gemini = format == ProviderFormat::kGemini;
  if (!models.empty())
    return absl::StrCat(origin, ToAbsl(models), is_gemini ? "" : " with transformer: {use: [\"gemini\"]}");
  if (is_gemini) return path.empty() && host == kGoogle ? std::optional(origin + "/v1beta/models/") : std::nullopt;
  if (IsVertex(host) && path.ends_with("/endpoints/openapi")) return absl::StrCat(origin, ToAbsl(path), ToAbsl(kChat));
  const std::optional<Base> base = BaseOf(path);
  if (!base) return std::nullopt;
  return IsVertex(host) ? "" : origin + LikelyPath(host, *base, format);
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

std::string EndpointProblem(std::string_view url, ProviderFormat format) {
  const std::optional<std::string> likely = LikelyEndpoint(url, format);
  if (!likely) return "";
  return absl::StrCat("is no endpoint for chats, and requests go to this very URL: write the full one",
                      likely->empty() ? "" : absl::StrCat("; did you mean ", *likely, "?"));
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
