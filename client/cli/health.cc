#include "client/cli/health.h"

#include <curl/curl.h>

#include <boost/json.hpp>
#include <future>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "broker/config/config.h"
#include "client/cli/service/service_view.h"
#include "client/lib/admin_client.h"
#include "client/lib/broker_channel.h"
#include "client/lib/health_client.h"

namespace ccr::cli {
namespace {

constexpr absl::Duration kAnswerTime = absl::Seconds(2);
constexpr absl::Duration kRefusalTime = absl::Seconds(1);
constexpr size_t kLongestAnswer = 4096;

size_t Collect(char* data, size_t size, size_t count, void* text) {
  auto* out = static_cast<std::string*>(text);
  out->append(data, size * count);
  return out->size() > kLongestAnswer ? 0 : size * count;
}

struct HttpAnswer {
  long status = 0;
  std::string body;
};

absl::StatusOr<HttpAnswer> Get(const std::string& address, const std::string& path) {
  const std::unique_ptr<CURL, void (*)(CURL*)> curl(curl_easy_init(), curl_easy_cleanup);
  // The proxy answers foreign hosts only where its configuration names them; whoever asks here is no browser.
  const std::unique_ptr<curl_slist, void (*)(curl_slist*)> headers(curl_slist_append(nullptr, "Host: 127.0.0.1"),
                                                                   curl_slist_free_all);
  HttpAnswer answer;
  const std::string url = absl::StrCat("http://", address, path);
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, "http");
  curl_easy_setopt(curl.get(), CURLOPT_NOPROXY, "*");
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT_MS, static_cast<long>(absl::ToInt64Milliseconds(kAnswerTime)));
  curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, Collect);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &answer.body);
  const CURLcode code = curl_easy_perform(curl.get());
  if (code == CURLE_OPERATION_TIMEDOUT) return absl::UnavailableError("no answer within 2 s");
  if (code == CURLE_COULDNT_CONNECT) return absl::UnavailableError("nobody answers");
  if (code != CURLE_OK) return absl::UnavailableError(curl_easy_strerror(code));
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &answer.status);
  return answer;
}

// A field of a JSON object, empty when it is none.
std::string TextField(const std::string& body, const char* name) {
  boost::json::error_code error;
  const boost::json::value value = boost::json::parse(body, error);
  if (error || !value.is_object()) return "";
  const boost::json::value* field = value.get_object().if_contains(name);
  return field != nullptr && field->is_string() ? std::string(field->get_string()) : "";
}

struct Part {
  std::string name;
  std::string address;
  absl::Status health;
  std::string refused = {};  // why the broker goes on with an old configuration
};

ServiceAddresses ConfiguredAddresses(const ServiceOptions& options) {
  const ConfigResult result = LoadConfig(options.config_path, ProcessEnv());
  if (!result.config) return {kDefaultBrokerListen, "", "127.0.0.1:3456", ""};
  return {ConfiguredBroker(result.config->broker), "", Connectable(result.config->proxy.listen), ""};
}

// Whoever may not ask for it hears nothing.
std::string RefusedFile(const BrokerTarget& broker) {
  client::AdminClient client(client::MakeBrokerChannel(broker));
  const absl::StatusOr<broker::v1::BrokerStatus> status = client.GetStatus(absl::Now() + kRefusalTime);
  if (!status.ok() || !status->has_last_reload() || status->last_reload().accepted()) return "";
  return absl::StrCat("it goes on with its old configuration; the file was refused:\n",
                      ProblemLines(status->last_reload()));
}

// At once, so that all of it takes no longer than one.
std::vector<Part> Ask(const BrokerTarget& broker, const std::string& proxy) {
  std::future<absl::Status> proxy_health;
  if (!proxy.empty()) proxy_health = std::async(std::launch::async, ProxyHealth, proxy);
  std::vector<Part> parts;
  if (!broker.address.empty()) {
    Part& part = parts.emplace_back(Part{"broker", broker.address, BrokerHealth(broker)});
    if (part.health.ok()) part.refused = RefusedFile(broker);
  }
  if (!proxy.empty()) parts.push_back({"proxy", proxy, proxy_health.get()});
  return parts;
}

std::vector<Part> AskBoth(const ServiceOptions& options) {
  const ServiceFiles files = FilesOf(options);
  const std::optional<ServiceAddresses> running = FindRunning(files) ? files.ReadAddresses() : std::nullopt;
  const ServiceAddresses addresses = running ? *running : ConfiguredAddresses(options);
  return Ask(BrokerAt(addresses.broker, options), addresses.http);
}

}  // namespace

absl::Status ProxyHealth(const std::string& address) {
  const absl::StatusOr<HttpAnswer> answer = Get(address, "/health");
  if (!answer.ok()) return answer.status();
  const std::string text = TextField(answer->body, "status");
  if (answer->status == 200 && text == "ok") return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("HTTP ", answer->status, text.empty() ? "" : ", ", text));
}

bool IsProxy(const std::string& address) {
  const absl::StatusOr<HttpAnswer> answer = Get(address, "/");
  return answer.ok() && TextField(answer->body, "name") == "ccr-proxy";
}

absl::Status BrokerHealth(const BrokerTarget& broker) {
  if (const absl::Status usable = client::CheckBrokerTarget(broker); !usable.ok()) return usable;
  return client::CheckHealth(client::MakeBrokerChannel(broker), absl::Now() + kAnswerTime);
}

int Health(const ServiceOptions& options, const std::string& proxy, const Terminal& terminal) {
  if (const absl::Status asked = CheckAsked(options); proxy.empty() && !asked.ok()) {
    terminal.err << "ccr: " << asked.message() << "\n";
    return 1;
  }
  const bool named = !options.broker.empty() || !proxy.empty();
  const std::vector<Part> parts = named ? Ask(BrokerAt(options.broker, options), proxy) : AskBoth(options);
  bool healthy = true;
  std::string refused;
  std::vector<std::string> texts;
  boost::json::object json;
  for (const Part& part : parts) {
    healthy &= part.health.ok();
    const std::string reason(part.health.message());
    texts.push_back(absl::StrCat(part.name, " ", part.address, part.health.ok() ? "" : ": ", reason));
    json[part.name] = {{"address", part.address}, {"healthy", part.health.ok()}, {"reason", reason}};
    if (part.refused.empty()) continue;
    json[part.name].as_object()["refused"] = part.refused;
    refused = absl::StrCat(part.name, ": ", part.refused);
  }
  json["healthy"] = healthy;
  const std::string line = absl::StrCat(healthy ? "healthy: " : "unhealthy: ", absl::StrJoin(texts, "; "));
  terminal.out << (options.json ? boost::json::serialize(json) : line) << "\n";
  if (!options.json) terminal.err << refused;
  return healthy ? 0 : 1;
}

}  // namespace ccr::cli
