// A list whose items stay where they are while it grows.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace ccr::core {

// References are valid as long as the list. An item is found in two steps, where a std::deque of large ones takes a dozen.
template <typename Item>
class Slots {
 public:
  Item& operator[](size_t index) { return *items_[index]; }
  const Item& operator[](size_t index) const { return *items_[index]; }
  size_t size() const { return items_.size(); }

  template <typename... Args>
  Item& emplace_back(Args&&... args) {
    return *items_.emplace_back(std::make_unique<Item>(std::forward<Args>(args)...));
  }

 private:
  std::vector<std::unique_ptr<Item>> items_;
};

}  // namespace ccr::core
