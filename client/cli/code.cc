#include "client/cli/code.h"

#include <unistd.h>

#include <optional>

#include "absl/strings/str_cat.h"
#include "client/cli/claude_env.h"
#include "client/cli/health.h"
#include "client/cli/service/foreground_child.h"
#include "client/cli/service/session_lock.h"

namespace ccr::cli {
namespace {

constexpr int kNotInstalled = 127;

std::string ClaudeName(const Config& config, const EnvLookup& env) {
  std::string name = env("CLAUDE_PATH").value_or("");
  if (name.empty()) name = config.claude_path.empty() ? "claude" : config.claude_path;
  if (name.substr(0, 2) == "~/") name = env("HOME").value_or("") + name.substr(1);
  return name;
}

void ExplainMissing(const std::string& name, const Terminal& terminal) {
  terminal.err << "ccr: Claude Code is not found: there is no program " << name
               << (name.find('/') == std::string::npos ? " in PATH" : " (CLAUDE_PATH)")
               << ".\nInstall it with: npm install -g @anthropic-ai/claude-code\n"
               << "or say where it is, with CLAUDE_PATH in the configuration or the environment.\n";
}

// Where the service listens, started when need be and then noted in `lock`. On failure the exit status, explained.
struct Endpoint {
  int failure = 0;
  std::string address;
};

Endpoint StartForSessions(const ServiceOptions& options, const Config& config, const SessionLock& lock,
                          const Terminal& terminal) {
  const ServiceFiles files = FilesOf(options);
  const StartReport report = StartInBackground(options, config);
  if (!report.ok()) {
    terminal.err << report.error << "ccr: the service could not be started, so Claude Code was not\n";
    return {report.exit_code, ""};
  }
  const std::string warning = WarningOfOpenListeners(config.broker, report.addresses);
  if (!warning.empty()) terminal.err << "ccr: " << warning << "\n";
  const std::optional<RunningService> service = FindRunning(files);
  if (service) lock.Own(*service).IgnoreError();  // unowned, it stays: no harm
  return {0, report.addresses.http};
}

Endpoint FindOrStart(const ServiceOptions& options, const Config& config, const SessionLock* lock,
                     const Terminal& terminal) {
  const absl::StatusOr<ServiceAddresses> running = AwaitAddresses(FilesOf(options));
  if (running.ok()) return {0, running->http};
  if (!absl::IsNotFound(running.status())) {
    terminal.err << "ccr: " << running.status().message() << "\n";
    return {1, ""};
  }
  // One that something else keeps running: systemd, a container.
  const std::string configured = Connectable(config.proxy.listen);
  if (IsProxy(configured)) return {0, configured};
  if (lock != nullptr) return StartForSessions(options, config, *lock, terminal);
  terminal.err << "ccr: the service is not running and cannot be started from here\n";
  return {1, ""};
}

std::vector<std::string> Environment() {
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) variables.emplace_back(*variable);
  return variables;
}

void EndSession(const ServiceFiles& files, const SessionLock& lock, const Terminal& terminal) {
  if (!lock.EndsLast()) return;
  const std::optional<RunningService> service = FindRunning(files);
  if (service && StartedBySession(files, *service)) StopAndWait(files, *service, terminal);
}

}  // namespace

int RunCode(const ServiceOptions& options, const std::vector<std::string>& arguments, const Terminal& terminal) {
  const std::optional<Config> config = LoadOrExplain(options, true, terminal);
  if (!config) return 2;
  const std::string name = ClaudeName(*config, ProcessEnv());
  const std::string program = FindProgram(name, ProcessEnv());
  if (program.empty()) {
    ExplainMissing(name, terminal);
    return kNotInstalled;
  }
  const ServiceFiles files = FilesOf(options);
  files.MakeFolder().IgnoreError();  // then the lock cannot be had, and that is told
  const absl::StatusOr<SessionLock> lock = SessionLock::Begin(files);
  if (!lock.ok()) terminal.err << "ccr: " << lock.status().message() << "\n";
  const Endpoint endpoint = FindOrStart(options, *config, lock.ok() ? &*lock : nullptr, terminal);
  if (endpoint.failure != 0) return endpoint.failure;
  if (lock.ok()) lock->BeDone();
  const EnvChanges changes = ClaudeEnv(*config, endpoint.address, ProcessEnv());
  const absl::StatusOr<int> status = RunInForeground(program, arguments, Changed(Environment(), changes));
  if (lock.ok()) EndSession(files, *lock, terminal);
  if (status.ok()) return *status;
  terminal.err << "ccr: " << status.status().message() << "\n";
  return kNotInstalled;
}

int Activate(const ServiceOptions& options, std::string shell, const Terminal& terminal) {
  const std::optional<Config> config = LoadOrExplain(options, true, terminal);
  if (!config) return 2;
  const ServiceFiles files = FilesOf(options);
  if (const absl::Status usable = CheckUsable(files); !usable.ok()) {
    terminal.err << "ccr: " << usable.message() << "\n";
    return 1;
  }
  const std::optional<ServiceAddresses> running = FindRunning(files) ? files.ReadAddresses() : std::nullopt;
  const std::string endpoint = running ? running->http : Connectable(config->proxy.listen);
  if (!running && endpoint.ends_with(":0")) {
    terminal.err << "ccr: not running, and it takes any free port; start it first with: ccr start\n";
    return 3;
  }
  if (!running && !IsProxy(endpoint)) terminal.err << "ccr: not running; start it with: ccr start\n";
  if (shell.empty()) shell = ProcessEnv()("SHELL").value_or("");
  const bool fish = shell.substr(shell.rfind('/') + 1) == "fish";
  const EnvChanges changes = ClaudeEnv(*config, endpoint, ProcessEnv());
  terminal.out << (options.json ? EnvJson(changes) + "\n" : fish ? FishExports(changes) : ShellExports(changes));
  return 0;
}

}  // namespace ccr::cli
