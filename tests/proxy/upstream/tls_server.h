// A provider that speaks TLS with a certificate of its own making, and answers everything with 200.
#pragma once

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>

#include "tests/proxy/upstream/scripted_server.h"

namespace ccr::proxy {

class TlsServer {
 public:
  // The certificate is for the IP address 127.0.0.1 only.
  TlsServer() : key_(EVP_EC_gen("P-256")), certificate_(MakeCertificate(key_.get())) {
    signal(SIGPIPE, SIG_IGN);
    listener_ = ScriptedServer::Listen(16, &port_);
    context_.reset(SSL_CTX_new(TLS_server_method()));
    SSL_CTX_use_certificate(context_.get(), certificate_.get());
    SSL_CTX_use_PrivateKey(context_.get(), key_.get());
    thread_ = std::thread([this] {
      for (int fd; (fd = accept(listener_, nullptr, nullptr)) >= 0; close(fd)) Serve(fd);
    });
  }
  ~TlsServer() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }

  std::string Url(const std::string& host) const { return "https://" + host + ":" + std::to_string(port_) + "/"; }
  int handshakes() const { return handshakes_; }
  bool WriteCertificate(const std::string& path) const {
    const std::unique_ptr<FILE, decltype(&fclose)> file(fopen(path.c_str(), "w"), &fclose);
    return file != nullptr && PEM_write_X509(file.get(), certificate_.get()) == 1;
  }

 private:
  template <auto free_function>
  struct Free {
    template <typename T>
    void operator()(T* object) const {
      free_function(object);
    }
  };
  using Certificate = std::unique_ptr<X509, Free<X509_free>>;

  static Certificate MakeCertificate(EVP_PKEY* key) {
    Certificate certificate(X509_new());
    X509_set_version(certificate.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
    X509_set_pubkey(certificate.get(), key);
    X509_NAME* name = X509_get_subject_name(certificate.get());
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("test"), -1, -1, 0);
    X509_set_issuer_name(certificate.get(), name);
    X509_EXTENSION* names = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "IP:127.0.0.1");
    X509_add_ext(certificate.get(), names, -1);
    X509_EXTENSION_free(names);
    X509_sign(certificate.get(), key, EVP_sha256());
    return certificate;
  }

  void Serve(int fd) {
    const std::unique_ptr<SSL, Free<SSL_free>> tls(SSL_new(context_.get()));
    SSL_set_fd(tls.get(), fd);
    if (SSL_accept(tls.get()) != 1) return;
    ++handshakes_;
    char request[4096];
    static constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    if (SSL_read(tls.get(), request, sizeof request) > 0) SSL_write(tls.get(), kAnswer.data(), kAnswer.size());
    SSL_shutdown(tls.get());
  }

  const std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>> key_;
  const Certificate certificate_;
  std::unique_ptr<SSL_CTX, Free<SSL_CTX_free>> context_;
  int port_ = 0;
  int listener_ = -1;
  std::atomic<int> handshakes_{0};
  std::thread thread_;
};

}  // namespace ccr::proxy
