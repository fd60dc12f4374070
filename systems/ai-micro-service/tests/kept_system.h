// tests/kept_system.h: ai-micro-service as daruma.processes.yaml has it, for a test: a copy of the deployed
// folders in a scratch directory, on ports that were free, all seven kept by Daruma's own process runtime.
//
// Only ports, passwords, the repository's place and the plans' patience are other than shipped. What a test
// takes for granted and does not get ends the program with the reason.
// Owns:    all of it; the seven end with the object.
// Threads: one.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/value.h"
#include "config/config.h"
#include "os/process.h"
#include "os/scratch_dir.h"
#include "runtime/runtime.h"
#include "support/caretaker.h"
#include "support/http_receiver.h"
#include "support/http_talk.h"

namespace aimicro {

class KeptSystem {
 public:
  KeptSystem();  // all seven up, with people, profiles and documents of the seed
  ~KeptSystem();
  KeptSystem(const KeptSystem&) = delete;
  KeptSystem& operator=(const KeptSystem&) = delete;

  // The real `daruma` on our daruma.yaml; its exit code, and what it said.
  daruma::ProcessExit daruma(const std::vector<std::string>& arguments);
  std::unique_ptr<daruma::Process> begin(const std::vector<std::string>& arguments);
  // What a command that must succeed says with --json.
  daruma::Value json(std::vector<std::string> arguments);
  // The newest run; "" when there was none.
  std::string newest_run();
  // `daruma runs ID --json`
  daruma::Value run(const std::string& id) { return json({"runs", id}); }

  void start(const std::string& service);
  void stop(const std::string& service);
  daruma::runtime::ServiceStatus status(const std::string& service);
  void wait_for_health();
  void wait_until(const std::string& what, const std::function<bool()>& holds);

  daruma::TalkAnswer ask(const std::string& service, const std::string& method, const std::string& target,
                         const daruma::TalkHeaders& headers = {}, std::string_view body = "");
  int port(const std::string& service) const { return ports_.at(service); }
  // psql's answer as text; "" when there is none.
  std::string sql(const std::string& database, const std::string& statement);
  // Rows of authdb.users, apidb.profiles, admindb.documents: "24 24 10".
  std::string counts();
  std::string redis_keys();
  // A dump of everything, as the manual names them.
  void dump(const std::string& moment);
  // The plan's words for these dumps.
  std::vector<std::string> from_backups() const;

  // Overwrites every page of every table of the running PostgreSQL, and kills it.
  void corrupt_postgres();

  daruma::HttpReceiver& slack() { return slack_; }
  daruma::Path home() const { return scratch_.path() / "ai-micro-service"; }
  daruma::Path backups() const { return scratch_.path() / "backups"; }
  daruma::Path evidence() const { return scratch_.path() / "evidence"; }
  daruma::Path runs() const { return home() / ".daruma" / "runs"; }
  daruma::Clock& clock() { return *clock_; }
  daruma::FileSystem& fs() { return scratch_.fs(); }

 private:
  void copy_folders();
  void write_settings();
  void write_configuration();
  void stop_all();
  daruma::Command command(const std::vector<std::string>& argv) const;
  std::string must(const std::vector<std::string>& argv);
  std::unique_ptr<daruma::runtime::ServiceRuntime> runtime_of(const std::string& service);
  void append(const std::string& file, const std::string& text);
  std::string text_of(const daruma::Path& file);
  [[noreturn]] void fail(const std::string& what);

  daruma::ScratchDir scratch_;
  daruma::Caretaker caretaker_{scratch_.path()};
  std::unique_ptr<daruma::Clock> clock_ = daruma::real_clock();
  std::unique_ptr<daruma::ProcessRunner> runner_ = daruma::real_processes(*clock_);
  daruma::HttpReceiver slack_;
  std::map<std::string, int> ports_;
  std::string postgres_password_, redis_password_;
  daruma::Config config_;
};

}  // namespace aimicro
