#include "cli/demo/story.h"

#include <fmt/format.h>

#include <csignal>

#include "base/size.h"
#include "base/table.h"
#include "cli/json.h"
#include "os/environment.h"
#include "os/files.h"

namespace daruma {
namespace {

constexpr int kClients = 8;
constexpr Duration kLoadFor = std::chrono::seconds(4);
constexpr Duration kCommandWithin = std::chrono::minutes(5);
constexpr Duration kProtectionWithin = std::chrono::seconds(60);
constexpr Duration kObjectiveRto = std::chrono::minutes(5);
// Every booking with its nights and its total, but for those made after a recovery.
constexpr const char* kFingerprint =
    "SELECT count(*) || ' ' || md5(string_agg(concat_ws(' ', b.*, t.*, n.nights), ',' ORDER BY b.id)) "
    "FROM bookings b LEFT JOIN booking_totals t ON t.booking_id = b.id LEFT JOIN LATERAL "
    "(SELECT string_agg(night || ':' || price_yen, ',' ORDER BY night) AS nights FROM booking_nights "
    "WHERE booking_id = b.id) n ON true WHERE b.check_in < '2025-07-01'";
// What was booked in the week before the business date.
constexpr const char* kLastWeek =
    "(SELECT id FROM bookings WHERE created_at >= '2024-06-13' AND created_at < '2024-06-21')";

std::string configuration(const Path& scratch) {
  return fmt::format(
      "state: state\n"
      "repository:\n"
      "  key: {{file: daruma.key}}\n"
      "  copies:\n"
      "    - {{name: here, url: \"file://{0}/repository\", medium: disk, site: tokyo}}\n"
      "datastores:\n"
      "  bookings:\n"
      "    kind: postgres\n"
      "    connection: {{host: \"{0}\", port: 5432, user: postgres, dbname: postgres}}\n"
      "    capture: {{slot: daruma, synchronous: true}}\n"
      "    snapshots: {{every: 6h}}\n"
      "    objective: {{rpo: 0s, rto: 5m}}\n",
      scratch.string());
}

int64_t milliseconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

Result<uint64_t> bytes_below(FileSystem& fs, const Path& directory) {
  DR_TRY(const auto entries, fs.list_dir(directory));
  uint64_t bytes = 0;
  for (const DirectoryEntry& entry : entries) {
    if (entry.type == FileType::kDirectory) {
      DR_TRY(const uint64_t below, bytes_below(fs, directory / entry.name));
      bytes += below;
    } else if (const auto info = fs.info(directory / entry.name); info.ok()) {
      bytes += info->size;
    }
  }
  return bytes;
}

std::string grouped(uint64_t number) {
  std::string text = std::to_string(number);
  for (size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, ",");
  return text;
}

}  // namespace

Story::Story(App& app, Output& out, Path scratch)
    : app_(app), out_(out), scratch_(std::move(scratch)), program_(this_program()) {}
Story::~Story() = default;

void Story::act(const std::string& title) {
  out_.write(fmt::format("\n{}\n", paint(out_, Colour::kBold, fmt::format("{}  {}", ++acts_, title))));
  out_.flush();
}

void Story::tell_line(const std::string& text) {
  out_.write("   " + text + "\n");
  out_.flush();
}

void Story::check(bool holds, const std::string& what) {
  tell_line((holds ? paint(out_, Colour::kGreen, "✓ ") : paint(out_, Colour::kRed, "✗ ")) + what);
  if (!holds) failed_.push_back(what);
}

void Story::show(const std::string& typed, std::string_view output) {
  out_.write(paint(out_, Colour::kFaint, "   $ " + typed) + "\n");
  while (!output.empty()) {
    const size_t end = output.find('\n');
    out_.write(fmt::format("     {}\n", output.substr(0, end)));
    output.remove_prefix(end == std::string_view::npos ? output.size() : end + 1);
  }
  out_.flush();
}

Result<std::string> Story::daruma(std::vector<std::string> arguments, bool quiet) {
  std::string typed = "daruma";
  for (const std::string& argument : arguments) typed += " " + argument;
  arguments.insert(arguments.begin(), program_.string());
  Command command{std::move(arguments)};
  command.working_directory = scratch_;
  command.environment = {{"NO_COLOR", "1"}};
  DR_TRY(const ProcessExit ended, app_.processes.run(command, app_.clock.after(kCommandWithin)));
  if (ended.code != 0)
    return Error{Errc::kFailed, fmt::format("`{}` ended with {}:\n{}", typed, ended.code, ended.output)};
  if (!quiet) show(typed, ended.output);
  return ended.output;
}

// What is published may be a second old, and a busy machine a moment behind.
Status Story::show_green() {
  std::string seen;
  DR_OK(wait_until(app_, "green in `daruma status`", kProtectionWithin, [&]() -> Result<bool> {
    const auto status = daruma({"status"}, true);
    if (status.ok()) seen = *status;
    return status.ok();
  }));
  show("daruma status", seen);
  return {};
}

Status Story::start_serving() {
  out_.write(paint(out_, Colour::kFaint, "   $ daruma serve &") + "\n");
  Command command{{program_.string(), "serve"}};
  command.working_directory = scratch_;
  command.output = scratch_ / "serve.log";
  DR_TRY(serving_, app_.processes.start(command));
  return {};
}

// Green in `daruma status`, and COMMIT waits for the repository.
Status Story::wait_for_protection() {
  DR_OK(wait_until(app_, "protection", kProtectionWithin, [this]() -> Result<bool> {
    if (serving_->wait(app_.clock.after(Duration{0})).ok())
      return Error{Errc::kFailed, "`daruma serve` ended"};
    return daruma({"status"}, true).ok();
  }));
  DR_OK(server_->run("ALTER SYSTEM SET synchronous_standby_names = 'daruma'", "postgres"));
  DR_OK(server_->run("SELECT pg_reload_conf()", "postgres"));
  DR_OK(wait_until(app_, "synchronous capture", kProtectionWithin, [this]() -> Result<bool> {
    const auto state = server_->value(
        "SELECT coalesce(max(sync_state), '') FROM pg_stat_replication WHERE application_name = 'daruma'",
        "postgres");
    return state.ok() && *state == "sync";
  }));
  // Commits wait only once the checkpointer has read the new setting, as it does before each checkpoint; the
  // first of two may have begun without it.
  DR_OK(server_->run("CHECKPOINT", "postgres"));
  return server_->run("CHECKPOINT", "postgres");
}

Status Story::start_system() {
  DR_OK(server_->initialize());
  DR_OK(server_->start());
  DR_TRY(api_, HotelApi::create(app_, scratch_));
  DR_OK(api_->fill(*server_));
  return api_->start();
}

Result<std::vector<std::string>> Story::rooms() {
  DR_TRY(const auto connection, server_->connect());
  DR_TRY(const auto rows, connection->query("SELECT id FROM rooms WHERE id <> 'test-room-id' ORDER BY id"));
  std::vector<std::string> ids;
  for (const postgres::SqlRow& row : rows) ids.push_back(row[0].value_or(""));
  return ids;
}

Status Story::ordinary_day() {
  act("An ordinary day");
  DR_TRY(server_, LocalPostgres::create(app_, scratch_));
  tell_line(fmt::format("LastMinuteStay, a hotel-booking backend, on a PostgreSQL {} in {}.",
                        server_->version(), scratch_.string()));
  DR_OK(start_system());
  DR_TRY(const std::string hotels, server_->value("SELECT count(*) FROM hotels"));
  DR_TRY(const std::string rows, server_->value("SELECT count(*) FROM bookings"));
  DR_TRY(const std::string size, server_->value("SELECT sum(pg_database_size(oid)) FROM pg_database"));
  database_bytes_ = std::stoull(size);
  tell_line(fmt::format("{} hotels, {} bookings, {}.", hotels, grouped(std::stoull(rows)),
                        human_bytes(database_bytes_)));
  tell_line("Protecting it takes a daruma.yaml, a repository, and a process that captures every change:");
  DR_OK(replace_file(app_.fs, scratch_ / "daruma.yaml", as_bytes(configuration(scratch_))));
  DR_OK(daruma({"init"}));
  DR_OK(start_serving());
  DR_OK(wait_for_protection());
  DR_OK(show_green());
  tell_line("From now on a COMMIT returns only when the repository holds it.");
  return {};
}

Status Story::check_bookings(Measured& measured) {
  DR_TRY(measured.bookings, compare(*server_, *witness_));
  const Comparison& found = measured.bookings;
  check(found.exact(),
        fmt::format("acknowledged {}, found {}, missing {}, different {}", grouped(found.acknowledged),
                    grouped(found.found), found.missing, found.different));
  if (found.unannounced > 0 && measured_.empty())
    tell_line(fmt::format("  ({} more had been committed, but nobody had been told yet)", found.unannounced));
  return {};
}

// Restores into the empty place of the data directory, and waits until a booking can be made again.
Status Story::recover(const std::string& at, Measured& measured, MonoInstant lost_at) {
  const MonoInstant begun = app_.clock.mono();
  DR_TRY(const std::string output, daruma({"restore", "bookings", "--to", "data", "--at", at}));
  measured.restore = app_.clock.mono() - begun;
  const MonoInstant restored = app_.clock.mono();
  DR_OK(server_->start());
  const std::string number = std::to_string(measured_.size() + 1);
  const auto client = api_->client();
  // A repeated request with its key is one booking, however often it had to be asked.
  Booking booking{"test-room-id", kAfterRecovery, "2025-07-02", "2", ""};
  booking.check_in.back() = booking.check_out.back() = number.back();
  ++booking.check_out.back();
  DR_OK(wait_until(app_, "the first booking after the recovery", kProtectionWithin, [&]() -> Result<bool> {
    const auto booked = client->book(booking, "first-after-" + number);
    if (!booked.ok() && !booked.is(Errc::kUnavailable)) return booked.error();
    if (!booked.ok()) return false;
    booking.total = booked->total;
    // Counts from now on.
    DR_OK(witness_->record(booked->id, booking));
    return true;
  }));
  measured.replay = app_.clock.mono() - restored;
  measured.outage = app_.clock.mono() - lost_at;
  tell_line(fmt::format("The first booking after it: {} after the loss.", human_duration(measured.outage)));
  DR_TRY(measured.restored_bytes, bytes_below(app_.fs, server_->data()));
  return {};
}

Status Story::disaster() {
  act("The load, and the disaster");
  DR_TRY(witness_, Witness::create(app_.fs, scratch_ / "witness.txt"));
  DR_TRY(std::vector<std::string> free, rooms());
  Load load(*api_, *witness_, std::move(free), kClients);
  tell_line(fmt::format("{} clients book at {}. A witness outside the database writes down every booking",
                        kClients, api_->url()));
  tell_line("that the API answered with 201.");
  DR_OK(wait_until(app_, "the load", kProtectionWithin,
                   [&, until = app_.clock.after(kLoadFor)]() -> Result<bool> {
                     return until.passed(app_.clock.mono()) && load.acknowledged() > 0;
                   }));
  const MonoInstant lost_at = app_.clock.mono();
  DR_OK(server_->kill9());
  DR_OK(remove_tree(app_.fs, server_->data()));
  load.end();
  tell_line(
      paint(out_, Colour::kRed, "kill -9 of the server under load, and its data directory is destroyed."));
  tell_line(fmt::format("{} bookings had been acknowledged.", grouped(load.acknowledged())));

  act("Recovery to the last acknowledged booking");
  Measured measured;
  measured.name = "database destroyed";
  DR_OK(recover("latest", measured, lost_at));
  DR_OK(check_bookings(measured));
  const MonoInstant back = app_.clock.mono();
  DR_OK(wait_for_protection());
  measured.protected_again = app_.clock.mono() - back;
  check(true, "capture follows the server to its new timeline; COMMITs are protected again");
  measured_.push_back(measured);
  return {};
}

Status Story::wrong_delete() {
  act("Somebody deletes last week's bookings");
  DR_TRY(const std::string before, server_->value(kFingerprint));
  // A moment that lies after everything acknowledged and before the DELETE.
  DR_TRY(const std::string moment,
         server_->value(
             "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"));
  DR_TRY(const std::string week,
         server_->value(std::string("SELECT count(*) FROM bookings WHERE id IN ") + kLastWeek));
  for (const char* table : {"idempotency_keys", "booking_nights", "booking_totals"})
    DR_OK(server_->run(fmt::format("DELETE FROM {} WHERE booking_id IN {}", table, kLastWeek)));
  DR_OK(server_->run(std::string("DELETE FROM bookings WHERE id IN ") + kLastWeek));
  tell_line(paint(
      out_, Colour::kRed,
      fmt::format("DELETE: {} bookings are gone, committed and replicated.", grouped(std::stoull(week)))));
  DR_TRY(const std::string after, server_->value(kFingerprint));
  check(after != before, "the newest state no longer helps: what is needed is the moment before");

  act("Undone: back to the moment before");
  const MonoInstant lost_at = app_.clock.mono();
  DR_OK(server_->stop());
  DR_OK(app_.fs.rename(server_->data(), scratch_ / "data.damaged"));
  tell_line("The server is stopped and its directory set aside, not deleted. First what would be done:");
  DR_OK(daruma({"restore", "bookings", "--to", "data", "--at", moment, "--plan"}));
  Measured measured;
  measured.name = "wrong DELETE undone";
  DR_OK(recover(moment, measured, lost_at));
  DR_TRY(const std::string undone, server_->value(kFingerprint));
  check(undone == before, fmt::format("all {} deleted bookings are back, and every row is as it was",
                                      grouped(std::stoull(week))));
  DR_OK(check_bookings(measured));
  const MonoInstant back = app_.clock.mono();
  DR_OK(wait_for_protection());
  measured.protected_again = app_.clock.mono() - back;
  measured_.push_back(measured);
  DR_OK(show_green());
  return {};
}

Status Story::verify_repository() {
  act("Is the repository what it should be?");
  DR_OK(daruma({"points"}));
  DR_OK(daruma({"verify", "--read-data"}));
  DR_TRY(repository_bytes_, bytes_below(app_.fs, scratch_ / "repository"));
  DR_OK(serving_->signal(SIGTERM));
  DR_TRY(const ProcessExit ended, serving_->wait(app_.clock.after(kProtectionWithin)));
  serving_.reset();
  check(ended.code == 0, "`daruma serve` ends in good order");
  DR_OK(api_->stop());
  return server_->stop();
}

Status Story::tell() {
  DR_OK(ordinary_day());
  DR_OK(disaster());
  DR_OK(wrong_delete());
  DR_OK(verify_repository());
  for (const Measured& measured : measured_)
    if (measured.outage > kObjectiveRto) failed_.push_back(measured.name + ": RTO missed");
  return {};
}

void Story::print_table() {
  const auto mark = [&](bool holds) { return holds ? std::string("✓") : std::string("✗"); };
  out_.write("\n");
  Table table({{"recovery"},
               {"", Table::Align::kLeft},
               {"objective", Table::Align::kRight},
               {"actual", Table::Align::kRight},
               {""}});
  for (const Measured& measured : measured_) {
    const Comparison& bookings = measured.bookings;
    table.row({measured.name, "RPO", "0 lost", fmt::format("{} lost", bookings.missing + bookings.different),
               mark(bookings.exact())});
    table.row({"", "RTO", human_duration(kObjectiveRto), human_duration(measured.outage),
               mark(measured.outage <= kObjectiveRto)});
    table.row({"", "bookings acknowledged", "", grouped(bookings.acknowledged), ""});
    table.row({"", "bookings found", grouped(bookings.acknowledged), grouped(bookings.found),
               mark(bookings.found == bookings.acknowledged)});
    table.row({"", "restore: files and log", "", human_duration(measured.restore), ""});
    table.row({"", "start, replay, first booking", "", human_duration(measured.replay), ""});
    table.row({"", "protected again after", "", human_duration(measured.protected_again), ""});
    table.row({"", "restored", "", human_bytes(measured.restored_bytes), ""});
  }
  table.row({"storage", "database", "", human_bytes(database_bytes_), ""});
  table.row({"", "repository (encrypted)", "", human_bytes(repository_bytes_), ""});
  out_.write(table.text());
  uint64_t lost = 0;
  for (const Measured& measured : measured_) lost += measured.bookings.missing + measured.bookings.different;
  const bool good = failed_.empty() && lost == 0;
  out_.write(fmt::format("\n{} acknowledged bookings lost: {}\n",
                         good ? paint(out_, Colour::kGreen, "✓") : paint(out_, Colour::kRed, "✗"), lost));
  for (const std::string& failed : failed_)
    out_.write(fmt::format("{} {}\n", paint(out_, Colour::kRed, "✗"), failed));
}

std::string Story::json() const {
  Json recoveries = Json::array();
  for (const Measured& measured : measured_) {
    Json row = Json::object();
    row.set("name", measured.name)
        .set("rpo_objective_lost", 0)
        .set("lost", measured.bookings.missing + measured.bookings.different)
        .set("acknowledged", measured.bookings.acknowledged)
        .set("found", measured.bookings.found)
        .set("rto_objective_ms", milliseconds(kObjectiveRto))
        .set("rto_ms", milliseconds(measured.outage))
        .set("restore_ms", milliseconds(measured.restore))
        .set("replay_ms", milliseconds(measured.replay))
        .set("protected_again_ms", milliseconds(measured.protected_again))
        .set("restored_bytes", measured.restored_bytes);
    recoveries.push(std::move(row));
  }
  Json failed = Json::array();
  for (const std::string& check : failed_) failed.push(check);
  Json out = Json::object();
  out.set("ok", failed_.empty())
      .set("recoveries", std::move(recoveries))
      .set("database_bytes", database_bytes_)
      .set("repository_bytes", repository_bytes_)
      .set("failed", std::move(failed));
  return out.pretty();
}

}  // namespace daruma
