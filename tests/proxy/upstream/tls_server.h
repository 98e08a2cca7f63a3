// A provider that speaks TLS with a certificate of its own making.
#pragma once

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>

#include <atomic>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "tests/proxy/upstream/scripted_server.h"

namespace ccr::proxy {

class TlsServer {
 public:
  using Script = ScriptedServer::Script;

  // The certificate is for the IP address 127.0.0.1 only.
  explicit TlsServer(Script script = AnswerOnce)
      : key_(EVP_EC_gen("P-256")),
        certificate_(MakeCertificate(key_.get())),
        context_(SSL_CTX_new(TLS_server_method())) {
    signal(SIGPIPE, SIG_IGN);
    SSL_CTX_use_certificate(context_.get(), certificate_.get());
    SSL_CTX_use_PrivateKey(context_.get(), key_.get());
    server_.emplace(std::move(script), [this](int fd) { return Accept(fd); });
  }

  std::string Url(const std::string& host, const std::string& path = "/") const {
    return "https://" + host + ":" + std::to_string(server_->port()) + path;
  }
  int port() const { return server_->port(); }
  int connections() const { return server_->connections(); }
  int handshakes() const { return handshakes_; }
  std::string Pem() const {
    const std::unique_ptr<BIO, Free<BIO_free>> out(BIO_new(BIO_s_mem()));
    PEM_write_bio_X509(out.get(), certificate_.get());
    char* text = nullptr;
    const long size = BIO_get_mem_data(out.get(), &text);
    return {text, static_cast<size_t>(size)};
  }
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

  using Tls = std::unique_ptr<SSL, Free<SSL_free>>;

  class TlsPeer : public Peer {
   public:
    TlsPeer(int fd, Tls tls) : Peer(fd), tls_(std::move(tls)) {}
    ~TlsPeer() override { SSL_shutdown(tls_.get()); }

   private:
    ssize_t Send(std::string_view bytes) override {
      return SSL_write(tls_.get(), bytes.data(), static_cast<int>(bytes.size()));
    }
    ssize_t Receive(char* to, size_t size) override { return SSL_read(tls_.get(), to, static_cast<int>(size)); }
    bool HasPending() const override { return SSL_pending(tls_.get()) > 0; }

    const Tls tls_;
  };

  static void AnswerOnce(Peer& peer) {
    if (!peer.ReadRequest().empty()) peer.Write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  }

  std::unique_ptr<Peer> Accept(int fd) {
    Tls tls(SSL_new(context_.get()));
    SSL_set_fd(tls.get(), fd);
    if (SSL_accept(tls.get()) != 1) return nullptr;
    ++handshakes_;
    return std::make_unique<TlsPeer>(fd, std::move(tls));
  }

  const std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>> key_;
  const Certificate certificate_;
  const std::unique_ptr<SSL_CTX, Free<SSL_CTX_free>> context_;
  std::atomic<int> handshakes_{0};
  std::optional<ScriptedServer> server_;
};

}  // namespace ccr::proxy
