#include "notify/transfer.h"

#include <curl/curl.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>

#include "base/check.h"

namespace daruma::notify {
namespace {

constexpr size_t kAnswerMost = 64 * 1024;

struct Cleanup {
  void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Easy = std::unique_ptr<CURL, Cleanup>;
using List = std::unique_ptr<curl_slist, Cleanup>;

void append(List& list, const std::string& line) {
  curl_slist* longer = curl_slist_append(list.get(), line.c_str());
  DR_CHECK(longer);
  static_cast<void>(list.release());  // it is inside `longer`
  list.reset(longer);
}

// What came of an answer, and what is left of a mail to send.
struct Exchange {
  size_t answered = 0;
  std::string_view to_send;
};

size_t drop(char*, size_t size, size_t count, void* exchange) {
  size_t& answered = static_cast<Exchange*>(exchange)->answered;
  answered += size * count;
  return answered > kAnswerMost ? 0 : size * count;
}

size_t give(char* buffer, size_t size, size_t count, void* exchange) {
  std::string_view& rest = static_cast<Exchange*>(exchange)->to_send;
  const size_t taken = std::min(size * count, rest.size());
  std::memcpy(buffer, rest.data(), taken);
  rest.remove_prefix(taken);
  return taken;
}

Easy make(const std::string& url, const char* protocols, Exchange& exchange, Duration at_most) {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  DR_CHECK(ready == CURLE_OK);
  Easy easy(curl_easy_init());
  DR_CHECK(easy);
  CURL* curl = easy.get();
  const auto timeout = std::chrono::ceil<std::chrono::milliseconds>(std::min<Duration>(at_most, 24h)).count();
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, protocols);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, std::max<long>(timeout, 1));
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "daruma");
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &drop);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &exchange);
  return easy;
}

// libcurl's own words hold no address, other than those of its error buffer.
Error transfer_error(CURLcode code) {
  const std::string words = curl_easy_strerror(code);
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
      return {Errc::kCancelled, "no answer before the deadline"};
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return {Errc::kInvalid, "its address cannot be used: " + words,
              "an address begins with https://, or smtp:// for e-mail"};
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
      return {Errc::kRefused, "the other side's certificate is not trusted: " + words,
              "add the authority that signed it to this host's, or correct the address"};
    case CURLE_USE_SSL_FAILED:
      return {Errc::kRefused, "the mail server offers no encryption, and the address holds a password",
              "use smtps://, or a server that offers STARTTLS"};
    case CURLE_LOGIN_DENIED:
      return {Errc::kRefused, "the mail server refused the name or the password"};
    default:
      return {Errc::kUnavailable, words};
  }
}

Status answer_of(long status) {
  if (status >= 200 && status < 300) return {};
  const std::string what = "it answered with status " + std::to_string(status);
  if (status == 408 || status == 425 || status == 429 || status >= 500)
    return Error{Errc::kUnavailable, what};
  if (status >= 300 && status < 400)
    return Error{Errc::kRefused, what + ", a redirect, which is not followed",
                 "give the channel the address it leads to"};
  return Error{Errc::kRefused, what,
               "make a new address where notices are received, and give it to the channel"};
}

Status mail_answer(CURL* curl, CURLcode code) {
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  const std::string what = "the mail server answered with status " + std::to_string(status);
  if (status >= 500 && code != CURLE_LOGIN_DENIED && code != CURLE_USE_SSL_FAILED)
    return Error{Errc::kRefused, what, "check the addresses in `to` and `from`"};
  if (status >= 400 && code != CURLE_OPERATION_TIMEDOUT) return Error{Errc::kUnavailable, what};
  return transfer_error(code);
}

}  // namespace

Status post(const std::string& url, const Headers& headers, const std::string& body, Duration at_most) {
  Exchange exchange;
  const Easy easy = make(url, "http,https", exchange, at_most);
  CURL* curl = easy.get();
  List lines;
  for (const auto& [name, value] : headers) append(lines, name + ": " + value);
  append(lines, "Expect:");
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, lines.get());
  curl_easy_setopt(curl, CURLOPT_POST, 1L);
  curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.c_str());
  curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  const CURLcode code = curl_easy_perform(curl);
  // An answer too long to read to its end is an answer.
  const bool cut = code == CURLE_WRITE_ERROR && exchange.answered > kAnswerMost;
  if (code != CURLE_OK && !cut) return transfer_error(code);
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  return answer_of(status);
}

Status submit(const std::string& url, const Mail& mail, Duration at_most) {
  Exchange exchange{0, mail.message};
  const Easy easy = make(url, "smtp,smtps", exchange, at_most);
  CURL* curl = easy.get();
  List to;
  for (const std::string& address : mail.to) append(to, "<" + address + ">");
  const bool password = url.find('@') != std::string::npos;
  curl_easy_setopt(curl, CURLOPT_USE_SSL, static_cast<long>(password ? CURLUSESSL_ALL : CURLUSESSL_TRY));
  curl_easy_setopt(curl, CURLOPT_MAIL_FROM, ("<" + mail.from + ">").c_str());
  curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, to.get());
  curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
  curl_easy_setopt(curl, CURLOPT_READFUNCTION, &give);
  curl_easy_setopt(curl, CURLOPT_READDATA, &exchange);
  const CURLcode code = curl_easy_perform(curl);
  return code == CURLE_OK ? Status() : mail_answer(curl, code);
}

}  // namespace daruma::notify
