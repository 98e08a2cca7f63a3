// A folder with a configuration and shell scripts in place of the daemons.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "client/cli/app.h"
#include "client/cli/service/service.h"
#include "client/cli/service/service_files.h"

namespace ccr::cli {

inline std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline std::vector<std::string> FileLines(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

// True as soon as `condition` is; false after a minute.
inline bool Eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

inline bool IsAlive(pid_t pid) {
  const std::string stat = ReadFile("/proc/" + std::to_string(pid) + "/stat");
  return !stat.empty() && stat.find(") Z ") == std::string::npos;
}

class ServiceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "ccr-cli-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    std::ofstream(folder_ + "/config.json") << R"({
      PORT: 3456,
      APIKEY: "canary-client-token",
      Providers: [{name: "demo", api_base_url: "http://127.0.0.1:9/v1/messages", models: ["m"], api_keys: ["canary-key-a1"]}],
      Router: {default: "demo,m"},
    })";
    chmod((folder_ + "/config.json").c_str(), 0600);
    WriteBroker(Serving("broker", kBrokerReady));
    WriteProxy(Serving("proxy", kProxyReady));
  }

  void TearDown() override {
    if (const auto service = FindRunning(files()); service && service->pid > 0) kill(service->pid, SIGKILL);
    Eventually([this] { return !FindRunning(files()); });
    std::filesystem::remove_all(folder_);
  }

  static constexpr const char* kBrokerReady = "ccr-broker ready: grpc=127.0.0.1:50999 metrics=127.0.0.1:9999";
  static constexpr const char* kProxyReady = "ccr-proxy ready: http=127.0.0.1:3999 metrics=127.0.0.1:9998";

  // A script that notes its pid and arguments, gets ready, notes a SIGHUP, and ends at SIGTERM, which it notes too.
  std::string Serving(const std::string& name, const std::string& ready) const {
    const std::string path = folder_ + "/" + name;
    const std::string order = folder_ + "/order";
    return "trap 'echo " + name + " >> " + order + "; exit 0' TERM\n" + "trap 'echo reload >> " + order + "' HUP\n" +
           "echo \"$*\" >> " + path + ".args\n" + "echo $$ >> " + path + ".pids\n" + "echo '" + ready + "' >&2\n" +
           "while :; do sleep 0.02; done\n";
  }

  // Adds sections to the configuration.
  void Configure(const std::string& more) const {
    const std::string config = ReadFile(folder_ + "/config.json");
    std::ofstream(folder_ + "/config.json") << config.substr(0, config.rfind('}')) << more << "}";
  }

  void WriteBroker(const std::string& script) const { WriteScript("ccr-broker", script); }
  void WriteProxy(const std::string& script) const { WriteScript("ccr-proxy", script); }

  void WriteScript(const std::string& name, const std::string& script) const {
    const std::string path = folder_ + "/" + name;
    std::filesystem::remove(path);  // a shell that runs it reads on in the old file
    std::ofstream(path) << "#!/bin/sh\n" << script;
    chmod(path.c_str(), 0700);
  }

  std::vector<pid_t> Pids(const std::string& name) const {
    std::vector<pid_t> pids;
    for (const std::string& line : FileLines(folder_ + "/" + name + ".pids")) pids.push_back(std::stoi(line));
    return pids;
  }

  ServiceFiles files() const { return ServiceFiles(folder_ + "/config.json"); }
  ServiceOptions options() const { return {folder_ + "/config.json", folder_, "", false}; }

  void WriteConfig(const std::string& text, const std::string& name = "config.json") const {
    std::ofstream(folder_ + "/" + name) << text;
    chmod((folder_ + "/" + name).c_str(), 0600);
  }

  std::string folder_;
  std::ostringstream out_;
  std::ostringstream err_;
  Terminal terminal_{out_, err_};
};

// The same with whole command lines.
class AppTest : public ServiceTest {
 protected:
  int Run(std::vector<std::string> arguments) { return Run(std::move(arguments), terminal_); }

  int Run(std::vector<std::string> arguments, const Terminal& terminal) {
    arguments.insert(arguments.begin(), {"ccr", "--config", folder_ + "/config.json"});
    std::vector<const char*> argv;
    for (const std::string& argument : arguments) argv.push_back(argument.c_str());
    return RunApp(static_cast<int>(argv.size()), argv.data(), folder_, terminal);
  }
};

}  // namespace ccr::cli
