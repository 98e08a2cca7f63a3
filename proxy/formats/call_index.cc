#include "proxy/formats/call_index.h"

#include "broker/base/absl_text.h"

namespace ccr::proxy {

void CallIndex::Add(std::string_view key, size_t call) {
  queues_[ToAbsl(key)].calls.push_back(call);
}

size_t CallIndex::Find(std::string_view key, absl::FunctionRef<bool(size_t call)> open) {
  const auto found = queues_.find(ToAbsl(key));
  if (found == queues_.end()) return kNone;
  Queue& queue = found->second;
  while (queue.next < queue.calls.size() && !open(queue.calls[queue.next])) ++queue.next;
  return queue.next == queue.calls.size() ? kNone : queue.calls[queue.next];
}

}  // namespace ccr::proxy
