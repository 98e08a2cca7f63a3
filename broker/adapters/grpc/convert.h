// Between the contract's messages and the service's types.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "broker/config/key_sources.h"
#include "broker/service/broker_service.h"
#include "ccr/broker/v1/key_admin.pb.h"
#include "ccr/broker/v1/key_broker.pb.h"

namespace ccr {

namespace v1 = ::ccr::broker::v1;

// 48 lower-case hexadecimal digits.
void AppendLeaseId(const core::LeaseId& id, std::string* out);
std::optional<core::LeaseId> ParseLeaseId(std::string_view text);

absl::Duration FromMilliseconds(uint64_t milliseconds);  // the longest one for more than fits
core::RateLimits ToCore(const google::protobuf::RepeatedPtrField<v1::RateLimit>& limits);
core::Evidence ToCore(const v1::Evidence& evidence);
v1::Outcome ToProto(core::Outcome outcome);
v1::KeyState ToProto(core::KeyState state);

// `answer` must be a grant.
void Fill(const LeaseAnswer& answer, v1::LeaseResponse* out);
void Fill(const ReportAnswer& answer, v1::ReportResponse* out);
void Fill(const PoolStatus& status, v1::PoolStatus* out);
void Fill(const Routing& routing, v1::RoutingTable* out);
void Fill(const ReloadReport& report, v1::ReloadVerdict* out);
void Fill(const KeySources::Problem& problem, v1::KeySourceProblem* out);

// One transition as an event; nothing for those that are not told (kQueued, and single leases unless `include_leases`).
bool Fill(const PoolNames& pool, const core::Transition& transition, bool include_leases, v1::Event* out);

// Unset for the infinite ones.
void SetTime(absl::Time time, google::protobuf::Timestamp* out);

}  // namespace ccr
