// A broker of one provider "demo" whose keys can be changed, in this process.
#pragma once

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "broker/base/mutex.h"
#include "ccr/broker/v1/key_admin.grpc.pb.h"

namespace ccr::cli {

class FakeKeys final : public broker::v1::KeyAdmin::Service {
 public:
  explicit FakeKeys(std::vector<std::string> names = {"work", "team"}) {
    pool_.set_provider("demo");
    pool_.set_strategy("round_robin");
    pool_.set_enabled(true);
    for (const std::string& name : names) Add(name, "fp-" + name);
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    builder.SetMaxReceiveMessageSize(64 << 20);
    server_ = builder.BuildAndStart();
  }
  ~FakeKeys() override {
    server_->Shutdown();
    MutexLock lock(mutex_);  // the last call's end comes before ours, as far as anybody can see
  }

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  // What came, and how the next call fails.
  struct Seen {
    std::vector<std::string> secrets;
    std::vector<int> chunks;  // keys of each AddKeys
    broker::v1::NewKey last;
    broker::v1::ChangePoolRequest change;
    uint64_t for_ms = 0;
    int probes = 0;
    int most_probes = 0;  // at once
  };
  Seen seen() {
    MutexLock lock(mutex_);
    return seen_;
  }
  void FailNext(grpc::Status status) {
    MutexLock lock(mutex_);
    failure_ = std::move(status);
  }
  // The provider refuses keys whose secret ends so.
  void Refuse(const std::string& end) {
    MutexLock lock(mutex_);
    refused_ = end;
  }
  void SetBaseUrl(const std::string& url) {
    MutexLock lock(mutex_);
    pool_.set_base_url(url);
  }

 private:
  using Context = grpc::ServerContext;

  void Add(const std::string& name, const std::string& fingerprint) {
    broker::v1::KeyStatus& key = *pool_.add_keys();
    key.set_name(name);
    key.set_fingerprint(fingerprint);
    key.set_state(broker::v1::KEY_STATE_ACTIVE);
    key.set_available(true);
    key.set_weight(1);
    key.set_max_failures(3);
    pool_.set_total_keys(static_cast<uint32_t>(pool_.keys_size()));
  }

  grpc::Status Find(const std::string& pool, const std::string& name, broker::v1::KeyStatus** key)
      CCR_REQUIRES(mutex_) {
    if (!failure_.ok()) return std::exchange(failure_, grpc::Status::OK);
    if (pool != "demo") return {grpc::StatusCode::NOT_FOUND, "no provider '" + pool + "'"};
    for (broker::v1::KeyStatus& known : *pool_.mutable_keys()) {
      if (known.name() == name || known.fingerprint() == name) *key = &known;
    }
    if (*key != nullptr) return grpc::Status::OK;
    return {grpc::StatusCode::NOT_FOUND, "provider 'demo' has no key with the name or fingerprint '" + name + "'"};
  }

  static void Answer(const broker::v1::KeyStatus& key, broker::v1::KeyChange* response) {
    response->set_provider("demo");
    *response->mutable_key() = key;
  }

  grpc::Status ListPools(Context*, const broker::v1::ListPoolsRequest* request,
                         broker::v1::ListPoolsResponse* response) override {
    MutexLock lock(mutex_);
    if (!request->pool().empty() && request->pool() != "demo")
      return {grpc::StatusCode::NOT_FOUND, "no provider '" + request->pool() + "'"};
    *response->add_pools() = pool_;
    const auto available = [](const auto& key) { return key.state() == broker::v1::KEY_STATE_ACTIVE; };
    response->mutable_pools(0)->set_available_keys(
        static_cast<uint32_t>(std::count_if(pool_.keys().begin(), pool_.keys().end(), available)));
    return grpc::Status::OK;
  }

  grpc::Status DisableKey(Context*, const broker::v1::DisableKeyRequest* request,
                          broker::v1::KeyChange* response) override {
    MutexLock lock(mutex_);
    broker::v1::KeyStatus* key = nullptr;
    if (grpc::Status status = Find(request->key().pool(), request->key().key(), &key); !status.ok()) return status;
    seen_.for_ms = request->for_ms();
    key->set_state(broker::v1::KEY_STATE_DISABLED);
    key->set_reason("operator");
    Answer(*key, response);
    return grpc::Status::OK;
  }

  grpc::Status EnableKey(Context*, const broker::v1::KeyRef* request, broker::v1::KeyChange* response) override {
    MutexLock lock(mutex_);
    broker::v1::KeyStatus* key = nullptr;
    if (grpc::Status status = Find(request->pool(), request->key(), &key); !status.ok()) return status;
    key->set_state(broker::v1::KEY_STATE_ACTIVE);
    key->clear_reason();
    Answer(*key, response);
    return grpc::Status::OK;
  }

  grpc::Status ResetKey(Context* context, const broker::v1::KeyRef* request, broker::v1::KeyChange* response) override {
    return EnableKey(context, request, response);
  }

  grpc::Status ProbeKey(Context*, const broker::v1::KeyRef* request, broker::v1::ProbeKeyResponse* response) override {
    {
      MutexLock lock(mutex_);
      broker::v1::KeyStatus* key = nullptr;
      if (grpc::Status status = Find(request->pool(), request->key(), &key); !status.ok()) return status;
      ++seen_.probes;
      seen_.most_probes = std::max(seen_.most_probes, ++probing_);
      const bool good = refused_.empty() || !key->fingerprint().ends_with(refused_);
      response->set_outcome(good ? broker::v1::OUTCOME_SUCCESS : broker::v1::OUTCOME_AUTH);
      response->set_http_status(good ? 200 : 401);
      if (!good) response->set_detail("no such key");
      response->set_took_ms(84);
      response->set_provider("demo");
      *response->mutable_key() = *key;
    }
    MutexLock lock(mutex_);
    --probing_;
    return grpc::Status::OK;
  }

  // A key's fingerprint is "fp-" and its length and its last two characters: no part that a canary is searched for.
  grpc::Status AddKeys(Context*, const broker::v1::AddKeysRequest* request,
                       broker::v1::AddKeysResponse* response) override {
    MutexLock lock(mutex_);
    if (!failure_.ok()) return std::exchange(failure_, grpc::Status::OK);
    if (request->pool() != "demo") return {grpc::StatusCode::NOT_FOUND, "no provider '" + request->pool() + "'"};
    seen_.chunks.push_back(request->keys_size());
    for (const broker::v1::NewKey& key : request->keys()) {
      broker::v1::AddedKey& added = *response->add_keys();
      added.set_name(key.name());
      if (key.name() == "bad") {
        added.set_outcome(broker::v1::AddedKey::INVALID);
        added.set_message("there is a key 'bad' already: choose another name");
        continue;
      }
      const auto known = std::find(seen_.secrets.begin(), seen_.secrets.end(), key.secret());
      const auto place = static_cast<size_t>(known - seen_.secrets.begin());
      const std::string end = key.secret().substr(key.secret().size() - std::min<size_t>(2, key.secret().size()));
      added.set_fingerprint("fp-" + std::to_string(place) + "-" + end);
      if (added.name().empty()) added.set_name("key-" + std::to_string(place));
      added.set_outcome(known == seen_.secrets.end() ? broker::v1::AddedKey::ADDED : broker::v1::AddedKey::KNOWN);
      if (known != seen_.secrets.end() || request->dry_run()) continue;
      seen_.secrets.push_back(key.secret());
      seen_.last = key;
      Add(added.name(), added.fingerprint());
    }
    response->set_provider("demo");
    response->set_total_keys(pool_.total_keys());
    return grpc::Status::OK;
  }

  grpc::Status RemoveKey(Context*, const broker::v1::KeyRef* request,
                         broker::v1::RemoveKeyResponse* response) override {
    MutexLock lock(mutex_);
    broker::v1::KeyStatus* key = nullptr;
    if (grpc::Status status = Find(request->pool(), request->key(), &key); !status.ok()) return status;
    pool_.mutable_keys()->DeleteSubrange(IndexOf(*key), 1);
    pool_.set_total_keys(static_cast<uint32_t>(pool_.keys_size()));
    response->set_provider("demo");
    response->set_total_keys(pool_.total_keys());
    return grpc::Status::OK;
  }

  int IndexOf(const broker::v1::KeyStatus& key) const {
    for (int i = 0; i < pool_.keys_size(); ++i) {
      if (&pool_.keys(i) == &key) return i;
    }
    return 0;
  }

  grpc::Status ChangePool(Context*, const broker::v1::ChangePoolRequest* request,
                          broker::v1::ChangePoolResponse* response) override {
    MutexLock lock(mutex_);
    if (!failure_.ok()) return std::exchange(failure_, grpc::Status::OK);
    if (request->pool() != "demo") return {grpc::StatusCode::NOT_FOUND, "no provider '" + request->pool() + "'"};
    seen_.change = *request;
    if (request->has_strategy()) pool_.set_strategy(request->strategy());
    *response->mutable_pool() = pool_;
    response->mutable_pool()->clear_keys();
    return grpc::Status::OK;
  }

  grpc::Status GetKeyHistory(Context*, const broker::v1::KeyRef* request, broker::v1::KeyHistory* response) override {
    MutexLock lock(mutex_);
    broker::v1::KeyStatus* key = nullptr;
    if (grpc::Status status = Find(request->pool(), request->key(), &key); !status.ok()) return status;
    response->set_provider("demo");
    response->set_name(key->name());
    response->set_fingerprint(key->fingerprint());
    if (key->name() != "work") return grpc::Status::OK;
    broker::v1::Event& event = *response->add_events();
    event.set_type(broker::v1::Event::COOLING);
    event.set_pool("demo");
    event.set_key_name("work");
    event.set_reason("rate_limited");
    return grpc::Status::OK;
  }

  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  Mutex mutex_;
  broker::v1::PoolStatus pool_;
  grpc::Status failure_ CCR_GUARDED_BY(mutex_);
  Seen seen_ CCR_GUARDED_BY(mutex_);
  std::string refused_ CCR_GUARDED_BY(mutex_);
  int probing_ CCR_GUARDED_BY(mutex_) = 0;
};

}  // namespace ccr::cli
