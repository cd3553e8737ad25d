//! src/bin/identity-keys.rs: the key tool; all of it is in src/cli.rs.

fn main() -> std::process::ExitCode {
    rocket_identity::cli::run()
}
