// What gRPC orders, told to the thread sanitizer, which cannot see it: the packaged library is not instrumented. Each
// function here stands in for the library's own. Only edges that gRPC guarantees are told, so a race of ours is found.
#include <absl/synchronization/mutex.h>
#include <dlfcn.h>
#include <grpc/grpc.h>
#include <grpcpp/alarm.h>
#include <grpcpp/support/server_callback.h>
#include <link.h>
#include <sanitizer/tsan_interface.h>

#include <functional>
#include <thread>
#include <utility>

namespace {

char server_started;  // what came before the start of a server comes before its calls
char call_ended;      // and its calls come before the end of the server

template <typename Function>
Function* TheLibrarys(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

bool IsCode(const void* address) {
  const auto holds = [](dl_phdr_info* info, size_t /*size*/, void* data) {
    const auto at = reinterpret_cast<uintptr_t>(data);
    for (int i = 0; i < info->dlpi_phnum; ++i) {
      const auto& segment = info->dlpi_phdr[i];
      const uintptr_t begin = info->dlpi_addr + segment.p_vaddr;
      if ((segment.p_flags & PF_X) != 0 && begin <= at && at < begin + segment.p_memsz) return 1;
    }
    return 0;
  };
  return dl_iterate_phdr(holds, const_cast<void*>(address)) != 0;
}

// A tag of a callback completion queue: it begins with the function that is called.
struct OrderedTag : grpc_completion_queue_functor {
  explicit OrderedTag(grpc_completion_queue_functor* tag) : grpc_completion_queue_functor(*tag), original(tag) {
    functor_run = &Run;
  }
  // Reads `original` before it may, hence unseen.
  __attribute__((no_sanitize("thread"))) static void Run(grpc_completion_queue_functor* functor, int ok) {
    auto* self = static_cast<OrderedTag*>(functor);
    grpc_completion_queue_functor* tag = self->original;
    __tsan_acquire(tag);
    delete self;
    tag->functor_run(tag, ok);
  }
  grpc_completion_queue_functor* const original;
};

void* Ordered(void* tag) {
  void* ordered = tag;
  if (IsCode(*static_cast<void**>(tag))) ordered = new OrderedTag(static_cast<grpc_completion_queue_functor*>(tag));
  __tsan_release(tag);
  return ordered;
}

grpc_event Acquired(grpc_event event) {
  if (event.type == GRPC_OP_COMPLETE) __tsan_acquire(event.tag);
  return event;
}

extern "C" const char __executable_start, etext;  // of the linker

// gRPC's headers, compiled into these tests, lock its mutexes; what it locks itself is not told.
bool IsOurs(const void* address) {
  return &__executable_start <= address && address < &etext;
}

}  // namespace

namespace absl {
ABSL_NAMESPACE_BEGIN

void Mutex::Lock() {
  static auto* const real = TheLibrarys<void(Mutex*)>("_ZN4absl7debian35Mutex4LockEv");
  real(this);
  if (IsOurs(__builtin_return_address(0))) __tsan_acquire(this);
}

void Mutex::Unlock() {
  static auto* const real = TheLibrarys<void(Mutex*)>("_ZN4absl7debian35Mutex6UnlockEv");
  if (IsOurs(__builtin_return_address(0))) __tsan_release(this);
  real(this);
}

ABSL_NAMESPACE_END
}  // namespace absl

extern "C" {

grpc_call_error grpc_call_start_batch(grpc_call* call, const grpc_op* ops, size_t count, void* tag, void* reserved) {
  static auto* const real = TheLibrarys<decltype(grpc_call_start_batch)>("grpc_call_start_batch");
  return real(call, ops, count, tag == nullptr ? nullptr : Ordered(tag), reserved);
}

grpc_event grpc_completion_queue_next(grpc_completion_queue* queue, gpr_timespec deadline, void* reserved) {
  static auto* const real = TheLibrarys<decltype(grpc_completion_queue_next)>("grpc_completion_queue_next");
  return Acquired(real(queue, deadline, reserved));
}

grpc_event grpc_completion_queue_pluck(grpc_completion_queue* queue, void* tag, gpr_timespec deadline, void* reserved) {
  static auto* const real = TheLibrarys<decltype(grpc_completion_queue_pluck)>("grpc_completion_queue_pluck");
  return Acquired(real(queue, tag, deadline, reserved));
}

void grpc_server_start(grpc_server* server) {
  static auto* const real = TheLibrarys<decltype(grpc_server_start)>("grpc_server_start");
  __tsan_release(&server_started);
  real(server);
}

// The first that a call's handler does, and the last.
void* grpc_call_arena_alloc(grpc_call* call, size_t size) {
  static auto* const real = TheLibrarys<decltype(grpc_call_arena_alloc)>("grpc_call_arena_alloc");
  __tsan_acquire(&server_started);
  return real(call, size);
}

void grpc_call_unref(grpc_call* call) {
  static auto* const real = TheLibrarys<decltype(grpc_call_unref)>("grpc_call_unref");
  __tsan_release(&call_ended);
  real(call);
}

void grpc_server_destroy(grpc_server* server) {
  static auto* const real = TheLibrarys<decltype(grpc_server_destroy)>("grpc_server_destroy");
  real(server);
  __tsan_acquire(&call_ended);
}

}  // extern "C"

namespace grpc {

void Alarm::SetInternal(gpr_timespec deadline, std::function<void(bool)> callback) {
  using Set = void(Alarm*, gpr_timespec, std::function<void(bool)>);
  static auto* const real = TheLibrarys<Set>("_ZN4grpc5Alarm11SetInternalE12gpr_timespecSt8functionIFvbEE");
  auto* owned = new std::function<void(bool)>(std::move(callback));
  __tsan_release(owned);
  real(this, deadline, [owned](bool ok) {
    __tsan_acquire(owned);
    (*owned)(ok);
    delete owned;
  });
}

namespace internal {

// As the library does it, on a thread that the sanitizer sees start: the last one that let go comes after the others.
void ServerCallbackCall::ScheduleOnDone(bool /*inline_ondone*/) {
  __tsan_acquire(&callbacks_outstanding_);
  std::thread([this] { CallOnDone(); }).detach();
}

void ServerCallbackCall::CallOnCancel(ServerReactor* reactor) {
  __tsan_acquire(&on_cancel_conditions_remaining_);
  Ref();
  std::thread([this, reactor] {
    reactor->OnCancel();
    MaybeDone();
  }).detach();
}

}  // namespace internal
}  // namespace grpc
