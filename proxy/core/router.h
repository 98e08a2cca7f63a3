// From the model a client names to a provider and the model it is sent.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "proxy/core/json/scan.h"
#include "proxy/core/request_facts.h"
#include "proxy/core/routing_table.h"

namespace ccr::proxy {

// What decided, first rule first; see PickRoute.
enum class Rule {
  kExplicit,
  kListed,
  kImage,
  kLongContext,
  kSubagent,
  kBackground,
  kWebSearch,
  kThink,
  kDefault,
  kFallback,
};

// For logs and metrics: "explicit", "listed", "subagent", "fallback", and the Router's own names for the others
// ("longContext").
std::string_view RuleName(Rule rule);

struct Route {
  const Provider* provider = nullptr;  // of the table that was asked
  std::string model;                   // to send upstream
  Rule rule = Rule::kDefault;
};

// The first that holds. Names of providers and models are matched in any case. A suffix "[1m]" is taken off every
// model, the client's as well as the Router's, before it is sent.
//   explicit     "provider,model": that provider, the text behind the first comma as it is
//   listed       a model that a provider lists: the first that lists it as written, else the first that does in another
//                case; but see below
//   image        an image in the last user message
//   longContext  the model has the suffix "[1m]", or the estimate is above the threshold, or the session's last request
//                was (all its input, cached as well) and the estimate is above 20000
//   subagent     the tag names a model, as "provider,model" or a listed one
//   background   the model's name contains "claude" and "haiku"
//   webSearch    there is a web_search tool
//   think        thinking is on
//   default      anything else, or no model at all
// The rules with an entry in the Router (image and longContext, background to default) hold only when it is set.
//
// A listed model is as deliberate as "provider,model", so it stands beside it and above the Router. One exception:
// a model that begins with "claude" and comes in Anthropic's format with a session is Claude Code's own choice, which
// it sends for every kind of request; were it taken for the user's, a provider that lists Claude models would put the
// whole Router out of work. Such a model is looked up only after all of the Router's rules, where it serves when there
// is no default.
//
// InvalidArgument: half of "provider,model" is missing, or there is neither a model nor a default. NotFound: no such
// provider, or nothing fits; the message says whose entry is wrong and lists the providers.
absl::StatusOr<Route> PickRoute(const RoutingTable& table, Format client, std::string_view model,
                                const RequestFacts& facts, uint64_t session_last_input_tokens);

// Whether a rule of this table asks for RequestFacts::tokens.
bool NeedsTokenCount(const RoutingTable& table);

// What else to try, in order, when the route that `route_name` (RuleName) decided cannot be had: the `fallback` list of
// that name. Routes of explicit, listed and subagent models use the list of "default". Entries that fit no provider are
// left out, and so are repeated ones. Their rule is kFallback; the failed route itself may be among them.
std::vector<Route> Fallbacks(const RoutingTable& table, std::string_view route_name);

// The body with `model` as its model: pieces to be sent one after another, views of `body` and of `*storage`. Only the
// value's own bytes differ, and one piece, the body itself, comes back when it names that model already. A body without
// a model gets one as its first member. `scan` is of this body and valid.
std::vector<std::string_view> SpliceModel(std::string_view body, const BodyScan& scan, std::string_view model,
                                          std::string* storage);

}  // namespace ccr::proxy
