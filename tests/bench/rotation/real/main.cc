// The provider and the clients of one fleet, by the clock, around processes that others start. real.py does.
//
// Prints a JSON object with the provider's port, its keys and models, reads the port of the proxy from its input, runs,
// and prints the figures as rotation_bench --json does.
#include <cstdint>
#include <iostream>
#include <string>

#include "boost/asio/io_context.hpp"
#include "tests/bench/rotation/options.h"
#include "tests/bench/rotation/oracle.h"
#include "tests/bench/rotation/real/clients.h"
#include "tests/bench/rotation/real/provider_server.h"
#include "tests/bench/rotation/real/session.h"
#include "tests/bench/rotation/summary.h"

namespace ccr::rotation {
namespace {

template <typename List, typename Name>
std::string Quoted(const List& list, Name name) {
  std::string out;
  for (const auto& item : list) out += (out.empty() ? "\"" : ",\"") + name(item) + "\"";
  return "[" + out + "]";
}

int Main(int argc, char** argv) {
  const Options options = ReadOptions(argc, argv);
  const std::vector<Fleet> fleets = FleetsOf(options);
  if (fleets.size() != 1) Usage("one --fleet is wanted, or --random 1");
  const Scenario scenario = MakeScenario(fleets.front(), options.seed);
  Session session(scenario);
  boost::asio::io_context io(1);
  const ProviderServer server(io, &session);
  std::cout << R"({"port":)" << server.port() << R"(,"keys":)" << Quoted(scenario.fleet.keys, Session::Credential)
            << R"(,"models":)" << Quoted(scenario.fleet.traffic.models, [](const std::string& name) { return name; })
            << "}" << std::endl;
  uint16_t port = 0;
  if (!(std::cin >> port)) return 1;
  session.Start();
  SendAll(io, &session, port);
  while (session.unfinished() > 0) io.run_one();
  std::cout << ToJson(Summarize(scenario, session.recorder().Take("real"), Bound(scenario, options.pool.max_wait)))
            << std::endl;
  return 0;
}

}  // namespace
}  // namespace ccr::rotation

int main(int argc, char** argv) {
  return ccr::rotation::Main(argc, argv);
}
