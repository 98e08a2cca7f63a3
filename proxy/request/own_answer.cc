#include "proxy/request/own_answer.h"

#include <algorithm>
#include <set>
#include <vector>

#include "broker/base/absl_text.h"
#include "proxy/core/ascii.h"
#include "proxy/core/json/text.h"

namespace ccr::proxy {
namespace {

struct ModelEntry {
  std::string id;
  std::string display_name;
  std::string owner;
};

std::vector<ModelEntry> ListModels(const RoutingTable& table) {
  std::vector<ModelEntry> entries;
  std::set<std::string_view> plain;
  for (const Provider& provider : table.providers)
    for (const std::string& model : provider.models)
      if (plain.insert(model).second) entries.push_back({model, model, provider.name});
  for (const Provider& provider : table.providers)
    for (const std::string& model : provider.models)
      entries.push_back({provider.name + "," + model, model + " (" + provider.name + ")", provider.name});
  return entries;
}

std::string ToJson(const ModelEntry& entry) {
  return "{\"id\":" + JsonString(entry.id) +
         ",\"type\":\"model\",\"object\":\"model\",\"display_name\":" + JsonString(entry.display_name) +
         ",\"created\":0,\"created_at\":\"1970-01-01T00:00:00Z\",\"owned_by\":" + JsonString(entry.owner) + "}";
}

std::string ToGeminiJson(const ModelEntry& entry) {
  return "{\"name\":" + JsonString("models/" + entry.id) + ",\"displayName\":" + JsonString(entry.display_name) +
         R"(,"supportedGenerationMethods":["generateContent","streamGenerateContent","countTokens"]})";
}

}  // namespace

OwnAnswer NoLease(const LeaseFailure& failure, const std::string& provider) {
  switch (failure.status.code()) {
    case absl::StatusCode::kResourceExhausted:
      return {429,
              "no key of provider '" + provider + "' is available now (" +
                  std::string(ToStd(failure.status.message())) + ")",
              failure.retry_after};
    case absl::StatusCode::kFailedPrecondition:
      return {503, "all keys of provider '" + provider + "' are disabled; `ccr rotation` shows why",
              failure.retry_after};
    case absl::StatusCode::kInvalidArgument:
      return {500, "the key broker refused the request for a key of provider '" + provider + "'", std::nullopt};
    default:
      return {503, "the key broker cannot be reached now", failure.retry_after.value_or(absl::Seconds(1))};
  }
}

OwnAnswer KeysRefused(uint32_t tried, const std::string& provider) {
  return {502,
          "provider '" + provider + "' accepts none of the keys tried (" + std::to_string(tried) +
              "); probes decide which stay in use, `ccr rotation` shows it. If it is all of them, check `auth` and "
              "`api_base_url` of the provider",
          std::nullopt};
}

OwnAnswer NoUpstreamAnswer(const Evidence& evidence, const std::string& provider) {
  const std::string why = evidence.detail.empty() ? "" : ": " + evidence.detail;
  switch (evidence.transport_error) {
    case TransportError::kConnectTimeout:
    case TransportError::kFirstByteTimeout:
    case TransportError::kIdleTimeout:
      return {504, "provider '" + provider + "' did not answer in time", std::nullopt};
    case TransportError::kLocal:
      return {503, "the proxy has no descriptor or memory left for a connection to provider '" + provider + "'",
              absl::Seconds(1)};
    case TransportError::kConnect:
    case TransportError::kName:
    case TransportError::kRefused:
    case TransportError::kTls:
      return {502, "provider '" + provider + "' cannot be reached" + why, std::nullopt};
    case TransportError::kProxy:
      return {502, "provider '" + provider + "' cannot be reached through the forward proxy (PROXY_URL)" + why,
              std::nullopt};
    default:
      return {502, "provider '" + provider + "' gave no answer" + why, std::nullopt};
  }
}

std::string RetryAfterSeconds(absl::Duration wait) {
  return std::to_string(
      std::max<int64_t>(1, absl::ToInt64Seconds(absl::Ceil(std::min(wait, kMaxRetryAfter), absl::Seconds(1)))));
}

std::string ModelsPage(const RoutingTable& table) {
  const std::vector<ModelEntry> entries = ListModels(table);
  std::string page = "{\"object\":\"list\",\"data\":[";
  for (const ModelEntry& entry : entries) page += (&entry == entries.data() ? "" : ",") + ToJson(entry);
  const std::string first = entries.empty() ? "null" : JsonString(entries.front().id);
  const std::string last = entries.empty() ? "null" : JsonString(entries.back().id);
  return page + "],\"has_more\":false,\"first_id\":" + first + ",\"last_id\":" + last + "}";
}

std::optional<std::string> ModelPage(const RoutingTable& table, std::string_view model, bool gemini) {
  for (const ModelEntry& entry : ListModels(table))
    if (SameWithoutCase(entry.id, model)) return gemini ? ToGeminiJson(entry) : ToJson(entry);
  return std::nullopt;
}

std::string GeminiModelsPage(const RoutingTable& table) {
  std::string page;
  for (const ModelEntry& entry : ListModels(table)) page += (page.empty() ? "" : ",") + ToGeminiJson(entry);
  return "{\"models\":[" + page + "]}";
}

}  // namespace ccr::proxy
