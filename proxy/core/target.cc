#include "proxy/core/target.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "proxy/core/ascii.h"
#include "proxy/core/percent.h"

namespace ccr::proxy {
namespace {

constexpr std::string_view kPassthroughPrefix = "/p/";
constexpr std::string_view kModelPrefix = "/v1/models/";
constexpr std::string_view kGeminiModelPrefix = "/v1beta/models/";
constexpr std::string_view kGeminiModels = "/models";

struct Entry {
  std::string_view path;
  Endpoint endpoint;
  bool post;
};

constexpr std::array<Entry, 9> kEntries = {{
    {"/v1/messages", Endpoint::kMessages, true},
    {"/v1/messages/count_tokens", Endpoint::kCountTokens, true},
    {"/v1/chat/completions", Endpoint::kChatCompletions, true},
    {"/v1/responses", Endpoint::kResponses, true},
    {"/v1/embeddings", Endpoint::kEmbeddings, true},
    {"/v1/models", Endpoint::kModels, false},
    {"/v1beta/models", Endpoint::kGeminiModels, false},
    {"/", Endpoint::kRoot, false},
    {"/health", Endpoint::kHealth, false},
}};

struct GeminiEntry {
  std::string_view method;
  Endpoint endpoint;
};

constexpr std::array<GeminiEntry, 3> kGeminiEntries = {{
    {"generateContent", Endpoint::kGenerate},
    {"streamGenerateContent", Endpoint::kStreamGenerate},
    {"countTokens", Endpoint::kGeminiCount},
}};

// What a provider's endpoint URL may end in. An endpoint's own name is all of these that a sibling replaces.
constexpr std::array<std::string_view, 4> kKnownEnds = {"/chat/completions", "/messages", "/responses", "/embeddings"};

bool IsGet(std::string_view method) {
  return method == "GET" || method == "HEAD";
}

bool IsPassthroughMethod(std::string_view method) {
  return IsGet(method) || method == "POST" || method == "PUT" || method == "PATCH" || method == "DELETE";
}

Target NotAllowed(std::string_view query, std::string_view allow) {
  Target target;
  target.endpoint = Endpoint::kMethodNotAllowed;
  target.query = query;
  target.allow = allow;
  return target;
}

Target ParsePassthrough(std::string_view method, std::string_view path, std::string_view query) {
  Target target;
  target.query = query;
  path.remove_prefix(kPassthroughPrefix.size());
  const size_t slash = std::min(path.find('/'), path.size());
  const std::optional<std::string> provider = PercentDecode(path.substr(0, slash));
  if (!provider.has_value() || provider->empty()) return target;
  if (!IsPassthroughMethod(method)) return NotAllowed(query, "GET, HEAD, POST, PUT, PATCH, DELETE");
  target.endpoint = Endpoint::kPassthrough;
  target.provider = *provider;
  if (slash < path.size()) target.rest = std::string(path.substr(slash + 1));
  return target;
}

// "MODEL", or "MODEL:METHOD" of Gemini's API. `path` is what follows /models/.
Target ParseModelPath(std::string_view method, std::string_view path, std::string_view query, Endpoint page) {
  const size_t colon = path.rfind(':');
  Target target;
  target.query = query;
  if (colon != path.npos) {
    for (const GeminiEntry& entry : kGeminiEntries)
      if (entry.method == path.substr(colon + 1)) target.endpoint = entry.endpoint;
  }
  const bool call = target.endpoint != Endpoint::kNotFound;
  const std::optional<std::string> model = PercentDecode(call ? path.substr(0, colon) : path);
  if (!model.has_value() || model->empty() || (!call && !IsGet(method) && colon != path.npos)) return Target();
  if (call ? method != "POST" : !IsGet(method)) return NotAllowed(query, call ? "POST" : "GET, HEAD");
  if (!call) target.endpoint = page;
  target.model = *model;
  return target;
}

std::string_view KnownEnd(std::string_view path) {
  for (const std::string_view end : kKnownEnds) {
    if (path.ends_with(end)) return end;
  }
  return {};
}

std::string_view EndOf(Endpoint endpoint) {
  switch (endpoint) {
    case Endpoint::kMessages:
      return "/messages";
    case Endpoint::kCountTokens:
      return "/messages/count_tokens";
    case Endpoint::kChatCompletions:
      return "/chat/completions";
    case Endpoint::kResponses:
      return "/responses";
    case Endpoint::kEmbeddings:
      return "/embeddings";
    case Endpoint::kModels:
      return "/models";
    default:
      return {};
  }
}

bool IsVersion(std::string_view segment) {
  return segment.size() >= 2 && segment[0] == 'v' && absl::ascii_isdigit(static_cast<unsigned char>(segment[1]));
}

// Whether a server could take the segment for "." or "..", with path parameters ("..;x") or without.
bool IsDots(std::string_view segment) {
  const std::string_view name = segment.substr(0, segment.find(';'));
  return name == "." || name == "..";
}

// `rest` with its encoding resolved once or more. Empty segments are wrong but for the last: "models/" is a path.
bool SegmentsStayInside(std::string_view rest) {
  for (size_t begin = 0; begin <= rest.size();) {
    const size_t end = std::min(rest.find('/', begin), rest.size());
    const std::string_view segment = rest.substr(begin, end - begin);
    if (IsDots(segment) || (segment.empty() && end < rest.size())) return false;
    begin = end + 1;
  }
  return true;
}

bool IsUnsafeByte(char c) {
  return static_cast<unsigned char>(c) <= 0x20 || c == 0x7F || c == '\\';
}

// Looks through three layers of encoding: one for each server that may sit behind the next.
bool RestIsSafe(std::string_view rest) {
  if (rest.find_first_of("?#") != rest.npos || std::any_of(rest.begin(), rest.end(), IsUnsafeByte)) return false;
  std::string layer(rest);
  for (int i = 0; i < 3; ++i) {
    if (!SegmentsStayInside(layer)) return false;
    std::optional<std::string> decoded = PercentDecode(layer);
    if (!decoded.has_value()) return false;
    layer = *std::move(decoded);
    const auto unsafe = [](char c) { return c != ' ' && IsUnsafeByte(c); };
    if (std::any_of(layer.begin(), layer.end(), unsafe)) return false;
  }
  return SegmentsStayInside(layer);
}

std::string_view NameOf(std::string_view parameter) {
  return parameter.substr(0, parameter.find('='));
}

bool HasParameter(std::string_view query, std::string_view name) {
  for (size_t begin = 0; begin < query.size();) {
    const size_t end = std::min(query.find('&', begin), query.size());
    if (NameOf(query.substr(begin, end - begin)) == name) return true;
    begin = end + 1;
  }
  return false;
}

void AppendParameter(std::string_view parameter, std::string* query) {
  if (parameter.empty()) return;
  *query += query->empty() ? '?' : '&';
  *query += parameter;
}

// "?..." or nothing: the base's parameters that the client does not give, then the client's.
std::string JoinQueries(std::string_view base, std::string_view client) {
  std::string query;
  for (size_t begin = 0; begin < base.size();) {
    const size_t end = std::min(base.find('&', begin), base.size());
    const std::string_view parameter = base.substr(begin, end - begin);
    if (!HasParameter(client, NameOf(parameter))) AppendParameter(parameter, &query);
    begin = end + 1;
  }
  AppendParameter(client, &query);
  return query;
}

absl::StatusOr<std::string> PassthroughPath(std::string_view root, std::string_view rest) {
  if (!RestIsSafe(rest)) {
    return absl::InvalidArgumentError(
        "the path behind /p/PROVIDER/ must not hold dot segments, empty segments or control characters");
  }
  while (root.ends_with('/')) root.remove_suffix(1);
  if (rest.empty()) return std::string(root);
  const std::string_view first = rest.substr(0, rest.find('/'));
  const std::string_view last = root.substr(root.rfind('/') + 1);
  if (IsVersion(first) && first == last) root.remove_suffix(last.size() + 1);
  return std::string(root).append("/").append(rest);
}

absl::StatusOr<std::string> EndpointPath(std::string_view path, Endpoint endpoint) {
  const std::string_view wanted = EndOf(endpoint);
  if (wanted.empty()) return absl::InvalidArgumentError("this endpoint is not forwarded");
  std::string_view trimmed = path;
  while (trimmed.ends_with('/')) trimmed.remove_suffix(1);
  const std::string_view end = KnownEnd(trimmed);
  if (end == wanted) return std::string(path);
  if (!end.empty()) return std::string(trimmed.substr(0, trimmed.size() - end.size())).append(wanted);
  if (endpoint == Endpoint::kMessages || endpoint == Endpoint::kChatCompletions) return std::string(path);
  return absl::InvalidArgumentError(
      absl::StrCat("the provider's api_base_url does not end in an endpoint that has a sibling ",
                   absl::string_view(wanted.data(), wanted.size()), "; use /p/PROVIDER/ for it"));
}

struct SplitUrl {
  std::string_view path;  // with scheme and host, without final slashes
  std::string_view query;
};

SplitUrl Split(std::string_view url) {
  url = url.substr(0, url.find('#'));
  const size_t mark = std::min(url.find('?'), url.size());
  SplitUrl split{url.substr(0, mark), mark < url.size() ? url.substr(mark + 1) : std::string_view()};
  while (split.path.ends_with('/')) split.path.remove_suffix(1);
  return split;
}

void AppendSegment(std::string_view text, std::string* url) {
  constexpr char kUpperHex[] = "0123456789ABCDEF";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (absl::ascii_isalnum(byte) || c == '-' || c == '.' || c == '_' || c == '~') {
      *url += c;
    } else {
      *url += '%';
      *url += kUpperHex[byte >> 4];
      *url += kUpperHex[byte & 15];
    }
  }
}

// Takes "http://AUTHORITY" off an absolute-form target; a path or a query is left, or nothing.
std::string_view TakeAuthority(std::string_view* target) {
  const size_t scheme = target->find("://");
  if (scheme == target->npos) return {};
  const std::string_view name = target->substr(0, scheme);
  if (!SameWithoutCase(name, "http") && !SameWithoutCase(name, "https")) return {};
  const size_t begin = scheme + 3;
  const size_t end = std::min(target->find_first_of("/?#", begin), target->size());
  const std::string_view authority = target->substr(begin, end - begin);
  if (authority.empty()) return {};
  target->remove_prefix(end);
  return authority;
}

Target ParsePath(std::string_view method, std::string_view path, std::string_view query) {
  if (path.starts_with(kPassthroughPrefix)) return ParsePassthrough(method, path, query);
  for (const auto& [prefix, page] :
       {std::pair(kModelPrefix, Endpoint::kModel), std::pair(kGeminiModelPrefix, Endpoint::kGeminiModel)}) {
    if (path.starts_with(prefix)) return ParseModelPath(method, path.substr(prefix.size()), query, page);
  }
  Target result;
  result.query = query;
  for (const Entry& entry : kEntries) {
    if (entry.path != path) continue;
    if (entry.post ? method != "POST" : !IsGet(method)) return NotAllowed(query, entry.post ? "POST" : "GET, HEAD");
    result.endpoint = entry.endpoint;
  }
  return result;
}

}  // namespace

std::string_view EndpointName(Endpoint endpoint) {
  switch (endpoint) {
    case Endpoint::kMessages:
      return "messages";
    case Endpoint::kCountTokens:
      return "count_tokens";
    case Endpoint::kChatCompletions:
      return "chat_completions";
    case Endpoint::kResponses:
      return "responses";
    case Endpoint::kEmbeddings:
      return "embeddings";
    case Endpoint::kModels:
      return "models";
    case Endpoint::kModel:
      return "model";
    case Endpoint::kGenerate:
      return "generate_content";
    case Endpoint::kStreamGenerate:
      return "stream_generate_content";
    case Endpoint::kGeminiCount:
      return "gemini_count_tokens";
    case Endpoint::kGeminiModels:
      return "gemini_models";
    case Endpoint::kGeminiModel:
      return "gemini_model";
    case Endpoint::kRoot:
      return "root";
    case Endpoint::kHealth:
      return "health";
    case Endpoint::kPassthrough:
      return "passthrough";
    case Endpoint::kNotFound:
    case Endpoint::kMethodNotAllowed:
      break;
  }
  return "other";
}

Target ParseTarget(std::string_view method, std::string_view target) {
  const std::string_view authority = TakeAuthority(&target);
  const size_t mark = std::min(target.find('?'), target.size());
  std::string_view path = target.substr(0, mark);
  if (path.empty() && !authority.empty()) path = "/";
  Target result = ParsePath(method, path, mark < target.size() ? target.substr(mark + 1) : std::string_view());
  result.authority = authority;
  return result;
}

absl::StatusOr<std::string> UpstreamUrl(std::string_view base_url, Endpoint endpoint, const Target& target) {
  base_url = base_url.substr(0, base_url.find('#'));
  const size_t mark = std::min(base_url.find('?'), base_url.size());
  const std::string_view path = base_url.substr(0, mark);
  const std::string_view base_query = mark < base_url.size() ? base_url.substr(mark + 1) : std::string_view();

  std::string_view root = path;
  while (root.ends_with('/')) root.remove_suffix(1);
  root.remove_suffix(KnownEnd(root).size());
  absl::StatusOr<std::string> url =
      endpoint == Endpoint::kPassthrough ? PassthroughPath(root, target.rest) : EndpointPath(path, endpoint);
  if (url.ok()) *url += JoinQueries(base_query, target.query);
  return url;
}

std::string GeminiUrl(std::string_view base_url, std::string_view model, std::string_view method,
                      std::string_view query) {
  const SplitUrl base = Split(base_url);
  std::string url(base.path);
  if (!base.path.ends_with(kGeminiModels)) url += kGeminiModels;
  url += '/';
  AppendSegment(model, &url);
  url.append(":").append(method);
  return url += JoinQueries(base.query, query);
}

std::string_view GeminiMethod(Endpoint endpoint) {
  for (const GeminiEntry& entry : kGeminiEntries)
    if (entry.endpoint == endpoint) return entry.method;
  return {};
}

absl::StatusOr<std::string> GeminiPassthroughUrl(std::string_view base_url, const Target& target) {
  const SplitUrl base = Split(base_url);
  std::string_view path = base.path;
  if (path.ends_with(kGeminiModels)) path.remove_suffix(kGeminiModels.size());
  absl::StatusOr<std::string> url = PassthroughPath(path, target.rest);
  if (url.ok()) *url += JoinQueries(base.query, target.query);
  return url;
}

}  // namespace ccr::proxy
