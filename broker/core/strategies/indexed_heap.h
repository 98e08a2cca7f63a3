// A priority queue whose entries can be found, moved and left out.
#pragma once

#include <vector>

#include "absl/types/span.h"
#include "broker/core/strategies/excluded.h"
#include "broker/core/types.h"

namespace ccr::core {

// A binary min-heap of keys by `Rank` (a cheap value with operator<), equal ranks by index, that knows where each key
// is. Nothing allocates but Reserve.
template <typename Rank>
class IndexedHeap {
 public:
  // Makes room for keys with index < capacity.
  void Reserve(KeyIndex capacity) {
    if (capacity <= position_.size()) return;
    nodes_.reserve(capacity);
    position_.resize(capacity, kNoKey);
  }

  bool empty() const { return nodes_.empty(); }
  bool Contains(KeyIndex key) const { return position_[key] != kNoKey; }
  const Rank& BestRank() const { return nodes_.front().rank; }  // precondition: not empty

  // O(log n).
  void Insert(KeyIndex key, const Rank& rank) {  // precondition: absent
    nodes_.emplace_back();
    SiftUp(size() - 1, {rank, key});
  }
  void Erase(KeyIndex key) {  // precondition: present
    const KeyIndex at = position_[key];
    const Node last = nodes_.back();
    nodes_.pop_back();
    position_[key] = kNoKey;
    if (at < size()) Settle(at, last);
  }
  void Update(KeyIndex key, const Rank& rank) { Settle(position_[key], {rank, key}); }  // precondition: present

  // The key of lowest rank that is not in `excluded`, or kNoKey. Walks from the root past the excluded ones only: with
  // m of them in the heap it visits at most 2m + 1 nodes, whatever the heap's size.
  KeyIndex BestExcept(const Excluded& excluded) const {
    const Node* best = BestBelow(0, excluded, nullptr);
    return best == nullptr ? kNoKey : best->key;
  }

 private:
  struct Node {
    Rank rank;
    KeyIndex key;

    friend bool operator<(const Node& a, const Node& b) {
      if (a.rank < b.rank) return true;
      return !(b.rank < a.rank) && a.key < b.key;
    }
  };

  KeyIndex size() const { return static_cast<KeyIndex>(nodes_.size()); }

  // The better of `best` and what the subtree at `at` has.
  const Node* BestBelow(size_t at, const Excluded& excluded, const Node* best) const {
    if (at >= nodes_.size() || (best != nullptr && !(nodes_[at] < *best))) return best;
    if (!excluded.Has(nodes_[at].key)) return &nodes_[at];
    return BestBelow(2 * at + 2, excluded, BestBelow(2 * at + 1, excluded, best));
  }

  void Settle(KeyIndex at, const Node& node) {
    if (at > 0 && node < nodes_[(at - 1) / 2]) {
      SiftUp(at, node);
    } else {
      SiftDown(at, node);
    }
  }

  void SiftUp(KeyIndex at, const Node& node) {
    for (KeyIndex parent; at > 0 && node < nodes_[parent = (at - 1) / 2]; at = parent) Place(at, nodes_[parent]);
    Place(at, node);
  }

  void SiftDown(KeyIndex at, const Node& node) {
    for (KeyIndex child; (child = 2 * at + 1) < size(); at = child) {
      if (child + 1 < size() && nodes_[child + 1] < nodes_[child]) ++child;
      if (!(nodes_[child] < node)) break;
      Place(at, nodes_[child]);
    }
    Place(at, node);
  }

  void Place(KeyIndex at, const Node& node) {
    nodes_[at] = node;
    position_[node.key] = at;
  }

  // No node is below its parent nodes_[(i - 1) / 2]. position_[nodes_[i].key] == i; kNoKey for absent keys.
  std::vector<Node> nodes_;
  std::vector<KeyIndex> position_;
};

}  // namespace ccr::core
