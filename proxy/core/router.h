// From the model a client names to a provider and the model it is sent.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "proxy/core/json_scan.h"
#include "proxy/core/routing_table.h"

namespace ccr::proxy {

struct Route {
  const Provider* provider = nullptr;  // of the table that was asked
  std::string model;                   // to send upstream
};

// In this order:
//   "provider,model"           that provider (any case), the text behind the first comma as it is
//   a model a provider lists   the first provider that lists it as written, else the first that does in another case
//   anything else, or nothing  Router.default
// InvalidArgument: half of "provider,model" is missing. NotFound: no such provider, or nothing fits and Router.default
// is not set; the message lists the providers.
absl::StatusOr<Route> PickRoute(const RoutingTable& table, std::string_view model);

// The body with `model` as its model: pieces to be sent one after another, views of `body` and of `*storage`. Only the
// value's own bytes differ, and one piece, the body itself, comes back when it names that model already. A body without
// a model gets one as its first member. `scan` is of this body and valid.
std::vector<std::string_view> SpliceModel(std::string_view body, const BodyScan& scan, std::string_view model,
                                          std::string* storage);

}  // namespace ccr::proxy
