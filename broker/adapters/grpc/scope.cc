#include "broker/adapters/grpc/scope.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "broker/adapters/grpc/convert.h"
#include "broker/adapters/grpc/errors.h"
#include "broker/base/absl_text.h"

namespace ccr {
namespace {

std::optional<google::rpc::Status> ForeignPool(const Caller& caller, std::string_view pool) {
  if (caller.MayUse(pool)) return std::nullopt;
  return PermissionDenied(absl::StrCat(caller.name(), " has the role lease for other pools than '", ToAbsl(pool), "'"));
}

}  // namespace

std::optional<google::rpc::Status> OutOfScope(const Caller& caller, const BrokerService& /*service*/,
                                              const v1::LeaseRequest& request) {
  return ForeignPool(caller, request.pool());
}

std::optional<google::rpc::Status> OutOfScope(const Caller& caller, const BrokerService& service,
                                              std::string_view lease_id) {
  if (caller.everywhere()) return std::nullopt;
  const std::optional<core::LeaseId> id = ParseLeaseId(std::string(lease_id));
  const std::optional<std::string> pool = id ? service.PoolOf(*id) : std::nullopt;
  return pool ? ForeignPool(caller, *pool) : std::nullopt;
}

std::optional<google::rpc::Status> OutOfScope(const Caller& caller, const BrokerService& service,
                                              const v1::ReportRequest& request) {
  if (auto error = OutOfScope(caller, service, request.lease_id())) return error;
  return request.has_next() ? ForeignPool(caller, request.next().pool()) : std::nullopt;
}

std::optional<google::rpc::Status> OutOfScope(const Caller& caller, const BrokerService& /*service*/,
                                              const v1::Hello& hello) {
  for (const v1::HeldLease& lease : hello.held()) {
    if (auto error = ForeignPool(caller, lease.pool())) return error;
  }
  return std::nullopt;
}

void Narrow(const Caller& caller, v1::RoutingTable* table) {
  if (caller.everywhere()) return;
  auto* providers = table->mutable_providers();
  for (int i = providers->size() - 1; i >= 0; --i) {
    if (!caller.MayUse(providers->Get(i).name())) providers->DeleteSubrange(i, 1);
  }
}

}  // namespace ccr
