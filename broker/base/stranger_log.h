// Log lines that strangers can cause.
#pragma once

#include <initializer_list>
#include <string_view>

#include "broker/base/log.h"

namespace ccr {

// A warning, of which at most 10 a second are written: they must not fill the disk. Thread-safe.
void LogStranger(std::string_view event, std::initializer_list<LogField> fields);

}  // namespace ccr
