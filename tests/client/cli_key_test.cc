// `ccr key`, `ccr pool` and `ccr events`, whole command lines against a broker in this process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "client/cli/app.h"
#include "client/cli/completion/completion.h"
#include "tests/client/cli_fake_keys.h"
#include "tests/client/cli_fakes.h"

namespace ccr::cli {
namespace {

namespace json = boost::json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class KeyTest : public AppTest {
 protected:
  void TearDown() override {
    EXPECT_THAT(said_ + out_.str() + err_.str(), Not(HasSubstr("canary-key")));
    AppTest::TearDown();
  }

  // A command of the fake broker, which says all of what it says in out() and err().
  int Ask(std::vector<std::string> arguments) {
    said_ += out_.str() + err_.str();
    out_.str("");
    err_.str("");
    arguments.insert(arguments.begin(), {"--broker", broker_.address()});
    return Run(std::move(arguments));
  }
  json::object AskJson(std::vector<std::string> arguments, int exit_status = 0) {
    arguments.insert(arguments.begin(), "--json");
    EXPECT_EQ(Ask(std::move(arguments)), exit_status) << err_.str();
    EXPECT_EQ(err_.str(), "");
    return json::parse(out_.str()).as_object();
  }
  std::string Error(std::vector<std::string> arguments, int exit_status) {
    EXPECT_EQ(Ask(std::move(arguments)), exit_status) << out_.str();
    EXPECT_EQ(out_.str(), "");
    return err_.str();
  }
  std::string Write(const std::string& text, const std::string& name = "keys.txt") const {
    std::ofstream(folder_ + "/" + name) << text;
    return folder_ + "/" + name;
  }

  FakeKeys broker_;
  std::string said_;
};

TEST_F(KeyTest, ListIsALineForEachKey) {
  EXPECT_EQ(Ask({"key", "list"}), 0);
  EXPECT_EQ(out_.str(),
            "PROVIDER  KEY   FINGERPRINT  STATE   REASON  BACK IN\n"
            "demo      work  fp-work      active  -       -\n"
            "demo      team  fp-team      active  -       -\n");
  EXPECT_EQ(AskJson({"key", "list", "demo"}).at("pools").as_array()[0].as_object().at("keys").as_array().size(), 2U);
  EXPECT_THAT(Error({"key", "list", "dmo"}, 1), HasSubstr("did you mean demo?"));
}

TEST_F(KeyTest, DisableSaysWhatIsSoAndHowToTakeItBack) {
  EXPECT_EQ(Ask({"key", "disable", "demo", "work"}), 0);
  EXPECT_THAT(out_.str(), AllOf(StartsWith("demo's key 'work' is disabled until it is enabled: no request gets it"),
                                HasSubstr("Taking it back: ccr key enable demo work\n")));
  EXPECT_EQ(Ask({"key", "disable", "demo", "fp-team", "--for", "2h"}), 0);
  EXPECT_EQ(broker_.seen().for_ms, 7'200'000U);
  EXPECT_THAT(out_.str(), HasSubstr("demo's key 'team' is disabled for 2h 00m"));
  EXPECT_THAT(err_.str(), HasSubstr("No key of demo could be used now"));
  EXPECT_EQ(Ask({"key", "enable", "demo", "work"}), 0);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("is enabled: active."), HasSubstr("ccr key disable demo work")));
  EXPECT_EQ(Ask({"key", "reset", "demo", "work"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("as if it were new: active. It cannot be taken back"));
}

TEST_F(KeyTest, ChangesInJsonHaveTheKeyAsRotationHasIt) {
  const json::object change = AskJson({"key", "disable", "demo", "work"});
  EXPECT_EQ(change.at("provider"), "demo");
  EXPECT_EQ(change.at("key").at("name"), "work");
  EXPECT_EQ(change.at("key").at("state"), "disabled");
  EXPECT_EQ(change.at("key").at("reason"), "operator");
  const json::object rotation = AskJson({"rotation"});
  EXPECT_EQ(rotation.at("pools").at(0).at("keys").at(0), change.at("key"));
}

TEST_F(KeyTest, RefusalsSayWhyAndWhatWasMeant) {
  EXPECT_THAT(Error({"key", "disable", "demo", "wrok"}, 1),
              AllOf(HasSubstr("has no key with the name or fingerprint 'wrok'"), HasSubstr("did you mean 'work'?")));
  EXPECT_THAT(Error({"key", "enable", "demo", "somebody"}, 1), HasSubstr("; there is work, team\n"));
  EXPECT_THAT(Error({"key", "reset", "demi", "work"}, 1), HasSubstr("no provider 'demi'; did you mean demo?"));
  broker_.FailNext({grpc::StatusCode::NOT_FOUND, "no key 'wrok'; did you mean 'work'?"});
  EXPECT_THAT(Error({"key", "test", "demo", "work"}, 1), Not(HasSubstr("'work'?;")));
  broker_.FailNext({grpc::StatusCode::INVALID_ARGUMENT, "for_ms: more than a year"});
  EXPECT_THAT(Error({"key", "disable", "demo", "work"}, 2), HasSubstr("for_ms: more than a year"));
  broker_.FailNext({grpc::StatusCode::UNAVAILABLE, "the change is in effect, but not on disk yet"});
  EXPECT_THAT(Error({"key", "disable", "demo", "work"}, 1), HasSubstr("the change is in effect, but not on disk yet"));
  EXPECT_THAT(Error({"key", "disable", "demo", "work", "--for", "2x"}, 2),
              HasSubstr("--for: '2x' is no length of time"));
  EXPECT_THAT(Error({"key", "disable", "demo"}, 2), HasSubstr("key is required"));
  EXPECT_THAT(Error({"key", "disabel", "demo", "work"}, 2), HasSubstr("did you mean 'ccr key disable'?"));
}

TEST_F(KeyTest, WithoutABroker) {
  EXPECT_EQ(Run({"--broker", "unix:" + folder_ + "/none.sock", "key", "disable", "demo", "work"}), 3);
  EXPECT_THAT(err_.str(), HasSubstr("no broker answers"));
}

TEST_F(KeyTest, TestTellsWhatTheProviderSays) {
  EXPECT_EQ(Ask({"key", "test", "demo", "work"}), 0);
  EXPECT_EQ(out_.str(), "demo's key 'work': the provider takes it (HTTP 200 in 84 ms); it is active\n");
  broker_.Refuse("team");
  EXPECT_EQ(Error({"key", "test", "demo", "team"}, 1),
            "ccr: demo's key 'team': auth, HTTP 401 in 84 ms: no such key; it is active\n");
  const json::object refused = AskJson({"key", "test", "demo", "team"}, 1);
  EXPECT_EQ(refused.at("test").at("outcome"), "auth");
  EXPECT_EQ(refused.at("test").at("http_status"), 401);
  EXPECT_EQ(refused.at("key").at("name"), "team");
  broker_.FailNext({grpc::StatusCode::FAILED_PRECONDITION, "nothing is known that pool 'demo' could be asked"});
  EXPECT_THAT(Error({"key", "test", "demo", "team"}, 1), HasSubstr("nothing is known"));
}

TEST_F(KeyTest, History) {
  EXPECT_EQ(Ask({"key", "history", "demo", "work"}), 0);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("demo work cooling (rate_limited)\n"), StartsWith("1970-01-01 ")));
  EXPECT_EQ(Ask({"key", "history", "demo", "team"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("Nothing has happened to demo's key 'team'"));
  const json::object history = AskJson({"key", "history", "demo", "work"});
  EXPECT_EQ(history.at("key").at("fingerprint"), "fp-work");
  EXPECT_EQ(history.at("events").at(0).at("type"), "cooling");
}

TEST_F(KeyTest, AddTakesTheKeyFromAFile) {
  const std::string file = Write("canary-key-n1\n");
  EXPECT_EQ(
      Ask({"key", "add", "demo", "--file", file, "--name", "new", "--weight", "2", "--rpm", "60", "--model", "m"}), 0)
      << err_.str();
  EXPECT_THAT(out_.str(), AllOf(StartsWith("demo's key 'new' is added"), HasSubstr("3 keys now"),
                                HasSubstr("Taking it back: ccr key remove demo new\n")));
  const FakeKeys::Seen seen = broker_.seen();
  EXPECT_THAT(seen.secrets, ElementsAre("canary-key-n1"));
  EXPECT_EQ(seen.last.weight(), 2);
  EXPECT_EQ(seen.last.limits().rpm(), 60U);
  EXPECT_EQ(seen.last.models(0), "m");
  EXPECT_THAT(Error({"key", "add", "demo", "--file", file}, 1), HasSubstr("has this key already"));
}

TEST_F(KeyTest, AddInJsonAndDry) {
  const std::string file = Write("canary-key-n1\n");
  EXPECT_EQ(Ask({"key", "add", "demo", "--file", file, "--dry-run"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("would be added; nothing was changed"));
  EXPECT_TRUE(broker_.seen().secrets.empty());
  const json::object added = AskJson({"key", "add", "demo", "--file", file, "--name", "new"});
  EXPECT_EQ(added.at("key").at("name"), "new");
  EXPECT_EQ(added.at("key").at("state"), "active");
  EXPECT_EQ(added.at("total_keys"), 3);
}

TEST_F(KeyTest, AKeyOnTheCommandLineIsRefusedAndNeverShown) {
  const std::string key = "sk-canary-key-of-nobody";
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"key", "add", "demo", key},
                                             {"key", "add", key},
                                             {"key", "add", "demo", "--key", key},
                                             {"key", "add", "demo", "--key=" + key},
                                             {"key", "add", "demo", "--rpm", key},
                                             {"key", "add", "demo", "--name", key},
                                             {"key", "remove", "demo", key},
                                             {"key", "disable", "demo", "work", key},
                                             {"key", "import", "demo", "keys.txt", key}}) {
    EXPECT_THAT(Error(arguments, 2), AllOf(HasSubstr("shell's history"), HasSubstr("Revoke it"))) << arguments[1];
  }
  EXPECT_THAT(Error({"key", "add", "demo", "canary-key-x"}, 2), HasSubstr("If the other word is a key: "));
  EXPECT_TRUE(broker_.seen().secrets.empty());
}

TEST_F(KeyTest, WhatCannotBeAdded) {
  EXPECT_THAT(Error({"key", "add", "demo", "--file", Write("")}, 2), HasSubstr("no key came"));
  EXPECT_THAT(Error({"key", "add", "demo", "--file", folder_ + "/nothing"}, 2), HasSubstr("/nothing"));
  EXPECT_THAT(Error({"key", "add", "demo", "--file", Write("canary-key-n1"), "--weight", "0"}, 2),
              HasSubstr("weight 0"));
  EXPECT_THAT(Error({"key", "add", "demo", "--file", Write("canary-key-n1"), "--name", "bad"}, 2),
              HasSubstr("choose another name"));
  broker_.FailNext({grpc::StatusCode::FAILED_PRECONDITION, "this broker has no master key to seal keys with"});
  EXPECT_THAT(Error({"key", "add", "demo", "--file", Write("canary-key-n1")}, 1), HasSubstr("no master key"));
}

TEST_F(KeyTest, Remove) {
  EXPECT_EQ(Ask({"key", "remove", "demo", "team"}), 0);
  EXPECT_THAT(out_.str(), AllOf(StartsWith("demo's key 'team' is removed"), HasSubstr("1 key left"),
                                HasSubstr("ccr key add demo\n")));
  EXPECT_EQ(AskJson({"key", "remove", "demo", "work"}).at("total_keys"), 0);
}

TEST_F(KeyTest, ImportSendsAThousandAtATime) {
  std::string text;
  for (int i = 0; i < 10'000; ++i) text += "canary-key-" + std::to_string(i) + "\n";
  EXPECT_EQ(Ask({"key", "import", "demo", Write(text + "canary-key-5\n")}), 0) << err_.str();
  EXPECT_EQ(broker_.seen().chunks, std::vector<int>(10, 1000));
  EXPECT_EQ(err_.str(), "line 10001: the same key as in line 6\n");
  EXPECT_EQ(
      out_.str(),
      "demo: 10000 keys added, 1 more than once in the file; 10002 keys now. Taking one back: ccr key remove demo "
      "NAME, of ccr key list demo\n");
  EXPECT_EQ(Ask({"key", "import", "demo", Write(text)}), 0);
  EXPECT_THAT(err_.str(),
              AllOf(HasSubstr("line 1: demo has this key already, as 'key-0'"), HasSubstr("and 9980 more")));
  EXPECT_THAT(out_.str(), HasSubstr("0 keys added, 10000 known already"));
}

TEST_F(KeyTest, ImportShowsABarOnATerminal) {
  const Terminal wide{out_, err_, 80, 24, false};
  EXPECT_EQ(Run({"--broker", broker_.address(), "key", "import", "demo", Write("canary-key-1\ncanary-key-2\n")}, wide),
            0);
  EXPECT_THAT(out_.str(), HasSubstr("\r[##############################] 2/2 keys sent\r\x1b[K"));
}

TEST_F(KeyTest, ImportDry) {
  EXPECT_EQ(
      Ask({"key", "import", "demo", Write("[\"canary-key-1\", {\"key\": \"canary-key-2\", \"rpm\": 3}]"), "--dry-run"}),
      0);
  EXPECT_EQ(out_.str(), "demo: 2 keys would be added; nothing was changed.\n");
  EXPECT_TRUE(broker_.seen().secrets.empty());
}

TEST_F(KeyTest, ImportOfAWrongFileSendsNothing) {
  const std::string error = Error({"key", "import", "demo", Write("canary-key-1\na b c\n")}, 2);
  EXPECT_THAT(error, AllOf(HasSubstr("keys.txt:2: has more than two words"), HasSubstr("nothing was sent")));
  EXPECT_TRUE(broker_.seen().chunks.empty());
  EXPECT_THAT(Error({"key", "import", "demo", folder_ + "/none"}, 2), HasSubstr("/none"));
}

TEST_F(KeyTest, ImportTellsWhatWasNotTaken) {
  EXPECT_EQ(Ask({"key", "import", "demo", Write("bad canary-key-1\ngood canary-key-2\n")}), 1);
  EXPECT_THAT(err_.str(), HasSubstr("line 1: not taken: there is a key 'bad' already"));
  EXPECT_THAT(out_.str(), HasSubstr("1 key added, 1 not taken"));
}

TEST_F(KeyTest, ValidateTellsWhichTheProviderRefuses) {
  broker_.Refuse("-x9");
  std::string text = "canary-key-x9\n";
  for (int i = 10; i < 40; ++i) text += "canary-key-" + std::to_string(i) + "\n";
  EXPECT_EQ(Ask({"key", "import", "demo", Write(text), "--validate", "--parallel", "4"}), 1);
  EXPECT_EQ(err_.str(), "line 1: 'key-0': auth, HTTP 401 in 84 ms: no such key\n");
  EXPECT_THAT(out_.str(), HasSubstr("31 keys added, 30 taken by the provider, 1 not;"));
  EXPECT_EQ(broker_.seen().probes, 31);
  EXPECT_LE(broker_.seen().most_probes, 4);
}

TEST_F(KeyTest, ValidateWhereNothingCanBeAsked) {
  EXPECT_THAT(Error({"key", "import", "demo", Write("canary-key-1"), "--parallel", "4"}, 2), HasSubstr("--validate"));
  EXPECT_THAT(Error({"key", "import", "demo", Write("canary-key-1"), "--validate", "--parallel", "0"}, 2),
              HasSubstr("--parallel"));
  EXPECT_THAT(Error({"key", "import", "demo", Write("canary-key-1"), "--validate", "--dry-run"}, 2),
              HasSubstr("--dry-run"));
}

TEST_F(KeyTest, ImportInJson) {
  const json::object import =
      AskJson({"key", "import", "demo", Write("bad canary-key-1\ncanary-key-2\ncanary-key-2\n")}, 1);
  EXPECT_EQ(import.at("added"), 1);
  EXPECT_EQ(import.at("invalid"), 1);
  EXPECT_EQ(import.at("repeated"), 1);
  EXPECT_EQ(import.at("keys").at(1).at("outcome"), "added");
  EXPECT_EQ(import.at("keys").at(1).at("line"), 2);
  EXPECT_TRUE(import.at("refused").is_null());
}

TEST_F(KeyTest, PoolSet) {
  EXPECT_EQ(Ask({"pool", "set", "demo", "weighted", "rpm=100", "tpd=none", "max_wait=30s", "session_affinity=false",
                 "max_waiting=7"}),
            0)
      << err_.str();
  const broker::v1::ChangePoolRequest change = broker_.seen().change;
  EXPECT_EQ(change.strategy(), "weighted");
  EXPECT_EQ(change.rpm(), 100U);
  EXPECT_TRUE(change.has_tpd());
  EXPECT_EQ(change.tpd(), 0U);
  EXPECT_FALSE(change.has_tpm());
  EXPECT_EQ(change.max_wait_ms(), 30'000U);
  EXPECT_EQ(change.max_waiting(), 7U);
  EXPECT_TRUE(change.has_session_affinity());
  EXPECT_FALSE(change.session_affinity());
  EXPECT_THAT(out_.str(),
              AllOf(StartsWith("demo: strategy is weighted, rpm is 100, tpd is none, "),
                    HasSubstr("As in the file: ccr pool set demo strategy=round_robin rpm=none tpd=none max_wait=30s "
                              "session_affinity=true max_waiting=1000\n")));
  const json::object set = AskJson({"pool", "set", "demo", "strategy=random"});
  EXPECT_EQ(set.at("provider"), "demo");
  EXPECT_EQ(set.at("set").at("strategy"), "random");
  EXPECT_EQ(set.at("pool").at("strategy"), "random");
}

TEST_F(KeyTest, WrongSettings) {
  EXPECT_THAT(Error({"pool", "set", "demo"}, 2), HasSubstr("say what to set"));
  EXPECT_THAT(Error({"pool", "set", "demo", "rmp=3"}, 2), HasSubstr("no setting 'rmp'; did you mean rpm?"));
  EXPECT_THAT(Error({"pool", "set", "demo", "rpm=many"}, 2), HasSubstr("rpm: 'many' is no whole number, nor none"));
  EXPECT_THAT(Error({"pool", "set", "demo", "rpm="}, 2), HasSubstr("rpm has no value"));
  EXPECT_THAT(Error({"pool", "set", "demo", "max_wait=soon"}, 2), HasSubstr("max_wait: 'soon'"));
  EXPECT_THAT(Error({"pool", "set", "demo", "session_affinity=1"}, 2), HasSubstr("neither true nor false"));
  EXPECT_THAT(Error({"pool", "set", "dmo", "random"}, 1), HasSubstr("did you mean demo?"));
}

TEST_F(KeyTest, EventsNeedsToFollow) {
  EXPECT_THAT(Error({"events"}, 2), AllOf(HasSubstr("ccr events --follow"), HasSubstr("ccr key history")));
}

TEST_F(KeyTest, FailuresInJson) {
  const json::object bad = AskJson({"key", "disable", "demo", "work", "--for", "2x"}, 2);
  EXPECT_EQ(bad.at("error").at("kind"), "bad_input");
  const json::object failed = AskJson({"key", "enable", "demo", "wrok"}, 1);
  EXPECT_EQ(failed.at("error").at("kind"), "failed");
  EXPECT_THAT(std::string(failed.at("error").at("message").as_string()), HasSubstr("did you mean 'work'?"));
}

TEST_F(KeyTest, NamesOfKeysComeFromTheBrokerElseFromTheFile) {
  ServiceOptions options = this->options();
  options.broker = broker_.address();
  EXPECT_EQ(Candidates("KEY", "demo", options), "work\nteam\n");
  EXPECT_EQ(Candidates("KEY", "", options), "");
  WriteConfig(R"({Providers: [{name: "demo", api_base_url: "http://127.0.0.1:9/v1/messages", models: ["m"],
                               api_keys: [{key: "canary-key-a1", name: "filed"}]}]})");
  options.broker = "unix:" + folder_ + "/none.sock";
  EXPECT_EQ(Candidates("KEY", "demo", options), "filed\n");
}

TEST_F(KeyTest, DiffTellsWhatPeopleHaveChanged) {
  WriteConfig(R"({Providers: [
    {name: "demo", api_base_url: "http://127.0.0.1:9/v1/messages", models: ["m"], rotation_strategy: "random",
     api_keys: [{key: "canary-key-a1", name: "work", rpm: 60}, {key: "canary-key-a2", name: "gone"}]},
    {name: "other", api_base_url: "http://127.0.0.1:9/v1/messages", models: ["m"], api_keys: ["canary-key-a3"]}]})");
  broker_.SetBaseUrl("http://127.0.0.1:9/v1/messages");
  EXPECT_EQ(Ask({"key", "disable", "demo", "work"}), 0);
  EXPECT_EQ(Ask({"config", "diff"}), 0) << err_.str();
  EXPECT_EQ(out_.str(),
            "demo: strategy is random in the file, round_robin in the broker\n"
            "demo's key 'work': enabled is yes in the file, no in the broker\n"
            "demo's key 'work': rpm is 60 in the file, none in the broker\n"
            "demo's key 'gone' is in the file, and not in the broker\n"
            "demo's key 'team' is in the broker, and not in the file\n"
            "other is in the file, and not in the broker\n");
  EXPECT_THAT(err_.str(), HasSubstr("so not compared: limits, queue"));
  const json::object diff = AskJson({"config", "diff"});
  EXPECT_FALSE(diff.at("same").as_bool());
  EXPECT_EQ(diff.at("differences").at(1).at("key"), "work");
}

TEST_F(KeyTest, DiffOfTheSame) {
  WriteConfig(R"({Providers: [{name: "demo", api_base_url: "http://127.0.0.1:9/v1/messages", models: ["m"],
     api_keys: [{key: "canary-key-a1", name: "work"}, {key: "canary-key-a2", name: "team"}]}]})");
  broker_.SetBaseUrl("http://127.0.0.1:9/v1/messages");
  EXPECT_EQ(Ask({"config", "diff"}), 0);
  EXPECT_THAT(out_.str(), StartsWith("The broker runs with what "));
  EXPECT_TRUE(AskJson({"config", "diff"}).at("same").as_bool());
  WriteConfig("{");
  EXPECT_EQ(Ask({"config", "diff"}), 2);
}

}  // namespace
}  // namespace ccr::cli
