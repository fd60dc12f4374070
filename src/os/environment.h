// os/environment.h: this process: its variables, its name, its signals, its memory.
//
// Threads: may be used from any thread; install_stop_signals once, from main, before any thread starts.
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>

#include "os/file_system.h"

namespace daruma {

// The variable's value; nullopt when it is not set.
std::optional<std::string> environment_variable(const std::string& name);

// The same, and takes it away, so that no child inherits it.
std::optional<std::string> take_environment_variable(const std::string& name);

// Whether there is a program of this path, or of this name in PATH.
bool program_exists(FileSystem& fs, const std::string& program);

// The absolute path of the running program.
Path this_program();

// SIGTERM and SIGINT request a stop of the source; a second one ends the process at once.
void install_stop_signals(std::stop_source source);
// The first of these signals that came; 0: none did.
int stop_signal();

// No core dumps, not traceable: what holds keys must not leave them on disk.
void forbid_core_dumps();

// True if a process with this pid exists.
bool process_exists(int pid);

// Bytes of memory that this process has in use; nullopt where the kernel does not say.
std::optional<uint64_t> resident_bytes();
// As many open descriptors as the hard limit allows. Returns that limit.
uint64_t raise_descriptor_limit();

// Ends this process without destroying anything: for when threads that nobody can end still use it.
[[noreturn]] void end_at_once(int code);

std::string host_name();
int this_pid();
bool is_root();
// Columns of the terminal on stderr; nullopt when it is not one.
std::optional<int> terminal_columns();

}  // namespace daruma
