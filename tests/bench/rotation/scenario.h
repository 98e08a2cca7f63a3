// A fleet of keys, what befalls it, and who asks for it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tests/bench/rotation/limits.h"

namespace ccr::rotation {

// What an answer's headers tell of the limits.
enum class Headers {
  kNone,
  kOpenAi,     // x-ratelimit-*: reset is the time until all is back
  kAnthropic,  // anthropic-ratelimit-*: reset is the instant at which all is back, in whole seconds
  kEpoch,      // X-RateLimit-*: the same instant as epoch milliseconds
};

// What a 429 tells of the key's return.
enum class RetryAfter { kAbsent, kRoundedUp /* to seconds */, kExact };

enum class Fault {
  kAuth,        // 401
  kQuota,       // 429 insufficient_quota
  kServer,      // 500
  kOverloaded,  // 503
  kConnect,     // nobody listens
};

// A time, from the start, in which all calls end so.
struct Spell {
  absl::Duration from, until;
  Fault fault;
};

// What the provider knows of a key; nobody is told.
struct KeyModel {
  std::string name;
  std::vector<LimitSpec> limits;  // all of them hold
  Headers headers = Headers::kNone;
  RetryAfter retry_after = RetryAfter::kExact;
  std::vector<Spell> spells = {};
  double slowness = 1;     // times the usual duration
  double flaky = 0;        // share of calls that end with a 500
  double cut = 0;          // share of calls whose stream ends early
  double other_user = 0;   // requests a second that somebody else sends with it
  std::string group = {};  // keys of one name are equal, and should get equal shares; empty: compared with none
};

struct TrafficSpec {
  absl::Duration length = absl::Minutes(10);
  double load = 0.9;    // as a share of what the keys allow for ever
  double rate = 0;      // requests a second, instead of `load`
  double burst = 1;     // requests that come at the same time, on average
  double sessions = 0;  // share of requests that belong to a session, of 8 requests on average, 6 s apart
  absl::Duration seconds = absl::Seconds(2);  // that an answer takes, on average
  bool steady = false;                        // every answer takes the same
  double stream_share = 0.7;                  // of requests whose answer is a stream; it begins after a fifth
  double mean_tokens = 1000;
  std::vector<std::string> models = {"model-a"};  // asked for evenly
  absl::Duration patience = absl::Minutes(2);     // then the client gives up
};

struct Fleet {
  std::string name;
  std::string about;
  std::vector<KeyModel> keys;
  std::vector<Spell> outages = {};  // of all keys
  TrafficSpec traffic = {};
};

struct Request {
  absl::Time arrival;
  size_t model = 0;      // of TrafficSpec::models
  uint64_t session = 0;  // 0 = none
  uint64_t input_tokens = 0, output_tokens = 0, estimated_tokens = 0;
  absl::Duration first_byte, total;  // with a key of slowness 1
  bool stream = false;

  double tokens() const { return static_cast<double>(input_tokens + output_tokens); }
};

// All that is the same for every policy.
struct Scenario {
  Fleet fleet;
  uint64_t seed = 1;
  absl::Time start;
  std::vector<Request> requests;                     // by arrival
  std::vector<std::vector<absl::Time>> other_users;  // of each key: when somebody else sends

  absl::Time end() const { return start + fleet.traffic.length; }
};

Scenario MakeScenario(const Fleet& fleet, uint64_t seed);

// The share of a key's calls that may be expected to end well, but for limits and spells.
double GoodShare(const KeyModel& key, const TrafficSpec& traffic);

// Requests a second that the keys allow for ever, dead ones not counted; infinite when one has no limit.
double Capacity(const Fleet& fleet);

bool Suffers(const std::vector<Spell>& spells, absl::Duration since_start, Fault* fault);

}  // namespace ccr::rotation
