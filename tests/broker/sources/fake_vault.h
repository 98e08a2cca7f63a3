// Answers as Vault's documentation of its HTTP API says, over real sockets and simulated time.
#pragma once

#include <boost/json.hpp>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "broker/base/clock.h"
#include "broker/base/mutex.h"
#include "tests/proxy/upstream/scripted_server.h"

namespace ccr {

class FakeVault {
 public:
  struct Lease {
    absl::Duration ttl;  // 0: without end
    bool renewable = true;
    absl::Duration max = absl::Hours(1000);  // since it was granted
    absl::Time granted = absl::InfinitePast();
    absl::Time ends = absl::InfiniteFuture();
  };
  struct Engine {
    bool versioned = false;                                             // KV version 2
    std::map<std::string, std::map<std::string, std::string>> secrets;  // by path: texts by field
    Lease lease;                                                        // of what is no KV: ttl > 0
  };

  explicit FakeVault(const Clock* clock) : clock_(clock), server_([this](proxy::Peer& peer) { Serve(peer); }) {}

  std::string address() const { return server_.Url(""); }

  // Guarded by the lock that With() holds.
  struct State {
    std::map<std::string, Lease> tokens;
    std::map<std::string, Engine> engines;                                // by mount
    std::map<std::string, std::pair<std::string, std::string>> approles;  // role id: secret id, token prefix
    std::map<std::string, std::string> kubernetes;                        // role: JWT
    std::string name_space;
    Lease login;     // of tokens that logins give
    int status = 0;  // of every answer, when set
    std::string body;
    std::vector<std::string> requests;    // "GET kv/data/openai"
    std::map<std::string, Lease> leases;  // of secrets
    int logins = 0;
  };
  template <typename Change>
  auto With(Change change) {
    MutexLock lock(mutex_);
    return change(state_);
  }
  std::vector<std::string> TakeRequests() {
    return With([](State& state) { return std::exchange(state.requests, {}); });
  }

 private:
  using Object = boost::json::object;
  struct Answer {
    int status = 200;
    Object body;
  };

  static Answer Error(int status, const std::string& words) {
    return {status, {{"errors", words.empty() ? boost::json::array() : boost::json::array{words}}}};
  }

  void Serve(proxy::Peer& peer) {
    const std::string request = peer.ReadRequest();
    const size_t end = request.find("\r\n\r\n");
    if (end == std::string::npos) return;
    const std::string head = request.substr(0, end + 2);
    const std::string method = head.substr(0, head.find(' '));
    const std::string target = head.substr(method.size() + 1, head.find(' ', method.size() + 1) - method.size() - 1);
    MutexLock lock(mutex_);
    std::string text = state_.body;
    int status = state_.status;
    if (status == 0) {
      const Answer answer = target.starts_with("/v1/") && HeaderOf(head, "X-Vault-Request") == "true"
                                ? Ask(method, target.substr(4), head, request.substr(end + 4))
                                : Error(404, "");
      status = answer.status;
      text = boost::json::serialize(answer.body);
    }
    peer.Write(absl::StrCat("HTTP/1.1 ", status, " X\r\nContent-Type: application/json\r\nContent-Length: ",
                            text.size(), "\r\nConnection: close\r\n\r\n", text));
  }

  static std::string HeaderOf(const std::string& head, const std::string& name) {
    const size_t at = head.find("\r\n" + name + ": ");
    if (at == std::string::npos) return "";
    const size_t begin = at + name.size() + 4;
    return head.substr(begin, head.find("\r\n", begin) - begin);
  }

  Answer Ask(const std::string& method, const std::string& path, const std::string& head, const std::string& body)
      CCR_REQUIRES(mutex_) {
    state_.requests.push_back(method + " " + path);
    if (HeaderOf(head, "X-Vault-Namespace") != state_.name_space) return Error(403, "permission denied");
    const Object told = body.empty() ? Object() : boost::json::parse(body).as_object();
    const auto text = [&told](const char* name) {
      const auto* value = told.if_contains(name);
      return value == nullptr ? std::string() : std::string(value->as_string().c_str());
    };
    if (method == "POST" && path == "auth/approle/login") {
      const auto role = state_.approles.find(text("role_id"));
      const bool good = role != state_.approles.end() && role->second.first == text("secret_id");
      return good ? LogIn(role->second.second) : Error(400, "invalid role or secret ID");
    }
    if (method == "POST" && path == "auth/kubernetes/login") {
      const auto role = state_.kubernetes.find(text("role"));
      return role != state_.kubernetes.end() && role->second == text("jwt") ? LogIn("k8s")
                                                                            : Error(403, "permission denied");
    }
    const auto token = state_.tokens.find(HeaderOf(head, "X-Vault-Token"));
    if (token == state_.tokens.end() || token->second.ends <= clock_->Now()) return Error(403, "permission denied");
    if (method == "GET" && path == "auth/token/lookup-self") {
      const absl::Duration left = token->second.ends - clock_->Now();
      return {200,
              {{"data", Object{{"ttl", token->second.ttl > absl::ZeroDuration() ? absl::ToInt64Seconds(left) : 0},
                               {"renewable", token->second.renewable}}}}};
    }
    if (method == "POST" && path == "auth/token/renew-self") {
      if (!token->second.renewable) return Error(400, "lease is not renewable");
      Renew(&token->second);
      return {200, {{"auth", Auth(token->first, token->second)}}};
    }
    if (method == "POST" && path == "sys/leases/renew") {
      const auto lease = state_.leases.find(text("lease_id"));
      if (lease == state_.leases.end() || lease->second.ends <= clock_->Now()) return Error(400, "lease not found");
      if (!lease->second.renewable) return Error(400, "lease is not renewable");
      Renew(&lease->second);
      return {200, {{"lease_id", lease->first}, {"renewable", true}, {"lease_duration", Seconds(lease->second)}}};
    }
    return method == "GET" ? ReadSecret(path) : Error(405, "unsupported operation");
  }

  int64_t Seconds(const Lease& lease) const {
    return lease.ttl > absl::ZeroDuration() ? absl::ToInt64Seconds(lease.ends - clock_->Now()) : 0;
  }
  void Grant(Lease* lease) const {
    lease->granted = clock_->Now();
    if (lease->ttl > absl::ZeroDuration()) lease->ends = clock_->Now() + lease->ttl;
  }
  void Renew(Lease* lease) const { lease->ends = std::min(clock_->Now() + lease->ttl, lease->granted + lease->max); }
  Object Auth(const std::string& token, const Lease& lease) const {
    return {{"client_token", token}, {"renewable", lease.renewable}, {"lease_duration", Seconds(lease)}};
  }

  Answer LogIn(const std::string& name) CCR_REQUIRES(mutex_) {
    const std::string token = absl::StrCat("hvs.", name, ".", ++state_.logins);
    Lease lease = state_.login;
    Grant(&lease);
    state_.tokens[token] = lease;
    return {200, {{"auth", Auth(token, lease)}}};
  }

  Answer ReadSecret(const std::string& path) CCR_REQUIRES(mutex_) {
    const std::string mount = path.substr(0, path.find('/'));
    const auto engine = state_.engines.find(mount);
    if (engine == state_.engines.end()) return Error(403, "permission denied");
    std::string name = path.substr(mount.size() + 1);
    if (engine->second.versioned && !name.starts_with("data/")) {
      Answer hint = Error(404, "");
      hint.body["warnings"] = boost::json::array{"Invalid path for a versioned K/V secrets engine."};
      return hint;
    }
    if (engine->second.versioned) name = name.substr(5);
    const auto secret = engine->second.secrets.find(name);
    if (secret == engine->second.secrets.end()) return Error(404, "");
    Object data;
    for (const auto& [field, value] : secret->second) data[field] = value;
    if (engine->second.versioned) data = Object{{"data", data}, {"metadata", Object{{"version", 1}}}};
    Lease lease = engine->second.lease;
    if (lease.ttl == absl::ZeroDuration()) {
      return {200,
              {{"lease_id", ""},
               {"renewable", false},
               {"lease_duration", engine->second.versioned ? 0 : 2764800},
               {"data", data}}};
    }
    Grant(&lease);
    const std::string id = absl::StrCat(path, "/", state_.leases.size() + 1);
    state_.leases[id] = lease;
    for (auto& [field, value] : data) value = absl::StrCat(value.as_string().c_str(), "-", state_.leases.size());
    return {200,
            {{"lease_id", id}, {"renewable", lease.renewable}, {"lease_duration", Seconds(lease)}, {"data", data}}};
  }

  const Clock* const clock_;
  Mutex mutex_;
  State state_ CCR_GUARDED_BY(mutex_);
  proxy::ScriptedServer server_;
};

}  // namespace ccr
