// TLS between the parts: which certificate files, whether they are sound, and until when.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace ccr {

// Paths of PEM files. A server has `cert` and `key`, and with `ca` it serves only clients that show a certificate of
// that authority. A client has `ca`, which must have signed the server's certificate, and `cert` and `key` where the
// server asks for them. All empty: no TLS.
struct TlsFiles {
  std::string cert, key, ca;

  bool used() const { return !cert.empty() || !key.empty() || !ca.empty(); }
};

// OK when the files can be used now. InvalidArgument names the file and what is wrong with it: it cannot be read, holds
// no certificate or key, the key is not of the certificate, the certificate is not valid now, `cert` without `key`.
absl::Status CheckTlsFiles(const TlsFiles& files);

// The PEM text of a file of certificates, at most 256 KiB. The error names the file.
absl::StatusOr<std::string> ReadCertificates(const std::string& path);

// When the first certificate of the file ends. InvalidArgument names the file.
absl::StatusOr<absl::Time> CertificateEnd(const std::string& path);

}  // namespace ccr
