// What failed on the way to a provider is called by the proxy's log as by the broker's.
#include <gtest/gtest.h>

#include <set>
#include <string_view>

#include "broker/core/types.h"
#include "proxy/core/evidence/evidence.h"

namespace ccr::proxy {
namespace {

TEST(TransportWords, AreTheBrokers) {
  using Theirs = core::TransportError;
  struct Pair {
    TransportError ours;
    Theirs theirs;
  };
  std::set<std::string_view> words;
  for (const Pair& pair :
       {Pair{TransportError::kNone, Theirs::kNone}, Pair{TransportError::kConnect, Theirs::kConnect},
        Pair{TransportError::kConnectTimeout, Theirs::kConnectTimeout}, Pair{TransportError::kSend, Theirs::kSend},
        Pair{TransportError::kFirstByteTimeout, Theirs::kFirstByteTimeout},
        Pair{TransportError::kIdleTimeout, Theirs::kIdleTimeout}, Pair{TransportError::kRead, Theirs::kRead},
        Pair{TransportError::kName, Theirs::kName}, Pair{TransportError::kRefused, Theirs::kRefused},
        Pair{TransportError::kTls, Theirs::kTls}, Pair{TransportError::kProxy, Theirs::kProxy}}) {
    EXPECT_EQ(ToString(pair.ours), core::ToString(pair.theirs));
    words.insert(ToString(pair.ours));
  }
  EXPECT_EQ(words.size(), static_cast<size_t>(Theirs::kProxy) + 1) << "all of them, each with a word of its own";
}

}  // namespace
}  // namespace ccr::proxy
