//! The `hawqeye` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    hawqeye::cli::main(std::env::args_os())
}

/// What has to be seen before the standard library begins: it puts a file that swallows everything
/// where standard output is closed.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "nothing safe runs before the standard library")]
mod before {
    use std::os::fd::BorrowedFd;

    /// Called by the loader.
    // SAFETY: the loader calls what the section holds once, before `main`, on the only thread.
    #[used]
    #[unsafe(link_section = ".init_array")]
    static LOOK: extern "C" fn() = look;

    extern "C" fn look() {
        const STDOUT: i32 = 1;
        // SAFETY: asked for its flags only; a number that is not open is answered with an error.
        let stdout = unsafe { BorrowedFd::borrow_raw(STDOUT) };
        if rustix::io::fcntl_getfd(stdout).is_err() {
            hawqeye::cli::output::stdout_is_closed();
        }
    }
}
