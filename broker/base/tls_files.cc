#include "broker/base/tls_files.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <memory>

#include "absl/strings/str_cat.h"
#include "broker/base/file_content.h"

namespace ccr {
namespace {

constexpr size_t kMaxCertificatesBytes = 256 * 1024;

template <auto kFree>
struct Free {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using File = std::unique_ptr<BIO, Free<BIO_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;
using PrivateKey = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;

absl::Status Wrong(const std::string& path, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", what));
}

absl::StatusOr<File> OpenFile(const std::string& path) {
  errno = 0;
  File file(BIO_new_file(path.c_str(), "r"));
  if (file == nullptr) return Wrong(path, absl::StrCat("cannot be read: ", std::strerror(errno)));
  return file;
}

absl::StatusOr<Certificate> ReadCertificate(const std::string& path) {
  absl::StatusOr<File> file = OpenFile(path);
  if (!file.ok()) return file.status();
  Certificate certificate(PEM_read_bio_X509(file->get(), nullptr, nullptr, nullptr));
  if (certificate == nullptr) return Wrong(path, "holds no certificate in PEM format");
  return certificate;
}

absl::StatusOr<absl::Time> ToTime(const std::string& path, const ASN1_TIME* time) {
  std::tm parts = {};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return Wrong(path, "holds a certificate without a valid end");
  return absl::FromTM(parts, absl::UTCTimeZone());
}

absl::Status CheckValidNow(const std::string& path, const X509& certificate) {
  if (X509_cmp_current_time(X509_get0_notBefore(&certificate)) > 0) return Wrong(path, "is not valid yet");
  if (X509_cmp_current_time(X509_get0_notAfter(&certificate)) <= 0) return Wrong(path, "has expired: make a new one");
  return absl::OkStatus();
}

absl::Status CheckPair(const TlsFiles& files) {
  if (files.cert.empty() || files.key.empty()) {
    return absl::InvalidArgumentError("a TLS certificate and its key come together: one of the two files is not named");
  }
  const absl::StatusOr<Certificate> certificate = ReadCertificate(files.cert);
  if (!certificate.ok()) return certificate.status();
  absl::StatusOr<File> file = OpenFile(files.key);
  if (!file.ok()) return file.status();
  const auto no_password = [](char*, int, int, void*) { return 0; };
  const PrivateKey key(PEM_read_bio_PrivateKey(file->get(), nullptr, no_password, nullptr));
  if (key == nullptr) return Wrong(files.key, "holds no private key in PEM format, or one with a password");
  if (X509_check_private_key(certificate->get(), key.get()) != 1) {
    return Wrong(files.key, absl::StrCat("is not the key of the certificate in ", files.cert));
  }
  return CheckValidNow(files.cert, **certificate);
}

}  // namespace

absl::Status CheckTlsFiles(const TlsFiles& files) {
  if (!files.cert.empty() || !files.key.empty()) {
    if (const absl::Status pair = CheckPair(files); !pair.ok()) return pair;
  }
  if (files.ca.empty()) return absl::OkStatus();
  const absl::StatusOr<Certificate> authority = ReadCertificate(files.ca);
  return authority.ok() ? CheckValidNow(files.ca, **authority) : authority.status();
}

absl::StatusOr<std::string> ReadCertificates(const std::string& path) {
  if (const auto first = ReadCertificate(path); !first.ok()) return first.status();
  const absl::StatusOr<FileContent> content = ReadFileContent(path, kMaxCertificatesBytes);
  if (!content.ok()) return absl::InvalidArgumentError(content.status().message());
  return std::string(content->text.Reveal());
}

absl::StatusOr<absl::Time> CertificateEnd(const std::string& path) {
  const absl::StatusOr<Certificate> certificate = ReadCertificate(path);
  if (!certificate.ok()) return certificate.status();
  return ToTime(path, X509_get0_notAfter(certificate->get()));
}

}  // namespace ccr
