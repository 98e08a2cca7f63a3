// A client's bytes through RequestParser, in pieces of any size the same; then what the head alone decides.
#include <boost/beast/http/error.hpp>
#include <string>

#include "proxy/core/credential_rules.h"
#include "proxy/core/target.h"
#include "proxy/http/request_parser.h"
#include "tests/fuzz/fuzz.h"

namespace ccr::fuzz {
namespace {

using proxy::BodyBudget;
using proxy::Request;
using proxy::RequestParser;
using NeedMore = boost::beast::http::error;

constexpr uint64_t kMaxHead = 512;
constexpr uint64_t kMaxBody = 4096;

// What came of it: "" while more is needed.
std::string Read(std::string_view text, size_t step) {
  BodyBudget budget;
  std::string held, outcome;
  Request request;
  request.charge.Use(&budget, 2 * kMaxBody);
  RequestParser parser(&request, kMaxHead, kMaxBody);
  InPieces(text, step, [&](std::string_view piece) {
    if (!outcome.empty()) return;
    held += piece;
    boost::system::error_code error;
    while (!held.empty() && !parser.done() && !error) held.erase(0, parser.Feed(held, error));
    if (error && error != NeedMore::need_more) outcome = "refused";
    Require(!outcome.empty() || parser.done() || held.size() <= kMaxHead, "more is held than the limit of heads");
    Require(request.text.size() <= 2 * kMaxHead && request.body.size() <= kMaxBody, "more is kept than the limits");
    Require(budget.used() >= request.body.size() && budget.used() <= 2 * kMaxBody, "the charge is not the body's");
    if (!parser.done()) return;
    outcome = std::string(request.method) + " " + std::string(request.target) + "\n";
    for (const auto& [name, value] : request.fields) outcome += std::string(name) + ": " + std::string(value) + "\n";
    outcome += "\n" + request.body;
  });
  if (parser.done()) (void)proxy::ParseTarget(request.method, request.target);
  request.Clear();
  Require(budget.used() == 0, "a charge is left");
  return outcome;
}

void CheckQuery(std::string_view text) {
  const proxy::ClientCredentials none;
  const std::string kept = proxy::WithoutCredentials(text, none);
  Require(kept.size() <= text.size() && proxy::WithoutCredentials(kept, none) == kept,
          "not all credentials were found");
}

}  // namespace
}  // namespace ccr::fuzz

// The choice is the size of the pieces.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ccr::fuzz;
  const Input input(data, size);
  const std::string whole = Read(input.text, input.text.size() + 1);
  const std::string single = Read(input.text, 1);
  const std::string pieces = Read(input.text, input.choice % 64 + 1U);
  // Limits fall elsewhere in other pieces; what is read is the same.
  Require(whole == single || whole == "refused" || single == "refused", "single bytes make a difference");
  Require(whole == pieces || whole == "refused" || pieces == "refused", "pieces make a difference");
  CheckQuery(input.text);
  return 0;
}
