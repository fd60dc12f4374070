#include "support/http_receiver.h"

#include <fmt/format.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <strings.h>

#include <algorithm>
#include <functional>
#include <thread>

#include "support/local_listener.h"

namespace daruma {
namespace {

struct Free {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const { X509_free(certificate); }
};

HttpReceiver::Request parse_head(const std::string& head) {
  HttpReceiver::Request request;
  size_t at = head.find("\r\n");
  const std::string first = head.substr(0, at);
  request.method = first.substr(0, first.find(' '));
  request.target = first.substr(request.method.size() + 1, first.rfind(' ') - request.method.size() - 1);
  for (at += 2; at < head.size();) {
    const size_t end = head.find("\r\n", at);
    const std::string line = head.substr(at, end - at);
    at = end + 2;
    const size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    request.headers.emplace_back(line.substr(0, colon),
                                 line.substr(std::min(line.find_first_not_of(' ', colon + 1), line.size())));
  }
  return request;
}

std::string answer_text(int status, const std::string& more_headers, const std::string& body) {
  return fmt::format("HTTP/1.1 {} Answer\r\nConnection: close\r\nContent-Length: {}\r\n{}\r\n{}", status,
                     body.size(), more_headers, body);
}

using Read = std::function<long(char* to, size_t size)>;

// False: the other side left before its request was whole.
bool read_request(const Read& read, HttpReceiver::Request& request) {
  std::string all;
  char piece[4096];
  size_t end = std::string::npos;
  while ((end = all.find("\r\n\r\n")) == std::string::npos) {
    const long got = read(piece, sizeof piece);
    if (got <= 0) return false;
    all.append(piece, static_cast<size_t>(got));
  }
  request = parse_head(all.substr(0, end + 2));
  request.body = all.substr(end + 4);
  const std::string length = request.header("Content-Length");
  const size_t wanted = length.empty() ? 0 : std::stoul(length);
  while (request.body.size() < wanted) {
    const long got = read(piece, sizeof piece);
    if (got <= 0) return false;
    request.body.append(piece, static_cast<size_t>(got));
  }
  return true;
}

}  // namespace

class HttpReceiver::Tls {
 public:
  Tls() : context_(SSL_CTX_new(TLS_server_method())) {
    const std::unique_ptr<EVP_PKEY, Free> key(EVP_EC_gen("P-256"));
    const std::unique_ptr<X509, Free> certificate(X509_new());
    X509* raw = certificate.get();
    X509_gmtime_adj(X509_getm_notBefore(raw), -3600);
    X509_gmtime_adj(X509_getm_notAfter(raw), 3600);
    X509_NAME* name = X509_get_subject_name(raw);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("127.0.0.1"),
                               -1, -1, 0);
    DR_CHECK(X509_set_issuer_name(raw, name) == 1 && X509_set_pubkey(raw, key.get()) == 1);
    DR_CHECK(X509_sign(raw, key.get(), EVP_sha256()) > 0);
    DR_CHECK(SSL_CTX_use_certificate(context_.get(), raw) == 1);
    DR_CHECK(SSL_CTX_use_PrivateKey(context_.get(), key.get()) == 1);
  }

  std::unique_ptr<SSL, Free> accept(int connection) {
    std::unique_ptr<SSL, Free> ssl(SSL_new(context_.get()));
    SSL_set_fd(ssl.get(), connection);
    if (SSL_accept(ssl.get()) != 1) ssl.reset();
    return ssl;
  }

 private:
  std::unique_ptr<SSL_CTX, Free> context_;
};

std::string HttpReceiver::Request::header(std::string_view name) const {
  for (const auto& [key, value] : headers)
    if (strcasecmp(key.c_str(), std::string(name).c_str()) == 0) return value;
  return "";
}

HttpReceiver::HttpReceiver(bool tls) : tls_(tls ? std::make_unique<Tls>() : nullptr) {
  listening_ = listen_locally(port_);
  answer(200);
  thread_ = std::make_unique<std::thread>([this] { serve(); });
}

HttpReceiver::~HttpReceiver() {
  state_.lock()->ended = true;
  state_.notify_all();
  ::shutdown(listening_.get(), SHUT_RDWR);
  thread_->join();
}

std::string HttpReceiver::url(const std::string& path) const {
  return fmt::format("{}://127.0.0.1:{}{}", tls_ ? "https" : "http", port_, path);
}

void HttpReceiver::answer(int status, const std::string& more_headers, std::string body) {
  state_.lock()->answer = answer_text(status, more_headers, body);
}

void HttpReceiver::answer_by(std::function<Reply(const Request&)> reply) {
  state_.lock()->reply = std::move(reply);
}

void HttpReceiver::never_answer() { state_.lock()->answer.clear(); }

std::vector<HttpReceiver::Request> HttpReceiver::requests() { return state_.lock()->requests; }

void HttpReceiver::serve() {
  for (;;) {
    const Descriptor connection(::accept(listening_.get(), nullptr, nullptr));
    if (!connection.valid()) return;
    take(connection.get());
  }
}

void HttpReceiver::take(int connection) {
  const auto ssl = tls_ ? tls_->accept(connection) : nullptr;
  if (tls_ && !ssl) return;
  const Read read = [&](char* to, size_t size) -> long {
    return ssl ? SSL_read(ssl.get(), to, static_cast<int>(size)) : ::recv(connection, to, size, 0);
  };
  Request request;
  if (!read_request(read, request)) return;
  std::string answer;
  {
    auto state = state_.lock();
    state->requests.push_back(request);
    answer = state->answer;
    if (state->reply) {
      const Reply reply = state->reply(request);
      answer = answer_text(reply.status, "", request.method == "HEAD" ? "" : reply.body);
    }
    if (answer.empty()) state.wait([&] { return state->ended; });
  }
  if (ssl)
    SSL_write(ssl.get(), answer.data(), static_cast<int>(answer.size()));
  else
    static_cast<void>(::send(connection, answer.data(), answer.size(), MSG_NOSIGNAL));
}

}  // namespace daruma
