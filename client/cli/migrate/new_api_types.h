// The types of New API's channels.
#pragma once

#include <string_view>

namespace ccr::cli::migration {

struct ChannelType {
  int number;
  std::string_view name;  // of the provider
  std::string_view base;  // where the channel names none
  std::string_view path;  // behind the base; empty: ccr cannot take it
  std::string_view why;   // not
};

// Null for numbers that are not known.
const ChannelType* FindChannelType(int number);

// The base that a channel of the type means by the name of a subscription, "glm-coding-plan"; empty for other texts.
std::string_view PlanBase(std::string_view name);

}  // namespace ccr::cli::migration
