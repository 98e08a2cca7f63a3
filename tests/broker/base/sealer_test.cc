#include "broker/base/sealer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "broker/base/absl_text.h"
#include "broker/base/secret.h"

namespace ccr {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

// Bytes that are the same in every run.
Sealer::Random Counting() {
  return [next = std::make_shared<unsigned char>(1)](size_t bytes) {
    std::string random(bytes, '\0');
    for (char& byte : random) byte = static_cast<char>((*next)++);
    return random;
  };
}

Secret MasterKey(char fill) {
  return Secret(std::string(kMasterKeyBytes, fill));
}

Sealer SealerOf(std::string_view fills) {
  std::vector<Secret> keys;
  for (const char fill : fills) keys.push_back(MasterKey(fill));
  absl::StatusOr<Sealer> sealer = Sealer::Make(std::move(keys), Counting());
  EXPECT_TRUE(sealer.ok()) << sealer.status();
  return *std::move(sealer);
}

const SealContext kContext{"openrouter", "team-1", 3};

std::string_view MessageOf(const absl::StatusOr<Secret>& opened) {
  return ToStd(opened.status().message());
}

TEST(SealerTest, OpensWhatItSealed) {
  const Sealer sealer = SealerOf("m");
  const std::vector<std::string> keys = {"",
                                         "k",
                                         "canary-key-a1",
                                         std::string(15, 'x'),
                                         std::string(16, 'y'),
                                         std::string("\0\xff\n\"", 4),
                                         std::string(8192, 'z')};
  const std::vector<SealContext> contexts = {
      {"openrouter", "file", 0}, kContext, {"", "", 0}, {"a b,\"c\"", "k/1", ~uint64_t{0}}};
  for (const SealContext& context : contexts) {
    for (const std::string& key : keys) {
      const std::string sealed = sealer.Seal(Secret(key), context);
      EXPECT_THAT(sealed, MatchesRegex("ccr-sealed:1:[0-9a-f]+:[-_A-Za-z0-9]+"));
      EXPECT_TRUE(LooksSealed(sealed));
      if (key.size() > 4) {
        EXPECT_EQ(sealed.find(key), std::string::npos);
      }
      const absl::StatusOr<Secret> opened = sealer.Open(sealed, context);
      ASSERT_TRUE(opened.ok()) << opened.status();
      EXPECT_EQ(opened->Reveal(), key);
    }
  }
}

// Texts that are on disk must open in every later release.
TEST(SealerTest, TheFormatStays) {
  const Sealer sealer = SealerOf("m");
  const std::string sealed = sealer.Seal(Secret("canary-key-a1"), kContext);
  EXPECT_EQ(sealed,
            "ccr-sealed:1:39bec2bccfcd6865:"
            "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYzJ7xU6AJvMylWuruLFn_cJcYi3TIbIqxfAvC7v4");
  const absl::StatusOr<Secret> opened = sealer.Open(sealed, kContext);
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(opened->Reveal(), "canary-key-a1");
}

TEST(SealerTest, OneKeyIsSealedDifferentlyEachTime) {
  absl::StatusOr<Sealer> sealer = Sealer::Make(
      [] {
        std::vector<Secret> keys;
        keys.push_back(MasterKey('m'));
        return keys;
      }(),
      RandomBytes);
  ASSERT_TRUE(sealer.ok());
  std::set<std::string> texts;
  for (int i = 0; i < 100; ++i) texts.insert(sealer->Seal(Secret("canary-key-a1"), kContext));
  EXPECT_EQ(texts.size(), 100U);
}

// Every bit of every byte, of the format's own characters too.
TEST(SealerTest, EveryFlippedBitIsRefused) {
  const Sealer sealer = SealerOf("mn");
  for (const std::string& key : std::vector<std::string>{"", "k", "ke", "canary-key-a1"}) {
    const std::string sealed = sealer.Seal(Secret(key), kContext);
    for (size_t at = 0; at < sealed.size(); ++at) {
      for (int bit = 0; bit < 8; ++bit) {
        std::string changed = sealed;
        changed[at] = static_cast<char>(changed[at] ^ (1 << bit));
        const absl::StatusOr<Secret> opened = sealer.Open(changed, kContext);
        ASSERT_FALSE(opened.ok()) << "byte " << at << ", bit " << bit;
        EXPECT_THAT(MessageOf(opened), StartsWith("sealed key openrouter/team-1 (version 3) "));
        EXPECT_THAT(MessageOf(opened), Not(HasSubstr("canary")));
      }
    }
  }
}

TEST(SealerTest, EveryOtherCharacterIsRefused) {
  const Sealer sealer = SealerOf("m");
  const std::string sealed = sealer.Seal(Secret("canary-key-a1"), kContext);
  for (size_t at = 0; at < sealed.size(); ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string changed = sealed;
      if (changed[at] == static_cast<char>(byte)) continue;
      changed[at] = static_cast<char>(byte);
      ASSERT_FALSE(sealer.Open(changed, kContext).ok()) << "byte " << at << " as " << byte;
    }
  }
}

TEST(SealerTest, EveryCutAndEveryAdditionIsRefused) {
  const Sealer sealer = SealerOf("m");
  const std::string sealed = sealer.Seal(Secret("canary-key-a1"), kContext);
  for (size_t size = 0; size < sealed.size(); ++size) {
    const absl::StatusOr<Secret> opened = sealer.Open(sealed.substr(0, size), kContext);
    ASSERT_FALSE(opened.ok()) << size;
    EXPECT_THAT(MessageOf(opened), StartsWith("sealed key openrouter/team-1 (version 3) "));
  }
  for (const std::string& more : std::vector<std::string>{"A", "=", "AA", "AAAA", " ", "\n", ":"}) {
    EXPECT_FALSE(sealer.Open(sealed + more, kContext).ok()) << more;
    EXPECT_FALSE(sealer.Open(more + sealed, kContext).ok()) << more;
  }
  EXPECT_FALSE(sealer.Open(sealed + sealed, kContext).ok());
}

TEST(SealerTest, OpensForItsOwnContextOnly) {
  const Sealer sealer = SealerOf("m");
  const std::string sealed = sealer.Seal(Secret("canary-key-a1"), kContext);
  const std::vector<SealContext> others = {{"openrouter", "team-1", 2},   {"openrouter", "team-1", 4},
                                           {"openrouter", "team-1", 0},   {"openrouter", "team-2", 3},
                                           {"openroute", "rteam-1", 3},   {"Openrouter", "team-1", 3},
                                           {"openrouter", "", 3},         {"", "team-1", 3},
                                           {"openrouter:6", "team-1", 3}, {"team-1", "openrouter", 3}};
  for (const SealContext& other : others) {
    const absl::StatusOr<Secret> opened = sealer.Open(sealed, other);
    EXPECT_EQ(opened.status().code(), absl::StatusCode::kDataLoss) << other.pool << " " << other.key_id;
    EXPECT_THAT(MessageOf(opened), AllOf(HasSubstr("sealed for another key"), Not(HasSubstr("canary"))));
  }
}

TEST(SealerTest, TheNewestSealsAndAllOpen) {
  const Sealer old = SealerOf("o");
  const Sealer both = SealerOf("no");
  const Sealer renewed = SealerOf("n");
  const std::string before = old.Seal(Secret("canary-key-a1"), kContext);
  const std::string after = both.Seal(Secret("canary-key-a1"), kContext);
  EXPECT_EQ(both.Open(before, kContext)->Reveal(), "canary-key-a1");
  EXPECT_EQ(both.Open(after, kContext)->Reveal(), "canary-key-a1");
  EXPECT_EQ(renewed.Open(after, kContext)->Reveal(), "canary-key-a1");
  EXPECT_TRUE(old.IsOfNewest(before));
  EXPECT_FALSE(both.IsOfNewest(before));
  EXPECT_TRUE(both.IsOfNewest(after));
  for (const std::string& no : std::vector<std::string>{"", "canary-key-a1", after.substr(0, 40), after + "="}) {
    EXPECT_FALSE(both.IsOfNewest(no)) << no;
  }
  EXPECT_THAT(both.MasterKeyIds(), ElementsAre(MasterKeyId(MasterKey('n')), MasterKeyId(MasterKey('o'))));
}

TEST(SealerTest, AnUnknownMasterKeyIsNamed) {
  const std::string sealed = SealerOf("o").Seal(Secret("canary-key-a1"), kContext);
  const absl::StatusOr<Secret> opened = SealerOf("nm").Open(sealed, kContext);
  EXPECT_EQ(opened.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(MessageOf(opened), "sealed key openrouter/team-1 (version 3) was sealed with the master key " +
                                   MasterKeyId(MasterKey('o')) + ", which is not here: there is " +
                                   MasterKeyId(MasterKey('n')) + " and 1 more");
}

// One byte of a master key decides, and its id changes with it.
TEST(SealerTest, AnotherMasterKeyUnderTheSameIdOpensNothing) {
  const std::string sealed = SealerOf("o").Seal(Secret("canary-key-a1"), kContext);
  const std::string id = MasterKeyId(MasterKey('o'));
  const std::string other = MasterKeyId(MasterKey('n'));
  std::string renamed = sealed;
  renamed.replace(renamed.find(id), id.size(), other);
  EXPECT_EQ(SealerOf("n").Open(renamed, kContext).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(SealerOf("no").Open(renamed, kContext).status().code(), absl::StatusCode::kDataLoss);
}

TEST(SealerTest, WhatIsNoSealedTextIsNeverQuoted) {
  const Sealer sealer = SealerOf("m");
  for (const std::string& text :
       std::vector<std::string>{"", "canary-key-a1", "ccr-sealed:", "ccr-sealed:1:canary", "ccr-sealed:2:canary-key",
                                "CCR-SEALED:1:canary", "ccr-sealed:1:canary-key-a1xxx:canary"}) {
    const absl::StatusOr<Secret> opened = sealer.Open(text, {"p", "file", 0});
    EXPECT_EQ(opened.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(MessageOf(opened), AllOf(StartsWith("sealed key p/file "), Not(HasSubstr("canary"))));
  }
  EXPECT_THAT(MessageOf(sealer.Open("ccr-sealed:2:x", kContext)), HasSubstr("only ccr-sealed:1:... is"));
}

TEST(SealerTest, MasterKeysThatCannotBe) {
  const auto problem = [](std::vector<std::string> texts) {
    std::vector<Secret> keys;
    for (const std::string& text : texts) keys.emplace_back(text);
    return std::string(Sealer::Make(std::move(keys), Counting()).status().message());
  };
  const std::string good(kMasterKeyBytes, 'm');
  EXPECT_THAT(problem({}), HasSubstr("no master key"));
  EXPECT_THAT(problem({good, "canary"}), AllOf(HasSubstr("32 bytes, not 6"), Not(HasSubstr("canary"))));
  EXPECT_THAT(problem({good + "m"}), HasSubstr("not 33"));
  EXPECT_THAT(problem({good, good}), HasSubstr(MasterKeyId(Secret(good)) + " is given twice"));
}

}  // namespace
}  // namespace ccr
