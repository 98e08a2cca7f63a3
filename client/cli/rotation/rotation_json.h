// Pools, keys and events as all commands tell them with --json: states in lower case, times RFC 3339 in UTC, null for
// what is not there.
#pragma once

#include <boost/json.hpp>

#include "ccr/broker/v1/key_admin.pb.h"
#include "ccr/broker/v1/types.pb.h"

namespace ccr::cli {

boost::json::object KeyObject(const broker::v1::KeyStatus& key);
boost::json::object PoolObject(const broker::v1::PoolStatus& pool);  // with its keys
boost::json::object EventObject(const broker::v1::Event& event);

}  // namespace ccr::cli
