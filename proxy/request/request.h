// One HTTP request as the client sent it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proxy/request/body_budget.h"

namespace ccr::proxy {

struct Request {
  struct Field {
    std::string_view name;
    std::string_view value;
  };

  std::string id;           // see request_id.h; empty until the head is complete
  std::string_view client;  // the peer's address; outlives the request
  std::string_view method;
  std::string_view target;
  int version = 11;  // 10 or 11
  bool keep_alive = true;
  bool has_body = false;  // Content-Length or chunked, an empty one too
  std::vector<Field> fields;
  std::string body;
  BodyCharge charge;  // for `body`
  std::string text;   // what all the views above point into

  // The value of the first field of that name (any case); empty when there is none.
  std::string_view Find(std::string_view name) const;
  void DropBody();
  // Forgets everything but the client, and keeps the memory of ordinary requests.
  void Clear();
};

}  // namespace ccr::proxy
