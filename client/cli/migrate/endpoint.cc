#include "client/cli/migrate/endpoint.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"

namespace ccr::cli::migration {
namespace {

// Scheme, host and port; empty when there is no scheme.
std::string_view Origin(std::string_view url) {
  const size_t scheme = url.find("://");
  return scheme == std::string_view::npos ? std::string_view() : url.substr(0, url.find_first_of("/?#", scheme + 3));
}

}  // namespace

std::string Joined(std::string_view base, std::string_view path) {
  while (base.ends_with('/')) base.remove_suffix(1);
  return base.ends_with(path) ? std::string(base) : absl::StrCat(ToAbsl(base), ToAbsl(path));
}

std::string AzureEndpoint(std::string_view url) {
  return absl::StrCat(ToAbsl(Origin(url)), "/openai/v1/chat/completions");
}

std::string HostName(std::string_view url) {
  std::string_view host = Origin(url);
  host.remove_prefix(std::min(host.find("://"), host.size()));
  host.remove_prefix(std::min<size_t>(3, host.size()));
  if (const size_t user = host.rfind('@'); user != std::string_view::npos) host.remove_prefix(user + 1);
  return std::string(host);
}

}  // namespace ccr::cli::migration
