// tests/ai_micro_test.h: the words in which the scenarios of ai-micro-service are told. One system for all
// of them: a test that stops or breaks something puts it right before it ends.
#pragma once

#include <gmock/gmock.h>

#include "ai_micro_system.h"

namespace aimicro {

AiMicroSystem& the_system();

class AiMicroTest : public testing::Test {
 protected:
  using Answer = daruma::TalkAnswer;
  static constexpr const char* kPassword = "a long phrase to keep";

  AiMicroSystem& system() { return the_system(); }
  Answer auth(const std::string& path, const std::string& body, const daruma::TalkHeaders& headers = {}) {
    return system().ask("auth-service", "POST", path, headers, body);
  }
  Answer log_in(const std::string& email, const std::string& password) {
    return auth("/auth/login", json_of({{"email", email}, {"password", password}}));
  }
  Answer refresh(const std::string& cookie) { return auth("/auth/refresh", "", {{"Cookie", cookie}}); }
  Answer profile(const Visitor& who) {
    return system().ask("user-service", "GET", "/api/profile", who.bearer());
  }

  // An account nobody else has, logged in.
  Visitor somebody();
  Visitor an_admin();
  void take(Visitor& who, const Answer& answer);

  // A document's id.
  std::string upload(const Visitor& who, const std::string& name, const std::string& body,
                     const std::string& type = "text/plain");
  Answer document(const Visitor& who, const std::string& id, const std::string& rest = "",
                  const daruma::TalkHeaders& headers = {}, const std::string& method = "GET") {
    return system().ask("admin-service", method, "/api/documents/" + id + rest, who.with(headers));
  }
};

}  // namespace aimicro
