#include "tests/bench/rotation/fleets.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace ccr::rotation {
namespace {

constexpr absl::Duration kAlways = absl::Hours(24);

Spell From(absl::Duration from, Fault fault) {
  return {from, kAlways, fault};
}

KeyModel Key(std::string name, std::vector<LimitSpec> limits, Headers headers, RetryAfter retry_after) {
  KeyModel key;
  key.name = std::move(name);
  key.limits = std::move(limits);
  key.headers = headers;
  key.retry_after = retry_after;
  return key;
}

std::vector<KeyModel> Equal(size_t count, const KeyModel& model) {
  std::vector<KeyModel> keys(count, model);
  for (size_t i = 0; i < count; ++i) {
    keys[i].name = absl::StrCat(model.name, i);
    keys[i].group = model.name;
  }
  return keys;
}

KeyModel Faulty(KeyModel key, std::vector<Spell> spells) {
  key.spells = std::move(spells);
  return key;
}

// A dozen unequal keys whose limits nobody declared.
Fleet Dozen() {
  Fleet fleet{.name = "dozen", .about = "12 unequal keys, undeclared limits, faults of every kind, an outage of 5 s"};
  fleet.keys = {
      Key("bucket-2", {Bucket(2, 5)}, Headers::kOpenAi, RetryAfter::kExact),
      Key("bucket-1", {Bucket(1, 10)}, Headers::kAnthropic, RetryAfter::kRoundedUp),
      Key("hold-1", {HoldingBucket(1, 3)}, Headers::kNone, RetryAfter::kAbsent),
      Key("minute-60", {FixedMinute(60)}, Headers::kNone, RetryAfter::kRoundedUp),
      Key("sliding-90", {SlidingMinute(90)}, Headers::kNone, RetryAfter::kExact),
      Key("parallel-3", {Concurrency(3)}, Headers::kNone, RetryAfter::kAbsent),
      Faulty(Key("dead", {Bucket(2, 5)}, Headers::kOpenAi, RetryAfter::kExact),
             {From(absl::ZeroDuration(), Fault::kAuth)}),
      Faulty(Key("dying", {Bucket(1, 5)}, Headers::kOpenAi, RetryAfter::kExact),
             {From(absl::Minutes(3), Fault::kAuth)}),
      Faulty(Key("exhausted", {Bucket(1, 5)}, Headers::kNone, RetryAfter::kAbsent),
             {From(absl::Minutes(2), Fault::kQuota)}),
      Key("slow", {Bucket(0.5, 3)}, Headers::kNone, RetryAfter::kExact),
      Key("flaky", {Bucket(1, 5)}, Headers::kOpenAi, RetryAfter::kExact),
      Key("cut", {Bucket(0.5, 3)}, Headers::kNone, RetryAfter::kRoundedUp),
  };
  fleet.keys[9].slowness = 6;
  fleet.keys[10].flaky = 0.2;
  fleet.keys[11].cut = 0.3;
  fleet.outages = {{absl::Minutes(5), absl::Minutes(5) + absl::Seconds(5), Fault::kServer}};
  fleet.traffic.load = 0.85;
  return fleet;
}

Fleet Headed(std::string name, Headers headers, RetryAfter retry_after) {
  Fleet fleet{.name = std::move(name), .about = "8 equal token buckets that tell their limits; bursts of 6"};
  fleet.keys = Equal(8, Key("key", {Bucket(1, 6)}, headers, retry_after));
  fleet.traffic.load = 1.0;
  fleet.traffic.burst = 6;
  return fleet;
}

std::vector<Fleet> Buckets() {
  std::vector<Fleet> fleets = {Headed("openai", Headers::kOpenAi, RetryAfter::kExact),
                               Headed("anthropic", Headers::kAnthropic, RetryAfter::kRoundedUp)};
  Fleet full = Headed("openai-full", Headers::kOpenAi, RetryAfter::kExact);
  full.about = "the same at 1.3 of what they allow";
  full.traffic.load = 1.3;
  fleets.push_back(std::move(full));
  Fleet mute{.name = "mute", .about = "8 buckets of 3 sizes that tell nothing, not even when to come back"};
  for (int i = 0; i < 8; ++i) {
    mute.keys.push_back(Key(absl::StrCat("mute", i), {Bucket(0.5 * (1 + i % 3), 2 + 2 * (i % 3))}, Headers::kNone,
                            RetryAfter::kAbsent));
  }
  fleets.push_back(std::move(mute));
  Fleet holds{.name = "holds", .about = "6 mute buckets where a call too many postpones the next good one"};
  holds.keys = Equal(6, Key("hold", {HoldingBucket(0.5, 3)}, Headers::kNone, RetryAfter::kAbsent));
  holds.traffic.load = 1.0;
  fleets.push_back(std::move(holds));
  return fleets;
}

std::vector<Fleet> Windows() {
  Fleet fixed{.name = "windows", .about = "6 fixed minutes that begin at different times, in X-RateLimit headers"};
  for (int i = 0; i < 6; ++i) {
    fixed.keys.push_back(Key(absl::StrCat("minute", i), {FixedMinute(40 + 10 * i, absl::Seconds(10 + 9 * i))},
                             Headers::kEpoch, RetryAfter::kAbsent));
  }
  fixed.traffic.load = 1.0;
  fixed.traffic.burst = 3;
  Fleet sliding{.name = "sliding", .about = "6 sliding minutes without headers, Retry-After in seconds; bursts"};
  sliding.keys = Equal(6, Key("slide", {SlidingMinute(60)}, Headers::kNone, RetryAfter::kRoundedUp));
  sliding.traffic.burst = 5;
  sliding.traffic.load = 0.8;
  return {fixed, sliding};
}

std::vector<Fleet> Sizes() {
  Fleet tokens{.name = "tokens", .about = "6 keys with requests and tokens a minute, OpenAI's headers"};
  tokens.keys = Equal(6, Key("tpm", {Bucket(2, 20), TokensPerMinute(20'000)}, Headers::kOpenAi, RetryAfter::kExact));
  tokens.traffic.load = 1.0;
  tokens.traffic.burst = 5;
  Fleet models{.name = "models", .about = "4 keys with a limit for each of 3 models, sessions"};
  models.traffic.models = {"model-a", "model-b", "model-c"};
  std::vector<LimitSpec> limits;
  for (const std::string& model : models.traffic.models) limits.push_back(ForModel(Bucket(0.7, 6), model));
  models.keys = Equal(4, Key("scoped", limits, Headers::kOpenAi, RetryAfter::kExact));
  models.traffic.sessions = 0.5;
  models.traffic.load = 0.8;
  Fleet parallel{.name = "parallel", .about = "5 keys of 4 streams at once each, answers of 8 s; no word of it"};
  parallel.keys = Equal(5, Key("parallel", {Concurrency(4)}, Headers::kNone, RetryAfter::kAbsent));
  parallel.traffic.seconds = absl::Seconds(8);
  parallel.traffic.steady = true;
  return {tokens, models, parallel};
}

std::vector<Fleet> Lives() {
  Fleet cache{.name = "sessions", .about = "10 keys, sessions with prompt caches, half of what they allow"};
  cache.keys = Equal(10, Key("key", {Bucket(0.5, 8)}, Headers::kOpenAi, RetryAfter::kExact));
  cache.traffic.load = 0.5;
  cache.traffic.sessions = 0.9;
  Fleet shared{.name = "shared", .about = "6 keys of which another user takes a third"};
  shared.keys = Equal(6, Key("shared", {Bucket(1, 6)}, Headers::kAnthropic, RetryAfter::kRoundedUp));
  shared.traffic.load = 0.95;
  shared.traffic.burst = 4;
  for (KeyModel& key : shared.keys) key.other_user = 0.33;
  Fleet sick{.name = "sick",
             .about = "2 good keys, 2 that answer 500 for 4 minutes, 1 that comes back to life; outages"};
  sick.keys = Equal(2, Key("good", {Bucket(3, 20)}, Headers::kOpenAi, RetryAfter::kExact));
  const std::vector<Spell> ill = {{absl::Minutes(2), absl::Minutes(6), Fault::kServer}};
  sick.keys.push_back(Faulty(Key("ill-a", {Bucket(3, 20)}, Headers::kOpenAi, RetryAfter::kExact), ill));
  sick.keys.push_back(Faulty(Key("ill-b", {Bucket(3, 20)}, Headers::kOpenAi, RetryAfter::kExact), ill));
  sick.keys.push_back(Faulty(Key("risen", {Bucket(3, 20)}, Headers::kOpenAi, RetryAfter::kExact),
                             {{absl::Minutes(1), absl::Minutes(3), Fault::kAuth}}));
  sick.outages = {{absl::Minutes(7), absl::Minutes(7) + absl::Seconds(10), Fault::kConnect},
                  {absl::Minutes(8), absl::Minutes(8) + absl::Seconds(5), Fault::kOverloaded}};
  sick.traffic.load = 0.4;
  return {cache, shared, sick};
}

}  // namespace

std::vector<Fleet> NamedFleets() {
  std::vector<Fleet> fleets = {Dozen()};
  for (std::vector<Fleet> (*family)() : {Buckets, Windows, Sizes, Lives}) {
    for (Fleet& fleet : family()) fleets.push_back(std::move(fleet));
  }
  return fleets;
}

}  // namespace ccr::rotation
