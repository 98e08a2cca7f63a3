#include "broker/config/key_sources.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <map>
#include <string>
#include <vector>

#include "tests/broker/config/manual_clock.h"

namespace ccr {
namespace {

using Kind = SecretSource::Kind;
using State = SecretAnswer::State;

// Gives by path what it is told to. Of the thread of the test and those of Prepare().
class FakeReader final : public SecretReader {
 public:
  absl::StatusOr<SecretReading> Read(const SecretSource& source) override {
    MutexLock lock(mutex_);
    ++reads_[source.path];
    const auto found = given_.find(source.path);
    if (found == given_.end()) return failure;
    SecretReading reading;
    reading.text = Secret(found->second);
    reading.valid_for = valid_for;
    return reading;
  }
  std::string Stamp(const SecretSource& source) const override {
    MutexLock lock(mutex_);
    const auto found = given_.find(source.path);
    return stamps && found != given_.end() ? found->second : "";
  }
  void Give(const std::string& path, const std::string& text) {
    MutexLock lock(mutex_);
    given_[path] = text;
  }
  void Lose(const std::string& path) {
    MutexLock lock(mutex_);
    given_.erase(path);
  }
  int reads(const std::string& path) {
    MutexLock lock(mutex_);
    return reads_[path];
  }

  bool stamps = true;
  absl::Status failure = absl::UnavailableError("cannot be reached");
  absl::Duration valid_for = absl::InfiniteDuration();

 private:
  mutable Mutex mutex_;
  std::map<std::string, std::string> given_ CCR_GUARDED_BY(mutex_);
  std::map<std::string, int> reads_ CCR_GUARDED_BY(mutex_);
};

SecretSource File(const std::string& path) {
  SecretSource source;
  source.path = path;
  return source;
}

class KeySourcesTest : public ::testing::Test {
 protected:
  std::string Text(const std::string& path) {
    const SecretAnswer answer = sources_.Resolve(File(path));
    return answer.text ? std::string(answer.text->Reveal()) : "";
  }
  // As a reload does it, which accepts what it reads.
  void Load(const std::vector<SecretSource>& sources) {
    sources_.Prepare(sources);
    for (const SecretSource& source : sources) sources_.Resolve(source);
    sources_.Follow(sources);
  }
  void LookAfter(absl::Duration step) {
    clock_.Advance(step);
    next_ = sources_.Look(Kind::kFile);
  }

  ManualClock clock_;
  FakeReader reader_;
  KeySources sources_{&clock_, {{Kind::kFile, &reader_}}};
  absl::Time next_;
};

TEST_F(KeySourcesTest, ReadsOnceAndRemembers) {
  reader_.Give("a", "canary-key-a1\n");
  sources_.Prepare({File("a")});
  EXPECT_EQ(Text("a"), "canary-key-a1\n");
  EXPECT_EQ(sources_.Resolve(File("a")).state, State::kRead);
  sources_.Prepare({File("a")});
  EXPECT_EQ(reader_.reads("a"), 1);
  sources_.Expire();
  sources_.Prepare({File("a")});
  EXPECT_EQ(reader_.reads("a"), 2);
}

TEST_F(KeySourcesTest, AFileIsReadWhenItHasChangedAndHeldStill) {
  reader_.Give("a", "canary-key-a1");
  Load({File("a")});
  LookAfter(absl::Seconds(1));
  EXPECT_EQ(next_, clock_.Now() + absl::Milliseconds(500));
  EXPECT_EQ(reader_.reads("a"), 1);
  reader_.Give("a", "canary-key-a2");
  LookAfter(absl::Milliseconds(500));
  EXPECT_EQ(reader_.reads("a"), 1);
  EXPECT_FALSE(sources_.HasNews());
  LookAfter(absl::Milliseconds(500));
  EXPECT_EQ(reader_.reads("a"), 2);
  EXPECT_TRUE(sources_.HasNews());
  EXPECT_EQ(Text("a"), "canary-key-a2");
  Load({File("a")});
  EXPECT_FALSE(sources_.HasNews());
}

TEST_F(KeySourcesTest, OthersAreReadWhenTheyAreNoLongerValid) {
  reader_.stamps = false;
  reader_.valid_for = absl::Minutes(5);
  reader_.Give("a", "canary-key-a1");
  Load({File("a")});
  LookAfter(absl::Minutes(5) - absl::Milliseconds(1));
  EXPECT_EQ(reader_.reads("a"), 1);
  LookAfter(absl::Milliseconds(1));
  EXPECT_EQ(reader_.reads("a"), 2);
}

TEST_F(KeySourcesTest, ASourceThatFailsKeepsItsKeyAndIsTriedAgain) {
  reader_.stamps = false;
  reader_.valid_for = absl::Minutes(1);
  reader_.Give("a", "canary-key-a1");
  Load({File("a")});
  reader_.Lose("a");
  LookAfter(absl::Minutes(1));
  const absl::Time failed = clock_.Now();
  for (const int wait : {2, 4, 8, 16, 32, 60, 60}) {
    const int before = reader_.reads("a");
    LookAfter(absl::Seconds(wait) - absl::Milliseconds(1));
    EXPECT_EQ(reader_.reads("a"), before) << wait;
    LookAfter(absl::Milliseconds(1));
    EXPECT_EQ(reader_.reads("a"), before + 1) << wait;
  }
  const SecretAnswer answer = sources_.Resolve(File("a"));
  EXPECT_EQ(answer.state, State::kKept);
  EXPECT_EQ(answer.text->Reveal(), "canary-key-a1");
  EXPECT_EQ(answer.problem, "cannot be reached");
  EXPECT_FALSE(sources_.HasNews());
  ASSERT_EQ(sources_.Problems().size(), 1u);
  EXPECT_EQ(sources_.Problems()[0].error, "key file a cannot be reached");
  EXPECT_EQ(sources_.Problems()[0].since, failed);
  EXPECT_TRUE(sources_.Problems()[0].has_keys);
  reader_.Give("a", "canary-key-a1");
  LookAfter(absl::Minutes(1));
  EXPECT_TRUE(sources_.Problems().empty());
  EXPECT_FALSE(sources_.HasNews()) << "it gives what it gave before";
}

TEST_F(KeySourcesTest, WhatIsNoKeyCountsAsAFailure) {
  reader_.Give("a", "canary-key-a1");
  Load({File("a")});
  for (const char* text : {"", "# nothing\n", "canary key a2", "\x01"}) {
    reader_.Give("a", text);
    sources_.Expire();
    EXPECT_EQ(Text("a"), "canary-key-a1");
    EXPECT_EQ(sources_.Resolve(File("a")).state, State::kKept);
  }
  EXPECT_FALSE(sources_.HasNews());
}

TEST_F(KeySourcesTest, AtTheStartASourceOutOfReachMayComeLater) {
  EXPECT_EQ(sources_.Resolve(File("away")).state, State::kLater);
  reader_.Give("bad", "no key");
  EXPECT_EQ(sources_.Resolve(File("bad")).state, State::kFailed);
  Load({File("away")});
  EXPECT_FALSE(sources_.Problems()[0].has_keys);
  reader_.Give("away", "canary-key-a1");
  sources_.Expire();
  EXPECT_EQ(Text("away"), "canary-key-a1");
  EXPECT_TRUE(sources_.HasNews());
}

TEST_F(KeySourcesTest, ANewSourceOutOfReachIsAMistakeOfTheChange) {
  reader_.Give("a", "canary-key-a1");
  Load({File("a"), File("away")});
  EXPECT_EQ(sources_.Resolve(File("other")).state, State::kFailed);
  EXPECT_EQ(sources_.Resolve(File("away")).state, State::kLater) << "it was there at the start";
}

TEST_F(KeySourcesTest, AStrictOneTakesNoneForLater) {
  KeySources strict(&clock_, {{Kind::kFile, &reader_}}, true);
  EXPECT_EQ(strict.Resolve(File("away")).state, State::kFailed);
}

TEST_F(KeySourcesTest, NoMessageHoldsAKey) {
  reader_.stamps = false;
  reader_.Give("a", "canary-key-a1\ncanary-key-a2");
  Load({File("a")});
  reader_.Lose("a");
  reader_.failure = absl::UnavailableError("ended with status 1: not canary-key-a2");
  sources_.Expire();
  EXPECT_EQ(sources_.Resolve(File("a")).problem, "fails, and what it says of that holds a key");
}

TEST_F(KeySourcesTest, ThreadsTellOfChanges) {
  reader_.Give("a", "canary-key-a1");
  const MonotonicWallClock clock;
  KeySources sources(&clock, {{Kind::kFile, &reader_}});
  sources.Prepare({File("a")});
  sources.Resolve(File("a"));
  sources.Follow({File("a")});
  std::promise<void> changed;
  sources.Start([&changed] { changed.set_value(); });  // a second time would throw
  reader_.Give("a", "canary-key-a2");
  changed.get_future().wait();
  EXPECT_TRUE(sources.HasNews());
  sources.Stop();
}

TEST_F(KeySourcesTest, PreparesManyAtOnce) {
  std::vector<SecretSource> many;
  for (int i = 0; i < 100; ++i) {
    many.push_back(File(std::to_string(i)));
    reader_.Give(many.back().path, "canary-key-" + std::to_string(i));
  }
  sources_.Prepare(many);
  for (const SecretSource& source : many) {
    EXPECT_EQ(Text(source.path), "canary-key-" + source.path);
    EXPECT_EQ(reader_.reads(source.path), 1);
  }
}

TEST_F(KeySourcesTest, WhatIsNotUsedAnyMoreIsForgotten) {
  reader_.Give("a", "canary-key-a1");
  Load({File("a")});
  Load({});
  LookAfter(absl::Seconds(1));
  EXPECT_EQ(next_, absl::InfiniteFuture());
  EXPECT_EQ(Text("a"), "canary-key-a1");
  EXPECT_EQ(reader_.reads("a"), 2);
}

}  // namespace
}  // namespace ccr
