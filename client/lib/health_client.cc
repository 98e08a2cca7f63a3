#include "client/lib/health_client.h"

#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/lib/broker_status.h"

namespace ccr::client {
namespace {

// The messages of Check on the wire: HealthCheckRequest{} is empty, HealthCheckResponse{status: SERVING} is field 1,
// varint 1. Debian's gRPC packages the service, but no stub for it.
constexpr char kCheckMethod[] = "/grpc.health.v1.Health/Check";
constexpr char kServing[] = "\x08\x01";

std::string Bytes(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string bytes;
  if (!buffer.Dump(&slices).ok()) return bytes;
  for (const grpc::Slice& slice : slices) bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  return bytes;
}

}  // namespace

absl::Status CheckHealth(const std::shared_ptr<grpc::Channel>& channel, absl::Time deadline) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(deadline));
  grpc::CompletionQueue queue;
  const grpc::Slice empty;
  const grpc::ByteBuffer request(&empty, 1);
  grpc::ByteBuffer response;
  grpc::Status result;
  const auto call = grpc::GenericStub(channel).PrepareUnaryCall(&context, kCheckMethod, request, &queue);
  call->StartCall();
  call->Finish(&response, &result, nullptr);
  void* tag = nullptr;
  bool finished = false;
  queue.Next(&tag, &finished);
  const absl::Status status = ToStatus(result);
  if (absl::IsDeadlineExceeded(status)) return absl::UnavailableError("no answer in time");
  if (IsNobodyThere(status)) return absl::UnavailableError("nobody answers");
  if (absl::IsUnavailable(status)) return absl::UnavailableError(ConnectionProblem(status));
  if (!status.ok()) return absl::UnavailableError(absl::StrCat("refused: ", status.message()));
  return Bytes(response) == kServing ? absl::OkStatus() : absl::UnavailableError("it does not serve now");
}

}  // namespace ccr::client
