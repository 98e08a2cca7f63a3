// What a proxy knows of the world beside leases: the broker's RoutingTable message as a value.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "proxy/core/model_rules.h"

namespace ccr::proxy {

enum class Format { kChat, kAnthropic, kGemini, kResponses };

// A change to requests in the provider's format and to their answers, by its name in the configuration.
struct TransformerUse {
  std::string name;
  std::string options;  // a JSON object
};

struct Provider {
  std::string name;
  std::string base_url;  // the full endpoint URL, e.g. https://host/v1/chat/completions; Gemini's ends in /models
  Format format = Format::kChat;
  std::vector<std::string> models;
  bool retry_on_failure = true;
  uint32_t max_retries = 3;
  absl::Duration connect_timeout = absl::Seconds(10);
  absl::Duration first_byte_timeout = absl::Seconds(120);
  absl::Duration idle_timeout = absl::Seconds(300);
  std::string proxy_url;                           // forward proxy, or empty
  std::shared_ptr<const std::string> authorities;  // PEM of who may sign its certificate; null = the system's
  absl::Duration queue_wait;                       // 0 = requests do not wait for a key
  std::vector<TransformerUse> transformers;        // in order
  std::map<std::string, std::vector<TransformerUse>> model_transformers;  // by model; applied after those
  std::vector<ModelRules> rules;  // in order; RulesFor (model_rules.h) folds them
};

struct RoutingTable {
  uint64_t version = 0;
  std::vector<Provider> providers;
  // Router entries, "provider,model" or empty.
  std::string default_route, background, think, long_context, web_search, image;
  uint64_t long_context_threshold = 60000;
  std::map<std::string, std::vector<std::string>> fallback;
  std::string client_token_sha256;  // 32 bytes; empty = no token
  absl::Duration api_timeout = absl::Minutes(10);
  uint64_t max_head_bytes = 64 * 1024;
  uint64_t max_body_bytes = 50 * 1024 * 1024;
  uint64_t max_buffered_bytes = 128 * 1024 * 1024;
  absl::Duration header_timeout = absl::Seconds(30);
  absl::Duration idle_timeout = absl::Seconds(120);
  uint32_t max_connections = 10000;
  std::vector<std::string> allowed_hosts;
  std::string log_level, log_format;  // the configuration's words; empty = not said

  // By name without case; nullptr when unknown.
  const Provider* FindProvider(std::string_view name) const;
};

}  // namespace ccr::proxy
