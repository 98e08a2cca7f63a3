// What of a client's request is its own credential, which no provider may see. Names are compared without case.
#pragma once

#include <string>
#include <string_view>

#include "absl/container/inlined_vector.h"

namespace ccr::proxy {

// Whether a header of this name is a credential whatever it holds: Cookie, and names that end in "authorization",
// "api-key", "apikey", "access-key", "auth-key", "subscription-key", "token", "secret" or "password" ("_" is "-").
bool NamesCredential(std::string_view header);

// The credentials that a request came with: what its headers of such names hold, without the scheme ("Bearer"). Views
// of the request.
class ClientCredentials {
 public:
  // Shorter ones are placeholders ("test"), which cannot be told from other text.
  static constexpr size_t kShortest = 8;

  void Add(std::string_view header, std::string_view value);
  // Whether `text` holds one of them.
  bool In(std::string_view text) const;

 private:
  absl::InlinedVector<std::string_view, 2> values_;
};

// `query` without the parameters that are a credential: those named key, api-key, apikey, x-api-key, x-goog-api-key,
// access-token, auth-token, oauth-token, api-token, subscription-key or authorization, in any percent-encoding, with
// "_" or "-", behind blanks and a "$" or not, before a blank, a control character or "[" or not; and those that hold
// one of `credentials`. Parts between ";" count as parameters. A query without any is returned as it is.
std::string WithoutCredentials(std::string_view query, const ClientCredentials& credentials);

}  // namespace ccr::proxy
