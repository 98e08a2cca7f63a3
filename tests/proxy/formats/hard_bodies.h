// Bodies that are hard to translate, of any size: what an attacker would send. For the test that their cost is linear
// and for the bench that says what it is.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace ccr::proxy {

// One way of the proxy that one kind of body goes through.
struct HardWork {
  std::string name;  // body/way
  std::string form;
  std::function<void(std::string_view body)> run;

  // About `bytes` of the body.
  std::string Body(size_t bytes) const;
};

std::vector<HardWork> AllHardWork();

}  // namespace ccr::proxy
