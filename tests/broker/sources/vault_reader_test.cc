#include "broker/adapters/sources/vault_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "tests/broker/config/manual_clock.h"
#include "tests/broker/sources/fake_vault.h"
#include "tests/proxy/upstream/tls_server.h"

namespace ccr {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class VaultReaderTest : public ::testing::Test {
 protected:
  VaultReaderTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "ccr-vault-XXXXXX").string();
    dir_ = mkdtemp(pattern.data());
    config_.address = vault_.address();
    config_.token_file = Write("token", "hvs.root\n");
    config_.refresh = absl::Minutes(1);
    vault_.With([](FakeVault::State& state) {
      state.tokens["hvs.root"] = {};
      state.engines["kv"] = {true, {{"openai", {{"key", "canary-key-a2"}, {"other", "x"}}}}, {}};
      state.engines["secret"] = {false, {{"openai", {{"key", "canary-key-a1"}}}}, {}};
      state.engines["openai"] = {false, {{"creds/ccr", {{"key", "canary-key-d"}}}}, {absl::Minutes(30)}};
      return 0;
    });
  }
  ~VaultReaderTest() override { std::filesystem::remove_all(dir_); }

  std::string Write(const std::string& name, const std::string& text) const {
    std::ofstream(dir_ + "/" + name) << text;
    return dir_ + "/" + name;
  }
  void UseAppRole(FakeVault::Lease tokens) {
    config_.login = VaultConfig::Login::kAppRole;
    config_.mount = "approle";
    config_.role_id = "ccr";
    config_.secret_id_file = Write("secret_id", "canary-key-id\n");
    vault_.With([&tokens](FakeVault::State& state) {
      state.approles["ccr"] = {"canary-key-id", "app"};
      state.login = tokens;
      return 0;
    });
  }
  absl::StatusOr<SecretReading> Read(const std::string& path, const std::string& field = "key") {
    SecretSource source;
    source.kind = SecretSource::Kind::kVault;
    source.vault_path = path;
    source.vault_field = field;
    source.vault = std::make_shared<const VaultConfig>(config_);
    return reader_.Read(source);
  }
  std::string Text(const std::string& path) {
    const absl::StatusOr<SecretReading> reading = Read(path);
    return reading.ok() ? std::string(reading->text.Reveal()) : reading.status().ToString();
  }

  ManualClock clock_;
  FakeVault vault_{&clock_};
  VaultReader reader_{&clock_, ""};
  VaultConfig config_;
  std::string dir_;
};

TEST_F(VaultReaderTest, ReadsBothVersionsOfKv) {
  EXPECT_EQ(Text("secret/openai"), "canary-key-a1");
  const absl::StatusOr<SecretReading> reading = Read("kv/data/openai");
  ASSERT_TRUE(reading.ok()) << reading.status();
  EXPECT_EQ(reading->text.Reveal(), "canary-key-a2");
  EXPECT_EQ(reading->valid_for, absl::Minutes(1));
  EXPECT_THAT(vault_.TakeRequests(),
              ElementsAre("GET auth/token/lookup-self", "GET secret/openai", "GET kv/data/openai"));
}

TEST_F(VaultReaderTest, NamesItsNamespaceAndEscapesPaths) {
  config_.name_space = "team/a";
  vault_.With([](FakeVault::State& state) {
    state.name_space = "team/a";
    return 0;
  });
  EXPECT_EQ(Text("kv/data/openai"), "canary-key-a2");
  EXPECT_THAT(Text("kv/data/a?b%c"), HasSubstr("answers 404"));
  EXPECT_EQ(vault_.TakeRequests().back(), "GET kv/data/a%3Fb%25c");
}

TEST_F(VaultReaderTest, TellsWhatIsWrong) {
  EXPECT_EQ(Read("kv/data/openai", "kye").status().message(), "has no field kye: it has key, other");
  EXPECT_THAT(Text("kv/openai"), HasSubstr("NOT_FOUND: is in version 2 of KV, where data/ comes after the mount"));
  EXPECT_THAT(Text("kv/data/nobody"), HasSubstr("NOT_FOUND: is not there: answers 404 (asked for kv/data/nobody)"));
  EXPECT_THAT(Text("forbidden/x"),
              HasSubstr("PERMISSION_DENIED: answers 403: permission denied (asked for forbidden/x)"));
  Write("token", "");
  EXPECT_EQ(Text("kv/data/openai"), "canary-key-a2") << "the token that it has is good";
  for (const auto& [status, body, words] : std::vector<std::tuple<int, std::string, std::string>>{
           {503, R"({"errors":["Vault is sealed"]})", "UNAVAILABLE: answers 503: Vault is sealed"},
           {500, "<html>", "UNAVAILABLE: answers 500"},
           {307, "", "UNAVAILABLE: answers 307"},
           {200, "hello", "UNAVAILABLE: gives an answer that is none of Vault's"},
           {200, R"({"data":{"key":5}})", "INVALID_ARGUMENT: is no text"}}) {
    vault_.With([status = status, body = body](FakeVault::State& state) {
      state.status = status;
      state.body = body;
      return 0;
    });
    EXPECT_THAT(Text("kv/data/openai"), HasSubstr(words));
  }
}

TEST_F(VaultReaderTest, ATokenFileThatCannotBeUsedIsTold) {
  Write("token", "\n");
  EXPECT_THAT(Text("kv/data/openai"), HasSubstr("needs a login, and " + dir_ + "/token is empty"));
  Write("token", "canary key\"");
  EXPECT_THAT(Text("kv/data/openai"), HasSubstr("holds what is no token or secret id"));
  config_.token_file = dir_ + "/none";
  EXPECT_THAT(Text("kv/data/openai"), HasSubstr("none does not exist"));
  config_.token_file = Write("wrong", "hvs.canary-key-t");
  EXPECT_THAT(Text("kv/data/openai"), HasSubstr("PERMISSION_DENIED: answers 403: permission denied"));
  EXPECT_THAT(Text("kv/data/openai"), Not(HasSubstr("canary")));
}

TEST_F(VaultReaderTest, ATokenIsRenewedAfterTwoThirdsOfItsTime) {
  vault_.With([this](FakeVault::State& state) {
    state.tokens["hvs.root"] = {absl::Seconds(90), true, absl::Hours(1), clock_.Now(),
                                clock_.Now() + absl::Seconds(90)};
    return 0;
  });
  config_.refresh = absl::Minutes(10);
  const absl::StatusOr<SecretReading> reading = Read("kv/data/openai");
  EXPECT_EQ(reading->valid_for, absl::Seconds(60)) << "to be there for the renewal";
  vault_.TakeRequests();
  clock_.Advance(absl::Seconds(60) - absl::Milliseconds(1));
  Text("kv/data/openai");
  EXPECT_THAT(vault_.TakeRequests(), ElementsAre("GET kv/data/openai"));
  clock_.Advance(absl::Milliseconds(1));
  Text("kv/data/openai");
  EXPECT_THAT(vault_.TakeRequests(), ElementsAre("POST auth/token/renew-self", "GET kv/data/openai"));
}

TEST_F(VaultReaderTest, ATokenFileThatChangesIsUsed) {
  EXPECT_EQ(Text("kv/data/openai"), "canary-key-a2");
  vault_.With([](FakeVault::State& state) {
    state.tokens = {{"hvs.next", {}}};
    return 0;
  });
  EXPECT_THAT(Text("kv/data/openai"), HasSubstr("403"));
  Write("token", "hvs.next");
  EXPECT_EQ(Text("kv/data/openai"), "canary-key-a2");
}

TEST_F(VaultReaderTest, AnAppRoleLogsInRenewsAndLogsInAgain) {
  UseAppRole({absl::Minutes(3), true, absl::Minutes(5)});
  EXPECT_EQ(Text("kv/data/openai"), "canary-key-a2");
  EXPECT_THAT(vault_.TakeRequests(), ElementsAre("POST auth/approle/login", "GET kv/data/openai"));
  clock_.Advance(absl::Minutes(2));
  EXPECT_EQ(Text("kv/data/openai"), "canary-key-a2");
  EXPECT_THAT(vault_.TakeRequests(), ElementsAre("POST auth/token/renew-self", "GET kv/data/openai"));
  clock_.Advance(absl::Seconds(125));  // 55 s are left, however often it is renewed
  EXPECT_EQ(Text("kv/data/openai"), "canary-key-a2");
  EXPECT_THAT(vault_.TakeRequests(),
              ElementsAre("POST auth/token/renew-self", "POST auth/approle/login", "GET kv/data/openai"));
  clock_.Advance(absl::Hours(1));
  EXPECT_EQ(Text("kv/data/openai"), "canary-key-a2") << "the token is long over";
  vault_.TakeRequests();
  vault_.With([](FakeVault::State& state) {
    state.tokens.clear();
    return 0;
  });
  EXPECT_EQ(Text("kv/data/openai"), "canary-key-a2") << "the token was revoked";
  EXPECT_THAT(vault_.TakeRequests(),
              ElementsAre("GET kv/data/openai", "POST auth/approle/login", "GET kv/data/openai"));
  Write("secret_id", "canary-key-wrong");
  clock_.Advance(absl::Hours(1));
  EXPECT_THAT(Text("kv/data/openai"),
              HasSubstr("answers 400: invalid role or secret ID (asked for auth/approle/login)"));
}

TEST_F(VaultReaderTest, KubernetesLogsInWithTheTokenOfItsService) {
  config_.login = VaultConfig::Login::kKubernetes;
  config_.mount = "kubernetes";
  config_.role = "ccr \"quoted\"";
  config_.jwt_file = Write("jwt", "eyJ.canary-key.x");
  vault_.With([](FakeVault::State& state) {
    state.kubernetes["ccr \"quoted\""] = "eyJ.canary-key.x";
    return 0;
  });
  EXPECT_EQ(Text("kv/data/openai"), "canary-key-a2");
}

TEST_F(VaultReaderTest, ALeaseIsRenewedWhileThatIsWorthwhile) {
  vault_.With([](FakeVault::State& state) {
    state.engines["openai"].lease.max = absl::Minutes(45);
    return 0;
  });
  const absl::StatusOr<SecretReading> reading = Read("openai/creds/ccr");
  ASSERT_TRUE(reading.ok()) << reading.status();
  EXPECT_EQ(reading->text.Reveal(), "canary-key-d-1");
  EXPECT_EQ(reading->valid_for, absl::Minutes(20));
  vault_.TakeRequests();
  clock_.Advance(absl::Minutes(10));
  EXPECT_EQ(Text("openai/creds/ccr"), "canary-key-d-1");
  EXPECT_THAT(vault_.TakeRequests(), IsEmpty());
  clock_.Advance(absl::Minutes(10));
  EXPECT_EQ(Text("openai/creds/ccr"), "canary-key-d-1");
  EXPECT_THAT(vault_.TakeRequests(), ElementsAre("POST sys/leases/renew"));
  clock_.Advance(absl::Minutes(20));  // 5 of 45 minutes are left
  EXPECT_EQ(Text("openai/creds/ccr"), "canary-key-d-2");
  EXPECT_THAT(vault_.TakeRequests(), ElementsAre("POST sys/leases/renew", "GET openai/creds/ccr"));
}

TEST_F(VaultReaderTest, ALeaseThatCannotBeRenewedIsTakenAnew) {
  vault_.With([](FakeVault::State& state) {
    state.engines["openai"].lease.renewable = false;
    return 0;
  });
  EXPECT_EQ(Text("openai/creds/ccr"), "canary-key-d-1");
  vault_.TakeRequests();
  clock_.Advance(absl::Minutes(20));
  EXPECT_EQ(Text("openai/creds/ccr"), "canary-key-d-2");
  EXPECT_THAT(vault_.TakeRequests(), ElementsAre("GET openai/creds/ccr"));
  vault_.With([](FakeVault::State& state) {
    state.engines["openai"].lease.renewable = true;
    return 0;
  });
  clock_.Advance(absl::Minutes(20));
  EXPECT_EQ(Text("openai/creds/ccr"), "canary-key-d-3");
  vault_.With([](FakeVault::State& state) {
    state.leases.clear();
    return 0;
  });
  clock_.Advance(absl::Minutes(20));
  EXPECT_THAT(Text("openai/creds/ccr"), HasSubstr("canary-key-d")) << "the lease was revoked";
}

TEST_F(VaultReaderTest, NoAnswerIsToldAtOnceToThoseWhoAskNext) {
  int connections = 0;
  {
    proxy::ScriptedServer silent([](proxy::Peer& peer) { peer.ReadRequest(); });
    config_.address = silent.Url("");
    for (int i = 0; i < 3; ++i) {
      EXPECT_THAT(Text("kv/data/openai"), HasSubstr("UNAVAILABLE: at " + config_.address + " gives no answer: "));
    }
    connections = silent.connections();
    clock_.Advance(absl::Seconds(2));
    Text("kv/data/openai");
    EXPECT_EQ(silent.connections(), connections + 1);
  }
  EXPECT_EQ(connections, 1);
}

TEST_F(VaultReaderTest, TlsIsVerified) {
  const std::string body = R"({"data":{"key":"canary-key-s"}})";
  proxy::TlsServer server([&body](proxy::Peer& peer) {
    peer.ReadRequest();
    peer.Write("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  });
  config_.address = server.Url("127.0.0.1", "");
  EXPECT_THAT(Text("kv/data/openai"), HasSubstr("gives no answer: SSL certificate problem"));
  ASSERT_TRUE(server.WriteCertificate(dir_ + "/ca.pem"));
  config_.ca_file = dir_ + "/ca.pem";
  EXPECT_EQ(Text("kv/data/openai"), "canary-key-s");
}

TEST_F(VaultReaderTest, StopEndsARequest) {
  std::promise<void> asked;
  proxy::ScriptedServer server([&asked](proxy::Peer& peer) {
    peer.ReadRequest();
    asked.set_value();
    peer.WaitForEnd();
  });
  config_.address = server.Url("");
  std::future<absl::Status> status = std::async(std::launch::async, [this] { return Read("kv/data/openai").status(); });
  asked.get_future().wait();
  reader_.Stop();
  EXPECT_TRUE(absl::IsCancelled(status.get()));
}

}  // namespace
}  // namespace ccr
