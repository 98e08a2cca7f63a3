#include "broker/config/forward_proxy.h"

#include <arpa/inet.h>

#include <array>
#include <optional>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "broker/base/absl_text.h"
#include "broker/base/address.h"
#include "broker/config/url.h"

namespace ccr {
namespace {

constexpr int kV4Bits = 32;
constexpr int kV6Bits = 128;

struct Ip {
  std::array<unsigned char, kV6Bits / 8> bytes{};
  int bits = 0;
};

std::optional<Ip> ToIp(const std::string& text) {
  Ip ip;
  if (inet_pton(AF_INET, text.c_str(), ip.bytes.data()) == 1) return ip.bits = kV4Bits, ip;
  if (inet_pton(AF_INET6, text.c_str(), ip.bytes.data()) == 1) return ip.bits = kV6Bits, ip;
  return std::nullopt;
}

bool SamePrefix(const Ip& a, const Ip& b, int bits) {
  if (a.bits != b.bits || bits < 0 || bits > a.bits) return false;
  for (int i = 0; i < bits; ++i) {
    const int shift = 7 - i % 8;
    if (((a.bytes[i / 8] ^ b.bytes[i / 8]) >> shift & 1) != 0) return false;
  }
  return true;
}

bool InNetwork(const Ip& ip, absl::string_view network) {
  const std::vector<std::string> parts = absl::StrSplit(network, '/');
  const std::optional<Ip> base = ToIp(parts[0]);
  int bits = 0;
  return base && parts.size() == 2 && absl::SimpleAtoi(parts[1], &bits) && SamePrefix(ip, *base, bits);
}

bool Lists(absl::string_view entry, const HostPort& host) {
  if (entry == "*") return true;
  const std::optional<Ip> ip = ToIp(host.host);
  if (ip && InNetwork(*ip, entry)) return true;
  const absl::StatusOr<HostPort> with_port = ParseHostPort(ToStd(entry));
  if (with_port.ok() && with_port->port != host.port) return false;
  const std::string stripped(absl::StripSuffix(absl::StripPrefix(entry, "["), "]"));
  std::string name = with_port.ok() ? with_port->host : stripped;
  if (const std::optional<Ip> address = ToIp(name)) return ip && SamePrefix(*ip, *address, ip->bits);
  if (ip) return false;
  name = absl::AsciiStrToLower(absl::StripPrefix(absl::StripPrefix(name, "*"), "."));
  const std::string lower = absl::AsciiStrToLower(host.host);
  return !name.empty() && (lower == name || absl::EndsWith(lower, absl::StrCat(".", name)));
}

std::string Variable(const std::string& name, const EnvLookup& env) {
  const std::optional<std::string> lower = env(name);
  return lower && !lower->empty() ? *lower : env(absl::AsciiStrToUpper(name)).value_or("");
}

bool GoesDirectly(const HostPort& host, const EnvLookup& env) {
  if (IsLoopback(host.host) || absl::EndsWithIgnoreCase(host.host, ".localhost")) return true;
  const std::string list = Variable("no_proxy", env);
  for (const absl::string_view entry : absl::StrSplit(list, absl::ByAnyChar(", \t"), absl::SkipEmpty())) {
    if (Lists(entry, host)) return true;
  }
  return false;
}

}  // namespace

std::string ForwardProxyOf(std::string_view url, const std::string& configured, const EnvLookup& env) {
  const std::optional<HostPort> host = HostPortOf(url);
  if (!host || GoesDirectly(*host, env)) return "";
  if (!configured.empty()) return configured;
  const bool tls = absl::StartsWithIgnoreCase(ToAbsl(url), "https:");
  std::string proxy = Variable(tls ? "https_proxy" : "http_proxy", env);
  if (proxy.empty()) proxy = Variable("all_proxy", env);
  return proxy.empty() || absl::StrContains(proxy, "://") ? proxy : absl::StrCat("http://", proxy);
}

}  // namespace ccr
